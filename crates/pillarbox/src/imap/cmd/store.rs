//! STORE and UID STORE (RFC 3501 §6.4.6, RFC 7162 §3.1.3).

use pillarbox_model::{Flag, ModSeq, NumberSet, Rights, SequenceSet};
use pillarbox_proto::imap::command::{FetchItem, StoreAction};
use pillarbox_store::{FlagAction, FlagsSet};

use super::{Completed, DoneCode, Outcome, Refusal, Session};
use crate::imap::fetch;
use crate::imap::outcome::Halt;

/// What STORE is to do.
pub(super) struct Change<'a> {
    pub(super) action: StoreAction,
    pub(super) flags: &'a [Flag],
    /// Messages that changed after it are left alone.
    pub(super) unchanged_since: Option<u64>,
}

/// STORE. Messages that another session expunged are passed over by UID STORE; STORE says that there
/// were some, after changing the others (RFC 2180 §4.2.1).
pub(super) async fn store(
    session: &mut Session,
    uid: bool,
    set: &SequenceSet,
    change: Change<'_>,
    silent: bool,
) -> Outcome {
    session.selected()?.admit(Rights::NONE)?;
    let rights = session.selected()?.rights & Rights::FLAGS;
    let flags = permitted(&change, rights)?;
    let uids = session.resolve(uid, set)?;
    let uids = session.curb(uids)?;
    if silent {
        // Silence is about our own change: what others changed before must not vanish under it.
        session.sync(uid, None).await?;
    }
    let (mailbox, told) = {
        let selected = session.selected()?;
        (selected.member.mailbox().clone(), selected.told)
    };
    let store = session.endpoint.storage.store.clone();
    let action = match change.action {
        StoreAction::Replace if rights == Rights::FLAGS => FlagAction::Replace,
        StoreAction::Replace => FlagAction::ReplaceAmong(rights),
        StoreAction::Add => FlagAction::Add,
        StoreAction::Remove => FlagAction::Remove,
    };
    let since = change.unchanged_since.map(ModSeq);
    let change = store.set_flags(mailbox.id(), &uids, action, &flags, since);
    let done = session.patiently(change).await??;
    tell(session, uid, &uids, &done, silent, since.is_some()).await?;
    let modified = session.selected()?.names(uid, &done.modified);
    let gone = || mailbox.read().missing_among(uids.ranges().iter().copied());
    if !uid && !gone().is_empty() {
        return Err(match modified.is_empty() {
            true => Refusal::ExpungeIssued,
            false => Refusal::Modified(modified),
        }
        .into());
    }
    // Another session may have come between the sync and the change. Its change has no mod-sequence of its
    // own any more, so that only ours can tell it: silence would hide both (RFC 3501 §6.4.6 allows the answer).
    let hides_others = silent && done.newest_before > told;
    let mut completed = Completed {
        silent: (!done.changed.is_empty() && !hides_others).then_some(done.modseq),
        ..Completed::default()
    };
    if !modified.is_empty() {
        completed.code = DoneCode::Modified(modified);
        completed.text = "Some messages changed meanwhile and were left alone";
    }
    Ok(completed)
}

/// The flags that the user may change; others are passed over. Only where none is left, STORE fails (RFC 4314
/// §4).
fn permitted(change: &Change<'_>, rights: Rights) -> Result<Vec<Flag>, Refusal> {
    let permitted = change.flags.iter().filter(|flag| rights.change(flag));
    let permitted: Vec<Flag> = permitted.cloned().collect();
    match rights.is_empty() || (permitted.is_empty() && !change.flags.is_empty()) {
        true => Err(Refusal::NoPerm),
        false => Ok(permitted),
    }
}

/// Tells what became of the messages: their flags, or, where only these were to be left unsaid, their
/// mod-sequences (RFC 7162 §3.1.3). Of messages that a condition spared, it tells why.
async fn tell(
    session: &mut Session,
    uid: bool,
    uids: &NumberSet,
    done: &FlagsSet,
    silent: bool,
    conditional: bool,
) -> Result<(), Halt> {
    let dialect = session.dialect;
    let mut flags = fetch::told_flags(dialect).to_vec();
    if uid && !dialect.condstore && !dialect.uid_only {
        flags.insert(0, FetchItem::Uid);
    }
    let met = uids.difference(&done.modified);
    let (loud, quiet) = match silent {
        false => (uids, NumberSet::new()),
        true if conditional => (&done.modified, met),
        true if dialect.condstore => (&done.modified, done.changed.clone()),
        true => return Ok(()),
    };
    session.tell_keywords()?;
    fetch::tell_items(session, loud, &flags).await?;
    let mut items = fetch::told_flags(dialect).to_vec();
    items.retain(|item| *item != FetchItem::Flags);
    fetch::tell_items(session, &quiet, &items).await
}

impl Session {
    /// Names keywords that the client was not told of.
    fn tell_keywords(&mut self) -> Result<(), Refusal> {
        let selected = self
            .selected
            .as_mut()
            .ok_or(Refusal::State("Nothing is selected"))?;
        let mailbox = selected.member.mailbox().clone();
        selected.tell_keywords(mailbox.read().keywords(), &mut self.wire.out);
        Ok(())
    }
}
