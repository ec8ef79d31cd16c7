//! Captures: which slot of `%hr` and `%hs` holds what.
//!
//! Every capture of a direction takes the next slot where it stands in the file:
//! `capture request header`, `declare capture request`, `http-request capture … len`
//! and `tcp-request content capture` share one numbering from 0, and lines print the
//! slots in that order.

use std::collections::BTreeMap;
use std::ops::Range;

/// Slots that one direction of a section may have.
pub(super) const SLOTS_MAX: usize = 256;

/// The slots of one direction.
#[derive(Clone, Default)]
pub(super) struct Slots {
    /// `None` where only declared.
    names: Vec<Option<Box<str>>>,
    /// What rules put into slots that were declared elsewhere.
    fillers: BTreeMap<usize, Filler>,
}

#[derive(Clone)]
struct Filler {
    /// `None` where rules differ: then a value does not say what it is.
    name: Option<Box<str>>,
    /// Where the first rule names the slot. `None` for a rule of the defaults, which
    /// may name a slot that only some of their sections have.
    span: Option<Range<usize>>,
}

impl Slots {
    /// Takes the next slot; `false` where there are too many.
    pub fn push(&mut self, name: Option<Box<str>>) -> bool {
        let room = self.names.len() < SLOTS_MAX;
        if room {
            self.names.push(name);
        }
        room
    }

    /// A rule puts `name` into slot `id`.
    pub fn fill(&mut self, id: usize, name: Box<str>, span: Range<usize>) {
        let name = Some(name);
        let first = || Filler {
            name: name.clone(),
            span: Some(span),
        };
        let filler = self.fillers.entry(id).or_insert_with(first);
        if filler.name != name {
            filler.name = None;
        }
    }

    /// As a section takes them over from its defaults.
    pub fn inherited(&self) -> Self {
        let mut slots = self.clone();
        for filler in slots.fillers.values_mut() {
            filler.span = None;
        }
        slots
    }

    /// Rules of a section that are for a slot which the section does not have.
    pub fn missing(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let beyond = self.fillers.range(self.names.len()..);
        beyond.filter_map(|(id, filler)| Some((*id, filler.span.clone()?)))
    }

    /// The slots' names, empty where it is not known what fills one.
    pub fn names(self, backends: &Elsewhere) -> Vec<Box<str>> {
        let Slots { names, mut fillers } = self;
        let filled = names.into_iter().enumerate().map(|(id, name)| {
            let filled = || match fillers.remove(&id) {
                Some(filler) => filler.name,
                None => backends.0.get(&id).cloned().flatten(),
            };
            name.or_else(filled).unwrap_or_default()
        });
        filled.collect()
    }
}

/// What the rules of backends put into the slots of whichever frontend sent them the
/// request: `None` where they differ.
#[derive(Default)]
pub(super) struct Elsewhere(BTreeMap<usize, Option<Box<str>>>);

impl Elsewhere {
    /// Adds a backend's rules.
    pub fn add(&mut self, backend: Slots) {
        for (id, filler) in backend.fillers {
            let known = self.0.entry(id).or_insert_with(|| filler.name.clone());
            if *known != filler.name {
                *known = None;
            }
        }
    }
}

/// What to call the value of an expression: the header where it is one header as it
/// came, else the expression itself.
pub(super) fn name_of(expression: &str) -> &str {
    const FETCHES: [&str; 6] = ["hdr", "req.fhdr", "req.hdr", "res.fhdr", "res.hdr", "shdr"];
    let header = || {
        let (fetch, rest) = expression.split_once('(')?;
        let arguments = rest.strip_suffix(')')?;
        let (name, occurrence) = arguments.split_once(',').unwrap_or((arguments, "0"));
        let unquoted = |quote| name.strip_prefix(quote)?.strip_suffix(quote);
        let name = unquoted('"').or_else(|| unquoted('\'')).unwrap_or(name);
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let plain = FETCHES.contains(&fetch)
            && !name.is_empty()
            && name.bytes().all(token)
            && occurrence.parse::<i32>().is_ok();
        plain.then_some(name)
    };
    header().unwrap_or(expression)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_header_gives_its_name() {
        for (expression, name) in [
            ("req.hdr(User-Agent)", "User-Agent"),
            ("hdr(host)", "host"),
            ("req.hdr(\"X-Id\",-1)", "X-Id"),
            ("req.hdr(X-Id,1)", "X-Id"),
            ("req.hdr(X-Id,a)", "req.hdr(X-Id,a)"),
            ("req.hdr(X-Id),lower", "req.hdr(X-Id),lower"),
            ("req.hdr(a),concat(b)", "req.hdr(a),concat(b)"),
            ("req.hdr()", "req.hdr()"),
            ("req.cook(id)", "req.cook(id)"),
            ("src", "src"),
        ] {
            assert_eq!(name_of(expression), name);
        }
    }
}
