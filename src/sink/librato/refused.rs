//! What the far side has refused of late, so that it is not asked the same again and again.

use super::answer::Blame;
use crate::metric::{Measurement, Series};
use crate::time::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// For so long what was refused is left out.
pub const FOR: Duration = Duration::from_secs(600);

/// So many are remembered; then the oldest is forgotten.
pub const MAX: usize = 10_000;

#[derive(Default)]
pub struct Refused(Mutex<State>);

#[derive(Default)]
struct State {
    refusals: HashMap<Key, Refusal>,
    /// In the order in which they end.
    order: VecDeque<(Instant, Key)>,
}

/// One that was refused, and for which others are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    until: Instant,
    /// The far side's words.
    pub why: Arc<str>,
    /// As [`Health`](crate::sink::health::Health) knows it.
    pub number: u64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Name(Arc<str>),
    Series(Series),
    Time(Timestamp),
}

impl Refused {
    /// A measurement was refused, for that reason and with these words.
    pub fn note(&self, measurement: &Measurement, blame: Blame, why: &Arc<str>, number: u64) {
        let key = match blame {
            Blame::Itself => return,
            Blame::Time => Key::Time(measurement.time),
            Blame::Name => Key::Name(Arc::clone(&measurement.series.name)),
            Blame::Series => Key::Series(measurement.series.clone()),
        };
        let until = Instant::now() + FOR;
        let mut state = self.lock();
        let refusal = Refusal {
            until,
            why: Arc::clone(why),
            number,
        };
        state.refusals.insert(key.clone(), refusal);
        state.order.push_back((until, key));
        while state.order.len() > MAX {
            state.forget_oldest();
        }
    }

    /// For what it would be refused again; `None`: nobody knows that it would.
    pub fn covers(&self, measurement: &Measurement) -> Option<Refusal> {
        let mut state = self.lock();
        let now = Instant::now();
        while state.order.front().is_some_and(|(until, _)| *until <= now) {
            state.forget_oldest();
        }
        if state.refusals.is_empty() {
            return None;
        }
        let series = &measurement.series;
        [
            Key::Name(Arc::clone(&series.name)),
            Key::Series(series.clone()),
            Key::Time(measurement.time),
        ]
        .iter()
        .find_map(|key| state.refusals.get(key).cloned())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_oldest(&mut self) {
        if let Some((until, key)) = self.order.pop_front()
            // It may have been refused again since.
            && self.refusals.get(&key).is_some_and(|refusal| refusal.until == until)
        {
            self.refusals.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(name: &str, service: &str, time: i64) -> Measurement {
        Measurement {
            series: Series {
                name: name.into(),
                tags: [("service".into(), service.into())].into(),
            },
            time: Timestamp::from_secs(time),
            period: Duration::from_secs(10),
            value: 1.0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_alike_is_covered_for_a_while() {
        for (blame, covered) in [
            (Blame::Itself, [false, false, false, false]),
            (Blame::Time, [true, true, true, false]),
            (Blame::Name, [true, true, false, true]),
            (Blame::Series, [true, false, false, true]),
        ] {
            let refused = Refused::default();
            refused.note(&measurement("a", "x", 1), blame, &"no".into(), 1);
            let found = || {
                [("a", "x", 1), ("a", "y", 1), ("b", "x", 1), ("a", "x", 2)].map(
                    |(name, service, time)| {
                        refused.covers(&measurement(name, service, time)).is_some()
                    },
                )
            };
            // Of the second, only the name and the time are the same.
            assert_eq!(found(), covered, "{blame:?}");
            tokio::time::advance(FOR).await;
            assert_eq!(found(), [false; 4]);
        }
    }

    #[test]
    fn it_is_bounded() {
        let refused = Refused::default();
        let why = "no".into();
        for time in 0..MAX as i64 + 1 {
            refused.note(&measurement("a", "x", time), Blame::Time, &why, 1);
        }
        assert!(refused.covers(&measurement("a", "x", 0)).is_none());
        assert!(refused.covers(&measurement("a", "x", 1)).is_some());
        assert_eq!(refused.lock().refusals.len(), MAX);
    }
}
