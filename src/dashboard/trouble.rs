//! Whether a service is in trouble, and how badly.
//!
//! Two signs, each looked at in the newest window:
//! - errors: a share of 1 % warns, 5 % is bad;
//! - latency (p95, or p99 or p50 where there is no p95): twice the median of the last
//!   15 minutes warns, four times is bad; but only when it is also 20 ms above it, and
//!   when there are 12 windows to take a median of.

use serde::Serialize;

const ERRORS_WARN: f64 = 0.01;
const ERRORS_BAD: f64 = 0.05;
const LATENCY_WARN: f64 = 2.0;
const LATENCY_BAD: f64 = 4.0;
/// Milliseconds above the median below which a multiple of it hurts nobody.
const LATENCY_FLOOR: f64 = 20.0;
/// Windows that a median needs.
const USUAL_MIN: usize = 12;

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

/// `errors`: 0 to 1. `latency`: milliseconds. `before`: the latencies of the windows
/// before, in any order; `label`: which latency that is.
pub fn judge(errors: Option<f64>, label: &str, latency: Option<f64>, before: &[f64]) -> Trouble {
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
    if let Some(errors) = errors {
        sign(
            errors,
            ERRORS_WARN,
            ERRORS_BAD,
            format!("errors {} %", percent(errors)),
        );
    }
    if let (Some(latency), Some(usual)) = (latency, median(before))
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

fn median(values: &[f64]) -> Option<f64> {
    if values.len() < USUAL_MIN {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some(sorted[sorted.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hurts() {
        let usual = vec![10.0; 20];
        let few = vec![10.0; 11];
        let zero = vec![0.0; 20];
        let slow = vec![200.0; 20];
        for (errors, latency, before, severity, why) in [
            (None, None, &usual, Severity::Ok, ""),
            (Some(0.0099), Some(12.0), &usual, Severity::Ok, ""),
            (Some(0.01), None, &usual, Severity::Warn, "errors 1 %"),
            (Some(0.0499), None, &usual, Severity::Warn, "errors 4.9 %"),
            (Some(0.05), None, &usual, Severity::Bad, "errors 5 %"),
            (Some(0.127), None, &usual, Severity::Bad, "errors 12 %"),
            (None, Some(29.9), &usual, Severity::Ok, ""),
            (None, Some(30.0), &usual, Severity::Warn, "p95 3.0× usual"),
            (None, Some(41.0), &usual, Severity::Bad, "p95 4.1× usual"),
            (None, Some(399.0), &slow, Severity::Ok, ""),
            (None, Some(400.0), &slow, Severity::Warn, "p95 2.0× usual"),
            (None, Some(900.0), &few, Severity::Ok, ""),
            (None, Some(19.0), &zero, Severity::Ok, ""),
            (None, Some(20.0), &zero, Severity::Bad, "p95 20.0× usual"),
            (
                Some(0.02),
                Some(80.0),
                &usual,
                Severity::Bad,
                "errors 2 %, p95 8.0× usual",
            ),
        ] {
            let trouble = judge(errors, "p95", latency, before);
            assert_eq!(
                (trouble.severity, trouble.why.as_str()),
                (severity, why),
                "{errors:?} {latency:?}"
            );
            assert_eq!(trouble.score > 0.0, severity != Severity::Ok);
        }
    }

    #[test]
    fn what_is_close_orders_alike() {
        assert_eq!(rough(41.2), rough(41.3));
        assert_eq!(rough(33.0), rough(45.0));
        assert!(rough(100.0) > rough(45.0));
        assert!(rough(0.1) > rough(0.0));
    }
}
