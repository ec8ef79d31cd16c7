//! The bounded queue in front of a push sink.

use crate::metric::{Annotation, Measurement};
use crate::telemetry::Sink;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Measurements waiting for one sink, in memory.
///
/// Adding never waits: when the queue is full, the oldest are dropped and counted,
/// because the newest are what someone on call needs.
pub struct Outbox {
    queue: Mutex<Queue>,
    changed: Notify,
    measurements_max: usize,
    sink: Arc<Sink>,
}

struct Queue {
    measurements: VecDeque<Measurement>,
    closed: bool,
}

impl Outbox {
    /// An outbox that holds at most `measurements_max`.
    pub fn new(measurements_max: usize, sink: Arc<Sink>) -> Self {
        Outbox {
            queue: Mutex::new(Queue {
                measurements: VecDeque::new(),
                closed: false,
            }),
            changed: Notify::new(),
            measurements_max,
            sink,
        }
    }

    /// The counters of the sink behind this outbox.
    pub fn sink(&self) -> &Sink {
        &self.sink
    }

    pub fn push(&self, measurements: &[Measurement]) {
        let mut queue = self.lock();
        queue.measurements.extend(measurements.iter().cloned());
        self.sink.queued.add(measurements.len() as u64);
        let excess = queue
            .measurements
            .len()
            .saturating_sub(self.measurements_max);
        if excess > 0 {
            queue.measurements.drain(..excess);
            self.sink.queued.sub(excess as u64);
            self.sink.dropped.add(excess as u64);
            tracing::error!(
                sink = self.sink.name,
                target = %self.sink.target,
                dropped = excess,
                "the sink's queue is full: its oldest measurements are lost"
            );
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// Stands in for the outbox that branch `annot` gives annotations: it keeps none.
    pub fn push_annotations(&self, _: &[Annotation]) {}

    /// No more will come: [`next`](Self::next) ends when the queue is empty.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Waits for measurements and takes the oldest, at most `max`. `None` when the
    /// outbox is closed and empty.
    ///
    /// They stay counted as queued until the sink says what became of them.
    pub async fn next(&self, max: usize) -> Option<Vec<Measurement>> {
        loop {
            // Before looking: a push between the look and the wait must wake us.
            let changed = self.changed.notified();
            {
                let mut queue = self.lock();
                if !queue.measurements.is_empty() {
                    let count = queue.measurements.len().min(max);
                    return Some(queue.measurements.drain(..count).collect());
                }
                if queue.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Gives up what is left, because the time to deliver it is over.
    pub fn abandon(&self) {
        self.lock().measurements.clear();
        let left = self.sink.queued.get();
        if left > 0 {
            self.sink.queued.set(0);
            self.sink.dropped.add(left);
            tracing::error!(
                sink = self.sink.name,
                target = %self.sink.target,
                dropped = left,
                "stopped before the sink took them: measurements are lost"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Each change leaves the queue whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Series;
    use crate::telemetry::Telemetry;
    use crate::time::Timestamp;
    use std::time::Duration;

    fn outbox(max: usize) -> Outbox {
        let telemetry = Telemetry::new(Timestamp::from_secs(0));
        Outbox::new(max, telemetry.sink("test", String::new()))
    }

    fn measurements(values: std::ops::Range<i64>) -> Vec<Measurement> {
        let measurement = |value| Measurement {
            series: Series {
                name: "http.rate".into(),
                tags: [].into(),
            },
            time: Timestamp::from_secs(value),
            period: Duration::from_secs(1),
            value: value as f64,
        };
        values.map(measurement).collect()
    }

    fn values(chunk: Option<Vec<Measurement>>) -> Option<Vec<i64>> {
        chunk.map(|chunk| chunk.iter().map(|m| m.value as i64).collect())
    }

    #[tokio::test]
    async fn gives_in_order_in_chunks_and_ends_when_closed_and_empty() {
        let outbox = outbox(10);
        outbox.push(&measurements(0..3));
        outbox.close();
        assert_eq!(values(outbox.next(2).await), Some(vec![0, 1]));
        assert_eq!(values(outbox.next(2).await), Some(vec![2]));
        assert_eq!(values(outbox.next(2).await), None);
    }

    #[tokio::test]
    async fn when_full_it_drops_the_oldest_and_counts_them() {
        let outbox = outbox(3);
        outbox.push(&measurements(0..2));
        outbox.push(&measurements(2..5));
        assert_eq!(outbox.sink().dropped.get(), 2);
        assert_eq!(values(outbox.next(9).await), Some(vec![2, 3, 4]));
        outbox.abandon();
        assert_eq!(
            (outbox.sink().dropped.get(), outbox.sink().queued.get()),
            (5, 0)
        );
    }

    #[tokio::test]
    async fn a_waiting_sink_wakes_up() {
        let outbox = Arc::new(outbox(10));
        let waiting = tokio::spawn({
            let outbox = Arc::clone(&outbox);
            async move { values(outbox.next(9).await) }
        });
        tokio::task::yield_now().await;
        outbox.push(&measurements(7..8));
        assert_eq!(waiting.await.unwrap(), Some(vec![7]));
    }
}
