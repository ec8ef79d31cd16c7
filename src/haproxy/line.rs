//! The lines of `option httplog` and `option tcplog` (sections 8.2.2 and 8.2.3 of
//! HAProxy's configuration manual).
//!
//! ```text
//! http  addr:port [date] fe be/srv TR/Tw/Tc/Tr/Ta status bytes CC CS tsc ac/fc/bc/sc/rc sq/bq {hr} {hs} "request"
//! tcp   addr:port [date] fe be/srv Tw/Tc/Tt bytes ts ac/fc/bc/sc/rc sq/bq
//! ```
//!
//! The number of timers tells them apart. The structure is nom's; the parts come from
//! [`leaf`](super::leaf), which is where the time would go. A line must cost a quarter
//! of a microsecond, so it is read as bytes and nothing is allocated: every text field
//! is a piece of the message, there are no lists, and an error is two numbers.

use super::date::Dates;
use super::event::{Captures, Event, Kind, Separator, Timers};
use super::field::Field;
use super::leaf::{Read, Stuck, byte, digits, int, number, optional, plus_int, stuck, until};
use super::notice;
use super::reject::Reject;
use super::request::{self, RequestLine};
use crate::syslog::Message;
use crate::time::Timestamp;
use jiff::tz::TimeZone;
use memchr::{memchr, memrchr};
use nom::Parser as _;
use nom::sequence::delimited;
use std::sync::Arc;

/// The formats that lines may have.
#[derive(Clone, Debug, Default)]
pub struct Formats;

impl Formats {
    /// HAProxy's built-in formats, told apart by what is on the line.
    pub fn built_in() -> Self {
        Formats
    }
}

/// Reads messages, one after the other.
#[derive(Clone, Debug)]
pub struct Parser {
    formats: Arc<Formats>,
    dates: Dates,
}

impl Parser {
    /// For lines whose dates are local times of `zone`. A time that the clocks repeat is
    /// the first of the two, one that they skip is read as if they had not.
    pub fn new(formats: Arc<Formats>, zone: TimeZone) -> Self {
        Parser {
            formats,
            dates: Dates::new(zone),
        }
    }

    /// The event that the message's text says, with host, process and number from its
    /// envelope. Blanks around the text do not matter.
    pub fn parse<'a>(&'a mut self, message: &Message<'a>) -> Result<Event<'a>, Reject> {
        let text = message.text.trim_ascii();
        if text.is_empty() {
            return Err(Reject::Empty);
        }
        let at = |stuck: Stuck| Reject::Malformed {
            field: stuck.field,
            offset: text.len() - stuck.left,
        };
        let Ok((rest, (client_ip, client_port))) = client(text) else {
            return notice::parse(message, text);
        };
        let (rest, head) = head(rest).map_err(|error| at(stop(error)))?;
        let date = self.dates.read(head.date).ok_or(Reject::Malformed {
            field: Field::AcceptDate,
            offset: head.date.as_ptr().addr() - text.as_ptr().addr(),
        })?;
        let event = Event {
            host: message.host,
            process: message.app,
            pid: message.pid.and_then(whole),
            client_ip: Some(client_ip),
            client_port,
            frontend: head.frontend.strip_suffix(b"~").or(Some(head.frontend)),
            tls: head.frontend.ends_with(b"~"),
            backend: Some(head.backend),
            server: Some(head.server),
            // Which kind it is, the number of timers tells.
            ..Event::of_kind(Kind::Tcp)
        };
        let (_, event) = body(rest, event, date).map_err(|error| at(stop(error)))?;
        Ok(event)
    }
}

fn stop(error: nom::Err<Stuck>) -> Stuck {
    match error {
        nom::Err::Error(stuck) | nom::Err::Failure(stuck) => stuck,
        // Every parser here is a complete one.
        nom::Err::Incomplete(_) => Stuck {
            field: Field::Kind,
            left: 0,
        },
    }
}

