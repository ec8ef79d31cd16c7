//! `weir test`: runs tests of rules.

use super::print::print;
use super::{Failure, load};
use crate::config::{Config, LogFormats};
use crate::rule_tests::{self, Bench, Format, Report, Suite};
use crate::rules::{self, Rules};
use crate::source::{Placed, Scalar, Source};
use anyhow::Context;
use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A longer fixture is refused: it is no example any more.
const FIXTURE_BYTES: u64 = 64 << 20;

pub fn run(path: Option<&Path>, files: &[PathBuf]) -> Result<(), Failure> {
    let config = load::config(path)?;
    let found = Found::new(path.is_some(), &config, files)?;
    let mut tested = Ok(Vec::new());
    for file in found.files {
        tested = match (tested, Tested::new(file, &config)) {
            (Ok(mut tested), Ok(one)) => {
                tested.push(one);
                Ok(tested)
            }
            (Err(failure), Err(other)) => Err(failure.and(other)),
            (Err(failure), _) | (_, Err(failure)) => Err(failure),
        };
    }
    let tested = tested?;
    print(&told(&tested, &found.rules)?)?;
    match tested.iter().all(Tested::passed) {
        true => Ok(()),
        false => Err(Failure::Told),
    }
}

/// The test files that are asked for.
#[derive(Default)]
struct Found {
    files: Vec<TestFile>,
    /// The rule files beside them, where a whole folder is asked for.
    rules: Vec<PathBuf>,
}

struct TestFile {
    source: Source,
    place: Place,
}

/// Where what a test file names is looked for.
enum Place {
    Folder(PathBuf),
    /// Among the bundled rules.
    Bundled,
}

impl Found {
    fn new(configured: bool, config: &Config, files: &[PathBuf]) -> Result<Found, Failure> {
        let mut found = Found::default();
        let usual = Path::new("rules");
        match (files, &config.rules) {
            ([], Some(path)) if path.is_dir() => found.folder(path)?,
            ([], Some(path)) => found.folder(path.parent().unwrap_or(Path::new("")))?,
            ([], None) if !configured && usual.is_dir() => found.folder(usual)?,
            ([], None) => found.bundled(),
            (files, _) => {
                for path in files {
                    match path.is_dir() {
                        true => found.folder(path)?,
                        false => found.file(path)?,
                    }
                }
            }
        }
        Ok(found)
    }

    fn folder(&mut self, folder: &Path) -> Result<(), Failure> {
        let tests = list(folder, rules::test_files)?;
        if tests.is_empty() {
            return Err(Failure::Input(format!(
                "error: {}: there is no test file in this folder\n\n\
                 hint: tests of rules/http.yaml are in rules/http.test.yaml; see docs/rules.md",
                folder.display()
            )));
        }
        for path in tests {
            self.file(&path)?;
        }
        self.rules.extend(list(folder, rules::rule_files)?);
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), Failure> {
        let source = Source::read(path).map_err(load::unreadable)?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        self.files.push(TestFile {
            source,
            place: Place::Folder(folder),
        });
        Ok(())
    }

    fn bundled(&mut self) {
        let files = rules::bundled_tests().into_iter();
        self.files.extend(files.map(|source| TestFile {
            source,
            place: Place::Bundled,
        }));
    }
}

/// Some files of a folder, as people write them: without `./` in front.
fn list(
    folder: &Path,
    read: fn(&Path) -> io::Result<Vec<PathBuf>>,
) -> Result<Vec<PathBuf>, Failure> {
    let here = Path::new(".");
    let files = read(match folder.as_os_str().is_empty() {
        true => here,
        false => folder,
    });
    let files = files
        .with_context(|| format!("{}: cannot be read", folder.display()))
        .map_err(load::unreadable)?;
    let plain = |path: &PathBuf| path.strip_prefix(here).unwrap_or(path).to_owned();
    Ok(files.iter().map(plain).collect())
}

impl Place {
    /// The rules that a test file names.
    fn rules(&self, source: &Source, path: &Scalar) -> Result<Vec<Source>, Failure> {
        let read = match self {
            Place::Folder(folder) => {
                let read = rules::read(&folder.join(&path.value));
                read.map_err(|error| format!("{:#}", anyhow::Error::new(error)))
            }
            Place::Bundled => {
                let bundled = rules::bundled().into_iter();
                let named = bundled
                    .filter(|rules| rules.name.strip_prefix("bundled/") == Some(&path.value));
                Ok(named.collect())
            }
        };
        read.map_err(|why| {
            let (why, hint) = why.split_once("\n\nhint: ").unwrap_or((
                &why,
                "`rules:` names the rules that are tested; without it they are in the file of the same name without `.test`",
            ));
            let problem = source.problem(path.span.clone(), why);
            Failure::Problems(vec![problem.hint(hint)])
        })
    }

