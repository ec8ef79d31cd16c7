//! The sockets of `listen`.

use super::{Check, Protocol, file};
use crate::source::{Placed, Scalar};
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// A socket that logs arrive on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    pub protocol: Protocol,
    pub address: SocketAddr,
    /// The networks whose senders are let in; empty: all.
    pub allow: Vec<IpNet>,
    /// There for `tls`, and for `relp` over TLS.
    pub tls: Option<TlsFiles>,
}

impl Listen {
    /// One that lets everybody in, without TLS.
    pub fn plain(protocol: Protocol, address: SocketAddr) -> Listen {
        Listen {
            protocol,
            address,
            allow: Vec::new(),
            tls: None,
        }
    }
}

/// What a TLS listener is set up from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TlsFiles {
    /// PEM: our certificate, with those that lead to its root behind it.
    pub cert: NamedFile,
    /// PEM: the certificate's private key.
    pub key: NamedFile,
    /// PEM: who signs the certificates of the senders that are let in; `None`: nobody needs
    /// one.
    pub client_ca: Option<NamedFile>,
}

/// A file, and where it is named. Two are the same if their paths are.
#[derive(Clone, Debug)]
pub struct NamedFile {
    pub path: PathBuf,
    pub named: Placed,
}

impl PartialEq for NamedFile {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for NamedFile {}

impl PartialOrd for NamedFile {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NamedFile {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.path.cmp(&other.path)
    }
}

/// The length of the prefix of addresses of version 4 in those of version 6, such as
/// `::ffff:192.0.2.7` (RFC 4291, section 2.5.5.2).
const MAPPED_PREFIX: u8 = 96;

/// A network of mapped addresses as the one of version 4 that it means: senders' addresses
/// are compared as these.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else {
        return network;
    };
    let length = mapped.prefix_len().checked_sub(MAPPED_PREFIX);
    let address = mapped.addr().to_ipv4_mapped();
    let plain = address
        .zip(length)
        .and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    plain.map_or(network, IpNet::V4)
}

impl Check<'_> {
    pub(super) fn listen(&mut self, listen: file::Listen, base: &Path) -> Option<Listen> {
        let address = self.address(&listen.address);
        let allow = listen.allow.map(|allow| self.allow(&allow));
        let tls = self.tls(
            listen.protocol,
            &listen.address,
            [listen.cert, listen.key, listen.client_ca],
            base,
        );
        Some(Listen {
            protocol: listen.protocol,
            address: address?,
            allow: allow.unwrap_or_default(),
            tls,
        })
    }

    fn allow(&mut self, allow: &file::Allow) -> Vec<IpNet> {
        if allow.networks.is_empty() {
            let problem = self
                .source
                .problem(allow.span.clone(), "an empty `allow` lets nobody in");
            self.problems.push(problem.hint(
                "name the networks of the senders, such as `[\"10.0.0.0/8\"]`; without the key \
                 everybody is let in",
            ));
        }
        let networks = allow.networks.iter();
        networks.filter_map(|text| self.network(text)).collect()
    }

    fn network(&mut self, text: &Scalar) -> Option<IpNet> {
        let address = text.value.parse::<IpAddr>().map(IpNet::from);
        let network = address.ok().or_else(|| text.value.parse().ok());
        if network.is_none() {
            self.wrong(
                text,
                format!("`{}` is no network", text.value),
                "write an address, such as `192.0.2.7` or `2001:db8::7`, or a network, such as \
                 `10.0.0.0/8`",
            );
        }
        network.map(canonical)
    }

    fn tls(
        &mut self,
        protocol: Protocol,
        address: &Scalar,
        files: [Option<Scalar>; 3],
        base: &Path,
    ) -> Option<TlsFiles> {
        if let (Protocol::Udp | Protocol::Tcp, Some(file)) =
            (protocol, files.iter().flatten().next())
        {
            let name = protocol.as_str();
            self.wrong(
                file,
                format!("a certificate on a `{name}` socket would encrypt nothing"),
                "choose `protocol: tls`",
            );
            return None;
        }
        match files {
            [Some(cert), Some(key), client_ca] => Some(TlsFiles {
                cert: self.file(cert, base),
                key: self.file(key, base),
                client_ca: client_ca.map(|file| self.file(file, base)),
            }),
            // RELP without TLS.
            [None, None, None] if protocol != Protocol::Tls => None,
            [cert, key, client_ca] => {
                let at = cert.as_ref().or(key.as_ref()).or(client_ca.as_ref());
                let missing = match (&cert, &key) {
                    (None, None) => "`cert` and `key`",
                    (None, _) => "`cert`",
                    _ => "`key`",
                };
                self.wrong(
                    at.unwrap_or(address),
                    format!("TLS needs {missing}"),
                    "name two PEM files: `cert`, the certificate with those that lead to its root \
                     behind it, and `key`, its private key",
                );
                None
            }
        }
    }

    fn file(&self, file: Scalar, base: &Path) -> NamedFile {
        NamedFile {
            path: base.join(&file.value),
            named: self.placed(file),
        }
    }
}
