use std::collections::BTreeMap;

use super::*;
use crate::mailbox::chunk::CHUNK_ROWS;

fn row(uid: u32, modseq: u64) -> Row {
    Row {
        uid: Uid(uid),
        modseq: ModSeq(modseq),
        flags: Flags::NONE,
        date: InternalDate::default(),
        size: uid,
        blob: BlobId(u64::from(uid)),
    }
}

fn mailbox(uids: impl IntoIterator<Item = u32>) -> Arc<Mailbox> {
    let loaded = Loaded {
        id: MailboxId(1),
        account: AccountId(1),
        uid_validity: UidValidity(1),
        counters: Counters {
            highest_modseq: ModSeq(1),
            unseen: 1,
            ..Counters::default()
        },
        keywords: KeywordTable::default(),
        acl: Default::default(),
    };
    let rows = uids.into_iter().map(|uid| Ok::<_, ()>(row(uid, 1)));
    Arc::new(Mailbox::load(loaded, rows).unwrap())
}

/// The change with that mod-sequence.
fn delta(modseq: u64) -> Delta {
    Delta {
        mailbox: MailboxId(1),
        counters: Counters {
            highest_modseq: ModSeq(modseq),
            unseen: 1,
            ..Counters::default()
        },
        ..Delta::default()
    }
}

fn expunge(modseq: u64, uids: &[u32]) -> Delta {
    Delta {
        expunged: uids.iter().copied().collect(),
        ..delta(modseq)
    }
}

#[test]
fn an_expunged_message_stays_readable_until_everybody_was_told() {
    let mailbox = mailbox(1..=3);
    let (quick, slow) = (mailbox.join(), mailbox.join());
    mailbox.apply(&expunge(2, &[2]));
    quick.synced(ModSeq(2));
    assert_eq!(mailbox.read().get(Uid(2)), None);
    assert!(mailbox.read().get_known(Uid(2)).is_some());
    let late = mailbox.join();
    slow.synced(ModSeq(2));
    assert_eq!(mailbox.read().get_known(Uid(2)), None);

    mailbox.apply(&expunge(3, &[1]));
    assert!(mailbox.read().get_known(Uid(1)).is_some());
    drop((quick, slow, late));
    assert_eq!(mailbox.read().get_known(Uid(1)), None);
    mailbox.apply(&expunge(4, &[3]));
    assert_eq!(
        mailbox.read().get_known(Uid(3)),
        None,
        "nobody is there to be told"
    );
}

#[test]
fn departed_rows_have_an_end() {
    let over = members::DEPARTED_ROWS as u32 + 10;
    let mailbox = mailbox(1..=over);
    let member = mailbox.join();
    mailbox.apply(&expunge(2, &(1..=over).collect::<Vec<_>>()));
    let known = |uid| member.mailbox().read().get_known(Uid(uid)).is_some();
    assert!(!known(10) && known(11) && known(over));
}

#[test]
fn a_change_that_is_known_is_not_applied_again() {
    let mailbox = mailbox(1..=1);
    let added = Delta {
        added: vec![row(2, 2)],
        ..delta(2)
    };
    mailbox.apply(&added);
    mailbox.apply(&expunge(3, &[1]));
    mailbox.apply(&added);
    assert_eq!(mailbox.read().uid_ranges(), [(2, 2)]);
    assert_eq!(mailbox.read().highest_modseq(), ModSeq(3));
}

#[test]
fn watchers_wake_after_a_change_and_a_deletion() {
    let mailbox = mailbox(1..=1);
    let mut watch = mailbox.watch();
    mailbox.apply(&delta(2));
    assert!(!watch.has_changed().unwrap());
    mailbox.publish();
    assert_eq!(*watch.borrow_and_update(), 2);
    mailbox.apply(&Delta::deletion(AccountId(1), MailboxId(1)));
    mailbox.publish();
    assert!(watch.has_changed().unwrap() && mailbox.is_deleted());
}

/// Runs of consecutive numbers in an ascending list.
fn runs(uids: impl Iterator<Item = u32>) -> Vec<(u32, u32)> {
    uids.collect::<NumberSet>().ranges().to_vec()
}

