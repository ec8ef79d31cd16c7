//! What happens in a round: data, made of the seed and the round's number.

use crate::support::flaky::Fault;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// So many rounds there are at least: each kind of end is among them.
pub const ROUNDS_MIN: u64 = 8;

/// How lines come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Udp,
    Tcp,
    Tls,
    Relp,
}

pub const WAYS: [Way; 4] = [Way::Udp, Way::Tcp, Way::Tls, Way::Relp];

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Good,
    /// For a window that has closed.
    Late,
    /// For one that is forgotten.
    TooLate,
    Future,
    /// No rule wants it.
    Unwanted,
    /// The sink refuses what it counts in.
    Cursed,
    /// HAProxy's own message.
    Notice,
    /// Of another program.
    Foreign,
    /// HAProxy's, with a word where a number should be.
    Damaged,
    /// Longer than a line may be, and no log line.
    Oversized,
    Empty,
}

/// What becomes of lines, and how many frames were cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    InWindow,
    TooLate,
    Future,
    Skipped,
    Notice,
    NotTraffic,
    Malformed,
    Empty,
    Cut,
}

pub const OUTCOMES: [Outcome; 9] = [
    Outcome::InWindow,
    Outcome::TooLate,
    Outcome::Future,
    Outcome::Skipped,
    Outcome::Notice,
    Outcome::NotTraffic,
    Outcome::Malformed,
    Outcome::Empty,
    Outcome::Cut,
];

impl Outcome {
    /// Whether each line has exactly one of these.
    pub fn is_line(self) -> bool {
        self != Outcome::Cut
    }
}

impl Kind {
    /// What weir must make of it.
    pub fn outcomes(self) -> &'static [Outcome] {
        match self {
            Kind::Good | Kind::Late | Kind::Cursed => &[Outcome::InWindow],
            Kind::TooLate => &[Outcome::TooLate],
            Kind::Future => &[Outcome::Future],
            Kind::Unwanted => &[Outcome::Skipped],
            Kind::Notice => &[Outcome::Notice],
            Kind::Foreign => &[Outcome::NotTraffic],
            Kind::Damaged => &[Outcome::Malformed],
            Kind::Oversized => &[Outcome::NotTraffic, Outcome::Cut],
            Kind::Empty => &[Outcome::Empty],
        }
    }
}

/// Lines of one kind, one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Burst {
    pub kind: Kind,
    pub lines: u32,
}

/// What happens while lines come.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    Fault(Fault),
    Down,
    Up,
    /// Other rules are written, which are right or not, and weir is told or sees it itself.
    Rules {
        right: bool,
        hang_up: bool,
    },
}

/// How a round ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    GoOn,
    /// SIGTERM, just behind the last line.
    Stop,
    /// SIGKILL, when everything is in a checkpoint: nothing may be missing.
    QuietKill,
    /// SIGKILL while lines come, or just after.
    Kill(Duration),
}

#[derive(Clone, Debug)]
pub struct Round {
    /// What comes over each of [`WAYS`], all at once.
    pub bursts: [Vec<Burst>; 4],
    pub events: Vec<Event>,
    pub end: End,
}

impl Round {
    pub fn of(seed: u64, number: u64) -> Round {
        let mut random = StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let bursts = WAYS.map(|way| {
            let bursts = random.random_range(2..12);
            (0..bursts).map(|_| burst(&mut random, way)).collect()
        });
        let events = random.random_range(0..4);
        let events = (0..events).map(|_| event(&mut random)).collect();
        // The first rounds have each of them, the others as it comes.
        let end = match number {
            0..4 => number,
            _ => random.random_range(0..6),
        };
        let end = match end {
            0 => End::GoOn,
            1 => End::QuietKill,
            2 => End::Stop,
            _ => End::Kill(Duration::from_millis(random.random_range(0..400))),
        };
        Round {
            bursts,
            events,
            end,
        }
    }
}

fn burst(random: &mut StdRng, way: Way) -> Burst {
    let kind = match random.random_range(0..20) {
        0..8 => Kind::Good,
        8 | 9 => Kind::Late,
        10 => Kind::TooLate,
        11 => Kind::Future,
        12 => Kind::Unwanted,
        13 => Kind::Cursed,
        14 | 15 => Kind::Notice,
        16 => Kind::Foreign,
        17 => Kind::Damaged,
        18 => Kind::Oversized,
        // Between lines of a stream there is nothing, and empty lines over RELP are all the
        // same: none could be told from one that is sent again.
        _ if way == Way::Udp => Kind::Empty,
        _ => Kind::Good,
    };
    Burst {
        kind,
        lines: random.random_range(1..60),
    }
}

fn event(random: &mut StdRng) -> Event {
    let fault = match random.random_range(0..12) {
        0 => Fault::Status(500),
        1 => Fault::Status(503),
        2 => Fault::TakenAndFailed,
        3 => Fault::Limited,
        4 => Fault::Closed,
        5 => Fault::TakenAndClosed,
        6 => Fault::Silent,
        7 => return Event::Down,
        8 | 9 => return Event::Up,
        _ => {
            return Event::Rules {
                right: random.random(),
                hang_up: random.random(),
            };
        }
    };
    Event::Fault(fault)
}

#[test]
fn a_plan_depends_on_its_seed_alone() {
    let plan = |seed| {
        format!(
            "{:?}",
            (0..9).map(|n| Round::of(seed, n)).collect::<Vec<_>>()
        )
    };
    assert_eq!(plan(7), plan(7));
    assert_ne!(plan(7), plan(8));
}
