//! HTTP clients that are hostile, or slow, or not who they seem: none disturbs an input or
//! another client.

use crate::support::http::{self, Answer, Metrics};
use crate::support::line::httplog;
use crate::support::{RUNTIME, Weir, folder, now_millis, wait_for};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;
use tempfile::TempDir;

const WITHIN: Duration = Duration::from_secs(10);

/// Connections that one address may have open.
const SHARE: u64 = 256;

/// Another address of this machine: all of 127.0.0.0/8 is.
const NEIGHBOUR: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Bytes of a body, after decompression.
const BODY_MAX: usize = 8 << 20;

const SECRET: &str = "s3cret-6f1c";

struct Running {
    weir: Weir,
    base: String,
    _site: TempDir,
}

impl Running {
    fn new() -> Running {
        let config = r#"listen:
  - { protocol: tcp, address: "127.0.0.1:0" }
state: state
http: { address: "127.0.0.1:0" }
"#;
        let site = folder(&[("weir.yaml", config)]);
        let mut weir = Weir::serve(site.path());
        let base = weir.http();
        Running {
            weir,
            base,
            _site: site,
        }
    }

    fn address(&mut self) -> SocketAddr {
        self.weir.address("http")
    }

    fn connect(&mut self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).expect("a connection");
        stream
            .set_read_timeout(Some(WITHIN))
            .expect("a time to wait");
        stream
    }

    /// As the neighbour does.
    fn get(&self, path: &str) -> Result<Answer, String> {
        let client = client().local_address(NEIGHBOUR).build().expect("a client");
        RUNTIME.block_on(http::answer(client.get(format!("{}{path}", self.base))))
    }

    fn post(&self, body: Vec<u8>, encoding: &str) -> u16 {
        let request = client()
            .build()
            .expect("a client")
            .post(format!("{}/v1/metrics", self.base))
            .header("content-type", "application/json")
            .header("content-encoding", encoding)
            .body(body);
        let answer = RUNTIME.block_on(http::answer(request));
        answer.expect("an answer").status
    }

    fn refused(&self, reason: &str) -> u64 {
        let page = self.get("/metrics").expect("the metrics");
        let metrics = Metrics::of(page.body);
        metrics.sum("weir_http_refused_total", &format!("reason=\"{reason}\""))
    }
}

fn client() -> reqwest::ClientBuilder {
    let client = reqwest::Client::builder().no_proxy();
    client.pool_max_idle_per_host(0).timeout(WITHIN)
}

/// The status in the first line of an answer; `None` where the connection ends without one.
fn status(stream: &mut TcpStream) -> Option<u16> {
    let mut line = [0; 12];
    stream.read_exact(&mut line).ok()?;
    std::str::from_utf8(&line[9..]).ok()?.parse().ok()
}

#[test]
fn a_thousand_connections_of_one_address_leave_the_others_alone() {
    rlimit::increase_nofile_limit(u64::MAX).expect("a thousand files may be open");
    let mut weir = Running::new();
    let mut flood = Vec::new();
    for _ in 0..1000 {
        let mut stream = weir.connect();
        // A head that never ends. Refused ones may see their end already.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nX-Slow: ");
        flood.push(stream);
    }

    let mut syslog = TcpStream::connect(weir.weir.address("tcp")).expect("a connection");
    let line = format!("{}\n", httplog("users", now_millis(), 12, 200));
    syslog.write_all(line.as_bytes()).expect("sent");
    wait_for("the line, and the refusals, to be counted", WITHIN, || {
        let metrics = Metrics::of(weir.get("/metrics")?.body);
        let refused = metrics.sum("weir_http_refused_total", "reason=\"address\"");
        // Those that have only just gone make room for a few more.
        match metrics.parsed() == 1 && refused >= 1000 - SHARE {
            true => Ok(()),
            false => Err(format!("{metrics:?}")),
        }
    });
    for path in ["/", "/healthz", "/api/v1/services"] {
        assert_eq!(weir.get(path).expect("an answer").status, 200, "{path}");
    }

    drop(flood);
    wait_for("room for the first address", WITHIN, || {
        http::get(&format!("{}/healthz", weir.base)).map(|_| ())
    });
    assert!(weir.weir.is_running());
}

#[test]
fn what_is_too_large_is_refused_and_others_are_answered() {
    let mut weir = Running::new();
    let head = format!("GET / HTTP/1.1\r\nHost: {}", "x".repeat(64 * 1024));
    let mut stream = weir.connect();
    // Weir need not read all of it.
    let _ = stream.write_all(head.as_bytes());
    assert_eq!(status(&mut stream), Some(431));

    assert_eq!(weir.post(vec![b' '; BODY_MAX + 1], "identity"), 413);

    // A hundred megabytes of blanks in a hundred kilobytes.
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    let blanks = vec![b' '; 1 << 20];
    for _ in 0..100 {
        bomb.write_all(&blanks).expect("into memory");
    }
    let bomb = bomb.finish().expect("into memory");
    assert!(bomb.len() < BODY_MAX / 8, "{}", bomb.len());
    assert_eq!(weir.post(bomb, "gzip"), 413);

    let point = json!({"gauges": [{"name": "a", "value": 1}]});
    assert_eq!(weir.post(point.to_string().into_bytes(), "identity"), 200);
}

