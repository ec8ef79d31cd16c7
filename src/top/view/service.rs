//! One service: how it is now, its measures over time, and what happened meanwhile.

use super::Look;
use super::plot::{Merge, bars, dots, over, top};
use super::row::{Piece, plain, row, span, spans_width};
use super::services::reason;
use super::style::{FAINT, HEADING, LINES, NAME, PLAIN, SPARK, STRONG, mark, severity};
use crate::top::format::{self, day_and_clock, duration, number, offset, rate, ratio};
use crate::top::model::{Charted, Detail, Model, RANGES, Target};
use crate::top::text::{fit, left, right, width, wrap};
use crate::top::wire::{Charts, Mark, MarkKind, Service, Severity};
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;

/// Seconds that are shown at least, where there is less.
const SHOWN_MIN: i64 = 120;
/// Columns of the scale's values.
const SCALE: usize = 8;
/// Lines of one chart, without its title.
const ROWS_MIN: usize = 3;
const ROWS_MAX: usize = 12;
/// Lines for marks that charts leave free, where there is room.
const MARKS_SOME: usize = 5;
/// Marks that are listed.
const MARKS_MAX: usize = 100;

type Format = fn(Option<f64>) -> String;

/// One chart: its measures share a scale.
struct Chart {
    title: String,
    measures: Vec<String>,
    format: Format,
    /// The least upper end of its scale.
    least: f64,
}

/// The charts that every service has, as far as there are such measures, in their order.
const KNOWN: [(&str, &[&str], Format, f64); 3] = [
    ("Rate", &["rate"], rate, 0.1),
    ("Latency", &["p50", "p95", "p99"], duration, 1.0),
    ("Error ratio", &["errors"], ratio, 0.05),
];

/// The lines of the view, as tall as its charts are made for this area.
pub fn lines(model: &Model, look: &Look, area: Rect) -> Vec<Line<'static>> {
    let columns = usize::from(area.width);
    let Some(target) = &model.target else {
        return vec![
            Line::default(),
            Line::from(span(" No service has been chosen yet: 1 lists them", FAINT)),
        ];
    };
    let mut lines = vec![head(model, target, columns)];
    lines.extend(model.service().map(|service| now(service, columns)));
    let charted = model.charts().filter(|charted| {
        charted.ask.service == target.service.id && charted.ask.rule == target.rule.id
    });
    let said = |text: &str, style| {
        let wrapped = wrap(text, columns.saturating_sub(2), 0).into_iter();
        let line = move |line| Line::from(vec![plain(" "), span(line, style)]);
        wrapped.map(line).collect::<Vec<_>>()
    };
    match charted.map(|charted| (charted, charted.detail())) {
        None | Some((_, Detail::Loading)) => lines.extend(said("loading…", FAINT)),
        Some((_, Detail::Failed(why))) => lines.extend(said(
            &format!("No charts: {why}. Trying again."),
            severity(Severity::Warn),
        )),
        Some((charted, Detail::Here(charts))) => {
            let span = Shown::of(charted, charts);
            lines.push(range_line(model, charts, &span, look, columns));
            let rows = rows(charts, usize::from(area.height), lines.len());
            for chart in charts_of(charts) {
                lines.extend(chart.lines(charts, &span, columns, rows));
            }
            lines.extend(marks_line(charts, &span, columns));
            lines.push(axis(&span, look, columns));
            lines.extend(marks(charts, look, columns));
        }
    }
    lines
}

/// The span that is drawn: what is younger than what was asked for fills the width all the
/// same.
struct Shown {
    from: i64,
    to: i64,
    /// When the first data is of, where that is later than what was asked for.
    since: Option<i64>,
}

impl Shown {
    fn of(charted: &Charted, charts: &Charts) -> Shown {
        let (from, to) = (charted.ask.from, charted.ask.to);
        let has_any = |n: usize| {
            let mut series = charts.series.values();
            series.any(|values| values.get(n).is_some_and(Option::is_some))
        };
        let first = (0..charts.times.len()).find(|n| has_any(*n));
        let first = first.map(|n| charts.times[n]);
        let begin = first.map_or(from, |first| from.max(first.min(to - SHOWN_MIN)));
        Shown {
            from: begin,
            to,
            since: first.filter(|_| begin > from),
        }
    }
}

