//! How much memory this process takes: the other thing that is asked of the system, beside the
//! time.

use std::fs;

/// Bytes of this process that are in memory: `VmRSS` of `/proc/self/status`
/// (proc_pid_status(5)). `None` where the system does not say.
pub fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib = line.trim().strip_suffix("kB")?;
    kib.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Whether there is room below a bound, without wavering at it.
#[derive(Clone, Copy, Debug)]
pub struct Gauge {
    max: u64,
    is_full: bool,
}

impl Gauge {
    /// Full from `max` bytes on, until there are a tenth less.
    pub fn new(max: u64) -> Self {
        Gauge {
            max,
            is_full: false,
        }
    }

    /// Whether it is full now.
    pub fn is_full(&mut self, resident: u64) -> bool {
        self.is_full = match self.is_full {
            true => resident > self.max / 10 * 9,
            false => resident >= self.max,
        };
        self.is_full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_how_much_this_process_takes() {
        assert!(resident().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn a_gauge_does_not_waver() {
        let mut gauge = Gauge::new(100);
        for (resident, is_full) in [
            (99, false),
            (100, true),
            (95, true),
            (91, true),
            (90, false),
            (99, false),
            (120, true),
        ] {
            assert_eq!(gauge.is_full(resident), is_full, "{resident}");
        }
    }
}
