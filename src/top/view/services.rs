//! The list of services: a line with the columns' names, and a row each.

use super::plot::{Merge, spark};
use super::row::{plain, span};
use super::style::{BAR, FAINT, PLAIN, SELECTED, SPARK, STRONG, severity};
use super::{Place, empty, put};
use crate::top::format::{age, duration, rate, ratio};
use crate::top::layout::Layout;
use crate::top::model::{Column, Model};
use crate::top::text::{fit_middle, left, right, width};
use crate::top::wire::{Service, Severity};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

const STATE: usize = 5;
const RATE: usize = 8;
const LATENCY: usize = 6;
const ERRORS: usize = 7;
/// Of a name: what it has at least, before other columns get anything.
const NAME_MIN: usize = 8;
const NAME_SOME: usize = 16;
const NAME_MAX: usize = 40;
const SPARK_MIN: usize = 7;
const SPARK_MAX: usize = 30;
const WHY_MIN: usize = 14;
const WHY_SOME: usize = 20;
/// The least upper end of the errors' small line: 5 %, which is bad.
const ERRORS_SCALE: f64 = 0.05;

/// Columns that each part has; 0 for what there is no room for. Between two is a blank, and
/// two are before the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Widths {
    name: usize,
    rate: usize,
    rate_spark: usize,
    p50: usize,
    p95: usize,
    p99: usize,
    p95_spark: usize,
    errors: usize,
    errors_spark: usize,
    why: usize,
}

impl Widths {
    /// Shares out so many columns: first what tells most, and then, to what there is, more
    /// room. `longest` is that of all names, so that nothing moves while rows come and go.
    fn of(columns: usize, longest: usize) -> Widths {
        let longest = longest.clamp(NAME_MIN, NAME_MAX);
        let mut widths = Widths::default();
        let mut free = columns.saturating_sub(STATE + 1);
        widths.name = longest.min(NAME_SOME).min(free);
        free -= widths.name;
        let wanted: [(&mut usize, usize); 9] = [
            (&mut widths.rate, RATE),
            (&mut widths.errors, ERRORS),
            (&mut widths.p95, LATENCY),
            (&mut widths.why, WHY_MIN + 1),
            (&mut widths.p99, LATENCY),
            (&mut widths.p50, LATENCY),
            (&mut widths.rate_spark, SPARK_MIN),
            (&mut widths.p95_spark, SPARK_MIN),
            (&mut widths.errors_spark, SPARK_MIN),
        ];
        for (width, wanted) in wanted {
            // What tells less does not take the room of what tells more.
            if wanted + 1 > free {
                break;
            }
            *width = wanted;
            free -= wanted + 1;
        }
        widths.why = widths.why.saturating_sub(1);
        if widths.why == 0 {
            widths.name += free;
            return widths;
        }
        let more = |width: &mut usize, most: usize, free: &mut usize| {
            let more = most.saturating_sub(*width).min(*free);
            *width += more;
            *free -= more;
        };
        more(&mut widths.name, longest, &mut free);
        more(&mut widths.why, WHY_SOME, &mut free);
        let sparks = [
            &mut widths.rate_spark,
            &mut widths.p95_spark,
            &mut widths.errors_spark,
        ];
        let sparks: Vec<&mut usize> = sparks.into_iter().filter(|width| **width > 0).collect();
        let each = free / 2 / sparks.len().max(1);
        for width in sparks {
            more(width, (*width + each).min(SPARK_MAX), &mut free);
        }
        widths.why += free;
        widths
    }
}

pub fn draw(model: &Model, area: Rect, screen: &mut Buffer) {
    let services = &model.seen().services;
    let columns = usize::from(area.width);
    let order = model.list.order();
    if order.is_empty() {
        put(&empty::lines(model, columns), 0, area, screen);
        return;
    }
    let all = &services.services;
    let rules = all.iter().any(|service| service.rule != all[0].rule);
    let longest = all.iter().map(|service| width(&name(service, rules)));
    let widths = Widths::of(columns, longest.max().unwrap_or(0));
    let line = |y: u16| Rect {
        y,
        height: 1,
        ..area
    };
    if area.height > 0 {
        let heading = heading(model, services.spark_range, widths);
        put(&[heading], 0, line(area.y), screen);
        screen.set_style(line(area.y), BAR);
    }
    let due = model.due();
    let selected = model.list.row();
    let rows = order.iter().enumerate().skip(model.list.offset());
    for (y, (row, place)) in (area.top() + 1..area.bottom()).zip(rows) {
        let service = &all[*place];
        if Some(row) == selected {
            screen.set_style(line(y), SELECTED);
        }
        let row = row_of(service, rules, due, widths, Some(row) == selected);
        put(&[row], 0, line(y), screen);
    }
}

