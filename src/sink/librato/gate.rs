//! What every request to one far side passes: its breaker and its rate limits.

use crate::rare::Rare;
use crate::sink::breaker::{Breaker, Outcome, Pass, Permit, Settings, State};
use crate::telemetry::Sink;
use crate::time::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

pub struct Gate {
    inner: Mutex<Inner>,
    /// The attempt of a half-open breaker is over.
    told: Notify,
    sink: Arc<Sink>,
    /// How rarely the log is told that it asks to wait.
    holds_told: Rare,
}

struct Inner {
    breaker: Breaker,
    /// What the far side's answers ask for.
    not_before: Option<Instant>,
}

/// A request that was let through. One that is dropped was given up.
pub struct Passed<'a> {
    gate: &'a Gate,
    pass: Pass,
    told: bool,
}

impl Gate {
    pub fn new(settings: Settings, sink: Arc<Sink>) -> Gate {
        let breaker = Breaker::new(settings);
        sink.health().set_breaker(breaker.state());
        Gate {
            inner: Mutex::new(Inner {
                breaker,
                not_before: None,
            }),
            told: Notify::new(),
            sink,
            holds_told: Rare::default(),
        }
    }

    /// Waits until a request may be sent.
    pub async fn enter(&self) -> Passed<'_> {
        loop {
            let told = self.told.notified();
            let permit = {
                let mut inner = self.lock();
                let now = Instant::now();
                match inner.not_before {
                    Some(then) if now < then => Permit::Wait(then),
                    _ => {
                        let permit = inner.breaker.ask(now);
                        self.sink.health().set_breaker(inner.breaker.state());
                        permit
                    }
                }
            };
            match permit {
                Permit::Go(pass) => {
                    return Passed {
                        gate: self,
                        pass,
                        told: false,
                    };
                }
                Permit::Wait(until) => tokio::time::sleep_until(until).await,
                Permit::Attempted => told.await,
            }
        }
    }

    /// The far side asks to be left alone for so long, from `at` on, which is now.
    pub fn hold(&self, wait: Duration, at: Timestamp) {
        let now = Instant::now();
        let then = now + wait;
        let mut inner = self.lock();
        if inner.not_before.is_some_and(|before| then <= before) {
            return;
        }
        let held = inner
            .not_before
            .replace(then)
            .is_some_and(|until| now < until);
        drop(inner);
        let until = at + wait;
        self.sink.health().hold(then, until);
        if !held && self.holds_told.pass(1).is_some() {
            let target = &self.sink.target;
            tracing::warn!(%target, "the sink asks to wait until {until}: nothing is sent before");
        }
    }

    /// Whether requests flow, so that pauses between them are the sender's own affair.
    pub fn is_closed(&self) -> bool {
        self.lock().breaker.state() == State::Closed
    }

    fn tell(&self, pass: Pass, outcome: Outcome) {
        let mut inner = self.lock();
        let before = inner.breaker.state();
        inner.breaker.tell(pass, outcome, Instant::now());
        let after = inner.breaker.state();
        self.sink.health().set_breaker(after);
        drop(inner);
        self.told.notify_waiters();
        let target = &self.sink.target;
        match (before, after) {
            (State::Closed, State::Open) => {
                tracing::warn!(%target, "the sink does not answer: nothing is sent but one attempt at a time");
            }
            (State::HalfOpen, State::Closed) => {
                tracing::info!(%target, "the sink answers again");
            }
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change leaves it whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Passed<'_> {
    pub fn tell(mut self, outcome: Outcome) {
        self.told = true;
        self.gate.tell(self.pass, outcome);
    }
}

impl Drop for Passed<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.gate.tell(self.pass, Outcome::Abandoned);
        }
    }
}
