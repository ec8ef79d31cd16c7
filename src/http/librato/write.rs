//! Request bodies to points. All or nothing: the first bad item is named, and nothing
//! of the request is stored.

use super::body::Received;
use super::reply::Refusal;
use crate::names;
use crate::store::{
    CREATED_BY, Description, Kind, NewPoint, SeriesInfo, Summary, TagMap, VALUE_MAX,
};
use crate::time::Timestamp;
use axum::http::StatusCode;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Smaller values are stored as 0.
const VALUE_MIN: f64 = 1e-130;
const MEASUREMENT_KEYS: [&str; 15] = [
    "name",
    "value",
    "tags",
    "time",
    "period",
    "attributes",
    "description",
    "display_name",
    "count",
    "sum",
    "min",
    "max",
    "last",
    "stddev",
    "stddev_m2",
];

/// The body of `POST /v1/metrics`. Unknown keys are ignored, as the service did.
pub fn metrics(body: &Received<'_>, now: Timestamp) -> Result<Vec<NewPoint>, Refusal> {
    let top = body.fields()?;
    let user_agent = body.user_agent();
    let user_agent = user_agent.as_deref();
    let defaults = Defaults {
        time: time(&top, "measure_time")?.unwrap_or(now.as_secs()),
        period: period(&top)?,
        tags: source_tags(&top)?.unwrap_or_else(unassigned),
        description: description(&top, user_agent)?.unwrap_or_else(|| created_by(user_agent)),
    };
    let mut points = Vec::new();
    for (list, kind) in [("gauges", Kind::Gauge), ("counters", Kind::Counter)] {
        for (key, item) in items(&top, list)? {
            points.push(metrics_item(key, item, kind, &defaults, user_agent)?);
        }
    }
    if points.is_empty() {
        return Err(Refusal::request(
            StatusCode::BAD_REQUEST,
            "Must contain a measurement",
        ));
    }
    Ok(points)
}

/// The body of `POST /v1/measurements`. An unknown key is refused, as the service did.
pub fn measurements(body: &Received<'_>, now: Timestamp) -> Result<Vec<NewPoint>, Refusal> {
    let top = body.json_fields()?;
    let user_agent = body.user_agent();
    let user_agent = user_agent.as_deref();
    only_keys(&top, &["measurements", "tags", "source", "time", "period"])?;
    let items = match present(&top, "measurements") {
        None => return Err(Refusal::no_measurement()),
        Some(Value::Array(items)) if items.is_empty() => return Err(Refusal::no_measurement()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(Refusal::not_a_measurement_body(None)),
    };
    let defaults = Defaults {
        time: time(&top, "time")?.unwrap_or(now.as_secs()),
        period: period(&top)?,
        // The AppOptics client for Python has one or the other.
        tags: match (tags(&top)?, source_tags(&top)?) {
            (Some(_), Some(_)) => return Err(Refusal::not_a_measurement_body(None)),
            (tags, source) => tags.or(source).unwrap_or_else(unassigned),
        },
        description: created_by(user_agent),
    };
    items
        .iter()
        .map(|item| measurement(item, &defaults, user_agent))
        .collect()
}

/// What holds for items that do not say otherwise.
struct Defaults {
    time: i64,
    period: Option<u32>,
    tags: TagMap,
    description: Arc<Description>,
}

/// The list, the object by name, or the object by anything with the names inside.
fn items<'a>(
    top: &'a Map<String, Value>,
    list: &str,
) -> Result<Vec<(Option<&'a str>, &'a Value)>, Refusal> {
    match present(top, list) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items.iter().map(|item| (None, item)).collect()),
        Some(Value::Object(items)) => Ok(items
            .iter()
            .map(|(key, item)| (Some(key.as_str()), item))
            .collect()),
        Some(_) => Err(Refusal::param(list, "must be an array or an object")),
    }
}

fn metrics_item(
    key: Option<&str>,
    item: &Value,
    kind: Kind,
    defaults: &Defaults,
    user_agent: Option<&str>,
) -> Result<NewPoint, Refusal> {
    let Value::Object(item) = item else {
        return Err(Refusal::request(
            StatusCode::BAD_REQUEST,
            "Unable to process JSON: a measurement must be an object",
        ));
    };
    let name = name(item, key)?;
    // A counter is a running total: the fields of several samples mean nothing to it.
    let count = if kind == Kind::Gauge {
        count(item, name)?
    } else {
        None
    };
    let value = number(item, name, "value")?;
    let summary = match (count, value) {
        (Some(_), Some(_)) => {
            return Err(Refusal::param_of(
                name,
                "value",
                "must not be given together with count",
            ));
        }
        (Some(count), None) => Summary {
            sum_squares: number(item, name, "sum_squares")?,
            ..samples(item, name, count)?
        },
        (None, Some(value)) if kind == Kind::Counter && value < 0.0 => {
            return Err(Refusal::param_of_list(name, "value", "must be positive"));
        }
        (None, Some(value)) => Summary::value(value),
        (None, None) => return Err(Refusal::param_of(name, "value", "is required")),
    };
    Ok(NewPoint {
        kind,
        time: time(item, "measure_time")?.unwrap_or(defaults.time),
        period: period(item)?.or(defaults.period),
        description: Some(
            description(item, user_agent)?.unwrap_or_else(|| defaults.description.clone()),
        ),
        series: SeriesInfo {
            name: name.into(),
            tags: source_tags(item)?.unwrap_or_else(|| defaults.tags.clone()),
        },
        summary,
    })
}

