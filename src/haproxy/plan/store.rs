//! Values to the fields of an event.

use super::{Class, Form, Plan, Value};
use crate::haproxy::alias::{DateForm, Slot};
use crate::haproxy::date::Dates;
use crate::haproxy::event::{Captures, Event, Extra, ExtraSpan, ExtraType, Separator, SpanPlace};
use crate::haproxy::leaf::number;
use crate::haproxy::request::{self, RequestLine};
use memchr::{memchr, memchr2};
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
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
    /// The line ends in its request.
    pub(in crate::haproxy) cut: bool,
    /// What looks like the request holds a quote.
    pub(in crate::haproxy) doubtful: bool,
    escapes: Escapes,
}

/// What has to be undone in a line's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::haproxy) struct Escapes {
    /// Anything at all.
    any: bool,
    /// `#XX` in fields that HAProxy writes so.
    hashes: bool,
    /// Backslashes in fields of the event's own, one bit for each ([`bits`]).
    backslashes: u16,
    /// The client's address is in hexadecimal.
    hex_client: bool,
}

impl Escapes {
    fn found_hash(&mut self, found: bool) {
        self.any |= found;
        self.hashes |= found;
    }

    /// Says of these fields whether backslashes escape in them.
    fn set_backslashes(&mut self, bits: u16, form: Form) {
        self.backslashes &= !bits;
        if form == Form::Escaped {
            self.any = true;
            self.backslashes |= bits;
        }
    }

    /// How that field is escaped.
    fn of(self, bits: u16) -> Undo {
        Undo {
            hashes: self.hashes && bits & HASHED != 0,
            backslashes: self.backslashes & bits != 0,
        }
    }
}

/// What is to be undone in one value.
#[derive(Clone, Copy, Debug)]
struct Undo {
    hashes: bool,
    backslashes: bool,
}

const METHOD: u16 = 1;
const PATH: u16 = 1 << 1;
const QUERY: u16 = 1 << 2;
const VERSION: u16 = 1 << 3;
const REQUEST_HEADERS: u16 = 1 << 4;
const RESPONSE_HEADERS: u16 = 1 << 5;
const REQUEST_COOKIE: u16 = 1 << 6;
const RESPONSE_COOKIE: u16 = 1 << 7;
const MESSAGE: u16 = 1 << 8;
const BIND_NAME: u16 = 1 << 9;
/// Those that HAProxy writes with `#XX`.
const HASHED: u16 = METHOD | PATH | QUERY | VERSION | REQUEST_HEADERS | RESPONSE_HEADERS;

/// The bits of the fields that a slot's value becomes. Names of proxies and servers hold
/// nothing that is escaped.
const fn bits(slot: Slot) -> u16 {
    match slot {
        Slot::Method => METHOD,
        Slot::Path => PATH,
        Slot::Uri => PATH | QUERY,
        Slot::Query => QUERY,
        Slot::HttpVersion => VERSION,
        Slot::Request => METHOD | PATH | QUERY | VERSION,
        Slot::RequestHeaders => REQUEST_HEADERS,
        Slot::ResponseHeaders => RESPONSE_HEADERS,
        Slot::RequestCookie => REQUEST_COOKIE,
        Slot::ResponseCookie => RESPONSE_COOKIE,
        Slot::Message => MESSAGE,
        Slot::BindName => BIND_NAME,
        _ => 0,
    }
}

/// Lists that are kept from line to line.
#[derive(Clone, Debug, Default)]
pub(in crate::haproxy) struct Scratch {
    /// Where the values of extra fields are.
    pub(in crate::haproxy) spans: Vec<ExtraSpan>,
    searched: Vec<Range<usize>>,
}

/// One bit for each number that may have a `+`: a value that is read again in another
/// place sets its own anew.
#[derive(Clone, Copy, Default)]
struct Plus(u8);

