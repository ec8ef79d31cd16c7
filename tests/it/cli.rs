//! What goes wrong at the command line: each a message that names the thing, the
//! place and the remedy, and the documented exit code.

use crate::support::http;
use crate::support::line::{Sender, httplog};
use crate::support::process::Ended;
use crate::support::{Weir, folder, now_millis, ports, wait_for, write};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::time::Duration;

const INPUT_IS_WRONG: Option<i32> = Some(1);
const USAGE_IS_WRONG: Option<i32> = Some(2);
const FAILED: Option<i32> = Some(3);

const RULES: &str = r#"rules:
  - name: http
    where: kind == "http"
    by: [service]
    window: 1s
    measure: { count: count() }
"#;

const BAD_RULES: &str = r#"rules:
  - name: slow
    where: kind == "http" && stauts >= 500
    by: [service]
    window: 10s
    measure:
      p95: percentile(frontend, 95)
"#;

#[test]
fn check_accepts_what_is_right() {
    let site = folder(&[
        ("rules.yaml", RULES),
        ("haproxy.cfg", "frontend www\n  log-format \"%f %ST\"\n"),
        (
            "weir.yaml",
            "rules: rules.yaml\nhaproxy: { config: haproxy.cfg }\n",
        ),
    ]);
    let ended = Weir::run(&["check", "-c", "weir.yaml"], Some(site.path()));
    assert_eq!(ended.code, Some(0), "{}", printed(&ended));
    assert_eq!(
        ended.stdout,
        "haproxy.cfg: fine\nrules.yaml: fine\n1 rule in 1 file\n"
    );
}

#[test]
fn a_bad_rule_file_is_refused_with_every_problem_and_its_place() {
    let site = folder(&[
        ("rules.yaml", BAD_RULES),
        (
            "weir.yaml",
            "listen: [{ protocol: tcp, address: \"127.0.0.1:0\" }]\nrules: rules.yaml\n\
             state: state\nhttp: { address: \"127.0.0.1:0\" }\n",
        ),
    ]);
    for args in [
        &["check", "-c", "weir.yaml"][..],
        &["check", "rules.yaml"],
        &["serve", "-c", "weir.yaml"],
    ] {
        let ended = Weir::run(args, Some(site.path()));
        let printed = printed(&ended);
        assert_eq!(ended.code, INPUT_IS_WRONG, "{args:?}: {printed}");
        for (line, word) in [(3, "stauts"), (7, "frontend")] {
            let source = BAD_RULES.lines().nth(line - 1).expect("a line");
            let column = source.find(word).expect("the word") + 1;
            let place = format!("rules.yaml:{line}:{column}");
            assert!(
                printed.contains(&place),
                "{args:?}: no {place} in {printed}"
            );
            let source = source.trim();
            assert!(
                printed.contains(source),
                "{args:?}: no source {source:?} in {printed}"
            );
        }
        assert!(printed.contains("`status`"), "no suggestion in {printed}");
        assert!(
            !printed.contains("listening"),
            "it bound a socket: {printed}"
        );
    }
}

#[test]
fn a_wrong_key_in_the_configuration_is_named_with_its_place() {
    for (config, key, right, place) in [
        (
            "rules: rules.yaml\nlisten_on: []\n",
            "listen_on",
            "listen",
            "weir.yaml:2:1",
        ),
        (
            "limits:\n  line_byte: 4096\n",
            "line_byte",
            "line_bytes",
            "weir.yaml:2:3",
        ),
        (
            "sinks:\n  librato:\n    uri: \"http://127.0.0.1:1\"\n",
            "uri",
            "url",
            "weir.yaml:3:5",
        ),
    ] {
        let site = folder(&[("rules.yaml", RULES), ("weir.yaml", config)]);
        for command in ["check", "serve"] {
            let ended = Weir::run(&[command, "-c", "weir.yaml"], Some(site.path()));
            let printed = printed(&ended);
            assert_eq!(ended.code, INPUT_IS_WRONG, "{command}: {printed}");
            for word in [key, right, place] {
                assert!(
                    printed.contains(word),
                    "{command}: no {word:?} in {printed}"
                );
            }
        }
    }
}

