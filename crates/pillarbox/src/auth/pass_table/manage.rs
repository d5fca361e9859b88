//! What the command line does with users and their passwords.

use std::sync::atomic::Ordering;

use anyhow::bail;
use pillarbox_proto::sasl::ScramHash;

use super::super::credentials::{Credential, Credentials, Making};
use super::super::hash::compute;
use super::super::last_use;
use super::PassTable;
use crate::secret::Secret;

/// What the command line tells of one password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// Its label; empty for the main one.
    pub label: String,
    /// When it was made, in seconds since 1970.
    pub created: Option<u64>,
    /// When it was last used, to the hour, likewise.
    pub used: Option<u64>,
    /// The SCRAM mechanisms it is good for.
    pub scram: Vec<ScramHash>,
}

impl PassTable {
    /// All users.
    ///
    /// # Errors
    /// The table can't be listed.
    pub async fn users(&self) -> Result<Vec<String>, anyhow::Error> {
        let mut keys = self.writable()?.keys().await?;
        keys.retain(|key| !last_use::is_row(key));
        Ok(keys)
    }

    /// The passwords of a user.
    ///
    /// # Errors
    /// What is kept is damaged, or the table can't be read.
    pub async fn describe(&self, user: &str) -> Result<Vec<Described>, anyhow::Error> {
        let key = Self::key(user)?;
        let credentials = Credentials::parse(&self.values(&key).await?)?;
        let used = self.last_use.of(&key).await?;
        let describe = |one: &Credential| {
            let hashes = [ScramHash::Sha256, ScramHash::Sha1].into_iter();
            Described {
                label: one.label.clone(),
                created: one.created,
                used: used.get(&one.label).copied(),
                scram: hashes.filter(|hash| one.scram(*hash).is_some()).collect(),
            }
        };
        Ok(credentials.all().iter().map(describe).collect())
    }

    /// Adds a user, and says under which name.
    ///
    /// # Errors
    /// There is such a user, or the name, the password or the table won't do. Nothing has changed.
    pub async fn create(
        &self,
        user: &str,
        password: Secret,
        making: Making,
    ) -> Result<String, anyhow::Error> {
        let key = Self::key(user)?;
        let _turn = self.changing.lock().await;
        if !self.values(&key).await?.is_empty() {
            bail!("credentials for {key} exist already");
        }
        // Left behind by somebody who had the name before.
        self.last_use.forget(&key, None).await?;
        self.set(key, Credentials::default(), "", password, making)
            .await
    }

    /// Changes a user's main password, and says under which name. Those with labels stay.
    ///
    /// # Errors
    /// There is no such user, or the password or the table won't do. Nothing has changed.
    pub async fn change(
        &self,
        user: &str,
        password: Secret,
        making: Making,
    ) -> Result<String, anyhow::Error> {
        let key = Self::key(user)?;
        let _turn = self.changing.lock().await;
        let credentials = self.existing(&key).await?;
        self.set(key, credentials, "", password, making).await
    }

    /// Gives a user one more password, and says under which name.
    ///
    /// # Errors
    /// There is no such user, or there is that label, or too many; or the label, the password or
    /// the table won't do. Nothing has changed.
    pub async fn add(
        &self,
        user: &str,
        label: &str,
        password: Secret,
        making: Making,
    ) -> Result<String, anyhow::Error> {
        let key = Self::key(user)?;
        let _turn = self.changing.lock().await;
        let credentials = self.existing(&key).await?;
        if credentials.has(label) {
            bail!("{key} has a password with the label {label} already");
        }
        self.set(key, credentials, label, password, making).await
    }

    /// Takes one of a user's passwords away, and says under which name.
    ///
    /// # Errors
    /// There is no such user or label, or it is the user's only password, or the table won't do.
    /// Nothing has changed.
    pub async fn revoke(&self, user: &str, label: &str) -> Result<String, anyhow::Error> {
        let key = Self::key(user)?;
        let _turn = self.changing.lock().await;
        let mut credentials = self.existing(&key).await?;
        if !credentials.revoke(label) {
            bail!("{key} has no password with the label {label}");
        }
        if credentials.all().is_empty() {
            bail!("{key} has no other password: use `creds remove`");
        }
        let value = credentials.to_string();
        self.writable()?.set(&key, &value).await?;
        self.changed().await;
        self.last_use.forget(&key, Some(label)).await?;
        Ok(key)
    }

    async fn existing(&self, key: &str) -> Result<Credentials, anyhow::Error> {
        let values = self.values(key).await?;
        if values.is_empty() {
            bail!("there are no credentials for {key}");
        }
        Credentials::parse(&values)
    }

    async fn set(
        &self,
        key: String,
        mut credentials: Credentials,
        label: &str,
        password: Secret,
        making: Making,
    ) -> Result<String, anyhow::Error> {
        let table = self.writable()?;
        let label = label.to_owned();
        let now = u64::try_from(crate::clock::now().unix_seconds).unwrap_or_default();
        let value = compute(move || {
            let mut others = credentials.clone();
            others.revoke(&label);
            let made = Credential::make(&label, &password, &making, &others, now)?;
            credentials.set(made)?;
            Ok::<_, anyhow::Error>(credentials.to_string())
        });
        table.set(&key, &value.await??).await?;
        self.changed().await;
        Ok(key)
    }

    async fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.look().await;
    }

    /// Removes a user; says whether there was one.
    ///
    /// # Errors
    /// The name or the table won't do.
    pub async fn remove(&self, user: &str) -> Result<bool, anyhow::Error> {
        let key = Self::key(user)?;
        let _turn = self.changing.lock().await;
        let removed = self.writable()?.remove(&key).await?;
        self.changed().await;
        self.last_use.forget(&key, None).await?;
        Ok(removed)
    }
}
