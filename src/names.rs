//! Which names the Librato API takes, and how to make one that it takes.
//!
//! The receiver refuses a bad name; what weir itself sends is sanitised first, by
//! the same rules, since one bad name would lose a whole request.
//!
//! Rules: Librato's API reference, "Metrics" and "Measurements". `\w` means ASCII
//! there, so a letter with an accent is not a valid character.

use crate::metric::{Annotation, Series};
use crate::time::Timestamp;
use std::borrow::Cow;
use std::collections::HashMap;

pub const METRIC_NAME_MAX: usize = 255;
pub const SOURCE_MAX: usize = 255;
pub const TAG_NAME_MAX: usize = 64;
pub const TAG_VALUE_MAX: usize = 255;
/// Tags of one measurement.
pub const TAGS_MAX: usize = 50;
/// Characters of an annotation's title. No document says; this is weir's choice.
pub const TITLE_MAX: usize = 255;
/// Characters that weir sends of an annotation's description.
pub const DESCRIPTION_MAX: usize = 1000;
/// What a measurement that names neither source nor tags is filed under, and an
/// annotation without a source.
pub const UNASSIGNED: &str = "unassigned";

/// Of a metric's name, a source or a tag's name: `A-Z a-z 0-9 . : - _`.
pub fn is_name_char(c: char) -> bool {
    u8::try_from(c).is_ok_and(is_name_byte)
}

/// `A-Z a-z 0-9 . : - _`, 1 to 255 of them.
pub fn is_metric_name(name: &str) -> bool {
    fits(name, METRIC_NAME_MAX, is_name_byte)
}

/// As a metric name; `all` is reserved for the sum over all sources.
pub fn is_source(source: &str) -> bool {
    fits(source, SOURCE_MAX, is_name_byte) && !source.eq_ignore_ascii_case("all")
}

/// Of an annotation stream: as a metric name, since no document says otherwise, but none
/// that a URL's path takes for a step up or for nothing.
pub fn is_stream(stream: &str) -> bool {
    is_metric_name(stream) && !matches!(stream, "." | "..")
}

/// `\A[-.:_\w]{1,64}\z`
pub fn is_tag_name(name: &str) -> bool {
    fits(name, TAG_NAME_MAX, is_name_byte)
}

/// `\A[-.:_?\\/\w ]{1,255}\z`
pub fn is_tag_value(value: &str) -> bool {
    fits(value, TAG_VALUE_MAX, is_value_byte)
}

/// A valid metric name: each run of other characters becomes one `_`, and the first
/// 255 characters are kept.
pub fn sanitise_metric_name(name: &str) -> Cow<'_, str> {
    sanitise(name, METRIC_NAME_MAX, is_name_byte)
}

/// A valid source. `all` is reserved and becomes `all_`.
pub fn sanitise_source(source: &str) -> Cow<'_, str> {
    match sanitise(source, SOURCE_MAX, is_name_byte) {
        all if all.eq_ignore_ascii_case("all") => Cow::Owned(format!("{all}_")),
        fine => fine,
    }
}

/// A valid tag name. Case is left alone; the API lower-cases on storage.
pub fn sanitise_tag_name(name: &str) -> Cow<'_, str> {
    sanitise(name, TAG_NAME_MAX, is_name_byte)
}

/// A valid tag value. Case is left alone; the API lower-cases on storage.
pub fn sanitise_tag_value(value: &str) -> Cow<'_, str> {
    sanitise(value, TAG_VALUE_MAX, is_value_byte)
}

/// A valid annotation in whole seconds, the same however often it is made of the same one.
///
/// Names as above. What is too long is cut, control characters become spaces, a title
/// of nothing becomes `_`, and an end before the start becomes the start.
pub fn sanitise_annotation(given: &Annotation) -> Annotation {
    let second = |time: Timestamp| Timestamp::from_secs(time.as_secs());
    let start = second(given.start);
    let stream = match sanitise_metric_name(&given.stream) {
        dots if !is_stream(&dots) => "_".into(),
        fine => fine,
    };
    let title = cut(&given.title, TITLE_MAX);
    Annotation {
        stream: stream.into(),
        title: if title.is_empty() { "_".into() } else { title },
        source: (given.source.as_deref()).map(|source| sanitise_source(source).into()),
        description: (given.description.as_deref()).map(|text| cut(text, DESCRIPTION_MAX)),
        start,
        end: given.end.map(|end| second(end).max(start)),
    }
}

/// At most so many characters, the last of them `…` where there were more.
fn cut(text: &str, max: usize) -> Box<str> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let mut clean: String = text.chars().take(max).map(printable).collect();
    if text.chars().nth(max).is_some() {
        clean.pop();
        clean.push('…');
    }
    clean.into()
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-' | b'_')
}

fn is_value_byte(byte: u8) -> bool {
    is_name_byte(byte) || matches!(byte, b'?' | b'\\' | b'/' | b' ')
}

