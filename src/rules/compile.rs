//! Rule files in, the layout of cells and the program that fills them out.

use super::check;
use super::expr::{Bool, Text};
use super::file::{self, Rule};
use super::lower::{Checked, Lowered, Measured};
use super::program::KeyPart;
use super::schema::{SERVICE, Schema, Typed, Unusable};
use super::{Options, Rules, WrittenRule, cel};
use crate::delta::{Name, Window};
use crate::haproxy::Field;
use crate::metric::{Tags, identifier};
use crate::names;
use crate::source::{Fault, Place, Placed, Problem, Scalar, Source, did_you_mean};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// More rules are refused. It keeps the number of groupings within what a
/// [`GroupingId`](crate::delta::GroupingId) can tell apart.
const MAX_RULES: usize = 10_000;

/// What the names of weir's own counters begin with at `/metrics`.
const OWN: &str = "weir_";

const DEFAULT_WINDOW: Duration = Duration::from_secs(10);
const MAX_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// Compiles all rules, or says everything that is wrong with them.
pub(super) fn load(sources: &[Source], options: &Options) -> Result<Rules, Vec<Problem>> {
    let mut problems = Vec::new();
    let service = service(options, &mut problems);
    let mut compiler = Compiler {
        schema: Schema::with_service(service, &options.names),
        problems,
        rules: HashMap::new(),
        series: HashMap::new(),
        written: Vec::new(),
        lowered: Lowered::default(),
    };
    for source in sources {
        compiler.source(source);
    }
    if compiler.problems.is_empty() {
        Ok(Rules {
            layout: Arc::new(compiler.lowered.layout),
            groups: compiler.lowered.groups,
            written: compiler.written,
            files: sources.iter().map(|source| source.name.clone()).collect(),
        })
    } else {
        Err(compiler.problems)
    }
}

/// What `service` stands for; its frontend where that cannot be read.
pub(super) fn service(options: &Options, problems: &mut Vec<Problem>) -> Text {
    let Some(Placed { source, text }) = &options.service else {
        return Text::Field(Field::Frontend);
    };
    let schema = Schema::without_service(&options.names);
    let read = cel::parse(&text.value).and_then(|node| check::text(&node, &schema));
    read.unwrap_or_else(|faults| {
        let problems_of = faults
            .into_iter()
            .map(|fault| source.fault("haproxy.service: ", text.span.clone(), &text.value, fault));
        problems.extend(problems_of);
        Text::Field(Field::Frontend)
    })
}

struct Compiler<'a> {
    schema: Schema<'a>,
    problems: Vec<Problem>,
    /// Where each rule's name stands.
    rules: HashMap<String, Place>,
    /// Each series' name and where it stands, by [`comparable`].
    series: HashMap<String, (String, Place)>,
    /// In the order of the files.
    written: Vec<WrittenRule>,
    lowered: Lowered,
}

