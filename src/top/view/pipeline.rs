//! The pipeline: what is wrong in full, every counter, the rejected lines, sinks, listeners.

use super::Look;
use super::facts::{Fact, Section, pair, table};
use super::rejects;
use super::row::{plain, span};
use super::sinks;
use super::style::{FAINT, HEADING, PLAIN, severity};
use crate::top::alarms::Alarm;
use crate::top::format::{age, bytes, count, day_and_clock, whole};
use crate::top::model::Model;
use crate::top::text::wrap;
use crate::top::wire::{Listener, Pipeline, RefusedRules, Severity, words};
use ratatui::text::Line;

pub fn lines(model: &Model, alarms: &[Alarm], look: &Look, columns: u16) -> Vec<Line<'static>> {
    let columns = usize::from(columns);
    let Some(pipeline) = &model.seen().pipeline else {
        return vec![Line::from(span(" waiting for weir's first word", FAINT))];
    };
    let mut parts = vec![alarm_lines(pipeline, alarms, columns)];
    let refused = pipeline
        .rules
        .as_ref()
        .and_then(|rules| rules.refused.as_ref());
    if let Some(refused) = refused.filter(|refused| refused.count > 1) {
        parts.push(refused_rules(refused, look, columns));
    }
    if pipeline.has_lines() {
        let (lines, events) = (lines_section(pipeline), events_section(pipeline));
        parts.push(pair(&lines, &events, columns));
        parts.push(rejects::lines(model, pipeline, look, columns));
    }
    parts.extend(sinks::parts(pipeline, look, columns));
    parts.push(listeners(pipeline, columns));
    let (store, weir) = (store_section(pipeline), weir_section(pipeline, look));
    parts.push(pair(&store, &weir, columns));
    let mut lines = Vec::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.extend(part);
    }
    lines
}

fn alarm_lines(pipeline: &Pipeline, alarms: &[Alarm], columns: usize) -> Vec<Line<'static>> {
    if alarms.is_empty() {
        let text = match pipeline.has_lines() {
            true if pipeline.numbers.received == 0 => "no line yet",
            true => "pipeline ok",
            false => "receiver ok",
        };
        return vec![Line::from(span(format!(" {text}"), severity(Severity::Ok)))];
    }
    let lines = alarms.iter().flat_map(|alarm| {
        let style = severity(alarm.severity);
        let text = format!(" {:<4} {}", alarm.severity.as_str(), alarm.text);
        let wrapped = wrap(&text, columns.saturating_sub(1), 6);
        wrapped
            .into_iter()
            .map(move |line| Line::from(span(line, style)))
    });
    lines.collect()
}

/// Every problem of the set that was refused last, but for those that are too many.
fn refused_rules(refused: &RefusedRules, look: &Look, columns: usize) -> Vec<Line<'static>> {
    let title = format!(" Not loaded, {}", day_and_clock(refused.at, &look.zone));
    let mut lines = vec![Line::from(span(title, HEADING))];
    for problem in &refused.problems {
        let wrapped = wrap(&format!(" {problem}"), columns.saturating_sub(1), 3);
        lines.extend(
            wrapped
                .into_iter()
                .map(|line| Line::from(span(line, PLAIN))),
        );
    }
    let left = refused.count.saturating_sub(refused.problems.len() as u64);
    if left > 0 {
        lines.push(Line::from(span(
            format!(" and {} more", whole(left)),
            FAINT,
        )));
    }
    lines
}

fn lines_section(pipeline: &Pipeline) -> Section {
    let numbers = &pipeline.numbers;
    let mut facts = vec![
        Fact::new("received", whole(numbers.received), "of which"),
        Fact::new("– parsed", whole(numbers.parsed), ""),
    ];
    let rejected = numbers.rejected.iter().filter(|(_, amount)| **amount > 0);
    facts.extend(rejected.map(|(reason, amount)| {
        Fact::new(format!("– {}", words(reason)), whole(*amount), "rejected")
    }));
    facts.push(Fact::new(
        "– queued",
        whole(numbers.queued),
        "not parsed yet",
    ));
    facts.push(Fact::new(
        "cut off",
        whole(numbers.cut),
        "too long or broken off",
    ));
    Section {
        title: "Lines",
        counts: true,
        facts,
    }
}

