//! Names of rules and of their series: which characters they have, and that each is the
//! only one.

use super::file::Rule;
use crate::delta::{Name, NamePart};
use crate::metric::identifier;
use crate::names;
use crate::source::{Fault, Notes, Place, Scalar, did_you_mean, listed};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// What the names of weir's own counters begin with at `/metrics`.
const OWN: &str = "weir_";

const RULE: &str = "rule";
const MEASURE: &str = "measure";

/// The names that are taken.
#[derive(Debug, Default)]
pub(super) struct Naming {
    /// Where each rule's name stands.
    rules: HashMap<String, Place>,
    /// Each series' name as written and where it stands, by [`comparable`].
    series: HashMap<String, (String, Place)>,
}

/// How a rule's series are named.
#[derive(Debug)]
pub(super) struct Template<'a> {
    parts: Vec<Part>,
    /// `None`: `<rule>.<measure>`.
    written: Option<&'a Scalar>,
}

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Rule,
    Measure,
    /// The value of the tag at that place among those of `by`.
    Tag(usize),
}

impl Naming {
    /// Whether the rule's name is its alone.
    pub fn rule(&mut self, notes: &mut Notes<'_>, rule: &Rule) -> bool {
        let Some(name) = &rule.name else {
            return false;
        };
        charset(notes, name);
        if rule.series.is_none() {
            own(notes, &name.span, &format!("{}.", name.value));
        }
        let place = notes.source.place(name.span.clone());
        if let Some(first) = self.rules.get(&name.value.to_lowercase()) {
            let problem = notes
                .problem(&name.span, "this name is taken")
                .other("the other rule", first)
                .hint("names are compared without case, as Librato does");
            notes.push(problem);
            return false;
        }
        self.rules.insert(name.value.to_lowercase(), place);
        true
    }

    /// Notes the name of a measure's series, unless it is taken.
    pub fn series(
        &mut self,
        notes: &mut Notes<'_>,
        template: &Template<'_>,
        measure: &Scalar,
        name: &Name,
    ) {
        let place = notes.source.place(measure.span.clone());
        let shown = shown(name);
        let comparable = comparable(name);
        if let Some((other, first)) = self.series.get(&comparable) {
            let message = match other.eq_ignore_ascii_case(&shown) {
                true => format!("the series `{shown}` exists already"),
                false => format!("the series `{shown}` exists already, as `{other}`"),
            };
            let how = match template.written {
                None => "a series is named `<rule>.<measure>`; names are compared",
                Some(_) => "names are compared without the tags in them,",
            };
            let hint = format!(
                "{how} without case, as Librato does, and with `_` for `.`, `:` and `-`, as Prometheus has it"
            );
            let problem = notes
                .problem(&measure.span, message)
                .other("the other measure", first)
                .hint(hint);
            return notes.push(problem);
        }
        self.series.insert(comparable, (shown, place));
    }
}

impl<'a> Template<'a> {
    /// Reads `series`, of which `tags` are the tags of `by`. Where something is wrong with
    /// it, series go by their usual names, so that the rest can be checked.
    pub fn read(notes: &mut Notes<'_>, rule: &'a Rule, tags: &[Arc<str>]) -> Self {
        let usual = Template {
            parts: vec![Part::Rule, Part::Text(".".into()), Part::Measure],
            written: None,
        };
        let Some(written) = &rule.series else {
            return usual;
        };
        let Some(parts) = notes.read(written, parts(&written.value, tags)) else {
            return usual;
        };
        if rule.measures.len() > 1 && !parts.contains(&Part::Measure) {
            let hint = "put `{{measure}}` into it";
            notes.refuse_with(&written.span, "all measures would have the same name", hint);
            return usual;
        }
        Template {
            parts,
            written: Some(written),
        }
    }

    /// The name of a measure's series. Notes what is wrong with it.
    pub fn name(&self, notes: &mut Notes<'_>, rule: &str, measure: &Scalar) -> Name {
        charset(notes, measure);
        let mut parts: Vec<NamePart> = Vec::new();
        for part in &self.parts {
            let text = match part {
                Part::Text(text) => text.as_str(),
                Part::Rule => rule,
                Part::Measure => measure.value.as_str(),
                Part::Tag(place) => {
                    parts.push(NamePart::Value(*place));
                    continue;
                }
            };
            match parts.last_mut() {
                Some(NamePart::Text(before)) => *before = format!("{before}{text}").into(),
                _ => parts.push(NamePart::Text(text.into())),
            }
        }
        let name = match parts.as_slice() {
            [NamePart::Text(text)] => Name::Plain((&**text).into()),
            _ => Name::Template(parts.into()),
        };
        if let Some(written) = self.written {
            own(notes, &written.span, &shown(&name));
        }
        let texts = |part: &NamePart| match part {
            NamePart::Text(text) => text.len(),
            NamePart::Value(_) => 0,
        };
        let length = match &name {
            Name::Plain(name) => name.len(),
            Name::Template(parts) => parts.iter().map(texts).sum(),
        };
        if length > names::METRIC_NAME_MAX {
            let how = match self.written {
                None => " `<rule>.<measure>`",
                Some(_) => "",
            };
            let most = names::METRIC_NAME_MAX;
            let message =
                format!("the series' name{how} has {length} characters, more than {most}");
            notes.refuse(&measure.span, message);
        }
        name
    }
}

