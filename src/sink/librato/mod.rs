//! Any server with Librato's API: measurements pushed in chunks, annotations one by one,
//! retried until taken or refused.

mod answer;
mod body;
mod delivery;
mod gate;
mod http;
mod limits;
mod refused;

pub use self::http::{Client, Reply};

use self::delivery::Delivery;
use self::gate::Gate;
use self::http::Transport;
use self::refused::Refused;
use super::spool::Spool;
use super::{Outbox, breaker};
use crate::rare::Rare;
use crate::telemetry::{Deliveries, Sink};
use reqwest::{StatusCode, Url};
use std::fmt;
use std::sync::Arc;

/// Which of the API's two data models is written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// `POST /v1/measurements`: series have tags.
    #[default]
    Measurements,
    /// `POST /v1/metrics`: series have one source, made of the tags' values.
    Metrics,
}

impl Api {
    /// As `weir.yaml` has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Api::Measurements => "measurements",
            Api::Metrics => "metrics",
        }
    }

    /// Measurements in one request, within what the API's documentation advises.
    const fn chunk(self) -> usize {
        match self {
            Api::Measurements => 500,
            Api::Metrics => 300,
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Api::Measurements => "v1/measurements",
            Api::Metrics => "v1/metrics",
        }
    }
}

/// How much of an answer is read: it is short, an error too.
const ANSWER_MAX: usize = 64 * 1024;
/// Bytes that may wait on disk, where nobody says otherwise.
pub const SPOOL: u64 = 256 << 20;

/// Where to deliver, and as whom.
#[derive(Clone, PartialEq)]
pub struct Settings {
    pub url: Url,
    pub api: Api,
    /// Account and token, sent as basic authentication.
    pub credentials: Option<(String, String)>,
    pub breaker: breaker::Settings,
    /// Bytes that may wait on disk.
    pub spool: u64,
}

/// Delivers to one server.
pub struct Librato<T = Client> {
    transport: T,
    settings: Settings,
}

/// Without the credentials, which belong in no log.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Settings");
        debug
            .field("url", &self.url.as_str())
            .field("api", &self.api)
            .field("breaker", &self.breaker)
            .field("spool", &self.spool);
        debug.finish_non_exhaustive()
    }
}

impl Librato {
    /// # Errors
    ///
    /// When the system's certificates cannot be used.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let credentials = settings.credentials.clone();
        let timeout = settings.breaker.timeout;
        Ok(Librato {
            transport: Client::new(&settings.url, credentials, timeout, ANSWER_MAX)?,
            settings,
        })
    }
}

impl<T: Transport> Librato<T> {
    /// Where it delivers to.
    pub fn target(&self) -> String {
        below(&self.settings.url, self.settings.api.path()).to_string()
    }

    /// Delivers what comes until the outbox is closed and empty; what is in the spool then and
    /// not taken stays there. Annotations go beside the measurements: neither waits while the
    /// server does not take the other.
    pub async fn run(&self, outbox: &Outbox, spool: &Spool) {
        let delivery = Delivery {
            settings: &self.settings,
            transport: &self.transport,
            outbox,
            spool,
            gate: Gate::new(self.settings.breaker, Arc::clone(outbox.sink())),
            refused: Refused::default(),
            refusals_told: Rare::default(),
            left_out_told: Rare::default(),
            failures_told: Default::default(),
        };
        tokio::join!(
            spool.fill(outbox),
            delivery.measurements(),
            delivery.annotations()
        );
    }
}

/// What a request carries.
#[derive(Clone, Copy)]
enum What {
    Measurements,
    Annotations,
}

impl What {
    fn counters(self, sink: &Sink) -> &Deliveries {
        match self {
            What::Measurements => &sink.measurements,
            What::Annotations => &sink.annotations,
        }
    }

    /// Answers that are not about what was sent but about where and as whom: mended on
    /// the far side or by a restart, and what waits must not be lost meanwhile. A server
    /// may well take measurements and have no annotations, though.
    fn address_errors(self) -> &'static [StatusCode] {
        match self {
            What::Measurements => &[
                StatusCode::UNAUTHORIZED,
                StatusCode::NOT_FOUND,
                StatusCode::METHOD_NOT_ALLOWED,
            ],
            What::Annotations => &[StatusCode::UNAUTHORIZED],
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            What::Measurements => "measurements",
            What::Annotations => "annotations",
        })
    }
}

/// The URL of a route below `base`, with or without a slash at its end.
fn below(base: &Url, route: &str) -> Url {
    let mut url = base.clone();
    let path = format!("{}/{route}", base.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

#[cfg(test)]
mod tests;
