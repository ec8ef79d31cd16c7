//! What lines are read and counted by, from the files that people write.
//!
//! Reading and compiling are two steps: a reload compares the texts that it has read with
//! those in force, and compiles them only where they differ.

use crate::config::{Config, Env, LogFormats, TlsFiles};
use crate::haproxy::{self, FieldNames, Formats};
use crate::input::tls;
use crate::rules::{self, Rules};
use crate::source::{Problem, Source};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What lines are read and counted by.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub rules: Arc<Rules>,
    pub formats: Arc<Formats>,
    pub tls: Arc<tls::Servers>,
}

/// Everything that is wrong with a set of files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wrong {
    pub problems: Vec<Problem>,
}

impl Wrong {
    /// A file that cannot be read; the error names its path first.
    pub fn unreadable(path: &Path, error: &dyn Error) -> Wrong {
        let name = path.display().to_string();
        let said = error.to_string();
        let (message, hint) = match said.split_once("\n\nhint: ") {
            Some((message, hint)) => (message, Some(hint)),
            None => (said.as_str(), None),
        };
        let message = message
            .strip_prefix(&format!("{name}: "))
            .unwrap_or(message);
        let mut message = message.to_owned();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(&format!(": {error}"));
            cause = error.source();
        }
        let problem = Problem::of_file(&name, message);
        Wrong {
            problems: vec![match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            }],
        }
    }

    /// How many things are wrong.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// Each in one line, with its place.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.problems.iter().map(Problem::to_string)
    }

    /// Each as it is shown to whoever wrote the files: a problem with its source.
    pub fn shown(&self) -> impl Iterator<Item = String> {
        self.problems.iter().map(Problem::render)
    }

    fn and(mut self, other: Wrong) -> Wrong {
        self.problems.extend(other.problems);
        self
    }
}

/// All of it as [`shown`](Wrong::shown), with an empty line between two.
impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown().collect::<Vec<_>>().join("\n\n"))
    }
}

impl From<Vec<Problem>> for Wrong {
    fn from(problems: Vec<Problem>) -> Wrong {
        Wrong { problems }
    }
}

/// Both, or everything that is wrong with either.
fn both<A, B>(a: Result<A, Wrong>, b: Result<B, Wrong>) -> Result<(A, B), Wrong> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(a), Err(b)) => Err(a.and(b)),
        (Err(one), _) | (_, Err(one)) => Err(one),
    }
}

/// The texts of every file that a set is made of, as they were when they were read. Equal
/// texts make equal sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Texts {
    /// `weir.yaml`; `None` where there is none, and defaults hold.
    config: Option<Result<Source, Wrong>>,
    /// `haproxy.cfg`, where one is named.
    haproxy: Option<Result<Source, Wrong>>,
    rules: Result<Vec<Source>, Wrong>,
    /// What the TLS listeners' certificates are read from.
    tls: BTreeMap<TlsFiles, tls::Texts>,
}

impl Texts {
    /// The names of the files that differ, or are there in one of both only.
    pub fn changed_since(&self, before: &Texts) -> Vec<Arc<str>> {
        let (old, new) = (before.by_name(), self.by_name());
        let changed = new
            .iter()
            .filter(|(name, text)| old.get(*name) != Some(text));
        let gone = old.iter().filter(|(name, _)| !new.contains_key(*name));
        changed
            .chain(gone)
            .map(|(name, _)| Arc::clone(name))
            .collect()
    }

    fn by_name(&self) -> BTreeMap<Arc<str>, &str> {
        let sources = self.sources();
        let sources = sources.map(|source| (Arc::clone(&source.name), &*source.text));
        let tls = self.tls.iter().flat_map(|(files, texts)| {
            let texts = texts.by_path(files);
            texts.map(|(file, text)| (file.path.display().to_string().into(), text))
        });
        sources.chain(tls).collect()
    }

    fn sources(&self) -> impl Iterator<Item = &Source> {
        let single = [&self.config, &self.haproxy]
            .into_iter()
            .flatten()
            .flatten();
        single.chain(self.rules.iter().flatten())
    }
}

