//! `weir demo`: the whole thing on loopback, fed with made-up traffic.

use super::serve::run_until_stopped;
use super::{Failure, load, log_to_stderr};
use crate::config::{Config, HTTP_ADDRESS, Listen, Protocol, Sinks};
use crate::daemon::{Bound, Daemon, StartError};
use crate::demo;
use crate::haproxy::Formats;
use crate::http::Mode;
use crate::load::Loaded;
use crate::rules::Rules;
use crate::sink::{breaker, librato};
use crate::source::Source;
use anyhow::Context;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Short windows: whoever looks for a minute should see the curves move.
const RULES: &str = include_str!("../demo/rules.yaml");

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub fn run(http: Option<SocketAddr>) -> Result<(), Failure> {
    let state = tempfile::tempdir().context("cannot make a folder for the demo's store")?;
    let mut config = load::config(None)?;
    config.state = state.path().to_owned();
    config.listen = vec![Listen::plain(Protocol::Tcp, ANY_PORT)];
    let source = Source::new("demo.yaml", RULES);
    let formats = demo::formats().map_err(Failure::Problems)?;
    let rules = load::compile(&[source], &config, &formats.names())?;
    log_to_stderr("warn");
    run_until_stopped(async {
        let mut bound = bind(config, http).await?;
        // As everyone's weir does it: over HTTP, into a server with Librato's API.
        bound.config.sinks = Sinks {
            librato: Some(librato::Settings {
                url: page_url(bound.http),
                api: librato::Api::Measurements,
                credentials: None,
                breaker: breaker::Settings::default(),
                spool: librato::SPOOL,
            }),
            prometheus: true,
            ..Sinks::default()
        };
        start(bound, rules, formats).await
    })
}

fn page_url(http: SocketAddr) -> reqwest::Url {
    let url = format!("http://{http}");
    url.parse().expect("an address after http:// is a URL")
}

/// Binds the page where it was asked for; else at its usual address, or any free port
/// when that one is taken: a demo should just run.
async fn bind(mut config: Config, http: Option<SocketAddr>) -> Result<Bound, StartError> {
    config.http.address = http.unwrap_or(HTTP_ADDRESS);
    match Bound::bind(config.clone()).await {
        Err(StartError::Bind { source, .. })
            if http.is_none() && source.kind() == io::ErrorKind::AddrInUse =>
        {
            config.http.address = ANY_PORT;
            Bound::bind(config).await
        }
        bound => bound,
    }
}

/// Starts the daemon and says where to look.
async fn start(bound: Bound, rules: Rules, formats: Formats) -> Result<Daemon, StartError> {
    let page = bound.http;
    let syslog = bound.listeners();
    let daemon = Daemon::start(
        bound,
        Some(Loaded {
            rules: Arc::new(rules),
            formats: Arc::new(formats),
            tls: Arc::default(),
        }),
        Mode::Demo,
    )
    .await?;
    for (_, address) in &syslog {
        println!("made-up traffic of ten services goes to syslog on tcp {address}");
    }
    println!("`search` becomes slow and `payments` fails for a while, every minute");
    println!();
    println!("    http://{page}/");
    println!();
    println!("Ctrl-C stops it");
    for (_, address) in syslog {
        daemon.feed("demo's traffic", async move {
            if let Err(error) = demo::send(address).await {
                tracing::error!(%error, "the demo's traffic broke off");
            }
        });
    }
    Ok(daemon)
}
