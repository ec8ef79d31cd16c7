//! What the page reads, under `/api/v1`: snapshots as JSON, and a stream of them.
//!
//! The list of services is the costly one, and every open page wants it after every
//! change: it is made once per change and shared by all clients, and never takes more
//! than a tenth of the time however large the store is.
//!
//! Bounds: streams ([`LIVE_MAX`], [`LIVE_SHARE`] of them to one address; 503), queries at work ([`READS_MAX`]; further ones
//! wait), events waiting for a slow client ([`EVENTS_MAX`]; it misses what it is too
//! slow for and then gets the newest).

use super::connections::Peer;
use super::room::{Full, Place, Room};
use crate::breakdown::Hosts;
use crate::clock;
use crate::dashboard::{self, NotFound};
use crate::rare::Rare;
use crate::rejects::Samples;
use crate::store::{ReadError, SeriesId, Store};
use crate::time::Timestamp;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Pages that are live at the same time.
pub const LIVE_MAX: usize = 64;
/// Of these, of one address.
pub const LIVE_SHARE: usize = 48;
/// Queries that work at the same time.
pub const READS_MAX: usize = 8;
/// Events that wait for one client.
const EVENTS_MAX: usize = 4;
/// Between two rounds of events.
const PACE: Duration = Duration::from_secs(1);
/// After this the list of services is made anew although nothing has come: its
/// sparklines move on.
const STALE: Duration = Duration::from_secs(5);
/// Seconds of a chart when its range is not given.
const CHART_RANGE: i64 = 1800;

/// The routes under `/api/v1`. `pipeline` holds the JSON of the pipeline's health; the
/// streams end with `shutdown`, since a server that waits for them would never stop.
pub fn router(
    store: Store,
    samples: Arc<Samples>,
    hosts: Arc<Hosts>,
    pipeline: watch::Receiver<Arc<str>>,
    shutdown: CancellationToken,
) -> Router {
    let api = Api {
        shared: Arc::new(Shared {
            reads: Semaphore::new(READS_MAX),
            live: Room::new(LIVE_MAX, LIVE_SHARE),
            list: Mutex::new(None),
            list_failed: Rare::default(),
            pipeline,
            shutdown,
            store,
            samples,
            hosts,
        }),
    };
    let routes = Router::new()
        .route("/services", get(services))
        .route("/services/{service}", get(service))
        .route("/breakdown", get(breakdown))
        .route("/hosts", get(sending_hosts))
        .route("/series", get(series))
        .route("/points", get(points))
        .route("/pipeline", get(pipeline_health))
        .route("/rejects", get(rejects))
        .route("/live", get(live))
        .fallback(async || problem(StatusCode::NOT_FOUND, "no such path"))
        .with_state(api);
    Router::new().nest("/api/v1", routes)
}

#[derive(Clone)]
struct Api {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    samples: Arc<Samples>,
    hosts: Arc<Hosts>,
    reads: Semaphore,
    live: Arc<Room>,
    list: Mutex<Option<List>>,
    /// Every open page asks for the list once a second.
    list_failed: Rare,
    pipeline: watch::Receiver<Arc<str>>,
    shutdown: CancellationToken,
}

/// The list of services as it was at one change of the store.
#[derive(Clone)]
struct List {
    body: Arc<str>,
    version: u64,
    /// See [`dashboard::others_touched`].
    others: u64,
    made: Timestamp,
    took: Duration,
}

impl List {
    fn is_fresh(&self, version: u64, now: Timestamp) -> bool {
        // The clock may have been set back since.
        let age = if now < self.made {
            Duration::MAX
        } else {
            now.saturating_since(self.made)
        };
        age < PACE.max(self.took * 10) || (version == self.version && age < STALE)
    }
}

