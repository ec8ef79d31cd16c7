//! The header: where weir is and whether it is heard, the pipeline's numbers, what is wrong.

use super::Look;
use super::row::{Piece, plain, row, span, text_row};
use super::style::{FAINT, NAME, NOTICE, PLAIN, STRONG, severity};
use crate::top::alarms::Alarm;
use crate::top::format::{age, bytes, clock, count, number};
use crate::top::model::{Column, Link, Model};
use crate::top::wire::{Pipeline, Severity, Sink};
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

pub fn lines(model: &Model, alarms: &[Alarm], look: &Look, area: Rect) -> Vec<Line<'static>> {
    let columns = usize::from(area.width);
    // Where there is one line alone, it tells of trouble rather than where weir is.
    let first = match (area.height, lost(model, look)) {
        (1, Some(told)) => told_row(&told, status(model, look), columns),
        _ => whereabouts(model, look, columns),
    };
    vec![
        first,
        numbers(model, alarms, columns),
        verdict(model, alarms, look, columns),
    ]
}

fn whereabouts(model: &Model, look: &Look, columns: usize) -> Line<'static> {
    let mut pieces = vec![
        Piece::of(4, "weir top", NAME),
        Piece::of(3, model.source.to_string(), PLAIN),
    ];
    if let Some(pipeline) = &model.seen().pipeline {
        if &*pipeline.mode != "serve" {
            pieces.push(Piece::of(2, pipeline.mode.to_string(), PLAIN));
        }
        let up = model.seen_at() - pipeline.numbers.started;
        pieces.push(Piece::of(1, format!("up {}", age(up)), FAINT));
    }
    row(pieces, status(model, look), columns)
}

/// Whether what is seen is of now.
pub fn status(model: &Model, look: &Look) -> Vec<Span<'static>> {
    let now = model.server_now();
    let mut spans = Vec::new();
    match &model.link {
        Link::Lost { since, .. } => {
            let age = age(now - model.by_server(*since));
            let style = severity(Severity::Bad).add_modifier(Modifier::REVERSED);
            spans.push(span(format!(" LOST {age} ago "), style));
        }
        Link::Live if model.heard_at().is_none() => spans.push(span("waiting", FAINT)),
        Link::Live if model.pause.is_none() => {
            spans.push(span("live ", severity(Severity::Ok)));
            spans.push(plain(clock(now, &look.zone)));
        }
        Link::Live => {}
    }
    if let Some(pause) = model.pause {
        let (at, age) = (clock(pause.at, &look.zone), age(now - pause.at));
        spans.push(span(format!(" PAUSED since {at} ({age}) "), NOTICE));
    }
    spans
}

/// The pipeline's numbers.
fn numbers(model: &Model, alarms: &[Alarm], columns: usize) -> Line<'static> {
    let Some(pipeline) = &model.seen().pipeline else {
        return Line::default();
    };
    let number = |weight, field: &str, value: String, title: &str| {
        let alarm = alarms.iter().find(|alarm| alarm.field == field);
        // Old losses stay visible: counted since the start, they never heal by themselves.
        let lost = field == "lost" && pipeline.numbers.lost() > 0;
        let style = match alarm {
            Some(alarm) => severity(alarm.severity),
            None if lost => severity(Severity::Warn),
            None => STRONG,
        };
        Piece::new(
            weight,
            vec![span(value, style), span(format!(" {title}"), FAINT)],
        )
    };
    let mut pieces = match pipeline.has_lines() {
        true => lines_numbers(pipeline, number),
        false => store_numbers(pipeline, number),
    };
    pieces.extend(sinks(pipeline, alarms));
    row(pieces, Vec::new(), columns)
}

fn lines_numbers(
    pipeline: &Pipeline,
    piece: impl Fn(u8, &str, String, &str) -> Piece,
) -> Vec<Piece> {
    let numbers = &pipeline.numbers;
    let per_second = match numbers.lines_per_second {
        lines @ ..100 => number(Some(lines as f64)),
        lines => count(lines),
    };
    vec![
        piece(8, "lines", per_second, "lines/s"),
        piece(1, "received", count(numbers.received), "received"),
        piece(4, "parsed", count(numbers.parsed), "parsed"),
        piece(7, "rejected", count(numbers.rejected()), "rejected"),
        piece(3, "late", count(numbers.late), "late"),
        piece(6, "lost", count(numbers.lost()), "lost"),
        piece(2, "queue", count(numbers.queue()), "queued"),
    ]
}

fn store_numbers(
    pipeline: &Pipeline,
    piece: impl Fn(u8, &str, String, &str) -> Piece,
) -> Vec<Piece> {
    let store = pipeline.numbers.store.clone().unwrap_or_default();
    vec![
        piece(8, "accepted", count(store.accepted), "accepted"),
        piece(7, "refused", count(store.refused), "refused"),
        piece(6, "series", count(store.series), "series"),
        piece(5, "points", count(store.points), "points"),
        piece(4, "bytes", bytes(store.bytes), "on disk"),
    ]
}