fn events_section(pipeline: &Pipeline) -> Section {
    let numbers = &pipeline.numbers;
    let facts = [
        ("late", numbers.late, "counted afterwards"),
        ("too late", numbers.too_late, "not counted"),
        ("in the future", numbers.future, "not counted"),
        ("over the limit", numbers.over_limit, "limits.series"),
        ("skipped", numbers.skipped, "wanted by no rule"),
        ("notices", numbers.notices, "HAProxy's own"),
        ("open windows", numbers.windows.open, ""),
        ("closed", numbers.windows.closed, ""),
        ("amended", numbers.windows.amended, ""),
        ("series", numbers.series, ""),
    ];
    let facts = facts.map(|(name, value, note)| Fact::new(name, whole(value), note));
    Section {
        title: "Events",
        counts: true,
        facts: facts.into(),
    }
}

fn store_section(pipeline: &Pipeline) -> Section {
    let facts = pipeline.numbers.store.as_ref().map(|store| {
        vec![
            Fact::new("file", &*store.path, ""),
            Fact::new("series", whole(store.series), ""),
            Fact::new("points", whole(store.points), ""),
            Fact::new("size", bytes(store.bytes), ""),
            Fact::new("accepted", whole(store.accepted), ""),
            Fact::new("refused", whole(store.refused), ""),
            Fact::new("kept for", age(store.retention), ""),
        ]
    });
    Section {
        title: "Store",
        counts: false,
        facts: facts.unwrap_or_default(),
    }
}

fn weir_section(pipeline: &Pipeline, look: &Look) -> Section {
    let numbers = &pipeline.numbers;
    let mut facts = vec![
        Fact::new("version", &*pipeline.version, ""),
        Fact::new("mode", &*pipeline.mode, ""),
        Fact::new("running for", age(numbers.now - numbers.started), ""),
        Fact::new("since", day_and_clock(numbers.started, &look.zone), ""),
    ];
    if let Some(rules) = &pipeline.rules {
        let files: Vec<&str> = rules.files.iter().map(|file| &**file).collect();
        let files = format!("{} in {}", whole(rules.rules), files.join(", "));
        facts.push(Fact::new("rules", files, ""));
        facts.push(Fact::new(
            "loaded",
            day_and_clock(rules.loaded, &look.zone),
            "",
        ));
    }
    Section {
        title: "weir",
        counts: false,
        facts,
    }
}

fn listeners(pipeline: &Pipeline, columns: usize) -> Vec<Line<'static>> {
    let listeners = &pipeline.numbers.listeners;
    if listeners.is_empty() {
        return Vec::new();
    }
    let rows: Vec<_> = listeners
        .iter()
        .map(|listener| {
            let style = match listener.lost > 0 {
                true => severity(Severity::Warn),
                false => PLAIN,
            };
            let cells = vec![
                listener.protocol.to_string(),
                listener.address.to_string(),
                whole(listener.received),
                whole(listener.resent),
                whole(listener.connections),
                whole(listener.lost),
                whole(listener.refused()),
            ];
            (cells, style)
        })
        .collect();
    let headings = [
        "",
        "address",
        "received",
        "sent again",
        "connections",
        "lost",
        "refused",
    ];
    let mut lines = table("Listeners", &headings, &rows, columns);
    for listener in listeners.iter().filter(|listener| listener.refused() > 0) {
        let (protocol, address) = (&listener.protocol, &listener.address);
        let text = format!(" {protocol} {address} refused: {}", refused_why(listener));
        let wrapped = wrap(&text, columns.saturating_sub(1), 3).into_iter();
        lines.extend(wrapped.map(|line| Line::from(span(line, FAINT))));
    }
    lines
}

/// Why a listener has refused connections or datagrams, the most frequent reason first.
fn refused_why(listener: &Listener) -> String {
    let reasons = listener.refused.iter().filter(|(_, amount)| **amount > 0);
    let mut reasons: Vec<_> = reasons.collect();
    reasons.sort_by_key(|(_, amount)| std::cmp::Reverse(**amount));
    let reasons: Vec<String> = reasons
        .into_iter()
        .map(|(reason, amount)| format!("{} ({})", words(reason), count(*amount)))
        .collect();
    reasons.join(", ")
}

/// The heading of a section.
pub fn title(text: impl Into<String>) -> Line<'static> {
    Line::from(vec![plain(" "), span(text, HEADING)])
}
