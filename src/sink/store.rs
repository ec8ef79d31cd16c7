//! Measurements into the embedded store, in process.

use super::Outbox;
use crate::clock;
use crate::store::Store;
use std::time::Duration;

/// Measurements written in one transaction.
const CHUNK: usize = 5000;

/// The pause before writing again what could not be written: a full disk, perhaps.
const RETRY: Duration = Duration::from_secs(1);

/// Writes what comes until the outbox is closed and empty.
pub async fn run(outbox: &Outbox, store: Store) {
    let sink = outbox.sink();
    while let Some(chunk) = outbox.next(CHUNK).await {
        let written = loop {
            match store.write_measurements(&chunk, clock::now()).await {
                Ok(written) => break written,
                Err(error) => {
                    if sink.accepts() {
                        tracing::error!(%error, "the store cannot write; retrying");
                    }
                    sink.failed(error.to_string());
                    tokio::time::sleep(RETRY).await;
                }
            }
        };
        if let Some(why) = &written.first_refusal {
            tracing::warn!(refused = written.refused, %why, "the store refused measurements");
        }
        sink.succeeded();
        sink.queued.sub(chunk.len() as u64);
        sink.delivered.add(written.accepted);
        sink.rejected.add(written.refused);
    }
}
