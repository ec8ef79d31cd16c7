//! Items of a format to parts of its lines: fields with what their values look like, and
//! the quotes that flags put around them.

use super::{Form, Value};
use crate::haproxy::alias::{Class, Flagged, Goes, Slot};
use crate::haproxy::event::{ExtraField, ExtraType};
use crate::haproxy::log_format::{FieldSource, FormatField};
use crate::haproxy::sample;
use crate::source::Fault;
use std::ops::Range;

/// Extra fields that a format may have.
const EXTRA_MAX: usize = 256;

/// What a line is made of, quotes written out.
#[derive(Clone)]
pub(super) enum Part {
    Blank,
    Literal(Vec<u8>),
    Field(PartField),
}

#[derive(Clone)]
pub(super) struct PartField {
    pub(super) value: Value,
    pub(super) json: bool,
    pub(super) quoted: bool,
    pub(super) span: Range<usize>,
}

/// Where the field's value goes and what it looks like.
pub(super) fn value(
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
        // What a format has twice, an event has once.
        let same = |field: &ExtraField| field.name == name && field.extra_type == extra_type;
        if let Some(place) = extra.iter().position(same) {
            return Ok(Slot::Extra(place as u16));
        }
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

/// `+X` makes it hexadecimal.
pub(super) fn is_hex(written: &FormatField) -> bool {
    written.flags.hex && matches!(flagged(written), Flagged::Hex | Flagged::QuotesOrHex)
}

fn flagged(written: &FormatField) -> Flagged {
    match &written.source {
        FieldSource::Alias(alias) => alias.flagged,
        FieldSource::Sample(_) => Flagged::Quotes,
    }
}

/// An encoding writes a number of type `bool` as true or false.
pub(super) fn checks_cast(
    written: &FormatField,
    value: Value,
    span: &Range<usize>,
) -> Result<(), Fault> {
    let own = !matches!(value.slot, Slot::Extra(_));
    if own && value.class == Class::Int && written.cast == Some(ExtraType::Bool) {
        let fault = Fault::new(span.clone(), "of type `bool` this number is not logged");
        return Err(fault.hint("leave out the type: `%(name)` alone"));
    }
    Ok(())
}

/// Appends a field with the quotes that its flags put around it.
pub(super) fn field(
    parts: &mut Vec<Part>,
    written: &FormatField,
    mut value: Value,
    span: &Range<usize>,
) -> Result<(), Fault> {
    let flags = written.flags;
    if flags.cbor {
        let fault = Fault::new(span.clone(), "a single value in CBOR has no end that shows");
        return Err(fault.hint("encode the whole line, `%{+cbor}o`, or this value as `+json`"));
    }
    let hex = is_hex(written);
    if hex && value.class == Class::Address {
        // Only what is missing has quotes.
        value.class = match flags.quote {
            true => Class::Word,
            false => Class::Token,
        };
    }
    let textual = matches!(flagged(written), Flagged::Quotes | Flagged::QuotesOrHex) && !hex;
    let quoted = flags.quote && textual && !flags.json;
    value.form = match () {
        () if hex => Form::Hex,
        () if flags.json && value.class != Class::Int => Form::Escaped,
        () if (flags.escape && textual) => Form::Escaped,
        () => Form::Plain,
    };
    // A list puts the quotes around each of its values, and a block of captures has them
    // only where it is there at all.
    let around = quoted && !matches!(value.class, Class::CaptureList | Class::Captures);
    if flags.json {
        checks_cast(written, value, span)?;
    }
    if value.class == Class::CaptureList && !quoted {
        let message = match flags.json {
            true => "a list in JSON within another line is not read",
            false => "a value with a blank in it cannot be told from two",
        };
        let fault = Fault::new(span.clone(), message);
        return Err(fault.hint("put quotes around each: `%{+Q}hrl`, `%{+Q}hsl`"));
    }
    if around {
        value.class = match value.class {
            // Blanks do no harm in quotes.
            Class::Word => Class::Text,
            // And a number can be nothing.
            Class::Int => Class::Token,
            class => class,
        };
    }
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

pub(super) fn literal(parts: &mut Vec<Part>, bytes: &[u8]) {
    match parts.last_mut() {
        Some(Part::Literal(before)) => before.extend_from_slice(bytes),
        _ => parts.push(Part::Literal(bytes.to_vec())),
    }
}

impl PartField {
    /// Neither quotes nor escapes.
    pub(super) fn is_bare(&self) -> bool {
        !self.quoted && !self.json && self.value.form == Form::Plain
    }
}

impl Part {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Part::Blank => b" ",
            Part::Literal(bytes) => bytes,
            Part::Field(_) => &[],
        }
    }

    pub(super) fn first_byte(&self) -> Option<u8> {
        self.bytes().first().copied()
    }

    /// Captures, and the blanks between them, are not there if nothing is captured. Nor is
    /// a query that the request does not have.
    pub(super) fn may_be_missing(&self) -> bool {
        match self {
            Part::Blank => true,
            Part::Literal(_) => false,
            Part::Field(field) => {
                matches!(field.value.class, Class::Captures | Class::CaptureList)
                    || (field.value.class.lead().is_some() && !field.json)
            }
        }
    }
}

pub(super) fn is_cookie(slot: Slot) -> bool {
    matches!(slot, Slot::RequestCookie | Slot::ResponseCookie)
}

/// The same parts, where cookies without quotes are one text that may hold anything. HAProxy
/// prints them as a client sends them, and a blank in one must not hide a request. `None`
/// where there are none.
pub(super) fn loose(parts: &[Part]) -> Option<Vec<Part>> {
    let cookie = |part: &Part| matches!(part, Part::Field(field) if is_cookie(field.value.slot) && field.value.class == Class::Word);
    let at = parts.iter().position(cookie)?;
    let (before, rest) = parts.split_at(at);
    let behind = match rest {
        [_, Part::Blank, next, behind @ ..] if cookie(next) => behind,
        [_, behind @ ..] => behind,
        [] => return None,
    };
    let Part::Field(field) = &rest[0] else {
        return None;
    };
    let text = Part::Field(PartField {
        value: Value {
            slot: Slot::Cookies,
            class: Class::Text,
            form: Form::Plain,
        },
        json: false,
        quoted: false,
        span: field.span.clone(),
    });
    Some([before, &[text], behind].concat())
}
