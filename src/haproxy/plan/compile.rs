//! A format to the steps of a plan; what cannot be told apart is refused.

use super::parts::{Part, PartField, checks_cast, field, is_cookie, is_hex, literal, loose, value};
use super::read::is_word;
use super::{Form, Key, Plan, Search, Segment, Step, Then, Value};
use crate::haproxy::alias::{Class, Slot};
use crate::haproxy::event::Kind;
use crate::haproxy::field::Field;
use crate::haproxy::log_format::{Encoding, FieldSource, LogFormat, What};
use crate::haproxy::request::Single;
use crate::source::Fault;

/// The names of captured headers, in the order in which lines have them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::haproxy) struct Captured {
    pub(in crate::haproxy) request: Box<[Box<str>]>,
    pub(in crate::haproxy) response: Box<[Box<str>]>,
    /// Nothing is captured but these. Otherwise lines may have captures without names.
    pub(in crate::haproxy) known: bool,
}

/// Makes the plan of a format. Its lines are of `kind`, or of the kind that its fields
/// tell.
///
/// # Errors
///
/// The first place where a line could not be taken apart again.
pub(in crate::haproxy) fn compile(
    format: &LogFormat,
    kind: Option<Kind>,
    captured: Captured,
) -> Result<Plan, Fault> {
    let mut http = false;
    let mut tells_frontend = false;
    let mut extra = Vec::new();
    let mut parts = Vec::new();
    let mut keys = Vec::new();
    for item in &format.items {
        match &item.what {
            What::Blank => parts.push(Part::Blank),
            What::Literal(bytes) => literal(&mut parts, bytes),
            What::Field(written) => {
                http |= matches!(&written.source, FieldSource::Alias(alias) if alias.http);
                if format.encoding.is_some() && written.name.is_none() {
                    // HAProxy leaves out what has no name to be printed under.
                    continue;
                }
                let mut value = value(written, &mut extra, &item.span)?;
                tells_frontend |= value.slot.field() == Field::Frontend;
                match format.encoding {
                    Some(_) => {
                        if is_hex(written) {
                            value.form = Form::Hex;
                        }
                        checks_cast(written, value, &item.span)?;
                        keys.push(Key {
                            name: written.name.clone().unwrap_or_default(),
                            value,
                        });
                    }
                    None => field(&mut parts, written, value, &item.span)?,
                }
            }
        }
    }
    let loose = match format.encoding {
        None => loose(&parts),
        Some(_) => None,
    };
    let loose = match &loose {
        Some(parts) => segments(parts, &captured)?,
        None => Box::default(),
    };
    let steps = match format.encoding {
        Some(_) if keys.is_empty() => {
            let fault = Fault::new(0..0, "no field of this format has a name");
            return Err(fault.hint("HAProxy encodes named fields alone: write `%(ip)ci`"));
        }
        Some(Encoding::Cbor { .. } | Encoding::Json) => Box::default(),
        None => segments(&parts, &captured)?,
    };
    let told = if http { Kind::Http } else { Kind::Tcp };
    Ok(Plan {
        kind: kind.unwrap_or(told),
        segments: steps,
        loose,
        keys: keys.into(),
        encoding: format.encoding,
        tells_frontend,
        extra: extra.into(),
        captured,
    })
}

