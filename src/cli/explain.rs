//! `weir explain`: how each layer reads one line, and what rules do with it.

use super::envelope::Envelope;
use super::frames::{Framing, Input, Numbered, Stopped, Visit};
use super::print::{Shown, print};
use super::reading::{self, Reading};
use super::{Failure, load};
use crate::clock;
use crate::event_time::EventTime;
use crate::haproxy::{Event, ExtraValue, Field, FieldType, Kind, Reject, Value};
use crate::input::framing::trim_end;
use crate::rules::{Drawn, Explained, Rules, Service};
use crate::syslog::{self, Message};
use crate::time::Timestamp;
use crate::worker::FUTURE_MAX;
use std::ffi::OsString;
use std::fmt::{self, Write};
use std::os::unix::ffi::OsStrExt;

/// As much of a line as stands above the caret, so that it does not wrap.
const EXCERPT: usize = 90;

/// The least width of the column of names, and the most that it grows to for captures and
/// extra fields.
const NAME: usize = 19;
const NAME_MAX: usize = 40;

/// Syslog's facilities by number (RFC 5424, section 6.2.1, with the usual short names).
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

/// Syslog's severities by number (RFC 5424, section 6.2.1).
const SEVERITIES: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];

#[derive(clap::Args)]
pub struct Arguments {
    /// The line, with or without its syslog header, or `-` to read one from standard input
    #[arg(value_name = "LINE", allow_hyphen_values = true)]
    line: OsString,
    #[command(flatten)]
    reading: reading::Options,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut reading = arguments.reading.load()?;
    let rules = load::rules(&reading.config, &reading.names)?;
    let limit = reading.config.limits.line_bytes;
    let line = match arguments.line.as_bytes() {
        b"-" => first_line(limit)?,
        line => trim_end(line).to_vec(),
    };
    print(&explain(&mut reading, &rules, &line, clock::now())?)
}

/// The first line of standard input that is not blank; empty if there is none.
fn first_line(limit: usize) -> Result<Vec<u8>, Failure> {
    struct First(Vec<u8>);
    impl Visit for First {
        fn frame(&mut self, frame: Numbered<'_>) -> Result<(), Stopped> {
            self.0 = frame.bytes.to_vec();
            Err(Stopped::Closed)
        }
        fn pause(&mut self) -> Result<(), Stopped> {
            Ok(())
        }
    }
    let mut first = First(Vec::new());
    match Input::open(None)?.each(Framing::Lines, limit, &mut first) {
        Err(Stopped::Failed(failure)) => Err(failure),
        Ok(()) | Err(Stopped::Closed) => Ok(first.0),
    }
}

fn explain(
    reading: &mut Reading,
    rules: &Rules,
    line: &[u8],
    now: Timestamp,
) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let Reading {
        config,
        haproxy,
        service,
        ..
    } = reading;
    let limit = config.limits.line_bytes;
    let frame = &line[..line.len().min(limit)];
    match line.len() {
        bytes if bytes > limit => writeln!(text, "frame    {bytes} bytes, cut to {limit}")?,
        bytes => writeln!(text, "frame    {bytes} bytes")?,
    }
    let message = syslog::parse(frame);
    let envelope = Envelope::of(&message, now, &config.haproxy.timezone);
    tell_envelope(&mut text, &envelope, &message)?;
    match haproxy.explain(&message, None) {
        Ok((event, format)) => {
            tell_event(&mut text, &event, format.as_deref(), service)?;
            let at = Dated {
                by: config.time.event_time,
                at: config
                    .time
                    .event_time
                    .of(&event, &message, now, &config.haproxy.timezone),
            };
            tell_rules(&mut text, &event, rules, at, now)?;
        }
        Err(reject) => tell_reject(&mut text, &message, reject)?,
    }
    Ok(text)
}

