//! The values of one group in one window, for percentiles.

use super::histogram::{Histogram, rounded};
use serde::{Deserialize, Serialize};

/// Few values as they are; many as a [`Histogram`] with two significant digits.
///
/// Most groups see few events in a window, and a list of them is smaller than a histogram, and
/// exact. What is exact depends on the number of values alone, never on how they were split
/// over workers, so results repeat to the bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    scale: u32,
    values: Values,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Values {
    /// At most [`LIST_MAX`], in any order.
    Few(Vec<u64>),
    Many(Box<Histogram>),
}

/// Of so many values a percentile is exact; of more it is rounded as in a histogram, whatever
/// they are kept as.
const EXACT_MAX: usize = 64;

/// Up to here a list is no larger than the histogram of usual times in milliseconds, and adding
/// to it is cheaper.
const LIST_MAX: usize = 256;

/// Larger values count as this one; it bounds a histogram at some 30 kB.
const MAX: u64 = 1 << 62;

/// Every whole number up to here is one of floating point, too.
const EXACT_INT_MAX: u64 = 1 << 53;

impl Samples {
    /// Values are multiplied by `scale`, then rounded to whole numbers.
    pub fn new(scale: u32) -> Self {
        Samples {
            scale,
            values: Values::Few(Vec::new()),
        }
    }

    /// What values are multiplied by.
    pub fn scale(&self) -> u32 {
        self.scale
    }

    /// Takes in one value. A histogram starts at zero, and so does this: a negative
    /// value counts as zero.
    pub fn record(&mut self, value: f64) {
        let scaled = (value * f64::from(self.scale)).round();
        self.take(scaled.clamp(0.0, MAX as f64) as u64);
    }

    /// Takes in a whole number, as [`Samples::record`] does.
    #[inline]
    pub fn record_int(&mut self, value: i64) {
        let scaled = (value.max(0) as u64).checked_mul(u64::from(self.scale));
        match scaled {
            Some(scaled) if scaled < EXACT_INT_MAX => self.take(scaled),
            _ => self.record(value as f64),
        }
    }

    #[inline]
    fn take(&mut self, scaled: u64) {
        match &mut self.values {
            Values::Few(values) if values.len() < LIST_MAX => values.push(scaled),
            Values::Many(many) => many.record(scaled),
            Values::Few(_) => self.take_as_many(scaled),
        }
    }

    #[cold]
    fn take_as_many(&mut self, scaled: u64) {
        if let Values::Few(values) = &self.values {
            self.values = Values::Many(histogram(values));
        }
        self.take(scaled);
    }

    /// Takes in all values of `other`.
    pub fn merge(&mut self, other: &Samples) {
        debug_assert_eq!(self.scale, other.scale);
        match (&mut self.values, &other.values) {
            (Values::Few(a), Values::Few(b)) => {
                a.extend(b);
                if a.len() > LIST_MAX {
                    self.values = Values::Many(histogram(a));
                }
            }
            (Values::Few(a), Values::Many(b)) => {
                let mut many = histogram(a);
                many.add(b);
                self.values = Values::Many(many);
            }
            (Values::Many(a), Values::Few(b)) => b.iter().for_each(|&value| a.record(value)),
            (Values::Many(a), Values::Many(b)) => a.add(b),
        }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        match &self.values {
            Values::Few(values) => values.len() as u64,
            Values::Many(many) => many.len(),
        }
    }

    /// Puts the values in order: each percentile of them is one look then, until more come.
    pub fn sort(&mut self) {
        if let Values::Few(values) = &mut self.values {
            values.sort_unstable();
        }
    }

    /// The smallest value that at least `q` percent of the values do not exceed
    /// (the nearest-rank definition). `None` of no values.
    ///
    /// `q` is from 0 to 100. Exact of at most 64 values, and up to 255 after
    /// scaling; else within one percent above.
    pub fn percentile(&self, q: f64) -> Option<f64> {
        let scaled = match &self.values {
            Values::Few(values) => {
                let rank = rank(q, values.len());
                let exact = match values.get(rank) {
                    None => return None,
                    Some(&exact) if values.is_sorted() => exact,
                    Some(_) => *values.clone().select_nth_unstable(rank).1,
                };
                match values.len() <= EXACT_MAX {
                    true => exact,
                    false => rounded(exact),
                }
            }
            Values::Many(many) => many.at_rank(rank(q, many.len() as usize) as u64)?,
        };
        Some(scaled as f64 / f64::from(self.scale))
    }
}

