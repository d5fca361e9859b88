//! Bounds on everything a client may make the server hold or do, each with its reason.
//!
//! What an administrator may want to change is a field of [`Limits`], which a directive sets; the
//! rest are constants, since a change would only trade one failure for another.

use std::time::Duration;

/// Different keywords in one mailbox: as many as fit beside the system flags in 64 bits.
pub const KEYWORDS_PER_MAILBOX: usize = 59;
/// Bytes in one keyword. The longest in use have about 30.
pub const KEYWORD_BYTES: usize = 128;
/// Bytes in a mailbox name (UTF-8): four times what a path component may have on most systems.
pub const MAILBOX_NAME_BYTES: usize = 1_024;
/// Levels of hierarchy in a mailbox name; LIST work grows with depth.
pub const MAILBOX_DEPTH: usize = 32;
/// Bytes of all patterns of one LIST, the reference name aside: each is compared with every mailbox.
pub const LIST_PATTERN_BYTES: usize = 8 * 1_024;
/// Mailboxes in one account: LIST answers them all at once.
pub const MAILBOXES_PER_ACCOUNT: usize = 10_000;
/// Bytes in the name of an annotation's entry. Those of vendors have about 60.
pub const ENTRY_NAME_BYTES: usize = 512;
/// Entries in one GETMETADATA or SETMETADATA: each is looked for, or written.
pub const ENTRIES_PER_COMMAND: usize = 100;
/// Bytes in the value of an annotation: a note, a list of settings, a search, a small picture. RFC 5464
/// §4.1 asks for 1,024 at least.
pub const ANNOTATION_BYTES: usize = 64 * 1024;
/// Shared annotations of one mailbox, and private ones of one user on it. RFC 5464 §4.1 asks for 10.
pub const ANNOTATIONS_PER_MAILBOX: usize = 100;
/// Annotations that one account pays for: its private ones, and the shared ones of its mailboxes.
pub const ANNOTATIONS_PER_ACCOUNT: usize = 10_000;
/// Bytes of all of those: LIST may ask for them all.
pub const ANNOTATION_BYTES_PER_ACCOUNT: usize = 4 * 1024 * 1024;
/// Identifiers in one mailbox's list of rights: all of them are looked at to know a user's rights.
pub const ACL_ENTRIES: usize = 1_000;
/// Bytes in one of them (UTF-8): more than an address can have (RFC 5321 §4.5.3.1).
pub const ACL_IDENTIFIER_BYTES: usize = 512;
/// Bytes in one line of a command, literals aside. Clients stay below 8 KiB (RFC 7162 §4).
pub const COMMAND_LINE_BYTES: usize = 64 * 1024;
/// Bytes in one quoted string: a login name or a search text, never a message.
pub const QUOTED_BYTES: usize = 8 * 1024;
/// All bytes of a command's arguments before login, where nobody is accountable.
pub const ARGUMENT_BYTES_BEFORE_LOGIN: usize = 8 * 1024;
/// All bytes of a command's arguments after login, message literals aside.
pub const ARGUMENT_BYTES: usize = 1024 * 1024;
/// Literals in one command, message literals of a MULTIAPPEND aside.
pub const LITERALS_PER_COMMAND: usize = 64;
/// Messages in one MULTIAPPEND (RFC 3502): all of them become one transaction.
pub const MESSAGES_PER_APPEND: usize = 1_000;
/// Pieces of one message that is put together (RFC 4469): each may have to be read from another message.
pub const CATENATED_PARTS: usize = 1_000;
/// Bytes in one URL: a mailbox's name with all of it percent-encoded, and a list of header fields.
pub const URL_BYTES: usize = 8 * 1_024;
/// Parentheses within parentheses, in any command.
pub const NESTING: usize = 64;
/// Ranges in one sequence set; a client's worst honest set is every other message.
pub const SEQUENCE_RANGES: usize = 10_000;
/// Keys in one SEARCH, nested ones included.
pub const SEARCH_KEYS: usize = 1_000;
/// Largest non-synchronising literal under LITERAL- (RFC 7888 §5).
pub const LITERAL_MINUS_BYTES: u64 = 4_096;
/// Wrong passwords on one connection; each costs a hash.
pub const LOGIN_TRIES: u32 = 5;
/// Commands that don't parse, before login: a port scanner or an attack.
pub const BAD_COMMANDS_BEFORE_LOGIN: u32 = 10;
/// Commands that don't parse, after login: a broken client in a loop.
pub const BAD_COMMANDS: u32 = 100;
/// Output waiting for a client that reads slowly; more is produced when this is gone.
pub const OUTPUT_BYTES: usize = 1024 * 1024;

/// Bounds an administrator may set. The defaults suit a few thousand users on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one user.
    pub connections_per_user: usize,
    /// Connections from one address (a /64 for IPv6).
    pub connections_per_ip: usize,
    /// Whether loopback addresses have that bound, too. By default they have not: a webmail or a
    /// tunnel connects from there for everybody. A bound that an administrator sets holds for all.
    pub count_loopback: bool,
    /// Messages that one command may touch (RFC 9738); `None` for no such bound.
    pub messages: Option<u32>,
    /// Messages that one COPY or APPEND may add (RFC 9738), where `messages` says nothing.
    pub saved_messages: Option<u32>,
    /// From the greeting to a successful login.
    pub login_timeout: Duration,
    /// Without a byte from a client that is logged in; RFC 3501 §5.4 asks for at least 30 minutes.
    pub idle_timeout: Duration,
    /// A write that makes no progress.
    pub write_timeout: Duration,
    /// From accepting a connection to the end of its TLS handshake.
    pub tls_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 50_000,
            connections_per_user: 200,
            connections_per_ip: 100,
            count_loopback: false,
            messages: None,
            saved_messages: None,
            login_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(30 * 60),
            write_timeout: Duration::from_secs(60),
            tls_timeout: Duration::from_secs(10),
        }
    }
}
