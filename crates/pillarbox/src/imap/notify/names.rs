//! Names and subscriptions: what the client was told, and how things are.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use pillarbox_model::{AccountId, Delimiter, MailboxName};
use pillarbox_proto::imap::notify::{Event, Events};
use pillarbox_store::{Counters, Store};

use super::{Notify, Told};
use crate::imap::Session;
use crate::imap::cmd::list::{Entries, Entry};
use crate::imap::scope::Candidate;

/// The names to tell of, each with the one that it had before.
pub(super) type Lines = BTreeMap<MailboxName, Option<MailboxName>>;

/// Mailboxes that have another name now: the old one, the new one, whether it is the user's own.
type Renamed = (MailboxName, MailboxName, bool);

/// How names were, beside how they are.
struct Comparison<'a> {
    notify: &'a Notify,
    entries: &'a Entries,
    own: AccountId,
    delimiter: Delimiter,
    renamed: Vec<Renamed>,
}

impl Comparison<'_> {
    /// Whether an event of a name is wanted. A mailbox that is no more subscribed was when that changed.
    fn wants(&self, name: &MailboxName, personal: bool, event: Event) -> bool {
        let before = self.notify.subscribed.contains(name);
        let now = self.entries.get(name).is_some_and(|entry| entry.subscribed);
        let events = |subscribed| {
            let candidate = Candidate {
                name,
                personal,
                subscribed,
            };
            self.notify.events(candidate, self.delimiter)
        };
        [before, now]
            .into_iter()
            .any(|subscribed| events(subscribed).has(event))
    }

    /// Renamed mailboxes. Those below go along without being told of (RFC 5465 §5.4), where the client is told
    /// of the one above.
    fn renames(&self, lines: &mut Lines) {
        for (from, to, personal) in &self.renamed {
            let goes_along = self.renamed.iter().any(|(above, new, _)| {
                let rebased = from.rebased(above, new, self.delimiter);
                above != from
                    && rebased.as_ref() == Some(to)
                    && self.wants(new, *personal, Event::MailboxName)
            });
            let wanted = |name| self.wants(name, *personal, Event::MailboxName);
            if !goes_along && (wanted(from) || wanted(to)) {
                lines.insert(to.clone(), Some(from.clone()));
            }
        }
    }

    /// Mailboxes that came or went, with what is right above (RFC 5465 §5.4).
    fn comings_and_goings(&self, lines: &mut Lines) {
        for (name, personal) in self.notify.came_and_went(self.entries, self.own) {
            let parent = name.parent(self.delimiter);
            for name in std::iter::once(name).chain(parent) {
                if self.wants(&name, personal, Event::MailboxName) {
                    lines.entry(name).or_default();
                }
            }
        }
    }

    /// Mailboxes that the user may read no more, or again (RFC 5465 §5.9).
    fn rights(&self, lines: &mut Lines) {
        for (name, entry) in self.entries {
            let known = entry.mailbox.as_ref();
            let known = known.and_then(|now| self.notify.told.get(&now.id));
            let other = known.is_some_and(|told| told.readable == entry.unreadable);
            if other && self.notify.wants(name, entry, self.own, self.delimiter) {
                lines.entry(name.clone()).or_default();
            }
        }
    }

    /// Subscriptions that changed, other than by going along with a mailbox.
    fn subscriptions(&self, lines: &mut Lines) {
        let moved: HashMap<_, _> = self
            .renamed
            .iter()
            .map(|(from, to, _)| (from, to))
            .collect();
        let follow = |name| (*moved.get(name).unwrap_or(&name)).clone();
        let before: BTreeSet<_> = self.notify.subscribed.iter().map(follow).collect();
        for name in before.symmetric_difference(&subscriptions(self.entries)) {
            let entry = self.entries.get(name);
            let mailbox = entry.and_then(|entry| entry.mailbox.as_ref());
            // A name without a mailbox is in no namespace but the user's, as far as anybody can tell.
            let personal = mailbox.is_none_or(|mailbox| mailbox.account == self.own);
            if self.wants(name, personal, Event::SubscriptionChange) {
                lines.entry(name.clone()).or_default();
            }
        }
    }
}

