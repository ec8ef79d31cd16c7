//! What is kept of a series for one second.

/// The samples of one point: a plain value is the summary of one sample.
///
/// A field that the sender left out is `None`; it is never guessed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Samples, at least 1.
    pub count: u64,
    pub sum: f64,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub sum_squares: Option<f64>,
    /// The newest sample.
    pub last: Option<f64>,
}

/// The stored bytes of a point mean nothing to this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored point of {0} bytes cannot be read")]
pub struct BadPoint(pub usize);

const HAS_MIN: u8 = 1;
const HAS_MAX: u8 = 2;
const HAS_SUM_SQUARES: u8 = 4;
const HAS_LAST: u8 = 8;

impl Summary {
    /// One sample.
    pub fn value(value: f64) -> Self {
        Summary {
            count: 1,
            sum: value,
            min: Some(value),
            max: Some(value),
            sum_squares: Some(value * value),
            last: Some(value),
        }
    }

    pub fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// The newest sample, or the mean where the sender did not say.
    pub fn newest(&self) -> f64 {
        self.last.unwrap_or_else(|| self.mean())
    }

    /// Of the population. `None` without a sum of squares.
    pub fn stddev(&self) -> Option<f64> {
        let mean = self.mean();
        // Rounding can leave a tiny negative where all samples are equal.
        let variance = self.sum_squares? / self.count as f64 - mean * mean;
        Some(variance.max(0.0).sqrt())
    }

    /// Adds the samples of a later point. What one of them does not know, the
    /// result does not know either.
    pub fn merge(&mut self, later: &Summary) {
        self.count = self.count.saturating_add(later.count);
        self.sum += later.sum;
        self.min = self.min.zip(later.min).map(|(a, b)| a.min(b));
        self.max = self.max.zip(later.max).map(|(a, b)| a.max(b));
        self.sum_squares = self.sum_squares.zip(later.sum_squares).map(|(a, b)| a + b);
        self.last = Some(later.newest());
    }

    /// Appends the stored form; see docs/store-format.md, "points".
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        if *self == Summary::value(self.sum) {
            out.extend(self.sum.to_le_bytes());
            return;
        }
        let optional = self.optional();
        let flags = optional
            .iter()
            .filter(|(_, v)| v.is_some())
            .fold(0, |all, (flag, _)| all | flag);
        out.push(flags);
        out.extend(self.count.to_le_bytes());
        out.extend(self.sum.to_le_bytes());
        for value in optional.iter().filter_map(|(_, value)| *value) {
            out.extend(value.to_le_bytes());
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BadPoint> {
        let bad = BadPoint(bytes.len());
        if let Ok(value) = <[u8; 8]>::try_from(bytes) {
            return Ok(Summary::value(f64::from_le_bytes(value)));
        }
        let (&flags, rest) = bytes.split_first().ok_or(bad)?;
        if flags & !(HAS_MIN | HAS_MAX | HAS_SUM_SQUARES | HAS_LAST) != 0 {
            return Err(bad);
        }
        let (words, []) = rest.as_chunks::<8>() else {
            return Err(bad);
        };
        let mut words = words.iter();
        let count = u64::from_le_bytes(*words.next().ok_or(bad)?);
        let mut next = || {
            words
                .next()
                .map(|word| f64::from_le_bytes(*word))
                .ok_or(bad)
        };
        let sum = next()?;
        let mut optional = |flag| {
            if flags & flag == 0 {
                Ok(None)
            } else {
                next().map(Some)
            }
        };
        let summary = Summary {
            count,
            sum,
            min: optional(HAS_MIN)?,
            max: optional(HAS_MAX)?,
            sum_squares: optional(HAS_SUM_SQUARES)?,
            last: optional(HAS_LAST)?,
        };
        if count == 0 || words.next().is_some() {
            return Err(bad);
        }
        Ok(summary)
    }

    fn optional(&self) -> [(u8, Option<f64>); 4] {
        [
            (HAS_MIN, self.min),
            (HAS_MAX, self.max),
            (HAS_SUM_SQUARES, self.sum_squares),
            (HAS_LAST, self.last),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub fn any_summary() -> impl Strategy<Value = Summary> {
        let number = -1e9..1e9f64;
        let optional = || proptest::option::of(-1e9..1e9f64);
        prop_oneof![
            number.clone().prop_map(Summary::value),
            (
                1..u64::MAX,
                number,
                optional(),
                optional(),
                optional(),
                optional()
            )
                .prop_map(|(count, sum, min, max, sum_squares, last)| Summary {
                    count,
                    sum,
                    min,
                    max,
                    sum_squares,
                    last
                }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(summary in any_summary()) {
            let mut bytes = Vec::new();
            summary.encode(&mut bytes);
            prop_assert_eq!(Summary::decode(&bytes), Ok(summary));
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Summary::decode(&bytes);
        }
    }

    #[test]
    fn a_plain_value_takes_eight_bytes() {
        let mut bytes = Vec::new();
        Summary::value(-2.5).encode(&mut bytes);
        assert_eq!(bytes, (-2.5f64).to_le_bytes());
    }

    #[test]
    fn bytes_of_a_later_format_are_refused() {
        let mut unknown_flag = vec![16];
        unknown_flag.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        unknown_flag.extend(1f64.to_le_bytes());
        for bytes in [
            vec![],
            vec![0; 9],
            unknown_flag,
            vec![1; 17],
            vec![0; 17],
            vec![0; 25],
        ] {
            assert_eq!(Summary::decode(&bytes), Err(BadPoint(bytes.len())));
        }
    }

    #[test]
    fn merging_adds_samples_and_keeps_what_both_know() {
        let mut merged = Summary::value(1.0);
        merged.merge(&Summary::value(3.0));
        assert_eq!(merged.mean(), 2.0);
        assert_eq!(merged.stddev(), Some(1.0));
        assert_eq!(
            (merged.min, merged.max, merged.newest()),
            (Some(1.0), Some(3.0), 3.0)
        );

        merged.merge(&Summary {
            count: 2,
            sum: 8.0,
            min: None,
            max: Some(5.0),
            sum_squares: None,
            last: None,
        });
        assert_eq!((merged.count, merged.mean()), (4, 3.0));
        assert_eq!(
            (merged.min, merged.max, merged.stddev()),
            (None, Some(5.0), None)
        );
        assert_eq!(merged.newest(), 4.0);
    }
}
