//! The main job on real input: HAProxy logs to rsyslog, rsyslog forwards to weir,
//! and what weir answers is what the log says.

use crate::support::backend::Backend;
use crate::support::haproxy::Haproxy;
use crate::support::http::{self, Metrics};
use crate::support::reference::{Kind, Log, RULES, Reference};
use crate::support::rsyslog::{Forward, Rsyslog};
use crate::support::{Weir, folder, require, traffic, wait_for, write};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// How long lines may take from HAProxy to the end of the pipeline on a busy machine.
const ARRIVAL: Duration = Duration::from_secs(15);
/// A window closes 2 s after its end; the rest is for a busy machine.
const CLOSING: Duration = Duration::from_secs(15);

macro_rules! pipelines {
    ($($name:ident: $protocol:literal $framing:literal $template:literal;)*) => {
        $(#[test]
        fn $name() {
            counts_every_line_in_its_window(Forward {
                protocol: $protocol,
                framing: $framing,
                template: $template,
            });
        })*
    };
}

pipelines! {
    udp_forward_format: "udp" "traditional" "RSYSLOG_ForwardFormat";
    udp_traditional_forward_format: "udp" "traditional" "RSYSLOG_TraditionalForwardFormat";
    udp_syslog_protocol_23_format: "udp" "traditional" "RSYSLOG_SyslogProtocol23Format";
    tcp_newline_forward_format: "tcp" "traditional" "RSYSLOG_ForwardFormat";
    tcp_newline_traditional_forward_format: "tcp" "traditional" "RSYSLOG_TraditionalForwardFormat";
    tcp_newline_syslog_protocol_23_format: "tcp" "traditional" "RSYSLOG_SyslogProtocol23Format";
    tcp_octet_counted_forward_format: "tcp" "octet-counted" "RSYSLOG_ForwardFormat";
    tcp_octet_counted_traditional_forward_format: "tcp" "octet-counted" "RSYSLOG_TraditionalForwardFormat";
    tcp_octet_counted_syslog_protocol_23_format: "tcp" "octet-counted" "RSYSLOG_SyslogProtocol23Format";
}

fn counts_every_line_in_its_window(forward: Forward) {
    if !require(&["haproxy", "rsyslogd"]) {
        return;
    }
    let site = folder(&[("rules.yaml", RULES)]);
    let config = format!(
        r#"listen:
  - {{ protocol: {}, address: "127.0.0.1:0" }}
haproxy: {{ timezone: UTC }}
rules: rules.yaml
state: "{}"
sinks:
  store: {{ retention: 24h }}
http: {{ address: "127.0.0.1:0" }}
"#,
        forward.protocol,
        site.path().join("state").display()
    );
    write(&site.path().join("weir.yaml"), &config);
    let mut weir = Weir::serve(site.path());
    let base = weir.http();
    let log = logged_traffic(forward, weir.address(forward.protocol), |log| {
        let metrics = Metrics::read(&base)?;
        let received = metrics.received();
        let settled = metrics.parsed() + metrics.rejected();
        if received < log.lines() || settled < log.lines() {
            return Err(format!(
                "weir received {received} of {} lines and settled {settled}",
                log.lines()
            ));
        }
        Ok(())
    });

    let reference = Reference::of(&log);
    let (first, last) = log.span();
    let differences = || -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        for name in reference.names() {
            // Wider than the log, so that a value where nothing was logged is seen.
            let got = http::by_service(&base, name, first - 3600, last + 60)?;
            found.extend(reference.differences(name, &got));
        }
        Ok(found)
    };
    wait_for("the measurements to be what the log says", CLOSING, || {
        let found = differences()?;
        match found.len() {
            0 => Ok(()),
            count => Err(format!("{count} differences, such as\n{}", some(&found))),
        }
    });

    let metrics = Metrics::read(&base).expect("/metrics");
    let label = format!("protocol=\"{}\"", forward.protocol);
    let received = metrics.sum("weir_lines_received_total", &label);
    let traffic = log.traffic.len() as u64;
    assert_eq!(received, log.lines(), "received, of what rsyslog sent");
    assert_eq!(metrics.received(), received, "received in all");
    assert_eq!(
        metrics.parsed(),
        traffic + log.notices,
        "parsed, of all lines"
    );
    assert_eq!(metrics.rejected(), 0, "rejected");
    let notices = metrics.sum("weir_events_total", "outcome=\"notice\"");
    assert_eq!(notices, log.notices, "notices");
    assert_eq!(metrics.sum("weir_frames_cut_total", ""), 0, "frames cut");
    assert_eq!(
        differences().expect("the API answers"),
        [""; 0],
        "a measurement changed after it was right"
    );
}

