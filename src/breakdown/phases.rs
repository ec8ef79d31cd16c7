//! Where a request's time went.

use crate::haproxy::{Event, Kind};

/// What a request's or a session's time divides into, in the order in which it passes.
pub const PHASES: [&str; 6] = [
    "request", "queue", "connect", "response", "transfer", "session",
];

const REQUEST: usize = 0;
const QUEUE: usize = 1;
const CONNECT: usize = 2;
const RESPONSE: usize = 3;
const TRANSFER: usize = 4;
const SESSION: usize = 5;

/// Milliseconds in each of [`PHASES`]; `None` where it did not get there. Together they are
/// the whole duration.
pub type Phases = [Option<u64>; PHASES.len()];

/// The duration of a request or session in milliseconds, and where it went.
///
/// Timers say how long each phase took that was passed. The rest of the time was spent in the
/// one that was not: a request whose server never answered waited for the response until
/// somebody gave up. Where all were passed it is the transfer, or the session itself.
pub fn of(event: &Event<'_>) -> Option<(u64, Phases)> {
    let timers = &event.timers;
    let duration = millis(timers.active.or(timers.total))?;
    let mut phases = [None; PHASES.len()];
    phases[QUEUE] = millis(timers.queue);
    phases[CONNECT] = millis(timers.connect);
    let (passed, last) = match event.kind {
        Kind::Http => {
            phases[REQUEST] = millis(timers.request);
            phases[RESPONSE] = millis(timers.response);
            (&[REQUEST, QUEUE, CONNECT, RESPONSE][..], TRANSFER)
        }
        _ => (&[QUEUE, CONNECT][..], SESSION),
    };
    let known: u64 = passed.iter().filter_map(|phase| phases[*phase]).sum();
    let rest = duration.saturating_sub(known);
    let ended_in = match passed.iter().position(|phase| phases[*phase].is_none()) {
        // The format may have no timers: then nobody knows.
        Some(0) if known == 0 && !was_in(event, passed[0]) => return Some((duration, [None; 6])),
        Some(place) => passed[place],
        None => last,
    };
    phases[ended_in] = Some(rest);
    Some((duration, phases))
}

/// Whether it ended in that phase by what its termination state says.
fn was_in(event: &Event<'_>, phase: usize) -> bool {
    let state = event.termination_state.unwrap_or_default();
    let said = if phase == REQUEST { b"R" } else { b"Q" };
    state.get(1) == said.first()
}

fn millis(timer: Option<i64>) -> Option<u64> {
    timer.and_then(|millis| u64::try_from(millis).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy::Timers;

    fn told(kind: Kind, timers: [Option<i64>; 5], state: &'static str) -> String {
        let [request, queue, connect, response, total] = timers;
        let whole = Timers {
            request,
            queue,
            connect,
            response,
            ..Timers::NONE
        };
        let event = Event {
            termination_state: Some(state.as_bytes()),
            timers: match kind {
                Kind::Http => Timers {
                    active: total,
                    ..whole
                },
                _ => Timers { total, ..whole },
            },
            ..Event::of_kind(kind)
        };
        let Some((duration, phases)) = of(&event) else {
            return "nothing".to_owned();
        };
        let known: Vec<u64> = phases.iter().flatten().copied().collect();
        assert!(known.is_empty() || known.iter().sum::<u64>() == duration);
        let said = PHASES.iter().zip(phases);
        let said = said.filter_map(|(name, millis)| Some(format!("{name} {}", millis?)));
        said.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_rest_is_of_the_phase_that_was_not_passed() {
        let some = |timers: [i64; 5]| timers.map(|millis| (millis >= 0).then_some(millis));
        for (kind, timers, state, want) in [
            (
                Kind::Http,
                [1, 2, 3, 10, 20],
                "----",
                "request 1, queue 2, connect 3, response 10, transfer 4",
            ),
            (
                Kind::Http,
                [1, 0, 3, -1, 10_004],
                "sH--",
                "request 1, queue 0, connect 3, response 10000",
            ),
            (
                Kind::Http,
                [0, 0, -1, -1, 5],
                "SC--",
                "request 0, queue 0, connect 5",
            ),
            (Kind::Http, [0, -1, -1, -1, 7], "sQ--", "request 0, queue 7"),
            (Kind::Http, [-1, -1, -1, -1, 5000], "cR--", "request 5000"),
            (Kind::Http, [-1, -1, -1, -1, 5000], "----", ""),
            (Kind::Http, [0, 0, 0, 0, -1], "----", "nothing"),
            (
                Kind::Tcp,
                [-1, 0, 2, -1, 90],
                "--",
                "queue 0, connect 2, session 88",
            ),
            (Kind::Tcp, [-1, 0, -1, -1, 90], "sC", "queue 0, connect 90"),
        ] {
            assert_eq!(told(kind, some(timers), state), want, "{timers:?} {state}");
        }
    }
}
