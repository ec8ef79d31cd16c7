//! The last line: keys, where the view is scrolled to, and the filter while it is typed.

use super::header::status;
use super::row::{Piece, plain, row, span, spans_width};
use super::style::{BAR, FAINT, PLAIN, STRONG};
use super::{Look, Place, put};
use crate::top::layout::Layout;
use crate::top::model::{Model, View};
use crate::top::text::{Text, width};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

/// A key, what it does, and how long it stays where there is little room.
type Hint = (&'static str, &'static str, u8);

const HELP: [Hint; 2] = [("?", "Help", 8), ("q", "Quit", 9)];

pub fn draw(
    model: &Model,
    place: Option<Place>,
    look: &Look,
    area: Rect,
    screen: &mut Buffer,
) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    let columns = usize::from(area.width);
    let typing = model.is_typing() && !model.help;
    let (line, cursor) = match typing {
        true => filter(model, columns),
        false => (
            keys(
                model,
                right(model, place, look, screen.area.height),
                columns,
            ),
            0,
        ),
    };
    put(&[line], 0, area, screen);
    typing.then(|| Position::new(area.x + cursor, area.y))
}

/// Where the view is scrolled to; and whether it is of now, where no other line says so.
fn right(model: &Model, place: Option<Place>, look: &Look, height: u16) -> Vec<Span<'static>> {
    if Layout::of(height).header == 0 {
        return status(model, look);
    }
    match place {
        Some((from, to, all)) => {
            let more = match (from > 0, to < all) {
                (true, true) => '↕',
                (true, false) => '↑',
                (false, _) => '↓',
            };
            vec![span(format!("{more} {}/{all}", to.min(all)), FAINT)]
        }
        None => Vec::new(),
    }
}

fn keys(model: &Model, right: Vec<Span<'static>>, columns: usize) -> Line<'static> {
    if model.help {
        let pieces = [("Esc", "Back", 9), ("↑↓", "Scroll", 7)];
        return row(pieces.map(hint).into(), right, columns);
    }
    let views = [
        ("1", "Services", 6, View::Services),
        ("2", "Service", 6, View::Service),
        ("3", "Pipeline", 6, View::Pipeline),
    ];
    let mut pieces: Vec<Piece> = views
        .into_iter()
        .map(|(key, does, weight, view)| {
            let style = if view == model.view { BAR } else { PLAIN };
            let spans = vec![span(key, STRONG), plain(" "), span(does, style)];
            Piece::new(weight, spans)
        })
        .collect();
    let pause = match model.pause {
        None => "Pause",
        Some(_) => "Go on",
    };
    let own: &[Hint] = match model.view {
        View::Services => &[
            ("Enter", "Open", 1),
            ("/", "Filter", 5),
            ("s", "Sort", 4),
            ("r", "Reverse", 2),
            ("p", pause, 3),
        ],
        View::Service => &[
            ("Esc", "Back", 7),
            ("←→", "Others", 4),
            ("+-", "Span", 5),
            ("p", pause, 3),
        ],
        View::Pipeline => &[
            ("Esc", "Back", 7),
            ("Enter", if model.all_samples { "Fewer" } else { "More" }, 4),
            ("p", pause, 3),
        ],
    };
    pieces.extend(own.iter().copied().map(hint));
    pieces.extend(HELP.map(hint));
    row(pieces, right, columns)
}

fn hint((key, does, weight): Hint) -> Piece {
    Piece::new(weight, vec![span(key, STRONG), plain(format!(" {does}"))])
}

/// The filter with the column of its cursor: of a long one, its end.
fn filter(model: &Model, columns: usize) -> (Line<'static>, u16) {
    let hints = [("Enter", "Keep", 2), ("Esc", "Clear", 1)].map(hint);
    let typed = Text::new(&model.list.filter);
    let room = columns.saturating_sub(3);
    let mut shown = typed.chars();
    while width(shown.as_str()) > room {
        shown.next();
    }
    let before = vec![span("/", STRONG), plain(shown.as_str())];
    let cursor = 1 + spans_width(&before);
    let mut pieces = vec![Piece::new(9, before)];
    pieces.extend(hints);
    let cursor = u16::try_from(cursor.min(columns.saturating_sub(1))).unwrap_or(0);
    (row(pieces, Vec::new(), columns), cursor)
}
