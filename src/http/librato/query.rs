//! What a query asks for: numbers, patterns, tag filters.

use super::reply::Refusal;
use crate::store::Listed;
use std::collections::BTreeMap;

/// Decoded name and value pairs, in their order.
pub type Query = [(String, String)];

/// Which streams are wanted; all filters must agree.
pub enum TagFilter {
    /// The stream has the tag and one of the patterns fits; `true` marks a negated one.
    Has {
        name: String,
        patterns: Vec<(bool, String)>,
    },
    Lacks {
        name: String,
    },
}

impl TagFilter {
    pub fn parse(query: &Query) -> Result<Vec<TagFilter>, Refusal> {
        let mut by_name: BTreeMap<String, Vec<(bool, String)>> = BTreeMap::new();
        let mut filters = Vec::new();
        let pattern = |value: &str| match value.strip_prefix('!') {
            Some(pattern) => (true, pattern.to_owned()),
            None => (false, value.to_owned()),
        };
        for (key, value) in query {
            let name = match (
                key.as_str(),
                key.strip_prefix("tags[")
                    .and_then(|rest| rest.split_once(']')),
            ) {
                (_, Some((name, _))) if !name.is_empty() => name,
                ("tags" | "tags[]", _) if value == "*" => continue,
                ("tags" | "tags[]", _) if !value.is_empty() => value,
                ("tags" | "tags[]", _) => return Err(Refusal::param("tags", "must name a tag")),
                _ => continue,
            };
            match name.strip_prefix('!') {
                Some(name) => filters.push(TagFilter::Lacks {
                    name: name.to_ascii_lowercase(),
                }),
                None if key.starts_with("tags[") && key != "tags[]" => by_name
                    .entry(name.to_ascii_lowercase())
                    .or_default()
                    .push(pattern(value)),
                None => by_name
                    .entry(name.to_ascii_lowercase())
                    .or_default()
                    .push((false, "*".into())),
            }
        }
        if let Some(search) = get(query, "tags_search") {
            if !by_name.is_empty() || !filters.is_empty() {
                return Err(Refusal::param(
                    "tags_search",
                    "must not be given together with tags",
                ));
            }
            for term in search.split(" and ") {
                let (name, value) = term.split_once('=').ok_or_else(|| {
                    Refusal::param("tags_search", "must be NAME=PATTERN and NAME=PATTERN")
                })?;
                by_name
                    .entry(name.trim().to_ascii_lowercase())
                    .or_default()
                    .push(pattern(value.trim()));
            }
        }
        filters.extend(
            by_name
                .into_iter()
                .map(|(name, patterns)| TagFilter::Has { name, patterns }),
        );
        Ok(filters)
    }

    pub fn takes(&self, listed: &Listed) -> bool {
        match self {
            TagFilter::Lacks { name } => !listed.info.tags.contains_key(name),
            TagFilter::Has { name, patterns } => listed.info.tags.get(name).is_some_and(|value| {
                patterns
                    .iter()
                    .any(|(negated, pattern)| matches(pattern, value) != *negated)
            }),
        }
    }
}

/// `*` stands for any run of characters; letters compare without case.
pub fn matches(pattern: &str, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let pattern = pattern.to_ascii_lowercase();
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The first value of that name.
pub fn get<'a>(query: &'a Query, name: &str) -> Option<&'a str> {
    query
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// Whole seconds; some clients send a fraction.
pub fn int(query: &Query, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(text) = get(query, name) else {
        return Ok(None);
    };
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number
        .map(|number| Some(number.floor() as i64))
        .ok_or_else(|| Refusal::param(name, "is not a number"))
}

pub fn positive(query: &Query, name: &str) -> Result<Option<i64>, Refusal> {
    match int(query, name)? {
        Some(number) if number < 1 => Err(Refusal::param(name, "must be positive")),
        number => Ok(number),
    }
}

/// Percent-encoding for a query or a path's segment (RFC 3986): unreserved characters stay.
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(byte as char)
            }
            _ => escaped += &format!("%{byte:02X}"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("us-east*", "US-East-1", true),
            ("*prod*", "my-prod-1", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*a", "a", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
            ("*ab", "ab-ab", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} on {text}");
        }
    }
}
