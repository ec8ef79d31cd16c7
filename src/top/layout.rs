//! How the screen's lines are shared out, for whoever scrolls and for whoever draws.

/// Lines of each part, from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub header: u16,
    pub body: u16,
    pub footer: u16,
}

impl Layout {
    /// Of a screen with so many lines: the body needs four, then the header's first line and
    /// the footer come, and then the rest of the header.
    pub fn of(height: u16) -> Layout {
        let header = match height {
            9.. => 3,
            6.. => 1,
            _ => 0,
        };
        let footer = u16::from(height >= 5);
        Layout {
            header,
            body: height - header - footer,
            footer,
        }
    }

    /// Services that are seen at once, below the line with the columns' names.
    pub fn rows(self) -> usize {
        usize::from(self.body.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_screen_keeps_the_rows_and_loses_what_is_around_them() {
        let rows = |height| Layout::of(height).rows();
        assert_eq!(
            [24, 9, 8, 6, 5, 4, 1, 0].map(rows),
            [19, 4, 5, 3, 3, 3, 0, 0]
        );
    }
}
