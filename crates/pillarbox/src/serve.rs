//! From what a configuration describes to what listens.

use std::sync::Arc;

use crate::assemble::ImapEndpoint;
use crate::imap::endpoint::Endpoint as Imap;
use crate::imap::places::Places;
use crate::log::Logger;
use crate::net::{Endpoint, TlsSettings};

/// Said to those who are one too many (RFC 5530 §3, RFC 9051 §7.1.5).
const FULL: &str = "* BYE [UNAVAILABLE] Too many connections, try again later\r\n";

/// An `imap` block as an endpoint that listens. `debug` has it log more than its block says.
/// Warns of what makes it less safe than it could be.
pub fn imap(block: ImapEndpoint, debug: bool, places: &Arc<Places>) -> Endpoint {
    let log = Logger::new(&block.name).with_debug(debug || block.debug);
    warn(&block, &log);
    let imap = Arc::new(Imap {
        log: log.clone(),
        tls: match &block.tls {
            TlsSettings::Off => None,
            TlsSettings::On(tls) => Some(Arc::clone(tls)),
        },
        insecure_auth: block.insecure_auth,
        sasl_login: block.sasl_login,
        io_debug: block.io_debug,
        io_errors: block.io_errors,
        login: block.login,
        storage: block.storage,
        limits: block.limits.clone(),
        places: Arc::clone(places),
    });
    Endpoint {
        log,
        addresses: block.addresses,
        tls: block.tls,
        limits: block.limits,
        full: FULL,
        handler: Arc::new(move |connection| Box::pin(Arc::clone(&imap).serve(connection))),
    }
}

fn warn(block: &ImapEndpoint, log: &Logger) {
    if matches!(block.tls, TlsSettings::Off) {
        log.warn(
            "TLS is disabled, passwords and mail go over the network in clear",
            &[],
        );
    } else if block.insecure_auth {
        log.warn(
            "insecure_auth takes passwords over connections that are not encrypted",
            &[],
        );
    }
    if block.io_debug {
        log.warn("io_debug writes what users read and write to the log", &[]);
    }
}
