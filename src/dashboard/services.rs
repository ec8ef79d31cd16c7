//! The list of services, the worst first.

use super::SPARK_RANGE;
use super::grid::{self, Grid, Points};
use super::rows::{self, Row};
use super::trouble::{self, Severity, Trouble, Window};
use crate::store::{Kind, ReadError, Store};
use crate::time::Timestamp;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Services {
    pub now: i64,
    /// Seconds that the sparklines cover, the same for all.
    pub spark_range: i64,
    pub services: Vec<ServiceRow>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceRow {
    pub service: String,
    pub rule: String,
    pub severity: Severity,
    pub why: String,
    /// Start of the newest window.
    pub time: i64,
    /// Seconds.
    pub window: i64,
    /// Of the newest window, as all below; `None`: nothing to say.
    pub rate: Option<f64>,
    /// 0 to 1.
    pub errors: Option<f64>,
    /// Milliseconds.
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    pub spark: Spark,
}

/// Arrays of one length; `None` is a gap.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spark {
    pub start: i64,
    pub step: i64,
    pub rate: Vec<Option<f64>>,
    pub p95: Vec<Option<f64>>,
    pub errors: Vec<Option<f64>>,
}

/// Every service with a point in the last 15 minutes.
pub fn services(store: &Store, now: Timestamp) -> Result<Services, ReadError> {
    let now = now.as_secs();
    let series = store.series();
    let (rows, _) = rows::split(&series);
    let from = now - SPARK_RANGE - 60;
    let points = grid::load(store, &rows::ids(rows.iter()), from, now, |_| Kind::Gauge)?;
    let spark_range = grid::spark_range(&points, now);
    let mut judged: Vec<(ServiceRow, f64)> = rows
        .iter()
        .filter_map(|row| service_row(row, &points, spark_range, now))
        .collect();
    judged.sort_by_cached_key(|(row, score)| {
        let rates: Vec<f64> = row.spark.rate.iter().flatten().copied().collect();
        let mean_rate = rates.iter().sum::<f64>() / rates.len().max(1) as f64;
        let place = (
            row.severity,
            trouble::rough(*score),
            trouble::rough(mean_rate),
        );
        (Reverse(place), row.service.clone(), row.rule.clone())
    });
    Ok(Services {
        now,
        spark_range,
        services: judged.into_iter().map(|(row, _)| row).collect(),
    })
}

fn service_row(
    row: &Row<'_>,
    points: &Points,
    spark_range: i64,
    now: i64,
) -> Option<(ServiceRow, f64)> {
    let window = row.window();
    let grid = Grid::last(now, spark_range, window);
    let [rate, errors, p50, p95, p99] =
        ["rate", "errors", "p50", "p95", "p99"].map(|measure| grid::measure(row, measure, points));
    let time = [&rate, &errors, &p50, &p95, &p99]
        .iter()
        .filter_map(|points| points.last())
        .map(|(time, _)| *time)
        .max()?;
    let newest = |points: &[(i64, f64)]| {
        points
            .last()
            .filter(|(last, _)| *last == time)
            .map(|(_, value)| *value)
    };
    let latencies = [("p95", &p95), ("p99", &p99), ("p50", &p50)];
    let (label, latency) = latencies
        .into_iter()
        .find(|(_, points)| !points.is_empty())
        .unwrap_or(latencies[0]);
    let Trouble {
        severity,
        why,
        score,
    } = trouble::judge(&windows(&rate, &errors, latency, window), window, label);
    let row = ServiceRow {
        service: row.service.into(),
        rule: row.rule.into(),
        severity,
        why,
        time,
        window,
        rate: newest(&rate),
        errors: newest(&errors),
        p50: newest(&p50),
        p95: newest(&p95),
        p99: newest(&p99),
        spark: Spark {
            start: grid.start,
            step: grid.step,
            rate: grid.place(&rate),
            p95: grid.place(&p95),
            errors: grid.place(&errors),
        },
    };
    Some((row, score))
}

/// What there is to judge, the newest first. `length` in seconds.
fn windows(
    rate: &[(i64, f64)],
    errors: &[(i64, f64)],
    latency: &[(i64, f64)],
    length: i64,
) -> Vec<Window> {
    let mut windows: BTreeMap<i64, Window> = BTreeMap::new();
    for (time, rate) in rate {
        windows.entry(*time).or_default().requests = Some(rate * length as f64);
    }
    for (time, errors) in errors {
        windows.entry(*time).or_default().errors = Some(*errors);
    }
    for (time, latency) in latency {
        windows.entry(*time).or_default().latency = Some(*latency);
    }
    let newest = windows.keys().next_back().copied().unwrap_or(0);
    let aged = windows.into_iter().rev().map(|(time, window)| Window {
        age: (newest - time) / length.max(1),
        ..window
    });
    aged.collect()
}
