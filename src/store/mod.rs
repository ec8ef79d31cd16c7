//! The embedded store: points of Librato-shaped series in, points by series and time
//! out. One file, `store.redb`, kept for a day.
//!
//! What is acknowledged is on disk: a write returns after the transaction that holds
//! it has been synced, so `kill -9` loses nothing that a client was told is stored.
//! One thread writes; requests that arrive while it syncs share its next transaction,
//! so the cost of a sync is paid per group and not per request. Readers work on
//! redb's snapshots and never wait for the writer. Reading may touch the disk and a
//! day of points takes milliseconds, so the read methods block: async callers wrap
//! them in `spawn_blocking`.
//!
//! A point is addressed by (series, whole second), and **the last write wins**: a
//! batch delivered twice changes nothing, and a corrected window replaces its first
//! version.
//!
//! Keys begin with the minute, then the series. One minute of all series is one
//! contiguous run, so a batch of 250 series touches some ten pages instead of 250,
//! what is too old is one range at the front, and "everything in the last 15 minutes"
//! is one scan. Reading a day of one series is 1440 short seeks, a few milliseconds.
//!
//! Nothing here reads a clock: `now` is an argument, and so is what follows from it,
//! the age of a point and the trimming of old ones.
//!
//! Bounds: [`Options`]; points waiting for the writer ([`QUEUE_POINTS_MAX`]: writers
//! wait). Beyond a bound a point is refused and counted, but for
//! [`Options::points_max`], where the oldest points make room. Annotations, spaces and the
//! breakdown are kept beside the points and have bounds of their own (annotations/mod.rs,
//! spaces/mod.rs, breakdown/mod.rs).

mod annotations;
mod breakdown;
mod format;
mod index;
mod open;
mod properties;
mod read;
mod spaces;
mod summary;
#[cfg(test)]
mod tests;
mod writer;

pub use annotations::{
    AnnotationStats, Book, Change, ChangeError, Edit, Kept, Link, Outcome, Posted, Stream,
};
pub use breakdown::{BrokenDown, FINE_KEPT, Spans};
pub use index::{Description, Kind, Listed, Metric, SeriesId, SeriesInfo, TagMap};
pub use open::OpenError;
pub use properties::{CREATED_BY, MetricEdit, PropertyChange, PropertyError};
pub use read::{Point, ReadError};
pub use spaces::{
    Arranged, CHARTS_OF_SPACE_MAX, Chart, ChartEdit, ChartStream, NewStream, STREAMS_MAX, Shelf,
    Space, SpaceChange, SpaceError,
};
pub use summary::{BadPoint, Summary};

use crate::metric::Measurement;
use crate::names::{self, SameSeries, Unmixed};
use crate::time::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use writer::{Annotate, Arrange, Describe, Job, Mode, Request, Write};

/// Points that may wait for the writer; further writers wait in turn.
pub const QUEUE_POINTS_MAX: u32 = 250_000;
/// Requests that may wait for the writer, as [`QUEUE_POINTS_MAX`].
const QUEUE_REQUESTS_MAX: usize = 1024;
/// Points that a store in memory keeps at most, some 100 bytes each.
const POINTS_IN_MEMORY_MAX: u64 = 1_000_000;
/// Records of the breakdown that it keeps at most, a kilobyte at most on average.
const BREAKDOWN_IN_MEMORY_MAX: u64 = 20_000;
/// What stands for the file of a store in memory.
const IN_MEMORY: &str = "in memory";
/// The largest magnitude the Librato API takes.
pub const VALUE_MAX: f64 = 1e126;

/// How much the store keeps.
#[derive(Clone, Debug)]
pub struct Options {
    /// A point is refused when it is older, and trimmed when it becomes so.
    pub retention: Duration,
    /// A point is refused when it is further ahead of `now`.
    pub future: Duration,
    /// A point of a series beyond these is refused.
    pub series_max: usize,
    /// Beyond these the oldest points are trimmed early. A point takes some 35 bytes.
    pub points_max: u64,
    /// Beyond these the oldest annotations make room.
    pub annotations_max: usize,
    /// An annotation of a stream beyond these is refused.
    pub streams_max: usize,
    /// A space beyond these is refused.
    pub spaces_max: usize,
    /// A chart beyond these, of all spaces together, is refused.
    pub charts_max: usize,
    /// Beyond these the oldest records of the breakdown make room. Fifty services have some
    /// 120,000.
    pub breakdown_max: u64,
    /// redb's page cache. Its own default is 1 GiB.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            retention: Duration::from_secs(24 * 3600),
            future: Duration::from_secs(3600),
            series_max: 100_000,
            points_max: 50_000_000,
            annotations_max: 10_000,
            streams_max: 1_000,
            spaces_max: 1_000,
            charts_max: 5_000,
            breakdown_max: 1_500_000,
            cache_bytes: 4 << 20,
        }
    }
}

