//! The one thread that changes the store: requests in, transactions out.

use super::annotations;
use super::breakdown::{self, BrokenDown};
use super::format::{self, PointKey};
use super::index::{Index, Metric, SeriesInfo};
use super::properties::{self, PropertyChange, PropertyError};
use super::spaces::{self, Arranged, SpaceChange, SpaceError};
use super::{
    Change, NewPoint, OpenError, Options, Outcome, SeriesId, Shared, Summary, WriteError, Written,
};
use crate::breakdown::Parts;
use crate::inode::Inode;
use crate::time::Timestamp;
use redb::{Database, ReadableTable, ReadableTableMetadata, Table};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

/// One transaction takes no further request once it has these, so that the first
/// requester is not kept waiting by those behind it.
const GROUP_POINTS: usize = 50_000;
/// Old points that one transaction removes. A backlog goes with the following ones, so
/// trimming never holds up writing for long.
const TRIM_POINTS: usize = 50_000;

/// With the request's share of the queue, given back when the request is done.
pub type Queued = (Request, OwnedSemaphorePermit);

pub enum Request {
    Write(Write),
    Annotate(Annotate),
    Describe(Describe),
    Arrange(Arrange),
    Break(Break),
}

pub struct Write {
    pub job: Job,
    pub now: Timestamp,
    pub reply: oneshot::Sender<Result<Written, WriteError>>,
}

pub struct Annotate {
    /// Each on its own.
    pub changes: Vec<Change>,
    pub now: Timestamp,
    pub reply: oneshot::Sender<Result<Vec<Outcome>, WriteError>>,
}

pub struct Describe {
    pub change: PropertyChange,
    pub now: Timestamp,
    pub reply: oneshot::Sender<Result<Result<(), PropertyError>, WriteError>>,
}

pub struct Arrange {
    pub change: SpaceChange,
    pub now: Timestamp,
    pub reply: oneshot::Sender<Result<Result<Arranged, SpaceError>, WriteError>>,
}

pub struct Break {
    pub parts: Arc<Parts>,
    /// Slots that were watched, and for how many seconds.
    pub watched: Vec<(i64, u32)>,
    pub now: Timestamp,
    pub reply: oneshot::Sender<Result<BrokenDown, WriteError>>,
}

impl Request {
    /// Its share of a transaction.
    fn size(&self) -> usize {
        match self {
            Request::Write(write) => write.job.points(),
            Request::Annotate(annotate) => annotate.changes.len(),
            Request::Describe(_) | Request::Arrange(_) | Request::Break(_) => 1,
        }
    }
}

pub enum Job {
    Write { points: Vec<NewPoint>, mode: Mode },
    Tick,
}

#[derive(Clone, Copy)]
pub enum Mode {
    AllOrNothing,
    Each,
}

impl Job {
    pub fn points(&self) -> usize {
        match self {
            Job::Write { points, .. } => points.len(),
            Job::Tick => 0,
        }
    }
}

pub struct Writer {
    shared: Arc<Shared>,
    reopen: Box<dyn Fn() -> Result<Database, OpenError> + Send>,
    /// The file that is open; `None` for a store in memory.
    inode: Option<Inode>,
    /// The minute up to which everything has been trimmed.
    trimmed: u32,
    /// The minute in which the breakdown was looked through for what is too old.
    breakdown_seen: i64,
}

impl Writer {
    pub fn new(
        shared: Arc<Shared>,
        reopen: Box<dyn Fn() -> Result<Database, OpenError> + Send>,
    ) -> Self {
        Writer {
            inode: Inode::at(&shared.path),
            shared,
            reopen,
            trimmed: 0,
            breakdown_seen: 0,
        }
    }

