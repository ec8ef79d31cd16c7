//! Points on a regular grid of times, with gaps where there is nothing.

use super::rows::Row;
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

/// Steps of a chart or a sparkline.
const STEPS_MAX: i64 = 1000;

impl Grid {
    /// The steps that began in `from..=to`; the step is `window` or, where that would be
    /// too many, a multiple of it.
    pub fn over(from: i64, to: i64, window: i64) -> Grid {
        let window = window.max(1);
        let steps = (to - from) / window + 1;
        let step = window * ((steps + STEPS_MAX - 1) / STEPS_MAX).max(1);
        let start = from.div_euclid(step) * step;
        let start = if start < from { start + step } else { start };
        let len = if to < start {
            0
        } else {
            (to - start) / step + 1
        };
        Grid {
            start,
            step,
            len: len as usize,
        }
    }

    /// The last `range` seconds up to `now`: the windows that are over.
    pub fn last(now: i64, range: i64, window: i64) -> Grid {
        let step = window.max(5);
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

/// Points by series, ascending in time.
pub type Points = HashMap<SeriesId, Vec<(i64, f64)>>;

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
