//! One order, from the account to the certificate. The protocol is the library's; here is what we
//! do in it.

use std::fmt;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, CertificateIdentifier, ChallengeType,
    Error as AcmeError, ExternalAccountKey, Identifier, KeyAuthorization, NewAccount, NewOrder,
    Order, OrderStatus, Problem, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, SignatureAlgorithm};
use rustls::pki_types::CertificateDer;
use std::time::Duration;
use zeroize::Zeroizing;

use super::challenge::Board;
use super::directives::{Challenge, KeyType, Settings};
use super::http::Courier;
use super::schedule::{Failure, Window};
use super::store::Store;
use crate::log::{Logger, Text};

/// How the authority is asked whether it has decided.
const POLL: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_secs(300));
/// The prefix of problem types (RFC 8555 §6.7).
const PROBLEM: &str = "urn:ietf:params:acme:error:";

/// Whoever deals with one authority.
pub(super) struct Customer<'a> {
    pub(super) settings: &'a Settings,
    pub(super) store: &'a Store,
    pub(super) board: &'a Board,
    pub(super) courier: Courier,
    /// The authority's directory.
    pub(super) ca: &'a str,
    pub(super) log: &'a Logger,
}

/// What was ordered, both in PEM form.
pub(super) struct Issued {
    pub(super) key: Zeroizing<String>,
    pub(super) chain: String,
}

/// An answer that authorities can look for now.
pub(super) struct Posted {
    domain: String,
    token: String,
    value: String,
}

/// Why an order came to nothing.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) reason: String,
    /// The type of the authority's problem.
    pub(super) kind: Option<String>,
    /// The authority answered.
    refused: bool,
}

impl Trouble {
    /// Something on our side.
    pub(super) fn own(reason: impl fmt::Display) -> Self {
        let reason = reason.to_string();
        Self {
            reason,
            kind: None,
            refused: true,
        }
    }

    fn of_problem(problem: &Problem) -> Self {
        let subproblems = problem.subproblems.iter().map(|sub| format!("; {sub}"));
        let detail = problem.detail.as_deref().unwrap_or("no detail was given");
        Self {
            reason: format!("{detail}{}", subproblems.collect::<String>()),
            kind: problem.r#type.clone(),
            refused: true,
        }
    }

    fn is(&self, kind: &str) -> bool {
        self.kind.as_deref().and_then(|of| of.strip_prefix(PROBLEM)) == Some(kind)
    }

    /// What it means for the next attempt.
    pub(super) fn failure(&self, retry_after: Option<Duration>) -> Failure {
        match self.refused {
            true => Failure::Refused(retry_after),
            false => Failure::Unreachable,
        }
    }
}

impl From<AcmeError> for Trouble {
    fn from(error: AcmeError) -> Self {
        if let AcmeError::Api(problem) = &error {
            return Self::of_problem(problem);
        }
        Self {
            reason: with_sources(&error),
            kind: None,
            refused: false,
        }
    }
}

/// An error and what caused it, each once.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let further = error.to_string();
        if !text.contains(&further) {
            text = format!("{text}: {further}");
        }
        source = error.source();
    }
    text
}

