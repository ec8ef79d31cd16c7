//! Annotations as clients write and read them.

use crate::http::librato::tests::{Answer, Server};
use serde_json::{Value, json};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

impl Server {
    async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, &JSON, body.to_string()).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, &[], "").await
    }

    /// Posts one and returns its id.
    async fn annotate(&self, stream: &str, body: Value) -> u64 {
        let answer = self.post(&format!("/v1/annotations/{stream}"), &body).await;
        assert_eq!(answer.status, 201, "{body}: {}", answer.text);
        answer.json()["id"].as_u64().expect("an id")
    }
}

/// Its titles by source.
fn titles(answer: &Value) -> Value {
    let events = answer["events"].as_object().expect("events by source");
    let titles = |events: &Value| {
        let events = events.as_array().expect("a list").iter();
        events
            .map(|event| event["title"].clone())
            .collect::<Value>()
    };
    let each = events.iter();
    each.map(|(source, events)| (source.clone(), titles(events)))
        .collect()
}

#[tokio::test]
async fn an_annotation_is_answered_with_its_place_and_read_back() {
    let server = Server::new();
    let now = server.now;
    let full = json!({"title": "Deployed v91", "source": "foo3.bar.com", "description": "fixed a typo",
        "start_time": now - 60, "end_time": now - 30, "links": [
            {"rel": "github", "href": "https://git.example.com/c/1", "label": "Commit"},
            {"rel": "ci", "href": "https://ci.example.com/7"}]});
    let answer = server.post("/v1/annotations/api-deploys", &full).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.headers["location"], "/v1/annotations/api-deploys/1");
    assert_eq!(answer.headers["content-type"], "application/json");
    let mut stored = full.clone();
    stored["id"] = json!(1);
    stored["links"][1]["label"] = Value::Null;
    assert_eq!(answer.json(), stored);
    assert_eq!(server.get("/v1/annotations/API-deploys/1").await, stored);

    let bare = json!({"title": "Deployed v92", "unknown": 1, "source": null});
    let id = server.annotate("api-deploys", bare).await;
    let stored = server
        .get(&format!("/v1/annotations/api-deploys/{id}"))
        .await;
    let start = stored["start_time"].as_i64().unwrap();
    assert!((now..now + 60).contains(&start), "{stored}");
    assert_eq!(
        stored,
        json!({"id": id, "title": "Deployed v92", "description": null, "source": null,
               "start_time": start, "end_time": null, "links": []})
    );
}

#[tokio::test]
async fn the_same_annotation_posted_twice_is_answered_twice_and_stored_once() {
    let server = Server::new();
    let body = json!({"title": "Deployed", "source": "lb-1", "start_time": server.now});
    let first = server.post("/v1/annotations/deploys", &body).await;
    let again = server.post("/v1/annotations/Deploys", &body).await;
    for answer in [&first, &again] {
        assert_eq!(answer.status, 201);
        assert_eq!(answer.headers["location"], "/v1/annotations/deploys/1");
    }
    assert_eq!(first.json(), again.json());
    let stream = server.get("/v1/annotations/deploys?count=9").await;
    assert_eq!(titles(&stream), json!({"lb-1": ["Deployed"]}));
}

