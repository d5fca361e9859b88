//! Why a command was not done, and the one way to the wire.

use std::borrow::Cow;

use pillarbox_model::{NumberSet, Resource, limit};
use pillarbox_proto::imap::encode::{Code, Status};
use pillarbox_proto::imap::notify::Events;
use pillarbox_store as store;

/// Why a command was not done. Handlers return it; only [`Refusal::wire`] knows the words.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The command makes no sense as written, though it parsed (BAD).
    Client(Cow<'static, str>),
    /// The command is not legal in this state (BAD).
    State(&'static str),
    /// The mailbox argument is no name (NO).
    Name(Cow<'static, str>),
    /// Events that can't be told of; those that can are named (RFC 5465 §3.1).
    Events(Events),
    /// More is to be told of than can be (RFC 5465 §3.1).
    Overflow(&'static str),
    /// The mailbox is open read-only.
    ReadOnly,
    /// The user may know of the mailbox, and lacks a right on it (RFC 5530 §3).
    NoPerm,
    /// The mailbox does not exist and CREATE could make it (RFC 3501 §6.3.11).
    TryCreate,
    /// The message is larger than may be appended (RFC 7889 §3).
    TooBig {
        /// What may be appended, in bytes.
        limit_bytes: u64,
    },
    /// A URL that leads nowhere, as far as the client may know (RFC 4469 §4.1).
    BadUrl(Box<[u8]>),
    /// A number of something that has a limit.
    Limit(&'static str),
    /// Messages are named by number, which the client has given up (RFC 9586 §3).
    UidRequired,
    /// More messages than one command may touch, where it does all or nothing (RFC 9738 §3.1).
    MessageLimit {
        /// How many it may.
        limit: u32,
        /// The lowest UID of the newest that it may.
        lowest: Option<u32>,
    },
    /// A batch of fewer messages than one may have (RFC 10022 §3.1.3.2).
    TooFew(&'static str),
    /// More is asked for than is answered at once (RFC 10022 §3.1.5).
    TooMany(&'static str),
    /// A search names a filter that is not there, or names it in a circle (RFC 5466 §3.1).
    UndefinedFilter(Box<str>),
    /// A search with a filter in a charset that filters are not in (RFC 5466 §3.1).
    FilterCharset,
    /// SEARCH in a charset that is not known (RFC 3501 §6.4.4).
    Charset,
    /// A part in an encoding that nobody here knows (RFC 3516 §4.3).
    UnknownEncoding,
    /// No language of those that were asked for is spoken (RFC 5255 §3.2).
    Language,
    /// No comparator of those that were asked for is known (RFC 5255 §4.9).
    Comparator,
    /// The name is no mailbox, and there are some below it (RFC 9051 §6.3.5).
    HasChildren,
    /// There is no message with that UID.
    NoMessage,
    /// The connection is compressed already.
    CompressionActive,
    /// A special use that can't be given (RFC 6154 §3).
    UseAttribute,
    /// What is asked can never be done.
    Cannot(&'static str),
    /// What is named is not there, or must look so (RFC 5530 §3).
    NotThere(&'static str),
    /// Messages of the command were expunged by another session (RFC 5530 §3).
    ExpungeIssued,
    /// Messages of a conditional STORE were expunged, and these were changed, by another session (RFC 7162
    /// §3.1.3, example 11).
    Modified(NumberSet),
    /// A login failed. One text for all reasons.
    Credentials,
    /// A login failed because whoever knows the passwords can't be reached.
    AuthUnavailable,
    /// Credentials in clear are not taken here (RFC 5530 §3).
    PrivacyRequired,
    /// Something that has to be asked can't be reached.
    Unavailable,
    /// A mechanism that is not offered.
    Mechanism,
    /// The store refused or failed.
    Store(store::Error),
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// What a refusal looks like on the wire.
pub(crate) struct Wire<'a> {
    pub(crate) status: Status,
    pub(crate) code: Option<Code<'a>>,
    pub(crate) text: Cow<'static, str>,
}

fn no(code: Code<'_>, text: impl Into<Cow<'static, str>>) -> Wire<'_> {
    Wire {
        status: Status::No,
        code: Some(code),
        text: text.into(),
    }
}

fn bad(code: Option<Code<'_>>, text: impl Into<Cow<'static, str>>) -> Wire<'_> {
    Wire {
        status: Status::Bad,
        code,
        text: text.into(),
    }
}

impl Refusal {
    /// The status line after the tag. Text for people, which tells nothing about the inside.
    pub(crate) fn wire(&self) -> Wire<'_> {
        match self {
            Self::Client(text) => bad(Some(Code::ClientBug), text.clone()),
            Self::State(text) => bad(None, *text),
            Self::Name(text) => no(Code::Cannot, text.clone()),
            Self::Events(known) => no(Code::BadEvent(*known), "Unsupported event"),
            Self::Overflow(text) => no(Code::NotificationOverflow, *text),
            Self::ReadOnly => bad(None, "The mailbox is open read-only").into_no(),
            Self::NoPerm => no(Code::NoPerm, "Permission denied"),
            Self::TryCreate => no(Code::TryCreate, "No such mailbox"),
            Self::TooBig { limit_bytes } => no(
                Code::TooBig,
                format!("The message is larger than the limit of {limit_bytes} bytes"),
            ),
            Self::BadUrl(url) => no(Code::BadUrl(url), "The URL leads to no message or part"),
            Self::Limit(text) => no(Code::Limit, *text),
            Self::UidRequired => bad(
                Some(Code::UidRequired),
                "UIDONLY is enabled: name messages by UID",
            ),
            Self::MessageLimit { limit, lowest } => no(
                Code::MessageLimit {
                    limit: *limit,
                    lowest: *lowest,
                },
                "Too many messages for one command, nothing was done",
            ),
            Self::TooFew(text) => no(Code::TooFew, *text),
            Self::TooMany(text) => no(Code::TooMany, *text),
            Self::UndefinedFilter(name) => {
                no(Code::UndefinedFilter(name), "There is no such filter")
            }
            Self::FilterCharset => bad(
                Some(Code::BadCharset(&["US-ASCII", "UTF-8"])),
                "Filters are in UTF-8",
            ),
            Self::Charset => no(
                Code::BadCharset(&["US-ASCII", "UTF-8"]),
                "The charset is not known",
            ),
            Self::NoMessage => no(Code::NonExistent, "No message has that UID"),
            Self::CompressionActive => no(Code::CompressionActive, "DEFLATE is active already"),
            Self::UnknownEncoding => no(
                Code::UnknownCte,
                "A part has an unknown content transfer encoding",
            ),
            Self::Language => bad(None, "None of these languages is spoken here").into_no(),
            Self::Comparator => no(Code::BadComparator, "None of these comparators is known"),
            Self::HasChildren => no(Code::HasChildren, "There are mailboxes below that name"),
            Self::UseAttribute => no(Code::UseAttr, "That special use can't be given"),
            Self::Cannot(text) => no(Code::Cannot, *text),
            Self::NotThere(text) => no(Code::NonExistent, *text),
            Self::ExpungeIssued => no(Code::ExpungeIssued, "Some of the messages no longer exist"),
            Self::Modified(numbers) => no(
                Code::Modified(numbers),
                "Some of the messages no longer exist",
            ),
            Self::Credentials => no(Code::AuthenticationFailed, "Invalid user name or password"),
            Self::AuthUnavailable => no(
                Code::Unavailable,
                "Can't check passwords just now, try again later",
            ),
            Self::PrivacyRequired => no(
                Code::PrivacyRequired,
                "Use TLS first: passwords are not taken in clear",
            ),
            Self::Unavailable => no(Code::Unavailable, "Not available just now, try again later"),
            Self::Mechanism => no(Code::Cannot, "Unsupported authentication mechanism"),
            Self::Store(error) => of_store(error),
        }
    }

    /// Whether the administrator should hear of it.
    pub(crate) fn is_failure(&self) -> bool {
        use store::Error::{Corrupt, Engine, Full, Unavailable};
        matches!(
            self,
            Self::Store(Corrupt(_) | Engine(_) | Full(_) | Unavailable(_))
        )
    }
}

impl Wire<'_> {
    fn into_no(self) -> Self {
        Self {
            status: Status::No,
            ..self
        }
    }
}

/// The store's refusals (RFC 5530 §3).
fn of_store(error: &store::Error) -> Wire<'static> {
    use store::Error as E;
    match error {
        E::NoMailbox | E::NoAccount => no(Code::NonExistent, "No such mailbox"),
        E::NoTarget => no(Code::TryCreate, "No such mailbox"),
        E::MailboxExists | E::AccountExists => {
            no(Code::AlreadyExists, "A mailbox of that name exists already")
        }
        E::Inbox => no(Code::Cannot, "INBOX can't be deleted"),
        E::IntoItself => no(Code::Cannot, "A mailbox can't move below itself"),
        E::SpecialUseTaken => no(Code::UseAttr, "Another mailbox has that special use"),
        E::TooManyMailboxes => no(Code::Limit, "The account has as many mailboxes as it may"),
        E::TooManyIdentifiers => no(
            Code::Limit,
            "As many identifiers have rights on the mailbox as may",
        ),
        E::TooManyMessages => no(Code::Limit, "Too many messages for another account at once"),
        E::TooManyKeywords => no(Code::Limit, "The mailbox has as many keywords as it may"),
        E::TooManyAnnotations => no(
            Code::MetadataTooMany,
            "There are as many annotations as may be",
        ),
        E::AnnotationTooLarge => no(
            Code::MetadataMaxSize(limit::ANNOTATION_BYTES as u64),
            "The value is too large",
        ),
        E::UidsExhausted => no(
            Code::Limit,
            "The mailbox has used up its UIDs: make a new one",
        ),
        E::OverQuota { resource, .. } => no(Code::OverQuota, over_quota(*resource)),
        E::Full(_) => no(Code::Unavailable, "The server has no room to write"),
        E::Unavailable(_) => no(Code::Unavailable, "Storage is unavailable, try again later"),
        E::Corrupt(_) => no(Code::Corruption, "The mailbox is damaged"),
        _ => no(Code::ServerBug, "Internal error, see the server's log"),
    }
}

const fn over_quota(resource: Resource) -> &'static str {
    match resource {
        Resource::Storage => "The account has no room for this",
        Resource::Message => "The account has as many messages as it may",
        Resource::Mailbox => "The account has as many mailboxes as it may",
    }
}

impl std::fmt::Display for Refusal {
    /// For the log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            other => f.write_str(&other.wire().text),
        }
    }
}
