//! What a client asked to be told of with NOTIFY (RFC 5465), and telling it.
//!
//! There are no queues of events here either. What the client was told last is compared with how things are:
//! names and subscriptions with what LIST would say, and counters with what STATUS would. A client that reads
//! slowly is told less often, and each time how things are by then. The selected mailbox is left to
//! [`super::sync`], which does nothing else in its own way.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use pillarbox_model::{
    AccountId, Delimiter, MailboxId, MailboxName, ModSeq, NumberSet, Rights, UidValidity,
};
use pillarbox_proto::imap::command::{FetchItem, StatusItem};
use pillarbox_proto::imap::encode::{self, Code, Status, StatusValue};
use pillarbox_proto::imap::notify::{Event, Events};
use pillarbox_store::{Counters, Feed, MailboxInfo, Store};
use tokio::sync::watch::Receiver;

use super::cmd::list::{self, Entries, Entry};
use super::reach::Reached;
use super::scope::{Candidate, Scope};
use super::session::Halt;
use super::{Refusal, Session, fetch};
use crate::log::Text;

/// Mailboxes of which one session is told: what it was told last of each is kept for it.
const MAILBOXES: usize = 2 * pillarbox_model::limit::MAILBOXES_PER_ACCOUNT;
/// Changes that a client made itself and that are not yet compared. Of more, it is told.
const OWN_CHANGES: usize = 64;
/// Changes of the selected mailbox of which a client that wants to hear nothing hears nothing. What was
/// expunged is kept for it meanwhile.
const QUIET_CHANGES: u64 = 10_000;

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

/// Whether a client that wants these events is to be told that counters changed.
fn is_news(events: Events, before: &Counters, now: &Counters, condstore: bool) -> bool {
    let messages = before.uid_next != now.uid_next || before.messages != now.messages;
    let flags =
        before.unseen != now.unseen || (condstore && before.highest_modseq != now.highest_modseq);
    events.has(Event::MessageNew) && (messages || (flags && events.has(Event::FlagChange)))
}

impl Session {
    /// What to tell of the selected mailbox, if NOTIFY said so.
    pub(super) fn of_selected(&self) -> Option<&OfSelected> {
        self.notify.as_ref()?.selected.as_ref()
    }

    /// Notes what the client did itself, if it is notified of what others do. The account is its own.
    pub(super) fn did(&mut self, note: impl FnOnce(&mut Notify, AccountId)) {
        if let (Some(notify), Some(user)) = (&mut self.notify, &self.user) {
            note(notify, user.account.id);
        }
    }

    /// Whether the client wants to hear nothing of the selected mailbox (RFC 5465 §3.1).
    pub(super) fn wants_quiet(&self) -> bool {
        let quiet = self
            .notify
            .as_ref()
            .is_some_and(|notify| notify.selected.is_none());
        quiet
            && self.selected.as_ref().is_some_and(|selected| {
                let mailbox = selected.member.mailbox();
                let now = mailbox.counters().highest_modseq;
                let behind = now.0.saturating_sub(selected.told_expunges.0);
                behind <= QUIET_CHANGES && !mailbox.is_deleted()
            })
    }

    /// From now on the client is told what `wanted` says. With `status`, how things are is said first. What
    /// it was told before NOTIFY was given again is remembered: nothing that happens meanwhile is lost.
    ///
    /// # Errors
    /// There is more to watch than can be, or the store says no; what was wanted before is still.
    pub(super) async fn notify_of(&mut self, wanted: Notify, status: bool) -> Result<(), Refusal> {
        let account = self.user()?.account.id;
        // Watched before it is looked at: what happens between is told twice rather than never.
        let feed = self.endpoint.storage.store.watch(account);
        let entries = match wanted.groups.is_empty() {
            true => Entries::new(),
            false => self.names_to_watch().await?,
        };
        let before = self.notify.take().filter(|before| !before.told.is_empty());
        let mut notify = match before {
            Some(before) if !wanted.groups.is_empty() => Notify {
                selected: wanted.selected,
                groups: wanted.groups,
                relist: true,
                ..*before
            },
            _ => Notify {
                feeds: vec![feed],
                ..wanted
            },
        };
        if notify.told.is_empty() {
            notify.learn(&entries, account, true);
            notify.watch_others(&entries, self);
        }
        let unreadable = entries.iter().filter(|(_, entry)| entry.unreadable);
        for (name, entry) in unreadable {
            if notify.wants(name, entry, account, self.endpoint.storage.delimiter) {
                list::tell(self, name, Some(entry), None);
            }
        }
        let changes = self.endpoint.storage.store.annotation_changes();
        let wanted = [Event::MailboxMetadataChange, Event::ServerMetadataChange]
            .into_iter()
            .any(|event| notify.wants_anywhere(event));
        notify.annotations = wanted.then(|| changes.watch());
        if wanted {
            self.hear_news(false);
        }
        self.notify = Some(Box::new(notify));
        if status {
            self.say_all();
        }
        Ok(())
    }

