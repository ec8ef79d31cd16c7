//! The fields without which a condition does not hold.

use crate::haproxy::{Field, FieldType};
use crate::rules::address::Address;
use crate::rules::expr::{Bool, Double, Int, Number, Text};

/// The fields that an event must have for the condition to hold. Of a bool, that it is true.
pub(super) fn needs(condition: &Bool, fields: &mut Vec<Field>) {
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
        Text::Route(_) => fields.push(Field::Path),
        _ => {}
    }
}

/// Whether `has` is true of it for every line.
pub(super) fn is_always_there(field: Field) -> bool {
    field == Field::Kind || field.field_type() == FieldType::Bool
}
