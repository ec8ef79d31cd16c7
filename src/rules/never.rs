//! Conditions that hold for no event, whatever a line says.
//!
//! What a rule's writer meant then is something else. Only what is certain is told: terms
//! that exclude each other, values that a field never has, fields that a kind of line never
//! has. The proof is by pairs of terms, of which each is taken as its typed expression;
//! what is not understood of it is taken to be possible.

mod claim;
mod fact;
mod field;
mod needs;

use super::cel::{Node, Operator, Syntax};
use super::check;
use super::schema::Schema;
use crate::source::Fault;
use claim::Claim;

/// So many reasons are given where every side of an `||` has its own.
const REASONS_SHOWN: usize = 3;

/// Why the condition can never hold, if that is certain. It has been checked against the
/// same schema.
pub(super) fn never(condition: &Node, schema: &Schema<'_>) -> Option<Fault> {
    let mut search = Search {
        schema,
        claims: Vec::new(),
    };
    let Refuted { node, reason, hint } = search.refute(Term::of(condition, true))?;
    let message = format!("this can never hold: {reason}");
    Some(Fault::new(node.span.clone(), message).hint(hint))
}

/// A part of a condition, and whether it is taken to hold or not to hold.
#[derive(Clone, Copy)]
struct Term<'a> {
    /// As it is written.
    whole: &'a Node,
    /// Without the `!` before it.
    node: &'a Node,
    holds: bool,
}

/// What cannot be.
struct Refuted<'a> {
    node: &'a Node,
    reason: String,
    hint: String,
}

struct Search<'a> {
    schema: &'a Schema<'a>,
    /// What is claimed where the search is: by the terms beside it and around it.
    claims: Vec<Claim<'a>>,
}

impl<'a> Search<'a> {
    /// Why the term cannot be beside what is claimed already. A condition is true or false,
    /// so `!(a || b)` is `!a && !b`.
    fn refute(&mut self, term: Term<'a>) -> Option<Refuted<'a>> {
        let before = self.claims.len();
        let refuted = self.refute_all(term);
        self.claims.truncate(before);
        refuted
    }

    fn refute_all(&mut self, term: Term<'a>) -> Option<Refuted<'a>> {
        let mut choices = Vec::new();
        for term in term.sides(Operator::And) {
            match term.joined_by() {
                Some(Operator::Or) => choices.push(term),
                _ => {
                    let Some(claim) = self.claim(term) else {
                        continue;
                    };
                    let refuted = claim
                        .impossible()
                        .or_else(|| self.claims.iter().find_map(|other| claim.excludes(other)));
                    self.claims.push(claim);
                    if let Some((reason, hint)) = refuted.or_else(|| claim::unseen(&self.claims)) {
                        let node = term.whole;
                        return Some(Refuted { node, reason, hint });
                    }
                }
            }
        }
        // They are weighed against the terms on either side of them.
        choices.into_iter().find_map(|term| self.refute_each(term))
    }

    /// Every side of an `||` cannot be.
    fn refute_each(&mut self, term: Term<'a>) -> Option<Refuted<'a>> {
        let mut reasons: Vec<String> = Vec::new();
        let mut hint = None;
        for side in term.sides(Operator::Or) {
            let refuted = self.refute(side)?;
            hint.get_or_insert(refuted.hint);
            if !reasons.contains(&refuted.reason) {
                reasons.push(refuted.reason);
            }
        }
        if reasons.len() > REASONS_SHOWN {
            let more = reasons.len() - REASONS_SHOWN;
            reasons.truncate(REASONS_SHOWN);
            reasons.push(format!("{more} more"));
        }
        Some(Refuted {
            node: term.whole,
            reason: reasons.join("; "),
            hint: hint?,
        })
    }

    /// What a term without `&&` and `||` claims. `None` for what the check refuses, of
    /// which the writer hears otherwise.
    fn claim(&self, term: Term<'a>) -> Option<Claim<'a>> {
        let condition = check::condition(term.node, self.schema).ok()?;
        Some(Claim::new(term.node, term.holds, condition))
    }
}

impl<'a> Term<'a> {
    fn of(whole: &'a Node, holds: bool) -> Self {
        let mut term = Term {
            whole,
            node: whole,
            holds,
        };
        while let Syntax::Not(inner) = &term.node.kind {
            term.node = inner;
            term.holds = !term.holds;
        }
        term
    }

    /// What joins its sides, once a negation around them is drawn inside.
    fn joined_by(self) -> Option<Operator> {
        match (&self.node.kind, self.holds) {
            (Syntax::Binary(Operator::And, _), true) => Some(Operator::And),
            (Syntax::Binary(Operator::Or, _), false) => Some(Operator::And),
            (Syntax::Binary(Operator::Or, _), true) => Some(Operator::Or),
            (Syntax::Binary(Operator::And, _), false) => Some(Operator::Or),
            _ => None,
        }
    }

    /// The terms that the operator joins, in their order; the term itself if it joins none.
    fn sides(self, operator: Operator) -> Vec<Term<'a>> {
        let (mut sides, mut left) = (Vec::new(), vec![self]);
        while let Some(term) = left.pop() {
            match &term.node.kind {
                Syntax::Binary(_, both) if term.joined_by() == Some(operator) => {
                    let side = |node| Term::of(node, term.holds);
                    left.extend([side(&both[1]), side(&both[0])]);
                }
                _ => sides.push(term),
            }
        }
        sides
    }
}

#[cfg(test)]
mod tests;
