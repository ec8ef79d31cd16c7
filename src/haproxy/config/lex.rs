//! Lines to words, as HAProxy cuts them (`parse_line` in its `src/tools.c`, manual
//! sections 2.2 and 2.3).
//!
//! There is no line continuation. A `#` outside quotes begins a comment even inside a
//! word. Variables are seen inside double quotes only.

use super::environment::Environment;
use super::text::{ConfigText, Origin};
use crate::source::Source;
use std::borrow::Cow;
use std::ops::Range;

/// Bytes that variables may bring into one file. `setenv A "$A$A"` doubles one with
/// each line, so without a bound a small file fills the memory.
const EXPANDED_MAX: usize = 4 << 20;

/// Cuts the lines of one file.
pub(super) struct Lexer<'a> {
    source: &'a Source,
    /// How much of [`EXPANDED_MAX`] is left.
    expandable: usize,
}

/// What pseudo-variables say.
pub(super) struct Here<'a> {
    /// From 1.
    pub line: usize,
    /// The section's name, or its keyword where it has none.
    pub section: &'a str,
}

pub(super) struct Line {
    /// With the empty ones, of which the first ends HAProxy's list of arguments.
    pub words: Vec<Word>,
    /// Variables without a value: their names and places.
    pub unset: Vec<(String, Range<usize>)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Word {
    pub bytes: Vec<u8>,
    /// Where it stands, with its quotes.
    pub span: Range<usize>,
    origin: Origin,
}

/// Why a line cannot be cut.
pub(super) struct Refused {
    /// Bytes in the file.
    pub span: Range<usize>,
    pub message: String,
    pub hint: &'static str,
    /// Whether the rest of the file cannot be read either.
    pub last: bool,
}

impl Word {
    /// The word if it can be a keyword, else nothing that is one.
    pub fn keyword(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    /// The word as text of `source`; `None` where it is not UTF-8.
    pub fn text(&self, source: &Source) -> Option<ConfigText> {
        let text = String::from_utf8(self.bytes.clone()).ok()?;
        Some(ConfigText::new(text, source.clone(), self.origin.clone()))
    }

    fn verbatim(&mut self, byte: u8, file: usize) {
        self.origin.verbatim(self.bytes.len(), file);
        self.bytes.push(byte);
    }

    fn made(&mut self, byte: u8, file: Range<usize>) {
        self.origin.made(self.bytes.len(), file);
        self.bytes.push(byte);
    }
}

impl<'a> Lexer<'a> {
    pub fn new(source: &'a Source) -> Self {
        Lexer {
            source,
            expandable: EXPANDED_MAX,
        }
    }

    /// Cuts the line at `range` of the file, without its line feed and leading blanks.
    pub fn cut(
        &mut self,
        range: Range<usize>,
        environment: &Environment,
        here: &Here,
    ) -> Result<Line, Refused> {
        let mut cut = Cut {
            lexer: self,
            environment,
            here,
            end: range.end,
            at: range.start,
            quote: None,
            word: Word::default(),
            begun: range.start,
            line: Line {
                words: Vec::new(),
                unset: Vec::new(),
            },
        };
        cut.run()?;
        Ok(cut.line)
    }
}

/// One line on its way to words.
struct Cut<'l, 'a> {
    lexer: &'l mut Lexer<'a>,
    environment: &'l Environment<'l>,
    here: &'l Here<'l>,
    /// The line's end in the file.
    end: usize,
    at: usize,
    /// The open quote and where it stands.
    quote: Option<(u8, usize)>,
    word: Word,
    /// Where the word begins.
    begun: usize,
    line: Line,
}

impl Cut<'_, '_> {
    fn run(&mut self) -> Result<(), Refused> {
        while let Some(byte) = self.peek(0) {
            let quote = self.quote.map(|(quote, _)| quote);
            match (byte, quote) {
                (b'\0' | b'\r', _) | (b'#', None) => break,
                (b'"' | b'\'', None) => {
                    self.quote = Some((byte, self.at));
                    self.at += 1;
                }
                (b'"' | b'\'', Some(open)) if open == byte => {
                    self.quote = None;
                    self.at += 1;
                }
                (b'\\', None | Some(b'"')) => self.escape()?,
                (b'$', Some(b'"')) => self.variable()?,
                (byte, None) if is_blank(byte) => {
                    self.end_word();
                    self.skip_blanks();
                    self.begun = self.at;
                }
                _ => {
                    self.word.verbatim(byte, self.at);
                    self.at += 1;
                }
            }
        }
        if let Some((_, at)) = self.quote {
            return Err(self.refused(
                at..at + 1,
                "a quote that is not closed",
                "close it on the same line: HAProxy has no line continuation",
            ));
        }
        if !self.word.bytes.is_empty() {
            self.end_word();
        }
        Ok(())
    }

    fn end_word(&mut self) {
        let mut word = std::mem::take(&mut self.word);
        word.span = self.begun..self.at;
        self.line.words.push(word);
    }

    fn skip_blanks(&mut self) {
        while self.peek(0).is_some_and(is_blank) {
            self.at += 1;
        }
    }

