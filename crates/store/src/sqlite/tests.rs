//! The contract over each keeper of blobs, and what is this engine's own.

use std::path::Path;

use pillarbox_model::Uid;

use super::*;
use crate::blobs::{Compression, Files, Options, Pack};
use crate::suite::memory::{Fault, Memory};
use crate::suite::{Stage, digester, message, name};
use crate::{FlagAction, Links};

fn settings(directory: &Path) -> Settings {
    Settings {
        grace: Duration::ZERO,
        // Mailboxes are loaded again and again.
        cache_bytes: 0,
        ..Settings::new(&directory.join("index.db"))
    }
}

/// A stage in a directory of its own.
fn stage(blobs: impl Fn(&Path) -> Arc<dyn Blobs> + Send + Sync + 'static) -> Stage {
    let directory = tempfile::tempdir().unwrap();
    Stage::new(move || {
        let path = directory.path();
        Arc::new(Engine::open(settings(path), blobs(path)).unwrap())
    })
}

/// A memory and an engine over it, in a directory: for those who look behind the contract.
fn bed() -> (tempfile::TempDir, Arc<Memory>, Stage) {
    let (directory, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::default()));
    let (path, blobs) = (directory.path().to_owned(), memory.clone());
    let open = move || {
        let engine = Engine::open(settings(&path), blobs.clone());
        Arc::new(engine.unwrap()) as Arc<dyn Store>
    };
    (directory, memory, Stage::new(open))
}

/// Asks the database itself, or changes it behind the engine's back.
fn database(directory: &Path) -> Connection {
    Connection::open(directory.join("index.db")).unwrap()
}

mod over_memory {
    use super::*;

    fn new() -> Stage {
        let memory = Arc::new(Memory::default());
        stage(move |_| memory.clone())
    }

    crate::contract!(new);
}

mod over_pack {
    use super::*;

    /// Segments so small that the stories fill many.
    fn new() -> Stage {
        stage(|path| {
            let options = Options {
                segment_bytes: 4_096,
                ..Options::new(&path.join("messages"))
            };
            Arc::new(Pack::open(options).unwrap())
        })
    }

    crate::contract!(new);
}

/// Two thirds of the mail go, and their room with them; what stays is read from where it was moved
/// to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn room_of_expunged_messages_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let mut stage = Stage::new(move || {
        let options = Options {
            segment_bytes: 4_096,
            linger: Duration::ZERO,
            ..Options::new(&path.join("messages"))
        };
        let blobs = Arc::new(Pack::open(options).unwrap());
        Arc::new(Engine::open(settings(&path), blobs).unwrap())
    });
    let inbox = stage.inbox().await.id;
    for n in 0..60 {
        stage
            .append(inbox, &format!("{n} {}", "x".repeat(400)), &[])
            .await;
    }
    let gone: NumberSet = (1..=60).filter(|uid| uid % 3 > 0).collect();
    stage.store().remove(inbox, &gone).await.unwrap();
    let listing = stage.listing(inbox).await;
    let files = || {
        std::fs::read_dir(directory.path().join("messages"))
            .unwrap()
            .count()
    };
    let before = files();
    for _ in 0..3 {
        stage.store().reap().await.unwrap();
    }
    assert!(files() < before / 2 + 2, "{} of {before}", files());
    for _ in 0..2 {
        assert_eq!(stage.listing(inbox).await, listing);
        assert_eq!(stage.store().check(None).await.unwrap(), []);
        stage.reopen();
    }
}

mod over_files {
    use super::*;

    fn new() -> Stage {
        stage(|path| Arc::new(Files::open(&path.join("messages"), Compression::Off).unwrap()))
    }

