//! Taking in messages that only their bytes are left of.

use pillarbox_model::{AccountId, MailboxId, MailboxName};
use rusqlite::{OptionalExtension, params};

use super::check::{Kept, finding};
use super::commit::{Source, Stored};
use super::message::Described;
use super::tx::Tx;
use super::{Engine, mark};
use crate::blob::{About, Location};
use crate::{Digested, Digester, Error, Finding};

/// Where such messages go.
const RECOVERED: &str = "Recovered";
/// Messages in one transaction: bounds what is held, and how long it keeps writers waiting.
const AT_ONCE: usize = 1_000;

/// A message without a row.
struct Orphan {
    location: Location,
    about: About,
    size_bytes: u64,
    hash: [u8; 32],
    digested: Digested,
}

/// Reports bytes that nothing names, and takes them in if asked. A database that was made beside
/// them is whole then.
pub(super) async fn recover(
    engine: &Engine,
    orphans: Vec<Kept>,
    bereft: bool,
    repair: Option<Digester>,
) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::with_capacity(orphans.len());
    for some in orphans.chunks(AT_ONCE) {
        findings.extend(match repair {
            Some(digester) => adopt(engine, some, digester).await?,
            None => some.iter().map(report).collect(),
        });
    }
    if bereft {
        let problem = "is new, and there are messages that it does not know";
        findings.push(Finding {
            repaired: repair.is_some(),
            ..finding("database".into(), problem.into())
        });
    }
    if bereft && repair.is_some() {
        let whole = engine
            .committer
            .submit(Vec::new(), |tx, _| mark::clear(tx.sql, mark::BEREFT));
        whole.await?;
    }
    Ok(findings)
}

fn report((location, ..): &Kept) -> Finding {
    let subject = format!("blob at {}", location.0);
    finding(subject, "no message names it".into())
}

/// Takes in those that can be read and say whose they are.
async fn adopt(engine: &Engine, some: &[Kept], digester: Digester) -> Result<Vec<Finding>, Error> {
    let mut findings: Vec<Finding> = some.iter().map(report).collect();
    let (mut orphans, mut places) = (Vec::new(), Vec::new());
    for (at, (location, about, _)) in some.iter().enumerate() {
        let Some(about) = *about else { continue };
        let Ok(bytes) = engine.blobs.read(location).await else {
            continue;
        };
        places.push(at);
        orphans.push(Orphan {
            location: location.clone(),
            about,
            size_bytes: bytes.len() as u64,
            hash: *blake3::hash(&bytes).as_bytes(),
            digested: digester(&bytes),
        });
    }
    // They may never have been synced.
    let locations: Vec<_> = orphans
        .iter()
        .map(|orphan| orphan.location.clone())
        .collect();
    engine.blobs.keep(&locations).await?;
    let all = move |tx: &mut Tx<'_>, _| {
        let each = orphans.into_iter().map(|orphan| tx.recover(orphan));
        let recovered = each.collect::<Result<Vec<bool>, Error>>()?;
        // They were there before: no quota keeps them out.
        tx.growth.forgive();
        Ok(recovered)
    };
    let recovered = engine.committer.submit(Vec::new(), all).await?;
    for (at, repaired) in places.into_iter().zip(recovered) {
        findings[at].repaired = repaired;
    }
    Ok(findings)
}

impl Tx<'_> {
    /// Adds a message that only its bytes are left of, where they lie. If the account has an equal
    /// one, or had one a short while ago, they are a copy, and given up. False if its account is
    /// gone too.
    fn recover(&mut self, orphan: Orphan) -> Result<bool, Error> {
        let account = orphan.about.account;
        let bereft = mark::is_set(self.sql, mark::BEREFT)?;
        if !self.has_account(account)? {
            if !bereft {
                return Ok(false);
            }
            self.recover_account(account)?;
        }
        if self.is_known(&orphan)? {
            self.doom(&[orphan.location], self.now)?;
            return Ok(true);
        }
        let mailbox = self.recovered(&orphan.about, bereft)?;
        let message = Described {
            flags: Vec::new(),
            date: orphan.about.date,
            digest: orphan.digested.digest,
            links: orphan.digested.links,
        };
        let stored = Stored {
            source: Source::New(orphan.location),
            size_bytes: orphan.size_bytes,
            hash: orphan.hash,
        };
        self.append(mailbox, vec![message], std::iter::once(stored))?;
        Ok(true)
    }

    fn has_account(&self, id: AccountId) -> Result<bool, Error> {
        let mut statement = self
            .sql
            .prepare_cached("SELECT 1 FROM account WHERE id = ?")?;
        Ok(statement.exists([id.0 as i64])?)
    }

    /// Whether the account has a message of these bytes, or one that waits to be given up.
    fn is_known(&self, orphan: &Orphan) -> Result<bool, Error> {
        let key = params![
            orphan.about.account.0 as i64,
            orphan.hash.as_slice(),
            orphan.size_bytes as i64
        ];
        let known = "SELECT 1 FROM blob WHERE account = ? AND hash = ? AND size = ?";
        let mut statement = self.sql.prepare_cached(known)?;
        let known: Option<i64> = statement.query_row(key, |row| row.get(0)).optional()?;
        Ok(known.is_some())
    }

    /// Where it goes. Without names of mailboxes, a number still keeps together what was together.
    fn recovered(&mut self, about: &About, by_number: bool) -> Result<MailboxId, Error> {
        let delimiter = self.settings.delimiter.0;
        let name = MailboxName::from_stored(&if by_number {
            format!("{RECOVERED}{delimiter}{}", about.mailbox)
        } else {
            RECOVERED.to_owned()
        });
        match super::mailbox::by_name(self.sql, about.account, &name)? {
            Some(info) => Ok(info.id),
            None => Ok(self.create_mailbox(about.account, &name, None)?.id),
        }
    }
}
