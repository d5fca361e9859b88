//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7).

use super::{Completed, Outcome, Session};

/// Subscribes or unsubscribes a name, whether or not there is a mailbox of it: a client may
/// subscribe to what will come back.
pub(super) async fn subscribe(session: &mut Session, mailbox: &[u8], on: bool) -> Outcome {
    let name = session.name(mailbox)?;
    let account = session.user()?.account.id;
    session
        .endpoint
        .storage
        .store
        .subscribe(account, &name, on)
        .await?;
    Ok(Completed::default())
}
