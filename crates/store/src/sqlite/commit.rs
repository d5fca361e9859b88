//! Group commit: all writers of the process meet here.
//!
//! Operations wait in a queue; one task takes all that wait, makes their blobs durable with one
//! sync and their rows with one transaction, hands the changes to memory, and answers everybody.
//! While it waits for the disk the next batch gathers. Durability goes blob, row, memory, answer:
//! whoever is told OK is safe.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use pillarbox_model::{BlobId, PerResource};
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;

use super::Settings;
use super::checkpoint::Checkpoint;
use super::quota::Growth;
use super::tx::Tx;
use crate::Error;
use crate::annotation::AnnotationChanges;
use crate::blob::{About, Blobs, Location, NewBlob};
use crate::feed::Feeds;
use crate::lock::Lock;
use crate::mailbox::Cache;

/// Operations in one batch: bounds how long the first of them waits for the last.
const BATCH_OPERATIONS: usize = 1_024;
/// Bytes of blobs in one batch, for the same reason.
const BATCH_BYTES: u64 = 64 * 1024 * 1024;

/// A blob that is durable, or was there already.
pub(super) struct Stored {
    pub(super) source: Source,
    pub(super) size_bytes: u64,
    pub(super) hash: [u8; 32],
}

pub(super) enum Source {
    /// An equal message of the account has it.
    Known(BlobId),
    New(Location),
}

/// A blob on its way in, with the hash by which an equal one is found.
struct Incoming {
    about: About,
    blob: Option<NewBlob>,
    size_bytes: u64,
    hash: [u8; 32],
    known: Option<BlobId>,
}

/// An operation that waits.
trait Job: Send {
    fn blobs(&mut self) -> &mut Vec<Incoming>;
    /// Does it inside the transaction. What it did is to be rolled back on an error.
    fn run(&mut self, tx: &mut Tx<'_>, stored: Vec<Stored>) -> Result<(), Error>;
    /// Answers whoever waits.
    fn finish(self: Box<Self>, committed: Result<(), Error>);
}

struct Call<T, F> {
    blobs: Vec<Incoming>,
    work: Option<F>,
    result: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Job for Call<T, F>
where
    T: Send,
    F: FnOnce(&mut Tx<'_>, Vec<Stored>) -> Result<T, Error> + Send,
{
    fn blobs(&mut self) -> &mut Vec<Incoming> {
        &mut self.blobs
    }

    fn run(&mut self, tx: &mut Tx<'_>, stored: Vec<Stored>) -> Result<(), Error> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        tx.growth.forgive();
        let result = work(tx, stored).and_then(|done| tx.settle().map(|()| done));
        let done = result.as_ref().map(drop).map_err(Error::clone);
        self.result = Some(result);
        done
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let result = match (committed, self.result) {
            (_, Some(Err(error))) | (Err(error), _) => Err(error),
            (Ok(()), Some(done)) => done,
            (Ok(()), None) => Err(Error::Unavailable("the operation was not run".into())),
        };
        // Nobody waits any more if the session ended; the change stands all the same.
        let _ = self.reply.send(result);
    }
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Box<dyn Job>>,
    /// A task is at work, and will look here again.
    led: bool,
}

/// Where all changes of a store go through.
pub(super) struct Committer {
    pub(super) connection: Mutex<Connection>,
    settings: Settings,
    blobs: Arc<dyn Blobs>,
    /// The mailboxes in memory.
    pub(super) cache: Cache,
    /// What became of annotations.
    pub(super) annotations: AnnotationChanges,
    /// The accounts that somebody watches.
    pub(super) feeds: Feeds,
    queue: Mutex<Queue>,
    /// After a failed sync nothing that was written can be trusted to be on disk.
    poisoned: AtomicBool,
    checkpoint: Arc<Checkpoint>,
    /// What accounts may have that have no limits of their own.
    default_quota: Mutex<PerResource<Option<u64>>>,
    /// Last, so that it is given up when the connections are closed.
    _lock: Lock,
}

impl Committer {
    pub(super) fn new(
        connection: Connection,
        settings: Settings,
        blobs: Arc<dyn Blobs>,
        lock: Lock,
    ) -> Self {
        let cache = Cache::new(settings.cache_bytes);
        Self {
            connection: Mutex::new(connection),
            checkpoint: Arc::new(Checkpoint::new(settings.clone())),
            settings,
            blobs,
            cache,
            annotations: AnnotationChanges::default(),
            feeds: Feeds::default(),
            queue: Mutex::default(),
            poisoned: AtomicBool::new(false),
            default_quota: Mutex::default(),
            _lock: lock,
        }
    }

    pub(super) fn default_quota(&self) -> PerResource<Option<u64>> {
        *self
            .default_quota
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_default_quota(&self, limits: PerResource<Option<u64>>) {
        *self
            .default_quota
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Does `work` in a transaction, after `blobs` are durable, and answers when all of it is.
    pub(super) async fn submit<T, F>(
        self: &Arc<Self>,
        blobs: Vec<(About, NewBlob)>,
        work: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>, Vec<Stored>) -> Result<T, Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call = Call {
            blobs: blobs.into_iter().map(incoming).collect(),
            work: Some(work),
            result: None,
            reply,
        };
        let lead = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.jobs.push(Box::new(call));
            !std::mem::replace(&mut queue.led, true)
        };
        if lead {
            // A task of its own, so that a session that is cut off can't leave the queue without a
            // leader.
            let committer = self.clone();
            tokio::spawn(async move { committer.lead().await });
        }
        let ended = |_| Error::Unavailable("the committer ended".into());
        answer.await.map_err(ended)?
    }

    /// Works until nothing waits.
    async fn lead(self: Arc<Self>) {
        let _leading = Leading(&self);
        loop {
            let batch = {
                let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                if queue.jobs.is_empty() {
                    queue.led = false;
                    return;
                }
                let fit = fitting(&mut queue.jobs);
                queue.jobs.drain(..fit).collect()
            };
            self.run(batch).await;
        }
    }

    async fn run(&self, mut batch: Vec<Box<dyn Job>>) {
        if self.poisoned.load(Ordering::Acquire) {
            let error = Error::Unavailable("a write failed; restart to recover".into());
            return answer(batch, &Err(error));
        }
        let stored = match self.store_blobs(&mut batch).await {
            Ok(stored) => stored,
            Err(error) => {
                let with_blobs = take_with_blobs(&mut batch);
                answer(with_blobs, &Err(error));
                batch.iter().map(|_| Vec::new()).collect()
            }
        };
        let written: Vec<_> = stored.iter().flat_map(|stored| places(stored)).collect();
        let committed = match tokio::task::block_in_place(|| self.transact(&mut batch, stored)) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.give_up(error, &written).await),
        };
        answer(batch, &committed);
    }

