//! RENAME (RFC 3501 §6.3.5).

use super::{Completed, Outcome, Session};

/// RENAME, with all that lies below. INBOX gives its messages away and stays.
pub(super) async fn rename(session: &mut Session, from: &[u8], to: &[u8]) -> Outcome {
    let (from, to) = (session.name(from)?, session.name(to)?);
    let account = session.user()?.account.id;
    session
        .endpoint
        .storage
        .store
        .rename_mailbox(account, &from, &to)
        .await?;
    Ok(Completed::default())
}
