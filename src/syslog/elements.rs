//! What RFC 5424's structured data says.

use std::borrow::Cow;

/// One `[id name="value" ...]` of a message's structured data (RFC 5424, section 6.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    pub id: &'a [u8],
    /// Names and values in the order of the message; a name may come more than once.
    /// Values are without their quotes and escapes.
    pub params: Vec<(&'a [u8], Cow<'a, [u8]>)>,
}

/// All elements of `data`, or `None` if any of it is not of the form.
pub(super) fn read(mut data: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut elements = Vec::new();
    while !data.is_empty() {
        let (element, rest) = element(data.strip_prefix(b"[")?)?;
        elements.push(element);
        data = rest;
    }
    Some(elements)
}

/// Reads what is behind the opening bracket, up to the closing one.
fn element(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (id, mut rest) = name(bytes)?;
    let mut params = Vec::new();
    while let [b' ', behind @ ..] = rest {
        let (name, behind) = name(behind)?;
        let (value, behind) = value(behind.strip_prefix(b"=\"")?)?;
        params.push((name, value));
        rest = behind;
    }
    Some((Element { id, params }, rest.strip_prefix(b"]")?))
}

/// SD-NAME: printable and none of `="]`. Its limit of 32 bytes is not insisted on.
fn name(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes
        .iter()
        .position(|byte| matches!(byte, b'=' | b'"' | b']') || !byte.is_ascii_graphic())?;
    (end > 0).then(|| bytes.split_at(end))
}

/// Reads what is behind the opening quote, up to the closing one. A backslash escapes
/// `"`, `\` and `]`, and is itself before anything else (section 6.3.3). A bare `]` is
/// let through.
fn value(bytes: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut value = Cow::Borrowed(&[][..]);
    let (mut from, mut at) = (0, 0);
    loop {
        match bytes[at..] {
            [b'"', ..] => break,
            [b'\\', b'"' | b'\\' | b']', ..] => {
                value.to_mut().extend_from_slice(&bytes[from..at]);
                from = at + 1;
                at += 2;
            }
            [_, ..] => at += 1,
            [] => return None,
        }
    }
    match &mut value {
        Cow::Borrowed(value) => *value = &bytes[..at],
        Cow::Owned(value) => value.extend_from_slice(&bytes[from..at]),
    }
    Some((value, &bytes[at + 1..]))
}
