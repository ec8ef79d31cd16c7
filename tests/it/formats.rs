//! Every way to log that HAProxy 2.6 has: its own lines are read with the formats of the
//! `haproxy.cfg` that it ran with, and each says what was asked.
//!
//! `formats/haproxy.cfg` has a frontend for each way. HAProxy runs once for all tests
//! here; they look at what it left.

use crate::support::formats::{
    Asked, HAPROXY_CFG, HOSTILE, HTTP, LONG, OVER_TLS, REQUESTS, RULES, Run, SESSIONS, WEIR_YAML,
    run,
};
use crate::support::http::Metrics;
use crate::support::process::Ended;
use crate::support::{Weir, folder, read, require, wait_for, write};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

/// The run, and its lines as `weir parse --envelope` prints them.
struct Seen {
    run: Run,
    events: Vec<Value>,
}

static SEEN: LazyLock<Seen> = LazyLock::new(|| {
    let run = run();
    let site = folder(&[("haproxy.cfg", HAPROXY_CFG)]);
    std::fs::write(site.path().join("log"), run.log()).expect("the log is written");
    let ended = parse(&run, site.path(), &["--envelope", "log"]);
    // No line is rejected, and nothing about the file had to be guessed.
    assert_eq!(ended.stderr, "");
    Seen {
        events: ended.objects(),
        run,
    }
});

fn seen() -> Option<&'static Seen> {
    require(&["haproxy", "openssl"]).then(|| &*SEEN)
}

/// `weir parse` with the formats of the `haproxy.cfg` in this folder.
fn parse(run: &Run, folder: &Path, args: &[&str]) -> Ended {
    let args = [&["parse", "--haproxy-config", "haproxy.cfg"], args].concat();
    Weir::run_in(&args, folder, &run.environment)
}

impl Seen {
    /// The traffic of this frontend.
    fn of(&self, frontend: &str) -> Vec<&Value> {
        let of_it = |event: &&Value| event["frontend"] == frontend && event["kind"] != "event";
        self.events.iter().filter(of_it).collect()
    }

    /// The line of this frontend about that path.
    fn about(&self, frontend: &str, path: &str) -> &Value {
        let of_it = self.of(frontend);
        let found = of_it.iter().find(|event| event["path"] == path);
        found.unwrap_or_else(|| panic!("no {path} in {of_it:#?}"))
    }

    fn notices(&self) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(|event| event["kind"] == "event")
    }
}

#[test]
fn every_line_is_an_event_of_its_frontend() {
    let Some(seen) = seen() else { return };
    assert_eq!(seen.events.len(), seen.run.datagrams.len());
    let mut found: BTreeMap<&str, u64> = BTreeMap::new();
    for event in seen.events.iter().filter(|event| event["kind"] != "event") {
        let frontend = event["frontend"].as_str();
        *found.entry(frontend.expect("a frontend")).or_default() += 1;
        assert_eq!(event["service"], event["frontend"]);
        assert_eq!(event["client_ip"], "127.0.0.1");
    }
    assert_eq!(found, seen.run.expected);
}

#[test]
fn each_request_is_what_was_asked_whatever_the_format() {
    let Some(seen) = seen() else { return };
    for frontend in HTTP {
        let mut asked: Vec<Value> = REQUESTS
            .iter()
            .map(|asked| {
                json!([
                    asked.method,
                    asked.path,
                    asked.query,
                    asked.status,
                    asked.termination_state[..2],
                    asked.method.map(|_| "HTTP/1.1"),
                ])
            })
            .collect();
        let events = seen.of(frontend);
        let clear = events
            .iter()
            .filter(|event| event["tls"] == false && event["path"] != LONG.0);
        let mut logged: Vec<Value> = clear
            .map(|event| {
                assert_eq!(event["kind"], "http", "{event}");
                let state = event["termination_state"].as_str().expect("a state");
                json!([
                    event["method"],
                    event["path"],
                    event["query"],
                    event["status"],
                    // `%ts`, or the first half of `%tsc`.
                    state[..2],
                    event["http_version"],
                ])
            })
            .collect();
        // Which of two lines HAProxy writes first, when one client has left and the next
        // has come, is its own affair.
        let key = |row: &Value| row.to_string();
        asked.sort_by_key(key);
        logged.sort_by_key(key);
        assert_eq!(logged, asked, "{frontend}");
    }
}

