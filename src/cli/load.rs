//! Configuration and rules from their files.

use super::Failure;
use crate::config::Config;
use crate::rules::{self, Rules};
use crate::source::{Problem, Source};
use std::path::Path;

/// The configuration of that file, or what holds without one.
pub fn config(path: Option<&Path>) -> Result<Config, Failure> {
    let env = |name: &str| std::env::var_os(name);
    let Some(path) = path else {
        return Ok(Config::default_for(&env));
    };
    let source = Source::read(path).map_err(unreadable)?;
    let base = path.parent().unwrap_or(Path::new(""));
    Config::parse(&source, base, &env).map_err(|problems| Failure::Input(render(&problems)))
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
    let options = rules::Options {
        service: config.haproxy.service.clone(),
        ..rules::Options::default()
    };
    rules::load(sources, &options).map_err(|problems| Failure::Input(render(&problems)))
}

/// A file that cannot be read is wrong input, not a failure of ours.
pub fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Input(format!("error: {:#}", anyhow::Error::new(error)))
}

fn render(problems: &[Problem]) -> String {
    let rendered: Vec<String> = problems.iter().map(Problem::render).collect();
    let count = match problems.len() {
        1 => "1 problem".to_owned(),
        n => format!("{n} problems"),
    };
    format!("{}\n\n{count}", rendered.join("\n\n"))
}
