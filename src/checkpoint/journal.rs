//! The journal that a start finds: read piece by piece, so that memory does not depend on
//! how long it is.

use super::format::{self, JOURNAL, JournalKey};
use super::{Record, Shared, record};
use redb::{ReadableDatabase, TableHandle};
use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;

/// Bytes of records that are read at once; one more record may go beyond.
const CHUNK_BYTES: usize = 1 << 20;

/// The records that no checkpoint covers, in the order in which they came. They stay in the
/// file until a checkpoint covers them.
#[derive(Debug, Default)]
pub struct Journal {
    /// `None`: there is nothing more.
    rest: Option<Rest>,
    records: VecDeque<Record>,
}

#[derive(Debug)]
struct Rest {
    shared: Arc<Shared>,
    from: Bound<JournalKey>,
    through: JournalKey,
}

impl Journal {
    /// The records from `first` through `last`.
    pub(super) fn new(shared: Arc<Shared>, (first, last): (JournalKey, JournalKey)) -> Journal {
        Journal {
            rest: Some(Rest {
                shared,
                from: Bound::Included(first),
                through: last,
            }),
            records: VecDeque::new(),
        }
    }
}

impl Iterator for Journal {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.records.is_empty()
            && let Some(mut rest) = self.rest.take()
        {
            match rest.chunk() {
                Ok((records, last)) => {
                    self.records = records;
                    rest.from = last.map_or(rest.from, Bound::Excluded);
                    self.rest = last.is_some_and(|last| last < rest.through).then_some(rest);
                }
                // All of it has been read and checked when the file was opened, so this is
                // a disk that has failed since.
                Err(why) => tracing::error!(
                    %why,
                    "the journal cannot be read any further: acknowledged lines are missing in \
                     the windows"
                ),
            }
        }
        self.records.pop_front()
    }
}

impl Rest {
    fn chunk(&self) -> Result<(VecDeque<Record>, Option<JournalKey>), redb::Error> {
        let database = self.shared.database();
        let database = database.as_ref().ok_or(redb::Error::DatabaseClosed)?;
        let read = database.begin_read()?;
        let from = self.from.as_ref();
        let rows = read
            .open_table(JOURNAL)?
            .range::<&JournalKey>((from, Bound::Included(&self.through)))?;
        let (mut records, mut size, mut last) = (VecDeque::new(), 0, None);
        for row in rows {
            let (key, sealed) = row?;
            let bytes = format::unseal(JOURNAL.name(), key.value(), sealed.value())?;
            let record = record::decode(bytes)
                .ok_or_else(|| format::damaged(JOURNAL.name(), "a record cannot be read"))?;
            records.push_back(record);
            last = Some(*key.value());
            size += bytes.len();
            if size >= CHUNK_BYTES {
                break;
            }
        }
        Ok((records, last))
    }
}
