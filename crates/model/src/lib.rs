//! The nouns of IMAP and their rules.
//!
//! Pure values: no wire syntax, no I/O, no clock. Every other crate speaks in these words.

pub mod acl;
mod date;
mod entry;
mod flag;
mod id;
pub mod limit;
mod mailbox_name;
mod pattern;
mod resource;
mod rights;
mod set;
mod special_use;
mod view;

pub use acl::{Acl, Identity, RightsChange};
pub use date::InternalDate;
pub use entry::{BadEntry, Depth, EntryName};
pub use flag::{Flag, Flags, KeywordTable, TooManyKeywords};
pub use id::{AccountId, BlobId, MailboxId, ModSeq, Uid, UidValidity};
pub use mailbox_name::{BadName, Delimiter, MailboxName};
pub use pattern::Pattern;
pub use resource::{PerResource, Resource};
pub use rights::{NoSuchRight, Rights};
pub use set::{Bound, NumberSet, SequenceSet};
pub use special_use::SpecialUse;
pub use view::View;
