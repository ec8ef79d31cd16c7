//! Sockets as senders meet them: both framings, both protocols on one port, partial,
//! endless and too many.

use crate::support::http::{self, Metrics};
use crate::support::line::httplog;
use crate::support::{Weir, folder, now_millis, ports, wait_for};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;
use tempfile::TempDir;

const WITHIN: Duration = Duration::from_secs(10);

/// A weir that listens on one port for both protocols, with these limits.
struct Running {
    weir: Weir,
    base: String,
    syslog: SocketAddr,
    _site: TempDir,
}

impl Running {
    fn with_limits(limits: &str) -> Running {
        let port = ports::free();
        let config = format!(
            r#"listen:
  - {{ protocol: udp, address: "127.0.0.1:{port}" }}
  - {{ protocol: tcp, address: "127.0.0.1:{port}" }}
state: state
http: {{ address: "127.0.0.1:0" }}
limits: {{ {limits} }}
"#
        );
        let site = folder(&[("weir.yaml", &config)]);
        let mut weir = Weir::serve(site.path());
        let base = weir.http();
        let syslog = weir.address("tcp");
        assert_eq!(weir.address("udp"), syslog, "both protocols on one port");
        Running {
            weir,
            base,
            syslog,
            _site: site,
        }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.syslog).expect("a connection")
    }

    fn metrics(&self) -> Metrics {
        Metrics::read(&self.base).expect("the metrics")
    }

    /// Waits until that many lines are parsed.
    fn until_parsed(&self, count: u64) {
        wait_for(&format!("{count} lines to be parsed"), WITHIN, || {
            match self.metrics().parsed() {
                parsed if parsed == count => Ok(()),
                parsed => Err(format!("{parsed} are; {:?}", self.metrics())),
            }
        });
    }
}

fn line(service: &str) -> String {
    httplog(service, now_millis(), 12, 200)
}

fn counted(text: &str) -> String {
    format!("{} {text}", text.len())
}

#[test]
fn both_framings_may_take_turns_on_one_connection() {
    let weir = Running::with_limits("series: 100");
    let mut stream = weir.connect();
    let text: String = (0..30)
        .map(|i| match i % 3 {
            0 => counted(&line("users")),
            1 => format!("{}\n", line("users")),
            _ => counted(&format!("{}\n", line("users"))),
        })
        .collect();
    stream.write_all(text.as_bytes()).expect("sent");
    weir.until_parsed(30);
    assert_eq!(weir.metrics().received(), 30);
}

#[test]
fn a_partial_frame_waits_for_its_rest() {
    let weir = Running::with_limits("series: 100");
    let mut stream = weir.connect();
    stream.set_nodelay(true).expect("no delay");
    let text = format!("{}{}\n", counted(&line("users")), line("users"));
    let (first, rest) = text.split_at(20);
    stream.write_all(first.as_bytes()).expect("sent");
    // Another sender is not held up by it.
    weir.connect()
        .write_all(format!("{}\n", line("carts")).as_bytes())
        .expect("sent");
    weir.until_parsed(1);
    for byte in rest.as_bytes() {
        stream.write_all(&[*byte]).expect("sent");
    }
    weir.until_parsed(3);
}

#[test]
fn the_rest_of_a_stream_without_a_line_feed_is_a_line() {
    let weir = Running::with_limits("series: 100");
    let mut stream = weir.connect();
    stream.write_all(line("users").as_bytes()).expect("sent");
    drop(stream);
    weir.until_parsed(1);
}

#[test]
fn a_frame_over_the_limit_is_cut_and_counted_and_the_stream_goes_on() {
    let weir = Running::with_limits("line_bytes: 512");
    let long = "x".repeat(100_000);
    let mut stream = weir.connect();
    let text = format!(
        "{long}\n{}\n{}{}\n",
        line("users"),
        counted(&format!("<134>{long}")),
        line("users"),
    );
    stream.write_all(text.as_bytes()).expect("sent");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let datagram = &long.as_bytes()[..2_000];
    udp.send_to(datagram, weir.syslog).expect("sent");
    weir.until_parsed(2);
    wait_for("the datagram", WITHIN, || {
        let metrics = weir.metrics();
        match metrics.received() {
            5 => Ok(()),
            n => Err(format!("{n} received")),
        }
    });
    wait_for("the cut frames to be counted", WITHIN, || {
        let metrics = weir.metrics();
        match (metrics.sum("weir_frames_cut_total", ""), metrics.rejected()) {
            (3, 3) => Ok(()),
            other => Err(format!("{other:?} were cut, and rejected")),
        }
    });
}

