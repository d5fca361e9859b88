//! `tls.loader.acme`: certificates that are ordered from an authority and renewed in time (RFC
//! 8555).
//!
//! [`Acme`] is one certificate: what was configured, what is served, and where answers to the
//! authority's challenges are found. A task for each of them orders and renews. As long as there
//! is no certificate handshakes fail: a makeshift one would teach people to click warnings away.
//!
//! `schedule` decides when, `order` does what was decided, `store` is what outlives the process,
//! `challenge` shows that names are ours, `http` carries all of it.

mod challenge;
mod directives;
mod http;
mod keeper;
mod order;
mod schedule;
mod store;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwap;
use pillarbox_config::{Address, Bound, Error, Node};
use pillarbox_model::limit::Limits;
use rustls::ClientConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use super::certificate::Certificates;
use super::{Tls, TlsSettings};
use crate::log::{Logger, Text};
use crate::net::listener::Complaints;
use crate::net::{Connection, Endpoint};
use crate::shutdown::Shutdown;
pub(super) use challenge::ALPN;
use challenge::Board;
use directives::{Challenge, Settings};
use keeper::Keeper;
use store::Store;

pub use directives::DIRECTIVES;

/// Connections from one address to the listeners for challenges. Authorities look from a few places
/// at once.
const VISITORS_PER_ADDRESS: usize = 20;

/// A certificate that is ordered.
pub struct Acme {
    settings: Settings,
    store: Store,
    certificates: Arc<Certificates>,
    /// Whom to trust when talking to the authority; the only part that a reload exchanges.
    client: ArcSwap<ClientConfig>,
    board: Arc<Board>,
    /// About handshakes that came too early.
    complaints: Complaints,
    log: Logger,
}

/// The certificates that this process orders. Outlives a configuration, so that a reload neither
/// interrupts an order nor forgets failures.
#[derive(Default)]
pub struct Orders {
    board: Arc<Board>,
    known: Mutex<Vec<Weak<Acme>>>,
    running: Mutex<Vec<Running>>,
}

/// A certificate that is looked after.
struct Running {
    acme: Arc<Acme>,
    /// Dropping it stops the task.
    _stop: watch::Sender<()>,
}

/// Reads a block. The certificate is that of the configuration before, if nothing changed.
///
/// # Errors
///
/// All that is wrong, or the store can't be made.
pub(super) fn build(
    bound: &Bound<'_>,
    owner: &Node,
    state_dir: &Path,
    orders: Option<&Orders>,
    log: &Logger,
) -> Result<Arc<Acme>, Vec<Error>> {
    let (settings, client) = directives::read(bound, owner, state_dir)?;
    let Some(orders) = orders else {
        return Ok(Arc::new(Acme::new(settings, client, Arc::default(), log)));
    };
    Store::new(settings.store.clone())
        .prepare()
        .map_err(|error| {
            let at = bound.node("store_path").unwrap_or(owner);
            vec![Error::new(
                at.span(),
                format!("the store of certificates can't be used: {error}"),
            )]
        })?;
    Ok(orders.find(settings, client, log))
}

impl Acme {
    fn new(settings: Settings, client: Arc<ClientConfig>, board: Arc<Board>, log: &Logger) -> Self {
        let log = log.child("acme").with_debug(settings.debug);
        let store = Store::new(settings.store.clone());
        let path = store.certificate_path(name_of(&settings));
        let (certificates, error) = Certificates::load_kept(path);
        if let Some(error) = error {
            let message = "the stored certificate can't be used, another one is ordered";
            log.error(message, &[("reason", &Text(error))]);
        }
        Self {
            settings,
            store,
            certificates: Arc::new(certificates),
            client: ArcSwap::new(client),
            board,
            complaints: Complaints::default(),
            log,
        }
    }

    /// The certificates as they are served.
    pub(super) fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    /// Whether authorities look at the certificate in handshakes.
    pub(super) fn answers_in_handshakes(&self) -> bool {
        self.settings.challenge == Challenge::TlsAlpn
    }

    /// Whether both would write the same file, and yet are not the same.
    #[must_use]
    pub fn disagrees_with(&self, other: &Self) -> bool {
        self.file() == other.file() && self.settings != other.settings
    }

