//! Lets senders in: who may, how many, and over TLS by which certificate. What they say is
//! another's to read.

use super::connections::{Connections, Permit};
use super::refusals::{Refusals, allows};
use super::stream::{Socket, Stream};
use super::tls;
use crate::telemetry::{Listener, Refusal};
use ipnet::IpNet;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long connections wait to be accepted before the kernel turns them away.
const BACKLOG: i32 = 1024;

/// The pause after a failed accept: out of file descriptors, most likely, and trying
/// at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a TLS handshake may take. It is two messages each way.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// How long one may take that weir stops in the middle of.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// Binds a listener of streams.
///
/// # Errors
///
/// What the system says: the address is in use, not ours, or not permitted.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    // A restart must not wait for the last run's connections to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// What TLS goes by at the moment: asked for each handshake, so that it may change.
pub type Terms = Arc<dyn Fn() -> Arc<ServerConfig> + Send + Sync>;

/// Who is let in by one listener.
pub struct Door {
    pub connections: Arc<Connections>,
    /// Empty: everybody.
    pub allow: Vec<IpNet>,
    /// `None`: plain TCP.
    pub tls: Option<Terms>,
    pub listener: Arc<Listener>,
}

/// A sender that was let in.
#[derive(Debug)]
pub struct Connection {
    pub stream: Stream,
    pub peer: SocketAddr,
    /// Cancelled when weir stops, or when the room is needed for another: what had arrived
    /// is still to be read, see [`Stream::drain`].
    pub stop: CancellationToken,
    /// Its room is free again when this and the stream are dropped.
    pub permit: Arc<Permit>,
}