    crate::contract!(new);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_equal_message_of_an_account_is_kept_once() {
    let (directory, memory, stage) = bed();
    let inbox = stage.inbox().await.id;
    stage.append(inbox, "same", &[]).await;
    stage.append(inbox, "same", &[]).await;
    let twice = vec![message("new", &[]), message("new", &[])];
    stage.store().append(inbox, twice).await.unwrap();
    let refs = "SELECT group_concat(refs) FROM blob";
    let refs = database(directory.path()).query_row(refs, [], |row| row.get::<_, String>(0));
    assert_eq!(refs.unwrap(), "2,2");
    stage.store().reap().await.unwrap();
    assert_eq!(
        memory.count(),
        2,
        "the second of two new ones was written for nothing"
    );
}

/// Bytes of an append that is refused are given up, and not taken for lost messages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_of_a_refused_append_are_given_up() {
    let (_directory, memory, stage) = bed();
    let inbox = stage.inbox().await.id;
    let mut heavy = message("heavy", &[]);
    heavy.flags = (0..60)
        .map(|n| Flag::Keyword(format!("k{n}").into()))
        .collect();
    let refused = stage.store().append(inbox, vec![heavy]).await;
    assert!(matches!(refused, Err(Error::TooManyKeywords)));
    assert_eq!(
        (memory.count(), stage.store().check(None).await.unwrap()),
        (1, vec![])
    );
    stage.store().reap().await.unwrap();
    assert_eq!(memory.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_bytes_and_all_else_goes_on() {
    for fault in [Fault::Full, Fault::Sync] {
        let (_directory, memory, stage) = bed();
        let inbox = stage.inbox().await.id;
        stage.append(inbox, "one", &[]).await;
        memory.fail(Some(fault));
        let (store, everything) = (stage.store(), NumberSet::range(1..=9));
        let seen = [Flag::System(Flags::SEEN)];
        let (refused, flagged) = tokio::join!(
            store.append(inbox, vec![message("two", &[])]),
            store.set_flags(inbox, &everything, FlagAction::Add, &seen, None),
        );
        assert!(matches!(
            refused,
            Err(Error::Full(_) | Error::Unavailable(_))
        ));
        assert_eq!(flagged.unwrap().changed.len(), 1);
        memory.fail(None);
        stage.append(inbox, "three", &[]).await;
        assert_eq!(stage.listing(inbox).await, "1 \\Seen: one\n2 : three\n");
    }
}

/// The same for the database: it may not grow, then it may again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_database_refuses_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(settings(directory.path()), Arc::new(Memory::default())).unwrap();
    let account = engine.create_account("user", &[]).await.unwrap();
    let inbox = engine
        .mailbox(account.id, &name("INBOX"))
        .await
        .unwrap()
        .unwrap()
        .id;
    let limit = |pages: u32| {
        let connection = engine.committer.connection.lock().unwrap();
        let set = format!("PRAGMA max_page_count = {pages}");
        connection
            .query_row(&set, [], |row| row.get::<_, u32>(0))
            .unwrap()
    };
    limit(1);
    let mut acknowledged = 0;
    let refused = loop {
        let text = format!("{acknowledged} {}", "x".repeat(100));
        match engine.append(inbox, vec![message(&text, &[])]).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Full(_)), "{refused}");
    assert_eq!(
        engine.open(inbox).await.unwrap().counters().messages,
        acknowledged
    );
    limit(1_000_000);
    engine
        .append(inbox, vec![message("more", &[])])
        .await
        .unwrap();
    assert_eq!(
        engine.open(inbox).await.unwrap().counters().messages,
        acknowledged + 1
    );
    assert_eq!(engine.check(None).await.unwrap(), []);
}

