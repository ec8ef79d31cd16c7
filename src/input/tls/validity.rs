//! From when until when a certificate is good (RFC 5280, section 4.1.2.5).

use super::der::{self, Der, SEQUENCE};
use crate::time::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// `YYMMDDHHMMSSZ`, of the years 1950 to 2049.
const UTC_TIME: u8 = 0x17;
/// `YYYYMMDDHHMMSSZ`.
const GENERALIZED_TIME: u8 = 0x18;

/// The first and the last second of it. `None` where they cannot be read.
pub fn of(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let mut fields = der::fields(certificate)?;
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        fields.next()?;
    }
    let mut validity = fields.within(SEQUENCE)?;
    Some((time(&mut validity)?, time(&mut validity)?))
}

fn time(validity: &mut Der<'_>) -> Option<Timestamp> {
    let (tag, text) = validity.next()?;
    let text = std::str::from_utf8(text).ok()?;
    let text = match tag {
        UTC_TIME => {
            let century = if text.get(..2)? < "50" { "20" } else { "19" };
            format!("{century}{text}")
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    let time = time.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp::from_secs(time.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    #[test]
    fn both_ways_to_write_a_time_are_read() {
        for (from, until, seconds) in [
            ((1999, 12, 31), (2026, 1, 1), (946_598_400, 1_767_225_600)),
            ((2049, 12, 31), (2050, 1, 1), (2_524_521_600, 2_524_608_000)),
        ] {
            let mut params = CertificateParams::default();
            params.not_before = date_time_ymd(from.0, from.1, from.2);
            params.not_after = date_time_ymd(until.0, until.1, until.2);
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            let (first, last) = of(certificate.der()).unwrap();
            assert_eq!((first.as_secs(), last.as_secs()), seconds);
            let cut = &certificate.der()[..100];
            assert_eq!(of(cut), None);
        }
    }
}
