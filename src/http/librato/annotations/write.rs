//! Bodies of requests to changes of the store. Unknown keys are ignored, as on
//! `/v1/metrics`.

use crate::http::librato::reply::Refusal;
use crate::http::librato::write::{present, shorten, time};
use crate::metric::Annotation;
use crate::names;
use crate::store::{Change, Edit, Kept, Link};
use crate::time::Timestamp;
use axum::http::StatusCode;
use serde_json::{Map, Value};

/// Characters of a link's `rel`, which stands in a path.
const REL_MAX: usize = 255;
/// Characters of a stream's `display_name`. No document says; a source has as many.
const DISPLAY_NAME_MAX: usize = 255;
/// The last second that an annotation may end in: that of the store's last point.
const END_MAX: i64 = u32::MAX as i64 * 60;

/// `POST /v1/annotations/:stream`.
pub fn post(stream: &str, body: &[u8], now: Timestamp) -> Result<Change, Refusal> {
    if !names::is_stream(stream) {
        let name = shorten(stream);
        let message = format!("{name} is not a valid annotation stream name");
        return Err(Refusal::param("name", message));
    }
    let body = object(body)?;
    let title = title(&body)?.ok_or_else(|| Refusal::param("title", "is required"))?;
    let start = time(&body, "start_time")?.unwrap_or(now.as_secs());
    Ok(Change::Post {
        annotation: Annotation {
            stream: stream.into(),
            title,
            source: source(&body)?,
            description: text(&body, "description")?,
            start: Timestamp::from_secs(start),
            end: end(&body)?,
        },
        links: links(&body)?.unwrap_or_default(),
    })
}

/// `PUT /v1/annotations/:stream/:id`. `null` empties the description and the end.
pub fn edit(kept: &Kept, body: &[u8]) -> Result<Change, Refusal> {
    let body = object(body)?;
    // Whoever puts back what was read says these too; another value is another annotation.
    let Annotation { source, start, .. } = &kept.annotation;
    if time(&body, "start_time")?.is_some_and(|time| time != start.as_secs()) {
        return Err(Refusal::param("start_time", "cannot be changed"));
    }
    if present(&body, "source").is_some_and(|given| given.as_str() != source.as_deref()) {
        return Err(Refusal::param("source", "cannot be changed"));
    }
    let said = |field: &str| body.contains_key(field);
    let edit = Edit {
        title: title(&body)?,
        description: match said("description") {
            true => Some(text(&body, "description")?),
            false => None,
        },
        end: match said("end_time") {
            true => Some(end(&body)?),
            false => None,
        },
        links: links(&body)?,
    };
    Ok(Change::Edit {
        stream: kept.annotation.stream.clone(),
        id: kept.id,
        edit,
    })
}

/// `POST /v1/annotations/:stream/:id/links`.
pub fn link_of(body: &[u8]) -> Result<Link, Refusal> {
    link(&object(body)?)
}

/// `PUT /v1/annotations/:stream`: `None` when it is not said, `Some(None)` for `null`.
pub fn display_name(body: &[u8]) -> Result<Option<Option<Box<str>>>, Refusal> {
    let body = object(body)?;
    if !body.contains_key("display_name") {
        return Ok(None);
    }
    let name = text(&body, "display_name")?;
    match &name {
        Some(name) if !fits(name, DISPLAY_NAME_MAX) => {
            Err(Refusal::param("display_name", length(DISPLAY_NAME_MAX)))
        }
        _ => Ok(Some(name)),
    }
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(Refusal::request(
            StatusCode::BAD_REQUEST,
            "Unable to process JSON: an object is expected",
        )),
    }
}

fn title(body: &Map<String, Value>) -> Result<Option<Box<str>>, Refusal> {
    match text(body, "title")? {
        Some(title) if title.trim().is_empty() => Err(Refusal::param("title", "is required")),
        Some(title) if !fits(&title, names::TITLE_MAX) => {
            Err(Refusal::param("title", length(names::TITLE_MAX)))
        }
        title => Ok(title),
    }
}

fn source(body: &Map<String, Value>) -> Result<Option<Box<str>>, Refusal> {
    match text(body, "source")? {
        Some(source) if !names::is_source(&source) => {
            let source = shorten(&source);
            let message = format!("{source} is not a valid source name");
            Err(Refusal::param("source", message))
        }
        source => Ok(source),
    }
}

fn end(body: &Map<String, Value>) -> Result<Option<Timestamp>, Refusal> {
    match time(body, "end_time")? {
        Some(end) if end > END_MAX => Err(Refusal::param("end_time", "is too far in the future")),
        end => Ok(end.map(Timestamp::from_secs)),
    }
}

fn links(body: &Map<String, Value>) -> Result<Option<Vec<Link>>, Refusal> {
    let given = match present(body, "links") {
        None => return Ok(None),
        Some(Value::Array(given)) => given,
        Some(_) => return Err(Refusal::param("links", "must be an array")),
    };
    let each = given.iter().map(|given| match given {
        Value::Object(given) => link(given),
        _ => Err(Refusal::param("links", "must be an array of objects")),
    });
    each.collect::<Result<_, _>>().map(Some)
}

fn link(given: &Map<String, Value>) -> Result<Link, Refusal> {
    let required = |field: &str| match text(given, field)? {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(Refusal::param(field, "is required")),
    };
    let link = Link {
        rel: required("rel")?,
        href: required("href")?,
        label: text(given, "label")?,
    };
    match fits(&link.rel, REL_MAX) {
        true => Ok(link),
        false => Err(Refusal::param("rel", length(REL_MAX))),
    }
}

fn text(object: &Map<String, Value>, field: &str) -> Result<Option<Box<str>>, Refusal> {
    match present(object, field) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str().into())),
        Some(_) => Err(Refusal::param(field, "must be a string")),
    }
}

fn fits(text: &str, max: usize) -> bool {
    text.chars().nth(max).is_none()
}

fn length(max: usize) -> String {
    format!("must be at most {max} characters")
}
