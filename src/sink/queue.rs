//! A bounded queue in memory that never makes the one who pushes wait, and knows from
//! where on what it held is not safe yet.

use crate::telemetry::{Deliveries, Sink};
use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Items that wait, the oldest first. When it is full, its oldest are dropped and counted,
/// because the newest are what someone on call needs.
pub struct Queue<T> {
    /// What it holds, in the plural, for the log.
    what: &'static str,
    max: usize,
    sink: Arc<Sink>,
    counters: fn(&Sink) -> &Deliveries,
    state: Mutex<State<T>>,
    changed: Notify,
}

struct State<T> {
    /// With their numbers, which rise by one from push to push.
    waiting: VecDeque<(u64, T)>,
    /// The number of the next one pushed.
    next: u64,
    /// Taken and neither settled nor put back: the first number of each, and how many.
    taken: Vec<(u64, usize)>,
    closed: bool,
}

/// What was taken from a queue. It counts as queued, and as not safe, until it is settled.
///
/// It is never empty.
pub struct Taken<'a, T> {
    queue: &'a Queue<T>,
    numbers: Vec<u64>,
    items: Vec<T>,
}

impl<T: Clone> Queue<T> {
    pub fn new(
        what: &'static str,
        max: usize,
        sink: Arc<Sink>,
        counters: fn(&Sink) -> &Deliveries,
    ) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            next: 0,
            taken: Vec::new(),
            closed: false,
        };
        Queue {
            what,
            max,
            sink,
            counters,
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    pub fn push(&self, items: &[T]) {
        if items.is_empty() {
            return;
        }
        let mut state = self.lock();
        let first = state.next;
        state.waiting.extend((first..).zip(items.iter().cloned()));
        state.next += items.len() as u64;
        self.counters().queued.add(items.len() as u64);
        self.drop_oldest(&mut state);
        drop(state);
        self.changed.notify_waiters();
    }

    /// No more will come: [`next`](Self::next) ends when the queue is empty.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits until the queue is closed.
    pub async fn closed(&self) {
        self.until(|state| state.closed.then_some(())).await;
    }

    /// Waits until the queue is closed and empty.
    pub async fn finished(&self) {
        self.until(|state| (state.closed && state.waiting.is_empty()).then_some(()))
            .await;
    }

    /// Waits for items and takes the oldest, at most `max`. `None` when the queue is closed
    /// and empty.
    pub async fn next(&self, max: usize) -> Option<Taken<'_, T>> {
        self.until(|state| {
            let count = state.waiting.len().min(max);
            if count == 0 {
                return state.closed.then_some(None);
            }
            let (numbers, items): (Vec<u64>, Vec<T>) = state.waiting.drain(..count).unzip();
            state.taken.push((numbers[0], count));
            Some(Some(Taken {
                queue: self,
                numbers,
                items,
            }))
        })
        .await
    }

    /// Waits until everything that was pushed before is settled, or dropped and counted.
    pub async fn flushed(&self) {
        let upto = self.lock().next;
        self.until(|state| (state.first_unsafe() >= upto).then_some(()))
            .await;
    }

    /// Gives up what is in memory, because the time to deliver it is over.
    pub fn abandon(&self) {
        let mut state = self.lock();
        let taken: usize = state.taken.drain(..).map(|(_, count)| count).sum();
        let left = (state.waiting.len() + taken) as u64;
        state.waiting.clear();
        drop(state);
        if left > 0 {
            self.counters().queued.sub(left);
            self.counters().dropped.add(left);
            tracing::error!(
                sink = self.sink.name,
                target = %self.sink.target,
                dropped = left,
                "stopped before the sink took them: {} are lost",
                self.what
            );
        }
        let spooled = self.counters().queued.get();
        if spooled > 0 {
            tracing::info!(
                sink = self.sink.name,
                target = %self.sink.target,
                spooled,
                "{} stay in the spool until weir starts again",
                self.what
            );
        }
        self.changed.notify_waiters();
    }

    async fn until<R>(&self, mut ready: impl FnMut(&mut State<T>) -> Option<R>) -> R {
        loop {
            // Before looking: a change between the look and the wait must wake us.
            let changed = self.changed.notified();
            if let Some(result) = ready(&mut self.lock()) {
                return result;
            }
            changed.await;
        }
    }

    fn drop_oldest(&self, state: &mut State<T>) {
        let excess = state.waiting.len().saturating_sub(self.max);
        if excess == 0 {
            return;
        }
        state.waiting.drain(..excess);
        self.counters().queued.sub(excess as u64);
        self.counters().dropped.add(excess as u64);
        if let Some(dropped) = self.sink.drops_told.pass(excess as u64) {
            tracing::error!(
                sink = self.sink.name,
                target = %self.sink.target,
                dropped,
                "the sink's queue is full: its oldest {} are lost",
                self.what
            );
        }
    }

    fn counters(&self) -> &Deliveries {
        (self.counters)(&self.sink)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Each change leaves the queue whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// The lowest number that is not settled.
    fn first_unsafe(&self) -> u64 {
        let waiting = self.waiting.front().map(|(number, _)| *number);
        let taken = self.taken.iter().map(|(first, _)| *first);
        waiting.into_iter().chain(taken).min().unwrap_or(self.next)
    }

    fn untake(&mut self, first: u64) -> bool {
        let place = self.taken.iter().position(|(taken, _)| *taken == first);
        place.map(|place| self.taken.swap_remove(place)).is_some()
    }
}

impl<T: Clone> Taken<'_, T> {
    /// It is where it belongs, or lost and counted. What became of it the sink's counters are
    /// told by the one who took it.
    pub fn settle(self) {
        self.queue.lock().untake(self.numbers[0]);
        self.queue.changed.notify_waiters();
    }

    /// It waits again, in its old place.
    pub fn put_back(self) {
        let first = self.numbers[0];
        let mut state = self.queue.lock();
        // What was abandoned meanwhile is counted as dropped already.
        if state.untake(first) {
            let place = state.waiting.partition_point(|(number, _)| *number < first);
            let newer = state.waiting.split_off(place);
            let old = self.numbers.into_iter().zip(self.items);
            state.waiting.extend(old);
            state.waiting.extend(newer);
            self.queue.drop_oldest(&mut state);
        }
        drop(state);
        self.queue.changed.notify_waiters();
    }
}

impl<T> Deref for Taken<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.items
    }
}
