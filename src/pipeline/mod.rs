//! Frames to measurements: the only module that knows every stage.
//!
//! ```text
//! listeners -> Batch -> workers -> Delta -> owner of windows -> ClosedWindow -> outboxes
//!                               -> Notice                    -> Annotation
//!                               -> Sighting                  -> a host's wrong time zone
//!                               -> Parts  -> keeper of the breakdown      -> store
//! ```
//!
//! What the windows hold goes into a checkpoint at intervals (checkpoints.rs), from which the
//! next weir goes on.
//!
//! Every arrow is a bounded channel; when one is full, what is before it waits, back
//! to the senders on TCP and to the kernel's buffer on UDP. Stopping runs along the
//! arrows: when the listeners end, the workers see their channel close, hand over
//! what they have and end, and so on. No stage needs to be told.
//!
//! What lines are read and counted by may be replaced at any time. Workers take a new set
//! over between two batches, after handing over what they have counted by the old one, and
//! the owner of the windows before it merges anything that may be of it.

mod checkpoints;
mod clock_jump;
mod owner;

use crate::account::Account;
use crate::breakdown::{self, Handing, Hosts, Observer};
use crate::checkpoint::{Checkpoint, Keeper};
use crate::clock;
use crate::config::{Limits, Time};
use crate::delta::{Delta, Layout};
use crate::input::batch::{Batch, Dispatcher, Pass, Spares, Work};
use crate::load::Loaded;
use crate::memory::Gauge;
use crate::notices::{Notice, Repeats};
use crate::rejects::{Rejects, Takers};
use crate::sink::Outbox;
use crate::sink::prometheus::Latest;
use crate::skew::{self, Sighting};
use crate::store::Store;
use crate::supervisor::Supervisor;
use crate::telemetry::{Tally, Telemetry};
use crate::time::Timestamp;
use crate::window::{Settings, Windows};
use crate::worker::Worker;
pub use checkpoints::lost_if_killed;
use checkpoints::{Checkpoints, Everything};
use clock_jump::ClockWatch;
use jiff::tz::TimeZone;
use owner::Owner;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// How often workers hand over their deltas and windows are looked at. With a grace below
/// this, what was received in time may be merged when its window has closed, and amends it.
const TICK: Duration = Duration::from_secs(1);

/// Hand-overs that may wait for the windows' owner, per worker.
const HAND_OVERS_PER_WORKER: usize = 4;

/// Rows that a worker may hold at least, whatever the limit of series: a burst of new groups
/// within a second is left to the windows to judge, which know the old ones.
const ROWS_MIN: usize = 50_000;

/// What the stages need to know.
pub struct Plan {
    /// What lines are read and counted by, always the newest.
    pub loaded: watch::Receiver<Arc<Loaded>>,
    pub timezone: TimeZone,
    pub time: Time,
    pub limits: Limits,
    /// How many workers parse and evaluate.
    pub workers: usize,
    pub outboxes: Vec<Arc<Outbox>>,
    /// Where to note the newest values, if anyone asks for them.
    pub latest: Option<Arc<Latest>>,
    pub rejects: Takers,
    /// Where checkpoints are kept.
    pub keeper: Keeper,
    /// What the last weir left there.
    pub checkpoint: Option<Checkpoint>,
    /// Where the breakdown is kept.
    pub store: Store,
    /// Where the hosts are told that lines come from.
    pub hosts: Arc<Hosts>,
}

/// A running pipeline.
pub struct Pipeline {
    workers: Vec<JoinHandle<()>>,
    owner: JoinHandle<()>,
    checkpoints: JoinHandle<()>,
    breakdown: JoinHandle<()>,
}

