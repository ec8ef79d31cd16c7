//! `weir librato`: what it accepted, it keeps, whatever happens to it.

use crate::support::http;
use crate::support::line::{Sender, httplog};
use crate::support::{Weir, folder, now_millis, ports, wait_for, write};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn accepted_points_survive_a_kill_right_after_the_answer() {
    let site = folder(&[]);
    let data = site.path().join("data");
    let start = now_millis() / 1000 - 600;

    let mut receiver = Weir::librato(0, &data);
    let base = receiver.http();
    for number in 0..20 {
        let time = start + number;
        let metrics = json!({"source": "lb-1", "measure_time": time,
            "gauges": [{"name": "disk.free", "value": number}],
            "counters": [{"name": "requests", "value": 1000 + number}]});
        let answer = http::post(&format!("{base}/v1/metrics"), &metrics).expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        let measurements = json!({"time": time, "tags": {"service": "users"},
            "measurements": [{"name": "load", "value": number},
                             {"name": "wait", "count": 4, "sum": 4 * number, "tags": {"service": "offers"}}]});
        let url = format!("{base}/v1/measurements");
        let answer = http::post(&url, &measurements).expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.body);
    }
    receiver.kill();

    let mut receiver = Weir::librato(0, &data);
    let base = receiver.http();
    let wanted: BTreeMap<i64, f64> = (0..20).map(|n| (start + n, n as f64)).collect();
    let later = |by: f64| wanted.iter().map(|(t, v)| (*t, v + by)).collect();
    for (name, service) in [("load", "users"), ("wait", "offers")] {
        let got = http::by_service(&base, name, start, start + 60).expect("measurements");
        assert_eq!(
            got,
            BTreeMap::from([(service.to_owned(), wanted.clone())]),
            "{name}"
        );
    }
    for (name, wanted) in [("disk.free", later(0.0)), ("requests", later(1000.0))] {
        let got = metric(&base, name, start, start + 60);
        assert_eq!(got, BTreeMap::from([("lb-1".to_owned(), wanted)]), "{name}");
    }
}

#[test]
fn restarts_in_the_middle_of_a_stream_lose_no_accepted_point() {
    let site = folder(&[]);
    let data = site.path().join("data");
    let port = ports::free();
    let start = now_millis() / 1000 - 3600;
    let mut receiver = Weir::librato(port, &data);
    let base = receiver.http();

    let stop = AtomicBool::new(false);
    let (accepted, receiver) = std::thread::scope(|scope| {
        let pushed = scope.spawn(|| push_until(&base, start, &stop));
        // A failure below must end the pushing too, or the scope never does.
        let stopped = StopOnDrop(&stop);
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(400));
            receiver.kill();
            receiver = Weir::librato(port, &data);
        }
        drop(stopped);
        (pushed.join().expect("the pushing client"), receiver)
    });

    assert!(accepted.len() > 30, "only {} were accepted", accepted.len());
    let got = http::by_service(&base, "stream", start, start + 3600).expect("measurements");
    let got = got.get("users").cloned().unwrap_or_default();
    for (time, value) in &accepted {
        assert_eq!(got.get(time), Some(value), "accepted at {time}, and lost");
    }
    receiver.kill();
}

#[test]
fn a_weir_delivers_all_through_a_restart_of_its_receiver() {
    let rules = r#"rules:
  - name: http
    where: kind == "http"
    by: [service]
    window: 1s
    measure: { count: count() }
"#;
    let site = folder(&[("rules.yaml", rules)]);
    let data = site.path().join("received");
    let port = ports::free();
    let receiver = Weir::librato(port, &data);
    let base = format!("http://127.0.0.1:{port}");
    let config = format!(
        r#"listen:
  - {{ protocol: tcp, address: "127.0.0.1:0" }}
rules: rules.yaml
state: "{}"
sinks:
  librato: {{ url: "{base}", api: measurements }}
http: {{ address: "127.0.0.1:0" }}
"#,
        site.path().join("state").display()
    );
    write(&site.path().join("weir.yaml"), &config);
    let mut weir = Weir::serve(site.path());
    let mut sender = Sender::connect(weir.address("tcp"));

    let mut sent: BTreeMap<i64, f64> = BTreeMap::new();
    let mut send_for = |millis: i64| {
        let end = now_millis() + millis;
        while now_millis() < end {
            let now = now_millis();
            sender.send(&httplog("users", now, 5, 200));
            *sent.entry(now.div_euclid(1000)).or_default() += 1.0;
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    // Windows close 2 s after their end: some are delivered before the receiver
    // goes, some while it is away, some after it has come back.
    send_for(4000);
    receiver.kill();
    send_for(3000);
    let receiver = Weir::librato(port, &data);
    send_for(1000);

    let (first, last) = (
        *sent.keys().min().expect("sent"),
        *sent.keys().max().expect("sent"),
    );
    wait_for(
        "every window to be delivered",
        Duration::from_secs(60),
        || {
            let got = http::by_service(&base, "http.count", first - 60, last + 60)?;
            let mut got = got.get("users").cloned().unwrap_or_default();
            got.retain(|_, count| *count != 0.0);
            (got == sent)
                .then_some(())
                .ok_or_else(|| format!("sent {sent:?}\nbut received {got:?}"))
        },
    );
    let ended = weir.terminate();
    assert_eq!(ended.code, Some(0), "weir's log:\n{}", ended.stderr);
    receiver.kill();
}

/// Pushes one point after another and returns those that were accepted.
fn push_until(base: &str, start: i64, stop: &AtomicBool) -> BTreeMap<i64, f64> {
    let url = format!("{base}/v1/measurements");
    let mut accepted = BTreeMap::new();
    for number in 0..3000 {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (time, value) = (start + number, number as f64);
        let body = json!({"measurements": [
            {"name": "stream", "time": time, "value": value, "tags": {"service": "users"}}]});
        match http::post(&url, &body) {
            Ok(answer) if answer.status == 202 => {
                accepted.insert(time, value);
            }
            Ok(answer) => panic!("{url} answered {}: {}", answer.status, answer.body),
            // It is being restarted: nobody has promised anything.
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    accepted
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One name as `GET /v1/metrics/:name` answers: source to time to value.
fn metric(base: &str, name: &str, from: i64, to: i64) -> BTreeMap<String, BTreeMap<i64, f64>> {
    let url = format!("{base}/v1/metrics/{name}?resolution=1&start_time={from}&end_time={to}");
    let answer = http::get_json(&url).unwrap_or_else(|e| panic!("{e}"));
    let sources = answer["measurements"]
        .as_object()
        .unwrap_or_else(|| panic!("no `measurements` in {answer}"));
    let points = |rows: &serde_json::Value| {
        let rows = rows.as_array().into_iter().flatten();
        rows.filter_map(|row| Some((row["measure_time"].as_i64()?, row["value"].as_f64()?)))
            .collect()
    };
    sources
        .iter()
        .map(|(source, rows)| (source.clone(), points(rows)))
        .collect()
}
