//! Annotations (RFC 5464).

use bytes::Bytes;
use pillarbox_model::{AccountId, EntryName, MailboxId, limit};
use rusqlite::{Connection, params};

use super::mailbox::account_of;
use super::tx::Tx;
use crate::Error;
use crate::annotation::{Annotation, AnnotationChange, Wanted};

/// What stands in columns for nobody's, and for no mailbox: ids begin with 1.
const NONE: i64 = 0;

fn key(mailbox: Option<MailboxId>) -> i64 {
    mailbox.map_or(NONE, |mailbox| mailbox.0.cast_signed())
}

/// The annotations of each of these that a user sees, by name. One look at the database for all.
pub(super) fn get(
    sql: &Connection,
    user: AccountId,
    of: &[Option<MailboxId>],
    wanted: &Wanted,
) -> Result<Vec<Vec<Annotation>>, Error> {
    let snapshot = sql.unchecked_transaction()?;
    let mut found = Vec::with_capacity(of.len());
    for mailbox in of {
        found.push(of_one(&snapshot, user, *mailbox, wanted)?);
    }
    Ok(found)
}

fn of_one(
    sql: &Connection,
    user: AccountId,
    mailbox: Option<MailboxId>,
    wanted: &Wanted,
) -> Result<Vec<Annotation>, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT entry, length(value), value FROM annotation
         WHERE mailbox = ? AND user IN (0, ?) ORDER BY entry",
    )?;
    let mut rows = statement.query(params![key(mailbox), user.0.cast_signed()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let entry = EntryName::from_stored(&row.get::<_, String>(0)?);
        if !wanted.includes(&entry) {
            continue;
        }
        let size = row.get::<_, i64>(1)?.cast_unsigned();
        let fits = wanted.max_size.is_none_or(|limit| size <= limit);
        let value = match fits {
            true => Some(Bytes::from(row.get::<_, Vec<u8>>(2)?)),
            false => None,
        };
        found.push(Annotation { entry, size, value });
    }
    Ok(found)
}

impl Tx<'_> {
    /// Sets annotations, or removes those without a value.
    pub(super) fn annotate(
        &mut self,
        mailbox: Option<MailboxId>,
        user: AccountId,
        values: Vec<(EntryName, Option<Bytes>)>,
        origin: u64,
    ) -> Result<(), Error> {
        let host = match mailbox {
            Some(mailbox) => account_of(self.sql, mailbox)?.0.cast_signed(),
            None => NONE,
        };
        let adds = values.iter().any(|(_, value)| value.is_some());
        let before = self.annotated.len();
        for (entry, value) in values {
            let shared = entry.is_shared();
            let owner = if shared { NONE } else { user.0.cast_signed() };
            // Shared values burden whose mailbox it is, others whoever has them.
            let payer = if shared { host } else { owner };
            if self.annotate_one(key(mailbox), owner, payer, &entry, value.as_deref())? {
                self.annotated.push(AnnotationChange {
                    number: 0,
                    origin,
                    mailbox,
                    user: (!shared).then_some(user),
                    entry,
                });
            }
        }
        if let Some(mailbox) = mailbox.filter(|_| self.annotated.len() > before) {
            // RFC 7162 §3.2: whoever compares mod-sequences sees that something is new.
            let mut row = self.mailbox(mailbox)?;
            row.next_modseq();
            self.finish(&row, row.change())?;
        }
        if adds {
            self.bound_annotations(key(mailbox), user, host)?;
        }
        Ok(())
    }

    /// Whether it was another value.
    fn annotate_one(
        &self,
        mailbox: i64,
        user: i64,
        payer: i64,
        entry: &EntryName,
        value: Option<&[u8]>,
    ) -> Result<bool, Error> {
        let Some(value) = value else {
            let delete = "DELETE FROM annotation WHERE mailbox = ? AND user = ? AND entry = ?";
            let mut statement = self.sql.prepare_cached(delete)?;
            return Ok(statement.execute(params![mailbox, user, entry.as_str()])? > 0);
        };
        if value.len() > limit::ANNOTATION_BYTES {
            return Err(Error::AnnotationTooLarge);
        }
        let mut statement = self.sql.prepare_cached(
            "INSERT INTO annotation (mailbox, user, entry, payer, value) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (mailbox, user, entry) DO UPDATE SET value = excluded.value
               WHERE value <> excluded.value",
        )?;
        let key = params![mailbox, user, entry.as_str(), payer, value];
        Ok(statement.execute(key)? > 0)
    }

    /// Looks whether there are too many of one kind, or of one payer.
    fn bound_annotations(&self, mailbox: i64, user: AccountId, host: i64) -> Result<(), Error> {
        let user = user.0.cast_signed();
        let mut here = self
            .sql
            .prepare_cached("SELECT count(*) FROM annotation WHERE mailbox = ? AND user = ?")?;
        for user in [NONE, user] {
            let count: i64 = here.query_row([mailbox, user], |row| row.get(0))?;
            if count > limit::ANNOTATIONS_PER_MAILBOX as i64 {
                return Err(Error::TooManyAnnotations);
            }
        }
        match self.pays_too_much(host)? || self.pays_too_much(user)? {
            true => Err(Error::TooManyAnnotations),
            false => Ok(()),
        }
    }

    fn pays_too_much(&self, payer: i64) -> Result<bool, Error> {
        let mut all = self.sql.prepare_cached(
            "SELECT count(*), ifnull(sum(length(value)), 0) FROM annotation WHERE payer = ?",
        )?;
        let sums = all.query_row([payer], |row| Ok((row.get(0)?, row.get(1)?)));
        let (count, bytes): (i64, i64) = sums?;
        Ok(count > limit::ANNOTATIONS_PER_ACCOUNT as i64
            || bytes > limit::ANNOTATION_BYTES_PER_ACCOUNT as i64)
    }

    /// Gives a mailbox of an account the annotations of another, which keeps them (RFC 5464 §4.1, on
    /// INBOX). None, if that would be too many.
    pub(super) fn copy_annotations(
        &self,
        account: AccountId,
        from: MailboxId,
        to: MailboxId,
    ) -> Result<(), Error> {
        self.sql.execute(
            "INSERT INTO annotation (mailbox, user, entry, payer, value)
             SELECT ?, user, entry, payer, value FROM annotation WHERE mailbox = ?",
            params![to.0.cast_signed(), from.0.cast_signed()],
        )?;
        match self.pays_too_much(account.0.cast_signed())? {
            true => self.drop_annotations(to),
            false => Ok(()),
        }
    }

    pub(super) fn drop_annotations(&self, mailbox: MailboxId) -> Result<(), Error> {
        self.sql.execute(
            "DELETE FROM annotation WHERE mailbox = ?",
            [mailbox.0.cast_signed()],
        )?;
        Ok(())
    }

    /// What a user has on mailboxes of others, and on the server.
    pub(super) fn drop_annotations_of(&self, user: AccountId) -> Result<(), Error> {
        let user = user.0.cast_signed();
        self.sql
            .execute("DELETE FROM annotation WHERE user = ?", [user])?;
        Ok(())
    }
}
