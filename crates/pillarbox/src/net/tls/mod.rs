//! TLS: certificates, what is agreed on, handshakes, and what other servers have to show.
//!
//! Versions 1.2 and 1.3 with suites that have forward secrecy and authenticated encryption (RFC
//! 9325 §4.2), hybrid post-quantum key exchange first. ALPN is answered with `imap` (RFC 7301; the
//! IANA registry's protocol id): a client that offers only other protocols is refused, which keeps
//! a browser from being tricked into talking to a mail server (the ALPACA attack); a client that
//! offers none is welcome.

pub mod acme;
mod certificate;
pub mod client;
mod names;
mod peer;
#[cfg(test)]
mod peer_tests;
mod settings;
mod validity;

use std::io;
use std::sync::{Arc, Once, Weak};
use std::time::Duration;

use pillarbox_proto::sasl::Binding;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, ResolvesServerCert};
use rustls::{ProtocolVersion, ServerConfig, ServerConnection, SupportedProtocolVersion};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use super::Stream;
use crate::log::Logger;
pub use acme::{Acme, Orders};
pub use certificate::{Certificates, LoadError, Pair, Source};
use peer::{ClientName, Clients};
pub use settings::{Blocks, DIRECTIVES, Scope, build, build_block};

/// How often certificate files are looked at.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);
/// The label of the `tls-exporter` channel binding, and its length (RFC 9266 §4.1).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";
const EXPORTER_BYTES: usize = 32;

/// TLS of an endpoint.
#[derive(Clone)]
pub enum TlsSettings {
    /// No TLS, and no STARTTLS.
    Off,
    /// TLS, at once or by STARTTLS.
    On(Arc<Tls>),
}

/// A server's side of TLS: certificates by name, swapped while connections go on, and the rules.
pub struct Tls {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    /// Where they are ordered, if they are.
    acme: Option<Arc<Acme>>,
    /// What names the user in a client's certificate, if there may be one.
    client_name: Option<ClientName>,
    kept_fresh: Once,
}

/// Where the certificates of a [`Tls`] come from.
pub(crate) enum Origin {
    /// They were read or made.
    Loaded(Arc<Certificates>),
    /// They are ordered.
    Ordered(Arc<Acme>),
}

/// What a handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLSv1.3`.
    pub version: &'static str,
    /// The suite by its name in the standards: `TLS13_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
    /// The server name that the client asked for (RFC 6066 §3).
    pub sni: Option<Box<str>>,
    /// The `tls-exporter` channel binding (RFC 9266), for SASL mechanisms that end in `-PLUS`.
    pub exporter: Option<[u8; EXPORTER_BYTES]>,
    /// The `tls-server-end-point` channel binding (RFC 5929 §4): the hash of the server's
    /// certificate.
    pub end_point: Option<Box<[u8]>>,
    /// Names in the client's certificate, if it showed one and there is an authority for it.
    pub client_names: Arc<[String]>,
}

impl TlsFacts {
    /// What SASL proofs can be bound to.
    #[must_use]
    pub fn bindings(&self) -> Vec<Binding> {
        let binding = |name, data: &[u8]| {
            let data = data.to_vec();
            Binding { name, data }
        };
        let exporter = self.exporter.as_ref();
        let exporter = exporter.map(|data| binding("tls-exporter", data));
        let end_point = self.end_point.as_ref();
        let end_point = end_point.map(|data| binding("tls-server-end-point", data));
        exporter.into_iter().chain(end_point).collect()
    }

    /// Leaves what is true of whoever we have TLS with, and not of who is behind.
    pub(super) fn forget_client(&mut self) {
        self.exporter = None;
        self.end_point = None;
        self.client_names = Arc::default();
    }
}

impl TlsSettings {
    /// Looks after the certificates from now on: see [`Tls::keep_fresh`].
    pub fn keep_fresh(&self, log: &Logger) {
        if let Self::On(tls) = self {
            tls.keep_fresh(log);
        }
    }
}

