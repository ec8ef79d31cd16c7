//! `weir parse`, `weir explain` and `weir fields`: what weir makes of lines, seen without
//! a daemon.

use crate::support::line::httplog;
use crate::support::process::Ended;
use crate::support::{Weir, folder, read};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// 2026-03-01T00:00:00.010Z
const END: i64 = 1_772_323_200_010;

/// What a line is printed as, in short.
fn kinds(ended: &Ended) -> Vec<String> {
    let short = |object: Value| match object.get("reject") {
        Some(reject) => format!("reject {}", reject.as_str().expect("a reason")),
        None => format!("{} {}", object["kind"], object["service"]).replace('"', ""),
    };
    ended.objects().into_iter().map(short).collect()
}

#[test]
fn events_come_from_a_file_or_from_standard_input() {
    let log = format!(
        "{}\n{}",
        httplog("web", END, 35, 200),
        httplog("api", END, 1, 503)
    );
    let site = folder(&[("a.log", &log)]);
    for (args, input) in [
        (&["parse", "a.log"][..], ""),
        (&["parse", "-"], log.as_str()),
        (&["parse"], &log),
    ] {
        let ended = Weir::fed(args, Some(site.path()), input.as_bytes());
        assert_eq!(kinds(&ended), ["http web", "http api"], "{args:?}");
        assert_eq!(ended.stderr, "", "{args:?}");
    }
    let ended = Weir::fed(&["parse"], None, log.as_bytes());
    let expected = json!({
        "kind": "http", "service": "web", "process": "haproxy", "pid": 7,
        "client_ip": "127.0.0.1", "client_port": 40000,
        "request_date": "2026-02-28T23:59:59.975Z",
        "frontend": "web", "tls": false, "backend": "web", "server": "s1",
        "TR": 0, "Tw": 0, "Tc": 0, "Tr": 35, "Ta": 35, "partial": false,
        "status": 200, "bytes_read": 512, "termination_state": "----",
        "actconn": 1, "feconn": 1, "beconn": 0, "srv_conn": 0, "retries": 0,
        "redispatched": false, "srv_queue": 0, "backend_queue": 0,
        "method": "GET", "path": "/", "http_version": "HTTP/1.1",
        "request": "GET / HTTP/1.1",
    });
    assert_eq!(ended.objects()[0], expected);
}

#[test]
fn framing_says_where_a_frame_ends() {
    let line = httplog("web", END, 35, 200);
    let counted = format!("16 <13>two\nor\nthree{} {line}", line.len());
    for (framing, input, expected) in [
        ("lines", format!("{line}\r\n\n{line}"), &["http web"; 2][..]),
        (
            "lines",
            counted.replace(&line, ""),
            &["reject not_traffic"; 3],
        ),
        ("tcp", counted, &["reject not_traffic", "http web"]),
        ("tcp", format!("{line}\n\n{line}\n"), &["http web"; 2]),
        ("datagram", format!("{line}\n"), &["http web"]),
        ("datagram", "a\nb".to_owned(), &["reject not_traffic"]),
        ("datagram", String::new(), &["reject empty"]),
        ("datagram", " \n".to_owned(), &["reject empty"]),
        ("lines", String::new(), &[]),
    ] {
        let args = ["parse", "--envelope", "--framing", framing];
        let ended = Weir::fed(&args, None, input.as_bytes());
        assert_eq!(kinds(&ended), expected, "{framing}: {input:?}");
    }
}

#[test]
fn the_envelope_stands_beside_the_event() {
    let line = httplog("web", END, 35, 200);
    let text = line.split_once("]: ").expect("a tag").1;
    let frame = format!(
        "<134>1 2026-03-01T01:00:00.013+01:00 lb1 haproxy 7 - [a@1 x=\"q\\\"\\]\" y=\"\"] {text}\n\
         <6>disk: \u{fffd}full"
    );
    let ended = Weir::fed(&["parse", "--envelope"], None, frame.as_bytes());
    let objects = ended.objects();
    assert_eq!(objects[0]["host"], "lb1");
    assert_eq!(
        objects[0]["syslog"],
        json!({
            "protocol": "rfc5424", "facility": 16, "severity": 6,
            "timestamp": "2026-03-01T01:00:00.013+01:00",
            "host": "lb1", "app": "haproxy", "pid": "7",
            "structured_data": [["a@1", [["x", "q\"]"], ["y", ""]]]],
            "message": text,
        })
    );
    assert_eq!(objects[1]["reject"], "not_traffic");
    assert_eq!(objects[1]["syslog"]["severity"], 6);
}

