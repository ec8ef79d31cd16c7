//! RELP from a real rsyslog: nothing that was acknowledged is lost, and what is sent again
//! counts once.

use crate::support::http::{self, Metrics};
use crate::support::line::httplog;
use crate::support::rsyslog::Rsyslog;
use crate::support::tls::Authority;
use crate::support::{Weir, folder, now_millis, ports, require, wait_for, write};
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const WITHIN: Duration = Duration::from_secs(60);

const RULES: &str = r#"rules:
  - name: http
    where: kind == "http"
    by: [service]
    window: 1s
    measure:
      count: count()
      sum: sum(Tr)
"#;

/// A weir that takes RELP, and what has to stay the same when it is started again.
struct Site {
    folder: TempDir,
    relp: u16,
}

impl Site {
    fn new() -> Site {
        Site::with("")
    }

    /// With more keys for the listener.
    fn with(keys: &str) -> Site {
        let relp = ports::free();
        let config = format!(
            r#"listen: [{{ protocol: relp, address: "127.0.0.1:{relp}"{keys} }}]
rules: rules.yaml
state: state
checkpoint_every: 1s
http: {{ address: "127.0.0.1:0" }}
"#
        );
        let folder = folder(&[("weir.yaml", &config), ("rules.yaml", RULES)]);
        Site { folder, relp }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// An rsyslog that forwards as docs/configuration.md tells, but for a shorter pause
    /// between two tries to connect.
    fn rsyslog(&self, keys: &str) -> Rsyslog {
        let action = format!(
            r#"action(type="omrelp" target="127.0.0.1" port="{}" template="RSYSLOG_ForwardFormat"
         queue.type="LinkedList" queue.size="100000" queue.filename="weir"
         queue.maxDiskSpace="1g" queue.saveOnShutdown="on"
         action.resumeInterval="1" action.resumeRetryCount="-1" {keys})"#,
            self.relp
        );
        Rsyslog::start_with(r#"module(load="omrelp")"#, &action)
    }
}

/// Every line has its number as its response time.
fn send(rsyslog: &Rsyslog, lines: std::ops::Range<u32>) {
    let mut stream = TcpStream::connect(("127.0.0.1", rsyslog.port())).expect("rsyslog");
    for number in lines {
        let line = httplog("users", now_millis(), number, 200);
        writeln!(stream, "{line}").expect("rsyslog reads");
        if number % 100 == 0 {
            // rsyslog is to have lines under way all the time.
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn until_parsed(base: &str, at_least: u64) -> Metrics {
    wait_for(&format!("{at_least} lines"), WITHIN, || {
        let metrics = Metrics::read(base)?;
        match metrics.parsed() {
            parsed if parsed >= at_least => Ok(metrics),
            parsed => Err(format!("{parsed} are parsed")),
        }
    })
}

/// Waits until weir has all lines, none of them twice, and stops it.
fn all_count_once(mut weir: Weir, lines: u32, from: i64) {
    let base = weir.http();
    let metrics = until_parsed(&base, lines.into());
    assert_eq!(metrics.parsed(), u64::from(lines), "{metrics:?}");
    each_counts_once(&base, lines, from);
    weir.terminate();
}

/// Waits until the windows hold each line once.
fn each_counts_once(base: &str, lines: u32, from: i64) {
    let numbers = f64::from(lines) * f64::from(lines - 1) / 2.0;
    let total = |name: &str| -> Result<f64, String> {
        let by_service = http::by_service(base, name, from - 60, from + 600)?;
        let points = by_service.values().flat_map(|points| points.values());
        Ok(points.sum())
    };
    wait_for("each line in one window", WITHIN, || {
        match (total("http.count")?, total("http.sum")?) {
            (count, sum) if count == f64::from(lines) && sum == numbers => Ok(()),
            (count, sum) => Err(format!(
                "{count} lines with {sum} ms, not {lines} with {numbers}"
            )),
        }
    });
}

#[test]
fn lines_survive_kills_and_count_once() {
    if !require(&["rsyslogd", "omrelp.so"]) {
        return;
    }
    const LINES: u32 = 12_000;
    let site = Site::new();
    let rsyslog = site.rsyslog("");
    let from = now_millis() / 1000;
    let weir = std::thread::scope(|scope| {
        let mut weir = Weir::serve(site.path());
        scope.spawn(|| send(&rsyslog, 0..LINES));
        for at in [1_500, 4_000, 7_000] {
            let base = weir.http();
            until_parsed(&base, at);
            weir.kill();
            weir = Weir::serve(site.path());
        }
        weir
    });
    all_count_once(weir, LINES, from);
}

#[test]
fn a_restart_loses_nothing() {
    if !require(&["rsyslogd", "omrelp.so"]) {
        return;
    }
    const LINES: u32 = 6_000;
    let site = Site::new();
    let rsyslog = site.rsyslog("");
    let from = now_millis() / 1000;
    let weir = std::thread::scope(|scope| {
        let mut weir = Weir::serve(site.path());
        scope.spawn(|| send(&rsyslog, 0..LINES));
        let base = weir.http();
        until_parsed(&base, 1_500);
        let ended = weir.terminate();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        Weir::serve(site.path())
    });
    all_count_once(weir, LINES, from);
}

#[test]
fn rsyslog_sends_over_tls() {
    if !require(&["rsyslogd", "omrelp.so"]) {
        return;
    }
    const LINES: u32 = 500;
    let site = Site::with(", cert: weir.pem, key: weir.key, client_ca: ca.pem");
    let authority = Authority::new("test authority");
    authority.sign("weir.test").write(site.path(), "weir");
    authority.sign("sender.test").write(site.path(), "sender");
    write(&site.path().join("ca.pem"), &authority.pem());
    let mut weir = Weir::serve(site.path());
    let at = site.path().display();
    let rsyslog = site.rsyslog(&format!(
        r#"tls="on" tls.caCert="{at}/ca.pem" tls.myCert="{at}/sender.pem" tls.myPrivKey="{at}/sender.key"
         tls.authMode="name" tls.permittedPeer=["weir.test"]"#
    ));
    send(&rsyslog, 0..LINES);
    let metrics = until_parsed(&weir.http(), LINES.into());
    assert_eq!(metrics.parsed(), u64::from(LINES), "{}", weir.log());
    assert_eq!(metrics.sum("weir_connections_refused_total", ""), 0);
}

#[test]
fn who_does_not_speak_it_is_disconnected_and_named() {
    use std::io::Read;
    let site = Site::new();
    let mut weir = Weir::serve(site.path());
    let address = weir.address("relp");
    for (sent, answer) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], &b"0 serverclose 0\n"[..]),
        (
            b"1 open 15 commands=syslog\n",
            b"1 rsp 39 500 there is no offer of a relp_version\n0 serverclose 0\n",
        ),
        (b"1 syslog 1 a\n", b"0 serverclose 0\n"),
    ] {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(sent).expect("sent");
        let mut read = Vec::new();
        stream.read_to_end(&mut read).expect("the end");
        assert_eq!(
            read.escape_ascii().to_string(),
            answer.escape_ascii().to_string()
        );
        let peer = stream.local_addr().expect("an address").to_string();
        wait_for("the log to name it", WITHIN, || {
            let log = weir.log();
            log.lines()
                .any(|line| line.contains(&peer) && line.contains("RELP"))
                .then_some(())
                .ok_or(log)
        });
    }
    let metrics = Metrics::read(&weir.http()).expect("the metrics");
    assert_eq!(metrics.received(), 0);
}
