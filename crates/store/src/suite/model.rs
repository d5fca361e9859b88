//! Random operations do to a store what they do to a model of a few maps.
//!
//! An operation is a number, which is understood by what is there when its turn comes: so any part
//! of a list of operations is a list of operations, and one that fails can be made shorter.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use pillarbox_model::{MailboxId, ModSeq, NumberSet, Rights, Uid, UidValidity};

use super::expected::{Dice, Expected, FLAGS, Message};
use super::{Stage, flags, message, name};
use crate::{Error, FlagAction, Mailbox, Row};

/// The model, and the store that it is compared with.
struct Pair<'s> {
    stage: &'s mut Stage,
    boxes: BTreeMap<String, Expected>,
    validity: UidValidity,
    appended: u32,
    told: String,
    /// Mailboxes that are held open: what is in memory is changed instead of loaded.
    held: Vec<std::sync::Arc<Mailbox>>,
}

/// Runs `rounds` lists of random operations, each on a new stage. A list that goes wrong is made
/// shorter before it is reported.
///
/// # Panics
/// If the store does something else than the model.
pub async fn random_operations(rounds: u64, new: impl Fn() -> Stage) {
    for seed in 1..=rounds {
        let mut dice = Dice(seed);
        let operations: Vec<u64> = (0..120).map(|_| u64::from(dice.below(u32::MAX))).collect();
        let Err(difference) = attempt(&operations, new()).await else {
            continue;
        };
        let (shortest, difference) = shorten(operations, difference, &new).await;
        panic!("seed {seed}, {} operations:\n{difference}", shortest.len());
    }
}

/// Leaves out operations for as long as it still fails.
async fn shorten(
    mut operations: Vec<u64>,
    mut difference: String,
    new: &impl Fn() -> Stage,
) -> (Vec<u64>, String) {
    let mut size = operations.len() / 2;
    while size > 0 {
        let mut start = 0;
        while start + size <= operations.len() {
            let mut fewer = operations.clone();
            fewer.drain(start..start + size);
            match attempt(&fewer, new()).await {
                Err(other) => (operations, difference) = (fewer, other),
                Ok(()) => start += size,
            }
        }
        size /= 2;
    }
    (operations, difference)
}

/// Does the operations in a task of its own, in which a panic is a failure like any other.
async fn attempt(operations: &[u64], stage: Stage) -> Result<(), String> {
    let task = tokio::spawn(run(operations.to_vec(), stage));
    task.await.unwrap_or_else(|panic| Err(panic.to_string()))
}

/// Does the operations to both. What was done, and where they differ, on failure.
async fn run(operations: Vec<u64>, mut stage: Stage) -> Result<(), String> {
    let mut pair = Pair {
        boxes: BTreeMap::new(),
        validity: UidValidity(0),
        appended: 0,
        told: String::new(),
        held: Vec::new(),
        stage: &mut stage,
    };
    pair.begin().await;
    for operation in operations {
        pair.step(&mut Dice(operation)).await;
        if let Err(difference) = pair.compare().await {
            return Err(format!("{}{difference}", pair.told));
        }
    }
    let found = pair
        .stage
        .store()
        .check(None)
        .await
        .map_err(|error| error.to_string())?;
    if found.is_empty() {
        Ok(())
    } else {
        Err(format!("{}{found:?}", pair.told))
    }
}

