//! `auth.pass_table`: password hashes in a table.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use pillarbox_config::{Directive, Kind, Reference};

use super::hash::{Hash, Stored, compute};
use super::{Denied, Provider};
use crate::Answer;
use crate::assemble::Assembly;
use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::normalize::Normalize;
use crate::secret::Secret;
use crate::table::{Table, TableError, WritableTable};

pub(crate) const MODULE: Module = Module {
    name: "auth.pass_table",
    aliases: &[],
    offers: &[Offer::Provider, Offer::Table],
    arguments: "[TABLE [ARGUMENT...]]",
    doc: "Checks passwords against hashes in a table, whose keys are the user names in lower \
          case (`precis_casefold`) and whose values are `bcrypt:...`, `argon2:...` or \
          `sha256:...`. With a table that can be changed, the command line can list, create and \
          remove users.",
    directives: DIRECTIVES,
    build: |assembly, declaration| {
        let credentials = Arc::new(PassTable::build(assembly, declaration)?);
        Ok(Parts {
            provider: Some(Arc::clone(&credentials) as Arc<dyn Provider>),
            table: Some(Arc::clone(&credentials) as Arc<dyn Table>),
            credentials: Some(credentials),
            ..Parts::default()
        })
    },
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[Directive::new(
    "table",
    Kind::Module("table"),
    "",
    "The table of users and hashes.",
)
.required()];

/// The provider. Also a table of users and their hashes, so beware of where it is used as one.
pub struct PassTable {
    table: Arc<dyn Table>,
    /// The hash last seen: an unknown user's password is checked against it in vain, and so takes
    /// as long as any other.
    stand_in: Mutex<Stored>,
}

impl PassTable {
    /// Credentials in a table.
    #[must_use]
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self {
            table,
            stand_in: Mutex::default(),
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
        Ok(Self::new(assembly.table(node)?))
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

    async fn stored(&self, user: &str) -> Result<Option<String>, TableError> {
        match Self::key(user) {
            Ok(key) => self.table.lookup(&key).await,
            Err(_) => Ok(None),
        }
    }

    fn writable(&self) -> Result<&dyn WritableTable, anyhow::Error> {
        let table = self.table.writable();
        table.context("the table of these credentials can't be changed from here")
    }

    /// All users.
    ///
    /// # Errors
    /// The table can't be listed.
    pub async fn users(&self) -> Result<Vec<String>, anyhow::Error> {
        self.writable()?.keys().await
    }

    /// Adds a user, and says under which name.
    ///
    /// # Errors
    /// There is such a user, or the name, the password or the table won't do. Nothing has changed.
    pub async fn create(
        &self,
        user: &str,
        password: Secret,
        hash: Hash,
    ) -> Result<String, anyhow::Error> {
        let key = Self::key(user)?;
        if self.table.lookup(&key).await?.is_some() {
            bail!("credentials for {key} exist already");
        }
        self.set(key, password, hash).await
    }

    /// Changes a user's password, and says under which name.
    ///
    /// # Errors
    /// There is no such user, or the password or the table won't do. Nothing has changed.
    pub async fn change(
        &self,
        user: &str,
        password: Secret,
        hash: Hash,
    ) -> Result<String, anyhow::Error> {
        let key = Self::key(user)?;
        if self.table.lookup(&key).await?.is_none() {
            bail!("there are no credentials for {key}");
        }
        self.set(key, password, hash).await
    }

    async fn set(
        &self,
        key: String,
        password: Secret,
        hash: Hash,
    ) -> Result<String, anyhow::Error> {
        let table = self.writable()?;
        let stored = compute(move || hash.create(&password)).await??;
        table.set(&key, &stored).await?;
        Ok(key)
    }

    /// Removes a user; says whether there was one.
    ///
    /// # Errors
    /// The name or the table won't do.
    pub async fn remove(&self, user: &str) -> Result<bool, anyhow::Error> {
        self.writable()?.remove(&Self::key(user)?).await
    }

    fn stand_in(&self) -> Stored {
        let stand_in = self.stand_in.lock();
        stand_in.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, stored: &Stored) {
        let mut stand_in = self.stand_in.lock().unwrap_or_else(PoisonError::into_inner);
        if *stand_in != *stored {
            stand_in.clone_from(stored);
        }
    }

    /// The verdict on a user whose hash is known to be `stored`.
    async fn check(&self, stored: &str, password: &Secret) -> Result<(), Denied> {
        let stored = match Stored::parse(stored) {
            Ok(stored) => stored,
            Err(error) => {
                self.decoy(password).await;
                return Err(Denied::Credentials(format!("{error:#}")));
            }
        };
        self.remember(&stored);
        let password = password.clone();
        match compute(move || stored.verify(&password)).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(Denied::Credentials("wrong password".to_owned())),
            Ok(Err(error)) => Err(Denied::Credentials(format!("{error:#}"))),
            Err(error) => Err(Denied::Unavailable(error)),
        }
    }
}

impl Provider for PassTable {
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a Secret,
    ) -> Answer<'a, Result<(), Denied>> {
        Box::pin(async move {
            match self.stored(user).await {
                Ok(Some(stored)) => self.check(&stored, password).await,
                Ok(None) => {
                    self.decoy(password).await;
                    Err(Denied::Credentials("unknown user".to_owned()))
                }
                Err(error) => Err(Denied::Unavailable(error)),
            }
        })
    }

    fn decoy<'a>(&'a self, password: &'a Secret) -> Answer<'a, ()> {
        Box::pin(async move {
            let (stand_in, password) = (self.stand_in(), password.clone());
            // Only the time counts.
            let _ = compute(move || stand_in.verify(&password)).await;
        })
    }
}

