//! What the comparison drives weir with: logs, senders, and receivers to compare with.
//!
//! `benches/compare.sh` calls this program; `cargo bench --bench load --no-run` builds it.
//! Everything stays on loopback and ends by itself.

#[path = "../lines/mod.rs"]
mod lines;

mod datagrams;
mod diag;
mod generate;
mod process;
mod stream;
mod unread;

use clap::{Args, Parser, Subcommand};
use lines::{Lines, Settings};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use weir::clock;
use weir::time::Timestamp;

#[derive(Parser)]
#[command(name = "load", about = "Logs and load for benchmarks of weir")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes a log
    Generate {
        #[command(flatten)]
        log: Log,
        /// Standard output without it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Sends a log over one TCP connection, from memory, as fast as it is taken
    SendTcp {
        to: SocketAddr,
        #[command(flatten)]
        log: Log,
        /// Sends as time goes on instead, so many times faster
        #[arg(long, value_name = "TIMES")]
        faster: Option<u32>,
    },
    /// Sends datagrams at a rate
    SendUdp {
        to: SocketAddr,
        #[command(flatten)]
        log: Log,
        /// Datagrams a second; 0 is as fast as they can be sent
        #[arg(long, default_value_t = 200_000)]
        rate: u64,
        /// How many; the log is sent again from its beginning where it is shorter
        #[arg(long, default_value_t = 2_000_000)]
        datagrams: u64,
    },
    /// Receives datagrams and throws them away, until none comes for so long
    DiscardUdp {
        at: SocketAddr,
        /// What the kernel is asked to hold, in bytes
        #[arg(long, default_value_t = 4 * 1024 * 1024)]
        receive_buffer: usize,
        #[arg(long, value_parser = duration, default_value = "2s")]
        idle: Duration,
    },
    /// Sends a log over one TCP connection as time goes on, and tells how long what was sent
    /// stayed unread
    Unread {
        to: SocketAddr,
        #[command(flatten)]
        log: Log,
        /// What ends windows: how long they are
        #[arg(long, value_parser = duration, default_value = "10s")]
        window: Duration,
        /// Until when after a window's end it closes, at the latest
        #[arg(long, value_parser = duration, default_value = "4s")]
        closing: Duration,
    },
}

#[derive(Args)]
struct Log {
    #[arg(long, default_value_t = 1_000_000)]
    lines: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// When the first request ends: seconds since 1970, or `+8s`, so long from now
    #[arg(long, value_parser = start)]
    start: Option<Start>,
    /// How long after that the last one does
    #[arg(long, value_parser = duration, default_value = "1h")]
    span: Duration,
    /// So many services, equally busy, instead of the fifty that were recorded
    #[arg(long)]
    services: Option<u32>,
    /// Begins lines with their priority, as they are sent
    #[arg(long)]
    priority: bool,
}

#[derive(Clone, Copy)]
enum Start {
    At(Timestamp),
    FromNow(Duration),
}

impl Log {
    fn settings(&self) -> Settings {
        let of_default = Settings::default();
        Settings {
            lines: self.lines,
            seed: self.seed,
            start: match self.start {
                Some(Start::At(start)) => start,
                Some(Start::FromNow(ahead)) => clock::now() + ahead,
                None => of_default.start,
            },
            span: self.span,
            services: self.services,
            priority: self.priority,
        }
    }

    /// The whole log in memory, and where each line ends. One that is dated from now on is
    /// made again, with later dates, if it was not there by its start.
    fn in_memory(&self) -> (Vec<u8>, Vec<usize>) {
        let mut settings = self.settings();
        loop {
            let begun = Instant::now();
            let mut log = Lines::new(settings.clone());
            let (mut bytes, mut ends) = (Vec::new(), Vec::new());
            while log.write(&mut bytes) {
                ends.push(bytes.len());
            }
            match self.start {
                Some(Start::FromNow(_)) if clock::now() > settings.start => {
                    settings.start = clock::now() + begun.elapsed() * 2;
                }
                _ => {
                    println!("start {}", settings.start.as_secs());
                    return (bytes, ends);
                }
            }
        }
    }
}

fn start(text: &str) -> Result<Start, String> {
    if let Some(ahead) = text.strip_prefix('+') {
        return duration(ahead).map(Start::FromNow);
    }
    let seconds = text.parse().map(Timestamp::from_secs);
    seconds
        .map(Start::At)
        .map_err(|_| "seconds since 1970, or `+8s`".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|e| format!("{e}"))?;
    Duration::try_from(span).map_err(|_| "less than nothing".to_owned())
}

fn main() -> ExitCode {
    // Cargo starts all benchmarks, and has nothing to ask of this one.
    if std::env::args()
        .skip(1)
        .all(|argument| argument == "--bench")
    {
        println!("load: benches/compare.sh calls it; --help tells how");
        return ExitCode::SUCCESS;
    }
    let Arguments { command } = Arguments::parse();
    let done = match command {
        Command::Generate { log, out } => generate::run(log.settings(), out.as_deref()),
        Command::SendTcp { to, log, faster } => match faster {
            None => stream::send(to, &log.in_memory()),
            Some(faster) => stream::follow(to, log.settings(), faster),
        },
        Command::SendUdp {
            to,
            log,
            rate,
            datagrams,
        } => datagrams::send(to, &log.in_memory(), rate, datagrams),
        Command::DiscardUdp {
            at,
            receive_buffer,
            idle,
        } => datagrams::discard(at, receive_buffer, idle),
        Command::Unread {
            to,
            log,
            window,
            closing,
        } => unread::run(to, log.settings(), window, closing),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("load: {e:#}");
            ExitCode::FAILURE
        }
    }
}
