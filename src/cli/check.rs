//! `weir check`: says what is wrong with files, without running anything.

use super::{Failure, load};
use crate::config::Config;
use crate::rules::{self, Rules};
use std::path::{Path, PathBuf};

pub fn run(config: Option<&Path>, paths: &[PathBuf]) -> Result<(), Failure> {
    let config = load::config(config)?;
    let (_, rules) = load::both(load::formats(&config), rules(&config, paths))?;
    for file in rules.files() {
        println!("{file}: fine");
    }
    println!("{} rules in {} files", rules.len(), rules.files().len());
    Ok(())
}

fn rules(config: &Config, paths: &[PathBuf]) -> Result<Rules, Failure> {
    if paths.is_empty() {
        return load::rules(config);
    }
    let mut sources = Vec::new();
    for path in paths {
        sources.extend(rules::read(path).map_err(load::unreadable)?);
    }
    load::compile(&sources, config)
}