    /// Until every sender is gone and the queue is empty.
    pub fn run(mut self, mut requests: mpsc::Receiver<Queued>) {
        while let Some(first) = requests.blocking_recv() {
            let mut size = first.0.size();
            let mut group = vec![first];
            while size < GROUP_POINTS
                && let Ok(next) = requests.try_recv()
            {
                size += next.0.size();
                group.push(next);
            }
            let (mut writes, mut annotates) = (Vec::new(), Vec::new());
            let (mut describes, mut arranges) = (Vec::new(), Vec::new());
            let mut breaks = Vec::new();
            let mut room = Vec::new();
            for (request, share) in group {
                room.push(share);
                match request {
                    Request::Write(write) => writes.push(write),
                    Request::Annotate(annotate) => annotates.push(annotate),
                    Request::Describe(describe) => describes.push(describe),
                    Request::Arrange(arrange) => arranges.push(arrange),
                    Request::Break(part) => breaks.push(part),
                }
            }
            let times = writes.iter().map(|write| write.now);
            let times = times.chain(describes.iter().map(|describe| describe.now));
            let times = times.chain(arranges.iter().map(|arrange| arrange.now));
            let times = times.chain(breaks.iter().map(|part| part.now));
            let now = times.chain(annotates.iter().map(|annotate| annotate.now));
            let now = now.max().unwrap_or(Timestamp::MIN);
            // First, so that a tick is answered when all that is old is gone.
            self.annotate(annotates, now);
            self.break_down(breaks, now);
            if !describes.is_empty() {
                self.describe(describes);
            }
            if !arranges.is_empty() {
                self.arrange(arranges);
            }
            if !writes.is_empty() {
                self.handle(writes, now);
            }
        }
    }

    /// Makes the changes in a transaction of their own, and forgets what is too old.
    fn annotate(&mut self, group: Vec<Annotate>, now: Timestamp) {
        let oldest = (now - self.shared.options.retention).as_secs();
        // By the minute, as points are: a quiet store is not written to every second.
        let due = (self.shared.book().oldest_start()).is_some_and(|start| start < oldest / 60 * 60);
        if group.is_empty() && !due {
            return;
        }
        let result = self
            .ensure_open()
            .and_then(|()| annotations::commit(&self.shared, &group, oldest))
            .and_then(|outcomes| self.is_in_place().map(|()| outcomes));
        match result {
            Ok(outcomes) => {
                self.shared.set_trouble(None);
                for (request, outcomes) in group.into_iter().zip(outcomes) {
                    // Whoever asked may have stopped waiting.
                    let _ = request.reply.send(Ok(outcomes));
                }
            }
            Err(why) => self.fail(&why, group.into_iter().map(|request| request.reply)),
        }
    }

    /// Adds to the breakdown in a transaction of its own, and forgets what is too old.
    fn break_down(&mut self, group: Vec<Break>, now: Timestamp) {
        let minute = now.as_secs() / 60;
        if group.is_empty() && minute == self.breakdown_seen {
            return;
        }
        let result = self
            .ensure_open()
            .and_then(|()| breakdown::commit(&self.shared, &group, now))
            .and_then(|became| self.is_in_place().map(|()| became));
        match result {
            Ok(became) => {
                self.breakdown_seen = minute;
                if !group.is_empty() {
                    self.shared.set_trouble(None);
                }
                for (request, became) in group.into_iter().zip(became) {
                    // Whoever asked may have stopped waiting.
                    let _ = request.reply.send(Ok(became));
                }
            }
            Err(why) => self.fail(&why, group.into_iter().map(|request| request.reply)),
        }
    }

    /// Makes the changes in a transaction of their own.
    fn describe(&mut self, group: Vec<Describe>) {
        let changes = group.iter().map(|describe| &describe.change);
        let result = self
            .ensure_open()
            .and_then(|()| properties::commit(&self.shared, changes))
            .and_then(|outcomes| self.is_in_place().map(|()| outcomes));
        match result {
            Ok(outcomes) => {
                for (request, outcome) in group.into_iter().zip(outcomes) {
                    // Whoever asked may have stopped waiting.
                    let _ = request.reply.send(Ok(outcome));
                }
            }
            Err(why) => self.fail(&why, group.into_iter().map(|request| request.reply)),
        }
    }

    /// Makes the changes in a transaction of their own.
    fn arrange(&mut self, group: Vec<Arrange>) {
        let changes = group.iter().map(|arrange| &arrange.change);
        let result = self
            .ensure_open()
            .and_then(|()| spaces::commit(&self.shared, changes))
            .and_then(|outcomes| self.is_in_place().map(|()| outcomes));
        match result {
            Ok(outcomes) => {
                for (request, outcome) in group.into_iter().zip(outcomes) {
                    // Whoever asked may have stopped waiting.
                    let _ = request.reply.send(Ok(outcome));
                }
            }
            Err(why) => self.fail(&why, group.into_iter().map(|request| request.reply)),
        }
    }

