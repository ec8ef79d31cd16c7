//! Against a server that answers as told; the real receiver is in `tests/it`.

use super::*;
use crate::metric::{Annotation, Measurement, Series};
use crate::names::{self, SameSeries};
use crate::store::{Options, Store};
use crate::telemetry::Telemetry;
use crate::time::Timestamp;
use serde_json::json;
use std::time::Duration;
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn measurement(name: &str, tags: &[(&str, &str)], value: f64) -> Measurement {
    let tags: Vec<_> = tags
        .iter()
        .map(|(n, v)| (Arc::from(*n), Arc::from(*v)))
        .collect();
    Measurement {
        series: Series {
            name: name.into(),
            tags: tags.into(),
        },
        time: Timestamp::from_millis(1_767_268_800_000),
        period: Duration::from_secs(10),
        value,
    }
}

/// Delivers to a server that gives these answers in turn, the last for ever; returns
/// what was delivered and rejected, and how many requests it took.
async fn deliver(
    api: Api,
    chunk: &[Measurement],
    answers: &[ResponseTemplate],
) -> (u64, u64, usize) {
    let server = MockServer::start().await;
    for (i, answer) in answers.iter().enumerate() {
        let times = if i + 1 < answers.len() { 1 } else { u64::MAX };
        let mock = Mock::given(method("POST")).respond_with(answer.clone());
        mock.up_to_n_times(times).mount(&server).await;
    }
    let outbox = outbox(server.uri());
    outbox.push(chunk);
    outbox.close();
    run(&sink(&server, api), &outbox).await;
    let measurements = &outbox.sink().measurements;
    assert_eq!(measurements.queued.get(), 0);
    let requests = server.received_requests().await.unwrap().len();
    (
        measurements.delivered.get(),
        measurements.rejected.get(),
        requests,
    )
}

fn outbox(target: String) -> Outbox {
    let telemetry = Telemetry::new(Timestamp::from_secs(0));
    Outbox::new(1000, telemetry.sink("librato", target))
}

/// Runs without a disk, where nothing stays behind when the outbox is closed.
async fn run(librato: &Librato, outbox: &Outbox) {
    let no_folder = tempfile::NamedTempFile::new().unwrap();
    let telemetry = Arc::new(Telemetry::new(Timestamp::from_secs(0)));
    let sink = Arc::clone(outbox.sink());
    let spool = Spool::open(no_folder.path(), SPOOL, sink, telemetry);
    librato.run(outbox, &spool).await;
}

fn sink(server: &MockServer, api: Api) -> Librato {
    let settings = Settings {
        url: server.uri().parse().unwrap(),
        api,
        credentials: Some(("me@example.com".into(), "secret".into())),
        breaker: breaker::Settings {
            failures: 1000,
            ..breaker::Settings::default()
        },
        spool: SPOOL,
    };
    Librato::new(settings).unwrap()
}

fn answer(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body.to_owned(), "application/json")
}

/// Delivers a series with two tags and one with none, and expects exactly this request.
async fn expect(api: Api, route: &str, body: serde_json::Value, success: ResponseTemplate) {
    let server = MockServer::start().await;
    Mock::given(path(route))
        .and(header(
            "authorization",
            "Basic bWVAZXhhbXBsZS5jb206c2VjcmV0",
        ))
        .and(body_json(body))
        .respond_with(success)
        .expect(1)
        .mount(&server)
        .await;
    let outbox = outbox(server.uri());
    outbox.push(&[
        measurement("http.rate", &[("method", "GET"), ("service", "users")], 4.5),
        measurement("all.rate", &[], 9.0),
    ]);
    outbox.close();
    run(&sink(&server, api), &outbox).await;
    assert_eq!(outbox.sink().measurements.delivered.get(), 2);
}

