//! Dashboards that live elsewhere: rules in; Grafana's JSON, or the charts of a Space on a
//! server with Librato's API, out.
//!
//! What a chart shows follows from the rules alone: which series there are, what they are
//! called where they go, and what their values are. Nothing here knows a store or what is in
//! it.

pub mod grafana;
pub mod space;

use crate::rules::{Described, Whole};
use std::sync::Arc;

/// The tag that comes first.
const SERVICE: &str = "service";

/// The function that makes one value of several, as PromQL and Librato's API both call it.
const fn function(whole: Whole) -> &'static str {
    match whole {
        Whole::Sum => "sum",
        Whole::Highest => "max",
        Whole::Lowest => "min",
    }
}

/// The tags that a rule's groups are told apart by, the service first.
fn tags<'a>(rule: &Described<'a>) -> Vec<&'a Arc<str>> {
    let mut tags: Vec<_> = rule.grouping.by.iter().collect();
    tags.sort_by_key(|tag| ***tag != *SERVICE);
    tags
}

/// `p95 by service, route`
fn title(measure: &str, rule: &Described<'_>) -> String {
    match by(rule) {
        Some(by) => format!("{measure} by {by}"),
        None => measure.to_owned(),
    }
}

/// `service, route`; `None` where the rule has one group.
fn by(rule: &Described<'_>) -> Option<String> {
    let tags: Vec<&str> = tags(rule).into_iter().map(|tag| &**tag).collect();
    (!tags.is_empty()).then(|| tags.join(", "))
}

/// What a rule counts, in words.
fn lines_of(rule: &Described<'_>) -> String {
    match rule.condition {
        Some(condition) => format!("lines for which `{condition}`"),
        None => "all lines".to_owned(),
    }
}
