//! Is this a processor that weir was built for?
//!
//! An instruction that it does not have would end weir without a word as to why.

use std::fs::File;
use std::io::{self, Read};

/// What the build takes for granted, by its names in `/proc/cpuinfo` (proc_cpuinfo(5)).
const NEEDED: &[(bool, &str)] = &[
    (cfg!(target_feature = "avx2"), "avx2"),
    (cfg!(target_feature = "bmi1"), "bmi1"),
    (cfg!(target_feature = "bmi2"), "bmi2"),
    (cfg!(target_feature = "fma"), "fma"),
    (cfg!(target_feature = "lzcnt"), "abm"),
    (cfg!(target_feature = "movbe"), "movbe"),
];

/// The first processor's part of the file is shorter.
const READ_BYTES: u64 = 8 * 1024;

/// Says what is missing and what to do; `None` where nothing is, and where nobody tells.
pub fn unfit() -> Option<String> {
    if !cfg!(target_arch = "x86_64") {
        return None;
    }
    let read = || {
        let mut text = String::new();
        let file = File::open("/proc/cpuinfo")?;
        file.take(READ_BYTES).read_to_string(&mut text)?;
        Ok::<_, io::Error>(text)
    };
    let needed = NEEDED.iter().filter(|(needed, _)| *needed);
    unfit_for(&read().ok()?, needed.map(|(_, name)| *name))
}

fn unfit_for(cpuinfo: &str, needed: impl Iterator<Item = &'static str>) -> Option<String> {
    let flags = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("flags"))?;
    let missing: Vec<_> = needed
        .filter(|name| !flags.split_whitespace().any(|flag| flag == *name))
        .collect();
    (!missing.is_empty()).then(|| {
        format!(
            "this processor has no {}, which weir was built for\n\n\
             hint: build it for any processor of this kind: \
             RUSTFLAGS=\"-C target-cpu=x86-64\" cargo build --release",
            missing.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str =
        "processor\t: 0\nmodel name\t: old\nflags\t\t: fpu sse2 avx bmi1\nbugs\t\t:\n";

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(unfit_for(INFO, ["bmi1", "sse2"].into_iter()), None);
        let unfit = unfit_for(INFO, ["avx2", "bmi1", "bmi2"].into_iter()).unwrap();
        assert!(
            unfit.starts_with("this processor has no avx2, bmi2, "),
            "{unfit}"
        );
        // Nobody tells.
        assert_eq!(unfit_for("", ["avx2"].into_iter()), None);
    }

    #[test]
    fn the_tests_run_where_weir_does() {
        assert_eq!(unfit(), None);
    }
}
