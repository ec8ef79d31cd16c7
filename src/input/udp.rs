//! Syslog over UDP (RFC 5426): a datagram is a frame.
//!
//! What the kernel has no room for is lost, and it has room for some thousands. So a socket is
//! read by a thread of its own, which does nothing else: whatever workers and windows are busy
//! with, the scheduler lets it run. It takes as many datagrams at once as there are, since the
//! way into the kernel and back costs as much as a third of a datagram's.

use super::batch::{Batch, Dispatcher};
use super::framing::{self, Frame};
use super::refusals::{Refusals, allows};
use crate::clock;
use crate::telemetry::{Listener, Refusal};
use ipnet::IpNet;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, recvmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

/// The largest datagram that UDP can carry.
const DATAGRAM_MAX: usize = 65_535;

/// So many datagrams are read at once.
const TOGETHER: usize = 64;

/// From the room for one datagram to that for the next: what is short in each of them shares
/// no place in a processor's caches with the others.
const ROOM: usize = (DATAGRAM_MAX + 1) + 320;

/// A batch is handed on when it holds this many bytes, or when the socket is empty.
const BATCH_BYTES: usize = 64 * 1024;

/// What the kernel is asked to hold for us. Its default holds some 250 lines, less
/// than HAProxy writes in a burst.
const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

/// What is read at once at most: as much as the kernel may hold. Whoever goes on
/// sending keeps weir neither from looking at what was lost nor from stopping.
const DRAIN_MAX: usize = 2 * RECEIVE_BUFFER;

/// Between two looks at the socket. To be woken for each datagram would cost several times what
/// reading it does; in this time come two hundred of a sender that sends 200,000 a second, and
/// the kernel holds twenty times as many.
const PAUSE: Duration = Duration::from_millis(1);

/// How often the kernel is asked what it has dropped.
const LOST_EVERY: Duration = Duration::from_secs(1);

/// Binds the socket; says how large a receive buffer the kernel granted, in bytes, of which
/// its own records of the datagrams take their part.
///
/// # Errors
///
/// What the system says: the address is in use, not ours, or not permitted.
pub fn bind(address: SocketAddr) -> io::Result<(UdpSocket, usize)> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    // With CAP_NET_ADMIN past `net.core.rmem_max`, else up to it (socket(7)).
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    // Each datagram tells how many were dropped before it. A kernel that cannot do it is
    // asked once a second, as all are.
    let _ = setsockopt(&socket, sockopt::RxqOvfl, &1);
    socket.bind(&address.into())?;
    let granted = socket.recv_buffer_size()?;
    Ok((UdpSocket::from_std(socket.into())?, granted))
}

/// Reads datagrams until `stop`, then what the kernel still holds, then ends. Those from
/// outside of `allow` are counted and not read as frames; without networks in it, nobody is
/// outside.
pub async fn run(
    socket: UdpSocket,
    frame_max: usize,
    allow: Vec<IpNet>,
    listener: Arc<Listener>,
    dispatcher: Dispatcher,
    stop: CancellationToken,
) {
    let address = listener.address.clone();
    let reading = socket.into_std().map(|socket| {
        tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let datagrams = Datagrams::new(frame_max, allow, listener, dispatcher);
            runtime.block_on(datagrams.read(socket, stop))
        })
    });
    let ended = match reading {
        Ok(reading) => reading.await.map_err(io::Error::other).flatten(),
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        tracing::error!(address, %error, "cannot read datagrams");
    }
}

/// One socket's datagrams on their way into batches.
struct Datagrams {
    inbox: Inbox,
    frame_max: usize,
    allow: Vec<IpNet>,
    refusals: Refusals,
    lost: Lost,
    /// Not told in the log yet.
    lost_untold: u64,
    listener: Arc<Listener>,
    dispatcher: Dispatcher,
}

/// Where the kernel puts datagrams, and what it says of them.
struct Inbox {
    /// Room for [`TOGETHER`] of the longest ones, [`ROOM`] apart: what is shorter than a
    /// datagram needs, the kernel cuts silently.
    buffer: Box<[u8]>,
    /// Room for what the kernel tells beside a datagram.
    control: Vec<u8>,
    headers: MultiHeaders<SockaddrStorage>,
}