fn parts(template: &str, tags: &[Arc<str>]) -> Result<Vec<Part>, Vec<Fault>> {
    let (mut parts, mut faults) = (Vec::new(), Vec::new());
    if template.is_empty() {
        faults.push(Fault::new(0..0, "the name is empty"));
    }
    let mut at = 0;
    while at < template.len() {
        let rest = &template[at..];
        let Some(inside) = rest.strip_prefix("{{") else {
            let length = rest.find("{{").unwrap_or(rest.len());
            let text = &rest[..length];
            if let Some((place, other)) =
                text.char_indices().find(|(_, c)| !names::is_name_char(*c))
            {
                let place = at + place;
                faults.push(not_in_a_name(place..place + other.len_utf8(), other));
            }
            parts.push(Part::Text(text.into()));
            at += length;
            continue;
        };
        let Some(length) = inside.find("}}") else {
            faults.push(Fault::new(at..template.len(), "this `{{` is not closed"));
            break;
        };
        let span = at..at + length + 4;
        match placeholder(inside[..length].trim(), span.clone(), tags) {
            Ok(part) => parts.push(part),
            Err(fault) => faults.push(fault),
        }
        at = span.end;
    }
    match faults.is_empty() {
        true => Ok(parts),
        false => Err(faults),
    }
}

fn placeholder(name: &str, span: Range<usize>, tags: &[Arc<str>]) -> Result<Part, Fault> {
    // A tag of one of these names is what its writer named, so it goes first.
    if let Some(place) = tags.iter().position(|tag| **tag == *name) {
        return Ok(Part::Tag(place));
    }
    match name {
        RULE => Ok(Part::Rule),
        MEASURE => Ok(Part::Measure),
        _ => {
            let known: Vec<&str> = [RULE, MEASURE]
                .into_iter()
                .chain(tags.iter().map(|tag| &**tag))
                .collect();
            let hint = did_you_mean(name, known.iter().copied())
                .unwrap_or_else(|| format!("there are {}", listed(&known)));
            Err(Fault::new(span, format!("unknown placeholder `{name}`")).hint(hint))
        }
    }
}

/// Weir's own counters are at `/metrics` too.
fn own(notes: &mut Notes<'_>, span: &Range<usize>, name: &str) {
    if comparable_text(name).starts_with(OWN) {
        notes.refuse_with(
            span,
            format!("series named `{OWN}…` at /metrics are weir's own counters"),
            "choose a name that does not begin with `weir`",
        );
    }
}

/// The characters of a metric's name in Librato's API.
fn charset(notes: &mut Notes<'_>, name: &Scalar) {
    if name.value.is_empty() {
        notes.refuse(&name.span, "the name is empty");
    } else if let Some(other) = name.value.chars().find(|c| !names::is_name_char(*c)) {
        let Fault { message, hint, .. } = not_in_a_name(0..0, other);
        notes.refuse_with(&name.span, message, hint.unwrap_or_default());
    }
}

fn not_in_a_name(span: Range<usize>, other: char) -> Fault {
    let message = format!("a name cannot contain `{}`", other.escape_debug());
    Fault::new(span, message).hint("names consist of A-Z, a-z, 0-9 and `.`, `:`, `_`, `-`")
}

/// A name for people, with `*` for what it has of the tags.
fn shown(name: &Name) -> String {
    match name {
        Name::Plain(name) => name.to_string(),
        Name::Template(parts) => {
            let parts = parts.iter().map(|part| match part {
                NamePart::Text(text) => text,
                NamePart::Value(_) => "*",
            });
            parts.collect()
        }
    }
}

/// The form in which a series' name has to be the only one.
fn comparable(name: &Name) -> String {
    // No name has a `*` of its own.
    let shown = shown(name);
    let texts: Vec<_> = shown.split('*').map(comparable_text).collect();
    texts.join("*")
}

/// Librato ignores case, and Prometheus has no character for `.`, `:` and `-`.
pub(super) fn comparable_text(name: &str) -> String {
    identifier(name).to_ascii_lowercase()
}
