//! What TLS goes by: PEM files, read, checked and put together before any of it is in force.
//!
//! A file that cannot be used is told at its key in `weir.yaml`.

mod der;
mod subject;
mod validity;
mod verifier;

pub use verifier::shown_in;

use crate::config::{NamedFile, TlsFiles};
use crate::source::{Problem, ReadError, Source};
use crate::time::Timestamp;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, RootCertStore};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use verifier::Naming;

/// What each set of files was put together to.
pub type Servers = BTreeMap<TlsFiles, Arc<ServerConfig>>;

/// The texts of one set of files, or why they cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Texts {
    cert: Result<Pem, String>,
    key: Result<Pem, String>,
    client_ca: Option<Result<Pem, String>>,
}

/// A file's text, which is not shown: it may be a key.
#[derive(Clone, PartialEq)]
struct Pem(Arc<str>);

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pem")
    }
}

impl Texts {
    pub fn read(files: &TlsFiles) -> Texts {
        Texts {
            cert: read(&files.cert),
            key: read(&files.key),
            client_ca: files.client_ca.as_ref().map(read),
        }
    }

    /// Each text by its file's path.
    pub fn by_path<'a>(
        &'a self,
        files: &'a TlsFiles,
    ) -> impl Iterator<Item = (&'a NamedFile, &'a str)> {
        let client_ca = files.client_ca.as_ref().zip(self.client_ca.as_ref());
        let all = [(&files.cert, &self.cert), (&files.key, &self.key)];
        let all = all.into_iter().chain(client_ca);
        all.map(|(file, text)| (file, text.as_ref().map_or("", |pem| &*pem.0)))
    }

    /// What is to be said of files that can be used: senders that look at the listener's
    /// certificate do not take one that is not good at `now`.
    pub fn warnings(&self, files: &TlsFiles, now: Timestamp) -> Vec<Problem> {
        let file = &files.cert;
        let found = usable(file, &self.cert).and_then(|pem| certificates(file, pem));
        let found = found.unwrap_or_default();
        let warnings = found.iter().filter_map(|certificate| {
            let (first, last) = validity::of(certificate)?;
            let how = if now > last {
                format!("was good until {last}")
            } else if now < first {
                format!("is good from {first} on")
            } else {
                return None;
            };
            let (path, subject) = (file.path.display(), subject::of(certificate));
            let message = format!("{path}: the certificate ({subject}) {how}, and is not now");
            Some(*problem(
                file,
                message,
                "senders that verify it do not connect: put a new one in its place, or look at \
                 the clock",
            ))
        });
        warnings.collect()
    }

    /// Puts them together.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them.
    pub fn server(&self, files: &TlsFiles) -> Result<Arc<ServerConfig>, Vec<Problem>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let cert = usable(&files.cert, &self.cert).and_then(|pem| certificates(&files.cert, pem));
        let key = usable(&files.key, &self.key).and_then(|pem| key(&files.key, pem));
        let roots = files.client_ca.as_ref().zip(self.client_ca.as_ref());
        let roots = roots
            .map(|(file, text)| usable(file, text).and_then(|pem| client_roots(file, pem)))
            .transpose();
        let identity = match (cert, key) {
            (Ok(cert), Ok(key)) => {
                identity(files, cert, key, &provider).map_err(|problem| vec![*problem])
            }
            (cert, key) => {
                let problems = cert.err().into_iter().chain(key.err());
                Err(problems.map(|problem| *problem).collect())
            }
        };
        match (identity, roots) {
            (Ok(identity), Ok(roots)) => {
                build(files, identity, roots, provider).map_err(|problem| vec![*problem])
            }
            (identity, roots) => {
                let mut problems = identity.err().unwrap_or_default();
                problems.extend(roots.err().map(|problem| *problem));
                Err(problems)
            }
        }
    }
}

fn read(file: &NamedFile) -> Result<Pem, String> {
    match Source::read_lossily(&file.path) {
        Ok(source) => Ok(Pem(source.text)),
        Err(ReadError::Io { source, .. }) => Err(source.to_string()),
        Err(ReadError::TooLarge { .. } | ReadError::NotUtf8 { .. }) => {
            Err("it is larger than 4 MiB".to_owned())
        }
    }
}

fn problem(file: &NamedFile, message: impl Into<String>, hint: &str) -> Box<Problem> {
    let named = &file.named;
    let problem = named.source.problem(named.text.span.clone(), message);
    Box::new(problem.hint(hint))
}

