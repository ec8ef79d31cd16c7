//! `weir schema`: what editors need to know of the files that people write.

use super::{Failure, print};
use crate::schema::{Kind, schema};
use clap::ValueEnum;

#[derive(Clone, Copy, ValueEnum)]
pub enum File {
    /// Rule files
    Rules,
    /// weir.yaml
    Config,
    /// Tests of rules
    Tests,
}

pub fn run(file: Option<File>) -> Result<(), Failure> {
    let kind = file.map(|file| match file {
        File::Rules => Kind::Rules,
        File::Config => Kind::Config,
        File::Tests => Kind::Tests,
    });
    print::print(&format!("{:#}\n", schema(kind)))
}
