//! Any line in any format is an event or is rejected: the event's texts are the line's
//! own, all of it can be printed, and no line before it makes a difference.
//!
//! The input's first line is a log format, or a lower-case letter for one of [`FORMATS`];
//! the others are the log lines.

#![no_main]

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use weir::haproxy::config;
use weir::haproxy::{Event, ExtraValue, Field, Formats, Json, Parser, Reject, Value};
use weir::source::{Placed, Source};
use weir::syslog::Message;
use weir_fuzz::env;

/// One for each way in which a value is found and stored.
const FORMATS: [&str; 16] = [
    // Text that has to be searched for, behind each other and up to the end.
    "%ci:%cp [%tr] %ft %[req.hdr(user-agent)] %b/%s %[var(txn.a)] %ST %{+Q}r",
    "%[var(txn.a)]|%[var(txn.b)]|%[var(txn.c)]",
    "%{+Q}[var(txn.a)] %{+Q}[var(txn.b)] %Ta",
    // Captures in blocks and lists.
    "%ci:%cp %hr %{+Q}hr %ST %hs %{+Q}hs",
    "%{+Q}hrl %ST %{+Q}hsl",
    "%{+Q}hrl|%{+Q}hsl|%ST %hr %hs %{+Q}r",
    // Flags.
    "%{+X}o %ci:%cp %fi/%fp %Ts %ms %rt %pid %{-X}[src]",
    "%{+E}[req.hdr(a)] %{+Q,+E}HU %{+Q,+E}CC %{+Q,+E}[var(txn.a)]/%{+E}ID \"%HP%HQ\" %HM %{+Q}r",
    "%{+json}[req.hdr(a)] %ST %{+json}[src]:%(n:int){+json}[rand] %{+json}ci",
    // Types and names.
    "%(a:int)[var(txn.a)] %(b:bool)[var(txn.b)] %(c:str)[rand] %(c)[src] %Ta/%Tt/%Tu/%B",
    // Parts of a request, and dates.
    "%HM %HP%HQ %HV [%HPO|%HQ] %HU",
    "[%T] [%trg] [%tr] [%t] %Ts.%ms %tsc %ts %[var(txn.a)]",
    // Encoded lines.
    "%{+json}o %(ip)ci %(port)cp %(when)tr %(fe)ft %(st)ST %(r)r %(q)HQ %(hr)hr %(hl)hrl \
     %(a)[req.hdr(a)] %(n:int)[rand] %(ok:bool)[ssl_fc]",
    "%{+cbor}o %(ip)ci %(port)cp %(fe)f %(st)ST %(r)r %(hl)hrl %(a)[req.hdr(a)] %(n:int)[rand]",
    "%{+cbor,+bin}o %(ip)ci %(fe)f %(st)ST %(r)r %(hl)hrl %(ok:bool)[ssl_fc]",
    // Ends in blanks and fields that may be missing.
    "%ci %[date] %hr %hs ",
];

/// Frontends with formats of their own, as an `haproxy.cfg` has them.
const CONFIG: &str = r#"
defaults
    mode http
    option httplog

frontend www
    bind :80
    capture request header Host len 20
    capture request header X-Request-Id len 20
    capture response header Location len 20

frontend api
    bind :81
    log-format "%ci:%cp [%tr] %ft %b/%s %[req.hdr(user-agent)] %hr %ST"
    error-log-format "%ci:%cp %f failed: %[fc_err_str]"
    capture request header Host len 20
    capture request header Host len 20

frontend json
    bind :82
    log-format "%{+json}o %(fe)f %(ip)ci %(st)ST %(host)[req.hdr(host)]"

frontend silent
    bind :83
    log-format "%ci %ST %{+Q}hrl"
    capture request header Host len 20

listen db
    mode tcp
    bind :84
    option tcplog
"#;

struct Known {
    formats: Arc<Formats>,
    coded: Coded,
}

/// How far the event's texts are from the line's bytes.
#[derive(Clone, Copy)]
enum Coded {
    /// `#XX`, and backslashes where these escape.
    Escapes,
    /// Both, the backslashes first.
    Json,
    Cbor,
}

impl Known {
    /// `None` if this is no format.
    fn new(format: &str) -> Option<Known> {
        let placed = Placed::whole("--log-format", format);
        let coded = match () {
            () if format.contains("cbor") => Coded::Cbor,
            () if format.contains("json") => Coded::Json,
            () => Coded::Escapes,
        };
        let formats = Arc::new(Formats::one(&placed, &env).ok()?);
        Some(Known { formats, coded })
    }
}

/// `a` is HAProxy's own formats, `b` is [`CONFIG`], and [`FORMATS`] follow.
static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let config = config::read(&Source::new("haproxy.cfg", CONFIG), &env).expect("it is right");
    let several = [
        Known {
            formats: Arc::new(Formats::built_in()),
            coded: Coded::Escapes,
        },
        Known {
            formats: Arc::new(Formats::of_config(&config).expect("its formats are, too")),
            coded: Coded::Json,
        },
    ];
    let single = FORMATS.map(|format| Known::new(format).expect(format));
    several.into_iter().chain(single).collect()
});

