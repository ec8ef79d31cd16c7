//! Any frame is a message: its text ends where the frame ends, its fields lie in the
//! frame, and its time can be asked for. Whoever reads lines of it one after the other, and
//! remembers their headers, reads the same.

#![no_main]

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use weir::syslog::{Reader, parse};
use weir::time::Timestamp;

static ZONES: LazyLock<[TimeZone; 2]> = LazyLock::new(|| {
    let stockholm = TimeZone::get("Europe/Stockholm").expect("time zones are built in");
    [TimeZone::UTC, stockholm]
});

/// 1970, a leap day, the end of a year, and the last second of the year 9999.
const REFERENCES: [i64; 4] = [0, 1_709_164_800, 1_798_761_599, 253_402_300_799];

fuzz_target!(|frame: &[u8]| {
    let message = parse(frame);
    assert!(frame.ends_with(message.text), "bytes of the text are lost");
    let fields = [
        message.timestamp,
        message.host,
        message.app,
        message.pid,
        message.msgid,
        message.structured_data,
        Some(message.text),
    ];
    let within = frame.as_ptr_range();
    for field in fields.into_iter().flatten().filter(|f| !f.is_empty()) {
        let field = field.as_ptr_range();
        assert!(within.start <= field.start && field.end <= within.end);
    }
    let mut reader = Reader::default();
    let mut messages = reader.messages();
    for line in frame.split(|&byte| byte == b'\n').chain([frame, frame]) {
        assert_eq!(*messages.read(line), parse(line));
    }
    for reference in REFERENCES {
        for zone in ZONES.iter() {
            message.time(Timestamp::from_secs(reference), zone);
        }
    }
});
