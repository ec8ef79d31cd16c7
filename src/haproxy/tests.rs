//! The examples of docs/formats.md.

use super::{Formats, Json, Parser, config};
use crate::source::{Placed, Source};
use crate::syslog;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::sync::Arc;

/// What weir says of a format, or of each line.
type Answers<T> = Result<T, String>;

fn one(format: &str) -> Answers<Formats> {
    let placed = Placed::whole("format", format);
    Formats::one(&placed, &|_| None).map_err(|problem| problem.render())
}

fn of_config(text: &str) -> Answers<Formats> {
    let rendered = |problems: Vec<crate::source::Problem>| {
        let rendered: Vec<_> = problems.iter().map(|problem| problem.render()).collect();
        rendered.join("\n")
    };
    let file = config::read(&Source::new("haproxy.cfg", text), &|_| None).map_err(rendered)?;
    assert!(file.warnings.is_empty(), "{:?}", file.warnings);
    Formats::of_config(&file).map_err(rendered)
}

fn read(formats: &Arc<Formats>, line: &str) -> Answers<Value> {
    let message = syslog::parse(line.as_bytes());
    let mut parser = Parser::new(Arc::clone(formats), TimeZone::UTC);
    let event = parser
        .parse(&message, None)
        .map_err(|reject| format!("{}: {reject}", reject.as_str()))?;
    let json = Json {
        event: &event,
        service: None,
    };
    Ok(serde_json::to_value(json).unwrap())
}

/// Whether all that is shown of an event is in it.
fn shown(example: &Value, event: &Value) -> bool {
    let keys = example.as_object().unwrap();
    keys.iter()
        .all(|(key, value)| event.get(key) == Some(value))
}

#[test]
fn every_example_of_the_documentation_holds() {
    let text = include_str!("../../docs/formats.md");
    let mut formats = Ok(Arc::new(Formats::built_in()));
    let mut lines: Vec<Answers<Value>> = Vec::new();
    let (mut events, mut problems) = (0, 0);
    for block in text.split("\n```").skip(1).step_by(2) {
        let (kind, body) = block.split_once('\n').unwrap();
        match kind {
            "haproxy" => formats = of_config(body).map(Arc::new),
            "log-format" => formats = one(body).map(Arc::new),
            "log" => {
                let formats = formats
                    .as_ref()
                    .unwrap_or_else(|problem| panic!("{problem}"));
                lines = body.lines().map(|line| read(formats, line)).collect();
            }
            "json" => {
                let examples: Vec<&str> = body.lines().collect();
                assert_eq!(examples.len(), lines.len(), "{body}");
                for (example, line) in examples.iter().zip(&lines) {
                    let parsed = serde_json::from_str(example).unwrap();
                    let event = line
                        .as_ref()
                        .unwrap_or_else(|why| panic!("{why}\n{example}"));
                    assert!(shown(&parsed, event), "{example}\n{event}");
                    events += 1;
                }
            }
            "text" => {
                let said = match (&formats, &*lines) {
                    (Err(problem), _) => problem,
                    (Ok(_), [Err(why)]) => why,
                    other => panic!("{other:?} is not:\n{body}"),
                };
                assert_eq!(said, body);
                problems += 1;
            }
            "yaml" => {}
            other => panic!("```{other} means nothing here"),
        }
    }
    assert!(events > 10 && problems > 1, "{events}, {problems}");
}

#[test]
fn each_line_tells_its_format() {
    let config = r#"
defaults
    mode http
frontend www
    option httplog
frontend shop
    log-format "%ci:%cp [%tr] %ft %b/%s %ST"
frontend json
    log-format "%{+json}o %(fe)f %(status)ST"
"#;
    let formats = Arc::new(of_config(config).unwrap());
    let mut parser = Parser::new(Arc::clone(&formats), TimeZone::UTC);
    for (line, expected) in [
        (
            r#"10.0.0.1:1 [21/Nov/2026:08:01:09.655] www api/s1 1/2/3/4/10 200 9 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1""#,
            "option httplog",
        ),
        (
            "10.0.0.1:1 [21/Nov/2026:08:01:09.655] shop api/s1 200",
            "the format at haproxy.cfg:7:17",
        ),
        (
            "10.0.0.1:1 [21/Nov/2026:08:01:09.655] new api/s1 200",
            "the format at haproxy.cfg:7:17",
        ),
        (
            r#"{"fe": "json", "status": 200}"#,
            "the format at haproxy.cfg:9:17",
        ),
        (
            r#"{"fe": "new", "status": 200}"#,
            "the format at haproxy.cfg:9:17",
        ),
        (
            "Connect from 10.0.0.1:1 to 10.0.0.2:80 (new/TCP)",
            "HAProxy's format without an option",
        ),
        (
            "10.0.0.1:1 [21/Nov/2026:08:01:09.655] new/1: Timeout",
            "HAProxy's error format",
        ),
        ("Proxy www started.", "none"),
    ] {
        let message = syslog::Message {
            text: line.as_bytes(),
            ..syslog::Message::default()
        };
        let said = match parser.explain(&message, None) {
            Ok((_, format)) => format.unwrap_or_else(|| "none".to_owned()),
            Err(reject) => format!("{}: {reject}", reject.as_str()),
        };
        assert_eq!(said, expected, "{line}");
    }
}

#[test]
fn an_encoded_line_is_of_the_format_that_has_all_its_names() {
    let config = r#"
defaults
    mode http
frontend a
    log-format "%{+json}o %(st)ST %(x)[src]"
frontend b
    log-format "%{+json}o %(code)ST %(x)[src]"
"#;
    let formats = Arc::new(of_config(config).unwrap());
    let mut parser = Parser::new(Arc::clone(&formats), TimeZone::UTC);
    for (line, frontend) in [
        (r#"{"st": 500, "x": "192.0.2.1"}"#, "a"),
        (r#"{"code": 500, "x": "192.0.2.1"}"#, "b"),
    ] {
        let message = syslog::Message {
            text: line.as_bytes(),
            ..syslog::Message::default()
        };
        let event = parser.parse(&message, None).unwrap();
        assert_eq!(event.status, Some(500), "{line}");
        assert_eq!(event.frontend, Some(frontend.as_bytes()), "{line}");
    }
}

#[test]
fn more_formats_than_can_be_told_apart_are_refused_by_their_section() {
    let sections = |count: usize| {
        let section =
            |n| format!("frontend f{n}\n log-format \"%ci {n}\"\n error-log-format \"%ci e{n}\"\n");
        (0..count).map(section).collect::<String>()
    };
    assert!(of_config(&sections(5_000)).is_ok());
    let said = of_config(&sections(5_001)).unwrap_err();
    insta::assert_snapshot!(said, @r"
    haproxy.cfg:15001:10: more than 10000 formats: the lines of `f5000` have one more
          |
    15001 | frontend f5000
          |          ^^^^^

    hint: weir reads no more than that; frontends with the same text and the same captures share a format
    ");
}
