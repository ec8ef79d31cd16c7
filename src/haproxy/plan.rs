//! A log format made into a plan: the steps that take a line of that format apart.
//!
//! Each value ends where its format says. What comes behind it is looked for if no value
//! of its kind can hold that byte: a name ends at the first blank, a number where its
//! digits do. Only a value that can hold what ends it has to be searched for, and then it
//! must be the only way to read the line: [`search`] takes the leftmost reading and the
//! rightmost, and where they differ the line is ambiguous. So a custom format may hold
//! free text, and a line is never misread without a word.

mod compile;
mod encoded;
mod parts;
mod read;
mod search;
mod store;
mod straight;
mod undo;

pub(super) use compile::{Captured, compile};
pub(super) use encoded::Encoded;
pub(super) use read::Misfit;
pub(super) use store::{Scratch, Store};
pub(super) use straight::Straight;
pub(super) use undo::{Escapes, complete};

use super::alias::{Class, DateForm, Slot};
use super::event::{ExtraField, Kind};
use super::field::Field;
use super::log_format::Encoding;

/// How to read the lines of one format.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    /// The first one has nothing to search for before it.
    segments: Box<[Segment]>,
    /// The same with cookies that may hold blanks, which are then not told: for lines that
    /// cannot be read otherwise.
    loose: Box<[Segment]>,
    /// In an encoded format: its fields by name.
    keys: Box<[Key]>,
    pub(super) encoding: Option<Encoding>,
    tells_frontend: bool,
    pub(super) extra: Box<[ExtraField]>,
    pub(super) captured: Captured,
}

/// Steps that follow each other without a search.
#[derive(Debug, Default)]
struct Segment {
    /// The value before these steps, which can hold what they begin with.
    search: Option<Search>,
    steps: Box<[Step]>,
}

/// A value that ends where the steps behind it can be read.
#[derive(Debug)]
struct Search {
    value: Value,
    /// What the steps behind it begin with.
    needle: Box<[u8]>,
    /// Or it ends with the line: the steps may read nothing.
    or_end: bool,
    /// The leftmost place is its end, whatever else could be. A cookie in quotes may hold
    /// quotes, and is taken to hold none with a blank behind it; without that no line of
    /// `httplog clf` could be told from others.
    leftmost: bool,
}

/// A field and what its values look like.
#[derive(Clone, Copy, Debug)]
struct Value {
    slot: Slot,
    class: Class,
    form: Form,
}

/// What a flag has made of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    /// Backslashes escape (`+E`, `+json`).
    Escaped,
    /// `+X`: a number or an address in hexadecimal digits.
    Hex,
}

/// A field of an encoded format.
#[derive(Debug)]
struct Key {
    name: Box<str>,
    value: Value,
}

#[derive(Debug)]
enum Step {
    /// `after` is the field before it, which is what cannot be read if this is not there.
    Literal {
        bytes: Box<[u8]>,
        after: Field,
    },
    /// Any number of blanks. None, if the value before was empty and its own blank has
    /// been read already; `last` if nothing but captures may follow, which may be missing.
    Blank {
        last: bool,
        after: Field,
    },
    /// `%ci:%cp` and the like, up to a byte or the line's end. The port is behind the last
    /// colon: IPv6 addresses have no brackets.
    AddressPort {
        address: Slot,
        port: Slot,
        stop: Option<u8>,
        then: Then,
    },
    /// Numbers one behind the other, each with what is behind it.
    Ints(Vec<(Slot, Then)>),
    HexInt(Slot),
    Date {
        slot: Slot,
        form: DateForm,
        then: Then,
    },
    Fixed {
        slot: Slot,
        length: u8,
        then: Then,
    },
    /// All before the next such byte, which no value of this kind holds; it is what it
    /// says, without escapes. It holds no `never` either: where that comes first, this is
    /// another line. It may be `stop`.
    Word {
        slot: Slot,
        stop: u8,
        never: u8,
        then: Then,
    },
    /// The same, with something to undo or to look at first.
    Until {
        value: Value,
        stop: u8,
        never: u8,
        /// Or to the line's end.
        or_end: bool,
        then: Then,
    },
    /// All that is left.
    Rest(Value),
    /// `{a|b}`, or nothing.
    Captures {
        value: Value,
        quoted: bool,
    },
    /// `"a" "b"`: so many, or as many as there are.
    CaptureList {
        value: Value,
        count: Option<usize>,
    },
    /// ` %hr %hs "%r` up to the closing quote, as one: each of the first two can be missing.
    /// `last` if the format ends with it.
    Tail {
        after: Field,
        last: bool,
    },
    /// One value encoded as JSON: `%{+json}[...]`.
    Json(Value),
}

/// What is read behind a value in the same step. Nearly every value has one byte or a
/// blank behind it, and half as many steps take little more than half the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    Byte(u8),
    Blank,
}

impl Plan {
    /// Whether its lines tell their frontend.
    pub(super) fn tells_frontend(&self) -> bool {
        self.tells_frontend
    }
}

impl Class {
    /// Whether a value of this kind can hold the byte.
    const fn holds(self, byte: u8) -> bool {
        match self {
            Class::Int => matches!(byte, b'0'..=b'9' | b'+' | b'-'),
            Class::Address => {
                byte > b' '
                    && !matches!(
                        byte,
                        b'/' | b'"' | b'[' | b']' | b'{' | b'}' | b'(' | b')' | b',' | b'|' | b'='
                    )
            }
            Class::Name => byte > b' ' && !matches!(byte, b'/' | b'"'),
            Class::Token => byte > b' ' && !matches!(byte, b'/' | b'"' | b':' | b','),
            Class::Word | Class::Fixed(_) => byte > b' ',
            Class::Uri | Class::Query => byte > b' ' && byte != b'"',
            Class::Path | Class::PathOnly => byte > b' ' && !matches!(byte, b'"' | b'?'),
            Class::Request => byte != b'"',
            Class::Captures => byte != b'}',
            Class::Date(_) | Class::CaptureList | Class::Text => true,
        }
    }

    fn holds_all(self, bytes: &[u8]) -> bool {
        self == Class::Text || bytes.iter().all(|&byte| self.holds(byte))
    }

    /// What tells best, beside `stop`, that something is no value of this kind.
    fn never(self, stop: u8) -> u8 {
        let tells = |&byte: &u8| byte != stop && !self.holds(byte);
        [b' ', b'/'].into_iter().find(tells).unwrap_or(stop)
    }

    /// A part of a request, of which HAProxy writes some bytes as `#XX` (section 8.6 of the
    /// manual).
    const fn hashed(self) -> bool {
        matches!(
            self,
            Class::Uri | Class::Path | Class::PathOnly | Class::Query
        )
    }

    /// What it begins with, if it is there at all: where there is none, not even a `-` is
    /// printed.
    const fn lead(self) -> Option<u8> {
        match self {
            Class::PathOnly => Some(b'/'),
            Class::Query => Some(b'?'),
            _ => None,
        }
    }
}

#[cfg(test)]
mod roundtrip;
#[cfg(test)]
mod tests;