    /// After a transaction that was rolled back nothing names what was written for it. After one
    /// whose end is not known something may, and nothing is written any more. Returns what those
    /// who wait are told.
    async fn give_up(&self, error: Error, written: &[Location]) -> Error {
        if is_fatal(&error) {
            self.poisoned.store(true, Ordering::Release);
            tracing::error!(reason = %error, "commit failed, writing stops");
            return Error::Unavailable(format!("a commit failed: {error}").into());
        }
        if let Err(error) = self.blobs.forget(written).await {
            tracing::warn!(reason = %error, "bytes of a refused batch stay");
        }
        error
    }

    /// Makes the batch's blobs durable, those aside that the account has already.
    async fn store_blobs(&self, batch: &mut [Box<dyn Job>]) -> Result<Vec<Vec<Stored>>, Error> {
        if batch.iter_mut().all(|job| job.blobs().is_empty()) {
            return Ok(batch.iter().map(|_| Vec::new()).collect());
        }
        self.find_known(batch)?;
        let mut new = Vec::new();
        for incoming in batch.iter_mut().flat_map(|job| job.blobs()) {
            if incoming.known.is_none() {
                new.extend(incoming.blob.take().map(|blob| (incoming.about, blob)));
            }
        }
        let mut locations = self.blobs.put(new).await?.into_iter();
        let mut stored = Vec::with_capacity(batch.len());
        for job in batch {
            let mut of_job = Vec::new();
            for incoming in job.blobs().drain(..) {
                let source = match incoming.known {
                    Some(id) => Source::Known(id),
                    None => Source::New(locations.next().ok_or_else(lost_location)?),
                };
                let Incoming {
                    size_bytes, hash, ..
                } = incoming;
                of_job.push(Stored {
                    source,
                    size_bytes,
                    hash,
                });
            }
            stored.push(of_job);
        }
        Ok(stored)
    }

    /// Finds blobs that are there already, by account and hash.
    fn find_known(&self, batch: &mut [Box<dyn Job>]) -> Result<(), Error> {
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(
            "SELECT id FROM blob WHERE account = ? AND hash = ? AND size = ? AND refs > 0",
        )?;
        for incoming in batch.iter_mut().flat_map(|job| job.blobs()) {
            let key = params![
                incoming.about.account.0 as i64,
                incoming.hash.as_slice(),
                incoming.size_bytes as i64
            ];
            let found: Option<i64> = statement.query_row(key, |row| row.get(0)).optional()?;
            incoming.known = found.map(|id| BlobId(id as u64));
        }
        Ok(())
    }

