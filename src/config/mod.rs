//! `weir.yaml` to checked, plain data: what enters is text, what leaves cannot be wrong.
//!
//! Nothing is opened or bound here; the environment is asked through an argument.

mod file;
mod listen;
mod size;

pub use file::Protocol;
#[cfg(test)]
pub(crate) use file::known_keys;
pub use listen::{Listen, NamedFile, TlsFiles};

use crate::event_time::EventTime;
use crate::http::{self, TOKEN_HINT, Token};
use crate::metric::SERIES_MAX;
use crate::sink::{breaker, librato};
use crate::source::{Placed, Problem, Scalar, Source, Written, without_userinfo};
use crate::store;
use crate::window;
use jiff::tz::TimeZone;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything a daemon needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: Vec<Listen>,
    pub haproxy: Haproxy,
    pub time: Time,
    /// A rule file or a folder of them; `None`: the bundled rules.
    pub rules: Option<PathBuf>,
    /// The file to which rejected lines are written; `None`: none.
    pub rejects: Option<PathBuf>,
    /// The folder of the embedded store.
    pub state: PathBuf,
    pub sinks: Sinks,
    /// How long the store keeps points.
    pub retention: Duration,
    pub http: Http,
    pub limits: Limits,
}

#[derive(Clone, Debug)]
pub struct Haproxy {
    pub formats: LogFormats,
    /// A CEL string expression; `None` is `frontend`.
    pub service: Option<Placed>,
    pub timezone: TimeZone,
}

/// When events are, and how long their windows wait for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    pub event_time: EventTime,
    /// How long after its end a window stays open for lines on their way.
    pub grace: Duration,
    /// How long after its end a window can still be amended; not less than `grace`.
    pub amend_for: Duration,
    /// How long a series that has gone silent still says that its counts are 0.
    pub expire_after: Duration,
    /// How often the state of the windows is kept.
    pub checkpoint_every: Duration,
}

impl Default for Time {
    fn default() -> Self {
        let windows = window::Settings::default();
        Time {
            event_time: EventTime::default(),
            grace: windows.grace,
            amend_for: windows.amend_for,
            expire_after: windows.expire_after,
            checkpoint_every: Duration::from_secs(5),
        }
    }
}

/// Where the formats of the lines are told.
#[derive(Clone, Debug, PartialEq)]
pub enum LogFormats {
    /// Nowhere: they are HAProxy's own.
    BuiltIn,
    /// In this `log-format`, which all lines have.
    One(Placed),
    /// In this file, a `haproxy.cfg`.
    Haproxy(PathBuf),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sinks {
    pub librato: Option<librato::Settings>,
    pub prometheus: bool,
    pub store: bool,
    pub stdout: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    pub address: SocketAddr,
    pub token: Option<Token>,
    /// What weir is called, in lower case; asked for where there is no token.
    pub names: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest frame; what is longer is cut off.
    pub line_bytes: usize,
    /// Live series.
    pub series: usize,
    /// Open connections of all listeners together.
    pub connections: usize,
    /// Open connections from one address.
    pub connections_per_address: usize,
    /// How long a connection is silent before it may be closed to make room for another.
    pub idle: Duration,
    /// Bytes of resident memory from which on no series is added.
    pub memory: u64,
}

/// What the system tells: environment variables by name.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Where syslog is taken by default; HAProxy's and rsyslog's 514 needs rights.
pub const SYSLOG_ADDRESS: SocketAddr = loopback(5140);

/// Where the page is by default.
pub const HTTP_ADDRESS: SocketAddr = loopback(8420);

const RETENTION: Duration = Duration::from_secs(24 * 3600);
const LINE_BYTES: usize = 65_536;
const SERIES: usize = 100_000;
const CONNECTIONS: usize = 1024;
/// rsyslog opens one connection for each action and worker: hundreds are no sender's need,
/// and four hosts that are out of control still leave nobody else outside.
const CONNECTIONS_PER_ADDRESS: usize = 256;
const IDLE_AFTER: Duration = Duration::from_secs(600);

/// HAProxy's shortest line is longer than this, and a longer one than that is no line.
const LINE_BYTES_RANGE: std::ops::RangeInclusive<usize> = 256..=16 * 1024 * 1024;
const SERIES_RANGE: std::ops::RangeInclusive<usize> = 1..=SERIES_MAX;
const CONNECTIONS_RANGE: std::ops::RangeInclusive<usize> = 1..=100_000;

/// Every window waits so long, so the newest values are as old as this.
const GRACE: Span = Span {
    range: Duration::ZERO..=Duration::from_secs(300),
    words: "0s to 5m, such as `2s`",
};
/// Windows are kept in memory so long.
const AMEND_FOR: Span = Span {
    range: Duration::ZERO..=Duration::from_secs(24 * 3600),
    words: "0s to 24h, such as `10m`",
};
const IDLE: Span = Span {
    range: Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 3600),
    words: "1s to 7d, such as `10m`",
};
const EXPIRE_AFTER: Span = Span {
    range: Duration::from_secs(60)..=Duration::from_secs(7 * 24 * 3600),
    words: "1m to 7d, such as `1h`",
};