fn fits(text: &str, max: usize, allowed: fn(u8) -> bool) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(allowed)
}

fn sanitise(text: &str, max: usize, allowed: fn(u8) -> bool) -> Cow<'_, str> {
    if fits(text, max, allowed) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len().min(max));
    let mut in_bad_run = false;
    for c in text.chars() {
        let bad = !(c.is_ascii() && allowed(c as u8));
        if !bad {
            clean.push(c);
        } else if !in_bad_run {
            clean.push('_');
        }
        in_bad_run = bad;
        if clean.len() == max {
            break;
        }
    }
    if clean.is_empty() {
        clean.push('_');
    }
    Cow::Owned(clean)
}

/// Two series that are one to the API once their names are valid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "`{refused}` is left out: it and `{kept}` are one series to the API, which compares without case and replaces other characters by _"
)]
pub struct SameSeries {
    pub kept: Series,
    pub refused: Series,
}

/// Keeps the series of one batch apart: the first of those that are one to the API is
/// let through, the others are not. The same series may come again.
#[derive(Debug, Default)]
pub struct Unmixed<'a>(HashMap<(String, i64), &'a Series>);

impl<'a> Unmixed<'a> {
    /// `identity` is what the API knows the series by, `time` the point's second.
    ///
    /// # Errors
    ///
    /// When another series has that identity at that time.
    pub fn admit(
        &mut self,
        identity: String,
        time: i64,
        series: &'a Series,
    ) -> Result<(), SameSeries> {
        let first = *self.0.entry((identity, time)).or_insert(series);
        if first == series {
            return Ok(());
        }
        Err(SameSeries {
            kept: first.clone(),
            refused: series.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_the_api_takes() {
        let long = |n: usize| "a".repeat(n);
        for (name, ok) in [
            ("haproxy.web:lat-ency_1", true),
            ("UPPER", true),
            ("", false),
            ("a b", false),
            ("a/b", false),
            ("é", false),
            (&long(255), true),
            (&long(256), false),
        ] {
            assert_eq!(is_metric_name(name), ok, "metric name {name:?}");
        }
        for (source, ok) in [
            ("lb-1", true),
            ("all", false),
            ("ALL", false),
            ("a b", false),
        ] {
            assert_eq!(is_source(source), ok, "source {source:?}");
        }
        for (name, ok) in [
            ("host", true),
            ("a b", false),
            (&long(64), true),
            (&long(65), false),
        ] {
            assert_eq!(is_tag_name(name), ok, "tag name {name:?}");
        }
        for (value, ok) in [
            (r"a?b\c/d e", true),
            ("", false),
            ("a,b", false),
            ("ü", false),
            (&long(255), true),
            (&long(256), false),
        ] {
            assert_eq!(is_tag_value(value), ok, "tag value {value:?}");
        }
    }

    #[test]
    fn sanitising_changes_only_what_is_bad() {
        for (given, want) in [
            ("http.p95", "http.p95"),
            ("a b  c", "a_b_c"),
            ("", "_"),
            ("é/é", "_"),
        ] {
            assert_eq!(sanitise_metric_name(given), want);
        }
        assert_eq!(sanitise_source("all"), "all_");
        assert_eq!(sanitise_tag_value("GET /v1/{id}"), "GET /v1/_id_");
    }

    #[test]
    fn annotations_are_made_valid() {
        let given = |stream: &str, title: &str| Annotation {
            stream: stream.into(),
            title: title.into(),
            source: Some("all".into()),
            description: Some("a\nb".into()),
            start: Timestamp::from_millis(5_900),
            end: Some(Timestamp::from_millis(4_000)),
        };
        let valid = sanitise_annotation(&given("ha proxy", " web/app1 is DOWN "));
        let five = Timestamp::from_secs(5);
        assert_eq!(
            valid,
            Annotation {
                stream: "ha_proxy".into(),
                title: "web/app1 is DOWN".into(),
                source: Some("all_".into()),
                description: Some("a b".into()),
                start: five,
                end: Some(five),
            }
        );
        assert_eq!(sanitise_annotation(&valid), valid);
        let long = sanitise_annotation(&given("..", &"ü".repeat(TITLE_MAX + 1)));
        assert_eq!(&*long.stream, "_");
        assert_eq!(long.title.chars().count(), TITLE_MAX);
        assert!(long.title.ends_with('…'));
        assert_eq!(&*sanitise_annotation(&given("a", " ")).title, "_");
    }

    proptest! {
        #[test]
        fn sanitised_is_always_valid(text in ".{0,400}") {
            prop_assert!(is_metric_name(&sanitise_metric_name(&text)));
            prop_assert!(is_source(&sanitise_source(&text)));
            prop_assert!(is_tag_name(&sanitise_tag_name(&text)));
            prop_assert!(is_tag_value(&sanitise_tag_value(&text)));
        }
    }
}
