//! The clients that people have, as they are in their registries, against `weir librato`
//! with a token. Their scripts and versions are in `clients/`.

use crate::support::process::Process;
use crate::support::{Weir, folder, http, now_millis, packages, ports, program, wait_for, write};
use serde_json::{Value, json};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const TOKEN: &str = "s3cret";
const TIME: Duration = Duration::from_secs(60);

#[test]
fn librato_metrics_from_pypi_works_unmodified() {
    python("librato_metrics.py");
}

#[test]
fn appoptics_metrics_from_pypi_works_unmodified() {
    python("appoptics.py");
}

#[test]
fn librato_node_from_npm_works_unmodified() {
    let Some(modules) = packages::node() else {
        return;
    };
    let mut node = Command::new(program("node"));
    node.arg(script("librato_node.js"))
        .env("NODE_PATH", modules.join("node_modules"));
    run(node, |base| {
        let rows = |name: &str| {
            let metric = get(base, &format!("/v1/metrics/node.{name}?count=1"));
            let mut measurements = metric["measurements"].clone();
            for row in measurements.as_object_mut().into_iter().flatten() {
                row.1[0]
                    .as_object_mut()
                    .expect("a row")
                    .remove("measure_time");
            }
            (metric["type"].clone(), measurements)
        };
        let counts =
            json!({"app": [{"value": 5.0, "count": 1}], "other": [{"value": 2.0, "count": 1}]});
        assert_eq!(rows("hits"), (json!("counter"), counts));
        let members = json!({"app": [{"value": 2001.0, "count": 1}]});
        assert_eq!(rows("members"), (json!("gauge"), members));
        let size = json!({"app": [{"value": 30.0, "count": 3, "sum": 90.0, "min": 10.0, "max": 60.0, "sum_squares": 4100.0}]});
        assert_eq!(rows("size"), (json!("gauge"), size));
        assert_eq!(rows("work").1["app"][0]["count"], 1);
        let agent = &get(base, "/v1/metrics/node.size")["attributes"]["created_by_ua"];
        assert_eq!(agent, "librato-node/5.0.6");
    });
}

