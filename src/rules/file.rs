//! A rule file as it is written: YAML in, texts with their places out.
//!
//! Nothing is interpreted here, so that everything wrong in a file can be said at
//! once. Only what YAML itself does not allow ends the reading at its first place.

use crate::source::{Problem, Scalar, Source};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::ops::Range;

/// The keys of a rule.
pub(super) const RULE_KEYS: [&str; 5] = ["name", "where", "by", "window", "measure"];

#[derive(Debug, Default)]
pub(super) struct File {
    /// `None` without the key `rules`.
    pub rules: Option<Vec<Rule>>,
    pub unknown: Vec<Scalar>,
}

#[derive(Debug, Default)]
pub(super) struct Rule {
    /// The place of its first key.
    pub span: Range<usize>,
    pub name: Option<Scalar>,
    pub condition: Option<Scalar>,
    pub by: Vec<Scalar>,
    pub window: Option<Scalar>,
    pub measures: Vec<(Scalar, Scalar)>,
    pub unknown: Vec<Scalar>,
}

/// Reads one file.
pub(super) fn parse(source: &Source) -> Result<File, Box<Problem>> {
    source.parse("rules")
}

/// A problem for each key that is not one of `known`.
pub(super) fn unknown_keys<'a>(
    source: &'a Source,
    subject: &'a str,
    unknown: &'a [Scalar],
    known: &'static [&'static str],
) -> impl Iterator<Item = Problem> + 'a {
    unknown
        .iter()
        .map(move |key| source.unknown_word(subject, key.span.clone(), "key", &key.value, known))
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = File;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file of rules")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
                let mut file = File::default();
                while let Some(key) = map.next_key::<Scalar>()? {
                    match key.value.as_str() {
                        "rules" => file.rules = Some(map.next_value()?),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            file.unknown.push(key);
                        }
                    }
                }
                Ok(file)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Rule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rule")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rule, A::Error> {
                let mut rule = Rule::default();
                while let Some(key) = map.next_key::<Scalar>()? {
                    if rule.span.is_empty() {
                        rule.span = key.span.clone();
                    }
                    match key.value.as_str() {
                        "name" => rule.name = Some(map.next_value()?),
                        "where" => rule.condition = Some(map.next_value()?),
                        "by" => rule.by = map.next_value()?,
                        "window" => rule.window = Some(map.next_value()?),
                        "measure" => rule.measures = map.next_value::<Pairs>()?.0,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            rule.unknown.push(key);
                        }
                    }
                }
                Ok(rule)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// A mapping in the order it was written.
struct Pairs(Vec<(Scalar, Scalar)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("measures by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}
