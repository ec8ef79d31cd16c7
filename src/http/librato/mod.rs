//! The Librato-compatible receiver: `POST` of points to `/v1/metrics` and
//! `/v1/measurements`, `GET` of one name's points from both; what is said of metrics and
//! sources at `/v1/metrics` and `/v1/sources`; annotations at `/v1/annotations`; spaces and
//! their charts at `/v1/spaces`.
//!
//! Requests enter, answers leave; points, annotations and spaces are the store's. A request is stored whole
//! or refused whole, with the error body that Librato's clients know. Nothing here
//! authenticates; no rates are limited, and limits.rs says so to clients.
//!
//! Bounds: a body and bodies in memory, the time to send one, its parts (body.rs, form.rs),
//! the time to store one ([`STORE_TIME`]; 503), queries at work ([`READS_MAX`]; further ones
//! wait), rows and streams of an answer (rows.rs).

mod annotations;
mod body;
mod form;
mod limits;
mod metrics;
mod page;
mod path;
mod query;
mod read;
mod reply;
mod rows;
mod sources;
mod spaces;
#[cfg(test)]
mod tests;
mod write;

pub use limits::announce as announce_limits;

use crate::clock;
use crate::store::{NewPoint, PropertyChange, Store};
use crate::time::Timestamp;
use axum::body::Body;
use axum::extract::{OriginalUri, Query, Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router, middleware};
use body::{Bodies, Received};
use path::Named;
use reply::Refusal;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::error::Elapsed;
use tower_http::decompression::RequestDecompressionLayer;

/// How long a request waits for the disk before it is answered with 503.
pub const STORE_TIME: Duration = Duration::from_secs(30);
/// Queries that work at the same time.
pub const READS_MAX: usize = 8;

/// The routes under `/v1`. What is not there is answered with a JSON 404.
pub fn router(store: Store) -> Router {
    let receiver = Receiver {
        store,
        bodies: Arc::new(Bodies::default()),
        reads: Arc::new(Semaphore::new(READS_MAX)),
    };
    let routes = Router::new()
        .route("/metrics", post(post_metrics))
        .route("/measurements", post(post_measurements))
        .route("/metrics/{name}", get(get_metric))
        .route("/measurements/{name}", get(get_measurements))
        .merge(metrics::router())
        .merge(sources::router())
        .merge(annotations::router())
        .merge(spaces::router())
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_route)
        .layer(RequestDecompressionLayer::new().pass_through_unaccepted(true))
        .layer(middleware::map_response(close_after_failure))
        .with_state(receiver);
    // A nested router does not get what has nothing behind its slash.
    let bare = Router::new().route("/v1/", any(no_such_route));
    bare.nest("/v1", routes)
}

#[derive(Clone)]
struct Receiver {
    store: Store,
    bodies: Arc<Bodies>,
    reads: Arc<Semaphore>,
}

async fn post_metrics(State(receiver): State<Receiver>, request: Request) -> Response {
    let now = clock::now();
    match receiver
        .take(request, now, "measure_time", write::metrics)
        .await
    {
        // Exactly 200 and nothing in it: four clients compare.
        Ok(_) => (
            [(CONTENT_TYPE, "application/json"), (CONTENT_LENGTH, "0")],
            Body::empty(),
        )
            .into_response(),
        Err(mut refusal) => {
            if refusal.status.is_client_error() {
                refusal.body["request_time"] = now.as_secs().into();
            }
            refusal.into_response()
        }
    }
}

async fn post_measurements(State(receiver): State<Receiver>, request: Request) -> Response {
    match receiver
        .take(request, clock::now(), "time", write::measurements)
        .await
    {
        // One client looks for the bytes `"failed":0`, another for no `errors`.
        Ok(total) => {
            let summary = json!({"total": total, "accepted": total, "failed": 0, "filtered": 0});
            (
                StatusCode::ACCEPTED,
                Json(json!({"measurements": {"summary": summary}})),
            )
                .into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

type Pairs = Query<Vec<(String, String)>>;

async fn get_metric(
    State(receiver): State<Receiver>,
    Named(name): Named<String>,
    Query(query): Pairs,
) -> Response {
    receiver
        .answer(move |store| read::by_source(store, &name, &query, clock::now()))
        .await
}

async fn get_measurements(
    State(receiver): State<Receiver>,
    OriginalUri(uri): OriginalUri,
    Named(name): Named<String>,
    Query(query): Pairs,
) -> Response {
    receiver
        .answer(move |store| read::by_tags(store, &name, uri.path(), &query, clock::now()))
        .await
}

type Parse = fn(&Received<'_>, Timestamp) -> Result<Vec<NewPoint>, Refusal>;

impl Receiver {
    /// Reads, parses and stores a body; the number of points.
    async fn take(
        &self,
        request: Request,
        now: Timestamp,
        time_field: &str,
        parse: Parse,
    ) -> Result<u64, Refusal> {
        let body = self.bodies.read(request).await?;
        let points = match parse(&body, now) {
            Ok(points) => points,
            Err(refusal) => {
                self.store.count_refused(1);
                return Err(refusal);
            }
        };
        let written = tokio::time::timeout(STORE_TIME, self.store.write(points, now))
            .await
            .map_err(too_slow)?;
        written
            .map(|written| written.accepted)
            .map_err(|why| Refusal::from_store(why, time_field))
    }

    /// Makes a change to what is said of metrics or sources.
    async fn change_properties(&self, change: PropertyChange) -> Result<(), Refusal> {
        let change = self.store.change_properties(change, clock::now());
        let changed = tokio::time::timeout(STORE_TIME, change).await;
        changed.map_err(too_slow)?.map_err(Refusal::from)
    }

    async fn answer(
        &self,
        query: impl FnOnce(&Store) -> Result<Value, Refusal> + Send + 'static,
    ) -> Response {
        match self.look_up(query).await {
            Ok(answer) => Json(answer).into_response(),
            Err(refusal) => refusal.into_response(),
        }
    }

    /// Asks the store apart from the tasks that must not wait, a few at a time.
    async fn look_up<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Store) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let Ok(_permit) = self.reads.acquire().await else {
            return Err(Refusal::system("closed"));
        };
        let store = self.store.clone();
        let found = tokio::task::spawn_blocking(move || query(&store)).await;
        found.unwrap_or_else(|panicked| {
            tracing::error!("a query failed: {panicked}");
            let mut refusal = Refusal::system("the query failed");
            refusal.status = StatusCode::INTERNAL_SERVER_ERROR;
            Err(refusal)
        })
    }
}

/// 201 with the place of what was made, and itself.
fn created(place: String, body: Value) -> Response {
    (StatusCode::CREATED, [(LOCATION, place)], Json(body)).into_response()
}

fn too_slow(_: Elapsed) -> Refusal {
    let seconds = STORE_TIME.as_secs();
    Refusal::system(format!("the store took more than {seconds} s"))
}

async fn no_such_route(method: Method, OriginalUri(uri): OriginalUri) -> Refusal {
    Refusal::request(
        StatusCode::NOT_FOUND,
        format!(
            "{method} {} does not exist here. There are /v1/metrics, /v1/measurements, /v1/sources, /v1/annotations and /v1/spaces, and what is below them; no alerts",
            uri.path()
        ),
    )
}

/// The official Python client cannot retry on a connection whose answer it did not read.
async fn close_after_failure(mut response: Response) -> Response {
    if response.status().is_server_error() {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
