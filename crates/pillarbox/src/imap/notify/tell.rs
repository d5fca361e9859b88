//! Telling what NOTIFY asked for.

use std::io;

use pillarbox_model::{AccountId, MailboxId, ModSeq, NumberSet, Rights};
use pillarbox_proto::imap::command::StatusItem;
use pillarbox_proto::imap::encode::{self, Code, Status, StatusValue};
use pillarbox_proto::imap::notify::{Event, Events};
use pillarbox_store::Counters;

use super::{Notify, OfSelected, Told};
use crate::imap::cmd::list::{self, Entries};
use crate::imap::outcome::Halt;
use crate::imap::reach::Reached;
use crate::imap::scope::Candidate;
use crate::imap::{Refusal, Session, fetch};
use crate::log::Text;

/// Mailboxes of which one session is told: what it was told last of each is kept for it.
const MAILBOXES: usize = 2 * pillarbox_model::limit::MAILBOXES_PER_ACCOUNT;
/// Changes of the selected mailbox of which a client that wants to hear nothing hears nothing. What was
/// expunged is kept for it meanwhile.
const QUIET_CHANGES: u64 = 10_000;

/// Whether a client that wants these events is to be told that counters changed.
fn is_news(events: Events, before: &Counters, now: &Counters, condstore: bool) -> bool {
    let messages = before.uid_next != now.uid_next || before.messages != now.messages;
    let flags =
        before.unseen != now.unseen || (condstore && before.highest_modseq != now.highest_modseq);
    events.has(Event::MessageNew) && (messages || (flags && events.has(Event::FlagChange)))
}

impl Session {
    /// What to tell of the selected mailbox, if NOTIFY said so.
    pub(in crate::imap) fn of_selected(&self) -> Option<&OfSelected> {
        self.notify.as_ref()?.selected.as_ref()
    }

    /// Notes what the client did itself, if it is notified of what others do. The account is its own.
    pub(in crate::imap) fn did(&mut self, note: impl FnOnce(&mut Notify, AccountId)) {
        if let (Some(notify), Some(user)) = (&mut self.notify, &self.user) {
            note(notify, user.account.id);
        }
    }

    /// Whether the client wants to hear nothing of the selected mailbox (RFC 5465 §3.1).
    pub(in crate::imap) fn wants_quiet(&self) -> bool {
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
    pub(in crate::imap) async fn notify_of(
        &mut self,
        wanted: Notify,
        status: bool,
    ) -> Result<(), Refusal> {
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
        if let Some(selected) = self.selected.as_mut().filter(|_| notify.wants_flags()) {
            // What piled up unheard is told now (RFC 5465 §3.1).
            let unheard = selected.unheard.take();
            selected.told = unheard.map_or(selected.told, |unheard| unheard.min(selected.told));
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
    pub(in crate::imap) async fn tell_events(&mut self) -> io::Result<()> {
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
    pub(in crate::imap) fn wants_annotations(&self, of: Option<&Reached>) -> bool {
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
    pub(in crate::imap) async fn tell_messages(&mut self, above: u32) -> io::Result<()> {
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