async fn services(State(api): State<Api>) -> Response {
    match api.list().await {
        Ok(list) => body(list.body),
        Err(why) => problem(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

#[derive(Deserialize)]
struct ChartQuery {
    rule: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
}

/// The span of a chart.
fn range(from: Option<i64>, to: Option<i64>, now: Timestamp) -> Result<(i64, i64), &'static str> {
    // Any time of the store's, and small enough to calculate with.
    let possible = |time: i64| time.clamp(0, i64::from(u32::MAX));
    let to = possible(to.unwrap_or(now.as_secs()));
    let from = possible(from.unwrap_or(to - CHART_RANGE));
    match from <= to {
        true => Ok((from, to)),
        false => Err("`from` must not be after `to`"),
    }
}

async fn service(
    State(api): State<Api>,
    Path(service): Path<String>,
    query: Result<Query<ChartQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(why) => return problem(StatusCode::BAD_REQUEST, &why.body_text()),
    };
    match range(query.from, query.to, clock::now()) {
        Ok((from, to)) => {
            api.answer(move |store| {
                dashboard::service(store, &service, query.rule.as_deref(), from, to)
            })
            .await
        }
        Err(why) => problem(StatusCode::BAD_REQUEST, why),
    }
}

#[derive(Deserialize)]
struct BreakdownQuery {
    service: String,
    from: Option<i64>,
    to: Option<i64>,
}

async fn breakdown(
    State(api): State<Api>,
    query: Result<Query<BreakdownQuery>, QueryRejection>,
) -> Response {
    let BreakdownQuery { service, from, to } = match query {
        Ok(Query(query)) => query,
        Err(why) => return problem(StatusCode::BAD_REQUEST, &why.body_text()),
    };
    let now = clock::now();
    match range(from, to, now) {
        Ok((from, to)) => {
            api.answer(move |store| dashboard::breakdown(store, &service, from, to, now))
                .await
        }
        Err(why) => problem(StatusCode::BAD_REQUEST, why),
    }
}

/// From which hosts lines come.
async fn sending_hosts(State(api): State<Api>) -> Response {
    body(to_json(&api.shared.hosts.view(clock::now().as_secs())))
}

#[derive(Deserialize)]
struct SeriesQuery {
    #[serde(default)]
    search: String,
}

async fn series(
    State(api): State<Api>,
    query: Result<Query<SeriesQuery>, QueryRejection>,
) -> Response {
    match query {
        Ok(Query(query)) => {
            api.answer(move |store| Ok(dashboard::series(store, &query.search, clock::now())?))
                .await
        }
        Err(why) => problem(StatusCode::BAD_REQUEST, &why.body_text()),
    }
}

#[derive(Deserialize)]
struct PointsQuery {
    id: SeriesId,
    from: Option<i64>,
    to: Option<i64>,
}

async fn points(
    State(api): State<Api>,
    query: Result<Query<PointsQuery>, QueryRejection>,
) -> Response {
    let PointsQuery { id, from, to } = match query {
        Ok(Query(query)) => query,
        Err(why) => return problem(StatusCode::BAD_REQUEST, &why.body_text()),
    };
    match range(from, to, clock::now()) {
        Ok((from, to)) => {
            api.answer(move |store| dashboard::chart(store, id, from, to))
                .await
        }
        Err(why) => problem(StatusCode::BAD_REQUEST, why),
    }
}

async fn pipeline_health(State(api): State<Api>) -> Response {
    body(api.shared.pipeline.borrow().clone())
}

/// Samples of rejected lines. They are only here: the stream's news would be large.
async fn rejects(State(api): State<Api>) -> Response {
    body(to_json(&json!({ "samples": api.shared.samples.view() })))
}

async fn live(State(api): State<Api>, Extension(peer): Extension<Peer>) -> Response {
    let place = match api.shared.live.enter(peer.0) {
        Ok(place) => place,
        Err(full) => {
            let (pages, whose) = match full {
                Full::All => (LIVE_MAX, ""),
                Full::Share => (LIVE_SHARE, " of your address"),
            };
            let why = format!("{pages} pages{whose} are live already; close one");
            return problem(StatusCode::SERVICE_UNAVAILABLE, &why);
        }
    };
    let (events, queue) = mpsc::channel(EVENTS_MAX);
    tokio::spawn(api.send_events(events, place));
    Sse::new(ReceiverStream::new(queue).map(Ok::<_, Infallible>)).into_response()
}

impl Api {
    /// Until the client is gone or the server stops.
    async fn send_events(self, events: mpsc::Sender<Event>, _place: Place) {
        let mut ticks = tokio::time::interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut version, mut others) = (None, None);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = events.closed() => return,
                _ = self.shared.shutdown.cancelled() => return,
            }
            // A client that reads nothing must neither stop this task nor fill memory.
            if events.capacity() < 3 {
                continue;
            }
            let mut round = Vec::new();
            match self.list().await {
                Ok(list) => {
                    if version.replace(list.version) != Some(list.version) {
                        round.push(Event::default().event("services").data(&*list.body));
                    }
                    if others
                        .replace(list.others)
                        .is_some_and(|before| before != list.others)
                    {
                        round.push(Event::default().event("series").data(r#"{"changed":true}"#));
                    }
                }
                Err(why) => {
                    if let Some(times) = self.shared.list_failed.pass(1) {
                        tracing::warn!(times, "no list of services: {why}");
                    }
                }
            }
            let health = self.shared.pipeline.borrow().clone();
            round.push(Event::default().event("pipeline").data(&*health));
            for event in round {
                if events.try_send(event).is_err() {
                    return;
                }
            }
        }
    }

    /// The list of services, made anew when it is due. Whoever asks meanwhile waits for
    /// the same one.
    async fn list(&self) -> Result<List, String> {
        let mut list = self.shared.list.lock().await;
        let version = *self.shared.store.changes().borrow();
        let made = clock::now();
        if let Some(list) = list.as_ref().filter(|list| list.is_fresh(version, made)) {
            return Ok(list.clone());
        }
        let store = self.shared.store.clone();
        let make = move || -> Result<(Arc<str>, u64), ReadError> {
            let services = dashboard::services(&store, made)?;
            Ok((
                to_json(&services),
                dashboard::others_touched(&store.series()),
            ))
        };
        let made_list = tokio::task::spawn_blocking(make)
            .await
            .map_err(|panicked| panicked.to_string())?;
        let (body, others) = made_list.map_err(|why| why.to_string())?;
        let took = clock::now().saturating_since(made);
        Ok(list
            .insert(List {
                body,
                version,
                others,
                made,
                took,
            })
            .clone())
    }

    async fn answer<T: Serialize>(
        &self,
        query: impl FnOnce(&Store) -> Result<T, NotFound> + Send + 'static,
    ) -> Response {
        let Ok(_permit) = self.shared.reads.acquire().await else {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "closed");
        };
        let store = self.shared.store.clone();
        let answer =
            tokio::task::spawn_blocking(move || query(&store).map(|answer| to_json(&answer))).await;
        match answer {
            Ok(Ok(json)) => body(json),
            Ok(Err(why @ NotFound::Read(_))) => {
                problem(StatusCode::SERVICE_UNAVAILABLE, &why.to_string())
            }
            Ok(Err(why)) => problem(StatusCode::NOT_FOUND, &why.to_string()),
            Err(panicked) => problem(StatusCode::INTERNAL_SERVER_ERROR, &panicked.to_string()),
        }
    }
}

