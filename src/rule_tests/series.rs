//! A series as it is written: `http.p95{service="users"}`, as weir prints it everywhere.

use crate::metric::Series;
use crate::names::is_name_char;
use crate::source::Fault;
use std::sync::Arc;

const HINT: &str = "write a series as weir prints it: `http.p95{service=\"users\"}`";

/// Reads one. Its tags may stand in any order.
pub(super) fn parse(text: &str) -> Result<Series, Fault> {
    let mut reader = Reader { text, at: 0 };
    let series = reader.series()?;
    reader.skip_blanks();
    match reader.rest() {
        "" => Ok(series),
        _ => Err(reader.fault("the series should end here")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn series(&mut self) -> Result<Series, Fault> {
        let name = self.word("a series' name")?;
        let mut tags: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        if self.takes("{") && !self.takes("}") {
            loop {
                let start = self.at;
                let tag = self.word("a tag's name")?;
                if tags.iter().any(|(known, _)| **known == *tag) {
                    self.at = start;
                    return Err(self.fault(format!("the tag `{tag}` stands here twice")));
                }
                self.expect("=")?;
                let value = self.string()?;
                tags.push((tag.into(), value.into()));
                if self.takes("}") {
                    break;
                }
                self.expect(",")?;
            }
        }
        tags.sort_unstable();
        Ok(Series {
            name: name.into(),
            tags: tags.into(),
        })
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Skips blanks before it.
    fn takes(&mut self, token: &str) -> bool {
        self.skip_blanks();
        let takes = self.rest().starts_with(token);
        self.at += if takes { token.len() } else { 0 };
        takes
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(' ').len();
    }

    fn expect(&mut self, token: &str) -> Result<(), Fault> {
        match self.takes(token) {
            true => Ok(()),
            false => Err(self.fault(format!("expected `{token}` here"))),
        }
    }

    fn word(&mut self, what: &str) -> Result<&'a str, Fault> {
        self.skip_blanks();
        let rest = self.rest();
        let end = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.fault(format!("expected {what} here")));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    /// With the escapes of Rust's strings, which [`Series`] is printed with.
    fn string(&mut self) -> Result<String, Fault> {
        self.expect("\"")?;
        let mut value = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((place, c)) = chars.next() {
            let c = match c {
                '"' => {
                    self.at += place + 1;
                    return Ok(value);
                }
                '\\' => match escaped(&mut chars) {
                    Some(c) => c,
                    None => {
                        self.at += place;
                        return Err(self.fault("unknown escape"));
                    }
                },
                c => c,
            };
            value.push(c);
        }
        self.at = self.text.len();
        Err(self.fault("expected `\"` here"))
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        Fault::new(self.at..self.at + length, message).hint(HINT)
    }
}

fn escaped(chars: &mut std::str::CharIndices<'_>) -> Option<char> {
    Some(match chars.next()?.1 {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        'u' => {
            let rest = chars.as_str().strip_prefix('{')?;
            let (digits, _) = rest.split_once('}')?;
            let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            chars.nth(digits.len() + 1)?;
            c
        }
        c @ ('\\' | '"' | '\'') => c,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_wrong_is_placed() {
        for (text, at, message) in [
            ("", 0, "expected a series' name here"),
            ("http rate", 5, "the series should end here"),
            ("http.rate{service}", 17, "expected `=` here"),
            ("http.rate{service=api}", 18, "expected `\"` here"),
            ("http.rate{service=\"api}", 23, "expected `\"` here"),
            ("http.rate{service=\"\\q\"}", 19, "unknown escape"),
            ("http.rate{a=\"1\" b=\"2\"}", 16, "expected `,` here"),
            (
                "http.rate{a=\"1\",a=\"2\"}",
                16,
                "the tag `a` stands here twice",
            ),
            ("http.rate{a=\"1\"} 1", 17, "the series should end here"),
        ] {
            let fault = parse(text).unwrap_err();
            assert_eq!(
                (fault.span.start, fault.message.as_str()),
                (at, message),
                "{text}"
            );
        }
    }

    #[test]
    fn blanks_and_order_do_not_matter() {
        let series = parse("http.rate { b=\"2\" , a = \"1\" }").unwrap();
        assert_eq!(series.to_string(), "http.rate{a=\"1\",b=\"2\"}");
        assert_eq!(parse("all.rate{}").unwrap(), parse("all.rate").unwrap());
    }

    proptest! {
        #[test]
        fn what_weir_prints_is_read_back(
            name in "[a-zA-Z0-9.:_-]{1,20}",
            tags in prop::collection::btree_map("[a-z_]{1,8}", ".{0,12}", 0..4),
        ) {
            let tags = tags.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
            let series = Series { name: name.into(), tags: tags.collect() };
            prop_assert_eq!(parse(&series.to_string()), Ok(series));
        }
    }
}
