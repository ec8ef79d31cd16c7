//! Measurements and annotations as blocks of bytes, and back.
//!
//! docs/spool-format.md says the same for readers in other languages; change both together,
//! and [`super::file::VERSION`].

use crate::metric::{Annotation, Measurement, Series};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// A block takes no more items when it has so many bytes, before compression.
const RAW_MAX: usize = 256 * 1024;
/// A block with more than that is damaged: one item is a few lines long at most, and its block
/// is full with it.
const RAW_LIMIT: usize = 256 * 1024 * 1024;

/// zstd's own default: three times smaller than nothing, at hundreds of megabytes a second.
const LEVEL: i32 = 3;

const CHECKSUM: usize = 8;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Measurements = 0,
    Annotations = 1,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::Measurements, Kind::Annotations];
}

/// What is known of a block without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    pub count: u32,
    /// Bytes before compression.
    pub raw: u32,
    /// Bytes on disk, the checksum too.
    pub stored: u32,
    /// When it was spooled.
    pub at: Timestamp,
}

/// Items as bytes, not compressed yet.
#[derive(Clone, Debug)]
pub struct Draft {
    pub kind: Kind,
    pub count: u32,
    raw: Vec<u8>,
}

/// A block is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

pub type HeaderBytes = [u8; 21];

impl Header {
    pub fn to_bytes(self) -> HeaderBytes {
        let mut bytes = [0; 21];
        bytes[0] = self.kind as u8;
        bytes[1..5].copy_from_slice(&self.count.to_le_bytes());
        bytes[5..9].copy_from_slice(&self.raw.to_le_bytes());
        bytes[9..13].copy_from_slice(&self.stored.to_le_bytes());
        bytes[13..].copy_from_slice(&self.at.as_micros().to_le_bytes());
        bytes
    }

    pub fn from_bytes(bytes: &HeaderBytes) -> Result<Header, Damaged> {
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let mut micros = [0; 8];
        micros.copy_from_slice(&bytes[13..]);
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u8 == bytes[0]);
        Ok(Header {
            kind: kind.ok_or(Damaged)?,
            count: word(1),
            raw: word(5),
            stored: word(9),
            at: Timestamp::from_micros(i64::from_le_bytes(micros)),
        })
    }

    /// Bytes that the block takes of the file: its pages, a power of two of 4 KiB each.
    pub fn on_disk(self) -> u64 {
        // With what the database keeps beside it.
        (u64::from(self.stored) + 128).next_power_of_two().max(4096)
    }
}

impl Draft {
    /// The header, and the checksum and the compressed items.
    pub fn seal(&self, at: Timestamp) -> std::io::Result<(Header, Vec<u8>)> {
        let compressed = zstd::bulk::compress(&self.raw, LEVEL)?;
        let header = Header {
            kind: self.kind,
            count: self.count,
            raw: self.raw.len() as u32,
            stored: (CHECKSUM + compressed.len()) as u32,
            at,
        };
        let mut bytes = checksum(header, &compressed).to_vec();
        bytes.extend_from_slice(&compressed);
        Ok((header, bytes))
    }
}

fn checksum(header: Header, compressed: &[u8]) -> [u8; CHECKSUM] {
    let mut covered = header.to_bytes().to_vec();
    covered.extend_from_slice(compressed);
    xxh3_64(&covered).to_le_bytes()
}

/// What can be spooled.
pub trait Entry: Clone + Send + Sync + 'static {
    const KIND: Kind;
    /// At most so many in a block: what is sent twice when weir is killed.
    const BLOCK: usize;

    fn write(&self, to: Vec<u8>) -> Vec<u8>;
    fn read(from: &[u8]) -> Result<(Self, &[u8]), Damaged>;

    /// What the far side keeps one value of: the last that it is given. `None`: what it is
    /// given twice it has once, in whatever order.
    fn key(&self) -> Option<u128>;
}

/// As many blocks as it takes.
pub fn drafts<T: Entry>(items: &[T]) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    for item in items {
        let room =
            |draft: &&mut Draft| draft.raw.len() < RAW_MAX && (draft.count as usize) < T::BLOCK;
        if let Some(draft) = drafts.last_mut().filter(room) {
            draft.raw = item.write(std::mem::take(&mut draft.raw));
            draft.count += 1;
        } else {
            drafts.push(Draft {
                kind: T::KIND,
                count: 1,
                raw: item.write(Vec::new()),
            });
        }
    }
    drafts
}

