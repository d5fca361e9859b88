//! The process stops at any step between keeper and database, again and again; then a repair.
//!
//! What was acknowledged is there, once; what was expunged does not come back; and a repair brings
//! back nothing but messages whose append was under way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};

use pillarbox_model::InternalDate;

use super::*;
use crate::blob::NewBlob;
use crate::blobs::{Options, Pack};
use crate::suite::{digester, message, name};

/// Stories told by a test run; `PILLARBOX_CASES` asks for more.
const CASES: u64 = 4;
const STEPS: usize = 60;

/// A keeper of which the process sees nothing more after so many calls. The last one is done or not.
struct Stopping {
    inner: Pack,
    left: AtomicI64,
    last_is_done: bool,
}

impl Stopping {
    async fn call<T>(&self, work: Reply<'_, T>) -> Result<T, Error> {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        if left > 0 {
            return work.await;
        }
        if left == 0 && self.last_is_done {
            drop(work.await);
        }
        Err(Error::Unavailable("the process stopped".into()))
    }
}

impl Blobs for Stopping {
    fn put<'a>(&'a self, blobs: Vec<(About, NewBlob)>) -> Reply<'a, Vec<Location>> {
        Box::pin(self.call(self.inner.put(blobs)))
    }

    fn begin(&self, about: About, size_bytes: u64) -> Reply<'_, Box<dyn BlobWriter>> {
        self.inner.begin(about, size_bytes)
    }

    fn read<'a>(&'a self, location: &'a Location) -> Reply<'a, Bytes> {
        self.inner.read(location)
    }

    fn forget<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, u64> {
        Box::pin(self.call(self.inner.forget(locations)))
    }

    fn keep<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, ()> {
        Box::pin(self.call(self.inner.keep(locations)))
    }

    fn says_whose(&self) -> Result<bool, Error> {
        self.inner.says_whose()
    }

    fn list(&self) -> Reply<'_, Vec<(Location, Option<About>, u64)>> {
        self.inner.list()
    }

    fn compact(&self) -> Reply<'_, Vec<(Location, Location)>> {
        Box::pin(self.call(self.inner.compact()))
    }

    fn backup<'a>(&'a self, directory: &'a Path) -> Reply<'a, ()> {
        self.inner.backup(directory)
    }
}

/// Numbers drawn from one number.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

struct Story {
    directory: tempfile::TempDir,
    dice: Dice,
    engine: Option<Engine>,
    /// Texts of messages by mailbox and UID.
    there: BTreeMap<(String, u32), String>,
    /// Appends that failed: they may be there or not.
    under_way: BTreeSet<String>,
    sent: u32,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let mut story = Self {
            directory: tempfile::tempdir().unwrap(),
            dice: Dice(seed),
            engine: None,
            there: BTreeMap::new(),
            under_way: BTreeSet::new(),
            sent: 0,
        };
        story.open(i64::MAX);
        let other = [(name("other"), None)];
        story.engine().create_account("user", &other).await.unwrap();
        story
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    fn open(&mut self, calls: i64) {
        let last_is_done = self.dice.below(2) == 0;
        self.open_for(calls, last_is_done);
    }

    fn open_for(&mut self, calls: i64, last_is_done: bool) {
        self.engine = None;
        let path = self.directory.path();
        let options = Options {
            segment_bytes: 4_096,
            linger: Duration::ZERO,
            ..Options::new(&path.join("messages"))
        };
        let blobs = Arc::new(Stopping {
            inner: Pack::open(options).unwrap(),
            left: AtomicI64::new(calls),
            last_is_done,
        });
        let settings = Settings {
            grace: Duration::ZERO,
            ..Settings::new(&path.join("index.db"))
        };
        self.engine = Some(Engine::open(settings, blobs).unwrap());
    }

    async fn mailbox(&self, text: &str) -> MailboxId {
        let account = self.engine().account("user").await.unwrap().unwrap().id;
        let found = self.engine().mailbox(account, &name(text)).await.unwrap();
        found.unwrap().id
    }

    /// Whether the process is still there.
    async fn step(&mut self) -> bool {
        match self.dice.below(10) {
            0..5 => self.append().await,
            5 => self.copy().await,
            6 | 7 => self.expunge().await,
            _ => self.engine().reap().await.is_ok(),
        }
    }

    async fn append(&mut self) -> bool {
        self.sent += 1;
        let size = self.dice.below(900) as usize;
        let text = format!("{} {}", self.sent, "x".repeat(size));
        let inbox = self.mailbox("INBOX").await;
        let done = self.engine().append(inbox, vec![message(&text, &[])]).await;
        match &done {
            Ok(added) => drop(self.there.insert(("INBOX".into(), added.uids[0].0), text)),
            Err(_) => drop(self.under_way.insert(text)),
        }
        done.is_ok()
    }

