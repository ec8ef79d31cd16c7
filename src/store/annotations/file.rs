//! Annotations in `store.redb`; docs/store-format.md describes the tables.

use super::book::Book;
use super::{Kept, Link, Stream};
use crate::metric::Annotation;
use crate::store::OpenError;
use crate::store::format::{META, existing};
use crate::time::Timestamp;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Id to [`Record`] as JSON.
const ANNOTATIONS: TableDefinition<u64, &[u8]> = TableDefinition::new("annotations");
/// Stream name in lower case to [`StreamRecord`] as JSON.
const STREAMS: TableDefinition<&str, &[u8]> = TableDefinition::new("annotation_streams");
/// In [`META`]: the next annotation's id; none is used twice.
const NEXT_ID: &str = "next_annotation";

#[derive(Serialize, Deserialize)]
struct Record {
    stream: Box<str>,
    title: Box<str>,
    /// What it was posted with, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    posted_title: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<Box<str>>,
    /// Epoch seconds, as `end`.
    start: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link>,
}

#[derive(Serialize, Deserialize)]
struct StreamRecord {
    name: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display_name: Option<Box<str>>,
}

/// Reads all of them from a store of the current version.
pub fn load(db: &Database, path: &Path) -> Result<Book, OpenError> {
    read_all(db).map_err(|why| OpenError::Corrupt {
        path: path.into(),
        why: why.to_string(),
    })
}

fn read_all(db: &Database) -> Result<Book, Box<dyn std::error::Error>> {
    let read = db.begin_read()?;
    let mut book = Book::default();
    let next = read.open_table(META)?.get(NEXT_ID)?;
    book.next_id = next.map_or(1, |next| next.value());
    if let Some(streams) = existing(read.open_table(STREAMS))? {
        for row in streams.iter()? {
            let StreamRecord { name, display_name } = serde_json::from_slice(row?.1.value())?;
            book.add_stream(name, display_name);
        }
    }
    if let Some(annotations) = existing(read.open_table(ANNOTATIONS))? {
        for row in annotations.iter()? {
            let (id, record) = row?;
            let kept = decode(id.value(), serde_json::from_slice(record.value())?);
            if book.stream(&kept.annotation.stream).is_none() {
                let (id, stream) = (kept.id, kept.annotation.stream);
                return Err(format!("annotation {id} has no stream '{stream}'").into());
            }
            book.put(kept);
        }
    }
    Ok(book)
}

/// Each row as it shall be; `None` takes it away.
pub fn write<'a>(
    write: &WriteTransaction,
    next_id: u64,
    annotations: impl Iterator<Item = (u64, Option<&'a Kept>)>,
    streams: impl Iterator<Item = (&'a str, Option<&'a Stream>)>,
) -> Result<(), redb::Error> {
    write.open_table(META)?.insert(NEXT_ID, next_id)?;
    let mut rows = write.open_table(ANNOTATIONS)?;
    for (id, kept) in annotations {
        match kept {
            Some(kept) => rows.insert(id, json(encode(kept))?.as_slice())?,
            None => rows.remove(id)?,
        };
    }
    let mut rows = write.open_table(STREAMS)?;
    for (lower, stream) in streams {
        match stream {
            Some(stream) => {
                let record = StreamRecord {
                    name: stream.name.clone(),
                    display_name: stream.display_name.clone(),
                };
                rows.insert(lower, json(serde_json::to_vec(&record))?.as_slice())?
            }
            None => rows.remove(lower)?,
        };
    }
    Ok(())
}

/// As the file has it.
pub fn encode(kept: &Kept) -> serde_json::Result<Vec<u8>> {
    let Annotation {
        stream,
        title,
        source,
        description,
        start,
        end,
    } = kept.annotation.clone();
    serde_json::to_vec(&Record {
        posted_title: kept.posted_title.clone(),
        stream,
        title,
        source,
        description,
        start: start.as_secs(),
        end: end.map(Timestamp::as_secs),
        links: kept.links.clone(),
    })
}

fn decode(id: u64, record: Record) -> Kept {
    let annotation = Annotation {
        stream: record.stream,
        title: record.title,
        source: record.source,
        description: record.description,
        start: Timestamp::from_secs(record.start),
        end: record.end.map(Timestamp::from_secs),
    };
    Kept {
        id,
        annotation,
        links: record.links,
        posted_title: record.posted_title,
    }
}

fn json(record: serde_json::Result<Vec<u8>>) -> Result<Vec<u8>, redb::Error> {
    record.map_err(|why| redb::Error::Io(why.into()))
}