fn head(model: &Model, target: &Target, columns: usize) -> Line<'static> {
    let rule = span(format!("  rule {}", target.rule.shown), FAINT);
    let name = fit(&target.service.shown, columns.saturating_sub(2));
    let name = Piece::new(2, vec![span(name, NAME), rule]);
    let is = match model.service() {
        Some(service) => {
            let style = severity(service.severity);
            let reason = reason(service, model.due());
            let says = match reason.is_empty() {
                true => service.severity.as_str().to_owned(),
                false => format!("{}: {reason}", service.severity.as_str()),
            };
            let room = columns.saturating_sub(spans_width(&name.spans) + 4);
            let says = match room {
                // Better the name without its rule than no word of trouble.
                ..12 => fit(&says, columns.saturating_sub(4) / 2),
                room => fit(&says, room),
            };
            Piece::of(1, says, style)
        }
        None => Piece::of(1, "not in the list", FAINT),
    };
    row(vec![name, is], Vec::new(), columns)
}

/// The newest window's values.
fn now(service: &Service, columns: usize) -> Line<'static> {
    let culprit = service.culprit();
    let values = [
        (5, "rate", rate(service.rate)),
        (1, "p50", duration(service.p50)),
        (3, "p95", duration(service.p95)),
        (2, "p99", duration(service.p99)),
        (4, "errors", ratio(service.errors)),
    ];
    let piece = |(weight, measure, value): (u8, &str, String)| {
        let style = match culprit == Some(measure) {
            true => severity(service.severity).add_modifier(Modifier::UNDERLINED),
            false => STRONG,
        };
        let name = span(format!("{measure} "), FAINT);
        // As wide as it may become, so that nothing moves.
        let blanks = " ".repeat(8usize.saturating_sub(width(&value)));
        Piece::new(weight, vec![name, span(value, style), plain(blanks)])
    };
    row(values.map(piece).into(), Vec::new(), columns)
}

fn range_line(
    model: &Model,
    charts: &Charts,
    shown: &Shown,
    look: &Look,
    columns: usize,
) -> Line<'static> {
    let ranges = RANGES.iter().enumerate().map(|(n, (name, _))| {
        let style = match n == model.range {
            true => Style::new().add_modifier(Modifier::REVERSED),
            false => FAINT,
        };
        span(format!(" {name} "), style)
    });
    let mut pieces = vec![Piece::new(3, ranges.collect())];
    if let Some(since) = shown.since {
        let since = day_and_clock(since, &look.zone);
        pieces.push(Piece::of(2, format!("data since {since}"), FAINT));
    }
    let step = format!("a point is {}", format::age(charts.step));
    pieces.push(Piece::of(1, step, FAINT));
    row(pieces, Vec::new(), columns)
}

/// Lines that each chart gets, where `used` are taken already.
fn rows(charts: &Charts, height: usize, used: usize) -> usize {
    let count = charts_of(charts).len().max(1);
    let marks = match charts.marks.len() {
        0 => 1,
        some => (some + 2).min(MARKS_SOME),
    };
    let free = height.saturating_sub(used + marks + 1);
    (free / count).saturating_sub(1).clamp(ROWS_MIN, ROWS_MAX)
}

/// A service's charts in their order; each shows those of its measures that there are.
fn charts_of(charts: &Charts) -> Vec<Chart> {
    let there = |measure: &&&str| charts.series.keys().any(|name| &**name == **measure);
    let mut found: Vec<Chart> = Vec::new();
    for (title, measures, format, least) in KNOWN {
        let measures: Vec<String> = measures.iter().filter(there).map(|m| (*m).into()).collect();
        if !measures.is_empty() {
            let title = title.into();
            found.push(Chart {
                title,
                measures,
                format,
                least,
            });
        }
    }
    let named = |name: &str| {
        KNOWN
            .iter()
            .any(|(_, measures, _, _)| measures.contains(&name))
    };
    let others = charts.series.keys().filter(|name| !named(name));
    found.extend(others.map(|name| Chart {
        title: name.to_string(),
        measures: vec![name.to_string()],
        format: number,
        least: 0.0,
    }));
    found
}

