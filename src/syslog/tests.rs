//! What each form of header says, and that our own reading of it agrees with
//! `syslog_loose`'s where that one is right.

use super::*;
use proptest::prelude::*;
use syslog_loose::Variant;

const CLIENT: &str = "192.0.2.7:40112 [21/Nov/2026:04:55:14.120] web~ api/api3 0/0/1/7/9";

/// The fields as one line: `facility.severity timestamp host app pid msgid data|text`.
fn read(frame: &[u8]) -> String {
    let message = parse(frame);
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
        // Fractions, years and zones in a date of RFC 3164's kind.
        (
            "<134>Nov 21 04:55:14.120 lb1 haproxy[1]: hi",
            "16.6 Nov 21 04:55:14.120 lb1 haproxy 1 - -|hi",
        ),
        (
            "<134>Nov 21 04:55:14,120345 CET lb1 haproxy[1]: hi",
            "16.6 Nov 21 04:55:14,120345 CET lb1 haproxy 1 - -|hi",
        ),
        (
            "<134>Nov 21 04:55:14 UTC: lb1 haproxy[1]: hi",
            "16.6 Nov 21 04:55:14 UTC lb1 haproxy 1 - -|hi",
        ),
        (
            "<134>Nov 21 04:55:14 +01:00 lb1 haproxy[1]: hi",
            "16.6 Nov 21 04:55:14 +01:00 lb1 haproxy 1 - -|hi",
        ),
        (
            "<134>2026 Nov 21 04:55:14.120 lb1 haproxy[1]: hi",
            "16.6 2026 Nov 21 04:55:14.120 lb1 haproxy 1 - -|hi",
        ),
        (
            "<134>Nov 21 04:55:14 CETUS haproxy[1]: hi",
            "16.6 Nov 21 04:55:14 CETUS haproxy 1 - -|hi",
        ),
        // ISO dates that are not quite RFC 3339's.
        (
            "2026-11-21T04:55:14+0100 lb1 haproxy[1]: hi",
            "-.- 2026-11-21T04:55:14+0100 lb1 haproxy 1 - -|hi",
        ),
        (
            "2026-11-21 04:55:14,120 lb1 haproxy[1]: hi",
            "-.- 2026-11-21 04:55:14,120 lb1 haproxy 1 - -|hi",
        ),
        (
            "<134>2026-11-21T04:55:14. lb1 haproxy[1]: hi",
            "16.6 - - - - - -|2026-11-21T04:55:14. lb1 haproxy[1]: hi",
        ),
        // A byte-order mark, or blanks, before it all.
        (
            "\u{feff}<134>Nov 21 04:55:14 lb1 haproxy[1]: hi",
            "16.6 Nov 21 04:55:14 lb1 haproxy 1 - -|hi",
        ),
        (
            "  <134>1 2026-11-21T04:55:14Z - haproxy 1 - - hi",
            "16.6 2026-11-21T04:55:14Z - haproxy 1 - -|hi",
        ),
        ("\u{feff}hi", "-.- - - - - - -|hi"),
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

/// HAProxy's `log ... format`s, and rsyslog's and syslog-ng's that are not above.
#[test]
fn each_writer_s_own_forms() {
    for (header, expected) in [
        (
            "<134>Nov 21 04:55:14 haproxy[1]: ",
            "16.6 Nov 21 04:55:14 - haproxy 1",
        ),
        (
            "<134>Nov 21 04:55:14 localhost haproxy[1]: ",
            "16.6 Nov 21 04:55:14 localhost haproxy 1",
        ),
        (
            "<134>1 2026-11-21T04:55:14.120345+00:00 - haproxy 1 - - ",
            "16.6 2026-11-21T04:55:14.120345+00:00 - haproxy 1",
        ),
        (
            "2026-11-21T04:55:14.120345+00:00 ",
            "-.- 2026-11-21T04:55:14.120345+00:00 - - -",
        ),
        (
            "<6>2026-11-21T04:55:14.120345+00:00 ",
            "0.6 2026-11-21T04:55:14.120345+00:00 - - -",
        ),
        ("<6>", "0.6 - - - -"),
        ("<134>", "16.6 - - - -"),
        ("", "-.- - - - -"),
        // RSYSLOG_FileFormat; RSYSLOG_TraditionalFileFormat and syslog-ng's files.
        (
            "2026-11-21T04:55:14.120345+01:00 lb1 haproxy[1]: ",
            "-.- 2026-11-21T04:55:14.120345+01:00 lb1 haproxy 1",
        ),
        (
            "Nov 21 04:55:14 lb1 haproxy[1]: ",
            "-.- Nov 21 04:55:14 lb1 haproxy 1",
        ),
        // Chained hosts, and the data that syslog-ng adds.
        (
            "<134>Nov 21 04:55:14 src@lb1/relay haproxy[1]: ",
            "16.6 Nov 21 04:55:14 src@lb1/relay haproxy 1",
        ),
        (
            "<134>1 2026-11-21T04:55:14+01:00 lb1 haproxy 1 - [meta sequenceId=\"7\"] \u{feff}",
            "16.6 2026-11-21T04:55:14+01:00 lb1 haproxy 1",
        ),
        (
            "<134>1 2026-11-21T04:55:14Z lb1 haproxy 1 - -  \u{feff}",
            "16.6 2026-11-21T04:55:14Z lb1 haproxy 1",
        ),
        (
            "<134>Nov 21 04:55:14 lb1 haproxy[1]: \u{feff}",
            "16.6 Nov 21 04:55:14 lb1 haproxy 1",
        ),
    ] {
        for text in [
            CLIENT,
            "192.0.2.7 - - [21/Nov/2026:04:55:14 +0000] \"GET / HTTP/1.1\" 200",
            "{\"status\":200, \"path\": \"/\"}",
            "Connect from 192.0.2.7:40112 to 192.0.2.1:80 (web/HTTP)",
            "Server api/api3 is DOWN, reason: Layer4 timeout",
        ] {
            let frame = format!("{header}{text}");
            let fields = format!("{expected} - ");
            let read = read(frame.as_bytes()).replace(" - [meta sequenceId=\\\"7\\\"]|", " - -|");
            assert_eq!(
                read,
                format!("{fields}-|{}", text.as_bytes().escape_ascii()),
                "{frame}"
            );
        }
    }
}

#[test]
fn a_tag_may_be_any_string() {
    for (tag, host, app) in [
        ("my.app/edge-1", "-", "my.app/edge-1"),
        ("a:b", "-", "a:b"),
        ("[edge]", "-", "[edge]"),
        ("edge{1}", "-", "edge{1}"),
        ("caf\u{e9}", "-", "caf\\xc3\\xa9"),
        // Its first word passes for a host where there is none.
        ("lb one", "lb", "one"),
        ("the lb one", "the", "lb one"),
    ] {
        let json = "{\"status\": 200}";
        let json_text = |header: String| {
            let frame = format!("{header}{json}");
            let text = parse(frame.as_bytes()).text.to_vec();
            String::from_utf8(text).expect("JSON")
        };
        assert_eq!(json_text(format!("<134>Nov 21 04:55:14 {tag}[12]: ")), json);
        assert_eq!(
            json_text(format!("<134>Nov 21 04:55:14 lb1 {tag}[12]: ")),
            json
        );
        for data in ["-", "[a b=\"c\"]"] {
            let header = format!("<134>1 2026-11-21T04:55:14Z lb1 {tag} 12 - {data} ");
            assert_eq!(json_text(header), json);
        }
        let read = |header: &str| read(format!("{header}{CLIENT}").as_bytes());
        assert_eq!(
            read(&format!("<134>Nov 21 04:55:14 {tag}[12]: ")),
            format!("16.6 Nov 21 04:55:14 {host} {app} 12 - -|{CLIENT}")
        );
        let app = tag.as_bytes().escape_ascii();
        for stamp in ["Nov 21 04:55:14", "2026-11-21T04:55:14Z"] {
            assert_eq!(
                read(&format!("<134>{stamp} lb1 {tag}[12]: ")),
                format!("16.6 {stamp} lb1 {app} 12 - -|{CLIENT}")
            );
        }
        for data in ["-", "[a b=\"c\"]", "bare"] {
            let expected = data.as_bytes().escape_ascii();
            assert_eq!(
                read(&format!(
                    "<134>1 2026-11-21T04:55:14Z lb1 {tag} 12 - {data} "
                )),
                format!("16.6 2026-11-21T04:55:14Z lb1 {app} 12 - {expected}|{CLIENT}")
            );
        }
    }
}

#[test]
fn a_message_inside_a_message_is_opened() {
    for (frame, expected) in [
        (
            "<13>Nov 21 04:55:15 relay <134>Nov 21 04:55:14 lb1 haproxy[1]: hi",
            "16.6 Nov 21 04:55:14 lb1 haproxy 1 - -|hi",
        ),
        (
            "<13>Nov 21 04:55:15 relay fwd[9]: <134>Nov 21 04:55:14 haproxy[1]: hi",
            "16.6 Nov 21 04:55:14 relay haproxy 1 - -|hi",
        ),
        (
            "<13>Nov 21 04:55:15 relay haproxy: <134>1 2026-11-21T04:55:14Z lb1 haproxy 1 - - hi",
            "16.6 2026-11-21T04:55:14Z lb1 haproxy 1 - -|hi",
        ),
        (
            "<13>1 2026-11-21T04:55:15Z relay fwd 9 ID [a b=\"c\"] <134>Nov 21 04:55:14 lb1 haproxy[1]: hi",
            "16.6 Nov 21 04:55:14 lb1 haproxy 1 ID [a b=\\\"c\\\"]|hi",
        ),
        (
            "<13>1 2026-11-21T04:55:15Z relay fwd 9 - -  \u{feff}<134>1 2026-11-21T04:55:14Z lb1 haproxy 1 - - \u{feff}hi",
            "16.6 2026-11-21T04:55:14Z lb1 haproxy 1 - -|hi",
        ),
        // rsyslog's doubled header: the inner one has lost its priority.
        (
            "<134>Nov 21 04:55:15 relay Nov 21 04:55:14 lb1 haproxy[1]: hi",
            "16.6 Nov 21 04:55:14 lb1 haproxy 1 - -|hi",
        ),
        (
            "<134>Nov 21 04:55:15 Nov 21 04:55:14 lb1 haproxy[1]: hi",
            "16.6 Nov 21 04:55:14 lb1 haproxy 1 - -|hi",
        ),
        (
            "<134>2026-11-21T04:55:15Z relay 2026-11-21T04:55:14Z lb1 haproxy[1]: hi",
            "16.6 2026-11-21T04:55:14Z lb1 haproxy 1 - -|hi",
        ),
        (
            "<134>2026-11-21T04:55:15Z relay 1 2026-11-21T04:55:14Z lb1 haproxy 1 - - hi",
            "16.6 2026-11-21T04:55:14Z lb1 haproxy 1 - -|hi",
        ),
        (
            "<13><134>Nov 21 04:55:14 haproxy[1]: hi",
            "16.6 Nov 21 04:55:14 - haproxy 1 - -|hi",
        ),
        // Three are opened, a fourth is text.
        (
            "<10>Nov 21 04:55:10 a b[1]: <11>Nov 21 04:55:11 a b[1]: <12>Nov 21 04:55:12 a b[1]: <13>Nov 21 04:55:13 a b[1]: <14>Nov 21 04:55:14 a b[1]: hi",
            "1.5 Nov 21 04:55:13 a b 1 - -|<14>Nov 21 04:55:14 a b[1]: hi",
        ),
        // Texts that look like a header, and are texts.
        (
            "<13>Nov 21 04:55:15 lb1 app[9]: <134>hi",
            "1.5 Nov 21 04:55:15 lb1 app 9 - -|<134>hi",
        ),
        (
            "<13>Nov 21 04:55:15 lb1 app[9]: <134>hi there: x",
            "1.5 Nov 21 04:55:15 lb1 app 9 - -|<134>hi there: x",
        ),
        (
            "<13>Nov 21 04:55:15 lb1 app[9]: <134>Nov 21 04:55:14 and on",
            "1.5 Nov 21 04:55:15 lb1 app 9 - -|<134>Nov 21 04:55:14 and on",
        ),
        (
            "<13>Nov 21 04:55:15 lb1 app[9]: Nov 21 04:55:14 error: x",
            "1.5 Nov 21 04:55:15 lb1 app 9 - -|Nov 21 04:55:14 error: x",
        ),
        (
            "<13>Nov 21 04:55:15 lb1 app[9]: Nov 21 was bad",
            "1.5 Nov 21 04:55:15 lb1 app 9 - -|Nov 21 was bad",
        ),
        (
            "<13>Nov 21 04:55:15 lb1 app[9]: <a>Nov 21 04:55:14 b c[1]: x",
            "1.5 Nov 21 04:55:15 lb1 app 9 - -|<a>Nov 21 04:55:14 b c[1]: x",
        ),
    ] {
        assert_eq!(read(frame.as_bytes()), expected, "{frame}");
    }
}

#[test]
fn rsyslog_s_repeated_message_is_the_message() {
    for (text, repeats, expected) in [
        (
            format!("message repeated 3 times: [ {CLIENT}]"),
            Some(3),
            CLIENT,
        ),
        (
            format!("message repeated 3 times: [{CLIENT}] "),
            Some(3),
            CLIENT,
        ),
        (
            "message repeated 3 times: [ hi]".into(),
            None,
            "message repeated 3 times: [ hi]",
        ),
        (format!("message repeated x times: [ {CLIENT}]"), None, ""),
        (format!("message repeated 3 times: [ {CLIENT}"), None, ""),
        (
            "last message repeated 3 times".into(),
            None,
            "last message repeated 3 times",
        ),
    ] {
        let frame = format!("<134>Nov 21 04:55:14 lb1 haproxy[1]: {text}");
        let message = parse(frame.as_bytes());
        assert_eq!(message.repeats, repeats, "{text}");
        let expected = if expected.is_empty() { &text } else { expected };
        assert_eq!(message.text, expected.as_bytes(), "{text}");
    }
}

#[test]
fn the_protocol_is_that_of_the_header() {
    use Protocol::{Rfc3164, Rfc5424};
    for (frame, expected) in [
        ("<134>Nov 21 04:55:14 lb1 haproxy[1]: hi", Some(Rfc3164)),
        ("2026-11-21T04:55:14Z lb1 haproxy[1]: hi", Some(Rfc3164)),
        ("<134>haproxy[1]: hi", Some(Rfc3164)),
        ("<134>1 - - - - - - hi", Some(Rfc5424)),
        (
            "<134>Nov 21 04:55:14 a <134>1 2026-11-21T04:55:14Z - b - - - hi",
            Some(Rfc5424),
        ),
        ("<134>hi", None),
        ("hi", None),
    ] {
        let message = parse(frame.as_bytes());
        assert_eq!(message.protocol, expected, "{frame}");
    }
    assert_eq!(
        [Rfc3164, Rfc5424].map(Protocol::as_str),
        ["rfc3164", "rfc5424"]
    );
}

#[test]
fn structured_data_is_read_whole_or_not_at_all() {
    for (data, expected) in [
        ("[a]", "a{}"),
        ("[a@1 b=\"c\" b=\"\"][d e=\"f g\"]", "a@1{b=c,b=,}d{e=f g,}"),
        (
            r#"[a b="\\" c="\"" d="\]" e="x\n]y"]"#,
            r#"a{b=\,c=",d=],e=x\n]y,}"#,
        ),
        ("[a b=\"caf\u{e9}\"]", "a{b=caf\u{e9},}"),
        ("bare", ""),
        ("[]", ""),
        ("[ a]", ""),
        ("[a b]", ""),
        ("[a b=c]", ""),
        ("[a b=\"c\" ]", ""),
        ("[a b= \"c\"]", ""),
        ("[a b=\"c\"", ""),
        ("[a b=\"c", ""),
        ("[a b=\"c\\\"]", ""),
        ("[a][b", ""),
        ("[a] [b]", ""),
    ] {
        let message = Message {
            structured_data: Some(data.as_bytes()),
            ..Message::default()
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let read: String = message
            .structured_data_elements()
            .iter()
            .map(|element| {
                let params = element.params.iter();
                let params: String = params
                    .map(|(name, value)| format!("{}={},", text(name), text(value)))
                    .collect();
                format!("{}{{{params}}}", text(element.id))
            })
            .collect();
        assert_eq!(read, expected, "{data}");
    }
    assert!(Message::default().structured_data_elements().is_empty());
}

#[test]
fn stamps_print_with_the_offset_they_are_said_in() {
    let reference = "2026-01-02T00:00:00Z".parse().unwrap();
    let reference = Timestamp::from_micros(jiff::Timestamp::as_microsecond(reference));
    let stockholm = TimeZone::get("Europe/Stockholm").unwrap();
    for (stamp, expected) in [
        (
            "2026-11-21T04:55:14.120345+01:00",
            "2026-11-21T04:55:14.120345+01:00",
        ),
        (
            "2026-11-21T04:55:14.120345999-08:30",
            "2026-11-21T04:55:14.120345-08:30",
        ),
        ("2026-11-21T04:55:14Z", "2026-11-21T04:55:14+00:00"),
        ("2026-11-21T04:55:14", "2026-11-21T04:55:14+01:00"),
        ("Aug  1 12:00:00", "2025-08-01T12:00:00+02:00"),
        ("Jan  1 12:00:00.5 EST", "2026-01-01T12:00:00.5-05:00"),
    ] {
        let message = Message {
            timestamp: Some(stamp.as_bytes()),
            ..Message::default()
        };
        let printed = message.timestamp_rfc3339(reference, &stockholm);
        assert_eq!(printed.as_deref(), Some(expected), "{stamp}");
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
            let message = parse(frame.as_bytes());
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
        ("feb 1 12:00:00", Some("2026-02-01T11:00:00.000Z")),
        ("feb 1 12:00:00:", None),
        ("2024 Feb 29 12:00:00", Some("2024-02-29T11:00:00.000Z")),
        ("Feb  1 12:00:00.120", Some("2026-02-01T11:00:00.120Z")),
        ("Feb  1 12:00:00 UTC", Some("2026-02-01T12:00:00.000Z")),
        ("Feb  1 12:00:00 2025 PDT", Some("2025-02-01T19:00:00.000Z")),
        ("Feb  1 12:00:00 +0200", Some("2026-02-01T10:00:00.000Z")),
        ("Feb  1 12:00:00 XYZ", None),
        ("2026-02-01 12:00:00,5", Some("2026-02-01T11:00:00.500Z")),
        ("2026-02-01T12:00:00+0200", Some("2026-02-01T10:00:00.000Z")),
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
    fn wrapped_traffic_is_found_whole(
        layers in prop::collection::vec(
            "(<(13|134)>)?(Nov  1 04:55:14|2026-11-01T04:55:14\\.120Z) relay ([a-z]{1,9}(\\[7\\])?: )?|\
             <13>1 2026-11-01T04:55:14Z relay [a-z]{1,9} 7 - - (\u{feff})?",
            0..4,
        ),
        header in "(<134>)?(Nov  1 04:55:14|2026-11-01T04:55:14Z) (lb1 )?(a b|[a-z]{1,9})\\[7\\]: |\
             <134>1 2026-11-01T04:55:14Z - [a-z]{1,9} 7 - (-|\\[a b=\"c\"\\]) |\
             <6>|<6>2026-11-01T04:55:14Z ",
    ) {
        let frame = format!("{}{header}{CLIENT}", layers.concat());
        let message = parse(frame.as_bytes());
        prop_assert_eq!(message.text.escape_ascii().to_string(), CLIENT, "{}", frame);
    }

    #[test]
    fn any_frame_gives_a_message_that_ends_as_it_does(
        header in "(<[0-9]{0,4}>)?( ?[A-Za-z]{3} [ 0-9]{1,2} [0-9:]{8} |1 - - - - - )?",
        frame in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let frame = [header.as_bytes(), &frame].concat();
        let message = parse(&frame);
        prop_assert!(frame.ends_with(message.text));
        message.time(Timestamp::from_secs(0), &TimeZone::UTC);
    }
}

/// The clocks go back at 01:00 UTC: 02:30 comes twice.
#[test]
fn a_stamp_that_comes_twice_is_the_one_closer_to_the_reference() {
    let zone = TimeZone::get("Europe/Stockholm").unwrap();
    let message = parse(b"<134>Oct 25 02:30:00 lb1 haproxy[7]: hi");
    for (reference, expected) in [
        ("2026-10-25T00:31:00Z", "2026-10-25T00:30:00.000Z"),
        ("2026-10-25T01:31:00Z", "2026-10-25T01:30:00.000Z"),
    ] {
        let reference: jiff::Timestamp = reference.parse().unwrap();
        let reference = Timestamp::from_micros(reference.as_microsecond());
        let time = message.time(reference, &zone).unwrap();
        assert_eq!(time.to_string(), expected);
    }
}

#[test]
fn a_stamp_is_exact_with_a_year_and_an_offset() {
    for (stamp, expected) in [
        (
            "2026-10-25T02:30:00.5+02:00",
            Some("2026-10-25T00:30:00.500Z"),
        ),
        ("Oct 25 02:30:00 2026 CET", Some("2026-10-25T01:30:00.000Z")),
        ("Oct 25 02:30:00 CET", None),
        ("Oct 25 02:30:00", None),
        ("2026-02-30T02:30:00Z", None),
    ] {
        let frame = format!("<134>{stamp} lb1 haproxy[7]: hi");
        let exact = parse(frame.as_bytes()).exact_time();
        assert_eq!(
            exact.map(|time| time.to_string()).as_deref(),
            expected,
            "{stamp}"
        );
    }
}
