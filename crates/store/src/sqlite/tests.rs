//! Stories told to the engine, over a keeper that holds bytes in memory.

use std::path::Path;
use std::sync::Mutex;

use pillarbox_model::{InternalDate, Uid};

use super::*;
use crate::blob::{Reservation, Written};

#[derive(Default)]
struct MemoryBlobs {
    kept: Mutex<Vec<Bytes>>,
    full: std::sync::atomic::AtomicBool,
}

impl Blobs for MemoryBlobs {
    fn put<'a>(&'a self, blobs: Vec<(About, crate::NewBlob)>) -> Reply<'a, Vec<Location>> {
        Box::pin(async move {
            if self.full.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(std::io::Error::from(std::io::ErrorKind::StorageFull).into());
            }
            let mut kept = self.kept.lock().unwrap();
            let place = |(_, blob)| match blob {
                crate::NewBlob::Memory(bytes) => {
                    kept.push(bytes);
                    Location(format!("{}", kept.len() - 1).into())
                }
                crate::NewBlob::Written(Written {
                    location,
                    mut reservation,
                    ..
                }) => {
                    Reservation::keep(&mut *reservation);
                    location
                }
            };
            Ok(blobs.into_iter().map(place).collect())
        })
    }

    fn begin(&self, _: About, _: u64) -> Reply<'_, Box<dyn BlobWriter>> {
        Box::pin(async { Err(Error::Unavailable("not in these stories".into())) })
    }

    fn read<'a>(&'a self, location: &'a Location) -> Reply<'a, Bytes> {
        let index: usize = location.0.parse().unwrap();
        let found = self.kept.lock().unwrap()[index].clone();
        Box::pin(async move { Ok(found) })
    }

    fn forget<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, u64> {
        Box::pin(async move { Ok(locations.len() as u64) })
    }

    fn list(&self) -> Reply<'_, Vec<(Location, Option<About>, u64)>> {
        let kept = self.kept.lock().unwrap();
        let all = kept.iter().enumerate();
        let all = all.map(|(n, bytes)| (Location(n.to_string().into()), None, bytes.len() as u64));
        let all = all.collect();
        Box::pin(async move { Ok(all) })
    }

    fn backup<'a>(&'a self, _: &'a Path) -> Reply<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

struct Stage {
    directory: tempfile::TempDir,
    blobs: Arc<MemoryBlobs>,
    engine: Engine,
}

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Arc::new(MemoryBlobs::default());
        let engine = open(directory.path(), &blobs);
        Self {
            directory,
            blobs,
            engine,
        }
    }

    fn reopen(self) -> Self {
        let Self {
            directory,
            blobs,
            engine,
        } = self;
        drop(engine);
        let engine = open(directory.path(), &blobs);
        Self {
            directory,
            blobs,
            engine,
        }
    }

    async fn inbox(&self) -> MailboxInfo {
        let account = match self.engine.account("user").await.unwrap() {
            Some(account) => account,
            None => self.engine.create_account("user", &[]).await.unwrap(),
        };
        self.engine
            .mailbox(account.id, &MailboxName::inbox())
            .await
            .unwrap()
            .unwrap()
    }

    async fn append(&self, mailbox: MailboxId, text: &str, flags: &[&str]) -> Appended {
        self.engine
            .append(mailbox, vec![message(text, flags)])
            .await
            .unwrap()
    }

    /// Rows as `uid flags`, one a line.
    async fn listing(&self, mailbox: MailboxId) -> String {
        let open = self.engine.open(mailbox).await.unwrap();
        let rows = open.read();
        let line = |row: Row| {
            let names: Vec<_> = rows.keywords().names_of(row.flags).collect();
            format!("{} {}\n", row.uid, names.join(" "))
        };
        rows.range(0, u32::MAX).map(line).collect()
    }
}

fn open(directory: &Path, blobs: &Arc<MemoryBlobs>) -> Engine {
    Engine::open(Settings::new(&directory.join("index.db")), blobs.clone()).unwrap()
}

fn message(text: &str, flags: &[&str]) -> NewMessage {
    NewMessage {
        flags: flags.iter().filter_map(|name| Flag::parse(name)).collect(),
        date: InternalDate::utc(1_700_000_000),
        digest: Bytes::from_static(b"digest"),
        blob: crate::NewBlob::Memory(Bytes::copy_from_slice(text.as_bytes())),
    }
}

