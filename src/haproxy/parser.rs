//! Messages to events, by the format of each line.

use super::date::Dates;
use super::event::Event;
use super::field::Field;
use super::formats::{BUILT_IN, Candidate, Formats, Shape};
use super::leaf::{Stuck, whole};
use super::notice;
use super::plan::{Encoded, Escapes, Misfit, Plan, Scratch, Store, complete};
use super::reject::Reject;
use crate::syslog::Message;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// Reads messages, one after the other.
///
/// Nothing is allocated for a line: an event borrows from its message, and from buffers
/// here where escapes had to be undone.
#[derive(Clone, Debug)]
pub struct Parser {
    formats: Arc<Formats>,
    buffers: Buffers,
    /// The built-in format of the line before, which is tried first. No line is of two of
    /// them, so the order changes nothing but the time it takes.
    last: Exact,
    undone: Vec<u8>,
}

/// What reading a line needs room for.
#[derive(Clone, Debug)]
struct Buffers {
    dates: Dates,
    scratch: Scratch,
    encoded: Encoded,
}

/// The built-in formats that exclude each other wholly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exact {
    Http,
    Https,
    Tcp,
}

impl Exact {
    fn plan(self) -> &'static Plan {
        match self {
            Exact::Http => &BUILT_IN.http,
            Exact::Https => &BUILT_IN.https,
            Exact::Tcp => &BUILT_IN.tcp,
        }
    }
}

/// A line that is read, but for what [`complete`] adds.
struct Read<'a> {
    event: Event<'a>,
    plan: &'a Plan,
    /// What the event's extra fields are pieces of.
    values: &'a [u8],
    escapes: Escapes,
    /// The line ends in its request.
    cut: bool,
}

/// Why a line is of none of the formats that were tried.
struct Miss<'a> {
    misfit: Misfit,
    /// The frontend, if it was read before.
    frontend: Option<&'a [u8]>,
}

impl Parser {
    /// For lines of these formats, whose dates are local times of `zone`. A time that the
    /// clocks repeat is the first of the two, one that they skip is read as if they had
    /// not.
    pub fn new(formats: Arc<Formats>, zone: TimeZone) -> Self {
        Parser {
            formats,
            buffers: Buffers {
                dates: Dates::new(zone),
                scratch: Scratch::default(),
                encoded: Encoded::default(),
            },
            last: Exact::Http,
            undone: Vec::new(),
        }
    }

    /// The event that the message's text says, with host, process and number from its
    /// envelope. Blanks around the text do not matter.
    pub fn parse<'a>(&'a mut self, message: &Message<'a>) -> Result<Event<'a>, Reject> {
        let Parser {
            formats,
            buffers:
                Buffers {
                    dates,
                    scratch,
                    encoded,
                },
            last,
            undone,
        } = self;
        let text = message.text.trim_ascii();
        if text.is_empty() {
            return Err(Reject::Empty);
        }
        let read = match formats.configured() {
            [] => built_in(text, last, dates, scratch),
            _ => configured(formats, text, dates, scratch, encoded),
        };
        let read = match read {
            Ok(read) => read,
            Err(reject) => return notice(message, text, reject),
        };
        let spans = &mut scratch.spans;
        let mut event = complete(
            read.event,
            read.plan,
            read.values,
            read.escapes,
            spans,
            undone,
        );
        event.host = message.host;
        event.process = message.app;
        event.pid = event.pid.or_else(|| message.pid.and_then(whole));
        Ok(event)
    }
}

/// What is no traffic can still be a message of HAProxy's own.
#[cold]
fn notice<'a>(message: &Message<'a>, text: &'a [u8], reject: Reject) -> Result<Event<'a>, Reject> {
    // A damaged line of traffic is no message, though it may be logged as an error. But
    // HAProxy's own updates are dated like a request without a client.
    if Shape::of(text).is_some() && !text.starts_with(b"-:- ") {
        return Err(reject);
    }
    match notice::parse(message, text) {
        Err(Reject::NotTraffic) => Err(reject),
        read => read,
    }
}

/// Reads a line of one of HAProxy's own formats.
fn built_in<'a>(
    text: &'a [u8],
    last: &mut Exact,
    dates: &mut Dates,
    scratch: &mut Scratch,
) -> Result<Read<'a>, Reject> {
    // What is cut off in its request could be of httplog and of httpslog: it is the first.
    if let Ok(read) = attempt(last.plan(), text, false, dates, scratch)
        && (!read.cut || *last != Exact::Https)
    {
        return Ok(read);
    }
    let mut exactly = |exact: Exact| {
        let read = attempt(exact.plan(), text, false, dates, scratch);
        read.inspect(|_| *last = exact)
    };
    let read = match Shape::of(text).ok_or(Reject::NotTraffic)? {
        // Many add fields to httplog's end and say so nowhere: what is before them holds.
        Shape::Http => exactly(Exact::Http)
            .or_else(|_| exactly(Exact::Https))
            .or_else(|_| attempt(&BUILT_IN.http, text, true, dates, scratch)),
        Shape::Tcp => exactly(Exact::Tcp),
        Shape::HttpClf => attempt(&BUILT_IN.http_clf, text, false, dates, scratch),
        Shape::TcpClf => attempt(&BUILT_IN.tcp_clf, text, false, dates, scratch),
        Shape::Connect => attempt(&BUILT_IN.connect, text, false, dates, scratch),
        Shape::Error => attempt(&BUILT_IN.error, text, false, dates, scratch),
    };
    read.map_err(|miss| reject(miss.misfit, text))
}