    /// One transaction for the batch. An operation that is refused leaves no trace in it.
    fn transact(&self, batch: &mut [Box<dyn Job>], stored: Vec<Vec<Stored>>) -> Result<(), Error> {
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut tx = Tx {
            sql: &connection,
            settings: &self.settings,
            cache: &self.cache,
            now: now(),
            effects: Vec::new(),
            annotated: Vec::new(),
            default_quota: self.default_quota(),
            growth: Growth::default(),
            renamed: Vec::new(),
            regrouped: false,
        };
        let done = run_all(&mut tx, batch, stored)
            .and_then(|()| Ok(connection.prepare_cached("COMMIT")?.execute([]).map(drop)?));
        if let Err(error) = done {
            // Without a transaction there is nothing to roll back: SQLite did it.
            let _ = connection.execute_batch("ROLLBACK");
            return Err(error);
        }
        let watching = self.feeds.note(&tx.effects, &tx.renamed, tx.regrouped);
        self.annotations.note(tx.annotated);
        for mailbox in self.cache.apply(tx.effects) {
            mailbox.publish();
        }
        watching.wake();
        self.checkpoint.after_batch(&connection);
        Ok(())
    }
}

/// A task at work in the queue. If it panics, which is a bug, nobody may wait for it for ever.
struct Leading<'c>(&'c Committer);

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poisoned.store(true, Ordering::Release);
            let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.led = false;
            queue.jobs.clear();
        }
    }
}

fn incoming((about, blob): (About, NewBlob)) -> Incoming {
    let hash = match &blob {
        NewBlob::Memory(bytes) => *blake3::hash(bytes).as_bytes(),
        NewBlob::Written(written) => written.hash,
    };
    Incoming {
        about,
        size_bytes: blob.size_bytes(),
        blob: Some(blob),
        hash,
        known: None,
    }
}

/// How many of the waiting operations make the next batch; at least one.
fn fitting(jobs: &mut [Box<dyn Job>]) -> usize {
    let mut bytes = 0;
    let within = |job: &mut Box<dyn Job>| {
        bytes += job.blobs().iter().map(|blob| blob.size_bytes).sum::<u64>();
        bytes <= BATCH_BYTES
    };
    jobs.iter_mut()
        .take(BATCH_OPERATIONS)
        .map(within)
        .take_while(|fits| *fits)
        .count()
        .max(1)
}

fn run_all(
    tx: &mut Tx<'_>,
    batch: &mut [Box<dyn Job>],
    stored: Vec<Vec<Stored>>,
) -> Result<(), Error> {
    for (job, stored) in batch.iter_mut().zip(stored) {
        let (effects, annotated) = (tx.effects.len(), tx.annotated.len());
        let places = places(&stored);
        tx.sql.prepare_cached("SAVEPOINT operation")?.execute([])?;
        if let Err(error) = job.run(tx, stored) {
            if tx.sql.is_autocommit() {
                // The disk is full, or failed: SQLite gave up the whole transaction.
                return Err(error);
            }
            tx.effects.truncate(effects);
            tx.annotated.truncate(annotated);
            tx.sql
                .prepare_cached("ROLLBACK TO operation")?
                .execute([])?;
            tx.doom(&places, tx.now)?;
        }
        tx.sql.prepare_cached("RELEASE operation")?.execute([])?;
    }
    Ok(())
}

/// Where the bytes are that were stored for an operation.
pub(super) fn places(stored: &[Stored]) -> Vec<Location> {
    let place = |stored: &Stored| match &stored.source {
        Source::New(location) => Some(location.clone()),
        Source::Known(_) => None,
    };
    stored.iter().filter_map(place).collect()
}

/// Takes out the operations that brought bytes.
fn take_with_blobs(batch: &mut Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
    batch
        .extract_if(.., |job| !job.blobs().is_empty())
        .collect()
}

/// Whether it is unknown, after this, what of a transaction is on disk. A full disk and a lock that
/// was not given are no such failures: there SQLite rolls back cleanly.
fn is_fatal(error: &Error) -> bool {
    !matches!(error, Error::Full(_) | Error::Unavailable(_))
}

fn answer(batch: Vec<Box<dyn Job>>, committed: &Result<(), Error>) {
    for job in batch {
        job.finish(committed.clone());
    }
}

fn lost_location() -> Error {
    Error::Corrupt("the keeper of blobs gave fewer locations than blobs".into())
}

pub(super) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_secs() as i64
}