/// Random changes to a mailbox of several chunks do what they do to a plain map.
#[test]
fn rows_agree_with_a_plain_map() {
    let mut seed = 5_u64;
    let mut next = |below: u32| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as u32 % below
    };
    for _ in 0..20 {
        let mailbox = mailbox([]);
        let (mut model, mut last) = (BTreeMap::<u32, Row>::new(), 0_u32);
        for modseq in 2..40 {
            let mut change = delta(modseq);
            let from = next(last + 1);
            let to = from + next(CHUNK_ROWS as u32 * 2);
            match next(3) {
                0 => {
                    for _ in 0..next(CHUNK_ROWS as u32) {
                        last += 1 + next(2);
                        change.added.push(row(last, modseq));
                        model.insert(last, row(last, modseq));
                    }
                }
                1 => {
                    change.expunged = (from..=to).filter(|uid| uid % 3 > 0).collect();
                    model.retain(|uid, _| !change.expunged.contains(*uid));
                }
                _ => {
                    for (uid, row) in model.range_mut(from..=to).filter(|(uid, _)| *uid % 2 == 0) {
                        row.flags = Flags(modseq);
                        row.modseq = ModSeq(modseq);
                        change.flagged.push((Uid(*uid), row.flags));
                    }
                }
            }
            mailbox.apply(&change);
            let rows = mailbox.read();
            assert_eq!(rows.len(), model.len());
            assert!(rows.range(0, u32::MAX).eq(model.values().copied()));
            assert!(
                rows.range(from, to)
                    .eq(model.range(from..=to).map(|(_, row)| *row))
            );
            assert_eq!(rows.uid_ranges(), runs(model.keys().copied()));
            let above = model.range(from + 1..).map(|(uid, _)| *uid);
            assert_eq!(rows.uid_ranges_above(from), runs(above));
            let since = u64::from(next(40));
            let changed = model.values().filter(|row| row.modseq.0 > since);
            assert!(rows.changed_since(ModSeq(since)).eq(changed.copied()));
            let known: Vec<_> = (0..5)
                .map(|n| (from + n * 700, from + n * 700 + 600))
                .collect();
            let gone = known
                .iter()
                .flat_map(|&(a, b)| a..=b)
                .filter(|uid| !model.contains_key(uid));
            assert_eq!(rows.missing_among(known.iter().copied()), gone.collect());
            assert_eq!(rows.get(Uid(to)), model.get(&to).copied());
            let unseen = model.values().find(|row| !row.flags.contains(Flags::SEEN));
            assert_eq!(rows.first_unseen(), unseen.map(|row| row.uid));
        }
    }
}

#[test]
fn the_cache_keeps_what_is_held_and_drops_the_rest() {
    let cache = Cache::new(100_000);
    let load = |id: u64| {
        let Opening::Load(ticket) = cache.open(MailboxId(id)) else {
            panic!("mailbox {id} is in memory");
        };
        let loaded = Loaded {
            id: MailboxId(id),
            account: AccountId(1),
            uid_validity: UidValidity(1),
            counters: Counters::default(),
            keywords: KeywordTable::default(),
            acl: Default::default(),
        };
        let rows = (1..=600).map(|uid| Ok::<_, ()>(row(uid, 1)));
        ticket.finish(Mailbox::load(loaded, rows).unwrap())
    };
    let held = load(1);
    drop(load(2));
    drop(load(3));
    assert!(cache.get(MailboxId(2)).is_none());
    assert!(Arc::ptr_eq(&held, &cache.get(MailboxId(1)).unwrap()));
}

#[tokio::test]
async fn what_is_committed_while_a_mailbox_loads_is_not_lost() {
    let cache = Cache::new(1_000_000);
    let Opening::Load(ticket) = cache.open(MailboxId(1)) else {
        panic!("nothing is in memory yet");
    };
    let Opening::Wait(mut done) = cache.open(MailboxId(1)) else {
        panic!("somebody loads it already");
    };
    let added = |uid, modseq| Delta {
        added: vec![row(uid, modseq)],
        ..delta(modseq)
    };
    // The first one is in the snapshot, the second is not.
    assert!(cache.apply(vec![added(1, 1), added(2, 2)]).is_empty());
    let snapshot = Arc::into_inner(mailbox(1..=1)).unwrap();
    let loaded = ticket.finish(snapshot);
    assert!(done.changed().await.is_err());
    assert_eq!(loaded.read().uid_ranges(), [(1, 2)]);

    cache.apply(vec![Delta::deletion(AccountId(1), MailboxId(1))]);
    assert!(loaded.is_deleted());
    let Opening::Load(ticket) = cache.open(MailboxId(1)) else {
        panic!("a deleted mailbox stays in memory");
    };
    drop(ticket);
    assert!(matches!(cache.open(MailboxId(1)), Opening::Load(_)));
}
