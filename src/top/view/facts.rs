//! Sections of names and values, one below the other or side by side.

use super::row::{plain, span, spans_width};
use super::style::{FAINT, HEADING, STRONG};
use crate::top::text::{self, fit, right, width};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Blanks between two sections side by side.
const APART: usize = 2;
/// The least columns of a section that has a neighbour.
const BESIDE_MIN: usize = 36;

/// One name with its value, and a note where there is room.
pub struct Fact {
    pub name: String,
    pub value: String,
    pub note: &'static str,
    pub style: Style,
}

impl Fact {
    pub fn new(name: impl Into<String>, value: impl Into<String>, note: &'static str) -> Fact {
        Fact {
            name: name.into(),
            value: value.into(),
            note,
            style: STRONG,
        }
    }
}

pub struct Section {
    pub title: &'static str,
    /// Its values are counts, to be compared by their digits' places.
    pub counts: bool,
    pub facts: Vec<Fact>,
}

impl Section {
    /// In so many columns: values are below one another, at the right of the longest name.
    fn lines(&self, columns: usize) -> Vec<Line<'static>> {
        let longest = |text: fn(&Fact) -> &str| {
            let widths = self.facts.iter().map(|fact| width(text(fact)));
            widths.max().unwrap_or(0)
        };
        let names = longest(|fact| &fact.name).min(columns / 2);
        let values = longest(|fact| &fact.value).min(columns.saturating_sub(names + 3));
        let mut lines = vec![Line::from(vec![plain(" "), span(self.title, HEADING)])];
        lines.extend(self.facts.iter().map(|fact| {
            let name = fit(&fact.name, names);
            let name = format!(" {name}{}  ", " ".repeat(names - width(&name)));
            let value = match self.counts {
                true => right(&fact.value, values),
                false => fit(&fact.value, columns.saturating_sub(names + 3)),
            };
            let mut spans = vec![span(name, FAINT), span(value, fact.style)];
            if !fact.note.is_empty() && spans_width(&spans) + 2 + width(fact.note) <= columns {
                spans.push(span(format!("  {}", fact.note), FAINT));
            }
            Line::from(spans)
        }));
        lines
    }
}

/// Two sections, side by side where there is room.
pub fn pair(one: &Section, other: &Section, columns: usize) -> Vec<Line<'static>> {
    let half = columns.saturating_sub(APART) / 2;
    if half < BESIDE_MIN {
        let mut lines = one.lines(columns);
        lines.push(Line::default());
        lines.extend(other.lines(columns));
        return lines;
    }
    let left = one.lines(half);
    let right = other.lines(half);
    let count = left.len().max(right.len());
    let mut right = right.into_iter();
    let mut left = left.into_iter();
    let beside = |_| {
        let mut spans: Vec<Span<'static>> = left.next().unwrap_or_default().spans;
        let blanks = (half + APART).saturating_sub(spans_width(&spans));
        spans.push(plain(" ".repeat(blanks)));
        spans.extend(right.next().unwrap_or_default().spans);
        Line::from(spans)
    };
    (0..count).map(beside).collect()
}

/// A table: a line of headings, and a line for each row. Columns are as wide as their widest
/// cell; where that is too much, the widest give way.
pub fn table(
    title: &'static str,
    headings: &[&'static str],
    rows: &[(Vec<String>, Style)],
    columns: usize,
) -> Vec<Line<'static>> {
    let mut widths: Vec<usize> = headings.iter().map(|heading| width(heading)).collect();
    for (cells, _) in rows {
        for (widest, cell) in widths.iter_mut().zip(cells) {
            *widest = (*widest).max(width(cell));
        }
    }
    let last = widths.len().saturating_sub(1);
    // A blank before the first, two between any.
    let gaps = 2 * last + 1;
    while widths.iter().sum::<usize>() + gaps > columns {
        let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > 6) else {
            break;
        };
        *widest -= 1;
    }
    let line = |cells: &[String], style: Style| {
        let cells = cells.iter().zip(&widths).enumerate();
        let text = cells.map(|(n, (cell, room))| {
            let is_number = cell.starts_with(|c: char| c.is_ascii_digit()) && !cell.contains(':');
            let cell = match is_number {
                true => right(cell, *room),
                false => text::left(cell, *room),
            };
            if n < last { format!("{cell}  ") } else { cell }
        });
        Line::from(span(format!(" {}", text.collect::<String>()), style))
    };
    let names: Vec<String> = headings.iter().map(|heading| (*heading).into()).collect();
    let mut lines = vec![
        Line::from(vec![plain(" "), span(title, HEADING)]),
        line(&names, FAINT),
    ];
    lines.extend(rows.iter().map(|(cells, style)| line(cells, *style)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::view::style::PLAIN;

    fn text(lines: &[Line<'_>]) -> Vec<String> {
        let lines = lines.iter().map(ToString::to_string);
        lines.map(|line| line.trim_end().to_owned()).collect()
    }

    #[test]
    fn sections_stand_side_by_side_where_there_is_room() {
        let one = Section {
            title: "Lines",
            counts: true,
            facts: vec![
                Fact::new("received", "1 234", "of which"),
                Fact::new("queued", "7", "not parsed yet"),
            ],
        };
        let other = Section {
            title: "Store",
            counts: false,
            facts: vec![Fact::new("file", "/var/lib/weir/store", "")],
        };
        insta::assert_snapshot!(text(&pair(&one, &other, 80)).join("\n"), @r"
        Lines                                    Store
        received  1 234  of which                file  /var/lib/weir/store
        queued        7  not parsed yet
        ");
        insta::assert_snapshot!(text(&pair(&one, &other, 24)).join("\n"), @r"
         Lines
         received  1 234
         queued        7

         Store
         file  /var/lib/weir/st…
        ");
    }

    #[test]
    fn the_widest_cells_of_a_table_give_way() {
        let rows = [
            (
                vec![
                    "librato".into(),
                    "12".into(),
                    "http://metrics.internal:8420".into(),
                ],
                PLAIN,
            ),
            (vec!["store".into(), "1 234".into(), "-".into()], PLAIN),
        ];
        insta::assert_snapshot!(text(&table("Sinks", &["sink", "sent", "target"], &rows, 36)).join("\n"), @r"
         Sinks
         sink     sent   target
         librato     12  http://metrics.int…
         store    1 234  -
        ");
    }
}
