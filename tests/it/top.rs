//! `weir top` as a person meets it: the real program in a pseudo-terminal, before a weir that
//! takes lines.

use crate::support::http::{self, Metrics};
use crate::support::line::{Sender, httplog};
use crate::support::terminal::Terminal;
use crate::support::{Weir, folder, now_millis, ports, wait_for};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tempfile::TempDir;

/// For what takes a window to close, and more on a busy machine.
const SOON: Duration = Duration::from_secs(30);

const UP: &str = "\x1b[A";
const DOWN: &str = "\x1b[B";
const ESCAPE: &str = "\x1b";
const ENTER: &str = "\r";
const CTRL_C: &str = "\x03";
const CTRL_L: &str = "\x0c";
const CTRL_Z: &str = "\x1a";

const RULES: &str = r#"rules:
  - name: http
    where: kind == "http"
    by: [service]
    window: 1s
    measure:
      rate: rate()
      errors: ratio(status >= 500)
      p50: percentile(Tr, 50)
      p95: percentile(Tr, 95)
      p99: percentile(Tr, 99)
"#;

/// A weir with short windows, its HTTP address and that of its syslog over TCP.
struct Site {
    weir: Weir,
    url: String,
    syslog: SocketAddr,
    folder: TempDir,
}

impl Site {
    fn start(more: &str, http: &str) -> Site {
        let config = format!(
            "listen: [{{ protocol: tcp, address: \"127.0.0.1:0\" }}]\nrules: rules.yaml\n\
             state: state\ngrace: 500ms\nhttp: {http}\n{more}"
        );
        let folder = folder(&[("rules.yaml", RULES), ("weir.yaml", &config)]);
        let mut weir = Weir::serve(folder.path());
        let (url, syslog) = (weir.http(), weir.address("tcp"));
        Site {
            weir,
            url,
            syslog,
            folder,
        }
    }

    fn new() -> Site {
        Site::start("", "{ address: \"127.0.0.1:0\" }")
    }

    fn top(&self, environment: &[(&str, &str)]) -> Terminal {
        Terminal::run(&["top", "--url", &self.url], environment)
    }
}

/// Sends lines of some services until it is dropped: ten times a second one of each, of
/// which those of the last service fail.
struct Traffic {
    stop: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
}

impl Traffic {
    fn to(syslog: SocketAddr, services: &'static [&'static str]) -> Traffic {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let sender = thread::spawn(move || {
            let mut sender = Sender::connect(syslog);
            while !stopped.load(Ordering::Relaxed) {
                for (n, service) in (1..).zip(services) {
                    let status = if n == services.len() { 503 } else { 200 };
                    let response = u32::try_from(n).expect("few services") * 10;
                    for _ in 0..n {
                        sender.send(&httplog(service, now_millis(), response, status));
                    }
                }
                thread::sleep(Duration::from_millis(100));
            }
        });
        Traffic {
            stop,
            sender: Some(sender),
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(sender) = self.sender.take()
            && sender.join().is_err()
            && !thread::panicking()
        {
            panic!("the traffic broke off");
        }
    }
}

const SERVICES: &[&str] = &["users", "search", "cards", "payments"];

/// The services whose rows are seen, from the top.
fn names(lines: &[String]) -> Vec<&str> {
    let rows = lines.iter().skip(4).filter_map(|line| {
        let mut words = line.split_whitespace();
        let is_state = matches!(words.next()?, "ok" | "warn" | "bad");
        words.next().filter(|_| is_state)
    });
    rows.collect()
}

fn wait_for_names(top: &Terminal, what: &str, expected: &[&str]) {
    top.wait(what, |lines| (names(lines) == expected).then_some(()));
}