impl Pair<'_> {
    async fn begin(&mut self) {
        let inbox = self.stage.inbox().await;
        self.adopt("INBOX", inbox.id, inbox.uid_validity);
    }

    fn adopt(&mut self, name: &str, id: MailboxId, uid_validity: UidValidity) {
        self.validity = self.validity.max(uid_validity);
        let made = Expected {
            id,
            uid_validity,
            uid_next: 1,
            modseq: 1,
            messages: BTreeMap::new(),
            gone: BTreeMap::new(),
        };
        self.boxes.insert(name.into(), made);
    }

    fn id(&self, name: &str) -> MailboxId {
        self.boxes
            .get(name)
            .map_or(MailboxId(u64::from(u32::MAX)), |made| made.id)
    }

    async fn step(&mut self, dice: &mut Dice) {
        match dice.below(20) {
            0..6 => self.append(dice).await,
            6..10 => self.set_flags(dice).await,
            10..12 => self.expunge(dice).await,
            12..15 => self.copy(dice).await,
            15 => self.create(dice.name()).await,
            16 => self.delete(dice.name()).await,
            17 => self.rename(dice.name(), dice.name()).await,
            18 => self.hold(dice.name()).await,
            _ => {
                let _ = writeln!(self.told, "reopen");
                self.held.clear();
                self.stage.reopen();
            }
        }
    }

    async fn hold(&mut self, name: &str) {
        if self.boxes.contains_key(name) {
            self.held
                .push(self.stage.store().open(self.id(name)).await.unwrap());
        }
    }

    async fn append(&mut self, dice: &mut Dice) {
        let target = dice.name();
        let mut new = Vec::new();
        for _ in 0..=dice.below(3) {
            self.appended += 1;
            // Some texts come again.
            new.push((
                dice.flags(),
                format!(
                    "text {}",
                    self.appended - dice.below(3).min(self.appended - 1)
                ),
            ));
        }
        let _ = writeln!(self.told, "append to {target}: {new:?}");
        let messages = new
            .iter()
            .map(|(flags, text)| message(text, &names(flags)))
            .collect();
        let done = self.stage.store().append(self.id(target), messages).await;
        let Some(made) = self.boxes.get_mut(target) else {
            return assert!(matches!(done, Err(Error::NoMailbox)));
        };
        let uids = done.unwrap().uids;
        made.modseq += 1;
        assert!(
            uids.iter()
                .map(|uid| uid.0)
                .eq(made.uid_next..made.uid_next + new.len() as u32)
        );
        for (flags, text) in new {
            made.add(flags, text);
        }
    }

    async fn set_flags(&mut self, dice: &mut Dice) {
        let (target, chosen) = (dice.name(), dice.flags());
        let uids = self.some_uids(target, dice);
        let action = [
            FlagAction::Add,
            FlagAction::Remove,
            FlagAction::Replace,
            FlagAction::ReplaceAmong(Rights::SEEN | Rights::WRITE),
        ][dice.below(4) as usize];
        let highest = self.boxes.get(target).map_or(1, |made| made.modseq);
        let since = (dice.below(3) == 0).then(|| u64::from(dice.below(highest as u32 + 1)));
        let _ = writeln!(
            self.told,
            "flags of {target} {uids}: {action:?} {chosen:?} {since:?}"
        );
        let named = flags(&names(&chosen));
        let store = self.stage.store();
        let done = store
            .set_flags(self.id(target), &uids, action, &named, since.map(ModSeq))
            .await;
        let Some(made) = self.boxes.get_mut(target) else {
            return assert!(matches!(done, Err(Error::NoMailbox)));
        };
        let (done, next) = (done.unwrap(), made.modseq + 1);
        let (mut changed, mut modified) = (NumberSet::new(), NumberSet::new());
        for (uid, message) in made
            .messages
            .iter_mut()
            .filter(|(uid, _)| uids.contains(**uid))
        {
            if since.is_some_and(|since| message.modseq > since) {
                modified.insert(*uid);
            } else if message.set(action, &chosen) {
                message.modseq = next;
                changed.insert(*uid);
            }
        }
        made.modseq += u64::from(!changed.is_empty());
        assert_eq!(
            (done.changed, done.modified),
            (changed, modified),
            "{}",
            self.told
        );
        assert_eq!(done.modseq.0, made.modseq);
    }

    async fn expunge(&mut self, dice: &mut Dice) {
        let target = dice.name();
        let uids = self.some_uids(target, dice);
        let forced = dice.below(4) == 0;
        let _ = writeln!(self.told, "expunge {target} {uids}, forced {forced}");
        let store = self.stage.store();
        let done = if forced {
            store.remove(self.id(target), &uids).await
        } else {
            store.expunge(self.id(target), Some(&uids)).await
        };
        let Some(made) = self.boxes.get_mut(target) else {
            return assert!(matches!(done, Err(Error::NoMailbox)));
        };
        let doomed = |uid: &u32, message: &Message| {
            uids.contains(*uid) && (forced || message.flags.contains("\\Deleted"))
        };
        let gone = made.take(doomed);
        assert_eq!(done.unwrap().uids, gone.keys().copied().collect());
    }

    async fn copy(&mut self, dice: &mut Dice) {
        let (from, to, moved) = (dice.name(), dice.name(), dice.below(2) == 0);
        let uids = self.some_uids(from, dice);
        let _ = writeln!(self.told, "copy {from} {uids} to {to}, moved {moved}");
        let done = self
            .stage
            .store()
            .copy(self.id(from), &uids, self.id(to), moved, Rights::ALL)
            .await;
        if !self.boxes.contains_key(from) {
            return assert!(matches!(done, Err(Error::NoMailbox)));
        }
        if !self.boxes.contains_key(to) {
            return assert!(matches!(done, Err(Error::NoTarget)));
        }
        let (copied, made) = self.copy_in_model(from, to, &|uid| uids.contains(uid), moved);
        let done = done.unwrap();
        assert_eq!((done.from, done.to), (copied, made), "{}", self.told);
    }

    fn copy_in_model(
        &mut self,
        from: &str,
        to: &str,
        chosen: &dyn Fn(u32) -> bool,
        moved: bool,
    ) -> (NumberSet, NumberSet) {
        let source = self.boxes[from].messages.clone();
        let copied: Vec<_> = source.into_iter().filter(|(uid, _)| chosen(*uid)).collect();
        let target = self.boxes.get_mut(to).unwrap();
        target.modseq += u64::from(!copied.is_empty());
        let made = copied
            .iter()
            .map(|(_, old)| target.add(old.flags.clone(), old.text.clone()));
        let made = made.collect();
        let copied: NumberSet = copied.iter().map(|(uid, _)| *uid).collect();
        if moved {
            self.boxes
                .get_mut(from)
                .unwrap()
                .take(|uid, _| copied.contains(*uid));
        }
        (copied, made)
    }

    async fn create(&mut self, wanted: &str) {
        let _ = writeln!(self.told, "create {wanted}");
        let account = self.stage.inbox().await.account;
        let done = self
            .stage
            .store()
            .create_mailbox(account, &name(wanted), None)
            .await;
        if self.boxes.contains_key(wanted) {
            return assert!(matches!(done, Err(Error::MailboxExists)));
        }
        done.unwrap();
        self.adopt_new().await;
    }

    /// Takes over what the store has and the model does not: each has a new, higher UIDVALIDITY.
    async fn adopt_new(&mut self) {
        let account = self.stage.inbox().await.account;
        let before = self.validity;
        for info in self.stage.store().mailboxes(account).await.unwrap() {
            if !self.boxes.contains_key(info.name.as_str()) {
                assert!(info.uid_validity > before && info.subscribed);
                self.adopt(info.name.as_str(), info.id, info.uid_validity);
            }
        }
    }

    async fn delete(&mut self, doomed: &str) {
        let _ = writeln!(self.told, "delete {doomed}");
        let done = self.stage.store().delete_mailbox(self.id(doomed)).await;
        match doomed {
            "INBOX" => assert!(matches!(done, Err(Error::Inbox))),
            _ if self.boxes.remove(doomed).is_some() => done.unwrap(),
            _ => assert!(matches!(done, Err(Error::NoMailbox))),
        }
    }

    async fn rename(&mut self, from: &str, to: &str) {
        let _ = writeln!(self.told, "rename {from} to {to}");
        let account = self.stage.inbox().await.account;
        let done = self
            .stage
            .store()
            .rename_mailbox(account, &name(from), &name(to))
            .await;
        let below = format!("{from}.");
        if !self.boxes.contains_key(from) {
            return assert!(matches!(done, Err(Error::NoMailbox)));
        }
        if self.boxes.contains_key(to) {
            return assert!(matches!(done, Err(Error::MailboxExists)), "{}", self.told);
        }
        if from == "INBOX" {
            done.unwrap();
            self.adopt_new().await;
            self.copy_in_model(from, to, &|_| true, true);
            return;
        }
        if to.starts_with(&below) {
            return assert!(matches!(done, Err(Error::IntoItself)));
        }
        let goes = |name: &str| name == from || name.starts_with(&below);
        let new = |name: &str| format!("{to}{}", &name[from.len()..]);
        let stays: Vec<&String> = self.boxes.keys().filter(|name| !goes(name)).collect();
        if self
            .boxes
            .keys()
            .any(|name| goes(name) && stays.contains(&&new(name)))
        {
            return assert!(matches!(done, Err(Error::MailboxExists)), "{}", self.told);
        }
        done.unwrap();
        let boxes = std::mem::take(&mut self.boxes);
        for (old, made) in boxes {
            let name = if goes(&old) { new(&old) } else { old };
            self.boxes.insert(name, made);
        }
        self.adopt_new().await;
    }

    fn some_uids(&self, name: &str, dice: &mut Dice) -> NumberSet {
        let limit = self.boxes.get(name).map_or(1, |made| made.uid_next) + 1;
        let ranges = (0..=dice.below(3)).map(|_| {
            let from = 1 + dice.below(limit);
            (from, from + dice.below(limit))
        });
        NumberSet::from_ranges(ranges.collect::<Vec<_>>())
    }

    async fn compare(&self) -> Result<(), String> {
        let account = self.stage.inbox().await.account;
        let infos = self.stage.store().mailboxes(account).await.unwrap();
        let names: Vec<_> = infos.iter().map(|info| info.name.to_string()).collect();
        if !names.iter().eq(self.boxes.keys()) {
            return Err(format!("mailboxes {names:?}, not {:?}", self.boxes.keys()));
        }
        for info in &infos {
            let expected = &self.boxes[info.name.as_str()];
            let (counters, seen) = (info.counters, self.read(info.id).await);
            let what = &info.name;
            if (info.id, info.uid_validity) != (expected.id, expected.uid_validity) {
                return Err(format!("{what} is {info:?}, not {expected:?}"));
            }
            if seen != expected.messages {
                return Err(format!(
                    "{what} has {seen:#?}, not {:#?}",
                    expected.messages
                ));
            }
            if counters != expected.counters() {
                return Err(format!(
                    "{what} counts {counters:?}, not {:?}",
                    expected.counters()
                ));
            }
            self.compare_vanished(what.as_str(), expected).await?;
            let open = self.stage.store().open(info.id).await.unwrap();
            if open.counters() != counters {
                return Err(format!("{what} counts {:?} in memory", open.counters()));
            }
        }
        Ok(())
    }

    /// What vanished since the mailbox was made, and of late.
    async fn compare_vanished(&self, what: &str, expected: &Expected) -> Result<(), String> {
        let everything = NumberSet::range(1..=u32::MAX);
        for since in [1, expected.modseq.saturating_sub(2).max(1)] {
            let store = self.stage.store();
            let told = store.expunged_since(expected.id, ModSeq(since), &everything);
            let told = told.await.map_err(|error| error.to_string())?;
            let gone = expected.gone.iter().filter(|(_, modseq)| **modseq > since);
            let gone: NumberSet = gone.map(|(uid, _)| *uid).collect();
            if !told.complete || told.uids != gone {
                return Err(format!("{what} lost {told:?} since {since}, not {gone}"));
            }
        }
        Ok(())
    }

    async fn read(&self, id: MailboxId) -> BTreeMap<u32, Message> {
        let store = self.stage.store();
        let open = store.open(id).await.unwrap();
        let rows: Vec<Row> = open.read().range(0, u32::MAX).collect();
        let contents = store.contents(&rows, false).await.unwrap();
        let mut messages = BTreeMap::new();
        for (row, content) in rows.iter().zip(contents) {
            let bytes = store.read(&content.location).await.unwrap();
            assert_eq!(row.size as usize, bytes.len());
            assert_eq!(open.read().get(Uid(row.uid.0)), Some(*row));
            let rows = open.read();
            let has = |flag: &&str| {
                rows.keywords()
                    .names_of(row.flags)
                    .any(|name| name == *flag)
            };
            let message = Message {
                modseq: row.modseq.0,
                flags: FLAGS.into_iter().filter(has).collect(),
                text: String::from_utf8_lossy(&bytes).into_owned(),
            };
            messages.insert(row.uid.0, message);
        }
        messages
    }
}

fn names<'f>(flags: &BTreeSet<&'f str>) -> Vec<&'f str> {
    flags.iter().copied().collect()
}
