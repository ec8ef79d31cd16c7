//! Rule files in, the layout of cells and the program that fills them out.

use super::cel::{self, Node, Syntax};
use super::check::{self, Aggregate};
use super::expr::{Bool, Text};
use super::file::{self, Rule};
use super::lower::{Checked, Lowered, Measured};
use super::naming::{Naming, Template};
use super::never::never;
use super::schema::{ROUTE, Schema, Typed};
use super::values::Values;
use super::{Options, Rules, Service, WrittenMeasure, WrittenRule, grouping, unit};
use crate::haproxy::Field;
use crate::source::{Fault, Notes, Placed, Problem, Scalar, Source};
use std::sync::Arc;

/// More rules are refused. It keeps the number of groupings within what a
/// [`GroupingId`](crate::delta::GroupingId) can tell apart.
const MAX_RULES: usize = 10_000;

/// Compiles all rules, or says everything that is wrong with them.
pub(super) fn load(sources: &[Source], options: &Options) -> Result<Rules, Vec<Problem>> {
    let mut problems = Vec::new();
    let service = service(options, &mut problems);
    let told = Service::compiled(service.clone());
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
            service: told,
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
        for rule in &rules {
            notes.about(None);
            if self.written.len() == MAX_RULES {
                notes.refuse(&rule.span, format!("more than {MAX_RULES} rules"));
                break;
            }
            notes.about(rule.name.as_ref().map(|name| name.value.as_str()));
            self.rule(&mut notes, rule);
        }
        notes.sorted()
    }

    /// Notes everything wrong with a rule; takes it in only where nothing is.
    fn rule(&mut self, notes: &mut Notes<'_>, rule: &Rule) {
        let noted = notes.problems.len();
        let name = rule.name.as_ref().map_or("", |name| name.value.as_str());
        let named = self.naming.rule(notes, rule);
        let routes = match &rule.routes {
            Some(written) => grouping::routes(notes, written),
            None => None,
        };
        let schema = match &routes {
            Some(routes) => self.schema.with_routes(Arc::clone(routes)),
            None => self.schema.clone(),
        };
        let condition = match &rule.condition {
            Some(written) => condition(notes, &schema, written),
            None => Some(Bool::Const(true)),
        };
        let by = grouping::by(notes, &schema, &rule.by);
        let tags = grouping::tags(notes, &rule.tags, &by);
        let limit = grouping::limit(notes, rule.limit.as_ref(), &rule.by);
        let window = grouping::window(notes, rule.window.as_ref());
        let (by_tags, keys): (Vec<_>, Vec<_>) = by.iter().cloned().unzip();
        let template = Template::read(notes, rule, &by_tags);
        let value = match &rule.value {
            Some(written) => value(notes, &schema, written).map(Some),
            None => Some(None),
        };
        let schema = value.map(|value| match value {
            Some(value) => schema.with_value(value),
            None => schema,
        });
        let (mut measures, mut described) = (Vec::new(), Vec::new());
        for (measure, written) in &rule.measures {
            let series = template.name(notes, name, measure);
            if named {
                self.naming.series(notes, &template, measure, &series);
            }
            // Without the value that it may name, nothing true can be said of a measure.
            let Some(schema) = &schema else { continue };
            if let Some((measured, values)) = measured(notes, schema, written) {
                if let Some((aggregate, tag)) = own_tag(&measured) {
                    grouping::clash(notes, &written.expression, aggregate, tag, &by, rule);
                }
                measures.push((series, measured));
                described.push(WrittenMeasure {
                    name: measure.value.as_str().into(),
                    values,
                });
            }
        }
        if let Some(routes) = &rule.routes
            && !names_route(rule)
        {
            let hint = "group by it: `by: [service, route]`";
            notes.refuse_with(&routes.span, "nothing in the rule names `route`", hint);
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
                condition: rule.condition.as_ref().map(|c| c.value.as_str().into()),
                place,
                measures: described,
            });
        }
    }
}

fn condition(notes: &mut Notes<'_>, schema: &Schema<'_>, written: &Scalar) -> Option<Bool> {
    let read = cel::parse(&written.value).and_then(|node| {
        let condition = check::condition(&node, schema)?;
        match never(&node, schema) {
            Some(fault) => Err(vec![fault]),
            None => Ok(condition),
        }
    });
    notes.read(written, read)
}

/// What `value` stands for in a rule's measures.
fn value(notes: &mut Notes<'_>, schema: &Schema<'_>, written: &Scalar) -> Option<Typed> {
    let read = cel::parse(&written.value).and_then(|node| check::value(&node, schema));
    notes.read(written, read)
}

/// A measure, and what its values are.
fn measured(
    notes: &mut Notes<'_>,
    schema: &Schema<'_>,
    written: &file::Measure,
) -> Option<(Measured, Values)> {
    let expression = &written.expression;
    let read = cel::parse(&expression.value).and_then(|node| {
        let measured = check::measure(&node, schema)?;
        let faults = never_shared(&node, schema);
        match faults.is_empty() {
            true => Ok(measured),
            false => Err(faults),
        }
    });
    let measured = notes.read(expression, read)?;
    let values = Values::of(&measured);
    match &written.unit {
        None => Some((measured, values)),
        Some(name) => {
            let converted = unit::convert(measured, &name.value);
            let converted = notes.read(name, converted.map_err(|fault| vec![fault]))?;
            Some((converted, values.converted(&name.value)))
        }
    }
}

/// What can never hold of the conditions whose share a measure is.
fn never_shared(measure: &Node, schema: &Schema<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    measure.walk(&mut |node| match &node.kind {
        Syntax::Call { name, args, .. } if name == "ratio" => {
            faults.extend(args.iter().filter_map(|condition| never(condition, schema)));
        }
        _ => {}
    });
    faults
}

/// Whether one of the rule's expressions names `route`. What cannot be read may do so.
fn names_route(rule: &Rule) -> bool {
    let by = rule.by.iter().map(|part| &part.expression);
    let measures = rule.measures.iter().map(|(_, measure)| &measure.expression);
    let single = [&rule.condition, &rule.value].into_iter().flatten();
    single.chain(by).chain(measures).any(|written| {
        let mut named = false;
        match cel::parse(&written.value) {
            Ok(node) => node.walk(&mut |node| {
                named |= matches!(&node.kind, Syntax::Name(name) if name == ROUTE);
            }),
            Err(_) => named = true,
        }
        named
    })
}

/// The tag that a measure gives its series beside the rule's, and the aggregate that does.
fn own_tag(measured: &Measured) -> Option<(&'static str, &str)> {
    match measured {
        Measured::Aggregate(Aggregate::Histogram(..)) => Some(("histogram", "le")),
        Measured::Aggregate(Aggregate::Top { tag, .. }) => Some(("top", tag)),
        _ => None,
    }
}
