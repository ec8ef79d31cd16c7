//! CEL source in, our own syntax tree out: the only file that names the `cel` crate.
//!
//! The crate parses; what it parsed is copied into [`Node`]s that know where they
//! were written. What rules do not have (macros, maps, messages, ...) is refused
//! here, with its place; what only rules have is hidden from the crate by
//! [`mask`](super::mask). Fields and types are not known here.

use super::mask::{Hidden, Masked, mask, string_length};
use super::quantity::Quantity;
use crate::source::Fault;
use cel::common::ast::{CallExpr, Expr, LiteralValue, SourceInfo, operators};
use std::ops::Range;

/// A longer expression is refused: nothing that a person writes comes close, and
/// the parser's time and stack stay bounded.
const MAX_BYTES: usize = 4096;

/// Deeper trees are refused, so that whatever walks one later needs little stack.
const MAX_DEPTH: usize = 64;

const MISSING_IS_FALSE: &str = "a comparison with a field that is missing is false by itself, and `has(x)` tells whether it is there";
const TOO_LARGE: &str = "this number is too large";

/// One node of an expression as written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// Bytes in the expression's source.
    pub span: Range<usize>,
    pub kind: Syntax,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Syntax {
    Bool(bool),
    Int(i64),
    /// Always finite.
    Double(f64),
    /// A number with a unit, such as `500ms`.
    Quantity(Quantity),
    String(String),
    Name(String),
    List(Vec<Node>),
    /// `name(args)`, or `target.name(args)`.
    Call {
        name: String,
        target: Option<Box<Node>>,
        args: Vec<Node>,
    },
    Not(Box<Node>),
    Negate(Box<Node>),
    Binary(Operator, Box<[Node; 2]>),
    /// `condition ? then : otherwise`
    Conditional(Box<[Node; 3]>),
    /// `list[index]`
    Index(Box<[Node; 2]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    And,
    Or,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Operator {
    const ALL: [(&'static str, &'static str, Operator); 14] = [
        (operators::LOGICAL_AND, "&&", Operator::And),
        (operators::LOGICAL_OR, "||", Operator::Or),
        (operators::EQUALS, "==", Operator::Equal),
        (operators::NOT_EQUALS, "!=", Operator::NotEqual),
        (operators::LESS, "<", Operator::Less),
        (operators::LESS_EQUALS, "<=", Operator::LessOrEqual),
        (operators::GREATER, ">", Operator::Greater),
        (operators::GREATER_EQUALS, ">=", Operator::GreaterOrEqual),
        (operators::IN, "in", Operator::In),
        (operators::ADD, "+", Operator::Add),
        (operators::SUBSTRACT, "-", Operator::Subtract),
        (operators::MULTIPLY, "*", Operator::Multiply),
        (operators::DIVIDE, "/", Operator::Divide),
        (operators::MODULO, "%", Operator::Modulo),
    ];

    fn of(function: &str) -> Option<Operator> {
        let found = Self::ALL.iter().find(|(name, ..)| *name == function);
        found.map(|&(_, _, operator)| operator)
    }

    /// As it is written.
    pub fn symbol(self) -> &'static str {
        let found = Self::ALL.iter().find(|(.., operator)| *operator == self);
        found.map_or("", |(_, symbol, _)| symbol)
    }
}

/// Parses one expression.
///
/// # Errors
///
/// The first syntax error, or everything in it that rules do not have.
pub(super) fn parse(source: &str) -> Result<Node, Vec<Fault>> {
    let whole = 0..source.len();
    if source.trim().is_empty() {
        return Err(vec![Fault::new(whole, "the expression is empty")]);
    }
    if source.len() > MAX_BYTES {
        let message = format!("the expression is longer than {MAX_BYTES} bytes");
        return Err(vec![Fault::new(whole, message)]);
    }
    let masked = mask(source)?;
    let program = cel::Program::compile(&masked.text).map_err(|errors| {
        // The rest are mostly echoes of the first that comes from the grammar.
        let grammar = |error: &&cel::ParseError| error.msg.starts_with("Syntax error");
        let first = errors.errors.iter().find(grammar).or(errors.errors.first());
        vec![first.map_or_else(
            || Fault::new(whole.clone(), "the expression cannot be read"),
            |error| syntax_fault(source, &masked.text, error.pos, &error.msg),
        )]
    })?;
    let mut reader = Reader {
        source,
        masked: &masked,
        info: program.source_info(),
        faults: Vec::new(),
        too_deep: false,
    };
    match reader.node(program.expression(), Depth::default()) {
        Some(node) if reader.faults.is_empty() => Ok(node),
        _ => Err(reader.faults),
    }
}

impl Node {
    /// Whether it calls one of these functions.
    pub fn calls(&self, functions: &[&str]) -> bool {
        match &self.kind {
            Syntax::Call {
                name, target: None, ..
            } => functions.contains(&name.as_str()),
            _ => false,
        }
    }
}

struct Reader<'a> {
    source: &'a str,
    masked: &'a Masked,
    info: &'a SourceInfo,
    faults: Vec<Fault>,
    /// Whether that is said already: once is enough.
    too_deep: bool,
}

