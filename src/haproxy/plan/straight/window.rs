//! 64 bytes of a line as numbers of 64 bits: a bit for each byte that is the one looked for.

use wide::u8x32;

/// What is looked at: 64 bytes, and as many as there may be of a number that begins in the last.
pub(super) type Window = [u8; WINDOW];
const WINDOW: usize = 64 + 8;

/// The window that `rest` begins with. Where a line ends sooner it is a copy, with nothing behind
/// the line's bytes.
#[inline(always)]
pub(super) fn of<'a>(rest: &'a [u8], copy: &'a mut Option<Window>) -> &'a Window {
    match rest.first_chunk() {
        Some(window) => window,
        None => copy.insert(copied(rest)),
    }
}

#[inline(never)]
fn copied(rest: &[u8]) -> Window {
    let mut window = [0; WINDOW];
    window[..rest.len()].copy_from_slice(rest);
    window
}

/// The first 64 bytes of a window.
#[inline(always)]
pub(super) fn first(window: &Window) -> &[u8; 64] {
    window.first_chunk().expect("a window has more")
}

/// 64 bytes, in registers.
#[derive(Clone, Copy)]
pub(super) struct Bytes {
    low: u8x32,
    high: u8x32,
}

impl Bytes {
    #[inline(always)]
    pub(super) fn of(bytes: &[u8; 64]) -> Self {
        let [low, high] = bytes.as_chunks::<32>().0 else {
            unreachable!("twice 32 bytes")
        };
        Bytes {
            low: u8x32::new(*low),
            high: u8x32::new(*high),
        }
    }

    /// Which of them are this one; the first one lowest.
    #[inline(always)]
    pub(super) fn equal(self, byte: u8) -> u64 {
        let byte = u8x32::splat(byte);
        bits(self.low.simd_eq(byte), self.high.simd_eq(byte))
    }

    /// Which of them are one of these.
    #[inline(always)]
    pub(super) fn any_of<const N: usize>(self, any: [u8; N]) -> u64 {
        let among = |bytes: u8x32| {
            let same = any.iter().map(|&byte| bytes.simd_eq(u8x32::splat(byte)));
            same.fold(u8x32::ZERO, |any, same| any | same)
        };
        bits(among(self.low), among(self.high))
    }

    /// Which of them are digits.
    #[inline(always)]
    pub(super) fn digits(self) -> u64 {
        let are_digits = |bytes: u8x32| {
            // No larger than 9, in terms of what the instruction set has.
            let values = bytes - u8x32::splat(b'0');
            values.simd_eq(values.min(u8x32::splat(9)))
        };
        bits(are_digits(self.low), are_digits(self.high))
    }
}

#[inline(always)]
fn bits(low: u8x32, high: u8x32) -> u64 {
    u64::from(low.to_bitmask()) | u64::from(high.to_bitmask()) << 32
}
