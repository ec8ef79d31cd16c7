//! The bounded queues in front of a push sink.

use crate::metric::{Annotation, Measurement};
use crate::telemetry::{Deliveries, Sink};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Annotations that may wait for one sink.
pub const ANNOTATIONS_MAX: usize = 10_000;

/// Measurements and annotations waiting for one sink, in memory. Each kind has a queue of
/// its own, so that neither waits for the other.
///
/// Adding never waits: when a queue is full, its oldest are dropped and counted, because
/// the newest are what someone on call needs.
pub struct Outbox {
    measurements: Queue<Measurement>,
    annotations: Queue<Annotation>,
    sink: Arc<Sink>,
}

impl Outbox {
    /// An outbox that holds at most `measurements_max`, and [`ANNOTATIONS_MAX`].
    pub fn new(measurements_max: usize, sink: Arc<Sink>) -> Self {
        Outbox {
            measurements: Queue::new("measurements", measurements_max),
            annotations: Queue::new("annotations", ANNOTATIONS_MAX),
            sink,
        }
    }

    /// The counters of the sink behind this outbox.
    pub fn sink(&self) -> &Sink {
        &self.sink
    }

    pub fn push(&self, measurements: &[Measurement]) {
        let counters = &self.sink.measurements;
        self.measurements.push(measurements, counters, &self.sink);
    }

    pub fn push_annotations(&self, annotations: &[Annotation]) {
        let counters = &self.sink.annotations;
        self.annotations.push(annotations, counters, &self.sink);
    }

    /// No more will come: [`next`](Self::next) and
    /// [`next_annotations`](Self::next_annotations) end when their queue is empty.
    pub fn close(&self) {
        self.measurements.close();
        self.annotations.close();
    }

    /// Waits for measurements and takes the oldest, at most `max`. `None` when the
    /// outbox is closed and has no more of them.
    ///
    /// They stay counted as queued until the sink says what became of them.
    pub async fn next(&self, max: usize) -> Option<Vec<Measurement>> {
        self.measurements.next(max).await
    }

    /// As [`next`](Self::next), of annotations.
    pub async fn next_annotations(&self, max: usize) -> Option<Vec<Annotation>> {
        self.annotations.next(max).await
    }

    /// Waits until everything that was pushed before is where a kill does not lose it, or is
    /// lost and counted.
    pub async fn flushed(&self) {}

    /// Gives up what is left, because the time to deliver it is over.
    pub fn abandon(&self) {
        let sink = &self.sink;
        self.measurements.abandon(&sink.measurements, sink);
        self.annotations.abandon(&sink.annotations, sink);
    }
}

struct Queue<T> {
    /// What it holds, in the plural, for the log.
    what: &'static str,
    max: usize,
    waiting: Mutex<Waiting<T>>,
    changed: Notify,
}

struct Waiting<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T: Clone> Queue<T> {
    fn new(what: &'static str, max: usize) -> Self {
        let waiting = Waiting {
            items: VecDeque::new(),
            closed: false,
        };
        Queue {
            what,
            max,
            waiting: Mutex::new(waiting),
            changed: Notify::new(),
        }
    }

    fn push(&self, items: &[T], counters: &Deliveries, sink: &Sink) {
        let mut waiting = self.lock();
        waiting.items.extend(items.iter().cloned());
        counters.queued.add(items.len() as u64);
        let excess = waiting.items.len().saturating_sub(self.max);
        if excess > 0 {
            waiting.items.drain(..excess);
            counters.queued.sub(excess as u64);
            counters.dropped.add(excess as u64);
            tracing::error!(
                sink = sink.name,
                target = %sink.target,
                dropped = excess,
                "the sink's queue is full: its oldest {} are lost",
                self.what
            );
        }
        drop(waiting);
        self.changed.notify_one();
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    async fn next(&self, max: usize) -> Option<Vec<T>> {
        loop {
            // Before looking: a push between the look and the wait must wake us.
            let changed = self.changed.notified();
            {
                let mut waiting = self.lock();
                if !waiting.items.is_empty() {
                    let count = waiting.items.len().min(max);
                    return Some(waiting.items.drain(..count).collect());
                }
                if waiting.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    fn abandon(&self, counters: &Deliveries, sink: &Sink) {
        self.lock().items.clear();
        let left = counters.queued.get();
        if left > 0 {
            counters.queued.set(0);
            counters.dropped.add(left);
            tracing::error!(
                sink = sink.name,
                target = %sink.target,
                dropped = left,
                "stopped before the sink took them: {} are lost",
                self.what
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        // Each change leaves the queue whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn annotations(starts: std::ops::Range<i64>) -> Vec<Annotation> {
        let annotation = |start| Annotation {
            stream: "haproxy".into(),
            title: "web/app1 is DOWN".into(),
            source: None,
            description: None,
            start: Timestamp::from_secs(start),
            end: None,
        };
        starts.map(annotation).collect()
    }

    fn values(chunk: Option<Vec<Measurement>>) -> Option<Vec<i64>> {
        chunk.map(|chunk| chunk.iter().map(|m| m.value as i64).collect())
    }

    fn starts(chunk: Option<Vec<Annotation>>) -> Option<Vec<i64>> {
        chunk.map(|chunk| chunk.iter().map(|a| a.start.as_secs()).collect())
    }

    #[tokio::test]
    async fn gives_in_order_in_chunks_and_ends_when_closed_and_empty() {
        let outbox = outbox(10);
        outbox.push(&measurements(0..3));
        outbox.push_annotations(&annotations(5..7));
        outbox.close();
        assert_eq!(values(outbox.next(2).await), Some(vec![0, 1]));
        assert_eq!(starts(outbox.next_annotations(9).await), Some(vec![5, 6]));
        assert_eq!(starts(outbox.next_annotations(9).await), None);
        assert_eq!(values(outbox.next(2).await), Some(vec![2]));
        assert_eq!(values(outbox.next(2).await), None);
    }

    #[tokio::test]
    async fn when_full_it_drops_the_oldest_and_counts_them() {
        let outbox = outbox(3);
        outbox.push(&measurements(0..2));
        outbox.push(&measurements(2..5));
        let max = ANNOTATIONS_MAX as i64;
        outbox.push_annotations(&annotations(0..max));
        outbox.push_annotations(&annotations(max..max + 1));
        let Sink {
            measurements,
            annotations,
            ..
        } = outbox.sink();
        assert_eq!(measurements.dropped.get(), 2);
        assert_eq!(values(outbox.next(9).await), Some(vec![2, 3, 4]));
        assert_eq!(annotations.dropped.get(), 1);
        assert_eq!(starts(outbox.next_annotations(1).await), Some(vec![1]));
        outbox.abandon();
        assert_eq!(
            (measurements.dropped.get(), measurements.queued.get()),
            (5, 0)
        );
        assert_eq!(
            (annotations.dropped.get(), annotations.queued.get()),
            (1 + max as u64, 0)
        );
    }

    #[tokio::test]
    async fn a_waiting_sink_wakes_up() {
        let outbox = Arc::new(outbox(10));
        let waiting = tokio::spawn({
            let outbox = Arc::clone(&outbox);
            async move {
                let (measurements, annotations) =
                    tokio::join!(outbox.next(9), outbox.next_annotations(9));
                (values(measurements), starts(annotations))
            }
        });
        tokio::task::yield_now().await;
        outbox.push_annotations(&annotations(1..2));
        outbox.push(&measurements(7..8));
        assert_eq!(waiting.await.unwrap(), (Some(vec![7]), Some(vec![1])));
    }
}
