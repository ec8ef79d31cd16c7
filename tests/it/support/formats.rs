//! One run of HAProxy with `tests/it/formats/haproxy.cfg`, which logs in every way there
//! is: what it was asked, what a plain collector got of it, and what a running weir
//! made of it. HAProxy and weir have ended when it is over; all that stays is data.

use super::backend::Backend;
use super::collector::Collector;
use super::http::{self, Metrics};
use super::process::Process;
use super::{Weir, folder, haproxy, ports, program, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub const HAPROXY_CFG: &str = include_str!("../formats/haproxy.cfg");

/// What a client may put into a header: all that stands between fields, and what HAProxy
/// escapes.
pub const HOSTILE: &str = "a \"b\" {c} | d # \\ \u{e9} \u{1F600} [e] 'f' %g <h>, i=j";

/// For a weir that reads the formats from the same `haproxy.cfg`.
pub const WEIR_YAML: &str = r#"listen:
  - { protocol: udp, address: "127.0.0.1:0" }
  - { protocol: tcp, address: "127.0.0.1:0" }
haproxy: { config: haproxy.cfg, timezone: UTC }
rules: rules.yaml
rejects: rejects.log
state: state
http: { address: "127.0.0.1:0" }
"#;

/// One window for each second: what a rule counts is the sum over all of them.
pub const RULES: &str = r#"rules:
  - name: all
    by: [service]
    window: 1s
    measure: { lines: count(), status: sum(status) }
  - name: tenant
    where: request_headers["x-tenant"] == "north" && response_headers["X-Echo"] != "south"
    by: [service]
    window: 1s
    measure: { lines: count() }
  - name: custom
    where: extra["var(txn.tenant)"] == "north" && extra["ssl_fc"] == 0
    by: [service]
    window: 1s
    measure: { lines: count(), ports: 'sum(extra["dst_port"])' }
"#;

/// How long lines, windows and HAProxy's own changes may take on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// The frontends that take HTTP without TLS. Each is asked [`REQUESTS`], and writes a
/// line for each.
pub const HTTP: [&str; 24] = [
    "httplog",
    "httplog-clf",
    "httpslog",
    "asap",
    "captures",
    "listens",
    "full",
    "blanks",
    "single",
    "variables",
    "quoted",
    "inherits",
    "inherits-not",
    "inherits-unnamed",
    "as-rfc3164",
    "as-rfc5424",
    "as-local",
    "as-iso",
    "as-timed",
    "as-short",
    "as-priority",
    "as-raw",
    "over-tcp-counted",
    "over-tcp-by-line",
];

/// The frontends that take sessions of anything: [`SESSIONS`] of them each.
pub const TCP: [&str; 3] = ["tcplog", "asap-tcp", "sessions-clf"];
pub const SESSIONS: usize = 3;

/// The frontends with nothing but TLS, each of which is sent something else.
pub const TLS: [&str; 2] = ["handshakes", "own-errors"];

/// Asked over HTTP/2 in TLS, of `httpslog`: the target and the status.
pub const OVER_TLS: [(&str, i64); 2] = [("/over-tls?a=1", 200), ("/over-tls", 404)];

/// Asked of `httplog`: the path, and how many bytes its query has. That is more than the
/// 1,024 at which HAProxy cuts a line where `log` has no `len`.
pub const LONG: (&str, usize) = ("/long", 1500);

/// A request, and what the log must say of it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Absent for what is no request: `<BADREQ>`.
    pub method: Option<&'static str>,
    pub path: Option<&'static str>,
    pub query: Option<&'static str>,
    pub status: i64,
    pub termination_state: &'static str,
    /// The server has answered.
    pub has_response: bool,
    /// In a header of the request, and of the response if there is one.
    pub tenant: Option<&'static str>,
    /// Headers beside those that every request has, and the body; or all that is sent.
    rest: &'static str,
}

