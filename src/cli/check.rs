//! `weir check`: says what is wrong with files, without running anything.

use super::{Failure, load};
use crate::config::{Config, LogFormats};
use crate::haproxy::FieldNames;
use crate::rules::Rules;
use std::path::{Path, PathBuf};

pub fn run(config: Option<&Path>, paths: &[PathBuf]) -> Result<(), Failure> {
    let config = load::config(config)?;
    let (_, rules) = load::with_formats(&config, |names| rules(&config, names, paths))?;
    if let LogFormats::Haproxy(path) = &config.haproxy.formats {
        println!("{}: fine", path.display());
    }
    for file in rules.files() {
        println!("{file}: fine");
    }
    let rules_read = counted(rules.len(), "rule");
    println!("{rules_read} in {}", counted(rules.files().len(), "file"));
    Ok(())
}

fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

fn rules(config: &Config, names: &FieldNames, paths: &[PathBuf]) -> Result<Rules, Failure> {
    match paths {
        [] => load::rules(config, names),
        _ => load::rules_of(paths, config, names),
    }
}
