//! Bodies as clients send them, answers as clients read them.

mod forms;
mod properties;

use super::*;
use crate::http::librato::body::BODY_MAX;
use crate::store::Options;
use axum::body::to_bytes;
use axum::http::HeaderMap;
use std::convert::Infallible;
use tempfile::TempDir;
use tokio_stream::StreamExt;
use tower::ServiceExt;

pub(super) struct Server {
    _dir: TempDir,
    pub store: Store,
    /// The second in which the test began; points are sent around it.
    pub now: i64,
}

pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text))
    }
}

impl Server {
    pub fn new() -> Server {
        let dir = TempDir::new().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        Server {
            _dir: dir,
            store,
            now: clock::now().as_secs(),
        }
    }

    pub async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = axum::http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = announce_limits(router(self.store.clone()))
            .oneshot(request.body(body.into()).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
        }
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, &body.to_string()).await
    }

    async fn post_text(&self, path: &str, body: &str) -> Answer {
        let headers = [
            ("content-type", "application/json; charset=utf-8"),
            ("user-agent", "librato-metrics/2.1"),
        ];
        self.call("POST", path, &headers, body.to_owned()).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.call("GET", path, &[], "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    pub async fn refused(&self, path: &str) -> (u16, Value) {
        let answer = self.call("GET", path, &[], "").await;
        (answer.status, answer.json())
    }
}

#[tokio::test]
async fn a_legacy_request_is_answered_with_an_empty_200_and_read_back() {
    let server = Server::new();
    let t = server.now;
    let body = json!({"source": "Lb-1", "measure_time": t - 60, "period": 60.0,
        "gauges": [{"name": "lat", "count": 120, "sum": 5400.0, "min": 3.0, "max": 410.0, "sum_squares": 402000.0},
                   {"name": "lat.p95", "value": 180.5, "source": null, "stddev_m2": 1, "attributes": {"display_min": 0}}],
        "counters": [{"name": "hits", "value": 90210, "source": "db.1", "measure_time": t as f64 + 0.9}]});
    let answer = server.post("/v1/metrics", &body).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["content-length"], "0");

    let lat = server.get("/v1/metrics/LAT?count=1").await;
    assert_eq!(lat["name"], "lat");
    assert_eq!(
        (&lat["type"], &lat["period"]),
        (&json!("gauge"), &json!(60))
    );
    assert_eq!(
        lat["measurements"],
        json!({"Lb-1": [{"measure_time": t - 60, "value": 45.0, "count": 120, "sum": 5400.0, "min": 3.0, "max": 410.0, "sum_squares": 402000.0}]})
    );
    let p95 = server.get("/v1/metrics/lat.p95").await;
    assert_eq!(
        p95,
        json!({"name": "lat.p95", "display_name": null, "type": "gauge", "description": null, "period": 60, "source_lag": null,
               "attributes": {"display_min": 0, "created_by_ua": "librato-metrics/2.1"}})
    );
    let hits = server
        .get(&format!("/v1/metrics/hits?start_time={}", t - 1))
        .await;
    assert_eq!(hits["type"], "counter");
    assert_eq!(
        hits["measurements"],
        json!({"db.1": [{"measure_time": t, "value": 90210.0, "count": 1}]})
    );
}

#[tokio::test]
async fn lists_may_be_objects_by_name_or_by_anything() {
    let server = Server::new();
    let body = json!({"gauges": {"by.key": {"value": 1}, "0": {"name": "by.name", "value": 2e1}}});
    assert_eq!(server.post("/v1/metrics", &body).await.status, 200);
    for (name, value) in [("by.key", 1.0), ("by.name", 20.0)] {
        let read = server
            .get(&format!(
                "/v1/metrics/{name}?count=5&end_time={}",
                server.now + 5
            ))
            .await;
        assert_eq!(read["measurements"]["unassigned"][0]["value"], value);
    }
}

