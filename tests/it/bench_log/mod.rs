//! The log that the benchmarks multiply: real HAProxy writes it, any number of lines come
//! of it, always the same ones, and weir reads them all.
//!
//! `WEIR_RECORD_LINES` names a file to record the log to, anew; `just record-lines` sets it.

#[path = "../../../benches/lines/mod.rs"]
mod lines;
mod recorder;
mod services;

use crate::support::{Weir, asked, require};
use lines::{Lines, Settings};
use serde_json::Value;
use services::SERVICES;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_64;

/// What a benchmark's log consists of.
const RECORDED: usize = 5_000;

/// What is recorded where nobody wants to keep it.
const TRIED: usize = 600;

/// The level is slow and only for files that are kept.
const COMPRESSION: i32 = 19;

fn log(settings: Settings) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut lines = Lines::new(settings);
    while lines.write(&mut bytes) {}
    bytes
}

fn few() -> Settings {
    Settings {
        lines: 10_000,
        ..Settings::default()
    }
}

#[test]
fn real_haproxy_writes_a_log_for_benchmarks() {
    if !require(&["haproxy"]) {
        return;
    }
    let file: Option<PathBuf> = asked("WEIR_RECORD_LINES", "the name of a file");
    let count = if file.is_some() { RECORDED } else { TRIED };
    let log = recorder::record(count).join("\n") + "\n";

    let events = Weir::fed(&["parse", "-"], None, log.as_bytes()).objects();
    assert_eq!(events.len(), log.lines().count());
    let all = |field: &str| -> BTreeSet<String> {
        let values = events.iter().filter_map(|event| event.get(field));
        values
            .map(|value| value.to_string().trim_matches('"').to_owned())
            .collect()
    };
    assert_eq!(all("kind"), ["http".to_owned()].into());
    assert_eq!(all("frontend").len(), SERVICES);
    let has = |field: &str, wanted: &[&str]| {
        let values = all(field);
        for wanted in wanted {
            assert!(values.contains(*wanted), "no {wanted} in {values:?}");
        }
    };
    has(
        "status",
        &["200", "201", "404", "408", "500", "502", "503", "504"],
    );
    has(
        "termination_state",
        &[
            "----", "CD--", "CR--", "cR--", "PR--", "SC--", "SH--", "sH--",
        ],
    );
    has("redispatched", &["true"]);
    has("server", &["<NOSRV>"]);
    let queued = |event: &&Value| event["Tw"].as_i64() > Some(0);
    assert!(
        events.iter().any(|event| queued(&event)),
        "none waited for a server"
    );
    assert!(log.contains("\"<BADREQ>\""));

    if let Some(file) = file {
        let packed = zstd::encode_all(log.as_bytes(), COMPRESSION).expect("text can be packed");
        fs::write(&file, &packed).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        println!(
            "{} lines, {} bytes in {}",
            events.len(),
            packed.len(),
            file.display()
        );
    }
}

#[test]
fn the_same_settings_give_the_same_log() {
    let first = log(few());
    assert_eq!(first, log(few()));
    // In any build of weir: figures that were measured with it can be compared.
    assert_eq!(xxh3_64(&first), 0xb5d6_fbe3_b503_610d);
    assert_ne!(first, log(Settings { seed: 2, ..few() }));
}

#[test]
fn weir_reads_each_line_of_the_log_and_its_dates() {
    for (services, names) in [(None, SERVICES), (Some(7), 7)] {
        let log = log(Settings { services, ..few() });
        let args = ["replay", "-", "--format", "json"];
        let outcome = Weir::fed(&args, None, &log).objects().remove(0);
        assert_eq!(outcome["lines"], 10_000);
        assert_eq!(outcome["parsed"], 10_000);
        assert_eq!(outcome["rejected"], serde_json::json!({}));
        let start = Settings::default().start.as_secs();
        let series = outcome["series"].as_array().expect("series");
        let rates: Vec<&Value> = series.iter().filter(|s| s["name"] == "http.rate").collect();
        assert_eq!(rates.len(), names);
        // Each second of the hour has its lines.
        let mut per_window = std::collections::BTreeMap::<i64, f64>::new();
        for point in rates
            .iter()
            .flat_map(|s| s["points"].as_array().expect("points"))
        {
            let time = point["time"].as_i64().expect("a time");
            *per_window.entry(time).or_default() += 10.0 * point["value"].as_f64().expect("a rate");
        }
        let times: Vec<i64> = per_window.keys().copied().collect();
        let expected: Vec<i64> = (0..360).map(|n| start + 10 * n).collect();
        assert_eq!(times, expected);
        for (time, events) in per_window {
            assert!((27.0..=28.5).contains(&events), "{events} at {time}");
        }
    }
}
