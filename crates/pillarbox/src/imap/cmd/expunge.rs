//! EXPUNGE and UID EXPUNGE.

use pillarbox_model::{Rights, SequenceSet};

use super::{Completed, DoneCode, Outcome, Session};

/// EXPUNGE (RFC 3501 §6.4.3), and UID EXPUNGE (RFC 4315 §2.1) where the client named UIDs in `among`.
///
/// The sync that follows every command tells what went.
pub(super) async fn expunge(session: &mut Session, among: Option<&SequenceSet>) -> Outcome {
    session.selected()?.admit(Rights::EXPUNGE)?;
    let among = among.map(|set| session.resolve(true, set)).transpose()?;
    let mailbox = session.selected()?.member.mailbox().id();
    let store = session.endpoint.storage.store.clone();
    let gone = store.expunge(mailbox, among.as_ref()).await?.uids;
    Ok(Completed {
        code: DoneCode::after_expunge(session, !gone.is_empty()),
        ..Completed::default()
    })
}
