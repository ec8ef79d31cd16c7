//! Items of a format to steps of a plan; what cannot be told apart is refused.

use super::{Form, Key, Plan, Search, Segment, Step, Value};
use crate::haproxy::alias::{Class, Flagged, Goes, Slot};
use crate::haproxy::event::{ExtraField, ExtraType, Kind};
use crate::haproxy::field::Field;
use crate::haproxy::log_format::{Encoding, FieldSource, FormatField, LogFormat, What};
use crate::haproxy::sample;
use crate::source::Fault;
use std::ops::Range;

/// Extra fields that a format may have.
const EXTRA_MAX: usize = 256;

/// The names of captured headers, in the order in which lines have them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::haproxy) struct Captured {
    pub(in crate::haproxy) request: Box<[Box<str>]>,
    pub(in crate::haproxy) response: Box<[Box<str>]>,
    /// Nothing is captured but these. Otherwise lines may have captures without names.
    pub(in crate::haproxy) known: bool,
}

/// What a line is made of, quotes written out.
enum Part {
    Blank,
    Literal(Vec<u8>),
    Field(PartField),
}

struct PartField {
    value: Value,
    json: bool,
    quoted: bool,
    span: Range<usize>,
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
                let value = value(written, &mut extra, &item.span)?;
                tells_frontend |= value.slot.field() == Field::Frontend;
                match format.encoding {
                    Some(_) => keys.push(Key {
                        name: written.name.clone().unwrap_or_default(),
                        value,
                    }),
                    None => field(&mut parts, written, value, &item.span)?,
                }
            }
        }
    }
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
        keys: keys.into(),
        encoding: format.encoding,
        tells_frontend,
        extra: extra.into(),
        captured,
    })
}

/// Where the field's value goes and what it looks like.
fn value(
    written: &FormatField,
    extra: &mut Vec<ExtraField>,
    span: &Range<usize>,
) -> Result<Value, Fault> {
    let mut add = |name: &str, extra_type: ExtraType| {
        if extra.len() == EXTRA_MAX {
            let message = format!("more than {EXTRA_MAX} fields beside HAProxy's own");
            return Err(Fault::new(span.clone(), message).hint("log less in one line"));
        }
        let name = written.name.as_deref().unwrap_or(name).into();
        let extra_type = written.cast.unwrap_or(extra_type);
        extra.push(ExtraField { name, extra_type });
        Ok(Slot::Extra((extra.len() - 1) as u16))
    };
    let type_of = |class| match class {
        Class::Int => ExtraType::Int,
        _ => ExtraType::String,
    };
    let (slot, class) = match &written.source {
        FieldSource::Alias(alias) => {
            let slot = match alias.goes {
                Goes::To(slot) => slot,
                Goes::Extra(name) => add(name, type_of(alias.class))?,
            };
            (slot, alias.class)
        }
        FieldSource::Sample(expression) => {
            let class = sample::class(expression);
            let slot = match (&**expression, written.name.as_deref()) {
                // What the error format has beside aliases is the event's own.
                ("bind_name", Some("bind_name")) => Slot::BindName,
                ("message", Some("message")) => Slot::Message,
                _ => add(expression, type_of(class))?,
            };
            (slot, class)
        }
    };
    Ok(Value {
        slot,
        class,
        form: Form::Plain,
    })
}

/// Appends a field with the quotes that its flags put around it.
fn field(
    parts: &mut Vec<Part>,
    written: &FormatField,
    mut value: Value,
    span: &Range<usize>,
) -> Result<(), Fault> {
    let flags = written.flags;
    let flagged = match &written.source {
        FieldSource::Alias(alias) => alias.flagged,
        FieldSource::Sample(_) => Flagged::Quotes,
    };
    if flags.cbor {
        let fault = Fault::new(span.clone(), "a single value in CBOR has no end that shows");
        return Err(fault.hint("encode the whole line, `%{+cbor}o`, or this value as `+json`"));
    }
    let hex = flags.hex && matches!(flagged, Flagged::Hex | Flagged::QuotesOrHex);
    if hex && value.class == Class::Address {
        value.class = Class::Token;
    }
    let textual = matches!(flagged, Flagged::Quotes | Flagged::QuotesOrHex) && !hex;
    let quoted = flags.quote && textual && !flags.json;
    value.form = match () {
        () if hex => Form::Hex,
        () if flags.json || (flags.escape && textual) => Form::Escaped,
        () => Form::Plain,
    };
    // A list puts the quotes around each of its values, and a block of captures has them
    // only where it is there at all.
    let around = quoted && !matches!(value.class, Class::CaptureList | Class::Captures);
    if around {
        literal(parts, b"\"");
    }
    parts.push(Part::Field(PartField {
        value,
        json: flags.json,
        quoted,
        span: span.clone(),
    }));
    if around {
        literal(parts, b"\"");
    }
    Ok(())
}