#[test]
fn timers_are_those_of_the_request_and_absent_where_it_never_came_so_far() {
    let Some(seen) = seen() else { return };
    for frontend in HTTP {
        let has_response_time = frontend != "blanks";
        for event in seen.of(frontend) {
            let total = if has_response_time { "Ta" } else { "Tt" };
            assert!(event[total].is_i64(), "{frontend}: {event}");
            assert_eq!(event["partial"], frontend == "asap", "{event}");
            let asked = REQUESTS.iter().find(|asked| {
                json!([asked.path, asked.status]) == json!([event["path"], event["status"]])
            });
            let Some(asked) = asked.filter(|_| has_response_time) else {
                continue;
            };
            assert_eq!(event["Tr"].is_i64(), asked.has_response, "{event}");
        }
        let slow = seen.about(frontend, "/slow");
        let took = if has_response_time { "Tr" } else { "Tt" };
        assert!(slow[took].as_i64() >= Some(60), "{frontend}: {slow}");
    }
}

#[test]
fn a_line_that_haproxy_cut_says_what_is_left() {
    let Some(seen) = seen() else { return };
    let (path, length) = LONG;
    let event = seen.about("httplog", path);
    assert_eq!(event["method"], "GET");
    assert_eq!(event["status"], 200);
    let query = event["query"].as_str().expect("a query");
    assert!(query.len() > 700 && query.len() < length, "{}", query.len());
    assert_eq!(event["http_version"], Value::Null);
}

#[test]
fn captures_have_the_names_of_their_headers() {
    let Some(seen) = seen() else { return };
    for asked in REQUESTS {
        let Some(path) = asked.path else { continue };
        let id = format!("id-{path}");
        let tenant = asked.tenant.unwrap_or_default();
        let echo = if asked.has_response { tenant } else { "" };

        let event = seen.about("captures", path);
        let expected = json!({
            "X-Declared": tenant, "X-Request-Id": id, "X-Tenant": tenant,
            "path,lower": path.to_lowercase(),
        });
        assert_eq!(event["request_headers"], expected);
        // The size that the answer's header is made of.
        let upstream = match (asked.has_response, asked.status) {
            (false, _) => "",
            (true, 500) => "u0",
            (true, _) => "u2",
        };
        let expected = json!({"X-Echo": echo, "X-Upstream": upstream});
        assert_eq!(event["response_headers"], expected);
        let cookie = format!("session={}", asked.method.unwrap_or_default());
        assert_eq!(event["request_cookie"], cookie);
        let cookie = asked
            .has_response
            .then(|| format!("session={}", asked.status));
        assert_eq!(event["response_cookie"], json!(cookie));

        let event = seen.about("httplog-clf", path);
        let expected = json!({"X-Request-Id": id, "X-Tenant": tenant});
        assert_eq!(event["request_headers"], expected);
        assert_eq!(event["response_headers"], json!({"X-Echo": echo}));

        let event = seen.about("httpslog", path);
        assert_eq!(event["request_headers"], json!({"X-Tenant": tenant}));
        assert_eq!(event["response_headers"], Value::Null);

        let event = seen.about("listens", path);
        assert_eq!(event["request_headers"], Value::Null);
        assert_eq!(event["response_headers"], json!({"X-Upstream": upstream}));
    }
}

