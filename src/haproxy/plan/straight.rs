//! The straight way through a line: every value is there, as it nearly always is.
//!
//! A format whose values all end at a byte that they cannot hold is read a second way, which
//! knows nothing of what is rare: blanks that come twice, values that are missing, escapes,
//! requests that are cut off. It meets a line that has any of it by giving up, and leaves the line to
//! the steps of the plan ([`read`](super::read)), which decide alone what is wrong with it, or
//! whether anything is. So it may only ever accept what they accept, and with the same values:
//! the tests hold both to that.
//!
//! Why there are two: of a hundred lines one has something rare, and asking each for it costs
//! more than reading it. And this way keeps only those fields that somebody asks for; the
//! others must be what they should be, and their values are not made.
//!
//! One position moves through the line, and no step says what is wrong. Numbers are read eight
//! bytes at a time (Lamport, "Multiple byte processing with full-word instructions", 1975), and
//! where values end is looked for in 64 bytes at once ([`window`]). A request's line, which nearly
//! every line is, is one path of four steps ([`Request`]); other formats are a list of them.

use super::store::{self, Store};
use super::{DateForm, Form, Plan, Slot, Step, Then};
use crate::haproxy::event::{Captures, Separator};
use crate::haproxy::field::{self, FieldSet};
use crate::haproxy::leaf::{digits, eight_digits_only, find, number, short_digits};
use crate::haproxy::request::Single;
use fields::{Fields, Known};
use wide::{u8x16, u8x32};
use window::Bytes;

mod fields;
mod window;

/// What an HTTP request becomes.
const REQUEST: [field::Field; 5] = [
    field::Field::Request,
    field::Field::Method,
    field::Field::Path,
    field::Field::Query,
    field::Field::HttpVersion,
];

/// The steps of a format that can be read straight.
#[derive(Clone, Debug)]
pub(in crate::haproxy) struct Straight(Line);

#[derive(Clone, Debug)]
enum Line {
    /// What HTTP lines nearly always are: one path from end to end.
    Request(Box<Request>),
    Other(Box<[Stretch]>),
}

/// `option httplog`.
#[derive(Clone, Debug)]
struct Request {
    head: Head,
    names: Fields,
    /// From the timers to the queues.
    fields: Fields,
    tail: Tail,
}

/// A value, and the byte behind it. Where a run of blanks may stand, one is what there is.
#[derive(Clone, Debug)]
enum Stretch {
    Head(Head),
    AddressPort {
        address: Slot,
        port: Slot,
        stop: u8,
        keep: bool,
    },
    Date(Slot),
    /// Several of the following, each up to a blank or a slash.
    Fields(Fields),
    Field(Field),
    Literal(Literal),
    Tail(Tail),
}

/// What HAProxy's own formats begin with: `192.0.2.7:40112 [21/Nov/2026:04:55:14.120] `.
#[derive(Clone, Copy, Debug)]
struct Head {
    date: Slot,
    keep_address: bool,
}

/// At most eight bytes, to be compared at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Literal {
    /// The first one lowest.
    bytes: u64,
    length: usize,
}

/// One value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) slot: Slot,
    pub(super) shape: Shape,
    /// The byte behind it, if that is not left to the next stretch.
    pub(super) stop: Option<u8>,
    pub(super) keep: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Int,
    /// So many bytes, none of which is a blank.
    Fixed(u8),
    /// What may not be in it before its end: see [`Step::Word`].
    Word {
        never: u8,
    },
}

/// Captures and request, to the line's end.
#[derive(Clone, Copy, Debug)]
struct Tail {
    /// The blank before it is still to be read.
    blank: bool,
    single: Single,
    keep_captures: bool,
    keep_request: bool,
}

