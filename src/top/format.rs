//! Values as the words that people read, the same as on the page. A missing value is a gap,
//! shown as a dash, never as 0. Digits are kept to what a glance can use: about three.

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub const GAP: &str = "–";

/// Plain number with about three digits: 0.25, 45.2, 812, 1.2 k, 3.4 M.
pub fn number(value: Option<f64>) -> String {
    let Some(value) = finite(value) else {
        return GAP.into();
    };
    let size = value.abs();
    match size {
        999_500_000.0.. => format!("{} G", short(value / 1e9)),
        999_500.0.. => format!("{} M", short(value / 1e6)),
        999.5.. => format!("{} k", short(value / 1e3)),
        99.95.. => fixed(value, 0),
        _ if value.fract() == 0.0 => fixed(value, 0),
        9.995.. => fixed(value, 1),
        0.995.. => trim(fixed(value, 2)),
        ..0.005 => one_digit(value),
        _ => trim(fixed(value, 2)),
    }
}

/// Events per second: 45.2/s, 1.2 k/s.
pub fn rate(value: Option<f64>) -> String {
    match finite(value) {
        None => GAP.into(),
        Some(value) if value > 0.0 && value < 0.005 => "<0.01/s".into(),
        Some(value) if (0.995..99.95).contains(&value) => format!("{}/s", fixed(value, 1)),
        Some(value) => format!("{}/s", number(Some(value))),
    }
}

/// Milliseconds: 18 ms, 1.24 s, 12.4 s.
pub fn duration(ms: Option<f64>) -> String {
    match finite(ms) {
        None => GAP.into(),
        Some(ms) if ms >= 99_950.0 => format!("{} s", fixed(ms / 1000.0, 0)),
        Some(ms) if ms >= 9_995.0 => format!("{} s", fixed(ms / 1000.0, 1)),
        Some(ms) if ms >= 999.5 => format!("{} s", fixed(ms / 1000.0, 2)),
        Some(ms) if ms >= 9.95 || ms.fract() == 0.0 => format!("{} ms", fixed(ms, 0)),
        Some(ms) => format!("{} ms", trim(fixed(ms, 1))),
    }
}

/// A share of 0 to 1: 0.0 %, 1.2 %, 12 %.
pub fn ratio(share: Option<f64>) -> String {
    let Some(share) = finite(share) else {
        return GAP.into();
    };
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.05 {
        return "<0.1 %".into();
    }
    format!("{} %", fixed(percent, if percent < 9.95 { 1 } else { 0 }))
}

/// A count in full up to a million, so that one can see it move: 123 456, 1.23 M.
pub fn count(value: u64) -> String {
    match value {
        1_000_000_000.. => format!("{} G", fixed(value as f64 / 1e9, 2)),
        1_000_000.. => format!("{} M", fixed(value as f64 / 1e6, 2)),
        _ => whole(value),
    }
}

/// How many of what: 1 line, 2 lines.
pub fn some(value: u64, word: &str) -> String {
    let s = if value == 1 { "" } else { "s" };
    format!("{} {word}{s}", count(value))
}

