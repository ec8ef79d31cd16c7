//! Durations counted in fixed buckets, of which most are empty and cost nothing.

use serde::{Deserialize, Serialize};

/// Four buckets to a doubling: below 4 ms each millisecond has one, and from 2^19 ms, nearly
/// nine minutes, on there is one for all.
const BUCKETS: u8 = 73;

/// Buckets for the eyes, two to a doubling: the same edges, every other from 4 ms on.
pub const WIDE_BUCKETS: usize = 39;

/// How often durations of which length, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Bucket and count, in order of the buckets; none is 0.
    counts: Vec<(u8, u32)>,
}

impl Latency {
    pub fn add(&mut self, millis: u64, weight: u64) {
        self.add_to(bucket(millis), u32::try_from(weight).unwrap_or(u32::MAX));
    }

    pub fn merge(&mut self, other: &Latency) {
        for &(bucket, count) in &other.counts {
            self.add_to(bucket, count);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The value below which that share of the durations is, from 0 to 1, as even as a bucket
    /// lets one guess; never above `max`, the longest. `None` of none.
    pub fn quantile(&self, share: f64, max: u64) -> Option<f64> {
        let all: u64 = self.counts.iter().map(|(_, count)| u64::from(*count)).sum();
        let rank = (share * all as f64).ceil().clamp(1.0, all.max(1) as f64);
        let mut below = 0.0;
        for &(bucket, count) in &self.counts {
            let count = f64::from(count);
            if below + count >= rank {
                let (from, to) = (
                    edge(bucket),
                    edge(bucket + 1)
                        .min(max.saturating_add(1))
                        .max(edge(bucket) + 1),
                );
                // A bucket of one millisecond has one value.
                let last = (to - 1) as f64;
                let within = (rank - below) / count;
                return Some((from as f64 + (last - from as f64) * within).min(max as f64));
            }
            below += count;
        }
        None
    }

    /// Counts by bucket for the eyes.
    pub fn wide(&self) -> [u64; WIDE_BUCKETS] {
        let mut wide = [0; WIDE_BUCKETS];
        for &(bucket, count) in &self.counts {
            wide[widened(bucket)] += u64::from(count);
        }
        wide
    }

    /// Whether it can be what this type has made.
    pub fn is_sound(&self) -> bool {
        self.counts.is_sorted_by(|one, next| one.0 < next.0)
            && self
                .counts
                .iter()
                .all(|&(bucket, count)| bucket < BUCKETS && count > 0)
    }

    fn add_to(&mut self, bucket: u8, count: u32) {
        match self
            .counts
            .binary_search_by_key(&bucket, |(known, _)| *known)
        {
            Ok(place) => {
                let known = &mut self.counts[place].1;
                *known = known.saturating_add(count);
            }
            Err(place) if count > 0 => self.counts.insert(place, (bucket, count)),
            Err(_) => {}
        }
    }
}

/// The first millisecond of a bucket for the eyes.
pub fn wide_edge(bucket: usize) -> u64 {
    let fine = match bucket {
        0..4 => bucket,
        _ => 4 + (bucket - 4) * 2,
    };
    edge(fine as u8)
}

fn widened(bucket: u8) -> usize {
    match bucket {
        0..4 => usize::from(bucket),
        _ => usize::from(4 + (bucket - 4) / 2),
    }
}

fn bucket(millis: u64) -> u8 {
    if millis < 4 {
        return millis as u8;
    }
    let doublings = millis.ilog2().min(19);
    let within = match millis >> 20 {
        0 if doublings < 19 => (millis >> (doublings - 2)) & 3,
        _ => 0,
    };
    4 + (doublings as u8 - 2) * 4 + within as u8
}

/// The first millisecond of a bucket; one behind the last is never reached.
fn edge(bucket: u8) -> u64 {
    match bucket {
        0..4 => u64::from(bucket),
        BUCKETS.. => u64::MAX,
        _ => {
            let (doublings, within) = ((bucket - 4) / 4 + 2, (bucket - 4) % 4);
            u64::from(4 + within) << (doublings - 2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_begins_at_its_edge() {
        for number in 0..BUCKETS {
            assert_eq!(bucket(edge(number)), number);
            if number > 0 {
                assert_eq!(bucket(edge(number) - 1), number - 1);
            }
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(edge(BUCKETS - 1), 524_288);
        let wide: Vec<u64> = (0..10).map(wide_edge).collect();
        assert_eq!(wide, [0, 1, 2, 3, 4, 6, 8, 12, 16, 24]);
        for number in 0..BUCKETS {
            let wide = widened(number);
            assert!(wide_edge(wide) <= edge(number));
            assert!(wide + 1 == WIDE_BUCKETS || edge(number) < wide_edge(wide + 1));
        }
    }

    #[test]
    fn a_quantile_is_off_by_less_than_a_bucket() {
        for scale in [1, 3, 40, 700] {
            let mut latency = Latency::default();
            (1..=1000).for_each(|n| latency.add(n * scale / 10, 1));
            for share in [0.5, 0.95, 0.99] {
                let want = (share * 100.0) * scale as f64;
                let got = latency.quantile(share, 100 * scale).unwrap();
                assert!((got - want).abs() <= want * 0.25, "{scale} {share} {got}");
            }
        }
        // What comes from a disk may be anything.
        let mut last = Latency::default();
        last.add(u64::MAX, 1);
        assert!(last.quantile(0.5, u64::MAX).is_some());
        assert!(last.quantile(0.5, 0).is_some());
        let mut one = Latency::default();
        one.add(900, 3);
        assert_eq!(one.quantile(0.95, 900), Some(900.0));
        assert_eq!(one.quantile(0.01, 900).map(f64::floor), Some(897.0));
        assert_eq!(Latency::default().quantile(0.5, 0), None);
    }
}
