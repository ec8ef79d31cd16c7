//! Conditions as they are asked of each event.
//!
//! What rules ask is nearly always one field and constants. That takes one look at the field and
//! one comparison here, where walking an expression's nodes ([`Bool::holds`]) takes some seventy
//! instructions. Both say the same; tests hold them to that.

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
    Int(Field, Comparison, i64),
    /// The field is there, and one of these numbers.
    IntIn(Field, Box<[i64]>),
    /// Whether the field is there, and a string of which the test is true.
    Text {
        field: Field,
        test: TextTest,
        expected: bool,
    },
    Other(Bool),
}

/// What a string is compared with.
#[derive(Debug, PartialEq)]
pub(super) enum TextTest {
    Is(BString),
    IsNot(BString),
    In(Box<[BString]>),
    StartsWith(BString),
    EndsWith(BString),
    Contains(Needle),
}

/// A string to look for, and what looking for it takes, made once.
#[derive(Debug)]
pub(super) struct Needle(Box<Finder<'static>>);

impl PartialEq for Needle {
    fn eq(&self, other: &Needle) -> bool {
        self.0.needle() == other.0.needle()
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
            Bool::Ints(comparison, Int::Field(field), Int::Const(value)) => {
                Some(Term::Int(*field, *comparison, *value))
            }
            Bool::IntIn(Int::Field(field), list) => Some(Term::IntIn(*field, list.clone())),
            Bool::Any(terms) => one_of(terms),
            Bool::Not(inner) => text(inner, false),
            condition => text(condition, true),
        };
        simple.unwrap_or(Term::Other(condition))
    }

    #[inline]
    pub fn holds(&self, event: &Event<'_>) -> bool {
        match self {
            Term::Kind(kind) => event.kind == *kind,
            Term::Int(field, comparison, value) => {
                let number = field.int(event);
                number.is_some_and(|number| comparison.accepts(number.cmp(value)))
            }
            other => other.holds_otherwise(event),
        }
    }

    /// Not where the others are inlined: what the compiler sees in a loop over terms it computes
    /// before the loop, whether any term asks for it or not.
    #[inline(never)]
    fn holds_otherwise(&self, event: &Event<'_>) -> bool {
        match self {
            Term::IntIn(field, list) => {
                let number = field.int(event);
                number.is_some_and(|number| list.contains(&number))
            }
            Term::Text {
                field,
                test,
                expected,
            } => {
                let text = field.string(event);
                text.is_some_and(|text| test.accepts(text)) == *expected
            }
            Term::Other(condition) => condition.holds(event),
            Term::Kind(_) | Term::Int(..) => self.holds(event),
        }
    }
}

impl TextTest {
    #[inline]
    fn accepts(&self, text: &[u8]) -> bool {
        match self {
            TextTest::Is(value) => text == value.as_slice(),
            TextTest::IsNot(value) => text != value.as_slice(),
            TextTest::In(list) => list.iter().any(|value| text == value.as_slice()),
            TextTest::StartsWith(value) => text.starts_with(value),
            TextTest::EndsWith(value) => text.ends_with(value),
            TextTest::Contains(needle) => needle.0.find(text).is_some(),
        }
    }
}

/// A comparison of a field's string with constants, and whether it has to hold.
fn text(condition: &Bool, expected: bool) -> Option<Term> {
    use Comparison::{Equal, NotEqual};
    let (field, test) = match condition {
        Bool::Texts(Equal, Text::Field(field), Text::Const(value))
        | Bool::Texts(Equal, Text::Const(value), Text::Field(field)) => {
            (field, TextTest::Is(value.clone()))
        }
        Bool::Texts(NotEqual, Text::Field(field), Text::Const(value))
        | Bool::Texts(NotEqual, Text::Const(value), Text::Field(field)) => {
            (field, TextTest::IsNot(value.clone()))
        }
        Bool::StartsWith(Text::Field(field), Text::Const(value)) => {
            (field, TextTest::StartsWith(value.clone()))
        }
        Bool::EndsWith(Text::Field(field), Text::Const(value)) => {
            (field, TextTest::EndsWith(value.clone()))
        }
        Bool::Contains(Text::Field(field), Text::Const(value)) => {
            let finder = Finder::new(value.as_slice()).into_owned();
            (field, TextTest::Contains(Needle(Box::new(finder))))
        }
        Bool::TextIn(Text::Field(field), list) => (field, TextTest::In(list.clone())),
        _ => return None,
    };
    Some(Term::Text {
        field: *field,
        test,
        expected,
    })
}

/// `status == 504 || status == 408`: one field that is one of several numbers.
fn one_of(terms: &[Bool]) -> Option<Term> {
    let one = |term: &Bool| match term {
        Bool::Ints(Comparison::Equal, Int::Field(field), Int::Const(value)) => {
            Some((*field, vec![*value]))
        }
        Bool::IntIn(Int::Field(field), list) => Some((*field, list.to_vec())),
        _ => None,
    };
    let fields: Option<Vec<_>> = terms.iter().map(one).collect();
    let fields = fields?;
    let (first, _) = *fields.first()?;
    let is_same = fields.iter().all(|(field, _)| *field == first);
    let values = fields.into_iter().flat_map(|(_, values)| values);
    is_same.then(|| Term::IntIn(first, values.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
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

    proptest! {
        #[test]
        fn a_term_holds_where_its_condition_does(
            condition in condition(),
            status in prop::option::of(prop::sample::select(vec![0, 200, 503])),
            path in prop::option::of(prop::sample::select(vec!["", "a", "ab", "aba", "SH--"])),
            kind in prop::sample::select(Kind::ALL.to_vec()),
        ) {
            let path = path.map(str::as_bytes);
            let mut event = Event::of_kind(kind);
            (event.status, event.path, event.termination_state) = (status, path, path);
            let expected = condition.holds(&event);
            prop_assert_eq!(Term::of(condition).holds(&event), expected);
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
