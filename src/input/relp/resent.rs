//! Tells the lines that a sender sends again because it lost its connection before it heard
//! that they were kept.
//!
//! After a lost connection librelp sends first, in their order, all that was not acknowledged:
//! the last lines before the loss. So the first lines of a session are compared with the last
//! ones kept of its sender's sessions before. A line that is the same as one of these was
//! sent again, and so is what follows, for as long as it follows there too. The first line
//! that differs ends it.
//!
//! A line that stands there twice proves nothing, and neither does one that does not stand
//! there: in doubt a line is a new one.

use crate::checkpoint::fingerprint;
use std::collections::HashMap;

/// The comparison of one session's first lines.
#[derive(Debug, Default)]
pub(super) struct Resent {
    /// Where the lines stand among those kept, `None` for those that stand there twice.
    /// Empty when it is over.
    places: HashMap<u128, Option<usize>>,
    /// Where the next one would stand; `None` before the first.
    next: Option<usize>,
}

impl Resent {
    /// `tail`: what was kept last of the same sender, in its order.
    pub fn new(tail: Vec<u128>) -> Resent {
        let mut places = HashMap::with_capacity(tail.len());
        for (at, line) in tail.into_iter().enumerate() {
            let place = places.entry(line).or_insert(Some(at));
            if *place != Some(at) {
                *place = None;
            }
        }
        Resent { places, next: None }
    }

    /// Whether the session's lines so far could all have been sent again, and this one too.
    pub fn is_possible(&self) -> bool {
        !self.places.is_empty()
    }

    /// Whether this line, the session's next, was kept before.
    pub fn was_kept(&mut self, line: &[u8]) -> bool {
        if !self.is_possible() {
            return false;
        }
        let place = self.places.get(&fingerprint(line)).copied().flatten();
        match place.filter(|at| self.next.is_none_or(|next| next == *at)) {
            Some(at) => {
                self.next = Some(at + 1);
                true
            }
            None => {
                self.places = HashMap::new();
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of the first lines were sent again.
    fn resent(tail: &str, lines: &str) -> usize {
        let tail = tail.bytes().map(|line| fingerprint(&[line])).collect();
        let mut resent = Resent::new(tail);
        let known: Vec<bool> = lines.bytes().map(|line| resent.was_kept(&[line])).collect();
        let count = known.iter().take_while(|known| **known).count();
        assert!(!known[count..].contains(&true), "known behind unknown");
        count
    }

    #[test]
    fn what_follows_as_it_did_before_was_sent_again() {
        for (tail, lines, count) in [
            ("", "abc", 0),
            ("abcd", "cdef", 2),
            ("abcd", "abcd", 4),
            ("abcd", "d", 1),
            ("abcd", "xcd", 0),
            // It breaks off in the middle: what comes behind is new.
            ("abcd", "bcx", 2),
            ("abcd", "bd", 1),
            ("abcd", "dabc", 1),
            ("abcd", "cdcd", 2),
            // What stood there twice proves nothing.
            ("abab", "ab", 0),
            ("aabc", "bc", 2),
            ("abcb", "ab", 1),
            ("abcb", "cb", 1),
        ] {
            assert_eq!(resent(tail, lines), count, "{lines} after {tail}");
        }
    }
}
