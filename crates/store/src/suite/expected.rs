//! What the model consists of.

use std::collections::{BTreeMap, BTreeSet};

use pillarbox_model::{Flag, MailboxId, ModSeq, UidValidity};

use crate::FlagAction;

/// Few names, so that they meet.
pub(super) const NAMES: [&str; 6] = ["INBOX", "a", "a.b", "a.b.c", "d", "d.e"];
pub(super) const FLAGS: [&str; 5] = ["\\Seen", "\\Deleted", "\\Flagged", "$one", "Two"];

/// A message, as the model has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Message {
    pub(super) modseq: u64,
    pub(super) flags: BTreeSet<&'static str>,
    pub(super) text: String,
}

/// A mailbox, as the model has it.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) id: MailboxId,
    pub(super) uid_validity: UidValidity,
    pub(super) uid_next: u32,
    pub(super) modseq: u64,
    pub(super) messages: BTreeMap<u32, Message>,
    /// What is gone, with the mod-sequence of the change that took it.
    pub(super) gone: BTreeMap<u32, u64>,
}

/// Numbers drawn from one number.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % limit
    }

    pub(super) fn name(&mut self) -> &'static str {
        NAMES[self.below(NAMES.len() as u32) as usize]
    }

    pub(super) fn flags(&mut self) -> BTreeSet<&'static str> {
        FLAGS.into_iter().filter(|_| self.below(3) == 0).collect()
    }
}

impl Message {
    /// Changes flags; whether they are different now.
    pub(super) fn set(&mut self, action: FlagAction, chosen: &BTreeSet<&'static str>) -> bool {
        let after: BTreeSet<_> = match action {
            FlagAction::Add => self.flags.union(chosen).copied().collect(),
            FlagAction::Remove => self.flags.difference(chosen).copied().collect(),
            FlagAction::Replace => chosen.clone(),
            FlagAction::ReplaceAmong(rights) => {
                let among = |name: &&&'static str| {
                    Flag::parse(name).is_some_and(|flag| rights.change(&flag))
                };
                let others = self.flags.iter().filter(|name| !among(name));
                chosen.iter().filter(among).chain(others).copied().collect()
            }
        };
        std::mem::replace(&mut self.flags, after) != self.flags
    }
}

impl Expected {
    /// Adds a message of the change that is counted already.
    pub(super) fn add(&mut self, flags: BTreeSet<&'static str>, text: String) -> u32 {
        let message = Message {
            modseq: self.modseq,
            flags,
            text,
        };
        self.messages.insert(self.uid_next, message);
        self.uid_next += 1;
        self.uid_next - 1
    }

    /// Takes messages out, which is a change if there are any.
    pub(super) fn take(
        &mut self,
        chosen: impl Fn(&u32, &Message) -> bool,
    ) -> BTreeMap<u32, Message> {
        let (gone, kept) = std::mem::take(&mut self.messages)
            .into_iter()
            .partition(|(uid, message)| chosen(uid, message));
        self.messages = kept;
        let gone: BTreeMap<_, _> = gone;
        self.modseq += u64::from(!gone.is_empty());
        self.gone.extend(gone.keys().map(|uid| (*uid, self.modseq)));
        gone
    }

    fn deleted_bytes(&self) -> u64 {
        let deleted = self.messages.values();
        let deleted = deleted.filter(|message| message.flags.contains("\\Deleted"));
        deleted.map(|message| message.text.len() as u64).sum()
    }

    pub(super) fn counters(&self) -> crate::Counters {
        let with = |flag| {
            self.messages
                .values()
                .filter(|m| m.flags.contains(flag))
                .count() as u32
        };
        crate::Counters {
            messages: self.messages.len() as u32,
            unseen: self.messages.len() as u32 - with("\\Seen"),
            deleted: with("\\Deleted"),
            deleted_bytes: self.deleted_bytes(),
            size_bytes: self.messages.values().map(|m| m.text.len() as u64).sum(),
            uid_next: self.uid_next,
            highest_modseq: ModSeq(self.modseq),
        }
    }
}