#[tokio::test]
async fn legacy_refusals_have_their_documented_bodies_and_store_nothing() {
    let server = Server::new();
    server
        .post(
            "/v1/metrics",
            &json!({"counters": [{"name": "hits", "value": 1}]}),
        )
        .await;
    let old = server.now - 25 * 3600;
    let ahead = server.now + 2 * 3600;
    let gauge = |item: Value| json!({"gauges": [{"name": "good", "value": 1}, item]});
    let long = "s".repeat(256);
    for (body, errors) in [
        (
            gauge(json!({"name": "my bad name", "value": 1})),
            json!({"params": {"name": ["my bad name is not a valid metric name"]}}),
        ),
        (
            gauge(json!({"name": "", "value": 1})),
            json!({"params": {"name": [" is not a valid metric name"]}}),
        ),
        (
            gauge(json!({"value": 1})),
            json!({"params": {"name": ["is required"]}}),
        ),
        (
            gauge(json!({"name": "n", "value": 1, "source": "a b"})),
            json!({"params": {"source": ["a b is not a valid source name"]}}),
        ),
        (
            gauge(json!({"name": "n", "value": 1, "source": "ALL"})),
            json!({"params": {"source": ["ALL is not a valid source name"]}}),
        ),
        (
            gauge(json!({"name": "n", "value": 1, "source": long})),
            json!({"params": {"source": [format!("{long} is not a valid source name")]}}),
        ),
        (
            gauge(json!({"name": "n", "value": 1, "measure_time": old})),
            json!({"params": {"measure_time": ["is too far in the past"]}}),
        ),
        (
            gauge(json!({"name": "n", "value": 1, "measure_time": ahead})),
            json!({"params": {"measure_time": ["is too far in the future"]}}),
        ),
        (
            gauge(json!({"name": "n", "value": 1, "measure_time": "now"})),
            json!({"params": {"measure_time": ["is not a number"]}}),
        ),
        (
            gauge(json!({"name": "hits", "value": 1})),
            json!({"params": {"type": ["'hits' is a counter, but was submitted as different type"]}}),
        ),
        (
            gauge(json!({"name": "n", "count": 3})),
            json!({"params": {"sum": ["is required"], "name": "n"}}),
        ),
        (
            gauge(json!({"name": "n", "count": 0, "sum": 1})),
            json!({"params": {"count": ["must be positive"], "name": "n"}}),
        ),
        (
            gauge(json!({"name": "n", "count": 1.5, "sum": 1})),
            json!({"params": {"count": ["is not an integer"], "name": "n"}}),
        ),
        (
            gauge(json!({"name": "n"})),
            json!({"params": {"value": ["is required"], "name": "n"}}),
        ),
        (
            gauge(json!({"name": "n", "value": null})),
            json!({"params": {"value": ["is required"], "name": "n"}}),
        ),
        (
            gauge(json!({"name": "n", "value": "1"})),
            json!({"params": {"value": ["is not a number"], "name": "n"}}),
        ),
        (
            gauge(json!({"name": "n", "value": 1, "count": 1, "sum": 1})),
            json!({"params": {"value": ["must not be given together with count"], "name": "n"}}),
        ),
        (
            gauge(json!({"name": "n", "value": 1.1e126})),
            json!({"params": {"value": ["is out of range: at most 1e126, at least -1e126"], "name": "n"}}),
        ),
        (
            gauge(json!({"name": "n", "value": 1, "attributes": {"x": "y".repeat(20_000)}})),
            json!({"params": {"attributes": ["must be at most 16384 bytes with description and display_name"]}}),
        ),
        (
            json!({"counters": [{"name": "hits", "value": -1}]}),
            json!({"params": {"value": ["must be positive"], "name": ["hits"]}}),
        ),
        (
            json!({"gauges": []}),
            json!({"request": ["Must contain a measurement"]}),
        ),
        (
            json!({"gauges": 5}),
            json!({"params": {"gauges": ["must be an array or an object"]}}),
        ),
        (
            json!([]),
            json!({"request": ["Unable to process JSON: an object is expected"]}),
        ),
    ] {
        let answer = server.post("/v1/metrics", &body).await;
        assert_eq!(answer.status, 400, "{body}");
        let json = answer.json();
        assert_eq!(json["errors"], errors, "{body}");
        assert!(json["request_time"].as_i64().unwrap() >= server.now);
    }
    let deep = "[".repeat(1000);
    for (broken, why) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("x", "expected value at line 1 column 1"),
        ("{\"gauges\":\n[NaN]}", "expected value at line 2 column 2"),
        ("{\"n\":1e400}", "number out of range at line 1 column 10"),
        (&deep, "recursion limit exceeded at line 1 column 128"),
        ("5", "an object is expected"),
    ] {
        let message = format!("Unable to process JSON: {why}");
        let answer = server.post_text("/v1/metrics", broken).await;
        let errors = &answer.json()["errors"];
        let want = json!({"request": [message]});
        assert_eq!((answer.status, errors), (400, &want), "{broken}");
        let answer = server.post_text("/v1/measurements", broken).await;
        let want = json!({"code": 400, "message": message});
        assert_eq!((answer.status, answer.json()), (400, want), "{broken}");
    }
    assert_eq!(server.store.stats().series, 1);
    assert_eq!(server.refused("/v1/metrics/good").await.0, 404);
}

