//! A path without its ids: what routes are where no templates are listed.
//!
//! Words are told from ids by their letters and digits alone, so this errs at times. It
//! errs towards folding: a word taken for an id costs a name, an id taken for a word costs
//! a series each time. Titles (`how-to-fold`) cannot be told from words and stay.

use super::{relative, split};

/// What stands for an id.
const ID: &[u8] = b":id";

/// What stands for the rest of a path, and for what is none.
const REST: &[u8] = b"*";

/// So many segments of a path are kept.
pub(super) const MAX_SEGMENTS: usize = 16;

/// A longer segment is taken for an id, whatever it holds: a signed token, a whole URL.
pub(super) const MAX_BYTES: usize = 64;

/// So many letters and digits in a row, with digits among them, are no word.
const TOKEN_BYTES: usize = 16;

/// So many hexadecimal digits in a row, with decimal ones among them, are no word.
const HEX_BYTES: usize = 8;

/// With fewer digits, a number behind a word is a part of its name: `utf-8`, `top-10`.
const NUMBERED_DIGITS: usize = 3;

/// Longer extensions of files are none.
const EXTENSION_BYTES: usize = 5;

/// Writes the path with every id in it as `:id` into `out`, in place of what is there.
///
/// A segment is an id if it is digits, digits with separators such as a date, a UUID with
/// or without dashes, 8 or more hexadecimal digits, a ULID, 16 or more letters and digits
/// with digits before letters, an e-mail address, or longer than 64 bytes. A file's
/// extension stays: `42.json` is `:id.json`. So does a word before an id if that has at
/// least three digits: `report-123.pdf` is `report-:id.pdf`, and `chapter-1` itself.
///
/// Of more than 16 segments the rest is `*`. So is what is no path. Slashes at the end are
/// left out, and of an absolute URI only the path is taken. Percent-encoding stays.
pub(crate) fn fold(path: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut left = match relative(path) {
        None => return out.extend_from_slice(REST),
        Some(None) => return out.push(b'/'),
        Some(left) => left,
    };
    for _ in 0..MAX_SEGMENTS {
        let Some(segments) = left else { return };
        let (segment, behind) = split(segments);
        out.push(b'/');
        fold_segment(segment, out);
        left = behind;
    }
    if left.is_some() {
        out.push(b'/');
        out.extend_from_slice(REST);
    }
}

fn fold_segment(segment: &[u8], out: &mut Vec<u8>) {
    if is_id(segment) {
        return out.extend_from_slice(ID);
    }
    let (stem, extension) = file(segment);
    let kept = match is_id(stem) {
        true => Some(0),
        false => numbered(stem),
    };
    match kept {
        Some(kept) => {
            out.extend_from_slice(&stem[..kept]);
            out.extend_from_slice(ID);
            out.extend_from_slice(extension);
        }
        None => out.extend_from_slice(segment),
    }
}

fn is_id(text: &[u8]) -> bool {
    text.len() > MAX_BYTES
        || is_address(text)
        || text.iter().any(u8::is_ascii_digit)
            && (is_number(text) || is_hex(text) || is_ulid(text) || is_token(text) || is_time(text))
        || is_uuid(text)
}

/// Digits, and what stands between them in dates, versions, addresses and coordinates.
fn is_number(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_digit)
        && text
            .iter()
            .all(|byte| byte.is_ascii_digit() || b"-_.,:;+~".contains(byte))
}

/// Such as `2026-11-21T10:00:00Z`.
fn is_time(text: &[u8]) -> bool {
    let text = text.strip_suffix(b"Z").unwrap_or(text);
    match memchr::memchr(b'T', text) {
        Some(at) => is_number(&text[..at]) && is_number(&text[at + 1..]),
        None => false,
    }
}

/// With at least one decimal digit, which the caller has seen: `deadbeef` is a word.
fn is_hex(text: &[u8]) -> bool {
    text.len() >= HEX_BYTES && text.iter().all(u8::is_ascii_hexdigit)
}

/// With dashes; RFC 9562, section 4. Without them it is [hexadecimal](is_hex).
fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// 26 digits of Crockford's base 32, of which 128 bits leave the first below 8.
fn is_ulid(text: &[u8]) -> bool {
    text.len() == 26
        && matches!(text[0], b'0'..=b'7')
        && text.iter().all(|byte| {
            byte.is_ascii_alphanumeric() && !b"ILOU".contains(&byte.to_ascii_uppercase())
        })
}

/// Letters and digits, with a digit somewhere before a letter: a year or a version
/// behind a word makes no id of it.
fn is_token(text: &[u8]) -> bool {
    let is_letter = u8::is_ascii_alphabetic;
    text.len() >= TOKEN_BYTES
        && text.iter().all(u8::is_ascii_alphanumeric)
        && text
            .array_windows()
            .any(|[one, next]| one.is_ascii_digit() && is_letter(next))
}

/// An e-mail address, its `@` as it is or encoded.
fn is_address(text: &[u8]) -> bool {
    let Some(at) = text.iter().position(|byte| b"@%".contains(byte)) else {
        return false;
    };
    let (local, behind) = text.split_at(at);
    let Some(domain) = behind
        .strip_prefix(b"@")
        .or_else(|| behind.strip_prefix(b"%40"))
    else {
        return false;
    };
    let Some(dot) = memchr::memrchr(b'.', domain) else {
        return false;
    };
    let (name, top) = (&domain[..dot], &domain[dot + 1..]);
    let part = |byte: &u8, others: &[u8]| byte.is_ascii_alphanumeric() || others.contains(byte);
    !local.is_empty()
        && local.iter().all(|byte| part(byte, b"._+-"))
        && !name.is_empty()
        && name.iter().all(|byte| part(byte, b".-"))
        && top.len() >= 2
        && top.iter().all(u8::is_ascii_alphabetic)
}

/// A file's name and its extension with the dot, which is empty where there is none.
fn file(segment: &[u8]) -> (&[u8], &[u8]) {
    let Some(dot) = memchr::memrchr(b'.', segment) else {
        return (segment, &[]);
    };
    let (stem, extension) = segment.split_at(dot);
    let is_extension = match extension {
        [_, first, others @ ..] => {
            others.len() < EXTENSION_BYTES
                && first.is_ascii_alphabetic()
                && others.iter().all(u8::is_ascii_alphanumeric)
        }
        _ => false,
    };
    match is_extension {
        true => (stem, extension),
        false => (segment, &[]),
    }
}

/// How much stands before an id that a word and a separator precede.
fn numbered(stem: &[u8]) -> Option<usize> {
    let digits = |text: &[u8]| text.iter().filter(|byte| byte.is_ascii_digit()).count();
    // The longest id is the one that begins first: `report-2026-11-21`.
    let starts = stem.iter().enumerate().skip(1).filter_map(|(at, byte)| {
        let is_separator = b"-_.".contains(byte);
        is_separator.then_some(at + 1)
    });
    starts
        .take_while(|&start| digits(&stem[start..]) >= NUMBERED_DIGITS)
        .find(|&start| is_id(&stem[start..]))
}
