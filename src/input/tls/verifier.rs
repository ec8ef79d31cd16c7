//! Remembers whose certificate was shown, so that a refusal can name it.
//!
//! rustls tells why a certificate is refused, and forgets the certificate.

use super::subject;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::cell::RefCell;
use std::sync::Arc;

tokio::task_local! {
    static SHOWN: RefCell<Option<String>>;
}

/// Runs a handshake, and tells with its outcome who the client says that it is: its
/// certificate's subject, if it showed one.
pub async fn shown_in<T>(handshake: impl Future<Output = T>) -> (T, Option<String>) {
    let seen = async {
        let done = handshake.await;
        (done, SHOWN.with(RefCell::take))
    };
    SHOWN.scope(RefCell::default(), seen).await
}

/// Verifies as the one within does.
#[derive(Debug)]
pub(super) struct Naming(pub Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Naming {
    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now);
        if verified.is_err() {
            let subject = subject::of(end_entity);
            // Outside of a handshake of ours there is nobody to tell it to.
            let _ = SHOWN.try_with(|shown| shown.replace(Some(subject)));
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
