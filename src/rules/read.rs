//! Rule files from disk, and those that are built in.

use crate::source::{self, Source};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why rule files could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{}: cannot be read", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "{}: there is no rule file in this folder\n\nhint: rule files end in .yaml or .yml; those that end in .test.yaml are tests",
        folder.display()
    )]
    Empty { folder: PathBuf },
    #[error(transparent)]
    File(#[from] source::ReadError),
}

impl ReadError {
    pub fn path(&self) -> &Path {
        match self {
            ReadError::Io { path, .. } | ReadError::Empty { folder: path } => path,
            ReadError::File(error) => error.path(),
        }
    }
}

/// The rules that weir uses when none are given. Their names are no paths of files.
pub fn bundled() -> Vec<Source> {
    vec![
        Source::new("bundled/http.yaml", include_str!("../../rules/http.yaml")),
        Source::new("bundled/tcp.yaml", include_str!("../../rules/tcp.yaml")),
    ]
}

/// The tests of the bundled rules, which stand beside them.
pub fn bundled_tests() -> Vec<Source> {
    vec![
        Source::new(
            "bundled/http.test.yaml",
            include_str!("../../rules/http.test.yaml"),
        ),
        Source::new(
            "bundled/tcp.test.yaml",
            include_str!("../../rules/tcp.test.yaml"),
        ),
    ]
}

/// The test files of a folder in the order of their names: those that end in `.test.yaml` or
/// `.test.yml`, without folders inside.
pub fn test_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    files(folder, is_test_file)
}

/// The rule files of a folder in the order of their names.
pub fn rule_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    files(folder, is_rule_file)
}

/// Reads a file, or the rule files of a folder in the order of their names: those
/// that end in `.yaml` or `.yml`, without `.test.yaml` and without folders inside.
pub fn read(path: &Path) -> Result<Vec<Source>, ReadError> {
    let io = |source| ReadError::Io {
        path: path.into(),
        source,
    };
    if !fs::metadata(path).map_err(io)?.is_dir() {
        return Ok(vec![Source::read(path)?]);
    }
    let files = rule_files(path).map_err(io)?;
    if files.is_empty() {
        let folder = path.into();
        return Err(ReadError::Empty { folder });
    }
    let sources = files.iter().map(|file| Source::read(file));
    Ok(sources.collect::<Result<_, _>>()?)
}

fn files(folder: &Path, wanted: fn(&Path) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        if wanted(&file) && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a file of this name in a folder of rules is one of them.
pub(crate) fn is_rule_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (name.ends_with(".yaml") || name.ends_with(".yml")) && !is_test_file(path)
}

fn is_test_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".test.yaml") || name.ends_with(".test.yml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_rule_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "a.test.yaml", "notes.txt"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        fs::create_dir(folder.path().join("c.yaml")).unwrap();
        let sources = read(folder.path()).unwrap();
        let texts: Vec<_> = sources.iter().map(|source| &*source.text).collect();
        assert_eq!(texts, ["a.yml", "b.yaml"]);
        let name = folder.path().join("a.yml").display().to_string();
        assert_eq!(*sources[0].name, *name);
        assert_eq!(read(Path::new(&name)).unwrap(), sources[..1]);
    }

    #[test]
    fn an_empty_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let said = |path: &Path| {
            let error = read(path).unwrap_err().to_string();
            error.replace(&folder.path().display().to_string(), "rules")
        };
        insta::assert_snapshot!(said(folder.path()), @r#"
    rules: there is no rule file in this folder

    hint: rule files end in .yaml or .yml; those that end in .test.yaml are tests
    "#);
    }
}
