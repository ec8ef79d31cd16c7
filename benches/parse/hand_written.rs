//! What a parser of `option httplog` costs that is written by hand and knows nothing else:
//! the figure that the compiled plan is measured against.
//!
//! It reads what the plan reads, into the same event, and checks as much: signs, blanks,
//! ranges, captures that may be missing, the request's parts, HAProxy's `#XX`.

use memchr::{memchr, memrchr};
use weir::haproxy::{Captures, Event, Kind, Separator};
use weir::time::Timestamp;

/// The ten minutes of the date before, and when they began.
#[derive(Default)]
pub struct Dates {
    prefix: [u8; 16],
    start: i64,
}

pub fn parse<'a>(line: &'a [u8], dates: &mut Dates) -> Option<Event<'a>> {
    let mut event = Event::of_kind(Kind::Http);
    let (client, rest) = until(line, b' ')?;
    let colon = memrchr(b':', client)?;
    event.client_ip = Some(&client[..colon]);
    let (port, []) = number(&client[colon + 1..])? else {
        return None;
    };
    event.client_port = Some(port).filter(|port| (0..=65_535).contains(port));
    let rest = rest.strip_prefix(b"[")?;
    let (date, rest) = rest.split_at_checked(24)?;
    event.request_date = Some(dates.read(date)?);
    let (frontend, rest) = until(rest.strip_prefix(b"] ")?, b' ')?;
    event.tls = frontend.ends_with(b"~");
    event.frontend = frontend.strip_suffix(b"~").or(Some(frontend));
    let (backend, rest) = until(rest, b'/')?;
    event.backend = Some(backend);
    let (server, rest) = until(rest, b' ')?;
    event.server = Some(server);
    let (value, rest) = int(rest, b'/')?;
    event.timers.request = present(value);
    let (value, rest) = int(rest, b'/')?;
    event.timers.queue = present(value);
    let (value, rest) = int(rest, b'/')?;
    event.timers.connect = present(value);
    let (value, rest) = int(rest, b'/')?;
    event.timers.response = present(value);
    let (value, plus, rest) = plus_int(rest, b' ')?;
    event.timers.active = present(value);
    event.partial = plus;
    let (value, rest) = int(rest, b' ')?;
    if !(-1..=999).contains(&value) {
        return None;
    }
    event.status = present(value);
    let (value, plus, rest) = plus_int(rest, b' ')?;
    event.bytes_read = present(value);
    event.partial |= plus;
    let (cookie, rest) = until(rest, b' ')?;
    event.request_cookie = Some(cookie).filter(|cookie| *cookie != b"-");
    let (cookie, rest) = until(rest, b' ')?;
    event.response_cookie = Some(cookie).filter(|cookie| *cookie != b"-");
    let (state, rest) = until(rest, b' ')?;
    event.termination_state = Some(state).filter(|state| matches!(state.len(), 2 | 4));
    let (value, rest) = int(rest, b'/')?;
    event.actconn = Some(value);
    let (value, rest) = int(rest, b'/')?;
    event.feconn = Some(value);
    let (value, rest) = int(rest, b'/')?;
    event.beconn = Some(value);
    let (value, rest) = int(rest, b'/')?;
    event.srv_conn = Some(value);
    let (value, plus, rest) = plus_int(rest, b' ')?;
    event.retries = present(value);
    event.redispatched = plus;
    let (value, rest) = int(rest, b'/')?;
    event.srv_queue = present(value);
    let (value, rest) = int(rest, b' ')?;
    event.backend_queue = present(value);
    let rest = captures(rest, &mut event.request_headers)?;
    let rest = captures(rest, &mut event.response_headers)?;
    let request = rest.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr(b'#', request).is_some() {
        // The plan undoes these; no line of the benchmark has one.
        return None;
    }
    event.request = Some(request);
    let (method, target) = until(request, b' ')?;
    let blank = memrchr(b' ', target)?;
    let (target, version) = (&target[..blank], &target[blank + 1..]);
    event.method = Some(method);
    event.http_version = version.starts_with(b"HTTP/").then_some(version);
    let mark = memchr(b'?', target);
    event.path = Some(&target[..mark.unwrap_or(target.len())]);
    event.query = mark.map(|mark| &target[mark + 1..]);
    Some(event)
}

fn until(input: &[u8], end: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr(end, input)?;
    let mut rest = &input[at + 1..];
    while end == b' ' && rest.first() == Some(&b' ') {
        rest = &rest[1..];
    }
    Some((&input[..at], rest))
}

fn present(value: i64) -> Option<i64> {
    (value >= 0).then_some(value)
}

#[inline(always)]
fn number(input: &[u8]) -> Option<(i64, &[u8])> {
    let (minus, digits) = match input {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut value = 0;
    let mut length = 0;
    while let Some(digit) = digits.get(length).map(|byte| byte.wrapping_sub(b'0'))
        && digit <= 9
    {
        value = value * 10 + i64::from(digit);
        length += 1;
    }
    let rest = &digits[length..];
    (1..=18)
        .contains(&length)
        .then_some((if minus { -value } else { value }, rest))
}

#[inline(always)]
fn int(input: &[u8], end: u8) -> Option<(i64, &[u8])> {
    let (value, rest) = number(input)?;
    let mut rest = rest.strip_prefix(&[end])?;
    while end == b' ' && rest.first() == Some(&b' ') {
        rest = &rest[1..];
    }
    Some((value, rest))
}

#[inline(always)]
fn plus_int(input: &[u8], end: u8) -> Option<(i64, bool, &[u8])> {
    let (plus, input) = match input {
        [b'+', input @ ..] => (true, input),
        input => (false, input),
    };
    let (value, rest) = int(input, end)?;
    Some((value, plus, rest))
}

fn captures<'a>(input: &'a [u8], to: &mut Option<Captures<'a>>) -> Option<&'a [u8]> {
    let Some(inside) = input.strip_prefix(b"{") else {
        return Some(input);
    };
    let end = memchr(b'}', inside)?;
    let values = &inside[..end];
    if memchr(b'#', values).is_some() {
        return None;
    }
    *to = Some(Captures {
        values,
        separator: Separator::Pipe,
        names: &[],
    });
    inside[end + 1..].strip_prefix(b" ")
}

impl Dates {
    fn read(&mut self, date: &[u8]) -> Option<Timestamp> {
        let (prefix, &[m, b':', s1, s2, b'.', f1, f2, f3]) = date.split_first_chunk::<16>()? else {
            return None;
        };
        let [m, s1, s2, f1, f2, f3] = [m, s1, s2, f1, f2, f3].map(|digit| i64::from(digit - b'0'));
        if *prefix != self.prefix {
            let text = std::str::from_utf8(prefix).ok()?;
            let text = format!("{text}0:00 +0000");
            let start = jiff::fmt::strtime::parse("%d/%b/%Y:%H:%M:%S %z", text).ok()?;
            self.start = start.to_timestamp().ok()?.as_millisecond();
            self.prefix = *prefix;
        }
        let within = (m * 60 + s1 * 10 + s2) * 1000 + f1 * 100 + f2 * 10 + f3;
        Some(Timestamp::from_millis(self.start + within))
    }
}
