//! What to do about what YAML does not allow. Most of it are expressions: what they are
//! made of, quotes and brackets and `: `, means something to YAML too.

use super::{COLON_HINT, TEXT_HINT};

/// A hint for the parser's message, by the text before the place where it stopped and the
/// text from there on.
pub(super) fn of(message: &str, before: &str, after: &str) -> Option<&'static str> {
    let line = before.rsplit('\n').next().unwrap_or_default();
    let flow = |collection: &str| message.contains("while parsing") && message.contains(collection);
    if message.contains("-quoted scalar") && message.contains("trailing content") {
        return Some(
            "a text that begins with a quote and goes on after the second needs quotes around all of it: `'\"http\" == kind'`",
        );
    }
    if flow("flow sequence") && after.starts_with(['[', '{']) {
        return Some(
            "in a list between brackets a text with brackets or braces needs quotes around all of it: `['request_headers[\"Host\"]']`",
        );
    }
    if flow("flow mapping") && message.contains("did not find") {
        return Some(match after.starts_with(':') && line.contains('{') {
            true => "between braces a text with `: ` in it needs quotes around all of it",
            false => "between braces an expression with brackets or braces needs quotes",
        });
    }
    if message.contains("did not find expected key") && before.trim_end().ends_with([']', '}']) {
        return Some(TEXT_HINT);
    }
    if message.contains("mapping values are not allowed") {
        return Some(match line.contains(": ") {
            true => COLON_HINT,
            false => {
                "keys that belong together begin in one column; a text with `: ` in it needs quotes around all of it"
            }
        });
    }
    None
}
