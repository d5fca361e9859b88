//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pillarbox_model::limit::Limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Peer;

/// TLS handshakes of one address that go on at once; others of that address wait their turn. A
/// handshake costs about a millisecond of signing, and whoever floods must not make a queue of
/// them that others wait in.
const HANDSHAKES_PER_ADDRESS: usize = 16;
/// Connections from one proxy that wait for their header at once. A header comes with the
/// connection, so few wait at any time: even after a restart not more than the kernel keeps in its
/// backlog. Whoever connects and says nothing must not fill the server.
const HEADERS_PER_PROXY: usize = 4_096;

/// The connections of the process, counted. One for all endpoints, and for all configurations that
/// come and go while connections stay.
pub struct Quota {
    counts: Mutex<Counts>,
    /// Connections that the process can bear, whatever a configuration allows.
    ceiling: usize,
}

#[derive(Default)]
struct Counts {
    total: usize,
    by_network: HashMap<Network, Guests>,
    /// Connections of proxies that have not said yet for whom they are.
    headers: HashMap<Network, usize>,
}

/// The connections of one network.
struct Guests {
    connections: usize,
    handshakes: Arc<Semaphore>,
}

/// What is counted as one client: an IPv4 address, or the 64 bits of an IPv6 address that a single
/// subscriber has for himself (RFC 6177 §2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    V4(Ipv4Addr),
    V6(u64),
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The server is full.
    Total,
    /// The address has its share.
    Address,
}

/// A place in the quotas. Dropping it gives the place back.
pub struct Permit {
    quota: Arc<Quota>,
    network: Option<Network>,
}

/// The place of a proxy's connection until it is known for whom it is. Dropping it gives the place
/// back.
pub struct Pending {
    permit: Permit,
    _header: Header,
}

/// A place among those who wait for a header of this proxy.
struct Header {
    quota: Arc<Quota>,
    proxy: Option<Network>,
}

