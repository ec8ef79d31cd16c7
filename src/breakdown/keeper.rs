//! From workers to the store: merges what they hand on, and writes slots that are over.

use super::hosts::{HostCounts, Hosts};
use super::parts::Parts;
use super::{Lost, SLOT};
use crate::clock;
use crate::store::Store;
use crate::telemetry::{BreakdownCounters, Telemetry};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// What workers have handed on and is not taken yet, for each of them.
const WAITING: usize = 4;

/// So long after its end a slot is written: by then workers have handed on nearly all of it, and
/// what comes later is added.
const AFTER: i64 = 2;

/// Slots that are noted as watched while the store cannot write: a day of them.
const WATCHED_MAX: usize = 8_640;

/// Slots between two writes, at most, of which weir is believed to have watched them: of a gap
/// that is longer nobody knows whether it ran.
const GAP: i64 = 6;

/// A worker's end. It never waits: what has no room is counted and lost.
#[derive(Clone, Debug)]
pub struct Handing {
    sender: mpsc::Sender<(Parts, HostCounts)>,
    telemetry: Arc<Telemetry>,
}

impl Handing {
    pub fn hand_on(&self, parts: Parts, hosts: HostCounts) {
        if parts.is_empty() && hosts.is_empty() {
            return;
        }
        if let Err(refused) = self.sender.try_send((parts, hosts)) {
            let (parts, _) = refused.into_inner();
            let lost = parts.requests() + parts.left_out;
            self.telemetry.breakdown.lost(Lost::Backlog, lost);
        }
    }
}

/// A task of its own: neither workers nor windows wait for it.
pub struct Keeper {
    taking: mpsc::Receiver<(Parts, HostCounts)>,
    parts: Parts,
    hosts: Arc<Hosts>,
    /// Since when it watches, in epoch seconds.
    since: i64,
    /// Slots that are over, and for how many of their seconds weir has watched, as far as the
    /// store has not heard of it.
    watched: BTreeMap<i64, u32>,
    /// The slot that was noted last.
    last: Option<i64>,
    store: Store,
    telemetry: Arc<Telemetry>,
}

impl Keeper {
    pub fn new(
        workers: usize,
        store: Store,
        hosts: Arc<Hosts>,
        telemetry: &Arc<Telemetry>,
    ) -> (Handing, Keeper) {
        let (sender, taking) = mpsc::channel(WAITING * workers);
        let since = clock::now().as_secs();
        hosts.begin(since);
        let handing = Handing {
            sender,
            telemetry: Arc::clone(telemetry),
        };
        let keeper = Keeper {
            taking,
            parts: Parts::default(),
            hosts,
            since,
            watched: BTreeMap::new(),
            last: None,
            store,
            telemetry: Arc::clone(telemetry),
        };
        (handing, keeper)
    }

    /// Runs until the last worker has ended.
    pub async fn run(mut self) {
        let mut due = until_due();
        let mut write_at = tokio::time::Instant::now() + due;
        loop {
            tokio::select! {
                handed = self.taking.recv() => match handed {
                    Some((parts, hosts)) => self.take(&parts, hosts),
                    None => break,
                },
                () = tokio::time::sleep_until(write_at) => {
                    self.write(false).await;
                    due = until_due();
                    write_at = tokio::time::Instant::now() + due;
                }
            }
        }
        self.write(true).await;
        if !self.parts.is_empty() {
            let lost = self.parts.requests();
            self.counters().lost(Lost::Backlog, lost);
            tracing::warn!(requests = lost, "the last requests are in no breakdown");
        }
    }

    fn take(&mut self, parts: &Parts, hosts: HostCounts) {
        self.counters().requests.add(parts.requests());
        self.counters().looked.add(parts.looked());
        self.hosts.add(hosts, clock::now().as_secs());
        self.merge(parts);
    }

    fn merge(&mut self, parts: &Parts) {
        self.parts.merge(parts);
        let left_out = std::mem::take(&mut self.parts.left_out);
        self.telemetry.breakdown.lost(Lost::Room, left_out);
    }

    /// Writes all but the slot that is going on, or with `everything` that too. What the store
    /// cannot take stays here for the next time, as far as there is room.
    async fn write(&mut self, everything: bool) {
        let now = clock::now();
        let current = now.as_secs().div_euclid(SLOT) * SLOT;
        let parts = match everything {
            true => std::mem::take(&mut self.parts),
            false => self.parts.take_but(current),
        };
        self.watch(now.as_secs(), everything);
        let watched: Vec<(i64, u32)> = self.watched.iter().map(|(&slot, &n)| (slot, n)).collect();
        if parts.is_empty() && watched.is_empty() {
            return;
        }
        let parts = Arc::new(parts);
        match self
            .store
            .write_breakdown(Arc::clone(&parts), watched, now)
            .await
        {
            Ok(written) => {
                self.watched.clear();
                self.counters().lost(Lost::Late, written.late);
                self.counters().unreadable.add(written.unreadable);
            }
            // The store has said so; its promise is told as broken.
            Err(error) => {
                tracing::debug!(%error, "the breakdown cannot be written; retrying");
                self.merge(&parts);
            }
        }
    }

    /// Notes the slots that are over, or with `everything` the one that is going on too.
    fn watch(&mut self, now: i64, everything: bool) {
        let current = now.div_euclid(SLOT) * SLOT;
        let over = if everything { current } else { current - SLOT };
        let from = match self.last {
            Some(last) if (0..=GAP * SLOT).contains(&(over - last)) => last + SLOT,
            _ => over,
        };
        for slot in (from..=over).step_by(SLOT as usize) {
            // The first and the last are not watched from end to end.
            let seconds = now.min(slot + SLOT) - self.since.max(slot);
            if let Ok(seconds @ 1..) = u32::try_from(seconds) {
                self.watched.insert(slot, seconds);
            }
        }
        self.last = Some(over);
        while self.watched.len() > WATCHED_MAX {
            self.watched.pop_first();
        }
    }

    fn counters(&self) -> &BreakdownCounters {
        &self.telemetry.breakdown
    }
}

/// To the next moment at which a slot is written.
fn until_due() -> Duration {
    let now = clock::now();
    let over = (now.as_secs() - AFTER).div_euclid(SLOT) * SLOT + SLOT + AFTER;
    crate::time::Timestamp::from_secs(over).saturating_since(now)
}
