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
        wait_for(
            &format!("{count} lines to be parsed"),
            WITHIN,
            || match self.metrics().parsed() {
                parsed if parsed == count => Ok(()),
                parsed => Err(format!("{parsed} are; {:?}", self.metrics())),
            },
        );
    }
}

fn line(service: &str) -> String {
    httplog(service, now_millis(), 12, 200)
}

/// The same, octet-counted.
fn counted(text: &str) -> String {
    format!("{} {text}", text.len())
}

const LINE_BYTES: usize = 1024;

#[test]
fn every_frame_is_counted_whatever_its_framing_and_size() {
    let weir = Running::with_limits(&format!("line_bytes: {LINE_BYTES}"));

    let line = line("users");
    let endless = format!("<134>{}", "x".repeat(3 * LINE_BYTES));
    // Each a frame: its bytes, and whether it is longer than a line may be.
    let frames = [
        (format!("{line}\n"), false),
        (counted(&line), false),
        (format!("{line}\r\n"), false),
        // rsyslog counts the line feed in, as part of the line.
        (counted(&format!("{line}\n")), false),
        (format!("{endless}\n"), true),
        (counted(&line), false),
        (counted(&endless), true),
        (format!("{line}\n"), false),
        ("not a log line\n".to_owned(), false),
        (counted("<134>nor \u{1}\u{2} this\n"), false),
        (format!("{line}\n"), false),
    ];
    let traffic = frames.iter().filter(|(f, _)| f.contains(&line)).count() as u64;
    let cut = frames.iter().filter(|(_, long)| *long).count() as u64;
    let all: String = frames.iter().map(|(frame, _)| frame.as_str()).collect();

    // In one piece, in pieces that end anywhere, and with the client gone after
    // half a frame.
    let connect = || weir.connect();
    connect().write_all(all.as_bytes()).expect("weir reads");
    let mut pieces = connect();
    pieces.set_nodelay(true).expect("a TCP socket");
    for piece in all.as_bytes().chunks(37) {
        pieces.write_all(piece).expect("weir reads");
        std::thread::sleep(Duration::from_millis(1));
    }
    connect()
        .write_all(format!("{all}900 <134>half").as_bytes())
        .expect("weir reads");
    // Over UDP a datagram is a frame.
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    for text in [line.as_str(), "not a log line", endless.as_str()] {
        udp.send_to(text.as_bytes(), weir.syslog).expect("loopback");
    }

    let counts = wait_for("every frame", Duration::from_secs(10), || {
        let metrics = Metrics::read(&weir.base)?;
        let by = |protocol: &str| {
            let label = format!("protocol=\"{protocol}\"");
            metrics.sum("weir_lines_received_total", &label)
        };
        let counts = (by("tcp"), by("udp"), metrics.parsed(), metrics.rejected());
        let settled = counts.2 + counts.3 == counts.0 + counts.1;
        let frames = 3 * frames.len() as u64 + 1;
        (counts.0 >= frames && counts.1 >= 3 && settled)
            .then_some(counts)
            .ok_or_else(|| format!("tcp, udp, parsed, rejected: {counts:?} of {frames} and 3"))
    });
    let (tcp, udp, parsed, rejected) = counts;
    // The half frame counts as a line that is none.
    assert_eq!(tcp, 3 * frames.len() as u64 + 1);
    assert_eq!(udp, 3);
    assert_eq!(parsed, 3 * traffic + 1, "lines of traffic");
    assert_eq!(rejected, tcp + udp - parsed);
    let metrics = weir.metrics();
    // The datagram is too long as well, and the half frame lacks its end.
    assert_eq!(metrics.sum("weir_frames_cut_total", ""), 3 * cut + 2);
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
        stream
            .write_all(text.as_bytes())
            .map_err(|e| e.to_string())?;
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
    for text in [
        &good,
        "",
        "<134>Nov 21 10:00:00 sshd[1]: session opened",
        &cut_off,
    ] {
        udp.send_to(text.as_bytes(), weir.syslog).expect("sent");
    }
    wait_for("all four", WITHIN, || {
        let metrics = weir.metrics();
        let by = |reason: &str| {
            metrics.sum("weir_lines_rejected_total", &format!("reason=\"{reason}\""))
        };
        let seen = [
            metrics.received(),
            metrics.parsed(),
            by("empty"),
            by("not_traffic"),
            by("malformed"),
        ];
        if seen == [4, 1, 1, 1, 1] {
            Ok(())
        } else {
            Err(format!("{seen:?}"))
        }
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
    for (path, status) in [
        ("/healthz", 200),
        ("/", 401),
        ("/metrics", 401),
        ("/api/v1/pipeline", 401),
        ("/v1/metrics/x", 401),
    ] {
        let answer = http::get(&format!("{base}{path}")).expect("an answer");
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    }
    let token = std::env::var("HOME").expect("HOME is set");
    let page = http::get(&base.replace(
        "http://",
        &format!("http://me:{}@", token.replace('/', "%2F")),
    ));
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
