//! Our own counters: the account of every line.
//!
//! Written by the stages' drivers once a batch or a tick, read as a [`Snapshot`] by
//! `/metrics` and the page. The sums that hold whenever nothing is under way, each
//! number being counted where it happens:
//!
//! ```text
//! received = parsed + rejected + queued, where received = carried + by every listener
//! parsed   = counted + late + too_late + future + over_limit + skipped + notices
//! rejected = written + unwritten + queued, of the file of rejected lines, if there is
//!            one, up to a tick later, and since weir began
//! ```
//!
//! After a restart these sums go on from those of the last checkpoint.

use crate::account::Account;
use crate::breakdown::Lost;
use crate::haproxy::Reject;
use crate::rare::Rare;
use crate::sink::health::{self, Health};
use crate::skew::SkewedHost;
use crate::time::Timestamp;
use crate::window::Merged;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// A number that many threads add to. It orders nothing else, hence `Relaxed`.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All counters of one running weir.
#[derive(Debug)]
pub struct Telemetry {
    started: Timestamp,
    /// Frames that are received, and neither parsed nor rejected yet.
    pub queued: Arc<Counter>,
    /// Frames that earlier runs have received, up to the last checkpoint.
    carried: Counter,
    listeners: Mutex<Vec<Arc<Listener>>>,
    pub http: Arc<HttpServer>,
    pub breakdown: BreakdownCounters,
    sinks: Mutex<Vec<Arc<Sink>>>,
    rejects_file: OnceLock<Arc<RejectsFile>>,
    skewed_hosts: Mutex<Vec<SkewedHost>>,
    broken: Mutex<BTreeMap<&'static str, String>>,
    /// Microseconds since 1970; 0 before the first.
    checkpoint: Counter,
    /// Lines in the last second.
    lines_per_second: Counter,
    parsed: Counter,
    rejected: [Counter; Reject::REASONS.len()],
    cut: Counter,
    skipped: Counter,
    notices: Counter,
    notices_dropped: Counter,
    future: Counter,
    counted: Counter,
    late: Counter,
    too_late: Counter,
    over_limit: Counter,
    missing_too_late: Counter,
    missing_over_limit: Counter,
    /// By rule.
    over_limit_by_rule: Mutex<BTreeMap<Arc<str>, u64>>,
    windows_open: Counter,
    windows_closed: Counter,
    windows_amended: Counter,
    windows_grace: Counter,
    series: Counter,
}

/// What one listener has seen.
#[derive(Debug)]
pub struct Listener {
    pub protocol: &'static str,
    pub address: String,
    /// Frames.
    pub received: Counter,
    /// Open connections; always 0 for UDP.
    pub connections: Counter,
    /// Connections that were refused, and over UDP datagrams.
    pub refused: Refused,
    /// Datagrams that the kernel dropped because its buffer was full.
    pub lost: Counter,
    /// Frames that were received before, acknowledged again and not counted again. Only over
    /// RELP.
    pub resent: Counter,
}

/// Why a connection, or a datagram, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its address is not in `allow`.
    NotAllowed,
    /// `limits.connections` is reached.
    Connections,
    /// `limits.connections_per_address` is reached.
    ConnectionsPerAddress,
    /// The TLS handshake failed, or took too long.
    Handshake,
    /// The client showed no certificate, or not the right one.
    Certificate,
}

impl Refusal {
    pub const ALL: [Refusal; 5] = [
        Refusal::NotAllowed,
        Refusal::Connections,
        Refusal::ConnectionsPerAddress,
        Refusal::Handshake,
        Refusal::Certificate,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Refusal::NotAllowed => "not_allowed",
            Refusal::Connections => "connections",
            Refusal::ConnectionsPerAddress => "connections_per_address",
            Refusal::Handshake => "handshake",
            Refusal::Certificate => "certificate",
        }
    }
}

/// What the HTTP server has open, and what it has turned away.
#[derive(Debug, Default)]
pub struct HttpServer {
    /// Open connections.
    pub connections: Counter,
    refused: [Counter; HttpRefusal::REASONS.len()],
}

