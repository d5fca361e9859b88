//! From an accepted socket to a [`Connection`]: the PROXY header and TLS, in their order.
//!
//! What may be on the wire, from the outside to the inside:
//!
//! 1. TLS between proxy and server, if the block of `proxy_protocol` has `tls`;
//! 2. the header;
//! 3. TLS from the client, on a `tls://` address: what a proxy passes through.
//!
//! Where the block has `tls`, a proxy may also send the header in clear and TLS behind it, as most
//! do that encrypt on their own. The first byte tells: a TLS handshake begins with 0x16. After a
//! header in clear there is one TLS only.
//!
//! Somebody whose word counts has a while for his header before he is greeted, since a greeting
//! needs to know to whom. Others are greeted at once, and a header of theirs is dropped when it
//! comes.

use std::io;
use std::mem::{replace, take};
use std::sync::Arc;
use std::time::Duration;

use pillarbox_proto::proxy::{Found, Header, find};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::listener::Service;
use super::proxy::Proxy;
use super::quota::{Pending, Permit, Refused};
use super::socket::Accepted;
use super::unread::{Late, Unread};
use super::{Connection, Peer, Stream, Tls, TlsFacts};
use crate::log::Logger;
use crate::shutdown::Signal;

/// The type of a TLS record that a handshake begins with (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 0x16;
/// Room for a header as they are; a longer one is read in several pieces.
const HEADER_ROOM: usize = 256;
/// A farewell fits into an empty send buffer, at once; this is for the one that does not.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(1);

/// Somebody who got past the quotas.
pub(super) struct Visitor {
    pub(super) accepted: Accepted,
    pub(super) service: Arc<Service>,
    pub(super) seat: Seat,
    pub(super) signal: Signal,
}

/// The place that a visitor has in the quotas.
pub(super) enum Seat {
    /// As himself.
    Own(Permit),
    /// As a proxy that has not said for whom.
    Proxy(Pending),
}

/// Why a visitor does not become a connection.
enum Closed {
    /// Its header can't be understood, or is not whole.
    Header(String),
    /// TLS failed.
    Tls(io::Error),
    /// The peer went before it had said anything.
    Gone(io::Error),
    /// There are too many connections of this client.
    Full(Refused, Peer),
}

impl Visitor {
    pub(super) async fn serve(self) {
        let handler = Arc::clone(&self.service.endpoint.handler);
        // Boxed, so that a connection does not carry the space of its handshake for all its life.
        if let Some(connection) = Box::pin(self.connect()).await {
            handler(connection).await;
        }
    }

    async fn connect(self) -> Option<Connection> {
        let mut signal = self.signal.clone();
        let (service, peer) = (Arc::clone(&self.service), self.accepted.peer());
        let outcome = tokio::select! {
            biased;
            outcome = self.open() => outcome,
            () = signal.stopping() => return None,
        };
        outcome.inspect_err(|why| why.report(&service, &peer)).ok()
    }

    async fn open(self) -> Result<Connection, Closed> {
        match self.service.endpoint.proxy.clone() {
            Some(proxy) => {
                Opening::new(self.accepted, self.service, proxy)
                    .open(self.seat, self.signal)
                    .await
            }
            None => self.open_directly().await,
        }
    }

    /// Nobody stands between the client and us.
    async fn open_directly(self) -> Result<Connection, Closed> {
        let (peer, local) = (self.accepted.peer(), self.accepted.local());
        let permit = self.seat.settle(None, &self.service)?;
        let (stream, tls) = match self.service.implicit_tls() {
            Some(tls) => {
                let handshake = handshake(tls, self.accepted, &permit, &self.service);
                let (stream, facts) = handshake.await.map_err(Closed::Tls)?;
                (stream, Some(facts))
            }
            None => (self.accepted.into_stream(), None),
        };
        Ok(Connection {
            stream,
            peer,
            local,
            tls,
            permit,
            shutdown: self.signal,
        })
    }
}

/// TLS from the first byte. The time that is waited for a turn counts.
async fn handshake(
    tls: &Tls,
    accepted: Accepted,
    permit: &Permit,
    service: &Service,
) -> io::Result<(Box<dyn Stream>, TlsFacts)> {
    let patience = service.endpoint.limits.tls_timeout;
    let handshake = async {
        // Whoever does not even begin takes no turn from others of his address.
        accepted.readable().await?;
        let _turn = permit.handshake().await;
        tls.accept(accepted.into_stream(), patience).await
    };
    timeout(patience, handshake).await?
}

impl Seat {
    /// The permit, if it is known for whom.
    fn permit(&self) -> Option<&Permit> {
        match self {
            Self::Own(permit) => Some(permit),
            Self::Proxy(_) => None,
        }
    }

