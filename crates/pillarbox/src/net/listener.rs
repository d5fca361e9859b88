//! Endpoints: who listens where, and what happens to those who connect.
//!
//! Every socket has one task that only accepts; every connection has a task of its own from the
//! first moment, TLS handshake included, so that a slow client delays nobody. A reload changes what
//! the accepting tasks hand connections to, and never closes a socket that stays.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use nix::errno::Errno;
use pillarbox_config::{Address, Place};
use pillarbox_model::limit::Limits;
use tokio::task::AbortHandle;

use super::proxy::Proxy;
use super::quota::{Quota, Refused};
use super::socket::{Accepted, Acceptor, listen};
use super::visitor::{Seat, Visitor};
use super::{Handler, Peer, Tls, TlsSettings};
use crate::log::{Fields, Logger};
use crate::shutdown::{Shutdown, Signal};

/// How long accepting rests when the system has no descriptor or memory for one more connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// Between two log lines about what goes wrong with every connection.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);

/// A protocol at one or more addresses.
#[derive(Clone)]
pub struct Endpoint {
    /// Logs as the endpoint: `imap`.
    pub log: Logger,
    /// Where it listens.
    pub addresses: Vec<Address>,
    /// TLS for `tls://` addresses. STARTTLS is the handler's, who has his own copy.
    pub tls: TlsSettings,
    /// Who may say that he connects for somebody else, if anybody.
    pub proxy: Option<Arc<Proxy>>,
    /// How many may connect, and how long a TLS handshake may take.
    pub limits: Limits,
    /// What is said in clear to those who are one too many: `* BYE [UNAVAILABLE] ...` and CRLF.
    /// Under TLS they are dropped, since telling them would cost a handshake.
    pub full: &'static str,
    /// Serves a connection.
    pub handler: Handler,
}

/// Why an endpoint can't listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// An address stands twice in the configuration.
    #[error("{endpoint}: {address} is listened on twice")]
    Twice {
        /// The endpoint's name.
        endpoint: String,
        /// The address.
        address: String,
    },
    /// A `tls://` address without TLS.
    #[error("{endpoint}: can't listen on {address} without TLS configuration")]
    NoTls {
        /// The endpoint's name.
        endpoint: String,
        /// The address.
        address: String,
    },
    /// The system said no.
    #[error("{endpoint}: can't listen on {address}: {source}")]
    System {
        /// The endpoint's name.
        endpoint: String,
        /// The address.
        address: String,
        /// What it said.
        source: io::Error,
    },
}

/// All sockets of the process, each with the endpoint that it serves now.
#[derive(Default)]
pub struct Listeners {
    quota: Arc<Quota>,
    running: HashMap<Place, Running>,
}

/// The sockets of one place.
struct Running {
    service: Arc<ArcSwap<Service>>,
    accepting: Vec<AbortHandle>,
}

/// What connections of a place are handed to.
pub(super) struct Service {
    pub(super) endpoint: Arc<Endpoint>,
    /// The client's TLS begins at once.
    pub(super) tls: bool,
    /// About connections that were refused.
    complaints: Complaints,
}

/// A configuration's places, with all sockets open that were not there before.
pub struct Plan(Vec<Planned>);

struct Planned {
    place: Place,
    address: Address,
    service: Service,
    opened: Vec<Acceptor>,
}

impl Endpoint {
    /// Looks after the certificates from now on.
    fn keep_fresh(&self) {
        self.tls.keep_fresh(&self.log);
        if let Some(tls) = self.proxy.as_ref().and_then(|proxy| proxy.tls.as_ref()) {
            tls.keep_fresh(&self.log);
        }
    }
}

