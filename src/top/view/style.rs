//! How things look. Colours are the terminal's own sixteen, so that they suit its background,
//! and nothing is told by colour alone: there is a word or a glyph beside each.

use crate::top::wire::{MarkKind, Severity};
use ratatui::style::{Color, Modifier, Style};

pub const PLAIN: Style = Style::new();
pub const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
/// What explains a number.
pub const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
/// A line with the names of columns, and keys.
pub const BAR: Style = Style::new().add_modifier(Modifier::REVERSED);
pub const SELECTED: Style = Style::new()
    .add_modifier(Modifier::REVERSED)
    .add_modifier(Modifier::BOLD);
pub const HEADING: Style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
pub const NAME: Style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
/// Something is not as it usually is: paused, or without a connection.
pub const NOTICE: Style = Style::new()
    .fg(Color::Yellow)
    .add_modifier(Modifier::BOLD)
    .add_modifier(Modifier::REVERSED);
pub const SPARK: Style = Style::new().fg(Color::Cyan);
/// p50, p95 and p99.
pub const LINES: [Style; 3] = [
    Style::new().fg(Color::Green),
    Style::new().fg(Color::Cyan),
    Style::new().fg(Color::Magenta),
];

pub fn severity(severity: Severity) -> Style {
    match severity {
        Severity::Ok => Style::new().fg(Color::Green),
        Severity::Warn => Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD),
        Severity::Bad => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    }
}

pub fn mark(kind: MarkKind) -> (&'static str, Style) {
    match kind {
        MarkKind::Bad => ("▼", severity(Severity::Bad)),
        MarkKind::Ok => ("▲", severity(Severity::Ok)),
        MarkKind::Info => ("◆", Style::new().fg(Color::Cyan)),
    }
}
