//! Spaces: named collections of charts, of which other programs say what they show.
//!
//! Nothing here draws one, or knows what a chart may say: all but names and ids are
//! attributes in the words of the API, kept as they came. They are few, so all of them are in
//! memory as well: a [`Shelf`], replaced whole after each commit. Reading never touches the
//! disk, and a change is made on a copy, written, and only then shown.
//!
//! They stay until they are deleted, however old.
//!
//! Bounds: [`Options::spaces_max`] spaces, [`Options::charts_max`] charts of all of them,
//! [`CHARTS_OF_SPACE_MAX`] of one, [`STREAMS_MAX`] streams of a chart, [`BYTES_MAX`] bytes a
//! chart. Beyond a bound a change is refused.

mod draft;
mod file;
mod shelf;
#[cfg(test)]
mod tests;

pub use file::load;
pub use shelf::Shelf;

use super::{Options, Shared, Store, WriteError};
use crate::time::Timestamp;
use draft::Draft;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::{Arc, PoisonError};

/// Charts of one space: all of them are one answer.
pub const CHARTS_OF_SPACE_MAX: usize = 500;
/// Streams of one chart.
pub const STREAMS_MAX: usize = 50;
/// Bytes of one chart in the file, its streams included.
pub const BYTES_MAX: usize = 16 << 10;

/// A named collection of charts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Space {
    /// Never used twice in one store. Counts from 1.
    #[serde(skip)]
    pub id: u64,
    /// As last written; compared without case, and no other space's.
    pub name: Box<str>,
    /// Whether its charts are of series with tags, if a client has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<bool>,
}

/// A chart of a space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// Never used twice in one store. Counts from 1.
    #[serde(skip)]
    pub id: u64,
    pub space: u64,
    pub name: Box<str>,
    /// What else is said of it.
    pub attributes: Map<String, Value>,
    pub streams: Vec<ChartStream>,
}

/// What a chart draws: one or several series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChartStream {
    /// Never used twice in one store. Counts from 1.
    pub id: u64,
    pub attributes: Map<String, Value>,
}

/// A stream of a chart that is made or edited.
#[derive(Clone, Debug, PartialEq)]
pub struct NewStream {
    /// Of a stream that the chart has: it stays that one. Any other is a new one.
    pub id: Option<u64>,
    pub attributes: Map<String, Value>,
}

/// What is said of a chart; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChartEdit {
    pub name: Option<Box<str>>,
    /// Put in the place of those with their names; `null` takes one away.
    pub attributes: Map<String, Value>,
    /// All that it has from now on.
    pub streams: Option<Vec<NewStream>>,
}

/// What to do to one space or chart.
#[derive(Clone, Debug)]
pub enum SpaceChange {
    Make {
        name: Box<str>,
        tags: Option<bool>,
    },
    /// `None` leaves a property as it is.
    Edit {
        id: u64,
        name: Option<Box<str>>,
        tags: Option<bool>,
    },
    /// With all its charts.
    Remove {
        id: u64,
    },
    AddChart {
        space: u64,
        name: Box<str>,
        attributes: Map<String, Value>,
        streams: Vec<NewStream>,
    },
    EditChart {
        space: u64,
        id: u64,
        edit: ChartEdit,
    },
    RemoveChart {
        space: u64,
        id: u64,
    },
}

/// What a change has left.
#[derive(Clone, Debug, PartialEq)]
pub enum Arranged {
    Space(Arc<Space>),
    Chart(Arc<Chart>),
    Gone,
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SpaceError {
    #[error("no space has the id {id}")]
    NoSpace { id: u64 },
    #[error("the space {space} has no chart {id}")]
    NoChart { space: u64, id: u64 },
    #[error("'{name}' is the name of the space {id}: names are compared without case")]
    NameTaken { name: Box<str>, id: u64 },
    #[error("the store holds its maximum of {max} spaces; delete one first")]
    SpacesFull { max: usize },
    #[error("the store holds its maximum of {max} charts; delete one first")]
    ChartsFull { max: usize },
    #[error("the space {space} has its maximum of {CHARTS_OF_SPACE_MAX} charts; delete one first")]
    SpaceFull { space: u64 },
    #[error("a chart has at most {STREAMS_MAX} streams")]
    TooManyStreams,
    #[error("a chart takes at most {BYTES_MAX} bytes as JSON, with its streams")]
    TooLarge,
    /// The only one that another try may cure.
    #[error("the store cannot be written: {0}")]
    Unavailable(String),
}

impl From<WriteError> for SpaceError {
    fn from(why: WriteError) -> Self {
        match why {
            WriteError::Unavailable(why) => SpaceError::Unavailable(why),
            other => SpaceError::Unavailable(other.to_string()),
        }
    }
}

impl Store {
    /// All spaces and charts as of now.
    pub fn shelf(&self) -> Arc<Shelf> {
        self.0.shared.shelf()
    }

    /// Makes the change. Returns when it is on disk; a caller that stops waiting does not
    /// stop it.
    ///
    /// # Errors
    ///
    /// When it was not made; nothing is changed then.
    pub async fn arrange(
        &self,
        change: SpaceChange,
        now: Timestamp,
    ) -> Result<Arranged, SpaceError> {
        self.send_space_change(change, now).await?
    }
}

/// Makes the changes in one transaction; what became of each. An error is the file's, and
/// then nothing is done.
pub fn commit<'a>(
    shared: &Shared,
    changes: impl Iterator<Item = &'a SpaceChange>,
) -> Result<Vec<Result<Arranged, SpaceError>>, String> {
    let mut draft = Draft::of(&shared.shelf());
    let outcomes = changes
        .map(|change| draft.change(change, &shared.options))
        .collect();
    if draft.is_changed() {
        let guard = shared.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = guard.as_ref().ok_or("it is closed")?;
        draft.write(db).map_err(|why| why.to_string())?;
        drop(guard);
        shared.set_shelf(draft.shelf);
    }
    Ok(outcomes)
}
