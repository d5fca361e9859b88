//! A mailbox in memory.

use pillarbox_model::{BlobId, Flags, InternalDate, ModSeq, Uid};

/// What STATUS says, without looking at messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Messages.
    pub messages: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Bytes of all messages.
    pub size_bytes: u64,
    /// The UID that the next message will have, at least.
    pub uid_next: u32,
    /// The mod-sequence of the last change.
    pub highest_modseq: ModSeq,
}

/// One message as the index knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its UID.
    pub uid: Uid,
    /// Of its last change.
    pub modseq: ModSeq,
    /// Its flags, by the mailbox's keyword table.
    pub flags: Flags,
    /// INTERNALDATE.
    pub date: InternalDate,
    /// RFC822.SIZE in bytes.
    pub size: u32,
    /// Its bytes.
    pub blob: BlobId,
}

/// A mailbox that is open somewhere in this process.
#[derive(Debug)]
pub struct Mailbox;
/// A session's membership of a mailbox.
#[derive(Debug)]
pub struct Member;
/// A look at a mailbox's rows.
#[derive(Debug)]
pub struct Rows;
