//! What live series cost in memory: `cargo bench --bench memory [-- SERVICES REQUESTS]`.
//!
//! So many services each get so many requests in each window of ten seconds, under the
//! bundled rules: five series for each service, three of them percentiles. Twelve minutes
//! pass, so that all windows which can still be amended are there. What is printed is the
//! resident memory that came on top.

use std::fs;
use std::sync::Arc;
use std::time::Duration;
use weir::haproxy::{Event, Kind, Timers};
use weir::rules::{Evaluator, Options, bundled, load};
use weir::time::Timestamp;
use weir::window::{Settings, Windows};

const START: Timestamp = Timestamp::from_secs(1_767_268_800);
const WINDOWS: u32 = 72;
const SPAN: Duration = Duration::from_secs(10);
const PAGE_BYTES: u64 = 4096;

fn main() {
    // Cargo hands on options of its own.
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let services = numbers.next().unwrap_or(20_000);
    let requests = numbers.next().unwrap_or(5);
    let rules = Arc::new(load(&bundled(), &Options::default()).expect("the bundled rules load"));
    let mut evaluator = Evaluator::new(Arc::clone(&rules), usize::MAX);
    let settings = Settings {
        series_max: usize::MAX,
        ..Settings::default()
    };
    let mut windows = Windows::new(Arc::clone(rules.layout()), settings);
    let names: Vec<String> = (0..services).map(|n| format!("service-{n}")).collect();
    let before = resident();
    let (mut random, mut measurements) = (1_u32, 0);
    for window in 0..WINDOWS {
        let start = START + SPAN * window;
        for name in &names {
            for _ in 0..requests {
                // A linear congruential generator will do: the values only have to differ.
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let event = Event {
                    frontend: Some(name.as_bytes()),
                    status: Some(200),
                    timers: Timers {
                        response: Some(i64::from(random >> 20)),
                        ..Timers::NONE
                    },
                    ..Event::of_kind(Kind::Http)
                };
                evaluator.apply(&event, start);
            }
        }
        windows.merge(evaluator.take());
        for closed in windows.advance(start + SPAN) {
            measurements += closed.measurements.len();
        }
    }
    let (series, rows) = (windows.series(), windows.rows());
    let used = resident() - before;
    println!(
        "{series} series ({services} services, {requests} requests per window), {rows} rows: \
         {} MiB resident, {} bytes a series, {} bytes a row; {measurements} measurements",
        used >> 20,
        used / series as u64,
        used / rows as u64,
    );
}

/// Bytes of this process in memory: the second number of `/proc/self/statm` (proc_pid_statm(5)).
fn resident() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * PAGE_BYTES
}