/// Of all rows, those that are seen, where that is not all of them.
pub fn place(model: &Model, layout: Layout) -> Option<Place> {
    let (from, all) = (model.list.offset(), model.list.order().len());
    (all > layout.rows()).then(|| (from, from + layout.rows(), all))
}

fn heading(model: &Model, spark_range: i64, widths: Widths) -> Line<'static> {
    let list = &model.list;
    let title = |column: Column, title: &str, room: usize| {
        let sorted = column == list.sort && column != Column::Trouble;
        // Names begin with the first letter, numbers with the highest.
        let down = list.reversed == (column == Column::Service);
        match (sorted, down) {
            (false, _) => title.to_owned(),
            // A mark that would push the title out takes its last letter's place.
            (true, down) => {
                let mark = if down { '▼' } else { '▲' };
                format!("{}{mark}", title.get(..room - 1).unwrap_or(title))
            }
        }
    };
    let range = age(spark_range);
    let mut spans = vec![plain(left("State", STATE)), plain(" ")];
    spans.push(plain(left(
        &title(Column::Service, "Service", widths.name),
        widths.name,
    )));
    let number = |spans: &mut Vec<Span<'static>>, text: String, room: usize| {
        if room > 0 {
            spans.push(plain(format!(" {}", right(&text, room))));
        }
    };
    let small = |spans: &mut Vec<Span<'static>>, room: usize| {
        if room > 0 {
            spans.push(plain(format!(" {}", left(&range, room))));
        }
    };
    number(
        &mut spans,
        title(Column::Rate, "Rate", widths.rate),
        widths.rate,
    );
    small(&mut spans, widths.rate_spark);
    number(
        &mut spans,
        title(Column::P50, "p50", widths.p50),
        widths.p50,
    );
    number(
        &mut spans,
        title(Column::P95, "p95", widths.p95),
        widths.p95,
    );
    small(&mut spans, widths.p95_spark);
    number(
        &mut spans,
        title(Column::P99, "p99", widths.p99),
        widths.p99,
    );
    number(
        &mut spans,
        title(Column::Errors, "Errors", widths.errors),
        widths.errors,
    );
    small(&mut spans, widths.errors_spark);
    if widths.why > 0 {
        spans.push(plain(format!("  {}", left("Why", widths.why))));
    }
    Line::from(spans)
}

