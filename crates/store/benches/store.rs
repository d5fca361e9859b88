//! How fast the embedded engine is, with real syncs: `cargo bench -p pillarbox-store [directory]`.
//!
//! Prints figures, judges nothing: disks differ. Compare runs on one machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pillarbox_model::{Flag, Flags, InternalDate, MailboxId, MailboxName, NumberSet, Rights};
use pillarbox_store::blobs::{Options, Pack};
use pillarbox_store::sqlite::{Engine, Settings};
use pillarbox_store::{FlagAction, Links, NewBlob, NewMessage, Row, Store};

/// A message, as most are.
const MESSAGE_BYTES: usize = 4_096;
/// What is kept of one to answer from.
const DIGEST_BYTES: usize = 600;
/// How long each number of writers writes.
const DURATION: Duration = Duration::from_secs(3);
/// Messages of a large mailbox.
const LARGE: u32 = 100_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let base = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let base = base.map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(base).expect("a directory can be made");
    runtime
        .expect("a runtime starts")
        .block_on(run(directory.path()));
}

async fn run(directory: &Path) {
    let store = open(directory);
    let account = store.create_account("user", &[]).await.unwrap();
    let inbox = store
        .mailbox(account.id, &MailboxName::inbox())
        .await
        .unwrap()
        .unwrap()
        .id;
    for writers in [1, 8, 64] {
        append(&store, inbox, writers).await;
    }
    let other = MailboxName::from_stored("large");
    let large = store
        .create_mailbox(account.id, &other, None)
        .await
        .unwrap()
        .id;
    fill(&store, large).await;
    drop(store);
    large_mailbox(&open(directory), large).await;
}

fn open(directory: &Path) -> Arc<Engine> {
    let blobs = Pack::open(Options::new(&directory.join("messages"))).unwrap();
    let settings = Settings::new(&directory.join("index.db"));
    Arc::new(Engine::open(settings, Arc::new(blobs)).unwrap())
}

/// As a message of a thread of eight has them.
fn links(n: usize) -> Links {
    let hash = |n: usize| (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Links {
        own: Some(hash(n)),
        references: (n / 8 * 8..n).map(hash).collect(),
        subject: hash(n / 8),
    }
}

fn message(n: usize, size: usize) -> NewMessage {
    let mut text = format!("Message {n}\r\n").into_bytes();
    text.resize(size, b'x');
    NewMessage {
        flags: Vec::new(),
        date: InternalDate::utc(1_700_000_000),
        digest: Bytes::from(vec![b'd'; DIGEST_BYTES]),
        links: links(n),
        blob: NewBlob::Memory(text.into()),
    }
}

/// So many writers append one message after the other.
async fn append(store: &Arc<Engine>, mailbox: MailboxId, writers: usize) {
    let start = Instant::now();
    let write = |writer: usize| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut taken = Vec::new();
            while start.elapsed() < DURATION {
                let n = writer * 10_000_000 + taken.len() + writers * 1_000_000_000;
                let begin = Instant::now();
                store
                    .append(mailbox, vec![message(n, MESSAGE_BYTES)])
                    .await
                    .unwrap();
                taken.push(begin.elapsed());
            }
            taken
        })
    };
    let tasks: Vec<_> = (0..writers).map(write).collect();
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(task.await.unwrap());
    }
    let rate = taken.len() as f64 / start.elapsed().as_secs_f64();
    taken.sort_unstable();
    let (half, most) = (taken[taken.len() / 2], taken[taken.len() * 99 / 100]);
    println!("append, {writers:2} writers: {rate:7.0}/s, p50 {half:.0?}, p99 {most:.0?}");
}

async fn fill(store: &Arc<Engine>, mailbox: MailboxId) {
    for start in (0..LARGE as usize).step_by(1_000) {
        let some = (start..start + 1_000).map(|n| message(n, 200)).collect();
        store.append(mailbox, some).await.unwrap();
    }
}

async fn large_mailbox(store: &Arc<Engine>, id: MailboxId) {
    let all = NumberSet::range(1..=u32::MAX);
    let mailbox = timed("open, 100k messages, cold", store.open(id)).await;
    timed("open, 100k messages, warm", store.open(id)).await;
    for (what, flag) in [("seen", Flags::SEEN), ("flagged", Flags::FLAGGED)] {
        let flags = [Flag::System(flag)];
        let set = store.set_flags(id, &all, FlagAction::Add, &flags, None);
        timed(&format!("all 100k {what}"), set).await;
    }
    let one = NumberSet::range(50_000..=50_000);
    let deleted = [Flag::System(Flags::DELETED)];
    let set = store.set_flags(id, &one, FlagAction::Add, &deleted, None);
    timed("one deleted", set).await;
    let rows: Vec<Row> = mailbox.read().range(1, 512).collect();
    timed("512 digests", store.contents(&rows, true)).await;
    timed("100k copied", store.copy(id, &all, id, false, Rights::ALL)).await;
    timed("200k removed", store.remove(id, &all)).await;
}

async fn timed<T, E: std::fmt::Debug>(what: &str, work: impl Future<Output = Result<T, E>>) -> T {
    let start = Instant::now();
    let done = work.await.unwrap();
    println!("{what}: {:.1?}", start.elapsed());
    done
}
