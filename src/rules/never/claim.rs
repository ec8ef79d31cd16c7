//! What one term says of an event, and which two of that cannot both be.

use super::fact::{Fact, excludes};
use super::field::{self, KINDS, as_text, can_have};
use super::needs::{is_always_there, needs};
use crate::haproxy::{Event, Field, FieldType, Kind};
use crate::rules::cel::{Node, Syntax};
use crate::rules::expr::{Bool, Comparison, Double, Int, Text};
use crate::rules::quantity::Unit;
use crate::source::listed;
use bstr::BString;

/// Up to here a whole number is a double as it is, and so is the one beside it.
const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;

/// The hint for two terms that exclude each other.
const EITHER: &str = "if either is meant, join them with `||`";

/// The reason and the hint.
type Why = (String, String);

/// A term that holds, or does not.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    node: &'a Node,
    holds: bool,
    condition: Bool,
    fact: Option<About>,
    /// The fields without which it would not be so.
    needs: Vec<Field>,
}

/// A value is there, and this is so of it.
#[derive(Debug)]
enum About {
    /// A whole number is taken as the double next to it: that keeps the order.
    Number(Double, Fact<f64>),
    Text(Text, Fact<BString>),
}

impl About {
    fn is_nothing(&self) -> bool {
        match self {
            About::Number(_, fact) => fact.values().is_some_and(<[_]>::is_empty),
            About::Text(_, fact) => fact.values().is_some_and(<[_]>::is_empty),
        }
    }
}

impl<'a> Claim<'a> {
    pub fn new(node: &'a Node, holds: bool, condition: Bool) -> Self {
        let (mut fact, mut fields) = (None, Vec::new());
        if holds {
            fact = about(&condition);
            needs(&condition, &mut fields);
        }
        Claim {
            node,
            holds,
            condition,
            fact,
            needs: fields,
        }
    }

    /// Why this cannot be, whatever else is.
    pub fn impossible(&self) -> Option<Why> {
        if is_constant(&self.condition) {
            // No field is asked, so any event will do.
            let value = self.condition.holds(&Event::of_kind(Kind::Http));
            return (value != self.holds).then(|| {
                let reason = match value {
                    true => "what is negated here is always true",
                    false => "this is always false",
                };
                (reason.into(), "ask for a field in it".into())
            });
        }
        if let Some(field) = self.lacks().filter(|field| is_always_there(*field)) {
            let reason = format!("every line has `{}`", field.name());
            return Some((reason, "leave it out".into()));
        }
        let fact = self.fact.as_ref()?;
        if fact.is_nothing() {
            let reason = "nothing is in an empty list".into();
            return Some((reason, "list the values that are meant".into()));
        }
        match fact {
            About::Number(number, fact) => {
                let (least, most) = field::range(number)?;
                let name = name(self.node);
                if excludes(fact, &Fact::Is(Comparison::GreaterOrEqual, least), true) {
                    let reason = format!("{name} is never below {least}");
                    let hint = match number {
                        Double::Of(Int::Field(_)) => {
                            "where HAProxy logs -1, there is no such field"
                        }
                        _ => "a size is 0 or more",
                    };
                    return Some((reason, hint.into()));
                }
                let is_above = excludes(fact, &Fact::Is(Comparison::LessOrEqual, most), true);
                is_above.then(|| {
                    let reason = format!("{name} is never above {most}");
                    (reason, format!("it is from {least} to {most}"))
                })
            }
            About::Text(text, fact) => field::impossible(text, fact),
        }
    }

