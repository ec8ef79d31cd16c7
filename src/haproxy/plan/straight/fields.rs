//! Values that end at blanks and slashes, many at once.
//!
//! 64 bytes of a line become three numbers of 64 bits, with a bit for each byte that is a
//! blank, a slash, a digit. Where values end, whether they end as they should and whether
//! numbers are made of digits is then arithmetic on these (as in Langdale and Lemire, "Parsing
//! gigabytes of JSON per second", 2019): some five instructions for a value, where looking at
//! its bytes takes fifty. A value that is not kept is not looked at in any other way.

use super::window::{self, Bytes, Window};
use super::{Field, Shape};
use crate::haproxy::leaf::eight_digits;
use crate::haproxy::plan::{Slot, Store};
use std::hint::black_box;
use std::ops::Range;

/// Values that are read together. All of them have to be in the 64 bytes from the first one on,
/// or up to the line's end.
///
/// Everything has a fixed size, so that reading them is one path without a loop.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    each: Box<[Field]>,
    outline: Outline,
    known: Option<Known>,
    /// Those that are kept, a bit for each place.
    kept: u32,
    /// The same in two parts, for a line that has more bytes of them.
    halves: Option<Box<[Fields; 2]>>,
}

/// What they look like.
#[derive(Clone, Copy, Debug)]
struct Outline {
    count: usize,
    /// Which of them end at a slash, from one place up to another.
    slashes: [Run; 3],
    /// Which of them are numbers.
    ints: [Run; 2],
    /// This one must have so many bytes.
    fixed: Option<(usize, usize)>,
}

/// Places from the first up to the second.
type Run = (usize, usize);

/// Values that nearly every line has: for these the compiler makes code that knows what each of
/// them is, without a loop, and with a branch only for whether it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Names,
    Request,
    Session,
}

impl Known {
    const ALL: [Known; 3] = [Known::Names, Known::Request, Known::Session];

    const fn columns(self) -> &'static [Column] {
        match self {
            Known::Names => NAMES,
            Known::Request => REQUEST,
            Known::Session => SESSION,
        }
    }
}

/// A value and the byte behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Column {
    slot: Slot,
    like: Like,
    stop: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Like {
    Int,
    /// So many bytes.
    Fixed(u8),
    /// A blank or a slash ends it, and that must be the one that is to be there.
    Word,
}

/// `frontend backend/server`
const NAMES: &[Column] = &[
    word(Slot::FrontendTransport, b' '),
    word(Slot::Backend, b'/'),
    word(Slot::Server, b' '),
];

/// From an HTTP request's timers to the queues.
const REQUEST: &[Column] = &[
    int(Slot::TR, b'/'),
    int(Slot::Tw, b'/'),
    int(Slot::Tc, b'/'),
    int(Slot::Tr, b'/'),
    int(Slot::Ta, b' '),
    int(Slot::Status, b' '),
    int(Slot::BytesRead, b' '),
    word(Slot::RequestCookie, b' '),
    word(Slot::ResponseCookie, b' '),
    termination_state(4),
    int(Slot::Actconn, b'/'),
    int(Slot::Feconn, b'/'),
    int(Slot::Beconn, b'/'),
    int(Slot::SrvConn, b'/'),
    int(Slot::Retries, b' '),
    int(Slot::SrvQueue, b'/'),
    int(Slot::BackendQueue, b' '),
];

/// From a session's timers to the queues, of which nothing ends the last.
const SESSION: &[Column] = &[
    int(Slot::Tw, b'/'),
    int(Slot::Tc, b'/'),
    int(Slot::Tt, b' '),
    int(Slot::BytesRead, b' '),
    termination_state(2),
    int(Slot::Actconn, b'/'),
    int(Slot::Feconn, b'/'),
    int(Slot::Beconn, b'/'),
    int(Slot::SrvConn, b'/'),
    int(Slot::Retries, b' '),
    int(Slot::SrvQueue, b'/'),
];

const fn int(slot: Slot, stop: u8) -> Column {
    Column {
        slot,
        like: Like::Int,
        stop,
    }
}

const fn word(slot: Slot, stop: u8) -> Column {
    Column {
        slot,
        like: Like::Word,
        stop,
    }
}

