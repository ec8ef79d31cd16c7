//! A line through the steps of a plan.
//!
//! Nothing is allocated: values are pieces of the line, and where it gets stuck is two
//! numbers.

use super::{Class, DateForm, Form, Plan, Segment, Slot, Step, Store, Then, Value};
use crate::haproxy::event::Separator;
use crate::haproxy::field::Field;
use crate::haproxy::leaf::{Stuck, blanks, digits, find};
use crate::haproxy::request;
use memchr::memchr;

/// Headers that one line can have captured: as many as a frontend may capture.
const CAPTURES_MAX: usize = 256;

/// Why a line is not of the plan's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::haproxy) enum Misfit {
    Stuck(Stuck),
    /// It can be read in more than one way, or has too many ends of values to be tried
    /// ([`search`](super::search)).
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
        self.read_segments(&self.segments, line, store, trailing)
    }

    /// Reads a line that cannot be read as it should be, by taking its cookies for a text
    /// of which nothing is kept. `misfit` is why it cannot.
    pub(in crate::haproxy) fn read_loosely<'a>(
        &self,
        line: &'a [u8],
        store: &mut Store<'_, 'a>,
        misfit: Misfit,
    ) -> Result<(), Misfit> {
        if self.loose.is_empty() {
            return Err(misfit);
        }
        match self.read_segments(&self.loose, line, store, false) {
            Err(Misfit::Stuck(_)) => Err(misfit),
            read => read,
        }
    }

    #[inline]
    pub(super) fn read_segments<'a>(
        &self,
        segments: &[Segment],
        line: &'a [u8],
        store: &mut Store<'_, 'a>,
        trailing: bool,
    ) -> Result<(), Misfit> {
        let [first, searched @ ..] = segments else {
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

    /// Runs the steps of a segment; keeps what they read if `KEEP` is set.
    #[inline]
    pub(super) fn steps<'a, const KEEP: bool>(
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
                Step::Ints(ints) => {
                    let mut rest = rest;
                    for (slot, then) in ints {
                        let behind = int::<KEEP>(rest, *slot, store)?;
                        rest = read_then(line, behind, *then, *slot)?;
                    }
                    rest
                }
                Step::Word {
                    slot,
                    stop,
                    never,
                    then,
                } => {
                    let end = find(*stop, *never, rest).filter(|&end| rest[end] == *stop);
                    let Some(end) = end else {
                        return Err(stuck(rest, slot.field()));
                    };
                    if KEEP {
                        store.plain(*slot, &rest[..end]);
                    }
                    read_then(line, &rest[end..], *then, *slot)?
                }
                Step::Until {
                    value,
                    stop,
                    never,
                    or_end,
                    then,
                } => {
                    let behind = until::<KEEP>(rest, *value, (*stop, *never), *or_end, store)?;
                    if KEEP && store.cut {
                        return Ok(behind);
                    }
                    read_then(line, behind, *then, value.slot)?
                }
                Step::AddressPort {
                    address,
                    port,
                    stop,
                    then,
                } => {
                    let behind = address_port::<KEEP>(rest, *address, *port, *stop, store)?;
                    read_then(line, behind, *then, *port)?
                }
                Step::Date { slot, form, then } => {
                    let behind = date::<KEEP>(rest, *slot, *form, store)?;
                    read_then(line, behind, *then, *slot)?
                }
                Step::Fixed { slot, length, then } => {
                    let behind = fixed::<KEEP>(rest, *slot, *length, store)?;
                    read_then(line, behind, *then, *slot)?
                }
                Step::Tail { after, .. } if !matches!(rest.first(), None | Some(b' ')) => {
                    return Err(stuck(rest, *after));
                }
                Step::Tail { last, .. } => {
                    tail::<KEEP>(rest, store, self.captured.single(), *last)?
                }
                Step::Rest(value) => {
                    if !value.class.holds_all(rest) {
                        return Err(stuck(rest, value.slot.field()));
                    }
                    if KEEP {
                        store.text(*value, rest);
                    }
                    &[]
                }
                Step::HexInt(slot) => hex_int::<KEEP>(rest, *slot, store)?,
                Step::Captures { value, quoted } => captures::<KEEP>(rest, *value, *quoted, store)?,
                Step::CaptureList { value, count } => {
                    capture_list::<KEEP>(rest, *value, *count, store)?
                }
                Step::Json(value) => json::<KEEP>(rest, *value, store)?,
            };
            if KEEP && store.cut {
                break;
            }
        }
        Ok(rest)
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

