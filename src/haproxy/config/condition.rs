//! The conditions of `.if` and `.elif` (HAProxy's `src/cfgcond.c`, manual section 2.4).
//!
//! Which HAProxy reads the file is not known here. What depends on that is answered
//! for a current one, built against OpenSSL with every feature, and marked as assumed.

/// How deep parentheses may nest.
const DEPTH_MAX: usize = 64;

/// What a condition says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Truth {
    pub value: bool,
    /// Another HAProxy may see it the other way.
    pub assumed: bool,
}

impl Truth {
    fn sure(value: bool) -> Self {
        Truth {
            value,
            assumed: false,
        }
    }

    fn assumed(value: bool) -> Self {
        Truth {
            value,
            assumed: true,
        }
    }

    fn not(self) -> Self {
        Truth {
            value: !self.value,
            ..self
        }
    }

    fn and(self, other: Self) -> Self {
        let sure_of_no = |truth: Truth| !truth.value && !truth.assumed;
        Truth {
            value: self.value && other.value,
            assumed: (self.assumed || other.assumed) && !sure_of_no(self) && !sure_of_no(other),
        }
    }

    fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }
}

/// A condition's value; `None` where HAProxy could not read it either. `defined` says
/// whether there is a variable of that name.
pub(super) fn evaluate(text: &[u8], defined: impl Fn(&str) -> bool) -> Option<Truth> {
    if text.is_empty() {
        return Some(Truth::sure(false));
    }
    let mut condition = Condition {
        rest: text,
        depth: 0,
        defined,
    };
    let truth = condition.any()?;
    condition.skip_blanks();
    condition.rest.is_empty().then_some(truth)
}

struct Condition<'a, D> {
    rest: &'a [u8],
    depth: usize,
    defined: D,
}

