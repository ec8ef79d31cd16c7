//! What is said of metrics and sources, and their end.

use super::{Answer, Server};
use crate::clock;
use crate::store::{Options, Store};
use serde_json::{Value, json};
use std::time::Duration;

const JSON: [(&str, &str); 2] = [
    ("content-type", "application/json"),
    ("user-agent", "test/1"),
];

impl Server {
    async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call(method, path, &JSON, body.to_string()).await
    }

    /// Sends one gauge and, with `.c` at its end, a counter of each name.
    async fn with_metrics(names: &[&str]) -> Server {
        let server = Server::new();
        let items = |counters: bool| -> Value {
            let names = names.iter().filter(|name| name.ends_with(".c") == counters);
            names
                .map(|name| json!({"name": name, "value": 1}))
                .collect()
        };
        let body = json!({"gauges": items(false), "counters": items(true)});
        assert_eq!(server.post("/v1/metrics", &body).await.status, 200);
        server
    }

    async fn names(&self, query: &str) -> Vec<String> {
        let list = self.get(&format!("/v1/metrics{query}")).await;
        let metrics = list["metrics"].as_array().unwrap().iter();
        metrics
            .map(|metric| metric["name"].as_str().unwrap().into())
            .collect()
    }
}

#[tokio::test]
async fn metrics_are_listed_by_name_in_pages() {
    let server = Server::with_metrics(&["b.Req", "a.req", "c.load", "d.c"]).await;
    let tagged = json!({"measurements": [{"name": "e", "value": 1, "tags": {"host": "a"}}]});
    server.post("/v1/measurements", &tagged).await;
    let list = server.get("/v1/metrics").await;
    let query = json!({"found": 5, "length": 5, "offset": 0, "total": 5});
    assert_eq!(list["query"], query);
    for metric in list["metrics"].as_array().unwrap() {
        for key in [
            "name",
            "type",
            "period",
            "attributes",
            "description",
            "display_name",
        ] {
            assert!(metric.get(key).is_some(), "{metric} has no {key}");
        }
    }
    assert_eq!(list["metrics"][3]["type"], "counter");
    for (query, names) in [
        ("", vec!["a.req", "b.Req", "c.load", "d.c", "e"]),
        ("?name=REQ", vec!["a.req", "b.Req"]),
        ("?name=nothing", vec![]),
        ("?offset=1&length=2", vec!["b.Req", "c.load"]),
        ("?sort=desc&length=1&orderby=name", vec!["e"]),
    ] {
        assert_eq!(server.names(query).await, names, "{query}");
    }
    let found = server.get("/v1/metrics?name=req&length=1").await;
    let query = json!({"found": 2, "length": 1, "offset": 0, "total": 5});
    assert_eq!(found["query"], query);
    let (status, body) = server.refused("/v1/metrics?compose=s(%22a%22)").await;
    assert_eq!(status, 400);
    assert!(body["errors"]["params"]["compose"].is_array());
}

#[tokio::test]
async fn a_metric_is_made_with_its_type_and_edited_without() {
    let server = Server::new();
    let path = "/v1/metrics/queue.len";
    let answer = server
        .send("PUT", path, json!({"display_name": "Queue"}))
        .await;
    assert_eq!(answer.status, 404);
    assert!(answer.text.contains("without a type"), "{}", answer.text);

    let body = json!({"type": "gauge", "name": "queue.len", "display_name": "Queue", "period": 15,
        "attributes": {"display_min": 0, "color": "#52D74C"}});
    let answer = server.send("PUT", path, body).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers["location"], "/v1/metrics/queue.len");
    let made = json!({"name": "queue.len", "display_name": "Queue", "type": "gauge", "description": null,
        "period": 15, "source_lag": null,
        "attributes": {"display_min": 0, "color": "#52D74C", "created_by_ua": "test/1"}});
    assert_eq!(answer.json(), made);
    assert_eq!(server.get(path).await, made);
    let read = server.get(&format!("{path}?count=1")).await;
    assert_eq!(read["measurements"], json!({}));

    let edit = json!({"display_name": null, "description": "jobs", "unknown": 1,
        "attributes": {"color": null, "summarize_function": "sum"}});
    let answer = server.send("PUT", "/v1/metrics/QUEUE.LEN", edit).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let edited = json!({"name": "queue.len", "display_name": null, "type": "gauge", "description": "jobs",
        "period": 15, "source_lag": null,
        "attributes": {"display_min": 0, "summarize_function": "sum", "created_by_ua": "test/1"}});
    assert_eq!(server.get(path).await, edited);

    // Points find the metric that was made, and change nothing of it.
    let point = json!({"gauges": [{"name": "Queue.Len", "value": 3, "description": "no"}]});
    assert_eq!(server.post("/v1/metrics", &point).await.status, 200);
    assert_eq!(server.get(path).await, edited);
    let clash = json!({"counters": [{"name": "queue.len", "value": 3}]});
    let answer = server.post("/v1/metrics", &clash).await;
    let text = "'queue.len' is a gauge, but was submitted as different type";
    assert_eq!(answer.json()["errors"]["params"]["type"][0], text);

    for (name, body, field) in [
        ("queue.len", json!({"type": "counter"}), "type"),
        (
            "queue.len",
            json!({"type": "composite", "composite": "s(\"a\")"}),
            "type",
        ),
        ("queue.len", json!({"period": "x"}), "period"),
        ("queue.len", json!({"display_name": 1}), "display_name"),
        ("queue.len", json!({"attributes": []}), "attributes"),
        (
            "queue.len",
            json!({"attributes": {"summarize_function": "median"}}),
            "summarize_function",
        ),
        (
            "queue.len",
            json!({"attributes": {"x": "y".repeat(20_000)}}),
            "attributes",
        ),
        ("a%20b", json!({"type": "gauge"}), "name"),
    ] {
        let answer = server
            .send("PUT", &format!("/v1/metrics/{name}"), body.clone())
            .await;
        assert_eq!(answer.status, 400, "{body}");
        let params = &answer.json()["errors"]["params"];
        assert!(params[field][0].is_string(), "{body}: {params}");
    }
    assert_eq!(server.get(path).await, edited);
}