#[tokio::test]
async fn a_stream_without_a_range_is_its_properties_and_with_one_its_annotations_by_source() {
    let server = Server::new();
    let now = server.now;
    for (title, source, start) in [
        ("c", Some("server_1"), now - 10),
        ("a", Some("server_1"), now - 30),
        ("b", Some("Server_1"), now - 20),
        ("d", Some("db-1"), now - 20),
        ("e", None, now - 20),
    ] {
        let body = json!({"title": title, "source": source, "start_time": start});
        server.annotate("backups", body).await;
    }
    server.annotate("other", json!({"title": "x"})).await;
    let path = "/v1/annotations/backups";
    assert_eq!(
        server.get(path).await,
        json!({"name": "backups", "display_name": null})
    );
    let one = ["a", "b", "c"].as_slice();
    for (query, want) in [
        (
            format!("start_time={}", now - 60),
            json!({"server_1": one, "db-1": ["d"], "unassigned": ["e"]}),
        ),
        (
            format!("start_time={}&end_time={}", now - 30, now - 20),
            json!({"server_1": ["a", "b"], "db-1": ["d"], "unassigned": ["e"]}),
        ),
        (
            "count=2".into(),
            json!({"server_1": ["b", "c"], "db-1": ["d"], "unassigned": ["e"]}),
        ),
        (
            format!("count=1&start_time={}", now - 60),
            json!({"server_1": ["a"], "db-1": ["d"], "unassigned": ["e"]}),
        ),
        (
            format!("count=1&end_time={}&sources[]=server_*", now - 20),
            json!({"server_1": ["b"]}),
        ),
        (
            "count=9&sources%5B%5D=db-1&sources%5B%5D=unassigned".into(),
            json!({"db-1": ["d"], "unassigned": ["e"]}),
        ),
        ("count=9&source=nobody".into(), json!({})),
        (format!("start_time={}", now + 60), json!({})),
    ] {
        let answer = server.get(&format!("{path}?{query}")).await;
        assert_eq!(answer["name"], "backups");
        assert_eq!(titles(&answer), want, "{query}");
    }
    for (query, field) in [
        ("end_time=5", "start_time"),
        ("count=0", "count"),
        ("start_time=x", "start_time"),
    ] {
        let (status, body) = server.refused(&format!("{path}?{query}")).await;
        assert_eq!(status, 400);
        assert!(
            body["errors"]["params"][field].is_array(),
            "{query}: {body}"
        );
    }
}

#[tokio::test]
async fn streams_are_listed_by_name_in_pages() {
    let server = Server::new();
    for stream in ["app-deploys", "API-deploys", "backups"] {
        server.annotate(stream, json!({"title": "x"})).await;
    }
    let name = json!({"display_name": "Deploys to API"});
    let named = server.put("/v1/annotations/api-deploys", &name).await;
    assert_eq!((named.status, named.text.as_str()), (204, ""));
    assert_eq!(
        server.get("/v1/annotations").await,
        json!({"query": {"found": 3, "length": 3, "offset": 0, "total": 3},
               "annotations": [{"name": "API-deploys", "display_name": "Deploys to API"},
                               {"name": "app-deploys", "display_name": null},
                               {"name": "backups", "display_name": null}]})
    );
    assert_eq!(
        server
            .get("/v1/annotations?name=DEPLOYS&offset=1&length=1&sort=desc")
            .await,
        json!({"query": {"found": 2, "length": 1, "offset": 1, "total": 3},
               "annotations": [{"name": "API-deploys", "display_name": "Deploys to API"}]})
    );
    let none = server.get("/v1/annotations?name=nothing").await;
    assert_eq!(none["annotations"], json!([]));
    assert_eq!(server.refused("/v1/annotations?sort=up").await.0, 400);
}

#[tokio::test]
async fn what_is_put_changes_and_what_is_not_said_stays() {
    let server = Server::new();
    let now = server.now;
    let body = json!({"title": "Backup", "source": "db-1", "description": "nightly", "start_time": now - 60});
    let id = server.annotate("backups", body.clone()).await;
    let path = format!("/v1/annotations/backups/{id}");
    let mut want = server.get(&path).await;
    let link = json!({"rel": "log", "href": "https://logs.example.com/7", "label": "Log"});
    for (put, field, value) in [
        (
            json!({"end_time": now as f64 + 0.5}),
            "end_time",
            json!(now),
        ),
        (
            json!({"title": "Backup done"}),
            "title",
            json!("Backup done"),
        ),
        (json!({"links": [link]}), "links", json!([link])),
        (json!({"description": null}), "description", Value::Null),
        (
            json!({"end_time": null, "title": null}),
            "end_time",
            Value::Null,
        ),
        (json!({}), "title", json!("Backup done")),
    ] {
        let answer = server.put(&path, &put).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{put}");
        want[field] = value;
        assert_eq!(server.get(&path).await, want, "{put}");
    }
    // What was read can be put back as it is.
    let back = server.put(&path, &want).await;
    assert_eq!(back.status, 204, "{}", back.text);
    assert_eq!(server.get(&path).await, want);

    assert_eq!(server.delete(&path).await.status, 204);
    assert_eq!(server.refused(&path).await.0, 404);
    assert_eq!(server.delete(&path).await.status, 404);
    assert_eq!(server.put(&path, &body).await.status, 404);
}

