//! Points of several series to rows of one resolution, never more than an answer holds.

use super::reply::Refusal;
use crate::store::{SeriesId, Store, Summary};
use axum::http::StatusCode;
use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};

/// Rows after which an answer ends and names where to go on.
pub const ROWS_MAX: usize = 50_000;
/// Series that one answer may cover.
pub const STREAMS_MAX: usize = 10_000;

/// Ascending in time; the time is floored to the resolution.
pub type Rows = Vec<(i64, Summary)>;

#[derive(Debug, Default)]
pub struct Page {
    /// Series without a point in the range are absent.
    pub series: BTreeMap<SeriesId, Rows>,
    /// The first second that is not covered.
    pub next: Option<i64>,
}

/// `ids` sorted.
pub fn forward(
    store: &Store,
    ids: &[SeriesId],
    range: RangeInclusive<i64>,
    resolution: i64,
    rows_max: usize,
) -> Result<Page, Refusal> {
    check_streams(ids)?;
    let mut page = Page::default();
    let mut rows = 0;
    let mut minute = i64::MIN;
    let mut too_many = false;
    store.read(ids, range.clone(), |point| {
        // Points come by minute, then by series: only where a minute begins is every
        // series complete up to the same second.
        if point.time.div_euclid(60) != minute {
            minute = point.time.div_euclid(60);
            let complete = floor(minute * 60, resolution);
            if rows >= rows_max && complete > *range.start() {
                page.next = Some(complete);
                return ControlFlow::Break(());
            }
            too_many = rows >= rows_max.saturating_mul(10);
            if too_many {
                return ControlFlow::Break(());
            }
        }
        rows += usize::from(add(
            page.series.entry(point.series).or_default(),
            point.time,
            resolution,
            &point.summary,
        ));
        ControlFlow::Continue(())
    })?;
    if too_many {
        return Err(too_much(
            "a single step of this resolution has too many rows",
        ));
    }
    if let Some(next) = page.next {
        page.series
            .values_mut()
            .for_each(|rows| rows.retain(|(time, _)| *time < next));
        page.series.retain(|_, rows| !rows.is_empty());
    }
    Ok(page)
}

/// The last `count` rows of each series.
pub fn last(
    store: &Store,
    ids: &[SeriesId],
    range: RangeInclusive<i64>,
    resolution: i64,
    count: usize,
) -> Result<Page, Refusal> {
    check_streams(ids)?;
    if ids.len().saturating_mul(count) > 10 * ROWS_MAX {
        return Err(too_much("`count` times the matching sources is too much"));
    }
    let mut page = Page::default();
    for &id in ids {
        let mut points = Vec::new();
        let mut slots = 0;
        let mut slot = None;
        store.read_back(id, range.clone(), |point| {
            let this = floor(point.time, resolution);
            if slot != Some(this) {
                slot = Some(this);
                slots += 1;
            }
            if slots > count {
                return ControlFlow::Break(());
            }
            points.push((point.time, point.summary));
            ControlFlow::Continue(())
        })?;
        let mut rows = Rows::new();
        for (time, summary) in points.iter().rev() {
            add(&mut rows, *time, resolution, summary);
        }
        if !rows.is_empty() {
            page.series.insert(id, rows);
        }
    }
    Ok(page)
}

pub fn floor(time: i64, resolution: i64) -> i64 {
    time - time.rem_euclid(resolution)
}

/// True when a row was added.
fn add(rows: &mut Rows, time: i64, resolution: i64, summary: &Summary) -> bool {
    let slot = floor(time, resolution);
    match rows.last_mut() {
        Some((last, merged)) if *last == slot => {
            merged.merge(summary);
            false
        }
        _ => {
            rows.push((slot, *summary));
            true
        }
    }
}

fn check_streams(ids: &[SeriesId]) -> Result<(), Refusal> {
    match ids.len() <= STREAMS_MAX {
        true => Ok(()),
        false => Err(too_much(&format!(
            "{} streams match and an answer covers {STREAMS_MAX}",
            ids.len()
        ))),
    }
}

fn too_much(what: &str) -> Refusal {
    Refusal::request(
        StatusCode::BAD_REQUEST,
        format!("{what}: narrow it by source or tags, or ask for a coarser resolution"),
    )
}
