//! Blocks through workers on all cores, and what they made of them merged in order.
//!
//! Each thread does all of it, one after the other: it takes the next block, reads it, and
//! merges what came of it. So one thread is one thread, and none of them waits for another to
//! bring or to take something, but where a block is much slower than those behind it.

use super::blocks::{BLOCK_BYTES, Block, Blocks};
use super::charts::Charts;
use super::input::{Input, Unreadable};
use super::outcome::{Outcome, Points, TooManyPoints};
use super::sift::{Sampled, Samples, Sieve, Span};
use super::stop::{Stop, is_stopped};
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
use std::io::Read;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
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
    /// Rules whose values over time are asked for too, in as many windows as a chart can show.
    pub charted: Vec<Arc<str>>,
    /// What is not of it does not count.
    pub span: Span,
    /// Set when no more is to be read: what comes then is of what was read.
    pub stop: Stop,
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
pub fn run<I>(
    plan: &Plan,
    inputs: I,
    progress: impl FnMut(u64) + Send,
) -> Result<Outcome, ReplayError>
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
    progress: impl FnMut(u64) + Send,
) -> Result<Outcome, ReplayError>
where
    I: Iterator<Item = Result<Input, Unreadable>> + Send,
{
    let reader = Reader {
        inputs,
        blocks: None,
        bounds,
        line_bytes: plan.limits.line_bytes,
        next: 0,
        stop: plan.stop.clone(),
        is_done: false,
        is_interrupted: false,
    };
    let order = Order {
        merger: Merger::new(plan),
        rows_max: bounds.rows,
        waiting: BTreeMap::new(),
        next: 0,
        stopped: false,
        progress,
    };
    let shared = Shared {
        reader: Mutex::new(reader),
        order: Mutex::new(order),
        merged: Condvar::new(),
        sampled: Sampled::default(),
    };
    thread::scope(|scope| {
        // This thread is one of them.
        let threads = (1..plan.threads.get()).map(|_| scope.spawn(|| work(plan, &shared)));
        // All of them are started before one is waited for.
        let threads: Vec<_> = threads.collect();
        let end = work(plan, &shared);
        let ends = threads.into_iter().map(thread::ScopedJoinHandle::join);
        let ends: Vec<_> = ends.collect();
        ends.into_iter()
            .try_for_each(|end| end.unwrap_or_else(|panic| resume_unwind(panic)))?;
        end
    })?;
    let reader = shared.reader.into_inner();
    let reader = reader.unwrap_or_else(PoisonError::into_inner);
    let order = shared.order.into_inner();
    let Order { mut merger, .. } = order.unwrap_or_else(PoisonError::into_inner);
    merger.outcome.interrupted = reader.is_interrupted;
    Ok(merger.finish()?)
}

/// What the threads have in common: each takes the next block, makes a part of it by itself,
/// and puts it behind the part of the block before.
struct Shared<'a, I, P> {
    reader: Mutex<Reader<I>>,
    order: Mutex<Order<'a, P>>,
    /// A part has been merged, or there will be no more.
    merged: Condvar,
    sampled: Sampled,
}

/// Blocks of all inputs, one after the other.
struct Reader<I> {
    inputs: I,
    /// Of the input that is being read, with its name.
    blocks: Option<(String, Blocks<Box<dyn Read + Send>>)>,
    bounds: Bounds,
    line_bytes: usize,
    /// The number of the next block.
    next: u64,
    stop: Stop,
    /// All of them have been read to their ends.
    is_done: bool,
    /// It was stopped before.
    is_interrupted: bool,
}

impl<I: Iterator<Item = Result<Input, Unreadable>>> Reader<I> {
    /// Puts the next block in place of what the batch held, and tells its number; `None`: there
    /// is none.
    fn next(&mut self, batch: &mut Batch) -> Result<Option<(u64, Block)>, Unreadable> {
        loop {
            if self.is_done || self.stop.is_set() {
                self.is_interrupted |= !self.is_done;
                return Ok(None);
            }
            if let Some((name, blocks)) = &mut self.blocks {
                match blocks.next(batch) {
                    Ok(Some(block)) => {
                        self.next += 1;
                        return Ok(Some((self.next - 1, block)));
                    }
                    Ok(None) => {}
                    Err(source) => {
                        let name = std::mem::take(name);
                        self.blocks = None;
                        return Err(Unreadable { name, source });
                    }
                }
            }
            let input = match self.inputs.next() {
                Some(Err(error)) if is_stopped(&error.source) => continue,
                input => input.transpose()?,
            };
            let Some(input) = input else {
                self.blocks = None;
                self.is_done = true;
                return Ok(None);
            };
            let blocks = Blocks::new(input.reader, self.bounds.block_bytes, self.line_bytes);
            self.blocks = Some((input.name, blocks));
        }
    }
}

