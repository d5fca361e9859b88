//! Mailboxes and subscriptions.

use pillarbox_model::{
    AccountId, MailboxId, MailboxName, ModSeq, NumberSet, PerResource, Rights, SpecialUse,
    UidValidity, limit,
};
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};

use super::tx::{Tx, Usage, mailbox_row};
use super::{acl, read};
use crate::mailbox::{Counters, Delta, Loaded, Mailbox};
use crate::{Error, MailboxInfo};

/// What [`info`] reads of mailboxes `m`.
pub(super) const COLUMNS: &str =
    "m.id, m.account, m.name, m.special_use, m.uid_validity, m.uid_next,
    m.highest_modseq, m.messages, m.unseen, m.deleted, m.size_bytes, m.deleted_bytes,
    s.name IS NOT NULL,
    (SELECT group_concat(rights || ' ' || identifier, char(10)) FROM acl WHERE mailbox = m.id)";
pub(super) const MAILBOXES: &str =
    "mailbox m LEFT JOIN subscription s ON s.account = m.account AND s.name = m.name";

pub(super) fn info(row: &SqlRow<'_>) -> rusqlite::Result<MailboxInfo> {
    let special_use: Option<String> = row.get(3)?;
    Ok(MailboxInfo {
        id: MailboxId(row.get::<_, i64>(0)? as u64),
        account: AccountId(row.get::<_, i64>(1)? as u64),
        name: MailboxName::from_stored(row.get_ref(2)?.as_str()?),
        special_use: special_use.and_then(|text| SpecialUse::from_attribute(&text)),
        uid_validity: UidValidity(row.get(4)?),
        counters: Counters {
            uid_next: row.get(5)?,
            highest_modseq: ModSeq(row.get::<_, i64>(6)? as u64),
            messages: row.get(7)?,
            unseen: row.get(8)?,
            deleted: row.get(9)?,
            size_bytes: row.get::<_, i64>(10)? as u64,
            deleted_bytes: row.get::<_, i64>(11)? as u64,
        },
        subscribed: row.get(12)?,
        acl: acl::read(row.get_ref(13)?.as_str_or_null()?),
    })
}

pub(super) fn all(sql: &Connection, account: AccountId) -> Result<Vec<MailboxInfo>, Error> {
    let mut statement = sql.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {MAILBOXES} WHERE m.account = ? ORDER BY m.name"
    ))?;
    Ok(statement
        .query_map([account.0 as i64], info)?
        .collect::<Result<_, _>>()?)
}

pub(super) fn by_name(
    sql: &Connection,
    account: AccountId,
    name: &MailboxName,
) -> Result<Option<MailboxInfo>, Error> {
    let mut statement = sql.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {MAILBOXES} WHERE m.account = ? AND m.name = ?"
    ))?;
    Ok(statement
        .query_row(params![account.0 as i64, name.as_str()], info)
        .optional()?)
}

/// Whose a mailbox is.
pub(super) fn account_of(sql: &Connection, id: MailboxId) -> Result<AccountId, Error> {
    let mut statement = sql.prepare_cached("SELECT account FROM mailbox WHERE id = ?")?;
    let found = statement
        .query_row([id.0 as i64], |row| row.get::<_, i64>(0))
        .optional()?;
    found.map(|id| AccountId(id as u64)).ok_or(Error::NoMailbox)
}

pub(super) fn subscriptions(
    sql: &Connection,
    account: AccountId,
) -> Result<Vec<MailboxName>, Error> {
    let mut statement =
        sql.prepare_cached("SELECT name FROM subscription WHERE account = ? ORDER BY name")?;
    let names = statement.query_map([account.0 as i64], |row| {
        Ok(MailboxName::from_stored(row.get_ref(0)?.as_str()?))
    })?;
    Ok(names.collect::<Result<_, _>>()?)
}

