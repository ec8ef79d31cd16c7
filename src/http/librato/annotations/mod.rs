//! `/v1/annotations`: streams of things that happened. Librato's API reference,
//! "Annotations".
//!
//! Choices where no document says: a stream is named as a metric is; an annotation that
//! is posted again (see the store) is answered with 201 as at first; `PUT` cannot move
//! one to another source or start; a second link of one `rel` is a 422; `PUT` of a stream
//! with its `name` in the body is answered with the stream instead of 204.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use write::display_name;

use super::path::Named;
use super::query::escape;
use super::reply::Refusal;
use super::{Pairs, Receiver, STORE_TIME, created, too_slow};
use crate::clock;
use crate::store::{Change, Kept};
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::Value;
use std::sync::Arc;

pub fn router() -> Router<Receiver> {
    Router::new()
        .route("/annotations", get(get_streams))
        .route(
            "/annotations/{stream}",
            get(get_stream)
                .post(post_annotation)
                .put(put_stream)
                .delete(delete_stream),
        )
        .route(
            "/annotations/{stream}/{id}",
            get(get_annotation)
                .put(put_annotation)
                .delete(delete_annotation),
        )
        .route("/annotations/{stream}/{id}/links", post(post_link))
        .route(
            "/annotations/{stream}/{id}/links/{rel}",
            delete(delete_link),
        )
}

async fn get_streams(State(receiver): State<Receiver>, Query(query): Pairs) -> Response {
    receiver
        .answer(move |store| read::streams(&store.annotation_book(), &query))
        .await
}

async fn get_stream(
    State(receiver): State<Receiver>,
    Named(stream): Named<String>,
    Query(query): Pairs,
) -> Response {
    receiver
        .answer(move |store| read::stream(&store.annotation_book(), &stream, &query, clock::now()))
        .await
}

async fn get_annotation(
    State(receiver): State<Receiver>,
    Named((stream, id)): Named<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let kept = receiver.find(&stream, &id)?;
    Ok(Json(read::annotation(&kept)))
}

async fn post_annotation(
    State(receiver): State<Receiver>,
    Named(stream): Named<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let body = receiver.bodies.read(request).await?;
    let change = write::post(&stream, &body, clock::now());
    let change = change.inspect_err(|_| receiver.store.count_refused_annotation())?;
    let kept = receiver.make(change).await?;
    let place = place(&kept.annotation.stream, kept.id);
    Ok(created(place, read::annotation(&kept)))
}

async fn put_annotation(
    State(receiver): State<Receiver>,
    Named((stream, id)): Named<(String, String)>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let body = receiver.bodies.read(request).await?;
    let kept = receiver.find(&stream, &id)?;
    receiver.change(write::edit(&kept, &body)?).await
}

async fn delete_annotation(
    State(receiver): State<Receiver>,
    Named((stream, id)): Named<(String, String)>,
) -> Result<StatusCode, Refusal> {
    let (id, stream) = (receiver.find(&stream, &id)?.id, stream.into());
    receiver.change(Change::Remove { stream, id }).await
}

async fn post_link(
    State(receiver): State<Receiver>,
    Named((stream, id)): Named<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let body = receiver.bodies.read(request).await?;
    let link = write::link_of(&body)?;
    let answer = read::link(&link);
    let kept = receiver.find(&stream, &id)?;
    let place = place(&kept.annotation.stream, kept.id);
    let place = format!("{place}/links/{}", escape(&link.rel));
    let (stream, id) = (stream.into(), kept.id);
    receiver.make(Change::AddLink { stream, id, link }).await?;
    Ok(created(place, answer))
}

async fn delete_link(
    State(receiver): State<Receiver>,
    Named((stream, id, rel)): Named<(String, String, String)>,
) -> Result<StatusCode, Refusal> {
    let id = receiver.find(&stream, &id)?.id;
    let (stream, rel) = (stream.into(), rel.into());
    receiver
        .change(Change::RemoveLink { stream, id, rel })
        .await
}

async fn put_stream(
    State(receiver): State<Receiver>,
    Named(stream): Named<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let body = receiver.bodies.read(request).await?;
    read::known(&receiver.store.annotation_book(), &stream)?;
    let edit = write::StreamEdit::read(&body)?;
    if let Some(name) = edit.display_name {
        let stream = stream.as_str().into();
        receiver.change(Change::Display { stream, name }).await?;
    }
    if !edit.asks_back {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let book = receiver.store.annotation_book();
    let properties = read::properties(read::known(&book, &stream)?);
    Ok(Json(properties).into_response())
}

async fn delete_stream(
    State(receiver): State<Receiver>,
    Named(stream): Named<String>,
) -> Result<StatusCode, Refusal> {
    let stream = stream.into();
    receiver.change(Change::RemoveStream { stream }).await
}

impl Receiver {
    fn find(&self, stream: &str, id: &str) -> Result<Arc<Kept>, Refusal> {
        read::find(&self.store.annotation_book(), stream, id)
    }

    /// Makes a change that is answered without a body.
    async fn change(&self, change: Change) -> Result<StatusCode, Refusal> {
        self.store_change(change).await?;
        Ok(StatusCode::NO_CONTENT)
    }

    /// Makes a change that leaves an annotation.
    async fn make(&self, change: Change) -> Result<Arc<Kept>, Refusal> {
        let kept = self.store_change(change).await?;
        kept.ok_or_else(|| Refusal::system("the store has not kept the annotation"))
    }

    async fn store_change(&self, change: Change) -> Result<Option<Arc<Kept>>, Refusal> {
        let change = self.store.annotate(change, clock::now());
        let changed = tokio::time::timeout(STORE_TIME, change).await;
        changed.map_err(too_slow)?.map_err(Refusal::from)
    }
}

fn place(stream: &str, id: u64) -> String {
    format!("/v1/annotations/{}/{id}", escape(stream))
}
