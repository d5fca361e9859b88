//! `auth.pass_table`: password hashes in a table.

mod manage;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use pillarbox_config::{Bound, Directive, Error, Kind, Reference};
use pillarbox_proto::sasl::ScramHash;
use tokio::runtime::Handle;

use super::credentials::Credentials;
use super::hash::{Stored, compute};
use super::last_use::{self, LastUse};
use super::{Denied, LabelledKeys, Offers, Provider};
use crate::Answer;
use crate::assemble::{Assembly, Mode};
use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::normalize::Normalize;
use crate::secret::Secret;
use crate::table::{Table, TableError, WritableTable};

pub use manage::Described;

pub(crate) const MODULE: Module = Module {
    name: "auth.pass_table",
    aliases: &[],
    offers: &[Offer::Provider, Offer::Table],
    arguments: "[TABLE [ARGUMENT...]]",
    doc: "Checks passwords against hashes in a table, whose keys are the user names in lower \
          case (`precis_casefold`) and whose values are `bcrypt:...`, `argon2:...` or \
          `sha256:...`. With a table that can be changed, the command line can list, create and \
          remove users.\n\nAfter the hash there can be keys for SCRAM, as `pillarbox creds` writes \
          them, separated by a space: `scram-sha-256:...`. A user can have up to 16 passwords, \
          such as one for each device: in one value with ` | ` between them, or as several values \
          of the key. All but one have a label (`label=phone`). Up to four of them may be such \
          that people chose; the others are generated. When a password was last used is kept in \
          the table, too, if it can be changed, under the key `last-use NAME`.",
    directives: DIRECTIVES,
    build: |assembly, declaration| {
        let credentials = Arc::new(PassTable::build(assembly, declaration)?);
        if assembly.mode() == Mode::Run {
            credentials.look_soon();
        }
        Ok(Parts {
            provider: Some(Arc::clone(&credentials) as Arc<dyn Provider>),
            table: Some(Arc::clone(&credentials) as Arc<dyn Table>),
            credentials: Some(credentials),
            ..Parts::default()
        })
    },
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "table",
        Kind::Module("table"),
        "",
        "The table of users and hashes.",
    )
    .required(),
    Directive::new(
        "scram",
        Kind::TextList,
        "auto",
        "The SCRAM mechanisms that are offered: `sha-256`, `sha-1` or both; `off`; or `auto`, \
         those for which all users have keys, as far as the table can be listed and has no more \
         than 10,000 users. A client that can choose SCRAM does, and a user without keys can't log \
         in with it.",
    ),
];

/// Users that are looked at to find out whether all have keys.
const LOOKED_AT: usize = 10_000;

/// The provider. Also a table of users and their hashes, so beware of where it is used as one.
pub struct PassTable {
    table: Arc<dyn Table>,
    /// The hash last seen: an unknown user's password is checked against it in vain, and so takes
    /// as long as any other.
    stand_in: Mutex<Stored>,
    /// The most slow checks that a wrong password has cost: every wrong password costs as many.
    slowest: AtomicUsize,
    scram: Scram,
    last_use: Arc<LastUse>,
    generation: AtomicU64,
    /// Held from reading a user's credentials to writing them.
    changing: tokio::sync::Mutex<()>,
}

/// Which SCRAM mechanisms are offered, as bits of [`bit`].
struct Scram {
    auto: bool,
    offered: AtomicU8,
}

const fn bit(hash: ScramHash) -> u8 {
    match hash {
        ScramHash::Sha256 => 1,
        ScramHash::Sha1 => 2,
    }
}

impl Scram {
    const fn auto() -> Self {
        Self {
            auto: true,
            offered: AtomicU8::new(0),
        }
    }

