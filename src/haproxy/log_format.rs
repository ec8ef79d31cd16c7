//! A `log-format` string into what it asks HAProxy to print (section 8.2.6 of HAProxy's
//! manual).
//!
//! The string is what HAProxy itself sees: quotes, escapes and variables of `haproxy.cfg`
//! are undone before. Runs of blanks are one, since HAProxy merges them.

use super::alias::{self, Alias};
use super::event::ExtraType;
use crate::source::{Fault, did_you_mean};
use std::ops::Range;

/// More than this is no format: HAProxy's own lines end far earlier.
const FORMAT_MAX: usize = 64 * 1024;

/// What a format prints, in order.
#[derive(Debug)]
pub(super) struct LogFormat {
    /// The whole line is of that encoding: `%{+json}o` or `%{+cbor}o` at its start.
    pub(super) encoding: Option<Encoding>,
    pub(super) items: Vec<Item>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Json,
    /// CBOR (RFC 8949), in hexadecimal unless `+bin` is set too.
    Cbor {
        binary: bool,
    },
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) what: What,
    /// Bytes in the format.
    pub(super) span: Range<usize>,
}

#[derive(Debug)]
pub(super) enum What {
    /// One or more blanks.
    Blank,
    Literal(Vec<u8>),
    Field(FormatField),
}

/// An alias or a sample expression.
#[derive(Debug)]
pub(super) struct FormatField {
    pub(super) source: FieldSource,
    /// `%(name)`
    pub(super) name: Option<Box<str>>,
    /// `%(name:type)`
    pub(super) cast: Option<ExtraType>,
    pub(super) flags: Flags,
}

#[derive(Clone, Debug)]
pub(super) enum FieldSource {
    Alias(&'static Alias),
    /// `%[...]`, without its brackets.
    Sample(Box<str>),
}

/// `%{+Q,-E}`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) quote: bool,
    pub(super) hex: bool,
    pub(super) escape: bool,
    pub(super) binary: bool,
    pub(super) json: bool,
    pub(super) cbor: bool,
}

impl Flags {
    fn encoding(self) -> Option<Encoding> {
        match (self.json, self.cbor) {
            (true, _) => Some(Encoding::Json),
            (_, true) => Some(Encoding::Cbor {
                binary: self.binary,
            }),
            _ => None,
        }
    }
}

