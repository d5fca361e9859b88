//! RENAME (RFC 3501 §6.3.5).

use pillarbox_model::Rights;

use super::{Completed, Outcome, Refusal, Session};

/// RENAME, with all that lies below. INBOX gives its messages away and stays.
pub(super) async fn rename(session: &mut Session, old: &[u8], new: &[u8]) -> Outcome {
    let from = session.find(old, Rights::DELETE_MAILBOX).await?;
    if from.kept_as.is_inbox() && from.info.name != from.kept_as {
        return Err(Refusal::Cannot("INBOX of another user can't be renamed").into());
    }
    let to = session.spot(new).await?;
    if from.info.account != to.account {
        return Err(Refusal::Cannot("A mailbox can't move to another account").into());
    }
    session
        .endpoint
        .storage
        .store
        .rename_mailbox(to.account, &from.kept_as, &to.name)
        .await?;
    let delimiter = session.endpoint.storage.delimiter;
    session.did(|notify, own| {
        if to.account == own && !from.info.name.is_inbox() {
            notify.renamed(&from.info.name, &to.name, delimiter);
        }
    });
    // One LIST tells both: what the old name was called, and what the new one is (RFC 9051 §6.3.6).
    let name = session.new_name(new)?;
    let differs = old != from.info.name.as_str().as_bytes() || new != name.as_str().as_bytes();
    if differs {
        session.tell_kept_name(old, &name).await?;
    }
    Ok(Completed::default())
}
