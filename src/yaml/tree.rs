//! The tree that a file is, each node with its place.
//!
//! Between braces and brackets, YAML ends a text at a comma, and an expression has commas:
//! `{ p95: percentile(Tr, 95) }` is two entries to it. Such pieces are put together again
//! here, up to where the parentheses close.

use super::{span, twice};
use crate::source::{Notes, Problem, Scalar, Source};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

/// What stands at one place of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// Of a text all of it; of a list or pairs their beginning. Where an alias stands for
    /// it, at its anchor.
    pub span: Range<usize>,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// As it is written, without quotes: what looks like a number is a text too.
    Text(String),
    List(Vec<Node>),
    /// In the order they are written; no key twice.
    Map(Vec<(Scalar, Node)>),
}

impl Node {
    /// A text as written.
    pub fn scalar(&self) -> Option<Scalar> {
        match &self.kind {
            Kind::Text(text) => Some(Scalar {
                value: text.clone(),
                span: self.span.clone(),
            }),
            _ => None,
        }
    }
}

/// What the YAML crate says, without the texts that it took for something else.
pub(super) struct Raw {
    span: Range<usize>,
    kind: RawKind,
}

enum RawKind {
    Null,
    Text(String),
    /// A number or a bool, whose text is in the file alone.
    Other {
        whole: bool,
    },
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

impl Raw {
    /// Of two such keys that are equal the YAML crate keeps one.
    pub fn has_numbers_for_keys(&self) -> bool {
        match &self.kind {
            RawKind::List(items) => items.iter().any(Raw::has_numbers_for_keys),
            RawKind::Map(pairs) => pairs.iter().any(|(key, value)| {
                let whole = matches!(key.kind, RawKind::Other { whole: true });
                whole || key.has_numbers_for_keys() || value.has_numbers_for_keys()
            }),
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<RawKind>::deserialize(deserializer)?;
        Ok(Raw {
            kind: spanned.value,
            // Where an alias stands for it, the text is at its anchor.
            span: span(spanned.defined).unwrap_or_default(),
        })
    }
}

impl<'de> Deserialize<'de> for RawKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = RawKind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_unit<E>(self) -> Result<RawKind, E> {
                Ok(RawKind::Null)
            }

