//! Values that end at blanks and slashes, many at once.
//!
//! 64 bytes of a line become three numbers of 64 bits, with a bit for each byte that is a
//! blank, a slash, a digit. Where values end, whether they end as they should and whether
//! numbers are made of digits is then arithmetic on these (as in Langdale and Lemire, "Parsing
//! gigabytes of JSON per second", 2019): some five instructions for a value, where looking at
//! its bytes takes fifty. A value that is not kept is not looked at in any other way.

use super::{Field, Shape};
use crate::haproxy::plan::Store;
use wide::u8x32;

/// Values that are read together: numbers, then names, or either alone. All of them have to be
/// in the 64 bytes from the first one on, or up to the line's end.
///
/// Everything has a fixed size, so that reading them is one path without a loop.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub(super) each: Box<[Field]>,
    outline: Outline,
    known: Known,
    /// This one must have so many bytes.
    fixed: Option<(usize, usize)>,
    /// Those that are kept.
    kept: Box<[(usize, Field)]>,
}

/// What they look like.
#[derive(Clone, Copy, Debug)]
struct Outline {
    count: usize,
    /// Which of them end at a slash, from one place up to another.
    slashes: [Range; 2],
    /// So many of them are numbers, the first ones.
    ints: usize,
}

/// Outlines that nearly every line has: of these the compiler makes code without a loop or a
/// branch.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// `frontend backend/server`
    Names,
    /// From an HTTP request's timers to its termination state.
    Request,
    /// Connections and queues, where something follows.
    Load,
    /// The same at a line's end, where the last number is not among them.
    LastLoad,
    /// None of them.
    Other,
}

/// Places from the first up to the second.
type Range = (usize, usize);

/// Where which bytes are, a bit for each of 64.
struct Masks {
    blanks: u64,
    slashes: u64,
    digits: u64,
}

/// The stops from that of each place on, the first one lowest.
struct Stops([u64; 16]);

impl Fields {
    /// At most so many.
    const MAX: usize = 12;

    /// Whether it ends at a blank or a slash. A slash inside of what ends at a blank, as
    /// cookies may have, makes the line one for another day.
    pub(super) fn can_hold(field: &Field) -> bool {
        matches!(field.stop, Some(b' ' | b'/'))
            && match field.shape {
                Shape::Int => true,
                Shape::Fixed(_) => field.stop == Some(b' '),
                Shape::Word { never } => matches!(never, b' ' | b'/'),
            }
    }

    /// Together if there is a place for each of them, and for what is known of them.
    pub(super) fn of(fields: &[Field]) -> Option<Self> {
        let slashes = ranges(fields, |field| field.stop == Some(b'/'));
        let ints = ranges(fields, |field| field.shape == Shape::Int);
        let places = || fields.iter().enumerate();
        let kept = places().filter(|(_, field)| field.keep);
        let mut fixed = places().filter_map(|(place, field)| match field.shape {
            Shape::Fixed(length) => Some((place, usize::from(length))),
            _ => None,
        });
        let outline = Outline {
            count: fields.len(),
            slashes: match *slashes {
                [] => [(0, 0); 2],
                [one] => [one, (0, 0)],
                [one, other] => [one, other],
                _ => return None,
            },
            ints: match *ints {
                [] => 0,
                [(0, end)] => end,
                _ => return None,
            },
        };
        let known = match outline {
            Outline {
                count: 3,
                slashes: [(1, 2), (0, 0)],
                ints: 0,
            } => Known::Names,
            Outline {
                count: 10,
                slashes: [(0, 4), (0, 0)],
                ints: 7,
            } => Known::Request,
            Outline {
                count: 7,
                slashes: [(0, 4), (5, 6)],
                ints: 7,
            } => Known::Load,
            Outline {
                count: 6,
                slashes: [(0, 4), (5, 6)],
                ints: 6,
            } => Known::LastLoad,
            _ => Known::Other,
        };
        let together = Fields {
            outline,
            known,
            fixed: fixed.next(),
            kept: kept.map(|(place, field)| (place, *field)).collect(),
            each: fields.into(),
        };
        let fits = (1..=Fields::MAX).contains(&fields.len()) && fixed.next().is_none();
        fits.then_some(together)
    }