/// A count with all its digits: 1 234 567.
pub fn whole(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (n, digit) in digits.char_indices() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

pub fn bytes(value: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = value as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit < units.len() - 1 {
        size /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && size < 10.0);
    format!("{} {}", fixed(size, digits), units[unit])
}

/// A span of seconds in its largest whole unit: 12 s, 3 min, 5 h, 2 d.
pub fn age(seconds: i64) -> String {
    let units = |unit: f64| fixed(seconds as f64 / unit, 0);
    match seconds {
        ..100 => format!("{} s", seconds.max(0)),
        100..6_000 => format!("{} min", units(60.0)),
        6_000..172_800 => format!("{} h", units(3600.0)),
        _ => format!("{} d", units(86_400.0)),
    }
}

/// A span of seconds in hours and minutes: 45 min, 1 h, 5 h 30 min.
pub fn hours(seconds: u64) -> String {
    let minutes = (seconds + 30) / 60;
    let parts = [(minutes / 60, "h"), (minutes % 60, "min")];
    let parts = parts.iter().filter(|(value, _)| *value > 0);
    let parts: Vec<String> = parts
        .map(|(value, unit)| format!("{value} {unit}"))
        .collect();
    parts.join(" ")
}

/// Epoch seconds as 05:06:10 there.
pub fn clock(epoch: i64, zone: &TimeZone) -> String {
    at(epoch, zone, "%H:%M:%S")
}

/// Epoch seconds as 21 Nov 05:06:10 there.
pub fn day_and_clock(epoch: i64, zone: &TimeZone) -> String {
    at(epoch, zone, "%-d %b %H:%M:%S")
}

/// The offset that the zone has then: UTC, UTC+1, UTC+5:30.
pub fn offset(epoch: i64, zone: &TimeZone) -> String {
    let when = Timestamp::from_second(epoch).unwrap_or_default();
    let minutes = zone.to_offset(when).seconds() / 60;
    let sign = if minutes < 0 { '−' } else { '+' };
    match (minutes.abs() / 60, minutes.abs() % 60) {
        (0, 0) => "UTC".into(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, rest) => format!("UTC{sign}{hours}:{rest:02}"),
    }
}

fn at(epoch: i64, zone: &TimeZone, form: &str) -> String {
    match Timestamp::from_second(epoch) {
        Ok(time) => time.to_zoned(zone.clone()).strftime(form).to_string(),
        // No calendar reaches that far.
        Err(_) => GAP.into(),
    }
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

fn short(value: f64) -> String {
    fixed(value, usize::from(value.abs() < 99.95))
}

/// With so many digits behind the point; halves are rounded up, as a browser does, so that
/// page and terminal show the same.
fn fixed(value: f64, digits: usize) -> String {
    // What is halfway between two is a multiple of a half, a quarter, an eighth.
    let doubled = value * f64::from(2u32 << digits);
    let halfway = doubled.fract() == 0.0 && doubled % 2.0 != 0.0;
    let text = match halfway {
        true => {
            let tens = 10f64.powi(digits as i32);
            let up = (value.abs() * tens + 0.5).floor() / tens;
            format!("{:.digits$}", up.copysign(value))
        }
        false => format!("{value:.digits$}"),
    };
    match text.strip_prefix('-') {
        Some(zero) if zero.bytes().all(|byte| matches!(byte, b'0' | b'.')) => zero.to_owned(),
        _ => text,
    }
}

/// Of what is closer to zero than 0.005: its first digit that is not 0.
fn one_digit(value: f64) -> String {
    let text = format!("{value:.0e}");
    match text.split_once('e').map(|(_, power)| power.parse::<i32>()) {
        Some(Ok(power @ -6..)) => trim(format!("{value:.*}", power.unsigned_abs() as usize)),
        _ => text,
    }
}

fn trim(text: String) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_digits_that_a_glance_can_use() {
        for (value, as_number, as_rate, as_duration, as_ratio) in [
            (0.0, "0", "0/s", "0 ms", "0.0 %"),
            (0.0004, "0.0004", "<0.01/s", "0 ms", "<0.1 %"),
            (0.004, "0.004", "<0.01/s", "0 ms", "0.4 %"),
            (0.25, "0.25", "0.25/s", "0.3 ms", "25 %"),
            (1.0, "1", "1.0/s", "1 ms", "100 %"),
            (12.5, "12.5", "12.5/s", "13 ms", "1250 %"),
            (45.24, "45.2", "45.2/s", "45 ms", "4524 %"),
            (812.4, "812", "812/s", "812 ms", "81240 %"),
            (1_240.0, "1.2 k", "1.2 k/s", "1.24 s", "124000 %"),
            (12_400.0, "12.4 k", "12.4 k/s", "12.4 s", "1240000 %"),
            (124_000.0, "124 k", "124 k/s", "124 s", "12400000 %"),
            (3.4e6, "3.4 M", "3.4 M/s", "3400 s", "340000000 %"),
        ] {
            let value = Some(value);
            assert_eq!(number(value), as_number);
            assert_eq!(rate(value), as_rate);
            assert_eq!(duration(value), as_duration);
            assert_eq!(ratio(value), as_ratio);
        }
        for nothing in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            assert_eq!(number(nothing), GAP);
            assert_eq!(rate(nothing), GAP);
            assert_eq!(duration(nothing), GAP);
            assert_eq!(ratio(nothing), GAP);
        }
    }

    #[test]
    fn halves_are_rounded_up_and_only_true_halves() {
        for (value, digits, text) in [
            (0.5, 0, "1"),
            (2.5, 0, "3"),
            (0.25, 1, "0.3"),
            (0.35, 1, "0.3"),
            (1.125, 2, "1.13"),
            (1.005, 2, "1.00"),
            (-2.5, 0, "-3"),
            (-0.001, 1, "0.0"),
            (1e20, 0, "100000000000000000000"),
        ] {
            assert_eq!(fixed(value, digits), text, "{value}");
        }
    }

    #[test]
    fn counts_sizes_and_spans() {
        assert_eq!(
            [0, 999, 1_000, 123_456, 1_234_567, 9_876_543_210].map(count),
            ["0", "999", "1 000", "123 456", "1.23 M", "9.88 G"]
        );
        assert_eq!(whole(u64::MAX), "18 446 744 073 709 551 615");
        assert_eq!(
            [0, 1023, 1024, 10 * 1024, 5 << 20, 7 << 30].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "10 KiB", "5.0 MiB", "7.0 GiB"]
        );
        assert_eq!(
            [-3, 0, 99, 100, 150, 5_999, 6_000, 172_799, 172_800].map(age),
            [
                "0 s", "0 s", "99 s", "2 min", "3 min", "100 min", "2 h", "48 h", "2 d"
            ]
        );
        assert_eq!(
            [2_700, 3_600, 19_800].map(hours),
            ["45 min", "1 h", "5 h 30 min"]
        );
    }

    #[test]
    fn times_are_those_of_the_zone() {
        let zone = TimeZone::get("Asia/Kolkata").unwrap();
        assert_eq!(clock(1_767_268_861, &zone), "17:31:01");
        assert_eq!(day_and_clock(1_767_268_861, &zone), "1 Jan 17:31:01");
        assert_eq!(offset(1_767_268_861, &zone), "UTC+5:30");
        assert_eq!(offset(0, &TimeZone::UTC), "UTC");
        assert_eq!(clock(i64::MAX, &zone), GAP);
    }
}
