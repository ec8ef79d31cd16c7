//! `weir check`: says what is wrong with files, without running anything.

use super::{Failure, load};
use crate::rules;
use std::path::{Path, PathBuf};

pub fn run(config: Option<&Path>, paths: &[PathBuf]) -> Result<(), Failure> {
    let config = load::config(config)?;
    let rules = if paths.is_empty() {
        load::rules(&config)?
    } else {
        let mut sources = Vec::new();
        for path in paths {
            sources.extend(rules::read(path).map_err(load::unreadable)?);
        }
        load::compile(&sources, &config)?
    };
    for file in rules.files() {
        println!("{file}: fine");
    }
    println!("{} rules in {} files", rules.len(), rules.files().len());
    Ok(())
}