    async fn names_to_watch(&self) -> Result<Entries, Refusal> {
        let entries = list::all(self).await?;
        match entries.len() > MAILBOXES {
            true => Err(Refusal::Overflow(
                "There are more mailboxes than can be watched",
            )),
            false => Ok(entries),
        }
    }

    /// Says of each watched mailbox how it is (RFC 5465 §3.1).
    fn say_all(&mut self) {
        let Some(notify) = self.notify.take() else {
            return;
        };
        let delimiter = self.endpoint.storage.delimiter;
        let condstore = self.announces("CONDSTORE");
        let mut watched: Vec<_> = notify.told.iter().collect();
        watched.sort_unstable_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        for (id, told) in watched {
            let events = notify.events_of(told, delimiter);
            if told.readable && events.have_messages() && !self.has_selected(*id) {
                let modseq = condstore && events.has(Event::FlagChange);
                self.say_status(told, &told.counters, modseq);
            }
        }
        self.notify = Some(notify);
    }

    fn has_selected(&self, mailbox: MailboxId) -> bool {
        let selected = self.selected.as_ref();
        selected.is_some_and(|selected| selected.member.mailbox().id() == mailbox)
    }

    fn say_status(&mut self, told: &Told, now: &Counters, modseq: bool) {
        let mut values = vec![
            (StatusItem::Messages, now.messages.into()),
            (StatusItem::UidNext, now.uid_next.into()),
            (StatusItem::UidValidity, told.uid_validity.0.into()),
            (StatusItem::Unseen, now.unseen.into()),
        ];
        if modseq || self.dialect.condstore {
            values.push((StatusItem::HighestModSeq, now.highest_modseq.0));
        }
        let values: Vec<_> = values
            .into_iter()
            .map(|(item, value)| (item, StatusValue::Number(value)))
            .collect();
        encode::list_status(&mut self.wire.out, &told.name, &values, self.dialect);
    }

    /// Tells what the client asked for and was not told yet. Between commands, or where a command's rules
    /// allow all of it (RFC 5465 §4).
    pub(super) async fn tell_events(&mut self) -> io::Result<()> {
        self.watch_selected();
        // First, so that what is told of the selected mailbox is among the news, and known.
        if let Some(expunge_allowed) = self.of_selected().map(|wanted| !wanted.delayed)
            && self.is_behind(expunge_allowed)
        {
            self.sync(expunge_allowed, None).await?;
        }
        let Some(notify) = self.notify.as_mut().filter(|_| !self.leaving) else {
            return Ok(());
        };
        let mut names = std::mem::take(&mut notify.relist);
        for feed in &mut notify.feeds {
            let news = feed.news();
            names |= news.names;
            notify.changed.extend(news.mailboxes);
        }
        // Again, where the mailboxes of somebody else came in sight: they may have changed since. Each time
        // brings another account, of which there are as many as mailboxes at most.
        while names && self.watches() {
            if let Err(refusal) = self.tell_names().await {
                self.overflow(&refusal);
            }
            let notify = self.notify.as_mut();
            names = notify.is_some_and(|notify| std::mem::take(&mut notify.relist));
        }
        self.tell_news().await?;
        self.tell_counters().await
    }

    /// Whether something of the selected mailbox can be told.
    fn is_behind(&self, expunge_allowed: bool) -> bool {
        self.selected.as_ref().is_some_and(|selected| {
            let mailbox = selected.member.mailbox();
            let rows = mailbox.read();
            let expunges = expunge_allowed && rows.expunged_modseq() > selected.told_expunges;
            expunges || rows.highest_modseq() > selected.told || mailbox.is_deleted()
        })
    }

    /// Watches the account of the selected mailbox, if it is somebody else's.
    fn watch_selected(&mut self) {
        if let (Some(notify), Some(selected)) = (&mut self.notify, &self.selected)
            && notify.selected.is_some()
        {
            let account = selected.member.mailbox().account();
            notify.watch(&self.endpoint.storage.store, account);
        }
    }

