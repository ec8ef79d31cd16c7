//! `weir librato`: what it has answered with 201 it has, whatever happens to it.

use crate::support::http;
use crate::support::{Weir, folder, now_millis};
use serde_json::{Value, json};

#[test]
fn an_accepted_annotation_survives_a_kill_right_after_the_answer() {
    let site = folder(&[]);
    let data = site.path().join("data");
    let start = now_millis() / 1000 - 600;

    let mut receiver = Weir::librato(0, &data);
    let base = receiver.http();
    let mut accepted = Vec::new();
    for number in 0..20 {
        accepted.push(post(&base, number, start));
    }
    receiver.kill();

    let mut receiver = Weir::librato(0, &data);
    let base = receiver.http();
    for (number, event) in accepted.iter().enumerate() {
        let url = format!("{base}/v1/annotations/deploys/{}", event["id"]);
        assert_eq!(http::get_json(&url).as_ref(), Ok(event));
        // A client that was cut off before the answer posts again: it is the same one.
        assert_eq!(&post(&base, number as i64, start), event);
    }
    let url = format!("{base}/v1/annotations/deploys?start_time={start}");
    let stream = http::get_json(&url).expect("the stream");
    assert_eq!(stream["events"], json!({"lb-1": accepted}));

    // An id is not used twice, by the next weir either.
    let next = post(&base, 20, start);
    assert_eq!(next["id"], json!(21));
    receiver.kill();
}

fn post(base: &str, number: i64, start: i64) -> Value {
    let body = json!({"title": format!("Deployed v{number}"), "source": "lb-1",
        "start_time": start + number, "links": [{"rel": "ci", "href": "https://ci.example.com/7"}]});
    let url = format!("{base}/v1/annotations/deploys");
    let answer = http::post(&url, &body).expect("an answer");
    assert_eq!(answer.status, 201, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}
