//! What `defaults`, `frontend` and `listen` sections say about their log lines.

use super::formats::Own;
use super::lex::Word;
use super::report::Reports;
use super::slots::{SLOTS_MAX, Slots, name_of};
use super::statement::Statement;
use super::{BuiltIn, FormatText};
use std::ops::Range;

/// Log targets of one section, and rules that log.
const LOGGERS_MAX: usize = 32;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum In {
    Defaults,
    Proxy,
    Backend,
}

#[derive(Clone, Default)]
pub(super) struct Settings {
    mode: Mode,
    format: Option<Chosen>,
    error_format: Option<Chosen>,
    pub log_tag: Option<Box<str>>,
    pub loggers: Vec<Logger>,
    pub request: Slots,
    pub response: Slots,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Mode {
    #[default]
    Tcp,
    Http,
    /// One that a later HAProxy has.
    Other,
}

/// The format that was chosen last.
#[derive(Clone)]
struct Chosen {
    text: FormatText,
    /// How it was chosen.
    by: &'static str,
    span: Range<usize>,
    /// Whether by this section's defaults.
    inherited: bool,
}

/// A log target, or a rule that logs.
#[derive(Clone, PartialEq)]
pub(super) struct Logger {
    /// The name of its `log-profile`.
    pub profile: Option<Box<str>>,
    /// Which of `global`'s it is, so that `log global` twice takes it once.
    pub global: Option<usize>,
}

impl Settings {
    pub fn is_http(&self) -> bool {
        self.mode == Mode::Http
    }

    /// As a section takes them over from its defaults.
    pub fn inherited(&self) -> Self {
        let mut settings = self.clone();
        let chosen = [&mut settings.format, &mut settings.error_format];
        for chosen in chosen.into_iter().flatten() {
            chosen.inherited = true;
        }
        settings.request = self.request.inherited();
        settings.response = self.response.inherited();
        settings
    }

    pub fn read(
        &mut self,
        statement: &Statement,
        here: In,
        global: &[Logger],
        reports: &mut Reports,
    ) {
        let names = (
            statement.keyword(0),
            statement.keyword(1),
            statement.keyword(2),
        );
        if here == In::Backend {
            // Its rules can fill slots that the frontend before it has declared.
            if let ("http-request" | "http-response", "capture", _) = names {
                self.capture_rule(statement, 2, here, reports);
            }
            return;
        }
        let negatable = matches!(names.0, "log" | "option");
        if let (Some(modifier), false) = (statement.modifier, negatable) {
            let message = format!("`{}` cannot stand before `{}`", modifier.keyword(), names.0);
            return reports.problem(
                modifier.span.clone(),
                message,
                "HAProxy takes it before `option` and `log` only",
            );
        }
        match names {
            ("mode", mode, _) => {
                self.mode = match mode {
                    "tcp" => Mode::Tcp,
                    "http" => Mode::Http,
                    _ => Mode::Other,
                }
            }
            ("option", ..) => self.option(statement, here, reports),
            ("log-format", ..) => {
                if let Some(text) = statement.text(reports) {
                    let text = FormatText::Custom(text);
                    choose(
                        &mut self.format,
                        text,
                        "log-format",
                        statement,
                        here,
                        reports,
                    );
                }
            }
            ("error-log-format", ..) => {
                if let Some(text) = statement.text(reports) {
                    let text = FormatText::Custom(text);
                    choose(
                        &mut self.error_format,
                        text,
                        "error-log-format",
                        statement,
                        here,
                        reports,
                    );
                }
            }
            ("log-tag", ..) => {
                if let Some(tag) = statement.name(reports) {
                    self.log_tag = Some(tag);
                }
            }
            ("log", ..) => log(&mut self.loggers, statement, Some(global), reports),
            ("capture" | "declare", ..) if here == In::Defaults => {
                let message = format!("`{}` in a defaults section", names.0);
                reports.problem(
                    statement.span(),
                    message,
                    "HAProxy takes it in `frontend` and `listen` only",
                );
            }
            ("capture", "cookie", _) => {
                length(statement, 3, "capture cookie NAME len LENGTH", reports);
            }
            ("capture", direction @ ("request" | "response"), "header") => {
                let form = format!("capture {direction} header NAME len LENGTH");
                let name = statement.word(3).and_then(|word| reports.name(word));
                if length(statement, 4, &form, reports) {
                    self.slot(direction, name, statement, reports);
                }
            }
            ("capture", ..) => reports.problem(
                statement.span(),
                "`capture` of neither a cookie nor a header",
                "it is `capture cookie`, `capture request header` or `capture response header`",
            ),
            ("declare", "capture", direction @ ("request" | "response")) => {
                let form = format!("declare capture {direction} len LENGTH");
                if length(statement, 3, &form, reports) {
                    self.slot(direction, None, statement, reports);
                }
            }
            ("http-request" | "http-response", "capture", _) => {
                self.capture_rule(statement, 2, here, reports);
            }
            ("tcp-request", "content", "capture") => {
                self.capture_rule(statement, 3, here, reports);
            }
            _ => {
                if let Some(word) = statement.used_by_rule() {
                    let logger = Logger {
                        profile: reports.name(word),
                        global: None,
                    };
                    add_logger(&mut self.loggers, logger, statement, reports);
                }
            }
        }
    }

