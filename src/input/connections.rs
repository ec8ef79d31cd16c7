//! How many senders may be connected, in all and from one address.
//!
//! A connection is closed for being idle only when there is no room for another, the one
//! that has been idle longest first. rsyslog keeps its connections for as long as it runs,
//! and over plain TCP it learns that one was closed by losing what it sent next: closing
//! one that is merely quiet would cost a line each time.

use crate::telemetry::Refusal;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections of all listeners together.
    pub all: usize,
    /// Connections from one address.
    pub per_address: usize,
    /// One over which nothing has come for so long may be closed for the sake of another.
    pub idle: Duration,
}

/// The connections of all listeners.
#[derive(Debug)]
pub struct Connections {
    bounds: Bounds,
    /// What times are counted from.
    began: Instant,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// By an id of its own.
    permits: HashMap<u64, Entry>,
    by_address: HashMap<IpAddr, usize>,
    next: u64,
    /// No connection is idle for long enough before this time, as far as is known: with
    /// senders at the door all the time, they are not all looked at for each.
    none_idle_before: Duration,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    last: Arc<AtomicU64>,
    close: CancellationToken,
}

/// The right to be connected. It ends when it is dropped.
#[derive(Debug)]
pub struct Permit {
    connections: Arc<Connections>,
    id: u64,
    /// When something came last, in milliseconds since the beginning.
    last: Arc<AtomicU64>,
}

impl Connections {
    pub fn new(bounds: Bounds) -> Arc<Connections> {
        Arc::new(Connections {
            bounds,
            began: Instant::now(),
            open: Mutex::default(),
        })
    }

    /// Lets one more in. `close` is cancelled when its room is given to another.
    ///
    /// # Errors
    ///
    /// When there are too many.
    pub fn permit(
        self: &Arc<Self>,
        address: IpAddr,
        close: CancellationToken,
        now: Instant,
    ) -> Result<Permit, Refusal> {
        let now = now.duration_since(self.began);
        let mut open = self.lock();
        let same = open.by_address.get(&address).copied().unwrap_or(0);
        if same >= self.bounds.per_address {
            return Err(Refusal::ConnectionsPerAddress);
        }
        if open.permits.len() >= self.bounds.all && !open.close_idle(now, self.bounds.idle) {
            return Err(Refusal::Connections);
        }
        let last = Arc::new(AtomicU64::new(millis(now)));
        let id = open.next;
        open.next += 1;
        *open.by_address.entry(address).or_default() += 1;
        open.permits.insert(
            id,
            Entry {
                address,
                last: Arc::clone(&last),
                close,
            },
        );
        Ok(Permit {
            connections: Arc::clone(self),
            id,
            last,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing is half done while the lock is held.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes the connection that has been idle longest, if that is long enough.
    fn close_idle(&mut self, now: Duration, idle: Duration) -> bool {
        if now < self.none_idle_before {
            return false;
        }
        let last = |entry: &Entry| entry.last.load(Ordering::Relaxed);
        let longest = self.permits.iter().min_by_key(|(_, entry)| last(entry));
        let Some((&id, entry)) = longest else {
            return false;
        };
        let idle_at = Duration::from_millis(last(entry)) + idle;
        if idle_at > now {
            self.none_idle_before = idle_at;
            return false;
        }
        self.remove(id);
        true
    }

    fn remove(&mut self, id: u64) {
        let Some(entry) = self.permits.remove(&id) else {
            return;
        };
        entry.close.cancel();
        if let Some(count) = self.by_address.get_mut(&entry.address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&entry.address);
            }
        }
    }
}

impl Permit {
    /// Something has come.
    pub fn touch(&self, now: Instant) {
        let now = now.duration_since(self.connections.began);
        self.last.store(millis(now), Ordering::Relaxed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.connections.lock().remove(self.id);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(600);

    fn connections(all: usize, per_address: usize) -> Arc<Connections> {
        Connections::new(Bounds {
            all,
            per_address,
            idle: IDLE,
        })
    }

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn one_address_leaves_room_for_others() {
        let connections = connections(4, 2);
        let now = connections.began;
        let permit = |last| connections.permit(address(last), CancellationToken::new(), now);
        let first = [permit(1).unwrap(), permit(1).unwrap()];
        assert_eq!(permit(1).unwrap_err(), Refusal::ConnectionsPerAddress);
        let _others = [permit(2).unwrap(), permit(3).unwrap()];
        assert_eq!(permit(4).unwrap_err(), Refusal::Connections);
        drop(first);
        assert!(permit(1).is_ok());
    }

    #[test]
    fn the_one_that_is_idle_longest_gives_its_room_to_another() {
        let connections = connections(2, 2);
        let closed: Vec<_> = (0..4).map(|_| CancellationToken::new()).collect();
        let at = |time: Duration| connections.began + time;
        let permit =
            |i: u8, time| connections.permit(address(i), closed[usize::from(i)].clone(), at(time));
        let first = permit(0, Duration::ZERO).unwrap();
        let second = permit(1, IDLE / 2).unwrap();
        let before = IDLE - Duration::from_millis(1);
        assert_eq!(permit(2, before).unwrap_err(), Refusal::Connections);
        first.touch(at(before));
        // The second has been idle for longer now.
        let third = permit(2, IDLE * 3 / 2).unwrap();
        let closed: Vec<_> = closed.iter().map(CancellationToken::is_cancelled).collect();
        assert_eq!(closed, [false, true, false, false]);
        // It ends late, and takes nobody's room with it.
        drop(second);
        assert_eq!(permit(3, IDLE * 3 / 2).unwrap_err(), Refusal::Connections);
        drop(third);
        assert!(permit(3, IDLE * 3 / 2).is_ok());
    }
}
