//! The smallest parts of a line: numbers and blanks.

use super::field::Field;
use memchr::memchr2;

/// Where reading stopped. Small and plain, since it is made for each line that is not
/// one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stuck {
    pub(super) field: Field,
    /// How many bytes were left, the unreadable ones included.
    pub(super) left: usize,
}

/// The number that the input begins with, with a `-` before it or not, and what is behind
/// it. At most 18 digits: more is no number that HAProxy prints, and less than what fits.
#[inline(always)]
pub(super) fn number(input: &[u8]) -> Option<(i64, &[u8])> {
    match input {
        [b'-', unsigned @ ..] => {
            let (value, length) = digits(unsigned)?;
            Some((-value, &unsigned[length..]))
        }
        _ => {
            let (value, length) = digits(input)?;
            Some((value, &input[length..]))
        }
    }
}

/// The whole of `bytes` as a number.
#[inline]
pub(super) fn whole(bytes: &[u8]) -> Option<i64> {
    // The number of a process: a loop over its few digits is all that it takes.
    if (1..=7).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit) {
        let digits = bytes.iter().map(|digit| i64::from(digit - b'0'));
        return Some(digits.fold(0, |value, digit| value * 10 + digit));
    }
    match number(bytes)? {
        (value, []) => Some(value),
        _ => None,
    }
}

/// Where the first of two bytes is; they may be the same.
///
/// Names and words of a line are short: eight bytes at a time finds their ends in fewer
/// instructions than a vector search needs to begin. What is longer is left to that.
#[inline(always)]
pub(super) fn find(one: u8, other: u8, input: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let (one_each, other_each) = (u64::from(one) * ONES, u64::from(other) * ONES);
    for (index, chunk) in input.as_chunks::<8>().0.iter().take(3).enumerate() {
        let chunk = u64::from_le_bytes(*chunk);
        let (same, same_other) = (chunk ^ one_each, chunk ^ other_each);
        // The high bit of each byte that is zero. A borrow can only spoil the bytes after
        // the first such byte, and that one is all that is of interest.
        let zero =
            (same.wrapping_sub(ONES) & !same) | (same_other.wrapping_sub(ONES) & !same_other);
        let zero = zero & HIGHS;
        if zero != 0 {
            return Some(index * 8 + zero.trailing_zeros() as usize / 8);
        }
    }
    let searched = input.len().min(24) / 8 * 8;
    memchr2(one, other, &input[searched..]).map(|at| searched + at)
}

/// The input without the blanks it begins with.
#[inline(always)]
pub(super) fn blanks(mut input: &[u8]) -> &[u8] {
    while let [b' ', behind @ ..] = input {
        input = behind;
    }
    input
}

/// The number that `bytes` begins with and how many digits it has; `None` if that is
/// none or more than 18.
///
/// Numbers in a line have one to five digits, and how many is what a branch predictor cannot
/// learn; here there is no branch on it.
#[inline(always)]
pub(super) fn digits(bytes: &[u8]) -> Option<(i64, usize)> {
    if let Some(chunk) = bytes.first_chunk::<8>() {
        let (digits, length) = short_digits(u64::from_le_bytes(*chunk));
        if length < 8 {
            return (length > 0).then(|| (digits.value(), length));
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

/// The digits that eight bytes begin with, the first of them lowest, and how many there are.
/// Where there is none, or nothing but digits, they say nothing.
#[inline(always)]
pub(super) fn short_digits(chunk: u64) -> (Digits, usize) {
    let values = chunk ^ 0x3030_3030_3030_3030;
    // The high bit of each byte that is over 9. A carry can spoil the bytes after
    // the first such byte, but only that one is of interest.
    let over = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    let bits = over.trailing_zeros() & !7;
    // The first digit is the lowest byte: zeros go in before it.
    (Digits(values.unbounded_shl(64 - bits)), bits as usize / 8)
}

/// The number whose digits are the first ones of eight bytes, the first of them lowest: so many,
/// from 1 to 8.
#[inline(always)]
pub(super) fn eight_digits(chunk: u64, length: usize) -> i64 {
    let values = chunk ^ 0x3030_3030_3030_3030;
    // By 64 less what they have of bits: zeros go in before the first digit.
    let shift = (8 * length as u32).wrapping_neg();
    Digits(values.wrapping_shl(shift)).value()
}

/// The same; `None` if any of them is no digit.
#[inline(always)]
pub(super) fn eight_digits_only(chunk: u64, length: usize) -> Option<i64> {
    let values = chunk ^ 0x3030_3030_3030_3030;
    let shift = (8 * length as u32).wrapping_neg();
    let values = values.wrapping_shl(shift);
    let over = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    (over == 0).then(|| Digits(values).value())
}

/// Eight digits, the first one lowest.
#[derive(Clone, Copy)]
pub(super) struct Digits(u64);

impl Digits {
    #[inline(always)]
    pub(super) fn value(self) -> i64 {
        let pairs = (self.0.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
        let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
        (fours.wrapping_mul(10_000 << 32 | 1) >> 32) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("7 x", Some((7, " x"))),
            ("-1/x", Some((-1, "/x"))),
            ("12345678", Some((12_345_678, ""))),
            ("999999999999999999x", Some((999_999_999_999_999_999, "x"))),
            ("1000000000000000000", None),
            ("--1", None),
            ("+1", None),
            ("-", None),
            (" 1", None),
            ("", None),
        ] {
            let expected = expected.map(|(value, rest)| (value, rest.as_bytes()));
            assert_eq!(number(text.as_bytes()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_byte_is_found_as_one_by_one(text in "a{0,30}[abc]{0,10}") {
            let expected = text.bytes().position(|byte| byte != b'a');
            prop_assert_eq!(find(b'b', b'c', text.as_bytes()), expected);
            let expected = text.bytes().position(|byte| byte == b'b');
            prop_assert_eq!(find(b'b', b'b', text.as_bytes()), expected);
        }

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
