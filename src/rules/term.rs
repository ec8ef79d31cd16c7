//! Conditions as they are asked of each event.
//!
//! What rules ask is nearly always one value and constants. That takes one look at the value and
//! one comparison here, where walking an expression's nodes ([`Bool::holds`]) takes some seventy
//! instructions; and the rules of a group look at a value together ([`Terms`]). All say the
//! same; tests hold them to that.

use super::expr::{Bool, Comparison, Int, Text};
use crate::haproxy::{Event, Field, Kind};
use bstr::BString;
use memchr::memmem::Finder;

/// A part of what a rule asks of an event.
#[derive(Debug, PartialEq)]
pub(super) enum Term {
    /// The event is of that kind.
    Kind(Kind),
    /// The field is there, and a number of which this is true.
    Int(Field, IntTest),
    /// Something about a string, or that it is missing.
    Text(Text, TextTest),
    /// One of them holds.
    Any(Box<[Term]>),
    Other(Bool),
}

/// What a number is compared with.
#[derive(Debug, PartialEq)]
pub(super) enum IntTest {
    /// From the first to the second, both included.
    Within(i64, i64),
    IsNot(i64),
    In(Box<[i64]>),
}

/// What a string is compared with, and what has to come of it: a missing one is no match.
#[derive(Debug, PartialEq)]
pub(super) struct TextTest {
    matches: Match,
    expected: bool,
}

#[derive(Debug, PartialEq)]
enum Match {
    Is(BString),
    IsNot(BString),
    In(Box<[BString]>),
    StartsWith(BString),
    EndsWith(BString),
    Contains(Needle),
}

/// A string to look for, and what looking for it takes, made once.
#[derive(Debug)]
struct Needle(Box<Finder<'static>>);

impl PartialEq for Needle {
    fn eq(&self, other: &Needle) -> bool {
        self.0.needle() == other.0.needle()
    }
}

/// What several rules ask, each thing once, and for which rules, a bit each: a rule wants the
/// events for which all of its terms hold. A value is looked at once, whoever asks.
#[derive(Debug)]
pub(super) struct Terms {
    /// Which rules want events of which kind, by its place in [`Kind::ALL`].
    of_kind: [u64; Kind::ALL.len()],
    ints: Vec<Asked<Field, IntTest>>,
    texts: Vec<Asked<Text, TextTest>>,
    others: Vec<(Term, u64)>,
}

/// Of one value.
#[derive(Debug)]
struct Asked<V, T> {
    value: V,
    tests: Vec<(T, u64)>,
    /// For which rules anything is.
    rules: u64,
}

/// Nothing is asked.
impl Default for Terms {
    fn default() -> Self {
        Terms {
            of_kind: [u64::MAX; Kind::ALL.len()],
            ints: Vec::new(),
            texts: Vec::new(),
            others: Vec::new(),
        }
    }
}

impl Terms {
    /// Adds what those rules ask.
    pub fn add(&mut self, term: Term, rules: u64) {
        match term {
            Term::Kind(kind) => {
                let others = Kind::ALL.into_iter().filter(|other| *other != kind);
                others.for_each(|other| self.of_kind[other as usize] &= !rules);
            }
            Term::Int(field, test) => ask(&mut self.ints, field, test, rules),
            Term::Text(text, test) => ask(&mut self.texts, text, test, rules),
            other => add(&mut self.others, other, rules),
        }
    }

    /// Those of the rules of which all terms hold.
    #[inline]
    pub fn matching(&self, event: &Event<'_>, rules: u64) -> u64 {
        let matching = rules & self.of_kind[event.kind as usize];
        let is_all = self.ints.is_empty() && self.texts.is_empty() && self.others.is_empty();
        match is_all || matching == 0 {
            true => matching,
            false => self.matching_values(event, matching),
        }
    }

    /// Those of the rules for which the values are as they ask.
    fn matching_values(&self, event: &Event<'_>, rules: u64) -> u64 {
        let mut matching = rules;
        for asked in &self.ints {
            if matching & asked.rules == 0 {
                continue;
            }
            let Some(value) = asked.value.int(event) else {
                matching &= !asked.rules;
                continue;
            };
            for (test, rules) in &asked.tests {
                if !test.accepts(value) {
                    matching &= !rules;
                }
            }
        }
        for asked in &self.texts {
            if matching & asked.rules == 0 {
                continue;
            }
            let text = asked.value.of(event);
            for (test, rules) in &asked.tests {
                if matching & rules != 0 && !test.accepts(text) {
                    matching &= !rules;
                }
            }
        }
        for (term, rules) in &self.others {
            if matching & rules != 0 && !term.holds(event) {
                matching &= !rules;
            }
        }
        matching
    }

    /// The values that are looked at.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        let asks_kind = self.of_kind.iter().any(|rules| *rules != u64::MAX);
        let kind = asks_kind.then_some(Field::Kind);
        kind.into_iter()
            .chain(self.ints.iter().map(|asked| asked.value))
    }

    pub fn texts(&self) -> impl Iterator<Item = &Text> {
        self.texts.iter().map(|asked| &asked.value)
    }

    pub fn others(&self) -> impl Iterator<Item = &Term> {
        self.others.iter().map(|(term, _)| term)
    }
}