    /// The place of the client, who is nobody if a proxy speaks for itself.
    fn settle(self, client: Option<&Peer>, service: &Service) -> Result<Permit, Closed> {
        match (self, client) {
            (Self::Own(permit), _) => Ok(permit),
            (Self::Proxy(pending), client) => pending
                .settle(client, &service.endpoint.limits)
                .map_err(|refused| Closed::Full(refused, client.cloned().unwrap_or(Peer::Unix))),
        }
    }
}

impl Closed {
    fn report(&self, service: &Service, peer: &Peer) {
        let log = &service.endpoint.log;
        match self {
            Self::Header(reason) => {
                log.warn(
                    "malformed PROXY header",
                    &[("reason", reason), ("src_ip", peer)],
                );
            }
            Self::Tls(error) => {
                log.debug(
                    "TLS handshake failed",
                    &[("reason", error), ("src_ip", peer)],
                );
            }
            Self::Gone(error) => {
                let fields: &[_] = &[("reason", error as _), ("src_ip", peer as _)];
                log.debug("gone before the greeting", fields);
            }
            Self::Full(refused, client) => service.complain(*refused, client),
        }
    }
}

/// A connection at an endpoint with proxies, on its way through the layers.
struct Opening {
    service: Arc<Service>,
    proxy: Arc<Proxy>,
    /// At the other end of the socket.
    peer: Peer,
    local: String,
    /// Whether the peer's word counts.
    believed: bool,
    stream: Box<dyn Stream>,
    /// What was read of the stream and not used.
    unread: Vec<u8>,
    /// A header came, believed or not.
    found: bool,
    /// What a header said that is believed.
    header: Header,
}

impl Opening {
    fn new(accepted: Accepted, service: Arc<Service>, proxy: Arc<Proxy>) -> Self {
        let peer = accepted.peer();
        Self {
            service,
            believed: proxy.trust.believes(&peer),
            proxy,
            peer,
            local: accepted.local(),
            stream: accepted.into_stream(),
            unread: Vec::new(),
            found: false,
            header: Header::default(),
        }
    }

    async fn open(mut self, seat: Seat, shutdown: Signal) -> Result<Connection, Closed> {
        let (service, proxy) = (Arc::clone(&self.service), Arc::clone(&self.proxy));
        self.look(proxy.tls.is_some() || service.tls).await?;
        let outer = match &proxy.tls {
            Some(tls) if self.begins_tls() => {
                let facts = self.handshake(tls, seat.permit()).await?;
                self.look(service.tls).await?;
                Some(facts)
            }
            _ => None,
        };
        let (inner, passed_through) = match &proxy.tls {
            Some(tls) if outer.is_none() => (Some(&**tls), false),
            _ => (service.implicit_tls(), service.tls),
        };
        let permit = self.settle(seat, inner.is_some()).await?;
        let facts = match inner {
            Some(tls) => Some(self.handshake(tls, Some(&permit)).await?),
            None => outer,
        };
        Ok(Connection {
            peer: self.client().unwrap_or_else(|| self.peer.clone()),
            tls: self.facts(facts, passed_through),
            local: self.local(),
            stream: self.into_stream(inner.is_none()),
            permit,
            shutdown,
        })
    }

    /// Whether the next bytes are TLS, and no header was there.
    fn begins_tls(&self) -> bool {
        !self.found && self.unread.first() == Some(&TLS_HANDSHAKE)
    }

    /// Looks for a header. Where the client would have to wait for us with everything that it wants
    /// to say, only those whose word counts are waited for.
    async fn look(&mut self, client_begins: bool) -> Result<(), Closed> {
        if !self.believed && !client_begins {
            return Ok(());
        }
        match timeout(self.proxy.header_timeout, self.read_header()).await {
            Ok(found) => found,
            Err(_) if self.unread.is_empty() => Ok(()),
            Err(_) => Err(Closed::Header("incomplete when time was up".to_owned())),
        }
    }

    async fn read_header(&mut self) -> Result<(), Closed> {
        loop {
            match find(&self.unread) {
                Ok(Found::More) => self.read_more().await?,
                Ok(Found::Absent) => return Ok(()),
                Ok(Found::Header(header, length)) => {
                    self.unread.drain(..length);
                    self.take(header);
                    return Ok(());
                }
                Err(malformed) => return Err(Closed::Header(malformed.to_string())),
            }
        }
    }

    /// Reads something. What was read stays if this is not waited for to its end.
    async fn read_more(&mut self) -> Result<(), Closed> {
        self.unread.reserve(HEADER_ROOM);
        match self.stream.read_buf(&mut self.unread).await {
            Ok(0) if self.unread.is_empty() => {
                Err(Closed::Gone(io::ErrorKind::UnexpectedEof.into()))
            }
            Ok(0) => Err(Closed::Header("the connection ended within it".to_owned())),
            Ok(_) => Ok(()),
            Err(error) => Err(Closed::Gone(error)),
        }
    }

