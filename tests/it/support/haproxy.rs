//! A real HAProxy in front of a [`Backend`], with services unlike each other.

use super::backend::Backend;
use super::process::Process;
use super::{ports, program, wait_for, write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Services that log with `option httplog`, and which of their headers are captured.
pub const HTTP_SERVICES: [(&str, &str); 5] = [
    (
        "users",
        "capture request header X-Request-Id len 36
  capture request header User-Agent len 64
  capture response header X-Upstream len 10",
    ),
    ("offers", "capture request header User-Agent len 64"),
    ("cards", ""),
    ("payments", "capture cookie session= len 32"),
    // Logs as soon as the response's headers are there: `+` before what goes on.
    ("search", "option logasap"),
];
/// The service that logs with `option tcplog`.
pub const TCP_SERVICE: &str = "ledger";

pub struct Haproxy {
    process: Process,
    addresses: Vec<(&'static str, SocketAddr)>,
    _folder: TempDir,
}

impl Haproxy {
    /// Logs over UDP to this loopback port. A port that another program took in
    /// between is no failure: it is tried again with others.
    pub fn start(backend: &Backend, log_port: u16) -> Haproxy {
        let mut last = String::new();
        for _ in 0..5 {
            match Haproxy::try_start(backend, log_port) {
                Ok(haproxy) => return haproxy,
                Err(stderr) => last = stderr,
            }
        }
        panic!("haproxy did not start in five tries:\n{last}");
    }

    /// Where this service is reached; one of them has a second address over IPv6.
    pub fn addresses(&self, service: &str) -> Vec<SocketAddr> {
        let of_service = |(name, _): &&(&str, SocketAddr)| *name == service;
        let found = self.addresses.iter().filter(of_service);
        found.map(|(_, address)| *address).collect()
    }

    pub fn is_running(&mut self) -> bool {
        self.process.exit_status().is_none()
    }

    fn try_start(backend: &Backend, log_port: u16) -> Result<Haproxy, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("haproxy.cfg");
        let here = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let names = HTTP_SERVICES.map(|(name, _)| name).into_iter();
        let mut addresses: Vec<_> = names
            .chain([TCP_SERVICE])
            .map(|name| (name, here(ports::free())))
            .collect();
        if ports::has_ipv6() {
            let six = format!("[::1]:{}", ports::free());
            addresses.push(("users", six.parse().expect("an address")));
        }
        let ready = here(ports::free());
        write(
            &config,
            &configuration(backend, log_port, ready, &addresses),
        );

        let process = launch(&config, &[], ready)?;
        Ok(Haproxy {
            process,
            addresses,
            _folder: folder,
        })
    }
}

/// HAProxy with this configuration, once it accepts connections at `ready`, or what it
/// says where it does not start.
pub fn launch(
    config: &Path,
    environment: &[(String, String)],
    ready: SocketAddr,
) -> Result<Process, String> {
    let mut process = Process::spawn(
        "haproxy",
        Command::new(program("haproxy"))
            .arg("-db")
            .arg("-f")
            .arg(config)
            .envs(environment.iter().cloned())
            // The log's dates carry no zone.
            .env("TZ", "UTC"),
    );
    let up = wait_for("haproxy to accept", Duration::from_secs(10), || {
        if process.exit_status().is_some() {
            return Ok(false);
        }
        TcpStream::connect(ready).map_err(|e| e.to_string())?;
        Ok(true)
    });
    if !up {
        return Err(process.wait(Duration::from_secs(5)).stderr);
    }
    Ok(process)
}

fn configuration(
    backend: &Backend,
    log_port: u16,
    ready: SocketAddr,
    addresses: &[(&str, SocketAddr)],
) -> String {
    let backend = backend.address();
    let mut text = format!(
        "global
  log 127.0.0.1:{log_port} local0
  maxconn 500
defaults
  mode http
  log global
  option httplog
  option abortonclose
  retries 0
  timeout connect 300ms
  timeout client 10s
  timeout server 10s
  timeout http-request 700ms
  timeout http-keep-alive 10s
frontend ready
  no log
  bind {ready}
"
    );
    for (service, lines) in HTTP_SERVICES.into_iter().chain([(TCP_SERVICE, "")]) {
        text += &format!("frontend {service}\n");
        for (_, address) in addresses.iter().filter(|(name, _)| *name == service) {
            text += &format!("  bind {address}\n");
        }
        text += &format!("  {lines}\n");
        if service == TCP_SERVICE {
            text += "  mode tcp\n  option tcplog\n";
        } else {
            text += "  use_backend nobody if { path_beg /nobody }
  use_backend refused if { path_beg /refused }
  use_backend second-try if { path_beg /second-try }
";
        }
        text += &format!("  default_backend {service}\nbackend {service}\n");
        if service == TCP_SERVICE {
            text += "  mode tcp\n";
        }
        text += &format!("  server {service}-1 {backend}\n  server {service}-2 {backend}\n");
    }
    // Port 1 is taken by nobody: connections to it are refused at once.
    text += &format!(
        "backend nobody
  server gone 127.0.0.1:1 disabled
backend refused
  server down 127.0.0.1:1
backend second-try
  retries 1
  option redispatch 1
  server down 127.0.0.1:1
  server up {backend}
backend watched
  server down 127.0.0.1:1 check inter 200ms fall 1
"
    );
    text
}