/// And for one that turns read-only: what would write is refused, what is there is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_database_refuses_and_recovers() {
    let (directory, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::default()));
    let engine = Engine::open(settings(directory.path()), memory.clone()).unwrap();
    let account = engine.create_account("user", &[]).await.unwrap().id;
    let inbox = engine.mailbox(account, &name("INBOX")).await.unwrap();
    let inbox = inbox.unwrap().id;
    let append = async |text| engine.append(inbox, vec![message(text, &[])]).await;
    append("one").await.unwrap();
    let read_only = |yes: bool| {
        let connection = engine.committer.connection.lock().unwrap();
        connection.pragma_update(None, "query_only", yes).unwrap();
    };
    read_only(true);
    let everything = NumberSet::range(1..=9);
    assert!(matches!(append("two").await, Err(Error::Full(_))));
    let removed = engine.remove(inbox, &everything).await;
    assert!(matches!(removed, Err(Error::Full(_))));
    assert!(matches!(engine.reap().await, Err(Error::Full(_))));
    assert_eq!(memory.count(), 1, "bytes of what was refused are given up");
    assert_eq!(engine.open(inbox).await.unwrap().counters().messages, 1);
    read_only(false);
    assert_eq!(append("three").await.unwrap().uids, [Uid(2)]);
    assert_eq!(engine.check(None).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_counters_are_found_and_mended() {
    let (directory, _memory, stage) = bed();
    let inbox = stage.inbox().await.id;
    stage.append(inbox, "one", &[]).await;
    let open = stage.store().open(inbox).await.unwrap();
    let spoil = "UPDATE mailbox SET unseen = 7, uid_next = 1; UPDATE blob SET refs = 4;
        UPDATE account SET size_bytes = 99";
    database(directory.path()).execute_batch(spoil).unwrap();
    assert_eq!(stage.store().check(None).await.unwrap().len(), 3);
    assert_eq!(stage.store().check(Some(digester)).await.unwrap().len(), 3);
    assert_eq!(stage.store().check(None).await.unwrap(), []);
    assert_eq!(open.counters().unseen, 1);
    assert_eq!(stage.append(inbox, "two", &[]).await.uids, [Uid(2)]);
}

/// One value of each row, in one text.
fn column(directory: &Path, query: &str) -> String {
    let database = database(directory);
    let mut statement = database.prepare(query).unwrap();
    let values = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
    let values: Vec<String> = values.map(|value| value.unwrap().to_string()).collect();
    values.join(",")
}

/// RFC 8474 §5.1: copies and moved messages have the email id of the original, another message has
/// another one, also one of equal bytes, whose INTERNALDATE may differ.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn email_ids_go_along_with_copies() {
    let (directory, _memory, mut stage) = bed();
    let (inbox, other) = (stage.inbox().await.id, stage.create("other").await.id);
    for text in ["one", "two", "one"] {
        stage.append(inbox, text, &[]).await;
    }
    let ids = |stage: &Stage, mailbox: MailboxId| {
        let _open = stage.store();
        let query = format!("SELECT email FROM message WHERE mailbox = {mailbox} ORDER BY uid");
        column(directory.path(), &query)
    };
    let before = ids(&stage, inbox);
    let distinct: std::collections::BTreeSet<_> = before.split(',').collect();
    assert_eq!(distinct.len(), 3);
    stage.reopen();
    let everything = NumberSet::range(1..=9);
    let store = stage.store().clone();
    store
        .copy(inbox, &everything, inbox, false, Rights::ALL)
        .await
        .unwrap();
    assert_eq!(ids(&stage, inbox), format!("{before},{before}"));
    store
        .copy(inbox, &everything, other, true, Rights::ALL)
        .await
        .unwrap();
    assert_eq!(ids(&stage, other), format!("{before},{before}"));
    let account = stage.inbox().await.account;
    let (from, to) = (name("other"), name("new"));
    store.rename_mailbox(account, &from, &to).await.unwrap();
    stage.append(inbox, "new", &[]).await;
    let highest: i64 = before
        .split(',')
        .map(|id| id.parse().unwrap())
        .max()
        .unwrap();
    assert!(ids(&stage, inbox).parse::<i64>().unwrap() > highest);
    assert_eq!(ids(&stage, other), format!("{before},{before}"));
}

