//! Listening sockets: made, found in the file system, or inherited.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use pillarbox_config::Place;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::activation::{self, Listening};
use super::{Peer, Stream};

/// Connections that the kernel keeps until they are accepted. It lowers this to `somaxconn`.
const BACKLOG: i32 = 4_096;
/// A silent connection is probed after this time. Half of the 30 minutes after which many routers
/// forget a connection, so that an IDLE behind one stays alive.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15 * 60);
/// Between probes that nobody answers.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
/// Unanswered probes until the connection counts as dead.
const KEEPALIVE_PROBES: u32 = 5;

/// A socket that accepts.
#[derive(Debug)]
pub enum Acceptor {
    /// TCP.
    Tcp(TcpListener),
    /// A socket in the file system.
    Unix(UnixListener, Option<SocketFile>),
}

/// A connection that was just accepted.
pub enum Accepted {
    /// Over TCP, with both ends' addresses.
    Tcp(TcpStream, SocketAddr),
    /// From this machine.
    Unix(UnixStream),
}

/// A socket's file, which goes when the socket does.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Listens at a place; a host with several addresses, or several descriptors of one name, make
/// several sockets. `beside_v4` says that somebody else listens on the same port of all IPv4
/// addresses, which `[::]` then leaves to him.
///
/// # Errors
///
/// Whatever the system says, with the address that it was about. No socket stays open.
pub async fn listen(place: &Place, beside_v4: bool) -> io::Result<Vec<Acceptor>> {
    match place {
        Place::Tcp { host, port } if host.is_empty() => all_addresses(*port, beside_v4),
        Place::Tcp { host, port } => {
            let addresses = tokio::net::lookup_host((host.as_str(), *port)).await?;
            each_address(addresses.collect(), beside_v4)
        }
        Place::Unix { path, .. } => Ok(vec![unix(Path::new(path))?]),
        Place::Fd(number) => Ok(vec![inherited(activation::by_number(*number)?)?]),
        Place::FdName(name) => activation::by_name(name)?
            .into_iter()
            .map(inherited)
            .collect(),
    }
}

impl Acceptor {
    /// Waits for the next connection.
    ///
    /// # Errors
    ///
    /// Those of accept(2); the socket stays usable. Dropping the future loses no connection.
    pub async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok(Accepted::Tcp(stream, canonical(peer)))
            }
            Self::Unix(listener, _) => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }

    /// The port that was bound, where the address left it to the system.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(listener) => Some(listener.local_addr().ok()?.port()),
            Self::Unix(..) => None,
        }
    }
}

impl Accepted {
    /// Who connected.
    #[must_use]
    pub fn peer(&self) -> Peer {
        match self {
            Self::Tcp(_, peer) => Peer::Ip(*peer),
            Self::Unix(_) => Peer::Unix,
        }
    }

    /// The address that was connected to.
    #[must_use]
    pub fn local(&self) -> String {
        let address = match self {
            Self::Tcp(stream, _) => stream.local_addr().ok(),
            Self::Unix(_) => None,
        };
        address.map_or_else(|| "unix".to_owned(), |a| canonical(a).to_string())
    }

    /// Waits until the peer has sent something, or has gone.
    ///
    /// # Errors
    ///
    /// Those of poll(2).
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream, _) => stream.readable().await,
            Self::Unix(stream) => stream.readable().await,
        }
    }

    /// Writes a short farewell to a connection on which nothing was written yet, without waiting.
    pub fn farewell(&self, line: &str) {
        // An empty send buffer has room for a line. If not, the peer hears nothing: no harm.
        let _ = match self {
            Self::Tcp(stream, _) => stream.try_write(line.as_bytes()),
            Self::Unix(stream) => stream.try_write(line.as_bytes()),
        };
    }

    /// The bytes.
    #[must_use]
    pub fn into_stream(self) -> Box<dyn Stream> {
        match self {
            Self::Tcp(stream, _) => Box::new(stream),
            Self::Unix(stream) => Box::new(stream),
        }
    }
}

/// An IPv4 client of an IPv6 socket is an IPv4 client.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// One socket for IPv6 and IPv4 where the system has IPv6, else one for IPv4.
fn all_addresses(port: u16, beside_v4: bool) -> io::Result<Vec<Acceptor>> {
    let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
    let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    match tcp(v6, beside_v4) {
        Err(error) if has_no_ipv6(&error) => Ok(vec![tcp(v4, false)?]),
        acceptor => Ok(vec![acceptor?]),
    }
}

