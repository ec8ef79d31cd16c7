//! What HAProxy makes of it: a model of its log line builder.

use super::expected::{expect, settle_date};
use super::{Case, Cast, Changes, Flags, Piece, Raw, Rendered, Source};
use crate::haproxy::alias;
use jiff::tz::TimeZone;
use std::net::IpAddr;

pub(super) fn render(case: &Case) -> Rendered {
    let mut out = Rendered::default();
    let mut defaults = case.encoding;
    let encoded = case.encoding.encodes();
    if encoded {
        let mut words = vec![if defaults.json { "+json" } else { "+cbor" }];
        words.extend(defaults.binary.then_some("+bin"));
        words.extend(defaults.quote.then_some("+Q"));
        out.format = format!("%{{{}}}o", words.join(","));
    }
    let mut line = Line {
        flags: defaults,
        bytes: Vec::new(),
        in_text: false,
    };
    if encoded {
        line.structure(b"{", 0xbf);
    }
    let mut last_is_space = true;
    let mut first = true;
    let mut http = false;
    for (at, piece) in case.pieces.iter().enumerate() {
        match piece {
            Piece::Defaults(changes) => {
                out.format += &format!("%{}o", written(*changes));
                defaults = change(defaults, *changes);
            }
            Piece::Blank => {
                out.format.push(' ');
                if !encoded && !last_is_space {
                    line.bytes.push(b' ');
                    last_is_space = true;
                }
            }
            Piece::Literal(text) => {
                out.format += &text.replace('%', "%%");
                if !encoded {
                    line.bytes.extend_from_slice(text.as_bytes());
                    last_is_space = false;
                }
            }
            Piece::Field(item) => {
                let name = item.named.then(|| format!("n{at}"));
                out.format.push('%');
                if let Some(name) = &name {
                    let cast = item.cast.map_or("", |cast| match cast {
                        Cast::Str => ":str",
                        Cast::Int => ":sint",
                        Cast::Bool => ":bool",
                    });
                    out.format += &format!("({name}{cast})");
                }
                out.format += &written(item.flags);
                match item.source {
                    Source::Alias(symbol) => out.format += symbol,
                    Source::Sample(expression) => out.format += &format!("[{expression}]"),
                }
                if let Source::Alias(symbol) = item.source {
                    http |= alias::find(symbol).is_some_and(|alias| alias.http);
                }
                if encoded {
                    let Some(name) = &name else { continue };
                    line.flags = case.encoding;
                    if !first {
                        line.separator();
                    }
                    line.key(name);
                    first = false;
                }
                line.flags = change(defaults, item.flags);
                let cast = item.cast.filter(|_| item.named);
                let value = item.value_of(line.flags);
                let start = line.bytes.len();
                line.value(&value, cast, case, item.source);
                let end = line.bytes.len();
                if start == end {
                    line.nothing();
                }
                let is_query = matches!(item.value, Raw::Request("HQ")) && case.old;
                if line.bytes.len() > start || is_query {
                    last_is_space = false;
                }
                out.values.push(start..line.bytes.len());
                expect(&mut out.fields, item, name, case, line.flags);
            }
        }
    }
    if encoded {
        line.flags = case.encoding;
        line.structure(b"}", 0xff);
    }
    out.line = line.bytes;
    out.fields
        .insert("kind".into(), if http { "http" } else { "tcp" }.into());
    settle_date(&mut out.fields, case);
    out
}

fn change(mut flags: Flags, changes: Changes) -> Flags {
    let [quote, hex, escape, json] = changes;
    flags.quote = quote.unwrap_or(flags.quote);
    flags.hex = hex.unwrap_or(flags.hex);
    flags.escape = escape.unwrap_or(flags.escape);
    flags.json = json.unwrap_or(flags.json);
    flags
}

