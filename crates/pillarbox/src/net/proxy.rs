//! `proxy_protocol`: whose word is taken for who connects.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_config::{Bound, Directive, Error, Kind, Node, Word, bind};

use super::{Peer, Tls};

/// What may stand in the block of `proxy_protocol`.
pub const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "trust",
        Kind::TextList,
        "",
        "Addresses and subnets of the proxies, as in `trust 127.0.0.1 ::1 192.168.0.0/24`. Added to \
         those that stand behind `proxy_protocol` itself. Without any, everybody is believed.",
    )
    .repeat(),
    Directive::new(
        "tls",
        Kind::Custom,
        "",
        "TLS between the proxies and the server, which protects the header, too: `tls &NAME`, or \
         anything else that `tls` takes elsewhere. Never inherited.",
    ),
    Directive::new(
        "header_timeout",
        Kind::Duration {
            min: Duration::from_millis(100),
            max: Duration::from_secs(60),
        },
        "5s",
        "How long a header is waited for. A proxy sends it at once; somebody who says nothing is \
         then greeted as a client that came directly.",
    ),
];

/// What a `proxy_protocol` directive says.
#[derive(Clone)]
pub struct Proxy {
    /// Whose headers are believed.
    pub trust: Trust,
    /// TLS around the header.
    pub tls: Option<Arc<Tls>>,
    /// How long a header is waited for.
    pub header_timeout: Duration,
}

/// Whose headers are believed. Peers on unix sockets always are: files' permissions keep others
/// away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Anybody's.
    Everybody,
    /// Those of peers in these subnets.
    Listed(Vec<Subnet>),
}

/// Addresses with a common beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    address: IpAddr,
    /// How many bits are common.
    prefix: u8,
}

impl Trust {
    /// Whether this peer's headers are believed.
    #[must_use]
    pub fn believes(&self, peer: &Peer) -> bool {
        match (self, peer) {
            (Self::Everybody, _) | (_, Peer::Unix) => true,
            (Self::Listed(_), peer) => self.names(peer),
        }
    }

    /// Whether the peer is known to be a proxy, and is not just one of everybody.
    #[must_use]
    pub fn names(&self, peer: &Peer) -> bool {
        match (self, peer) {
            (_, Peer::Unix) => true,
            (Self::Everybody, Peer::Ip(_)) => false,
            (Self::Listed(subnets), Peer::Ip(peer)) => {
                subnets.iter().any(|subnet| subnet.contains(peer.ip()))
            }
        }
    }
}

impl Subnet {
    /// Reads `ADDRESS` or `ADDRESS/BITS`. Bits behind those may be set; without bits it is the one
    /// address.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| format!("{address} is not an IP address"))?;
        let most = bits(address);
        let prefix = match prefix {
            None => most,
            Some(digits) => number(digits).filter(|bits| *bits <= most).ok_or_else(|| {
                format!("/{digits} is not a number of bits: {address} has {most} of them")
            })?,
        };
        Ok(Self { address, prefix }.canonical())
    }

    /// IPv4 addresses in IPv6's clothes are IPv4 addresses, as they are in [`Peer`].
    fn canonical(self) -> Self {
        match (self.address.to_canonical(), self.prefix.checked_sub(96)) {
            (address @ IpAddr::V4(_), Some(prefix)) if self.address.is_ipv6() => {
                Self { address, prefix }
            }
            _ => self,
        }
    }

    /// Whether the address is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let different = number_of(address) ^ number_of(self.address);
        let behind = bits(self.address) - self.prefix;
        address.is_ipv4() == self.address.is_ipv4()
            && different.checked_shr(u32::from(behind)).unwrap_or(0) == 0
    }
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// Digits and nothing else: `+8` is no number here.
fn number(digits: &str) -> Option<u8> {
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok()).flatten()
}

/// Reads the block of the directive.
///
/// # Errors
///
/// All that is wrong in it, whom to trust aside.
pub(crate) fn read(node: &Node) -> Result<Bound<'_>, Vec<Error>> {
    bind(node, node.children(), DIRECTIVES, None)
}

