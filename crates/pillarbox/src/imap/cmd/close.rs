//! CLOSE (RFC 3501 §6.4.2) and UNSELECT (RFC 3691).

use pillarbox_model::Rights;

use super::{Completed, Outcome, Session};

/// CLOSE: removes what is marked, says nothing of it, and selects nothing. A mailbox that is open read-only
/// keeps all.
pub(super) async fn close(session: &mut Session) -> Outcome {
    if let Some(selected) = session.selected.take()
        // Without the right to expunge, CLOSE only closes (RFC 4314 §4).
        && selected.admit(Rights::EXPUNGE).is_ok()
        && !selected.member.mailbox().is_deleted()
    {
        let mailbox = selected.member.mailbox().id();
        let known = selected.view.ranges();
        // Only what this client knows of: it can't have meant what came since.
        let known = pillarbox_model::NumberSet::from_ranges(known);
        let store = &session.endpoint.storage.store;
        let gone = store.expunge(mailbox, Some(&known)).await?;
        if !gone.uids.is_empty() {
            session.did(|notify, _| notify.did(mailbox, gone.modseq));
        }
    }
    Ok(Completed::default())
}

/// UNSELECT: selects nothing, and removes nothing.
pub(super) fn unselect(session: &mut Session) -> Outcome {
    session.selected = None;
    Ok(Completed::default())
}