/// Reads a line of one of the configured formats, or of those that HAProxy has beside any.
fn configured<'a>(
    formats: &'a Formats,
    text: &'a [u8],
    dates: &mut Dates,
    scratch: &mut Scratch,
    encoded: &'a mut Encoded,
) -> Result<Read<'a>, Reject> {
    let mut misfit = Misfit::Stuck(Stuck {
        field: Field::Kind,
        left: text.len(),
    });
    let mut frontend = None;
    // Lines tell their frontend early. Whatever format the first try was made with, if it
    // came that far the next ones are the frontend's own.
    let mut order = formats.order(None);
    let mut tried = 0;
    while let Some(candidate) = order.get(tried).map(|&place| formats.candidate(place)) {
        tried += 1;
        let plan = &candidate.plan;
        if plan.encoding.is_some() {
            if encoded.read(plan, text) && candidate.takes(encoded.frontend(plan)) {
                let encoded: &'a Encoded = encoded;
                let mut store = Store::new(plan, encoded.values(), dates, scratch);
                return match encoded.store(plan, &mut store) {
                    Ok(()) => Ok(Read::new(store, plan, encoded.values()).in_only(candidate)),
                    Err(field) => Err(Reject::Malformed { field, offset: 0 }),
                };
            }
            continue;
        }
        let miss = match attempt(plan, text, false, dates, scratch) {
            Ok(read) if candidate.takes(read.event.frontend) => {
                return Ok(read.in_only(candidate));
            }
            Ok(read) => Miss {
                misfit,
                frontend: read.event.frontend,
            },
            Err(miss) => miss,
        };
        misfit = further(misfit, miss.misfit);
        if frontend.is_none() && miss.frontend.is_some() {
            frontend = miss.frontend;
            order = formats.order(frontend);
            tried = 0;
        }
    }
    let plan = match Shape::of(text) {
        Some(Shape::Error) => &BUILT_IN.error,
        Some(Shape::Connect) => &BUILT_IN.connect,
        Some(_) => return Err(reject(misfit, text)),
        None if misfit.left() == Some(text.len()) => return Err(Reject::NotTraffic),
        None => return Err(reject(misfit, text)),
    };
    attempt(plan, text, false, dates, scratch).map_err(|_| reject(misfit, text))
}

/// Reads a line by one plan.
#[inline]
fn attempt<'a>(
    plan: &'a Plan,
    text: &'a [u8],
    trailing: bool,
    dates: &mut Dates,
    scratch: &mut Scratch,
) -> Result<Read<'a>, Miss<'a>> {
    let mut store = Store::new(plan, text, dates, scratch);
    match plan.read(text, &mut store, trailing) {
        Ok(()) => Ok(Read::new(store, plan, text)),
        Err(misfit) => Err(Miss {
            misfit,
            frontend: store.frontend(),
        }),
    }
}

impl<'a> Read<'a> {
    fn new(store: Store<'_, 'a>, plan: &'a Plan, values: &'a [u8]) -> Self {
        let cut = store.cut;
        let (event, escapes) = store.event();
        Read {
            event,
            plan,
            values,
            escapes,
            cut,
        }
    }

    /// Where a format does not tell the frontend and only one has it, that is it.
    fn in_only(mut self, candidate: &'a Candidate) -> Self {
        self.event.frontend = self.event.frontend.or(candidate.only_frontend());
        self
    }
}

impl Misfit {
    fn left(self) -> Option<usize> {
        match self {
            Misfit::Stuck(stuck) => Some(stuck.left),
            Misfit::Ambiguous => None,
        }
    }
}

/// The one that came further: it says more about what is wrong.
fn further(one: Misfit, other: Misfit) -> Misfit {
    match (one.left(), other.left()) {
        (Some(one_left), Some(other_left)) if one_left <= other_left => one,
        (None, _) => one,
        _ => other,
    }
}

#[cold]
fn reject(misfit: Misfit, text: &[u8]) -> Reject {
    match misfit {
        Misfit::Stuck(stuck) => Reject::Malformed {
            field: stuck.field,
            offset: text.len() - stuck.left,
        },
        Misfit::Ambiguous => Reject::Ambiguous,
    }
}

#[cfg(test)]
mod tests;
