//! `weir replay`: from log files what the daemon would have computed.

use crate::page::Page;
use crate::support::line::httplog;
use crate::support::{Weir, folder, require, wait_for, write};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

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

    let row = |service: &str| {
        let services = object["services"].as_array().expect("a list");
        let found = services.iter().find(|row| row["service"] == service);
        found.unwrap_or_else(|| panic!("no {service}")).clone()
    };
    let web = row("web");
    let figures = ["kind", "requests", "errors", "p50", "max", "bytes"].map(|key| &web[key]);
    assert_eq!(
        figures.map(Clone::clone),
        [
            json!("http"),
            json!(30),
            json!(0.1),
            json!(24.0),
            json!(39.0),
            json!(30.0 * 512.0)
        ]
    );
    assert_eq!(object["samples"]["not_traffic"]["before"], "what is this?");
    assert_eq!(object["interrupted"], json!(false));

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
fn the_report_tells_people_of_each_service() {
    let site = folder(&[("a.log", &log())]);
    let ended = Weir::run(&["replay", "a.log"], Some(site.path()));
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    insta::assert_snapshot!(ended.stdout, @r"
    2026-03-01T00:00:00Z to 2026-03-01T00:00:29Z (29s), all values over the whole log

    HTTP requests by service; times are the server's (Tr)
      service  requests  per s  errors   p50   p95   p99   max  bytes
      web            30   1.03   10.0%  24ms  38ms  39ms  39ms   15kB
      api             6   0.21      0%   7ms   7ms   7ms   7ms  3.1kB
      all 2          36   1.24   8.33%                    39ms   18kB

    The slowest routes, by p95
      service  method  route  requests  per s  errors   p50   p95   p99   max  bytes
      web      GET     /            30   1.03   10.0%  24ms  38ms  39ms  39ms   15kB
      api      GET     /             6   0.21      0%   7ms   7ms   7ms   7ms  3.1kB

    37 lines: 36 parsed, 1 rejected (not_traffic 1)
    36 counted

    rejected as not_traffic, for example: neither a line of a known format nor a known message of HAProxy
      what is this?
    ");
}

#[test]
fn rules_have_tables_and_by_adds_the_report() {
    let site = folder(&[
        ("a.log", &log()),
        (
            "rules.yaml",
            "rules: [{ name: all, measure: { bad: ratio(status >= 500) } }]\n",
        ),
    ]);
    let run = |args: &[&str]| {
        let ended = Weir::run(&[&["replay", "a.log"], args].concat(), Some(site.path()));
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{args:?}");
        ended.stdout
    };
    let rules = run(&["--rules", "rules.yaml"]);
    assert!(
        rules.contains("\nall\n") && !rules.contains("requests"),
        "{rules}"
    );
    let both = run(&["--rules", "rules.yaml", "--by", "status"]);
    assert!(both.contains("\nall\n"), "{both}");
    let row = |text: &str, cells: &[&str]| {
        let found = text.lines().any(|line| {
            line.split_whitespace()
                .take(cells.len())
                .eq(cells.iter().copied())
        });
        assert!(found, "no {cells:?} in {text}");
    };
    row(&both, &["web", "503", "3", "0.10", "100%"]);
    row(&both, &["web", "200", "27"]);
    row(&run(&["--by", "server"]), &["api", "s1", "6"]);
    row(&run(&["--by", "route"]), &["web", "GET", "/", "30"]);
    let csv = run(&["--by", "status", "--format", "csv"]);
    assert!(
        csv.contains(",report.status.requests,web,503,1\r\n"),
        "{csv}"
    );
    let json: Value =
        serde_json::from_str(&run(&["--by", "status", "--format", "json"])).expect("JSON");
    assert_eq!(json["by"][0]["status"], "200");
    assert_eq!(json["by"][0]["requests"], 27);
}

#[test]
fn since_and_until_leave_out_the_rest() {
    let site = folder(&[
        ("a.log", &log()),
        ("weir.yaml", "haproxy: { timezone: Europe/Stockholm }\n"),
    ]);
    // What ends at 00:00:10.250 is in, what ends at 00:00:20.250 is not.
    for (args, from) in [
        (
            &[
                "--since",
                "2026-03-01T00:00:10Z",
                "--until",
                "2026-03-01T00:00:20.250Z",
            ][..],
            START + 10,
        ),
        (
            &[
                "--since",
                "01/Mar/2026:00:00:10",
                "--until",
                "2026-03-01 00:00:20",
            ],
            START + 10,
        ),
        (
            &[
                "-c",
                "weir.yaml",
                "--since",
                "2026-03-01 00:00:10",
                "--until",
                "2026-03-01T00:00:20",
            ],
            START + 10 - 3600,
        ),
    ] {
        let args = [&["replay", "a.log", "--format", "json"], args].concat();
        let ended = Weir::run(&args, Some(site.path()));
        let json: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        let account = ["lines", "parsed", "outside", "counted", "from", "to"];
        assert_eq!(
            account.map(|key| json[key].as_i64()),
            [37, 36, 24, 12, from, from + 9].map(Some),
            "{args:?}"
        );
    }
    for (args, told) in [
        (
            &["--since", "yesterday"][..],
            "--since: `yesterday` is no time",
        ),
        (
            &["--since", "2026-03-02", "--until", "2026-03-01"],
            "--until is not after --since",
        ),
    ] {
        let ended = Weir::run(&[&["replay", "a.log"], args].concat(), Some(site.path()));
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{args:?}");
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
}

/// A pipe at that path, whose writer need not be there.
fn pipe(path: &Path) {
    let made = Command::new("mkfifo")
        .arg(path)
        .status()
        .expect("mkfifo runs");
    assert!(made.success());
}

#[test]
fn interrupted_it_tells_what_it_has() {
    let site = folder(&[]);
    let path = site.path().join("live.log");
    pipe(&path);
    let args = ["replay", "--format", "json", "live.log"];
    let weir = Weir::start(&args, site.path());
    let mut writer = File::options().write(true).open(&path).expect("a reader");
    let line = format!("{}\n", httplog("web", START * 1000, 7, 200));
    let lines = 5_000;
    writer
        .write_all(line.repeat(lines).as_bytes())
        .expect("a reader");
    // A line that is not there yet to its end.
    writer.write_all(&line.as_bytes()[..60]).expect("a reader");
    // All but what a pipe can hold has been read.
    weir.signal("INT");
    let ended = weir.wait(Duration::from_secs(60));
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("interrupted: the result is of the"),
        "{}",
        ended.stderr
    );
    let json: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(json["interrupted"], json!(true));
    let read = json["lines"].as_u64().expect("a number");
    let held = 65_536 / line.len() as u64 + 1;
    assert!(
        (lines as u64 - held..=lines as u64).contains(&read),
        "{read}"
    );
    assert_eq!(
        (&json["parsed"], &json["services"][0]["requests"]),
        (&json!(read), &json!(read))
    );
    drop(writer);
}

#[test]
fn interrupted_twice_it_ends_at_once() {
    let site = folder(&[]);
    // Nobody opens it for writing: weir cannot even open it.
    pipe(&site.path().join("live.log"));
    let mut weir = Weir::start(&["replay", "live.log"], site.path());
    let catches_interrupts = |id: u32| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let caught = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))?;
        Some(u64::from_str_radix(caught.trim(), 16).ok()? & 0b10 != 0)
    };
    // Then all it still does is to open the file: interrupted before, it would end with a report.
    let sleeps = |id: u32| {
        let mut tasks = std::fs::read_dir(format!("/proc/{id}/task")).ok()?;
        tasks.try_fold(true, |sleeps, task| {
            let status = std::fs::read_to_string(task.ok()?.path().join("status")).ok()?;
            Some(sleeps && status.contains("State:\tS"))
        })
    };
    let soon = Duration::from_secs(60);
    wait_for("weir to wait for the file and for SIGINT", soon, || {
        let waits = catches_interrupts(weir.id()) == Some(true) && sleeps(weir.id()) == Some(true);
        waits.then_some(()).ok_or_else(String::new)
    });
    let status = wait_for("weir to end", soon, || {
        if let Some(status) = weir.exit_status() {
            return Ok(status);
        }
        weir.signal("INT");
        Err("it still runs".to_owned())
    });
    assert_eq!(status.code(), Some(3));
    assert_eq!(weir.stdout(), "");
}