    fn take(&mut self, header: Header) {
        self.found = true;
        let log = &self.service.endpoint.log;
        if self.believed {
            let client = header.addresses.map(|(client, _)| Peer::Ip(client));
            let client = client.unwrap_or_else(|| self.peer.clone());
            log.debug(
                "connection through a proxy",
                &[("proxy", &self.peer), ("src_ip", &client)],
            );
            self.header = header;
        } else {
            untrusted(log, &self.peer);
        }
    }

    /// A handshake, with what was read already.
    async fn handshake(&mut self, tls: &Tls, permit: Option<&Permit>) -> Result<TlsFacts, Closed> {
        let patience = self.service.endpoint.limits.tls_timeout;
        let handshake = async {
            if self.unread.is_empty() {
                self.read_more().await?;
            }
            let _turn = match permit {
                Some(permit) => permit.handshake().await,
                None => None,
            };
            let stream = replace(&mut self.stream, Box::new(tokio::io::empty()));
            let stream = Unread::put_back(stream, take(&mut self.unread));
            tls.accept(stream, patience).await.map_err(Closed::Tls)
        };
        let late = |_| Closed::Tls(io::ErrorKind::TimedOut.into());
        let (stream, facts) = timeout(patience, handshake).await.map_err(late)??;
        self.stream = stream;
        Ok(facts)
    }

    /// The client, as a believed header names it.
    fn client(&self) -> Option<Peer> {
        self.header.addresses.map(|(client, _)| Peer::Ip(client))
    }

    fn local(&self) -> String {
        let named = self.header.addresses.map(|(_, server)| server.to_string());
        named.unwrap_or_else(|| self.local.clone())
    }

    /// Counts the connection as the client's. A known proxy that names none speaks for itself. One
    /// too many is told so if it can hear that without a handshake.
    async fn settle(&mut self, seat: Seat, tls_follows: bool) -> Result<Permit, Closed> {
        let known = self.proxy.trust.names(&self.peer);
        let client = match self.client() {
            None if known => None,
            None => Some(self.peer.clone()),
            client => client,
        };
        let settled = seat.settle(client.as_ref(), &self.service);
        if settled.is_err() && !tls_follows {
            let farewell = self.stream.write_all(self.service.endpoint.full.as_bytes());
            let _ = timeout(FAREWELL_PATIENCE, farewell).await;
            let _ = timeout(FAREWELL_PATIENCE, self.stream.shutdown()).await;
        }
        settled
    }

    /// What is known of the client's TLS. `through` says that it ends here, and not at the proxy.
    fn facts(&self, agreed: Option<TlsFacts>, through: bool) -> Option<TlsFacts> {
        let told = self.header.client_tls.as_ref();
        let mut facts =
            agreed.or_else(|| told.map(|tls| TlsFacts::told(tls.version.as_deref())))?;
        if !through || told.is_some() {
            // The client has another TLS, with the proxy: it would bind to that one, and it has
            // shown us no certificate.
            facts.forget_client();
        }
        if let Some(name) = &self.header.authority {
            facts.sni = Some(name.as_str().into());
        }
        Some(facts)
    }

    /// The bytes for the protocol. Somebody who was not waited for may still begin with a header;
    /// not so under the TLS that comes after it.
    fn into_stream(self, header_may_come: bool) -> Box<dyn Stream> {
        if self.found || !header_may_come || !self.unread.is_empty() {
            return Unread::put_back(self.stream, self.unread);
        }
        let late = late(self.service, self.peer, self.believed);
        Unread::without_header(self.stream, late)
    }
}

/// What is done about a header after the greeting. One that counts can't be heeded any more.
fn late(service: Arc<Service>, peer: Peer, believed: bool) -> Late {
    Box::new(move |header| {
        let log = &service.endpoint.log;
        let reason = match header {
            Ok(()) if !believed => {
                untrusted(log, &peer);
                return Ok(());
            }
            Ok(()) => "it came too late".to_owned(),
            Err(malformed) => malformed.to_string(),
        };
        log.warn(
            "malformed PROXY header",
            &[("reason", &reason), ("src_ip", &peer)],
        );
        Err(io::Error::new(io::ErrorKind::InvalidData, reason))
    })
}

fn untrusted(log: &Logger, peer: &Peer) {
    log.info("connection from untrusted source", &[("src_ip", peer)]);
}

#[cfg(test)]
#[path = "visitor_tests.rs"]
mod tests;
