//! What a process has used of the processors.

use anyhow::{Context, Result};
use std::fs;

/// `USER_HZ` of proc_pid_stat(5), which is 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds that this process has computed, in its own code and in the kernel.
pub fn cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("cannot read /proc/self/stat")?;
    // Fields 14 and 15; the second one may hold blanks, and ends with the last bracket.
    let ticks = stat.rsplit_once(')').map(|(_, fields)| {
        let fields = fields.split_whitespace().skip(11).take(2);
        fields
            .filter_map(|field| field.parse::<f64>().ok())
            .sum::<f64>()
    });
    Ok(ticks.context("/proc/self/stat is not as proc(5) says")? / TICKS_PER_SECOND)
}
