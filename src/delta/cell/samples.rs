//! The values of one group in one window, for percentiles.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Few values as they are; many as an HDR histogram with two significant digits.
///
/// Most groups see few events in a window, and a list of them is both smaller than
/// a histogram and exact. Which of the two it is depends on the number of values
/// alone, never on how they were split over workers, so results repeat to the bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    scale: u32,
    values: Values,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Values {
    /// At most [`FEW`], in order of arrival.
    Few(Vec<u64>),
    Many(#[serde(with = "pairs")] Box<Histogram<u32>>),
}

/// Up to here a list is smaller than a histogram.
const FEW: usize = 64;

/// A value is off by less than one percent: two significant digits.
const SIGNIFICANT_DIGITS: u8 = 2;

/// Larger values count as this one; it bounds a histogram at some 30 kB.
const MAX: f64 = (1u64 << 62) as f64;

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
        let scaled = (value * f64::from(self.scale)).round().clamp(0.0, MAX) as u64;
        match &mut self.values {
            Values::Few(values) if values.len() < FEW => values.push(scaled),
            Values::Few(values) => {
                let mut many = histogram(values);
                add(&mut many, scaled);
                self.values = Values::Many(many);
            }
            Values::Many(many) => add(many, scaled),
        }
    }

    /// Takes in all values of `other`.
    pub fn merge(&mut self, other: Samples) {
        debug_assert_eq!(self.scale, other.scale);
        match (&mut self.values, other.values) {
            (Values::Few(a), Values::Few(b)) => {
                a.extend(b);
                if a.len() > FEW {
                    self.values = Values::Many(histogram(a));
                }
            }
            (Values::Few(a), Values::Many(mut b)) => {
                for &value in a.iter() {
                    add(&mut b, value);
                }
                self.values = Values::Many(b);
            }
            (Values::Many(a), Values::Few(b)) => {
                for value in b {
                    add(a, value);
                }
            }
            // Adding fails only where the target may not grow, and ours may.
            (Values::Many(a), Values::Many(b)) => a.add(&*b).unwrap_or_default(),
        }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        match &self.values {
            Values::Few(values) => values.len() as u64,
            Values::Many(many) => many.len(),
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
                let mut sorted = values.clone();
                sorted.sort_unstable();
                *sorted.get(rank(q, sorted.len()))?
            }
            Values::Many(many) => {
                // Half a rank below the rank wanted: the histogram rounds it up, and
                // floating point cannot push it past.
                let rank = rank(q, many.len() as usize) as f64;
                many.value_at_quantile((rank + 0.5) / many.len() as f64)
            }
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

fn histogram(values: &[u64]) -> Box<Histogram<u32>> {
    // Two digits are within the range that `new` accepts. It grows with its largest value.
    let mut many = Histogram::new(SIGNIFICANT_DIGITS).expect("two significant digits are valid");
    for &value in values {
        add(&mut many, value);
    }
    Box::new(many)
}

/// A histogram as the values that it has, each with how often.
mod pairs {
    use super::{Histogram, histogram};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(many: &Histogram<u32>, to: S) -> Result<S::Ok, S::Error> {
        // A list, since its length is written first.
        let recorded = many.iter_recorded();
        let pairs = recorded.map(|value| (value.value_iterated_to(), value.count_at_value()));
        pairs.collect::<Vec<_>>().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Box<Histogram<u32>>, D::Error> {
        let mut many = histogram(&[]);
        for (value, count) in Vec::<(u64, u32)>::deserialize(from)? {
            // As in `add`.
            many.record_n(value, count).unwrap_or_default();
        }
        Ok(many)
    }
}

fn add(many: &mut Histogram<u32>, value: u64) {
    // Only a value beyond what the histogram may grow to is refused, and ours grows
    // to `MAX` and more.
    many.record(value).unwrap_or_default();
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
        assert_eq!(samples.percentile(100.0), Some(MAX));
    }

    #[test]
    fn fractions_keep_what_the_scale_allows() {
        let mut samples = Samples::new(1000);
        samples.record(0.1254);
        assert_eq!(samples.percentile(50.0), Some(0.125));
    }

    proptest! {
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