impl Tx<'_> {
    /// Makes a mailbox and what is missing above it.
    pub(super) fn create_mailbox(
        &mut self,
        account: AccountId,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<MailboxInfo, Error> {
        if by_name(self.sql, account, name)?.is_some() {
            return Err(Error::MailboxExists);
        }
        self.check_special_use(account, special_use)?;
        self.create_above(account, name)?;
        self.insert_mailbox(account, name, special_use)?;
        by_name(self.sql, account, name)?.ok_or(Error::NoMailbox)
    }

    /// Makes what is missing above a name.
    fn create_above(&mut self, account: AccountId, name: &MailboxName) -> Result<(), Error> {
        for above in name.ancestors(self.settings.delimiter) {
            if by_name(self.sql, account, &above)?.is_none() {
                self.insert_mailbox(account, &above, None)?;
            }
        }
        Ok(())
    }

    fn check_special_use(
        &self,
        account: AccountId,
        special_use: Option<SpecialUse>,
    ) -> Result<(), Error> {
        let Some(special_use) = special_use else {
            return Ok(());
        };
        let statement = "SELECT count(*) FROM mailbox WHERE account = ? AND special_use = ?";
        let key = params![account.0 as i64, special_use.attribute()];
        let taken: i64 = self.sql.query_row(statement, key, |row| row.get(0))?;
        if taken > 0 {
            Err(Error::SpecialUseTaken)
        } else {
            Ok(())
        }
    }

    fn insert_mailbox(
        &mut self,
        account: AccountId,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<(), Error> {
        let count = "SELECT count(*) FROM mailbox WHERE account = ?";
        let there: i64 = self
            .sql
            .query_row(count, [account.0 as i64], |row| row.get(0))?;
        if there >= limit::MAILBOXES_PER_ACCOUNT as i64 {
            return Err(Error::TooManyMailboxes);
        }
        let uid_validity = self.next_uid_validity(account)?;
        self.sql
            .prepare_cached(
                "INSERT INTO mailbox (account, name, special_use, uid_validity, created)
                 VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![
                account.0 as i64,
                name.as_str(),
                special_use.map(SpecialUse::attribute),
                uid_validity.0,
                self.now,
            ])?;
        self.growth.add(
            account,
            PerResource {
                mailbox: 1,
                ..PerResource::default()
            },
        );
        self.inherit_rights(account, name)?;
        self.subscribe(account, name, true)
    }

    pub(super) fn subscribe(
        &mut self,
        account: AccountId,
        name: &MailboxName,
        subscribed: bool,
    ) -> Result<(), Error> {
        let statement = if subscribed {
            "INSERT OR IGNORE INTO subscription (account, name) VALUES (?, ?)"
        } else {
            "DELETE FROM subscription WHERE account = ? AND name = ?"
        };
        let key = params![account.0 as i64, name.as_str()];
        self.sql.prepare_cached(statement)?.execute(key)?;
        self.renamed.push(account);
        Ok(())
    }

    pub(super) fn delete_mailbox(&mut self, id: MailboxId) -> Result<(), Error> {
        let statement = "SELECT name FROM mailbox WHERE id = ?";
        let name: Option<String> = self
            .sql
            .query_row(statement, [id.0 as i64], |row| row.get(0))
            .optional()?;
        match name.as_deref() {
            None => Err(Error::NoMailbox),
            Some("INBOX") => Err(Error::Inbox),
            Some(_) => {
                let account = self.drop_mailbox(id)?;
                self.effects.push(Delta::deletion(account, id));
                self.renamed.push(account);
                Ok(())
            }
        }
    }

    /// Removes a mailbox's rows; its blobs wait for their grace period. Says whose it was.
    pub(super) fn drop_mailbox(&mut self, id: MailboxId) -> Result<AccountId, Error> {
        let row = self.mailbox(id)?;
        self.count(row.account, Usage::of(&row.counters), Usage::default())?;
        let key = [id.0 as i64];
        self.sql.execute(
            "UPDATE blob SET refs = refs - gone.n,
                    dead_since = CASE WHEN refs = gone.n THEN unixepoch() ELSE dead_since END
             FROM (SELECT blob, count(*) AS n FROM message WHERE mailbox = ? GROUP BY blob) AS gone
             WHERE blob.id = gone.blob",
            key,
        )?;
        self.drop_annotations(id)?;
        for table in ["message", "expunged", "acl"] {
            self.sql
                .execute(&format!("DELETE FROM {table} WHERE mailbox = ?"), key)?;
        }
        self.sql.execute("DELETE FROM mailbox WHERE id = ?", key)?;
        Ok(row.account)
    }

    pub(super) fn mailbox_ids(&self, account: AccountId) -> Result<Vec<MailboxId>, Error> {
        let mut statement = self
            .sql
            .prepare_cached("SELECT id FROM mailbox WHERE account = ?")?;
        let ids = statement.query_map([account.0 as i64], |row| {
            Ok(MailboxId(row.get::<_, i64>(0)? as u64))
        })?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    pub(super) fn rename_mailbox(
        &mut self,
        account: AccountId,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<(), Error> {
        let delimiter = self.settings.delimiter;
        let source = by_name(self.sql, account, from)?.ok_or(Error::NoMailbox)?;
        if by_name(self.sql, account, to)?.is_some() {
            return Err(Error::MailboxExists);
        }
        if from.is_inbox() {
            let target = self.create_mailbox(account, to, None)?;
            self.copy_annotations(account, source.id, target.id)?;
            let everything = NumberSet::range(1..=u32::MAX);
            self.copy(source.id, &everything, target.id, true, Rights::ALL)?;
            return Ok(());
        }
        if to.is_below(from, delimiter) {
            return Err(Error::IntoItself);
        }
        self.renamed.push(account);
        self.create_above(account, to)?;
        self.rebase("mailbox", account, from, to)?;
        self.rebase("subscription", account, from, to)
    }

    /// Renames rows of a table that has `account` and `name`.
    fn rebase(
        &self,
        table: &str,
        account: AccountId,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<(), Error> {
        let mut statement = self
            .sql
            .prepare(&format!("SELECT name FROM {table} WHERE account = ?"))?;
        let names = statement.query_map([account.0 as i64], |row| {
            Ok(MailboxName::from_stored(row.get_ref(0)?.as_str()?))
        })?;
        let names: Vec<_> = names.collect::<Result<_, _>>()?;
        let update =
            format!("UPDATE OR REPLACE {table} SET name = ? WHERE account = ? AND name = ?");
        for name in names {
            let Some(new) = name.rebased(from, to, self.settings.delimiter) else {
                continue;
            };
            if new.as_str().len() > limit::MAILBOX_NAME_BYTES {
                return Err(Error::TooManyMailboxes);
            }
            if table == "mailbox" && by_name(self.sql, account, &new)?.is_some() {
                return Err(Error::MailboxExists);
            }
            self.sql.execute(
                &update,
                params![new.as_str(), account.0 as i64, name.as_str()],
            )?;
        }
        Ok(())
    }
}

/// Reads a mailbox for memory, as it is at one moment.
pub(super) fn load(sql: &Connection, id: MailboxId) -> Result<Mailbox, Error> {
    let snapshot = sql.unchecked_transaction()?;
    let row = mailbox_row(&snapshot, id)?;
    let loaded = Loaded {
        id,
        account: row.account,
        uid_validity: row.uid_validity,
        counters: row.counters,
        keywords: row.keywords,
        acl: acl::of(&snapshot, id)?,
    };
    let mut statement = snapshot.prepare_cached(read::ROWS)?;
    let rows = statement.query_map(params![id.0 as i64, 0, u32::MAX], read::row)?;
    Ok(Mailbox::load(loaded, rows)?)
}
