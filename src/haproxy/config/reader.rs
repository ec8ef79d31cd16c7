//! Line by line through a file: conditions, sections, and who inherits from whom.

use super::branches::Branches;
use super::condition::{self, Truth};
use super::environment::Environment;
use super::formats::{FORMATS_MAX, formats};
use super::lex::{Here, Lexer, Line, Word, is_blank};
use super::profile::{Lines, Profile};
use super::report::Reports;
use super::settings::{In, Logger, Settings, log};
use super::slots::Elsewhere;
use super::statement::Statement;
use super::{HaproxyConfig, Proxy};
use crate::source::{Problem, Source, did_you_mean};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::ops::Range;

/// `frontend`, `listen` and `defaults` sections of one file: each holds a copy of what
/// it inherits.
const SECTIONS_MAX: usize = 10_000;

/// Words that begin a section in which nothing is about log lines of proxies. The
/// lines of a section that is not known here are taken for the section's before it.
const OTHER_SECTIONS: [&str; 14] = [
    "acme",
    "cache",
    "crt-store",
    "fcgi-app",
    "http-errors",
    "log-forward",
    "mailers",
    "namespace_list",
    "peers",
    "program",
    "resolvers",
    "ring",
    "traces",
    "userlist",
];

pub(super) fn read(
    source: &Source,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<HaproxyConfig, Vec<Problem>> {
    let mut reader = Reader {
        reports: Reports::new(source),
        environment: Environment::new(env),
        branches: Branches::default(),
        section: Section::Other,
        section_name: String::new(),
        global: Global::default(),
        defaults: Vec::new(),
        defaults_by_name: BTreeMap::new(),
        proxies: Vec::new(),
        proxies_by_name: HashMap::new(),
        profiles: BTreeMap::new(),
        profile_uses: Vec::new(),
        backends: Directions::default(),
    };
    reader.lines(source);
    reader.finish()
}

struct Reader<'a> {
    reports: Reports<'a>,
    environment: Environment<'a>,
    branches: Branches,
    section: Section,
    /// For `.SECTION`.
    section_name: String,
    global: Global,
    defaults: Vec<Settings>,
    /// Index and place of each named one; several may have the same name.
    defaults_by_name: BTreeMap<Box<str>, Vec<(usize, Range<usize>)>>,
    proxies: Vec<Draft>,
    proxies_by_name: HashMap<Box<str>, Range<usize>>,
    profiles: BTreeMap<Box<str>, Profile>,
    /// Names of profiles where they are used: they may be defined later.
    profile_uses: Vec<(Box<str>, Range<usize>)>,
    backends: Directions,
}

enum Section {
    Global,
    Defaults(Settings),
    Proxy(Draft),
    Backend(Settings),
    Profile(Box<str>),
    Other,
}

#[derive(Default)]
struct Global {
    log_tag: Option<Box<str>>,
    loggers: Vec<Logger>,
}

/// A section on its way to a [`Proxy`].
struct Draft {
    name: Box<str>,
    /// Where the name stands.
    span: Range<usize>,
    settings: Settings,
}

#[derive(Default)]
struct Directions {
    request: Elsewhere,
    response: Elsewhere,
}

/// Whether reading goes on.
enum Next {
    Line,
    Stop,
}

