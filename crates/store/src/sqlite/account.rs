//! Accounts.

use pillarbox_model::{AccountId, MailboxName, SpecialUse, UidValidity};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::mark;
use super::tx::Tx;
use crate::mailbox::Delta;
use crate::{Account, Error};

const COLUMNS: &str = "SELECT id, name, append_limit FROM account";

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: AccountId(row.get::<_, i64>(0)? as u64),
        name: row.get::<_, String>(1)?.into(),
        append_limit: row.get::<_, Option<i64>>(2)?.map(|bytes| bytes as u64),
    })
}

pub(super) fn by_name(sql: &Connection, name: &str) -> Result<Option<Account>, Error> {
    let mut statement = sql.prepare_cached(&format!("{COLUMNS} WHERE name = ?"))?;
    Ok(statement.query_row([name], account).optional()?)
}

pub(super) fn all(sql: &Connection) -> Result<Vec<Account>, Error> {
    let mut statement = sql.prepare_cached(&format!("{COLUMNS} ORDER BY id"))?;
    Ok(statement
        .query_map([], account)?
        .collect::<Result<_, _>>()?)
}

impl Tx<'_> {
    pub(super) fn create_account(
        &mut self,
        name: &str,
        mailboxes: &[(MailboxName, Option<SpecialUse>)],
    ) -> Result<Account, Error> {
        if by_name(self.sql, name)?.is_some() {
            return Err(Error::AccountExists);
        }
        if mark::is_set(self.sql, mark::BEREFT)? {
            let text =
                "the database is new, and there are messages: `check --repair` takes them in";
            return Err(Error::Unavailable(text.into()));
        }
        self.sql
            .prepare_cached("INSERT INTO account (name, created) VALUES (?, ?)")?
            .execute(params![name, self.now])?;
        let id = AccountId(self.sql.last_insert_rowid() as u64);
        self.create_mailbox(id, &MailboxName::inbox(), None)?;
        for (name, special_use) in mailboxes.iter().filter(|(name, _)| !name.is_inbox()) {
            self.create_mailbox(id, name, *special_use)?;
        }
        // What a new account gets is up to the administrator, who also says how many it may have.
        self.growth.forgive();
        Ok(Account {
            id,
            name: name.into(),
            append_limit: None,
        })
    }

    /// Makes the account with an id, for messages of which nothing but its id is known.
    pub(super) fn recover_account(&mut self, id: AccountId) -> Result<(), Error> {
        self.sql.execute(
            "INSERT INTO account (id, name, created) VALUES (?, ?, ?)",
            params![id.0 as i64, format!("recovered-{id}"), self.now],
        )?;
        self.create_mailbox(id, &MailboxName::inbox(), None)?;
        Ok(())
    }

    pub(super) fn remove_account(&mut self, id: AccountId) -> Result<(), Error> {
        let key = [id.0 as i64];
        let name = "SELECT name FROM account WHERE id = ?";
        let name: Option<String> = self.sql.query_row(name, key, |row| row.get(0)).optional()?;
        let ids = self.mailbox_ids(id)?;
        for mailbox in &ids {
            self.drop_mailbox(*mailbox)?;
        }
        self.drop_annotations_of(id)?;
        self.sql
            .execute("DELETE FROM subscription WHERE account = ?", key)?;
        self.sql
            .execute("DELETE FROM link WHERE account = ?", key)?;
        self.forget_identifier(&name.ok_or(Error::NoAccount)?)?;
        match self.sql.execute("DELETE FROM account WHERE id = ?", key)? {
            0 => Err(Error::NoAccount),
            _ => {
                let gone = |mailbox| Delta::deletion(id, mailbox);
                self.effects.extend(ids.into_iter().map(gone));
                self.renamed.push(id);
                Ok(())
            }
        }
    }

    pub(super) fn set_append_limit(
        &mut self,
        id: AccountId,
        bytes: Option<u64>,
    ) -> Result<(), Error> {
        let bytes = bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let statement = "UPDATE account SET append_limit = ? WHERE id = ?";
        match self.sql.execute(statement, params![bytes, id.0 as i64])? {
            0 => Err(Error::NoAccount),
            _ => Ok(()),
        }
    }

    /// A UIDVALIDITY above any that the account ever had (RFC 3501 §2.3.1.1).
    pub(super) fn next_uid_validity(&self, id: AccountId) -> Result<UidValidity, Error> {
        let mut statement = self.sql.prepare_cached(
            "UPDATE account SET last_uid_validity = max(last_uid_validity, ?) + 1 WHERE id = ?
             RETURNING last_uid_validity",
        )?;
        let next = statement.query_row(params![self.now, id.0 as i64], |row| row.get(0));
        next.optional()?.map(UidValidity).ok_or(Error::NoAccount)
    }
}
