//! How a service's requests divide, from a real HAProxy's lines to what the page reads.

use crate::support::backend::Backend;
use crate::support::haproxy::launch;
use crate::support::http::{self, Metrics};
use crate::support::process::Process;
use crate::support::{RUNTIME, Weir, folder, now_millis, ports, require, wait_for, write};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// A slot of ten seconds, and some time to write it, on a busy machine.
const WRITTEN: Duration = Duration::from_secs(40);

const CONFIG: &str = r#"listen: [{ protocol: udp, address: "127.0.0.1:0" }]
haproxy: { config: haproxy.cfg }
state: state
http: { address: "127.0.0.1:0" }
"#;

fn haproxy_cfg(backend: &Backend, log_port: u16, shop: SocketAddr, ready: SocketAddr) -> String {
    let up = backend.address();
    format!(
        "global
  log 127.0.0.1:{log_port} format rfc5424 local0
  log-send-hostname lb-test
defaults
  mode http
  log global
  option httplog
  retries 0
  timeout connect 300ms
  timeout client 10s
  timeout server 500ms
frontend ready
  no log
  bind {ready}
frontend shop
  bind {shop}
  capture request header X-Request-ID len 36
  use_backend refused if {{ path_beg /refused }}
  http-request redirect location /new if {{ path /old }}
  default_backend pool
backend pool
  server one {up}
  server two {up}
backend refused
  server gone 127.0.0.1:1
"
    )
}

/// Asks the shop once; the status that it answered.
fn ask(shop: SocketAddr, path: &str, id: &str, headers: &[(&str, &str)]) -> u16 {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let mut request = client
        .get(format!("http://{shop}{path}"))
        .header("X-Request-ID", id);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = RUNTIME.block_on(request.send()).expect("an answer");
    answer.status().as_u16()
}

struct Site {
    weir: Weir,
    base: String,
    _haproxy: Process,
    shop: SocketAddr,
}

impl Site {
    fn start(folder: &Path, backend: &Backend) -> Site {
        let here = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let (shop, ready) = (here(ports::free()), here(ports::free()));
        // weir reads it too, for the names of what is captured.
        let cfg = folder.join("haproxy.cfg");
        write(&cfg, &haproxy_cfg(backend, 514, shop, ready));
        let mut weir = Weir::serve(folder);
        let log_port = weir.address("udp").port();
        let running = folder.join("running.cfg");
        write(&running, &haproxy_cfg(backend, log_port, shop, ready));
        let haproxy = launch(&running, &[], ready).expect("haproxy starts");
        Site {
            base: weir.http(),
            weir,
            _haproxy: haproxy,
            shop,
        }
    }
}

fn breakdown(base: &str, from: i64) -> Result<Value, String> {
    let to = now_millis() / 1000;
    http::get_json(&format!(
        "{base}/api/v1/breakdown?service=shop&from={from}&to={to}"
    ))
}

/// The rows by this key, as text.
fn by<'a>(rows: &'a Value, key: &str) -> std::collections::BTreeMap<&'a str, &'a Value> {
    let rows = rows.as_array().expect("a list").iter();
    rows.map(|row| (row[key].as_str().expect("its name"), row))
        .collect()
}

