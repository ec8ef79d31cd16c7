//! Values to the fields of an event.

use super::undo::{Escapes, bits};
use super::{Class, Form, Plan, Value};
use crate::haproxy::alias::{DateForm, Slot};
use crate::haproxy::date::{Dates, Repeats};
use crate::haproxy::event::{Captures, Event, ExtraSpan, Separator, SpanPlace};
use crate::haproxy::leaf::number;
use crate::haproxy::request::{self, RequestLine};
use memchr::{memchr, memchr2};
use std::ops::Range;
use std::time::Duration;

/// The event that a line becomes, while it is read.
pub(in crate::haproxy) struct Store<'p, 'a> {
    pub(super) event: &'p mut Event<'a>,
    pub(super) text: &'a [u8],
    dates: &'p mut Dates,
    spans: &'p mut Vec<ExtraSpan>,
    /// Where the values are that had to be searched for.
    pub(super) searched: &'p mut Vec<Range<usize>>,
    /// Numbers with a `+` before them.
    plus: Plus,
    /// `%ms`, for an accept date without milliseconds.
    accept_millis: Option<i64>,
    accept_is_coarse: bool,
    /// Of the dates, which have no offset.
    pub(in crate::haproxy) repeats: Repeats,
    /// The line ends in its request.
    pub(in crate::haproxy) cut: bool,
    /// What looks like the request holds a quote.
    pub(in crate::haproxy) doubtful: bool,
    escapes: Escapes,
}

/// Lists that are kept from line to line.
#[derive(Clone, Debug, Default)]
pub(in crate::haproxy) struct Scratch {
    /// Where the values of extra fields are.
    pub(in crate::haproxy) spans: Vec<ExtraSpan>,
    searched: Vec<Range<usize>>,
}

/// A request and its parts.
pub(super) struct Request<'a> {
    pub(super) request: &'a [u8],
    pub(super) method: &'a [u8],
    pub(super) path: &'a [u8],
    pub(super) query: Option<&'a [u8]>,
    pub(super) http_version: &'a [u8],
}

/// One bit for each number that may have a `+`: a value that is read again in another
/// place sets its own anew.
#[derive(Clone, Copy, Default)]
struct Plus(u8);

impl<'p, 'a> Store<'p, 'a> {
    /// For a line of that plan; of the event nothing is known yet.
    #[inline(always)]
    pub(in crate::haproxy) fn new(
        plan: &'a Plan,
        text: &'a [u8],
        event: &'p mut Event<'a>,
        dates: &'p mut Dates,
        scratch: &'p mut Scratch,
    ) -> Self {
        let Scratch { spans, searched } = scratch;
        spans.clear();
        if !plan.extra.is_empty() {
            let missing = ExtraSpan {
                start: 0,
                end: 0,
                place: SpanPlace::Missing,
            };
            spans.resize(plan.extra.len(), missing);
        }
        event.kind = plan.kind;
        Store {
            event,
            text,
            dates,
            spans,
            searched,
            plus: Plus::default(),
            accept_millis: None,
            accept_is_coarse: false,
            repeats: Repeats::default(),
            cut: false,
            doubtful: false,
            escapes: Escapes::default(),
        }
    }

    /// A number, `None` for a `-` in its place; `false` if it cannot be a value of this
    /// field. A value below zero means that there is none, HAProxy prints -1; but
    /// connection counts have been seen below zero, by races between HAProxy's threads,
    /// and stay as they are.
    #[inline(always)]
    pub(super) fn int(&mut self, slot: Slot, value: Option<i64>, plus: bool) -> bool {
        let present = value.filter(|&value| value >= 0);
        let event = &mut *self.event;
        let timers = &mut event.timers;
        match slot {
            Slot::ClientPort => {
                event.client_port = present;
                return present.is_none_or(|port| port <= 65_535);
            }
            Slot::Status => {
                event.status = present;
                return matches!(value, None | Some(-1..=999));
            }
            Slot::Tq => timers.accept_to_request = present,
            Slot::TR => timers.request = present,
            Slot::Tw => timers.queue = present,
            Slot::Tc => timers.connect = present,
            Slot::Tr => timers.response = present,
            Slot::Td => timers.data = present,
            Slot::Th => timers.handshake = present,
            Slot::Ti => timers.idle = present,
            Slot::Ta => {
                timers.active = present;
                self.plus.set(0, plus);
            }
            Slot::Tt => {
                timers.total = present;
                self.plus.set(1, plus);
            }
            Slot::Tu => {
                timers.user = present;
                self.plus.set(2, plus);
            }
            Slot::BytesRead => {
                event.bytes_read = present;
                self.plus.set(3, plus);
            }
            Slot::BytesUploaded => event.bytes_uploaded = present,
            Slot::Actconn => event.actconn = value,
            Slot::Feconn => event.feconn = value,
            Slot::Beconn => event.beconn = value,
            Slot::SrvConn => event.srv_conn = value,
            Slot::Retries => {
                event.retries = present;
                event.redispatched = plus;
            }
            Slot::SrvQueue => event.srv_queue = present,
            Slot::BackendQueue => event.backend_queue = present,
            Slot::Pid => event.pid = present,
            Slot::AcceptMillis => self.accept_millis = present,
            Slot::AcceptSeconds => {
                event.accept_date = present.map(crate::time::Timestamp::from_secs);
                self.accept_is_coarse = true;
                self.repeats.accept = 0;
            }
            // Every other slot is of another class.
            _ => return false,
        }
        true
    }

