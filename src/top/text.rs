//! Text that a terminal can be given: foreign characters in, harmless ones out; and how
//! wide a text is on it.

use serde::{Deserialize, Deserializer};
use std::fmt;
use std::ops::Deref;
use unicode_width::UnicodeWidthChar;

/// Text from outside, of which nothing moves the cursor, hides, or turns a line around.
///
/// There is no other way from an answer to the screen: whatever is decoded as this has been
/// through [`printable`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(String);

impl Text {
    pub fn new(foreign: &str) -> Text {
        Text(printable(foreign))
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|foreign| Text::new(&foreign))
    }
}

/// A name from outside: as it is, to ask by, and as it can be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    pub id: String,
    pub shown: Text,
}

impl Name {
    pub fn new(id: &str) -> Name {
        Name {
            id: id.to_owned(),
            shown: Text::new(id),
        }
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        let shown = Text::new(&id);
        Ok(Name { id, shown })
    }
}

/// What is no printable character becomes an escape, such as `\n` or `\u{202e}`. Blanks of
/// every kind become plain ones.
fn printable(foreign: &str) -> String {
    let mut out = String::with_capacity(foreign.len());
    for char in foreign.chars() {
        match char {
            ' '..='~' => out.push(char),
            // As numbers have them between digits and units.
            '\u{a0}' | '\u{202f}' => out.push(' '),
            _ if char.is_control() => out.extend(char.escape_debug()),
            // A mark would join whatever is left of it.
            _ if columns(char) == 0 => out.extend(char.escape_unicode()),
            _ => out.extend(char.escape_debug()),
        }
    }
    out
}

/// Columns that a text takes. Of [`Text`] and of our own words only.
pub fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// The text, or its beginning with an ellipsis where it has more columns than these.
pub fn fit(text: &str, columns_max: usize) -> String {
    if width(text) <= columns_max {
        return text.to_owned();
    }
    let (kept, _) = cut(text, columns_max.saturating_sub(1));
    match columns_max {
        0 => String::new(),
        _ => format!("{kept}…"),
    }
}

/// The text, or its beginning and its end around an ellipsis where it has more columns than
/// these: names often differ in their last letters alone.
pub fn fit_middle(text: &str, columns_max: usize) -> String {
    if width(text) <= columns_max || columns_max < 5 {
        return fit(text, columns_max);
    }
    let behind = (columns_max - 1) / 2;
    let (head, _) = cut(text, columns_max - 1 - behind);
    let mut tail = text.chars();
    while width(tail.as_str()) > behind {
        tail.next();
    }
    format!("{head}…{}", tail.as_str())
}

/// The text in exactly so many columns, from the left.
pub fn left(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let blanks = columns - width(&text);
    text + &" ".repeat(blanks)
}

/// The text in exactly so many columns, at the right.
pub fn right(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    " ".repeat(columns - width(&text)) + &text
}

/// As much as fits into these columns, and the rest.
pub fn cut(text: &str, columns_max: usize) -> (&str, &str) {
    let mut used = 0;
    for (at, char) in text.char_indices() {
        used += columns(char);
        if used > columns_max {
            return text.split_at(at);
        }
    }
    (text, "")
}

/// Lines of at most so many columns, broken at blanks where there are any. A line that goes
/// on begins with `indent` blanks.
pub fn wrap(text: &str, columns_max: usize, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    loop {
        let indent = if lines.is_empty() { 0 } else { indent };
        // At least one column, or a narrow screen would never come to an end.
        let room = columns_max.saturating_sub(indent).max(2);
        let (head, tail) = cut(rest, room);
        if tail.is_empty() {
            lines.push(" ".repeat(indent) + head);
            return lines;
        }
        let at = match head.rfind(' ') {
            _ if tail.starts_with(' ') => head.len(),
            Some(blank) if !head[..blank].trim().is_empty() => blank,
            _ => head.len(),
        };
        let (head, tail) = rest.split_at(at);
        lines.push(" ".repeat(indent) + head.trim_end());
        rest = tail.trim_start();
        if rest.is_empty() {
            return lines;
        }
    }
}

fn columns(char: char) -> usize {
    char.width().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_reaches_the_terminal_but_what_can_be_printed() {
        for (foreign, shown) in [
            ("users", "users"),
            ("a\"b'c\\d", "a\"b'c\\d"),
            ("søk-тест-日本", "søk-тест-日本"),
            ("\u{1b}[2J\u{7}", r"\u{1b}[2J\u{7}"),
            ("a\r\n\tb\0", r"a\r\n\tb\0"),
            // C1 controls, of which 9b begins a sequence as well.
            ("\u{9b}31m", r"\u{9b}31m"),
            // What turns text around, and what hides.
            (
                "a\u{202e}b\u{2066}c\u{200f}",
                r"a\u{202e}b\u{2066}c\u{200f}",
            ),
            ("a\u{200b}b\u{feff}c\u{ad}", r"a\u{200b}b\u{feff}c\u{ad}"),
            ("a\u{2028}b", r"a\u{2028}b"),
            // A pile of marks would cover the lines above.
            ("e\u{301}\u{301}", r"e\u{301}\u{301}"),
            ("5\u{a0}ms", "5 ms"),
            // Tags, of which whole hidden texts can be made; for private use; no character.
            ("a\u{e0041}\u{e000}\u{fffe}", r"a\u{e0041}\u{e000}\u{fffe}"),
        ] {
            assert_eq!(&*Text::new(foreign), shown, "{foreign:?}");
            let name: Name = serde_json::from_value(foreign.into()).unwrap();
            assert_eq!((&*name.id, &*name.shown), (foreign, shown));
        }
        for char in '\0'..=char::MAX {
            let shown = printable(&char.to_string());
            assert!(
                shown.chars().all(|c| !c.is_control() && columns(c) > 0),
                "{char:?} is shown as {shown:?}"
            );
        }
    }

    #[test]
    fn texts_fit_by_the_columns_that_they_take() {
        assert_eq!(width("日本 a"), 6);
        for (text, columns, fits) in [
            ("users", 5, "users"),
            ("users", 4, "use…"),
            ("users", 1, "…"),
            ("users", 0, ""),
            ("日本", 4, "日本"),
            // Half of a wide character cannot be shown.
            ("日本語", 4, "日…"),
        ] {
            assert_eq!(fit(text, columns), fits, "{text} {columns}");
        }
        assert_eq!(fit_middle("prod-eu-checkout", 16), "prod-eu-checkout");
        assert_eq!(fit_middle("prod-eu-checkout", 10), "prod-…kout");
        assert_eq!(fit_middle("日本語日本語", 8), "日本…語");
        assert_eq!(fit_middle("checkout", 4), "che…");
        assert_eq!(left("日本語", 4), "日… ");
        assert_eq!(right("users", 7), "  users");
    }

    #[test]
    fn a_long_text_goes_on_in_the_next_line() {
        assert_eq!(
            wrap("a bad rule file is refused", 10, 2),
            ["a bad rule", "  file is", "  refused"]
        );
        assert_eq!(wrap("abcdefgh", 5, 2), ["abcde", "  fgh"]);
        assert_eq!(wrap(" abcdefgh", 5, 2), [" abcd", "  efg", "  h"]);
        assert_eq!(wrap("", 5, 2), [""]);
        assert_eq!(wrap("ab ", 2, 0), ["ab"]);
        assert_eq!(wrap("日本語", 0, 0), ["日", "本", "語"]);
    }
}
