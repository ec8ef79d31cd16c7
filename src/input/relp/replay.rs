//! Hands on what an earlier weir had acknowledged and no checkpoint covers.

use super::push;
use crate::checkpoint::Record;
use crate::input::batch::{Dispatcher, Pass};
use crate::telemetry::Listener;
use crate::time::Timestamp;

/// Sends the journal's records to the workers as they were received, under `listener`, which
/// counts them. To be called before listeners start. The first checkpoint waits for the pass, so
/// that it covers the whole journal. Gives the number of lines.
pub async fn replay(
    journal: impl IntoIterator<Item = Record>,
    line_max: usize,
    dispatcher: &Dispatcher,
    _pass: &Pass,
    listener: &Listener,
) -> u64 {
    let mut lines = 0;
    for record in journal {
        let mut batch = dispatcher.spares().get();
        batch.received_at = Some(Timestamp::from_micros(record.received_at));
        for line in &record.frames {
            push(&mut batch, line, line_max);
        }
        lines += record.frames.len() as u64;
        dispatcher.send(batch, listener).await;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::batch::Work;
    use crate::telemetry::Telemetry;

    #[tokio::test]
    async fn records_are_received_when_they_were() {
        let telemetry = Telemetry::new(Timestamp::from_secs(0));
        let listener = telemetry.listener("relp", "journal".to_owned());
        let (dispatcher, mut workers) = Dispatcher::new(1, &telemetry.queued);
        let record = |received_at, frames: &[&[u8]]| Record {
            session: 1,
            peer: [192, 0, 2, 1].into(),
            received_at,
            frames: frames.iter().map(|frame| frame.to_vec()).collect(),
        };
        // As a session keeps a line that is longer than 5 bytes, and one that is not.
        let journal = [record(7, &[b"abcdef", b"abcde"]), record(9, &[b""])];
        let pass = dispatcher.pass().await;
        assert_eq!(replay(journal, 5, &dispatcher, &pass, &listener).await, 3);
        assert_eq!(listener.received.get(), 3);
        drop(dispatcher);
        let mut seen = Vec::new();
        while let Some(Work::Batch(batch)) = workers[0].recv().await {
            let at = batch.received_at.unwrap().as_micros();
            for frame in &batch.frames {
                let line = batch.bytes[frame.start..frame.end].escape_ascii();
                seen.push(format!("{at} {line} {}", frame.cut));
            }
        }
        assert_eq!(seen, ["7 abcde true", "7 abcde false", "9  false"]);
    }
}
