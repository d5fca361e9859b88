//! What a `dovecot_sasld` block said, and the connections it serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::connection;
use crate::auth::login::Login;
use crate::log::Logger;
use crate::net::Connection;

/// A `dovecot_sasld` block, ready to serve.
pub struct Endpoint {
    /// Under the name of the endpoint.
    pub log: Logger,
    /// Log what is said, credentials aside.
    pub io_debug: bool,
    /// Log errors of reading and writing.
    pub io_errors: bool,
    /// What is taken, and how.
    pub rules: SasldRules,
    /// A write that makes no progress.
    pub write_timeout: Duration,
    /// How many there were.
    pub connections: AtomicU64,
}

/// What a `dovecot_sasld` block says of the protocol.
#[derive(Clone)]
pub struct SasldRules {
    /// Who may in.
    pub login: Arc<Login>,
    /// Offer the mechanism LOGIN.
    pub sasl_login: bool,
    /// Take credentials that came in clear.
    pub insecure_auth: bool,
}

impl Endpoint {
    /// Logs what is said, if that is wanted.
    pub(super) fn trace(&self, who: &str, what: &str) {
        if self.io_debug {
            self.log.info(who, &[("data", &what)]);
        }
    }

    /// Serves one connection to its end.
    pub async fn serve(self: Arc<Self>, connection: Connection) {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let peer = connection.peer.clone();
        if let Err(error) = Box::pin(connection::serve(&self, connection, number)).await
            && self.io_errors
        {
            let reason = crate::log::Text(error);
            let fields: crate::log::Fields<'_> =
                &[("reason", &reason), ("src_ip", &crate::log::Text(peer))];
            self.log.warn("I/O error", fields);
        }
    }
}