impl Customer<'_> {
    /// Orders a certificate. `posted` gets what has to be taken off again, whatever the outcome.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(super) async fn order(
        &self,
        replaces: Option<CertificateIdentifier<'static>>,
        posted: &mut Vec<Posted>,
    ) -> Result<Issued, Trouble> {
        let mut order = match self.begin(replaces.clone()).await {
            Err(trouble) if trouble.is("accountDoesNotExist") => {
                self.log
                    .warn("the account is unknown to the CA, another one is made", &[]);
                self.store
                    .set_account_aside(self.ca)
                    .map_err(Trouble::own)?;
                self.begin(replaces).await?
            }
            begun => begun?,
        };
        self.authorize(&mut order, posted).await?;
        let key = self.new_key().map_err(Trouble::own)?;
        let request = self.request(&key).map_err(Trouble::own)?;
        order.finalize_csr(&request).await?;
        let chain = order.poll_certificate(&POLL).await?;
        Ok(Issued {
            key: Zeroizing::new(key.serialize_pem()),
            chain,
        })
    }

    /// When the authority wants a certificate to be renewed, and when to ask it again (RFC 9773
    /// §4).
    ///
    /// # Errors
    ///
    /// It does not say.
    pub(super) async fn renewal_info(
        &self,
        certificate: &CertificateIdentifier<'_>,
    ) -> Result<(Window, Duration), Trouble> {
        let account = self.account().await?;
        let (info, again) = account.renewal_info(certificate).await?;
        let window = info.suggested_window;
        Ok((
            Window {
                start: window.start.into(),
                end: window.end.into(),
            },
            again,
        ))
    }

    /// Takes all answers off. What can't be taken off is logged: it does no harm.
    pub(super) async fn clean_up(&self, posted: Vec<Posted>) {
        for Posted {
            domain,
            token,
            value,
        } in posted
        {
            self.board.take_off(&domain, &token);
            if let Challenge::Dns(hook) = &self.settings.challenge
                && let Err(error) = hook.run("cleanup", &domain, &value).await
            {
                let reason = Text(format!("{error:#}"));
                self.log
                    .warn("a DNS record was not removed", &[("reason", &reason)]);
            }
        }
    }

    /// The account, made if there is none.
    async fn account(&self) -> Result<Account, Trouble> {
        let kept = self.store.account(self.ca).map_err(Trouble::own)?;
        let Some(kept) = kept else {
            return self.register().await;
        };
        let courier = Box::new(self.courier.clone());
        match serde_json::from_slice::<AccountCredentials>(&kept) {
            Ok(credentials) => Ok(Account::builder_with_http(courier)
                .from_credentials(credentials)
                .await?),
            Err(error) => {
                let reason = Text(error);
                let message = "the account's file is damaged, another one is made";
                self.log.error(message, &[("reason", &reason)]);
                self.store
                    .set_account_aside(self.ca)
                    .map_err(Trouble::own)?;
                self.register().await
            }
        }
    }

    async fn register(&self) -> Result<Account, Trouble> {
        let contact = self
            .settings
            .email
            .as_ref()
            .map(|email| format!("mailto:{email}"));
        let contact: Vec<_> = contact.as_deref().into_iter().collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let eab = self.settings.eab.as_ref();
        let eab = eab.map(|eab| ExternalAccountKey::new(eab.id.clone(), eab.key.reveal()));
        let builder = Account::builder_with_http(Box::new(self.courier.clone()));
        let (account, credentials) = builder
            .create(&new, self.ca.to_owned(), eab.as_ref())
            .await?;
        let kept = Zeroizing::new(serde_json::to_vec(&credentials).map_err(Trouble::own)?);
        self.store
            .keep_account(self.ca, &kept)
            .map_err(Trouble::own)?;
        self.log.info("an account was made", &[("ca", &self.ca)]);
        Ok(account)
    }

    async fn begin(
        &self,
        replaces: Option<CertificateIdentifier<'static>>,
    ) -> Result<Order, Trouble> {
        let account = self.account().await?;
        let names: Vec<_> = self
            .settings
            .names
            .iter()
            .cloned()
            .map(Identifier::Dns)
            .collect();
        let mut new = NewOrder::new(&names);
        if let Some(profile) = &self.settings.profile {
            new = new.profile(profile);
        }
        let Some(replaces) = replaces else {
            return Ok(account.new_order(&new).await?);
        };
        let outcome = account.new_order(&new.replaces(replaces)).await;
        let outcome = outcome.map_err(|error| match error {
            // Whoever knows nothing of replacing (RFC 9773 §5) sells a certificate all the same.
            AcmeError::Unsupported(_) | AcmeError::Other(_) => None,
            error => Some(Trouble::from(error)).filter(|t| !t.is("alreadyReplaced")),
        });
        match outcome {
            Ok(order) => Ok(order),
            Err(Some(trouble)) => Err(trouble),
            Err(None) => {
                let mut again = NewOrder::new(&names);
                if let Some(profile) = &self.settings.profile {
                    again = again.profile(profile);
                }
                Ok(account.new_order(&again).await?)
            }
        }
    }

    /// Shows that the names are ours.
    async fn authorize(&self, order: &mut Order, posted: &mut Vec<Posted>) -> Result<(), Trouble> {
        self.post_all(order, posted).await?;
        if let Challenge::Dns(hook) = &self.settings.challenge
            && !posted.is_empty()
        {
            tokio::time::sleep(hook.wait).await;
        }
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Pending
                && let Some(mut challenge) = authorization.challenge(self.kind())
            {
                challenge.set_ready().await?;
            }
        }
        match order.poll_ready(&POLL).await {
            Ok(OrderStatus::Ready) => Ok(()),
            Ok(_) => Err(self.refusal(order).await),
            Err(AcmeError::Api(problem)) => {
                // The authorization says more than the order.
                let general = Trouble::of_problem(&problem);
                Err(self.find_refusal(order).await.unwrap_or(general))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Has the answers ready for all names that the authority wants to look at.
    async fn post_all(&self, order: &mut Order, posted: &mut Vec<Posted>) -> Result<(), Trouble> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let domain = match authorization.identifier().identifier {
                Identifier::Dns(domain) => domain.clone(),
                other => return Err(Trouble::own(format!("the CA wants to see {other:?}"))),
            };
            let offered: Vec<_> = authorization
                .challenges
                .iter()
                .map(|c| format!("{:?}", c.r#type))
                .collect();
            let Some(challenge) = authorization.challenge(self.kind()) else {
                let (kind, offered) = (self.kind(), offered.join(", "));
                let reason = format!("the CA offers no {kind:?} for {domain}, but {offered}");
                return Err(Trouble::own(reason));
            };
            let (answer, token) = (challenge.key_authorization(), challenge.token.clone());
            self.post(domain, token, &answer, posted).await?;
        }
        Ok(())
    }

    async fn post(
        &self,
        domain: String,
        token: String,
        answer: &KeyAuthorization,
        posted: &mut Vec<Posted>,
    ) -> Result<(), Trouble> {
        let value = answer.dns_value();
        posted.push(Posted {
            domain: domain.clone(),
            token: token.clone(),
            value: value.clone(),
        });
        let done = match &self.settings.challenge {
            Challenge::TlsAlpn => self
                .board
                .post_certificate(&domain, answer.digest().as_ref()),
            Challenge::Http => {
                self.board.post_token(&token, answer.as_str());
                Ok(())
            }
            Challenge::Dns(hook) => hook.run("present", &domain, &value).await,
        };
        done.map_err(|error| Trouble::own(format!("{error:#}")))
    }

    /// What the authority did not like about our names.
    async fn refusal(&self, order: &mut Order) -> Trouble {
        let silent = || Trouble::own("the CA refused the order and gave no reason");
        self.find_refusal(order).await.unwrap_or_else(silent)
    }

    async fn find_refusal(&self, order: &mut Order) -> Option<Trouble> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.ok()?;
            let state = authorization.refresh().await.ok()?;
            let problem = state
                .challenges
                .iter()
                .find_map(|challenge| challenge.error.as_ref());
            if let Some(problem) = problem {
                let Trouble {
                    reason,
                    kind,
                    refused,
                } = Trouble::of_problem(problem);
                let reason = format!("{}: {reason}", state.identifier());
                return Some(Trouble {
                    reason,
                    kind,
                    refused,
                });
            }
        }
        None
    }

    fn kind(&self) -> ChallengeType {
        match self.settings.challenge {
            Challenge::TlsAlpn => ChallengeType::TlsAlpn01,
            Challenge::Http => ChallengeType::Http01,
            Challenge::Dns(_) => ChallengeType::Dns01,
        }
    }

    fn new_key(&self) -> Result<KeyPair, rcgen::Error> {
        let algorithm: &'static SignatureAlgorithm = match self.settings.key_type {
            KeyType::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyType::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyType::Rsa2048 => &rcgen::PKCS_RSA_SHA256,
        };
        KeyPair::generate_for(algorithm)
    }

    /// The certificate signing request (RFC 8555 §7.4): exactly the names of the order.
    fn request(&self, key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
        let mut params = CertificateParams::new(self.settings.names.clone())?;
        params.distinguished_name = DistinguishedName::new();
        Ok(params.serialize_request(key)?.der().to_vec())
    }
}

/// What the authority calls a certificate (RFC 9773 §4.1); nothing if it has no such name.
pub(super) fn identifier(
    certificate: &CertificateDer<'_>,
) -> Option<CertificateIdentifier<'static>> {
    let identifier = CertificateIdentifier::try_from(certificate).ok();
    identifier.map(CertificateIdentifier::into_owned)
}