fn measurement(
    item: &Value,
    defaults: &Defaults,
    user_agent: Option<&str>,
) -> Result<NewPoint, Refusal> {
    let Value::Object(item) = item else {
        return Err(Refusal::not_a_measurement_body(None));
    };
    only_keys(item, &MEASUREMENT_KEYS)?;
    let name = name(item, None)?;
    let summary = match (count(item, name)?, number(item, name, "value")?) {
        (Some(_), Some(_)) => {
            return Err(Refusal::param_of(
                name,
                "value",
                "must not be given together with count",
            ));
        }
        (Some(count), None) => {
            let samples = samples(item, name, count)?;
            let sum_squares = match (
                number(item, name, "stddev")?,
                number(item, name, "stddev_m2")?,
            ) {
                (Some(_), Some(_)) => {
                    return Err(Refusal::param_of(
                        name,
                        "stddev",
                        "must not be given together with stddev_m2",
                    ));
                }
                (Some(stddev), None) => {
                    Some(count as f64 * (stddev * stddev + samples.mean() * samples.mean()))
                }
                // The sum of squared distances from the mean.
                (None, Some(m2)) => Some(m2 + samples.sum * samples.mean()),
                (None, None) => None,
            };
            Summary {
                sum_squares,
                last: number(item, name, "last")?,
                ..samples
            }
        }
        (None, Some(value)) => Summary::value(value),
        (None, None) => return Err(Refusal::param_of(name, "value", "is required")),
    };
    Ok(NewPoint {
        kind: Kind::Gauge,
        time: time(item, "time")?.unwrap_or(defaults.time),
        period: period(item)?.or(defaults.period),
        description: Some(
            description(item, user_agent)?.unwrap_or_else(|| defaults.description.clone()),
        ),
        series: SeriesInfo {
            name: name.into(),
            tags: tags(item)?.unwrap_or_else(|| defaults.tags.clone()),
        },
        summary,
    })
}

/// `null` is how some clients leave a field out.
pub(super) fn present<'a>(object: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    object.get(field).filter(|value| !value.is_null())
}

fn only_keys(object: &Map<String, Value>, known: &[&str]) -> Result<(), Refusal> {
    match object.keys().all(|key| known.contains(&key.as_str())) {
        true => Ok(()),
        false => Err(Refusal::not_a_measurement_body(None)),
    }
}

fn name<'a>(item: &'a Map<String, Value>, key: Option<&'a str>) -> Result<&'a str, Refusal> {
    let name = match (present(item, "name"), key) {
        (Some(Value::String(name)), _) => name,
        (Some(other), _) => {
            return Err(Refusal::param(
                "name",
                format!("{other} is not a valid metric name"),
            ));
        }
        (None, Some(key)) => key,
        (None, None) => return Err(Refusal::param("name", "is required")),
    };
    metric_name(name)
}

/// Refused where it is not one that a metric can have.
pub(super) fn metric_name(name: &str) -> Result<&str, Refusal> {
    match names::is_metric_name(name) {
        true => Ok(name),
        false => Err(Refusal::param(
            "name",
            format!("{} is not a valid metric name", shorten(name)),
        )),
    }
}

fn number(item: &Map<String, Value>, name: &str, field: &str) -> Result<Option<f64>, Refusal> {
    let Some(value) = present(item, field) else {
        return Ok(None);
    };
    match value.as_f64() {
        None => Err(Refusal::param_of(name, field, "is not a number")),
        Some(number) if number.abs() > VALUE_MAX => Err(Refusal::out_of_range(name, field)),
        Some(number) if number.abs() < VALUE_MIN => Ok(Some(0.0)),
        Some(number) => Ok(Some(number)),
    }
}

fn count(item: &Map<String, Value>, name: &str) -> Result<Option<u64>, Refusal> {
    match number(item, name, "count")? {
        None => Ok(None),
        Some(count) if count <= 0.0 => Err(Refusal::param_of(name, "count", "must be positive")),
        // Beyond 2^53 neighbouring integers are one number in JSON.
        Some(count) if count.fract() != 0.0 || count > 9e15 => {
            Err(Refusal::param_of(name, "count", "is not an integer"))
        }
        Some(count) => Ok(Some(count as u64)),
    }
}

