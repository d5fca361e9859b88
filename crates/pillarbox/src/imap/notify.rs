//! What a client asked to be told of with NOTIFY (RFC 5465), and telling it.
//!
//! There are no queues of events here either. What the client was told last is compared with how things are:
//! names and subscriptions with what LIST would say, and counters with what STATUS would. A client that reads
//! slowly is told less often, and each time how things are by then. The selected mailbox is left to
//! `sync`, which does nothing else in its own way.

mod names;
mod tell;

use std::collections::{BTreeSet, HashMap};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use pillarbox_model::{AccountId, Delimiter, MailboxId, MailboxName, ModSeq, UidValidity};
use pillarbox_proto::imap::command::FetchItem;
use pillarbox_proto::imap::notify::{Event, Events};
use pillarbox_store::{Counters, Feed, MailboxInfo};
use tokio::sync::watch::Receiver;

use super::scope::{Candidate, Scope};

/// Changes that a client made itself and that are not yet compared. Of more, it is told.
const OWN_CHANGES: usize = 64;

/// What a client wants to be told of, since its last NOTIFY.
#[derive(Default)]
pub(crate) struct Notify {
    /// Of the selected mailbox; `None` is nothing.
    pub(super) selected: Option<OfSelected>,
    /// Of the others, in the client's order.
    groups: Vec<(Scope, Events)>,
    /// Its own account, and those of others that it watches.
    feeds: Vec<Feed>,
    /// What it was told last.
    told: HashMap<MailboxId, Told>,
    /// The names that it was told are subscribed.
    subscribed: BTreeSet<MailboxName>,
    /// Mailboxes that changed and were not compared yet: with their counters now.
    changed: HashMap<MailboxId, Counters>,
    /// Changes that it made itself.
    own: Vec<(MailboxId, ModSeq)>,
    /// Wakes when annotations change, if those are wanted.
    annotations: Option<Receiver<u64>>,
    /// Names are to be looked at again, whether or not a feed says so.
    relist: bool,
}

/// What a client wants to be told of the mailbox that it has selected.
pub(super) struct OfSelected {
    /// Expunges wait for a command that allows them.
    pub(super) delayed: bool,
    /// Changes of flags, too.
    pub(super) flags: bool,
    /// What to tell of new messages.
    pub(super) fetch: Vec<FetchItem<'static>>,
}

/// What a client knows of a mailbox.
struct Told {
    name: MailboxName,
    personal: bool,
    /// Whether the user may read it. One that they may only see is listed as `\NoAccess`.
    readable: bool,
    uid_validity: UidValidity,
    counters: Counters,
}

impl Notify {
    /// Wants what `groups` says.
    pub(super) fn new(selected: Option<OfSelected>, groups: Vec<(Scope, Events)>) -> Self {
        Self {
            selected,
            groups,
            ..Self::default()
        }
    }

    /// Waits until there may be something to tell. Cancel safe.
    pub(super) async fn changed(&mut self) {
        type Wait<'w> = Pin<Box<dyn Future<Output = ()> + Send + 'w>>;
        let feeds = self.feeds.iter_mut();
        let mut waits: Vec<Wait<'_>> = feeds
            .map(|feed| Box::pin(feed.changed()) as Wait<'_>)
            .collect();
        if let Some(annotations) = &mut self.annotations {
            // The sender lives as long as the store, which the session holds.
            waits.push(Box::pin(async { drop(annotations.changed().await) }));
        }
        poll_fn(|context| {
            let mut waits = waits.iter_mut();
            match waits.any(|wait| wait.as_mut().poll(context).is_ready()) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Whether changes of flags in the selected mailbox are wanted.
    fn wants_flags(&self) -> bool {
        self.selected
            .as_ref()
            .is_some_and(|selected| selected.flags)
    }

    /// Whether an event is wanted anywhere.
    fn wants_anywhere(&self, event: Event) -> bool {
        self.groups.iter().any(|(_, events)| events.has(event))
    }

    /// The events that are wanted of a mailbox that is not selected. The first group that wants none of it
    /// hides those after it.
    fn events(&self, candidate: Candidate<'_>, delimiter: Delimiter) -> Events {
        let mut events = Events::NONE;
        for (scope, wanted) in &self.groups {
            if scope.has(candidate, delimiter) {
                if *wanted == Events::NONE {
                    break;
                }
                events = events.and(*wanted);
            }
        }
        events
    }

    /// The events that are wanted of a mailbox that the client knows.
    fn events_of(&self, told: &Told, delimiter: Delimiter) -> Events {
        let candidate = Candidate {
            name: &told.name,
            personal: told.personal,
            subscribed: self.subscribed.contains(&told.name),
        };
        self.events(candidate, delimiter)
    }

    // What the client did itself, it knows (RFC 5465 §5).

    /// It made a mailbox. One of somebody else it is told of: it knows it by another name.
    pub(super) fn made(&mut self, info: &MailboxInfo, own: AccountId) {
        if info.account == own {
            self.subscribed.insert(info.name.clone());
            self.told.insert(info.id, Told::new(info, true, true));
        }
    }

    /// It deleted one.
    pub(super) fn deleted(&mut self, mailbox: MailboxId) {
        self.told.remove(&mailbox);
    }

    /// It renamed one, and with it those below.
    pub(super) fn renamed(&mut self, from: &MailboxName, to: &MailboxName, delimiter: Delimiter) {
        for told in self.told.values_mut() {
            if let Some(new) = told.name.rebased(from, to, delimiter) {
                told.name = new;
            }
        }
        let names = std::mem::take(&mut self.subscribed);
        let rebased = |name: MailboxName| name.rebased(from, to, delimiter).unwrap_or(name);
        self.subscribed = names.into_iter().map(rebased).collect();
    }

    /// It subscribed a name, or no more.
    pub(super) fn subscribed(&mut self, name: &MailboxName, on: bool) {
        if on {
            self.subscribed.insert(name.clone());
        } else {
            self.subscribed.remove(name);
        }
    }

    /// It changed messages of a mailbox.
    pub(super) fn did(&mut self, mailbox: MailboxId, modseq: ModSeq) {
        if self.own.len() < OWN_CHANGES {
            self.own.push((mailbox, modseq));
        }
    }

    /// Whether it made that change itself.
    pub(super) fn is_own(&self, mailbox: MailboxId, modseq: ModSeq) -> bool {
        self.own.contains(&(mailbox, modseq))
    }

    /// Whether all that happened to a mailbox after `since`, up to `now`, was done by this client. Each
    /// change takes the next mod-sequence.
    fn all_own(&self, mailbox: MailboxId, since: ModSeq, now: ModSeq) -> bool {
        let own = self
            .own
            .iter()
            .filter(|(of, modseq)| *of == mailbox && *modseq > since && *modseq <= now);
        own.count() as u64 == now.0.saturating_sub(since.0)
    }
}

impl Told {
    fn new(info: &MailboxInfo, personal: bool, readable: bool) -> Self {
        Self {
            name: info.name.clone(),
            personal,
            readable,
            uid_validity: info.uid_validity,
            counters: info.counters,
        }
    }
}

/// Waits until there may be something to tell; for ever if nothing was asked for.
pub(super) async fn changed(notify: &mut Option<Box<Notify>>) {
    match notify {
        // Only sessions that wait for it have room for the wait.
        Some(notify) => Box::pin(notify.changed()).await,
        None => std::future::pending().await,
    }
}
