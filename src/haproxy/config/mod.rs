//! `haproxy.cfg`, as far as its log lines are concerned: a [`Source`] in, the formats
//! and captures of each frontend out.
//!
//! The file is cut and inherited as HAProxy does it, for a current version (3.x). What
//! has nothing to do with log lines is skipped without a look, so a file may use
//! directives and sections that are not known here. What contradicts itself is a
//! [`Problem`]: HAProxy would not start with it either. What HAProxy starts with but
//! says something about, and what cannot be known outside of it, is a warning. How a
//! format string is understood is not known here.
//!
//! What is guessed, because it is not in the file:
//!
//! - Conditions on HAProxy's version or build hold for a current HAProxy with every
//!   feature. If log lines depend on one, a warning says so.
//! - Variables come from the environment given, which may not be HAProxy's. One that is
//!   unset is empty, as in HAProxy, and a warning says so, unless it is where a `log` sends
//!   to.
//! - The pseudo-variable `.FILE` is the file's name here.
//!
//! Bounds, each with a problem that names it: 10,000 sections, 256 capture slots, 32 log
//! targets and 64 formats in each, 15 nested `.if`, 4 MiB brought in by variables.
//! Reading stops after 50 problems; of warnings the first 50 are kept.

mod branches;
mod condition;
mod environment;
mod formats;
mod lex;
mod profile;
mod reader;
mod report;
mod settings;
mod slots;
mod statement;
#[cfg(test)]
mod tests;
mod text;

pub use text::ConfigText;

use crate::source::{Place, Problem, Source};
use std::ffi::OsString;
use std::sync::Arc;

/// What a file says about log lines.
#[derive(Clone, Debug)]
pub struct HaproxyConfig {
    /// In the order of the file.
    pub proxies: Vec<Proxy>,
    /// What HAProxy warns about, and what had to be guessed. Not in the order of the
    /// file.
    pub warnings: Vec<Problem>,
}

/// One `frontend` or `listen` section.
#[derive(Clone, Debug)]
pub struct Proxy {
    pub name: Box<str>,
    /// Where its name stands.
    pub(crate) place: Place,
    /// Its mode is `http`.
    pub http: bool,
    /// Every format its lines can have: traffic before errors, and the most usual
    /// first. A section that logs nothing has them too; a profile may drop all lines
    /// of a purpose, and then it has none.
    pub formats: Vec<LoggedFormat>,
    /// What the slots of `%hr` hold, by their numbers: a header's name, or the
    /// expression that is captured; empty where that is not known, or one thing now and
    /// another then. Rules of backends count for a slot that the section only declares.
    pub request_captures: Vec<Box<str>>,
    /// The same of `%hs`.
    pub response_captures: Vec<Box<str>>,
    /// `log-tag`: its own, its defaults' or `global`'s. `None` is HAProxy's own name.
    pub log_tag: Option<Box<str>>,
    /// The `log-tag`s of its log profiles, which their lines have instead.
    pub profile_tags: Vec<Box<str>>,
}

/// A format, and the lines that have it.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedFormat {
    pub purpose: Purpose,
    pub text: FormatText,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Requests and connections.
    Traffic,
    /// Connections that failed before there was a request.
    Error,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FormatText {
    BuiltIn(BuiltIn),
    Custom(Arc<ConfigText>),
}

/// The formats that HAProxy brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltIn {
    /// `option httplog`
    HttpLog,
    /// `option httplog clf`
    HttpLogClf,
    /// `option tcplog`
    TcpLog,
    /// `option tcplog clf`
    TcpLogClf,
    /// `option httpslog`
    HttpsLog,
    /// Without an option (manual section 8.2.1). No format string is behind it.
    Connect,
    /// Without an `error-log-format` (manual section 8.2.5). No format string is
    /// behind it.
    Error,
}

/// Reads a file. `env` is the environment that HAProxy runs in.
///
/// # Errors
///
/// Where HAProxy would not start with the file because of its log lines, and where a
/// bound is reached: all problems, up to 50, in the order in which they were found.
pub fn read(
    source: &Source,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<HaproxyConfig, Vec<Problem>> {
    reader::read(source, env)
}

/// A word with what `haproxy.cfg` has around and in it: quotes, escaped blanks, and in
/// double quotes variables. `None` if the text is more than one word, or has nothing of
/// that kind: then it is to be taken as it is.
pub(super) fn unquote(
    source: &Source,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Option<ConfigText> {
    if !source.text.starts_with(['"', '\'']) && !source.text.contains('\\') {
        return None;
    }
    let environment = environment::Environment::new(env);
    let here = lex::Here {
        line: 1,
        section: "",
    };
    let whole = 0..source.text.len();
    let line = lex::Lexer::new(source)
        .cut(whole, &environment, &here)
        .ok()?;
    match &*line.words {
        [word] => word.text(source),
        _ => None,
    }
}
