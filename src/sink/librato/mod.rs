//! Any server with Librato's API: measurements pushed in chunks, retried until taken.

mod body;

use super::Outbox;
use crate::metric::Measurement;
use crate::telemetry::Sink;
use backon::{BackoffBuilder, ExponentialBuilder};
use body::Body;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use std::error::Error as _;
use std::fmt;
use std::time::Duration;

/// Which of the API's two data models is written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// `POST /v1/measurements`: series have tags.
    #[default]
    Measurements,
    /// `POST /v1/metrics`: series have one source, made of the tags' values.
    Metrics,
}

impl Api {
    /// Measurements in one request, within what the API's documentation advises.
    const fn chunk(self) -> usize {
        match self {
            Api::Measurements => 500,
            Api::Metrics => 300,
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Api::Measurements => "v1/measurements",
            Api::Metrics => "v1/metrics",
        }
    }
}

/// Where to deliver, and as whom.
#[derive(Clone)]
pub struct Settings {
    pub url: Url,
    pub api: Api,
    /// Account and token, sent as basic authentication.
    pub credentials: Option<(String, String)>,
}

/// One request from connecting to its last byte.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// How much of an answer is read: its errors are short, and a stranger's may not be.
const ANSWER_MAX: usize = 64 * 1024;

/// Delivers to one server.
pub struct Librato {
    client: reqwest::Client,
    endpoint: Url,
    settings: Settings,
}

/// What a try to deliver came to.
#[derive(Debug)]
enum Answer {
    /// That many were refused; the rest is taken.
    Taken { refused: u64, why: String },
    /// Sending the same again would be refused again.
    Refused(String),
    /// It may be taken later.
    Later(String),
}

/// Without the credentials, which belong in no log.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Settings");
        debug
            .field("url", &self.url.as_str())
            .field("api", &self.api);
        debug.finish_non_exhaustive()
    }
}

impl Librato {
    /// # Errors
    ///
    /// When the system's certificates cannot be used, or `url` cannot be a base.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let mut client = reqwest::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            // Following one would turn the POST into a GET, whose answer means nothing.
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&settings.url) {
            // A proxy in the environment cannot reach this machine's own addresses.
            client = client.no_proxy();
        }
        let client = client
            .build()
            .map_err(|error| format!("cannot prepare the HTTP client: {}", chain(&error)))?;
        Ok(Librato {
            client,
            endpoint: endpoint(&settings.url, settings.api),
            settings,
        })
    }

    /// Where it delivers to.
    pub fn target(&self) -> String {
        self.endpoint.to_string()
    }

    /// Delivers what comes until the outbox is closed and empty.
    pub async fn run(&self, outbox: &Outbox) {
        while let Some(chunk) = outbox.next(self.settings.api.chunk()).await {
            self.deliver(&chunk, outbox.sink()).await;
        }
    }

    /// Sends one chunk until it is taken or refused for good.
    async fn deliver(&self, chunk: &[Measurement], sink: &Sink) {
        let Body { json, left_out } = body::of(self.settings.api, chunk);
        for same in &left_out {
            tracing::warn!(target = %sink.target, "{same}");
        }
        let (count, left_out) = (chunk.len() as u64, left_out.len() as u64);
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_RETRY)
            .with_max_delay(LAST_RETRY)
            .with_jitter()
            .without_max_times()
            .build();
        let refused = loop {
            match self.send(&json).await {
                Answer::Taken { refused, why } => {
                    if refused > 0 {
                        tracing::error!(target = %sink.target, refused, why, "the sink refused measurements");
                    }
                    if !sink.accepts() {
                        tracing::info!(target = %sink.target, "the sink takes measurements again");
                    }
                    sink.succeeded();
                    break refused + left_out;
                }
                Answer::Refused(why) => {
                    tracing::error!(target = %sink.target, refused = count, why, "the sink refused measurements");
                    // The sink is well again when it takes something.
                    sink.failed(why);
                    break count;
                }
                Answer::Later(why) => {
                    if sink.accepts() {
                        tracing::warn!(target = %sink.target, why, "the sink does not take measurements; retrying");
                    }
                    sink.failed(why);
                    tokio::time::sleep(pauses.next().unwrap_or(LAST_RETRY)).await;
                }
            }
        };
        let refused = refused.min(count);
        sink.queued.sub(count);
        sink.rejected.add(refused);
        sink.delivered.add(count - refused);
    }

    async fn send(&self, body: &serde_json::Value) -> Answer {
        let mut request = self.client.post(self.endpoint.clone()).json(body);
        if let Some((user, token)) = &self.settings.credentials {
            request = request.basic_auth(user, Some(token));
        }
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Answer::Later(chain(&error.without_url())),
        };
        let status = response.status();
        let mut text = Vec::new();
        while text.len() < ANSWER_MAX {
            match response.chunk().await {
                Ok(Some(chunk)) => text.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Answer::Later(chain(&error.without_url())),
            }
        }
        judge(status, &String::from_utf8_lossy(&text))
    }
}

/// Reads an answer. A body of a refusal names what was wrong; of a success on
/// `/v1/measurements`, a list `errors` names items that were refused all the same.
fn judge(status: StatusCode, text: &str) -> Answer {
    let shown = || {
        format!(
            "{status}: {}",
            text.trim().chars().take(300).collect::<String>()
        )
    };
    if status.is_success() {
        let errors = serde_json::from_str::<serde_json::Value>(text).ok();
        let errors = errors
            .as_ref()
            .and_then(|body| body.get("errors")?.as_array());
        let refused = errors.map_or(0, |errors| errors.len() as u64);
        return Answer::Taken {
            refused,
            why: if refused > 0 { shown() } else { String::new() },
        };
    }
    // The API's rate limit on /v1/metrics is a 403 that says so.
    let limited = status == StatusCode::FORBIDDEN && text.contains("limit");
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    // These are not about the measurements but about where they were sent and as whom:
    // mended on the far side or by a restart, and what waits must not be lost meanwhile.
    let address = [
        StatusCode::UNAUTHORIZED,
        StatusCode::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED,
    ];
    if status.is_server_error() || passing.contains(&status) || limited {
        Answer::Later(shown())
    } else if status.is_redirection() || address.contains(&status) {
        Answer::Later(format!("{} (check the sink's url and token)", shown()))
    } else {
        Answer::Refused(shown())
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The URL of the API's route below `base`, with or without a slash at its end.
fn endpoint(base: &Url, api: Api) -> Url {
    let mut url = base.clone();
    let path = format!("{}/{}", base.path().trim_end_matches('/'), api.path());
    url.set_path(&path);
    url
}

/// An error and what caused it, in one line.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
