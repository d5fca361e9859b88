//! NOTIFY (RFC 5465) and the naming of several mailboxes, which it shares with ESEARCH (RFC 7377).

use super::command::{Bytes, FetchItem};

/// Which mailboxes are meant (RFC 5465 §6, RFC 7377 §2.2). Names are as written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MailboxFilter<'a> {
    /// The selected one.
    Selected,
    /// The selected one, whose expunges wait for a command that allows them.
    SelectedDelayed,
    /// Those of the user to which mail may be delivered.
    Inboxes,
    /// All of the user's own.
    Personal,
    /// Those that are subscribed.
    Subscribed,
    /// These and all below them.
    Subtree(Vec<Bytes<'a>>),
    /// These and those one level below them (RFC 7377 §2.2).
    SubtreeOne(Vec<Bytes<'a>>),
    /// These.
    Mailboxes(Vec<Bytes<'a>>),
}

/// An event that can be asked for (RFC 5465 §5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the RFC's own words")]
pub enum Event {
    MessageNew,
    MessageExpunge,
    FlagChange,
    AnnotationChange,
    MailboxName,
    SubscriptionChange,
    MailboxMetadataChange,
    ServerMetadataChange,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::MessageNew,
        Self::MessageExpunge,
        Self::FlagChange,
        Self::AnnotationChange,
        Self::MailboxName,
        Self::SubscriptionChange,
        Self::MailboxMetadataChange,
        Self::ServerMetadataChange,
    ];

    /// As it stands on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessageNew => "MessageNew",
            Self::MessageExpunge => "MessageExpunge",
            Self::FlagChange => "FlagChange",
            Self::AnnotationChange => "AnnotationChange",
            Self::MailboxName => "MailboxName",
            Self::SubscriptionChange => "SubscriptionChange",
            Self::MailboxMetadataChange => "MailboxMetadataChange",
            Self::ServerMetadataChange => "ServerMetadataChange",
        }
    }

    /// Whether it is one of messages (`message-event`), the only ones that the selected mailbox has.
    #[must_use]
    pub const fn is_of_messages(self) -> bool {
        matches!(
            self,
            Self::MessageNew | Self::MessageExpunge | Self::FlagChange | Self::AnnotationChange
        )
    }
}

/// A set of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Events(u8);

impl Events {
    /// No event: `NONE`.
    pub const NONE: Self = Self(0);

    /// The set of these.
    #[must_use]
    pub fn of(events: &[Event]) -> Self {
        let mut set = Self::NONE;
        events.iter().for_each(|event| set.insert(*event));
        set
    }

    /// Adds one.
    pub const fn insert(&mut self, event: Event) {
        self.0 |= 1 << event as u8;
    }

    /// Whether this one is in it.
    #[must_use]
    pub const fn has(self, event: Event) -> bool {
        self.0 & (1 << event as u8) != 0
    }

    /// Those of either.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether all of them are in `others`.
    #[must_use]
    pub const fn are_among(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// Whether some are of messages. Those that are lead to STATUS in mailboxes that are not selected.
    #[must_use]
    pub fn have_messages(self) -> bool {
        self.iter().any(Event::is_of_messages)
    }

    /// Them, in the order of [`Event::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Event> {
        Event::ALL.into_iter().filter(move |event| self.has(*event))
    }

    /// For BAD's text: which rule is broken (RFC 5465 §5). MessageNew and MessageExpunge come
    /// together, and changes of flags and annotations not without them.
    #[must_use]
    pub const fn objection(self) -> Option<&'static str> {
        use Event::{AnnotationChange, FlagChange, MessageExpunge, MessageNew};
        let both = self.has(MessageNew) && self.has(MessageExpunge);
        if self.has(MessageNew) != self.has(MessageExpunge) {
            return Some("MessageNew and MessageExpunge must be asked for together");
        }
        if (self.has(FlagChange) || self.has(AnnotationChange)) && !both {
            return Some("FlagChange and AnnotationChange need MessageNew and MessageExpunge");
        }
        None
    }
}

/// NOTIFY SET (RFC 5465 §8).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct NotifySet<'a> {
    /// `STATUS`: how things are, first.
    pub status: bool,
    /// What is asked for, where. At most one group is of the selected mailbox.
    pub groups: Vec<EventGroup<'a>>,
}

/// Events in some mailboxes.
#[derive(Clone, PartialEq, Debug)]
pub struct EventGroup<'a> {
    /// Where.
    pub mailboxes: MailboxFilter<'a>,
    /// Which; [`Events::NONE`] for `NONE`. Of the selected mailbox, those of messages only.
    pub events: Events,
    /// Whether an event was named that this program has never heard of (`event-ext`).
    pub unknown: bool,
    /// What MessageNew is to tell of each message in the selected mailbox.
    pub fetch: Vec<FetchItem<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_messages_need_each_other() {
        use Event::{AnnotationChange, FlagChange, MailboxName, MessageExpunge, MessageNew};
        let allowed = |events: &[Event]| Events::of(events).objection().is_none();
        assert!(allowed(&[]));
        assert!(allowed(&[MailboxName]));
        assert!(allowed(&[MessageNew, MessageExpunge]));
        assert!(allowed(&[MessageExpunge, FlagChange, MessageNew]));
        assert!(!allowed(&[MessageNew]));
        assert!(!allowed(&[MessageExpunge, MailboxName]));
        assert!(!allowed(&[FlagChange]));
        assert!(!allowed(&[FlagChange, MessageNew]));
        assert!(!allowed(&[AnnotationChange]));
    }

    #[test]
    fn a_set_has_what_was_put_in() {
        for event in Event::ALL {
            let set = Events::of(&[event]);
            assert!(set.iter().eq([event]) && set.have_messages() == event.is_of_messages());
        }
        let all = Events::of(&Event::ALL);
        assert!(Events::NONE.are_among(all) && !all.are_among(Events::NONE));
    }
}
