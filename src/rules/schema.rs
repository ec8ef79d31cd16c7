//! What conditions may name: the event's fields and their types.

use super::address::Address;
use super::expr::{Bool, Int, Number, Text};
use super::quantity::Unit;
use super::routes::Routes;
use crate::haproxy::{ExtraType, Field, FieldNames, FieldType};
use ipnet::IpNet;
use std::fmt;
use std::sync::Arc;

/// The name of the field that rules group by unless told otherwise. No log line has
/// it: it stands for an expression that the configuration gives.
pub(super) const SERVICE: &str = "service";

/// The name of what a rule's key of that name stands for, in its measures.
pub(super) const VALUE: &str = "value";

/// The name of the template that a line's path matches, of those that the rule lists.
pub(super) const ROUTE: &str = "route";

/// The fields, what `service`, `value` and `route` stand for, and the names inside fields.
#[derive(Clone)]
pub(super) struct Schema<'a> {
    service: Option<Text>,
    value: Option<Typed>,
    routes: Option<Arc<Routes>>,
    pub names: &'a FieldNames,
}

/// A typed expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Typed {
    Bool(Bool),
    Int(Int),
    Double(super::expr::Double),
    Text(Text),
    /// A list of strings is always a field.
    List(Field),
    /// The fields of custom formats by name: always the field `extra`.
    Map,
    Address(Address),
    /// A network is always a constant.
    Network(IpNet),
}

/// Why a name cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    Unknown,
    /// There is nothing to compare a time with.
    Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Int,
    Double,
    String,
    Strings,
    Map,
    Address,
    Network,
}

impl<'a> Schema<'a> {
    /// `service` stands for that expression.
    pub fn with_service(service: Text, names: &'a FieldNames) -> Self {
        Schema {
            service: Some(service),
            value: None,
            routes: None,
            names,
        }
    }

    /// For the expression that `service` stands for: it cannot name itself.
    pub fn without_service(names: &'a FieldNames) -> Self {
        Schema {
            service: None,
            value: None,
            routes: None,
            names,
        }
    }

    /// The same, and `value` stands for that expression: for the measures of the rule that
    /// gives it.
    pub fn with_value(&self, value: Typed) -> Self {
        Schema {
            value: Some(value),
            ..self.clone()
        }
    }

    /// The same, and `route` is one of these: for the rule that lists them.
    pub fn with_routes(&self, routes: Arc<Routes>) -> Self {
        Schema {
            routes: Some(routes),
            ..self.clone()
        }
    }

    pub fn field(&self, name: &str) -> Result<Typed, Unusable> {
        if let (SERVICE, Some(service)) = (name, &self.service) {
            return Ok(Typed::Text(service.clone()));
        }
        if let (VALUE, Some(value)) = (name, &self.value) {
            return Ok(value.clone());
        }
        if let (ROUTE, Some(routes)) = (name, &self.routes) {
            return Ok(Typed::Text(Text::Route(Arc::clone(routes))));
        }
        let field = Field::by_name(name).ok_or(Unusable::Unknown)?;
        Ok(match field.field_type() {
            FieldType::String => Typed::Text(Text::Field(field)),
            FieldType::Int | FieldType::Millis => Typed::Int(Int::Field(field)),
            FieldType::Bool => Typed::Bool(Bool::Field(field)),
            FieldType::Strings => Typed::List(field),
            FieldType::Timestamp => return Err(Unusable::Timestamp),
            FieldType::Extra => Typed::Map,
        })
    }

    /// Every field's name.
    pub fn fields(&self) -> impl Iterator<Item = &'static str> {
        let service = self.service.as_ref().map(|_| SERVICE);
        let value = self.value.as_ref().map(|_| VALUE);
        let route = self.routes.as_ref().map(|_| ROUTE);
        service
            .into_iter()
            .chain(value)
            .chain(route)
            .chain(Field::ALL.iter().map(|f| f.name()))
    }
}

impl Typed {
    /// The field of that name and type that a custom format has.
    pub fn extra(name: &str, extra_type: ExtraType) -> Self {
        match extra_type {
            ExtraType::String => Typed::Text(Text::Extra(name.into())),
            ExtraType::Int => Typed::Int(Int::Extra(name.into())),
            ExtraType::Bool => Typed::Bool(Bool::Extra(name.into())),
        }
    }

    pub fn kind(&self) -> Type {
        match self {
            Typed::Bool(_) => Type::Bool,
            Typed::Int(_) => Type::Int,
            Typed::Double(_) => Type::Double,
            Typed::Text(_) => Type::String,
            Typed::List(_) => Type::Strings,
            Typed::Map => Type::Map,
            Typed::Address(_) => Type::Address,
            Typed::Network(_) => Type::Network,
        }
    }

    /// What a number counts; nothing for all else.
    pub fn unit(&self) -> Unit {
        match self {
            Typed::Int(int) => int.unit(),
            Typed::Double(double) => double.unit(),
            _ => Unit::None,
        }
    }
}

impl From<Number> for Typed {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(int) => Typed::Int(int),
            Number::Double(double) => Typed::Double(double),
        }
    }
}

/// With its article.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Bool => "a bool",
            Type::Int => "an int",
            Type::Double => "a double",
            Type::String => "a string",
            Type::Strings => "a list of strings",
            Type::Map => "a map",
            Type::Address => "an address",
            Type::Network => "a network",
        })
    }
}