    fn handle(&mut self, group: Vec<Write>, now: Timestamp) {
        let result = self
            .ensure_open()
            .and_then(|()| self.transact(&group, now))
            .and_then(|done| self.is_in_place().map(|()| done));
        match result {
            Ok((commit, answers)) => {
                // Without points there may have been nothing to write.
                if !commit.staged.points.is_empty() {
                    self.shared.set_trouble(None);
                }
                self.publish(commit);
                for (request, answer) in group.into_iter().zip(answers) {
                    let (accepted, refused) = match &answer {
                        Ok(written) => (written.accepted, written.refused),
                        Err(_) => (0, request.job.points() as u64),
                    };
                    self.shared.accepted.fetch_add(accepted, Ordering::Relaxed);
                    self.shared.refused.fetch_add(refused, Ordering::Relaxed);
                    // Whoever asked may have stopped waiting.
                    let _ = request.reply.send(answer);
                }
            }
            Err(why) => self.fail(&why, group.into_iter().map(|request| request.reply)),
        }
    }

    /// Nothing of a group is stored, and whoever asked is told so.
    fn fail<T>(
        &self,
        why: &str,
        replies: impl Iterator<Item = oneshot::Sender<Result<T, WriteError>>>,
    ) {
        self.close(why);
        for reply in replies {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(Err(WriteError::Unavailable(why.to_owned())));
        }
    }

