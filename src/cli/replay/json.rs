//! Everything as one object: the values of every window, and the report.

use crate::replay::Outcome;
use crate::replay::report::{Report, Row};
use serde::Serialize;
use std::io::{self, Write};

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

/// Writes it where it goes: of a long log it is larger than what the rules hold.
pub fn json(outcome: &Outcome, report: Option<&Report>, to: &mut impl Write) -> io::Result<()> {
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
    serde_json::to_writer(&mut *to, &whole)?;
    writeln!(to)
}

fn of_kind<'a>(kind: &'static str, rows: &'a [Row]) -> impl Iterator<Item = Service<'a>> {
    rows.iter().map(move |row| Service { kind, row })
}
