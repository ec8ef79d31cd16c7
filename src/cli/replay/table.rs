//! A report for people: the whole log, a table for each rule.

use super::super::print::Shown;
use crate::replay::report::Report;
use crate::replay::{Column, Line, Outcome, Part, Table};
use crate::time::Timestamp;
use jiff::SignedDuration;
use std::fmt::{self, Write};

/// A table for each of the rules, then the report, if there is one.
pub fn table(
    outcome: &Outcome,
    rules: &[&Table],
    report: Option<&Report>,
) -> Result<String, fmt::Error> {
    let mut text = String::new();
    if outcome.interrupted {
        text.push_str("Interrupted: this is what was read until then.\n");
    }
    match (outcome.from, outcome.to) {
        (Some(from), Some(to)) => {
            let (start, end) = (shown(from), shown(to));
            let whole = SignedDuration::from_secs(to.as_secs() - from.as_secs());
            writeln!(
                text,
                "{start} to {end} ({whole:#}), all values over the whole log"
            )?;
        }
        _ => writeln!(text, "no events with a date")?,
    }
    for table in rules {
        writeln!(text, "\n{}", table.rule)?;
        rows(&mut text, table)?;
    }
    if let Some(report) = report {
        super::text_report::report(&mut text, report)?;
    }
    account(&mut text, outcome)?;
    samples(&mut text, outcome)?;
    Ok(text)
}

/// To the second.
pub(super) fn shown(time: Timestamp) -> String {
    let time = time.to_string();
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time,
    }
}

pub(super) fn rows(text: &mut String, table: &Table) -> fmt::Result {
    let tags = Names::of(table);
    let mut cells = vec![
        tags.iter()
            .map(str::to_owned)
            .chain(["events".to_owned()])
            .chain(table.columns.iter().map(|column| column.name.to_string()))
            .collect::<Vec<_>>(),
    ];
    for line in &table.lines {
        cells.push(row(table, &tags, line));
        cells.extend(
            line.parts
                .iter()
                .map(|part| part_row(table, &tags, line, part)),
        );
    }
    let width = |column: usize| {
        let widths = cells.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..cells[0].len()).map(width).collect();
    let left = tags.iter().count();
    for row in &cells {
        let mut shown = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            match column < left {
                true => write!(shown, "  {cell:<width$}")?,
                false => write!(shown, "  {cell:>width$}")?,
            }
        }
        writeln!(text, "{}", shown.trim_end_matches(' '))?;
    }
    Ok(())
}

/// The names of the columns of tags.
struct Names<'a> {
    /// In their order.
    groups: Vec<&'a str>,
    /// Those that only parts of groups have, in the order of the measures.
    parts: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn of(table: &'a Table) -> Self {
        let tags = table.lines.iter().flat_map(|line| &*line.tags);
        let mut groups: Vec<&str> = tags.map(|(name, _)| &**name).collect();
        groups.sort_unstable();
        groups.dedup();
        let mut parts = Vec::new();
        for name in table
            .columns
            .iter()
            .filter_map(|column| column.tag.as_deref())
        {
            if !parts.contains(&name) {
                parts.push(name);
            }
        }
        Names { groups, parts }
    }

    fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.groups.iter().chain(&self.parts).copied()
    }
}

fn row(table: &Table, names: &Names<'_>, line: &Line) -> Vec<String> {
    let parts = names.parts.iter().map(|_| String::new());
    let values = line.values.iter().zip(&table.columns);
    let values = values.map(|(value, column)| match value {
        Some(value) => shown_value(*value, column),
        // It is in the rows below.
        None if column.tag.is_some() => String::new(),
        None => "-".to_owned(),
    });
    group(names, line)
        .chain(parts)
        .chain([line.events.to_string()])
        .chain(values)
        .collect()
}

/// A row of a part has its own values alone: what is said of the group is in the row above.
fn part_row(table: &Table, names: &Names<'_>, line: &Line, part: &Part) -> Vec<String> {
    let (own, value) = &part.tag;
    let parts = names.parts.iter().map(|name| match **name == **own {
        true => Shown(value.as_bytes()).to_string(),
        false => String::new(),
    });
    let values = part.values.iter().zip(&table.columns);
    let values = values.map(|(value, column)| match value {
        Some(value) => shown_value(*value, column),
        None => String::new(),
    });
    group(names, line)
        .chain(parts)
        .chain([String::new()])
        .chain(values)
        .collect()
}

fn group(names: &Names<'_>, line: &Line) -> impl Iterator<Item = String> {
    names.groups.iter().map(|name| {
        let tag = line.tags.iter().find(|(tag, _)| **tag == **name);
        match tag {
            Some((_, value)) => Shown(value.as_bytes()).to_string(),
            None => "-".to_owned(),
        }
    })
}

fn shown_value(value: f64, column: &Column) -> String {
    match column.is_share {
        true => format!("{}%", number(value * 100.0)),
        false => number(value),
    }
}

/// Whole numbers whole, others with three digits that matter.
fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let magnitude = value.abs().log10().floor() as i32;
    match magnitude {
        -4..=14 => {
            let decimals = usize::try_from(2 - magnitude).unwrap_or(0);
            format!("{value:.decimals$}")
        }
        _ => format!("{value:.2e}"),
    }
}