/// Why the HTTP server did not take a connection or a request, or did not go on with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpRefusal {
    /// There are too many connections.
    Connections,
    /// There are too many connections from one address.
    Address,
    /// The connection: it has sent no whole head, or has read nothing, for too long.
    Slow,
    /// The request: asked under a name that is not weir's, as a rebound one is.
    Name,
    /// The request: a web page of another site asked, through somebody's browser.
    Site,
    /// The request: it shows no token, or a wrong one.
    Token,
}

impl HttpRefusal {
    /// In the order of the enum.
    pub const REASONS: [&str; 6] = ["connections", "address", "slow", "name", "site", "token"];
}

impl HttpServer {
    pub fn refused(&self, why: HttpRefusal) {
        self.refused[why as usize].add(1);
    }

    fn snapshot(&self) -> HttpSnapshot {
        let refused = self.refused.iter().map(Counter::get);
        HttpSnapshot {
            connections: self.connections.get(),
            refused: HttpRefusal::REASONS.into_iter().zip(refused).collect(),
        }
    }
}

/// What the breakdown is made of. It is no part of the account.
#[derive(Debug, Default)]
pub struct BreakdownCounters {
    /// Requests that were looked at.
    pub looked: Counter,
    /// Requests that these count for.
    pub requests: Counter,
    lost: [Counter; Lost::ALL.len()],
    /// Records that could not be read, and were begun anew.
    pub unreadable: Counter,
}

impl BreakdownCounters {
    /// Adds requests that are in no breakdown.
    pub fn lost(&self, why: Lost, requests: u64) {
        self.lost[why as usize].add(requests);
    }

    fn snapshot(&self) -> BreakdownSnapshot {
        let lost = Lost::ALL.iter();
        BreakdownSnapshot {
            looked: self.looked.get(),
            requests: self.requests.get(),
            lost: lost
                .map(|why| (why.as_str(), self.lost[*why as usize].get()))
                .collect(),
            unreadable: self.unreadable.get(),
        }
    }
}

/// What one listener has refused, by reason.
#[derive(Debug, Default)]
pub struct Refused([Counter; Refusal::ALL.len()]);

impl Refused {
    pub fn add(&self, reason: Refusal, n: u64) {
        self.0[reason as usize].add(n);
    }

    pub fn get(&self, reason: Refusal) -> u64 {
        self.0[reason as usize].get()
    }

    /// By the reasons' names.
    fn snapshot(&self) -> BTreeMap<&'static str, u64> {
        let reasons = Refusal::ALL.iter();
        reasons
            .map(|reason| (reason.as_str(), self.get(*reason)))
            .collect()
    }
}

/// What one sink has done.
#[derive(Debug)]
pub struct Sink {
    pub name: &'static str,
    /// Where it delivers to; without credentials.
    pub target: String,
    pub measurements: Deliveries,
    pub annotations: Deliveries,
    /// How rarely the log is told of what is dropped.
    pub drops_told: Rare,
    /// Of a sink with a far side.
    health: OnceLock<Health>,
}

/// What became of one kind of thing that a sink was given.
#[derive(Debug, Default)]
pub struct Deliveries {
    pub delivered: Counter,
    /// Refused by the far side.
    pub rejected: Counter,
    /// Lost by us: there was no more room, or no more time at the end.
    pub dropped: Counter,
    pub queued: Counter,
    /// Why the last try failed; empty while deliveries succeed.
    failure: Mutex<String>,
}

/// What became of rejected lines that are to be written to a file.
#[derive(Debug)]
pub struct RejectsFile {
    pub path: String,
    pub written: Counter,
    /// Lost to the file: there was no room or no time for them.
    pub unwritten: Counter,
    pub queued: Counter,
    /// Why the last try failed; empty while writing succeeds.
    failure: Mutex<String>,
}

