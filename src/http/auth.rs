//! The token, and the forms in which requests show it.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The longest token, in bytes.
pub const TOKEN_MAX: usize = 1024;

/// What to do about a [`BadToken`].
pub const TOKEN_HINT: &str = "use letters and digits, such as `openssl rand -hex 32` prints";

/// The secret that callers show. It never prints itself.
#[derive(Clone)]
pub struct Token(Arc<Padded>);

/// Why a text can be no token. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    #[error("is empty")]
    Empty,
    #[error("is longer than {TOKEN_MAX} bytes")]
    TooLong,
    #[error("begins or ends with a blank, or has a character that no header carries")]
    Characters,
    /// RFC 7617, section 2: the first colon ends the user's name.
    #[error("has a colon, which no client can show in a user's name, as AppOptics' do")]
    Colon,
}

/// As long as the longest token, zeros behind its end: to compare two takes the same time
/// whatever they are and however long.
struct Padded {
    bytes: [u8; TOKEN_MAX],
    length: usize,
}

impl Padded {
    /// `None` where it is too long.
    fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; TOKEN_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        let length = text.len();
        Some(Padded { bytes, length })
    }

    fn is(&self, other: &Padded) -> bool {
        (self.bytes.ct_eq(&other.bytes) & self.length.ct_eq(&other.length)).into()
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Token) -> bool {
        self.0.is(&other.0)
    }
}

impl Token {
    /// # Errors
    ///
    /// When it is empty, longer than [`TOKEN_MAX`], or no header can carry it: ASCII without
    /// control characters and colons, and no blank at its ends.
    pub fn new(token: &str) -> Result<Self, BadToken> {
        if token.is_empty() {
            return Err(BadToken::Empty);
        }
        let carried = token.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !carried || token.trim() != token {
            return Err(BadToken::Characters);
        }
        if token.contains(':') {
            return Err(BadToken::Colon);
        }
        let padded = Padded::new(token.as_bytes()).ok_or(BadToken::TooLong)?;
        Ok(Token(Arc::new(padded)))
    }

    /// Whether the headers carry it: `Bearer TOKEN`; or basic authentication as
    /// Librato's clients do it (account and token) or AppOptics' (token, no password).
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return false;
        };
        let Some((scheme, credentials)) = value.to_str().ok().and_then(|v| v.split_once(' '))
        else {
            return false;
        };
        let credentials = credentials.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.is(credentials.as_bytes());
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return false;
        }
        let Ok(pair) = BASE64_STANDARD.decode(credentials) else {
            return false;
        };
        match pair.iter().position(|&byte| byte == b':') {
            Some(colon) if colon + 1 < pair.len() => self.is(&pair[colon + 1..]),
            Some(colon) => self.is(&pair[..colon]),
            None => self.is(&pair),
        }
    }

    /// Compares in a time that depends on what was shown alone.
    fn is(&self, shown: &[u8]) -> bool {
        Padded::new(shown).is_some_and(|shown| self.0.is(&shown))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_taken_in_every_form_that_clients_use() {
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        let token = Token::new("s3cret").unwrap();
        for (shown, ok) in [
            ("Bearer s3cret".to_owned(), true),
            ("bearer s3cret".to_owned(), true),
            (basic("me@example.com:s3cret"), true),
            (basic("s3cret:"), true),
            (basic("s3cret"), true),
            (basic("token:s3cret"), true),
            (basic("s3cret:wrong"), false),
            (basic("s3cret\0"), false),
            (basic(":"), false),
            (basic(&"s".repeat(TOKEN_MAX + 1)), false),
            ("Bearer s3cre".to_owned(), false),
            ("Bearer s3crets".to_owned(), false),
            ("Bearer ".to_owned(), false),
            ("s3cret".to_owned(), false),
            ("Basic s3cret".to_owned(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, shown.parse().unwrap());
            assert_eq!(token.is_in(&headers), ok, "{shown}");
        }
        assert!(!token.is_in(&HeaderMap::new()));
    }

    #[test]
    fn what_no_header_carries_is_no_token() {
        for (text, why) in [
            ("", BadToken::Empty),
            ("s3cret\n", BadToken::Characters),
            (" s3cret", BadToken::Characters),
            ("s3crét", BadToken::Characters),
            ("s3:cret", BadToken::Colon),
            (&"s".repeat(TOKEN_MAX + 1), BadToken::TooLong),
        ] {
            assert_eq!(Token::new(text).unwrap_err(), why, "{text:?}");
        }
        assert!(Token::new(&"s".repeat(TOKEN_MAX)).is_ok());
    }

    #[test]
    fn a_token_does_not_print_itself() {
        assert_eq!(format!("{:?}", Token::new("s3cret").unwrap()), "Token");
    }
}
