//! `weir librato`: the Librato-compatible receiver, its store and the page.

use super::serve::{block_on, stop_signal};
use super::{Failure, load, log_to_stderr};
use crate::config::Sinks;
use crate::daemon::{Bound, Daemon};
use crate::http::Mode;
use std::net::SocketAddr;
use std::path::PathBuf;

pub fn run(listen: SocketAddr, data: Option<PathBuf>) -> Result<(), Failure> {
    let mut config = load::config(None)?;
    config.http.address = listen;
    config.listen = Vec::new();
    config.state = data.unwrap_or(config.state);
    config.sinks = Sinks::default();
    log_to_stderr("info");
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        data = %config.state.display(),
        "weir librato starts"
    );
    block_on(async {
        let daemon = Daemon::start(Bound::bind(config).await?, None, Mode::Librato).await?;
        stop_signal().await?;
        daemon.stop().await;
        Ok(())
    })
}
