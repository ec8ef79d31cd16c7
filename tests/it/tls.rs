//! Syslog over TLS: real senders with the right certificate get in, others get nothing, and
//! certificates change while weir runs.

use crate::support::http::{self, Metrics};
use crate::support::line::httplog;
use crate::support::rsyslog::Rsyslog;
use crate::support::tls::{Authority, Client, Identity, certificate, connect, is_ended, shown};
use crate::support::{Weir, folder, now_millis, require, wait_for};
use std::io::Write;
use std::net::{Shutdown, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// For lines to arrive, and for weir to notice a change, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

const LINES: u64 = 200;

/// A weir that asks senders for certificates.
struct Site {
    folder: TempDir,
    authority: Authority,
    weir: Weir,
    base: String,
    tls: SocketAddr,
}

impl Site {
    fn new() -> Site {
        let authority = Authority::new("the authority");
        let config = r#"listen:
  - { protocol: tls, address: "127.0.0.1:0", cert: weir.pem, key: weir.key, client_ca: ca.pem }
state: state
http: { address: "127.0.0.1:0" }
"#;
        let folder = folder(&[("weir.yaml", config), ("ca.pem", &authority.pem())]);
        authority.sign("weir.test").write(folder.path(), "weir");
        let mut weir = Weir::serve(folder.path());
        Site {
            base: weir.http(),
            tls: weir.address("tls"),
            folder,
            authority,
            weir,
        }
    }

    fn connect(&self, identity: &Identity) -> Client {
        connect(self.tls, &self.authority, Some(identity)).expect("a handshake")
    }

    fn metrics(&self) -> Metrics {
        Metrics::read(&self.base).expect("the metrics")
    }

    fn refused(&self, reason: &str) -> u64 {
        self.metrics().refused(reason)
    }

    fn until_parsed(&self, count: u64) {
        self.weir.until_parsed(&self.base, count, SOON);
    }

    fn until_logged(&self, text: &str) {
        wait_for(&format!("`{text}` in the log"), SOON, || {
            let log = self.weir.log();
            log.contains(text).then_some(()).ok_or(log)
        });
    }

    /// An rsyslog that forwards over TLS as `identity`, and what it takes lines on.
    fn rsyslog(&self, driver: &str, identity: &Identity) -> (Rsyslog, TempDir) {
        let files = folder(&[("ca.pem", &self.authority.pem())]);
        identity.write(files.path(), "sender");
        let at = files.path().display();
        let global = format!(
            r#"global(defaultNetstreamDriver="{driver}" defaultNetstreamDriverCAFile="{at}/ca.pem"
       defaultNetstreamDriverCertFile="{at}/sender.pem" defaultNetstreamDriverKeyFile="{at}/sender.key")"#
        );
        let (host, port) = (self.tls.ip(), self.tls.port());
        let action = format!(
            r#"action(type="omfwd" target="{host}" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
         template="RSYSLOG_SyslogProtocol23Format" StreamDriver="{driver}" StreamDriverMode="1"
         StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="weir.test"
         action.resumeRetryCount="-1" action.resumeInterval="1")"#
        );
        (Rsyslog::start_with(&global, &action), files)
    }
}

fn line() -> String {
    httplog("users", now_millis(), 12, 200)
}

fn counted(text: &str) -> String {
    format!("{} {text}", text.len())
}

fn send_through(rsyslog: &Rsyslog, lines: u64) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for _ in 0..lines {
        let sent = socket.send_to(line().as_bytes(), ("127.0.0.1", rsyslog.port()));
        sent.expect("loopback");
    }
}

fn rsyslog_gets_in(driver: &str) {
    if !require(&["rsyslogd", &format!("lmnsd_{driver}.so")]) {
        return;
    }
    let site = Site::new();
    let (rsyslog, _files) = site.rsyslog(driver, &site.authority.sign("sender-1"));
    send_through(&rsyslog, LINES);
    site.until_parsed(LINES);
    assert_eq!(site.refused(""), 0, "{}", site.weir.log());
    let rejected = site.metrics().rejected();
    assert_eq!(rejected, 0);
}

