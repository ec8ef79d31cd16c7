//! What each form of header says, and that our own reading of it agrees with
//! `syslog_loose`'s where that one is right.

use super::*;
use proptest::prelude::*;
use syslog_loose::Variant;

const CLIENT: &str = "192.0.2.7:40112 [21/Nov/2026:04:55:14.120] web~ api/api3 0/0/1/7/9";

/// The fields as one line: `facility.severity timestamp host app pid msgid data|text`.
fn read(frame: &[u8]) -> String {
    let message = Parser::new().parse(frame);
    let number = |value: Option<u8>| value.map_or("-".into(), |value| value.to_string());
    let field =
        |value: Option<&[u8]>| value.map_or("-".into(), |value| value.escape_ascii().to_string());
    format!(
        "{}.{} {} {} {} {} {} {}|{}",
        number(message.facility),
        number(message.severity),
        field(message.timestamp),
        field(message.host),
        field(message.app),
        field(message.pid),
        field(message.msgid),
        field(message.structured_data),
        message.text.escape_ascii(),
    )
}

#[test]
fn usual_headers() {
    for (frame, expected) in [
        // HAProxy's own, without a host.
        (
            "<134>Nov 21 04:55:14 haproxy[123]: hi",
            "16.6 Nov 21 04:55:14 - haproxy 123 - -|hi",
        ),
        (
            "<134>Nov  1 04:55:14 edge: hi",
            "16.6 Nov  1 04:55:14 - edge - - -|hi",
        ),
        // rsyslog's TraditionalForwardFormat and ForwardFormat.
        (
            "<134>Nov 21 04:55:14 lb1 haproxy[123]: hi",
            "16.6 Nov 21 04:55:14 lb1 haproxy 123 - -|hi",
        ),
        (
            "<29>2026-11-21T04:55:14.120345+01:00 lb1 my-edge[7]: hi there",
            "3.5 2026-11-21T04:55:14.120345+01:00 lb1 my-edge 7 - -|hi there",
        ),
        // SyslogProtocol23Format: two blanks before the text.
        (
            "<134>1 2026-11-21T04:55:14.120345Z lb1 haproxy 123 - -  hi",
            "16.6 2026-11-21T04:55:14.120345Z lb1 haproxy 123 - -| hi",
        ),
        (
            "<134>1 2026-11-21T04:55:14Z - haproxy - ID4 [a@1 b=\"]\\\"\\\\\"][c] \u{feff}hi",
            "16.6 2026-11-21T04:55:14Z - haproxy - ID4 [a@1 b=\\\"]\\\\\\\"\\\\\\\\\\\"][c]|hi",
        ),
        ("<0>1 - - - - - -", "0.0 - - - - - -|"),
        ("<0>1 - - - - - [a]", "0.0 - - - - - [a]|"),
        ("<0>1 - - - - - [a b", "0.0 - - - - - -|[a b"),
        // Without a priority, as in files.
        (
            "Nov 21 04:55:14 lb1 haproxy[123]: hi",
            "-.- Nov 21 04:55:14 lb1 haproxy 123 - -|hi",
        ),
        // Tags of other programs, glued text, no text, no tag.
        (
            "<4>Nov 21 04:55:14 lb1 sshd(pam)[9]:x y",
            "0.4 Nov 21 04:55:14 lb1 sshd(pam) 9 - -|x y",
        ),
        (
            "<4>Nov 21 04:55:14 lb1 app:",
            "0.4 Nov 21 04:55:14 lb1 app - - -|",
        ),
        (
            "<4>Nov 21 04:55:14 lb1 app[9] x",
            "0.4 Nov 21 04:55:14 lb1 app 9 - -|x",
        ),
        (
            "<4>Nov 21 04:55:14 lb1 [a b=\"c\"] x",
            "0.4 Nov 21 04:55:14 lb1 - - - -|[a b=\\\"c\\\"] x",
        ),
        (
            "<4>Nov 21 04:55:14 lb1  two blanks: x",
            "0.4 Nov 21 04:55:14 lb1 - - - -| two blanks: x",
        ),
        ("<4>Nov 21 04:55:14 lb1", "0.4 Nov 21 04:55:14 lb1 - - - -|"),
        ("<4>Nov 21 04:55:14", "0.4 Nov 21 04:55:14 - - - - -|"),
        (
            "<4>Nov 21 04:55:14 ::1 app: x",
            "0.4 Nov 21 04:55:14 ::1 app - - -|x",
        ),
        // A tag cut at 32 characters, in its name or in its number.
        (
            "<4>Nov 21 04:55:14 lb1 edge-proxy-of-the-payment-zone-x hi",
            "0.4 Nov 21 04:55:14 lb1 edge-proxy-of-the-payment-zone-x - - -|hi",
        ),
        (
            "<4>Nov 21 04:55:14 lb1 edge-proxy-of-the-payments[12345 hi",
            "0.4 Nov 21 04:55:14 lb1 edge-proxy-of-the-payments - - -|hi",
        ),
    ] {
        assert_eq!(read(frame.as_bytes()), expected, "{frame}");
        assert!(
            fast(frame.as_bytes()).is_some(),
            "not read by the fast path: {frame}"
        );
    }
}

