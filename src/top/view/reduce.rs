//! What a terminal cannot show is taken out of the drawn screen: colours, or all but ASCII.
//!
//! It is done to the whole screen at the end, so that nothing is forgotten.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

/// No cell has a colour any more.
pub fn without_colour(screen: &mut Buffer) {
    for cell in &mut screen.content {
        cell.fg = Color::Reset;
        cell.bg = Color::Reset;
    }
}

/// Each character that is not ASCII becomes the one that is most like it.
pub fn ascii(screen: &mut Buffer) {
    for cell in &mut screen.content {
        let mut chars = cell.symbol().chars();
        if let Some(char) = chars.next().filter(|char| !char.is_ascii()) {
            cell.set_char(like(char));
        }
    }
}

/// What is there is of another time than now.
pub fn dim(screen: &mut Buffer, area: Rect) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let cell = &mut screen[(x, y)];
            cell.modifier.remove(Modifier::BOLD);
            cell.modifier.insert(Modifier::DIM);
        }
    }
}

fn like(char: char) -> char {
    match char {
        '–' | '−' | '─' => '-',
        '│' | '↕' => '|',
        '…' => '~',
        '×' => 'x',
        '·' => '.',
        '“' | '”' => '"',
        '▼' | '↓' => 'v',
        '▲' | '↑' => '^',
        '◆' => '*',
        '←' => '<',
        '→' => '>',
        '▁' => '_',
        '▂' => '.',
        '▃' => '-',
        '▄' | '▅' => '=',
        '▆' => '+',
        '▇' => '*',
        '█' => '#',
        '\u{2800}'..='\u{28ff}' => dots(u32::from(char) - 0x2800),
        _ => '?',
    }
}

/// A Braille pattern by where most of its dots are.
fn dots(bits: u32) -> char {
    let (upper, middle, lower) = (bits & 0x09, bits & 0x36, bits & 0xc0);
    match (upper > 0, middle > 0, lower > 0) {
        (true, _, true) => '|',
        (true, _, _) => '\'',
        (_, _, true) => '.',
        _ => '-',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;

    #[test]
    fn everything_has_a_likeness_of_the_same_width() {
        let mut screen = Buffer::with_lines(["▁█ – 4× “日本” ⢸⣀⠉é▼"]);
        ascii(&mut screen);
        assert_eq!(screen, Buffer::with_lines(["_# - 4x \"? ? \" |.'?v"]));
    }

    #[test]
    fn colours_go_and_the_rest_of_the_style_stays() {
        let mut screen = Buffer::empty(Rect::new(0, 0, 3, 1));
        let style = Style::new()
            .fg(Color::Red)
            .bg(Color::Indexed(9))
            .add_modifier(Modifier::BOLD | Modifier::REVERSED);
        screen.set_string(0, 0, "bad", style);
        without_colour(&mut screen);
        let plain = Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED);
        let mut expected = Buffer::empty(Rect::new(0, 0, 3, 1));
        expected.set_string(0, 0, "bad", plain);
        assert_eq!(screen, expected);
    }
}
