//! Queries to answers: `GET /v1/metrics/:name` by source, `GET /v1/measurements/:name`
//! by tags.
//!
//! Choices where no document says: a counter's row is the newest raw total in it, not
//! a mean of totals; a derivative is the difference to the row before; a legacy read
//! sees the series whose only tag is `source`.

use super::query::{Query, TagFilter, escape, get, int, matches, positive};
use super::reply::Refusal;
use super::rows::{self, ROWS_MAX, Rows};
use crate::store::{Kind, Listed, Metric, SeriesId, Store, Summary};
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Tags of a stream, sorted.
type Pairs = Vec<(String, String)>;
/// Ascending in time.
type Values = Vec<(i64, f64)>;

const RESOLUTION_MAX: i64 = 604_800;

pub fn no_metric(name: &str) -> Refusal {
    Refusal::not_found(format!("no metric is named '{name}'"))
}

/// What a metric is, without its points.
pub fn metadata(metric: &Metric) -> Value {
    json!({
        "name": metric.name,
        "display_name": metric.description.display_name,
        "type": metric.kind,
        "description": metric.description.description,
        "period": metric.period,
        "source_lag": null,
        "attributes": metric.description.attributes,
    })
}

/// `GET /v1/metrics/:name`: metadata, and with a range the points by source.
pub fn by_source(
    store: &Store,
    name: &str,
    query: &Query,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let metric = store.metric(name).ok_or_else(|| no_metric(name))?;
    let mut answer = metadata(&metric);
    let range_keys = ["start_time", "end_time", "count", "resolution"];
    if !query
        .iter()
        .any(|(key, _)| range_keys.contains(&key.as_str()))
    {
        return Ok(answer);
    }
    let (start, count) = (int(query, "start_time")?, positive(query, "count")?);
    let end = int(query, "end_time")?.unwrap_or(now.as_secs());
    let resolution = positive(query, "resolution")?.unwrap_or(1);
    let patterns: Vec<&str> = query
        .iter()
        .filter(|(key, _)| key == "source" || key == "sources" || key.starts_with("sources["))
        .map(|(_, value)| value.as_str())
        .collect();
    let sources: BTreeMap<SeriesId, String> = store
        .series_of(name)
        .into_iter()
        .filter(|listed| listed.info.tags.len() == 1)
        .filter_map(|listed| Some((listed.id, listed.info.tags.get("source")?.clone())))
        .filter(|(_, source)| {
            patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, source))
        })
        .collect();
    let ids: Vec<SeriesId> = sources.keys().copied().collect();
    let mut page = match (start, count) {
        (Some(start), _) => rows::forward(store, &ids, start..=end, resolution, ROWS_MAX)?,
        (None, Some(count)) => rows::last(store, &ids, i64::MIN..=end, resolution, count as usize)?,
        (None, None) => return Err(Refusal::param("start_time", "is required, or count")),
    };
    if let (Some(_), Some(count)) = (start, count) {
        let enough = page
            .series
            .values()
            .all(|rows| rows.len() >= count as usize);
        page.next = page.next.filter(|_| !enough);
        page.series
            .values_mut()
            .for_each(|rows| rows.truncate(count as usize));
    }
    let function = get(query, "group_by")
        .map(Function::parse_group)
        .transpose()?;
    let breakout = get(query, "breakout_sources") != Some("false");
    let all = function.is_some() || !breakout || get(query, "summarize_sources") == Some("true");
    let mut by_source: BTreeMap<String, Rows> = BTreeMap::new();
    if all && !page.series.is_empty() {
        by_source.insert(
            "all".into(),
            combine(page.series.values(), function, metric.kind),
        );
    }
    if breakout && function.is_none() {
        by_source.extend(
            page.series
                .into_iter()
                .map(|(id, rows)| (sources[&id].clone(), rows)),
        );
    }
    if get(query, "summarize_time") == Some("true") {
        by_source.values_mut().for_each(merge_all);
    }
    let measurements: BTreeMap<String, Vec<Value>> = by_source
        .into_iter()
        .map(|(source, rows)| {
            (
                source,
                rows.iter()
                    .map(|row| source_row(row, metric.kind))
                    .collect(),
            )
        })
        .collect();
    answer["resolution"] = resolution.into();
    answer["measurements"] = json!(measurements);
    if let Some(next) = page.next {
        answer["query"] = json!({"next_time": next});
    }
    Ok(answer)
}

