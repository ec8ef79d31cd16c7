//! What may be said of a chart and of its streams: the keys of the API, each with what it
//! takes. Forms say all of it in strings.

use crate::http::librato::reply::Refusal;
use crate::http::librato::write::{present, shorten};
use crate::names;
use crate::store::{NewStream, STREAMS_MAX};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// Characters of a name, a unit or a pattern.
const TEXT_MAX: usize = 255;
/// Characters of a composite or a formula.
const FORMULA_MAX: usize = 4_096;

const TYPES: &[&str] = &["line", "stacked", "bignumber"];
const GROUP_FUNCTIONS: &[&str] = &["average", "mean", "sum", "min", "max", "breakout"];
const SUMMARY_FUNCTIONS: &[&str] = &[
    "average",
    "mean",
    "sum",
    "min",
    "max",
    "count",
    "derivative",
];

/// What a key takes.
#[derive(Clone, Copy)]
enum Takes {
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    Number,
    /// A whole number that is above zero: an id, or seconds.
    Whole,
    Flag,
    /// `#RRGGBB`
    Color,
    /// Of `x`, the value, and `p`, the period.
    Formula,
    /// A metric's name.
    Metric,
    Composite,
    /// What tags the series have: a list of names and patterns.
    Tags,
    /// A list of objects, in no form that a document tells.
    Thresholds,
}

const OF_CHARTS: [(&str, Takes); 8] = [
    ("type", Takes::Word(TYPES)),
    ("min", Takes::Number),
    ("max", Takes::Number),
    ("label", Takes::Text),
    ("related_space", Takes::Whole),
    ("use_log_yaxis", Takes::Flag),
    ("use_last_value", Takes::Flag),
    ("thresholds", Takes::Thresholds),
];

const OF_STREAMS: [(&str, Takes); 18] = [
    ("metric", Takes::Metric),
    ("source", Takes::Text),
    ("tags", Takes::Tags),
    ("composite", Takes::Composite),
    ("group_function", Takes::Word(GROUP_FUNCTIONS)),
    ("summary_function", Takes::Word(SUMMARY_FUNCTIONS)),
    ("downsample_function", Takes::Word(SUMMARY_FUNCTIONS)),
    ("transform_function", Takes::Formula),
    ("color", Takes::Color),
    ("name", Takes::Text),
    ("units_short", Takes::Text),
    ("units_long", Takes::Text),
    ("min", Takes::Number),
    ("max", Takes::Number),
    ("period", Takes::Whole),
    ("split_axis", Takes::Flag),
    ("gap_detection", Takes::Flag),
    ("position", Takes::Number),
];

/// What a body says of a chart, but for its name and its streams. `null` stays `null`.
pub fn attributes(body: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let mut attributes = Map::new();
    for (key, takes) in OF_CHARTS {
        match body.get(key) {
            None => {}
            Some(Value::Null) => drop(attributes.insert(key.into(), Value::Null)),
            Some(given) => drop(attributes.insert(key.into(), takes.read(given, key)?)),
        }
    }
    Ok(attributes)
}

/// The streams that a body says; `None` where it says nothing of them.
pub fn streams(body: &Map<String, Value>) -> Result<Option<Vec<NewStream>>, Refusal> {
    let Some(given) = present(body, "streams") else {
        return Ok(None);
    };
    let given = items(given).ok_or_else(|| Refusal::param("streams", "must be an array"))?;
    if given.len() > STREAMS_MAX {
        let message = format!("must be at most {STREAMS_MAX}");
        return Err(Refusal::param("streams", message));
    }
    let streams = given.into_iter().map(|given| match given {
        Value::Object(given) => stream(given),
        _ => Err(Refusal::param("streams", "must be an array of objects")),
    });
    streams.collect::<Result<_, _>>().map(Some)
}

/// `None` where nothing is said.
pub fn flag(body: &Map<String, Value>, key: &str) -> Result<Option<bool>, Refusal> {
    let given = present(body, key);
    given.map(|given| read_flag(given, key)).transpose()
}

pub fn text<'a>(given: &'a Value, key: &str) -> Result<&'a str, Refusal> {
    match given {
        Value::String(text) if text.chars().nth(TEXT_MAX).is_none() => Ok(text),
        Value::String(_) => Err(too_long(key, TEXT_MAX)),
        _ => Err(Refusal::param(key, "must be a string")),
    }
}

fn stream(given: &Map<String, Value>) -> Result<NewStream, Refusal> {
    let mut attributes = Map::new();
    for (key, takes) in OF_STREAMS {
        if let Some(given) = present(given, key) {
            attributes.insert(key.into(), takes.read(given, key)?);
        }
    }
    let composite = attributes.contains_key("composite");
    match attributes.contains_key("metric") {
        false if !composite => {
            return Err(Refusal::param("metric", "is required, or composite"));
        }
        true if composite => {
            return Err(Refusal::param(
                "composite",
                "must not be given together with metric",
            ));
        }
        _ => {}
    }
    Ok(NewStream {
        id: present(given, "id").and_then(whole),
        attributes,
    })
}