#[tokio::test]
async fn tiny_values_become_zero_and_exponents_are_numbers() {
    let server = Server::new();
    let body = r#"{"gauges":[{"name":"tiny","value":1e-131},{"name":"big","value":1E+2}]}"#;
    assert_eq!(server.post_text("/v1/metrics", body).await.status, 200);
    let end = server.now + 5;
    for (name, value) in [("tiny", 0.0), ("big", 100.0)] {
        let read = server
            .get(&format!("/v1/metrics/{name}?count=1&end_time={end}"))
            .await;
        assert_eq!(read["measurements"]["unassigned"][0]["value"], value);
    }
}

#[tokio::test]
async fn a_tagged_request_is_answered_with_the_summary_that_clients_parse() {
    let server = Server::new();
    let t = server.now - 60;
    let body = json!({"time": t, "period": 60, "tags": {"Service": "Web", "host": "lb-1"}, "measurements": [
        {"name": "req", "value": 812, "tags": {}},
        {"name": "lat", "value": null, "count": 4, "sum": 20, "min": 2, "max": 8, "stddev": 2.0, "last": 8, "tags": {"service": "api"}},
        {"name": "lat", "count": 2, "sum": 6.0, "stddev_m2": 2.0, "tags": {"service": "web"}}]});
    let answer = server.post("/v1/measurements", &body).await;
    assert_eq!(answer.status, 202);
    assert_eq!(
        answer.text,
        r#"{"measurements":{"summary":{"accepted":3,"failed":0,"filtered":0,"total":3}}}"#
    );

    let read = server
        .get("/v1/measurements/req?resolution=1&duration=3600")
        .await;
    assert_eq!(
        read["series"],
        json!([{"tags": {"host": "lb-1", "service": "web"}, "measurements": [{"time": t, "value": 812.0}]}])
    );
    assert_eq!(
        (&read["links"], &read["resolution"]),
        (&json!([]), &json!(1))
    );
    for (function, api, web) in [
        ("mean", json!(5.0), json!(3.0)),
        ("sum", json!(20.0), json!(6.0)),
        ("count", json!(4.0), json!(2.0)),
        ("stddev", json!(2.0), json!(1.0)),
    ] {
        let read = server
            .get(&format!(
                "/v1/measurements/lat?resolution=1&duration=3600&summary_function={function}"
            ))
            .await;
        assert_eq!(
            read["series"][0]["measurements"][0]["value"], api,
            "{function}"
        );
        assert_eq!(
            read["series"][1]["measurements"][0]["value"], web,
            "{function}"
        );
    }
    // What the sender did not say is not invented.
    let read = server
        .get("/v1/measurements/lat?resolution=1&duration=3600&summary_function=min")
        .await;
    assert_eq!(
        read["series"][0]["measurements"],
        json!([{"time": t, "value": 2.0}])
    );
    assert_eq!(read["series"][1]["measurements"], json!([]));
    let read = server
        .get("/v1/measurements/lat?resolution=1&duration=3600&summary_function=all")
        .await;
    assert_eq!(read["series"][0]["measurements"][0]["last"], 8.0);
}

