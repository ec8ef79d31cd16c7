//! A test file as it is written: YAML in, texts with their places out.
//!
//! What the texts mean is not looked at here.

use crate::source::{Problem, Scalar, Source, Written};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The rule files and folders that are tested.
    #[serde(default)]
    pub rules: Option<Written<Paths>>,
    /// The IANA name of the zone in which HAProxy wrote the lines.
    #[serde(default)]
    pub timezone: Option<Scalar>,
    /// The `log-format` that all lines have.
    #[serde(default)]
    pub log_format: Option<Scalar>,
    /// The `haproxy.cfg` whose formats the lines have.
    #[serde(default)]
    pub haproxy_config: Option<Scalar>,
    #[serde(default)]
    pub tests: Vec<Test>,
}

#[derive(Debug)]
pub(super) enum Paths {
    One(String),
    Many(Vec<Scalar>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    pub name: Scalar,
    pub lines: Vec<Written<Line>>,
    pub windows: Vec<Window>,
}

/// A log line, or more of them, and when they come.
#[derive(Debug)]
pub(super) enum Line {
    /// It comes when it ended.
    Bare(String),
    Full(FullLine),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FullLine {
    #[serde(default)]
    pub received_at: Option<Scalar>,
    #[serde(default)]
    pub line: Option<Scalar>,
    /// A file of lines.
    #[serde(default)]
    pub fixture: Option<Scalar>,
    /// How often they come.
    #[serde(default)]
    pub repeat: Option<Written<usize>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Window {
    pub start: Scalar,
    pub series: Scalar,
    pub value: Written<Option<f64>>,
}

/// Reads one file.
pub(super) fn parse(source: &Source) -> Result<File, Box<Problem>> {
    source.parse("rule tests")
}

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Paths;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path or a list of paths")
            }

            fn visit_str<E>(self, path: &str) -> Result<Paths, E> {
                Ok(Paths::One(path.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Paths, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = list.next_element()? {
                    paths.push(path);
                }
                Ok(Paths::Many(paths))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Line;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a log line, or the keys of one")
            }

            fn visit_str<E>(self, line: &str) -> Result<Line, E> {
                Ok(Line::Bare(line.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Line, A::Error> {
                let full = FullLine::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Line::Full(full))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
