//! Bodies of requests to changes of the store.

use super::chart::{self, text};
use crate::http::librato::body::Received;
use crate::http::librato::reply::Refusal;
use crate::http::librato::write::present;
use crate::store::{ChartEdit, SpaceChange};
use serde_json::{Map, Value};

/// `POST /v1/spaces`.
pub fn space(body: &Received<'_>) -> Result<SpaceChange, Refusal> {
    let body = body.fields()?;
    Ok(SpaceChange::Make {
        name: required_name(&body)?,
        tags: chart::flag(&body, "tags")?,
    })
}

/// `PUT /v1/spaces/:id`.
pub fn space_edit(id: u64, body: &Received<'_>) -> Result<SpaceChange, Refusal> {
    let body = body.fields()?;
    Ok(SpaceChange::Edit {
        id,
        name: name(&body)?,
        tags: chart::flag(&body, "tags")?,
    })
}

/// `POST /v1/spaces/:id/charts`.
pub fn chart(space: u64, body: &Received<'_>) -> Result<SpaceChange, Refusal> {
    let body = body.fields()?;
    let mut attributes = chart::attributes(&body)?;
    attributes.entry("type").or_insert("line".into());
    Ok(SpaceChange::AddChart {
        space,
        name: required_name(&body)?,
        attributes,
        streams: chart::streams(&body)?.unwrap_or_default(),
    })
}

/// `PUT /v1/spaces/:id/charts/:chart`.
pub fn chart_edit(space: u64, id: u64, body: &Received<'_>) -> Result<SpaceChange, Refusal> {
    let body = body.fields()?;
    let edit = ChartEdit {
        name: name(&body)?,
        attributes: chart::attributes(&body)?,
        streams: chart::streams(&body)?,
    };
    Ok(SpaceChange::EditChart { space, id, edit })
}

fn required_name(body: &Map<String, Value>) -> Result<Box<str>, Refusal> {
    name(body)?.ok_or_else(|| Refusal::param("name", "is required"))
}

fn name(body: &Map<String, Value>) -> Result<Option<Box<str>>, Refusal> {
    match present(body, "name") {
        None => Ok(None),
        Some(given) => match text(given, "name")?.trim() {
            "" => Err(Refusal::param("name", "is required")),
            name => Ok(Some(name.into())),
        },
    }
}