/// What came with a change is known by its mod-sequence, however often its flags change later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_know_when_they_came() {
    let (directory, _memory, stage) = bed();
    let inbox = stage.inbox().await.id;
    stage.append(inbox, "one", &[]).await;
    let second = stage.append(inbox, "two", &[]).await.modseq.0;
    let (store, everything) = (stage.store(), NumberSet::range(1..=9));
    let seen = [Flag::System(Flags::SEEN)];
    let flagged = store.set_flags(inbox, &everything, FlagAction::Add, &seen, None);
    assert!(flagged.await.unwrap().modseq.0 > second);
    let copied = store
        .copy(inbox, &NumberSet::range(1..=1), inbox, false, Rights::ALL)
        .await;
    let third = copied.unwrap().modseq.0;
    let created = column(directory.path(), "SELECT created FROM message ORDER BY uid");
    assert_eq!(created, format!("{},{second},{third}", second - 1));
    let late = "SELECT count(*) FROM message m JOIN mailbox b ON b.id = m.mailbox
        WHERE m.saved < b.created OR b.created < 1700000000";
    assert_eq!(column(directory.path(), late), "0");
}

/// Accounts count what all their mailboxes have, whatever happens to these.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_count_their_messages() {
    let (directory, _memory, stage) = bed();
    let (inbox, other) = (stage.inbox().await, stage.create("other").await);
    let usage = || {
        let query = "SELECT messages * 1000 + size_bytes FROM account ORDER BY id";
        column(directory.path(), query)
    };
    let (store, everything) = (stage.store(), NumberSet::range(1..=9));
    stage.append(inbox.id, "four", &[]).await;
    stage.append(inbox.id, "seven77", &[]).await;
    assert_eq!(usage(), "2011");
    store
        .copy(inbox.id, &everything, other.id, false, Rights::ALL)
        .await
        .unwrap();
    assert_eq!(usage(), "4022");
    store
        .copy(other.id, &everything, inbox.id, true, Rights::ALL)
        .await
        .unwrap();
    assert_eq!(usage(), "4022");
    store
        .remove(inbox.id, &NumberSet::range(1..=1))
        .await
        .unwrap();
    let to = name("kept");
    store
        .rename_mailbox(inbox.account, &inbox.name, &to)
        .await
        .unwrap();
    assert_eq!(usage(), "3018");
    stage.append(other.id, "two", &[]).await;
    store.delete_mailbox(other.id).await.unwrap();
    assert_eq!(usage(), "3018");
    let second = store.create_account("second", &[]).await.unwrap();
    assert_eq!(usage(), "3018,0");
    store.remove_account(second.id).await.unwrap();
    let refused = store
        .append(MailboxId(999), vec![message("none", &[])])
        .await;
    assert!(refused.is_err() && usage() == "3018");
    assert_eq!(store.check(None).await.unwrap(), []);
}

