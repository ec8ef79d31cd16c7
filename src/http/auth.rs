//! Who may ask: a token, as a bearer token or in basic authentication.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The secret that callers show. It never prints itself.
#[derive(Clone)]
pub struct Token(Arc<str>);

/// In a time that does not tell how much is the same.
impl PartialEq for Token {
    fn eq(&self, other: &Token) -> bool {
        self.is(other.0.as_bytes())
    }
}

impl Token {
    pub fn new(token: &str) -> Self {
        Token(token.into())
    }

    /// Whether the headers carry it: `Bearer TOKEN`; or basic authentication as
    /// Librato's clients do it (account and token) or AppOptics' (token, no password).
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return false;
        };
        let Some((scheme, credentials)) = value.to_str().ok().and_then(|v| v.split_once(' '))
        else {
            return false;
        };
        let credentials = credentials.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.is(credentials.as_bytes());
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return false;
        }
        let Ok(pair) = BASE64_STANDARD.decode(credentials) else {
            return false;
        };
        match pair.iter().position(|&byte| byte == b':') {
            Some(colon) if colon + 1 < pair.len() => self.is(&pair[colon + 1..]),
            Some(colon) => self.is(&pair[..colon]),
            None => self.is(&pair),
        }
    }

    /// Compares in a time that does not tell how much was right.
    fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Puts the token before every route of `router`.
pub fn require(router: Router, token: Token) -> Router {
    router.layer(middleware::from_fn_with_state(token, check))
}

async fn check(State(token): State<Token>, request: Request, next: Next) -> Response {
    if token.is_in(request.headers()) {
        return next.run(request).await;
    }
    // The challenge makes a browser ask for the token: any user name will do.
    let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"weir\"")];
    // Librato's API answers POST, for machines, in another form than the rest.
    let (kind, body) = match *request.method() {
        Method::POST => (
            "text/plain",
            "Credentials are required to access this resource.",
        ),
        _ => (
            "application/json",
            r#"{"errors":{"request":["Authorization Required"]}}"#,
        ),
    };
    let kind = [(header::CONTENT_TYPE, kind)];
    (StatusCode::UNAUTHORIZED, challenge, kind, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;

    #[test]
    fn the_token_is_taken_in_every_form_that_clients_use() {
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        let token = Token::new("s3cret");
        for (shown, ok) in [
            ("Bearer s3cret".to_owned(), true),
            ("bearer s3cret".to_owned(), true),
            (basic("me@example.com:s3cret"), true),
            (basic("s3cret:"), true),
            (basic("s3cret"), true),
            (basic("token:s3cret"), true),
            (basic("s3cret:wrong"), false),
            (basic(":"), false),
            ("Bearer s3cre".to_owned(), false),
            ("Bearer s3crets".to_owned(), false),
            ("Bearer ".to_owned(), false),
            ("s3cret".to_owned(), false),
            ("Basic s3cret".to_owned(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, shown.parse().unwrap());
            assert_eq!(token.is_in(&headers), ok, "{shown}");
        }
        assert!(!token.is_in(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn who_shows_no_token_is_told_in_the_words_that_clients_know() {
        let answer = async |method: &str| {
            let router = require(Router::new(), Token::new("s3cret"));
            let request = Request::builder().method(method).uri("/v1/metrics");
            let request = request.body(Body::empty()).expect("a request");
            let answer = router.oneshot(request).await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
            let kind = answer.headers()[header::CONTENT_TYPE].clone();
            let body = to_bytes(answer.into_body(), 1000).await.expect("a body");
            (kind, String::from_utf8_lossy(&body).into_owned())
        };
        let json = r#"{"errors":{"request":["Authorization Required"]}}"#;
        assert_eq!(
            answer("GET").await,
            ("application/json".parse().unwrap(), json.into())
        );
        let text = "Credentials are required to access this resource.";
        assert_eq!(
            answer("POST").await,
            ("text/plain".parse().unwrap(), text.into())
        );
    }

    #[test]
    fn a_token_does_not_print_itself() {
        assert_eq!(format!("{:?}", Token::new("s3cret")), "Token");
    }
}
