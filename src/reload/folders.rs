//! Tells that files may have changed, by watching the folders that they are in.
//!
//! Not the files: editors put a new file in the place of the old one, and Kubernetes moves
//! a link (`..data`) beside them. What has changed, if anything, is told by the texts.

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Notify;

/// Watches the folders of some files.
pub struct Folders {
    /// Told of everything that may be a change.
    changed: Arc<Notify>,
    watched: Vec<Folder>,
    /// Watching ends with it.
    watcher: Option<RecommendedWatcher>,
    /// Folders that could not be watched, and are told.
    missed: BTreeSet<PathBuf>,
}

/// A folder, and which one that is: another may take its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Folder {
    path: PathBuf,
    /// Device and inode; `None` where there is no such folder.
    identity: Option<(u64, u64)>,
}

impl Folders {
    /// Watches nothing yet.
    pub fn new(changed: Arc<Notify>) -> Folders {
        Folders {
            changed,
            watched: Vec::new(),
            watcher: None,
            missed: BTreeSet::new(),
        }
    }

    /// Watches the folders of these files and folders from here on. True where these are
    /// others than before: what was read before may have changed unseen.
    ///
    /// A folder that cannot be watched is told once in the log.
    pub fn follow(&mut self, places: &[PathBuf]) -> bool {
        let folders = folders(places);
        if folders == self.watched {
            return false;
        }
        self.watched = folders;
        self.watcher = self.watch(names(places));
        true
    }

    fn watch(&mut self, names: BTreeSet<OsString>) -> Option<RecommendedWatcher> {
        let changed = Arc::clone(&self.changed);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error is no reason to miss what it may have hidden.
            if event.map_or(true, |event| matters(&event, &names)) {
                changed.notify_one();
            }
        });
        let mut watcher = match watcher {
            Ok(watcher) => watcher,
            Err(error) => {
                if self.missed.insert(PathBuf::new()) {
                    tracing::warn!(
                        %error,
                        "changes of files are not noticed: SIGHUP makes weir read them"
                    );
                }
                return None;
            }
        };
        let mut missed = BTreeSet::new();
        for Folder { path, identity } in &self.watched {
            let watched = match identity {
                Some(_) => watcher
                    .watch(path, RecursiveMode::NonRecursive)
                    .map_err(|error| error.to_string()),
                // The folder that it is in tells when it comes.
                None if self.is_there(path.parent()) => Ok(()),
                None => Err("there is no such folder".to_owned()),
            };
            if let Err(error) = watched {
                if !self.missed.contains(path) {
                    tracing::warn!(
                        folder = %path.display(),
                        error,
                        "changes in this folder are not noticed: SIGHUP makes weir read its files"
                    );
                }
                missed.insert(path.clone());
            }
        }
        self.missed = missed;
        Some(watcher)
    }

    /// Whether a folder of that path is watched.
    fn is_there(&self, path: Option<&Path>) -> bool {
        let mut watched = self.watched.iter();
        watched.any(|folder| folder.identity.is_some() && Some(&*folder.path) == path)
    }
}

/// Where these are, and where they are in truth if their names are links. A folder itself
/// is watched, and the one that it is in, where its name may come to mean another.
fn folders(places: &[PathBuf]) -> Vec<Folder> {
    let mut paths = BTreeSet::new();
    for place in places.iter().cloned().chain(real(places)) {
        let Ok(place) = std::path::absolute(&place) else {
            continue;
        };
        if let Some(parent) = place.parent() {
            paths.insert(parent.to_owned());
        }
        if place.is_dir() {
            paths.insert(place);
        }
    }
    let folder = |path: PathBuf| Folder {
        identity: fs::metadata(&path)
            .ok()
            .map(|data| (data.dev(), data.ino())),
        path,
    };
    paths.into_iter().map(folder).collect()
}