#[test]
fn a_line_that_never_ends_disturbs_nobody() {
    let weir = Running::with_limits("line_bytes: 512");
    let mut endless = weir.connect();
    endless.write_all(&vec![b'x'; 4_000_000]).expect("sent");
    weir.connect()
        .write_all(format!("{}\n", line("users")).as_bytes())
        .expect("sent");
    weir.until_parsed(1);
    endless
        .write_all(format!("\n{}\n", line("users")).as_bytes())
        .expect("sent");
    weir.until_parsed(2);
}

#[test]
fn one_connection_too_many_is_closed_and_counted() {
    let weir = Running::with_limits("connections: 2");
    let mut first = weir.connect();
    let mut second = weir.connect();
    for stream in [&mut first, &mut second] {
        stream
            .write_all(format!("{}\n", line("users")).as_bytes())
            .expect("sent");
    }
    weir.until_parsed(2);
    let mut third = weir.connect();
    third.set_read_timeout(Some(WITHIN)).expect("a timeout");
    let end = third.read(&mut [0; 1]);
    assert!(matches!(end, Ok(0) | Err(_)), "it was not closed: {end:?}");
    assert_eq!(weir.metrics().sum("weir_connections_refused_total", ""), 1);
    drop(first);
    wait_for("room for another", WITHIN, || {
        let mut stream = weir.connect();
        let text = format!("{}\n", line("users"));
        stream.write_all(text.as_bytes()).map_err(|e| e.to_string())?;
        drop(stream);
        match weir.metrics().parsed() {
            3.. => Ok(()),
            n => Err(format!("{n} parsed")),
        }
    });
}

#[test]
fn what_is_no_traffic_is_rejected_by_reason_and_the_sum_holds() {
    let weir = Running::with_limits("series: 100");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let cut_off = line("users").replace(" 200 ", " two-hundred ");
    let good = line("users");
    for text in [&good, "", "<134>Nov 21 10:00:00 haproxy[1]: Proxy users started.", &cut_off] {
        udp.send_to(text.as_bytes(), weir.syslog).expect("sent");
    }
    wait_for("all four", WITHIN, || {
        let metrics = weir.metrics();
        let by = |reason: &str| {
            metrics.sum("weir_lines_rejected_total", &format!("reason=\"{reason}\""))
        };
        let seen = [metrics.received(), metrics.parsed(), by("empty"), by("not_traffic"), by("malformed")];
        if seen == [4, 1, 1, 1, 1] { Ok(()) } else { Err(format!("{seen:?}")) }
    });
}

#[test]
fn with_a_token_everything_but_health_asks_for_it() {
    let site = folder(&[(
        "weir.yaml",
        r#"listen: []
state: state
http: { address: "127.0.0.1:0", token_env: HOME }
"#,
    )]);
    let mut weir = Weir::serve(site.path());
    let base = weir.http();
    for (path, status) in [("/healthz", 200), ("/", 401), ("/metrics", 401), ("/api/v1/pipeline", 401), ("/v1/metrics/x", 401)] {
        let answer = http::get(&format!("{base}{path}")).expect("an answer");
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    }
    let token = std::env::var("HOME").expect("HOME is set");
    let page = http::get(&base.replace("http://", &format!("http://me:{}@", token.replace('/', "%2F"))));
    assert_eq!(page.expect("an answer").status, 200);
    assert!(!weir.log().contains("anyone who reaches"), "{}", weir.log());
}

#[test]
fn metrics_show_the_rules_series() {
    let mut weir = Running::with_limits("series: 100");
    let text: String = (0..20).map(|_| format!("{}\n", line("users"))).collect();
    weir.connect().write_all(text.as_bytes()).expect("sent");
    wait_for("the window to close", Duration::from_secs(20), || {
        let page = http::get(&format!("{}/metrics", weir.base))?.body;
        let rate = "http_rate{service=\"users\"} ";
        if page.lines().any(|line| line.starts_with(rate)) {
            Ok(())
        } else {
            Err(page)
        }
    });
    assert!(weir.weir.is_running());
}
