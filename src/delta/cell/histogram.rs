//! A histogram of whole numbers with two significant digits, as HdrHistogram has it
//! (<https://hdrhistogram.org>, "High Dynamic Range Histogram" by Gil Tene).
//!
//! Values up to 255 have a counter each. Above, each power of two has 128, so that a value is
//! off by less than one percent: 256 and 257 share one, and 512 to 515. The places of the
//! counters follow from the value's bits alone.
//!
//! The crate of that name does the same for any precision, range and type of counter. With all
//! of these fixed, recording a value is a shift, an addition and an increment, a third of what
//! it costs there; that is once for each line and percentile. The tests hold this to that
//! crate.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Counters are there up to the largest value that was recorded. A value beyond `u32::MAX`
/// times in one of them is counted that often.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u32>,
    total: u64,
}

/// Values have so many bits at least that tell them apart.
const BITS: u32 = 8;
/// Counters for each power of two beyond the first 256.
const HALF: usize = 1 << (BITS - 1);
/// Counters are added so many at a time, since a larger value than the largest comes often.
const STEP: usize = 64;

impl Histogram {
    /// Takes in one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Takes in a value so many times.
    #[inline]
    pub fn record_n(&mut self, value: u64, times: u32) {
        let place = place(value);
        if place >= self.counts.len() {
            self.grow(place);
        }
        let count = &mut self.counts[place];
        *count = count.saturating_add(times);
        self.total += u64::from(times);
    }

    #[cold]
    fn grow(&mut self, place: usize) {
        let counters = (place + 1).next_multiple_of(STEP);
        self.counts.reserve_exact(counters - self.counts.len());
        self.counts.resize(counters, 0);
    }

    /// Takes in all values of another.
    pub fn add(&mut self, other: &Histogram) {
        if other.counts.len() > self.counts.len() {
            self.grow(other.counts.len() - 1);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        self.total += other.total;
    }

    /// How many values there are.
    pub fn len(&self) -> u64 {
        self.total
    }

    /// The largest value that shares a counter with the one of that rank, from 0. `None` if
    /// there are no more values.
    pub fn at_rank(&self, rank: u64) -> Option<u64> {
        let mut up_to = 0;
        self.recorded().find_map(|(value, count)| {
            up_to += u64::from(count);
            (up_to > rank).then_some(value)
        })
    }

    /// The largest value of each counter that is not 0, ascending, and the counter.
    pub fn recorded(&self) -> impl Iterator<Item = (u64, u32)> {
        let counts = self.counts.iter().copied().enumerate();
        let recorded = counts.filter(|(_, count)| *count > 0);
        recorded.map(|(place, count)| (largest(place), count))
    }
}

/// The same values, whatever room there is for more.
impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        self.total == other.total && self.recorded().eq(other.recorded())
    }
}

/// The largest value that shares a counter with this one.
pub fn rounded(value: u64) -> u64 {
    largest(place(value))
}

/// Which counter a value has.
#[inline]
fn place(value: u64) -> usize {
    // By how many bits it is longer than what is told apart.
    let shift = (u64::BITS - BITS).saturating_sub((value | 1).leading_zeros());
    shift as usize * HALF + (value >> shift) as usize
}

/// The largest value that has this counter.
fn largest(place: usize) -> u64 {
    let Some(shift) = (place / HALF).checked_sub(1) else {
        return place as u64;
    };
    let within = (place - shift * HALF) as u64;
    // The last one of all ends where numbers do.
    (within << shift) | ((1 << shift) - 1)
}

/// As pairs of a value and how often it is there.
impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // A list, since its length is written first.
        self.recorded().collect::<Vec<_>>().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut histogram = Histogram::default();
        for (value, count) in Vec::<(u64, u32)>::deserialize(from)? {
            histogram.record_n(value, count);
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn histogram(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|&value| histogram.record(value));
        histogram
    }

    /// As large as the crate takes them.
    fn values() -> impl Strategy<Value = Vec<u64>> {
        let value = (0..62u32).prop_flat_map(|bits| 0..=1u64 << bits);
        prop::collection::vec(value, 1..300)
    }

    #[test]
    fn a_value_is_rounded_to_two_digits() {
        for (value, up) in [
            (0, 0),
            (1, 1),
            (255, 255),
            (256, 257),
            (257, 257),
            (512, 515),
            (1000, 1003),
            (1 << 62, (1 << 62) + (1 << 55) - 1),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(rounded(value), up, "{value}");
        }
    }

    #[test]
    fn a_counter_that_is_full_stays_so() {
        let mut full = histogram(&[7]);
        full.record_n(7, u32::MAX);
        full.add(&full.clone());
        assert_eq!(full.recorded().collect::<Vec<_>>(), [(7, u32::MAX)]);
    }

    proptest! {
        #[test]
        fn it_is_what_the_crate_makes_of_the_same_values(values in values(), more in values()) {
            let mut other = hdrhistogram::Histogram::<u32>::new(2).unwrap();
            let mut own = histogram(&values);
            own.add(&histogram(&more));
            for value in values.iter().chain(&more) {
                other.record(*value).unwrap();
            }
            let recorded = other.iter_recorded();
            let recorded: Vec<_> = recorded
                .map(|value| (value.value_iterated_to(), value.count_at_value()))
                .collect();
            prop_assert_eq!(own.recorded().collect::<Vec<_>>(), recorded);
            prop_assert_eq!(own.len(), other.len());
            for rank in 0..own.len() {
                let quantile = (rank as f64 + 0.5) / other.len() as f64;
                prop_assert_eq!(own.at_rank(rank), Some(other.value_at_quantile(quantile)));
            }
            prop_assert_eq!(own.at_rank(own.len()), None);
        }

        #[test]
        fn what_is_written_reads_back(values in values()) {
            let own = histogram(&values);
            let bytes = postcard::to_stdvec(&own).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Histogram>(&bytes).unwrap(), own);
        }
    }
}
