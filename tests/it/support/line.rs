//! Log lines of the present, written by the tests themselves where HAProxy is
//! not what is being tested.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

/// One `option httplog` line in HAProxy's own syslog form, without an end: a
/// request that ended at `end` (milliseconds since 1970, UTC) after `response` ms.
pub fn httplog(service: &str, end: i64, response: u32, status: u16) -> String {
    httplog_of(service, end, response, status, 512)
}

/// The same of a response of this size.
pub fn httplog_of(service: &str, end: i64, response: u32, status: u16, bytes: u64) -> String {
    let start = jiff::Timestamp::from_millisecond(end - i64::from(response)).expect("a date");
    format!(
        "<134>{} haproxy[7]: 127.0.0.1:40000 [{}] {service} {service}/s1 \
         0/0/0/{response}/{response} {status} {bytes} - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"",
        start.strftime("%b %e %H:%M:%S"),
        start.strftime("%d/%b/%Y:%H:%M:%S.%3f"),
    )
}

/// A syslog connection to weir, newline-framed.
pub struct Sender(TcpStream);

impl Sender {
    pub fn connect(address: SocketAddr) -> Sender {
        let stream = TcpStream::connect(address)
            .unwrap_or_else(|e| panic!("cannot connect to weir at {address}: {e}"));
        Sender(stream)
    }

    pub fn send(&mut self, line: &str) {
        self.0
            .write_all(format!("{line}\n").as_bytes())
            .unwrap_or_else(|e| panic!("weir does not take a line any more: {e}"));
    }
}

#[test]
fn a_line_starts_its_response_time_before_its_end() {
    // 2026-03-01T00:00:00.010Z, so the start lies in February.
    let line = httplog("users", 1_772_323_200_010, 35, 200);
    assert!(
        line.starts_with(
            "<134>Feb 28 23:59:59 haproxy[7]: 127.0.0.1:40000 [28/Feb/2026:23:59:59.975] users users/s1 0/0/0/35/35 200 "
        ),
        "{line}"
    );
}
