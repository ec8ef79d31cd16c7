//! Reading the files anew while weir runs: on SIGHUP, and when they change.
//!
//! ```text
//! SIGHUP, folders -> read -> the same texts: nothing to do
//!                         -> compile -> wrong: refused as a whole, what is in force stays
//!                                    -> right: workers and windows take it over
//! ```
//!
//! A set is `weir.yaml`'s `rules` and `haproxy` with the files that they name, and the
//! certificates that `listen` names. What else is in `weir.yaml` holds until weir stops.

mod account;
mod folders;

pub use account::{Account, Refused, Snapshot};
pub use folders::Folders;

use crate::clock;
use crate::config::{Config, Env};
use crate::input::tls;
use crate::load::{Compiled, Files, Loaded, Texts, Wrong};
use crate::metric::Annotation;
use crate::names;
use crate::store::{Change, Store};
use crate::time::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::Signal;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Files are read when nothing has been written for so long: a program that writes several,
/// or one in parts, is given the time to.
const SETTLE: Duration = Duration::from_millis(250);

/// And they are read after this, even if something is being written all the time.
const SETTLE_MAX: Duration = Duration::from_secs(2);

/// Problems that are shown in the log; of more only the number.
const PROBLEMS_SHOWN: usize = 20;

/// The stream of the marks that tell of it.
const STREAM: &str = "weir";

/// Files that a mark names; of more only the number.
const FILES_SHOWN: usize = 10;

/// Decides what becomes of files that were read.
pub struct Reloader {
    /// `weir.yaml`.
    path: PathBuf,
    /// As weir was started: what of it cannot change.
    started_with: Config,
    /// The texts in force.
    texts: Texts,
    /// The texts that were refused last, if they are not in force since.
    refused: Option<Texts>,
    /// Where the files are, as the last configuration that could be read says.
    places: Vec<PathBuf>,
    /// Keys that need a restart and were told.
    told: Vec<&'static str>,
    loaded: watch::Sender<Arc<Loaded>>,
    account: Arc<Account>,
    /// What is to be told on the charts of the set that was taken last.
    mark: Option<Annotation>,
}

/// What became of files that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They are those in force.
    Unchanged,
    /// They are those in force again, after others had been refused.
    Restored,
    /// They are those that were refused last.
    RefusedBefore,
    Refused,
    Accepted,
}

impl Reloader {
    /// `files` are in force, as `config`. Whoever watches `loaded` takes over what is
    /// accepted.
    pub fn new(
        path: PathBuf,
        files: &Files,
        config: Config,
        loaded: watch::Sender<Arc<Loaded>>,
        account: Arc<Account>,
    ) -> Reloader {
        Reloader {
            path,
            started_with: config,
            texts: files.texts().clone(),
            refused: None,
            places: files.places(),
            told: Vec::new(),
            loaded,
            account,
            mark: None,
        }
    }

    /// The mark of what has been put in force or refused since the last time: who looks at a
    /// curve that bends should see whether it was the rules.
    pub fn take_mark(&mut self) -> Option<Annotation> {
        self.mark.take()
    }

    /// Takes what was read. `asked` is whether someone waits to be told what became of it;
    /// else the same refusal is told once, and no news not at all.
    pub fn take(&mut self, files: &Files, asked: bool, env: Env<'_>, now: Timestamp) -> Outcome {
        if files.config().is_ok() {
            self.places = files.places();
        }
        if *files.texts() == self.texts {
            if self.refused.take().is_some() {
                self.account.restored();
                tracing::info!("the files are again what is in force");
                return Outcome::Restored;
            }
            if asked {
                tracing::info!("no file has changed since it was loaded");
            }
            return Outcome::Unchanged;
        }
        if !asked && self.refused.as_ref() == Some(files.texts()) {
            return Outcome::RefusedBefore;
        }
        match files.compile(env, now) {
            Ok(compiled) => {
                self.accept(compiled, files.texts(), now);
                Outcome::Accepted
            }
            Err(wrong) => {
                self.refuse(&wrong, files.texts(), now);
                Outcome::Refused
            }
        }
    }

