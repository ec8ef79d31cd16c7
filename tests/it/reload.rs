//! Files that change while weir runs: what is right is in force at once and as a whole,
//! what is wrong changes nothing and is told.

use crate::support::http::{self, Metrics};
use crate::support::line::{Sender, httplog};
use crate::support::{Weir, folder, now_millis, wait_for, write};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// For weir to notice a change and to take it over, on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// For a window of 10 s that is open to be closed.
const CLOSING: Duration = Duration::from_secs(40);

const CONFIG: &str = r#"listen: [{ protocol: tcp, address: "127.0.0.1:0" }]
rules: rules
state: state
http: { address: "127.0.0.1:0" }
"#;

/// A rule that counts requests of each service.
fn rule(name: &str) -> String {
    format!(
        "  - name: {name}\n    where: kind == \"http\"\n    by: [service]\n    window: 1s\n    \
         measure: {{ count: count() }}\n"
    )
}

fn rules(names: &[&str]) -> String {
    let rules: Vec<String> = names.iter().map(|name| rule(name)).collect();
    format!("rules:\n{}", rules.concat())
}

/// A weir whose rules are in a folder.
struct Site {
    folder: TempDir,
    weir: Weir,
    base: String,
    sender: Sender,
    /// Lines sent by [`send_at`](Site::send_at).
    sent: u64,
}