impl Listeners {
    /// Nothing listens yet; connections will count in `quota`.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self {
            quota: Arc::new(quota),
            running: HashMap::new(),
        }
    }

    /// The connections of the process.
    #[must_use]
    pub fn quota(&self) -> &Arc<Quota> {
        &self.quota
    }

    /// Opens the sockets that `endpoints` need and nobody has yet. Nothing is accepted from them
    /// before [`Listeners::switch`]. Relative paths of unix sockets are in `runtime_dir`.
    ///
    /// # Errors
    ///
    /// The first address that can't be had. What runs goes on as before.
    pub async fn plan(
        &self,
        endpoints: Vec<Endpoint>,
        runtime_dir: &Path,
    ) -> Result<Plan, ListenError> {
        let mut planned = places(endpoints, runtime_dir)?;
        let v4_ports = v4_ports(&planned);
        for one in &mut planned {
            if self.running.contains_key(&one.place) {
                continue;
            }
            let beside_v4 =
                matches!(&one.place, Place::Tcp { port, .. } if v4_ports.contains(port));
            let opened = listen(&one.place, beside_v4).await;
            one.opened = opened.map_err(|source| ListenError::System {
                endpoint: one.service.endpoint.log.name().to_owned(),
                address: one.address.to_string(),
                source,
            })?;
        }
        Ok(Plan(planned))
    }

    /// Serves what was planned and nothing else: new sockets begin to accept, kept ones hand new
    /// connections to the new endpoints, those that are not in the plan are closed. Connections
    /// stay with the endpoint that they came to.
    pub fn switch(&mut self, plan: Plan, shutdown: &Shutdown) {
        let places: HashSet<_> = plan.0.iter().map(|one| one.place.clone()).collect();
        self.running.retain(|place, _| places.contains(place));
        for one in plan.0 {
            one.service.endpoint.keep_fresh();
            match self.running.get(&one.place) {
                Some(running) => running.service.store(Arc::new(one.service)),
                None => self.begin(one, shutdown),
            }
        }
    }

    /// Closes all sockets.
    pub fn close(&mut self) {
        self.running.clear();
    }

    fn begin(&mut self, planned: Planned, shutdown: &Shutdown) {
        let log = planned.service.endpoint.log.clone();
        let service = Arc::new(ArcSwap::from_pointee(planned.service));
        let accept = |acceptor: Acceptor| {
            let address = with_port(&planned.address, acceptor.port());
            log.info(&format!("listening on {address}"), &[]);
            let quota = Arc::clone(&self.quota);
            let task = accept_all(acceptor, Arc::clone(&service), quota, shutdown.signal());
            tokio::spawn(task).abort_handle()
        };
        let accepting = planned.opened.into_iter().map(accept).collect();
        let running = Running {
            service: Arc::clone(&service),
            accepting,
        };
        self.running.insert(planned.place, running);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for task in &self.accepting {
            task.abort();
        }
    }
}

/// All places of a configuration, before anything is opened.
fn places(endpoints: Vec<Endpoint>, runtime_dir: &Path) -> Result<Vec<Planned>, ListenError> {
    let mut planned: Vec<Planned> = Vec::new();
    for endpoint in endpoints.into_iter().map(Arc::new) {
        for address in endpoint.addresses.clone() {
            let place = resolve(&address.place, runtime_dir);
            let (name, text) = (endpoint.log.name().to_owned(), address.to_string());
            if planned.iter().any(|one| one.place == place) {
                return Err(ListenError::Twice {
                    endpoint: name,
                    address: text,
                });
            }
            if address.tls && matches!(endpoint.tls, TlsSettings::Off) {
                return Err(ListenError::NoTls {
                    endpoint: name,
                    address: text,
                });
            }
            let service = Service {
                endpoint: Arc::clone(&endpoint),
                tls: address.tls,
                complaints: Complaints::default(),
            };
            planned.push(Planned {
                place,
                address,
                service,
                opened: Vec::new(),
            });
        }
    }
    Ok(planned)
}

/// A place with its path made absolute, so that two spellings of one are one.
fn resolve(place: &Place, runtime_dir: &Path) -> Place {
    match place {
        Place::Unix { path, .. } => Place::Unix {
            path: runtime_dir.join(path).to_string_lossy().into_owned(),
            relative: false,
        },
        place => place.clone(),
    }
}

