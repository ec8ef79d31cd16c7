//! The book of annotations to answers.

use crate::http::librato::page::Page;
use crate::http::librato::query::{Query, get, int, matches, positive};
use crate::http::librato::reply::Refusal;
use crate::metric::Annotation;
use crate::names;
use crate::store::{Book, ChangeError, Kept, Link, Stream};
use crate::time::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `GET /v1/annotations`: the streams, or those with `name` in theirs.
pub fn streams(book: &Book, query: &Query) -> Result<Value, Refusal> {
    let page = Page::parse(query, "name")?;
    let part = get(query, "name").unwrap_or_default().to_ascii_lowercase();
    let found = book
        .streams()
        .filter(|stream| stream.name.to_ascii_lowercase().contains(&part));
    let found = found.collect();
    Ok(page.of("annotations", found, book.streams().count(), properties))
}

/// `GET /v1/annotations/:stream`: its properties, and with a range its annotations by
/// source, by their start.
pub fn stream(book: &Book, name: &str, query: &Query, now: Timestamp) -> Result<Value, Refusal> {
    let stream = known(book, name)?;
    let mut answer = properties(stream);
    let range_keys = ["start_time", "end_time", "count"];
    if !query
        .iter()
        .any(|(key, _)| range_keys.contains(&key.as_str()))
    {
        return Ok(answer);
    }
    let (start, count) = (int(query, "start_time")?, positive(query, "count")?);
    let end = int(query, "end_time")?.unwrap_or(now.as_secs());
    if (start, count) == (None, None) {
        return Err(Refusal::param("start_time", "is required, or count"));
    }
    let sources: Vec<&str> = query
        .iter()
        .filter(|(key, _)| key == "source" || key == "sources" || key.starts_with("sources["))
        .map(|(_, value)| value.as_str())
        .collect();
    // By lower-cased source, the name being as the first of them has it.
    let mut by_source: BTreeMap<String, (&str, Vec<&Kept>)> = BTreeMap::new();
    for kept in book.of_stream(name, start.unwrap_or(i64::MIN)..=end) {
        let source = kept.annotation.source.as_deref();
        let source = source.unwrap_or(names::UNASSIGNED);
        if sources.is_empty() || sources.iter().any(|pattern| matches(pattern, source)) {
            let key = source.to_ascii_lowercase();
            by_source
                .entry(key)
                .or_insert((source, Vec::new()))
                .1
                .push(kept);
        }
    }
    let count = count.map_or(usize::MAX, |count| {
        usize::try_from(count).unwrap_or(usize::MAX)
    });
    let events = by_source.into_values().map(|(source, kept)| {
        // As for points: the first ones after a start, or else the last ones.
        let skipped = match start {
            Some(_) => 0,
            None => kept.len().saturating_sub(count),
        };
        let rows = kept.into_iter().skip(skipped).take(count).map(annotation);
        (source.to_owned(), rows.collect())
    });
    answer["events"] = Value::Object(events.collect::<Map<String, Value>>());
    Ok(answer)
}

/// An event, in the API's words.
pub fn annotation(kept: &Kept) -> Value {
    let Annotation {
        title,
        description,
        source,
        start,
        end,
        ..
    } = &kept.annotation;
    json!({
        "id": kept.id,
        "title": title,
        "description": description,
        "source": source,
        "start_time": start.as_secs(),
        "end_time": end.map(Timestamp::as_secs),
        "links": kept.links.iter().map(link).collect::<Vec<_>>(),
    })
}

pub fn link(link: &Link) -> Value {
    json!({"rel": link.rel, "label": link.label, "href": link.href})
}

pub fn known<'a>(book: &'a Book, stream: &str) -> Result<&'a Stream, Refusal> {
    book.stream(stream).ok_or_else(|| {
        let stream = stream.into();
        ChangeError::NoStream { stream }.into()
    })
}

/// An id that is no number is one that no annotation has.
pub fn find(book: &Book, stream: &str, id: &str) -> Result<Arc<Kept>, Refusal> {
    known(book, stream)?;
    let kept = id.parse().ok().and_then(|id| book.get(stream, id));
    kept.cloned().ok_or_else(|| {
        Refusal::not_found(format!(
            "the annotation stream '{stream}' has no annotation {id}"
        ))
    })
}

pub fn properties(stream: &Stream) -> Value {
    json!({"name": stream.name, "display_name": stream.display_name})
}