/// What a kill costs at most; each costs a sync of the disk.
const CHECKPOINT_EVERY: Span = Span {
    range: Duration::from_millis(100)..=Duration::from_secs(600),
    words: "100ms to 10m, such as `5s`",
};
/// A far side that takes longer does not answer.
const TIMEOUT: Span = Span {
    range: Duration::from_secs(1)..=Duration::from_secs(300),
    words: "1s to 5m, such as `30s`",
};
const ATTEMPT_AFTER: Span = Span {
    range: Duration::from_secs(1)..=Duration::from_secs(3600),
    words: "1s to 1h, such as `30s`",
};
const FAILURES_RANGE: std::ops::RangeInclusive<usize> = 1..=1000;

/// Larger files would take long to be checked after a kill.
const SPOOL: Size = Size {
    range: (1 << 20)..=(16 << 30),
    words: "1MiB to 16GiB, such as `256MiB`",
};

/// With less weir would be full before the first line.
const MEMORY: Size = Size {
    range: (64 << 20)..=(1 << 40),
    words: "64MiB to 1024GiB, such as `1GiB`",
};

/// What a number of bytes may be, as a range and in words.
struct Size {
    range: std::ops::RangeInclusive<u64>,
    words: &'static str,
}

/// What a time may be, as a range and in words.
struct Span {
    range: std::ops::RangeInclusive<Duration>,
    words: &'static str,
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl Config {
    /// What holds without a file.
    pub fn default_for(env: Env<'_>) -> Config {
        let listen = |protocol| Listen::plain(protocol, SYSLOG_ADDRESS);
        Config {
            listen: vec![listen(Protocol::Udp), listen(Protocol::Tcp)],
            haproxy: Haproxy {
                formats: LogFormats::BuiltIn,
                service: None,
                timezone: TimeZone::UTC,
            },
            time: Time::default(),
            rules: None,
            rejects: None,
            state: default_state(env),
            sinks: Sinks {
                librato: None,
                prometheus: true,
                store: true,
                stdout: false,
            },
            retention: RETENTION,
            http: Http {
                address: HTTP_ADDRESS,
                token: None,
                names: Vec::new(),
            },
            limits: Limits {
                line_bytes: LINE_BYTES,
                series: SERIES,
                connections: CONNECTIONS,
                memory: 1 << 30,
                connections_per_address: CONNECTIONS_PER_ADDRESS,
                idle: IDLE_AFTER,
            },
        }
    }

    /// Checks a file's text. Relative paths in it start at `base`, its own folder.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its place.
    pub fn parse(source: &Source, base: &Path, env: Env<'_>) -> Result<Config, Vec<Problem>> {
        match Config::parse_all(source, base, env) {
            (config, problems) if problems.is_empty() => Ok(config),
            (_, problems) => Err(problems),
        }
    }

    /// The same for those who check what it names too: what is right in it, the defaults for
    /// the rest, and everything that is wrong, in the order of its lines.
    pub fn parse_all(source: &Source, base: &Path, env: Env<'_>) -> (Config, Vec<Problem>) {
        let (file, problems) = file::parse(source);
        let mut check = Check {
            source,
            env,
            problems,
        };
        let mut config = Config::default_for(env);
        check.fill(&mut config, file, base);
        let mut problems = check.problems;
        problems.sort_by_key(|problem| (problem.line, problem.column));
        (config, problems)
    }

    /// The keys in which `other` differs from this, of those that hold until weir stops:
    /// what is read again while it runs is not among them.
    pub fn fixed_keys_that_differ(&self, other: &Config) -> Vec<&'static str> {
        // Every field by its name: a new one has to be placed here.
        let Config {
            listen,
            haproxy:
                Haproxy {
                    formats: _,
                    service: _,
                    timezone,
                },
            time,
            rules: _,
            rejects,
            state,
            sinks,
            retention,
            http,
            limits,
        } = other;
        let keys = [
            ("listen", self.listen != *listen),
            ("haproxy.timezone", self.haproxy.timezone != *timezone),
            ("event_time", self.time.event_time != time.event_time),
            ("grace", self.time.grace != time.grace),
            ("amend_for", self.time.amend_for != time.amend_for),
            ("expire_after", self.time.expire_after != time.expire_after),
            (
                "checkpoint_every",
                self.time.checkpoint_every != time.checkpoint_every,
            ),
            ("rejects", self.rejects != *rejects),
            ("state", self.state != *state),
            (
                "sinks",
                self.sinks != *sinks || self.retention != *retention,
            ),
            ("http", self.http != *http),
            ("limits", self.limits != *limits),
        ];
        let differ = keys.into_iter().filter(|(_, differs)| *differs);
        differ.map(|(key, _)| key).collect()
    }

