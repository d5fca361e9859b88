//! CREATE (RFC 3501 §6.3.3, RFC 6154 §3).

use pillarbox_model::SpecialUse;

use super::{Completed, DoneCode, Outcome, Refusal, Session};
use crate::imap::facts::mailbox_id;

/// CREATE, with at most one special use, which may not be one of those that need a virtual mailbox.
pub(super) async fn create(
    session: &mut Session,
    mailbox: &[u8],
    uses: &[Option<SpecialUse>],
) -> Outcome {
    let special_use = match uses {
        [] => None,
        [Some(SpecialUse::All | SpecialUse::Flagged)] => return Err(Refusal::UseAttribute.into()),
        [Some(only)] => Some(*only),
        _ => return Err(Refusal::UseAttribute.into()),
    };
    // One that was kept in this very spelling, before names were composed, is the same mailbox.
    if session.visible(mailbox).await?.is_some() {
        return Err(Refusal::Store(pillarbox_store::Error::MailboxExists).into());
    }
    let spot = session.spot(mailbox).await?;
    let store = &session.endpoint.storage.store;
    let made = store
        .create_mailbox(spot.account, &spot.name, special_use)
        .await?;
    session.did(|notify, own| notify.made(&made, own));
    let name = session.new_name(mailbox)?;
    session.tell_kept_name(mailbox, &name).await?;
    Ok(Completed {
        // RFC 8474 §4.1.
        code: DoneCode::MailboxId(mailbox_id(made.id, made.uid_validity)),
        ..Completed::default()
    })
}
