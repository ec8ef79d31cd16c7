//! The circuit breaker in front of a push sink: it stops asking a far side that does not
//! answer, and asks again with one request at a time.
//!
//! ```text
//! closed    --failures in a row-->   open
//! open      --attempt_after-->       half-open: one attempt is under way
//! half-open --it succeeds-->         closed
//! half-open --it fails-->            open
//! ```
//!
//! A pure state machine: time is an argument, and nothing here waits.

use std::time::Duration;
use tokio::time::Instant;

/// The three settings, as `sinks.librato.breaker` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// One request from connecting to its last byte.
    pub timeout: Duration,
    /// Failures in a row that open it; at least 1.
    pub failures: u32,
    /// How long it stays open before one attempt.
    pub attempt_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            timeout: Duration::from_secs(30),
            failures: 5,
            attempt_after: Duration::from_secs(30),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Requests flow.
    #[default]
    Closed,
    /// Nothing is sent.
    Open,
    /// One attempt is under way, and nothing else is sent.
    HalfOpen,
}

impl State {
    pub const ALL: [State; 3] = [State::Closed, State::Open, State::HalfOpen];

    /// As the page, the API and `/metrics` have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half-open",
        }
    }
}

/// Whether a request may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It may. What became of it must be told with the same pass.
    Go(Pass),
    /// Not before then.
    Wait(Instant),
    /// Not before it is known what became of the attempt under way.
    Attempted,
}

/// A request that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// It is the one attempt.
    attempt: bool,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The far side answered, be it with a refusal.
    Answered,
    /// It could not be reached, took too long, or could not do its work.
    Failed,
    /// Nobody knows: the request was given up.
    Abandoned,
}

#[derive(Debug)]
pub struct Breaker {
    settings: Settings,
    inner: Inner,
}

#[derive(Clone, Copy, Debug)]
enum Inner {
    /// With the failures since the last answer.
    Closed(u32),
    /// Until then.
    Open(Instant),
    HalfOpen,
}

impl Breaker {
    pub fn new(settings: Settings) -> Self {
        Breaker {
            settings,
            inner: Inner::Closed(0),
        }
    }

    pub fn state(&self) -> State {
        match self.inner {
            Inner::Closed(_) => State::Closed,
            Inner::Open(_) => State::Open,
            Inner::HalfOpen => State::HalfOpen,
        }
    }

    /// Asks to send one request.
    pub fn ask(&mut self, now: Instant) -> Permit {
        match self.inner {
            Inner::Closed(_) => Permit::Go(Pass { attempt: false }),
            Inner::Open(until) if now < until => Permit::Wait(until),
            Inner::Open(_) => {
                self.inner = Inner::HalfOpen;
                Permit::Go(Pass { attempt: true })
            }
            Inner::HalfOpen => Permit::Attempted,
        }
    }