/// What became of one batch's lines, counted without sharing and added at once.
#[derive(Debug, Default)]
pub struct Tally {
    pub parsed: u64,
    pub rejected: [u64; Reject::REASONS.len()],
    pub cut: u64,
    /// No rule wanted them.
    pub skipped: u64,
    /// HAProxy's own messages, which are no requests.
    pub notices: u64,
    /// Of these, not shown as marks because there were too many at once.
    pub notices_dropped: u64,
    /// Dated too far in the future.
    pub future: u64,
    pub over_limit: u64,
    /// Without a date, and nobody can tell when they came. Only in a replay.
    pub undated: u64,
    /// The times of the first and of the last event by their own dates.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

impl Tally {
    /// Whether there were no lines.
    pub fn is_empty(&self) -> bool {
        self.parsed == 0 && self.rejected.iter().all(|n| *n == 0)
    }

    /// Adds those of later batches.
    pub fn merge(&mut self, later: &Tally) {
        self.parsed += later.parsed;
        for (n, more) in self.rejected.iter_mut().zip(later.rejected) {
            *n += more;
        }
        self.cut += later.cut;
        self.skipped += later.skipped;
        self.notices += later.notices;
        self.notices_dropped += later.notices_dropped;
        self.future += later.future;
        self.over_limit += later.over_limit;
        self.undated += later.undated;
        self.from = self.from.into_iter().chain(later.from).min();
        self.to = self.to.max(later.to);
    }

    /// Notes an event's time.
    #[inline]
    pub fn saw(&mut self, at: Timestamp) {
        self.from = Some(self.from.map_or(at, |from| from.min(at)));
        self.to = self.to.max(Some(at));
    }
}

impl Telemetry {
    pub fn new(started: Timestamp) -> Self {
        Telemetry {
            started,
            queued: Arc::default(),
            carried: Counter::default(),
            listeners: Mutex::default(),
            http: Arc::default(),
            breakdown: BreakdownCounters::default(),
            sinks: Mutex::default(),
            rejects_file: OnceLock::new(),
            skewed_hosts: Mutex::default(),
            broken: Mutex::default(),
            checkpoint: Counter::default(),
            lines_per_second: Counter::default(),
            parsed: Counter::default(),
            rejected: Default::default(),
            cut: Counter::default(),
            skipped: Counter::default(),
            notices: Counter::default(),
            notices_dropped: Counter::default(),
            future: Counter::default(),
            counted: Counter::default(),
            late: Counter::default(),
            too_late: Counter::default(),
            over_limit: Counter::default(),
            missing_too_late: Counter::default(),
            missing_over_limit: Counter::default(),
            over_limit_by_rule: Mutex::default(),
            windows_open: Counter::default(),
            windows_closed: Counter::default(),
            windows_amended: Counter::default(),
            windows_grace: Counter::default(),
            series: Counter::default(),
        }
    }

    /// A listener's own counters.
    pub fn listener(&self, protocol: &'static str, address: String) -> Arc<Listener> {
        let listener = Arc::new(Listener {
            protocol,
            address,
            received: Counter::default(),
            connections: Counter::default(),
            refused: Refused::default(),
            lost: Counter::default(),
            resent: Counter::default(),
        });
        lock(&self.listeners).push(Arc::clone(&listener));
        listener
    }

    /// A sink's own counters.
    pub fn sink(&self, name: &'static str, target: String) -> Arc<Sink> {
        let sink = Arc::new(Sink {
            name,
            target,
            measurements: Deliveries::default(),
            annotations: Deliveries::default(),
            drops_told: Rare::default(),
            health: OnceLock::new(),
        });
        lock(&self.sinks).push(Arc::clone(&sink));
        sink
    }

    /// The counters of the file of rejected lines, of which there is at most one.
    pub fn rejects_file(&self, path: String) -> Arc<RejectsFile> {
        let file = self.rejects_file.get_or_init(|| {
            Arc::new(RejectsFile {
                path,
                written: Counter::default(),
                unwritten: Counter::default(),
                queued: Counter::default(),
                failure: Mutex::default(),
            })
        });
        Arc::clone(file)
    }

