//! All annotations at one moment, in memory.

use super::{Kept, Stream};
use crate::metric::Annotation;
use crate::names;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Cheap to copy: the annotations themselves are shared.
#[derive(Clone, Default)]
pub struct Book {
    pub(super) next_id: u64,
    by_id: BTreeMap<u64, Arc<Kept>>,
    /// Start second and id.
    by_start: BTreeSet<(i64, u64)>,
    ids: HashMap<Arc<str>, u64>,
    /// By lower-cased name.
    streams: BTreeMap<Box<str>, Stream>,
}

impl Book {
    /// Of all streams, newest first.
    pub fn newest(&self, range: RangeInclusive<i64>) -> impl Iterator<Item = &Arc<Kept>> {
        self.within(range).rev()
    }

    /// In order of start, then of id.
    pub fn of_stream(
        &self,
        stream: &str,
        range: RangeInclusive<i64>,
    ) -> impl Iterator<Item = &Arc<Kept>> {
        self.within(range)
            .filter(move |kept| kept.annotation.stream.eq_ignore_ascii_case(stream))
    }

    /// In order of name.
    pub fn streams(&self) -> impl DoubleEndedIterator<Item = &Stream> {
        self.streams.values()
    }

    /// By name, without case.
    pub fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.get(&*name.to_ascii_lowercase())
    }

    /// If it is in that stream.
    pub fn get(&self, stream: &str, id: u64) -> Option<&Arc<Kept>> {
        let kept = self.by_id(id)?;
        let there = kept.annotation.stream.eq_ignore_ascii_case(stream);
        there.then_some(kept)
    }

    /// Epoch second of the oldest one's start.
    pub fn oldest_start(&self) -> Option<i64> {
        self.by_start.first().map(|(start, _)| *start)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn by_id(&self, id: u64) -> Option<&Arc<Kept>> {
        self.by_id.get(&id)
    }

    pub(super) fn by_identity(&self, identity: &str) -> Option<&Arc<Kept>> {
        self.by_id(*self.ids.get(identity)?)
    }

    pub(super) fn oldest(&self) -> Option<&Arc<Kept>> {
        self.by_id(self.by_start.first()?.1)
    }

    pub(super) fn stream_count(&self) -> usize {
        self.streams.len()
    }

    /// `lower`: the name in lower case.
    pub(super) fn stream_mut(&mut self, lower: &str) -> Option<&mut Stream> {
        self.streams.get_mut(lower)
    }

    pub(super) fn add_stream(&mut self, name: Box<str>, display_name: Option<Box<str>>) {
        let stream = Stream {
            name,
            display_name,
            annotations: 0,
        };
        self.streams
            .insert(stream.name.to_ascii_lowercase().into(), stream);
    }

    pub(super) fn remove_stream(&mut self, lower: &str) {
        self.streams.remove(lower);
    }

    /// Adds it, or puts it in the place of the one with its id. Its stream must be there.
    pub(super) fn put(&mut self, kept: Kept) -> Arc<Kept> {
        let id = kept.id;
        let kept = Arc::new(kept);
        self.by_start.insert((kept.annotation.start.as_secs(), id));
        self.ids.insert(identity_of(&kept), id);
        if self.by_id.insert(id, kept.clone()).is_none() {
            self.count(&kept.annotation.stream, |count| count + 1);
        }
        kept
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Arc<Kept>> {
        let kept = self.by_id.remove(&id)?;
        self.by_start.remove(&(kept.annotation.start.as_secs(), id));
        self.ids.remove(&identity_of(&kept));
        self.count(&kept.annotation.stream, |count| count - 1);
        Some(kept)
    }

    fn count(&mut self, stream: &str, change: impl FnOnce(usize) -> usize) {
        if let Some(stream) = self.streams.get_mut(&*stream.to_ascii_lowercase()) {
            stream.annotations = change(stream.annotations);
        }
    }

    fn within(&self, range: RangeInclusive<i64>) -> impl DoubleEndedIterator<Item = &Arc<Kept>> {
        let (start, end) = range.into_inner();
        // A range that ends before it starts would be a panic.
        let range = (start <= end).then_some((start, 0)..=(end, u64::MAX));
        let ids = range
            .into_iter()
            .flat_map(|range| self.by_start.range(range));
        ids.filter_map(|(_, id)| self.by_id.get(id))
    }
}

fn identity_of(kept: &Kept) -> Arc<str> {
    let title = kept.posted_title.as_ref();
    identity(&kept.annotation, title.unwrap_or(&kept.annotation.title))
}

/// Two annotations with the same identity are the same. `title`: as posted.
pub(super) fn identity(annotation: &Annotation, title: &str) -> Arc<str> {
    let stream = annotation.stream.to_ascii_lowercase();
    let source = annotation.source.as_deref().unwrap_or(names::UNASSIGNED);
    let source = source.to_ascii_lowercase();
    let start = annotation.start.as_secs();
    // Only the title may hold a line feed, and it is last: this is unambiguous.
    format!("{stream}\n{source}\n{start}\n{title}").into()
}
