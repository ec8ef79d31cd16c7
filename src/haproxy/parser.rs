//! Messages to events, by the format of each line.

use super::date::{Dates, Repeats};
use super::event::{Event, Kind};
use super::field::{Field, FieldSet};
use super::formats::{BUILT_IN, Candidate, Formats, Shape};
use super::leaf::{Stuck, whole};
use super::notice;
use super::plan::{Encoded, Escapes, Misfit, Plan, Scratch, Store, Straight, complete};
use super::reject::Reject;
use crate::syslog::Message;
use crate::time::Timestamp;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// Reads messages, one after the other.
///
/// Nothing is allocated for a line: an event borrows from its message, and from buffers
/// here where escapes had to be undone.
#[derive(Clone, Debug)]
pub struct Parser {
    formats: Arc<Formats>,
    ways: Arc<Ways>,
    keeps_pid: bool,
    buffers: Buffers,
    /// The built-in format of the line before, which is tried first. No line is of two of
    /// them, so the order changes nothing but the time it takes.
    last: Exact,
    undone: Vec<u8>,
}

/// Formats by which a line that is of none is tried once more, with cookies that hold blanks.
const LOOSELY_MAX: usize = 8;

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

/// A plan, and its straight way if it has one.
#[derive(Clone, Copy)]
struct Way<'w, 'p> {
    plan: &'p Plan,
    straight: Option<&'w Straight>,
}

impl<'p> Way<'_, 'p> {
    /// By the plan's steps alone.
    fn steps(plan: &'p Plan) -> Self {
        Way {
            plan,
            straight: None,
        }
    }
}

/// The straight way of each format that has one.
#[derive(Debug)]
struct Ways {
    /// By [`Exact`], with the plans at hand: of these is nearly every line.
    exact: [(&'static Plan, Option<Straight>); 3],
    /// In the order of the formats.
    configured: Vec<Option<Straight>>,
}

impl Ways {
    fn new(formats: &Formats, fields: FieldSet) -> Self {
        let exact = [&BUILT_IN.http, &BUILT_IN.https, &BUILT_IN.tcp];
        let configured = formats.configured().iter();
        Ways {
            exact: exact.map(|plan| (plan, Straight::of(plan, fields))),
            configured: configured
                .map(|candidate| Straight::of(&candidate.plan, fields))
                .collect(),
        }
    }

    #[inline(always)]
    fn exact(&self, exact: Exact) -> Way<'_, 'static> {
        let (plan, straight) = &self.exact[exact as usize];
        Way {
            plan,
            straight: straight.as_ref(),
        }
    }

    fn configured<'p>(&self, place: u16, plan: &'p Plan) -> Way<'_, 'p> {
        Way {
            plan,
            straight: self.configured[usize::from(place)].as_ref(),
        }
    }
}

/// Where a line is read, by one plan or several.
struct Desk<'p, 'a> {
    event: &'p mut Event<'a>,
    dates: &'p mut Dates,
    scratch: &'p mut Scratch,
}

/// A line that is read, but for what [`complete`] adds.
struct Read<'a> {
    plan: &'a Plan,
    /// What the event's extra fields are pieces of.
    values: &'a [u8],
    escapes: Escapes,
    /// Its captures are those that its format has names for.
    named: bool,
    /// The line ends in its request.
    cut: bool,
    /// What looks like the request holds a quote.
    doubtful: bool,
    repeats: Repeats,
}

impl Parser {
    /// For lines of these formats, whose dates are local times of `zone`. A time that the
    /// clocks skip is read as if they had not.
    pub fn new(formats: Arc<Formats>, zone: TimeZone) -> Self {
        Parser::keeping(formats, zone, FieldSet::ALL)
    }

    /// The same for whoever looks at these fields of requests and sessions alone: whether the
    /// others are in an event is left open. A line of which any is wrong is rejected all the
    /// same.
    pub fn keeping(formats: Arc<Formats>, zone: TimeZone, fields: FieldSet) -> Self {
        Parser {
            ways: Arc::new(Ways::new(&formats, fields)),
            keeps_pid: fields.contains(Field::Pid),
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
    ///
    /// A date in the hour that the clocks show twice is the one nearer to when the message
    /// was sent: the time of its envelope, if that has an offset, else `received_at`, which
    /// is `None` where nobody knows. Without either it is the first.
    pub fn parse<'a>(
        &'a mut self,
        message: &Message<'a>,
        received_at: Option<Timestamp>,
    ) -> Result<Event<'a>, Reject> {
        let mut event = Event::of_kind(Kind::Http);
        self.parse_into(message, received_at, &mut event)?;
        Ok(event)
    }