    /// A backslash outside single quotes. Before anything that needs none it is
    /// itself.
    fn escape(&mut self) -> Result<(), Refused> {
        let start = self.at;
        let quoted = self.quote.is_some();
        let (byte, length) = match self.peek(1) {
            Some(next @ (b' ' | b'\\' | b'#' | b'\'' | b'"')) => (next, 2),
            Some(b'$') if quoted => (b'$', 2),
            Some(b't') => (b'\t', 2),
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(b'x') => match (self.hex(2), self.hex(3)) {
                (Some(high), Some(low)) => (high << 4 | low, 4),
                _ => {
                    return Err(self.refused(
                        start..start + 2,
                        "`\\x` without two hexadecimal digits",
                        "write `\\\\` for a backslash",
                    ));
                }
            },
            _ => (b'\\', 1),
        };
        self.at += length;
        match length {
            1 => self.word.verbatim(byte, start),
            _ => self.word.made(byte, start..self.at),
        }
        Ok(())
    }

    fn hex(&self, ahead: usize) -> Option<u8> {
        let digit = char::from(self.peek(ahead)?).to_digit(16)?;
        u8::try_from(digit).ok()
    }

    /// `$NAME`, `${NAME}`, `${NAME-default}` or `${NAME[*]}`, inside double quotes.
    fn variable(&mut self) -> Result<(), Refused> {
        let source = self.lexer.source;
        let start = self.at;
        self.at += 1;
        let braced = self.peek(0) == Some(b'{');
        self.at += usize::from(braced);
        let name_at = self.at;
        if self.peek(0) == Some(b'.') {
            self.at += 1;
        } else if self.peek(0).is_none_or(|byte| byte.is_ascii_digit()) {
            return Err(self.no_name(start));
        }
        while self
            .peek(0)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            self.at += 1;
        }
        let name = &source.text[name_at..self.at];
        let value = match name {
            "" => return Err(self.no_name(start)),
            ".LINE" => Some(Cow::Owned(self.here.line.to_string().into_bytes())),
            ".FILE" => Some(Cow::Borrowed(source.name.as_bytes())),
            ".SECTION" => Some(Cow::Borrowed(self.here.section.as_bytes())),
            _ if name.starts_with('.') => return Err(self.no_name(start)),
            _ => self.environment.get(name),
        };
        let mut split = false;
        let mut default = None;
        if braced {
            if self.peek(0) == Some(b'[') {
                if (self.peek(1), self.peek(2)) != (Some(b'*'), Some(b']')) {
                    return Err(self.refused(
                        self.at..self.at + 1,
                        "only `[*]` may stand here",
                        "it makes several words of a value with blanks",
                    ));
                }
                split = true;
                self.at += 3;
            }
            if self.peek(0) == Some(b'-') {
                let from = self.at + 1;
                while self.peek(0).is_some_and(|byte| byte != b'}') {
                    self.at += 1;
                }
                default = Some(from..self.at);
            }
            if self.peek(0) != Some(b'}') {
                return Err(self.refused(
                    start..name_at,
                    "a brace that is not closed",
                    "a variable is written `${NAME}` or `${NAME-default}`",
                ));
            }
            self.at += 1;
        }
        let span = start..self.at;
        match (value, default) {
            (Some(value), _) => {
                let Some(left) = self.lexer.expandable.checked_sub(value.len()) else {
                    return Err(Refused {
                        span,
                        message: format!(
                            "variables bring more than {EXPANDED_MAX} bytes into this file"
                        ),
                        hint: "look for a variable that is set to itself twice",
                        last: true,
                    });
                };
                self.lexer.expandable = left;
                self.expand(&value, split, |word, byte, _| word.made(byte, span.clone()));
            }
            (None, Some(default)) => {
                let value = &source.text.as_bytes()[default.clone()];
                self.expand(value, split, |word, byte, index| {
                    word.verbatim(byte, default.start + index);
                });
            }
            (None, None) => {
                self.line.unset.push((String::from(name), span));
                // HAProxy drops the whole of `"$UNSET" ` so that no empty word ends
                // the list of arguments there.
                if self.peek(0) == Some(b'"') {
                    self.at += 1;
                    self.quote = None;
                    self.skip_blanks();
                }
            }
        }
        Ok(())
    }

    /// Puts a value in, with `[*]` as several words.
    fn expand(&mut self, value: &[u8], split: bool, mut put: impl FnMut(&mut Word, u8, usize)) {
        let mut blank = false;
        for (index, &byte) in value.iter().enumerate() {
            if split && (is_blank(byte) || matches!(byte, b'\n' | b'\r')) {
                if !blank {
                    self.end_word();
                }
                blank = true;
                continue;
            }
            blank = false;
            put(&mut self.word, byte, index);
        }
    }

    fn no_name(&self, start: usize) -> Refused {
        self.refused(
            start..start + 1,
            "`$` inside double quotes begins a variable, and no variable's name follows",
            "write `\\$` for a dollar sign, or use single quotes",
        )
    }

    fn refused(&self, span: Range<usize>, message: &str, hint: &'static str) -> Refused {
        Refused {
            span,
            message: message.into(),
            hint,
            last: false,
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        let at = self.at + ahead;
        (at < self.end).then(|| self.lexer.source.text.as_bytes()[at])
    }
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\x0b' | b'\x0c')
}