    /// Whether NOTIFY asked to hear of the annotations of a mailbox, or of the server (RFC 5465 §5.6, §5.7).
    pub(super) fn wants_annotations(&self, of: Option<&Reached>) -> bool {
        let (Some(notify), Some(user)) = (&self.notify, &self.user) else {
            return false;
        };
        let Some(of) = of else {
            return notify.wants_anywhere(Event::ServerMetadataChange);
        };
        let candidate = Candidate {
            name: &of.info.name,
            personal: of.info.account == user.account.id,
            subscribed: notify.subscribed.contains(&of.info.name),
        };
        let delimiter = self.endpoint.storage.delimiter;
        of.rights.all(Rights::READ)
            && notify
                .events(candidate, delimiter)
                .has(Event::MailboxMetadataChange)
    }

    /// Whether the client asked for anything of mailboxes that it has not selected.
    fn watches(&self) -> bool {
        self.notify
            .as_ref()
            .is_some_and(|notify| !notify.groups.is_empty())
    }

    /// Tells of the messages above a UID, which were just announced, what MessageNew asked for (RFC 5465 §5.2);
    /// of those that the client brought itself, it knows.
    pub(super) async fn tell_messages(&mut self, above: u32) -> io::Result<()> {
        let (Some(notify), Some(selected)) = (&self.notify, &self.selected) else {
            return Ok(());
        };
        let Some(wanted) = notify.selected.as_ref().filter(|of| !of.fetch.is_empty()) else {
            return Ok(());
        };
        let mailbox = selected.member.mailbox();
        let uids: NumberSet = {
            let rows = mailbox.read();
            let new = rows.range(above.saturating_add(1), selected.told_uids);
            let others = new.filter(|row| !notify.is_own(mailbox.id(), row.modseq));
            others.map(|row| row.uid.0).collect()
        };
        let items = wanted.fetch.clone();
        match fetch::tell(self, &uids, &items).await {
            Ok(()) => Ok(()),
            Err(Halt::Broken(error)) => Err(error),
            Err(Halt::Refused(refusal)) => {
                let fields: crate::log::Fields<'_> = &[("reason", &Text(refusal))];
                self.endpoint
                    .log
                    .error("new messages can't be told of", fields);
                let text = "Some new messages can't be read";
                encode::untagged(&mut self.wire.out, Status::No, None, text);
                Ok(())
            }
        }
    }

    /// No more is told until the next NOTIFY (RFC 5465 §5.8).
    fn overflow(&mut self, why: &Refusal) {
        self.notify = Some(Box::default());
        let fields: crate::log::Fields<'_> = &[("reason", &Text(why))];
        self.endpoint
            .log
            .warn("a client is notified no more", fields);
        let code = Some(Code::NotificationOverflow);
        let text = "Notifications end: say NOTIFY again";
        encode::untagged(&mut self.wire.out, Status::Ok, code.as_ref(), text);
    }

    /// Tells of the mailboxes whose counters are not what the client knows. What it is told of the selected
    /// one waits until it is left.
    async fn tell_counters(&mut self) -> io::Result<()> {
        let knows_up_to = self.knows_up_to();
        let Some(mut notify) = self.notify.take() else {
            return Ok(());
        };
        let mut changed: Vec<_> = notify.changed.drain().collect();
        changed.sort_unstable_by_key(|(id, _)| id.0);
        let delimiter = self.endpoint.storage.delimiter;
        for (id, now) in changed {
            let Some(told) = notify.told.get(&id) else {
                continue;
            };
            if now.highest_modseq < told.counters.highest_modseq {
                continue;
            }
            if self.has_selected(id) && knows_up_to.is_none_or(|known| known < now.highest_modseq) {
                notify.changed.insert(id, now);
                continue;
            }
            let events = notify.events_of(told, delimiter);
            let own = notify.all_own(id, told.counters.highest_modseq, now.highest_modseq);
            let known = own || !told.readable || self.has_selected(id);
            if !known && is_news(events, &told.counters, &now, self.dialect.condstore) {
                self.say_status(told, &now, false);
            }
            if let Some(told) = notify.told.get_mut(&id) {
                told.counters = now;
            }
        }
        let pending = &notify.changed;
        notify.own.retain(|(id, _)| pending.contains_key(id));
        self.notify = Some(notify);
        self.wire.flush_if_full().await
    }

    /// Up to where the client was told all that happened in the selected mailbox, if it is told of it at all.
    fn knows_up_to(&self) -> Option<ModSeq> {
        let selected = self.selected.as_ref()?;
        self.of_selected()?;
        let expunged = selected.member.mailbox().read().expunged_modseq();
        (selected.told_expunges >= expunged).then_some(selected.told)
    }

    /// Tells of mailboxes that came, went, or have another name, and of subscriptions.
    async fn tell_names(&mut self) -> Result<(), Refusal> {
        let entries = self.names_to_watch().await?;
        let account = self.user()?.account.id;
        let delimiter = self.endpoint.storage.delimiter;
        let Some(mut notify) = self.notify.take() else {
            return Ok(());
        };
        let lines = notify.compare(&entries, account, delimiter);
        notify.learn(&entries, account, false);
        notify.watch_others(&entries, self);
        self.notify = Some(notify);
        for (name, old) in lines {
            list::tell(self, &name, entries.get(&name), old.as_ref());
        }
        Ok(())
    }
}

