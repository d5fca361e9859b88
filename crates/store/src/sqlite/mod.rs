//! The embedded engine: rows in SQLite, bytes with a keeper of blobs.

mod account;
mod acl;
mod across;
mod annotation;
mod backup;
mod check;
mod checkpoint;
mod commit;
mod compact;
mod contents;
#[cfg(test)]
mod crash;
mod expunge;
mod flags;
mod mailbox;
mod mark;
mod message;
mod quota;
mod read;
mod reap;
mod recover;
mod schema;
#[cfg(test)]
mod stops;
#[cfg(test)]
mod tests;
mod thread;
mod tx;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use pillarbox_model::EntryName;
use pillarbox_model::{
    AccountId, Acl, BlobId, Delimiter, Flag, Flags, MailboxId, MailboxName, ModSeq, NumberSet,
    PerResource, Rights, RightsChange, SpecialUse, Uid,
};
use rusqlite::{Connection, OpenFlags, params};

use self::commit::Committer;
use self::contents::Contents;
use self::message::Described;
use self::read::Readers;
use crate::blob::{About, BlobWriter, Blobs, Location, NewBlob};
use crate::feed::Feed;
use crate::lock::Lock;
use crate::mailbox::{Mailbox, Opening, Row, Ticket};
use crate::{
    Account, Appended, Content, Copied, Digester, Error, Expunged, Facts, Finding, FlagAction,
    FlagsSet, Limit, MailboxInfo, NewMessage, Quota, Reply, Shared, Store, Vanished,
};
use crate::{Annotation, AnnotationChanges, Wanted};

/// SQLite's page cache of a connection that reads, in the way of `PRAGMA cache_size`: 8 MB, of
/// which little is used as large mailboxes are read once, into memory.
const READER_CACHE: i64 = -8 * 1024;
/// And of the one that writes: 64 MB. Pages that it changes are touched in every batch.
const WRITER_CACHE: i64 = -64 * 1024;

/// How an engine is to work.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database file.
    pub path: PathBuf,
    /// Between levels of mailbox names.
    pub delimiter: Delimiter,
    /// SQLite's page cache of each connection: pages if positive, KiB if negative, chosen here if
    /// 0.
    pub cache_size: i64,
    /// How long a statement waits for another process.
    pub busy_timeout: Duration,
    /// Bytes of mailboxes kept in memory though nobody uses them.
    pub cache_bytes: usize,
    /// Bytes of digests kept in memory.
    pub contents_bytes: usize,
    /// How long bytes are kept after the last message that named them went.
    pub grace: Duration,
}

impl Settings {
    /// Defaults for a database at `path`.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            delimiter: Delimiter::default(),
            cache_size: 0,
            busy_timeout: Duration::from_secs(5),
            cache_bytes: 256 * 1024 * 1024,
            contents_bytes: 64 * 1024 * 1024,
            grace: Duration::from_secs(3_600),
        }
    }
}

/// The embedded engine. One process at a time.
pub struct Engine {
    committer: Arc<Committer>,
    readers: Readers,
    contents: Contents,
    blobs: Arc<dyn Blobs>,
    settings: Settings,
    /// Held while bytes are copied or given up: what a backup's rows name must not go before its
    /// bytes are copied.
    copying: tokio::sync::Mutex<()>,
    /// How far old identifiers of messages were looked for.
    links_seen: Mutex<(i64, i64)>,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{
            DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, ReadOnly,
        };
        match error.sqlite_error_code() {
            Some(DiskFull | ReadOnly) => Self::Full(Arc::new(std::io::Error::other(error))),
            Some(DatabaseBusy | DatabaseLocked) => Self::Unavailable(error.to_string().into()),
            Some(DatabaseCorrupt | NotADatabase) => Self::Corrupt(error.to_string().into()),
            _ => Self::Engine(Arc::new(error)),
        }
    }
}

