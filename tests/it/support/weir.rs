//! weir itself, as a process.

use super::process::{Ended, Process};
use super::{http, wait_for};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Long enough for a debug build on a busy machine.
const START: Duration = Duration::from_secs(20);
const END: Duration = Duration::from_secs(20);

/// A weir that keeps running: `serve` or `librato`.
pub struct Weir {
    process: Process,
}

impl Weir {
    /// `weir serve` with the `weir.yaml` of this folder, once it answers over HTTP.
    pub fn serve(folder: &Path) -> Weir {
        Weir::serve_in(folder, &[])
    }

    /// The same, without waiting for anything.
    pub fn launch(folder: &Path) -> Weir {
        let (name, mut command) = command(&["serve", "-c", "weir.yaml"], Some(folder));
        Weir {
            process: Process::spawn(&name, &mut command),
        }
    }

    /// The same with these variables in its environment.
    pub fn serve_in(folder: &Path, environment: &[(String, String)]) -> Weir {
        let (name, mut command) = command(&["serve", "-c", "weir.yaml"], Some(folder));
        command.envs(environment.iter().cloned());
        let weir = Weir {
            process: Process::spawn(&name, &mut command),
        };
        weir.until_it_answers()
    }

    /// From now on no file can be written beyond these bytes: as on a full disk, without a
    /// disk of its own.
    pub fn limit_files(&self, bytes: u64) {
        let pid = self.process.id().cast_signed();
        rlimit::prlimit(pid, rlimit::Resource::FSIZE, Some((bytes, u64::MAX)), None)
            .expect("a limit of one's own process may be changed");
    }

    /// `weir librato`, once it answers. Port 0 picks a free one.
    pub fn librato(port: u16, data: &Path) -> Weir {
        let listen = format!("127.0.0.1:{port}");
        let data = data.to_str().expect("a path in UTF-8");
        let weir = Weir {
            process: spawn(&["librato", "--listen", &listen, "--data", data], None),
        };
        weir.until_it_answers()
    }

    /// The same on a free port, with a token that it asks for.
    pub fn librato_with_token(data: &Path, token: &str) -> Weir {
        let data = data.to_str().expect("a path in UTF-8");
        let args = ["librato", "--listen", "127.0.0.1:0", "--data", data];
        let (name, mut command) = command(&[&args[..], &["--token-env", "TOKEN"]].concat(), None);
        command.env("TOKEN", token);
        let weir = Weir {
            process: Process::spawn(&name, &mut command),
        };
        weir.until_it_answers()
    }

    /// Runs a command that ends by itself.
    pub fn run(args: &[&str], folder: Option<&Path>) -> Ended {
        spawn(args, folder).wait(END)
    }

    /// Starts a command that is not to be waited for yet.
    pub fn start(args: &[&str], folder: &Path) -> Process {
        spawn(args, Some(folder))
    }

    /// Runs a command that ends by itself, with these bytes on its standard input.
    pub fn fed(args: &[&str], folder: Option<&Path>, input: &[u8]) -> Ended {
        let (name, mut command) = command(args, folder);
        Process::spawn_fed(&name, &mut command, input.to_vec()).wait(END)
    }

    /// Runs a command that ends by itself, with these variables in its environment.
    pub fn run_in(args: &[&str], folder: &Path, environment: &[(String, String)]) -> Ended {
        let (name, mut command) = command(args, Some(folder));
        command.envs(environment.iter().cloned());
        Process::spawn(&name, &mut command).wait(END)
    }

    /// Where it listens for `udp`, `tcp` or `http`, from what it logs of each
    /// socket it has bound.
    pub fn address(&mut self, protocol: &str) -> SocketAddr {
        wait_for(&format!("weir to listen for {protocol}"), START, || {
            if let Some(address) = listening(&self.process.stderr(), protocol) {
                return Ok(address);
            }
            if let Some(status) = self.process.exit_status() {
                panic!("weir ended with {status} instead of listening for {protocol}");
            }
            Err("its log has no line with `listening` for it".to_owned())
        })
    }

    /// `http://127.0.0.1:PORT`
    pub fn http(&mut self) -> String {
        format!("http://{}", self.address("http"))
    }