/// A datagram in the inbox.
#[derive(Clone, Copy)]
struct Received {
    bytes: usize,
    peer: Option<SocketAddr>,
}

impl Datagrams {
    fn new(
        frame_max: usize,
        allow: Vec<IpNet>,
        listener: Arc<Listener>,
        dispatcher: Dispatcher,
    ) -> Self {
        Datagrams {
            inbox: Inbox {
                // Only what has been written to is in memory.
                buffer: vec![0; ROOM * TOGETHER].into(),
                control: nix::cmsg_space!(u32),
                headers: MultiHeaders::preallocate(TOGETHER, None),
            },
            frame_max,
            allow,
            refusals: Refusals::new(Arc::clone(&listener)),
            lost: Lost::default(),
            lost_untold: 0,
            listener,
            dispatcher,
        }
    }

    async fn read(
        mut self,
        socket: std::net::UdpSocket,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let socket = UdpSocket::from_std(socket)?;
        let mut lost_every = tokio::time::interval(LOST_EVERY);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = lost_every.tick() => {
                    self.note_lost(kernel_drops(&socket));
                    self.tell_lost();
                }
                ready = socket.readable() => {
                    ready?;
                    let tell = |receive: &mut dyn FnMut() -> io::Result<usize>| {
                        socket.try_io(Interest::READABLE, receive)
                    };
                    self.drain(&socket, tell, DRAIN_MAX).await;
                    // Not a timer of the runtime: while that waits, each datagram wakes it.
                    thread::sleep(PAUSE);
                }
            }
        }
        // The runtime tells that there is something to read some time after it has come;
        // asked directly, the socket gives everything it has.
        let socket = socket.into_std()?;
        self.drain(&socket, |receive| receive(), DRAIN_MAX).await;
        self.note_lost(kernel_drops(&socket));
        self.tell_lost();
        Ok(())
    }

    /// Reads what is there, at most some `bytes_max`, a batch at a time. `tell` lets the
    /// runtime know what came of each read.
    async fn drain<S: AsRawFd>(
        &mut self,
        socket: &S,
        tell: impl Fn(&mut dyn FnMut() -> io::Result<usize>) -> io::Result<usize>,
        bytes_max: usize,
    ) {
        let mut bytes = 0;
        let mut more = true;
        while more && bytes < bytes_max {
            let mut batch = self.dispatcher.spares().get();
            batch.received_at = Some(clock::now());
            let mut read = 0;
            while more && read < BATCH_BYTES {
                match tell(&mut || self.receive(socket, &mut batch)) {
                    Ok(received) => read += received,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => more = false,
                    // The next look at the socket tells whether it lasts.
                    Err(error) => {
                        tracing::debug!(%error, "a datagram could not be read");
                        more = false;
                    }
                }
            }
            bytes += read;
            self.dispatcher.send(batch, &self.listener).await;
        }
    }

    /// Takes what is there into the batch, [`TOGETHER`] datagrams and one at most, and says how
    /// many bytes that was. An empty one counts as one byte: it is a read too.
    fn receive(&mut self, socket: &impl AsRawFd, batch: &mut Batch) -> io::Result<usize> {
        // The first one tells how many the kernel has dropped: those that come together tell
        // nothing but themselves.
        let (first, dropped) = self.inbox.receive_one(socket)?;
        self.note_lost(dropped);
        self.take(0, first, batch);
        let mut read = first.bytes.max(1);
        let mut others = [Received {
            bytes: 0,
            peer: None,
        }; TOGETHER];
        // Whatever is wrong, the next look at the socket tells whether it lasts.
        let count = self.inbox.receive_more(socket, &mut others).unwrap_or(0);
        for (place, received) in others[..count].iter().enumerate() {
            read += received.bytes.max(1);
            self.take(place, *received, batch);
        }
        Ok(read)
    }

    /// Takes the datagram at that place of the inbox into the batch.
    fn take(&mut self, place: usize, received: Received, batch: &mut Batch) {
        if !self.allow.is_empty()
            && let Some(peer) = received.peer
            && !allows(&self.allow, peer.ip())
        {
            let why = "its address is not in `allow`";
            return self.refusals.refuse(peer, Refusal::NotAllowed, &why);
        }
        let bytes = &self.inbox.buffer[place * ROOM..][..received.bytes];
        let start = batch.bytes.len();
        batch.bytes.extend_from_slice(bytes);
        batch
            .frames
            .push(datagram(&batch.bytes, start, self.frame_max));
    }

    /// Notes how many datagrams the kernel has dropped for this socket, where it is known.
    fn note_lost(&mut self, dropped: Option<u32>) {
        if let Some(dropped) = dropped {
            let more = self.lost.more(dropped);
            self.listener.lost.add(more);
            self.lost_untold += more;
        }
    }

    /// Tells of them in the log.
    fn tell_lost(&mut self) {
        let lost = std::mem::take(&mut self.lost_untold);
        if lost > 0 {
            tracing::error!(
                address = %self.listener.address,
                lost,
                "the kernel dropped datagrams: lines came faster than they were read; \
                 raise net.core.rmem_max or send over TCP"
            );
        }
    }
}

