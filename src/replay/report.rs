//! What people want to know of a log without having written a rule: a row for each service,
//! and for each server, route or status where that is asked for.
//!
//! The report is rules like any other, made here, and what they say of the whole log.

use super::{Chart, Outcome, Table};
use crate::metric::Tags;
use crate::source::Source;
use crate::time::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

const HTTP: &str = "report.http";
const TCP: &str = "report.tcp";
const ALL: &str = "report.all";
const ROUTES: &str = "report.route";

/// What services are broken down by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// The server that answered
    Server,
    /// The method, and the path with its ids folded; the slowest first
    Route,
    /// The status that was answered
    Status,
}

impl By {
    pub const fn as_str(self) -> &'static str {
        match self {
            By::Server => "server",
            By::Route => "route",
            By::Status => "status",
        }
    }

    /// What requests are grouped by beside the service.
    pub const fn fields(self) -> &'static [&'static str] {
        match self {
            By::Server => &["server"],
            By::Route => &["method", "route"],
            By::Status => &["status"],
        }
    }

    fn rule(self) -> String {
        format!("report.{}", self.as_str())
    }
}

/// What there is in a report beside the services. All of it costs: each is one more look at
/// every line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    pub by: Option<By>,
    /// The slowest routes of all services.
    pub routes: bool,
    /// Everything over time.
    pub charts: bool,
}

/// Windows of the report's rules: a chart is made of short ones, and so may those of other
/// rules be, with which a grouping is shared then. Where the whole log is all that counts,
/// long ones are cheaper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    Short,
    Long,
}

/// The report's rules, as a file of them.
pub fn rules(parts: Parts, windows: Windows) -> Source {
    let mut text = String::from("rules:\n");
    let mut rule = |name: &str, kind: &str, by: &str, windows: Windows, limit: &str| {
        let window = match windows {
            Windows::Short => "10s",
            Windows::Long => "24h",
        };
        let (timer, failed) = match kind {
            "tcp" => ("Tt", r#"!termination_state.startsWith("--")"#),
            _ => ("Tr", "status >= 500"),
        };
        text.push_str(&format!(
            r#"
  - name: {name}
    where: kind == "{kind}"
    by: [{by}]
    window: {window}
{limit}    measure:
      requests: count()
      rate: rate()
      errors: '{failed_ratio}'
      p50: "percentile({timer}, 50)"
      p95: "percentile({timer}, 95)"
      p99: "percentile({timer}, 99)"
      max: max({timer})
      bytes: sum(bytes_read)
"#,
            failed_ratio = format_args!("ratio({failed})"),
        ));
    };
    rule(HTTP, "http", "service", windows, "");
    rule(TCP, "tcp", "service", windows, "");
    if parts.charts {
        rule(ALL, "http", "", windows, "");
    }
    let by_routes = parts.routes.then_some(By::Route);
    let by = parts.by.filter(|by| Some(*by) != by_routes);
    for by in by.into_iter().chain(by_routes) {
        let fields = format!("service, {}", by.fields().join(", "));
        // They are in no chart.
        let windows = if parts.charts { Windows::Long } else { windows };
        rule(&by.rule(), "http", &fields, windows, "    limit: 2000\n");
    }
    Source::new("report.yaml", &text)
}

/// Whether a series is of the report's services: what it says there is said as a report, not
/// as values over time.
pub fn is_of_services(series: &str) -> bool {
    [HTTP, TCP].iter().any(|rule| {
        let rest = series.strip_prefix(rule);
        rest.is_some_and(|rest| rest.starts_with('.'))
    })
}

/// Whether a rule is one of the report's.
pub fn is_of_report(rule: &str) -> bool {
    let by = [By::Server, By::Route, By::Status].map(By::rule);
    [HTTP, TCP, ALL].contains(&rule) || by.iter().any(|own| own == rule)
}

/// The rules whose values over time a report with charts shows.
pub fn charted(parts: Parts) -> Vec<Arc<str>> {
    match parts.charts {
        true => vec![HTTP.into(), TCP.into(), ALL.into()],
        false => Vec::new(),
    }
}

/// What is said of one group over the whole log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// `service`, and what the service is broken down by. What a group has no value of is not
    /// there.
    #[serde(flatten, serialize_with = "as_map")]
    pub tags: Tags,
    pub requests: u64,
    /// Requests per second.
    pub rate: f64,
    /// The share of requests that failed.
    pub errors: Option<f64>,
    /// Milliseconds.
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    pub max: Option<f64>,
    pub bytes: Option<f64>,
}

