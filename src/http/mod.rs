//! The one HTTP server: the page, what it reads, the Librato API, `/metrics`, health.
//!
//! Handlers read snapshots and write to the store; none touches live state of the
//! pipeline.

pub mod api;
pub mod assets;
mod auth;
mod connections;
mod guard;
mod headers;
pub mod librato;
mod room;
mod status;
mod stream;

pub use auth::{BadToken, TOKEN_HINT, Token};
pub use connections::serve;
pub use guard::{Access, is_name};
pub use status::{Mode, Status};

use axum::Router;
use axum::http::StatusCode;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Binds the address.
///
/// # Errors
///
/// What the system says: the address is in use, not ours, or not permitted.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// All routes, and the guard before them. Live
/// streams end with `stop`: a server that waited for them would never stop.
pub fn router(status: &Arc<Status>, access: Access, stop: &CancellationToken) -> Router {
    let store = &status.store;
    let routes = Router::new()
        .merge(assets::router())
        .merge(librato::router(store.clone()))
        .merge(api::router(
            store.clone(),
            Arc::clone(&status.samples),
            Arc::clone(&status.hosts),
            status.reports(),
            stop.clone(),
        ))
        .merge(status::router(Arc::clone(status)))
        .fallback(async || (StatusCode::NOT_FOUND, "no such path\n"));
    let account = Arc::clone(&status.telemetry.http);
    let guarded = guard::put_before(routes, access, status.mode, account);
    headers::add_to(librato::announce_limits(guarded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rejects::Samples;
    use crate::sink::prometheus::Latest;
    use crate::store::{Options, Store};
    use crate::telemetry::Telemetry;
    use crate::time::Timestamp;
    use axum::body::Body;
    use axum::http::Request;
    use tempfile::TempDir;
    use tower::ServiceExt;

    #[tokio::test]
    async fn with_a_token_everything_but_healthz_asks_for_it() {
        let dir = TempDir::new().unwrap();
        let status = Arc::new(Status {
            mode: Mode::Librato,
            telemetry: Arc::new(Telemetry::new(Timestamp::from_secs(0))),
            samples: Arc::new(Samples::default()),
            hosts: Arc::default(),
            latest: Arc::new(Latest::default()),
            rules: None,
            store: Store::open(dir.path(), Options::default()).unwrap(),
        });
        let access = Access {
            token: Some(Token::new("s3cret").unwrap()),
            ..Access::default()
        };
        let router = router(&status, access, &CancellationToken::new());
        for (path, without, with) in [
            ("/healthz", 200, 200),
            ("/readyz", 401, 200),
            ("/", 401, 200),
            ("/metrics", 401, 200),
            ("/nowhere", 401, 404),
            ("/healthz/", 401, 404),
            ("/assets/nowhere", 401, 404),
            ("/v1/", 401, 404),
            ("/v1/nowhere", 401, 404),
            ("/api/v1/nowhere", 401, 404),
            ("/api/v1/pipeline", 401, 200),
        ] {
            for (token, want) in [("wrong", without), ("s3cret", with)] {
                let request = Request::get(path).header("authorization", format!("Bearer {token}"));
                let request = request.body(Body::empty()).unwrap();
                let answer = router.clone().oneshot(request).await.unwrap();
                assert_eq!(answer.status().as_u16(), want, "{path} {token}");
            }
        }
    }
}
