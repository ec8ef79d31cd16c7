//! From the spool to the far side: what is sent when, again, in parts, or not at all.

use super::answer::{Answer, Blame, Refusal, judge};
use super::body::{self, Item, Items};
use super::gate::Gate;
use super::http::Transport;
use super::refused::{self, Refused};
use super::{Settings, What, below, limits};
use crate::clock;
use crate::metric::{Annotation, Measurement};
use crate::rare::{Rare, Reasons};
use crate::sink::Outbox;
use crate::sink::breaker::Outcome;
use crate::sink::spool::{Batch, Kind, Settled, Spool, Spooled};
use crate::telemetry::Sink;
use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::Url;
use std::fmt::Display;
use std::time::Duration;

const FIRST_RETRY: Duration = Duration::from_millis(500);
/// Chance adds as much again at most.
const LAST_RETRY: Duration = Duration::from_secs(15);

/// Delivers what one outbox and its spool hold.
pub struct Delivery<'a, T> {
    pub settings: &'a Settings,
    pub transport: &'a T,
    pub outbox: &'a Outbox,
    pub spool: &'a Spool,
    pub gate: Gate,
    pub refused: Refused,
    /// How rarely the log is told what was refused,
    pub refusals_told: Rare,
    /// what is not sent because it would be,
    pub left_out_told: Rare,
    /// and why measurements and annotations are not taken.
    pub failures_told: [Reasons; 2],
}

/// Until when to wait for a far side that does not take something. A request that is under
/// way is not given up for it.
#[derive(Clone, Copy)]
enum Patience<'a> {
    /// It is on disk, and may stay there when weir stops.
    UntilClosed(&'a Outbox),
    /// It is in memory only, until it can go to disk.
    UntilSpooled(&'a Spool, Kind),
}

impl Patience<'_> {
    async fn ends(self) {
        match self {
            Patience::UntilClosed(outbox) => outbox.measurements.closed().await,
            Patience::UntilSpooled(spool, kind) => spool.serves(kind).await,
        }
    }
}

impl<'a, T: Transport> Delivery<'a, T> {
    pub async fn measurements(&self) {
        let held_max = self.settings.api.chunk();
        self.each(held_max, |items: Vec<Measurement>, patience| async move {
            self.send_measurements(&items, patience).await
        })
        .await;
    }

    pub async fn annotations(&self) {
        self.each(1, |items: Vec<Annotation>, patience| async move {
            self.send_annotations(&items, patience).await
        })
        .await;
    }

