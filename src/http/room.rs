//! Room for something that clients take, of which no address may take all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub struct Room {
    total_max: usize,
    share_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    /// By whom; who has none is not there.
    shares: HashMap<IpAddr, usize>,
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// For nobody.
    All,
    /// For this address: it has its share.
    Share,
}

/// Room for one, given back when dropped.
pub struct Place {
    room: Arc<Room>,
    whose: IpAddr,
}

impl Room {
    pub fn new(total_max: usize, share_max: usize) -> Arc<Self> {
        Arc::new(Room {
            total_max,
            share_max,
            taken: Mutex::default(),
        })
    }

    /// # Errors
    ///
    /// When there is no room for this address, or for nobody.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let whose = network(address);
        let mut taken = self.taken();
        if taken.total >= self.total_max {
            return Err(Full::All);
        }
        let share = taken.shares.get(&whose).copied().unwrap_or(0);
        if share >= self.share_max {
            return Err(Full::Share);
        }
        taken.shares.insert(whose, share + 1);
        taken.total += 1;
        drop(taken);
        let room = Arc::clone(self);
        Ok(Place { room, whose })
    }

    /// Nothing panics while it holds the lock, and counts would be right if something did.
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        taken.total -= 1;
        let share = taken.shares.get(&self.whose).copied().unwrap_or(0);
        if share > 1 {
            taken.shares.insert(self.whose, share - 1);
        } else {
            taken.shares.remove(&self.whose);
        }
    }
}

/// Who shares one address: IPv6 gives a network of 64 bits to each, as a rule (RFC 6177).
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_and_what_is_left_can_be_taken_again() {
        let room = Room::new(5, 2);
        let enter = |address: &str| room.enter(address.parse().unwrap());
        let mut places = Vec::new();
        for (address, why) in [
            ("192.0.2.1", None),
            ("::ffff:192.0.2.1", None),
            ("192.0.2.1", Some(Full::Share)),
            ("2001:db8::1", None),
            ("2001:db8::2:1", None),
            ("2001:db8:0:0:ffff::", Some(Full::Share)),
            ("2001:db8:0:1::1", None),
            ("192.0.2.3", Some(Full::All)),
        ] {
            let entered = enter(address);
            assert_eq!(entered.as_ref().err().copied(), why, "{address}");
            places.extend(entered.ok());
        }
        places.remove(0);
        places.push(enter("192.0.2.1").unwrap_or_else(|_| panic!("there is room")));
        assert_eq!(enter("192.0.2.1").err(), Some(Full::All));
        places.clear();
        let taken = room.taken();
        assert_eq!((taken.total, taken.shares.len()), (0, 0));
    }
}