    /// Tells what became of a request. Those that were let through before it opened say
    /// nothing about the far side as it is now.
    pub fn tell(&mut self, pass: Pass, outcome: Outcome, now: Instant) {
        self.inner = match (self.inner, outcome) {
            (Inner::Closed(_), Outcome::Answered) => Inner::Closed(0),
            (Inner::Closed(failures), Outcome::Failed) => {
                if failures + 1 >= self.settings.failures {
                    Inner::Open(now + self.settings.attempt_after)
                } else {
                    Inner::Closed(failures + 1)
                }
            }
            (Inner::HalfOpen, Outcome::Answered) if pass.attempt => Inner::Closed(0),
            (Inner::HalfOpen, Outcome::Failed) if pass.attempt => {
                Inner::Open(now + self.settings.attempt_after)
            }
            // The next attempt need not wait: this one was none.
            (Inner::HalfOpen, Outcome::Abandoned) if pass.attempt => Inner::Open(now),
            (other, _) => other,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SETTINGS: Settings = Settings {
        timeout: Duration::from_secs(1),
        failures: 3,
        attempt_after: Duration::from_secs(10),
    };

    /// What is done to it: time passes, a request is asked for, the oldest under way ends.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Pass(u64),
        Ask,
        Tell(Outcome),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..8u64).prop_map(Step::Pass),
            Just(Step::Ask),
            Just(Step::Ask),
            prop_oneof![
                Just(Outcome::Failed),
                Just(Outcome::Failed),
                Just(Outcome::Answered),
                Just(Outcome::Abandoned)
            ]
            .prop_map(Step::Tell),
        ];
        proptest::collection::vec(step, 0..200)
    }

    /// The same in plain words: when it opened, and which request is the attempt.
    #[derive(Default)]
    struct Model {
        in_a_row: u32,
        /// In seconds: when an attempt may be made. Some while not closed.
        attempt_at: Option<u64>,
        attempt: Option<usize>,
    }

    proptest! {
        #[test]
        fn it_does_what_the_model_does(steps in steps()) {
            let start = Instant::now();
            let mut breaker = Breaker::new(SETTINGS);
            let mut model = Model::default();
            let mut now = 0;
            let mut requests = 0;
            let mut under_way = std::collections::VecDeque::new();
            for step in steps {
                let at = start + Duration::from_secs(now);
                match step {
                    Step::Pass(seconds) => now += seconds,
                    Step::Ask => {
                        let permit = breaker.ask(at);
                        let may = model.attempt_at.is_none_or(|then| model.attempt.is_none() && now >= then);
                        match permit {
                            Permit::Go(pass) => {
                                prop_assert!(may);
                                requests += 1;
                                if model.attempt_at.is_some() {
                                    model.attempt = Some(requests);
                                }
                                under_way.push_back((requests, pass));
                            }
                            Permit::Wait(until) => {
                                prop_assert!(!may && model.attempt.is_none());
                                prop_assert_eq!(Some(until), model.attempt_at.map(|then| start + Duration::from_secs(then)));
                            }
                            Permit::Attempted => prop_assert!(model.attempt.is_some()),
                        }
                    }
                    Step::Tell(outcome) => {
                        let Some((request, pass)) = under_way.pop_front() else { continue };
                        breaker.tell(pass, outcome, at);
                        if model.attempt == Some(request) {
                            model.attempt = None;
                            model.in_a_row = 0;
                            model.attempt_at = match outcome {
                                Outcome::Answered => None,
                                Outcome::Failed => Some(now + 10),
                                Outcome::Abandoned => Some(now),
                            };
                        } else if model.attempt_at.is_none() {
                            match outcome {
                                Outcome::Answered => model.in_a_row = 0,
                                Outcome::Failed => model.in_a_row += 1,
                                Outcome::Abandoned => {}
                            }
                            if model.in_a_row == SETTINGS.failures {
                                model.attempt_at = Some(now + 10);
                            }
                        }
                    }
                }
                let state = match (model.attempt_at, model.attempt) {
                    (None, _) => State::Closed,
                    (Some(_), None) => State::Open,
                    (Some(_), Some(_)) => State::HalfOpen,
                };
                prop_assert_eq!(breaker.state(), state);
            }
        }
    }

    #[test]
    fn three_failures_open_it_and_one_answer_closes_it() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut breaker = Breaker::new(SETTINGS);
        let mut ask = |seconds, outcome| {
            let permit = breaker.ask(at(seconds));
            if let Permit::Go(pass) = permit {
                breaker.tell(pass, outcome, at(seconds));
            }
            (matches!(permit, Permit::Go(_)), breaker.state())
        };
        let (failed, answered) = (Outcome::Failed, Outcome::Answered);
        for (seconds, outcome, want) in [
            (0, failed, (true, State::Closed)),
            (1, failed, (true, State::Closed)),
            (2, answered, (true, State::Closed)),
            (3, failed, (true, State::Closed)),
            (4, failed, (true, State::Closed)),
            (5, failed, (true, State::Open)),
            (14, answered, (false, State::Open)),
            (15, failed, (true, State::Open)),
            (24, answered, (false, State::Open)),
            (25, answered, (true, State::Closed)),
        ] {
            assert_eq!(ask(seconds, outcome), want, "at {seconds}");
        }
    }
}
