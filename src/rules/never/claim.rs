//! What one term says of an event, and which two of that cannot both be.

use super::field::{self, KINDS, as_text, can_have};
use crate::haproxy::{Event, Field, FieldType, Kind};
use crate::rules::address::Address;
use crate::rules::cel::{Node, Syntax};
use crate::rules::expr::{Bool, Comparison, Double, Int, Number, Text};
use crate::rules::pattern::Pattern;
use crate::rules::quantity::Unit;
use crate::source::listed;
use bstr::BString;

/// Up to here a whole number is a double as it is, and so is the one beside it.
const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;

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

#[derive(Clone, Debug)]
pub(super) enum Fact<T> {
    Is(Comparison, T),
    In(Vec<T>),
    StartsWith(T),
    EndsWith(T),
    Contains(T),
    Matches(Pattern),
}

/// What values can be compared with: numbers, which are finite, and strings.
pub(super) trait Constant: PartialOrd {
    fn bytes(&self) -> &[u8];
    fn written(&self) -> String;
}

impl Constant for f64 {
    fn bytes(&self) -> &[u8] {
        &[]
    }

    fn written(&self) -> String {
        self.to_string()
    }
}

impl Constant for BString {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn written(&self) -> String {
        format!("{self:?}")
    }
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
        let pairs = [(self, other), (other, self)];
        if let Some(field) = pairs.into_iter().find_map(|(one, two)| {
            let field = one.lacks()?;
            two.needs.contains(&field).then_some(field)
        }) {
            let reason = format!("`{}` is missing and compared", field.name());
            return Some((
                reason,
                "a comparison holds only where the field is there".into(),
            ));
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

const EITHER: &str = "if either is meant, join them with `||`";

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

/// The fields that an event must have for the condition to hold. Of a bool, that it is true.
fn needs(condition: &Bool, fields: &mut Vec<Field>) {
    match condition {
        Bool::Field(field) => fields.push(*field),
        Bool::Extra(_) => fields.push(Field::Extra),
        Bool::All(terms) => terms.iter().for_each(|term| needs(term, fields)),
        Bool::Ints(_, a, b) => [a, b].into_iter().for_each(|int| int_needs(int, fields)),
        Bool::Doubles(_, a, b) => [a, b].into_iter().for_each(|n| double_needs(n, fields)),
        Bool::Texts(_, a, b)
        | Bool::StartsWith(a, b)
        | Bool::EndsWith(a, b)
        | Bool::Contains(a, b) => [a, b].into_iter().for_each(|text| text_needs(text, fields)),
        Bool::IntIn(a, _) => int_needs(a, fields),
        Bool::DoubleIn(a, _) => double_needs(a, fields),
        Bool::TextIn(a, _) | Bool::Matches(a, _) | Bool::HasText(a) => text_needs(a, fields),
        Bool::TextInField(a, field) => {
            text_needs(a, fields);
            fields.push(*field);
        }
        Bool::Addresses(_, a, b) => [a, b].into_iter().for_each(|ip| address_needs(ip, fields)),
        Bool::InNetworks(a, _) | Bool::IsAddress(a) | Bool::AddressIs(_, a) => {
            address_needs(a, fields);
        }
        // Of these a line always says something.
        Bool::HasField(field) if is_always_there(*field) => {}
        Bool::HasField(field) => fields.push(*field),
        Bool::HasExtra(_) => fields.push(Field::Extra),
        Bool::HasNumber(Number::Int(a)) => int_needs(a, fields),
        Bool::HasNumber(Number::Double(a)) => double_needs(a, fields),
        _ => {}
    }
}

fn int_needs(int: &Int, fields: &mut Vec<Field>) {
    match int {
        Int::Field(field) | Int::Count(field) => fields.push(*field),
        Int::Extra(_) => fields.push(Field::Extra),
        Int::Negate(inner) => int_needs(inner, fields),
        Int::Arithmetic(_, sides) => {
            int_needs(&sides.0, fields);
            int_needs(&sides.1, fields);
        }
        Int::Length(text) => text_needs(text, fields),
        Int::Family(address) => address_needs(address, fields),
        _ => {}
    }
}

fn double_needs(double: &Double, fields: &mut Vec<Field>) {
    match double {
        Double::Of(int) => int_needs(int, fields),
        Double::Negate(inner) => double_needs(inner, fields),
        Double::Arithmetic(_, sides) => {
            double_needs(&sides.0, fields);
            double_needs(&sides.1, fields);
        }
        _ => {}
    }
}

fn address_needs(address: &Address, fields: &mut Vec<Field>) {
    match address {
        Address::Of(text) => text_needs(text, fields),
        Address::Const(_) => {}
    }
}

fn text_needs(text: &Text, fields: &mut Vec<Field>) {
    match text {
        Text::Field(field) | Text::Capture(field, _) | Text::Header(field, _) => {
            fields.push(*field);
        }
        Text::Extra(_) => fields.push(Field::Extra),
        _ => {}
    }
}

/// Whether `has` is true of it for every line.
fn is_always_there(field: Field) -> bool {
    field == Field::Kind || field.field_type() == FieldType::Bool
}

/// What stands behind a number.
fn unit(number: &Double) -> &'static str {
    match number.unit() {
        Unit::None => "",
        Unit::Time => " ms",
        Unit::Bytes => " bytes",
    }
}

impl<T: Constant> Fact<T> {
    /// Whether it is so of that value.
    pub fn accepts(&self, value: &T) -> bool {
        let bytes = value.bytes();
        match self {
            Fact::Is(comparison, constant) => value
                .partial_cmp(constant)
                .is_some_and(|order| comparison.accepts(order)),
            Fact::In(values) => values.iter().any(|one| one == value),
            Fact::StartsWith(part) => bytes.starts_with(part.bytes()),
            Fact::EndsWith(part) => bytes.ends_with(part.bytes()),
            Fact::Contains(part) => memchr::memmem::find(bytes, part.bytes()).is_some(),
            Fact::Matches(pattern) => pattern.matches(bytes),
        }
    }

