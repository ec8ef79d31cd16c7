//! Datagrams, sent at a rate, and received to be thrown away.

use crate::process::cpu_seconds;
use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, recvmmsg, sendmmsg, setsockopt, sockopt,
};
use std::fs;
use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

/// What one call sends or receives at most.
const AT_ONCE: usize = 64;

/// A sender that has to wait does so for this long.
const PAUSE: Duration = Duration::from_micros(500);

/// What is received of a datagram at most: more than HAProxy writes by default.
const DATAGRAM_BYTES: usize = 2048;

/// Sends the lines of a log, again from the first one where there are fewer.
pub fn send(
    to: SocketAddr,
    (bytes, ends): &(Vec<u8>, Vec<usize>),
    rate: u64,
    datagrams: u64,
) -> Result<()> {
    ensure!(!ends.is_empty(), "--lines is 1 or more here");
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let slices: Vec<[IoSlice<'_>; 1]> = starts
        .zip(ends)
        .map(|(start, end)| [IoSlice::new(&bytes[start..*end])])
        .collect();

    let socket = UdpSocket::bind("127.0.0.1:0").context("cannot bind a socket")?;
    socket
        .connect(to)
        .with_context(|| format!("cannot send to {to}"))?;
    let mut headers = MultiHeaders::<()>::preallocate(AT_ONCE, None);
    let (begun, cpu) = (Instant::now(), cpu_seconds()?);
    let (mut sent, mut at) = (0, 0);
    while sent < datagrams {
        let due = match rate {
            0 => datagrams,
            rate => (begun.elapsed().as_secs_f64() * rate as f64) as u64,
        };
        let count = due.min(datagrams).saturating_sub(sent).min(AT_ONCE as u64) as usize;
        if count == 0 {
            thread::sleep(PAUSE);
            continue;
        }
        let some = &slices[at..slices.len().min(at + count)];
        let none: [ControlMessage<'_>; 0] = [];
        let result = sendmmsg(
            socket.as_raw_fd(),
            &mut headers,
            some,
            vec![None; some.len()],
            none,
            MsgFlags::empty(),
        );
        let done = result
            .with_context(|| format!("cannot send to {to}"))?
            .count();
        sent += done as u64;
        at = (at + done) % slices.len();
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "sent {sent} seconds {seconds:.3} rate {:.0} cpu {:.2}",
        sent as f64 / seconds,
        cpu_seconds()? - cpu,
    );
    Ok(())
}

/// Tells the address first, so that a sender can be started.
pub fn discard(at: SocketAddr, receive_buffer: usize, idle: Duration) -> Result<()> {
    let socket = UdpSocket::bind(at).with_context(|| format!("cannot bind {at}"))?;
    if setsockopt(&socket, sockopt::RcvBufForce, &receive_buffer).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &receive_buffer)?;
    }
    println!("listening {}", socket.local_addr()?);
    // Nobody has sent anything yet, so the first one may take its time.
    let mut buffers = vec![[0_u8; DATAGRAM_BYTES]; AT_ONCE];
    let (received, begun) = (socket.recv(&mut buffers[0])?, cpu_seconds()?);
    let mut bytes = received as u64;
    let mut datagrams = 1_u64;
    socket.set_read_timeout(Some(idle))?;
    let mut headers = MultiHeaders::<()>::preallocate(AT_ONCE, None);
    loop {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers
            .iter_mut()
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        // One is waited for, and what there is then is taken with it.
        let flags = MsgFlags::MSG_WAITFORONE;
        match recvmmsg(socket.as_raw_fd(), &mut headers, &mut slices, flags, None) {
            Ok(results) => {
                for result in results {
                    datagrams += 1;
                    bytes += result.bytes as u64;
                }
            }
            Err(Errno::EAGAIN) => break,
            Err(Errno::EINTR) => {}
            Err(e) => bail!("cannot receive at {at}: {e}"),
        }
    }
    let cpu = cpu_seconds()? - begun;
    println!(
        "received {datagrams} bytes {bytes} lost {} cpu {cpu:.2}",
        dropped(&socket)?
    );
    Ok(())
}

/// The kernel's own count: the last column of `/proc/net/udp` (proc(5)), in the row of our port.
fn dropped(socket: &UdpSocket) -> Result<u64> {
    let table =
        fs::read_to_string("/proc/self/net/udp").context("cannot read /proc/self/net/udp")?;
    let port = format!(":{:04X}", socket.local_addr()?.port());
    let row = table.lines().find(|row| {
        let local = row.split_whitespace().nth(1);
        local.is_some_and(|local| local.ends_with(&port))
    });
    let count = row.and_then(|row| row.split_whitespace().last()?.parse().ok());
    count.context("/proc/self/net/udp does not have this socket")
}
