//! Bodies of requests to changes of the store. Unknown keys are ignored, as on
//! `/v1/metrics`.

use crate::http::librato::body::Received;
use crate::http::librato::reply::Refusal;
use crate::http::librato::write::{present, shorten, time};
use crate::metric::Annotation;
use crate::names;
use crate::store::{Change, Edit, Kept, Link};
use crate::time::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Characters of a link's `rel`, which stands in a path.
const REL_MAX: usize = 255;
/// Characters of a `display_name`. A source has as many; of a stream no document says.
const DISPLAY_NAME_MAX: usize = 255;
/// The last second that an annotation may end in: that of the store's last point.
const END_MAX: i64 = u32::MAX as i64 * 60;

/// `POST /v1/annotations/:stream`.
pub fn post(stream: &str, body: &Received<'_>, now: Timestamp) -> Result<Change, Refusal> {
    if !names::is_stream(stream) {
        let name = shorten(stream);
        let message = format!("{name} is not a valid annotation stream name");
        return Err(Refusal::param("name", message));
    }
    let body = body.fields()?;
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
pub fn edit(kept: &Kept, body: &Received<'_>) -> Result<Change, Refusal> {
    let body = body.fields()?;
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
pub fn link_of(body: &Received<'_>) -> Result<Link, Refusal> {
    link(&body.fields()?)
}

/// `PUT /v1/annotations/:stream`.
pub struct StreamEdit {
    /// `None` when it is not said, `Some(None)` for `null`.
    pub display_name: Option<Option<Box<str>>>,
    /// The Python client says the stream's name as well, and reads a stream from the answer.
    pub asks_back: bool,
}

impl StreamEdit {
    pub fn read(body: &Received<'_>) -> Result<StreamEdit, Refusal> {
        let body = body.fields()?;
        let display_name = match body.contains_key("display_name") {
            true => Some(display_name(&body)?),
            false => None,
        };
        Ok(StreamEdit {
            display_name,
            asks_back: present(&body, "name").is_some(),
        })
    }
}

/// A name for people, of a stream or a source.
pub fn display_name(body: &Map<String, Value>) -> Result<Option<Box<str>>, Refusal> {
    let name = text(body, "display_name")?;
    match &name {
        Some(name) if !fits(name, DISPLAY_NAME_MAX) => {
            Err(Refusal::param("display_name", length(DISPLAY_NAME_MAX)))
        }
        _ => Ok(name),
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
    let given: Vec<&Value> = match present(body, "links") {
        None => return Ok(None),
        Some(Value::Array(given)) => given.iter().collect(),
        // `links[0][rel]=...`: a form numbers them.
        Some(Value::Object(given)) if !given.is_empty() => {
            let numbered = given.iter();
            let numbered = numbered.map(|(key, link)| Some((key.parse().ok()?, link)));
            let numbered: Option<BTreeMap<u32, &Value>> = numbered.collect();
            let numbered = numbered.ok_or_else(|| Refusal::param("links", "must be an array"))?;
            numbered.into_values().collect()
        }
        Some(_) => return Err(Refusal::param("links", "must be an array")),
    };
    let each = given.into_iter().map(|given| match given {
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
