//! Tells the lines that a sender sends again because it lost its connection before it heard
//! that they were kept.
//!
//! After a lost connection librelp sends first, in their order, all that was not acknowledged:
//! the last lines before the loss. So the first lines of a session are compared with the
//! tails of its sender's sessions before: the last lines that were kept of each. What is sent
//! again reaches to the end of such a tail. Lines that are the same, one after the other, and
//! break off before that only look alike: they are new.
//!
//! Whether a run of lines reaches the end is known when its last line is there. Until then
//! their session holds them, for a while; in doubt a line is a new one. For the same reason
//! none that stands there twice begins a run.

use crate::checkpoint::{Taken, fingerprint};
use std::collections::HashMap;

/// The comparison of one session's first lines.
#[derive(Debug, Default)]
pub(super) struct Resent {
    /// What they are compared with, until it is not needed any more.
    tails: Taken,
    /// All of it, one session behind the other, and whether it is a session's last.
    kept: Vec<(u128, bool)>,
    /// Where a line stands there, `None` for those that stand there twice.
    places: HashMap<u128, Option<usize>>,
    /// Where the next one would stand; `None` before the first.
    next: Option<usize>,
    /// How many lines have been compared since the last decision, and are the same.
    same: usize,
    /// How many of these reach to the end of a session.
    known: usize,
    /// What comes is new.
    over: bool,
}

impl Resent {
    /// `tails`: what was kept last of the same sender.
    pub fn new(tails: Taken) -> Resent {
        let mut kept = Vec::new();
        for session in tails.sessions() {
            let last = session.len().saturating_sub(1);
            let frames = session.iter().enumerate();
            kept.extend(frames.map(|(at, frame)| (*frame, at == last)));
        }
        let mut places = HashMap::with_capacity(kept.len());
        for (at, (line, _)) in kept.iter().enumerate() {
            let place = places.entry(*line).or_insert(Some(at));
            if *place != Some(at) {
                *place = None;
            }
        }
        Resent {
            tails,
            over: kept.is_empty(),
            kept,
            places,
            ..Resent::default()
        }
    }

    /// Compares lines: all since the last decision, also those that have been compared, whose
    /// number this remembers. Whether it depends on further ones what they are.
    pub fn is_open<'a>(&mut self, lines: impl IntoIterator<Item = &'a [u8]>) -> bool {
        for line in lines.into_iter().skip(self.same) {
            if self.over {
                break;
            }
            let line = fingerprint(line);
            let place = match self.next {
                Some(next) => Some(next),
                None => self.places.get(&line).copied().flatten(),
            };
            let kept = place.and_then(|at| Some((at, self.kept.get(at)?)));
            match kept.filter(|(_, (kept, _))| *kept == line) {
                Some((at, (_, last))) => {
                    self.next = Some(at + 1);
                    self.same += 1;
                    if *last {
                        self.known = self.same;
                    }
                }
                None => self.over = true,
            }
        }
        !self.over && self.same > self.known
    }

    /// How many of the lines, from the first on, were kept before.
    pub fn decide(&mut self) -> usize {
        self.over |= self.same > self.known;
        self.same = 0;
        std::mem::take(&mut self.known)
    }

    /// All lines so far are kept and acknowledged.
    pub fn acknowledged(&mut self) {
        if self.over {
            *self = Resent {
                over: true,
                ..Resent::default()
            };
        }
    }

    /// What the lines were compared with, if they were not acknowledged.
    pub fn into_tails(self) -> Taken {
        self.tails
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of tails such as `ab|cd`.
    fn resent(tails: &str) -> Resent {
        let sessions = tails.split('|').zip(0..);
        let tails = sessions.map(|(tail, session)| {
            Taken::of(session, tail.bytes().map(|line| fingerprint(&[line])))
        });
        Resent::new(tails.fold(Taken::default(), Taken::and))
    }

    fn lines(text: &str) -> impl Iterator<Item = &[u8]> {
        text.as_bytes().chunks(1)
    }

    #[test]
    fn what_reaches_the_end_of_what_was_kept_was_sent_again() {
        for (tail, sent, open, count) in [
            ("", "abc", false, 0),
            ("abcd", "cdef", false, 2),
            ("abcd", "abcd", false, 4),
            ("abcd", "d", false, 1),
            ("abcd", "xcd", false, 0),
            ("abcd", "dabc", false, 1),
            ("abcd", "cdcd", false, 2),
            // It breaks off in the middle: it only looks alike.
            ("abcd", "bcx", false, 0),
            ("abcd", "bd", false, 0),
            // It may go on.
            ("abcd", "b", true, 0),
            ("abcd", "abc", true, 0),
            // What stands there twice begins no run, but goes on one.
            ("abab", "ab", false, 0),
            ("aabc", "bc", false, 2),
            ("abcb", "ab", true, 0),
            ("abcb", "abx", false, 0),
            ("abcb", "cb", false, 2),
            // Each session has an end of its own.
            ("abc|def", "bc", false, 2),
            ("abc|def", "bcde", true, 2),
            ("abc|def", "bcdx", false, 2),
            ("abc|def", "bcdefg", false, 5),
            ("abc|def", "ef", false, 2),
        ] {
            let mut resent = resent(tail);
            assert_eq!(resent.is_open(lines(sent)), open, "{sent} after {tail}");
            assert_eq!(resent.decide(), count, "{sent} after {tail}");
            // What comes behind an open end that was decided is new.
            if open {
                assert!(!resent.is_open(lines(tail)) && resent.decide() == 0);
            }
        }
    }

    #[test]
    fn lines_come_in_pieces() {
        let mut session = resent("abcd|ef");
        assert!(session.is_open(lines("b")));
        assert!(session.is_open(lines("bc")));
        assert!(!session.is_open(lines("bcd")));
        assert_eq!(session.decide(), 3);
        // The rest of what the sender has comes with the next group.
        assert!(session.is_open(lines("e")));
        assert!(!session.is_open(lines("efx")));
        assert_eq!(session.decide(), 2);
        assert!(!session.is_open(lines("x")));
        assert_eq!(session.decide(), 0);
    }

    #[test]
    fn tails_are_there_until_what_was_compared_with_them_is_acknowledged() {
        let mut session = resent("ab");
        session.is_open(lines("b"));
        session.decide();
        session.acknowledged();
        session.is_open(lines("x"));
        session.decide();
        assert_eq!(session.tails.sessions().count(), 1);
        session.acknowledged();
        assert_eq!(session.into_tails().sessions().count(), 0);
    }
}
