//! `auth.dovecot_sasl`: the users of a Dovecot.

mod connection;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use pillarbox_config::{Address, Bound, Directive, Error, Kind, Place};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::connection::{Connection, Endpoint, Verdict};
use super::{Denied, Provider};
use crate::Answer;
use crate::assemble::Assembly;
use crate::log::Logger;
use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::secret::Secret;

pub(crate) const MODULE: Module = Module {
    name: "auth.dovecot_sasl",
    aliases: &["dovecot_sasl"],
    offers: &[Offer::Provider],
    arguments: "[ADDRESS]",
    doc: "Asks the authentication service of a Dovecot, or of anything that speaks its protocol, by \
          PLAIN or else LOGIN. To Dovecot the service is `imap`, and connections are secured.\n\n\
          Nothing is connected until somebody logs in; a service that is down makes logins \
          temporarily unavailable.",
    directives: DIRECTIVES,
    build: |assembly, declaration| Ok(Parts::provider(DovecotSasl::build(assembly, declaration)?)),
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "endpoint",
        Kind::Addresses,
        "",
        "Where the service listens: `unix:///PATH` (on Debian `unix:///run/dovecot/auth-client`) or \
         `tcp://HOST:PORT`. It may also stand as an argument. Passwords go there in clear.",
    ),
    Directive::new(
        "connections",
        Kind::Integer { min: 1, max: 1024 },
        "32",
        "How many connections there may be, of which each asks one question at a time. Dovecot \
         thinks for two seconds about a wrong password. Further logins wait for their turn.",
    ),
    Directive::new(
        "connect_timeout",
        TIMEOUT,
        "10s",
        "How long the service may take until it is ready for questions.",
    ),
    Directive::new(
        "request_timeout",
        TIMEOUT,
        "30s",
        "How long a login may wait for its turn, and then for the answer.",
    ),
    Directive::new("debug", Kind::Bool, "no", "Logs what the service answers.").inherit(),
];

const TIMEOUT: Kind = Kind::Duration {
    min: Duration::from_millis(100),
    max: Duration::from_secs(3600),
};

/// How long a connection is kept that nobody needs.
const IDLE: Duration = Duration::from_secs(60);

/// The provider.
struct DovecotSasl {
    endpoint: Endpoint,
    connect_timeout: Duration,
    request_timeout: Duration,
    turns: Semaphore,
    idle: Mutex<VecDeque<(Connection, Instant)>>,
    log: Logger,
}

impl DovecotSasl {
    fn build(assembly: &Assembly<'_>, declaration: &Declaration<'_>) -> Built<Self> {
        let bound = assembly.bind_inheriting(declaration, DIRECTIVES)?;
        Ok(Self {
            endpoint: endpoint(assembly, declaration, &bound)?,
            connect_timeout: bound.duration("connect_timeout"),
            request_timeout: bound.duration("request_timeout"),
            turns: Semaphore::new(usize::try_from(bound.integer("connections")).unwrap_or(1)),
            idle: Mutex::default(),
            log: Logger::new("dovecot_sasl").with_debug(bound.flag("debug")),
        })
    }

    async fn login(&self, user: &str, password: &Secret) -> Result<(), Denied> {
        // RFC 4616 §2: a NUL ends a field, so it is in none.
        if user.contains('\0') || password.reveal().contains(&0) {
            return Err(wrong("a NUL in name or password"));
        }
        let verdict = self.ask(user, password).await;
        let place = || format!("dovecot_sasl: {}", self.endpoint);
        let verdict = verdict.with_context(place).map_err(Denied::Unavailable)?;
        let answer = format!("{verdict:?}");
        self.log.debug(
            "the service has answered",
            &[("answer", &answer), ("username", &user)],
        );
        match verdict {
            Verdict::Yes => Ok(()),
            Verdict::No(why) => Err(wrong(&why)),
            Verdict::Temporary(why) => {
                let error = anyhow!("temporary failure {why}").context(place());
                Err(Denied::Unavailable(error))
            }
        }
    }

    /// Asks over a connection that is there or a new one.
    async fn ask(&self, user: &str, password: &Secret) -> Result<Verdict, anyhow::Error> {
        let wait = self.request_timeout;
        let turn = timeout(wait, self.turns.acquire()).await;
        let _turn = turn.map_err(|_| anyhow!("all connections are busy since {wait:?}"))??;
        let silent = |_| anyhow!("no answer within {wait:?}");
        if let Some(mut connection) = self.take() {
            let verdict = timeout(wait, connection.ask(user, password)).await;
            // One that has gone meanwhile is replaced; one that is silent is waited for once.
            if let Ok(verdict) = verdict.map_err(silent)? {
                self.keep(connection);
                return Ok(verdict);
            }
        }
        let opened = timeout(self.connect_timeout, Connection::open(&self.endpoint)).await;
        let late = |_| anyhow!("no connection within {:?}", self.connect_timeout);
        let mut connection = opened.map_err(late)??;
        let verdict = timeout(wait, connection.ask(user, password)).await;
        let verdict = verdict.map_err(silent)??;
        self.keep(connection);
        Ok(verdict)
    }

    /// The connection that was used last, of those that are still young; the others are closed.
    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle();
        idle.retain(|(_, since)| since.elapsed() < IDLE);
        idle.pop_back().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: Connection) {
        self.idle().push_back((connection, Instant::now()));
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<(Connection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Provider for DovecotSasl {
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a Secret,
    ) -> Answer<'a, Result<(), Denied>> {
        Box::pin(self.login(user, password))
    }

    /// There is no user without a name, and the service takes as long to say so as for any other.
    fn decoy<'a>(&'a self, password: &'a Secret) -> Answer<'a, ()> {
        Box::pin(async move {
            let _ = self.login("", password).await;
        })
    }
}

fn wrong(why: &str) -> Denied {
    Denied::Credentials(format!("dovecot_sasl: {why}"))
}

/// Where the service listens: the only address, here or there.
fn endpoint(
    assembly: &Assembly<'_>,
    declaration: &Declaration<'_>,
    bound: &Bound<'_>,
) -> Built<Endpoint> {
    let mut found = bound.addresses("endpoint");
    for word in declaration.args {
        let address = Address::parse(&word.text);
        found.push(address.map_err(|fault| vec![fault.at(word.span)])?);
    }
    let refused = |message: &str, help: &str| {
        let span = bound
            .node("endpoint")
            .map_or(declaration.span(), |node| node.span());
        vec![Error::new(span, message).help(help)]
    };
    let example = "as in `endpoint unix:///run/dovecot/auth-client`";
    let Ok([address]) = <[Address; 1]>::try_from(found) else {
        return Err(refused("exactly one endpoint is required", example));
    };
    match address.place {
        _ if address.tls => Err(refused("the protocol has no TLS", example)),
        Place::Tcp { host, port } if !host.is_empty() && port > 0 => Ok(Endpoint::Tcp(host, port)),
        Place::Unix { path, relative } => Ok(Endpoint::Unix(match relative {
            true => assembly.globals().runtime_dir.join(path),
            false => path.into(),
        })),
        _ => Err(refused("this is nothing to connect to", example)),
    }
}

#[cfg(test)]
#[path = "dovecot_sasl/tests.rs"]
mod tests;
