//! One request and its answer.

use super::below;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode, Url};
use std::error::Error as _;
use std::time::Duration;

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

/// A server, over the network.
pub struct Client {
    base: Url,
    /// User and password.
    credentials: Option<(String, String)>,
    /// How much of an answer is read: a stranger's may be of any length.
    answer_max: usize,
    client: reqwest::Client,
}

impl Client {
    /// # Errors
    ///
    /// When the system's certificates cannot be used.
    pub fn new(
        base: &Url,
        credentials: Option<(String, String)>,
        timeout: Duration,
        answer_max: usize,
    ) -> Result<Client, String> {
        let mut client = reqwest::Client::builder()
            .timeout(timeout)
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            // Following one would turn the POST into a GET, whose answer means nothing.
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(base) {
            // A proxy in the environment cannot reach this machine's own addresses.
            client = client.no_proxy();
        }
        let client = client
            .build()
            .map_err(|error| format!("cannot prepare the HTTP client: {}", chain(&error)))?;
        Ok(Client {
            base: base.clone(),
            credentials,
            answer_max,
            client,
        })
    }

    /// The URL of a route, with its query.
    pub fn below(&self, route: &str) -> Url {
        let (path, query) = match route.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (route, None),
        };
        let mut url = below(&self.base, path);
        url.set_query(query);
        url
    }

    /// Sends a request, with JSON if it has a body. The error says in one line why there was
    /// no answer.
    pub async fn send(
        &self,
        method: Method,
        url: Url,
        json: Option<Vec<u8>>,
    ) -> Result<Reply, String> {
        let mut request = self.client.request(method, url);
        if let Some(json) = json {
            request = request.body(json).header(CONTENT_TYPE, "application/json");
        }
        if let Some((user, token)) = &self.credentials {
            request = request.basic_auth(user, Some(token));
        }
        let failed = |error: reqwest::Error| chain(&error.without_url());
        let mut response = request.send().await.map_err(failed)?;
        let mut text = Vec::new();
        while text.len() < self.answer_max {
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

impl Transport for Client {
    async fn post(&self, url: Url, json: Vec<u8>) -> Result<Reply, String> {
        self.send(Method::POST, url, Some(json)).await
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
