//! The tree that a file is, each node with its place: the only file that names the YAML
//! crate, of which the parser is used.

use super::{hint, whole};
use crate::source::{Notes, Problem, Scalar, Source};
use serde_saphyr::granit_parser::{
    Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, Tag,
};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

// Ten thousand rules stay below these; a file of aliases that multiply each other does not.
const MAX_NODES: usize = 250_000;
const MAX_ALIASES: usize = 1000;
const MAX_DEPTH: usize = 16;

/// The key of pairs that are added to those that it stands among.
const MERGE: &str = "<<";

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
    /// What is wrong with it is noted.
    Wrong,
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

    /// How many nodes it is, and how deep.
    fn size(&self) -> (usize, usize) {
        let add = |(size, depth): (usize, usize), node: &Node| {
            let (own, deep) = node.size();
            (size + own, depth.max(deep))
        };
        let (size, depth) = match &self.kind {
            Kind::List(items) => items.iter().fold((0, 0), add),
            Kind::Map(pairs) => pairs
                .iter()
                .map(|(_, node)| node)
                .fold((0, 0), |all, node| {
                    let (size, depth) = add(all, node);
                    (size + 1, depth)
                }),
            _ => (0, 0),
        };
        (size + 1, depth + 1)
    }
}

/// Reads a file of one document.
pub(super) fn read<'a>(source: &'a Source, what: &str) -> Result<(Node, Notes<'a>), Box<Problem>> {
    let mut options = Options::default();
    options.emit_unresolved_aliases = true;
    let mut composer = Composer {
        events: Parser::new_from_str_with_options(&source.text, options),
        source,
        what,
        notes: Notes::new(source),
        anchors: HashMap::new(),
        nodes: 0,
        aliases: 0,
    };
    let node = composer.document()?;
    Ok((node, composer.notes))
}

struct Composer<'a, 'w> {
    events: Parser<'a, StrInput<'a>>,
    source: &'a Source,
    what: &'w str,
    notes: Notes<'a>,
    /// What an alias stands for, by its anchor; how many nodes it is, and how deep.
    anchors: HashMap<usize, (Node, (usize, usize))>,
    nodes: usize,
    aliases: usize,
}

type Read<T> = Result<T, Box<Problem>>;

