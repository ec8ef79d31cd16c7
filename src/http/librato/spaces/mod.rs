//! `/v1/spaces`: named collections of charts, for whoever draws them. Librato's API
//! reference, "Spaces" and "Charts".
//!
//! Choices where no document says: names of spaces compare without case, and a second space
//! of a name is a 422; a chart has a name; what a chart or a stream says beside the keys of
//! the API is ignored; `null` takes a property away; `PUT` of `streams` replaces all of them,
//! and one that names the id of a stream that is there keeps it. A stream may name a metric
//! that there is not yet.

mod chart;
mod read;
#[cfg(test)]
mod tests;
mod write;

use super::path::Named;
use super::reply::Refusal;
use super::{Pairs, Receiver, STORE_TIME, created, too_slow};
use crate::clock;
use crate::store::{Arranged, Chart, Shelf, Space, SpaceChange};
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;
use std::sync::Arc;

pub fn router() -> Router<Receiver> {
    Router::new()
        .route("/spaces", get(get_spaces).post(post_space))
        .route(
            "/spaces/{space}",
            get(get_space).put(put_space).delete(delete_space),
        )
        .route("/spaces/{space}/charts", get(get_charts).post(post_chart))
        .route(
            "/spaces/{space}/charts/{chart}",
            get(get_chart).put(put_chart).delete(delete_chart),
        )
}

async fn get_spaces(State(receiver): State<Receiver>, Query(query): Pairs) -> Response {
    receiver
        .answer(move |store| read::spaces(&store.shelf(), &query))
        .await
}

async fn post_space(
    State(receiver): State<Receiver>,
    request: Request,
) -> Result<Response, Refusal> {
    let body = receiver.bodies.read(request).await?;
    let space = receiver.make_space(write::space(&body)?).await?;
    let place = format!("/v1/spaces/{}", space.id);
    Ok(created(place, read::space(&space)))
}

async fn get_space(
    State(receiver): State<Receiver>,
    Named(space): Named<String>,
) -> Result<Json<Value>, Refusal> {
    let shelf = receiver.store.shelf();
    let space = read::find(&shelf, &space)?;
    Ok(Json(read::space_with_charts(space, &shelf)))
}

async fn put_space(
    State(receiver): State<Receiver>,
    Named(space): Named<String>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let body = receiver.bodies.read(request).await?;
    let id = receiver.space_id(&space)?;
    receiver.make_space(write::space_edit(id, &body)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_space(
    State(receiver): State<Receiver>,
    Named(space): Named<String>,
) -> Result<StatusCode, Refusal> {
    let id = receiver.space_id(&space)?;
    receiver.arrange(SpaceChange::Remove { id }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn get_charts(State(receiver): State<Receiver>, Named(space): Named<String>) -> Response {
    receiver
        .answer(move |store| {
            let shelf = store.shelf();
            let charts = shelf.charts_of(read::find(&shelf, &space)?.id);
            Ok(charts.map(|chart| read::chart(chart, store)).collect())
        })
        .await
}

async fn post_chart(
    State(receiver): State<Receiver>,
    Named(space): Named<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let body = receiver.bodies.read(request).await?;
    let space = receiver.space_id(&space)?;
    let chart = receiver.make_chart(write::chart(space, &body)?).await?;
    let place = format!("/v1/spaces/{space}/charts/{}", chart.id);
    Ok(created(place, read::chart(&chart, &receiver.store)))
}

async fn get_chart(
    State(receiver): State<Receiver>,
    Named((space, chart)): Named<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let shelf = receiver.store.shelf();
    let chart = read::find_chart(&shelf, &space, &chart)?;
    Ok(Json(read::chart(chart, &receiver.store)))
}

async fn put_chart(
    State(receiver): State<Receiver>,
    Named((space, chart)): Named<(String, String)>,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let body = receiver.bodies.read(request).await?;
    let known = receiver.chart(&space, &chart)?;
    let change = write::chart_edit(known.space, known.id, &body)?;
    let chart = receiver.make_chart(change).await?;
    Ok(Json(read::chart(&chart, &receiver.store)))
}

async fn delete_chart(
    State(receiver): State<Receiver>,
    Named((space, chart)): Named<(String, String)>,
) -> Result<StatusCode, Refusal> {
    let chart = receiver.chart(&space, &chart)?;
    let (space, id) = (chart.space, chart.id);
    receiver
        .arrange(SpaceChange::RemoveChart { space, id })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Receiver {
    fn shelf(&self) -> Arc<Shelf> {
        self.store.shelf()
    }

    fn space_id(&self, space: &str) -> Result<u64, Refusal> {
        read::find(&self.shelf(), space).map(|space| space.id)
    }

    fn chart(&self, space: &str, chart: &str) -> Result<Arc<Chart>, Refusal> {
        read::find_chart(&self.shelf(), space, chart).cloned()
    }

    async fn make_space(&self, change: SpaceChange) -> Result<Arc<Space>, Refusal> {
        match self.arrange(change).await? {
            Arranged::Space(space) => Ok(space),
            Arranged::Chart(_) | Arranged::Gone => Err(not_kept("space")),
        }
    }

    async fn make_chart(&self, change: SpaceChange) -> Result<Arc<Chart>, Refusal> {
        match self.arrange(change).await? {
            Arranged::Chart(chart) => Ok(chart),
            Arranged::Space(_) | Arranged::Gone => Err(not_kept("chart")),
        }
    }

    async fn arrange(&self, change: SpaceChange) -> Result<Arranged, Refusal> {
        let change = self.store.arrange(change, clock::now());
        let arranged = tokio::time::timeout(STORE_TIME, change).await;
        arranged.map_err(too_slow)?.map_err(Refusal::from)
    }
}

fn not_kept(what: &str) -> Refusal {
    Refusal::system(format!("the store has not kept the {what}"))
}
