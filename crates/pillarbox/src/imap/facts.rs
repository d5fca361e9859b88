//! What is said of messages beside their rows: EMAILID and THREADID (RFC 8474), SAVEDATE (RFC 8514).

use std::collections::HashMap;

use pillarbox_model::{InternalDate, MailboxId, NumberSet, Uid, UidValidity};
use pillarbox_proto::imap::command::FetchItem;
use pillarbox_proto::imap::encode::Fetch;
use pillarbox_store::{Error, Facts, Row, Store};

/// What stands before the number in the ids of mailboxes, messages and threads, so that no two of
/// them are equal (RFC 8474 §5.2, §8.1).
const MAILBOX: char = 'F';
const EMAIL: char = 'M';
const THREAD: char = 'T';

/// A mailbox's MAILBOXID. The number goes along when it is renamed, and is never used again; where
/// a restored copy goes other ways than the original did, UIDVALIDITY tells them apart.
pub(super) fn mailbox_id(id: MailboxId, validity: UidValidity) -> String {
    format!("{MAILBOX}{id}-{validity}")
}

/// The number in an EMAILID; `None` if it is none of ours, which no message has.
pub(super) fn email(id: &str) -> Option<u64> {
    number(id, EMAIL)
}

/// The number in a THREADID.
pub(super) fn thread(id: &str) -> Option<u64> {
    number(id, THREAD)
}

fn number(id: &str, prefix: char) -> Option<u64> {
    let number: u64 = id.strip_prefix(prefix)?.parse().ok()?;
    // Only as it was told, without signs and zeros before it.
    (format!("{prefix}{number}") == id).then_some(number)
}

/// Whether an item is one of these.
pub(super) const fn is_fact(item: &FetchItem<'_>) -> bool {
    matches!(
        item,
        FetchItem::EmailId | FetchItem::ThreadId | FetchItem::SaveDate
    )
}

/// Writes such an item.
pub(super) fn write(fetch: &mut Fetch<'_>, item: &FetchItem<'_>, facts: &Facts) {
    match (item, facts.thread) {
        (FetchItem::EmailId, _) => fetch.object_id("EMAILID", &format!("{EMAIL}{}", facts.email)),
        (FetchItem::ThreadId, Some(thread)) => {
            fetch.object_id("THREADID", &format!("{THREAD}{thread}"));
        }
        (FetchItem::ThreadId, None) => fetch.nil(b"THREADID"),
        (FetchItem::SaveDate, _) => fetch.save_date(InternalDate::utc(facts.saved)),
        _ => {}
    }
}

/// The facts of some messages, by UID. None of those that were expunged.
pub(super) async fn of(
    store: &dyn Store,
    mailbox: MailboxId,
    rows: &[Row],
) -> Result<HashMap<Uid, Facts>, Error> {
    let uids: NumberSet = rows.iter().map(|row| row.uid.0).collect();
    Ok(store.facts(mailbox, &uids).await?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_known_as_they_are_told_and_in_no_other_way() {
        assert_eq!((email("M12"), thread("T0")), (Some(12), Some(0)));
        let foreign = ["", "M", "12", "m12", "T12", "M012", "M+12", "M-1", "M12 "];
        for id in foreign.into_iter().chain(["M99999999999999999999999"]) {
            assert_eq!(email(id), None, "{id}");
        }
        assert_eq!(mailbox_id(MailboxId(3), UidValidity(7)), "F3-7");
    }
}
