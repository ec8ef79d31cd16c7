//! Syntax tree in, typed expression out, or everything that does not fit.

use super::cel::{Node, Operator, Syntax};
use super::expr::{Arithmetic, Bool, Comparison, Double, Int, Number, Text};
use super::lower::Measured;
use super::program::KeyPart;
use super::schema::{SERVICE, Schema, Type, Typed, Unusable};
use crate::haproxy::{ExtraType, Field};
use crate::source::{Fault, did_you_mean, listed};
use std::ops::Range;

/// What a measure computes, over the events that its rule's condition lets through.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Aggregate {
    Count,
    Rate,
    Ratio(Bool),
    Sum(Number),
    Mean(Number),
    Min(Number),
    Max(Number),
    /// Of all values, not an estimate from a sample of them.
    Stddev(Number),
    /// The percentage is from 0 to 100.
    Percentile(Number, f64),
    /// The buckets' upper bounds, ascending; at least one, at most [`MAX_BOUNDS`].
    Histogram(Number, Box<[f64]>),
    Distinct(KeyPart),
    /// The target is above zero.
    Apdex(Number, f64),
    Top {
        value: KeyPart,
        /// What the series of each value are tagged by.
        tag: Box<str>,
        /// How many values, from 1 to [`MAX_TOP`].
        k: usize,
    },
}

/// More buckets are refused: each is a series.
const MAX_BOUNDS: usize = 64;

/// A larger `k` is refused: each value is a series.
const MAX_TOP: usize = 100;

/// Each aggregate and how it is written.
const AGGREGATES: [(&str, &str); 8] = [
    ("count", "count()"),
    ("rate", "rate()"),
    ("ratio", "ratio(condition)"),
    ("sum", "sum(value)"),
    ("mean", "mean(value)"),
    ("min", "min(value)"),
    ("max", "max(value)"),
    ("percentile", "percentile(value, 95)"),
];

/// Each function and how it is written.
const FUNCTIONS: [(&str, &str); 4] = [
    ("startsWith", "text.startsWith(\"x\")"),
    ("endsWith", "text.endsWith(\"x\")"),
    ("contains", "text.contains(\"x\")"),
    ("size", "size(text)"),
];

/// So many of the names that there are instead of an unknown one are shown.
const NAMES_SHOWN: usize = 10;

/// Reads a condition.
pub(super) fn condition(node: &Node, schema: &Schema<'_>) -> Result<Bool, Vec<Fault>> {
    checked(schema, |checker| checker.condition(node))
}

/// Reads an expression for a string.
pub(super) fn text(node: &Node, schema: &Schema<'_>) -> Result<Text, Vec<Fault>> {
    checked(schema, |checker| match checker.typed(node)? {
        Typed::Text(text) => Some(text),
        other => checker.refuse(
            &node.span,
            format!("expected a string, found {}", other.kind()),
        ),
    })
}

/// Reads a measure: exactly one aggregate.
pub(super) fn measure(node: &Node, schema: &Schema<'_>) -> Result<Measured, Vec<Fault>> {
    checked(schema, |checker| {
        checker.aggregate(node).map(Measured::Aggregate)
    })
}

/// Reads an expression to group by.
pub(super) fn key(node: &Node, schema: &Schema<'_>) -> Result<KeyPart, Vec<Fault>> {
    checked(schema, |checker| match checker.typed(node)? {
        Typed::Text(text) => Some(KeyPart::Text(text)),
        Typed::Int(int) => Some(KeyPart::Int(int)),
        Typed::Bool(bool) => Some(KeyPart::Bool(bool)),
        other => checker.refuse(&node.span, format!("cannot group by {}", other.kind())),
    })
}

fn checked<T>(
    schema: &Schema<'_>,
    read: impl FnOnce(&mut Checker<'_>) -> Option<T>,
) -> Result<T, Vec<Fault>> {
    let mut checker = Checker {
        schema,
        faults: Vec::new(),
    };
    match read(&mut checker) {
        Some(typed) if checker.faults.is_empty() => Ok(typed),
        _ => Err(checker.faults),
    }
}

struct Checker<'a> {
    schema: &'a Schema<'a>,
    faults: Vec<Fault>,
}