/// Its clocks change twice a year.
static ZONE: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::get("Europe/Stockholm").expect("time zones are built in"));

fuzz_target!(|input: &[u8]| {
    let mut lines = input.split(|&byte| byte == b'\n');
    let custom;
    let known = match lines.next() {
        Some(&[letter @ b'a'..=b'z']) => match KNOWN.get(usize::from(letter - b'a')) {
            Some(known) => known,
            None => return,
        },
        Some(format) => match std::str::from_utf8(format).ok().and_then(Known::new) {
            Some(known) => {
                custom = known;
                &custom
            }
            None => return,
        },
        None => return,
    };
    let parser = || Parser::new(Arc::clone(&known.formats), ZONE.clone());
    let mut used = parser();
    for text in lines {
        // A warning is an event, whatever it says.
        for severity in [None, Some(4)] {
            let message = Message {
                severity,
                text,
                ..Message::default()
            };
            let mut fresh = parser();
            let parsed = fresh.parse(&message, None);
            for _ in 0..2 {
                let again = used.parse(&message, None);
                assert_eq!(again, parsed, "what was parsed before makes a difference");
            }
            match parsed {
                Ok(event) => check(&event, text, known.coded),
                Err(Reject::Malformed { offset, .. }) => assert!(offset <= text.len()),
                Err(_) => {}
            }
        }
    }
});

fn check(event: &Event<'_>, line: &[u8], coded: Coded) {
    let check = |text: &[u8]| {
        assert!(
            is_of(line, text, coded),
            "{:?} is not of this line",
            text.escape_ascii().to_string()
        );
    };
    for &field in Field::ALL {
        match field.of(event) {
            // Where the line does not tell it: see `CONFIG`.
            Value::String(b"json" | b"silent") if field == Field::Frontend => {}
            Value::String(_) if matches!(field, Field::Kind | Field::State) => {}
            Value::String(text) => check(text),
            Value::Strings(captures) => {
                for (index, text) in captures.iter().enumerate() {
                    check(text);
                    if index < 20 {
                        assert_eq!(captures.get(index), Some(text));
                    }
                }
                for name in captures.names {
                    captures.by_name(name);
                }
            }
            Value::Extra(extra) => {
                for (name, value) in extra.iter() {
                    extra.get(name);
                    if let ExtraValue::String(text) = value {
                        check(text);
                    }
                }
            }
            Value::Missing | Value::Int(_) | Value::Bool(_) | Value::Timestamp(_) => {}
        }
    }
    event.ended_at();
    let service = event.frontend;
    let json = serde_json::to_string(&Json { event, service }).expect("it can be printed");
    serde_json::from_str::<serde::de::IgnoredAny>(&json).expect("it is JSON");
}

/// Whether a text of the event is a part of its line, or of that without its escapes.
fn is_of(line: &[u8], text: &[u8], coded: Coded) -> bool {
    let (whole, part) = (line.as_ptr_range(), text.as_ptr_range());
    if text.is_empty() || (whole.start <= part.start && part.end <= whole.end) {
        return true;
    }
    // Written out from hexadecimal digits.
    if std::str::from_utf8(text).is_ok_and(|text| text.parse::<IpAddr>().is_ok()) {
        return true;
    }
    if line.len() > 512 {
        return text.len() <= 5 * line.len();
    }
    match coded {
        Coded::Escapes => is_undone(line, text),
        Coded::Json => is_undone(line, text) || is_undone(&without_backslashes(line), text),
        // `false` is one byte there, and texts come in pieces.
        Coded::Cbor => text.len() <= 5 * line.len(),
    }
}

fn without_backslashes(line: &[u8]) -> Vec<u8> {
    let mut bytes = line.iter().copied();
    let mut next = || match bytes.next()? {
        b'\\' => bytes.next(),
        byte => Some(byte),
    };
    std::iter::from_fn(&mut next).collect()
}

/// Whether some part of the line is `text` when `#XX` and what is behind a backslash are
/// undone, or one of them alone.
fn is_undone(line: &[u8], text: &[u8]) -> bool {
    (0..line.len()).any(|start| {
        [(true, true), (true, false), (false, true)]
            .into_iter()
            .any(|escapes| begins_undone(&line[start..], text, escapes))
    })
}

fn begins_undone(mut line: &[u8], mut text: &[u8], (hashes, backslashes): (bool, bool)) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    while let [byte, text_behind @ ..] = text {
        let undone = match *line {
            [b'#', high, low, ..] if hashes => digit(high)
                .zip(digit(low))
                .map(|(high, low)| (high << 4 | low, 3)),
            [b'\\', escaped, ..] if backslashes => Some((escaped, 2)),
            _ => None,
        };
        let length = match (undone, line.first()) {
            (Some((undone, length)), _) if undone == *byte => length,
            // Cut off by the text's end, it stays as it is.
            (undone, Some(same)) if same == byte && (undone.is_none() || text.len() <= 2) => 1,
            _ => return false,
        };
        (line, text) = (&line[length..], text_behind);
    }
    true
}
