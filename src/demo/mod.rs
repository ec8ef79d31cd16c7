//! The demo's other side: a made-up HAProxy that writes to a real syslog socket.

pub mod traffic;

use crate::clock;
use crate::haproxy::{Formats, config};
use crate::source::{Problem, Source};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use traffic::Traffic;

/// Lines go out this often, a slice of the second's at a time.
const SLICE: Duration = Duration::from_millis(100);

/// The demo looks the same each time.
const SEED: u64 = 2026;

/// What the demo's HAProxy is configured with.
const HAPROXY_CFG: &str = include_str!("haproxy.cfg");

/// The formats of the demo's lines.
///
/// # Errors
///
/// When the file that is built in is wrong, which a test rules out.
pub fn formats() -> Result<Formats, Vec<Problem>> {
    let source = Source::new("haproxy.cfg", HAPROXY_CFG);
    Formats::of_config(&config::read(&source, &|_| None)?)
}

/// Sends traffic over TCP, for ever.
///
/// # Errors
///
/// When the connection cannot be made or breaks.
pub async fn send(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let mut traffic = Traffic::new(SEED);
    let began = clock::now();
    let mut lines = String::new();
    let mut slice = tokio::time::interval(SLICE);
    loop {
        slice.tick().await;
        let now = clock::now();
        let seconds = now.saturating_since(began).as_secs();
        lines.clear();
        traffic.write(now, seconds, SLICE.as_secs_f64(), &mut lines);
        stream.write_all(lines.as_bytes()).await?;
    }
}