#[test]
fn lines_of_rsyslogs_gtls_driver_arrive() {
    rsyslog_gets_in("gtls");
}

#[test]
fn lines_of_rsyslogs_ossl_driver_arrive() {
    rsyslog_gets_in("ossl");
}

#[test]
fn an_rsyslog_with_a_certificate_of_another_authority_gets_nothing() {
    if !require(&["rsyslogd", "lmnsd_ossl.so"]) {
        return;
    }
    let site = Site::new();
    let stranger = Authority::new("another authority").sign("stranger-7");
    let (rsyslog, _files) = site.rsyslog("ossl", &stranger);
    send_through(&rsyslog, 1);
    site.until_logged("CN=stranger-7");
    let metrics = site.metrics();
    assert_eq!(metrics.received(), 0);
    assert!(site.refused("certificate") > 0, "{metrics:?}");
}

#[test]
fn who_has_not_the_right_certificate_gets_nothing_and_is_named() {
    let site = Site::new();
    let stranger = Authority::new("another authority").sign("stranger-7");
    for identity in [None, Some(&stranger)] {
        // Over TLS 1.3 the client has sent its line before it is refused.
        if let Ok(mut client) = connect(site.tls, &site.authority, identity) {
            let _ = client.write_all(format!("{}\n", line()).as_bytes());
            assert!(is_ended(&mut client));
        }
    }
    // And one that speaks no TLS at all.
    let mut plain = std::net::TcpStream::connect(site.tls).expect("a connection");
    plain
        .write_all(format!("{}\n", line()).as_bytes())
        .expect("sent");
    site.until_logged("what it sends is no TLS");
    site.until_logged("showed no certificate");
    site.until_logged("its certificate (CN=stranger-7) is not accepted");
    assert_eq!(
        (site.refused("certificate"), site.refused("handshake")),
        (2, 1)
    );
    assert!(
        site.weir.log().contains("peer=127.0.0.1:"),
        "{}",
        site.weir.log()
    );

    // The right one gets in, with both framings.
    let mut client = site.connect(&site.authority.sign("sender-1"));
    let text = format!("{}\n{}{}\n", line(), counted(&line()), line());
    client.write_all(text.as_bytes()).expect("sent");
    site.until_parsed(3);
    assert_eq!(site.metrics().received(), 3);
}

#[test]
fn what_was_sent_before_weir_stops_is_counted() {
    let site = Site::new();
    let mut client = site.connect(&site.authority.sign("sender-1"));
    client
        .write_all(format!("{}\n", line()).as_bytes())
        .expect("sent");
    site.until_parsed(1);
    let lines = format!("{}\n", line()).repeat(2000);
    client.write_all(lines.as_bytes()).expect("sent");
    let ended = site.weir.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let again = Weir::serve(site.folder.path());
    let mut again = again;
    let base = again.http();
    let to = now_millis() / 1000 + 60;
    let rates = http::by_service(&base, "http.rate", to - 3600, to).expect("the rates");
    let requests: f64 = rates["users"].values().map(|rate| rate * 10.0).sum();
    assert_eq!(requests.round(), 2001.0, "{rates:?}");
}