/// A point on its way into the store.
///
/// Names and tags are valid by [`names`]; values are finite and below [`VALUE_MAX`].
#[derive(Clone, Debug)]
pub struct NewPoint {
    pub series: SeriesInfo,
    pub kind: Kind,
    /// Epoch seconds.
    pub time: i64,
    pub summary: Summary,
    /// Seconds; kept when this point creates its metric, as is `description`.
    pub period: Option<u32>,
    pub description: Option<Arc<Description>>,
}

/// Why a point is not in the store.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WriteError {
    #[error("`{name}`: a point at {time} is too far in the past")]
    TooOld { name: String, time: i64 },
    #[error("`{name}`: a point at {time} is too far in the future")]
    TooNew { name: String, time: i64 },
    #[error("'{name}' is a {}, but was submitted as different type", kind.as_str())]
    KindClash { name: String, kind: Kind },
    #[error(
        "`{name}`: the store holds its maximum of {max} series; a new one has to wait until an old one has aged out"
    )]
    SeriesFull { name: String, max: usize },
    #[error("`{name}`: {value} is not a number that the Librato API takes")]
    NotANumber { name: String, value: f64 },
    #[error(transparent)]
    SameSeries(#[from] SameSeries),
    /// The only one that another try may cure.
    #[error("the store cannot be written: {0}")]
    Unavailable(String),
}

/// What became of measurements that were taken one by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    pub accepted: u64,
    pub refused: u64,
    pub first_refusal: Option<WriteError>,
}

/// For the page and the metrics. Counts are since the store was opened.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Stats {
    pub path: PathBuf,
    pub series: u64,
    pub points: u64,
    /// Size of the file, free pages included.
    pub bytes: u64,
    pub accepted: u64,
    pub refused: u64,
    pub annotations: AnnotationStats,
    /// Seconds.
    pub retention: u64,
}

/// A handle; clones share one store. When the last one is dropped the writer finishes
/// what is queued and the file is closed.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    /// `None` only while dropping.
    queue: Option<mpsc::Sender<writer::Queued>>,
    room: Arc<Semaphore>,
    writer: Option<JoinHandle<()>>,
}

/// What the writer and the readers share.
struct Shared {
    path: PathBuf,
    options: Options,
    /// Read-locked by every transaction, reads and writes alike; write-locked only to
    /// close and reopen the file after a failed write. `None`: that did not succeed.
    db: RwLock<Option<redb::Database>>,
    index: RwLock<index::Index>,
    annotations: RwLock<Arc<Book>>,
    annotation_counts: annotations::Counts,
    shelf: RwLock<Arc<Shelf>>,
    points: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    changes: watch::Sender<u64>,
    trouble: watch::Sender<Option<String>>,
}

impl Store {
    /// Opens or creates `store.redb` in `dir`, which is created when missing. Blocks
    /// while reading the list of series, and after a crash while redb checks the file.
    pub fn open(dir: &Path, options: Options) -> Result<Store, OpenError> {
        let path = open::create_dir(dir)?;
        let file = path.clone();
        let cache_bytes = options.cache_bytes;
        Store::open_with(path, options, move || {
            if let Some(dir) = file.parent() {
                open::create_dir(dir)?;
            }
            open::file(&file, cache_bytes)
        })
    }

    /// As [`Store::open`], but in memory where the file can be neither made nor opened for
    /// writing: a full disk, a read-only folder. [`Store::trouble`] then says so for good.
    pub fn open_anyway(dir: &Path, options: Options) -> Result<Store, OpenError> {
        match Store::open(dir, options.clone()) {
            Err(why @ OpenError::Io { .. }) => {
                // Without its hint.
                let why = why.to_string();
                let why = why.split('\n').next().unwrap_or_default();
                Store::in_memory(
                    options,
                    format!("{why}: points are in memory until weir ends"),
                )
            }
            opened => opened,
        }
    }

    fn in_memory(mut options: Options, why: String) -> Result<Store, OpenError> {
        options.points_max = options.points_max.min(POINTS_IN_MEMORY_MAX);
        options.breakdown_max = options.breakdown_max.min(BREAKDOWN_IN_MEMORY_MAX);
        let cache_bytes = options.cache_bytes;
        let store = Store::open_with(IN_MEMORY.into(), options, move || {
            open::in_memory(Path::new(IN_MEMORY), cache_bytes)
        })?;
        store.0.shared.trouble.send_replace(Some(why));
        Ok(store)
    }

