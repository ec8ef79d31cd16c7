//! Syntax tree in, typed expression out, or everything that does not fit.

mod address;
mod aggregate;
mod presence;

pub(super) use aggregate::{Aggregate, measure, unit};

use super::address::{Address, Property};
use super::cel::{Node, Operator, Syntax};
use super::expr::{Arithmetic, Bool, Comparison, Double, Int, Number, Text};
use super::pattern::Pattern;
use super::program::KeyPart;
use super::quantity::{Quantity, Unit};
use super::schema::{ROUTE, SERVICE, Schema, Type, Typed, Unusable, VALUE};
use crate::haproxy::{ExtraType, Field};
use crate::source::{Fault, did_you_mean, listed};
use std::ops::Range;

/// Each function and how it is written.
const FUNCTIONS: [(&str, &str); 14] = [
    ("startsWith", "text.startsWith(\"x\")"),
    ("endsWith", "text.endsWith(\"x\")"),
    ("contains", "text.contains(\"x\")"),
    ("matches", "text.matches(\"regex\")"),
    ("size", "size(text)"),
    ("has", "has(field)"),
    ("duration", "duration(\"500ms\")"),
    ("cidr", "cidr(\"10.0.0.0/8\")"),
    ("containsIP", "cidr(\"10.0.0.0/8\").containsIP(text)"),
    ("isIP", "isIP(text)"),
    ("ip", "ip(text)"),
    ("isLoopback", "ip(text).isLoopback()"),
    ("isPrivate", "ip(text).isPrivate()"),
    ("family", "ip(text).family()"),
];

const SAME_UNIT: &str = "a duration goes with timers, as in `Tr > 500ms`, and a size with bytes, as in `bytes_read > 1MB`";

/// So many of the names that there are instead of an unknown one are shown.
const NAMES_SHOWN: usize = 10;

/// Reads a condition.
pub(super) fn condition(node: &Node, schema: &Schema<'_>) -> Result<Bool, Vec<Fault>> {
    checked(schema, |checker| checker.condition(node))
}

/// Reads an expression for a string.
pub(super) fn text(node: &Node, schema: &Schema<'_>) -> Result<Text, Vec<Fault>> {
    checked(schema, |checker| checker.string(node))
}

/// Reads what a rule's `value` stands for: something that aggregates take.
pub(super) fn value(node: &Node, schema: &Schema<'_>) -> Result<Typed, Vec<Fault>> {
    checked(schema, |checker| match checker.typed(node)? {
        typed @ (Typed::Bool(_) | Typed::Int(_) | Typed::Double(_) | Typed::Text(_)) => Some(typed),
        other => {
            let message = format!(
                "a value is a number, a string or a bool, found {}",
                other.kind()
            );
            let hint = part_of(&other);
            checker.refuse_hinting(&node.span, message, hint)
        }
    })
}