    fn accept(&mut self, compiled: Compiled, texts: &Texts, now: Timestamp) {
        let Compiled {
            config,
            mut loaded,
            warnings,
        } = compiled;
        for warning in &warnings {
            tracing::warn!("{}", warning.render());
        }
        // A listener keeps what it was started with, even if `listen` does not name it now.
        let mut tls = tls::Servers::clone(&self.loaded.borrow().tls);
        tls.extend(
            loaded
                .tls
                .iter()
                .map(|(files, server)| (files.clone(), Arc::clone(server))),
        );
        loaded.tls = Arc::new(tls);
        let before = self.loaded.send_replace(Arc::new(loaded.clone()));
        self.account.accepted(&loaded, now);
        let changes = loaded.rules.changes_since(&before.rules);
        tracing::info!(
            files = ?loaded.rules.files(),
            rules = loaded.rules.len(),
            changed_files = ?texts.changed_since(&self.texts),
            %changes,
            "reloaded"
        );
        let files = named(&texts.changed_since(&self.texts));
        self.mark = Some(match changes.is_empty() {
            true => mark("reloaded", files, now),
            false => mark("rules reloaded", format!("{changes} ({files})"), now),
        });
        self.texts = texts.clone();
        self.refused = None;
        let keys = self.started_with.fixed_keys_that_differ(&config);
        if keys != self.told {
            for key in &keys {
                tracing::warn!(
                    file = %self.path.display(),
                    key,
                    "a change of this key holds only after a restart"
                );
            }
            self.told = keys;
        }
    }

    fn refuse(&mut self, wrong: &Wrong, texts: &Texts, now: Timestamp) {
        self.account.refused(wrong, now);
        let shown: Vec<String> = wrong.shown().take(PROBLEMS_SHOWN).collect();
        let more = match wrong.count().checked_sub(PROBLEMS_SHOWN) {
            None | Some(0) => String::new(),
            Some(more) => format!("\n\nand {more} more"),
        };
        let problems = match wrong.count() {
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        tracing::error!(
            "not reloaded, what was in force stays: {problems}\n\n{}{more}\n",
            shown.join("\n\n")
        );
        let first = shown.first().and_then(|problem| problem.lines().next());
        let first = first.unwrap_or_default().to_owned();
        self.mark = Some(mark("reload refused, what was in force stays", first, now));
        self.refused = Some(texts.clone());
    }
}

fn mark(title: &str, description: String, now: Timestamp) -> Annotation {
    names::sanitise_annotation(&Annotation {
        stream: STREAM.into(),
        title: title.into(),
        source: None,
        description: Some(description.into()),
        start: now,
        end: None,
    })
}

fn named(files: &[Arc<str>]) -> String {
    let shown = files.iter().take(FILES_SHOWN).map(|file| &**file);
    let shown: Vec<&str> = shown.collect();
    match files.len().checked_sub(FILES_SHOWN) {
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Reads the files again whenever there is a reason to.
pub struct Reloading {
    reloader: Reloader,
    folders: Folders,
    hangups: Signal,
    changed: Arc<Notify>,
    /// Where marks go. Sinks have none of them: they are about this weir.
    store: Store,
}

impl Reloading {
    pub fn new(reloader: Reloader, hangups: Signal, store: Store) -> Reloading {
        let changed = Arc::new(Notify::new());
        Reloading {
            reloader,
            folders: Folders::new(Arc::clone(&changed)),
            hangups,
            changed,
            store,
        }
    }

    /// Until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut asked = false;
        loop {
            // Reading and compiling may take a while.
            let read = tokio::task::spawn_blocking(move || {
                self.read(asked);
                self
            });
            self = match read.await {
                Ok(reloading) => reloading,
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            };
            if let Some(mark) = self.reloader.take_mark() {
                self.post(mark).await;
            }
            asked = tokio::select! {
                () = stop.cancelled() => return,
                _ = self.hangups.recv() => true,
                () = self.changed.notified() => self.settled().await,
            };
        }
    }

    /// One that the store cannot take is lost: the log has said the same.
    async fn post(&self, mark: Annotation) {
        let links = Vec::new();
        let change = Change::Post {
            annotation: mark,
            links,
        };
        if let Err(error) = self.store.annotate(change, clock::now()).await {
            tracing::warn!(%error, "no mark tells of the reload");
        }
    }

    fn read(&mut self, asked: bool) {
        let env = |name: &str| std::env::var_os(name);
        let path = self.reloader.path.clone();
        // Where the files are may be told by one of them, and it may have changed before its
        // folder was watched.
        self.folders.follow(&self.reloader.places);
        let mut files = Files::read(Some(&path), &env);
        if files.config().is_ok() && self.folders.follow(&files.places()) {
            files = Files::read(Some(&path), &env);
        }
        self.reloader.take(&files, asked, &env, clock::now());
    }

    /// Waits until nothing more is written. True as soon as someone asks.
    async fn settled(&mut self) -> bool {
        let deadline = Instant::now() + SETTLE_MAX;
        while Instant::now() < deadline {
            tokio::select! {
                _ = self.hangups.recv() => return true,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(SETTLE) => return false,
            }
        }
        false
    }
}

/// Answers SIGHUP where there is no `weir.yaml`, until `stop`.
pub async fn nothing_to_reload(mut hangups: Signal, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = hangups.recv() => {
                tracing::info!("nothing to reload: weir runs without a weir.yaml, by the bundled rules");
            }
        }
    }
}

#[cfg(test)]
mod tests;