#[test]
fn unusual_headers() {
    for (frame, expected) in [
        (
            "<134> Nov 21 04:55:14 lb1 haproxy[1]: hi",
            "16.6 Nov 21 04:55:14 lb1 haproxy 1 - -|hi",
        ),
        (
            "<134>Nov 1 04:55:14 haproxy[1]: hi",
            "16.6 Nov 1 04:55:14 - haproxy 1 - -|hi",
        ),
        (
            "<134>NOV 21 04:55:14 lb1 haproxy[1]: hi",
            "16.6 NOV 21 04:55:14 lb1 haproxy 1 - -|hi",
        ),
        (
            "<134>Nov 21 2026 04:55:14: lb1 app: hi",
            "16.6 Nov 21 2026 04:55:14 lb1 app - - -|hi",
        ),
        (
            "<134>Nov 21 04:55:14 2026 lb1 app: hi",
            "16.6 Nov 21 04:55:14 2026 lb1 app - - -|hi",
        ),
        (
            "<134>Nov 1 04:55:14 2026 lb1 app: hi",
            "16.6 Nov 1 04:55:14 2026 lb1 app - - -|hi",
        ),
        (
            "<134>Nov 1 04:55:14 - app: hi",
            "16.6 Nov 1 04:55:14 - app - - -|hi",
        ),
        // What syslog_loose gives up on or loses.
        (
            "<134>Feb 29 04:55:14 lb1 app: hi",
            "16.6 Feb 29 04:55:14 lb1 app - - -|hi",
        ),
        (
            "<134> Feb 29 04:55:14 lb1 app: hi",
            "16.6 Feb 29 04:55:14 lb1 app - - -|hi",
        ),
        (
            "<999>Nov 21 04:55:14 lb1 app: hi",
            "-.- Nov 21 04:55:14 lb1 app - - -|hi",
        ),
        (
            "<134>Nov 1 04:55:14 lb1 app: [a b=\"c\"] hi ",
            "16.6 Nov 1 04:55:14 lb1 app - - -|[a b=\\\"c\\\"] hi ",
        ),
        // No date at all.
        ("<134>haproxy[1]: hi", "16.6 - - haproxy 1 - -|hi"),
        ("<134>hello: world", "16.6 - - - - - -|hello: world"),
        ("<13hello", "-.- - - - - - -|<13hello"),
        ("<a>hello", "-.- - - - - - -|<a>hello"),
        ("<>hello", "-.- - - - - - -|<>hello"),
        ("<007>hello", "-.- - - - - - -|hello"),
        ("{\"a\":1}", "-.- - - - - - -|{\\\"a\\\":1}"),
        ("", "-.- - - - - - -|"),
        // Not RFC 5424: a field or the version is wrong.
        ("<1>0 - - - - - -", "0.1 - - - - - -|0 - - - - - -"),
        ("<1>1 - - - - -", "0.1 - - - - - -|1 - - - - -"),
        (
            "<1>1 2026-13-01T00:00:00Z - - - - -",
            "0.1 - - - - - -|1 2026-13-01T00:00:00Z - - - - -",
        ),
        (
            "<1>1 - host\nname - - - -",
            "0.1 - - - - - -|1 - host\\nname - - - -",
        ),
    ] {
        assert_eq!(read(frame.as_bytes()), expected, "{frame}");
    }
}