impl<D: Fn(&str) -> bool> Condition<'_, D> {
    /// `A || B`
    fn any(&mut self) -> Option<Truth> {
        let mut truth = self.all()?;
        while self.take(b"||") {
            truth = truth.or(self.all()?);
        }
        Some(truth)
    }

    /// `A && B`
    fn all(&mut self) -> Option<Truth> {
        let mut truth = self.term()?;
        while self.take(b"&&") {
            truth = truth.and(self.term()?);
        }
        Some(truth)
    }

    fn term(&mut self) -> Option<Truth> {
        let mut negated = false;
        while self.take(b"!") {
            negated = !negated;
        }
        self.skip_blanks();
        let truth = if let Some(value) = self.number() {
            Truth::sure(value)
        } else if self.take(b"(") {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return None;
            }
            let truth = self.any()?;
            self.depth -= 1;
            if !self.take(b")") {
                return None;
            }
            truth
        } else {
            self.predicate()?
        };
        Some(if negated { truth.not() } else { truth })
    }

    /// An integer; only zero is false.
    fn number(&mut self) -> Option<bool> {
        let signed = matches!(self.rest.first(), Some(b'+' | b'-'));
        let unsigned = &self.rest[usize::from(signed)..];
        let hex = match unsigned {
            [b'0', b'x' | b'X', digit, ..] => digit.is_ascii_hexdigit(),
            _ => false,
        };
        let digits = &unsigned[if hex { 2 } else { 0 }..];
        let is_digit = |byte: &&u8| byte.is_ascii_digit() || hex && byte.is_ascii_hexdigit();
        let length = digits.iter().take_while(is_digit).count();
        if length == 0 {
            return None;
        }
        let value = digits[..length].iter().any(|digit| *digit != b'0');
        self.rest = &digits[length..];
        Some(value)
    }

    /// `name(argument,argument)`, without blanks around the arguments.
    fn predicate(&mut self) -> Option<Truth> {
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let length = self.rest.iter().take_while(is_name).count();
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        let arguments = self.arguments()?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Some(match (name, arguments.as_slice()) {
            (b"", _) => return None,
            (b"defined", []) => Truth::sure(false),
            (b"defined", [name]) => Truth::sure((self.defined)(name)),
            (b"streq", [one, other]) => Truth::sure(one == other),
            (b"strneq", [one, other]) => Truth::sure(one != other),
            (b"strstr", [text, part]) => Truth::sure(text.contains(part)),
            (b"defined" | b"streq" | b"strneq" | b"strstr", _) => return None,
            (b"version_before" | b"openssl_version_before", _) => Truth::assumed(false),
            (b"awslc_api_atleast" | b"awslc_api_before", _) => Truth::assumed(false),
            (b"ssllib_name_startswith", [name]) => Truth::assumed("OpenSSL".starts_with(name)),
            // `feature`, `enabled`, `version_atleast`, `openssl_version_atleast`, and
            // what a later HAProxy may have.
            _ => Truth::assumed(true),
        })
    }

    fn arguments(&mut self) -> Option<Vec<String>> {
        let mut arguments = Vec::new();
        if self.rest.first() != Some(&b'(') {
            return Some(arguments);
        }
        let mut argument = Vec::new();
        let mut quote = None;
        let mut at = 1;
        loop {
            let byte = *self.rest.get(at)?;
            at += 1;
            match (byte, quote) {
                (b'"' | b'\'', None) => quote = Some(byte),
                (_, Some(open)) if byte == open => quote = None,
                (b'\\', None | Some(b'"')) => match self.rest.get(at) {
                    Some(next @ (b'\\' | b'"' | b'\'' | b' ')) => {
                        argument.push(*next);
                        at += 1;
                    }
                    _ => argument.push(byte),
                },
                (b',' | b')', None) => {
                    let text = String::from_utf8(std::mem::take(&mut argument)).ok()?;
                    arguments.push(text);
                    if byte == b')' {
                        self.rest = &self.rest[at..];
                        return Some(arguments);
                    }
                }
                _ => argument.push(byte),
            }
        }
    }

    fn take(&mut self, token: &[u8]) -> bool {
        self.skip_blanks();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_what_haproxy_makes_of_them() {
        let said = |text: &str| match evaluate(text.as_bytes(), |name| name == "HOME") {
            Some(Truth { value, assumed }) => match (value, assumed) {
                (true, false) => "yes",
                (false, false) => "no",
                (true, true) => "yes, assumed",
                (false, true) => "no, assumed",
            },
            None => "unreadable",
        };
        // The sure ones as `haproxy -cc` of 2.6 says them.
        for (text, expected) in [
            ("", "no"),
            ("0", "no"),
            ("-1", "yes"),
            ("0x10", "yes"),
            ("!!1", "yes"),
            ("1 && 0 || 1", "yes"),
            ("1 && (0 || ! 1)", "no"),
            ("defined(HOME)", "yes"),
            ("defined( HOME)", "no"),
            ("defined", "no"),
            ("defined (HOME)", "unreadable"),
            ("streq(a,a)", "yes"),
            ("streq(a, a)", "no"),
            ("streq(,yes)", "no"),
            ("strneq(a,b)", "yes"),
            ("streq(\"a,b\",'a,b')", "yes"),
            ("strneq(a)", "unreadable"),
            ("streq(a,a,a)", "unreadable"),
            ("streq(a,a) )", "unreadable"),
            ("1 foo", "unreadable"),
            ("1 &&", "unreadable"),
            (" ", "unreadable"),
            ("strstr(abc,b)", "yes"),
            ("version_atleast(3.0)", "yes, assumed"),
            ("version_before(2.4)", "no, assumed"),
            ("!feature(OPENSSL)", "no, assumed"),
            ("ssllib_name_startswith(wolfSSL)", "no, assumed"),
            ("feature(OPENSSL) && 0", "no"),
            ("feature(OPENSSL) && 1", "yes, assumed"),
            ("feature(OPENSSL) || 1", "yes"),
            ("feature(OPENSSL) || 0", "yes, assumed"),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn deep_parentheses_end() {
        assert_eq!(evaluate(&[b'('; 100_000], |_| false), None);
    }
}
