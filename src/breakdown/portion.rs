//! Which lines are looked at: all, until there are too many of them in a second.

use fastrand::Rng;

/// Lines of a second that one worker looks at, every one of them.
pub const PACE: u32 = 4_000;

/// Lines that it looks at, when there are more, before it halves the share.
const STEP: u32 = PACE / 8;

/// Of more lines than this to each that is looked at there is no use.
const EVERY_MAX: u32 = 1 << 20;

/// Chooses lines. Beyond [`PACE`] in a second one of two is looked at, then one of four and so
/// on; the next second begins with the share that this one would have needed.
///
/// Which ones is left to chance: requests take turns over servers, and every fourth line may
/// be of the same one. A line that is looked at counts as many times as there are lines to it
/// on average.
#[derive(Clone, Debug)]
pub struct Portion {
    /// To the next line that is looked at, which is one of them.
    wait: u32,
    /// What that line counts.
    weight: u32,
    /// One line of so many is looked at.
    every: u32,
    /// Lines that are looked at before `every` doubles.
    left: u32,
    /// Since the second began.
    lines: u32,
    random: Rng,
}

impl Portion {
    pub fn new(seed: u64) -> Self {
        Portion {
            wait: 1,
            weight: 1,
            every: 1,
            left: PACE,
            lines: 0,
            random: Rng::with_seed(seed),
        }
    }

    /// What the next line counts, where it is to be looked at.
    #[inline]
    pub fn weigh(&mut self) -> Option<u32> {
        self.lines = self.lines.saturating_add(1);
        self.wait -= 1;
        match self.wait {
            0 => Some(self.choose()),
            _ => None,
        }
    }

    /// A second is over.
    pub fn next_second(&mut self) {
        let needed = (self.lines / PACE)
            .max(1)
            .next_power_of_two()
            .min(EVERY_MAX);
        self.lines = 0;
        self.left = PACE;
        if needed != self.every {
            self.every = needed;
            self.draw();
        }
    }

    fn choose(&mut self) -> u32 {
        let weight = self.weight;
        self.left -= 1;
        if self.left == 0 {
            self.every = (self.every * 2).min(EVERY_MAX);
            self.left = STEP;
        }
        self.draw();
        weight
    }

    fn draw(&mut self) {
        self.weight = self.every;
        self.wait = match self.every {
            1 => 1,
            // As many on average.
            every => self.random.u32(1..2 * every),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines that are looked at, and what they count.
    fn look(portion: &mut Portion, lines: u32) -> (u32, u64) {
        let weights: Vec<u32> = (0..lines).filter_map(|_| portion.weigh()).collect();
        (
            weights.len() as u32,
            weights.iter().map(|weight| u64::from(*weight)).sum(),
        )
    }

    #[test]
    fn up_to_the_pace_every_line_is_looked_at() {
        let mut portion = Portion::new(1);
        for lines in [1, 100, PACE - 1, PACE, 5] {
            assert_eq!(look(&mut portion, lines), (lines, u64::from(lines)));
            portion.next_second();
        }
    }

    #[test]
    fn of_more_lines_few_are_looked_at_and_count_for_all() {
        for seed in 0..20 {
            let mut portion = Portion::new(seed);
            for (second, lines) in [1_000_000, 1_000_000, 300_000, 30_000]
                .into_iter()
                .enumerate()
            {
                let (looked, counted) = look(&mut portion, lines);
                assert!(looked <= 3 * PACE, "second {second}: {looked}");
                let off = (counted as f64 / f64::from(lines) - 1.0).abs();
                // Where there are suddenly fewer, it is known from some hundreds.
                assert!(off < 0.15, "second {second}: {counted} of {lines}");
                portion.next_second();
            }
            portion.next_second();
            // It is exact again when there are few.
            assert_eq!(look(&mut portion, 100), (100, 100));
        }
    }

    #[test]
    fn chance_does_not_keep_to_one_server() {
        let mut portion = Portion::new(1);
        look(&mut portion, 200_000);
        portion.next_second();
        let mut of_server = [0; 4];
        for line in 0..200_000 {
            if let Some(weight) = portion.weigh() {
                of_server[line % 4] += weight;
            }
        }
        for counted in of_server {
            assert!((45_000..55_000).contains(&counted), "{of_server:?}");
        }
    }
}