/// What workers made of blocks, merged in the order of the blocks.
struct Order<'a, P> {
    merger: Merger<'a>,
    rows_max: usize,
    /// Those that are ahead of their turn, by the numbers of their blocks.
    waiting: BTreeMap<u64, Part>,
    /// Whose turn it is.
    next: u64,
    /// Somebody has failed: that turn will never come.
    stopped: bool,
    progress: P,
}

impl<P: FnMut(u64)> Order<'_, P> {
    fn take_in(&mut self, number: u64, part: Part, sampled: &Sampled) -> Result<(), TooManyPoints> {
        self.waiting.insert(number, part);
        while let Some(part) = self.waiting.remove(&self.next) {
            self.next += 1;
            sampled.note(&part.samples);
            self.merger.take_in(part, self.rows_max)?;
        }
        (self.progress)(self.merger.outcome.lines);
        Ok(())
    }
}

/// What a worker made of one block.
struct Part {
    lines: u64,
    tally: Tally,
    delta: Delta,
    /// Lines that were left out: they are of other times.
    outside: u64,
    samples: Samples,
}

/// Takes whichever block is next until there are no more.
fn work<I, P>(plan: &Plan, shared: &Shared<'_, I, P>) -> Result<(), ReplayError>
where
    I: Iterator<Item = Result<Input, Unreadable>>,
    P: FnMut(u64),
{
    let stop = StopOthers(shared);
    // What it remembers from block to block saves time, and changes no event.
    let mut worker = Worker::new(
        Arc::clone(&plan.rules),
        Arc::clone(&plan.formats),
        plan.timezone.clone(),
        BLOCK_ROWS,
    )
    .with_event_time(plan.time.event_time);
    let ahead = 2 * plan.threads.get() as u64;
    let mut batch = Batch::default();
    let mut sieve = Sieve::new(plan);
    loop {
        // The next one may be read while this one is worked on.
        let next = lock(&shared.reader).next(&mut batch)?;
        let Some((number, block)) = next else { break };
        block.cut(&mut batch);
        let lines = batch.frames.len() as u64;
        let outside = sieve.keep_span(&mut batch);
        let tally = worker.process(&batch);
        let part = Part {
            lines,
            samples: sieve.samples(&batch, &tally.rejected, &shared.sampled),
            tally,
            delta: worker.take(),
            outside,
        };
        let order = lock(&shared.order);
        // That bounds the parts that wait, and so the memory that they take.
        let is_early = |order: &mut Order<'_, P>| number >= order.next + ahead && !order.stopped;
        let order = shared.merged.wait_while(order, is_early);
        let mut order = order.unwrap_or_else(PoisonError::into_inner);
        if order.stopped {
            break;
        }
        order.take_in(number, part, &shared.sampled)?;
        shared.merged.notify_all();
    }
    std::mem::forget(stop);
    Ok(())
}

/// Whoever ends before the last block keeps no one waiting for its part: the others find that
/// there is nothing more to do.
struct StopOthers<'s, 'a, I, P>(&'s Shared<'a, I, P>);

impl<I, P> Drop for StopOthers<'_, '_, I, P> {
    fn drop(&mut self) {
        lock(&self.0.order).stopped = true;
        self.0.merged.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panics ends all of it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts the parts together.
struct Merger<'a> {
    plan: &'a Plan,
    windows: Windows,
    points: Points,
    whole: Option<Whole>,
    charts: Charts,
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
            charts: Charts::new(layout, &plan.charted),
            whole: plan.whole.then(|| Whole::new(layout, plan.limits.series)),
            outcome: Outcome::default(),
        }
    }

    fn take_in(&mut self, part: Part, rows_max: usize) -> Result<(), TooManyPoints> {
        let Part {
            lines,
            tally,
            delta,
            outside,
            samples,
        } = part;
        self.charts.note(&delta);
        if let Some(whole) = &mut self.whole {
            whole.note(&delta);
        }
        self.outcome.lines += lines;
        self.outcome.add(&tally);
        self.outcome.left_out(outside);
        self.outcome.sample(samples);
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
        if self.plan.threads.get() > 1 {
            self.windows.prepare(self.plan.threads);
        }
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
        self.outcome.charts = self.charts.finish(layout);
        Ok(self.outcome)
    }
}
