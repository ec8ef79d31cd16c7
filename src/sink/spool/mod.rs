//! The durable, bounded queue on disk between an outbox and a far side.
//!
//! ```text
//! outbox (memory) -> fill -> blocks on disk -> next -> sender -> settle
//!        \----------- while the disk cannot be written ---------/
//! ```
//!
//! One task moves what the outbox holds into the file, in blocks, one commit for all that is
//! there; senders take the oldest block and settle it when the far side has taken or refused
//! what is in it. A block leaves the file only then, or when there is no more room: so a kill
//! loses nothing of it, and what was under way is sent twice at most.
//!
//! A disk that cannot be written is no reason to stop: the outbox keeps what comes within its
//! own bound, senders take from there, and the file is tried again and again. What they send
//! meanwhile is newer than what the file holds: that is not sent after it.

mod block;
mod file;
mod sent;

use self::block::Entry;
pub use self::block::Kind;
use self::file::{File, Oldest};
use self::sent::Before;
use super::Outbox;
use super::queue::{Queue, Taken};
use crate::clock;
use crate::metric::{Annotation, Measurement};
use crate::telemetry::{Sink, Telemetry};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Before a file that could not be written is tried again; each time twice as long,
const RETRY_FIRST: Duration = Duration::from_secs(5);
/// up to this,
const RETRY_LAST: Duration = Duration::from_secs(60);
/// and from the beginning when it has served for so long.
const SERVED: Duration = Duration::from_secs(180);

/// Items moved to disk in one commit.
const MOVED_AT_ONCE: usize = 20_000;

/// As [`Telemetry::broken`] names it.
const PROMISE: &str = "spool";

pub struct Spool {
    file: Arc<Mutex<File>>,
    sink: Arc<Sink>,
    telemetry: Arc<Telemetry>,
    service: Mutex<Service>,
    /// Nothing more will be moved into it, by kind.
    complete: [AtomicBool; 2],
    changed: Notify,
}

/// Whether the file serves.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Service {
    /// What comes goes into it.
    Up,
    /// It cannot be used, for this reason: memory serves.
    Down(String),
    /// It was opened again, but a disk that is full lets that happen too: it serves when it
    /// has taken something. It could not be used for this reason.
    Trial(String),
}

/// The oldest of what waits for the far side.
pub enum Batch<'a, T> {
    /// From disk.
    Spooled(Oldest<T>),
    /// From memory; these blocks are older.
    Held(Taken<'a, T>, Before),
}

/// What became of a batch; together its items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    pub delivered: u64,
    pub rejected: u64,
}

/// What can wait in an outbox and in a spool.
pub trait Spooled: Entry {
    fn queue(outbox: &Outbox) -> &Queue<Self>;
    fn counters(sink: &Sink) -> &crate::telemetry::Deliveries;
}

impl Spooled for Measurement {
    fn queue(outbox: &Outbox) -> &Queue<Self> {
        &outbox.measurements
    }

    fn counters(sink: &Sink) -> &crate::telemetry::Deliveries {
        &sink.measurements
    }
}

impl Spooled for Annotation {
    fn queue(outbox: &Outbox) -> &Queue<Self> {
        &outbox.annotations
    }

    fn counters(sink: &Sink) -> &crate::telemetry::Deliveries {
        &sink.annotations
    }
}

impl Spool {
    /// Opens `spool-SINK.redb` in `state`, which may take `max` bytes. What is in it counts as
    /// queued by the sink. Where that fails, memory serves until it succeeds.
    pub fn open(state: &Path, max: u64, sink: Arc<Sink>, telemetry: Arc<Telemetry>) -> Spool {
        let path = state.join(format!("spool-{}.redb", sink.name));
        let mut file = File::new(path, max, Arc::clone(&sink));
        // `note` says why it cannot be used.
        let _ = file.reopen();
        sink.health().set_spool(file.fill());
        let failure = file.failure().map(str::to_owned);
        let spool = Spool {
            file: Arc::new(Mutex::new(file)),
            sink,
            telemetry,
            service: Mutex::new(Service::Up),
            complete: Default::default(),
            changed: Notify::new(),
        };
        spool.note(failure);
        spool
    }

    /// Moves what the outbox holds to disk, until the outbox is closed and empty.
    pub async fn fill(&self, outbox: &Outbox) {
        let filled = async {
            tokio::join!(
                self.fill_with::<Measurement>(outbox),
                self.fill_with::<Annotation>(outbox)
            )
        };
        tokio::select! {
            _ = filled => {}
            () = self.heal() => {}
        }
    }

