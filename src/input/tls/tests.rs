use super::*;
use crate::source::{Placed, Scalar};
use rcgen::{CertifiedKey as Made, generate_simple_self_signed};
use std::path::Path;

/// Files that are named in a `weir.yaml` as `cert.pem`, `key.pem` and `ca.pem`.
fn files(folder: &Path, client_ca: bool) -> TlsFiles {
    let yaml = Source::new(
        "weir.yaml",
        "cert: cert.pem\nkey: key.pem\nclient_ca: ca.pem\n",
    );
    let file = |name: &str| {
        let start = yaml.text.find(name).unwrap();
        NamedFile {
            path: folder.join(name),
            named: Placed {
                source: yaml.clone(),
                text: Scalar {
                    value: name.to_owned(),
                    span: start..start + name.len(),
                },
            },
        }
    };
    TlsFiles {
        cert: file("cert.pem"),
        key: file("key.pem"),
        client_ca: client_ca.then(|| file("ca.pem")),
    }
}

fn made() -> (String, String) {
    let Made { cert, signing_key } = generate_simple_self_signed(["weir".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

/// What is wrong with files of these texts; `None` stands for a file that is not there.
fn wrong(cert: Option<&str>, key: Option<&str>, ca: Option<Option<&str>>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let all = [
        ("cert.pem", cert),
        ("key.pem", key),
        ("ca.pem", ca.flatten()),
    ];
    for (name, text) in all {
        if let Some(text) = text {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
    }
    let files = files(folder.path(), ca.is_some());
    let problems = Texts::read(&files).server(&files).err().unwrap_or_default();
    let shown = problems.iter().map(|problem| {
        assert!(problem.hint.is_some(), "{problem}");
        problem
            .to_string()
            .replace(&format!("{}/", folder.path().display()), "")
    });
    shown.collect()
}

#[test]
fn a_certificate_and_its_key_are_fine() {
    let (cert, key) = made();
    assert_eq!(wrong(Some(&cert), Some(&key), None), [""; 0]);
    assert_eq!(wrong(Some(&cert), Some(&key), Some(Some(&cert))), [""; 0]);
    // In one file, as HAProxy has them.
    let both = format!("{key}{cert}");
    assert_eq!(wrong(Some(&both), Some(&both), None), [""; 0]);
}

#[test]
fn a_certificate_that_is_not_good_now_is_told() {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let name = rcgen::DnType::CommonName;
    params.distinguished_name.push(name, "weir.test");
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2026, 2, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path(), false);
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(&files.cert.path, certificate.pem()).unwrap();
    std::fs::write(&files.key.path, key.serialize_pem()).unwrap();
    let texts = Texts::read(&files);
    assert!(texts.server(&files).is_ok());
    for (now, told) in [
        (
            1_767_225_599,
            "is good from 2026-01-01T00:00:00.000Z on, and is not now",
        ),
        (1_767_225_600, ""),
        (1_769_904_000, ""),
        (
            1_769_904_001,
            "was good until 2026-02-01T00:00:00.000Z, and is not now",
        ),
    ] {
        let warnings = texts.warnings(&files, Timestamp::from_secs(now));
        let warnings: Vec<_> = warnings.iter().map(Problem::to_string).collect();
        let path = files.cert.path.display();
        let all = format!("weir.yaml:1:7: {path}: the certificate (CN=weir.test) {told}");
        let expected = [all].into_iter().filter(|_| !told.is_empty());
        assert_eq!(warnings, expected.collect::<Vec<_>>(), "{now}");
    }
}

#[test]
fn what_is_wrong_is_told_at_its_key() {
    let (cert, key) = made();
    let (_, other) = made();
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let no_cert = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let (cert, key) = (Some(&*cert), Some(&*key));
    for (problems, expected) in [
        (
            wrong(None, None, Some(None)),
            &[
                "weir.yaml:1:7: cert.pem: cannot be read: No such file or directory (os error 2)",
                "weir.yaml:2:6: key.pem: cannot be read: No such file or directory (os error 2)",
                "weir.yaml:3:12: ca.pem: cannot be read: No such file or directory (os error 2)",
            ][..],
        ),
        (
            wrong(Some(""), Some("hello"), Some(key)),
            &[
                "weir.yaml:1:7: cert.pem: there is no certificate in it",
                "weir.yaml:2:6: key.pem: there is no private key in it",
                "weir.yaml:3:12: ca.pem: there is no certificate in it",
            ],
        ),
        (
            wrong(cert, Some(&other), None),
            &["weir.yaml:2:6: key.pem: not the key of the certificate in cert.pem"],
        ),
        (
            wrong(cert, Some(encrypted), None),
            &["weir.yaml:2:6: key.pem: the key is encrypted"],
        ),
        (
            wrong(cert, Some(old), None),
            &["weir.yaml:2:6: key.pem: the key is encrypted"],
        ),
    ] {
        assert_eq!(problems, expected);
    }
    // What the libraries say of bytes that are none of either is theirs to word.
    for (problems, expected) in [
        (
            wrong(cert, Some(no_key), None),
            "weir.yaml:2:6: key.pem: not a usable key: ",
        ),
        (
            wrong(Some(no_cert), key, None),
            "weir.yaml:1:7: cert.pem: not a usable certificate: ",
        ),
        (
            wrong(cert, key, Some(Some(no_cert))),
            "weir.yaml:3:12: ca.pem: not a usable certificate: ",
        ),
    ] {
        assert!(
            problems.len() == 1 && problems[0].starts_with(expected),
            "{problems:?}"
        );
    }
}