    /// Goes on from what earlier runs have counted.
    pub fn carry(&self, account: &Account) {
        self.parsed.add(account.parsed);
        for (counter, reason) in self.rejected.iter().zip(Reject::REASONS) {
            counter.add(account.rejected.get(reason).copied().unwrap_or_default());
        }
        self.cut.add(account.cut);
        self.skipped.add(account.skipped);
        self.notices.add(account.notices);
        self.notices_dropped.add(account.notices_dropped);
        self.future.add(account.future);
        self.counted.add(account.counted);
        self.late.add(account.late);
        self.too_late.add(account.too_late);
        self.over_limit.add(account.over_limit);
        self.missing_too_late.add(account.missing_too_late);
        self.missing_over_limit.add(account.missing_over_limit);
        let by_rule = account.over_limit_by_rule.iter();
        self.over_limit(
            by_rule
                .map(|(rule, n)| (rule.as_str().into(), *n))
                .collect(),
        );
        self.windows_closed.add(account.windows_closed);
        self.windows_amended.add(account.windows_amended);
        // Last: who sees it sees the others too (http/status.rs).
        self.carried.add(account.received());
    }

    /// Adds one batch.
    pub fn add(&self, tally: &Tally) {
        self.parsed.add(tally.parsed);
        for (counter, n) in self.rejected.iter().zip(tally.rejected) {
            counter.add(n);
        }
        self.cut.add(tally.cut);
        self.skipped.add(tally.skipped);
        self.notices.add(tally.notices);
        self.notices_dropped.add(tally.notices_dropped);
        self.future.add(tally.future);
        self.over_limit.add(tally.over_limit);
    }

    /// Adds what became of the events of one delta.
    pub fn merged(&self, merged: Merged) {
        self.counted.add(merged.counted);
        self.late.add(merged.late);
        self.too_late.add(merged.too_late);
        self.over_limit.add(merged.over_limit);
        self.skipped.add(merged.skipped);
        self.missing_too_late.add(merged.missing_too_late);
        self.missing_over_limit.add(merged.missing_over_limit);
    }

    /// Adds events that are among the others because there were too many series, by rule.
    pub fn over_limit(&self, events: BTreeMap<Arc<str>, u64>) {
        let mut by_rule = lock(&self.over_limit_by_rule);
        for (rule, events) in events {
            *by_rule.entry(rule).or_default() += events;
        }
    }

    /// Notes the windows' state after time has moved.
    pub fn windows(&self, open: usize, series: usize, closed: u64, amended: u64) {
        self.windows_open.set(open as u64);
        self.series.set(series as u64);
        self.windows_closed.add(closed);
        self.windows_amended.add(amended);
    }

    /// Notes how long windows stay open after their end.
    pub fn set_grace(&self, grace: Duration) {
        self.windows_grace.set(grace.as_secs());
    }

    /// Frames received so far, by all listeners.
    pub fn received(&self) -> u64 {
        let listeners = lock(&self.listeners);
        listeners
            .iter()
            .map(|listener| listener.received.get())
            .sum()
    }

    pub fn set_lines_per_second(&self, lines: u64) {
        self.lines_per_second.set(lines);
    }

    /// Notes the hosts whose dates are off, instead of those before.
    pub fn set_skewed_hosts(&self, hosts: Vec<SkewedHost>) {
        *lock(&self.skewed_hosts) = hosts;
    }

    /// Notes when the newest checkpoint was cut that is kept.
    pub fn set_checkpoint(&self, at: Timestamp) {
        self.checkpoint
            .set(u64::try_from(at.as_micros()).unwrap_or_default());
    }

    /// Notes why weir cannot keep a promise at the moment, or with `None` that it can again.
    /// The promise is a word or two that names what keeps it, such as `checkpoint`. Whether
    /// that is news.
    pub fn broken(&self, promise: &'static str, why: Option<String>) -> bool {
        let mut broken = lock(&self.broken);
        match why {
            Some(why) => broken.insert(promise, why).is_none(),
            None => broken.remove(promise).is_some(),
        }
    }

