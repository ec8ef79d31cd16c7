//! Streams as they come: in pieces, with both framings mixed, too long, not logs at
//! all. Each frame is counted once and disturbs no other.

use crate::support::http::Metrics;
use crate::support::line::httplog;
use crate::support::{Weir, folder, now_millis, wait_for, write};
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

const LINE_BYTES: usize = 1024;

#[test]
fn every_frame_is_counted_whatever_its_framing_and_size() {
    let site = folder(&[]);
    let config = format!(
        "listen:\n  - {{ protocol: udp, address: \"127.0.0.1:0\" }}\n  \
         - {{ protocol: tcp, address: \"127.0.0.1:0\" }}\n\
         state: state\nhttp: {{ address: \"127.0.0.1:0\" }}\nlimits: {{ line_bytes: {LINE_BYTES} }}\n"
    );
    write(&site.path().join("weir.yaml"), &config);
    let mut weir = Weir::serve(site.path());
    let base = weir.http();

    let line = httplog("users", now_millis(), 5, 200);
    let counted = |text: &str| format!("{} {text}", text.len());
    let endless = "x".repeat(3 * LINE_BYTES);
    // Each a frame: its bytes, and whether it is longer than a line may be.
    let frames = [
        (format!("{line}\n"), false),
        (counted(&line), false),
        (format!("{line}\r\n"), false),
        // rsyslog counts the line feed in, as part of the line.
        (counted(&format!("{line}\n")), false),
        (format!("{endless}\n"), true),
        (counted(&line), false),
        (counted(&endless), true),
        (format!("{line}\n"), false),
        ("not a log line\n".to_owned(), false),
        (counted("nor \u{1}\u{2} this\n"), false),
        (format!("{line}\n"), false),
    ];
    let traffic = frames.iter().filter(|(f, _)| f.contains(&line)).count() as u64;
    let cut = frames.iter().filter(|(_, long)| *long).count() as u64;
    let all: String = frames.iter().map(|(frame, _)| frame.as_str()).collect();

    // In one piece, in pieces that end anywhere, and with the client gone after
    // half a frame, which is none.
    let syslog = weir.address("tcp");
    let connect = || TcpStream::connect(syslog).expect("weir accepts");
    connect().write_all(all.as_bytes()).expect("weir reads");
    let mut pieces = connect();
    pieces.set_nodelay(true).expect("a TCP socket");
    for piece in all.as_bytes().chunks(37) {
        pieces.write_all(piece).expect("weir reads");
        std::thread::sleep(Duration::from_millis(1));
    }
    connect()
        .write_all(format!("{all}900 <134>half").as_bytes())
        .expect("weir reads");
    // Over UDP a datagram is a frame.
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    let datagrams = weir.address("udp");
    for text in [line.as_str(), "not a log line", endless.as_str()] {
        udp.send_to(text.as_bytes(), datagrams).expect("loopback");
    }

    let counts = wait_for("every frame", Duration::from_secs(10), || {
        let metrics = Metrics::read(&base)?;
        let by = |protocol: &str| {
            let label = format!("protocol=\"{protocol}\"");
            metrics.sum("weir_lines_received_total", &label)
        };
        let counts = (by("tcp"), by("udp"), metrics.parsed(), metrics.rejected());
        let settled = counts.2 + counts.3 == counts.0 + counts.1;
        let frames = 3 * frames.len() as u64;
        (counts.0 >= frames && counts.1 >= 3 && settled)
            .then_some(counts)
            .ok_or_else(|| format!("tcp, udp, parsed, rejected: {counts:?} of {frames} and 3"))
    });
    let (tcp, udp, parsed, rejected) = counts;
    // The half frame may count as a line that is none; the whole ones count once.
    let whole = 3 * frames.len() as u64;
    assert!(tcp == whole || tcp == whole + 1, "{tcp} of {whole} frames");
    assert_eq!(udp, 3);
    assert_eq!(parsed, 3 * traffic + 1, "lines of traffic");
    assert_eq!(rejected, tcp + udp - parsed);
    let metrics = Metrics::read(&base).expect("/metrics");
    assert_eq!(metrics.sum("weir_frames_cut_total", ""), 3 * cut + 1);
}