/// As the Python client of AppOptics has it of what it has aggregated without tags.
#[tokio::test]
async fn a_tagged_request_may_have_a_source_for_all_instead_of_tags() {
    let server = Server::new();
    let body = json!({"source": "App", "measurements": [
        {"name": "n", "value": 1}, {"name": "n", "value": 2, "tags": {"host": "a"}}]});
    assert_eq!(server.post("/v1/measurements", &body).await.status, 202);
    let tags: Vec<_> = server
        .store
        .series_of("n")
        .iter()
        .map(|s| s.info.tags.clone())
        .collect();
    assert_eq!(json!(tags), json!([{"source": "App"}, {"host": "a"}]));
}

#[tokio::test]
async fn tagged_refusals_have_their_documented_bodies() {
    let server = Server::new();
    server
        .post(
            "/v1/metrics",
            &json!({"counters": [{"name": "hits", "value": 1}]}),
        )
        .await;
    let item = |item: Value| json!({"measurements": [{"name": "good", "value": 1}, item]});
    let params = |params: Value| json!({"errors": {"params": params}});
    let strict = json!({"code": 400, "message": "Unable to process JSON"});
    let empty = json!({"errors": ["Payload must include at least 1 measurement"]});
    let many: serde_json::Map<String, Value> =
        (0..51).map(|n| (format!("t{n}"), json!("v"))).collect();
    for (body, want) in [
        (
            item(json!({"name": "n", "value": 1, "source": "a"})),
            strict.clone(),
        ),
        (
            json!({"measurements": [{"name": "n", "value": 1}], "gauges": []}),
            strict.clone(),
        ),
        (
            json!({"source": "a", "tags": {"b": "c"}, "measurements": [{"name": "n", "value": 1}]}),
            strict.clone(),
        ),
        (json!({"measurements": {"n": 1}}), strict.clone()),
        (json!({"measurements": [1]}), strict),
        (
            json!([]),
            json!({"code": 400, "message": "Unable to process JSON: an object is expected"}),
        ),
        (json!({}), empty.clone()),
        (json!({"measurements": []}), empty),
        (
            item(json!({"name": "a b", "value": 1})),
            params(json!({"name": ["a b is not a valid metric name"]})),
        ),
        (
            item(json!({"name": "n", "value": 1, "tags": {"a b": "c"}})),
            params(json!({"tags": ["a b is not a valid tag name"]})),
        ),
        (
            item(json!({"name": "n", "value": 1, "tags": {"a": "ä"}})),
            params(json!({"tags": ["ä is not a valid value of the tag a"]})),
        ),
        (
            item(json!({"name": "n", "value": 1, "tags": {"a": 1}})),
            params(json!({"tags": ["the value of the tag a must be a string"]})),
        ),
        (
            item(json!({"name": "n", "value": 1, "tags": many})),
            params(json!({"tags": ["must be at most 50"]})),
        ),
        (
            item(json!({"name": "n", "value": 1, "time": 1})),
            params(json!({"time": ["is too far in the past"]})),
        ),
        (
            item(json!({"name": "n", "count": 1})),
            params(json!({"sum": ["is required"], "name": "n"})),
        ),
        (
            item(json!({"name": "n", "count": 1, "sum": 1, "stddev": 0, "stddev_m2": 0})),
            params(json!({"stddev": ["must not be given together with stddev_m2"], "name": "n"})),
        ),
        (
            item(json!({"name": "hits", "value": 1})),
            params(json!({"type": ["'hits' is a counter, but was submitted as different type"]})),
        ),
    ] {
        let answer = server.post("/v1/measurements", &body).await;
        assert_eq!((answer.status, answer.json()), (400, want), "{body}");
    }
    assert_eq!(server.store.stats().series, 1);
}