    /// The same into `event`, of which nothing is known yet: an event is some hundred words,
    /// and moving it takes as long as reading a quarter of a line.
    #[inline]
    pub fn parse_into<'a>(
        &'a mut self,
        message: &Message<'a>,
        received_at: Option<Timestamp>,
        event: &mut Event<'a>,
    ) -> Result<(), Reject> {
        self.parse_by(message, received_at, event, |_, _| ())
    }

    /// The event, and the name of the format that it was read by: a built-in one's option,
    /// or the place where it is written. HAProxy's own messages have none.
    pub fn explain<'a>(
        &'a mut self,
        message: &Message<'a>,
        received_at: Option<Timestamp>,
    ) -> Result<(Event<'a>, Option<String>), Reject> {
        let mut name = None;
        let mut event = Event::of_kind(Kind::Http);
        self.parse_by(message, received_at, &mut event, |formats, plan| {
            name = Some(formats.name_of(plan).to_owned());
        })?;
        Ok((event, name))
    }

    fn parse_by<'a>(
        &'a mut self,
        message: &Message<'a>,
        received_at: Option<Timestamp>,
        event: &mut Event<'a>,
        by: impl FnOnce(&Formats, &Plan),
    ) -> Result<(), Reject> {
        let Parser {
            formats,
            ways,
            keeps_pid,
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
        // What nearly every line is, without a detour.
        if formats.configured().is_empty()
            && let Way {
                plan,
                straight: Some(straight),
            } = ways.exact(*last)
        {
            let mut store = Store::new(plan, text, event, dates, scratch);
            if straight.read(text, &mut store) {
                let repeats = store.repeats;
                store.finish();
                by(formats, plan);
                settle(event, message, repeats, *keeps_pid, received_at);
                return Ok(());
            }
        }
        let desk = &mut Desk {
            event,
            dates,
            scratch,
        };
        let read = match formats.configured() {
            [] => built_in(text, ways, last, desk),
            _ => configured(formats, ways, (text, message.app), last, desk, encoded),
        };
        let read = match read {
            Ok(read) => read,
            Err(reject) => {
                *event = notice(message, text, formats.tags(), reject)?;
                return Ok(());
            }
        };
        by(formats, read.plan);
        let Read {
            plan,
            values,
            escapes,
            named,
            repeats,
            cut: _,
            doubtful: _,
        } = read;
        complete(event, plan, values, escapes, &mut scratch.spans, undone);
        if named {
            event.name_captures(&plan.captured.request, &plan.captured.response);
        }
        settle(event, message, repeats, *keeps_pid, received_at);
        Ok(())
    }
}

/// Adds what the envelope says, and says which of two times a date means.
#[inline(always)]
fn settle<'a>(
    event: &mut Event<'a>,
    message: &Message<'a>,
    repeats: Repeats,
    keeps_pid: bool,
    received_at: Option<Timestamp>,
) {
    if !repeats.none()
        && let Some(sent_at) = message.exact_time().or(received_at)
    {
        repeats.settle(event, sent_at);
    }
    event.host = message.host;
    event.process = message.app;
    if keeps_pid {
        event.pid = event.pid.or_else(|| message.pid.and_then(whole));
    }
}

/// What is no traffic can still be a message of HAProxy's own.
#[cold]
fn notice<'a>(
    message: &Message<'a>,
    text: &'a [u8],
    tags: &[Box<[u8]>],
    reject: Reject,
) -> Result<Event<'a>, Reject> {
    // A damaged line of traffic is no message, though it may be logged as an error, nor is
    // one that a client has made ambiguous. But HAProxy's own updates are dated like a
    // request without a client.
    let traffic = Shape::of(text).is_some() && !text.starts_with(b"-:- ");
    if traffic || reject == Reject::Ambiguous {
        return Err(reject);
    }
    match notice::parse(message, text, tags) {
        Err(Reject::NotTraffic) => Err(reject),
        read => read,
    }
}

/// Reads a line of one of HAProxy's own formats.
fn built_in<'a>(
    text: &'a [u8],
    ways: &Ways,
    last: &mut Exact,
    desk: &mut Desk<'_, 'a>,
) -> Result<Read<'a>, Reject> {
    // What is cut off in its request could be of more than one: it waits for its turn.
    if let Ok(read) = attempt(ways.exact(*last), text, desk)
        && !read.cut
    {
        return Ok(read);
    }
    let mut exactly = |exact: Exact| match again(ways.exact(exact), text, desk) {
        Ok(read) if !read.cut => {
            *last = exact;
            Some(read)
        }
        _ => None,
    };
    let read = match Shape::of(text).ok_or(Reject::NotTraffic)? {
        Shape::Http => match exactly(Exact::Http).or_else(|| exactly(Exact::Https)) {
            Some(read) => Ok(read),
            None => odd_http(text, desk),
        },
        Shape::Tcp => again(ways.exact(Exact::Tcp), text, desk).inspect(|_| *last = Exact::Tcp),
        Shape::HttpClf => again(Way::steps(&BUILT_IN.http_clf), text, desk),
        Shape::TcpClf => again(Way::steps(&BUILT_IN.tcp_clf), text, desk),
        Shape::Connect => again(Way::steps(&BUILT_IN.connect), text, desk),
        Shape::Error => again(Way::steps(&BUILT_IN.error), text, desk),
    };
    read.map_err(|misfit| reject(misfit, text))
}