/// The steps, cut where a value has to be searched for.
fn segments(parts: &[Part], captured: &Captured) -> Result<Box<[Segment]>, Fault> {
    let parts = match parts {
        // Blanks around a line do not matter.
        [Part::Blank, parts @ ..] => parts,
        parts => parts,
    };
    let parts = match parts {
        [parts @ .., Part::Blank] => parts,
        parts => parts,
    };
    // From here on there is nothing but what may be missing.
    let mandatory = parts.iter().rposition(|part| !part.may_be_missing());
    let mandatory = mandatory.map_or(0, |last| last + 1);
    let is_known = |part: &Part| match part {
        Part::Field(field) => field.value.class.lead().is_none(),
        _ => true,
    };
    let mut segments = Vec::new();
    let mut search = None;
    let mut steps = Vec::new();
    // Of the literal that is next, so many bytes were read by the step before.
    let mut taken = 0;
    let mut at = 0;
    let mut after = Field::Kind;
    while let Some(part) = parts.get(at) {
        let skip = std::mem::take(&mut taken);
        match part {
            Part::Blank if is_tail(&parts[at..]) => {
                let end = parts.get(at + 7..).unwrap_or_default();
                let last = matches!(end, [quote] if quote.bytes() == b"\"");
                steps.push(Step::Tail { after, last });
                after = Field::Request;
                // The quote is the tail's.
                (at, taken) = (at + 7, 1);
                continue;
            }
            Part::Blank => {
                let last = at >= mandatory;
                steps.push(Step::Blank { last, after });
            }
            Part::Literal(bytes) if bytes.len() > skip => {
                let bytes = bytes[skip..].into();
                steps.push(Step::Literal { bytes, after });
            }
            Part::Literal(_) => {}
            Part::Field(field) => {
                after = field.value.slot.field();
                match (&parts[at..], field.value.class) {
                    ([_, Part::Literal(colon), Part::Field(port), rest @ ..], Class::Address)
                        if colon == b":"
                            && !field.json
                            && port.value.class == Class::Int
                            && port.value.form != Form::Hex
                            && !port.json
                            && rest.first().is_none_or(|next| {
                                next.first_byte()
                                    .is_some_and(|stop| !Class::Address.holds(stop))
                            }) =>
                    {
                        port.checks_next(rest.first())?;
                        after = port.value.slot.field();
                        steps.push(Step::AddressPort {
                            address: field.value.slot,
                            port: port.value.slot,
                            stop: rest.first().and_then(Part::first_byte),
                            then: Then::Nothing,
                        });
                        at += 3;
                        continue;
                    }
                    ([_, Part::Field(query), ..], Class::Path)
                        if query.value.class == Class::Query
                            && !field.quoted
                            && !field.json
                            && !query.json
                            && field.value.form == query.value.form =>
                    {
                        // `%HP%HQ` is the target that they were cut from.
                        let slot = Slot::Uri;
                        let class = Class::Uri;
                        let uri = Value {
                            slot,
                            class,
                            ..field.value
                        };
                        let next = Next {
                            part: parts.get(at + 2),
                            or_end: at + 2 == mandatory,
                            known: captured.known && parts[at + 2..].iter().all(is_known),
                        };
                        place(uri, query, next, &mut steps, &mut search, &mut segments)?;
                        at += 2;
                        continue;
                    }
                    // Nothing is captured, so nothing is printed.
                    (_, Class::CaptureList | Class::Captures)
                        if !field.json && captured.count(field.value.slot) == Some(0) => {}
                    (_, Class::CaptureList) => {
                        let count = captured.count(field.value.slot);
                        if count.is_none() {
                            field.checks_behind(&parts[at + 1..])?;
                        }
                        steps.push(Step::CaptureList {
                            value: field.value,
                            count,
                        });
                    }
                    (_, Class::Captures) if !field.json => {
                        if captured.count(field.value.slot).is_none() {
                            field.checks_behind(&parts[at + 1..])?;
                        }
                        steps.push(Step::Captures {
                            value: field.value,
                            quoted: field.quoted,
                        });
                    }
                    _ => {
                        let next = Next {
                            part: parts.get(at + 1),
                            or_end: at + 1 == mandatory,
                            known: captured.known && parts[at + 1..].iter().all(is_known),
                        };
                        place(
                            field.value,
                            field,
                            next,
                            &mut steps,
                            &mut search,
                            &mut segments,
                        )?;
                    }
                }
            }
        }
        at += 1;
    }
    segments.push(Segment {
        search,
        steps: fused(steps),
    });
    Ok(segments.into())
}

