//! What `weir top` shows: keys, answers and the time go in; what there is to draw, and what
//! to ask for next, come out. Nothing here knows a terminal, a socket or a clock.

mod asks;
mod list;

pub use asks::{Answer, Ask, Charted, ChartsAsk, Detail};
pub use list::{Column, List};

use super::layout::Layout;
use super::text::{Name, Text};
use super::wire::{Pipeline, Rejects, Service, Services};
use crate::time::Timestamp;
use asks::Asking;
use std::sync::Arc;
use std::time::Duration;

/// Spans of a service's charts: their names and seconds, those of the page.
pub const RANGES: [(&str, i64); 4] = [
    ("15 min", 900),
    ("1 h", 3_600),
    ("6 h", 21_600),
    ("24 h", 86_400),
];

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Ctrl(char),
    Enter,
    Escape,
    Backspace,
    Tab,
    BackTab,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Help,
}

/// What a key asks of whoever owns the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Draw,
    /// Everything anew: something else has written on the screen.
    Redraw,
    Suspend,
    Quit,
}

/// What has come from weir.
#[derive(Debug)]
pub enum News {
    Services(Services),
    Pipeline(Box<Pipeline>),
    Lost { why: String, retry_in: Duration },
    Answered(Answer),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    #[default]
    Services,
    Service,
    Pipeline,
}

/// Whether what is shown is of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    Live,
    Lost {
        since: Timestamp,
        why: Text,
        retry_at: Timestamp,
    },
}

/// What the stream has told; nothing until it has.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub services: Arc<Services>,
    pub pipeline: Option<Arc<Pipeline>>,
    /// There has been a list of services, be it empty.
    pub listed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// By the server's clock, in epoch seconds: what is shown is of then.
    pub at: i64,
}

/// The service that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub service: Name,
    pub rule: Name,
}

#[derive(Debug)]
pub struct Model {
    /// Where it is, as the header says it.
    pub source: Text,
    pub view: View,
    pub help: bool,
    pub list: List,
    pub pause: Option<Pause>,
    pub link: Link,
    pub target: Option<Target>,
    /// All samples of rejected lines, not only the newest of each reason.
    pub all_samples: bool,
    /// A place in [`RANGES`].
    pub range: usize,
    now: Timestamp,
    /// What the server's clock is ahead of ours, in seconds.
    skew: i64,
    /// By the server's clock; `None` before its first word.
    heard_at: Option<i64>,
    height: u16,
    latest: Seen,
    seen: Seen,
    asking: Asking,
    scroll: usize,
    /// The most that the view can be scrolled, as it was drawn last.
    scroll_max: usize,
}

impl Model {
    pub fn new(source: &str, now: Timestamp) -> Model {
        Model {
            source: Text::new(source),
            view: View::Services,
            help: false,
            list: List::default(),
            pause: None,
            link: Link::Live,
            target: None,
            all_samples: false,
            range: 0,
            now,
            skew: 0,
            heard_at: None,
            height: 0,
            latest: Seen::default(),
            seen: Seen::default(),
            asking: Asking::default(),
            scroll: 0,
            scroll_max: 0,
        }
    }

    /// What is shown: what came last or, paused, what had come by then.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Lines that the view is scrolled down by.
    pub fn scroll(&self) -> usize {
        self.scroll
    }

    /// When that was that is shown, by the server's clock, in epoch seconds.
    pub fn seen_at(&self) -> i64 {
        match (self.pause, &self.link) {
            (Some(pause), _) => pause.at,
            (None, Link::Lost { .. }) => self.heard_at.unwrap_or_else(|| self.server_now()),
            (None, Link::Live) => self.server_now(),
        }
    }

    /// The server's clock, in epoch seconds.
    pub fn server_now(&self) -> i64 {
        self.now.as_secs() + self.skew
    }

    /// A time of ours by the server's clock.
    pub fn by_server(&self, ours: Timestamp) -> i64 {
        ours.as_secs() + self.skew
    }

    /// When the last word came, by the server's clock.
    pub fn heard_at(&self) -> Option<i64> {
        self.heard_at
    }

    /// Seconds until the next attempt to connect.
    pub fn retry_in(&self) -> Option<i64> {
        match &self.link {
            Link::Live => None,
            Link::Lost { retry_at, .. } => Some(
                retry_at
                    .saturating_since(self.now)
                    .as_millis()
                    .div_ceil(1_000) as i64,
            ),
        }
    }

    /// Windows that ended before this should be closed: they wait for late lines.
    pub fn due(&self) -> i64 {
        let pipeline = self.seen.pipeline.as_ref();
        self.seen_at() - pipeline.map_or(0, |pipeline| pipeline.numbers.windows.grace)
    }