impl Notify {
    /// Which names the client is to be told of.
    pub(super) fn compare(&self, entries: &Entries, own: AccountId, delimiter: Delimiter) -> Lines {
        let mut lines = Lines::new();
        let comparison = Comparison {
            notify: self,
            entries,
            own,
            delimiter,
            renamed: self.renames(entries),
        };
        comparison.renames(&mut lines);
        comparison.comings_and_goings(&mut lines);
        comparison.rights(&mut lines);
        comparison.subscriptions(&mut lines);
        lines
    }

    fn renames(&self, entries: &Entries) -> Vec<Renamed> {
        let mailboxes = entries.values().filter_map(|entry| entry.mailbox.as_ref());
        let known = mailboxes.filter_map(|now| Some((self.told.get(&now.id)?, now)));
        known
            .filter(|(told, now)| told.name != now.name)
            .map(|(told, now)| (told.name.clone(), now.name.clone(), told.personal))
            .collect()
    }

    /// Names of mailboxes that are new, and of those that are no more.
    fn came_and_went(&self, entries: &Entries, own: AccountId) -> Vec<(MailboxName, bool)> {
        let mailboxes = || entries.values().filter_map(|entry| entry.mailbox.as_ref());
        let ids: HashSet<_> = mailboxes().map(|now| now.id).collect();
        let came = mailboxes()
            .filter(|now| !self.told.contains_key(&now.id))
            .map(|now| (now.name.clone(), now.account == own));
        let told = self.told.iter();
        let went = told
            .filter(|(id, _)| !ids.contains(id))
            .map(|(_, told)| (told.name.clone(), told.personal));
        came.chain(went).collect()
    }

    /// Takes over how names are now. Mailboxes that are new count as empty, so that what is in them is told.
    pub(super) fn learn(&mut self, entries: &Entries, own: AccountId, first: bool) {
        let mut before = std::mem::take(&mut self.told);
        for (name, entry) in entries {
            let Some(info) = &entry.mailbox else {
                continue;
            };
            let readable = !entry.unreadable;
            let mut told = Told::new(info, info.account == own, readable);
            told.name = name.clone();
            match before.remove(&info.id) {
                Some(known) if known.readable || !readable => told.counters = known.counters,
                _ if first => {}
                // Also one that was made anew under the name of another.
                _ => {
                    self.changed.insert(info.id, info.counters);
                    let replaced = before.values().any(|gone| gone.name == *name);
                    if replaced || info.counters.messages > 0 {
                        told.counters = Counters::default();
                    }
                }
            }
            self.told.insert(info.id, told);
        }
        self.subscribed = subscriptions(entries);
    }

    /// Watches the accounts whose mailboxes the user sees, and no others. Where one is new, it may have changed
    /// since it was looked at.
    pub(super) fn watch_others(&mut self, entries: &Entries, session: &Session) {
        let mailboxes = entries.values().filter_map(|entry| entry.mailbox.as_ref());
        let accounts: BTreeSet<_> = mailboxes.map(|mailbox| mailbox.account).collect();
        let own = session.user.as_ref().map(|user| user.account.id);
        self.feeds
            .retain(|feed| accounts.contains(&feed.account()) || own == Some(feed.account()));
        for account in accounts {
            self.relist |= self.watch(&session.endpoint.storage.store, account);
        }
    }

    /// Watches an account; says whether it was not watched before.
    pub(super) fn watch(&mut self, store: &Arc<dyn Store>, account: AccountId) -> bool {
        let new = self.feeds.iter().all(|feed| feed.account() != account);
        if new {
            self.feeds.push(store.watch(account));
        }
        new
    }

    /// Whether any event is wanted of a mailbox.
    pub(super) fn wants(
        &self,
        name: &MailboxName,
        entry: &Entry,
        own: AccountId,
        delimiter: Delimiter,
    ) -> bool {
        let candidate = Candidate {
            name,
            personal: entry
                .mailbox
                .as_ref()
                .is_some_and(|mailbox| mailbox.account == own),
            subscribed: entry.subscribed,
        };
        self.events(candidate, delimiter) != Events::NONE
    }
}

fn subscriptions(entries: &Entries) -> BTreeSet<MailboxName> {
    let subscribed = entries.iter().filter(|(_, entry)| entry.subscribed);
    subscribed.map(|(name, _)| name.clone()).collect()
}
