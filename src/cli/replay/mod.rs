//! `weir replay`: what the daemon would have computed of log files.

mod csv;
mod table;

use super::print::print;
use super::{Failure, load, reading};
use crate::replay::{self, Outcome, Plan, ReplayError};
use anyhow::Context;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const THREADS_MAX: usize = 1024;

#[derive(clap::Args)]
pub struct Arguments {
    /// Log files, plain or compressed by gzip or Zstandard, or `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// A rule file, or a folder of them [default: the configured ones, else the bundled ones]
    #[arg(long, value_name = "PATH")]
    rules: Option<PathBuf>,
    /// How many threads parse and evaluate [default: one for each core]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<NonZeroUsize>,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    reading: reading::Options,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: each rule's values over the whole log, for each of its groups
    Table,
    /// One object with every value of every window
    Json,
    /// A line for every value of every window
    Csv,
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.parse().ok();
    threads
        .filter(|threads: &NonZeroUsize| threads.get() <= THREADS_MAX)
        .ok_or_else(|| format!("choose 1 to {THREADS_MAX}"))
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = arguments.reading.config()?;
    let (formats, rules) = load::with_formats(&config, |names| match &arguments.rules {
        Some(path) => load::rules_of(slice::from_ref(path), &config, names),
        None => load::rules(&config, names),
    })?;
    let bytes = size(&arguments.files)?;
    let plan = Plan {
        rules: Arc::new(rules),
        formats: Arc::new(formats),
        timezone: config.haproxy.timezone.clone(),
        time: config.time,
        limits: config.limits,
        threads: match arguments.threads {
            Some(threads) => threads,
            None => {
                thread::available_parallelism().context("cannot tell how many cores there are")?
            }
        },
        whole: arguments.format == Format::Table,
    };
    let bytes_read = Arc::new(AtomicU64::new(0));
    let inputs = arguments.files.iter();
    let inputs = inputs.map(|path| replay::open(path, &bytes_read));
    let bar = bar(bytes);
    let outcome = replay::run(&plan, inputs, |lines| {
        let seconds = bar.elapsed().as_secs_f64().max(0.001);
        bar.set_message(format!("{:.0} lines/s", lines as f64 / seconds));
        bar.set_position(bytes_read.load(Ordering::Relaxed));
    });
    bar.finish_and_clear();
    print_as(arguments.format, &outcome.map_err(failure)?)
}

fn print_as(format: Format, outcome: &Outcome) -> Result<(), Failure> {
    let text = match format {
        Format::Table => table::table(outcome)?,
        Format::Csv => csv::csv(outcome),
        Format::Json => {
            let json = serde_json::to_string(outcome).context("cannot write the result as JSON")?;
            format!("{json}\n")
        }
    };
    print(&text)
}

fn failure(error: ReplayError) -> Failure {
    match error {
        ReplayError::Unreadable(error) => load::unreadable(error),
        ReplayError::TooManyPoints(error) => Failure::Input(format!("error: {error}")),
    }
}

/// How many bytes the files have; `None` where that cannot be told, as of a pipe. A file
/// that cannot be opened is better told now than after the hour that others take.
fn size(files: &[PathBuf]) -> Result<Option<u64>, Failure> {
    let mut bytes = Some(0);
    for path in files.iter().filter(|path| *path != Path::new("-")) {
        let unreadable = |source| {
            load::unreadable(replay::Unreadable {
                name: path.display().to_string(),
                source,
            })
        };
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if metadata.is_file() {
            File::open(path).map_err(unreadable)?;
            bytes = bytes.map(|bytes: u64| bytes.saturating_add(metadata.len()));
        } else {
            // To open and close a pipe would take its writer's reader away.
            bytes = None;
        }
    }
    let piped = files.iter().any(|path| path == Path::new("-"));
    Ok(bytes.filter(|_| !piped))
}

/// On standard error, if that is a terminal.
fn bar(bytes: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr());
    let style = match bytes {
        Some(_) => "{bar:30} {bytes} of {total_bytes}, {msg}, {eta} left",
        None => "{spinner} {bytes}, {msg}",
    };
    bar.with_style(ProgressStyle::with_template(style).expect("a template that is part of weir"))
}
