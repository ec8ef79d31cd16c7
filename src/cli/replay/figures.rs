//! Numbers as people read them: few digits, and the unit that fits.

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Requests per second: three digits that matter.
pub fn rate(rate: f64) -> String {
    match rate {
        0.0 => "0".to_owned(),
        _ if rate >= 1e3 => count(rate.round() as u64),
        _ if rate >= 100.0 => format!("{rate:.0}"),
        _ if rate >= 10.0 => format!("{rate:.1}"),
        _ if rate >= 0.01 => format!("{rate:.2}"),
        _ => "<0.01".to_owned(),
    }
}

/// A share as percent. What is not nothing does not look like nothing, and what is not all not
/// like all.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0%".to_owned(),
        _ if percent < 0.01 => "<0.01%".to_owned(),
        _ if percent < 10.0 => format!("{percent:.2}%"),
        _ if percent < 99.95 => format!("{percent:.1}%"),
        _ if share < 1.0 => ">99.9%".to_owned(),
        _ => "100%".to_owned(),
    }
}

/// Milliseconds as they are up to ten seconds, then seconds, minutes and hours.
pub fn time(millis: f64) -> String {
    match millis {
        _ if millis < 9_999.5 => format!("{millis:.0}ms"),
        _ if millis < 99_950.0 => format!("{:.1}s", millis / 1e3),
        _ if millis < 599_500.0 => format!("{:.0}s", millis / 1e3),
        _ if millis < 5_970_000.0 => format!("{:.0}min", millis / 6e4),
        _ => format!("{:.1}h", millis / 3.6e6),
    }
}

/// `512B`, `1.2kB`, `34MB`: thousands, as networks count.
pub fn bytes(bytes: f64) -> String {
    let (mut rest, mut unit) = (bytes, 0);
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    // What is rounded to a thousand is one of the next.
    while rest >= 999.5 && unit + 1 < units.len() {
        rest /= 1e3;
        unit += 1;
    }
    match unit > 0 && rest < 9.95 {
        true => format!("{rest:.1}{}", units[unit]),
        false => format!("{rest:.0}{}", units[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_few_digits_and_units() {
        let counts = [0, 999, 1_000, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
        let rates = [0.0, 0.001, 0.034, 5.678, 34.56, 278.4, 12_345.6].map(rate);
        assert_eq!(
            rates,
            ["0", "<0.01", "0.03", "5.68", "34.6", "278", "12,346"]
        );
        let shares = [0.0, 0.00001, 0.0123, 0.5, 0.9999, 1.0].map(percent);
        assert_eq!(shares, ["0%", "<0.01%", "1.23%", "50.0%", ">99.9%", "100%"]);
        let times = [0.0, 9_999.0, 9_999.6, 31_000.0, 120_000.0, 1.2e6, 7.2e6].map(time);
        assert_eq!(
            times,
            ["0ms", "9999ms", "10.0s", "31.0s", "120s", "20min", "2.0h"]
        );
        let sizes = [0.0, 999.0, 999.6, 1_234.0, 99_400.0, 2.5e9].map(bytes);
        assert_eq!(sizes, ["0B", "999B", "1.0kB", "1.2kB", "99kB", "2.5GB"]);
    }
}
