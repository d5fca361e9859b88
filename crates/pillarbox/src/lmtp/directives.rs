//! The directives of an `lmtp` block.

use pillarbox_config::{Bound, Directive, Kind};
use pillarbox_model::limit::Limits;

use crate::endpoint::{self, timeout};

/// The directives of the block.
pub const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "deliver_to",
        Kind::Module("storage"),
        "",
        "Where mail goes.",
    )
    .required(),
    Directive::new(
        "hostname",
        Kind::Text,
        "",
        "What the server calls itself. The default is the global value.",
    )
    .inherit()
    .required(),
    endpoint::TLS,
    endpoint::PROXY_PROTOCOL,
    endpoint::IO_DEBUG,
    endpoint::IO_ERRORS,
    endpoint::DEBUG,
    Directive::new(
        "max_message_size",
        Kind::Size {
            min: 1_024,
            max: MESSAGE_BYTES,
        },
        "32M",
        "The largest message that is taken. Told to clients with SIZE (RFC 1870).",
    ),
    Directive::new(
        "max_header_size",
        Kind::Size {
            min: 1_024,
            max: 64 * 1024 * 1024,
        },
        "1M",
        "The largest header of a message.",
    ),
    Directive::new(
        "max_recipients",
        Kind::Integer {
            min: 1,
            max: 100_000,
        },
        "20000",
        "Recipients of one message. RFC 5321 asks for 100 at least.",
    ),
    Directive::new(
        "max_received",
        Kind::Integer { min: 1, max: 1_000 },
        "50",
        "`Received` fields of one message. One with more goes in circles, and is sent back.",
    ),
    Directive::new(
        "smtp_max_line_length",
        Kind::Integer {
            min: 1_000,
            max: 1_000_000,
        },
        "4000",
        "Bytes in one line, of commands and of messages. Messages that come in chunks (BDAT) have no \
         such limit.",
    ),
    Directive::new(
        "read_timeout",
        timeout(1),
        "10m",
        "How long a client may be silent.",
    ),
    endpoint::WRITE_TIMEOUT,
    Directive::new(
        "shutdown_timeout",
        timeout(1),
        "3m",
        "Understood and without effect: when the server stops, clients that bring nothing are told so at \
         once, and others have 5 seconds.",
    ),
    endpoint::TLS_TIMEOUT,
    endpoint::MAX_CONNECTIONS,
    endpoint::MAX_CONNECTIONS_PER_IP,
    Directive::new(
        "buffer",
        Kind::TextList,
        "",
        "Where a message waits until all of it is here: `auto [SIZE [PATH]]`, in memory up to that size \
         and else in a file in that directory; `fs [PATH]`, always in a file; `ram`, always in memory, so \
         that every client may take up `max_message_size`. The default is `auto 256K`, with the directory \
         `buffer` in `state_dir`. Files have no names, and go away with their connections.",
    ),
    Directive::new(
        "limits",
        Kind::Custom,
        "",
        "How much mail is taken at a time: a block as of `limits` at top level, in place, or `&NAME`.",
    ),
    Directive::new(
        "max_logged_rcpt_errors",
        Kind::Integer {
            min: 0,
            max: 100_000,
        },
        "5",
        "How many recipients that are refused are logged for one message.",
    ),
    Directive::new(
        "defer_sender_reject",
        Kind::Bool,
        "yes",
        "Understood and without effect: senders are not judged here.",
    ),
    Directive::new(
        "dmarc",
        Kind::Bool,
        "no",
        "Checks belong to the MTA. `no` is understood.",
    ),
    refused("auth", LOGINS),
    refused("auth_map", LOGINS),
    refused("auth_map_normalize", LOGINS),
    refused("insecure_auth", LOGINS),
    refused("sasl_login", LOGINS),
    refused("check", CHECKS),
    refused("modify", CHECKS),
    refused("source", PIPELINE),
    refused("source_in", PIPELINE),
    refused("default_source", PIPELINE),
    refused("destination", PIPELINE),
    refused("destination_in", PIPELINE),
    refused("default_destination", PIPELINE),
    refused("reroute", PIPELINE),
    refused("reject", PIPELINE),
];

/// The largest message that the store can keep: its length is a number of 32 bits.
const MESSAGE_BYTES: u64 = 1024 * 1024 * 1024;

const LOGINS: &str = "Refused: LMTP has no logins. Protect the socket instead.";
const CHECKS: &str = "Refused: checks and changes belong to the MTA.";
const PIPELINE: &str = "Refused: all mail goes to one storage, as in `deliver_to &local_mailboxes`. Addresses are \
                        mapped by `delivery_map` of the storage.";

/// A directive of SMTP that would mean something that is not done here, with the reason.
const fn refused(name: &'static str, why: &'static str) -> Directive {
    Directive::new(name, Kind::Custom, "", why)
}

/// The directives in the block that are refused, with the reasons.
pub(crate) fn refusals() -> impl Iterator<Item = &'static Directive> {
    DIRECTIVES
        .iter()
        .filter(|row| row.doc.starts_with("Refused: "))
}

/// The bounds that the block sets.
#[must_use]
pub fn limits(bound: &Bound<'_>) -> Limits {
    endpoint::common_limits(bound)
}