#[test]
fn certificates_change_without_a_restart_and_a_bad_one_changes_nothing() {
    let site = Site::new();
    let sender = site.authority.sign("sender-1");
    let mut before = site.connect(&sender);
    let old = shown(&before);

    // The new certificate comes before its key: until then they do not match.
    let new = site.authority.sign("weir.test");
    let file = |name: &str| site.folder.path().join(name);
    replace(&file("weir.pem"), &new.cert);
    site.until_logged("not the key of the certificate in weir.pem");
    assert_eq!(shown(&site.connect(&sender)), old);
    wait_for("the page to tell of it", SOON, || {
        let page = http::get(&format!("{}/api/v1/pipeline", site.base))?;
        let told = page.body.contains("weir.yaml:2:67: weir.key: not the key");
        told.then_some(()).ok_or(page.body)
    });
    assert_eq!(site.metrics().sum("weir_rules_refused", ""), 1);
    replace(&file("weir.key"), &new.key);
    let new = certificate(&new.cert).to_vec();
    wait_for("the new certificate", SOON, || {
        let shown = shown(&site.connect(&sender));
        (shown == new).then_some(()).ok_or_else(|| site.weir.log())
    });
    assert_eq!(site.metrics().sum("weir_rules_refused", ""), 0);

    // Who was connected is still, and so is who has the new authority's certificate, and
    // only who has.
    let other = Authority::new("the next authority");
    replace(&file("ca.pem"), &other.pem());
    site.weir.hang_up();
    let next = other.sign("sender-2");
    wait_for("the next authority", SOON, || {
        let mut client = site.connect(&next);
        let sent = client.write_all(format!("{}\n", line()).as_bytes());
        sent.map_err(|error| error.to_string())?;
        drop(client);
        match site.metrics().parsed() {
            0 => Err(site.weir.log()),
            _ => Ok(()),
        }
    });
    let mut refused = site.connect(&sender);
    assert!(is_ended(&mut refused));
    let parsed = site.metrics().parsed();
    before
        .write_all(format!("{}\n", line()).as_bytes())
        .expect("sent");
    site.until_parsed(parsed + 1);
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    crate::support::write(&new, text);
    std::fs::rename(new, path).expect("the same folder");
}

#[test]
fn a_certificate_that_cannot_be_used_is_told_at_its_place() {
    let authority = Authority::new("the authority");
    let config =
        "listen:\n  - { protocol: tls, address: \"127.0.0.1:0\", cert: a.pem, key: b.key }\n";
    let folder = folder(&[("weir.yaml", config)]);
    authority.sign("a").write(folder.path(), "a");
    authority.sign("b").write(folder.path(), "b");
    for command in ["check", "serve"] {
        let ended = Weir::run(&[command, "-c", "weir.yaml"], Some(folder.path()));
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let told = "weir.yaml:2:64: b.key: not the key of the certificate in a.pem";
        assert!(ended.stderr.contains(told), "{command}: {}", ended.stderr);
    }
}

#[test]
fn a_sender_over_tls_that_is_gone_without_a_word_is_told_in_ours() {
    let config = r#"listen:
  - { protocol: relp, address: "127.0.0.1:0", cert: weir.pem, key: weir.key, client_ca: ca.pem }
state: state
http: { address: "127.0.0.1:0" }
"#;
    let authority = Authority::new("the authority");
    let folder = folder(&[("weir.yaml", config), ("ca.pem", &authority.pem())]);
    let identity = authority.sign("weir.test");
    identity.write(folder.path(), "weir");
    let mut weir = Weir::serve(folder.path());
    let relp = weir.address("relp");
    let sender = connect(relp, &authority, Some(&identity)).expect("a handshake");
    // Not closed: what it has not read of TLS's tickets would make that a broken connection.
    let half = sender.sock.shutdown(Shutdown::Write);
    half.expect("a connection");
    wait_for("the end of the connection", SOON, || {
        let log = weir.log();
        let told = log.contains("it ended without the message that ends TLS");
        assert!(!log.contains("https://"), "{log}");
        told.then_some(()).ok_or(log)
    });
}

#[test]
fn a_certificate_that_has_expired_is_a_warning() {
    let authority = Authority::new("the authority");
    let config =
        "listen: [{ protocol: tls, address: \"127.0.0.1:0\", cert: weir.pem, key: weir.key }]\n";
    let folder = folder(&[("weir.yaml", config)]);
    authority
        .sign_expired("weir.test")
        .write(folder.path(), "weir");
    let checked = Weir::run(&["check", "-c", "weir.yaml"], Some(folder.path()));
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let told = "weir.pem: the certificate (CN=weir.test) was good until 2020-01-02T00:00:00.000Z";
    assert!(checked.stderr.contains(told), "{}", checked.stderr);
    assert!(
        checked.stderr.starts_with("warning: "),
        "{}",
        checked.stderr
    );
}