impl Default for Quota {
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Quota {
    /// No connections yet, and never more than `ceiling`.
    #[must_use]
    pub fn new(ceiling: usize) -> Self {
        Self {
            counts: Mutex::default(),
            ceiling,
        }
    }

    /// Lets a connection in, or says which limit it would break. Peers on unix sockets count in the
    /// total only; so do loopback addresses unless [`Limits::count_loopback`] says otherwise.
    ///
    /// # Errors
    ///
    /// [`Refused`]; nothing was counted then.
    pub fn admit(self: &Arc<Self>, peer: &Peer, limits: &Limits) -> Result<Permit, Refused> {
        let mut permit = self.admit_to_total(limits)?;
        permit.count(peer, limits)?;
        Ok(permit)
    }

    /// Lets in a proxy's connection, which is not counted as the proxy's: see [`Pending::settle`].
    ///
    /// # Errors
    ///
    /// [`Refused`]; nothing was counted then. [`Refused::Address`] if too many connections of this
    /// proxy have no header yet.
    pub fn admit_proxy(
        self: &Arc<Self>,
        proxy: &Peer,
        limits: &Limits,
    ) -> Result<Pending, Refused> {
        let permit = self.admit_to_total(limits)?;
        let proxy = Network::of(proxy);
        if let Some(proxy) = proxy {
            let mut counts = self.counts();
            let waiting = counts.headers.entry(proxy).or_default();
            if *waiting >= HEADERS_PER_PROXY {
                return Err(Refused::Address);
            }
            *waiting += 1;
        }
        let header = Header {
            quota: Arc::clone(self),
            proxy,
        };
        Ok(Pending {
            permit,
            _header: header,
        })
    }

    fn admit_to_total(self: &Arc<Self>, limits: &Limits) -> Result<Permit, Refused> {
        let mut counts = self.counts();
        if counts.total >= limits.connections.min(self.ceiling) {
            return Err(Refused::Total);
        }
        counts.total += 1;
        drop(counts);
        Ok(Permit {
            quota: Arc::clone(self),
            network: None,
        })
    }

    /// Connections now, in all.
    #[must_use]
    pub fn total(&self) -> usize {
        self.counts().total
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Counts the connection as this peer's.
    fn count(&mut self, peer: &Peer, limits: &Limits) -> Result<(), Refused> {
        let Some(network) = Network::of(peer) else {
            return Ok(());
        };
        let mut counts = self.quota.counts();
        let guests = counts.by_network.entry(network).or_insert_with(Guests::new);
        let counted = limits.count_loopback || !is_loopback(peer);
        if counted && guests.connections >= limits.connections_per_ip {
            // An entry that was only just made (a limit of 0) must not stay.
            counts.forget_if_empty(network);
            return Err(Refused::Address);
        }
        guests.connections += 1;
        drop(counts);
        self.network = Some(network);
        Ok(())
    }

    /// Waits until the peer's address may do one more TLS handshake; fair among those who wait.
    pub async fn handshake(&self) -> Option<OwnedSemaphorePermit> {
        let handshakes = {
            let counts = self.quota.counts();
            Arc::clone(&counts.by_network.get(&self.network?)?.handshakes)
        };
        handshakes.acquire_owned().await.ok()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.quota.counts();
        counts.total -= 1;
        if let Some(network) = self.network {
            if let Some(guests) = counts.by_network.get_mut(&network) {
                guests.connections -= 1;
            }
            counts.forget_if_empty(network);
        }
    }
}

impl Pending {
    /// It is known now for whom the connection is: it counts as that client's. For nobody, it
    /// counts in the total only: a proxy that speaks for itself.
    ///
    /// # Errors
    ///
    /// [`Refused::Address`]; the place was given back then.
    pub fn settle(self, client: Option<&Peer>, limits: &Limits) -> Result<Permit, Refused> {
        let mut permit = self.permit;
        match client {
            Some(client) => permit.count(client, limits).map(|()| permit),
            None => Ok(permit),
        }
    }
}

impl Drop for Header {
    fn drop(&mut self) {
        let Some(proxy) = self.proxy else { return };
        if let Entry::Occupied(mut waiting) = self.quota.counts().headers.entry(proxy) {
            *waiting.get_mut() -= 1;
            if *waiting.get() == 0 {
                waiting.remove();
            }
        }
    }
}

impl Counts {
    fn forget_if_empty(&mut self, network: Network) {
        let guests = self.by_network.get(&network);
        if guests.is_some_and(|guests| guests.connections == 0) {
            self.by_network.remove(&network);
        }
    }
}

impl Guests {
    fn new() -> Self {
        Self {
            connections: 0,
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_PER_ADDRESS)),
        }
    }
}

impl Network {
    fn of(peer: &Peer) -> Option<Self> {
        let Peer::Ip(address) = peer else {
            return None;
        };
        Some(match address.ip().to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6((u128::from(address) >> 64) as u64),
        })
    }
}

