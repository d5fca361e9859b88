//! STORE and UID STORE (RFC 3501 §6.4.6).

use pillarbox_model::{Flag, SequenceSet};
use pillarbox_proto::imap::command::StoreAction;
use pillarbox_store::FlagAction;

use super::{Completed, Outcome, Refusal, Session};
use crate::imap::fetch;

/// STORE. Messages that another session expunged are passed over by UID STORE; STORE says that there
/// were some, after changing the others (RFC 2180 §4.2.1).
pub(super) async fn store(
    session: &mut Session,
    uid: bool,
    set: &SequenceSet,
    action: StoreAction,
    silent: bool,
    flags: &[Flag],
) -> Outcome {
    if session.selected()?.read_only {
        return Err(Refusal::ReadOnly.into());
    }
    let uids = session.resolve(uid, set)?;
    if silent {
        // Silence is about our own change: what others changed before must not vanish under it.
        session.sync(false, None).await?;
    }
    let (mailbox, told) = {
        let selected = session.selected()?;
        (selected.member.mailbox().clone(), selected.told)
    };
    let store = session.endpoint.storage.store.clone();
    let action = match action {
        StoreAction::Replace => FlagAction::Replace,
        StoreAction::Add => FlagAction::Add,
        StoreAction::Remove => FlagAction::Remove,
    };
    let done = store
        .set_flags(mailbox.id(), &uids, action, flags, None)
        .await?;
    if !silent {
        let selected = session
            .selected
            .as_mut()
            .ok_or(Refusal::State("Nothing is selected"))?;
        selected.tell_keywords(mailbox.read().keywords(), &mut session.wire.out);
        fetch::tell_flags(session, uid, &uids).await?;
    }
    let gone = mailbox.read().missing_among(uids.ranges().iter().copied());
    if !uid && !gone.is_empty() {
        return Err(Refusal::ExpungeIssued.into());
    }
    // Another session may have come between the sync and the change. Its change has no mod-sequence of its
    // own any more, so that only ours can tell it: silence would hide both (RFC 3501 §6.4.6 allows the answer).
    let hides_others = silent && done.newest_before > told;
    Ok(Completed {
        silent: (!done.changed.is_empty() && !hides_others).then_some(done.modseq),
        ..Completed::default()
    })
}
