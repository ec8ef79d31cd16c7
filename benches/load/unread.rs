//! How long what was sent stays unread, while windows close.
//!
//! The log goes over one TCP connection as time goes on. Again and again the kernel is asked how
//! many bytes weir has read. So it is known which one comes next, and since when it should have
//! been read: since its line was due. A sender that has to wait itself, because others compute,
//! does not count: its lines were not due.

use crate::diag::Diag;
use crate::lines::{Lines, Settings};
use anyhow::{Context, Result, ensure};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};
use weir::clock;
use weir::time::Timestamp;

/// Between two looks.
const STEP: Duration = Duration::from_millis(1);

pub fn run(to: SocketAddr, settings: Settings, window: Duration, closing: Duration) -> Result<()> {
    ensure!(!window.is_zero(), "--window is more than nothing");
    let (lines, start, span) = (settings.lines, settings.start, settings.span);
    let stream = TcpStream::connect(to).with_context(|| format!("cannot connect to {to}"))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut feed = Feed {
        diag: Diag::new(stream.peer_addr()?, stream.local_addr()?)?,
        stream,
        pending: Vec::new(),
        due: 0,
        dues: VecDeque::new(),
    };
    let mut log = Lines::new(settings);
    let (begun, mut sent) = (Instant::now(), 0);
    let mut ages = Ages::default();
    while sent < lines || feed.due > feed.diag.read()? {
        let now = begun.elapsed();
        let due = now.as_nanos() * u128::from(lines) / span.as_nanos().max(1);
        let mut more = Vec::new();
        while u128::from(sent) < due && log.write(&mut more) {
            sent += 1;
        }
        feed.send(&more)
            .with_context(|| format!("cannot send to {to}"))?;
        ages.note(
            feed.age()?,
            is_closing(clock::now(), start, window, closing),
        );
        thread::sleep(STEP);
    }
    println!(
        "sent {lines} bytes {} seconds {:.1}",
        feed.due,
        begun.elapsed().as_secs_f64()
    );
    print("closing", &mut ages.closing);
    print("otherwise", &mut ages.otherwise);
    Ok(())
}

/// Bytes on their way.
struct Feed {
    stream: TcpStream,
    diag: Diag,
    /// What there was no room for.
    pending: Vec<u8>,
    /// How many bytes were due so far.
    due: u64,
    /// Since when those behind so many bytes were due, for what was not read yet.
    dues: VecDeque<(u64, Instant)>,
}

impl Feed {
    fn send(&mut self, more: &[u8]) -> io::Result<()> {
        if !more.is_empty() {
            self.dues.push_back((self.due, Instant::now()));
            self.due += more.len() as u64;
            self.pending.extend_from_slice(more);
        }
        while !self.pending.is_empty() {
            match self.stream.write(&self.pending) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => drop(self.pending.drain(..written)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// How long the first byte that is not read has been due.
    fn age(&mut self) -> Result<Duration> {
        let read = self.diag.read()?;
        while self.dues.get(1).is_some_and(|(from, _)| *from <= read) {
            self.dues.pop_front();
        }
        Ok(match self.dues.front() {
            Some((_, since)) if read < self.due => since.elapsed(),
            _ => Duration::ZERO,
        })
    }
}

/// Whether a window that has something in it ended a short time ago.
fn is_closing(now: Timestamp, start: Timestamp, window: Duration, closing: Duration) -> bool {
    let ended = now.floor(window);
    ended > start && now.saturating_since(ended) < closing
}

#[derive(Default)]
struct Ages {
    closing: Vec<Duration>,
    otherwise: Vec<Duration>,
}

impl Ages {
    fn note(&mut self, age: Duration, closing: bool) {
        let ages = if closing {
            &mut self.closing
        } else {
            &mut self.otherwise
        };
        ages.push(age);
    }
}

fn print(what: &str, ages: &mut [Duration]) {
    ages.sort_unstable();
    let millis = |per_mille: usize| {
        let at = (ages.len() * per_mille / 1000).min(ages.len().saturating_sub(1));
        ages.get(at).map_or(0.0, |age| age.as_secs_f64() * 1000.0)
    };
    println!(
        "{what} looks {} p50 {:.2} p99 {:.2} p999 {:.2} max {:.2}",
        ages.len(),
        millis(500),
        millis(990),
        millis(999),
        millis(1000)
    );
}