/// Reads a format string.
///
/// # Errors
///
/// The first place that HAProxy would not accept, and what to write instead.
pub(super) fn parse(text: &str) -> Result<LogFormat, Fault> {
    if text.len() > FORMAT_MAX {
        let message = format!("a log format of more than {FORMAT_MAX} bytes");
        return Err(Fault::new(0..0, message));
    }
    let mut reader = Reader {
        text,
        at: 0,
        format: LogFormat {
            encoding: None,
            items: Vec::new(),
        },
        defaults: Flags::default(),
    };
    while reader.at < text.len() {
        reader.item()?;
    }
    Ok(reader.format)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    format: LogFormat,
    /// What `%{...}o` has set for all that follows.
    defaults: Flags,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.rest().bytes().next()
    }

    fn item(&mut self) -> Result<(), Fault> {
        let start = self.at;
        match self.peek() {
            Some(b' ') => {
                self.at += self.rest().len() - self.rest().trim_start_matches(' ').len();
                self.push(start, What::Blank);
            }
            Some(b'%') => self.percent(start)?,
            _ => {
                let end = self.rest().find([' ', '%']);
                self.at = end.map_or(self.text.len(), |end| start + end);
                self.literal(start, self.at);
            }
        }
        Ok(())
    }

    fn push(&mut self, start: usize, what: What) {
        let span = start..self.at;
        self.format.items.push(Item { what, span });
    }

    /// `text[from..self.at]` is printed as it is.
    fn literal(&mut self, start: usize, to: usize) {
        let bytes = &self.text.as_bytes()[start..to];
        if let Some(Item {
            what: What::Literal(before),
            span,
        }) = self.format.items.last_mut()
        {
            before.extend_from_slice(bytes);
            span.end = to;
        } else {
            self.push(start, What::Literal(bytes.to_vec()));
        }
    }

    /// What a `%` begins: `%%`, or `%(name:type){flags}alias` or `[expression]`.
    fn percent(&mut self, start: usize) -> Result<(), Fault> {
        self.at += 1;
        if self.peek() == Some(b'%') {
            self.at += 1;
            self.literal(start + 1, start + 2);
            return Ok(());
        }
        let (name, cast) = match self.peek() {
            Some(b'(') => self.name()?,
            _ => (None, None),
        };
        let flags = match self.peek() {
            Some(b'{') => self.flags()?,
            _ => self.defaults,
        };
        let source = match self.peek() {
            Some(b'[') => FieldSource::Sample(self.sample()?),
            Some(byte) if byte.is_ascii_alphabetic() => match self.alias(start)? {
                Some(alias) => FieldSource::Alias(alias),
                None => {
                    self.set_defaults(start, flags)?;
                    return Ok(());
                }
            },
            _ => {
                let fault = Fault::new(start..self.at, "this `%` begins no alias");
                return Err(fault.hint(
                    "write an alias such as `%ci`, an expression such as `%[src]`, or `%%` for a \
                     percent sign",
                ));
            }
        };
        let field = FormatField {
            source,
            name,
            cast,
            flags,
        };
        self.push(start, What::Field(field));
        Ok(())
    }

    /// `(name)` or `(name:type)`.
    fn name(&mut self) -> Result<(Option<Box<str>>, Option<ExtraType>), Fault> {
        let open = self.at;
        let Some(length) = self.rest().find(')') else {
            let fault = Fault::new(open..self.text.len(), "this `(` is never closed");
            return Err(fault.hint("a name is written `%(name)` before its alias or expression"));
        };
        let inside = &self.rest()[1..length];
        self.at += length + 1;
        let (name, cast) = match inside.split_once(':') {
            Some((name, cast)) => (name, Some(cast)),
            None => (inside, None),
        };
        let odd = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-';
        if name.contains(odd) {
            let span = open + 1..open + 1 + name.len();
            let fault = Fault::new(span, format!("`{name}` cannot be a name"));
            return Err(fault.hint("names have letters, digits, `_` and `-`"));
        }
        let cast = match cast {
            None => None,
            Some("str") => Some(ExtraType::String),
            Some("sint" | "int") => Some(ExtraType::Int),
            Some("bool") => Some(ExtraType::Bool),
            Some(other) => {
                let span = open + 2 + name.len()..open + length;
                let fault = Fault::new(span, format!("unknown type `{other}`"));
                return Err(fault.hint("the types are `str`, `int` (HAProxy's `sint`) and `bool`"));
            }
        };
        Ok(((!name.is_empty()).then(|| name.into()), cast))
    }

    /// `{+Q,-E}`. HAProxy ignores what it does not know there; a slip of the pen would then
    /// only show in the log.
    fn flags(&mut self) -> Result<Flags, Fault> {
        let open = self.at;
        let Some(length) = self.rest().find('}') else {
            let fault = Fault::new(open..self.text.len(), "this `{` is never closed");
            return Err(fault.hint("flags are written `%{+Q}` before their alias"));
        };
        let inside = &self.rest()[1..length];
        self.at += length + 1;
        let mut flags = self.defaults;
        let mut start = open + 1;
        for word in inside.split(',') {
            let span = start..start + word.len();
            start = span.end + 1;
            // The manual prints `%{Q}o` once, and HAProxy's code has `%{+Q}o` there.
            let (on, flag) = match word.strip_prefix('-') {
                Some(flag) => (false, flag),
                None => (true, word.strip_prefix('+').unwrap_or(word)),
            };
            match flag {
                "Q" => flags.quote = on,
                "X" => flags.hex = on,
                "E" => flags.escape = on,
                "bin" => flags.binary = on,
                "json" => flags.json = on,
                "cbor" => flags.cbor = on,
                // A dash for what is missing: log formats have it set anyway.
                "M" | "" => {}
                _ => {
                    let fault = Fault::new(span, format!("unknown flag `{word}`"));
                    return Err(fault.hint(
                        "the flags are `Q` (quotes), `X` (hexadecimal), `E` (escapes), `json`, \
                         `cbor` and `bin`, each with a `+` or `-`",
                    ));
                }
            }
        }
        if flags.json && flags.cbor {
            let fault = Fault::new(open..self.at, "a value cannot be JSON and CBOR at once");
            return Err(fault.hint("leave out one of `+json` and `+cbor`"));
        }
        Ok(flags)
    }

    /// The alias here; `None` is `o`, which stands for all that follows.
    fn alias(&mut self, start: usize) -> Result<Option<&'static Alias>, Fault> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric());
        let symbol = &rest[..length.unwrap_or(rest.len())];
        self.at += symbol.len();
        if symbol == "o" {
            return Ok(None);
        }
        if let Some(alias) = alias::find(symbol) {
            return Ok(Some(alias));
        }
        let fault = Fault::new(start..self.at, format!("unknown alias `%{symbol}`"));
        // Short names are all alike: only one that begins the same is worth naming.
        let begins = alias::symbols().filter(|known| symbol.starts_with(known));
        Err(match begins.max_by_key(|known| known.len()) {
            Some(known) => fault.hint(format!(
                "`%{known}` is one; what stands behind it must not be a letter or a digit"
            )),
            None => match did_you_mean(symbol, alias::symbols()) {
                Some(hint) => fault.hint(hint),
                None => fault.hint("section 8.2.6 of HAProxy's manual lists them all"),
            },
        })
    }

    /// `%{...}o`
    fn set_defaults(&mut self, start: usize, flags: Flags) -> Result<(), Fault> {
        self.defaults = flags;
        let first = self.format.items.iter().all(|item| item.what.is_blank());
        match flags.encoding() {
            Some(encoding) if first => self.format.encoding = Some(encoding),
            Some(_) if self.format.encoding.is_none() => {
                let fault = Fault::new(start..self.at, "an encoding in the middle of a format");
                return Err(fault.hint("put it first: then it is the whole line's"));
            }
            other if other != self.format.encoding => {
                let fault = Fault::new(start..self.at, "the line's encoding ends here");
                return Err(fault.hint("an encoding holds for the whole line"));
            }
            _ => {}
        }
        Ok(())
    }

    /// `[expression]`. A bracket between the parentheses of arguments, or in quotes there,
    /// is of the expression.
    fn sample(&mut self) -> Result<Box<str>, Fault> {
        let open = self.at;
        let (mut depth, mut quote) = (0_usize, None);
        let mut bytes = self.rest().bytes().enumerate().skip(1);
        while let Some((at, byte)) = bytes.next() {
            match (byte, quote) {
                (b'\\', _) if depth > 0 => {
                    bytes.next();
                }
                (_, Some(open)) if byte == open => quote = None,
                (_, Some(_)) => {}
                (b'"' | b'\'', None) if depth > 0 => quote = Some(byte),
                (b'(', None) => depth += 1,
                (b')', None) => depth = depth.saturating_sub(1),
                (b']', None) if depth == 0 => {
                    let expression = self.rest()[1..at].trim();
                    self.at += at + 1;
                    if expression.is_empty() {
                        let fault = Fault::new(open..self.at, "an expression without a word");
                        return Err(fault.hint("write a sample fetch, such as `%[src]`"));
                    }
                    return Ok(expression.into());
                }
                _ => {}
            }
        }
        let fault = Fault::new(open..self.text.len(), "this `[` is never closed");
        Err(fault.hint("an expression is written `%[...]`; its parentheses must be closed too"))
    }
}

