//! Spaces and charts as clients write and read them.

use crate::http::librato::tests::{Answer, Server};
use crate::store::STREAMS_MAX;
use serde_json::{Value, json};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

impl Server {
    async fn put_json(&self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, &JSON, body.to_string()).await
    }

    async fn remove(&self, path: &str) -> u16 {
        self.call("DELETE", path, &[], "").await.status
    }

    /// Makes a space and returns its path.
    async fn space(&self, name: &str) -> String {
        let answer = self.post("/v1/spaces", &json!({"name": name})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        format!("/v1/spaces/{}", answer.json()["id"])
    }

    /// Makes a chart and returns its path.
    async fn chart(&self, space: &str, body: &Value) -> String {
        let charts = format!("{space}/charts");
        let answer = self.post(&charts, body).await;
        assert_eq!(answer.status, 201, "{body}: {}", answer.text);
        format!("{charts}/{}", answer.json()["id"])
    }
}

#[tokio::test]
async fn a_space_is_made_found_renamed_and_removed() {
    let server = Server::new();
    let body = json!({"name": " CPUs ", "tags": true});
    let answer = server.post("/v1/spaces", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.headers["location"], "/v1/spaces/1");
    let space = json!({"id": 1, "name": "CPUs", "tags": true});
    assert_eq!(answer.json(), space);
    for name in ["staging_ops", "Ops"] {
        server.space(name).await;
    }
    let listed = server.get("/v1/spaces?name=OPS&length=1").await;
    assert_eq!(
        listed,
        json!({"query": {"found": 2, "length": 1, "offset": 0, "total": 3},
               "spaces": [{"id": 3, "name": "Ops"}]})
    );
    let answer = server
        .put_json("/v1/spaces/1", &json!({"name": "MEMORY"}))
        .await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(
        server.get("/v1/spaces/1").await,
        json!({"id": 1, "name": "MEMORY", "tags": true, "charts": []})
    );
    assert_eq!(server.remove("/v1/spaces/1").await, 204);
    assert_eq!(server.remove("/v1/spaces/1").await, 404);
    let (status, why) = server.refused("/v1/spaces/1").await;
    assert_eq!(
        (status, why),
        (
            404,
            json!({"errors": {"request": ["no space has the id 1"]}})
        )
    );
    let all = server.get("/v1/spaces").await;
    assert_eq!(all["query"]["total"], 2);
}

#[tokio::test]
async fn a_chart_is_read_as_it_was_written_with_what_its_streams_are() {
    let server = Server::new();
    let now = server.now;
    let counter = json!({"counters": [{"name": "hits", "value": 1}], "measure_time": now});
    assert_eq!(server.post("/v1/metrics", &counter).await.status, 200);
    let space = server.space("CPUs").await;
    let streams = json!([
        {"metric": "cpu.idle", "tags": [{"name": "environment", "values": ["prod", "st*"], "grouped": true}],
         "group_function": "breakout", "summary_function": "max", "color": "#52D74C", "name": "idle",
         "units_short": "%", "units_long": "percent", "min": 0, "max": 100,
         "transform_function": "x*100/(p+1)", "period": 60},
        {"metric": "hits", "source": "web*", "downsample_function": "sum", "split_axis": false},
        {"composite": "sum(s(\"cpu.*\",{\"environment\":\"*\"}))"},
    ]);
    let body = json!({
        "name": "CPU usage", "type": "stacked", "min": -1.5, "max": 100, "label": "percent",
        "related_space": 7, "use_log_yaxis": true, "use_last_value": null,
        "thresholds": [{"value": 90}], "whatever": 1, "streams": streams,
    });
    let answer = server.post(&format!("{space}/charts"), &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.headers["location"], "/v1/spaces/1/charts/1");
    let mut want = body.clone();
    want["id"] = 1.into();
    for key in ["whatever", "use_last_value"] {
        want.as_object_mut().unwrap().remove(key);
    }
    for (i, kind) in ["gauge", "counter", "composite"].into_iter().enumerate() {
        want["streams"][i]["id"] = (i + 1).into();
        want["streams"][i]["type"] = kind.into();
    }
    assert_eq!(answer.json(), want);
    assert_eq!(server.get("/v1/spaces/1/charts/1").await, want);
    assert_eq!(server.get("/v1/spaces/1/charts").await, json!([want]));
    assert_eq!(
        server.get("/v1/spaces/1").await["charts"],
        json!([{"id": 1}])
    );

    let bare = server
        .chart(&space, &json!({"name": "bare", "streams": []}))
        .await;
    assert_eq!(
        server.get(&bare).await,
        json!({"id": 2, "name": "bare", "type": "line", "streams": [], "thresholds": null})
    );
}

