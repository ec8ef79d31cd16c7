//! `weir serve`: the daemon.

use super::{Failure, load, log_to_stderr};
use crate::clock;
use crate::config::LogFormats;
use crate::daemon::{Bound, Daemon, StartError};
use crate::http::Mode;
use crate::load::{Compiled, Files};
use anyhow::{Context, bail, ensure};
use std::path::Path;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub fn run(config: Option<&Path>) -> Result<(), Failure> {
    let path = config;
    let files = Files::read(path, &load::env);
    let Compiled {
        config,
        loaded,
        warnings,
    } = files
        .compile(&load::env, clock::now())
        .map_err(load::wrong)?;
    load::warn(&warnings);
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
    if let LogFormats::Haproxy(file) = &config.haproxy.formats {
        tracing::info!(file = %file.display(), "formats of lines read");
    }
    let rules = &loaded.rules;
    tracing::info!(files = ?rules.files(), rules = rules.len(), "rules loaded");
    run_until_stopped(async {
        // Before anything starts: until then SIGHUP ends weir.
        let hangups = signal(SignalKind::hangup());
        let hangups = hangups.map_err(|source| StartError::Signal { source })?;
        let bound = Bound::bind(config.clone()).await?;
        let daemon = Daemon::start(bound, Some(loaded), Mode::Serve).await?;
        daemon.reload_from(path.map(Path::to_owned), &files, config, hangups);
        Ok(daemon)
    })
}

/// Starts a daemon and runs it until a signal asks it to stop.
pub fn run_until_stopped(
    start: impl Future<Output = Result<Daemon, StartError>>,
) -> Result<(), Failure> {
    block_on(async {
        // Before anything starts: a stop asked for meanwhile is not forgotten.
        let mut stop = StopSignals::new()?;
        let daemon = start.await?;
        let failed = tokio::select! {
            () = stop.next() => false,
            () = daemon.failed() => true,
        };
        tokio::select! {
            () = daemon.stop() => {}
            () = stop.next() => bail!("stopped at once, as asked for a second time: what was under way is lost"),
        }
        ensure!(!failed, "a part of weir has failed, the log says which");
        Ok(())
    })
}

/// How long what is still with a disk may take when a command has ended.
const LET_GO_WITHIN: Duration = Duration::from_millis(500);

/// Runs a command's asynchronous part.
pub fn block_on(command: impl Future<Output = Result<(), anyhow::Error>>) -> Result<(), Failure> {
    // A thousand connections are more than the usual soft limit of open files.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let result = runtime.block_on(async {
        // A handler is there from now on, whoever holds it: a write beyond the limit of a
        // file's size (`ulimit -f`, `LimitFSIZE=`) fails as on a full disk, and does not end
        // weir.
        let too_large = signal(SignalKind::from_raw(nix::libc::SIGXFSZ));
        drop(too_large.context("cannot handle SIGXFSZ")?);
        command.await
    });
    // A disk that does not answer must not hold up the end.
    runtime.shutdown_timeout(LET_GO_WITHIN);
    result.map_err(Failure::Run)
}

/// SIGTERM, as supervisors send it, and SIGINT, as Ctrl-C does.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub fn new() -> Result<Self, anyhow::Error> {
        Ok(StopSignals {
            terminate: signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?,
        })
    }

    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