#[cold]
pub(super) fn stuck(rest: &[u8], field: Field) -> Stuck {
    Stuck {
        field,
        left: rest.len(),
    }
}

/// What belongs to the same step as the value before it.
#[inline(always)]
fn read_then<'a>(line: &[u8], rest: &'a [u8], then: Then, after: Slot) -> Read<'a> {
    match (then, rest) {
        (Then::Nothing, _) => Ok(rest),
        (Then::Byte(byte), [first, behind @ ..]) if *first == byte => Ok(behind),
        (Then::Byte(_), _) => Err(stuck(rest, after.field())),
        (Then::Blank, [b' ', behind @ ..]) => Ok(blanks(behind)),
        (Then::Blank, _) => blank(line, rest, false, after.field()),
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

#[inline(always)]
fn int<'a, const KEEP: bool>(rest: &'a [u8], slot: Slot, store: &mut Store<'_, 'a>) -> Read<'a> {
    match digits(rest) {
        Some((value, length)) => {
            let behind = &rest[length..];
            keep_int::<KEEP>(rest, behind, slot, Some(value), false, Form::Plain, store)?;
            Ok(behind)
        }
        None => signed::<KEEP>(rest, slot, store),
    }
}

/// A number with a sign, or what stands for none.
#[inline(never)]
fn signed<'a, const KEEP: bool>(rest: &'a [u8], slot: Slot, store: &mut Store<'_, 'a>) -> Read<'a> {
    let (value, plus, behind) = match rest {
        [b'+', unsigned @ ..] if slot.may_have_plus() => match digits(unsigned) {
            Some((value, length)) => (Some(value), true, &unsigned[length..]),
            None => return Err(stuck(rest, slot.field())),
        },
        [b'-', unsigned @ ..] => match digits(unsigned) {
            Some((value, length)) => (Some(-value), false, &unsigned[length..]),
            None => (None, false, unsigned),
        },
        // No value in quotes.
        [b'"', b'"', behind @ ..] => (None, false, behind),
        _ => return Err(stuck(rest, slot.field())),
    };
    keep_int::<KEEP>(rest, behind, slot, value, plus, Form::Plain, store)?;
    Ok(behind)
}