#[test]
fn a_custom_format_gives_all_its_fields() {
    let Some(seen) = seen() else { return };
    let run = &seen.run;
    let server = &run.environment.iter().find(|(name, _)| name == "SERVER");
    let (_, server) = server.expect("a server");
    for (path, length) in [("/v1/Cards", "11"), ("/missing", "0"), ("/slow", "0")] {
        let asked = REQUESTS.iter().find(|asked| asked.path == Some(path));
        let asked = asked.expect("a request");
        let event = seen.about("full", path);
        let mut extra = event["extra"].as_object().expect("extra").clone();
        let mut take = |name: &str| extra.remove(name).unwrap_or_else(|| panic!("no {name}"));
        // What only HAProxy knows.
        for name in [
            "backend_source_port",
            "request_counter",
            "frontend_log_counter",
        ] {
            assert!(take(name).is_i64(), "{name}");
        }
        assert!(take("hostname").is_string());
        assert_eq!(take("fc_http_major").to_string().trim_matches('"'), "1");
        let id = take("unique_id");
        let own = format!("_7F000001:{:04X}_", run.port("full"));
        assert!(id.as_str().is_some_and(|id| id.contains(&own)), "{id}");

        let (_, server_port) = server.split_once(':').expect("a port");
        let mut expected = json!({
            "frontend_ip": "127.0.0.1", "frontend_port": run.port("full"),
            "backend_source_ip": "127.0.0.1",
            "server_ip": "127.0.0.1", "server_port": server_port.parse::<u16>().expect("a port"),
            "var(txn.tenant)": asked.tenant, "var(txn.length)": length,
            "dst_port": run.port("full"), "rand(1)": 0, "src": "127.0.0.1",
            "ssl_fc": 0, "fe_name": "full", "be_name": "server",
            "capture.req.hdr(0)": format!("id-{path}"), "src,ipmask(24)": "127.0.0.0",
            "capture.req.method,lower": asked.method.map(str::to_lowercase),
        });
        present(&mut expected);
        assert_eq!(Value::Object(extra), expected);

        assert_eq!(
            event["pid"],
            event["syslog"]["pid"]
                .as_str()
                .expect("a pid")
                .parse::<i64>()
                .expect("a number")
        );
        let date = |name: &str| event[name].as_str().map(|date| date.len());
        assert_eq!(date("accept_date"), Some("2026-01-01T00:00:00.000Z".len()));
        assert_eq!(date("request_date"), date("accept_date"));
        for number in [
            "Th",
            "Ti",
            "TR",
            "Tw",
            "Tc",
            "Tr",
            "Td",
            "Ta",
            "Tt",
            "Tu",
            "bytes_read",
            "bytes_uploaded",
            "actconn",
            "feconn",
            "beconn",
            "srv_conn",
            "retries",
            "srv_queue",
            "backend_queue",
        ] {
            assert!(event[number].is_i64(), "{number}: {event}");
        }
        for (frontend, name) in [("single", "var(txn.tenant)"), ("quoted", "var(txn.tenant)")] {
            let extra = &seen.about(frontend, path)["extra"];
            assert_eq!(extra.get(name), asked.tenant.map(Value::from).as_ref());
        }
        let event = seen.about("variables", path);
        assert!(event["bytes_uploaded"].is_i64(), "{event}");
        assert!(event["actconn"].is_i64(), "{event}");
        assert_eq!(event["server"], "one");
    }
}

#[test]
fn a_log_format_alone_reads_the_same_as_with_all_of_haproxy_cfg() {
    let Some(seen) = seen() else { return };
    for frontend in ["full", "blanks", "single", "quoted"] {
        let head = format!("frontend {frontend} ");
        let (_, section) = HAPROXY_CFG.split_once(&head).expect("the section");
        let mut lines = section.lines().map(str::trim);
        let format = lines.find_map(|line| line.strip_prefix("log-format "));
        let args = ["parse", "--log-format", format.expect("its format")];
        let mut log = Vec::new();
        let mut expected = Vec::new();
        for (datagram, event) in seen.run.datagrams.iter().zip(&seen.events) {
            if event["frontend"] == frontend && event["kind"] == "http" {
                log.extend_from_slice(datagram);
                let mut event = event.clone();
                // By position: nothing names the captures.
                if let Some(headers) = event["request_headers"].as_object() {
                    event["request_headers"] = headers.values().cloned().collect();
                }
                expected.push(without_envelope(&event));
            }
        }
        let ended = Weir::fed(&args, None, &log);
        assert_eq!(ended.stderr, "", "{frontend}");
        let read: Vec<String> = ended.objects().iter().map(without_envelope).collect();
        assert_eq!(read, expected, "{frontend}");
    }
}

/// Without what a line does not say.
fn present(object: &mut Value) {
    let object: &mut Map<String, Value> = object.as_object_mut().expect("an object");
    object.retain(|_, value| !value.is_null());
}