/// Reads an HTTP line that is neither of httplog nor of httpslog from end to end.
#[cold]
fn odd_http<'a>(text: &'a [u8], desk: &mut Desk<'_, 'a>) -> Result<Read<'a>, Misfit> {
    let unless_ambiguous = |misfit: Misfit| match misfit {
        Misfit::Ambiguous => Err(misfit),
        Misfit::Stuck(_) => Ok(misfit),
    };
    // Cut off in its request, or with blanks in a cookie. Many add fields to httplog's end and
    // say so nowhere: what is before them holds. But it can also be a cookie that looks like
    // the rest of a line, so that comes last.
    again(Way::steps(&BUILT_IN.http), text, desk)
        .or_else(|misfit| loosely(&BUILT_IN.http, text, unless_ambiguous(misfit)?, desk))
        .or_else(|misfit| loosely(&BUILT_IN.https, text, unless_ambiguous(misfit)?, desk))
        .or_else(|misfit| {
            unless_ambiguous(misfit)?;
            *desk.event = Event::of_kind(Kind::Http);
            by_steps(&BUILT_IN.http, text, true, desk)
        })
}

/// Reads a line of one of the configured formats, or of those that HAProxy has beside any.
///
/// A frontend that the configuration does not have is new, or another HAProxy's: its lines
/// may have any of the formats, and the built-in ones.
fn configured<'a>(
    formats: &'a Formats,
    ways: &Ways,
    (text, tag): (&'a [u8], Option<&[u8]>),
    last: &mut Exact,
    desk: &mut Desk<'_, 'a>,
    encoded: &'a mut Encoded,
) -> Result<Read<'a>, Reject> {
    let mut misfit = Misfit::Stuck(Stuck {
        field: Field::Kind,
        left: text.len(),
    });
    let mut frontend = None;
    // Lines tell their frontend early. Whatever format the first try was made with, if it
    // came that far the next ones are the frontend's own.
    let mut order = formats.order(None, tag);
    let mut tried = 0;
    let mut fresh = true;
    let mut inexact = None;
    while let Some(&place) = order.get(tried) {
        tried += 1;
        let candidate = formats.candidate(place);
        let plan = &candidate.plan;
        if plan.encoding.is_some() {
            if !encoded.read(plan, text) || !formats.takes(candidate, encoded.frontend(plan)) {
                continue;
            }
            if !encoded.is_exact(plan) {
                inexact = inexact.or(Some(candidate));
                continue;
            }
            return encoded_event(candidate, encoded, desk);
        }
        let read = match std::mem::take(&mut fresh) {
            true => attempt(ways.configured(place, plan), text, desk),
            false => again(ways.configured(place, plan), text, desk),
        };
        match read {
            Ok(read) if formats.takes(candidate, desk.event.frontend) => {
                return Ok(read.of(candidate, desk.event));
            }
            Ok(_) => {}
            Err(other) => misfit = further(misfit, other),
        }
        if frontend.is_none() && desk.event.frontend.is_some() {
            frontend = desk.event.frontend;
            order = formats.order(frontend, tag);
            tried = 0;
        }
    }
    if let Some(candidate) = inexact
        && encoded.read(&candidate.plan, text)
    {
        return encoded_event(candidate, encoded, desk);
    }
    // So many for a frontend that is not known: not each line of it is to be tried by all.
    for &place in order.iter().take(LOOSELY_MAX) {
        let candidate = formats.candidate(place);
        let read = loosely(&candidate.plan, text, misfit, desk);
        match read {
            Ok(read) if formats.takes(candidate, desk.event.frontend) => {
                return Ok(read.of(candidate, desk.event));
            }
            Err(Misfit::Ambiguous) if formats.takes(candidate, desk.event.frontend) => {
                return Err(Reject::Ambiguous);
            }
            _ => {}
        }
    }
    let known = formats.is_one() || frontend.is_some_and(|frontend| formats.knows(frontend));
    let read = match Shape::of(text) {
        None if misfit.left() == Some(text.len()) => return Err(Reject::NotTraffic),
        None => return Err(reject(misfit, text)),
        Some(Shape::Http | Shape::Tcp | Shape::HttpClf | Shape::TcpClf) if known => {
            return Err(reject(misfit, text));
        }
        Some(_) => {
            *desk.event = Event::of_kind(Kind::Http);
            built_in(text, ways, last, desk)
        }
    };
    read.map_err(|_| reject(misfit, text))
}