fn written(changes: Changes) -> String {
    let words: Vec<String> = changes
        .iter()
        .zip(["Q", "X", "E", "json"])
        .filter_map(|(change, name)| {
            change.map(|on| format!("{}{name}", if on { '+' } else { '-' }))
        })
        .collect();
    match words.is_empty() {
        true => String::new(),
        false => format!("{{{}}}", words.join(",")),
    }
}

/// The line as far as it is written.
struct Line {
    flags: Flags,
    bytes: Vec<u8>,
    in_text: bool,
}

fn is_url_escaped(byte: u8) -> bool {
    !(32..127).contains(&byte) || matches!(byte, b'"' | b'#')
}

fn is_header_escaped(byte: u8) -> bool {
    is_url_escaped(byte) || matches!(byte, b'{' | b'|' | b'}')
}

impl Line {
    fn cbor(&mut self, bytes: &[u8]) {
        match self.flags.binary {
            true => self.bytes.extend_from_slice(bytes),
            false => {
                for byte in bytes {
                    self.bytes
                        .extend_from_slice(format!("{byte:02X}").as_bytes());
                }
            }
        }
    }

    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        let bytes = argument.to_be_bytes();
        match argument {
            0..=23 => self.cbor(&[major | bytes[7]]),
            24..=0xff => self.cbor(&[major | 24, bytes[7]]),
            0x100..=0xffff => self.cbor(&[&[major | 25][..], &bytes[6..]].concat()),
            0x1_0000..=0xffff_ffff => self.cbor(&[&[major | 26][..], &bytes[4..]].concat()),
            _ => self.cbor(&[&[major | 27][..], &bytes].concat()),
        }
    }

    fn structure(&mut self, json: &[u8], cbor: u8) {
        if self.flags.json {
            self.bytes.extend_from_slice(json);
        } else if self.flags.cbor {
            self.cbor(&[cbor]);
        }
    }

    fn separator(&mut self) {
        if self.flags.json {
            self.bytes.extend_from_slice(b", ");
        }
    }

    fn key(&mut self, name: &str) {
        match self.flags.json {
            true => self
                .bytes
                .extend_from_slice(format!("\"{name}\": ").as_bytes()),
            false => {
                self.head(3, name.len() as u64);
                self.cbor(name.as_bytes());
            }
        }
    }

    fn nothing(&mut self) {
        self.structure(b"null", 0xf6);
    }

    /// Bytes as they are, but for backslashes where they escape.
    fn escaped(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let special = match (self.flags.json, self.flags.escape) {
                (true, _) => matches!(byte, b'"' | b'\\'),
                (_, true) => matches!(byte, b'"' | b'\\' | b']'),
                _ => false,
            };
            self.bytes.extend(special.then_some(b'\\'));
            self.bytes.push(byte);
        }
    }

    /// One character of a text that HAProxy writes itself.
    fn char(&mut self, char: u8) {
        match self.flags.cbor && self.in_text {
            true => {
                self.head(3, 1);
                self.cbor(&[char]);
            }
            false => self.bytes.push(char),
        }
    }

    fn text_start(&mut self) {
        self.in_text = true;
        if self.flags.cbor {
            self.cbor(&[0x7f]);
        } else if self.flags.quote || self.flags.json {
            self.bytes.push(b'"');
        }
    }

    fn text_end(&mut self) {
        self.in_text = false;
        if self.flags.cbor {
            self.cbor(&[0xff]);
        } else if self.flags.quote || self.flags.json {
            self.bytes.push(b'"');
        }
    }

    /// With `#XX` for some bytes.
    fn hashed(&mut self, bytes: &[u8], major: u8, is_escaped: fn(u8) -> bool) {
        let mut pieces: Vec<Vec<u8>> = vec![Vec::new()];
        for &byte in bytes {
            match is_escaped(byte) {
                true => pieces.extend([format!("#{byte:02X}").into_bytes(), Vec::new()]),
                false => pieces.last_mut().unwrap().push(byte),
            }
        }
        for piece in pieces {
            if !self.flags.cbor {
                self.escaped(&piece);
            } else if !piece.is_empty() {
                self.head(major, piece.len() as u64);
                self.cbor(&piece);
            }
        }
    }

    /// What can be missing, in quotes if there should be some.
    fn text(&mut self, text: &[u8]) {
        let flags = self.flags;
        if flags.cbor {
            if !text.is_empty() {
                self.head(3, text.len() as u64);
                self.cbor(text);
            }
            return;
        }
        let quoted = flags.quote || flags.json;
        match (quoted, text) {
            (false, []) => self.bytes.push(b'-'),
            (false, text) => self.escaped(text),
            (true, text) => {
                self.bytes.push(b'"');
                self.escaped(text);
                self.bytes.push(b'"');
            }
        }
    }

    /// What is never missing and has no quotes but an encoding's.
    fn raw(&mut self, text: &[u8]) {
        let quote = std::mem::take(&mut self.flags.quote);
        self.text(text);
        self.flags.quote = quote;
    }

    fn int(&mut self, value: i64, cast: Option<Cast>) {
        let flags = self.flags;
        match cast {
            Some(Cast::Bool) if flags.encodes() => match value != 0 {
                true => self.structure(b"true", 0xf5),
                false => self.structure(b"false", 0xf4),
            },
            Some(Cast::Str) if flags.json => self.text(value.to_string().as_bytes()),
            _ if flags.cbor && value < 0 => self.head(1, (-1 - value) as u64),
            _ if flags.cbor => self.head(0, value as u64),
            _ => self.bytes.extend_from_slice(value.to_string().as_bytes()),
        }
    }

    fn value(&mut self, value: &Raw, cast: Option<Cast>, case: &Case, source: Source) {
        let flags = self.flags;
        match (value, source) {
            (&Raw::Int(value, _), Source::Sample(_)) => {
                match flags.encodes() && cast != Some(Cast::Str) {
                    true => self.int(value, cast),
                    false => self.text(value.to_string().as_bytes()),
                }
            }
            (&Raw::Bool(value), _) => match (flags.encodes(), cast) {
                (true, None | Some(Cast::Bool)) => self.int(value.into(), Some(Cast::Bool)),
                (true, Some(Cast::Int)) => self.int(value.into(), cast),
                _ => self.text(if value { b"1" } else { b"0" }),
            },
            (&Raw::Int(value, plus), _) => {
                if plus && !flags.encodes() {
                    self.bytes.push(b'+');
                }
                self.int(value, cast);
            }
            (&Raw::HexInt(value, width), _) if flags.hex => {
                self.raw(format!("{value:0width$X}").as_bytes());
            }
            (&Raw::HexInt(value, _), Source::Alias("ms")) if !flags.encodes() => {
                self.bytes
                    .extend_from_slice(format!("{value:03}").as_bytes());
            }
            (&Raw::HexInt(value, _), _) => self.int(value, cast),
            (Raw::Address(Some(ip)), Source::Alias(_)) if flags.hex => {
                let octets = match ip {
                    IpAddr::V4(ip) => ip.octets().to_vec(),
                    IpAddr::V6(ip) => ip.octets().to_vec(),
                };
                let digits: String = octets.iter().map(|byte| format!("{byte:02X}")).collect();
                self.raw(digits.as_bytes());
            }
            (Raw::Address(Some(ip)), _) => self.text(ip.to_string().as_bytes()),
            (Raw::Address(None), _) => self.text(b"unix"),
            (Raw::Text(text), _) => self.text(text),
            (Raw::Missing, _) => self.text(b""),
            (&Raw::Date(millis, offset), _) => self.raw(date(millis, offset).as_bytes()),
            (Raw::State(state), _) => self.raw(state.as_bytes()),
            (Raw::Transport(name, tls), _) => {
                self.text_start();
                match flags.cbor {
                    true => {
                        self.head(3, name.len() as u64);
                        self.cbor(name.as_bytes());
                    }
                    false => self.escaped(name.as_bytes()),
                }
                if *tls {
                    self.char(b'~');
                }
                self.text_end();
            }
            (Raw::Request(symbol), _) => {
                self.text_start();
                // The whole request is a text, its parts are chunks of bytes.
                let major = if *symbol == "r" { 3 } else { 2 };
                self.hashed(
                    &part(case.request.as_deref(), symbol),
                    major,
                    is_url_escaped,
                );
                self.text_end();
            }
            (&Raw::Captures { request, list }, _) => {
                let values = match request {
                    true => &case.request_headers,
                    false => &case.response_headers,
                };
                let Some(values) = values else { return };
                match list {
                    true => self.list(values),
                    false => {
                        self.text_start();
                        self.char(b'{');
                        for (at, value) in values.iter().enumerate() {
                            if at > 0 {
                                self.char(b'|');
                            }
                            self.hashed(value.as_deref().unwrap_or_default(), 3, is_header_escaped);
                        }
                        self.char(b'}');
                        self.text_end();
                    }
                }
            }
        }
    }

    fn list(&mut self, values: &[Option<Vec<u8>>]) {
        self.structure(b"[", 0x9f);
        for (at, value) in values.iter().enumerate() {
            match self.flags {
                _ if at == 0 => {}
                Flags { cbor: true, .. } => {}
                Flags { json: true, .. } => self.bytes.extend_from_slice(b", "),
                _ => self.bytes.push(b' '),
            }
            self.text_start();
            match value {
                Some(value) => self.hashed(value, 3, is_header_escaped),
                None if !self.flags.quote => self.char(b'-'),
                None => {}
            }
            self.text_end();
        }
        self.structure(b"]", 0xff);
    }
}