fn ask<V: PartialEq, T: PartialEq>(asked: &mut Vec<Asked<V, T>>, value: V, test: T, rules: u64) {
    let place = asked.iter().position(|known| known.value == value);
    let place = place.unwrap_or_else(|| {
        asked.push(Asked {
            value,
            tests: Vec::new(),
            rules: 0,
        });
        asked.len() - 1
    });
    asked[place].rules |= rules;
    add(&mut asked[place].tests, test, rules);
}

fn add<T: PartialEq>(to: &mut Vec<(T, u64)>, term: T, rules: u64) {
    match to.iter_mut().find(|(known, _)| *known == term) {
        Some((_, known)) => *known |= rules,
        None => to.push((term, rules)),
    }
}

impl Term {
    pub fn of(condition: Bool) -> Self {
        let simple = match &condition {
            Bool::Texts(Comparison::Equal, Text::Field(Field::Kind), Text::Const(name))
            | Bool::Texts(Comparison::Equal, Text::Const(name), Text::Field(Field::Kind)) => {
                let mut kinds = Kind::ALL.into_iter();
                kinds.find(|kind| name == kind.as_str()).map(Term::Kind)
            }
            Bool::Ints(comparison, Int::Field(field), value) => constant(value)
                .and_then(|value| IntTest::of(*comparison, value))
                .map(|test| Term::Int(*field, test)),
            Bool::IntIn(Int::Field(field), list) => {
                Some(Term::Int(*field, IntTest::In(list.clone())))
            }
            Bool::Any(terms) => {
                let terms = terms.iter();
                Some(one_of(terms.map(|term| Term::of(term.clone())).collect()))
            }
            Bool::Not(inner) => text(inner, false),
            condition => text(condition, true),
        };
        simple.unwrap_or(Term::Other(condition))
    }

    #[inline]
    pub fn holds(&self, event: &Event<'_>) -> bool {
        match self {
            Term::Kind(kind) => event.kind == *kind,
            Term::Int(field, test) => field.int(event).is_some_and(|value| test.accepts(value)),
            other => other.holds_otherwise(event),
        }
    }

    /// Not where the others are inlined: what the compiler sees in a loop over terms it computes
    /// before the loop, whether any term asks for it or not.
    #[inline(never)]
    fn holds_otherwise(&self, event: &Event<'_>) -> bool {
        match self {
            Term::Text(text, test) => test.accepts(text.of(event)),
            Term::Any(terms) => terms.iter().any(|term| term.holds(event)),
            Term::Other(condition) => condition.holds(event),
            Term::Kind(_) | Term::Int(..) => self.holds(event),
        }
    }
}

impl IntTest {
    /// `None` where no number is accepted.
    fn of(comparison: Comparison, value: i64) -> Option<Self> {
        Some(match comparison {
            Comparison::Equal => IntTest::Within(value, value),
            Comparison::NotEqual => IntTest::IsNot(value),
            Comparison::Less => IntTest::Within(i64::MIN, value.checked_sub(1)?),
            Comparison::LessOrEqual => IntTest::Within(i64::MIN, value),
            Comparison::Greater => IntTest::Within(value.checked_add(1)?, i64::MAX),
            Comparison::GreaterOrEqual => IntTest::Within(value, i64::MAX),
        })
    }

