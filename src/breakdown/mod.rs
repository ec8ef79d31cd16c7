//! Breakdown: how a service's requests divide by status, latency, phase, route, server and
//! termination state, with examples of the slowest and the failing ones.
//!
//! ```text
//! workers -> Parts (once a second) -> keeper -> store (every 10 s) -> the page
//! ```
//!
//! It is made for looking at, apart from the rules, and is no part of the account: what it
//! cannot hold it counts and leaves out, and it makes nobody wait. A worker looks at every
//! request until there are more in a second than [`PACE`]; of more it looks at a share, chosen
//! by chance, and what it looks at then counts for the others ([`Portion`]).
//!
//! What is counted belongs to a slot of [`SLOT`] seconds of the events' time. Everything merges
//! by adding, so that parts of workers, of ten seconds, and what comes late make the same whole
//! in any order. Where a bound of [`Details`] is reached that is nearly so: the most requested
//! stay, the rest is one named `other`.

mod curves;
mod details;
mod exemplar;
mod hosts;
mod keeper;
mod latency;
mod observer;
mod parts;
mod phases;
mod portion;
mod record;
#[cfg(test)]
mod tests;

pub use curves::{Curves, STATUSES};
pub use details::{Details, Group, Mean, ROUTES_SHOWN, SERVERS_SHOWN, Server, Table, Tally};
pub use exemplar::{Exemplar, newest, slowest};
pub use hosts::{HostRow, Hosts, HostsView};
pub use keeper::{Handing, Keeper};
pub use latency::{Latency, WIDE_BUCKETS, wide_edge};
pub use observer::Observer;
pub use parts::{Part, Parts};
pub use phases::{PHASES, Phases};
pub use portion::{PACE, Portion};
pub use record::{Damaged, Record};

/// Seconds of event time in which requests are counted together.
pub const SLOT: i64 = 10;

/// Why something is not in the breakdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// There are too many services or slots at once.
    Room,
    /// It could not be handed on: whoever writes it is held up.
    Backlog,
    /// It is older than the store keeps.
    Late,
}

impl Lost {
    pub const ALL: [Lost; 3] = [Lost::Room, Lost::Backlog, Lost::Late];

    pub const fn as_str(self) -> &'static str {
        match self {
            Lost::Room => "room",
            Lost::Backlog => "backlog",
            Lost::Late => "late",
        }
    }
}