#[inline(always)]
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
    // One digit more than a number has, which then is none.
    let digits = rest.iter().take(17);
    let length = digits.take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, behind) = rest.split_at(length);
    if let ([], [b'-', behind @ ..] | [b'"', b'"', behind @ ..]) = (digits, behind) {
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
    (stop, never): (u8, u8),
    or_end: bool,
    store: &mut Store<'_, 'a>,
) -> Read<'a> {
    if let Some(lead) = value.class.lead()
        && rest.first() != Some(&lead)
        && !rest.starts_with(request::BAD)
    {
        // Nothing is printed, and the next word is another value's.
        if KEEP {
            store.text(value, &[]);
        }
        return Ok(rest);
    }
    let mut from = 0;
    let end = loop {
        match find(stop, never, &rest[from..]) {
            Some(at) if rest[from + at] != stop => return Err(stuck(rest, value.slot.field())),
            Some(at) if value.form == Form::Escaped && is_escaped(&rest[..from + at]) => {
                from += at + 1
            }
            Some(at) => break from + at,
            None if or_end => break rest.len(),
            // The line was cut off in its request: that is the end of it.
            None if KEEP && value.slot == Slot::Request => {
                store.request(rest, value.form, false);
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
                store.plain(slot, text);
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
        Some(stop) => find(stop, stop, rest),
        None => Some(rest.len()),
    };
    let Some(word) = end.map(|end| &rest[..end]) else {
        return Err(stuck(rest, address.field()));
    };
    // A port has few digits: no need to set up a search.
    let colon = word.iter().rposition(|&byte| byte == b':');
    let Some(colon) = colon.filter(|&colon| colon > 0) else {
        return Err(stuck(rest, address.field()));
    };
    if stop != Some(b' ') && memchr(b' ', &word[..colon]).is_some() {
        return Err(stuck(rest, address.field()));
    }
    let behind = int::<KEEP>(&rest[colon + 1..], port, store)?;
    if rest.len() - behind.len() != word.len() {
        return Err(stuck(behind, port.field()));
    }
    if KEEP {
        store.plain(address, &word[..colon]);
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
    last: bool,
) -> Read<'a> {
    let tail = match last {
        true => request::tail(rest, single)?,
        false => request::tail_within(rest, single)?,
    };
    if KEEP {
        let pipes = |values| (values, Separator::Pipe);
        let plain = |slot| Value::plain(slot, Class::Captures);
        store.captures(plain(Slot::RequestHeaders), tail.request_headers.map(pipes));
        store.captures(
            plain(Slot::ResponseHeaders),
            tail.response_headers.map(pipes),
        );
        store.request(tail.request, Form::Plain, tail.complete);
        store.cut = !tail.complete;
    }
    Ok(tail.rest)
}

fn captures<'a, const KEEP: bool>(
    rest: &'a [u8],
    value: Value,
    quoted: bool,
    store: &mut Store<'_, 'a>,
) -> Read<'a> {
    let (open, close): (&[u8], &[u8]) = match quoted {
        true => (b"\"{", b"}\""),
        false => (b"{", b"}"),
    };
    let Some(inside) = rest.strip_prefix(open) else {
        if KEEP {
            store.captures(value, None);
        }
        return Ok(rest);
    };
    let end = memchr(b'}', inside).filter(|&end| inside[end..].starts_with(close));
    let Some(end) = end else {
        return Err(stuck(rest, value.slot.field()));
    };
    if KEEP {
        store.captures(value, Some((&inside[..end], Separator::Pipe)));
    }
    Ok(&inside[end + close.len()..])
}

/// `"a" "b"`. HAProxy writes quotes in values as `#22`.
fn capture_list<'a, const KEEP: bool>(
    rest: &'a [u8],
    value: Value,
    count: Option<usize>,
    store: &mut Store<'_, 'a>,
) -> Read<'a> {
    let mut read = 0;
    let mut end = 0;
    while read < count.unwrap_or(CAPTURES_MAX) {
        let next = match (read, &rest[end..]) {
            (0, [b'"', inside @ ..]) | (_, [b' ', b'"', inside @ ..]) => inside,
            _ => break,
        };
        let Some(length) = memchr(b'"', next) else {
            return Err(stuck(rest, value.slot.field()));
        };
        end = rest.len() - next.len() + length + 1;
        read += 1;
    }
    if KEEP {
        let values = (read > 0).then(|| (&rest[1..end - 1], Separator::Quotes));
        store.captures(value, values);
    }
    Ok(&rest[end..])
}

/// Whether numbers, `true` and `null` in JSON are made of it.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

/// A string in quotes, or a word such as a number, `true` or `null`.
fn json<'a, const KEEP: bool>(rest: &'a [u8], value: Value, store: &mut Store<'_, 'a>) -> Read<'a> {
    let Some(inside) = rest.strip_prefix(b"\"") else {
        let length = rest.iter().take_while(|&&byte| is_word(byte)).count();
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
    let mut from = 0;
    let end = loop {
        match memchr(b'"', &inside[from..]) {
            Some(at) if is_escaped(&inside[..from + at]) => from += at + 1,
            Some(at) => break from + at,
            // The line was cut off in its request.
            None if KEEP && value.slot == Slot::Request => {
                store.request(inside, value.form, false);
                store.cut = true;
                return Ok(&[]);
            }
            None => return Err(stuck(rest, value.slot.field())),
        }
    };
    if KEEP && !store.any(value, &inside[..end]) {
        return Err(stuck(rest, value.slot.field()));
    }
    Ok(&inside[end + 1..])
}