impl Straight {
    /// Keeps these fields. `None` for a format that has no straight way.
    pub(in crate::haproxy) fn of(plan: &Plan, fields: FieldSet) -> Option<Straight> {
        let [only] = &*plan.segments else {
            // A value has to be searched for.
            return None;
        };
        let keeps = |slot: Slot| match slot {
            // It tells which format a line is of.
            Slot::Frontend | Slot::FrontendTransport => true,
            slot => fields.contains(slot.field()),
        };
        let mut stretches = Vec::new();
        for step in &only.steps {
            match step {
                Step::Literal { bytes, .. } => {
                    let chunks = bytes.chunks(8);
                    stretches.extend(chunks.map(|bytes| Stretch::Literal(Literal::of(bytes))));
                }
                Step::Blank { last: false, .. } => {
                    // It is the last value's, if that has no byte behind it yet.
                    match stretches.last_mut() {
                        Some(Stretch::Field(field)) if field.stop.is_none() => {
                            field.stop = Some(b' ');
                        }
                        _ => stretches.push(Stretch::Literal(Literal::of(b" "))),
                    }
                }
                Step::AddressPort {
                    address,
                    port,
                    stop: Some(stop),
                    then,
                } if then.byte() == Some(*stop) => stretches.push(Stretch::AddressPort {
                    address: *address,
                    port: *port,
                    stop: *stop,
                    keep: keeps(*address) || keeps(*port),
                }),
                Step::Ints(ints) => stretches.extend(ints.iter().map(|(slot, then)| {
                    Stretch::Field(Field {
                        slot: *slot,
                        shape: Shape::Int,
                        stop: then.byte(),
                        // A number that only some values of are right has to be looked at.
                        keep: keeps(*slot) || matches!(slot, Slot::Status | Slot::ClientPort),
                    })
                })),
                Step::Date {
                    slot,
                    form: DateForm::Millis,
                    then,
                } => {
                    stretches.push(Stretch::Date(*slot));
                    let behind = then.byte();
                    stretches.extend(behind.map(|byte| Stretch::Literal(Literal::of(&[byte]))));
                }
                Step::Fixed { slot, length, then } => stretches.push(Stretch::Field(Field {
                    slot: *slot,
                    shape: Shape::Fixed(*length),
                    stop: then.byte(),
                    keep: keeps(*slot),
                })),
                Step::Word {
                    slot,
                    stop,
                    never,
                    then,
                } if then.byte() == Some(*stop) => stretches.push(Stretch::Field(Field {
                    slot: *slot,
                    shape: Shape::Word { never: *never },
                    stop: Some(*stop),
                    keep: keeps(*slot),
                })),
                Step::Tail { last: true, .. } => {
                    // Its blank is the last value's, too, so that this is read with the others.
                    let last = match stretches.last_mut() {
                        Some(Stretch::Field(field)) if field.stop.is_none() => Some(field),
                        _ => None,
                    };
                    let blank = last.map(|last| last.stop = Some(b' ')).is_none();
                    stretches.push(Stretch::Tail(Tail {
                        blank,
                        single: plan.captured.single(),
                        keep_captures: keeps(Slot::RequestHeaders) || keeps(Slot::ResponseHeaders),
                        keep_request: fields.contains_any(&REQUEST),
                    }));
                }
                _ => return None,
            }
        }
        let stretches = joined(stretches);
        Some(Straight(match &*stretches {
            [
                Stretch::Head(head),
                Stretch::Fields(names),
                Stretch::Fields(fields),
                Stretch::Tail(tail),
            ] if names.are(Known::Names) && fields.are(Known::Request) => {
                Line::Request(Box::new(Request {
                    head: *head,
                    names: names.clone(),
                    fields: fields.clone(),
                    tail: *tail,
                }))
            }
            _ => Line::Other(stretches),
        }))
    }

    /// Whether the line could be read, and is in `store`. If not, `store` has parts of it.
    #[inline]
    pub(in crate::haproxy) fn read<'a>(&self, line: &'a [u8], store: &mut Store<'_, 'a>) -> bool {
        self.end(line, store) == Some(line.len())
    }

    /// Where reading ended.
    #[inline(always)]
    fn end<'a>(&self, line: &'a [u8], store: &mut Store<'_, 'a>) -> Option<usize> {
        match &self.0 {
            Line::Request(request) => request.end(line, store),
            Line::Other(stretches) => {
                let mut stretches = stretches.iter();
                stretches.try_fold(0, |at, stretch| stretch.read(line, at, store))
            }
        }
    }
}

impl Request {
    #[inline(always)]
    fn end<'a>(&self, line: &'a [u8], store: &mut Store<'_, 'a>) -> Option<usize> {
        let Request {
            head,
            names,
            fields,
            tail,
        } = self;
        let at = head.read(line, 0, store)?;
        let at = match names.read_known::<{ Known::Names as usize }>(line, at, store) {
            Some(at) => at,
            None => names.apart(line, at, store)?,
        };
        let at = match fields.read_known::<{ Known::Request as usize }>(line, at, store) {
            Some(at) => at,
            None => fields.apart(line, at, store)?,
        };
        tail.read(line, at, store)
    }
}

