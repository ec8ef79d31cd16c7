//! Requests' bodies.
//!
//! Names are made valid first: one bad name would lose a whole request. Times are
//! the windows' starts, whole seconds.

use super::Api;
use crate::metric::{Annotation, Measurement};
use crate::names::{self, SameSeries, Unmixed};
use serde_json::{Map, Value, json};

/// A measurement and how the API has it.
pub struct Item<'a> {
    pub measurement: &'a Measurement,
    json: Value,
}

/// What can be sent, and what could not be part of it.
pub struct Items<'a> {
    pub items: Vec<Item<'a>>,
    pub left_out: Vec<SameSeries>,
}

/// How the API has all of these.
pub fn items(api: Api, measurements: &[Measurement]) -> Items<'_> {
    let mut unmixed = Unmixed::default();
    let mut left_out = Vec::new();
    let mut items = Vec::with_capacity(measurements.len());
    for measurement in measurements {
        let mut json = match api {
            Api::Measurements => measurement_item(measurement),
            Api::Metrics => gauge_item(measurement),
        };
        // What is left without the value is what the API knows the point by.
        let identity = json.to_string().to_lowercase();
        let time = measurement.time.as_secs();
        if let Err(same) = unmixed.admit(identity, time, &measurement.series) {
            left_out.push(same);
            continue;
        }
        json["value"] = measurement.value.into();
        items.push(Item { measurement, json });
    }
    Items { items, left_out }
}

/// One request with these.
pub fn of(api: Api, items: &[&Item<'_>]) -> Vec<u8> {
    let list = match api {
        Api::Measurements => "measurements",
        Api::Metrics => "gauges",
    };
    let mut body = format!("{{\"{list}\":[");
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            body.push(',');
        }
        body.push_str(&item.json.to_string());
    }
    body.push_str("]}");
    body.into_bytes()
}

/// The stream, and the body of `POST /v1/annotations/:stream`. What nobody said is left
/// out. A stream's name needs no escaping in a URL.
pub fn annotation(annotation: &Annotation) -> (Box<str>, Vec<u8>) {
    let valid = names::sanitise_annotation(annotation);
    let mut json = json!({"title": &*valid.title, "start_time": valid.start.as_secs()});
    if let Some(source) = &valid.source {
        json["source"] = (**source).into();
    }
    if let Some(description) = &valid.description {
        json["description"] = (**description).into();
    }
    if let Some(end) = valid.end {
        json["end_time"] = end.as_secs().into();
    }
    (valid.stream, json.to_string().into_bytes())
}

/// Of `POST /v1/measurements`, without the value.
fn measurement_item(measurement: &Measurement) -> Value {
    let mut item = json!({
        "name": names::sanitise_metric_name(&measurement.series.name),
        "time": measurement.time.as_secs(),
        "period": measurement.period.as_secs(),
    });
    // No tags at all rather than an empty object, which servers read differently.
    let tags = measurement.series.tags.iter().take(names::TAGS_MAX);
    let tags: Map<String, Value> = tags
        .map(|(name, value)| {
            let name = names::sanitise_tag_name(name).into_owned();
            (name, names::sanitise_tag_value(value).into())
        })
        .collect();
    if !tags.is_empty() {
        item["tags"] = tags.into();
    }
    item
}

/// Of `POST /v1/metrics`, without the value. The source is the tags' values in the
/// order of their names, joined by dots.
fn gauge_item(measurement: &Measurement) -> Value {
    let mut item = json!({
        "name": names::sanitise_metric_name(&measurement.series.name),
        "measure_time": measurement.time.as_secs(),
        "period": measurement.period.as_secs(),
    });
    let values: Vec<&str> = measurement.series.tags.iter().map(|(_, v)| &**v).collect();
    if !values.is_empty() {
        item["source"] = names::sanitise_source(&values.join(".")).into();
    }
    item
}
