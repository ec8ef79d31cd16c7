//! Frames to measurements: the only file that knows every stage.
//!
//! ```text
//! listeners -> Batch -> workers -> Delta -> owner of windows -> ClosedWindow -> outboxes
//!                               -> Notice                    -> Annotation
//!                               -> Sighting                  -> a host's wrong time zone
//! ```
//!
//! Every arrow is a bounded channel; when one is full, what is before it waits, back
//! to the senders on TCP and to the kernel's buffer on UDP. Stopping runs along the
//! arrows: when the listeners end, the workers see their channel close, hand over
//! what they have and end, and so on. No stage needs to be told.
//!
//! What lines are read and counted by may be replaced at any time. Workers take a new set
//! over between two batches, after handing over what they have counted by the old one, and
//! the owner of the windows before it merges anything that may be of it.

use crate::clock;
use crate::config::{Limits, Time};
use crate::delta::{Delta, Layout};
use crate::input::batch::{Batch, Dispatcher, Spares};
use crate::load::Loaded;
use crate::notices::{self, Notice, Repeats};
use crate::rejects::{Rejects, Takers};
use crate::sink::Outbox;
use crate::sink::prometheus::Latest;
use crate::skew::{self, Change, Sighting};
use crate::supervisor::Supervisor;
use crate::telemetry::Telemetry;
use crate::time::Timestamp;
use crate::window::{ClosedWindow, Settings, Windows};
use crate::worker::Worker;
use jiff::tz::TimeZone;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
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
}

/// A running pipeline.
pub struct Pipeline {
    owner: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
}

impl Pipeline {
    /// Starts workers and the owner of windows; whatever is sent to the dispatcher
    /// runs through them.
    pub fn start(
        plan: Plan,
        telemetry: &Arc<Telemetry>,
        supervisor: &Supervisor,
    ) -> (Pipeline, Dispatcher) {
        let (dispatcher, receivers) = Dispatcher::new(plan.workers, &telemetry.queued);
        let (hand_overs, taking) = mpsc::channel(HAND_OVERS_PER_WORKER * plan.workers);
        let mut loaded = plan.loaded;
        let first = Arc::clone(&loaded.borrow_and_update());
        let beginning = clock::now();
        let rows_max = plan.limits.series.max(ROWS_MIN);
        let workers = receivers.into_iter().map(|batches| {
            let Loaded {
                rules,
                formats,
                tls: _,
            } = Loaded::clone(&first);
            let worker = Worker::new(rules, formats, plan.timezone.clone(), rows_max)
                .beginning_at(beginning)
                .with_event_time(plan.time.event_time)
                .with_rejects(Rejects::for_takers(&plan.rejects));
            let (spares, telemetry) = (dispatcher.spares().clone(), Arc::clone(telemetry));
            let work = work(
                worker,
                batches,
                loaded.clone(),
                hand_overs.clone(),
                plan.rejects.clone(),
                spares,
                telemetry,
            );
            supervisor.spawn("worker", work)
        });
        let workers = workers.collect();
        drop(hand_overs);
        let settings = Settings {
            grace: plan.time.grace,
            amend_for: plan.time.amend_for,
            expire_after: plan.time.expire_after,
            series_max: plan.limits.series,
        };
        telemetry.set_grace(settings.grace);
        let owner = Owner {
            windows: Windows::new(Arc::clone(first.rules.layout()), settings)
                .beginning_at(beginning),
            layout: Arc::clone(first.rules.layout()),
            loaded,
            outboxes: plan.outboxes,
            latest: plan.latest,
            repeats: Repeats::default(),
            hosts: skew::Hosts::default(),
            timezone: plan.timezone,
            telemetry: Arc::clone(telemetry),
        };
        let owner = supervisor.spawn("owner of the windows", owner.run(taking));
        (Pipeline { owner, workers }, dispatcher)
    }

    /// Waits until everything that was sent has gone through: every dispatcher must be
    /// gone first. All windows are closed then, and the outboxes too.
    pub async fn finish(self) {
        for task in self.workers.into_iter().chain([self.owner]) {
            if let Err(error) = task.await {
                tracing::error!(%error, "a stage of the pipeline failed");
            }
        }
    }
}

/// What a worker has counted and seen since the last time.
struct HandOver {
    delta: Delta,
    notices: Vec<Notice>,
    sightings: Vec<Sighting>,
}

impl HandOver {
    fn is_empty(&self) -> bool {
        self.delta.is_empty() && self.notices.is_empty() && self.sightings.is_empty()
    }
}

