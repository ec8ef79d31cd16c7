//! How weir itself is doing: `/healthz`, `/readyz`, `/metrics`, and the report that
//! the page shows as its health strip.

use crate::breakdown::Hosts;
use crate::clock;
use crate::rejects::Samples;
use crate::reload::{self, Account};
use crate::sink::prometheus::{self, Latest};
use crate::store::{Stats, Store};
use crate::telemetry::{Snapshot, Telemetry};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// How often the report is made anew.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Numbers that are kept to tell what has changed: a minute of them, a second apart.
const KEPT_MAX: usize = 61;

/// Seconds.
const MINUTE: i64 = 60;

/// Pages of `/metrics` that are written at the same time.
const RENDERS_MAX: usize = 2;

/// What kind of weir this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Serve,
    Demo,
    Librato,
}

/// What there is to tell about a running weir.
pub struct Status {
    pub mode: Mode,
    pub telemetry: Arc<Telemetry>,
    /// Of rejected lines.
    pub samples: Arc<Samples>,
    /// From which lines come.
    pub hosts: Arc<Hosts>,
    pub latest: Arc<Latest>,
    /// `None` where no lines are counted.
    pub rules: Option<Arc<Account>>,
    pub store: Store,
}

/// The report, under the names that the page reads.
#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    mode: Mode,
    #[serde(flatten)]
    numbers: &'a Numbers,
    /// Those of a minute ago, so that a page that has just been opened can tell what has
    /// grown since; of the start, until weir has run for so long.
    minute_ago: &'a Numbers,
    /// Samples of rejected lines that were ever taken: where there are more, there are
    /// new ones.
    samples: u64,
    rules: Option<reload::Snapshot>,
}

/// What counts, at one moment.
#[derive(Serialize)]
struct Numbers {
    now: i64,
    #[serde(flatten)]
    telemetry: Snapshot,
    store: Stats,
}

/// The numbers of the last minute, oldest first; never empty.
struct LastMinute(VecDeque<Numbers>);

impl LastMinute {
    fn of(first: Numbers) -> Self {
        LastMinute(VecDeque::from([first]))
    }

    fn push(&mut self, numbers: Numbers) {
        // What earlier runs have counted is added after the start: it did not come just now.
        let carried = numbers.telemetry.carried;
        self.0.retain(|kept| kept.telemetry.carried == carried);
        let begun = numbers.now - MINUTE;
        self.0.push_back(numbers);
        // By number too: the clock may have been set back.
        while self.0.len() > KEPT_MAX || self.0.get(1).is_some_and(|next| next.now <= begun) {
            self.0.pop_front();
        }
    }

    /// The oldest and the newest.
    fn ends(&self) -> Option<(&Numbers, &Numbers)> {
        self.0.front().zip(self.0.back())
    }
}

impl Status {
    /// The report as JSON, always the newest, until `self` is gone with its server.
    pub fn reports(self: &Arc<Self>) -> watch::Receiver<Arc<str>> {
        let mut last_minute = LastMinute::of(self.numbers());
        let (sender, receiver) = watch::channel(self.report(&last_minute));
        let status = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut every = tokio::time::interval(REPORT_EVERY);
            let mut before = 0;
            loop {
                every.tick().await;
                let Some(status) = status.upgrade() else {
                    break;
                };
                let received = status.telemetry.received();
                status.telemetry.set_lines_per_second(received - before);
                before = received;
                last_minute.push(status.numbers());
                sender.send_replace(status.report(&last_minute));
            }
        });
        receiver
    }

    fn rules(&self) -> Option<reload::Snapshot> {
        self.rules.as_ref().map(|account| account.snapshot())
    }

    fn numbers(&self) -> Numbers {
        Numbers {
            now: clock::now().as_secs(),
            telemetry: self.telemetry.snapshot(),
            store: self.store.stats(),
        }
    }

    fn report(&self, last_minute: &LastMinute) -> Arc<str> {
        let report = last_minute.ends().map(|(minute_ago, numbers)| Report {
            version: env!("CARGO_PKG_VERSION"),
            mode: self.mode,
            numbers,
            minute_ago,
            samples: self.samples.taken(),
            rules: self.rules(),
        });
        // Plain data under string keys: it always serialises.
        serde_json::to_string(&report).unwrap_or_default().into()
    }
}

