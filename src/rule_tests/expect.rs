//! What was expected and what is there instead.

use super::report::Failed;
use super::suite::Expected;
use crate::delta::{Grouping, LE, Layout, Measure, Name, NamePart, Output, RuleLayout};
use crate::metric::Series;
use crate::source::{Source, did_you_mean, listed};
use crate::time::Timestamp;
use crate::window::ClosedWindow;
use std::collections::BTreeMap;

/// Two values that differ by less, in proportion, are the same: nobody writes out a third.
const RELATIVE: f64 = 1e-9;

/// So many other values are shown beside one that is not there.
const SHOWN: usize = 8;

/// Which series rules can make.
#[derive(Clone, Copy)]
pub(super) struct Known<'a>(pub &'a Layout);

/// What makes series of one name.
#[derive(Clone, Copy)]
pub(super) struct Maker<'a> {
    pub grouping: &'a Grouping,
    pub rule: &'a RuleLayout,
    measure: &'a Measure,
}

impl<'a> Known<'a> {
    /// What makes series of that name: with those tags, where something does.
    pub fn maker(self, series: &Series) -> Option<Maker<'a>> {
        let named = || self.makers().filter(|maker| maker.names(series));
        let fitting = named().find(|maker| maker.misfit(series).is_none());
        fitting.or_else(|| named().next())
    }

    fn makers(self) -> impl Iterator<Item = Maker<'a>> {
        self.0.groupings.iter().flat_map(|grouping| {
            grouping.rules.iter().flat_map(move |rule| {
                rule.measures.iter().map(move |measure| Maker {
                    grouping,
                    rule,
                    measure,
                })
            })
        })
    }

    /// The names that are always the same.
    fn names(self) -> impl Iterator<Item = &'a str> {
        self.makers().filter_map(|maker| match &maker.measure.name {
            Name::Plain(name) => Some(&**name),
            Name::Template(_) => None,
        })
    }
}

impl Maker<'_> {
    fn names(&self, series: &Series) -> bool {
        can_be(&self.measure.name, &series.name)
    }

    /// Why none of its series has the tags of that one. A tag of `by` may be missing from
    /// any, for events may lack its value.
    fn misfit(&self, series: &Series) -> Option<String> {
        let has = |name: &str| series.tags.iter().any(|(tag, _)| **tag == *name);
        let own = match &self.measure.output {
            Output::Value(_) => None,
            Output::Buckets { .. } => Some(LE),
            Output::Top { tag, .. } => Some(&**tag),
        };
        let given = self.rule.tags.iter().map(|(name, _)| name);
        let known = self.grouping.by.iter().chain(given).map(|name| &**name);
        let known: Vec<&str> = known.chain(own).collect();
        let mut tags = series.tags.iter().map(|(name, _)| &**name);
        if let Some(name) = tags.find(|name| !known.contains(name)) {
            let why = format!("no series of this name has a tag `{name}`");
            return Some(match did_you_mean(name, known.iter().copied()) {
                Some(hint) => format!("{why}; {hint}"),
                None if known.is_empty() => why,
                None => format!("{why}; there are {}", listed(&known)),
            });
        }
        if let Some(tag) = self.rule.tags.iter().find(|tag| !series.tags.contains(tag)) {
            let (name, value) = tag;
            return Some(format!("every series of this name has `{name}={value:?}`"));
        }
        let missing = own.filter(|name| !has(name))?;
        Some(format!("every series of this name has a tag `{missing}`"))
    }
}

/// Whether a measure of that name can have a series of this one: its texts stand in it, in
/// their order, and at both ends where it begins or ends with one.
fn can_be(name: &Name, series: &str) -> bool {
    let parts = match name {
        Name::Plain(name) => return **name == *series,
        Name::Template(parts) => parts,
    };
    let mut rest = series;
    for (place, part) in parts.iter().enumerate() {
        let NamePart::Text(text) = part else { continue };
        let found = match place {
            0 => rest.starts_with(&**text).then_some(0),
            last if last + 1 == parts.len() => {
                rest.ends_with(&**text).then(|| rest.len() - text.len())
            }
            _ => rest.find(&**text),
        };
        let Some(at) = found else { return false };
        rest = &rest[at + text.len()..];
    }
    rest.is_empty() || matches!(parts.last(), Some(NamePart::Value(_)))
}

/// The values that went out last, by window.
#[derive(Default)]
pub(super) struct Found(BTreeMap<Timestamp, BTreeMap<Series, f64>>);

impl Found {
    /// Those of amended windows take the place of the earlier ones.
    pub fn closed(&mut self, windows: Vec<ClosedWindow>) {
        for measurement in windows.into_iter().flat_map(|window| window.measurements) {
            let window = self.0.entry(measurement.time).or_default();
            window.insert(measurement.series, measurement.value);
        }
    }