impl Reader<'_> {
    fn lines(&mut self, source: &Source) {
        let mut lexer = Lexer::new(source);
        let mut start = 0;
        for (index, text) in source.text.split('\n').enumerate() {
            let end = start + text.len();
            let blanks = text.bytes().take_while(|byte| is_blank(*byte)).count();
            let range = start + blanks..end;
            start = end + 1;
            // `[name]` sets a scope, which means nothing for log lines.
            if source.text[range.clone()].starts_with('[') {
                continue;
            }
            let here = Here {
                line: index + 1,
                section: &self.section_name,
            };
            match lexer.cut(range, &self.environment, &here) {
                Ok(line) => {
                    if let Next::Stop = self.line(&line) {
                        return;
                    }
                }
                Err(refused) => {
                    let last = refused.last;
                    self.reports
                        .problem(refused.span, refused.message, refused.hint);
                    if last {
                        return;
                    }
                }
            }
            if self.reports.full() {
                return;
            }
        }
        if let Some(span) = self.branches.unclosed() {
            let message = "`.if` without an `.endif`";
            self.reports
                .problem(span, message, "close it with `.endif` on a line of its own");
        }
    }

    fn line(&mut self, line: &Line) -> Next {
        let Some(first) = line.words.first() else {
            return Next::Line;
        };
        if first.bytes.starts_with(b".") {
            return self.directive(line, first);
        }
        let Some(statement) = Statement::new(&line.words) else {
            return Next::Line;
        };
        if statement.concerns_logs() {
            for span in self.branches.assumed() {
                self.reports.warn(|source| {
                    let message = "what is logged depends on HAProxy's version or build";
                    let problem = source.problem(span, message);
                    problem.hint("weir assumes a current HAProxy with every feature")
                });
            }
        }
        if !self.branches.live() {
            return Next::Line;
        }
        if self.begins_section(&statement) {
            self.tell_unset(line, None);
            self.end_section();
            return self.begin_section(&statement);
        }
        let read = !matches!(self.section, Section::Other);
        if read && statement.concerns_logs() {
            // Where lines are sent to changes nothing about them, and the machine that
            // weir runs on seldom has HAProxy's variables.
            let target = statement.word(1).filter(|_| statement.keyword(0) == "log");
            self.tell_unset(line, target);
            self.statement(&statement);
        }
        Next::Line
    }

    /// `.if` and the like. After one that cannot be read it is not known which lines
    /// count, so reading stops.
    fn directive(&mut self, line: &Line, first: &Word) -> Next {
        let span = first.span.clone();
        let name = first.keyword();
        let result = match name {
            ".if" => {
                let decides = self.branches.live();
                match self.condition(line, decides) {
                    Ok(truth) => self.branches.begin(span.clone(), truth),
                    Err(()) => return Next::Stop,
                }
            }
            ".elif" => {
                let decides = self.branches.undecided();
                match self.condition(line, decides) {
                    Ok(truth) => self.branches.other(truth),
                    Err(()) => return Next::Stop,
                }
            }
            ".else" => self.branches.otherwise(),
            ".endif" => self.branches.end(),
            ".alert" if self.branches.live() => Err("HAProxy stops at this `.alert`".into()),
            // `.notice`, `.warning`, `.diag` say something and do nothing.
            _ => Ok(()),
        };
        match result {
            Ok(()) => Next::Line,
            Err(message) => {
                let hint = "blocks are `.if`, any number of `.elif`, at most one `.else`, `.endif`";
                let hint = match name {
                    ".alert" => {
                        "the conditions around it hold here; variables may differ from HAProxy's"
                    }
                    _ => hint,
                };
                self.reports.problem(span, message, hint);
                Next::Stop
            }
        }
    }

    /// The condition after `.if` or `.elif`, `None` where it decides nothing.
    fn condition(&mut self, line: &Line, decides: bool) -> Result<Option<Truth>, ()> {
        if !decides {
            return Ok(None);
        }
        self.tell_unset(line, None);
        let words: Vec<&[u8]> = line.words[1..]
            .iter()
            .map(|word| word.bytes.as_slice())
            .collect();
        let truth = condition::evaluate(&words.join(&b' '), |name| {
            self.environment.get(name).is_some()
        });
        if truth.is_none() {
            let span = match (line.words.get(1), line.words.last()) {
                (Some(first), Some(last)) => first.span.start..last.span.end,
                _ => line.words[0].span.clone(),
            };
            let message = "a condition that cannot be read";
            let hint = "it is made of numbers, `defined(NAME)`, `streq(A,B)` and the like, with `!`, `&&`, `||` and parentheses";
            self.reports.problem(span, message, hint);
            return Err(());
        }
        Ok(truth)
    }

    fn begins_section(&self, statement: &Statement) -> bool {
        let known = [
            "global",
            "defaults",
            "frontend",
            "listen",
            "backend",
            "log-profile",
        ];
        let word = statement.keyword(0);
        statement.modifier.is_none() && (known.contains(&word) || OTHER_SECTIONS.contains(&word))
    }

    fn begin_section(&mut self, statement: &Statement) -> Next {
        if self.defaults.len() + self.proxies.len() == SECTIONS_MAX {
            let message =
                format!("more than {SECTIONS_MAX} frontend, listen and defaults sections");
            self.reports
                .problem(statement.span(), message, "weir reads no more than that");
            return Next::Stop;
        }
        let keyword = statement.keyword(0);
        let name = statement.keyword(1);
        self.section_name = String::from(if name.is_empty() { keyword } else { name });
        self.section = match keyword {
            "global" => Section::Global,
            "defaults" => self.begin_defaults(statement),
            "frontend" | "listen" => self.begin_proxy(statement),
            "backend" => {
                self.named_defaults(statement, 2);
                Section::Backend(Settings::default())
            }
            "log-profile" => self.begin_profile(statement),
            _ => Section::Other,
        };
        Next::Line
    }

    /// `defaults [NAME] [from NAME]`. Each begins afresh unless it says otherwise.
    fn begin_defaults(&mut self, statement: &Statement) -> Section {
        let named = statement.word(1).filter(|word| word.keyword() != "from");
        let from = self.named_defaults(statement, if named.is_some() { 2 } else { 1 });
        let settings = match from {
            Some(index) => self.defaults[index].inherited(),
            None => Settings::default(),
        };
        if let Some(name) = named {
            let place = (self.defaults.len(), name.span.clone());
            let same_name = self.defaults_by_name.entry(name.keyword().into());
            same_name.or_default().push(place);
        }
        Section::Defaults(settings)
    }

    /// `frontend NAME [from NAME]`, without which it takes over the last defaults.
    fn begin_proxy(&mut self, statement: &Statement) -> Section {
        let Some(word) = statement.word(1) else {
            let message = format!("`{}` without a name", statement.keyword(0));
            self.reports
                .problem(statement.span(), message, "give it one: lines carry it");
            return Section::Other;
        };
        let defaults = match self.named_defaults(statement, 2) {
            Some(index) => self.defaults.get(index),
            None => self.defaults.last(),
        };
        let settings = defaults.map(Settings::inherited).unwrap_or_default();
        let Some(name) = self.reports.name(word) else {
            return Section::Other;
        };
        if let Some(before) = self.proxies_by_name.get(&name) {
            let source = self.reports.source;
            let message = format!("a second frontend or listen section named `{name}`");
            let problem = source.problem(word.span.clone(), message);
            let problem = problem.other("the first is here", &source.place(before.clone()));
            self.reports
                .add(problem.hint("rename one: their lines could not be told apart"));
            return Section::Other;
        }
        self.proxies_by_name.insert(name.clone(), word.span.clone());
        Section::Proxy(Draft {
            name,
            span: word.span.clone(),
            settings,
        })
    }

    fn begin_profile(&mut self, statement: &Statement) -> Section {
        let Some(word) = statement.word(1) else {
            let message = "`log-profile` without a name";
            self.reports.problem(
                statement.span(),
                message,
                "`log … profile NAME` uses it by its name",
            );
            return Section::Other;
        };
        let Some(name) = self.reports.name(word) else {
            return Section::Other;
        };
        if let Some(before) = self.profiles.get(&name) {
            let source = self.reports.source;
            let message = format!("a second log profile named `{name}`");
            let problem = source.problem(word.span.clone(), message);
            let problem = problem.other("the first is here", &source.place(before.span.clone()));
            self.reports.add(problem.hint("rename one of them"));
            return Section::Other;
        }
        self.profiles
            .insert(name.clone(), Profile::new(word.span.clone()));
        Section::Profile(name)
    }

    /// Which defaults `from NAME` at word `at` means; `None` without one.
    fn named_defaults(&mut self, statement: &Statement, at: usize) -> Option<usize> {
        // An old `frontend NAME ADDRESS` has something else there.
        if statement.keyword(at) != "from" {
            return None;
        }
        let word = statement.word(at + 1)?;
        let name = word.keyword();
        let span = word.span.clone();
        match self.defaults_by_name.get(name).map(Vec::as_slice) {
            Some([(index, _)]) => return Some(*index),
            Some([.., (_, last)]) => {
                let source = self.reports.source;
                let message = format!("two defaults sections are named `{name}`");
                let place = source.place(last.clone());
                let problem = source.problem(span, message).other("one is here", &place);
                self.reports.add(problem.hint("rename one of them"));
            }
            _ => {
                let known = self.defaults_by_name.keys().map(AsRef::as_ref);
                let hint = did_you_mean(name, known);
                let hint = hint.unwrap_or_else(|| "they must stand before what uses them".into());
                let message = format!("no defaults section is named `{name}`");
                self.reports.problem(span, message, &hint);
            }
        }
        None
    }

    fn end_section(&mut self) {
        match std::mem::replace(&mut self.section, Section::Other) {
            Section::Defaults(settings) => self.defaults.push(settings),
            Section::Proxy(draft) => {
                let slots = [&draft.settings.request, &draft.settings.response];
                for (id, span) in slots.into_iter().flat_map(|slots| slots.missing()) {
                    let message = format!("`{}` has no capture slot {id}", draft.name);
                    self.reports.problem(
                        span,
                        message,
                        "slots are counted from 0; `declare capture` makes one",
                    );
                }
                self.proxies.push(draft);
            }
            Section::Backend(settings) => {
                self.backends.request.add(settings.request);
                self.backends.response.add(settings.response);
            }
            Section::Global | Section::Profile(_) | Section::Other => {}
        }
    }

    fn statement(&mut self, statement: &Statement) {
        let reports = &mut self.reports;
        let global = &self.global.loggers;
        match &mut self.section {
            Section::Global => return self.global(statement),
            Section::Defaults(settings) => settings.read(statement, In::Defaults, global, reports),
            Section::Proxy(draft) => draft.settings.read(statement, In::Proxy, global, reports),
            Section::Backend(settings) => settings.read(statement, In::Backend, global, reports),
            Section::Profile(name) => {
                if let Some(profile) = self.profiles.get_mut(name) {
                    profile.read(statement, reports);
                }
                return;
            }
            Section::Other => return,
        }
        self.uses_profile(statement);
    }

    fn global(&mut self, statement: &Statement) {
        let reports = &mut self.reports;
        match statement.keyword(0) {
            "log" => {
                log(&mut self.global.loggers, statement, None, reports);
                self.uses_profile(statement);
            }
            "log-tag" => {
                if let Some(tag) = statement.name(reports) {
                    self.global.log_tag = Some(tag);
                }
            }
            change @ ("setenv" | "presetenv") => {
                let [_, name, value, ..] = statement.words() else {
                    let message = format!("`{change}` without a name and a value");
                    return reports.problem(
                        statement.span(),
                        message,
                        "an empty argument counts as none",
                    );
                };
                match change {
                    "setenv" => self.environment.set(name.keyword(), &value.bytes),
                    _ => self.environment.preset(name.keyword(), &value.bytes),
                }
            }
            change @ ("unsetenv" | "resetenv") => {
                let names = statement.words()[1..].iter().map(Word::keyword);
                match change {
                    "unsetenv" => names.for_each(|name| self.environment.unset(name)),
                    _ => self.environment.reset(names.map(String::from).collect()),
                }
            }
            _ => {}
        }
    }

    /// Notes the profile that a `log` line or a rule names.
    fn uses_profile(&mut self, statement: &Statement) {
        let in_log = || {
            let options = (2..statement.words().len()).step_by(2);
            let at = options
                .take_while(|at| {
                    ["len", "format", "sample", "profile"].contains(&statement.keyword(*at))
                })
                .find(|at| statement.keyword(*at) == "profile")?;
            statement.word(at + 1)
        };
        let word = match statement.keyword(0) {
            "log" => in_log(),
            _ => statement.used_by_rule(),
        };
        if let Some(word) = word {
            self.profile_uses
                .push((word.keyword().into(), word.span.clone()));
        }
    }

    /// Warns of the variables that are not set, but for those in the word `except`.
    fn tell_unset(&mut self, line: &Line, except: Option<&Word>) {
        let within = |span: &Range<usize>| {
            except.is_some_and(|word| word.span.start <= span.start && span.end <= word.span.end)
        };
        for (name, span) in line.unset.iter().filter(|(_, span)| !within(span)) {
            self.reports.warn(|source| {
                let message = format!("variable `{name}` is not set, so it is empty here");
                let problem = source.problem(span.clone(), message);
                problem.hint(format!("give weir the environment that HAProxy has, or write a default: `${{{name}-…}}`"))
            });
        }
    }

    fn finish(mut self) -> Result<HaproxyConfig, Vec<Problem>> {
        self.end_section();
        let Reader {
            mut reports,
            global,
            proxies,
            profiles,
            profile_uses,
            backends,
            ..
        } = self;
        for (name, span) in profile_uses {
            if reports.full() {
                break;
            }
            if !profiles.contains_key(&name) {
                let hint = did_you_mean(&name, profiles.keys().map(AsRef::as_ref));
                let hint = hint.unwrap_or_else(|| format!("add a section `log-profile {name}`"));
                reports.problem(span, format!("no log profile is named `{name}`"), &hint);
            }
        }
        let lines = |(name, profile): (_, Profile)| (name, profile.lines());
        let profiles = profiles.into_iter().map(lines).collect();
        let mut finished = Vec::with_capacity(proxies.len());
        for draft in proxies {
            if reports.full() {
                break;
            }
            let proxy = draft.finish(&global, &profiles, &backends, &mut reports);
            finished.extend(proxy);
        }
        if !reports.problems.is_empty() {
            return Err(reports.problems);
        }
        Ok(HaproxyConfig {
            proxies: finished,
            warnings: reports.warnings,
        })
    }
}

