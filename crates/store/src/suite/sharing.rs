//! Rights, and what goes from one account to another.
#![allow(missing_docs)]

use pillarbox_model::{AccountId, MailboxId, NumberSet, Rights, RightsChange, limit};

use super::{Stage, name};
use crate::{Error, MailboxInfo};

fn rights(letters: &str) -> Rights {
    Rights::parse(letters).unwrap()
}

fn set(letters: &str) -> RightsChange {
    RightsChange::Set(rights(letters))
}

/// The list of a mailbox as `identifier rights`, from the row and from memory, which agree.
async fn list(stage: &Stage, mailbox: &MailboxInfo) -> Vec<String> {
    let store = stage.store();
    let row = store.mailbox(mailbox.account, &mailbox.name).await.unwrap();
    let row = row.unwrap().acl;
    assert_eq!(*store.open(mailbox.id).await.unwrap().acl(), row);
    let told = row.entries();
    told.map(|(identifier, rights)| format!("{identifier} {}", rights.letters()))
        .collect()
}

async fn other(stage: &Stage, account: &str) -> (AccountId, MailboxId) {
    let store = stage.store();
    let made = store.create_account(account, &[]).await.unwrap().id;
    let inbox = store.mailbox(made, &name("INBOX")).await.unwrap().unwrap();
    (made, inbox.id)
}

pub async fn rights_are_kept_and_sessions_hear_of_them(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let open = stage.store().open(inbox.id).await.unwrap();
    let mut watch = open.watch();
    watch.mark_unchanged();
    let store = stage.store().clone();
    store.set_rights(inbox.id, "ann", set("lrs")).await.unwrap();
    assert!(watch.has_changed().unwrap());
    let more = RightsChange::Add(rights("w"));
    store.set_rights(inbox.id, "ann", more).await.unwrap();
    let fewer = RightsChange::Remove(rights("sx"));
    store.set_rights(inbox.id, "ann", fewer).await.unwrap();
    store.set_rights(inbox.id, "-bob", set("w")).await.unwrap();
    let told = store.set_rights(inbox.id, "a b", set("i")).await.unwrap();
    assert_eq!(told.get("a b"), Some(Rights::INSERT));
    let all = ["-bob w", "a b i", "ann lrw"];
    assert_eq!(list(stage, &inbox).await, all);
    drop((store, open));
    stage.reopen();
    assert_eq!(list(stage, &inbox).await, all);
    let store = stage.store().clone();
    store.set_rights(inbox.id, "ann", set("")).await.unwrap();
    assert_eq!(list(stage, &inbox).await, ["-bob w", "a b i"]);
    let nowhere = store.set_rights(MailboxId(999), "ann", set("l")).await;
    assert!(matches!(nowhere, Err(Error::NoMailbox)));
}

pub async fn an_owner_stands_in_the_list_only_with_less_than_all(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let store = stage.store().clone();
    let fewer = RightsChange::Remove(rights("x"));
    store.set_rights(inbox.id, "user", fewer).await.unwrap();
    assert_eq!(list(stage, &inbox).await, ["user lrswipktecda"]);
    store.set_rights(inbox.id, "user", set("")).await.unwrap();
    assert_eq!(list(stage, &inbox).await, ["user "]);
    let all = RightsChange::Add(Rights::ALL);
    store.set_rights(inbox.id, "user", all).await.unwrap();
    assert!(list(stage, &inbox).await.is_empty());
}

pub async fn new_mailboxes_have_the_rights_of_the_one_above(stage: &mut Stage) {
    let above = stage.create("a").await;
    let store = stage.store().clone();
    store.set_rights(above.id, "ann", set("lr")).await.unwrap();
    let deep = stage.create("a.b.c").await;
    assert_eq!(list(stage, &deep).await, ["ann lr"]);
    // Rights go along with a rename, and end with their mailbox (RFC 4314 §4).
    let (from, to) = (name("a.b"), name("z"));
    store
        .rename_mailbox(deep.account, &from, &to)
        .await
        .unwrap();
    let moved = store.mailbox(deep.account, &name("z.c")).await.unwrap();
    assert_eq!(list(stage, &moved.unwrap()).await, ["ann lr"]);
    store.delete_mailbox(above.id).await.unwrap();
    let again = stage.create("a").await;
    assert!(list(stage, &again).await.is_empty());
}

