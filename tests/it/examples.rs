//! The examples of the documents: files, checked and tested as users do it, and shown in the
//! documents to the letter.

use crate::support::Weir;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where examples are.
const FOLDERS: [&str; 4] = [
    "rules",
    "docs/examples",
    "docs/examples/from-riemann",
    "docs/examples/from-logstash/rules",
];

/// Which show them.
const DOCUMENTS: [&str; 3] = [
    "docs/rules.md",
    "docs/from-riemann.md",
    "docs/from-logstash.md",
];

#[test]
fn every_example_is_fine_by_itself() {
    let files = rule_files();
    assert!(files.len() > 15, "{files:?}");
    for file in files {
        let ended = Weir::run(&["check", &file], Some(repository()));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.starts_with(&format!("{file}: fine\n")));
    }
}

#[test]
fn the_examples_of_a_folder_are_fine_together() {
    for folder in FOLDERS {
        let ended = Weir::run(&["check", folder], Some(repository()));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
}

#[test]
fn the_configuration_of_the_pipeline_is_fine() {
    let environment = ["LIBRATO_EMAIL", "LIBRATO_TOKEN"].map(|name| (name.into(), "x".into()));
    let folder = repository().join("docs/examples/from-logstash");
    let ended = Weir::run_in(&["check", "-c", "weir.yaml"], &folder, &environment);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(
        ended.stdout,
        "haproxy.cfg: fine\nrules/haproxy.yaml: fine\n3 rules in 1 file\n"
    );
}

#[test]
fn every_rule_of_an_example_has_a_test_that_passes() {
    let args: Vec<_> = ["test"].into_iter().chain(FOLDERS).collect();
    let ended = Weir::run(&args, Some(repository()));
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    // Rules of which no test expects anything would be named.
    assert!(!ended.stdout.contains("note:"), "{}", ended.stdout);
}

#[test]
fn documents_show_examples_as_they_are() {
    let mut shown = BTreeSet::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(repository().join(document)).unwrap();
        for (before, block) in blocks(&text) {
            // `[examples/slow.yaml](examples/slow.yaml):`
            let link = before.strip_suffix("):\n\n").and_then(|before| {
                let (_, link) = before.rsplit_once("](")?;
                Some(link)
            });
            let link = link.unwrap_or_else(|| panic!("{document}: no file is named:\n{block}"));
            let path = repository().join("docs").join(link).canonicalize();
            let path = path.unwrap_or_else(|error| panic!("{document}: {link}: {error}"));
            let file = fs::read_to_string(&path).unwrap();
            assert_eq!(block, file, "{document}: {link}");
            shown.insert(path);
        }
    }
    for file in rule_files() {
        let path = repository().join(&file).canonicalize().unwrap();
        assert!(shown.contains(&path), "no document shows {file}");
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rule files of all folders, without their tests.
fn rule_files() -> Vec<String> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        let entries = fs::read_dir(repository().join(folder)).unwrap();
        let names = entries.map(|entry| PathBuf::from(entry.unwrap().file_name()));
        let names = names.map(|name| name.into_os_string().into_string().unwrap());
        let rules = names.filter(|name| name.ends_with(".yaml") && !name.ends_with(".test.yaml"));
        files.extend(rules.map(|name| format!("{folder}/{name}")));
    }
    files.sort();
    files
}

/// The YAML of a document, each with what stands before it.
fn blocks(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices("```yaml\n").map(|(at, fence)| {
        let (block, _) = text[at + fence.len()..].split_once("```").unwrap();
        (&text[..at], block)
    })
}
