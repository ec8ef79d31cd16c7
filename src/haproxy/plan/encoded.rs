//! Lines that are one object: `%{+json}o` and `%{+cbor}o`.
//!
//! HAProxy's JSON is not quite JSON: control characters and bytes that are not UTF-8 stand
//! in its strings as they are. Its CBOR (RFC 8949) is one map of indefinite length, in
//! hexadecimal unless `+bin` is set. Both are read into a buffer of values first, without
//! their escapes, and these then go where a plan's other values go.

use super::{Key, Plan, Store};
use crate::haproxy::alias::{Class, Slot};
use crate::haproxy::field::Field;
use crate::haproxy::log_format::Encoding;
use memchr::memchr2;
use std::io::Write;
use std::ops::Range;

/// Of a list, more than these are not kept.
const LIST_MAX: usize = 256;

/// The values of one line, and whose they are.
#[derive(Clone, Debug, Default)]
pub(in crate::haproxy) struct Encoded {
    values: Vec<u8>,
    found: Vec<(u16, Range<usize>)>,
    /// CBOR that came in hexadecimal.
    bytes: Vec<u8>,
    /// How many of the format's names are among the line's, with a value or with null.
    known: usize,
    /// A name of the line is none of the format's.
    foreign: bool,
}

impl Encoded {
    /// Reads the values of a line; `false` if it is not of the plan's encoding, or has none
    /// of its names: other programs write objects too. Keys that the format does not have
    /// are skipped.
    pub(in crate::haproxy) fn read(&mut self, plan: &Plan, line: &[u8]) -> bool {
        self.values.clear();
        self.found.clear();
        self.known = 0;
        self.foreign = false;
        let read = match plan.encoding {
            Some(Encoding::Json) => self.json(&plan.keys, line).is_some_and(<[u8]>::is_empty),
            Some(Encoding::Cbor { binary: true }) => self.cbor(&plan.keys, line).is_some(),
            Some(Encoding::Cbor { binary: false }) => {
                let mut bytes = std::mem::take(&mut self.bytes);
                let read = unhex(line, &mut bytes) && self.cbor(&plan.keys, &bytes).is_some();
                self.bytes = bytes;
                read
            }
            None => false,
        };
        read && self.known > 0
    }

    /// The line has all of the format's names and no other, as HAProxy writes it. Formats
    /// of an encoding can share names.
    pub(in crate::haproxy) fn is_exact(&self, plan: &Plan) -> bool {
        self.known == plan.keys.len() && !self.foreign
    }

    /// All values, which is what a [`Store`] for them is made with.
    pub(in crate::haproxy) fn values(&self) -> &[u8] {
        &self.values
    }

    /// The frontend, if it is among the values that were read.
    pub(in crate::haproxy) fn frontend(&self, plan: &Plan) -> Option<&[u8]> {
        let (slot, within) = self.found.iter().find_map(|(key, within)| {
            let slot = plan.keys[usize::from(*key)].value.slot;
            matches!(slot, Slot::Frontend | Slot::FrontendTransport).then_some((slot, within))
        })?;
        let name = &self.values[within.clone()];
        match slot {
            Slot::FrontendTransport => Some(name.strip_suffix(b"~").unwrap_or(name)),
            _ => Some(name),
        }
    }