#[test]
fn services_are_seen_sorted_filtered_opened_paused_and_the_terminal_is_given_back() {
    let site = Site::new();
    let _traffic = Traffic::to(site.syslog, SERVICES);
    let mut top = site.top(&[]);

    let first = top.wait("the failing service on top of four", |lines| {
        let seen = names(lines);
        (seen.len() == 4 && seen[0] == "payments").then(|| lines[4].clone())
    });
    assert!(
        first.starts_with("bad") && first.contains("100 %") && first.ends_with("errors 100 %"),
        "{first}"
    );
    top.wait("the pipeline's numbers", |lines| {
        let all = ["lines/s", "parsed", "0 rejected", "0 lost", "sink store ok"];
        all.iter().all(|text| lines[1].contains(text)).then_some(())
    });
    assert!(
        top.lines()[2].contains("4 services: 1 bad, 3 ok"),
        "{}",
        top.text()
    );

    // Sorted by name, backwards, then by rate.
    top.press("s");
    wait_for_names(
        &top,
        "names in order",
        &["cards", "payments", "search", "users"],
    );
    top.press("r");
    wait_for_names(
        &top,
        "names backwards",
        &["users", "search", "payments", "cards"],
    );
    top.press(">");
    wait_for_names(
        &top,
        "the highest rate first",
        &["payments", "cards", "search", "users"],
    );
    top.press("<<");

    top.press("/sea");
    wait_for_names(&top, "what the filter leaves", &["search"]);
    top.wait_for("1 of 4 match sea");
    top.press("x");
    top.wait_for("None of 4 services matches this filter");
    top.press("\x7f\r");
    wait_for_names(&top, "what the filter leaves again", &["search"]);
    top.press(ENTER);
    top.wait_for("search  rule http  ok");
    top.press(ESCAPE);
    wait_for_names(&top, "the list as it was left", &["search"]);
    top.press(ESCAPE);
    top.wait("all services", |lines| {
        (names(lines).len() == 4).then_some(())
    });

    // The cursor is moved, and what it is on is opened.
    top.press(&format!("{DOWN}{DOWN}{UP}"));
    let second = top.wait("four services", |lines| {
        names(lines).get(1).map(|name| name.to_string())
    });
    top.press(ENTER);
    top.wait_for(&format!("{second}  rule http"));
    for title in ["Rate", "Latency  from above: p99, p95, p50", "Error ratio"] {
        top.wait_for(title);
    }
    top.wait("a chart with bars", |lines| {
        let bars = lines.iter().filter(|line| line.contains('█'));
        (bars.count() >= 3).then_some(())
    });
    top.press("\x1b[C");
    top.wait_without(&format!("{second}  rule http"));
    top.press("-");
    top.wait_for("a point is");
    top.press("1");

    // Paused, nothing moves although lines keep coming.
    top.press("p");
    top.wait_for("PAUSED since");
    let paused = top.lines();
    let before = Metrics::read(&site.url).expect("/metrics").parsed();
    wait_for("thirty more lines", SOON, || {
        match Metrics::read(&site.url)?.parsed() {
            now if now >= before + 30 => Ok(()),
            now => Err(format!("{now} of {before} + 30")),
        }
    });
    top.wait("time to go on", |lines| {
        (lines[0] != paused[0]).then_some(())
    });
    assert_eq!(top.lines()[1..], paused[1..]);
    top.press(" ");
    top.wait("other numbers", |lines| {
        (lines[1] != paused[1]).then_some(())
    });
    top.wait_for("live ");

    assert!(top.is_taken() && !top.is_given_back());
    top.press("q");
    assert_eq!(top.ended().code(), Some(0));
    assert!(top.is_given_back());
}