fn as_map<S: serde::Serializer>(tags: &Tags, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(tags.iter().map(|(name, value)| (&**name, &**value)))
}

impl Row {
    pub fn tag(&self, name: &str) -> Option<&str> {
        let tag = self.tags.iter().find(|(tag, _)| **tag == *name);
        tag.map(|(_, value)| &**value)
    }
}

/// One window of a chart: the same, of that window alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    pub start: Timestamp,
    pub all: Option<Row>,
    /// HTTP and TCP.
    pub services: Vec<Row>,
}

/// The report of a log. Rows are in order of their requests, the most first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub http: Vec<Row>,
    pub tcp: Vec<Row>,
    /// All of HTTP; only where charts were asked for.
    pub all: Option<Row>,
    /// What was asked for by `Parts::by`.
    pub by: Option<(By, Vec<Row>)>,
    /// The slowest first, by their p95.
    pub routes: Option<Vec<Row>>,
    pub step: Duration,
    pub windows: Vec<Window>,
}

impl Report {
    /// Of the tables and charts of the rules that were made for those parts.
    pub fn of(outcome: &Outcome, parts: Parts) -> Report {
        let whole = |rule: &str| rows(&outcome.whole, rule);
        let slowest = |mut rows: Vec<Row>| {
            slowest_first(&mut rows);
            rows
        };
        let chart = outcome.charts.as_ref();
        Report {
            http: whole(HTTP),
            tcp: whole(TCP),
            all: whole(ALL).pop(),
            by: parts.by.map(|by| match by {
                By::Route => (by, slowest(whole(ROUTES))),
                By::Server | By::Status => (by, whole(&by.rule())),
            }),
            routes: parts.routes.then(|| slowest(whole(ROUTES))),
            step: chart.map_or(Duration::ZERO, |chart| chart.step),
            windows: chart.map_or_else(Vec::new, |chart| windows(chart, outcome)),
        }
    }
}

/// The rows of a rule's table.
fn rows(tables: &[Table], rule: &str) -> Vec<Row> {
    let Some(table) = tables.iter().find(|table| *table.rule == *rule) else {
        return Vec::new();
    };
    let place = |name: &str| {
        table
            .columns
            .iter()
            .position(|column| *column.name == *name)
    };
    let names = ["rate", "errors", "p50", "p95", "p99", "max", "bytes"];
    let places = names.map(place);
    let lines = table.lines.iter().map(|line| {
        let [rate, errors, p50, p95, p99, max, bytes] =
            places.map(|place| place.and_then(|place| line.values[place]));
        // A percentile may be rounded up, and the largest value is exact.
        let exact = |value: Option<f64>| value.map(|value| max.map_or(value, |max| value.min(max)));
        Row {
            tags: Arc::clone(&line.tags),
            requests: line.events,
            rate: rate.unwrap_or_default(),
            errors,
            p50: exact(p50),
            p95: exact(p95),
            p99: exact(p99),
            max,
            bytes,
        }
    });
    lines.collect()
}

/// A route of which hardly anything is asked is behind all others: one slow request makes no
/// slow route.
fn slowest_first(rows: &mut [Row]) {
    let all: u64 = rows.iter().map(|row| row.requests).sum();
    let is_rare = |row: &Row| row.requests.saturating_mul(1_000) < all;
    let slowness = |row: &Row| row.p95.unwrap_or(f64::NEG_INFINITY);
    // Stable: those that are as slow stay in order of their requests.
    rows.sort_by(|a, b| {
        let by_rare = is_rare(a).cmp(&is_rare(b));
        by_rare.then(slowness(b).total_cmp(&slowness(a)))
    });
}

/// The log begins and ends in the middle of a window: a rate there is of the part that it has.
fn windows(chart: &Chart, outcome: &Outcome) -> Vec<Window> {
    let windows = chart.windows.iter().map(|(start, tables)| {
        let end = *start + chart.step;
        let from = outcome.from.map_or(*start, |from| from.max(*start));
        let to = outcome.to.map_or(end, |to| to.min(end));
        let seconds = to.saturating_since(from).as_secs_f64().max(1.0);
        let own = |rule: &str| {
            let mut rows = rows(tables, rule);
            for row in &mut rows {
                row.rate = row.requests as f64 / seconds;
            }
            rows
        };
        Window {
            start: *start,
            all: own(ALL).pop(),
            services: [own(HTTP), own(TCP)].concat(),
        }
    });
    windows.collect()
}
