//! Where measurements go: each sink, what its far side says, and what that refused.

use super::Look;
use super::facts::table;
use super::pipeline::title;
use super::row::span;
use super::style::{FAINT, PLAIN, severity};
use crate::top::format::{GAP, age, bytes, clock, day_and_clock, whole};
use crate::top::text::wrap;
use crate::top::wire::{Pipeline, Severity, Sink};
use ratatui::style::Style;
use ratatui::text::Line;

/// The sections that there is something to say in.
pub fn parts(pipeline: &Pipeline, look: &Look, columns: usize) -> [Vec<Line<'static>>; 3] {
    let sinks = &pipeline.numbers.sinks;
    [
        all(sinks, columns),
        far_sides(pipeline, look, columns),
        refused_last(sinks, look, columns),
    ]
}

fn all(sinks: &[Sink], columns: usize) -> Vec<Line<'static>> {
    if sinks.is_empty() {
        return Vec::new();
    }
    let headings = [
        "sink",
        "state",
        "delivered",
        "rejected",
        "dropped",
        "queued",
        "target",
    ];
    let row = |sink: &Sink| {
        let of = &sink.measurements;
        vec![
            sink.name.to_string(),
            sink.state.to_string(),
            whole(of.delivered),
            whole(of.rejected),
            whole(of.dropped),
            whole(of.queued),
            sink.target.to_string(),
        ]
    };
    let rows: Vec<_> = sinks
        .iter()
        .map(|sink| (row(sink), style_of(sink)))
        .collect();
    let mut lines = table("Sinks", &headings, &rows, columns);
    // An error is longer than any column.
    for sink in sinks.iter().filter(|sink| !sink.last_error.is_empty()) {
        let text = format!(" {}: {}", sink.name, sink.last_error);
        let wrapped = wrap(&text, columns.saturating_sub(1), 3);
        let style = style_of(sink);
        lines.extend(
            wrapped
                .into_iter()
                .map(|line| Line::from(span(line, style))),
        );
    }
    lines
}

fn style_of(sink: &Sink) -> Style {
    match &*sink.state {
        "retrying" => severity(Severity::Bad),
        "waiting" => severity(Severity::Warn),
        _ if sink.measurements.dropped > 0 => severity(Severity::Warn),
        _ => PLAIN,
    }
}

fn far_sides(pipeline: &Pipeline, look: &Look, columns: usize) -> Vec<Line<'static>> {
    let row = |sink: &Sink| {
        let breaker = sink.breaker.as_ref()?;
        let spool = sink.spool.clone().unwrap_or_default();
        let waits = spool
            .oldest
            .map(|oldest| age(pipeline.numbers.now - oldest));
        let cells = vec![
            sink.name.to_string(),
            breaker.to_string(),
            sink.held_until
                .map_or_else(|| GAP.into(), |until| clock(until, &look.zone)),
            bytes(spool.bytes_used),
            bytes(spool.bytes_max),
            waits.unwrap_or_else(|| GAP.into()),
        ];
        let style = match &**breaker {
            "closed" if spool.is_nearly_full() => severity(Severity::Warn),
            "closed" => PLAIN,
            _ => severity(Severity::Bad),
        };
        Some((cells, style))
    };
    let rows: Vec<_> = pipeline.numbers.sinks.iter().filter_map(row).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let headings = [
        "sink",
        "breaker",
        "asks to wait until",
        "spool used",
        "of",
        "oldest waits for",
    ];
    table("Far sides", &headings, &rows, columns)
}

fn refused_last(sinks: &[Sink], look: &Look, columns: usize) -> Vec<Line<'static>> {
    let mut refused: Vec<_> = sinks
        .iter()
        .flat_map(|sink| sink.refused.iter().map(move |refused| (sink, refused)))
        .collect();
    if refused.is_empty() {
        return Vec::new();
    }
    refused.sort_by_key(|(_, refused)| std::cmp::Reverse(refused.at));
    let mut lines = vec![title("Refused last")];
    for (sink, refused) in refused {
        let left_out = match refused.left_out {
            0 => String::new(),
            more => format!(", and {} others left out since", whole(more)),
        };
        let of = day_and_clock(refused.time, &look.zone);
        let text = format!(
            " {} {}: {} of {of}{left_out}: {}",
            day_and_clock(refused.at, &look.zone),
            sink.name,
            refused.what,
            refused.why
        );
        let wrapped = wrap(&text, columns.saturating_sub(1), 3);
        let styles = std::iter::once(PLAIN).chain(std::iter::repeat(FAINT));
        lines.extend(
            wrapped
                .into_iter()
                .zip(styles)
                .map(|(line, style)| Line::from(span(line, style))),
        );
    }
    lines
}