    fn build(bound: &Bound<'_>) -> Built<Self> {
        let mut offered = 0;
        let Some(node) = bound.node("scram") else {
            return Ok(Self::auto());
        };
        match &node.args[..] {
            [only] if only.text == "auto" => return Ok(Self::auto()),
            [only] if only.text == "off" => {}
            words => {
                for word in words {
                    offered |= match word.text.as_str() {
                        "sha-256" => bit(ScramHash::Sha256),
                        "sha-1" => bit(ScramHash::Sha1),
                        other => {
                            let message = format!("there is no SCRAM mechanism of {other}");
                            let error = Error::new(word.span, message);
                            let help = "`auto` or `off`, or one or both of `sha-256` and `sha-1`";
                            return Err(vec![error.help(help)]);
                        }
                    };
                }
            }
        }
        Ok(Self {
            auto: false,
            offered: offered.into(),
        })
    }
}

impl PassTable {
    /// Credentials in a table.
    #[must_use]
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self::with(table, Scram::auto())
    }

    fn with(table: Arc<dyn Table>, scram: Scram) -> Self {
        Self {
            last_use: Arc::new(LastUse::new(Arc::clone(&table))),
            table,
            stand_in: Mutex::default(),
            slowest: AtomicUsize::new(1),
            scram,
            generation: AtomicU64::default(),
            changing: tokio::sync::Mutex::default(),
        }
    }

    fn build<'t>(assembly: &mut Assembly<'t>, declaration: &Declaration<'t>) -> Built<Self> {
        // In place, the table can be written at once: `pass_table file PATH`.
        if let [module, args @ ..] = declaration.args {
            let table = Reference::Inline {
                module,
                args,
                block: declaration.block,
                node: declaration.node,
            };
            return Ok(Self::new(assembly.table_of(table)?));
        }
        let bound = declaration.bind(DIRECTIVES)?;
        let node = bound.node("table").ok_or_else(Vec::new)?;
        let scram = Scram::build(&bound)?;
        Ok(Self::with(assembly.table(node)?, scram))
    }

    /// The table that they are in.
    #[must_use]
    pub fn table(&self) -> Arc<dyn Table> {
        Arc::clone(&self.table)
    }

    /// The key of a user.
    fn key(user: &str) -> Result<String, anyhow::Error> {
        Ok(Normalize::PrecisCasefold.apply(user)?)
    }

    /// All that is kept of a user; nothing of an unknown one.
    async fn values(&self, user: &str) -> Result<Vec<String>, TableError> {
        match Self::key(user) {
            Ok(key) if !last_use::is_row(&key) => self.table.lookup_all(&key).await,
            _ => Ok(Vec::new()),
        }
    }

    fn writable(&self) -> Result<&dyn WritableTable, anyhow::Error> {
        let table = self.table.writable();
        table.context("the table of these credentials can't be changed from here")
    }

    /// Finds out which SCRAM mechanisms can be offered, as far as that is not said.
    async fn look(&self) {
        if self.scram.auto {
            let offered = self.keys_of_all().await.unwrap_or_default();
            self.scram.offered.store(offered, Ordering::Relaxed);
        }
    }

    /// As [`PassTable::look`], beside all else, if there is a runtime.
    fn look_soon(self: &Arc<Self>) {
        if let Ok(handle) = Handle::try_current() {
            let this = Arc::clone(self);
            handle.spawn(async move { this.look().await });
        }
    }

    /// The mechanisms for which every user has keys.
    async fn keys_of_all(&self) -> Result<u8, anyhow::Error> {
        let users = self.users().await?;
        if users.len() > LOOKED_AT {
            return Ok(0);
        }
        // Those who come get keys for the first alone, if nobody asks for more.
        let mut all = match users.is_empty() {
            true => bit(ScramHash::Sha256),
            false => bit(ScramHash::Sha256) | bit(ScramHash::Sha1),
        };
        for user in users {
            let credentials = Credentials::parse(&self.table.lookup_all(&user).await?)?;
            for hash in [ScramHash::Sha256, ScramHash::Sha1] {
                let usable = credentials.scram(hash).len();
                if usable < credentials.all().len() {
                    all &= !bit(hash);
                }
            }
            if all == 0 {
                break;
            }
        }
        Ok(all)
    }

    fn stand_in(&self) -> Stored {
        let stand_in = self.stand_in.lock();
        stand_in.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what a check costs.
    fn remember(&self, credentials: &Credentials) {
        self.slowest
            .fetch_max(credentials.slow(), Ordering::Relaxed);
        let Some(stored) = credentials.sample() else {
            return;
        };
        let mut stand_in = self.stand_in.lock().unwrap_or_else(PoisonError::into_inner);
        if *stand_in != *stored {
            stand_in.clone_from(stored);
        }
    }

    /// The verdict on a user of whom this is kept; the label of the password if it is right.
    async fn check(&self, values: &[String], password: &Secret) -> Result<String, Denied> {
        let credentials = match Credentials::parse(values) {
            Ok(credentials) => credentials,
            Err(error) => {
                self.decoy(password).await;
                return Err(Denied::Credentials(format!("{error:#}")));
            }
        };
        self.remember(&credentials);
        let missing = self.slowest() - credentials.slow().min(self.slowest());
        let (stand_in, password) = (self.stand_in(), password.clone());
        let verdict = compute(move || {
            let verdict = credentials.verify(&password);
            let verdict = verdict.map(|label| label.map(str::to_owned));
            if !matches!(verdict, Ok(Some(_))) {
                in_vain(&stand_in, &password, missing);
            }
            verdict
        });
        match verdict.await {
            Ok(Ok(Some(label))) => Ok(label),
            Ok(Ok(None)) => Err(Denied::Credentials("wrong password".to_owned())),
            Ok(Err(error)) => Err(Denied::Credentials(format!("{error:#}"))),
            Err(error) => Err(Denied::Unavailable(error)),
        }
    }

    fn slowest(&self) -> usize {
        self.slowest.load(Ordering::Relaxed)
    }
}