    /// A date; `false` if it is none.
    #[inline(always)]
    pub(super) fn date(&mut self, slot: Slot, form: DateForm, date: &[u8]) -> bool {
        let (time, repeat) = match form {
            DateForm::Millis => self
                .dates
                .read(date)
                .map_or((None, 0), |local| (Some(local.time), local.repeat)),
            DateForm::Offset => (self.dates.read_with_offset(date), 0),
        };
        match slot {
            Slot::AcceptDate => {
                self.accept_is_coarse = form == DateForm::Offset;
                self.event.accept_date = time;
                self.repeats.accept = repeat;
            }
            _ => {
                self.event.request_date = time;
                self.repeats.request = repeat;
            }
        }
        time.is_some()
    }

    /// A date that is looked at and not kept.
    pub(super) fn is_date(&mut self, form: DateForm, date: &[u8]) -> bool {
        match form {
            DateForm::Millis => self.dates.read(date).is_some(),
            DateForm::Offset => self.dates.read_with_offset(date).is_some(),
        }
    }

    /// A text that may have to be looked at or undone.
    pub(super) fn text(&mut self, value: Value, text: &'a [u8]) {
        // A whole request sees to that itself: it also comes from elsewhere.
        if value.class.hashed() && value.slot != Slot::Request {
            self.escapes.found_hash(memchr(b'#', text).is_some());
        }
        if value.form == Form::Hex {
            self.escapes.any = true;
        }
        if value.form == Form::Escaped || self.escapes.backslashes != 0 {
            self.escapes.set_backslashes(bits(value.slot), value.form);
        }
        let text_or_hex = match text {
            b"\"\"" if value.form == Form::Hex => &[],
            text => text,
        };
        let part = request_part(present(text));
        let event = &mut *self.event;
        match value.slot {
            Slot::ClientIp => {
                event.client_ip = present(text_or_hex);
                self.escapes.hex_client = value.form == Form::Hex;
            }
            Slot::Request => self.request(text, value.form, true),
            Slot::Method => event.method = part,
            Slot::HttpVersion => event.http_version = part,
            Slot::Path => event.path = part,
            Slot::Query => event.query = text.strip_prefix(b"?"),
            Slot::Uri => {
                // `%HP%HQ` of a request that could not be read.
                let twice = request::BAD.len() * 2;
                let bad = text.len() == twice && text.chunks(request::BAD.len()).all(is_bad);
                let uri = part.filter(|_| !bad);
                let mark = uri.and_then(|uri| memchr(b'?', uri));
                event.path = uri.map(|uri| &uri[..mark.unwrap_or(uri.len())]);
                event.query = uri.zip(mark).map(|(uri, mark)| &uri[mark + 1..]);
            }
            Slot::RequestHeaders | Slot::ResponseHeaders => {
                self.captures(value, Some((text, Separator::Blank)));
            }
            Slot::Extra(index) => self.extra(index, present(text_or_hex), value.form),
            slot => self.assign(slot, text),
        }
    }

    /// A text that is what it says. Nothing and a `-` stand for no value.
    #[inline(always)]
    pub(super) fn plain(&mut self, slot: Slot, text: &'a [u8]) {
        if self.escapes.backslashes != 0 {
            self.escapes.set_backslashes(bits(slot), Form::Plain);
        }
        self.assign(slot, text);
    }

    #[inline(always)]
    fn assign(&mut self, slot: Slot, text: &'a [u8]) {
        let event = &mut *self.event;
        match slot {
            Slot::ClientIp => event.client_ip = present(text),
            Slot::Frontend => event.frontend = Some(text),
            Slot::FrontendTransport => {
                event.tls = text.ends_with(b"~");
                event.frontend = text.strip_suffix(b"~").or(Some(text));
            }
            Slot::Backend => event.backend = Some(text),
            Slot::Server => event.server = Some(text),
            Slot::RequestCookie => event.request_cookie = present(text),
            Slot::ResponseCookie => event.response_cookie = present(text),
            Slot::TerminationState => event.termination_state = Some(text),
            Slot::BindName => event.bind_name = present(text),
            Slot::Message => event.message = present(text),
            Slot::Extra(index) => self.extra(index, present(text), Form::Plain),
            // The others are of other classes.
            _ => {}
        }
    }

    /// A request line; `complete` if it was not cut off.
    #[inline]
    pub(super) fn request(&mut self, request: &'a [u8], form: Form, complete: bool) {
        if memchr2(b'#', b'"', request).is_some() {
            self.unusual(request);
        }
        self.escapes.set_backslashes(bits(Slot::Request), form);
        let line = RequestLine::split(request, complete);
        self.event.request = Some(request);
        self.event.method = line.method;
        self.event.path = line.path;
        self.event.query = line.query;
        self.event.http_version = line.http_version;
    }