/// What became of every line.
pub(super) fn account(text: &mut String, outcome: &Outcome) -> fmt::Result {
    let (lines, parsed) = (outcome.lines, outcome.parsed);
    write!(
        text,
        "\n{lines} lines: {parsed} parsed, {} rejected",
        outcome.rejected()
    )?;
    let reasons = outcome.reasons();
    let reasons: Vec<_> = reasons
        .map(|(reason, lines)| format!("{reason} {lines}"))
        .collect();
    if !reasons.is_empty() {
        write!(text, " ({})", reasons.join(", "))?;
    }
    write!(text, "\n{} counted", outcome.counted)?;
    for (lines, what) in [
        (outcome.skipped, "that no rule wants"),
        (outcome.notices, "messages of HAProxy's own"),
        (outcome.undated, "without a date"),
        (outcome.outside, "of other times"),
        (outcome.over_limit, "over the limit of series"),
        (
            outcome.too_late,
            "too late, their window closed for want of memory",
        ),
    ] {
        if lines > 0 {
            write!(text, ", {lines} {what}")?;
        }
    }
    if outcome.cut > 0 {
        write!(text, "\n{} longer than a line may be, and cut", outcome.cut)?;
    }
    text.push('\n');
    Ok(())
}

/// The first line of each reason for which lines were rejected.
fn samples(text: &mut String, outcome: &Outcome) -> fmt::Result {
    for (reason, line) in outcome.samples() {
        writeln!(text, "\nrejected as {reason}, for example: {}", line.why)?;
        let left_out = |bytes| if bytes > 0 { "..." } else { "" };
        let marked = match &line.stuck {
            // The mark stands where reading ended.
            Some(stuck) => {
                let stuck = match stuck.trim() {
                    "" => "end",
                    word => word,
                };
                format!("{} >>>{stuck}<<<{}", line.before.trim_end(), line.after)
            }
            None => line.before.clone(),
        };
        let (before, after) = (
            left_out(line.left_out_before),
            left_out(line.left_out_after),
        );
        writeln!(text, "  {before}{}{after}", marked.trim())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Tags;

    #[test]
    fn numbers_have_three_digits_that_matter() {
        for (value, expected) in [
            (0.0, "0"),
            (12.0, "12"),
            (123456.0, "123456"),
            (123456.7, "123457"),
            (123.4, "123"),
            (12.34, "12.3"),
            (0.012345, "0.0123"),
            (-0.5, "-0.500"),
            (0.00001234, "1.23e-5"),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn the_report_has_a_table_for_each_rule_and_accounts_for_every_line() {
        let tags = |service: &str| -> Tags { [("service".into(), service.into())].into() };
        let column = |name: &str, is_share| Column {
            name: name.into(),
            is_share,
            tag: None,
        };
        let line = |tags, events, values: &[Option<f64>]| Line {
            tags,
            events,
            values: values.to_vec(),
            parts: Vec::new(),
        };
        let outcome = Outcome {
            lines: 130,
            parsed: 127,
            rejected: [0, 1, 2, 0],
            counted: 125,
            notices: 2,
            from: Some(Timestamp::from_millis(1_767_268_800_100)),
            to: Some(Timestamp::from_millis(1_767_272_401_000)),
            whole: vec![Table {
                rule: "http".into(),
                columns: vec![
                    column("rate", false),
                    column("errors", true),
                    column("p95", false),
                ],
                lines: vec![
                    line(tags("web"), 120, &[Some(0.0333), Some(0.025), Some(31.0)]),
                    line(tags("a\u{1b}[2J"), 4, &[Some(0.0011), Some(0.0), None]),
                    line(Tags::default(), 1, &[Some(0.0003), Some(1.0), Some(7.0)]),
                ],
            }],
            ..Outcome::default()
        };
        insta::assert_snapshot!(table(&outcome, &outcome.whole.iter().collect::<Vec<_>>(), None).unwrap(), @r"
        2026-01-01T12:00:00Z to 2026-01-01T13:00:01Z (1h 1s), all values over the whole log

        http
          service     events      rate  errors  p95
          web            120    0.0333   2.50%   31
          a\u{1b}[2J       4   0.00110      0%    -
          -                1  0.000300    100%    7

        130 lines: 127 parsed, 3 rejected (not_traffic 1, malformed 2)
        125 counted, 2 messages of HAProxy's own
        ");
    }

    #[test]
    fn parts_stand_below_their_group_and_what_they_cannot_say_is_empty() {
        let tag = |name: &str, value: &str| (name.into(), value.into());
        let column = |name: &str, tag: Option<&str>| Column {
            name: name.into(),
            is_share: false,
            tag: tag.map(Into::into),
        };
        let part = |name, value, values: [Option<f64>; 4]| Part {
            tag: tag(name, value),
            values: values.into(),
        };
        let table = Table {
            rule: "heavy".into(),
            columns: vec![
                column("p95", None),
                column("worst", None),
                column("clients", Some("client_ip")),
                column("times", Some("le")),
            ],
            lines: vec![
                Line {
                    tags: [tag("service", "web")].into(),
                    events: 12,
                    values: vec![Some(31.0), None, None, None],
                    parts: vec![
                        part("client_ip", "10.0.0.9", [None, None, Some(7.0), None]),
                        part("client_ip", "10.0.0.1", [None, None, Some(5.0), None]),
                        part("le", "100", [None, None, None, Some(11.0)]),
                        part("le", "+Inf", [None, None, None, Some(12.0)]),
                    ],
                },
                Line {
                    tags: Tags::default(),
                    events: 1,
                    values: vec![None; 4],
                    parts: Vec::new(),
                },
            ],
        };
        let mut text = String::new();
        rows(&mut text, &table).unwrap();
        insta::assert_snapshot!(text, @r"
        service  client_ip  le    events  p95  worst  clients  times
        web                           12   31      -
        web      10.0.0.9                                   7
        web      10.0.0.1                                   5
        web                 100                                   11
        web                 +Inf                                  12
        -                              1    -      -
        ");
    }
}
