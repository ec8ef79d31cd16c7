//! What one set of rules has that another has not.

use super::Rules;
use std::collections::BTreeMap;
use std::fmt;

/// Names that are told of each kind.
const NAMES_MAX: usize = 20;

/// The names of the rules in which two sets differ, in the order of their files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    /// In both, with another definition. A rule that is written differently, or in another
    /// file, and computes the same has not been changed.
    pub changed: Vec<String>,
}

impl Rules {
    /// What has been changed since the rules were these.
    pub fn changes_since(&self, before: &Rules) -> Changes {
        let (old, new) = (before.by_name(), self.by_name());
        let names = |rules: &Rules, wanted: &dyn Fn(&str) -> bool| {
            let names = rules.names().filter(|name| wanted(name));
            names.map(str::to_owned).collect()
        };
        Changes {
            added: names(self, &|name| !old.contains_key(name)),
            removed: names(before, &|name| !new.contains_key(name)),
            changed: names(self, &|name| {
                let before = old.get(name);
                before.is_some() && before != new.get(name)
            }),
        }
    }

    /// Each rule's definition.
    fn by_name(&self) -> BTreeMap<&str, &str> {
        let rules = self.written.iter().map(|rule| self.rule_layout(rule.place));
        rules.map(|rule| (&*rule.name, &*rule.definition)).collect()
    }
}

impl Changes {
    /// Whether the same rules compute the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// `added a, b; removed c; changed d`, each where there is one.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("added", &self.added),
            ("removed", &self.removed),
            ("changed", &self.changed),
        ];
        let parts = parts.iter().filter(|(_, names)| !names.is_empty());
        let parts: Vec<String> = parts
            .map(|(what, names)| format!("{what} {}", listed(names)))
            .collect();
        match parts.is_empty() {
            true => f.write_str("none"),
            false => f.write_str(&parts.join("; ")),
        }
    }
}

fn listed(names: &[String]) -> String {
    match names.len().checked_sub(NAMES_MAX) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..NAMES_MAX].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::listed;
    use crate::rules::{Options, Rules, load};
    use crate::source::Source;

    fn rules(files: &[&str]) -> Rules {
        let sources = files.iter().enumerate();
        let sources: Vec<Source> = sources
            .map(|(number, text)| Source::new(&format!("{number}.yaml"), text))
            .collect();
        load(&sources, &Options::default()).unwrap()
    }

    #[test]
    fn rules_are_told_apart_by_name_and_compared_by_what_they_compute() {
        const A: &str = "  - name: a\n    by: [service]\n    measure: { n: count() }\n";
        const A_CHANGED: &str = "  - name: a\n    by: [backend]\n    measure: { n: count() }\n";
        const A_AGAIN: &str =
            "  - measure: { n: count() } # as before\n    name: a\n    by: [ service ]\n";
        const B: &str = "  - name: b\n    measure:\n      m: max(Tr)\n";
        let file = |rules: &[&str]| format!("rules:\n{}", rules.concat());
        for (before, after, said) in [
            (&[file(&[A, B])][..], &[file(&[A, B])][..], "none"),
            (&[file(&[A, B])], &[file(&[B, A])], "none"),
            (&[file(&[A, B])], &[file(&[B]), file(&[A])], "none"),
            (&[file(&[A, B])], &[file(&[A_AGAIN, B])], "none"),
            (&[file(&[A])], &[file(&[A, B])], "added b"),
            (&[file(&[A, B])], &[file(&[B])], "removed a"),
            (&[file(&[A, B])], &[file(&[A_CHANGED, B])], "changed a"),
            (
                &[file(&[A, B])],
                &[
                    file(&[A_CHANGED]),
                    file(&["  - name: c\n    measure: { n: count() }\n"]),
                ],
                "added c; removed b; changed a",
            ),
        ] {
            let texts = |files: &[String]| rules(&files.iter().map(|f| &**f).collect::<Vec<_>>());
            let changes = texts(after).changes_since(&texts(before));
            assert_eq!(changes.to_string(), said, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_long_list_of_names_is_cut() {
        let names: Vec<String> = (0..22).map(|n| n.to_string()).collect();
        assert!(listed(&names).ends_with(", 18, 19 and 2 more"));
        assert!(listed(&names[..20]).ends_with(", 18, 19"));
    }
}
