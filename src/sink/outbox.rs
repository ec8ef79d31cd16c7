//! The bounded queues in front of a push sink.

use super::queue::{Queue, Taken};
use crate::metric::{Annotation, Measurement};
use crate::telemetry::Sink;
use std::sync::Arc;

/// Annotations that may wait for one sink.
pub const ANNOTATIONS_MAX: usize = 10_000;

/// Measurements and annotations waiting for one sink, in memory. Each kind has a queue of
/// its own, so that neither waits for the other.
///
/// Adding never waits: when a queue is full, its oldest are dropped and counted.
pub struct Outbox {
    pub(super) measurements: Queue<Measurement>,
    pub(super) annotations: Queue<Annotation>,
    sink: Arc<Sink>,
}

impl Outbox {
    /// An outbox that holds at most `measurements_max`, and [`ANNOTATIONS_MAX`].
    pub fn new(measurements_max: usize, sink: Arc<Sink>) -> Self {
        let own = || Arc::clone(&sink);
        Outbox {
            measurements: Queue::new("measurements", measurements_max, own(), |sink| {
                &sink.measurements
            }),
            annotations: Queue::new("annotations", ANNOTATIONS_MAX, own(), |sink| {
                &sink.annotations
            }),
            sink,
        }
    }

    /// The counters of the sink behind this outbox.
    pub fn sink(&self) -> &Arc<Sink> {
        &self.sink
    }

    pub fn push(&self, measurements: &[Measurement]) {
        self.measurements.push(measurements);
    }

    pub fn push_annotations(&self, annotations: &[Annotation]) {
        self.annotations.push(annotations);
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
    pub async fn next(&self, max: usize) -> Option<Taken<'_, Measurement>> {
        self.measurements.next(max).await
    }

    /// As [`next`](Self::next), of annotations.
    pub async fn next_annotations(&self, max: usize) -> Option<Taken<'_, Annotation>> {
        self.annotations.next(max).await
    }

    /// Waits until everything that was pushed before is where a kill does not lose it, or is
    /// lost and counted: committed to the store, in the spool, delivered or refused, written
    /// to standard output.
    ///
    /// That may take as long as the far side is away: where a spool cannot write, what it
    /// should hold is safe only when it is delivered; where the store cannot write, when it
    /// can again. Bound the wait.
    pub async fn flushed(&self) {
        tokio::join!(self.measurements.flushed(), self.annotations.flushed());
    }

    /// Gives up what is left in memory, because the time to deliver it is over. What is in a
    /// spool stays there.
    pub fn abandon(&self) {
        self.measurements.abandon();
        self.annotations.abandon();
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

    /// Takes them for good.
    fn values(taken: Option<Taken<'_, Measurement>>) -> Option<Vec<i64>> {
        taken.map(|taken| {
            let values = taken.iter().map(|m| m.value as i64).collect();
            taken.settle();
            values
        })
    }

    fn starts(taken: Option<Taken<'_, Annotation>>) -> Option<Vec<i64>> {
        taken.map(|taken| {
            let starts = taken.iter().map(|a| a.start.as_secs()).collect();
            taken.settle();
            starts
        })
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
        } = &**outbox.sink();
        assert_eq!(measurements.dropped.get(), 2);
        assert_eq!(values(outbox.next(9).await), Some(vec![2, 3, 4]));
        assert_eq!(annotations.dropped.get(), 1);
        let held = outbox.next_annotations(1).await.unwrap();
        assert_eq!(held[0].start.as_secs(), 1);
        // What was taken and settled is not lost: it counts as queued until the sink says more.
        outbox.abandon();
        assert_eq!(
            (measurements.dropped.get(), measurements.queued.get()),
            (2, 3)
        );
        assert_eq!(
            (annotations.dropped.get(), annotations.queued.get()),
            (1 + max as u64, 0)
        );
        // And what comes back then is lost already.
        held.put_back();
        assert_eq!(annotations.dropped.get(), 1 + max as u64);
    }

    #[tokio::test]
    async fn flushed_waits_for_what_was_pushed_before_and_not_for_more() {
        let outbox = outbox(5);
        outbox.flushed().await;
        outbox.push(&measurements(0..4));
        let mut flushed = std::pin::pin!(outbox.flushed());
        let first = outbox.next(2).await.unwrap();
        let second = outbox.next(2).await.unwrap();
        outbox.push(&measurements(4..9));
        second.settle();
        assert!(futures_pending(&mut flushed).await);
        first.put_back();
        assert!(futures_pending(&mut flushed).await);
        assert_eq!(values(outbox.next(9).await), Some(vec![4, 5, 6, 7, 8]));
        flushed.await;
    }

    #[tokio::test]
    async fn what_is_put_back_has_its_old_place() {
        let outbox = outbox(10);
        outbox.push(&measurements(0..6));
        let first = outbox.next(2).await.unwrap();
        let second = outbox.next(2).await.unwrap();
        first.put_back();
        second.put_back();
        assert_eq!(values(outbox.next(9).await), Some((0..6).collect()));
    }

    /// Whether it waits, when everything that can move has moved.
    async fn futures_pending(future: &mut (impl Future<Output = ()> + Unpin)) -> bool {
        tokio::select! {
            biased;
            () = future => false,
            () = tokio::task::yield_now() => true,
        }
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
