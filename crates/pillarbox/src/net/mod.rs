//! Connections: listening, TLS, limits by address.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream, of whatever kind. Boxed, so that sessions compile once.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address, the real one if a trusted proxy said so.
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
