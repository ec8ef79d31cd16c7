//! The plainest syslog server there is: it keeps every datagram as it came.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// More than any test logs at once; the kernel's usual buffer holds some 256 lines.
const RECEIVE_BUFFER: usize = 4 << 20;

pub struct Collector {
    address: SocketAddr,
    datagrams: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    pub fn start() -> Collector {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
        socket2::SockRef::from(&socket)
            .set_recv_buffer_size(RECEIVE_BUFFER)
            .expect("a receive buffer");
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("a UDP socket has a timeout");
        let address = socket.local_addr().expect("the collector is bound");
        let datagrams = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::downgrade(&datagrams);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            // Until the collector itself is gone.
            while let Some(kept) = kept.upgrade() {
                if let Ok(length) = socket.recv(&mut buffer) {
                    let datagram = buffer[..length].to_vec();
                    kept.lock().expect("no reader panics").push(datagram);
                }
            }
        });
        Collector { address, datagrams }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All so far, in the order of their arrival.
    pub fn datagrams(&self) -> Vec<Vec<u8>> {
        self.datagrams.lock().expect("no reader panics").clone()
    }
}
