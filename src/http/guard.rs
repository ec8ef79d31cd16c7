//! Which requests are taken: with a token those that show it, and never one that a web
//! page of somebody else made a user's browser send.
//!
//! A browser can reach what its user can, loopback too, and any page it has open can make it
//! ask. What such a page can do is narrow, and each way leaves a mark:
//!
//! - It asks weir from its own site. Browsers say so in `Sec-Fetch-Site` (Fetch Metadata
//!   Request Headers, W3C), and in `Origin` (RFC 6454) where the page could read the answer
//!   or the request changes something.
//! - It points a name of its own at weir's address (DNS rebinding), so that for the browser
//!   weir is its own site. Then `Host` carries that name, which is not weir's. The browser
//!   shows no token to a name that it has none for, so with a token this is no way in.
//!
//! Programs send none of these headers but `Host`.

use super::auth::Token;
use crate::telemetry::{HttpRefusal, HttpServer};
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Who may ask, and under which names.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// `None` lets in everybody who reaches the address.
    pub token: Option<Token>,
    /// Names of weir, in lower case, beside those that are known: addresses, `localhost`, and
    /// names that nobody can own in the public DNS.
    pub names: Vec<String>,
}

/// Puts the guard before every route of `router`.
pub fn put_before(router: Router, access: Access, account: Arc<HttpServer>) -> Router {
    let guard = Guard { access, account };
    router.layer(middleware::from_fn_with_state(Arc::new(guard), check))
}

/// Whether it can be a name of weir, in `http.names`: the name alone, no port.
pub fn is_name(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= 253 && text.bytes().all(known)
}

struct Guard {
    access: Access,
    account: Arc<HttpServer>,
}

async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let access = &guard.access;
    match access.refusal(request.method(), request.uri(), request.headers()) {
        None => next.run(request).await,
        Some(why) => {
            guard.account.refused(why);
            refuse(request.method(), why)
        }
    }
}

impl Access {
    fn refusal(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<HttpRefusal> {
        let Ok(host) = host(uri, headers) else {
            return Some(HttpRefusal::Name);
        };
        if is_from_another_site(method, host.as_ref(), headers) {
            return Some(HttpRefusal::Site);
        }
        match &self.token {
            Some(token) => (!token.is_in(headers)).then_some(HttpRefusal::Token),
            // A browser always names the host.
            None => host
                .is_some_and(|host| !self.is_ours(host.host()))
                .then_some(HttpRefusal::Name),
        }
    }

    /// Whether a page can have come from this host only if weir sent it.
    fn is_ours(&self, host: &str) -> bool {
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        if bare.unwrap_or(host).parse::<IpAddr>().is_ok() {
            return true;
        }
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        // Names without a dot are given by the machine or its network; `localhost` (RFC 6761)
        // and `internal` (ICANN, 2024) are never delegated.
        !host.contains('.')
            || host.ends_with(".localhost")
            || host.ends_with(".internal")
            || self.names.iter().any(|name| name == host)
    }
}

/// Whom the request is addressed to; `None` where it does not say. `Err` where that cannot
/// be read, or is said twice.
fn host(uri: &Uri, headers: &HeaderMap) -> Result<Option<Authority>, ()> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match hosts.next() {
        Some(host) => Some(Authority::try_from(host.as_bytes()).map_err(|_| ())?),
        None => None,
    };
    if hosts.next().is_some() {
        return Err(());
    }
    // RFC 9112, section 3.2.2: a whole URL in the request line goes before `Host`.
    Ok(uri.authority().cloned().or(host))
}

fn is_from_another_site(method: &Method, host: Option<&Authority>, headers: &HeaderMap) -> bool {
    let is = |name: &HeaderName, value: &str| headers.get(name).is_some_and(|is| is == value);
    // Links to the page are welcome: who follows one sees weir, and the other page does not.
    let is_link =
        *method == Method::GET && is(&FETCH_MODE, "navigate") && is(&FETCH_DEST, "document");
    let fetched_here = !headers.contains_key(&FETCH_SITE)
        || is(&FETCH_SITE, "same-origin")
        || is(&FETCH_SITE, "none")
        || is_link;
    let of_here = headers.get(header::ORIGIN).is_none_or(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        // A proxy in front may speak TLS for weir.
        let named = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        named
            .zip(host)
            .is_some_and(|(named, host)| named.eq_ignore_ascii_case(host.as_str()))
    });
    !(fetched_here && of_here)
}