impl Stretch {
    /// Reads it there, and tells what is behind it.
    fn read<'a>(&self, line: &'a [u8], at: usize, store: &mut Store<'_, 'a>) -> Option<usize> {
        match self {
            Stretch::Head(head) => head.read(line, at, store),
            Stretch::Fields(fields) => match fields.read(line, at, store) {
                Some(end) => Some(end),
                None => fields.apart(line, at, store),
            },
            Stretch::Field(field) => field.read(line, at, store),
            Stretch::Literal(literal) => {
                let rest = line.get(at..)?;
                let chunk = match rest.first_chunk() {
                    Some(bytes) => u64::from_le_bytes(*bytes),
                    None => last_chunk(rest),
                };
                let differs = (chunk ^ literal.bytes) << (64 - 8 * literal.length);
                (differs == 0 && rest.len() >= literal.length).then_some(at + literal.length)
            }
            Stretch::AddressPort {
                address,
                port,
                stop,
                keep,
            } => address_port(line, at, (*address, *port), (*stop, *keep), store),
            Stretch::Date(slot) => {
                let end = at + 24;
                let date = line.get(at..end)?;
                store.date(*slot, DateForm::Millis, date).then_some(end)
            }
            Stretch::Tail(tail) => tail.read(line, at, store),
        }
    }
}

/// Literals that follow each other are one, and fields that can be read together are.
fn joined(stretches: Vec<Stretch>) -> Box<[Stretch]> {
    let mut joined: Vec<Stretch> = Vec::with_capacity(stretches.len());
    let mut stretches = stretches.into_iter().peekable();
    while let Some(stretch) = stretches.next() {
        let field = |stretch: &Stretch| match stretch {
            Stretch::Field(field) if Fields::can_hold(field) => Some(*field),
            _ => None,
        };
        if let Some(first) = field(&stretch) {
            let mut fields = vec![first];
            while let Some(next) = stretches.peek().and_then(field) {
                fields.push(next);
                stretches.next();
            }
            let mut fields = &fields[..];
            while !fields.is_empty() {
                let (together, others) = fields.split_at(Fields::split(fields));
                joined.extend(Fields::of(together).map(Stretch::Fields));
                fields = others;
            }
            continue;
        }
        match (stretch, joined.last_mut()) {
            (Stretch::Literal(more), Some(Stretch::Literal(literal)))
                if literal.length + more.length <= 8 =>
            {
                literal.bytes |= more.bytes << (8 * literal.length);
                literal.length += more.length;
            }
            (stretch, _) => joined.push(stretch),
        }
    }
    if let [
        Stretch::AddressPort {
            address: Slot::ClientIp,
            port: Slot::ClientPort,
            stop: b' ',
            keep,
        },
        Stretch::Literal(opening),
        Stretch::Date(date),
        Stretch::Literal(closing),
        ..,
    ] = &joined[..]
        && *opening == Literal::of(b"[")
        && *closing == Literal::of(b"] ")
    {
        let head = Head {
            date: *date,
            keep_address: *keep,
        };
        joined.splice(..4, [Stretch::Head(head)]);
    }
    joined.into()
}

impl Literal {
    fn of(bytes: &[u8]) -> Self {
        Literal {
            bytes: last_chunk(bytes),
            length: bytes.len(),
        }
    }
}

/// At most eight bytes, the first one lowest, and 0 where there are no more.
#[cold]
fn last_chunk(rest: &[u8]) -> u64 {
    let bytes = rest.iter().take(8).rev();
    bytes.fold(0, |chunk, &byte| chunk << 8 | u64::from(byte))
}

impl Then {
    fn byte(self) -> Option<u8> {
        match self {
            Then::Nothing => None,
            Then::Byte(byte) => Some(byte),
            Then::Blank => Some(b' '),
        }
    }
}