impl Draft {
    fn finish(
        self,
        global: &Global,
        profiles: &BTreeMap<Box<str>, Lines>,
        backends: &Directions,
        reports: &mut Reports,
    ) -> Option<Proxy> {
        let Draft {
            name,
            span,
            settings,
        } = self;
        let own = settings.own_formats(&name, reports);
        let profile = |logger: &Logger| profiles.get(logger.profile.as_ref()?);
        let used: Vec<_> = settings.loggers.iter().map(profile).collect();
        let Some(formats) = formats(&own, &used) else {
            let message = format!("the lines of `{name}` have more than {FORMATS_MAX} formats");
            reports.problem(span, message, "weir reads no more than that");
            return None;
        };
        let mut profile_tags: Vec<Box<str>> = Vec::new();
        for profile in used.into_iter().flatten() {
            match &profile.log_tag {
                Some(tag) if !profile_tags.contains(tag) => profile_tags.push(tag.clone()),
                _ => {}
            }
        }
        Some(Proxy {
            name,
            place: reports.source.place(span),
            http: settings.is_http(),
            formats,
            request_captures: settings.request.names(&backends.request),
            response_captures: settings.response.names(&backends.response),
            log_tag: settings.log_tag.or_else(|| global.log_tag.clone()),
            profile_tags,
        })
    }
}
