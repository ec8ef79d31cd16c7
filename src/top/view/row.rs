//! Lines of pieces, of which the less important give way where there is no room.

use super::style::PLAIN;
use crate::top::text::{fit, width};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Blanks between pieces.
const GAP: usize = 2;

/// Something that is shown as a whole or not at all.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    pub spans: Vec<Span<'static>>,
    /// Pieces with the lowest number give way first, of equal ones the last.
    pub weight: u8,
}

impl Piece {
    pub fn new(weight: u8, spans: Vec<Span<'static>>) -> Piece {
        Piece { spans, weight }
    }

    pub fn of(weight: u8, text: impl Into<String>, style: Style) -> Piece {
        Piece::new(weight, vec![span(text, style)])
    }

    fn width(&self) -> usize {
        spans_width(&self.spans)
    }
}

pub fn span(text: impl Into<String>, style: Style) -> Span<'static> {
    Span::styled(text.into(), style)
}

pub fn plain(text: impl Into<String>) -> Span<'static> {
    span(text, PLAIN)
}

pub fn spans_width(spans: &[Span<'_>]) -> usize {
    spans.iter().map(|span| width(&span.content)).sum()
}

/// Pieces from the left and something at the right end, which is kept whole as long as
/// there is a column for it. Each end has a blank beside it.
pub fn row(mut pieces: Vec<Piece>, right: Vec<Span<'static>>, columns: usize) -> Line<'static> {
    let right_width = spans_width(&right);
    let room = columns.saturating_sub(2);
    let room = match right_width {
        0 => room,
        _ => room.saturating_sub(right_width + GAP),
    };
    let needed = |pieces: &[Piece]| {
        let widths = pieces.iter().map(Piece::width).sum::<usize>();
        widths + GAP * pieces.len().saturating_sub(1)
    };
    while needed(&pieces) > room {
        let lightest = pieces.iter().enumerate().rev();
        let Some((at, _)) = lightest.min_by_key(|(_, piece)| piece.weight) else {
            break;
        };
        pieces.remove(at);
    }
    let mut spans = vec![plain(" ")];
    for (n, piece) in pieces.into_iter().enumerate() {
        if n > 0 {
            spans.push(plain(" ".repeat(GAP)));
        }
        spans.extend(piece.spans);
    }
    if right_width > 0 {
        let blanks = columns.saturating_sub(spans_width(&spans) + right_width + 1);
        spans.push(plain(" ".repeat(blanks)));
        spans.extend(right);
    }
    Line::from(spans)
}

/// A text that is shortened until it fits beside what is at the right end; that goes where
/// the text would have less than half of its room.
pub fn text_row(
    before: Vec<Span<'static>>,
    text: &str,
    style: Style,
    right: Vec<Span<'static>>,
    columns: usize,
) -> Line<'static> {
    let room = columns.saturating_sub(2 + spans_width(&before));
    let beside = room.saturating_sub(spans_width(&right) + GAP);
    let (room, right) = match right.is_empty() || beside * 2 < width(text).min(room) {
        true => (room, Vec::new()),
        false => (beside, right),
    };
    let mut spans = before;
    spans.push(span(fit(text, room), style));
    row(vec![Piece::new(0, spans)], right, columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lightest_pieces_give_way() {
        let shown = |columns| {
            let pieces = vec![
                Piece::of(3, "weir", PLAIN),
                Piece::of(1, "somewhere", PLAIN),
                Piece::of(2, "demo", PLAIN),
            ];
            row(pieces, vec![plain("live")], columns).to_string()
        };
        assert_eq!(shown(30), " weir  somewhere  demo   live");
        assert_eq!(shown(29), " weir  somewhere  demo  live");
        assert_eq!(shown(28), " weir  demo            live");
        assert_eq!(shown(12), " weir  live");
        assert_eq!(shown(8), "   live");
    }

    #[test]
    fn a_text_is_cut_only_after_its_neighbour_has_gone() {
        let shown = |columns| {
            let right = vec![plain("10 services")];
            text_row(
                vec![plain("bad ")],
                "the disk is full",
                PLAIN,
                right,
                columns,
            )
            .to_string()
        };
        assert_eq!(shown(36), " bad the disk is full   10 services");
        assert_eq!(shown(30), " bad the disk i…  10 services");
        assert_eq!(shown(22), " bad the disk is full");
        assert_eq!(shown(14), " bad the dis…");
    }
}