pub async fn what_is_shared_is_found_by_identifier(stage: &mut Stage) {
    let (inbox, own) = (stage.inbox().await, stage.create("own").await);
    let (ann, _) = other(stage, "ann").await;
    let store = stage.store().clone();
    store.set_rights(inbox.id, "ann", set("lr")).await.unwrap();
    store
        .set_rights(inbox.id, "anyone", set("l"))
        .await
        .unwrap();
    store.set_rights(own.id, "bob", set("lr")).await.unwrap();
    let seen = store.shared_with(ann, &["ann", "anyone"]).await.unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(&*seen[0].owner, "user");
    let row = store.mailbox(inbox.account, &inbox.name).await.unwrap();
    assert_eq!(Some(&seen[0].mailbox), row.as_ref());
    let own = store.shared_with(inbox.account, &["anyone"]).await.unwrap();
    assert!(own.is_empty(), "one's own are not shared with one");
    let of = async |owner: &str, text: &str| {
        let found = store.mailbox_of(owner, &name(text)).await.unwrap();
        found.map(|found| found.id)
    };
    assert_eq!(of("user", "INBOX").await, Some(inbox.id));
    assert_eq!(of("user", "none").await, None);
    assert_eq!(of("nobody", "INBOX").await, None);
}

pub async fn a_name_that_goes_takes_its_rights_along(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let (ann, _) = other(stage, "ann").await;
    let store = stage.store().clone();
    for identifier in ["ann", "-ann", "anne"] {
        let done = store.set_rights(inbox.id, identifier, set("r")).await;
        done.unwrap();
    }
    store.remove_account(ann).await.unwrap();
    assert_eq!(list(stage, &inbox).await, ["anne r"]);
}

pub async fn a_list_of_rights_ends_somewhere(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let store = stage.store().clone();
    for number in 0..limit::ACL_ENTRIES {
        let identifier = format!("u{number}");
        let done = store.set_rights(inbox.id, &identifier, set("l")).await;
        done.unwrap();
    }
    let one_more = store.set_rights(inbox.id, "ann", set("l")).await;
    assert!(matches!(one_more, Err(Error::TooManyIdentifiers)));
    store.set_rights(inbox.id, "u0", set("lr")).await.unwrap();
}

/// Counters, bytes and flags are right on both sides, and what one side gives up the other keeps.
pub async fn messages_go_from_account_to_account(stage: &mut Stage) {
    let inbox = stage.inbox().await.id;
    let (_, theirs) = other(stage, "ann").await;
    let store = stage.store().clone();
    let large = "x".repeat(300_000);
    stage.append(inbox, "one", &["\\Seen", "Work"]).await;
    stage.append(inbox, &large, &["\\Deleted"]).await;
    stage.append(inbox, "one", &[]).await;
    stage.append(theirs, "one", &[]).await;
    let some = NumberSet::range(1..=2);
    let copied = store.copy(inbox, &some, theirs, false, Rights::ALL).await;
    let copied = copied.unwrap();
    assert_eq!(
        (copied.from, copied.to),
        (some.clone(), NumberSet::range(2..=3))
    );
    let all = NumberSet::range(1..=9);
    let keep = rights("t");
    let moved = store.copy(inbox, &all, theirs, true, keep).await.unwrap();
    assert_eq!(moved.from, NumberSet::range(1..=3));
    store.reap().await.unwrap();
    assert_eq!(stage.listing(inbox).await, "");
    let listing = stage.listing(theirs).await.replace(&large, "large");
    let expected = "1 : one\n2 Work \\Seen: one\n3 \\Deleted: large\n4 : one\n\
                    5 \\Deleted: large\n6 : one\n";
    assert_eq!(listing, expected);
    assert_eq!(store.check(None).await.unwrap(), []);
    let nothing = store.copy(inbox, &all, theirs, true, keep).await.unwrap();
    assert!(nothing.from.is_empty() && nothing.to.is_empty());
    let lost = store.copy(inbox, &all, MailboxId(999), true, keep).await;
    assert!(matches!(lost, Err(Error::NoTarget)));
}