#[tokio::test]
async fn what_is_put_of_a_chart_changes_and_what_is_not_said_stays() {
    let server = Server::new();
    let space = server.space("s").await;
    let body = json!({"name": "c", "label": "ms", "streams": [{"metric": "a"}, {"metric": "b"}]});
    let path = server.chart(&space, &body).await;
    let mut want = server.get(&path).await;
    for (put, field, value) in [
        (json!({"name": "Temperature"}), "name", json!("Temperature")),
        (json!({"type": "bignumber"}), "type", json!("bignumber")),
        (json!({"label": "s", "name": null}), "label", json!("s")),
        (json!({"max": 5, "streams": null}), "max", json!(5)),
        (json!({}), "max", json!(5)),
        // The one that stays is known by its id, as clients send it back.
        (
            json!({"streams": [{"id": 2, "type": "gauge", "metric": "b2"}, {"metric": "c"}]}),
            "streams",
            json!([{"id": 2, "type": "gauge", "metric": "b2"}, {"id": 3, "type": "gauge", "metric": "c"}]),
        ),
    ] {
        let answer = server.put_json(&path, &put).await;
        want[field] = value;
        assert_eq!((answer.status, answer.json()), (200, want.clone()), "{put}");
        assert_eq!(server.get(&path).await, want, "{put}");
    }
    // What was read can be put back as it is.
    let back = server.put_json(&path, &want).await;
    assert_eq!((back.status, back.json()), (200, want));
    // `null` takes away.
    let answer = server.put_json(&path, &json!({"label": null})).await;
    assert_eq!(answer.json().get("label"), None);

    assert_eq!(server.remove(&path).await, 204);
    assert_eq!(server.remove(&path).await, 404);
    assert_eq!(server.put_json(&path, &body).await.status, 404);
}

#[tokio::test]
async fn forms_say_what_json_says() {
    let server = Server::new();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = server
        .call("POST", "/v1/spaces", &form, "name=CPUs&tags=true")
        .await;
    assert_eq!(
        answer.json(),
        json!({"id": 1, "name": "CPUs", "tags": true})
    );
    let chart = "name=Load&type=line&min=0&related_space=3&use_log_yaxis=false\
                 &streams[0][metric]=load&streams[0][tags][0][name]=host\
                 &streams[0][tags][0][values][]=a&streams[0][tags][0][values][]=b*\
                 &streams[0][tags][0][grouped]=true&streams[0][period]=60\
                 &streams[1][metric]=load&streams[1][source]=*";
    let answer = server
        .call("POST", "/v1/spaces/1/charts", &form, chart)
        .await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(
        answer.json(),
        json!({
            "id": 1, "name": "Load", "type": "line", "min": 0.0, "related_space": 3,
            "use_log_yaxis": false, "thresholds": null, "streams": [
                {"id": 1, "type": "gauge", "metric": "load", "period": 60,
                 "tags": [{"name": "host", "values": ["a", "b*"], "grouped": true}]},
                {"id": 2, "type": "gauge", "metric": "load", "source": "*"},
            ],
        })
    );
}

