//! Which of a line's times is the event's: what `event_time` in weir.yaml chooses.

use crate::haproxy::{Event, Field};
use crate::syslog::Message;
use crate::time::Timestamp;
use jiff::tz::TimeZone;

/// The time by which events are put into windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventTime {
    /// When the request ended: HAProxy writes the line then.
    #[default]
    End,
    /// When the request began, or its connection.
    Start,
    /// When the envelope says that the line was sent.
    Syslog,
    /// When we received the line.
    Received,
}

impl EventTime {
    pub const ALL: [EventTime; 4] = [
        EventTime::End,
        EventTime::Start,
        EventTime::Syslog,
        EventTime::Received,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            EventTime::End => "end",
            EventTime::Start => "start",
            EventTime::Syslog => "syslog",
            EventTime::Received => "received",
        }
    }

    /// What an event's end and start are made of.
    pub const FIELDS: [Field; 4] = [Field::AcceptDate, Field::RequestDate, Field::Ta, Field::Tt];

    /// It is a time that HAProxy writes into the line, in its local time.
    pub const fn is_of_haproxy(self) -> bool {
        matches!(self, EventTime::End | EventTime::Start)
    }

    /// That time of an event and its message. `None` where the line does not say it, as
    /// none says when it was received: then that is the event's time.
    ///
    /// `reference` is close to it, for stamps without a year, and `zone` is that of stamps
    /// without an offset.
    #[inline]
    pub fn of(
        self,
        event: &Event<'_>,
        message: &Message<'_>,
        reference: Timestamp,
        zone: &TimeZone,
    ) -> Option<Timestamp> {
        match self {
            EventTime::End => event.ended_at(),
            EventTime::Start => event.started_at(),
            EventTime::Syslog => message.time(reference, zone),
            EventTime::Received => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{haproxy, syslog};
    use std::sync::Arc;

    #[test]
    fn each_mode_takes_its_own_time() {
        const HTTP: &str = "<134>Nov 21 04:55:16 lb1 haproxy[7]: 192.0.2.7:40112 \
            [21/Nov/2026:04:55:14.120] web api/api3 0/0/1/2/1500 200 1830 - - ---- 1/1/1/1/0 0/0 \
            \"GET / HTTP/1.1\"";
        const TCP: &str = "<134>192.0.2.7:40112 [21/Nov/2026:04:55:14.120] db pg/pg1 0/1/1500 9120 \
            -- 12/11/10/4/3 0/0";
        const CONNECT: &str = "Connect from 192.0.2.7:40112 to 192.0.2.1:80 (web/HTTP)";
        let reference = Timestamp::from_secs(1_795_236_916);
        let mut parser = haproxy::Parser::new(Arc::default(), TimeZone::UTC);
        for (line, expected) in [
            (HTTP, ["04:55:15.620", "04:55:14.120", "04:55:16.000", "-"]),
            (TCP, ["04:55:15.620", "04:55:14.120", "-", "-"]),
            (CONNECT, ["-", "-", "-", "-"]),
        ] {
            let message = syslog::parse(line.as_bytes());
            let event = parser.parse(&message, Some(reference)).unwrap();
            let times = EventTime::ALL.map(|mode| {
                let time = mode.of(&event, &message, reference, &TimeZone::UTC);
                time.map_or("-".to_owned(), |time| time.to_string()[11..23].to_owned())
            });
            assert_eq!(times, expected, "{line}");
        }
    }
}
