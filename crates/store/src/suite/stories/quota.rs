//! Quotas (RFC 9208).

use pillarbox_model::{NumberSet, PerResource, Resource, Rights};

use super::super::{Stage, message, name};
use crate::{Error, Limit, MailboxInfo, Quota};

/// What the account may have; `None` leaves it to the default.
async fn allow(stage: &Stage, storage: Option<u64>, message: Option<u64>, mailbox: Option<u64>) {
    let account = stage.inbox().await.account;
    let limit = |limit: Option<u64>| limit.map_or(Limit::Default, Limit::At);
    let limits = PerResource {
        storage: limit(storage),
        message: limit(message),
        mailbox: limit(mailbox),
    };
    stage.store().set_quota(account, limits).await.unwrap();
}

async fn quota(stage: &Stage) -> Quota {
    let account = stage.inbox().await.account;
    stage.store().quota(account).await.unwrap()
}

async fn append(stage: &Stage, mailbox: &MailboxInfo, text: &str) -> Result<(), Error> {
    let messages = vec![message(text, &[])];
    let done = stage.store().append(mailbox.id, messages).await;
    done.map(drop)
}

fn over<T>(done: Result<T, Error>) -> Option<(Resource, u64)> {
    match done {
        Err(Error::OverQuota { resource, limit }) => Some((resource, limit)),
        _ => None,
    }
}

pub async fn an_account_gets_no_more_than_its_quota(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    allow(stage, Some(10), Some(3), None).await;
    append(stage, &inbox, "12345").await.unwrap();
    let refused = append(stage, &inbox, "123456").await;
    assert_eq!(over(refused), Some((Resource::Storage, 10)));
    append(stage, &inbox, "1234").await.unwrap();
    append(stage, &inbox, "1").await.unwrap();
    // To the byte, and no message more, however small.
    let usage = quota(stage).await.usage;
    assert_eq!((usage.storage, usage.message, usage.mailbox), (10, 3, 1));
    let both = vec![message("x", &[])];
    let refused = stage.store().append(inbox.id, both).await;
    assert_eq!(over(refused), Some((Resource::Storage, 10)));
    allow(stage, Some(11), Some(3), None).await;
    let refused = append(stage, &inbox, "x").await;
    assert_eq!(over(refused), Some((Resource::Message, 3)));
    stage.reopen();
    assert_eq!(quota(stage).await.usage, usage);
    let found = stage.store().check(None).await.unwrap();
    assert_eq!(found, []);
}

pub async fn of_those_who_fill_an_account_at_once_some_win(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    allow(stage, Some(10), None, None).await;
    let writers = (0..20).map(|number| {
        let (store, id) = (stage.store().clone(), inbox.id);
        let text = format!("{number:03}");
        tokio::spawn(async move { store.append(id, vec![message(&text, &[])]).await })
    });
    let mut won = 0;
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.unwrap() {
            Ok(_) => won += 1,
            refused => assert_eq!(over(refused), Some((Resource::Storage, 10))),
        }
    }
    assert_eq!((won, quota(stage).await.usage.storage), (3, 9));
}

/// A copy counts like what it was made of; what only moves takes no room, also where there is none.
pub async fn copies_count_and_moves_do_not(stage: &mut Stage) {
    let (inbox, other) = (stage.inbox().await, stage.create("other").await);
    allow(stage, Some(10), Some(3), None).await;
    append(stage, &inbox, "123456").await.unwrap();
    let all = NumberSet::range(1..=u32::MAX);
    let store = stage.store().clone();
    let copied = store
        .copy(inbox.id, &all, other.id, false, Rights::ALL)
        .await;
    assert_eq!(over(copied), Some((Resource::Storage, 10)));
    allow(stage, Some(5), Some(0), None).await;
    store
        .copy(inbox.id, &all, other.id, true, Rights::ALL)
        .await
        .unwrap();
    let usage = quota(stage).await.usage;
    assert_eq!((usage.storage, usage.message), (6, 1));
    // Over its limit, it can still be tidied.
    store.remove(other.id, &all).await.unwrap();
    assert_eq!(quota(stage).await.usage.storage, 0);
    let refused = append(stage, &inbox, "1").await;
    assert_eq!(over(refused), Some((Resource::Message, 0)));
}

