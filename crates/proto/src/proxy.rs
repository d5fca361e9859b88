//! The header of the PROXY protocol, in which a proxy says on whose behalf it connects: versions 1
//! (a line) and 2 (binary), by HAProxy's `doc/proxy-protocol.txt`.
//!
//! Where a header ends is decided here, before anything in it is understood; a bound on its length
//! and the checksum are looked at here, too. Fields are taken apart by a library.

use std::fmt;
use std::net::SocketAddr;

use proxy_header::{ParseConfig, ProxiedAddress, ProxyHeader, SslInfo, Tlv};

/// The longest line of version 1, its CRLF included (§2.1).
pub const V1_BYTES: usize = 107;
/// The longest header of version 2 that is read. Addresses have 36 bytes, a unique id at most 128,
/// a server name 255; the rest is for names in the client's certificate. §2.2 allows for 64 KiB,
/// which nobody needs who has not even said who he is.
pub const V2_BYTES: usize = 2_048;

const V1_SIGNATURE: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version and command, family, and the length of what follows.
const V2_PROLOGUE: usize = 16;
/// The type of the field with the checksum (§2.2.3).
const CRC32C: u8 = 0x03;

/// What the beginning of a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is, so far, what a header begins with.
    More,
    /// There is no header, whatever comes.
    Absent,
    /// A header of this many bytes.
    Header(Header, usize),
}

/// What a proxy says of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Where the client is, and where it connected to; an IPv4 address is never in IPv6's clothes.
    /// Nothing if the proxy speaks for itself (LOCAL, as health checks do) or does not know.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// The TLS that the client has with the proxy, if it has (`PP2_TYPE_SSL`).
    pub client_tls: Option<ClientTls>,
    /// The server name that the client asked for (`PP2_TYPE_AUTHORITY`).
    pub authority: Option<String>,
}

/// What a proxy says of the client's TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// As the proxy calls it: `TLSv1.3`.
    pub version: Option<String>,
}

/// A header that can't be understood. The connection has to be closed (§2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Version 1: not what the line has to look like.
    Line,
    /// Version 2: another version or command.
    Version(u8),
    /// Version 2: neither TCP over IPv4, nor over IPv6, nor unspecified.
    Family(u8),
    /// Longer than [`V1_BYTES`] or [`V2_BYTES`].
    TooLong,
    /// Version 2: addresses or fields end before or behind the header's end, or mean nothing.
    Fields,
    /// Version 2: the checksum is of something else (§2.2.3).
    Checksum,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line => f.write_str("the line of version 1 is not well-formed"),
            Self::Version(byte) => write!(f, "unknown version or command {byte:#04x}"),
            Self::Family(byte) => write!(f, "unsupported address family {byte:#04x}"),
            Self::TooLong => f.write_str("too long"),
            Self::Fields => f.write_str("addresses or fields are not well-formed"),
            Self::Checksum => f.write_str("wrong checksum"),
        }
    }
}

impl std::error::Error for Malformed {}

/// Looks for a header at the beginning of a stream. More bytes never change a verdict, save
/// [`Found::More`].
///
/// # Errors
///
/// [`Malformed`], as soon as it is certain.
pub fn find(bytes: &[u8]) -> Result<Found, Malformed> {
    if agree(bytes, V2_SIGNATURE) {
        find_v2(bytes)
    } else if agree(bytes, V1_SIGNATURE) {
        find_v1(bytes)
    } else {
        Ok(Found::Absent)
    }
}

/// Whether the bytes, as far as they go, are those of a signature.
fn agree(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.iter().zip(signature).all(|(one, other)| one == other)
}

fn find_v1(bytes: &[u8]) -> Result<Found, Malformed> {
    let window = &bytes[..bytes.len().min(V1_BYTES)];
    let Some(end) = memchr::memmem::find(window, b"\r\n") else {
        return match window.len() {
            V1_BYTES => Err(Malformed::TooLong),
            _ => Ok(Found::More),
        };
    };
    let line = &window[..end + 2];
    let header = decode(line, Malformed::Line)?;
    let header = Header {
        addresses: addresses(&header),
        ..Header::default()
    };
    Ok(Found::Header(header, line.len()))
}

fn find_v2(bytes: &[u8]) -> Result<Found, Malformed> {
    let Some((prologue, _)) = bytes.split_first_chunk::<V2_PROLOGUE>() else {
        return Ok(Found::More);
    };
    let [.., command, family, high, low] = *prologue;
    if !matches!(command, 0x20 | 0x21) {
        return Err(Malformed::Version(command));
    }
    let length = V2_PROLOGUE + usize::from(u16::from_be_bytes([high, low]));
    if length > V2_BYTES {
        return Err(Malformed::TooLong);
    }
    let Some(whole) = bytes.get(..length) else {
        return Ok(Found::More);
    };
    let header = match command {
        // LOCAL: what follows has to be skipped, whatever it says (§2.2).
        0x20 => Header::default(),
        _ => proxied(whole, family)?,
    };
    Ok(Found::Header(header, length))
}

/// A whole header of version 2 with the command PROXY.
fn proxied(whole: &[u8], family: u8) -> Result<Header, Malformed> {
    let address_bytes = match family {
        0x00 => 0,
        0x11 => 12,
        0x21 => 36,
        // Unix sockets and datagrams: no address from there means anything here.
        other => return Err(Malformed::Family(other)),
    };
    let decoded = decode(whole, Malformed::Fields)?;
    let mut header = Header {
        addresses: addresses(&decoded),
        ..Header::default()
    };
    for field in decoded.tlvs() {
        match field.map_err(|_| Malformed::Fields)? {
            Tlv::Ssl(ssl) if ssl.client_ssl() => header.client_tls = Some(client_tls(&ssl)),
            Tlv::Authority(name) => header.authority = Some(name.into_owned()),
            _ => {}
        }
    }
    match checksum_holds(whole, V2_PROLOGUE + address_bytes) {
        true => Ok(header),
        false => Err(Malformed::Checksum),
    }
}

/// Takes a header apart that has its end where it should be.
fn decode(whole: &[u8], malformed: Malformed) -> Result<ProxyHeader<'_>, Malformed> {
    match ProxyHeader::parse(whole, ParseConfig::default()) {
        Ok((header, length)) if length == whole.len() => Ok(header),
        _ => Err(malformed),
    }
}

fn addresses(header: &ProxyHeader<'_>) -> Option<(SocketAddr, SocketAddr)> {
    let ProxiedAddress {
        source,
        destination,
        ..
    } = header.proxied_address()?;
    Some((canonical(*source), canonical(*destination)))
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn client_tls(ssl: &SslInfo<'_>) -> ClientTls {
    ClientTls {
        version: ssl.version().map(str::to_owned),
    }
}

/// Whether the CRC32C is that of the header with zeros in its place, if there is one (§2.2.3).
fn checksum_holds(whole: &[u8], fields_at: usize) -> bool {
    let Some(at) = checksum_at(whole, fields_at) else {
        return true;
    };
    let (before, rest) = whole.split_at(at);
    let Some((given, after)) = rest.split_first_chunk::<4>() else {
        return false;
    };
    let sum = crc32c::crc32c_append(crc32c::crc32c(before), &[0; 4]);
    crc32c::crc32c_append(sum, after) == u32::from_be_bytes(*given)
}

/// Where the checksum's four bytes begin. The fields were found to be well-formed.
fn checksum_at(whole: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let [kind, high, low] = *whole.get(at..)?.first_chunk()?;
        at += 3;
        if kind == CRC32C {
            return Some(at);
        }
        at += usize::from(u16::from_be_bytes([high, low]));
    }
}
