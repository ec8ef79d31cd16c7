//! Reading points, on a snapshot.

use super::format::{self, PointKey};
use super::{SeriesId, Shared, Store, Summary};
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, ReadableTableMetadata};
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// What a series was in one second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub series: SeriesId,
    /// Epoch second.
    pub time: i64,
    pub summary: Summary,
}

/// The store could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the store cannot be read: {0}")]
pub struct ReadError(String);

type Points = ReadOnlyTable<&'static PointKey, &'static [u8]>;

/// Below this share of all series, seeking each one beats scanning the minute.
const SCAN_SHARE: usize = 8;

impl Store {
    /// Visits the points of `ids` (sorted) with times in `range`, minute by minute, in a
    /// minute by series, then by second. The visitor may end it. Blocks.
    pub fn read(
        &self,
        ids: &[SeriesId],
        range: RangeInclusive<i64>,
        mut visit: impl FnMut(Point) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let scan = ids.len() * SCAN_SHARE > self.0.shared.index(|index| index.len());
        self.0.shared.snapshot(|points| {
            let Some(minutes) = minutes(points, &range)? else {
                return Ok(());
            };
            if scan {
                let keys = format::minute_key(*minutes.start(), 0, 0)
                    ..=format::minute_key(*minutes.end(), u32::MAX, u8::MAX);
                let wanted = |point: &Point| {
                    range.contains(&point.time) && ids.binary_search(&point.series).is_ok()
                };
                return visit_range(points, keys, wanted, &mut visit).map(|_| ());
            }
            for minute in minutes {
                for &id in ids {
                    let keys =
                        format::minute_key(minute, id, 0)..=format::minute_key(minute, id, u8::MAX);
                    let wanted = |point: &Point| range.contains(&point.time);
                    if visit_range(points, keys, wanted, &mut visit)?.is_break() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }

    /// Visits the points of one series in `range` from the newest back. Blocks.
    pub fn read_back(
        &self,
        id: SeriesId,
        range: RangeInclusive<i64>,
        mut visit: impl FnMut(Point) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let newest = self
            .series_by_id(id)
            .map_or(0, |listed| listed.newest as i64);
        let range = *range.start()..=newest.min(*range.end());
        self.0.shared.snapshot(|points| {
            let Some(minutes) = minutes(points, &range)? else {
                return Ok(());
            };
            for minute in minutes.rev() {
                let keys =
                    format::minute_key(minute, id, 0)..=format::minute_key(minute, id, u8::MAX);
                for row in points
                    .range::<&PointKey>(&keys.start()..=&keys.end())?
                    .rev()
                {
                    let point = decode(row?)?;
                    if range.contains(&point.time) && visit(point).is_break() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }

    /// The newest point of a series; `None` once it has been trimmed. Blocks.
    pub fn newest(&self, id: SeriesId) -> Result<Option<Point>, ReadError> {
        let Some(listed) = self.series_by_id(id) else {
            return Ok(None);
        };
        let key = format::point_key(id, listed.newest);
        self.0.shared.snapshot(|points| match points.get(&key)? {
            Some(value) => {
                let summary = Summary::decode(value.value())?;
                Ok(Some(Point {
                    series: id,
                    time: listed.newest as i64,
                    summary,
                }))
            }
            None => Ok(None),
        })
    }
}

impl Shared {
    pub(super) fn count_points(&self) -> Result<(), ReadError> {
        let points = self.snapshot(|points| Ok(points.len()?))?;
        self.points.store(points, Ordering::Relaxed);
        Ok(())
    }

    fn snapshot<T>(
        &self,
        read: impl FnOnce(&Points) -> Result<T, Box<dyn std::error::Error>>,
    ) -> Result<T, ReadError> {
        self.database(|db| read(&db.begin_read()?.open_table(format::POINTS)?))
    }

    pub(super) fn database<T>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, Box<dyn std::error::Error>>,
    ) -> Result<T, ReadError> {
        let opened = self.open_database(read);
        let read = opened.map_err(|_| ReadError("it is closed after a failed write".into()))?;
        read.map_err(|why| ReadError(why.to_string()))
    }

    /// Does something with the file that is open.
    pub(super) fn open_database<T>(&self, run: impl FnOnce(&Database) -> T) -> Result<T, String> {
        let guard = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = guard.as_ref().ok_or("it is closed")?;
        Ok(run(db))
    }
}

/// The minutes of `range` that the store has, so that a range of centuries costs nothing.
fn minutes(
    points: &Points,
    range: &RangeInclusive<i64>,
) -> Result<Option<RangeInclusive<u32>>, Box<dyn std::error::Error>> {
    let minute = |key: &PointKey| format::split_key(key).1 as i64 / 60;
    let (Some(first), Some(last)) = (points.first()?, points.last()?) else {
        return Ok(None);
    };
    let start = range.start().div_euclid(60).max(minute(first.0.value()));
    let end = range.end().div_euclid(60).min(minute(last.0.value()));
    Ok((start <= end).then_some(start as u32..=end as u32))
}

fn visit_range(
    points: &Points,
    keys: RangeInclusive<PointKey>,
    wanted: impl Fn(&Point) -> bool,
    visit: &mut impl FnMut(Point) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Box<dyn std::error::Error>> {
    for row in points.range::<&PointKey>(keys.start()..=keys.end())? {
        let point = decode(row?)?;
        if wanted(&point) && visit(point).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

type Row = (
    redb::AccessGuard<'static, &'static PointKey>,
    redb::AccessGuard<'static, &'static [u8]>,
);

fn decode((key, value): Row) -> Result<Point, super::BadPoint> {
    let (series, second) = format::split_key(key.value());
    Ok(Point {
        series,
        time: second as i64,
        summary: Summary::decode(value.value())?,
    })
}
