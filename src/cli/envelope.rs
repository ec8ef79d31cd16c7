//! What the syslog envelope says, as commands print it.

use crate::haproxy::JsonText;
use crate::syslog::Message;
use crate::time::Timestamp;
use jiff::tz::TimeZone;
use serde::ser::{Serialize, SerializeSeq, Serializer};

/// The envelope of one frame. What it does not say is left out.
#[derive(serde::Serialize)]
pub struct Envelope<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facility: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<u8>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<JsonText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<JsonText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<JsonText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msgid: Option<JsonText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub structured_data: Option<StructuredData<'a>>,
    pub message: JsonText<'a>,
}

/// `[[id, [[name, value], ...]], ...]`
pub struct StructuredData<'a>(pub &'a [u8]);

impl<'a> Envelope<'a> {
    /// A stamp without a year is of the year that brings it closest to `now`, one without
    /// an offset is in `zone`.
    pub fn of(frame: &[u8], message: &Message<'a>, now: Timestamp, zone: &TimeZone) -> Self {
        Envelope {
            protocol: shim::protocol(frame, message),
            facility: message.facility,
            severity: message.severity,
            timestamp: shim::timestamp(message, now, zone),
            host: message.host.map(JsonText),
            app: message.app.map(JsonText),
            pid: message.pid.map(JsonText),
            msgid: message.msgid.map(JsonText),
            structured_data: message.structured_data.map(StructuredData),
            message: JsonText(message.text),
        }
    }
}

impl Serialize for StructuredData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for (id, parameters) in shim::elements(self.0) {
            list.serialize_element(&(id, parameters))?;
        }
        list.end()
    }
}

/// What `syslog` is about to say itself.
mod shim {
    use super::*;
    use std::borrow::Cow;

    pub fn protocol(frame: &[u8], message: &Message<'_>) -> Option<&'static str> {
        let priority = frame.iter().position(|&byte| byte == b'>');
        let header = priority.map_or(frame, |end| &frame[end + 1..]);
        let version = header
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if (1..=3).contains(&version) && header.get(version) == Some(&b' ') {
            return Some("rfc5424");
        }
        (message.facility.is_some() || message.timestamp.is_some()).then_some("rfc3164")
    }

    /// As printed where it is RFC 3339 already, or is no time at all.
    pub fn timestamp(message: &Message<'_>, now: Timestamp, zone: &TimeZone) -> Option<String> {
        let printed = String::from_utf8_lossy(message.timestamp?);
        let time = message.time(now, zone);
        Some(match time.filter(|_| !printed.contains('T')) {
            Some(time) => time.to_string(),
            None => printed.into_owned(),
        })
    }

    type Parameters<'a> = Vec<(Cow<'a, str>, String)>;

    pub fn elements(data: &[u8]) -> Vec<(Cow<'_, str>, Parameters<'_>)> {
        let (mut elements, mut rest) = (Vec::new(), data);
        while let [b'[', inside @ ..] = rest {
            let (id, tail) = split(inside, b" ]");
            let (mut parameters, mut tail) = (Vec::new(), tail);
            while let [b' ', parameter @ ..] = tail {
                let (name, value) = split(parameter, b"=]");
                let Some(value) = value.strip_prefix(b"=\"") else {
                    tail = value;
                    continue;
                };
                let (value, behind) = unescaped(value);
                parameters.push((String::from_utf8_lossy(name), value));
                tail = behind;
            }
            elements.push((String::from_utf8_lossy(id), parameters));
            rest = tail.strip_prefix(b"]").unwrap_or_default();
        }
        elements
    }

    fn split<'a>(bytes: &'a [u8], ends: &[u8]) -> (&'a [u8], &'a [u8]) {
        let end = bytes.iter().position(|byte| ends.contains(byte));
        bytes.split_at(end.unwrap_or(bytes.len()))
    }

    fn unescaped(bytes: &[u8]) -> (String, &[u8]) {
        let (mut value, mut rest) = (Vec::new(), bytes);
        loop {
            rest = match rest {
                [b'\\', escaped @ (b'"' | b'\\' | b']'), tail @ ..] => {
                    value.push(*escaped);
                    tail
                }
                [b'"', tail @ ..] => {
                    rest = tail;
                    break;
                }
                [byte, tail @ ..] => {
                    value.push(*byte);
                    tail
                }
                [] => break,
            };
        }
        (String::from_utf8_lossy(&value).into_owned(), rest)
    }
}
