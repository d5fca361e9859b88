//! Connections: listening, proxies, TLS, limits by address.

pub mod activation;
pub mod listener;
pub mod proxy;
pub mod quota;
mod read;
pub mod socket;
pub mod tls;
mod unread;
mod visitor;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::Answer;
use crate::shutdown::Signal;

pub use listener::{Endpoint, Listeners};
pub(crate) use read::read;
pub use tls::{Tls, TlsFacts, TlsSettings};

/// A byte stream, of whatever kind. Boxed, so that sessions compile once.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address, the real one if a trusted proxy said so. Never an IPv4 address in IPv6's
    /// clothes.
    Ip(SocketAddr),
    /// Somebody on this machine, through a unix socket.
    Unix,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// Somebody who connected and was let in by the quotas; TLS is in place where the address asks for
/// it.
pub struct Connection {
    /// The bytes.
    pub stream: Box<dyn Stream>,
    /// Who is there.
    pub peer: Peer,
    /// The address that was connected to, for people.
    pub local: String,
    /// What was agreed on, if the stream is under TLS.
    pub tls: Option<TlsFacts>,
    /// The place taken in the quotas, given back when dropped.
    pub permit: quota::Permit,
    /// Says when the server stops, and keeps it from ending before the session has said goodbye.
    pub shutdown: Signal,
}

/// What an endpoint does with a connection, from the greeting to the end.
pub type Handler = Arc<dyn Fn(Connection) -> Answer<'static, ()> + Send + Sync>;