/// Serves each connection in a task of its own until `stop`, and ends when the last one has
/// ended.
pub async fn run<F>(
    socket: TcpListener,
    door: Door,
    stop: CancellationToken,
    serve: impl Fn(Connection) -> F + Clone + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let acceptor = Acceptor {
        refusals: Arc::new(Refusals::new(Arc::clone(&door.listener))),
        door,
        stop,
        serve,
        tasks: TaskTracker::new(),
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = acceptor.stop.cancelled() => break,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => acceptor.take(stream, peer),
            Err(error) => {
                let address = &acceptor.door.listener.address;
                tracing::error!(address, %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    acceptor.finish(socket).await;
}

struct Acceptor<S> {
    door: Door,
    refusals: Arc<Refusals>,
    stop: CancellationToken,
    serve: S,
    tasks: TaskTracker,
}

impl<S, F> Acceptor<S>
where
    S: Fn(Connection) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    fn take(&self, tcp: TcpStream, peer: SocketAddr) {
        if !allows(&self.door.allow, peer.ip()) {
            let why = "its address is not in `allow`";
            return self.refusals.refuse(peer, Refusal::NotAllowed, &why);
        }
        let stop = self.stop.child_token();
        let address = peer.ip().to_canonical();
        let permit = match self
            .door
            .connections
            .permit(address, stop.clone(), Instant::now())
        {
            Ok(permit) => Arc::new(permit),
            Err(refusal) => {
                let why = match refusal {
                    Refusal::ConnectionsPerAddress => "limits.connections_per_address is reached",
                    _ => "limits.connections is reached",
                };
                return self.refusals.refuse(peer, refusal, &why);
            }
        };
        // Answers are short and waited for.
        let _ = tcp.set_nodelay(true);
        let socket = Socket::new(tcp, Arc::clone(&permit));
        let terms = self.door.tls.clone();
        let (listener, refusals) = (Arc::clone(&self.door.listener), Arc::clone(&self.refusals));
        let serve = self.serve.clone();
        self.tasks.spawn(async move {
            let _open = OpenConnection::count(listener);
            let stream = match terms {
                None => Ok(Stream::Plain(socket)),
                Some(terms) => handshake(terms(), socket, &stop).await,
            };
            let stream = match stream {
                Ok(stream) => stream,
                Err(_) if stop.is_cancelled() => return,
                Err((refusal, why)) => return refusals.refuse(peer, refusal, &why),
            };
            tracing::debug!(%peer, "connected");
            serve(Connection {
                stream,
                peer,
                stop,
                permit,
            })
            .await;
            tracing::debug!(%peer, "disconnected");
        });
    }

    /// Takes the connections that wait to be accepted, whose senders believe that they
    /// are connected, and lets all of them end.
    async fn finish(self, socket: TcpListener) {
        if let Ok(socket) = socket.into_std() {
            for _ in 0..BACKLOG {
                let Ok((stream, peer)) = socket.accept() else {
                    break;
                };
                let stream = stream
                    .set_nonblocking(true)
                    .and_then(|()| TcpStream::from_std(stream));
                if let Ok(stream) = stream {
                    self.take(stream, peer);
                }
            }
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A connection that is counted as open, until this is dropped.
struct OpenConnection(Arc<Listener>);

impl OpenConnection {
    fn count(listener: Arc<Listener>) -> OpenConnection {
        listener.connections.add(1);
        OpenConnection(listener)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.sub(1);
    }
}

/// When it is told to stop, the handshake goes on with what had arrived: there may be lines
/// behind it.
async fn handshake(
    terms: Arc<ServerConfig>,
    socket: Socket,
    stop: &CancellationToken,
) -> Result<Stream, (Refusal, String)> {
    let mut handshake = TlsAcceptor::from(terms).accept(socket);
    let done = async {
        tokio::select! {
            done = &mut handshake => return done,
            () = tokio::time::sleep(HANDSHAKE_WITHIN) => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            () = stop.cancelled() => {}
        }
        if let Some(socket) = handshake.get_mut() {
            socket.drain();
        }
        // Nothing is waited for but room for our own messages.
        let done = tokio::time::timeout(STOP_WITHIN, handshake).await;
        done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    };
    match tls::shown_in(done).await {
        (Ok(stream), _) => Ok(Stream::Tls(Box::new(stream))),
        (Err(error), shown) => Err(tls_refusal(&error, shown.as_deref())),
    }
}

/// Why a handshake failed; `shown` is who the client says that it is.
fn tls_refusal(error: &io::Error, shown: Option<&str>) -> (Refusal, String) {
    use rustls::{CertificateError, Error, InvalidMessage};
    let inner = error.get_ref().and_then(|error| error.downcast_ref());
    match inner {
        Some(Error::NoCertificatesPresented) => (
            Refusal::Certificate,
            "it showed no certificate, and `client_ca` asks for one".to_owned(),
        ),
        // The crate that reads certificates is rustls's own affair: only its words reach us.
        Some(Error::InvalidCertificate(CertificateError::Other(why)))
            if why.to_string() == "UnsupportedCertVersion" =>
        {
            let shown = shown.unwrap_or("no name");
            let why = format!(
                "its certificate ({shown}) is of an old version: it must be of X.509 version 3"
            );
            (Refusal::Certificate, why)
        }
        Some(Error::InvalidCertificate(why)) => {
            let shown = shown.unwrap_or("no name");
            let why = format!("its certificate ({shown}) is not accepted: {why}");
            (Refusal::Certificate, why)
        }
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            (Refusal::Handshake, "what it sends is no TLS".to_owned())
        }
        Some(Error::AlertReceived(alert)) => (
            Refusal::Handshake,
            format!("it ended the TLS handshake: {alert:?}"),
        ),
        _ if error.kind() == io::ErrorKind::TimedOut => {
            let seconds = HANDSHAKE_WITHIN.as_secs();
            let why = format!("the TLS handshake was not done after {seconds} s");
            (Refusal::Handshake, why)
        }
        _ => (
            Refusal::Handshake,
            format!("the TLS handshake failed: {error}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use rustls::RootCertStore;
    use rustls::pki_types::{CertificateDer, UnixTime};
    use rustls::server::WebPkiClientVerifier;

    #[test]
    fn a_certificate_of_an_old_version_is_refused_in_our_words() {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["web-1".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone().into()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
        // `version [0] EXPLICIT INTEGER`: 2 is version 3, and 0 is version 1 (RFC 5280, 4.1.2.1).
        let version = [0xa0, 3, 2, 1, 2];
        let at = certificate.windows(5).position(|bytes| bytes == version);
        let mut old = certificate;
        old[at.unwrap() + 4] = 0;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_767_268_800));
        let refused =
            verifier
                .build()
                .unwrap()
                .verify_client_cert(&CertificateDer::from(old), &[], now);
        let error = io::Error::new(io::ErrorKind::InvalidData, refused.unwrap_err());
        let (refusal, why) = tls_refusal(&error, Some("CN=web-1"));
        assert!(matches!(refusal, Refusal::Certificate));
        assert_eq!(
            why,
            "its certificate (CN=web-1) is of an old version: it must be of X.509 version 3"
        );
    }
}