    async fn copy(&mut self) -> bool {
        let (inbox, other) = (self.mailbox("INBOX").await, self.mailbox("other").await);
        let from = 1 + self.dice.below(u64::from(self.sent) + 1) as u32;
        let some = NumberSet::range(from..=from + 3);
        let copied = self
            .engine()
            .copy(inbox, &some, other, false, Rights::ALL)
            .await
            .unwrap();
        for (from, to) in copied.from.iter().zip(copied.to.iter()) {
            let text = self.there[&("INBOX".to_owned(), from)].clone();
            self.there.insert(("other".into(), to), text);
        }
        true
    }

    async fn expunge(&mut self) -> bool {
        let chosen = ["INBOX", "other"][self.dice.below(2) as usize];
        let id = self.mailbox(chosen).await;
        let from = 1 + self.dice.below(u64::from(self.sent) + 1) as u32;
        let some = NumberSet::range(from..=from + 8);
        let gone = self.engine().remove(id, &some).await.unwrap().uids;
        self.there
            .retain(|(mailbox, uid), _| mailbox != chosen || !gone.contains(*uid));
        true
    }

    /// Opens what is left and compares it, before and after a repair.
    async fn come_back(&mut self, calls: i64) {
        self.open(i64::MAX);
        self.compare().await;
        let findings = self.engine().check(None).await.unwrap();
        for finding in findings {
            assert_eq!(finding.problem, "no message names it", "{finding:?}");
        }
        if self.dice.below(2) == 0 {
            self.engine().check(Some(digester)).await.unwrap();
            self.adopt().await;
            self.compare().await;
            assert_eq!(self.engine().check(None).await.unwrap(), []);
        }
        self.open(calls);
    }

    /// Whatever a repair brought back was under way.
    async fn adopt(&mut self) {
        for (place, text) in self.everything().await {
            if place.0 == "Recovered" && !self.there.contains_key(&place) {
                assert!(self.under_way.remove(&text), "{place:?} {text:.9} is back");
                self.there.insert(place, text);
            }
        }
    }

    async fn compare(&self) {
        let found = self.everything().await;
        let short = |all: &BTreeMap<(String, u32), String>| {
            let each = all.iter();
            let each = each.map(|(place, text)| format!("{place:?} {:.9}", text));
            each.collect::<Vec<_>>()
        };
        assert_eq!(short(&found), short(&self.there));
        assert!(found == self.there, "texts differ");
    }

    async fn everything(&self) -> BTreeMap<(String, u32), String> {
        let mut all = BTreeMap::new();
        let account = self.engine().account("user").await.unwrap().unwrap().id;
        for info in self.engine().mailboxes(account).await.unwrap() {
            let open = self.engine().open(info.id).await.unwrap();
            let rows: Vec<Row> = open.read().range(0, u32::MAX).collect();
            let contents = self.engine().contents(&rows, true).await.unwrap();
            for (row, content) in rows.iter().zip(contents) {
                let bytes = self.engine().read(&content.location).await.unwrap();
                let text = String::from_utf8(bytes.to_vec()).unwrap();
                all.insert((info.name.to_string(), row.uid.0), text);
                assert_ne!(row.date, InternalDate::default());
            }
        }
        all
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_between_any_two_steps_loses_and_doubles_nothing() {
    let asked = std::env::var("PILLARBOX_CASES").ok();
    let cases = asked.and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    for seed in 0..cases {
        let told = tokio::spawn(async move {
            let mut story = Story::new(seed).await;
            let calls = story.dice.below(12) as i64;
            story.open(calls);
            for _ in 0..STEPS {
                if !story.step().await {
                    let calls = story.dice.below(12) as i64;
                    story.come_back(calls).await;
                }
            }
            story.come_back(i64::MAX).await;
        });
        assert!(told.await.is_ok(), "in story {seed}");
    }
}

/// Of a message that is expunged after a compaction was cut off, no copy comes back, wherever it
/// was cut off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_that_is_cut_off_brings_nothing_back() {
    for calls in 0..6 {
        for last_is_done in [false, true] {
            let mut story = Story::new(7).await;
            let inbox = story.mailbox("INBOX").await;
            for _ in 0..24 {
                story.append().await;
            }
            let some = (1..=24).filter(|uid| uid % 3 > 0).collect();
            story.engine().remove(inbox, &some).await.unwrap();
            story.open_for(calls, last_is_done);
            let done = story.engine().reap().await;
            assert_eq!(done.is_err(), calls < 3, "{done:?}");
            story.open(i64::MAX);
            let rest = NumberSet::range(1..=24);
            assert_eq!(
                story
                    .engine()
                    .remove(inbox, &rest)
                    .await
                    .unwrap()
                    .uids
                    .len(),
                8
            );
            for _ in 0..3 {
                story.engine().reap().await.unwrap();
            }
            assert_eq!(story.engine().check(Some(digester)).await.unwrap(), []);
        }
    }
}
