//! Any server with Librato's API: measurements pushed in chunks, annotations one by one,
//! retried until taken.

mod body;

use super::Outbox;
use crate::metric::Measurement;
use crate::telemetry::{Deliveries, Sink};
use backon::{BackoffBuilder, ExponentialBuilder};
use body::Body;
use reqwest::{StatusCode, Url};
use std::error::Error as _;
use std::fmt;
use std::time::Duration;

/// Which of the API's two data models is written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// `POST /v1/measurements`: series have tags.
    #[default]
    Measurements,
    /// `POST /v1/metrics`: series have one source, made of the tags' values.
    Metrics,
}

impl Api {
    /// As `weir.yaml` has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Api::Measurements => "measurements",
            Api::Metrics => "metrics",
        }
    }

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
#[derive(Clone, PartialEq)]
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

/// Annotations taken from the outbox at a time.
const ANNOTATIONS_CHUNK: usize = 100;

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
            endpoint: below(&settings.url, settings.api.path()),
            settings,
        })
    }

    /// Where it delivers to.
    pub fn target(&self) -> String {
        self.endpoint.to_string()
    }

    /// Delivers what comes until the outbox is closed and empty. Annotations go beside the
    /// measurements: neither waits while the server does not take the other.
    pub async fn run(&self, outbox: &Outbox) {
        tokio::join!(self.measurements(outbox), self.annotations(outbox));
    }

    async fn measurements(&self, outbox: &Outbox) {
        while let Some(chunk) = outbox.next(self.settings.api.chunk()).await {
            self.deliver(&chunk, outbox.sink()).await;
        }
    }

    /// One request each, as the API has it.
    async fn annotations(&self, outbox: &Outbox) {
        let sink = outbox.sink();
        while let Some(chunk) = outbox.next_annotations(ANNOTATIONS_CHUNK).await {
            for annotation in &chunk {
                let (stream, json) = body::annotation(annotation);
                let url = below(&self.settings.url, &format!("v1/annotations/{stream}"));
                let refused = match self.settle(What::Annotations, url, &json, sink).await {
                    Ok(_) => 0,
                    Err(_) => 1,
                };
                sink.annotations.queued.sub(1);
                sink.annotations.rejected.add(refused);
                sink.annotations.delivered.add(1 - refused);
            }
        }
    }

    /// Sends one chunk until it is taken or refused for good.
    async fn deliver(&self, chunk: &[Measurement], sink: &Sink) {
        let Body { json, left_out } = body::of(self.settings.api, chunk);
        for same in &left_out {
            tracing::warn!(target = %sink.target, "{same}");
        }
        let (count, left_out) = (chunk.len() as u64, left_out.len() as u64);
        let endpoint = self.endpoint.clone();
        let settled = self.settle(What::Measurements, endpoint, &json, sink).await;
        let refused = match settled {
            Ok(refused) => refused + left_out,
            Err(why) => {
                // The sink is well again when it takes something.
                sink.measurements.failed(why);
                count
            }
        };
        let refused = refused.min(count);
        sink.measurements.queued.sub(count);
        sink.measurements.rejected.add(refused);
        sink.measurements.delivered.add(count - refused);
    }

    /// Sends a body until it is taken, which gives how many items of it were refused, or
    /// refused for good, which gives why.
    async fn settle(
        &self,
        what: What,
        url: Url,
        json: &serde_json::Value,
        sink: &Sink,
    ) -> Result<u64, String> {
        let counters = what.counters(sink);
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_RETRY)
            .with_max_delay(LAST_RETRY)
            .with_jitter()
            .without_max_times()
            .build();
        loop {
            match self.send(what, url.clone(), json).await {
                Answer::Taken { refused, why } => {
                    if refused > 0 {
                        tracing::error!(target = %sink.target, refused, why, "the sink refused {what}");
                    }
                    if !counters.accepts() {
                        tracing::info!(target = %sink.target, "the sink takes {what} again");
                    }
                    counters.succeeded();
                    return Ok(refused);
                }
                Answer::Refused(why) => {
                    tracing::error!(target = %sink.target, why, "the sink refused {what}");
                    return Err(why);
                }
                Answer::Later(why) => {
                    if counters.accepts() {
                        tracing::warn!(target = %sink.target, why, "the sink does not take {what}; retrying");
                    }
                    counters.failed(why);
                    tokio::time::sleep(pauses.next().unwrap_or(LAST_RETRY)).await;
                }
            }
        }
    }

    async fn send(&self, what: What, url: Url, body: &serde_json::Value) -> Answer {
        let mut request = self.client.post(url).json(body);
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
        judge(what, status, &String::from_utf8_lossy(&text))
    }
}

/// What a request carries.
#[derive(Clone, Copy)]
enum What {
    Measurements,
    Annotations,
}

impl What {
    fn counters(self, sink: &Sink) -> &Deliveries {
        match self {
            What::Measurements => &sink.measurements,
            What::Annotations => &sink.annotations,
        }
    }

    /// Answers that are not about what was sent but about where and as whom: mended on
    /// the far side or by a restart, and what waits must not be lost meanwhile. A server
    /// may well take measurements and have no annotations, though.
    fn address_errors(self) -> &'static [StatusCode] {
        match self {
            What::Measurements => &[
                StatusCode::UNAUTHORIZED,
                StatusCode::NOT_FOUND,
                StatusCode::METHOD_NOT_ALLOWED,
            ],
            What::Annotations => &[StatusCode::UNAUTHORIZED],
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            What::Measurements => "measurements",
            What::Annotations => "annotations",
        })
    }
}

/// Reads an answer. A body of a refusal names what was wrong; of a success on
/// `/v1/measurements`, a list `errors` names items that were refused all the same.
fn judge(what: What, status: StatusCode, text: &str) -> Answer {
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
    if status.is_server_error() || passing.contains(&status) || limited {
        Answer::Later(shown())
    } else if status.is_redirection() || what.address_errors().contains(&status) {
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

/// The URL of a route below `base`, with or without a slash at its end.
fn below(base: &Url, route: &str) -> Url {
    let mut url = base.clone();
    let path = format!("{}/{route}", base.path().trim_end_matches('/'));
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