#[test]
fn a_newer_database_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    database(directory.path())
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let before = std::fs::read(directory.path().join("index.db")).unwrap();
    let opened = Engine::open(settings(directory.path()), Arc::new(Memory::default()));
    assert!(matches!(opened, Err(Error::Corrupt(text)) if text.contains("99")));
    assert_eq!(
        std::fs::read(directory.path().join("index.db")).unwrap(),
        before
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_one_may_have_it_open() {
    let (directory, memory, mut stage) = bed();
    let second = Engine::open(settings(directory.path()), memory);
    let holder = std::process::id().to_string();
    assert!(matches!(second, Err(Error::Unavailable(text)) if text.contains(&holder)));
    stage.reopen();
}

/// A message that only its bytes are left of comes back; one that the account has is only given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_messages_are_found_by_their_bytes() {
    let (_directory, memory, stage) = bed();
    let inbox = stage.inbox().await;
    stage.append(inbox.id, "known", &[]).await;
    let about = |account| About {
        account,
        mailbox: inbox.id,
        date: pillarbox_model::InternalDate::utc(7),
    };
    let bytes = |text: &'static str| NewBlob::Memory(Bytes::from_static(text.as_bytes()));
    let orphans = vec![
        (about(inbox.account), bytes("lost")),
        (about(inbox.account), bytes("known")),
        (about(AccountId(99)), bytes("nobody's")),
    ];
    memory.put(orphans).await.unwrap();
    let repaired = async |repair| -> Vec<bool> {
        let findings = stage.store().check(repair).await.unwrap();
        findings.iter().map(|finding| finding.repaired).collect()
    };
    assert_eq!(repaired(None).await, [false; 3]);
    assert_eq!(repaired(Some(digester)).await, [true, true, false]);
    stage.store().reap().await.unwrap();
    assert_eq!(repaired(Some(digester)).await, [false]);
    let recovered = stage
        .store()
        .mailbox(inbox.account, &name("Recovered"))
        .await;
    let recovered = stage
        .store()
        .open(recovered.unwrap().unwrap().id)
        .await
        .unwrap();
    let rows: Vec<Row> = recovered.read().range(0, u32::MAX).collect();
    assert_eq!((rows.len(), rows[0].date.unix_seconds), (1, 7));
    let contents = stage.store().contents(&rows, true).await.unwrap();
    assert_eq!(
        stage.store().read(&contents[0].location).await.unwrap(),
        "lost"
    );
}

/// Bytes of a message that was expunged a short while ago are no lost message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_an_expunged_message_does_not_come_back() {
    let (_directory, memory, stage) = bed();
    let inbox = stage.inbox().await;
    stage.append(inbox.id, "gone", &[]).await;
    let everything = NumberSet::range(1..=9);
    stage.store().remove(inbox.id, &everything).await.unwrap();
    let about = About {
        account: inbox.account,
        mailbox: inbox.id,
        date: pillarbox_model::InternalDate::utc(7),
    };
    let copy = NewBlob::Memory(Bytes::from_static(b"gone"));
    memory.put(vec![(about, copy)]).await.unwrap();
    assert_eq!(stage.store().check(Some(digester)).await.unwrap().len(), 1);
    let infos = stage.store().mailboxes(inbox.account).await.unwrap();
    assert_eq!(infos.len(), 1, "nothing was recovered");
    stage.store().reap().await.unwrap();
    assert_eq!(memory.count(), 0);
}

/// What answers are made from comes back with a repair.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_digests_are_made_anew() {
    let (directory, _memory, stage) = bed();
    let inbox = stage.inbox().await.id;
    for text in ["one", "two", "three"] {
        stage.append(inbox, text, &[]).await;
    }
    let listing = stage.listing(inbox).await;
    let spoil = "DELETE FROM digest WHERE blob = 1; UPDATE digest SET bytes = x'' WHERE blob = 2";
    database(directory.path()).execute_batch(spoil).unwrap();
    assert_eq!(stage.store().check(None).await.unwrap().len(), 2);
    let findings = stage.store().check(Some(digester)).await.unwrap();
    assert!(findings.len() == 2 && findings.iter().all(|finding| finding.repaired));
    assert_eq!(stage.store().check(None).await.unwrap(), []);
    assert_eq!(stage.listing(inbox).await, listing);
    let late = vec![(BlobId(99), Bytes::from_static(b"of a blob that is gone"))];
    stage.store().redigest(late).await.unwrap();
    assert_eq!(column(directory.path(), "SELECT count(*) FROM digest"), "3");
}