impl Compiler<'_> {
    /// Takes in one file; notes what is wrong with it in the order of its lines.
    fn source(&mut self, source: &Source) {
        let noted = self.problems.len();
        self.file(source);
        self.problems[noted..].sort_by_key(|problem| (problem.line, problem.column));
    }

    fn file(&mut self, source: &Source) {
        let file = match file::parse(source) {
            Ok(file) => file,
            Err(problem) => return self.problems.push(*problem),
        };
        self.problems
            .extend(file::unknown_keys(source, "", &file.unknown, &["rules"]));
        let rules = file.rules.unwrap_or_default();
        if rules.is_empty() && file.unknown.is_empty() {
            let problem = source.problem(0..0, "there is no rule in this file");
            let hint = "rules stand in a list under `rules:`; see docs/rules.md";
            self.problems.push(problem.hint(hint));
        }
        for rule in &rules {
            if self.written.len() == MAX_RULES {
                let message = format!("more than {MAX_RULES} rules");
                let problem = source.problem(rule.span.clone(), message);
                return self.problems.push(problem);
            }
            self.rule(source, rule);
        }
    }

    /// Notes everything wrong with a rule; takes it in only where nothing is.
    fn rule(&mut self, source: &Source, rule: &Rule) {
        let noted = self.problems.len();
        let (subject, name) = match &rule.name {
            Some(name) if !name.value.is_empty() => {
                (format!("rule `{}`: ", name.value), name.value.as_str())
            }
            _ => (String::new(), ""),
        };
        let subject = subject.as_str();
        self.problems.extend(file::unknown_keys(
            source,
            subject,
            &rule.unknown,
            &file::RULE_KEYS,
        ));
        let named = match &rule.name {
            Some(name) => self.rule_name(source, subject, name),
            None => {
                self.refuse(source, &rule.span, "a rule without the key `name`".into());
                false
            }
        };
        let condition = match &rule.condition {
            Some(written) => self.condition(source, subject, written),
            None => Some(Bool::Const(true)),
        };
        let by = self.by(source, subject, &rule.by);
        let window = match &rule.window {
            Some(written) => self.window(source, subject, written),
            None => DEFAULT_WINDOW,
        };
        if rule.measures.is_empty() && !rule.unknown.iter().any(|key| key.value == "measures") {
            let span = rule.name.as_ref().map_or(&rule.span, |name| &name.span);
            let problem = source
                .problem(span.clone(), format!("{subject}it measures nothing"))
                .hint("`measure: { rate: rate() }` is the smallest measure");
            self.problems.push(problem);
        }
        let mut measures = Vec::new();
        for (measure, written) in &rule.measures {
            let series = format!("{name}.{}", measure.value);
            self.charset(source, subject, measure);
            if named {
                self.series_name(source, subject, measure, &series);
            }
            if let Some(measured) = self.measured(source, subject, written) {
                measures.push((Name::Plain(series.into()), measured));
            }
        }
        if let (Some(condition), true) = (condition, self.problems.len() == noted) {
            let place = self.lowered.take_in(Checked {
                name: name.into(),
                condition,
                by,
                window: Window::tumbling(window),
                limit: None,
                tags: Tags::default(),
                measures,
            });
            self.written.push(WrittenRule {
                file: Arc::clone(&source.name),
                condition: rule.condition.as_ref().map(|c| c.value.as_str().into()),
                place,
            });
        }
    }

    fn refuse(&mut self, source: &Source, span: &Range<usize>, message: String) {
        self.problems.push(source.problem(span.clone(), message));
    }

    /// Whether the name is this rule's alone.
    fn rule_name(&mut self, source: &Source, subject: &str, name: &Scalar) -> bool {
        self.charset(source, subject, name);
        if comparable(&format!("{}.", name.value)).starts_with(OWN) {
            let message =
                format!("{subject}series named `{OWN}…` at /metrics are weir's own counters");
            let problem = source
                .problem(name.span.clone(), message)
                .hint("choose a name that does not begin with `weir`");
            self.problems.push(problem);
        }
        let place = source.place(name.span.clone());
        if let Some(first) = self.rules.get(&name.value.to_lowercase()) {
            let problem = source
                .problem(name.span.clone(), format!("{subject}this name is taken"))
                .other("the other rule", first)
                .hint("names are compared without case, as Librato does");
            self.problems.push(problem);
            return false;
        }
        self.rules.insert(name.value.to_lowercase(), place);
        true
    }

    fn series_name(&mut self, source: &Source, subject: &str, measure: &Scalar, series: &str) {
        if series.len() > names::METRIC_NAME_MAX {
            let length = series.len();
            let message = format!(
                "{subject}the series' name `<rule>.<measure>` has {length} characters, more than {}",
                names::METRIC_NAME_MAX
            );
            self.refuse(source, &measure.span, message);
        }
        let place = source.place(measure.span.clone());
        let comparable = comparable(series);
        if let Some((name, first)) = self.series.get(&comparable) {
            let message = if name.eq_ignore_ascii_case(series) {
                format!("{subject}the series `{series}` exists already")
            } else {
                format!("{subject}the series `{series}` exists already, as `{name}`")
            };
            let problem = source
                .problem(measure.span.clone(), message)
                .other("the other measure", first)
                .hint("a series is named `<rule>.<measure>`; names are compared without case, as Librato does, and with `_` for `.`, `:` and `-`, as Prometheus has it");
            return self.problems.push(problem);
        }
        self.series.insert(comparable, (series.to_owned(), place));
    }

    /// The characters of a metric's name in Librato's API.
    fn charset(&mut self, source: &Source, subject: &str, name: &Scalar) {
        if name.value.is_empty() {
            self.refuse(source, &name.span, format!("{subject}the name is empty"));
        } else if let Some(other) = name.value.chars().find(|c| !names::is_name_char(*c)) {
            let message = format!("{subject}a name cannot contain `{}`", other.escape_debug());
            let problem = source
                .problem(name.span.clone(), message)
                .hint("names consist of A-Z, a-z, 0-9 and `.`, `:`, `_`, `-`");
            self.problems.push(problem);
        }
    }

    fn condition(&mut self, source: &Source, subject: &str, written: &Scalar) -> Option<Bool> {
        let read =
            cel::parse(&written.value).and_then(|node| check::condition(&node, &self.schema));
        self.read(source, subject, written, read)
    }

    fn measured(&mut self, source: &Source, subject: &str, written: &Scalar) -> Option<Measured> {
        let read = cel::parse(&written.value).and_then(|node| check::measure(&node, &self.schema));
        self.read(source, subject, written, read)
    }

    fn read<T>(
        &mut self,
        source: &Source,
        subject: &str,
        written: &Scalar,
        read: Result<T, Vec<Fault>>,
    ) -> Option<T> {
        let faults = match read {
            Ok(read) => return Some(read),
            Err(faults) => faults,
        };
        let Scalar { value, span } = written;
        let problem = |fault| source.fault(subject, span.clone(), value, fault);
        self.problems.extend(faults.into_iter().map(problem));
        None
    }

    fn by(
        &mut self,
        source: &Source,
        subject: &str,
        fields: &[Scalar],
    ) -> Vec<(Arc<str>, KeyPart)> {
        let mut by: Vec<(Arc<str>, KeyPart)> = Vec::new();
        for field in fields {
            let name = field.value.as_str();
            if by.iter().any(|(known, _)| **known == *name) {
                let message = format!("{subject}`by` names `{name}` twice");
                self.refuse(source, &field.span, message);
                continue;
            }
            let part = match self.schema.field(name) {
                Ok(Typed::Text(text)) => KeyPart::Text(text),
                Ok(Typed::Int(int)) => KeyPart::Int(int),
                Ok(Typed::Bool(bool)) => KeyPart::Bool(bool),
                Err(Unusable::Unknown) => {
                    let message = format!("{subject}unknown field `{name}` in `by`");
                    let problem = source.problem(field.span.clone(), message);
                    let hint = did_you_mean(name, self.schema.fields());
                    self.problems.push(match hint {
                        Some(hint) => problem.hint(hint),
                        None => problem.hint(format!("`by` lists fields, such as `{SERVICE}`")),
                    });
                    continue;
                }
                Ok(_) | Err(Unusable::Timestamp) => {
                    let message = format!("{subject}`by` cannot group by `{name}`");
                    let problem = source
                        .problem(field.span.clone(), message)
                        .hint("it groups by strings, whole numbers and bools");
                    self.problems.push(problem);
                    continue;
                }
            };
            by.push((name.into(), part));
        }
        // Tags have no order, so rules may share a grouping whatever order they name.
        by.sort_by(|a, b| a.0.cmp(&b.0));
        by
    }

    fn window(&mut self, source: &Source, subject: &str, written: &Scalar) -> Duration {
        let text = written.value.as_str();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let seconds = match unit {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(60 * 60),
            _ => None,
        };
        let window = number
            .parse::<u64>()
            .ok()
            .zip(seconds)
            .map(|(number, seconds)| Duration::from_secs(number.saturating_mul(seconds)));
        match window {
            Some(window) if !window.is_zero() && window <= MAX_WINDOW => return window,
            Some(_) => {
                let message = format!("{subject}a window lasts from 1 second to 24 hours");
                self.refuse(source, &written.span, message);
            }
            None => {
                let message = format!("{subject}`{text}` is not a window");
                let problem = source
                    .problem(written.span.clone(), message)
                    .hint("write a whole number of seconds, minutes or hours: `10s`, `1m`, `1h`");
                self.problems.push(problem);
            }
        }
        DEFAULT_WINDOW
    }
}

/// The form in which a series' name has to be the only one: Librato ignores case, and
/// Prometheus has no character for `.`, `:` and `-`.
fn comparable(series: &str) -> String {
    identifier(series).to_ascii_lowercase()
}
