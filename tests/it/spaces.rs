//! `weir librato`: the spaces and charts that it has answered for it has, whatever happens to
//! it.

use crate::support::{Weir, folder, http};
use serde_json::{Value, json};

#[test]
fn accepted_spaces_and_charts_survive_a_kill_right_after_the_answer() {
    let site = folder(&[]);
    let data = site.path().join("data");
    let mut receiver = Weir::librato(0, &data);
    let base = receiver.http();
    let mut spaces = Vec::new();
    for number in 0..5 {
        let space = post(
            &base,
            "/v1/spaces",
            &json!({"name": format!("space {number}")}),
        );
        let path = format!("/v1/spaces/{}/charts", space["id"]);
        let charts: Vec<Value> = (0..3)
            .map(|chart| {
                let streams = json!([{"metric": format!("metric.{number}.{chart}"),
                    "tags": [{"name": "service", "values": ["*"], "grouped": true}]}]);
                let body =
                    json!({"name": format!("chart {chart}"), "type": "stacked", "streams": streams});
                post(&base, &path, &body)
            })
            .collect();
        spaces.push((space, charts));
    }
    receiver.kill();

    let mut receiver = Weir::librato(0, &data);
    let base = receiver.http();
    for (space, charts) in &spaces {
        let path = format!("/v1/spaces/{}", space["id"]);
        let ids: Vec<Value> = charts.iter().map(|c| json!({"id": c["id"]})).collect();
        let read = get(&base, &path);
        assert_eq!(
            (&read["name"], &read["charts"]),
            (&space["name"], &json!(ids))
        );
        assert_eq!(get(&base, &format!("{path}/charts")), json!(charts));
    }
    // An id is not used twice, by the next weir either.
    let next = post(&base, "/v1/spaces", &json!({"name": "another"}));
    assert_eq!(next["id"], json!(6));
    receiver.kill();
}

fn post(base: &str, path: &str, body: &Value) -> Value {
    let answer = http::post(&format!("{base}{path}"), body).expect("an answer");
    assert_eq!(answer.status, 201, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

fn get(base: &str, path: &str) -> Value {
    http::get_json(&format!("{base}{path}")).unwrap_or_else(|e| panic!("{e}"))
}