    /// Settles one batch after the other, until there is no more, or it can stay where it is.
    async fn each<E: Spooled, F: Future<Output = Option<Settled>>>(
        &self,
        held_max: usize,
        send: impl Fn(Vec<E>, Patience<'a>) -> F,
    ) {
        while let Some(mut batch) = self.spool.next::<E>(self.outbox, held_max).await {
            let (items, patience) = match &mut batch {
                Batch::Spooled(oldest) => {
                    let items = std::mem::take(&mut oldest.items);
                    (items, Patience::UntilClosed(self.outbox))
                }
                Batch::Held(taken, _) => {
                    let patience = Patience::UntilSpooled(self.spool, E::KIND);
                    (taken.to_vec(), patience)
                }
            };
            match (send(items, patience).await, batch) {
                (Some(settled), batch) => self.spool.settle(batch, settled).await,
                // It goes to disk, and comes from there.
                (None, Batch::Held(taken, _)) => taken.put_back(),
                (None, Batch::Spooled(_)) => return,
            }
        }
    }

    /// One request each, as the API has it. `None`: they stay where they are.
    async fn send_annotations(
        &self,
        annotations: &[Annotation],
        patience: Patience<'a>,
    ) -> Option<Settled> {
        let mut settled = Settled::default();
        for annotation in annotations {
            let (stream, json) = body::annotation(annotation);
            let url = below(&self.settings.url, &format!("v1/annotations/{stream}"));
            match self.send(What::Annotations, url, json, patience).await? {
                Ok(_) => settled.delivered += 1,
                Err(Refusal { why, .. }) => {
                    settled.rejected += 1;
                    let health = self.sink().health();
                    let what = format!("annotation {:?}", annotation.title);
                    health.refused(what, annotation.start, clock::now(), &why);
                    self.tell_refused(What::Annotations, 1, &annotation.title, &why);
                }
            }
        }
        Some(settled)
    }

    /// Sends them in requests of as many as the API advises. A request that is refused goes
    /// again in halves until those that are refused alone are known, so that they cost no
    /// other: at most twice as many requests as there are measurements, and where few are bad,
    /// as many for each as the chunk can be halved. `None`: they stay where they are.
    async fn send_measurements(
        &self,
        measurements: &[Measurement],
        patience: Patience<'a>,
    ) -> Option<Settled> {
        let api = self.settings.api;
        let Items { items, left_out } = body::items(api, measurements);
        for same in &left_out {
            if let Some(count) = self.refusals_told.pass(1) {
                tracing::warn!(target = %self.sink().target, count, "{same}");
            }
        }
        let mut rejected = left_out.len();
        let mut refusal = None;
        // The next one last.
        let chunks = items.chunks(api.chunk()).rev();
        let mut parts: Vec<Vec<&Item<'_>>> = chunks.map(|chunk| chunk.iter().collect()).collect();
        while let Some(mut part) = parts.pop() {
            let all = part.len();
            part.retain(|item| self.is_sent(item.measurement));
            rejected += all - part.len();
            if part.is_empty() {
                continue;
            }
            let url = below(&self.settings.url, api.path());
            let json = body::of(api, &part);
            match self.send(What::Measurements, url, json, patience).await? {
                Ok(refused) => rejected += usize::try_from(refused).unwrap_or(all).min(part.len()),
                Err(why) if why.divisible && part.len() > 1 => {
                    let newer = part.split_off(part.len() / 2);
                    parts.extend([newer, part]);
                }
                Err(why) => {
                    rejected += part.len();
                    self.set_aside(&part, &why);
                    refusal = Some(why.why);
                }
            }
        }
        // A sink is well again when it takes something.
        if let Some(why) = refusal
            && rejected == measurements.len()
        {
            self.sink().measurements.failed(why);
        }
        Some(Settled {
            delivered: (measurements.len() - rejected) as u64,
            rejected: rejected as u64,
        })
    }

    /// Whether nobody knows that it would be refused.
    fn is_sent(&self, measurement: &Measurement) -> bool {
        let Some(refusal) = self.refused.covers(measurement) else {
            return true;
        };
        self.sink().health().left_out(refusal.number);
        if let Some(count) = self.left_out_told.pass(1) {
            tracing::warn!(
                target = %self.sink().target,
                count,
                first = %measurement.series,
                why = &*refusal.why,
                "measurements are not sent and count as rejected: the sink refused the like less \
                 than {} minutes ago",
                refused::FOR.as_secs() / 60
            );
        }
        false
    }

    /// They are refused for good.
    fn set_aside(&self, part: &[&Item<'_>], refusal: &Refusal) {
        let now = clock::now();
        let why = refusal.why.as_str().into();
        for item in part {
            let measurement = item.measurement;
            // Of several it is not known which are to blame.
            let blame = if part.len() == 1 && refusal.divisible {
                refusal.blame
            } else {
                Blame::Itself
            };
            let series = measurement.series.to_string();
            let health = self.sink().health();
            let number = health.refused(series, measurement.time, now, &refusal.why);
            self.refused.note(measurement, blame, &why, number);
        }
        if let Some(first) = part.first() {
            let (count, first) = (part.len() as u64, &first.measurement.series);
            self.tell_refused(What::Measurements, count, first, &refusal.why);
        }
    }

    /// Sends a body until it is taken, which gives how many items of it were refused, or
    /// refused for good. `None`: it may stay where it is, or go
    /// to disk.
    async fn send(
        &self,
        what: What,
        url: Url,
        json: Vec<u8>,
        patience: Patience<'a>,
    ) -> Option<Result<u64, Refusal>> {
        let sink = self.sink();
        let counters = what.counters(sink);
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_RETRY)
            .with_max_delay(LAST_RETRY)
            .with_jitter()
            .without_max_times()
            .build();
        loop {
            let passed = tokio::select! {
                biased;
                passed = self.gate.enter() => passed,
                () = patience.ends() => return None,
            };
            let answer = match self.transport.post(url.clone(), json.clone()).await {
                Ok(reply) => {
                    let failed = reply.status.is_server_error();
                    passed.tell(if failed {
                        Outcome::Failed
                    } else {
                        Outcome::Answered
                    });
                    let now = clock::now();
                    if let Some(wait) = limits::wait(&reply, now) {
                        self.gate.hold(wait, now);
                    }
                    judge(what, &reply)
                }
                Err(why) => {
                    passed.tell(Outcome::Failed);
                    Answer::Later(why)
                }
            };
            match answer {
                Answer::Taken { refused, why } => {
                    if refused > 0 {
                        self.tell_refused(what, refused, &"named in its answer", &why);
                    }
                    if !counters.accepts() {
                        tracing::info!(target = %sink.target, "the sink takes {what} again");
                    }
                    counters.succeeded();
                    return Some(Ok(refused));
                }
                Answer::Refused(refusal) => return Some(Err(refusal)),
                Answer::Later(why) => {
                    let told = &self.failures_told[what as usize];
                    if told.pass(&why, counters.accepts()) {
                        tracing::warn!(target = %sink.target, why, "the sink does not take {what}; retrying");
                    }
                    counters.failed(why);
                    let pause = pauses.next().unwrap_or(LAST_RETRY);
                    // An open breaker has its own time for the next attempt.
                    if self.gate.is_closed() {
                        tokio::select! {
                            () = tokio::time::sleep(pause) => {}
                            () = patience.ends() => return None,
                        }
                    }
                }
            }
        }
    }

    fn tell_refused(&self, what: What, refused: u64, first: &dyn Display, why: &str) {
        if let Some(refused) = self.refusals_told.pass(refused) {
            let target = &self.sink().target;
            tracing::error!(%target, refused, %first, why, "the sink refused {what}");
        }
    }

    fn sink(&self) -> &Sink {
        self.outbox.sink()
    }
}

#[cfg(test)]
mod tests;
