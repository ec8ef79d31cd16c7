//! `weir check`: says what is wrong with files, without running anything.

use super::{Failure, load as told, print};
use crate::clock;
use crate::config::{Config, Env, LogFormats};
use crate::haproxy::Formats;
use crate::load::{self, Wrong};
use crate::rules;
use crate::source::{Problem, Source};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Args)]
pub struct Arguments {
    /// The configuration to check [default: none, the bundled rules alone]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How to tell what is wrong: with the source, on standard error, or as one JSON array on
    /// standard output, for editors
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Rule files or folders to check instead of the configured ones
    #[arg(value_name = "RULES")]
    rules: Vec<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = arguments.config.as_deref();
    let (problems, fine) = check(config, &arguments.rules, &told::env);
    match (arguments.format, problems.is_empty()) {
        (Format::Text, true) => print::print(&fine),
        (Format::Text, false) => Err(Failure::Problems(problems)),
        (Format::Json, fine) => {
            print::print(&json(&problems)?)?;
            match fine {
                true => Ok(()),
                false => Err(Failure::Told),
            }
        }
    }
}

/// Everything that is wrong, and what to say where nothing is.
fn check(path: Option<&Path>, rules: &[PathBuf], env: Env<'_>) -> (Vec<Problem>, String) {
    let (config, mut problems) = config(path, env);
    let (wrong, warnings) = load::tls_problems(&config, clock::now());
    problems.extend(wrong);
    told::warn(&warnings);
    let formats = match load::formats(&config, env) {
        Ok((formats, warnings)) => {
            told::warn(&warnings);
            Some(formats)
        }
        Err(wrong) => {
            problems.extend(wrong.problems);
            None
        }
    };
    let names = formats.as_ref().map(Formats::names).unwrap_or_default();
    let (sources, unreadable) = rule_files(&config, rules);
    problems.extend(unreadable.problems);
    let mut fine = String::new();
    match load::compile(&sources, &config, &names) {
        Ok(rules) => {
            if let LogFormats::Haproxy(path) = &config.haproxy.formats {
                fine += &format!("{}: fine\n", path.display());
            }
            for file in rules.files() {
                fine += &format!("{file}: fine\n");
            }
            let files = counted(rules.files().len(), "file");
            fine += &format!("{} in {files}\n", counted(rules.len(), "rule"));
        }
        Err(wrong) => problems.extend(wrong.problems),
    }
    (in_order(problems), fine)
}

/// What is right in the configuration, so that the files that it names can be checked too.
fn config(path: Option<&Path>, env: Env<'_>) -> (Config, Vec<Problem>) {
    let Some(path) = path else {
        return (Config::default_for(env), Vec::new());
    };
    match Source::read(path) {
        Ok(source) => {
            let base = path.parent().unwrap_or(Path::new(""));
            Config::parse_all(&source, base, env)
        }
        Err(error) => {
            let wrong = Wrong::unreadable(error.path(), &error);
            (Config::default_for(env), wrong.problems)
        }
    }
}

/// Those that can be read.
fn rule_files(config: &Config, paths: &[PathBuf]) -> (Vec<Source>, Wrong) {
    let (mut sources, mut wrong) = (Vec::new(), Wrong::default());
    let read = match paths {
        [] => vec![load::rule_files(config)],
        paths => {
            let read = paths.iter().map(|path| {
                rules::read(path).map_err(|error| Wrong::unreadable(error.path(), &error))
            });
            read.collect()
        }
    };
    for read in read {
        match read {
            Ok(more) => sources.extend(more),
            Err(more) => wrong.problems.extend(more.problems),
        }
    }
    (sources, wrong)
}

/// By files, in the order in which they first come, and by lines.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    let mut files: Vec<Arc<str>> = Vec::new();
    for problem in &problems {
        if !files.contains(&problem.file) {
            files.push(Arc::clone(&problem.file));
        }
    }
    let file = |problem: &Problem| files.iter().position(|file| *file == problem.file);
    problems.sort_by_key(|problem| (file(problem), problem.line, problem.column));
    problems
}

/// A problem for editors: lines and columns count from 1, columns in characters; the end is
/// behind the last character.
#[derive(Serialize)]
struct Row<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    severity: &'static str,
    message: &'a str,
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
}

fn json(problems: &[Problem]) -> Result<String, serde_json::Error> {
    let rows = problems.iter().map(|problem| {
        let (end_line, end_column) = problem.end();
        Row {
            file: &problem.file,
            line: problem.line,
            column: problem.column,
            end_line,
            end_column,
            severity: "error",
            message: &problem.message,
            hint: problem.hint.as_deref(),
            rule: problem.rule.as_deref(),
        }
    });
    let mut text = serde_json::to_string_pretty(&rows.collect::<Vec<_>>())?;
    text.push('\n');
    Ok(text)
}

fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
