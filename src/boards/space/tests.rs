//! What charts there are of which rules.

use super::*;
use crate::rules;
use crate::source::Source;

fn of(text: &str, api: Api) -> Charts {
    let source = Source::new("rules.yaml", text);
    let rules = rules::load(&[source], &rules::Options::default()).expect("good rules");
    charts(&rules, api)
}

/// Each as its name, type and the interesting part of its stream; tags that are not told apart
/// in brackets.
fn told(charts: &Charts) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let lines = charts.charts.iter().map(|Chart { name, body }| {
        let stream = &body["streams"][0];
        let tags = stream["tags"].as_array().into_iter().flatten();
        let tags = tags.map(|tag| match tag["grouped"] == true {
            true => text(&tag["name"]),
            false => format!("({})", text(&tag["name"])),
        });
        let tags: Vec<_> = tags.collect();
        format!(
            "{name}: {} {} {} of {} by [{}] {}\n",
            text(&body["type"]),
            text(&stream["group_function"]),
            text(&stream["metric"]),
            text(&stream["source"]),
            tags.join(" "),
            text(&stream["units_short"]),
        )
    });
    lines.collect()
}

const RULES: &str = "rules:
- name: http
  by: [service, route]
  measure: { n: count(), errors: ratio(status >= 500), p50: \"percentile(Tr, 50)\", p99: \"percentile(Tr, 99)\", apdex: \"apdex(Ta, 1s)\" }
- name: all
  window: 1m
  measure: { sizes: \"histogram(bytes_read, [10])\", clients: \"top(client_ip, 5)\", kib: { value: sum(bytes_read), unit: KiB } }
- name: named
  by: [service]
  series: \"{{service}}.{{measure}}\"
  measure: { n: count() }
";

#[test]
fn every_measure_has_a_chart_and_the_most_telling_a_number() {
    let charts = of(RULES, Api::Measurements);
    assert_eq!(charts.left_out, ["named"]);
    insta::assert_snapshot!(told(&charts), @r#"
    http.n now, all together: bignumber sum http.n of - by [(service) (route)] -
    http.errors now, the highest by service, route: bignumber max http.errors of - by [(service) (route)] %
    http.p99 now, the highest by service, route: bignumber max http.p99 of - by [(service) (route)] ms
    http.n by service, route: stacked breakout http.n of - by [service route] -
    http.errors by service, route: line breakout http.errors of - by [service route] %
    http.p50 by service, route: line breakout http.p50 of - by [service route] ms
    http.p99 by service, route: line breakout http.p99 of - by [service route] ms
    http.apdex by service, route: line breakout http.apdex of - by [service route] %
    all.sizes: line sum all.sizes of - by [le] -
    all.clients: line breakout all.clients of - by [client_ip] -
    all.kib: stacked sum all.kib of - by [] KiB
    "#);
}

#[test]
fn every_key_of_a_stream_is_one_that_is_compared() {
    for Chart { name, body } in of(RULES, Api::Measurements).charts {
        let stream = body["streams"][0].as_object().expect("a stream");
        for key in stream.keys() {
            assert!(OF_STREAMS.contains(&key.as_str()), "{name}: {key}");
        }
    }
}

#[test]
fn series_that_are_sent_with_a_source_are_told_apart_by_it() {
    let charts = of(RULES, Api::Metrics);
    let all = charts.charts.iter();
    for Chart { name, body } in all {
        let stream = &body["streams"][0];
        assert_eq!(
            (&stream["source"], stream.get("tags")),
            (&json!("*"), None),
            "{name}"
        );
    }
}

#[test]
fn a_chart_is_known_again_whatever_the_server_adds() {
    let charts = of(RULES, Api::Measurements).charts;
    let chart = &charts[0];
    let mut there = chart.body.clone();
    there["id"] = 7.into();
    there["thresholds"] = Value::Null;
    there["streams"][0]["id"] = 9.into();
    there["streams"][0]["period"] = json!(10.0);
    assert!(chart.is(&there));
    for (pointer, value) in [
        ("/type", json!("line")),
        ("/streams/0/metric", json!("other")),
        ("/streams/0/period", json!(60)),
        (
            "/streams/0",
            json!({"metric": "http.n", "units_short": "ms"}),
        ),
        ("/streams", json!([])),
    ] {
        let mut other = there.clone();
        *other.pointer_mut(pointer).expect("it is there") = value;
        assert!(!chart.is(&other), "{pointer}");
    }
}
