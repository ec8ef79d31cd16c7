//! What came of a replay: the account of its lines, and the values.

use super::charts::Chart;
use super::sift::Samples;
use super::table::Table;
use crate::haproxy::Reject;
use crate::metric::Series;
use crate::rejects::RejectedLine;
use crate::telemetry::Tally;
use crate::time::Timestamp;
use crate::window::{ClosedWindow, Merged};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

/// So many values are held: 1.6 GB. A day of 100 services with five series each, in windows
/// of 10 s, has 4 million.
const POINTS_MAX: usize = 100_000_000;

/// The values would not fit into memory.
#[derive(Debug, thiserror::Error)]
#[error(
    "the rules make more than {POINTS_MAX} values of this log\n\nhint: replay a part of it, or write rules with longer windows or fewer series"
)]
pub struct TooManyPoints;

/// Everything that came of a replay.
///
/// `lines = parsed + rejected`, and each parsed line is in exactly one of `counted`,
/// `skipped`, `notices`, `undated`, `over_limit`, `too_late` and `outside`.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// Without blank ones.
    pub lines: u64,
    pub parsed: u64,
    /// By the place of the reason in [`Reject::REASONS`].
    pub rejected: [u64; Reject::REASONS.len()],
    /// Longer than the limit; what was left of them was read.
    pub cut: u64,
    pub counted: u64,
    /// No rule wanted them.
    pub skipped: u64,
    /// HAProxy's own messages, which are no requests.
    pub notices: u64,
    /// Without a date.
    pub undated: u64,
    /// Among the others of their grouping, or in none: their series would have been more than
    /// allowed.
    pub over_limit: u64,
    /// Their window had to be closed before they came, for want of memory.
    pub too_late: u64,
    /// The times of the first and of the last event; `None` without any.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// By name and tags, the points of each in order of time.
    pub series: Vec<(Series, Vec<Point>)>,
    /// The whole log as one window, if that was asked for.
    pub whole: Vec<Table>,
    /// Lines of times that were not asked for.
    pub outside: u64,
    /// It was stopped before all was read.
    pub interrupted: bool,
    /// The first rejected line of each reason, by its place in [`Reject::REASONS`].
    pub samples: Samples,
    /// Values over time of the rules of which that was asked for.
    pub charts: Option<Chart>,
}

/// The value of a series in one window.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Point {
    /// The window's start, in seconds since 1970.
    pub time: i64,
    pub value: f64,
}

impl Outcome {
    pub(super) fn add(&mut self, tally: &Tally) {
        self.parsed += tally.parsed;
        for (all, some) in self.rejected.iter_mut().zip(tally.rejected) {
            *all += some;
        }
        self.cut += tally.cut;
        self.skipped += tally.skipped;
        self.notices += tally.notices;
        self.undated += tally.undated;
        self.over_limit += tally.over_limit;
        self.from = match (self.from, tally.from) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.to = self.to.max(tally.to);
    }

    pub(super) fn left_out(&mut self, lines: u64) {
        self.parsed += lines;
        self.outside += lines;
    }

    /// Keeps what is the first of its reason.
    pub(super) fn sample(&mut self, samples: Samples) {
        for (known, sample) in self.samples.iter_mut().zip(samples) {
            if known.is_none() {
                *known = sample;
            }
        }
    }

    pub(super) fn merged(&mut self, merged: Merged) {
        self.counted += merged.counted + merged.late;
        self.too_late += merged.too_late;
        self.over_limit += merged.over_limit;
    }

    /// How many lines were rejected.
    pub fn rejected(&self) -> u64 {
        self.rejected.iter().sum()
    }

    /// The first rejected line of each reason.
    pub fn samples(&self) -> impl Iterator<Item = (&'static str, &RejectedLine)> + Clone {
        let samples = Reject::REASONS.into_iter().zip(&self.samples);
        samples.filter_map(|(reason, sample)| Some((reason, sample.as_ref()?)))
    }

    /// The reasons for which lines were rejected, and how many for each.
    pub fn reasons(&self) -> impl Iterator<Item = (&'static str, u64)> + Clone {
        let reasons = Reject::REASONS.into_iter().zip(self.rejected);
        reasons.filter(|(_, lines)| *lines > 0)
    }
}

/// The values of windows, put together by series.
#[derive(Debug, Default)]
pub(super) struct Points {
    series: HashMap<Series, Vec<Point>, RandomState>,
    number: usize,
}

impl Points {
    /// Windows of a series come in order of time.
    pub fn take_in(&mut self, closed: Vec<ClosedWindow>) -> Result<(), TooManyPoints> {
        for window in closed {
            self.number += window.measurements.len();
            if self.number > POINTS_MAX {
                return Err(TooManyPoints);
            }
            for measurement in window.measurements {
                let points = self.series.entry(measurement.series).or_default();
                points.push(Point {
                    time: measurement.time.as_secs(),
                    value: measurement.value,
                });
            }
        }
        Ok(())
    }

    /// By name and tags.
    pub fn into_series(self) -> Vec<(Series, Vec<Point>)> {
        let mut series: Vec<_> = self.series.into_iter().collect();
        series.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        series
    }
}

/// `{lines, parsed, rejected: {reason: n}, from, to, series: [{name, tags, points: [{time,
/// value}]}], ...}`; times are whole seconds since 1970, rounded down.
impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Outcome", 16)?;
        object.serialize_field("lines", &self.lines)?;
        object.serialize_field("parsed", &self.parsed)?;
        object.serialize_field("rejected", &Map(self.reasons()))?;
        object.serialize_field("from", &self.from.map(Timestamp::as_secs))?;
        object.serialize_field("to", &self.to.map(Timestamp::as_secs))?;
        object.serialize_field("series", &AllSeries(&self.series))?;
        object.serialize_field("counted", &self.counted)?;
        object.serialize_field("skipped", &self.skipped)?;
        object.serialize_field("notices", &self.notices)?;
        object.serialize_field("undated", &self.undated)?;
        object.serialize_field("over_limit", &self.over_limit)?;
        object.serialize_field("too_late", &self.too_late)?;
        object.serialize_field("cut", &self.cut)?;
        object.serialize_field("outside", &self.outside)?;
        object.serialize_field("interrupted", &self.interrupted)?;
        object.serialize_field("samples", &Map(self.samples()))?;
        object.end()
    }
}

struct AllSeries<'a>(&'a [(Series, Vec<Point>)]);

impl Serialize for AllSeries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct One<'a, T: Serialize> {
            name: &'a str,
            tags: T,
            points: &'a [Point],
        }
        serializer.collect_seq(self.0.iter().map(|(series, points)| One {
            name: &series.name,
            tags: Map(series.tags.iter().map(|(name, value)| (&**name, &**value))),
            points,
        }))
    }
}

/// Pairs as an object, in their order.
struct Map<I>(I);

impl<K, V, I> Serialize for Map<I>
where
    K: Serialize,
    V: Serialize,
    I: Iterator<Item = (K, V)> + Clone,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.0.clone() {
            map.serialize_entry(&key, &value)?;
        }
        map.end()
    }
}
