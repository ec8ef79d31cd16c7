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
//! own bound, senders take from there, and the file is tried again and again.

mod block;
mod file;

use self::block::{Entry, Kind};
use self::file::File;
use super::Outbox;
use super::queue::{Queue, Taken};
use crate::clock;
use crate::metric::{Annotation, Measurement};
use crate::telemetry::{Sink, Telemetry};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Before a file that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Items moved to disk in one commit.
const MOVED_AT_ONCE: usize = 20_000;

/// As [`Telemetry::broken`] names it.
const PROMISE: &str = "spool";

pub struct Spool {
    file: Arc<Mutex<File>>,
    sink: Arc<Sink>,
    telemetry: Arc<Telemetry>,
    /// The file cannot be used.
    down: AtomicBool,
    /// Nothing more will be moved into it, by kind.
    complete: [AtomicBool; 2],
    changed: Notify,
}

/// The oldest of what waits for the far side.
pub enum Batch<'a, T> {
    /// From disk, under this number.
    Spooled(u64, Vec<T>),
    /// From memory.
    Held(Taken<'a, T>),
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
            down: AtomicBool::new(false),
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
            if let Some(Ok(Some((number, items)))) = oldest {
                return Some(Batch::Spooled(number, items));
            }
            tokio::select! {
                taken = T::queue(outbox).next(held_max), if self.memory_serves(T::KIND) => {
                    return taken.map(Batch::Held);
                }
                () = changed => {}
            }
        }
    }

    /// Waits until a batch from memory could be in the file instead.
    pub async fn displaces<T: Spooled>(&self, batch: &Batch<'_, T>) {
        loop {
            let changed = self.changed.notified();
            if matches!(batch, Batch::Held(_)) && !self.memory_serves(T::KIND) {
                return;
            }
            changed.await;
        }
    }

    /// The far side has said what becomes of every item.
    pub async fn settle<T: Spooled>(&self, batch: Batch<'_, T>, settled: Settled) {
        let counted = match batch {
            Batch::Held(taken) => {
                taken.settle();
                true
            }
            Batch::Spooled(number, _) => self
                .with_file(move |file| file.remove(T::KIND, number))
                .await
                .unwrap_or(false),
        };
        // What was dropped meanwhile is counted.
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
                Some(Ok(())) => taken.settle(),
                _ => taken.put_back(),
            }
            self.changed.notify_waiters();
        }
        self.complete[T::KIND as usize].store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Opens the file again whenever it cannot be used.
    async fn heal(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_down() {
                tokio::time::sleep(RETRY).await;
                let _ = self.with_file(File::reopen).await;
            } else {
                changed.await;
            }
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
        let why = failure.map(|why| {
            format!("{why}: what waits for the sink is in memory, where a kill loses it")
        });
        if self.down.swap(why.is_some(), Ordering::AcqRel) == why.is_some() {
            return;
        }
        match &why {
            Some(why) => tracing::error!(sink = self.sink.name, why, "cannot spool; retrying"),
            None => tracing::info!(sink = self.sink.name, "spools again"),
        }
        self.telemetry.broken(PROMISE, why);
        self.changed.notify_waiters();
    }

    fn is_down(&self) -> bool {
        self.down.load(Ordering::Acquire)
    }

    /// Whether batches come from memory when the file has none.
    fn memory_serves(&self, kind: Kind) -> bool {
        self.is_down() || self.complete[kind as usize].load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests;
