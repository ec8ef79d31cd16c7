//! What rules have and CEL's grammar has not, hidden from its parser.
//!
//! A quantity such as `500ms` is no token of CEL, and its `has` takes only `a.b`. Each is
//! overwritten by underscores, which are an identifier and take as many bytes: every place
//! that the parser tells is then a place in what was written.

use super::quantity::{Quantity, number_length};
use crate::source::Fault;
use std::collections::BTreeMap;
use std::ops::Range;

/// An expression as CEL's parser may see it.
#[derive(Debug, PartialEq)]
pub(super) struct Masked {
    /// As many bytes as the source has.
    pub text: String,
    /// What stands at each place where underscores do now.
    pub hidden: BTreeMap<usize, Hidden>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Hidden {
    Quantity(Quantity),
    /// The word `has` of a call.
    Has,
}

/// Hides what the parser would not take.
///
/// # Errors
///
/// Every number whose unit is unknown, or that is too large with it.
pub(super) fn mask(source: &str) -> Result<Masked, Vec<Fault>> {
    let mut masked = Masked {
        text: source.to_owned(),
        hidden: BTreeMap::new(),
    };
    let mut faults = Vec::new();
    let bytes = source.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = &source[at..];
        at += match byte {
            b'"' | b'\'' => string_length(rest.as_bytes(), false),
            b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            b'0'..=b'9' | b'.' => match number_end(bytes, at) {
                None => 1,
                Some(end) => {
                    let unit = word(&source[end..]);
                    let span = at..end + unit.len();
                    if !unit.is_empty() {
                        match Quantity::read(&source[at..end], unit, span.clone()) {
                            Ok(quantity) => masked.hide(span.clone(), Hidden::Quantity(quantity)),
                            Err(fault) => faults.push(fault),
                        }
                    }
                    span.len()
                }
            },
            _ => match word(rest) {
                "" => rest.chars().next().map_or(1, char::len_utf8),
                prefix if is_string_prefix(prefix, &bytes[at + prefix.len()..]) => {
                    let raw = prefix.contains(['r', 'R']);
                    prefix.len() + string_length(&bytes[at + prefix.len()..], raw)
                }
                word => {
                    let called = source[at + word.len()..].trim_start().starts_with('(');
                    let member = source[..at].trim_end().ends_with('.');
                    if word == "has" && called && !member {
                        masked.hide(at..at + word.len(), Hidden::Has);
                    }
                    word.len()
                }
            },
        };
    }
    match faults.is_empty() {
        true => Ok(masked),
        false => Err(faults),
    }
}

impl Masked {
    fn hide(&mut self, span: Range<usize>, hidden: Hidden) {
        self.text
            .replace_range(span.clone(), &"_".repeat(span.len()));
        self.hidden.insert(span.start, hidden);
    }
}

/// Where the number at that place ends, with what CEL knows that letters may follow: an
/// exponent, the digits of a hexadecimal number, the `u` of an unsigned one. `None` for a
/// point that begins no number.
fn number_end(bytes: &[u8], at: usize) -> Option<usize> {
    // `a.5` takes a part of something.
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b')' | b']');
    if bytes[at] == b'.' && at.checked_sub(1).is_some_and(|before| part(&bytes[before])) {
        return None;
    }
    let length = number_length(&bytes[at..]);
    if length == 0 {
        return None;
    }
    let mut end = at + length;
    let rest = &bytes[end..];
    end += match rest {
        [b'x' | b'X', digits @ ..] if &bytes[at..end] == b"0" => {
            1 + digits
                .iter()
                .take_while(|byte| byte.is_ascii_hexdigit())
                .count()
        }
        [b'e' | b'E', b'+' | b'-', digits @ ..] if starts_with_digit(digits) => {
            2 + number_length(digits)
        }
        [b'e' | b'E', digits @ ..] if starts_with_digit(digits) => 1 + number_length(digits),
        _ => 0,
    };
    if let [b'u' | b'U', after @ ..] = &bytes[end..]
        && !after.first().is_some_and(part)
    {
        end += 1;
    }
    Some(end)
}

