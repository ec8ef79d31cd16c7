//! Configuration, formats and rules from their files.

use super::Failure;
use crate::config::{Config, LogFormats};
use crate::haproxy::{self, FieldNames, Formats};
use crate::rules::{self, Rules, Service};
use crate::source::Source;
use std::path::{Path, PathBuf};

/// The configuration of that file, or what holds without one.
pub fn config(path: Option<&Path>) -> Result<Config, Failure> {
    let env = |name: &str| std::env::var_os(name);
    let Some(path) = path else {
        return Ok(Config::default_for(&env));
    };
    let source = Source::read(path).map_err(unreadable)?;
    let base = path.parent().unwrap_or(Path::new(""));
    Config::parse(&source, base, &env).map_err(Failure::Problems)
}

/// The formats that the configuration names. What HAProxy would warn about, or what had to
/// be guessed, is told on standard error.
pub fn formats(config: &Config) -> Result<Formats, Failure> {
    let env = |name: &str| std::env::var_os(name);
    match &config.haproxy.formats {
        LogFormats::BuiltIn => Ok(Formats::built_in()),
        LogFormats::One(log_format) => {
            Formats::one(log_format, &env).map_err(|problem| Failure::Problems(vec![*problem]))
        }
        LogFormats::Haproxy(path) => {
            let source = Source::read_lossily(path).map_err(unreadable)?;
            let file = haproxy::config::read(&source, &env).map_err(Failure::Problems)?;
            for warning in &file.warnings {
                eprintln!("warning: {}\n", warning.render());
            }
            Formats::of_config(&file).map_err(Failure::Problems)
        }
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
    let sources = match &config.rules {
        Some(path) => rules::read(path).map_err(unreadable)?,
        None => rules::bundled(),
    };
    compile(&sources, config, names)
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
    rules::load(sources, &rule_options(config, names)).map_err(Failure::Problems)
}

/// What the configuration means by `service`.
pub fn service(config: &Config, names: &FieldNames) -> Result<Service, Failure> {
    Service::new(&rule_options(config, names)).map_err(Failure::Problems)
}

fn rule_options(config: &Config, names: &FieldNames) -> rules::Options {
    rules::Options {
        service: config.haproxy.service.clone(),
        names: names.clone(),
    }
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
