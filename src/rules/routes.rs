//! Paths to routes: by the templates that a rule lists, or without a list by what looks
//! like an id in them.
//!
//! Either way many paths become few names. What bounds how many series come of that is
//! the rule's `limit`, not this.

mod fold;
mod template;

pub(crate) use fold::fold;

use crate::source::Fault;
use template::Segment;

/// More templates are refused.
pub(super) const MAX_TEMPLATES: usize = 1000;

/// The root's place in the trie.
const ROOT: usize = 0;

/// Templates of paths, such as `/v1/users/:id/cards`, as a trie over their segments.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Routes {
    /// As written.
    templates: Box<[Box<[u8]>]>,
    nodes: Vec<Node>,
}

/// Where one or more templates have come to, segment by segment.
#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    /// The nodes behind a segment that is written out, sorted by it.
    fixed: Vec<(Box<[u8]>, usize)>,
    /// The node behind a parameter.
    parameter: Option<usize>,
    /// The template that ends here.
    ends: Option<usize>,
    /// The template whose `*` stands here.
    rest: Option<usize>,
}

impl Routes {
    /// # Errors
    ///
    /// Everything that is wrong with the templates: the index of each, and the place in it.
    pub fn new(templates: &[impl AsRef<str>]) -> Result<Self, Vec<(usize, Fault)>> {
        let mut routes = Routes {
            templates: templates
                .iter()
                .map(|template| template.as_ref().as_bytes().into())
                .collect(),
            nodes: vec![Node::default()],
        };
        let mut faults = Vec::new();
        for (index, template) in templates.iter().enumerate() {
            let text = template.as_ref();
            if index == MAX_TEMPLATES {
                let message = format!("there are more than {MAX_TEMPLATES} templates");
                let fault = Fault::new(0..text.len(), message)
                    .hint("let `*` stand for what is behind a prefix");
                faults.push((index, fault));
                break;
            }
            match template::segments(text) {
                Err(wrong) => faults.extend(wrong.into_iter().map(|fault| (index, fault))),
                Ok(segments) => {
                    if let Some(other) = routes.insert(index, segments) {
                        let other = templates[other].as_ref();
                        let message = match text == other {
                            true => format!("`{text}` is listed twice"),
                            false => format!("`{text}` matches the same paths as `{other}`"),
                        };
                        let fault = Fault::new(0..text.len(), message).hint("keep one of the two");
                        faults.push((index, fault));
                    }
                }
            }
        }
        match faults.is_empty() {
            true => Ok(routes),
            false => Err(faults),
        }
    }

    /// The template that the path matches, as it is written; `None` if it matches none, or
    /// is no path: the `*` of a server-wide OPTIONS, the authority of a CONNECT.
    ///
    /// Of several, the one that has the first difference for it: a segment that is written
    /// out goes before a parameter, and that before `*`. Slashes at the path's end do not
    /// matter; an empty segment inside it is none that a parameter stands for. Of an
    /// absolute URI the path counts. Percent-encoding is compared as it is.
    pub fn route(&self, path: &[u8]) -> Option<&[u8]> {
        let index = self.find(ROOT, relative(path)?)?;
        Some(&self.templates[index])
    }

    /// The best template for what is left of a path, `None` at its end.
    ///
    /// A dead end goes back to the last node where a parameter could stand as well. A node
    /// has one way that leads to it, so none is visited twice for a path, and at most two
    /// for each one before it: the templates bound the work, whatever the path. The depth
    /// is that of the longest template.
    fn find(&self, node: usize, left: Option<&[u8]>) -> Option<usize> {
        let node = &self.nodes[node];
        let Some(left) = left else {
            return node.ends.or(node.rest);
        };
        let (segment, left) = split(left);
        node.fixed(segment)
            .and_then(|next| self.find(next, left))
            .or_else(|| {
                let next = node.parameter.filter(|_| !segment.is_empty())?;
                self.find(next, left)
            })
            .or(node.rest)
    }

    /// The template that has that place already, if one has.
    fn insert(&mut self, index: usize, segments: Vec<Segment<'_>>) -> Option<usize> {
        let mut at = ROOT;
        for segment in segments {
            at = match segment {
                Segment::Rest => return taken(&mut self.nodes[at].rest, index),
                Segment::Parameter => match self.nodes[at].parameter {
                    Some(next) => next,
                    None => {
                        let next = self.grow();
                        self.nodes[at].parameter = Some(next);
                        next
                    }
                },
                Segment::Fixed(text) => match self.nodes[at].place(text) {
                    Ok(place) => self.nodes[at].fixed[place].1,
                    Err(place) => {
                        let next = self.grow();
                        self.nodes[at].fixed.insert(place, (text.into(), next));
                        next
                    }
                },
            };
        }
        taken(&mut self.nodes[at].ends, index)
    }

    fn grow(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }
}

impl Node {
    fn fixed(&self, segment: &[u8]) -> Option<usize> {
        let place = self.place(segment).ok()?;
        Some(self.fixed[place].1)
    }

    fn place(&self, segment: &[u8]) -> Result<usize, usize> {
        self.fixed
            .binary_search_by(|(text, _)| (**text).cmp(segment))
    }
}

/// Takes a place, or says who has it.
fn taken(place: &mut Option<usize>, index: usize) -> Option<usize> {
    let other = *place;
    place.get_or_insert(index);
    other
}

/// A path without its first slash and its last ones: segments with a slash between them.
/// `Some(None)` for the root, which has none; `None` for what is no path.
///
/// An absolute URI is what HAProxy logs for HTTP/2: its path is what counts.
fn relative(target: &[u8]) -> Option<Option<&[u8]>> {
    let path = match target {
        [] | [b'/', ..] => target,
        _ => behind_authority(target)?,
    };
    let inside = path.strip_prefix(b"/").unwrap_or_default();
    let end = inside.iter().rposition(|&byte| byte != b'/');
    Some(end.map(|end| &inside[..=end]))
}

/// The path of an absolute URI, empty where there is none; `None` if it is no such URI.
fn behind_authority(target: &[u8]) -> Option<&[u8]> {
    let colon = memchr::memchr(b':', target)?;
    let (scheme, behind) = target.split_at(colon);
    let authority = behind.strip_prefix(b"://")?;
    // RFC 3986, section 3.1.
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    if !is_scheme {
        return None;
    }
    let slash = memchr::memchr(b'/', authority);
    Some(slash.map_or(&[], |slash| &authority[slash..]))
}

/// The first segment and what is behind it, `None` at the end.
fn split(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'/', path) {
        Some(slash) => (&path[..slash], Some(&path[slash + 1..])),
        None => (path, None),
    }
}

#[cfg(test)]
mod tests;