    /// After a failed write redb refuses every transaction, also when there is room on the
    /// disk again: only closing and opening the file clears that.
    fn close(&self, why: &str) {
        self.shared.set_trouble(Some(why.to_owned()));
        *self
            .shared
            .db
            .write()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What was written to a file that nobody finds again is not stored.
    fn is_in_place(&self) -> Result<(), String> {
        let path = &self.shared.path;
        let in_place = self.inode.map_or(Ok(()), |inode| inode.is_at(path));
        in_place.map_err(|why| format!("{}: {why}", path.display()))
    }

    fn ensure_open(&mut self) -> Result<(), String> {
        if self
            .shared
            .db
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
        {
            return Ok(());
        }
        let mut db = self
            .shared
            .db
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let opened = (self.reopen)().map_err(|why| why.to_string())?;
        // The failed transaction may have reached the disk after all, so what was in
        // memory is no longer known to be true.
        let catalogue = format::load(&opened, &self.shared.path).map_err(|why| why.to_string())?;
        let book = annotations::load(&opened, &self.shared.path).map_err(|why| why.to_string())?;
        let shelf = spaces::load(&opened, &self.shared.path).map_err(|why| why.to_string())?;
        self.shared.set_book(book);
        self.shared.set_shelf(shelf);
        *self
            .shared
            .index
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Index::new(catalogue);
        self.inode = Inode::at(&self.shared.path);
        *db = Some(opened);
        Ok(())
    }

    fn transact(
        &mut self,
        group: &[Write],
        now: Timestamp,
    ) -> Result<(Commit, Vec<Result<Written, WriteError>>), String> {
        let (mut staged, answers) = self.shared.index(|index| {
            let mut staging = Staging {
                index,
                options: &self.shared.options,
                staged: Staged::new(index),
            };
            let answers = group
                .iter()
                .map(|request| staging.request(request))
                .collect();
            (staging.staged, answers)
        });
        // By key, so that neighbours in the tree are written together; stable, so that of
        // two writes to one second the later one stays last and wins.
        staged
            .points
            .sort_by_key(|(id, second, _)| format::point_key(*id, *second));
        let guard = self
            .shared
            .db
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let db = guard.as_ref().ok_or("it is closed")?;
        let (points, expired, trimmed) = self
            .store(db, &staged, now)
            .map_err(|why| why.to_string())?;
        drop(guard);
        self.trimmed = trimmed;
        Ok((
            Commit {
                staged,
                points,
                expired,
            },
            answers,
        ))
    }

    /// Returns the number of points, the series without any, and how far it has trimmed.
    fn store(
        &self,
        db: &Database,
        staged: &Staged,
        now: Timestamp,
    ) -> Result<(u64, Vec<SeriesId>, u32), redb::Error> {
        let oldest = (now - self.shared.options.retention).as_secs().max(0) as u64;
        let due = (oldest / 60) as u32 > self.trimmed;
        let full = self.shared.points.load(Ordering::Relaxed) + staged.points.len() as u64
            > self.shared.options.points_max;
        if staged.points.is_empty() && !due && !full {
            return Ok((
                self.shared.points.load(Ordering::Relaxed),
                Vec::new(),
                self.trimmed,
            ));
        }
        let write = db.begin_write()?;
        let mut trimmed = self.trimmed;
        let mut expired = Vec::new();
        let count = {
            let mut metrics = write.open_table(format::METRICS)?;
            let mut series = write.open_table(format::SERIES)?;
            let mut newest = write.open_table(format::NEWEST)?;
            let mut points = write.open_table(format::POINTS)?;
            for (lower, metric) in &staged.metrics {
                metrics.insert(lower.as_str(), format::json(metric.as_ref())?.as_slice())?;
            }
            for (id, info) in staged.series.values() {
                series.insert(id, format::json(info.as_ref())?.as_slice())?;
            }
            write
                .open_table(format::META)?
                .insert(format::NEXT_SERIES, u64::from(staged.next_series))?;
            let mut bytes = Vec::new();
            for (id, second, summary) in &staged.points {
                bytes.clear();
                summary.encode(&mut bytes);
                points.insert(&format::point_key(*id, *second), bytes.as_slice())?;
            }
            for (id, second) in staged.newest() {
                let known = newest.get(id)?.map_or(0, |known| known.value());
                newest.insert(id, second.max(known))?;
            }
            if (due || full) && trim(&mut points, oldest, self.shared.options.points_max)? {
                trimmed = (oldest / 60) as u32;
                expired = self.expired(oldest, staged);
                for id in &expired {
                    series.remove(id)?;
                    newest.remove(id)?;
                }
                for lower in self.orphans(&expired, staged) {
                    metrics.remove(lower.as_str())?;
                }
            }
            points.len()?
        };
        write.commit()?;
        Ok((count, expired, trimmed))
    }

    /// Series whose last point is older than `oldest`.
    fn expired(&self, oldest: u64, staged: &Staged) -> Vec<SeriesId> {
        let written = staged.newest();
        self.shared.index(|index| {
            let silent = index
                .all()
                .filter(|listed| listed.newest / 60 < oldest / 60);
            silent
                .map(|listed| listed.id)
                .filter(|id| !written.contains_key(id))
                .collect()
        })
    }

    /// Names of metrics that go with their series: all of these are in `expired`.
    fn orphans(&self, expired: &[SeriesId], staged: &Staged) -> Vec<String> {
        self.shared.index(|index| {
            let mut left: HashMap<String, usize> = HashMap::new();
            for listed in expired.iter().filter_map(|id| index.get(*id)) {
                let lower = listed.info.name.to_ascii_lowercase();
                *left
                    .entry(lower)
                    .or_insert_with_key(|lower| index.series_of(lower).count()) -= 1;
            }
            for (_, info) in staged.series.values() {
                left.remove(&info.name.to_ascii_lowercase());
            }
            let kept = |lower: &str| index.metric(lower).is_some_and(|metric| metric.kept);
            left.into_iter()
                .filter(|(lower, series)| *series == 0 && !kept(lower))
                .map(|(lower, _)| lower)
                .collect()
        })
    }

    fn publish(&self, commit: Commit) {
        let Commit {
            staged,
            points,
            expired,
        } = commit;
        let changed = !staged.points.is_empty();
        let version = *self.shared.changes.borrow() + u64::from(changed);
        let newest = staged.newest();
        let mut index = self
            .shared
            .index
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        index.next_series = staged.next_series;
        for metric in staged.metrics.into_values() {
            index.set_metric(metric);
        }
        for (id, info) in staged.series.into_values() {
            index.add_series(id, info);
        }
        for id in expired {
            index.remove(id);
        }
        for (id, second) in newest {
            index.touch(id, second, version);
        }
        drop(index);
        self.shared.points.store(points, Ordering::Relaxed);
        if changed {
            self.shared.changes.send_replace(version);
        }
    }
}

/// What has been committed, for the index.
struct Commit {
    staged: Staged,
    points: u64,
    expired: Vec<SeriesId>,
}

/// What a transaction will add to the index and to the file.
struct Staged {
    /// By lower-cased name.
    metrics: HashMap<String, Arc<Metric>>,
    /// By identity.
    series: HashMap<String, (SeriesId, Arc<SeriesInfo>)>,
    next_series: SeriesId,
    points: Vec<(SeriesId, u64, Summary)>,
}

impl Staged {
    fn new(index: &Index) -> Self {
        Staged {
            metrics: HashMap::new(),
            series: HashMap::new(),
            next_series: index.next_series,
            points: Vec::new(),
        }
    }

