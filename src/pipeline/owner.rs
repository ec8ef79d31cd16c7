//! The owner of the windows: merges, closes by the wall clock, and gives to the sinks.

use super::checkpoints::{self, Everything};
use super::clock_jump::ClockWatch;
use super::{HandOver, TICK};
use crate::account::Account;
use crate::checkpoint::Changes;
use crate::clock;
use crate::delta::Layout;
use crate::load::Loaded;
use crate::memory::{self, Gauge};
use crate::metric::Annotation;
use crate::notices::{self, Notice, Repeats};
use crate::sink::Outbox;
use crate::sink::prometheus::Latest;
use crate::skew::{self, Change};
use crate::telemetry::Telemetry;
use crate::time::Timestamp;
use crate::window::{ClosedWindow, Windows};
use jiff::tz::TimeZone;
use std::sync::Arc;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior};

/// What it owns, and whom it tells.
pub struct Owner {
    pub windows: Windows,
    /// Of the lines that are in the windows, and those that are in none for good.
    pub account: Account,
    /// Whether a cut has come, by worker.
    pub cuts: Vec<bool>,
    /// What workers have handed over behind their cut, while that of another is to come: what
    /// they count until it has worked off what waits for it.
    pub held: Vec<HandOver>,
    pub snapshots: mpsc::Sender<Changes>,
    pub everything: Everything,
    /// That of the windows.
    pub layout: Arc<Layout>,
    pub loaded: watch::Receiver<Arc<Loaded>>,
    pub outboxes: Vec<Arc<Outbox>>,
    pub latest: Option<Arc<Latest>>,
    pub repeats: Repeats,
    pub hosts: skew::Hosts,
    pub timezone: TimeZone,
    pub clock: ClockWatch,
    pub memory: Gauge,
    pub telemetry: Arc<Telemetry>,
}

impl Owner {
    /// Runs until the last worker has ended. Windows close, and their time moves, when what an
    /// earlier run had acknowledged has been sent: then the other end of `caught_up` is dropped.
    pub async fn run(
        mut self,
        mut hand_overs: mpsc::Receiver<HandOver>,
        mut caught_up: oneshot::Receiver<()>,
    ) {
        let began = Instant::now();
        let mut is_behind = true;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                hand_over = hand_overs.recv() => match hand_over {
                    Some(hand_over) => aside(|| self.take(hand_over)),
                    None => break,
                },
                Ok(()) = self.loaded.changed() => aside(|| self.keep_up()),
                _ = &mut caught_up, if is_behind => {
                    is_behind = false;
                    self.windows.caught_up(clock::now());
                }
                _ = tick.tick(), if !is_behind => {
                    let now = clock::now();
                    if let Some(seconds) = self.clock.jump(now, began.elapsed()) {
                        self.tell_jump(seconds, now);
                    }
                    self.repeats.next_round();
                    self.judge_clocks(now);
                    self.judge_memory();
                    aside(|| {
                        let closed = self.windows.advance(now);
                        self.publish(&closed);
                    });
                }
            }
        }
        // Every worker has ended, so nothing is behind a cut.
        self.snapshot();
        // They go out as they are; the next weir goes on with them and tells them again.
        let unfinished = self.windows.close_all();
        if !unfinished.is_empty() {
            tracing::info!(
                windows = unfinished.len(),
                "windows are told before their end"
            );
        }
        self.publish(&unfinished);
        for outbox in &self.outboxes {
            outbox.close();
        }
    }

    /// Takes in what a worker has handed over, unless that belongs behind a cut that is still
    /// to come from others.
    fn take(&mut self, hand_over: HandOver) {
        if self.cuts[hand_over.worker] {
            self.held.push(hand_over);
            return;
        }
        self.cuts[hand_over.worker] = hand_over.cut;
        self.merge(hand_over);
        if self.cuts.iter().all(|cut| *cut) {
            self.snapshot();
        }
    }

    /// Gives away what a checkpoint is to hold, and goes on behind the cut.
    fn snapshot(&mut self) {
        let now = clock::now();
        let closed = self.windows.advance(now);
        self.publish(&closed);
        let mut changes = self.windows.snapshot(now, self.everything.take());
        changes.head = checkpoints::head(&self.account, &changes.head);
        // There is room: the next cut comes when this one is kept.
        if self.snapshots.try_send(changes).is_err() {
            tracing::error!("nobody keeps checkpoints any more");
        }
        self.cuts.fill(false);
        for held in std::mem::take(&mut self.held) {
            self.take(held);
        }
    }

    fn merge(&mut self, hand_over: HandOver) {
        // A worker may be ahead: its delta may be of rules that the windows have not heard of.
        self.keep_up();
        let merged = self.windows.merge(hand_over.delta);
        self.telemetry.merged(merged);
        self.account.merged(&merged);
        self.account.add(&hand_over.tally);
        self.annotate(&hand_over.notices);
        self.hosts.merge(hand_over.sightings);
    }

    /// Says that the clock has been set, on every chart too: what is around it may be too late,
    /// or silent.
    fn tell_jump(&mut self, seconds: i64, now: Timestamp) {
        let direction = if seconds > 0 { "ahead" } else { "back" };
        let title = format!("the clock jumped {direction} by {} s", seconds.abs());
        tracing::error!(
            "{title}, or weir was suspended: lines around it may be counted as late, or too late"
        );
        let mark = Annotation {
            stream: "weir".into(),
            title: title.into(),
            source: None,
            description: None,
            start: now,
            end: None,
        };
        for outbox in &self.outboxes {
            outbox.push_annotations(std::slice::from_ref(&mark));
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

    /// Adds no series while weir takes as much memory as it may.
    fn judge_memory(&mut self) {
        let Some(resident) = memory::resident() else {
            return;
        };
        let is_full = self.memory.is_full(resident);
        self.windows.set_full(is_full);
        let why = is_full.then(|| format!("{} MiB are in use", resident >> 20));
        if self.telemetry.broken("memory", why) {
            match is_full {
                true => tracing::error!(
                    mib = resident >> 20,
                    "limits.memory is reached: no series is added, events of new ones count in \
                     the group `other`"
                ),
                false => tracing::info!("series are added again"),
            }
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
        let over_limit = self.windows.take_over_limit();
        for (rule, events) in &over_limit {
            *self
                .account
                .over_limit_by_rule
                .entry(rule.to_string())
                .or_default() += events;
        }
        self.account.windows_closed += closed;
        self.account.windows_amended += amended;
        self.telemetry.over_limit(over_limit);
    }
}

/// Does what takes long where there are many windows: a tenth of a second for 100,000 series.
/// The listeners' tasks that wait for this thread go on by another meanwhile.
fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        // That of a test, which has no other thread.
        _ => work(),
    }
}
