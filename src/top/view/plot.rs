//! Small lines and charts out of characters: values in, text out.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Eighths of a character's height, from the bottom.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// How values that fall into one column become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    Mean,
    /// A peak must not vanish because the screen is narrow.
    Highest,
}

/// One character for each of so many columns. `least` is the least upper end of the scale,
/// so that noise near zero stays near zero. A gap is a blank; a value of 0 is none.
pub fn spark(values: &[Option<f64>], columns: usize, merge: Merge, least: f64) -> String {
    let values = columns_of(values, columns, merge);
    let top = top(&values, least);
    let bar = |value: &Option<f64>| match value {
        None => ' ',
        Some(value) => BARS[eighths(*value, top, 8).max(1) - 1],
    };
    values.iter().map(bar).collect()
}

/// Filled columns: `rows` lines of one character for each value, the uppermost first.
pub fn bars(values: &[Option<f64>], rows: usize, top: f64, style: Style) -> Vec<Line<'static>> {
    let row = |row: usize| {
        let below = (rows - 1 - row) * 8;
        let bar = |value: &Option<f64>| {
            let Some(value) = value else { return ' ' };
            // A value is seen, be it 0: only a gap is empty.
            let height = eighths(*value, top, rows * 8).max(1);
            match height.saturating_sub(below) {
                0 => ' ',
                height => BARS[height.min(8) - 1],
            }
        };
        let text: String = values.iter().map(bar).collect();
        Line::from(Span::styled(text, style))
    };
    (0..rows).map(row).collect()
}

/// Lines of dots, two of them to a character's width and four to its height. Each of
/// `lines` has two values for each column; where they meet, the last one is seen.
pub fn dots(
    lines: &[(Vec<Option<f64>>, Style)],
    columns: usize,
    rows: usize,
    top: f64,
) -> Vec<Line<'static>> {
    let mut cells = vec![(0u32, Style::new()); columns * rows];
    for (values, style) in lines {
        let mut before: Option<usize> = None;
        for (x, value) in values.iter().enumerate().take(columns * 2) {
            let Some(value) = value else {
                before = None;
                continue;
            };
            let height = ((value / top).clamp(0.0, 1.0) * (rows * 4 - 1) as f64).round() as usize;
            // A step is a line too.
            let from = match before {
                Some(before) if before > height => before - 1,
                Some(before) if before < height => before + 1,
                _ => height,
            };
            for y in from.min(height)..=from.max(height) {
                let cell = &mut cells[(rows - 1 - y / 4) * columns + x / 2];
                cell.0 |= dot(x % 2, y % 4);
                cell.1 = *style;
            }
            before = Some(height);
        }
    }
    let row = |cells: &[(u32, Style)]| {
        let char = |bits: u32| match bits {
            0 => " ".to_owned(),
            _ => char::from_u32(0x2800 + bits).map_or_else(String::new, String::from),
        };
        let spans = cells.iter();
        Line::from_iter(spans.map(|(bits, style)| Span::styled(char(*bits), *style)))
    };
    cells.chunks(columns.max(1)).map(row).collect()
}

/// The bit of Unicode's Braille patterns for a dot, `y` from the bottom.
fn dot(x: usize, y: usize) -> u32 {
    const LEFT: [u32; 4] = [0x40, 0x04, 0x02, 0x01];
    const RIGHT: [u32; 4] = [0x80, 0x20, 0x10, 0x08];
    if x == 0 { LEFT[y] } else { RIGHT[y] }
}

/// The highest value, or `least` where that is higher.
pub fn top(values: &[Option<f64>], least: f64) -> f64 {
    values.iter().flatten().copied().fold(least, f64::max)
}

fn eighths(value: f64, top: f64, most: usize) -> usize {
    match top > 0.0 {
        true => ((value / top).clamp(0.0, 1.0) * most as f64).round() as usize,
        false => 0,
    }
}

/// Values on a grid, spread over so many columns.
fn columns_of(values: &[Option<f64>], columns: usize, merge: Merge) -> Vec<Option<f64>> {
    let steps = values.len() as i64;
    let times: Vec<i64> = (0..steps).collect();
    over(&times, 1, values, 0, steps, columns, merge)
}

