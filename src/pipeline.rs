//! Frames to measurements: the only file that knows every stage.
//!
//! ```text
//! listeners -> Batch -> workers -> Delta -> owner of windows -> ClosedWindow -> outboxes
//! ```
//!
//! Every arrow is a bounded channel; when one is full, what is before it waits, back
//! to the senders on TCP and to the kernel's buffer on UDP. Stopping runs along the
//! arrows: when the listeners end, the workers see their channel close, hand over
//! what they have and end, and so on. No stage needs to be told.

use crate::clock;
use crate::config::Limits;
use crate::delta::Delta;
use crate::haproxy::Formats;
use crate::input::batch::{Batch, Dispatcher, Spares};
use crate::rejects::{Rejects, Takers};
use crate::rules::Rules;
use crate::sink::Outbox;
use crate::sink::prometheus::Latest;
use crate::supervisor::Supervisor;
use crate::telemetry::Telemetry;
use crate::window::{ClosedWindow, Settings, Windows};
use crate::worker::Worker;
use jiff::tz::TimeZone;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// How often workers hand over their deltas and windows are looked at. Less than the
/// windows' grace, so that what was received in time is merged in time.
const TICK: Duration = Duration::from_secs(1);

/// Deltas that may wait for the windows' owner, per worker.
const DELTAS_PER_WORKER: usize = 4;

/// What the stages need to know.
pub struct Plan {
    pub rules: Arc<Rules>,
    pub formats: Arc<Formats>,
    pub timezone: TimeZone,
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
        let (deltas, merging) = mpsc::channel(DELTAS_PER_WORKER * plan.workers);
        let workers = receivers.into_iter().map(|batches| {
            let rules = Arc::clone(&plan.rules);
            let formats = Arc::clone(&plan.formats);
            let worker = Worker::new(rules, formats, plan.timezone.clone(), plan.limits.series)
                .with_rejects(Rejects::for_takers(&plan.rejects));
            let (spares, telemetry) = (dispatcher.spares().clone(), Arc::clone(telemetry));
            let work = work(
                worker,
                batches,
                deltas.clone(),
                plan.rejects.clone(),
                spares,
                telemetry,
            );
            supervisor.spawn("worker", work)
        });
        let workers = workers.collect();
        drop(deltas);
        let settings = Settings {
            series_max: plan.limits.series,
            ..Settings::default()
        };
        let owner = Owner {
            windows: Windows::new(Arc::clone(plan.rules.layout()), settings),
            outboxes: plan.outboxes,
            latest: plan.latest,
            telemetry: Arc::clone(telemetry),
        };
        let owner = supervisor.spawn("owner of the windows", owner.run(merging));
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

/// Drives a worker: batches in, one delta a tick out.
async fn work(
    mut worker: Worker,
    mut batches: mpsc::Receiver<Batch>,
    deltas: mpsc::Sender<Delta>,
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
                hand_over(&mut worker, &deltas).await;
            }
        }
    }
    worker.rejects().hand_over(&takers);
    hand_over(&mut worker, &deltas).await;
}

async fn hand_over(worker: &mut Worker, deltas: &mpsc::Sender<Delta>) {
    let delta = worker.take();
    // The owner ends after the last worker, so it is there to take it.
    if !delta.is_empty() && deltas.send(delta).await.is_err() {
        tracing::error!("the owner of the windows has ended: events are lost");
    }
}

/// Owns the windows: merges, closes by the wall clock, and gives to the sinks.
struct Owner {
    windows: Windows,
    outboxes: Vec<Arc<Outbox>>,
    latest: Option<Arc<Latest>>,
    telemetry: Arc<Telemetry>,
}

impl Owner {
    async fn run(mut self, mut deltas: mpsc::Receiver<Delta>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                delta = deltas.recv() => match delta {
                    Some(delta) => self.telemetry.merged(self.windows.merge(delta)),
                    None => break,
                },
                _ = tick.tick() => {
                    let closed = self.windows.advance(clock::now());
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

    fn publish(&self, closed: &[ClosedWindow]) {
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
    }
}
