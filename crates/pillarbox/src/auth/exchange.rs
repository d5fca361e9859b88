//! SASL exchanges with clients, whatever protocol carries them: what the mechanisms ask for is found
//! here, and what they show is checked.

use std::sync::Arc;

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pillarbox_proto::sasl::{
    Claim, Exchange, Failure, Mechanism, Proof, Salt, ScramHash, ScramKeys, Setting, Step,
};
use serde_json::json;

use super::login::{Login, Origin, first_token};
use super::{Denied, Provider, TokenHint};
use crate::secret::Secret;

/// Random bytes in a nonce, before base64.
const NONCE_BYTES: usize = 18;

/// An exchange under way.
pub struct Conversation<'c> {
    login: &'c Login,
    origin: &'c Origin,
    mechanism: Mechanism,
    exchange: Exchange,
    /// Whose keys were given, and from where.
    keys: Option<Given>,
    /// What is said at the end, when the client has heard why.
    denied: Option<Refused>,
}

/// Keys that an exchange was given.
struct Given {
    /// The user as typed.
    user: String,
    /// The name that the provider knows.
    name: String,
    /// By the indices of the keys.
    labels: Vec<String>,
    /// `None` if the keys are nobody's.
    provider: Option<Arc<dyn Provider>>,
}

/// What comes next.
pub enum Turn {
    /// The client has to be sent this.
    Challenge(Vec<u8>),
    /// The client has proved to be somebody.
    In(Entered),
    /// It has not.
    Out(Out),
}

/// Somebody who was let in.
#[derive(Debug)]
pub struct Entered {
    /// The name as it was typed, or as the proof says it.
    pub user: String,
    /// The name of the storage account.
    pub account: String,
}

/// How an exchange ends badly.
#[derive(Debug)]
pub enum Out {
    /// The client broke it off, or does not keep to the protocol that carries the exchange.
    Broken(Failure),
    /// The client is not let in.
    Refused(Refused),
}

/// Who was not let in, and why.
#[derive(Debug)]
pub struct Refused {
    /// The name as it was typed, if it is known.
    pub user: String,
    /// Why.
    pub denied: Denied,
}

fn refused(user: &str, denied: Denied) -> Refused {
    let user = user.to_owned();
    Refused { user, denied }
}

fn credentials(why: impl Into<String>) -> Denied {
    Denied::Credentials(why.into())
}

impl<'c> Conversation<'c> {
    /// Starts an exchange by one of [`Login::mechanisms`], with the initial response if there is
    /// one.
    pub async fn begin(
        login: &'c Login,
        origin: &'c Origin,
        mechanism: Mechanism,
        initial: Option<&[u8]>,
    ) -> (Self, Turn) {
        let mut nonce = [0; NONCE_BYTES];
        let random = aws_lc_rs::rand::fill(&mut nonce);
        let setting = Setting {
            bindings: origin.bindings.clone(),
            nonce: STANDARD.encode(nonce),
        };
        let (exchange, step) = Exchange::begin(mechanism, setting, initial);
        let mut conversation = Self {
            login,
            origin,
            mechanism,
            exchange,
            keys: None,
            denied: None,
        };
        let turn = match random {
            Ok(()) => conversation.turn(step).await,
            Err(_) => {
                let denied = Denied::Unavailable(anyhow!("no random numbers"));
                Turn::Out(Out::Refused(refused("", denied)))
            }
        };
        (conversation, turn)
    }

    /// Takes the line with which the client answers a challenge, in base64.
    pub async fn answer(&mut self, line: &[u8]) -> Turn {
        let step = self.exchange.respond(line);
        self.turn(step).await
    }

    async fn turn(&mut self, mut step: Step) -> Turn {
        loop {
            step = match step {
                Step::Challenge(challenge) => return Turn::Challenge(challenge),
                Step::Keys(hash, user) => match self.find_keys(hash, &user).await {
                    Ok(keys) => self.exchange.keys(keys),
                    Err(denied) => return Turn::Out(Out::Refused(refused(&user, denied))),
                },
                Step::Done(claim) => match self.check(claim).await {
                    Ok(entered) => return Turn::In(entered),
                    Err(refused) => self.reject(refused),
                },
                Step::Fail(failure) => return Turn::Out(self.fail(failure)),
            }
        }
    }

    /// A client whose token is no good hears why, before it hears that it is not let in.
    fn reject(&mut self, refused: Refused) -> Step {
        let told = matches!(refused.denied, Denied::Credentials(_));
        self.denied = Some(refused);
        match told {
            true => {
                let error = self.token_error();
                self.exchange.reject(error.as_bytes())
            }
            false => Step::Fail(Failure::Denied),
        }
    }

    fn token_error(&self) -> String {
        let mut providers = self.login.providers.iter();
        let provider = providers.find(|provider| provider.offers().tokens);
        let hint = provider.map_or_else(TokenHint::default, |provider| provider.token_hint());
        token_error(self.mechanism, &hint)
    }

    fn fail(&mut self, failure: Failure) -> Out {
        if let Some(refused) = self.denied.take() {
            return Out::Refused(refused);
        }
        let user = self.keys.as_ref().map_or("", |given| &given.user);
        match failure {
            Failure::Cancelled | Failure::NotBase64 => Out::Broken(failure),
            Failure::Proof => {
                let unknown = self
                    .keys
                    .as_ref()
                    .is_none_or(|keys| keys.provider.is_none());
                let why = ["wrong password", "unknown user, or one without keys"];
                let denied = credentials(why[usize::from(unknown)]);
                self.login.settle(self.origin, user, Some(&denied));
                Out::Refused(refused(user, denied))
            }
            Failure::Malformed | Failure::ChannelBinding | Failure::Denied => {
                Out::Refused(refused(user, credentials(failure.to_string())))
            }
        }
    }

