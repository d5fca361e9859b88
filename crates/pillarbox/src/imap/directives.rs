//! The directives of an `imap` block.

use std::time::Duration;

use pillarbox_config::{Bound, Directive, Kind};
use pillarbox_model::limit::Limits;

use crate::normalize::Normalize;

/// The directives of the block.
pub const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "tls",
        Kind::Custom,
        "",
        "Certificates: `tls CERT KEY`, `tls file CERT KEY...`, `tls self_signed NAME...` or \
         `tls &NAME`, each with a block of further directives (see `tls.loader.file`) if need be; \
         or `tls off`. The default is the global value.",
    )
    .inherit()
    .required(),
    Directive::new(
        "proxy_protocol",
        Kind::Custom,
        "",
        "Takes the client's address from a HAProxy PROXY header. Not supported by this build.",
    ),
    Directive::new(
        "io_debug",
        Kind::Bool,
        "no",
        "Logs all commands and responses, credentials aside.",
    ),
    Directive::new(
        "io_errors",
        Kind::Bool,
        "no",
        "Logs errors of reading and writing.",
    ),
    Directive::new(
        "debug",
        Kind::Bool,
        "no",
        "Logs more. The default is the global value.",
    )
    .inherit(),
    Directive::new(
        "insecure_auth",
        Kind::Bool,
        "no",
        "Takes passwords over connections that are not encrypted. Always so where TLS is off.",
    ),
    Directive::new(
        "sasl_login",
        Kind::Bool,
        "no",
        "Offers the obsolete mechanism LOGIN.",
    ),
    Directive::new(
        "auth",
        Kind::Module("auth"),
        "",
        "Who knows passwords. Several are tried in their order; the first that accepts decides.",
    )
    .repeat()
    .required(),
    Directive::new("storage", Kind::Module("storage"), "", "Where the mail is.").required(),
    Directive::new(
        "auth_map",
        Kind::Module("table"),
        "",
        "A table that translates the user's name for `auth`. The default is the global value.",
    )
    .inherit(),
    Directive::new(
        "auth_map_normalize",
        Kind::Enum(&Normalize::NAMES),
        "auto",
        "How the name is normalised before `auth_map`. The default is the global value.",
    )
    .inherit(),
    Directive::new(
        "storage_map",
        Kind::Module("table"),
        "",
        "A table that makes the name of a storage account of the user's name. Without it they \
         are the same.",
    ),
    Directive::new(
        "storage_map_normalize",
        Kind::Enum(&Normalize::NAMES),
        "auto",
        "How the name is normalised before `storage_map`.",
    ),
    Directive::new(
        "max_connections",
        COUNT,
        "50000",
        "Connections in all. Further ones are told so and closed.",
    ),
    Directive::new(
        "max_connections_per_user",
        COUNT,
        "200",
        "Connections of one user.",
    ),
    Directive::new(
        "max_connections_per_ip",
        COUNT,
        "100",
        "Connections from one address, or from one /64 network of IPv6. Loopback addresses have \
         no such bound unless one is set here.",
    ),
    Directive::new(
        "login_timeout",
        timeout(1),
        "1m",
        "How long a client may take from the greeting to a login.",
    ),
    Directive::new(
        "idle_timeout",
        timeout(60),
        "30m",
        "How long a client that has logged in may be silent. RFC 3501 asks for 30 minutes at \
         least.",
    ),
    Directive::new(
        "write_timeout",
        timeout(1),
        "1m",
        "How long a client may not take what it asked for.",
    ),
    Directive::new(
        "tls_timeout",
        timeout(1),
        "10s",
        "How long a TLS handshake may take.",
    ),
];

/// A number of connections.
const COUNT: Kind = Kind::Integer {
    min: 1,
    max: 1_000_000,
};

const fn timeout(least_seconds: u64) -> Kind {
    Kind::Duration {
        min: Duration::from_secs(least_seconds),
        max: Duration::from_secs(24 * 60 * 60),
    }
}

/// The bounds that the block sets. `append_bytes` is the storage's.
#[must_use]
pub fn limits(bound: &Bound<'_>, append_bytes: u64) -> Limits {
    let count = |name| usize::try_from(bound.integer(name)).unwrap_or(usize::MAX);
    Limits {
        append_bytes,
        connections: count("max_connections"),
        connections_per_user: count("max_connections_per_user"),
        connections_per_ip: count("max_connections_per_ip"),
        count_loopback: bound.is_set("max_connections_per_ip"),
        login_timeout: bound.duration("login_timeout"),
        idle_timeout: bound.duration("idle_timeout"),
        write_timeout: bound.duration("write_timeout"),
        tls_timeout: bound.duration("tls_timeout"),
    }
}
