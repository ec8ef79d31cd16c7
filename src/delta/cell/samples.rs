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

/// A list has at most [`LIST_MAX`] values, in any order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
enum Values {
    /// None of them has more than 32 bits: 49 days in milliseconds have.
    Few(Vec<u32>),
    /// Some of them have. Rare, and one word in all the others.
    #[expect(
        clippy::box_collection,
        reason = "a list in itself makes every cell larger"
    )]
    Wide(Box<Vec<u64>>),
    Many(Box<Histogram>),
}

/// How values are written: how many bits they have in memory does not matter there.
#[derive(Serialize, Deserialize)]
enum Written {
    List(Vec<u64>),
    Many(Box<Histogram>),
}

impl From<Values> for Written {
    fn from(values: Values) -> Self {
        match values {
            Values::Few(values) => Written::List(values.into_iter().map(u64::from).collect()),
            Values::Wide(values) => Written::List(*values),
            Values::Many(many) => Written::Many(many),
        }
    }
}

impl From<Written> for Values {
    fn from(written: Written) -> Self {
        let values = match written {
            Written::Many(many) => return Values::Many(many),
            Written::List(values) => values,
        };
        let few = values.iter().map(|&value| u32::try_from(value));
        match few.collect() {
            Ok(few) => Values::Few(few),
            Err(_) => Values::Wide(Box::new(values)),
        }
    }
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

    #[inline(always)]
    fn take(&mut self, scaled: u64) {
        match (&mut self.values, u32::try_from(scaled)) {
            (Values::Few(values), Ok(scaled)) if values.len() < LIST_MAX => values.push(scaled),
            (Values::Many(many), _) => many.record(scaled),
            _ => self.take_otherwise(scaled),
        }
    }

    /// Takes in one that a list of few has no room for.
    #[cold]
    fn take_otherwise(&mut self, scaled: u64) {
        match &mut self.values {
            Values::Wide(values) if values.len() < LIST_MAX => values.push(scaled),
            Values::Few(values) if values.len() < LIST_MAX => {
                let values = values.iter().map(|&value| u64::from(value));
                self.values = Values::Wide(Box::new(values.chain([scaled]).collect()));
            }
            _ => self.change_many(|many| many.record(scaled)),
        }
    }

    /// Changes the histogram of the values, which they are kept as from here on.
    fn change_many(&mut self, change: impl FnOnce(&mut Histogram)) {
        let mut many = match std::mem::replace(&mut self.values, Values::Few(Vec::new())) {
            Values::Few(values) => histogram(&values),
            Values::Wide(values) => histogram(&values),
            Values::Many(many) => many,
        };
        change(&mut many);
        self.values = Values::Many(many);
    }

    /// Takes in all values of `other`.
    pub fn merge(&mut self, other: &Samples) {
        debug_assert_eq!(self.scale, other.scale);
        match (&mut self.values, &other.values) {
            (Values::Few(a), Values::Few(b)) if a.len() + b.len() <= LIST_MAX => {
                a.extend_from_slice(b);
            }
            (_, Values::Few(b)) => b.iter().for_each(|&value| self.take(value.into())),
            (_, Values::Wide(b)) => b.iter().for_each(|&value| self.take(value)),
            (_, Values::Many(b)) => self.change_many(|many| many.add(b)),
        }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        match &self.values {
            Values::Few(values) => values.len() as u64,
            Values::Wide(values) => values.len() as u64,
            Values::Many(many) => many.len(),
        }
    }

    /// Puts the values in order: each percentile of them is one look then, until more come.
    pub fn sort(&mut self) {
        match &mut self.values {
            Values::Few(values) => values.sort_unstable(),
            Values::Wide(values) => values.sort_unstable(),
            Values::Many(_) => {}
        }
    }

    /// The smallest value that at least `q` percent of the values do not exceed
    /// (the nearest-rank definition). `None` of no values.
    ///
    /// `q` is from 0 to 100. Exact of at most 64 values, and up to 255 after
    /// scaling; else within one percent above.
    pub fn percentile(&self, q: f64) -> Option<f64> {
        let scaled = match &self.values {
            Values::Few(values) => of_list(values, q)?,
            Values::Wide(values) => of_list(values, q)?,
            Values::Many(many) => many.at_rank(rank(q, many.len() as usize) as u64)?,
        };
        Some(scaled as f64 / f64::from(self.scale))
    }
}

/// The percentile of these values. `None` of no values.
fn of_list<T: Copy + Ord + Into<u64>>(values: &[T], q: f64) -> Option<u64> {
    let rank = rank(q, values.len());
    let exact = match values.get(rank)? {
        &exact if values.is_sorted() => exact,
        _ => *values.to_vec().select_nth_unstable(rank).1,
    };
    match values.len() <= EXACT_MAX {
        true => Some(exact.into()),
        false => Some(rounded(exact.into())),
    }
}

/// The position of the nearest rank among `count` sorted values, from 0.
fn rank(q: f64, count: usize) -> usize {
    // 7 % of 100 values is 7.000000000000001 in floating point, and still the seventh.
    let exact = q / 100.0 * count as f64;
    (exact - exact * f64::EPSILON * 2.0).ceil().max(1.0) as usize - 1
}

fn histogram<T: Copy + Into<u64>>(values: &[T]) -> Box<Histogram> {
    let mut many = Histogram::default();
    values.iter().for_each(|&value| many.record(value.into()));
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

    #[test]
    fn how_wide_values_are_in_memory_is_not_written() {
        for values in [&[7, 1 << 20][..], &[7, 1 << 40]] {
            let written = postcard::to_stdvec(&samples(values)).unwrap();
            // The scale, which of the two they are, and the values.
            let expected = postcard::to_stdvec(&(1u32, 0u32, values)).unwrap();
            assert_eq!(written, expected);
        }
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