/// Whom a directive says to trust, behind it or in its block.
///
/// # Errors
///
/// All entries that are none.
pub(crate) fn trust(node: &Node, bound: &Bound<'_>) -> Result<Trust, Vec<Error>> {
    let lists = bound.nodes("trust");
    let words = node
        .args
        .iter()
        .chain(lists.iter().flat_map(|list| &list.args));
    let (mut subnets, mut errors) = (Vec::new(), Vec::new());
    for word in words {
        match Subnet::parse(&word.text) {
            Ok(subnet) => subnets.push(subnet),
            Err(why) => errors.push(untrustworthy(word, why)),
        }
    }
    match (errors.is_empty(), subnets.is_empty()) {
        (false, _) => Err(errors),
        (true, true) => Ok(Trust::Everybody),
        (true, false) => Ok(Trust::Listed(subnets)),
    }
}

fn untrustworthy(word: &Word, why: String) -> Error {
    let error = Error::new(word.span, why);
    error.help("an address or a subnet, as in `127.0.0.1`, `::1` or `192.168.0.0/24`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(ip: &str) -> Peer {
        Peer::Ip((ip.parse::<IpAddr>().unwrap().to_canonical(), 5000).into())
    }

    fn listed(entries: &[&str]) -> Trust {
        Trust::Listed(entries.iter().map(|e| Subnet::parse(e).unwrap()).collect())
    }

    /// The manual's example (C25): bits behind the mask may be set, and an IPv6 address without a
    /// mask is one address (D7), not all that begin with its first 32 bits.
    #[test]
    fn a_list_mixes_addresses_and_subnets() {
        let trust = listed(&["127.0.0.1", "::1", "192.168.0.1/24"]);
        for (ip, believed) in [
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("192.168.0.99", true),
            ("192.168.1.99", false),
            ("::1", true),
            ("::2", false),
            ("::ffff:192.168.0.99", true),
        ] {
            assert_eq!(trust.believes(&peer(ip)), believed, "{ip}");
        }
    }

    #[test]
    fn subnets_end_at_their_last_bit() {
        for (subnet, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.0.0.128/25", "10.0.0.200", "10.0.0.127"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("2001:db8::/127", "2001:db8::1", "2001:db8::2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0"),
        ] {
            let trust = listed(&[subnet]);
            assert!(trust.believes(&peer(inside)), "{inside} in {subnet}");
            assert!(!trust.believes(&peer(outside)), "{outside} in {subnet}");
        }
    }

    #[test]
    fn whoever_sits_at_a_unix_socket_is_believed() {
        assert!(listed(&["192.0.2.1"]).believes(&Peer::Unix));
        assert!(Trust::Everybody.believes(&Peer::Unix));
        assert!(Trust::Everybody.believes(&peer("192.0.2.1")));
        assert!(!Trust::Everybody.names(&peer("192.0.2.1")));
    }

    #[test]
    fn what_is_no_subnet_is_said() {
        for (entry, why) in [
            (
                "proxy.example.org",
                "proxy.example.org is not an IP address",
            ),
            ("10.0.0", "10.0.0 is not an IP address"),
            (
                "10.0.0.0/33",
                "/33 is not a number of bits: 10.0.0.0 has 32 of them",
            ),
            (
                "10.0.0.0/",
                "/ is not a number of bits: 10.0.0.0 has 32 of them",
            ),
            (
                "10.0.0.0/+8",
                "/+8 is not a number of bits: 10.0.0.0 has 32 of them",
            ),
            (
                "10.0.0.0/8/8",
                "/8/8 is not a number of bits: 10.0.0.0 has 32 of them",
            ),
            (
                "::1/129",
                "/129 is not a number of bits: ::1 has 128 of them",
            ),
            (
                "::1/1000",
                "/1000 is not a number of bits: ::1 has 128 of them",
            ),
        ] {
            assert_eq!(Subnet::parse(entry).unwrap_err(), why);
        }
    }
}
