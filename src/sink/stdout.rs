//! Measurements as JSON, one a line, on standard output.

use super::Outbox;
use crate::metric::Measurement;
use serde_json::{Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Lines written at once.
const CHUNK: usize = 1000;

/// Writes what comes until the outbox is closed and empty.
///
/// When the reader is gone, what follows is counted as rejected.
pub async fn run(outbox: &Outbox, mut out: impl AsyncWrite + Unpin) {
    while let Some(chunk) = outbox.next(CHUNK).await {
        let lines: String = chunk.iter().map(|m| format!("{}\n", line(m))).collect();
        let written = match out.write_all(lines.as_bytes()).await {
            Ok(()) => out.flush().await,
            Err(error) => Err(error),
        };
        let sink = outbox.sink();
        let count = chunk.len() as u64;
        sink.queued.sub(count);
        match written {
            Ok(()) => {
                sink.delivered.add(count);
                sink.succeeded();
            }
            Err(error) => {
                sink.rejected.add(count);
                sink.failed(format!("cannot write to standard output: {error}"));
            }
        }
    }
}

/// `{"name":…,"tags":{…},"time":…,"period":…,"value":…}`; times in seconds.
fn line(measurement: &Measurement) -> Value {
    let tags: serde_json::Map<String, Value> = measurement
        .series
        .tags
        .iter()
        .map(|(name, value)| (name.to_string(), Value::from(&**value)))
        .collect();
    json!({
        "name": &*measurement.series.name,
        "tags": tags,
        "time": measurement.time.as_secs(),
        "period": measurement.period.as_secs(),
        "value": measurement.value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Series;
    use crate::telemetry::Telemetry;
    use crate::time::Timestamp;
    use std::time::Duration;

    #[tokio::test]
    async fn writes_a_json_object_a_line() {
        let telemetry = Telemetry::new(Timestamp::from_secs(0));
        let outbox = Outbox::new(10, telemetry.sink("stdout", String::new()));
        outbox.push(&[Measurement {
            series: Series {
                name: "http.p95".into(),
                tags: [("service".into(), "users".into())].into(),
            },
            time: Timestamp::from_secs(1_767_268_800),
            period: Duration::from_secs(10),
            value: 12.5,
        }]);
        outbox.close();
        let mut out = Vec::new();
        run(&outbox, &mut out).await;
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"name\":\"http.p95\",\"period\":10,\"tags\":{\"service\":\"users\"},\
             \"time\":1767268800,\"value\":12.5}\n"
        );
        assert_eq!(
            (outbox.sink().delivered.get(), outbox.sink().queued.get()),
            (1, 0)
        );
    }
}
