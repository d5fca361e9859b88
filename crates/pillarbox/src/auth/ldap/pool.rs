//! Connections to a directory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchEntry};
use ldap3::{SearchOptions, StdStream};
use rustls::ClientConfig;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::url::Url;
use crate::secret::Secret;

/// How long a connection is kept that nobody needs. What stands between may forget it after that.
const IDLE: Duration = Duration::from_secs(60);
/// How long a server that could not be reached is tried after the others.
const REST: Duration = Duration::from_secs(60);
/// Entries that a search may find: one is a user's, two are too many.
const ENTRIES: usize = 2;
/// Results of RFC 4511, Appendix A, after which a server is left alone: busy, unavailable.
const TROUBLED: [u32; 2] = [51, 52];

/// As whom connections begin.
pub(super) enum Identity {
    /// Nobody, without a bind.
    Nobody,
    /// Nobody, by an empty bind.
    Anonymous,
    /// Whom TLS or the socket says we are.
    External,
    /// An entry.
    Entry {
        /// Its DN.
        dn: String,
        /// Its password, which is not empty.
        password: Secret,
    },
}

/// What is asked of a directory.
pub(super) enum Operation<'o> {
    /// Is this the entry's password? Which is not empty.
    Bind {
        /// The entry.
        dn: &'o str,
        /// The password.
        password: &'o str,
    },
    /// Which entries are there?
    Search {
        /// Below this one, and itself.
        base: &'o str,
        /// With this filter.
        filter: String,
    },
}

/// What it answers.
pub(super) struct Reply {
    /// How it ended.
    pub(super) result: LdapResult,
    /// What was found, at most [`ENTRIES`].
    pub(super) dns: Vec<String>,
}

/// A directory's servers.
pub(super) struct Target {
    urls: Vec<(Url, Mutex<Option<Instant>>)>,
    tls: Option<Arc<ClientConfig>>,
    starttls: bool,
    connect_timeout: Duration,
    request_timeout: Duration,
}

/// Connections that begin as the same identity, with a bound on their number.
pub(super) struct Pool {
    target: Arc<Target>,
    identity: Identity,
    turns: Semaphore,
    idle: Mutex<VecDeque<(Ldap, Instant)>>,
}

impl Pool {
    /// A pool without connections.
    pub(super) fn new(target: Arc<Target>, identity: Identity, connections: usize) -> Self {
        Self {
            target,
            identity,
            turns: Semaphore::new(connections),
            idle: Mutex::default(),
        }
    }

    /// Asks the directory, over a connection that is there or a new one.
    ///
    /// # Errors
    /// No server could be reached, or there was no answer in time.
    pub(super) async fn ask(&self, operation: &Operation<'_>) -> Result<Reply, anyhow::Error> {
        let wait = self.target.request_timeout;
        let turn = timeout(wait, self.turns.acquire()).await;
        let _turn = turn.map_err(|_| anyhow!("all connections are busy since {wait:?}"))??;
        if let Some(mut ldap) = self.take() {
            // One that has gone meanwhile is replaced; one that is silent is waited for once.
            if let Ok(reply) = self.answer(&mut ldap, operation).await? {
                return Ok(self.kept(ldap, reply));
            }
        }
        let (mut ldap, url) = self.target.connect(&self.identity).await?;
        let reply = self.answer(&mut ldap, operation).await;
        let reply = reply.and_then(|reply| reply.map_err(told));
        let reply = reply.with_context(|| url.to_string())?;
        Ok(self.kept(ldap, reply))
    }

    /// What is said in time.
    async fn answer(
        &self,
        ldap: &mut Ldap,
        operation: &Operation<'_>,
    ) -> Result<Result<Reply, LdapError>, anyhow::Error> {
        let patience = self.target.request_timeout;
        let answer = timeout(patience, operation.perform(ldap)).await;
        answer.map_err(|_| anyhow!("no answer within {patience:?}"))
    }

    /// Keeps a connection for others, if the server is well and the answer was whole.
    fn kept(&self, ldap: Ldap, reply: Reply) -> Reply {
        if !TROUBLED.contains(&reply.result.rc) && reply.dns.len() < ENTRIES {
            self.idle().push_back((ldap, Instant::now()));
        }
        reply
    }