    #[inline]
    fn accepts(&self, value: i64) -> bool {
        match self {
            IntTest::Within(low, high) => (*low <= value) & (value <= *high),
            IntTest::IsNot(other) => value != *other,
            IntTest::In(list) => list.contains(&value),
        }
    }
}

impl TextTest {
    #[inline]
    fn accepts(&self, text: Option<&[u8]>) -> bool {
        text.is_some_and(|text| self.matches.accepts(text)) == self.expected
    }
}

impl Match {
    #[inline]
    fn accepts(&self, text: &[u8]) -> bool {
        match self {
            Match::Is(value) => text == value.as_slice(),
            Match::IsNot(value) => text != value.as_slice(),
            Match::In(list) => list.iter().any(|value| text == value.as_slice()),
            Match::StartsWith(value) => text.starts_with(value),
            Match::EndsWith(value) => text.ends_with(value),
            Match::Contains(needle) => needle.0.find(text).is_some(),
        }
    }
}

/// The number that it is in every event.
fn constant(int: &Int) -> Option<i64> {
    match int {
        Int::Const(value) | Int::Quantity(value, _) => Some(*value),
        _ => None,
    }
}

/// A comparison of a string with constants, and what has to come of it.
fn text(condition: &Bool, expected: bool) -> Option<Term> {
    use Comparison::{Equal, NotEqual};
    let (text, matches) = match condition {
        Bool::Texts(Equal, text, Text::Const(value))
        | Bool::Texts(Equal, Text::Const(value), text) => (text, Match::Is(value.clone())),
        Bool::Texts(NotEqual, text, Text::Const(value))
        | Bool::Texts(NotEqual, Text::Const(value), text) => (text, Match::IsNot(value.clone())),
        Bool::StartsWith(text, Text::Const(value)) => (text, Match::StartsWith(value.clone())),
        Bool::EndsWith(text, Text::Const(value)) => (text, Match::EndsWith(value.clone())),
        Bool::Contains(text, Text::Const(value)) => {
            let finder = Finder::new(value.as_slice()).into_owned();
            (text, Match::Contains(Needle(Box::new(finder))))
        }
        Bool::TextIn(text, list) => (text, Match::In(list.clone())),
        _ => return None,
    };
    Some(Term::Text(text.clone(), TextTest { matches, expected }))
}