#[test]
fn rejects_are_told_with_place_and_reason_and_can_be_kept() {
    let good = httplog("web", END, 35, 200);
    let bad = httplog("web", END, 35, 200).replace(" 512 ", " many ");
    let log = [
        good.as_bytes(),
        b"\n\nkernel: \xff\x1b[2J\n",
        bad.as_bytes(),
        b"\n",
    ]
    .concat();
    let site = folder(&[]);
    let args = ["parse", "-", "--rejects", "rejects.log"];
    let ended = Weir::fed(&args, Some(site.path()), &log);
    assert_eq!(kinds(&ended), ["http web"]);
    let told: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(told[0], r"-:3: not_traffic: kernel: \xff\u{1b}[2J");
    assert!(
        told[1].starts_with("-:4: malformed, cannot read `bytes_read` at byte "),
        "{told:?}"
    );
    assert_eq!(told[2], "2 of 3 lines rejected: 1 not_traffic, 1 malformed");
    assert_eq!(told.len(), 3, "{told:?}");

    let kept = std::fs::read(site.path().join("rejects.log")).expect("the rejects");
    let expected = [b"kernel: \xff\x1b[2J\n", bad.as_bytes(), b"\n"].concat();
    assert_eq!(kept, expected);
    let args = ["parse", "rejects.log", "--rejects", "again.log"];
    let again = Weir::run(&args, Some(site.path()));
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), ""));
    assert_eq!(
        std::fs::read(site.path().join("again.log")).expect("again"),
        expected
    );

    let args = ["parse", "rejects.log", "--rejects", "./rejects.log"];
    let refused = Weir::run(&args, Some(site.path()));
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: "), "{}", refused.stderr);
    assert!(!read(&site.path().join("again.log")).is_empty());
    assert_eq!(
        std::fs::read(site.path().join("rejects.log")).expect("kept"),
        expected
    );
}

#[test]
fn a_rejected_frame_of_several_lines_is_kept_as_one() {
    let site = folder(&[]);
    let args = ["parse", "--framing", "tcp", "--rejects", "rejects.log"];
    let stream = b"13 <13>two\nlines<13>one\n";
    for _ in 0..2 {
        let ended = Weir::fed(&args, Some(site.path()), stream);
        assert_eq!(ended.code, Some(0));
        assert!(
            ended
                .stderr
                .contains("-: frame 1: not_traffic: two\\nlines\n"),
            "{}",
            ended.stderr
        );
        let kept = read(&site.path().join("rejects.log"));
        assert_eq!(kept, "13 <13>two\nlines\n<13>one\n");
    }
}

