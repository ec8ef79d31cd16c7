//! What the far side's answers mean.

use super::What;
use super::http::Reply;
use reqwest::StatusCode;
use serde_json::Value;

/// Characters of an answer's body that are shown.
const SHOWN_MAX: usize = 300;

/// What a try to deliver came to.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// That many were refused; the rest is taken. `why` is empty where none was.
    Taken { refused: u64, why: String },
    /// Sending the same again would be refused again.
    Refused(Refusal),
    /// It may be taken later.
    Later(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The far side's words.
    pub why: String,
    /// Part of it may be taken.
    pub divisible: bool,
    pub blame: Blame,
}

/// What a refusal of one measurement says of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Nothing: its value was wrong.
    Itself,
    /// Its time was: others of that time are refused too.
    Time,
    /// Its name, or the type that goes with it, was.
    Name,
    /// Something else was: others of that series are refused too.
    Series,
}

/// Reads an answer. A body of a refusal names what was wrong; of a success on
/// `/v1/measurements`, a list `errors` names items that were refused all the same.
pub fn judge(what: What, reply: &Reply) -> Answer {
    let (status, text) = (reply.status, reply.text.as_str());
    let shown = || {
        let text: String = text.trim().chars().take(SHOWN_MAX).collect();
        format!("{status}: {text}")
    };
    if status.is_success() {
        let body = serde_json::from_str::<Value>(text).unwrap_or_default();
        let errors = body.get("errors").and_then(Value::as_array);
        let refused = errors.map_or(0, |errors| errors.len() as u64);
        return Answer::Taken {
            refused,
            why: if refused > 0 { shown() } else { String::new() },
        };
    }
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    if status.is_server_error() || passing.contains(&status) || is_rate_limit(reply) {
        Answer::Later(shown())
    } else if status.is_redirection() || what.address_errors().contains(&status) {
        Answer::Later(format!("{} (check the sink's url and token)", shown()))
    } else {
        // Of these it is known that one item can cost all of them.
        let divisible = [
            StatusCode::BAD_REQUEST,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNPROCESSABLE_ENTITY,
        ];
        Answer::Refused(Refusal {
            why: shown(),
            divisible: divisible.contains(&status),
            blame: blame(text),
        })
    }
}

/// The API's rate limit on `/v1/metrics` is a 403 that says so. Another 403 may speak of what
/// an account may have: that does not change by waiting.
pub fn is_rate_limit(reply: &Reply) -> bool {
    let says = |text: &str| {
        ["api limit", "rate limit"]
            .iter()
            .any(|words| text.contains(words))
    };
    reply.status == StatusCode::FORBIDDEN && says(&reply.text.to_lowercase())
}

/// From `{"errors": {"params": {FIELD: …}}}`, or from the words where it has another shape.
fn blame(text: &str) -> Blame {
    let body = serde_json::from_str::<Value>(text).unwrap_or_default();
    let fields = body.pointer("/errors/params").and_then(Value::as_object);
    let named = |names: &[&str]| {
        fields.is_some_and(|fields| fields.keys().any(|key| names.contains(&key.as_str())))
    };
    let errors = body.get("errors").map(Value::to_string);
    let says = |words: &str| errors.as_deref().unwrap_or(text).contains(words);
    if named(&["measure_time", "time"]) || says("too far in the") {
        Blame::Time
    } else if named(&["value", "count", "sum", "min", "max", "sum_squares"]) {
        Blame::Itself
    } else if named(&["type"]) || says("different type") {
        Blame::Name
    } else if named(&["name"]) && fields.is_some_and(|fields| fields.len() == 1) {
        // Beside another field, it says whose that is.
        Blame::Name
    } else {
        Blame::Series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_api_s_own_limit_of_requests_is_waited_for() {
        for (status, text, want) in [
            (
                403,
                r#"{"error":"You have hit the API limit for measurements"}"#,
                true,
            ),
            (403, "Rate limited", true),
            (403, "the plan's limit of metrics is reached", false),
            (
                403,
                r#"{"errors":["Tag based measurements are not enabled"]}"#,
                false,
            ),
            (400, "API limit", false),
        ] {
            let reply = Reply {
                status: StatusCode::from_u16(status).unwrap(),
                headers: Default::default(),
                text: text.to_owned(),
            };
            assert_eq!(is_rate_limit(&reply), want, "{status} {text}");
            let later = matches!(judge(What::Measurements, &reply), Answer::Later(_));
            assert_eq!(later, want, "{status} {text}");
        }
    }

    #[test]
    fn words_blame_a_time_a_value_a_name_or_a_series() {
        for (text, want) in [
            (
                r#"{"errors":{"params":{"measure_time":["is too far in the past"]}},"request_time":1}"#,
                Blame::Time,
            ),
            (r#"{"errors":["time is too far in the past"]}"#, Blame::Time),
            (
                r#"{"errors":{"params":{"value":["must be positive"],"name":["hits"]}},"request_time":1}"#,
                Blame::Itself,
            ),
            (
                r#"{"errors":{"params":{"type":["'hits' is a counter, but was submitted as different type"]}},"request_time":1}"#,
                Blame::Name,
            ),
            (
                r#"{"errors":{"params":{"name":["a b is not a valid metric name"]}}}"#,
                Blame::Name,
            ),
            (
                r#"{"errors":{"params":{"name":"a b is not a valid metric name"}}}"#,
                Blame::Name,
            ),
            (
                r#"{"errors":{"params":{"name":"a","period":["must be positive"]}}}"#,
                Blame::Series,
            ),
            (
                r#"{"errors":{"params":{"name":["a"],"type":["'a' is a COUNTER, but was submitted as different type"]}}}"#,
                Blame::Name,
            ),
            (
                r#"{"errors":{"params":{"source":["a b is not valid"]}},"request_time":1}"#,
                Blame::Series,
            ),
            ("no", Blame::Series),
        ] {
            assert_eq!(blame(text), want, "{text}");
        }
    }
}
