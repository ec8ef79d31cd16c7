//! `weir test`: examples kept beside the rules.

use crate::support::{Weir, folder, write};
use std::path::Path;

const RULES: &str = "rules: [{ name: all, measure: { count: count() } }]\n";

fn tests(count: u32) -> String {
    format!(
        r#"tests:
  - name: one line is one
    lines:
      - '192.0.2.7:41000 [01/Mar/2026:08:00:01.100] shop shop/s1 0/0/1/20/22 200 512 - - ---- 3/2/1/1/0 0/0 "GET / HTTP/1.1"'
    windows: [{{ start: "08:00:00", series: all.count, value: {count} }}]
"#
    )
}

#[test]
fn the_bundled_rules_pass_wherever_they_are() {
    let nowhere = folder(&[]);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (args, from, names) in [
        (&["test"][..], nowhere.path(), "bundled"),
        (&["test"], repository, "rules"),
        (&["test", "rules"], repository, "rules"),
        (
            &["test", "rules/http.test.yaml", "rules/tcp.test.yaml"],
            repository,
            "rules",
        ),
    ] {
        let ended = Weir::run(args, Some(from));
        assert_eq!(
            (ended.code, &*ended.stderr),
            (Some(0), ""),
            "{}",
            ended.stdout
        );
        assert_eq!(
            ended.stdout,
            format!(
                "{names}/http.test.yaml: 7 tests passed\n\
                 {names}/tcp.test.yaml: 3 tests passed\n\
                 10 tests passed in 2 files\n"
            ),
            "{args:?}"
        );
    }
}

#[test]
fn the_tests_beside_the_configured_rules_are_run() {
    let site = folder(&[("weir.yaml", "rules: our/all.yaml\n")]);
    let our = site.path().join("our");
    std::fs::create_dir(&our).expect("a folder");
    write(&our.join("all.yaml"), RULES);
    write(&our.join("all.test.yaml"), &tests(1));
    write(
        &our.join("b.test.yaml"),
        &format!("rules: [all.yaml]\n{}", tests(2)),
    );
    write(
        &our.join("c.yaml"),
        "rules: [{ name: c, measure: { d: count() } }]\n",
    );
    let ended = Weir::run(&["test", "-c", "weir.yaml"], Some(site.path()));
    assert_eq!((ended.code, &*ended.stderr), (Some(1), ""));
    insta::assert_snapshot!(ended.stdout, @r"
    our/all.test.yaml: 1 test passed
    our/b.test.yaml: 1 of 1 test failed

    our/b.test.yaml:3:11: failed: one line is one

      our/b.test.yaml:6:44: all.count at 2026-03-01T08:00:00.000Z
        expected  2
        found     1

      lines: 1 counted

    note: no test is about the rules in our/c.yaml
    1 of 2 tests failed in 2 files
    ");
}

#[test]
fn what_is_missing_or_wrong_is_told() {
    let site = folder(&[
        ("all.yaml", RULES),
        ("empty.test.yaml", "rules: all.yaml\ntests: []\n"),
        ("lonely.test.yaml", &tests(1)),
        (
            "wrong.test.yaml",
            "rules: all.yaml\ntests: [{ name: a, lines: [b], windows: [] }]\n",
        ),
    ]);
    std::fs::create_dir(site.path().join("none")).expect("a folder");
    for (args, told) in [
        (
            &["test", "none"][..],
            "none: there is no test file in this folder",
        ),
        (
            &["test", "nowhere.test.yaml"],
            "nowhere.test.yaml: cannot be read",
        ),
        (
            &["test", "empty.test.yaml"],
            "there is no test in this file",
        ),
        (&["test", "lonely.test.yaml"], "lonely.yaml: cannot be read"),
        (&["test", "all.yaml"], "belong in `all.test.yaml`"),
        (
            &["check", "empty.test.yaml"],
            "run it: `weir test empty.test.yaml`",
        ),
        (
            &["test", "wrong.test.yaml", "empty.test.yaml"],
            "2 problems",
        ),
    ] {
        let ended = Weir::run(args, Some(site.path()));
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{args:?}");
        assert!(ended.stderr.contains(told), "{args:?}: {}", ended.stderr);
    }
}
