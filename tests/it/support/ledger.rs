//! Lines that can be told apart in the windows they count in.
//!
//! A line's size in bytes is a power of two that no other line of its service has in the same
//! window of one second. So the sum of the sizes in a window says which lines are in it, and
//! their number whether one of them is there twice.

use super::http::{self, ByService};
use super::line::httplog_of;
use super::now_millis;
use std::collections::{BTreeMap, HashMap};

/// What a ledger is read back by. Other rules may stand beside it.
pub const RULE: &str = r#"  - name: it
    where: service != "unwanted"
    by: [service]
    window: 1s
    measure: { lines: count(), bits: sum(bytes_read) }
"#;
pub const LINES: &str = "it.lines";
pub const BITS: &str = "it.bits";

/// Lines of one service in one window: a sum of so many powers of two is exact as a
/// floating-point number.
const LINES_PER_SERVICE: u32 = 48;

/// Windows that are asked for at once.
const SECONDS_PER_CALL: usize = 60;

/// Lines that one sender has written, in their order.
pub struct Ledger {
    name: String,
    /// How many lines there are in a window, by its start.
    windows: HashMap<i64, u32>,
    pub lines: Vec<Line>,
}

#[derive(Clone, Debug)]
pub struct Line {
    pub service: String,
    /// The window's start, in seconds since 1970.
    pub window: i64,
    bit: u32,
    /// When it was written, in milliseconds since 1970.
    pub at: i64,
}

/// What was told of windows: the values of [`LINES`] and of [`BITS`].
#[derive(Debug, Default)]
pub struct Told {
    pub lines: ByService,
    pub bits: ByService,
}

impl Told {
    /// What a weir's store has of the windows from `from` to `to`, in seconds since 1970.
    pub fn read(base: &str, from: i64, to: i64) -> Result<Told, String> {
        let mut told = Told::default();
        for from in (from..=to).step_by(SECONDS_PER_CALL) {
            let end = to.min(from + SECONDS_PER_CALL as i64 - 1);
            for (name, all) in [(LINES, &mut told.lines), (BITS, &mut told.bits)] {
                for (service, points) in http::by_service(base, name, from, end)? {
                    all.entry(service).or_default().extend(points);
                }
            }
        }
        Ok(told)
    }
}

/// What windows say of a ledger's lines.
#[derive(Debug, Default)]
pub struct Found {
    /// By the place in the ledger: whether the line is in its window.
    pub present: Vec<bool>,
    /// Windows that hold what they should not: a line twice, or one that was not written.
    pub wrong: Vec<String>,
}

impl Ledger {
    /// Its services are called `name-0`, `name-1` and so on.
    pub fn new(name: &str) -> Ledger {
        Ledger {
            name: name.to_owned(),
            windows: HashMap::new(),
            lines: Vec::new(),
        }
    }

    /// Writes the next line, of a request that ended so many milliseconds ago.
    pub fn write(&mut self, ago: i64) -> String {
        let at = now_millis();
        let end = at - ago;
        let window = end.div_euclid(1000);
        let number = self.windows.entry(window).or_default();
        let (lane, bit) = (*number / LINES_PER_SERVICE, *number % LINES_PER_SERVICE);
        *number += 1;
        let service = format!("{}-{lane}", self.name);
        let text = httplog_of(&service, end, 0, 200, 1 << bit);
        let line = Line {
            service,
            window,
            bit,
            at,
        };
        self.lines.push(line);
        text
    }

    /// Looks for every line.
    pub fn find(&self, told: &Told) -> Found {
        let Told { lines, bits } = told;
        let mut masks: BTreeMap<(&str, i64), u64> = BTreeMap::new();
        for line in &self.lines {
            *masks.entry((&line.service, line.window)).or_default() |= 1 << line.bit;
        }
        let value = |of: &ByService, service: &str, window| {
            let value = of.get(service).and_then(|points| points.get(&window));
            value.copied().unwrap_or_default() as u64
        };
        let mut wrong = Vec::new();
        for (&(service, window), mask) in &masks {
            let (count, sum) = (value(lines, service, window), value(bits, service, window));
            if sum & !mask != 0 || u64::from(sum.count_ones()) != count {
                wrong.push(format!(
                    "{service} at {window}: {count} lines with the sum {sum:#b}, where there \
                     were {mask:#b}"
                ));
            }
        }
        // A window of a service in which nothing was written.
        let prefix = format!("{}-", self.name);
        for (service, points) in lines.iter().filter(|(name, _)| name.starts_with(&prefix)) {
            for (window, count) in points {
                if *count > 0.0 && !masks.contains_key(&(service.as_str(), *window)) {
                    wrong.push(format!(
                        "{service} at {window}: {count} lines out of nowhere"
                    ));
                }
            }
        }
        let is_there = |line: &Line| value(bits, &line.service, line.window) >> line.bit & 1 == 1;
        Found {
            present: self.lines.iter().map(is_there).collect(),
            wrong,
        }
    }

    /// The first and the last window.
    pub fn span(&self) -> Option<(i64, i64)> {
        let windows = self.windows.keys().copied();
        Some((windows.clone().min()?, windows.max()?))
    }
}

impl Found {
    /// How many lines are in their window.
    pub fn count(&self) -> u64 {
        self.present.iter().filter(|present| **present).count() as u64
    }
}

#[test]
fn every_line_is_told_from_its_neighbours() {
    let mut ledger = Ledger::new("a");
    // More than one service holds, in one or two windows.
    for _ in 0..60 {
        ledger.write(0);
    }
    let gone = 7;
    let mut told = Told::default();
    let put = |told: &mut Told, line: &Line| {
        let size = (1_u64 << line.bit) as f64;
        for (of, value) in [(&mut told.lines, 1.0), (&mut told.bits, size)] {
            let points = of.entry(line.service.clone()).or_default();
            *points.entry(line.window).or_default() += value;
        }
    };
    for (number, line) in ledger.lines.iter().enumerate() {
        if number != gone {
            put(&mut told, line);
        }
    }
    let found = ledger.find(&told);
    assert_eq!(found.wrong, [""; 0]);
    assert_eq!(found.count(), 59);
    assert!(!found.present[gone]);

    put(&mut told, &ledger.lines[9]);
    assert_eq!(ledger.find(&told).wrong.len(), 1);
}