    /// The formats that lines have without profiles. `name` is the section's, for
    /// warnings.
    pub fn own_formats(&self, name: &str, reports: &mut Reports) -> Own {
        let built_in =
            |formats: &[BuiltIn]| formats.iter().copied().map(FormatText::BuiltIn).collect();
        let traffic = match &self.format {
            None => built_in(&[BuiltIn::Connect]),
            Some(chosen) => {
                let instead: &[BuiltIn] = match (self.mode, &chosen.text) {
                    (Mode::Tcp, FormatText::BuiltIn(BuiltIn::HttpLog | BuiltIn::HttpsLog)) => {
                        &[BuiltIn::TcpLog]
                    }
                    // An older HAProxy has no `tcplog clf` to fall back to.
                    (Mode::Tcp, FormatText::BuiltIn(BuiltIn::HttpLogClf)) => {
                        &[BuiltIn::TcpLogClf, BuiltIn::TcpLog]
                    }
                    _ => &[],
                };
                if instead.is_empty() {
                    vec![chosen.text.clone()]
                } else {
                    reports.warn(|source| {
                        let message = format!(
                            "`{}` needs `mode http`, and `{name}` is in `mode tcp`",
                            chosen.by
                        );
                        let problem = source.problem(chosen.span.clone(), message);
                        problem.hint("HAProxy falls back to the same format for tcp")
                    });
                    built_in(instead)
                }
            }
        };
        let error = match &self.error_format {
            Some(chosen) => chosen.text.clone(),
            None => FormatText::BuiltIn(BuiltIn::Error),
        };
        Own { traffic, error }
    }

    fn option(&mut self, statement: &Statement, here: In, reports: &mut Reports) {
        let name = statement.keyword(1);
        if let Some(modifier) = statement.modifier {
            let message = format!("`{} option {name}` does not exist", modifier.keyword());
            let hint = "to change a format, set another one: the last one counts";
            return reports.problem(modifier.span.start..statement.span().end, message, hint);
        }
        let clf = match (name, statement.word(2)) {
            ("httpslog", _) | (_, None) => false,
            (_, Some(word)) if word.keyword() == "clf" => true,
            (_, Some(word)) => {
                let message = format!("`option {name}` takes nothing but `clf`");
                return reports.problem(
                    word.span.clone(),
                    message,
                    "a format of your own goes into `log-format`",
                );
            }
        };
        let (format, by) = match (name, clf) {
            ("httplog", false) => (BuiltIn::HttpLog, "option httplog"),
            ("httplog", true) => (BuiltIn::HttpLogClf, "option httplog clf"),
            ("tcplog", false) => (BuiltIn::TcpLog, "option tcplog"),
            ("tcplog", true) => (BuiltIn::TcpLogClf, "option tcplog clf"),
            ("httpslog", _) => (BuiltIn::HttpsLog, "option httpslog"),
            _ => return,
        };
        choose(
            &mut self.format,
            FormatText::BuiltIn(format),
            by,
            statement,
            here,
            reports,
        );
    }

