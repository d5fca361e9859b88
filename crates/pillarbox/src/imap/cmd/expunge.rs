//! EXPUNGE and UID EXPUNGE.

use pillarbox_model::{Flags, NumberSet, Rights, SequenceSet};

use super::{Completed, DoneCode, Outcome, Refusal, Session};

/// EXPUNGE (RFC 3501 §6.4.3), and UID EXPUNGE (RFC 4315 §2.1) where the client named UIDs in `among`.
///
/// The sync that follows every command tells what went.
pub(super) async fn expunge(session: &mut Session, among: Option<&SequenceSet>) -> Outcome {
    session.selected()?.admit(Rights::EXPUNGE)?;
    let among = among.map(|set| doomed(session, set)).transpose()?;
    let mailbox = session.selected()?.member.mailbox().id();
    let store = session.endpoint.storage.store.clone();
    let gone = session
        .patiently(store.expunge(mailbox, among.as_ref()))
        .await??
        .uids;
    Ok(Completed {
        code: DoneCode::after_expunge(session, !gone.is_empty()),
        ..Completed::default()
    })
}

/// The messages that UID EXPUNGE may remove. Only those that are marked count for a limit (RFC 9738 §3.1); all of
/// them can be removed by EXPUNGE.
fn doomed(session: &mut Session, set: &SequenceSet) -> Result<NumberSet, Refusal> {
    let uids = session.resolve(true, set)?;
    if session.endpoint.limits.messages.is_none() {
        return Ok(uids);
    }
    let mailbox = session.selected()?.member.mailbox().clone();
    let marked = {
        let rows = mailbox.read();
        let named = uids
            .ranges()
            .iter()
            .flat_map(|&(from, to)| rows.range(from, to));
        let marked = named.filter(|row| row.flags.contains(Flags::DELETED));
        marked.map(|row| row.uid.0).collect()
    };
    session.curb(marked)
}
