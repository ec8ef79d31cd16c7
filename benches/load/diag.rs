//! How many bytes of a connection its receiver has read, by the kernel (sock_diag(7)).
//!
//! `/proc/net/tcp` could tell as well what waits to be read, but lists all sockets of the machine,
//! which may take longer than what is measured here.

use anyhow::{Context, Result, bail};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};

/// `SOCK_DIAG_BY_FAMILY` and `NLM_F_REQUEST`.
const BY_FAMILY: u16 = 20;
const REQUEST: u16 = 1;

/// The kernel's answer that something is wrong: `NLMSG_ERROR`.
const ERROR: u16 = 2;

/// `AF_INET`, `IPPROTO_TCP`, and any state or cookie.
const INET: u8 = 2;
const TCP: u8 = 6;
const ANY: u32 = u32::MAX;

/// The bit that asks for `INET_DIAG_INFO`, and its number.
const WITH_INFO: u8 = 1 << (INFO - 1);
const INFO: u16 = 2;

/// Where `idiag_rqueue`, the bytes that wait to be read, is: behind the header (16 bytes), what
/// the socket is (4), its addresses (48), and when its timer expires (4).
const QUEUED: usize = 72;

/// Where the attributes begin: behind four more numbers of that kind.
const ATTRIBUTES: usize = 88;

/// Where `tcpi_bytes_received`, which counts what was read and what waits, is in `tcp_info`.
const RECEIVED: usize = 128;

/// Asks about the receiving end of one connection.
pub struct Diag {
    kernel: OwnedFd,
    request: Vec<u8>,
}

impl Diag {
    pub fn new(receiver: SocketAddr, sender: SocketAddr) -> Result<Diag> {
        let (SocketAddr::V4(receiver), SocketAddr::V4(sender)) = (receiver, sender) else {
            bail!("{receiver}: only connections over IPv4 are asked about");
        };
        let kernel = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkSockDiag,
        );
        Ok(Diag {
            kernel: kernel.context("the kernel cannot be asked about sockets")?,
            request: request(receiver, sender),
        })
    }

    /// How many bytes were read so far.
    pub fn read(&self) -> Result<u64> {
        let mut answer = [0; 4096];
        let fd = self.kernel.as_raw_fd();
        send(fd, &self.request, MsgFlags::empty()).context("cannot ask the kernel")?;
        let length = recv(fd, &mut answer, MsgFlags::empty()).context("the kernel is silent")?;
        let answer = &answer[..length];
        if number::<2>(answer, 4).map(u16::from_ne_bytes) == Some(ERROR) {
            bail!("the connection has ended, or the kernel has no inet_diag");
        }
        let queued = number(answer, QUEUED).map(u32::from_ne_bytes);
        let received = info(answer).and_then(|info| number(info, RECEIVED));
        let read = queued
            .zip(received.map(u64::from_ne_bytes))
            .and_then(|(queued, received)| received.checked_sub(queued.into()));
        read.context("the kernel's answer is not as sock_diag(7) says")
    }
}

/// The number that stands there.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// `tcp_info`, among attributes that each begin with their length and kind.
fn info(answer: &[u8]) -> Option<&[u8]> {
    let mut rest = answer.get(ATTRIBUTES..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(number(rest, 0)?));
        let value = rest.get(4..length)?;
        if number(rest, 2).map(u16::from_ne_bytes) == Some(INFO) {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

/// `nlmsghdr` and `inet_diag_req_v2`.
fn request(receiver: SocketAddrV4, sender: SocketAddrV4) -> Vec<u8> {
    let mut request = Vec::new();
    request.extend_from_slice(&BY_FAMILY.to_ne_bytes());
    request.extend_from_slice(&REQUEST.to_ne_bytes());
    // Neither a number nor an address of ours.
    request.extend_from_slice(&[0; 8]);
    request.extend_from_slice(&[INET, TCP, WITH_INFO, 0]);
    request.extend_from_slice(&ANY.to_ne_bytes());
    for address in [receiver, sender] {
        request.extend_from_slice(&address.port().to_be_bytes());
    }
    for address in [receiver, sender] {
        // There is room for one of IPv6.
        request.extend_from_slice(&address.ip().octets());
        request.extend_from_slice(&[0; 12]);
    }
    // On any interface.
    request.extend_from_slice(&[0; 4]);
    request.extend_from_slice(&ANY.to_ne_bytes());
    request.extend_from_slice(&ANY.to_ne_bytes());
    let length = u32::try_from(request.len() + 4).expect("a short message");
    [&length.to_ne_bytes()[..], &request].concat()
}