impl Takes {
    /// The value as it is kept.
    fn read(self, given: &Value, key: &str) -> Result<Value, Refusal> {
        let refuse = |message: &str| Err(Refusal::param(key, message));
        match self {
            Takes::Text => text(given, key).map(Value::from),
            Takes::Word(words) => match given.as_str() {
                Some(word) if words.contains(&word) => Ok(word.into()),
                _ => refuse(&format!("must be {}", one_of(words))),
            },
            Takes::Number => match number(given) {
                Some(number) => Ok(Value::Number(number)),
                None => refuse("is not a number"),
            },
            Takes::Whole => match whole(given) {
                Some(whole) if whole > 0 => Ok(whole.into()),
                _ => refuse("must be a whole number above zero"),
            },
            Takes::Flag => read_flag(given, key).map(Value::from),
            Takes::Color => match given.as_str() {
                Some(color) if is_color(color) => Ok(color.into()),
                _ => refuse("must be a colour such as #52D74C"),
            },
            Takes::Formula => match given.as_str() {
                Some(formula) if formula.len() > FORMULA_MAX => Err(too_long(key, FORMULA_MAX)),
                Some(formula) if is_formula(formula) => Ok(formula.into()),
                _ => refuse("must be a formula of x, such as x/1000"),
            },
            Takes::Metric => match given {
                Value::String(name) if names::is_metric_name(name) => Ok(name.as_str().into()),
                Value::String(name) => {
                    refuse(&format!("{} is not a valid metric name", shorten(name)))
                }
                _ => refuse("must be a string"),
            },
            Takes::Composite => match given.as_str() {
                Some("") | None => refuse("must be a string"),
                Some(composite) if composite.len() > FORMULA_MAX => Err(too_long(key, FORMULA_MAX)),
                Some(composite) => Ok(composite.into()),
            },
            Takes::Tags => tags(given, key),
            Takes::Thresholds => match items(given) {
                Some(items) if items.iter().all(|item| item.is_object()) => {
                    Ok(items.into_iter().cloned().collect())
                }
                _ => refuse("must be an array of objects"),
            },
        }
    }
}

/// `[{"name": …, "values": [PATTERN…], "grouped": …, "dynamic": …}]`
fn tags(given: &Value, key: &str) -> Result<Value, Refusal> {
    let refuse = |message: String| Refusal::param(key, message);
    let items = items(given).ok_or_else(|| refuse("must be an array".into()))?;
    if items.len() > names::TAGS_MAX {
        return Err(refuse(format!("must be at most {}", names::TAGS_MAX)));
    }
    let tags = items.into_iter().map(|item| {
        let Value::Object(item) = item else {
            return Err(refuse("must be an array of objects".into()));
        };
        let name = match present(item, "name") {
            Some(Value::String(name)) if names::is_tag_name(name) => name,
            Some(Value::String(name)) => {
                return Err(refuse(format!("{} is not a valid tag name", shorten(name))));
            }
            _ => return Err(refuse("each needs a name".into())),
        };
        let mut tag = Map::from_iter([("name".to_owned(), Value::from(name.as_str()))]);
        if let Some(values) = present(item, "values") {
            tag.insert("values".into(), patterns(values, name, key)?);
        }
        for flag in ["grouped", "dynamic"] {
            if let Some(given) = present(item, flag) {
                tag.insert(flag.into(), read_flag(given, key)?.into());
            }
        }
        Ok(Value::Object(tag))
    });
    tags.collect()
}

fn patterns(values: &Value, name: &str, key: &str) -> Result<Value, Refusal> {
    let refuse = || Refusal::param(key, format!("the values of {name} must be strings"));
    let values = match values {
        Value::String(_) => vec![values],
        values => items(values).ok_or_else(refuse)?,
    };
    let fits = |value: &&Value| {
        let text = value.as_str();
        text.is_some_and(|text| !text.is_empty() && text.chars().nth(TEXT_MAX).is_none())
    };
    match values.iter().all(fits) {
        true => Ok(values.into_iter().cloned().collect()),
        false => Err(refuse()),
    }
}

/// Those of a list; of a form, which numbers them, in their order.
fn items(given: &Value) -> Option<Vec<&Value>> {
    match given {
        Value::Array(items) => Some(items.iter().collect()),
        Value::Object(items) if !items.is_empty() => {
            let items = items.iter();
            let items = items.map(|(key, item)| Some((key.parse().ok()?, item)));
            let items: Option<BTreeMap<u32, &Value>> = items.collect();
            Some(items?.into_values().collect())
        }
        _ => None,
    }
}

fn read_flag(given: &Value, key: &str) -> Result<bool, Refusal> {
    match given {
        Value::Bool(flag) => Ok(*flag),
        // Of a form; the Python client's documentation has `"True"`.
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(Refusal::param(key, "must be true or false")),
    }
}

fn number(given: &Value) -> Option<Number> {
    match given {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => text.parse().ok().and_then(Number::from_f64),
        _ => None,
    }
}

fn whole(given: &Value) -> Option<u64> {
    match given {
        Value::Number(number) => number.as_u64().or_else(|| {
            // As a form has it, and some clients.
            let float = number.as_f64()?;
            (float.fract() == 0.0 && (0.0..1e15).contains(&float)).then_some(float as u64)
        }),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn is_color(text: &str) -> bool {
    let digits = text.strip_prefix('#');
    digits.is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_formula(text: &str) -> bool {
    !text.is_empty()
        && (text.bytes()).all(|byte| byte.is_ascii_digit() || b"xp()+-*/., ".contains(&byte))
}

fn too_long(key: &str, max: usize) -> Refusal {
    Refusal::param(key, format!("must be at most {max} characters"))
}

/// `a, b or c`
fn one_of(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}