    /// All numbers as they are now.
    pub fn snapshot(&self) -> Snapshot {
        let rejected: BTreeMap<&'static str, u64> = Reject::REASONS
            .iter()
            .copied()
            .zip(self.rejected.iter().map(Counter::get))
            .collect();
        let listeners: Vec<_> = lock(&self.listeners).iter().map(|l| l.snapshot()).collect();
        Snapshot {
            started: self.started.as_secs(),
            lines_per_second: self.lines_per_second.get(),
            received: self.carried.get()
                + listeners
                    .iter()
                    .map(|listener| listener.received)
                    .sum::<u64>(),
            carried: self.carried.get(),
            parsed: self.parsed.get(),
            queued: self.queued.get(),
            rejected,
            rejects_file: self.rejects_file.get().map(|file| file.snapshot()),
            cut: self.cut.get(),
            counted: self.counted.get(),
            late: self.late.get(),
            too_late: self.too_late.get(),
            future: self.future.get(),
            over_limit: self.over_limit.get(),
            skipped: self.skipped.get(),
            notices: self.notices.get(),
            notices_dropped: self.notices_dropped.get(),
            missing_too_late: self.missing_too_late.get(),
            missing_over_limit: self.missing_over_limit.get(),
            over_limit_by_rule: lock(&self.over_limit_by_rule).clone(),
            windows: WindowsSnapshot {
                open: self.windows_open.get(),
                closed: self.windows_closed.get(),
                amended: self.windows_amended.get(),
                grace: self.windows_grace.get(),
            },
            series: self.series.get(),
            skewed_hosts: lock(&self.skewed_hosts).clone(),
            broken: lock(&self.broken).clone(),
            checkpoint: Some(self.checkpoint.get())
                .filter(|micros| *micros > 0)
                .map(|micros| micros as f64 / 1e6),
            listeners,
            http: self.http.snapshot(),
            breakdown: self.breakdown.snapshot(),
            sinks: lock(&self.sinks)
                .iter()
                .map(|sink| sink.snapshot())
                .collect(),
        }
    }
}

impl Listener {
    fn snapshot(&self) -> ListenerSnapshot {
        ListenerSnapshot {
            protocol: self.protocol,
            address: self.address.clone(),
            received: self.received.get(),
            connections: self.connections.get(),
            refused: self.refused.snapshot(),
            lost: self.lost.get(),
            resent: self.resent.get(),
        }
    }
}

impl Deliveries {
    /// Deliveries succeed again.
    pub fn succeeded(&self) {
        lock(&self.failure).clear();
    }

    /// A try failed and will be repeated.
    pub fn failed(&self, why: String) {
        *lock(&self.failure) = why;
    }

    pub fn accepts(&self) -> bool {
        lock(&self.failure).is_empty()
    }

    fn snapshot(&self) -> DeliveriesSnapshot {
        DeliveriesSnapshot {
            delivered: self.delivered.get(),
            rejected: self.rejected.get(),
            dropped: self.dropped.get(),
            queued: self.queued.get(),
        }
    }
}

impl Sink {
    /// How its far side is. From the first call on it is part of what the sink tells.
    pub fn health(&self) -> &Health {
        self.health.get_or_init(Health::default)
    }

    fn snapshot(&self) -> SinkSnapshot {
        let (measurements, annotations) = (&self.measurements, &self.annotations);
        let mut last_error = lock(&measurements.failure).clone();
        if last_error.is_empty() {
            last_error.clone_from(&lock(&annotations.failure));
        }
        let (measurements, annotations) = (measurements.snapshot(), annotations.snapshot());
        let health = self.health.get().map(Health::snapshot);
        let moved = |of: &DeliveriesSnapshot| of.delivered + of.queued;
        SinkSnapshot {
            name: self.name,
            target: self.target.clone(),
            state: if !last_error.is_empty() {
                "retrying"
            } else if health
                .as_ref()
                .is_some_and(|health| health.held_until.is_some())
            {
                "waiting"
            } else if moved(&measurements) + moved(&annotations) == 0 {
                "idle"
            } else {
                "ok"
            },
            measurements,
            annotations,
            last_error,
            health,
        }
    }
}

impl RejectsFile {
    /// Writing succeeds again.
    pub fn succeeded(&self) {
        lock(&self.failure).clear();
    }

    /// A try failed and will be repeated.
    pub fn failed(&self, why: String) {
        *lock(&self.failure) = why;
    }

    /// Why the last try failed; empty while writing succeeds.
    pub fn failure(&self) -> String {
        lock(&self.failure).clone()
    }