#[test]
fn what_was_rejected_is_shown_and_no_line_speaks_to_the_terminal() {
    let site = Site::start(
        "haproxy: { service: path }\n",
        "{ address: \"127.0.0.1:0\" }",
    );
    let mut sender = Sender::connect(site.syslog);
    let hostile = "\x1b]0;owned\x07\u{9b}31m\u{202e}x";
    let request = format!("GET /{hostile} ");
    let line = httplog("www", now_millis(), 10, 200).replace("GET / ", &request);
    sender.send(&line);
    sender.send(&line.replace(" 200 ", " 2\x1b[2J0 "));
    let deploy = json!({"title": hostile, "start_time": now_millis() / 1000});
    let answer = http::post(&format!("{}/v1/annotations/deploys", site.url), &deploy);
    let answer = answer.expect("an answer");
    assert!(matches!(answer.status, 200..=299), "{answer:?}");
    let mut top = site.top(&[]);
    // The store has names of its own for what no series may be called.
    top.wait_for("owned");
    top.press(ENTER);
    top.wait_for(r"◆ \u{1b}]0;owned\u{7}\u{9b}31m\u{202e}x");
    top.press("3");
    top.wait_for("warn 1 line rejected in the last minute: malformed");
    top.wait_for("cannot read `status`");
    top.wait_for(r"2\u{1b}[2J0");
    top.press(CTRL_C);
    assert_eq!(top.ended().code(), Some(0));
    let written = top.written();
    let has = |bytes: &[u8]| written.windows(bytes.len()).any(|window| window == bytes);
    assert!(!has(b"\x1b]") && !has(b"\x07") && !has("\u{9b}".as_bytes()));
    assert!(!has("\u{202e}".as_bytes()) && !has(b"2\x1b[2J0"));
}

