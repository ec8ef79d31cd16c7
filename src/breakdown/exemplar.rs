//! Requests as examples: the slowest, and those that failed.

use super::phases::Phases;
use bstr::ByteSlice;
use serde::{Deserialize, Serialize};
use std::cmp::{Ordering, Reverse};

/// Of each kind in a span of time that is stored.
pub const KEPT: usize = 5;

/// Bytes of a path and its query.
pub const PATH_MAX: usize = 300;

/// Bytes of any other text.
pub const TEXT_MAX: usize = 100;

/// One request or session. What the line does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Exemplar {
    /// When it ended, in epoch milliseconds.
    pub time: i64,
    /// Milliseconds.
    pub duration: Option<u64>,
    pub status: Option<u16>,
    pub method: Option<Box<str>>,
    /// With the query.
    pub path: Option<Box<str>>,
    pub route: Option<Box<str>>,
    pub backend: Option<Box<str>>,
    pub server: Option<Box<str>>,
    pub termination: Option<Box<str>>,
    pub request_id: Option<Box<str>>,
    pub client: Option<Box<str>>,
    pub host: Option<Box<str>>,
    pub phases: Phases,
}

/// The slowest first.
pub fn slowest(one: &Exemplar, other: &Exemplar) -> Ordering {
    let rank = |exemplar: &Exemplar| Reverse((exemplar.duration, exemplar.time));
    rank(one).cmp(&rank(other)).then_with(|| one.cmp(other))
}

/// The newest second first, and in a second the first: one that begins to fail fails often,
/// and more of the same need not be written down.
pub fn newest(one: &Exemplar, other: &Exemplar) -> Ordering {
    let second = |exemplar: &Exemplar| Reverse(exemplar.time.div_euclid(1000));
    second(one).cmp(&second(other)).then_with(|| one.cmp(other))
}

/// The first of them in an order.
pub type Order = fn(&Exemplar, &Exemplar) -> Ordering;

/// Whether one of that time and duration could be among the first [`KEPT`].
pub fn could_enter(kept: &[Exemplar], time: i64, duration: Option<u64>, order: Order) -> bool {
    // Without its texts it comes before any with the same time and duration.
    let bare = Exemplar {
        time,
        duration,
        ..Exemplar::default()
    };
    kept.len() < KEPT || kept.last().is_some_and(|last| order(&bare, last).is_lt())
}

pub fn enter(kept: &mut Vec<Exemplar>, exemplar: Exemplar, order: Order) {
    let place = kept.partition_point(|known| order(known, &exemplar).is_lt());
    if place < KEPT {
        kept.truncate(KEPT - 1);
        kept.insert(place, exemplar);
    }
}

/// A text of at most so many bytes, whole characters of it, without control characters.
pub fn text(bytes: &[u8], max: usize) -> Box<str> {
    let bytes = &bytes[..bytes.len().min(max + 3)];
    let text = bytes.to_str_lossy();
    let end = text.floor_char_boundary(max);
    let text = &text[..end];
    match text.chars().any(char::is_control) {
        true => text.replace(char::is_control, "\u{fffd}").into(),
        false => text.into(),
    }
}
