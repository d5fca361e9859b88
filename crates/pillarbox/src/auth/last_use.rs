//! When passwords were last used: rows of their own in the credentials table, so that a login never
//! writes what decides about logins.
//!
//! The key has a space, which no user's name has. The value is `LABEL=SECONDS`, once for each
//! password. Written an hour after the last time at the earliest, and beside the login, not in it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::table::{Table, TableError};

/// What keys of these rows begin with.
const PREFIX: &str = "last-use ";
/// Between two writes for one password.
const INTERVAL: Duration = Duration::from_secs(60 * 60);
/// Passwords whose last write is remembered; about 10 MB.
const NOTED: usize = 65_536;
/// Writes that wait their turn. A time that is lost is written at the next login.
const WAITING: usize = 1_024;

/// Times by label, in seconds since 1970.
pub(super) type Times = BTreeMap<String, u64>;

/// Whether a key of the table is one of these rows.
pub(super) fn is_row(key: &str) -> bool {
    key.starts_with(PREFIX)
}

fn row(user: &str) -> String {
    format!("{PREFIX}{user}")
}

/// The times in a table.
pub(super) struct LastUse {
    table: Arc<dyn Table>,
    noted: Mutex<HashMap<(String, String), Instant>>,
    waiting: Arc<Semaphore>,
    turn: tokio::sync::Mutex<()>,
}

impl LastUse {
    pub(super) fn new(table: Arc<dyn Table>) -> Self {
        Self {
            table,
            noted: Mutex::default(),
            waiting: Arc::new(Semaphore::new(WAITING)),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Notes that a password was used now. Does not wait; needs a runtime.
    pub(super) fn note(self: &Arc<Self>, user: &str, label: &str) {
        if self.table.writable().is_none() || !self.is_due(user, label, Instant::now()) {
            return;
        }
        let (Ok(handle), Ok(place)) = (
            Handle::try_current(),
            Arc::clone(&self.waiting).try_acquire_owned(),
        ) else {
            return;
        };
        let (this, user, label) = (Arc::clone(self), user.to_owned(), label.to_owned());
        handle.spawn(async move {
            let now = u64::try_from(crate::clock::now().unix_seconds).unwrap_or_default();
            // It is only a hint for people.
            let _ = this.write(&user, &label, now).await;
            drop(place);
        });
    }

    fn is_due(&self, user: &str, label: &str, now: Instant) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (user.to_owned(), label.to_owned());
        let last = noted.get(&key);
        if last.is_some_and(|last| now.saturating_duration_since(*last) < INTERVAL) {
            return false;
        }
        if noted.len() >= NOTED {
            noted.clear();
        }
        noted.insert(key, now);
        true
    }

    /// Writes a time unless one of less than an hour before is there.
    pub(super) async fn write(&self, user: &str, label: &str, now: u64) -> Result<(), TableError> {
        let _turn = self.turn.lock().await;
        let mut times = self.of(user).await?;
        let recent = |time: &u64| now.saturating_sub(*time) < INTERVAL.as_secs();
        if times.get(label).is_some_and(recent) {
            return Ok(());
        }
        times.insert(label.to_owned(), now);
        self.store(user, &times).await
    }

    async fn store(&self, user: &str, times: &Times) -> Result<(), TableError> {
        let Some(table) = self.table.writable() else {
            return Ok(());
        };
        if times.is_empty() {
            return table.remove(&row(user)).await.map(drop);
        }
        let words: Vec<String> = times
            .iter()
            .map(|(label, time)| format!("{label}={time}"))
            .collect();
        table.set(&row(user), &words.join(" ")).await
    }

    /// The times of a user. What can't be read is passed over.
    pub(super) async fn of(&self, user: &str) -> Result<Times, TableError> {
        let value = self.table.lookup(&row(user)).await?.unwrap_or_default();
        let word = |word: &str| {
            let (label, time) = word.rsplit_once('=')?;
            Some((label.to_owned(), time.parse().ok()?))
        };
        Ok(value.split(' ').filter_map(word).collect())
    }

    fn unnote(&self, user: &str, label: Option<&str>) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.retain(|(noted, known), _| noted != user || label.is_some_and(|l| l != known));
    }

    /// Forgets the time of a password, or all of a user's.
    pub(super) async fn forget(&self, user: &str, label: Option<&str>) -> Result<(), TableError> {
        let _turn = self.turn.lock().await;
        let mut times = self.of(user).await?;
        let before = times.len();
        times.retain(|known, _| label.is_some_and(|label| known != label));
        self.unnote(user, label);
        match times.len() < before {
            true => self.store(user, &times).await,
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{now, table};

    #[test]
    fn times_are_written_once_an_hour() {
        let table = table("sql_table {\n driver sqlite3\n dsn :memory:\n table_name t\n}");
        let uses = LastUse::new(table);
        let hour = INTERVAL.as_secs();
        let at = |label: &str| now(uses.of("ann")).unwrap().get(label).copied();
        now(uses.write("ann", "", 1_000)).unwrap();
        now(uses.write("ann", "phone", 2_000)).unwrap();
        now(uses.write("ann", "", 1_000 + hour - 1)).unwrap();
        assert_eq!((at(""), at("phone")), (Some(1_000), Some(2_000)));
        now(uses.write("ann", "", 1_000 + hour)).unwrap();
        assert_eq!((at(""), at("phone")), (Some(1_000 + hour), Some(2_000)));
        now(uses.forget("ann", Some("phone"))).unwrap();
        assert_eq!((at(""), at("phone")), (Some(1_000 + hour), None));
        now(uses.forget("ann", None)).unwrap();
        assert!(now(uses.of("ann")).unwrap().is_empty());

        let start = Instant::now();
        assert!(uses.is_due("ann", "", start) && !uses.is_due("ann", "", start));
        assert!(uses.is_due("ann", "phone", start) && uses.is_due("bob", "", start));
        assert!(uses.is_due("ann", "", start + INTERVAL));
    }
}