fn samples(item: &Map<String, Value>, name: &str, count: u64) -> Result<Summary, Refusal> {
    let Some(sum) = number(item, name, "sum")? else {
        return Err(Refusal::param_of(name, "sum", "is required"));
    };
    let (min, max) = (number(item, name, "min")?, number(item, name, "max")?);
    Ok(Summary {
        count,
        sum,
        min,
        max,
        sum_squares: None,
        last: None,
    })
}

/// Whole seconds; a fraction is cut off.
pub(super) fn time(object: &Map<String, Value>, field: &str) -> Result<Option<i64>, Refusal> {
    match present(object, field).map(Value::as_f64) {
        None => Ok(None),
        Some(None) => Err(Refusal::param(field, "is not a number")),
        Some(Some(time)) => Ok(Some(time.floor() as i64)),
    }
}

/// Whole seconds. 0 says nothing.
pub(super) fn period(object: &Map<String, Value>) -> Result<Option<u32>, Refusal> {
    match present(object, "period").map(Value::as_f64) {
        None => Ok(None),
        Some(Some(period)) if period >= 0.0 => Ok(Some(period as u32).filter(|period| *period > 0)),
        Some(_) => Err(Refusal::param("period", "is not a positive number")),
    }
}

fn unassigned() -> TagMap {
    TagMap::from([("source".into(), names::UNASSIGNED.into())])
}

/// A legacy source is the tag `source`.
fn source_tags(object: &Map<String, Value>) -> Result<Option<TagMap>, Refusal> {
    match present(object, "source") {
        None => Ok(None),
        Some(Value::String(source)) if names::is_source(source) => {
            Ok(Some(TagMap::from([("source".into(), source.clone())])))
        }
        Some(Value::String(source)) => Err(Refusal::param(
            "source",
            format!("{} is not a valid source name", shorten(source)),
        )),
        Some(other) => Err(Refusal::param(
            "source",
            format!("{other} is not a valid source name"),
        )),
    }
}

/// `None` for `{}` as well: a client that has only top-level tags sends it in each item.
fn tags(object: &Map<String, Value>) -> Result<Option<TagMap>, Refusal> {
    let given = match present(object, "tags") {
        None => return Ok(None),
        Some(Value::Object(given)) => given,
        Some(_) => return Err(Refusal::param("tags", "must be an object")),
    };
    if given.len() > names::TAGS_MAX {
        return Err(Refusal::param(
            "tags",
            format!("must be at most {}", names::TAGS_MAX),
        ));
    }
    let mut tags = TagMap::new();
    for (name, value) in given {
        if !names::is_tag_name(name) {
            return Err(Refusal::param(
                "tags",
                format!("{} is not a valid tag name", shorten(name)),
            ));
        }
        match value {
            Value::String(value) if names::is_tag_value(value) => {
                tags.insert(name.to_ascii_lowercase(), value.to_ascii_lowercase())
            }
            Value::String(value) => {
                return Err(Refusal::param(
                    "tags",
                    format!("{} is not a valid value of the tag {name}", shorten(value)),
                ));
            }
            _ => {
                return Err(Refusal::param(
                    "tags",
                    format!("the value of the tag {name} must be a string"),
                ));
            }
        };
    }
    Ok(Some(tags).filter(|tags| !tags.is_empty()))
}

/// `None` when nothing is said.
fn description(
    object: &Map<String, Value>,
    user_agent: Option<&str>,
) -> Result<Option<Arc<Description>>, Refusal> {
    let text = |field: &str| match present(object, field) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::param(field, "must be a string")),
    };
    let attributes = match present(object, "attributes") {
        None => Map::new(),
        Some(Value::Object(attributes)) => attributes.clone(),
        Some(_) => return Err(Refusal::param("attributes", "must be an object")),
    };
    let mut said = Description {
        display_name: text("display_name")?,
        description: text("description")?,
        attributes,
    };
    if said == Description::default() {
        return Ok(None);
    }
    if !said.fits() {
        return Err(Refusal::description_too_large());
    }
    sign(&mut said, user_agent);
    Ok(Some(Arc::new(said)))
}

fn created_by(user_agent: Option<&str>) -> Arc<Description> {
    let mut said = Description::default();
    sign(&mut said, user_agent);
    Arc::new(said)
}

fn sign(said: &mut Description, user_agent: Option<&str>) {
    if let Some(agent) = user_agent {
        said.attributes.insert(CREATED_BY.into(), agent.into());
    }
}

/// A message repeats what was wrong, but not kilobytes of it.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}
