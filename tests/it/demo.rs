//! `weir demo`: the whole thing at once, with nothing to install or configure.

use crate::support::http::{self, Metrics};
use crate::support::{Demo, now_millis, wait_for};
use std::time::Duration;

#[test]
fn the_demo_measures_ten_services_within_a_minute() {
    let demo = Demo::start();
    let page = http::get(&format!("{}/", demo.url())).expect("the page");
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("<html"), "no page: {}", page.body);

    let now = now_millis() / 1000;
    wait_for("ten services with a rate", Duration::from_secs(60), || {
        let rates = http::by_service(demo.url(), "http.rate", now - 3600, now + 3600)?;
        let flows = |points: &&std::collections::BTreeMap<i64, f64>| {
            points.values().any(|rate| *rate > 0.0)
        };
        match rates.values().filter(flows).count() {
            10 => Ok(()),
            count => Err(format!("{count} services have a rate: {:?}", rates.keys())),
        }
    });

    let metrics = Metrics::read(demo.url()).expect("/metrics");
    assert!(metrics.parsed() > 0);
    assert_eq!(
        metrics.sum("weir_lines_rejected_total", "reason=\"malformed\""),
        0
    );
    let ended = demo.terminate();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