/// The names to tell of, each with the one that it had before.
type Lines = BTreeMap<MailboxName, Option<MailboxName>>;

impl Notify {
    /// Which names the client is to be told of.
    fn compare(&self, entries: &Entries, own: AccountId, delimiter: Delimiter) -> Lines {
        let mut lines = Lines::new();
        let renamed = self.renames(entries);
        let before = |name: &MailboxName| self.subscribed.contains(name);
        let now = |name: &MailboxName| entries.get(name).is_some_and(|entry| entry.subscribed);
        let wants = |name: &MailboxName, personal: bool, event: Event| {
            let candidate = |subscribed| Candidate {
                name,
                personal,
                subscribed,
            };
            // A mailbox that is no more subscribed was when that changed.
            [before(name), now(name)]
                .into_iter()
                .any(|subscribed| self.events(candidate(subscribed), delimiter).has(event))
        };
        for (from, to, personal) in &renamed {
            let with_parent = renamed.iter().any(|(above, new, _)| {
                above != from
                    && from.rebased(above, new, delimiter).as_ref() == Some(to)
                    && wants(new, *personal, Event::MailboxName)
            });
            let wanted = [from, to]
                .into_iter()
                .any(|name| wants(name, *personal, Event::MailboxName));
            if wanted && !with_parent {
                lines.insert(to.clone(), Some(from.clone()));
            }
        }
        for (name, personal) in self.came_and_went(entries, own) {
            let parent = name.parent(delimiter);
            for name in std::iter::once(name).chain(parent) {
                if wants(&name, personal, Event::MailboxName) {
                    lines.entry(name).or_default();
                }
            }
        }
        for (name, entry) in entries {
            let known = entry
                .mailbox
                .as_ref()
                .and_then(|now| self.told.get(&now.id));
            let other = known.is_some_and(|told| told.readable == entry.unreadable);
            if other && self.wants(name, entry, own, delimiter) {
                lines.entry(name.clone()).or_default();
            }
        }
        for name in self.resubscribed(entries, &renamed) {
            let personal = self.is_personal(&name, entries, own);
            if wants(&name, personal, Event::SubscriptionChange) {
                lines.entry(name).or_default();
            }
        }
        lines
    }

    /// Mailboxes that have another name than the client knows: the old one, the new one, whether it is the
    /// user's own.
    fn renames(&self, entries: &Entries) -> Vec<(MailboxName, MailboxName, bool)> {
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
        let ids: std::collections::HashSet<_> = mailboxes().map(|now| now.id).collect();
        let came = mailboxes()
            .filter(|now| !self.told.contains_key(&now.id))
            .map(|now| (now.name.clone(), now.account == own));
        let went = self
            .told
            .iter()
            .filter(|(id, _)| !ids.contains(id))
            .map(|(_, told)| (told.name.clone(), told.personal));
        came.chain(went).collect()
    }

    /// Names whose subscription changed, other than by going along with a mailbox.
    fn resubscribed(
        &self,
        entries: &Entries,
        renamed: &[(MailboxName, MailboxName, bool)],
    ) -> Vec<MailboxName> {
        let moved: HashMap<_, _> = renamed.iter().map(|(from, to, _)| (from, to)).collect();
        let follow = |name| (*moved.get(name).unwrap_or(&name)).clone();
        let before: BTreeSet<_> = self.subscribed.iter().map(follow).collect();
        let now = subscriptions(entries);
        before.symmetric_difference(&now).cloned().collect()
    }

    fn is_personal(&self, name: &MailboxName, entries: &Entries, own: AccountId) -> bool {
        let mailbox = entries.get(name).and_then(|entry| entry.mailbox.as_ref());
        // A name without a mailbox is in no namespace but the user's, as far as anybody can tell.
        mailbox.is_none_or(|mailbox| mailbox.account == own)
    }

    /// Takes over how names are now. Mailboxes that are new count as empty, so that what is in them is told.
    fn learn(&mut self, entries: &Entries, own: AccountId, first: bool) {
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
    fn watch_others(&mut self, entries: &Entries, session: &Session) {
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
    fn watch(&mut self, store: &Arc<dyn Store>, account: AccountId) -> bool {
        let new = self.feeds.iter().all(|feed| feed.account() != account);
        if new {
            self.feeds.push(store.watch(account));
        }
        new
    }

    /// Whether any event is wanted of a mailbox.
    fn wants(
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