    /// The newest second of each series written.
    fn newest(&self) -> HashMap<SeriesId, u64> {
        let mut newest = HashMap::new();
        for (id, second, _) in &self.points {
            let known = newest.entry(*id).or_insert(*second);
            *known = (*known).max(*second);
        }
        newest
    }
}

struct Staging<'a> {
    index: &'a Index,
    options: &'a Options,
    staged: Staged,
}

/// What one request has staged, to take it back.
#[derive(Default)]
struct Undo {
    metrics: Vec<String>,
    series: Vec<String>,
}

impl Staging<'_> {
    fn request(&mut self, request: &Write) -> Result<Written, WriteError> {
        let Job::Write { points, mode } = &request.job else {
            return Ok(Written::default());
        };
        let (staged_points, next_series) = (self.staged.points.len(), self.staged.next_series);
        let mut undo = Undo::default();
        let mut written = Written::default();
        for point in points {
            match (self.point(point, request.now, &mut undo), mode) {
                (Ok(()), _) => written.accepted += 1,
                (Err(why), Mode::Each) => {
                    written.refused += 1;
                    written.first_refusal.get_or_insert(why);
                }
                (Err(why), Mode::AllOrNothing) => {
                    self.staged.points.truncate(staged_points);
                    self.staged.next_series = next_series;
                    undo.metrics
                        .iter()
                        .for_each(|lower| drop(self.staged.metrics.remove(lower)));
                    undo.series
                        .iter()
                        .for_each(|identity| drop(self.staged.series.remove(identity)));
                    return Err(why);
                }
            }
        }
        Ok(written)
    }

    /// Stages a point, or leaves everything as it was.
    fn point(
        &mut self,
        point: &NewPoint,
        now: Timestamp,
        undo: &mut Undo,
    ) -> Result<(), WriteError> {
        let name = || point.series.name.clone();
        let time = point.time;
        // A point before 1970 has no key, whatever `now` is.
        if time < (now - self.options.retention).as_secs().max(0) {
            return Err(WriteError::TooOld { name: name(), time });
        }
        if time
            > (now + self.options.future)
                .as_secs()
                .min(i64::from(u32::MAX) * 60)
        {
            return Err(WriteError::TooNew { name: name(), time });
        }
        let lower = point.series.name.to_ascii_lowercase();
        let metric = self
            .index
            .metric(&lower)
            .or_else(|| self.staged.metrics.get(&lower));
        if let Some(metric) = metric
            && metric.kind != point.kind
        {
            return Err(WriteError::KindClash {
                name: name(),
                kind: metric.kind,
            });
        }
        let new_metric = metric.is_none();
        let identity = point.series.identity();
        let known = self
            .index
            .id(&identity)
            .or_else(|| self.staged.series.get(&identity).map(|(id, _)| *id));
        let id = match known {
            Some(id) => id,
            None => {
                let max = self.options.series_max;
                if self.index.len() + self.staged.series.len() >= max
                    || self.staged.next_series == SeriesId::MAX
                {
                    return Err(WriteError::SeriesFull { name: name(), max });
                }
                let id = self.staged.next_series;
                self.staged.next_series += 1;
                self.staged
                    .series
                    .insert(identity.clone(), (id, Arc::new(point.series.clone())));
                undo.series.push(identity);
                id
            }
        };
        if new_metric {
            let description = point.description.as_deref().cloned().unwrap_or_default();
            let metric = Metric {
                name: name(),
                kind: point.kind,
                period: point.period,
                description,
                kept: false,
            };
            self.staged.metrics.insert(lower.clone(), Arc::new(metric));
            undo.metrics.push(lower);
        }
        self.staged.points.push((id, time as u64, point.summary));
        Ok(())
    }
}

/// Removes points from before `oldest`'s minute and, of the oldest, what is beyond
/// `points_max`; true when nothing of that is left.
fn trim(
    points: &mut Table<'_, &'static PointKey, &'static [u8]>,
    oldest: u64,
    points_max: u64,
) -> Result<bool, redb::Error> {
    let cut = format::minute_key((oldest / 60) as u32, 0, 0);
    let excess = points.len()?.saturating_sub(points_max);
    let mut removed = 0;
    for row in points
        .extract_from_if::<&PointKey, _>(..&cut, |_, _| true)?
        .take(TRIM_POINTS)
    {
        row?;
        removed += 1;
    }
    while removed < excess.min(TRIM_POINTS as u64) && points.pop_first()?.is_some() {
        removed += 1;
    }
    Ok(removed < TRIM_POINTS as u64)
}