    /// Gives the values that were read to the event.
    ///
    /// # Errors
    ///
    /// The first field that cannot have its value.
    pub(in crate::haproxy) fn store<'a>(
        &'a self,
        plan: &Plan,
        store: &mut Store<'_, 'a>,
    ) -> Result<(), Field> {
        for (key, within) in &self.found {
            let value = plan.keys[usize::from(*key)].value;
            if !store.any(value, &self.values[within.clone()]) {
                return Err(value.slot.field());
            }
        }
        Ok(())
    }

    /// The place of that key among the format's. Lines have them in the format's order.
    fn key(&self, keys: &[Key], name: &[u8]) -> Option<u16> {
        let next = self
            .found
            .last()
            .map_or(0, |(key, _)| usize::from(*key) + 1);
        let is = |key: &Key| key.name.as_bytes() == name;
        let place = match keys.get(next) {
            Some(key) if is(key) => next,
            _ => keys.iter().position(is)?,
        };
        u16::try_from(place).ok()
    }

    fn count(&mut self, key: Option<u16>) {
        self.known += usize::from(key.is_some());
        self.foreign |= key.is_none();
    }

    fn keep(&mut self, key: Option<u16>, start: usize) {
        match key {
            Some(key) => self.found.push((key, start..self.values.len())),
            None => self.values.truncate(start),
        }
    }

    /// `{"name": value, "name": value}`, and what is behind it.
    fn json<'a>(&mut self, keys: &[Key], line: &'a [u8]) -> Option<&'a [u8]> {
        let mut rest = line.strip_prefix(b"{")?.trim_ascii_start();
        if let [b'}', behind @ ..] = rest {
            return Some(behind);
        }
        loop {
            let start = self.values.len();
            let behind = self.json_string(rest.strip_prefix(b"\"")?)?;
            let key = self.key(keys, &self.values[start..]);
            self.count(key);
            self.values.truncate(start);
            let behind = behind.trim_ascii_start().strip_prefix(b":")?;
            let behind = behind.trim_ascii_start();
            let key = key.filter(|_| !behind.starts_with(b"null"));
            rest = self
                .json_value(behind, may_be_list(keys, key))?
                .trim_ascii_start();
            self.keep(key, start);
            match rest {
                [b',', behind @ ..] => rest = behind.trim_ascii_start(),
                [b'}', behind @ ..] => return Some(behind),
                _ => return None,
            }
        }
    }

    /// Appends a value: of a list, its values with NULs between them.
    fn json_value<'a>(&mut self, rest: &'a [u8], may_be_list: bool) -> Option<&'a [u8]> {
        match rest {
            [b'"', inside @ ..] => self.json_string(inside),
            [b'[', inside @ ..] if may_be_list => {
                let mut rest = inside.trim_ascii_start();
                let mut values = 0;
                while !rest.starts_with(b"]") {
                    if values > 0 {
                        rest = rest.strip_prefix(b",")?.trim_ascii_start();
                        self.values.push(0);
                    }
                    values += 1;
                    if values > LIST_MAX {
                        return None;
                    }
                    rest = self.json_value(rest, false)?.trim_ascii_start();
                }
                Some(&rest[1..])
            }
            _ => {
                let word =
                    |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
                let length = rest.iter().take_while(|byte| word(byte)).count();
                let (word, behind) = rest.split_at(length);
                if word.is_empty() {
                    return None;
                }
                if word != b"null" {
                    self.values.extend_from_slice(word);
                }
                Some(behind)
            }
        }
    }

    /// Appends what is before the closing quote; a byte behind a backslash is itself.
    fn json_string<'a>(&mut self, mut rest: &'a [u8]) -> Option<&'a [u8]> {
        loop {
            let at = memchr2(b'"', b'\\', rest)?;
            self.values.extend_from_slice(&rest[..at]);
            if rest[at] == b'"' {
                return Some(&rest[at + 1..]);
            }
            self.values.push(*rest.get(at + 1)?);
            rest = &rest[at + 2..];
        }
    }

    /// One map, and nothing behind it.
    fn cbor(&mut self, keys: &[Key], bytes: &[u8]) -> Option<()> {
        let mut items = Items(bytes);
        let Head::Map(mut left) = items.head()? else {
            return None;
        };
        while items.goes_on(&mut left)? {
            let start = self.values.len();
            self.cbor_value(&mut items, false)?;
            let key = self.key(keys, &self.values[start..]);
            self.count(key);
            self.values.truncate(start);
            let key = key.filter(|_| !items.is_null());
            self.cbor_value(&mut items, may_be_list(keys, key))?;
            self.keep(key, start);
        }
        items.0.is_empty().then_some(())
    }

    /// Appends a value as HAProxy would print it without an encoding.
    fn cbor_value(&mut self, items: &mut Items<'_>, may_be_list: bool) -> Option<()> {
        match items.head()? {
            Head::Int(value) => write!(self.values, "{value}").ok(),
            Head::String(Some(length)) => {
                self.values.extend_from_slice(items.take(length)?);
                Some(())
            }
            Head::String(None) => {
                while items.goes_on(&mut None)? {
                    let Head::String(Some(length)) = items.head()? else {
                        return None;
                    };
                    self.values.extend_from_slice(items.take(length)?);
                }
                Some(())
            }
            Head::List(mut left) if may_be_list => {
                let mut values = 0;
                while items.goes_on(&mut left)? {
                    if values > 0 {
                        self.values.push(0);
                    }
                    values += 1;
                    if values > LIST_MAX {
                        return None;
                    }
                    self.cbor_value(items, false)?;
                }
                Some(())
            }
            Head::Word(word) => {
                self.values.extend_from_slice(word);
                Some(())
            }
            Head::Map(_) | Head::List(_) => None,
        }
    }
}

