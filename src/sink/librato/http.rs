//! One request and its answer.

use super::Settings;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, StatusCode, Url};
use std::error::Error as _;

/// How much of an answer is read: its errors are short, and a stranger's may not be.
const ANSWER_MAX: usize = 64 * 1024;

/// What carries requests to the far side.
pub trait Transport: Send + Sync {
    /// Posts JSON. The error says in one line why there was no answer.
    fn post(&self, url: Url, json: Vec<u8>) -> impl Future<Output = Result<Reply, String>> + Send;
}

/// What the far side answered.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

/// The network.
pub struct Http {
    client: Client,
    /// User and password.
    credentials: Option<(String, String)>,
}

impl Http {
    /// # Errors
    ///
    /// When the system's certificates cannot be used.
    pub fn new(settings: &Settings) -> Result<Http, String> {
        let mut client = Client::builder()
            .timeout(settings.breaker.timeout)
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
        Ok(Http {
            client,
            credentials: settings.credentials.clone(),
        })
    }
}

impl Transport for Http {
    async fn post(&self, url: Url, json: Vec<u8>) -> Result<Reply, String> {
        let request = self.client.post(url).body(json);
        let mut request = request.header(CONTENT_TYPE, "application/json");
        if let Some((user, token)) = &self.credentials {
            request = request.basic_auth(user, Some(token));
        }
        let failed = |error: reqwest::Error| chain(&error.without_url());
        let mut response = request.send().await.map_err(failed)?;
        let mut text = Vec::new();
        while text.len() < ANSWER_MAX {
            match response.chunk().await.map_err(failed)? {
                Some(chunk) => text.extend_from_slice(&chunk),
                None => break,
            }
        }
        Ok(Reply {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            text: String::from_utf8_lossy(&text).into_owned(),
        })
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
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
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_the_world() {
        for (url, loopback) in [
            ("http://127.0.0.1:8420", true),
            ("http://localhost", true),
            ("http://[::1]:8420", true),
            ("http://127.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), loopback, "{url}");
        }
    }
}