/// The same steps, where it can be with the byte or blank behind a value in its own.
fn fused(steps: Vec<Step>) -> Box<[Step]> {
    let mut fused: Vec<Step> = Vec::with_capacity(steps.len());
    for mut step in steps {
        let then = match (&mut step, fused.last_mut().and_then(Step::then)) {
            (_, None) => None,
            (Step::Blank { last: false, .. }, Some(then)) => {
                *then = Then::Blank;
                continue;
            }
            (Step::Literal { bytes, .. }, then) => then.map(|then| (then, bytes)),
            _ => None,
        };
        if let Some((then, bytes)) = then
            && let [first, rest @ ..] = &**bytes
        {
            *then = Then::Byte(*first);
            if rest.is_empty() {
                continue;
            }
            *bytes = rest.into();
        }
        match (step, fused.last_mut()) {
            (Step::Ints(more), Some(Step::Ints(ints))) => ints.extend(more),
            (step, _) => fused.push(step),
        }
    }
    fused.into()
}

impl Step {
    /// What it reads behind its value, if that is nothing yet.
    fn then(&mut self) -> Option<&mut Then> {
        let then = match self {
            Step::Ints(ints) => ints.last_mut().map(|(_, then)| then),
            Step::Date { then, .. }
            | Step::Fixed { then, .. }
            | Step::Word { then, .. }
            | Step::Until { then, .. }
            | Step::AddressPort { then, .. } => Some(then),
            _ => None,
        };
        then.filter(|then| **then == Then::Nothing)
    }
}

impl Value {
    /// The step that reads it up to this byte.
    fn until(self, stop: u8, or_end: bool) -> Step {
        let then = Then::Nothing;
        let never = self.class.never(stop);
        let special = or_end
            || self.form != Form::Plain
            || self.class.hashed()
            || matches!(
                self.slot,
                Slot::Request | Slot::RequestHeaders | Slot::ResponseHeaders
            );
        match (special, self) {
            (false, Value { slot, .. }) => Step::Word {
                slot,
                stop,
                never,
                then,
            },
            (true, value) => Step::Until {
                value,
                stop,
                never,
                or_end,
                then,
            },
        }
    }
}

/// What comes behind a value.
struct Next<'a> {
    part: Option<&'a Part>,
    /// Or the line ends there.
    or_end: bool,
    /// Whether what is there is known.
    known: bool,
}

/// Adds the step that reads this value, by what comes behind it.
fn place(
    value: Value,
    field: &PartField,
    Next {
        part: next,
        or_end,
        known,
    }: Next<'_>,
    steps: &mut Vec<Step>,
    search: &mut Option<Search>,
    segments: &mut Vec<Segment>,
) -> Result<(), Fault> {
    let slot = value.slot;
    let step = match value.class {
        _ if field.json => {
            field.checks_json_next(next)?;
            Step::Json(value)
        }
        Class::Int => {
            field.checks_next(next)?;
            match value.form {
                Form::Hex => Step::HexInt(slot),
                _ => Step::Ints(vec![(slot, Then::Nothing)]),
            }
        }
        Class::Date(form) => Step::Date {
            slot,
            form,
            then: Then::Nothing,
        },
        Class::Fixed(length) => Step::Fixed {
            slot,
            length,
            then: Then::Nothing,
        },
        class => match next {
            None => Step::Rest(value),
            Some(Part::Field(other)) => {
                let span = field.span.start..other.span.end;
                let fault = Fault::new(
                    span,
                    "nothing stands between these two, so where the one ends cannot be told",
                );
                return Err(fault.hint(
                    "put something between them that the first cannot hold, such as a blank, or \
                     quotes around it: `%{+Q,+E}`",
                ));
            }
            Some(next) => {
                // A part that is neither a field nor empty begins with some byte.
                let needle = next.bytes();
                match needle.first() {
                    // Escaped text can hold its closing quote, behind a backslash.
                    Some(&stop)
                        if !class.holds(stop) || (value.form == Form::Escaped && stop == b'"') =>
                    {
                        value.until(stop, or_end)
                    }
                    _ => {
                        segments.push(Segment {
                            search: search.take(),
                            steps: fused(std::mem::take(steps)),
                        });
                        *search = Some(Search {
                            value,
                            needle: needle.into(),
                            // Free text could be told from captures in no line otherwise.
                            or_end: or_end && !known,
                            leftmost: is_cookie(slot) && field.quoted,
                        });
                        return Ok(());
                    }
                }
            }
        },
    };
    steps.push(step);
    Ok(())
}

