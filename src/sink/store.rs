//! Measurements and annotations into the embedded store, in process.

use super::Outbox;
use crate::clock;
use crate::store::Store;
use crate::telemetry::Deliveries;
use std::fmt::Display;
use std::time::Duration;

/// Measurements written in one transaction.
const CHUNK: usize = 5000;
/// Annotations written in one transaction.
const ANNOTATIONS_CHUNK: usize = 1000;

/// The pause before writing again what could not be written: a full disk, perhaps.
const RETRY: Duration = Duration::from_secs(1);

/// Writes what comes until the outbox is closed and empty.
pub async fn run(outbox: &Outbox, store: Store) {
    tokio::join!(measurements(outbox, &store), annotations(outbox, &store));
}

async fn measurements(outbox: &Outbox, store: &Store) {
    let counters = &outbox.sink().measurements;
    while let Some(chunk) = outbox.next(CHUNK).await {
        let write = || store.write_measurements(&chunk, clock::now());
        let written = until_written(counters, write).await;
        if let Some(why) = &written.first_refusal {
            tracing::warn!(refused = written.refused, %why, "the store refused measurements");
        }
        settle(counters, written.accepted, written.refused);
        chunk.settle();
    }
}

async fn annotations(outbox: &Outbox, store: &Store) {
    let counters = &outbox.sink().annotations;
    while let Some(chunk) = outbox.next_annotations(ANNOTATIONS_CHUNK).await {
        let write = || store.write_annotations(&chunk, clock::now());
        let posted = until_written(counters, write).await;
        if let Some(why) = &posted.first_refusal {
            tracing::warn!(refused = posted.refused, %why, "the store refused annotations");
        }
        settle(counters, posted.accepted, posted.refused);
        chunk.settle();
    }
}

async fn until_written<T, E: Display, W: Future<Output = Result<T, E>>>(
    counters: &Deliveries,
    write: impl Fn() -> W,
) -> T {
    loop {
        match write().await {
            Ok(written) => return written,
            Err(error) => {
                if counters.accepts() {
                    tracing::error!(%error, "the store cannot write; retrying");
                }
                counters.failed(error.to_string());
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

fn settle(counters: &Deliveries, accepted: u64, refused: u64) {
    counters.succeeded();
    counters.queued.sub(accepted + refused);
    counters.delivered.add(accepted);
    counters.rejected.add(refused);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Annotation;
    use crate::store::Options;
    use crate::telemetry::Telemetry;
    use crate::time::Timestamp;

    #[tokio::test]
    async fn annotations_are_stored_and_a_refused_one_is_counted() {
        let now = clock::now();
        let annotation = |start| Annotation {
            stream: "haproxy".into(),
            title: "web/app1 is DOWN".into(),
            source: None,
            description: None,
            start,
            end: None,
        };
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let telemetry = Telemetry::new(now);
        let outbox = Outbox::new(10, telemetry.sink("store", String::new()));
        outbox.push_annotations(&[annotation(now), annotation(Timestamp::from_secs(0))]);
        outbox.close();
        run(&outbox, store.clone()).await;
        let kept = store.annotations(0, i64::MAX, 9);
        assert_eq!(kept, [annotation(Timestamp::from_secs(now.as_secs()))]);
        let counters = &outbox.sink().annotations;
        assert_eq!(
            (
                counters.delivered.get(),
                counters.rejected.get(),
                counters.queued.get()
            ),
            (1, 1, 0)
        );
    }
}