#[test]
fn a_line_over_the_limit_is_cut_and_told() {
    let site = folder(&[("weir.yaml", "limits: { line_bytes: 256 }\n")]);
    let long = httplog("web", END, 35, 200).replace("GET /", &format!("GET /{}", "a".repeat(200)));
    let log = format!("{long}\n{}\n", httplog("api", END, 1, 200));
    let ended = Weir::fed(
        &["parse", "-c", "weir.yaml"],
        Some(site.path()),
        log.as_bytes(),
    );
    assert_eq!(kinds(&ended), ["http web", "http api"]);
    assert!(
        ended
            .stderr
            .contains("1 of 2 lines cut: longer than 256 bytes"),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_configuration_s_zone_and_service_hold() {
    let config = "haproxy: { timezone: Europe/Stockholm, service: 'backend + \"\"' }\n";
    let wrong = folder(&[("weir.yaml", config)]);
    let config = "haproxy: { timezone: Europe/Stockholm, service: server }\n";
    let site = folder(&[("weir.yaml", config)]);
    let line = httplog("web", END, 35, 200);
    let args = ["parse", "--envelope", "-c", "weir.yaml"];
    let ended = Weir::fed(&args, Some(site.path()), line.as_bytes());
    let object = ended.objects().remove(0);
    assert_eq!(object["service"], "s1");
    assert_eq!(object["request_date"], "2026-02-28T22:59:59.975Z");
    let ended = Weir::fed(&args, Some(wrong.path()), line.as_bytes());
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("weir.yaml:1:"), "{}", ended.stderr);
}

#[test]
fn a_folder_is_no_log() {
    let site = folder(&[]);
    let ended = Weir::run(&["parse", "."], Some(site.path()));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(".: cannot be read"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    // Far more than a pipe holds.
    let log = format!("{}\n", httplog("web", END, 35, 200)).repeat(20_000);
    let site = folder(&[("a.log", &log)]);
    let mut weir = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["parse", "a.log"])
        .current_dir(site.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("weir starts");
    let mut stdout = BufReader::new(weir.stdout.take().expect("stdout is piped"));
    let mut first = String::new();
    stdout.read_line(&mut first).expect("a line");
    drop(stdout);
    let ended = weir.wait_with_output().expect("weir ends");
    assert!(first.starts_with(r#"{"kind":"http""#), "{first}");
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn explain_tells_of_each_layer_the_rules_and_their_series() {
    let rules = "rules:\n  - name: calls\n    where: status >= 500\n    by: [service]\n    \
                 measure: { rate: rate(), p95: \"percentile(Tr, 95)\" }\n";
    let site = folder(&[("rules.yaml", rules), ("weir.yaml", "rules: rules.yaml\n")]);
    let line = httplog("web", END, 35, 503);
    let args = ["explain", &line, "-c", "weir.yaml"];
    let told = Weir::run(&args, Some(site.path()));
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    for part in [
        "rfc3164",
        "16 (local0)",
        "kind http",
        "%ST  503",
        "`calls` of rules.yaml matches",
        "calls.rate{service=\"web\"}  00:00:00  +1",
        "calls.p95{service=\"web\"}   00:00:00  sample 35 ms",
    ] {
        assert!(
            told.stdout.contains(part),
            "no {part:?} in\n{}",
            told.stdout
        );
    }
    let args = ["explain", "-c", "weir.yaml", "-"];
    let input = format!("\n{line}\nanother line\n");
    let from_stdin = Weir::fed(&args, Some(site.path()), input.as_bytes());
    assert_eq!(from_stdin.stdout, told.stdout);
    let args = ["explain", &httplog("web", END, 35, 200), "-c", "weir.yaml"];
    let told = Weir::run(&args, Some(site.path()));
    let part = "`calls` of rules.yaml does not match\n    status >= 500\n";
    assert!(told.stdout.contains(part), "{}", told.stdout);
}

#[test]
fn fields_lists_the_keys_of_events_in_their_order() {
    let ended = Weir::run(&["fields"], None);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let names: Vec<&str> = ended
        .stdout
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let parsed = Weir::fed(&["parse"], None, httplog("web", END, 35, 200).as_bytes());
    let mut last = 0;
    for (key, _) in keys(&parsed.stdout) {
        let place = names.iter().position(|name| *name == key);
        let place = place.unwrap_or_else(|| panic!("no {key} in {names:?}"));
        assert!(place >= last, "{key} is out of order");
        last = place;
    }
}

/// An object's keys as printed, which a map that sorts would not tell.
fn keys(line: &str) -> Vec<(String, usize)> {
    let object: Value = serde_json::from_str(line).expect("an object");
    let object = object.as_object().expect("an object");
    let place = |key: &String| line.find(&format!("\"{key}\":")).expect("the key");
    let mut keys: Vec<_> = object.keys().map(|key| (key.clone(), place(key))).collect();
    keys.sort_by_key(|(_, place)| *place);
    keys
}
