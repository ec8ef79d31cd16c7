//! Rule files in, the layout of cells and the program that fills them out.

use super::check::{self, Aggregate};
use super::expr::{Bool, Text};
use super::file::{self, Rule};
use super::lower::{Checked, Lowered, Measured};
use super::naming::{Naming, Template};
use super::schema::{Schema, Typed};
use super::{Options, Rules, WrittenRule, cel, grouping, unit};
use crate::haproxy::Field;
use crate::source::{Notes, Placed, Problem, Scalar, Source};
use std::ops::Range;
use std::sync::Arc;

/// More rules are refused. It keeps the number of groupings within what a
/// [`GroupingId`](crate::delta::GroupingId) can tell apart.
const MAX_RULES: usize = 10_000;

/// Compiles all rules, or says everything that is wrong with them.
pub(super) fn load(sources: &[Source], options: &Options) -> Result<Rules, Vec<Problem>> {
    let mut problems = Vec::new();
    let service = service(options, &mut problems);
    let mut compiler = Compiler {
        schema: Schema::with_service(service, &options.names),
        naming: Naming::default(),
        written: Vec::new(),
        lowered: Lowered::default(),
    };
    for source in sources {
        problems.extend(compiler.source(source));
    }
    match problems.is_empty() {
        true => Ok(Rules {
            layout: Arc::new(compiler.lowered.layout),
            groups: compiler.lowered.groups,
            written: compiler.written,
            files: sources.iter().map(|source| source.name.clone()).collect(),
        }),
        false => Err(problems),
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
    naming: Naming,
    /// In the order of the files.
    written: Vec<WrittenRule>,
    lowered: Lowered,
}

impl Compiler<'_> {
    /// Takes in one file; what is wrong with it in the order of its lines.
    fn source(&mut self, source: &Source) -> Vec<Problem> {
        let (rules, problems) = file::parse(source);
        let mut notes = Notes::new(source);
        notes.problems = problems;
        let ends = rules.iter().skip(1).map(|next| next.span.start);
        let ends = ends.chain([source.text.len()]);
        for (rule, end) in rules.iter().zip(ends) {
            notes.about(None);
            if self.written.len() == MAX_RULES {
                notes.refuse(&rule.span, format!("more than {MAX_RULES} rules"));
                break;
            }
            notes.about(rule.name.as_ref().map(|name| name.value.as_str()));
            self.rule(&mut notes, rule, end);
        }
        notes.sorted()
    }

    /// Notes everything wrong with a rule; takes it in only where nothing is. Its text ends
    /// before `end`.
    fn rule(&mut self, notes: &mut Notes<'_>, rule: &Rule, end: usize) {
        let noted = notes.problems.len();
        let name = rule.name.as_ref().map_or("", |name| name.value.as_str());
        let named = self.naming.rule(notes, rule);
        let condition = match &rule.condition {
            Some(written) => self.condition(notes, written),
            None => Some(Bool::Const(true)),
        };
        let by = grouping::by(notes, &self.schema, &rule.by);
        let tags = grouping::tags(notes, &rule.tags, &by);
        let limit = grouping::limit(notes, rule.limit.as_ref(), &rule.by);
        let window = grouping::window(notes, rule.window.as_ref());
        let (by_tags, keys): (Vec<_>, Vec<_>) = by.iter().cloned().unzip();
        let template = Template::read(notes, rule, &by_tags);
        let value = match &rule.value {
            Some(written) => value(notes, &self.schema, written).map(Some),
            None => Some(None),
        };
        let schema = value.map(|value| match value {
            Some(value) => self.schema.with_value(value),
            None => self.schema.clone(),
        });
        let mut measures = Vec::new();
        for (measure, written) in &rule.measures {
            let series = template.name(notes, name, measure);
            if named {
                self.naming.series(notes, &template, measure, &series);
            }
            // Without the value that it may name, nothing true can be said of a measure.
            let Some(schema) = &schema else { continue };
            if let Some(measured) = measured(notes, schema, written) {
                if let Some((aggregate, tag)) = own_tag(&measured) {
                    grouping::clash(notes, &written.expression, aggregate, tag, &by, &tags);
                }
                measures.push((series, measured));
            }
        }
        let by = by_tags.into_iter().zip(keys);
        let by: Option<Vec<_>> = by.map(|(tag, key)| Some((tag, key?))).collect();
        if let (Some(condition), Some(by), true) = (condition, by, notes.problems.len() == noted) {
            let place = self.lowered.take_in(Checked {
                name: name.into(),
                condition,
                by,
                window,
                limit,
                tags,
                measures,
            });
            self.written.push(WrittenRule {
                file: Arc::clone(&notes.source.name),
                text: text(notes.source, rule.span.start..end),
                condition: rule.condition.as_ref().map(|c| c.value.as_str().into()),
                place,
            });
        }
    }

    fn condition(&self, notes: &mut Notes<'_>, written: &Scalar) -> Option<Bool> {
        let read =
            cel::parse(&written.value).and_then(|node| check::condition(&node, &self.schema));
        notes.read(written, read)
    }
}

/// What `value` stands for in a rule's measures.
fn value(notes: &mut Notes<'_>, schema: &Schema<'_>, written: &Scalar) -> Option<Typed> {
    let read = cel::parse(&written.value).and_then(|node| check::value(&node, schema));
    notes.read(written, read)
}

fn measured(
    notes: &mut Notes<'_>,
    schema: &Schema<'_>,
    written: &file::Measure,
) -> Option<Measured> {
    let expression = &written.expression;
    let read = cel::parse(&expression.value).and_then(|node| check::measure(&node, schema));
    let measured = notes.read(expression, read)?;
    match &written.unit {
        None => Some(measured),
        Some(name) => {
            let converted = unit::convert(measured, &name.value);
            notes.read(name, converted.map_err(|fault| vec![fault]))
        }
    }
}

/// The tag that a measure gives its series beside the rule's, and the aggregate that does.
fn own_tag(measured: &Measured) -> Option<(&'static str, &str)> {
    match measured {
        Measured::Aggregate(Aggregate::Histogram(..)) => Some(("histogram", "le")),
        Measured::Aggregate(Aggregate::Top { tag, .. }) => Some(("top", tag)),
        _ => None,
    }
}

/// A rule's text without what separates it from the next one. An alias repeats a rule that
/// stands elsewhere: it has none of its own.
fn text(source: &Source, span: Range<usize>) -> Arc<str> {
    let text = source.text.get(span).unwrap_or_default();
    text.trim_end_matches(|c: char| c.is_whitespace() || c == '-')
        .into()
}