fn refuse(method: &Method, why: HttpRefusal) -> Response {
    let (status, message) = match why {
        // The words of the Librato API, which its clients know.
        HttpRefusal::Token => (StatusCode::UNAUTHORIZED, "Authorization Required"),
        HttpRefusal::Name => (
            StatusCode::MISDIRECTED_REQUEST,
            "the Host header names no host that weir is known by; hint: add the name to \
             `http.names` in weir.yaml, or set a token",
        ),
        _ => (
            StatusCode::FORBIDDEN,
            "a web page of another site asked for this; hint: open weir's own page instead",
        ),
    };
    let json = Json(json!({"errors": {"request": [message]}}));
    let mut response = match (why, method) {
        // Librato's API answers POST, for machines, in another form than the rest.
        (HttpRefusal::Token, &Method::POST) => {
            let kind = [(header::CONTENT_TYPE, "text/plain")];
            let text = "Credentials are required to access this resource.";
            (status, kind, text).into_response()
        }
        _ => (status, json).into_response(),
    };
    if status == StatusCode::UNAUTHORIZED {
        // Makes a browser ask for the token: any user name will do.
        let challenge = header::HeaderValue::from_static("Basic realm=\"weir\"");
        let headers = response.headers_mut();
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;

    fn access(token: Option<&str>) -> Access {
        Access {
            token: token.map(|token| Token::new(token).unwrap()),
            names: vec!["metrics.example.com".to_owned()],
        }
    }

    fn refusal(
        access: &Access,
        method: &str,
        uri: &str,
        headers: &[(&'static str, &str)],
    ) -> Option<HttpRefusal> {
        let headers = headers.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, value.parse().unwrap())
        });
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(name, value);
        }
        access.refusal(&method.parse().unwrap(), &uri.parse().unwrap(), &all)
    }

    #[test]
    fn without_a_token_weir_answers_only_to_names_that_nobody_else_can_own() {
        let open = access(None);
        for (host, ours) in [
            ("127.0.0.1:8420", true),
            ("192.0.2.7", true),
            ("[::1]:8420", true),
            ("localhost:8420", true),
            ("LOCALHOST", true),
            ("localhost.:8420", true),
            ("weir.localhost", true),
            ("weir:8420", true),
            ("metrics.internal:8420", true),
            ("Metrics.Example.Com:443", true),
            ("metrics.example.com.", true),
            ("example.com", false),
            ("127.0.0.1.example.com:8420", false),
            ("internal.example", false),
            ("metrics.example.com.evil.example", false),
            ("notmetrics.example.com", false),
            ("a b", false),
        ] {
            let found = refusal(&open, "POST", "/v1/metrics", &[("host", host)]);
            assert_eq!(found, (!ours).then_some(HttpRefusal::Name), "{host}");
        }
        assert_eq!(refusal(&open, "GET", "/", &[]), None);
        let twice = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(refusal(&open, "GET", "/", &twice), Some(HttpRefusal::Name));
        let whole = "http://evil.example/";
        let found = refusal(&open, "GET", whole, &[("host", "localhost")]);
        assert_eq!(found, Some(HttpRefusal::Name));
    }

    #[test]
    fn with_a_token_it_is_the_token_that_counts() {
        let closed = access(Some("s3cret"));
        let shown = ("authorization", "Bearer s3cret");
        let host = ("host", "weir.example.com");
        assert_eq!(refusal(&closed, "POST", "/", &[host, shown]), None);
        for headers in [&[host][..], &[host, ("authorization", "Bearer s3cre")]] {
            let found = refusal(&closed, "GET", "/", headers);
            assert_eq!(found, Some(HttpRefusal::Token));
        }
        // A browser sends the token that it knows along with what another page asks.
        let elsewhere = ("origin", "https://evil.example");
        let found = refusal(&closed, "POST", "/", &[host, shown, elsewhere]);
        assert_eq!(found, Some(HttpRefusal::Site));
    }

    #[test]
    fn no_page_of_another_site_asks_through_a_browser() {
        let fetch = |site, mode, dest| {
            vec![
                ("sec-fetch-site", site),
                ("sec-fetch-mode", mode),
                ("sec-fetch-dest", dest),
            ]
        };
        for (method, headers, taken) in [
            ("POST", vec![], true),
            ("GET", fetch("same-origin", "cors", "empty"), true),
            ("GET", fetch("none", "navigate", "document"), true),
            ("GET", fetch("cross-site", "navigate", "document"), true),
            ("POST", fetch("cross-site", "navigate", "document"), false),
            ("GET", fetch("cross-site", "navigate", "iframe"), false),
            ("GET", fetch("cross-site", "no-cors", "image"), false),
            // Another port of this machine.
            ("GET", fetch("same-site", "cors", "empty"), false),
            ("POST", fetch("cross-site", "no-cors", "empty"), false),
            ("POST", vec![("origin", "http://localhost:8420")], true),
            ("POST", vec![("origin", "https://LocalHost:8420")], true),
            ("POST", vec![("origin", "http://localhost:3000")], false),
            ("POST", vec![("origin", "http://evil.example")], false),
            ("POST", vec![("origin", "null")], false),
            ("DELETE", vec![("origin", "file://")], false),
        ] {
            let mut all = vec![("host", "localhost:8420")];
            all.extend(headers);
            let found = refusal(&access(None), method, "/v1/metrics", &all);
            assert_eq!(
                found,
                (!taken).then_some(HttpRefusal::Site),
                "{method} {all:?}"
            );
        }
    }

    #[test]
    fn a_name_is_a_name_alone() {
        for (text, is) in [
            ("metrics.example.com", true),
            ("weir", true),
            ("", false),
            ("http://weir", false),
            ("weir:8420", false),
            ("weir/", false),
        ] {
            assert_eq!(is_name(text), is, "{text}");
        }
    }

    #[tokio::test]
    async fn who_shows_no_token_is_told_in_the_words_that_clients_know() {
        for (method, kind, text) in [
            (
                Method::GET,
                "application/json",
                r#"{"errors":{"request":["Authorization Required"]}}"#,
            ),
            (
                Method::POST,
                "text/plain",
                "Credentials are required to access this resource.",
            ),
        ] {
            let answer = refuse(&method, HttpRefusal::Token);
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(answer.headers()[header::CONTENT_TYPE], kind);
            let body = to_bytes(answer.into_body(), 1000).await.unwrap();
            assert_eq!(body, text);
        }
    }
}
