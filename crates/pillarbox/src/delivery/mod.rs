//! Mail from outside, on its way to its recipients' mailboxes: what LMTP and the command line share.
//!
//! A message is a [`Spool`] with a [`Trace`] of how it came. For each recipient [`Rules`] of the
//! storage say which account it is, and where in it the message goes.

pub mod filter;
mod place;
mod post;
mod recipient;
mod spool;
mod trace;

use std::sync::Arc;

use crate::storage::Mapping;
use crate::table::Table;

pub use filter::Filter;
pub use post::{Letter, deliver};
pub use recipient::{NoRecipient, Recipient};
pub use spool::{Buffer, Spool, header_len};
pub use trace::{Trace, message_id};

/// What a storage says of mail that is delivered to it.
pub struct Rules {
    /// From an address to an account's name.
    pub mapping: Mapping,
    /// Addresses in this table get an account if they have none.
    pub create_from: Option<Arc<dyn Table>>,
    /// What the detail of an address does.
    pub detail: Detail,
    /// What stands before the detail, as in `user+detail@example.org`.
    pub separator: String,
    /// Header fields that mark junk, each with the beginning of its value.
    pub quarantine: Vec<(String, String)>,
    /// Whether mail for a full account is sent back at once, or tried again later.
    pub reject_over_quota: bool,
    /// Programs that choose mailboxes, in order.
    pub filters: Vec<Arc<Filter>>,
}

impl Rules {
    /// Addresses become accounts' names by this mapping, and all mail goes to INBOX.
    #[must_use]
    pub fn new(mapping: Mapping) -> Self {
        Self {
            mapping,
            create_from: None,
            detail: Detail::Off,
            separator: "+".to_owned(),
            quarantine: Vec::new(),
            reject_over_quota: true,
            filters: Vec::new(),
        }
    }
}

/// What `detail` in `user+detail@example.org` does (RFC 5233).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Detail {
    /// It is part of the name.
    #[default]
    Off,
    /// Nothing.
    Inbox,
    /// It names a mailbox. If there is none, the message goes to INBOX.
    Folder,
    /// Likewise, and the mailbox is made.
    Create,
}

impl Detail {
    /// With the words of the directive.
    pub const NAMED: [(&'static str, Self); 4] = [
        ("off", Self::Off),
        ("inbox", Self::Inbox),
        ("folder", Self::Folder),
        ("create", Self::Create),
    ];
    /// The words.
    pub const NAMES: [&'static str; 4] = ["off", "inbox", "folder", "create"];

    /// The value of a word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let found = Self::NAMED.iter().find(|(known, _)| *known == name);
        found.map(|(_, detail)| *detail)
    }
}