/// The event whose values have been read.
fn encoded_event<'a>(
    candidate: &'a Candidate,
    encoded: &'a Encoded,
    desk: &mut Desk<'_, 'a>,
) -> Result<Read<'a>, Reject> {
    let plan = &candidate.plan;
    *desk.event = Event::of_kind(plan.kind);
    let mut store = Store::new(plan, encoded.values(), desk.event, desk.dates, desk.scratch);
    if let Err(field) = encoded.store(plan, &mut store) {
        return Err(Reject::Malformed { field, offset: 0 });
    }
    let read = Read::new(store, plan, encoded.values());
    Ok(read.of(candidate, desk.event))
}

/// Reads a line by another plan, after one has not read it.
fn again<'a>(
    way: Way<'_, 'a>,
    text: &'a [u8],
    desk: &mut Desk<'_, 'a>,
) -> Result<Read<'a>, Misfit> {
    *desk.event = Event::of_kind(way.plan.kind);
    attempt(way, text, desk)
}

/// Reads a line whose cookies may be what keeps it from being read.
fn loosely<'a>(
    plan: &'a Plan,
    text: &'a [u8],
    misfit: Misfit,
    desk: &mut Desk<'_, 'a>,
) -> Result<Read<'a>, Misfit> {
    *desk.event = Event::of_kind(plan.kind);
    let mut store = Store::new(plan, text, desk.event, desk.dates, desk.scratch);
    plan.read_loosely(text, &mut store, misfit)?;
    Ok(Read::new(store, plan, text))
}

/// Reads a line by one plan, into an event of which nothing is known yet.
#[inline]
fn attempt<'a>(
    Way { plan, straight }: Way<'_, 'a>,
    text: &'a [u8],
    desk: &mut Desk<'_, 'a>,
) -> Result<Read<'a>, Misfit> {
    if let Some(straight) = straight {
        let mut store = Store::new(plan, text, desk.event, desk.dates, desk.scratch);
        if straight.read(text, &mut store) {
            return Ok(Read::new(store, plan, text));
        }
    }
    by_steps(plan, text, false, desk)
}

/// The same by all that the plan knows. With `trailing` the line may go on behind its last
/// field.
#[inline(never)]
fn by_steps<'a>(
    plan: &'a Plan,
    text: &'a [u8],
    trailing: bool,
    desk: &mut Desk<'_, 'a>,
) -> Result<Read<'a>, Misfit> {
    let read = strictly(plan, text, trailing, desk)?;
    match read.doubtful {
        true => beyond_doubt(plan, text, trailing, desk),
        false => Ok(read),
    }
}

/// Reads a line by one plan, believing that each value is what it looks like.
#[inline]
fn strictly<'a>(
    plan: &'a Plan,
    text: &'a [u8],
    trailing: bool,
    desk: &mut Desk<'_, 'a>,
) -> Result<Read<'a>, Misfit> {
    let mut store = Store::new(plan, text, desk.event, desk.dates, desk.scratch);
    plan.read(text, &mut store, trailing)?;
    Ok(Read::new(store, plan, text))
}

/// Reads a line again whose request holds a quote: it can be a cookie that looks like the
/// rest of a line.
#[cold]
fn beyond_doubt<'a>(
    plan: &'a Plan,
    text: &'a [u8],
    trailing: bool,
    desk: &mut Desk<'_, 'a>,
) -> Result<Read<'a>, Misfit> {
    let nothing = Misfit::Stuck(Stuck {
        field: Field::Kind,
        left: text.len(),
    });
    if let Err(Misfit::Ambiguous) = loosely(plan, text, nothing, desk) {
        return Err(Misfit::Ambiguous);
    }
    *desk.event = Event::of_kind(plan.kind);
    strictly(plan, text, trailing, desk)
}

impl<'a> Read<'a> {
    fn new(store: Store<'_, 'a>, plan: &'a Plan, values: &'a [u8]) -> Self {
        let Store {
            cut,
            doubtful,
            repeats,
            ..
        } = store;
        Read {
            plan,
            values,
            escapes: store.finish(),
            named: true,
            cut,
            doubtful,
            repeats,
        }
    }

    /// It has the format of that candidate. Where a format does not tell the frontend and
    /// only one has it, that is it; where another frontend has it than the candidate's, its
    /// captures are not the candidate's either.
    fn of(mut self, candidate: &'a Candidate, event: &mut Event<'a>) -> Self {
        event.frontend = event.frontend.or(candidate.only_frontend());
        self.named = candidate.is_of(event.frontend);
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
mod clock_changes;
#[cfg(test)]
mod tests;
