//! Who is not let in: counted each time, and told in the log at a bounded rate, so that
//! whoever keeps knocking does not fill it.

use crate::telemetry::{Listener, Refusal};
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// So many refusals are told at once,
const BURST: u32 = 10;

/// and one more after each such time.
const EVERY: Duration = Duration::from_secs(1);

/// The refusals of one listener.
#[derive(Debug)]
pub struct Refusals {
    listener: Arc<Listener>,
    told: Mutex<Told>,
}

#[derive(Debug)]
struct Told {
    /// How many may be told now.
    room: u32,
    /// When `room` grew last.
    grown: Instant,
    /// Not told since the last that was.
    untold: u64,
}

impl Refusals {
    pub fn new(listener: Arc<Listener>) -> Refusals {
        Refusals {
            listener,
            told: Mutex::new(Told {
                room: BURST,
                grown: Instant::now(),
                untold: 0,
            }),
        }
    }

    /// Counts one, and tells of it if there is room in the log.
    pub fn refuse(&self, peer: SocketAddr, reason: Refusal, why: &dyn Display) {
        self.listener.refused.add(reason, 1);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(untold) = told.room(Instant::now()) else {
            return;
        };
        drop(told);
        tracing::warn!(
            %peer,
            listener = self.listener.address,
            protocol = self.listener.protocol,
            reason = reason.as_str(),
            untold_before = untold,
            "refused: {why}"
        );
    }
}

impl Told {
    /// How many were not told before this one; `None` if this is not told either.
    fn room(&mut self, now: Instant) -> Option<u64> {
        let grown = now.duration_since(self.grown).as_secs() / EVERY.as_secs();
        if let Ok(grown @ 1..) = u32::try_from(grown) {
            self.room = self.room.saturating_add(grown).min(BURST);
            self.grown += EVERY * grown;
        }
        match self.room.checked_sub(1) {
            Some(room) => {
                self.room = room;
                Some(std::mem::take(&mut self.untold))
            }
            None => {
                self.untold += 1;
                None
            }
        }
    }
}

/// Whether an address is in one of the networks; an IPv4 address that comes in the shape of
/// an IPv6 one (RFC 4291, section 2.5.5.2) is the IPv4 address. No networks: everybody is in.
pub fn allows(networks: &[ipnet::IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.is_empty() || networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_told_at_a_bounded_rate() {
        let began = Instant::now();
        let mut told = Told {
            room: BURST,
            grown: began,
            untold: 0,
        };
        let lines = |told: &mut Told, at: Duration| {
            let lines = (0..1000).filter_map(|_| told.room(began + at));
            lines.collect::<Vec<_>>()
        };
        assert_eq!(lines(&mut told, Duration::ZERO), [0; BURST as usize]);
        assert_eq!(lines(&mut told, EVERY / 2), [0; 0]);
        assert_eq!(lines(&mut told, EVERY), [1990]);
        assert_eq!(lines(&mut told, EVERY * 100).len(), BURST as usize);
    }

    #[test]
    fn networks_hold_addresses_of_both_versions_and_mapped_ones() {
        let networks = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"];
        let networks = networks.map(|network| network.parse().unwrap());
        for (address, inside) in [
            ("10.1.2.3", true),
            ("11.1.2.3", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:10.1.2.3", true),
            ("::ffff:11.1.2.3", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
            ("::1", false),
        ] {
            assert_eq!(
                allows(&networks, address.parse().unwrap()),
                inside,
                "{address}"
            );
        }
        assert!(allows(&[], "::1".parse().unwrap()));
    }
}
