//! Sums that are the same in any order.
//!
//! Floating-point addition is not associative. These add whole numbers, so any split of the
//! same events over workers gives the same bits.

use serde::{Deserialize, Serialize};

/// A sum and how many values are in it.
///
/// The sum is a fixed-point number with 32 fractional bits. Integers are exact; a fraction
/// is rounded to 2⁻³².
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    pub count: u64,
    fixed: Fixed,
}

/// A whole number of 128 bits in two words. A number that the processor has no register for is
/// aligned to 16 bytes, and all cells would be larger by a half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "i128", into = "i128")]
struct Fixed {
    low: u64,
    high: u64,
}

impl From<i128> for Fixed {
    fn from(number: i128) -> Self {
        Fixed {
            low: number as u64,
            high: (number >> 64) as u64,
        }
    }
}

impl From<Fixed> for i128 {
    fn from(fixed: Fixed) -> Self {
        (u128::from(fixed.high) << 64 | u128::from(fixed.low)) as i128
    }
}

impl Sum {
    const ONE: f64 = (1u64 << 32) as f64;

    /// Takes in one value.
    #[inline(never)]
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        // The cast saturates: a value beyond 2⁹⁵ counts as 2⁹⁵.
        self.add_fixed((value * Self::ONE).round() as i128);
    }

    /// Takes in a whole number, as [`Sum::add`] does.
    #[inline]
    pub fn add_int(&mut self, value: i64) {
        // Up to there it is the same number in floating point.
        if value.unsigned_abs() >= 1 << 53 {
            return self.add(value as f64);
        }
        self.count += 1;
        self.add_fixed(i128::from(value) << 32);
    }

    pub fn merge(&mut self, other: Sum) {
        self.count += other.count;
        self.add_fixed(other.fixed.into());
    }

    fn add_fixed(&mut self, fixed: i128) {
        self.fixed = i128::from(self.fixed).saturating_add(fixed).into();
    }

    pub fn total(&self) -> f64 {
        i128::from(self.fixed) as f64 / Self::ONE
    }

    /// `None` of no values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.total() / self.count as f64)
    }
}

/// How far values spread around their mean.
///
/// Values are rounded to 2⁻¹⁰, and those beyond ±2⁴⁰ count as that. Then the sum of the
/// squares of a hundred million of them is exact, and so is the difference that makes the
/// variance: nothing is lost where values are large and close together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moments {
    count: u64,
    sum: i128,
    squares: i128,
}

impl Moments {
    const ONE: f64 = (1u64 << 10) as f64;
    const MAX: f64 = (1u64 << 50) as f64;

    /// Takes in one value.
    pub fn add(&mut self, value: f64) {
        let scaled = (value * Self::ONE).round().clamp(-Self::MAX, Self::MAX) as i128;
        self.count += 1;
        self.sum = self.sum.saturating_add(scaled);
        self.squares = self.squares.saturating_add(scaled * scaled);
    }

    pub fn merge(&mut self, other: Moments) {
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.squares = self.squares.saturating_add(other.squares);
    }

    /// The standard deviation of the values, as of a whole population: 0 of one value.
    /// `None` of no values.
    pub fn stddev(&self) -> Option<f64> {
        let count = i128::from(self.count);
        if count == 0 {
            return None;
        }
        // With sum = count × mean + rest, the squared distances from `mean` are
        // squares - count × mean² - 2 × mean × rest, all of them whole numbers.
        let (mean, rest) = (self.sum.div_euclid(count), self.sum.rem_euclid(count));
        let distances = self
            .squares
            .saturating_sub(mean.saturating_mul(self.sum))
            .saturating_sub(mean.saturating_mul(rest));
        let (n, rest) = (self.count as f64, rest as f64);
        // The true mean is `rest / count` above `mean`.
        let variance = (distances as f64 - rest * rest / n) / n;
        Some(variance.max(0.0).sqrt() / Self::ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stddev(values: &[f64]) -> Option<f64> {
        let mut moments = Moments::default();
        values.iter().for_each(|&value| moments.add(value));
        moments.stddev()
    }

    #[test]
    fn a_sum_is_written_as_one_number_and_how_many_there_were() {
        let mut sum = Sum::default();
        sum.add_int(-3);
        sum.add(0.5);
        let written = postcard::to_stdvec(&sum).unwrap();
        let expected = postcard::to_stdvec(&(2u64, -5i128 << 31)).unwrap();
        assert_eq!(written, expected);
    }

    #[test]
    fn sums_of_integers_are_exact() {
        let mut sum = Sum::default();
        for value in [9_007_199_254_740_991.0, 1.0, -9_007_199_254_740_991.0] {
            sum.add(value);
        }
        assert_eq!((sum.count, sum.total()), (3, 1.0));
    }

    #[test]
    fn large_values_that_are_close_together_spread_little() {
        assert_eq!(stddev(&[]), None);
        assert_eq!(stddev(&[7.0]), Some(0.0));
        assert_eq!(stddev(&[1e12, 1e12 + 2.0]), Some(1.0));
        assert_eq!(stddev(&[-3.0, -3.0, 3.0, 3.0]), Some(3.0));
        assert!(stddev(&[f64::MAX, f64::MIN]).is_some_and(f64::is_finite));
    }

    proptest! {
        #[test]
        fn a_whole_number_is_added_as_the_same_number_with_a_fraction(
            values in prop::collection::vec(prop_oneof![any::<i64>(), -9..9i64], 1..9),
        ) {
            let (mut ints, mut doubles) = (Sum::default(), Sum::default());
            for value in values {
                ints.add_int(value);
                doubles.add(value as f64);
            }
            prop_assert_eq!(ints, doubles);
        }

        #[test]
        fn the_deviation_is_that_of_the_textbook(
            values in prop::collection::vec(-1e6..1e6f64, 1..200),
        ) {
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            let got = stddev(&values).unwrap();
            prop_assert!((got - variance.sqrt()).abs() <= 1e-3, "{} {}", got, variance.sqrt());
        }
    }
}
