//! Whether a service is in trouble, and how badly.
//!
//! One slow or failed request among a handful proves nothing, so each sign is looked for
//! in as many of the newest windows as it takes, at most 20. A busy service is judged by
//! the last window or the last three, a quiet one by more.
//! - errors: a share of 1 % warns, 5 % is bad. It is that of the newest windows that hold
//!   5 failed requests together; there is no sign when the newest three alone are below
//!   what warns.
//! - latency (p95, or p99 or p50 where there is no p95): twice the usual warns, four
//!   times is bad, but only when it is also 20 ms above it. What counts is the median of
//!   the newest three windows, or of more until they hold 50 requests; the usual is the
//!   median of the windows before these, of 6 or more, back to 15 minutes ago.
//! - silence: no request for a minute and three windows, where by the windows before 20 had
//!   been due, or for all of the 15 minutes, warns.
//!
//! So a true incident is seen when it fills two of three windows, one of errors often
//! in the first.

use serde::Serialize;

const ERRORS_WARN: f64 = 0.01;
const ERRORS_BAD: f64 = 0.05;
/// Failed requests that a share needs.
const FAILED_MIN: f64 = 5.0;
const LATENCY_WARN: f64 = 2.0;
const LATENCY_BAD: f64 = 4.0;
/// Milliseconds above the usual below which a multiple of it hurts nobody.
const LATENCY_FLOOR: f64 = 20.0;
/// Requests that a latency needs.
const REQUESTS_MIN: f64 = 50.0;
/// Seconds without a request that mean nothing, and as many requests as had to come in such a
/// time: chance leaves out fewer.
const SILENT_MIN: i64 = 60;
const SILENT_DUE: f64 = 20.0;
/// Windows that are judged, if there are requests enough in them.
const RECENT_MIN: usize = 3;
/// Windows that are judged at most.
const RECENT_MAX: i64 = 20;
/// Windows that the usual needs.
const USUAL_MIN: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Ok,
    Warn,
    Bad,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    pub severity: Severity,
    /// Short plain words; empty when there is no trouble.
    pub why: String,
    /// How many times over the limit that warns; 0 when there is no trouble.
    pub score: f64,
}

/// One window of a service; `None` where it has no such value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window {
    /// In windows, before the newest.
    pub age: i64,
    pub requests: Option<f64>,
    /// 0 to 1.
    pub errors: Option<f64>,
    /// Milliseconds.
    pub latency: Option<f64>,
}

/// `windows`: the newest first, of `length` seconds; `label`: which latency theirs is.
pub fn judge(windows: &[Window], length: i64, label: &str) -> Trouble {
    let mut severity = Severity::Ok;
    let mut why = Vec::new();
    let mut score: f64 = 0.0;
    let mut sign = |value: f64, warn: f64, bad: f64, words: String| {
        if value >= warn {
            severity = severity.max(if value >= bad {
                Severity::Bad
            } else {
                Severity::Warn
            });
            score = score.max(value / warn);
            why.push(words);
        }
    };
    if let Some(errors) = errors(windows) {
        sign(
            errors,
            ERRORS_WARN,
            ERRORS_BAD,
            format!("errors {} %", percent(errors)),
        );
    }
    if let Some(silence) = silence(windows, length) {
        sign(1.0, 1.0, f64::INFINITY, silence);
    }
    if let Some((latency, usual)) = latency(windows)
        && latency >= usual + LATENCY_FLOOR
    {
        // A median of 0 ms is real on a log of whole milliseconds.
        let times = latency / usual.max(1.0);
        let words = format!("{label} {times:.1}× usual");
        sign(times, LATENCY_WARN, LATENCY_BAD, words);
    }
    Trouble {
        severity,
        why: why.join(", "),
        score,
    }
}

/// The share of failed requests, where enough have failed lately.
fn errors(windows: &[Window]) -> Option<f64> {
    let recent = windows.iter().take_while(|window| window.age < RECENT_MAX);
    let (mut requests, mut failed) = (0.0, 0.0);
    for (n, (window, errors)) in recent
        .filter_map(|window| Some((window, window.errors?)))
        .enumerate()
    {
        let Some(more) = window.requests else {
            // Without a rate, what a share is of cannot be known.
            return Some(errors);
        };
        if n == RECENT_MIN && failed < requests * ERRORS_WARN {
            return None;
        }
        requests += more;
        failed += more * errors;
        if failed.round() >= FAILED_MIN {
            return Some(failed / requests);
        }
    }
    None
}

