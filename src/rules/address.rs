//! Addresses that lines have, and the networks that rules look for them in.
//!
//! An IPv4 address in the form of an IPv6 one (`::ffff:10.0.0.1`, as a socket for both
//! gives it) is the IPv4 address, and a network in that form is the IPv4 network: RFC 4291,
//! section 2.5.5.2.

use super::expr::Text;
use crate::haproxy::Event;
use ipnet::{IpNet, Ipv4Net};
use std::net::IpAddr;

/// The longest address there is: `0000:0000:0000:0000:0000:ffff:255.255.255.255`.
const MAX_BYTES: usize = 45;

/// Where IPv4 addresses begin in an IPv6 address.
const MAPPED_BITS: u8 = 96;

/// An expression for an address.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Address {
    Const(IpAddr),
    /// Of a string that is one; missing where it is none.
    Of(Text),
}

/// What an address may be besides itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Property {
    /// `127.0.0.0/8` and `::1`.
    Loopback,
    /// Of private use: RFC 1918, and the unique local addresses of RFC 4193.
    Private,
}

impl Address {
    #[inline]
    pub fn of(&self, event: &Event<'_>) -> Option<IpAddr> {
        match self {
            Address::Const(address) => Some(*address),
            Address::Of(text) => read(text.of(event)?),
        }
    }

    /// 4 or 6.
    pub fn family(&self, event: &Event<'_>) -> Option<i64> {
        self.of(event).map(|address| match address {
            IpAddr::V4(_) => 4,
            IpAddr::V6(_) => 6,
        })
    }
}

impl Property {
    pub fn holds(self, address: IpAddr) -> bool {
        match (self, address) {
            (Property::Loopback, address) => address.is_loopback(),
            (Property::Private, IpAddr::V4(address)) => address.is_private(),
            (Property::Private, IpAddr::V6(address)) => address.is_unique_local(),
        }
    }
}

/// Reads an address without allocating.
pub(super) fn read(text: &[u8]) -> Option<IpAddr> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let address: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.to_canonical())
}

/// Reads a network: an address, `/`, and how many of its bits count. The others are not
/// looked at.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let network: IpNet = text.parse().ok()?;
    let (IpAddr::V4(address), IpNet::V6(_), MAPPED_BITS..) =
        (network.addr().to_canonical(), network, network.prefix_len())
    else {
        return Some(network.trunc());
    };
    let bits = network.prefix_len() - MAPPED_BITS;
    Some(IpNet::V4(Ipv4Net::new(address, bits).ok()?.trunc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_any_spelling() {
        let shown = |text: &str| read(text.as_bytes()).map(|address| address.to_string());
        for (text, want) in [
            ("10.0.0.1", Some("10.0.0.1")),
            ("::ffff:10.0.0.1", Some("10.0.0.1")),
            (
                "0000:0000:0000:0000:0000:ffff:255.255.255.255",
                Some("255.255.255.255"),
            ),
            ("2001:DB8:0::1", Some("2001:db8::1")),
            ("", None),
            ("unix", None),
            ("010.0.0.1", None),
            ("10.0.0.1:80", None),
            ("[::1]", None),
            ("10.0.0.1/8", None),
            ("0000:0000:0000:0000:0000:ffff:255.255.255.2555", None),
        ] {
            assert_eq!(shown(text).as_deref(), want, "{text}");
        }
        assert_eq!(read(b"10.0.0.\xff"), None);
    }

    #[test]
    fn networks_are_read_without_their_hosts() {
        for (text, want) in [
            ("10.0.0.0/8", Some("10.0.0.0/8")),
            ("10.1.2.3/8", Some("10.0.0.0/8")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("fd00::/8", Some("fd00::/8")),
            ("::/0", Some("::/0")),
            ("::ffff:10.0.0.0/104", Some("10.0.0.0/8")),
            ("::ffff:0:0/96", Some("0.0.0.0/0")),
            ("::ffff:0:0/95", Some("::fffe:0:0/95")),
            ("10.0.0.0/33", None),
            ("10.0.0.0", None),
            ("10.0.0/8", None),
            ("", None),
        ] {
            let read = network(text).map(|network| network.to_string());
            assert_eq!(read.as_deref(), want, "{text}");
        }
    }
}
