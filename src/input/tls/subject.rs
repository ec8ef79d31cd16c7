//! Whose a certificate is (RFC 5280, section 4.1), for people to read. The bytes are a
//! stranger's: nothing is concluded from them.

use super::der::{self, SEQUENCE};

/// The most characters of a name that are told.
const NAME_MAX: usize = 100;

/// The attributes that are told, by their object identifiers (X.520): commonName and
/// organizationName.
const ATTRIBUTES: [(&[u8], &str); 2] = [(&[0x55, 4, 3], "CN"), (&[0x55, 4, 10], "O")];

const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// The names in a certificate's subject, such as `CN=web-1, O=Shop`; what is not printable is
/// escaped. Says so where there are none.
pub fn of(certificate: &[u8]) -> String {
    let names = attributes(certificate).unwrap_or_default();
    match names.is_empty() {
        true => "no name".to_owned(),
        false => names.join(", "),
    }
}

fn attributes(certificate: &[u8]) -> Option<Vec<String>> {
    let mut fields = der::fields(certificate)?;
    // Serial number, signature algorithm, issuer, validity.
    for _ in 0..4 {
        fields.next()?;
    }
    let mut subject = fields.within(SEQUENCE)?;
    let mut names = Vec::new();
    while let Some(mut set) = subject.within(SET) {
        while let Some(mut pair) = set.within(SEQUENCE) {
            let id = pair.within(OBJECT_IDENTIFIER)?;
            let (_, value) = pair.next()?;
            if let Some((_, name)) = ATTRIBUTES.iter().find(|(known, _)| *known == id.0) {
                let text = String::from_utf8_lossy(value);
                let text: String = text.chars().take(NAME_MAX).collect();
                names.push(format!("{name}={}", text.escape_debug()));
            }
        }
    }
    // A subject may repeat itself for as long as the certificate has room.
    names.truncate(ATTRIBUTES.len());
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    fn certificate(names: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, name) in names {
            params.distinguished_name.push(kind.clone(), *name);
        }
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_is_named_by_its_subject() {
        use DnType::{CommonName, CountryName, OrganizationName};
        let long = "x".repeat(300);
        for (names, expected) in [
            (&[(CommonName, "web-1")][..], "CN=web-1"),
            (
                &[
                    (CountryName, "SE"),
                    (OrganizationName, "Shop"),
                    (CommonName, "Åke"),
                ],
                "O=Shop, CN=Åke",
            ),
            (&[(CommonName, "a\n2026 ERROR b")], "CN=a\\n2026 ERROR b"),
            (&[(CommonName, &long)], &format!("CN={}", &long[..NAME_MAX])),
            (&[], "no name"),
        ] {
            assert_eq!(of(&certificate(names)), expected);
        }
    }

    proptest! {
        #[test]
        fn strange_bytes_have_no_name_or_some(at in 0..300usize, byte: u8, length in 0..600usize) {
            let mut bytes = certificate(&[(DnType::CommonName, "web-1")]);
            bytes.truncate(length);
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            prop_assert!(!of(&bytes).is_empty());
        }
    }
}
