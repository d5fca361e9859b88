//! Where an endpoint listens or a client connects: `tcp://`, `tls://`, `unix://`, and sockets that
//! the service manager hands over.

use std::fmt;
use std::net::Ipv6Addr;

use crate::error::{Error, Fault};
use crate::limit;
use crate::tree::Node;

/// An address of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// TLS begins at once (`tls://`, `tls+fd://`, `tls+fdname://`), not by STARTTLS.
    pub tls: bool,
    /// The socket.
    pub place: Place,
}

/// The socket of an [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A TCP port.
    Tcp {
        /// An address literal (no brackets), a name such as `localhost`, or "" for all addresses.
        host: String,
        /// The port; 0 leaves the choice to the system.
        port: u16,
    },
    /// A socket in the file system.
    Unix {
        /// Its path.
        path: String,
        /// The path is relative to `runtime_dir`.
        relative: bool,
    },
    /// An inherited descriptor by number: 3 is the first one of `LISTEN_FDS`.
    Fd(u32),
    /// An inherited descriptor by its name in `LISTEN_FDNAMES`.
    FdName(String),
}

impl Address {
    /// Reads an address. The scheme may be in any case; `//` may be missing; for TCP what follows
    /// the port from a `/` on is ignored.
    ///
    /// # Errors
    ///
    /// An unknown scheme, no port or one that is not a number below 65536, a host that can't be
    /// one, a missing path, number or name.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let scheme = scheme.to_ascii_lowercase();
        let place = match scheme.as_str() {
            "tcp" | "tls" => tcp(rest)?,
            "unix" => unix(rest)?,
            "fd" | "tls+fd" => Place::Fd(rest.parse().map_err(|_| {
                Fault::new(format!("invalid descriptor number: {rest}")).help("as in `fd://3`")
            })?),
            "fdname" | "tls+fdname" => fd_name(rest)?,
            _ => return Err(unsupported(text)),
        };
        Ok(Self {
            tls: scheme.starts_with("tls"),
            place,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = if self.tls { "tls+" } else { "" };
        match &self.place {
            Place::Tcp { host, port } => {
                let scheme = if self.tls { "tls" } else { "tcp" };
                if host.contains(':') {
                    write!(f, "{scheme}://[{host}]:{port}")
                } else {
                    write!(f, "{scheme}://{host}:{port}")
                }
            }
            Place::Unix { path, .. } => write!(f, "unix://{path}"),
            Place::Fd(number) => write!(f, "{tls}fd://{number}"),
            Place::FdName(name) => write!(f, "{tls}fdname://{name}"),
        }
    }
}

/// The addresses that an endpoint's arguments are.
///
/// # Errors
///
/// One for each argument that is no address (at most [`limit::ERRORS`]), or one if there is no
/// argument.
pub fn addresses(node: &Node) -> Result<Vec<Address>, Vec<Error>> {
    if node.args.is_empty() {
        let error = Error::new(node.span(), "expected at least one argument");
        return Err(vec![
            error.help("name an address, as in `tcp://127.0.0.1:143`"),
        ]);
    }
    let mut errors = Vec::new();
    let mut addresses = Vec::new();
    for word in &node.args {
        match Address::parse(&word.text) {
            Ok(address) => addresses.push(address),
            Err(_) if errors.len() >= limit::ERRORS => break,
            Err(fault) => {
                let message = format!(
                    "{}: invalid address: {}: {fault}",
                    node.name.text, word.text
                );
                errors.push(Fault { message, ..fault }.at(word.span));
            }
        }
    }
    if errors.is_empty() {
        Ok(addresses)
    } else {
        Err(errors)
    }
}

fn unsupported(text: &str) -> Fault {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let fault = Fault::new(format!("unsupported scheme: {scheme}"));
    match tcp(text) {
        Ok(_) => fault.help(format!("did you mean `tcp://{text}`?")),
        Err(_) => fault.help("one of tcp://, tls://, unix://, fd:// and fdname://"),
    }
}

fn tcp(rest: &str) -> Result<Place, Fault> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match authority.strip_prefix('[') {
        Some(inner) => bracketed(inner)?,
        None => named(authority)?,
    };
    let Some(port) = port.filter(|port| !port.is_empty()) else {
        return Err(Fault::new("port is required").help("as in `tcp://0.0.0.0:143`"));
    };
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let Some(port) = port.parse().ok().filter(|_| digits) else {
        let fault = Fault::new(format!("invalid port: {port}"));
        return Err(fault.help("a number up to 65535; names of services are not known here"));
    };
    Ok(Place::Tcp { host, port })
}

/// Host and port of `ADDRESS]:PORT`.
fn bracketed(inner: &str) -> Result<(String, Option<&str>), Fault> {
    let parts = inner.split_once(']');
    let (host, after) = parts.ok_or_else(|| Fault::new("missing ] after the IPv6 address"))?;
    // In a URL the zone of a link-local address follows `%25` (RFC 6874 §2).
    let (literal, zone) = match host.split_once('%') {
        Some((literal, zone)) => (literal, Some(zone.strip_prefix("25").unwrap_or(zone))),
        None => (host, None),
    };
    let zone_fits = zone.is_none_or(|zone| !zone.is_empty() && zone.chars().all(is_name));
    if literal.parse::<Ipv6Addr>().is_err() || !zone_fits {
        return Err(Fault::new(format!("invalid IPv6 address: {host}")));
    }
    let host = zone.map_or_else(|| literal.to_owned(), |zone| format!("{literal}%{zone}"));
    match after.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if after.is_empty() => Ok((host, None)),
        None => Err(Fault::new(format!(
            "unexpected {after} after the IPv6 address"
        ))),
    }
}

/// Host and port of `NAME:PORT`.
fn named(authority: &str) -> Result<(String, Option<&str>), Fault> {
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    if port.is_some_and(|port| port.contains(':')) {
        let fault = Fault::new(format!("invalid host: {authority}"));
        return Err(fault.help("an IPv6 address goes in brackets, as in `tcp://[::1]:143`"));
    }
    if !host.chars().all(is_name) {
        return Err(Fault::new(format!("invalid host: {host}")));
    }
    Ok((host.to_owned(), port))
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-' | '_')
}

fn unix(path: &str) -> Result<Place, Fault> {
    if path.is_empty() || path.contains('\0') {
        return Err(Fault::new("path is required").help("as in `unix:///run/imap.sock`"));
    }
    Ok(Place::Unix {
        path: path.to_owned(),
        relative: !path.starts_with('/'),
    })
}

fn fd_name(name: &str) -> Result<Place, Fault> {
    // sd_listen_fds_with_names(3) joins the names by colons and allows no control characters.
    if name.is_empty() || name.contains(|c: char| c == ':' || c.is_control()) {
        let fault = Fault::new(format!("invalid descriptor name: {name}"));
        return Err(fault.help("as in `fdname://imap`, for `FileDescriptorName=imap`"));
    }
    Ok(Place::FdName(name.to_owned()))
}
