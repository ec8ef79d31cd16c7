//! What the syslog envelope says, as commands print it.

use crate::haproxy::JsonText;
use crate::syslog::{Element, Message, Protocol};
use crate::time::Timestamp;
use jiff::tz::TimeZone;
use serde::ser::{Serialize, Serializer};

/// The envelope of one frame. What it does not say is left out, and so is a date that no
/// calendar has.
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
    pub structured_data: Option<Elements<'a>>,
    pub message: JsonText<'a>,
}

/// `[[id, [[name, value], ...]], ...]`
pub struct Elements<'a>(Vec<Element<'a>>);

impl<'a> Envelope<'a> {
    /// A stamp without a year is of the year that brings it closest to `now`, one without
    /// an offset is in `zone`.
    pub fn of(message: &Message<'a>, now: Timestamp, zone: &TimeZone) -> Self {
        Envelope {
            protocol: message.protocol.map(Protocol::as_str),
            facility: message.facility,
            severity: message.severity,
            timestamp: message.timestamp_rfc3339(now, zone),
            host: message.host.map(JsonText),
            app: message.app.map(JsonText),
            pid: message.pid.map(JsonText),
            msgid: message.msgid.map(JsonText),
            structured_data: Some(message.structured_data_elements())
                .filter(|elements| !elements.is_empty())
                .map(Elements),
            message: JsonText(message.text),
        }
    }
}

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|element| {
            let params = element.params.iter();
            let params = params.map(|(name, value)| (JsonText(name), JsonText(value)));
            (JsonText(element.id), params.collect::<Vec<_>>())
        }))
    }
}
