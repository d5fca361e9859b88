//! `limits`: how much mail is taken at a time.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pillarbox_config::{Bound, Directive, Error, Kind, Node, unit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::net::Peer;

pub(crate) const MODULES: &[&Module] = &[&MODULE];

/// How long somebody waits for a turn before he is told to come again.
const PATIENCE: Duration = Duration::from_secs(5);
/// Addresses or domains that are counted apart in one scope.
const KEYS: usize = 20_000;

const MODULE: Module = Module {
    name: "limits",
    aliases: &[],
    offers: &[Offer::Throttle],
    arguments: "",
    doc: "How much mail an endpoint takes, as a block to be referred to, as in `limits &NAME`; endpoints \
          that refer to the same block share its limits. Each line is a scope and a limit: \
          `SCOPE rate BURST [PERIOD]` lets so many messages in within the period (a second, if none is \
          given), `SCOPE concurrency N` so many at the same time. Whoever comes above that waits up to 5 \
          seconds, and is then told to try again later.",
    directives: DIRECTIVES,
    build: |_, declaration| {
        Ok(Parts {
            throttle: Some(Arc::new(Throttle::build(declaration)?)),
            ..Parts::default()
        })
    },
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[
    Directive::new("all", Kind::Custom, "", "All messages.").repeat(),
    Directive::new("ip", Kind::Custom, "", "Messages from one address.").repeat(),
    Directive::new(
        "source",
        Kind::Custom,
        "",
        "Messages from one domain, by the sender's address.",
    )
    .repeat(),
    Directive::new("destination", Kind::Custom, "", "Messages to one domain.").repeat(),
];

/// The limits of a block.
#[derive(Debug, Default)]
pub struct Throttle {
    all: Scope,
    ip: Scope,
    source: Scope,
    destination: Scope,
}

/// What is counted together by a key.
#[derive(Debug, Default)]
struct Scope {
    rates: Vec<Rate>,
    concurrency: Option<usize>,
    keys: Mutex<HashMap<String, Key>>,
}

/// So many in that time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate {
    burst: u32,
    period: Duration,
}

#[derive(Debug)]
struct Key {
    /// When the last of those who were let in or wait would have come if they came evenly, a rate
    /// each.
    due: Vec<Instant>,
    places: Arc<Semaphore>,
}

/// A place among those that may be there at the same time. Dropping it gives it back.
pub struct Ticket {
    _place: OwnedSemaphorePermit,
}

/// There was no turn within the time that one waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl Throttle {
    /// Reads a block.
    ///
    /// # Errors
    /// All that is wrong in it.
    pub fn build(declaration: &Declaration<'_>) -> Built<Self> {
        declaration.no_args()?;
        let bound = declaration.bind(DIRECTIVES)?;
        Ok(Self {
            all: Scope::build(&bound, "all")?,
            ip: Scope::build(&bound, "ip")?,
            source: Scope::build(&bound, "source")?,
            destination: Scope::build(&bound, "destination")?,
        })
    }

    /// Waits until a message may come from there.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn sender(&self, peer: &Peer, from: &str) -> Result<Vec<Ticket>, Busy> {
        let deadline = Instant::now() + PATIENCE;
        let mut tickets = Vec::new();
        tickets.extend(self.all.take("", deadline).await?);
        if let Peer::Ip(address) = peer {
            tickets.extend(self.ip.take(&address.ip().to_string(), deadline).await?);
        }
        tickets.extend(self.source.take(&domain(from), deadline).await?);
        Ok(tickets)
    }

    /// Waits until a message may go there. Recipients in a domain that is among `known` already have
    /// the turn of the first one; others are added.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn recipient(
        &self,
        to: &str,
        known: &mut HashSet<String>,
    ) -> Result<Option<Ticket>, Busy> {
        let domain = domain(to);
        if known.contains(&domain) {
            return Ok(None);
        }
        let ticket = self
            .destination
            .take(&domain, Instant::now() + PATIENCE)
            .await?;
        known.insert(domain);
        Ok(ticket)
    }
}

fn domain(address: &str) -> String {
    address
        .rsplit_once('@')
        .map_or("", |(_, domain)| domain)
        .to_lowercase()
}

impl Scope {
    fn build(bound: &Bound<'_>, name: &str) -> Built<Self> {
        let mut scope = Self::default();
        for node in bound.nodes(name) {
            scope.add(node)?;
        }
        Ok(scope)
    }

    fn add(&mut self, node: &Node) -> Built<()> {
        let texts: Vec<&str> = node.texts().collect();
        let number = |text: &str| text.parse().ok().filter(|number: &u32| *number > 0);
        let read = match texts.as_slice() {
            ["rate", burst] => number(burst).map(|burst| self.rate(burst, Duration::from_secs(1))),
            ["rate", burst, period @ ..] => {
                let period = unit::duration(&period.concat()).ok();
                let period = period.filter(|period| !period.is_zero());
                number(burst)
                    .zip(period)
                    .map(|(burst, period)| self.rate(burst, period))
            }
            ["concurrency", places] => number(places).map(|places| {
                self.concurrency = usize::try_from(places).ok();
            }),
            _ => None,
        };
        read.ok_or_else(|| {
            let error = Error::new(node.span(), "a limit is expected here");
            vec![error.help("as in `all rate 20 1s` or `all concurrency 10`")]
        })
    }

    fn rate(&mut self, burst: u32, period: Duration) {
        self.rates.push(Rate { burst, period });
    }

