//! What is known of messages beside their rows.

use pillarbox_model::{MailboxId, MailboxName, NumberSet, Rights, Uid};

use super::all;
use crate::suite::{Stage, message};
use crate::{Error, Facts, Links, NewMessage};

/// A message of which only that is told which others it has to do with.
fn linked(own: u64, references: &[u64], subject: u64) -> NewMessage {
    NewMessage {
        links: Links {
            own: Some(own).filter(|own| *own > 0),
            references: references.to_vec(),
            subject,
        },
        ..message(&format!("{own} {references:?} {subject}"), &[])
    }
}

/// The facts of all messages, in order.
async fn facts(stage: &Stage, mailbox: MailboxId) -> Vec<Facts> {
    let found = stage.store().facts(mailbox, &all()).await.unwrap();
    assert!(found.is_sorted_by_key(|(uid, _)| *uid));
    found.into_iter().map(|(_, facts)| facts).collect()
}

/// RFC 8474 §5.2.
pub async fn messages_that_refer_to_each_other_are_a_thread(stage: &mut Stage) {
    let (inbox, other) = (stage.inbox().await.id, stage.create("other").await.id);
    let store = stage.store().clone();
    let first = vec![
        linked(1, &[], 7),
        linked(2, &[1], 7),
        // A new subject is a new thread.
        linked(3, &[1, 2], 8),
        // It says nothing of others.
        linked(0, &[], 7),
        linked(0, &[], 7),
    ];
    store.append(inbox, first).await.unwrap();
    let then = vec![
        // Of a message that is not there, and of two that refer to it.
        linked(12, &[11], 7),
        linked(13, &[10, 11], 7),
        // It was referred to before it came.
        linked(11, &[], 7),
        // The nearest ancestor counts; those that are too far away are not looked for.
        linked(20, &[1, 12], 7),
        linked(21, &[&[1][..], &(100..140).collect::<Vec<_>>()].concat(), 7),
        linked(22, &[139], 7),
    ];
    store.append(other, then).await.unwrap();
    drop(store);
    for _ in 0..2 {
        let (inbox, other) = (facts(stage, inbox).await, facts(stage, other).await);
        let threads = |facts: &[Facts]| facts.iter().map(|f| f.thread).collect::<Vec<_>>();
        let (a, b) = (threads(&inbox), threads(&other));
        assert!(a.iter().chain(&b).all(Option::is_some));
        assert_eq!(a[0], a[1]);
        assert!(![a[0], a[2], a[4]].contains(&a[3]) && a[2] != a[0] && a[4] != a[0]);
        assert_eq!([b[0], b[0]], [b[1], b[2]]);
        assert!(b[0] != a[0] && b[3] == b[0]);
        assert!(b[4] == b[5] && ![a[0], b[0]].contains(&b[4]));
        stage.reopen();
    }
    // Another account's messages are others.
    let store = stage.store();
    let account = store.create_account("another", &[]).await.unwrap();
    let inbox_of_another = MailboxName::inbox();
    let theirs = store.mailbox(account.id, &inbox_of_another).await.unwrap();
    let theirs = theirs.unwrap().id;
    store
        .append(theirs, vec![linked(2, &[1], 7)])
        .await
        .unwrap();
    let (ours, theirs) = (facts(stage, inbox).await, facts(stage, theirs).await);
    assert!(ours.iter().all(|our| our.thread != theirs[0].thread));
    assert!(ours.iter().all(|our| our.email != theirs[0].email));
}

/// RFC 8474 §5.1, RFC 8514 §3.
pub async fn copies_are_the_same_message_and_were_saved_when_they_came(stage: &mut Stage) {
    let (inbox, other) = (stage.inbox().await, stage.create("other").await);
    let store = stage.store().clone();
    let twice = vec![linked(1, &[], 1), linked(1, &[], 1)];
    store.append(inbox.id, twice).await.unwrap();
    let before = facts(stage, inbox.id).await;
    // Equal bytes, but nobody said that they are one message.
    assert!(before[0].email != before[1].email && before[0].thread == before[1].thread);
    let second = NumberSet::range(2..=2);
    store
        .copy(inbox.id, &all(), other.id, false, Rights::ALL)
        .await
        .unwrap();
    store
        .copy(inbox.id, &second, other.id, true, Rights::ALL)
        .await
        .unwrap();
    drop(store);
    let same = |a: &Facts, b: &Facts| (a.email, a.thread) == (b.email, b.thread);
    for _ in 0..2 {
        let (kept, copies) = (facts(stage, inbox.id).await, facts(stage, other.id).await);
        assert_eq!((kept.len(), copies.len()), (1, 3));
        assert_eq!(kept[0], before[0]);
        assert!(same(&copies[0], &before[0]) && same(&copies[1], &before[1]));
        assert!(same(&copies[2], &before[1]));
        assert!(copies.iter().all(|copy| copy.saved >= before[0].saved));
        let found = stage.store().check(None).await.unwrap();
        assert_eq!(found, []);
        stage.reopen();
    }
    // What is not there has none.
    let gone = NumberSet::range(9..=10);
    assert_eq!(stage.store().facts(inbox.id, &gone).await.unwrap(), []);
}

/// RFC 8508 §3.4.
pub async fn a_message_is_replaced_or_stays(stage: &mut Stage) {
    let (inbox, other) = (stage.inbox().await, stage.create("other").await);
    for text in ["one", "two"] {
        stage.append(inbox.id, text, &["\\Flagged"]).await;
    }
    let store = stage.store().clone();
    let open = store.open(inbox.id).await.unwrap();
    let new = |text| message(text, &["\\Draft"]);
    let done = store
        .replace(inbox.id, Uid(1), inbox.id, new("three"))
        .await;
    assert_eq!(done.unwrap().uids, [Uid(3)]);
    let done = store.replace(inbox.id, Uid(2), other.id, new("two")).await;
    assert_eq!(done.unwrap().uids, [Uid(1)]);
    assert_eq!(open.read().range(0, 9).count(), 1);
    // What is refused leaves everything as it is.
    let again = store.replace(inbox.id, Uid(1), inbox.id, new("x")).await;
    assert!(matches!(again, Err(Error::NoMessage)));
    let nowhere = store
        .replace(inbox.id, Uid(3), MailboxId(999), new("x"))
        .await;
    assert!(matches!(nowhere, Err(Error::NoTarget)));
    let from_nowhere = store
        .replace(MailboxId(999), Uid(3), inbox.id, new("x"))
        .await;
    assert!(matches!(from_nowhere, Err(Error::NoMailbox)));
    drop((open, store));
    for _ in 0..2 {
        assert_eq!(stage.listing(inbox.id).await, "3 \\Draft: three\n");
        assert_eq!(stage.listing(other.id).await, "1 \\Draft: two\n");
        assert_eq!(stage.store().check(None).await.unwrap(), []);
        stage.reopen();
    }
}
