//! Free ports, for programs that cannot be given port 0 and asked what they got.

use std::net::{TcpListener, UdpSocket};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the kernel's range for outgoing connections, so that no client's socket
/// takes a port between the finding and the binding.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// Where the next search begins. Starts elsewhere in every run: several runs may
/// share a machine.
static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
    let spread = std::process::id().wrapping_mul(131) % u32::from(COUNT);
    AtomicU16::new(u16::try_from(spread).expect("less than COUNT"))
});

/// A loopback port that is free for UDP and TCP and that no other test was given.
pub fn free() -> u16 {
    for _ in 0..COUNT {
        let port = FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let address = ("127.0.0.1", port);
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return port;
        }
    }
    panic!(
        "no free port from {FIRST} to {} on loopback",
        FIRST + COUNT - 1
    )
}

/// Whether `[::1]` exists here. Containers often have no IPv6.
pub fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}