/// Reads what [`Draft::seal`] has made.
pub fn read<T: Entry>(header: Header, bytes: &[u8]) -> Result<Vec<T>, Damaged> {
    let (sum, compressed) = bytes.split_at_checked(CHECKSUM).ok_or(Damaged)?;
    let raw = header.raw as usize;
    if header.kind != T::KIND || sum != checksum(header, compressed) || raw > RAW_LIMIT {
        return Err(Damaged);
    }
    let raw = zstd::bulk::decompress(compressed, raw).map_err(|_| Damaged)?;
    let (mut items, mut rest) = (Vec::new(), &raw[..]);
    while !rest.is_empty() {
        let (item, more) = T::read(rest)?;
        items.push(item);
        rest = more;
    }
    if items.len() == header.count as usize {
        Ok(items)
    } else {
        Err(Damaged)
    }
}

/// A measurement as it is written.
#[derive(Serialize, Deserialize)]
struct MeasurementRecord<'a> {
    name: &'a str,
    #[serde(borrow)]
    tags: Cow<'a, [(&'a str, &'a str)]>,
    /// Microseconds since 1970.
    time: i64,
    /// Microseconds.
    period: u64,
    value: f64,
}

impl Entry for Measurement {
    const KIND: Kind = Kind::Measurements;
    const BLOCK: usize = 5000;

    fn write(&self, to: Vec<u8>) -> Vec<u8> {
        let tags: Vec<(&str, &str)> = self.series.tags.iter().map(|(n, v)| (&**n, &**v)).collect();
        append(
            &MeasurementRecord {
                name: &self.series.name,
                tags: tags.into(),
                time: self.time.as_micros(),
                period: u64::try_from(self.period.as_micros()).unwrap_or(u64::MAX),
                value: self.value,
            },
            to,
        )
    }

    fn read(from: &[u8]) -> Result<(Self, &[u8]), Damaged> {
        let (record, rest) = take::<MeasurementRecord<'_>>(from)?;
        let tags = record.tags.iter();
        let series = Series {
            name: record.name.into(),
            tags: tags.map(|(n, v)| ((*n).into(), (*v).into())).collect(),
        };
        let measurement = Measurement {
            series,
            time: Timestamp::from_micros(record.time),
            period: Duration::from_micros(record.period),
            value: record.value,
        };
        Ok((measurement, rest))
    }

    /// Its series and time.
    fn key(&self) -> Option<u128> {
        let bare = Measurement {
            series: self.series.clone(),
            time: self.time,
            period: Duration::ZERO,
            value: 0.0,
        };
        Some(xxh3_128(&bare.write(Vec::new())))
    }
}

/// An annotation as it is written.
#[derive(Serialize, Deserialize)]
struct AnnotationRecord<'a> {
    stream: &'a str,
    title: &'a str,
    source: Option<&'a str>,
    description: Option<&'a str>,
    /// Microseconds since 1970.
    start: i64,
    end: Option<i64>,
}

impl Entry for Annotation {
    const KIND: Kind = Kind::Annotations;
    /// Each is a request of its own.
    const BLOCK: usize = 100;

    fn write(&self, to: Vec<u8>) -> Vec<u8> {
        append(
            &AnnotationRecord {
                stream: &self.stream,
                title: &self.title,
                source: self.source.as_deref(),
                description: self.description.as_deref(),
                start: self.start.as_micros(),
                end: self.end.map(Timestamp::as_micros),
            },
            to,
        )
    }

    fn read(from: &[u8]) -> Result<(Self, &[u8]), Damaged> {
        let (record, rest) = take::<AnnotationRecord<'_>>(from)?;
        let annotation = Annotation {
            stream: record.stream.into(),
            title: record.title.into(),
            source: record.source.map(Into::into),
            description: record.description.map(Into::into),
            start: Timestamp::from_micros(record.start),
            end: record.end.map(Timestamp::from_micros),
        };
        Ok((annotation, rest))
    }

    fn key(&self) -> Option<u128> {
        None
    }
}

fn append(record: &impl Serialize, to: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(record, to).expect("memory takes every byte, and lengths are known")
}