impl Field {
    /// Reads it alone, with the byte behind it.
    fn read<'a>(&self, line: &'a [u8], at: usize, store: &mut Store<'_, 'a>) -> Option<usize> {
        let rest = line.get(at..)?;
        let length = match (self.shape, rest) {
            (Shape::Int, [b'-', unsigned @ ..]) => 1 + digits(unsigned)?.1,
            (Shape::Int, rest) => digits(rest)?.1,
            (Shape::Fixed(length), _) => usize::from(length),
            (Shape::Word { never }, _) => word(line, at, self.stop?, never)?,
        };
        let text = rest.get(..length)?;
        if matches!(self.shape, Shape::Fixed(_)) && text.contains(&b' ') {
            return None;
        }
        // A number below zero must be one that may be.
        let odd = text.first() == Some(&b'-') && self.shape == Shape::Int;
        if (self.keep || odd) && !self.store(text, store) {
            return None;
        }
        match self.stop {
            None => Some(at + length),
            Some(stop) if rest.get(length) == Some(&stop) => Some(at + length + 1),
            Some(_) => None,
        }
    }

    /// Keeps what was read, which has a `+` only where one may be; `false` if it cannot be a
    /// value of this field.
    pub(super) fn store<'a>(&self, text: &'a [u8], store: &mut Store<'_, 'a>) -> bool {
        match (self.shape, self.slot) {
            (Shape::Int, Slot::Extra(index)) => {
                store.extra_int(index, text, Form::Plain);
                true
            }
            (Shape::Int, slot) => {
                let unsigned = text.strip_prefix(b"+");
                match number(unsigned.unwrap_or(text)) {
                    Some((value, [])) => store.int(slot, Some(value), unsigned.is_some()),
                    _ => false,
                }
            }
            (Shape::Fixed(_) | Shape::Word { .. }, slot) => {
                store.plain(slot, text);
                true
            }
        }
    }
}

/// How long the word is that ends at `stop`; `None` if it is empty, or `never` comes first.
#[inline(always)]
fn word(line: &[u8], at: usize, stop: u8, never: u8) -> Option<usize> {
    let rest = line.get(at..)?;
    let ends = |bytes: &[u8; 32]| {
        let bytes = u8x32::new(*bytes);
        let is = |byte| bytes.simd_eq(u8x32::splat(byte));
        (is(stop) | is(never)).to_bitmask()
    };
    let length = match rest.first_chunk().map(ends) {
        None | Some(0) => find(stop, never, rest)?,
        Some(ends) => ends.trailing_zeros() as usize,
    };
    (length > 0 && rest[length] == stop).then_some(length)
}

/// Where blanks are, a bit for each place.
#[inline(always)]
fn blanks(bytes: &[u8; 16]) -> u32 {
    let bytes = u8x16::new(*bytes);
    bytes.simd_eq(u8x16::splat(b' ')).to_bitmask()
}

/// `192.0.2.7:40112`: the port is behind the last colon, with seven digits at most.
#[inline(never)]
fn address_port<'a>(
    line: &'a [u8],
    at: usize,
    (address, port): (Slot, Slot),
    (stop, keep): (u8, bool),
    store: &mut Store<'_, 'a>,
) -> Option<usize> {
    let length = word(line, at, stop, stop)?;
    let word = &line[at..at + length];
    // The last eight bytes, the last one highest: the colon is in them if this is a port.
    let last = u64::from_le_bytes(*word.last_chunk()?);
    let others = last ^ 0x3a3a_3a3a_3a3a_3a3a;
    // The high bit of each byte that is a colon, and of no other.
    let colons = !((others & 0x7f7f_7f7f_7f7f_7f7f).wrapping_add(0x7f7f_7f7f_7f7f_7f7f) | others)
        & 0x8080_8080_8080_8080;
    // Without a colon that is 8.
    let behind = colons.leading_zeros() as usize / 8;
    if !(1..=7).contains(&behind) {
        return None;
    }
    let (number, digits) = short_digits(last >> (64 - 8 * behind));
    let address_bytes = &word[..length - behind - 1];
    if digits != behind || address_bytes.is_empty() {
        return None;
    }
    if stop != b' ' && address_bytes.contains(&b' ') {
        return None;
    }
    // It is looked at whoever asks: not every number is a port.
    if !store.int(port, Some(number.value()), false) {
        return None;
    }
    if keep {
        store.plain(address, address_bytes);
    }
    Some(at + length + 1)
}

