//! One line as a directive: its words, and the `no` or `default` before them.

use super::lex::Word;
use super::report::Reports;
use super::text::ConfigText;
use std::ops::Range;
use std::sync::Arc;

pub(super) struct Statement<'l> {
    /// The words that count: those before the first empty one.
    words: &'l [Word],
    /// `no` or `default`.
    pub modifier: Option<&'l Word>,
}

impl<'l> Statement<'l> {
    /// `None` where no word counts.
    pub fn new(words: &'l [Word]) -> Option<Self> {
        let count = words.iter().take_while(|word| !word.bytes.is_empty());
        let words = &words[..count.count()];
        let (first, rest) = words.split_first()?;
        Some(match first.keyword() {
            "no" | "default" if !rest.is_empty() => Statement {
                words: rest,
                modifier: Some(first),
            },
            _ => Statement {
                words,
                modifier: None,
            },
        })
    }

    /// The word at `index` as a keyword; empty beyond the last.
    pub fn keyword(&self, index: usize) -> &str {
        self.word(index).map_or("", Word::keyword)
    }

    pub fn word(&self, index: usize) -> Option<&'l Word> {
        self.words.get(index)
    }

    pub fn words(&self) -> &'l [Word] {
        self.words
    }

    /// Where it stands, without its modifier.
    pub fn span(&self) -> Range<usize> {
        self.span_of(0..self.words.len())
    }

    /// Where some of its words stand.
    pub fn span_of(&self, range: Range<usize>) -> Range<usize> {
        match &self.words[range] {
            [first, .., last] => first.span.start..last.span.end,
            [only] => only.span.clone(),
            [] => 0..0,
        }
    }

    /// Whether it says anything about log lines. All others are skipped.
    pub fn concerns_logs(&self) -> bool {
        match (self.keyword(0), self.keyword(1), self.keyword(2)) {
            ("global" | "defaults" | "frontend" | "listen" | "backend" | "log-profile", ..)
            | ("setenv" | "presetenv" | "unsetenv" | "resetenv", ..)
            | ("log" | "log-format" | "error-log-format" | "log-tag" | "mode" | "on", ..)
            | ("capture" | "declare", ..)
            | ("option", "httplog" | "httpslog" | "tcplog", _)
            | ("http-request" | "http-response", "capture", _)
            | ("tcp-request", "content", "capture") => true,
            _ => self.used_by_rule().is_some(),
        }
    }

    /// The profile of a rule's `do-log profile NAME`.
    pub fn used_by_rule(&self) -> Option<&'l Word> {
        let rules = [
            "http-request",
            "http-response",
            "http-after-response",
            "tcp-request",
            "tcp-response",
            "quic-initial",
        ];
        if !rules.contains(&self.keyword(0)) {
            return None;
        }
        let at = (1..=2).find(|at| self.keyword(*at) == "do-log")?;
        (self.keyword(at + 1) == "profile").then(|| self.word(at + 2))?
    }

    /// Its first argument as a name, or a problem.
    pub fn name(&self, reports: &mut Reports) -> Option<Box<str>> {
        match self.word(1) {
            Some(word) => reports.name(word),
            None => {
                self.no_argument(reports);
                None
            }
        }
    }

    /// Its only argument as text, or a problem.
    pub fn text(&self, reports: &mut Reports) -> Option<Arc<ConfigText>> {
        match self.words {
            [_, text] => reports.text(text).map(Arc::new),
            [_, _, extra, ..] => {
                let message = format!("`{}` takes one argument", self.keyword(0));
                reports.problem(
                    extra.span.clone(),
                    message,
                    "put all of it into quotes, or write a backslash before each blank",
                );
                None
            }
            _ => {
                self.no_argument(reports);
                None
            }
        }
    }

    fn no_argument(&self, reports: &mut Reports) {
        let message = format!("`{}` without its argument", self.keyword(0));
        reports.problem(self.span(), message, "an empty argument counts as none");
    }
}
