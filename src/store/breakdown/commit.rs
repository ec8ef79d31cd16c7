//! Parts into the file, in one transaction, and what is too old out of it.

use super::{BrokenDown, Level, TABLE, behind, first, key, watched};
use crate::breakdown::{Part, Record, SLOT};
use crate::store::Shared;
use crate::store::format::existing;
use crate::store::writer::Break;
use crate::time::Timestamp;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table};
use std::time::Duration;

/// Records that one transaction removes: the rest goes with the next ones.
const TRIM_MAX: usize = 20_000;

/// Adds all parts of the group; what became of each. An error is the file's, and then nothing
/// is done.
pub fn commit(shared: &Shared, group: &[Break], now: Timestamp) -> Result<Vec<BrokenDown>, String> {
    let told = shared.open_database(|db| {
        if group.is_empty() && !is_due(db, shared.options.retention, now)? {
            return Ok(Vec::new());
        }
        write(db, shared, group, now)
    })?;
    told.map_err(|why: redb::Error| why.to_string())
}

/// Whether there is something that is too old.
fn is_due(db: &Database, retention: Duration, now: Timestamp) -> Result<bool, redb::Error> {
    let Some(table) = existing(db.begin_read()?.open_table(TABLE))? else {
        return Ok(false);
    };
    for level in Level::ALL {
        let old = first(level)..oldest(level, retention, now);
        if (table.range::<&[u8]>(old.start.as_slice()..old.end.as_slice())?)
            .next()
            .is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn write(
    db: &Database,
    shared: &Shared,
    group: &[Break],
    now: Timestamp,
) -> Result<Vec<BrokenDown>, redb::Error> {
    let retention = shared.options.retention;
    let write = db.begin_write()?;
    let mut told = Vec::with_capacity(group.len());
    {
        let mut table = write.open_table(TABLE)?;
        for asked in group {
            let mut became = BrokenDown::default();
            for (slot, service, part) in asked.parts.iter() {
                if slot < (now - retention).as_secs() {
                    became.late += part.curves.requests;
                    continue;
                }
                became.unreadable += add(&mut table, slot, service, part, retention, now)?;
            }
            for &(slot, seconds) in &asked.watched {
                for level in [Level::FineCurves, Level::Curves] {
                    let start = slot.div_euclid(level.span()) * level.span();
                    let key = key(level, start, "");
                    let known = table.get(key.as_slice())?;
                    let known = known.map_or(0, |known| watched(known.value()));
                    // A clock that is set back watches a second twice.
                    let all = known.saturating_add(seconds).min(level.span() as u32);
                    table.insert(key.as_slice(), all.to_le_bytes().as_slice())?;
                }
            }
            told.push(became);
        }
        trim(&mut table, shared, now)?;
    }
    write.commit()?;
    Ok(told)
}

type Records<'a> = Table<'a, &'static [u8], &'static [u8]>;

/// Adds a part to the records of each level that is kept so long. How many of them could not be
/// read.
fn add(
    table: &mut Records<'_>,
    slot: i64,
    service: &str,
    part: &Part,
    retention: Duration,
    now: Timestamp,
) -> Result<u64, redb::Error> {
    let mut unreadable = 0;
    for level in Level::ALL {
        let start = slot.div_euclid(level.span()) * level.span();
        if start + level.span() + SLOT <= (now - level.kept(retention)).as_secs() {
            continue;
        }
        let key = key(level, start, service);
        unreadable += match level {
            Level::FineCurves | Level::Curves => merge(table, &key, &part.curves)?,
            Level::FineDetails | Level::Details => merge(table, &key, &part.details)?,
        };
    }
    Ok(unreadable)
}

fn merge<T: Record + Clone>(
    table: &mut Records<'_>,
    key: &[u8],
    part: &T,
) -> Result<u64, redb::Error> {
    let known = table.get(key)?.map(|record| T::decode(record.value()));
    let unreadable = u64::from(matches!(known, Some(Err(_))));
    let bytes = match known {
        Some(Ok(mut known)) => {
            known.merge(part);
            known.encode()
        }
        _ => part.encode(),
    };
    let bytes = bytes.map_err(redb::Error::Io)?;
    table.insert(key, bytes.as_slice())?;
    Ok(unreadable)
}

/// Removes what is too old, and of the oldest coarse records what is beyond the bound.
fn trim(table: &mut Records<'_>, shared: &Shared, now: Timestamp) -> Result<(), redb::Error> {
    let mut left = TRIM_MAX;
    for level in Level::ALL {
        let (from, to) = (first(level), oldest(level, shared.options.retention, now));
        left -= remove(table, &from, &to, left)?;
    }
    let mut excess = table.len()?.saturating_sub(shared.options.breakdown_max) as usize;
    for level in [
        Level::Curves,
        Level::Details,
        Level::FineCurves,
        Level::FineDetails,
    ] {
        let removed = remove(table, &first(level), &behind(level), excess.min(left))?;
        (excess, left) = (excess - removed, left - removed);
    }
    Ok(())
}

/// Removes at most so many of the first records between two keys.
fn remove(
    table: &mut Records<'_>,
    from: &[u8],
    to: &[u8],
    max: usize,
) -> Result<usize, redb::Error> {
    let mut removed = 0;
    if max > 0 {
        for row in table
            .extract_from_if::<&[u8], _>(from..to, |_, _| true)?
            .take(max)
        {
            row?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The first key of a level that is kept.
fn oldest(level: Level, retention: Duration, now: Timestamp) -> Vec<u8> {
    let since = (now - level.kept(retention)).as_secs() - level.span();
    key(level, since, "")
}
