//! A worker's part in it: some lines are looked at once more, for all that they say.

use super::SLOT;
use super::details::Details;
use super::exemplar::{self, Exemplar, PATH_MAX, TEXT_MAX};
use super::hosts::HostCounts;
use super::parts::Parts;
use super::phases::{self, Phases};
use super::portion::Portion;
use crate::haproxy::{self, Event, ExtraValue, Formats, Kind, termination};
use crate::names;
use crate::rules::{Rules, Service, fold_path};
use crate::syslog::Message;
use crate::time::Timestamp;
use bstr::ByteSlice;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// Bytes of a route's name, its method included.
const ROUTE_MAX: usize = 160;

/// What an event without a path has as its route, as HAProxy logs it.
const NO_REQUEST: &str = "<BADREQ>";

/// Names under which a request's id is captured or logged, compared without case; the first
/// that a line has is taken.
const REQUEST_ID: [&str; 8] = [
    "unique_id",
    "unique-id",
    "request_id",
    "request-id",
    "x-request-id",
    "x-correlation-id",
    "x-unique-id",
    "traceparent",
];

/// Counts what a worker sees.
///
/// The worker's own parser keeps what rules look at and no more. This one keeps everything, and
/// sees few enough lines to afford it.
pub struct Observer {
    parser: haproxy::Parser,
    service: Service,
    portion: Portion,
    parts: Parts,
    hosts: HostCounts,
    texts: Texts,
}

/// Names of the line that is looked at, in buffers that are used again.
#[derive(Default)]
struct Texts {
    service: String,
    folded: Vec<u8>,
    route: String,
    server: String,
}

/// What of a line does not depend on where it is counted.
struct Seen<'e, 'a> {
    event: &'e Event<'a>,
    at: Timestamp,
    time: Option<(u64, Phases)>,
    failed: bool,
    weight: u64,
}

impl Observer {
    /// `seed` is another one for each worker.
    pub fn new(rules: &Rules, formats: Arc<Formats>, zone: TimeZone, seed: u64) -> Self {
        Observer {
            parser: haproxy::Parser::new(formats, zone),
            service: rules.service().clone(),
            portion: Portion::new(seed),
            parts: Parts::default(),
            hosts: HostCounts::default(),
            texts: Texts::default(),
        }
    }

    /// From here on lines are read by these.
    pub fn load(&mut self, rules: &Rules, formats: Arc<Formats>, zone: TimeZone) {
        self.parser = haproxy::Parser::new(formats, zone);
        self.service = rules.service().clone();
    }

    /// What the next line counts, where it is to be looked at.
    #[inline]
    pub fn weigh(&mut self) -> Option<u32> {
        self.portion.weigh()
    }

    /// Looks at a line that counts `weight`, of an event that was at `at`.
    #[cold]
    #[inline(never)]
    pub fn look(
        &mut self,
        message: &Message<'_>,
        received_at: Option<Timestamp>,
        at: Timestamp,
        weight: u32,
    ) {
        let weight = u64::from(weight);
        self.hosts.add(message.host, weight);
        let mut event = Event::of_kind(Kind::Http);
        let read = self.parser.parse_into(message, received_at, &mut event);
        if read.is_err() || !matches!(event.kind, Kind::Http | Kind::Tcp) {
            return;
        }
        let service = self.service.of(&event);
        // Under the name of no service the store notes what was watched.
        let Some(service) = service.filter(|name| !name.is_empty()) else {
            return;
        };
        let texts = &mut self.texts;
        // As the store has it: under this name the page asks.
        texts.service.clear();
        let service = service.to_str_lossy();
        texts.service.push_str(&names::sanitise_tag_value(&service));
        texts.service.make_ascii_lowercase();
        let slot = at.as_secs().div_euclid(SLOT) * SLOT;
        let Some((part, room)) = self.parts.part(slot, &texts.service) else {
            self.parts.left_out += weight;
            return;
        };
        let seen = Seen {
            event: &event,
            at,
            time: phases::of(&event),
            failed: failed(&event),
            weight,
        };
        let is_session = event.kind == Kind::Tcp;
        part.curves
            .add(event.status, seen.time.as_ref(), is_session, weight);
        texts.count(&seen, &mut part.details, room);
    }

    /// Hands over what was counted in the second that is over.
    pub fn take(&mut self) -> (Parts, HostCounts) {
        self.portion.next_second();
        (
            std::mem::take(&mut self.parts),
            std::mem::take(&mut self.hosts),
        )
    }
}

