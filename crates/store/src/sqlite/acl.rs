//! Lists of rights.

use pillarbox_model::{AccountId, Acl, MailboxId, MailboxName, Rights, RightsChange, limit};
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::account;
use super::mailbox::{self, COLUMNS, MAILBOXES};
use super::tx::Tx;
use crate::mailbox::Delta;
use crate::{Error, MailboxInfo, Shared};

/// A list as `mailbox::COLUMNS` has it: rights and identifier of an entry in a line.
pub(super) fn read(lines: Option<&str>) -> Acl {
    let entry = |line: &str| {
        let (rights, identifier) = line.split_once(' ')?;
        Some((identifier.into(), Rights::from_bits(rights.parse().ok()?)))
    };
    let mut entries: Vec<_> = lines
        .into_iter()
        .flat_map(str::lines)
        .filter_map(entry)
        .collect();
    entries.sort_unstable_by(|(one, _): &(Box<str>, _), (other, _)| one.cmp(other));
    Acl::new(entries)
}

/// The list of a mailbox.
pub(super) fn of(sql: &Connection, mailbox: MailboxId) -> Result<Acl, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT identifier, rights FROM acl WHERE mailbox = ? ORDER BY identifier",
    )?;
    let entries = statement.query_map([mailbox.0 as i64], |row| {
        Ok((
            row.get::<_, String>(0)?.into(),
            Rights::from_bits(row.get(1)?),
        ))
    })?;
    Ok(Acl::new(entries.collect::<Result<_, _>>()?))
}

pub(super) fn mailbox_of(
    sql: &Connection,
    owner: &str,
    name: &MailboxName,
) -> Result<Option<MailboxInfo>, Error> {
    let mut statement = sql.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {MAILBOXES} WHERE m.account = (SELECT id FROM account WHERE name = ?) AND m.name = ?"
    ))?;
    let found = statement.query_row([owner, name.as_str()], mailbox::info);
    Ok(found.optional()?)
}

pub(super) fn shared_with(
    sql: &Connection,
    account: AccountId,
    identifiers: &[&str],
) -> Result<Vec<Shared>, Error> {
    let marks = vec!["?"; identifiers.len()].join(", ");
    let mut statement = sql.prepare(&format!(
        "SELECT {COLUMNS}, o.name FROM {MAILBOXES} JOIN account o ON o.id = m.account
         WHERE m.id IN (SELECT mailbox FROM acl WHERE identifier IN ({marks}))
           AND m.account <> {}",
        account.0
    ))?;
    let shared = statement.query_map(params_from_iter(identifiers), |row| {
        Ok(Shared {
            mailbox: mailbox::info(row)?,
            owner: row.get::<_, String>(14)?.into(),
        })
    })?;
    Ok(shared.collect::<Result<_, _>>()?)
}

impl Tx<'_> {
    pub(super) fn set_rights(
        &mut self,
        mailbox: MailboxId,
        identifier: &str,
        change: RightsChange,
    ) -> Result<Acl, Error> {
        let all = of(self.sql, mailbox)?;
        let owns = self.owner_of(mailbox)? == identifier;
        // An owner who does not stand in the list has all rights.
        let default = if owns { Rights::ALL } else { Rights::NONE };
        let rights = change.apply(all.get(identifier).unwrap_or(default));
        if rights == default {
            self.sql
                .prepare_cached("DELETE FROM acl WHERE mailbox = ? AND identifier = ?")?
                .execute(params![mailbox.0 as i64, identifier])?;
        } else {
            if all.get(identifier).is_none() && all.len() >= limit::ACL_ENTRIES {
                return Err(Error::TooManyIdentifiers);
            }
            self.sql
                .prepare_cached("INSERT OR REPLACE INTO acl VALUES (?, ?, ?)")?
                .execute(params![mailbox.0 as i64, identifier, rights.bits()])?;
        }
        self.concern(identifier)?;
        self.tell_rights(mailbox)
    }

    /// Whoever watches has to know that there is something else to see for those whom an identifier means.
    fn concern(&mut self, identifier: &str) -> Result<(), Error> {
        let name = identifier.strip_prefix('-').unwrap_or(identifier);
        match account::by_name(self.sql, name)? {
            Some(account) => self.renamed.push(account.id),
            None => self.regrouped = true,
        }
        Ok(())
    }

    /// Memory has to know of a list that changed.
    fn tell_rights(&mut self, mailbox: MailboxId) -> Result<Acl, Error> {
        let acl = of(self.sql, mailbox)?;
        let row = self.mailbox(mailbox)?;
        self.effects.push(Delta {
            acl: Some(acl.clone()),
            ..row.change()
        });
        self.renamed.push(row.account);
        Ok(acl)
    }

    fn owner_of(&self, mailbox: MailboxId) -> Result<String, Error> {
        let mut statement = self.sql.prepare_cached(
            "SELECT a.name FROM account a JOIN mailbox m ON m.account = a.id WHERE m.id = ?",
        )?;
        let owner = statement.query_row([mailbox.0 as i64], |row| row.get(0));
        owner.optional()?.ok_or(Error::NoMailbox)
    }

    /// Gives a new mailbox the rights of the one above it, if there is one (RFC 4314 §4).
    pub(super) fn inherit_rights(
        &self,
        account: AccountId,
        name: &MailboxName,
    ) -> Result<(), Error> {
        let Some(above) = name.parent(self.settings.delimiter) else {
            return Ok(());
        };
        self.sql
            .prepare_cached(
                "INSERT INTO acl SELECT new.id, acl.identifier, acl.rights
                 FROM mailbox new, mailbox above JOIN acl ON acl.mailbox = above.id
                 WHERE new.account = ?1 AND new.name = ?2 AND above.account = ?1 AND above.name = ?3",
            )?
            .execute(params![account.0 as i64, name.as_str(), above.as_str()])?;
        Ok(())
    }

    /// Takes a name out of all lists: whoever has it next is somebody else.
    pub(super) fn forget_identifier(&mut self, name: &str) -> Result<(), Error> {
        let named = [name.to_owned(), format!("-{name}")];
        let mailboxes: Vec<i64> = self
            .sql
            .prepare_cached("DELETE FROM acl WHERE identifier IN (?, ?) RETURNING mailbox")?
            .query_map(params_from_iter(&named), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for mailbox in mailboxes {
            self.tell_rights(MailboxId(mailbox as u64))?;
        }
        Ok(())
    }
}
