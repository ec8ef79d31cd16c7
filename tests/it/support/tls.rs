//! Certificates for a test, and a sender that speaks TLS.

use super::write;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Who signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, both in PEM.
pub struct Identity {
    pub cert: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, pair());
        Authority(issuer.expect("a certificate"))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for that name; it is good for a server on loopback too.
    pub fn sign(&self, name: &str) -> Identity {
        self.signed(named(name))
    }

    /// One that was good on the first day of 2020.
    pub fn sign_expired(&self, name: &str) -> Identity {
        let mut params = named(name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 1, 2);
        self.signed(params)
    }

    fn signed(&self, params: CertificateParams) -> Identity {
        let key = pair();
        let cert = params.signed_by(&key, &self.0).expect("a certificate");
        Identity {
            cert: cert.pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Identity {
    /// As `NAME.pem` and `NAME.key` in that folder.
    pub fn write(&self, folder: &Path, name: &str) {
        write(&folder.join(format!("{name}.pem")), &self.cert);
        write(&folder.join(format!("{name}.key")), &self.key);
    }
}

fn named(name: &str) -> CertificateParams {
    let names = [name.to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn pair() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// A connection on which the handshake is done, as far as the client can tell: over TLS 1.3
/// it is refused after that.
pub type Client = StreamOwned<ClientConnection, TcpStream>;

/// Connects to a server whose certificate `authority` has signed.
pub fn connect(
    address: SocketAddr,
    authority: &Authority,
    identity: Option<&Identity>,
) -> io::Result<Client> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&authority.pem())).expect("a root");
    let builder =
        ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { cert, key }) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
            let config = builder.with_client_auth_cert(vec![certificate(cert)], key);
            config.expect("an identity")
        }
    };
    let name = ServerName::from(address.ip());
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut client = StreamOwned::new(connection, socket);
    while client.conn.is_handshaking() {
        client.conn.complete_io(&mut client.sock)?;
    }
    Ok(client)
}

/// Whether the server ends the connection by itself, not having said a word.
pub fn is_ended(client: &mut Client) -> bool {
    match client.read(&mut [0; 1]) {
        Ok(read) => read == 0,
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        ),
    }
}

/// The server's certificate, in DER.
pub fn shown(client: &Client) -> Vec<u8> {
    let certificates = client.conn.peer_certificates().expect("a certificate");
    certificates[0].to_vec()
}

pub fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
}
