//! The shelf of spaces to answers.

use crate::http::librato::page::Page;
use crate::http::librato::query::{Query, get};
use crate::http::librato::reply::Refusal;
use crate::store::{Chart, ChartStream, Kind, Shelf, Space, SpaceError, Store};
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /v1/spaces`: all of them, or those with `name` in theirs.
pub fn spaces(shelf: &Shelf, query: &Query) -> Result<Value, Refusal> {
    let page = Page::parse(query, "name")?;
    let part = get(query, "name").unwrap_or_default().to_lowercase();
    let found = shelf.spaces();
    let found = found.filter(|space| space.name.to_lowercase().contains(&part));
    Ok(
        page.of("spaces", found.collect(), shelf.space_count(), |found| {
            space(found)
        }),
    )
}

pub fn space(space: &Space) -> Value {
    let mut answer = json!({"id": space.id, "name": space.name});
    if let Some(tags) = space.tags {
        answer["tags"] = tags.into();
    }
    answer
}

/// As `GET` of one has it.
pub fn space_with_charts(of: &Space, shelf: &Shelf) -> Value {
    let charts = shelf.charts_of(of.id);
    let ids: Vec<Value> = charts.map(|chart| json!({"id": chart.id})).collect();
    let mut answer = space(of);
    answer["charts"] = ids.into();
    answer
}

/// What is said of a chart, and of each stream of which type it is.
pub fn chart(chart: &Chart, store: &Store) -> Value {
    let mut answer = chart.attributes.clone();
    answer.insert("id".into(), chart.id.into());
    answer.insert("name".into(), (*chart.name).into());
    // Answers of the API have it, if only to say that there are none.
    answer.entry("thresholds").or_insert(Value::Null);
    let streams = chart.streams.iter().map(|stream| shown(stream, store));
    answer.insert("streams".into(), streams.collect());
    Value::Object(answer)
}

fn shown(stream: &ChartStream, store: &Store) -> Value {
    let mut answer = stream.attributes.clone();
    answer.insert("id".into(), stream.id.into());
    let kind = match answer.get("metric").and_then(Value::as_str) {
        None => "composite",
        // One that nobody has sent yet may become either.
        Some(metric) => match store.metric(metric) {
            Some(metric) => metric.kind.as_str(),
            None => Kind::Gauge.as_str(),
        },
    };
    answer.insert("type".into(), kind.into());
    Value::Object(answer)
}

/// An id that is no number is one that no space has.
pub fn find<'a>(shelf: &'a Shelf, id: &str) -> Result<&'a Arc<Space>, Refusal> {
    let space = id.parse().ok().and_then(|id| shelf.space(id));
    space.ok_or_else(|| Refusal::not_found(format!("no space has the id {id}")))
}

/// Likewise.
pub fn find_chart<'a>(shelf: &'a Shelf, space: &str, id: &str) -> Result<&'a Arc<Chart>, Refusal> {
    let space = find(shelf, space)?.id;
    let number = id.parse().ok();
    let chart = number.and_then(|id| shelf.chart(space, id));
    chart.ok_or_else(|| match number {
        Some(id) => SpaceError::NoChart { space, id }.into(),
        None => Refusal::not_found(format!("the space {space} has no chart {id}")),
    })
}
