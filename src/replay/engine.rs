//! Blocks through workers on all cores, and what they made of them merged in order.

use super::blocks::{BLOCK_BYTES, Blocks};
use super::input::{Input, Unreadable};
use super::outcome::{Outcome, Points, TooManyPoints};
use super::whole::Whole;
use crate::config::{Limits, Time};
use crate::delta::Delta;
use crate::haproxy::Formats;
use crate::input::batch::Batch;
use crate::rules::Rules;
use crate::telemetry::Tally;
use crate::window::{Settings, Windows};
use crate::worker::Worker;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Rows that a worker may fill from one block. A block has some ten thousand lines, so it
/// takes a hundred groupings that each put every line into a row of its own.
const BLOCK_ROWS: usize = 1_000_000;

/// So many rows are held: one for each group and window, some 4 kB where a window has many
/// requests. When there are more, the oldest windows are closed before the end.
pub(super) const ROWS_MAX: usize = 1_000_000;

/// What a replay needs to know.
pub struct Plan {
    pub rules: Arc<Rules>,
    pub formats: Arc<Formats>,
    pub timezone: TimeZone,
    /// Which time of events counts, and for how long a silent series says 0. Nothing waits.
    pub time: Time,
    pub limits: Limits,
    pub threads: NonZeroUsize,
    /// Whether the whole log as one window is asked for too.
    pub whole: bool,
}

/// Why there are no values.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    TooManyPoints(#[from] TooManyPoints),
}

/// Replays logs, one after the other. Their order does not matter to the values, unless one
/// of the bounds is reached: of series, of rows, or of values of a `top`. `progress` is told how many lines are done, now and then.
///
/// # Errors
///
/// When an input cannot be opened or read to its end, or when there are more values than
/// fit into memory.
pub fn run<I>(plan: &Plan, inputs: I, progress: impl FnMut(u64)) -> Result<Outcome, ReplayError>
where
    I: Iterator<Item = Result<Input, Unreadable>> + Send,
{
    let bounds = Bounds {
        block_bytes: BLOCK_BYTES,
        rows: ROWS_MAX,
    };
    run_within(plan, inputs, bounds, progress)
}

/// How much is in memory at once.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub block_bytes: usize,
    pub rows: usize,
}

pub(super) fn run_within<I>(
    plan: &Plan,
    inputs: I,
    bounds: Bounds,
    mut progress: impl FnMut(u64),
) -> Result<Outcome, ReplayError>
where
    I: Iterator<Item = Result<Input, Unreadable>> + Send,
{
    let (full, blocks) = mpsc::channel();
    let blocks = Mutex::new(blocks);
    let mut merger = Merger::new(plan);
    thread::scope(|scope| {
        let (results, done) = mpsc::channel();
        let (spare, empty) = mpsc::channel();
        // There are so many batches, and a batch comes back only when all those before it
        // are merged: that bounds everything that is under way.
        for _ in 0..2 * plan.threads.get() + 1 {
            spare.send(Batch::default()).expect("its receiver is here");
        }
        let line_bytes = plan.limits.line_bytes;
        let reader =
            scope.spawn(move || read(inputs, bounds.block_bytes, line_bytes, &empty, &full));
        for _ in 0..plan.threads.get() {
            let (blocks, results) = (&blocks, results.clone());
            scope.spawn(move || work(plan, blocks, &results));
        }
        drop(results);
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        for Done {
            number,
            batch,
            part,
        } in done
        {
            // A defect. Everything that the others wait for is dropped, so they end too.
            let part = part.unwrap_or_else(|panic| resume_unwind(panic));
            waiting.insert(number, (batch, part));
            while let Some((batch, part)) = waiting.remove(&next) {
                merger.take_in(part, bounds.rows)?;
                progress(merger.outcome.lines);
                // The reader is gone when there is nothing more to read.
                let _ = spare.send(batch);
                next += 1;
            }
        }
        reader.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok::<_, ReplayError>(())
    })?;
    Ok(merger.finish()?)
}

struct Block {
    number: u64,
    batch: Batch,
}

struct Done {
    number: u64,
    batch: Batch,
    /// `Err`: what the worker panicked with.
    part: thread::Result<Part>,
}

/// What a worker made of one block.
struct Part {
    lines: u64,
    tally: Tally,
    delta: Delta,
}

