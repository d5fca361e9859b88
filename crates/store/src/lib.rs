//! What storage engines promise, and the engines.
//!
//! A [`Store`] keeps accounts, mailboxes and the metadata of messages; [`Blobs`] keeps their bytes.
//! What is open is held in memory as a [`Mailbox`], which all sessions of this process share.

mod annotation;
mod blob;
pub mod blobs;
mod error;
mod feed;
mod lock;
mod mailbox;
mod quota;
pub mod sqlite;
#[cfg(any(test, feature = "suite"))]
pub mod suite;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use pillarbox_model::{
    AccountId, Acl, EntryName, Flag, InternalDate, MailboxId, MailboxName, ModSeq, NumberSet,
    PerResource, Rights, RightsChange, SpecialUse, Uid, UidValidity,
};

pub use annotation::{Annotation, AnnotationChange, AnnotationChanges, Wanted};
pub use blob::{About, BlobWriter, Blobs, Location, NewBlob, Reservation, Written};
pub use error::Error;
pub use feed::{Feed, News};
pub use mailbox::{Counters, Mailbox, Member, Row, Rows};
pub use quota::{Limit, Quota};

/// The future of a store call. Boxed, so that `dyn Store` works and sessions compile once.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Makes what is kept of a message to answer from, of its bytes.
pub type Digester = fn(&[u8]) -> Digested;

/// A storage engine: accounts, mailboxes, message metadata and their changes.
///
/// Every method that changes something is one transaction: it happens whole or not at all, and what
/// it returned `Ok` for survives a power cut. Changes of one mailbox take mod-sequences in commit
/// order, and are in the shared [`Mailbox`] before the call returns. No method is called once per
/// message.
pub trait Store: Send + Sync {
    // Accounts.

    /// The account of that name, which is compared as is: callers normalise.
    fn account<'a>(&'a self, name: &'a str) -> Reply<'a, Option<Account>>;

