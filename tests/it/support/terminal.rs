//! A terminal: a pseudo-terminal with a program in it, and the screen that comes of what the
//! program writes.

use super::process::tail;
use super::wait_for;
use nix::sys::termios::{Termios, tcgetattr};
use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use std::io::{Read, Write};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// For what a program does at a key, or by itself within a second or two; on a busy machine.
const SOON: Duration = Duration::from_secs(30);

pub struct Terminal {
    name: String,
    pty: Arc<Pty>,
    child: Child,
    shown: Arc<Mutex<Shown>>,
    /// The modes that it had before the program.
    modes: Termios,
}

struct Shown {
    screen: vt100::Parser,
    /// All that was ever written.
    written: Vec<u8>,
}

impl Terminal {
    /// Starts weir with these arguments and variables in a terminal of 80 by 24.
    pub fn run(args: &[&str], environment: &[(&str, &str)]) -> Terminal {
        let command = Command::new(env!("CARGO_BIN_EXE_weir")).args(args);
        Terminal::start(
            &format!("weir {}", args.join(" ")),
            command,
            environment,
            true,
        )
    }

    /// The same with nobody who reads what it writes.
    pub fn run_unread(args: &[&str], environment: &[(&str, &str)]) -> Terminal {
        let command = Command::new(env!("CARGO_BIN_EXE_weir")).args(args);
        Terminal::start(
            &format!("weir {}", args.join(" ")),
            command,
            environment,
            false,
        )
    }

    /// Runs an ignored test of this binary in a terminal.
    pub fn run_test(name: &str) -> Terminal {
        let own = std::env::current_exe().expect("the test binary's path");
        let command = Command::new(own).args([name, "--exact", "--ignored", "--nocapture"]);
        Terminal::start(name, command, &[], true)
    }

    fn start(name: &str, command: Command, environment: &[(&str, &str)], read: bool) -> Terminal {
        let (pty, pts) = open().expect("a pseudo-terminal");
        pty.resize(Size::new(24, 80)).expect("a size");
        let modes = tcgetattr(&pty).expect("the terminal's modes");
        let mut command = command
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC");
        for foreign in ["NO_COLOR", "WEIR_TOKEN", "RUST_LOG", "RUST_BACKTRACE"] {
            command = command.env_remove(foreign);
        }
        let command = command.envs(environment.iter().copied());
        let child = command.spawn(pts);
        let child = child.unwrap_or_else(|e| panic!("cannot start {name}: {e}"));
        let pty = Arc::new(pty);
        let shown = Arc::new(Mutex::new(Shown {
            screen: vt100::Parser::default(),
            written: Vec::new(),
        }));
        if read {
            let (pty, shown) = (Arc::clone(&pty), Arc::clone(&shown));
            // Ends with the program: then nobody has the other side open.
            thread::spawn(move || {
                let mut bytes = [0; 65_536];
                while let Ok(count @ 1..) = (&*pty).read(&mut bytes) {
                    let mut shown = shown.lock().expect("no reader panics");
                    shown.screen.process(&bytes[..count]);
                    shown.written.extend_from_slice(&bytes[..count]);
                }
            });
        }
        Terminal {
            name: name.to_owned(),
            pty,
            child,
            shown,
            modes,
        }
    }

    /// Types these characters.
    pub fn press(&self, keys: &str) {
        let typed = (&*self.pty).write_all(keys.as_bytes());
        typed.unwrap_or_else(|e| panic!("cannot type into {}: {e}", self.name));
    }

    pub fn resize(&self, columns: u16, lines: u16) {
        let mut shown = self.shown.lock().expect("no reader panics");
        let size = |size| std::num::NonZeroU16::new(size).expect("a size");
        shown.screen.set_size(size(lines), size(columns));
        let size = Size::new(lines, columns);
        self.pty.resize(size).expect("another size");
    }

    /// The screen's lines without blanks at their ends.
    pub fn lines(&self) -> Vec<String> {
        let shown = self.shown.lock().expect("no reader panics");
        let screen = shown.screen.screen();
        let (_, columns) = screen.size();
        let lines = screen.rows(0, columns.get());
        lines.map(|line| line.trim_end().to_owned()).collect()
    }

    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// All that was ever written.
    pub fn written(&self) -> Vec<u8> {
        self.shown.lock().expect("no reader panics").written.clone()
    }

    /// How many bytes it has written, to wherever.
    pub fn bytes_written(&self) -> u64 {
        let path = format!("/proc/{}/io", self.child.id());
        let text = std::fs::read_to_string(path).expect("a process of ours");
        let bytes = text.lines().find_map(|line| line.strip_prefix("wchar: "));
        bytes
            .and_then(|bytes| bytes.parse().ok())
            .expect("a number")
    }

    /// Waits until a look at the screen's lines has an answer.
    pub fn wait<T>(&self, what: &str, look: impl Fn(&[String]) -> Option<T>) -> T {
        wait_for(what, SOON, || {
            let lines = self.lines();
            look(&lines)
                .ok_or_else(|| format!("the screen of {}:\n{}", self.name, lines.join("\n")))
        })
    }

    /// Waits until this text is on the screen, and gives its line.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait(&format!("{text:?} on the screen"), |lines| {
            lines.iter().find(|line| line.contains(text)).cloned()
        })
    }

    /// Waits until this text is not on the screen any more.
    pub fn wait_without(&self, text: &str) {
        self.wait(&format!("no {text:?} on the screen"), |lines| {
            (!lines.iter().any(|line| line.contains(text))).then_some(())
        });
    }

    /// The program's numbers of the screen it is on, and whether its cursor is seen.
    pub fn is_given_back(&self) -> bool {
        let shown = self.shown.lock().expect("no reader panics");
        let screen = shown.screen.screen();
        let modes = tcgetattr(&self.pty).expect("the terminal's modes");
        !screen.alternate_screen() && !screen.hide_cursor() && modes == self.modes
    }

    pub fn is_taken(&self) -> bool {
        let shown = self.shown.lock().expect("no reader panics");
        shown.screen.screen().alternate_screen()
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, signal: &str) {
        let sent = std::process::Command::new("sh")
            .args(["-c", &format!("kill -{signal} {}", self.child.id())])
            .status()
            .expect("sh is always there");
        assert!(sent.success(), "cannot send SIG{signal} to {}", self.name);
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        let name = self.name.clone();
        let status = wait_for(&format!("{name} to end"), SOON, || {
            let status = self.child.try_wait().expect("a child's state");
            status.ok_or_else(|| tail(&self.text()))
        });
        // What it wrote last may still be under way.
        let given_back = || {
            self.is_given_back()
                .then_some(())
                .ok_or_else(|| self.text())
        };
        if !self.written().is_empty() {
            wait_for("the terminal to be as it was", SOON, given_back);
        }
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- {}'s screen ---\n{}", self.name, self.text());
        }
    }
}