fn usable<'a>(file: &NamedFile, text: &'a Result<Pem, String>) -> Result<&'a str, Box<Problem>> {
    match text {
        Ok(pem) => Ok(&pem.0),
        Err(why) => Err(problem(
            file,
            format!("{}: cannot be read: {why}", file.path.display()),
            "name a PEM file that weir may read; a relative path starts at the folder of weir.yaml",
        )),
    }
}

/// What a file of certificates should hold.
const CERTIFICATES_HINT: &str = "a PEM file holds certificates between `-----BEGIN CERTIFICATE-----` and \
     `-----END CERTIFICATE-----`";

fn certificates(file: &NamedFile, pem: &str) -> Result<Vec<CertificateDer<'static>>, Box<Problem>> {
    let path = file.path.display();
    let certificates: Result<Vec<_>, pem::Error> =
        CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match certificates {
        Ok(found) if found.is_empty() => Err(problem(
            file,
            format!("{path}: there is no certificate in it"),
            CERTIFICATES_HINT,
        )),
        Ok(found) => Ok(found),
        Err(error) => Err(problem(
            file,
            format!("{path}: not a PEM file: {error}"),
            CERTIFICATES_HINT,
        )),
    }
}

fn key(file: &NamedFile, pem: &str) -> Result<PrivateKeyDer<'static>, Box<Problem>> {
    let path = file.path.display();
    // PKCS#8 says so in its first line, older keys in a header (RFC 1421, section 4.6.1.1).
    if pem.contains("ENCRYPTED") {
        return Err(problem(
            file,
            format!("{path}: the key is encrypted"),
            "nobody is there to give its passphrase when weir starts: write it without one, with \
             `openssl pkey`, and let only weir read it",
        ));
    }
    match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(problem(
            file,
            format!("{path}: there is no private key in it"),
            "a PEM file holds a key below `-----BEGIN PRIVATE KEY-----`",
        )),
        Err(error) => Err(problem(
            file,
            format!("{path}: not a PEM file: {error}"),
            "a PEM file holds a key below `-----BEGIN PRIVATE KEY-----`",
        )),
    }
}

fn identity(
    files: &TlsFiles,
    cert: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Box<Problem>> {
    let key = provider.key_provider.load_private_key(key).map_err(|error| {
        problem(
            &files.key,
            format!("{}: not a usable key: {error}", files.key.path.display()),
            "make one with `openssl genpkey`: RSA of 2048 bits or more, ECDSA P-256 or P-384, or \
             Ed25519",
        )
    })?;
    let identity = CertifiedKey::new(cert, key);
    match identity.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(identity),
        Err(Error::InconsistentKeys(_)) => Err(problem(
            &files.key,
            format!(
                "{}: not the key of the certificate in {}",
                files.key.path.display(),
                files.cert.path.display()
            ),
            "both belong together; the first certificate in `cert` is the listener's own",
        )),
        Err(error) => Err(problem(
            &files.cert,
            format!(
                "{}: not a usable certificate: {error}",
                files.cert.path.display()
            ),
            "the first certificate in `cert` is the listener's own, of X.509 version 3",
        )),
    }
}

fn client_roots(file: &NamedFile, pem: &str) -> Result<RootCertStore, Box<Problem>> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, pem)? {
        roots.add(certificate).map_err(|error| {
            problem(
                file,
                format!("{}: not a usable certificate: {error}", file.path.display()),
                CERTIFICATES_HINT,
            )
        })?;
    }
    Ok(roots)
}

fn build(
    files: &TlsFiles,
    identity: CertifiedKey,
    roots: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<ServerConfig>, Box<Problem>> {
    let cannot = |file: &NamedFile, error: &dyn fmt::Display| {
        let message = format!("{}: cannot be used: {error}", file.path.display());
        problem(file, message, CERTIFICATES_HINT)
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| cannot(&files.cert, &error))?;
    let builder = match (roots, &files.client_ca) {
        (Some(roots), Some(file)) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            let verifier = verifier.build().map_err(|error| cannot(file, &error))?;
            builder.with_client_cert_verifier(Arc::new(Naming(verifier)))
        }
        _ => builder.with_no_client_auth(),
    };
    let resolver = SingleCertAndKey::from(identity);
    Ok(Arc::new(builder.with_cert_resolver(Arc::new(resolver))))
}

#[cfg(test)]
mod tests;