    /// The connection that was used last, of those that are still young; the others are closed.
    fn take(&self) -> Option<Ldap> {
        let mut idle = self.idle();
        idle.retain_mut(|(ldap, since)| since.elapsed() < IDLE && !ldap.is_closed());
        idle.pop_back().map(|(ldap, _)| ldap)
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<(Ldap, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Operation<'_> {
    async fn perform(&self, ldap: &mut Ldap) -> Result<Reply, LdapError> {
        match self {
            Self::Bind { dn, password } => Ok(Reply {
                result: ldap.simple_bind(dn, password).await?,
                dns: Vec::new(),
            }),
            Self::Search { base, filter } => search(ldap, base, filter).await,
        }
    }
}

/// Searches the whole tree, for no more than names (RFC 4511 §4.5.1.8: `1.1` is no attributes).
async fn search(ldap: &mut Ldap, base: &str, filter: &str) -> Result<Reply, LdapError> {
    let limit = i32::try_from(ENTRIES).unwrap_or(i32::MAX);
    ldap.with_search_options(SearchOptions::new().sizelimit(limit));
    let mut stream = ldap
        .streaming_search(base, Scope::Subtree, filter, ["1.1"])
        .await?;
    let mut dns = Vec::new();
    // A server that does not keep the limit is not listened to any further.
    while dns.len() < ENTRIES
        && let Some(entry) = stream.next().await?
    {
        if !entry.is_ref() && !entry.is_intermediate() {
            dns.push(SearchEntry::construct(entry).dn);
        }
    }
    let mut result = stream.finish().await;
    if dns.len() == ENTRIES {
        // Sure of that, whatever the server would have said in the end.
        (result.rc, result.text) = (0, "enough".to_owned());
    }
    Ok(Reply { result, dns })
}

impl Target {
    /// A directory with these servers.
    pub(super) fn new(
        urls: Vec<Url>,
        tls: Option<Arc<ClientConfig>>,
        starttls: bool,
        connect_timeout: Duration,
        request_timeout: Duration,
    ) -> Self {
        Self {
            urls: urls
                .into_iter()
                .map(|url| (url, Mutex::default()))
                .collect(),
            tls,
            starttls,
            connect_timeout,
            request_timeout,
        }
    }

    /// A new connection to the first server that can be reached. Those that lately could not are
    /// tried last.
    async fn connect(&self, identity: &Identity) -> Result<(Ldap, &Url), anyhow::Error> {
        let mut servers: Vec<_> = self.urls.iter().collect();
        servers.sort_by_key(|(_, failed)| lock(failed).is_some_and(|at| at.elapsed() < REST));
        let mut failures = Vec::new();
        for (url, failed) in servers {
            let opened = timeout(self.connect_timeout, self.open(url, identity)).await;
            let opened = opened.unwrap_or_else(|_| Err(anyhow!("no connection in time")));
            *lock(failed) = opened.is_err().then(Instant::now);
            match opened {
                Ok(ldap) => return Ok((ldap, url)),
                Err(error) => failures.push(format!("{url}: {error:#}")),
            }
        }
        bail!("{}", failures.join("; "))
    }

    async fn open(&self, url: &Url, identity: &Identity) -> Result<Ldap, anyhow::Error> {
        let settings = LdapConnSettings::new();
        let (connection, mut ldap) = match url {
            Url::Unix(path) => {
                let stream = UnixStream::connect(path).await?.into_std()?;
                let settings = settings.set_std_stream(StdStream::Unix(stream));
                LdapConnAsync::with_settings(settings, "ldapi:///")
                    .await
                    .map_err(told)?
            }
            Url::Tcp { text, .. } => {
                let settings = settings.set_starttls(self.starttls);
                let settings = match &self.tls {
                    Some(tls) => settings.set_config(Arc::clone(tls)),
                    None => settings,
                };
                LdapConnAsync::with_settings(settings, text)
                    .await
                    .map_err(told)?
            }
        };
        // Ends when the last handle is gone, or the connection.
        tokio::spawn(connection.drive());
        identity.take_on(&mut ldap).await?;
        Ok(ldap)
    }
}

impl Identity {
    async fn take_on(&self, ldap: &mut Ldap) -> Result<(), anyhow::Error> {
        let result = match self {
            Self::Nobody => return Ok(()),
            Self::Anonymous => ldap.simple_bind("", "").await?,
            Self::External => ldap.sasl_external_bind().await?,
            Self::Entry { dn, password } => {
                let password = std::str::from_utf8(password.reveal())?;
                ldap.simple_bind(dn, password).await?
            }
        };
        match result.rc {
            0 => Ok(()),
            code => bail!("our own bind: result {code} {}", result.text.trim()),
        }
    }
}

/// The library's errors say what caused them by themselves.
fn told(error: LdapError) -> anyhow::Error {
    anyhow!("{error}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
