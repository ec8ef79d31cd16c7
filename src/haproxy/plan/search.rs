//! Where values end that can hold what ends them, and whether there is one way alone.

use super::read::stuck;
use super::{Class, Misfit, Plan, Search, Segment, Store};
use memchr::{memchr, memrchr};

/// How many ends of values are tried in one line. Each try may look at all that is left of
/// it, so without a bound a long line could be made to cost seconds.
const TRIES_MAX: usize = 1_000;

/// How many bytes these tries may look at. Of a line of 64 KiB, as long as one may be unless
/// configured otherwise, some 250 ends are tried then: milliseconds.
const TRIED_BYTES_MAX: usize = 16 << 20;

impl Plan {
    /// Segments with a search before each. The leftmost place is taken at which the steps
    /// can be read, in the last one to the line's end.
    pub(super) fn searched<'a>(
        &self,
        segments: &[Segment],
        line: &'a [u8],
        mut rest: &'a [u8],
        store: &mut Store<'_, 'a>,
    ) -> Result<(), Misfit> {
        store.searched.clear();
        let mut tries = (TRIED_BYTES_MAX / line.len().max(1)).min(TRIES_MAX);
        for (index, segment) in segments.iter().enumerate() {
            let Some(search) = &segment.search else {
                continue;
            };
            let last = index + 1 == segments.len();
            let places = search.places(rest).take(tries);
            let found = places.inspect(|_| tries -= 1).find_map(|end| {
                let behind = self
                    .steps::<true>(segment, line, &rest[end..], store)
                    .ok()?;
                (!last || behind.is_empty()).then_some((end, behind))
            });
            let Some((end, behind)) = found else {
                if tries == 0 {
                    return Err(Misfit::Ambiguous);
                }
                return Err(stuck(rest, search.value.slot.field()).into());
            };
            store.text(search.value, &rest[..end]);
            let start = line.len() - rest.len();
            store.searched.push(start..start + end);
            rest = behind;
            if store.cut {
                return Ok(());
            }
        }
        match self.is_unique(segments, line, tries, store) {
            true => Ok(()),
            false => Err(Misfit::Ambiguous),
        }
    }

    /// Whether the rightmost reading is the leftmost one too, as far as so many tries tell.
    fn is_unique<'a>(
        &self,
        segments: &[Segment],
        line: &'a [u8],
        mut tries: usize,
        store: &mut Store<'_, 'a>,
    ) -> bool {
        // Where the value behind the steps must have begun at the latest.
        let mut limit = line.len();
        for (index, segment) in segments.iter().enumerate().rev() {
            let (Some(search), Some(found)) = (&segment.search, store.searched.get(index)) else {
                continue;
            };
            let found = found.clone();
            let last = index + 1 == segments.len();
            if search.leftmost {
                limit = found.end;
                continue;
            }
            // The first value begins where it does. Another one can begin later, and then not
            // hold what it could not.
            let from = found.start;
            let moves = segments[..index]
                .iter()
                .any(|segment| segment.search.is_some());
            let places = search.places_back(&line[from..limit], moves).take(tries);
            let rightmost = places.inspect(|_| tries -= 1).find(|&end| {
                // The place that the leftmost reading has is known to be one.
                if from + end == found.end {
                    return true;
                }
                let rest = &line[found.start + end..];
                match self.steps::<false>(segment, line, rest, store) {
                    Ok(behind) if last => behind.is_empty(),
                    Ok(behind) => line.len() - behind.len() <= limit,
                    Err(_) => false,
                }
            });
            // The leftmost one is among the places, unless there are too many.
            if rightmost.is_none_or(|end| found.start + end != found.end) {
                return false;
            }
            limit = found.end;
        }
        true
    }
}

impl Search {
    /// Where the value can end, from the left.
    fn places<'s>(&'s self, rest: &'s [u8]) -> impl Iterator<Item = usize> + 's {
        let mut from = 0;
        let holds = |byte: &u8| self.value.class.holds(*byte);
        let end = (self.or_end && rest.iter().all(holds)).then_some(rest.len());
        let places = std::iter::from_fn(move || {
            loop {
                let at = from + memchr(*self.needle.first()?, rest.get(from..)?)?;
                // Every place that follows holds the byte that this one cannot.
                if !self.value.class.holds_all(&rest[from..at]) {
                    from = rest.len() + 1;
                    return None;
                }
                // The byte found may be one that the value holds, too.
                let holds = self.value.class.holds(rest[at]);
                from = if holds { at + 1 } else { rest.len() + 1 };
                if self.is_place(rest, at) {
                    return Some(at);
                }
            }
        });
        places.chain(end)
    }

    /// The same from the right, where the value can be as long as it likes.
    /// With `moves` it can begin anywhere.
    fn places_back<'s>(&'s self, rest: &'s [u8], moves: bool) -> impl Iterator<Item = usize> + 's {
        let other = |&byte: &u8| !self.value.class.holds(byte);
        // One byte that the value cannot hold may be what ends it.
        let foreign = match self.value.class {
            Class::Text => None,
            _ => rest.iter().position(other).filter(|_| !moves),
        };
        let mut to = foreign.map_or(rest.len(), |at| at + 1);
        let end = (self.or_end && foreign.is_none()).then_some(rest.len());
        let places = std::iter::from_fn(move || {
            loop {
                let at = memrchr(*self.needle.first()?, &rest[..to])?;
                to = at;
                if self.is_place(rest, at) {
                    return Some(at);
                }
            }
        });
        end.into_iter().chain(places)
    }

    /// A run of blanks is one separator: it begins at its first.
    fn is_place(&self, rest: &[u8], at: usize) -> bool {
        rest[at..].starts_with(&self.needle)
            && !(*self.needle == *b" " && at > 0 && rest[at - 1] == b' ')
    }
}