    fn open_with(
        path: PathBuf,
        options: Options,
        open: impl Fn() -> Result<redb::Database, OpenError> + Send + 'static,
    ) -> Result<Store, OpenError> {
        let db = open()?;
        let catalogue = format::load(&db, &path)?;
        let book = annotations::load(&db, &path)?;
        let shelf = spaces::load(&db, &path)?;
        let shared = Arc::new(Shared {
            options,
            db: RwLock::new(Some(db)),
            index: RwLock::new(index::Index::new(catalogue)),
            annotations: RwLock::new(Arc::new(book)),
            annotation_counts: annotations::Counts::default(),
            shelf: RwLock::new(Arc::new(shelf)),
            points: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            changes: watch::Sender::new(0),
            trouble: watch::Sender::new(None),
            path,
        });
        shared.count_points().map_err(|why| OpenError::Corrupt {
            path: shared.path.clone(),
            why: why.to_string(),
        })?;
        let (queue, requests) = mpsc::channel(QUEUE_REQUESTS_MAX);
        let writer = writer::Writer::new(shared.clone(), Box::new(open));
        let writer = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || writer.run(requests))
            .map_err(|why| OpenError::Io {
                path: shared.path.clone(),
                why: why.to_string(),
            })?;
        let room = Arc::new(Semaphore::new(QUEUE_POINTS_MAX as usize));
        Ok(Store(Arc::new(Inner {
            shared,
            queue: Some(queue),
            room,
            writer: Some(writer),
        })))
    }

    /// Stores all of `points` or, when one is refused, none. Returns when they are on
    /// disk; a caller that stops waiting does not stop the write.
    pub async fn write(
        &self,
        points: Vec<NewPoint>,
        now: Timestamp,
    ) -> Result<Written, WriteError> {
        self.send(
            Job::Write {
                points,
                mode: Mode::AllOrNothing,
            },
            now,
        )
        .await
    }

    /// Stores weir's own measurements: names sanitised as for the Librato API, each on
    /// its own, so that one refused point does not take others with it. Where that makes
    /// one series of two, the first measurement of a second is kept and those of the other
    /// series are refused; repeated for the same series, the last one wins. Fails only
    /// with [`WriteError::Unavailable`]; then none is stored and all may be sent again.
    pub async fn write_measurements(
        &self,
        measurements: &[Measurement],
        now: Timestamp,
    ) -> Result<Written, WriteError> {
        let mut points = Vec::with_capacity(measurements.len());
        let mut written = Written::default();
        let mut unmixed = Unmixed::default();
        for measurement in measurements {
            let point = new_point(measurement).and_then(|point| {
                unmixed.admit(point.series.identity(), point.time, &measurement.series)?;
                Ok(point)
            });
            match point {
                Ok(point) => points.push(point),
                Err(why) => {
                    written.refused += 1;
                    written.first_refusal.get_or_insert(why);
                }
            }
        }
        self.0
            .shared
            .refused
            .fetch_add(written.refused, Ordering::Relaxed);
        if points.is_empty() {
            return Ok(written);
        }
        let stored = self
            .send(
                Job::Write {
                    points,
                    mode: Mode::Each,
                },
                now,
            )
            .await?;
        written.accepted += stored.accepted;
        written.refused += stored.refused;
        written.first_refusal = written.first_refusal.or(stored.first_refusal);
        Ok(written)
    }

    /// Trims what has become too old. Writing does so too; this is for when nothing
    /// comes.
    pub async fn tick(&self, now: Timestamp) -> Result<(), WriteError> {
        self.send(Job::Tick, now).await.map(|_| ())
    }

    /// Counts up each time points or annotations have been stored.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.shared.changes.subscribe()
    }

    /// Why what is written now is not kept: the last write failed, or the store is in memory.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.0.shared.trouble.subscribe()
    }

    pub fn stats(&self) -> Stats {
        let shared = &self.0.shared;
        Stats {
            path: shared.path.clone(),
            series: shared.index(|index| index.len() as u64),
            points: shared.points.load(Ordering::Relaxed),
            bytes: std::fs::metadata(&shared.path).map_or(0, |file| file.len()),
            accepted: shared.accepted.load(Ordering::Relaxed),
            refused: shared.refused.load(Ordering::Relaxed),
            annotations: shared.annotation_counts.stats(&shared.book()),
            retention: shared.options.retention.as_secs(),
        }
    }

    /// Counts points refused before they reached the store; a request whose points could
    /// not even be told apart counts as one.
    pub fn count_refused(&self, points: u64) {
        self.0.shared.refused.fetch_add(points, Ordering::Relaxed);
    }

    /// By name, without case.
    pub fn metric(&self, name: &str) -> Option<Arc<Metric>> {
        let lower = name.to_ascii_lowercase();
        self.0.shared.index(|index| index.metric(&lower).cloned())
    }

    /// The series of one name, without case, in order of number.
    pub fn series_of(&self, name: &str) -> Vec<Listed> {
        let lower = name.to_ascii_lowercase();
        self.0
            .shared
            .index(|index| index.series_of(&lower).cloned().collect())
    }

    /// Every series, in order of number.
    pub fn series(&self) -> Vec<Listed> {
        self.0.shared.index(|index| index.all().cloned().collect())
    }

    pub fn series_by_id(&self, id: SeriesId) -> Option<Listed> {
        self.0.shared.index(|index| index.get(id).cloned())
    }

    async fn send(&self, job: Job, now: Timestamp) -> Result<Written, WriteError> {
        let size = job.points();
        self.queue(size, |reply| Request::Write(Write { job, now, reply }))
            .await?
    }

    /// The changes' outcomes, in their order.
    async fn send_changes(
        &self,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Vec<Outcome>, WriteError> {
        let size = changes.len();
        let request = |reply| {
            Request::Annotate(Annotate {
                changes,
                now,
                reply,
            })
        };
        self.queue(size, request).await?
    }

    async fn send_property_change(
        &self,
        change: PropertyChange,
        now: Timestamp,
    ) -> Result<Result<(), PropertyError>, WriteError> {
        let request = |reply| Request::Describe(Describe { change, now, reply });
        self.queue(1, request).await?
    }

    async fn send_space_change(
        &self,
        change: SpaceChange,
        now: Timestamp,
    ) -> Result<Result<Arranged, SpaceError>, WriteError> {
        let request = |reply| Request::Arrange(Arrange { change, now, reply });
        self.queue(1, request).await?
    }

    /// Waits for room in the writer's queue, then for its answer.
    async fn queue<T>(
        &self,
        size: usize,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, WriteError> {
        let closed = |_| WriteError::Unavailable("its writer has stopped".into());
        let wanted = u32::try_from(size.max(1))
            .unwrap_or(u32::MAX)
            .min(QUEUE_POINTS_MAX);
        let room = self.0.room.clone().acquire_many_owned(wanted).await;
        let room = room.map_err(|closed| WriteError::Unavailable(closed.to_string()))?;
        let (reply, answer) = oneshot::channel();
        if let Some(queue) = &self.0.queue {
            // An error drops the request and with it `reply`: `answer` says so below.
            let _ = queue.send((request(reply), room)).await;
        }
        answer.await.map_err(closed)
    }
}

impl Shared {
    fn index<T>(&self, read: impl FnOnce(&index::Index) -> T) -> T {
        read(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes why the last write failed, or that it did not. What a store in memory says stays.
    fn set_trouble(&self, trouble: Option<String>) {
        if self.path != Path::new(IN_MEMORY) {
            self.trouble.send_if_modified(|known| {
                let changed = *known != trouble;
                *known = trouble;
                changed
            });
        }
    }

    fn book(&self) -> Arc<Book> {
        let book = self.annotations.read();
        book.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_book(&self, book: Book) {
        let shown = self.annotations.write();
        *shown.unwrap_or_else(PoisonError::into_inner) = Arc::new(book);
    }

    fn shelf(&self) -> Arc<Shelf> {
        let shelf = self.shelf.read();
        shelf.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_shelf(&self, shelf: Shelf) {
        let shown = self.shelf.write();
        *shown.unwrap_or_else(PoisonError::into_inner) = Arc::new(shelf);
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

fn new_point(measurement: &Measurement) -> Result<NewPoint, WriteError> {
    let name = names::sanitise_metric_name(&measurement.series.name).into_owned();
    let value = measurement.value;
    if !value.is_finite() || value.abs() > VALUE_MAX {
        return Err(WriteError::NotANumber { name, value });
    }
    let mut tags: TagMap = (measurement.series.tags.iter().take(names::TAGS_MAX))
        .map(|(name, value)| {
            let name = names::sanitise_tag_name(name).to_ascii_lowercase();
            (name, names::sanitise_tag_value(value).to_ascii_lowercase())
        })
        .collect();
    if tags.is_empty() {
        // As the receiver does, so that a series is the same by either way in.
        tags.insert("source".into(), names::UNASSIGNED.into());
    }
    Ok(NewPoint {
        series: SeriesInfo { name, tags },
        kind: Kind::Gauge,
        time: measurement.time.as_secs(),
        summary: Summary::value(value),
        period: u32::try_from(measurement.period.as_secs())
            .ok()
            .filter(|period| *period > 0),
        description: None,
    })
}