impl Pipeline {
    /// Starts workers and the owner of windows; whatever is sent to the dispatcher
    /// runs through them.
    pub fn start(
        plan: Plan,
        telemetry: &Arc<Telemetry>,
        supervisor: &Supervisor,
    ) -> (Pipeline, Dispatcher, CatchingUp) {
        let (dispatcher, receivers) = Dispatcher::new(plan.workers, &telemetry.queued);
        let (hand_overs, taking) = mpsc::channel(HAND_OVERS_PER_WORKER * plan.workers);
        let (handing, keeper) =
            breakdown::Keeper::new(plan.workers, plan.store, plan.hosts, telemetry);
        let breakdown = supervisor.spawn("keeper of the breakdown", keeper.run());
        let mut loaded = plan.loaded;
        let first = Arc::clone(&loaded.borrow_and_update());
        let beginning = clock::now();
        let rows_max = plan.limits.series.max(ROWS_MIN);
        let workers = receivers.into_iter().enumerate().map(|(number, batches)| {
            let Loaded {
                rules,
                formats,
                tls: _,
            } = Loaded::clone(&first);
            let zone = plan.timezone.clone();
            let observer = Observer::new(&rules, Arc::clone(&formats), zone, number as u64);
            let worker = Worker::new(rules, formats, plan.timezone.clone(), rows_max)
                .beginning_at(beginning)
                .with_event_time(plan.time.event_time)
                .with_rejects(Rejects::for_takers(&plan.rejects))
                .with_observer(observer);
            let (spares, telemetry) = (dispatcher.spares().clone(), Arc::clone(telemetry));
            let driver = Driver {
                number,
                worker,
                tally: Tally::default(),
                loaded: loaded.clone(),
                hand_overs: hand_overs.clone(),
                takers: plan.rejects.clone(),
                handing: handing.clone(),
                spares,
                telemetry,
            };
            supervisor.spawn("worker", driver.run(batches))
        });
        let workers = workers.collect();
        drop((hand_overs, handing));
        let settings = Settings {
            grace: plan.time.grace,
            amend_for: plan.time.amend_for,
            expire_after: plan.time.expire_after,
            series_max: plan.limits.series,
        };
        telemetry.set_grace(settings.grace);
        let layout = Arc::clone(first.rules.layout());
        let (windows, account) = begin(&layout, settings, plan.checkpoint, &plan.keeper, beginning);
        telemetry.carry(&account);
        if let Some(taken_at) = windows.seen_to() {
            telemetry.set_checkpoint(taken_at);
            let lines = account.received();
            tracing::info!(%taken_at, lines, "going on from the last checkpoint");
        }
        // One checkpoint is under way at a time, and the last one.
        let (snapshots, keeping) = mpsc::channel(2);
        let everything = Everything::default();
        let (caught_up, has_caught_up) = oneshot::channel();
        let owner = Owner {
            windows,
            account,
            cuts: vec![false; plan.workers],
            held: Vec::new(),
            snapshots,
            everything: everything.clone(),
            layout,
            loaded,
            outboxes: plan.outboxes.clone(),
            latest: plan.latest,
            repeats: Repeats::default(),
            hosts: skew::Hosts::default(),
            timezone: plan.timezone,
            clock: ClockWatch::default(),
            memory: Gauge::new(plan.limits.memory),
            telemetry: Arc::clone(telemetry),
        };
        let owner = owner.run(taking, has_caught_up);
        let owner = supervisor.spawn("owner of the windows", owner);
        let checkpoints = Checkpoints {
            keeper: plan.keeper,
            every: plan.time.checkpoint_every,
            outboxes: plan.outboxes,
            telemetry: Arc::clone(telemetry),
            everything,
        };
        let stop = supervisor.stopping().clone();
        let catching_up = CatchingUp {
            pass: dispatcher.first_pass(),
            _told_when_dropped: caught_up,
        };
        let checkpoints = checkpoints.run(dispatcher.clone(), keeping, stop);
        let pipeline = Pipeline {
            workers,
            owner,
            checkpoints: supervisor.spawn("keeper of checkpoints", checkpoints),
            breakdown,
        };
        (pipeline, dispatcher, catching_up)
    }

    /// Waits until everything that was sent has gone through: every dispatcher must be
    /// gone first. All windows are closed then, and the outboxes too.
    pub async fn finish(self) {
        let stages = self.workers.into_iter();
        for task in stages.chain([self.owner, self.checkpoints, self.breakdown]) {
            if let Err(error) = task.await {
                tracing::error!(%error, "a stage of the pipeline failed");
            }
        }
    }
}

