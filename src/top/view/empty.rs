//! What to do while there is no service to show: said from what the pipeline knows of itself.

use super::row::{plain, span};
use super::style::{FAINT, STRONG};
use crate::top::format::count;
use crate::top::model::Model;
use crate::top::text::wrap;
use crate::top::wire::{Pipeline, words};
use ratatui::text::Line;

pub fn lines(model: &Model, columns: usize) -> Vec<Line<'static>> {
    let seen = model.seen();
    let (head, rest) = match &seen.pipeline {
        _ if !seen.services.services.is_empty() => none_matches(model),
        Some(pipeline) if seen.listed => advice(pipeline),
        _ => ("Waiting for weir to answer".to_owned(), Vec::new()),
    };
    let room = columns.saturating_sub(2);
    let mut lines = vec![Line::default()];
    let wrapped = |text: &str, style| {
        let lines = wrap(text, room, 0).into_iter();
        lines.map(move |line| Line::from(vec![plain(" "), span(line, style)]))
    };
    lines.extend(wrapped(&head, STRONG));
    for text in rest {
        lines.extend(wrapped(&text, FAINT));
    }
    lines
}

fn none_matches(model: &Model) -> (String, Vec<String>) {
    let all = model.seen().services.services.len();
    (
        format!("None of {all} services matches this filter"),
        vec!["Esc clears it.".into()],
    )
}

fn advice(pipeline: &Pipeline) -> (String, Vec<String>) {
    let numbers = &pipeline.numbers;
    if !pipeline.has_lines() {
        return (
            "No metric has been pushed yet".into(),
            vec!["Any Librato client can push to this weir's HTTP address.".into()],
        );
    }
    if numbers.received == 0 && &*pipeline.mode == "demo" {
        return (
            "The demo is starting".into(),
            vec!["The first window closes some seconds after its first line.".into()],
        );
    }
    if numbers.received == 0 {
        let mut rest = vec![
            "Point rsyslog at weir, and services appear by themselves some seconds after their \
             first requests. It listens on:"
                .to_owned(),
        ];
        let listeners = numbers.listeners.iter();
        rest.extend(
            listeners.map(|listener| format!("  {} {}", listener.protocol, listener.address)),
        );
        return ("No line has arrived yet".into(), rest);
    }
    if numbers.parsed == 0 && numbers.rejected() > 0 {
        let reasons = numbers.rejected.iter().filter(|(_, amount)| **amount > 0);
        let reasons: Vec<String> = reasons
            .map(|(reason, amount)| format!("{} {}", words(reason), count(*amount)))
            .collect();
        return (
            "Lines arrive, but none is HAProxy traffic".into(),
            vec![
                format!(
                    "{} rejected: {}.",
                    count(numbers.rejected()),
                    reasons.join(", ")
                ),
                "Check that the frontends in haproxy.cfg have option httplog or tcplog, and that \
                 rsyslog forwards HAProxy's facility only. 3 shows the lines."
                    .into(),
            ],
        );
    }
    let mut rest = vec!["The first services appear when their first window closes.".to_owned()];
    if numbers.skipped > 0 {
        let files = pipeline
            .rules
            .as_ref()
            .map_or(&[][..], |rules| &rules.files);
        let files: Vec<&str> = files.iter().map(|file| &**file).collect();
        rest.push(format!(
            "{} of {} events were wanted by no rule. The rules in use: {}.",
            count(numbers.skipped),
            count(numbers.parsed),
            files.join(", ")
        ));
    }
    ("Lines are coming in".into(), rest)
}