#[test]
fn a_missing_file_is_named() {
    let site = folder(&[
        ("weir.yaml", "rules: elsewhere.yaml\n"),
        ("formats.yaml", "haproxy: { config: nowhere.cfg }\n"),
    ]);
    for (args, missing) in [
        (["serve", "-c", "nowhere.yaml"], "nowhere.yaml"),
        (["check", "-c", "nowhere.yaml"], "nowhere.yaml"),
        (["serve", "-c", "weir.yaml"], "elsewhere.yaml"),
        (["check", "-c", "weir.yaml"], "elsewhere.yaml"),
        (["serve", "-c", "formats.yaml"], "nowhere.cfg"),
        (["check", "-c", "formats.yaml"], "nowhere.cfg"),
        (["parse", "-c", "formats.yaml"], "nowhere.cfg"),
        (["parse", "--haproxy-config", "nowhere.cfg"], "nowhere.cfg"),
        (["parse", "--", "nowhere.log"], "nowhere.log"),
    ] {
        let ended = Weir::run(&args, Some(site.path()));
        let printed = printed(&ended);
        assert_eq!(ended.code, INPUT_IS_WRONG, "{args:?}: {printed}");
        assert!(printed.contains(missing), "{args:?}: {printed}");
    }
}

#[test]
fn check_names_what_is_wrong_with_the_formats_and_the_rules_at_once() {
    let site = folder(&[
        ("rules.yaml", BAD_RULES),
        (
            "weir.yaml",
            "rules: rules.yaml\nhaproxy: { config: nowhere.cfg }\n",
        ),
    ]);
    let ended = Weir::run(&["check", "-c", "weir.yaml"], Some(site.path()));
    assert_eq!(ended.code, INPUT_IS_WRONG, "{}", printed(&ended));
    for word in ["nowhere.cfg", "stauts", "frontend"] {
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
    }
}

#[test]
fn check_tells_the_problems_of_every_file_at_once() {
    let site = folder(&[
        ("rules.yaml", BAD_RULES),
        (
            "weir.yaml",
            "rules: rules.yaml\nlisen: []\nlimits: { series: 0 }\nhaproxy: { log_format: \"%zz\" }\n",
        ),
    ]);
    let ended = Weir::run(&["check", "-c", "weir.yaml"], Some(site.path()));
    assert_eq!(ended.code, INPUT_IS_WRONG, "{}", printed(&ended));
    for said in [
        "weir.yaml:2:1",
        "weir.yaml:3:19",
        "%zz",
        "rules.yaml:3:",
        "rules.yaml:7:",
    ] {
        assert!(ended.stderr.contains(said), "no {said} in {}", ended.stderr);
    }
}

#[test]
fn check_tells_editors_in_json() {
    let site = folder(&[
        ("rules.yaml", BAD_RULES),
        ("good.yaml", RULES),
        ("weir.yaml", "rules: rules.yaml\nlisen: []\n"),
    ]);
    let check = |args: &[&str]| {
        let args = [&["check", "--format", "json"], args].concat();
        let ended = Weir::run(&args, Some(site.path()));
        assert_eq!(ended.stderr, "", "{args:?}");
        let rows: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
        (ended.code, rows)
    };
    assert_eq!(check(&["good.yaml"]), (Some(0), serde_json::json!([])));
    let (code, rows) = check(&["-c", "weir.yaml"]);
    assert_eq!(code, INPUT_IS_WRONG);
    assert_eq!(
        rows[0],
        serde_json::json!({
            "file": "weir.yaml",
            "line": 2,
            "column": 1,
            "end_line": 2,
            "end_column": 6,
            "severity": "error",
            "message": "unknown key `lisen`",
            "hint": "did you mean `listen`?",
        })
    );
    let row = &rows[1];
    assert_eq!(
        (&row["file"], &row["line"]),
        (&"rules.yaml".into(), &3.into())
    );
    assert!(row["rule"].is_string(), "{row}");
    let (code, rows) = check(&["nowhere.yaml"]);
    assert_eq!(code, INPUT_IS_WRONG);
    assert_eq!(rows[0]["file"], "nowhere.yaml");
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
}

