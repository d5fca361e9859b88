//! STATUS (RFC 3501 §6.3.10).

use pillarbox_model::Rights;
use pillarbox_proto::imap::command::StatusItem;
use pillarbox_proto::imap::encode::{self, StatusValue};
use pillarbox_store::MailboxInfo;

use super::{Completed, Outcome, Session};
use crate::imap::facts::mailbox_id;

/// STATUS, from the mailbox's counters.
pub(super) async fn status(session: &mut Session, mailbox: &[u8], items: &[StatusItem]) -> Outcome {
    let found = session.find(mailbox, Rights::READ).await?;
    write(session, &found.info, items);
    Ok(Completed::default())
}

/// Writes a STATUS response.
pub(super) fn write(session: &mut Session, mailbox: &MailboxInfo, items: &[StatusItem]) {
    let append_limit = session.append_limit();
    let id = mailbox_id(mailbox.id, mailbox.uid_validity);
    let values: Vec<_> = items
        .iter()
        .map(|&item| match item {
            StatusItem::MailboxId => (item, StatusValue::Id(&id)),
            _ => (
                item,
                StatusValue::Number(value(mailbox, item, append_limit)),
            ),
        })
        .collect();
    let dialect = session.dialect;
    encode::list_status(&mut session.wire.out, &mailbox.name, &values, dialect);
}

fn value(mailbox: &MailboxInfo, item: StatusItem, append_limit: u64) -> u64 {
    let counters = &mailbox.counters;
    match item {
        StatusItem::Messages => counters.messages.into(),
        // \Recent is never set: RFC 9051 did away with it.
        StatusItem::Recent => 0,
        StatusItem::UidNext => counters.uid_next.into(),
        StatusItem::UidValidity => mailbox.uid_validity.0.into(),
        StatusItem::Unseen => counters.unseen.into(),
        StatusItem::Deleted => counters.deleted.into(),
        StatusItem::DeletedStorage => counters.deleted_bytes,
        StatusItem::Size => counters.size_bytes,
        StatusItem::HighestModSeq => counters.highest_modseq.0,
        StatusItem::AppendLimit => append_limit,
        StatusItem::MailboxId => mailbox.id.0,
    }
}