impl Tls {
    /// TLS with these certificates and rules.
    ///
    /// # Errors
    ///
    /// The provider has no suite or group for one of the versions.
    fn new(
        origin: Origin,
        provider: CryptoProvider,
        versions: &[&'static SupportedProtocolVersion],
        clients: Option<&Clients>,
    ) -> Result<Self, rustls::Error> {
        let (certificates, acme) = match origin {
            Origin::Loaded(certificates) => (certificates, None),
            Origin::Ordered(acme) => (Arc::clone(acme.certificates()), Some(acme)),
        };
        let resolver: Arc<dyn ResolvesServerCert> = match &acme {
            Some(acme) => Arc::clone(acme) as _,
            None => Arc::clone(&certificates) as _,
        };
        let provider = Arc::new(provider);
        let verifier: Arc<dyn ClientCertVerifier> = match clients {
            Some(clients) => clients.verifier(&provider)?,
            None => Arc::new(NoClientAuth),
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(resolver);
        config.alpn_protocols = alpn(Some("imap"), acme.as_deref());
        // Tickets that carry their own state: a session to be resumed costs the server nothing.
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        Ok(Self {
            config: Arc::new(config),
            certificates,
            acme,
            client_name: clients.map(|clients| clients.name),
            kept_fresh: Once::new(),
        })
    }

    /// The same certificates and rules for another protocol than IMAP. No protocol id means that
    /// ALPN is not answered.
    #[must_use]
    pub fn for_protocol(&self, id: Option<&str>) -> Self {
        let mut config = (*self.config).clone();
        config.alpn_protocols = alpn(id, self.acme.as_deref());
        Self {
            config: Arc::new(config),
            certificates: Arc::clone(&self.certificates),
            acme: self.acme.clone(),
            client_name: self.client_name,
            kept_fresh: Once::new(),
        }
    }

    /// TLS that answers the challenges of authorities and nobody else.
    pub(crate) fn for_challenges(acme: &Arc<Acme>) -> Result<Self, rustls::Error> {
        let origin = Origin::Ordered(Arc::clone(acme));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let mut tls = Self::new(origin, provider, rustls::ALL_VERSIONS, None)?;
        let mut config = (*tls.config).clone();
        config.alpn_protocols = vec![acme::ALPN.to_vec()];
        tls.config = Arc::new(config);
        Ok(tls)
    }

    /// Where the certificates are ordered, if they are.
    #[must_use]
    pub fn acme(&self) -> Option<&Arc<Acme>> {
        self.acme.as_ref()
    }

    /// What does handshakes. Certificates that are swapped later count for it, too.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Does the server's side of a handshake, be it at once or after STARTTLS. Nothing that was
    /// read from the stream before may be missing from it, and nothing of before may be left in
    /// buffers (RFC 9051 §6.2.1).
    ///
    /// # Errors
    ///
    /// `TimedOut` after `timeout`; what the client did wrong; what the stream said. Likewise if it
    /// was an authority, who has seen what it wanted to see (RFC 8737 §3). The stream is gone.
    pub async fn accept(
        &self,
        stream: Box<dyn Stream>,
        timeout: Duration,
    ) -> io::Result<(Box<dyn Stream>, TlsFacts)> {
        let handshake = Box::pin(tokio::time::timeout(
            timeout,
            self.acceptor().accept(stream),
        ));
        let mut stream = handshake.await.map_err(|_| io::ErrorKind::TimedOut)??;
        if stream.get_ref().1.alpn_protocol() == Some(acme::ALPN) {
            let _ = tokio::time::timeout(timeout, stream.shutdown()).await;
            return Err(io::Error::other(
                "an authority has seen the answer to its challenge",
            ));
        }
        let facts = self.facts(stream.get_ref().1);
        Ok((Box::new(stream), facts))
    }

    fn facts(&self, connection: &ServerConnection) -> TlsFacts {
        // The one that was shown, unless it was swapped since: then proofs that are bound to it
        // fail once.
        let own = self.certificates.choose(connection.server_name());
        let own = own.as_ref().and_then(|own| own.cert.first());
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        let names = self.client_name.zip(shown);
        TlsFacts {
            end_point: own.and_then(|own| peer::end_point(own)),
            client_names: names
                .map(|(kind, shown)| peer::names(shown, kind).into())
                .unwrap_or_default(),
            ..TlsFacts::of(connection)
        }
    }

    /// The certificates, for whoever wants to have them read again at once.
    #[must_use]
    pub fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    /// Reads the certificates again whenever their files change, every minute at most, for as long
    /// as somebody uses them. A second call does nothing. Has to be called within a runtime.
    pub fn keep_fresh(&self, log: &Logger) {
        let certificates = Arc::downgrade(&self.certificates);
        let log = log.clone();
        self.kept_fresh.call_once(|| {
            tokio::spawn(refresh(certificates, log));
        });
    }
}

/// What ALPN is answered with. Where it isn't answered at all, no challenge is either: offering one
/// protocol would refuse all others.
fn alpn(id: Option<&str>, acme: Option<&Acme>) -> Vec<Vec<u8>> {
    let Some(id) = id else {
        return Vec::new();
    };
    let challenges = acme.filter(|acme| acme.answers_in_handshakes());
    let challenges = challenges.map(|_| acme::ALPN.to_vec());
    std::iter::once(id.as_bytes().to_vec())
        .chain(challenges)
        .collect()
}

async fn refresh(certificates: Weak<Certificates>, log: Logger) {
    loop {
        tokio::time::sleep(REFRESH_INTERVAL).await;
        let Some(certificates) = certificates.upgrade() else {
            return;
        };
        let log = log.clone();
        // Files are read and keys are checked: work that has no place among sessions.
        let _ = tokio::task::spawn_blocking(move || certificates.refresh(&log)).await;
    }
}

impl TlsFacts {
    /// What a proxy tells of the TLS that a client has with it.
    pub(super) fn told(version: Option<&str>) -> Self {
        Self {
            version: match version {
                Some("TLSv1.3") => "TLSv1.3",
                Some("TLSv1.2") => "TLSv1.2",
                _ => "unknown",
            },
            cipher: "unknown",
            sni: None,
            exporter: None,
            end_point: None,
            client_names: Arc::default(),
        }
    }

    fn of(connection: &ServerConnection) -> Self {
        let exporter = connection
            .export_keying_material([0; EXPORTER_BYTES], EXPORTER_LABEL, None)
            .ok()
            // Under TLS 1.2 it binds only with the extended master secret (RFC 9266 §4.2), and
            // whether that was used is not known here.
            .filter(|_| connection.protocol_version() == Some(ProtocolVersion::TLSv1_3));
        Self {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLSv1.3",
            },
            cipher: connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("unknown"),
            sni: connection.server_name().map(Box::from),
            exporter,
            end_point: None,
            client_names: Arc::default(),
        }
    }
}

#[cfg(test)]
mod tests;