#[tokio::test]
async fn links_come_and_go_by_their_rel() {
    let server = Server::new();
    let id = server.annotate("deploys", json!({"title": "v1"})).await;
    let path = format!("/v1/annotations/deploys/{id}");
    let link = json!({"rel": "build log", "href": "https://ci.example.com/7", "label": "Build"});
    let answer = server.post(&format!("{path}/links"), &link).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(
        answer.headers["location"],
        format!("{path}/links/build%20log")
    );
    assert_eq!(answer.json(), link);
    let taken = server.post(&format!("{path}/links"), &link).await;
    assert_eq!(
        (taken.status, taken.json()),
        (
            422,
            json!({"errors": {"params": {"rel": ["'build log' is taken: it is unique in an annotation"]}}})
        )
    );
    assert_eq!(server.get(&path).await["links"], json!([link]));
    let place = answer.headers["location"].to_str().unwrap();
    assert_eq!(server.delete(place).await.status, 204);
    assert_eq!(server.delete(place).await.status, 404);
    assert_eq!(server.get(&path).await["links"], json!([]));
}

#[tokio::test]
async fn a_deleted_stream_is_gone_with_its_annotations() {
    let server = Server::new();
    let id = server.annotate("gone", json!({"title": "x"})).await;
    assert_eq!(server.delete("/v1/annotations/GONE").await.status, 204);
    for path in [
        "/v1/annotations/gone",
        &format!("/v1/annotations/gone/{id}"),
    ] {
        assert_eq!(
            server.refused(path).await,
            (
                404,
                json!({"errors": {"request": ["no annotation stream is named 'gone'"]}})
            )
        );
    }
    assert_eq!(server.delete("/v1/annotations/gone").await.status, 404);
    let name = json!({"display_name": "Gone"});
    assert_eq!(server.put("/v1/annotations/gone", &name).await.status, 404);
}

