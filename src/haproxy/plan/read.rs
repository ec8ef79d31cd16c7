//! A line through the steps of a plan.
//!
//! Nothing is allocated: values are pieces of the line, and where it gets stuck is two
//! numbers.

use super::{Class, DateForm, Form, Plan, Search, Segment, Slot, Step, Store, Value};
use crate::haproxy::event::Separator;
use crate::haproxy::field::Field;
use crate::haproxy::leaf::{Stuck, blanks, number};
use crate::haproxy::request;
use memchr::{memchr, memchr2, memrchr};

/// Why a line is not of the plan's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::haproxy) enum Misfit {
    Stuck(Stuck),
    /// It can be read in more than one way.
    Ambiguous,
}

impl From<Stuck> for Misfit {
    fn from(stuck: Stuck) -> Self {
        Misfit::Stuck(stuck)
    }
}

/// What is left of the line behind some steps.
type Read<'a> = Result<&'a [u8], Stuck>;

impl Plan {
    /// Reads a whole line into `store`. With `trailing`, it may go on behind its last
    /// field.
    #[inline]
    pub(in crate::haproxy) fn read<'a>(
        &self,
        line: &'a [u8],
        store: &mut Store<'_, 'a>,
        trailing: bool,
    ) -> Result<(), Misfit> {
        let [first, searched @ ..] = &*self.segments else {
            return Ok(());
        };
        let rest = self.steps::<true>(first, line, line, store)?;
        if !searched.is_empty() && !store.cut {
            return self.searched(searched, line, rest, store);
        }
        match rest {
            [] => Ok(()),
            _ if trailing => Ok(()),
            rest => Err(stuck(rest, Field::Kind).into()),
        }
    }

    /// Segments with a search before each. The leftmost place is taken at which the steps
    /// can be read, in the last one to the line's end.
    fn searched<'a>(
        &self,
        segments: &[Segment],
        line: &'a [u8],
        mut rest: &'a [u8],
        store: &mut Store<'_, 'a>,
    ) -> Result<(), Misfit> {
        store.searched.clear();
        for (index, segment) in segments.iter().enumerate() {
            let Some(search) = &segment.search else {
                continue;
            };
            let last = index + 1 == segments.len();
            let found = search.places(rest).find_map(|end| {
                let behind = self
                    .steps::<true>(segment, line, &rest[end..], store)
                    .ok()?;
                (!last || behind.is_empty()).then_some((end, behind))
            });
            let Some((end, behind)) = found else {
                return Err(stuck(rest, search.value.slot.field()).into());
            };
            store.text(search.value, &rest[..end]);
            let start = line.len() - rest.len();
            store.searched.push(start..start + end);
            rest = behind;
            if store.cut {
                return Ok(());
            }
        }
        match self.is_unique(segments, line, store) {
            true => Ok(()),
            false => Err(Misfit::Ambiguous),
        }
    }

    /// Whether the rightmost reading is the leftmost one too.
    fn is_unique<'a>(
        &self,
        segments: &[Segment],
        line: &'a [u8],
        store: &mut Store<'_, 'a>,
    ) -> bool {
        // Where the value behind the steps must have begun at the latest.
        let mut limit = line.len();
        for (index, segment) in segments.iter().enumerate().rev() {
            let (Some(search), Some(found)) = (&segment.search, store.searched.get(index)) else {
                continue;
            };
            let found = found.clone();
            let last = index + 1 == segments.len();
            let rightmost = search.places_back(&line[found.start..limit]).find(|&end| {
                let rest = &line[found.start + end..];
                match self.steps::<false>(segment, line, rest, store) {
                    Ok(behind) if last => behind.is_empty(),
                    Ok(behind) => line.len() - behind.len() <= limit,
                    Err(_) => false,
                }
            });
            if rightmost.is_some_and(|end| found.start + end != found.end) {
                return false;
            }
            limit = found.end;
        }
        true
    }

    /// Runs the steps of a segment; keeps what they read if `KEEP` is set.
    #[inline]
    fn steps<'a, const KEEP: bool>(
        &self,
        segment: &Segment,
        line: &'a [u8],
        mut rest: &'a [u8],
        store: &mut Store<'_, 'a>,
    ) -> Read<'a> {
        for step in &segment.steps {
            rest = match step {
                Step::Blank { last, after } => blank(line, rest, *last, *after)?,
                Step::Literal { bytes, after } => match rest.strip_prefix(&**bytes) {
                    Some(rest) => rest,
                    None => return Err(stuck(rest, *after)),
                },
                Step::Int(slot) => int::<KEEP>(rest, *slot, store)?,
                Step::Until { value, stop, never } => {
                    until::<KEEP>(rest, *value, *stop, *never, store)?
                }
                Step::AddressPort {
                    address,
                    port,
                    stop,
                } => address_port::<KEEP>(rest, *address, *port, *stop, store)?,
                Step::Date { slot, form } => date::<KEEP>(rest, *slot, *form, store)?,
                Step::Fixed { slot, length } => fixed::<KEEP>(rest, *slot, *length, store)?,
                Step::Tail { after } if !matches!(rest.first(), None | Some(b' ')) => {
                    return Err(stuck(rest, *after));
                }
                Step::Tail { .. } => tail::<KEEP>(rest, store, self.single_captures())?,
                Step::Rest(value) => {
                    if !rest.iter().all(|&byte| value.class.holds(byte)) {
                        return Err(stuck(rest, value.slot.field()));
                    }
                    if KEEP {
                        store.text(*value, rest);
                    }
                    &[]
                }
                Step::HexInt(slot) => hex_int::<KEEP>(rest, *slot, store)?,
                Step::Captures { slot, quoted } => captures::<KEEP>(rest, *slot, *quoted, store)?,
                Step::CaptureList { slot, count } => {
                    capture_list::<KEEP>(rest, *slot, *count, store)?
                }
                Step::Json(value) => json::<KEEP>(rest, *value, store)?,
            };
            if KEEP && store.cut {
                break;
            }
        }
        Ok(rest)
    }

    /// Whose the block is if a line has one alone.
    fn single_captures(&self) -> request::Single {
        let captured = &self.captured;
        match (captured.request.is_empty(), captured.response.is_empty()) {
            (true, false) if captured.known => request::Single::Response,
            (false, true) if captured.known => request::Single::Request,
            _ => request::Single::Unknown,
        }
    }
}

