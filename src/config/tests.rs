//! Each case is a file and what comes of it.

use super::*;

fn parse(text: &str) -> Result<Config, String> {
    let env = |name: &str| match name {
        "TOKEN" => Some("s3cret".into()),
        "EMAIL" => Some("me@example.com".into()),
        "BLANK" => Some("s3cret\n".into()),
        "HOME" => Some("/users/me".into()),
        _ => None,
    };
    let source = Source::new("weir.yaml", text);
    Config::parse(&source, Path::new("/etc/weir"), &env).map_err(|problems| {
        let rendered: Vec<String> = problems.iter().map(Problem::render).collect();
        rendered.join("\n\n")
    })
}

#[test]
fn an_empty_file_is_the_defaults() {
    let config = parse("").unwrap();
    let addresses: Vec<_> = config
        .listen
        .iter()
        .map(|l| (l.protocol, l.address))
        .collect();
    assert_eq!(
        addresses,
        [
            (Protocol::Udp, SYSLOG_ADDRESS),
            (Protocol::Tcp, SYSLOG_ADDRESS)
        ]
    );
    assert_eq!(config.state, Path::new("/users/me/.local/state/weir"));
    assert_eq!(config.retention, Duration::from_secs(86_400));
    assert!(config.sinks.store && config.sinks.prometheus && !config.sinks.stdout);
    assert!(config.sinks.librato.is_none() && config.http.token.is_none());
    assert_eq!(config.rejects, None);
}

#[test]
fn a_window_can_be_amended_as_long_as_it_is_open() {
    let time = parse("{ grace: 5s, amend_for: 0s }").unwrap().time;
    assert_eq!(
        (time.grace, time.amend_for),
        (Duration::from_secs(5), Duration::from_secs(5))
    );
}

