//! What the tests stand on: real programs around weir, and an independent
//! reading of what they wrote.
//!
//! Everything binds to loopback, on ports found free, and ends with the test
//! that started it.

pub mod backend;
pub mod collector;
pub mod flaky;
pub mod formats;
pub mod haproxy;
pub mod http;
pub mod ledger;
pub mod line;
pub mod packages;
pub mod ports;
pub mod process;
pub mod prometheus;
pub mod reference;
pub mod relp;
pub mod rsyslog;
pub mod terminal;
pub mod tls;
pub mod traffic;
pub mod weir;

pub use weir::{Demo, Weir};

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Where backends, clients and HTTP calls run; tests themselves are plain functions.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a tokio runtime")
});

/// Whether all of these programs, and modules of rsyslog, are installed. If not, says so by the test's
/// name, or panics where `WEIR_TEST_NO_SKIP=1` allows no skip.
pub fn require(programs: &[&str]) -> bool {
    match lacking(programs) {
        None => true,
        Some(why) => {
            skip(&why);
            false
        }
    }
}

/// Says by the test's name why it does not run, or panics where `WEIR_TEST_NO_SKIP=1`
/// allows no skip.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let message = format!("skipped: {}: {why}", thread.name().unwrap_or("a test"));
    if std::env::var("WEIR_TEST_NO_SKIP").is_ok_and(|value| value == "1") {
        panic!("{message}, and WEIR_TEST_NO_SKIP=1 allows no skip");
    }
    // Past the test runner's capture, which hides what a passing test prints.
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// The first of these programs that is not installed, and its package.
fn lacking(programs: &[&str]) -> Option<String> {
    let missing = programs.iter().find(|name| find(name).is_none())?;
    let package = package(missing);
    Some(format!("needs {missing} (Debian package {package})"))
}

/// The path of an installed program. Debian's daemons live in `/usr/sbin`, which
/// is not on everybody's `PATH`.
pub fn program(name: &str) -> PathBuf {
    find(name).unwrap_or_else(|| panic!("{name} is not installed: call support::require first"))
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .chain(rsyslog_modules())
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// Where Debian puts them: `/usr/lib/x86_64-linux-gnu/rsyslog`, on that machine.
fn rsyslog_modules() -> impl Iterator<Item = PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten();
    folders
        .flatten()
        .map(|folder| folder.path().join("rsyslog"))
}

fn package(program: &str) -> &str {
    match program {
        "omrelp.so" => "rsyslog-relp",
        "lmnsd_gtls.so" => "rsyslog-gnutls",
        "lmnsd_ossl.so" => "rsyslog-openssl",
        "rsyslogd" => "rsyslog",
        "chromedriver" => "chromium-driver",
        "node" => "nodejs",
        "pip3" => "python3-pip",
        same => same,
    }
}

/// Asks again every 20 ms until there is an answer; `Err` says what is missing so
/// far, and becomes the panic's message once `within` has passed.
pub fn wait_for<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + within;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(missing) if Instant::now() >= deadline => {
                panic!("waited {within:?} for {what}, in vain: {missing}")
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The wall clock in milliseconds since 1970. The tests are an edge: they send
/// lines of the present to a running weir.
#[allow(clippy::disallowed_methods)]
pub fn now_millis() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("a clock after 1970");
    i64::try_from(since.as_millis()).expect("a clock before the year 292,000,000")
}

/// What this variable of the environment says, of which `what` tells what it should be.
pub fn asked<T: std::str::FromStr>(variable: &str, what: &str) -> Option<T> {
    let text = std::env::var(variable).ok()?;
    let value = text.parse().ok();
    Some(value.unwrap_or_else(|| panic!("{variable} is {what}, not {text:?}")))
}

/// A folder that holds these files, each a name and its text.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        write(&folder.path().join(name), text);
    }
    folder
}

pub fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
}

/// The file's text, empty where there is no such file yet. What is not UTF-8 is
/// replaced: logs promise no encoding.
pub fn read(path: &Path) -> String {
    match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => panic!("cannot read {}: {e}", path.display()),
    }
}

#[test]
fn a_skip_names_the_program_and_its_package() {
    assert_eq!(lacking(&["sh"]), None);
    assert_eq!(
        lacking(&["sh", "no-such-program"]).as_deref(),
        Some("needs no-such-program (Debian package no-such-program)")
    );
    assert_eq!(package("rsyslogd"), "rsyslog");
}
