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
use crate::input::batch::Dispatcher;
use crate::sink::Outbox;
use crate::telemetry::Telemetry;
use crate::window::Unreadable;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How long a checkpoint waits for sinks to take what its windows have told. They say
/// themselves what they lose.
const FLUSH_WITHIN: Duration = Duration::from_secs(10);

/// The same when weir stops.
const FLUSH_AT_END_WITHIN: Duration = Duration::from_secs(3);

/// The state of the windows after a cut.
pub struct Snapshot {
    pub changes: Changes,
}

/// What is needed to keep checkpoints.
pub struct Checkpoints {
    pub keeper: Keeper,
    pub every: Duration,
    pub outboxes: Vec<Arc<Outbox>>,
    pub telemetry: Arc<Telemetry>,
    /// What could not be kept yet.
    unkept: Option<Changes>,
}

impl Checkpoints {
    pub fn new(
        keeper: Keeper,
        every: Duration,
        outboxes: Vec<Arc<Outbox>>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Checkpoints {
            keeper,
            every,
            outboxes,
            telemetry,
            unkept: None,
        }
    }

    /// Cuts checkpoints until `stop`, and keeps the last one, which comes when everything has
    /// run through. One is under way at a time.
    pub async fn run(
        mut self,
        dispatcher: Dispatcher,
        mut snapshots: mpsc::Receiver<Snapshot>,
        stop: CancellationToken,
    ) {
        let mut every = tokio::time::interval(self.every);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = every.tick() => {}
            }
            let keeper = &self.keeper;
            let covers = dispatcher.cut(|| keeper.cut()).await;
            let Some(snapshot) = snapshots.recv().await else {
                return;
            };
            self.keep(covers, snapshot, FLUSH_WITHIN).await;
        }
        // Workers end when the last dispatcher is gone, and the owner after them.
        drop(dispatcher);
        while let Some(snapshot) = snapshots.recv().await {
            let covers = self.keeper.cut();
            self.keep(covers, snapshot, FLUSH_AT_END_WITHIN).await;
        }
    }

    async fn keep(&mut self, covers: Generation, snapshot: Snapshot, flush_within: Duration) {
        // Windows that are closed in a checkpoint do not go out again after a restart.
        let flushed = async {
            for outbox in &self.outboxes {
                outbox.flushed().await;
            }
        };
        let _ = tokio::time::timeout(flush_within, flushed).await;
        let changes = match self.unkept.take() {
            Some(unkept) => unkept.followed_by(snapshot.changes),
            None => snapshot.changes,
        };
        // Kept again with the next one if this one fails.
        let copy = changes.clone();
        match self.keeper.commit(covers, changes).await {
            Ok(()) => {
                if self.telemetry.broken("checkpoint", None) {
                    tracing::info!("checkpoints are kept again");
                }
            }
            Err(why) => {
                self.unkept = Some(copy);
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
