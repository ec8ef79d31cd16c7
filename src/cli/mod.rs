//! The command line: arguments in, an exit code out.
//!
//! Exit codes: 0 fine, 1 the input or configuration is wrong, 2 wrong usage,
//! 3 it failed at run time.

mod check;
mod demo;
mod librato;
mod load;
mod serve;

use crate::daemon::StartError;
use clap::{Parser, Subcommand};
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Turns HAProxy's logs into rates, latency percentiles and error ratios per service
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show everything at once on this machine: made-up traffic, rules, store and page
    Demo {
        /// Where to serve the page [default: 127.0.0.1:8420, or a free port if that is taken]
        #[arg(long, value_name = "ADDRESS")]
        http: Option<SocketAddr>,
    },
    /// Take logs over syslog, compute, and serve the page
    ///
    /// Without a file: syslog on 127.0.0.1:5140 (UDP and TCP), the bundled rules, the
    /// embedded store, the page on 127.0.0.1:8420.
    Serve {
        /// The configuration, weir.yaml; docs/configuration.md tells its keys
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Check the configuration and rule files, and say what is wrong where
    Check {
        /// The configuration to check [default: none, the bundled rules alone]
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Rule files or folders to check instead of the configured ones
        #[arg(value_name = "RULES")]
        rules: Vec<PathBuf>,
    },
    /// Run only the Librato-compatible receiver, its store and the page
    Librato {
        /// Where to serve the API and the page
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8420")]
        listen: SocketAddr,
        /// The folder of the store [default: the state folder of `weir serve`]
        #[arg(long, value_name = "FOLDER")]
        data: Option<PathBuf>,
        /// The environment variable with the token that everything but /healthz asks for
        #[arg(long, value_name = "NAME")]
        token_env: Option<String>,
    },
}

/// How a command failed; each way has its exit code.
enum Failure {
    /// The input or configuration is wrong: problems as they are to be shown.
    Input(String),
    /// It failed at run time.
    Run(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Run(error.into())
    }
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    // clap itself ends with 2 on wrong usage, and with 0 on --help and --version.
    let args = Args::parse();
    let outcome = match args.command {
        Command::Demo { http } => demo::run(http),
        Command::Serve { config } => serve::run(config.as_deref()),
        Command::Check { config, rules } => check::run(config.as_deref(), &rules),
        Command::Librato {
            listen,
            data,
            token_env,
        } => librato::run(listen, data, token_env.as_deref()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Input(problems)) => {
            eprintln!("{}", problems.trim_end());
            ExitCode::from(1)
        }
        Err(Failure::Run(error)) => {
            eprintln!("error: {error:#}");
            let hint = error
                .downcast_ref::<StartError>()
                .and_then(StartError::hint);
            if let Some(hint) = hint {
                eprintln!("\nhint: {hint}");
            }
            ExitCode::from(3)
        }
    }
}

/// Logs go to standard error, as much as `RUST_LOG` asks for; standard output belongs
/// to what a command prints.
fn log_to_stderr(default: &str) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