    /// `None` if it is as expected.
    pub fn compare(
        &self,
        source: &Source,
        expected: &Expected,
        start: Timestamp,
        known: Known<'_>,
    ) -> Option<Failed> {
        let series = &expected.series.value;
        let window = self.0.get(&start);
        let found = window.and_then(|window| window.get(series)).copied();
        let maker = known.maker(series);
        let every = maker.map(|maker| maker.grouping.window.every);
        let misfit = maker.and_then(|maker| maker.misfit(series));
        // Where there never is a value, to have none proves nothing.
        let possible = misfit.is_none() && every.is_some_and(|every| start.floor(every) == start);
        let same = match (expected.value, found) {
            (Some(expected), Some(found)) => is_same(expected, found),
            (None, None) => possible,
            _ => false,
        };
        if same {
            return None;
        }
        let mut failed = Failed {
            place: source.place_of(expected.series.span.start),
            series: series.clone(),
            start,
            expected: expected.value,
            found,
            instead: Vec::new(),
            hint: None,
        };
        if found.is_some() {
            return Some(failed);
        }
        match every {
            None => {
                let hint = did_you_mean(&series.name, known.names());
                failed.hint = Some(match hint {
                    Some(hint) => format!("no rule makes a series of this name; {hint}"),
                    None => "no rule makes a series of this name".to_owned(),
                });
            }
            Some(_) if misfit.is_some() => {
                failed.instead = self.others(series, start);
                failed.hint = misfit;
            }
            Some(every) if !possible => {
                let (before, after) = (start.floor(every), start.floor(every) + every);
                failed.hint = Some(format!(
                    "windows of this series start every {every:?}: at {before} and at {after}"
                ));
            }
            Some(_) => {
                failed.instead = self.others(series, start);
                failed.hint = self.hint(series);
            }
        }
        Some(failed)
    }

    /// Series of that name in that window; without any, this series in other windows.
    fn others(&self, series: &Series, start: Timestamp) -> Vec<(Timestamp, Series, f64)> {
        let here = self.0.get(&start).into_iter().flatten();
        let here = here.filter(|(other, _)| other.name == series.name);
        let here: Vec<_> = here
            .map(|(other, value)| (start, other.clone(), *value))
            .take(SHOWN)
            .collect();
        if !here.is_empty() {
            return here;
        }
        let windows = self.0.iter();
        let elsewhere = windows.filter_map(|(start, window)| {
            let value = window.get(series)?;
            Some((*start, series.clone(), *value))
        });
        elsewhere.take(SHOWN).collect()
    }

    /// What to do about a series of a name that rules make.
    fn hint(&self, series: &Series) -> Option<String> {
        let all = self.0.values().flat_map(BTreeMap::keys);
        let named: Vec<&Series> = all.filter(|other| other.name == series.name).collect();
        if named.contains(&series) {
            return None;
        }
        if named.is_empty() {
            return Some("no line of this test makes a series of this name; `weir explain` shows what a line does".to_owned());
        }
        let names: Vec<String> = named.iter().map(ToString::to_string).collect();
        did_you_mean(&series.to_string(), names.iter().map(String::as_str))
    }
}

fn is_same(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= RELATIVE * a.abs().max(b.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_in_proportion() {
        for (a, b, same) in [
            (0.0, 0.0, true),
            (0.333_333_333_333, 1.0 / 3.0, true),
            (0.3333, 1.0 / 3.0, false),
            (1e15, 1e15 + 1.0, true),
            (0.0, 1e-12, false),
            (-1.0, 1.0, false),
        ] {
            assert_eq!(is_same(a, b), same, "{a} {b}");
        }
    }

    #[test]
    fn a_template_knows_the_names_that_it_can_have() {
        let text = |text: &str| NamePart::Text(text.into());
        let template = |parts: Vec<NamePart>| Name::Template(parts.into());
        let inner = template(vec![text("http."), NamePart::Value(0), text(".rate")]);
        let ends = template(vec![NamePart::Value(0), text("-of-"), NamePart::Value(1)]);
        for (name, series, expected) in [
            (&inner, "http.web.rate", true),
            (&inner, "http.web.rates", false),
            (&inner, "tcp.web.rate", false),
            (&ends, "rate-of-web", true),
            (&ends, "rate", false),
            (&Name::Plain("http.rate".into()), "http.rate", true),
            (&Name::Plain("http.rate".into()), "http.rates", false),
        ] {
            assert_eq!(can_be(name, series), expected, "{series}");
        }
    }
}
