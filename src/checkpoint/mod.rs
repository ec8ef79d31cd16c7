//! What survives a kill: the windows as they last were, and the lines since that weir has
//! acknowledged.
//!
//! ```text
//! windows -> Changes -> checkpoint      one file, one transaction: with a checkpoint go the
//! RELP    -> Record  -> journal         records that it covers
//! ```
//!
//! The journal is cut into generations. A record belongs to the generation that is current
//! when it is appended; [`Keeper::cut`] begins the next one, and a checkpoint of a generation
//! covers its records and all before. Nothing here knows what a window or a line is.
//!
//! One thread writes; records that come while it syncs share its next transaction, so the
//! cost of a sync is paid per group. What is acknowledged is on disk.
//!
//! weir starts whatever is in the file. One that cannot be read to its end is set aside, and
//! where none can be made or written (a full disk, a read-only folder) nothing is kept, each
//! who asks is told so, and the keeper tries again.
//!
//! Bounds: [`JOURNAL_MAX`], then senders wait; [`tail::TAILS_MAX`]; three files set aside.
//! The order of records is that in which they came, whatever the clock does; time only
//! decides which tails are too old, and names the files set aside.

mod file;
mod format;
mod journal;
mod record;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

pub use journal::Journal;
pub use tail::Taken;

use crate::time::Timestamp;
use file::{Contents, Place, Refusal};
use redb::Database;
use std::fmt::Display;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;
use std::time::Duration;
use tail::Tails;
use tokio::sync::{mpsc, oneshot, watch};
use writer::{Append, Commit, Request, Writer};

/// Bytes of records in the journal, from which on [`Keeper::room`] waits for a checkpoint.
pub const JOURNAL_MAX: u64 = 1 << 30;
/// Requests that may wait for the writer; further ones wait in turn.
const QUEUE_MAX: usize = 256;
/// Sessions that one start of weir may number: a thousand a second for 34 years.
const SESSIONS_BITS: u32 = 40;

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

/// Why weir cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{}: in use by another process\n\nhint: stop the other weir, or give this one a folder of its own", path.display())]
    Locked { path: PathBuf },
    #[error(
        "cannot start the thread that writes checkpoints: {why}\n\nhint: the system allows too few threads"
    )]
    Thread { why: String },
}

/// A frame's fingerprint, by which it is known when it comes again: its XXH3 of 128 bits.
pub fn fingerprint(frame: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(frame)
}

