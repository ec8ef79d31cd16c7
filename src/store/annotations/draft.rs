//! Changes on a copy of the book, and which rows of the file follow from them.

use super::book::{self, Book};
use super::{BYTES_MAX, Change, ChangeError, Edit, Kept, Link, Options, Outcome, file};
use crate::metric::Annotation;
use crate::time::Timestamp;
use redb::WriteTransaction;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A book to be. Nothing of it is seen until it has been written.
pub struct Draft {
    pub book: Book,
    /// Removed to make room.
    pub displaced: u64,
    /// Ids and lower-cased stream names whose rows differ from the file's.
    changed: BTreeSet<u64>,
    changed_streams: BTreeSet<Box<str>>,
}

impl Draft {
    pub fn of(book: &Book) -> Draft {
        Draft {
            book: book.clone(),
            displaced: 0,
            changed: BTreeSet::new(),
            changed_streams: BTreeSet::new(),
        }
    }

    pub fn is_changed(&self) -> bool {
        !self.changed.is_empty() || !self.changed_streams.is_empty()
    }

    /// Makes the change, or leaves everything as it was.
    pub fn change(&mut self, change: &Change, now: Timestamp, options: &Options) -> Outcome {
        match change {
            Change::Post { annotation, links } => {
                self.post(annotation, links, now, options).map(Some)
            }
            Change::Edit { stream, id, edit } => {
                let apply = |kept: &mut Kept| {
                    apply(edit, kept);
                    Ok(())
                };
                self.rewrite(stream, *id, apply).map(Some)
            }
            Change::AddLink { stream, id, link } => {
                let add = |kept: &mut Kept| {
                    if kept.links.iter().any(|there| there.rel == link.rel) {
                        let rel = link.rel.clone();
                        return Err(ChangeError::SameLink { rel });
                    }
                    kept.links.push(link.clone());
                    Ok(())
                };
                self.rewrite(stream, *id, add).map(Some)
            }
            Change::RemoveLink { stream, id, rel } => {
                let remove = |kept: &mut Kept| {
                    let there = kept.links.len();
                    kept.links.retain(|link| link.rel != *rel);
                    if kept.links.len() == there {
                        let (id, rel) = (*id, rel.clone());
                        return Err(ChangeError::NoLink { id, rel });
                    }
                    Ok(())
                };
                self.rewrite(stream, *id, remove).map(Some)
            }
            Change::Remove { stream, id } => {
                self.find(stream, *id)?;
                self.remove(*id);
                Ok(None)
            }
            Change::Display { stream, name } => self.display(stream, name).map(|()| None),
            Change::RemoveStream { stream } => self.remove_stream(stream).map(|()| None),
        }
    }

    /// Removes what starts before that second.
    pub fn trim(&mut self, oldest: i64) {
        while let Some(kept) = self.book.oldest()
            && kept.annotation.start.as_secs() < oldest
        {
            let id = kept.id;
            self.remove(id);
        }
    }

    /// Brings the file's rows up to the draft.
    pub fn write(&self, write: &WriteTransaction) -> Result<(), redb::Error> {
        let ids = self.changed.iter();
        let streams = self.changed_streams.iter();
        file::write(
            write,
            self.book.next_id,
            ids.map(|id| (*id, self.book.by_id(*id).map(|kept| &**kept))),
            streams.map(|lower| (&**lower, self.book.stream(lower))),
        )
    }

    fn post(
        &mut self,
        annotation: &Annotation,
        links: &[Link],
        now: Timestamp,
        options: &Options,
    ) -> Result<Arc<Kept>, ChangeError> {
        let start = annotation.start;
        let oldest = (now - options.retention).as_secs().max(0);
        if start.as_secs() < oldest {
            return Err(ChangeError::TooOld(start));
        }
        if start > now + options.future {
            return Err(ChangeError::TooNew(start));
        }
        let identity = book::identity(annotation, &annotation.title);
        if let Some(known) = self.book.by_identity(&identity) {
            let known = known.clone();
            let said = Edit {
                title: None,
                description: annotation.description.clone().map(Some),
                end: annotation.end.map(Some),
                links: (!links.is_empty()).then(|| links.to_vec()),
            };
            return self.rewrite(&known.annotation.stream, known.id, |kept| {
                apply(&said, kept);
                Ok(())
            });
        }
        let stream = self.book.stream(&annotation.stream);
        let mut kept = Kept {
            id: self.book.next_id,
            annotation: annotation.clone(),
            links: links.to_vec(),
            posted_title: None,
        };
        if let Some(stream) = stream {
            kept.annotation.stream = stream.name.clone();
        }
        check(&kept)?;
        let new_stream = stream.is_none();
        let max = options.streams_max;
        if new_stream && self.book.stream_count() >= max {
            return Err(ChangeError::StreamsFull { max });
        }
        let max = options.annotations_max;
        if self.book.len() >= max
            && let Some(oldest) = self.book.oldest()
            && start.as_secs() < oldest.annotation.start.as_secs()
        {
            return Err(ChangeError::Full { max });
        }
        if new_stream {
            self.change_stream(&annotation.stream);
            self.book.add_stream(annotation.stream.clone(), None);
        }
        self.book.next_id += 1;
        self.changed.insert(kept.id);
        let kept = self.book.put(kept);
        while self.book.len() > max
            && let Some(oldest) = self.book.oldest()
        {
            let id = oldest.id;
            self.remove(id);
            self.displaced += 1;
        }
        Ok(kept)
    }