/// How deep a node stands in the tree.
#[derive(Clone, Copy, Default)]
struct Depth {
    all: usize,
    /// So many of these levels come from operators in a row, `a + b + c`, which nobody calls
    /// nested.
    in_a_row: usize,
}

impl Depth {
    fn below(self) -> Depth {
        let all = self.all + 1;
        Depth { all, ..self }
    }

    fn further(self) -> Depth {
        let in_a_row = self.in_a_row + 1;
        Depth {
            in_a_row,
            ..self.below()
        }
    }
}

impl Reader<'_> {
    /// `None` once a fault is noted.
    fn node(&mut self, written: &cel::parser::Expression, depth: Depth) -> Option<Node> {
        let own = self.span(written.id);
        if depth.all > MAX_DEPTH {
            return self.refuse_depth(own, depth);
        }
        let kind = match &written.expr {
            Expr::Literal(literal) => self.literal(literal, &own)?,
            Expr::Ident(name) => match self.masked.hidden.get(&own.start) {
                Some(Hidden::Quantity(quantity)) => Syntax::Quantity(*quantity),
                _ => Syntax::Name(name.clone()),
            },
            Expr::List(list) => Syntax::List(self.nodes(&list.elements, depth)?),
            Expr::Call(call) => self.call(call, &own, depth)?,
            Expr::Select(select) => {
                let part = &select.field;
                let hint = "what has a name is taken in brackets: `extra[\"name\"]`";
                return self.refuse(own, format!("a field has no part `.{part}`"), Some(hint));
            }
            Expr::Comprehension(_) => {
                let message = "rules have no `all`, `exists`, `exists_one`, `map` or `filter`";
                return self.refuse(own, message, Some("use `in` to look into a list"));
            }
            Expr::Map(_) => return self.refuse(own, "rules have no maps", None),
            Expr::Struct(_) => return self.refuse(own, "rules have no messages", None),
            Expr::Unspecified => return self.refuse(own, "this cannot be read", None),
        };
        let span = kind.children().fold(own, |span, child| {
            span.start.min(child.span.start)..span.end.max(child.span.end)
        });
        let span = whole_span(self.source, span, &kind);
        Some(Node { span, kind })
    }

    fn nodes(&mut self, written: &[cel::parser::Expression], depth: Depth) -> Option<Vec<Node>> {
        // Every one is read, so that the faults of all are noted.
        let nodes: Vec<_> = written
            .iter()
            .map(|w| self.node(w, depth.below()))
            .collect();
        nodes.into_iter().collect()
    }

    /// The two sides of an operator, of which the left one may be the row so far.
    fn sides(&mut self, written: &[cel::parser::Expression], depth: Depth) -> Option<Vec<Node>> {
        let (left, right) = written.split_first()?;
        let left = self.node(left, depth.further());
        let right = self.nodes(right, depth);
        let (left, right) = (left?, right?);
        Some(std::iter::once(left).chain(right).collect())
    }

    fn literal(&mut self, literal: &LiteralValue, own: &Range<usize>) -> Option<Syntax> {
        let what = match literal {
            LiteralValue::Boolean(value) => return Some(Syntax::Bool(*value.inner())),
            LiteralValue::Int(value) => return Some(Syntax::Int(*value.inner())),
            LiteralValue::String(value) => {
                return Some(Syntax::String(value.inner().to_owned()));
            }
            LiteralValue::Double(value) if value.inner().is_finite() => {
                return Some(Syntax::Double(*value.inner()));
            }
            LiteralValue::Double(_) => TOO_LARGE,
            LiteralValue::UInt(_) => {
                let message = "rules have no unsigned numbers";
                return self.refuse(own.clone(), message, Some("leave out the `u`"));
            }
            LiteralValue::Bytes(_) => {
                let message = "rules have no bytes literals";
                let hint = "leave out the `b`: strings are compared by their bytes";
                return self.refuse(own.clone(), message, Some(hint));
            }
            LiteralValue::Null => {
                let message = "rules have no `null`";
                return self.refuse(own.clone(), message, Some(MISSING_IS_FALSE));
            }
        };
        self.refuse(own.clone(), what, None)
    }

    fn call(&mut self, call: &CallExpr, own: &Range<usize>, depth: Depth) -> Option<Syntax> {
        let target = match &call.target {
            Some(target) => Some(Box::new(self.node(target, depth.below())?)),
            None => None,
        };
        let mut args = match Operator::of(&call.func_name) {
            Some(_) => self.sides(&call.args, depth)?,
            None => self.nodes(&call.args, depth)?,
        };
        if target.is_some() {
            let name = call.func_name.clone();
            return Some(Syntax::Call { name, target, args });
        }
        let function = call.func_name.as_str();
        Some(match (function, args.len()) {
            (operators::LOGICAL_NOT, 1) => Syntax::Not(Box::new(args.remove(0))),
            (operators::NEGATE, 1) => Syntax::Negate(Box::new(args.remove(0))),
            (operators::CONDITIONAL, 3) => Syntax::Conditional(array(args)?),
            (operators::INDEX, 2) => Syntax::Index(array(args)?),
            (_, 2) if Operator::of(function).is_some() => {
                Syntax::Binary(Operator::of(function)?, array(args)?)
            }
            (name, _) if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') => {
                // The parser's place of a call is its bracket.
                let before = self.masked.text.get(..own.start).unwrap_or_default();
                let before = before.trim_end();
                let at = before.len().saturating_sub(name.len());
                let hidden = self.masked.hidden.contains_key(&at);
                let written = self.source.get(at..at + name.len());
                let name = written.filter(|_| hidden).unwrap_or(name).to_owned();
                Syntax::Call { name, target, args }
            }
            _ => {
                let text = self.source.get(own.clone()).unwrap_or_default();
                return self.refuse(own.clone(), format!("rules have no `{text}`"), None);
            }
        })
    }

    fn refuse_depth<T>(&mut self, own: Range<usize>, depth: Depth) -> Option<T> {
        if std::mem::replace(&mut self.too_deep, true) {
            return None;
        }
        if depth.in_a_row * 2 <= depth.all {
            let message = format!("the expression is nested more than {MAX_DEPTH} deep");
            return self.refuse(own, message, None);
        }
        let message = format!(
            "the expression has too many operands: more than {MAX_DEPTH} operators in a row"
        );
        let hint = "put parts of it into brackets: `(a + b) + (c + d)`";
        self.refuse(own, message, Some(hint))
    }

    fn refuse<T>(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        hint: Option<&str>,
    ) -> Option<T> {
        let mut fault = Fault::new(span, message);
        fault.hint = hint.map(str::to_owned);
        self.faults.push(fault);
        None
    }

    /// Where a node's own token is: for an operator, the operator alone.
    fn span(&self, id: u64) -> Range<usize> {
        match self.info.offset_for(id) {
            // The crate's end is the last byte's place.
            Some((start, end)) => start as usize..(end as usize + 1).min(self.source.len()),
            None => 0..self.source.len(),
        }
    }
}