#[tokio::test]
async fn a_batch_edits_what_names_and_patterns_choose() {
    let server = Server::with_metrics(&["a.time", "b.time", "b.time.c", "cpu"]).await;
    let units = async |name: &str| {
        let metric = server.get(&format!("/v1/metrics/{name}")).await;
        let attributes = &metric["attributes"];
        json!([
            attributes["display_units_short"],
            attributes["summarize_function"],
            metric["period"]
        ])
    };
    let body = json!({"names": ["*.TIME*"], "exclude": "a*", "display_units_short": "ms",
        "summarize_function": "max"});
    assert_eq!(server.send("PUT", "/v1/metrics", body).await.status, 204);
    assert_eq!(units("a.time").await, json!([null, null, null]));
    assert_eq!(units("b.time").await, json!(["ms", "max", null]));
    // An attribute of gauges alone.
    assert_eq!(units("b.time.c").await, json!(["ms", null, null]));

    let form = "names=cpu&names=absent&period=60&attributes[display_units_short]=s";
    let answer = server.call("PUT", "/v1/metrics", &[], form).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(units("cpu").await, json!(["s", null, 60]));
    assert_eq!(server.names("?name=absent").await, Vec::<String>::new());

    // All or none.
    let large = json!({"names": "*", "period": 1, "description": "x".repeat(20_000)});
    assert_eq!(server.send("PUT", "/v1/metrics", large).await.status, 400);
    assert_eq!(units("a.time").await, json!([null, null, null]));

    let many: Vec<String> = (0..101).map(|n| format!("{n}*")).collect();
    for (names, word) in [
        (Value::Null, "is required"),
        (json!([]), "is required"),
        (json!([1]), "must be a list of strings"),
        (json!("a b"), "is not a valid metric name or pattern"),
        (json!(""), "is not a valid metric name or pattern"),
        (json!(many), "must have at most 100 patterns"),
    ] {
        for method in ["PUT", "DELETE"] {
            let answer = server
                .send(method, "/v1/metrics", json!({"names": names}))
                .await;
            assert_eq!(answer.status, 400, "{names}");
            let message = answer.json()["errors"]["params"]["names"][0].to_string();
            assert!(message.contains(word), "{message}");
        }
    }
    assert_eq!(server.names("").await.len(), 4);
}

#[tokio::test]
async fn metrics_are_deleted_and_start_afresh() {
    let server = Server::with_metrics(&["a", "b", "cpu.90", "cpu.95", "cpu.c"]).await;
    let answer = server.call("DELETE", "/v1/metrics/A", &[], "").await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(server.refused("/v1/metrics/a").await.0, 404);
    assert_eq!(
        server
            .refused("/v1/measurements/a?resolution=1&duration=60")
            .await
            .0,
        404
    );
    assert_eq!(
        server.call("DELETE", "/v1/metrics/a", &[], "").await.status,
        404
    );

    // The name is free for another type, and has none of its old points.
    let body = json!({"counters": [{"name": "a", "value": 5, "measure_time": server.now - 100}]});
    assert_eq!(server.post("/v1/metrics", &body).await.status, 200);
    let read = server.get("/v1/metrics/a?start_time=1").await;
    let rows = json!([{"measure_time": server.now - 100, "value": 5.0, "count": 1}]);
    assert_eq!(read["measurements"], json!({"unassigned": rows}));

    let answer = server
        .send("DELETE", "/v1/metrics", json!({"names": ["b", "absent"]}))
        .await;
    assert_eq!(answer.status, 204);
    let form = "names=cpu*&exclude[]=cpu.95";
    assert_eq!(
        server.call("DELETE", "/v1/metrics", &[], form).await.status,
        204
    );
    assert_eq!(server.names("").await, ["a", "cpu.95"]);
}

