//! A login: from what was typed to a storage account.

use std::sync::Arc;
use std::time::Instant;

use super::penalty::Penalties;
use super::{Denied, Provider};
use crate::net::Peer;
use crate::normalize::Normalize;
use crate::secret::Secret;
use crate::table::Table;

/// How an endpoint lets users in. The same for every mechanism.
pub struct Login {
    /// Asked in this order; the first that accepts decides.
    pub providers: Vec<Arc<dyn Provider>>,
    /// Translates the name for the providers.
    pub auth_map: Option<Arc<dyn Table>>,
    /// Applied before `auth_map`.
    pub auth_normalize: Normalize,
    /// Translates the name to that of a storage account.
    pub storage_map: Option<Arc<dyn Table>>,
    /// Applied before `storage_map`.
    pub storage_normalize: Normalize,
    /// Who has to wait, over all endpoints.
    pub penalties: Arc<Penalties>,
}

impl Login {
    /// Checks a password and names the storage account, which may not exist yet. It is made of the
    /// name as typed, never of the one that the providers were given.
    ///
    /// # Errors
    /// See [`Denied`].
    pub async fn login(&self, user: &str, password: &Secret) -> Result<String, Denied> {
        let name = translate(self.auth_normalize, self.auth_map.as_deref(), user).await;
        match name {
            Ok(name) => first_accepting(&self.providers, &name, password).await?,
            Err(denied) => {
                self.decoy(password).await;
                return Err(denied);
            }
        }
        translate(self.storage_normalize, self.storage_map.as_deref(), user).await
    }

    /// As [`Login::login`], after the time that failures from this address and for this user call
    /// for. Over a unix socket only the user counts.
    ///
    /// # Errors
    /// See [`Denied`].
    pub async fn login_from(
        &self,
        peer: &Peer,
        user: &str,
        password: &Secret,
    ) -> Result<String, Denied> {
        let address = match peer {
            Peer::Ip(address) => Some(address.ip()),
            Peer::Unix => None,
        };
        // One user under several spellings is one.
        let account = self.auth_normalize.apply(user);
        let account = account.as_deref().unwrap_or(user);
        tokio::time::sleep(self.penalties.delay(address, account, Instant::now())).await;
        let outcome = self.login(user, password).await;
        match &outcome {
            Ok(_) => self.penalties.succeeded(address, account, Instant::now()),
            Err(Denied::Credentials(_)) => self.penalties.failed(address, account, Instant::now()),
            // Nobody's fault.
            Err(Denied::Unavailable(_)) => {}
        }
        outcome
    }

    async fn decoy(&self, password: &Secret) {
        for provider in &self.providers {
            provider.decoy(password).await;
        }
    }
}

/// A name, normalised and mapped. What maps to nothing is nobody's name.
async fn translate(
    normalize: Normalize,
    map: Option<&dyn Table>,
    name: &str,
) -> Result<String, Denied> {
    let name = normalize
        .apply(name)
        .map_err(|error| Denied::Credentials(error.to_string()))?;
    let Some(map) = map else { return Ok(name) };
    match map.lookup(&name).await {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(Denied::Credentials("the name maps to nothing".to_owned())),
        Err(error) => Err(Denied::Unavailable(error)),
    }
}

