//! The end of an HTTP line: captured headers and the request, and what a request says.

use super::field::Field;
use super::leaf::Stuck;
use memchr::{memchr, memrchr, memrchr_iter};

/// What HAProxy prints for a request that it could not read, and for each part of it.
pub(super) const BAD: &[u8] = b"<BADREQ>";

/// What comes after the queues in an HTTP line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail<'a> {
    /// Between the braces.
    pub(super) request_headers: Option<&'a [u8]>,
    /// Between the braces.
    pub(super) response_headers: Option<&'a [u8]>,
    /// Between the quotes.
    pub(super) request: &'a [u8],
    /// The closing quote is there.
    pub(super) complete: bool,
    /// What stands behind the closing quote.
    pub(super) rest: &'a [u8],
}

/// Whose a block of captures is if there is only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Single {
    Request,
    Response,
    Unknown,
}

/// Reads ` {a|b} {c} "GET / HTTP/1.1"`, where each block of captures may be missing.
///
/// HAProxy writes quotes, braces and pipes inside captures as `#22` and so on (section
/// 8.6 of its manual), and a quote inside the request likewise. But relays have been
/// seen to undo that, so no delimiter is trusted where a later one would do:
///
/// - The request begins at the last quote that stands behind a `}` and a blank, if there
///   are captures.
/// - Captures are split at the last `} {` before that. A single block is ambiguous: where
///   the configuration does not tell whose it is, it is the request's, unless two blanks
///   stand before it and one behind it. Newer versions leave the separator of an empty
///   block where it was.
/// - The request ends at the first quote after that. Only if it has no version there,
///   and the line has one before a quote at its very end, it ends there.
///
/// A request whose closing quote is missing was cut off with the line; it is taken as
/// far as it goes.
pub(super) fn tail(input: &[u8], single: Single) -> Result<Tail<'_>, Stuck> {
    let line = input.trim_ascii_start();
    let stuck = Stuck {
        field: Field::Request,
        left: line.len(),
    };
    match line.first() {
        Some(b'"') => Ok(request(&line[1..])),
        Some(b'{') => {
            let Some((close, open)) = captures_end(line) else {
                return Err(stuck);
            };
            let captures = &line[1..close];
            let before = input.len() - line.len();
            let behind = open - close - 1;
            let (request_headers, response_headers) = match split_captures(captures) {
                Some((request, response)) => (Some(request), Some(response)),
                None => match single {
                    Single::Response => (None, Some(captures)),
                    Single::Unknown if before > 1 && behind == 1 => (None, Some(captures)),
                    _ => (Some(captures), None),
                },
            };
            Ok(Tail {
                request_headers,
                response_headers,
                ..request(&line[open + 1..])
            })
        }
        _ => Err(stuck),
    }
}

/// The same where more fields follow, which may hold anything a client sends. So what is
/// behind the first closing quote says nothing of the request, and delimiters are trusted
/// wherever they stand as HAProxy writes them.
pub(super) fn tail_within(input: &[u8], single: Single) -> Result<Tail<'_>, Stuck> {
    match exact(input, single) {
        Some(tail) => Ok(tail),
        None => tail(input, single),
    }
}

/// At most two blocks of captures without a brace inside, and the request up to the first
/// quote.
fn exact(input: &[u8], single: Single) -> Option<Tail<'_>> {
    let start = input.trim_ascii_start();
    let before = input.len() - start.len();
    let (first, line) = block(start)?;
    let (second, request) = block(line)?;
    let request = request.strip_prefix(b"\"")?;
    let is_single_blank = start[..start.len() - line.len()].ends_with(b"} ");
    let end = memchr(b'"', request)?;
    let (request_headers, response_headers) = match (first, second, single) {
        (None, Some(_), _) => return None,
        (first, None, Single::Response) => (None, first),
        // As in `tail`.
        (first, None, Single::Unknown) if before > 1 && is_single_blank => (None, first),
        (first, second, _) => (first, second),
    };
    Some(Tail {
        request_headers,
        response_headers,
        request: &request[..end],
        complete: true,
        rest: &request[end + 1..],
    })
}

/// What is in braces here, if anything is, and what stands behind the blanks after it.
fn block(line: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let Some(inside) = line.strip_prefix(b"{") else {
        return Some((None, line));
    };
    let (values, behind) = inside.split_at(memchr(b'}', inside)?);
    let behind = behind[1..].strip_prefix(b" ")?;
    Some((Some(values), behind.trim_ascii_start()))
}

/// Where the last brace before the request and the request's first quote are.
fn captures_end(line: &[u8]) -> Option<(usize, usize)> {
    memrchr_iter(b'"', line).find_map(|open| {
        let before = line[..open].trim_ascii_end();
        (before.len() < open && before.ends_with(b"}")).then(|| (before.len() - 1, open))
    })
}