    /// The file of the certificate.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.store.certificate_path(self.name())
    }

    fn name(&self) -> &str {
        name_of(&self.settings)
    }
}

fn name_of(settings: &Settings) -> &str {
    settings.names.first().map_or("", String::as_str)
}

impl ResolvesServerCert for Acme {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if self.answers_in_handshakes() && challenge::is_asked(&hello) {
            return self.board.certificate(hello.server_name());
        }
        let chosen = self.certificates.choose(hello.server_name());
        if chosen.is_none() && self.complaints.due() {
            let name = Text(self.name());
            let message = "there is no certificate yet, TLS connections are refused";
            self.log.warn(message, &[("name", &name)]);
        }
        chosen
    }
}

impl fmt::Debug for Acme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Acme").field(&self.settings.names).finish()
    }
}

impl Orders {
    /// The certificate with these settings, known before or new.
    fn find(&self, settings: Settings, client: Arc<ClientConfig>, log: &Logger) -> Arc<Acme> {
        let mut known = lock(&self.known);
        known.retain(|acme| acme.strong_count() > 0);
        let mut alive = known.iter().filter_map(Weak::upgrade);
        if let Some(acme) = alive.find(|acme| acme.settings == settings) {
            acme.client.store(client);
            return acme;
        }
        let acme = Arc::new(Acme::new(settings, client, Arc::clone(&self.board), log));
        known.push(Arc::downgrade(&acme));
        acme
    }

    /// Looks after these certificates from now on, and after no others.
    pub fn switch(&self, wanted: Vec<Arc<Acme>>, shutdown: &Shutdown) {
        let mut running = lock(&self.running);
        let same = |one: &Running, other: &Arc<Acme>| Arc::ptr_eq(&one.acme, other);
        running.retain(|one| wanted.iter().any(|acme| same(one, acme)));
        for acme in wanted {
            if running.iter().any(|one| same(one, &acme)) {
                continue;
            }
            let (stop, stopped) = watch::channel(());
            let keeper = Keeper::new(Arc::clone(&acme));
            tokio::spawn(keeper.run(stopped, shutdown.signal()));
            running.push(Running { acme, _stop: stop });
        }
    }

    /// What listens for authorities alone.
    #[must_use]
    pub fn endpoints(&self, wanted: &[Arc<Acme>]) -> Vec<Endpoint> {
        let http = addresses(wanted, |settings| &settings.http_listen);
        let tls = addresses(wanted, |settings| &settings.listen);
        let board = Arc::clone(&self.board);
        let http = (!http.is_empty()).then(|| Endpoint {
            handler: Arc::new(move |connection| {
                Box::pin(http::serve(connection, Arc::clone(&board)))
            }),
            ..endpoint(http, TlsSettings::Off)
        });
        let answering = wanted.iter().find(|acme| acme.answers_in_handshakes());
        let only_challenges = answering.and_then(|acme| Tls::for_challenges(acme).ok());
        let tls = only_challenges
            .filter(|_| !tls.is_empty())
            .map(|only_challenges| Endpoint {
                // All that there was to say was said in the handshake.
                handler: Arc::new(|connection: Connection| {
                    Box::pin(async move { drop(connection) })
                }),
                ..endpoint(tls, TlsSettings::On(Arc::new(only_challenges)))
            });
        http.into_iter().chain(tls).collect()
    }
}

fn endpoint(addresses: Vec<Address>, tls: TlsSettings) -> Endpoint {
    Endpoint {
        log: Logger::new("acme"),
        addresses,
        tls,
        limits: Limits {
            connections_per_ip: VISITORS_PER_ADDRESS,
            ..Limits::default()
        },
        full: "",
        proxy: None,
        handler: Arc::new(|_| Box::pin(async {})),
    }
}

/// Addresses that several blocks name are listened on once.
fn addresses(wanted: &[Arc<Acme>], which: impl Fn(&Settings) -> &Vec<Address>) -> Vec<Address> {
    let mut all: Vec<Address> = Vec::new();
    for address in wanted.iter().flat_map(|acme| which(&acme.settings)) {
        if !all.contains(address) {
            all.push(address.clone());
        }
    }
    all
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