/// The position of the nearest rank among `count` sorted values, from 0.
fn rank(q: f64, count: usize) -> usize {
    // 7 % of 100 values is 7.000000000000001 in floating point, and still the seventh.
    let exact = q / 100.0 * count as f64;
    (exact - exact * f64::EPSILON * 2.0).ceil().max(1.0) as usize - 1
}

fn histogram(values: &[u64]) -> Box<Histogram> {
    let mut many = Histogram::default();
    values.iter().for_each(|&value| many.record(value));
    Box::new(many)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn samples(values: &[u64]) -> Samples {
        let mut samples = Samples::new(1);
        for &value in values {
            samples.record(value as f64);
        }
        samples
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        for (values, q, want) in [
            (vec![], 50.0, None),
            (vec![7], 0.0, Some(7.0)),
            (vec![7], 100.0, Some(7.0)),
            (vec![4, 1, 3, 2], 50.0, Some(2.0)),
            (vec![4, 1, 3, 2], 51.0, Some(3.0)),
            ((1..=20).collect(), 95.0, Some(19.0)),
            ((1..=100).collect(), 7.0, Some(7.0)),
            ((1..=100).collect(), 99.0, Some(99.0)),
        ] {
            assert_eq!(samples(&values).percentile(q), want, "{values:?} at {q}");
        }
    }

    #[test]
    fn a_negative_value_counts_as_zero_and_a_huge_one_as_the_largest() {
        let mut samples = Samples::new(1);
        samples.record(-5.0);
        samples.record(f64::MAX);
        assert_eq!(samples.percentile(0.0), Some(0.0));
        assert_eq!(samples.percentile(100.0), Some(MAX as f64));
    }

    #[test]
    fn fractions_keep_what_the_scale_allows() {
        let mut samples = Samples::new(1000);
        samples.record(0.1254);
        assert_eq!(samples.percentile(50.0), Some(0.125));
    }

    proptest! {
        #[test]
        fn a_whole_number_is_recorded_as_the_same_number_with_a_fraction(
            values in prop::collection::vec(
                prop_oneof![any::<i64>(), -9..9i64, (0..62u32).prop_map(|bits| 1 << bits)],
                1..300,
            ),
            scale in prop::sample::select(vec![1, 1000]),
        ) {
            let (mut ints, mut doubles) = (Samples::new(scale), Samples::new(scale));
            for value in values {
                ints.record_int(value);
                doubles.record(value as f64);
            }
            prop_assert_eq!(ints, doubles);
        }

        #[test]
        fn a_list_says_what_the_histogram_of_its_values_does(
            values in prop::collection::vec(0u64..100_000, 65..256),
            q in 0.0..=100.0f64,
        ) {
            let list = samples(&values);
            let many = Samples { scale: 1, values: Values::Many(histogram(&values)) };
            prop_assert!(matches!(list.values, Values::Few(_)));
            prop_assert_eq!(list.percentile(q), many.percentile(q));
        }

        #[test]
        fn order_makes_no_difference(values in prop::collection::vec(0u64..300, 0..256), q in 0.0..=100.0f64) {
            let as_they_came = samples(&values);
            let mut sorted = as_they_came.clone();
            sorted.sort();
            prop_assert_eq!(sorted.percentile(q), as_they_came.percentile(q));
        }

        #[test]
        fn a_percentile_is_within_one_percent_of_the_exact_one(
            mut values in prop::collection::vec(0u64..10_000_000, 1..500),
            q in 0.0..=100.0f64,
        ) {
            let got = samples(&values).percentile(q).unwrap();
            values.sort_unstable();
            let exact = values[rank(q, values.len())] as f64;
            prop_assert!(got >= exact && got <= exact * 1.01, "{got} for {exact}");
        }
    }
}