/// `/healthz` (alive), `/readyz` and `/metrics`.
pub fn router(status: Arc<Status>) -> Router {
    let metrics = Metrics {
        status: Arc::clone(&status),
        renders: Arc::new(Semaphore::new(RENDERS_MAX)),
    };
    let metrics = Router::new()
        .route("/metrics", get(self::metrics))
        .with_state(metrics);
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(status)
        .merge(metrics)
}

/// What `/metrics` is made of.
#[derive(Clone)]
struct Metrics {
    status: Arc<Status>,
    renders: Arc<Semaphore>,
}

/// Listeners are bound before the server answers at all, so it is the sinks that
/// decide.
async fn ready(State(status): State<Arc<Status>>) -> Response {
    let sinks = status.telemetry.snapshot().sinks;
    let failing: Vec<String> = sinks
        .iter()
        .filter(|sink| !sink.last_error.is_empty())
        .map(|sink| {
            format!(
                "sink {} ({}): {}\n",
                sink.name, sink.target, sink.last_error
            )
        })
        .collect();
    if failing.is_empty() {
        (StatusCode::OK, "ready\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, failing.concat()).into_response()
    }
}

/// Many series take a while to write: apart from the tasks that take lines, and further
/// requests wait.
async fn metrics(State(metrics): State<Metrics>) -> Response {
    let Ok(_permit) = metrics.renders.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let status = metrics.status;
    let render = move || prometheus::render(&status.latest, &status.telemetry, status.rules());
    match tokio::task::spawn_blocking(render).await {
        Ok(Ok(page)) => ([(header::CONTENT_TYPE, prometheus::CONTENT_TYPE)], page).into_response(),
        Ok(Err(error)) => unwritten(&error),
        Err(panicked) => unwritten(&panicked),
    }
}

fn unwritten(error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "cannot write /metrics");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Account;
    use crate::store::Options;
    use crate::time::Timestamp;
    use tempfile::TempDir;

    struct Counting {
        telemetry: Telemetry,
        store: Store,
        _dir: TempDir,
    }

    impl Counting {
        fn new() -> Counting {
            let dir = TempDir::new().unwrap();
            Counting {
                telemetry: Telemetry::new(Timestamp::from_secs(0)),
                store: Store::open(dir.path(), Options::default()).unwrap(),
                _dir: dir,
            }
        }

        fn at(&self, now: i64) -> Numbers {
            Numbers {
                now,
                telemetry: self.telemetry.snapshot(),
                store: self.store.stats(),
            }
        }
    }

    fn span(kept: &LastMinute) -> (i64, i64, usize) {
        let (oldest, newest) = kept.ends().unwrap();
        (oldest.now, newest.now, kept.0.len())
    }

    #[test]
    fn the_numbers_of_a_minute_ago_are_kept_and_no_older_ones() {
        let weir = Counting::new();
        let mut kept = LastMinute::of(weir.at(1000));
        for now in 1001..=1059 {
            kept.push(weir.at(now));
        }
        assert_eq!(span(&kept), (1000, 1059, 60));
        for now in 1060..1100 {
            kept.push(weir.at(now));
        }
        assert_eq!(span(&kept), (1039, 1099, KEPT_MAX));
        // Whoever slept does not call an hour a minute longer than it must.
        kept.push(weir.at(5000));
        assert_eq!(span(&kept), (1099, 5000, 2));
        kept.push(weir.at(5001));
        assert_eq!(span(&kept), (1099, 5001, 3));
        for now in 0..100 {
            kept.push(weir.at(now));
        }
        assert_eq!(span(&kept), (39, 99, KEPT_MAX));
    }

    #[test]
    fn what_earlier_runs_have_counted_has_not_come_just_now() {
        let weir = Counting::new();
        let mut kept = LastMinute::of(weir.at(1000));
        weir.telemetry.carry(&Account {
            parsed: 7,
            ..Account::default()
        });
        kept.push(weir.at(1001));
        assert_eq!(span(&kept), (1001, 1001, 1));
    }
}