    /// The service that is looked at, as the list has it.
    pub fn service(&self) -> Option<&Service> {
        let target = self.target.as_ref()?;
        let mut services = self.seen.services.services.iter();
        services.find(|service| service.is(&target.rule.id, &target.service.id))
    }

    /// The charts of the service that is looked at.
    pub fn charts(&self) -> Option<&Charted> {
        self.asking.charts.as_ref()
    }

    /// Samples of rejected lines, or why there are none.
    pub fn rejects(&self) -> Option<&Result<Rejects, Text>> {
        self.asking.rejects.as_ref().map(|(_, rejects)| rejects)
    }

    /// Time has passed. Whether something shown has changed by that alone.
    pub fn tick(&mut self, now: Timestamp) -> bool {
        let changed = now.as_secs() != self.now.as_secs();
        self.now = now;
        changed
    }

    pub fn resize(&mut self, height: u16) {
        self.height = height;
        self.settle();
    }

    /// It was drawn, and this is how far down the view goes.
    pub fn drawn(&mut self, scroll_max: usize) {
        self.scroll_max = scroll_max;
        self.scroll = self.scroll.min(scroll_max);
    }

    pub fn news(&mut self, news: News, now: Timestamp) {
        self.tick(now);
        match news {
            News::Services(services) => {
                self.heard(services.now);
                self.latest.services = Arc::new(services);
                self.latest.listed = true;
                self.asking.listed = true;
                self.show_latest();
            }
            News::Pipeline(pipeline) => {
                self.heard(pipeline.numbers.now);
                self.latest.pipeline = Some(Arc::from(pipeline));
                self.show_latest();
            }
            News::Lost { why, retry_in } => {
                let since = match self.link {
                    Link::Lost { since, .. } => since,
                    Link::Live => now,
                };
                self.link = Link::Lost {
                    since,
                    why: Text::new(&why),
                    retry_at: now + retry_in,
                };
            }
            News::Answered(answer) => self.answered(answer),
        }
        self.settle();
    }

    pub fn key(&mut self, key: Key, now: Timestamp) -> Then {
        self.tick(now);
        let then = match key {
            Key::Ctrl('c') => Then::Quit,
            Key::Ctrl('z') => Then::Suspend,
            Key::Ctrl('l') => Then::Redraw,
            _ if self.help => self.help_key(key),
            _ if self.is_typing() => {
                self.filter_key(key);
                Then::Draw
            }
            _ => self.command(key),
        };
        self.settle();
        then
    }

    /// Keys go into the filter.
    pub fn is_typing(&self) -> bool {
        self.list.typing && self.view == View::Services
    }

    fn heard(&mut self, server_now: i64) {
        self.skew = server_now - self.now.as_secs();
        self.heard_at = Some(server_now);
        self.link = Link::Live;
    }

    fn show_latest(&mut self) {
        if self.pause.is_none() {
            self.seen = self.latest.clone();
            self.list.arrange(&self.seen.services);
        }
    }

    fn settle(&mut self) {
        self.list.settle(Layout::of(self.height).rows());
    }

    fn help_key(&mut self, key: Key) -> Then {
        match key {
            Key::Char('?' | 'q') | Key::Help | Key::Escape | Key::Enter => self.help = false,
            _ => self.scroll_key(key),
        }
        if !self.help {
            self.scroll = 0;
        }
        Then::Draw
    }

    fn filter_key(&mut self, key: Key) {
        let services = Arc::clone(&self.seen.services);
        let list = &mut self.list;
        match key {
            Key::Enter | Key::Tab => list.typing = false,
            Key::Escape => {
                list.typing = false;
                list.filter(String::clear, &services);
            }
            Key::Char(char) => list.filter(|filter| filter.push(char), &services),
            Key::Backspace => list.filter(
                |filter| {
                    filter.pop();
                },
                &services,
            ),
            Key::Ctrl('u') => list.filter(String::clear, &services),
            Key::Ctrl('w') => list.filter(without_last_word, &services),
            _ => self.list_key(key),
        }
    }

