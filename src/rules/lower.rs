//! Checked rules in, the layout of cells and the program that fills them out.
//!
//! Nothing can be wrong any more here: rules that share a grouping are put together, and
//! measures that need the same cell share it.

use super::RulePlace;
use super::check::Aggregate;
use super::expr::{Bool, Number};
use super::program::{Draw, Group, GroupRule, KeyPart};
use super::term::Term;
use crate::delta::{
    Arithmetic, CellKind, Formula, Grouping, Layout, Measure, Name, Output, RuleLayout, Window,
};
use crate::metric::Tags;
use std::sync::Arc;

/// Fractions keep three digits in percentiles; whole numbers need none.
const FRACTION_SCALE: u32 = 1000;

/// A rule in which nothing is wrong.
#[derive(Debug)]
pub(super) struct Checked {
    pub name: Arc<str>,
    pub condition: Bool,
    /// Each tag and the value that it has; sorted by the tags' names.
    pub by: Vec<(Arc<str>, KeyPart)>,
    pub window: Window,
    /// How many groups are told apart; `None`: as many as there may be series.
    pub limit: Option<usize>,
    /// Tags that all its series have, sorted by name; none is one of `by`.
    pub tags: Tags,
    pub measures: Vec<(Name, Measured)>,
}

/// What a measure is computed by: aggregates, and arithmetic over them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Measured {
    Aggregate(Aggregate),
    Const(f64),
    Negate(Box<Measured>),
    Arithmetic(Arithmetic, Box<(Measured, Measured)>),
}

/// What the rules so far have become.
#[derive(Debug, Default)]
pub(super) struct Lowered {
    pub layout: Layout,
    /// One for each grouping of the layout, in its order.
    pub groups: Vec<Group>,
}

impl Lowered {
    /// Adds a rule, to a grouping that is there if one fits.
    pub fn take_in(&mut self, rule: Checked) -> RulePlace {
        let definition = format!("{rule:?}").into();
        let Checked {
            name,
            condition,
            by,
            window,
            limit,
            tags,
            measures,
        } = rule;
        let (names, parts): (Vec<_>, Vec<_>) = by.into_iter().unzip();
        let place = self
            .groups
            .iter()
            .zip(&self.layout.groupings)
            .position(|(group, grouping)| {
                grouping.window == window
                    && grouping.limit == limit
                    && grouping.by == names
                    && group.by == parts
                    && group.has_room()
            });
        let place = place.unwrap_or_else(|| {
            self.groups.push(Group::new(parts, window));
            self.layout.groupings.push(Grouping {
                by: names,
                window,
                limit,
                cells: Vec::new(),
                rules: Vec::new(),
            });
            self.groups.len() - 1
        });
        let grouping = &mut self.layout.groupings[place];
        let first = grouping.cells.len();
        let mut rule = GroupRule::new(&mut grouping.cells);
        let measures = measures.into_iter().map(|(name, measured)| Measure {
            name,
            output: output(&mut rule, &mut grouping.cells, measured),
        });
        let measures = measures.collect();
        grouping.rules.push(RuleLayout {
            name,
            tags,
            definition,
            cells: first..grouping.cells.len(),
            matched: rule.matched,
            measures,
        });
        RulePlace {
            grouping: place,
            rule: self.groups[place].add(condition, rule),
        }
    }
}

fn output(rule: &mut GroupRule, cells: &mut Vec<CellKind>, measured: Measured) -> Output {
    match measured {
        Measured::Aggregate(Aggregate::Histogram(value, bounds)) => Output::Buckets {
            bounds: bounds.len(),
            cell: sampling(rule, cells, value, CellKind::Buckets(bounds.into())),
        },
        Measured::Aggregate(Aggregate::Top { value, tag, k }) => Output::Top {
            cell: observing(rule, cells, value, CellKind::Top),
            k,
            tag: tag.into(),
        },
        measured => Output::Value(formula(rule, cells, measured)),
    }
}

