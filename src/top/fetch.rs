//! The edge towards weir: a stream that is followed for ever, and single questions.

use super::address::Address;
use super::model::{Answer, Ask, News};
use super::sse::{Event, Events};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// weir speaks once a second; after this long without a word the connection is lost, be it
/// that nobody says so.
const SILENCE: Duration = Duration::from_secs(5);
/// Waits before a connection is tried again; the last one repeats.
const DELAYS: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// For an answer to a question.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Bytes of an answer.
const ANSWER_MAX: usize = 64 << 20;
/// Bytes of an answer that refuses.
const REFUSAL_MAX: usize = 4096;

/// Why weir does not answer, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("it answers 401, as it asks for a token and {}", if *.shown { "WEIR_TOKEN holds another one" } else { "WEIR_TOKEN is not set" })]
    Token {
        /// One was shown.
        shown: bool,
    },
    #[error("it answers {status}{}{said}", if .said.is_empty() { "" } else { ": " })]
    Refused { status: u16, said: String },
    #[error("{0}")]
    NotWeir(String),
    #[error("{0}")]
    Unreachable(String),
}

impl Failure {
    /// Whether it may answer later although nothing is changed.
    pub fn is_passing(&self) -> bool {
        match self {
            Failure::Unreachable(_) => true,
            Failure::Refused { status, .. } => *status >= 500,
            Failure::Token { .. } | Failure::NotWeir(_) => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Failure::Token { .. } => {
                "set WEIR_TOKEN to the token that the weir asks for: the value of the variable \
                 that its http.token_env names"
            }
            Failure::Refused { .. } | Failure::NotWeir(_) => {
                "--url names the address at which the page of `weir serve` answers, such as \
                 http://127.0.0.1:8420"
            }
            Failure::Unreachable(_) => {
                "is it running? `weir serve` logs the address that it listens at for http; \
                 --url says another one than http://127.0.0.1:8420"
            }
        }
    }
}

/// Asks one weir.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: Address,
    token: Option<String>,
}

/// The stream of events, open.
pub struct Stream {
    response: reqwest::Response,
    events: Events,
}

impl Client {
    /// # Errors
    ///
    /// When the system's certificates cannot be used.
    pub fn new(address: Address, token: Option<String>) -> Result<Client, String> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(SILENCE)
            .user_agent(concat!("weir-top/", env!("CARGO_PKG_VERSION")))
            // The token is for this address alone.
            .redirect(reqwest::redirect::Policy::none());
        if address.is_loopback() {
            // A proxy in the environment cannot reach this machine's own addresses.
            http = http.no_proxy();
        }
        let http = http
            .build()
            .map_err(|error| format!("cannot prepare the HTTP client: {}", cause(&error)))?;
        Ok(Client {
            http,
            address,
            token,
        })
    }

    /// Opens the stream.
    pub async fn open(&self) -> Result<Stream, Failure> {
        let response = timeout(SILENCE, self.get(&["live"], &[], "text/event-stream"))
            .await
            .map_err(|_| Failure::Unreachable(format!("no answer within {SILENCE:?}")))??;
        let kind = response.headers().get(reqwest::header::CONTENT_TYPE);
        if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            let what = "it answers, but not as weir does".to_owned();
            return Err(Failure::NotWeir(what));
        }
        Ok(Stream {
            response,
            events: Events::default(),
        })
    }

    /// Asks one question.
    pub async fn ask(&self, ask: Ask) -> Answer {
        match ask {
            Ask::Charts(ask) => {
                let (from, to) = (ask.from.to_string(), ask.to.to_string());
                let query = [("rule", &*ask.rule), ("from", &from), ("to", &to)];
                let charts = self.json(&["services", &ask.service], &query).await;
                Answer::Charts(ask, charts)
            }
            Ask::Rejects(version) => Answer::Rejects(version, self.json(&["rejects"], &[]).await),
        }
    }

    async fn json<T: DeserializeOwned>(
        &self,
        parts: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, String> {
        let asked = async {
            let response = self.get(parts, query, "application/json").await;
            let response = response.map_err(|failure| failure.to_string())?;
            read(response, ANSWER_MAX).await
        };
        let body = timeout(ANSWER_WITHIN, asked).await;
        let body = body.map_err(|_| format!("no answer within {ANSWER_WITHIN:?}"))??;
        serde_json::from_slice(&body).map_err(|error| unreadable(&error))
    }

    async fn get(
        &self,
        parts: &[&str],
        query: &[(&str, &str)],
        accept: &str,
    ) -> Result<reqwest::Response, Failure> {
        let mut url = self.address.api(parts);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.get(url).header(reqwest::header::ACCEPT, accept);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await;
        let response = response.map_err(|error| Failure::Unreachable(cause(&error)))?;
        let status = response.status();
        if status == reqwest::StatusCode::UNAUTHORIZED {
            let shown = self.token.is_some();
            return Err(Failure::Token { shown });
        }
        if status.is_success() {
            return Ok(response);
        }
        let location = response.headers().get(reqwest::header::LOCATION);
        let location = location.map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
        let said = match location {
            Some(location) if status.is_redirection() => format!("it is at {location}"),
            _ => said(&read(response, REFUSAL_MAX).await.unwrap_or_default()),
        };
        Err(Failure::Refused {
            status: status.as_u16(),
            said,
        })
    }
}

