//! A log over one TCP connection.

use crate::lines::{Lines, Settings};
use crate::process::cpu_seconds;
use anyhow::{Context, Result};
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Between two writes.
const STEP: Duration = Duration::from_millis(5);

/// Sends a log as fast as it is taken.
pub fn send(to: SocketAddr, (bytes, ends): &(Vec<u8>, Vec<usize>)) -> Result<()> {
    let mut stream = connect(to)?;
    let (begun, cpu) = (Instant::now(), cpu_seconds()?);
    stream
        .write_all(bytes)
        .with_context(|| format!("cannot send to {to}"))?;
    stream.shutdown(Shutdown::Write)?;
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "sent {} bytes {} seconds {seconds:.3} rate {:.0} cpu {:.2}",
        ends.len(),
        bytes.len(),
        ends.len() as f64 / seconds,
        cpu_seconds()? - cpu,
    );
    Ok(())
}

/// Sends each line when it is due, so many times faster than its date says.
pub fn follow(to: SocketAddr, settings: Settings, faster: u32) -> Result<()> {
    let (lines, span) = (settings.lines, settings.span);
    let mut log = Lines::new(settings);
    let mut stream = connect(to)?;
    let (begun, mut sent) = (Instant::now(), 0);
    let mut bytes = Vec::new();
    while sent < lines {
        let passed = begun.elapsed().as_nanos() * u128::from(faster);
        let due = passed * u128::from(lines) / span.as_nanos().max(1);
        bytes.clear();
        while u128::from(sent) < due && log.write(&mut bytes) {
            sent += 1;
        }
        stream
            .write_all(&bytes)
            .with_context(|| format!("cannot send to {to}"))?;
        thread::sleep(STEP);
    }
    println!("sent {sent} seconds {:.1}", begun.elapsed().as_secs_f64());
    Ok(())
}

fn connect(to: SocketAddr) -> Result<TcpStream> {
    TcpStream::connect(to).with_context(|| format!("cannot connect to {to}"))
}