#[test]
fn bodies_that_do_not_come_keep_no_other_waiting() {
    let mut weir = Running::new();
    let announced = format!(
        "POST /v1/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {BODY_MAX}\r\n\r\n{{"
    );
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = weir.connect();
        stream.write_all(announced.as_bytes()).expect("sent");
        slow.push(stream);
    }
    let point = json!({"gauges": [{"name": "a", "value": 1}]});
    assert_eq!(weir.post(point.to_string().into_bytes(), "identity"), 200);
    assert_eq!(weir.get("/").expect("an answer").status, 200);
}

#[test]
fn no_page_of_another_site_gets_in_through_a_browser() {
    let weir = Running::new();
    let point = json!({"gauges": [{"name": "a", "value": 1}]});
    for (header, value, status, reason) in [
        ("host", "evil.example:8420", 421, "name"),
        ("origin", "http://evil.example", 403, "site"),
        ("sec-fetch-site", "cross-site", 403, "site"),
        // What a client of the docs sends besides.
        ("accept", "*/*", 200, ""),
        ("host", "metrics.internal:8420", 200, ""),
    ] {
        let before = weir.refused(reason);
        let request = client()
            .build()
            .expect("a client")
            .post(format!("{}/v1/metrics", weir.base))
            .header(header, value)
            .json(&point);
        let answer = RUNTIME.block_on(http::answer(request)).expect("an answer");
        assert_eq!(answer.status, status, "{header}: {value}: {}", answer.body);
        if status != 200 {
            assert_eq!(weir.refused(reason), before + 1, "{header}: {value}");
        }
    }
}

#[test]
fn who_asks_under_a_name_that_weir_does_not_know_is_told_and_does_not_fill_the_log() {
    let weir = Running::new();
    let ask = |path: &str, header: &str, value: &str| {
        let request = client().build().expect("a client");
        let request = request.get(format!("{}{path}", weir.base));
        RUNTIME
            .block_on(http::answer(request.header(header, value)))
            .expect("an answer")
    };
    for _ in 0..50 {
        let answer = ask("/", "host", "weir.example.com");
        assert_eq!(answer.status, 421);
        assert!(
            answer.body.contains("'weir.example.com'"),
            "{}",
            answer.body
        );
        assert_eq!(ask("/", "origin", "http://evil.example").status, 403);
    }
    let log = weir.weir.log();
    let told = |words: [&str; 3]| {
        let lines = log.lines();
        lines
            .filter(|line| words.iter().all(|word| line.contains(word)))
            .count()
    };
    let names = told(["refused", "host=weir.example.com", "`http.names`"]);
    let sites = told(["refused", "host=127.0.0.1:", "origin=http://evil.example"]);
    // Once in ten seconds, should this take so long.
    assert!((1..5).contains(&names) && (1..5).contains(&sites), "{log}");

    for path in ["/healthz", "/readyz"] {
        let answer = ask(path, "host", "weir.example.com");
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
}

#[test]
fn every_answer_tells_the_browser_to_be_careful() {
    let weir = Running::new();
    let client = client().build().expect("a client");
    for (path, status, cache) in [
        ("/", 200, "no-cache"),
        ("/assets/app.js", 200, "no-cache"),
        ("/assets/none.js", 404, "no-store"),
        ("/healthz", 200, "no-store"),
        ("/metrics", 200, "no-store"),
        ("/api/v1/services", 200, "no-store"),
        ("/api/v1/nothing", 404, "no-store"),
        ("/v1/metrics/none", 404, "no-store"),
        ("/nothing", 404, "no-store"),
    ] {
        let request = client.get(format!("{}{path}", weir.base));
        let answer = RUNTIME.block_on(async { request.send().await });
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
        let header = |name: &str| {
            let value = answer.headers().get(name);
            value.map_or("", |value| value.to_str().expect("ASCII"))
        };
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(header("cache-control"), cache, "{path}");
        assert_eq!(header("server"), "", "{path}");
        let policy = header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
    }
}

#[test]
fn a_secret_is_in_no_answer_and_in_no_log() {
    let config = r#"listen: []
state: state
sinks:
  store: {}
  prometheus: {}
  librato: { url: "http://127.0.0.1:1", email_env: ACCOUNT, token_env: SECRET }
http: { address: "127.0.0.1:0", token_env: SECRET }
"#;
    let site = folder(&[("weir.yaml", config)]);
    let environment = [("ACCOUNT", "me@example.com"), ("SECRET", SECRET)];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = [&environment[..], &[("RUST_LOG".into(), "trace".into())]].concat();
    let mut weir = Weir::serve_in(site.path(), &environment);
    let base = weir.http();
    let client = client().build().expect("a client");
    let mut told = String::new();
    for path in [
        "/",
        "/metrics",
        "/readyz",
        "/api/v1/pipeline",
        "/v1/metrics/none",
    ] {
        for (token, right) in [(SECRET, true), ("s3cret", false)] {
            let request = client.get(format!("{base}{path}")).bearer_auth(token);
            let Answer { status, body } =
                RUNTIME.block_on(http::answer(request)).expect("an answer");
            assert_eq!(status == 401, !right, "{path}");
            told.push_str(&body);
        }
    }
    let ended = weir.terminate();
    told.push_str(&ended.stdout);
    told.push_str(&ended.stderr);
    assert!(told.contains("listening"), "{told}");
    assert!(!told.contains(SECRET), "{told}");
}
