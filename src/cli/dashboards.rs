//! `weir dashboards`: a dashboard of the rules in use, for where people look already.

use super::serve::block_on;
use super::{Failure, load, print};
use crate::boards::grafana;
use crate::boards::space::{self, Charts, Put};
use crate::config::{Config, HTTP_ADDRESS};
use crate::rules::Rules;
use crate::sink::librato::{Api, Client};
use crate::source::without_userinfo;
use anyhow::anyhow;
use clap::Args;
use reqwest::Url;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How long a server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer: all charts of a Space are one.
const ANSWER_MAX: usize = 16 << 20;
/// What credentials are in, where no configuration names other variables.
const EMAIL: &str = "LIBRATO_EMAIL";
const TOKEN: &str = "LIBRATO_TOKEN";

#[derive(Args)]
pub struct Arguments {
    /// The configuration whose rules, formats and server hold [default: none]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Make a Space of charts on a server with Librato's API instead, or bring the one of that
    /// name up to date [default URL: sinks.librato of the configuration, else
    /// http://127.0.0.1:8420]
    ///
    /// Account and token are those of sinks.librato; without it, or for another server, those
    /// in LIBRATO_EMAIL and LIBRATO_TOKEN.
    #[arg(long, value_name = "URL", num_args = 0..=1, value_parser = server)]
    librato: Option<Option<Url>>,
    /// What the dashboard or the Space is called
    #[arg(long, default_value = "weir")]
    name: String,
    /// Rule files or folders instead of the configured ones
    #[arg(value_name = "RULES")]
    rules: Vec<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = load::config(arguments.config.as_deref())?;
    let (_, rules) = load::with_formats(&config, |names| match arguments.rules.as_slice() {
        [] => load::rules(&config, names),
        paths => load::rules_of(paths, &config, names),
    })?;
    match &arguments.librato {
        None => {
            let dashboard = grafana::dashboard(&rules, &arguments.name);
            print::print(&format!("{dashboard:#}\n"))
        }
        Some(url) => put(url.as_ref(), &arguments.name, &config, &rules),
    }
}

/// Makes the Space and says what was done.
fn put(url: Option<&Url>, name: &str, config: &Config, rules: &Rules) -> Result<(), Failure> {
    let sink = config.sinks.librato.as_ref();
    let own = sink.map(|sink| sink.url.clone());
    let url = match (url, &own) {
        (Some(url), _) => url.clone(),
        (None, Some(own)) => own.clone(),
        (None, None) => weir()?,
    };
    // A token goes to the server that it is for, and to no other.
    let same = own.is_some_and(|own| own.origin() == url.origin());
    let sink = sink.filter(|_| same);
    let credentials = match sink {
        Some(sink) => sink.credentials.clone(),
        None => credentials(&load::env)?,
    };
    let api = sink.map_or(Api::default(), |sink| sink.api);
    let Charts { charts, left_out } = space::charts(rules, api);
    for rule in left_out {
        eprintln!(
            "warning: rule `{rule}` has no chart: its series are called after values of tags, and a chart names its series in full\n"
        );
    }
    let client = Client::new(&url, credentials, TIMEOUT, ANSWER_MAX).map_err(|why| anyhow!(why))?;
    block_on(async {
        let put = space::put(&client, name, &charts).await?;
        let at = client.below(&format!("v1/spaces/{}", put.id));
        let told = print::print(&told(name, &put, &at));
        told.map_err(|failure| anyhow!("{failure}"))
    })
}

fn told(name: &str, put: &Put, at: &Url) -> String {
    let what = if put.made { "made" } else { "there already" };
    let mut told = format!(
        "Space `{name}`: {what}; charts: {} added, {} changed, {} as they should be\n",
        put.added, put.changed, put.unchanged
    );
    if !put.others.is_empty() {
        told += &format!(
            "{} of its charts are none of these rules', and stay: {}\n",
            put.others.len(),
            put.others.join(", ")
        );
    }
    told + &format!("{at}\n")
}

/// A weir on this machine, where it serves without being told otherwise.
fn weir() -> Result<Url, Failure> {
    let url = format!("http://{HTTP_ADDRESS}");
    url.parse().map_err(|why| anyhow!("{url}: {why}").into())
}

/// The account and the token of the environment.
fn credentials(
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<(String, String)>, Failure> {
    let set = |name| {
        let value = env(name).and_then(|value| value.into_string().ok());
        value.filter(|value| !value.is_empty())
    };
    match (set(EMAIL), set(TOKEN)) {
        (Some(email), Some(token)) => Ok(Some((email, token))),
        // As `sinks.librato` sends a token alone.
        (None, Some(token)) => Ok(Some((token, String::new()))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Failure::Input(format!(
            "error: {EMAIL} is set and {TOKEN} is not: an account without a token lets nobody in\n\nhint: set {TOKEN} too, or neither"
        ))),
    }
}

/// The base of a server.
fn server(text: &str) -> Result<Url, String> {
    let url = text.parse::<Url>().ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(url) = url else {
        return Err(format!(
            "`{}` is no URL of a server, such as `http://metrics.internal:8420`; write rule files before `--librato`",
            without_userinfo(text)
        ));
    };
    match url.username().is_empty() && url.password().is_none() {
        true => Ok(url),
        false => Err(format!(
            "leave out what is before the `@`, and set {EMAIL} and {TOKEN}"
        )),
    }
}
