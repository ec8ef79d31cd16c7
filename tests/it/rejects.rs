//! Rejected lines are written whole, and the file can be replayed.

use crate::support::http::{self, Metrics};
use crate::support::line::httplog;
use crate::support::{Weir, folder, now_millis, wait_for};
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tempfile::TempDir;
use weir::input::framing::Framer;

const CONFIG: &str = r#"listen:
  - { protocol: udp, address: "127.0.0.1:0" }
  - { protocol: tcp, address: "127.0.0.1:0" }
rejects: log/rejects.log
state: state
http: { address: "127.0.0.1:0" }
"#;

/// A folder with a configuration that writes rejected lines, and weir running in it.
fn start() -> (TempDir, Weir) {
    let site = folder(&[("weir.yaml", CONFIG)]);
    std::fs::create_dir(site.path().join("log")).expect("a folder for the file");
    let weir = Weir::serve(site.path());
    (site, weir)
}

/// By reason, once so many lines are received and all of them are parsed or rejected.
fn counts(base: &str, received: u64) -> Vec<(&'static str, u64)> {
    wait_for("every line to be counted", Duration::from_secs(10), || {
        let metrics = Metrics::read(base)?;
        let seen = (metrics.received(), metrics.parsed() + metrics.rejected());
        if seen != (received, received) {
            return Err(format!("received and counted: {seen:?} of {received}"));
        }
        let reasons = ["ambiguous", "empty", "malformed", "not_traffic"];
        Ok(reasons
            .map(|reason| {
                let label = format!("reason=\"{reason}\"");
                (reason, metrics.sum("weir_lines_rejected_total", &label))
            })
            .into())
    })
}

/// The frames of a stream, sorted: workers finish in any order.
fn frames(stream: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let done = Framer::new(65_536).frames(stream, &mut found);
    assert_eq!(done, stream.len(), "no frame is unfinished");
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let mut frames: Vec<String> = found
        .iter()
        .map(|frame| text(&stream[frame.start..frame.end]))
        .collect();
    frames.sort();
    frames
}

#[test]
fn what_was_rejected_is_in_the_file_and_replays_to_the_same_reasons() {
    let good = httplog("users", now_millis(), 12, 200);
    let cut_off = good.split(" users/s1").next().expect("a beginning");
    let two_lines = good.replace(" 200 ", " 2\n00 ");
    let datagrams = [
        cut_off,
        "<134>",
        "<134>Nov 21 10:00:00 haproxy[1]: no line of HAProxy's",
        "neither a priority\nnor one line",
        "9 <134>counted, but not by weir",
    ];
    let counted = [two_lines.as_str(), "<134>one\n\n<134>two"];

    let (site, mut weir) = start();
    let base = weir.http();
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    for text in datagrams.iter().chain([&&*good]) {
        let sent = udp.send_to(text.as_bytes(), weir.address("udp"));
        sent.expect("loopback");
    }
    let mut tcp = TcpStream::connect(weir.address("tcp")).expect("a connection");
    for text in counted.iter().chain([&&*good]) {
        write!(tcp, "{} {text}", text.len()).expect("weir reads");
    }
    drop(tcp);
    let rejected = counts(&base, 9);
    let written = wait_for("the lines to be written", Duration::from_secs(10), || {
        let metrics = Metrics::read(&base)?;
        assert_eq!(metrics.sum("weir_rejects_unwritten_total", ""), 0);
        match metrics.sum("weir_rejects_written_total", "") {
            7 => Ok(7),
            written => Err(format!("{written} are")),
        }
    });
    let sum: u64 = rejected.iter().map(|(_, n)| n).sum();
    assert_eq!(sum, written);

    // This one is still with a worker when weir is told to stop.
    let last = "<134>the last one";
    let sent = udp.send_to(last.as_bytes(), weir.address("udp"));
    sent.expect("loopback");
    let ended = weir.terminate();
    assert_eq!(ended.code, Some(0), "weir's log:\n{}", ended.stderr);

    let path = site.path().join("log/rejects.log");
    let file = std::fs::read(&path).expect("the file");
    let mut expected: Vec<String> = datagrams
        .iter()
        .chain(&counted)
        .chain([&last])
        .map(|frame| frame.as_bytes().escape_ascii().to_string())
        .map(|frame| match &*frame {
            // What must be counted needs a priority.
            frame if frame.starts_with("neither") => format!("<13>{frame}"),
            frame if frame.starts_with("9 ") => format!("<13>{frame}"),
            frame => frame.to_owned(),
        })
        .collect();
    expected.sort();
    assert_eq!(frames(&file), expected);
    let mode = std::fs::metadata(&path).expect("the file").permissions();
    assert_eq!(mode.mode() & 0o007, 0, "others may read it");

    let (_again, mut weir) = start();
    let base = weir.http();
    let mut tcp = TcpStream::connect(weir.address("tcp")).expect("a connection");
    tcp.write_all(&file).expect("weir reads");
    drop(tcp);
    let replayed = counts(&base, 8);
    let with_the_last: Vec<_> = rejected
        .into_iter()
        .map(|(reason, n)| (reason, n + u64::from(reason == "not_traffic")))
        .collect();
    assert_eq!(replayed, with_the_last);
}

#[test]
fn a_file_that_cannot_be_made_is_told_at_the_start() {
    let site = folder(&[("weir.yaml", CONFIG)]);
    let ended = Weir::run(&["serve", "-c", "weir.yaml"], Some(site.path()));
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    for told in ["log/rejects.log", "No such file", "hint: `rejects:`"] {
        assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
    }
}

#[test]
fn while_the_file_cannot_be_written_lines_wait_for_it() {
    let (site, mut weir) = start();
    let base = weir.http();
    let folder = site.path().join("log");
    std::fs::remove_dir_all(&folder).expect("the folder is there");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    let line = "<134>not lost";
    let sent = udp.send_to(line.as_bytes(), weir.address("udp"));
    sent.expect("loopback");
    let file = |told: fn(&serde_json::Value) -> bool| {
        wait_for("the pipeline to tell it", Duration::from_secs(10), || {
            let pipeline = http::get_json(&format!("{base}/api/v1/pipeline"))?;
            let file = &pipeline["rejects_file"];
            told(file).then_some(()).ok_or(file.to_string())
        });
    };
    file(|file| file["queued"] == 1 && file["last_error"] != "");
    std::fs::create_dir(&folder).expect("a folder again");
    file(|file| file["written"] == 1 && file["queued"] == 0 && file["last_error"] == "");
    let written = std::fs::read_to_string(folder.join("rejects.log")).expect("the file");
    assert_eq!(written, format!("{line}\n"));
}