#[test]
fn tls_and_http_2_are_told_by_httpslog() {
    let Some(seen) = seen() else { return };
    let events = seen.of("httpslog");
    let over_tls: Vec<_> = events.iter().filter(|event| event["tls"] == true).collect();
    assert_eq!(over_tls.len(), OVER_TLS.len());
    let host = format!("https://it.example:{}", seen.run.port("httpslog-tls"));
    for ((target, status), event) in OVER_TLS.into_iter().zip(over_tls) {
        assert_eq!(event["status"], status);
        assert_eq!(event["http_version"], "HTTP/2.0");
        assert_eq!(event["request"], format!("GET {host}{target} HTTP/2.0"));
        assert_eq!(event["request_headers"], json!({"X-Tenant": "north"}));
        let mut extra = event["extra"].as_object().expect("extra").clone();
        assert!(
            extra
                .remove("ssl_ciphers")
                .is_some_and(|name| name.is_string())
        );
        let expected = json!({
            "fc_err": 0, "ssl_fc_err": "0000000000000000", "ssl_c_err": 0, "ssl_c_ca_err": 0,
            "ssl_fc_is_resumed": 0, "ssl_fc_sni": "it.example", "ssl_version": "TLSv1.3",
        });
        assert_eq!(Value::Object(extra), expected);
    }
    // In clear there is nothing to tell, which HAProxy writes as `-`.
    let extra = &seen.about("httpslog", "/health")["extra"];
    assert_eq!(*extra, json!({"fc_err": 0, "ssl_fc_is_resumed": 0}));
}

#[test]
fn sessions_connections_and_failed_handshakes_are_kinds_of_their_own() {
    let Some(seen) = seen() else { return };
    for frontend in ["tcplog", "asap-tcp", "sessions-clf"] {
        let events = seen.of(frontend);
        assert_eq!(events.len(), SESSIONS);
        for event in events {
            assert_eq!(event["kind"], "tcp");
            assert_eq!(event["backend"], "sessions");
            assert_eq!(event["termination_state"], "--");
            assert_eq!(event["partial"], frontend == "asap-tcp", "{event}");
            for number in ["Tw", "Tc", "Tt", "bytes_read", "feconn"] {
                assert!(event[number].is_i64(), "{number}: {event}");
            }
        }
    }
    let port = seen.run.port("connect");
    for event in seen.of("connect") {
        assert_eq!(event["kind"], "connect");
        let expected = json!({"frontend_ip": "127.0.0.1", "frontend_port": port, "mode": "HTTP"});
        assert_eq!(event["extra"], expected);
    }
    let event = seen.of("handshakes")[0];
    assert_eq!(event["kind"], "error");
    assert_eq!(event["bind_name"], "public");
    assert_eq!(event["message"], "SSL handshake failure");
    let event = seen.of("own-errors")[0];
    assert_eq!(event["kind"], "error");
    assert_eq!(event["extra"]["fc_err"], 34);
    assert_eq!(event["extra"]["fc_err_str"], "SSL handshake failure");
    let text = event["extra"]["ssl_fc_err_str"].as_str();
    assert!(text.is_some_and(|text| text.contains(' ')), "{event}");
}

#[test]
fn every_envelope_says_what_it_has() {
    let Some(seen) = seen() else { return };
    let none = None::<i64>;
    for (frontend, protocol, facility, severity, tag, has_host, has_stamp) in [
        (
            "as-rfc3164",
            Some("rfc3164"),
            Some(16),
            Some(6),
            Some("edge/1"),
            true,
            true,
        ),
        (
            "as-rfc5424",
            Some("rfc5424"),
            Some(17),
            Some(6),
            Some("the edge"),
            false,
            true,
        ),
        (
            "as-local",
            Some("rfc3164"),
            Some(16),
            Some(6),
            Some("edge:2"),
            false,
            true,
        ),
        ("as-iso", Some("rfc3164"), none, none, None, false, true),
        // With the level alone, and no facility.
        (
            "as-timed",
            Some("rfc3164"),
            Some(0),
            Some(6),
            None,
            false,
            true,
        ),
        ("as-short", None, Some(0), Some(6), None, false, false),
        ("as-priority", None, Some(16), Some(6), None, false, false),
        ("as-raw", None, none, none, None, false, false),
    ] {
        for event in seen.of(frontend) {
            let syslog = &event["syslog"];
            assert_eq!(syslog["protocol"], json!(protocol), "{event}");
            assert_eq!(syslog["facility"], json!(facility), "{event}");
            assert_eq!(syslog["severity"], json!(severity), "{event}");
            assert_eq!(syslog["app"], json!(tag), "{event}");
            assert_eq!(event["process"], json!(tag), "{event}");
            assert_eq!(event["pid"].is_i64(), tag.is_some(), "{event}");
            assert_eq!(syslog["host"].is_string(), has_host, "{event}");
            assert_eq!(syslog["timestamp"].is_string(), has_stamp, "{event}");
        }
    }
    let tenant = |path: &str| {
        let event = seen.about("as-rfc5424", path);
        event["syslog"]["structured_data"].clone()
    };
    let expected =
        |tenant: &str, status: &str| json!([["it@1", [["tenant", tenant], ["status", status]]]]);
    assert_eq!(tenant("/missing"), expected(HOSTILE, "404"));
    assert_eq!(tenant("/slow"), expected("-", "200"));
}

