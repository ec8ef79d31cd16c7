//! Rejected lines: how many for which reason, and samples with the word at which reading
//! ended.

use super::Look;
use super::pipeline::title;
use super::row::span;
use super::style::{FAINT, PLAIN, STRONG, severity};
use crate::top::format::{clock, day_and_clock, whole};
use crate::top::model::Model;
use crate::top::text::{cut, width, wrap};
use crate::top::wire::{Pipeline, RejectsFile, Sample, Severity, words};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

/// Nothing while nothing was rejected.
pub fn lines(
    model: &Model,
    pipeline: &Pipeline,
    look: &Look,
    columns: usize,
) -> Vec<Line<'static>> {
    let numbers = &pipeline.numbers;
    if numbers.rejected() == 0 {
        return Vec::new();
    }
    let mut lines = vec![title("Rejected lines")];
    for (reason, amount) in numbers.rejected.iter().filter(|(_, amount)| **amount > 0) {
        let samples = match model.rejects() {
            Some(Ok(rejects)) => rejects.samples.get(reason).map_or(&[][..], |all| all),
            _ => &[],
        };
        let newest = match samples.first() {
            Some(newest) => {
                let at = clock(newest.received_at, &look.zone);
                let more = match samples.len() {
                    all @ 2.. if !model.all_samples => format!("; Enter shows {all}"),
                    _ => String::new(),
                };
                format!(", the newest at {at}{more}")
            }
            None => String::new(),
        };
        lines.push(Line::from(vec![
            span(format!(" {} ", words(reason)), STRONG),
            span(whole(*amount), STRONG),
            span(newest, FAINT),
        ]));
        let shown = if model.all_samples { samples.len() } else { 1 };
        for sample in samples.iter().take(shown) {
            lines.extend(sample_lines(sample, look, columns));
        }
    }
    if let Some(Err(why)) = model.rejects() {
        let text = format!(" No samples: {why}. Trying again.");
        let style = severity(Severity::Warn);
        let wrapped = wrap(&text, columns.saturating_sub(1), 1).into_iter();
        lines.extend(wrapped.map(|line| Line::from(span(line, style))));
    }
    lines.extend(
        numbers
            .rejects_file
            .iter()
            .flat_map(|file| file_lines(file, columns)),
    );
    lines
}

fn sample_lines(sample: &Sample, look: &Look, columns: usize) -> Vec<Line<'static>> {
    let why = format!(
        "   {} {}",
        day_and_clock(sample.received_at, &look.zone),
        sample.why
    );
    let wrapped = wrap(&why, columns.saturating_sub(1), 5).into_iter();
    let mut lines: Vec<Line<'static>> = wrapped.map(|line| Line::from(span(line, FAINT))).collect();
    let left_out = |bytes: u64| (format!("[{} bytes]", whole(bytes)), FAINT);
    let marked = severity(Severity::Bad).add_modifier(Modifier::REVERSED);
    let mut pieces = Vec::new();
    if sample.left_out_before > 0 {
        pieces.push(left_out(sample.left_out_before));
    }
    if sample.before.is_empty() && sample.stuck.is_none() {
        pieces.push(left_out(0));
    }
    pieces.push((sample.before.to_string(), PLAIN));
    match sample.stuck.as_deref() {
        None => {}
        Some("") => pieces.push(("the line ends".into(), marked)),
        Some(word) => pieces.push((word.to_owned(), marked)),
    }
    pieces.push((sample.after.to_string(), PLAIN));
    if sample.left_out_after > 0 {
        pieces.push(left_out(sample.left_out_after));
    }
    lines.extend(flowing(&pieces, columns));
    lines
}

/// Pieces as one text, broken wherever a line is full: a log line has places, not words.
fn flowing(pieces: &[(String, Style)], columns: usize) -> Vec<Line<'static>> {
    const INDENT: usize = 3;
    let room = columns.saturating_sub(INDENT + 1).max(2);
    let mut lines = Vec::new();
    let mut line: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    for (text, style) in pieces {
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (head, tail) = cut(rest, room - used);
            if !head.is_empty() {
                line.push(span(head, *style));
                used += width(head);
            }
            if !tail.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            rest = tail;
        }
    }
    lines.push(line);
    let indented = lines.into_iter().map(|mut spans| {
        spans.insert(0, span(" ".repeat(INDENT), PLAIN));
        Line::from(spans)
    });
    indented.collect()
}

fn file_lines(file: &RejectsFile, columns: usize) -> Vec<Line<'static>> {
    let waiting = match file.queued {
        0 => String::new(),
        queued => format!(", {} waiting", whole(queued)),
    };
    let unwritten = match file.unwritten {
        0 => String::new(),
        unwritten => format!(", {} not written", whole(unwritten)),
    };
    let error = match file.last_error.is_empty() {
        true => String::new(),
        false => format!(": {}", file.last_error),
    };
    let style = match (file.last_error.is_empty(), file.unwritten) {
        (false, _) => severity(Severity::Bad),
        (true, 1..) => severity(Severity::Warn),
        (true, 0) => PLAIN,
    };
    let written = whole(file.written);
    let text = format!(
        " {written} written to {}{waiting}{unwritten}{error}",
        file.path
    );
    let wrapped = wrap(&text, columns.saturating_sub(1), 3).into_iter();
    wrapped.map(|line| Line::from(span(line, style))).collect()
}