impl Value {
    const fn plain(slot: Slot, class: Class) -> Self {
        Value {
            slot,
            class,
            form: Form::Plain,
        }
    }
}

impl Search {
    /// Where the value can end, from the left.
    fn places<'s>(&'s self, rest: &'s [u8]) -> impl Iterator<Item = usize> + 's {
        let mut from = 0;
        std::iter::from_fn(move || {
            loop {
                let at = from + memchr(*self.needle.first()?, rest.get(from..)?)?;
                // Every place that follows holds the byte that this one cannot.
                if !rest[from..at]
                    .iter()
                    .all(|&byte| self.value.class.holds(byte))
                {
                    from = rest.len() + 1;
                    return None;
                }
                // The byte found may be one that the value holds, too.
                let holds = self.value.class.holds(rest[at]);
                from = if holds { at + 1 } else { rest.len() + 1 };
                if self.is_place(rest, at) {
                    return Some(at);
                }
            }
        })
    }

    /// The same from the right, where the value can be as long as it likes.
    fn places_back<'s>(&'s self, rest: &'s [u8]) -> impl Iterator<Item = usize> + 's {
        let other = |&byte: &u8| !self.value.class.holds(byte);
        // One byte that the value cannot hold may be what ends it.
        let mut to = rest.iter().position(other).map_or(rest.len(), |at| at + 1);
        std::iter::from_fn(move || {
            loop {
                let at = memrchr(*self.needle.first()?, &rest[..to])?;
                to = at;
                if self.is_place(rest, at) {
                    return Some(at);
                }
            }
        })
    }

    /// A run of blanks is one separator: it begins at its first.
    fn is_place(&self, rest: &[u8], at: usize) -> bool {
        rest[at..].starts_with(&self.needle)
            && !(*self.needle == *b" " && at > 0 && rest[at - 1] == b' ')
    }
}

#[cold]
fn stuck(rest: &[u8], field: Field) -> Stuck {
    Stuck {
        field,
        left: rest.len(),
    }
}

#[inline]
fn blank<'a>(line: &[u8], rest: &'a [u8], last: bool, after: Field) -> Read<'a> {
    let read = line.len() - rest.len();
    match rest.first() {
        Some(b' ') => Ok(blanks(rest)),
        None if last => Ok(rest),
        // A value that is empty has no blank of its own.
        _ if read == 0 || line[read - 1] == b' ' => Ok(rest),
        _ => Err(stuck(rest, after)),
    }
}