#[tokio::test]
async fn sources_have_names_for_people() {
    let server = Server::new();
    let body = json!({"gauges": [{"name": "a", "value": 1, "source": "Lb-1"}, {"name": "a", "value": 1, "source": "lb-2"}]});
    server.post("/v1/metrics", &body).await;
    let source = |name: &str, display: Value| json!({"name": name, "display_name": display});
    let list = server.get("/v1/sources").await;
    assert_eq!(
        list["query"],
        json!({"found": 2, "length": 2, "offset": 0, "total": 2})
    );
    assert_eq!(
        list["sources"],
        json!([source("Lb-1", Value::Null), source("lb-2", Value::Null)])
    );

    let display = |name: &str| json!({"display_name": name});
    let answer = server
        .send("PUT", "/v1/sources/lb-1", display("Front"))
        .await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(
        server.get("/v1/sources/LB-1").await["display_name"],
        "Front"
    );
    let answer = server
        .send("PUT", "/v1/sources/db.1", display("Database"))
        .await;
    assert_eq!(
        (answer.status, &answer.headers["location"]),
        (201, &"/v1/sources/db.1".parse().unwrap())
    );
    assert_eq!(answer.json(), source("db.1", json!("Database")));
    for (name, found) in [("lb", 2), ("FRONT", 1), ("base", 1), ("", 3), ("zz", 0)] {
        let list = server.get(&format!("/v1/sources?name={name}")).await;
        assert_eq!(list["query"]["found"], found, "{name}");
        assert_eq!(list["query"]["total"], 3, "{name}");
    }

    // Nothing is left of one without points.
    let none = json!({"display_name": null});
    assert_eq!(
        server
            .send("PUT", "/v1/sources/db.1", none.clone())
            .await
            .status,
        204
    );
    assert_eq!(server.refused("/v1/sources/db.1").await.0, 404);
    for (name, body, field) in [
        ("db.1", none, "display_name"),
        ("db.1", json!({}), "display_name"),
        ("lb-1", display(&"x".repeat(256)), "display_name"),
        ("all", display("x"), "name"),
        ("a%20b", display("x"), "name"),
    ] {
        let answer = server
            .send("PUT", &format!("/v1/sources/{name}"), body)
            .await;
        assert_eq!(answer.status, 400, "{name}");
        assert!(answer.json()["errors"]["params"][field][0].is_string());
    }
    assert_eq!(
        server
            .send("PUT", "/v1/sources/lb-1", json!({}))
            .await
            .status,
        204
    );
    assert_eq!(
        server.get("/v1/sources/lb-1").await["display_name"],
        "Front"
    );
}

#[tokio::test]
async fn what_was_said_outlives_points_and_restarts() {
    let server = Server::with_metrics(&["said", "unsaid", "gone"]).await;
    server
        .send("PUT", "/v1/metrics/said", json!({"display_name": "Said"}))
        .await;
    server
        .send(
            "PUT",
            "/v1/sources/unassigned",
            json!({"display_name": "Nobody"}),
        )
        .await;
    server
        .send("DELETE", "/v1/metrics", json!({"names": "gone"}))
        .await;
    let Server {
        _dir: dir, store, ..
    } = server;
    drop(store);

    let store = Store::open(dir.path(), Options::default()).unwrap();
    assert_eq!(
        store
            .metric("said")
            .unwrap()
            .description
            .display_name
            .as_deref(),
        Some("Said")
    );
    assert!(store.metric("unsaid").is_some());
    assert!(store.metric("gone").is_none());
    store
        .tick(clock::now() + Duration::from_secs(25 * 3600))
        .await
        .unwrap();
    let names = |store: &Store| -> Vec<String> {
        store
            .metrics()
            .iter()
            .map(|metric| metric.name.clone())
            .collect()
    };
    assert_eq!(names(&store), ["said"]);
    assert_eq!((store.stats().series, store.stats().points), (0, 0));
    drop(store);

    let store = Store::open(dir.path(), Options::default()).unwrap();
    assert_eq!(names(&store), ["said"]);
    let sources = store.sources();
    assert_eq!(sources["unassigned"].1.as_deref(), Some("Nobody"));
}

#[tokio::test]
async fn the_store_takes_so_many_metrics() {
    let dir = tempfile::TempDir::new().unwrap();
    let options = Options {
        series_max: 2,
        ..Options::default()
    };
    let store = Store::open(dir.path(), options).unwrap();
    let server = Server {
        _dir: dir,
        store,
        now: clock::now().as_secs(),
    };
    for (name, status) in [("a", 201), ("b", 201), ("c", 400), ("a", 204)] {
        let answer = server
            .send(
                "PUT",
                &format!("/v1/metrics/{name}"),
                json!({"type": "gauge"}),
            )
            .await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    server
        .send("DELETE", "/v1/metrics", json!({"names": "*"}))
        .await;
    assert_eq!(
        server
            .send("PUT", "/v1/metrics/c", json!({"type": "gauge"}))
            .await
            .status,
        201
    );
}