const ORDINARY: Asked = Asked {
    method: Some("GET"),
    path: None,
    query: None,
    status: 200,
    termination_state: "----",
    has_response: true,
    tenant: Some("north"),
    rest: "\r\n",
};

const NO_REQUEST: Asked = Asked {
    method: None,
    status: 400,
    has_response: false,
    tenant: None,
    ..ORDINARY
};

pub const REQUESTS: [Asked; 8] = [
    Asked {
        path: Some("/health"),
        ..ORDINARY
    },
    Asked {
        method: Some("POST"),
        path: Some("/v1/Cards"),
        query: Some("user=7&kind=a%20b"),
        status: 201,
        rest: "x-status: 201\r\nContent-Length: 11\r\n\r\nhello world",
        ..ORDINARY
    },
    Asked {
        path: Some("/missing"),
        query: Some(""),
        status: 404,
        tenant: Some(HOSTILE),
        rest: "x-status: 404\r\n\r\n",
        ..ORDINARY
    },
    Asked {
        path: Some("/broken'/a,b;c=d"),
        query: Some("x={y}|[z]&n=\\?&e=%C3%A9%22"),
        status: 500,
        rest: "x-status: 500\r\nx-size: 3000\r\n\r\n",
        ..ORDINARY
    },
    Asked {
        path: Some("/slow"),
        tenant: None,
        rest: "x-delay: 60\r\n\r\n",
        ..ORDINARY
    },
    Asked {
        path: Some("/dropped"),
        status: 502,
        termination_state: "SH--",
        has_response: false,
        rest: "x-drop: 1\r\n\r\n",
        ..ORDINARY
    },
    Asked {
        termination_state: "PR--",
        rest: "\u{1}\u{2} \"}{ nonsense\r\n\r\n",
        ..NO_REQUEST
    },
    // The client leaves in the middle.
    Asked {
        termination_state: "CR--",
        rest: "GET /gone HT",
        ..NO_REQUEST
    },
];

impl Asked {
    fn bytes(&self) -> String {
        let (Some(method), Some(path)) = (self.method, self.path) else {
            return self.rest.to_owned();
        };
        let query = self
            .query
            .map_or(String::new(), |query| format!("?{query}"));
        let tenant = self.tenant.map_or(String::new(), |tenant| {
            format!("X-Tenant: {tenant}\r\nX-Declared: {tenant}\r\nX-Echo: {tenant}\r\n")
        });
        format!(
            "{method} {path}{query} HTTP/1.1\r\nHost: It.Example\r\nConnection: close\r\n\
             X-Request-Id: id-{path}\r\nCookie: session={method}; other=1\r\n\
             Set-Cookie: session={status}\r\n{tenant}{}",
            self.rest,
            status = self.status,
        )
    }
}

/// What is left of the run.
pub struct Run {
    /// What HAProxy had in its environment.
    pub environment: Vec<(String, String)>,
    /// As they came over UDP.
    pub datagrams: Vec<Vec<u8>>,
    /// How many lines each frontend must have written.
    pub expected: BTreeMap<&'static str, u64>,
    /// What the running weir has counted: a rule's measure and the service, and its sum
    /// over all windows.
    pub counted: BTreeMap<(&'static str, String), f64>,
    /// `GET /v1/annotations/:stream`, by stream.
    pub annotations: BTreeMap<&'static str, Value>,
    /// The running weir's own counters.
    pub metrics: Metrics,
}

impl Run {
    /// The port of this frontend.
    pub fn port(&self, frontend: &str) -> u16 {
        address(&self.environment, frontend).port()
    }