#[test]
fn frames_need_not_be_utf_8() {
    assert_eq!(
        read(b"<134>Nov 1 04:55:14 lb\xff haproxy[1]: caf\xe9"),
        "16.6 Nov 1 04:55:14 lb\\xff haproxy 1 - -|caf\\xe9"
    );
}

#[test]
fn traffic_is_never_taken_for_a_header() {
    for header in [
        "",
        "<134>",
        "<999>",
        "<134>haproxy[1]: ",
        "<134>Nov 21 04:55:14 ",
        "<134>Nov 21 04:55:14 lb1 ",
        "<134>Nov 21 04:55:14  haproxy[1]: ",
        "<134>Nov 21 04:55:14 lb1 haproxy[1] ",
        "<134>NOV 1 2026 04:55:14 lb1 haproxy[1]: ",
        "<134>2026-11-21T04:55:14Z ",
        "<134>1 2026-11-21T04:55:14Z - haproxy 1 - - ",
        "<134>1 2026-11-21T04:55:14Z - haproxy 1 - bare ",
    ] {
        for client in ["", "-:- [2", "unix:1 [2", "fd00:beef::1:4000 [2"] {
            let traffic = match client {
                "" => CLIENT.to_owned(),
                other => CLIENT.replace("192.0.2.7:40112 [2", other),
            };
            let frame = format!("{header}{traffic}");
            let message = Parser::new().parse(frame.as_bytes());
            assert_eq!(message.text, traffic.as_bytes(), "{frame}");
        }
    }
}

#[test]
fn stamps_resolve_to_times() {
    let reference = "2026-01-02T00:00:00Z".parse().unwrap();
    let stockholm = TimeZone::get("Europe/Stockholm").unwrap();
    let reference = Timestamp::from_micros(jiff::Timestamp::as_microsecond(reference));
    for (stamp, expected) in [
        (
            "2026-11-21T04:55:14.120345+01:00",
            Some("2026-11-21T03:55:14.120Z"),
        ),
        ("2026-11-21T04:55:14Z", Some("2026-11-21T04:55:14.000Z")),
        (
            "2026-11-21T04:55:14-00:30",
            Some("2026-11-21T05:25:14.000Z"),
        ),
        ("2026-02-30T04:55:14Z", None),
        ("Jan  1 12:00:00", Some("2026-01-01T11:00:00.000Z")),
        ("Dec 31 23:59:59", Some("2025-12-31T22:59:59.000Z")),
        ("Aug  1 12:00:00", Some("2025-08-01T10:00:00.000Z")),
        ("Feb 29 12:00:00", None),
        ("feb 1 12:00:00:", Some("2026-02-01T11:00:00.000Z")),
        ("Feb 29 2024 12:00:00", Some("2024-02-29T11:00:00.000Z")),
        ("Feb 29 12:00:00 2024", Some("2024-02-29T11:00:00.000Z")),
        ("Feb 30 12:00:00", None),
        ("12:00:00", None),
    ] {
        let message = Message {
            timestamp: Some(stamp.as_bytes()),
            ..Message::default()
        };
        let time = message.time(reference, &stockholm);
        let expected = expected.map(str::to_owned);
        assert_eq!(time.map(|time| time.to_string()), expected, "{stamp}");
    }
}

