//! `weir.yaml` as it is written. Every key is optional; unknown ones are refused.
//!
//! `docs/configuration.md` describes each key for those who write the file.

use crate::sink::librato::Api;
use crate::source::{Scalar, Written};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    /// Syslog sockets; without the key, UDP and TCP on 127.0.0.1:5140.
    pub listen: Option<Vec<Listen>>,
    pub haproxy: Haproxy,
    /// Which of a line's times counts: `end`, `start`, `syslog` or `received`.
    pub event_time: Option<Scalar>,
    /// How long after its end a window stays open, such as `2s`.
    pub grace: Option<Scalar>,
    /// How long after its end a window can be amended, such as `10m`.
    pub amend_for: Option<Scalar>,
    /// How long a silent series still says 0, such as `1h`.
    pub expire_after: Option<Scalar>,
    /// A rule file or a folder of them; without the key, the bundled rules.
    pub rules: Option<Scalar>,
    /// The file to which rejected lines are written; without the key, none.
    pub rejects: Option<Scalar>,
    /// The folder of the embedded store.
    pub state: Option<Scalar>,
    /// Where measurements go; without the key, to the store and to `/metrics`.
    pub sinks: Option<Sinks>,
    pub http: Http,
    pub limits: Limits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    pub protocol: Protocol,
    /// `address:port`; port 0 lets the system choose one.
    pub address: Scalar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Udp,
    Tcp,
}

impl Protocol {
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Udp => "udp",
            Protocol::Tcp => "tcp",
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Haproxy {
    /// HAProxy's own configuration, whose formats the lines have.
    pub config: Option<Scalar>,
    /// The one `log-format` that all lines have.
    pub log_format: Option<Scalar>,
    /// What `service` means: `frontend`, `backend`, or a CEL string expression.
    pub service: Option<Scalar>,
    /// The IANA name of the zone in which HAProxy writes its dates.
    pub timezone: Option<Scalar>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sinks {
    pub librato: Option<Librato>,
    pub prometheus: Option<Prometheus>,
    pub store: Option<Store>,
    pub stdout: Option<Stdout>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Librato {
    pub url: Scalar,
    /// The environment variable that holds the account.
    pub email_env: Option<Scalar>,
    /// The environment variable that holds the token.
    pub token_env: Option<Scalar>,
    #[serde(default)]
    pub api: Api,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prometheus {}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    pub retention: Option<Scalar>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stdout {}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    pub address: Option<Scalar>,
    /// The environment variable that holds the token.
    pub token_env: Option<Scalar>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub line_bytes: Option<Written<usize>>,
    pub series: Option<Written<usize>>,
    pub connections: Option<Written<usize>>,
}