/// Reads an expression to group by.
pub(super) fn key(node: &Node, schema: &Schema<'_>) -> Result<KeyPart, Vec<Fault>> {
    checked(schema, |checker| checker.key(node))
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
            Syntax::Quantity(quantity) => Number::from(*quantity).into(),
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
                let hint = hint.unwrap_or_else(|| match other {
                    Typed::Network(_) => address::IN_A_NETWORK.into(),
                    _ => "compare it with something".into(),
                });
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
            Err(Unusable::Unknown) if name == VALUE => self.refuse_with(
                &node.span,
                "`value` stands for nothing here",
                "a rule's key `value` gives it a meaning, in that rule's measures",
            ),
            Err(Unusable::Unknown) if name == ROUTE => self.refuse_with(
                &node.span,
                "`route` needs the rule's `routes` here",
                "list them: `routes: [\"/v1/users/:id\"]`; without them, `route` is only by what a rule groups: `by: [route]`",
            ),
            Err(Unusable::Unknown) => {
                let message = format!("unknown field `{name}`");
                match did_you_mean(name, self.schema.fields()) {
                    Some(hint) => self.refuse_with(&node.span, message, hint),
                    None => {
                        let function = FUNCTIONS.iter().find(|(known, _)| *known == name);
                        let hint = match function {
                            Some((_, usage)) => format!("the function is written `{usage}`"),
                            None => "a string needs quotes".to_owned(),
                        };
                        self.refuse_with(&node.span, message, hint)
                    }
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
            return self.contained(sides, a, b).map(Typed::Bool);
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
        self.same_unit(&node.span, operator.symbol(), a.unit(), b.unit())?;
        let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        Some(match (a, b) {
            (Typed::Int(a), Typed::Int(b)) => Bool::Ints(comparison, a, b),
            (Typed::Text(Text::Const(text)), Typed::Text(_))
            | (Typed::Text(_), Typed::Text(Text::Const(text)))
                if !ordered && address::is_network(&text) =>
            {
                return self.network_as_text(&node.span, &text);
            }
            (Typed::Text(a), Typed::Text(b)) => Bool::Texts(comparison, a, b),
            (Typed::Bool(_), Typed::Bool(_)) if ordered => {
                let message = format!("bools have no order for `{}`", operator.symbol());
                return self.refuse(&node.span, message);
            }
            (Typed::Bool(a), Typed::Bool(b)) => {
                let same = Bool::Same(Box::new((a, b)));
                match comparison {
                    Comparison::NotEqual => Bool::Not(Box::new(same)),
                    _ => same,
                }
            }
            (Typed::Address(_), Typed::Address(_)) if ordered => {
                let message = format!("addresses have no order for `{}`", operator.symbol());
                let hint = "a range of them is a network: `client_ip in cidr(\"10.0.0.0/8\")`";
                return self.refuse_with(&node.span, message, hint);
            }
            (Typed::Address(a), Typed::Address(b)) => Bool::Addresses(comparison, a, b),
            (a, b) => match (double(a), double(b)) {
                (Some(a), Some(b)) => Bool::Doubles(comparison, a, b),
                _ => return self.incomparable(&node.span, operator, kinds, retyped),
            },
        })
    }

    fn incomparable<T>(
        &mut self,
        span: &Range<usize>,
        operator: Operator,
        kinds: (Type, Type),
        retyped: Option<String>,
    ) -> Option<T> {
        let (a, b) = kinds;
        let message = format!("`{}` compares {a} with {b}", operator.symbol());
        let hint = match kinds {
            (Type::String, Type::Int | Type::Double) | (Type::Int | Type::Double, Type::String) => {
                Some("a number is written without quotes, a string with them")
            }
            (Type::Strings, _) | (_, Type::Strings) => {
                Some("take one of the list, such as `request_headers[0]`, or use `in`")
            }
            (Type::Map, _) | (_, Type::Map) => {
                Some("take one of its fields, such as `extra[\"name\"]`")
            }
            (Type::Network, _) | (_, Type::Network) => Some(address::IN_A_NETWORK),
            (Type::Address, Type::String) | (Type::String, Type::Address) => {
                Some("a string is made an address by `ip(text)`")
            }
            _ => None,
        };
        self.refuse_hinting(span, message, retyped.or(hint.map(str::to_owned)))
    }

    /// Notes a fault where numbers of two units meet.
    fn same_unit(&mut self, span: &Range<usize>, symbol: &str, a: Unit, b: Unit) -> Option<()> {
        if a.fits(b) {
            return Some(());
        }
        let message = format!("`{symbol}` mixes {a} with {b}");
        self.refuse_with(span, message, SAME_UNIT)
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
        if !matches!(arithmetic, Arithmetic::Multiply | Arithmetic::Divide) {
            self.same_unit(&node.span, symbol, a.unit(), b.unit())?;
        }
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
        if items.iter().any(|item| item.calls(&["cidr", "ip"])) {
            return self.within_networks(left, value, items);
        }
        let mut constants = Vec::with_capacity(items.len());
        for item in items {
            match &item.kind {
                Syntax::Int(_) | Syntax::Double(_) | Syntax::Quantity(_) | Syntax::String(_) => {
                    constants.push(self.typed(item)?);
                }
                _ if item.calls(&["duration"]) => constants.push(self.typed(item)?),
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
            let hint = retyped(&value, other).or_else(|| {
                let address = kind == Type::Address && other == Type::String;
                address.then(|| "an address in a list is `ip(\"10.0.0.1\")`".to_owned())
            });
            return self.refuse_hinting(&items[at].span, message, hint);
        }
        for (item, constant) in items.iter().zip(&constants) {
            self.same_unit(&item.span, "in", value.unit(), constant.unit())?;
        }
        if let Typed::Text(value) = value {
            let mut texts = Vec::with_capacity(constants.len());
            for (item, constant) in items.iter().zip(constants) {
                match constant {
                    Typed::Text(Text::Const(text)) if address::is_network(&text) => {
                        return self.network_as_text(&item.span, &text);
                    }
                    Typed::Text(Text::Const(text)) => texts.push(text),
                    _ => {}
                }
            }
            return Some(Bool::TextIn(value, texts.into()));
        }
        if let Typed::Int(value) = value.clone() {
            let ints = constants.iter().map(|constant| match constant {
                Typed::Int(Int::Const(int) | Int::Quantity(int, _)) => Some(*int),
                _ => None,
            });
            if let Some(ints) = ints.collect() {
                return Some(Bool::IntIn(value, ints));
            }
        }
        let doubles = constants.into_iter().filter_map(|constant| match constant {
            Typed::Int(Int::Const(int) | Int::Quantity(int, _)) => Some(int as f64),
            Typed::Double(Double::Const(double) | Double::Quantity(double, _)) => Some(double),
            _ => None,
        });
        let doubles = doubles.collect();
        match double(value) {
            Some(value) => Some(Bool::DoubleIn(value, doubles)),
            None => self.refuse(&list.span, format!("`in` cannot look for {kind}")),
        }
    }

    /// `text in request_headers`, `text in cidr("10.0.0.0/8")`
    fn contained(&mut self, sides: &[Node; 2], value: Typed, list: Typed) -> Option<Bool> {
        let [left, right] = sides;
        match (value, list) {
            (value, Typed::Network(network)) => {
                let address = self.address(&left.span, value)?;
                Some(Bool::InNetworks(address, [network].into()))
            }
            (Typed::Text(value), Typed::List(field)) => Some(Bool::TextInField(value, field)),
            (value, Typed::List(_)) => {
                let message = format!("`in` looks for {} in a list of strings", value.kind());
                self.refuse(&right.span, message)
            }
            (_, Typed::Text(Text::Const(text))) if address::is_network(&text) => {
                self.network_as_text(&right.span, &text)
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
        self.same_unit(&node.span, "? :", then.unit(), otherwise.unit())?;
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
            ("matches", Some(target), [pattern]) => {
                let (text, pattern) = (self.string(target), self.pattern(pattern));
                Some(Typed::Bool(Bool::Matches(text?, pattern?)))
            }
            ("has", None, [of]) => self.presence(of).map(Typed::Bool),
            ("duration", None, [text]) => self.duration(text),
            ("cidr", None, [text]) => self.network(text).map(Typed::Network),
            ("ip", None, [text]) => self.ip(text).map(Typed::Address),
            ("isIP", None, [text]) => {
                let text = self.string(text)?;
                Some(Typed::Bool(Bool::IsAddress(Address::Of(text))))
            }
            ("containsIP", Some(network), [of]) => self.contains_ip(network, of).map(Typed::Bool),
            ("isLoopback", Some(of), []) => self.address_is(Property::Loopback, of, name),
            ("isPrivate", Some(of), []) => self.address_is(Property::Private, of, name),
            ("family", Some(of), []) => {
                let address = self.target_address(of, name)?;
                Some(Typed::Int(Int::Family(Box::new(address))))
            }
            _ => self.unknown_call(node, name),
        }
    }

    /// A regular expression, compiled.
    fn pattern(&mut self, node: &Node) -> Option<Pattern> {
        let Syntax::String(pattern) = &node.kind else {
            let message = "a pattern is a string as it is";
            return self.refuse_with(&node.span, message, "`path.matches(\"^/v[0-9]+/\")`");
        };
        match Pattern::new(pattern) {
            Ok(pattern) => Some(pattern),
            Err(reason) => {
                let message = format!("`matches` cannot use this pattern: {reason}");
                self.refuse(&node.span, message)
            }
        }
    }

    /// `duration("500ms")`
    fn duration(&mut self, node: &Node) -> Option<Typed> {
        let read = match &node.kind {
            Syntax::String(text) => Quantity::duration(text),
            _ => None,
        };
        match read {
            Some(quantity) => Some(Number::from(quantity).into()),
            None => {
                let message = "a duration is numbers with units in quotes, as they are";
                let hint = "`duration(\"1h30m\")`; the units are `us`, `ms`, `s`, `m`, `h` and `d`";
                self.refuse_with(&node.span, message, hint)
            }
        }
    }

    fn string(&mut self, node: &Node) -> Option<Text> {
        match self.typed(node)? {
            Typed::Text(text) => Some(text),
            other => {
                let message = format!("expected a string, found {}", other.kind());
                self.refuse_hinting(&node.span, message, part_of(&other))
            }
        }
    }

    fn unknown_call<T>(&mut self, node: &Node, name: &str) -> Option<T> {
        if let Some((_, usage)) = FUNCTIONS.iter().find(|(known, _)| *known == name) {
            let message = format!("`{name}` is written `{usage}`");
            return self.refuse(&node.span, message);
        }
        if aggregate::is_aggregate(name) {
            let message = format!("`{name}` is an aggregate of many events");
            let hint = "it is a measure or a part of one, and never inside another: `measure: { name: rate() }`";
            return self.refuse_with(&node.span, message, hint);
        }
        let message = format!("unknown function `{name}`");
        let hint = did_you_mean(name, FUNCTIONS.map(|(known, _)| known)).unwrap_or_else(|| {
            format!(
                "the functions are {}",
                listed(&FUNCTIONS.map(|(known, _)| known))
            )
        });
        self.refuse_with(&node.span, message, hint)
    }

    /// What tells groups of events apart.
    fn key(&mut self, node: &Node) -> Option<KeyPart> {
        Some(match self.typed(node)? {
            Typed::Text(text) => KeyPart::Text(text),
            Typed::Int(int) => KeyPart::Int(int),
            Typed::Bool(bool) => KeyPart::Bool(bool),
            other => {
                let message = format!(
                    "expected a string, an int or a bool, found {}",
                    other.kind()
                );
                let hint = match other {
                    Typed::Double(_) => {
                        Some("whole numbers divide to whole numbers: `Tr / 100`".to_owned())
                    }
                    other => part_of(&other),
                };
                return self.refuse_hinting(&node.span, message, hint);
            }
        })
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
        Typed::Int(Int::Quantity(value, unit)) => Some(Double::Quantity(value as f64, unit)),
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

/// How something of many parts could be one value.
fn part_of(found: &Typed) -> Option<String> {
    Some(match found {
        Typed::List(field) => format!("take one of the list, such as `{}[0]`", field.name()),
        Typed::Map => "take one of its fields, such as `extra[\"name\"]`".to_owned(),
        Typed::Address(_) => "take the string that the address is of".to_owned(),
        Typed::Network(_) => "what is in it is told by `containsIP`".to_owned(),
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