/// Every file that a set is made of, read and not compiled.
#[derive(Clone, Debug)]
pub struct Files {
    /// `weir.yaml`.
    path: Option<PathBuf>,
    texts: Texts,
    /// What `weir.yaml` says.
    config: Result<Config, Wrong>,
}

/// A set that can be put in force.
#[derive(Debug)]
pub struct Compiled {
    pub config: Config,
    pub loaded: Loaded,
    /// What HAProxy would warn about in `haproxy.cfg`, what had to be guessed, and certificates
    /// that are not good now.
    pub warnings: Vec<Problem>,
}

impl Files {
    /// Reads `weir.yaml`, and the files that it names. Without one, the defaults hold.
    pub fn read(path: Option<&Path>, env: Env<'_>) -> Files {
        let text = path.map(|path| Source::read(path).map_err(|e| Wrong::unreadable(e.path(), &e)));
        let config = match (path, &text) {
            (Some(path), Some(Ok(source))) => parse(path, source, env),
            (_, Some(Err(wrong))) => Err(wrong.clone()),
            (None, _) | (_, None) => Ok(Config::default_for(env)),
        };
        let named = config.as_ref().ok();
        Files {
            path: path.map(Path::to_owned),
            texts: Texts {
                config: text,
                haproxy: named.and_then(|config| match &config.haproxy.formats {
                    LogFormats::Haproxy(path) => Some(haproxy_config(path)),
                    LogFormats::BuiltIn | LogFormats::One(_) => None,
                }),
                rules: named.map_or(Ok(Vec::new()), rule_files),
                tls: named.map(tls_texts).unwrap_or_default(),
            },
            config,
        }
    }

    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// What `weir.yaml` says.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or something in it is wrong.
    pub fn config(&self) -> Result<&Config, &Wrong> {
        self.config.as_ref()
    }

    /// Where they are: files, and the folder of rules if it is one.
    pub fn places(&self) -> Vec<PathBuf> {
        let named = self.config.as_ref().ok();
        let haproxy = named.and_then(|config| match &config.haproxy.formats {
            LogFormats::Haproxy(path) => Some(path.clone()),
            LogFormats::BuiltIn | LogFormats::One(_) => None,
        });
        let rules = named.and_then(|config| config.rules.clone());
        // The files in a folder of rules may be links that lead elsewhere.
        let files = self
            .texts
            .rules
            .iter()
            .flatten()
            .filter(|_| rules.is_some());
        let files: Vec<PathBuf> = files.map(|source| (*source.name).into()).collect();
        let tls = self.texts.tls.iter().flat_map(|(files, texts)| {
            let texts = texts.by_path(files);
            texts.map(|(file, _)| file.path.clone())
        });
        let places = self.path.clone().into_iter().chain(haproxy).chain(rules);
        places.chain(files).chain(tls).collect()
    }

    /// Compiles all of them together; `now` decides what there is to warn about.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with any of them: a set is good as a whole or not at all.
    pub fn compile(&self, env: Env<'_>, now: Timestamp) -> Result<Compiled, Wrong> {
        let config = self.config.clone()?;
        let formats = match &self.texts.haproxy {
            Some(source) => source.clone().and_then(|source| formats_of(&source, env)),
            None => own_formats(&config, env).map(|formats| (formats, Vec::new())),
        };
        let names = formats.as_ref().map(|(formats, _)| formats.names());
        let rules = self.texts.rules.clone();
        let rules = rules.and_then(|rules| compile(&rules, &config, &names.unwrap_or_default()));
        let lines = both(formats, rules);
        let (((formats, mut warnings), rules), tls) = both(lines, tls_servers(&self.texts.tls))?;
        warnings.extend(tls_warnings(&self.texts.tls, now));
        Ok(Compiled {
            config,
            loaded: Loaded {
                rules: Arc::new(rules),
                formats: Arc::new(formats),
                tls: Arc::new(tls),
            },
            warnings,
        })
    }
}

/// The configuration of that file, or what holds without one.
///
/// # Errors
///
/// When it cannot be read, or something in it is wrong.
pub fn config(path: Option<&Path>, env: Env<'_>) -> Result<Config, Wrong> {
    let Some(path) = path else {
        return Ok(Config::default_for(env));
    };
    let source = Source::read(path).map_err(|e| Wrong::unreadable(e.path(), &e))?;
    parse(path, &source, env)
}