/// The database is lost, the segments are there: all mail comes back in accounts by their numbers,
/// and until then nobody gets an account, as it would be somebody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_database_is_made_anew_from_segments() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let mut stage = Stage::new(move || {
        let options = Options {
            segment_bytes: 4_096,
            ..Options::new(&path.join("messages"))
        };
        let blobs = Arc::new(Pack::open(options).unwrap());
        Arc::new(Engine::open(settings(&path), blobs).unwrap())
    });
    let (inbox, other) = (stage.inbox().await, stage.create("other").await);
    let second = stage.store().create_account("second", &[]).await.unwrap();
    let theirs = stage.store().mailbox(second.id, &name("INBOX")).await;
    let theirs = theirs.unwrap().unwrap().id;
    for n in 0..40 {
        let text = format!("{n} {}", "x".repeat(n * 17));
        stage
            .append([inbox.id, other.id, theirs][n % 3], &text, &[])
            .await;
    }
    let expunged = NumberSet::range(1..=3);
    stage.store().remove(inbox.id, &expunged).await.unwrap();
    stage.store().reap().await.unwrap();
    for file in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = std::fs::remove_file(directory.path().join(file));
    }
    stage.reopen();
    let store = stage.store().clone();
    let refused = store.create_account("intruder", &[]).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))));
    assert_eq!(store.check(None).await.unwrap().len(), 37 + 1);
    let findings = store.check(Some(digester)).await.unwrap();
    assert!(findings.len() == 38 && findings.iter().all(|finding| finding.repaired));
    assert_eq!(store.check(None).await.unwrap(), []);
    drop(store);
    stage.reopen();
    let store = stage.store();
    let names: Vec<_> = store.accounts().await.unwrap();
    let names: Vec<_> = names
        .iter()
        .map(|account| (account.id, &*account.name))
        .collect();
    assert_eq!(
        names,
        [(inbox.account, "recovered-1"), (second.id, "recovered-2")]
    );
    let mut found = Vec::new();
    for id in [inbox.account, second.id] {
        for info in store.mailboxes(id).await.unwrap() {
            found.push((info.name.to_string(), info.counters.messages));
        }
    }
    let expected = [
        ("INBOX", 0),
        ("Recovered", 0),
        (&format!("Recovered.{}", inbox.id), 11),
        (&format!("Recovered.{}", other.id), 13),
        ("INBOX", 0),
        ("Recovered", 0),
        (&format!("Recovered.{theirs}"), 13),
    ];
    assert_eq!(
        found,
        expected.map(|(name, count)| (name.to_owned(), count))
    );
    assert!(store.create_account("new", &[]).await.unwrap().id > second.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_bytes_are_reported() {
    let (_directory, memory, stage) = bed();
    let inbox = stage.inbox().await.id;
    stage.append(inbox, "one", &[]).await;
    let row = stage
        .store()
        .open(inbox)
        .await
        .unwrap()
        .read()
        .get(Uid(1))
        .unwrap();
    let content = stage
        .store()
        .contents(&[row], true)
        .await
        .unwrap()
        .remove(0);
    memory.lose(&content.location);
    let findings = stage.store().check(Some(digester)).await.unwrap();
    assert_eq!((findings.len(), findings[0].repaired), (1, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_a_store() {
    let directory = tempfile::tempdir().unwrap();
    let open = |at: &Path| {
        let pack = Pack::open(Options::new(&at.join("messages"))).unwrap();
        let engine: Arc<dyn Store> = Arc::new(Engine::open(settings(at), Arc::new(pack)).unwrap());
        engine
    };
    let (first, second) = (
        directory.path().join("first"),
        directory.path().join("second"),
    );
    std::fs::create_dir(&first).unwrap();
    let (at, copy) = (first.clone(), second.clone());
    let stage = Stage::new(move || open(&at));
    let inbox = stage.inbox().await.id;
    for n in 0..20 {
        stage
            .append(inbox, &format!("message {n}"), &["\\Seen", "$word"])
            .await;
    }
    stage.store().backup(&second).await.unwrap();
    let before = stage.listing(inbox).await;
    stage.append(inbox, "after the backup", &[]).await;
    assert!(
        stage.store().backup(&second).await.is_err(),
        "it overwrites nothing"
    );
    let original = stage.inbox().await;
    let mut restored = Stage::new(move || open(&copy));
    // The original went on: its UIDs now mean other messages than those to come here.
    let copied = restored.inbox().await;
    assert!(copied.uid_validity > original.uid_validity && copied.id == original.id);
    restored.reopen();
    assert_eq!(restored.inbox().await.uid_validity, copied.uid_validity);
    let made = restored.create("new").await;
    assert!(made.uid_validity > copied.uid_validity);
    assert_eq!(restored.listing(inbox).await, before);
    assert_eq!(restored.store().check(None).await.unwrap(), []);
}

/// After a commit whose outcome is not known nothing is written any more, until the store is opened
/// again; nobody sees what was not acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_commit_stops_all_writing() {
    let (directory, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::default()));
    let engine = Engine::open(settings(directory.path()), memory.clone()).unwrap();
    let account = engine.create_account("user", &[]).await.unwrap();
    let inbox = engine
        .mailbox(account.id, &name("INBOX"))
        .await
        .unwrap()
        .unwrap()
        .id;
    let append = async |engine: &Engine, text| engine.append(inbox, vec![message(text, &[])]).await;
    append(&engine, "one").await.unwrap();
    let open = engine.open(inbox).await.unwrap();
    let fail = |connection: &mut Connection| connection.commit_hook(Some(|| true)).unwrap();
    fail(&mut engine.committer.connection.lock().unwrap());
    let refused = append(&engine, "two").await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    let undo = |connection: &mut Connection| connection.commit_hook(None::<fn() -> bool>).unwrap();
    undo(&mut engine.committer.connection.lock().unwrap());
    assert!(matches!(
        append(&engine, "three").await,
        Err(Error::Unavailable(_))
    ));
    assert_eq!(open.counters().messages, 1);
    assert_eq!(
        engine.mailboxes(account.id).await.unwrap()[0].counters,
        open.counters()
    );
    drop(engine);
    let engine = Engine::open(settings(directory.path()), memory).unwrap();
    assert_eq!(append(&engine, "four").await.unwrap().uids, [Uid(2)]);
}

/// A copy that is made while others write is whole, and has all that was acknowledged before it
/// was begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_has_all_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let open = |at: &Path| {
        let options = Options {
            segment_bytes: 16 * 1024,
            linger: Duration::ZERO,
            ..Options::new(&at.join("messages"))
        };
        let engine = Engine::open(settings(at), Arc::new(Pack::open(options).unwrap()));
        Arc::new(engine.unwrap()) as Arc<dyn Store>
    };
    let store = open(directory.path());
    let account = store.create_account("user", &[]).await.unwrap().id;
    let inbox = store.mailbox(account, &name("INBOX")).await;
    let inbox = inbox.unwrap().unwrap().id;
    let acknowledged = Arc::new(Mutex::new(std::collections::BTreeMap::new()));
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let write = |writer: u32| {
        let (store, acknowledged, stop) = (store.clone(), acknowledged.clone(), stop.clone());
        tokio::spawn(async move {
            let mut n = 0;
            while !stop.load(std::sync::atomic::Ordering::Acquire) {
                n += 1;
                let text = format!("{writer} {n} {}", "x".repeat(n % 40 * 50));
                let done = store
                    .append(inbox, vec![message(&text, &[])])
                    .await
                    .unwrap();
                let uid = done.uids[0].0;
                if n % 3 == 0 {
                    // Never in the ledger.
                    let gone: NumberSet = [uid].into_iter().collect();
                    store.remove(inbox, &gone).await.unwrap();
                } else {
                    acknowledged.lock().unwrap().insert(uid, text);
                }
            }
        })
    };
    let writers: Vec<_> = (0..4).map(write).collect();
    let enough = |count: usize| acknowledged.lock().unwrap().len() >= count;
    for round in 0..4 {
        while !enough((round + 1) * 40) {
            tokio::task::yield_now().await;
        }
        store.reap().await.unwrap();
        let before = acknowledged.lock().unwrap().clone();
        let copy = directory.path().join(format!("copy{round}"));
        store.backup(&copy).await.unwrap();
        let copied = open(&copy);
        assert_eq!(
            copied
                .check(None)
                .await
                .unwrap()
                .iter()
                .filter(wrong)
                .count(),
            0
        );
        let open = copied.open(inbox).await.unwrap();
        let rows: Vec<Row> = open.read().range(0, u32::MAX).collect();
        let contents = copied.contents(&rows, false).await.unwrap();
        let mut found = std::collections::BTreeMap::new();
        for (row, content) in rows.iter().zip(&contents) {
            let bytes = copied.read(&content.location).await.unwrap();
            found.insert(row.uid.0, String::from_utf8(bytes.to_vec()).unwrap());
        }
        for (uid, text) in &before {
            assert_eq!(found.get(uid), Some(text), "message {uid}");
        }
    }
    stop.store(true, std::sync::atomic::Ordering::Release);
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Bytes that came after the rows were copied are no damage.
fn wrong(finding: &&Finding) -> bool {
    finding.problem != "no message names it"
}

/// Expunges are remembered up to a number of ranges. Whoever asks from further back is not told half of
/// them; a housekeeping that has nothing to forget forgets nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expunges_of_long_ago_are_known_to_be_forgotten() {
    let (_directory, _memory, stage) = bed();
    let inbox = stage.inbox().await.id;
    let (store, many) = (stage.store(), 2 * expunge::RANGES + 2);
    let messages = (0..many).map(|_| message("x", &[])).collect();
    let start = store.append(inbox, messages).await.unwrap().modseq;
    let all = NumberSet::range(1..=u32::MAX);
    let since = async |modseq| store.expunged_since(inbox, modseq, &all).await.unwrap();
    let odd = (1..many - 2).filter(|uid| uid % 2 == 1).collect();
    let first = store.remove(inbox, &odd).await.unwrap().modseq;
    store.reap().await.unwrap();
    assert_eq!(since(start).await.uids, odd);
    let last = NumberSet::range(many..=many);
    let second = store.remove(inbox, &last).await.unwrap().modseq;
    // Before the housekeeping as after it.
    for _ in 0..2 {
        assert!(!since(start).await.complete);
        let late = since(first).await;
        assert!(late.complete && late.uids == last, "{late:?}");
        assert!(since(second).await.complete);
        store.reap().await.unwrap();
    }
}

