//! The files that weir's reader of `haproxy.cfg` is tested with are ones that HAProxy
//! itself takes.

use crate::support::{program, require};
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn haproxy_accepts_the_files_that_its_reader_is_tested_with() {
    if !require(&["haproxy"]) {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/haproxy/config/tests");
    let mut checked = 0;
    for entry in fs::read_dir(&folder).expect("the reader's tests") {
        let path = entry.expect("a file of the reader's tests").path();
        if path.extension().is_none_or(|extension| extension != "cfg") {
            continue;
        }
        let output = Command::new(program("haproxy"))
            .arg("-c")
            .arg("-f")
            .arg(&path)
            .output()
            .expect("haproxy starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}:\n{said}", path.display());
        checked += 1;
    }
    assert!(checked >= 5, "only {checked} files in {}", folder.display());
}
