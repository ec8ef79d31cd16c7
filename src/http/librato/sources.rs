//! `/v1/sources`: the values of the tag `source`, and their names for people. Librato's API
//! reference, "Sources".
//!
//! A source is there while it has points or a name for people. One without either cannot
//! be made, and `null` for the name takes it away.

use super::annotations::display_name;
use super::page::Page;
use super::path::Named;
use super::query::{Query, escape, get as value_of};
use super::reply::Refusal;
use super::write::shorten;
use super::{Pairs, Receiver, created};
use crate::names;
use crate::store::{PropertyChange, Store};
use axum::Router;
use axum::extract::{Query as UrlQuery, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

pub fn router() -> Router<Receiver> {
    Router::new()
        .route("/sources", get(get_sources))
        .route("/sources/{name}", get(get_source).put(put_source))
}

async fn get_sources(State(receiver): State<Receiver>, UrlQuery(query): Pairs) -> Response {
    receiver.answer(move |store| list(store, &query)).await
}

async fn get_source(State(receiver): State<Receiver>, Named(name): Named<String>) -> Response {
    receiver
        .answer(move |store| {
            let source = find(store, &name);
            source.ok_or_else(|| Refusal::not_found(format!("no source is named '{name}'")))
        })
        .await
}

async fn put_source(
    State(receiver): State<Receiver>,
    Named(name): Named<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let body = receiver.bodies.read(request).await?;
    if !names::is_source(&name) {
        let message = format!("{} is not a valid source name", shorten(&name));
        return Err(Refusal::param("name", message));
    }
    let (said, display_name) = {
        let body = body.fields()?;
        (body.contains_key("display_name"), display_name(&body)?)
    };
    let before = receiver.look_up(by_name(&name)).await?;
    if before.is_none() && display_name.is_none() {
        return Err(Refusal::param("display_name", "is required"));
    }
    if said {
        let display_name = display_name.map(Into::into);
        let change = PropertyChange::DisplaySource {
            name: name.clone(),
            display_name,
        };
        receiver.change_properties(change).await?;
    }
    let after = receiver.look_up(by_name(&name)).await?;
    match (before, after) {
        (None, Some(source)) => {
            let place = format!("/v1/sources/{}", escape(&name));
            Ok(created(place, source))
        }
        _ => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

fn by_name(name: &str) -> impl FnOnce(&Store) -> Result<Option<Value>, Refusal> + Send + 'static {
    let name = name.to_owned();
    move |store| Ok(find(store, &name))
}

fn find(store: &Store, name: &str) -> Option<Value> {
    let mut sources = store.sources();
    sources.remove(&name.to_ascii_lowercase()).map(show)
}

/// All of them, or those with `name` in either of their names.
fn list(store: &Store, query: &Query) -> Result<Value, Refusal> {
    let page = Page::parse(query, "name")?;
    let part = value_of(query, "name").unwrap_or_default().to_lowercase();
    let sources = store.sources();
    let total = sources.len();
    let has_part = |display_name: &String| display_name.to_lowercase().contains(&part);
    let found = sources.into_iter().filter(|(lower, (_, display_name))| {
        lower.contains(&part) || display_name.as_ref().is_some_and(has_part)
    });
    let found = found.map(|(_, source)| source).collect();
    Ok(page.of("sources", found, total, show))
}

fn show((name, display_name): (String, Option<String>)) -> Value {
    json!({"name": name, "display_name": display_name})
}