/// `192.0.2.7:40112 [`, up to the bracket. All that has it is taken for traffic.
///
/// The port is behind the last colon: IPv6 addresses have no brackets. It is missing
/// where there is none (`-:-`, written for requests that HAProxy makes itself); for a
/// unix socket HAProxy prints a number of its own there, which is not a port.
fn client(input: &[u8]) -> Read<'_, (&[u8], Option<i64>)> {
    let (rest, word) = until(b' ', Field::ClientIp)(input)?;
    let (Some(colon), Some(b'[')) = (memrchr(b':', word), rest.first()) else {
        return stuck(input, Field::ClientIp);
    };
    let (ip, port) = (&word[..colon], &word[colon + 1..]);
    match whole(port) {
        _ if ip.is_empty() => stuck(input, Field::ClientIp),
        Some(port @ 0..=65_535) => Ok((rest, (ip, (ip != b"unix").then_some(port)))),
        None if port == b"-" => Ok((rest, (ip, None))),
        _ => stuck(input, Field::ClientPort),
    }
}

/// The whole of `bytes` as a number.
fn whole(bytes: &[u8]) -> Option<i64> {
    match digits(bytes)? {
        (value, length) if length == bytes.len() => Some(value),
        _ => None,
    }
}

struct Head<'a> {
    date: &'a [u8],
    frontend: &'a [u8],
    backend: &'a [u8],
    server: &'a [u8],
}

/// `[date] frontend backend/server `. Backend and server may be empty or `-`.
fn head(input: &[u8]) -> Read<'_, Head<'_>> {
    (
        delimited(
            byte(b'[', Field::AcceptDate),
            until(b']', Field::AcceptDate),
            blanks(Field::Frontend),
        ),
        until(b' ', Field::Frontend),
        backend_and_server,
    )
        .map(|(date, frontend, (backend, server))| Head {
            date,
            frontend,
            backend,
            server,
        })
        .parse(input)
}

/// HAProxy allows no slash in a name.
fn backend_and_server(input: &[u8]) -> Read<'_, (&[u8], &[u8])> {
    let (rest, word) = until(b' ', Field::Backend)(input)?;
    match memchr(b'/', word) {
        Some(slash) => Ok((rest, (&word[..slash], &word[slash + 1..]))),
        None => stuck(input, Field::Server),
    }
}

/// Three timers make a TCP line, five an HTTP line.
fn body<'a>(input: &'a [u8], event: Event<'a>, date: Timestamp) -> Read<'a, Event<'a>> {
    let (rest, (first, second, (third, plus))) = (
        timer(b'/', Field::TR),
        timer(b'/', Field::Tw),
        last_timer(Field::Tc),
    )
        .parse(input)?;
    match rest {
        [b' ', ..] => {
            let event = Event {
                kind: Kind::Tcp,
                accept_date: Some(date),
                timers: Timers {
                    queue: first,
                    connect: second,
                    total: third,
                    ..Timers::default()
                },
                partial: plus,
                ..event
            };
            tcp(rest, event)
        }
        [b'/', rest @ ..] if !plus => {
            let event = Event {
                kind: Kind::Http,
                request_date: Some(date),
                timers: Timers {
                    request: first,
                    queue: second,
                    connect: third,
                    ..Timers::default()
                },
                ..event
            };
            http(rest, event)
        }
        _ => stuck(rest, Field::Tc),
    }
}

/// ` bytes ts ac/fc/bc/sc/rc sq/bq`, and nothing behind it.
fn tcp<'a>(input: &'a [u8], event: Event<'a>) -> Read<'a, Event<'a>> {
    let (rest, (_, (bytes, plus), state, counters)) = (
        blanks(Field::BytesRead),
        plus_int(b' ', Field::BytesRead),
        termination_state,
        counters,
    )
        .parse(input)?;
    if !rest.is_empty() {
        return stuck(rest, Field::Kind);
    }
    let event = Event {
        partial: event.partial || plus,
        bytes_read: present(bytes),
        termination_state: Some(state),
        ..counters.fill(event)
    };
    Ok((rest, event))
}

/// `Tr/Ta status bytes CC CS tsc ac/fc/bc/sc/rc sq/bq {hr} {hs} "request"`
fn http<'a>(input: &'a [u8], event: Event<'a>) -> Read<'a, Event<'a>> {
    let (rest, (response, (active, active_plus), _, status, (bytes, bytes_plus))) = (
        timer(b'/', Field::Tr),
        last_timer(Field::Ta),
        blanks(Field::Status),
        status,
        plus_int(b' ', Field::BytesRead),
    )
        .parse(input)?;
    let (rest, (request_cookie, response_cookie, state, counters, tail)) = (
        optional(b' ', Field::RequestCookie),
        optional(b' ', Field::ResponseCookie),
        termination_state,
        counters,
        request::tail,
    )
        .parse(rest)?;
    let line = RequestLine::split(tail.request, tail.complete);
    let event = Event {
        timers: Timers {
            response,
            active,
            ..event.timers
        },
        partial: active_plus || bytes_plus,
        status,
        bytes_read: present(bytes),
        request_cookie,
        response_cookie,
        termination_state: Some(state),
        request_headers: tail.request_headers.map(captures),
        response_headers: tail.response_headers.map(captures),
        request: Some(tail.request),
        method: line.method,
        path: line.path,
        query: line.query,
        http_version: line.http_version,
        ..counters.fill(event)
    };
    Ok((rest, event))
}