fn tell_envelope(text: &mut String, envelope: &Envelope<'_>, message: &Message<'_>) -> fmt::Result {
    let header = match (envelope.protocol, envelope.facility) {
        (Some(protocol), _) => protocol,
        (None, Some(_)) => "a priority alone",
        (None, None) => "no header",
    };
    writeln!(text, "\nsyslog   {header}")?;
    let mut tell =
        |name: &str, value: &dyn fmt::Display| entry(text, name, NAME, "", &value.to_string());
    if let Some(facility) = envelope.facility {
        let name = FACILITIES.get(usize::from(facility)).unwrap_or(&"?");
        tell("facility", &format_args!("{facility} ({name})"))?;
    }
    if let Some(severity) = envelope.severity {
        let name = SEVERITIES.get(usize::from(severity)).unwrap_or(&"?");
        tell("severity", &format_args!("{severity} ({name})"))?;
    }
    match (message.timestamp, &envelope.timestamp) {
        (None, _) => {}
        (Some(printed), Some(time)) if printed == time.as_bytes() => tell("timestamp", time)?,
        (Some(printed), Some(time)) => {
            tell("timestamp", &format_args!("{} = {time}", Shown(printed)))?;
        }
        (Some(printed), None) => {
            tell(
                "timestamp",
                &format_args!("{}, which no calendar has", Shown(printed)),
            )?;
        }
    }
    for (name, value) in [
        ("host", message.host),
        ("app", message.app),
        ("pid", message.pid),
        ("msgid", message.msgid),
        ("structured_data", message.structured_data),
    ] {
        if let Some(value) = value {
            tell(name, &Shown(value))?;
        }
    }
    if let Some(repeats) = message.repeats {
        tell("repeats", &repeats)?;
    }
    tell("message", &format_args!("{} bytes", message.text.len()))
}

fn tell_event(
    text: &mut String,
    event: &Event<'_>,
    format: Option<&str>,
    service: &Service,
) -> fmt::Result {
    write!(text, "\nhaproxy  kind {}, ", event.kind.as_str())?;
    match format {
        Some(format) => writeln!(text, "read by {format}")?,
        None => writeln!(text, "one of HAProxy's own messages")?,
    }
    let mut rows: Vec<(String, &str, String)> = Vec::new();
    for &field in Field::ALL {
        let (name, alias) = (field.name(), field.alias());
        let mut row = |value: String| rows.push((name.to_owned(), alias, value));
        match field.of(event) {
            // False says no more than that there was no mark.
            Value::Missing | Value::Bool(false) => {}
            // Stands above.
            _ if field == Field::Kind => {}
            Value::String(value) => row(Shown(value).to_string()),
            Value::Int(value) if field.field_type() == FieldType::Millis => {
                row(format!("{value} ms"));
            }
            Value::Int(value) => row(value.to_string()),
            Value::Bool(true) => row("true".to_owned()),
            Value::Timestamp(value) => row(value.to_string()),
            Value::Strings(captures) => {
                for (index, value) in captures.iter().enumerate() {
                    let name = match captures.names.get(index) {
                        Some(header) => format!("{name}[\"{header}\"]"),
                        None => format!("{name}[{index}]"),
                    };
                    rows.push((name, alias, Shown(value).to_string()));
                }
            }
            Value::Extra(extra) => {
                for (given, value) in extra.iter() {
                    let value = match value {
                        ExtraValue::String(value) => Shown(value).to_string(),
                        ExtraValue::Int(value) => value.to_string(),
                        ExtraValue::Bool(value) => value.to_string(),
                    };
                    rows.push((format!("{name}[\"{given}\"]"), "", value));
                }
            }
        }
        if let (Field::Kind, Some(service)) = (field, service.of(event)) {
            rows.push(("service".to_owned(), "", Shown(service).to_string()));
        }
    }
    // A name that is longer than that would push all values out of sight.
    let widths = rows.iter().map(|(name, ..)| name.chars().count());
    let width = widths.filter(|width| *width <= NAME_MAX).max();
    let width = width.unwrap_or(0).max(NAME);
    for (name, alias, value) in &rows {
        entry(text, name, width, alias, value)?;
    }
    Ok(())
}

fn tell_reject(text: &mut String, message: &Message<'_>, reject: Reject) -> fmt::Result {
    writeln!(text, "\nhaproxy  rejected: {}", reject.as_str())?;
    let line = message.text.trim_ascii();
    let Reject::Malformed { field, offset } = reject else {
        writeln!(text, "  {reject}")?;
        return match line {
            [] => Ok(()),
            line => writeln!(text, "\n  {}", Excerpt::of(line, 0).text),
        };
    };
    let excerpt = Excerpt::of(line, offset);
    writeln!(
        text,
        "\n  {}\n  {:>2$}",
        excerpt.text,
        "^",
        excerpt.caret + 1
    )?;
    let expected = match (field, field.alias()) {
        (Field::Kind, _) => return writeln!(text, "  {reject}"),
        (field, "") => format!("`{}`", field.name()),
        (field, alias) => format!("`{}` ({alias})", field.name()),
    };
    writeln!(text, "  byte {offset} of the message: expected {expected}")
}

