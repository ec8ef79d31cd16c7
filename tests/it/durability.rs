//! A disk that refuses: weir keeps computing, says what it cannot promise, and heals.

use crate::support::http::{self, Metrics};
use crate::support::line::{Sender, httplog};
use crate::support::{Weir, folder, now_millis, wait_for};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

const RULES: &str = r#"rules:
  - name: http
    by: [service]
    window: 1s
    measure: { count: count() }
"#;

fn config(state: &str) -> String {
    format!(
        r#"listen: [{{ protocol: tcp, address: "127.0.0.1:0" }}]
rules: rules.yaml
state: {state}
checkpoint_every: 100ms
http: {{ address: "127.0.0.1:0" }}
"#
    )
}

fn until_broken(base: &str, promise: &str, broken: bool) {
    let label = format!("promise=\"{promise}\"");
    wait_for(&format!("{promise} to be broken: {broken}"), SOON, || {
        let metrics = Metrics::read(base)?;
        let told = metrics.sum("weir_promise_broken", &label) == 1;
        let report = http::get_json(&format!("{base}/api/v1/pipeline"))?;
        let why = report["broken"][promise].as_str();
        if told == broken && why.is_some() == broken {
            return Ok(());
        }
        Err(format!("{told} {why:?}"))
    });
}

/// Sends a line of this service, and waits until its window can be read from the store.
fn count_one(base: &str, sender: &mut Sender, service: &str) {
    let now = now_millis();
    sender.send(&httplog(service, now, 12, 200));
    wait_for(&format!("the window of {service}"), SOON, || {
        let from = now / 1000 - 60;
        let counts = http::by_service(base, "http.count", from, from + 600)?;
        let points = counts.get(service).ok_or("not there")?;
        let total: f64 = points.values().sum();
        (total == 1.0).then_some(()).ok_or(format!("{total}"))
    });
}

#[test]
fn without_a_folder_to_write_weir_computes_and_says_what_it_cannot_promise() {
    // No right of root's makes a folder below a file.
    let site = folder(&[
        ("rules.yaml", RULES),
        ("file", ""),
        ("weir.yaml", &config("file/state")),
    ]);
    let mut weir = Weir::serve(site.path());
    let base = weir.http();
    until_broken(&base, "store", true);
    until_broken(&base, "checkpoint", true);
    let mut sender = Sender::connect(weir.address("tcp"));
    count_one(&base, &mut sender, "users");
    assert_eq!(http::get(&format!("{base}/readyz")).unwrap().status, 200);
    for told in [
        "points are in memory until weir ends",
        "cannot keep checkpoints",
    ] {
        assert!(weir.log().contains(told), "{told}: {}", weir.log());
    }

    // The folder can be made now: checkpoints go there, the store waits for a restart.
    std::fs::remove_file(site.path().join("file")).unwrap();
    until_broken(&base, "checkpoint", false);
    until_broken(&base, "store", true);
    assert!(site.path().join("file/state/checkpoint.redb").exists());
    assert_eq!(weir.terminate().code, Some(0));
}

#[test]
fn the_receiver_takes_points_without_a_folder_to_write() {
    let site = folder(&[("file", "")]);
    let mut weir = Weir::librato(0, &site.path().join("file/data"));
    let base = weir.http();
    until_broken(&base, "store", true);
    until_broken(&base, "checkpoint", false);
    let now = now_millis() / 1000;
    let body = json!({ "tags": { "service": "users" }, "time": now,
                       "measurements": [{ "name": "pushed", "value": 3 }] });
    let answer = http::post(&format!("{base}/v1/measurements"), &body).unwrap();
    assert_eq!(answer.status, 202, "{}", answer.body);
    let points = http::by_service(&base, "pushed", now - 60, now + 60).unwrap();
    assert_eq!(points["users"].values().sum::<f64>(), 3.0);
}

#[test]
fn the_receiver_goes_on_when_a_file_may_grow_no_further() {
    let site = folder(&[]);
    let mut weir = Weir::librato(0, &site.path().join("data"));
    let base = weir.http();
    let push = || {
        let body = json!({ "tags": { "service": "users" }, "time": now_millis() / 1000,
                           "measurements": [{ "name": "pushed", "value": 3 }] });
        let answer = http::post(&format!("{base}/v1/measurements"), &body);
        answer.map(|answer| answer.status)
    };
    weir.limit_files(4096);
    assert_eq!(push().unwrap(), 503);
    weir.limit_files(u64::MAX);
    assert_eq!(push().unwrap(), 202);
    assert_eq!(weir.terminate().code, Some(0));
}

#[test]
fn a_disk_that_fills_while_weir_runs_heals_when_there_is_room() {
    let site = folder(&[("rules.yaml", RULES), ("weir.yaml", &config("state"))]);
    let mut weir = Weir::serve(site.path());
    let base = weir.http();
    let mut sender = Sender::connect(weir.address("tcp"));
    count_one(&base, &mut sender, "before");

    weir.limit_files(4096);
    sender.send(&httplog("meanwhile", now_millis(), 12, 200));
    until_broken(&base, "checkpoint", true);
    until_broken(&base, "store", true);

    // Pages are open, and get no list of services.
    for _ in 0..10 {
        let mut live = TcpStream::connect(weir.address("http")).unwrap();
        live.set_read_timeout(Some(SOON)).unwrap();
        live.write_all(b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let told = BufReader::new(live).lines().map_while(Result::ok);
        assert!(told.into_iter().any(|line| line == "event: pipeline"));
    }
    let log = weir.log();
    let told = log.matches("no list of services").count();
    assert!(told < 3, "{told} times: {log}");

    weir.limit_files(u64::MAX);
    until_broken(&base, "checkpoint", false);
    until_broken(&base, "store", false);
    // What came while the disk was full has waited, and is counted once.
    for service in ["before", "meanwhile"] {
        wait_for(&format!("the window of {service}"), SOON, || {
            let now = now_millis() / 1000;
            let counts = http::by_service(&base, "http.count", now - 300, now + 60)?;
            let points = counts.get(service).ok_or("not there")?;
            let total: f64 = points.values().sum();
            (total == 1.0).then_some(()).ok_or(format!("{total}"))
        });
    }
    let ended = weir.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}