    /// Makes an account with INBOX and these further mailboxes, all subscribed.
    ///
    /// # Errors
    /// [`Error::AccountExists`]; nothing has changed. Two callers at once: one wins, one is told.
    fn create_account<'a>(
        &'a self,
        name: &'a str,
        mailboxes: &'a [(MailboxName, Option<SpecialUse>)],
    ) -> Reply<'a, Account>;

    /// All accounts, in order of creation.
    fn accounts(&self) -> Reply<'_, Vec<Account>>;

    /// Removes an account with all its mail. Sessions that have its mailboxes open see them
    /// deleted.
    ///
    /// # Errors
    /// [`Error::NoAccount`].
    fn remove_account(&self, account: AccountId) -> Reply<'_, ()>;

    /// Sets an account's own limit on the size of an appended message; `None` goes back to the
    /// default.
    ///
    /// # Errors
    /// [`Error::NoAccount`].
    fn set_append_limit(&self, account: AccountId, bytes: Option<u64>) -> Reply<'_, ()>;

    /// What an account has and may have. Usage is in the account's row, mailboxes aside, which are
    /// counted.
    ///
    /// # Errors
    /// [`Error::NoAccount`].
    fn quota(&self, account: AccountId) -> Reply<'_, Quota>;

    /// Sets what an account may have. What it has beyond that stays; it gets no more.
    ///
    /// # Errors
    /// [`Error::NoAccount`].
    fn set_quota(&self, account: AccountId, limits: PerResource<Limit>) -> Reply<'_, ()>;

    /// From now on this is what accounts may have that have no limit of their own. Not stored: it is
    /// said again after each opening. Before, there are no limits.
    fn set_default_quota(&self, limits: PerResource<Option<u64>>);

    // Mailboxes.

    /// All mailboxes of an account with their counters, in order of names. Counters are rows, never
    /// counted: the cost is one row a mailbox.
    fn mailboxes(&self, account: AccountId) -> Reply<'_, Vec<MailboxInfo>>;

    /// One mailbox by name. One row read.
    fn mailbox<'a>(
        &'a self,
        account: AccountId,
        name: &'a MailboxName,
    ) -> Reply<'a, Option<MailboxInfo>>;

    /// As [`Store::mailbox`], of an account by its name: one query, whether or not there is such an account.
    fn mailbox_of<'a>(
        &'a self,
        owner: &'a str,
        name: &'a MailboxName,
    ) -> Reply<'a, Option<MailboxInfo>>;

    /// The mailboxes of other accounts in whose lists of rights one of these identifiers stands. One
    /// query for all.
    fn shared_with<'a>(
        &'a self,
        account: AccountId,
        identifiers: &'a [&'a str],
    ) -> Reply<'a, Vec<Shared>>;

    /// Changes the rights of an identifier, which the caller has normalised, and returns the list as it
    /// is then. Sessions that have the mailbox open are woken.
    ///
    /// An identifier without rights leaves the list. The owner's name stands in it unless the owner has
    /// all rights, and what is added to or taken away are all rights if it does not.
    ///
    /// # Errors
    /// [`Error::NoMailbox`]; [`Error::TooManyIdentifiers`]. Nothing has changed.
    fn set_rights<'a>(
        &'a self,
        mailbox: MailboxId,
        identifier: &'a str,
        change: RightsChange,
    ) -> Reply<'a, Acl>;

    /// The names an account subscribed to, in order; there need be no mailbox of that name (RFC
    /// 3501 §6.3.6).
    fn subscriptions(&self, account: AccountId) -> Reply<'_, Vec<MailboxName>>;

    /// Subscribes or unsubscribes a name. Saying what is already so is no error.
    fn subscribe<'a>(
        &'a self,
        account: AccountId,
        name: &'a MailboxName,
        subscribed: bool,
    ) -> Reply<'a, ()>;

    /// Makes a mailbox and those above it that are missing, and subscribes to the ones made. They have
    /// the rights of the nearest mailbox above that there was (RFC 4314 §4). UIDVALIDITY is above any
    /// that the account ever had.
    ///
    /// # Errors
    /// [`Error::MailboxExists`]; [`Error::TooManyMailboxes`]; [`Error::OverQuota`];
    /// [`Error::SpecialUseTaken`] if another mailbox has that use. Nothing has changed.
    fn create_mailbox<'a>(
        &'a self,
        account: AccountId,
        name: &'a MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Reply<'a, MailboxInfo>;

    /// Deletes a mailbox with its messages; those below it stay (RFC 3501 §6.3.4). Its subscription
    /// stays. Sessions that have it open see it deleted.
    ///
    /// # Errors
    /// [`Error::NoMailbox`]; [`Error::Inbox`] for INBOX.
    fn delete_mailbox(&self, mailbox: MailboxId) -> Reply<'_, ()>;

    /// Renames a mailbox and all below it, making what is missing above the new name. Ids, UIDs,
    /// UIDVALIDITY and subscriptions go along. INBOX is not renamed: its messages move to a new
    /// mailbox of that name, and what is below it stays (RFC 3501 §6.3.5).
    ///
    /// # Errors
    /// [`Error::NoMailbox`]; [`Error::MailboxExists`] if one of the new names is taken;
    /// [`Error::IntoItself`] if the new name lies below the old one; [`Error::OverQuota`] if mailboxes
    /// had to be made for it. Nothing has changed.
    fn rename_mailbox<'a>(
        &'a self,
        account: AccountId,
        from: &'a MailboxName,
        to: &'a MailboxName,
    ) -> Reply<'a, ()>;

    /// The mailbox in memory, loaded if nobody has it open.
    ///
    /// # Errors
    /// [`Error::NoMailbox`].
    fn open(&self, mailbox: MailboxId) -> Reply<'_, Arc<Mailbox>>;

    /// Brings an open mailbox up to date with what other nodes did. An engine with one process has
    /// nothing to do.
    fn refresh<'a>(&'a self, _mailbox: &'a Mailbox) -> Reply<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    // Annotations (RFC 5464).

    /// The annotations of each of these mailboxes (`None` is the server) that a user sees: shared ones and
    /// the user's own, by name. Whether the user may look at the mailbox is the caller's business. One
    /// look at the database for all; of a mailbox that is not there, none.
    fn annotations<'a>(
        &'a self,
        user: AccountId,
        of: &'a [Option<MailboxId>],
        wanted: &'a Wanted,
    ) -> Reply<'a, Vec<Vec<Annotation>>>;

    /// Sets annotations of a mailbox, or of the server, or removes those without a value; all or none.
    /// `origin` is what [`AnnotationChange`] says of who did it.
    ///
    /// # Errors
    /// [`Error::NoMailbox`], [`Error::TooManyAnnotations`], [`Error::AnnotationTooLarge`]; nothing has
    /// changed.
    fn annotate(
        &self,
        mailbox: Option<MailboxId>,
        user: AccountId,
        values: Vec<(EntryName, Option<Bytes>)>,
        origin: u64,
    ) -> Reply<'_, ()>;

    /// What became of annotations lately.
    fn annotation_changes(&self) -> &AnnotationChanges;

    /// Watches an account: whoever holds the feed learns of every change that is made from now on, of
    /// any of its mailboxes and of their names.
    fn watch(&self, account: AccountId) -> Feed;

    // Messages.

    /// Adds messages, all or none, with ascending UIDs in the order given and one mod-sequence.
    ///
    /// # Errors
    /// [`Error::NoMailbox`], [`Error::TooManyKeywords`], [`Error::UidsExhausted`],
    /// [`Error::OverQuota`], [`Error::Full`] (the disk; reads go on). Nothing has changed.
    fn append(&self, mailbox: MailboxId, messages: Vec<NewMessage>) -> Reply<'_, Appended>;

    /// Adds messages to several mailboxes at once, all or none: one delivery to many recipients.
    ///
    /// # Errors
    /// As [`Store::append`].
    fn deliver(&self, deliveries: Vec<(MailboxId, Vec<NewMessage>)>) -> Reply<'_, Vec<Appended>>;

    /// Starts a message whose bytes come in pieces; what it makes goes into a [`NewMessage`].
    /// Dropped, it leaves nothing behind.
    fn begin_blob(&self, about: About, size_bytes: u64) -> Reply<'_, Box<dyn BlobWriter>>;

    /// Changes flags of those of `uids` that exist. Messages whose flags already are so are left
    /// alone and keep their mod-sequence.
    ///
    /// With `unchanged_since`, messages whose mod-sequence is above it are left alone and reported
    /// (RFC 7162 §3.1.3).
    ///
    /// # Errors
    /// [`Error::NoMailbox`], [`Error::TooManyKeywords`]; nothing has changed.
    fn set_flags<'a>(
        &'a self,
        mailbox: MailboxId,
        uids: &'a NumberSet,
        action: FlagAction,
        flags: &'a [Flag],
        unchanged_since: Option<ModSeq>,
    ) -> Reply<'a, FlagsSet>;

    /// Removes messages that carry `\Deleted` for good, and says which ones. `among` narrows it to
    /// those UIDs (RFC 4315 §2.1); UIDs that are not there are passed over.
    ///
    /// # Errors
    /// [`Error::NoMailbox`]; nothing has changed.
    fn expunge<'a>(
        &'a self,
        mailbox: MailboxId,
        among: Option<&'a NumberSet>,
    ) -> Reply<'a, Expunged>;

    /// Removes messages whether they carry `\Deleted` or not (for administrators).
    ///
    /// # Errors
    /// As [`Store::expunge`].
    fn remove<'a>(&'a self, mailbox: MailboxId, uids: &'a NumberSet) -> Reply<'a, Expunged>;

    /// Which of the UIDs `among` were expunged after `modseq` (RFC 7162 §3.2.6), as far back as is
    /// remembered. One query, of a bounded number of rows.
    ///
    /// # Errors
    /// [`Error::NoMailbox`].
    fn expunged_since<'a>(
        &'a self,
        mailbox: MailboxId,
        modseq: ModSeq,
        among: &'a NumberSet,
    ) -> Reply<'a, Vanished>;

    /// Copies messages with flags and dates, without copying bytes; with `remove`, moves them in
    /// the same transaction (RFC 6851). UIDs that are not there are passed over. Source and target
    /// may be the same, and of different accounts: then bytes are copied too. Of the flags those are kept
    /// that the rights `keep` are for.
    ///
    /// # Errors
    /// [`Error::NoMailbox`] for the source, [`Error::NoTarget`] for the target,
    /// [`Error::TooManyMessages`] for another account at once, [`Error::TooManyKeywords`],
    /// [`Error::OverQuota`], which moving within an account never gives; nothing has changed.
    fn copy<'a>(
        &'a self,
        from: MailboxId,
        uids: &'a NumberSet,
        to: MailboxId,
        remove: bool,
        keep: Rights,
    ) -> Reply<'a, Copied>;

    /// Adds a message to one mailbox and removes another from the same or another one, both or
    /// neither (RFC 8508). Only what the account has more than before counts against its quota.
    ///
    /// # Errors
    /// [`Error::NoMessage`] if there is nothing to remove; [`Error::NoMailbox`] for the source,
    /// [`Error::NoTarget`] for the target; otherwise as [`Store::append`]. Nothing has changed.
    fn replace(
        &self,
        from: MailboxId,
        uid: Uid,
        to: MailboxId,
        message: NewMessage,
    ) -> Reply<'_, Appended>;

    /// What is known of those of `uids` that exist, by UID. One query for each range.
    fn facts<'a>(&'a self, mailbox: MailboxId, uids: &'a NumberSet)
    -> Reply<'a, Vec<(Uid, Facts)>>;

    /// What is stored of these messages, in the order given. The rows need not exist any more if
    /// they were expunged within the grace period. One query for all.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a blob has no row.
    fn contents<'a>(&'a self, rows: &'a [Row], digests: bool) -> Reply<'a, Vec<Content>>;

    /// The bytes of a blob, or some of them. Without copying where the engine can.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if they are missing or damaged.
    fn read<'a>(&'a self, location: &'a Location) -> Reply<'a, Bytes>;

    /// Replaces digests that were made by an older version, or are missing. Those of blobs that are
    /// gone are passed over.
    fn redigest(&self, digests: Vec<(pillarbox_model::BlobId, Bytes)>) -> Reply<'_, ()>;

    // Care.

    /// Writes a consistent copy into an empty directory while the store is in use.
    ///
    /// # Errors
    /// [`Error::Engine`] with the path; the copy may be incomplete, the store is untouched.
    fn backup<'a>(&'a self, directory: &'a std::path::Path) -> Reply<'a, ()>;

    /// Compares rows, counters, blobs and checksums. Reads all bytes once.
    ///
    /// With `repair`, mends what can be mended without losing a message: counters are recomputed,
    /// digests made anew, and messages found only among the blobs come back, in a mailbox
    /// "Recovered", unless the account has an equal one. If the database was lost as a whole, they
    /// come back in accounts named by their numbers, in a mailbox below "Recovered" for each that
    /// there was.
    fn check(&self, repair: Option<Digester>) -> Reply<'_, Vec<Finding>>;

    /// Removes bytes that no message names and whose grace period is over; compacts. Returns the
    /// bytes freed.
    fn reap(&self) -> Reply<'_, u64>;
}

