//! DELETE (RFC 3501 §6.3.4).

use pillarbox_model::Rights;

use super::{Completed, Outcome, Session};

/// DELETE. What lies below stays. The session's own selection ends with its mailbox.
pub(super) async fn delete(session: &mut Session, mailbox: &[u8]) -> Outcome {
    let found = session.find(mailbox, Rights::DELETE_MAILBOX).await?;
    session
        .endpoint
        .storage
        .store
        .delete_mailbox(found.info.id)
        .await?;
    session.did(|notify, _| notify.deleted(found.info.id));
    if session
        .selected
        .as_ref()
        .is_some_and(|s| s.member.mailbox().id() == found.info.id)
    {
        session.selected = None;
    }
    Ok(Completed::default())
}
