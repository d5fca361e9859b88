//! The `imap` endpoint: what its block said, and the connections it serves.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Session;
use super::places::Places;
use super::withhold::Withheld;
use crate::auth::login::Login;
use crate::log::{Fields, Logger, Text};
use crate::net::Connection;
use crate::net::tls::Tls;
use crate::storage::Storage;
use pillarbox_model::BlobId;
use pillarbox_model::limit::Limits;

/// An `imap` block, ready to serve.
pub struct Endpoint {
    /// Under the name of the endpoint.
    pub log: Logger,
    /// For STARTTLS; implicit TLS is done before a connection comes here. `None` if TLS is off.
    pub tls: Option<Arc<Tls>>,
    /// Whether passwords are taken in clear. Always so where TLS is off.
    pub insecure_auth: bool,
    /// Whether AUTH=LOGIN is offered.
    pub sasl_login: bool,
    /// Extensions that some clients are not told of.
    pub withheld: Withheld,
    /// Write all commands and responses to the log, credentials aside.
    pub io_debug: bool,
    /// Log errors of reading and writing.
    pub io_errors: bool,
    /// Who may in, and as what account.
    pub login: Arc<Login>,
    /// Accounts of administrators, as accounts are named.
    pub admins: Box<[Box<str>]>,
    /// A URI of how to reach whoever runs the server.
    pub admin_contact: Option<Box<str>>,
    /// Their mail.
    pub storage: Arc<Storage>,
    /// Bounds.
    pub limits: Limits,
    /// How often a client hears that its command is still being done (RFC 9585); see
    /// [`pulse::PROGRESS`](super::pulse::PROGRESS).
    pub progress: Duration,
    /// Connections by user.
    pub places: Arc<Places>,
}

impl Endpoint {
    /// Serves one connection to its end.
    pub async fn serve(self: Arc<Self>, connection: Connection) {
        // Made where it stays: moved into its future, it would lie there twice.
        let served = async move {
            let mut session = Session::new(self, connection);
            session.run().await;
        };
        Box::pin(served).await;
    }

    /// Keeps digests that had to be made, so that they are made once. What can't be kept is made again.
    pub(super) async fn keep_digests(&self, made: Vec<(BlobId, Bytes)>) {
        if made.is_empty() {
            return;
        }
        if let Err(error) = self.storage.store.redigest(made).await {
            let fields: Fields<'_> = &[("reason", &Text(error))];
            self.log.debug("digests can't be kept", fields);
        }
    }
}