/// An account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Never reused.
    pub id: AccountId,
    /// As created.
    pub name: Box<str>,
    /// Its own limit on an appended message, in bytes.
    pub append_limit: Option<u64>,
}

/// A mailbox as LIST and STATUS see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailboxInfo {
    /// Survives renames.
    pub id: MailboxId,
    /// Whose it is.
    pub account: AccountId,
    /// Its name.
    pub name: MailboxName,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// Whether it is subscribed.
    pub subscribed: bool,
    /// Its UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// What is in it.
    pub counters: Counters,
    /// Who may do what with it, its owner aside.
    pub acl: Acl,
}

/// A mailbox of another account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shared {
    /// The name of the account whose it is.
    pub owner: Box<str>,
    /// The mailbox, under the name that it has there.
    pub mailbox: MailboxInfo,
}

/// A message to be added.
#[derive(Debug)]
pub struct NewMessage {
    /// Its flags; new keywords enter the mailbox's table.
    pub flags: Vec<Flag>,
    /// INTERNALDATE.
    pub date: InternalDate,
    /// What is kept of it to answer from; opaque to the store.
    pub digest: Bytes,
    /// What it has to do with other messages.
    pub links: Links,
    /// Its bytes.
    pub blob: NewBlob,
}

/// What is worked out of a message's bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Digested {
    /// What is kept of it to answer from.
    pub digest: Bytes,
    /// What it has to do with other messages.
    pub links: Links,
}

