//! When the events of a delta were, whatever rows they are in: it tells whether lines were
//! flowing when weir began.

use crate::time::Timestamp;
use std::time::Duration;

/// How many events there were, whatever the number of their rows, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    pub events: u64,
    /// The earliest; [`Timestamp::MAX`] of none.
    pub first: Timestamp,
    /// The latest; [`Timestamp::MIN`] of none.
    pub last: Timestamp,
}

impl Times {
    pub const NONE: Times = Times {
        events: 0,
        first: Timestamp::MAX,
        last: Timestamp::MIN,
    };

    #[inline]
    pub(super) fn note(&mut self, at: Timestamp) {
        self.merge(Times {
            events: 1,
            first: at,
            last: at,
        });
    }

    /// Takes in those of another part.
    #[inline]
    pub fn merge(&mut self, other: Times) {
        self.events = self.events.saturating_add(other.events);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// How many events there were of a time before some moment: by the power of two of
/// milliseconds that they were before it at the most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ages(Vec<Age>);

/// The events of one power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Age {
    power: u32,
    events: u64,
    /// How long before the moment the earliest of them was.
    oldest: Duration,
}

impl FromIterator<Duration> for Ages {
    fn from_iter<I: IntoIterator<Item = Duration>>(ages: I) -> Self {
        let mut all = Ages::default();
        ages.into_iter().for_each(|age| all.note(age));
        all
    }
}

impl Ages {
    pub(super) fn note(&mut self, age: Duration) {
        let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        self.add(Age {
            power: u64::BITS - millis.leading_zeros(),
            events: 1,
            oldest: age,
        });
    }

    /// Takes in those of another part.
    pub fn merge(&mut self, other: &Ages) {
        for age in &other.0 {
            self.add(*age);
        }
    }

    fn add(&mut self, age: Age) {
        match self.0.binary_search_by_key(&age.power, |known| known.power) {
            Ok(place) => {
                let known = &mut self.0[place];
                known.events = known.events.saturating_add(age.events);
                known.oldest = known.oldest.max(age.oldest);
            }
            // There are at most 65.
            Err(place) => self.0.insert(place, age),
        }
    }

    /// The longest time before the moment in which at least half as many events were as there
    /// are with such a gap between two: up to the oldest of them. Zero if there is none.
    pub fn flowing_for(&self, gap: Duration) -> Duration {
        let events = self.0.iter().scan(0_u64, |events, age| {
            *events = events.saturating_add(age.events);
            Some((age.oldest, *events))
        });
        let flowing = events.filter(|(oldest, events)| {
            let needed = oldest.as_nanos();
            needed <= gap.as_nanos().saturating_mul(2 * u128::from(*events))
        });
        flowing.map(|(oldest, _)| oldest).max().unwrap_or_default()
    }
}