    /// HAProxy writes a quote as `#22`: one that is there came from a relay that undid
    /// that, or is not of the request at all.
    #[cold]
    fn unusual(&mut self, request: &[u8]) {
        self.escapes.found_hash(memchr(b'#', request).is_some());
        self.doubtful |= memchr(b'"', request).is_some();
    }

    /// A request in which nothing is escaped, and its parts.
    #[inline(always)]
    pub(super) fn usual_request(&mut self, parts: Request<'a>) {
        let event = &mut *self.event;
        event.request = Some(parts.request);
        event.method = Some(parts.method);
        event.path = Some(parts.path);
        event.query = parts.query;
        event.http_version = Some(parts.http_version);
    }

    /// Captured headers, or none.
    #[inline]
    pub(super) fn captures(&mut self, value: Value, captures: Option<(&'a [u8], Separator)>) {
        self.escapes.set_backslashes(bits(value.slot), value.form);
        let captures = captures.map(|(values, separator)| {
            self.escapes.found_hash(memchr(b'#', values).is_some());
            Captures {
                values,
                separator,
                names: &[],
            }
        });
        match value.slot {
            Slot::RequestHeaders => self.event.request_headers = captures,
            _ => self.event.response_headers = captures,
        }
    }

    /// The value of an extra field; it must be a part of the text.
    fn extra(&mut self, index: u16, value: Option<&'a [u8]>, form: Form) {
        let place = match (value, form) {
            (None, _) => SpanPlace::Missing,
            (Some(_), Form::Plain) => SpanPlace::Text,
            (Some(_), Form::Escaped) => SpanPlace::Escaped,
            (Some(_), Form::Hex) => SpanPlace::Hex,
        };
        let start = value.map_or(0, |value| value.as_ptr().addr() - self.text.as_ptr().addr());
        self.escapes.any |= matches!(place, SpanPlace::Escaped | SpanPlace::Hex);
        self.spans[usize::from(index)] = ExtraSpan {
            start: start as u32,
            end: (start + value.map_or(0, <[u8]>::len)) as u32,
            place,
        };
    }

    /// A number beside the event's own fields, as it is printed.
    pub(super) fn extra_int(&mut self, index: u16, digits: &'a [u8], form: Form) {
        let missing = matches!(digits, b"-" | b"\"\"");
        self.extra(index, (!missing).then_some(digits), form);
    }

    /// A whole value of any kind; `false` if it cannot be one of that field.
    pub(super) fn any(&mut self, value: Value, text: &'a [u8]) -> bool {
        match (value.class, value.slot) {
            (Class::Int, Slot::Extra(index)) => {
                let present = Some(text).filter(|text| !matches!(*text, b"" | b"-"));
                let form = match value.form {
                    Form::Hex => Form::Hex,
                    _ => Form::Plain,
                };
                self.extra(index, present, form);
                true
            }
            (Class::Int, slot) if value.form == Form::Hex && !matches!(text, b"" | b"-") => {
                let digits = std::str::from_utf8(text).unwrap_or_default();
                let number = i64::from_str_radix(digits, 16);
                number.is_ok_and(|number| self.int(slot, Some(number), false))
            }
            (Class::Int, slot) => match number(text) {
                Some((number, [])) => self.int(slot, Some(number), false),
                _ => matches!(text, b"" | b"-") && self.int(slot, None, false),
            },
            (Class::Date(form), slot) => self.date(slot, form, text),
            (Class::Captures, _) => {
                let inside = text
                    .strip_prefix(b"{")
                    .and_then(|text| text.strip_suffix(b"}"));
                self.captures(value, inside.map(|inside| (inside, Separator::Pipe)));
                inside.is_some() || text.is_empty()
            }
            (Class::CaptureList, _) => {
                self.captures(value, Some((text, Separator::Nul)));
                true
            }
            _ => {
                self.text(value, text);
                true
            }
        }
    }

    /// Every value is there: what is made of several of them. Says what
    /// [`complete`](super::complete) has to undo.
    pub(in crate::haproxy) fn finish(self) -> Escapes {
        self.event.partial = self.plus.0 != 0;
        if let Some(date) = &mut self.event.accept_date
            && self.accept_is_coarse
            && let Some(millis @ 0..=999) = self.accept_millis
        {
            *date = *date + Duration::from_millis(millis as u64);
        }
        self.escapes
    }
}

impl Plus {
    fn set(&mut self, bit: u8, plus: bool) {
        self.0 = self.0 & !(1 << bit) | u8::from(plus) << bit;
    }
}

/// `None` for what HAProxy prints where it has nothing to say.
#[inline(always)]
fn present(text: &[u8]) -> Option<&[u8]> {
    match text {
        b"" | b"-" => None,
        text => Some(text),
    }
}

/// HAProxy prints `<BADREQ>` for every part of a request that it could not read.
fn request_part(part: Option<&[u8]>) -> Option<&[u8]> {
    part.filter(|part| !is_bad(part))
}

fn is_bad(part: &[u8]) -> bool {
    part == request::BAD
}