impl Texts {
    fn count(&mut self, seen: &Seen<'_, '_>, details: &mut Details, room: &mut usize) {
        let Seen {
            event,
            failed,
            weight,
            ..
        } = *seen;
        let duration = seen.time.as_ref().map(|(duration, _)| *duration);
        if event.kind == Kind::Http {
            self.name_route(event);
            let row = details.routes.row(&self.route, room);
            row.add(duration, failed, weight);
        }
        if event.backend.is_some() || event.server.is_some() {
            self.server.clear();
            push(&mut self.server, event.backend, TEXT_MAX);
            self.server.push('/');
            push(&mut self.server, event.server, TEXT_MAX);
            let row = details.servers.row(&self.server, room);
            row.group.add(duration, failed, weight);
            row.queue.add(event.timers.queue, weight);
            row.connect.add(event.timers.connect, weight);
            row.response.add(event.timers.response, weight);
        }
        if let Some(state) = event.termination_state {
            let state = state.get(..TEXT_MAX).unwrap_or(state).to_str_lossy();
            *details.terminations.row(&state, room) += weight;
        }
        let time = seen.at.as_millis();
        let slow = duration.is_some()
            && exemplar::could_enter(&details.slowest, time, duration, exemplar::slowest);
        let fails =
            failed && exemplar::could_enter(&details.failing, time, duration, exemplar::newest);
        if slow || fails {
            let exemplar = self.exemplar(seen);
            if fails {
                exemplar::enter(&mut details.failing, exemplar.clone(), exemplar::newest);
            }
            if slow {
                exemplar::enter(&mut details.slowest, exemplar, exemplar::slowest);
            }
        }
    }

    /// The method, a blank, and the path without ids.
    fn name_route(&mut self, event: &Event<'_>) {
        self.route.clear();
        push(&mut self.route, event.method, 16);
        self.route.push(' ');
        match event.path {
            Some(path) => {
                fold_path(path, &mut self.folded);
                push(&mut self.route, Some(&self.folded), ROUTE_MAX);
            }
            None => self.route.push_str(NO_REQUEST),
        }
    }

    fn exemplar(&self, seen: &Seen<'_, '_>) -> Exemplar {
        let event = seen.event;
        let of = |value: Option<&[u8]>| value.map(|value| exemplar::text(value, TEXT_MAX));
        let path = event.path.map(|path| {
            let mut whole = path.to_vec();
            if let Some(query) = event.query {
                whole.push(b'?');
                whole.extend_from_slice(query);
            }
            exemplar::text(&whole, PATH_MAX)
        });
        let route = self.route.split_once(' ').map(|(_, route)| route);
        Exemplar {
            time: seen.at.as_millis(),
            duration: seen.time.as_ref().map(|(duration, _)| *duration),
            status: event.status.and_then(|status| u16::try_from(status).ok()),
            method: of(event.method),
            route: route.filter(|_| path.is_some()).map(Into::into),
            path,
            backend: of(event.backend),
            server: of(event.server),
            termination: of(event.termination_state),
            request_id: request_id(event),
            client: of(event.client_ip),
            host: of(event.host),
            phases: seen.time.as_ref().map_or([None; 6], |(_, phases)| *phases),
        }
    }
}

/// Whether the far side or HAProxy did not do what was asked: an answer from 500 on, or none, or
/// a session, that did not end as it should.
fn failed(event: &Event<'_>) -> bool {
    match event.status {
        Some(status) if event.kind == Kind::Http => status >= 500,
        _ => event
            .termination_state
            .is_some_and(|state| !termination::is_normal(state)),
    }
}

fn request_id(event: &Event<'_>) -> Option<Box<str>> {
    let captures = [event.request_headers, event.response_headers];
    let found = REQUEST_ID.iter().find_map(|name| {
        let extra = event
            .extra
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        let extra = extra.and_then(|(_, value)| match value {
            ExtraValue::String(value) => Some(value),
            _ => None,
        });
        let captured = || captures.iter().flatten().find_map(|c| c.by_name(name));
        extra
            .or_else(captured)
            .filter(|id| !matches!(*id, b"" | b"-"))
    });
    found.map(|id| exemplar::text(id, TEXT_MAX))
}

/// At most `max` bytes of it, as text.
fn push(to: &mut String, value: Option<&[u8]>, max: usize) {
    let value = value.unwrap_or_default();
    match std::str::from_utf8(value) {
        Ok(text) => to.push_str(&text[..text.floor_char_boundary(max)]),
        Err(_) => to.push_str(&exemplar::text(value, max)),
    }
}
