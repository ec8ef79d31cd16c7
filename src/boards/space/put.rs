//! Makes a Space on a server what it shall be: asks what is there, and makes or changes what
//! is missing or differs. Doing it again changes nothing.
//!
//! Charts of the Space that are none of these stay: people may have made them.

use super::{Chart, same_name};
use crate::sink::librato::{Client, Reply};
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};
use std::fmt;

/// Spaces of one page; the API gives no more.
const PAGE: usize = 100;
/// Pages of Spaces that are looked through; a server with more is not what it seems.
const PAGES_MAX: usize = 100;
/// Characters of an answer that are shown.
const SHOWN_MAX: usize = 300;

/// What was done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Put {
    pub id: u64,
    /// Whether the Space was not there before.
    pub made: bool,
    /// Charts that were made, changed, and as they should be.
    pub added: usize,
    pub changed: usize,
    pub unchanged: usize,
    /// The names of others that are in it.
    pub others: Vec<String>,
}

/// Why it was not done, or not to the end.
#[derive(Debug)]
pub struct PutError {
    /// What was asked.
    method: Method,
    url: Url,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// There was no answer.
    Unreachable(String),
    /// The answer is not what was hoped for; with its words.
    Refused(StatusCode, String),
    /// It is not what the API would say.
    NotTheApi(String),
}

impl fmt::Display for PutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.method, self.url)?;
        match &self.why {
            Why::Unreachable(why) => write!(f, "no answer: {why}")?,
            Why::Refused(status, said) if said.is_empty() => write!(f, "{status}")?,
            Why::Refused(status, said) => write!(f, "{status}: {said}")?,
            Why::NotTheApi(why) => write!(f, "this is no answer of Librato's API: {why}")?,
        }
        match self.hint() {
            Some(hint) => write!(f, "\n\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PutError {}

impl PutError {
    fn hint(&self) -> Option<&'static str> {
        match &self.why {
            Why::Unreachable(_) => Some(
                "is the server running? name another one with `--librato URL`; weir itself is such a server: `weir serve`, or `weir librato`",
            ),
            Why::NotTheApi(_) => Some(
                "name the base of a server with Librato's API, such as `http://metrics.internal:8420`",
            ),
            Why::Refused(status, _) => match *status {
                StatusCode::UNAUTHORIZED => Some(
                    "set LIBRATO_EMAIL and LIBRATO_TOKEN, or what `email_env` and `token_env` of sinks.librato name; of a weir the token is that of its `http.token_env`, and any e-mail will do",
                ),
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Some(
                    "this server has no Spaces at that address: is it the base of one with Librato's API, or of a weir that is older than Spaces?",
                ),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    Some("run it again in a while: it goes on where it stopped")
                }
                status if status.is_redirection() => {
                    Some("redirects are not followed: name the address that it leads to")
                }
                _ => None,
            },
        }
    }
}

/// Makes the Space of that name have these charts, and itself if there is none.
///
/// # Errors
///
/// When the server cannot be reached, or refuses something. What was done until then stays;
/// doing it again goes on from there.
pub async fn put(client: &Client, name: &str, charts: &[Chart]) -> Result<Put, PutError> {
    let server = Server { client };
    let mut done = Put::default();
    done.id = match server.find(name).await? {
        Some(id) => id,
        None => {
            done.made = true;
            let space = json!({"name": name, "tags": true});
            let (url, answer) = server.send(Method::POST, "v1/spaces", Some(&space)).await?;
            id_of(&answer).ok_or_else(|| no_api(Method::POST, url, "it has no `id`"))?
        }
    };
    let path = format!("v1/spaces/{}/charts", done.id);
    let (url, there) = server.send(Method::GET, &path, None).await?;
    let Value::Array(there) = there else {
        return Err(no_api(Method::GET, url, "it is no list of charts"));
    };
    for chart in charts {
        let named = |there: &&Value| same_name(&chart.name, there["name"].as_str().unwrap_or(""));
        match there.iter().find(named) {
            Some(known) if chart.is(known) => done.unchanged += 1,
            Some(known) => {
                let id = id_of(known)
                    .ok_or_else(|| no_api(Method::GET, url.clone(), "a chart has no `id`"))?;
                let path = format!("{path}/{id}");
                server.send(Method::PUT, &path, Some(&chart.body)).await?;
                done.changed += 1;
            }
            None => {
                server.send(Method::POST, &path, Some(&chart.body)).await?;
                done.added += 1;
            }
        }
    }
    let names = there.iter().filter_map(|there| there["name"].as_str());
    let others = names.filter(|name| !charts.iter().any(|chart| same_name(&chart.name, name)));
    done.others = others.map(str::to_owned).collect();
    Ok(done)
}

struct Server<'a> {
    client: &'a Client,
}

impl Server<'_> {
    /// The id of the Space of that name.
    async fn find(&self, name: &str) -> Result<Option<u64>, PutError> {
        for page in 0..PAGES_MAX {
            let offset = page * PAGE;
            let query: String = url_query(name);
            let path = format!("v1/spaces?name={query}&offset={offset}&length={PAGE}");
            let (url, answer) = self.send(Method::GET, &path, None).await?;
            let Some(spaces) = answer["spaces"].as_array() else {
                return Err(no_api(Method::GET, url, "it has no list `spaces`"));
            };
            let named = |space: &&Value| same_name(space["name"].as_str().unwrap_or(""), name);
            if let Some(space) = spaces.iter().find(named) {
                let id = id_of(space);
                return match id {
                    Some(id) => Ok(Some(id)),
                    None => Err(no_api(Method::GET, url, "a space has no `id`")),
                };
            }
            if spaces.len() < PAGE {
                break;
            }
        }
        Ok(None)
    }

    /// The answer of a success; `null` where it is empty.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(Url, Value), PutError> {
        let url = self.client.below(path);
        let json = body.map(|body| body.to_string().into_bytes());
        let sent = self.client.send(method.clone(), url.clone(), json).await;
        let Reply { status, text, .. } = sent.map_err(|why| PutError {
            method: method.clone(),
            url: url.clone(),
            why: Why::Unreachable(why),
        })?;
        if !status.is_success() {
            let said = text.trim().chars().take(SHOWN_MAX).collect();
            let why = Why::Refused(status, said);
            return Err(PutError { method, url, why });
        }
        match text.trim() {
            "" => Ok((url, Value::Null)),
            text => match serde_json::from_str(text) {
                Ok(answer) => Ok((url, answer)),
                Err(why) => Err(no_api(method, url, &why.to_string())),
            },
        }
    }
}

fn no_api(method: Method, url: Url, why: &str) -> PutError {
    let why = Why::NotTheApi(why.to_owned());
    PutError { method, url, why }
}

fn id_of(answer: &Value) -> Option<u64> {
    answer["id"].as_u64()
}

fn url_query(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
