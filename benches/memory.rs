//! What live series cost in memory: `cargo bench --bench memory [-- SERVICES REQUESTS]`.
//!
//! So many services each get so many requests in each window of ten seconds, under the
//! bundled rules: five series for each service, three of them percentiles. Twelve minutes
//! pass, so that all windows which can still be amended are there. What is printed is the
//! resident memory that came on top, and what a checkpoint of it costs.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir::checkpoint::{Changes, Checkpoint};
use weir::delta::Delta;
use weir::haproxy::{Event, Kind, Timers};
use weir::rules::{Evaluator, Options, Rules, bundled, load};
use weir::time::Timestamp;
use weir::window::{Settings, Windows};

const START: Timestamp = Timestamp::from_secs(1_767_268_800);
/// The last one comes between two checkpoints.
const WINDOWS: u32 = 73;
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
        if window + 1 == WINDOWS {
            break;
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
    checkpoint(windows, evaluator.take(), &rules, settings);
}

/// Everything, as after a start; then the last window alone, as a checkpoint is usually; then back.
fn checkpoint(mut windows: Windows, next: Delta, rules: &Rules, settings: Settings) {
    let end = START + SPAN * WINDOWS;
    let (whole, took) = timed(|| windows.snapshot(end, true));
    let bytes = |changes: &Changes| -> usize {
        let panes = changes.panes.iter().filter_map(|(_, rows)| rows.as_ref());
        changes.head.len() + panes.map(Vec::len).sum::<usize>()
    };
    println!(
        "a whole checkpoint: {} MiB in {took:?}",
        bytes(&whole) >> 20
    );
    let panes = whole
        .panes
        .into_iter()
        .filter_map(|(pane, rows)| Some((pane, rows?)));
    let checkpoint = Checkpoint {
        head: whole.head,
        panes: panes.collect(),
    };
    let layout = Arc::clone(rules.layout());
    let (restored, took) = timed(|| Windows::restore(layout, settings, &checkpoint, end));
    println!(
        "read back in {took:?}: {} rows",
        restored.expect("it is ours").rows()
    );
    windows.merge(next);
    let (changes, took) = timed(|| windows.snapshot(end, false));
    println!("of one window: {} KiB in {took:?}", bytes(&changes) >> 10);
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}

/// Bytes of this process in memory: the second number of `/proc/self/statm` (proc_pid_statm(5)).
fn resident() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * PAGE_BYTES
}