    pub fn log(&self) -> String {
        self.process.stderr()
    }

    /// Waits until so many lines are parsed, by the weir that answers there: this one.
    pub fn until_parsed(&self, base: &str, count: u64, within: Duration) {
        wait_for(
            &format!("{count} lines"),
            within,
            || match http::Metrics::read(base)?.parsed() {
                parsed if parsed == count => Ok(()),
                parsed => Err(format!("{parsed} are parsed; the log:\n{}", self.log())),
            },
        );
    }

    pub fn is_running(&mut self) -> bool {
        self.process.exit_status().is_none()
    }

    /// SIGHUP: read the files again.
    pub fn hang_up(&self) {
        self.process.signal("HUP");
    }

    /// SIGTERM, then waits for its end.
    pub fn terminate(self) -> Ended {
        self.process.terminate();
        self.process.wait(END)
    }

    /// SIGKILL: no chance to write anything more.
    pub fn kill(self) -> Ended {
        self.process.kill()
    }

    /// Waits until it answers over HTTP.
    pub fn until_it_answers(mut self) -> Weir {
        let url = format!("{}/healthz", self.http());
        wait_for(&format!("200 from {url}"), START, || {
            let answer = http::get(&url)?;
            (answer.status == 200).then_some(()).ok_or(answer.body)
        });
        self
    }
}

/// `weir demo`, running.
pub struct Demo {
    process: Process,
    url: String,
}

impl Demo {
    pub fn start() -> Demo {
        let mut process = spawn(&["demo", "--http", "127.0.0.1:0"], None);
        let url = wait_for("weir demo to print its page's address", START, || {
            if let Some(url) = printed_url(&process.stdout()) {
                return Ok(url);
            }
            if let Some(status) = process.exit_status() {
                panic!("weir demo ended with {status} instead of printing its page's address");
            }
            Err("its stdout names no http:// address".to_owned())
        });
        Demo { process, url }
    }

    /// The page's address without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// SIGTERM, then waits for its end.
    pub fn terminate(self) -> Ended {
        self.process.terminate();
        self.process.wait(END)
    }
}

fn spawn(args: &[&str], folder: Option<&Path>) -> Process {
    let (name, mut command) = command(args, folder);
    Process::spawn(&name, &mut command)
}

/// The command, and what it is called when something goes wrong.
fn command(args: &[&str], folder: Option<&Path>) -> (String, Command) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    // The log must say what was bound, whatever the caller's shell asks for.
    command.args(args).env_remove("RUST_LOG");
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    (format!("weir {}", args.join(" ")), command)
}

fn listening(log: &str, protocol: &str) -> Option<SocketAddr> {
    log.lines()
        .filter(|line| line.contains("listening"))
        .find(|line| field(line, "protocol") == Some(protocol))
        .and_then(|line| field(line, "address"))
        .and_then(|address| address.parse().ok())
}

/// The value of `name=value` in a log line, with or without quotes.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_whitespace()
        .filter_map(|word| word.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches(['"', ',']))
}

fn printed_url(stdout: &str) -> Option<String> {
    // Only whole lines: the rest of the address may not have arrived yet.
    let (whole, _) = stdout.rsplit_once('\n')?;
    whole
        .split_whitespace()
        .find(|word| word.starts_with("http://"))
        .map(|url| url.trim_end_matches(['/', '.', ',']).to_owned())
}

#[test]
fn the_address_is_read_from_the_log() {
    let log = "2026-01-01T12:00:00Z  INFO weir::input: listening protocol=udp address=127.0.0.1:5140\n\
               2026-01-01T12:00:00Z  INFO weir::http: listening protocol=\"http\" address=127.0.0.1:8420\n";
    assert_eq!(
        listening(log, "http"),
        Some("127.0.0.1:8420".parse().expect("an address"))
    );
    assert_eq!(listening(log, "tcp"), None);
    assert_eq!(
        printed_url("The page: http://127.0.0.1:8420/\nhttp://127"),
        Some("http://127.0.0.1:8420".to_owned())
    );
    assert_eq!(printed_url("The page: http://127"), None);
}