/// The two blocks of `a} {b`, if there are two.
fn split_captures(captures: &[u8]) -> Option<(&[u8], &[u8])> {
    memrchr_iter(b'{', captures).find_map(|open| {
        let before = captures[..open].trim_ascii_end();
        let request = before.strip_suffix(b"}")?;
        (before.len() < open).then(|| (request, &captures[open + 1..]))
    })
}

/// The request whose opening quote stands before `line`.
fn request(line: &[u8]) -> Tail<'_> {
    let (end, complete) = match memchr(b'"', line) {
        None => (line.len(), false),
        Some(first) if first + 1 == line.len() => (first, true),
        Some(first) => {
            let whole = line.strip_suffix(b"\"").filter(|whole| {
                first > 0 && version(&line[..first]).is_none() && version(whole).is_some()
            });
            (whole.map_or(first, <[u8]>::len), true)
        }
    };
    Tail {
        request: &line[..end],
        complete,
        rest: line.get(end + 1..).unwrap_or_default(),
        ..Tail::default()
    }
}

/// The parts of a request line. `None` for each that is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestLine<'a> {
    pub(super) method: Option<&'a [u8]>,
    pub(super) path: Option<&'a [u8]>,
    pub(super) query: Option<&'a [u8]>,
    pub(super) http_version: Option<&'a [u8]>,
}

impl<'a> RequestLine<'a> {
    /// Splits a request. `complete` is false where the line was cut off in it: its last
    /// part may then be shorter than it was.
    ///
    /// The path is all of the target before the first `?`, as in HAProxy's `%HP`. So it
    /// is `https://www.example.net/cart` where the target is absolute, as in HTTP/2, `*`
    /// for a server-wide OPTIONS, and `www.example.net:443` for CONNECT.
    pub(super) fn split(request: &'a [u8], complete: bool) -> Self {
        // What has no blank is no request: empty, `<BADREQ>`, or cut off in its method.
        let Some(blank) = memchr(b' ', request).filter(|&blank| blank > 0) else {
            return RequestLine::default();
        };
        let (method, rest) = (&request[..blank], &request[blank + 1..]);
        let http_version = version(request);
        let target = match (http_version, memrchr(b' ', rest)) {
            (Some(version), _) => rest
                .get(..rest.len().saturating_sub(version.len() + 1))
                .unwrap_or_default(),
            (None, Some(last)) if !complete && is_cut_version(&rest[last + 1..]) => &rest[..last],
            (None, _) => rest,
        };
        let (path, query) = match memchr(b'?', target) {
            Some(mark) => (&target[..mark], Some(&target[mark + 1..])),
            None => (target, None),
        };
        RequestLine {
            method: Some(method),
            path: (!target.is_empty()).then_some(path),
            query,
            http_version,
        }
    }
}

/// The `HTTP/1.1` or `HTTP/2` that a request ends with.
fn version(request: &[u8]) -> Option<&[u8]> {
    let blank = memrchr(b' ', request)?;
    match &request[blank + 1..] {
        version @ ([b'H', b'T', b'T', b'P', b'/', major]
        | [b'H', b'T', b'T', b'P', b'/', major, b'.', _])
            if major.is_ascii_digit() =>
        {
            Some(version)
        }
        _ => None,
    }
}

/// The beginning of a version, and no more.
fn is_cut_version(word: &[u8]) -> bool {
    b"HTTP/".starts_with(word) || word.starts_with(b"HTTP/")
}

#[cfg(test)]
mod tests {
    use super::super::leaf::Stuck;
    use super::*;

    fn show(field: Option<&[u8]>) -> String {
        field.map_or("-".into(), |field| field.escape_ascii().to_string())
    }