#[tokio::test]
async fn measurements_carry_tags_and_credentials() {
    let body = json!({"measurements": [
        {"name": "http.rate", "time": 1767268800, "period": 10, "value": 4.5,
         "tags": {"service": "users", "method": "GET"}},
        {"name": "all.rate", "time": 1767268800, "period": 10, "value": 9.0},
    ]});
    let success = answer(202, r#"{"measurements":{"summary":{"failed":0}}}"#);
    expect(Api::Measurements, "/v1/measurements", body, success).await;
}

#[tokio::test]
async fn metrics_carry_a_source_and_credentials() {
    let body = json!({"gauges": [
        {"name": "http.rate", "measure_time": 1767268800, "period": 10, "value": 4.5,
         "source": "GET.users"},
        {"name": "all.rate", "measure_time": 1767268800, "period": 10, "value": 9.0},
    ]});
    expect(Api::Metrics, "/v1/metrics", body, answer(200, "")).await;
}

fn body_of(api: Api, chunk: &[Measurement]) -> (serde_json::Value, Vec<SameSeries>) {
    let body::Items { items, left_out } = body::items(api, chunk);
    let all: Vec<_> = items.iter().collect();
    (
        serde_json::from_slice(&body::of(api, &all)).unwrap(),
        left_out,
    )
}

#[test]
fn names_from_a_log_are_made_valid() {
    let chunk = [measurement("http.rate", &[("path", "/a é\"b\"")], 1.0)];
    let (body, _) = body_of(Api::Measurements, &chunk);
    assert_eq!(body["measurements"][0]["tags"], json!({"path": "/a _b_"}));
    let (body, _) = body_of(Api::Metrics, &chunk);
    assert_eq!(body["gauges"][0]["source"], "_a_b_");
}

#[test]
fn of_two_series_that_are_one_to_the_api_the_second_is_left_out_and_named() {
    let of = |service: &str, value| measurement("http.rate", &[("service", service)], value);
    let chunk = [
        of("web", 1.0),
        of("Web", 2.0),
        of("carts", 3.0),
        of("web", 4.0),
    ];
    for (api, list) in [
        (Api::Measurements, "measurements"),
        (Api::Metrics, "gauges"),
    ] {
        let (body, left_out) = body_of(api, &chunk);
        let items = body[list].as_array().unwrap();
        let values: Vec<_> = items.iter().map(|item| item["value"].as_f64()).collect();
        assert_eq!(values, [Some(1.0), Some(3.0), Some(4.0)]);
        let (kept, refused) = (chunk[0].series.clone(), chunk[1].series.clone());
        assert_eq!(left_out, [SameSeries { kept, refused }]);
    }
}

#[tokio::test]
async fn large_outboxes_go_out_in_chunks() {
    let chunk: Vec<_> = (0..700)
        .map(|i| measurement("m", &[], f64::from(i)))
        .collect();
    let ok = [answer(200, "{}")];
    assert_eq!(deliver(Api::Measurements, &chunk, &ok).await, (700, 0, 2));
    assert_eq!(deliver(Api::Metrics, &chunk, &ok).await, (700, 0, 3));
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_does_not_is_counted() {
    let chunk = [measurement("m", &[], 1.0), measurement("n", &[], 1.0)];
    let ok = || answer(202, "{}");
    for (answers, want) in [
        (vec![answer(503, "maintenance"), ok()], (2, 0, 2)),
        (vec![answer(429, ""), ok()], (2, 0, 2)),
        (
            vec![
                answer(403, r#"{"error":"You have hit the API limit"}"#),
                ok(),
            ],
            (2, 0, 2),
        ),
        (
            vec![answer(401, "Credentials are required"), ok()],
            (2, 0, 2),
        ),
        (
            vec![answer(400, r#"{"errors":{"params":{}}}"#), ok()],
            (2, 0, 3),
        ),
        (vec![answer(400, ""), answer(422, "m"), ok()], (1, 1, 3)),
        (
            vec![answer(403, r#"{"error":"Invalid plan"}"#), ok()],
            (0, 2, 1),
        ),
        (vec![answer(202, r#"{"errors":["one is bad"]}"#)], (1, 1, 1)),
    ] {
        assert_eq!(
            deliver(Api::Measurements, &chunk, &answers).await,
            want,
            "{answers:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_takes_too_long_does_not_answer() {
    let server = MockServer::start().await;
    let slow = answer(202, "{}").set_delay(Duration::from_secs(3600));
    let slow = Mock::given(method("POST")).respond_with(slow);
    slow.up_to_n_times(1).mount(&server).await;
    let ok = Mock::given(method("POST")).respond_with(answer(202, "{}"));
    ok.mount(&server).await;
    let mut settings = sink(&server, Api::Measurements).settings;
    settings.breaker.timeout = Duration::from_millis(50);
    let outbox = outbox(server.uri());
    outbox.push(&[measurement("m", &[], 1.0)]);
    outbox.close();
    run(&Librato::new(settings).unwrap(), &outbox).await;
    assert_eq!(outbox.sink().measurements.delivered.get(), 1);
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}

#[test]
fn the_route_stands_below_any_base() {
    for (base, want) in [
        (
            "http://metrics.internal:8420",
            "http://metrics.internal:8420/v1/measurements",
        ),
        (
            "https://example.com/librato/",
            "https://example.com/librato/v1/measurements",
        ),
    ] {
        let url = below(&base.parse().unwrap(), Api::Measurements.path());
        assert_eq!(url.as_str(), want);
    }
}

#[tokio::test]
async fn a_sink_that_refuses_everything_is_not_well() {
    for (status, accepts) in [(400, false), (202, true)] {
        let server = MockServer::start().await;
        let mock = Mock::given(method("POST")).respond_with(answer(status, "{}"));
        mock.mount(&server).await;
        let outbox = outbox(server.uri());
        outbox.push(&[measurement("m", &[], 1.0)]);
        outbox.close();
        run(&sink(&server, Api::Measurements), &outbox).await;
        assert_eq!(outbox.sink().measurements.accepts(), accepts, "{status}");
    }
}

fn annotation(title: &str) -> Annotation {
    Annotation {
        stream: "ha proxy".into(),
        title: title.into(),
        source: None,
        description: None,
        start: Timestamp::from_millis(1_767_268_800_900),
        end: None,
    }
}

/// Delivers annotations to a server that gives these answers in turn, the last for ever.
/// Delivered, rejected, and the titles of all requests.
async fn deliver_annotations(
    annotations: &[Annotation],
    answers: &[ResponseTemplate],
) -> (u64, u64, Vec<String>) {
    let server = MockServer::start().await;
    for (i, answer) in answers.iter().enumerate() {
        let times = if i + 1 < answers.len() { 1 } else { u64::MAX };
        let mock = Mock::given(method("POST")).and(path("/v1/annotations/ha_proxy"));
        let mock = mock.respond_with(answer.clone());
        mock.up_to_n_times(times).mount(&server).await;
    }
    let outbox = outbox(server.uri());
    outbox.push_annotations(annotations);
    outbox.close();
    run(&sink(&server, Api::Metrics), &outbox).await;
    let counters = &outbox.sink().annotations;
    assert_eq!(counters.queued.get(), 0);
    let requests = server.received_requests().await.unwrap();
    let titles = requests.iter().map(|request| {
        let body: serde_json::Value = request.body_json().unwrap();
        body["title"].as_str().unwrap().to_owned()
    });
    (
        counters.delivered.get(),
        counters.rejected.get(),
        titles.collect(),
    )
}

#[tokio::test]
async fn an_annotation_says_what_is_known_of_it() {
    let server = MockServer::start().await;
    for body in [
        json!({"title": "web/app1 is DOWN", "start_time": 1767268800}),
        json!({"title": "web/app1 was DOWN", "start_time": 1767268800, "end_time": 1767268805,
               "source": "lb-1", "description": "0 active servers left"}),
    ] {
        Mock::given(path("/v1/annotations/ha_proxy"))
            .and(header(
                "authorization",
                "Basic bWVAZXhhbXBsZS5jb206c2VjcmV0",
            ))
            .and(body_json(body))
            .respond_with(answer(201, r#"{"id":1,"links":[]}"#))
            .expect(1)
            .mount(&server)
            .await;
    }
    let outbox = outbox(server.uri());
    let more = Annotation {
        source: Some("lb-1".into()),
        description: Some("0 active servers left".into()),
        end: Some(Timestamp::from_secs(1_767_268_805)),
        ..annotation("web/app1 was DOWN")
    };
    outbox.push_annotations(&[annotation("web/app1 is DOWN"), more]);
    outbox.close();
    run(&sink(&server, Api::Measurements), &outbox).await;
    assert_eq!(outbox.sink().annotations.delivered.get(), 2);
}

#[tokio::test]
async fn a_refused_annotation_is_skipped_and_one_not_taken_is_sent_again() {
    let ok = || answer(201, "{}");
    for (answers, delivered, rejected, titles) in [
        (vec![ok()], 2, 0, ["a", "b"].as_slice()),
        (vec![answer(400, "no"), ok()], 1, 1, &["a", "b"]),
        // A server without annotations must not keep them waiting for ever.
        (vec![answer(404, "")], 0, 2, &["a", "b"]),
        (vec![answer(405, "")], 0, 2, &["a", "b"]),
        (vec![answer(503, ""), ok()], 2, 0, &["a", "a", "b"]),
        (vec![answer(429, ""), ok()], 2, 0, &["a", "a", "b"]),
        (vec![answer(401, ""), ok()], 2, 0, &["a", "a", "b"]),
    ] {
        let found = deliver_annotations(&[annotation("a"), annotation("b")], &answers).await;
        let titles = titles.iter().map(|title| (*title).to_owned()).collect();
        assert_eq!(found, (delivered, rejected, titles), "{answers:?}");
    }
}

#[tokio::test]
async fn measurements_do_not_wait_for_annotations_nor_the_other_way_round() {
    for (stuck, moving) in [
        ("/v1/annotations/ha_proxy", "/v1/measurements"),
        ("/v1/measurements", "/v1/annotations/ha_proxy"),
    ] {
        let server = MockServer::start().await;
        for (route, status) in [(stuck, 503), (moving, 202)] {
            let mock = Mock::given(path(route)).respond_with(answer(status, "{}"));
            mock.mount(&server).await;
        }
        let telemetry = Telemetry::new(Timestamp::from_secs(0));
        let outbox = Arc::new(Outbox::new(10, telemetry.sink("librato", server.uri())));
        let librato = sink(&server, Api::Measurements);
        let running = tokio::spawn({
            let outbox = Arc::clone(&outbox);
            async move { run(&librato, &outbox).await }
        });
        for n in 1..=3 {
            outbox.push(&[measurement("m", &[], 1.0)]);
            outbox.push_annotations(&[annotation("a")]);
            let Sink {
                measurements,
                annotations,
                ..
            } = &**outbox.sink();
            let (stuck, moving) = match moving {
                "/v1/measurements" => (annotations, measurements),
                _ => (measurements, annotations),
            };
            while moving.delivered.get() < n || stuck.accepts() {
                tokio::task::yield_now().await;
            }
            assert!(moving.accepts());
            assert_eq!((stuck.delivered.get(), stuck.queued.get()), (0, n));
        }
        let report = serde_json::to_value(&telemetry.snapshot().sinks[0]).unwrap();
        assert_eq!(report["state"], "retrying");
        assert_ne!(report["last_error"], "");
        running.abort();
    }
}

/// Both ends are ours: what one sends, the other takes.
#[tokio::test]
async fn our_own_receiver_keeps_an_annotation_that_is_sent_twice_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let router = crate::http::librato::router(store.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let librato = Librato::new(Settings {
        url: url.parse().unwrap(),
        api: Api::Measurements,
        credentials: None,
        breaker: breaker::Settings::default(),
        spool: SPOOL,
    });
    let librato = librato.unwrap();
    let now = Timestamp::from_secs(crate::clock::now().as_secs());
    let annotations = [
        Annotation {
            start: now,
            ..annotation("a \"b\"\n\u{7f} ü")
        },
        Annotation {
            stream: "..".into(),
            source: Some("lb 1".into()),
            description: Some("\u{1}\"\\ü".repeat(2000).into()),
            start: now,
            end: Some(now),
            ..annotation(&"long ".repeat(100))
        },
    ];
    let telemetry = Telemetry::new(now);
    let outbox = Outbox::new(10, telemetry.sink("librato", url));
    outbox.push_annotations(&annotations);
    outbox.push_annotations(&annotations);
    outbox.close();
    run(&librato, &outbox).await;
    let counters = &outbox.sink().annotations;
    assert_eq!((counters.delivered.get(), counters.rejected.get()), (4, 0));
    let mut kept = store.annotations(0, i64::MAX, 9);
    kept.reverse();
    assert_eq!(kept, annotations.each_ref().map(names::sanitise_annotation));
    // The sink of the store files them as the same.
    store.write_annotations(&annotations, now).await.unwrap();
    assert_eq!(store.annotations(0, i64::MAX, 9).len(), 2);
    server.abort();
}