#[test]
fn haproxy_s_own_messages_are_events_and_marks_and_no_traffic() {
    let Some(seen) = seen() else { return };
    let of_servers: Vec<Value> = seen
        .notices()
        .filter(|event| event["state"] != "stopped")
        .map(|event| json!([event["backend"], event["server"], event["state"]]))
        .collect();
    let expected = json!([
        ["watched", "gone", "DOWN"],
        ["watched", null, "no server available"],
        ["watched", "gone", "MAINT"],
        ["sessions", "one", "DRAIN"],
        ["sessions", null, "no server available"],
        ["sessions", "one", "UP"],
    ]);
    assert_eq!(Value::from(of_servers), expected);
    let stopped: Vec<&Value> = seen
        .notices()
        .filter(|event| event["state"] == "stopped")
        .collect();
    for frontend in seen.run.expected.keys() {
        let told = stopped.iter().any(|event| event["frontend"] == *frontend);
        assert!(told, "{frontend} has not stopped in {stopped:?}");
    }

    let titles = |stream: &str| {
        let stream = &seen.run.annotations[stream];
        let sources = stream["events"].as_object().expect("sources");
        let events = sources
            .values()
            .flat_map(|events| events.as_array().expect("events"));
        let mut titles: Vec<&str> = events
            .map(|event| event["title"].as_str().expect("a title"))
            .collect();
        titles.sort();
        titles
    };
    let servers = [
        "sessions/one DRAIN",
        "sessions/one UP",
        "watched/gone DOWN",
        "watched/gone MAINT",
    ];
    assert_eq!(titles("haproxy.server"), servers);
    let backends = [
        "sessions: no server available",
        "watched: no server available",
    ];
    assert_eq!(titles("haproxy.backend"), backends);
    let proxies = titles("haproxy.proxy");
    assert!(proxies.contains(&"httplog stopped"), "{proxies:?}");
    // HAProxy's own proxies are nobody's.
    assert!(!proxies.iter().any(|title| title.starts_with('<')));
    assert!(!seen.run.annotations.contains_key("haproxy.message"));
}

