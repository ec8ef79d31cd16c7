//! Numbers of bytes, as people write them.

/// How units are written, and how many bytes they are.
const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// A whole number of bytes with its unit, such as `256MiB`.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, want) in [
            ("256MiB", Some(256 << 20)),
            ("1 GiB", Some(1 << 30)),
            ("5MB", Some(5_000_000)),
            ("17B", Some(17)),
            ("17", None),
            ("MiB", None),
            ("-1MiB", None),
            ("1.5GiB", None),
            ("1mib", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(bytes(text), want, "{text}");
        }
    }
}
