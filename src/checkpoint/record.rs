//! Records of the journal as bytes: see docs/checkpoint-format.md.

use super::Record;
use std::net::{IpAddr, Ipv6Addr};

/// Where the frames begin: session, time, peer, and how many they are.
const HEADER: usize = 8 + 8 + 16 + 4;

pub fn encode(record: &Record) -> Vec<u8> {
    let frames = record.frames.iter();
    let bytes: usize = frames.map(|frame| 4 + frame.len()).sum();
    let mut out = Vec::with_capacity(HEADER + bytes);
    out.extend(record.session.to_le_bytes());
    out.extend(record.received_at.to_le_bytes());
    out.extend(encode_peer(record.peer));
    out.extend(length(record.frames.len()));
    for frame in &record.frames {
        out.extend(length(frame.len()));
        out.extend(frame);
    }
    out
}

/// `None` where the bytes are no record.
pub fn decode(bytes: &[u8]) -> Option<Record> {
    let mut rest = bytes;
    let session = u64::from_le_bytes(take(&mut rest)?);
    let received_at = i64::from_le_bytes(take(&mut rest)?);
    let peer = decode_peer(take(&mut rest)?);
    let count = u32::from_le_bytes(take(&mut rest)?) as usize;
    // Each has a length of four bytes: a count that is a lie must not take memory.
    let mut frames = Vec::with_capacity(count.min(rest.len() / 4));
    for _ in 0..count {
        let length = u32::from_le_bytes(take(&mut rest)?) as usize;
        let (frame, after) = rest.split_at_checked(length)?;
        frames.push(frame.to_vec());
        rest = after;
    }
    rest.is_empty().then_some(Record {
        session,
        peer,
        received_at,
        frames,
    })
}

/// IPv4 as the IPv6 address that stands for it, `::ffff:192.0.2.1`.
pub fn encode_peer(peer: IpAddr) -> [u8; 16] {
    match peer {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

pub fn decode_peer(bytes: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(bytes).to_canonical()
}

/// The next `N` bytes, if there are so many.
pub fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*head)
}

fn length(n: usize) -> [u8; 4] {
    u32::try_from(n)
        .expect("a frame is 16 MiB at most, and a record one read")
        .to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_is_read_back_and_nothing_shorter_or_longer_is_one(
            session: u64,
            received_at: i64,
            v4: Option<[u8; 4]>,
            frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..5),
        ) {
            let peer = v4.map_or("2001:db8::1".parse().unwrap(), IpAddr::from);
            let record = Record { session, peer, received_at, frames };
            let mut bytes = encode(&record);
            prop_assert_eq!(decode(&bytes), Some(record));
            prop_assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
            bytes.push(0);
            prop_assert_eq!(decode(&bytes), None);
        }

        #[test]
        fn any_bytes_are_a_record_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(record) = decode(&bytes) {
                prop_assert_eq!(encode(&record).len(), bytes.len());
            }
        }
    }
}
