//! A Space: charts of the rules' series as a server with Librato's API has them.
//!
//! [`charts`] says what there shall be, [`put`] makes it so on a server.

mod put;
#[cfg(test)]
mod tests;

pub use put::{Put, PutError, put};

use super::{by, function, tags, title};
use crate::delta::{LE, Name, Output};
use crate::names;
use crate::rules::{Described, DescribedMeasure, Rules, ValueUnit, Whole};
use crate::sink::librato::Api;
use serde_json::{Value, json};

/// All that is ever said of a stream. What else a server has of it is its own.
const OF_STREAMS: [&str; 9] = [
    "metric",
    "source",
    "tags",
    "group_function",
    "summary_function",
    "transform_function",
    "name",
    "units_short",
    "period",
];

/// A chart as it shall be: its name, and all that is said of it as the API has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    pub name: String,
    pub body: Value,
}

/// What rules come to as charts.
#[derive(Debug, Default)]
pub struct Charts {
    pub charts: Vec<Chart>,
    /// Rules that have none: their series are called after values of tags, and a chart of the
    /// API names its series in full.
    pub left_out: Vec<String>,
}

/// The charts of these rules, whose series are sent by `api`.
pub fn charts(rules: &Rules, api: Api) -> Charts {
    let mut all = Charts::default();
    for rule in rules.described() {
        let plain = |measure: &DescribedMeasure<'_>| matches!(measure.series, Name::Plain(_));
        if !rule.measures.iter().all(plain) {
            all.left_out.push(rule.name.to_owned());
            continue;
        }
        let numbers = most_telling(&rule).into_iter();
        all.charts
            .extend(numbers.map(|measure| big_number(&rule, measure, api)));
        let charts = rule.measures.iter();
        all.charts
            .extend(charts.map(|measure| chart(&rule, measure, api)));
    }
    all
}

/// What one asks first: how much there is, how much of it failed, how slow it was.
fn most_telling<'a>(rule: &'a Described<'_>) -> Vec<&'a DescribedMeasure<'a>> {
    let values = || {
        let measures = rule.measures.iter();
        measures.filter(|measure| matches!(measure.output, Output::Value(_)))
    };
    let is_time = |unit| matches!(unit, ValueUnit::Unit("us" | "ms" | "s" | "min" | "h"));
    let much = values().find(|measure| {
        (measure.values.whole == Whole::Sum)
            && matches!(measure.values.unit, ValueUnit::PerSecond | ValueUnit::Count)
    });
    let failed = values().find(|measure| {
        matches!(
            measure.values.unit,
            ValueUnit::Share | ValueUnit::Unit("percent")
        )
    });
    let times = || values().filter(|measure| is_time(measure.values.unit));
    let slow = times().find(|measure| &**measure.name == "p95");
    let slow = slow.or_else(|| times().next_back());
    much.into_iter().chain(failed).chain(slow).collect()
}

/// The newest value of all groups together.
fn big_number(rule: &Described<'_>, measure: &DescribedMeasure<'_>, api: Api) -> Chart {
    let whole = measure.values.whole;
    let of = match (whole, by(rule)) {
        (_, None) => String::new(),
        (Whole::Sum, _) => ", all together".to_owned(),
        (Whole::Highest, Some(by)) => format!(", the highest by {by}"),
        (Whole::Lowest, Some(by)) => format!(", the lowest by {by}"),
    };
    let name = format!("{}.{} now{of}", rule.name, measure.name);
    let stream = stream(rule, measure, api, function(whole), &[]);
    let body = json!({"type": "bignumber", "use_last_value": true, "streams": [stream]});
    Chart::new(name, body)
}

/// A line for each group.
fn chart(rule: &Described<'_>, measure: &DescribedMeasure<'_>, api: Api) -> Chart {
    let groups = tags(rule).into_iter().map(|tag| &**tag);
    let (merged, apart): (_, Vec<&str>) = match measure.output {
        // Its series are counts up to a bound: over the groups they add up.
        Output::Buckets { .. } if api == Api::Measurements => ("sum", vec![LE]),
        Output::Top { tag, .. } => ("breakout", groups.chain([&**tag]).collect()),
        _ if rule.grouping.by.is_empty() => (function(measure.values.whole), Vec::new()),
        _ => ("breakout", groups.collect()),
    };
    let mut body = json!({
        "type": match ((measure.values.whole == Whole::Sum), measure.output) {
            (true, Output::Value(_)) => "stacked",
            _ => "line",
        },
        "streams": [stream(rule, measure, api, merged, &apart)],
    });
    // Also where there is none: a chart that was of another unit loses it.
    body["label"] = units_long(measure.values.unit).into();
    body["min"] = match measure.values.unit {
        ValueUnit::Plain => Value::Null,
        _ => 0.into(),
    };
    let name = format!("{}.{}", rule.name, title(measure.name, rule));
    Chart::new(name, body)
}

