//! The directives of `storage.imapsql`.

use pillarbox_config::{Directive, Kind};

use crate::delivery::Detail;
use crate::normalize::Normalize;

/// Sizes that IMAP can say: a number is of 32 bits (RFC 3501 §9).
const LARGEST_APPEND: u64 = u32::MAX as u64;

/// A quota of things that are counted.
const QUOTA_COUNT: Kind = Kind::Integer {
    min: 0,
    max: i64::MAX,
};

/// The directives of the block.
pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "driver",
        Kind::Enum(&["sqlite3", "postgres"]),
        "",
        "The kind of database. Required, here or as the first argument.",
    ),
    Directive::new(
        "dsn",
        Kind::TextList,
        "",
        "The database: for `sqlite3` the path of its file, relative to `state_dir`. Arguments \
         are joined by spaces. Required, here or after the driver.",
    ),
    Directive::new(
        "msg_store",
        Kind::Module("storage.blob"),
        "pack",
        "Where message bytes are kept: `pack` or `fs`.",
    ),
    Directive::new(
        "compression",
        Kind::Custom,
        "",
        "How messages are compressed: `off` (the default), or `lz4` or `zstd` with an optional \
         level; `zstd` takes 1 to 22, and 3 if none is given. `fs` compresses new messages as \
         they come, `pack` those it has, some while later. What is stored stays readable \
         whatever is said here.",
    ),
    Directive::new(
        "appendlimit",
        Kind::Size {
            min: 0,
            max: LARGEST_APPEND,
        },
        "64M",
        "The largest message that a client may append. Accounts may have a limit of their own, \
         which then counts. Deliveries are not bounded by it.",
    ),
    Directive::new(
        "quota",
        Kind::SIZE,
        "",
        "How many bytes all messages of an account may have together, each copy counted. Accounts may \
         have a quota of their own (`pillarbox imap-acct quota`), which then counts. Without it there is \
         no limit. Mail that comes for a full account is answered as `over_quota` says.",
    ),
    Directive::new(
        "quota_messages",
        QUOTA_COUNT,
        "",
        "How many messages an account may have, likewise.",
    ),
    Directive::new(
        "quota_mailboxes",
        QUOTA_COUNT,
        "",
        "How many mailboxes an account may have, likewise. Those that a new account gets are always made.",
    ),
    Directive::new(
        "delimiter",
        Kind::Enum(&[".", "/"]),
        ".",
        "The character between levels of mailbox names. It must not change once there is mail.",
    ),
    Directive::new(
        "default_mailbox",
        Kind::TextList,
        "",
        "A mailbox that a new account gets besides INBOX, as in `default_mailbox Sent sent`: its \
         name and, if it has one, its special use (RFC 6154). May be repeated; without any, \
         Archive, Drafts, Junk, Sent and Trash are made. `default_mailbox INBOX` alone means no \
         further ones.",
    )
    .repeat(),
    Directive::new(
        "login_mailboxes",
        Kind::Enum(&["inbox", "default"]),
        "inbox",
        "What an account gets that is made because somebody logged in: INBOX only, or all \
         default mailboxes.",
    ),
    Directive::new(
        "junk_mailbox",
        Kind::Text,
        "Junk",
        "Where junk is delivered in accounts without a mailbox whose special use it is.",
    ),
    Directive::new(
        "other_users_namespace",
        Kind::Text,
        "",
        "The name above the mailboxes that other users share, as in `other_users_namespace \"Other Users\"`. \
         Without it users can't reach each other's mailboxes, whatever their rights.",
    ),
    Directive::new(
        "shared_namespace",
        Kind::TextList,
        "",
        "The name above mailboxes that are nobody's own, and the account that they are kept in, which is \
         `shared` if none is given: as in `shared_namespace Shared`. Nobody can log in as that account.",
    ),
    Directive::new(
        "acl_groups",
        Kind::Module("table"),
        "",
        "A table that gives the groups of an account. A group `staff` is `$staff` in lists of rights. \
         It is asked at login.",
    ),
    Directive::new(
        "sqlite3_cache_size",
        Kind::INTEGER,
        "0",
        "SQLite's page cache: pages, or KiB if negative; 0 leaves it to SQLite.",
    )
    .aliases(&["sqlite_cache_size"]),
    Directive::new(
        "sqlite3_busy_timeout",
        Kind::Integer {
            min: 0,
            max: 86_400_000,
        },
        "5000",
        "How long SQLite waits for somebody else's transaction, in milliseconds.",
    )
    .aliases(&["sqlite_busy_timeout"]),
    Directive::new(
        "delivery_map",
        Kind::Module("table"),
        "identity",
        "A table that makes account names of recipients' addresses. What it does not know is no \
         user.",
    ),
    Directive::new(
        "delivery_normalize",
        Kind::Enum(&Normalize::NAMES),
        "precis_casefold_email",
        "How recipients' addresses are normalised before `delivery_map`.",
    ),
    Directive::new(
        "auth_map",
        Kind::Module("table"),
        "",
        "Deprecated: use `storage_map` of the endpoint. A table that makes account names of \
         users' names.",
    ),
    Directive::new(
        "auth_normalize",
        Kind::Enum(&Normalize::NAMES),
        "auto",
        "Deprecated: use `storage_map_normalize` of the endpoint. How users' names are \
         normalised before `auth_map`.",
    ),
    Directive::new(
        "debug",
        Kind::Bool,
        "",
        "Logs more. The default is the global value.",
    )
    .inherit(),
    Directive::new(
        "disable_recent",
        Kind::Bool,
        "yes",
        "Understood and without effect: `\\Recent` is never shown.",
    ),
    Directive::new(
        "fsstore",
        Kind::Custom,
        "",
        "Obsolete and without effect: use `msg_store fs PATH`.",
    ),
    Directive::new(
        "imap_filter",
        Kind::Custom,
        "",
        "Programs that choose a mailbox and flags for delivered mail: a block as of `imap_filters`, in \
         place, or `&NAME`.",
    )
    .repeat(),
    Directive::new(
        "delivery_create_from",
        Kind::Module("table"),
        "",
        "A table of addresses that get an account, with all default mailboxes, when mail for them comes \
         and they have none yet. Without one, deliveries make no accounts.",
    ),
    Directive::new(
        "delivery_detail",
        Kind::Enum(&Detail::NAMES),
        "off",
        "What `detail` in `user+detail@example.org` does, if nobody has the address as it is: nothing, \
         and there is no such user (`off`); nothing, and `user` gets the mail (`inbox`); it names a \
         mailbox of `user` (`folder`); likewise, and the mailbox is made if it isn't there (`create`). \
         Where there is no such mailbox, mail goes to INBOX.",
    ),
    Directive::new(
        "delivery_separator",
        Kind::Text,
        "+",
        "What stands between user and detail.",
    ),
    Directive::new(
        "quarantine_header",
        Kind::Custom,
        "",
        "A header field that marks junk, and how its value begins, as in `quarantine_header X-Spam-Flag \
         YES`. Such mail is delivered to the mailbox for junk, which is made if it isn't there. The \
         field has to be one that your own MTA sets, and removes from mail that comes in.",
    )
    .repeat(),
    Directive::new(
        "over_quota",
        Kind::Enum(&["reject", "defer"]),
        "reject",
        "Whether mail for a full account is sent back at once, or kept by the MTA to try again.",
    ),
];