/// For how long there has been no request, where there should have been some.
fn silence(windows: &[Window], length: i64) -> Option<String> {
    let is_silent = |window: &&Window| window.requests == Some(0.0);
    let silent = windows.iter().take_while(is_silent).count();
    let since = windows.get(silent);
    let ended = since.or(windows.last()).map_or(0, |window| window.age);
    let seconds = ended * length;
    if silent < RECENT_MIN || seconds < SILENT_MIN {
        return None;
    }
    let words = match seconds {
        ..120 => format!("{seconds} s"),
        _ => format!("{} min", seconds / 60),
    };
    let Some(first) = since else {
        // It would not be known if there had never been one.
        return Some(format!("no requests for over {words}"));
    };
    let before = &windows[silent..];
    let spanned = before.last().unwrap_or(first).age - first.age + 1;
    let requests: f64 = before.iter().filter_map(|window| window.requests).sum();
    let due = requests / spanned as f64 * ended as f64;
    (due >= SILENT_DUE).then(|| format!("no requests for {words}"))
}

/// The latency of late, and the usual one.
fn latency(windows: &[Window]) -> Option<(f64, f64)> {
    let values: Vec<(&Window, f64)> = windows
        .iter()
        .filter_map(|window| Some((window, window.latency?)))
        .collect();
    let mut requests = 0.0;
    let recent = values.iter().enumerate().take_while(|(n, (window, _))| {
        let wanted = *n < RECENT_MIN || requests < REQUESTS_MIN;
        requests += window.requests.unwrap_or(REQUESTS_MIN);
        wanted && window.age < RECENT_MAX
    });
    let (recent, before) = values.split_at(recent.count());
    let enough = recent.len() >= RECENT_MIN && before.len() >= USUAL_MIN;
    enough.then(|| (median(recent), median(before)))
}

/// For ordering: half an octave is one step, so that rows do not change places with
/// every window.
pub fn rough(number: f64) -> i32 {
    if number > 0.0 {
        (number.log2() * 2.0).floor() as i32
    } else {
        i32::MIN
    }
}

/// Two digits are enough, and 4.96 % must not read as the 5 % that it is not.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 10.0 {
        format!("{}", percent.floor())
    } else {
        format!("{}", (percent * 10.0).floor() / 10.0)
    }
}

