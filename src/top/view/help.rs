//! Keys, and what columns and signs mean.

use super::pipeline::title;
use super::row::{plain, span};
use super::style::{PLAIN, STRONG};
use crate::top::text::{left, wrap};
use ratatui::text::Line;

type Entry = (&'static str, &'static str);

const EVERYWHERE: &[Entry] = &[
    ("1 2 3, Tab", "services, one service, the pipeline"),
    (
        "p, space",
        "pause: what is shown stays as it is; again to go on",
    ),
    ("Esc", "back; in the list, takes the filter away"),
    ("?, F1", "this help"),
    ("Ctrl-L", "draws everything anew"),
    ("Ctrl-Z", "suspends; fg goes on"),
    ("q, Ctrl-C", "ends"),
];

const SERVICES: &[Entry] = &[
    ("j k, arrows", "move; also PgUp, PgDn, Home or g, End or G"),
    ("Enter", "opens the service"),
    (
        "/",
        "filters by words in name, rule, state or reason, as you type",
    ),
    ("s > <", "sorts by the next column, or by the one before"),
    ("r", "reverses"),
];

const SERVICE: &[Entry] = &[
    (
        "left, right",
        "the service before or behind this one in the list",
    ),
    ("- +", "a longer or a shorter span: 15 min, 1 h, 6 h, 24 h"),
    ("j k, arrows", "scroll"),
];

const PIPELINE: &[Entry] = &[
    (
        "Enter",
        "all samples of rejected lines, or the newest of each reason",
    ),
    ("j k, arrows", "scroll"),
];

const MEANINGS: &[Entry] = &[
    (
        "State",
        "bad, warn or ok, by the same rules as on weir's page; the worst come first",
    ),
    ("Rate", "requests per second in the newest closed window"),
    (
        "p50 p95 p99",
        "latency percentiles of that window; – is no such value, never 0",
    ),
    (
        "Errors",
        "share of failed requests in it; the number that Why names is underlined",
    ),
    (
        "small lines",
        "rate, and on wide screens p95 and errors, over the span at their top",
    ),
    (
        "Why",
        "what is unusual; `no data for` when no window came that should have",
    ),
];

pub fn lines(columns: u16) -> Vec<Line<'static>> {
    let columns = usize::from(columns);
    let sections = [
        ("Services", SERVICES),
        ("One service", SERVICE),
        ("Pipeline", PIPELINE),
        ("Everywhere", EVERYWHERE),
        ("The list", MEANINGS),
    ];
    let mut lines = Vec::new();
    for (name, entries) in sections {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(title(name));
        lines.extend(entries.iter().flat_map(|entry| entry_lines(entry, columns)));
    }
    lines
}

fn entry_lines((key, does): &Entry, columns: usize) -> Vec<Line<'static>> {
    const KEYS: usize = 13;
    let room = columns.saturating_sub(KEYS + 2);
    let line = |(n, text)| {
        let key = if n == 0 { *key } else { "" };
        let key = span(left(key, KEYS), STRONG);
        Line::from(vec![plain(" "), key, span(text, PLAIN)])
    };
    wrap(does, room, 0)
        .into_iter()
        .enumerate()
        .map(line)
        .collect()
}