#[test]
fn schemas_are_printed() {
    for args in [
        &["schema"][..],
        &["schema", "rules"],
        &["schema", "config"],
        &["schema", "tests"],
    ] {
        let ended = Weir::run(args, None);
        assert_eq!(ended.code, Some(0), "{}", printed(&ended));
        let schema: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    for args in [
        &[][..],
        &["serve", "--nonsense"],
        &["no-such-command"],
        &["librato", "--listen"],
        &["parse", "--framing", "relp"],
        &["parse", "--log-format", "%ci", "--haproxy-config", "a.cfg"],
        &["explain"],
        &["fields", "kind"],
    ] {
        let ended = Weir::run(args, None);
        assert_eq!(ended.code, USAGE_IS_WRONG, "{args:?}: {}", printed(&ended));
        assert!(
            ended.stderr.contains("--help"),
            "{args:?}: {}",
            ended.stderr
        );
    }
}

#[test]
fn every_command_in_the_help_has_help_of_its_own() {
    let ended = Weir::run(&["--help"], None);
    assert_eq!(ended.code, Some(0), "{}", printed(&ended));
    let commands: Vec<&str> = ended
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    for expected in [
        "demo", "serve", "check", "parse", "explain", "fields", "librato",
    ] {
        assert!(
            commands.contains(&expected),
            "no {expected} in {commands:?}"
        );
    }
    for command in commands {
        let ended = Weir::run(&[command, "--help"], None);
        assert_eq!(ended.code, Some(0), "{command}: {}", printed(&ended));
    }
}

#[test]
fn an_occupied_port_is_named_with_what_to_do() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a TCP socket");
    let tcp = (tcp.local_addr().expect("it is bound").to_string(), tcp);
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    let udp = (udp.local_addr().expect("it is bound").to_string(), udp);
    let free = "127.0.0.1:0";
    for (occupied, protocol, listen, page) in [
        (&tcp.0, "tcp", tcp.0.as_str(), free),
        (&udp.0, "udp", udp.0.as_str(), free),
        (&tcp.0, "tcp", free, tcp.0.as_str()),
    ] {
        let config = format!(
            "listen: [{{ protocol: {protocol}, address: \"{listen}\" }}]\n\
             http: {{ address: \"{page}\" }}\nstate: state\n"
        );
        let site = folder(&[("weir.yaml", &config)]);
        refused(&["serve", "-c", "weir.yaml"], site.path(), occupied);
    }
    let site = folder(&[]);
    refused(
        &["librato", "--listen", &tcp.0, "--data", "data"],
        site.path(),
        &tcp.0,
    );
    refused(&["demo", "--http", &tcp.0], site.path(), &tcp.0);
}

fn refused(args: &[&str], site: &Path, occupied: &str) {
    let ended = Weir::run(args, Some(site));
    let printed = printed(&ended);
    assert_eq!(ended.code, FAILED, "{args:?}: {printed}");
    for word in [occupied, "in use", "hint"] {
        assert!(printed.contains(word), "{args:?}: no {word:?} in {printed}");
    }
}

#[test]
fn an_unreachable_sink_is_reported_and_gets_all_once_it_is_up() {
    let site = folder(&[("rules.yaml", RULES)]);
    let port = ports::free();
    let sink = format!("http://127.0.0.1:{port}");
    let config = format!(
        "listen: [{{ protocol: tcp, address: \"127.0.0.1:0\" }}]\nrules: rules.yaml\n\
         state: state\nhttp: {{ address: \"127.0.0.1:0\" }}\n\
         sinks:\n  librato: {{ url: \"{sink}\", api: measurements }}\n"
    );
    write(&site.path().join("weir.yaml"), &config);
    let mut weir = Weir::serve(site.path());
    let base = weir.http();
    let status = |path: &str| http::get(&format!("{base}{path}")).map(|answer| answer.status);

    let now = now_millis();
    let mut sender = Sender::connect(weir.address("tcp"));
    for _ in 0..50 {
        sender.send(&httplog("users", now, 5, 200));
    }
    wait_for(
        "/readyz to say 503",
        Duration::from_secs(20),
        || match status("/readyz")? {
            503 => Ok(()),
            other => Err(format!("it says {other}")),
        },
    );
    assert_eq!(status("/healthz"), Ok(200), "it is alive all the same");
    assert!(weir.is_running(), "it has ended");
    let log = weir.log();
    assert!(log.contains(&sink), "no {sink} in its log:\n{log}");

    let receiver = Weir::librato(port, &site.path().join("received"));
    let window = now.div_euclid(1000);
    wait_for("the lines to be delivered", Duration::from_secs(60), || {
        let got = http::by_service(&sink, "http.count", window - 60, window + 60)?;
        let count = got.get("users").and_then(|points| points.get(&window));
        (count == Some(&50.0))
            .then_some(())
            .ok_or(format!("{got:?}"))
    });
    wait_for(
        "/readyz to say 200",
        Duration::from_secs(20),
        || match status("/readyz")? {
            200 => Ok(()),
            other => Err(format!("it says {other}")),
        },
    );
    let ended = weir.terminate();
    assert_eq!(ended.code, Some(0), "weir's log:\n{}", ended.stderr);
    receiver.kill();
}

fn printed(ended: &Ended) -> String {
    format!("{}{}", ended.stdout, ended.stderr)
}

#[test]
fn a_token_that_is_not_set_is_named() {
    let ended = Weir::run(
        &[
            "librato",
            "--listen",
            "127.0.0.1:0",
            "--token-env",
            "NO_SUCH_TOKEN",
        ],
        None,
    );
    assert_eq!(ended.code, INPUT_IS_WRONG, "{}", printed(&ended));
    assert!(ended.stderr.contains("`NO_SUCH_TOKEN`"), "{}", ended.stderr);
}
