//! The directives of an `imap` block.

use pillarbox_config::{Bound, Directive, Kind};
use pillarbox_model::limit::Limits;

use crate::endpoint::{self, COUNT, count, timeout};
use crate::normalize::Normalize;

/// Numbers of messages; 0 is for no bound.
const MESSAGES: Kind = Kind::Integer {
    min: 0,
    max: 1_000_000_000,
};

/// The directives of the block.
pub const DIRECTIVES: &[Directive] = &[
    endpoint::TLS.required(),
    endpoint::PROXY_PROTOCOL,
    endpoint::IO_DEBUG,
    endpoint::IO_ERRORS,
    endpoint::DEBUG,
    Directive::new(
        "insecure_auth",
        Kind::Bool,
        "no",
        "Takes passwords over connections that are not encrypted. Always so where TLS is off.",
    ),
    endpoint::SASL_LOGIN,
    endpoint::AUTH,
    endpoint::AUTH_CACHE,
    Directive::new("storage", Kind::Module("storage"), "", "Where the mail is.").required(),
    endpoint::AUTH_MAP,
    endpoint::AUTH_MAP_NORMALIZE,
    Directive::new(
        "client_certificate_map",
        Kind::Module("table"),
        "",
        "A table that makes the name of a user of one in a client's certificate (see `client_ca` in \
         `tls.loader.file`). Without it they are the same.",
    ),
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
        "admins",
        Kind::TextList,
        "",
        "Accounts of administrators, by their names in the storage. They may set everybody's quota with \
         SETQUOTA, and see it, and set the annotations that all users of the server see.",
    )
    .repeat(),
    Directive::new(
        "admin_contact",
        Kind::Text,
        "",
        "A URI of how to reach whoever runs the server, as in `mailto:postmaster@example.org`. Clients read \
         it as the annotation `/shared/admin` (RFC 5464).",
    ),
    Directive::new(
        "withhold",
        Kind::Custom,
        "",
        "Extensions (names as in CAPABILITY) that are neither announced nor enabled, for clients that get \
         them wrong: `withhold NAME...` from all clients of the endpoint, `withhold NAME... { client FIELD \
         PATTERN }` from those that say with ID that they are of some kind; letters compare without case, \
         and `*` stands for anything. Of several `client` lines all have to match.",
    )
    .repeat(),
    Directive::new(
        "withhold_map",
        Kind::Module("table"),
        "",
        "A table from names of storage accounts to the extensions that are withheld from their clients, \
         with spaces or commas between.",
    ),
    endpoint::MAX_CONNECTIONS,
    Directive::new(
        "max_connections_per_user",
        COUNT,
        "200",
        "Connections of one user.",
    ),
    endpoint::MAX_CONNECTIONS_PER_IP,
    Directive::new(
        "message_limit",
        MESSAGES,
        "0",
        "Messages that one command may touch; 0 for as many as there are. Clients are told (MESSAGELIMIT), and go on \
         where a command stopped. RFC 9738 asks for 1000 at least.",
    ),
    Directive::new(
        "save_limit",
        MESSAGES,
        "0",
        "Messages that one COPY or APPEND may add; 0 for as many as there are. Clients are told (SAVELIMIT), unless \
         `message_limit` says so of all commands.",
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
    endpoint::WRITE_TIMEOUT,
    endpoint::TLS_TIMEOUT,
];

/// The bounds that the block sets.
#[must_use]
pub fn limits(bound: &Bound<'_>) -> Limits {
    Limits {
        messages: messages(bound, "message_limit"),
        saved_messages: messages(bound, "save_limit"),
        connections_per_user: count(bound, "max_connections_per_user"),
        login_timeout: bound.duration("login_timeout"),
        idle_timeout: bound.duration("idle_timeout"),
        ..endpoint::common_limits(bound)
    }
}

/// What a directive of the kind [`MESSAGES`] says.
fn messages(bound: &Bound<'_>, name: &str) -> Option<u32> {
    u32::try_from(bound.integer(name))
        .ok()
        .filter(|limit| *limit > 0)
}
