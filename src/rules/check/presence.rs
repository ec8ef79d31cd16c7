//! `has(x)`: whether the line says.

use super::Checker;
use crate::haproxy::Field;
use crate::rules::cel::{Node, Syntax};
use crate::rules::expr::{Bool, Int, Number, Text};
use crate::rules::schema::{Typed, Unusable};

impl Checker<'_> {
    pub(super) fn presence(&mut self, node: &Node) -> Option<Bool> {
        let typed = match &node.kind {
            Syntax::Name(name) => match (self.schema.field(name), Field::by_name(name)) {
                // Nothing compares with a timestamp, and yet a line has it or not.
                (Err(Unusable::Timestamp), Some(field)) => return Some(Bool::HasField(field)),
                _ => self.field(node, name)?,
            },
            Syntax::Index(parts) => self.index(parts)?,
            _ => {
                return self.refuse_with(
                    &node.span,
                    "`has` takes a field, as it is",
                    "`has(Tc)`, `has(request_headers[\"Host\"])` or `has(extra[\"name\"])`",
                );
            }
        };
        Some(match typed {
            Typed::Bool(Bool::Field(field))
            | Typed::Int(Int::Field(field))
            | Typed::Text(Text::Field(field))
            | Typed::List(field) => Bool::HasField(field),
            Typed::Map => Bool::HasField(Field::Extra),
            Typed::Bool(Bool::Extra(name))
            | Typed::Int(Int::Extra(name))
            | Typed::Text(Text::Extra(name)) => Bool::HasExtra(name),
            Typed::Text(text) => Bool::HasText(text),
            Typed::Int(int) => Bool::HasNumber(Number::Int(int)),
            Typed::Double(double) => Bool::HasNumber(Number::Double(double)),
            Typed::Address(address) => Bool::IsAddress(address),
            // A condition holds or not, and a network is a constant.
            Typed::Bool(_) | Typed::Network(_) => Bool::Const(true),
        })
    }
}
