//! What the comparison drives weir with: logs, senders, and receivers to compare with.
//!
//! `benches/compare.sh` calls this program; `cargo bench --bench load --no-run` builds it.
//! Everything stays on loopback and ends by itself.

#[path = "../lines/mod.rs"]
mod lines;

mod datagrams;
mod generate;
mod process;
mod stream;
mod unread;

use clap::{Args, Parser, Subcommand};
use lines::Settings;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use weir::clock;
use weir::time::Timestamp;

#[derive(Parser)]
#[command(name = "load", about = "Logs and load for benchmarks of weir")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What cargo hands to each of its benchmarks
    #[arg(long, hide = true, global = true)]
    bench: bool,
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
    /// When the first request ends, in seconds since 1970, or `now`
    #[arg(long, value_parser = start)]
    start: Option<Timestamp>,
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

impl Log {
    fn settings(&self) -> Settings {
        let of_default = Settings::default();
        Settings {
            lines: self.lines,
            seed: self.seed,
            start: self.start.unwrap_or(of_default.start),
            span: self.span,
            services: self.services,
            priority: self.priority,
        }
    }
}

fn start(text: &str) -> Result<Timestamp, String> {
    if text == "now" {
        return Ok(clock::now());
    }
    let seconds = text.parse().map(Timestamp::from_secs);
    seconds.map_err(|_| "seconds since 1970, or `now`".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|e| format!("{e}"))?;
    Duration::try_from(span).map_err(|_| "less than nothing".to_owned())
}

fn main() -> ExitCode {
    let arguments = Arguments::try_parse_from(std::env::args_os());
    let Arguments { command, bench: _ } = match arguments {
        Ok(arguments) => arguments,
        Err(_) if std::env::args().skip(1).eq(["--bench".to_owned()]) => {
            println!("load: for benches/compare.sh, with nothing of its own to measure");
            return ExitCode::SUCCESS;
        }
        Err(e) => e.exit(),
    };
    let done = match command {
        Command::Generate { log, out } => generate::run(log.settings(), out.as_deref()),
        Command::SendTcp { to, log, faster } => match faster {
            None => stream::send(to, log.settings()),
            Some(faster) => stream::follow(to, log.settings(), faster),
        },
        Command::SendUdp {
            to,
            log,
            rate,
            datagrams,
        } => datagrams::send(to, log.settings(), rate, datagrams),
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