    /// The keys of a user, or some that nobody can have keys for.
    async fn find_keys(&mut self, hash: ScramHash, user: &str) -> Result<Vec<ScramKeys>, Denied> {
        self.login.wait(self.origin, user).await;
        let (name, found) = match self.login.auth_name(user).await {
            Ok(name) => (name.clone(), first_keys(self.login, &name, hash).await?),
            Err(Denied::Credentials(_)) => (String::new(), None),
            Err(unavailable) => return Err(unavailable),
        };
        let (provider, labelled) = found.unzip();
        let (labels, mut keys): (Vec<_>, Vec<_>) = labelled.unwrap_or_default().into_iter().unzip();
        self.keys = Some(Given {
            user: user.to_owned(),
            name,
            labels,
            provider,
        });
        if keys.is_empty() {
            let account = self.login.account(user);
            keys.push(nobodys(hash, &*self.login.salt_secret, &account)?);
        }
        Ok(keys)
    }

    async fn check(&mut self, claim: Claim) -> Result<Entered, Refused> {
        // Nobody may act as another (RFC 4422 §3.4.1).
        let own = [claim.user.as_str(), ""].contains(&claim.authorization.as_str());
        if !own && claim.proof != Proof::External {
            let why = credentials("nobody may act as another");
            return Err(refused(&claim.user, why));
        }
        match &claim.proof {
            Proof::Password(password) => {
                let password = Secret::new(password.bytes().to_vec());
                let login = self.login.login_from(self.origin, &claim.user, &password);
                entered(&claim.user, login.await)
            }
            Proof::Token(token) => {
                let token = Secret::new(token.bytes().to_vec());
                self.login.wait(self.origin, &claim.user).await;
                let outcome = self.token(&claim.user, &token).await;
                let denied = outcome.as_ref().err();
                self.login.settle(self.origin, &claim.user, denied);
                outcome.map_err(|denied| refused(&claim.user, denied))
            }
            Proof::Keys(index) => {
                self.note_use(*index);
                self.login.settle(self.origin, &claim.user, None);
                entered(&claim.user, self.login.storage_name(&claim.user).await)
            }
            Proof::External => {
                let outcome = self.certificate(&claim.authorization).await;
                outcome.map_err(|denied| refused(&claim.authorization, denied))
            }
        }
    }

    fn note_use(&self, index: usize) {
        let Some(given) = &self.keys else { return };
        if let (Some(provider), Some(label)) = (&given.provider, given.labels.get(index)) {
            provider.scram_used(&given.name, label);
        }
    }

    /// Checks a token. Without a name, the user is whose it is.
    async fn token(&self, user: &str, token: &Secret) -> Result<Entered, Denied> {
        let (_, owner) = first_token(&self.login.providers, token).await?;
        let owner = self.login.account(&owner);
        let user = if user.is_empty() { &owner } else { user };
        let by_name = self.login.account(user) == owner;
        if !by_name && self.login.auth_name(user).await? != owner {
            return Err(credentials(format!("the token is {owner}'s")));
        }
        let account = self.login.storage_name(user).await?;
        let user = user.to_owned();
        Ok(Entered { user, account })
    }

    /// Finds out who has the client's certificate. One with several names acts as the first, or as
    /// one of them that it asks for.
    async fn certificate(&self, authorization: &str) -> Result<Entered, Denied> {
        let wanted = self.login.account(authorization);
        for name in self.origin.certificate_names.iter() {
            let user = match &self.login.certificate_map {
                None => Some(name.clone()),
                Some(map) => map.lookup(name).await.map_err(Denied::Unavailable)?,
            };
            let Some(user) = user else { continue };
            if authorization.is_empty() || self.login.account(&user) == wanted {
                let account = self.login.storage_name(&user).await?;
                return Ok(Entered { user, account });
            }
        }
        Err(credentials("the certificate is not that user's"))
    }
}

fn entered(user: &str, account: Result<String, Denied>) -> Result<Entered, Refused> {
    match account {
        Ok(account) => Ok(Entered {
            user: user.to_owned(),
            account,
        }),
        Err(denied) => Err(refused(user, denied)),
    }
}

type Found = Option<(Arc<dyn Provider>, Vec<super::LabelledKeys>)>;

/// The keys of the first provider that has some. One that can't tell could be the one.
async fn first_keys(login: &Login, name: &str, hash: ScramHash) -> Result<Found, Denied> {
    for provider in &login.providers {
        let keys = provider.scram_keys(name, hash).await?;
        if !keys.is_empty() {
            return Ok(Some((Arc::clone(provider), keys)));
        }
    }
    Ok(None)
}

fn nobodys(hash: ScramHash, secret: &[u8], account: &str) -> Result<ScramKeys, Denied> {
    let mut random = [0; 32];
    aws_lc_rs::rand::fill(&mut random)
        .map_err(|_| Denied::Unavailable(anyhow!("no random numbers")))?;
    Ok(ScramKeys::of_nobody(
        Salt::invented(hash, secret, account),
        random,
    ))
}

/// RFC 7628 §3.2.2; for XOAUTH2 as its clients know it.
fn token_error(mechanism: Mechanism, hint: &TokenHint) -> String {
    let mut error = match mechanism {
        Mechanism::XOAuth2 => json!({ "status": "401", "schemes": "bearer" }),
        _ => json!({ "status": "invalid_token" }),
    };
    for (name, value) in [
        ("scope", &hint.scope),
        ("openid-configuration", &hint.openid_configuration),
    ] {
        if let Some(value) = value {
            error[name] = value.as_str().into();
        }
    }
    error.to_string()
}