impl Node {
    /// Shows this and everything in it.
    pub fn walk<'a>(&'a self, see: &mut impl FnMut(&'a Node)) {
        see(self);
        for child in self.kind.children() {
            child.walk(see);
        }
    }
}

impl Syntax {
    fn children(&self) -> impl Iterator<Item = &Node> {
        let (boxed, many): (Option<&Node>, &[Node]) = match self {
            Syntax::List(nodes) => (None, nodes),
            Syntax::Call { target, args, .. } => (target.as_deref(), args),
            Syntax::Not(node) | Syntax::Negate(node) => (Some(node), &[]),
            Syntax::Binary(_, nodes) | Syntax::Index(nodes) => (None, &nodes[..]),
            Syntax::Conditional(nodes) => (None, &nodes[..]),
            _ => (None, &[]),
        };
        boxed.into_iter().chain(many)
    }
}

/// The crate knows where a node's token is. This adds what stands around it: a
/// function's name, a minus sign, the brackets. Only excerpts depend on it.
fn whole_span(source: &str, span: Range<usize>, kind: &Syntax) -> Range<usize> {
    let Range { mut start, mut end } = span;
    let before = |start: usize| source.get(..start).unwrap_or_default().trim_end();
    match kind {
        Syntax::Call {
            name, target: None, ..
        } if before(start).ends_with(name.as_str()) => {
            start = before(start).len() - name.len();
        }
        Syntax::Int(..0) if before(start).ends_with('-') => start = before(start).len() - 1,
        Syntax::Double(value) if *value < 0.0 && before(start).ends_with('-') => {
            start = before(start).len() - 1;
        }
        _ => {}
    }
    let (mut unopened, mut unclosed) = (0, 0);
    for byte in source.get(start..end).unwrap_or_default().bytes() {
        match byte {
            b'(' | b'[' => unclosed += 1,
            b')' | b']' if unclosed > 0 => unclosed -= 1,
            b')' | b']' => unopened += 1,
            _ => {}
        }
    }
    for _ in 0..unopened {
        if before(start).ends_with(['(', '[']) {
            start = before(start).len() - 1;
        }
    }
    for _ in 0..unclosed {
        let after = source.get(end..).unwrap_or_default();
        let rest = after.trim_start();
        if rest.starts_with([')', ']']) {
            end += after.len() - rest.len() + 1;
        }
    }
    start..end
}

