//! Points on a regular grid of times, with gaps where there is nothing.

use super::rows::Row;
use super::{SPARK_RANGE, SPARK_RANGE_MIN};
use crate::store::{Kind, Listed, Point, ReadError, SeriesId, Store};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

/// `len` steps of `step` seconds from `start`, a multiple of `step`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    pub start: i64,
    pub step: i64,
    pub len: usize,
}

/// Steps of a chart.
const CHART_STEPS: i64 = 1000;
/// Steps of a sparkline: about one for each of its pixels.
const SPARK_STEPS: i64 = 180;

impl Grid {
    /// The steps that `from..=to` touches.
    pub fn over(from: i64, to: i64, window: i64) -> Grid {
        let step = step(to - from, window, CHART_STEPS);
        let start = from.div_euclid(step) * step;
        Grid {
            start,
            step,
            len: ((to - start) / step + 1) as usize,
        }
    }

    /// As [`Grid::over`], but from the first of `points` where that is later: the step
    /// fits to what there is, so that a young series is seen in full detail.
    pub fn over_young(from: i64, to: i64, window: i64, points: &Points) -> Grid {
        Grid::over(
            oldest(points).map_or(from, |first| first.clamp(from, to)),
            to,
            window,
        )
    }

    /// The last `range` seconds up to `now`: the windows that are over.
    pub fn last(now: i64, range: i64, window: i64) -> Grid {
        let step = step(range, window, SPARK_STEPS);
        let end = now.div_euclid(step) * step;
        Grid {
            start: end - (range / step).max(1) * step,
            step,
            len: (range / step).max(1) as usize,
        }
    }

    /// Exclusive.
    pub fn end(&self) -> i64 {
        self.start + self.step * self.len as i64
    }

    pub fn times(&self) -> Vec<i64> {
        (0..self.len as i64)
            .map(|n| self.start + n * self.step)
            .collect()
    }

    /// The mean of what falls into each step.
    pub fn place(&self, points: &[(i64, f64)]) -> Vec<Option<f64>> {
        let mut sums = vec![(0.0, 0u32); self.len];
        for (time, value) in points {
            let slot = (time - self.start).div_euclid(self.step);
            if let Some((sum, count)) = usize::try_from(slot)
                .ok()
                .and_then(|slot| sums.get_mut(slot))
            {
                *sum += value;
                *count += 1;
            }
        }
        sums.into_iter()
            .map(|(sum, count)| (count > 0).then(|| sum / f64::from(count)))
            .collect()
    }
}

/// `window` or, where that would make too many steps, a multiple of it: each step holds
/// as many windows as any other.
fn step(range: i64, window: i64, steps_max: i64) -> i64 {
    let window = window.max(1);
    let most = window * steps_max;
    window * ((range + most - 1) / most).max(1)
}

/// Points by series, ascending in time.
pub type Points = HashMap<SeriesId, Vec<(i64, f64)>>;

fn oldest(points: &Points) -> Option<i64> {
    let firsts = points.values().filter_map(|points| points.first());
    firsts.map(|(time, _)| *time).min()
}

/// Seconds that the sparklines of these points cover: as far back as there is anything,
/// in whole minutes.
pub fn spark_range(points: &Points, now: i64) -> i64 {
    let age = oldest(points).map_or(0, |first| now - first);
    ((age + 59) / 60 * 60).clamp(SPARK_RANGE_MIN, SPARK_RANGE)
}

/// `ids` sorted. A counter is its raw total, a gauge its mean.
pub fn load(
    store: &Store,
    ids: &[SeriesId],
    from: i64,
    to: i64,
    kind: impl Fn(SeriesId) -> Kind,
) -> Result<Points, ReadError> {
    let mut points = Points::new();
    store.read(ids, from..=to, |point| {
        points
            .entry(point.series)
            .or_default()
            .push((point.time, value(&point, kind(point.series))));
        ControlFlow::Continue(())
    })?;
    Ok(points)
}

pub fn value(point: &Point, kind: Kind) -> f64 {
    match kind {
        Kind::Gauge => point.summary.mean(),
        Kind::Counter => point.summary.newest(),
    }
}

/// One measure of a row: rates summed, of everything else the highest.
pub fn measure(row: &Row<'_>, measure: &str, points: &Points) -> Vec<(i64, f64)> {
    let all: &[&Listed] = row.measures.get(measure).map_or(&[], Vec::as_slice);
    let mut by_time: BTreeMap<i64, f64> = BTreeMap::new();
    for (time, value) in all
        .iter()
        .filter_map(|listed| points.get(&listed.id))
        .flatten()
    {
        let merged = by_time.entry(*time).or_insert(if measure == "rate" {
            0.0
        } else {
            f64::NEG_INFINITY
        });
        *merged = if measure == "rate" {
            *merged + value
        } else {
            merged.max(*value)
        };
    }
    by_time.into_iter().collect()
}