fn to_json(answer: &impl Serialize) -> Arc<str> {
    // Structs with string keys always have a JSON form.
    serde_json::to_string(answer).unwrap_or_default().into()
}

fn body(json: Arc<str>) -> Response {
    (
        [
            (CONTENT_TYPE, "application/json"),
            (CACHE_CONTROL, "no-store"),
        ],
        json.to_string(),
    )
        .into_response()
}

fn problem(status: StatusCode, what: &str) -> Response {
    (
        status,
        [(CACHE_CONTROL, "no-store")],
        Json(json!({"error": what})),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy::Reject;
    use crate::rejects::{Rejects, Takers};
    use crate::store::{Kind, NewPoint, Options, SeriesInfo, Summary, TagMap};
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use serde_json::Value;
    use tempfile::TempDir;
    use tower::ServiceExt;

    struct Server {
        _dir: TempDir,
        store: Store,
        router: Router,
        _pipeline: watch::Sender<Arc<str>>,
        shutdown: CancellationToken,
    }

    impl Server {
        fn new() -> Server {
            let dir = TempDir::new().unwrap();
            let store = Store::open(dir.path(), Options::default()).unwrap();
            let (pipeline, health) = watch::channel(Arc::from(r#"{"mode":"serve"}"#));
            let shutdown = CancellationToken::new();
            let takers = Takers::default();
            let mut rejects = Rejects::default();
            rejects.push(Timestamp::from_secs(7), b"<b>\n", 4, Reject::NotTraffic);
            rejects.hand_over(&takers);
            let router = router(
                store.clone(),
                takers.samples,
                Arc::default(),
                health,
                shutdown.clone(),
            );
            Server {
                _dir: dir,
                store,
                router,
                _pipeline: pipeline,
                shutdown,
            }
        }

        async fn write(&self, name: &str, tag: (&str, &str), value: f64) {
            let point = NewPoint {
                series: SeriesInfo {
                    name: name.into(),
                    tags: TagMap::from([(tag.0.into(), tag.1.into())]),
                },
                kind: Kind::Gauge,
                time: clock::now().as_secs() - 10,
                summary: Summary::value(value),
                period: Some(10),
                description: None,
            };
            self.store.write(vec![point], clock::now()).await.unwrap();
        }

        async fn live(&self, peer: [u8; 4]) -> Response {
            let request = Request::get("/api/v1/live").extension(Peer(peer.into()));
            let request = request.body(Body::empty()).unwrap();
            self.router.clone().oneshot(request).await.unwrap()
        }

        async fn get(&self, path: &str) -> (u16, Value) {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = self.router.clone().oneshot(request).await.unwrap();
            let status = response.status().as_u16();
            (
                status,
                serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap())
                    .unwrap(),
            )
        }
    }

    #[tokio::test]
    async fn each_path_answers_with_json_and_so_does_each_mistake() {
        let server = Server::new();
        server.write("http.rate", ("service", "users"), 5.0).await;
        server.write("disk.free", ("source", "db-1"), 7.0).await;
        let (_, services) = server.get("/api/v1/services").await;
        assert_eq!(services["services"][0]["service"], "users");
        assert_eq!(services["services"][0]["severity"], "ok");
        assert_eq!(services["services"][0]["p95"], Value::Null);
        let (_, users) = server.get("/api/v1/services/users?rule=http").await;
        assert_eq!(
            users["times"].as_array().unwrap().len(),
            users["series"]["rate"].as_array().unwrap().len()
        );
        let (_, list) = server.get("/api/v1/series?search=DISK").await;
        assert_eq!(
            (&list["total"], &list["series"][0]["value"]),
            (&json!(1), &json!(7.0))
        );
        let id = &list["series"][0]["id"];
        let (_, chart) = server.get(&format!("/api/v1/points?id={id}")).await;
        assert!(chart["values"].as_array().unwrap().contains(&json!(7.0)));
        let (_, rejects) = server.get("/api/v1/rejects").await;
        assert_eq!(
            rejects["samples"],
            json!({"not_traffic": [{
                "received_at": 7,
                "why": Reject::NotTraffic.to_string(),
                "before": "<b>\\n",
                "stuck": null,
                "after": "",
                "left_out_before": 0,
                "left_out_after": 0,
            }]})
        );
        assert_eq!(
            server.get("/api/v1/pipeline").await.1,
            json!({"mode": "serve"})
        );
        for (path, status) in [
            ("/api/v1/services/nobody", 404),
            ("/api/v1/services/users?rule=tcp", 404),
            ("/api/v1/services/users?from=9&to=3", 400),
            ("/api/v1/services/users?from=x", 400),
            (
                "/api/v1/services/users?from=-9223372036854775808&to=9223372036854775807",
                200,
            ),
            ("/api/v1/points?id=99", 404),
            ("/api/v1/points", 400),
            ("/api/v1/nothing", 404),
        ] {
            let (found, body) = server.get(path).await;
            assert_eq!(found, status, "{path}");
            assert_eq!(body["error"].is_string(), status != 200, "{path}: {body}");
        }
    }

    /// Reads events until `wanted` have come; their names.
    async fn events(body: Body, wanted: usize) -> (Vec<String>, axum::body::BodyDataStream) {
        let mut chunks = body.into_data_stream();
        let mut text = String::new();
        let names = |text: &str| {
            text.lines()
                .filter_map(|line| line.strip_prefix("event: ").map(String::from))
                .collect::<Vec<_>>()
        };
        while names(&text).len() < wanted {
            match chunks.next().await {
                Some(chunk) => text += std::str::from_utf8(&chunk.unwrap()).unwrap(),
                None => break,
            }
        }
        (names(&text), chunks)
    }

    #[tokio::test]
    async fn a_stream_begins_with_everything_and_ends_at_shutdown() {
        let server = Server::new();
        server.write("http.rate", ("service", "users"), 5.0).await;
        let response = server.live([127, 0, 0, 1]).await;
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        let (names, mut rest) = events(response.into_body(), 2).await;
        assert_eq!(names, ["services", "pipeline"]);
        server.shutdown.cancel();
        while rest.next().await.is_some() {}
    }

    #[tokio::test]
    async fn pages_beyond_a_bound_are_turned_away_until_one_closes() {
        let server = Server::new();
        let (one, other) = ([192, 0, 2, 1], [192, 0, 2, 2]);
        let mut open = Vec::new();
        for (peer, pages) in [(one, LIVE_SHARE), (other, LIVE_MAX - LIVE_SHARE)] {
            for _ in 0..pages {
                let response = server.live(peer).await;
                assert_eq!(response.status(), StatusCode::OK);
                open.push(response);
            }
            let response = server.live(peer).await;
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
        open.pop();
        while server.live(other).await.status() != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn a_list_is_kept_while_nothing_changes_and_costs_at_most_a_tenth_of_the_time() {
        let at = |seconds: i64| Timestamp::from_secs(1_000 + seconds);
        let list = |took| List {
            body: "".into(),
            version: 7,
            others: 0,
            made: at(0),
            took: Duration::from_secs(took),
        };
        for (took, version, seconds, fresh) in [
            (0, 7, 4, true),
            (0, 7, 5, false),
            (0, 8, 0, true),
            (0, 8, 1, false),
            (1, 8, 9, true),
            (1, 8, 10, false),
            (0, 7, -1, false),
        ] {
            assert_eq!(
                list(took).is_fresh(version, at(seconds)),
                fresh,
                "{took} {version} {seconds}"
            );
        }
    }
}