/// The traffic must be as odd as the tests above need it, and rsyslog must not
/// lose any of it: checked without weir.
#[test]
fn the_traffic_holds_every_odd_line() {
    if !require(&["haproxy", "rsyslogd"]) {
        return;
    }
    let sink = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    let forward = Forward {
        protocol: "udp",
        framing: "traditional",
        template: "RSYSLOG_ForwardFormat",
    };
    let target = sink.local_addr().expect("the sink is bound");
    let mut text = String::new();
    let log = logged_lines(forward, target, |_, written| {
        text = written.to_owned();
        Ok(())
    });
    for odd in [
        "<BADREQ>",
        "<NOSRV>",
        " SC-- ",
        " SH-- ",
        " CD-- ",
        " CR-- ",
        " cR-- ",
        " -1/-1/-1/-1/",
        "/+1 0/0 ",
        " -1 0 - - ",
        "{",
        " 404 ",
        "POST /v1/cards?user=7&kind=a%20b",
        "Server watched/down is DOWN, ",
        "backend watched has no server available!",
    ] {
        let is_rare = |line: &&str| !line.contains(" ---- ");
        let rare: Vec<&str> = text.lines().filter(is_rare).collect();
        let rare = rare.join("\n");
        assert!(
            text.contains(odd),
            "no {odd:?} in the log; its rare lines:\n{rare}"
        );
    }
    let windows = |kind, service: &str| {
        let mut counts = std::collections::BTreeMap::new();
        for traffic in &log.traffic {
            if traffic.kind == kind && traffic.service == service {
                *counts.entry(traffic.window).or_insert(0) += 1;
            }
        }
        counts
    };
    assert!(windows(Kind::Http, "users").values().any(|n| *n > 64));
    assert!(windows(Kind::Http, "search").values().all(|n| *n <= 64));
    assert!(windows(Kind::Tcp, "ledger").len() > 1);
    assert!(
        log.traffic
            .iter()
            .any(|t| t.response.is_some_and(|ms| ms > 255))
    );
}

/// Runs the traffic and waits until all its lines have come through rsyslog and
/// `arrived` agrees. HAProxy and rsyslog have ended when this returns.
fn logged_traffic(
    forward: Forward,
    target: SocketAddr,
    mut arrived: impl FnMut(&Log) -> Result<(), String>,
) -> Log {
    logged_lines(forward, target, |log, _| arrived(log))
}

fn logged_lines(
    forward: Forward,
    target: SocketAddr,
    mut arrived: impl FnMut(&Log, &str) -> Result<(), String>,
) -> Log {
    let mut rsyslog = Rsyslog::start(forward, target);
    let backend = Backend::start();
    let mut haproxy = Haproxy::start(&backend, rsyslog.port());
    let lines = traffic::drive(&haproxy);
    let log = wait_for("every line to arrive", ARRIVAL, || {
        assert!(haproxy.is_running(), "haproxy has ended");
        assert!(rsyslog.is_running(), "rsyslogd has ended");
        let written = rsyslog.written();
        let log = Log::read(&written);
        let logged = log.traffic.len() as u64;
        if logged < lines {
            return Err(format!(
                "rsyslog wrote {logged} of {lines} lines of traffic"
            ));
        }
        arrived(&log, &written)?;
        Ok(log)
    });
    assert_eq!(log.traffic.len() as u64, lines, "lines of traffic");
    log
}

/// The first few of a long list.
fn some(found: &[String]) -> String {
    found[..found.len().min(12)].join("\n")
}
