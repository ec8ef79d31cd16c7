//! A row: all cells of one group in one window.

use super::cell::{Cell, CellKind};
use super::layout::{Grouping, RuleLayout};
use serde::{Deserialize, Serialize};
use std::ops::{Deref, DerefMut};

/// The cells of one group in one window, in the order of its grouping's layout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row(Box<[Cell]>);

impl Row {
    /// How many events the counting cell at that place has seen.
    pub fn count(&self, cell: usize) -> u64 {
        match self.0[cell] {
            Cell::Count(count) => count,
            _ => 0,
        }
    }

    /// Whether that rule's condition let no event through.
    pub fn is_silent(&self, rule: &RuleLayout) -> bool {
        self.count(rule.matched) == 0
    }

    /// Whether it has cells of those kinds.
    pub fn fits(&self, kinds: &[CellKind]) -> bool {
        let mut pairs = kinds.iter().zip(&self.0);
        self.0.len() == kinds.len() && pairs.all(|(kind, cell)| kind.fits(cell))
    }

    /// Moves a rule's cells into `to`, and leaves empty ones.
    pub fn move_rule(&mut self, grouping: &Grouping, rule: &RuleLayout, to: &mut Row) {
        for place in rule.cells.clone() {
            let empty = grouping.cells[place].empty();
            to.0[place].merge(&std::mem::replace(&mut self.0[place], empty));
        }
    }

    /// Makes what is computed of it cheap: nothing more comes, or not much.
    pub fn prepare(&mut self) {
        self.0.iter_mut().for_each(Cell::prepare);
    }

    /// Takes in another worker's part of the same row.
    pub fn merge(&mut self, other: &Row) {
        for (cell, part) in self.0.iter_mut().zip(&other.0) {
            cell.merge(part);
        }
    }
}

impl FromIterator<Cell> for Row {
    fn from_iter<I: IntoIterator<Item = Cell>>(cells: I) -> Self {
        Row(cells.into_iter().collect())
    }
}

impl Deref for Row {
    type Target = [Cell];
    fn deref(&self) -> &[Cell] {
        &self.0
    }
}

impl DerefMut for Row {
    fn deref_mut(&mut self) -> &mut [Cell] {
        &mut self.0
    }
}
