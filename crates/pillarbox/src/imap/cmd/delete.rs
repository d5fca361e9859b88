//! DELETE (RFC 3501 §6.3.4).

use pillarbox_model::Rights;
use pillarbox_store::Error;

use super::{Completed, Outcome, Refusal, Session};

/// DELETE. What lies below stays. The session's own selection ends with its mailbox.
pub(super) async fn delete(session: &mut Session, mailbox: &[u8]) -> Outcome {
    let found = match session.find(mailbox, Rights::DELETE_MAILBOX).await {
        Err(Refusal::Store(Error::NoMailbox)) if session.has_children(mailbox).await? => {
            return Err(Refusal::HasChildren.into());
        }
        outcome => outcome?,
    };
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
    session.tell_other_name(mailbox, &found.info.name, &["\\NonExistent"]);
    Ok(Completed::default())
}

impl Session {
    /// Whether a name that is no mailbox has some below it, which IMAP4rev2 has a word for (RFC 9051 §6.3.5).
    async fn has_children(&self, mailbox: &[u8]) -> Result<bool, Refusal> {
        if !self.dialect.rev2 {
            return Ok(false);
        }
        let (name, delimiter) = (self.new_name(mailbox)?, self.endpoint.storage.delimiter);
        let all = self.visible_mailboxes().await?;
        Ok(all
            .iter()
            .any(|one| one.info.name.is_below(&name, delimiter)))
    }
}