#[test]
fn statsd_with_its_librato_backend_works_unmodified() {
    let Some(modules) = packages::node() else {
        return;
    };
    let site = folder(&[]);
    let mut receiver = Weir::librato_with_token(&site.path().join("data"), TOKEN);
    let base = &with_token(&receiver.http());
    let (port, management) = (ports::free(), ports::free());
    let config = json!({
        "address": "127.0.0.1", "port": port, "mgmt_address": "127.0.0.1", "mgmt_port": management,
        "flushInterval": 1000, "percentThreshold": [50], "backends": ["statsd-librato-backend"],
        // Else statsd takes away the `#` before a name's tags.
        "keyNameSanitize": false,
        "librato": {"email": "me@example.com", "token": TOKEN, "api": receiver.http(), "host": "lb-1"},
    });
    write(&site.path().join("statsd.json"), &config.to_string());
    // Another type than statsd will send: it must stop sending that name, and that alone.
    let clash = json!({"counters": [{"name": "clash", "value": 1}]});
    let answer = http::post(&format!("{base}/v1/metrics"), &clash).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);

    let mut command = Command::new(program("node"));
    command
        .arg("node_modules/statsd/stats.js")
        .arg(site.path().join("statsd.json"))
        .current_dir(modules);
    let statsd = Process::spawn("statsd", &mut command);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let send = |lines: &str| {
        let sent = socket.send_to(lines.as_bytes(), ("127.0.0.1", port));
        assert_eq!(sent.ok(), Some(lines.len()));
    };
    let start = now_millis() / 1000 - 10;
    let series = |name: &str, function: &str| -> Result<Vec<(Value, Vec<f64>)>, String> {
        let url = format!(
            "{base}/v1/measurements/{name}?resolution=1&start_time={start}&summary_function={function}"
        );
        let answer = http::get_json(&url)?;
        let series = answer["series"].as_array().expect("series").iter();
        let values = |one: &Value| -> Vec<f64> {
            let rows = one["measurements"].as_array().expect("rows").iter();
            rows.filter_map(|row| row["value"].as_f64()).collect()
        };
        Ok(series
            .map(|one| (one["tags"].clone(), values(one)))
            .collect())
    };
    let host = json!({"host": "lb-1"});
    wait_for("statsd to read", TIME, || {
        send("probe:1|g");
        series("probe", "mean").map(drop)
    });

    send("hits:3|c\nhits:4|c\nshop.carts#region=eu:5|c");
    send("work:10|ms\nwork:20|ms\nwork:60|ms\nwork:110|ms");
    send("depth:42|g");
    wait_for("all to arrive", TIME, || {
        // A counter is flushed as what it has counted since the last time; a flush may
        // have come between two datagrams.
        let total = |name: &str, tags: &Value| {
            let series = series(name, "sum")?;
            let (_, values) = (series.iter())
                .find(|(of, _)| of == tags)
                .ok_or_else(|| format!("{name} has {series:?}"))?;
            Ok::<f64, String>(values.iter().sum())
        };
        let depth = series("depth", "mean")?;
        let want = [7.0, 5.0, 200.0, 4.0];
        let counts = series("work", "count")?;
        let got = [
            total("hits", &host)?,
            total("shop.carts", &json!({"region": "eu"}))?,
            total("work", &host)?,
            counts.iter().flat_map(|(_, values)| values).sum(),
        ];
        let depth_is_there = depth
            .iter()
            .any(|(tags, values)| *tags == host && values.contains(&42.0));
        (got == want && depth_is_there)
            .then_some(())
            .ok_or_else(|| format!("{got:?}, depth {depth:?}"))
    });
    // The lower half of the values.
    let half = series("work.50", "sum").expect("the percentile");
    assert_eq!(half, [(host.clone(), vec![30.0])]);
    let slowest = series("work", "max").expect("the timer");
    assert_eq!(slowest, [(host.clone(), vec![110.0])]);

    // The first flush with it is refused as a whole; gauges are sent again each time.
    send("clash:1|g\nfine:2|g");
    wait_for("what came with a clash", TIME, || {
        series("fine", "mean").map(drop)
    });
    let kept = get(base, "/v1/metrics/clash?count=9");
    assert_eq!(
        kept["measurements"]["unassigned"].as_array().map(Vec::len),
        Some(1)
    );
    statsd.kill();
    receiver.kill();
}

/// Runs one of the scripts for Python, which look at what the receiver has by themselves.
fn python(name: &str) {
    let Some(modules) = packages::python() else {
        return;
    };
    let mut python = Command::new(program("python3"));
    python.arg(script(name)).env("PYTHONPATH", modules);
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    run(python, |_| {});
}

fn run(mut client: Command, look: impl FnOnce(&str)) {
    let site = folder(&[]);
    let mut receiver = Weir::librato_with_token(&site.path().join("data"), TOKEN);
    let base = receiver.http();
    let host = base.trim_start_matches("http://");
    client.env("WEIR_HOST", host).env("WEIR_TOKEN", TOKEN);
    let ended = Process::spawn("the client", &mut client).wait(TIME);
    let log = receiver.log();
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "done\n"),
        "{}\nweir's log:\n{log}",
        ended.stderr
    );
    look(&with_token(&base));
    receiver.kill();
}

fn script(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients");
    folder.join(name)
}

/// The address with the token as the password, as our own HTTP client sends it.
fn with_token(base: &str) -> String {
    base.replace("http://", &format!("http://me:{TOKEN}@"))
}

fn get(base: &str, path: &str) -> Value {
    http::get_json(&format!("{base}{path}")).unwrap_or_else(|e| panic!("{e}"))
}