#[test]
fn the_page_needs_nothing_else_and_sorts_by_a_click() {
    if !require(&["chromium", "chromedriver"]) {
        return;
    }
    let log =
        log() + "127.0.0.1:1 [01/Mar/2026:00:00:05.000] web web/s1 <script>alert(1)</script>\n";
    let site = folder(&[("a.log", &log)]);
    let ended = Weir::run(&["replay", "a.log", "--format", "html"], Some(site.path()));
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    for outside in ["http:", "https:", " src=", "@import", "url("] {
        assert!(!ended.stdout.contains(outside), "{outside}");
    }
    let file = site.path().join("report.html");
    write(&file, &ended.stdout);
    let page = Page::open(&format!("file://{}", file.display()), (1280, 800));
    let first = || page.text("#http tbody tr th");
    assert_eq!(page.text("h1"), "a.log");
    assert_eq!(first(), "web");
    assert!(page.text("#http tbody").contains("10.0%"));
    assert!(page.text("#routes tbody").contains("GET"));
    assert!(page.text("#lines").contains("2 rejected"));
    // It is a text, and no script.
    assert!(page.text("#lines").contains("<script>alert(1)</script>"));
    // The charts say the same as their tables.
    let drawn = page.ask("return [...document.querySelectorAll('figure')].map(f => [f.querySelectorAll('svg path.draw').length, f.querySelectorAll('tbody tr').length])");
    assert_eq!(drawn, json!([[2, 3], [3, 3], [1, 3]]));
    page.ask("document.querySelector('#http thead button').click()");
    assert_eq!(first(), "api");
    assert_eq!(
        page.ask("return document.documentElement.scrollWidth <= innerWidth"),
        json!(true)
    );
    page.assert_quiet_console();
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