fn row_of(
    service: &Service,
    rules: bool,
    due: i64,
    widths: Widths,
    selected: bool,
) -> Line<'static> {
    let silence = service.silence(due);
    let culprit = service.culprit();
    let own = severity(service.severity);
    // Numbers of a service that fell silent are of the past.
    let aged = |style: Style| match silence {
        Some(_) => style.patch(FAINT),
        None => style,
    };
    let state = span(left(service.severity.as_str(), STATE), own);
    let mut spans = vec![state, plain(" ")];
    spans.extend(name_spans(service, rules, widths.name));
    let number = |spans: &mut Vec<Span<'static>>, measure: &str, text: String, room: usize| {
        if room > 0 {
            let style = match culprit == Some(measure) {
                true => own.add_modifier(Modifier::UNDERLINED),
                false => PLAIN,
            };
            // The blanks before it are not marked.
            let blanks = room.saturating_sub(width(&text));
            spans.push(plain(" ".repeat(1 + blanks)));
            spans.push(span(right(&text, room - blanks), aged(style)));
        }
    };
    let mut sparks = Vec::new();
    let mut small = |spans: &mut Vec<Span<'static>>, values, room: usize, merge, least| {
        if room > 0 {
            spans.push(plain(" "));
            sparks.push(spans.len());
            spans.push(span(spark(values, room, merge, least), aged(SPARK)));
        }
    };
    let line = &service.spark;
    number(&mut spans, "rate", rate(service.rate), widths.rate);
    small(&mut spans, &line.rate, widths.rate_spark, Merge::Mean, 0.0);
    number(&mut spans, "p50", duration(service.p50), widths.p50);
    number(&mut spans, "p95", duration(service.p95), widths.p95);
    small(&mut spans, &line.p95, widths.p95_spark, Merge::Highest, 0.0);
    number(&mut spans, "p99", duration(service.p99), widths.p99);
    number(&mut spans, "errors", ratio(service.errors), widths.errors);
    small(
        &mut spans,
        &line.errors,
        widths.errors_spark,
        Merge::Highest,
        ERRORS_SCALE,
    );
    if widths.why > 0 {
        let style = match (silence, service.severity) {
            (Some(_), Severity::Ok) => severity(Severity::Warn),
            _ => own,
        };
        let why = left(&reason(service, due), widths.why);
        spans.push(span(format!("  {why}"), style));
    }
    for (n, span) in spans.iter_mut().enumerate() {
        // A small line that is turned over would show what is not there.
        span.style = match (selected, sparks.contains(&n)) {
            (true, true) => span.style.remove_modifier(SELECTED.add_modifier),
            (true, false) => span.style.patch(SELECTED),
            (false, _) => span.style,
        };
    }
    Line::from(spans)
}

/// Why a service is in trouble; that it is silent comes first, where room may end.
pub fn reason(service: &Service, due: i64) -> String {
    let silent = service.silence(due);
    let silent = silent.map(|seconds| format!("no data for {}", age(seconds)));
    let why = Some(service.why.to_string()).filter(|why| !why.is_empty());
    let reasons: Vec<String> = silent.into_iter().chain(why).collect();
    reasons.join("; ")
}

/// With the rule where there are several.
fn name(service: &Service, rules: bool) -> String {
    match rules {
        true => format!("{} {}", service.service.shown, service.rule.shown),
        false => service.service.shown.to_string(),
    }
}

fn name_spans(service: &Service, rules: bool, room: usize) -> [Span<'static>; 2] {
    let name = name(service, rules);
    let own = &*service.service.shown;
    if rules && width(&name) <= room {
        let rule = left(&format!(" {}", service.rule.shown), room - width(own));
        return [span(own.to_owned(), STRONG), span(rule, FAINT)];
    }
    let name = left(&fit_middle(&name, room), room);
    [span(name, STRONG), plain("")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(widths: Widths) -> usize {
        let columns = [
            widths.name,
            widths.rate,
            widths.rate_spark,
            widths.p50,
            widths.p95,
            widths.p95_spark,
            widths.p99,
            widths.errors,
            widths.errors_spark,
        ];
        let columns: usize = columns.iter().filter(|w| **w > 0).map(|w| w + 1).sum();
        STATE + columns + if widths.why > 0 { widths.why + 2 } else { 0 }
    }

    #[test]
    fn no_width_is_exceeded_and_what_tells_most_stays_longest() {
        for longest in [0, 5, 12, 16, 24, 99] {
            for columns in 6..300 {
                let widths = Widths::of(columns, longest);
                assert!(total(widths) <= columns, "{columns} {longest}: {widths:?}");
                let by_weight = [
                    widths.rate,
                    widths.errors,
                    widths.p95,
                    widths.why,
                    widths.p99,
                    widths.p50,
                    widths.rate_spark,
                    widths.p95_spark,
                    widths.errors_spark,
                ];
                let shown = by_weight.iter().take_while(|width| **width > 0).count();
                assert!(by_weight[shown..].iter().all(|width| *width == 0));
            }
        }
    }

    #[test]
    fn eighty_columns_are_enough_for_all_of_a_service() {
        let widths = Widths::of(80, 12);
        assert_eq!(total(widths), 80);
        assert!(widths.rate_spark >= SPARK_MIN && widths.why >= WHY_MIN);
        assert_eq!(widths.p95_spark, 0);
        let wide = Widths::of(120, 12);
        assert_eq!(total(wide), 120);
        assert!(wide.errors_spark >= SPARK_MIN);
    }
}