    /// The datagrams as a file of lines.
    pub fn log(&self) -> Vec<u8> {
        let line = |datagram: &Vec<u8>| {
            let text = datagram.strip_suffix(b"\n").unwrap_or(datagram);
            assert!(!text.contains(&b'\n'), "a line feed in {datagram:?}");
            [text, b"\n"].concat()
        };
        self.datagrams.iter().flat_map(line).collect()
    }
}

/// Runs it all.
pub fn run() -> Run {
    let site = folder(&[
        ("haproxy.cfg", HAPROXY_CFG),
        ("weir.yaml", WEIR_YAML),
        ("rules.yaml", RULES),
    ]);
    certificate(site.path());
    let backend = Backend::start();
    let collector = Collector::start();
    let given = [("LOG_GIVEN".to_owned(), "%U".to_owned())];
    let mut weir = Weir::serve_in(site.path(), &given);
    let fixed = [
        ("COLLECTOR", collector.address().to_string()),
        ("SERVER", backend.address().to_string()),
        ("FOLDER", site.path().display().to_string()),
        ("WEIR_UDP", weir.address("udp").to_string()),
        ("WEIR_TCP", weir.address("tcp").to_string()),
    ];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value));
    let start = || {
        let ports = port_names().map(|name| (name.to_owned(), ports::free().to_string()));
        let environment: Vec<_> = given.iter().chain(&fixed).cloned().chain(ports).collect();
        let ready = address(&environment, "ready");
        haproxy::launch(&site.path().join("haproxy.cfg"), &environment, ready)
            .map(|process| (process, environment))
    };
    // A port that another program took in between is no failure.
    let mut started = start();
    for _ in 0..4 {
        started = started.or_else(|_| start());
    }
    let (haproxy, environment) =
        started.unwrap_or_else(|said| panic!("haproxy did not start in five tries:\n{said}"));

    let expected = drive(&environment);
    wait_for("every request to be in the log", SOON, || {
        let datagrams = collector.datagrams();
        let logged = datagrams.iter().filter(|line| !is_notice(line)).count() as u64;
        let all = expected.values().sum::<u64>();
        (logged == all)
            .then_some(())
            .ok_or_else(|| format!("{logged} of {all} lines"))
    });
    let base = weir.http();
    // A ring is not emptied when HAProxy stops.
    let over_tcp = expected["over-tcp-counted"] + expected["over-tcp-by-line"];
    wait_for("the rings to be empty", SOON, || {
        let received = Metrics::read(&base)?.sum("weir_lines_received_total", "\"tcp\"");
        (received >= over_tcp)
            .then_some(())
            .ok_or_else(|| format!("{received} of {over_tcp} lines"))
    });
    end(haproxy, site.path(), &collector);
    let counted = wait_for("every line to be counted", SOON, || {
        let counted = counted(&base)?;
        let all = expected.iter().all(|(service, lines)| {
            let found = counted.get(&("all.lines", service.to_string()));
            found.is_some_and(|found| *found >= *lines as f64)
        });
        all.then(|| counted.clone())
            .ok_or_else(|| format!("{counted:?}"))
    });
    let annotations = wait_for("every proxy's end to be marked", SOON, || {
        let annotations = annotations(&base)?;
        let marks = annotations.get("haproxy.proxy").map(Value::to_string);
        let marks = marks.unwrap_or_default();
        let mut over_udp = HTTP.iter().filter(|name| !name.starts_with("over-tcp"));
        let missing = over_udp.find(|name| !marks.contains(&format!("\"{name} stopped\"")));
        missing.map_or(Ok(annotations), |name| Err(format!("{name} in {marks}")))
    });
    let metrics = wait_for("every line to be settled", SOON, || {
        let metrics = Metrics::read(&base)?;
        let settled = metrics.sum("weir_events_total", "") + metrics.rejected();
        let received = metrics.received();
        (settled == received)
            .then_some(metrics)
            .ok_or_else(|| format!("{settled} of {received} lines"))
    });
    let ended = weir.terminate();
    assert_eq!(ended.code, Some(0), "weir's log:\n{}", ended.stderr);
    Run {
        environment,
        datagrams: collector.datagrams(),
        expected,
        counted,
        annotations,
        metrics,
    }
}

