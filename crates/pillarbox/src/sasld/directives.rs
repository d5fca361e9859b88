//! The directives of a `dovecot_sasld` block.

use pillarbox_config::{Directive, Kind};

use crate::endpoint;
use crate::normalize::Normalize;

/// The directives of the block.
pub const DIRECTIVES: &[Directive] = &[
    endpoint::TLS,
    endpoint::PROXY_PROTOCOL,
    endpoint::IO_DEBUG,
    endpoint::IO_ERRORS,
    endpoint::DEBUG,
    Directive::new(
        "auth",
        Kind::Module("auth"),
        "",
        "Who knows passwords. Several are tried in their order; the first that accepts decides.",
    )
    .repeat()
    .required(),
    Directive::new(
        "sasl_login",
        Kind::Bool,
        "no",
        "Offers the obsolete mechanism LOGIN.",
    ),
    Directive::new(
        "insecure_auth",
        Kind::Bool,
        "no",
        "Takes credentials also for connections of which the other server does not say that they \
         are secured.",
    ),
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
        "auth_cache",
        endpoint::timeout(0),
        "0",
        "How long a password that was right is taken as right; see `imap`.",
    ),
    endpoint::MAX_CONNECTIONS,
    endpoint::MAX_CONNECTIONS_PER_IP,
    endpoint::WRITE_TIMEOUT,
    endpoint::TLS_TIMEOUT,
];
