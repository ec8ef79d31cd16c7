//! What is in `store.redb`: tables, keys, records; those of annotations are in
//! annotations/file.rs, those of spaces in spaces/file.rs. docs/store-format.md says the same
//! for readers in other languages; change both together, and [`VERSION`].

use super::OpenError;
use super::index::{Metric, SeriesInfo, Source};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use std::path::Path;

/// Of the tables below; redb's own file format has its own version.
pub const VERSION: u64 = 1;

/// `"format"`: [`VERSION`]. `"next_series"`: the next series number; none is used twice.
/// `"next_annotation"`, `"next_space"`, `"next_chart"` and `"next_stream"` likewise.
pub const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// Metric name in lower case to [`Metric`] as JSON.
pub const METRICS: TableDefinition<&str, &[u8]> = TableDefinition::new("metrics");
/// Series number to [`SeriesInfo`] as JSON.
pub const SERIES: TableDefinition<u32, &[u8]> = TableDefinition::new("series");
/// Series number to the second of its newest point.
pub const NEWEST: TableDefinition<u32, u64> = TableDefinition::new("newest");
/// [`PointKey`] to a [`super::Summary`].
pub const POINTS: TableDefinition<&PointKey, &[u8]> = TableDefinition::new("points");

/// A source's name in lower case to [`Source`] as JSON. Made when it is first needed.
pub const SOURCES: TableDefinition<&str, &[u8]> = TableDefinition::new("sources");

/// Minute since 1970 (u32), series number (u32), second in the minute (u8), big-endian.
pub type PointKey = [u8; 9];

pub const FORMAT: &str = "format";
pub const NEXT_SERIES: &str = "next_series";

pub fn point_key(series: u32, second: u64) -> PointKey {
    minute_key((second / 60) as u32, series, (second % 60) as u8)
}

pub fn minute_key(minute: u32, series: u32, second: u8) -> PointKey {
    let mut key = [0; 9];
    key[..4].copy_from_slice(&minute.to_be_bytes());
    key[4..8].copy_from_slice(&series.to_be_bytes());
    key[8] = second;
    key
}

/// Series number and second.
pub fn split_key(key: &PointKey) -> (u32, u64) {
    let word = |at: usize| u32::from_be_bytes([key[at], key[at + 1], key[at + 2], key[at + 3]]);
    (word(4), u64::from(word(0)) * 60 + u64::from(key[8]))
}

/// Makes the tables of an empty file, or checks that the file is one of ours.
pub fn prepare(db: &Database, path: &Path) -> Result<(), OpenError> {
    let broken = |why: redb::Error| OpenError::Corrupt {
        path: path.into(),
        why: why.to_string(),
    };
    let read = db.begin_read().map_err(|e| broken(e.into()))?;
    let tables = read.list_tables().map_err(|e| broken(e.into()))?.count();
    if tables > 0 {
        let version = match read.open_table(META) {
            Ok(meta) => meta
                .get(FORMAT)
                .map_err(|e| broken(e.into()))?
                .map(|v| v.value()),
            Err(_) => None,
        };
        return match version {
            Some(VERSION) => Ok(()),
            Some(found) => Err(OpenError::Version {
                path: path.into(),
                found,
            }),
            None => Err(OpenError::Foreign { path: path.into() }),
        };
    }
    let create = || -> Result<(), redb::Error> {
        let write = db.begin_write()?;
        let mut meta = write.open_table(META)?;
        meta.insert(FORMAT, VERSION)?;
        meta.insert(NEXT_SERIES, 0)?;
        drop(meta);
        write.open_table(METRICS)?;
        write.open_table(SERIES)?;
        write.open_table(NEWEST)?;
        write.open_table(POINTS)?;
        write.commit()?;
        Ok(())
    };
    create().map_err(|why| OpenError::Io {
        path: path.into(),
        why: why.to_string(),
    })
}

/// What there is of series, as the index keeps it in memory.
pub struct Catalogue {
    pub next_series: u32,
    pub metrics: Vec<Metric>,
    /// With the second of the newest point.
    pub series: Vec<(u32, SeriesInfo, u64)>,
    pub sources: Vec<Source>,
}

/// Reads what [`prepare`] has accepted.
pub fn load(db: &Database, path: &Path) -> Result<Catalogue, OpenError> {
    read_catalogue(db).map_err(|why| OpenError::Corrupt {
        path: path.into(),
        why: why.to_string(),
    })
}

fn read_catalogue(db: &Database) -> Result<Catalogue, Box<dyn std::error::Error>> {
    let read = db.begin_read()?;
    let next = read
        .open_table(META)?
        .get(NEXT_SERIES)?
        .map_or(0, |next| next.value());
    let mut metrics = Vec::new();
    for row in read.open_table(METRICS)?.iter()? {
        metrics.push(serde_json::from_slice(row?.1.value())?);
    }
    let newest = read.open_table(NEWEST)?;
    let mut series = Vec::new();
    for row in read.open_table(SERIES)?.iter()? {
        let (id, info) = row?;
        let second = newest.get(id.value())?.map_or(0, |second| second.value());
        series.push((id.value(), serde_json::from_slice(info.value())?, second));
    }
    let mut sources = Vec::new();
    if let Some(table) = existing(read.open_table(SOURCES))? {
        for row in table.iter()? {
            sources.push(serde_json::from_slice(row?.1.value())?);
        }
    }
    Ok(Catalogue {
        next_series: u32::try_from(next)?,
        metrics,
        series,
        sources,
    })
}

/// A table that is made when it is first needed may not be there.
pub fn existing<T>(table: Result<T, TableError>) -> Result<Option<T>, TableError> {
    match table {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(why) => Err(why),
    }
}

/// A record as its table has it.
pub fn json(record: &impl serde::Serialize) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(record).map_err(|why| redb::Error::Io(why.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_minute_then_series_then_second() {
        let keys = [
            (1, 59),
            (1, 60),
            (1, 61),
            (2, 60),
            (0, 120),
            (70_000, 3_000_000_000),
        ];
        let mut encoded: Vec<PointKey> = keys
            .iter()
            .map(|&(id, second)| point_key(id, second))
            .collect();
        assert!(encoded.is_sorted());
        let decoded: Vec<(u32, u64)> = encoded.drain(..).map(|key| split_key(&key)).collect();
        assert_eq!(decoded, keys);
    }
}
