//! Everything as one object: the values of every window, and the report.

use crate::replay::Outcome;
use crate::replay::report::{Report, Row};
use anyhow::Context;
use serde::Serialize;

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    outcome: &'a Outcome,
    /// The report, where there is one: what is said of the whole log.
    #[serde(skip_serializing_if = "Option::is_none")]
    services: Option<Vec<Service<'a>>>,
    /// What the services are broken down by.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a [Row]>,
}

#[derive(Serialize)]
struct Service<'a> {
    kind: &'static str,
    #[serde(flatten)]
    row: &'a Row,
}

pub fn json(outcome: &Outcome, report: Option<&Report>) -> anyhow::Result<String> {
    let services = report.map(|report| {
        of_kind("http", &report.http)
            .chain(of_kind("tcp", &report.tcp))
            .collect()
    });
    let by = report.and_then(|report| report.by.as_ref());
    let whole = Whole {
        outcome,
        services,
        by: by.map(|(_, rows)| &**rows),
    };
    let json = serde_json::to_string(&whole).context("cannot write the result as JSON")?;
    Ok(format!("{json}\n"))
}

fn of_kind<'a>(kind: &'static str, rows: &'a [Row]) -> impl Iterator<Item = Service<'a>> {
    rows.iter().map(move |row| Service { kind, row })
}