impl Table for PassTable {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        Box::pin(self.stored(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{now, parts, refused, secret};

    /// `123` by bcrypt, at its lowest cost.
    fn hash() -> String {
        Hash::Bcrypt { cost: 4 }.create(&secret("123")).unwrap()
    }

    fn pass_table(table: &str) -> Arc<PassTable> {
        let text = format!("auth.pass_table x {{\n table {table}\n}}");
        parts(&text, "x").credentials.unwrap()
    }

    fn denied(outcome: Result<(), Denied>) -> String {
        match outcome {
            Err(Denied::Credentials(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_password_opens_in_any_case_of_the_name() {
        let provider = pass_table(&format!(
            "static {{ \n entry user@example.org {:?}\n}}",
            hash()
        ));
        let login =
            |user: &str, password: &str| now(provider.authenticate(user, &secret(password)));
        login("user@example.org", "123").unwrap();
        login("User@EXAMPLE.org", "123").unwrap();
        assert_eq!(denied(login("user@example.org", "124")), "wrong password");
        assert_eq!(denied(login("user@example.org", "")), "wrong password");
        assert_eq!(denied(login("other@example.org", "123")), "unknown user");
        assert_eq!(denied(login("a b", "123")), "unknown user");
        assert_eq!(denied(login("", "123")), "unknown user");
    }

    #[test]
    fn damaged_entries_let_nobody_in() {
        let provider = pass_table("static {\n entry a 123\n entry b md5:123\n entry c argon2:1\n}");
        let login = |user: &str| denied(now(provider.authenticate(user, &secret("123"))));
        assert_eq!(login("a"), "no hash tag");
        assert_eq!(login("b"), "unknown hash: md5");
        assert_eq!(login("c"), "argon2: not five fields");
    }

    /// The stand-in is of the kind and cost of the hashes that are in use.
    #[test]
    fn unknown_users_cost_what_known_ones_do() {
        let provider = pass_table(&format!("static {{\n entry a {:?}\n}}", hash()));
        assert_eq!(provider.stand_in(), Stored::default());
        let _ = now(provider.authenticate("a", &secret("x")));
        assert_eq!(
            provider.stand_in(),
            Stored::parse(&hash_of(&provider)).unwrap()
        );
        assert_eq!(
            denied(now(provider.authenticate("b", &secret("123")))),
            "unknown user",
            "not even with the password of the stand-in"
        );
    }

    fn hash_of(provider: &PassTable) -> String {
        now(Table::lookup(provider, "a")).unwrap().unwrap()
    }

    #[test]
    fn the_command_line_manages_users() {
        let provider = pass_table("sql_table {\n driver sqlite3\n dsn :memory:\n table_name t\n}");
        let cheap = Hash::Bcrypt { cost: 4 };
        assert_eq!(
            now(provider.create("Ann", secret("1"), cheap)).unwrap(),
            "ann"
        );
        assert!(now(provider.create("ann", secret("2"), cheap)).is_err());
        assert!(now(provider.change("bob", secret("2"), cheap)).is_err());
        now(provider.change("ann", secret("2"), cheap)).unwrap();
        assert_eq!(now(provider.users()).unwrap(), ["ann"]);
        now(provider.authenticate("ann", &secret("2"))).unwrap();
        assert!(now(provider.remove("ANN")).unwrap());
        assert!(!now(provider.remove("ann")).unwrap());
        let fixed = pass_table("static {\n entry a b\n}");
        assert!(now(fixed.users()).is_err());
    }

    #[test]
    fn the_table_may_be_written_in_place() {
        let text = "auth.plain_separate x {\n pass pass_table static {\n entry a b\n }\n}";
        assert!(parts(text, "x").provider.is_some());
        assert!(refused("auth.pass_table x", "x").contains("missing required directive: table"));
    }
}
