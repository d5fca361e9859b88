//! A login: from what was typed to a storage account.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use pillarbox_proto::sasl::{Binding, Mechanism};

use super::cache::Cache;
use super::penalty::Penalties;
use super::{Denied, Offers, Provider};
use crate::net::Peer;
use crate::normalize::Normalize;
use crate::secret::Secret;
use crate::table::Table;

/// How an endpoint lets users in. The same for every mechanism.
#[derive(Default)]
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
    /// Makes the name of a user of one in a client's certificate.
    pub certificate_map: Option<Arc<dyn Table>>,
    /// Who has to wait, over all endpoints.
    pub penalties: Arc<Penalties>,
    /// Passwords that were right a moment ago.
    pub cache: Option<Cache>,
    /// Of what the salts of those who have none are made. It has to outlive restarts.
    pub salt_secret: Arc<[u8; 32]>,
}

/// What a connection shows of who is at its other end.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Where it comes from.
    pub peer: Peer,
    /// What proofs can be bound to. Empty without TLS.
    pub bindings: Vec<Binding>,
    /// Names in the certificate that the client showed and TLS has verified.
    pub certificate_names: Arc<[String]>,
}

impl Origin {
    /// A connection that shows nothing but where it comes from.
    #[must_use]
    pub fn bare(peer: Peer) -> Self {
        Self {
            peer,
            bindings: Vec::new(),
            certificate_names: Arc::default(),
        }
    }

    /// Its address. Over a unix socket there is none.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match &self.peer {
            Peer::Ip(address) => Some(address.ip()),
            Peer::Unix => None,
        }
    }
}

impl Login {
    /// The mechanisms there are for a connection on which credentials may be shown, best first.
    #[must_use]
    pub fn mechanisms(&self, origin: &Origin, sasl_login: bool) -> Vec<Mechanism> {
        let offers = self.offers();
        let offered = |mechanism: &Mechanism| match *mechanism {
            Mechanism::Scram { hash, plus } => {
                offers.scram(hash) && (!plus || !origin.bindings.is_empty())
            }
            Mechanism::External => !origin.certificate_names.is_empty(),
            Mechanism::OAuthBearer | Mechanism::XOAuth2 => offers.tokens,
            Mechanism::Plain => offers.passwords,
            Mechanism::Login => offers.passwords && sasl_login,
        };
        Mechanism::ALL.into_iter().filter(offered).collect()
    }

    /// Whether there is anybody who knows passwords.
    #[must_use]
    pub fn takes_passwords(&self) -> bool {
        self.offers().passwords
    }

    fn offers(&self) -> Offers {
        Offers::together(self.providers.iter().map(|provider| provider.offers()))
    }

    /// Checks a password and names the storage account, which may not exist yet. It is made of the
    /// name as typed, never of the one that the providers were given.
    ///
    /// # Errors
    /// See [`Denied`].
    pub async fn login(&self, user: &str, password: &Secret) -> Result<String, Denied> {
        match self.auth_name(user).await {
            Ok(name) => self.authenticate(&name, password).await?,
            Err(denied) => {
                self.decoy(password).await;
                return Err(denied);
            }
        }
        self.storage_name(user).await
    }

    async fn authenticate(&self, name: &str, password: &Secret) -> Result<(), Denied> {
        let Some(cache) = &self.cache else {
            return first_accepting(&self.providers, name, password).await;
        };
        // Of before it is asked: if it changes meanwhile, the answer is an old one.
        let generation = self.generation();
        if cache.knows(name, password, generation, Instant::now()) {
            return Ok(());
        }
        first_accepting(&self.providers, name, password).await?;
        cache.remember(name, password, generation, Instant::now());
        Ok(())
    }

    fn generation(&self) -> u64 {
        let generations = self.providers.iter().map(|provider| provider.generation());
        generations.fold(0, u64::wrapping_add)
    }

    /// As [`Login::login`], after the time that failures from this address and for this user call
    /// for. Over a unix socket only the user counts.
    ///
    /// # Errors
    /// See [`Denied`].
    pub async fn login_from(
        &self,
        origin: &Origin,
        user: &str,
        password: &Secret,
    ) -> Result<String, Denied> {
        self.wait(origin, user).await;
        let outcome = self.login(user, password).await;
        self.settle(origin, user, outcome.as_ref().err());
        outcome
    }