impl<'p, 'a> Store<'p, 'a> {
    /// For a line of that plan; of the event nothing is known yet.
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
            }
            // Every other slot is of another class.
            _ => return false,
        }
        true
    }

    /// A date; `false` if it is none.
    #[inline]
    pub(super) fn date(&mut self, slot: Slot, form: DateForm, date: &[u8]) -> bool {
        let time = match form {
            DateForm::Millis => self.dates.read(date),
            DateForm::Offset => self.dates.read_with_offset(date),
        };
        match slot {
            Slot::AcceptDate => {
                self.accept_is_coarse = form == DateForm::Offset;
                self.event.accept_date = time;
            }
            _ => self.event.request_date = time,
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

    /// Every value is there: what is made of several of them. Says what [`complete`] has to
    /// undo.
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

/// Gives the event its extra fields. With `escapes` these
/// and the request's parts come out as they were before HAProxy escaped them; `undone` is
/// where they then are.
pub(in crate::haproxy) fn complete<'a>(
    event: &mut Event<'a>,
    plan: &'a Plan,
    text: &'a [u8],
    escapes: Escapes,
    spans: &'a mut [ExtraSpan],
    undone: &'a mut Vec<u8>,
) {
    if escapes.any {
        undone.clear();
        let client_ip = event.client_ip.filter(|_| escapes.hex_client);
        let client_ip = client_ip.and_then(|digits| append_address(undone, digits));
        let mut part =
            |bits, part: Option<&[u8]>| part.map(|part| append(undone, part, escapes.of(bits)));
        let request_cookie = part(REQUEST_COOKIE, event.request_cookie);
        let response_cookie = part(RESPONSE_COOKIE, event.response_cookie);
        let bind_name = part(BIND_NAME, event.bind_name);
        let message = part(MESSAGE, event.message);
        let method = part(METHOD, event.method);
        let path = part(PATH, event.path);
        let query = part(QUERY, event.query);
        let http_version = part(VERSION, event.http_version);
        let mut block = |bits, captures: Option<Captures<'_>>| {
            captures.map(|captures| undo_all(undone, captures, escapes.of(bits)))
        };
        let request_headers = block(REQUEST_HEADERS, event.request_headers);
        let response_headers = block(RESPONSE_HEADERS, event.response_headers);
        for (span, field) in spans.iter_mut().zip(&plan.extra) {
            let value = &text[span.start as usize..span.end as usize];
            let within = match span.place {
                SpanPlace::Escaped => {
                    let escapes = Undo {
                        hashes: false,
                        backslashes: true,
                    };
                    Some(append(undone, value, escapes))
                }
                SpanPlace::Hex if field.extra_type == ExtraType::Int => {
                    append_number(undone, value)
                }
                SpanPlace::Hex => append_address(undone, value),
                SpanPlace::Missing | SpanPlace::Text | SpanPlace::Undone => None,
            };
            if let Some(within) = within {
                *span = ExtraSpan {
                    start: within.start as u32,
                    end: within.end as u32,
                    place: SpanPlace::Undone,
                };
            }
        }
        let undone: &'a [u8] = undone;
        let part = |within: Option<Range<usize>>| within.map(|within| &undone[within]);
        event.client_ip = part(client_ip).or(event.client_ip);
        event.request_cookie = part(request_cookie);
        event.response_cookie = part(response_cookie);
        event.bind_name = part(bind_name);
        event.message = part(message);
        event.method = part(method);
        event.path = part(path);
        event.query = part(query);
        event.http_version = part(http_version);
        let block = |within: Option<Range<usize>>| {
            within.map(|within| Captures {
                values: &undone[within],
                separator: Separator::Nul,
                names: &[],
            })
        };
        event.request_headers = block(request_headers);
        event.response_headers = block(response_headers);
        event.extra = Extra::new(&plan.extra, spans, text, undone);
    } else if !plan.extra.is_empty() {
        event.extra = Extra::new(&plan.extra, spans, text, &[]);
    }
}

/// Appends the value as it was before it was escaped, and says where it is.
fn append(to: &mut Vec<u8>, value: &[u8], escapes: Undo) -> Range<usize> {
    let start = to.len();
    undo(to, value, escapes);
    start..to.len()
}

/// All values of a block, with a NUL between them: the pipes and quotes that were escaped
/// are values' own now. No header holds a NUL.
fn undo_all(to: &mut Vec<u8>, captures: Captures<'_>, escapes: Undo) -> Range<usize> {
    let start = to.len();
    for (index, value) in captures.iter().enumerate() {
        if index > 0 {
            to.push(0);
        }
        undo(to, value, escapes);
    }
    start..to.len()
}

/// `#XX` is the byte of that number (section 8.6 of the manual), and where backslashes
/// escape, a byte behind one is itself. What is cut off or no hexadecimal number stays as
/// it is.
fn undo(to: &mut Vec<u8>, mut value: &[u8], escapes: Undo) {
    let next = |value: &[u8]| match (escapes.hashes, escapes.backslashes) {
        (true, true) => memchr2(b'#', b'\\', value),
        (true, false) => memchr(b'#', value),
        (false, true) => memchr(b'\\', value),
        (false, false) => None,
    };
    while let Some(at) = next(value) {
        to.extend_from_slice(&value[..at]);
        let byte = match value[at..] {
            [b'#', high, low, ..] => hex(high).zip(hex(low)).map(|(h, l)| (h << 4 | l, 3)),
            [b'\\', byte, ..] => Some((byte, 2)),
            _ => None,
        };
        let (byte, length) = byte.unwrap_or((value[at], 1));
        to.push(byte);
        value = &value[at + length..];
    }
    to.extend_from_slice(value);
}

/// Appends a number that is in hexadecimal digits in decimal ones.
fn append_number(to: &mut Vec<u8>, digits: &[u8]) -> Option<Range<usize>> {
    let digits = std::str::from_utf8(digits).ok()?;
    let start = to.len();
    write!(to, "{}", u64::from_str_radix(digits, 16).ok()?).ok()?;
    Some(start..to.len())
}

/// Appends an address that is in 8 or 32 hexadecimal digits as addresses are written.
fn append_address(to: &mut Vec<u8>, digits: &[u8]) -> Option<Range<usize>> {
    let text = std::str::from_utf8(digits).ok()?;
    let start = to.len();
    match text.len() {
        8 => write!(
            to,
            "{}",
            Ipv4Addr::from(u32::from_str_radix(text, 16).ok()?)
        ),
        32 => write!(
            to,
            "{}",
            Ipv6Addr::from(u128::from_str_radix(text, 16).ok()?)
        ),
        _ => return None,
    }
    .ok()?;
    Some(start..to.len())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
