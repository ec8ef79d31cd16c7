//! The headers that tell a client how much it may send.
//!
//! weir limits no rates, so the numbers are constants: a limit that nobody reaches, all of
//! it left, and a window that begins now. A client that paces itself by them never waits.
//! What weir cannot take at the moment it refuses with 503, whatever these say.

use crate::clock;
use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::{self, Next};
use axum::response::Response;

/// The limit of each kind: the largest number that every client can hold.
pub const LIMIT: i32 = i32::MAX;
/// Of measurements, and of requests: Librato's API reference, "Rate Limiting".
const HEADERS: [&str; 2] = ["x-librato-ratelimit-agg", "x-librato-ratelimit-std"];

/// Puts the headers on every answer below `/v1/`, a refused one too.
pub fn announce(router: Router) -> Router {
    router.layer(middleware::from_fn(headers))
}

async fn headers(request: Request, next: Next) -> Response {
    let ours = request.uri().path().starts_with("/v1/");
    let mut response = next.run(request).await;
    if ours {
        let reset = clock::now().as_secs();
        let text = format!("limit={LIMIT},remaining={LIMIT},reset={reset}");
        if let Ok(value) = HeaderValue::try_from(text) {
            for name in HEADERS {
                response.headers_mut().insert(name, value.clone());
            }
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Access, Token, guard};
    use axum::body::Body;
    use axum::routing::get;
    use std::sync::Arc;
    use tower::ServiceExt;

    #[tokio::test]
    async fn all_of_the_api_has_them_and_nothing_else() {
        let router = Router::new().route("/", get(|| async {}));
        let access = Access {
            token: Some(Token::new("s3cret").expect("a token")),
            ..Access::default()
        };
        let router = announce(guard::put_before(router, access, Arc::default()));
        for (path, status, ours) in [("/v1/metrics", 401, true), ("/", 401, false)] {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            let answer = router.clone().oneshot(request).await.expect("an answer");
            assert_eq!(answer.status(), status, "{path}");
            for name in HEADERS {
                assert_eq!(answer.headers().contains_key(name), ours, "{path}");
            }
        }
    }
}
