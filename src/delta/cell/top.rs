//! Which values there were most of.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// The counts of the most frequent values: exact while there are at most 1,024 different
/// ones, a lower bound beyond.
///
/// When twice as many have gathered, the 1,025th largest count is taken off all, and what is
/// left of nothing is dropped. Of `n` values in all no count is then more than `n / 1,024`
/// too low, and a value with a larger share than that is never missing. This is the summary
/// of Misra and Gries ("Finding repeated elements", 1982) in the form that merges: Agarwal
/// and others, "Mergeable summaries" (2012).
///
/// While it is exact, parts merge in any order to the same counts. Beyond, which of the rare
/// values are dropped depends on where they are cut into parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Top(#[serde(with = "pairs")] HashMap<Box<[u8]>, u64, RandomState>);

/// The values, each with its count.
mod pairs {
    use super::{HashMap, RandomState};
    use serde::{Deserialize, Deserializer, Serializer};

    type Counts = HashMap<Box<[u8]>, u64, RandomState>;

    pub fn serialize<S: Serializer>(counts: &Counts, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(counts)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Counts, D::Error> {
        let pairs = Vec::<(Box<[u8]>, u64)>::deserialize(from)?;
        Ok(pairs.into_iter().collect())
    }
}

/// Values that are kept when some are dropped.
const KEPT: usize = 1024;

impl Top {
    /// Takes in one value. Allocates for a value that is new in its window alone.
    pub fn observe(&mut self, value: &[u8]) {
        self.add(value, 1);
    }

    /// Takes in all values of `other`.
    pub fn merge(&mut self, other: Top) {
        for (value, count) in other.0 {
            *self.0.entry(value).or_default() += count;
        }
        self.prune(KEPT);
    }

    /// The `k` values with the largest counts, the largest first; of equal ones the first in
    /// the order of their bytes.
    pub fn largest(&self, k: usize) -> Vec<(&[u8], u64)> {
        let mut all: Vec<_> = self.0.iter().map(|(value, n)| (&**value, *n)).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all.truncate(k);
        all
    }

    fn add(&mut self, value: &[u8], count: u64) {
        if let Some(known) = self.0.get_mut(value) {
            *known += count;
            return;
        }
        self.0.insert(value.into(), count);
        self.prune(2 * KEPT);
    }

    /// Drops the rarest values where there are more than `max`.
    fn prune(&mut self, max: usize) {
        if self.0.len() <= max {
            return;
        }
        let mut counts: Vec<u64> = self.0.values().copied().collect();
        let (_, &mut surplus, _) = counts.select_nth_unstable_by(KEPT, |a, b| b.cmp(a));
        self.0.retain(|_, count| {
            *count = count.saturating_sub(surplus);
            *count > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn top(values: impl IntoIterator<Item = u32>) -> Top {
        let mut top = Top::default();
        for value in values {
            top.observe(value.to_string().as_bytes());
        }
        top
    }

    #[test]
    fn the_most_frequent_come_first_and_equal_ones_in_order() {
        let top = top([3, 1, 2, 3, 2, 4]);
        let want: [(&[u8], u64); 3] = [(b"2", 2), (b"3", 2), (b"1", 1)];
        assert_eq!(top.largest(3), want);
        assert_eq!(top.largest(9).len(), 4);
    }

    #[test]
    fn a_new_value_each_time_keeps_it_small_and_the_frequent_ones_in_it() {
        let mut top = Top::default();
        for n in 0..100_000_u32 {
            top.observe(n.to_string().as_bytes());
            if n % 100 == 0 {
                top.observe(b"often");
            }
            assert!(top.0.len() <= 2 * KEPT);
        }
        let (value, count) = top.largest(1)[0];
        assert_eq!(value, b"often");
        assert!(
            (1000 - 101_000 / KEPT as u64..=1000).contains(&count),
            "{count}"
        );
    }

    proptest! {
        #[test]
        fn parts_of_few_values_merge_exactly(
            values in prop::collection::vec(0u32..900, 0..3000),
            at in 0usize..3000,
        ) {
            let (a, b) = values.split_at(at.min(values.len()));
            let mut merged = top(b.iter().copied());
            merged.merge(top(a.iter().copied()));
            prop_assert_eq!(merged, top(values));
        }
    }
}
