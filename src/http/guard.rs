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
//!
//! `/healthz` is left alone: it tells nothing, and orchestrators ask it under any name and
//! without a token. They ask `/readyz` under any name too.

use super::Mode;
use super::auth::Token;
use crate::rare::Rare;
use crate::telemetry::{HttpRefusal, HttpServer};
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Bytes of a header that are repeated in a log or an answer, before they are escaped.
const SHOWN_MAX: usize = 100;

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

/// Puts the guard before every route of `router`, and before its fallback. What to do about
/// a refusal depends on `mode`.
pub fn put_before(router: Router, access: Access, mode: Mode, account: Arc<HttpServer>) -> Router {
    let guard = Guard {
        access,
        mode,
        account,
        names_told: Rare::default(),
        sites_told: Rare::default(),
    };
    router.layer(middleware::from_fn_with_state(Arc::new(guard), check))
}

/// Whether it can be a name of weir, in `http.names`: the name alone, no port.
pub fn is_name(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= 253 && text.bytes().all(known)
}

struct Guard {
    access: Access,
    mode: Mode,
    account: Arc<HttpServer>,
    names_told: Rare,
    sites_told: Rare,
}

async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    match guard.access.refusal(method, uri, headers) {
        None => next.run(request).await,
        Some(why) => {
            guard.account.refused(why);
            guard.tell(uri, headers, why);
            refuse(method, why, &Asked { uri, headers }, guard.mode)
        }
    }
}

impl Guard {
    /// Says in the log who was refused for how weir was asked. Wrong tokens are counted
    /// alone: whoever guesses them would decide what the log says.
    fn tell(&self, uri: &Uri, headers: &HeaderMap, why: HttpRefusal) {
        let rare = match why {
            HttpRefusal::Name => &self.names_told,
            HttpRefusal::Site => &self.sites_told,
            _ => return,
        };
        let Some(requests) = rare.pass(1) else {
            return;
        };
        let host = Asked { uri, headers };
        match why {
            HttpRefusal::Name => tracing::warn!(
                %host,
                requests,
                "HTTP requests refused: weir is not known by that host; hint: {}",
                name_hint(self.mode)
            ),
            _ => tracing::warn!(
                %host,
                origin = %Shown(headers.get(header::ORIGIN).map_or(&[], |origin| origin.as_bytes())),
                requests,
                "HTTP requests refused: a web page of another site made them"
            ),
        }
    }
}

impl Access {
    fn refusal(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<HttpRefusal> {
        if uri.path() == "/healthz" {
            return None;
        }
        let any_name = uri.path() == "/readyz";
        let host = match host(uri, headers) {
            Ok(host) => host,
            Err(()) if any_name => None,
            Err(()) => return Some(HttpRefusal::Name),
        };
        if is_from_another_site(method, host.as_ref(), headers) {
            return Some(HttpRefusal::Site);
        }
        match &self.token {
            Some(token) => (!token.is_in(headers)).then_some(HttpRefusal::Token),
            None if any_name => None,
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
        // Names without a dot are given by the machine or its network.
        !host.contains('.')
            || PRIVATE_DOMAINS.iter().any(|domain| is_below(host, domain))
            || self.names.iter().any(|name| name == host)
    }
}

/// Domains in which nobody can own a name in the public DNS, because a standard or ICANN
/// keeps them out of it. Others that networks use, such as `lan` and `svc`, are not here:
/// they do not exist in it today, and nothing says that they never will.
const PRIVATE_DOMAINS: [&str; 5] = [
    // RFC 6761.
    "localhost",
    "test",
    // RFC 6762; Kubernetes' `svc.cluster.local` is in it.
    "local",
    // RFC 8375.
    "home.arpa",
    // ICANN, 2024.
    "internal",
];

fn is_below(host: &str, domain: &str) -> bool {
    let rest = host.strip_suffix(domain);
    rest.is_some_and(|rest| rest.ends_with('.'))
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
        host.is_some_and(|host| is_origin_of(origin, host.as_str()))
    });
    !(fetched_here && of_here)
}

/// Whether a page of this origin was asked from this host. A proxy in front may speak TLS
/// for weir, and may name the port that the origin leaves out.
fn is_origin_of(origin: &str, host: &str) -> bool {
    let schemes = [("https://", ":443"), ("http://", ":80")];
    schemes.into_iter().any(|(scheme, default_port)| {
        let bare = |authority: &str| {
            let bare = authority.strip_suffix(default_port).unwrap_or(authority);
            bare.to_ascii_lowercase()
        };
        let named = origin.strip_prefix(scheme);
        named.is_some_and(|named| bare(named) == bare(host))
    })
}

/// The host that a request was for, as it says.
struct Asked<'a> {
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(authority) = self.uri.authority() {
            return Shown(authority.as_str().as_bytes()).fmt(f);
        }
        for (n, host) in self
            .headers
            .get_all(header::HOST)
            .iter()
            .take(2)
            .enumerate()
        {
            f.write_str(if n == 0 { "" } else { " and " })?;
            Shown(host.as_bytes()).fmt(f)?;
        }
        Ok(())
    }
}

