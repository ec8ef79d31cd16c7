//! Changes to the file, and then to the book that readers see.

use super::{Change, Draft, Outcome};
use crate::store::Shared;
use crate::store::writer::Annotate;
use redb::Database;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// Removes what starts before `oldest` (epoch seconds) and makes all changes, in one
/// transaction; what became of each. An error is the file's, and then nothing is done.
pub fn commit(
    shared: &Shared,
    group: &[Annotate],
    oldest: i64,
) -> Result<Vec<Vec<Outcome>>, String> {
    let mut draft = Draft::of(&shared.book());
    draft.trim(oldest);
    let (mut accepted, mut refused) = (0, 0);
    let mut outcomes = Vec::with_capacity(group.len());
    for request in group {
        let made = request.changes.iter().map(|change| {
            let outcome = draft.change(change, request.now, &shared.options);
            if let Change::Post { .. } = change {
                accepted += u64::from(outcome.is_ok());
                refused += u64::from(outcome.is_err());
            }
            outcome
        });
        outcomes.push(made.collect());
    }
    let counts = &shared.annotation_counts;
    if draft.is_changed() {
        let guard = shared.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = guard.as_ref().ok_or("it is closed")?;
        write(db, &draft).map_err(|why| why.to_string())?;
        drop(guard);
        counts
            .displaced
            .fetch_add(draft.displaced, Ordering::Relaxed);
        shared.set_book(draft.book);
        shared.changes.send_modify(|version| *version += 1);
    }
    counts.accepted.fetch_add(accepted, Ordering::Relaxed);
    counts.refused.fetch_add(refused, Ordering::Relaxed);
    Ok(outcomes)
}

fn write(db: &Database, draft: &Draft) -> Result<(), redb::Error> {
    let write = db.begin_write()?;
    draft.write(&write)?;
    write.commit()?;
    Ok(())
}
