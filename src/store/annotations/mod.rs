//! Annotations: things that happened in, marks by stream and time out.
//!
//! They are few beside the points, so all of them are in memory as well: a [`Book`],
//! replaced whole after each commit. Reading never touches the disk, and a change is
//! made on a copy, written, and only then shown.
//!
//! **The same annotation posted twice is one.** The same means: stream, title, source
//! and start second, names compared without case, no source being `unassigned`. What the
//! second one says of end, description and links replaces what was there, and what it
//! does not say stays. So a client that has lost the answer may post again. An
//! annotation stays known by the title that it was posted with, also when that is edited.
//!
//! Bounds: [`Options::annotations_max`] annotations, where the oldest make room;
//! [`Options::streams_max`] streams, beyond which a new one is refused; [`BYTES_MAX`]
//! bytes each. Annotations go when their start has become older than the retention. A
//! stream goes with the last of its annotations, unless it was given a display name:
//! that is kept until the stream is deleted.

mod book;
mod commit;
mod draft;
mod file;
#[cfg(test)]
mod tests;

pub use book::Book;
pub use commit::commit;
pub use file::load;

use super::{Options, Store, WriteError};
use crate::metric::Annotation;
use crate::names;
use crate::time::Timestamp;
use draft::Draft;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of one annotation in the file, its links included.
pub const BYTES_MAX: usize = 8 << 10;

/// An annotation in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Never used twice in one store. Counts from 1.
    pub id: u64,
    /// In whole seconds. Its stream is as that was first written.
    pub annotation: Annotation,
    pub links: Vec<Link>,
    /// The title that it was posted with and is known by, where it has another now.
    posted_title: Option<Box<str>>,
}

/// Where to read more about an annotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What the link is to it, such as `github`: unique in an annotation.
    pub rel: Box<str>,
    pub href: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Box<str>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// As first written; compared without case.
    pub name: Box<str>,
    pub display_name: Option<Box<str>>,
    /// How many annotations it has.
    annotations: usize,
}

/// What to do to one annotation or stream. Streams are named without regard to case.
#[derive(Clone, Debug)]
pub enum Change {
    /// Makes the stream too, if there is none.
    Post {
        annotation: Annotation,
        links: Vec<Link>,
    },
    Edit {
        stream: Box<str>,
        id: u64,
        edit: Edit,
    },
    Remove {
        stream: Box<str>,
        id: u64,
    },
    AddLink {
        stream: Box<str>,
        id: u64,
        link: Link,
    },
    RemoveLink {
        stream: Box<str>,
        id: u64,
        rel: Box<str>,
    },
    /// `None` takes the name away.
    Display {
        stream: Box<str>,
        name: Option<Box<str>>,
    },
    /// With all its annotations.
    RemoveStream {
        stream: Box<str>,
    },
}

/// `None` leaves a field as it is, `Some(None)` empties it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    pub title: Option<Box<str>>,
    pub description: Option<Option<Box<str>>>,
    pub end: Option<Option<Timestamp>>,
    pub links: Option<Vec<Link>>,
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ChangeError {
    #[error("an annotation at {0} is too far in the past")]
    TooOld(Timestamp),
    #[error("an annotation at {0} is too far in the future")]
    TooNew(Timestamp),
    #[error("an annotation must not end before it starts")]
    EndsBeforeStart,
    #[error("an annotation takes at most {BYTES_MAX} bytes as JSON, with its links")]
    TooLarge,
    #[error(
        "the store holds its maximum of {max} annotations, and all of them are newer than this one"
    )]
    Full { max: usize },
    #[error(
        "the store holds its maximum of {max} annotation streams; a new one has to wait until an old one is gone"
    )]
    StreamsFull { max: usize },
    #[error("no annotation stream is named '{stream}'")]
    NoStream { stream: Box<str> },
    #[error("the annotation stream '{stream}' has no annotation {id}")]
    NoAnnotation { stream: Box<str>, id: u64 },
    #[error("the annotation {id} has no link '{rel}'")]
    NoLink { id: u64, rel: Box<str> },
    #[error("the annotation has a link '{rel}' already")]
    SameLink { rel: Box<str> },
    /// The only one that another try may cure.
    #[error("the store cannot be written: {0}")]
    Unavailable(String),
}

/// The annotation as it is now; `None` where it is gone or a stream was meant.
pub type Outcome = Result<Option<Arc<Kept>>, ChangeError>;

/// What became of annotations that were taken one by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Posted {
    pub accepted: u64,
    pub refused: u64,
    pub first_refusal: Option<ChangeError>,
}

/// For the page. Counts are since the store was opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AnnotationStats {
    pub streams: u64,
    pub annotations: u64,
    pub accepted: u64,
    pub refused: u64,
    /// Gone early, to make room for newer ones.
    pub displaced: u64,
}

#[derive(Default)]
pub struct Counts {
    pub accepted: AtomicU64,
    pub refused: AtomicU64,
    pub displaced: AtomicU64,
}

impl Store {
    /// The newest annotations of all streams that start in `from..=to` (epoch seconds),
    /// newest first, at most `limit` of them.
    pub fn annotations(&self, from: i64, to: i64, limit: usize) -> Vec<Annotation> {
        let book = self.annotation_book();
        let newest = book.newest(from..=to).take(limit);
        newest.map(|kept| kept.annotation.clone()).collect()
    }

    /// All annotations and streams as of now.
    pub fn annotation_book(&self) -> Arc<Book> {
        self.0.shared.book()
    }

    /// Makes the change. Returns when it is on disk; a caller that stops waiting does not
    /// stop it.
    ///
    /// # Errors
    ///
    /// When it was not made; nothing is changed then.
    pub async fn annotate(&self, change: Change, now: Timestamp) -> Outcome {
        let lost = || WriteError::Unavailable("it gave no answer".into()).into();
        let mut outcomes = self.send_changes(vec![change], now).await?;
        outcomes.pop().unwrap_or_else(|| Err(lost()))
    }

    /// Stores weir's own annotations, [made valid](names::sanitise_annotation), each on
    /// its own.
    ///
    /// # Errors
    ///
    /// Only [`ChangeError::Unavailable`]; then all may be sent again.
    pub async fn write_annotations(
        &self,
        annotations: &[Annotation],
        now: Timestamp,
    ) -> Result<Posted, ChangeError> {
        let posts = annotations.iter().map(|annotation| Change::Post {
            annotation: names::sanitise_annotation(annotation),
            links: Vec::new(),
        });
        let mut posted = Posted::default();
        for outcome in self.send_changes(posts.collect(), now).await? {
            match outcome {
                Ok(_) => posted.accepted += 1,
                Err(why) => {
                    posted.refused += 1;
                    posted.first_refusal.get_or_insert(why);
                }
            }
        }
        Ok(posted)
    }

    /// Counts an annotation refused before it reached the store.
    pub fn count_refused_annotation(&self) {
        let counts = &self.0.shared.annotation_counts;
        counts.refused.fetch_add(1, Ordering::Relaxed);
    }
}

impl From<WriteError> for ChangeError {
    fn from(why: WriteError) -> Self {
        match why {
            WriteError::Unavailable(why) => ChangeError::Unavailable(why),
            other => ChangeError::Unavailable(other.to_string()),
        }
    }
}

impl Counts {
    pub fn stats(&self, book: &Book) -> AnnotationStats {
        AnnotationStats {
            streams: book.streams().count() as u64,
            annotations: book.len() as u64,
            accepted: self.accepted.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            displaced: self.displaced.load(Ordering::Relaxed),
        }
    }
}