#[test]
fn a_real_haproxys_requests_are_broken_down_and_still_are_after_a_restart() {
    if !require(&["haproxy"]) {
        return;
    }
    let folder = folder(&[("weir.yaml", CONFIG)]);
    let backend = Backend::start();
    let site = Site::start(folder.path(), &backend);
    let from = now_millis() / 1000 - 10;
    for n in 0..8 {
        let path = format!("/v1/users/{}", 1000 + n);
        assert_eq!(ask(site.shop, &path, &format!("fine-{n}"), &[]), 200);
    }
    assert_eq!(
        ask(site.shop, "/v1/slow", "slow-1", &[("x-delay", "200")]),
        200
    );
    assert_eq!(
        ask(site.shop, "/v1/none", "none-1", &[("x-status", "404")]),
        404
    );
    assert_eq!(ask(site.shop, "/old", "old-1", &[]), 302);
    assert_eq!(ask(site.shop, "/refused/a", "refused-1", &[]), 503);
    assert_eq!(
        ask(site.shop, "/v1/late", "late-1", &[("x-delay", "900")]),
        504
    );
    assert_eq!(
        ask(site.shop, "/v1/drop", "drop-1", &[("x-drop", "1")]),
        502
    );

    let view = wait_for("14 requests in the breakdown", WRITTEN, || {
        let view = breakdown(&site.base, from)?;
        match view["of"].as_u64() {
            Some(14) => Ok(view),
            of => Err(format!("there are {of:?}; the log:\n{}", site.weir.log())),
        }
    });
    check(&view);

    let hosts = http::get_json(&format!("{}/api/v1/hosts", site.base)).expect("the hosts");
    let hosts = by(&hosts["hosts"], "host");
    assert!(hosts.contains_key("lb-test"), "{hosts:?}");
    let metrics = Metrics::read(&site.base).expect("/metrics");
    assert_eq!(metrics.sum("weir_breakdown_requests_total", ""), 14);
    assert_eq!(metrics.sum("weir_breakdown_lost_total", ""), 0);

    let unknown = http::get(&format!("{}/api/v1/breakdown?service=nobody", site.base));
    assert_eq!(unknown.expect("an answer").status, 404);

    let ended = site.weir.terminate();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut again = Weir::serve(folder.path());
    let view = breakdown(&again.http(), from).expect("the breakdown");
    assert_eq!(view["of"], 14);
    check(&view);
    again.terminate();
}

fn check(view: &Value) {
    let classes: Vec<_> = view["status"]
        .as_object()
        .expect("classes")
        .keys()
        .collect();
    assert_eq!(classes, ["2xx", "3xx", "4xx", "5xx"]);
    let step = view["step"].as_f64().expect("a step");
    let fine = view["status"]["2xx"].as_array().expect("rates").iter();
    let fine: f64 = fine.filter_map(Value::as_f64).sum();
    // Of its first column weir has watched a part, and rates are by that.
    assert!(fine * step > 8.99 && fine <= 9.0 + 0.01, "{view}");

    let routes = by(&view["routes"], "route");
    assert_eq!(routes["/v1/users/:id"]["requests"], 8);
    assert_eq!(routes["/v1/users/:id"]["method"], "GET");
    assert_eq!(routes["/v1/late"]["failed"], 1);
    assert!(
        routes["/v1/slow"]["p95"]
            .as_f64()
            .is_some_and(|p95| p95 >= 200.0)
    );

    let servers = by(&view["servers"], "server");
    assert_eq!(servers["one"]["backend"], "pool");
    let pool = ["one", "two"].map(|name| servers[name]["requests"].as_u64());
    assert_eq!(pool.iter().flatten().sum::<u64>(), 12);
    assert_eq!(servers["gone"]["failed"], 1);
    assert!(servers["two"]["response"].is_number());

    let ends = by(&view["terminations"], "state");
    assert_eq!(ends["----"]["requests"], 10);
    assert_eq!(ends["----"]["normal"], true);
    assert_eq!(ends["LR--"]["normal"], true);
    for (state, words) in [
        ("SC--", "no server took the connection"),
        ("sH--", "the server did not answer in time"),
        ("SH--", "the server closed before its response was complete"),
    ] {
        assert_eq!(ends[state]["words"], words, "{state}");
        assert_eq!(ends[state]["normal"], false, "{state}");
    }

    let slowest = &view["exemplars"]["slowest"][0];
    assert_eq!(slowest["request_id"], "late-1");
    assert_eq!(slowest["path"], "/v1/late");
    assert_eq!(slowest["host"], "lb-test");
    assert_eq!(slowest["client"], "127.0.0.1");
    assert!(
        slowest["timers"]["response"]
            .as_u64()
            .is_some_and(|ms| ms >= 400)
    );
    let failing = by(&view["exemplars"]["failing"], "request_id");
    let failing: Vec<&str> = failing.into_keys().collect();
    assert_eq!(failing, ["drop-1", "late-1", "refused-1"]);
}
