//! Which format a line is of.

use super::built_in;
use super::event::{ExtraField, Kind};
use super::log_format;
use super::plan::{Captured, Plan, compile};
use crate::source::{Placed, Problem};
use hashbrown::HashMap;
use memchr::memchr;
use std::sync::LazyLock;

/// The formats that lines may have. Whatever they are, HAProxy's own error and connect
/// lines are understood too, since no format keeps HAProxy from writing them.
#[derive(Debug, Default)]
pub struct Formats {
    /// None: the built-in ones.
    configured: Vec<Candidate>,
    /// Every candidate.
    all: Vec<u16>,
    /// The candidates of each frontend, by its name.
    by_frontend: HashMap<Box<[u8]>, Vec<u16>>,
}

/// A format, and whose lines have it.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) plan: Plan,
    /// The frontends that have it; empty: any.
    frontends: Vec<Box<[u8]>>,
    /// The tags under which these log; empty: any.
    tags: Vec<Box<[u8]>>,
}

/// HAProxy's built-in formats.
pub(super) struct BuiltIn {
    pub(super) http: Plan,
    pub(super) https: Plan,
    pub(super) tcp: Plan,
    pub(super) http_clf: Plan,
    pub(super) tcp_clf: Plan,
    pub(super) connect: Plan,
    pub(super) error: Plan,
}

pub(super) static BUILT_IN: LazyLock<BuiltIn> = LazyLock::new(|| BuiltIn {
    http: plan(built_in::HTTPLOG, Kind::Http),
    https: plan(built_in::HTTPSLOG, Kind::Http),
    tcp: plan(built_in::TCPLOG, Kind::Tcp),
    http_clf: plan(built_in::HTTPLOG_CLF, Kind::Http),
    tcp_clf: plan(built_in::TCPLOG_CLF, Kind::Tcp),
    connect: plan(built_in::CONNECT, Kind::Connect),
    error: plan(built_in::ERROR, Kind::Error),
});

fn plan(format: &str, kind: Kind) -> Plan {
    log_format::parse(format)
        .and_then(|format| compile(&format, Some(kind), Captured::default()))
        .unwrap_or_else(|fault| unreachable!("{format}: {}", fault.message))
}

impl Formats {
    /// HAProxy's built-in formats, told apart by what is on the line.
    pub fn built_in() -> Self {
        Formats::default()
    }

    /// One `log-format` for all lines, as HAProxy sees it: without the quotes and escapes
    /// of `haproxy.cfg`.
    ///
    /// # Errors
    ///
    /// When it is no format, or its lines could not be taken apart again: the first place,
    /// and what to write there.
    pub fn one(format: &Placed) -> Result<Self, Box<Problem>> {
        let Placed { source, text } = format;
        let plan = log_format::parse(&text.value)
            .and_then(|format| compile(&format, None, Captured::default()))
            .map_err(|fault| source.fault("log format: ", text.span.clone(), &text.value, fault))?;
        Ok(Formats {
            configured: vec![Candidate {
                plan,
                frontends: Vec::new(),
                tags: Vec::new(),
            }],
            all: vec![0],
            by_frontend: HashMap::new(),
        })
    }

    pub(super) fn configured(&self) -> &[Candidate] {
        &self.configured
    }

    pub(super) fn candidate(&self, place: u16) -> &Candidate {
        &self.configured[usize::from(place)]
    }

    /// In which order to try the candidates on a line of that frontend. One that no
    /// candidate names may have any of them.
    pub(super) fn order(&self, frontend: Option<&[u8]>) -> &[u16] {
        let own = frontend.and_then(|frontend| self.by_frontend.get(frontend));
        own.unwrap_or(&self.all)
    }

    /// Every field of these formats beside an event's own.
    pub fn extra(&self) -> impl Iterator<Item = &ExtraField> {
        let configured = self.configured.iter().map(|candidate| &candidate.plan);
        let built_in = [&BUILT_IN.https]
            .into_iter()
            .filter(|_| self.configured.is_empty());
        configured.chain(built_in).flat_map(|plan| &plan.extra)
    }
}

impl Candidate {
    /// Whether a line with this frontend, and this tag in its envelope, can be of it.
    pub(super) fn takes(&self, frontend: Option<&[u8]>, tag: Option<&[u8]>) -> bool {
        let among = |names: &[Box<[u8]>], name: Option<&[u8]>| {
            names.is_empty() || name.is_none_or(|name| names.iter().any(|known| **known == *name))
        };
        among(&self.frontends, frontend) && among(&self.tags, tag)
    }
}

/// Which built-in format a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Http,
    Tcp,
    HttpClf,
    TcpClf,
    Connect,
    Error,
}

impl Shape {
    /// `None` if it is no line of traffic at all. Beginning as one is enough to be one:
    /// what is wrong with it further on is then told.
    pub(super) fn of(line: &[u8]) -> Option<Shape> {
        if line.starts_with(b"Connect from ") {
            return Some(Shape::Connect);
        }
        let (client, rest) = word(line)?;
        if rest.starts_with(b"- - [") {
            let tcp = memchr(b']', rest).is_some_and(|at| rest[at..].starts_with(b"] \"TCP \""));
            return Some(if tcp { Shape::TcpClf } else { Shape::HttpClf });
        }
        if !client.contains(&b':') || !rest.starts_with(b"[") {
            return None;
        }
        let (_, behind) = rest.split_at(memchr(b']', rest)?);
        let (_, behind) = word(behind)?;
        let (frontend, behind) = word(behind).unwrap_or((behind, &[]));
        if frontend.ends_with(b":") && frontend.contains(&b'/') {
            return Some(Shape::Error);
        }
        let timers = word(behind).and_then(|(_, behind)| word(behind));
        let slashes = timers.map_or(0, |(timers, _)| {
            timers.iter().filter(|&&byte| byte == b'/').count()
        });
        Some(if slashes == 2 {
            Shape::Tcp
        } else {
            Shape::Http
        })
    }
}

/// The bytes up to the next blank, and what is behind that and the blanks after it.
fn word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = memchr(b' ', line)?;
    Some((&line[..blank], super::leaf::blanks(&line[blank..])))
}
