//! Quotas: what accounts have, and that they get no more than they may.
//!
//! Here is where it is decided, in the transaction: of two who fill up an account at the same time one
//! wins, and the other is told.

use pillarbox_model::{AccountId, PerResource, Resource};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::tx::Tx;
use crate::{Error, Limit, Quota};

/// What stands for no limit in a column.
const UNLIMITED: i64 = -1;

/// What an operation has added to accounts so far. It is judged when the operation is done: a move adds
/// first what it takes away afterwards.
#[derive(Default)]
pub(super) struct Growth {
    by_account: Vec<(AccountId, PerResource<i64>)>,
}

impl Growth {
    pub(super) fn add(&mut self, account: AccountId, more: PerResource<i64>) {
        let known = self.by_account.iter_mut().find(|(id, _)| *id == account);
        match known {
            Some((_, sum)) => {
                for resource in Resource::ALL {
                    sum.set(resource, sum.get(resource) + more.get(resource));
                }
            }
            None => self.by_account.push((account, more)),
        }
    }

    /// Leaves out what is to be allowed whatever the limits are.
    pub(super) fn forgive(&mut self) {
        self.by_account.clear();
    }
}

/// What an account has and may have.
pub(super) fn quota(
    sql: &Connection,
    account: AccountId,
    default: &PerResource<Option<u64>>,
) -> Result<Quota, Error> {
    let mut quota = without_mailboxes(sql, account, default)?.ok_or(Error::NoAccount)?;
    quota.usage.mailbox = mailboxes(sql, account)?;
    Ok(quota)
}

/// The same of all but the number of mailboxes, which is counted.
fn without_mailboxes(
    sql: &Connection,
    account: AccountId,
    default: &PerResource<Option<u64>>,
) -> Result<Option<Quota>, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT size_bytes, messages, quota_bytes, quota_messages, quota_mailboxes
         FROM account WHERE id = ?",
    )?;
    let read = statement.query_row([account.0 as i64], |row| {
        let usage = PerResource {
            storage: row.get::<_, i64>(0)?.max(0).cast_unsigned(),
            message: row.get::<_, i64>(1)?.max(0).cast_unsigned(),
            mailbox: 0,
        };
        let own = PerResource {
            storage: limit(row, 2)?,
            message: limit(row, 3)?,
            mailbox: limit(row, 4)?,
        };
        Ok((usage, own))
    });
    Ok(read.optional()?.map(|(usage, own)| {
        let mut limits = PerResource::default();
        for resource in Resource::ALL {
            limits.set(resource, own.get(resource).or(default.get(resource)));
        }
        Quota { usage, own, limits }
    }))
}

fn mailboxes(sql: &Connection, account: AccountId) -> Result<u64, Error> {
    let mut statement = sql.prepare_cached("SELECT count(*) FROM mailbox WHERE account = ?")?;
    let count = statement.query_row([account.0 as i64], |row| row.get::<_, i64>(0))?;
    Ok(count.cast_unsigned())
}

fn limit(row: &Row<'_>, column: usize) -> rusqlite::Result<Limit> {
    let number: Option<i64> = row.get(column)?;
    Ok(match number {
        None => Limit::Default,
        Some(number) => u64::try_from(number).map_or(Limit::Unlimited, Limit::At),
    })
}

fn column(limit: Limit) -> Option<i64> {
    match limit {
        Limit::Default => None,
        Limit::Unlimited => Some(UNLIMITED),
        Limit::At(limit) => Some(i64::try_from(limit).unwrap_or(i64::MAX)),
    }
}

impl Tx<'_> {
    pub(super) fn set_quota(
        &mut self,
        account: AccountId,
        limits: &PerResource<Limit>,
    ) -> Result<(), Error> {
        let done = self.sql.execute(
            "UPDATE account SET quota_bytes = ?, quota_messages = ?, quota_mailboxes = ?
             WHERE id = ?",
            params![
                column(limits.storage),
                column(limits.message),
                column(limits.mailbox),
                account.0 as i64
            ],
        )?;
        match done {
            0 => Err(Error::NoAccount),
            _ => Ok(()),
        }
    }

    /// Ends an operation, which must not have taken an account over its limits. What was over them
    /// before may stay so, as long as it does not grow.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        let growth = std::mem::take(&mut self.growth);
        for (account, more) in growth.by_account {
            self.judge(account, &more)?;
        }
        Ok(())
    }

    fn judge(&self, account: AccountId, more: &PerResource<i64>) -> Result<(), Error> {
        let mut grown = Resource::ALL.into_iter();
        if !grown.any(|resource| more.get(resource) > 0) {
            return Ok(());
        }
        let Some(mut quota) = without_mailboxes(self.sql, account, &self.default_quota)? else {
            return Ok(());
        };
        if more.mailbox > 0 && quota.limits.mailbox.is_some() {
            quota.usage.mailbox = mailboxes(self.sql, account)?;
        }
        for resource in Resource::ALL {
            if let Some(limit) = quota.limits.get(resource)
                && more.get(resource) > 0
                && quota.usage.get(resource) > limit
            {
                return Err(Error::OverQuota { resource, limit });
            }
        }
        Ok(())
    }
}
