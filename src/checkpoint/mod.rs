//! What survives a kill: the windows as they last were, and the lines since that weir has
//! acknowledged.
//!
//! ```text
//! windows -> Changes -> checkpoint      one file, one transaction: with a checkpoint go the
//! RELP    -> Record  -> journal         records that it covers
//! ```
//!
//! The file is cut into generations. A record belongs to the generation that is current when
//! it is appended; [`Keeper::cut`] begins the next one, and a checkpoint of a generation
//! covers its records and all before. Nothing here knows what a window or a line is.

use crate::time::Timestamp;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The number of a part of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// A pane of the windows: the place of its grouping, and its start in microseconds.
pub type PaneId = (u16, i64);

/// What has changed since the last checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Everything but the panes.
    pub head: Vec<u8>,
    /// Panes that are new or have changed; `None`: gone.
    pub panes: Vec<(PaneId, Option<Vec<u8>>)>,
    /// These are all panes there are: others that the file has are gone.
    pub whole: bool,
}

/// The last checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    pub head: Vec<u8>,
    pub panes: Vec<(PaneId, Vec<u8>)>,
}

/// Frames that one sender sent, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// One connection's, since weir was installed: none is used twice.
    pub session: u64,
    pub peer: IpAddr,
    /// When they came, in microseconds since 1970.
    pub received_at: i64,
    pub frames: Vec<Vec<u8>>,
}

/// Why something was not kept.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct NotKept(pub String);

/// What a file had to tell.
#[derive(Debug, Default)]
pub struct Restored {
    pub checkpoint: Option<Checkpoint>,
    /// What it does not cover, in the order in which it came.
    pub journal: Journal,
    /// Why nothing can be kept at the moment: the file can be neither made nor written. The
    /// keeper tries again with everything that it is given.
    pub broken: Option<NotKept>,
}

/// The records that no checkpoint covers, read from the file as they are asked for.
#[derive(Debug, Default)]
pub struct Journal {}

impl Iterator for Journal {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        None
    }
}

/// Why weir cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{}: in use by another process\n\nhint: stop the other weir, or give this one a folder of its own", path.display())]
    Locked { path: PathBuf },
}

/// A frame's fingerprint, by which it is known when it comes again: its XXH3 of 128 bits.
pub fn fingerprint(frame: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(frame)
}

/// Keeps things in the file. Clones keep in the same.
#[derive(Clone, Debug)]
pub struct Keeper {}

impl Keeper {
    /// Opens or makes `checkpoint.redb` in that folder. A file that cannot be read to its
    /// end is set aside under a name with `now` in it, and weir begins with an empty one.
    ///
    /// # Errors
    ///
    /// Only when another process has the file. Where it cannot be made or written,
    /// [`Restored::broken`] says so.
    pub fn open(_state: &Path, _now: Timestamp) -> Result<(Keeper, Restored), OpenError> {
        Ok((Keeper {}, Restored::default()))
    }

    /// The number of a new session: none is given twice, not after a restart either.
    pub fn session(&self) -> u64 {
        0
    }

    /// Begins a generation; gives the one that ends.
    pub fn cut(&self) -> Generation {
        Generation(0)
    }

    /// Waits until the journal has room. To be asked before the pass is taken under which
    /// [`Keeper::append`] is called: only a checkpoint makes room, and none is cut while
    /// there is a pass.
    pub async fn room(&self) {}

    /// Keeps a record in the current generation. Returns when it is on disk; records that
    /// come together share one sync. At once [`NotKept`] when the disk refuses.
    pub async fn append(&self, _record: Record) -> Result<(), NotKept> {
        Ok(())
    }

    /// Keeps a checkpoint that covers that generation and all before, whose records are
    /// forgotten with the same step. After an error the next one has to be
    /// [`Changes::whole`].
    pub async fn commit(&self, _covers: Generation, _changes: Changes) -> Result<(), NotKept> {
        Ok(())
    }

    /// The session has ended as it should: its sender knows of every frame what became of
    /// it, and sends none again. Its tail is forgotten.
    pub fn closed(&self, _session: u64) {}

    /// The session has ended in any other way: its tail may be taken.
    pub fn broke_off(&self, _session: u64) {}

    /// Takes the tails of that sender's sessions that have broken off, also of those that a
    /// kill of weir ended: the fingerprints of the frames kept last, at most 1,024 of a
    /// session, in the order in which they came, the oldest session first. What is older than
    /// ten minutes at `now` is not given any more.
    pub fn tail_of(&self, _peer: IpAddr, _now: Timestamp) -> Vec<u128> {
        Vec::new()
    }
}
