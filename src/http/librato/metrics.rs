//! `/v1/metrics` without points: the list, what is said of metrics, and their end. Librato's
//! API reference, "Metrics" and "Metric Attributes".
//!
//! Choices where no document says: attributes are put beside those there are, and `null`
//! takes one away; a batch changes the metrics that there are and is done when it is
//! answered, so there are no jobs; a name to delete must be there, names in a batch need
//! not. Composite metrics there are none.

use super::body::Received;
use super::page::Page;
use super::path::Named;
use super::query::{Query, escape, get as value_of, matches};
use super::read::{metadata, no_metric};
use super::reply::Refusal;
use super::write::{metric_name, period, present, shorten};
use super::{Pairs, Receiver, created};
use crate::names;
use crate::store::{Kind, Metric, MetricEdit, PropertyChange, Store};
use axum::Router;
use axum::extract::{Query as UrlQuery, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Names with a `*` in one batch; each is held against every metric.
pub const PATTERNS_MAX: usize = 100;

/// Attributes of the API. In a batch they may stand beside the properties.
const ATTRIBUTES: [&str; 9] = [
    "color",
    "display_max",
    "display_min",
    "display_units_long",
    "display_units_short",
    "display_stacked",
    "display_transform",
    "summarize_function",
    "aggregate",
];
/// Those that only gauges have.
const OF_GAUGES: [&str; 2] = ["summarize_function", "aggregate"];
const SUMMARIZE_FUNCTIONS: [&str; 6] = ["average", "mean", "sum", "count", "min", "max"];

pub fn router() -> Router<Receiver> {
    Router::new()
        .route(
            "/metrics",
            get(get_metrics).put(put_metrics).delete(delete_metrics),
        )
        .route("/metrics/{name}", put(put_metric).delete(delete_metric))
}

async fn get_metrics(State(receiver): State<Receiver>, UrlQuery(query): Pairs) -> Response {
    receiver.answer(move |store| list(store, &query)).await
}

async fn put_metric(
    State(receiver): State<Receiver>,
    Named(name): Named<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let body = receiver.bodies.read(request).await?;
    let known = receiver.store.metric(&name).is_some();
    let change = put_one(&name, &body)?;
    receiver.change_properties(change).await?;
    match receiver.store.metric(&name) {
        Some(metric) if !known => {
            let place = format!("/v1/metrics/{}", escape(&metric.name));
            Ok(created(place, metadata(&metric)))
        }
        _ => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

async fn put_metrics(
    State(receiver): State<Receiver>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let body = receiver.bodies.read(request).await?;
    let (choice, edit) = {
        let body = body.fields()?;
        (Choice::parse(&body)?, edit(&body, true)?)
    };
    let names = receiver.chosen(choice).await?;
    let change = PropertyChange::EditMetrics { names, edit };
    receiver.change_properties(change).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_metric(
    State(receiver): State<Receiver>,
    Named(name): Named<String>,
) -> Result<StatusCode, Refusal> {
    if receiver.store.metric(&name).is_none() {
        return Err(no_metric(&name));
    }
    let names = vec![name];
    receiver
        .change_properties(PropertyChange::RemoveMetrics { names })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_metrics(
    State(receiver): State<Receiver>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let body = receiver.bodies.read(request).await?;
    let choice = Choice::parse(&body.fields()?)?;
    let names = receiver.chosen(choice).await?;
    receiver
        .change_properties(PropertyChange::RemoveMetrics { names })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Receiver {
    async fn chosen(&self, choice: Choice) -> Result<Vec<String>, Refusal> {
        self.look_up(move |store| {
            let metrics = store.metrics().into_iter();
            let chosen = metrics.filter(|metric| choice.takes(&metric.name));
            Ok(chosen.map(|metric| metric.name.clone()).collect())
        })
        .await
    }
}

/// `GET /v1/metrics`: all of them, or those with `name` in theirs.
fn list(store: &Store, query: &Query) -> Result<Value, Refusal> {
    if value_of(query, "compose").is_some() {
        return Err(Refusal::param(
            "compose",
            "is not supported here: ask for each metric",
        ));
    }
    let page = Page::parse(query, "name")?;
    let part = value_of(query, "name").unwrap_or_default();
    let part = part.to_ascii_lowercase();
    let mut found = store.metrics();
    let total = found.len();
    found.retain(|metric| metric.name.to_ascii_lowercase().contains(&part));
    let show = |metric: Arc<Metric>| metadata(&metric);
    Ok(page.of("metrics", found, total, show))
}

/// `PUT /v1/metrics/:name`.
fn put_one(name: &str, body: &Received<'_>) -> Result<PropertyChange, Refusal> {
    let name = metric_name(name)?.to_owned();
    let created_by = body.user_agent();
    let body = body.fields()?;
    let kind = match present(&body, "type").map(Value::as_str) {
        None => None,
        Some(Some("gauge")) => Some(Kind::Gauge),
        Some(Some("counter")) => Some(Kind::Counter),
        Some(_) => {
            return Err(Refusal::param(
                "type",
                "must be gauge or counter: composites are not supported here",
            ));
        }
    };
    Ok(PropertyChange::PutMetric {
        name,
        kind,
        edit: edit(&body, false)?,
        created_by,
    })
}

/// What a body says of metrics; unknown keys are ignored, as in `POST`. `batch`: it may be
/// of gauges and counters together.
fn edit(body: &Map<String, Value>, batch: bool) -> Result<MetricEdit, Refusal> {
    let text = |field: &str| match body.get(field) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) => Ok(Some(Some(text.clone()))),
        Some(_) => Err(Refusal::param(field, "must be a string")),
    };
    let mut edit = MetricEdit {
        display_name: text("display_name")?,
        description: text("description")?,
        period: match body.contains_key("period") {
            true => Some(period(body)?),
            false => None,
        },
        ..MetricEdit::default()
    };
    let attributes = match present(body, "attributes") {
        None => None,
        Some(Value::Object(attributes)) => Some(attributes),
        Some(_) => return Err(Refusal::param("attributes", "must be an object")),
    };
    let beside = body.iter();
    let beside = beside.filter(|(name, _)| ATTRIBUTES.contains(&name.as_str()));
    for (name, value) in beside.chain(attributes.into_iter().flatten()) {
        if name == "summarize_function"
            && !value.is_null()
            && !(value.as_str()).is_some_and(|name| SUMMARIZE_FUNCTIONS.contains(&name))
        {
            return Err(Refusal::param(
                name,
                "must be average, sum, count, min or max",
            ));
        }
        let attributes = match batch && OF_GAUGES.contains(&name.as_str()) {
            true => &mut edit.gauge_attributes,
            false => &mut edit.attributes,
        };
        attributes.insert(name.clone(), value.clone());
    }
    Ok(edit)
}

/// `names` and `exclude` of a batch.
struct Choice {
    names: Names,
    exclude: Names,
}

/// Names, some of them with `*` for any run of characters.
#[derive(Default)]
struct Names {
    /// In lower case.
    exact: BTreeSet<String>,
    patterns: Vec<String>,
}

impl Choice {
    fn parse(body: &Map<String, Value>) -> Result<Choice, Refusal> {
        let names = Names::parse(body, "names")?;
        Ok(Choice {
            names: names.ok_or_else(|| Refusal::param("names", "is required"))?,
            exclude: Names::parse(body, "exclude")?.unwrap_or_default(),
        })
    }

    fn takes(&self, name: &str) -> bool {
        self.names.have(name) && !self.exclude.have(name)
    }
}

impl Names {
    /// One name or a list of them; `None` where there is none.
    fn parse(body: &Map<String, Value>, field: &str) -> Result<Option<Names>, Refusal> {
        let given = match present(body, field) {
            None => return Ok(None),
            Some(Value::Array(given)) if given.is_empty() => return Ok(None),
            Some(Value::Array(given)) => given.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        let mut names = Names::default();
        for name in given {
            let Value::String(name) = name else {
                return Err(Refusal::param(field, "must be a list of strings"));
            };
            let valid = (1..=names::METRIC_NAME_MAX).contains(&name.len())
                && name.chars().all(|c| c == '*' || names::is_name_char(c));
            if !valid {
                let name = shorten(name);
                let message = format!("{name} is not a valid metric name or pattern");
                return Err(Refusal::param(field, message));
            }
            match name.contains('*') {
                true => names.patterns.push(name.clone()),
                false => {
                    names.exact.insert(name.to_ascii_lowercase());
                }
            }
        }
        match names.patterns.len() <= PATTERNS_MAX {
            true => Ok(Some(names)),
            false => Err(Refusal::param(
                field,
                format!("must have at most {PATTERNS_MAX} patterns"),
            )),
        }
    }

    fn have(&self, name: &str) -> bool {
        self.exact.contains(&name.to_ascii_lowercase())
            || self.patterns.iter().any(|pattern| matches(pattern, name))
    }
}