/// A connection with the settings that durability rests on.
fn connect(settings: &Settings) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(
        &settings.path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(settings.busy_timeout)?;
    schema::check_version(&connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(
        "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 0;",
    )?;
    let cache_size = match settings.cache_size {
        0 => READER_CACHE,
        size => size,
    };
    connection.pragma_update(None, "cache_size", cache_size)?;
    Ok(connection)
}

impl Engine {
    /// Opens a database, making or updating it if need be.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a newer program wrote it, or it is none; [`Error::Unavailable`] if
    /// another process has it open. It is untouched.
    pub fn open(settings: Settings, blobs: Arc<dyn Blobs>) -> Result<Self, Error> {
        let lock = Lock::take(&settings.path)?;
        let connection = connect(&settings)?;
        let before = schema::migrate(&connection)?;
        mark::part_from_original(&connection)?;
        if before == 0 && blobs.says_whose()? {
            mark::set(&connection, mark::BEREFT)?;
            tracing::error!("the database is new, and there are messages that it does not know");
        }
        if settings.cache_size == 0 {
            connection.pragma_update(None, "cache_size", WRITER_CACHE)?;
        }
        let committer = Committer::new(connection, settings.clone(), blobs.clone(), lock);
        Ok(Self {
            committer: Arc::new(committer),
            copying: tokio::sync::Mutex::default(),
            links_seen: Mutex::default(),
            readers: Readers::new(settings.clone()),
            contents: Contents::new(settings.contents_bytes),
            blobs,
            settings,
        })
    }

    /// Reads, on a connection of its own.
    fn read_with<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'a,
    ) -> Reply<'a, T> {
        Box::pin(async move { self.readers.with(work) })
    }
}

impl Store for Engine {
    fn account<'a>(&'a self, name: &'a str) -> Reply<'a, Option<Account>> {
        self.read_with(move |sql| account::by_name(sql, name))
    }