/// `openssl` makes a key and a certificate, in one file as HAProxy wants them.
fn certificate(folder: &Path) {
    let made = Command::new(program("openssl"))
        .args([
            "req",
            "-x509",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=it.example",
        ])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .output()
        .expect("openssl starts");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(
        made.status.success(),
        "openssl made no certificate:\n{said}"
    );
    let parts = ["cert.pem", "key.pem"].map(|name| super::read(&folder.join(name)));
    super::write(&folder.join("it.pem"), &parts.concat());
}

/// The variables of the file that are ports.
fn port_names() -> impl Iterator<Item = &'static str> {
    HAPROXY_CFG
        .split("${")
        .skip(1)
        .filter_map(|after| after.split('}').next())
        .filter(|name| name.starts_with("PORT_"))
}

/// Where this frontend listens.
fn address(environment: &[(String, String)], frontend: &str) -> SocketAddr {
    let name = format!("PORT_{}", frontend.to_ascii_uppercase().replace('-', "_"));
    let (_, port) = environment
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("no {name}"));
    format!("127.0.0.1:{port}").parse().expect("an address")
}

/// HAProxy's notices, told from lines of traffic by nothing that weir looks at: lines of
/// traffic have the address of a client.
fn is_notice(line: &[u8]) -> bool {
    !String::from_utf8_lossy(line).contains("127.0.0.1")
}

/// Asks every frontend and answers how many lines each must log for it.
fn drive(environment: &[(String, String)]) -> BTreeMap<&'static str, u64> {
    let mut expected = BTreeMap::new();
    std::thread::scope(|scope| {
        for frontend in HTTP.into_iter().chain(["connect"]) {
            let address = address(environment, frontend);
            expected.insert(frontend, REQUESTS.len() as u64);
            scope.spawn(move || {
                for asked in REQUESTS {
                    if asked.termination_state.starts_with('C') {
                        connect(address, asked.bytes().as_bytes());
                        continue;
                    }
                    let answer = answer(address, asked.bytes().as_bytes());
                    let status = format!("HTTP/1.1 {} ", asked.status);
                    assert!(
                        answer.starts_with(&status),
                        "{frontend}: {asked:?}: {answer}"
                    );
                }
            });
        }
        for frontend in TCP {
            let address = address(environment, frontend);
            expected.insert(frontend, SESSIONS as u64);
            scope.spawn(move || {
                for _ in 0..SESSIONS {
                    let answer = answer(address, REQUESTS[0].bytes().as_bytes());
                    assert!(answer.starts_with("HTTP/1.1 200 "), "{frontend}: {answer}");
                }
            });
        }
        for frontend in TLS {
            let address = address(environment, frontend);
            expected.insert(frontend, 1);
            scope.spawn(move || answer(address, b"longer than the head of a TLS record"));
        }
        let tls = address(environment, "httpslog-tls");
        scope.spawn(move || over_tls(tls));
        let (path, length) = LONG;
        let query = "q".repeat(length);
        let head = format!("GET {path}?{query} HTTP/1.1\r\nConnection: close\r\n\r\n");
        let answer = answer(address(environment, "httplog"), head.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    });
    *expected.entry("httplog").or_default() += 1;
    *expected.entry("httpslog").or_default() += OVER_TLS.len() as u64;
    // HAProxy writes it when it has a request.
    let without = REQUESTS.iter().filter(|asked| asked.method.is_none());
    *expected.entry("connect").or_default() -= without.count() as u64;
    expected
}

/// A connection on which this was sent.
fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("haproxy accepts");
    stream.set_read_timeout(Some(SOON)).expect("a timeout");
    stream.write_all(bytes).expect("haproxy reads");
    stream
}

/// All that comes back until the other side closes.
fn answer(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address, bytes);
    let mut answer = Vec::new();
    // A connection that is reset has ended too.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// [`OVER_TLS`] over one connection of HTTP/2.
