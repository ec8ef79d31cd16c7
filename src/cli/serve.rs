//! `weir serve`: the daemon.

use super::{Failure, load, log_to_stderr};
use crate::daemon::{Bound, Daemon};
use crate::http::Mode;
use anyhow::Context;
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};

pub fn run(config: Option<&Path>) -> Result<(), Failure> {
    let path = config;
    let config = load::config(path)?;
    let rules = load::rules(&config)?;
    log_to_stderr("info");
    let file = path.map_or("none, defaults hold".to_owned(), |path| {
        path.display().to_string()
    });
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        configuration = file,
        state = %config.state.display(),
        "weir starts"
    );
    tracing::info!(files = ?rules.files(), rules = rules.len(), "rules loaded");
    block_on(async {
        let daemon = Daemon::start(Bound::bind(config).await?, Some(rules), Mode::Serve).await?;
        stop_signal().await?;
        daemon.stop().await;
        Ok(())
    })
}

/// Runs a command's asynchronous part.
pub fn block_on(command: impl Future<Output = Result<(), anyhow::Error>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(command).map_err(Failure::Run)
}

/// Waits for SIGTERM, as supervisors send it, or SIGINT, as Ctrl-C does.
pub async fn stop_signal() -> Result<(), anyhow::Error> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for SIGINT"),
    }
}