/// Each method is `None` once a fault is noted. Both sides of an operator are read
/// before either is given up, so that the faults of both are noted.
impl Checker<'_> {
    fn refuse<T>(&mut self, span: &Range<usize>, message: impl Into<String>) -> Option<T> {
        self.faults.push(Fault::new(span.clone(), message));
        None
    }

    fn refuse_with<T>(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Option<T> {
        self.refuse_hinting(span, message, Some(hint.into()))
    }

    fn refuse_hinting<T>(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Option<T> {
        let mut fault = Fault::new(span.clone(), message);
        fault.hint = hint;
        self.faults.push(fault);
        None
    }

    fn typed(&mut self, node: &Node) -> Option<Typed> {
        Some(match &node.kind {
            Syntax::Bool(value) => Typed::Bool(Bool::Const(*value)),
            Syntax::Int(value) => Typed::Int(Int::Const(*value)),
            Syntax::Double(value) => Typed::Double(Double::Const(*value)),
            Syntax::String(value) => Typed::Text(Text::Const(value.as_str().into())),
            Syntax::Name(name) => self.field(node, name)?,
            Syntax::List(_) => {
                return self.refuse(&node.span, "a list of constants stands only after `in`");
            }
            Syntax::Call { name, target, args } => {
                self.call(node, name, target.as_deref(), args)?
            }
            Syntax::Not(inner) => Typed::Bool(Bool::Not(Box::new(self.condition(inner)?))),
            Syntax::Negate(inner) => match self.typed(inner)? {
                Typed::Int(int) => Typed::Int(Int::Negate(Box::new(int))),
                Typed::Double(double) => Typed::Double(Double::Negate(Box::new(double))),
                other => {
                    let message = format!("`-` takes a number, found {}", other.kind());
                    return self.refuse_hinting(&inner.span, message, retyped(&other, Type::Int));
                }
            },
            Syntax::Binary(operator, sides) => self.binary(node, *operator, sides)?,
            Syntax::Conditional(parts) => self.conditional(node, parts)?,
            Syntax::Index(parts) => self.index(parts)?,
        })
    }

    fn condition(&mut self, node: &Node) -> Option<Bool> {
        match self.typed(node)? {
            Typed::Bool(condition) => Some(condition),
            other => {
                let message = format!("expected a condition, found {}", other.kind());
                let hint = retyped(&other, Type::Bool);
                let hint = hint.unwrap_or_else(|| "compare it with something".into());
                self.refuse_with(&node.span, message, hint)
            }
        }
    }

    fn number(&mut self, node: &Node) -> Option<Number> {
        match self.typed(node)? {
            Typed::Int(int) => Some(Number::Int(int)),
            Typed::Double(double) => Some(Number::Double(double)),
            other => {
                let message = format!("expected a number, found {}", other.kind());
                match other {
                    Typed::Bool(_) => self.refuse_with(
                        &node.span,
                        message,
                        "the share of events for which a condition holds is `ratio(condition)`",
                    ),
                    other => self.refuse_hinting(&node.span, message, retyped(&other, Type::Int)),
                }
            }
        }
    }

    fn field(&mut self, node: &Node, name: &str) -> Option<Typed> {
        match self.schema.field(name) {
            Ok(typed) => Some(typed),
            Err(Unusable::Timestamp) => {
                let message =
                    format!("`{name}` is a timestamp, and there is nothing to compare it with");
                self.refuse(&node.span, message)
            }
            Err(Unusable::Unknown) if name == SERVICE => {
                self.refuse(&node.span, "`service` cannot stand for itself")
            }
            Err(Unusable::Unknown) => {
                let message = format!("unknown field `{name}`");
                match did_you_mean(name, self.schema.fields()) {
                    Some(hint) => self.refuse_with(&node.span, message, hint),
                    None => self.refuse_with(&node.span, message, "a string needs quotes"),
                }
            }
        }
    }

    fn binary(&mut self, node: &Node, operator: Operator, sides: &[Node; 2]) -> Option<Typed> {
        let [left, right] = sides;
        if let (Operator::In, Syntax::List(items)) = (operator, &right.kind) {
            return self.within(left, right, items).map(Typed::Bool);
        }
        if matches!(operator, Operator::And | Operator::Or) {
            let (a, b) = (self.condition(left), self.condition(right));
            return Some(Typed::Bool(joined(operator, a?, b?)));
        }
        let (a, b) = (self.typed(left), self.typed(right));
        let (a, b) = (a?, b?);
        if operator == Operator::In {
            return self.captured(right, a, b).map(Typed::Bool);
        }
        match (comparison(operator), arithmetic(operator)) {
            (Some(comparison), _) => self
                .compare(node, operator, comparison, a, b)
                .map(Typed::Bool),
            (_, Some(arithmetic)) => self.compute(node, operator, arithmetic, a, b),
            _ => None,
        }
    }

    fn compare(
        &mut self,
        node: &Node,
        operator: Operator,
        comparison: Comparison,
        a: Typed,
        b: Typed,
    ) -> Option<Bool> {
        let kinds = (a.kind(), b.kind());
        let retyped = retyped(&a, b.kind()).or_else(|| retyped(&b, a.kind()));
        Some(match (a, b) {
            (Typed::Int(a), Typed::Int(b)) => Bool::Ints(comparison, a, b),
            (Typed::Text(a), Typed::Text(b)) => Bool::Texts(comparison, a, b),
            (Typed::Bool(a), Typed::Bool(b)) => match comparison {
                Comparison::Equal => Bool::Same(Box::new((a, b))),
                Comparison::NotEqual => Bool::Not(Box::new(Bool::Same(Box::new((a, b))))),
                _ => {
                    let message = format!("bools have no order for `{}`", operator.symbol());
                    return self.refuse(&node.span, message);
                }
            },
            (a, b) => match (double(a), double(b)) {
                (Some(a), Some(b)) => Bool::Doubles(comparison, a, b),
                _ => {
                    let (a, b) = kinds;
                    let message = format!("`{}` compares {a} with {b}", operator.symbol());
                    return match kinds {
                        _ if retyped.is_some() => self.refuse_hinting(&node.span, message, retyped),
                        (Type::String, Type::Int | Type::Double)
                        | (Type::Int | Type::Double, Type::String) => self.refuse_with(
                            &node.span,
                            message,
                            "a number is written without quotes, a string with them",
                        ),
                        (Type::Strings, _) | (_, Type::Strings) => self.refuse_with(
                            &node.span,
                            message,
                            "take one of the list, such as `request_headers[0]`, or use `in`",
                        ),
                        (Type::Map, _) | (_, Type::Map) => self.refuse_with(
                            &node.span,
                            message,
                            "take one of its fields, such as `extra[\"name\"]`",
                        ),
                        _ => self.refuse(&node.span, message),
                    };
                }
            },
        })
    }

    fn compute(
        &mut self,
        node: &Node,
        operator: Operator,
        arithmetic: Arithmetic,
        a: Typed,
        b: Typed,
    ) -> Option<Typed> {
        let (left, right) = (a.kind(), b.kind());
        let retyped = retyped(&a, Type::Int).or_else(|| retyped(&b, Type::Int));
        let symbol = operator.symbol();
        Some(match (a, b) {
            (Typed::Int(a), Typed::Int(b)) => {
                Typed::Int(Int::Arithmetic(arithmetic, Box::new((a, b))))
            }
            (a, b) => match (double(a), double(b)) {
                (Some(_), Some(_)) if arithmetic == Arithmetic::Modulo => {
                    return self.refuse(&node.span, "`%` takes whole numbers");
                }
                (Some(a), Some(b)) => {
                    Typed::Double(Double::Arithmetic(arithmetic, Box::new((a, b))))
                }
                _ => {
                    let message = format!("`{symbol}` takes numbers, found {left} and {right}");
                    return self.refuse_hinting(&node.span, message, retyped);
                }
            },
        })
    }

    /// `value in [constants]`
    fn within(&mut self, left: &Node, list: &Node, items: &[Node]) -> Option<Bool> {
        let value = self.typed(left);
        let mut constants = Vec::with_capacity(items.len());
        for item in items {
            match &item.kind {
                Syntax::Int(_) | Syntax::Double(_) | Syntax::String(_) => {
                    constants.push(self.typed(item)?);
                }
                _ => {
                    let message = "a list after `in` holds numbers or strings as they are";
                    let hint = "compare with each: `a == b || a == c`";
                    return self.refuse_with(&item.span, message, hint);
                }
            }
        }
        let value = value?;
        let kind = value.kind();
        let same_kind = |constant: &Typed| match kind {
            Type::Int | Type::Double => matches!(constant, Typed::Int(_) | Typed::Double(_)),
            kind => constant.kind() == kind,
        };
        if let Some(at) = constants.iter().position(|constant| !same_kind(constant)) {
            let other = constants[at].kind();
            let message = format!("`in` looks for {kind} and finds {other}");
            return self.refuse_hinting(&items[at].span, message, retyped(&value, other));
        }
        if let Typed::Text(value) = value {
            let texts = constants.into_iter().filter_map(|constant| match constant {
                Typed::Text(Text::Const(text)) => Some(text),
                _ => None,
            });
            return Some(Bool::TextIn(value, texts.collect()));
        }
        if let Typed::Int(value) = value.clone() {
            let ints = constants.iter().map(|constant| match constant {
                Typed::Int(Int::Const(int)) => Some(*int),
                _ => None,
            });
            if let Some(ints) = ints.collect() {
                return Some(Bool::IntIn(value, ints));
            }
        }
        let doubles = constants.into_iter().filter_map(|constant| match constant {
            Typed::Int(Int::Const(int)) => Some(int as f64),
            Typed::Double(Double::Const(double)) => Some(double),
            _ => None,
        });
        let doubles = doubles.collect();
        match double(value) {
            Some(value) => Some(Bool::DoubleIn(value, doubles)),
            None => self.refuse(&list.span, format!("`in` cannot look for {kind}")),
        }
    }

    /// `text in request_headers`
    fn captured(&mut self, right: &Node, value: Typed, list: Typed) -> Option<Bool> {
        match (value, list) {
            (Typed::Text(value), Typed::List(field)) => Some(Bool::TextInField(value, field)),
            (value, Typed::List(_)) => {
                let message = format!("`in` looks for {} in a list of strings", value.kind());
                self.refuse(&right.span, message)
            }
            (_, other) => {
                let message = format!("`in` looks into a list, found {}", other.kind());
                let hint = match other {
                    Typed::Map => "compare one of its fields: `extra[\"name\"] == \"x\"`",
                    _ => "a part of a string: `a.contains(b)`",
                };
                self.refuse_with(&right.span, message, hint)
            }
        }
    }

    fn conditional(&mut self, node: &Node, parts: &[Node; 3]) -> Option<Typed> {
        let [condition, then, otherwise] = parts;
        let condition = self.condition(condition);
        let (then, otherwise) = (self.typed(then), self.typed(otherwise));
        let (condition, then, otherwise) = (condition?, then?, otherwise?);
        let kinds = (then.kind(), otherwise.kind());
        Some(match (then, otherwise) {
            (Typed::Bool(a), Typed::Bool(b)) => Typed::Bool(Bool::If(Box::new((condition, a, b)))),
            (Typed::Int(a), Typed::Int(b)) => Typed::Int(Int::If(Box::new((condition, a, b)))),
            (Typed::Text(a), Typed::Text(b)) => Typed::Text(Text::If(Box::new((condition, a, b)))),
            (a, b) => match (double(a), double(b)) {
                (Some(a), Some(b)) => Typed::Double(Double::If(Box::new((condition, a, b)))),
                _ => {
                    let (a, b) = kinds;
                    let message = format!("`? :` chooses between {a} and {b}");
                    return self.refuse(&node.span, message);
                }
            },
        })
    }

    fn index(&mut self, parts: &[Node; 2]) -> Option<Typed> {
        let [whole, index] = parts;
        match (self.typed(whole)?, &index.kind) {
            (Typed::List(field), Syntax::Int(at)) if *at >= 0 => {
                let at = usize::try_from(*at).unwrap_or(usize::MAX);
                Some(Typed::Text(Text::Capture(field, at)))
            }
            (Typed::List(field), Syntax::String(name)) => self.header(field, index, name),
            (Typed::List(field), _) => {
                let list = field.name();
                self.refuse_with(
                    &index.span,
                    "a captured header is taken by its position or its name, as it is",
                    format!("`{list}[0]` or `{list}[\"Host\"]`"),
                )
            }
            (Typed::Map, Syntax::String(name)) => self.extra(index, name),
            (Typed::Map, _) => self.refuse_with(
                &index.span,
                "a field of a custom format is taken by its name, as it is",
                "`extra[\"name\"]`",
            ),
            (other, _) => {
                let message = format!("only a list or a map has parts, found {}", other.kind());
                self.refuse(&whole.span, message)
            }
        }
    }

    /// `request_headers["Host"]`
    fn header(&mut self, field: Field, index: &Node, name: &str) -> Option<Typed> {
        let known: Vec<&str> = self
            .schema
            .names
            .headers(field)
            .iter()
            .map(|n| &**n)
            .collect();
        if self.schema.names.known && !known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            let side = match field {
                Field::ResponseHeaders => "response",
                _ => "request",
            };
            let message = format!("no frontend captures the {side} header `{name}`");
            let hint = instead(name, &known).unwrap_or_else(|| {
                let list = field.name();
                format!("without names in the configuration, a header is taken by its position: `{list}[0]`")
            });
            return self.refuse_with(&index.span, message, hint);
        }
        Some(Typed::Text(Text::Header(field, name.into())))
    }

    /// `extra["name"]`
    fn extra(&mut self, index: &Node, name: &str) -> Option<Typed> {
        let names = self.schema.names;
        if !names.known {
            return Some(Typed::extra(name, ExtraType::String));
        }
        let mut same = names.extra.iter().filter(|field| &*field.name == name);
        let Some(first) = same.next() else {
            let mut known: Vec<&str> = names.extra.iter().map(|field| &*field.name).collect();
            known.sort_unstable();
            known.dedup();
            let message = format!("no log format has a field `{name}`");
            let hint = match Field::by_name(name) {
                Some(_) => format!("`{name}` is a field of its own, without `extra`"),
                None => instead(name, &known)
                    .unwrap_or_else(|| "a log format names its fields: `%(name)[...]`".into()),
            };
            return self.refuse_with(&index.span, message, hint);
        };
        let typed = Typed::extra(name, first.extra_type);
        match same.find(|field| field.extra_type != first.extra_type) {
            None => Some(typed),
            Some(other) => {
                let (a, b) = (typed.kind(), Typed::extra(name, other.extra_type).kind());
                let message = format!("`{name}` is {a} in one log format and {b} in another");
                self.refuse_with(&index.span, message, "give it one type in all of them")
            }
        }
    }

    fn call(
        &mut self,
        node: &Node,
        name: &str,
        target: Option<&Node>,
        args: &[Node],
    ) -> Option<Typed> {
        match (name, target, args) {
            ("size", None, [of]) | ("size", Some(of), []) => match self.typed(of)? {
                Typed::Text(text) => Some(Typed::Int(Int::Length(Box::new(text)))),
                Typed::List(field) => Some(Typed::Int(Int::Count(field))),
                other => {
                    let message = format!("{} has no size", other.kind());
                    self.refuse(&of.span, message)
                }
            },
            ("startsWith" | "endsWith" | "contains", Some(target), [part]) => {
                let (a, b) = (self.string(target), self.string(part));
                let (a, b) = (a?, b?);
                Some(Typed::Bool(match name {
                    "startsWith" => Bool::StartsWith(a, b),
                    "endsWith" => Bool::EndsWith(a, b),
                    _ => Bool::Contains(a, b),
                }))
            }
            _ => self.unknown_call(node, name),
        }
    }

    fn string(&mut self, node: &Node) -> Option<Text> {
        match self.typed(node)? {
            Typed::Text(text) => Some(text),
            other => self.refuse(
                &node.span,
                format!("expected a string, found {}", other.kind()),
            ),
        }
    }

    fn unknown_call<T>(&mut self, node: &Node, name: &str) -> Option<T> {
        if let Some((_, usage)) = FUNCTIONS.iter().find(|(known, _)| *known == name) {
            let message = format!("`{name}` is written `{usage}`");
            return self.refuse(&node.span, message);
        }
        if AGGREGATES.iter().any(|(known, _)| *known == name) {
            let message = format!("`{name}` is an aggregate of many events");
            let hint = "an aggregate stands alone, as a measure: `measure: { name: rate() }`";
            return self.refuse_with(&node.span, message, hint);
        }
        let message = format!("unknown function `{name}`");
        let hint = did_you_mean(name, FUNCTIONS.map(|(known, _)| known))
            .unwrap_or_else(|| format!("the functions are {}", usages(&FUNCTIONS)));
        self.refuse_with(&node.span, message, hint)
    }

    fn aggregate(&mut self, node: &Node) -> Option<Aggregate> {
        let Syntax::Call {
            name,
            target: None,
            args,
        } = &node.kind
        else {
            let hint = format!("the aggregates are {}", usages(&AGGREGATES));
            return self.refuse_with(&node.span, "a measure is exactly one aggregate", hint);
        };
        Some(match (name.as_str(), args.as_slice()) {
            ("count", []) => Aggregate::Count,
            ("rate", []) => Aggregate::Rate,
            ("ratio", [condition]) => Aggregate::Ratio(self.condition(condition)?),
            ("sum", [value]) => Aggregate::Sum(self.number(value)?),
            ("mean", [value]) => Aggregate::Mean(self.number(value)?),
            ("min", [value]) => Aggregate::Min(self.number(value)?),
            ("max", [value]) => Aggregate::Max(self.number(value)?),
            ("percentile", [value, percentage]) => {
                let (value, q) = (self.number(value), self.percentage(percentage));
                Aggregate::Percentile(value?, q?)
            }
            (name, _) => {
                if let Some((_, usage)) = AGGREGATES.iter().find(|(known, _)| *known == name) {
                    return self.refuse(&node.span, format!("`{name}` is written `{usage}`"));
                }
                let message = format!("unknown aggregate `{name}`");
                let hint = did_you_mean(name, AGGREGATES.map(|(known, _)| known))
                    .unwrap_or_else(|| format!("the aggregates are {}", usages(&AGGREGATES)));
                return self.refuse_with(&node.span, message, hint);
            }
        })
    }

    fn percentage(&mut self, node: &Node) -> Option<f64> {
        let percentage = match node.kind {
            Syntax::Int(value) => Some(value as f64),
            Syntax::Double(value) => Some(value),
            _ => None,
        };
        match percentage {
            Some(percentage) if (0.0..=100.0).contains(&percentage) => Some(percentage),
            _ => self.refuse(
                &node.span,
                "a percentage is a number from 0 to 100, as it is",
            ),
        }
    }
}

