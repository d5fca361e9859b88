//! APPEND, also of several messages (RFC 3501 §6.3.11, RFC 3502).

use pillarbox_model::{NumberSet, Rights};
use pillarbox_proto::imap::command::AppendMessage;

use super::{Completed, DoneCode, Outcome, Refusal, Session, Upload};
use crate::clock;

/// APPEND. Its literals came before the command was whole; either all messages are added or none.
pub(super) async fn append(
    session: &mut Session,
    mailbox: &[u8],
    messages: Vec<AppendMessage<'_>>,
    upload: Option<Upload>,
) -> Outcome {
    let upload = session.put_together(mailbox, &messages, upload).await?;
    let (target, messages) = upload.into_messages(messages, clock::now())?;
    session.may_append(messages.len())?;
    let appended = session
        .endpoint
        .storage
        .store
        .append(target.info.id, messages)
        .await;
    let appended = appended.map_err(|error| match error {
        // Deleted while the message was on its way.
        pillarbox_store::Error::NoMailbox => Refusal::TryCreate,
        other => Refusal::Store(other),
    })?;
    session.did(|notify, _| notify.did(target.info.id, appended.modseq));
    session.tell_kept_name(mailbox, &target.info.name).await?;
    if !target.rights.all(Rights::READ) {
        // Nothing of a mailbox that can't be read (RFC 4315 §4).
        return Ok(Completed::default());
    }
    let uids: NumberSet = appended.uids.iter().map(|uid| uid.0).collect();
    Ok(Completed {
        code: DoneCode::AppendUid(appended.uid_validity, uids),
        ..Completed::default()
    })
}