/// A whole request with what is escaped in it.
pub(super) fn logged_request(request: &[u8], flags: Flags) -> Vec<u8> {
    let mut line = Line {
        flags,
        bytes: Vec::new(),
        in_text: false,
    };
    line.hashed(request, 3, is_url_escaped);
    line.bytes
}

fn date(millis: i64, offset: bool) -> String {
    let time = jiff::Timestamp::from_millisecond(millis)
        .unwrap()
        .to_zoned(TimeZone::UTC);
    let form = if offset {
        "%d/%b/%Y:%H:%M:%S +0000"
    } else {
        "%d/%b/%Y:%H:%M:%S.%3f"
    };
    let form = form.replace(".%3f", &format!(".{:03}", millis % 1000));
    time.strftime(&form).to_string()
}

/// What HAProxy has for that alias of the request that it keeps.
pub(super) fn part(request: Option<&[u8]>, symbol: &str) -> Vec<u8> {
    let bad = b"<BADREQ>".to_vec();
    let Some(request) = request else { return bad };
    let mut words = request.splitn(3, |&byte| byte == b' ');
    let (method, target, version) = (words.next().unwrap(), words.next(), words.next());
    let path = |target: &[u8]| target.split(|&byte| byte == b'?').next().unwrap().to_vec();
    match (symbol, target) {
        ("r", _) => request.to_vec(),
        ("HQ", target) => {
            let target = target.unwrap_or(method);
            let mark = target.iter().position(|&byte| byte == b'?');
            mark.map_or(Vec::new(), |mark| target[mark..].to_vec())
        }
        (_, None) => bad,
        ("HM", _) => method.to_vec(),
        ("HU", Some(target)) => target.to_vec(),
        ("HP", Some(target)) => path(target),
        ("HPO", Some(target)) => {
            let target = target
                .strip_prefix(b"https://example.net")
                .unwrap_or(target);
            match target.first() {
                Some(b'/') => path(target),
                _ => Vec::new(),
            }
        }
        ("HV", Some(_)) => version.unwrap_or(b"HTTP/0.9").to_vec(),
        (symbol, _) => panic!("no part of a request: {symbol}"),
    }
}
