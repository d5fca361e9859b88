//! The task that looks after one certificate.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use super::super::certificate::is_for_name;
use super::super::validity::{Validity, validity};
use super::Acme;
use super::http::Courier;
use super::order::{Customer, Issued, Posted, Trouble, identifier};
use super::schedule::{Ca, Schedule, Step};
use crate::log::{Logger, Text, timestamp};
use crate::shutdown::Signal;

/// The longest nap: the clock on the wall may jump, and another process may have renewed.
const NAP: Duration = Duration::from_secs(60);

/// Whoever looks after a certificate.
pub(super) struct Keeper {
    acme: Arc<Acme>,
    schedule: Schedule,
    /// The certificate that the schedule knows.
    adopted: Option<Arc<CertifiedKey>>,
    /// Answers that have to be taken off again.
    posted: Vec<Posted>,
}

impl Keeper {
    pub(super) fn new(acme: Arc<Acme>) -> Self {
        let schedule = Schedule::new(acme.settings.test_ca.is_some());
        Self {
            acme,
            schedule,
            adopted: None,
            posted: Vec::new(),
        }
    }

    /// Orders and renews until it is told to stop.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<()>, mut signal: Signal) {
        tokio::select! {
            () = self.keep() => {}
            _ = stop.changed() => {}
            () = signal.stopping() => {}
        }
        // An order that was under way leaves nothing behind.
        let acme = Arc::clone(&self.acme);
        customer(&acme, Ca::Real)
            .clean_up(std::mem::take(&mut self.posted))
            .await;
    }

    async fn keep(&mut self) {
        loop {
            self.look();
            match self.schedule.next(SystemTime::now()) {
                Step::Wait(until) => nap(until).await,
                Step::AskInfo => self.ask().await,
                Step::Order(ca) => self.order(ca).await,
            }
        }
    }

    /// Sees whether another certificate is served than before: a stored one, or one that another
    /// process ordered.
    fn look(&mut self) {
        let current = self.acme.certificates.choose(None);
        let same = match (&current, &self.adopted) {
            (Some(current), Some(adopted)) => Arc::ptr_eq(current, adopted),
            (None, None) => true,
            _ => false,
        };
        if same {
            return;
        }
        self.adopted.clone_from(&current);
        if let Some(validity) = current.and_then(|key| self.acme.serves(&key)) {
            self.schedule.adopt(validity, SystemTime::now(), chance());
        }
    }

    /// Asks the authority when to renew.
    async fn ask(&mut self) {
        let now = SystemTime::now();
        let identifier = self
            .adopted
            .as_ref()
            .and_then(|key| identifier(key.cert.first()?));
        let Some(identifier) = identifier else {
            return self.schedule.uninformed(now);
        };
        let acme = Arc::clone(&self.acme);
        match customer(&acme, Ca::Real).renewal_info(&identifier).await {
            Ok((window, again)) => {
                let (start, end) = (timestamp(window.start), timestamp(window.end));
                acme.log.debug(
                    "the CA says when to renew",
                    &[("from", &start), ("to", &end)],
                );
                self.schedule.informed(window, again, now);
            }
            Err(trouble) => {
                let reason = Text(trouble.reason);
                acme.log
                    .debug("the CA does not say when to renew", &[("reason", &reason)]);
                self.schedule.uninformed(now);
            }
        }
    }

    async fn order(&mut self, ca: Ca) {
        let acme = Arc::clone(&self.acme);
        let customer = customer(&acme, ca);
        let lock = match acme.store.lock(acme.name()) {
            Ok(Some(lock)) => lock,
            Ok(None) => {
                acme.log.debug("another process orders at present", &[]);
                return self.schedule.busy(SystemTime::now());
            }
            Err(error) => return self.failed(&customer, &Trouble::own(error)),
        };
        // It may have just finished.
        acme.certificates.refresh(&acme.log);
        let before = self.adopted.clone();
        self.look();
        if changed(before.as_ref(), self.adopted.as_ref()) {
            return;
        }
        acme.log.info(
            "ordering a certificate",
            &[("ca", &customer.ca), ("name", &acme.name())],
        );
        let outcome = self.attempt(ca, &customer).await;
        customer.clean_up(std::mem::take(&mut self.posted)).await;
        drop(lock);
        match outcome {
            Ok(()) => self.look(),
            Err(trouble) => self.failed(&customer, &trouble),
        }
    }

    async fn attempt(&mut self, ca: Ca, customer: &Customer<'_>) -> Result<(), Trouble> {
        let replaces = match ca {
            Ca::Real if customer.store.issuer(self.acme.name()).as_deref() == Some(customer.ca) => {
                self.adopted
                    .as_ref()
                    .and_then(|key| identifier(key.cert.first()?))
            }
            _ => None,
        };
        let issued = customer.order(replaces, &mut self.posted).await?;
        let key = usable(&issued).map_err(Trouble::own)?;
        let validity = self.acme.covers(&key);
        let validity = validity.ok_or_else(|| Trouble::own("the CA left out names"))?;
        let not_after = timestamp(validity.not_after);
        if ca == Ca::Test {
            customer
                .log
                .info("the rehearsal went well", &[("ca", &customer.ca)]);
            self.schedule.rehearsed();
            return Ok(());
        }
        let name = self.acme.name();
        let kept = customer
            .store
            .keep_certificate(name, customer.ca, &issued.key, &issued.chain);
        kept.map_err(Trouble::own)?;
        self.acme.certificates.refresh(customer.log);
        let fields: crate::log::Fields<'_> = &[
            ("ca", &customer.ca),
            ("name", &name),
            ("not_after", &not_after),
        ];
        customer.log.info("a certificate was ordered", fields);
        Ok(())
    }

    fn failed(&mut self, customer: &Customer<'_>, trouble: &Trouble) {
        let failure = trouble.failure(customer.courier.retry_after());
        self.schedule.failed(failure, SystemTime::now(), chance());
        let next = self.schedule.retry_at().map(timestamp).unwrap_or_default();
        let validity = self
            .adopted
            .as_ref()
            .and_then(|key| validity(key.cert.first()?));
        let has = what_is_served(validity.as_ref(), SystemTime::now());
        let kind = trouble.kind.as_deref().unwrap_or("none");
        let fields: crate::log::Fields<'_> = &[
            ("ca", &customer.ca),
            ("name", &self.acme.name()),
            ("next_attempt", &next),
            ("problem", &kind),
            ("reason", &Text(&trouble.reason)),
            ("certificate", &has),
        ];
        self.acme
            .log
            .error("a certificate can't be ordered", fields);
    }
}

