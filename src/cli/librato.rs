//! `weir librato`: the Librato-compatible receiver, its store and the page.

use super::serve::run_until_stopped;
use super::{Failure, load, log_to_stderr};
use crate::config::Sinks;
use crate::daemon::{Bound, Daemon};
use crate::http::{Mode, TOKEN_HINT, Token};
use std::net::SocketAddr;
use std::path::PathBuf;

pub fn run(
    listen: SocketAddr,
    data: Option<PathBuf>,
    token_env: Option<&str>,
) -> Result<(), Failure> {
    let mut config = load::config(None)?;
    config.http.address = listen;
    config.listen = Vec::new();
    config.state = data.unwrap_or(config.state);
    config.sinks = Sinks::default();
    config.http.token = token_env.map(token).transpose()?;
    log_to_stderr("info");
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        data = %config.state.display(),
        "weir librato starts"
    );
    run_until_stopped(async {
        Daemon::start(Bound::bind(config).await?, None, Mode::Librato).await
    })
}

fn token(name: &str) -> Result<Token, Failure> {
    let Some(token) = std::env::var(name).ok().filter(|token| !token.is_empty()) else {
        return Err(Failure::Input(format!(
            "error: the environment variable `{name}` is not set"
        )));
    };
    Token::new(&token).map_err(|why| {
        Failure::Input(format!(
            "error: the token in the environment variable `{name}` {why}\n\nhint: {TOKEN_HINT}"
        ))
    })
}
