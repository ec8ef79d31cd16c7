//! Spaces and charts in `store.redb`; docs/store-format.md describes the tables.

use super::shelf::{Counters, Shelf};
use super::{Chart, Space};
use crate::store::OpenError;
use crate::store::format::{META, existing, json};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use std::path::Path;

/// Id to [`Space`] as JSON.
const SPACES: TableDefinition<u64, &[u8]> = TableDefinition::new("spaces");
/// Id to [`Chart`] as JSON.
const CHARTS: TableDefinition<u64, &[u8]> = TableDefinition::new("charts");
/// In [`META`]: the ids that the next ones get.
const NEXT_SPACE: &str = "next_space";
const NEXT_CHART: &str = "next_chart";
const NEXT_STREAM: &str = "next_stream";

/// Reads all of them from a store of the current version.
pub fn load(db: &Database, path: &Path) -> Result<Shelf, OpenError> {
    read_all(db).map_err(|why| OpenError::Corrupt {
        path: path.into(),
        why: why.to_string(),
    })
}

fn read_all(db: &Database) -> Result<Shelf, Box<dyn std::error::Error>> {
    let read = db.begin_read()?;
    let meta = read.open_table(META)?;
    let next = |key| {
        meta.get(key)
            .map(|next| next.map_or(1, |next| next.value()))
    };
    let mut shelf = Shelf::default();
    shelf.counters = Counters {
        space: next(NEXT_SPACE)?,
        chart: next(NEXT_CHART)?,
        stream: next(NEXT_STREAM)?,
    };
    if let Some(spaces) = existing(read.open_table(SPACES))? {
        for row in spaces.iter()? {
            let (id, record) = row?;
            let space: Space = serde_json::from_slice(record.value())?;
            shelf.put_space(Space {
                id: id.value(),
                ..space
            });
        }
    }
    if let Some(charts) = existing(read.open_table(CHARTS))? {
        for row in charts.iter()? {
            let (id, record) = row?;
            let (id, chart) = (id.value(), serde_json::from_slice::<Chart>(record.value())?);
            if shelf.space(chart.space).is_none() {
                return Err(format!("chart {id} has no space {}", chart.space).into());
            }
            shelf.put_chart(Chart { id, ..chart });
        }
    }
    Ok(shelf)
}

/// Each row as it shall be; `None` takes it away.
pub fn write<'a>(
    write: &WriteTransaction,
    counters: Counters,
    spaces: impl Iterator<Item = (u64, Option<&'a Space>)>,
    charts: impl Iterator<Item = (u64, Option<&'a Chart>)>,
) -> Result<(), redb::Error> {
    let mut meta = write.open_table(META)?;
    meta.insert(NEXT_SPACE, counters.space)?;
    meta.insert(NEXT_CHART, counters.chart)?;
    meta.insert(NEXT_STREAM, counters.stream)?;
    let mut rows = write.open_table(SPACES)?;
    for (id, space) in spaces {
        match space {
            Some(space) => rows.insert(id, json(space)?.as_slice())?,
            None => rows.remove(id)?,
        };
    }
    let mut rows = write.open_table(CHARTS)?;
    for (id, chart) in charts {
        match chart {
            Some(chart) => rows.insert(id, json(chart)?.as_slice())?,
            None => rows.remove(id)?,
        };
    }
    Ok(())
}
