//! Which format a line is of.

use super::config::{self, FormatText, HaproxyConfig, LoggedFormat, Proxy, Purpose};
use super::event::Kind;
use super::field::FieldNames;
use super::plan::{Captured, Plan, compile};
use super::{built_in, log_format};
use crate::source::{Place, Placed, Problem, Source};
use memchr::memchr;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsString;
use std::ptr;
use std::sync::LazyLock;

/// Different formats of one file; more are refused. It keeps a place within a `u16`, and
/// a line that tells no frontend from being tried by more than anyone would write.
const FORMATS_MAX: usize = 10_000;

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
    /// Every candidate, those first whose lines have this tag in their envelope.
    by_tag: HashMap<Box<[u8]>, Vec<u16>>,
    /// The tags that are configured.
    tags: Vec<Box<[u8]>>,
}

/// A format, and whose lines have it.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) plan: Plan,
    /// As [`Formats::name_of`] tells it.
    name: String,
    /// The frontends that have it; empty: any.
    frontends: Vec<Box<[u8]>>,
    /// The tags that their lines can have.
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

    /// One `log-format` for all lines. It can be written as in `haproxy.cfg`, with quotes,
    /// escaped blanks and variables, or without any of that. `env` is the environment that
    /// HAProxy runs in.
    ///
    /// # Errors
    ///
    /// When it is no format, or its lines could not be taken apart again: the first place,
    /// and what to write there.
    pub fn one(
        format: &Placed,
        env: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Box<Problem>> {
        let Placed { source, text } = format;
        let unquoted = config::unquote(&Source::new(&source.name, &text.value), env);
        let written = unquoted.as_ref().map_or(&*text.value, |word| &*word.text);
        let plan = log_format::parse(written)
            .and_then(|format| compile(&format, None, Captured::default()))
            .map_err(|mut fault| {
                if let Some(word) = &unquoted {
                    fault.span = word.span(fault.span);
                }
                source.fault("log format: ", text.span.clone(), &text.value, fault)
            })?;
        let mut formats = Formats::default();
        formats.add(Candidate::of(plan, format_at(source, text.span.start)));
        Ok(formats)
    }

    /// The formats of every frontend of an `haproxy.cfg`.
    ///
    /// # Errors
    ///
    /// For each format whose lines could not be taken apart again, its place in the file;
    /// and for the first beyond 10,000 different ones, its section.
    pub fn of_config(config: &HaproxyConfig) -> Result<Self, Vec<Problem>> {
        let mut known: HashMap<(Asked, Captured), usize> = HashMap::new();
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut problems = Vec::new();
        'proxies: for proxy in &config.proxies {
            let captured = Captured {
                request: proxy.request_captures.clone().into(),
                response: proxy.response_captures.clone().into(),
                known: true,
            };
            for format in &proxy.formats {
                let asked = match Asked::of(format, proxy) {
                    Some(asked) => asked,
                    // Every line may be one of these.
                    None => continue,
                };
                let place = match known.entry((asked, captured.clone())) {
                    Entry::Occupied(entry) => *entry.get(),
                    Entry::Vacant(_) if candidates.len() == FORMATS_MAX => {
                        let Place { source, span } = &proxy.place;
                        let message = format!(
                            "more than {FORMATS_MAX} formats: the lines of `{}` have one more",
                            proxy.name
                        );
                        let problem = source.problem(span.clone(), message);
                        problems.push(problem.hint(
                            "weir reads no more than that; frontends with the same text and the same \
                             captures share a format",
                        ));
                        break 'proxies;
                    }
                    Entry::Vacant(entry) => match plan_of(format, proxy.http, &captured) {
                        Ok(plan) => {
                            candidates.push(Candidate::of(plan, name_of(format)));
                            *entry.insert(candidates.len() - 1)
                        }
                        Err(problem) => {
                            problems.push(*problem);
                            continue;
                        }
                    },
                };
                candidates[place].used_by(proxy);
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        // A format that does not tell its frontend takes the lines of any, so those that
        // do have the first say.
        candidates.sort_by_key(|candidate| !candidate.plan.tells_frontend());
        let mut formats = Formats::default();
        for candidate in candidates {
            formats.add(candidate);
        }
        for proxy in &config.proxies {
            add_tags(&mut formats.tags, proxy);
        }
        formats.order_by_tags();
        Ok(formats)
    }

    fn add(&mut self, candidate: Candidate) {
        // At most `FORMATS_MAX`.
        let place = self.configured.len() as u16;
        for frontend in &candidate.frontends {
            self.by_frontend
                .entry(frontend.clone())
                .or_default()
                .push(place);
        }
        self.all.push(place);
        self.configured.push(candidate);
    }

    /// Lines under one of these tags are tried by the formats of that tag first.
    fn order_by_tags(&mut self) {
        for tag in &self.tags {
            let has = |&place: &u16| self.configured[usize::from(place)].tags.contains(tag);
            let (first, then): (Vec<u16>, Vec<u16>) = self.all.iter().partition(|place| has(place));
            self.by_tag.insert(tag.clone(), [first, then].concat());
        }
    }

    /// The tags that HAProxy's messages have in their envelope, if others than its own.
    pub(super) fn tags(&self) -> &[Box<[u8]>] {
        &self.tags
    }

    /// One format for all lines.
    pub(super) fn is_one(&self) -> bool {
        self.by_frontend.is_empty()
    }

    /// Whether a line that tells this frontend can be of that format. A frontend that no
    /// format is of may have any.
    pub(super) fn takes(&self, candidate: &Candidate, frontend: Option<&[u8]>) -> bool {
        candidate.is_of(frontend) || frontend.is_some_and(|frontend| !self.knows(frontend))
    }

    /// What lines may have names for.
    pub fn names(&self) -> FieldNames {
        let mut names = FieldNames {
            known: !self.configured.is_empty(),
            ..FieldNames::default()
        };
        let add = |to: &mut Vec<Box<str>>, from: &[Box<str>]| {
            for name in from {
                if !name.is_empty() && !to.contains(name) {
                    to.push(name.clone());
                }
            }
        };
        for Candidate { plan, .. } in &self.configured {
            add(&mut names.request_headers, &plan.captured.request);
            add(&mut names.response_headers, &plan.captured.response);
        }
        let own = [&BUILT_IN.connect, &BUILT_IN.error];
        let plans = self
            .configured
            .iter()
            .map(|candidate| &candidate.plan)
            .chain(own);
        for field in plans.flat_map(|plan| &plan.extra) {
            if !names.extra.contains(field) {
                names.extra.push(field.clone());
            }
        }
        names
    }

    pub(super) fn configured(&self) -> &[Candidate] {
        &self.configured
    }

    pub(super) fn candidate(&self, place: u16) -> &Candidate {
        &self.configured[usize::from(place)]
    }

    /// What this format is called: a built-in one by its option, and one that is written
    /// somewhere by its place.
    pub(super) fn name_of(&self, plan: &Plan) -> &str {
        let mut configured = self.configured.iter();
        if let Some(candidate) = configured.find(|known| ptr::eq(&known.plan, plan)) {
            return &candidate.name;
        }
        let BuiltIn {
            http,
            https,
            tcp,
            http_clf,
            tcp_clf,
            connect,
            error,
        } = &*BUILT_IN;
        let built_in = [
            (http, config::BuiltIn::HttpLog),
            (https, config::BuiltIn::HttpsLog),
            (tcp, config::BuiltIn::TcpLog),
            (http_clf, config::BuiltIn::HttpLogClf),
            (tcp_clf, config::BuiltIn::TcpLogClf),
            (connect, config::BuiltIn::Connect),
            (error, config::BuiltIn::Error),
        ];
        let named = built_in.iter().find(|(known, _)| ptr::eq(*known, plan));
        named.map_or("", |(_, built_in)| name(*built_in))
    }

    /// Whether some candidate is of that frontend.
    pub(super) fn knows(&self, frontend: &[u8]) -> bool {
        self.by_frontend.contains_key(frontend)
    }

    /// In which order to try the candidates on a line of that frontend, or if it is not
    /// known yet, with that tag. A frontend that no candidate is of may have any of them.
    pub(super) fn order(&self, frontend: Option<&[u8]>, tag: Option<&[u8]>) -> &[u16] {
        let own = frontend.and_then(|frontend| self.by_frontend.get(frontend));
        let tagged = || tag.and_then(|tag| self.by_tag.get(tag));
        own.or_else(tagged).unwrap_or(&self.all)
    }
}

impl Candidate {
    fn of(plan: Plan, name: String) -> Self {
        Candidate {
            plan,
            name,
            frontends: Vec::new(),
            tags: Vec::new(),
        }
    }

    fn used_by(&mut self, proxy: &Proxy) {
        let name = proxy.name.as_bytes();
        if !self.frontends.iter().any(|known| **known == *name) {
            self.frontends.push(name.into());
        }
        add_tags(&mut self.tags, proxy);
    }

    /// Whether lines of that frontend have it, or those of any.
    pub(super) fn is_of(&self, frontend: Option<&[u8]>) -> bool {
        let named = |name: &[u8]| self.frontends.iter().any(|known| **known == *name);
        self.frontends.is_empty() || frontend.is_none_or(named)
    }

    /// The only frontend that has it.
    pub(super) fn only_frontend(&self) -> Option<&[u8]> {
        match &*self.frontends {
            [only] => Some(only),
            _ => None,
        }
    }
}

fn add_tags(tags: &mut Vec<Box<[u8]>>, proxy: &Proxy) {
    for tag in proxy.log_tag.iter().chain(&proxy.profile_tags) {
        let tag = tag.as_bytes();
        if !tags.iter().any(|known| **known == *tag) {
            tags.push(tag.into());
        }
    }
}

/// What tells formats apart: their text, and what their lines are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Asked {
    text: Box<str>,
    error: bool,
    http: bool,
}