fn name(text: &str) -> MailboxName {
    MailboxName::new(text, Delimiter('.')).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_reopening() {
    let mut stage = Stage::new();
    let inbox = stage.inbox().await;
    let first = stage.append(inbox.id, "one", &["\\Seen", "$Label"]).await;
    stage.append(inbox.id, "two", &[]).await;
    assert_eq!(first.uids, [Uid(1)]);
    for _ in 0..2 {
        assert_eq!(stage.listing(inbox.id).await, "1 \\Seen $Label\n2 \n");
        let counters = stage.inbox().await.counters;
        assert_eq!(
            (counters.messages, counters.unseen, counters.uid_next),
            (2, 1, 3)
        );
        assert_eq!(counters.size_bytes, 6);
        stage = stage.reopen();
    }
}

/// Memory and disk say the same after every operation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_copies_and_expunges_are_seen_in_open_mailboxes() {
    let mut stage = Stage::new();
    let inbox = stage.inbox().await;
    let other = stage
        .engine
        .create_mailbox(inbox.account, &name("A.B"), None)
        .await
        .unwrap();
    let open = stage.engine.open(inbox.id).await.unwrap();
    let member = open.join();
    for text in ["one", "two", "three", "two"] {
        stage.append(inbox.id, text, &[]).await;
    }
    let both = NumberSet::range(2..=3);
    let deleted = [Flag::System(Flags::DELETED), Flag::Keyword("odd".into())];
    let set = |action, flags| stage.engine.set_flags(inbox.id, &both, action, flags, None);
    let done = set(FlagAction::Add, &deleted[..]).await.unwrap();
    assert_eq!(done.changed, both);
    let again = set(FlagAction::Add, &deleted[..]).await.unwrap();
    assert!(again.changed.is_empty() && again.modseq == done.modseq);

    let copied = stage
        .engine
        .copy(inbox.id, &both, other.id, false)
        .await
        .unwrap();
    assert_eq!(
        (copied.from.to_string(), copied.to.to_string()),
        ("2:3".into(), "1:2".into())
    );
    assert_eq!(
        stage.listing(other.id).await,
        "1 \\Deleted odd\n2 \\Deleted odd\n"
    );

    let gone = stage
        .engine
        .expunge(inbox.id, Some(&NumberSet::range(1..=2)))
        .await
        .unwrap();
    assert_eq!(gone.uids.to_string(), "2");
    assert_eq!(open.read().get(Uid(2)), None);
    assert!(
        open.read().get_known(Uid(2)).is_some(),
        "readable until told"
    );
    member.synced(gone.modseq);
    assert_eq!(open.read().get_known(Uid(2)), None);

    let moved = NumberSet::range(1..=1);
    stage
        .engine
        .copy(inbox.id, &moved, other.id, true)
        .await
        .unwrap();
    drop(member);
    drop(open);
    for _ in 0..2 {
        assert_eq!(stage.listing(inbox.id).await, "3 \\Deleted odd\n4 \n");
        assert_eq!(
            stage.listing(other.id).await,
            "1 \\Deleted odd\n2 \\Deleted odd\n3 \n"
        );
        assert_eq!(stage.engine.check(false).await.unwrap(), []);
        stage = stage.reopen();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_equal_message_of_an_account_is_kept_once() {
    let stage = Stage::new();
    let inbox = stage.inbox().await;
    stage.append(inbox.id, "same", &[]).await;
    stage.append(inbox.id, "same", &[]).await;
    let twice = vec![message("new", &[]), message("new", &[])];
    stage.engine.append(inbox.id, twice).await.unwrap();
    let named = stage.engine.readers.with(|sql| {
        Ok(
            sql.query_row("SELECT group_concat(refs) FROM blob", [], |row| {
                row.get::<_, String>(0)
            })?,
        )
    });
    assert_eq!(named.unwrap(), "2,2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_that_meet_get_one_uid_each() {
    let stage = Arc::new(Stage::new());
    let inbox = stage.inbox().await;
    let writers = (0..64).map(|writer| {
        let stage = stage.clone();
        tokio::spawn(async move {
            let mut uids = Vec::new();
            for n in 0..8 {
                uids.extend(
                    stage
                        .append(inbox.id, &format!("{writer} {n}"), &[])
                        .await
                        .uids,
                );
            }
            assert!(uids.is_sorted());
            uids
        })
    });
    let mut all = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        all.extend(writer.await.unwrap());
    }
    all.sort();
    assert!(all.into_iter().eq((1..=512).map(Uid)));
}

/// One operation of a batch is refused, the others stand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_hurts_nobody_else() {
    let stage = Stage::new();
    let inbox = stage.inbox().await;
    let (nowhere, taken) = (MailboxId(999), name("INBOX"));
    let both = NumberSet::range(1..=9);
    let (appended, refused, flagged) = tokio::join!(
        stage.engine.append(inbox.id, vec![message("one", &[])]),
        stage.engine.expunge(nowhere, Some(&both)),
        stage.engine.create_mailbox(inbox.account, &taken, None),
    );
    assert!(appended.is_ok());
    assert!(matches!(refused, Err(Error::NoMailbox)));
    assert!(matches!(flagged, Err(Error::MailboxExists)));
    assert_eq!(stage.listing(inbox.id).await, "1 \n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_reads_go_on() {
    let stage = Stage::new();
    let inbox = stage.inbox().await;
    stage.append(inbox.id, "one", &[]).await;
    stage
        .blobs
        .full
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let refused = stage
        .engine
        .append(inbox.id, vec![message("two", &[])])
        .await;
    assert!(matches!(refused, Err(Error::Full(_))));
    assert_eq!(stage.listing(inbox.id).await, "1 \n");
    stage
        .blobs
        .full
        .store(false, std::sync::atomic::Ordering::Relaxed);
    stage.append(inbox.id, "two", &[]).await;
    assert_eq!(stage.listing(inbox.id).await, "1 \n2 \n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renames_take_children_along_and_inbox_gives_its_messages() {
    let stage = Stage::new();
    let inbox = stage.inbox().await;
    let engine = &stage.engine;
    engine
        .create_mailbox(inbox.account, &name("a.b.c"), None)
        .await
        .unwrap();
    engine
        .create_mailbox(inbox.account, &name("INBOX.kept"), None)
        .await
        .unwrap();
    stage.append(inbox.id, "one", &[]).await;
    engine
        .rename_mailbox(inbox.account, &name("a"), &name("x.y"))
        .await
        .unwrap();
    engine
        .rename_mailbox(inbox.account, &name("INBOX"), &name("old"))
        .await
        .unwrap();
    let all = engine.mailboxes(inbox.account).await.unwrap();
    let names: Vec<_> = all
        .iter()
        .map(|m| (m.name.as_str(), m.counters.messages))
        .collect();
    let expected = [
        ("INBOX", 0),
        ("INBOX.kept", 0),
        ("old", 1),
        ("x", 0),
        ("x.y", 0),
        ("x.y.b", 0),
    ];
    assert_eq!(names[..6], expected);
    assert_eq!(names[6], ("x.y.b.c", 0));
    let into_itself = engine
        .rename_mailbox(inbox.account, &name("x"), &name("x.z"))
        .await;
    assert!(matches!(into_itself, Err(Error::IntoItself)));
    let taken = engine
        .rename_mailbox(inbox.account, &name("x"), &name("old"))
        .await;
    assert!(matches!(taken, Err(Error::MailboxExists)));
}

/// A name that comes back has another UIDVALIDITY, and old sessions see theirs gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_mailbox_is_gone_for_all() {
    let stage = Stage::new();
    let inbox = stage.inbox().await;
    let made = stage
        .engine
        .create_mailbox(inbox.account, &name("a"), None)
        .await
        .unwrap();
    stage.append(made.id, "one", &[]).await;
    let open = stage.engine.open(made.id).await.unwrap();
    let mut watch = open.watch();
    stage.engine.delete_mailbox(made.id).await.unwrap();
    assert!(open.is_deleted() && watch.has_changed().unwrap());
    watch.mark_unchanged();
    let again = stage
        .engine
        .create_mailbox(inbox.account, &name("a"), None)
        .await
        .unwrap();
    assert!(again.uid_validity > made.uid_validity && again.id != made.id);
    assert!(matches!(
        stage.engine.delete_mailbox(inbox.id).await,
        Err(Error::Inbox)
    ));
    assert_eq!(stage.engine.check(false).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_counters_are_found_and_mended() {
    let mut stage = Stage::new();
    let inbox = stage.inbox().await;
    stage.append(inbox.id, "one", &[]).await;
    let spoil = Connection::open(stage.directory.path().join("index.db")).unwrap();
    spoil
        .execute_batch("UPDATE mailbox SET unseen = 7, uid_next = 1")
        .unwrap();
    drop(spoil);
    stage = stage.reopen();
    assert_eq!(stage.engine.check(true).await.unwrap().len(), 1);
    assert_eq!(stage.engine.check(false).await.unwrap(), []);
    assert_eq!(stage.append(inbox.id, "two", &[]).await.uids, [Uid(2)]);
}

#[test]
fn a_newer_database_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index.db");
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let opened = Engine::open(Settings::new(&path), Arc::new(MemoryBlobs::default()));
    assert!(matches!(opened, Err(Error::Corrupt(text)) if text.contains("99")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_one_may_have_it_open() {
    let stage = Stage::new();
    let path = stage.directory.path().join("index.db");
    let second = Engine::open(Settings::new(&path), stage.blobs.clone());
    let holder = std::process::id().to_string();
    assert!(matches!(second, Err(Error::Unavailable(text)) if text.contains(&holder)));
    stage.reopen();
}

/// Bytes that were written for nothing are given up: of a refused append, and of the second of two equal messages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_no_row_names_are_given_up() {
    let stage = Stage::new();
    let inbox = stage.inbox().await;
    let other = name("gone");
    let gone = stage.engine.create_mailbox(inbox.account, &other, None);
    let gone = gone.await.unwrap().id;
    let (refused, deleted) = tokio::join!(
        stage.engine.deliver(vec![
            (inbox.id, vec![message("a", &[]), message("a", &[])]),
            (gone, vec![message("b", &["one"; 1])]),
        ]),
        stage.engine.delete_mailbox(gone),
    );
    deleted.unwrap();
    assert!(refused.is_ok());
    let full: Vec<_> = (0..60)
        .map(|n| Flag::Keyword(format!("k{n}").into()))
        .collect();
    let mut many = message("c", &[]);
    many.flags = full;
    let refused = stage.engine.append(inbox.id, vec![many]).await;
    assert!(matches!(refused, Err(Error::TooManyKeywords)));
    assert_eq!(stage.engine.reap().await.unwrap(), 2);
    assert_eq!(stage.engine.reap().await.unwrap(), 0);
    assert_eq!(stage.listing(inbox.id).await, "1 \n2 \n");
}
