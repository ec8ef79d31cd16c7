//! The command line: arguments in, an exit code out.
//!
//! Exit codes: 0 fine, 1 the input or configuration is wrong, 2 wrong usage,
//! 3 it failed at run time.

mod check;
mod dashboards;
mod demo;
mod envelope;
mod explain;
mod fields;
mod frames;
mod librato;
mod load;
mod parse;
mod print;
mod reading;
mod replay;
mod schema;
mod serve;
mod test;
mod top;

use crate::daemon::StartError;
use crate::processor;
use crate::source::Problem;
use clap::{Parser, Subcommand};
use std::fmt;
use std::io::{self, IsTerminal, Write};
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
    /// embedded store, the page on 127.0.0.1:8420. With one, rules and formats are read again
    /// on SIGHUP and when their files change.
    Serve {
        /// The configuration, weir.yaml; docs/configuration.md tells its keys
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Check the configuration, log formats and rule files, and say what is wrong where
    Check(check::Arguments),
    /// Run tests of rules: log lines in, expected values out
    ///
    /// Without files: the `.test.yaml` files beside the configured rules, else those in the
    /// folder `rules`, else those of the bundled rules.
    Test {
        /// The configuration whose rules, formats, time zone and limits hold [default: none]
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Test files, or folders of them
        #[arg(value_name = "FILES")]
        files: Vec<PathBuf>,
    },
    /// Print log lines as events, one JSON object a line
    ///
    /// What is neither traffic nor a message of HAProxy is told on standard error with its
    /// place and the reason, and counted there at the end. Rejects do not change the exit
    /// code.
    Parse(parse::Arguments),
    /// Tell how one log line is read, which rules match it and which series it moves
    Explain(explain::Arguments),
    /// Print the JSON Schema of the files that people write, for editors
    ///
    /// Without an argument: one schema that accepts any of them.
    Schema {
        #[arg(value_enum)]
        file: Option<schema::File>,
    },
    /// Compute from log files what the daemon would, and print a report
    ///
    /// All lines count where they ended, at the log's own time: the result depends on the files
    /// alone, not on speed or threads. Without rules it is a report per service. Interrupted (Ctrl-C),
    /// it prints what it has and exits with 3; interrupted again, it ends at once.
    Replay(replay::Arguments),
    /// Print a Grafana dashboard of the rules in use, or make a Space of them
    ///
    /// Without files: the rules of the configuration, else the bundled ones. The dashboard is
    /// for a Prometheus that scrapes weir's /metrics; docs/dashboards.md tells how to import it.
    Dashboards(dashboards::Arguments),
    /// Print the fields of an event: name, type, HAProxy's alias, meaning
    Fields,
    /// Show a running weir live in the terminal: services, one service, the pipeline
    ///
    /// `?` tells the keys. A weir that asks for a token is shown the one in the environment
    /// variable WEIR_TOKEN. Times are those of the zone in TZ, else of this machine. Without a
    /// locale of UTF-8 (LC_ALL, LC_CTYPE, LANG) all is drawn in ASCII.
    Top(top::Arguments),
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
    /// A file that people wrote is wrong.
    Problems(Vec<Problem>),
    /// The input or configuration is wrong in another way: it is to be shown so.
    Input(String),
    /// It was asked for where it cannot work.
    Usage(String),
    /// The input is wrong, and what is printed on standard output has said so.
    Told,
    /// It failed at run time.
    Run(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Run(error.into())
    }
}

impl Failure {
    /// Both, as one.
    fn and(self, other: Failure) -> Failure {
        match (self, other) {
            (Failure::Problems(mut problems), Failure::Problems(others)) => {
                problems.extend(others);
                Failure::Problems(problems)
            }
            (Failure::Run(error), _) | (_, Failure::Run(error)) => Failure::Run(error),
            (Failure::Told, other) | (other, Failure::Told) => other,
            (one, other) => Failure::Input(format!("{one}\n\n{other}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Problems(problems) => {
                for problem in problems {
                    write!(f, "{}\n\n", problem.render())?;
                }
                match problems.len() {
                    1 => f.write_str("1 problem"),
                    n => write!(f, "{n} problems"),
                }
            }
            Failure::Input(said) | Failure::Usage(said) => f.write_str(said.trim_end()),
            Failure::Told => Ok(()),
            Failure::Run(error) => {
                write!(f, "error: {error:#}")?;
                let error = error.downcast_ref::<StartError>();
                match error.and_then(StartError::hint) {
                    Some(hint) => write!(f, "\n\nhint: {hint}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// The allocator asks for huge pages (madvise(2), `MADV_HUGEPAGE`), so that the first byte of each
/// two MiB takes all of them: a weir that holds 20 MiB has 50 resident. A replay is over soon and
/// is faster with them; a daemon stays, and is to be small. They are refused from the start, and
/// not only once it is known what is to run: a page that is there stays.
fn allow_huge_pages(allow: bool) {
    // Where the kernel knows no such pages there is nothing to do.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(!allow);
    #[cfg(not(target_os = "linux"))]
    let _ = allow;
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    if let Some(why) = processor::unfit() {
        let _ = writeln!(io::stderr(), "error: {why}");
        return ExitCode::from(3);
    }
    allow_huge_pages(false);
    // clap itself ends with 2 on wrong usage, and with 0 on --help and --version.
    let args = Args::parse();
    if let Command::Replay(_) = args.command {
        allow_huge_pages(true);
    }
    let outcome = match args.command {
        Command::Demo { http } => demo::run(http),
        Command::Serve { config } => serve::run(config.as_deref()),
        Command::Check(arguments) => check::run(&arguments),
        Command::Parse(arguments) => parse::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Schema { file } => schema::run(file),
        Command::Test { config, files } => test::run(config.as_deref(), &files),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Dashboards(arguments) => dashboards::run(&arguments),
        Command::Fields => fields::run(),
        Command::Top(arguments) => top::run(arguments),
        Command::Librato {
            listen,
            data,
            token_env,
        } => librato::run(listen, data, token_env.as_deref()),
    };
    let Err(failure) = outcome else {
        return ExitCode::SUCCESS;
    };
    if !matches!(failure, Failure::Told) {
        // Nobody may be listening any more.
        let _ = writeln!(io::stderr(), "{failure}");
    }
    match failure {
        Failure::Problems(_) | Failure::Input(_) | Failure::Told => ExitCode::from(1),
        Failure::Usage(_) => ExitCode::from(2),
        Failure::Run(_) => ExitCode::from(3),
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
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
}
