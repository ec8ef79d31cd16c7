//! A time as people write it after `--since` and `--until`.

use crate::time::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The forms of a time without an offset.
const FORMS: [&str; 6] = [
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%d/%b/%Y:%H:%M:%S%.f",
    "%d/%b/%Y:%H:%M",
];

/// RFC 3339; or as HAProxy writes it, or a date with or without a time of day: in `zone`.
pub fn moment(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let text = text.trim();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp::from_micros(at.as_microsecond()));
    }
    let forms = FORMS.iter();
    let time = forms
        .filter_map(|form| DateTime::strptime(form, text).ok())
        .next();
    let day = || Date::strptime("%Y-%m-%d", text).ok().map(DateTime::from);
    let local = time.or_else(day).ok_or_else(|| {
        "write 2026-03-01T08:00:00Z, 2026-03-01 08:00 or 01/Mar/2026:08:00:00".to_owned()
    })?;
    let at = zone
        .to_timestamp(local)
        .map_err(|error| error.to_string())?;
    Ok(Timestamp::from_micros(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_many_ways() {
        let zone = TimeZone::get("Europe/Stockholm").unwrap();
        for text in [
            "2026-03-01T07:00:00Z",
            "2026-03-01T08:00:00+01:00",
            "2026-03-01T08:00:00",
            "2026-03-01 08:00:00.000",
            "2026-03-01 08:00",
            "01/Mar/2026:08:00:00",
            "01/Mar/2026:08:00:00.000",
        ] {
            let at = moment(text, &zone).map(|at| at.to_string());
            assert_eq!(at.as_deref(), Ok("2026-03-01T07:00:00.000Z"), "{text}");
        }
        let day = moment("2026-03-01", &TimeZone::UTC).unwrap();
        assert_eq!(day.to_string(), "2026-03-01T00:00:00.000Z");
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "25:00",
            "2026-03-01 08:00 or so",
        ] {
            assert!(moment(text, &zone).is_err(), "{text}");
        }
    }
}
