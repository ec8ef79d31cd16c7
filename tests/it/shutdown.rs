//! SIGTERM: inputs stop, what was received is counted and delivered, then weir ends.

use crate::support::http::{self, Metrics};
use crate::support::line::{Sender, httplog};
use crate::support::{Weir, folder, now_millis, wait_for, write};
use std::net::TcpStream;
use std::time::Duration;

/// Windows so long that SIGTERM always comes in the middle of one.
const RULES: &str = r#"rules:
  - name: http
    where: kind == "http"
    by: [service]
    window: 60s
    measure:
      count: count()
      p99: percentile(Tr, 99)
"#;
const LINES: u32 = 400;

#[test]
fn what_was_received_is_delivered_as_measurements() {
    let (base, receiver, from) = terminated_in_the_middle_of_a_window("measurements");
    let to = from + 7200;
    let counts = http::by_service(&base, "http.count", from, to).expect("the counts");
    let total: f64 = counts.values().flat_map(|points| points.values()).sum();
    let services: Vec<&str> = counts.keys().map(String::as_str).collect();
    assert_eq!(services, ["offers", "users"]);
    assert_eq!(total, f64::from(LINES), "{counts:?}");

    // Every response time is the same, so every percentile is too.
    let slow = http::by_service(&base, "http.p99", from, to).expect("the percentiles");
    let values: Vec<f64> = slow.values().flat_map(|p| p.values()).copied().collect();
    assert!(
        !values.is_empty() && values.iter().all(|ms| *ms == 12.0),
        "{slow:?}"
    );
    receiver.kill();
}

#[test]
fn what_was_received_is_delivered_as_metrics() {
    let (base, receiver, from) = terminated_in_the_middle_of_a_window("metrics");
    let url = format!(
        "{base}/v1/metrics/http.count?resolution=60&start_time={from}&end_time={}",
        from + 7200
    );
    let answer = http::get_json(&url).expect("the counts");
    let by_source = answer["measurements"]
        .as_object()
        .unwrap_or_else(|| panic!("no `measurements` in {answer}"));
    let total: f64 = by_source
        .values()
        .flat_map(|rows| rows.as_array().into_iter().flatten())
        .filter_map(|row| row["value"].as_f64())
        .sum();
    assert_eq!(by_source.len(), 2, "one source a service: {answer}");
    assert_eq!(total, f64::from(LINES), "{answer}");
    receiver.kill();
}

/// A weir that pushes with this API and was ended with all its windows open: the
/// receiver's address, the receiver, and when the hour of the test began.
fn terminated_in_the_middle_of_a_window(api: &str) -> (String, Weir, i64) {
    let site = folder(&[("rules.yaml", RULES)]);
    let mut receiver = Weir::librato(0, &site.path().join("received"));
    let base = receiver.http();
    let config = format!(
        r#"listen:
  - {{ protocol: tcp, address: "127.0.0.1:0" }}
rules: rules.yaml
state: "{}"
sinks:
  librato: {{ url: "{base}", api: {api} }}
http: {{ address: "127.0.0.1:0" }}
"#,
        site.path().join("state").display()
    );
    write(&site.path().join("weir.yaml"), &config);
    let mut weir = Weir::serve(site.path());
    let own = weir.http();
    let syslog = weir.address("tcp");

    let now = now_millis();
    let mut sender = Sender::connect(syslog);
    for number in 0..LINES {
        let service = if number % 4 == 0 { "offers" } else { "users" };
        sender.send(&httplog(service, now, 12, 200));
    }
    wait_for(
        "all lines to be received",
        Duration::from_secs(10),
        || match Metrics::read(&own)?.received() {
            received if received == u64::from(LINES) => Ok(()),
            received => Err(format!("{received} of {LINES} were")),
        },
    );
    // A client that stays connected must not hold up the end.
    let ended = weir.terminate();
    assert_eq!(ended.code, Some(0), "weir's log:\n{}", ended.stderr);
    assert!(
        TcpStream::connect(syslog).is_err(),
        "{syslog} still accepts"
    );
    drop(sender);
    (base, receiver, now / 1000 - 3600)
}

#[test]
fn a_sink_that_is_away_does_not_hold_up_the_end_and_gets_it_after_the_next_start() {
    let site = folder(&[("rules.yaml", RULES)]);
    // Nobody listens there yet.
    let port = crate::support::ports::free();
    let base = format!("http://127.0.0.1:{port}");
    let config = format!(
        r#"listen:
  - {{ protocol: tcp, address: "127.0.0.1:0" }}
rules: rules.yaml
state: state
sinks:
  librato: {{ url: "{base}" }}
http: {{ address: "127.0.0.1:0" }}
"#
    );
    write(&site.path().join("weir.yaml"), &config);
    let mut weir = Weir::serve(site.path());
    let own = weir.http();
    let now = now_millis();
    let mut sender = Sender::connect(weir.address("tcp"));
    sender.send(&httplog("users", now, 12, 200));
    wait_for(
        "the line",
        Duration::from_secs(10),
        || match Metrics::read(&own)?.received() {
            1 => Ok(()),
            received => Err(format!("{received} were received")),
        },
    );
    let ended = weir.terminate();
    assert_eq!(ended.code, Some(0), "weir's log:\n{}", ended.stderr);
    for told in ["stay in the spool", "spooled=2", "told before their end"] {
        assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("are lost"), "{}", ended.stderr);

    let receiver = Weir::librato(port, &site.path().join("received"));
    let weir = Weir::serve(site.path());
    let from = now / 1000 - 3600;
    wait_for("both values", Duration::from_secs(20), || {
        for (name, value) in [("http.count", 1.0), ("http.p99", 12.0)] {
            let points = http::by_service(&base, name, from, from + 7200)?;
            let found = points.values().any(|p| p.values().any(|v| *v == value));
            found.then_some(()).ok_or(format!("{name}: {points:?}"))?;
        }
        Ok(())
    });
    weir.kill();
    receiver.kill();
}