/// The series of a measure; `apart`: the tags whose values each have a line.
fn stream(
    rule: &Described<'_>,
    measure: &DescribedMeasure<'_>,
    api: Api,
    merged: &str,
    apart: &[&str],
) -> Value {
    let Name::Plain(name) = measure.series else {
        unreachable!("`charts` leaves out rules whose series have no plain name")
    };
    let mut stream = json!({
        "metric": names::sanitise_metric_name(name),
        "group_function": merged,
        "summary_function": "average",
        "name": measure.name,
        "period": rule.grouping.window.every.as_secs(),
    });
    match api {
        Api::Measurements => {
            let together = tags(rule).into_iter().map(|tag| &**tag);
            let together = together.filter(|tag| !apart.contains(tag));
            let tags = together.map(|tag| wildcard(tag, false));
            let tags = tags.chain(apart.iter().map(|tag| wildcard(tag, true)));
            let tags: Vec<Value> = tags.collect();
            if !tags.is_empty() {
                stream["tags"] = tags.into();
            }
        }
        // The tags' values are in the source.
        Api::Metrics => stream["source"] = "*".into(),
    }
    if let Some(short) = units_short(measure.values.unit) {
        stream["units_short"] = short.into();
    }
    if measure.values.unit == ValueUnit::Share {
        stream["transform_function"] = "x*100".into();
    }
    stream
}

/// All values of a tag, each by itself or together.
fn wildcard(tag: &str, grouped: bool) -> Value {
    let name = names::sanitise_tag_name(tag).to_ascii_lowercase();
    match grouped {
        true => json!({"name": name, "values": ["*"], "grouped": true}),
        false => json!({"name": name, "values": ["*"]}),
    }
}

fn units_short(unit: ValueUnit) -> Option<&'static str> {
    match unit {
        ValueUnit::PerSecond => Some("/s"),
        ValueUnit::Share | ValueUnit::Unit("percent") => Some("%"),
        ValueUnit::Unit(name) => Some(name),
        ValueUnit::Count | ValueUnit::Plain => None,
    }
}

fn units_long(unit: ValueUnit) -> Option<&'static str> {
    match unit {
        ValueUnit::PerSecond => Some("per second"),
        ValueUnit::Share | ValueUnit::Unit("percent") => Some("percent"),
        ValueUnit::Count => Some("in each window"),
        ValueUnit::Unit(name) => Some(name),
        ValueUnit::Plain => None,
    }
}

impl Chart {
    fn new(name: String, mut body: Value) -> Chart {
        body["name"] = name.as_str().into();
        Chart { name, body }
    }

    /// Whether a chart of a server says what this one does, and has the same streams.
    fn is(&self, there: &Value) -> bool {
        let said = |key: &str, value: &Value| match key {
            "streams" => same_streams(value, &there[key]),
            _ => same(value, &there[key]),
        };
        let body = self.body.as_object();
        body.is_some_and(|body| body.iter().all(|(key, value)| said(key, value)))
    }
}

fn same_streams(wanted: &Value, there: &Value) -> bool {
    let (Some(wanted), Some(there)) = (wanted.as_array(), there.as_array()) else {
        return false;
    };
    let pairs = || wanted.iter().zip(there);
    wanted.len() == there.len()
        && pairs().all(|(wanted, there)| {
            let mut keys = OF_STREAMS.iter();
            keys.all(|key| same(&wanted[*key], &there[*key]))
        })
}

/// A server may have made a fraction of a whole number.
fn same(wanted: &Value, there: &Value) -> bool {
    match (wanted.as_f64(), there.as_f64()) {
        (Some(wanted), Some(there)) => wanted == there,
        _ => wanted == there,
    }
}

/// Whether two names are one to a server, which compares without case.
fn same_name(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}