/// Asks providers until one accepts. If none does and one could not tell, nobody can.
pub(super) async fn first_accepting(
    providers: &[Arc<dyn Provider>],
    user: &str,
    password: &Secret,
) -> Result<(), Denied> {
    let mut denied = Denied::Credentials("there is no auth. provider".to_owned());
    for provider in providers {
        match (provider.authenticate(user, password).await, &denied) {
            (Ok(()), _) => return Ok(()),
            (Err(_), Denied::Unavailable(_)) => {}
            (Err(why), Denied::Credentials(_)) => denied = why,
        }
    }
    match denied {
        Denied::Credentials(last) if providers.len() > 1 => Err(Denied::Credentials(format!(
            "no auth. provider accepted creds, last err: {last}"
        ))),
        denied => Err(denied),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use anyhow::anyhow;

    use super::*;
    use crate::Answer;
    use crate::testing::{now, secret, table};

    /// Accepts one name with the password "x", and keeps what it was asked.
    #[derive(Default)]
    struct Fake {
        accepts: &'static str,
        broken: bool,
        asked: Mutex<Vec<String>>,
        decoys: AtomicUsize,
    }

    impl Provider for Fake {
        fn authenticate<'a>(
            &'a self,
            user: &'a str,
            password: &'a Secret,
        ) -> Answer<'a, Result<(), Denied>> {
            self.asked.lock().unwrap().push(user.to_owned());
            crate::table::ready(if self.broken {
                Err(Denied::Unavailable(anyhow!("broken")))
            } else if user == self.accepts && password.reveal() == b"x" {
                Ok(())
            } else {
                Err(Denied::Credentials("no".to_owned()))
            })
        }

        fn decoy<'a>(&'a self, _password: &'a Secret) -> Answer<'a, ()> {
            self.decoys.fetch_add(1, Ordering::Relaxed);
            crate::table::ready(())
        }
    }

    fn accepting(accepts: &'static str) -> Arc<Fake> {
        Arc::new(Fake {
            accepts,
            ..Fake::default()
        })
    }

    fn broken() -> Arc<Fake> {
        Arc::new(Fake {
            broken: true,
            ..Fake::default()
        })
    }

    fn login(providers: &[&Arc<Fake>]) -> Login {
        Login {
            providers: providers
                .iter()
                .map(|&fake| Arc::clone(fake) as Arc<dyn Provider>)
                .collect(),
            auth_map: None,
            auth_normalize: Normalize::Auto,
            storage_map: None,
            storage_normalize: Normalize::Auto,
            penalties: Arc::default(),
        }
    }

    fn why(outcome: Result<String, Denied>) -> String {
        match outcome {
            Ok(account) => format!("let in as {account}"),
            Err(Denied::Credentials(why)) => why,
            Err(Denied::Unavailable(error)) => format!("unavailable: {error}"),
        }
    }

    /// C43, C45: without maps, both names are the normalised one.
    #[test]
    fn the_name_is_the_account() {
        let fake = accepting("user@example.org");
        let outcome = now(login(&[&fake]).login("User@EXAMPLE.org", &secret("x")));
        assert_eq!(outcome.unwrap(), "user@example.org");
    }

    /// C44, C46, C47: the storage has its own name for the user, the provider is not told.
    #[test]
    fn the_storage_name_is_made_of_the_typed_name() {
        let fake = accepting("mapped");
        let login = Login {
            auth_map: Some(table("regexp .* mapped")),
            storage_map: Some(table("email_localpart")),
            ..login(&[&fake])
        };
        let outcome = now(login.login("User@example.org", &secret("x")));
        assert_eq!(outcome.unwrap(), "user");
        assert_eq!(*fake.asked.lock().unwrap(), ["mapped"]);
    }

    /// C50: who has no storage account's name cannot log in; nor one without a name to ask for.
    #[test]
    fn a_name_that_maps_to_nothing_is_nobodys() {
        let fake = accepting("b@example.org");
        let only_a = || Some(table("static {\n entry a@example.org a\n}"));
        let stored = Login {
            storage_map: only_a(),
            ..login(&[&fake])
        };
        let outcome = now(stored.login("b@example.org", &secret("x")));
        assert_eq!(why(outcome), "the name maps to nothing");

        let asked = Login {
            auth_map: only_a(),
            ..login(&[&fake])
        };
        let outcome = now(asked.login("b@example.org", &secret("x")));
        assert_eq!(why(outcome), "the name maps to nothing");
        assert_eq!(
            fake.asked.lock().unwrap().len(),
            1,
            "only the first was asked"
        );
        assert_eq!(
            fake.decoys.load(Ordering::Relaxed),
            1,
            "which must not show"
        );
    }

    /// C52: the function decides what the provider sees.
    #[test]
    fn each_side_has_its_normalisation() {
        let fake = accepting("USER@example.org");
        let login = Login {
            auth_normalize: Normalize::Noop,
            ..login(&[&fake])
        };
        assert!(now(login.login("user@example.org", &secret("x"))).is_err());
        let outcome = now(login.login("USER@example.org", &secret("x")));
        assert_eq!(outcome.unwrap(), "user@example.org");
    }

    #[test]
    fn names_that_can_not_be_are_refused() {
        let fake = accepting("");
        let outcome = now(login(&[&fake]).login("", &secret("x")));
        assert_eq!(why(outcome), "the name is empty");
        assert!(fake.asked.lock().unwrap().is_empty());
    }

    #[test]
    fn the_first_provider_that_accepts_wins() {
        let (a, b, c) = (accepting("a"), accepting("b"), accepting("b"));
        let login = login(&[&a, &b, &c]);
        assert_eq!(now(login.login("b", &secret("x"))).unwrap(), "b");
        assert!(c.asked.lock().unwrap().is_empty());
        assert_eq!(
            why(now(login.login("d", &secret("x")))),
            "no auth. provider accepted creds, last err: no"
        );
    }

    #[test]
    fn a_broken_provider_is_not_a_wrong_password() {
        let (broken, a) = (broken(), accepting("a"));
        let login = login(&[&broken, &a]);
        assert_eq!(now(login.login("a", &secret("x"))).unwrap(), "a");
        assert_eq!(
            why(now(login.login("a", &secret("y")))),
            "unavailable: broken"
        );
    }

    /// Only wrong passwords are held against anybody, and under any spelling of the name.
    #[test]
    fn wrong_passwords_are_counted() {
        let waits = |fake: Arc<Fake>, password: &str| {
            let login = login(&[&fake]);
            for _ in 0..5 {
                let _ = now(login.login_from(&Peer::Unix, "A", &secret(password)));
            }
            login.penalties.delay(None, "a", Instant::now()) > Duration::ZERO
        };
        assert!(waits(accepting("a"), "y"));
        assert!(!waits(accepting("a"), "x"));
        assert!(!waits(broken(), "y"));
    }
}
