//! Bodies as `curl -d` sends them.

use super::{Answer, Server};
use serde_json::json;

const FORM: [(&str, &str); 1] = [(
    "content-type",
    "application/x-www-form-urlencoded; charset=utf-8",
)];

impl Server {
    /// With a content type that says so, or with none.
    async fn form(&self, method: &str, path: &str, said: bool, body: &str) -> Answer {
        let headers = if said { &FORM[..] } else { &[] };
        self.call(method, path, headers, body.to_owned()).await
    }
}

#[tokio::test]
async fn points_come_as_forms() {
    let server = Server::new();
    let t = server.now - 60;
    for (said, name) in [(true, "a"), (false, "b")] {
        let body = format!(
            "measure_time={t}&source=lb-1&period=60&gauges[0][name]={name}.lat&gauges[0][count]=4&gauges[0][sum]=20\
             &gauges[1][name]={name}.load&gauges[1][value]=1.5&gauges[1][source]=lb-2&gauges[1][attributes][display_min]=0\
             &counters[{name}.hits][value]=7"
        );
        let answer = server.form("POST", "/v1/metrics", said, &body).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""));
        let read = async |what: &str| {
            server
                .get(&format!("/v1/metrics/{name}.{what}?count=1"))
                .await
        };
        let lat = read("lat").await;
        assert_eq!(
            lat["measurements"],
            json!({"lb-1": [{"measure_time": t, "value": 5.0, "count": 4, "sum": 20.0}]})
        );
        assert_eq!(lat["period"], 60);
        let load = read("load").await;
        assert_eq!(load["measurements"]["lb-2"][0]["value"], 1.5);
        assert_eq!(load["attributes"]["display_min"], "0");
        let hits = read("hits").await;
        assert_eq!(
            (&hits["type"], &hits["measurements"]["lb-1"][0]["value"]),
            (&json!("counter"), &json!(7.0))
        );
    }
}

#[tokio::test]
async fn refusals_are_those_of_json() {
    let server = Server::new();
    for (body, errors) in [
        (
            "gauges[0][name]=a+b&gauges[0][value]=1",
            json!({"params": {"name": ["a b is not a valid metric name"]}}),
        ),
        (
            "gauges[0][name]=a&gauges[0][value]=x",
            json!({"params": {"value": ["is not a number"], "name": "a"}}),
        ),
        (
            "gauges[0][name]=a&gauges[0][value]=",
            json!({"params": {"value": ["is required"], "name": "a"}}),
        ),
        (
            "gauges=1",
            json!({"params": {"gauges": ["must be an array or an object"]}}),
        ),
        (
            "{\"gauges\":[]}",
            json!({"request": ["'{\"gauges\":[]}' is not a name that a form can have: NAME or NAME[NAME][NAME]"]}),
        ),
        ("", json!({"request": ["Must contain a measurement"]})),
    ] {
        let answer = server.form("POST", "/v1/metrics", true, body).await;
        assert_eq!(
            (answer.status, &answer.json()["errors"]),
            (400, &errors),
            "{body}"
        );
    }
    assert_eq!(server.store.stats().series, 0);
    assert_eq!(server.store.stats().refused, 6);
}

#[tokio::test]
async fn annotations_and_their_links_come_as_forms() {
    let server = Server::new();
    let t = server.now - 60;
    let body = format!(
        "title=Deployed+v7&source=lb&start_time={t}&end_time=&links[10][rel]=b&links[10][href]=/b\
         &links[9][rel]=a&links[9][href]=/a"
    );
    let path = "/v1/annotations/deploys";
    let answer = server.form("POST", path, false, &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let links = json!([{"rel": "a", "href": "/a", "label": null}, {"rel": "b", "href": "/b", "label": null}]);
    assert_eq!(
        answer.json(),
        json!({"id": 1, "title": "Deployed v7", "description": null, "source": "lb",
            "start_time": t, "end_time": null, "links": links})
    );
    let one = format!("{path}/1");
    let end = format!("end_time={}&title=", t + 5);
    let answer = server.form("PUT", &one, false, &end).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    let read = server.get(&one).await;
    assert_eq!(
        (&read["end_time"], &read["title"]),
        (&json!(t + 5), &json!("Deployed v7"))
    );
    let link = server
        .form("POST", &format!("{one}/links"), false, "rel=c&href=/c")
        .await;
    assert_eq!(link.status, 201);
    let answer = server
        .form("PUT", path, false, "display_name=Deploys")
        .await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(
        server.get(path).await,
        json!({"name": "deploys", "display_name": "Deploys"})
    );
    let bad = server
        .form("POST", path, false, "title=x&links[x][rel]=a")
        .await;
    assert_eq!(
        bad.json()["errors"]["params"]["links"][0],
        "must be an array"
    );
}