/// Numbers of SGR sequences, which set colours and other properties of text.
fn sgr(written: &[u8]) -> Vec<u32> {
    let text = String::from_utf8_lossy(written);
    let sequences = text.split("\x1b[").skip(1);
    let properties = sequences.filter_map(|sequence| {
        let end = sequence.find(|c: char| !c.is_ascii_digit() && c != ';')?;
        sequence[end..].starts_with('m').then(|| &sequence[..end])
    });
    let numbers = properties.flat_map(|numbers| numbers.split(';'));
    numbers.filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn without_colour_none_is_written_and_everything_is_there() {
    let site = Site::new();
    let _traffic = Traffic::to(site.syslog, SERVICES);
    for (args, environment, colours) in [
        (&[][..], &[][..], true),
        (&[], &[("NO_COLOR", "1")], false),
        (&[], &[("TERM", "vt100")], false),
        (&["--color", "never"], &[], false),
        (&["--color", "always"], &[("NO_COLOR", "1")], true),
    ] {
        let args = [&["top", "--url", &site.url], args].concat();
        let mut top = Terminal::run(&args, environment);
        top.wait("the failing service", |lines| {
            let row = lines.iter().find(|line| line.contains("payments"))?;
            row.starts_with("bad").then_some(())
        });
        top.press("3");
        top.wait_for("Listeners");
        top.press("2");
        top.wait_for("Error ratio");
        top.press("q");
        assert_eq!(top.ended().code(), Some(0));
        let sgr = sgr(&top.written());
        let is_colour = |n: &u32| matches!(n, 30..=49 | 58 | 90..=107);
        assert_eq!(
            sgr.iter().any(is_colour),
            colours,
            "{args:?} {environment:?}: {sgr:?}"
        );
        // The cursor's row stands out all the same.
        assert!(sgr.contains(&7), "{args:?} {environment:?}: {sgr:?}");
    }
}

#[test]
fn without_utf_8_it_is_drawn_in_ascii() {
    let site = Site::new();
    let _traffic = Traffic::to(site.syslog, SERVICES);
    let mut top = site.top(&[("LC_ALL", "C")]);
    top.wait("the failing service", |lines| {
        (names(lines).first() == Some(&"payments")).then_some(())
    });
    top.press("2");
    top.wait_for("Error ratio");
    top.press("q");
    assert_eq!(top.ended().code(), Some(0));
    assert!(top.written().is_ascii());
}

#[test]
fn a_lost_connection_is_told_and_found_again() {
    let port = ports::free();
    let http = format!("{{ address: \"127.0.0.1:{port}\" }}");
    let site = Site::start("", &http);
    let traffic = Traffic::to(site.syslog, SERVICES);
    let mut top = site.top(&[]);
    top.wait("four services", |lines| {
        (names(lines).len() == 4).then_some(())
    });
    drop(traffic);
    let Site { weir, folder, .. } = site;
    weir.kill();
    top.wait_for("bad: no connection since");
    top.wait_for(" LOST ");
    assert_eq!(names(&top.lines()).len(), 4, "what was seen stays");
    top.wait("the reason", |lines| {
        lines[2].contains("Connection refused").then_some(())
    });
    top.press("?");
    top.wait_for("shorter span");
    top.press("q");

    let _weir = Weir::serve(folder.path());
    top.wait_for("live ");
    top.wait_without("no connection");
    top.press("q");
    assert_eq!(top.ended().code(), Some(0));
}

#[test]
fn signals_end_it_and_the_terminal_is_given_back() {
    let site = Site::new();
    for signal in ["TERM", "INT", "HUP"] {
        let mut top = site.top(&[]);
        top.wait_for("No line has arrived yet");
        top.signal(signal);
        assert_eq!(top.ended().code(), Some(0), "SIG{signal}");
        assert!(top.is_given_back());
    }
}

#[test]
fn a_terminal_that_takes_nothing_does_not_keep_it_from_ending() {
    let site = Site::new();
    let _traffic = Traffic::to(site.syslog, SERVICES);
    let mut top = Terminal::run_unread(&["top", "--url", &site.url], &[]);
    // More than the kernel keeps of what nobody reads.
    top.press(&CTRL_L.repeat(1_000));
    let mut before = (0, 0);
    wait_for("it to be held up in the middle of writing", SOON, || {
        let written = top.bytes_written();
        let times = if written == before.0 { before.1 + 1 } else { 0 };
        before = (written, times);
        let held_up = written > 10_000 && times >= 25;
        held_up
            .then_some(())
            .ok_or(format!("{written} bytes are written"))
    });
    top.signal("TERM");
    let ended = top.ended();
    assert!(matches!(ended.code(), Some(0 | 3)), "{ended}");
}

#[test]
fn suspending_where_no_shell_could_wake_it_does_nothing_and_so_does_a_stop_that_ends() {
    let site = Site::new();
    let mut top = site.top(&[]);
    top.wait_for("No line has arrived yet");
    // The first program in its terminal: nobody could continue it, so the kernel does not stop it.
    top.press(CTRL_Z);
    top.press("3");
    top.wait_for("Listeners");
    assert!(top.is_taken());
    top.signal("STOP");
    top.signal("CONT");
    top.press("1");
    top.wait_for("No line has arrived yet");
    top.press("q");
    assert_eq!(top.ended().code(), Some(0));
}

#[test]
fn another_size_is_another_screen() {
    let site = Site::new();
    let _traffic = Traffic::to(site.syslog, SERVICES);
    let top = site.top(&[]);
    top.wait("all columns", |lines| {
        let columns = ["Service", "Rate", "p50", "p95", "p99", "Errors", "Why"];
        let all = columns.iter().all(|name| lines[3].contains(name));
        (all && names(lines).len() == 4).then_some(())
    });
    top.resize(40, 8);
    top.wait("fewer columns and lines", |lines| {
        let heading = lines.get(1)?;
        let fewer = heading.contains("p95") && !heading.contains("p50") && !heading.contains("Why");
        (fewer && lines.len() == 8 && lines[7].contains("q Quit")).then_some(())
    });
    top.resize(130, 40);
    top.wait("more columns", |lines| {
        let errors = lines.get(3)?.split_once("Errors")?.1;
        (errors.trim_start().starts_with(char::is_numeric) && errors.contains("Why")).then_some(())
    });
}

#[test]
fn a_token_is_shown_and_asked_for_by_its_variable() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut weir = Weir::librato_with_token(folder.path(), "sesame");
    let url = weir.http();
    for (environment, told) in [
        (&[][..], "WEIR_TOKEN is not set"),
        (&[("WEIR_TOKEN", "wrong")], "WEIR_TOKEN holds another one"),
    ] {
        let mut top = Terminal::run(&["top", "--url", &url], environment);
        assert_eq!(top.ended().code(), Some(1), "{}", top.text());
        top.wait("the reason", |lines| {
            let text = lines.concat();
            (text.contains(told) && text.contains("hint: set WEIR_TOKEN")).then_some(())
        });
        assert!(!top.text().contains("wrong"), "{}", top.text());
    }
    let mut top = Terminal::run(&["top", "--url", &url], &[("WEIR_TOKEN", "sesame")]);
    top.wait_for("No metric has been pushed yet");
    top.press("q");
    assert_eq!(top.ended().code(), Some(0));
}