impl Inbox {
    /// Puts one datagram at the first place. The number is that of those the kernel had dropped
    /// when it came, as [`Lost`] takes it.
    fn receive_one(&mut self, socket: &impl AsRawFd) -> io::Result<(Received, Option<u32>)> {
        let mut buffers = [IoSliceMut::new(&mut self.buffer[..DATAGRAM_MAX])];
        let message = recvmsg::<SockaddrStorage>(
            socket.as_raw_fd(),
            &mut buffers,
            Some(&mut self.control),
            MsgFlags::MSG_DONTWAIT,
        )?;
        let dropped = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::RxqOvfl(dropped) => Some(dropped),
            _ => None,
        });
        let received = Received {
            bytes: message.bytes,
            peer: message.address.as_ref().and_then(peer),
        };
        Ok((received, dropped))
    }

    /// Puts those that are there at the first places, and says how many there are.
    fn receive_more(
        &mut self,
        socket: &impl AsRawFd,
        received: &mut [Received; TOGETHER],
    ) -> io::Result<usize> {
        let mut rooms = self.buffer.chunks_exact_mut(ROOM);
        let mut slices: [_; TOGETHER] = std::array::from_fn(|_| {
            let room = rooms.next().unwrap_or_default();
            [IoSliceMut::new(&mut room[..DATAGRAM_MAX])]
        });
        let messages = recvmmsg(
            socket.as_raw_fd(),
            &mut self.headers,
            &mut slices,
            MsgFlags::MSG_DONTWAIT,
            None,
        )?;
        let mut count = 0;
        for (received, message) in received.iter_mut().zip(messages) {
            *received = Received {
                bytes: message.bytes,
                peer: message.address.as_ref().and_then(peer),
            };
            count += 1;
        }
        Ok(count)
    }
}

fn peer(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address
        .as_sockaddr_in()
        .map(|address| SocketAddrV4::from(*address).into());
    v4.or_else(|| {
        address
            .as_sockaddr_in6()
            .map(|address| SocketAddrV6::from(*address).into())
    })
}

/// What the kernel's own count of dropped datagrams has come to. It has 32 bits and begins
/// again behind the last.
///
/// It is told twice. With a datagram comes what the count was when that one was queued
/// (`SO_RXQ_OVFL`, socket(7)): nothing has to be asked, but what is dropped after the last
/// datagram of a burst is not known until another comes, which may be never. So the count
/// itself is read once a second too, which makes it right at rest; where there is no `/proc`,
/// what comes with the datagrams has to do.
#[derive(Debug, Default)]
struct Lost(u32);

impl Lost {
    /// How many more there are than were known. One told by a datagram may be older than what
    /// is known.
    fn more(&mut self, dropped: u32) -> u64 {
        let more = dropped.wrapping_sub(self.0);
        if more > u32::MAX / 2 {
            return 0;
        }
        self.0 = dropped;
        u64::from(more)
    }
}

/// The frame of the datagram that begins at `start`: without the line ends that some
/// senders add, and cut off where it is too long.
fn datagram(bytes: &[u8], start: usize, frame_max: usize) -> Frame {
    let length = framing::trim_end(&bytes[start..]).len();
    Frame {
        start,
        end: start + length.min(frame_max),
        cut: length > frame_max,
    }
}