/// Both readings of a header of a form that `syslog_loose` reads right.
fn agrees(frame: &str) {
    let ours = fast(frame.as_bytes()).expect("a form that the fast path knows");
    let theirs = syslog_loose::parse_message_with_year_tz(
        frame,
        |_| 2026,
        Some(chrono::Utc),
        Variant::Either,
    );
    let bytes = |field: Option<&str>| field.map(|field| field.as_bytes().to_vec());
    let owned = |field: Option<&[u8]>| field.map(<[u8]>::to_vec);
    assert_eq!(
        ours.facility,
        theirs.facility.map(|facility| facility as u8),
        "{frame}"
    );
    assert_eq!(
        ours.severity,
        theirs.severity.map(|severity| severity as u8),
        "{frame}"
    );
    assert_eq!(owned(ours.host), bytes(theirs.hostname), "{frame}");
    assert_eq!(owned(ours.app), bytes(theirs.appname), "{frame}");
    assert_eq!(owned(ours.msgid), bytes(theirs.msgid), "{frame}");
    let pid = theirs.procid.map(|pid| pid.to_string());
    assert_eq!(owned(ours.pid), bytes(pid.as_deref()), "{frame}");
    // It trims, we keep all but the separating blank.
    assert_eq!(
        ours.text.trim_ascii(),
        theirs.msg.trim().as_bytes(),
        "{frame}"
    );
    let micros = theirs.timestamp.map(|time| time.timestamp_micros());
    let reference = Timestamp::from_micros(micros.unwrap_or(0));
    let time = ours.time(reference, &TimeZone::UTC);
    assert_eq!(time.map(Timestamp::as_micros), micros, "{frame}");
}

proptest! {
    #[test]
    fn the_fast_path_agrees_with_syslog_loose(
        priority in 0_u8..192,
        (month, day) in (0_usize..12, 1_u8..29),
        (hour, minute, second, micros) in (0_u8..24, 0_u8..60, 0_u8..60, 0_u32..1_000_000),
        offset in prop::sample::select(vec!["Z", "+00:00", "+05:30", "-08:00"]),
        host in "(-|[a-z][a-z0-9.-]{0,14}[a-z0-9])",
        app in "[a-zA-Z][a-zA-Z0-9_./-]{0,14}",
        pid in "([1-9][0-9]{0,6}|[a-z]{1,5})",
        msgid in "(-|[A-Z]{2}[0-9]{1,4})",
        data in "(-|\\[[a-z]{1,5}@[0-9]{1,3}( [a-z]{1,4}=\"[a-z ]{0,6}\"){1,3}\\])",
        text in "[a-zA-Z0-9(/][ -~]{0,40}",
    ) {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
            "Nov", "Dec"];
        let bsd = format!("{} {day:2} {hour:02}:{minute:02}:{second:02}", months[month]);
        let rfc3339 = format!(
            "2026-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}{offset}",
            month + 1,
        );
        for frame in [
            format!("<{priority}>{bsd} {app}[{pid}]: {text}"),
            format!("<{priority}>{bsd} {host} {app}[{pid}]: {text}"),
            format!("<{priority}>{bsd} {host} {app}: {text}"),
            format!("<{priority}>{rfc3339} {host} {app}[{pid}]: {text}"),
            format!("<{priority}>1 {rfc3339} {host} {app} {pid} {msgid} {data} {text}"),
            format!("<{priority}>1 {rfc3339} {host} {app} {pid} {msgid} -  {text}"),
        ] {
            agrees(&frame);
        }
    }

    #[test]
    fn any_frame_gives_a_message_that_ends_as_it_does(
        header in "(<[0-9]{0,4}>)?( ?[A-Za-z]{3} [ 0-9]{1,2} [0-9:]{8} |1 - - - - - )?",
        frame in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let frame = [header.as_bytes(), &frame].concat();
        let mut parser = Parser::new();
        let message = parser.parse(&frame);
        prop_assert!(frame.ends_with(message.text));
        message.time(Timestamp::from_secs(0), &TimeZone::UTC);
    }
}
