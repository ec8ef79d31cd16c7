//! A template's text to its segments, or what is wrong with it.

use crate::source::Fault;

/// A template with more is refused: no path that people list is so deep, and the search
/// goes no deeper than the templates.
pub(super) const MAX_SEGMENTS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment<'a> {
    /// As it is in the path.
    Fixed(&'a [u8]),
    /// `:id`, or as OpenAPI has it, `{id}`: any one segment that is not empty.
    Parameter,
    /// `*`, at the end: whatever is left, which may be nothing.
    Rest,
}

/// # Errors
///
/// Everything that is wrong, with its place in the template.
pub(super) fn segments(template: &str) -> Result<Vec<Segment<'_>>, Vec<Fault>> {
    let whole = 0..template.len();
    if template.is_empty() {
        let fault = Fault::new(whole, "the template is empty");
        return Err(vec![fault.hint("the root is written `/`")]);
    }
    let Some(inside) = template.strip_prefix('/') else {
        let fault = Fault::new(whole, "a template begins with `/`");
        let hint = match template.split_once("://") {
            Some((_, behind)) => {
                let path = behind.find('/').map_or("/", |slash| &behind[slash..]);
                format!("routes are matched by the path alone: `{path}`")
            }
            None => format!("write `/{template}`"),
        };
        return Err(vec![fault.hint(hint)]);
    };
    if inside.is_empty() {
        return Ok(Vec::new());
    }
    let count = inside.split('/').count();
    if count > MAX_SEGMENTS {
        let message = format!("the template has more than {MAX_SEGMENTS} segments");
        let fault = Fault::new(whole, message);
        return Err(vec![fault.hint("let a `*` at its end stand for the rest")]);
    }
    let (mut segments, mut faults) = (Vec::with_capacity(count), Vec::new());
    let mut start = 1;
    for (index, text) in inside.split('/').enumerate() {
        let span = start..start + text.len();
        start = span.end + 1;
        match segment(text, index + 1 == count) {
            Ok(segment) => segments.push(segment),
            Err(Wrong { message, hint }) => faults.push(Fault::new(span, message).hint(hint)),
        }
    }
    match faults.is_empty() {
        true => Ok(segments),
        false => Err(faults),
    }
}

struct Wrong {
    message: String,
    hint: String,
}

fn wrong(message: impl Into<String>, hint: impl Into<String>) -> Wrong {
    Wrong {
        message: message.into(),
        hint: hint.into(),
    }
}

fn segment(text: &str, last: bool) -> Result<Segment<'_>, Wrong> {
    let parameter = text
        .strip_prefix(':')
        .or_else(|| text.strip_prefix('{')?.strip_suffix('}'));
    match (text, parameter) {
        ("", _) if last => Err(wrong(
            "the template ends with a slash",
            "leave it out: slashes at a path's end do not matter",
        )),
        ("", _) => Err(wrong(
            "the template has an empty segment",
            "leave out one of the two slashes",
        )),
        ("*", _) if last => Ok(Segment::Rest),
        ("*", _) => Err(wrong(
            "`*` stands for the rest of a path, so nothing can follow it",
            "for one segment write a parameter such as `:id`",
        )),
        (_, Some("")) => Err(wrong(
            format!("`{text}` has no name"),
            "a parameter is written `:id` or `{id}`",
        )),
        (_, Some(name)) if name.chars().all(is_name_part) => Ok(Segment::Parameter),
        _ if text.contains('*') => Err(wrong(
            format!("`*` is only a part of the segment `{text}`"),
            "write `*` alone for the rest of a path, `:id` for any one segment",
        )),
        _ if text.contains(['?', '#']) => Err(wrong(
            format!("`{text}` is more than a path"),
            "leave out what begins with `?` or `#`: a route is matched without it",
        )),
        _ if text.contains([':', '{', '}', '<', '>']) => Err(wrong(
            format!("`{text}` is neither text nor a parameter"),
            "a parameter is a whole segment, written `:id` or `{id}`",
        )),
        _ => Ok(Segment::Fixed(text.as_bytes())),
    }
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}