    /// Nothing will be written any more: what still waits is lost to the file.
    pub fn abandon(&self) -> u64 {
        let left = self.queued.get();
        self.queued.sub(left);
        self.unwritten.add(left);
        left
    }

    fn snapshot(&self) -> RejectsFileSnapshot {
        RejectsFileSnapshot {
            path: self.path.clone(),
            written: self.written.get(),
            unwritten: self.unwritten.get(),
            queued: self.queued.get(),
            last_error: self.failure(),
        }
    }
}

/// A counter is valid at any moment, so one whose writer panicked still is.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All numbers at one moment, under the names that the page reads.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// Epoch seconds.
    pub started: i64,
    pub lines_per_second: u64,
    pub received: u64,
    /// Of these, by earlier runs, up to the last checkpoint.
    pub carried: u64,
    pub parsed: u64,
    /// Received, and neither parsed nor rejected yet.
    pub queued: u64,
    pub rejected: BTreeMap<&'static str, u64>,
    /// `None` where rejected lines are not written.
    pub rejects_file: Option<RejectsFileSnapshot>,
    pub cut: u64,
    pub counted: u64,
    pub late: u64,
    pub too_late: u64,
    pub future: u64,
    pub over_limit: u64,
    pub skipped: u64,
    /// HAProxy's own messages.
    pub notices: u64,
    /// Of these, missing among the marks: too many came at once.
    pub notices_dropped: u64,
    pub missing_too_late: u64,
    pub missing_over_limit: u64,
    /// Events that are among the others because there were too many series, by the rule
    /// that wanted them.
    pub over_limit_by_rule: BTreeMap<Arc<str>, u64>,
    pub windows: WindowsSnapshot,
    pub series: u64,
    /// Hosts that seem to write another time zone than `haproxy.timezone`.
    pub skewed_hosts: Vec<SkewedHost>,
    /// Promises that cannot be kept at the moment, and why.
    pub broken: BTreeMap<&'static str, String>,
    /// When the newest checkpoint was cut that is kept, in seconds since 1970; `None` without
    /// one. What came before is safe.
    pub checkpoint: Option<f64>,
    pub listeners: Vec<ListenerSnapshot>,
    pub http: HttpSnapshot,
    pub breakdown: BreakdownSnapshot,
    pub sinks: Vec<SinkSnapshot>,
}

#[derive(Clone, Debug, Serialize)]
pub struct BreakdownSnapshot {
    /// Requests that were looked at, and that these count for.
    pub looked: u64,
    pub requests: u64,
    /// Requests that are in no breakdown, by reason.
    pub lost: BTreeMap<&'static str, u64>,
    /// Records that could not be read.
    pub unreadable: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct RejectsFileSnapshot {
    pub path: String,
    pub written: u64,
    pub unwritten: u64,
    pub queued: u64,
    pub last_error: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct WindowsSnapshot {
    pub open: u64,
    pub closed: u64,
    pub amended: u64,
    /// Whole seconds that they stay open after their end.
    pub grace: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct ListenerSnapshot {
    pub protocol: &'static str,
    pub address: String,
    pub received: u64,
    pub connections: u64,
    /// Connections, or over UDP datagrams, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    pub lost: u64,
    /// Received before, and not counted again.
    pub resent: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct HttpSnapshot {
    pub connections: u64,
    /// Connections and requests, by reason.
    pub refused: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct SinkSnapshot {
    pub name: &'static str,
    pub target: String,
    /// `idle`: nothing has come yet; `ok`; `waiting`: the far side asks for that, until
    /// `held_until`; `retrying`: it does not take something, as `last_error` says.
    pub state: &'static str,
    #[serde(flatten)]
    pub measurements: DeliveriesSnapshot,
    pub annotations: DeliveriesSnapshot,
    /// Why measurements, or else annotations, are not taken.
    pub last_error: String,
    /// Of a sink with a far side: `breaker`, `held_until`, `spool` and `refused`.
    #[serde(flatten)]
    pub health: Option<health::Snapshot>,
}

#[derive(Clone, Debug, Serialize)]
pub struct DeliveriesSnapshot {
    pub delivered: u64,
    pub rejected: u64,
    pub dropped: u64,
    pub queued: u64,
}
