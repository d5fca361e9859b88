//! DELETE (RFC 3501 §6.3.4).

use super::{Completed, Outcome, Refusal, Session};

/// DELETE. What lies below stays. The session's own selection ends with its mailbox.
pub(super) async fn delete(session: &mut Session, mailbox: &[u8]) -> Outcome {
    let found = session.find(mailbox).await?;
    let found = found.ok_or(Refusal::Store(pillarbox_store::Error::NoMailbox))?;
    session
        .endpoint
        .storage
        .store
        .delete_mailbox(found.id)
        .await?;
    if session
        .selected
        .as_ref()
        .is_some_and(|s| s.member.mailbox().id() == found.id)
    {
        session.selected = None;
    }
    Ok(Completed::default())
}
