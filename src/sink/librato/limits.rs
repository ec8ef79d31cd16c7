//! When the far side wants to be asked again.
//!
//! `X-Librato-RateLimit-Agg` and `-Std` come with every answer, as
//! `limit=600000,remaining=599998,reset=1700003600`: in any order, `reset` in seconds since
//! 1970. `Retry-After` is RFC 9110's, section 10.2.3: seconds, or a date.

use super::answer;
use super::http::Reply;
use crate::time::Timestamp;
use reqwest::StatusCode;
use std::time::Duration;

/// No answer makes weir wait longer: its clock may be wrong, or the far side's.
pub const WAIT_MAX: Duration = Duration::from_secs(600);

const QUOTAS: [&str; 2] = ["x-librato-ratelimit-agg", "x-librato-ratelimit-std"];

/// How long to send nothing after this answer; `None`: it says nothing of that.
pub fn wait(reply: &Reply, now: Timestamp) -> Option<Duration> {
    let resets = QUOTAS.iter().flat_map(|quota| {
        let values = reply.headers.get_all(*quota).iter();
        values.filter_map(|value| exhausted_until(value.to_str().ok()?))
    });
    let refusing = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    let asked = (refusing.contains(&reply.status) || answer::is_rate_limit(reply))
        .then(|| retry_after(reply, now))
        .flatten();
    let until = resets.chain(asked).max()?;
    let wait = until.saturating_since(now).min(WAIT_MAX);
    (!wait.is_zero()).then_some(wait)
}

/// When a quota that is used up is filled again.
fn exhausted_until(quota: &str) -> Option<Timestamp> {
    let field = |name: &str| -> Option<i64> {
        let mut pairs = quota.split(',').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| key.trim() == name)?;
        value.trim().parse().ok()
    };
    (field("remaining")? <= 0)
        .then(|| field("reset").map(Timestamp::from_secs))
        .flatten()
}

fn retry_after(reply: &Reply, now: Timestamp) -> Option<Timestamp> {
    let value = reply.headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(now + Duration::from_secs(seconds.into()));
    }
    // An HTTP date is a date as e-mails have it.
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(Timestamp::from_micros(date.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    #[test]
    fn the_far_side_says_when() {
        // 2026-01-01T12:00:00Z
        let now = Timestamp::from_secs(1_767_268_800);
        let agg = "X-Librato-RateLimit-Agg";
        let std = "X-Librato-RateLimit-Std";
        for (status, headers, want) in [
            (200, &[][..], None),
            (200, &[(agg, "limit=9,remaining=1,reset=1767268860")], None),
            (
                200,
                &[(agg, "limit=9,remaining=0,reset=1767268860")],
                Some(60),
            ),
            (
                200,
                &[(std, " reset=1767268830 , limit=9 , remaining=0")],
                Some(30),
            ),
            (
                429,
                &[
                    (agg, "limit=9,remaining=0,reset=1767268860"),
                    (std, "limit=9,remaining=0,reset=1767268870"),
                ],
                Some(70),
            ),
            (200, &[(agg, "limit=9,remaining=0,reset=1767268000")], None),
            (
                200,
                &[(agg, "limit=9,remaining=0,reset=9999999999")],
                Some(600),
            ),
            (200, &[(agg, "remaining=0")], None),
            (200, &[(agg, "nonsense")], None),
            (429, &[("Retry-After", "12")], Some(12)),
            (503, &[("Retry-After", "100000")], Some(600)),
            (
                503,
                &[("Retry-After", "Thu, 01 Jan 2026 12:00:45 GMT")],
                Some(45),
            ),
            (
                503,
                &[("Retry-After", "Thu, 01 Jan 2026 11:00:45 GMT")],
                None,
            ),
            (503, &[("Retry-After", "soon")], None),
            (200, &[("Retry-After", "12")], None),
        ] {
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| {
                    let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                    (name, HeaderValue::from_static(value))
                })
                .collect();
            let reply = Reply {
                status: StatusCode::from_u16(status).unwrap(),
                headers: headers.clone(),
                text: String::new(),
            };
            let found = wait(&reply, now).map(|wait| wait.as_secs());
            assert_eq!(found, want, "{status} {headers:?}");
        }
    }
}
