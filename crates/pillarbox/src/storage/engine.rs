//! Engines that are open, by their database.
//!
//! A process may open a database only once, and a reload must not close it: so they are kept here,
//! and found again by the next configuration.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::ensure;
use pillarbox_model::Delimiter;
use pillarbox_store::blobs::{Compression, Files, Options, Pack};
use pillarbox_store::{Blobs, Store, sqlite};

use super::MessageStore;

/// What an engine is opened with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The database.
    pub path: PathBuf,
    /// Where message bytes go.
    pub messages: MessageStore,
    /// How they are compressed.
    pub compression: Compression,
    /// How long to wait for another process.
    pub busy_timeout: Duration,
    /// SQLite's `cache_size`; 0 leaves it to SQLite.
    pub cache_size: i64,
    /// What stands between levels of mailbox names.
    pub delimiter: Delimiter,
}

/// Opens an engine.
pub type Opener = fn(&Settings) -> Result<Arc<dyn Store>, anyhow::Error>;

/// An engine that was opened, and with what. It may be closed by now.
type Known = (Settings, Weak<dyn Store>);

/// The engines of this process.
pub struct Engines {
    open: Opener,
    known: Mutex<HashMap<PathBuf, Known>>,
}

impl Default for Engines {
    fn default() -> Self {
        Self::new(open)
    }
}

impl Engines {
    /// None so far; this is how they are opened.
    #[must_use]
    pub fn new(open: Opener) -> Self {
        Self {
            open,
            known: Mutex::default(),
        }
    }

    /// The engine of a database, opened if it isn't.
    ///
    /// # Errors
    /// It can't be opened, or is open with other settings.
    pub fn open(&self, settings: &Settings) -> Result<Arc<dyn Store>, anyhow::Error> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((opened_with, store)) = known.get(&settings.path)
            && let Some(store) = store.upgrade()
        {
            ensure!(
                opened_with == settings,
                "{} is open with other settings, which take a restart to change",
                settings.path.display()
            );
            return Ok(store);
        }
        let store = (self.open)(settings)?;
        let entry = (settings.clone(), Arc::downgrade(&store));
        known.insert(settings.path.clone(), entry);
        Ok(store)
    }
}

/// Opens SQLite and a message store, making what isn't there.
///
/// # Errors
/// One of them can't be opened, or a setting can't be had.
pub fn open(settings: &Settings) -> Result<Arc<dyn Store>, anyhow::Error> {
    let blobs: Arc<dyn Blobs> = match &settings.messages {
        MessageStore::Pack(directory) => {
            let beside = || settings.path.with_extension("messages");
            let directory = directory.clone().unwrap_or_else(beside);
            Arc::new(Pack::open(Options {
                compression: settings.compression,
                ..Options::new(&directory)
            })?)
        }
        MessageStore::Fs(directory) => Arc::new(Files::open(directory, settings.compression)?),
    };
    let engine = sqlite::Settings {
        delimiter: settings.delimiter,
        cache_size: settings.cache_size,
        busy_timeout: settings.busy_timeout,
        ..sqlite::Settings::new(&settings.path)
    };
    Ok(Arc::new(sqlite::Engine::open(engine, blobs)?))
}
