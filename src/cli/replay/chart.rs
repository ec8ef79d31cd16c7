//! Charts as SVG, to stand in a page.

use std::fmt::Write;

/// What is drawn of one series.
pub struct Line {
    /// Its class, by which it has its colour.
    pub class: &'static str,
    /// By place in time; without a value there is a gap.
    pub values: Vec<Option<f64>>,
    pub is_filled: bool,
}

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;

/// Lines of as many places as there are `labels` below, of which those that have room are
/// shown. `show` writes what is on the left.
pub fn chart(title: &str, lines: &[Line], labels: &[String], show: fn(f64) -> String) -> String {
    let values = lines.iter().flat_map(|line| line.values.iter().flatten());
    let (top, step) = scale(values.copied().fold(0.0, f64::max));
    let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    let y = |value: f64| TOP + height * (1.0 - value / top);
    let last = labels.len().saturating_sub(1).max(1) as f64;
    let x = |place: usize| LEFT + width * place as f64 / last;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escaped(title)
    );
    let mut tick = 0.0;
    while tick <= top * 1.001 {
        let at = y(tick);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 7.0,
            at + 4.5,
            escaped(&plain(&show(tick))),
        );
        tick += step;
    }
    for part in 0..4 {
        let place = (labels.len().saturating_sub(1)) * part / 3;
        // A short log has fewer of them.
        if part > 0 && place == (labels.len().saturating_sub(1)) * (part - 1) / 3 {
            continue;
        }
        let Some(label) = labels.get(place) else {
            continue;
        };
        let anchor = match place {
            0 => "start",
            _ if place + 1 == labels.len() => "end",
            _ => "middle",
        };
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            x(place),
            HEIGHT - 6.0,
            escaped(label),
        );
    }
    for line in lines {
        draw(&mut svg, line, x, y, y(0.0));
    }
    svg.push_str("</svg>");
    svg
}

/// Lines of a scale are round numbers: `6` says what `6.00` does.
fn plain(figure: &str) -> String {
    let end = figure.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = figure.split_at(end.unwrap_or(figure.len()));
    match number.contains('.') {
        true => {
            let number = number.trim_end_matches('0').trim_end_matches('.');
            format!("{number}{unit}")
        }
        false => figure.to_owned(),
    }
}

/// So many places a small chart has at most.
const SPARK_PLACES: usize = 60;

/// A small chart without axes.
pub fn spark(title: &str, class: &'static str, values: &[Option<f64>]) -> String {
    let size = values.len().div_ceil(SPARK_PLACES).max(1);
    // A peak is what one looks for.
    let peaks = values.chunks(size);
    let values: Vec<_> = peaks
        .map(|chunk| chunk.iter().copied().flatten().reduce(f64::max))
        .collect();
    let top = values.iter().copied().flatten().fold(0.0, f64::max);
    let top = if top > 0.0 { top } else { 1.0 };
    let last = values.len().saturating_sub(1).max(1) as f64;
    let mut svg = format!(
        "<svg class=\"spark\" viewBox=\"0 0 110 24\" role=\"img\" aria-label=\"{}\">",
        escaped(title)
    );
    let line = Line {
        class,
        values,
        is_filled: false,
    };
    let x = |place: usize| 1.0 + 108.0 * place as f64 / last;
    draw(&mut svg, &line, x, |value| 22.0 - 20.0 * value / top, 23.0);
    svg.push_str("</svg>");
    svg
}

fn draw(
    svg: &mut String,
    line: &Line,
    x: impl Fn(usize) -> f64,
    y: impl Fn(f64) -> f64,
    floor: f64,
) {
    let (mut path, mut area, mut is_open) = (String::new(), String::new(), false);
    for (place, value) in line.values.iter().enumerate() {
        let (x, last) = (x(place), x(place.saturating_sub(1)));
        match value {
            Some(value) => {
                let y = y(*value);
                match is_open {
                    true => drop(write!(path, "L{x:.1} {y:.1}")),
                    // A value between two gaps is a dot.
                    false => drop(write!(path, "M{x:.1} {y:.1}h.01")),
                }
                match is_open {
                    true => drop(write!(area, "L{x:.1} {y:.1}")),
                    false => drop(write!(area, "M{x:.1} {floor:.1}V{y:.1}")),
                }
                is_open = true;
            }
            None => {
                if is_open {
                    let _ = write!(area, "L{last:.1} {floor:.1}Z");
                }
                is_open = false;
            }
        }
    }
    if is_open {
        let _ = write!(area, "V{floor:.1}Z");
    }
    if line.is_filled {
        let _ = write!(
            svg,
            "<path class=\"{}\" d=\"{area}\" fill=\"currentColor\" fill-opacity=\".18\" stroke=\"none\" style=\"stroke:none\"/>",
            line.class
        );
    }
    let _ = write!(svg, "<path class=\"draw {}\" d=\"{path}\"/>", line.class);
}

/// The top of a scale that begins at 0, and the step of its lines: three to five of them.
fn scale(max: f64) -> (f64, f64) {
    if max <= 0.0 || !max.is_finite() {
        return (1.0, 1.0);
    }
    let rough = max / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    let step = steps.iter().map(|step| step * power);
    let step = step.into_iter().find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    ((max / step).ceil().max(1.0) * step, step)
}

/// Text that is text in a page and in an attribute's value, too.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_or_above_the_largest_value() {
        for (max, expected) in [
            (0.0, (1.0, 1.0)),
            (1.0, (1.0, 0.25)),
            (278.0, (300.0, 100.0)),
            (7.0, (8.0, 2.0)),
            (0.03, (0.03, 0.01)),
        ] {
            let (top, step) = scale(max);
            let is_close = |a: f64, b: f64| (a - b).abs() < 1e-9;
            assert!(
                is_close(top, expected.0) && is_close(step, expected.1),
                "{max}: {top} by {step}"
            );
        }
    }

    #[test]
    fn lines_of_a_scale_have_no_needless_zeros() {
        let shown = ["6.00", "5.00%", "12.5s", "0", "100ms", "1,000"].map(plain);
        assert_eq!(shown, ["6", "5%", "12.5s", "0", "100ms", "1,000"]);
    }

    #[test]
    fn where_there_is_no_value_there_is_no_line() {
        let svg = spark("x", "rate", &[Some(1.0), None, Some(2.0), Some(1.0)]);
        assert_eq!(svg.matches('M').count(), 2);
        assert_eq!(svg.matches('L').count(), 1);
    }

    #[test]
    fn foreign_text_stays_text() {
        assert_eq!(
            escaped("<a href='x'>&\""),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot;"
        );
    }
}