impl<'a> Composer<'a, '_> {
    fn document(&mut self) -> Read<Node> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                _ if root.is_some() => {
                    let hint = "one file holds one document: put all rules under one `rules:`";
                    let problem = self.problem(span, "a second document begins here");
                    return Err(Box::new(problem.hint(hint)));
                }
                event => root = Some(self.node(event, span, 1)?),
            }
        }
        Ok(root.unwrap_or(Node {
            span: 0..0,
            kind: Kind::Null,
        }))
    }

    fn next(&mut self) -> Read<(Event<'a>, Range<usize>)> {
        match self.events.next_event() {
            Some(Ok((event, span))) => {
                let tag = span.tag_start();
                let span = bytes(span);
                let tag = tag.and_then(|tag| tag.byte_offset());
                Ok((
                    event,
                    tag.map_or(span.start, |tag| tag.min(span.start))..span.end,
                ))
            }
            Some(Err(error)) => Err(Box::new(self.not_yaml(&error))),
            None => Ok((Event::StreamEnd, 0..0)),
        }
    }

    /// The node that begins with that event.
    fn node(&mut self, event: Event<'a>, span: Range<usize>, depth: usize) -> Read<Node> {
        self.count(1, depth, &span)?;
        let (kind, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = match self.tagged(&span, tag.as_deref()) {
                    Some(problem) => {
                        self.notes.problems.push(problem);
                        Kind::Wrong
                    }
                    None if tag.is_none() && style == ScalarStyle::Plain && is_null(&text) => {
                        Kind::Null
                    }
                    None => Kind::Text(text.into_owned()),
                };
                (kind, anchor)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.notes
                    .problems
                    .extend(self.tagged(&span, tag.as_deref()));
                let items = self.items(depth)?;
                let items = match style {
                    StructureStyle::Flow => whole::items(&self.source.text, items),
                    StructureStyle::Block => items,
                };
                (Kind::List(items), anchor)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.notes
                    .problems
                    .extend(self.tagged(&span, tag.as_deref()));
                let pairs = self.pairs(depth)?;
                let pairs = match style {
                    StructureStyle::Flow => whole::pairs(&self.source.text, pairs),
                    StructureStyle::Block => pairs,
                };
                let pairs = self.once(pairs);
                (Kind::Map(self.merged(pairs)), anchor)
            }
            Event::Alias(anchor) => return self.alias(anchor, &span, depth),
            Event::UnresolvedAlias(name) => {
                let message = format!("there is no `&{name}` before this");
                let problem = self.problem(span.clone(), &message);
                self.notes
                    .problems
                    .push(problem.hint("a text that begins with `*` needs quotes"));
                (Kind::Wrong, 0)
            }
            // The parser gives no others where a node can stand.
            _ => (Kind::Null, 0),
        };
        let node = Node { span, kind };
        if anchor != 0 {
            let size = node.size();
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    fn items(&mut self, depth: usize) -> Read<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd | Event::StreamEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn pairs(&mut self, depth: usize) -> Read<Vec<(Scalar, Node)>> {
        let mut pairs = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd | Event::StreamEnd) {
                return Ok(pairs);
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            match key.scalar() {
                Some(key) => pairs.push((key, value)),
                None if key.kind == Kind::Wrong => {}
                None => {
                    let problem = self.problem(key.span, "a key is a text");
                    self.notes.problems.push(problem);
                }
            }
        }
    }

    fn alias(&mut self, anchor: usize, span: &Range<usize>, depth: usize) -> Read<Node> {
        self.aliases += 1;
        let Some((node, (size, deep))) = self.anchors.get(&anchor) else {
            let message = "an alias cannot stand inside of what it stands for";
            let problem = self.problem(span.clone(), message);
            self.notes.problems.push(problem);
            return Ok(Node {
                span: span.clone(),
                kind: Kind::Wrong,
            });
        };
        let (node, size, deep) = (node.clone(), *size, *deep);
        self.count(size, depth + deep - 1, span)?;
        Ok(node)
    }

    fn count(&mut self, nodes: usize, depth: usize, span: &Range<usize>) -> Read<()> {
        self.nodes += nodes;
        if self.nodes <= MAX_NODES && self.aliases <= MAX_ALIASES && depth <= MAX_DEPTH {
            return Ok(());
        }
        let message = "the file is too large or nested too deeply, its aliases written out";
        let problem = self.problem(span.clone(), message);
        Err(Box::new(
            problem.hint("spread the rules over several files"),
        ))
    }

    /// The first of each key.
    fn once(&mut self, pairs: Vec<(Scalar, Node)>) -> Vec<(Scalar, Node)> {
        let mut seen = HashSet::new();
        let mut first = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            if seen.insert(key.value.clone()) {
                first.push((key, value));
            } else {
                let message = format!("the key `{}` appears twice", key.value);
                let problem = self.problem(key.span, &message);
                self.notes.problems.push(problem);
            }
        }
        first
    }

    /// With the pairs that `<<` stands for, where their keys are not there already.
    fn merged(&mut self, pairs: Vec<(Scalar, Node)>) -> Vec<(Scalar, Node)> {
        let (merge, mut pairs): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(key, _)| {
            key.value == MERGE && self.source.text[key.span.clone()] == *MERGE
        });
        for (key, node) in merge {
            let nodes = match node.kind {
                Kind::List(nodes) => nodes,
                _ => vec![node],
            };
            for node in nodes {
                let Kind::Map(more) = node.kind else {
                    let problem =
                        self.problem(key.span.clone(), "`<<` stands for `key: value` pairs");
                    self.notes.problems.push(problem);
                    continue;
                };
                for (key, value) in more {
                    if pairs.iter().all(|(known, _)| known.value != key.value) {
                        pairs.push((key, value));
                    }
                }
            }
        }
        pairs
    }

    /// What is wrong with a tag: `where: !tls` would lose its `!tls` as one that nobody knows.
    fn tagged(&self, span: &Range<usize>, tag: Option<&Tag>) -> Option<Problem> {
        let tag = tag.filter(|tag| !tag.is_yaml_core_schema())?;
        let tag = tag.original();
        let span = span.start..span.start + tag.len();
        let problem = self.problem(span, &format!("unknown tag `{tag}`"));
        Some(problem.hint("a condition that begins with `!` needs quotes"))
    }

    fn problem(&self, span: Range<usize>, message: &str) -> Problem {
        let message = format!("not valid YAML for {}: {message}", self.what);
        self.source.problem(span, message)
    }

    fn not_yaml(&self, error: &ScanError) -> Problem {
        let at = error.marker().byte_offset().unwrap_or_default();
        let at = at.min(self.source.text.len());
        let text = error.kind().to_string();
        let problem = self.problem(at..at, &text);
        let (before, after) = self.source.text.split_at_checked(at).unwrap_or_default();
        match hint::of(&text, before, after) {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

fn bytes(span: Span) -> Range<usize> {
    let start = span.start.byte_offset().unwrap_or_default();
    start..span.end.byte_offset().unwrap_or(start).max(start)
}

/// YAML 1.2, "Core Schema", of what has neither quotes nor a tag.
fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}