    fn path(&self, path: &str) -> PathBuf {
        match self {
            Place::Folder(folder) => folder.join(path),
            Place::Bundled => PathBuf::from(path),
        }
    }

    fn fixture(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = self.path(path);
        let mut bytes = Vec::new();
        let read = File::open(&path);
        let read = read.and_then(|file| file.take(FIXTURE_BYTES + 1).read_to_end(&mut bytes));
        match read {
            Err(error) => Err(format!("{}: cannot be read: {error}", path.display())),
            Ok(_) if bytes.len() as u64 > FIXTURE_BYTES => Err(format!(
                "{}: larger than {FIXTURE_BYTES} bytes",
                path.display()
            )),
            Ok(_) => Ok(bytes),
        }
    }
}

/// One test file and what came of it.
struct Tested {
    source: Source,
    rules: Arc<Rules>,
    report: Report,
}

impl Tested {
    fn new(file: TestFile, config: &Config) -> Result<Tested, Failure> {
        let TestFile { source, place } = file;
        let suite = Suite::parse(&source).map_err(Failure::Problems)?;
        let mut config = config.clone();
        if let Some(timezone) = &suite.timezone {
            config.haproxy.timezone = timezone.clone();
        }
        match &suite.format {
            None => {}
            Some(Format::One(Placed { source, text })) => {
                let (source, text) = (source.clone(), text.clone());
                config.haproxy.formats = LogFormats::One(Placed { source, text });
            }
            Some(Format::Haproxy(path)) => {
                config.haproxy.formats = LogFormats::Haproxy(place.path(&path.value));
            }
        }
        let mut sources = Vec::new();
        for path in &suite.rules {
            sources.extend(place.rules(&source, path)?);
        }
        let (formats, rules) =
            load::with_formats(&config, |names| load::compile(&sources, &config, names))?;
        let rules = Arc::new(rules);
        let bench = Bench {
            rules: Arc::clone(&rules),
            formats: Arc::new(formats),
            timezone: config.haproxy.timezone,
            time: config.time,
            limits: config.limits,
            fixture: &|path| place.fixture(path),
        };
        let report = rule_tests::run(&suite, &bench).map_err(Failure::Problems)?;
        Ok(Tested {
            source,
            rules,
            report,
        })
    }

    fn failed(&self) -> usize {
        let tests = self.report.tests.iter();
        tests.filter(|test| !test.passed()).count()
    }

    fn passed(&self) -> bool {
        self.failed() == 0
    }
}

/// What came of all of them, the sum in the last line.
fn told(tested: &[Tested], rule_files: &[PathBuf]) -> Result<String, fmt::Error> {
    let mut text = String::new();
    for file in tested {
        let tests = &file.report.tests;
        writeln!(
            text,
            "{}: {}",
            file.source.name,
            sum(file.failed(), tests.len())
        )?;
        for test in tests.iter().filter(|test| !test.passed()) {
            writeln!(text, "\n{test}")?;
        }
    }
    for note in untested(tested, rule_files) {
        writeln!(text, "note: {note}")?;
    }
    let failed = tested.iter().map(Tested::failed).sum();
    let all = tested.iter().map(|file| file.report.tests.len()).sum();
    let files = match tested.len() {
        1 => "1 file".to_owned(),
        files => format!("{files} files"),
    };
    writeln!(text, "{} in {files}", sum(failed, all))?;
    Ok(text)
}

fn sum(failed: usize, all: usize) -> String {
    let tests = if all == 1 { "test" } else { "tests" };
    match failed {
        0 => format!("{all} {tests} passed"),
        _ => format!("{failed} of {all} {tests} failed"),
    }
}

/// Rules of which no test expects anything, and rule files that no test is about.
fn untested(tested: &[Tested], rule_files: &[PathBuf]) -> Vec<String> {
    let touched: BTreeSet<(&str, &str)> = tested
        .iter()
        .flat_map(|file| {
            let rules = file.rules.placed();
            rules.filter(|(rule, _)| file.report.touched.contains(*rule))
        })
        .collect();
    let rules: BTreeSet<(&str, &str)> =
        tested.iter().flat_map(|file| file.rules.placed()).collect();
    let rules = rules.difference(&touched);
    let rules = rules
        .map(|(rule, file)| format!("no test expects anything of the rule `{rule}` in {file}"));
    let loaded: BTreeSet<&str> = tested
        .iter()
        .flat_map(|file| file.rules.files().iter().map(|file| &**file))
        .collect();
    let files = rule_files.iter().map(|path| path.display().to_string());
    let files = files.filter(|file| !loaded.contains(file.as_str()));
    let files = files.map(|file| format!("no test is about the rules in {file}"));
    rules.chain(files).collect()
}
