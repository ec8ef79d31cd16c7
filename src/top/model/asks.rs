//! What the stream does not tell and has to be asked for: a service's charts, and samples
//! of rejected lines. One question at a time, and at most one a second.

use super::{Link, Model, RANGES, View};
use crate::time::Timestamp;
use crate::top::text::Text;
use crate::top::wire::{Charts, Rejects};
use std::time::Duration;

/// Between two questions.
const PACE: Duration = Duration::from_secs(1);
/// Seconds after which charts are asked for anew although no window has closed.
const STALE: i64 = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    Charts(ChartsAsk),
    /// Of these there are samples.
    Rejects(RejectsVersion),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartsAsk {
    pub service: String,
    pub rule: String,
    /// Epoch seconds.
    pub from: i64,
    pub to: i64,
}

#[derive(Debug)]
pub enum Answer {
    Charts(ChartsAsk, Result<Charts, String>),
    Rejects(RejectsVersion, Result<Rejects, String>),
}

/// Which samples these are: of which run of weir, how many were ever taken.
pub type RejectsVersion = (i64, u64);

/// The charts of the service that is looked at.
#[derive(Debug, PartialEq)]
pub struct Charted {
    pub ask: ChartsAsk,
    /// `None`: they are on their way.
    pub charts: Option<Result<Charts, Text>>,
}

/// What of a service's charts there is to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Detail<'a> {
    Loading,
    Failed(&'a Text),
    Here(&'a Charts),
}

impl Charted {
    pub fn detail(&self) -> Detail<'_> {
        match &self.charts {
            None => Detail::Loading,
            Some(Ok(charts)) => Detail::Here(charts),
            Some(Err(why)) => Detail::Failed(why),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Asking {
    /// A question is under way.
    busy: bool,
    asked_at: Option<Timestamp>,
    /// A list of services has come since charts were asked for: a window may have closed.
    pub listed: bool,
    pub charts: Option<Charted>,
    /// Without a version they could not be had.
    pub rejects: Option<(Option<RejectsVersion>, Result<Rejects, Text>)>,
}

impl Model {
    /// The next question, if there is one to be asked now.
    pub fn ask(&mut self) -> Option<Ask> {
        let asked_lately = self.asking.asked_at.is_some_and(|asked_at| {
            // The clock may have been set back since.
            asked_at <= self.now && self.now.saturating_since(asked_at) < PACE
        });
        if self.asking.busy || asked_lately || self.link != Link::Live || self.heard_at.is_none() {
            return None;
        }
        let ask = match self.view {
            View::Services => None,
            View::Service => self.charts_ask().map(Ask::Charts),
            View::Pipeline => self.rejects_ask().map(Ask::Rejects),
        }?;
        self.asking.busy = true;
        self.asking.asked_at = Some(self.now);
        if let Ask::Charts(ask) = &ask {
            self.asking.listed = false;
            if !self.is_shown(ask) {
                self.asking.charts = Some(Charted {
                    ask: ask.clone(),
                    charts: None,
                });
            }
        }
        Some(ask)
    }

    pub(super) fn answered(&mut self, answer: Answer) {
        self.asking.busy = false;
        match answer {
            Answer::Charts(ask, charts) => {
                if self.is_shown(&ask) {
                    self.asking.charts = Some(Charted {
                        ask,
                        charts: Some(charts.map_err(|why| Text::new(&why))),
                    });
                }
            }
            Answer::Rejects(version, rejects) => {
                let version = rejects.is_ok().then_some(version);
                let rejects = rejects.map_err(|why| Text::new(&why));
                self.asking.rejects = Some((version, rejects));
            }
        }
    }

    /// Whether the charts that are shown are such, of another time perhaps.
    fn is_shown(&self, ask: &ChartsAsk) -> bool {
        let shown = self.asking.charts.as_ref().map(|charted| &charted.ask);
        shown.is_some_and(|shown| {
            shown.service == ask.service
                && shown.rule == ask.rule
                && shown.to - shown.from == ask.to - ask.from
        })
    }

    fn charts_ask(&self) -> Option<ChartsAsk> {
        let target = self.target.as_ref()?;
        let to = self.seen_at();
        let ask = ChartsAsk {
            service: target.service.id.clone(),
            rule: target.rule.id.clone(),
            from: to - RANGES[self.range].1,
            to,
        };
        if !self.is_shown(&ask) {
            return Some(ask);
        }
        let age = to - self.asking.charts.as_ref()?.ask.to;
        // A wide span is much data and moves slowly on screen.
        let pace = (RANGES[self.range].1 / 900).clamp(1, 60);
        let due = match self.asking.listed {
            true => pace,
            false => pace.max(STALE),
        };
        // Paused, the time stands still, and nothing is asked for again; a clock that was set
        // back is no reason to wait for it.
        let moved = age >= due || (age < 0 && self.pause.is_none());
        moved.then_some(ask)
    }

    fn rejects_ask(&self) -> Option<RejectsVersion> {
        let pipeline = self.seen.pipeline.as_ref()?;
        let version = (pipeline.numbers.started, pipeline.samples);
        let known = self.asking.rejects.as_ref().map(|(version, _)| *version);
        let wanted = match known {
            None => pipeline.numbers.rejected() > 0,
            Some(known) => known != Some(version) && self.pause.is_none(),
        };
        wanted.then_some(version)
    }
}
