//! Why a store call did not happen.

use std::sync::Arc;

use pillarbox_model::Resource;

/// Why a store call did not happen. There is a variant for every case that a client is told apart
/// (RFC 5530) and one for all others.
///
/// Nothing in here is sent to a client: the session maps a variant to a fixed status line, and logs
/// the error with its sources. Cloned where one failure ends a whole batch.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such account.
    #[error("no such account")]
    NoAccount,
    /// An account of that name exists.
    #[error("the account exists already")]
    AccountExists,
    /// The mailbox does not exist, or not any more.
    #[error("no such mailbox")]
    NoMailbox,
    /// The message does not exist, or not any more.
    #[error("no such message")]
    NoMessage,
    /// The mailbox to copy to does not exist, or not any more.
    #[error("no such target mailbox")]
    NoTarget,
    /// A mailbox of that name exists.
    #[error("the mailbox exists already")]
    MailboxExists,
    /// INBOX can't be deleted.
    #[error("INBOX can't be deleted")]
    Inbox,
    /// A mailbox can't be renamed to a name below itself.
    #[error("a mailbox can't move below itself")]
    IntoItself,
    /// Another mailbox has that special use.
    #[error("another mailbox has that special use")]
    SpecialUseTaken,
    /// The account has as many mailboxes as it may.
    #[error("too many mailboxes")]
    TooManyMailboxes,
    /// The mailbox has as many different keywords as it may.
    #[error("too many keywords")]
    TooManyKeywords,
    /// A mailbox, an account or the server has as many annotations as it may.
    #[error("too many annotations")]
    TooManyAnnotations,
    /// The value of an annotation is larger than [`pillarbox_model::limit::ANNOTATION_BYTES`].
    #[error("the annotation is too large")]
    AnnotationTooLarge,
    /// As many identifiers have rights on the mailbox as may.
    #[error("too many identifiers have rights")]
    TooManyIdentifiers,
    /// More messages than one copy to another account may have.
    #[error("too many messages for another account at once")]
    TooManyMessages,
    /// The mailbox has used up all UIDs.
    #[error("the mailbox has used up its UIDs")]
    UidsExhausted,
    /// The change would take the account over its quota.
    #[error("over the quota: {} is limited to {limit}", resource.name())]
    OverQuota {
        /// What there would be too much of.
        resource: Resource,
        /// How much there may be; of storage, in bytes.
        limit: u64,
    },
    /// The disk is full, or read-only. Nothing has changed; reads go on.
    #[error("no room to write: {0}")]
    Full(#[source] Arc<std::io::Error>),
    /// The engine can't be reached, is busy, or stopped writing after a failed sync; the same call
    /// may work later.
    #[error("storage is unavailable: {0}")]
    Unavailable(Arc<str>),
    /// What is stored contradicts itself. Never caused by a client.
    #[error("storage is corrupt: {0}")]
    Corrupt(Arc<str>),
    /// Any other failure of the engine.
    #[error("storage failed: {0}")]
    Engine(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match error.kind() {
            StorageFull | ReadOnlyFilesystem | QuotaExceeded => Self::Full(Arc::new(error)),
            _ => Self::Engine(Arc::new(error)),
        }
    }
}
