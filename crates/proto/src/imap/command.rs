//! Commands as values. Texts borrow the command's frame where the wire form allows.

mod fetch;
mod search;

use std::borrow::Cow;

use pillarbox_model::{
    Bound, Depth, EntryName, Flag, InternalDate, Resource, RightsChange, SequenceSet, SpecialUse,
};

pub use super::arrange::{PartialRange, SortCriterion, SortKey, ThreadAlgorithm};
use super::notify::{EventGroup, MailboxFilter, NotifySet};

pub use fetch::*;
pub use search::*;

/// Bytes of an `astring`, `string` or `atom`: borrowed unless a quoted string had escapes.
pub type Bytes<'a> = Cow<'a, [u8]>;

/// A command with the tag that its completion will carry.
#[derive(Clone, PartialEq, Debug)]
pub struct Tagged<'a> {
    /// The client's tag, which is printable ASCII.
    pub tag: &'a str,
    /// What it asks for.
    pub command: Command<'a>,
}

/// A command (RFC 3501 §6 and extensions). Mailbox arguments are raw bytes: what they mean depends
/// on the session (modified UTF-7 or UTF-8).
#[derive(Clone, PartialEq, Debug)]
pub enum Command<'a> {
    // Any state.
    /// CAPABILITY.
    Capability,
    /// NOOP.
    Noop,
    /// LOGOUT.
    Logout,
    /// ID (RFC 2971): field-value pairs; empty for NIL. A value of `None` is NIL.
    Id(Vec<(Bytes<'a>, Option<Bytes<'a>>)>),

    /// LANGUAGE (RFC 5255 §3.2): the ranges asked for, the most wanted first; none asks for a list.
    Language(Vec<Bytes<'a>>),

    // Not authenticated.
    /// STARTTLS.
    StartTls,
    /// AUTHENTICATE.
    Authenticate {
        /// In the client's spelling.
        mechanism: &'a str,
        /// The initial response (RFC 4959), decoded from base64; `=` is empty.
        initial: Option<Vec<u8>>,
    },
    /// LOGIN.
    Login {
        /// As typed.
        user: Bytes<'a>,
        /// As typed. Never to be logged.
        password: Bytes<'a>,
    },

    // Authenticated.
    /// ENABLE (RFC 5161).
    Enable(Vec<&'a str>),
    /// SELECT and EXAMINE.
    Select {
        /// Which one.
        mailbox: Bytes<'a>,
        /// EXAMINE.
        read_only: bool,
        /// `(CONDSTORE)` and the like.
        parameters: Vec<SelectParameter>,
    },
    /// CREATE.
    Create {
        /// The new name.
        mailbox: Bytes<'a>,
        /// `USE (…)` (RFC 6154 §3): attributes as written that are known; an unknown one is `None`.
        special_use: Vec<Option<SpecialUse>>,
    },
    /// DELETE.
    Delete(Bytes<'a>),
    /// RENAME.
    Rename {
        /// The old name.
        from: Bytes<'a>,
        /// The new name.
        to: Bytes<'a>,
    },
    /// SUBSCRIBE.
    Subscribe(Bytes<'a>),
    /// UNSUBSCRIBE.
    Unsubscribe(Bytes<'a>),
    /// LIST, also in its extended form (RFC 5258).
    List(List<'a>),
    /// LSUB.
    Lsub {
        /// The reference name.
        reference: Bytes<'a>,
        /// The pattern.
        pattern: Bytes<'a>,
    },
    /// NAMESPACE (RFC 2342).
    Namespace,
    /// SETACL (RFC 4314 §3.1).
    SetAcl {
        /// Of which mailbox.
        mailbox: Bytes<'a>,
        /// Whose rights, as written.
        identifier: Bytes<'a>,
        /// What becomes of them.
        change: RightsChange,
    },
    /// DELETEACL (RFC 4314 §3.2).
    DeleteAcl {
        /// Of which mailbox.
        mailbox: Bytes<'a>,
        /// Whose rights, as written.
        identifier: Bytes<'a>,
    },
    /// GETACL (RFC 4314 §3.3).
    GetAcl(Bytes<'a>),
    /// LISTRIGHTS (RFC 4314 §3.4).
    ListRights {
        /// Of which mailbox.
        mailbox: Bytes<'a>,
        /// Whose rights, as written.
        identifier: Bytes<'a>,
    },
    /// MYRIGHTS (RFC 4314 §3.5).
    MyRights(Bytes<'a>),
    /// COMPARATOR (RFC 5255 §4.7): the comparators asked for, the most wanted first; none asks for
    /// the one in use.
    Comparator(Vec<Bytes<'a>>),
    /// STATUS.
    Status {
        /// Which one.
        mailbox: Bytes<'a>,
        /// What is asked, without repetition.
        items: Vec<StatusItem>,
    },
    /// GETMETADATA (RFC 5464 §4.2).
    GetMetadata(GetMetadata<'a>),
    /// SETMETADATA (RFC 5464 §4.3).
    SetMetadata {
        /// Of which mailbox; empty for the server.
        mailbox: Bytes<'a>,
        /// Entries with what they are set to; `None` removes.
        values: Vec<(EntryName, Option<Bytes<'a>>)>,
    },
    /// GETQUOTA (RFC 9208 §4.1.1): of a quota root.
    GetQuota(Bytes<'a>),
    /// GETQUOTAROOT (RFC 9208 §4.1.2): of a mailbox.
    GetQuotaRoot(Bytes<'a>),
    /// SETQUOTA (RFC 9208 §4.1.3).
    SetQuota {
        /// Of which quota root.
        root: Bytes<'a>,
        /// All its limits from now on; of storage, in units of 1,024 bytes. `None` is a resource that
        /// is not known.
        limits: Vec<(Option<Resource>, u64)>,
    },
    /// APPEND, also of several messages (RFC 3502).
    Append {
        /// Where to.
        mailbox: Bytes<'a>,
        /// The messages; their literals went by in the order of this list.
        messages: Vec<AppendMessage<'a>>,
    },
    /// NOTIFY SET, or NOTIFY NONE (RFC 5465).
    Notify(Option<NotifySet<'a>>),
    /// ESEARCH (RFC 7377).
    Esearch {
        /// In which mailboxes; the selected one if nothing was said.
        sources: Vec<MailboxFilter<'a>>,
        /// What and how.
        search: Search<'a>,
    },
    /// REPLACE and UID REPLACE (RFC 8508 §3).
    Replace {
        /// UID REPLACE.
        uid: bool,
        /// Which message; `*` is the last.
        number: Bound,
        /// Where the new one goes.
        mailbox: Bytes<'a>,
        /// The new one; its literal went by.
        message: AppendMessage<'a>,
    },
    /// COMPRESS (RFC 4978 §3): the mechanism, in the client's spelling.
    Compress(&'a str),
    /// UNAUTHENTICATE (RFC 8437 §3).
    Unauthenticate,
    /// IDLE (RFC 2177). DONE is not a command: see the connection machine.
    Idle,

    // Selected.
    /// CHECK.
    Check,
    /// CLOSE.
    Close,
    /// UNSELECT (RFC 3691).
    Unselect,
    /// EXPUNGE; with UIDs, UID EXPUNGE (RFC 4315 §2.1).
    Expunge(Option<SequenceSet>),
    /// SEARCH and UID SEARCH.
    Search {
        /// UID SEARCH.
        uid: bool,
        /// What and how.
        search: Search<'a>,
    },
    /// SORT and UID SORT (RFC 5256 §3).
    Sort {
        /// UID SORT.
        uid: bool,
        /// In which order: one key or more, the weightiest first.
        criteria: Vec<SortCriterion>,
        /// What and how.
        search: Search<'a>,
    },
    /// THREAD and UID THREAD (RFC 5256 §3).
    Thread {
        /// UID THREAD.
        uid: bool,
        /// How messages are put together.
        algorithm: ThreadAlgorithm,
        /// What and how.
        search: Search<'a>,
    },
    /// CANCELUPDATE (RFC 5267 §4.3.5): the tags of searches whose result is no longer followed.
    CancelUpdate(Vec<Bytes<'a>>),
    /// UIDBATCHES (RFC 10022).
    UidBatches {
        /// Messages in each batch.
        size: u32,
        /// The first and the last batch that is asked for, counted from 1; all if absent.
        range: Option<(u32, u32)>,
    },
    /// FETCH and UID FETCH.
    Fetch {
        /// UID FETCH.
        uid: bool,
        /// Of which messages.
        set: SequenceSet,
        /// What, in the client's order; macros are expanded.
        items: Vec<FetchItem<'a>>,
        /// `CHANGEDSINCE` and the like (RFC 7162 §3.1.4).
        modifiers: Vec<FetchModifier>,
    },
    /// STORE and UID STORE.
    Store {
        /// UID STORE.
        uid: bool,
        /// Of which messages.
        set: SequenceSet,
        /// `UNCHANGEDSINCE` (RFC 7162 §3.1.3).
        unchanged_since: Option<u64>,
        /// What to do with `flags`.
        action: StoreAction,
        /// `.SILENT`.
        silent: bool,
        /// The flags that can be stored; `\Recent` and unknown system flags are left out.
        flags: Vec<Flag>,
        /// Whether a flag was named that can't be stored.
        unknown_flag: bool,
    },
    /// COPY, UID COPY, MOVE and UID MOVE (RFC 6851).
    Copy {
        /// By UID.
        uid: bool,
        /// MOVE.
        remove: bool,
        /// Of which messages.
        set: SequenceSet,
        /// Where to.
        mailbox: Bytes<'a>,
    },
}

/// A parameter of SELECT and EXAMINE (RFC 4466 §2.1).
#[derive(Clone, PartialEq, Debug)]
pub enum SelectParameter {
    /// `CONDSTORE` (RFC 7162 §3.1.8).
    CondStore,
    /// `QRESYNC` (RFC 7162 §3.2.5).
    QResync {
        /// The UIDVALIDITY that the client knows.
        uid_validity: u32,
        /// The mod-sequence that it knows.
        modseq: u64,
        /// The UIDs it knows of, where it said so.
        known_uids: Option<SequenceSet>,
        /// Pairs of numbers and UIDs that match, where it said so.
        seq_match: Option<(SequenceSet, SequenceSet)>,
    },
}

/// GETMETADATA (RFC 5464 §4.2).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct GetMetadata<'a> {
    /// Of which mailbox; empty for the server.
    pub mailbox: Bytes<'a>,
    /// Which entries.
    pub entries: Vec<EntryName>,
    /// `DEPTH`: and so far below them.
    pub depth: Depth,
    /// `MAXSIZE`: no values of more bytes.
    pub max_size: Option<u64>,
}

/// LIST (RFC 5258 §3). The plain form has one pattern and no options.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct List<'a> {
    /// Selection options.
    pub select: ListSelect,
    /// The reference name.
    pub reference: Bytes<'a>,
    /// One or more patterns.
    pub patterns: Vec<Bytes<'a>>,
    /// Return options.
    pub returns: ListReturn,
    /// Whether any option, several patterns or RETURN was written (RFC 5258 §3: extended form).
    pub extended: bool,
    /// XLIST: the answer has that name too, and attributes from before RFC 6154.
    pub xlist: bool,
}

/// Which mailboxes LIST is to name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ListSelect {
    /// `SUBSCRIBED`.
    pub subscribed: bool,
    /// `REMOTE`: we have none.
    pub remote: bool,
    /// `RECURSIVEMATCH`.
    pub recursive_match: bool,
    /// `SPECIAL-USE` (RFC 6154 §2).
    pub special_use: bool,
}

/// What LIST is to say of each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListReturn {
    /// `SUBSCRIBED`.
    pub subscribed: bool,
    /// `CHILDREN`.
    pub children: bool,
    /// `SPECIAL-USE`.
    pub special_use: bool,
    /// `MYRIGHTS` (RFC 8440).
    pub my_rights: bool,
    /// `STATUS (…)` (RFC 5819); empty if not asked.
    pub status: Vec<StatusItem>,
    /// `METADATA (…)` (RFC 9590); empty if not asked.
    pub metadata: Vec<EntryName>,
}

/// An item of STATUS.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StatusItem {
    /// MESSAGES.
    Messages,
    /// RECENT.
    Recent,
    /// UIDNEXT.
    UidNext,
    /// UIDVALIDITY.
    UidValidity,
    /// UNSEEN.
    Unseen,
    /// DELETED (RFC 9051 §6.3.11).
    Deleted,
    /// DELETED-STORAGE (RFC 9208 §4.1.4).
    DeletedStorage,
    /// SIZE (RFC 8438).
    Size,
    /// HIGHESTMODSEQ (RFC 7162 §3.1.7).
    HighestModSeq,
    /// APPENDLIMIT (RFC 7889).
    AppendLimit,
    /// MAILBOXID (RFC 8474 §4.3).
    MailboxId,
}

/// One message of an APPEND.
#[derive(Clone, PartialEq, Debug)]
pub struct AppendMessage<'a> {
    /// Flags that can be stored.
    pub flags: Vec<Flag>,
    /// The date it is to have; now if absent.
    pub date: Option<InternalDate>,
    /// Where its bytes are.
    pub data: AppendData<'a>,
}

/// The bytes of an appended message.
#[derive(Clone, PartialEq, Debug)]
pub enum AppendData<'a> {
    /// A literal that was streamed past the command's frame: its size in bytes, and whether it was
    /// a `literal8`.
    Streamed {
        /// In bytes.
        size: u64,
        /// `~{…}` (RFC 3516).
        binary: bool,
    },
    /// Inside the frame: a quoted string is not allowed by the grammar, so only by lenience.
    Inline(Bytes<'a>),
    /// CATENATE (RFC 4469): put together from these, in order.
    Catenated {
        /// At least one, and at most [`pillarbox_model::limit::CATENATED_PARTS`].
        parts: Vec<CatPart<'a>>,
        /// The command was not whole when it was read: the last text is offered only.
        open: bool,
    },
}

/// One piece of a message that is put together.
#[derive(Clone, PartialEq, Debug)]
pub enum CatPart<'a> {
    /// TEXT: a literal that was streamed past the command's frame, as [`AppendData::Streamed`].
    Text {
        /// In bytes.
        size: u64,
        /// `~{…}` (RFC 3516).
        binary: bool,
    },
    /// URL: what it points to. In the client's spelling, which refusals repeat.
    Url(Bytes<'a>),
}

/// What STORE does with its flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreAction {
    /// FLAGS.
    Replace,
    /// +FLAGS.
    Add,
    /// -FLAGS.
    Remove,
}

impl Command<'_> {
    /// Whether it says that its client knows mod-sequences (RFC 7162 §3.1, "CONDSTORE enabling
    /// command"). LIST is among them where it asks what STATUS would (RFC 5819).
    #[must_use]
    pub fn enables_condstore(&self) -> bool {
        let highest = |items: &[StatusItem]| items.contains(&StatusItem::HighestModSeq);
        match self {
            Self::Select { parameters, .. } => !parameters.is_empty(),
            Self::Status { items, .. } => highest(items),
            Self::List(list) => highest(&list.returns.status),
            Self::Search { search, .. }
            | Self::Esearch { search, .. }
            | Self::Sort { search, .. }
            | Self::Thread { search, .. } => search.key.has_modseq(),
            Self::Notify(Some(set)) => {
                let tells = |group: &EventGroup<'_>| group.fetch.contains(&FetchItem::ModSeq);
                set.groups.iter().any(tells)
            }
            Self::Store {
                unchanged_since, ..
            } => unchanged_since.is_some(),
            Self::Fetch {
                items, modifiers, ..
            } => {
                let since =
                    |modifier: &FetchModifier| matches!(modifier, FetchModifier::ChangedSince(_));
                modifiers.iter().any(since) || items.contains(&FetchItem::ModSeq)
            }
            _ => false,
        }
    }
}

impl Command<'_> {
    /// Whether a list of CATENATE in it has no end.
    pub(super) fn is_cut_short(&self) -> bool {
        let cut = |message: &AppendMessage<'_>| {
            matches!(message.data, AppendData::Catenated { open: true, .. })
        };
        match self {
            Self::Append { messages, .. } => messages.iter().any(cut),
            Self::Replace { message, .. } => cut(message),
            _ => false,
        }
    }

    /// Whether it names messages by number, which is not allowed once UIDONLY is enabled (RFC 9586
    /// §3).
    #[must_use]
    pub fn uses_numbers(&self) -> bool {
        match self {
            Self::Fetch { uid, .. }
            | Self::Store { uid, .. }
            | Self::Copy { uid, .. }
            | Self::Replace { uid, .. } => !uid,
            Self::Search { uid, search }
            | Self::Sort { uid, search, .. }
            | Self::Thread { uid, search, .. } => !uid || search.key.has_numbers(),
            Self::Esearch { search, .. } => search.key.has_numbers(),
            Self::Select { parameters, .. } => parameters.iter().any(|parameter| {
                let matches = |seq_match: &Option<_>| seq_match.is_some();
                matches!(parameter, SelectParameter::QResync { seq_match, .. } if matches(seq_match))
            }),
            _ => false,
        }
    }
}

impl<'a> Command<'a> {
    /// What it searches for, if it searches.
    #[must_use]
    pub const fn search(&self) -> Option<&Search<'a>> {
        match self {
            Self::Search { search, .. }
            | Self::Esearch { search, .. }
            | Self::Sort { search, .. }
            | Self::Thread { search, .. } => Some(search),
            _ => None,
        }
    }

    /// As [`Self::search`], to be changed.
    pub const fn search_mut(&mut self) -> Option<&mut Search<'a>> {
        match self {
            Self::Search { search, .. }
            | Self::Esearch { search, .. }
            | Self::Sort { search, .. }
            | Self::Thread { search, .. } => Some(search),
            _ => None,
        }
    }
}

impl StatusItem {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
        Self::Deleted,
        Self::DeletedStorage,
        Self::Size,
        Self::HighestModSeq,
        Self::AppendLimit,
        Self::MailboxId,
    ];

    /// As it stands on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::Deleted => "DELETED",
            Self::DeletedStorage => "DELETED-STORAGE",
            Self::Size => "SIZE",
            Self::HighestModSeq => "HIGHESTMODSEQ",
            Self::AppendLimit => "APPENDLIMIT",
            Self::MailboxId => "MAILBOXID",
        }
    }
}