impl Chart {
    fn lines(
        &self,
        charts: &Charts,
        shown: &Shown,
        columns: usize,
        rows: usize,
    ) -> Vec<Line<'static>> {
        let room = columns.saturating_sub(SCALE + 2);
        let series: Vec<&Vec<Option<f64>>> = self
            .measures
            .iter()
            .filter_map(|measure| {
                let mut series = charts.series.iter();
                series
                    .find(|(name, _)| &***name == measure)
                    .map(|(_, values)| values)
            })
            .collect();
        let several = series.len() > 1;
        let merge = match &*self.title {
            "Rate" => Merge::Mean,
            _ => Merge::Highest,
        };
        let sampled = |values: &Vec<Option<f64>>, per_column: usize| {
            let (from, to) = (shown.from, shown.to);
            let columns = room * per_column;
            over(&charts.times, charts.step, values, from, to, columns, merge)
        };
        let per_column = if several { 2 } else { 1 };
        let sampled: Vec<_> = series.iter().map(|v| sampled(v, per_column)).collect();
        let highest = sampled
            .iter()
            .fold(self.least, |high, values| top(values, high));
        let plot = match several {
            // The lowest last, so that it is seen where they meet.
            true => {
                let styled = sampled.into_iter().zip(LINES).rev();
                dots(&styled.collect::<Vec<_>>(), room, rows, highest)
            }
            false => bars(
                sampled.first().map_or(&[], |values| values),
                rows,
                highest,
                SPARK,
            ),
        };
        let mut lines = vec![self.title_line(several, columns)];
        lines.extend(plot.into_iter().enumerate().map(|(n, plot)| {
            let value = match n {
                0 => (self.format)(Some(highest)),
                n if n + 1 == rows => (self.format)(Some(0.0)),
                _ => String::new(),
            };
            let scale = format!("{} ", right(&value, SCALE));
            let mut spans = vec![span(scale, FAINT)];
            spans.extend(plot.spans);
            Line::from(spans)
        }));
        lines
    }

    fn title_line(&self, several: bool, columns: usize) -> Line<'static> {
        let mut pieces = vec![Piece::of(2, self.title.clone(), HEADING)];
        if several {
            // Without colours it is the order that tells them apart.
            let legend = self.measures.iter().zip(LINES).rev();
            let mut spans = vec![span("from above: ", FAINT)];
            for (n, (measure, style)) in legend.enumerate() {
                if n > 0 {
                    spans.push(plain(", "));
                }
                spans.push(span(measure.clone(), style));
            }
            pieces.push(Piece::new(1, spans));
        }
        row(pieces, Vec::new(), columns)
    }
}

/// A line with a glyph where something happened; none where nothing did.
fn marks_line(charts: &Charts, shown: &Shown, columns: usize) -> Option<Line<'static>> {
    let room = columns.saturating_sub(SCALE + 2);
    let mut cells: Vec<Option<MarkKind>> = vec![None; room];
    for mark in &charts.marks {
        let place = (mark.time - shown.from) as f64 / (shown.to - shown.from).max(1) as f64;
        let column = (0.0..1.0)
            .contains(&place)
            .then_some((place * room as f64) as usize);
        let Some(cell) = column.and_then(|column| cells.get_mut(column)) else {
            continue;
        };
        *cell = match (*cell, mark.kind) {
            (Some(MarkKind::Bad), _) | (_, MarkKind::Bad) => Some(MarkKind::Bad),
            (Some(MarkKind::Ok), _) | (_, MarkKind::Ok) => Some(MarkKind::Ok),
            _ => Some(MarkKind::Info),
        };
    }
    cells.iter().any(Option::is_some).then(|| {
        let mut spans = vec![span(format!("{} ", right("marks", SCALE)), FAINT)];
        spans.extend(cells.into_iter().map(|kind| match kind {
            Some(kind) => {
                let (glyph, style) = mark(kind);
                span(glyph, style)
            }
            None => plain(" "),
        }));
        Line::from(spans)
    })
}

