//! What series are called at `/metrics`, and the queries that ask for them.

use super::variables;
use crate::boards::{function, tags};
use crate::delta::{Name, NamePart};
use crate::metric::identifier;
use crate::rules::{Described, Whole};
use regex::Regex;

/// Labels that Prometheus gives to whatever it scrapes. A series that has one of its own keeps
/// it under another name.
const OF_TARGETS: [&str; 2] = ["instance", "job"];
/// What the names of weir's own counters begin with.
const OWN: &str = "weir_";

/// The names of all series of the rules, as Prometheus has them.
pub struct Names {
    /// Each as a regular expression and as one name that it has.
    all: Vec<(String, String)>,
}

impl Names {
    pub fn of(rules: &[Described<'_>]) -> Names {
        let measures = rules.iter().flat_map(|rule| &rule.measures);
        Names {
            all: measures
                .map(|measure| (pattern(measure.series), example(measure.series)))
                .collect(),
        }
    }

    /// What stands for the name in a selector: itself before the brace, or matchers within.
    fn selected(&self, name: &Name) -> (String, String) {
        let pattern = pattern(name);
        if let Name::Plain(_) = name {
            return (pattern, String::new());
        }
        let mut others: Vec<&str> = Vec::new();
        if let Ok(regex) = Regex::new(&format!("^(?:{pattern})$")) {
            let meant =
                |(other, example): &&(String, String)| *other != pattern && regex.is_match(example);
            let meant = self.all.iter().filter(meant);
            others.extend(meant.map(|(other, _)| other.as_str()));
        }
        let own = format!("{OWN}.*");
        if pattern.starts_with('.') {
            others.push(&own);
        }
        let but = match others.is_empty() {
            true => String::new(),
            false => format!(",__name__!~\"{}\"", others.join("|")),
        };
        (String::new(), format!("__name__=~\"{pattern}\"{but},"))
    }

    /// The series of that name, of the weirs and values of tags that the variables choose.
    pub fn selector(&self, name: &Name, rule: &Described<'_>) -> String {
        let (before, within) = self.selected(name);
        let tags = labels(rule);
        let tags = tags.iter().map(|label| {
            let variable = variables::of_label(label);
            format!(",{label}=~\"${variable}\"")
        });
        format!(
            "{before}{{{within}{}{}}}",
            instances(),
            tags.collect::<String>()
        )
    }

    /// All series of that name.
    pub fn everywhere(&self, name: &Name) -> String {
        pattern(name)
    }
}

/// The labels that a rule's series are told apart by.
pub fn labels(rule: &Described<'_>) -> Vec<String> {
    tags(rule).into_iter().map(|tag| label(tag)).collect()
}

/// The label that Prometheus keeps a tag in.
pub fn label(tag: &str) -> String {
    match identifier(tag) {
        taken if OF_TARGETS.contains(&taken.as_str()) => format!("exported_{taken}"),
        label => label,
    }
}

/// `{instance=~"$instance",MORE}`
pub fn of_instances(more: &str) -> String {
    match more {
        "" => format!("{{{}}}", instances()),
        more => format!("{{{},{more}}}", instances()),
    }
}

/// The weirs that are chosen.
fn instances() -> String {
    format!("instance=~\"${}\"", variables::INSTANCE)
}

/// `sum by (service) (SELECTED)`
pub fn merged(whole: Whole, labels: &[String], selected: &str) -> String {
    let function = function(whole);
    match labels {
        [] => format!("{function}({selected})"),
        labels => format!("{function} by ({}) ({selected})", labels.join(", ")),
    }
}

/// Of many groups, those that have the most, or the least where that is the bad end, on the
/// average of all that is shown. So it is the same groups all along, and a line does not come
/// and go with its place in the order.
pub fn most(whole: Whole, labels: &[String], selector: &str) -> String {
    let every = merged(whole, labels, selector);
    let choose = match whole {
        Whole::Lowest => "bottomk",
        Whole::Sum | Whole::Highest => "topk",
    };
    let average = format!("avg_over_time({selector}[$__range] @ end())");
    let average = merged(whole, labels, &average);
    format!("{every} and {choose}(${}, {average})", variables::TOP)
}

/// The name as Prometheus has it; a value in it is any.
fn pattern(name: &Name) -> String {
    match name {
        Name::Plain(name) => identifier(name),
        Name::Template(parts) => parts
            .iter()
            .map(|part| match part {
                NamePart::Text(text) => inner(text),
                NamePart::Value(_) => ".*".to_owned(),
            })
            .collect(),
    }
}

/// A name that it may have.
fn example(name: &Name) -> String {
    match name {
        Name::Plain(name) => identifier(name),
        Name::Template(parts) => {
            let parts = parts.iter().map(|part| match part {
                NamePart::Text(text) => text,
                NamePart::Value(_) => "value",
            });
            identifier(&parts.collect::<String>())
        }
    }
}

/// A part of a name, which may begin with a digit.
fn inner(text: &str) -> String {
    let identifier = identifier(text);
    match text.starts_with(|c: char| c.is_ascii_digit()) {
        true => identifier[1..].to_owned(),
        false => identifier,
    }
}