/// What makes messages of an account a thread: identifiers, as hashes that are the same whenever the
/// identifiers are, and the subject, under which alone they count.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Links {
    /// Its own identifier.
    pub own: Option<u64>,
    /// Those it refers to, the nearest ancestor last.
    pub references: Vec<u64>,
    /// Its base subject (RFC 5256 §2.1).
    pub subject: u64,
}

/// What is known of a message and not held in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// The same for all copies of the message, and for no other of the store (RFC 8474 §5.1).
    pub email: u64,
    /// The same for all messages of its thread; never changes (RFC 8474 §5.2).
    pub thread: Option<u64>,
    /// When it came into its mailbox, in seconds since 1970 (RFC 8514 §3).
    pub saved: i64,
}

/// What an append gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Of the mailbox.
    pub uid_validity: UidValidity,
    /// Of the messages, in their order.
    pub uids: Vec<Uid>,
    /// Of the change.
    pub modseq: ModSeq,
}

/// What to do with flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlagAction {
    /// These and no others.
    Replace,
    /// Likewise, of the flags that these rights are for; others stay as they are.
    ReplaceAmong(Rights),
    /// These too.
    Add,
    /// These no more.
    Remove,
}

/// What a change of flags did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FlagsSet {
    /// Messages whose flags are different now.
    pub changed: NumberSet,
    /// Messages that had changed since the client looked, and were left alone.
    pub modified: NumberSet,
    /// The mod-sequence of the change, or the mailbox's highest if nothing changed.
    pub modseq: ModSeq,
    /// The newest mod-sequence that one of the changed messages had before; 0 if nothing changed. Whoever
    /// was told up to here knows all that the change was made on.
    pub newest_before: ModSeq,
}

/// What an expunge removed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expunged {
    /// Which messages.
    pub uids: NumberSet,
    /// The mod-sequence of the change, or the mailbox's highest if nothing was removed.
    pub modseq: ModSeq,
}

/// What is remembered of expunges.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Vanished {
    /// Which messages.
    pub uids: NumberSet,
    /// Whether these are all. Expunges are remembered up to a number of ranges of UIDs for each
    /// mailbox; whoever asks from further back learns what is gone by comparing what it knows with
    /// what there is.
    pub complete: bool,
}

/// What a copy made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copied {
    /// Of the target.
    pub uid_validity: UidValidity,
    /// The messages copied.
    pub from: NumberSet,
    /// Their UIDs in the target: as many, and in the same order.
    pub to: NumberSet,
    /// The mod-sequence of the target.
    pub modseq: ModSeq,
}

/// What is stored of a message.
#[derive(Clone, Debug)]
pub struct Content {
    /// Where its bytes are.
    pub location: Location,
    /// What is kept to answer from; empty if not asked for.
    pub digest: Bytes,
}

/// Something that a check found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What it is about: account, mailbox, UID or file.
    pub subject: String,
    /// What is wrong with it.
    pub problem: String,
    /// Whether it was mended.
    pub repaired: bool,
}