fn take<'a, T: Deserialize<'a>>(from: &'a [u8]) -> Result<(T, &'a [u8]), Damaged> {
    postcard::take_from_bytes(from).map_err(|_| Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn measurement() -> impl Strategy<Value = Measurement> {
        let tags = proptest::collection::btree_map("[a-z]{1,3}", ".{0,9}", 0..4);
        ("[a-z.]{1,20}", tags, any::<i64>(), 0..1u64 << 50, -1e9..1e9).prop_map(
            |(name, tags, time, period, value)| Measurement {
                series: Series {
                    name: name.into(),
                    tags: tags
                        .into_iter()
                        .map(|(n, v)| (n.into(), v.into()))
                        .collect(),
                },
                time: Timestamp::from_micros(time),
                period: Duration::from_micros(period),
                value,
            },
        )
    }

    fn annotation() -> impl Strategy<Value = Annotation> {
        let text = || proptest::option::of(".{0,20}".prop_map(Box::<str>::from));
        let time = any::<i64>().prop_map(Timestamp::from_micros);
        (
            ".{0,9}",
            ".{0,9}",
            text(),
            text(),
            time.clone(),
            proptest::option::of(time),
        )
            .prop_map(
                |(stream, title, source, description, start, end)| Annotation {
                    stream: stream.into(),
                    title: title.into(),
                    source,
                    description,
                    start,
                    end,
                },
            )
    }

    fn round<T: Entry>(items: &[T]) -> Vec<T> {
        let at = Timestamp::from_secs(9);
        let sealed = drafts(items)
            .into_iter()
            .map(|draft| draft.seal(at).unwrap());
        let read = sealed.flat_map(|(header, bytes)| {
            let header = Header::from_bytes(&header.to_bytes()).unwrap();
            assert_eq!(header.stored as usize, bytes.len());
            read(header, &bytes).unwrap()
        });
        read.collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            measurements in proptest::collection::vec(measurement(), 0..50),
            annotations in proptest::collection::vec(annotation(), 0..250),
        ) {
            prop_assert_eq!(round(&measurements), measurements);
            prop_assert_eq!(round(&annotations), annotations);
        }

        /// Whatever bit of it changes, it is not read as something else.
        #[test]
        fn a_changed_bit_is_noticed(items in proptest::collection::vec(measurement(), 1..9), bit: proptest::sample::Index) {
            let (header, mut bytes) = drafts(&items)[0].seal(Timestamp::from_secs(9)).unwrap();
            let mut header = header.to_bytes();
            let bit = bit.index((header.len() + bytes.len()) * 8);
            match bit / 8 {
                at if at < header.len() => header[at] ^= 1 << (bit % 8),
                at => bytes[at - header.len()] ^= 1 << (bit % 8),
            }
            let found = Header::from_bytes(&header).and_then(|header| read::<Measurement>(header, &bytes));
            prop_assert_eq!(found, Err(Damaged));
        }

        #[test]
        fn foreign_bytes_are_refused(header: [u8; 21], bytes: Vec<u8>) {
            if let Ok(header) = Header::from_bytes(&header) {
                prop_assert_eq!(read::<Annotation>(header, &bytes), Err(Damaged));
            }
        }
    }

    /// The example of docs/spool-format.md.
    #[test]
    fn the_bytes_are_those_of_the_document() {
        let item = Measurement {
            series: Series {
                name: "http.rate".into(),
                tags: [("service".into(), "users".into())].into(),
            },
            time: Timestamp::from_secs(1_767_268_800),
            period: Duration::from_secs(10),
            value: 4.5,
        };
        let written = item.write(Vec::new());
        let document = include_str!("../../../docs/spool-format.md");
        let (_, example) = document.split_once("```text\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let bytes = example
            .lines()
            .flat_map(|line| line.split_whitespace().skip(1));
        let bytes: Vec<u8> = bytes
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect();
        assert_eq!(written, bytes);
    }

    #[test]
    fn blocks_end_by_count_and_by_bytes() {
        let item = |name: String| Measurement {
            series: Series {
                name: name.into(),
                tags: [].into(),
            },
            time: Timestamp::from_secs(0),
            period: Duration::from_secs(1),
            value: 0.0,
        };
        let counts = |items: &[Measurement]| -> Vec<u32> {
            drafts(items).iter().map(|draft| draft.count).collect()
        };
        let small: Vec<_> = (0..5001).map(|i| item(i.to_string())).collect();
        assert_eq!(counts(&small), [5000, 1]);
        let large: Vec<_> = (0..3).map(|_| item("x".repeat(200 * 1024))).collect();
        assert_eq!(counts(&large), [2, 1]);
    }
}
