//! Values as they were before HAProxy escaped them.
//!
//! While a line is read it is only noted what is escaped ([`Escapes`]); few lines have
//! anything to be undone, and no others pay for it.

use super::{Form, Plan};
use crate::haproxy::alias::Slot;
use crate::haproxy::event::{Captures, Event, Extra, ExtraSpan, ExtraType, Separator, SpanPlace};
use memchr::{memchr, memchr2};
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// What has to be undone in a line's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::haproxy) struct Escapes {
    /// Anything at all.
    pub(super) any: bool,
    /// `#XX` in fields that HAProxy writes so.
    hashes: bool,
    /// Backslashes in fields of the event's own, one bit for each ([`bits`]).
    pub(super) backslashes: u16,
    /// The client's address is in hexadecimal.
    pub(super) hex_client: bool,
}

impl Escapes {
    #[inline]
    pub(super) fn found_hash(&mut self, found: bool) {
        self.any |= found;
        self.hashes |= found;
    }

    /// Says of these fields whether backslashes escape in them.
    #[inline]
    pub(super) fn set_backslashes(&mut self, bits: u16, form: Form) {
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
#[inline]
pub(super) const fn bits(slot: Slot) -> u16 {
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

/// Gives the event its extra fields. With `escapes` these and the request's parts come out
/// as they were before HAProxy escaped them; `undone` is where they then are.
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
