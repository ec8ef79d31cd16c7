//! Into which groups and windows a rule puts its events, and the tags of their series.

use super::cel::{self, Syntax};
use super::check;
use super::file::{self, Part, Rule};
use super::naming::comparable_text;
use super::program::KeyPart;
use super::routes::Routes;
use super::schema::{ROUTE, Schema};
use crate::delta;
use crate::metric::{SERIES_MAX, Tags};
use crate::names;
use crate::source::{Notes, Scalar, Written};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

const DEFAULT_WINDOW: Duration = Duration::from_secs(10);
const MAX_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// A sliding window of more steps is refused: each step is a row of cells for every group.
const MAX_STEPS: u64 = 360;

const LIMIT_RANGE: RangeInclusive<usize> = 1..=SERIES_MAX;

/// One value by which a rule groups. `None`: there is something wrong with it.
pub(super) type Key = (Arc<str>, Option<KeyPart>);

/// Reads `by`: the tags, sorted by their names, and the value that each has.
pub(super) fn by(notes: &mut Notes<'_>, schema: &Schema<'_>, parts: &[Part]) -> Vec<Key> {
    let mut by: Vec<Key> = Vec::new();
    for part in parts {
        let name = part.name();
        let written = part.tag.as_ref().unwrap_or(&part.expression);
        let read = cel::parse(&part.expression.value).and_then(|node| match &node.kind {
            Syntax::Name(name) if name == ROUTE && schema.field(ROUTE).is_err() => {
                Ok(KeyPart::FoldedPath)
            }
            _ => check::key(&node, schema),
        });
        let key = notes.read(&part.expression, read);
        if let Some((same, _)) = by.iter().find(|(known, _)| same(known, &name)) {
            let message = match **same == *name {
                true => format!("`by` names `{name}` twice"),
                false => format!(
                    "the tags `{same}` and `{name}` of `by` are one to Librato or Prometheus"
                ),
            };
            notes.refuse(&written.span, message);
            continue;
        }
        if key.is_some() {
            tag_name(notes, written, &name, part.tag.is_none());
        }
        by.push((name.into(), key));
    }
    // Tags have no order, so rules may share a grouping whatever order they name.
    by.sort_by(|a, b| a.0.cmp(&b.0));
    by
}

impl Part {
    /// The tag's name.
    fn name(&self) -> String {
        match &self.tag {
            Some(tag) => tag.value.clone(),
            None => tag_of(&self.expression.value),
        }
    }
}

/// The tag that an expression has for its value when it is given none.
fn tag_of(expression: &str) -> String {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("_")
}

fn tag_name(notes: &mut Notes<'_>, written: &Scalar, name: &str, made: bool) {
    if names::is_tag_name(name) {
        return;
    }
    if made {
        let message = format!(
            "`{name}` is no name for a tag, or a longer one than {} characters",
            names::TAG_NAME_MAX
        );
        let hint = "give the expression a tag: `by: [{ tag: expression }]`";
        return notes.refuse_with(&written.span, message, hint);
    }
    let message = format!("`{name}` is no name for a tag");
    let hint = format!(
        "tags' names are 1 to {} of A-Z, a-z, 0-9 and `.`, `:`, `_`, `-`",
        names::TAG_NAME_MAX
    );
    notes.refuse_with(&written.span, message, hint);
}

/// Whether two tags are one where case or other characters than letters and digits do not
/// tell them apart.
fn same(a: &str, b: &str) -> bool {
    comparable_text(a) == comparable_text(b)
}

/// Reads `tags`, none of which is one of `by`.
pub(super) fn tags(notes: &mut Notes<'_>, written: &[(Scalar, Scalar)], by: &[Key]) -> Tags {
    let mut tags: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    for (name, value) in written {
        tag_name(notes, name, &name.value, false);
        if !names::is_tag_value(&value.value) {
            let message = format!("`{}` is no value for a tag", value.value);
            let hint = format!(
                "tags' values are 1 to {} of A-Z, a-z, 0-9, spaces and `.`, `:`, `_`, `-`, `?`, `\\`, `/`",
                names::TAG_VALUE_MAX
            );
            notes.refuse_with(&value.span, message, hint);
        }
        let of_by = by.iter().find(|(tag, _)| same(tag, &name.value));
        if let Some((tag, _)) = of_by {
            let message = format!("`by` has the tag `{tag}` already");
            notes.refuse(&name.span, message);
        }
        if let Some((other, _)) = tags.iter().find(|(tag, _)| same(tag, &name.value)) {
            let message = format!(
                "the tags `{other}` and `{}` are one to Librato or Prometheus",
                name.value
            );
            notes.refuse(&name.span, message);
        }
        tags.push((name.value.as_str().into(), value.value.as_str().into()));
    }
    if let (Some((name, _)), true) = (written.last(), tags.len() + by.len() > names::TAGS_MAX) {
        let message = format!("more than {} tags", names::TAGS_MAX);
        notes.refuse(&name.span, message);
    }
    tags.sort();
    tags.into()
}