/// The ports that some IPv4 address is listened on. An IPv6 wildcard of the same port must keep to
/// IPv6, or the two would be in each other's way.
fn v4_ports(planned: &[Planned]) -> HashSet<u16> {
    let port_of = |one: &Planned| match &one.place {
        Place::Tcp { host, port } => match host.parse() {
            Ok(IpAddr::V4(_)) => Some(*port),
            _ => None,
        },
        _ => None,
    };
    planned.iter().filter_map(port_of).collect()
}

fn with_port(address: &Address, bound: Option<u16>) -> Address {
    let mut address = address.clone();
    if let (Place::Tcp { port, .. }, Some(bound)) = (&mut address.place, bound) {
        *port = bound;
    }
    address
}

async fn accept_all(
    acceptor: Acceptor,
    service: Arc<ArcSwap<Service>>,
    quota: Arc<Quota>,
    signal: Signal,
) {
    let complaints = Complaints::default();
    loop {
        match acceptor.accept().await {
            Ok(accepted) => admit(accepted, &service.load_full(), &quota, &signal),
            Err(error) if gone_already(&error) => {}
            Err(error) => {
                if complaints.due() {
                    let log = &service.load().endpoint.log;
                    log.error("can't accept connections", &[("reason", &error)]);
                }
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// Whether only the one connection failed that would have been accepted (accept(2)).
fn gone_already(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, TimedOut};
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted | TimedOut
    ) || matches!(
        errno,
        Some(Errno::EPROTO | Errno::ENETDOWN | Errno::ENETUNREACH | Errno::EHOSTUNREACH)
    )
}

/// Lets something be said once in a while that goes wrong all the time.
#[derive(Default)]
pub(super) struct Complaints(Mutex<Option<Instant>>);

impl Complaints {
    pub(super) fn due(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed() >= COMPLAINT_INTERVAL);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

fn admit(accepted: Accepted, service: &Arc<Service>, quota: &Arc<Quota>, signal: &Signal) {
    match service.seat(&accepted.peer(), quota) {
        Ok(seat) => {
            let visitor = Visitor {
                accepted,
                service: Arc::clone(service),
                seat,
                signal: signal.clone(),
            };
            tokio::spawn(visitor.serve());
        }
        Err(refused) => refuse(&accepted, service, refused),
    }
}

fn refuse(accepted: &Accepted, service: &Service, refused: Refused) {
    if service.implicit_tls().is_none() {
        accepted.farewell(service.endpoint.full);
    }
    service.complain(refused, &accepted.peer());
}

impl Service {
    /// A place in the quotas for this peer, or for the client that it connects for.
    fn seat(&self, peer: &Peer, quota: &Arc<Quota>) -> Result<Seat, Refused> {
        let limits = &self.endpoint.limits;
        match &self.endpoint.proxy {
            Some(proxy) if proxy.trust.believes(peer) => {
                quota.admit_proxy(peer, limits).map(Seat::Proxy)
            }
            _ => quota.admit(peer, limits).map(Seat::Own),
        }
    }

    /// TLS with clients from the first byte, if so.
    pub(super) fn implicit_tls(&self) -> Option<&Tls> {
        match &self.endpoint.tls {
            TlsSettings::On(tls) if self.tls => Some(tls),
            _ => None,
        }
    }

    /// Says that somebody is one too many, if that was not said lately.
    pub(super) fn complain(&self, refused: Refused, peer: &Peer) {
        if self.complaints.due() {
            let limit = match refused {
                Refused::Total => "total",
                Refused::Address => "address",
            };
            let fields: Fields<'_> = &[("limit", &limit), ("src_ip", peer)];
            self.endpoint.log.warn("too many connections", fields);
        }
    }
}

#[cfg(test)]
#[path = "listener_tests.rs"]
pub(super) mod tests;
