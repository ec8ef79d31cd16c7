//! When checkpoints are cut, and on their way to the disk.
//!
//! A cut runs through the pipeline behind the batches that were there before it: a worker
//! that meets it hands over what it has, and when the owner of the windows has the cut of
//! every worker, its windows hold what was sent before the cut and nothing else. What a
//! worker hands over behind its cut waits until then.
//!
//! So an acknowledged line is either in a checkpoint or in the journal, never in both.

use crate::account::Account;
use crate::checkpoint::{Changes, Checkpoint, Generation, Keeper};
use crate::clock;
use crate::input::batch::Dispatcher;
use crate::sink::Outbox;
use crate::telemetry::Telemetry;
use crate::time::Timestamp;
use crate::window::Unreadable;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// How long a checkpoint waits for sinks to take what its windows have told. They say
/// themselves what they lose.
const FLUSH_WITHIN: Duration = Duration::from_secs(10);

/// The same when weir stops.
const FLUSH_AT_END_WITHIN: Duration = Duration::from_secs(3);

/// Whether the next checkpoint has to hold everything, because one could not be kept: nobody
/// knows then what the file has.
#[derive(Clone, Debug, Default)]
pub struct Everything(Arc<AtomicBool>);

impl Everything {
    /// Whether it has, since the last time.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }

    fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is needed to keep checkpoints.
pub struct Checkpoints {
    pub keeper: Keeper,
    pub every: Duration,
    pub outboxes: Vec<Arc<Outbox>>,
    pub telemetry: Arc<Telemetry>,
    pub everything: Everything,
}

impl Checkpoints {
    /// Cuts checkpoints until `stop`, and keeps the last one, which comes when everything has
    /// run through. One is under way at a time.
    pub async fn run(
        self,
        dispatcher: Dispatcher,
        mut snapshots: mpsc::Receiver<Changes>,
        stop: CancellationToken,
    ) {
        // Not at once: first comes what the last run acknowledged, in one pass.
        let mut every = tokio::time::interval_at(Instant::now() + self.every, self.every);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = every.tick() => {}
            }
            let at = clock::now();
            let keeper = &self.keeper;
            let covers = dispatcher.cut(|| keeper.cut()).await;
            let Some(changes) = snapshots.recv().await else {
                return;
            };
            self.keep(covers, at, changes, FLUSH_WITHIN).await;
        }
        // Workers end when the last dispatcher is gone, and the owner after them.
        drop(dispatcher);
        while let Some(changes) = snapshots.recv().await {
            if self.everything.is_asked() && !changes.whole {
                tracing::error!("the last checkpoint is not kept, since the one before it failed");
                continue;
            }
            let (covers, at) = (self.keeper.cut(), clock::now());
            self.keep(covers, at, changes, FLUSH_AT_END_WITHIN).await;
        }
    }

    /// Keeps the checkpoint that was cut then.
    async fn keep(
        &self,
        covers: Generation,
        at: Timestamp,
        changes: Changes,
        flush_within: Duration,
    ) {
        // Windows that are closed in a checkpoint do not go out again after a restart.
        let flushed = async {
            for outbox in &self.outboxes {
                outbox.flushed().await;
            }
        };
        let _ = tokio::time::timeout(flush_within, flushed).await;
        match self.keeper.commit(covers, changes).await {
            Ok(()) => {
                self.telemetry.set_checkpoint(at);
                if self.telemetry.broken("checkpoint", None) {
                    tracing::info!("checkpoints are kept again");
                }
            }
            Err(why) => {
                self.everything.ask();
                let text = format!("{why}: what is received now is lost if weir is killed");
                if self.telemetry.broken("checkpoint", Some(text)) {
                    tracing::error!(%why, "cannot keep checkpoints; retrying");
                }
            }
        }
    }
}

/// What a checkpoint's head holds: the account, and the windows' own head.
pub fn head(account: &Account, windows: &[u8]) -> Vec<u8> {
    // It fails for sequences of unknown length alone.
    postcard::to_stdvec(&(account, windows)).expect("an account has a known length")
}

/// The counterpart of [`head`]: the account, and what the windows go on from.
///
/// # Errors
///
/// When it is no head.
pub fn read_head(checkpoint: Checkpoint) -> Result<(Account, Checkpoint), Unreadable> {
    let (account, head) = postcard::from_bytes(&checkpoint.head)
        .map_err(|why| Unreadable(format!("its account cannot be read: {why}")))?;
    Ok((account, Checkpoint { head, ..checkpoint }))
}
