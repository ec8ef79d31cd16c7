//! The smallest parts of a line, as nom parsers: words up to a delimiter, and numbers.
//!
//! Each takes its delimiter too, and names the field that it is for, so that an error
//! can say what was expected. Where the delimiter is a blank, any number of blanks will
//! do. nom's own parsers for these cost several times as much: they go byte by byte,
//! and through `str`.

use super::field::Field;
use memchr::memchr;
use nom::IResult;
use nom::error::{ErrorKind, ParseError};

/// What a parser returns here.
pub(super) type Read<'a, T> = IResult<&'a [u8], T, Stuck>;

/// Where reading stopped. Small and plain, since it is made for each line that is not
/// one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stuck {
    pub(super) field: Field,
    /// How many bytes were left, the unreadable ones included.
    pub(super) left: usize,
}

impl ParseError<&[u8]> for Stuck {
    /// nom's combinators ask for this; the parsers here fail by [`stuck`].
    fn from_error_kind(input: &[u8], _: ErrorKind) -> Self {
        Stuck {
            field: Field::Kind,
            left: input.len(),
        }
    }

    fn append(_: &[u8], _: ErrorKind, first: Self) -> Self {
        first
    }
}

/// `field` was expected at the start of `input`.
#[cold]
pub(super) fn stuck<T>(input: &[u8], field: Field) -> Read<'_, T> {
    Err(nom::Err::Error(Stuck {
        field,
        left: input.len(),
    }))
}

/// The bytes before `end`, which may be none.
#[inline(always)]
pub(super) fn until<'a>(end: u8, field: Field) -> impl Fn(&'a [u8]) -> Read<'a, &'a [u8]> {
    move |input| match memchr(end, input) {
        Some(at) => Ok((after(input, at, end), &input[..at])),
        None => stuck(input, field),
    }
}

/// Like [`until`], but `None` for the `-` that stands for no value.
#[inline(always)]
pub(super) fn optional<'a>(
    end: u8,
    field: Field,
) -> impl Fn(&'a [u8]) -> Read<'a, Option<&'a [u8]>> {
    move |input| {
        let (rest, word) = until(end, field)(input)?;
        Ok((rest, (word != b"-").then_some(word)))
    }
}

/// This byte.
#[inline(always)]
pub(super) fn byte<'a>(byte: u8, field: Field) -> impl Fn(&'a [u8]) -> Read<'a, ()> {
    move |input| match input.first() {
        Some(&first) if first == byte => Ok((&input[1..], ())),
        _ => stuck(input, field),
    }
}

/// A number, with a `-` before it or not, and `end`.
#[inline(always)]
pub(super) fn int<'a>(end: u8, field: Field) -> impl Fn(&'a [u8]) -> Read<'a, i64> {
    move |input| {
        let (rest, value) = number(field)(input)?;
        match rest.first() {
            Some(&byte) if byte == end => Ok((after(rest, 0, end), value)),
            _ => stuck(input, field),
        }
    }
}

/// Like [`int`], and whether a `+` stands before it.
#[inline(always)]
pub(super) fn plus_int<'a>(end: u8, field: Field) -> impl Fn(&'a [u8]) -> Read<'a, (i64, bool)> {
    move |input| {
        let (unsigned, plus) = match input {
            [b'+', rest @ ..] => (rest, true),
            _ => (input, false),
        };
        let (rest, value) = int(end, field)(unsigned)?;
        if plus && value < 0 {
            return stuck(input, field);
        }
        Ok((rest, (value, plus)))
    }
}

/// A number, with a `-` before it or not. At most 18 digits: more is no number that
/// HAProxy prints, and less than what fits.
#[inline(always)]
pub(super) fn number<'a>(field: Field) -> impl Fn(&'a [u8]) -> Read<'a, i64> {
    move |input| {
        let (unsigned, minus) = match input {
            [b'-', rest @ ..] => (rest, true),
            _ => (input, false),
        };
        match digits(unsigned) {
            Some((value, length)) => {
                let value = if minus { -value } else { value };
                Ok((&unsigned[length..], value))
            }
            None => stuck(input, field),
        }
    }
}

/// The number that `bytes` begins with and how many digits it has; `None` if that is
/// none or more than 18.
///
/// Eight bytes at a time: first how many of them are digits, then the value of these by
/// adding up neighbours, pairs, fours. Numbers in a line have one to five digits, and
/// how many is what a branch predictor cannot learn; here there is no branch on it.
#[inline]
pub(super) fn digits(bytes: &[u8]) -> Option<(i64, usize)> {
    if let Some(chunk) = bytes.first_chunk::<8>() {
        let values = u64::from_le_bytes(*chunk) ^ 0x3030_3030_3030_3030;
        // The high bit of each byte that is over 9. A carry can spoil the bytes after
        // the first such byte, but only that one is of interest.
        let over = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
        let length = over.trailing_zeros() as usize / 8;
        if length < 8 {
            if length == 0 {
                return None;
            }
            // The first digit is the lowest byte: zeros go in before it.
            let values = values << (64 - 8 * length);
            let pairs = (values.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
            let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
            let value = fours.wrapping_mul(10_000 << 32 | 1) >> 32;
            return Some((value as i64, length));
        }
    }
    let length = bytes
        .iter()
        .take(19)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let value = bytes[..length].iter().fold(0, |value: i64, &digit| {
        value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'))
    });
    (1..=18).contains(&length).then_some((value, length))
}

/// What follows the delimiter at `at`; a blank stands for all blanks there.
#[inline(always)]
fn after(input: &[u8], at: usize, end: u8) -> &[u8] {
    let mut rest = &input[at + 1..];
    if end == b' ' {
        while let [b' ', behind @ ..] = rest {
            rest = behind;
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("7 x", Ok((7, false))),
            ("-1 x", Ok((-1, false))),
            ("+0 x", Ok((0, true))),
            ("12345678   x", Ok((12_345_678, false))),
            ("+999999999999999999 x", Ok((999_999_999_999_999_999, true))),
            ("1000000000000000000 x", Err(21)),
            ("99999999999999999999999 x", Err(25)),
            ("+-1 x", Err(5)),
            ("--1 x", Err(5)),
            ("++1 x", Err(4)),
            ("- x", Err(3)),
            (" 1 x", Err(4)),
            ("1", Err(1)),
            ("1x ", Err(3)),
            ("", Err(0)),
        ] {
            let read = plus_int(b' ', Field::BytesRead)(text.as_bytes());
            match (read, expected) {
                (Ok((rest, value)), Ok(expected)) => {
                    assert_eq!((rest, value), (&b"x"[..], expected), "{text}");
                }
                (Err(nom::Err::Error(at)), Err(left)) => {
                    assert_eq!(at.field, Field::BytesRead);
                    // A sign that is taken off is not given back.
                    assert!(at.left == left || at.left + 1 == left, "{text}: {at:?}");
                }
                (read, expected) => panic!("{text}: {read:?}, expected {expected:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn eight_digits_at_once_read_as_one_by_one(text in "[0-9]{0,19}[^0-9]?.{0,8}") {
            let digits_only: String = text.chars().take_while(char::is_ascii_digit).collect();
            let expected = match digits_only.len() {
                1..=18 => Some((digits_only.parse::<i64>().unwrap(), digits_only.len())),
                _ => None,
            };
            prop_assert_eq!(digits(text.as_bytes()), expected);
        }
    }
}
