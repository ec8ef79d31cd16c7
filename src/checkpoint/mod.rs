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

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

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

impl Changes {
    /// Both, one after the other.
    pub fn followed_by(self, later: Changes) -> Changes {
        if later.whole {
            return later;
        }
        let mut panes: BTreeMap<_, _> = self.panes.into_iter().collect();
        panes.extend(later.panes);
        Changes {
            head: later.head,
            panes: panes.into_iter().collect(),
            whole: self.whole,
        }
    }
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
    pub journal: Vec<Record>,
}

/// Keeps things in the file. Clones keep in the same.
#[derive(Clone, Debug)]
pub struct Keeper {}

impl Keeper {
    pub fn open(_state: &Path) -> (Keeper, Restored) {
        (Keeper {}, Restored::default())
    }

    /// Begins a generation; gives the one that ends.
    pub fn cut(&self) -> Generation {
        Generation(0)
    }

    /// Keeps a record in the current generation. Returns when it is on disk; records that
    /// come together share one sync.
    pub async fn append(&self, _record: Record) -> Result<(), NotKept> {
        Ok(())
    }

    /// Keeps a checkpoint that covers that generation and all before, whose records are
    /// forgotten with the same step.
    pub async fn commit(&self, _covers: Generation, _changes: Changes) -> Result<(), NotKept> {
        Ok(())
    }
}
