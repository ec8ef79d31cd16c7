//! Any format and any event: the line that HAProxy would write gives the event back.
//!
//! The lines are made by a model of HAProxy's log line builder that shares nothing with
//! the plans: it knows the manual (sections 8.2.6 and 8.6) and what HAProxy is seen to
//! print. Formats are of chance, and so are the values: quotes, braces, blanks, control
//! characters, bytes that are no UTF-8, whatever a client can send.
//!
//! A format is refused when it is loaded; or each of its lines is either read as the event
//! that it was made of, or rejected as ambiguous. Ambiguous it may be only where a value
//! does hold what separates it from the next.
//!
//! What HAProxy itself does not tell apart is the same here, too:
//!
//! - Nothing and a `-` are printed alike (`Text` without a value).
//! - Without quotes, blanks at the ends of a value are one with the separators there.
//! - A cookie, a unique id or a name is taken to hold no blank unless it is quoted, and a
//!   cookie in quotes no quote with a blank behind it. A request's parts never hold a blank,
//!   since HAProxy refuses a target with one.
//! - Where it is not known what is captured, a single block is the first of the format's.
//! - An encoding leaves out the `+` before numbers.

mod actual;
mod chance;
mod expected;
mod haproxy;

use super::Captured;
use actual::{Outcome, read};
use chance::{any_case, blank_separated, encoded_case};
use haproxy::render;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

/// Fields by name; a list's values have `;` between them.
type Fields = BTreeMap<String, String>;

#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    quote: bool,
    hex: bool,
    escape: bool,
    json: bool,
    cbor: bool,
    binary: bool,
}

impl Flags {
    fn encodes(self) -> bool {
        self.json || self.cbor
    }
}

/// `+Q` and so on, or nothing, for each of `Q`, `X`, `E` and `json`.
type Changes = [Option<bool>; 4];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cast {
    Str,
    Int,
    Bool,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(&'static str),
    Blank,
    /// `%{...}o`
    Defaults(Changes),
    Field(Item),
}

#[derive(Clone, Debug)]
struct Item {
    source: Source,
    named: bool,
    cast: Option<Cast>,
    flags: Changes,
    value: Raw,
}

impl Item {
    /// The value without what would be lost under these flags, as said above.
    fn value_of(&self, flags: Flags) -> Raw {
        let closed = flags.quote || flags.encodes();
        match (&self.value, self.source) {
            (Raw::Text(text), Source::Alias("CC" | "CS" | "ID")) if !closed => {
                Raw::Text(text.iter().filter(|&&byte| byte > b' ').copied().collect())
            }
            // In quotes it has none with a blank or the line's end behind it.
            (Raw::Text(text), Source::Alias("CC" | "CS")) if !flags.encodes() => {
                Raw::Text(text.iter().filter(|&&byte| byte != b'"').copied().collect())
            }
            (Raw::Text(text), Source::Sample("path" | "url" | "query")) => {
                Raw::Text(text.iter().filter(|&&byte| byte > b' ').copied().collect())
            }
            (Raw::Text(text), _) if !closed => Raw::Text(text.trim_ascii().to_vec()),
            // HAProxy ends the line there.
            (Raw::Address(None), Source::Alias(_)) if flags.hex => Raw::Missing,
            (value, _) => value.clone(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Alias(&'static str),
    Sample(&'static str),
}

/// What HAProxy has to print.
#[derive(Clone, Debug)]
enum Raw {
    /// With a `+` before it or not.
    Int(i64, bool),
    /// `+X` prints it in at least so many digits, `%ms` in three decimal ones.
    HexInt(i64, usize),
    Bool(bool),
    /// `None` is a unix socket.
    Address(Option<IpAddr>),
    Text(Vec<u8>),
    Missing,
    /// Milliseconds since 1970; printed with them, or with an offset.
    Date(i64, bool),
    State(String),
    Transport(String, bool),
    /// A part of the case's request.
    Request(&'static str),
    /// The case's captures, of the request or not, as a list or not.
    Captures {
        request: bool,
        list: bool,
    },
}

type Values = Option<Vec<Option<Vec<u8>>>>;

#[derive(Clone, Debug)]
struct Case {
    pieces: Vec<Piece>,
    encoding: Flags,
    request: Option<Vec<u8>>,
    request_headers: Values,
    response_headers: Values,
    /// The captures' number is known.
    known: bool,
    /// Before HAProxy 2.9 an empty `%HQ` had a blank of its own.
    old: bool,
}

impl Case {
    fn captured(&self) -> Captured {
        let names = |values: &Values| {
            let count = values.as_ref().map_or(0, Vec::len);
            (0..count).map(|at| format!("h{at}").into()).collect()
        };
        match self.known {
            true => Captured {
                request: names(&self.request_headers),
                response: names(&self.response_headers),
                known: true,
            },
            false => Captured::default(),
        }
    }
}

/// A format, its line, and what the line says.
#[derive(Debug, Default)]
struct Rendered {
    format: String,
    line: Vec<u8>,
    fields: Fields,
    /// Where the values of fields are.
    values: Vec<Range<usize>>,
}

/// Whether a value holds what stands behind some value.
fn is_contested(rendered: &Rendered) -> bool {
    let line = &rendered.line;
    let ends = rendered.values.iter().map(|value| value.end);
    let mut stops = ends
        .flat_map(|end| [line.get(end), end.checked_sub(1).map(|last| &line[last])])
        .flatten();
    // A literal that begins as a query or a path does is taken for one that is missing.
    let missing = rendered.values.iter().any(|value| value.is_empty());
    let leads = line.iter().any(|byte| matches!(byte, b'?' | b'/'));
    (missing && leads)
        || stops.any(|stop| {
            let mut values = rendered.values.iter().map(|value| &line[value.clone()]);
            let holds = |value: &[u8]| value.iter().filter(|byte| *byte == stop).count() > 0;
            values.any(holds)
        })
}

fn check(case: &Case) -> Result<(Rendered, Outcome), TestCaseError> {
    let rendered = render(case);
    let line = rendered.line.trim_ascii();
    let outcome = read(&rendered.format, case.captured(), line);
    let context = || format!("{}\n{}\n", rendered.format, line.escape_ascii());
    match &outcome {
        _ if line.is_empty() => {}
        Outcome::Refused(_) => {}
        Outcome::Read(fields) => prop_assert_eq!(fields, &rendered.fields, "{}", context()),
        Outcome::Ambiguous => prop_assert!(is_contested(&rendered), "{}", context()),
        // Where one value ends is not thought over once the next one cannot be read.
        Outcome::Stuck(place) => prop_assert!(is_contested(&rendered), "{}: {}", place, context()),
    }
    Ok((rendered, outcome))
}

proptest! {
    #[test]
    fn no_line_of_any_format_is_misread(case in any_case()) {
        check(&case)?;
    }

    #[test]
    fn what_is_separated_is_read(case in blank_separated()) {
        let (rendered, outcome) = check(&case)?;
        if !rendered.line.trim_ascii().is_empty() {
            prop_assert!(matches!(outcome, Outcome::Read(_)), "{:?}: {}", outcome, rendered.format);
        }
    }

    #[test]
    fn what_is_encoded_is_read(case in encoded_case()) {
        let (rendered, outcome) = check(&case)?;
        let named = case.pieces.iter().any(|piece| matches!(piece, Piece::Field(item) if item.named));
        prop_assert!(!named || matches!(outcome, Outcome::Read(_)), "{:?}: {}", outcome, rendered.format);
    }
}