impl Asked {
    /// `None` for the formats that lines may have whatever is configured.
    fn of(format: &LoggedFormat, proxy: &Proxy) -> Option<Asked> {
        Some(Asked {
            text: text(&format.text)?.into(),
            error: format.purpose == Purpose::Error,
            http: proxy.http,
        })
    }
}

fn text(format: &FormatText) -> Option<&str> {
    Some(match format {
        FormatText::Custom(text) => &text.text,
        FormatText::BuiltIn(built_in) => match built_in {
            config::BuiltIn::HttpLog => built_in::HTTPLOG,
            config::BuiltIn::HttpLogClf => built_in::HTTPLOG_CLF,
            config::BuiltIn::TcpLog => built_in::TCPLOG,
            config::BuiltIn::TcpLogClf => built_in::TCPLOG_CLF,
            config::BuiltIn::HttpsLog => built_in::HTTPSLOG,
            config::BuiltIn::Connect | config::BuiltIn::Error => return None,
        },
    })
}

fn plan_of(format: &LoggedFormat, http: bool, captured: &Captured) -> Result<Plan, Box<Problem>> {
    let kind = match (format.purpose, &format.text) {
        (Purpose::Error, _) => Some(Kind::Error),
        // In `mode http` lines are of requests, even if no field of theirs says so.
        (Purpose::Traffic, FormatText::Custom(_)) if http => Some(Kind::Http),
        (Purpose::Traffic, _) => None,
    };
    log_format::parse(text(&format.text).unwrap_or_default())
        .and_then(|parsed| compile(&parsed, kind, captured.clone()))
        .map_err(|fault| match &format.text {
            FormatText::Custom(text) => {
                let message = format!("log format: {}", fault.message);
                let problem = text.source.problem(text.span(fault.span), message);
                Box::new(match fault.hint {
                    Some(hint) => problem.hint(hint),
                    None => problem,
                })
            }
            FormatText::BuiltIn(built_in) => unreachable!("{built_in:?}: {}", fault.message),
        })
}

fn format_at(source: &Source, at: usize) -> String {
    format!("the format at {}", source.place_of(at))
}

fn name_of(format: &LoggedFormat) -> String {
    match &format.text {
        FormatText::Custom(text) => format_at(&text.source, text.span(0..1).start),
        FormatText::BuiltIn(built_in) => name(*built_in).to_owned(),
    }
}

fn name(built_in: config::BuiltIn) -> &'static str {
    match built_in {
        config::BuiltIn::HttpLog => "option httplog",
        config::BuiltIn::HttpLogClf => "option httplog clf",
        config::BuiltIn::TcpLog => "option tcplog",
        config::BuiltIn::TcpLogClf => "option tcplog clf",
        config::BuiltIn::HttpsLog => "option httpslog",
        config::BuiltIn::Connect => "HAProxy's format without an option",
        config::BuiltIn::Error => "HAProxy's error format",
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
