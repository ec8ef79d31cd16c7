//! `weir.yaml` as it is written. Every key is optional; unknown ones are refused.
//!
//! `docs/configuration.md` describes each key for those who write the file.

use crate::sink::librato::Api;
use crate::source::{Notes, Problem, Scalar, Source, Written};
use crate::yaml::Node;

pub(super) const KEYS: [&str; 13] = [
    "listen",
    "haproxy",
    "event_time",
    "grace",
    "amend_for",
    "expire_after",
    "checkpoint_every",
    "rules",
    "rejects",
    "state",
    "sinks",
    "http",
    "limits",
];
pub(super) const LISTEN_KEYS: [&str; 6] =
    ["protocol", "address", "allow", "cert", "key", "client_ca"];
pub(super) const HAPROXY_KEYS: [&str; 4] = ["config", "log_format", "service", "timezone"];
pub(super) const SINK_KEYS: [&str; 4] = ["librato", "prometheus", "store", "stdout"];
pub(super) const LIBRATO_KEYS: [&str; 6] =
    ["url", "email_env", "token_env", "api", "breaker", "spool"];
pub(super) const BREAKER_KEYS: [&str; 3] = ["timeout", "failures", "attempt_after"];
pub(super) const STORE_KEYS: [&str; 1] = ["retention"];
pub(super) const HTTP_KEYS: [&str; 3] = ["address", "token_env", "names"];
pub(super) const LIMIT_KEYS: [&str; 6] = [
    "line_bytes",
    "series",
    "connections",
    "connections_per_address",
    "idle",
    "memory",
];

