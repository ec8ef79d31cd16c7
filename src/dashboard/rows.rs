//! Which series make up which service row.

use crate::store::{Listed, SeriesId};
use std::collections::{BTreeMap, HashSet};

const KNOWN: [&str; 5] = ["rate", "errors", "p50", "p95", "p99"];

/// The series of one rule and one service.
pub struct Row<'a> {
    pub rule: &'a str,
    pub service: &'a str,
    /// By measure.
    pub measures: BTreeMap<&'a str, Vec<&'a Listed>>,
}

impl Row<'_> {
    /// The window's length in seconds.
    pub fn window(&self) -> i64 {
        let periods = self
            .measures
            .values()
            .flatten()
            .filter_map(|listed| listed.metric.period);
        // weir always says it; 10 s is the shipped rules' window.
        i64::from(periods.max().unwrap_or(10))
    }
}

/// Rows by rule and service, and the series that are in none.
pub fn split(series: &[Listed]) -> (Vec<Row<'_>>, Vec<&Listed>) {
    // Names and sources compare without case, here as in the store.
    let lower = |text: &str| text.to_ascii_lowercase();
    let rates: HashSet<(String, String)> = series
        .iter()
        .filter_map(|listed| {
            let rule = listed.info.name.strip_suffix(".rate")?;
            Some((lower(rule), lower(listed.info.tags.get("source")?)))
        })
        .collect();
    let mut rows: BTreeMap<(String, String), Row<'_>> = BTreeMap::new();
    let mut others = Vec::new();
    for listed in series {
        let tags = &listed.info.tags;
        let named = listed
            .info
            .name
            .rsplit_once('.')
            .and_then(|(rule, measure)| {
                let sourced = || {
                    tags.get("source").filter(|source| {
                        KNOWN.contains(&measure) && rates.contains(&(lower(rule), lower(source)))
                    })
                };
                Some((rule, measure, tags.get("service").or_else(sourced)?))
            });
        let Some((rule, measure, service)) = named else {
            others.push(listed);
            continue;
        };
        let empty = || Row {
            rule,
            service,
            measures: BTreeMap::new(),
        };
        let row = rows
            .entry((lower(rule), lower(service)))
            .or_insert_with(empty);
        row.measures.entry(measure).or_default().push(listed);
    }
    let (rows, unknown): (Vec<Row<'_>>, Vec<Row<'_>>) = rows
        .into_values()
        .partition(|row| KNOWN.iter().any(|known| row.measures.contains_key(known)));
    others.extend(
        unknown
            .into_iter()
            .flat_map(|row| row.measures.into_values().flatten()),
    );
    (rows, others)
}

/// Counts up when a series outside the service rows has new points.
pub fn others_touched(series: &[Listed]) -> u64 {
    split(series)
        .1
        .iter()
        .map(|listed| listed.touched)
        .max()
        .unwrap_or(0)
}

/// Sorted, as the store reads them.
pub fn ids<'a>(rows: impl Iterator<Item = &'a Row<'a>>) -> Vec<SeriesId> {
    let mut ids: Vec<SeriesId> = rows
        .flat_map(|row| row.measures.values().flatten())
        .map(|listed| listed.id)
        .collect();
    ids.sort_unstable();
    ids
}