fn captures(values: &[u8]) -> Captures<'_> {
    Captures {
        values,
        separator: Separator::Pipe,
        names: &[],
    }
}

/// A value below zero means that there is none: HAProxy prints -1.
#[inline(always)]
fn present(value: i64) -> Option<i64> {
    (value >= 0).then_some(value)
}

#[inline(always)]
fn timer<'a>(end: u8, field: Field) -> impl Fn(&'a [u8]) -> Read<'a, Option<i64>> {
    move |input| {
        let (rest, value) = int(end, field)(input)?;
        Ok((rest, present(value)))
    }
}

/// A timer whose delimiter is left, and whether a `+` stands before it.
#[inline(always)]
fn last_timer<'a>(field: Field) -> impl Fn(&'a [u8]) -> Read<'a, (Option<i64>, bool)> {
    move |input| match input {
        [b'+', unsigned @ ..] if unsigned.first() != Some(&b'-') => {
            let (rest, value) = number(field)(unsigned)?;
            Ok((rest, (present(value), true)))
        }
        _ => {
            let (rest, value) = number(field)(input)?;
            Ok((rest, (present(value), false)))
        }
    }
}

/// At least one blank.
#[inline(always)]
fn blanks<'a>(field: Field) -> impl Fn(&'a [u8]) -> Read<'a, ()> {
    move |input| match until(b' ', field)(input) {
        Ok((rest, [])) => Ok((rest, ())),
        _ => stuck(input, field),
    }
}

/// -1, or up to three digits.
fn status(input: &[u8]) -> Read<'_, Option<i64>> {
    match int(b' ', Field::Status)(input)? {
        (rest, value @ 0..=999) => Ok((rest, Some(value))),
        (rest, -1) => Ok((rest, None)),
        _ => stuck(input, Field::Status),
    }
}

fn termination_state(input: &[u8]) -> Read<'_, &[u8]> {
    match until(b' ', Field::TerminationState)(input)? {
        read @ (_, [_, _] | [_, _, _, _]) => Ok(read),
        _ => stuck(input, Field::TerminationState),
    }
}

struct Counters {
    connections: [i64; 4],
    retries: (i64, bool),
    srv_queue: i64,
    backend_queue: i64,
}

/// `ac/fc/bc/sc/rc sq/bq`, which a blank or the end of the line follows.
fn counters(input: &[u8]) -> Read<'_, Counters> {
    let (rest, (ac, fc, bc, sc, retries, srv_queue, backend_queue)) = (
        int(b'/', Field::Actconn),
        int(b'/', Field::Feconn),
        int(b'/', Field::Beconn),
        int(b'/', Field::SrvConn),
        plus_int(b' ', Field::Retries),
        int(b'/', Field::SrvQueue),
        number(Field::BackendQueue),
    )
        .parse(input)?;
    if !matches!(rest.first(), None | Some(b' ')) {
        return stuck(rest, Field::BackendQueue);
    }
    let counters = Counters {
        connections: [ac, fc, bc, sc],
        retries,
        srv_queue,
        backend_queue,
    };
    Ok((rest, counters))
}

impl Counters {
    /// Connection counts have been seen below zero, by races between HAProxy's threads,
    /// and stay as they are.
    #[inline(always)]
    fn fill<'a>(self, event: Event<'a>) -> Event<'a> {
        let [actconn, feconn, beconn, srv_conn] = self.connections.map(Some);
        Event {
            actconn,
            feconn,
            beconn,
            srv_conn,
            retries: present(self.retries.0),
            redispatched: self.retries.1,
            srv_queue: present(self.srv_queue),
            backend_queue: present(self.backend_queue),
            ..event
        }
    }
}

#[cfg(test)]
mod tests;