#[test]
fn a_running_weir_counts_each_request_once() {
    let Some(seen) = seen() else { return };
    let run = &seen.run;
    let counted = |name: &str| -> BTreeMap<&str, f64> {
        let named = run.counted.iter().filter(|((known, _), _)| *known == name);
        named
            .map(|((_, service), sum)| (&**service, *sum))
            .collect()
    };
    let expected: BTreeMap<&str, f64> = run
        .expected
        .iter()
        .map(|(frontend, lines)| (*frontend, *lines as f64))
        .collect();
    assert_eq!(counted("all.lines"), expected);
    let sum = REQUESTS.iter().map(|asked| asked.status).sum::<i64>() as f64;
    let over_tls = OVER_TLS.iter().map(|(_, status)| status).sum::<i64>() as f64;
    let long = 200.0;
    let expected: BTreeMap<&str, f64> = HTTP
        .into_iter()
        .map(|frontend| match frontend {
            "httpslog" => (frontend, sum + over_tls),
            "httplog" => (frontend, sum + long),
            _ => (frontend, sum),
        })
        .collect();
    assert_eq!(counted("all.status"), expected);
    // `httpslog` captures the request's header, and no response's: a missing value is
    // not different from another.
    let of_north = |asked: &&Asked| asked.tenant == Some("north") && asked.has_response;
    let north = REQUESTS.iter().filter(of_north).count() as f64;
    assert_eq!(
        counted("tenant.lines"),
        BTreeMap::from([("captures", north), ("httplog-clf", north)])
    );
    let north = REQUESTS
        .iter()
        .filter(|asked| asked.tenant == Some("north"))
        .count() as f64;
    assert_eq!(counted("custom.lines"), BTreeMap::from([("full", north)]));
    let ports = north * f64::from(run.port("full"));
    assert_eq!(counted("custom.ports"), BTreeMap::from([("full", ports)]));

    let metrics = &run.metrics;
    assert_eq!(metrics.received(), metrics.parsed());
    assert_eq!(metrics.rejected(), 0);
    let of_outcome =
        |outcome: &str| metrics.sum("weir_events_total", &format!("outcome=\"{outcome}\""));
    assert_eq!(of_outcome("counted"), run.expected.values().sum::<u64>());
    assert_eq!(
        of_outcome("notice"),
        metrics.parsed() - of_outcome("counted")
    );
}

#[test]
fn what_a_wrong_format_rejects_is_read_after_the_mistake_is_mended() {
    let Some(seen) = seen() else { return };
    let run = &seen.run;
    let wrong = WEIR_YAML.replace("config: haproxy.cfg", "log_format: '%ci|%ST|%Tr'");
    let site = folder(&[
        ("haproxy.cfg", HAPROXY_CFG),
        ("weir.yaml", &wrong),
        (
            "rules.yaml",
            "rules: [{ name: all, by: [service], measure: { lines: count() } }]",
        ),
    ]);
    let mut weir = Weir::serve(site.path());
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    let address = weir.address("udp");
    for datagram in &run.datagrams {
        udp.send_to(datagram, address).expect("loopback");
    }
    let base = weir.http();
    let settled = |base: &str, lines: u64| {
        wait_for("every line to be settled", Duration::from_secs(20), || {
            let metrics = Metrics::read(base)?;
            let settled = metrics.parsed() + metrics.rejected();
            let message = format!("{settled} of {lines} lines");
            (settled == lines).then_some(metrics).ok_or(message)
        })
    };
    let sent = run.datagrams.len() as u64;
    let before = settled(&base, sent);
    let ended = weir.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    // HAProxy's own lines are understood with any format.
    let own = |event: &&Value| match event["kind"].as_str() {
        Some("error") => event["frontend"] == "own-errors",
        kind => matches!(kind, Some("http" | "tcp")),
    };
    let mut rejected: Vec<String> = seen
        .events
        .iter()
        .filter(own)
        .map(without_envelope)
        .collect();
    let again = parse(run, site.path(), &["rejects.log"]);
    assert_eq!(again.stderr, "");
    let mut read_again: Vec<String> = again.objects().iter().map(without_envelope).collect();
    rejected.sort();
    read_again.sort();
    assert_eq!(read_again, rejected);

    write(&site.path().join("weir.yaml"), WEIR_YAML);
    write(&site.path().join("rules.yaml"), RULES);
    let replay = read(&site.path().join("rejects.log"));
    std::fs::rename(
        site.path().join("rejects.log"),
        site.path().join("replay.log"),
    )
    .expect("renamed");
    let mut weir = Weir::serve_in(site.path(), &run.environment);
    let mut tcp = TcpStream::connect(weir.address("tcp")).expect("a connection");
    tcp.write_all(replay.as_bytes()).expect("weir reads");
    drop(tcp);
    // The account goes on, and no line is added to those rejected.
    let metrics = settled(&weir.http(), sent + rejected.len() as u64);
    assert_eq!(metrics.rejected(), before.rejected());
    assert_eq!(read(&site.path().join("rejects.log")), "");
    weir.kill();
}

fn without_envelope(event: &Value) -> String {
    let mut event = event.as_object().expect("an object").clone();
    event.remove("syslog");
    Value::Object(event).to_string()
}
