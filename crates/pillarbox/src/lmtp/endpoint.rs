//! What an `lmtp` block said, and the connections it serves.

use std::sync::Arc;
use std::time::Duration;

use pillarbox_proto::lmtp::Settings;

use super::session::Session;
use super::throttle::Throttle;
use crate::delivery::Buffer;
use crate::log::Logger;
use crate::net::{Connection, Tls};
use crate::storage::Storage;

/// An `lmtp` block, ready to serve.
pub struct Endpoint {
    /// Under the name of the endpoint.
    pub log: Logger,
    /// For STARTTLS.
    pub tls: Option<Arc<Tls>>,
    /// How long a TLS handshake may take.
    pub tls_timeout: Duration,
    /// How long a client may not take what it is told.
    pub write_timeout: Duration,
    /// Write all commands and replies to the log, messages aside.
    pub io_debug: bool,
    /// Log errors of reading and writing.
    pub io_errors: bool,
    /// What the block says of mail.
    pub rules: LmtpRules,
}

/// What an `lmtp` block says of mail.
pub struct LmtpRules {
    /// What the protocol has to know.
    pub settings: Settings,
    /// Where mail goes.
    pub storage: Arc<Storage>,
    /// How long a client may be silent.
    pub read_timeout: Duration,
    /// The largest header, in bytes.
    pub header_bytes: usize,
    /// The most `Received` fields: more of them, and the message goes in circles (RFC 5321 §6.3).
    pub received: usize,
    /// Where messages wait until all of them is here.
    pub buffer: Buffer,
    /// How much mail is taken at a time.
    pub throttle: Option<Arc<Throttle>>,
    /// How many refused recipients of one message are logged.
    pub logged_recipient_errors: usize,
}

impl Endpoint {
    /// Serves one connection to its end.
    pub async fn serve(self: Arc<Self>, connection: Connection) {
        Box::pin(Session::new(self, connection).run()).await;
    }
}
