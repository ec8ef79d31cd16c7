//! What is read: a format compiled, and a line read by its plan.

use super::Fields;
use crate::haproxy::date::Dates;
use crate::haproxy::event::{Event, ExtraValue};
use crate::haproxy::log_format;
use crate::haproxy::plan::{Captured, Encoded, Misfit, Scratch, Store, compile, complete};
use crate::haproxy::{Field, Value};
use jiff::tz::TimeZone;

#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// When the format was loaded.
    Refused(String),
    Read(Fields),
    Ambiguous,
    Stuck(String),
}

pub(super) fn read(format: &str, captured: Captured, line: &[u8]) -> Outcome {
    let plan = match log_format::parse(format).and_then(|format| compile(&format, None, captured)) {
        Ok(plan) => plan,
        Err(fault) => return Outcome::Refused(fault.message),
    };
    let mut dates = Dates::new(TimeZone::UTC);
    let mut scratch = Scratch::default();
    let mut encoded = Encoded::default();
    let text = match plan.encoding {
        Some(_) if !encoded.read(&plan, line) => return Outcome::Stuck("encoding".into()),
        Some(_) => encoded.values(),
        None => line,
    };
    let mut event = Event::of_kind(plan.kind);
    let mut store = Store::new(&plan, text, &mut event, &mut dates, &mut scratch);
    let outcome = match plan.encoding {
        Some(_) => encoded
            .store(&plan, &mut store)
            .map_err(|field| Outcome::Stuck(field.name().into())),
        None => plan
            .read(text, &mut store, false)
            .map_err(|misfit| match misfit {
                Misfit::Ambiguous => Outcome::Ambiguous,
                Misfit::Stuck(stuck) => Outcome::Stuck(format!("{stuck:?}")),
            }),
    };
    if let Err(outcome) = outcome {
        return outcome;
    }
    let escapes = store.finish();
    let mut undone = Vec::new();
    complete(
        &mut event,
        &plan,
        text,
        escapes,
        &mut scratch.spans,
        &mut undone,
    );
    Outcome::Read(fields_of(&event))
}

fn fields_of(event: &Event<'_>) -> Fields {
    let mut fields = Fields::new();
    for &field in Field::ALL {
        let value = match field.of(event) {
            Value::Missing | Value::Bool(false) => continue,
            Value::String(text) => text.escape_ascii().to_string(),
            Value::Int(value) => value.to_string(),
            Value::Bool(true) => "true".into(),
            Value::Timestamp(time) => time.to_string(),
            Value::Strings(values) => {
                let values = values.iter().map(|value| value.escape_ascii().to_string());
                values.collect::<Vec<_>>().join(";")
            }
            Value::Extra(extra) => {
                fields.extend(extra.iter().map(|(name, value)| {
                    let value = match value {
                        ExtraValue::String(text) => text.escape_ascii().to_string(),
                        ExtraValue::Int(value) => format!("{value}i"),
                        ExtraValue::Bool(value) => value.to_string(),
                    };
                    (format!("<{name}>"), value)
                }));
                continue;
            }
        };
        fields.insert(field.name().into(), value);
    }
    fields
}
