//! `weir replay`: from log files what the daemon would have computed.

use crate::support::line::httplog;
use crate::support::{Weir, folder};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;

/// 2026-03-01T00:00:00Z
const START: i64 = 1_772_323_200;

/// Half a minute of two services and some noise.
fn log() -> String {
    let mut log = String::new();
    for second in 0..30 {
        let end = (START + second) * 1000 + 250;
        let status = if second % 10 == 9 { 503 } else { 200 };
        log += &format!("{}\n", httplog("web", end, 10 + second as u32, status));
        if second % 5 == 0 {
            log += &format!("{}\n", httplog("api", end, 7, 200));
        }
    }
    log + "what is this?\n"
}

#[test]
fn json_is_one_object_and_the_same_whatever_it_is_read_from() {
    let log = log();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(log.as_bytes()).expect("a vector");
    let site = folder(&[("plain.log", &log)]);
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(site.path().join(name), bytes).expect("a file");
    };
    // The first bytes tell, not the name.
    write("zipped.log", &gzip.finish().expect("a vector"));
    write(
        "a.zst",
        &zstd::encode_all(log.as_bytes(), 1).expect("a vector"),
    );
    let json = |args: &[&str], input: &str| {
        let args = [&["replay", "--format", "json"], args].concat();
        let ended = Weir::fed(&args, Some(site.path()), input.as_bytes());
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{args:?}");
        ended.stdout
    };
    let plain = json(&["plain.log"], "");
    let object: Value = serde_json::from_str(&plain).expect("JSON");
    let head = ["lines", "parsed", "rejected", "from", "to"].map(|key| &object[key]);
    assert_eq!(
        head.map(Clone::clone),
        [
            json!(37),
            json!(36),
            json!({"not_traffic": 1}),
            json!(START),
            json!(START + 29)
        ]
    );
    let series = object["series"].as_array().expect("a list");
    let named = |name: &str, service: &str| {
        let tags = json!({ "service": service });
        let found = series
            .iter()
            .find(|series| series["name"] == name && series["tags"] == tags);
        found.unwrap_or_else(|| panic!("no {name} of {service}"))["points"].clone()
    };
    let points = |values: [f64; 3]| -> Value {
        let times = (0..).map(|window| START + 10 * window);
        let points = times.zip(values);
        points
            .map(|(time, value)| json!({ "time": time, "value": value }))
            .collect()
    };
    assert_eq!(named("http.rate", "web"), points([1.0, 1.0, 1.0]));
    assert_eq!(named("http.errors", "web"), points([0.1, 0.1, 0.1]));
    assert_eq!(named("http.p50", "web"), points([14.0, 24.0, 34.0]));
    assert_eq!(named("http.rate", "api"), points([0.2, 0.2, 0.2]));
    assert_eq!(series.len(), 10);

    for (args, input) in [
        (&["zipped.log"][..], ""),
        (&["a.zst"], ""),
        (&["-"], log.as_str()),
        (&["plain.log", "--threads", "1"], ""),
        (&["plain.log", "--threads", "5"], ""),
    ] {
        assert_eq!(json(args, input), plain, "{args:?}");
    }
}

#[test]
fn rules_and_formats_are_those_that_are_named() {
    let site = folder(&[
        (
            "a.log",
            "web 500 01/Mar/2026:00:00:00.000\nweb 200 01/Mar/2026:00:00:01.000\n",
        ),
        (
            "rules.yaml",
            "rules: [{ name: all, window: 1m, measure: { bad: ratio(status >= 500) } }]\n",
        ),
        ("haproxy.cfg", "frontend web\n  log-format \"%f %ST %tr\"\n"),
        (
            "weir.yaml",
            "haproxy: { timezone: Europe/Stockholm }\nrules: rules.yaml\n",
        ),
    ]);
    let csv = |args: &[&str]| {
        let args = [&["replay", "a.log", "--format", "csv"], args].concat();
        let ended = Weir::run(&args, Some(site.path()));
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{args:?}");
        ended.stdout.replace("\r\n", "\n")
    };
    let expected =
        |hours: i64| format!("time,series,value\n{},all.bad,0.5\n", START - hours * 3600);
    let named = ["--rules", "rules.yaml", "--log-format", "%f %ST %tr"];
    assert_eq!(csv(&named), expected(0));
    assert_eq!(
        csv(&["-c", "weir.yaml", "--haproxy-config", "haproxy.cfg"]),
        expected(1)
    );
}

#[test]
fn the_table_tells_people_of_the_whole() {
    let site = folder(&[("a.log", &log())]);
    let ended = Weir::run(&["replay", "a.log"], Some(site.path()));
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    insta::assert_snapshot!(ended.stdout, @r"
    2026-03-01T00:00:00Z to 2026-03-01T00:00:29Z (29s), all values over the whole log

    http
      service  events   rate  errors  p50  p95  p99
      web          30   1.03     10%   24   38   39
      api           6  0.207      0%    7    7    7

    37 lines: 36 parsed, 1 rejected (not_traffic 1)
    36 counted
    ");
}

#[test]
fn what_cannot_be_read_ends_it_with_its_name() {
    let site = folder(&[
        ("a.log", "a\n"),
        ("broken.gz", "\u{1f}"),
        (
            "rules.yaml",
            "rules: [{ name: a, measure: { b: cuont() } }]\n",
        ),
    ]);
    std::fs::write(site.path().join("broken.gz"), [0x1f, 0x8b, 8, 0]).expect("a file");
    for (args, told) in [
        (&["a.log", "nowhere.log"][..], "nowhere.log: cannot be read"),
        (&["a.log", "broken.gz"], "broken.gz: cannot be read"),
        (&["a.log", "."], ".: cannot be read"),
        (&["a.log", "--rules", "rules.yaml"], "rules.yaml:1:34"),
    ] {
        let ended = Weir::run(&[&["replay"], args].concat(), Some(site.path()));
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{args:?}");
        assert!(ended.stderr.contains(told), "{args:?}: {}", ended.stderr);
    }
    assert_eq!(Weir::run(&["replay"], None).code, Some(2));
}
