//! A real rsyslog between HAProxy and weir, configured as its manual tells.

use super::process::Process;
use super::{ports, program, read, wait_for, write};
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// How rsyslog forwards: the words of its `omfwd` manual page.
#[derive(Clone, Copy, Debug)]
pub struct Forward {
    /// `udp` or `tcp`.
    pub protocol: &'static str,
    /// `traditional` (newline) or `octet-counted`; means nothing over UDP.
    pub framing: &'static str,
    /// `RSYSLOG_ForwardFormat` and its like.
    pub template: &'static str,
}

pub struct Rsyslog {
    process: Process,
    port: u16,
    folder: TempDir,
}

/// What a line must hold to tell that rsyslog is up; such lines go nowhere else.
const PROBE: &str = "probe-of-the-test";

impl Rsyslog {
    /// Takes UDP and TCP on [`Rsyslog::port`], forwards every line to `target`, and writes
    /// every line it forwards to a file of its own. A port that another program
    /// took in between is no failure: it is tried again with another.
    pub fn start(forward: Forward, target: SocketAddr) -> Rsyslog {
        Rsyslog::start_with("", &forward.action(target))
    }

    /// The same, with a forwarding action of one's own, and what it needs at the top of the
    /// file.
    pub fn start_with(global: &str, action: &str) -> Rsyslog {
        let mut last = String::new();
        for _ in 0..5 {
            match Rsyslog::try_start(global, action) {
                Ok(rsyslog) => return rsyslog,
                Err(stderr) => last = stderr,
            }
        }
        panic!("rsyslogd did not start in five tries:\n{last}");
    }

    /// The port that HAProxy logs to, for UDP and TCP.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The lines it has forwarded so far, without their syslog header:
    /// `haproxy[7]: ` and the message.
    pub fn written(&self) -> String {
        read(&self.written_path())
    }

    pub fn is_running(&mut self) -> bool {
        self.process.exit_status().is_none()
    }

    fn written_path(&self) -> PathBuf {
        self.folder.path().join("written.log")
    }

    fn try_start(global: &str, action: &str) -> Result<Rsyslog, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = ports::free();
        let config = folder.path().join("rsyslog.conf");
        write(&config, &configuration(&folder, port, global, action));
        let process = Process::spawn(
            "rsyslogd",
            Command::new(program("rsyslogd"))
                .arg("-n")
                .arg("-f")
                .arg(&config)
                .arg("-i")
                .arg(folder.path().join("rsyslog.pid"))
                .env("TZ", "UTC"),
        );
        let mut rsyslog = Rsyslog {
            process,
            port,
            folder,
        };
        if rsyslog.takes_lines() {
            return Ok(rsyslog);
        }
        let stderr = rsyslog.process.stderr();
        Err(stderr)
    }

    /// UDP cannot be asked whether somebody listens, so a line is sent through.
    fn takes_lines(&mut self) -> bool {
        let seen = self.folder.path().join("probe.log");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
        // rsyslogd runs on without an input whose port was taken, and says so.
        let mut tries = 0;
        wait_for("rsyslogd to take a line", Duration::from_secs(15), || {
            tries += 1;
            if !self.is_running() || self.process.stderr().contains("could not bind") || tries > 250
            {
                return Ok(false);
            }
            // Refused as long as nobody listens.
            let _ = socket.send_to(
                format!("<134>Jan  1 00:00:00 test: {PROBE}").as_bytes(),
                ("127.0.0.1", self.port),
            );
            if read(&seen).is_empty() {
                return Err("its probe has not come through".to_owned());
            }
            Ok(true)
        })
    }
}

impl Forward {
    fn action(self, target: SocketAddr) -> String {
        let Forward {
            protocol,
            framing,
            template,
        } = self;
        let (host, port) = (target.ip(), target.port());
        format!(
            r#"action(type="omfwd" target="{host}" port="{port}" protocol="{protocol}"
         TCP_Framing="{framing}" template="{template}" action.resumeRetryCount="-1")"#
        )
    }
}

fn configuration(folder: &TempDir, port: u16, global: &str, action: &str) -> String {
    let folder = folder.path().display();
    format!(
        r#"global(workDirectory="{folder}" maxMessageSize="64k")
{global}
module(load="imudp")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="haproxy")
input(type="imudp" address="127.0.0.1" port="{port}" rcvbufSize="4m" ruleset="haproxy")
template(name="written" type="string" string="%syslogtag%%msg:::sp-if-no-1st-sp%%msg:::drop-last-lf%\n")
ruleset(name="haproxy") {{
  if $msg contains "{PROBE}" then {{
    action(type="omfile" file="{folder}/probe.log")
    stop
  }}
  {action}
  action(type="omfile" file="{folder}/written.log" template="written")
}}
"#
    )
}