/// `status == 504 || status == 408` is one field that is one of several numbers.
fn one_of(terms: Box<[Term]>) -> Term {
    let one = |term: &Term| match term {
        Term::Int(field, IntTest::Within(low, high)) if low == high => Some((*field, vec![*low])),
        Term::Int(field, IntTest::In(list)) => Some((*field, list.to_vec())),
        _ => None,
    };
    let numbers: Option<Vec<_>> = terms.iter().map(one).collect();
    match numbers.as_deref() {
        Some([(field, first), rest @ ..]) if rest.iter().all(|(other, _)| other == field) => {
            let values = rest.iter().flat_map(|(_, values)| values);
            let values = first.iter().chain(values).copied();
            Term::Int(*field, IntTest::In(values.collect()))
        }
        _ => Term::Any(terms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::quantity::Unit;
    use proptest::prelude::*;

    fn condition() -> impl Strategy<Value = Bool> {
        let number = || prop::sample::select(vec![-1, 0, 200, 503]);
        let string = || prop::sample::select(vec!["", "a", "ab", "ba", "--", "SH--"]);
        let string = move || string().prop_map(BString::from);
        let ints = prop::sample::select(vec![Field::Status, Field::Retries, Field::Tr]);
        let texts = prop::sample::select(vec![
            Field::Kind,
            Field::Path,
            Field::Server,
            Field::TerminationState,
        ]);
        let comparison = prop::sample::select(vec![
            Comparison::Equal,
            Comparison::NotEqual,
            Comparison::Less,
            Comparison::GreaterOrEqual,
        ]);
        let ints = ints.prop_map(Int::Field).boxed();
        let texts = texts.prop_map(Text::Field).boxed();
        let constant = move || string().prop_map(Text::Const);
        let one =
            prop_oneof![
                (comparison.clone(), ints.clone(), number())
                    .prop_map(|(comparison, a, b)| Bool::Ints(comparison, a, Int::Const(b))),
                (
                    comparison.clone(),
                    ints.clone(),
                    prop::sample::select(vec![i64::MIN, i64::MAX])
                )
                    .prop_map(|(comparison, a, b)| Bool::Ints(
                        comparison,
                        a,
                        Int::Quantity(b, Unit::Time)
                    )),
                (ints, prop::collection::vec(number(), 0..3))
                    .prop_map(|(a, list)| Bool::IntIn(a, list.into())),
                (comparison.clone(), texts.clone(), constant())
                    .prop_map(|(comparison, a, b)| Bool::Texts(comparison, a, b)),
                (comparison, texts.clone(), constant())
                    .prop_map(|(comparison, a, b)| Bool::Texts(comparison, b, a)),
                (texts.clone(), constant()).prop_map(|(a, b)| Bool::StartsWith(a, b)),
                (texts.clone(), constant()).prop_map(|(a, b)| Bool::EndsWith(a, b)),
                (texts.clone(), constant()).prop_map(|(a, b)| Bool::Contains(a, b)),
                (texts, prop::collection::vec(string(), 0..3))
                    .prop_map(|(a, list)| Bool::TextIn(a, list.into())),
            ];
        let one = one.boxed();
        prop_oneof![
            3 => one.clone(),
            1 => one.clone().prop_map(|inner| Bool::Not(Box::new(inner))),
            1 => prop::collection::vec(one, 0..3).prop_map(|terms| Bool::Any(terms.into())),
        ]
    }

    /// One that says the same of its path and of how it ended.
    fn event<'a>(kind: Kind, status: Option<i64>, text: Option<&'a str>) -> Event<'a> {
        let text = text.map(str::as_bytes);
        Event {
            status,
            path: text,
            termination_state: text,
            ..Event::of_kind(kind)
        }
    }

    proptest! {
        #[test]
        fn a_term_holds_where_its_condition_does(
            condition in condition(),
            status in prop::option::of(prop::sample::select(vec![0, 200, 503])),
            path in prop::option::of(prop::sample::select(vec!["", "a", "ab", "aba", "SH--"])),
            kind in prop::sample::select(Kind::ALL.to_vec()),
        ) {
            let event = event(kind, status, path);
            let expected = condition.holds(&event);
            prop_assert_eq!(Term::of(condition).holds(&event), expected);
        }

        #[test]
        fn terms_together_say_what_each_says(
            conditions in prop::collection::vec((condition(), 1u64..8), 0..9),
            status in prop::option::of(prop::sample::select(vec![0, 200, 503])),
            path in prop::option::of(prop::sample::select(vec!["", "a", "ab", "aba", "SH--"])),
            kind in prop::sample::select(Kind::ALL.to_vec()),
        ) {
            let event = event(kind, status, path);
            let mut expected = 7;
            let mut terms = Terms::default();
            for (condition, rules) in conditions {
                if !condition.holds(&event) {
                    expected &= !rules;
                }
                terms.add(Term::of(condition), rules);
            }
            prop_assert_eq!(terms.matching(&event, 7), expected);
        }
    }

    #[test]
    fn what_rules_usually_ask_is_one_look() {
        let status = |value| {
            Bool::Ints(
                Comparison::Equal,
                Int::Field(Field::Status),
                Int::Const(value),
            )
        };
        let path = || Text::Field(Field::Path);
        let text = || Text::Const("/x".into());
        for condition in [
            status(200),
            Bool::IntIn(Int::Field(Field::Status), [401, 403].into()),
            Bool::Any([status(504), status(408)].into()),
            Bool::Any([status(504), Bool::HasField(Field::Path)].into()),
            Bool::Texts(Comparison::NotEqual, path(), text()),
            Bool::Contains(path(), text()),
            Bool::Not(Box::new(Bool::StartsWith(path(), text()))),
            Bool::TextIn(path(), ["/x".into()].into()),
        ] {
            let term = Term::of(condition);
            assert!(!matches!(term, Term::Other(_)), "{term:?}");
        }
    }
}