    #[test]
    fn captures_and_request_are_found_from_the_right() {
        for (line, headers, answers, request, complete) in [
            (r#" "GET / HTTP/1.1""#, "-", "-", "GET / HTTP/1.1", true),
            (
                r#" {a|b} {c} "GET / HTTP/1.1""#,
                "a|b",
                "c",
                "GET / HTTP/1.1",
                true,
            ),
            (r#" {} {} "GET / HTTP/1.1""#, "", "", "GET / HTTP/1.1", true),
            // One block: the request's, unless its separator is still there.
            (r#" {a} "GET / HTTP/1.1""#, "a", "-", "GET / HTTP/1.1", true),
            (
                r#" {a}  "GET / HTTP/1.1""#,
                "a",
                "-",
                "GET / HTTP/1.1",
                true,
            ),
            (
                r#"  {a} "GET / HTTP/1.1""#,
                "-",
                "a",
                "GET / HTTP/1.1",
                true,
            ),
            (r#"   "GET / HTTP/1.1""#, "-", "-", "GET / HTTP/1.1", true),
            // Delimiters inside values.
            (
                r#" {x "y" z} {"} "GET / HTTP/1.1""#,
                r#"x \"y\" z"#,
                r#"\""#,
                "GET / HTTP/1.1",
                true,
            ),
            (
                r#" {{"a": {}}} "GET / HTTP/1.1""#,
                r#"{\"a\": {}}"#,
                "-",
                "GET / HTTP/1.1",
                true,
            ),
            (
                r#" {a} "b} {c} "GET / HTTP/1.1""#,
                r#"a} \"b"#,
                "c",
                "GET / HTTP/1.1",
                true,
            ),
            (
                r#" {a} {b} {c} "GET / HTTP/1.1""#,
                "a} {b",
                "c",
                "GET / HTTP/1.1",
                true,
            ),
            (
                r#" {a} "GET /{b}|c HTTP/1.1""#,
                "a",
                "-",
                "GET /{b}|c HTTP/1.1",
                true,
            ),
            // Quotes inside the request, and fields behind it.
            (
                r#" {a} "GET /"b" HTTP/1.1""#,
                "a",
                "-",
                r#"GET /\"b\" HTTP/1.1"#,
                true,
            ),
            (
                r#" {a} "GET / HTTP/1.1" TLSv1.3 k:"v""#,
                "a",
                "-",
                "GET / HTTP/1.1",
                true,
            ),
            (r#" "GET / HTTP/1.1"xyz"#, "-", "-", "GET / HTTP/1.1", true),
            (r#" "" x"#, "-", "-", "", true),
            // Cut off.
            (r#" {a} {b} "GET /lo"#, "a", "b", "GET /lo", false),
            (r#" ""#, "-", "-", "", false),
        ] {
            let tail = tail(line.as_bytes(), Single::Unknown)
                .unwrap_or_else(|at| panic!("{line}: {at:?}"));
            let found = (
                show(tail.request_headers),
                show(tail.response_headers),
                tail.request.escape_ascii().to_string(),
                tail.complete,
            );
            let expected = (headers.into(), answers.into(), request.into(), complete);
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn a_line_that_ends_before_its_request_is_not_read() {
        for (line, left) in [
            ("", 0),
            ("  ", 0),
            (" {a|b", 4),
            (" {a} {b}", 7),
            (" GET", 3),
        ] {
            let expected = Stuck {
                field: Field::Request,
                left,
            };
            assert_eq!(
                tail(line.as_bytes(), Single::Unknown),
                Err(expected),
                "{line:?}"
            );
        }
    }

    #[test]
    fn requests_split_into_method_path_query_and_version() {
        for (request, complete, method, path, query, version) in [
            (
                "GET /a/b?c=d HTTP/1.1",
                true,
                "GET",
                "/a/b",
                "c=d",
                "HTTP/1.1",
            ),
            ("GET /a? HTTP/2", true, "GET", "/a", "", "HTTP/2"),
            (
                "GET https://x.example/a?b?c HTTP/2.0",
                true,
                "GET",
                "https://x.example/a",
                "b?c",
                "HTTP/2.0",
            ),
            ("OPTIONS * HTTP/1.1", true, "OPTIONS", "*", "-", "HTTP/1.1"),
            (
                "CONNECT x.example:443 HTTP/1.1",
                true,
                "CONNECT",
                "x.example:443",
                "-",
                "HTTP/1.1",
            ),
            (
                "GET /a b c HTTP/1.1",
                true,
                "GET",
                "/a b c",
                "-",
                "HTTP/1.1",
            ),
            ("GET  HTTP/1.1", true, "GET", "-", "-", "HTTP/1.1"),
            ("GET HTTP/1.1", true, "GET", "-", "-", "HTTP/1.1"),
            ("GET ?a HTTP/1.1", true, "GET", "", "a", "HTTP/1.1"),
            ("GET /a", true, "GET", "/a", "-", "-"),
            ("GET /a HTT", true, "GET", "/a HTT", "-", "-"),
            ("GET /a HTT", false, "GET", "/a", "-", "-"),
            ("GET /a HTTP/1.", false, "GET", "/a", "-", "-"),
            ("GET /a?b", false, "GET", "/a", "b", "-"),
            ("GE", false, "-", "-", "-", "-"),
            ("<BADREQ>", true, "-", "-", "-", "-"),
            ("", true, "-", "-", "-", "-"),
            (" /a HTTP/1.1", true, "-", "-", "-", "-"),
        ] {
            let line = RequestLine::split(request.as_bytes(), complete);
            let found = (
                show(line.method),
                show(line.path),
                show(line.query),
                show(line.http_version),
            );
            let expected = (method.into(), path.into(), query.into(), version.into());
            assert_eq!(found, expected, "{request:?}");
        }
    }
}
