//! Requests' bodies.
//!
//! Names are made valid first: one bad name would lose a whole request. Times are
//! the windows' starts, whole seconds.

use crate::metric::Measurement;
use crate::store::names;
use serde_json::{Map, Value, json};

/// `POST /v1/measurements`
pub fn measurements(chunk: &[Measurement]) -> Value {
    let items: Vec<Value> = chunk
        .iter()
        .map(|measurement| {
            let mut item = json!({
                "name": names::sanitise_metric_name(&measurement.series.name),
                "time": measurement.time.as_secs(),
                "period": measurement.period.as_secs(),
                "value": measurement.value,
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
        })
        .collect();
    json!({ "measurements": items })
}

/// `POST /v1/metrics`: the source is the tags' values in the order of their names,
/// joined by dots.
pub fn metrics(chunk: &[Measurement]) -> Value {
    let items: Vec<Value> = chunk
        .iter()
        .map(|measurement| {
            let mut item = json!({
                "name": names::sanitise_metric_name(&measurement.series.name),
                "measure_time": measurement.time.as_secs(),
                "period": measurement.period.as_secs(),
                "value": measurement.value,
            });
            let values: Vec<&str> = measurement.series.tags.iter().map(|(_, v)| &**v).collect();
            if !values.is_empty() {
                item["source"] = names::sanitise_source(&values.join(".")).into();
            }
            item
        })
        .collect();
    json!({ "gauges": items })
}