/// A socket for each address of a host. `localhost` has an IPv6 address also where the system has
/// no IPv6: that one may fail if it is not the only one.
fn each_address(addresses: Vec<SocketAddr>, v6_only: bool) -> io::Result<Vec<Acceptor>> {
    let mut acceptors = Vec::with_capacity(addresses.len());
    let mut missing = None;
    for address in addresses {
        match tcp(address, v6_only) {
            Err(error) if address.is_ipv6() && has_no_ipv6(&error) => missing = Some(error),
            acceptor => acceptors.push(acceptor?),
        }
    }
    match missing {
        Some(error) if acceptors.is_empty() => Err(error),
        _ => Ok(acceptors),
    }
}

fn has_no_ipv6(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, Unsupported};
    matches!(error.kind(), AddrNotAvailable | Unsupported)
}

fn tcp(address: SocketAddr, v6_only: bool) -> io::Result<Acceptor> {
    let open = || {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM.nonblocking(),
            Some(Protocol::TCP),
        )?;
        // A restart must not wait until the old process's connections are forgotten.
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(v6_only)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        prepare(SockRef::from(&socket))?;
        TcpListener::from_std(socket.into())
    };
    open()
        .map(Acceptor::Tcp)
        .map_err(|error| about(error, address))
}

/// Options of a listening socket that accepted ones inherit, so that they cost nothing later.
fn prepare(socket: SockRef<'_>) -> io::Result<()> {
    // Responses are written whole; Nagle's algorithm would only hold back their last segment.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE_IDLE)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_PROBES),
    )
}

fn inherited(listening: Listening) -> io::Result<Acceptor> {
    match listening {
        Listening::Tcp(socket) => {
            prepare(SockRef::from(&socket))?;
            socket.set_nonblocking(true)?;
            TcpListener::from_std(socket).map(Acceptor::Tcp)
        }
        Listening::Unix(socket) => {
            socket.set_nonblocking(true)?;
            Ok(Acceptor::Unix(UnixListener::from_std(socket)?, None))
        }
    }
}

fn unix(path: &Path) -> io::Result<Acceptor> {
    let open = || {
        remove_if_dead(path)?;
        UnixListener::bind(path)
    };
    let listener = open().map_err(|error| about(error, path.display()))?;
    Ok(Acceptor::Unix(listener, Some(SocketFile(path.to_owned()))))
}

/// Removes a socket file that a crash left behind. One where somebody answers stays, and so does
/// any other kind of file; binding fails then.
fn remove_if_dead(path: &Path) -> io::Result<()> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !metadata.file_type().is_socket() {
        let message = "the file exists and is not a socket";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        _ => Ok(()),
    }
}

fn about(error: io::Error, address: impl std::fmt::Display) -> io::Error {
    // The standard library has no kind for a missing address family that could be asked for.
    let kind = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EAFNOSUPPORT) => io::ErrorKind::Unsupported,
        _ => error.kind(),
    };
    io::Error::new(kind, format!("{address}: {error}"))
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream as Client;

    use super::*;

    fn place(host: &str) -> Place {
        Place::Tcp {
            host: host.to_owned(),
            port: 0,
        }
    }

    #[tokio::test]
    async fn accepted_connections_have_the_listeners_options() {
        let acceptors = listen(&place("127.0.0.1"), false).await.unwrap();
        let port = acceptors[0].port().unwrap();
        let _client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let Accepted::Tcp(stream, _) = acceptors[0].accept().await.unwrap() else {
            panic!("TCP was asked for");
        };
        assert!(stream.nodelay().unwrap());
        assert!(SockRef::from(&stream).keepalive().unwrap());
    }

    /// An empty host takes clients of both kinds, and an IPv4 client looks like one.
    #[tokio::test]
    async fn no_host_means_all_addresses() {
        let acceptors = listen(&place(""), false).await.unwrap();
        let port = acceptors[0].port().unwrap();
        let _client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let accepted = acceptors[0].accept().await.unwrap();
        assert!(accepted.peer().to_string().starts_with("127.0.0.1:"));
        assert_eq!(accepted.local(), format!("127.0.0.1:{port}"));
    }

    #[tokio::test]
    async fn names_are_resolved() {
        let acceptors = listen(&place("localhost"), false).await.unwrap();
        assert!(!acceptors.is_empty());
    }

    #[tokio::test]
    async fn a_dead_socket_file_is_replaced_and_a_live_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("imap.sock");
        let place = Place::Unix {
            path: path.to_str().unwrap().to_owned(),
            relative: false,
        };
        // What a crash leaves: a file with nobody behind it.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let alive = listen(&place, false).await.unwrap();
        assert!(Client::connect(&path).await.is_ok());

        let error = listen(&place, false).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("imap.sock"), "{error}");
        assert!(Client::connect(&path).await.is_ok());

        drop(alive);
        assert!(!path.exists(), "an orderly end leaves no file");
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("precious");
        std::fs::write(&path, "data").unwrap();
        let place = Place::Unix {
            path: path.to_str().unwrap().to_owned(),
            relative: false,
        };
        assert!(listen(&place, false).await.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"data");
    }
}
