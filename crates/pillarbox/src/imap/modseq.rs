//! Mod-sequences (RFC 7162): who is told of them, and from when on.

use pillarbox_model::{ModSeq, NumberSet, Uid};
use pillarbox_proto::imap::command::{Command, FetchModifier, SelectParameter};
use pillarbox_proto::imap::encode::{self, Code, Status};

use super::{Refusal, Selected, Session};

/// The extension that a command needs, as it is written.
fn extension(command: &Command<'_>) -> Option<&'static str> {
    let resynchronizes = match command {
        Command::Select { parameters, .. } => parameters
            .iter()
            .any(|parameter| matches!(parameter, SelectParameter::QResync { .. })),
        Command::Fetch { modifiers, .. } => modifiers.contains(&FetchModifier::Vanished),
        _ => false,
    };
    match resynchronizes {
        true => Some("QRESYNC"),
        false => command.enables_condstore().then_some("CONDSTORE"),
    }
}

/// VANISHED is for UID FETCH with CHANGEDSINCE alone (RFC 7162 §3.2.6).
fn misplaced_vanished(command: &Command<'_>) -> bool {
    let Command::Fetch { uid, modifiers, .. } = command else {
        return false;
    };
    let since = |modifier: &FetchModifier| matches!(modifier, FetchModifier::ChangedSince(_));
    modifiers.contains(&FetchModifier::Vanished) && !(*uid && modifiers.iter().any(since))
}

impl Session {
    /// Looks at what a command says of mod-sequences, before it is done.
    ///
    /// # Errors
    /// It needs what is not announced, or was not enabled: without its modifier it would do something else
    /// than was asked for (RFC 4466 §2.1, §2.4, §2.5).
    pub(super) fn heed_modseqs(&mut self, command: &Command<'_>) -> Result<(), Refusal> {
        let Some(extension) = extension(command) else {
            return Ok(());
        };
        if !self.announces(extension) {
            return Err(Refusal::Client(
                format!("{extension} is not offered").into(),
            ));
        }
        if extension == "QRESYNC" && !self.dialect.qresync {
            return Err(Refusal::Client("ENABLE QRESYNC comes first".into()));
        }
        if misplaced_vanished(command) {
            let text = "VANISHED goes with UID FETCH and CHANGEDSINCE";
            return Err(Refusal::Client(text.into()));
        }
        // SELECT says where the mailbox is that it opens; the one before does not matter any more.
        match command {
            Command::Select { .. } => self.dialect.condstore = true,
            _ => self.know_modseqs(),
        }
        Ok(())
    }

    /// The client knows mod-sequences from now on. Where the selected mailbox is, it is told at once (RFC 7162
    /// §3.1).
    pub(super) fn know_modseqs(&mut self) {
        if std::mem::replace(&mut self.dialect.condstore, true) {
            return;
        }
        if let Some(selected) = &self.selected {
            selected.tell_modseq(&mut self.wire.out, "Mod-sequences are told from here on");
        }
    }
}

impl Session {
    /// Where a client is that is not told all that changes, after NOTIFY (RFC 5465): later mod-sequences, which it
    /// may have seen, say nothing about that.
    pub(super) fn tell_if_behind(&mut self) {
        let behind = |selected: &&Selected| {
            selected.member.mailbox().read().highest_modseq() > selected.known_modseq()
        };
        if self.dialect.condstore
            && self.notify.is_some()
            && let Some(selected) = self.selected.as_ref().filter(behind)
        {
            selected.tell_modseq(&mut self.wire.out, "Later changes are not told");
        }
    }
}

impl Selected {
    /// Up to where the client was told everything.
    pub(super) fn known_modseq(&self) -> ModSeq {
        let told = self.told.min(self.told_expunges);
        self.unheard.map_or(told, |unheard| unheard.min(told))
    }

    /// HIGHESTMODSEQ: never above what was told, so that a client which asks from there misses nothing (RFC
    /// 7162 §3.2).
    pub(super) fn tell_modseq(&self, out: &mut Vec<u8>, text: &str) {
        let code = Code::HighestModSeq(self.known_modseq().0);
        encode::untagged(out, Status::Ok, Some(&code), text);
    }

    /// Those of `uids` that changed after `since`.
    pub(super) fn changed_among(&self, uids: &NumberSet, since: ModSeq) -> NumberSet {
        let rows = self.member.mailbox().read();
        let changed = rows.changed_since(since).map(|row| row.uid.0);
        changed.collect::<NumberSet>().intersection(uids)
    }

    /// Messages of the view as the client names them: by UID, or by number.
    pub(super) fn names(&self, uid: bool, uids: &NumberSet) -> NumberSet {
        match uid {
            true => uids.clone(),
            false => uids.iter().filter_map(|uid| self.view.seq(uid)).collect(),
        }
    }

    /// The highest mod-sequence of these messages of the view.
    pub(super) fn highest_modseq(&self, uids: &NumberSet) -> Option<ModSeq> {
        let rows = self.member.mailbox().read();
        let named = |&(from, to): &(u32, u32)| rows.range(from, to);
        let live = uids.ranges().iter().flat_map(named).map(|row| row.modseq);
        // All of them may be expunged, and not yet told of.
        live.max().or_else(|| {
            let known = uids
                .iter()
                .take(1)
                .filter_map(|uid| rows.get_known(Uid(uid)));
            known.map(|row| row.modseq).max()
        })
    }
}