    /// Waits for the oldest batch of a kind; one from memory has at most `held_max` items. `None`
    /// when the outbox is closed and there is no more that could be sent.
    pub async fn next<'a, T: Spooled>(
        &self,
        outbox: &'a Outbox,
        held_max: usize,
    ) -> Option<Batch<'a, T>> {
        loop {
            let changed = self.changed.notified();
            let oldest = self.with_file(File::oldest::<T>).await;
            if let Some(Ok(Some(oldest))) = oldest {
                return Some(Batch::Spooled(oldest));
            }
            tokio::select! {
                taken = T::queue(outbox).next(held_max), if self.memory_serves(T::KIND) => {
                    let taken = taken?;
                    let before = self.with_file(|file| file.before()).await.flatten();
                    if self.memory_serves(T::KIND) {
                        return Some(Batch::Held(taken, before));
                    }
                    taken.put_back();
                }
                () = changed => {}
            }
        }
    }

    /// Waits until a batch from memory could be in the file instead.
    pub async fn serves(&self, kind: Kind) {
        loop {
            let changed = self.changed.notified();
            if !self.memory_serves(kind) {
                return;
            }
            changed.await;
        }
    }

    /// The far side has said what becomes of every item.
    pub async fn settle<T: Spooled>(&self, batch: Batch<'_, T>, mut settled: Settled) {
        let counted = match batch {
            Batch::Held(taken, before) => {
                let keys: Vec<u128> = taken.iter().filter_map(T::key).collect();
                self.with_file(move |file| file.sent(&keys, before)).await;
                taken.settle();
                true
            }
            Batch::Spooled(Oldest {
                number, replaced, ..
            }) => {
                // The far side has a newer value of each.
                settled.delivered += replaced;
                let removed = self.with_file(move |file| file.remove(T::KIND, number));
                removed.await.unwrap_or(false)
            }
        };
        // What was lost meanwhile is counted.
        if counted {
            let counters = T::counters(&self.sink);
            counters.queued.sub(settled.delivered + settled.rejected);
            counters.delivered.add(settled.delivered);
            counters.rejected.add(settled.rejected);
        }
    }

    async fn fill_with<T: Spooled>(&self, outbox: &Outbox) {
        let queue = T::queue(outbox);
        loop {
            let changed = self.changed.notified();
            if self.is_down() {
                tokio::select! {
                    () = changed => continue,
                    () = queue.finished() => break,
                }
            }
            let Some(taken) = queue.next(MOVED_AT_ONCE).await else {
                break;
            };
            let drafts = block::drafts(&taken);
            let appended = self.with_file(move |file| file.append(&drafts, clock::now()));
            match appended.await {
                Some(Ok(())) => {
                    taken.settle();
                    self.proven();
                }
                _ => taken.put_back(),
            }
            self.changed.notify_waiters();
        }
        self.complete[T::KIND as usize].store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Opens the file again whenever it cannot be used.
    async fn heal(&self) {
        let mut pause = RETRY_FIRST;
        let mut tried = Instant::now();
        loop {
            let changed = self.changed.notified();
            if !self.is_down() {
                changed.await;
                continue;
            }
            if tried.elapsed() > SERVED {
                pause = RETRY_FIRST;
            }
            tokio::time::sleep(pause).await;
            let _ = self.with_file(File::reopen).await;
            pause = (pause * 2).min(RETRY_LAST);
            tried = Instant::now();
        }
    }

    /// Does something with the file where waiting for it hurts nobody. `None` when weir is
    /// ending and nothing can be done any more.
    async fn with_file<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut File) -> R + Send + 'static,
    ) -> Option<R> {
        let file = Arc::clone(&self.file);
        let done = tokio::task::spawn_blocking(move || {
            // It closes its database before it could be left half changed.
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let result = work(&mut file);
            (result, file.fill(), file.failure().map(str::to_owned))
        });
        let (result, fill, failure) = done.await.ok()?;
        self.sink.health().set_spool(fill);
        self.note(failure);
        Some(result)
    }

    /// Takes note of whether the file can be used.
    fn note(&self, failure: Option<String>) {
        let mut service = self.service();
        let before = service.clone();
        *service = match (&before, failure) {
            (_, Some(why)) => Service::Down(why),
            (Service::Down(why), None) => Service::Trial(why.clone()),
            (_, None) => return,
        };
        if *service == before {
            return;
        }
        if let Service::Down(why) = &*service {
            // That it is still so is no news.
            let known = match &before {
                Service::Up => false,
                Service::Down(before) | Service::Trial(before) => before == why,
            };
            if !known {
                let sink = self.sink.name;
                tracing::error!(
                    sink,
                    why,
                    "cannot spool: what waits for the sink is in memory, where a kill loses it; \
                     retrying"
                );
            }
            let why = format!("{why}: what waits for the sink is in memory, where a kill loses it");
            self.telemetry.broken(PROMISE, Some(why));
        }
        drop(service);
        self.changed.notify_waiters();
    }

    /// The file has taken something.
    fn proven(&self) {
        let mut service = self.service();
        if matches!(*service, Service::Trial(_)) {
            *service = Service::Up;
            tracing::info!(sink = self.sink.name, "spools again");
            self.telemetry.broken(PROMISE, None);
        }
    }

    fn is_down(&self) -> bool {
        matches!(*self.service(), Service::Down(_))
    }

    fn service(&self) -> MutexGuard<'_, Service> {
        // Each change leaves it whole.
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As when the disk is full: the file can be opened, and takes nothing.
    #[cfg(test)]
    pub fn set_full(&self, full: bool) {
        self.file.lock().unwrap().full = full;
    }

    /// Whether batches come from memory when the file has none.
    fn memory_serves(&self, kind: Kind) -> bool {
        self.is_down() || self.complete[kind as usize].load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests;