fn starts_with_digit(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_digit)
}

/// The letters, digits and underscores at the start.
fn word(text: &str) -> &str {
    let other = |c: char| !c.is_alphanumeric() && c != '_';
    &text[..text.find(other).unwrap_or(text.len())]
}

/// `r"..."` is taken as it is, `b"..."` is bytes.
fn is_string_prefix(word: &str, after: &[u8]) -> bool {
    let prefix = matches!(word.to_ascii_lowercase().as_str(), "r" | "b" | "rb" | "br");
    prefix && matches!(after.first(), Some(b'"' | b'\''))
}

/// How long the string is that begins with a quote. All that is left where it has no end.
pub(super) fn string_length(bytes: &[u8], raw: bool) -> usize {
    let quote = bytes[0];
    let quotes = match bytes {
        [a, b, c, ..] if a == b && b == c => 3,
        _ => 1,
    };
    let mut at = quotes;
    while at < bytes.len() {
        if bytes[at] == b'\\' && !raw {
            at += 2;
        } else if bytes[at..].len() >= quotes
            && bytes[at..at + quotes].iter().all(|byte| *byte == quote)
        {
            return at + quotes;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_and_has_are_hidden_and_nothing_else() {
        for (source, want) in [
            ("Tr > 500ms", "Tr > _____"),
            ("Tr>1.5s||Tr<.5s", "Tr>____||Tr<___"),
            ("bytes_read > 1KiB + 10B", "bytes_read > ____ + ___"),
            ("has(Tr) && has (Tw)", "___(Tr) && ___ (Tw)"),
            (
                "a.has(b) || hash(b) || has == 1",
                "a.has(b) || hash(b) || has == 1",
            ),
            (
                "1 + 2.5 - 1e3 - 1.5e-3 - 2E+5",
                "1 + 2.5 - 1e3 - 1.5e-3 - 2E+5",
            ),
            ("0x1F + 0Xabu + 5u + 5U", "0x1F + 0Xabu + 5u + 5U"),
            ("5us", "___"),
            ("a5s + _5s + a.b5s", "a5s + _5s + a.b5s"),
            ("a[5].b(1s)", "a[5].b(__)"),
            ("'5s has(a)' + \"5s\" + 5s", "'5s has(a)' + \"5s\" + __"),
            (r"'\'5s' + 5s", r"'\'5s' + __"),
            (r"r'\' + 5s", r"r'\' + __"),
            ("'''a'5s''' + 5s", "'''a'5s''' + __"),
            ("'' + 5s", "'' + __"),
            ("5s // 5s\n+ 5s", "__ // 5s\n+ __"),
            ("ä + 5s", "ä + __"),
            ("5s 'open 5s", "__ 'open 5s"),
            (r"'\", r"'\"),
            ("1. .5 ..", "1. .5 .."),
        ] {
            let masked = mask(source).unwrap_or_else(|faults| panic!("{source}: {faults:?}"));
            assert_eq!(masked.text, want, "{source}");
        }
    }

    #[test]
    fn what_is_hidden_is_known_by_its_place() {
        let masked = mask("has(Tr) && Tr > 2m").unwrap();
        let quantity = Quantity::read("2", "m", 0..0).unwrap();
        let want = [(0, Hidden::Has), (16, Hidden::Quantity(quantity))];
        assert_eq!(masked.hidden, BTreeMap::from(want));
    }

    #[test]
    fn every_unknown_unit_is_told() {
        let faults = mask("Tr > 5sec && Tw > 5 && Tc > 1msec && a == 5é").unwrap_err();
        let spans: Vec<_> = faults.into_iter().map(|fault| fault.span).collect();
        assert_eq!(spans, [5..9, 28..33, 42..45]);
    }
}