/// Times under the charts: the first, one in the middle, the last, and their zone.
fn axis(shown: &Shown, look: &Look, columns: usize) -> Line<'static> {
    let room = columns.saturating_sub(SCALE + 2);
    let clock = |time| format::clock(time, &look.zone);
    let middle = shown.from + (shown.to - shown.from) / 2;
    let times = [clock(shown.from), clock(middle), clock(shown.to)];
    let text = match room {
        30.. => {
            let half = room / 2;
            let first = left(&times[0], half.saturating_sub(4));
            let second = left(&times[1], room - width(&first) - 8);
            format!("{first}{second}{}", times[2])
        }
        18.. => format!("{}{}", left(&times[0], room - 8), times[2]),
        _ => String::new(),
    };
    let zone = right(&offset(shown.to, &look.zone), SCALE);
    Line::from(vec![span(format!("{zone} {text}"), FAINT)])
}

/// What happened, in words: the newest first.
fn marks(charts: &Charts, look: &Look, columns: usize) -> Vec<Line<'static>> {
    let all = charts.marks.len();
    if all == 0 {
        return Vec::new();
    }
    let title = match all {
        ..=MARKS_MAX => format!("Marks ({all})"),
        _ => format!("Marks (the newest {MARKS_MAX} of {all})"),
    };
    let mut lines = vec![Line::from(vec![plain(" "), span(title, HEADING)])];
    lines.extend(
        charts
            .marks
            .iter()
            .take(MARKS_MAX)
            .flat_map(|mark| mark_lines(mark, look, columns)),
    );
    lines
}

fn mark_lines(it: &Mark, look: &Look, columns: usize) -> Vec<Line<'static>> {
    let (glyph, style) = mark(it.kind);
    let end = match it.end {
        Some(end) => format!(" – {}", format::clock(end, &look.zone)),
        None => String::new(),
    };
    let when = format!(" {}{end} ", day_and_clock(it.time, &look.zone));
    let mut text = it.title.to_string();
    if let Some(source) = &it.source {
        text += &format!("  {source}");
    }
    // A message repeats itself as its title where that holds all of it.
    let description = it.description.as_ref().filter(|text| **text != it.title);
    if let Some(description) = description {
        text += &format!("  {description}");
    }
    let before = width(&when) + 2;
    let room = columns.saturating_sub(before + 1);
    let wrapped = wrap(&text, room, 0).into_iter();
    let lines = wrapped.enumerate().map(|(n, text)| match n {
        0 => Line::from(vec![
            span(when.clone(), FAINT),
            span(glyph, style),
            plain(" "),
            span(text, PLAIN),
        ]),
        _ => Line::from(vec![plain(" ".repeat(before)), span(text, PLAIN)]),
    });
    lines.collect::<Vec<_>>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_mark_is_seen_where_several_meet() {
        let mark = |time, kind| Mark {
            time,
            end: None,
            title: Default::default(),
            source: None,
            description: None,
            kind,
        };
        let charts = Charts {
            marks: vec![
                mark(0, MarkKind::Info),
                mark(100, MarkKind::Ok),
                mark(101, MarkKind::Bad),
                mark(101, MarkKind::Ok),
                mark(999, MarkKind::Ok),
                mark(1_000, MarkKind::Bad),
                mark(-1, MarkKind::Bad),
            ],
            ..Charts::default()
        };
        let shown = Shown {
            from: 0,
            to: 1_000,
            since: None,
        };
        let line = marks_line(&charts, &shown, SCALE + 2 + 10).unwrap();
        assert_eq!(line.to_string(), "   marks ◆▼       ▲");
        assert_eq!(marks_line(&charts, &shown, 0), None);
        assert_eq!(marks_line(&Charts::default(), &shown, 40), None);
    }
}
