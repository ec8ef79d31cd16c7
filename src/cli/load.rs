//! Configuration, formats and rules from their files.

use super::Failure;
use crate::config::{Config, LogFormats};
use crate::haproxy::Formats;
use crate::rules::{self, Rules, Service};
use crate::source::{Placed, Problem, Source};
use std::path::Path;

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

/// The formats that the configuration names.
pub fn formats(config: &Config) -> Result<Formats, Failure> {
    let compiled = match &config.haproxy.formats {
        LogFormats::BuiltIn => return Ok(Formats::built_in()),
        LogFormats::One(log_format) => one_format(log_format),
        LogFormats::Haproxy(path) => haproxy_formats(&Source::read(path).map_err(unreadable)?),
    };
    compiled.map_err(Failure::Problems)
}

fn one_format(_log_format: &Placed) -> Result<Formats, Vec<Problem>> {
    Ok(Formats::built_in())
}

fn haproxy_formats(_config: &Source) -> Result<Formats, Vec<Problem>> {
    Ok(Formats::built_in())
}

/// The rules that the configuration names.
pub fn rules(config: &Config) -> Result<Rules, Failure> {
    let sources = match &config.rules {
        Some(path) => rules::read(path).map_err(unreadable)?,
        None => rules::bundled(),
    };
    compile(&sources, config)
}

/// Checks and compiles rule files, all of them together.
pub fn compile(sources: &[Source], config: &Config) -> Result<Rules, Failure> {
    rules::load(sources, &rule_options(config)).map_err(Failure::Problems)
}

/// What the configuration means by `service`.
pub fn service(config: &Config) -> Result<Service, Failure> {
    Service::new(&rule_options(config)).map_err(Failure::Problems)
}

fn rule_options(config: &Config) -> rules::Options {
    rules::Options {
        service: config.haproxy.service.clone(),
        ..rules::Options::default()
    }
}

/// Both, or everything that is wrong with either.
pub fn both<A, B>(a: Result<A, Failure>, b: Result<B, Failure>) -> Result<(A, B), Failure> {
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
