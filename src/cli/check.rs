//! `weir check`: says what is wrong with files, without running anything.

use super::{Failure, load};
use crate::config::Config;
use crate::haproxy::FieldNames;
use crate::rules::{self, Rules};
use std::path::{Path, PathBuf};

pub fn run(config: Option<&Path>, paths: &[PathBuf]) -> Result<(), Failure> {
    let config = load::config(config)?;
    let (_, rules) = load::with_formats(&config, |names| rules(&config, names, paths))?;
    for file in rules.files() {
        println!("{file}: fine");
    }
    println!("{} rules in {} files", rules.len(), rules.files().len());
    Ok(())
}

fn rules(config: &Config, names: &FieldNames, paths: &[PathBuf]) -> Result<Rules, Failure> {
    if paths.is_empty() {
        return load::rules(config, names);
    }
    let mut sources = Vec::new();
    for path in paths {
        sources.extend(rules::read(path).map_err(load::unreadable)?);
    }
    load::compile(&sources, config, names)
}
