use super::*;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const A: &str = "rules:\n  - name: a\n    measure: { n: count() }\n";
const AB: &str =
    "rules:\n  - name: a\n    measure: { n: count() }\n  - name: b\n    measure: { n: count() }\n";
const WRONG: &str = "rules:\n  - name: a\n    where: stauts > 1\n    measure: { n: count() }\n";
const CONFIG: &str = "rules: rules\nhaproxy: { config: haproxy.cfg }\n";
const FORMATS: &str = "frontend www\n  log-format \"%ci %ST\"\n";

/// A folder with a set of files, and what reloads do with it.
struct Site {
    folder: TempDir,
    reloader: Reloader,
    loaded: watch::Receiver<Arc<Loaded>>,
    account: Arc<Account>,
    /// Seconds; every reload is one later.
    now: i64,
}

fn env(_: &str) -> Option<std::ffi::OsString> {
    None
}

impl Site {
    fn new() -> Site {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("rules")).unwrap();
        for (name, text) in [
            ("weir.yaml", CONFIG),
            ("haproxy.cfg", FORMATS),
            ("rules/a.yaml", A),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let path = folder.path().join("weir.yaml");
        let files = Files::read(Some(&path), &env);
        let Compiled { config, loaded, .. } = files.compile(&env, Timestamp::from_secs(0)).unwrap();
        let account = Arc::new(Account::new(&loaded, Timestamp::from_secs(0)));
        let (sender, receiver) = watch::channel(Arc::new(loaded));
        Site {
            folder,
            reloader: Reloader::new(path, &files, config, sender, Arc::clone(&account)),
            loaded: receiver,
            account,
            now: 0,
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&mut self, asked: bool) -> Outcome {
        self.now += 1;
        let files = Files::read(Some(&self.path("weir.yaml")), &env);
        let now = Timestamp::from_secs(self.now);
        self.reloader.take(&files, asked, &env, now)
    }

    /// The names of the rules in force.
    fn names(&self) -> String {
        let rules = &self.loaded.borrow().rules;
        rules.names().collect::<Vec<_>>().join(" ")
    }

    /// When what was refused, and what is wrong with it.
    fn refused(&self) -> Option<(i64, i64, String)> {
        let refused = self.account.snapshot().refused?;
        let folder = format!("{}/", self.folder.path().display());
        let problems = refused.problems.join("\n").replace(&folder, "");
        Some((refused.since, refused.at, problems))
    }
}

#[test]
fn files_that_stay_the_same_change_nothing() {
    let mut site = Site::new();
    let before = Arc::clone(&site.loaded.borrow());
    site.write("rules/a.yaml", A);
    site.write("rules/notes.txt", "not a rule");
    assert_eq!(site.read(false), Outcome::Unchanged);
    assert_eq!(site.read(true), Outcome::Unchanged);
    assert!(Arc::ptr_eq(&before, &site.loaded.borrow()));
    assert_eq!(site.account.snapshot().accepted, 0);
}

#[test]
fn each_file_of_a_set_may_change() {
    let mut site = Site::new();
    site.write("rules/a.yaml", AB);
    assert_eq!(site.read(false), Outcome::Accepted);
    assert_eq!(site.names(), "a b");
    site.write("rules/c.yaml", &A.replace("name: a", "name: c"));
    assert_eq!(site.read(false), Outcome::Accepted);
    assert_eq!(site.names(), "a b c");
    fs::remove_file(site.path("rules/a.yaml")).unwrap();
    assert_eq!(site.read(false), Outcome::Accepted);
    assert_eq!(site.names(), "c");
    let snapshot = site.account.snapshot();
    assert_eq!((snapshot.rules, snapshot.files.len()), (1, 1));
    assert_eq!((snapshot.accepted, snapshot.loaded), (3, 3));

    // A field of a format is known to rules as soon as the format is.
    site.write(
        "rules/c.yaml",
        "rules:\n  - name: d\n    where: extra[\"country\"] == \"se\"\n    measure: { n: count() }\n",
    );
    site.write(
        "haproxy.cfg",
        "frontend www\n  log-format \"%{+json}o %ST %(country)[src]\"\n",
    );
    assert_eq!(site.read(false), Outcome::Accepted);
    assert_eq!(site.names(), "d");

    // And other files may be named.
    fs::create_dir(site.path("other")).unwrap();
    site.write("other/e.yaml", &A.replace("name: a", "name: e"));
    site.write("weir.yaml", "rules: other/e.yaml\n");
    assert_eq!(site.read(false), Outcome::Accepted);
    assert_eq!(site.names(), "e");
    assert_eq!(
        site.reloader.places,
        ["weir.yaml", "other/e.yaml", "other/e.yaml"].map(|name| site.path(name))
    );
}

#[test]
fn a_wrong_set_is_refused_as_a_whole_and_told_once() {
    let mut site = Site::new();
    site.write("rules/b.yaml", &A.replace("name: a", "name: b"));
    site.write("rules/a.yaml", WRONG);
    assert_eq!(site.read(false), Outcome::Refused);
    assert_eq!(site.names(), "a");
    let told = "rules/a.yaml:3:12: rule `a`: unknown field `stauts`";
    assert_eq!(site.refused(), Some((1, 1, told.to_owned())));

    assert_eq!(site.read(false), Outcome::RefusedBefore);
    assert_eq!(site.account.snapshot().refusals, 1);
    // Whoever asks is told again.
    assert_eq!(site.read(true), Outcome::Refused);
    assert_eq!(site.refused(), Some((1, 3, told.to_owned())));
    // Wrong in another way, and in two files.
    site.write("haproxy.cfg", "frontend www\n  log-format \"%nonsense\"\n");
    assert_eq!(site.read(false), Outcome::Refused);
    let snapshot = site.account.snapshot();
    assert_eq!(snapshot.refusals, 3);
    assert_eq!(snapshot.refused.map(|refused| refused.count), Some(2));

    site.write("haproxy.cfg", FORMATS);
    site.write("rules/a.yaml", AB.replace("name: b", "name: c").as_str());
    assert_eq!(site.read(false), Outcome::Accepted);
    assert_eq!((site.names().as_str(), site.refused()), ("a c b", None));
    // Who looks later still learns what was refused.
    let last = site.account.snapshot().last_refused;
    assert_eq!(last.map(|last| (last.count, last.at)), Some((2, 4)));
}

#[test]
fn files_put_back_end_a_refusal() {
    let mut site = Site::new();
    site.write("rules/a.yaml", WRONG);
    assert_eq!(site.read(false), Outcome::Refused);
    site.write("rules/a.yaml", A);
    assert_eq!(site.read(false), Outcome::Restored);
    assert_eq!(site.refused(), None);
    assert_eq!(site.read(false), Outcome::Unchanged);
    site.write("rules/a.yaml", WRONG);
    assert_eq!(site.read(false), Outcome::Refused);
}

#[test]
fn a_file_that_cannot_be_read_is_a_reason_too() {
    for (name, told) in [
        ("weir.yaml", "weir.yaml: cannot be read: No such file"),
        ("haproxy.cfg", "haproxy.cfg: cannot be read: No such file"),
        (
            "rules/a.yaml",
            "rules: there is no rule file in this folder",
        ),
    ] {
        let mut site = Site::new();
        fs::remove_file(site.path(name)).unwrap();
        assert_eq!(site.read(false), Outcome::Refused, "{name}");
        let (_, _, problems) = site.refused().unwrap();
        assert!(problems.starts_with(told), "{problems}");
        assert_eq!(site.names(), "a");
        // Where to look for what comes next is not forgotten.
        assert!(site.reloader.places.contains(&site.path("rules")), "{name}");
    }
}

#[test]
fn keys_that_need_a_restart_are_told_once() {
    let mut site = Site::new();
    let told = |site: &mut Site, config: &str| {
        site.write("weir.yaml", config);
        let outcome = site.read(false);
        (outcome, site.reloader.told.clone())
    };
    let other_state = format!("{CONFIG}state: elsewhere\n");
    for (config, keys) in [
        (other_state.as_str(), &["state"][..]),
        (
            &format!("{other_state}limits: {{ series: 5 }}\n"),
            &["state", "limits"],
        ),
        (&format!("# as before\n{CONFIG}"), &[]),
    ] {
        assert_eq!(told(&mut site, config), (Outcome::Accepted, keys.to_vec()));
    }
}

#[test]
fn half_a_file_is_refused_and_then_the_whole_accepted() {
    let mut site = Site::new();
    let (half, _) = AB.split_at(AB.len() - 12);
    site.write("rules/a.yaml", half);
    assert_eq!(site.read(false), Outcome::Refused);
    site.write("rules/a.yaml", AB);
    assert_eq!(site.read(false), Outcome::Accepted);
    assert_eq!((site.names().as_str(), site.refused()), ("a b", None));
}

#[test]
fn what_was_changed_is_named_by_its_file() {
    let site = Site::new();
    let path = site.path("weir.yaml");
    let texts = |path: &Path| Files::read(Some(path), &env).texts().clone();
    let before = texts(&path);
    site.write("haproxy.cfg", "frontend web\n");
    site.write("rules/b.yaml", AB);
    fs::remove_file(site.path("rules/a.yaml")).unwrap();
    let changed = texts(&path).changed_since(&before);
    let changed: Vec<_> = changed.iter().map(|name| PathBuf::from(&**name)).collect();
    let names = ["haproxy.cfg", "rules/b.yaml", "rules/a.yaml"];
    assert_eq!(changed, names.map(|name| site.path(name)));
    assert_eq!(
        texts(&path).changed_since(&texts(&path)),
        [] as [Arc<str>; 0]
    );
}

#[test]
fn what_was_put_in_force_or_refused_is_marked_once() {
    let mut site = Site::new();
    let marked = |site: &mut Site| {
        site.read(false);
        let mark = site.reloader.take_mark()?;
        assert_eq!(site.reloader.take_mark(), None);
        let folder = format!("{}/", site.folder.path().display());
        let description = mark.description.unwrap().replace(&folder, "");
        Some((mark.start.as_secs(), mark.title.to_string(), description))
    };
    assert_eq!(marked(&mut site), None);
    site.write("rules/a.yaml", AB);
    let told = |at, title: &str, description: &str| Some((at, title.into(), description.into()));
    assert_eq!(
        marked(&mut site),
        told(2, "rules reloaded", "added b (rules/a.yaml)")
    );
    site.write(
        "haproxy.cfg",
        "frontend www\n  log-format \"%ci %ST %Ta\"\n",
    );
    assert_eq!(marked(&mut site), told(3, "reloaded", "haproxy.cfg"));
    site.write("rules/a.yaml", WRONG);
    assert_eq!(
        marked(&mut site),
        told(
            4,
            "reload refused, what was in force stays",
            "rules/a.yaml:3:12: rule `a`: unknown field `stauts`"
        )
    );
    assert_eq!(marked(&mut site), None);
}
