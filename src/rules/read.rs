//! Rule files from disk, and those that are built in.

use super::Source;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A larger file is refused before it is read: ten thousand rules are smaller.
const MAX_BYTES: u64 = 4 << 20;

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
    #[error("{}: larger than {MAX_BYTES} bytes\n\nhint: spread the rules over several files", path.display())]
    TooLarge { path: PathBuf },
    #[error("{}: not UTF-8, which YAML files are", path.display())]
    NotUtf8 { path: PathBuf },
}

/// The rules that weir uses when none are given.
pub fn bundled() -> Vec<Source> {
    let source = |name: &str, text: &str| Source {
        name: name.into(),
        text: text.into(),
    };
    vec![
        source("rules/http.yaml", include_str!("../../rules/http.yaml")),
        source("rules/tcp.yaml", include_str!("../../rules/tcp.yaml")),
    ]
}

/// Reads a file, or the rule files of a folder in the order of their names: those
/// that end in `.yaml` or `.yml`, without `.test.yaml` and without folders inside.
pub fn read(path: &Path) -> Result<Vec<Source>, ReadError> {
    let io = |source| ReadError::Io {
        path: path.into(),
        source,
    };
    if !fs::metadata(path).map_err(io)?.is_dir() {
        return Ok(vec![read_file(path)?]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        let file = entry.map_err(io)?.path();
        if is_rule_file(&file) && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        let folder = path.into();
        return Err(ReadError::Empty { folder });
    }
    files.sort();
    files.iter().map(|file| read_file(file)).collect()
}

fn is_rule_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (name.ends_with(".yaml") || name.ends_with(".yml"))
        && !name.ends_with(".test.yaml")
        && !name.ends_with(".test.yml")
}

fn read_file(path: &Path) -> Result<Source, ReadError> {
    let io = |source| ReadError::Io {
        path: path.into(),
        source,
    };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(io)?;
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ReadError::TooLarge { path: path.into() });
    }
    let text = String::from_utf8(bytes).map_err(|_| ReadError::NotUtf8 { path: path.into() })?;
    let name = path.display().to_string();
    Ok(Source { name, text })
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
        let texts: Vec<_> = sources.iter().map(|source| source.text.as_str()).collect();
        assert_eq!(texts, ["a.yml", "b.yaml"]);
        let name = folder.path().join("a.yml").display().to_string();
        assert_eq!(sources[0].name, name);
        assert_eq!(read(Path::new(&name)).unwrap(), sources[..1]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let said = |path: &Path| {
            let error = read(path).unwrap_err().to_string();
            error.replace(&folder.path().display().to_string(), "rules")
        };
        insta::assert_snapshot!(said(folder.path()), @r#"
    rules: there is no rule file in this folder

    hint: rule files end in .yaml or .yml; those that end in .test.yaml are tests
    "#);
        let file = folder.path().join("a.yaml");
        insta::assert_snapshot!(said(&file), @"rules/a.yaml: cannot be read");
        fs::write(&file, b"rules: \xff").unwrap();
        insta::assert_snapshot!(said(&file), @"rules/a.yaml: not UTF-8, which YAML files are");
        fs::write(&file, vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
        insta::assert_snapshot!(said(&file), @r#"
    rules/a.yaml: larger than 4194304 bytes

    hint: spread the rules over several files
    "#);
    }
}
