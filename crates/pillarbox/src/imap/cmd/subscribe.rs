//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7).

use super::{Completed, Outcome, Session};

/// Subscribes or unsubscribes a name, whether or not there is a mailbox of it: a client may
/// subscribe to what will come back.
pub(super) async fn subscribe(session: &mut Session, mailbox: &[u8], on: bool) -> Outcome {
    let (exact, composed) = (session.name(mailbox)?, session.new_name(mailbox)?);
    let found = session.visible(mailbox).await?;
    let account = session.user()?.account.id;
    let store = &session.endpoint.storage.store;
    if !on && exact != composed {
        // An old subscription in this very spelling.
        store.subscribe(account, &exact, false).await?;
    }
    let name = found.map_or(composed, |found| found.info.name);
    store.subscribe(account, &name, on).await?;
    session.did(|notify, _| notify.subscribed(&name, on));
    Ok(Completed::default())
}