impl Head {
    #[inline(always)]
    fn read<'a>(self, line: &'a [u8], at: usize, store: &mut Store<'_, 'a>) -> Option<usize> {
        let rest = line.get(at..)?;
        let mut copy = None;
        let window = window::of(rest, &mut copy);
        let bytes = Bytes::of(window::first(window));
        let blank = bytes.equal(b' ');
        // Before the first blank.
        let colons = bytes.equal(b':') & blank.wrapping_sub(1) & !blank;
        let (length, colon) = (
            blank.trailing_zeros() as usize,
            colons.checked_ilog2()? as usize,
        );
        let behind = rest.get(length..)?.first_chunk::<28>()?;
        let [b' ', b'[', date @ .., b']', b' '] = behind else {
            return None;
        };
        let digits = length - colon - 1;
        let chunk = window[(colon + 1) % 64..].first_chunk()?;
        if !(1..=7).contains(&digits) || colon == 0 {
            return None;
        }
        let port = eight_digits_only(u64::from_le_bytes(*chunk), digits)?;
        // It is looked at whoever asks: not every number is a port.
        let is_port = store.int(Slot::ClientPort, Some(port), false);
        if !is_port || !store.date(self.date, DateForm::Millis, date) {
            return None;
        }
        if self.keep_address {
            store.plain(Slot::ClientIp, &rest[..colon]);
        }
        Some(at + length + behind.len())
    }
}

impl Tail {
    /// ` {a|b} {c} "GET /path?query HTTP/1.1"` up to the line's end. Of what
    /// [`request`](crate::haproxy::request) reads, which is what relays have made of it too,
    /// this is what is left where nothing is escaped and no closing brace and no quote is
    /// inside anything.
    #[inline(never)]
    fn read<'a>(self, line: &'a [u8], at: usize, store: &mut Store<'_, 'a>) -> Option<usize> {
        let start = match (self.blank, line.get(at)) {
            (false, _) => at,
            (true, Some(b' ')) => at + 1,
            (true, _) => return None,
        };
        let Marks {
            braces,
            open,
            query,
        } = Marks::find(line, start)?;
        let block = |from: usize, to: usize| match line[from] {
            b'{' => line.get(from + 1..to),
            _ => None,
        };
        // Where braces and quotes are says what may stand between them.
        let (first, second) = match braces {
            [0, 0] if open == start => (None, None),
            [one, 0] if open == one + 2 && line[one + 1] == b' ' => {
                (Some(block(start, one)?), None)
            }
            [one, two] if open == two + 2 && line[two + 1] == b' ' && line[one + 1] == b' ' => {
                (Some(block(start, one)?), Some(block(one + 2, two)?))
            }
            _ => return None,
        };
        let close = line.len() - 1;
        // A blank before a quote would make it one that opens a request.
        if close <= open + 1 || line[close - 1].is_ascii_whitespace() {
            return None;
        }
        if self.keep_captures {
            let captures = |values| Captures {
                values,
                separator: Separator::Pipe,
                names: &[],
            };
            let (request, response) = match (first, second, self.single) {
                (first, None, Single::Response) => (None, first),
                (first, second, _) => (first, second),
            };
            let event = &mut *store.event;
            event.request_headers = request.map(captures);
            event.response_headers = response.map(captures);
        }
        if self.keep_request {
            let request = &line[open + 1..close];
            let blank = match request.first_chunk().map(blanks) {
                None | Some(0) => find(b' ', b' ', request)?,
                Some(ends) => ends.trailing_zeros() as usize,
            };
            let (before, version) = request.split_last_chunk()?;
            if blank == 0 || blank + 1 >= before.len() || !is_version(version) {
                return None;
            }
            let target = &before[blank + 1..];
            let (path, query) = match query {
                Some(at) => {
                    let mark = at.checked_sub(open + 1 + blank + 1)?;
                    (target.get(..mark)?, Some(target.get(mark + 1..)?))
                }
                None => (target, None),
            };
            store.usual_request(store::Request {
                request,
                method: &request[..blank],
                path,
                query,
                http_version: &version[1..],
            });
        }
        Some(line.len())
    }
}

/// What tells the parts of a line's end apart, each by its place. The line's last byte is the
/// quote that closes the request.
#[derive(Clone, Copy, Debug)]
struct Marks {
    /// Those before the request that close captures; 0 where there are none.
    braces: [usize; 2],
    open: usize,
    /// The first question mark between the quotes.
    query: Option<usize>,
}

impl Marks {
    /// `None` if there are others than these, anything is escaped, or the line's end is longer
    /// than is looked at here.
    #[inline(always)]
    fn find(line: &[u8], start: usize) -> Option<Marks> {
        // How long an end is cannot be foretold: the usual ones are all looked at alike.
        let looks = line.len().checked_sub(start)?.div_ceil(64);
        match looks <= 3 && line.len() >= 3 * 64 {
            true => Marks::find_in::<3>(line, start),
            false => Marks::find_in_other(line, start, looks),
        }
    }