#[derive(Debug, Default)]
pub(super) struct File {
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
    /// How often the state of the windows is kept, such as `5s`.
    pub checkpoint_every: Option<Scalar>,
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

#[derive(Debug)]
pub(super) struct Listen {
    pub protocol: Protocol,
    /// `address:port`; port 0 lets the system choose one.
    pub address: Scalar,
    /// Networks and addresses whose senders are let in; without the key, all are.
    pub allow: Option<Allow>,
    /// PEM: our certificate, with those that lead to its root behind it.
    pub cert: Option<Scalar>,
    /// PEM: the certificate's private key.
    pub key: Option<Scalar>,
    /// PEM: who signs the certificates of senders that are let in.
    pub client_ca: Option<Scalar>,
}

/// A list, and where it stands.
#[derive(Debug)]
pub(super) struct Allow {
    pub span: std::ops::Range<usize>,
    pub networks: Vec<Scalar>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Udp,
    Tcp,
    /// Syslog over TLS (RFC 5425).
    Tls,
    /// rsyslog's RELP, over TLS where there is a certificate.
    Relp,
}

impl Protocol {
    const ALL: [Protocol; 4] = [Protocol::Udp, Protocol::Tcp, Protocol::Tls, Protocol::Relp];

    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Udp => "udp",
            Protocol::Tcp => "tcp",
            Protocol::Tls => "tls",
            Protocol::Relp => "relp",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Haproxy {
    /// HAProxy's own configuration, whose formats the lines have.
    pub config: Option<Scalar>,
    /// The one `log-format` that all lines have.
    pub log_format: Option<Scalar>,
    /// What `service` means: `frontend`, `backend`, or a CEL string expression.
    pub service: Option<Scalar>,
    /// The IANA name of the zone in which HAProxy writes its dates.
    pub timezone: Option<Scalar>,
}

#[derive(Debug, Default)]
pub(super) struct Sinks {
    pub librato: Option<Librato>,
    pub prometheus: bool,
    pub store: Option<Store>,
    pub stdout: bool,
}

#[derive(Debug)]
pub(super) struct Librato {
    pub url: Scalar,
    /// The environment variable that holds the account.
    pub email_env: Option<Scalar>,
    /// The environment variable that holds the token.
    pub token_env: Option<Scalar>,
    pub api: Api,
    pub breaker: Breaker,
    /// How much may wait on disk, such as `256MiB`.
    pub spool: Option<Scalar>,
}

#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// How long one request may take, such as `30s`.
    pub timeout: Option<Scalar>,
    /// Failures in a row that open it.
    pub failures: Option<Written<usize>>,
    /// How long it is open before one attempt, such as `30s`.
    pub attempt_after: Option<Scalar>,
}

#[derive(Debug, Default)]
pub(super) struct Store {
    pub retention: Option<Scalar>,
}

#[derive(Debug, Default)]
pub(super) struct Http {
    pub address: Option<Scalar>,
    /// The environment variable that holds the token.
    pub token_env: Option<Scalar>,
    pub names: Vec<Scalar>,
}

#[derive(Debug, Default)]
pub(super) struct Limits {
    pub line_bytes: Option<Written<usize>>,
    pub series: Option<Written<usize>>,
    pub connections: Option<Written<usize>>,
    /// Of them, from one address.
    pub connections_per_address: Option<Written<usize>>,
    /// How long a connection may be silent when its room is needed, such as `10m`.
    pub idle: Option<Scalar>,
    /// Resident memory from which on no series is added, such as `1GiB`.
    pub memory: Option<Scalar>,
}

/// Reads a file, and everything about its shape that is wrong. Only what YAML does not
/// allow leaves nothing of it.
pub(super) fn parse(source: &Source) -> (File, Vec<Problem>) {
    let (root, mut notes) = match source.tree("the configuration") {
        Ok(read) => read,
        Err(problem) => return (File::default(), vec![*problem]),
    };
    let file = file(&mut notes, &root);
    (file, notes.problems)
}

fn file(notes: &mut Notes<'_>, root: &Node) -> File {
    let mut file = File::default();
    for (key, value) in notes.section(root).unwrap_or_default() {
        match key.value.as_str() {
            "listen" => file.listen = listen(notes, value),
            "haproxy" => file.haproxy = haproxy(notes, value),
            "event_time" => file.event_time = notes.text(value),
            "grace" => file.grace = notes.text(value),
            "amend_for" => file.amend_for = notes.text(value),
            "expire_after" => file.expire_after = notes.text(value),
            "checkpoint_every" => file.checkpoint_every = notes.text(value),
            "rules" => file.rules = notes.text(value),
            "rejects" => file.rejects = notes.text(value),
            "state" => file.state = notes.text(value),
            "sinks" => file.sinks = sinks(notes, value),
            "http" => file.http = http(notes, value),
            "limits" => file.limits = limits(notes, value),
            _ => notes.unknown_key(key, &KEYS),
        }
    }
    file
}

fn listen(notes: &mut Notes<'_>, node: &Node) -> Option<Vec<Listen>> {
    let sockets = notes.list(node)?;
    Some(
        sockets
            .iter()
            .filter_map(|one| socket(notes, one))
            .collect(),
    )
}

fn socket(notes: &mut Notes<'_>, node: &Node) -> Option<Listen> {
    let pairs = notes.pairs(node)?;
    let (mut protocol, mut address, mut allow) = (None, None, None);
    let (mut cert, mut key_file, mut client_ca) = (None, None, None);
    let mut unknown = Vec::new();
    for (key, value) in pairs {
        match key.value.as_str() {
            "protocol" => {
                let known = Protocol::ALL.map(|protocol| (protocol.as_str(), protocol));
                protocol = Some(notes.word(value, "protocol", &known));
            }
            "address" => address = Some(notes.text(value)),
            "allow" => allow = networks(notes, value),
            "cert" => cert = notes.text(value),
            "key" => key_file = notes.text(value),
            "client_ca" => client_ca = notes.text(value),
            _ => {
                notes.unknown_key(key, &LISTEN_KEYS);
                unknown.push(key);
            }
        }
    }
    let found = [protocol.is_some(), address.is_some()];
    for (key, found) in LISTEN_KEYS.iter().zip(found) {
        if !found {
            notes.key_missing(&node.span, key, unknown.iter().copied());
        }
    }
    Some(Listen {
        protocol: protocol??,
        address: address??,
        allow,
        cert,
        key: key_file,
        client_ca,
    })
}

fn networks(notes: &mut Notes<'_>, node: &Node) -> Option<Allow> {
    let networks = notes.list(node)?;
    Some(Allow {
        span: node.span.clone(),
        networks: networks
            .iter()
            .filter_map(|network| notes.text(network))
            .collect(),
    })
}

fn haproxy(notes: &mut Notes<'_>, node: &Node) -> Haproxy {
    let mut haproxy = Haproxy::default();
    for (key, value) in notes.section(node).unwrap_or_default() {
        match key.value.as_str() {
            "config" => haproxy.config = notes.text(value),
            "log_format" => haproxy.log_format = notes.text(value),
            "service" => haproxy.service = notes.text(value),
            "timezone" => haproxy.timezone = notes.text(value),
            _ => notes.unknown_key(key, &HAPROXY_KEYS),
        }
    }
    haproxy
}

fn sinks(notes: &mut Notes<'_>, node: &Node) -> Option<Sinks> {
    let mut sinks = Sinks::default();
    for (key, value) in notes.section(node)? {
        match key.value.as_str() {
            "librato" => sinks.librato = librato(notes, value),
            "prometheus" => sinks.prometheus = empty(notes, value),
            "store" => sinks.store = store(notes, value),
            "stdout" => sinks.stdout = empty(notes, value),
            _ => notes.unknown_key(key, &SINK_KEYS),
        }
    }
    Some(sinks)
}

/// A sink that has no keys, and is on where it is named.
fn empty(notes: &mut Notes<'_>, node: &Node) -> bool {
    for (key, _) in notes.section(node).unwrap_or_default() {
        let message = format!("unknown key `{}`", key.value);
        notes.refuse_with(&key.span, message, "it has no keys: `{}`");
    }
    true
}

fn librato(notes: &mut Notes<'_>, node: &Node) -> Option<Librato> {
    let pairs = notes.pairs(node)?;
    let (mut url, mut email_env, mut token_env, mut api) = (None, None, None, Api::default());
    let (mut breaker, mut spool) = (Breaker::default(), None);
    let mut unknown = Vec::new();
    for (key, value) in pairs {
        match key.value.as_str() {
            "url" => url = Some(notes.text(value)),
            "email_env" => email_env = notes.text(value),
            "token_env" => token_env = notes.text(value),
            "api" => {
                let known = [Api::Measurements, Api::Metrics].map(|api| (api.as_str(), api));
                api = notes.word(value, "API", &known).unwrap_or_default();
            }
            "breaker" => breaker = self::breaker(notes, value),
            "spool" => spool = notes.text(value),
            _ => {
                notes.unknown_key(key, &LIBRATO_KEYS);
                unknown.push(key);
            }
        }
    }
    if url.is_none() {
        notes.key_missing(&node.span, "url", unknown);
    }
    Some(Librato {
        url: url??,
        email_env,
        token_env,
        api,
        breaker,
        spool,
    })
}

fn breaker(notes: &mut Notes<'_>, node: &Node) -> Breaker {
    let mut breaker = Breaker::default();
    for (key, value) in notes.section(node).unwrap_or_default() {
        match key.value.as_str() {
            "timeout" => breaker.timeout = notes.text(value),
            "failures" => breaker.failures = notes.whole_number(value),
            "attempt_after" => breaker.attempt_after = notes.text(value),
            _ => notes.unknown_key(key, &BREAKER_KEYS),
        }
    }
    breaker
}

fn store(notes: &mut Notes<'_>, node: &Node) -> Option<Store> {
    let mut store = Store::default();
    for (key, value) in notes.section(node)? {
        match key.value.as_str() {
            "retention" => store.retention = notes.text(value),
            _ => notes.unknown_key(key, &STORE_KEYS),
        }
    }
    Some(store)
}

fn http(notes: &mut Notes<'_>, node: &Node) -> Http {
    let mut http = Http::default();
    for (key, value) in notes.section(node).unwrap_or_default() {
        match key.value.as_str() {
            "address" => http.address = notes.text(value),
            "token_env" => http.token_env = notes.text(value),
            "names" => {
                let names = notes.list(value).unwrap_or_default().iter();
                http.names = names.filter_map(|name| notes.text(name)).collect();
            }
            _ => notes.unknown_key(key, &HTTP_KEYS),
        }
    }
    http
}

fn limits(notes: &mut Notes<'_>, node: &Node) -> Limits {
    let mut limits = Limits::default();
    for (key, value) in notes.section(node).unwrap_or_default() {
        match key.value.as_str() {
            "line_bytes" => limits.line_bytes = notes.whole_number(value),
            "series" => limits.series = notes.whole_number(value),
            "connections" => limits.connections = notes.whole_number(value),
            "connections_per_address" => {
                limits.connections_per_address = notes.whole_number(value);
            }
            "idle" => limits.idle = notes.text(value),
            "memory" => limits.memory = notes.text(value),
            _ => notes.unknown_key(key, &LIMIT_KEYS),
        }
    }
    limits
}

/// The keys that are read, and where the schema of `weir.yaml` has them.
#[cfg(test)]
pub(crate) fn known_keys() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("/properties", &KEYS),
        ("/properties/listen/items/properties", &LISTEN_KEYS),
        ("/properties/haproxy/properties", &HAPROXY_KEYS),
        ("/properties/sinks/properties", &SINK_KEYS),
        (
            "/properties/sinks/properties/librato/properties",
            &LIBRATO_KEYS,
        ),
        (
            "/properties/sinks/properties/librato/properties/breaker/properties",
            &BREAKER_KEYS,
        ),
        ("/properties/sinks/properties/store/properties", &STORE_KEYS),
        ("/properties/http/properties", &HTTP_KEYS),
        ("/properties/limits/properties", &LIMIT_KEYS),
    ]
}