            fn visit_str<E>(self, text: &str) -> Result<RawKind, E> {
                Ok(RawKind::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<RawKind, E> {
                Ok(RawKind::Text(text))
            }

            fn visit_bool<E>(self, _: bool) -> Result<RawKind, E> {
                Ok(RawKind::Other { whole: false })
            }

            fn visit_i64<E>(self, _: i64) -> Result<RawKind, E> {
                Ok(RawKind::Other { whole: true })
            }

            fn visit_u64<E>(self, _: u64) -> Result<RawKind, E> {
                Ok(RawKind::Other { whole: true })
            }

            fn visit_f64<E>(self, _: f64) -> Result<RawKind, E> {
                Ok(RawKind::Other { whole: false })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawKind, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(RawKind::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<RawKind, A::Error> {
                let mut map = Vec::new();
                while let Some(pair) = pairs.next_entry()? {
                    map.push(pair);
                }
                Ok(RawKind::Map(map))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// The tree, and what is wrong with its keys.
pub(super) fn build<'a>(source: &'a Source, what: &str, raw: Raw) -> (Node, Notes<'a>) {
    let mut notes = Notes::new(source);
    let mut builder = Builder {
        source,
        what,
        problems: Vec::new(),
    };
    let node = builder.node(raw);
    notes.problems = builder.problems;
    (node, notes)
}

struct Builder<'a> {
    source: &'a Source,
    what: &'a str,
    problems: Vec<Problem>,
}

impl Builder<'_> {
    fn node(&mut self, raw: Raw) -> Node {
        let Raw { span, kind } = raw;
        let kind = match kind {
            RawKind::Null => Kind::Null,
            RawKind::Text(text) => Kind::Text(text),
            RawKind::Other { .. } => Kind::Text(self.written(&span).to_owned()),
            RawKind::List(items) => {
                let items = items.into_iter().map(|item| self.node(item)).collect();
                match self.written(&span).starts_with('[') {
                    true => Kind::List(self.whole_items(items)),
                    false => Kind::List(items),
                }
            }
            RawKind::Map(pairs) => {
                let pairs = pairs.into_iter().filter_map(|pair| self.pair(pair));
                let mut pairs: Vec<_> = pairs.collect();
                if self.written(&span).starts_with('{') {
                    pairs = self.whole_pairs(pairs);
                }
                Kind::Map(self.once(pairs))
            }
        };
        Node { span, kind }
    }

    fn written(&self, span: &Range<usize>) -> &str {
        self.source.text.get(span.clone()).unwrap_or_default()
    }

    fn pair(&mut self, (key, value): (Raw, Raw)) -> Option<(Scalar, Node)> {
        let (key, value) = (self.node(key), self.node(value));
        match key.scalar() {
            Some(key) => Some((key, value)),
            None => {
                let message = format!("not valid YAML for {}: a key is a text", self.what);
                self.problems.push(self.source.problem(key.span, message));
                None
            }
        }
    }

    /// The first of each key.
    fn once(&mut self, pairs: Vec<(Scalar, Node)>) -> Vec<(Scalar, Node)> {
        let mut seen = HashSet::new();
        let (mut first, mut again) = (Vec::new(), Vec::new());
        for (key, value) in pairs {
            match seen.insert(key.value.clone()) {
                true => first.push((key, value)),
                false => again.push(key),
            }
        }
        let twice = |key: Scalar| twice(self.source, self.what, key.span, &key.value);
        self.problems.extend(again.into_iter().map(twice));
        first
    }

    /// Puts together the values that commas cut.
    fn whole_pairs(&self, pairs: Vec<(Scalar, Node)>) -> Vec<(Scalar, Node)> {
        let mut whole = Vec::with_capacity(pairs.len());
        let mut rest = pairs.as_slice();
        while let [(key, value), after @ ..] = rest {
            let ends = after.iter().map(|(key, value)| match value.kind {
                Kind::Null => Some((key.span.start, key.span.end)),
                _ => Some((key.span.start, self.plain(value)?.end)),
            });
            let (value, taken) = self.whole(value, ends);
            whole.push((key.clone(), value));
            rest = &after[taken..];
        }
        whole
    }

    /// The same of a list's items.
    fn whole_items(&self, items: Vec<Node>) -> Vec<Node> {
        let mut whole = Vec::with_capacity(items.len());
        let mut rest = items.as_slice();
        while let [item, after @ ..] = rest {
            let ends = after
                .iter()
                .map(|item| self.plain(item).map(|span| (span.start, span.end)));
            let (item, taken) = self.whole(item, ends);
            whole.push(item);
            rest = &after[taken..];
        }
        whole
    }

    /// The node with as many of the pieces after it as it takes to close its parentheses,
    /// and how many these are. `pieces` are where each begins and ends; `None` for what is
    /// no piece of a text.
    fn whole(
        &self,
        node: &Node,
        pieces: impl Iterator<Item = Option<(usize, usize)>>,
    ) -> (Node, usize) {
        let as_it_is = (node.clone(), 0);
        let Some(Range { start, mut end }) = self.plain(node) else {
            return as_it_is;
        };
        if parentheses(self.written(&(start..end))) != Parentheses::Open {
            return as_it_is;
        }
        for (before, piece) in pieces.enumerate() {
            let Some((piece_start, piece_end)) = piece else {
                return as_it_is;
            };
            // What an alias stands for is somewhere else.
            if piece_start < end {
                return as_it_is;
            }
            end = piece_end;
            let text = self.written(&(start..end));
            match parentheses(text) {
                Parentheses::Open => {}
                Parentheses::Closed => {
                    let whole = Node {
                        span: start..end,
                        kind: Kind::Text(text.to_owned()),
                    };
                    return (whole, before + 1);
                }
                Parentheses::Wrong => return as_it_is,
            }
        }
        as_it_is
    }

    /// Where a text stands that has no quotes and is on one line.
    fn plain(&self, node: &Node) -> Option<Range<usize>> {
        match &node.kind {
            Kind::Text(text) if self.written(&node.span) == text => Some(node.span.clone()),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parentheses {
    Open,
    Closed,
    /// One is closed that was not opened.
    Wrong,
}

/// Whether all parentheses are closed, without those in an expression's strings.
fn parentheses(text: &str) -> Parentheses {
    let (mut depth, mut string) = (0, None);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match (string, byte) {
            (Some(_), b'\\') => _ = bytes.next(),
            (Some(quote), _) if byte == quote => string = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => string = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') if depth == 0 => return Parentheses::Wrong,
            (None, b')') => depth -= 1,
            (None, _) => {}
        }
    }
    match depth {
        0 => Parentheses::Closed,
        _ => Parentheses::Open,
    }
}
