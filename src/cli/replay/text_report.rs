//! The report for a terminal: a row for each service, and for what it is broken down by.

use super::super::print::Shown;
use super::figures;
use crate::replay::report::{By, Report, Row};
use std::fmt::{self, Write};

/// Rows of servers, routes or statuses; all are in `--format json`.
const ROWS_MAX: usize = 50;

/// Of the slowest routes, where nothing was said of what to break services down by.
const ROUTES_MAX: usize = 10;

pub fn report(text: &mut String, report: &Report) -> fmt::Result {
    if !report.http.is_empty() {
        let timer = "times are the server's (Tr)";
        writeln!(text, "\nHTTP requests by service; {timer}")?;
        table(
            text,
            "requests",
            &["service"],
            &report.http,
            usize::MAX,
            true,
        )?;
    }
    if !report.tcp.is_empty() {
        let timer = "times are how long they lasted (Tt)";
        writeln!(text, "\nTCP sessions by service; {timer}")?;
        table(
            text,
            "sessions",
            &["service"],
            &report.tcp,
            usize::MAX,
            true,
        )?;
    }
    if let Some((by, rows)) = &report.by {
        let title = match by {
            By::Server => "HTTP requests by server",
            By::Route => "HTTP requests by route, the slowest (p95) first",
            By::Status => "HTTP requests by status",
        };
        let rest = "--format json has all of them";
        broken_down(text, title, *by, rows, ROWS_MAX, rest)?;
    }
    if let Some(rows) = report.routes.as_ref().filter(|rows| !rows.is_empty()) {
        let title = "The slowest routes, by p95";
        broken_down(text, title, By::Route, rows, ROUTES_MAX, "see --by route")?;
    }
    Ok(())
}

/// The first rows of what services are broken down by, and where the others are.
fn broken_down(
    text: &mut String,
    title: &str,
    by: By,
    rows: &[Row],
    rows_max: usize,
    rest: &str,
) -> fmt::Result {
    writeln!(text, "\n{title}")?;
    let labels = [&["service"], by.fields()].concat();
    table(text, "requests", &labels, rows, rows_max, false)?;
    match rows.len().saturating_sub(rows_max) {
        0 => Ok(()),
        more => writeln!(text, "  and {more} more: {rest}"),
    }
}

const HEADS: [&str; 8] = [
    "requests", "per s", "errors", "p50", "p95", "p99", "max", "bytes",
];

fn table(
    text: &mut String,
    what: &str,
    labels: &[&str],
    rows: &[Row],
    rows_max: usize,
    has_total: bool,
) -> fmt::Result {
    let heads = labels.iter().copied().chain(HEADS);
    let heads = heads.map(|head| match head {
        "requests" => what.to_owned(),
        head => head.to_owned(),
    });
    let mut cells: Vec<Vec<String>> = vec![heads.collect()];
    cells.extend(rows.iter().take(rows_max).map(|row| {
        let labels = labels.iter().map(|label| label_of(row, label));
        labels.chain(figures_of(row)).collect()
    }));
    if has_total && rows.len() > 1 {
        let mut labels: Vec<_> = labels.iter().map(|_| String::new()).collect();
        labels[0] = format!("all {}", rows.len());
        cells.push(labels.into_iter().chain(total(rows)).collect());
    }
    let width = |column: usize| {
        let widths = cells.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..cells[0].len()).map(width).collect();
    for row in &cells {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            match column < labels.len() {
                true => write!(line, "  {cell:<width$}")?,
                false => write!(line, "  {cell:>width$}")?,
            }
        }
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(())
}

fn label_of(row: &Row, label: &str) -> String {
    match row.tag(label) {
        Some(value) => Shown(value.as_bytes()).to_string(),
        None => "-".to_owned(),
    }
}

fn figures_of(row: &Row) -> [String; 8] {
    let shown =
        |value: Option<f64>, show: fn(f64) -> String| value.map_or_else(|| "-".to_owned(), show);
    [
        figures::count(row.requests),
        figures::rate(row.rate),
        shown(row.errors, figures::percent),
        shown(row.p50, figures::time),
        shown(row.p95, figures::time),
        shown(row.p99, figures::time),
        shown(row.max, figures::time),
        shown(row.bytes, figures::bytes),
    ]
}

/// What can be said of all rows by the rows: no percentile.
fn total(rows: &[Row]) -> [String; 8] {
    let requests: u64 = rows.iter().map(|row| row.requests).sum();
    let failed = rows
        .iter()
        .map(|row| row.errors.unwrap_or(0.0) * row.requests as f64);
    let max = rows.iter().filter_map(|row| row.max).reduce(f64::max);
    let bytes = rows.iter().filter_map(|row| row.bytes).sum();
    [
        figures::count(requests),
        figures::rate(rows.iter().map(|row| row.rate).sum()),
        figures::percent(failed.sum::<f64>() / requests.max(1) as f64),
        String::new(),
        String::new(),
        String::new(),
        max.map_or_else(String::new, figures::time),
        figures::bytes(bytes),
    ]
}