#[inline]
fn int<'a, const KEEP: bool>(rest: &'a [u8], slot: Slot, store: &mut Store<'_, 'a>) -> Read<'a> {
    let (unsigned, plus) = match rest {
        [b'+', unsigned @ ..] if slot.may_have_plus() => (unsigned, true),
        _ => (rest, false),
    };
    let Some((value, behind)) = number(unsigned) else {
        return match rest {
            // What has no value.
            [b'-', behind @ ..] => {
                keep_int::<KEEP>(rest, behind, slot, None, false, Form::Plain, store)?;
                Ok(behind)
            }
            _ => Err(stuck(rest, slot.field())),
        };
    };
    if plus && value < 0 {
        return Err(stuck(rest, slot.field()));
    }
    keep_int::<KEEP>(rest, behind, slot, Some(value), plus, Form::Plain, store)?;
    Ok(behind)
}

#[inline]
fn keep_int<'a, const KEEP: bool>(
    rest: &'a [u8],
    behind: &'a [u8],
    slot: Slot,
    value: Option<i64>,
    plus: bool,
    form: Form,
    store: &mut Store<'_, 'a>,
) -> Result<(), Stuck> {
    if !KEEP {
        return Ok(());
    }
    if let Slot::Extra(index) = slot {
        store.extra_int(index, &rest[..rest.len() - behind.len()], form);
        return Ok(());
    }
    match store.int(slot, value, plus) {
        true => Ok(()),
        false => Err(stuck(rest, slot.field())),
    }
}

/// HAProxy's `%04X` and `%02X`, and eight digits for a number of 32 bits.
fn hex_int<'a, const KEEP: bool>(
    rest: &'a [u8],
    slot: Slot,
    store: &mut Store<'_, 'a>,
) -> Read<'a> {
    let length = rest
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let (digits, behind) = rest.split_at(length);
    if let ([], [b'-', behind @ ..]) = (digits, behind) {
        keep_int::<KEEP>(rest, behind, slot, None, false, Form::Hex, store)?;
        return Ok(behind);
    }
    let digits = std::str::from_utf8(digits).unwrap_or_default();
    let Ok(value) = i64::from_str_radix(digits, 16) else {
        return Err(stuck(rest, slot.field()));
    };
    keep_int::<KEEP>(rest, behind, slot, Some(value), false, Form::Hex, store)?;
    Ok(behind)
}

#[inline]
fn until<'a, const KEEP: bool>(
    rest: &'a [u8],
    value: Value,
    stop: u8,
    never: u8,
    store: &mut Store<'_, 'a>,
) -> Read<'a> {
    if value.class == Class::Query && rest.first() != Some(&b'?') {
        // No query: nothing is printed, and the next word is another value's.
        if KEEP {
            store.text(value, &[]);
        }
        return Ok(rest);
    }
    let mut from = 0;
    let end = loop {
        match memchr2(stop, never, &rest[from..]) {
            Some(at) if rest[from + at] != stop => return Err(stuck(rest, value.slot.field())),
            Some(at) if value.form == Form::Escaped && is_escaped(&rest[..from + at]) => {
                from += at + 1
            }
            Some(at) => break from + at,
            // The line was cut off in its request: that is the end of it.
            None if KEEP && value.slot == Slot::Request => {
                store.request(rest, false);
                store.cut = true;
                return Ok(&[]);
            }
            None => return Err(stuck(rest, value.slot.field())),
        }
    };
    if KEEP {
        store.text(value, &rest[..end]);
    }
    Ok(&rest[end..])
}

/// An odd number of backslashes stands at its end.
fn is_escaped(before: &[u8]) -> bool {
    before
        .iter()
        .rev()
        .take_while(|&&byte| byte == b'\\')
        .count()
        % 2
        == 1
}

/// Four characters of a termination state were two in lines of HAProxy 1.1.
#[inline]
fn fixed<'a, const KEEP: bool>(
    rest: &'a [u8],
    slot: Slot,
    length: u8,
    store: &mut Store<'_, 'a>,
) -> Read<'a> {
    let length = match (length, rest) {
        (4, [_, _, b' ', ..]) => 2,
        (length, _) => usize::from(length),
    };
    match rest.split_at_checked(length) {
        Some((text, behind)) if !text.contains(&b' ') => {
            if KEEP {
                store.text(Value::plain(slot, Class::Word), text);
            }
            Ok(behind)
        }
        _ => Err(stuck(rest, slot.field())),
    }
}

#[inline]
fn address_port<'a, const KEEP: bool>(
    rest: &'a [u8],
    address: Slot,
    port: Slot,
    stop: Option<u8>,
    store: &mut Store<'_, 'a>,
) -> Read<'a> {
    let end = match stop {
        Some(stop) => memchr(stop, rest),
        None => Some(rest.len()),
    };
    let Some(word) = end.map(|end| &rest[..end]) else {
        return Err(stuck(rest, address.field()));
    };
    let Some(colon) = memrchr(b':', word).filter(|&colon| colon > 0) else {
        return Err(stuck(rest, address.field()));
    };
    if memchr(b' ', &word[..colon]).is_some() {
        return Err(stuck(rest, address.field()));
    }
    let behind = int::<KEEP>(&rest[colon + 1..], port, store)?;
    if rest.len() - behind.len() != word.len() {
        return Err(stuck(behind, port.field()));
    }
    if KEEP {
        store.text(Value::plain(address, Class::Address), &word[..colon]);
    }
    Ok(behind)
}