fn parse(path: &Path, source: &Source, env: Env<'_>) -> Result<Config, Wrong> {
    let base = path.parent().unwrap_or(Path::new(""));
    Ok(Config::parse(source, base, env)?)
}

/// The formats that the configuration names, and what there is to warn about.
///
/// # Errors
///
/// When their file cannot be read, or something is wrong with a format.
pub fn formats(config: &Config, env: Env<'_>) -> Result<(Formats, Vec<Problem>), Wrong> {
    match &config.haproxy.formats {
        LogFormats::Haproxy(path) => formats_of(&haproxy_config(path)?, env),
        LogFormats::BuiltIn | LogFormats::One(_) => Ok((own_formats(config, env)?, Vec::new())),
    }
}

fn haproxy_config(path: &Path) -> Result<Source, Wrong> {
    Source::read_lossily(path).map_err(|e| Wrong::unreadable(e.path(), &e))
}

fn formats_of(source: &Source, env: Env<'_>) -> Result<(Formats, Vec<Problem>), Wrong> {
    let file = haproxy::config::read(source, env)?;
    let formats = Formats::of_config(&file)?;
    Ok((formats, file.warnings))
}

/// The formats that are in no file of HAProxy's.
fn own_formats(config: &Config, env: Env<'_>) -> Result<Formats, Wrong> {
    match &config.haproxy.formats {
        LogFormats::One(format) => {
            Formats::one(format, env).map_err(|problem| vec![*problem].into())
        }
        LogFormats::BuiltIn | LogFormats::Haproxy(_) => Ok(Formats::built_in()),
    }
}

/// What is wrong with the files of the TLS listeners, and what there is to warn about at `now`.
pub fn tls_problems(config: &Config, now: Timestamp) -> (Vec<Problem>, Vec<Problem>) {
    let texts = tls_texts(config);
    let wrong = tls_servers(&texts).err();
    (
        wrong.unwrap_or_default().problems,
        tls_warnings(&texts, now),
    )
}

fn tls_warnings(texts: &BTreeMap<TlsFiles, tls::Texts>, now: Timestamp) -> Vec<Problem> {
    let texts = texts.iter();
    texts
        .flat_map(|(files, texts)| texts.warnings(files, now))
        .collect()
}

fn tls_texts(config: &Config) -> BTreeMap<TlsFiles, tls::Texts> {
    let files = config
        .listen
        .iter()
        .filter_map(|listen| listen.tls.as_ref());
    files
        .map(|files| (files.clone(), tls::Texts::read(files)))
        .collect()
}

fn tls_servers(texts: &BTreeMap<TlsFiles, tls::Texts>) -> Result<tls::Servers, Wrong> {
    let (mut servers, mut wrong) = (tls::Servers::new(), Wrong::default());
    for (files, texts) in texts {
        match texts.server(files) {
            Ok(server) => drop(servers.insert(files.clone(), server)),
            Err(problems) => wrong.problems.extend(problems),
        }
    }
    match wrong.problems.is_empty() {
        true => Ok(servers),
        false => Err(wrong),
    }
}

/// The rule files that the configuration names, or the bundled ones.
///
/// # Errors
///
/// When one of them cannot be read, or there is none.
pub fn rule_files(config: &Config) -> Result<Vec<Source>, Wrong> {
    match &config.rules {
        Some(path) => rules::read(path).map_err(|e| Wrong::unreadable(e.path(), &e)),
        None => Ok(rules::bundled()),
    }
}

/// Compiles rule files, all of them together.
///
/// # Errors
///
/// Everything that is wrong with them.
pub fn compile(sources: &[Source], config: &Config, names: &FieldNames) -> Result<Rules, Wrong> {
    Ok(rules::load(sources, &rule_options(config, names))?)
}

/// What rules depend on besides their files.
pub fn rule_options(config: &Config, names: &FieldNames) -> rules::Options {
    rules::Options {
        service: config.haproxy.service.clone(),
        names: names.clone(),
    }
}