/// Keeps things in the file. Clones keep in the same. When the last one is dropped, what is
/// queued is written and the file is closed.
#[derive(Clone, Debug)]
pub struct Keeper(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    path: PathBuf,
    session: AtomicU64,
    journal_max: u64,
    /// `None` only while dropping.
    queue: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

/// What the writer, the keepers and the reader of the journal share.
#[derive(Debug)]
struct Shared {
    /// `None`: it could not be opened, or is closed after a failed write.
    database: RwLock<Option<Database>>,
    generation: AtomicU64,
    tails: Mutex<Tails>,
    /// Bytes of the journal's records.
    size: watch::Sender<u64>,
}

impl Keeper {
    /// Opens or makes `checkpoint.redb` in that folder. A file that cannot be read to its
    /// end is set aside under a name with `now` in it, and weir begins with an empty one.
    ///
    /// # Errors
    ///
    /// When another process has the file. Where it can be neither made nor written that is no
    /// error: [`Restored::broken`] says so, and everything is answered with [`NotKept`] until it
    /// can.
    pub fn open(state: &Path, now: Timestamp) -> Result<(Keeper, Restored), OpenError> {
        Keeper::open_at(Place::in_folder(state), now, &Options::default())
    }

    /// As [`Keeper::open`], with another bound for the journal.
    #[cfg(test)]
    pub fn open_bounded(state: &Path, now: Timestamp, journal_max: u64) -> Keeper {
        let options = Options {
            journal_max,
            ..Options::default()
        };
        let (keeper, _) = Keeper::open_at(Place::in_folder(state), now, &options).expect("opens");
        keeper
    }

    fn open_at(
        place: Place,
        now: Timestamp,
        options: &Options,
    ) -> Result<(Keeper, Restored), OpenError> {
        let path = place.path.clone();
        let opened = match place.read() {
            Err(Refusal::Useless(flaw)) => match place.set_aside(&flaw, now) {
                Ok(()) => place.read(),
                Err(why) => Err(Refusal::Unusable(why)),
            },
            opened => opened,
        };
        let (database, mut contents, why) = match opened {
            Ok((database, contents)) => (Some(database), contents, None),
            Err(Refusal::Locked) => return Err(OpenError::Locked { path }),
            Err(Refusal::Unusable(why)) => (None, Contents::default(), Some(why)),
            Err(Refusal::Useless(flaw)) => (None, Contents::default(), Some(flaw.to_string())),
        };
        let why = why.map(|why| format!("{}: {why}", path.display()));
        let starts = contents.starts.unwrap_or(0) + 1;
        let newest = contents.sizes.last_key_value();
        let newest = newest.map_or(0, |(generation, _)| *generation);
        let shared = Arc::new(Shared {
            database: RwLock::new(database),
            generation: AtomicU64::new(contents.covers.max(newest) + 1),
            tails: Mutex::new(std::mem::take(&mut contents.tails)),
            size: watch::Sender::new(contents.sizes.values().sum()),
        });
        let checkpoint = contents.checkpoint.take();
        let journal = contents.journal;
        let mut writer = Writer::new(
            Arc::clone(&shared),
            place,
            options.retry,
            starts,
            contents,
            why,
        );
        let broken = writer.set_up().err().map(NotKept);
        let journal = journal.map(|range| Journal::new(Arc::clone(&shared), range));
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let writer = std::thread::Builder::new()
            .name("checkpoint".into())
            .spawn(move || writer.run(requests))
            .map_err(|why| OpenError::Thread {
                why: why.to_string(),
            })?;
        let keeper = Keeper(Arc::new(Inner {
            shared,
            path,
            session: AtomicU64::new(starts << SESSIONS_BITS),
            journal_max: options.journal_max,
            queue: Some(queue),
            writer: Some(writer),
        }));
        let restored = Restored {
            checkpoint,
            journal: journal.unwrap_or_default(),
            broken,
        };
        Ok((keeper, restored))
    }

    /// The number of a new session: none is given twice with one file, not after a restart
    /// either.
    pub fn session(&self) -> u64 {
        self.0.session.fetch_add(1, Ordering::Relaxed)
    }

    /// Copies the file, with a checkpoint whose windows nobody can go on from, to a name of its
    /// own before the next one replaces it. The journal is read where it is. To be called before
    /// anything is kept.
    pub fn copy_aside(&self, why: &dyn Display, now: Timestamp) {
        let file = self.0.path.display();
        let lost = "windows that were open begin anew, and the account with them";
        match file::copy_aside(&self.0.path, now) {
            Ok(aside) => {
                let aside = aside.display();
                tracing::error!(%file, copied_to = %aside, %why, "the checkpoint is of no use: {lost}");
            }
            Err(error) => {
                tracing::error!(%file, %error, %why, "the checkpoint is of no use, and cannot be copied aside: {lost}");
            }
        }
    }

    /// Begins a generation; gives the one that ends.
    pub fn cut(&self) -> Generation {
        Generation(self.0.shared.generation.fetch_add(1, Ordering::SeqCst))
    }

    /// Waits until the journal has room. To be asked before the pass is taken under which
    /// [`Keeper::append`] is called: only a checkpoint makes room, and none is cut while
    /// there is a pass. So the journal may go beyond its bound by one record of each sender.
    pub async fn room(&self) {
        let mut size = self.0.shared.size.subscribe();
        // It is closed only when this keeper is gone.
        let _ = size.wait_for(|size| *size < self.0.journal_max).await;
    }

    /// Keeps a record in the current generation. Returns when it is on disk; records that
    /// come together share one sync. At once [`NotKept`] when the disk refuses. Whoever
    /// stops waiting does not know whether it is kept.
    pub async fn append(&self, record: Record) -> Result<(), NotKept> {
        let generation = self.0.shared.generation();
        let frames = record.frames.iter();
        let fingerprints = frames.map(|frame| fingerprint(frame)).collect();
        let request = |reply| {
            Request::Append(Append {
                generation,
                bytes: record::encode(&record),
                session: record.session,
                peer: record.peer,
                received_at: Timestamp::from_micros(record.received_at),
                fingerprints,
                reply,
            })
        };
        self.ask(request).await
    }

    /// Keeps a checkpoint that covers that generation and all before, whose records are
    /// forgotten with the same step. After an error the next one has to be
    /// [`Changes::whole`]: nobody knows then what the file has, and it may have been made
    /// anew. Into a file made anew only a whole one is taken.
    pub async fn commit(&self, covers: Generation, changes: Changes) -> Result<(), NotKept> {
        let request = |reply| {
            Request::Commit(Commit {
                covers,
                changes,
                reply,
            })
        };
        self.ask(request).await
    }

    /// The session has ended as it should: its sender knows of every frame what became of
    /// it, and sends none again. Its tail is forgotten. Not before its last append has
    /// returned.
    pub fn closed(&self, session: u64) {
        let known = self.0.shared.tails().forget(session);
        if let Some(queue) = &self.0.queue
            && known
        {
            // Without room for this the tail comes back if weir is killed before the next
            // checkpoint, and goes when it is ten minutes old.
            let _ = queue.try_send(Request::Close(session));
        }
    }

    /// The session has ended in any other way: its tail may be taken. Not before its last
    /// append has returned.
    pub fn broke_off(&self, session: u64) {
        self.0.shared.tails().broke_off(session);
    }

    /// Takes the tails of that sender's sessions that have broken off, also of those that a
    /// kill of weir ended: the fingerprints of the frames kept last, at most 1,024 of a
    /// session, in the order in which they came, the oldest session first. What is older than
    /// ten minutes at `now` is not given any more. What was taken since the last checkpoint
    /// can be taken again after a kill.
    pub fn tail_of(&self, peer: IpAddr, now: Timestamp) -> Taken {
        self.0.shared.tails().take(peer, now)
    }

    /// Gives back what was taken for a session that could keep nothing: its sender sends the
    /// same again.
    pub fn give_back(&self, taken: Taken) {
        self.0.shared.tails().give_back(taken);
    }

    /// Waits for room in the writer's queue, then for its answer.
    async fn ask(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<(), NotKept>>) -> Request,
    ) -> Result<(), NotKept> {
        let (reply, answer) = oneshot::channel();
        if let Some(queue) = &self.0.queue {
            // An error drops the request and with it `reply`: `answer` says so below.
            let _ = queue.send(request(reply)).await;
        }
        let stopped = |_| {
            Err(NotKept(
                "the thread that writes checkpoints has stopped".into(),
            ))
        };
        answer.await.unwrap_or_else(stopped)
    }
}

/// Smaller in tests.
struct Options {
    retry: Duration,
    journal_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            retry: writer::RETRY,
            journal_max: JOURNAL_MAX,
        }
    }
}

impl Shared {
    fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::SeqCst))
    }

    fn tails(&self) -> MutexGuard<'_, Tails> {
        self.tails.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn database(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self, database: Database) {
        let place = self.database.write();
        *place.unwrap_or_else(PoisonError::into_inner) = Some(database);
    }

    fn close(&self) {
        let closed = self.database.write();
        closed.unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // It can only have panicked, which the panic hook has reported.
            let _ = writer.join();
        }
    }
}