/// Foreign bytes, cut and escaped.
struct Shown<'a>(&'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..SHOWN_MAX).unwrap_or(self.0);
        let cut = if shown.len() < self.0.len() {
            "..."
        } else {
            ""
        };
        write!(f, "{}{cut}", shown.escape_ascii())
    }
}

/// What to do where weir is asked under a name that it does not know.
fn name_hint(mode: Mode) -> &'static str {
    match mode {
        Mode::Serve => {
            "add the name to `http.names` in weir.yaml, or set a token (`http.token_env`)"
        }
        Mode::Librato => "set a token (`--token-env`): then any name will do",
        Mode::Demo => "ask for its address, as `weir demo` prints it",
    }
}

fn refuse(method: &Method, why: HttpRefusal, asked: &Asked<'_>, mode: Mode) -> Response {
    let (status, message) = match why {
        // The words of the Librato API, which its clients know.
        HttpRefusal::Token => (
            StatusCode::UNAUTHORIZED,
            "Authorization Required".to_owned(),
        ),
        HttpRefusal::Name => (
            StatusCode::MISDIRECTED_REQUEST,
            format!(
                "weir is not known by the host '{asked}'; hint: {}",
                name_hint(mode)
            ),
        ),
        _ => (
            StatusCode::FORBIDDEN,
            format!(
                "a web page of another site than '{asked}' asked for this; hint: open weir's own \
                 page instead, and let a proxy in front of it hand on the Host header"
            ),
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
            ("weir.local:8420", true),
            ("weir.metrics.svc.cluster.local:8420", true),
            ("weir.home.arpa", true),
            ("weir.test", true),
            ("weir.lan", false),
            ("weir.metrics.svc", false),
            ("evillocal.example", false),
            ("weir.notlocal", false),
            ("weir.arpa", false),
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
    fn a_proxy_may_name_the_port_that_the_origin_leaves_out() {
        for (origin, host, same) in [
            ("https://weir.example.com", "weir.example.com:443", true),
            ("https://weir.example.com:443", "weir.example.com", true),
            ("http://weir.example.com", "Weir.example.com:80", true),
            ("https://weir.example.com", "weir.example.com", true),
            ("http://weir.example.com", "weir.example.com:443", false),
            ("https://weir.example.com", "weir.example.com:80", false),
            (
                "https://weir.example.com:4430",
                "weir.example.com:443",
                false,
            ),
            ("https://evil.example", "weir.example.com:443", false),
        ] {
            let headers = [
                ("host", host),
                ("origin", origin),
                ("authorization", "Bearer t"),
            ];
            let found = refusal(&access(Some("t")), "POST", "/v1/metrics", &headers);
            let want = (!same).then_some(HttpRefusal::Site);
            assert_eq!(found, want, "{origin} {host}");
        }
    }

    #[test]
    fn orchestrators_ask_for_health_under_any_name() {
        let (open, closed) = (access(None), access(Some("t")));
        let name = [("host", "evil.example")];
        for (access, path, want) in [
            (&open, "/healthz", None),
            (&open, "/readyz", None),
            (&open, "/metrics", Some(HttpRefusal::Name)),
            (&open, "/readyz/x", Some(HttpRefusal::Name)),
            (&closed, "/healthz", None),
            (&closed, "/readyz", Some(HttpRefusal::Token)),
        ] {
            assert_eq!(refusal(access, "GET", path, &name), want, "{path}");
        }
        let unreadable = [("host", "a b")];
        assert_eq!(refusal(&open, "GET", "/readyz", &unreadable), None);
    }

    #[tokio::test]
    async fn who_is_refused_learns_the_host_that_was_heard_and_what_to_do() {
        let long = "x".repeat(300);
        for (mode, why, host, status, words) in [
            (
                Mode::Serve,
                HttpRefusal::Name,
                "weir.example.com:8420",
                421,
                ["'weir.example.com:8420'", "`http.names`"],
            ),
            (
                Mode::Librato,
                HttpRefusal::Name,
                "a\tb",
                421,
                ["'a\\tb'", "`--token-env`"],
            ),
            (
                Mode::Demo,
                HttpRefusal::Name,
                &long,
                421,
                ["xxx...'", "weir demo"],
            ),
            (
                Mode::Serve,
                HttpRefusal::Site,
                "localhost",
                403,
                ["'localhost'", "proxy"],
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            let (uri, headers) = (&Uri::from_static("/"), &headers);
            let answer = refuse(&Method::GET, why, &Asked { uri, headers }, mode);
            assert_eq!(answer.status(), status);
            let body = to_bytes(answer.into_body(), 1000).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let message = body["errors"]["request"][0].as_str().unwrap();
            for word in words {
                assert!(message.contains(word), "no {word} in {message}");
            }
            assert!(message.len() < 400, "{message}");
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
            let (uri, headers) = (&Uri::from_static("/"), &HeaderMap::new());
            let asked = Asked { uri, headers };
            let answer = refuse(&method, HttpRefusal::Token, &asked, Mode::Serve);
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(answer.headers()[header::CONTENT_TYPE], kind);
            let body = to_bytes(answer.into_body(), 1000).await.unwrap();
            assert_eq!(body, text);
        }
    }
}