/// Captured headers alone are lists. What is under a key that the format does not have can
/// be anything.
fn may_be_list(keys: &[Key], key: Option<u16>) -> bool {
    key.is_none_or(|key| keys[usize::from(key)].value.class == Class::CaptureList)
}

/// What an item of CBOR begins with (RFC 8949, section 3). Byte strings and texts are one:
/// HAProxy's texts need not be UTF-8 either. A length of `None` is indefinite.
enum Head {
    Int(i64),
    String(Option<usize>),
    List(Option<usize>),
    Map(Option<usize>),
    /// True, false, or nothing for null.
    Word(&'static [u8]),
}

/// Items one behind the other.
struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Null or undefined comes next.
    fn is_null(&self) -> bool {
        matches!(self.0.first(), Some(0xf6 | 0xf7))
    }

    fn head(&mut self) -> Option<Head> {
        const INDEFINITE: u8 = 31;
        let &[first] = self.take(1)?.first_chunk::<1>()?;
        let (major, info) = (first >> 5, first & 31);
        let argument = match info {
            0..=23 => Some(u64::from(info)),
            24..=27 => {
                let bytes = self.take(1 << (info - 24))?;
                Some(
                    bytes
                        .iter()
                        .fold(0, |value, &byte| value << 8 | u64::from(byte)),
                )
            }
            INDEFINITE if (2..=5).contains(&major) => None,
            _ => return None,
        };
        let length = argument.map(usize::try_from).transpose().ok()?;
        let int = || i64::try_from(argument?).ok();
        Some(match major {
            0 => Head::Int(int()?),
            1 => Head::Int(-1 - int()?),
            2 | 3 => Head::String(length),
            4 => Head::List(length),
            5 => Head::Map(length),
            7 => match argument {
                Some(20) => Head::Word(b"false"),
                Some(21) => Head::Word(b"true"),
                Some(22 | 23) => Head::Word(b""),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Whether there is one more of `left`, or if that is not known, whether no break comes.
    fn goes_on(&mut self, left: &mut Option<usize>) -> Option<bool> {
        const BREAK: u8 = 0xff;
        match left {
            Some(left) => {
                let more = *left > 0;
                *left = left.saturating_sub(1);
                Some(more)
            }
            None if *self.0.first()? == BREAK => {
                self.take(1)?;
                Some(false)
            }
            None => Some(true),
        }
    }
}

fn unhex(line: &[u8], bytes: &mut Vec<u8>) -> bool {
    bytes.clear();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, odd) = line.as_chunks::<2>();
    for &[high, low] in pairs {
        let (Some(high), Some(low)) = (digit(high), digit(low)) else {
            return false;
        };
        bytes.push(high << 4 | low);
    }
    odd.is_empty()
}