#[inline]
fn date<'a, const KEEP: bool>(
    rest: &'a [u8],
    slot: Slot,
    form: DateForm,
    store: &mut Store<'_, 'a>,
) -> Read<'a> {
    let length = match form {
        // Very old versions print no milliseconds.
        DateForm::Millis if rest.get(20) != Some(&b'.') => 20,
        DateForm::Millis => 24,
        DateForm::Offset => 26,
    };
    let Some((date, behind)) = rest.split_at_checked(length) else {
        return Err(stuck(rest, slot.field()));
    };
    let read = match KEEP {
        true => store.date(slot, form, date),
        false => store.is_date(form, date),
    };
    match read {
        true => Ok(behind),
        false => Err(stuck(rest, slot.field())),
    }
}

#[inline]
fn tail<'a, const KEEP: bool>(
    rest: &'a [u8],
    store: &mut Store<'_, 'a>,
    single: request::Single,
) -> Read<'a> {
    let tail = request::tail(rest, single)?;
    if KEEP {
        let pipes = |values| (values, Separator::Pipe);
        store.captures(Slot::RequestHeaders, tail.request_headers.map(pipes));
        store.captures(Slot::ResponseHeaders, tail.response_headers.map(pipes));
        store.request(tail.request, tail.complete);
        store.cut = !tail.complete;
    }
    Ok(tail.rest)
}

fn captures<'a, const KEEP: bool>(
    rest: &'a [u8],
    slot: Slot,
    quoted: bool,
    store: &mut Store<'_, 'a>,
) -> Read<'a> {
    let (open, close): (&[u8], &[u8]) = match quoted {
        true => (b"\"{", b"}\""),
        false => (b"{", b"}"),
    };
    let Some(inside) = rest.strip_prefix(open) else {
        if KEEP {
            store.captures(slot, None);
        }
        return Ok(rest);
    };
    let end = memchr(b'}', inside).filter(|&end| inside[end..].starts_with(close));
    let Some(end) = end else {
        return Err(stuck(rest, slot.field()));
    };
    if KEEP {
        store.captures(slot, Some((&inside[..end], Separator::Pipe)));
    }
    Ok(&inside[end + close.len()..])
}

/// `"a" "b"`. HAProxy writes quotes in values as `#22`.
fn capture_list<'a, const KEEP: bool>(
    rest: &'a [u8],
    slot: Slot,
    count: Option<usize>,
    store: &mut Store<'_, 'a>,
) -> Read<'a> {
    let mut read = 0;
    let mut end = 0;
    while count.is_none_or(|count| read < count) {
        let next = match (read, &rest[end..]) {
            (0, [b'"', inside @ ..]) | (_, [b' ', b'"', inside @ ..]) => inside,
            _ => break,
        };
        let Some(length) = memchr(b'"', next) else {
            return Err(stuck(rest, slot.field()));
        };
        end = rest.len() - next.len() + length + 1;
        read += 1;
    }
    if KEEP {
        let values = (read > 0).then(|| (&rest[1..end - 1], Separator::Quotes));
        store.captures(slot, values);
    }
    Ok(&rest[end..])
}

/// A string in quotes, or a word such as a number, `true` or `null`.
fn json<'a, const KEEP: bool>(rest: &'a [u8], value: Value, store: &mut Store<'_, 'a>) -> Read<'a> {
    let Some(inside) = rest.strip_prefix(b"\"") else {
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        let length = rest.iter().take_while(|byte| word(byte)).count();
        let (word, behind) = rest.split_at(length);
        if word.is_empty() {
            return Err(stuck(rest, value.slot.field()));
        }
        let word = if word == b"null" { &[] } else { word };
        let plain = Value::plain(value.slot, value.class);
        if KEEP && !store.any(plain, word) {
            return Err(stuck(rest, value.slot.field()));
        }
        return Ok(behind);
    };
    match until::<KEEP>(inside, value, b'"', b'"', store)? {
        [b'"', behind @ ..] => Ok(behind),
        // Cut off in its request.
        [] if store.cut => Ok(&[]),
        _ => Err(stuck(rest, value.slot.field())),
    }
}