    /// `… capture EXPRESSION len LENGTH` or `… id ID`, the expression from word `at`.
    fn capture_rule(&mut self, statement: &Statement, at: usize, here: In, reports: &mut Reports) {
        let words = statement.words();
        let is_end = |word: &Word| matches!(word.keyword(), "len" | "id");
        let end = words.iter().skip(at + 1).position(is_end);
        let Some(end) = end.map(|index| at + 1 + index) else {
            let hint = "it is `capture EXPRESSION len LENGTH`, or `capture EXPRESSION id SLOT`";
            return reports.problem(statement.span(), "a capture without `len` or `id`", hint);
        };
        let direction = match statement.keyword(0) {
            "http-response" => "response",
            _ => "request",
        };
        let names: Option<Vec<_>> = words[at..end]
            .iter()
            .map(|word| reports.name(word))
            .collect();
        let Some(expression) = names.map(|names| names.join(" ")) else {
            return;
        };
        let name: Box<str> = name_of(&expression).into();
        if statement.keyword(end) == "len" {
            if direction == "response" || here == In::Backend {
                let message = "this capture can only use a slot that is declared elsewhere";
                return reports.problem(
                    words[end].span.clone(),
                    message,
                    "write `id SLOT`, slots being counted from 0",
                );
            }
            if length(statement, end, "capture EXPRESSION len LENGTH", reports) {
                self.slot(direction, Some(name), statement, reports);
            }
            return;
        }
        let Some(id) = statement.word(end + 1) else {
            return reports.problem(
                words[end].span.clone(),
                "`id` without a number",
                "slots are counted from 0",
            );
        };
        match id.keyword().parse() {
            Ok(number) if number < SLOTS_MAX => {
                self.slots(direction).fill(number, name, id.span.clone())
            }
            Ok(_) => too_many_slots(id.span.clone(), reports),
            Err(_) => reports.problem(
                id.span.clone(),
                "a slot's id is a number",
                "slots are counted from 0",
            ),
        }
    }

    fn slot(
        &mut self,
        direction: &str,
        name: Option<Box<str>>,
        statement: &Statement,
        reports: &mut Reports,
    ) {
        if !self.slots(direction).push(name) {
            too_many_slots(statement.span(), reports);
        }
    }

    fn slots(&mut self, direction: &str) -> &mut Slots {
        match direction {
            "response" => &mut self.response,
            _ => &mut self.request,
        }
    }
}

/// `log TARGET … [profile NAME] …`, `log global` or `no log`. `global` is what the
/// global section has; `None` in that section itself.
pub(super) fn log(
    loggers: &mut Vec<Logger>,
    statement: &Statement,
    global: Option<&[Logger]>,
    reports: &mut Reports,
) {
    if statement
        .modifier
        .is_some_and(|word| word.keyword() == "no")
    {
        return loggers.clear();
    }
    if let (Some(global), "global", None) = (global, statement.keyword(1), statement.word(2)) {
        for logger in global {
            if !loggers.contains(logger) {
                add_logger(loggers, logger.clone(), statement, reports);
            }
        }
        return;
    }
    // The options stand between the target and the facility, each with one value.
    let mut at = 2;
    let mut profile = None;
    loop {
        match statement.keyword(at) {
            "len" | "format" | "sample" => {}
            "profile" => profile = statement.word(at + 1),
            _ => break,
        }
        at += 2;
    }
    let logger = Logger {
        profile: profile.and_then(|word| reports.name(word)),
        global: global.is_none().then(|| statement.span().start),
    };
    add_logger(loggers, logger, statement, reports);
}

fn add_logger(
    loggers: &mut Vec<Logger>,
    logger: Logger,
    statement: &Statement,
    reports: &mut Reports,
) {
    if loggers.len() < LOGGERS_MAX {
        loggers.push(logger);
    } else {
        let message = format!("more than {LOGGERS_MAX} log targets in one section");
        reports.problem(statement.span(), message, "weir reads no more than that");
    }
}

/// The last choice counts. HAProxy tells of an earlier one in defaults only.
fn choose(
    chosen: &mut Option<Chosen>,
    text: FormatText,
    by: &'static str,
    statement: &Statement,
    here: In,
    reports: &mut Reports,
) {
    let span = statement.span();
    if let (Some(before), In::Defaults) = (&*chosen, here)
        && !before.inherited
    {
        reports.warn(|source| {
            let message = format!("`{by}` overrides `{}`", before.by);
            let problem = source.problem(span.clone(), message);
            problem.other("which was set here", &source.place(before.span.clone()))
        });
    }
    *chosen = Some(Chosen {
        text,
        by,
        span,
        inherited: false,
    });
}

/// Whether `len` stands at word `at` with a length after it; else a problem.
fn length(statement: &Statement, at: usize, form: &str, reports: &mut Reports) -> bool {
    let hint = format!("it is `{form}`");
    let (true, Some(word)) = (statement.keyword(at) == "len", statement.word(at + 1)) else {
        reports.problem(statement.span(), "a capture without its length", &hint);
        return false;
    };
    let good = word.keyword().parse::<u32>().is_ok_and(|length| length > 0);
    if !good {
        let message = "a capture's length is a number of at least 1";
        reports.problem(word.span.clone(), message, &hint);
    }
    good
}

fn too_many_slots(span: Range<usize>, reports: &mut Reports) {
    let message = format!("more than {SLOTS_MAX} capture slots");
    reports.problem(span, message, "weir reads no more than that");
}
