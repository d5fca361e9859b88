//! COPY, UID COPY (RFC 3501 §6.4.7) and MOVE, UID MOVE (RFC 6851).

use pillarbox_model::{Rights, SequenceSet};
use pillarbox_proto::imap::encode::{self, Code, Status};

use super::{Completed, DoneCode, Outcome, Refusal, Session};

/// COPY and MOVE. Either all messages that still exist are in the target, or none.
///
/// MOVE says COPYUID in an untagged OK, before the sync tells what went (RFC 6851 §4.3).
pub(super) async fn copy(
    session: &mut Session,
    uid: bool,
    remove: bool,
    set: &SequenceSet,
    mailbox: &[u8],
) -> Outcome {
    if remove {
        // RFC 6851 §4.2: what STORE, COPY and EXPUNGE together need.
        let needs = Rights::DELETE | Rights::EXPUNGE;
        session.selected()?.admit(needs)?;
    }
    let mut uids = session.resolve(uid, set)?;
    match remove {
        true => uids = session.curb(uids)?,
        false => session.within_save_limit(&uids)?,
    }
    let target = session.target(mailbox).await?;
    let source = session.selected()?.member.mailbox().id();
    let store = session.endpoint.storage.store.clone();
    let keep = target.rights & Rights::FLAGS;
    let copied = session
        .patiently(store.copy(source, &uids, target.info.id, remove, keep))
        .await??;
    // Nothing copied, nothing to say: unknown UIDs are no error (RFC 3501 §6.4.8), nor is a saved
    // result that is empty (RFC 5182 §2.1).
    if copied.from.is_empty() {
        return if uid || uids.is_empty() {
            Ok(Completed::default())
        } else {
            Err(Refusal::ExpungeIssued.into())
        };
    }
    session.did(|notify, _| notify.did(target.info.id, copied.modseq));
    // Nothing of a mailbox that can't be read (RFC 4315 §4).
    let tells = target.rights.all(Rights::READ);
    if !remove {
        return Ok(Completed {
            code: match tells {
                true => DoneCode::CopyUid(copied.uid_validity, copied.from, copied.to),
                false => DoneCode::None,
            },
            ..Completed::default()
        });
    }
    if tells {
        let code = Code::CopyUid {
            uid_validity: copied.uid_validity.0,
            from: &copied.from,
            to: &copied.to,
        };
        encode::untagged(&mut session.wire.out, Status::Ok, Some(&code), "Moved");
    }
    Ok(Completed {
        code: DoneCode::after_expunge(session, true),
        ..Completed::default()
    })
}