/// The part of a line around a place in it, as it can be shown.
struct Excerpt {
    text: String,
    /// The place, in characters of the text.
    caret: usize,
}

impl Excerpt {
    fn of(line: &[u8], offset: usize) -> Excerpt {
        let (before, after) = line.split_at(offset.min(line.len()));
        let (before, after) = (Shown(before).to_string(), Shown(after).to_string());
        let (before, after) = (chars(&before), chars(&after));
        // Two thirds before the place: what was read so far tells more.
        let room = EXCERPT - after.len().min(EXCERPT / 3);
        let mut text = String::new();
        let left_out = before.len().saturating_sub(room);
        if left_out > 0 {
            text.push('…');
        }
        text.extend(&before[left_out..]);
        let caret = text.chars().count();
        let shown = after.len().min(EXCERPT - (before.len() - left_out));
        text.extend(&after[..shown]);
        if shown < after.len() {
            text.push('…');
        }
        Excerpt { text, caret }
    }
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

/// The time of an event.
struct Dated {
    by: EventTime,
    /// `None` where the line does not say it.
    at: Option<Timestamp>,
}

fn tell_rules(
    text: &mut String,
    event: &Event<'_>,
    rules: &Rules,
    dated: Dated,
    now: Timestamp,
) -> fmt::Result {
    if event.kind == Kind::Event {
        return writeln!(text, "\nrules    none sees it: it is no traffic");
    }
    write!(text, "\nrules    at ")?;
    let when = match dated.by {
        EventTime::End => "when the request ended",
        EventTime::Start => "when the request began",
        EventTime::Syslog => "when its envelope was written",
        EventTime::Received => "",
    };
    match (dated.at, dated.by) {
        (Some(at), _) => writeln!(text, "{at}, {when}")?,
        (None, EventTime::Received) => writeln!(text, "the time it is received")?,
        (None, EventTime::Syslog) => {
            writeln!(text, "the time it is received: the envelope has no date")?;
        }
        (None, _) => writeln!(text, "the time it is received: the line has no date")?,
    }
    let at = dated.at.unwrap_or(now);
    if at > now + FUTURE_MAX {
        let ahead = at.saturating_since(now).as_secs() / 60;
        writeln!(
            text,
            "\n  dated {ahead} min ahead of now: `weir serve` would refuse it\n  \
             hint: `haproxy.timezone` in weir.yaml says in which zone HAProxy writes dates"
        )?;
    }
    for explained in rules.explain(event, at) {
        tell_rule(text, &explained)?;
    }
    Ok(())
}

fn tell_rule(text: &mut String, explained: &Explained<'_>) -> fmt::Result {
    let Explained {
        rule,
        file,
        condition,
        matched,
    } = explained;
    write!(text, "\n  rule `{rule}` of {file} ")?;
    let Some(matched) = matched else {
        writeln!(text, "does not match")?;
        return match condition {
            Some(condition) => writeln!(text, "    {}", condition.trim().replace('\n', "\n    ")),
            None => Ok(()),
        };
    };
    let span = matched.span.as_secs();
    let (first, last) = (matched.first, matched.last);
    let mut start = clock_time(first);
    match matched.windows {
        1 => writeln!(text, "matches: window {first} of {span} s")?,
        windows => {
            writeln!(
                text,
                "matches: {windows} windows of {span} s, the first {first}, the last {last}"
            )?;
            start = format!("{start} to {}", clock_time(last));
        }
    }
    let names: Vec<String> = matched.moved.iter().map(|m| m.series.to_string()).collect();
    let width = names.iter().map(|name| name.chars().count()).max();
    let width = width.unwrap_or(0);
    for (moved, name) in matched.moved.iter().zip(&names) {
        let drawn = match moved.drawn {
            Drawn::Count => "+1".to_owned(),
            Drawn::Part(true) => "1 of 1".to_owned(),
            Drawn::Part(false) => "0 of 1".to_owned(),
            Drawn::Sample { value, millis } => sample(value, millis),
            Drawn::Bucketed { value, millis } => {
                format!("+1 here and up to le=\"+Inf\": {}", sample(value, millis))
            }
            Drawn::Missing => "nothing: the line does not have the value".to_owned(),
        };
        writeln!(text, "    {name:<width$}  {start}  {drawn}")?;
    }
    Ok(())
}

fn sample(value: f64, millis: bool) -> String {
    let unit = if millis { " ms" } else { "" };
    format!("sample {value}{unit}")
}

/// `12:01:01`; the day stands above.
fn clock_time(time: Timestamp) -> String {
    let printed = time.to_string();
    printed.get(11..19).unwrap_or(&printed).to_owned()
}

fn entry(text: &mut String, name: &str, width: usize, alias: &str, value: &str) -> fmt::Result {
    let value = match value {
        "" => "(empty)",
        value => value,
    };
    writeln!(text, "  {name:<width$} {alias:<3}  {value}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules;
    use crate::source::Source;

    /// 2026-11-21T08:01:12Z
    const NOW: Timestamp = Timestamp::from_secs(1_795_248_072);

    const LINE: &str = r#"<134>Nov 21 08:01:10 lb1 haproxy[7]: 192.0.2.7:33317 [21/Nov/2026:08:01:09.655] www~ api/s1 10/0/30/-1/109 503 2750 - - SC-- 1/1/1/1/+2 0/0 {a.example|} "GET /a?b HTTP/1.1""#;

    fn explained(line: &str) -> String {
        explained_by(&rules::bundled(), line)
    }

    fn explained_by(rules: &[Source], line: &str) -> String {
        let mut reading = reading::Options::default()
            .load()
            .unwrap_or_else(|failure| panic!("{failure}"));
        let rules = rules::load(rules, &rules::Options::default()).unwrap();
        explain(&mut reading, &rules, line.as_bytes(), NOW).unwrap()
    }

    #[test]
    fn every_layer_tells_what_it_read() {
        insta::assert_snapshot!(explained(LINE), @r#"
    frame    172 bytes

    syslog   rfc3164
      facility                 16 (local0)
      severity                 6 (info)
      timestamp                Nov 21 08:01:10 = 2026-11-21T08:01:10+00:00
      host                     lb1
      app                      haproxy
      pid                      7
      message                  135 bytes

    haproxy  kind http, read by option httplog
      service                  www
      host                     lb1
      process                  haproxy
      pid                      7
      client_ip           %ci  192.0.2.7
      client_port         %cp  33317
      request_date        %tr  2026-11-21T08:01:09.655Z
      frontend            %f   www
      tls                 %ft  true
      backend             %b   api
      server              %s   s1
      TR                  %TR  10 ms
      Tw                  %Tw  0 ms
      Tc                  %Tc  30 ms
      Ta                  %Ta  109 ms
      status              %ST  503
      bytes_read          %B   2750
      termination_state   %ts  SC--
      actconn             %ac  1
      feconn              %fc  1
      beconn              %bc  1
      srv_conn            %sc  1
      retries             %rc  2
      redispatched        %rc  true
      srv_queue           %sq  0
      backend_queue       %bq  0
      request_headers[0]  %hr  a.example
      request_headers[1]  %hr  (empty)
      method              %HM  GET
      path                %HP  /a
      query               %HQ  b
      http_version        %HV  HTTP/1.1
      request             %r   GET /a?b HTTP/1.1

    rules    at 2026-11-21T08:01:09.764Z, when the request ended

      rule `http` of bundled/http.yaml matches: window 2026-11-21T08:01:00.000Z of 10 s
        http.rate{service="www"}    08:01:00  +1
        http.errors{service="www"}  08:01:00  1 of 1
        http.p50{service="www"}     08:01:00  nothing: the line does not have the value
        http.p95{service="www"}     08:01:00  nothing: the line does not have the value
        http.p99{service="www"}     08:01:00  nothing: the line does not have the value

      rule `tcp` of bundled/tcp.yaml does not match
        kind == "tcp"
    "#);
    }

    #[test]
    fn windows_that_slide_and_series_with_tags_of_their_own_are_named() {
        let rules = Source::new(
            "a.yaml",
            "rules:\n- name: a\n  by: [service]\n  tags: { site: berlin }\n  \
             window: { span: 10m, every: 1m }\n  measure:\n    rate: rate()\n    \
             paths: top(path, 3)\n    took: histogram(Ta)\n    answer: histogram(Tr)\n    \
             beyond: histogram(bytes_read / 0.001)\n",
        );
        let told = explained_by(&[rules], LINE);
        let (_, told) = told.split_once("\n  rule ").unwrap();
        insta::assert_snapshot!(told, @r#"
    `a` of a.yaml matches: 10 windows of 600 s, the first 2026-11-21T07:52:00.000Z, the last 2026-11-21T08:01:00.000Z
        a.rate{service="www",site="berlin"}              07:52:00 to 08:01:00  +1
        a.paths{path="/a",service="www",site="berlin"}   07:52:00 to 08:01:00  +1
        a.took{le="200",service="www",site="berlin"}     07:52:00 to 08:01:00  +1 here and up to le="+Inf": sample 109 ms
        a.answer{service="www",site="berlin"}            07:52:00 to 08:01:00  nothing: the line does not have the value
        a.beyond{le="+Inf",service="www",site="berlin"}  07:52:00 to 08:01:00  +1 here and up to le="+Inf": sample 2750000
    "#);
    }

    #[test]
    fn a_caret_shows_where_the_line_cannot_be_read() {
        insta::assert_snapshot!(explained(&LINE.replace("503", "5O3")), @r#"
    frame    172 bytes

    syslog   rfc3164
      facility                 16 (local0)
      severity                 6 (info)
      timestamp                Nov 21 08:01:10 = 2026-11-21T08:01:10+00:00
      host                     lb1
      app                      haproxy
      pid                      7
      message                  135 bytes

    haproxy  rejected: malformed

      …3317 [21/Nov/2026:08:01:09.655] www~ api/s1 10/0/30/-1/109 5O3 2750 - - SC-- 1/1/1/1/+2 0/…
                                                                   ^
      byte 71 of the message: expected `status` (%ST)
    "#);
        insta::assert_snapshot!(explained(&LINE[..90]), @r#"
    frame    90 bytes

    syslog   rfc3164
      facility                 16 (local0)
      severity                 6 (info)
      timestamp                Nov 21 08:01:10 = 2026-11-21T08:01:10+00:00
      host                     lb1
      app                      haproxy
      pid                      7
      message                  53 bytes

    haproxy  rejected: malformed

      192.0.2.7:33317 [21/Nov/2026:08:01:09.655] www~ api/s
                                                          ^
      byte 52 of the message: expected `server` (%s)
    "#);
    }

    #[test]
    fn what_is_no_traffic_is_told_with_its_reason() {
        insta::assert_snapshot!(explained("<6>kernel: \x1b[31mred"), @r#"
    frame    19 bytes

    syslog   a priority alone
      facility                 0 (kern)
      severity                 6 (info)
      message                  16 bytes

    haproxy  rejected: not_traffic
      neither a line of a known format nor a known message of HAProxy

      kernel: \u{1b}[31mred
    "#);
        insta::assert_snapshot!(explained(""), @r#"
    frame    0 bytes

    syslog   no header
      message                  0 bytes

    haproxy  rejected: empty
      the message is empty
    "#);
    }

    #[test]
    fn a_line_of_tomorrow_comes_with_a_hint() {
        let told = explained(&LINE.replace("[21/", "[22/"));
        assert!(told.contains("dated 1439 min ahead of now"), "{told}");
        assert!(told.contains("hint: `haproxy.timezone`"), "{told}");
    }

    #[test]
    fn a_date_that_cannot_be_is_told_as_such() {
        let told = explained(&LINE.replace("Nov 21", "Feb 30"));
        assert!(
            told.contains("Feb 30 08:01:10, which no calendar has"),
            "{told}"
        );
    }

    #[test]
    fn an_event_is_shown_to_no_rule() {
        let told = explained("<133>Nov 21 08:01:10 haproxy[7]: Proxy web started.");
        assert!(
            told.ends_with("\nrules    none sees it: it is no traffic\n"),
            "{told}"
        );
    }

    #[test]
    fn an_excerpt_fits_a_terminal_wherever_its_place_is() {
        let line = "0123456789".repeat(50);
        for offset in [0, 5, 89, 90, 250, 499, 500, 600] {
            let Excerpt { text, caret } = Excerpt::of(line.as_bytes(), offset);
            assert!(text.chars().count() <= EXCERPT + 2, "{offset}: {text}");
            let at = text.chars().nth(caret);
            let expected = line.chars().nth(offset);
            assert_eq!(at, expected, "{offset}: {text}");
        }
        assert_eq!(Excerpt::of(b"\xff\x1bab", 2).text, r"\xff\u{1b}ab");
        assert_eq!(Excerpt::of(b"\xff\x1bab", 2).caret, 10);
    }
}
