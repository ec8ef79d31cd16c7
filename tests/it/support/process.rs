//! A program that a test started: its output is kept, and it ends with the test.

use super::wait_for;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// As much of a program's output as a failure message shows.
const TAIL_LINES: usize = 40;

pub struct Process {
    name: String,
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

/// How a program ended and all that it printed.
#[derive(Debug)]
pub struct Ended {
    /// Absent where a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Each line of standard output as JSON, of a command that did well.
    pub fn objects(&self) -> Vec<Value> {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        let lines = self.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }
}

impl Process {
    pub fn spawn(name: &str, command: &mut Command) -> Process {
        Process::spawn_reading(name, command, Stdio::null())
    }

    /// With these bytes on its standard input, and then its end.
    pub fn spawn_fed(name: &str, command: &mut Command, input: Vec<u8>) -> Process {
        let mut process = Process::spawn_reading(name, command, Stdio::piped());
        let mut stdin = process.child.stdin.take().expect("stdin is piped");
        // By a thread of its own: the program need not read before it prints. One that
        // ends early has its reasons, which are the test's to judge.
        std::thread::spawn(move || {
            let _ = stdin.write_all(&input);
        });
        process
    }

    fn spawn_reading(name: &str, command: &mut Command, stdin: Stdio) -> Process {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {name} as {command:?}: {e}"));
        let stdout = Stream::collect(child.stdout.take().expect("stdout is piped"));
        let stderr = Stream::collect(child.stderr.take().expect("stderr is piped"));
        Process {
            name: name.to_owned(),
            child,
            stdout,
            stderr,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .unwrap_or_else(|e| panic!("cannot ask how {} is: {e}", self.name))
    }

    /// Waits until it has ended by itself.
    pub fn wait(mut self, within: Duration) -> Ended {
        let what = format!("{} to end", self.name);
        let status = wait_for(&what, within, || {
            self.exit_status().ok_or_else(|| "it still runs".to_owned())
        });
        self.stdout.finish();
        self.stderr.finish();
        Ended {
            code: status.code(),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }

    /// SIGTERM to this process alone.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// This signal to this process alone.
    pub fn signal(&self, signal: &str) {
        // The shell's own `kill`, so that no further program has to be installed.
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{signal} {}", self.child.id())])
            .status()
            .expect("sh is always there");
        assert!(sent.success(), "cannot send SIG{signal} to {}", self.name);
    }

    /// SIGKILL, and gone when this returns.
    pub fn kill(mut self) -> Ended {
        self.end();
        self.stdout.finish();
        self.stderr.finish();
        Ended {
            code: None,
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }

    fn end(&mut self) {
        // Fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            self.stdout.finish();
            self.stderr.finish();
            for (what, text) in [("stdout", self.stdout()), ("stderr", self.stderr())] {
                if !text.is_empty() {
                    eprintln!("--- end of {}'s {what} ---\n{}", self.name, tail(&text));
                }
            }
        }
    }
}

/// The last lines of a text.
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// One output stream, read by its own thread so that the program never blocks on it.
struct Stream {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn collect(pipe: impl Read + Send + 'static) -> Stream {
        let text = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let line_text = String::from_utf8_lossy(&line).into_owned();
                written
                    .lock()
                    .expect("no reader panics")
                    .push_str(&line_text);
                line.clear();
            }
        });
        Stream {
            text,
            reader: Some(reader),
        }
    }

    fn text(&self) -> String {
        self.text.lock().expect("no reader panics").clone()
    }

    /// Reads on to the end; the program has ended.
    fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