/// The kernel's own count, the last column of `/proc/net/udp` (proc(5)), in the row
/// of our socket's inode. `None` where there is no such table.
fn kernel_drops(socket: &impl AsRawFd) -> Option<u32> {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok()?;
    let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
    ["/proc/self/net/udp", "/proc/self/net/udp6"]
        .iter()
        .find_map(|table| {
            let table = std::fs::read_to_string(table).ok()?;
            table.lines().find_map(|row| {
                let columns: Vec<&str> = row.split_whitespace().collect();
                (*columns.get(9)? == inode).then(|| columns.last()?.parse().ok())?
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::batch::Work;
    use crate::telemetry::Telemetry;
    use crate::time::Timestamp;

    const FRAME_MAX: usize = 1000;

    /// A socket, its counters, and everything that was read from it.
    async fn read_all(datagrams: &[Vec<u8>], allow: Vec<IpNet>) -> (Arc<Listener>, Vec<Batch>) {
        let (socket, _) = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for datagram in datagrams {
            sender.send_to(datagram, address).unwrap();
        }
        let telemetry = Telemetry::new(Timestamp::from_secs(0));
        let listener = telemetry.listener("udp", address.to_string());
        let (dispatcher, mut workers) = Dispatcher::new(1, &telemetry.queued);
        let stop = CancellationToken::new();
        stop.cancel();
        let reading = tokio::spawn(run(
            socket,
            FRAME_MAX,
            allow,
            Arc::clone(&listener),
            dispatcher,
            stop,
        ));
        let mut batches = Vec::new();
        while let Some(Work::Batch(batch)) = workers[0].recv().await {
            batches.push(batch);
        }
        reading.await.unwrap();
        (listener, batches)
    }

    #[tokio::test]
    async fn a_datagram_is_a_frame_without_its_line_end_and_cut_where_it_is_too_long() {
        let long = vec![b'x'; FRAME_MAX + 1];
        let (_, batches) = read_all(
            &[b"one\n".to_vec(), vec![], b"two".to_vec(), long],
            Vec::new(),
        )
        .await;
        let frames: Vec<(&[u8], bool)> = batches
            .iter()
            .flat_map(|batch| {
                let frames = batch.frames.iter();
                frames.map(|frame| (&batch.bytes[frame.start..frame.end], frame.cut))
            })
            .collect();
        let cut = vec![b'x'; FRAME_MAX];
        assert_eq!(
            frames,
            [
                (&b"one"[..], false),
                (b"", false),
                (b"two", false),
                (&cut, true)
            ]
        );
    }

    #[tokio::test]
    async fn what_the_kernel_drops_is_counted() {
        // More than any receive buffer that was asked for, and nobody reads meanwhile.
        let sent = 3 * RECEIVE_BUFFER / 8192;
        let datagrams = vec![vec![b'x'; 8192]; sent];
        let (listener, _) = read_all(&datagrams, Vec::new()).await;
        let (received, lost) = (listener.received.get(), listener.lost.get());
        assert!(lost > 0, "the kernel held {received} datagrams of 8 KiB");
        assert_eq!(received + lost, sent as u64);
    }

    #[tokio::test]
    async fn what_comes_from_outside_the_networks_is_refused_and_counted() {
        let datagrams = [b"one".to_vec(), b"two".to_vec()];
        for (network, received, refused) in [("10.0.0.0/8", 0, 2), ("127.0.0.0/8", 2, 0)] {
            let (listener, _) = read_all(&datagrams, vec![network.parse().unwrap()]).await;
            let counts = (
                listener.received.get(),
                listener.refused.get(Refusal::NotAllowed),
            );
            assert_eq!(counts, (received, refused), "{network}");
        }
    }

    #[test]
    fn the_kernels_count_may_come_late_and_begins_again() {
        let mut lost = Lost::default();
        let counts = [0, 7, 5, 7, u32::MAX / 2, u32::MAX - 1, 3, u32::MAX, 4];
        let more: Vec<_> = counts.iter().map(|count| lost.more(*count)).collect();
        let half = u64::from(u32::MAX / 2);
        assert_eq!(more, [0, 7, 0, 0, half - 7, half, 5, 0, 1]);
    }
}