/// Drives a worker: batches in, one hand-over a tick out.
async fn work(
    mut worker: Worker,
    mut batches: mpsc::Receiver<Batch>,
    mut loaded: watch::Receiver<Arc<Loaded>>,
    hand_overs: mpsc::Sender<HandOver>,
    takers: Takers,
    spares: Spares,
    telemetry: Arc<Telemetry>,
) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            batch = batches.recv() => match batch {
                Some(batch) => {
                    telemetry.add(&worker.process(&batch));
                    telemetry.queued.sub(batch.frames.len() as u64);
                    spares.put(batch);
                    if worker.rejects().is_full() {
                        worker.rejects().hand_over(&takers);
                    }
                }
                None => break,
            },
            _ = tick.tick() => {
                worker.rejects().hand_over(&takers);
                hand_over(&mut worker, &hand_overs).await;
            }
            // Whoever publishes may be gone: then this set is the last.
            Ok(()) = loaded.changed() => {
                hand_over(&mut worker, &hand_overs).await;
                worker.load(&loaded.borrow_and_update());
            }
        }
    }
    worker.rejects().hand_over(&takers);
    hand_over(&mut worker, &hand_overs).await;
}

async fn hand_over(worker: &mut Worker, hand_overs: &mpsc::Sender<HandOver>) {
    let hand_over = HandOver {
        delta: worker.take(),
        notices: worker.take_notices(),
        sightings: worker.take_sightings(),
    };
    if hand_over.is_empty() {
        return;
    }
    // The owner ends after the last worker, so it is there to take it.
    if hand_overs.send(hand_over).await.is_err() {
        tracing::error!("the owner of the windows has ended: events are lost");
    }
}

/// Owns the windows: merges, closes by the wall clock, and gives to the sinks.
struct Owner {
    windows: Windows,
    /// That of the windows.
    layout: Arc<Layout>,
    loaded: watch::Receiver<Arc<Loaded>>,
    outboxes: Vec<Arc<Outbox>>,
    latest: Option<Arc<Latest>>,
    repeats: Repeats,
    hosts: skew::Hosts,
    timezone: TimeZone,
    telemetry: Arc<Telemetry>,
}

impl Owner {
    async fn run(mut self, mut hand_overs: mpsc::Receiver<HandOver>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                hand_over = hand_overs.recv() => match hand_over {
                    Some(HandOver { delta, notices, sightings }) => {
                        // A worker may be ahead: its delta may be of rules that the windows
                        // have not heard of.
                        self.keep_up();
                        self.telemetry.merged(self.windows.merge(delta));
                        self.annotate(&notices);
                        self.hosts.merge(sightings);
                    }
                    None => break,
                },
                Ok(()) = self.loaded.changed() => self.keep_up(),
                _ = tick.tick() => {
                    let now = clock::now();
                    self.repeats.next_round();
                    self.judge_clocks(now);
                    let closed = self.windows.advance(now);
                    self.publish(&closed);
                }
            }
        }
        let mut closed = self.windows.advance(clock::now());
        let unfinished = self.windows.close_all();
        if !unfinished.is_empty() {
            tracing::warn!(
                windows = unfinished.len(),
                "windows are closed before their end: a weir that starts before it replaces \
                 their values with what it counts itself"
            );
        }
        closed.extend(unfinished);
        self.publish(&closed);
        for outbox in &self.outboxes {
            outbox.close();
        }
    }

    /// Takes over the newest rules, where these are not the windows' already.
    fn keep_up(&mut self) {
        let newest = Arc::clone(self.loaded.borrow_and_update().rules.layout());
        if Arc::ptr_eq(&newest, &self.layout) {
            return;
        }
        if let Some(latest) = &self.latest {
            latest.reload(&self.layout, &newest);
        }
        self.windows.reload(Arc::clone(&newest), clock::now());
        self.layout = newest;
    }

    /// Gives the marks that the notices make to the sinks, each once.
    fn annotate(&mut self, notices: &[Notice]) {
        let mut annotations: Vec<_> = notices.iter().map(notices::annotation).collect();
        annotations.retain(|annotation| self.repeats.is_first(annotation));
        if annotations.is_empty() {
            return;
        }
        for outbox in &self.outboxes {
            outbox.push_annotations(&annotations);
        }
    }

    /// Says which hosts' dates are off, and which no longer are.
    fn judge_clocks(&mut self, now: Timestamp) {
        let changes = self.hosts.advance(now);
        if changes.is_empty() {
            return;
        }
        for change in changes {
            match change {
                Change::Skewed(host) => tracing::warn!("{}", host.told(&self.timezone)),
                Change::Right(host) => tracing::info!("host {host}: its dates are right again"),
                Change::Silent(host) => {
                    tracing::info!("host {host}: sends no lines any more; its dates were off");
                }
            }
        }
        self.telemetry.set_skewed_hosts(self.hosts.skewed());
    }

    fn publish(&mut self, closed: &[ClosedWindow]) {
        for window in closed {
            if let Some(latest) = &self.latest {
                latest.update(window);
            }
            for outbox in &self.outboxes {
                outbox.push(&window.measurements);
            }
        }
        let amended = closed.iter().filter(|window| window.amended).count() as u64;
        let (open, series) = (self.windows.open(), self.windows.series());
        let closed = closed.len() as u64 - amended;
        self.telemetry.windows(open, series, closed, amended);
        self.telemetry.over_limit(self.windows.take_over_limit());
    }
}
