//! Events as JSON: what `weir parse` prints, and what other programs read.
//!
//! One object an event, its keys in the order of the fields' table. What the line does
//! not say is left out, and so are `tls`, `partial` and `redispatched` where the line is
//! no traffic, which says nothing about them. Times are RFC 3339 in UTC with
//! milliseconds. JSON is UTF-8 and log lines need not be: what is not becomes U+FFFD.

use super::event::{Captures, Event, Extra, ExtraValue, Kind};
use super::field::{Field, Value};
use bstr::ByteSlice;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// An event to be printed.
#[derive(Clone, Copy, Debug)]
pub struct Json<'a, 'b> {
    pub event: &'a Event<'b>,
    /// What rules group by unless told otherwise; `None` where the line does not say.
    pub service: Option<&'a [u8]>,
}

/// Bytes as a string, what is not UTF-8 in them replaced.
#[derive(Clone, Copy, Debug)]
pub struct JsonText<'a>(pub &'a [u8]);

impl Serialize for Json<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for &field in Field::ALL {
            let name = field.name();
            match field.of(self.event) {
                Value::Missing => {}
                Value::Bool(_) if self.event.kind == Kind::Event => {}
                Value::String(value) => map.serialize_entry(name, &JsonText(value))?,
                Value::Int(value) => map.serialize_entry(name, &value)?,
                Value::Bool(value) => map.serialize_entry(name, &value)?,
                Value::Timestamp(value) => map.serialize_entry(name, &Shown(value))?,
                Value::Strings(value) => map.serialize_entry(name, &value)?,
                Value::Extra(value) => map.serialize_entry(name, &value)?,
            }
            if let (Field::Kind, Some(service)) = (field, self.service) {
                map.serialize_entry("service", &JsonText(service))?;
            }
        }
        map.end()
    }
}

/// By name where each value has a name of its own, else as a list.
impl Serialize for Captures<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.has_distinct_names() {
            let values = self.iter().map(JsonText);
            return serializer.collect_map(self.names.iter().zip(values));
        }
        serializer.collect_seq(self.iter().map(JsonText))
    }
}

impl Captures<'_> {
    /// A header that is captured twice would be one key for two values.
    fn has_distinct_names(&self) -> bool {
        let names = self.names;
        !names.is_empty()
            && self.iter().count() == names.len()
            && (1..names.len()).all(|at| !names[..at].contains(&names[at]))
    }
}

impl Serialize for Extra<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl Serialize for ExtraValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            ExtraValue::String(value) => JsonText(value).serialize(serializer),
            ExtraValue::Int(value) => serializer.serialize_i64(value),
            ExtraValue::Bool(value) => serializer.serialize_bool(value),
        }
    }
}

impl Serialize for JsonText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.collect_str(self.0.as_bstr()),
        }
    }
}

/// As its `Display` writes it.
struct Shown<T>(T);

impl<T: std::fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy::{ExtraField, ExtraType, Separator, Timers};
    use crate::time::Timestamp;

    fn json(event: &Event<'_>) -> String {
        let service = event.frontend;
        serde_json::to_string(&Json { event, service }).unwrap()
    }

    #[test]
    fn keys_are_in_the_order_of_the_table_and_what_is_missing_is_left_out() {
        let event = Event {
            host: Some(b"lb1"),
            client_ip: Some(b"2001:db8::1"),
            request_date: Some(Timestamp::from_millis(1_767_268_861_042)),
            frontend: Some(b"www"),
            tls: true,
            timers: Timers {
                response: Some(0),
                ..Timers::NONE
            },
            status: Some(200),
            request: Some(b"GET /\"\xff HTTP/1.1"),
            path: Some(b"/\"\xff"),
            ..Event::of_kind(Kind::Http)
        };
        insta::assert_snapshot!(json(&event), @r#"{"kind":"http","service":"www","host":"lb1","client_ip":"2001:db8::1","request_date":"2026-01-01T12:01:01.042Z","frontend":"www","tls":true,"Tr":0,"partial":false,"status":200,"redispatched":false,"path":"/\"�","request":"GET /\"� HTTP/1.1"}"#);
    }

    #[test]
    fn what_is_no_traffic_has_no_flags() {
        let event = Event {
            message: Some(b"Server api/a is DOWN"),
            state: Some(b"DOWN"),
            ..Event::of_kind(Kind::Event)
        };
        insta::assert_snapshot!(json(&event), @r#"{"kind":"event","message":"Server api/a is DOWN","state":"DOWN"}"#);
    }

    #[test]
    fn captures_are_named_where_each_has_a_name_of_its_own() {
        for (names, expected) in [
            (&[][..], r#"["a","","b"]"#),
            (&["Host", "X", "Via"], r#"{"Host":"a","X":"","Via":"b"}"#),
            (&["Host", "X"], r#"["a","","b"]"#),
            (&["Host", "X", "Host"], r#"["a","","b"]"#),
        ] {
            let names: Vec<Box<str>> = names.iter().map(|&name| name.into()).collect();
            let captures = Captures {
                values: b"a||b",
                separator: Separator::Pipe,
                names: &names,
            };
            assert_eq!(serde_json::to_string(&captures).unwrap(), expected);
        }
    }

    #[test]
    fn extra_fields_keep_their_types() {
        use crate::haproxy::event::{ExtraSpan, SpanPlace};
        let field = |name: &str, extra_type| ExtraField {
            name: name.into(),
            extra_type,
        };
        let fields = [
            field("sni", ExtraType::String),
            field("hits", ExtraType::Int),
            field("reused", ExtraType::Bool),
            field("gone", ExtraType::Int),
        ];
        let span = |start, end, place| ExtraSpan { start, end, place };
        let spans = [
            span(0, 1, SpanPlace::Text),
            span(2, 4, SpanPlace::Text),
            span(5, 6, SpanPlace::Text),
            span(0, 0, SpanPlace::Missing),
        ];
        let extra = Extra::new(&fields, &spans, b"a 42 1", b"");
        let json = serde_json::to_string(&extra).unwrap();
        assert_eq!(json, r#"{"sni":"a","hits":42,"reused":true}"#);
    }
}