/// The names of the files, and of those that they are links to.
fn names(places: &[PathBuf]) -> BTreeSet<OsString> {
    let places = places.iter().cloned().chain(real(places));
    places
        .filter_map(|place| place.file_name().map(OsString::from))
        .collect()
}

fn real(places: &[PathBuf]) -> impl Iterator<Item = PathBuf> {
    places
        .iter()
        .filter_map(|place| fs::canonicalize(place).ok())
}

/// Whether one of the files may be another one now. Much else is written in such folders:
/// weir's own file of rejected lines, perhaps. Reading is no change, and weir reads too.
fn matters(event: &Event, names: &BTreeSet<OsString>) -> bool {
    let written = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_) | ModifyKind::Any) => {
            true
        }
        EventKind::Access(_) => return false,
        // Created, moved, removed: seldom, and whatever it is, a link may lead there.
        _ => false,
    };
    let ours = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        names.contains(name) || crate::rules::is_rule_file(path)
    };
    !written || event.need_rescan() || event.paths.iter().any(|path| ours(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange, Flag, RenameMode};

    #[test]
    fn what_is_written_beside_the_files_does_not_matter() {
        let names = ["weir.yaml", "haproxy.cfg"].map(OsString::from).into();
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let moved = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        for (kind, name, expected) in [
            (written, "weir.yaml", true),
            (closed, "haproxy.cfg", true),
            (written, "http.yml", true),
            (written, "rejects.log", false),
            (closed, "http.test.yaml", false),
            (opened, "weir.yaml", false),
            (moved, "..data", true),
            (EventKind::Create(CreateKind::File), "new", true),
        ] {
            let event = Event::new(kind).add_path(Path::new("/etc/weir").join(name));
            assert_eq!(matters(&event, &names), expected, "{kind:?} {name}");
        }
        let lost = Event::new(written).set_flag(Flag::Rescan);
        assert!(matters(&lost, &names));
    }

    #[test]
    fn a_folder_is_watched_with_the_one_it_is_in_and_where_its_links_lead() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        for folder in ["etc", "releases/1", "releases/2"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let link = root.join("etc/rules");
        let lead_to = |folder: &str| {
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(root.join(folder), &link).unwrap();
        };
        let places = [root.join("etc/weir.yaml"), link.clone()];
        let watched = || -> Vec<String> {
            let folders = folders(&places);
            let paths = folders.iter().map(|folder| folder.path.strip_prefix(&root));
            paths
                .map(|path| path.unwrap().display().to_string())
                .collect()
        };
        lead_to("releases/1");
        assert_eq!(watched(), ["etc", "etc/rules", "releases", "releases/1"]);
        let before = folders(&places);
        lead_to("releases/2");
        assert_ne!(folders(&places), before);
        fs::remove_file(&link).unwrap();
        assert_eq!(watched(), ["etc"]);
    }

    #[test]
    fn folders_that_stay_are_not_watched_anew() {
        let root = tempfile::tempdir().unwrap();
        let rules = root.path().join("rules");
        fs::create_dir(&rules).unwrap();
        let mut folders = Folders::new(Arc::default());
        assert!(folders.follow(std::slice::from_ref(&rules)));
        assert!(!folders.follow(std::slice::from_ref(&rules)));
        // Another folder of the same name.
        fs::rename(&rules, root.path().join("old")).unwrap();
        fs::create_dir(&rules).unwrap();
        assert!(folders.follow(std::slice::from_ref(&rules)));
        assert_eq!(folders.missed, BTreeSet::new());
        // The folder that it was in tells when it is there again; else nobody would.
        fs::remove_dir(&rules).unwrap();
        let file = rules.join("a.yaml");
        assert!(folders.follow(&[rules.clone(), file.clone()]));
        assert_eq!(folders.missed, BTreeSet::new());
        assert!(folders.follow(&[file]));
        assert_eq!(folders.missed, BTreeSet::from([rules]));
    }
}