impl What {
    fn is_blank(&self) -> bool {
        matches!(self, What::Blank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items one by one: `_` for a blank, literals in quotes, fields with flags and names.
    fn items(text: &str) -> String {
        let format = match parse(text) {
            Ok(format) => format,
            Err(fault) => {
                let hint = fault.hint.as_deref().unwrap_or("-");
                return format!("{:?} {} ({hint})", &text[fault.span], fault.message);
            }
        };
        let mut shown = Vec::new();
        if let Some(encoding) = format.encoding {
            shown.push(format!("{encoding:?}:"));
        }
        for item in &format.items {
            shown.push(match &item.what {
                What::Blank => "_".to_owned(),
                What::Literal(bytes) => format!("'{}'", bytes.escape_ascii()),
                What::Field(field) => {
                    let mut word = String::new();
                    let flags = field.flags;
                    for (set, letter) in [
                        (flags.quote, 'Q'),
                        (flags.hex, 'X'),
                        (flags.escape, 'E'),
                        (flags.json, 'J'),
                        (flags.cbor, 'C'),
                    ] {
                        word.extend(set.then_some(letter));
                    }
                    match &field.source {
                        FieldSource::Alias(alias) => word.push_str(&format!("%{}", alias.symbol)),
                        FieldSource::Sample(expression) => {
                            word.push_str(&format!("[{expression}]"));
                        }
                    }
                    if let Some(name) = &field.name {
                        word.push_str(&format!("={name}"));
                    }
                    if let Some(cast) = field.cast {
                        word.push_str(&format!(":{cast:?}"));
                    }
                    word
                }
            });
        }
        shown.join(" ")
    }

    #[test]
    fn formats_are_taken_apart() {
        for (text, expected) in [
            ("", ""),
            ("%ci:%cp [%tr]", "%ci ':' %cp _ '[' %tr ']'"),
            ("a   b", "'a' _ 'b'"),
            ("100%% %ST%%", "'100%' _ %ST '%'"),
            ("%{+Q}r %r", "Q%r _ %r"),
            ("%{+Q}o %r %{-Q}ci", "_ Q%r _ %ci"),
            ("%{+X,+E}ci", "XE%ci"),
            ("%{Q}o%b", "Q%b"),
            ("%Ci:%Cp %st", "%ci ':' %cp _ %ST"),
            ("%[req.hdr(a),lower]x", "[req.hdr(a),lower] 'x'"),
            ("%[path,regsub(\"[]()]\",x)]", "[path,regsub(\"[]()]\",x)]"),
            ("%[path,regsub(\\),x)]", "[path,regsub(\\),x)]"),
            ("%(n)[src] %(n:int)[rand]", "[src]=n _ [rand]=n:Int"),
            (
                "%(n:sint)ST %(b:bool){+Q}[ssl_fc]",
                "%ST=n:Int _ Q[ssl_fc]=b:Bool",
            ),
            ("%{+json}o %(a)ci", "Json: _ J%ci=a"),
            ("%{+cbor,+bin}o%(a)ci", "Cbor { binary: true }: C%ci=a"),
            ("%{+json}[src] x", "J[src] _ 'x'"),
        ] {
            assert_eq!(items(text), expected, "{text}");
        }
    }

    #[test]
    fn faults_name_the_place_and_the_remedy() {
        let faults: Vec<String> = [
            "a %",
            "a % b",
            "%5",
            "%zz %ci",
            "%cix",
            "%{+Z}ci",
            "%{+Q",
            "%{+Q}",
            "%[src",
            "%[]",
            "%[f(a]",
            "%(n",
            "%(n m)ci",
            "%(n:float)ci",
            "%ci %{+json}o",
            "%{+json,+cbor}o",
        ]
        .into_iter()
        .map(items)
        .collect();
        insta::assert_snapshot!(faults.join("\n"), @r##"
        "%" this `%` begins no alias (write an alias such as `%ci`, an expression such as `%[src]`, or `%%` for a percent sign)
        "%" this `%` begins no alias (write an alias such as `%ci`, an expression such as `%[src]`, or `%%` for a percent sign)
        "%" this `%` begins no alias (write an alias such as `%ci`, an expression such as `%[src]`, or `%%` for a percent sign)
        "%zz" unknown alias `%zz` (section 8.2.6 of HAProxy's manual lists them all)
        "%cix" unknown alias `%cix` (`%ci` is one; what stands behind it must not be a letter or a digit)
        "+Z" unknown flag `+Z` (the flags are `Q` (quotes), `X` (hexadecimal), `E` (escapes), `json`, `cbor` and `bin`, each with a `+` or `-`)
        "{+Q" this `{` is never closed (flags are written `%{+Q}` before their alias)
        "%{+Q}" this `%` begins no alias (write an alias such as `%ci`, an expression such as `%[src]`, or `%%` for a percent sign)
        "[src" this `[` is never closed (an expression is written `%[...]`; its parentheses must be closed too)
        "[]" an expression without a word (write a sample fetch, such as `%[src]`)
        "[f(a]" this `[` is never closed (an expression is written `%[...]`; its parentheses must be closed too)
        "(n" this `(` is never closed (a name is written `%(name)` before its alias or expression)
        "n m" `n m` cannot be a name (names have letters, digits, `_` and `-`)
        "float" unknown type `float` (the types are `str`, `int` (HAProxy's `sint`) and `bool`)
        "%{+json}o" an encoding in the middle of a format (put it first: then it is the whole line's)
        "{+json,+cbor}" a value cannot be JSON and CBOR at once (leave out one of `+json` and `+cbor`)
        "##);
    }
}
