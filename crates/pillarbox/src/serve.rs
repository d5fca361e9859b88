//! From what a configuration describes to what listens.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use pillarbox_model::limit::Limits;

use crate::assemble::ImapBlock;
use crate::endpoint::{EndpointBlock, Protocol};
use crate::imap::endpoint::Endpoint as Imap;
use crate::imap::places::Places;
use crate::imap::pulse::PROGRESS;
use crate::lmtp::endpoint::{Endpoint as Lmtp, LmtpRules};
use crate::log::Logger;
use crate::net::{Endpoint, Handler, Tls, TlsSettings};
use crate::sasld::Endpoint as Sasld;
use crate::sasld::endpoint::SasldRules;

/// Said to IMAP clients that are one too many (RFC 5530 §3, RFC 9051 §7.1.5).
const IMAP_FULL: &str = "* BYE [UNAVAILABLE] Too many connections, try again later\r\n";

/// Said to those who bring mail (RFC 5321 §3.1).
const LMTP_FULL: &str = "421 4.3.2 Too many connections, try again later\r\n";

/// A block as an endpoint that listens. `debug` has it log more than its block says. Warns of what
/// makes it less safe than it could be.
pub fn endpoint(block: EndpointBlock, debug: bool, places: &Arc<Places>) -> Endpoint {
    let tls = tls_of(&block);
    let common = Common {
        log: Logger::new(&block.name).with_debug(debug || block.debug),
        tls: match &tls {
            TlsSettings::Off => None,
            TlsSettings::On(tls) => Some(Arc::clone(tls)),
        },
        limits: block.limits.clone(),
        io_debug: block.io_debug,
        io_errors: block.io_errors,
    };
    let log = common.log.clone();
    if block.io_debug {
        log.warn("io_debug writes what users read and write to the log", &[]);
    }
    let (full, handler) = match block.protocol {
        Protocol::Imap(block) => (IMAP_FULL, imap(block, common, places)),
        Protocol::Lmtp(rules) => (LMTP_FULL, lmtp(rules, common)),
        // There is no word for it.
        Protocol::Sasld(rules) => ("", sasld(rules, common)),
    };
    Endpoint {
        log,
        addresses: block.addresses,
        tls,
        proxy: block.proxy.map(Arc::new),
        limits: block.limits,
        full,
        handler,
    }
}

/// TLS that answers for the protocol: `imap` is the only one here with a name of its own in ALPN.
fn tls_of(block: &EndpointBlock) -> TlsSettings {
    match (&block.tls, &block.protocol) {
        (TlsSettings::On(tls), Protocol::Lmtp(_) | Protocol::Sasld(_)) => {
            TlsSettings::On(Arc::new(tls.for_protocol(None)))
        }
        (tls, _) => tls.clone(),
    }
}

/// What every protocol needs to know of its block.
struct Common {
    log: Logger,
    tls: Option<Arc<Tls>>,
    limits: Limits,
    io_debug: bool,
    io_errors: bool,
}

fn imap(block: ImapBlock, common: Common, places: &Arc<Places>) -> Handler {
    warn_of_passwords(&block, &common);
    let endpoint = Arc::new(Imap {
        log: common.log,
        tls: common.tls,
        insecure_auth: block.insecure_auth,
        sasl_login: block.sasl_login,
        withheld: block.withheld,
        io_debug: common.io_debug,
        io_errors: common.io_errors,
        login: block.login,
        admins: block.admins,
        admin_contact: block.admin_contact,
        storage: block.storage,
        limits: common.limits,
        progress: PROGRESS,
        places: Arc::clone(places),
    });
    Arc::new(move |connection| Box::pin(Arc::clone(&endpoint).serve(connection)))
}

fn lmtp(mut rules: LmtpRules, common: Common) -> Handler {
    rules.settings.tls = common.tls.is_some();
    let endpoint = Arc::new(Lmtp {
        log: common.log,
        tls: common.tls,
        tls_timeout: common.limits.tls_timeout,
        write_timeout: common.limits.write_timeout,
        io_debug: common.io_debug,
        io_errors: common.io_errors,
        rules,
    });
    Arc::new(move |connection| Box::pin(Arc::clone(&endpoint).serve(connection)))
}

fn sasld(rules: SasldRules, common: Common) -> Handler {
    let endpoint = Arc::new(Sasld {
        log: common.log,
        io_debug: common.io_debug,
        io_errors: common.io_errors,
        rules,
        write_timeout: common.limits.write_timeout,
        connections: AtomicU64::default(),
    });
    Arc::new(move |connection| Box::pin(Arc::clone(&endpoint).serve(connection)))
}

fn warn_of_passwords(block: &ImapBlock, common: &Common) {
    let warning = match &common.tls {
        None => "TLS is disabled, passwords and mail go over the network in clear",
        Some(_) if block.insecure_auth => {
            "insecure_auth takes passwords over connections that are not encrypted"
        }
        Some(_) => return,
    };
    common.log.warn(warning, &[]);
}