    fn command(&mut self, key: Key) -> Then {
        match key {
            Key::Char('q') => return Then::Quit,
            Key::Char('?') | Key::Help => {
                self.help = true;
                self.scroll = 0;
            }
            Key::Char('p' | ' ') => self.toggle_pause(),
            Key::Char('1') => self.look_at(View::Services),
            Key::Char('2') => self.look_at(View::Service),
            Key::Char('3') => self.look_at(View::Pipeline),
            Key::Tab => self.look_at(match self.view {
                View::Services => View::Service,
                View::Service => View::Pipeline,
                View::Pipeline => View::Services,
            }),
            Key::BackTab => self.look_at(match self.view {
                View::Services => View::Pipeline,
                View::Service => View::Services,
                View::Pipeline => View::Service,
            }),
            Key::Char('/') => {
                self.look_at(View::Services);
                self.list.typing = true;
            }
            _ => match self.view {
                View::Services => self.services_key(key),
                View::Service => self.service_key(key),
                View::Pipeline => self.pipeline_key(key),
            },
        }
        Then::Draw
    }

    fn services_key(&mut self, key: Key) {
        let services = Arc::clone(&self.seen.services);
        match key {
            Key::Enter => {
                // What was looked at before is not what is meant.
                if self.list.selected(&services.services).is_some() {
                    self.target = None;
                    self.look_at(View::Service);
                }
            }
            Key::Escape => self.list.filter(String::clear, &services),
            Key::Char('s' | '>') => self.list.sort_by(1, &services),
            Key::Char('<') => self.list.sort_by(-1, &services),
            Key::Char('r') => self.list.reverse(&services),
            _ => self.list_key(key),
        }
    }

    fn list_key(&mut self, key: Key) {
        let services = &self.seen.services;
        let page = Layout::of(self.height).rows().max(2) as isize - 1;
        let typing = self.list.typing;
        let list = &mut self.list;
        match key {
            Key::Up => list.step(-1, services),
            Key::Down => list.step(1, services),
            Key::Char('k') if !typing => list.step(-1, services),
            Key::Char('j') if !typing => list.step(1, services),
            Key::PageUp | Key::Ctrl('b') => list.step(-page, services),
            Key::PageDown | Key::Ctrl('f') => list.step(page, services),
            Key::Home => list.home(),
            Key::End => list.end(services),
            Key::Char('g') if !typing => list.home(),
            Key::Char('G') if !typing => list.end(services),
            _ => {}
        }
    }

    fn service_key(&mut self, key: Key) {
        match key {
            Key::Escape => self.look_at(View::Services),
            Key::Left => self.neighbour(-1),
            Key::Right => self.neighbour(1),
            Key::Char('+' | '=') => self.range = self.range.saturating_sub(1),
            Key::Char('-') => self.range = (self.range + 1).min(RANGES.len() - 1),
            _ => self.scroll_key(key),
        }
    }

    fn pipeline_key(&mut self, key: Key) {
        match key {
            Key::Escape => self.look_at(View::Services),
            Key::Enter => self.all_samples = !self.all_samples,
            _ => self.scroll_key(key),
        }
    }

    fn scroll_key(&mut self, key: Key) {
        let page = usize::from(Layout::of(self.height).body).max(2) - 1;
        let to = match key {
            Key::Up | Key::Char('k') => self.scroll.saturating_sub(1),
            Key::Down | Key::Char('j') => self.scroll + 1,
            Key::PageUp | Key::Ctrl('b') => self.scroll.saturating_sub(page),
            Key::PageDown | Key::Ctrl('f') => self.scroll + page,
            Key::Home | Key::Char('g') => 0,
            Key::End | Key::Char('G') => self.scroll_max,
            _ => self.scroll,
        };
        self.scroll = to.min(self.scroll_max);
    }

    fn look_at(&mut self, view: View) {
        self.scroll = 0;
        self.view = view;
        if view == View::Service && self.target.is_none() {
            let selected = self.list.selected(&self.seen.services.services);
            self.target = selected.map(|service| Target {
                service: service.service.clone(),
                rule: service.rule.clone(),
            });
        }
    }

    /// Looks at the service beside this one in the list, and puts the list's cursor there.
    fn neighbour(&mut self, by: isize) {
        let services = Arc::clone(&self.seen.services);
        let here = self.target.as_ref().and_then(|target| {
            let (rule, service) = (&target.rule.id, &target.service.id);
            self.list.place(rule, service, &services)
        });
        if let Some(row) = here {
            self.list.put(row, &services);
        }
        self.list.step(by, &services);
        if let Some(service) = self.list.selected(&services.services) {
            self.target = Some(Target {
                service: service.service.clone(),
                rule: service.rule.clone(),
            });
        }
    }

    fn toggle_pause(&mut self) {
        self.pause = match self.pause {
            None => Some(Pause { at: self.seen_at() }),
            Some(_) => None,
        };
        self.show_latest();
    }
}

fn without_last_word(text: &mut String) {
    let kept = text.trim_end();
    let kept = kept.rfind(' ').map_or(0, |blank| blank + 1);
    text.truncate(kept);
}

#[cfg(test)]
mod tests;
