//! Grafana's dashboard: the classic JSON model, for a Prometheus that scrapes `/metrics`.
//!
//! Its names and labels are those of `sink/prometheus.rs`; a test holds each against the
//! page of a running weir. Of several weirs that one Prometheus scrapes, values are merged
//! (see [`Whole`](crate::rules::Whole)), or some are chosen by the variable `instance`.

mod grid;
mod panel;
mod pipeline;
mod promql;
mod rows;
mod variables;

use self::grid::Grid;
use self::promql::Names;
use crate::rules::{Described, Rules};
use serde_json::{Value, json};

/// The version of the model that is written: that of Grafana 12.1 and later. Older ones read
/// it too, as far as they know what is in it.
const SCHEMA_VERSION: u32 = 42;
/// The version of Grafana's panels that is written.
const PANELS_VERSION: &str = "13.2.2";
/// Characters of a dashboard's uid that Grafana takes.
const UID_MAX: usize = 40;

/// A dashboard of these rules and of weir itself, called `name`.
pub fn dashboard(rules: &Rules, name: &str) -> Value {
    let rules: Vec<Described<'_>> = rules.described().collect();
    let names = Names::of(&rules);
    let mut grid = Grid::default();
    grid.open(pipeline::strip());
    for (i, rule) in rules.iter().enumerate() {
        let title = rows::title(rule);
        let panels = rows::panels(rule, &names);
        // The first is what one comes for; the others load when they are opened.
        match i {
            0 => grid.row(title, panels),
            _ => grid.collapsed_row(title, panels),
        }
    }
    grid.row("weir itself".to_owned(), pipeline::panels());
    json!({
        "id": null,
        "uid": uid(name),
        "title": name,
        "description": "HAProxy's traffic as weir measures it, and how weir itself is. Printed by `weir dashboards`.",
        "tags": ["haproxy", "weir"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": true,
        "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "10s",
        // One crosshair for all charts.
        "graphTooltip": 1,
        "annotations": {"list": annotations()},
        "templating": {"list": variables::variables(&rules, &names)},
        "links": [],
        "panels": grid.into_panels(),
    })
}

/// Always the same for a name, so that importing again replaces the dashboard.
fn uid(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let mut uid = words.join("-").to_ascii_lowercase();
    uid.truncate(UID_MAX);
    match uid.is_empty() {
        true => "weir".to_owned(),
        false => uid,
    }
}

/// The datasource that the variable chooses.
fn datasource() -> Value {
    json!({"type": "prometheus", "uid": format!("${{{}}}", variables::DATASOURCE)})
}

/// Marks on every chart: what `/metrics` tells of moments.
fn annotations() -> Vec<Value> {
    let instance = promql::of_instances("");
    let own = |name: &str, color: &str, expr: String, text: &str| {
        json!({
            "name": name,
            "datasource": datasource(),
            "enable": true,
            "iconColor": color,
            "target": {"expr": expr, "refId": "Anno", "interval": "", "legendFormat": ""},
            "titleFormat": name,
            "textFormat": text,
            "tagKeys": "instance",
        })
    };
    let mut loaded = own(
        "Rules put in force",
        "blue",
        // When the rules came into force is the value itself.
        format!("weir_rules_loaded_timestamp_seconds{instance} * 1000"),
        "{{instance}}",
    );
    loaded["useValueForTime"] = true.into();
    vec![
        json!({
            "builtIn": 1,
            "name": "Annotations & Alerts",
            "datasource": {"type": "grafana", "uid": "-- Grafana --"},
            "enable": true,
            "hide": true,
            "iconColor": "rgba(0, 211, 255, 1)",
            "type": "dashboard",
        }),
        loaded,
        own(
            "Circuit breaker open",
            "orange",
            format!(
                "max by (instance, sink) (weir_sink_breaker_state{} == 1)",
                promql::of_instances("state=\"open\"")
            ),
            "{{sink}}",
        ),
        own(
            "Promise broken",
            "red",
            format!("max by (instance, promise) (weir_promise_broken{instance} == 1)"),
            "{{promise}}",
        ),
    ]
}

#[cfg(test)]
mod tests;
