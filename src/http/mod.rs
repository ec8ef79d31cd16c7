//! The one HTTP server: the page, what it reads, the Librato API, `/metrics`, health.
//!
//! Handlers read snapshots and write to the store; none touches live state of the
//! pipeline.

pub mod api;
pub mod assets;
mod auth;
pub mod librato;
mod status;

pub use auth::Token;
pub use status::{Mode, Status};

use axum::Router;
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

/// All routes. With a token, everything but `/healthz` asks for it. Live streams end
/// with `stop`: a server that waited for them would never stop.
pub fn router(status: &Arc<Status>, token: Option<Token>, stop: &CancellationToken) -> Router {
    let store = &status.store;
    let guarded = Router::new()
        .merge(assets::router())
        .merge(librato::router(store.clone()))
        .merge(api::router(
            store.clone(),
            Arc::clone(&status.samples),
            status.reports(),
            stop.clone(),
        ))
        .merge(status::router(Arc::clone(status)));
    let guarded = match token {
        Some(token) => auth::require(guarded, token),
        None => guarded,
    };
    librato::announce_limits(guarded).merge(status::health())
}

/// Serves until `stop`, then lets the requests under way finish.
///
/// # Errors
///
/// When the listener breaks.
pub async fn serve(socket: TcpListener, router: Router, stop: CancellationToken) -> io::Result<()> {
    axum::serve(socket, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}