/// While there is this, what the last run acknowledged is sent to the workers. No checkpoint is
/// cut, since the first one covers all of it, and no window closes.
pub struct CatchingUp {
    pub pass: Pass,
    _told_when_dropped: oneshot::Sender<()>,
}

/// Windows and account as the checkpoint has them, or new ones.
fn begin(
    layout: &Arc<Layout>,
    settings: Settings,
    checkpoint: Option<Checkpoint>,
    keeper: &Keeper,
    start: Timestamp,
) -> (Windows, Account) {
    let fresh = || Windows::new(Arc::clone(layout), settings).beginning_at(start);
    let Some(checkpoint) = checkpoint else {
        return (fresh(), Account::default());
    };
    let restored = checkpoints::read_head(checkpoint).and_then(|(account, windows)| {
        let windows = Windows::restore(Arc::clone(layout), settings, &windows, start)?;
        Ok((windows, account))
    });
    restored.unwrap_or_else(|why| {
        keeper.copy_aside(&why, start);
        (fresh(), Account::default())
    })
}

/// What a worker has counted and seen since the last time.
struct HandOver {
    /// Whose it is.
    worker: usize,
    delta: Delta,
    tally: Tally,
    notices: Vec<Notice>,
    sightings: Vec<Sighting>,
    /// A checkpoint is cut behind it.
    cut: bool,
}

impl HandOver {
    fn is_empty(&self) -> bool {
        let HandOver {
            worker: _,
            delta,
            tally,
            notices,
            sightings,
            cut,
        } = self;
        delta.is_empty() && tally.is_empty() && notices.is_empty() && sightings.is_empty() && !cut
    }
}

/// Drives a worker: batches in, one hand-over a tick out.
struct Driver {
    number: usize,
    worker: Worker,
    /// Since the last hand-over.
    tally: Tally,
    loaded: watch::Receiver<Arc<Loaded>>,
    hand_overs: mpsc::Sender<HandOver>,
    takers: Takers,
    handing: Handing,
    spares: Spares,
    telemetry: Arc<Telemetry>,
}

impl Driver {
    async fn run(mut self, mut batches: mpsc::Receiver<Work>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                work = batches.recv() => match work {
                    Some(Work::Batch(batch)) => self.process(batch),
                    Some(Work::Cut) => self.hand_over(true).await,
                    None => break,
                },
                _ = tick.tick() => {
                    self.worker.rejects().hand_over(&self.takers);
                    self.hand_on_breakdown();
                    self.hand_over(false).await;
                }
                // Whoever publishes may be gone: then this set is the last.
                Ok(()) = self.loaded.changed() => {
                    self.hand_over(false).await;
                    self.worker.load(&self.loaded.borrow_and_update());
                }
            }
        }
        self.worker.rejects().hand_over(&self.takers);
        self.hand_on_breakdown();
        self.hand_over(false).await;
    }

    fn hand_on_breakdown(&mut self) {
        if let Some(observer) = self.worker.observer() {
            let (parts, hosts) = observer.take();
            self.handing.hand_on(parts, hosts);
        }
    }

    fn process(&mut self, batch: Batch) {
        let tally = self.worker.process(&batch);
        self.telemetry.add(&tally);
        self.tally.merge(&tally);
        self.telemetry.queued.sub(batch.frames.len() as u64);
        self.spares.put(batch);
        if self.worker.rejects().is_full() {
            self.worker.rejects().hand_over(&self.takers);
        }
    }

    async fn hand_over(&mut self, cut: bool) {
        let hand_over = HandOver {
            worker: self.number,
            delta: self.worker.take(),
            tally: std::mem::take(&mut self.tally),
            notices: self.worker.take_notices(),
            sightings: self.worker.take_sightings(),
            cut,
        };
        if hand_over.is_empty() {
            return;
        }
        // The owner ends after the last worker, so it is there to take it.
        if self.hand_overs.send(hand_over).await.is_err() {
            tracing::error!("the owner of the windows has ended: events are lost");
        }
    }
}

#[cfg(test)]
mod tests;