    /// Why this cannot be where the other is, which stands before it.
    pub fn excludes(&self, other: &Claim<'_>) -> Option<Why> {
        if self.holds != other.holds && self.condition == other.condition {
            let reason = match written(self.node) {
                Some(condition) => format!("`{condition}` is true and false"),
                None => "one condition is true and false".into(),
            };
            return Some((reason, EITHER.into()));
        }
        let lacking = |one: &Claim<'_>, two: &Claim<'_>| {
            let field = one.lacks()?;
            two.needs.contains(&field).then_some(field)
        };
        if let Some(field) = lacking(self, other).or_else(|| lacking(other, self)) {
            let reason = format!("`{}` is missing and asked for", field.name());
            let hint = "a comparison holds only where the field is there";
            return Some((reason, hint.into()));
        }
        let both = match (self.fact.as_ref()?, other.fact.as_ref()?) {
            (About::Number(a, this), About::Number(b, that)) if a == b => {
                let whole = matches!(a, Double::Of(_));
                excludes(this, that, whole).then(|| that.words_with(this, unit(a)))
            }
            (About::Text(a, this), About::Text(b, that)) if a == b => {
                excludes(this, that, false).then(|| that.words_with(this, ""))
            }
            _ => None,
        };
        let reason = format!("{} {}", name(self.node), both?);
        Some((reason, EITHER.into()))
    }

    /// The field that it wants missing.
    fn lacks(&self) -> Option<Field> {
        match &self.condition {
            Bool::HasField(field) if !self.holds => Some(*field),
            _ => None,
        }
    }

    /// What this says of a line's kind.
    fn kind(&self) -> Option<&Fact<BString>> {
        match &self.fact {
            Some(About::Text(Text::Field(Field::Kind), fact)) => Some(fact),
            _ => None,
        }
    }

    /// A field that this needs and no line of those kinds has.
    fn unseen(&self, kinds: &[Kind]) -> Option<Field> {
        let mut needs = self.needs.iter().copied();
        needs.find(|field| !kinds.iter().any(|kind| can_have(*kind, *field)))
    }
}

/// Why the claims cannot be together of a line of any kind.
pub(super) fn unseen(claims: &[Claim<'_>]) -> Option<Why> {
    let asked: Vec<_> = claims.iter().filter_map(Claim::kind).collect();
    let mut kinds = KINDS.to_vec();
    kinds.retain(|kind| asked.iter().all(|fact| fact.accepts(&as_text(*kind))));
    if kinds.is_empty() {
        let reason = "no kind of line is left".into();
        return Some((reason, EITHER.into()));
    }
    let field = claims.iter().find_map(|claim| claim.unseen(&kinds))?;
    let name = field.name();
    if asked.is_empty() {
        let reason = format!("no line that rules see has `{name}`");
        return Some((reason, "only HAProxy's own messages have it".into()));
    }
    let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let lines = format!("lines of kind {}", listed(&names));
    let reason = match field.field_type() {
        FieldType::Bool => format!("`{name}` is never true for {lines}"),
        _ => format!("{lines} never have `{name}`"),
    };
    Some((reason, "leave out one of the two".into()))
}

fn about(condition: &Bool) -> Option<About> {
    let whole = |int: &Int| Double::Of(int.clone());
    Some(match condition {
        Bool::Ints(comparison, a, b) => compared(*comparison, whole(a), whole(b))?,
        Bool::Doubles(comparison, a, b) => compared(*comparison, a.clone(), b.clone())?,
        Bool::IntIn(a, list) => {
            let list = list.iter().map(|&int| int as f64).collect();
            About::Number(whole(a), within(list)?)
        }
        Bool::DoubleIn(a, list) => About::Number(a.clone(), within(list.to_vec())?),
        Bool::Texts(comparison, Text::Const(a), b) => {
            About::Text(b.clone(), Fact::Is(flipped(*comparison), a.clone()))
        }
        Bool::Texts(comparison, a, Text::Const(b)) => {
            About::Text(a.clone(), Fact::Is(*comparison, b.clone()))
        }
        Bool::TextIn(a, list) => About::Text(a.clone(), Fact::In(list.to_vec())),
        Bool::StartsWith(a, Text::Const(b)) => About::Text(a.clone(), Fact::StartsWith(b.clone())),
        Bool::EndsWith(a, Text::Const(b)) => About::Text(a.clone(), Fact::EndsWith(b.clone())),
        Bool::Contains(a, Text::Const(b)) => About::Text(a.clone(), Fact::Contains(b.clone())),
        Bool::Matches(a, pattern) => About::Text(a.clone(), Fact::Matches(pattern.clone())),
        _ => return None,
    })
}

fn compared(comparison: Comparison, a: Double, b: Double) -> Option<About> {
    let within = |value: f64| (value.abs() < WHOLE_MAX).then_some(value);
    match (constant(&a), constant(&b)) {
        (None, Some(value)) => Some(About::Number(a, Fact::Is(comparison, within(value)?))),
        (Some(value), None) => {
            let fact = Fact::Is(flipped(comparison), within(value)?);
            Some(About::Number(b, fact))
        }
        _ => None,
    }
}

fn within(list: Vec<f64>) -> Option<Fact<f64>> {
    let is_exact = list.iter().all(|value| value.abs() < WHOLE_MAX);
    is_exact.then_some(Fact::In(list))
}

/// The comparison with its sides exchanged.
fn flipped(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        same => same,
    }
}

