//! Every format that the lines of one section may have.

use super::profile::{Line, Lines};
use super::{FormatText, LoggedFormat, Purpose};
use std::sync::Arc;

/// Formats of one section.
pub(super) const FORMATS_MAX: usize = 64;

/// A section's formats without those of profiles.
pub(super) struct Own {
    /// Several where HAProxy's version decides.
    pub traffic: Vec<FormatText>,
    pub error: FormatText,
}

/// The formats of a section whose log targets use `profiles`, `None` being a target
/// without one. A section without a target logs nothing, and is shown as if it did.
/// `None` where there are too many.
pub(super) fn formats(own: &Own, profiles: &[Option<&Lines>]) -> Option<Vec<LoggedFormat>> {
    let profiles = if profiles.is_empty() {
        &[None]
    } else {
        profiles
    };
    let mut formats = Vec::new();
    for profile in profiles {
        let lines = match profile {
            Some(lines) => lines.traffic.as_slice(),
            None => &[Line::Default],
        };
        for line in lines {
            add(&mut formats, Purpose::Traffic, line, &own.traffic)?;
        }
    }
    for profile in profiles {
        let line = match profile {
            Some(lines) => lines.error.as_ref(),
            None => Some(&Line::Default),
        };
        if let Some(line) = line {
            let default = std::slice::from_ref(&own.error);
            add(&mut formats, Purpose::Error, line, default)?;
        }
    }
    Some(formats)
}

/// Adds what is not there yet; `None` where there is no room.
fn add(
    formats: &mut Vec<LoggedFormat>,
    purpose: Purpose,
    line: &Line,
    default: &[FormatText],
) -> Option<()> {
    let own;
    let texts = match line {
        Line::Default => default,
        Line::Own(text) => {
            own = [FormatText::Custom(Arc::clone(text))];
            &own
        }
    };
    for text in texts {
        let known = |format: &LoggedFormat| format.purpose == purpose && same(&format.text, text);
        if formats.iter().any(known) {
            continue;
        }
        if formats.len() == FORMATS_MAX {
            return None;
        }
        let text = text.clone();
        formats.push(LoggedFormat { purpose, text });
    }
    Some(())
}

/// Whether lines cannot tell them apart, wherever they stand.
fn same(one: &FormatText, other: &FormatText) -> bool {
    match (one, other) {
        (FormatText::Custom(one), FormatText::Custom(other)) => one.text == other.text,
        _ => one == other,
    }
}