    #[inline(never)]
    fn find_in_other(line: &[u8], start: usize, looks: usize) -> Option<Marks> {
        match looks {
            1 => Marks::find_in::<1>(line, start),
            2 => Marks::find_in::<2>(line, start),
            3 => Marks::find_in::<3>(line, start),
            4 => Marks::find_in::<4>(line, start),
            5 => Marks::find_in::<5>(line, start),
            6 => Marks::find_in::<6>(line, start),
            7 => Marks::find_in::<7>(line, start),
            8 => Marks::find_in::<8>(line, start),
            _ => None,
        }
    }

    /// In the last `N` times 64 bytes of the line. `None` if it has fewer.
    #[inline(always)]
    fn find_in<const N: usize>(line: &[u8], start: usize) -> Option<Marks> {
        let first = line.len().checked_sub(N * 64)?;
        let looks: &[[u8; 64]; N] = line[first..].as_chunks().0.try_into().ok()?;
        let from = Bits::<N>::from(start.checked_sub(first)?);
        let (mut quotes, mut closing, mut queries) = (Bits([0; N]), Bits([0; N]), Bits([0; N]));
        for (look, bytes) in looks.iter().enumerate() {
            let bytes = Bytes::of(bytes);
            quotes.0[look] = bytes.equal(b'"') & from.0[look];
            // An escape, too: it cannot be where a brace has to be.
            closing.0[look] = bytes.any_of([b'}', b'#']) & from.0[look];
            queries.0[look] = bytes.equal(b'?');
        }
        let open = quotes.first()?;
        if quotes.count() != 2 || line.last() != Some(&b'"') {
            return None;
        }
        let brace = |place: Option<usize>| {
            let place = first + place?;
            (line.get(place) == Some(&b'}')).then_some(place)
        };
        let braces = match closing.count() {
            0 => [0, 0],
            1 => [brace(closing.first())?, 0],
            2 => [brace(closing.first())?, brace(closing.last())?],
            _ => return None,
        };
        Some(Marks {
            braces,
            open: first + open,
            query: queries.and(Bits::from(open)).first().map(|at| first + at),
        })
    }
}

/// A bit for each of some hundred bytes. What is made of them has no branch for any word.
#[derive(Clone, Copy)]
struct Bits<const N: usize>([u64; N]);

impl<const N: usize> Bits<N> {
    /// All from that place on.
    #[inline(always)]
    fn from(place: usize) -> Self {
        let mut bits = [0; N];
        for (word, bits) in bits.iter_mut().enumerate() {
            let place = place.saturating_sub(word * 64);
            *bits = if place < 64 { u64::MAX << place } else { 0 };
        }
        Bits(bits)
    }

    #[inline(always)]
    fn and(mut self, other: Self) -> Self {
        for (bits, other) in self.0.iter_mut().zip(&other.0) {
            *bits &= other;
        }
        self
    }

    #[inline(always)]
    fn count(self) -> u32 {
        self.0.iter().map(|bits| bits.count_ones()).sum()
    }

    /// The place of the first one that is set.
    #[inline(always)]
    fn first(self) -> Option<usize> {
        let mut first = None;
        for (word, bits) in self.0.iter().enumerate().rev() {
            let place = word * 64 + bits.trailing_zeros() as usize;
            first = if *bits != 0 { Some(place) } else { first };
        }
        first
    }

    /// The place of the last one that is set.
    #[inline(always)]
    fn last(self) -> Option<usize> {
        let mut last = None;
        for (word, bits) in self.0.iter().enumerate() {
            let place = word * 64 + 63 - (bits | 1).leading_zeros() as usize;
            last = if *bits != 0 { Some(place) } else { last };
        }
        last
    }
}

/// ` HTTP/1.1`, or another such.
#[inline(always)]
fn is_version(version: &[u8; 9]) -> bool {
    let [b' ', rest @ ..] = version else {
        return false;
    };
    // One comparison for all but the two digits.
    const DIGITS: u64 = u64::from_le_bytes([0, 0, 0, 0, 0, 0xff, 0, 0xff]);
    const LIKE: u64 = u64::from_le_bytes(*b"HTTP/\0.\0");
    let [.., major, _, minor] = rest;
    u64::from_le_bytes(*rest) & !DIGITS == LIKE && major.is_ascii_digit() && minor.is_ascii_digit()
}

#[cfg(test)]
mod tests;