    /// Every value there is, if they can be counted.
    pub fn values(&self) -> Option<&[T]> {
        match self {
            Fact::Is(Comparison::Equal, value) => Some(std::slice::from_ref(value)),
            Fact::In(values) => Some(values),
            _ => None,
        }
    }

    /// What is so, to be said of a name: a verb, and what belongs to it.
    fn phrase(&self) -> (&'static str, String) {
        match self {
            Fact::Is(comparison, constant) => {
                let words = match comparison {
                    Comparison::Equal => "",
                    Comparison::NotEqual => "not ",
                    Comparison::Less => "below ",
                    Comparison::LessOrEqual => "at most ",
                    Comparison::Greater => "above ",
                    Comparison::GreaterOrEqual => "at least ",
                };
                ("is", format!("{words}{}", constant.written()))
            }
            Fact::In(values) => {
                let values: Vec<String> = values.iter().map(T::written).collect();
                let values = match &values[..] {
                    [others @ .., last] if !others.is_empty() => {
                        format!("{} or {last}", others.join(", "))
                    }
                    values => values.concat(),
                };
                ("is", values)
            }
            Fact::StartsWith(part) => ("starts with", part.written()),
            Fact::EndsWith(part) => ("ends with", part.written()),
            Fact::Contains(part) => ("contains", part.written()),
            Fact::Matches(pattern) => ("matches", format!("{:?}", pattern.as_str())),
        }
    }

    /// `is 200`
    pub fn words(&self) -> String {
        let (verb, what) = self.phrase();
        format!("{verb} {what}")
    }

    /// `is at least 500 and below 400`
    fn words_with(&self, other: &Fact<T>, unit: &str) -> String {
        let ((verb, what), (other_verb, other_what)) = (self.phrase(), other.phrase());
        // A list of alternatives goes no further than its comma.
        let comma = match self.values() {
            Some([_, _, ..]) => ",",
            _ => "",
        };
        match verb == other_verb {
            true => format!("{verb} {what}{unit}{comma} and {other_what}{unit}"),
            false => format!("{verb} {what}{unit}{comma} and {other_verb} {other_what}{unit}"),
        }
    }

    /// The bound below, and whether it is itself left out.
    fn lower(&self) -> Option<(&T, bool)> {
        match self {
            Fact::Is(Comparison::Greater, constant) => Some((constant, true)),
            Fact::Is(Comparison::GreaterOrEqual, constant) => Some((constant, false)),
            _ => None,
        }
    }

    /// The bound above, likewise.
    fn upper(&self) -> Option<(&T, bool)> {
        match self {
            Fact::Is(Comparison::Less, constant) => Some((constant, true)),
            Fact::Is(Comparison::LessOrEqual, constant) => Some((constant, false)),
            _ => None,
        }
    }
}

/// Whether no value is as both have it. `whole` if values are whole numbers.
fn excludes<T: Constant + Gap>(one: &Fact<T>, other: &Fact<T>, whole: bool) -> bool {
    for (one, other) in [(one, other), (other, one)] {
        if let Some(values) = one.values() {
            return !values.iter().any(|value| other.accepts(value));
        }
        if let (Some((least, above)), Some((most, below))) = (one.lower(), other.upper()) {
            let is_one = least == most && (above || below);
            let is_gap = whole && above && below && T::is_gap(least, most);
            return least > most || is_one || is_gap;
        }
    }
    match (one, other) {
        (Fact::StartsWith(a), Fact::StartsWith(b)) => {
            let (a, b) = (a.bytes(), b.bytes());
            !a.starts_with(b) && !b.starts_with(a)
        }
        (Fact::EndsWith(a), Fact::EndsWith(b)) => {
            let (a, b) = (a.bytes(), b.bytes());
            !a.ends_with(b) && !b.ends_with(a)
        }
        _ => false,
    }
}

/// Whether there is no whole number between two.
pub(super) trait Gap {
    fn is_gap(least: &Self, most: &Self) -> bool;
}

impl Gap for f64 {
    fn is_gap(least: &f64, most: &f64) -> bool {
        least.floor() + 1.0 >= *most
    }
}

impl Gap for BString {
    fn is_gap(_: &BString, _: &BString) -> bool {
        false
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