    async fn take(&self, key: &str, deadline: Instant) -> Result<Option<Ticket>, Busy> {
        if self.rates.is_empty() && self.concurrency.is_none() {
            return Ok(None);
        }
        let places = self.places(key)?;
        let ticket = match self.concurrency {
            Some(_) => {
                let place = timeout_at(deadline, places.acquire_owned()).await;
                Some(Ticket {
                    _place: place.map_err(|_| Busy)?.map_err(|_| Busy)?,
                })
            }
            None => None,
        };
        let now = Instant::now();
        let at = self.turn(key, now, deadline)?;
        // Sleeping takes a millisecond at least.
        if at > now {
            sleep_until(at).await;
        }
        Ok(ticket)
    }

    fn places(&self, key: &str) -> Result<Arc<Semaphore>, Busy> {
        self.with(key, |key| Arc::clone(&key.places))
    }

    /// When the next one may come in, whose turn this then is.
    fn turn(&self, key: &str, now: Instant, deadline: Instant) -> Result<Instant, Busy> {
        self.with(key, |known| {
            let turns = self.rates.iter().zip(&known.due);
            let at = turns.map(|(rate, due)| rate.turn(*due, now)).max();
            let at = at.unwrap_or(now);
            if at > deadline.max(now) {
                return Err(Busy);
            }
            for (rate, due) in self.rates.iter().zip(&mut known.due) {
                *due = (*due).max(at) + rate.interval();
            }
            Ok(at)
        })?
    }

    fn with<T>(&self, key: &str, work: impl FnOnce(&mut Key) -> T) -> Result<T, Busy> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = keys.get_mut(key) {
            return Ok(work(known));
        }
        if keys.len() >= KEYS {
            let now = Instant::now();
            keys.retain(|_, key| self.is_in_use(key, now));
        }
        if keys.len() >= KEYS {
            return Err(Busy);
        }
        let places = self.concurrency.unwrap_or(0).min(Semaphore::MAX_PERMITS);
        let new = Key {
            due: vec![Instant::now(); self.rates.len()],
            places: Arc::new(Semaphore::new(places)),
        };
        Ok(work(keys.entry(key.to_owned()).or_insert(new)))
    }

    /// Whether forgetting a key would let more in.
    fn is_in_use(&self, key: &Key, now: Instant) -> bool {
        Arc::strong_count(&key.places) > 1
            || key.places.available_permits() < self.concurrency.unwrap_or(0)
            || key.due.iter().any(|due| *due > now)
    }
}

impl Rate {
    /// Between two that come evenly.
    fn interval(&self) -> Duration {
        self.period / self.burst
    }

    /// When the next may come: as many as `burst` may be ahead of their time.
    fn turn(&self, due: Instant, now: Instant) -> Instant {
        let ahead = self.period.saturating_sub(self.interval());
        due.checked_sub(ahead).map_or(now, |at| at.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(rates: &[(u32, u64)], concurrency: Option<usize>) -> Scope {
        let rate = |&(burst, seconds): &(u32, u64)| Rate {
            burst,
            period: Duration::from_secs(seconds),
        };
        Scope {
            rates: rates.iter().map(rate).collect(),
            concurrency,
            keys: Mutex::default(),
        }
    }

    /// Time is given, and nothing waits.
    #[test]
    fn a_burst_may_come_at_once_and_the_next_one_waits() {
        let scope = scope(&[(4, 60)], None);
        let start = Instant::now() + Duration::from_secs(1_000);
        let later = |seconds| start + Duration::from_secs(seconds);
        let turn = |key: &str, seconds| scope.turn(key, later(seconds), later(seconds + 20));
        for _ in 0..4 {
            assert_eq!(turn("a", 0), Ok(start));
        }
        assert_eq!(turn("a", 0), Ok(later(15)));
        assert_eq!(turn("a", 0), Err(Busy), "30 seconds are too long");
        assert_eq!(turn("b", 0), Ok(start), "somebody else");
        assert_eq!(turn("a", 15), Ok(later(30)));
        assert_eq!(turn("a", 1_000), Ok(later(1_000)));
    }

    #[tokio::test]
    async fn only_so_many_at_a_time() {
        let scope = scope(&[], Some(1));
        let first = scope.take("a", Instant::now()).await.unwrap();
        assert!(scope.take("a", Instant::now()).await.is_err());
        assert!(scope.take("b", Instant::now()).await.is_ok());
        drop(first);
        assert!(scope.take("a", Instant::now()).await.is_ok());
    }

    #[tokio::test]
    async fn recipients_of_a_message_share_the_turn_of_their_domain() {
        let throttle = Throttle {
            destination: scope(&[], Some(1)),
            ..Throttle::default()
        };
        let (mut known, mut tickets) = (HashSet::new(), Vec::new());
        for to in ["a@x.example", "b@X.example", "c@y.example", "d", "e"] {
            tickets.push(throttle.recipient(to, &mut known).await.unwrap());
        }
        assert_eq!(tickets.iter().flatten().count(), 3);
        let other = throttle.destination.take("x.example", Instant::now());
        assert!(other.await.is_err(), "another message");
    }

    #[tokio::test]
    async fn keys_that_mean_nothing_are_forgotten() {
        let scope = scope(&[], Some(1));
        let mut tickets = Vec::new();
        for n in 0..KEYS {
            let ticket = scope.take(&n.to_string(), Instant::now()).await;
            tickets.push(ticket.unwrap());
        }
        assert!(scope.places("x").is_err(), "all of them count still");
        tickets.truncate(1);
        assert!(scope.places("x").is_ok());
        assert_eq!(scope.keys.lock().unwrap().len(), 2);
    }
}
