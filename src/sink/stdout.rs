//! Measurements and annotations as JSON, one a line, on standard output.

use super::Outbox;
use crate::metric::{Annotation, Measurement};
use crate::telemetry::Deliveries;
use serde_json::{Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;

/// Lines written at once.
const CHUNK: usize = 1000;

/// Writes what comes until the outbox is closed and empty.
///
/// When the reader is gone, what follows is counted as rejected.
pub async fn run(outbox: &Outbox, out: impl AsyncWrite + Unpin) {
    let out = Mutex::new(out);
    let sink = outbox.sink();
    let measurements = async {
        while let Some(chunk) = outbox.next(CHUNK).await {
            write(chunk.iter().map(line), &out, &sink.measurements).await;
            chunk.settle();
        }
    };
    let annotations = async {
        while let Some(chunk) = outbox.next_annotations(CHUNK).await {
            write(chunk.iter().map(annotation_line), &out, &sink.annotations).await;
            chunk.settle();
        }
    };
    tokio::join!(measurements, annotations);
}

async fn write(
    lines: impl ExactSizeIterator<Item = Value>,
    out: &Mutex<impl AsyncWrite + Unpin>,
    counters: &Deliveries,
) {
    let count = lines.len() as u64;
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    let mut out = out.lock().await;
    let written = match out.write_all(lines.as_bytes()).await {
        Ok(()) => out.flush().await,
        Err(error) => Err(error),
    };
    counters.queued.sub(count);
    match written {
        Ok(()) => {
            counters.delivered.add(count);
            counters.succeeded();
        }
        Err(error) => {
            counters.rejected.add(count);
            counters.failed(format!("cannot write to standard output: {error}"));
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

/// `{"annotation":STREAM,"title":…,"source":…,"description":…,"time":…,"end":…}`; times in
/// seconds, what nobody said is left out.
fn annotation_line(annotation: &Annotation) -> Value {
    let mut line = json!({
        "annotation": &*annotation.stream,
        "title": &*annotation.title,
        "time": annotation.start.as_secs(),
    });
    if let Some(source) = &annotation.source {
        line["source"] = (**source).into();
    }
    if let Some(description) = &annotation.description {
        line["description"] = (**description).into();
    }
    if let Some(end) = annotation.end {
        line["end"] = end.as_secs().into();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Series;
    use crate::telemetry::{Sink, Telemetry};
    use crate::time::Timestamp;
    use std::time::Duration;

    #[tokio::test]
    async fn each_is_a_json_object_on_a_line() {
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
        let annotation = Annotation {
            stream: "haproxy".into(),
            title: "web/app1 is DOWN".into(),
            source: Some("lb-1".into()),
            description: None,
            start: Timestamp::from_secs(1_767_268_801),
            end: None,
        };
        outbox.push_annotations(std::slice::from_ref(&annotation));
        outbox.push_annotations(&[Annotation {
            source: None,
            description: Some("0 active servers left".into()),
            end: Some(Timestamp::from_secs(1_767_268_805)),
            ..annotation
        }]);
        outbox.close();
        let mut out = Vec::new();
        run(&outbox, &mut out).await;
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        {"name":"http.p95","period":10,"tags":{"service":"users"},"time":1767268800,"value":12.5}
        {"annotation":"haproxy","source":"lb-1","time":1767268801,"title":"web/app1 is DOWN"}
        {"annotation":"haproxy","description":"0 active servers left","end":1767268805,"time":1767268801,"title":"web/app1 is DOWN"}
        "#);
        let Sink {
            measurements,
            annotations,
            ..
        } = &**outbox.sink();
        assert_eq!(
            (measurements.delivered.get(), measurements.queued.get()),
            (1, 0)
        );
        assert_eq!(
            (annotations.delivered.get(), annotations.queued.get()),
            (2, 0)
        );
    }
}