/// `GET /v1/measurements/:name`: the points by tags. `path` and `query` make the link to
/// the next page.
pub fn by_tags(
    store: &Store,
    name: &str,
    path: &str,
    query: &Query,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let metric = store.metric(name).ok_or_else(|| no_metric(name))?;
    let resolution = positive(query, "resolution")?
        .ok_or_else(|| Refusal::param("resolution", "is required"))?;
    if resolution > RESOLUTION_MAX {
        return Err(Refusal::param(
            "resolution",
            format!("must be from 1 to {RESOLUTION_MAX}"),
        ));
    }
    let range = range(query, now)?;
    let filters = TagFilter::parse(query)?;
    let function = match get(query, "summary_function") {
        Some(name) => Function::parse("summary_function", name)?,
        None => Function::of(&metric),
    };
    let group = match (get(query, "group_by"), get(query, "group_by_function")) {
        (None, None) => None,
        (Some(tags), Some(name)) => Some((tags, Function::parse_group(name)?)),
        (Some(_), None) => {
            return Err(Refusal::param(
                "group_by_function",
                "is required with group_by",
            ));
        }
        (None, Some(_)) => {
            return Err(Refusal::param(
                "group_by",
                "is required with group_by_function",
            ));
        }
    };
    if group.is_some() && function == Function::All {
        return Err(Refusal::param("summary_function", "all cannot be grouped"));
    }
    let streams: BTreeMap<SeriesId, Listed> = store
        .series_of(name)
        .into_iter()
        .filter(|listed| filters.iter().all(|filter| filter.takes(listed)))
        .map(|listed| (listed.id, listed))
        .collect();
    let ids: Vec<SeriesId> = streams.keys().copied().collect();
    let page = rows::forward(store, &ids, range.clone(), resolution, ROWS_MAX)?;
    let series = match group {
        Some((tags, group_function)) => {
            let mut groups: BTreeMap<Pairs, Vec<Values>> = BTreeMap::new();
            for (id, rows) in &page.series {
                if let Some(key) = group_key(tags, &streams[id]) {
                    groups
                        .entry(key)
                        .or_default()
                        .push(values(rows, function, metric.kind));
                }
            }
            groups
                .into_iter()
                .map(|(tags, streams)| {
                    (tags, time_values(&combine_values(&streams, group_function)))
                })
                .collect()
        }
        None => {
            let mut series: Vec<(Pairs, Value)> = Vec::new();
            for (id, rows) in &page.series {
                let tags = streams[id].info.tags.clone().into_iter().collect();
                let measurements = match function {
                    Function::All => rows.iter().map(all_row).collect(),
                    _ => time_values(&values(rows, function, metric.kind)),
                };
                series.push((tags, measurements));
            }
            series.sort_by(|a, b| a.0.cmp(&b.0));
            series
        }
    };
    let series: Vec<Value> = series
        .into_iter()
        .map(|(tags, measurements)| json!({"tags": tags.into_iter().collect::<BTreeMap<_, _>>(), "measurements": measurements}))
        .collect();
    let links = page
        .next
        .map(|next| json!({"rel": "next", "href": next_href(path, query, next, *range.end())}));
    Ok(json!({
        "name": metric.name,
        "resolution": resolution,
        "period": metric.period,
        "links": Vec::from_iter(links),
        "attributes": metric.description.attributes,
        "series": series,
    }))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Mean,
    Sum,
    Min,
    Max,
    Count,
    Stddev,
    Derivative,
    All,
}

impl Function {
    fn parse(field: &str, name: &str) -> Result<Self, Refusal> {
        Ok(match name {
            "mean" | "average" => Function::Mean,
            "sum" => Function::Sum,
            "min" => Function::Min,
            "max" => Function::Max,
            "count" => Function::Count,
            "stddev" => Function::Stddev,
            "derivative" => Function::Derivative,
            "all" => Function::All,
            _ => {
                return Err(Refusal::param(
                    field,
                    "must be mean, sum, min, max, count, stddev, derivative or all",
                ));
            }
        })
    }

    /// One that makes one value of several streams'.
    fn parse_group(name: &str) -> Result<Self, Refusal> {
        match Function::parse("group_by", name) {
            Ok(
                function @ (Function::Mean
                | Function::Sum
                | Function::Min
                | Function::Max
                | Function::Count),
            ) => Ok(function),
            _ => Err(Refusal::param(
                "group_by",
                "must use one of mean, sum, min, max, count",
            )),
        }
    }

    /// The metric's own, by its attribute `summarize_function`.
    fn of(metric: &Metric) -> Self {
        let own = metric
            .description
            .attributes
            .get("summarize_function")
            .and_then(Value::as_str);
        own.and_then(|name| Function::parse("", name).ok())
            .unwrap_or(Function::Mean)
    }

    fn reduce(self, values: &[f64]) -> f64 {
        match self {
            Function::Sum => values.iter().sum(),
            Function::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            Function::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Function::Count => values.len() as f64,
            _ => values.iter().sum::<f64>() / values.len() as f64,
        }
    }
}