impl Acme {
    /// The validity of a certificate that needs no other in its place: it is for all names, and
    /// from the authority that is configured.
    fn serves(&self, key: &CertifiedKey) -> Option<Validity> {
        let issuer = self.store.issuer(self.name());
        self.covers(key)
            .filter(|_| issuer.as_deref() == Some(&self.settings.ca))
    }

    /// The validity of a certificate that is for all names.
    fn covers(&self, key: &CertifiedKey) -> Option<Validity> {
        let covers = |name: &String| is_for_name(key, &name.replace('*', "any"));
        let all = self.settings.names.iter().all(covers);
        validity(key.cert.first()?).filter(|_| all)
    }
}

/// For the log, where an order failed: what clients are shown meanwhile.
fn what_is_served(old: Option<&Validity>, now: SystemTime) -> String {
    match old {
        None => "there is none".to_owned(),
        Some(old) if old.not_after <= now => {
            format!("the old one expired on {}", timestamp(old.not_after))
        }
        Some(old) => format!("the old one lasts until {}", timestamp(old.not_after)),
    }
}

fn changed(before: Option<&Arc<CertifiedKey>>, after: Option<&Arc<CertifiedKey>>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => !Arc::ptr_eq(before, after),
        (None, None) => false,
        _ => true,
    }
}

fn customer(acme: &Acme, ca: Ca) -> Customer<'_> {
    let log: &Logger = &acme.log;
    Customer {
        settings: &acme.settings,
        store: &acme.store,
        board: &acme.board,
        courier: Courier::new(&acme.client.load()),
        ca: match (ca, &acme.settings.test_ca) {
            (Ca::Test, Some(test)) => test,
            _ => &acme.settings.ca,
        },
        log,
    }
}

/// Sees whether key and chain belong together.
fn usable(issued: &Issued) -> Result<CertifiedKey, String> {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(issued.chain.as_bytes()).collect();
    let chain = chain.map_err(|error| format!("the CA sent no good PEM: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes());
    let key = key.map_err(|error| format!("the key is no good PEM: {error}"))?;
    CertifiedKey::from_der(chain, key, &default_provider())
        .map_err(|error| format!("the CA sent a certificate that can't be used: {error}"))
}

async fn nap(until: SystemTime) {
    let left = until.duration_since(SystemTime::now()).unwrap_or_default();
    // A moment more, so that the time has surely come.
    tokio::time::sleep(left.min(NAP) + Duration::from_millis(1)).await;
}

/// A random number from 0 to 1. Without random numbers it is the middle: they only spread load.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    match rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_how_long_the_old_certificate_lasts() {
        let day = |day: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400);
        let old = Validity {
            not_before: day(0),
            not_after: day(90),
        };
        assert_eq!(what_is_served(None, day(1)), "there is none");
        let lasts = what_is_served(Some(&old), day(89));
        assert_eq!(lasts, "the old one lasts until 1970-04-01T00:00:00.000Z");
        let expired = what_is_served(Some(&old), day(90));
        assert_eq!(expired, "the old one expired on 1970-04-01T00:00:00.000Z");
    }
}