#[test]
fn what_times_cannot_be() {
    let problems = parse("event_time: ended\ngrace: 6m\namend_for: 10\nexpire_after: -1h\n");
    insta::assert_snapshot!(problems.unwrap_err(), @r"
    weir.yaml:1:13: there is no event time `ended`
      |
    1 | event_time: ended
      |             ^^^^^

    hint: choose `end`, `start`, `syslog` or `received`

    weir.yaml:2:8: `6m` is out of range
      |
    2 | grace: 6m
      |        ^^

    hint: `grace` is 0s to 5m, such as `2s`

    weir.yaml:3:12: `10` is no length of time
      |
    3 | amend_for: 10
      |            ^^

    hint: `amend_for` is 0s to 24h, such as `10m`

    weir.yaml:4:15: `-1h` is no length of time
      |
    4 | expire_after: -1h
      |               ^^^

    hint: `expire_after` is 1m to 7d, such as `1h`
    ");
}

#[test]
fn time_zones_are_built_in() {
    // A small container has no database of its own.
    let built_in = jiff::tz::TimeZoneDatabase::bundled();
    let timezone = built_in.get("Europe/Stockholm").unwrap();
    assert_eq!(timezone.iana_name(), Some("Europe/Stockholm"));
}

#[test]
fn every_key_is_read() {
    let config = parse(
        r#"
listen:
  - { protocol: tcp, address: "0.0.0.0:601" }
haproxy:
  service: backend
  timezone: Europe/Stockholm
event_time: start
grace: 500ms
amend_for: 1h30m
expire_after: 7d
checkpoint_every: 500ms
rules: rules/
rejects: log/rejects.log
state: /srv/weir
sinks:
  librato: { url: "http://metrics.internal:8420", email_env: EMAIL, token_env: TOKEN, api: metrics, breaker: { timeout: 5s, failures: 2, attempt_after: 1m }, spool: 1GiB }
  prometheus: {}
  store: { retention: 6h }
  stdout: {}
http: { address: "[::1]:80", token_env: TOKEN, names: [Weir.example.com., weir-2] }
limits: { line_bytes: 8192, series: 500, connections: 7, memory: 512MiB }
"#,
    )
    .unwrap();
    assert_eq!(config.listen.len(), 1);
    assert_eq!(config.listen[0].address, "0.0.0.0:601".parse().unwrap());
    assert_eq!(config.haproxy.service.unwrap().text.value, "backend");
    assert_eq!(
        config.haproxy.timezone.iana_name(),
        Some("Europe/Stockholm")
    );
    let time = Time {
        event_time: EventTime::Start,
        grace: Duration::from_millis(500),
        amend_for: Duration::from_secs(5400),
        expire_after: Duration::from_secs(7 * 86_400),
        checkpoint_every: Duration::from_millis(500),
    };
    assert_eq!(config.time, time);
    assert_eq!(config.rules.as_deref(), Some(Path::new("/etc/weir/rules/")));
    assert_eq!(
        config.rejects.as_deref(),
        Some(Path::new("/etc/weir/log/rejects.log"))
    );
    assert_eq!(config.state, Path::new("/srv/weir"));
    let librato = config.sinks.librato.unwrap();
    assert_eq!(librato.url.as_str(), "http://metrics.internal:8420/");
    assert_eq!(librato.api, librato::Api::Metrics);
    let breaker = breaker::Settings {
        timeout: Duration::from_secs(5),
        failures: 2,
        attempt_after: Duration::from_secs(60),
    };
    assert_eq!((librato.breaker, librato.spool), (breaker, 1 << 30));
    assert_eq!(
        librato.credentials,
        Some(("me@example.com".into(), "s3cret".into()))
    );
    assert!(config.sinks.stdout && config.sinks.prometheus && config.sinks.store);
    assert_eq!(config.retention, Duration::from_secs(6 * 3600));
    assert_eq!(config.http.address, "[::1]:80".parse().unwrap());
    assert!(config.http.token.is_some());
    assert_eq!(config.http.names, ["weir.example.com", "weir-2"]);
    let limits = Limits {
        line_bytes: 8192,
        series: 500,
        connections: 7,
        connections_per_address: 256,
        idle: Duration::from_secs(600),
        memory: 512 << 20,
    };
    assert_eq!(config.limits, limits);
}

#[test]
fn every_key_is_documented() {
    let text = include_str!("../../docs/configuration.md");
    let (_, rest) = text.split_once("```yaml\n").unwrap();
    let (example, rest) = rest.split_once("```").unwrap();
    let (table, _) = rest.split_once("\n## ").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let rows: Vec<Vec<_>> = rows.map(|row| row.split(" | ").collect()).collect();
    for row in &rows {
        let [_, kind, default, meaning] = row[..] else {
            panic!("{row:?}");
        };
        assert!(
            [kind, default, meaning].iter().all(|cell| !cell.is_empty()),
            "{row:?}"
        );
    }
    for (path, keys) in file::known_keys() {
        let section = path.replace("/items", "[]").replace("/properties", "");
        let section = section.trim_start_matches('/').replace('/', ".");
        for key in keys {
            let name = match section.as_str() {
                "" => (*key).to_owned(),
                section => format!("{section}.{key}"),
            };
            // The keys of a section have the rows.
            let known = [
                format!("| `{name}`"),
                format!("| `{name}."),
                format!("| `{name}["),
            ];
            let told = rows
                .iter()
                .any(|row| known.iter().any(|known| row[0].starts_with(known)));
            assert!(told, "{name} has no row");
            assert!(
                example.contains(&format!("{key}:")),
                "{name} has no example"
            );
        }
    }
}

#[test]
fn formats_are_built_in_or_one_or_those_of_haproxy() {
    let formats = |text: &str| parse(text).unwrap().haproxy.formats;
    assert_eq!(formats(""), LogFormats::BuiltIn);
    assert_eq!(
        formats("haproxy: { config: etc/haproxy.cfg }"),
        LogFormats::Haproxy("/etc/weir/etc/haproxy.cfg".into())
    );
    let LogFormats::One(placed) = formats("haproxy: { log_format: \"%ci %s\" }") else {
        panic!("not the one format");
    };
    assert_eq!(placed.text.value, "%ci %s");
    assert_eq!(placed.source.text.get(placed.text.span), Some("\"%ci %s\""));
}

#[test]
fn sinks_are_those_that_are_named() {
    let config = parse("sinks: { stdout: {} }").unwrap();
    assert!(config.sinks.stdout && !config.sinks.store && !config.sinks.prometheus);
}

#[test]
fn a_token_alone_is_the_user() {
    let text = r#"sinks: { librato: { url: "http://a.example", token_env: TOKEN } }"#;
    let librato = parse(text).unwrap().sinks.librato.unwrap();
    assert_eq!(librato.credentials, Some(("s3cret".into(), String::new())));
}

#[test]
fn secrets_are_not_printed() {
    let text = r#"
sinks: { librato: { url: "http://a.example", token_env: TOKEN } }
http: { token_env: TOKEN }
"#;
    let printed = format!("{:?}", parse(text).unwrap());
    assert!(!printed.contains("s3cret"), "{printed}");
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_a_remedy() {
    for (text, place, about, hint) in [
        ("lisen: []", "weir.yaml:1:1", "lisen", "listen"),
        ("http:\n  adress: a", "weir.yaml:2:3", "adress", "address"),
        ("limits: { series: many }", "weir.yaml:1:19", "", ""),
        (
            "limits: { series: 0 }",
            "weir.yaml:1:19",
            "out of range",
            "choose 1 to",
        ),
        (
            "http:\n  address: localhost",
            "weir.yaml:2:12",
            "no address",
            "0.0.0.0:5140",
        ),
        (
            "haproxy: { timezone: Stockholm }",
            "weir.yaml:1:22",
            "`Stockholm`",
            "Europe/Stockholm",
        ),
        (
            "sinks: { store: { retention: 5 } }",
            "weir.yaml:1:30",
            "`5`",
            "24h",
        ),
        (
            "sinks: { librato: { url: nowhere } }",
            "weir.yaml:1:26",
            "`nowhere`",
            "http://",
        ),
        (
            "http: { token_env: NOPE }",
            "weir.yaml:1:20",
            "`NOPE` is not set",
            "environment",
        ),
        (
            "http: { names: [\"http://weir\"] }",
            "weir.yaml:1:17",
            "`http://weir` is no name of a host",
            "name alone",
        ),
        (
            "http: { token_env: BLANK }",
            "weir.yaml:1:20",
            "`BLANK` begins or ends with a blank",
            "openssl rand",
        ),
        (
            "listen: [{ protocol: tpc, address: \"a\" }]",
            "weir.yaml:1:22",
            "tpc",
            "",
        ),
        ("http: [", "weir.yaml:1", "", ""),
        (
            "haproxy:\n  config: haproxy.cfg\n  log_format: \"%ci\"",
            "weir.yaml:3:15",
            "`log_format` and `config`",
            "keep one",
        ),
    ] {
        let problem = parse(text).unwrap_err();
        for part in [place, about, hint] {
            assert!(problem.contains(part), "{part:?} is not in:\n{problem}");
        }
    }
}

#[test]
fn a_password_in_a_url_is_refused_and_not_shown() {
    for url in [
        "http://me:s3cret@a.example",
        "ftp://s3cret@a.example",
        "http://me:s3/cret@:a",
    ] {
        let text = format!("sinks: {{ librato: {{ url: \"{url}\" }} }}\nlimits: {{ series: 0 }}\n");
        let problem = parse(&text).unwrap_err();
        assert!(!problem.contains("cret"), "{problem}");
        assert_eq!(problem.matches("hint:").count(), 2, "{problem}");
    }
}

#[test]
fn all_wrong_values_are_named_at_once() {
    let text = "limits: { series: 0, connections: 0 }\nhaproxy: { timezone: Nowhere }";
    let problems = parse(text).unwrap_err();
    assert_eq!(problems.matches("hint:").count(), 3, "{problems}");
}

#[test]
fn a_breaker_and_a_spool_have_bounds() {
    let text = r#"
sinks:
  librato:
    url: "http://a.example"
    breaker: { timeout: 10m, failures: 0, attempt_after: soon, tries: 3 }
    spool: 5
"#;
    insta::assert_snapshot!(parse(text).unwrap_err(), @r"
    weir.yaml:5:25: `10m` is out of range
      |
    5 |     breaker: { timeout: 10m, failures: 0, attempt_after: soon, tries: 3 }
      |                         ^^^

    hint: `timeout` is 1s to 5m, such as `30s`

    weir.yaml:5:40: 0 is out of range
      |
    5 |     breaker: { timeout: 10m, failures: 0, attempt_after: soon, tries: 3 }
      |                                        ^

    hint: choose 1 to 1000

    weir.yaml:5:58: `soon` is no length of time
      |
    5 |     breaker: { timeout: 10m, failures: 0, attempt_after: soon, tries: 3 }
      |                                                          ^^^^

    hint: `attempt_after` is 1s to 1h, such as `30s`

    weir.yaml:5:64: unknown key `tries`
      |
    5 |     breaker: { timeout: 10m, failures: 0, attempt_after: soon, tries: 3 }
      |                                                                ^^^^^

    hint: the keys are `timeout`, `failures` and `attempt_after`

    weir.yaml:6:12: `5` is no number of bytes
      |
    6 |     spool: 5
      |            ^

    hint: `spool` is 1MiB to 16GiB, such as `256MiB`
    ");
    let text = r#"sinks: { librato: { url: "http://a.example", spool: 1KiB } }"#;
    let problem = parse(text).unwrap_err();
    assert!(problem.contains("`1KiB` is out of range"), "{problem}");
}

#[test]
fn keys_that_need_a_restart_are_told_apart() {
    let before = "haproxy: { service: backend }\nhttp: { token_env: TOKEN }\n";
    for (after, keys) in [
        (before, &[][..]),
        ("http: { token_env: TOKEN }\nrules: elsewhere/\n", &[]),
        (
            "http: { token_env: TOKEN }\nhaproxy: { config: haproxy.cfg }\n",
            &[],
        ),
        ("", &["http"]),
        ("http: { token_env: EMAIL }\n", &["http"]),
        (
            "listen: []\nhaproxy: { timezone: Europe/Stockholm }\nrejects: r.log\nstate: s\n\
             sinks: { store: { retention: 1h } }\nlimits: { series: 7 }\n",
            &[
                "listen",
                "haproxy.timezone",
                "rejects",
                "state",
                "sinks",
                "http",
                "limits",
            ],
        ),
    ] {
        let (before, after) = (parse(before).unwrap(), parse(after).unwrap());
        assert_eq!(before.fixed_keys_that_differ(&after), keys, "{after:?}");
    }
}

#[test]
fn what_a_listener_says_of_its_senders() {
    let listen = |keys: &str| {
        let text = format!("listen: [{{ address: \"[::]:6514\", {keys} }}]");
        parse(&text).unwrap().listen.remove(0)
    };
    let tcp = listen("protocol: tcp, allow: [10.0.0.0/8, 192.0.2.7, \"2001:db8::/32\"]");
    let networks: Vec<_> = tcp.allow.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]);
    assert_eq!(tcp.tls, None);
    let tls = listen("protocol: tls, cert: tls/a.pem, key: /keys/a.pem, client_ca: ca.pem");
    let tls = tls.tls.unwrap();
    let paths = [&tls.cert, &tls.key, tls.client_ca.as_ref().unwrap()].map(|file| &*file.path);
    let expected = ["/etc/weir/tls/a.pem", "/keys/a.pem", "/etc/weir/ca.pem"];
    assert_eq!(paths, expected.map(Path::new));
    assert_eq!(tls.cert.named.text.value, "tls/a.pem");
}

#[test]
fn what_a_listener_cannot_be() {
    let problems = parse(
        "listen:
- { protocol: tcp, address: \"a:1\", allow: [] }
- { protocol: udp, address: \"[::]:1\", allow: [10.0.0.0/33, host] }
- { protocol: tcp, address: \"[::]:1\", cert: a.pem, key: a.pem }
- { protocol: tls, address: \"[::]:1\" }
- { protocol: tls, address: \"[::]:1\", cert: a.pem }
limits: { idle: 1ms, connections_per_address: 0 }
",
    );
    insta::assert_snapshot!(problems.unwrap_err(), @r#"
    weir.yaml:2:29: `a:1` is no address
      |
    2 | - { protocol: tcp, address: "a:1", allow: [] }
      |                             ^^^^^

    hint: write address:port, such as `0.0.0.0:5140` or `[::]:5140`

    weir.yaml:2:43: an empty `allow` lets nobody in
      |
    2 | - { protocol: tcp, address: "a:1", allow: [] }
      |                                           ^

    hint: name the networks of the senders, such as `["10.0.0.0/8"]`; without the key everybody is let in

    weir.yaml:3:47: `10.0.0.0/33` is no network
      |
    3 | - { protocol: udp, address: "[::]:1", allow: [10.0.0.0/33, host] }
      |                                               ^^^^^^^^^^^

    hint: write an address, such as `192.0.2.7` or `2001:db8::7`, or a network, such as `10.0.0.0/8`

    weir.yaml:3:60: `host` is no network
      |
    3 | - { protocol: udp, address: "[::]:1", allow: [10.0.0.0/33, host] }
      |                                                            ^^^^

    hint: write an address, such as `192.0.2.7` or `2001:db8::7`, or a network, such as `10.0.0.0/8`

    weir.yaml:4:45: a certificate on a `tcp` socket would encrypt nothing
      |
    4 | - { protocol: tcp, address: "[::]:1", cert: a.pem, key: a.pem }
      |                                             ^^^^^

    hint: choose `protocol: tls`

    weir.yaml:5:29: TLS needs `cert` and `key`
      |
    5 | - { protocol: tls, address: "[::]:1" }
      |                             ^^^^^^^^

    hint: name two PEM files: `cert`, the certificate with those that lead to its root behind it, and `key`, its private key

    weir.yaml:6:45: TLS needs `key`
      |
    6 | - { protocol: tls, address: "[::]:1", cert: a.pem }
      |                                             ^^^^^

    hint: name two PEM files: `cert`, the certificate with those that lead to its root behind it, and `key`, its private key

    weir.yaml:7:17: `1ms` is out of range
      |
    7 | limits: { idle: 1ms, connections_per_address: 0 }
      |                 ^^^

    hint: `idle` is 1s to 7d, such as `10m`

    weir.yaml:7:47: 0 is out of range
      |
    7 | limits: { idle: 1ms, connections_per_address: 0 }
      |                                               ^

    hint: choose 1 to 100000
    "#);
}