    /// Waits for as long as failures from this address and for this user call for.
    pub(super) async fn wait(&self, origin: &Origin, user: &str) {
        let account = self.account(user);
        let now = Instant::now();
        tokio::time::sleep(self.penalties.delay(origin.address(), &account, now)).await;
    }

    /// Counts how an attempt ended.
    pub(super) fn settle(&self, origin: &Origin, user: &str, denied: Option<&Denied>) {
        let (address, account, now) = (origin.address(), self.account(user), Instant::now());
        match denied {
            None => self.penalties.succeeded(address, &account, now),
            Some(Denied::Credentials(_)) => self.penalties.failed(address, &account, now),
            // Nobody's fault.
            Some(Denied::Unavailable(_)) => {}
        }
    }

    /// One user under several spellings is one.
    pub(super) fn account(&self, user: &str) -> String {
        let account = self.auth_normalize.apply(user);
        account.unwrap_or_else(|_| user.to_owned())
    }

    /// The name that providers know a user by.
    pub(super) async fn auth_name(&self, user: &str) -> Result<String, Denied> {
        translate(self.auth_normalize, self.auth_map.as_deref(), user).await
    }

    /// The name of a user's storage account.
    pub(crate) async fn storage_name(&self, user: &str) -> Result<String, Denied> {
        translate(self.storage_normalize, self.storage_map.as_deref(), user).await
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

/// Asks providers that take passwords until one accepts. If none does and one could not tell, nobody
/// can.
pub(super) async fn first_accepting(
    providers: &[Arc<dyn Provider>],
    user: &str,
    password: &Secret,
) -> Result<(), Denied> {
    let mut denied = Denied::Credentials("there is no auth. provider".to_owned());
    let taking = providers
        .iter()
        .filter(|provider| provider.offers().passwords);
    for provider in taking.clone() {
        match (provider.authenticate(user, password).await, &denied) {
            (Ok(()), _) => return Ok(()),
            (Err(_), Denied::Unavailable(_)) => {}
            (Err(why), Denied::Credentials(_)) => denied = why,
        }
    }
    match denied {
        Denied::Credentials(last) if taking.count() > 1 => Err(Denied::Credentials(format!(
            "no auth. provider accepted creds, last err: {last}"
        ))),
        denied => Err(denied),
    }
}

/// Asks providers whose a token is, until one knows. Says which of them it was.
pub(super) async fn first_token<'p>(
    providers: &'p [Arc<dyn Provider>],
    token: &Secret,
) -> Result<(&'p dyn Provider, String), Denied> {
    let mut denied = Denied::Credentials("there is no auth. provider for tokens".to_owned());
    for provider in providers.iter().filter(|provider| provider.offers().tokens) {
        match (provider.token(token).await, &denied) {
            (Ok(user), _) => return Ok((&**provider, user)),
            (Err(_), Denied::Unavailable(_)) => {}
            (Err(why), Denied::Credentials(_)) => denied = why,
        }
    }
    Err(denied)
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
        tokens_only: bool,
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

        fn offers(&self) -> Offers {
            Offers {
                passwords: !self.tokens_only,
                ..Offers::PASSWORDS
            }
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
            ..Login::default()
        }
    }

    fn why(outcome: Result<String, Denied>) -> String {
        match outcome {
            Ok(account) => format!("let in as {account}"),
            Err(Denied::Credentials(why)) => why,
            Err(Denied::Unavailable(error)) => format!("unavailable: {error}"),
        }
    }

    /// Else its refusal would be what the log says of a wrong password.
    #[test]
    fn who_takes_only_tokens_is_not_asked_for_a_password() {
        let tokens = Arc::new(Fake {
            tokens_only: true,
            ..Fake::default()
        });
        let login = login(&[&accepting("a"), &tokens]);
        assert_eq!(why(now(login.login("a", &secret("y")))), "no");
        assert!(tokens.asked.lock().unwrap().is_empty());
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
                let _ = now(login.login_from(&Origin::bare(Peer::Unix), "A", &secret(password)));
            }
            login.penalties.delay(None, "a", Instant::now()) > Duration::ZERO
        };
        assert!(waits(accepting("a"), "y"));
        assert!(!waits(accepting("a"), "x"));
        assert!(!waits(broken(), "y"));
    }
}