/// Fills batches until there is nothing more to read, or nobody who wants it.
fn read(
    inputs: impl Iterator<Item = Result<Input, Unreadable>>,
    block_bytes: usize,
    line_bytes: usize,
    empty: &Receiver<Batch>,
    full: &Sender<Block>,
) -> Result<(), Unreadable> {
    let mut number = 0;
    let mut spare = None;
    for input in inputs {
        let Input { name, reader } = input?;
        let mut blocks = Blocks::new(reader, block_bytes, line_bytes);
        loop {
            let Some(mut batch) = spare.take().or_else(|| empty.recv().ok()) else {
                return Ok(());
            };
            match blocks.next(&mut batch) {
                Ok(true) => {}
                Ok(false) => {
                    spare = Some(batch);
                    break;
                }
                Err(source) => return Err(Unreadable { name, source }),
            }
            if full.send(Block { number, batch }).is_err() {
                return Ok(());
            }
            number += 1;
        }
    }
    Ok(())
}

/// Takes whichever block is next until there are no more.
fn work(plan: &Plan, blocks: &Mutex<Receiver<Block>>, results: &Sender<Done>) {
    loop {
        // Nothing is half done while the lock is held.
        let block = blocks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Block { number, batch }) = block else {
            return;
        };
        let part = catch_unwind(AssertUnwindSafe(|| part(plan, &batch)));
        let done = Done {
            number,
            batch,
            part,
        };
        if results.send(done).is_err() {
            return;
        }
    }
}

fn part(plan: &Plan, batch: &Batch) -> Part {
    // A new one for each block: it can remember nothing of another.
    let mut worker = Worker::new(
        Arc::clone(&plan.rules),
        Arc::clone(&plan.formats),
        plan.timezone.clone(),
        BLOCK_ROWS,
    )
    .with_event_time(plan.time.event_time);
    let tally = worker.process(batch);
    Part {
        lines: batch.frames.len() as u64,
        tally,
        delta: worker.take(),
    }
}

/// Puts the parts together.
struct Merger<'a> {
    plan: &'a Plan,
    windows: Windows,
    points: Points,
    whole: Option<Whole>,
    outcome: Outcome,
}

impl<'a> Merger<'a> {
    fn new(plan: &'a Plan) -> Self {
        let layout = plan.rules.layout();
        let settings = Settings {
            // Time stands still until windows are settled; what comes for them then is too late.
            grace: Duration::ZERO,
            amend_for: Duration::ZERO,
            expire_after: plan.time.expire_after,
            series_max: plan.limits.series,
        };
        Merger {
            plan,
            windows: Windows::new(Arc::clone(layout), settings),
            points: Points::default(),
            whole: plan.whole.then(|| Whole::new(layout, plan.limits.series)),
            outcome: Outcome::default(),
        }
    }

    fn take_in(&mut self, part: Part, rows_max: usize) -> Result<(), TooManyPoints> {
        let Part {
            lines,
            tally,
            delta,
        } = part;
        if let Some(whole) = &mut self.whole {
            whole.note(&delta);
        }
        self.outcome.lines += lines;
        self.outcome.add(&tally);
        self.outcome.merged(self.windows.merge(delta));
        if self.windows.rows() > rows_max {
            // A quarter at once: not after each block again.
            self.settle_to(rows_max / 4 * 3)?;
        }
        Ok(())
    }

    /// Settles windows that have ended, the first ones first, until there are only so many rows.
    fn settle_to(&mut self, rows: usize) -> Result<(), TooManyPoints> {
        while self.windows.rows() > rows
            && let Some(end) = self.windows.first_end()
            && Some(end) <= self.outcome.to
        {
            self.points.take_in(self.windows.settle(end))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Outcome, TooManyPoints> {
        // One by one, so that rows make room for values.
        self.settle_to(0)?;
        if let Some(to) = self.outcome.to {
            // Who has been silent says so to the end of the log.
            self.points.take_in(self.windows.settle(to))?;
        }
        self.points.take_in(self.windows.close_all())?;
        self.outcome.series = self.points.into_series();
        let (layout, outcome) = (self.plan.rules.layout(), &self.outcome);
        let tables = match (self.whole, outcome.from, outcome.to) {
            (Some(whole), Some(from), Some(to)) => whole.tables(layout, from, to),
            _ => Vec::new(),
        };
        self.outcome.whole = tables;
        Ok(self.outcome)
    }
}
