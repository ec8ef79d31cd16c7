//! What a line costs from frame to delta: the whole of a worker, by the bundled rules.
//!
//! Lines of the log that the comparison uses, as a listener hands them on. `cargo bench --bench
//! worker` reports lines per second, `benches/instructions.sh` counts instructions.

#[path = "lines/mod.rs"]
mod lines;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use lines::{Lines, Settings};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use weir::input::batch::Batch;
use weir::input::framing::Framer;
use weir::rules::{self, Options};
use weir::worker::Worker;

const LINES: u64 = 4096;

/// More rows than fifty services have.
const ROWS_MAX: usize = 10_000;

/// As much as one read brings, some hundred lines each, all of the same seconds.
const READ: usize = 64 * 1024;

fn batches() -> Vec<Batch> {
    let settings = Settings {
        lines: LINES,
        span: Duration::from_secs(4),
        priority: true,
        ..Settings::default()
    };
    let start = settings.start;
    let mut bytes = Vec::new();
    let mut log = Lines::new(settings);
    while log.write(&mut bytes) {}
    let mut framer = Framer::new(READ);
    let mut rest = &bytes[..];
    let mut batches = Vec::new();
    while !rest.is_empty() {
        let mut batch = Batch {
            received_at: Some(start + Duration::from_secs(4)),
            ..Batch::default()
        };
        let read = &rest[..rest.len().min(READ)];
        let consumed = framer.frames(read, &mut batch.frames);
        batch.bytes.extend_from_slice(&read[..consumed]);
        rest = &rest[consumed..];
        batches.push(batch);
    }
    batches
}

// A function of its own, so that callgrind can be told to count only it.
#[inline(never)]
fn frames_to_delta(worker: &mut Worker, batches: &[Batch]) -> u64 {
    batches
        .iter()
        .map(|batch| black_box(worker.process(batch)).parsed)
        .sum()
}

fn benches(c: &mut Criterion) {
    let rules = rules::load(&rules::bundled(), &Options::default()).expect("the bundled rules");
    let mut worker = Worker::new(Arc::new(rules), Arc::default(), TimeZone::UTC, ROWS_MAX);
    let batches = batches();
    // Most lines are of services that have a row already.
    for batch in &batches {
        worker.process(batch);
    }
    let mut group = c.benchmark_group("worker");
    group.throughput(Throughput::Elements(LINES));
    group.bench_function("bundled", |b| {
        b.iter(|| assert_eq!(frames_to_delta(&mut worker, &batches), LINES));
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