fn literal(parts: &mut Vec<Part>, bytes: &[u8]) {
    match parts.last_mut() {
        Some(Part::Literal(before)) => before.extend_from_slice(bytes),
        _ => parts.push(Part::Literal(bytes.to_vec())),
    }
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
                steps.push(Step::Tail { after });
                after = Field::Request;
                // The quote is the tail's.
                (at, taken) = (at + 7, 1);
                continue;
            }
            Part::Blank => {
                let last = parts[at..].iter().all(Part::may_be_missing);
                steps.push(Step::Blank { last, after });
            }
            Part::Literal(bytes) if bytes.len() > skip => {
                let bytes = bytes[skip..].into();
                steps.push(Step::Literal { bytes, after });
            }
            Part::Literal(_) => {}
            Part::Field(field) => {
                after = field.value.slot.field();
                let next = parts.get(at + 1);
                match (&parts[at..], field.value.class) {
                    ([_, Part::Literal(colon), Part::Field(port), rest @ ..], Class::Address)
                        if colon == b":"
                            && port.value.class == Class::Int
                            && !field.json
                            && !port.json
                            && port.value.form != Form::Hex
                            && !matches!(rest.first(), Some(Part::Field(_))) =>
                    {
                        port.checks_next(rest.first())?;
                        after = port.value.slot.field();
                        steps.push(Step::AddressPort {
                            address: field.value.slot,
                            port: port.value.slot,
                            stop: rest.first().and_then(Part::first_byte),
                        });
                        at += 3;
                        continue;
                    }
                    ([_, Part::Field(query), ..], Class::Path)
                        if query.value.class == Class::Query
                            && !field.quoted
                            && !field.json
                            && !query.json =>
                    {
                        // `%HP%HQ` is the target that they were cut from.
                        let slot = Slot::Uri;
                        let class = Class::Uri;
                        let uri = Value {
                            slot,
                            class,
                            ..field.value
                        };
                        let after = parts.get(at + 2);
                        place(uri, query, after, &mut steps, &mut search, &mut segments)?;
                        at += 2;
                        continue;
                    }
                    (_, Class::CaptureList) if field.quoted => {
                        let names = match field.value.slot {
                            Slot::RequestHeaders => &captured.request,
                            _ => &captured.response,
                        };
                        steps.push(Step::CaptureList {
                            slot: field.value.slot,
                            count: captured.known.then_some(names.len()),
                        });
                    }
                    _ => {
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
        steps: steps.into(),
    });
    Ok(segments.into())
}

/// Adds the step that reads this value, by what comes behind it.
fn place(
    value: Value,
    field: &PartField,
    next: Option<&Part>,
    steps: &mut Vec<Step>,
    search: &mut Option<Search>,
    segments: &mut Vec<Segment>,
) -> Result<(), Fault> {
    let slot = value.slot;
    let step = match value.class {
        _ if field.json => Step::Json(value),
        Class::Int => {
            field.checks_next(next)?;
            match value.form {
                Form::Hex => Step::HexInt(slot),
                _ => Step::Int(slot),
            }
        }
        Class::Date(form) => Step::Date { slot, form },
        Class::Fixed(length) => Step::Fixed { slot, length },
        Class::Captures => Step::Captures {
            slot,
            quoted: field.quoted,
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
                     quotes around it: `%{+Q}`",
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
                        let never = class.never(stop);
                        Step::Until { value, stop, never }
                    }
                    _ => {
                        segments.push(Segment {
                            search: search.take(),
                            steps: std::mem::take(steps).into(),
                        });
                        *search = Some(Search {
                            value,
                            needle: needle.into(),
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
    /// A number ends where its digits do, so no digit may follow.
    fn checks_next(&self, next: Option<&Part>) -> Result<(), Fault> {
        let digit = |byte: &u8| match self.value.form {
            Form::Hex => byte.is_ascii_hexdigit(),
            _ => byte.is_ascii_digit(),
        };
        let span = match next {
            Some(Part::Field(other)) if !matches!(other.value.class, Class::Captures) => {
                self.span.start..other.span.end
            }
            Some(part @ Part::Literal(_)) if part.bytes().first().is_some_and(digit) => {
                self.span.clone()
            }
            _ => return Ok(()),
        };
        let fault = Fault::new(span, "where this number ends cannot be told");
        Err(fault.hint("put something behind it that is no digit, such as a blank or a `/`"))
    }
}

impl Part {
    fn bytes(&self) -> &[u8] {
        match self {
            Part::Blank => b" ",
            Part::Literal(bytes) => bytes,
            Part::Field(_) => &[],
        }
    }

    fn first_byte(&self) -> Option<u8> {
        self.bytes().first().copied()
    }

    /// Captures, and the blanks between them, are not there if nothing is captured.
    fn may_be_missing(&self) -> bool {
        match self {
            Part::Blank => true,
            Part::Literal(_) => false,
            Part::Field(field) => {
                matches!(field.value.class, Class::Captures | Class::CaptureList)
            }
        }
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
        field.value.slot == slot && field.value.class == Class::Captures && !field.quoted
    };
    captures(request, Slot::RequestHeaders)
        && captures(response, Slot::ResponseHeaders)
        && open == b"\""
        && line.value.slot == Slot::Request
        && close.starts_with(b"\"")
}