/// Checks a password for the time it takes.
fn in_vain(stand_in: &Stored, password: &Secret, times: usize) {
    for _ in 0..times {
        let _ = stand_in.verify(password);
    }
}

impl Provider for PassTable {
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a Secret,
    ) -> Answer<'a, Result<(), Denied>> {
        Box::pin(async move {
            let values = self.values(user).await.map_err(Denied::Unavailable)?;
            if values.is_empty() {
                self.decoy(password).await;
                return Err(Denied::Credentials("unknown user".to_owned()));
            }
            let label = self.check(&values, password).await?;
            self.scram_used(user, &label);
            Ok(())
        })
    }

    fn decoy<'a>(&'a self, password: &'a Secret) -> Answer<'a, ()> {
        Box::pin(async move {
            let (stand_in, password) = (self.stand_in(), password.clone());
            let times = self.slowest();
            // Only the time counts.
            let _ = compute(move || in_vain(&stand_in, &password, times)).await;
        })
    }

    fn offers(&self) -> Offers {
        let offered = self.scram.offered.load(Ordering::Relaxed);
        Offers {
            scram_sha_256: offered & bit(ScramHash::Sha256) != 0,
            scram_sha_1: offered & bit(ScramHash::Sha1) != 0,
            ..Offers::PASSWORDS
        }
    }

    fn scram_keys<'a>(
        &'a self,
        user: &'a str,
        hash: ScramHash,
    ) -> Answer<'a, Result<Vec<LabelledKeys>, Denied>> {
        Box::pin(async move {
            let values = self.values(user).await.map_err(Denied::Unavailable)?;
            let credentials = Credentials::parse(&values);
            Ok(credentials.map_or_else(|_| Vec::new(), |credentials| credentials.scram(hash)))
        })
    }

    fn scram_used(&self, user: &str, label: &str) {
        if let Ok(key) = Self::key(user) {
            self.last_use.note(&key, label);
        }
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }
}

impl Table for PassTable {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        Box::pin(async move { Ok(self.values(key).await?.into_iter().next()) })
    }
}
