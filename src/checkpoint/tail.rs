//! Tails: the frames that each sender sent last, by fingerprint.
//!
//! A sender whose connection breaks sends again what it saw no acknowledgement of. Part of
//! that is kept already; by its tail it is known.

use super::format::damaged;
use super::record::{decode_peer, encode_peer, take};
use crate::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// Fingerprints of a session; the oldest make room.
pub const FRAMES_MAX: usize = 1_024;
/// Sessions with a tail, living ones too; beyond, the one that has sent nothing for
/// longest is forgotten.
pub const TAILS_MAX: usize = 1_000;
/// A tail with nothing newer is forgotten: what a sender still has by then, it has kept for
/// another reason.
pub const AGE_MAX: Duration = Duration::from_secs(600);

/// Tails that were taken, each with its session's number, the oldest session first.
#[derive(Debug, Default)]
pub struct Taken(Vec<(u64, Tail)>);

/// The tails of all sessions, by number: the order in which they began.
#[derive(Debug, Default)]
pub struct Tails(BTreeMap<u64, Tail>);

#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    peer: IpAddr,
    /// Of its newest record.
    received_at: Timestamp,
    /// The sequence of its newest record: those up to it are not added again.
    through: u64,
    fingerprints: VecDeque<u128>,
    /// Its session has broken off.
    ended: bool,
    /// As it is, it stands in the file.
    written: bool,
}

impl Tails {
    /// Adds a record's frames to its session's tail.
    pub fn add(
        &mut self,
        session: u64,
        peer: IpAddr,
        received_at: Timestamp,
        sequence: u64,
        fingerprints: &[u128],
    ) {
        let tail = self.0.entry(session).or_insert_with(|| Tail {
            peer: peer.to_canonical(),
            received_at,
            through: 0,
            fingerprints: VecDeque::new(),
            ended: false,
            written: false,
        });
        if !tail.fingerprints.is_empty() && sequence <= tail.through {
            return;
        }
        tail.received_at = received_at;
        tail.through = sequence;
        tail.written = false;
        tail.fingerprints.extend(fingerprints);
        let excess = tail.fingerprints.len().saturating_sub(FRAMES_MAX);
        tail.fingerprints.drain(..excess);
        self.trim(received_at);
    }

    /// Puts back one that the file has.
    pub fn restore(&mut self, session: u64, tail: Tail) {
        self.0.insert(session, tail);
    }

    /// Whether there was one.
    pub fn forget(&mut self, session: u64) -> bool {
        self.0.remove(&session).is_some()
    }

    pub fn broke_off(&mut self, session: u64) {
        if let Some(tail) = self.0.get_mut(&session) {
            tail.ended = true;
        }
    }

    /// After a start no session lives.
    pub fn all_broke_off(&mut self) {
        self.0.values_mut().for_each(|tail| tail.ended = true);
    }

    /// Takes those of that peer that have broken off.
    pub fn take(&mut self, peer: IpAddr, now: Timestamp) -> Taken {
        self.trim(now);
        let peer = peer.to_canonical();
        let taken = self
            .0
            .extract_if(.., |_, tail| tail.ended && tail.peer == peer);
        Taken(taken.collect())
    }

    /// Puts back what was taken, as if it had not been.
    pub fn give_back(&mut self, taken: Taken) {
        for (session, mut tail) in taken.0 {
            // A checkpoint meanwhile may have left it out.
            tail.written = false;
            let received_at = tail.received_at;
            self.0.insert(session, tail);
            self.trim(received_at);
        }
    }

    fn trim(&mut self, now: Timestamp) {
        self.0
            .retain(|_, tail| now.saturating_since(tail.received_at) <= AGE_MAX);
        while self.0.len() > TAILS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, tail)| tail.received_at);
            let oldest = oldest.map(|(session, _)| *session);
            oldest.and_then(|session| self.0.remove(&session));
        }
    }

    pub fn contains(&self, session: u64) -> bool {
        self.0.contains_key(&session)
    }

    /// Those that are in the file otherwise, or not; with `all`, each.
    pub fn unwritten(&self, all: bool) -> Vec<(u64, Tail)> {
        let tails = self.0.iter();
        tails
            .filter(|(_, tail)| all || !tail.written)
            .map(|(session, tail)| (*session, tail.clone()))
            .collect()
    }

    /// Notes that these are in the file.
    pub fn written(&mut self, tails: &[(u64, Tail)]) {
        for (session, written) in tails {
            if let Some(tail) = self.0.get_mut(session)
                && tail.through == written.through
            {
                tail.written = true;
            }
        }
    }
}

impl Taken {
    /// The fingerprints of each session, in the order in which its frames came.
    pub fn sessions(&self) -> impl Iterator<Item = &VecDeque<u128>> {
        self.0.iter().map(|(_, tail)| &tail.fingerprints)
    }
}

