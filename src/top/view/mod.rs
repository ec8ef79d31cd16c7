//! The screen: a model in, characters with their styles out, and how far it can be scrolled.
//! The same model looks the same every time.

mod empty;
mod facts;
mod footer;
mod header;
mod help;
mod pipeline;
mod plot;
mod reduce;
mod rejects;
mod row;
mod service;
mod services;
mod sinks;
mod style;
#[cfg(test)]
mod tests;

use super::alarms::alarms;
use super::layout::Layout;
use super::model::{Link, Model, View};
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

/// What the terminal can show, and in which zone its reader lives.
#[derive(Clone, Debug)]
pub struct Look {
    pub colour: bool,
    /// Characters beyond ASCII.
    pub unicode: bool,
    pub zone: TimeZone,
}

/// What was drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Lines that the view can be scrolled down by.
    pub scroll_max: usize,
    /// Where the next character goes that is typed.
    pub cursor: Option<Position>,
}

/// Draws all of it.
pub fn draw(model: &Model, look: &Look, screen: &mut Buffer) -> Drawn {
    let area = screen.area;
    let layout = Layout::of(area.height);
    let alarms = match &model.seen().pipeline {
        Some(pipeline) => alarms(pipeline, &look.zone),
        None => Vec::new(),
    };
    let part = |y: u16, height: u16| Rect {
        y: area.y + y,
        height,
        ..area
    };
    let header = part(0, layout.header);
    let body = part(layout.header, layout.body);
    let footer = part(layout.header + layout.body, layout.footer);

    put(
        &header::lines(model, &alarms, look, header),
        0,
        header,
        screen,
    );
    let place;
    let mut scroll_max = 0;
    if model.view == View::Services && !model.help {
        services::draw(model, body, screen);
        place = services::place(model, layout);
    } else {
        let lines = match (model.help, model.view) {
            (true, _) => help::lines(body.width),
            (_, View::Pipeline) => pipeline::lines(model, &alarms, look, body.width),
            (_, View::Service | View::Services) => service::lines(model, look, body),
        };
        let height = usize::from(body.height);
        scroll_max = lines.len().saturating_sub(height);
        let scroll = model.scroll().min(scroll_max);
        put(&lines, scroll, body, screen);
        place = (scroll_max > 0).then(|| (scroll, scroll + height, lines.len()));
    }
    if model.link != Link::Live && !model.help {
        reduce::dim(screen, body);
    }
    let cursor = footer::draw(model, place, look, footer, screen);
    if !look.colour {
        reduce::without_colour(screen);
    }
    if !look.unicode {
        reduce::ascii(screen);
    }
    Drawn { scroll_max, cursor }
}

/// Of all lines, those that are seen: the first, the one behind the last, and how many there
/// are.
type Place = (usize, usize, usize);

fn put(lines: &[Line<'_>], from: usize, area: Rect, screen: &mut Buffer) {
    for (y, line) in (area.top()..area.bottom()).zip(lines.iter().skip(from)) {
        screen.set_line(area.x, y, line, area.width);
    }
}
