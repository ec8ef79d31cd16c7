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

/// All routes. The guard is before everything but `/healthz`, which tells nothing. Live
/// streams end with `stop`: a server that waited for them would never stop.
pub fn router(status: &Arc<Status>, access: Access, stop: &CancellationToken) -> Router {
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
    let account = Arc::clone(&status.telemetry.http);
    let guarded = guard::put_before(guarded, access, account);
    let guarded = librato::announce_limits(guarded);
    headers::add_to(guarded.merge(status::health()))
}