/// What each of so many columns between two times shows: of the values whose steps reach
/// into it, one.
pub fn over(
    times: &[i64],
    step: i64,
    values: &[Option<f64>],
    from: i64,
    to: i64,
    columns: usize,
    merge: Merge,
) -> Vec<Option<f64>> {
    let step = step.max(1);
    let span = (to - from).max(1) as f64;
    let edge = |column: usize| from as f64 + span * column as f64 / columns.max(1) as f64;
    let mut merged = vec![(0.0, 0u32, f64::NEG_INFINITY); columns];
    for (time, value) in times.iter().zip(values) {
        let Some(value) = value else { continue };
        let column = |time: f64| (time - from as f64) / span * columns as f64;
        let first = column(*time as f64).floor().max(0.0) as usize;
        let last = column((*time + step) as f64).ceil().max(0.0) as usize;
        for (n, cell) in merged.iter_mut().enumerate().take(last).skip(first) {
            // A column that a step only touches is its neighbour's.
            let reaches = edge(n + 1) > *time as f64 && edge(n) < (*time + step) as f64;
            if reaches {
                cell.0 += value;
                cell.1 += 1;
                cell.2 = cell.2.max(*value);
            }
        }
    }
    let value = |(sum, count, highest): (f64, u32, f64)| {
        (count > 0).then(|| match merge {
            Merge::Mean => sum / f64::from(count),
            Merge::Highest => highest,
        })
    };
    merged.into_iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[Line<'_>]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    fn some(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn a_spark_has_gaps_and_keeps_peaks() {
        let values = [Some(0.0), Some(4.0), None, Some(8.0)];
        assert_eq!(spark(&values, 4, Merge::Mean, 0.0), "▁▄ █");
        assert_eq!(spark(&values, 2, Merge::Highest, 0.0), "▄█");
        assert_eq!(spark(&values, 8, Merge::Mean, 0.0), "▁▁▄▄  ██");
        assert_eq!(spark(&some(&[0.001]), 1, Merge::Mean, 0.05), "▁");
        assert_eq!(spark(&[], 3, Merge::Mean, 0.0), "   ");
        assert_eq!(spark(&values, 0, Merge::Mean, 0.0), "");
    }

    #[test]
    fn bars_grow_over_several_lines() {
        let values = [
            Some(0.0),
            Some(8.0),
            None,
            Some(16.0),
            Some(12.0),
            Some(99.0),
        ];
        assert_eq!(
            text(&bars(&values, 2, 16.0, Style::new())),
            ["   █▄█", "▁█ ███"]
        );
        assert_eq!(text(&bars(&some(&[0.0]), 1, 0.0, Style::new())), ["▁"]);
    }

    #[test]
    fn lines_of_dots_are_joined_and_broken_at_gaps() {
        let line = [Some(0.0), Some(7.0), Some(7.0), None, None, Some(0.0)];
        let lines = [(line.to_vec(), Style::new())];
        assert_eq!(text(&dots(&lines, 3, 2, 7.0)), ["⢸⠁ ", "⡸ ⢀"]);
    }

    #[test]
    fn a_column_shows_what_reaches_into_it() {
        let values = some(&[1.0, 2.0, 3.0]);
        let over = |columns, merge| over(&[0, 10, 20], 10, &values, 0, 30, columns, merge);
        assert_eq!(over(3, Merge::Mean), some(&[1.0, 2.0, 3.0]));
        assert_eq!(over(1, Merge::Mean), some(&[2.0]));
        assert_eq!(over(2, Merge::Highest), some(&[2.0, 3.0]));
        assert_eq!(over(6, Merge::Mean), some(&[1.0, 1.0, 2.0, 2.0, 3.0, 3.0]));
        assert_eq!(over(0, Merge::Mean), []);
    }

    #[test]
    fn what_is_outside_of_the_span_is_left_out() {
        let values = some(&[1.0, 2.0, 3.0]);
        let seen = over(&[-10, 10, 40], 10, &values, 0, 30, 3, Merge::Mean);
        assert_eq!(seen, [None, Some(2.0), None]);
    }
}
