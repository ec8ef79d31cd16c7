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
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// How long a checkpoint waits for sinks to take what its windows have told. They say
/// themselves what they lose.
const FLUSH_WITHIN: Duration = Duration::from_secs(10);

/// The same from when weir begins to stop, for the one under way then and the last one
/// together: a part of the time that [`Daemon::stop`](crate::daemon::Daemon::stop) has.
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
        snapshots: mpsc::Receiver<Changes>,
        stop: CancellationToken,
    ) {
        let late = CancellationToken::new();
        let running = self.run_until(dispatcher, snapshots, &stop, &late);
        let mut running = std::pin::pin!(running);
        tokio::select! {
            () = &mut running => return,
            () = Self::becomes_late(&stop, &late) => {}
        }
        running.await;
    }

    async fn becomes_late(stop: &CancellationToken, late: &CancellationToken) {
        stop.cancelled().await;
        tokio::time::sleep(FLUSH_AT_END_WITHIN).await;
        late.cancel();
    }

    async fn run_until(
        &self,
        dispatcher: Dispatcher,
        mut snapshots: mpsc::Receiver<Changes>,
        stop: &CancellationToken,
        late: &CancellationToken,
    ) {
        // Not at once: there is nothing yet that the last checkpoint does not have.
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
            self.keep(covers, at, changes, late).await;
        }
        // Workers end when the last dispatcher is gone, and the owner after them.
        drop(dispatcher);
        while let Some(changes) = snapshots.recv().await {
            if self.everything.is_asked() && !changes.whole {
                tracing::error!("the last checkpoint is not kept, since the one before it failed");
                continue;
            }
            let (covers, at) = (self.keeper.cut(), clock::now());
            self.keep(covers, at, changes, late).await;
        }
    }

    /// Keeps the checkpoint that was cut then. When it is `late`, sinks have had their time.
    async fn keep(
        &self,
        covers: Generation,
        at: Timestamp,
        changes: Changes,
        late: &CancellationToken,
    ) {
        // Windows that are closed in a checkpoint do not go out again after a restart.
        let flushed = async {
            for outbox in &self.outboxes {
                outbox.flushed().await;
            }
        };
        let flushed = late.run_until_cancelled(flushed);
        let _ = tokio::time::timeout(FLUSH_WITHIN, flushed).await;
        match self.keeper.commit(covers, changes).await {
            Ok(()) => {
                self.telemetry.set_checkpoint(at);
                if self.telemetry.broken("checkpoint", None) {
                    tracing::info!("checkpoints are kept again");
                }
            }
            Err(why) => {
                self.everything.ask();
                let text = lost_if_killed(&why);
                if self.telemetry.broken("checkpoint", Some(text)) {
                    tracing::error!(%why, "cannot keep checkpoints; retrying");
                }
            }
        }
    }
}

/// What is at stake while checkpoints cannot be kept, and why they cannot.
pub fn lost_if_killed(why: &dyn Display) -> String {
    format!("{why}: what is received now is lost if weir is killed")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Measurement, Series};

    /// No sink takes anything. One checkpoint is under way when weir stops, and there is a last
    /// one: both together have the time of the end.
    #[tokio::test(start_paused = true)]
    async fn what_no_sink_takes_holds_up_the_end_once() {
        let state = tempfile::tempdir().unwrap();
        let (keeper, _) = Keeper::open(state.path(), clock::now()).unwrap();
        let telemetry = Arc::new(Telemetry::new(clock::now()));
        let outbox = Arc::new(Outbox::new(9, telemetry.sink("away", String::new())));
        outbox.push(&[Measurement {
            series: Series {
                name: "a".into(),
                tags: [].into(),
            },
            time: clock::now(),
            period: Duration::from_secs(10),
            value: 1.0,
        }]);
        let checkpoints = Checkpoints {
            keeper,
            every: Duration::from_secs(30),
            outboxes: vec![outbox],
            telemetry: Arc::clone(&telemetry),
            everything: Everything::default(),
        };
        let (stop, late) = (CancellationToken::new(), CancellationToken::new());
        let kept = |number: u64| {
            let (checkpoints, late) = (&checkpoints, &late);
            async move {
                let covers = checkpoints.keeper.cut();
                let changes = Changes {
                    whole: number == 0,
                    ..Changes::default()
                };
                checkpoints.keep(covers, clock::now(), changes, late).await;
            }
        };
        let begun = Instant::now();
        tokio::join!(
            async {
                kept(0).await;
                kept(1).await;
            },
            Checkpoints::becomes_late(&stop, &late),
            async {
                tokio::time::sleep(Duration::from_secs(5)).await;
                stop.cancel();
            }
        );
        let took = begun.elapsed() - Duration::from_secs(5);
        assert!(
            took <= FLUSH_AT_END_WITHIN + Duration::from_millis(10),
            "{took:?}"
        );
    }
}