#[cfg(test)]
impl Taken {
    /// As one session's that has broken off.
    pub fn of(session: u64, fingerprints: impl IntoIterator<Item = u128>) -> Taken {
        let tail = Tail {
            peer: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            received_at: Timestamp::from_secs(0),
            through: 0,
            fingerprints: fingerprints.into_iter().collect(),
            ended: true,
            written: false,
        };
        Taken(vec![(session, tail)])
    }

    pub fn and(mut self, more: Taken) -> Taken {
        self.0.extend(more.0);
        self
    }

    pub fn fingerprints(&self) -> Vec<u128> {
        self.sessions().flatten().copied().collect()
    }
}

impl Tail {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + 16 * self.fingerprints.len());
        out.extend(encode_peer(self.peer));
        out.extend(self.received_at.as_micros().to_le_bytes());
        out.extend(self.through.to_le_bytes());
        for fingerprint in &self.fingerprints {
            out.extend(fingerprint.to_le_bytes());
        }
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Tail, redb::Error> {
        fn read(mut rest: &[u8]) -> Option<Tail> {
            let peer = decode_peer(take(&mut rest)?);
            let received_at = i64::from_le_bytes(take(&mut rest)?);
            let through = u64::from_le_bytes(take(&mut rest)?);
            let (fingerprints, rest) = rest.as_chunks::<16>();
            (rest.is_empty() && fingerprints.len() <= FRAMES_MAX).then(|| Tail {
                peer,
                received_at: Timestamp::from_micros(received_at),
                through,
                fingerprints: fingerprints
                    .iter()
                    .copied()
                    .map(u128::from_le_bytes)
                    .collect(),
                ended: true,
                written: true,
            })
        }
        read(bytes).ok_or_else(|| damaged("tails", "a tail cannot be read"))
    }
}

/// What stands in the file for a session that has closed, until its records are gone.
pub const CLOSED: &[u8] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn only_what_has_broken_off_is_taken_and_once() {
        let mut tails = Tails::default();
        tails.add(1, ONE, at(10), 0, &[1, 2]);
        tails.add(2, ONE, at(11), 1, &[3]);
        tails.add(3, OTHER, at(12), 2, &[4]);
        tails.add(1, ONE, at(13), 3, &[5]);
        tails.add(1, ONE, at(13), 3, &[5]);
        assert_eq!(tails.take(ONE, at(14)).fingerprints(), []);
        for session in [1, 2, 3] {
            tails.broke_off(session);
        }
        assert!(tails.forget(2) && !tails.forget(2));
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(tails.take(mapped, at(14)).fingerprints(), [1, 2, 5]);
        assert_eq!(tails.take(ONE, at(14)).fingerprints(), []);
        assert_eq!(tails.take(OTHER, at(612)).fingerprints(), [4]);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_is_written_again() {
        let mut tails = Tails::default();
        tails.add(1, ONE, at(10), 0, &[1, 2]);
        tails.broke_off(1);
        tails.written(&tails.unwritten(true));
        let taken = tails.take(ONE, at(11));
        assert!(!tails.contains(1));
        tails.give_back(taken);
        assert_eq!(tails.unwritten(false).len(), 1);
        assert_eq!(tails.take(ONE, at(12)).fingerprints(), [1, 2]);
    }

    #[test]
    fn ten_minutes_are_too_old_and_a_clock_that_went_back_is_not() {
        for (now, left) in [(600, &[7][..]), (601, &[]), (-9_999, &[7])] {
            let mut tails = Tails::default();
            tails.add(1, ONE, at(0), 0, &[7]);
            tails.broke_off(1);
            assert_eq!(tails.take(ONE, at(now)).fingerprints(), left, "{now}");
        }
    }

    #[test]
    fn the_oldest_make_room() {
        let mut tails = Tails::default();
        for n in 0..FRAMES_MAX as u64 + 3 {
            tails.add(0, ONE, at(0), n, &[u128::from(n)]);
        }
        for session in 1..TAILS_MAX as u64 {
            tails.add(session, OTHER, at(1), 5_000 + session, &[9]);
        }
        tails.all_broke_off();
        assert_eq!(tails.0.len(), TAILS_MAX);
        tails.add(9_999, OTHER, at(2), 9_999, &[9]);
        assert!(!tails.contains(0) && tails.contains(1) && tails.contains(9_999));
    }

    #[test]
    fn a_tail_is_read_back() {
        let mut tails = Tails::default();
        for n in 0..FRAMES_MAX as u64 + 3 {
            tails.add(4, ONE, at(5), n, &[u128::from(n) << 64]);
        }
        let (session, mut tail) = tails.unwritten(false).pop().unwrap();
        assert_eq!(session, 4);
        assert_eq!(tail.fingerprints[0], 3 << 64);
        let bytes = tail.encode();
        (tail.ended, tail.written) = (true, true);
        assert_eq!(Tail::decode(&bytes).unwrap(), tail);
        assert!(Tail::decode(&bytes[1..]).is_err());
    }
}