/// `a && b && c` is one node, whatever the parser made of it.
fn joined(operator: Operator, a: Bool, b: Bool) -> Bool {
    let mut terms = Vec::new();
    for side in [a, b] {
        match (operator, side) {
            (Operator::And, Bool::All(inner)) | (Operator::Or, Bool::Any(inner)) => {
                terms.extend(inner);
            }
            (_, side) => terms.push(side),
        }
    }
    match operator {
        Operator::And => Bool::All(terms.into()),
        _ => Bool::Any(terms.into()),
    }
}

/// Whole numbers stand in for fractions: the one place where rules allow more than
/// CEL, in which `Tr > 1.5` is an error for an int `Tr`.
fn double(typed: Typed) -> Option<Double> {
    match typed {
        Typed::Int(Int::Const(value)) => Some(Double::Const(value as f64)),
        Typed::Int(int) => Some(Double::Of(int)),
        Typed::Double(double) => Some(double),
        _ => None,
    }
}

fn comparison(operator: Operator) -> Option<Comparison> {
    Some(match operator {
        Operator::Equal => Comparison::Equal,
        Operator::NotEqual => Comparison::NotEqual,
        Operator::Less => Comparison::Less,
        Operator::LessOrEqual => Comparison::LessOrEqual,
        Operator::Greater => Comparison::Greater,
        Operator::GreaterOrEqual => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn arithmetic(operator: Operator) -> Option<Arithmetic> {
    Some(match operator {
        Operator::Add => Arithmetic::Add,
        Operator::Subtract => Arithmetic::Subtract,
        Operator::Multiply => Arithmetic::Multiply,
        Operator::Divide => Arithmetic::Divide,
        Operator::Modulo => Arithmetic::Modulo,
        _ => return None,
    })
}

/// How a field of a custom format that is a string could be what is wanted instead:
/// HAProxy's format gives types since 3.0. `None` for anything else.
fn retyped(found: &Typed, wanted: Type) -> Option<String> {
    let Typed::Text(Text::Extra(name)) = found else {
        return None;
    };
    let output = match wanted {
        Type::Int | Type::Double => "sint",
        Type::Bool => "bool",
        _ => return None,
    };
    // A field without a name of its own goes by its expression.
    let part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let (name, expression) = match name.chars().all(part_of_name) {
        true => (&**name, "..."),
        false => ("name", &**name),
    };
    Some(format!(
        "give it a type in the log format: `%({name}:{output})[{expression}]`"
    ))
}

/// What may have been meant; `None` where there is nothing to name.
fn instead(name: &str, known: &[&str]) -> Option<String> {
    if known.is_empty() {
        return None;
    }
    let meant = did_you_mean(name, known.iter().copied());
    Some(meant.unwrap_or_else(|| match known.get(..NAMES_SHOWN) {
        Some(shown) if shown.len() < known.len() => {
            let more = known.len() - shown.len();
            format!("the names are `{}` and {more} more", shown.join("`, `"))
        }
        _ => format!("the names are {}", listed(known)),
    }))
}

fn usages(known: &[(&str, &str)]) -> String {
    let usages: Vec<_> = known.iter().map(|(_, usage)| *usage).collect();
    listed(&usages)
}