fn is_loopback(peer: &Peer) -> bool {
    matches!(peer, Peer::Ip(address) if address.ip().to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::Ip(address.parse().unwrap())
    }

    fn limits(connections: usize, connections_per_ip: usize) -> Limits {
        Limits {
            connections,
            connections_per_ip,
            ..Limits::default()
        }
    }

    #[test]
    fn a_place_comes_back_when_its_connection_ends() {
        let quota = Arc::new(Quota::default());
        let limits = limits(10, 1);
        let first = quota.admit(&peer("192.0.2.1:1"), &limits).ok();
        let second = quota.admit(&peer("192.0.2.1:2"), &limits).err();
        assert_eq!(second, Some(Refused::Address));
        drop(first);
        assert!(quota.admit(&peer("192.0.2.1:3"), &limits).is_ok());
        assert_eq!(quota.total(), 0);
        assert!(quota.counts().by_network.is_empty());
    }

    #[test]
    fn the_total_holds_for_everybody() {
        let quota = Arc::new(Quota::default());
        let limits = limits(2, 5);
        let _one = quota.admit(&peer("192.0.2.1:1"), &limits).ok();
        let _two = quota.admit(&Peer::Unix, &limits).ok();
        let third = quota.admit(&peer("192.0.2.2:1"), &limits).err();
        assert_eq!(third, Some(Refused::Total));
    }

    #[test]
    fn the_ceiling_is_above_all_configurations() {
        let quota = Arc::new(Quota::new(1));
        let _one = quota.admit(&Peer::Unix, &limits(5, 5)).ok();
        let second = quota.admit(&Peer::Unix, &limits(5, 5)).err();
        assert_eq!(second, Some(Refused::Total));
    }

    /// An IPv6 client has a whole /64 to come from, and an IPv4 client a second spelling.
    #[test]
    fn one_client_is_one_network() {
        let quota = Arc::new(Quota::default());
        let limits = limits(10, 1);
        let _six = quota.admit(&peer("[2001:db8::1]:1"), &limits).ok();
        assert!(quota.admit(&peer("[2001:db8::ffff:2]:1"), &limits).is_err());
        assert!(quota.admit(&peer("[2001:db8:0:1::1]:1"), &limits).is_ok());
        let _four = quota.admit(&peer("192.0.2.1:1"), &limits).ok();
        let mapped = quota.admit(&peer("[::ffff:192.0.2.1]:1"), &limits);
        assert_eq!(mapped.err(), Some(Refused::Address));
    }

    /// Behind a loopback address are a webmail's users, or a tunnel's.
    #[test]
    fn loopback_is_counted_on_request_only() {
        let quota = Arc::new(Quota::default());
        let mut limits = limits(10, 1);
        let _held = [1, 2].map(|_| quota.admit(&peer("127.0.0.1:1"), &limits).ok().unwrap());
        limits.count_loopback = true;
        assert!(quota.admit(&peer("127.0.0.1:3"), &limits).is_err());
    }

    /// All of a proxy's clients have their own share, and the proxy none.
    #[test]
    fn a_proxys_connections_count_as_its_clients() {
        let quota = Arc::new(Quota::default());
        let (limits, proxy) = (limits(10, 1), peer("192.0.2.1:1"));
        let admit = || quota.admit_proxy(&proxy, &limits).ok().unwrap();
        let settle = |client: &str| admit().settle(Some(&peer(client)), &limits);
        let _one = settle("198.51.100.1:1").ok().unwrap();
        let _two = settle("198.51.100.2:1").ok().unwrap();
        assert_eq!(
            settle("198.51.100.1:2").err(),
            Some(Refused::Address),
            "also through a proxy"
        );
        let _checks = [1, 2].map(|_| admit().settle(None, &limits).ok().unwrap());
        assert_eq!(quota.total(), 4);
        assert!(quota.counts().headers.is_empty());
        let direct = quota.admit(&peer("198.51.100.2:2"), &limits);
        assert_eq!(direct.err(), Some(Refused::Address), "counted together");
    }

    /// Connections that never get to their header are bounded for each proxy.
    #[test]
    fn waiting_for_a_header_takes_a_place() {
        let quota = Arc::new(Quota::default());
        let limits = limits(usize::MAX, 1);
        let proxy = peer("192.0.2.1:1");
        let admit = || quota.admit_proxy(&proxy, &limits);
        let mut waiting: Vec<_> = (0..HEADERS_PER_PROXY).map(|_| admit().ok()).collect();
        assert_eq!(admit().err(), Some(Refused::Address));
        assert_eq!(quota.total(), HEADERS_PER_PROXY);
        assert!(quota.admit_proxy(&peer("192.0.2.2:1"), &limits).is_ok());
        let _settled = waiting.pop().flatten().unwrap().settle(None, &limits);
        assert!(admit().is_ok());
        drop(waiting);
        assert!(quota.counts().headers.is_empty());
    }

    #[test]
    fn a_refused_stranger_leaves_no_trace() {
        let quota = Arc::new(Quota::default());
        assert!(quota.admit(&peer("192.0.2.1:1"), &limits(10, 0)).is_err());
        assert!(quota.counts().by_network.is_empty());
    }
}
