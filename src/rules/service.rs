//! What `service` stands for, for those who print events and run no rules.

use super::expr::Text;
use super::{Options, compile};
use crate::haproxy::Event;
use crate::source::Problem;

/// The service of an event: its frontend unless configured otherwise.
#[derive(Clone, Debug)]
pub struct Service(Text);

impl Service {
    /// # Errors
    ///
    /// Everything that is wrong with the configured expression.
    pub fn new(options: &Options) -> Result<Service, Vec<Problem>> {
        let mut problems = Vec::new();
        let text = compile::service(options, &mut problems);
        match problems.is_empty() {
            true => Ok(Service(text)),
            false => Err(problems),
        }
    }

    /// What rules were compiled with.
    pub(super) fn compiled(text: Text) -> Service {
        Service(text)
    }

    /// `None` where the line does not say.
    pub fn of<'a>(&'a self, event: &Event<'a>) -> Option<&'a [u8]> {
        self.0.of(event)
    }
}
