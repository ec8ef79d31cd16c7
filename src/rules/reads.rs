//! Which fields of an event a compiled expression looks at.
//!
//! Parsers keep no others: what is missing here would be missing in every event. So nothing
//! here has a branch for all that is left, and a new expression does not compile without one
//! of its own.

use super::address::Address;
use super::expr::{Bool, Double, Int, Number, Text};
use super::program::{Draw, Group, KeyPart};
use super::term::{Term, Terms};
use crate::haproxy::{Field, FieldSet};

/// What looks at fields.
pub(super) trait Reads {
    /// Adds the fields that this looks at.
    fn reads(&self, fields: &mut FieldSet);
}

impl Reads for Group {
    fn reads(&self, fields: &mut FieldSet) {
        self.by.reads(fields);
        self.terms.reads(fields);
        for draw in self.rules.iter().flat_map(|rule| &rule.draws) {
            match draw {
                Draw::Count { condition, cell: _ } => condition.reads(fields),
                Draw::Sample { value, cells: _ } => value.reads(fields),
                Draw::Observe { value, cell: _ } => value.reads(fields),
            }
        }
    }
}

impl Reads for Terms {
    fn reads(&self, fields: &mut FieldSet) {
        self.fields().for_each(|field| fields.insert(field));
        self.texts().for_each(|text| text.reads(fields));
        self.others().for_each(|term| term.reads(fields));
    }
}

impl Reads for Term {
    fn reads(&self, fields: &mut FieldSet) {
        match self {
            Term::Kind(_) => fields.insert(Field::Kind),
            Term::Int(field, _) => fields.insert(*field),
            Term::Text(text, _) => text.reads(fields),
            Term::Any(terms) => terms.reads(fields),
            Term::Other(condition) => condition.reads(fields),
        }
    }
}

impl Reads for KeyPart {
    fn reads(&self, fields: &mut FieldSet) {
        match self {
            KeyPart::Text(text) => text.reads(fields),
            KeyPart::Int(int) => int.reads(fields),
            KeyPart::Bool(bool) => bool.reads(fields),
            KeyPart::FoldedPath => fields.insert(Field::Path),
        }
    }
}

impl Reads for Bool {
    fn reads(&self, fields: &mut FieldSet) {
        match self {
            Bool::Const(_) => {}
            Bool::Field(field) | Bool::HasField(field) => fields.insert(*field),
            Bool::Extra(_) | Bool::HasExtra(_) => fields.insert(Field::Extra),
            Bool::Not(inner) => inner.reads(fields),
            Bool::All(terms) | Bool::Any(terms) => terms.reads(fields),
            Bool::Same(sides) => sides.reads(fields),
            Bool::If(parts) => parts.reads(fields),
            Bool::Ints(_, a, b) => (a, b).reads(fields),
            Bool::Doubles(_, a, b) => (a, b).reads(fields),
            Bool::Texts(_, a, b)
            | Bool::StartsWith(a, b)
            | Bool::EndsWith(a, b)
            | Bool::Contains(a, b) => (a, b).reads(fields),
            Bool::Matches(text, _) | Bool::TextIn(text, _) | Bool::HasText(text) => {
                text.reads(fields);
            }
            Bool::IntIn(int, _) => int.reads(fields),
            Bool::DoubleIn(double, _) => double.reads(fields),
            Bool::TextInField(text, field) => {
                text.reads(fields);
                fields.insert(*field);
            }
            Bool::Addresses(_, a, b) => (a, b).reads(fields),
            Bool::InNetworks(address, _)
            | Bool::IsAddress(address)
            | Bool::AddressIs(_, address) => address.reads(fields),
            Bool::HasNumber(number) => number.reads(fields),
        }
    }
}

impl Reads for Int {
    fn reads(&self, fields: &mut FieldSet) {
        match self {
            Int::Const(_) | Int::Quantity(..) => {}
            Int::Field(field) | Int::Count(field) => fields.insert(*field),
            Int::Extra(_) => fields.insert(Field::Extra),
            Int::Negate(inner) => inner.reads(fields),
            Int::Arithmetic(_, sides) => sides.reads(fields),
            Int::Length(text) => text.reads(fields),
            Int::Family(address) => address.reads(fields),
            Int::If(parts) => parts.reads(fields),
        }
    }
}

impl Reads for Double {
    fn reads(&self, fields: &mut FieldSet) {
        match self {
            Double::Const(_) | Double::Quantity(..) => {}
            Double::Of(int) => int.reads(fields),
            Double::Negate(inner) => inner.reads(fields),
            Double::Arithmetic(_, sides) => sides.reads(fields),
            Double::If(parts) => parts.reads(fields),
        }
    }
}

impl Reads for Text {
    fn reads(&self, fields: &mut FieldSet) {
        match self {
            Text::Const(_) => {}
            Text::Field(field) | Text::Capture(field, _) | Text::Header(field, _) => {
                fields.insert(*field);
            }
            Text::Extra(_) => fields.insert(Field::Extra),
            Text::Route(_) => fields.insert(Field::Path),
            Text::If(parts) => parts.reads(fields),
        }
    }
}

impl Reads for Number {
    fn reads(&self, fields: &mut FieldSet) {
        match self {
            Number::Int(int) => int.reads(fields),
            Number::Double(double) => double.reads(fields),
        }
    }
}

impl Reads for Address {
    fn reads(&self, fields: &mut FieldSet) {
        match self {
            Address::Const(_) => {}
            Address::Of(text) => text.reads(fields),
        }
    }
}

impl<T: Reads> Reads for &T {
    fn reads(&self, fields: &mut FieldSet) {
        (*self).reads(fields);
    }
}

impl<T: Reads> Reads for [T] {
    fn reads(&self, fields: &mut FieldSet) {
        self.iter().for_each(|one| one.reads(fields));
    }
}

impl<A: Reads, B: Reads> Reads for (A, B) {
    fn reads(&self, fields: &mut FieldSet) {
        self.0.reads(fields);
        self.1.reads(fields);
    }
}

impl<A: Reads, B: Reads, C: Reads> Reads for (A, B, C) {
    fn reads(&self, fields: &mut FieldSet) {
        self.0.reads(fields);
        self.1.reads(fields);
        self.2.reads(fields);
    }
}