#[test]
fn a_receivers_sources_are_services_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut weir = Weir::librato(0, folder.path());
    let url = weir.http();
    let now = now_millis() / 1000;
    let gauge = |measure: &str, value: f64| json!({"name": format!("http.{measure}"), "value": value, "tags": {"service": "web"}, "time": now, "period": 10});
    let pushed = json!({"measurements": [gauge("rate", 12.0), gauge("p95", 250.0)]});
    let answer = http::post(&format!("{url}/v1/measurements"), &pushed).expect("an answer");
    assert!(matches!(answer.status, 200..=299), "{answer:?}");
    let top = Terminal::run(&["top", "--url", &url], &[]);
    let row = top.wait_for("web ");
    assert!(row.contains("12.0/s") && row.contains("250 ms"), "{row}");
    top.wait("the receiver's numbers", |lines| {
        (lines[1].contains("2 accepted") && lines[0].contains("librato")).then_some(())
    });
}

#[test]
fn where_it_cannot_work_it_says_why_and_what_to_do() {
    let dead = format!("http://127.0.0.1:{}", ports::free());
    let site = Site::new();
    let elsewhere = format!("{}/elsewhere", site.url);
    for (url, environment, code, told) in [
        (&site.url, &[("TERM", "dumb")][..], 2, "TERM is `dumb`"),
        (&site.url, &[("TERM", "")], 2, "TERM is not set"),
        (&dead, &[], 3, "Connection refused"),
        (&elsewhere, &[], 1, "it answers 404"),
        (
            &"localhost:8420".to_owned(),
            &[],
            2,
            "write it as in http://127.0.0.1:8420",
        ),
    ] {
        let mut top = Terminal::run(&["top", "--url", url], environment);
        assert_eq!(
            top.ended().code(),
            Some(code),
            "{url} {environment:?}: {}",
            top.text()
        );
        top.wait("what went wrong", |lines| {
            lines.concat().contains(told).then_some(())
        });
        let alternate = b"\x1b[?1049h";
        let mut written = top.written();
        written.extend_from_slice(b" ");
        assert!(
            !written
                .windows(alternate.len())
                .any(|bytes| bytes == alternate)
        );
    }
    // Not in a terminal at all.
    let ended = Weir::run(&["top", "--url", &site.url], None);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stdout.is_empty());
    let hint = format!("curl {}/api/v1/services", site.url);
    for text in ["needs a terminal", "hint: ", &hint] {
        assert!(
            ended.stderr.contains(text),
            "no {text:?} in {}",
            ended.stderr
        );
    }
}

#[test]
fn help_is_in_the_program() {
    let ended = Weir::run(&["top", "--help"], None);
    assert_eq!(ended.code, Some(0));
    for text in [
        "--url",
        "http://127.0.0.1:8420",
        "WEIR_TOKEN",
        "NO_COLOR",
        "--color",
    ] {
        assert!(ended.stdout.contains(text), "no {text} in {}", ended.stdout);
    }
}

/// What [`a_panic_is_told_on_the_screen_that_was_there_before`] runs in a terminal.
#[test]
#[ignore = "panics, as another test wants it to"]
fn panics_with_the_terminal_taken() {
    let _screen = weir::top::terminal::Screen::take(true).expect("a terminal");
    thread::spawn(|| panic!("in the middle of it"))
        .join()
        .expect_err("a panic");
    panic!("at the end");
}

#[test]
fn a_panic_is_told_on_the_screen_that_was_there_before() {
    let mut terminal = Terminal::run_test("top::panics_with_the_terminal_taken");
    assert_eq!(terminal.ended().code(), Some(101));
    terminal.wait_for("in the middle of it");
    terminal.wait_for("at the end");
    let written = String::from_utf8_lossy(&terminal.written()).into_owned();
    let left = written.find("\x1b[?1049l").expect("it has left its screen");
    let told = written.find("in the middle of it").expect("the panic");
    assert!(left < told, "{written:?}");
}