/// What one row is by a function; `None` where the sender did not say enough.
fn value(summary: &Summary, function: Function, kind: Kind) -> Option<f64> {
    match (function, kind) {
        (Function::Mean | Function::Derivative | Function::All, Kind::Counter) => {
            Some(summary.newest())
        }
        (Function::Mean | Function::Derivative | Function::All, Kind::Gauge) => {
            Some(summary.mean())
        }
        (Function::Sum, _) => Some(summary.sum),
        (Function::Min, _) => summary.min,
        (Function::Max, _) => summary.max,
        (Function::Count, _) => Some(summary.count as f64),
        (Function::Stddev, _) => summary.stddev(),
    }
}

fn values(rows: &Rows, function: Function, kind: Kind) -> Values {
    let values: Values = rows
        .iter()
        .filter_map(|(time, summary)| Some((*time, value(summary, function, kind)?)))
        .collect();
    match function {
        Function::Derivative => values
            .windows(2)
            .map(|pair| (pair[1].0, pair[1].1 - pair[0].1))
            .collect(),
        _ => values,
    }
}

/// One row per time over all streams: their samples together, or a function of their values.
fn combine<'a>(
    streams: impl Iterator<Item = &'a Rows>,
    function: Option<Function>,
    kind: Kind,
) -> Rows {
    let mut by_time: BTreeMap<i64, Vec<&Summary>> = BTreeMap::new();
    for (time, summary) in streams.flatten() {
        by_time.entry(*time).or_default().push(summary);
    }
    let one = |summaries: Vec<&Summary>| match function {
        Some(function) => {
            let values: Vec<f64> = summaries
                .iter()
                .filter_map(|summary| value(summary, Function::Mean, kind))
                .collect();
            Summary::value(function.reduce(&values))
        }
        None => {
            let mut merged = *summaries[0];
            summaries[1..]
                .iter()
                .for_each(|summary| merged.merge(summary));
            merged
        }
    };
    by_time
        .into_iter()
        .map(|(time, summaries)| (time, one(summaries)))
        .collect()
}

fn combine_values(streams: &[Values], function: Function) -> Values {
    let mut by_time: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for (time, value) in streams.iter().flatten() {
        by_time.entry(*time).or_default().push(*value);
    }
    by_time
        .into_iter()
        .map(|(time, values)| (time, function.reduce(&values)))
        .collect()
}

fn merge_all(rows: &mut Rows) {
    if let Some((first, rest)) = rows.split_first_mut() {
        rest.iter().for_each(|(_, summary)| first.1.merge(summary));
    }
    rows.truncate(1);
}

fn source_row((time, summary): &(i64, Summary), kind: Kind) -> Value {
    let mut row = json!({"measure_time": time, "value": value(summary, Function::Mean, kind), "count": summary.count});
    if summary.count > 1 {
        row["sum"] = summary.sum.into();
        for (field, value) in [
            ("min", summary.min),
            ("max", summary.max),
            ("sum_squares", summary.sum_squares),
        ] {
            if let Some(value) = value {
                row[field] = value.into();
            }
        }
    }
    row
}

fn all_row((time, summary): &(i64, Summary)) -> Value {
    json!({
        "time": time, "count": summary.count, "sum": summary.sum, "mean": summary.mean(),
        "min": summary.min, "max": summary.max, "stddev": summary.stddev(), "last": summary.last,
    })
}

fn time_values(values: &[(i64, f64)]) -> Value {
    values
        .iter()
        .map(|(time, value)| json!({"time": time, "value": value}))
        .collect()
}

/// The pairs that a stream is grouped by; `None` when it lacks one of the tags.
fn group_key(tags: &str, listed: &Listed) -> Option<Pairs> {
    if tags == "*" {
        return Some(Vec::new());
    }
    tags.split(',')
        .map(|name| {
            let name = name.trim().to_ascii_lowercase();
            let value = listed.info.tags.get(&name)?.clone();
            Some((name, value))
        })
        .collect()
}

fn range(query: &Query, now: Timestamp) -> Result<RangeInclusive<i64>, Refusal> {
    let (start, end) = (int(query, "start_time")?, int(query, "end_time")?);
    match (start, end, positive(query, "duration")?) {
        (Some(_), Some(_), Some(_)) => Err(Refusal::param(
            "duration",
            "must not be given together with start_time and end_time",
        )),
        (Some(start), None, Some(duration)) => Ok(start..=start.saturating_add(duration)),
        (None, end, Some(duration)) => {
            let end = end.unwrap_or(now.as_secs());
            Ok(end.saturating_sub(duration)..=end)
        }
        (Some(start), end, None) => Ok(start..=end.unwrap_or(now.as_secs())),
        (None, _, None) => Err(Refusal::param("start_time", "is required, or duration")),
    }
}

fn next_href(path: &str, query: &Query, start: i64, end: i64) -> String {
    let kept = query
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "start_time" | "end_time" | "duration"));
    let mut href = format!("{path}?start_time={start}&end_time={end}");
    for (key, value) in kept {
        href += &format!("&{}={}", escape(key), escape(value));
    }
    href
}