/// Identifiers that nothing mentioned for two years lead nowhere any more; others stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identifiers_are_forgotten_in_the_end() {
    let (directory, _, stage) = bed();
    let inbox = stage.inbox().await.id;
    let told = |own: u64, references: &[u64]| NewMessage {
        links: Links {
            own: Some(own),
            references: references.to_vec(),
            subject: 0,
        },
        ..message("x", &[])
    };
    let messages = vec![told(1, &[]), told(2, &[])];
    stage.store().append(inbox, messages).await.unwrap();
    let database = database(directory.path());
    let links = || -> i64 {
        let count = "SELECT count(*) FROM link";
        database.query_row(count, [], |row| row.get(0)).unwrap()
    };
    stage.store().reap().await.unwrap();
    assert_eq!(links(), 2);
    let old = "UPDATE link SET used = used - 2 * 366 * 86400";
    database.execute(old, []).unwrap();
    // One is mentioned again.
    stage
        .store()
        .append(inbox, vec![told(3, &[1])])
        .await
        .unwrap();
    stage.store().reap().await.unwrap();
    assert_eq!(links(), 2);
    let found = stage.store().facts(inbox, &NumberSet::range(1..=9)).await;
    let threads: Vec<_> = found.unwrap().iter().map(|(_, f)| f.thread).collect();
    assert!(threads[0] == threads[2] && threads[1].is_some());
    let account = stage.inbox().await.account;
    stage.store().remove_account(account).await.unwrap();
    assert_eq!(links(), 0);
}
