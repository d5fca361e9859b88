//! RENAME (RFC 3501 §6.3.5).

use super::{Completed, Outcome, Session};

/// RENAME, with all that lies below. INBOX gives its messages away and stays.
pub(super) async fn rename(session: &mut Session, from: &[u8], to: &[u8]) -> Outcome {
    let (named, to) = (session.name(from)?, session.new_name(to)?);
    let from = session.find(from).await?.map_or(named, |found| found.name);
    let account = session.user()?.account.id;
    session
        .endpoint
        .storage
        .store
        .rename_mailbox(account, &from, &to)
        .await?;
    Ok(Completed::default())
}