#[tokio::test]
async fn what_the_receiver_does_not_take_it_names() {
    let server = Server::new();
    for (method, path, content_type, encoding, status, word) in [
        (
            "POST",
            "/v1/metrics",
            "text/plain",
            "identity",
            415,
            "or application/x-www-form-urlencoded",
        ),
        (
            "POST",
            "/v1/measurements",
            "application/x-www-form-urlencoded",
            "identity",
            415,
            "send application/json",
        ),
        (
            "POST",
            "/v1/measurements",
            "",
            "identity",
            415,
            "send application/json",
        ),
        (
            "POST",
            "/v1/measurements",
            "text/plain",
            "identity",
            415,
            "send application/json",
        ),
        (
            "POST",
            "/v1/measurements",
            "application/json",
            "br",
            415,
            "send gzip",
        ),
        (
            "POST",
            "/v1/measurements",
            "application/json",
            "gzip",
            400,
            "cannot be read",
        ),
        ("PATCH", "/v1/metrics/n", "", "identity", 404, "/v1/sources"),
        ("GET", "/v1/", "", "identity", 404, "/v1/ does not exist"),
        ("GET", "/v1", "", "identity", 404, "/v1 does not exist"),
        ("GET", "/v1/metrics/%ff", "", "identity", 400, "UTF-8"),
        (
            "DELETE",
            "/v1/annotations/a/%ff",
            "",
            "identity",
            400,
            "UTF-8",
        ),
        ("GET", "/v1/alerts", "", "identity", 404, "no alerts"),
        (
            "GET",
            "/v1/metrics/nobody",
            "",
            "identity",
            404,
            "no metric is named 'nobody'",
        ),
    ] {
        let answer = server
            .call(
                method,
                path,
                &[
                    ("content-type", content_type),
                    ("content-encoding", encoding),
                ],
                "not gzip",
            )
            .await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(
            answer.json()["errors"]["request"][0]
                .as_str()
                .unwrap()
                .contains(word),
            "{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn a_gzipped_body_is_decoded_and_a_large_one_refused() {
    let server = Server::new();
    let body = json!({"measurements": [{"name": "n", "value": 1}]}).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ];
    assert_eq!(
        server
            .call("POST", "/v1/measurements", &headers, gzip(body.as_bytes()))
            .await
            .status,
        202
    );
    let large = vec![b' '; BODY_MAX + 1];
    for (headers, body) in [(&headers[..], gzip(&large)), (&headers[..1], large)] {
        let answer = server.call("POST", "/v1/measurements", headers, body).await;
        assert_eq!(answer.status, 413);
        assert!(answer.text.contains("larger than 8388608 bytes"));
    }
    let answer = server
        .call(
            "POST",
            "/v1/metrics",
            &[
                ("content-type", "application/json"),
                ("content-length", "99999999"),
            ],
            "",
        )
        .await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn bodies_of_too_many_parts_are_refused_before_they_are_read() {
    let server = Server::new();
    for body in [
        "[".repeat(body::GROUPS_MAX + 1),
        ",".repeat(body::VALUES_MAX + 1),
    ] {
        for path in ["/v1/metrics", "/v1/measurements", "/v1/annotations/a"] {
            let answer = server.post_text(path, &body).await;
            assert_eq!(answer.status, 413, "{path}");
            assert!(answer.text.contains("100000 lists and objects"));
        }
    }
}

#[tokio::test]
async fn what_is_posted_again_takes_the_place_of_what_was_there() {
    let server = Server::new();
    let time = server.now - 60;
    let point = |value: i64| json!({"name": "n", "value": value, "time": time});
    for items in [
        json!([point(1)]),
        json!([point(1)]),
        json!([point(2), point(3)]),
    ] {
        let body = json!({"measurements": items});
        assert_eq!(server.post("/v1/measurements", &body).await.status, 202);
    }
    let read = server
        .get("/v1/measurements/n?resolution=60&duration=300&summary_function=all")
        .await;
    let row = &read["series"][0]["measurements"][0];
    assert_eq!((&row["count"], &row["sum"]), (&json!(1), &json!(3.0)));
}

#[tokio::test]
async fn every_answer_says_that_no_rates_are_limited() {
    let server = Server::new();
    for path in ["/v1/metrics", "/v1/metrics/nobody", "/v1/spaces"] {
        let answer = server.call("GET", path, &[], "").await;
        for name in ["x-librato-ratelimit-agg", "x-librato-ratelimit-std"] {
            let text = answer.headers[name].to_str().unwrap();
            let rest = text.strip_prefix("limit=2147483647,remaining=2147483647,reset=");
            let reset: i64 = rest.unwrap().parse().unwrap();
            assert!((server.now..server.now + 60).contains(&reset), "{text}");
        }
    }
}

/// A client that says no length and does not finish holds its bytes, not the most that a
/// body may have.
#[tokio::test]
async fn stalled_bodies_do_not_hold_up_others() {
    let server = Server::new();
    let router = router(server.store.clone());
    let post = |body: Body| {
        let request = axum::http::Request::post("/v1/measurements")
            .header("content-type", "application/json")
            .body(body);
        router.clone().oneshot(request.unwrap())
    };
    for _ in 0..40 {
        let chunks = tokio_stream::once("{").chain(tokio_stream::pending());
        tokio::spawn(post(Body::from_stream(chunks.map(Ok::<_, Infallible>))));
    }
    tokio::task::yield_now().await;
    let body = json!({"measurements": [{"name": "n", "value": 1}]}).to_string();
    let answer = tokio::time::timeout(Duration::from_secs(4), post(body.into())).await;
    assert_eq!(answer.expect("an answer").unwrap().status(), 202);
}

/// RFC 1952 around stored blocks (RFC 1951, 3.2.4): valid, and needs no compressor.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let blocks = bytes.chunks(65_535).count();
    for (n, block) in bytes.chunks(65_535).enumerate() {
        out.push(u8::from(n + 1 == blocks));
        let length = block.len() as u16;
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    let crc = !bytes.iter().fold(!0u32, |mut crc, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
        crc
    });
    out.extend(crc.to_le_bytes());
    out.extend((bytes.len() as u32).to_le_bytes());
    out
}

#[tokio::test]
async fn failures_close_the_connection() {
    let answer = close_after_failure(Refusal::system("x").into_response()).await;
    assert_eq!(
        (answer.status(), &answer.headers()["connection"]),
        (
            StatusCode::SERVICE_UNAVAILABLE,
            &HeaderValue::from_static("close")
        )
    );
    let answer = close_after_failure(Refusal::not_found("x").into_response()).await;
    assert!(!answer.headers().contains_key("connection"));
}

/// `temp` of four streams, six points each, ten seconds apart, the last at a minute's start.
async fn four_streams(server: &Server) -> i64 {
    let end = server.now - server.now.rem_euclid(60) - 60;
    let mut items = Vec::new();
    for (n, (region, db)) in [
        ("us-east", Some("prod-1")),
        ("us-west", Some("prod-2")),
        ("eu", Some("test")),
        ("eu", None),
    ]
    .iter()
    .enumerate()
    {
        for step in 0..6 {
            let mut tags = json!({"region": region});
            if let Some(db) = db {
                tags["db"] = json!(db);
            }
            items.push(json!({"name": "temp", "time": end - 10 * step, "value": (n + 1) * 10, "tags": tags}));
        }
    }
    assert_eq!(
        server
            .post("/v1/measurements", &json!({"measurements": items}))
            .await
            .status,
        202
    );
    end
}

#[tokio::test]
async fn tags_choose_streams() {
    let server = Server::new();
    let end = four_streams(&server).await;
    for (tags, want) in [
        ("", vec![10.0, 20.0, 30.0, 40.0]),
        ("&tags=*", vec![10.0, 20.0, 30.0, 40.0]),
        ("&tags[region]=us-*", vec![10.0, 20.0]),
        ("&tags%5Bregion%5D=US-EAST", vec![10.0]),
        (
            "&tags[region]=us-east&tags[region]=eu",
            vec![10.0, 30.0, 40.0],
        ),
        ("&tags[region]=eu&tags[db]=test", vec![30.0]),
        ("&tags[db]=!prod*", vec![30.0]),
        ("&tags=!db", vec![40.0]),
        ("&tags[!db]=", vec![40.0]),
        ("&tags=db", vec![10.0, 20.0, 30.0]),
        ("&tags_search=region%3Dus-*%20and%20db%3D*-2", vec![20.0]),
        ("&tags[region]=nowhere", vec![]),
    ] {
        let read = server
            .get(&format!(
                "/v1/measurements/temp?resolution=60&start_time={}&end_time={end}{tags}",
                end - 100
            ))
            .await;
        let series = read["series"].as_array().unwrap();
        let values: Vec<f64> = series
            .iter()
            .map(|stream| stream["measurements"][0]["value"].as_f64().unwrap())
            .collect();
        assert_eq!(values, want, "{tags}");
    }
}

#[tokio::test]
async fn streams_are_grouped_by_tags() {
    let server = Server::new();
    let end = four_streams(&server).await;
    let path = format!("/v1/measurements/temp?resolution=1&start_time={end}&end_time={end}");
    for (group, want) in [
        (
            "&group_by=region&group_by_function=sum",
            json!([[{"region": "eu"}, 70.0], [{"region": "us-east"}, 10.0], [{"region": "us-west"}, 20.0]]),
        ),
        ("&group_by=*&group_by_function=mean", json!([[{}, 25.0]])),
        (
            "&group_by=region,db&group_by_function=max",
            json!([[{"region": "eu", "db": "test"}, 30.0], [{"region": "us-east", "db": "prod-1"}, 10.0], [{"region": "us-west", "db": "prod-2"}, 20.0]]),
        ),
    ] {
        let read = server.get(&format!("{path}{group}")).await;
        let series: Vec<Value> = read["series"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| json!([s["tags"], s["measurements"][0]["value"]]))
            .collect();
        assert_eq!(json!(series), want, "{group}");
    }
}

#[tokio::test]
async fn queries_that_cannot_be_answered_say_why() {
    let server = Server::new();
    four_streams(&server).await;
    for (query, field) in [
        ("", "resolution"),
        ("resolution=0&duration=60", "resolution"),
        ("resolution=604801&duration=60", "resolution"),
        ("resolution=x&duration=60", "resolution"),
        ("resolution=60", "start_time"),
        (
            "resolution=60&start_time=1&end_time=2&duration=1",
            "duration",
        ),
        (
            "resolution=60&duration=60&group_by=region",
            "group_by_function",
        ),
        (
            "resolution=60&duration=60&group_by_function=sum",
            "group_by",
        ),
        (
            "resolution=60&duration=60&summary_function=median",
            "summary_function",
        ),
        (
            "resolution=60&duration=60&tags=*&tags[a]=b&tags_search=a=b",
            "tags_search",
        ),
    ] {
        let (status, body) = server
            .refused(&format!("/v1/measurements/temp?{query}"))
            .await;
        assert_eq!(status, 400, "{query}");
        assert!(
            body["errors"]["params"][field][0].is_string(),
            "{query}: {body}"
        );
    }
    assert_eq!(
        server.refused("/v1/metrics/temp?resolution=60").await.0,
        400
    );
    assert_eq!(server.refused("/v1/metrics/temp?count=0").await.0, 400);
    assert_eq!(
        server
            .refused("/v1/measurements/nobody?resolution=1&duration=1")
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn resolution_floors_times_and_averages_and_a_derivative_is_a_difference() {
    let server = Server::new();
    let t = server.now - server.now.rem_euclid(60) - 120;
    let points = |name: &str| {
        (0..12)
            .map(|n| json!({"name": name, "measure_time": t + n * 10, "value": n * n}))
            .collect::<Vec<_>>()
    };
    let body = json!({"gauges": points("g"), "counters": points("c")});
    assert_eq!(server.post("/v1/metrics", &body).await.status, 200);
    let read = server
        .get(&format!("/v1/metrics/g?start_time={t}&resolution=60"))
        .await;
    let rows = &read["measurements"]["unassigned"];
    assert_eq!(
        rows[0],
        json!({"measure_time": t, "value": 55.0 / 6.0, "count": 6, "sum": 55.0, "min": 0.0, "max": 25.0, "sum_squares": 979.0})
    );
    assert_eq!(
        (&rows[1]["measure_time"], read["resolution"].as_i64()),
        (&json!(t + 60), Some(60))
    );
    let read = server
        .get(&format!("/v1/metrics/c?start_time={t}&resolution=60"))
        .await;
    assert_eq!(read["measurements"]["unassigned"][1]["value"], 121.0);
    let read = server
        .get(&format!(
            "/v1/measurements/c?start_time={t}&resolution=60&summary_function=derivative"
        ))
        .await;
    assert_eq!(
        read["series"][0]["measurements"],
        json!([{"time": t + 60, "value": 96.0}])
    );
}

#[tokio::test]
async fn count_takes_the_last_or_after_a_start_the_first_rows_of_each_source() {
    let server = Server::new();
    let t = server.now - 3000;
    let items: Vec<Value> = (0..100).flat_map(|n| [("a", n), ("b", n)]).map(|(source, n)| json!({"name": "g", "source": source, "measure_time": t + n * 20, "value": n})).collect();
    server.post("/v1/metrics", &json!({"gauges": items})).await;
    let values = |read: &Value, source: &str| -> Vec<i64> {
        read["measurements"][source]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["value"].as_f64().unwrap() as i64)
            .collect()
    };
    let read = server.get("/v1/metrics/g?count=3").await;
    assert_eq!(
        (values(&read, "a"), values(&read, "b")),
        (vec![97, 98, 99], vec![97, 98, 99])
    );
    let read = server
        .get(&format!(
            "/v1/metrics/g?count=2&end_time={}&source=a",
            t + 100
        ))
        .await;
    assert_eq!(values(&read, "a"), [4, 5]);
    assert!(read["measurements"]["b"].is_null());
    let read = server
        .get(&format!(
            "/v1/metrics/g?count=2&start_time={}&sources[]=b&sources[]=zz*",
            t + 1
        ))
        .await;
    assert_eq!(values(&read, "b"), [1, 2]);
    for (query, keys) in [
        ("summarize_sources=true", vec!["a", "all", "b"]),
        ("breakout_sources=false", vec!["all"]),
        ("sources[]=*&group_by=sum", vec!["all"]),
    ] {
        let read = server.get(&format!("/v1/metrics/g?count=1&{query}")).await;
        let sources: Vec<&String> = read["measurements"].as_object().unwrap().keys().collect();
        assert_eq!(sources, keys, "{query}");
        let all = &read["measurements"]["all"][0];
        assert_eq!(
            all["value"],
            if query.contains("sum&") || query.ends_with("=sum") {
                198.0
            } else {
                99.0
            }
        );
    }
    let read = server
        .get("/v1/metrics/g?count=4&source=a&summarize_time=true")
        .await;
    assert_eq!(values(&read, "a"), [97]);
    assert_eq!(read["measurements"]["a"][0]["count"], 4);
}

#[tokio::test]
async fn a_long_answer_ends_at_a_whole_step_and_says_where_to_go_on() {
    let server = Server::new();
    let t = server.now - server.now.rem_euclid(120) - 1200;
    let items: Vec<Value> = (0..600)
        .map(|n| json!({"name": "g", "time": t + n * 2, "value": n}))
        .collect();
    server
        .post("/v1/measurements", &json!({"measurements": items}))
        .await;
    let ids = [server.store.series_of("g")[0].id];
    let mut from = t;
    let mut read = Vec::new();
    let mut pages = 0;
    loop {
        let page = rows::forward(&server.store, &ids, from..=server.now, 7, 20).unwrap();
        read.extend(page.series.into_values().flatten());
        pages += 1;
        match page.next {
            Some(next) => {
                assert!(next > from);
                from = next;
            }
            None => break,
        }
    }
    let whole = rows::forward(&server.store, &ids, t..=server.now, 7, usize::MAX).unwrap();
    assert_eq!(read, whole.series[&ids[0]]);
    assert!(pages > 5, "{pages} pages");
}