    /// How the embedded store is to be opened.
    pub fn store_options(&self) -> store::Options {
        store::Options {
            retention: self.retention,
            series_max: self.limits.series,
            ..store::Options::default()
        }
    }
}

/// `$STATE_DIRECTORY` is what systemd gives a service; then the XDG base directories'
/// place for state.
fn default_state(env: Env<'_>) -> PathBuf {
    let set = |name| {
        env(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("STATE_DIRECTORY")
        .or_else(|| set("XDG_STATE_HOME").map(|state| state.join("weir")))
        .or_else(|| set("HOME").map(|home| home.join(".local/state/weir")))
        .unwrap_or_else(|| PathBuf::from("/var/lib/weir"))
}

/// Checks values one by one and keeps what is wrong.
struct Check<'a> {
    source: &'a Source,
    env: Env<'a>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn fill(&mut self, config: &mut Config, file: file::File, base: &Path) {
        if let Some(listen) = file.listen {
            let listen = listen.into_iter();
            let listen = listen.filter_map(|listen| self.listen(listen, base));
            config.listen = listen.collect();
        }
        // Whether these can be compiled, `haproxy` tells, which knows the formats.
        config.haproxy.formats = self.formats(file.haproxy.config, file.haproxy.log_format, base);
        // Whether it can be compiled, the rules tell, which know the fields.
        config.haproxy.service = file.haproxy.service.map(|text| self.placed(text));
        if let Some(name) = file.haproxy.timezone {
            match TimeZone::get(&name.value) {
                Ok(timezone) => config.haproxy.timezone = timezone,
                Err(_) => self.wrong(
                    &name,
                    format!("there is no time zone `{}`", name.value),
                    "give an IANA name, such as `Europe/Stockholm` or `UTC`",
                ),
            }
        }
        if let Some(name) = &file.event_time {
            match EventTime::ALL
                .into_iter()
                .find(|mode| mode.as_str() == name.value)
            {
                Some(mode) => config.time.event_time = mode,
                None => self.wrong(
                    name,
                    format!("there is no event time `{}`", name.value),
                    "choose `end`, `start`, `syslog` or `received`",
                ),
            }
        }
        let time = &mut config.time;
        self.span(&mut time.grace, file.grace, "grace", GRACE);
        self.span(&mut time.amend_for, file.amend_for, "amend_for", AMEND_FOR);
        self.span(
            &mut time.expire_after,
            file.expire_after,
            "expire_after",
            EXPIRE_AFTER,
        );
        self.span(
            &mut time.checkpoint_every,
            file.checkpoint_every,
            "checkpoint_every",
            CHECKPOINT_EVERY,
        );
        // A window that is open still takes what comes.
        time.amend_for = time.amend_for.max(time.grace);
        config.rules = file.rules.map(|path| base.join(path.value));
        config.rejects = file.rejects.map(|path| base.join(path.value));
        if let Some(state) = file.state {
            config.state = base.join(state.value);
        }
        if let Some(sinks) = file.sinks {
            if let Some(retention) = sinks
                .store
                .as_ref()
                .and_then(|store| store.retention.as_ref())
                && let Some(retention) = self.duration(retention)
            {
                config.retention = retention;
            }
            config.sinks = Sinks {
                librato: sinks.librato.and_then(|librato| self.librato(librato)),
                prometheus: sinks.prometheus,
                store: sinks.store.is_some(),
                stdout: sinks.stdout,
            };
        }
        if let Some(address) = file.http.address.and_then(|address| self.address(&address)) {
            config.http.address = address;
        }
        let token = file.http.token_env;
        config.http.token = token.and_then(|name| self.token(&name));
        let names = file.http.names.iter();
        config.http.names = names.filter_map(|name| self.name(name)).collect();
        let limits = file.limits;
        self.limit(
            &mut config.limits.line_bytes,
            limits.line_bytes,
            LINE_BYTES_RANGE,
        );
        self.limit(&mut config.limits.series, limits.series, SERIES_RANGE);
        self.limit(
            &mut config.limits.connections,
            limits.connections,
            CONNECTIONS_RANGE,
        );
        self.limit(
            &mut config.limits.connections_per_address,
            limits.connections_per_address,
            CONNECTIONS_RANGE,
        );
        self.span(&mut config.limits.idle, limits.idle, "idle", IDLE);
        if let Some(memory) = &limits.memory
            && let Some(bytes) = self.size(memory, "memory", MEMORY)
        {
            config.limits.memory = bytes;
        }
    }

    fn formats(&mut self, file: Option<Scalar>, format: Option<Scalar>, base: &Path) -> LogFormats {
        match (file, format) {
            (None, None) => LogFormats::BuiltIn,
            (Some(file), None) => LogFormats::Haproxy(base.join(file.value)),
            (None, Some(format)) => LogFormats::One(self.placed(format)),
            (Some(file), Some(format)) => {
                let message = "`log_format` and `config` both say what formats lines have";
                let problem = self
                    .source
                    .problem(format.span, message)
                    .other("the other key", &self.source.place(file.span))
                    .hint("keep one of both: `config` finds the formats in haproxy.cfg itself");
                self.problems.push(problem);
                LogFormats::BuiltIn
            }
        }
    }

    fn placed(&self, text: Scalar) -> Placed {
        Placed {
            source: self.source.clone(),
            text,
        }
    }

    fn wrong<T>(&mut self, written: &Written<T>, message: String, hint: &str) {
        let problem = self.source.problem(written.span.clone(), message);
        self.problems.push(problem.hint(hint));
    }

    fn address(&mut self, address: &Scalar) -> Option<SocketAddr> {
        let parsed = address.value.parse().ok();
        if parsed.is_none() {
            self.wrong(
                address,
                format!("`{}` is no address", address.value),
                "write address:port, such as `0.0.0.0:5140` or `[::]:5140`",
            );
        }
        parsed
    }

    fn span(&mut self, span: &mut Duration, wanted: Option<Scalar>, key: &str, may_be: Span) {
        let Some(wanted) = wanted else { return };
        match duration(&wanted.value) {
            Some(duration) if may_be.range.contains(&duration) => *span = duration,
            Some(_) => self.wrong(
                &wanted,
                format!("`{}` is out of range", wanted.value),
                &format!("`{key}` is {}", may_be.words),
            ),
            None => self.wrong(
                &wanted,
                format!("`{}` is no length of time", wanted.value),
                &format!("`{key}` is {}", may_be.words),
            ),
        }
    }

    fn duration(&mut self, text: &Scalar) -> Option<Duration> {
        let parsed = duration(&text.value).filter(|duration| *duration >= Duration::from_secs(60));
        if parsed.is_none() {
            self.wrong(
                text,
                format!("`{}` is no time to keep points for", text.value),
                "write at least a minute, such as `24h` or `90m`",
            );
        }
        parsed
    }

    fn librato(&mut self, librato: file::Librato) -> Option<librato::Settings> {
        let breaker = self.breaker(librato.breaker);
        let spool = librato.spool.map(|spool| self.size(&spool, "spool", SPOOL));
        let url = librato.url.value.parse::<reqwest::Url>().ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if url.is_none() {
            self.wrong(
                &librato.url,
                format!(
                    "`{}` is no URL of a server",
                    without_userinfo(&librato.url.value)
                ),
                "write its base, such as `http://metrics.internal:8420`",
            );
        }
        // The URL is in the log, on the page and in `/metrics`.
        let has_secrets =
            |url: &reqwest::Url| !url.username().is_empty() || url.password().is_some();
        if url.as_ref().is_some_and(has_secrets) {
            self.wrong(
                &librato.url,
                "`url` holds an account or a password".to_owned(),
                "leave out what is before the `@`, and name the environment variables that hold \
                 it: `email_env` and `token_env`",
            );
        }
        let token = librato.token_env.as_ref().map(|name| self.variable(name));
        let email = librato.email_env.as_ref().map(|name| self.variable(name));
        let credentials = match (email, token) {
            (None, None) => None,
            // AppOptics' clients send the token as the user, without a password.
            (None, Some(token)) => Some((token?, String::new())),
            (Some(email), Some(token)) => Some((email?, token?)),
            (Some(_), None) => {
                let place = librato.email_env.as_ref()?;
                self.wrong(
                    place,
                    "an account without a token lets nobody in".to_owned(),
                    "add `token_env`, the environment variable that holds the token",
                );
                return None;
            }
        };
        Some(librato::Settings {
            url: url?,
            api: librato.api,
            credentials,
            breaker,
            spool: spool.flatten().unwrap_or(librato::SPOOL),
        })
    }

    fn name(&mut self, name: &Scalar) -> Option<String> {
        if !http::is_name(&name.value) {
            self.wrong(
                name,
                format!("`{}` is no name of a host", name.value),
                "write the name alone, without a scheme or a port, such as `metrics.example.com`",
            );
            return None;
        }
        let name = name.value.to_ascii_lowercase();
        Some(name.trim_end_matches('.').to_owned())
    }

    fn token(&mut self, name: &Scalar) -> Option<Token> {
        let value = self.variable(name)?;
        let token = Token::new(&value);
        if let Err(why) = token {
            self.wrong(
                name,
                format!(
                    "the token in the environment variable `{}` {why}",
                    name.value
                ),
                TOKEN_HINT,
            );
        }
        token.ok()
    }

    fn breaker(&mut self, breaker: file::Breaker) -> breaker::Settings {
        let mut settings = breaker::Settings::default();
        let mut failures = settings.failures as usize;
        self.span(&mut settings.timeout, breaker.timeout, "timeout", TIMEOUT);
        self.limit(&mut failures, breaker.failures, FAILURES_RANGE);
        self.span(
            &mut settings.attempt_after,
            breaker.attempt_after,
            "attempt_after",
            ATTEMPT_AFTER,
        );
        // Within its range it is small.
        settings.failures = u32::try_from(failures).unwrap_or(u32::MAX);
        settings
    }

    fn size(&mut self, text: &Scalar, key: &str, may_be: Size) -> Option<u64> {
        let message = match size::bytes(&text.value) {
            Some(bytes) if may_be.range.contains(&bytes) => return Some(bytes),
            Some(_) => format!("`{}` is out of range", text.value),
            None => format!("`{}` is no number of bytes", text.value),
        };
        self.wrong(text, message, &format!("`{key}` is {}", may_be.words));
        None
    }

    fn variable(&mut self, name: &Scalar) -> Option<String> {
        let value = (self.env)(&name.value).and_then(|value| value.into_string().ok());
        let value = value.filter(|value| !value.is_empty());
        if value.is_none() {
            self.wrong(
                name,
                format!("the environment variable `{}` is not set", name.value),
                "set it in the environment of weir; the secret itself does not belong in the file",
            );
        }
        value
    }

    fn limit(
        &mut self,
        limit: &mut usize,
        wanted: Option<Written<usize>>,
        range: std::ops::RangeInclusive<usize>,
    ) {
        let Some(wanted) = wanted else { return };
        if range.contains(&wanted.value) {
            *limit = wanted.value;
        } else {
            let hint = format!("choose {} to {}", range.start(), range.end());
            self.wrong(&wanted, format!("{} is out of range", wanted.value), &hint);
        }
    }
}

/// A length of time with its units, such as `90s`, `1h30m` or `7d`, a day being 24 hours.
/// Not below zero.
fn duration(text: &str) -> Option<Duration> {
    let span = text.parse::<jiff::Span>().ok()?;
    let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours());
    Duration::try_from(duration.ok()?).ok()
}

#[cfg(test)]
mod tests;
