//! The contract, told as stories: what each is about is its name.
#![allow(missing_docs)]

mod annotation;
mod facts;
mod quota;

use pillarbox_model::{
    Flag, Flags, InternalDate, MailboxId, ModSeq, NumberSet, Rights, SpecialUse, Uid,
};

pub use annotation::*;
pub use facts::*;
pub use quota::*;

pub use super::sharing::*;
use super::{Stage, flags, message, name};
use crate::{About, Error, FlagAction, NewBlob, NewMessage, News, Row};

/// Everything there is.
fn all() -> NumberSet {
    NumberSet::range(1..=u32::MAX)
}

pub async fn what_was_acknowledged_is_there_after_reopening(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let first = stage.append(inbox.id, "one", &["\\Seen", "$Label"]).await;
    stage.append(inbox.id, "two", &[]).await;
    assert_eq!(
        (first.uids, first.uid_validity),
        (vec![Uid(1)], inbox.uid_validity)
    );
    for _ in 0..2 {
        assert_eq!(
            stage.listing(inbox.id).await,
            "1 $Label \\Seen: one\n2 : two\n"
        );
        let counters = stage.inbox().await.counters;
        assert_eq!(
            (counters.messages, counters.unseen, counters.uid_next),
            (2, 1, 3)
        );
        assert_eq!(
            (counters.size_bytes, counters.highest_modseq),
            (6, ModSeq(3))
        );
        stage.reopen();
    }
}

/// Memory and disk say the same after every operation.
pub async fn flags_copies_and_expunges_are_seen_in_open_mailboxes(stage: &mut Stage) {
    let (inbox, other) = (stage.inbox().await, stage.create("A.B").await);
    let open = stage.store().open(inbox.id).await.unwrap();
    let member = open.join();
    for text in ["one", "two", "three", "two"] {
        stage.append(inbox.id, text, &[]).await;
    }
    let (store, both) = (stage.store(), NumberSet::range(2..=3));
    let marks = flags(&["\\Deleted", "odd"]);
    let done = store
        .set_flags(inbox.id, &both, FlagAction::Add, &marks, None)
        .await
        .unwrap();
    assert_eq!(done.changed, both);
    let again = store
        .set_flags(inbox.id, &both, FlagAction::Add, &marks, None)
        .await
        .unwrap();
    assert!(again.changed.is_empty() && again.modseq == done.modseq);

    let copied = store
        .copy(inbox.id, &both, other.id, false, Rights::ALL)
        .await
        .unwrap();
    assert_eq!(
        (copied.from.to_string(), copied.to.to_string()),
        ("2:3".into(), "1:2".into())
    );
    let gone = store
        .expunge(inbox.id, Some(&NumberSet::range(1..=2)))
        .await
        .unwrap();
    assert_eq!(gone.uids.to_string(), "2");
    assert_eq!(open.read().expunged_modseq(), gone.modseq);
    assert_eq!(open.read().get(Uid(2)), None);
    let departed = open
        .read()
        .get_known(Uid(2))
        .expect("it is readable until its member was told");
    assert_eq!(store.contents(&[departed], false).await.unwrap().len(), 1);
    member.synced(gone.modseq);
    assert_eq!(open.read().get_known(Uid(2)), None);

    store
        .copy(
            inbox.id,
            &NumberSet::range(1..=1),
            other.id,
            true,
            Rights::ALL,
        )
        .await
        .unwrap();
    drop((member, open));
    for _ in 0..2 {
        let expected = "3 \\Deleted odd: three\n4 : two\n";
        assert_eq!(stage.listing(inbox.id).await, expected);
        let expected = "1 \\Deleted odd: two\n2 \\Deleted odd: three\n3 : one\n";
        assert_eq!(stage.listing(other.id).await, expected);
        assert_eq!(stage.store().check(None).await.unwrap(), []);
        stage.reopen();
    }
}

/// RFC 7162 §3.1.3: what changed since the client looked is left alone and reported.
pub async fn a_client_that_is_behind_changes_only_what_it_knows(stage: &mut Stage) {
    let inbox = stage.inbox().await.id;
    for text in ["one", "two", "three"] {
        stage.append(inbox, text, &[]).await;
    }
    let (store, second) = (stage.store(), NumberSet::range(2..=2));
    let known = store.open(inbox).await.unwrap().read().highest_modseq();
    let flagged = flags(&["\\Flagged"]);
    store
        .set_flags(inbox, &second, FlagAction::Add, &flagged, None)
        .await
        .unwrap();
    let seen = flags(&["\\Seen"]);
    let done = store
        .set_flags(inbox, &all(), FlagAction::Replace, &seen, Some(known))
        .await;
    let done = done.unwrap();
    assert_eq!(
        (done.changed.to_string(), done.modified),
        ("1,3".into(), second)
    );
    let expected = "1 \\Seen: one\n2 \\Flagged: two\n3 \\Seen: three\n";
    assert_eq!(stage.listing(inbox).await, expected);
}

