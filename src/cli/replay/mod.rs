//! `weir replay`: what the daemon would have computed of log files.

mod chart;
mod csv;
mod figures;
mod html;
mod interrupt;
mod json;
mod moment;
mod table;
mod text_report;

use super::print::{print, write};
use super::{Failure, load, reading};
use crate::replay::report::{self, By, Parts, Report};
use crate::replay::{self, Outcome, Plan, ReplayError, Span, Stop};
use crate::rules;
use anyhow::Context;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::tz::TimeZone;
use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const THREADS_MAX: usize = 1024;

#[derive(clap::Args)]
pub struct Arguments {
    /// Log files, plain or compressed by gzip or Zstandard, or `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// A rule file, or a folder of them [default: the configured ones, else a report; for the
    /// values in json and csv the bundled ones]
    #[arg(long, value_name = "PATH")]
    rules: Option<PathBuf>,
    /// How many threads parse and evaluate [default: one for each core]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<NonZeroUsize>,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Leave out what ended before: 2026-03-01T08:00:00Z, 2026-03-01 08:00 or 01/Mar/2026:08:00:00
    ///
    /// A time without an offset is in the configured time zone. Lines are told by the same time
    /// as they are counted by (`event_time`). Rejected lines have none and are always counted.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Leave out what ended then or later
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Break services down, in the report and, in json and csv, as series of their own
    #[arg(long, value_enum, value_name = "WHAT")]
    by: Option<By>,
    #[command(flatten)]
    reading: reading::Options,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a report per service; with rules, each rule's values over the whole log
    Table,
    /// One object with every value of every window, and the report
    Json,
    /// A line for every value of every window
    Csv,
    /// The report with charts, as one file for a browser
    Html,
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.parse().ok();
    threads
        .filter(|threads: &NonZeroUsize| threads.get() <= THREADS_MAX)
        .ok_or_else(|| format!("choose 1 to {THREADS_MAX}"))
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = arguments.reading.config()?;
    let span = arguments.span(&config.haproxy.timezone)?;
    let has_rules = arguments.rules.is_some() || config.rules.is_some();
    let (format, parts) = (arguments.format, arguments.parts());
    // Whoever has rules wants to know what they say, and lines of values have no report.
    let is_plain = !has_rules && format != Format::Csv;
    let has_report = is_plain || format == Format::Html || arguments.by.is_some();
    // What the daemon would say without rules is a value for each window; in a report for
    // people it has no place.
    let has_others = has_rules || matches!(format, Format::Json | Format::Csv);
    let (formats, rules) = load::with_formats(&config, |names| {
        let mut sources = match (&arguments.rules, has_others) {
            (Some(path), _) => rules::read(path).map_err(load::unreadable)?,
            (None, true) => load::rule_files(&config)?,
            (None, false) => Vec::new(),
        };
        if has_report {
            let windows = match format {
                Format::Table => report::Windows::Long,
                Format::Json | Format::Csv | Format::Html => report::Windows::Short,
            };
            sources.push(report::rules(parts, windows));
        }
        load::compile(&sources, &config, names)
    })?;
    let bytes = size(&arguments.files)?;
    let stop = Stop::default();
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
        whole: has_report || matches!(format, Format::Table | Format::Html),
        charted: report::charted(parts),
        span,
        stop: stop.clone(),
    };
    interrupt::watch(stop.clone())?;
    let bytes_read = Arc::new(AtomicU64::new(0));
    let inputs = arguments.files.iter();
    let inputs = inputs.map(|path| replay::open(path, &bytes_read, &stop));
    let bar = bar(bytes);
    let outcome = replay::run(&plan, inputs, |lines| {
        let seconds = bar.elapsed().as_secs_f64().max(0.001);
        bar.set_message(format!("{:.0} lines/s", lines as f64 / seconds));
        bar.set_position(bytes_read.load(Ordering::Relaxed));
    });
    bar.finish_and_clear();
    let mut outcome = outcome.map_err(failure)?;
    outcome
        .series
        .retain(|(series, _)| !report::is_of_services(&series.name));
    let report = has_report.then(|| Report::of(&outcome, parts));
    let names = arguments.files.iter();
    let names: Vec<_> = names.map(|path| path.display().to_string()).collect();
    print_as(format, &outcome, report.as_ref(), &names)?;
    match outcome.interrupted {
        false => Ok(()),
        true => Err(Failure::Run(anyhow::anyhow!(
            "interrupted: the result is of the {} lines that were read until then",
            outcome.lines
        ))),
    }
}

impl Arguments {
    fn parts(&self) -> Parts {
        let is_html = self.format == Format::Html;
        let is_short = self.format == Format::Table && self.by.is_none();
        Parts {
            by: self.by,
            routes: is_html || is_short,
            charts: is_html,
        }
    }

    fn span(&self, zone: &TimeZone) -> Result<Span, Failure> {
        let at = |name: &str, text: &Option<String>| {
            let at = text.as_ref().map(|text| {
                let at = moment::moment(text, zone);
                at.map_err(|hint| {
                    Failure::Input(format!(
                        "error: {name}: `{text}` is no time\n\nhint: {hint}"
                    ))
                })
            });
            at.transpose()
        };
        let span = Span {
            since: at("--since", &self.since)?,
            until: at("--until", &self.until)?,
        };
        match (span.since, span.until) {
            (Some(since), Some(until)) if since >= until => Err(Failure::Input(
                "error: --until is not after --since\n\nhint: nothing is in between".to_owned(),
            )),
            _ => Ok(span),
        }
    }
}

fn print_as(
    format: Format,
    outcome: &Outcome,
    report: Option<&Report>,
    files: &[String],
) -> Result<(), Failure> {
    let own = outcome.whole.iter();
    let rules: Vec<_> = own
        .filter(|table| !report::is_of_report(&table.rule))
        .collect();
    match format {
        Format::Table => print(&table::table(outcome, &rules, report)?),
        Format::Csv => write(|out| csv::csv(outcome, out)),
        Format::Json => write(|out| json::json(outcome, report, out)),
        Format::Html => {
            let none = Report::default();
            print(&html::html(
                outcome,
                &rules,
                report.unwrap_or(&none),
                files,
            )?)
        }
    }
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
        // As wide as the terminal leaves room for.
        Some(_) => "{wide_bar} {bytes} of {total_bytes}, {msg}, {eta} left",
        None => "{spinner} {bytes}, {msg}",
    };
    bar.with_style(ProgressStyle::with_template(style).expect("a template that is part of weir"))
}