fn array<const N: usize>(nodes: Vec<Node>) -> Option<Box<[Node; N]>> {
    nodes.into_boxed_slice().try_into().ok()
}

/// What the parser says, in words for people who do not know its grammar.
/// `masked` is what it read; `position` is the line and the column in characters there,
/// both from 1.
fn syntax_fault(source: &str, masked: &str, position: (isize, isize), message: &str) -> Fault {
    let at = offset(masked, position);
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let quoted = |text: &str| -> Option<String> {
        let (_, rest) = text.split_once('\'')?;
        let rest = rest.split(" expecting").next()?;
        Some(rest.strip_suffix('\'').unwrap_or(rest).trim().to_owned())
    };
    if message.starts_with("invalid ") && message.ends_with(" literal") {
        let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'.';
        let end = at
            + source.as_bytes()[at..]
                .iter()
                .take_while(|byte| part(byte))
                .count();
        return Fault::new(at..end, TOO_LARGE);
    }
    if let Some(word) = message.strip_prefix("reserved identifier: ") {
        return Fault::new(at..at, format!("`{word}` is a reserved word of CEL"));
    }
    if message.contains("Recursion limit") {
        return Fault::new(0..source.len(), "the expression is nested too deeply");
    }
    if let Some(missing) = message.strip_prefix("missing ") {
        let missing = missing.split(" at ").next().unwrap_or(missing);
        return Fault::new(at..at, format!("missing {}", missing.replace('\'', "`")));
    }
    match quoted(message).as_deref() {
        Some("<EOF>") => Fault::new(at..at, "the expression ends too early"),
        Some(text) if text.starts_with(['\'', '"']) => {
            let end = at + string_length(&source.as_bytes()[at..], false);
            match source[..end].ends_with(&text[..1]) && end > at + 1 {
                true => Fault::new(at..end, "this string has an escape that CEL does not know")
                    .hint("a backslash as it is: `r\"\\d\"` or `\"\\\\d\"`"),
                false => Fault::new(at..source.len(), "this string has no end"),
            }
        }
        Some(text) => {
            // Some messages quote more than what stands at their place.
            let here = masked[at..].starts_with(text);
            let end = if here { at + text.len() } else { at };
            let quoted = if here { Some(at) } else { masked.find(text) };
            let written = quoted.and_then(|at| source.get(at..at + text.len()));
            let fault = Fault::new(at..end, format!("unexpected `{}`", written.unwrap_or(text)));
            match text {
                "=" => fault.hint("equality is written `==`"),
                "=>" => fault.hint("write `>=`"),
                "=<" => fault.hint("write `<=`"),
                "&" | "and" => fault.hint("both conditions: `&&`"),
                "|" | "or" => fault.hint("either condition: `||`"),
                "not" => fault.hint("negation is written `!`"),
                _ => fault,
            }
        }
        None => Fault::new(at..at, message.to_owned()),
    }
}

fn offset(source: &str, (line, column): (isize, isize)) -> usize {
    let (line, column) = (line.max(1) as usize, column.max(1) as usize);
    let start: usize = source
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let rest = source.get(start..).unwrap_or_default();
    let within = rest.char_indices().nth(column - 1);
    start + within.map_or(rest.len(), |(at, _)| at)
}