/// How the sinks are: the worst of them.
fn sinks(pipeline: &Pipeline, alarms: &[Alarm]) -> Option<Piece> {
    let sinks = &pipeline.numbers.sinks;
    let is = |state: &'static str| move |sink: &&Sink| &*sink.state == state;
    let worst = sinks
        .iter()
        .find(is("retrying"))
        .or_else(|| sinks.iter().find(is("waiting")))
        .or_else(|| sinks.first())?;
    let alarm = alarms.iter().find(|alarm| alarm.field == "sinks");
    let alike = sinks.iter().all(|sink| sink.state == worst.state);
    let who = match alarm.is_none() && sinks.len() > 1 && alike {
        true => format!("{} sinks ", sinks.len()),
        false => format!("sink {} ", worst.name),
    };
    let style = alarm.map_or(STRONG, |alarm| severity(alarm.severity));
    let state = span(worst.state.to_string(), style);
    Some(Piece::new(5, vec![span(who, FAINT), state]))
}

/// What is wrong, in short, and how many services are.
fn verdict(model: &Model, alarms: &[Alarm], look: &Look, columns: usize) -> Line<'static> {
    if let Some(told) = lost(model, look) {
        // How services were when there was a connection can wait.
        return told_row(&told, Vec::new(), columns);
    }
    let Some(pipeline) = &model.seen().pipeline else {
        return row(Vec::new(), summary(model), columns);
    };
    let waiting = pipeline.has_lines() && pipeline.numbers.received == 0;
    let (is, text) = match alarms {
        [] if waiting => (None, "no line yet".to_owned()),
        [] if pipeline.has_lines() => (Some(Severity::Ok), "pipeline ok".to_owned()),
        [] => (Some(Severity::Ok), "receiver ok".to_owned()),
        [alarm] => (Some(alarm.severity), alarm.short.clone()),
        [alarm, more @ ..] => {
            let text = format!("{} +{}", alarm.short, more.len());
            (Some(alarm.severity), text)
        }
    };
    match is {
        None | Some(Severity::Ok) => {
            let style = is.map_or(FAINT, severity);
            text_row(Vec::new(), &text, style, summary(model), columns)
        }
        Some(is) => told_row(&(is, text), summary(model), columns),
    }
}

type Told = (Severity, String);

fn told_row((is, text): &Told, right: Vec<Span<'static>>, columns: usize) -> Line<'static> {
    let style = severity(*is);
    let word = span(format!("{}: ", is.as_str()), style);
    text_row(vec![word], text, style, right, columns)
}

/// That the connection is lost: since when, why, and when it is tried again.
fn lost(model: &Model, look: &Look) -> Option<Told> {
    let Link::Lost { since, why, .. } = &model.link else {
        return None;
    };
    let since = clock(model.by_server(*since), &look.zone);
    let again = match model.retry_in() {
        Some(seconds @ 1..) => format!("again in {}", age(seconds)),
        _ => "trying again".to_owned(),
    };
    Some((
        Severity::Bad,
        format!("no connection since {since}, {again}: {why}"),
    ))
}

/// How many services are how, or how many are left by the filter.
fn summary(model: &Model) -> Vec<Span<'static>> {
    let services = &model.seen().services.services;
    if !model.seen().listed {
        return Vec::new();
    }
    if !model.list.filter.trim().is_empty() {
        let (shown, all) = (model.list.order().len(), services.len());
        return vec![span(
            format!("{shown} of {all} match {}", model.list.filter.trim()),
            STRONG,
        )];
    }
    let what = match services.len() {
        1 => "1 service".to_owned(),
        all => format!("{all} services"),
    };
    let by = match model.list.sort {
        Column::Trouble if model.list.reversed => ", the worst last",
        Column::Trouble => "",
        Column::Service => " by name",
        Column::Rate => " by rate",
        Column::P50 => " by p50",
        Column::P95 => " by p95",
        Column::P99 => " by p99",
        Column::Errors => " by errors",
    };
    let mut spans = vec![span(format!("{what}{by}"), FAINT)];
    let mut more = |amount: usize, word: &str, style: Style| {
        if amount > 0 {
            let sign = if spans.len() > 1 { ", " } else { ": " };
            spans.push(span(sign, FAINT));
            spans.push(span(format!("{amount} {word}"), style));
        }
    };
    for is in [Severity::Bad, Severity::Warn, Severity::Ok] {
        let amount = services.iter().filter(|service| service.severity == is);
        more(amount.count(), is.as_str(), severity(is));
    }
    let due = model.due();
    let silent = services.iter().filter(|s| s.silence(due).is_some());
    more(silent.count(), "silent", severity(Severity::Warn));
    spans
}
