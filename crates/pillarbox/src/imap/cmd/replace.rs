//! REPLACE and UID REPLACE (RFC 8508).

use pillarbox_model::{Bound, NumberSet, Rights, SequenceSet, Uid};
use pillarbox_proto::imap::command::{AppendData, AppendMessage};
use pillarbox_proto::imap::encode::{self, Code, Status};
use pillarbox_proto::imap::frame::Frame;
use pillarbox_store::{Error, Row};

use super::{Completed, DoneCode, Outcome, Refusal, Session, Upload};
use crate::clock;

/// REPLACE: adds the message and removes the one it stands for, both or neither. What was said of it before its
/// literal was judged then.
///
/// APPENDUID comes in an untagged OK, before the sync tells what came and went (§3.2).
pub(super) async fn replace(
    session: &mut Session,
    (uid, number): (bool, Bound),
    mailbox: &[u8],
    message: AppendMessage<'_>,
    upload: Option<Upload>,
) -> Outcome {
    if matches!(message.data, AppendData::Inline(_)) {
        let text = "The message of REPLACE must be a literal";
        return Err(Refusal::Client(text.into()).into());
    }
    let mut upload = upload.unwrap_or_default();
    upload.judge_replaced(session.replaceable(uid, number).map(Some));
    let described = std::slice::from_ref(&message);
    let upload = session
        .put_together(mailbox, described, Some(upload))
        .await?;
    let (target, mut messages) = upload.into_messages(vec![message], clock::now())?;
    let message = messages
        .pop()
        .ok_or(Refusal::State("There is no message"))?;
    session.may_append(1)?;
    let old = session.replaceable(uid, number)?;
    let source = session.selected()?.member.mailbox().id();
    let store = session.endpoint.storage.store.clone();
    let replaced = store
        .replace(source, old.uid, target.info.id, message)
        .await;
    let appended = replaced.map_err(|error| match error {
        Error::NoTarget => Refusal::TryCreate,
        Error::NoMessage => Refusal::ExpungeIssued,
        other => Refusal::Store(other),
    })?;
    session.did(|notify, _| notify.did(target.info.id, appended.modseq));
    let uids: NumberSet = appended.uids.iter().map(|uid| uid.0).collect();
    let code = Code::AppendUid {
        uid_validity: appended.uid_validity.0,
        uids: &uids,
    };
    // Nothing of a mailbox that can't be read (RFC 4315 §4).
    if target.rights.all(Rights::READ) {
        encode::untagged(&mut session.wire.out, Status::Ok, Some(&code), "Replaced");
    }
    Ok(Completed {
        code: DoneCode::after_expunge(session, true),
        ..Completed::default()
    })
}

impl Session {
    /// The message in place of which an offered one is to come, if it is REPLACE's.
    pub(in crate::imap) fn replaced_by(&mut self, prefix: &Frame) -> Result<Option<Row>, Refusal> {
        // What can't be read is refused with the rest.
        let read = prefix.append_prefix().ok();
        match read.and_then(|read| read.replaces) {
            None => Ok(None),
            Some((false, _)) if self.dialect.uid_only => Err(Refusal::UidRequired),
            Some((uid, number)) => self.replaceable(uid, number).map(Some),
        }
    }

    /// The message that REPLACE names: it is there, and the client may remove it (RFC 8508 §4.1).
    fn replaceable(&mut self, uid: bool, number: Bound) -> Result<Row, Refusal> {
        self.selected()?.admit(Rights::DELETE | Rights::EXPUNGE)?;
        let set = SequenceSet::Ranges(vec![(number, number)]);
        let uids = self.resolve(uid, &set)?;
        let known = uids.first().ok_or(Refusal::NoMessage)?;
        let mailbox = self.selected()?.member.mailbox();
        let row = mailbox.read().get(Uid(known));
        row.ok_or(Refusal::ExpungeIssued)
    }
}