pub async fn writers_that_meet_get_one_uid_each(stage: &mut Stage) {
    let inbox = stage.inbox().await.id;
    let write = |writer: u32| {
        let store = stage.store().clone();
        tokio::spawn(async move {
            let mut uids = Vec::new();
            for n in 0..8 {
                let text = format!("{writer} {n}");
                uids.extend(
                    store
                        .append(inbox, vec![message(&text, &[])])
                        .await
                        .unwrap()
                        .uids,
                );
            }
            assert!(uids.is_sorted());
            uids
        })
    };
    let writers: Vec<_> = (0..64).map(write).collect();
    let mut given = Vec::new();
    for writer in writers {
        given.extend(writer.await.unwrap());
    }
    given.sort();
    assert!(given.into_iter().eq((1..=512).map(Uid)));
    assert_eq!(stage.store().check(None).await.unwrap(), []);
}

/// While writers are at work, whoever reads sees mod-sequences rise, UIDs ascend, and of an append
/// of two messages never one.
pub async fn changes_are_seen_in_order_and_whole(stage: &mut Stage) {
    let inbox = stage.inbox().await.id;
    let open = stage.store().open(inbox).await.unwrap();
    let write = |writer: u32| {
        let store = stage.store().clone();
        tokio::spawn(async move {
            for n in 0..20 {
                let pair = ["a", "b"].map(|half| message(&format!("{writer} {n} {half}"), &[]));
                let uids = store.append(inbox, pair.into()).await.unwrap().uids;
                let first: NumberSet = [uids[0].0].into_iter().collect();
                let action = FlagAction::Add;
                store
                    .set_flags(inbox, &first, action, &flags(&["\\Seen"]), None)
                    .await
                    .unwrap();
            }
        })
    };
    let writers: Vec<_> = (0..8).map(write).collect();
    let (mut watch, mut known, mut last) = (open.watch(), ModSeq(0), 0);
    while last < 320 {
        {
            let rows = open.read();
            let highest = rows.highest_modseq();
            assert!(highest >= known && rows.len() % 2 == 0);
            let changed: Vec<Row> = rows.changed_since(known).collect();
            assert!(changed.iter().all(|row| row.modseq <= highest));
            let new = changed
                .iter()
                .map(|row| row.uid.0)
                .filter(|uid| *uid > last);
            assert!(new.eq(rows.range(last + 1, u32::MAX).map(|row| row.uid.0)));
            (known, last) = (highest, rows.uid_next() - 1);
        }
        if last < 320 {
            watch.changed().await.unwrap();
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(open.counters().unseen, 160);
}

/// Loading races with commits; what is in memory in the end is what is on disk.
pub async fn a_mailbox_opened_while_others_write_misses_nothing(stage: &mut Stage) {
    let inbox = stage.inbox().await.id;
    let write = |writer: u32| {
        let store = stage.store().clone();
        tokio::spawn(async move {
            for n in 0..25 {
                let text = format!("{writer} {n}");
                let uids = store
                    .append(inbox, vec![message(&text, &[])])
                    .await
                    .unwrap()
                    .uids;
                let uid: NumberSet = [uids[0].0].into_iter().collect();
                if n % 2 == 0 {
                    store.remove(inbox, &uid).await.unwrap();
                }
                let rows = store.open(inbox).await.unwrap();
                assert_eq!(rows.read().get(uids[0]).is_some(), n % 2 > 0);
            }
        })
    };
    let writers: Vec<_> = (0..6).map(write).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let before = stage.listing(inbox).await;
    stage.reopen();
    assert_eq!(stage.listing(inbox).await, before);
    assert_eq!(before.lines().count(), 6 * 12);
}

/// A long message is written as it comes; one that is cut off leaves nothing, and one that the
/// account has takes no room.
pub async fn a_message_may_come_in_pieces(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let about = About {
        account: inbox.account,
        mailbox: inbox.id,
        date: InternalDate::default(),
    };
    let store = stage.store().clone();
    let text = "0123456789".repeat(2_000);
    for _ in 0..2 {
        let mut writer = store.begin_blob(about, 20_000).await.unwrap();
        for piece in text.as_bytes().chunks(7_000) {
            writer.write(piece).await.unwrap();
        }
        let (written, bytes) = writer.finish().await.unwrap();
        assert_eq!((written.size_bytes, &bytes[..]), (20_000, text.as_bytes()));
        let whole = NewMessage {
            blob: NewBlob::Written(written),
            ..message("", &["\\Seen"])
        };
        store.append(inbox.id, vec![whole]).await.unwrap();
        let mut cut = store.begin_blob(about, 20_000).await.unwrap();
        cut.write(&text.as_bytes()[..10_000]).await.unwrap();
    }
    drop(store);
    for _ in 0..2 {
        let expected = format!("1 \\Seen: {text}\n2 \\Seen: {text}\n");
        assert_eq!(stage.listing(inbox.id).await, expected);
        assert_eq!(stage.store().check(None).await.unwrap(), []);
        stage.reopen();
    }
}

/// One operation of a batch is refused, the others stand.
pub async fn a_refusal_hurts_nobody_else(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let (nowhere, taken, everything) = (MailboxId(999), name("INBOX"), all());
    let store = stage.store();
    let too_many: Vec<Flag> = (0..60)
        .map(|n| Flag::Keyword(format!("k{n}").into()))
        .collect();
    let mut heavy = message("heavy", &[]);
    heavy.flags = too_many;
    let (appended, expunged, created, refused) = tokio::join!(
        store.append(inbox.id, vec![message("one", &[])]),
        store.expunge(nowhere, Some(&everything)),
        store.create_mailbox(inbox.account, &taken, None),
        store.append(inbox.id, vec![message("light", &[]), heavy]),
    );
    assert!(appended.is_ok());
    assert!(matches!(expunged, Err(Error::NoMailbox)));
    assert!(matches!(created, Err(Error::MailboxExists)));
    assert!(matches!(refused, Err(Error::TooManyKeywords)));
    assert_eq!(stage.listing(inbox.id).await, "1 : one\n");
    stage.append(inbox.id, "two", &["one"]).await;
    assert_eq!(stage.listing(inbox.id).await, "1 : one\n2 one: two\n");
}

pub async fn a_delivery_is_for_all_or_none(stage: &mut Stage) {
    let (inbox, other) = (stage.inbox().await.id, stage.create("other").await.id);
    let to = |mailboxes: &[MailboxId]| {
        let each = mailboxes.iter().map(|id| (*id, vec![message("news", &[])]));
        stage.store().deliver(each.collect())
    };
    assert!(matches!(
        to(&[inbox, MailboxId(999)]).await,
        Err(Error::NoMailbox)
    ));
    assert_eq!(stage.listing(inbox).await, "");
    assert_eq!(to(&[inbox, other]).await.unwrap().len(), 2);
    assert_eq!(stage.listing(inbox).await, stage.listing(other).await);
}

pub async fn renames_take_children_along_and_inbox_gives_its_messages(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    stage.create("a.b.c").await;
    stage.create("INBOX.kept").await;
    stage.append(inbox.id, "one", &["$word"]).await;
    let rename = async |from: &str, to: &str| {
        stage
            .store()
            .rename_mailbox(inbox.account, &name(from), &name(to))
            .await
    };
    rename("a", "x.y").await.unwrap();
    rename("INBOX", "old").await.unwrap();
    let infos = stage.store().mailboxes(inbox.account).await.unwrap();
    let seen: Vec<_> = infos
        .iter()
        .map(|m| format!("{} {}", m.name, m.counters.messages))
        .collect();
    let expected = [
        "INBOX 0",
        "INBOX.kept 0",
        "old 1",
        "x 0",
        "x.y 0",
        "x.y.b 0",
        "x.y.b.c 0",
    ];
    assert_eq!(seen, expected);
    assert_eq!(stage.listing(infos[2].id).await, "1 $word: one\n");
    assert!(matches!(rename("x", "x.z").await, Err(Error::IntoItself)));
    assert!(matches!(
        rename("x", "old").await,
        Err(Error::MailboxExists)
    ));
    assert!(matches!(rename("a", "b").await, Err(Error::NoMailbox)));
    // UIDs of INBOX go on where they were.
    assert_eq!(stage.append(inbox.id, "two", &[]).await.uids, [Uid(2)]);
}

/// A name that comes back has another UIDVALIDITY, and old sessions see theirs gone.
pub async fn a_deleted_mailbox_is_gone_for_all(stage: &mut Stage) {
    let (inbox, made) = (stage.inbox().await, stage.create("a").await);
    let below = stage.create("a.b").await;
    stage.append(made.id, "one", &[]).await;
    let open = stage.store().open(made.id).await.unwrap();
    let watch = open.watch();
    stage.store().delete_mailbox(made.id).await.unwrap();
    assert!(open.is_deleted() && watch.has_changed().unwrap());
    assert!(matches!(
        stage.store().open(made.id).await,
        Err(Error::NoMailbox)
    ));
    let listed = stage.store().mailboxes(inbox.account).await.unwrap();
    assert!(listed.iter().any(|info| info.id == below.id));
    let again = stage.create("a").await;
    assert!(again.uid_validity > made.uid_validity && again.id != made.id);
    assert_eq!(stage.listing(again.id).await, "");
    assert!(matches!(
        stage.store().delete_mailbox(inbox.id).await,
        Err(Error::Inbox)
    ));
    assert_eq!(stage.store().check(None).await.unwrap(), []);
}

pub async fn a_special_use_has_one_mailbox(stage: &mut Stage) {
    let account = stage.inbox().await.account;
    let make = async |text: &str| {
        let sent = Some(SpecialUse::Sent);
        stage
            .store()
            .create_mailbox(account, &name(text), sent)
            .await
    };
    assert_eq!(
        make("Sent").await.unwrap().special_use,
        Some(SpecialUse::Sent)
    );
    assert!(matches!(
        make("more.Sent").await,
        Err(Error::SpecialUseTaken)
    ));
    let more = stage.store().mailbox(account, &name("more")).await.unwrap();
    assert_eq!(
        more, None,
        "a refusal leaves nothing, not even what is above"
    );
}

/// RFC 3501 §6.3.6: a name may stay subscribed though its mailbox is gone.
pub async fn subscriptions_outlive_mailboxes(stage: &mut Stage) {
    let account = stage.inbox().await.account;
    let made = stage.create("gone").await;
    stage.create("old.child").await;
    stage.store().delete_mailbox(made.id).await.unwrap();
    stage
        .store()
        .subscribe(account, &name("never"), true)
        .await
        .unwrap();
    stage
        .store()
        .subscribe(account, &name("INBOX"), false)
        .await
        .unwrap();
    stage
        .store()
        .subscribe(account, &name("INBOX"), false)
        .await
        .unwrap();
    stage
        .store()
        .rename_mailbox(account, &name("old"), &name("new"))
        .await
        .unwrap();
    stage.reopen();
    let names = stage.store().subscriptions(account).await.unwrap();
    let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
    assert_eq!(names, ["gone", "never", "new", "new.child"]);
    assert!(!stage.inbox().await.subscribed);
}

pub async fn accounts_know_nothing_of_each_other(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let store = stage.store().clone();
    let uses = [(name("Bin"), Some(SpecialUse::Trash))];
    let other = store.create_account("other", &uses).await.unwrap();
    assert!(matches!(
        store.create_account("other", &[]).await,
        Err(Error::AccountExists)
    ));
    let theirs = store
        .mailbox(other.id, &name("INBOX"))
        .await
        .unwrap()
        .unwrap()
        .id;
    stage.append(inbox.id, "same", &[]).await;
    stage.append(theirs, "same", &[]).await;
    let open = store.open(theirs).await.unwrap();
    store.remove_account(other.id).await.unwrap();
    assert!(open.is_deleted());
    assert!(matches!(
        store.remove_account(other.id).await,
        Err(Error::NoAccount)
    ));
    store.reap().await.unwrap();
    assert_eq!(stage.listing(inbox.id).await, "1 : same\n");
    let again = store.create_account("other", &[]).await.unwrap();
    assert!(again.id > other.id, "ids never come back");
    assert_eq!(store.accounts().await.unwrap().len(), 2);
    assert_eq!(store.check(None).await.unwrap(), []);
}

/// Bytes go when the last message that named them went, and not before.
pub async fn what_nothing_names_is_given_up(stage: &mut Stage) {
    let (inbox, other) = (stage.inbox().await.id, stage.create("other").await.id);
    let store = stage.store().clone();
    stage.append(inbox, "kept", &[]).await;
    stage.append(inbox, "gone", &[]).await;
    stage.append(inbox, "kept", &["\\Deleted"]).await;
    store
        .copy(inbox, &NumberSet::range(2..=2), other, false, Rights::ALL)
        .await
        .unwrap();
    let second = store.open(inbox).await.unwrap().read().get(Uid(2)).unwrap();
    let second = store.contents(&[second], false).await.unwrap().remove(0);
    let deleted = [Flag::System(Flags::DELETED)];
    store
        .set_flags(
            inbox,
            &NumberSet::range(2..=3),
            FlagAction::Add,
            &deleted,
            None,
        )
        .await
        .unwrap();
    assert_eq!(
        store.expunge(inbox, None).await.unwrap().uids.to_string(),
        "2:3"
    );
    store.reap().await.unwrap();
    assert_eq!(store.read(&second.location).await.unwrap(), "gone");
    store.remove(other, &all()).await.unwrap();
    store.reap().await.unwrap();
    drop(store);
    for _ in 0..2 {
        assert_eq!(stage.listing(inbox).await, "1 : kept\n");
        assert_eq!(stage.store().check(None).await.unwrap(), []);
        stage.reopen();
    }
    // What was given up is not taken for the same when it comes again.
    stage.append(inbox, "gone", &[]).await;
    assert_eq!(stage.listing(inbox).await, "1 : kept\n4 : gone\n");
}

/// RFC 7162 §3.2.6: expunges and moves, of each mailbox its own, by mod-sequence.
pub async fn what_vanished_is_remembered(stage: &mut Stage) {
    let (inbox, other) = (stage.inbox().await.id, stage.create("other").await.id);
    for n in 0..6 {
        stage.append(inbox, &n.to_string(), &[]).await;
    }
    let store = stage.store().clone();
    let range = |from, to| NumberSet::range(from..=to);
    let start = store.open(inbox).await.unwrap().read().highest_modseq();
    let first = store.remove(inbox, &range(2, 3)).await.unwrap().modseq;
    store
        .copy(inbox, &range(5, 5), other, true, Rights::ALL)
        .await
        .unwrap();
    drop(store);
    let now = stage.inbox().await.counters.highest_modseq;
    for _ in 0..2 {
        let store = stage.store();
        let since = async |mailbox, modseq, among: NumberSet| {
            let vanished = store.expunged_since(mailbox, modseq, &among).await.unwrap();
            assert!(vanished.complete);
            vanished.uids.to_string()
        };
        assert_eq!(since(inbox, start, all()).await, "2:3,5");
        assert_eq!(since(inbox, first, all()).await, "5");
        assert_eq!(since(inbox, start, range(3, 4)).await, "3");
        assert_eq!(since(inbox, now, all()).await, "");
        assert_eq!(since(inbox, ModSeq(u64::MAX), all()).await, "");
        assert_eq!(since(other, ModSeq(1), all()).await, "");
        // From before there was a mailbox, nobody can know.
        let never = store.expunged_since(inbox, ModSeq(0), &all()).await;
        assert!(!never.unwrap().complete);
        let nowhere = store.expunged_since(MailboxId(999), start, &all()).await;
        assert!(matches!(nowhere, Err(Error::NoMailbox)));
        stage.reopen();
    }
}

/// Also while mailboxes are not open, and not of what was refused.
pub async fn whoever_watches_an_account_learns_of_all_its_changes(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let store = stage.store();
    let other = store.create_account("other", &[]).await.unwrap();
    let (mut feed, mut others) = (store.watch(inbox.account), store.watch(other.id));
    assert_eq!(feed.news(), News::default());
    let made = stage.create("A").await;
    assert!(feed.news().names);
    let appended = stage.append(inbox.id, "one", &["\\Deleted"]).await;
    feed.changed().await;
    let news = feed.news();
    let told: Vec<_> = news
        .mailboxes
        .iter()
        .map(|(id, now)| (*id, now.messages, now.highest_modseq))
        .collect();
    assert_eq!(
        (news.names, told),
        (false, vec![(inbox.id, 1, appended.modseq)])
    );
    store
        .copy(inbox.id, &all(), made.id, true, Rights::ALL)
        .await
        .unwrap();
    assert_eq!(feed.news().mailboxes.len(), 2);
    let both = [(name("A"), name("B")), (name("B"), name("C"))];
    for (from, to) in &both {
        store.rename_mailbox(inbox.account, from, to).await.unwrap();
        assert!(feed.news().names);
    }
    store
        .subscribe(inbox.account, &name("X"), true)
        .await
        .unwrap();
    assert!(feed.news().names);
    store.delete_mailbox(made.id).await.unwrap();
    let news = feed.news();
    assert!(news.names && news.mailboxes.is_empty());
    assert!(store.delete_mailbox(made.id).await.is_err());
    store.remove_account(inbox.account).await.unwrap();
    assert!(feed.news().names);
    assert_eq!(others.news(), News::default());
}