const fn termination_state(length: u8) -> Column {
    Column {
        slot: Slot::TerminationState,
        like: Like::Fixed(length),
        stop: b' ',
    }
}

impl Outline {
    /// `None` if there are more stretches of a kind than there is a place for.
    const fn of(columns: &[Column]) -> Option<Outline> {
        let mut outline = Outline {
            count: columns.len(),
            slashes: [(0, 0); 3],
            ints: [(0, 0); 2],
            fixed: None,
        };
        let mut place = 0;
        while place < columns.len() {
            let Column { like, stop, .. } = columns[place];
            let fits = (stop != b'/' || add(&mut outline.slashes, place))
                && match like {
                    Like::Int => add(&mut outline.ints, place),
                    Like::Fixed(length) => {
                        let is_only = outline.fixed.is_none();
                        outline.fixed = Some((place, length as usize));
                        is_only
                    }
                    Like::Word => true,
                };
            if !fits {
                return None;
            }
            place += 1;
        }
        Some(outline)
    }
}

/// Adds the place to the run that it is next to, or to one that has none; `false` if there is no
/// such.
const fn add(runs: &mut [Run], place: usize) -> bool {
    let mut run = 0;
    while run < runs.len() {
        let (start, end) = runs[run];
        if start == end {
            runs[run] = (place, place + 1);
            return true;
        }
        if end == place {
            runs[run].1 += 1;
            return true;
        }
        run += 1;
    }
    false
}