impl Site {
    fn new(rules: &str, others: &[(&str, &str)]) -> Site {
        let folder = folder(&[("weir.yaml", CONFIG)]);
        fs::create_dir(folder.path().join("rules")).expect("a folder of rules");
        write(&folder.path().join("rules/http.yaml"), rules);
        for (name, text) in others {
            write(&folder.path().join(name), text);
        }
        let mut weir = Weir::serve(folder.path());
        let base = weir.http();
        let sender = Sender::connect(weir.address("tcp"));
        Site {
            folder,
            weir,
            base,
            sender,
            sent: 0,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        write(&self.path(name), text);
    }

    /// As editors do it: a new file takes the old one's place.
    fn replace(&self, name: &str, text: &str) {
        self.write("rules/.new", text);
        fs::rename(self.path("rules/.new"), self.path(name)).expect("the same folder");
    }

    fn metric(&self, name: &str, label: &str) -> Result<u64, String> {
        Ok(Metrics::read(&self.base)?.sum(name, label))
    }

    fn wait_for_metric(&self, name: &str, label: &str, value: u64) {
        wait_for(&format!("{name} {label} to be {value}"), SOON, || {
            let now = self.metric(name, label)?;
            (now == value).then_some(()).ok_or(format!("it is {now}"))
        });
    }

    fn wait_for_accepted(&self, value: u64) {
        self.wait_for_metric("weir_reloads_total", "accepted", value);
    }

    fn wait_for_refused(&self, value: u64) {
        self.wait_for_metric("weir_reloads_total", "refused", value);
    }

    /// Sends requests of this service until the series has counted one.
    fn wait_for_series(&mut self, series: &str, service: &str) {
        let from = now_millis() / 1000 - 60;
        wait_for(&format!("{series} of {service}"), SOON, || {
            self.sender.send(&httplog(service, now_millis(), 5, 200));
            let got = http::by_service(&self.base, series, from, from + 120)?;
            let points = got
                .get(service)
                .into_iter()
                .flat_map(|points| points.values());
            let counted = points.sum::<f64>() > 0.0;
            counted.then_some(()).ok_or(format!("{got:?}"))
        });
    }

    /// Sends requests that ended then, after so many milliseconds.
    fn send_at(&mut self, end: i64, count: usize, response: u32) {
        for _ in 0..count {
            self.sender.send(&httplog("users", end, response, 200));
        }
        self.sent += count as u64;
    }

    /// What the page is told of the rules, once it is of as many reloads.
    fn told(&self, accepted: u64, refused: u64) -> Value {
        let url = format!("{}/api/v1/pipeline", self.base);
        wait_for("the page to be told", SOON, || {
            let told = http::get_json(&url)?["rules"].take();
            let newest = told["accepted"] == accepted && told["refusals"] == refused;
            newest.then(|| told.clone()).ok_or(told.to_string())
        })
    }
}

#[test]
fn rule_files_that_change_come_and_go_are_noticed() {
    let mut site = Site::new(&rules(&["http"]), &[]);
    site.wait_for_series("http.count", "one");
    assert_eq!(site.metric("weir_rules", ""), Ok(1));

    site.write("rules/http.yaml", &rules(&["http", "written"]));
    site.wait_for_accepted(1);
    site.wait_for_series("written.count", "two");
    site.wait_for_series("http.count", "two");

    site.replace("rules/http.yaml", &rules(&["http", "replaced"]));
    site.wait_for_accepted(2);
    site.wait_for_series("replaced.count", "three");

    site.replace("rules/more.yaml", &rules(&["added"]));
    site.wait_for_accepted(3);
    site.wait_for_series("added.count", "four");

    fs::remove_file(site.path("rules/http.yaml")).expect("it is there");
    site.wait_for_accepted(4);
    assert_eq!(site.metric("weir_rules", ""), Ok(1));
    site.wait_for_series("added.count", "five");
    let old =
        http::by_service(&site.base, "http.count", 1, now_millis() / 1000).expect("the store");
    assert!(!old.contains_key("five"), "{old:?}");

    let log = site.weir.log();
    for changes in [
        "changes=added written",
        "changes=added replaced; removed written",
        "changes=removed http, replaced",
    ] {
        assert!(log.contains(changes), "no {changes:?} in {log}");
    }
    assert_eq!(site.metric("weir_reloads_total", "refused"), Ok(0));
    let ended = site.weir.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn a_folder_behind_a_link_is_followed_as_kubernetes_moves_it() {
    let mut site = Site::new(&rules(&["http"]), &[]);
    for version in ["first", "second", "third"] {
        fs::create_dir(site.path(version)).expect("a folder");
        site.write(&format!("{version}/{version}.yaml"), &rules(&[version]));
    }
    let link = |to: &Path, name: &str| {
        std::os::unix::fs::symlink(to, site.path("new")).expect("a link");
        fs::rename(site.path("new"), site.path(name)).expect("the same folder");
    };
    link(Path::new("first"), "current");
    let config = CONFIG.replace("rules: rules", "rules: current");
    site.write("weir.yaml", &config);
    site.wait_for_accepted(1);
    link(Path::new("second"), "current");
    site.wait_for_accepted(2);
    // Where it leads to is watched as well.
    site.write("second/second.yaml", &rules(&["second", "other"]));
    site.wait_for_accepted(3);
    link(Path::new("third"), "current");
    site.wait_for_accepted(4);
    site.wait_for_series("third.count", "one");
}

#[test]
fn a_wrong_set_is_refused_as_a_whole_and_told_until_it_is_right() {
    let mut site = Site::new(&rules(&["http"]), &[]);
    site.wait_for_series("http.count", "before");
    let loaded = site.told(0, 0)["loaded"].clone();
    site.write("rules/right.yaml", &rules(&["right"]));
    site.wait_for_accepted(1);
    let wrong = rules(&["http"]).replace("kind ==", "kinb ==");
    site.write("rules/http.yaml", &wrong);
    site.wait_for_refused(1);
    site.wait_for_metric("weir_rules_refused", "", 1);
    assert_eq!(site.metric("weir_rules", ""), Ok(2));

    let told = site.told(1, 1);
    assert_eq!(told["rules"], 2, "{told}");
    assert_eq!(told["refused"]["count"], 1, "{told}");
    let problem = told["refused"]["problems"][0].as_str().expect("a problem");
    assert!(problem.starts_with("rules/http.yaml:3:12: "), "{problem}");
    assert!(problem.contains("unknown field `kinb`"), "{problem}");
    assert!(told["refused"]["at"].as_i64() >= loaded.as_i64(), "{told}");
    let log = site.weir.log();
    for word in [
        "not reloaded",
        "rules/http.yaml:3:12: ",
        "    where: kinb ==",
        "did you mean `kind`?",
    ] {
        assert!(log.contains(word), "no {word:?} in {log}");
    }
    // Both sets' files are there, and neither is half in force.
    site.wait_for_series("http.count", "meanwhile");
    site.wait_for_series("right.count", "meanwhile");

    // Whoever asks is told again.
    site.weir.hang_up();
    site.wait_for_refused(2);
    site.write("rules/http.yaml", &rules(&["http", "now"]));
    site.wait_for_accepted(2);
    // Charts tell what was done when.
    wait_for("marks of all three", SOON, || {
        let url = format!("{}/v1/annotations/weir?start_time=0", site.base);
        let marks = http::get(&url)?.body;
        let wanted = [
            "added right (rules/right.yaml)",
            "rules/http.yaml:3:12: ",
            "added now",
        ];
        let missing = wanted.iter().find(|words| !marks.contains(**words));
        missing.map_or(Ok(()), |words| Err(format!("no {words:?} in {marks}")))
    });
    site.wait_for_metric("weir_rules_refused", "", 0);
    let told = site.told(2, 2);
    assert!(told["refused"].is_null(), "{told}");
    site.wait_for_series("now.count", "after");
    assert!(site.weir.is_running());
}

#[test]
fn sighup_reads_the_files_and_says_what_came_of_it() {
    let site = Site::new(&rules(&["http"]), &[]);
    site.weir.hang_up();
    wait_for("an answer to SIGHUP", SOON, || {
        let log = site.weir.log();
        let answered = log.contains("no file has changed");
        answered.then_some(()).ok_or(log)
    });
    // A key that is only read at the start does not change, and neither do listeners.
    site.write("weir.yaml", &format!("{CONFIG}limits: {{ series: 7 }}\n"));
    site.weir.hang_up();
    site.wait_for_accepted(1);
    let log = wait_for("a word on the key", SOON, || {
        let log = site.weir.log();
        let told = log.contains("restart");
        told.then_some(log.clone()).ok_or(log)
    });
    let warned: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("restart"))
        .collect();
    assert_eq!(warned.len(), 1, "{log}");
    assert!(warned[0].contains("limits"), "{log}");
}

#[test]
fn a_format_that_haproxy_cfg_gets_is_read_at_once() {
    let config = format!("{CONFIG}haproxy: {{ config: haproxy.cfg }}\n");
    let format = |format: &str| format!("frontend www\n  mode http\n  log-format \"{format}\"\n");
    let mut site = Site::new(
        &rules(&["http"]),
        &[
            ("weir.yaml", &config),
            ("haproxy.cfg", &format("%ci %ft %ST")),
        ],
    );
    let line = |text: &str| format!("<134>Jan  1 00:00:00 haproxy[7]: {text}");
    let before = line("10.0.0.1 www 200");
    let after = line("www;GET;200;se");
    site.sender.send(&before);
    site.sender.send(&after);
    site.wait_for_metric("weir_lines_parsed_total", "", 1);
    site.wait_for_metric("weir_lines_rejected_total", "", 1);

    site.write("haproxy.cfg", &format("%ft;%HM;%ST;%[src,map(country)]"));
    site.wait_for_accepted(1);
    // Any worker may read it, and one may not have taken over the new formats yet.
    let mut sent = 2;
    wait_for("the new format to be read", SOON, || {
        site.sender.send(&after);
        sent += 1;
        let settled = wait_for("the line", SOON, || {
            let metrics = Metrics::read(&site.base)?;
            let settled = metrics.parsed() + metrics.rejected();
            (settled == sent)
                .then_some(metrics)
                .ok_or(settled.to_string())
        });
        (settled.parsed() > 1)
            .then_some(())
            .ok_or(format!("{} are rejected", settled.rejected()))
    });
}

/// Two rules that share a row of cells: `steady`, and one that has `measures`.
fn sharing(window: &str, measures: &str) -> String {
    let head = |name| {
        format!(
            "  - name: {name}\n    where: kind == \"http\"\n    by: [service]\n    window: {window}\n"
        )
    };
    format!(
        "rules:\n{}    measure: {{ {measures} }}\n{}    measure:\n      count: count()\n      p50: percentile(Tr, 50)\n",
        head("other"),
        head("steady"),
    )
}

#[test]
fn windows_of_rules_that_stay_keep_what_they_have_counted() {
    let mut site = Site::new(&sharing("10s", "most: max(Tr)"), &[]);
    // Weir has been there for the whole of the window, which is still open when the rules
    // change.
    let started = now_millis();
    let start = wait_for("a window to begin", SOON, || {
        let now = now_millis();
        let into = now.rem_euclid(10_000);
        let whole = into < 3000 && now - into > started;
        whole
            .then_some(now - into)
            .ok_or(format!("{into} ms are over"))
    });
    site.send_at(start + 900, 5, 20);
    site.wait_for_metric("weir_lines_parsed_total", "", 5);
    site.write(
        "rules/http.yaml",
        &sharing(
            "10s",
            "least: min(Tr), busy: rate(), failed: ratio(status >= 500)",
        ),
    );
    site.wait_for_accepted(1);
    site.send_at(start + 900, 4, 400);
    let seconds = start / 1000;
    let value = |base: &str, name: &str| -> Result<Option<f64>, String> {
        let got = http::by_service(base, name, seconds, seconds + 10)?;
        Ok(got
            .get("users")
            .and_then(|points| points.get(&seconds))
            .copied())
    };
    let base = site.base.clone();
    let wait_for_values = |wanted: [(&str, f64); 3]| {
        wait_for("the window's values", CLOSING, || {
            for (name, wanted) in wanted {
                let got = value(&base, name)?;
                if got != Some(wanted) {
                    return Err(format!("{name} is {got:?}, not {wanted}"));
                }
            }
            Ok(())
        });
    };
    wait_for_values([
        ("steady.count", 9.0),
        ("steady.p50", 20.0),
        ("other.least", 400.0),
    ]);
    // A closed window is kept as well: a late line corrects it.
    site.write("rules/http.yaml", &sharing("10s", "least: min(Tr)"));
    site.wait_for_accepted(2);
    site.send_at(start + 900, 2, 400);
    wait_for_values([
        ("steady.count", 11.0),
        ("steady.p50", 400.0),
        ("other.least", 400.0),
    ]);
}

#[test]
fn no_line_is_lost_while_rules_change_all_the_time() {
    const ROUNDS: u64 = 6;
    const LINES: usize = 2000;
    let measures = ["most: max(Tr)", "least: min(Tr), worst: max(Tr)"];
    let mut site = Site::new(&sharing("1s", measures[0]), &[]);
    // The window that weir began in has no totals.
    let started = now_millis() / 1000 + 1;
    wait_for("a whole window", SOON, || {
        (now_millis() / 1000 > started)
            .then_some(())
            .ok_or(String::new())
    });
    for round in 1..=ROUNDS {
        site.send_at(now_millis(), LINES, 5);
        site.write(
            "rules/http.yaml",
            &sharing("1s", measures[(round % 2) as usize]),
        );
        wait_for("the new rules, in the midst of lines", SOON, || {
            site.send_at(now_millis(), 1, 5);
            let accepted = site.metric("weir_reloads_total", "accepted")?;
            (accepted == round)
                .then_some(())
                .ok_or(accepted.to_string())
        });
    }
    let received = wait_for("every line to be counted", SOON, || {
        let metrics = Metrics::read(&site.base)?;
        let received = metrics.received();
        let told = [metrics.parsed(), metrics.sum("weir_events_total", "")];
        let all = site.sent == received && told == [received; 2];
        all.then_some(received)
            .ok_or(format!("{received} of {} received, {told:?}", site.sent))
    });
    wait_for("the windows to hold them all", CLOSING, || {
        let got = http::by_service(&site.base, "steady.count", started, started + 120)?;
        let points = got
            .get("users")
            .into_iter()
            .flat_map(|points| points.values());
        let counted: f64 = points.sum();
        (counted == received as f64)
            .then_some(())
            .ok_or(format!("{counted} of {received}"))
    });
}
