//! How many different values there were.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Few values by their hashes, exactly; many as a HyperLogLog sketch of 4,096 registers,
/// whose standard error is 1.6 percent.
///
/// Which of the two it is depends on how many different values there are alone, and a
/// register on the largest rank that it has seen, so parts merge in any order to the same
/// bits. The hash has no seed: parts of other processes merge too.
///
/// Flajolet, Fusy, Gandouet, Meunier: "HyperLogLog: the analysis of a near-optimal
/// cardinality estimation algorithm" (2007). Its estimate errs for some thousands of values;
/// the one used here does not: Ertl, "New cardinality estimation algorithms for HyperLogLog
/// sketches" (2017), section 2, the improved raw estimator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distinct(Hashes);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Hashes {
    /// At most [`FEW`], sorted.
    Few(Vec<u64>),
    Many(#[serde(with = "registers")] Box<[u8; REGISTERS]>),
}

/// So many hashes take as much room as half the registers.
const FEW: usize = 256;

/// The first bits of a hash choose the register.
const INDEX_BITS: u32 = 12;
const REGISTERS: usize = 1 << INDEX_BITS;

/// The largest rank: as many bits as are left, and one.
const RANK_MAX: usize = 64 - INDEX_BITS as usize + 1;

impl Default for Distinct {
    fn default() -> Self {
        Distinct(Hashes::Few(Vec::new()))
    }
}

impl Distinct {
    /// Takes in one value.
    pub fn observe(&mut self, value: &[u8]) {
        self.add(xxh3_64(value));
    }

    /// Takes in all values of `other`.
    pub fn merge(&mut self, other: Distinct) {
        match (&mut self.0, other.0) {
            (_, Hashes::Few(hashes)) => hashes.into_iter().for_each(|hash| self.add(hash)),
            (Hashes::Many(a), Hashes::Many(b)) => {
                for (a, b) in a.iter_mut().zip(*b) {
                    *a = b.max(*a);
                }
            }
            (Hashes::Few(few), Hashes::Many(mut many)) => {
                few.iter().for_each(|&hash| raise(&mut many, hash));
                self.0 = Hashes::Many(many);
            }
        }
    }

    /// How many different values there were. Exact up to 256, then an estimate.
    pub fn count(&self) -> f64 {
        match &self.0 {
            Hashes::Few(hashes) => hashes.len() as f64,
            Hashes::Many(registers) => estimate(registers).round(),
        }
    }

    fn add(&mut self, hash: u64) {
        match &mut self.0 {
            Hashes::Many(registers) => raise(registers, hash),
            Hashes::Few(hashes) => {
                let Err(place) = hashes.binary_search(&hash) else {
                    return;
                };
                if hashes.len() < FEW {
                    hashes.insert(place, hash);
                    return;
                }
                let mut registers = Box::new([0; REGISTERS]);
                for &known in hashes.iter().chain([&hash]) {
                    raise(&mut registers, known);
                }
                self.0 = Hashes::Many(registers);
            }
        }
    }
}

/// The registers, one byte each.
mod registers {
    use super::REGISTERS;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(registers: &[u8; REGISTERS], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(registers)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Box<[u8; REGISTERS]>, D::Error> {
        let bytes = Vec::<u8>::deserialize(from)?.into_boxed_slice();
        let found = bytes.len();
        let registers = bytes.try_into();
        registers.map_err(|_| D::Error::custom(format!("{found} registers are not {REGISTERS}")))
    }
}

/// Notes the rank of a hash: the place of its first set bit after those of the index.
fn raise(registers: &mut [u8; REGISTERS], hash: u64) {
    let index = (hash >> (64 - INDEX_BITS)) as usize;
    let rest = hash << INDEX_BITS;
    let rank = (rest.leading_zeros() as usize + 1).min(RANK_MAX) as u8;
    registers[index] = registers[index].max(rank);
}

fn estimate(registers: &[u8; REGISTERS]) -> f64 {
    let mut of_rank = [0_u32; RANK_MAX + 1];
    for &rank in registers {
        of_rank[usize::from(rank)] += 1;
    }
    let m = REGISTERS as f64;
    let mut z = m * tau(1.0 - f64::from(of_rank[RANK_MAX]) / m);
    for rank in (1..RANK_MAX).rev() {
        z = 0.5 * (z + f64::from(of_rank[rank]));
    }
    z += m * sigma(f64::from(of_rank[0]) / m);
    m * m / (2.0 * std::f64::consts::LN_2 * z)
}

/// Corrects for registers that no value has reached.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// Corrects for registers at the largest rank.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: std::ops::Range<u32>) -> Distinct {
        let mut distinct = Distinct::default();
        values.for_each(|n| distinct.observe(n.to_string().as_bytes()));
        distinct
    }

    #[test]
    fn few_are_exact_and_many_within_five_percent() {
        for n in [0, 1, 2, 255, 256] {
            assert_eq!(of(0..n).count(), f64::from(n));
        }
        for n in [257, 1_000, 5_000, 10_000, 20_000, 100_000] {
            let error = of(0..n).count() / f64::from(n) - 1.0;
            assert!(error.abs() < 0.05, "{n}: {error}");
        }
    }

    #[test]
    fn a_value_counts_once() {
        let mut distinct = of(0..1000);
        let before = distinct.clone();
        distinct.merge(of(500..1000));
        distinct.merge(of(3..5));
        assert_eq!(distinct, before);
    }
}
