//! Batches: frames on their way from a listener to a worker.

use super::framing::Frame;
use crate::telemetry::{Counter, Listener};
use crate::time::Timestamp;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedRwLockReadGuard, RwLock, mpsc};

/// What one read brought: bytes, and where the frames in them are.
#[derive(Debug, Default)]
pub struct Batch {
    /// `None` in a replay: nobody was there when the lines were written, and the clock is
    /// the log's own.
    pub received_at: Option<Timestamp>,
    pub bytes: Vec<u8>,
    pub frames: Vec<Frame>,
}

/// What runs through the channel to a worker.
#[derive(Debug)]
pub enum Work {
    Batch(Batch),
    /// A checkpoint is cut here.
    Cut,
}

/// How many batches may wait for one worker. With the batches' usual size that is
/// some 4 MiB; when it is full, listeners wait, and the senders behind them do.
const BATCHES_PER_WORKER: usize = 64;

/// Emptied batches that are kept to be filled again.
const SPARE_BATCHES: usize = 64;

/// A batch that grew beyond this is not kept: one long line should not cost for ever.
const SPARE_BYTES: usize = 256 * 1024;

/// Hands batches to whichever worker has room. Any worker may take any batch,
/// because deltas merge in any order.
#[derive(Clone)]
pub struct Dispatcher {
    workers: Arc<[mpsc::Sender<Work>]>,
    next: Arc<AtomicUsize>,
    spares: Spares,
    queued: Arc<Counter>,
    gate: Arc<RwLock<()>>,
}

/// No checkpoint is cut while there is one: what is kept and handed on under it is in the
/// same generation of the journal as in the windows.
pub struct Pass {
    _open: OwnedRwLockReadGuard<()>,
}

/// Emptied batches: with these, reading allocates nothing once it is under way.
#[derive(Clone, Default)]
pub struct Spares(Arc<Mutex<Vec<Batch>>>);

impl Dispatcher {
    /// A dispatcher and the receiving end of each worker. The workers' ends close
    /// when every clone of the dispatcher is gone. `queued` counts the frames that have
    /// been sent; workers take off those that they are done with.
    pub fn new(workers: usize, queued: &Arc<Counter>) -> (Dispatcher, Vec<mpsc::Receiver<Work>>) {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..workers)
            .map(|_| mpsc::channel(BATCHES_PER_WORKER))
            .unzip();
        let dispatcher = Dispatcher {
            workers: senders.into(),
            next: Arc::default(),
            spares: Spares::default(),
            queued: Arc::clone(queued),
            gate: Arc::default(),
        };
        (dispatcher, receivers)
    }

    /// Where workers put emptied batches.
    pub fn spares(&self) -> &Spares {
        &self.spares
    }

    /// Waits while a checkpoint is cut, and holds off the next one until the pass is dropped.
    pub async fn pass(&self) -> Pass {
        Pass {
            _open: Arc::clone(&self.gate).read_owned().await,
        }
    }

    /// The same at once, for whoever has made the dispatcher: no checkpoint is being cut yet.
    pub fn first_pass(&self) -> Pass {
        let open = Arc::clone(&self.gate).try_read_owned();
        Pass {
            _open: open.expect("nobody else has the dispatcher yet"),
        }
    }

    /// Cuts a checkpoint: waits for those who have a [`Pass`], begins the next part, and sends
    /// every worker the cut, behind what was sent under a pass before and before what comes
    /// after.
    pub async fn cut<T>(&self, begin: impl FnOnce() -> T) -> T {
        let _closed = self.gate.write().await;
        let begun = begin();
        for worker in &*self.workers {
            if worker.send(Work::Cut).await.is_err() {
                tracing::error!("a worker has failed: no checkpoint can be cut");
            }
        }
        begun
    }

    /// Counts the batch's frames as received and hands it on; waits while every
    /// worker has as much as it may hold. A batch without frames is not handed on.
    pub async fn send(&self, batch: Batch, listener: &Listener) {
        if batch.frames.is_empty() {
            return self.spares.put(batch);
        }
        let frames = batch.frames.len() as u64;
        // Queued first: a frame is never seen to be received and nowhere.
        self.queued.add(frames);
        listener.received.add(frames);
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut work = Work::Batch(batch);
        for i in 0..self.workers.len() {
            let worker = &self.workers[(first + i) % self.workers.len()];
            match worker.try_send(work) {
                Ok(()) => return,
                Err(
                    mpsc::error::TrySendError::Full(back) | mpsc::error::TrySendError::Closed(back),
                ) => {
                    work = back;
                }
            }
        }
        let worker = &self.workers[first % self.workers.len()];
        // Workers end when the last dispatcher is gone, or by a defect.
        if worker.send(work).await.is_err() {
            tracing::error!(lines = frames, "a worker has failed: lines are lost");
        }
    }
}

impl Spares {
    /// An empty batch.
    pub fn get(&self) -> Batch {
        let spare = self.lock().pop();
        spare.unwrap_or_default()
    }

    pub fn put(&self, mut batch: Batch) {
        if batch.bytes.capacity() > SPARE_BYTES {
            return;
        }
        batch.bytes.clear();
        batch.frames.clear();
        let mut spares = self.lock();
        if spares.len() < SPARE_BATCHES {
            spares.push(batch);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Batch>> {
        // Nothing is half done while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