fn constant(number: &Double) -> Option<f64> {
    match number {
        Double::Of(Int::Const(value) | Int::Quantity(value, _)) => Some(*value as f64),
        Double::Of(Int::Negate(inner)) => match **inner {
            Int::Const(value) | Int::Quantity(value, _) => Some(-(value as f64)),
            _ => None,
        },
        Double::Const(value) | Double::Quantity(value, _) => Some(*value),
        Double::Negate(inner) => constant(inner).map(|value| -value),
        _ => None,
    }
}

/// Whether it asks no field.
fn is_constant(condition: &Bool) -> bool {
    let whole = |int: &Int| constant(&Double::Of(int.clone())).is_some();
    let number = |double: &Double| constant(double).is_some();
    let text = |text: &Text| matches!(text, Text::Const(_));
    match condition {
        Bool::Const(_) => true,
        Bool::Ints(_, a, b) => whole(a) && whole(b),
        Bool::Doubles(_, a, b) => number(a) && number(b),
        Bool::Texts(_, a, b)
        | Bool::StartsWith(a, b)
        | Bool::EndsWith(a, b)
        | Bool::Contains(a, b) => text(a) && text(b),
        Bool::IntIn(a, _) => whole(a),
        Bool::DoubleIn(a, _) => number(a),
        Bool::TextIn(a, _) | Bool::Matches(a, _) => text(a),
        _ => false,
    }
}

/// What stands behind a number.
fn unit(number: &Double) -> &'static str {
    match number.unit() {
        Unit::None => "",
        Unit::Time => " ms",
        Unit::Bytes => " bytes",
    }
}

/// What a term is about, as it is written, where that is short.
fn name(term: &Node) -> String {
    let subject = match &term.kind {
        Syntax::Binary(_, sides) => sides.iter().find(|side| !is_literal(side)),
        Syntax::Call { target, .. } => target.as_deref(),
        _ => None,
    };
    match subject.and_then(written) {
        Some(name) => format!("`{name}`"),
        None => "one value".into(),
    }
}

fn is_literal(node: &Node) -> bool {
    match &node.kind {
        Syntax::Bool(_) | Syntax::Int(_) | Syntax::Double(_) | Syntax::String(_) => true,
        Syntax::List(_) | Syntax::Quantity(_) => true,
        Syntax::Negate(inner) => is_literal(inner),
        _ => false,
    }
}

fn written(node: &Node) -> Option<String> {
    match &node.kind {
        Syntax::Name(name) => Some(name.clone()),
        Syntax::Int(value) => Some(value.to_string()),
        Syntax::Binary(operator, sides) => {
            // Two operators may need parentheses.
            let side = |node: &Node| match &node.kind {
                Syntax::Binary(..) => None,
                _ => written(node),
            };
            let (a, b) = (side(&sides[0])?, side(&sides[1])?);
            Some(format!("{a} {} {b}", operator.symbol()))
        }
        Syntax::Index(parts) => {
            let list = written(&parts[0])?;
            match &parts[1].kind {
                Syntax::Int(index) => Some(format!("{list}[{index}]")),
                Syntax::String(name) => Some(format!("{list}[{name:?}]")),
                _ => None,
            }
        }
        Syntax::Call { name, target, args } => match (target, &args[..]) {
            (None, [arg]) => Some(format!("{name}({})", written(arg)?)),
            _ => None,
        },
        _ => None,
    }
}