#[tokio::test]
async fn refusals_name_the_field_and_store_nothing() {
    let server = Server::new();
    let now = server.now;
    let long = "x".repeat(256);
    let id = server
        .annotate("kept", json!({"title": "x", "source": "a"}))
        .await;
    let link = json!({"rel": "a", "href": "b"});
    let at = |start: i64| json!({"title": "x", "start_time": start});
    for (body, field, message) in [
        (json!({}), "title", "is required"),
        (json!({"title": " "}), "title", "is required"),
        (json!({"title": 5}), "title", "must be a string"),
        (
            json!({"title": long}),
            "title",
            "must be at most 255 characters",
        ),
        (
            json!({"title": "x", "source": "a b"}),
            "source",
            "a b is not a valid source name",
        ),
        (at(now - 25 * 3600), "start_time", "is too far in the past"),
        (at(now + 7200), "start_time", "is too far in the future"),
        (at(now * 1000), "start_time", "is too far in the future"),
        (
            json!({"title": "x", "start_time": "today"}),
            "start_time",
            "is not a number",
        ),
        (
            json!({"title": "x", "start_time": now, "end_time": now - 1}),
            "end_time",
            "must not be before start_time",
        ),
        (
            json!({"title": "x", "end_time": 1e300}),
            "end_time",
            "is too far in the future",
        ),
        (
            json!({"title": "x", "links": {}}),
            "links",
            "must be an array",
        ),
        (
            json!({"title": "x", "links": [1]}),
            "links",
            "must be an array of objects",
        ),
        (
            json!({"title": "x", "links": [{"rel": "a"}]}),
            "href",
            "is required",
        ),
        (
            json!({"title": "x", "links": [{"href": "a"}]}),
            "rel",
            "is required",
        ),
    ] {
        let answer = server.post("/v1/annotations/refused", &body).await;
        assert_eq!(
            (answer.status, answer.json()),
            (400, json!({"errors": {"params": {field: [message]}}})),
            "{body}"
        );
    }
    let twice = json!({"title": "x", "links": [link, link]});
    assert_eq!(
        server.post("/v1/annotations/refused", &twice).await.status,
        422
    );
    let large = json!({"title": "x", "description": "x".repeat(9000)});
    let answer = server.post("/v1/annotations/refused", &large).await;
    assert_eq!(
        (answer.status, answer.json()),
        (
            400,
            json!({"errors": {"request": ["an annotation takes at most 8192 bytes as JSON, with its links"]}})
        )
    );
    for stream in ["a%20b", "..", &long] {
        let answer = server
            .post(&format!("/v1/annotations/{stream}"), &at(now))
            .await;
        assert!(
            answer.json()["errors"]["params"]["name"].is_array(),
            "{stream}"
        );
    }
    assert_eq!(server.get("/v1/annotations").await["query"]["total"], 1);
    let stats = server.store.stats().annotations;
    assert_eq!((stats.accepted, stats.refused), (1, 20));

    let path = format!("/v1/annotations/kept/{id}");
    for (body, field) in [
        (json!({"source": "b"}), "source"),
        (json!({"start_time": now - 60}), "start_time"),
        (json!({"title": ""}), "title"),
        (json!({"end_time": now - 60}), "end_time"),
    ] {
        let answer = server.put(&path, &body).await;
        assert_eq!(answer.status, 400);
        assert!(
            answer.json()["errors"]["params"][field].is_array(),
            "{body}: {}",
            answer.text
        );
    }
    let name = json!({"display_name": "x".repeat(256)});
    let answer = server.put("/v1/annotations/kept", &name).await;
    assert!(answer.json()["errors"]["params"]["display_name"].is_array());
}

#[tokio::test]
async fn what_cannot_be_read_and_what_is_not_there_is_said_as_elsewhere() {
    let server = Server::new();
    let id = server.annotate("a", json!({"title": "x"})).await;
    let text = [("content-type", "text/plain")];
    for (method, path) in [
        ("POST", "/v1/annotations/a".to_owned()),
        ("PUT", "/v1/annotations/a".to_owned()),
        ("PUT", format!("/v1/annotations/a/{id}")),
        ("POST", format!("/v1/annotations/a/{id}/links")),
    ] {
        let answer = server.call(method, &path, &text, "title=Deployed").await;
        assert_eq!(answer.status, 415, "{method} {path}");
        assert!(answer.json()["errors"]["request"].is_array());
        let answer = server.call(method, &path, &JSON, "[]").await;
        assert_eq!(
            (answer.status, answer.json()),
            (
                400,
                json!({"errors": {"request": ["Unable to process JSON: an object is expected"]}})
            ),
            "{method} {path}"
        );
    }
    for (method, path, status) in [
        ("GET", "/v1/annotations/none", 404),
        ("GET", "/v1/annotations/a/99", 404),
        ("GET", "/v1/annotations/a/first", 404),
        ("DELETE", "/v1/annotations/a/-1", 404),
        ("POST", "/v1/annotations", 404),
        ("DELETE", "/v1/annotations", 404),
        ("GET", "/v1/annotations/a/1/links", 404),
    ] {
        let answer = server.call(method, path, &JSON, "{}").await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(
            answer.json()["errors"]["request"].is_array(),
            "{method} {path}"
        );
    }
}

/// As the Python client does, which reads a stream from the answer.
#[tokio::test]
async fn whoever_names_the_stream_in_an_edit_is_answered_with_it() {
    let server = Server::new();
    server.annotate("deploys", json!({"title": "x"})).await;
    let body = json!({"name": "deploys", "display_name": "Deploys"});
    let answer = server.put("/v1/annotations/deploys", &body).await;
    assert_eq!((answer.status, answer.json()), (200, body));
    let body = json!({"display_name": "Other"});
    let answer = server.put("/v1/annotations/deploys", &body).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
}