impl Stream {
    /// The next events, once there are any.
    pub async fn next(&mut self) -> Result<Vec<Event>, Failure> {
        loop {
            let chunk = timeout(SILENCE, self.response.chunk()).await;
            let chunk = match chunk {
                Err(_) => {
                    let why = format!("no word for {SILENCE:?}");
                    return Err(Failure::Unreachable(why));
                }
                Ok(Err(error)) => return Err(Failure::Unreachable(cause(&error))),
                Ok(Ok(None)) => {
                    let why = "the connection was closed".to_owned();
                    return Err(Failure::Unreachable(why));
                }
                Ok(Ok(Some(chunk))) => chunk,
            };
            let events = self.events.push(&chunk);
            let events = events.map_err(|error| Failure::NotWeir(error.to_string()))?;
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }
}

/// Follows the stream for ever, and opens it again when it breaks, until nobody wants to
/// know any more.
pub async fn follow(client: Client, mut stream: Stream, news: mpsc::Sender<News>) {
    let mut tries = 0;
    loop {
        let Some(mut failure) = follow_one(&mut stream, &news, &mut tries).await else {
            return;
        };
        stream = loop {
            let retry_in = DELAYS[tries.min(DELAYS.len() - 1)];
            tries += 1;
            let why = failure.to_string();
            if news.send(News::Lost { why, retry_in }).await.is_err() {
                return;
            }
            tokio::time::sleep(retry_in).await;
            match client.open().await {
                Ok(stream) => break stream,
                Err(again) => failure = again,
            }
        };
    }
}

/// Until it breaks; `None`: nobody listens any more.
async fn follow_one(
    stream: &mut Stream,
    news: &mpsc::Sender<News>,
    tries: &mut usize,
) -> Option<Failure> {
    loop {
        let events = match stream.next().await {
            Ok(events) => events,
            Err(failure) => return Some(failure),
        };
        for event in events {
            let decoded = match decode(&event) {
                Ok(decoded) => decoded,
                Err(why) => return Some(Failure::NotWeir(why)),
            };
            *tries = 0;
            if let Some(decoded) = decoded
                && news.send(decoded).await.is_err()
            {
                return None;
            }
        }
    }
}

/// `None`: nothing that is shown here.
fn decode(event: &Event) -> Result<Option<News>, String> {
    let data = &event.data;
    let read = match &*event.name {
        "services" => serde_json::from_str(data).map(News::Services),
        "pipeline" => serde_json::from_str(data).map(News::Pipeline),
        _ => return Ok(None),
    };
    read.map(Some).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> String {
    let own = env!("CARGO_PKG_VERSION");
    format!("its answer cannot be read, is it a weir of another version than {own}? {error}")
}

/// weir's own words in an answer that refuses; of a stranger's, nothing.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let refusal = serde_json::from_slice::<Refusal>(body);
    refusal.map(|refusal| refusal.error).unwrap_or_default()
}

async fn read(mut response: reqwest::Response, most: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        match chunk.map_err(|error| cause(&error))? {
            None => return Ok(body),
            Some(chunk) if body.len() + chunk.len() > most => {
                return Err(format!("an answer of more than {most} bytes"));
            }
            Some(chunk) => body.extend_from_slice(&chunk),
        }
    }
}

/// What an error comes from in the end: that is what tells, such as "Connection refused".
fn cause(error: &reqwest::Error) -> String {
    let mut root: &dyn std::error::Error = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    // The number of an error of the system tells no more than its words.
    let told = root.to_string();
    let words = told.split_once(" (os error ");
    words.map(|(words, _)| words.to_owned()).unwrap_or(told)
}