impl PartField {
    /// Captures may be missing: what then comes in their place must not look like them.
    fn checks_behind(&self, parts: &[Part]) -> Result<(), Fault> {
        let free = |part: Option<&Part>| match part {
            Some(Part::Field(field)) => matches!(field.value.class, Class::Word | Class::Text),
            _ => false,
        };
        let Some(at) = parts.iter().position(|part| !part.may_be_missing()) else {
            return Ok(());
        };
        let is_list = self.value.class == Class::CaptureList;
        let (open, behind): (&[u8], _) = match (is_list, self.quoted) {
            (true, _) => (b"\"", None),
            (false, true) => (b"\"{", parts.get(at + 1)),
            (false, false) => (b"{", None),
        };
        let bytes = parts[at].bytes();
        let alike = bytes.starts_with(open)
            || (!bytes.is_empty() && open.starts_with(bytes) && free(behind))
            || (!is_list && !self.quoted && free(Some(&parts[at])));
        if !alike {
            return Ok(());
        }
        let fault = Fault::new(
            self.span.clone(),
            "where these captures are missing, what is behind them can look like them",
        );
        Err(fault.hint(
            "put something else before it, such as a `|`, or let `haproxy.config` tell what is \
             captured",
        ))
    }

    /// In JSON a number or a `null` ends where the word does.
    fn checks_json_next(&self, next: Option<&Part>) -> Result<(), Fault> {
        let span = match next {
            Some(Part::Field(other)) => self.span.start..other.span.end,
            Some(part) if part.first_byte().is_some_and(is_word) => self.span.clone(),
            _ => return Ok(()),
        };
        let fault = Fault::new(span, "where this value ends cannot be told");
        Err(fault
            .hint("put something behind it that is neither a letter nor a digit, such as a blank"))
    }

    /// A number ends where its digits do, so no digit may follow.
    fn checks_next(&self, next: Option<&Part>) -> Result<(), Fault> {
        let digit = |byte: &u8| match self.value.form {
            Form::Hex => byte.is_ascii_hexdigit(),
            _ => byte.is_ascii_digit(),
        };
        let span = match next {
            Some(Part::Field(other)) => self.span.start..other.span.end,
            Some(part @ Part::Literal(_)) if part.bytes().first().is_some_and(digit) => {
                self.span.clone()
            }
            _ => return Ok(()),
        };
        let fault = Fault::new(span, "where this number ends cannot be told");
        Err(fault.hint("put something behind it that is no digit, such as a blank or a `/`"))
    }
}

impl Captured {
    /// Whose the block is if a line has one alone.
    pub(super) fn single(&self) -> Single {
        match (self.request.is_empty(), self.response.is_empty()) {
            (true, false) if self.known => Single::Response,
            (false, true) if self.known => Single::Request,
            _ => Single::Unknown,
        }
    }

    /// How many headers that block has; `None` if that is not known.
    fn count(&self, slot: Slot) -> Option<usize> {
        let names = match slot {
            Slot::RequestHeaders => &self.request,
            _ => &self.response,
        };
        self.known.then_some(names.len())
    }
}

/// ` %hr %hs "%r"`, as HTTP lines end.
fn is_tail(parts: &[Part]) -> bool {
    let [
        Part::Blank,
        Part::Field(request),
        Part::Blank,
        Part::Field(response),
        Part::Blank,
        Part::Literal(open),
        Part::Field(line),
        Part::Literal(close),
        ..,
    ] = parts
    else {
        return false;
    };
    let captures = |field: &PartField, slot| {
        field.value.slot == slot && field.value.class == Class::Captures && field.is_bare()
    };
    captures(request, Slot::RequestHeaders)
        && captures(response, Slot::ResponseHeaders)
        && open == b"\""
        && line.value.slot == Slot::Request
        && line.value.form == Form::Plain
        && !line.json
        && close.starts_with(b"\"")
}
