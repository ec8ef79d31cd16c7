//! What is drawn over time: requests by status, latency and phase.

use super::latency::Latency;
use super::phases::{PHASES, Phases};
use serde::{Deserialize, Serialize};

/// Classes of statuses; `none` are requests without an answer, and sessions.
pub const STATUSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

/// A service's requests and sessions in some span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Curves {
    /// That were looked at.
    pub looked: u64,
    /// That there were: more only where those that were looked at count for others.
    pub requests: u64,
    /// In the order of [`STATUSES`].
    pub status: [u64; STATUSES.len()],
    pub latency: Latency,
    /// Requests whose phases are known, and sessions.
    pub timed: [u64; 2],
    /// Milliseconds of all of these together, in the order of [`PHASES`].
    pub spent: [u64; PHASES.len()],
}

impl Curves {
    pub fn add(
        &mut self,
        status: Option<i64>,
        time: Option<&(u64, Phases)>,
        is_session: bool,
        weight: u64,
    ) {
        self.looked += 1;
        self.requests += weight;
        self.status[class(status)] += weight;
        let Some((duration, phases)) = time else {
            return;
        };
        self.latency.add(*duration, weight);
        if phases.iter().any(Option::is_some) {
            self.timed[usize::from(is_session)] += weight;
        }
        for (spent, millis) in self.spent.iter_mut().zip(phases) {
            *spent = spent.saturating_add(millis.unwrap_or(0).saturating_mul(weight));
        }
    }

    pub fn merge(&mut self, other: &Curves) {
        // What comes from a disk may be anything.
        self.looked = self.looked.saturating_add(other.looked);
        self.requests = self.requests.saturating_add(other.requests);
        add_all(&mut self.status, &other.status);
        self.latency.merge(&other.latency);
        add_all(&mut self.timed, &other.timed);
        add_all(&mut self.spent, &other.spent);
    }
}

fn add_all<const N: usize>(to: &mut [u64; N], more: &[u64; N]) {
    for (sum, more) in to.iter_mut().zip(more) {
        *sum = sum.saturating_add(*more);
    }
}

fn class(status: Option<i64>) -> usize {
    match status.unwrap_or(0) {
        100..200 => 0,
        200..300 => 1,
        300..400 => 2,
        400..500 => 3,
        500..600 => 4,
        _ => 5,
    }
}