#[tokio::test]
async fn refusals_name_the_field_and_store_nothing() {
    let server = Server::new();
    let space = server.space("s").await;
    let long = "x".repeat(256);
    for (body, field, message) in [
        (json!({}), "name", "is required"),
        (json!({"name": " "}), "name", "is required"),
        (json!({"name": 5}), "name", "must be a string"),
        (
            json!({"name": long}),
            "name",
            "must be at most 255 characters",
        ),
        (
            json!({"name": "x", "tags": "yes"}),
            "tags",
            "must be true or false",
        ),
    ] {
        let answer = server.post("/v1/spaces", &body).await;
        let why = json!({"errors": {"params": {field: [message]}}});
        assert_eq!((answer.status, answer.json()), (400, why), "{body}");
    }
    let taken = server.post("/v1/spaces", &json!({"name": "S"})).await;
    assert_eq!(
        (taken.status, taken.json()),
        (
            422,
            json!({"errors": {"params": {"name": ["'S' is the name of the space 1: names are compared without case"]}}})
        )
    );
    let other = server.space("other").await;
    let renamed = server.put_json(&other, &json!({"name": "s"})).await;
    assert_eq!(renamed.status, 422);

    let stream = |stream: Value| json!({"name": "c", "streams": [stream]});
    let tags = |tags: Value| stream(json!({"metric": "m", "tags": tags}));
    let functions = "must be average, mean, sum, min, max or breakout";
    for (body, field, message) in [
        (json!({"streams": []}), "name", "is required"),
        (
            json!({"name": "c", "type": "pie"}),
            "type",
            "must be line, stacked or bignumber",
        ),
        (json!({"name": "c", "min": "low"}), "min", "is not a number"),
        (
            json!({"name": "c", "related_space": -1}),
            "related_space",
            "must be a whole number above zero",
        ),
        (
            json!({"name": "c", "use_log_yaxis": 1}),
            "use_log_yaxis",
            "must be true or false",
        ),
        (
            json!({"name": "c", "thresholds": 5}),
            "thresholds",
            "must be an array of objects",
        ),
        (
            json!({"name": "c", "streams": {}}),
            "streams",
            "must be an array",
        ),
        (
            json!({"name": "c", "streams": ["m"]}),
            "streams",
            "must be an array of objects",
        ),
        (
            json!({"name": "c", "streams": vec![json!({"metric": "m"}); STREAMS_MAX + 1]}),
            "streams",
            "must be at most 50",
        ),
        (stream(json!({})), "metric", "is required, or composite"),
        (
            stream(json!({"metric": "a b"})),
            "metric",
            "a b is not a valid metric name",
        ),
        (
            stream(json!({"metric": "m", "composite": "s(\"m\")"})),
            "composite",
            "must not be given together with metric",
        ),
        (
            stream(json!({"metric": "m", "group_function": "best"})),
            "group_function",
            functions,
        ),
        (
            stream(json!({"metric": "m", "color": "red"})),
            "color",
            "must be a colour such as #52D74C",
        ),
        (
            stream(json!({"metric": "m", "transform_function": "exec(x)"})),
            "transform_function",
            "must be a formula of x, such as x/1000",
        ),
        (
            stream(json!({"metric": "m", "period": 0.5})),
            "period",
            "must be a whole number above zero",
        ),
        (tags(json!({"host": "a"})), "tags", "must be an array"),
        (tags(json!(["host"])), "tags", "must be an array of objects"),
        (
            tags(json!([{"values": ["*"]}])),
            "tags",
            "each needs a name",
        ),
        (
            tags(json!([{"name": "a b"}])),
            "tags",
            "a b is not a valid tag name",
        ),
        (
            tags(json!([{"name": "host", "values": [1]}])),
            "tags",
            "the values of host must be strings",
        ),
    ] {
        let answer = server.post(&format!("{space}/charts"), &body).await;
        let why = json!({"errors": {"params": {field: [message]}}});
        assert_eq!((answer.status, answer.json()), (400, why), "{body}");
    }
    let large = json!({"composite": "x".repeat(4000)});
    let large = json!({"name": "c", "streams": vec![large; 5]});
    let answer = server.post(&format!("{space}/charts"), &large).await;
    assert_eq!(
        (answer.status, answer.json()),
        (
            400,
            json!({"errors": {"request": ["a chart takes at most 16384 bytes as JSON, with its streams"]}})
        )
    );
    assert_eq!(server.get(&format!("{space}/charts")).await, json!([]));
}

#[tokio::test]
async fn what_is_not_there_and_what_cannot_be_read_is_said_as_elsewhere() {
    let server = Server::new();
    let space = server.space("s").await;
    let chart = server.chart(&space, &json!({"name": "c"})).await;
    for (method, path, status) in [
        ("GET", "/v1/spaces/2", 404),
        ("GET", "/v1/spaces/first", 404),
        ("PUT", "/v1/spaces/2", 404),
        ("GET", "/v1/spaces/2/charts", 404),
        ("POST", "/v1/spaces/2/charts", 404),
        ("GET", "/v1/spaces/1/charts/2", 404),
        ("GET", "/v1/spaces/1/charts/first", 404),
        ("DELETE", "/v1/spaces/1/charts/-1", 404),
        ("PUT", "/v1/spaces/2/charts/1", 404),
        ("DELETE", "/v1/spaces", 404),
        ("POST", chart.as_str(), 404),
        ("GET", "/v1/spaces?sort=up", 400),
    ] {
        let answer = server.call(method, path, &JSON, "{\"name\":\"x\"}").await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(answer.json()["errors"].is_object(), "{method} {path}");
    }
    let charts = format!("{space}/charts");
    for (method, path) in [
        ("POST", "/v1/spaces"),
        ("PUT", space.as_str()),
        ("POST", charts.as_str()),
        ("PUT", chart.as_str()),
    ] {
        let text = [("content-type", "text/plain")];
        assert_eq!(server.call(method, path, &text, "a").await.status, 415);
        let answer = server.call(method, path, &JSON, "[]").await;
        assert_eq!(answer.status, 400, "{method} {path}");
    }
}
