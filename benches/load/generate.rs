//! Settings to a log.

use crate::lines::{Lines, Settings};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// What is written at once.
const BLOCK: usize = 1 << 20;

pub fn run(settings: Settings, out: Option<&Path>) -> Result<()> {
    match out {
        Some(path) => {
            let file =
                File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
            write(settings, file).with_context(|| format!("cannot write {}", path.display()))
        }
        None => write(settings, io::stdout().lock()).context("cannot write to standard output"),
    }
}

fn write(settings: Settings, mut to: impl Write) -> Result<()> {
    let mut lines = Lines::new(settings);
    let mut block = Vec::with_capacity(BLOCK + 4096);
    while lines.write(&mut block) {
        if block.len() >= BLOCK {
            to.write_all(&block)?;
            block.clear();
        }
    }
    to.write_all(&block)?;
    Ok(to.flush()?)
}