pub async fn a_delivery_that_one_has_no_room_for_is_for_none(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let store = stage.store().clone();
    let second = store.create_account("second", &[]).await.unwrap();
    let theirs = store
        .mailbox(second.id, &inbox.name)
        .await
        .unwrap()
        .unwrap();
    allow(stage, Some(3), None, None).await;
    let to_both = || {
        vec![
            (theirs.id, vec![message("1234", &[])]),
            (inbox.id, vec![message("1234", &[])]),
        ]
    };
    let refused = store.deliver(to_both()).await;
    assert_eq!(over(refused), Some((Resource::Storage, 3)));
    assert_eq!(store.quota(second.id).await.unwrap().usage.message, 0);
    allow(stage, Some(4), None, None).await;
    store.deliver(to_both()).await.unwrap();
}

pub async fn mailboxes_are_counted_with_those_above_them(stage: &mut Stage) {
    let account = stage.inbox().await.account;
    allow(stage, None, None, Some(3)).await;
    let store = stage.store().clone();
    let create = async |text: &str| store.create_mailbox(account, &name(text), None).await;
    assert_eq!(over(create("a.b.c").await), Some((Resource::Mailbox, 3)));
    create("a.b").await.unwrap();
    assert_eq!(over(create("d").await), Some((Resource::Mailbox, 3)));
    // A new name takes none, unless something has to be made above it.
    let rename = async |from: &str, to: &str| {
        let (from, to) = (name(from), name(to));
        store.rename_mailbox(account, &from, &to).await
    };
    rename("a", "d").await.unwrap();
    let refused = rename("d.b", "x.y").await;
    assert_eq!(over(refused), Some((Resource::Mailbox, 3)));
    let refused = rename("INBOX", "old").await;
    assert_eq!(over(refused), Some((Resource::Mailbox, 3)));
    let listed = store.mailboxes(account).await.unwrap();
    let names: Vec<_> = listed.iter().map(|info| info.name.to_string()).collect();
    assert_eq!(names, ["INBOX", "d", "d.b"]);
}

pub async fn a_quota_of_its_own_counts_more_than_the_default(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let account = inbox.account;
    stage.store().set_default_quota(PerResource {
        storage: Some(4),
        message: Some(1),
        mailbox: Some(2),
    });
    append(stage, &inbox, "1234").await.unwrap();
    let refused = append(stage, &inbox, "5").await;
    assert_eq!(over(refused), Some((Resource::Storage, 4)));
    let own = PerResource {
        storage: Limit::Unlimited,
        message: Limit::At(2),
        mailbox: Limit::Default,
    };
    stage.store().set_quota(account, own).await.unwrap();
    append(stage, &inbox, "56789").await.unwrap();
    let refused = append(stage, &inbox, "x").await;
    assert_eq!(over(refused), Some((Resource::Message, 2)));
    let found = quota(stage).await;
    let limits = (None, Some(2), Some(2));
    assert_eq!(
        (
            found.limits.storage,
            found.limits.message,
            found.limits.mailbox
        ),
        limits
    );
    // An account is made whole, though its mailboxes are more than the default allows.
    let made = [(name("a"), None), (name("b"), None), (name("c"), None)];
    let third = stage.store().create_account("third", &made).await.unwrap();
    assert_eq!(
        stage.store().quota(third.id).await.unwrap().usage.mailbox,
        4
    );
    stage.reopen();
    assert_eq!(quota(stage).await.own, own);
    let nobody = pillarbox_model::AccountId(99);
    let unknown = stage.store().quota(nobody).await;
    assert!(matches!(unknown, Err(Error::NoAccount)));
    let unknown = stage.store().set_quota(nobody, own).await;
    assert!(matches!(unknown, Err(Error::NoAccount)));
}
