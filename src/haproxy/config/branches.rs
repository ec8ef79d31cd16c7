//! Which lines are read: the blocks of `.if`, `.elif`, `.else` and `.endif`.

use super::condition::Truth;
use std::ops::Range;

/// How deep blocks may nest, as in HAProxy.
const NESTED_MAX: usize = 15;

#[derive(Default)]
pub(super) struct Branches {
    open: Vec<Block>,
}

struct Block {
    /// The `.if`.
    span: Range<usize>,
    /// Whether the lines around the block are read.
    outer: bool,
    /// Whether the lines of this branch are.
    live: bool,
    /// A branch has been taken.
    taken: bool,
    /// `.else` has been seen.
    last: bool,
    /// A condition was assumed, and nobody has been told yet.
    assumed: bool,
}

impl Branches {
    /// Whether lines here are read.
    pub fn live(&self) -> bool {
        self.open.last().is_none_or(|block| block.live)
    }

    /// Whether a condition on the next `.elif` decides anything.
    pub fn undecided(&self) -> bool {
        self.open
            .last()
            .is_some_and(|block| block.outer && !block.taken)
    }

    /// `.if`; `condition` where the lines around it are read.
    pub fn begin(&mut self, span: Range<usize>, condition: Option<Truth>) -> Result<(), String> {
        if self.open.len() == NESTED_MAX {
            return Err(format!("more than {NESTED_MAX} nested `.if`"));
        }
        let outer = self.live();
        let live = outer && condition.is_some_and(|truth| truth.value);
        self.open.push(Block {
            span,
            outer,
            live,
            taken: live,
            last: false,
            assumed: outer && condition.is_some_and(|truth| truth.assumed),
        });
        Ok(())
    }

    /// `.elif`; `condition` where [`Branches::undecided`].
    pub fn other(&mut self, condition: Option<Truth>) -> Result<(), String> {
        let block = self.before_else(".elif")?;
        block.live = block.outer && !block.taken && condition.is_some_and(|truth| truth.value);
        block.taken |= block.live;
        block.assumed |= block.outer && condition.is_some_and(|truth| truth.assumed);
        Ok(())
    }

    /// `.else`
    pub fn otherwise(&mut self) -> Result<(), String> {
        let block = self.before_else(".else")?;
        block.live = block.outer && !block.taken;
        block.last = true;
        Ok(())
    }

    /// `.endif`
    pub fn end(&mut self) -> Result<(), String> {
        match self.open.pop() {
            Some(_) => Ok(()),
            None => Err("`.endif` without an `.if`".into()),
        }
    }

    /// The `.if` that is still open at the end of the file.
    pub fn unclosed(&self) -> Option<Range<usize>> {
        self.open.last().map(|block| block.span.clone())
    }

    /// The `.if`s that another HAProxy may decide differently for the lines here, each
    /// once.
    pub fn assumed(&mut self) -> Vec<Range<usize>> {
        let told = |block: &mut Block| std::mem::take(&mut block.assumed);
        let open = self.open.iter_mut();
        open.filter_map(|block| told(block).then(|| block.span.clone()))
            .collect()
    }

    fn before_else(&mut self, name: &str) -> Result<&mut Block, String> {
        match self.open.last_mut() {
            None => Err(format!("`{name}` without an `.if`")),
            Some(block) if block.last => Err(format!("`{name}` after `.else`")),
            Some(block) => Ok(block),
        }
    }
}