    /// Reads all of them, and tells where the next value begins. `None` where they are not in
    /// 64 bytes, or one is missing, or a number has more digits than any has; then some may be
    /// in `store`.
    #[inline(always)]
    pub(super) fn read<'a>(
        &self,
        line: &'a [u8],
        at: usize,
        store: &mut Store<'_, 'a>,
    ) -> Option<usize> {
        match self.known {
            Known::Names => self.outlined::<3, 1, 2, 0, 0, 0>(line, at, store),
            Known::Request => self.outlined::<10, 0, 4, 0, 0, 7>(line, at, store),
            Known::Load => self.outlined::<7, 0, 4, 5, 6, 7>(line, at, store),
            Known::LastLoad => self.outlined::<6, 0, 4, 5, 6, 6>(line, at, store),
            Known::Other => self.read_by(self.outline, line, at, store),
        }
    }

    #[inline(never)]
    fn outlined<
        'a,
        const COUNT: usize,
        const A: usize,
        const B: usize,
        const C: usize,
        const D: usize,
        const INTS: usize,
    >(
        &self,
        line: &'a [u8],
        at: usize,
        store: &mut Store<'_, 'a>,
    ) -> Option<usize> {
        let outline = const {
            Outline {
                count: COUNT,
                slashes: [(A, B), (C, D)],
                ints: INTS,
            }
        };
        self.read_by(outline, line, at, store)
    }

    #[inline(always)]
    fn read_by<'a>(
        &self,
        outline: Outline,
        line: &'a [u8],
        at: usize,
        store: &mut Store<'_, 'a>,
    ) -> Option<usize> {
        let Outline {
            count,
            slashes: [(a, b), (c, d)],
            ints,
        } = outline;
        let rest = line.get(at..)?;
        let masks = match rest.first_chunk() {
            Some(window) => Masks::of(window),
            None => Masks::of_end(rest),
        };
        let stops = masks.blanks | masks.slashes;
        let all = Stops::of(stops, count);
        let last = all.bit(count - 1);
        let taken = stops ^ all.from(count);
        let slashes = all.from(a) ^ all.from(b) | all.from(c) ^ all.from(d);
        let ints = match ints {
            0 => 0,
            ints => all.bit(ints - 1).wrapping_sub(1),
        };
        // Two stops with nothing between them, or one with nothing before it.
        let empty = taken & (taken << 1 | 1);
        let other_stop = (masks.slashes & taken) ^ slashes;
        // A sign, if anything that may be there.
        let no_digit = ints & !masks.digits & !taken;
        let long = runs_of_16(masks.digits & ints);
        if other_stop | empty | long != 0 || last == 0 {
            return None;
        }
        let within = |place: usize| match place {
            0 => 0..all.place(0),
            place => all.place(place - 1) + 1..all.place(place),
        };
        if let Some((place, length)) = self.fixed
            && within(place).len() != length
        {
            return None;
        }
        for (place, field) in &self.kept {
            if !field.store_at(rest, within(*place), store) {
                return None;
            }
        }
        if no_digit != 0 {
            // What stands there begins a number, or the line is not read here.
            let begins = (taken << 1 | 1) & masks.digits >> 1;
            if no_digit & !begins != 0 || !self.store_signed(rest, no_digit, taken, store) {
                return None;
            }
        }
        Some(at + all.place(count - 1) + 1)
    }

    /// Keeps the numbers that begin at these places, each with a sign; `false` if one may not
    /// have that sign. One line of twenty has one.
    #[inline(never)]
    fn store_signed<'a>(
        &self,
        rest: &'a [u8],
        mut begins: u64,
        stops: u64,
        store: &mut Store<'_, 'a>,
    ) -> bool {
        while begins != 0 {
            let start = begins.trailing_zeros();
            begins &= begins - 1;
            let field = self.each[(stops & ((1 << start) - 1)).count_ones() as usize];
            let end = start + (stops >> start).trailing_zeros();
            let text = &rest[start as usize..end as usize];
            let may_be = match text[0] {
                b'-' => true,
                b'+' => field.slot.may_have_plus(),
                _ => false,
            };
            if !may_be || !field.store(text, store) {
                return false;
            }
        }
        true
    }
}

fn ranges(fields: &[Field], is: impl Fn(&Field) -> bool) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for (place, _) in fields.iter().enumerate().filter(|(_, field)| is(field)) {
        match ranges.last_mut() {
            Some((_, end)) if *end == place => *end += 1,
            _ => ranges.push((place, place + 1)),
        }
    }
    ranges
}

impl Stops {
    #[inline(always)]
    fn of(mut stops: u64, count: usize) -> Self {
        let mut from = [0; 16];
        for from in from.iter_mut().take(count + 1) {
            *from = stops;
            stops &= stops.wrapping_sub(1);
        }
        Stops(from)
    }

    #[inline(always)]
    fn from(&self, place: usize) -> u64 {
        self.0[place % 16]
    }

    /// The stop of that place alone; 0 if there is none.
    #[inline(always)]
    fn bit(&self, place: usize) -> u64 {
        self.from(place) & self.from(place).wrapping_neg()
    }

    /// Where the stop of that place is.
    #[inline(always)]
    fn place(&self, place: usize) -> usize {
        self.from(place).trailing_zeros() as usize
    }
}

/// Where sixteen bits begin that are all set: no number has so many digits.
#[inline(always)]
fn runs_of_16(bits: u64) -> u64 {
    let bits = bits & bits >> 1;
    let bits = bits & bits >> 2;
    let bits = bits & bits >> 4;
    bits & bits >> 8
}

impl Masks {
    /// Of the last bytes of a line, and of nothing behind it.
    fn of_end(rest: &[u8]) -> Masks {
        let mut window = [0; 64];
        window[..rest.len()].copy_from_slice(rest);
        Masks::of(&window)
    }

    #[inline(always)]
    fn of(bytes: &[u8; 64]) -> Masks {
        let halves = bytes.as_chunks::<32>().0;
        let (low, high) = (u8x32::new(halves[0]), u8x32::new(halves[1]));
        let join = |low: u8x32, high: u8x32| {
            u64::from(low.to_bitmask()) | u64::from(high.to_bitmask()) << 32
        };
        let is = |byte| {
            join(
                low.simd_eq(u8x32::splat(byte)),
                high.simd_eq(u8x32::splat(byte)),
            )
        };
        let is_digit = |bytes: u8x32| {
            // No larger than 9, in terms of what the instruction set has.
            let values = bytes - u8x32::splat(b'0');
            values.simd_eq(values.min(u8x32::splat(9)))
        };
        Masks {
            blanks: is(b' '),
            slashes: is(b'/'),
            digits: join(is_digit(low), is_digit(high)),
        }
    }
}
