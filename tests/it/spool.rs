//! The spool: what a killed weir had for a sink that was away, the sink gets.

use crate::support::http::{self, Metrics};
use crate::support::line::{Sender, httplog};
use crate::support::{Weir, folder, now_millis, ports, wait_for, write};
use std::time::Duration;

const RULES: &str = r#"rules:
  - name: http
    where: kind == "http"
    by: [service]
    window: 1s
    measure: { count: count() }
"#;
const LINES: u32 = 100;

/// Blocks of one page each that must be on disk before the kill: one for each window that the
/// lines may be in, and one more.
const BLOCKS: u64 = 4;

#[test]
fn what_a_killed_weir_had_spooled_arrives_when_it_and_its_sink_are_back() {
    let site = folder(&[("rules.yaml", RULES)]);
    let data = site.path().join("received");
    let port = ports::free();
    let base = format!("http://127.0.0.1:{port}");
    let config = format!(
        r#"listen:
  - {{ protocol: tcp, address: "127.0.0.1:0" }}
rules: rules.yaml
state: state
sinks:
  librato: {{ url: "{base}", breaker: {{ attempt_after: 1s }} }}
http: {{ address: "127.0.0.1:0" }}
"#
    );
    write(&site.path().join("weir.yaml"), &config);
    let mut weir = Weir::serve(site.path());
    let own = weir.http();
    let mut sender = Sender::connect(weir.address("tcp"));
    let now = now_millis();
    for _ in 0..LINES {
        sender.send(&httplog("users", now, 12, 200));
    }
    wait_for("the spool", Duration::from_secs(20), || {
        let metrics = Metrics::read(&own)?;
        let used = metrics.sum("weir_sink_spool_bytes_used", "sink=\"librato\"");
        (used >= BLOCKS * 4096)
            .then_some(())
            .ok_or(format!("{used} bytes are in use"))
    });
    weir.kill();

    let receiver = Weir::librato(port, &data);
    let mut weir = Weir::serve(site.path());
    let own = weir.http();
    let from = now / 1000 - 60;
    wait_for("every line's count", Duration::from_secs(20), || {
        let counts = http::by_service(&base, "http.count", from, from + 120)?;
        let total: f64 = counts.values().flat_map(|points| points.values()).sum();
        (total == f64::from(LINES))
            .then_some(())
            .ok_or(format!("{total}: {counts:?}"))
    });
    let dropped = Metrics::read(&own).expect("the metrics");
    assert_eq!(
        dropped.sum("weir_sink_measurements_total", "outcome=\"dropped\""),
        0
    );
    weir.kill();
    receiver.kill();
}