fn over_tls(address: SocketAddr) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .danger_accept_invalid_certs(true)
        .resolve("it.example", address)
        .timeout(SOON)
        .build()
        .expect("an HTTP client");
    super::RUNTIME.block_on(async {
        for (target, status) in OVER_TLS {
            let url = format!("https://it.example:{}{target}", address.port());
            let answer = client
                .get(url)
                .header("x-status", status)
                .header("x-tenant", "north")
                .send()
                .await
                .expect("an answer over TLS");
            assert_eq!(answer.version(), reqwest::Version::HTTP_2);
            assert_eq!(i64::from(answer.status().as_u16()), status);
        }
    });
}

/// Lets HAProxy say something about its servers, and stops it.
fn end(haproxy: Process, folder: &Path, collector: &Collector) {
    let until_told = |what: &str| {
        wait_for(&format!("{what:?} in the log"), SOON, || {
            let datagrams = collector.datagrams();
            let told = |datagram: &Vec<u8>| String::from_utf8_lossy(datagram).contains(what);
            datagrams.iter().any(told).then_some(()).ok_or_else(|| {
                let notices = datagrams.iter().filter(|datagram| is_notice(datagram));
                notices
                    .map(|datagram| String::from_utf8_lossy(datagram))
                    .collect()
            })
        });
    };
    until_told("backend watched has no server available");
    for (command, told) in [
        (
            "set server watched/gone state maint",
            "Server watched/gone was DOWN",
        ),
        (
            "set server sessions/one state drain",
            "Server sessions/one enters drain state",
        ),
        (
            "set server sessions/one state ready",
            "(leaving forced drain)",
        ),
    ] {
        let mut socket = UnixStream::connect(folder.join("stats.sock")).expect("the socket");
        socket
            .write_all(format!("{command}\n").as_bytes())
            .expect("haproxy reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("haproxy answers");
        assert_eq!(answer.trim(), "", "{command}");
        until_told(told);
    }
    // The soft stop, which tells of every proxy.
    haproxy.signal("USR1");
    let ended = haproxy.wait(SOON);
    assert_eq!(ended.code, Some(0), "haproxy's output:\n{}", ended.stderr);
}

/// What the rules' counts come to.
fn counted(base: &str) -> Result<BTreeMap<(&'static str, String), f64>, String> {
    let from = super::now_millis() / 1000 - 600;
    let mut counted = BTreeMap::new();
    for name in [
        "all.lines",
        "all.status",
        "tenant.lines",
        "custom.lines",
        "custom.ports",
    ] {
        let url = format!("{base}/v1/measurements/{name}?resolution=1&start_time={from}&tags=*");
        let answer = http::get(&url)?;
        if answer.status == 404 {
            continue;
        }
        let body: Value = serde_json::from_str(&answer.body).map_err(|e| e.to_string())?;
        for series in body["series"].as_array().ok_or(answer.body)? {
            let points = series["measurements"].as_array().expect("points");
            let values = points.iter().map(|point| point["value"].as_f64());
            let sum = values.sum::<Option<f64>>().expect("numbers");
            let service = series["tags"]["service"].as_str().unwrap_or_default();
            counted.insert((name, service.to_owned()), sum);
        }
    }
    Ok(counted)
}

fn annotations(base: &str) -> Result<BTreeMap<&'static str, Value>, String> {
    let from = super::now_millis() / 1000 - 600;
    let mut streams = BTreeMap::new();
    for stream in [
        "haproxy.server",
        "haproxy.backend",
        "haproxy.proxy",
        "haproxy.message",
    ] {
        let url = format!("{base}/v1/annotations/{stream}?start_time={from}");
        let answer = http::get(&url)?;
        if answer.status == 200 {
            let body = serde_json::from_str(&answer.body).map_err(|e| e.to_string())?;
            streams.insert(stream, body);
        }
    }
    Ok(streams)
}