/// The lower one of an even number. Not of nothing.
fn median(values: &[(&Window, f64)]) -> f64 {
    let mut values: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The newest first: how many windows, and their requests, errors and latency.
    fn windows(spans: &[(usize, f64, f64, f64)]) -> Vec<Window> {
        let all = spans.iter().flat_map(|(count, requests, errors, latency)| {
            let window = Window {
                age: 0,
                requests: Some(*requests),
                errors: Some(*errors),
                latency: Some(*latency),
            };
            std::iter::repeat_n(window, *count)
        });
        let aged = all.enumerate().map(|(age, window)| Window {
            age: age as i64,
            ..window
        });
        aged.collect()
    }

    #[test]
    fn what_hurts() {
        for (severity, why, spans) in [
            (Severity::Ok, "", &[][..]),
            (Severity::Ok, "", &[(30, 100.0, 0.0099, 10.0)]),
            (Severity::Warn, "errors 1 %", &[(30, 100.0, 0.01, 10.0)]),
            (Severity::Warn, "errors 4.9 %", &[(30, 1e4, 0.0499, 10.0)]),
            (Severity::Bad, "errors 5 %", &[(30, 100.0, 0.05, 10.0)]),
            // The first window of a burst is enough where five requests fail in it.
            (
                Severity::Bad,
                "errors 12 %",
                &[(1, 100.0, 0.127, 10.0), (30, 100.0, 0.0, 10.0)],
            ),
            (
                Severity::Ok,
                "",
                &[(1, 40.0, 0.1, 10.0), (30, 40.0, 0.0, 10.0)],
            ),
            // And it is over when the newest three are well.
            (
                Severity::Ok,
                "",
                &[(3, 100.0, 0.0, 10.0), (30, 100.0, 0.5, 10.0)],
            ),
            // One failed request of few: half of a window, and nothing.
            (
                Severity::Ok,
                "",
                &[(1, 2.0, 0.5, 10.0), (30, 2.0, 0.0, 10.0)],
            ),
            // Nearly all of few: five windows.
            (
                Severity::Bad,
                "errors 100 %",
                &[(5, 1.0, 1.0, 10.0), (30, 1.0, 0.0, 10.0)],
            ),
            // Five failed ones, but too long ago.
            (
                Severity::Ok,
                "",
                &[
                    (1, 1.0, 1.0, 10.0),
                    (19, 1.0, 0.0, 10.0),
                    (9, 1.0, 1.0, 10.0),
                ],
            ),
            (
                Severity::Ok,
                "",
                &[(3, 100.0, 0.0, 29.9), (20, 100.0, 0.0, 10.0)],
            ),
            (
                Severity::Warn,
                "p95 3.0× usual",
                &[(3, 100.0, 0.0, 30.0), (20, 100.0, 0.0, 10.0)],
            ),
            (
                Severity::Bad,
                "p95 4.1× usual",
                &[(2, 100.0, 0.0, 41.0), (20, 100.0, 0.0, 10.0)],
            ),
            // One slow window is not yet an incident.
            (
                Severity::Ok,
                "",
                &[(1, 100.0, 0.0, 99.0), (20, 100.0, 0.0, 10.0)],
            ),
            (
                Severity::Ok,
                "",
                &[(3, 100.0, 0.0, 399.0), (20, 100.0, 0.0, 200.0)],
            ),
            (
                Severity::Warn,
                "p95 2.0× usual",
                &[(3, 100.0, 0.0, 400.0), (20, 100.0, 0.0, 200.0)],
            ),
            // Too few windows to know what is usual.
            (
                Severity::Ok,
                "",
                &[(3, 100.0, 0.0, 900.0), (5, 100.0, 0.0, 10.0)],
            ),
            (
                Severity::Ok,
                "",
                &[(3, 100.0, 0.0, 19.0), (20, 100.0, 0.0, 0.0)],
            ),
            (
                Severity::Bad,
                "p95 20.0× usual",
                &[(3, 100.0, 0.0, 20.0), (20, 100.0, 0.0, 0.0)],
            ),
            // Six requests in a window: nine windows hold fifty, and five are most of them.
            (
                Severity::Ok,
                "",
                &[(4, 6.0, 0.0, 99.0), (20, 6.0, 0.0, 10.0)],
            ),
            (
                Severity::Bad,
                "p95 9.9× usual",
                &[(5, 6.0, 0.0, 99.0), (20, 6.0, 0.0, 10.0)],
            ),
            (
                Severity::Bad,
                "errors 2 %, p95 8.0× usual",
                &[(3, 1000.0, 0.02, 80.0), (20, 1000.0, 0.0, 10.0)],
            ),
        ] {
            let trouble = judge(&windows(spans), 10, "p95");
            assert_eq!(
                (trouble.severity, trouble.why.as_str()),
                (severity, why),
                "{spans:?}"
            );
            assert_eq!(trouble.score > 0.0, severity != Severity::Ok);
        }
    }

    #[test]
    fn who_falls_silent_says_so() {
        let requests = |spans: &[(usize, f64)]| {
            let spans: Vec<_> = spans.iter().map(|(n, r)| (*n, *r, 0.0, 10.0)).collect();
            let trouble = judge(&windows(&spans), 10, "p95");
            assert_eq!(
                trouble.severity == Severity::Warn,
                !trouble.why.is_empty(),
                "{spans:?}"
            );
            trouble.why
        };
        assert_eq!(requests(&[(5, 0.0), (30, 100.0)]), "");
        assert_eq!(requests(&[(6, 0.0), (30, 100.0)]), "no requests for 60 s");
        assert_eq!(requests(&[(60, 0.0), (30, 5.0)]), "no requests for 10 min");
        // One request in half a minute: two minutes without one are chance.
        assert_eq!(requests(&[(12, 0.0), (1, 1.0), (2, 0.0), (1, 1.0)]), "");
        // Nobody knows any more how many there were.
        assert_eq!(requests(&[(91, 0.0)]), "no requests for over 15 min");
        assert_eq!(requests(&[(3, 0.0)]), "");
        // It is over with the first one.
        assert_eq!(requests(&[(1, 1.0), (60, 0.0), (20, 50.0)]), "");
    }

    #[test]
    fn without_a_rate_each_window_counts() {
        let mut windows = windows(&[(3, 0.0, 0.3, 90.0), (20, 0.0, 0.0, 10.0)]);
        windows.iter_mut().for_each(|window| window.requests = None);
        let trouble = judge(&windows, 10, "p95");
        assert_eq!(trouble.why, "errors 30 %, p95 9.0× usual");
    }

    #[test]
    fn what_is_close_orders_alike() {
        assert_eq!(rough(41.2), rough(41.3));
        assert_eq!(rough(33.0), rough(45.0));
        assert!(rough(100.0) > rough(45.0));
        assert!(rough(0.1) > rough(0.0));
    }
}