fn formula(rule: &mut GroupRule, cells: &mut Vec<CellKind>, measured: Measured) -> Formula {
    match measured {
        Measured::Aggregate(aggregate) => leaf(rule, cells, aggregate),
        Measured::Const(value) => Formula::Const(value),
        Measured::Negate(inner) => Formula::Negate(Box::new(formula(rule, cells, *inner))),
        Measured::Arithmetic(arithmetic, sides) => {
            let (a, b) = *sides;
            let a = formula(rule, cells, a);
            Formula::Arithmetic(arithmetic, Box::new((a, formula(rule, cells, b))))
        }
    }
}

fn leaf(rule: &mut GroupRule, cells: &mut Vec<CellKind>, aggregate: Aggregate) -> Formula {
    let mut sample = |value, kind| sampling(rule, cells, value, kind);
    match aggregate {
        Aggregate::Count => Formula::Count(rule.matched),
        Aggregate::Rate => Formula::Rate(rule.matched),
        Aggregate::Ratio(condition) => Formula::Ratio {
            part: counting(rule, cells, condition),
            whole: rule.matched,
        },
        Aggregate::Sum(value) => Formula::Sum(sample(value, CellKind::Sum)),
        Aggregate::Mean(value) => Formula::Mean(sample(value, CellKind::Sum)),
        Aggregate::Min(value) => Formula::Min(sample(value, CellKind::Min)),
        Aggregate::Max(value) => Formula::Max(sample(value, CellKind::Max)),
        Aggregate::Stddev(value) => Formula::Stddev(sample(value, CellKind::Moments)),
        Aggregate::Percentile(value, q) => {
            let scale = match value {
                Number::Int(_) => 1,
                Number::Double(_) => FRACTION_SCALE,
            };
            let cell = sample(value, CellKind::Samples { scale });
            Formula::Percentile { cell, q }
        }
        Aggregate::Apdex(value, target) => {
            Formula::Apdex(sample(value, CellKind::Apdex { target }))
        }
        Aggregate::Distinct(value) => {
            Formula::Distinct(observing(rule, cells, value, CellKind::Distinct))
        }
        Aggregate::Histogram(..) | Aggregate::Top { .. } => {
            unreachable!("`check` lets these stand alone only")
        }
    }
}

/// The cell that counts where the condition holds; measures of one rule share it.
fn counting(rule: &mut GroupRule, cells: &mut Vec<CellKind>, condition: Bool) -> usize {
    let condition = Term::of(condition);
    for draw in &rule.draws {
        match draw {
            Draw::Count {
                condition: known,
                cell,
            } if *known == condition => return *cell,
            _ => {}
        }
    }
    cells.push(CellKind::Count);
    let cell = cells.len() - 1;
    rule.draws.push(Draw::Count { condition, cell });
    cell
}

/// The cell of that kind that takes in the value; measures of one rule share it.
fn sampling(
    rule: &mut GroupRule,
    cells: &mut Vec<CellKind>,
    value: Number,
    kind: CellKind,
) -> usize {
    for draw in &mut rule.draws {
        if let Draw::Sample {
            value: known,
            cells: own,
        } = draw
            && *known == value
        {
            if let Some(&cell) = own.iter().find(|&&cell| cells[cell] == kind) {
                return cell;
            }
            cells.push(kind);
            own.push(cells.len() - 1);
            return cells.len() - 1;
        }
    }
    cells.push(kind);
    let cell = cells.len() - 1;
    rule.draws.push(Draw::Sample {
        value,
        cells: vec![cell],
    });
    cell
}

/// The cell of that kind that takes in the value as it is; measures of one rule share it.
fn observing(
    rule: &mut GroupRule,
    cells: &mut Vec<CellKind>,
    value: KeyPart,
    kind: CellKind,
) -> usize {
    for draw in &rule.draws {
        if let Draw::Observe { value: known, cell } = draw
            && *known == value
            && cells[*cell] == kind
        {
            return *cell;
        }
    }
    cells.push(kind);
    let cell = cells.len() - 1;
    rule.draws.push(Draw::Observe { value, cell });
    cell
}
