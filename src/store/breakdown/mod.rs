//! The breakdown in the store: records by span of time and service, to which later parts are
//! added.
//!
//! Each part is added on four levels: curves to spans of 10 s and of a minute, details to spans
//! of a minute and of ten minutes. The fine ones are kept two hours, the coarse ones as long as
//! points are. So whoever looks at the last half hour sees ten seconds, whoever looks at a day
//! reads a few hundred records, and nothing has to be summed up later.
//!
//! A curve's span without a record had no requests if weir was watching then, and else nobody
//! knows: weir notes the spans it has watched under the name of no service.
//!
//! Bounds: [`Options::breakdown_max`](super::Options) records; then the oldest coarse ones make
//! room. A record that cannot be read is passed over, and begun anew by the next part.

mod commit;
#[cfg(test)]
mod tests;

pub use commit::commit;

use super::format::existing;
use super::writer::{Break, Request};
use super::{ReadError, Store, WriteError};
use crate::breakdown::{Curves, Damaged, Details, Parts, Record};
use crate::time::Timestamp;
use redb::{ReadableDatabase, TableDefinition};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// [`key`] to a [`Record`]. Made when it is first needed.
const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("breakdown");

/// How long the fine levels are kept: two hours, and the span that is looked at with them.
pub const FINE_KEPT: Duration = Duration::from_secs(2 * 3600 + 600);

/// What is kept in spans of the same length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    FineCurves = 0,
    Curves = 1,
    FineDetails = 2,
    Details = 3,
}

impl Level {
    pub const ALL: [Level; 4] = [
        Level::FineCurves,
        Level::Curves,
        Level::FineDetails,
        Level::Details,
    ];

    /// Seconds of a span.
    pub const fn span(self) -> i64 {
        match self {
            Level::FineCurves => 10,
            Level::Curves | Level::FineDetails => 60,
            Level::Details => 600,
        }
    }

    /// How long it is kept, where points are for `retention`.
    fn kept(self, retention: Duration) -> Duration {
        match self {
            Level::FineCurves | Level::FineDetails => FINE_KEPT.min(retention),
            Level::Curves | Level::Details => retention,
        }
    }
}

/// What became of parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokenDown {
    /// Requests that are older than all that is kept.
    pub late: u64,
    /// Records that could not be read, and were begun anew.
    pub unreadable: u64,
}

/// What a service was in spans of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Spans<T> {
    /// Seconds of a span.
    pub span: i64,
    /// By its first second, in order; `None`: weir watched, and there was nothing.
    pub spans: Vec<(i64, Option<T>)>,
    /// For how many of each one's seconds weir has watched; all, where nobody noted that.
    pub watched: Vec<i64>,
    /// Records that could not be read.
    pub unreadable: u64,
}

impl Store {
    /// Adds the parts to what is there, and notes slots that were watched. Returns when that is
    /// on disk.
    pub async fn write_breakdown(
        &self,
        parts: Arc<Parts>,
        watched: Vec<(i64, u32)>,
        now: Timestamp,
    ) -> Result<BrokenDown, WriteError> {
        let request = |reply| {
            Request::Break(Break {
                parts,
                watched,
                now,
                reply,
            })
        };
        self.queue(1, request).await?
    }

    /// The curves of a service in spans that begin in `range`. Blocks.
    pub fn curves(
        &self,
        fine: bool,
        service: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Spans<Curves>, ReadError> {
        let level = if fine {
            Level::FineCurves
        } else {
            Level::Curves
        };
        self.spans(level, service, range)
    }

    /// Its details, likewise; without spans that had none.
    pub fn details(
        &self,
        fine: bool,
        service: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Spans<Details>, ReadError> {
        let level = if fine {
            Level::FineDetails
        } else {
            Level::Details
        };
        self.spans(level, service, range)
    }

    /// Whether there is anything of that service. Reads what is kept longest, the newest first:
    /// who is there mostly was there just now.
    pub fn has_breakdown(&self, service: &str) -> Result<bool, ReadError> {
        self.0.shared.database(|db| {
            let Some(table) = existing(db.begin_read()?.open_table(TABLE))? else {
                return Ok(false);
            };
            let (from, to) = (first(Level::Details), behind(Level::Details));
            for row in table.range::<&[u8]>(from.as_slice()..to.as_slice())?.rev() {
                if row?.0.value().get(KEY_HEAD..) == Some(service.as_bytes()) {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    fn spans<T: Record>(
        &self,
        level: Level,
        service: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Spans<T>, ReadError> {
        let span = level.span();
        let mut found = Spans {
            span,
            spans: Vec::new(),
            watched: Vec::new(),
            unreadable: 0,
        };
        self.0.shared.database(|db| {
            let Some(table) = existing(db.begin_read()?.open_table(TABLE))? else {
                return Ok(());
            };
            // The spans that the store has, so that a range of centuries costs nothing.
            let mut ends =
                table.range::<&[u8]>(first(level).as_slice()..behind(level).as_slice())?;
            let Some(oldest) = ends.next().transpose()? else {
                return Ok(());
            };
            let newest = ends.next_back().transpose()?;
            let oldest = start_of(oldest.0.value());
            let newest = newest.map_or(oldest, |newest| start_of(newest.0.value()));
            let from = range.start().div_euclid(span) * span;
            let to = (*range.end()).min(newest);
            for start in (from.max(oldest)..=to).step_by(span as usize) {
                let noted = table.get(key(level, start, "").as_slice())?;
                let read = match table.get(key(level, start, service).as_slice())? {
                    Some(record) => match T::decode(record.value()) {
                        Ok(read) => Some(read),
                        Err(Damaged) => {
                            found.unreadable += 1;
                            continue;
                        }
                    },
                    None if noted.is_some() => None,
                    None => continue,
                };
                let seconds = noted.map_or(span, |noted| i64::from(watched(noted.value())));
                found.spans.push((start, read));
                found.watched.push(seconds);
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// Bytes of a key before the service's name.
const KEY_HEAD: usize = 5;

/// The level (u8), the span's first second (u32, big-endian), and the service's name: a span of
/// all services is one run, and so is what is too old.
fn key(level: Level, start: i64, service: &str) -> Vec<u8> {
    let mut key = first(level);
    let start = u32::try_from(start.max(0)).unwrap_or(u32::MAX);
    key.extend(start.to_be_bytes());
    key.extend(service.as_bytes());
    key
}

/// Before all keys of a level.
fn first(level: Level) -> Vec<u8> {
    vec![level as u8]
}

/// Behind all keys of a level.
fn behind(level: Level) -> Vec<u8> {
    vec![level as u8 + 1]
}

/// For how many seconds a span was watched.
fn watched(noted: &[u8]) -> u32 {
    noted.try_into().map_or(0, u32::from_le_bytes)
}

fn start_of(key: &[u8]) -> i64 {
    match key {
        [_, a, b, c, d, ..] => i64::from(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => 0,
    }
}