    fn create_account<'a>(
        &'a self,
        name: &'a str,
        mailboxes: &'a [(MailboxName, Option<SpecialUse>)],
    ) -> Reply<'a, Account> {
        let (name, mailboxes) = (name.to_owned(), mailboxes.to_vec());
        Box::pin(self.committer.submit(Vec::new(), move |tx, _| {
            tx.create_account(&name, &mailboxes)
        }))
    }

    fn accounts(&self) -> Reply<'_, Vec<Account>> {
        self.read_with(account::all)
    }

    fn remove_account(&self, account: AccountId) -> Reply<'_, ()> {
        Box::pin(
            self.committer
                .submit(Vec::new(), move |tx, _| tx.remove_account(account)),
        )
    }

    fn set_append_limit(&self, account: AccountId, bytes: Option<u64>) -> Reply<'_, ()> {
        Box::pin(
            self.committer
                .submit(Vec::new(), move |tx, _| tx.set_append_limit(account, bytes)),
        )
    }

    fn quota(&self, account: AccountId) -> Reply<'_, Quota> {
        let default = self.committer.default_quota();
        self.read_with(move |sql| quota::quota(sql, account, &default))
    }

    fn set_quota(&self, account: AccountId, limits: PerResource<Limit>) -> Reply<'_, ()> {
        Box::pin(
            self.committer
                .submit(Vec::new(), move |tx, _| tx.set_quota(account, &limits)),
        )
    }

    fn set_default_quota(&self, limits: PerResource<Option<u64>>) {
        self.committer.set_default_quota(limits);
    }

    fn mailboxes(&self, account: AccountId) -> Reply<'_, Vec<MailboxInfo>> {
        self.read_with(move |sql| mailbox::all(sql, account))
    }

    fn mailbox<'a>(
        &'a self,
        account: AccountId,
        name: &'a MailboxName,
    ) -> Reply<'a, Option<MailboxInfo>> {
        self.read_with(move |sql| mailbox::by_name(sql, account, name))
    }

    fn mailbox_of<'a>(
        &'a self,
        owner: &'a str,
        name: &'a MailboxName,
    ) -> Reply<'a, Option<MailboxInfo>> {
        self.read_with(move |sql| acl::mailbox_of(sql, owner, name))
    }

    fn shared_with<'a>(
        &'a self,
        account: AccountId,
        identifiers: &'a [&'a str],
    ) -> Reply<'a, Vec<Shared>> {
        self.read_with(move |sql| acl::shared_with(sql, account, identifiers))
    }

    fn set_rights<'a>(
        &'a self,
        mailbox: MailboxId,
        identifier: &'a str,
        change: RightsChange,
    ) -> Reply<'a, Acl> {
        let identifier = identifier.to_owned();
        Box::pin(self.committer.submit(Vec::new(), move |tx, _| {
            tx.set_rights(mailbox, &identifier, change)
        }))
    }

    fn subscriptions(&self, account: AccountId) -> Reply<'_, Vec<MailboxName>> {
        self.read_with(move |sql| mailbox::subscriptions(sql, account))
    }

    fn subscribe<'a>(
        &'a self,
        account: AccountId,
        name: &'a MailboxName,
        subscribed: bool,
    ) -> Reply<'a, ()> {
        let name = name.clone();
        Box::pin(self.committer.submit(Vec::new(), move |tx, _| {
            tx.subscribe(account, &name, subscribed)
        }))
    }

    fn create_mailbox<'a>(
        &'a self,
        account: AccountId,
        name: &'a MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Reply<'a, MailboxInfo> {
        let name = name.clone();
        Box::pin(self.committer.submit(Vec::new(), move |tx, _| {
            tx.create_mailbox(account, &name, special_use)
        }))
    }

    fn delete_mailbox(&self, mailbox: MailboxId) -> Reply<'_, ()> {
        Box::pin(
            self.committer
                .submit(Vec::new(), move |tx, _| tx.delete_mailbox(mailbox)),
        )
    }

    fn rename_mailbox<'a>(
        &'a self,
        account: AccountId,
        from: &'a MailboxName,
        to: &'a MailboxName,
    ) -> Reply<'a, ()> {
        let (from, to) = (from.clone(), to.clone());
        Box::pin(self.committer.submit(Vec::new(), move |tx, _| {
            tx.rename_mailbox(account, &from, &to)
        }))
    }

    fn annotations<'a>(
        &'a self,
        user: AccountId,
        of: &'a [Option<MailboxId>],
        wanted: &'a Wanted,
    ) -> Reply<'a, Vec<Vec<Annotation>>> {
        self.read_with(move |sql| annotation::get(sql, user, of, wanted))
    }

    fn annotate(
        &self,
        mailbox: Option<MailboxId>,
        user: AccountId,
        values: Vec<(EntryName, Option<Bytes>)>,
        origin: u64,
    ) -> Reply<'_, ()> {
        Box::pin(self.committer.submit(Vec::new(), move |tx, _| {
            tx.annotate(mailbox, user, values, origin)
        }))
    }

    fn annotation_changes(&self) -> &AnnotationChanges {
        &self.committer.annotations
    }

    fn open(&self, mailbox: MailboxId) -> Reply<'_, Arc<Mailbox>> {
        Box::pin(async move {
            loop {
                match self.committer.cache.open(mailbox) {
                    Opening::Ready(open) => return Ok(open),
                    Opening::Load(ticket) => return self.load(ticket, mailbox),
                    // It ends with an error, which only says that whoever loaded it is done.
                    Opening::Wait(mut done) => drop(done.changed().await),
                }
            }
        })
    }

    fn watch(&self, account: AccountId) -> Feed {
        self.committer.feeds.watch(account)
    }

    fn append(&self, mailbox: MailboxId, messages: Vec<NewMessage>) -> Reply<'_, Appended> {
        Box::pin(async move {
            let mut appended = self.deliver(vec![(mailbox, messages)]).await?;
            appended.pop().ok_or(Error::NoMailbox)
        })
    }

    fn deliver(&self, deliveries: Vec<(MailboxId, Vec<NewMessage>)>) -> Reply<'_, Vec<Appended>> {
        Box::pin(async move {
            let mut blobs = Vec::new();
            let mut described = Vec::new();
            for (mailbox, messages) in deliveries {
                let account = self.account_of(mailbox)?;
                let about = |date| About {
                    account,
                    mailbox,
                    date,
                };
                let mut of_mailbox = Vec::with_capacity(messages.len());
                for message in messages {
                    let about = about(message.date);
                    let (message, blob) = without_bytes(message);
                    blobs.push((about, blob));
                    of_mailbox.push(message);
                }
                described.push((mailbox, of_mailbox));
            }
            let work = move |tx: &mut tx::Tx<'_>, stored: Vec<commit::Stored>| {
                let mut stored = stored.into_iter();
                let append = |(mailbox, messages): (MailboxId, Vec<Described>)| {
                    let count = messages.len();
                    tx.append(mailbox, messages, stored.by_ref().take(count))
                };
                described.into_iter().map(append).collect()
            };
            self.committer.submit(blobs, work).await
        })
    }

    fn replace(
        &self,
        from: MailboxId,
        uid: Uid,
        to: MailboxId,
        message: NewMessage,
    ) -> Reply<'_, Appended> {
        Box::pin(async move {
            let no_target = |error| match error {
                Error::NoMailbox => Error::NoTarget,
                other => other,
            };
            let about = About {
                account: self.account_of(to).map_err(no_target)?,
                mailbox: to,
                date: message.date,
            };
            let (described, blob) = without_bytes(message);
            let work = move |tx: &mut tx::Tx<'_>, stored: Vec<commit::Stored>| {
                let uids = [uid.0].into_iter().collect();
                let gone = tx.remove(from, &uids, Flags::NONE)?;
                if gone.uids.is_empty() {
                    return Err(Error::NoMessage);
                }
                let appended = tx.append(to, vec![described], stored.into_iter());
                appended.map_err(no_target)
            };
            self.committer.submit(vec![(about, blob)], work).await
        })
    }

    fn begin_blob(&self, about: About, size_bytes: u64) -> Reply<'_, Box<dyn BlobWriter>> {
        self.blobs.begin(about, size_bytes)
    }

    fn set_flags<'a>(
        &'a self,
        mailbox: MailboxId,
        uids: &'a NumberSet,
        action: FlagAction,
        flags: &'a [Flag],
        unchanged_since: Option<ModSeq>,
    ) -> Reply<'a, FlagsSet> {
        let (uids, flags) = (uids.clone(), flags.to_vec());
        Box::pin(self.committer.submit(Vec::new(), move |tx, _| {
            tx.set_flags(mailbox, &uids, action, &flags, unchanged_since)
        }))
    }

    fn expunge<'a>(
        &'a self,
        mailbox: MailboxId,
        among: Option<&'a NumberSet>,
    ) -> Reply<'a, Expunged> {
        Box::pin(async move {
            // Clients CLOSE each mailbox that they leave, mostly with nothing to remove.
            let open = self.committer.cache.get(mailbox);
            let open = open.filter(|open| !open.is_deleted());
            if let Some(counters) = open.map(|open| open.counters())
                && counters.deleted == 0
            {
                return Ok(Expunged {
                    uids: NumberSet::new(),
                    modseq: counters.highest_modseq,
                });
            }
            let among = among
                .cloned()
                .unwrap_or_else(|| NumberSet::range(1..=u32::MAX));
            let remove = move |tx: &mut tx::Tx<'_>, _| tx.remove(mailbox, &among, Flags::DELETED);
            self.committer.submit(Vec::new(), remove).await
        })
    }

    fn remove<'a>(&'a self, mailbox: MailboxId, uids: &'a NumberSet) -> Reply<'a, Expunged> {
        let uids = uids.clone();
        Box::pin(self.committer.submit(Vec::new(), move |tx, _| {
            tx.remove(mailbox, &uids, Flags::NONE)
        }))
    }

    fn expunged_since<'a>(
        &'a self,
        mailbox: MailboxId,
        modseq: ModSeq,
        among: &'a NumberSet,
    ) -> Reply<'a, Vanished> {
        self.read_with(move |sql| expunge::since(sql, mailbox, modseq, among))
    }

    fn copy<'a>(
        &'a self,
        from: MailboxId,
        uids: &'a NumberSet,
        to: MailboxId,
        remove: bool,
        keep: Rights,
    ) -> Reply<'a, Copied> {
        Box::pin(async move {
            let source = self.account_of(from)?;
            let target = self.account_of(to).map_err(across::no_target)?;
            if source != target {
                return across::copy(self, from, uids, (target, to), remove, keep).await;
            }
            let uids = uids.clone();
            let copy = move |tx: &mut tx::Tx<'_>, _| tx.copy(from, &uids, to, remove, keep);
            self.committer.submit(Vec::new(), copy).await
        })
    }

    fn facts<'a>(
        &'a self,
        mailbox: MailboxId,
        uids: &'a NumberSet,
    ) -> Reply<'a, Vec<(Uid, Facts)>> {
        self.read_with(move |sql| thread::facts(sql, mailbox, uids))
    }

    fn contents<'a>(&'a self, rows: &'a [Row], digests: bool) -> Reply<'a, Vec<Content>> {
        Box::pin(async move { self.contents.get(&self.readers, rows, digests) })
    }

    fn read<'a>(&'a self, location: &'a Location) -> Reply<'a, Bytes> {
        self.blobs.read(location)
    }

    fn redigest(&self, digests: Vec<(BlobId, Bytes)>) -> Reply<'_, ()> {
        Box::pin(async move {
            let blobs: Vec<BlobId> = digests.iter().map(|(blob, _)| *blob).collect();
            let replace = move |tx: &mut tx::Tx<'_>, _| {
                let replace = "INSERT OR REPLACE INTO digest (blob, bytes)
                    SELECT id, ?2 FROM blob WHERE id = ?1";
                let mut statement = tx.sql.prepare_cached(replace)?;
                for (blob, digest) in digests {
                    statement.execute(params![blob.0 as i64, &digest[..]])?;
                }
                Ok(())
            };
            self.committer.submit(Vec::new(), replace).await?;
            blobs
                .into_iter()
                .for_each(|blob| self.contents.forget(blob));
            Ok(())
        })
    }

    fn backup<'a>(&'a self, directory: &'a Path) -> Reply<'a, ()> {
        Box::pin(backup::backup(self, directory))
    }

    fn check(&self, repair: Option<Digester>) -> Reply<'_, Vec<Finding>> {
        Box::pin(check::check(self, repair))
    }

    fn reap(&self) -> Reply<'_, u64> {
        Box::pin(reap::reap(self))
    }
}

/// A message and its bytes apart.
fn without_bytes(message: NewMessage) -> (Described, NewBlob) {
    let NewMessage {
        flags,
        date,
        digest,
        links,
        blob,
    } = message;
    let described = Described {
        flags,
        date,
        digest,
        links,
    };
    (described, blob)
}

impl Engine {
    /// Reads a mailbox into memory, beside the committer: writers go on.
    fn load(&self, ticket: Ticket<'_>, mailbox: MailboxId) -> Result<Arc<Mailbox>, Error> {
        let read = || self.readers.with(|sql| mailbox::load(sql, mailbox));
        Ok(ticket.finish(tokio::task::block_in_place(read)?))
    }

    fn account_of(&self, mailbox: MailboxId) -> Result<AccountId, Error> {
        if let Some(open) = self.committer.cache.get(mailbox) {
            return Ok(open.account());
        }
        self.readers.with(|sql| mailbox::account_of(sql, mailbox))
    }
}
