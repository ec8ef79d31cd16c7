//! Programs from PyPI and npm, as their users install them: by the machine's own `pip` and
//! `npm`, at the versions pinned below `tests/it/clients/` and `tests/it/grafana/`, into `target/`. They stay there
//! for the next run, until other versions are wanted.

use super::process::{Process, tail};
use super::{program, require, skip};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

/// A registry may be slow.
const INSTALL: Duration = Duration::from_secs(300);

static PYTHON: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let wanted = include_str!("../clients/requirements.txt");
    installed("python", "requirements.txt", wanted, |folder| {
        let mut pip = Command::new(program("python3"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--no-deps"])
            .args(["--disable-pip-version-check", "--root-user-action=ignore"])
            .args(["--target", ".", "--requirement", "requirements.txt"])
            .current_dir(folder);
        pip
    })
});

static NODE: LazyLock<Result<PathBuf, String>> =
    LazyLock::new(|| npm("clients", include_str!("../clients/package.json")));

static GRAFANA: LazyLock<Result<PathBuf, String>> =
    LazyLock::new(|| npm("grafana", include_str!("../grafana/package.json")));

fn npm(name: &str, wanted: &str) -> Result<PathBuf, String> {
    installed(name, "package.json", wanted, |folder| {
        let mut npm = Command::new(program("npm"));
        npm.args(["install", "--ignore-scripts", "--omit=optional"])
            .args(["--no-audit", "--no-fund", "--no-package-lock"])
            .current_dir(folder);
        npm
    })
}

/// The folder that Python finds them in; `None` skips the test.
pub fn python() -> Option<&'static Path> {
    require(&["python3", "pip3"]).then(|| ready(&PYTHON))?
}

/// The folder with the `node_modules` that has them; `None` skips the test.
pub fn node() -> Option<&'static Path> {
    require(&["node", "npm"]).then(|| ready(&NODE))?
}

/// The same with Grafana's types and a compiler for them.
pub fn grafana() -> Option<&'static Path> {
    require(&["node", "npm"]).then(|| ready(&GRAFANA))?
}

fn ready(installed: &'static Result<PathBuf, String>) -> Option<&'static Path> {
    match installed {
        Ok(folder) => Some(folder),
        Err(why) => {
            skip(why);
            None
        }
    }
}

/// A folder of that name that the command has filled for this list of what is wanted.
fn installed(
    name: &str,
    list: &str,
    wanted: &str,
    command: impl FnOnce(&Path) -> Command,
) -> Result<PathBuf, String> {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
    let folder = all.join(name);
    if std::fs::read_to_string(folder.join(list)).is_ok_and(|there| there == wanted) {
        return Ok(folder);
    }
    let io = |e: std::io::Error| format!("cannot make {}: {e}", folder.display());
    std::fs::create_dir_all(&all).map_err(io)?;
    // Made apart and then put there whole: what was cut off is not taken for it.
    let new = tempfile::tempdir_in(&all).map_err(io)?;
    std::fs::write(new.path().join(list), wanted).map_err(io)?;
    let mut command = command(new.path());
    let what = format!("the installation of {name}");
    let ended = Process::spawn(&what, &mut command).wait(INSTALL);
    if ended.code != Some(0) {
        return Err(format!("{what} failed: {}", tail(&ended.stderr)));
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(io)?;
    }
    std::fs::rename(new.path(), &folder).map_err(io)?;
    Ok(folder)
}