/// Notes a tag that the rule gives to its series beside those that an aggregate gives them.
pub(super) fn clash(
    notes: &mut Notes<'_>,
    measure: &Scalar,
    aggregate: &str,
    tag: &str,
    by: &[Key],
    rule: &Rule,
) {
    let example = if let Some((name, _)) = by.iter().find(|(name, _)| same(name, tag)) {
        let mut parts = rule.by.iter();
        let part = parts.find(|part| *part.name() == **name);
        let expression = part.map_or("expression", |part| &part.expression.value);
        // Any other may need quotes.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match expression.chars().all(plain) {
            true => format!("`by: [{{ by_{name}: {expression} }}]`"),
            false => format!("`by: [{{ by_{name}: expression }}]`"),
        }
    } else if let Some((name, _)) = rule.tags.iter().find(|(name, _)| same(&name.value, tag)) {
        format!("`tags: {{ own_{}: value }}`", name.value)
    } else {
        return;
    };
    let message = format!(
        "`{aggregate}` gives its series the tag `{tag}`, which the rule gives them already"
    );
    let hint = format!("give the rule's tag another name: {example}");
    notes.refuse_with(&measure.span, message, hint);
}

/// Reads `routes`. Where something is wrong with them there are none, so that the rest can
/// be checked.
pub(super) fn routes(notes: &mut Notes<'_>, written: &file::Routes) -> Option<Arc<Routes>> {
    let templates: Vec<_> = written.templates.iter().map(|t| &t.value).collect();
    if templates.is_empty() {
        let hint = "list templates of paths, such as `/v1/users/:id`, or leave the key out";
        notes.refuse_with(&written.span, "there is no route", hint);
    }
    match Routes::new(&templates) {
        Ok(routes) => Some(Arc::new(routes)),
        Err(faults) => {
            for (place, fault) in faults {
                notes.fault(&written.templates[place], fault);
            }
            Routes::new(&[] as &[&str]).ok().map(Arc::new)
        }
    }
}

/// Reads `limit`.
pub(super) fn limit(
    notes: &mut Notes<'_>,
    written: Option<&Written<usize>>,
    by: &[Part],
) -> Option<usize> {
    let written = written?;
    if !LIMIT_RANGE.contains(&written.value) {
        let hint = format!("choose {} to {}", LIMIT_RANGE.start(), LIMIT_RANGE.end());
        notes.refuse_with(
            &written.span,
            format!("{} is out of range", written.value),
            hint,
        );
    } else if by.is_empty() {
        let hint = "leave it out, or say by what to group: `by: [service]`";
        notes.refuse_with(
            &written.span,
            "without `by` there is nothing to limit",
            hint,
        );
    }
    Some(written.value)
}

/// Reads `window`.
pub(super) fn window(notes: &mut Notes<'_>, written: Option<&file::Window>) -> delta::Window {
    let Some(written) = written else {
        return delta::Window::tumbling(DEFAULT_WINDOW);
    };
    let span = duration(notes, &written.span);
    let every = match &written.every {
        Some(every) => duration(notes, every),
        None => span,
    };
    let (Some(span), Some(every)) = (span, every) else {
        return delta::Window::tumbling(DEFAULT_WINDOW);
    };
    let place = written.every.as_ref().unwrap_or(&written.span);
    let (whole, step) = (span.as_secs(), every.as_secs());
    if whole % step != 0 {
        let hint = format!("{whole} seconds are no whole number of {step} seconds");
        notes.refuse_with(
            &place.span,
            "a window's span is a multiple of its `every`",
            hint,
        );
    } else if whole / step > MAX_STEPS {
        let message = format!(
            "a window slides over at most {MAX_STEPS} steps, not {}",
            whole / step
        );
        notes.refuse_with(
            &place.span,
            message,
            "choose a longer `every` or a shorter `span`",
        );
    }
    delta::Window { span, every }
}

fn duration(notes: &mut Notes<'_>, written: &Scalar) -> Option<Duration> {
    let text = written.value.as_str();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(60 * 60),
        _ => None,
    };
    let duration = number
        .parse::<u64>()
        .ok()
        .zip(seconds)
        .map(|(number, seconds)| Duration::from_secs(number.saturating_mul(seconds)));
    match duration {
        Some(duration) if !duration.is_zero() && duration <= MAX_WINDOW => return duration.into(),
        Some(_) => notes.refuse(&written.span, "a window lasts from 1 second to 24 hours"),
        None => notes.refuse_with(
            &written.span,
            format!("`{text}` is not a window"),
            "write a whole number of seconds, minutes or hours: `10s`, `1m`, `1h`",
        ),
    }
    None
}
