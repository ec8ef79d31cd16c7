//! Rules: [`Event`](crate::haproxy::Event)s in, [`Delta`](crate::delta::Delta)s out.
//!
//! ```text
//! file (YAML) -> cel (syntax) -> check (types, schema) -> compile -> lower -> Layout + program
//!                                                      Event + program -> eval -> Delta
//! ```
//!
//! [`load`] reads rule files and says everything that is wrong with them, or gives
//! [`Rules`] that cannot fail any more; an [`Evaluator`] runs them, and
//! [`Rules::explain`] tells what they do with one event.
//!
//! Nothing here knows what becomes of a delta: windows do not exist here, nor do
//! clocks and sockets. Only `read` touches the disk.

mod address;
mod cel;
mod changes;
mod check;
mod compile;
mod described;
mod eval;
mod explain;
mod expr;
mod file;
mod grouping;
mod lower;
mod mask;
mod naming;
mod never;
mod pattern;
mod program;
mod quantity;
mod read;
mod reads;
mod routes;
mod schema;
mod service;
mod term;
mod unit;
mod values;

pub use changes::Changes;
#[cfg(test)]
pub(crate) use file::known_keys;
#[cfg(test)]
pub(crate) use unit::names as units;

pub use described::{Described, DescribedMeasure};
pub use eval::{Evaluator, Outcome};
pub use explain::{Drawn, Explained, Matched, Moved};
pub(crate) use read::is_rule_file;
pub use read::{ReadError, bundled, bundled_tests, read, rule_files, test_files};
pub(crate) use routes::fold as fold_path;
pub use service::Service;
pub use values::{ValueUnit, Values, Whole};

use crate::delta::{Layout, RuleLayout};
use crate::haproxy::{FieldNames, FieldSet};
use crate::source::{Placed, Problem, Source};
use reads::Reads;
use std::sync::Arc;

/// What rules depend on besides their files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// What the field `service` stands for: a CEL expression for a string, such as
    /// `backend`. `None` is `frontend`.
    pub service: Option<Placed>,
    /// Which headers the formats capture and which fields they add.
    pub names: FieldNames,
}

/// Compiles rule files.
///
/// # Errors
///
/// Everything that is wrong with them, in the order of the files. A set of rules is
/// good as a whole or not at all.
pub fn load(sources: &[Source], options: &Options) -> Result<Rules, Vec<Problem>> {
    compile::load(sources, options)
}

/// A rule as its writer knows it.
#[derive(Debug)]
struct WrittenRule {
    file: Arc<str>,
    /// `None` without a `where`.
    condition: Option<Arc<str>>,
    place: RulePlace,
    /// In the order of the layout's.
    measures: Vec<WrittenMeasure>,
}

/// A measure as its writer knows it.
#[derive(Debug)]
struct WrittenMeasure {
    name: Arc<str>,
    values: Values,
}

/// Where a rule is in the layout and in the program.
#[derive(Clone, Copy, Debug)]
struct RulePlace {
    grouping: usize,
    /// Within the grouping.
    rule: usize,
}

/// A compiled set of rules. It does not change.
#[derive(Debug)]
pub struct Rules {
    layout: Arc<Layout>,
    /// One for each grouping of the layout, in its order.
    groups: Vec<program::Group>,
    written: Vec<WrittenRule>,
    files: Vec<Arc<str>>,
    service: Service,
}

impl Rules {
    /// What `service` stands for.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// What the cells of the deltas mean.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The fields of events that they look at; what is in the others does not matter to them.
    pub fn fields(&self) -> FieldSet {
        let mut fields = FieldSet::default();
        self.groups.as_slice().reads(&mut fields);
        fields
    }

    /// The files they come from, as they were named.
    pub fn files(&self) -> &[Arc<str>] {
        &self.files
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.written.len()
    }

    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// The rules' names, in the order of the files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.written
            .iter()
            .map(|written| &*self.rule_layout(written.place).name)
    }

    /// The rules' names, each with its file's, in the order of the files.
    pub fn placed(&self) -> impl Iterator<Item = (&str, &str)> {
        let written = self.written.iter();
        written.map(|written| (&*self.rule_layout(written.place).name, &*written.file))
    }

    fn rule_layout(&self, place: RulePlace) -> &RuleLayout {
        &self.layout.groupings[place.grouping].rules[place.rule]
    }
}

#[cfg(test)]
mod tests;
