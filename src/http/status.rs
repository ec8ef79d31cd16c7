//! How weir itself is doing: `/healthz`, `/readyz`, `/metrics`, and the report that
//! the page shows as its health strip.

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
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// How often the report is made anew.
const REPORT_EVERY: Duration = Duration::from_secs(1);

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
    pub latest: Arc<Latest>,
    /// `None` where no lines are counted.
    pub rules: Option<Arc<Account>>,
    pub store: Store,
}

/// The report, under the names that the page reads.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    mode: Mode,
    now: i64,
    #[serde(flatten)]
    telemetry: Snapshot,
    /// Samples of rejected lines that were ever taken: where there are more, there are
    /// new ones.
    samples: u64,
    rules: Option<reload::Snapshot>,
    store: Stats,
}

impl Status {
    /// The report as JSON, always the newest, until `self` is gone with its server.
    pub fn reports(self: &Arc<Self>) -> watch::Receiver<Arc<str>> {
        let (sender, receiver) = watch::channel(self.report());
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
                sender.send_replace(status.report());
            }
        });
        receiver
    }

    fn rules(&self) -> Option<reload::Snapshot> {
        self.rules.as_ref().map(|account| account.snapshot())
    }

    fn report(&self) -> Arc<str> {
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            mode: self.mode,
            now: clock::now().as_secs(),
            telemetry: self.telemetry.snapshot(),
            samples: self.samples.taken(),
            rules: self.rules(),
            store: self.store.stats(),
        };
        // Plain data under string keys: it always serialises.
        serde_json::to_string(&report).unwrap_or_default().into()
    }
}

/// `/healthz`: alive. Asks for no token.
pub fn health() -> Router {
    Router::new().route("/healthz", get(async || "ok\n"))
}

/// `/readyz` and `/metrics`.
pub fn router(status: Arc<Status>) -> Router {
    let metrics = Metrics {
        status: Arc::clone(&status),
        renders: Arc::new(Semaphore::new(RENDERS_MAX)),
    };
    let metrics = Router::new()
        .route("/metrics", get(self::metrics))
        .with_state(metrics);
    Router::new()
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