/// The same block for each place of at most [`Fields::MAX`], in which the place is a constant.
macro_rules! for_each_place {
    ($place:ident < $count:expr, $block:block) => {
        for_each_place!($place $count, $block, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
    };
    ($place:ident $count:expr, $block:block, $($number:literal)*) => {$(
        if $number < $count {
            const $place: usize = $number;
            $block
        }
    )*};
}

/// The stops from that of each place on, the first one lowest.
struct Stops([u64; Fields::MAX + 1]);

/// Where values are.
struct Places {
    stops: Stops,
    /// The stops of all of them.
    taken: u64,
    digits: u64,
    /// What is no digit where numbers should be.
    no_digit: u64,
    /// 0 if all of them are there, and each ends as it should.
    wrong: u64,
}

impl Fields {
    /// At most so many.
    const MAX: usize = 17;

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

    /// How many of the first of them are best read together: at least one.
    pub(super) fn split(fields: &[Field]) -> usize {
        let known = |fields: &[Field]| {
            let columns: Option<Vec<Column>> = fields.iter().map(Column::of).collect();
            let columns = columns.unwrap_or_default();
            let mut known = Known::ALL.into_iter().map(Known::columns);
            known
                .find(|known| columns.starts_with(known))
                .map(<[Column]>::len)
        };
        if let Some(count) = known(fields) {
            return count;
        }
        // Up to what is known.
        let apart = (1..fields.len()).find(|&place| known(&fields[place..]).is_some());
        let fields = &fields[..apart.unwrap_or(fields.len())];
        (1..=fields.len())
            .rev()
            .find(|&count| Fields::of(&fields[..count]).is_some())
            .unwrap_or(1)
    }

    /// Together if there is a place for each of them, and for what is known of them.
    pub(super) fn of(fields: &[Field]) -> Option<Self> {
        if !(1..=Fields::MAX).contains(&fields.len()) {
            return None;
        }
        let columns: Option<Vec<Column>> = fields.iter().map(Column::of).collect();
        let columns = columns?;
        let mut known = Known::ALL.into_iter();
        let known = known.find(|known| known.columns() == columns);
        let is_fixed = |column: &Column| matches!(column.like, Like::Fixed(_));
        // Cookies have many bytes, if any: what is behind the termination state is for itself.
        let middle = columns
            .iter()
            .position(is_fixed)
            .filter(|_| known.is_some());
        let halves = middle.and_then(|last| {
            let (first, second) = fields.split_at(last + 1);
            Some(Box::new([Fields::of(first)?, Fields::of(second)?]))
        });
        let kept = fields.iter().enumerate();
        Some(Fields {
            outline: Outline::of(&columns)?,
            known,
            halves,
            kept: kept.fold(0, |kept, (place, field)| {
                kept | u32::from(field.keep) << place
            }),
            each: fields.into(),
        })
    }

    /// Whether these are the ones.
    pub(super) fn are(&self, known: Known) -> bool {
        self.known == Some(known)
    }

    /// Reads all of them, and tells where the next value begins. `None` where they are not in
    /// 64 bytes, or one is missing, or a number has more digits than nearly any has; then some may
    /// be in `store`.
    #[inline(always)]
    pub(super) fn read<'a>(
        &self,
        line: &'a [u8],
        at: usize,
        store: &mut Store<'_, 'a>,
    ) -> Option<usize> {
        match self.known {
            Some(Known::Names) => self.read_known::<{ Known::Names as usize }>(line, at, store),
            Some(Known::Request) => self.read_known::<{ Known::Request as usize }>(line, at, store),
            Some(Known::Session) => self.read_known::<{ Known::Session as usize }>(line, at, store),
            None => self.read_any(line, at, store),
        }
    }

    /// The same of those that [`Known::ALL`] has at that place, which these must be.
    #[inline(always)]
    pub(super) fn read_known<'a, const KNOWN: usize>(
        &self,
        line: &'a [u8],
        at: usize,
        store: &mut Store<'_, 'a>,
    ) -> Option<usize> {
        let columns = const { Known::ALL[KNOWN].columns() };
        let outline = const { Outline::of(Known::ALL[KNOWN].columns()).unwrap() };
        let rest = line.get(at..)?;
        let mut copy = None;
        let window = window::of(rest, &mut copy);
        let places = Places::find(window, outline);
        if places.wrong != 0 {
            return None;
        }
        for_each_place!(PLACE < columns.len(), {
            if self.kept & 1 << PLACE != 0 {
                let column = columns[PLACE];
                match column.like {
                    Like::Int => {
                        let number = places.number(window, PLACE);
                        if !store.int(column.slot, Some(number), false) {
                            return None;
                        }
                    }
                    Like::Fixed(_) | Like::Word => {
                        store.plain(column.slot, rest.get(places.within(PLACE))?);
                    }
                }
            }
        });
        self.end(places, outline.count, rest, store)
            .map(|end| at + end)
    }

    /// The same, whatever they are.
    #[inline(never)]
    fn read_any<'a>(&self, line: &'a [u8], at: usize, store: &mut Store<'_, 'a>) -> Option<usize> {
        let rest = line.get(at..)?;
        let mut copy = None;
        let window = window::of(rest, &mut copy);
        let places = Places::find(window, self.outline);
        if places.wrong != 0 {
            return None;
        }
        let mut kept = self.kept;
        while kept != 0 {
            let place = kept.trailing_zeros() as usize;
            kept &= kept - 1;
            let field = &self.each[place];
            let is_kept = match (field.shape, field.slot) {
                (Shape::Int, slot) if !matches!(slot, Slot::Extra(_)) => {
                    store.int(slot, Some(places.number(window, place)), false)
                }
                _ => field.store(rest.get(places.within(place))?, store),
            };
            if !is_kept {
                return None;
            }
        }
        self.end(places, self.outline.count, rest, store)
            .map(|end| at + end)
    }

    /// Reads those that are not right together: there are more bytes of them than usual, or what is
    /// in them has to be looked at one by one.
    #[inline(never)]
    pub(super) fn apart<'a>(
        &self,
        line: &'a [u8],
        at: usize,
        store: &mut Store<'_, 'a>,
    ) -> Option<usize> {
        match &self.halves {
            Some(halves) => halves.iter().try_fold(at, |at, half| {
                let together = half.read_any(line, at, store);
                together.or_else(|| half.one_by_one(line, at, store))
            }),
            None => self.one_by_one(line, at, store),
        }
    }

    fn one_by_one<'a>(
        &self,
        line: &'a [u8],
        at: usize,
        store: &mut Store<'_, 'a>,
    ) -> Option<usize> {
        let mut fields = self.each.iter();
        fields.try_fold(at, |at, field| field.read(line, at, store))
    }

    /// Where the next value begins, behind numbers with a sign.
    #[inline(always)]
    fn end<'a>(
        &self,
        places: Places,
        count: usize,
        rest: &'a [u8],
        store: &mut Store<'_, 'a>,
    ) -> Option<usize> {
        if places.no_digit != 0 {
            // What stands there begins a number, or the line is not read here.
            let begins = (places.taken << 1 | 1) & places.digits >> 1;
            if places.no_digit & !begins != 0
                || !self.store_signed(rest, places.no_digit, places.taken, store)
            {
                return None;
            }
        }
        Some(places.stops.place(count - 1) + 1)
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

impl Column {
    /// `None` if nothing has to stand behind it.
    fn of(field: &Field) -> Option<Column> {
        Some(Column {
            slot: field.slot,
            like: match field.shape {
                Shape::Int => Like::Int,
                Shape::Fixed(length) => Like::Fixed(length),
                Shape::Word { .. } => Like::Word,
            },
            stop: field.stop?,
        })
    }
}

impl Places {
    #[inline(always)]
    fn find(window: &Window, outline: Outline) -> Places {
        let Outline {
            count,
            slashes,
            ints,
            fixed,
        } = outline;
        let bytes = Bytes::of(window::first(window));
        let (slash, digits) = (bytes.equal(b'/'), bytes.digits());
        // What the compiler knows of this number's making it uses to make it again, a bit at a
        // time, where a value is kept: two hundred instructions for two.
        let all = black_box(bytes.equal(b' ') | slash);
        let stops = Stops::of(all, count);
        let last = stops.bit(count - 1);
        let taken = all ^ stops.from(count);
        // Each by itself: to map an array may be a call, which what is known here does not reach.
        let between = |(start, end)| stops.from(start) ^ stops.from(end);
        let slashes = between(slashes[0]) | between(slashes[1]) | between(slashes[2]);
        let within = |(start, end)| stops.before(end) ^ stops.before(start);
        let ints = within(ints[0]) | within(ints[1]);
        // Two stops with nothing between them, or one with nothing before it.
        let empty = taken & (taken << 1 | 1);
        let other_stop = (slash & taken) ^ slashes;
        // A sign, if anything that may be there.
        let no_digit = ints & !digits & !taken;
        let long = runs_of_9(digits & ints);
        let mut places = Places {
            stops,
            taken,
            digits,
            no_digit,
            wrong: other_stop | empty | long | u64::from(last == 0),
        };
        if let Some((place, length)) = fixed {
            places.wrong |= (places.length(place) ^ length) as u64;
        }
        places
    }

    /// Where the value of that place is.
    #[inline(always)]
    fn within(&self, place: usize) -> Range<usize> {
        let start = match place {
            0 => 0,
            place => self.stops.place(place - 1) + 1,
        };
        start..self.stops.place(place)
    }

    /// How long it is.
    #[inline(always)]
    fn length(&self, place: usize) -> usize {
        let Range { start, end } = self.within(place);
        end.wrapping_sub(start)
    }

    /// The number that is there, if it has no sign.
    #[inline(always)]
    fn number(&self, window: &Window, place: usize) -> i64 {
        // It begins at one of the first 64 bytes, which the compiler is told by this.
        let start = self.within(place).start % 64;
        let chunk = window[start..].first_chunk();
        let chunk = chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk));
        eight_digits(chunk, self.length(place))
    }
}

impl Stops {
    #[inline(always)]
    fn of(mut stops: u64, count: usize) -> Self {
        let mut from = [0; Fields::MAX + 1];
        for from in from.iter_mut().take(count + 1) {
            *from = stops;
            stops &= stops.wrapping_sub(1);
        }
        Stops(from)
    }

    #[inline(always)]
    fn from(&self, place: usize) -> u64 {
        self.0[place]
    }

    /// The stop of that place alone; 0 if there is none.
    #[inline(always)]
    fn bit(&self, place: usize) -> u64 {
        self.from(place) & self.from(place).wrapping_neg()
    }

    /// Every byte before the value of that place: of the first one, none.
    #[inline(always)]
    fn before(&self, place: usize) -> u64 {
        match place {
            0 => 0,
            place => self.bit(place - 1).wrapping_sub(1),
        }
    }

    /// Where the stop of that place is.
    #[inline(always)]
    fn place(&self, place: usize) -> usize {
        self.from(place).trailing_zeros() as usize
    }
}

/// Where nine bits begin that are all set: nearly no number has so many digits.
#[inline(always)]
fn runs_of_9(bits: u64) -> u64 {
    let two = bits & bits >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    eight & bits >> 8
}
