//! The directives of a `dovecot_sasld` block.

use pillarbox_config::{Directive, Kind};

use crate::endpoint;

/// The directives of the block.
pub const DIRECTIVES: &[Directive] = &[
    endpoint::TLS,
    endpoint::PROXY_PROTOCOL,
    endpoint::IO_DEBUG,
    endpoint::IO_ERRORS,
    endpoint::DEBUG,
    endpoint::AUTH,
    endpoint::SASL_LOGIN,
    Directive::new(
        "insecure_auth",
        Kind::Bool,
        "no",
        "Takes credentials also for connections of which the other server does not say that they \
         are secured.",
    ),
    endpoint::AUTH_MAP,
    endpoint::AUTH_MAP_NORMALIZE,
    endpoint::AUTH_CACHE,
    endpoint::MAX_CONNECTIONS,
    endpoint::MAX_CONNECTIONS_PER_IP,
    endpoint::WRITE_TIMEOUT,
    endpoint::TLS_TIMEOUT,
];
