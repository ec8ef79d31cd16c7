//! The bytes of a certificate (RFC 5280, section 4.1), as far as weir looks into them.

pub const SEQUENCE: u8 = 0x30;
/// `version [0] EXPLICIT`, which may be left out.
const VERSION: u8 = 0xa0;

/// What is certified, from the serial number on.
pub fn fields(certificate: &[u8]) -> Option<Der<'_>> {
    let mut certificate = Der(certificate).within(SEQUENCE)?;
    let mut fields = certificate.within(SEQUENCE)?;
    if fields.0.first() == Some(&VERSION) {
        fields.next()?;
    }
    Some(fields)
}

/// DER (X.690, section 8.1): a tag, a length, and so many bytes, again and again.
pub struct Der<'a>(pub &'a [u8]);

impl<'a> Der<'a> {
    /// What the next one holds, if it is of that kind.
    pub fn within(&mut self, tag: u8) -> Option<Der<'a>> {
        let (found, content) = self.next()?;
        (found == tag).then_some(Der(content))
    }

    /// The next one: its tag, and what it holds.
    pub fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, length], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match length {
            0..=0x7f => (usize::from(length), rest),
            // So many bytes of length: a handshake has less than 16 MiB.
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0, |length, byte| length << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }
}