    fn rewrite(
        &mut self,
        stream: &str,
        id: u64,
        edit: impl FnOnce(&mut Kept) -> Result<(), ChangeError>,
    ) -> Result<Arc<Kept>, ChangeError> {
        let there = self.find(stream, id)?;
        let mut kept = Kept::clone(&there);
        edit(&mut kept)?;
        if kept == *there {
            return Ok(there);
        }
        check(&kept)?;
        self.changed.insert(id);
        Ok(self.book.put(kept))
    }

    fn display(&mut self, stream: &str, name: &Option<Box<str>>) -> Result<(), ChangeError> {
        let lower = stream.to_ascii_lowercase();
        let Some(there) = self.book.stream_mut(&lower) else {
            return Err(no_stream(stream));
        };
        there.display_name = name.clone();
        self.change_stream(stream);
        self.forget_if_empty(&lower);
        Ok(())
    }

    fn remove_stream(&mut self, stream: &str) -> Result<(), ChangeError> {
        let lower = stream.to_ascii_lowercase();
        if self.book.stream(&lower).is_none() {
            return Err(no_stream(stream));
        }
        let all = self.book.of_stream(&lower, i64::MIN..=i64::MAX);
        let ids: Vec<u64> = all.map(|kept| kept.id).collect();
        for id in ids {
            self.book.remove(id);
            self.changed.insert(id);
        }
        self.book.remove_stream(&lower);
        self.change_stream(stream);
        Ok(())
    }

    fn remove(&mut self, id: u64) {
        if let Some(gone) = self.book.remove(id) {
            self.changed.insert(id);
            self.forget_if_empty(&gone.annotation.stream.to_ascii_lowercase());
        }
    }

    /// An empty stream that nobody has named is not worth keeping.
    fn forget_if_empty(&mut self, lower: &str) {
        let stream = self.book.stream(lower);
        if stream.is_some_and(|stream| stream.annotations == 0 && stream.display_name.is_none()) {
            self.book.remove_stream(lower);
            self.change_stream(lower);
        }
    }

    fn change_stream(&mut self, name: &str) {
        self.changed_streams
            .insert(name.to_ascii_lowercase().into());
    }

    fn find(&self, stream: &str, id: u64) -> Result<Arc<Kept>, ChangeError> {
        let kept = self.book.get(stream, id).cloned();
        kept.ok_or_else(|| match self.book.stream(stream) {
            None => no_stream(stream),
            Some(_) => {
                let stream = stream.into();
                ChangeError::NoAnnotation { stream, id }
            }
        })
    }
}

fn no_stream(stream: &str) -> ChangeError {
    let stream = stream.into();
    ChangeError::NoStream { stream }
}

fn apply(edit: &Edit, kept: &mut Kept) {
    let Edit {
        title,
        description,
        end,
        links,
    } = edit.clone();
    if let Some(title) = title {
        let before = std::mem::replace(&mut kept.annotation.title, title);
        let posted = kept.posted_title.take().unwrap_or(before);
        kept.posted_title = (posted != kept.annotation.title).then_some(posted);
    }
    if let Some(description) = description {
        kept.annotation.description = description;
    }
    if let Some(end) = end {
        kept.annotation.end = end;
    }
    if let Some(links) = links {
        kept.links = links;
    }
}

/// What holds for every annotation in the store.
fn check(kept: &Kept) -> Result<(), ChangeError> {
    if kept
        .annotation
        .end
        .is_some_and(|end| end < kept.annotation.start)
    {
        return Err(ChangeError::EndsBeforeStart);
    }
    for (i, link) in kept.links.iter().enumerate() {
        if kept.links[..i].iter().any(|other| other.rel == link.rel) {
            let rel = link.rel.clone();
            return Err(ChangeError::SameLink { rel });
        }
    }
    match file::encode(kept) {
        Ok(json) if json.len() <= BYTES_MAX => Ok(()),
        _ => Err(ChangeError::TooLarge),
    }
}
