//! Configuration, formats and rules from their files, for commands.

use super::Failure;
use crate::config::Config;
use crate::haproxy::{FieldNames, Formats};
use crate::load::{self, Wrong};
use crate::rules::{self, Rules, Service};
use crate::source::{Problem, Source};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment that weir runs in.
pub fn env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The configuration of that file, or what holds without one.
pub fn config(path: Option<&Path>) -> Result<Config, Failure> {
    load::config(path, &env).map_err(wrong)
}

/// The formats that the configuration names. What HAProxy would warn about, or what had to
/// be guessed, is told on standard error.
pub fn formats(config: &Config) -> Result<Formats, Failure> {
    let (formats, warnings) = load::formats(config, &env).map_err(wrong)?;
    warn(&warnings);
    Ok(formats)
}

/// Tells warnings on standard error.
pub fn warn(warnings: &[Problem]) {
    for warning in warnings {
        eprintln!("warning: {}\n", warning.render());
    }
}

/// The formats, and what is made with the names that are in them. All problems of both.
pub fn with_formats<T>(
    config: &Config,
    make: impl FnOnce(&FieldNames) -> Result<T, Failure>,
) -> Result<(Formats, T), Failure> {
    let formats = formats(config);
    let names = formats.as_ref().map(Formats::names).unwrap_or_default();
    both(formats, make(&names))
}

/// The rules that the configuration names.
pub fn rules(config: &Config, names: &FieldNames) -> Result<Rules, Failure> {
    compile(&rule_files(config)?, config, names)
}

/// The rule files that the configuration names.
pub fn rule_files(config: &Config) -> Result<Vec<Source>, Failure> {
    load::rule_files(config).map_err(wrong)
}

/// The rules of these files and folders.
pub fn rules_of(paths: &[PathBuf], config: &Config, names: &FieldNames) -> Result<Rules, Failure> {
    let mut sources = Vec::new();
    for path in paths {
        sources.extend(rules::read(path).map_err(unreadable)?);
    }
    compile(&sources, config, names)
}

/// Checks and compiles rule files, all of them together.
pub fn compile(sources: &[Source], config: &Config, names: &FieldNames) -> Result<Rules, Failure> {
    load::compile(sources, config, names).map_err(wrong)
}

/// What the configuration means by `service`.
pub fn service(config: &Config, names: &FieldNames) -> Result<Service, Failure> {
    Service::new(&load::rule_options(config, names)).map_err(Failure::Problems)
}

/// Both, or everything that is wrong with either.
fn both<A, B>(a: Result<A, Failure>, b: Result<B, Failure>) -> Result<(A, B), Failure> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(a), Err(b)) => Err(a.and(b)),
        (Err(one), _) | (_, Err(one)) => Err(one),
    }
}

/// A file that cannot be read is wrong input, not a failure of ours.
pub fn unreadable(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Input(format!("error: {:#}", error.into()))
}

/// Files that cannot be used.
pub fn wrong(wrong: Wrong) -> Failure {
    Failure::Problems(wrong.problems)
}
