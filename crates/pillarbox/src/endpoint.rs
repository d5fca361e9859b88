//! What the configuration's endpoints have in common.
//!
//! A kind of endpoint is one [`EndpointKind`] row: its name, its directives, and how the protocol's
//! own part of a block is read. The rows of directives here are shared by the tables of all kinds.

use std::sync::Arc;
use std::time::Duration;

use pillarbox_config::{Address, Bound, Directive, Error, Kind};
use pillarbox_model::limit::Limits;

use crate::assemble::{Assembly, ImapBlock};
use crate::lmtp::endpoint::LmtpRules;
use crate::net::TlsSettings;
use crate::net::proxy::Proxy;
use crate::normalize::Normalize;
use crate::sasld::endpoint::SasldRules;
use crate::storage::Storage;

/// A kind of endpoint, as the configuration names it. The arguments of its blocks are addresses.
pub struct EndpointKind {
    /// The name.
    pub name: &'static str,
    /// What the reference's list of pages says of it.
    pub summary: &'static str,
    /// The text of the reference, in Markdown.
    pub doc: &'static str,
    /// The directives of its block: those of the protocol, and rows of this file, of which `DEBUG`,
    /// `PROXY_PROTOCOL` and `TLS` have to be there.
    pub directives: &'static [Directive],
    /// The bounds that a block sets.
    pub limits: fn(&Bound<'_>) -> Limits,
    /// Reads what is the protocol's own.
    pub build: Build,
}

/// Reads what is the protocol's own in a block. Nothing comes of it when verifying, or with errors
/// noted.
pub type Build =
    for<'t> fn(&mut Assembly<'t>, &Bound<'t>, &TlsSettings, &mut Vec<Error>) -> Option<Protocol>;

/// An endpoint's block, as it is to be served.
pub struct EndpointBlock {
    /// What log lines begin with.
    pub name: String,
    /// Where it listens, at least one.
    pub addresses: Vec<Address>,
    /// For `tls://` addresses and STARTTLS.
    pub tls: TlsSettings,
    /// Who may say that he connects for somebody else, if anybody.
    pub proxy: Option<Proxy>,
    /// Bounds.
    pub limits: Limits,
    /// Log the protocol.
    pub io_debug: bool,
    /// Log errors of reading and writing.
    pub io_errors: bool,
    /// Log more.
    pub debug: bool,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// What is spoken at an endpoint, with what the block says of that.
pub enum Protocol {
    /// IMAP.
    Imap(ImapBlock),
    /// LMTP.
    Lmtp(LmtpRules),
    /// Dovecot's authentication protocol.
    Sasld(SasldRules),
}

impl Protocol {
    /// The storage that is served, or delivered to.
    #[must_use]
    pub fn storage(&self) -> Option<&Arc<Storage>> {
        match self {
            Self::Imap(imap) => Some(&imap.storage),
            Self::Lmtp(lmtp) => Some(&lmtp.storage),
            Self::Sasld(_) => None,
        }
    }
}

/// `tls`. Endpoints that can't do without it say so with [`Directive::required`].
pub const TLS: Directive = Directive::new(
    "tls",
    Kind::Custom,
    "",
    "Certificates: `tls CERT KEY`, `tls file CERT KEY...`, `tls acme`, `tls self_signed NAME...` or \
     `tls &NAME`, each with a block of further directives (see `tls.loader.file` and \
     `tls.loader.acme`) if need be; or `tls off`. The default is the global value.",
)
.inherit();

/// `proxy_protocol`.
pub const PROXY_PROTOCOL: Directive = Directive::new(
    "proxy_protocol",
    Kind::Custom,
    "",
    "Takes the client's address from the header of the PROXY protocol. `proxy_protocol ADDRESS... \
     { ... }` believes these proxies, addresses or subnets; further directives are in \
     [`proxy_protocol`](proxy_protocol.md). Without it a header is nothing but a bad command.",
);

/// `io_debug`.
pub const IO_DEBUG: Directive = Directive::new(
    "io_debug",
    Kind::Bool,
    "no",
    "Logs all commands and responses, credentials aside.",
);

/// `io_errors`.
pub const IO_ERRORS: Directive = Directive::new(
    "io_errors",
    Kind::Bool,
    "no",
    "Logs errors of reading and writing.",
);

/// `debug`.
pub const DEBUG: Directive = Directive::new(
    "debug",
    Kind::Bool,
    "no",
    "Logs more. The default is the global value.",
)
.inherit();

/// `auth`.
pub const AUTH: Directive = Directive::new(
    "auth",
    Kind::Module("auth"),
    "",
    "Who knows passwords. Several are tried in their order; the first that accepts decides.",
)
.repeat()
.required();

/// `auth_cache`.
pub const AUTH_CACHE: Directive = Directive::new(
    "auth_cache",
    timeout(0),
    "0",
    "How long a password that was right is taken as right without asking `auth` again, as in `5m`; 0 \
     is not at all. A password that is changed by the command line is asked about at once; one that \
     is changed in another way opens for as long.",
);

/// `auth_map`.
pub const AUTH_MAP: Directive = Directive::new(
    "auth_map",
    Kind::Module("table"),
    "",
    "A table that translates the user's name for `auth`. The default is the global value.",
)
.inherit();

/// `auth_map_normalize`.
pub const AUTH_MAP_NORMALIZE: Directive = Directive::new(
    "auth_map_normalize",
    Kind::Enum(&Normalize::NAMES),
    "auto",
    "How the name is normalised before `auth_map`. The default is the global value.",
)
.inherit();

/// `sasl_login`.
pub const SASL_LOGIN: Directive = Directive::new(
    "sasl_login",
    Kind::Bool,
    "no",
    "Offers the obsolete mechanism LOGIN.",
);

/// `max_connections`.
pub const MAX_CONNECTIONS: Directive = Directive::new(
    "max_connections",
    COUNT,
    "50000",
    "Connections in all. Further ones are told so and closed.",
);

/// `max_connections_per_ip`.
pub const MAX_CONNECTIONS_PER_IP: Directive = Directive::new(
    "max_connections_per_ip",
    COUNT,
    "100",
    "Connections from one address, or from one /64 network of IPv6. Loopback addresses have no such \
     bound unless one is set here.",
);

/// `write_timeout`.
pub const WRITE_TIMEOUT: Directive = Directive::new(
    "write_timeout",
    timeout(1),
    "1m",
    "How long a client may not take what it asked for.",
);

/// `tls_timeout`.
pub const TLS_TIMEOUT: Directive = Directive::new(
    "tls_timeout",
    timeout(1),
    "10s",
    "How long a TLS handshake may take.",
);

/// A number of connections.
pub const COUNT: Kind = Kind::Integer {
    min: 1,
    max: 1_000_000,
};

/// A time to wait for somebody, of a day at most.
#[must_use]
pub const fn timeout(least_seconds: u64) -> Kind {
    Kind::Duration {
        min: Duration::from_secs(least_seconds),
        max: Duration::from_secs(24 * 60 * 60),
    }
}

/// The number that a directive of the kind [`COUNT`] gives.
#[must_use]
pub fn count(bound: &Bound<'_>, name: &str) -> usize {
    usize::try_from(bound.integer(name)).unwrap_or(usize::MAX)
}

/// The bounds that all endpoints have: those on connections, handshakes and writing. The others are
/// as by default.
#[must_use]
pub fn common_limits(bound: &Bound<'_>) -> Limits {
    Limits {
        connections: count(bound, "max_connections"),
        connections_per_ip: count(bound, "max_connections_per_ip"),
        count_loopback: bound.is_set("max_connections_per_ip"),
        write_timeout: bound.duration("write_timeout"),
        tls_timeout: bound.duration("tls_timeout"),
        ..Limits::default()
    }
}
