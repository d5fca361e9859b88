//! Which mailboxes NOTIFY and ESEARCH mean (RFC 5465 §6, RFC 7377 §2.2).

use std::collections::HashSet;

use pillarbox_model::{Delimiter, MailboxName};
use pillarbox_proto::imap::notify::MailboxFilter;

use super::Session;
use crate::precis::nfc;

/// A filter that was made ready, with names as the user knows them.
pub(super) enum Scope {
    Selected,
    SelectedDelayed,
    Personal,
    Subscribed,
    Subtree(HashSet<Box<str>>),
    SubtreeOne(HashSet<Box<str>>),
    Mailboxes(HashSet<Box<str>>),
}

/// What a filter looks at.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) name: &'a MailboxName,
    /// It is one of the user's own.
    pub(super) personal: bool,
    pub(super) subscribed: bool,
}

/// A name as names are compared (RFC 5198 §2).
fn key(name: &MailboxName) -> Box<str> {
    match name.as_str() {
        text if text.is_ascii() => text.into(),
        text => nfc(text).into(),
    }
}

impl Scope {
    /// Makes a filter ready. What is no name in this session names nothing (RFC 5465 §3.1).
    pub(super) fn new(session: &Session, filter: &MailboxFilter<'_>) -> Self {
        let keys = |raw: &[pillarbox_proto::imap::command::Bytes<'_>]| {
            let names = raw.iter().filter_map(|raw| session.name(raw).ok());
            names.map(|name| key(&name)).collect()
        };
        match filter {
            MailboxFilter::Selected => Self::Selected,
            MailboxFilter::SelectedDelayed => Self::SelectedDelayed,
            // A detail of an address or a filter may deliver to any of them (RFC 5465 §6.3).
            MailboxFilter::Inboxes | MailboxFilter::Personal => Self::Personal,
            MailboxFilter::Subscribed => Self::Subscribed,
            MailboxFilter::Subtree(names) => Self::Subtree(keys(names)),
            MailboxFilter::SubtreeOne(names) => Self::SubtreeOne(keys(names)),
            MailboxFilter::Mailboxes(names) => Self::Mailboxes(keys(names)),
        }
    }

    /// Whether it says something of the selected mailbox, whichever that is.
    pub(super) const fn is_of_selected(&self) -> bool {
        matches!(self, Self::Selected | Self::SelectedDelayed)
    }

    /// How many names it was given.
    pub(super) fn names(&self) -> usize {
        match self {
            Self::Subtree(names) | Self::SubtreeOne(names) | Self::Mailboxes(names) => names.len(),
            _ => 0,
        }
    }

    /// Whether a mailbox is meant. The cost is that of the name's levels, not of the filter's names.
    pub(super) fn has(&self, candidate: Candidate<'_>, delimiter: Delimiter) -> bool {
        let name = candidate.name;
        match self {
            Self::Selected | Self::SelectedDelayed => false,
            Self::Personal => candidate.personal,
            Self::Subscribed => candidate.subscribed,
            Self::Mailboxes(names) => names.contains(&key(name)),
            Self::SubtreeOne(names) => {
                let above = name.parent(delimiter);
                names.contains(&key(name))
                    || above.is_some_and(|above| names.contains(&key(&above)))
            }
            Self::Subtree(names) => {
                let mut above = name.ancestors(delimiter).into_iter();
                names.contains(&key(name)) || above.any(|above| names.contains(&key(&above)))
            }
        }
    }
}
