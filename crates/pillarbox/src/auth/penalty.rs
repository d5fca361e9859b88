//! Back-off after failed logins, by address and by account.
//!
//! Pure: the time is an argument. A few failures are free, since people mistype; then each doubles
//! the wait, up to a bound. Time heals, and a success forgives what the same account failed.
//! Attempts under way do not count, or all clients behind one address would wait for each other
//! after a restart; how many these can be is bounded by the connections an address may have.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures from one address that cost nothing: an office behind one address has many people.
const FREE_BY_ADDRESS: u32 = 5;
/// Failures of one account that cost nothing.
const FREE_BY_ACCOUNT: u32 = 5;
/// The first wait; each further failure doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait for an address. Longer ones only hold connections open.
const LONGEST_BY_ADDRESS: Duration = Duration::from_secs(15);
/// The longest wait for an account. Short, since whoever knows a name could lock its owner out.
const LONGEST_BY_ACCOUNT: Duration = Duration::from_secs(4);
/// The time that heals one failure.
const HEALS: Duration = Duration::from_secs(60);
/// Failures that are counted at most, so that all are healed within the hour.
const MOST: u32 = 30;
/// Entries in each generation of failures and of logins; about 8 MB together.
const ENTRIES: usize = 65_536;

/// How long an address stays known for a user who logged in from it.
const KNOWN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Who failed how often, lately.
pub struct Penalties {
    entries: Mutex<Generations<Key, Entry>>,
    /// When whom has logged in from where: account and address together, as numbers.
    known: Mutex<Generations<u64, Instant>>,
    /// Account names are kept as numbers, which are of one size and can't be chosen to collide.
    hasher: RandomState,
}

/// When the young entries are too many, they become the old ones, and the old ones are forgotten.
struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Generations<K, V> {
    fn default() -> Self {
        let (young, old) = (HashMap::new(), HashMap::new());
        Self { young, old }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Key {
    /// An IPv4 address, or the network of an IPv6 one: a customer gets a /64 at least.
    Address(IpAddr),
    Account(u64),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    failures: u32,
    since: Instant,
}

impl Default for Penalties {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            known: Mutex::default(),
            hasher: RandomState::new(),
        }
    }
}

impl Penalties {
    /// How long an attempt has to wait before it is looked at. From where the user has logged in
    /// lately, what others tried with the name does not count: nobody can lock out a user by
    /// knowing the name.
    #[must_use]
    pub fn delay(&self, address: Option<IpAddr>, account: &str, now: Instant) -> Duration {
        let known = self.knows(address, account, now);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let counting = self
            .keys(address, account)
            .filter(|key| !known || matches!(key, Key::Address(_)));
        let waits = counting.map(|key| key.wait(entries.failures(key, now)));
        waits.max().unwrap_or_default()
    }

    /// Counts a wrong password or an unknown user.
    pub fn failed(&self, address: Option<IpAddr>, account: &str, now: Instant) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for key in self.keys(address, account) {
            let entry = entries.entry(key, now);
            entry.failures = (entry.failures + 1).min(MOST);
        }
    }

    fn knows(&self, address: Option<IpAddr>, account: &str, now: Instant) -> bool {
        let key = self.pair(address, account);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let since = known.young.get(&key).or_else(|| known.old.get(&key));
        since.is_some_and(|since| now.saturating_duration_since(*since) < KNOWN)
    }

    fn pair(&self, address: Option<IpAddr>, account: &str) -> u64 {
        self.hasher.hash_one((address.map(Key::address), account))
    }

    /// Forgives an account its failures, and the address as many. Other failures from there stay
    /// counted, so that an account of one's own buys no tries at those of others.
    pub fn succeeded(&self, address: Option<IpAddr>, account: &str, now: Instant) {
        let pair = self.pair(address, account);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.make_room(&pair);
        known.young.insert(pair, now);
        drop(known);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let forgiven = entries.failures(self.account(account), now);
        if forgiven > 0 {
            for key in self.keys(address, account) {
                let entry = entries.entry(key, now);
                entry.failures = entry.failures.saturating_sub(forgiven);
            }
        }
    }

    fn account(&self, account: &str) -> Key {
        Key::Account(self.hasher.hash_one(account))
    }

    fn keys(&self, address: Option<IpAddr>, account: &str) -> impl Iterator<Item = Key> {
        // Tokens and certificates can come without a name.
        let account = (!account.is_empty()).then(|| self.account(account));
        address.map(Key::address).into_iter().chain(account)
    }
}

impl<K: Eq + std::hash::Hash, V> Generations<K, V> {
    /// Makes the young ones the old ones if there are too many for one more.
    fn make_room(&mut self, key: &K) {
        if self.young.len() >= ENTRIES && !self.young.contains_key(key) {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

impl Generations<Key, Entry> {
    /// How many failures are left of a key. No entry is made for those who never failed.
    fn failures(&mut self, key: Key, now: Instant) -> u32 {
        if !self.young.contains_key(&key) && !self.old.contains_key(&key) {
            return 0;
        }
        self.entry(key, now).failures
    }

    /// The entry of a key, healed up to now.
    fn entry(&mut self, key: Key, now: Instant) -> &mut Entry {
        self.make_room(&key);
        let old = &mut self.old;
        let entry = self.young.entry(key).or_insert_with(|| {
            old.remove(&key).unwrap_or(Entry {
                failures: 0,
                since: now,
            })
        });
        entry.heal(now);
        entry
    }
}

impl Entry {
    fn heal(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        let healed = u32::try_from(passed.as_secs() / HEALS.as_secs()).unwrap_or(u32::MAX);
        if healed >= self.failures {
            (self.failures, self.since) = (0, now);
        } else {
            self.failures -= healed;
            self.since += HEALS * healed;
        }
    }
}

impl Key {
    fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let network = v6.to_bits() >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            v4 => v4,
        })
    }

    /// The wait after so many failures.
    fn wait(self, failures: u32) -> Duration {
        let (free, longest) = match self {
            Self::Address(_) => (FREE_BY_ADDRESS, LONGEST_BY_ADDRESS),
            Self::Account(_) => (FREE_BY_ACCOUNT, LONGEST_BY_ACCOUNT),
        };
        match failures.checked_sub(free) {
            None => Duration::ZERO,
            // MOST keeps the power small.
            Some(doublings) => (FIRST_WAIT * (1 << doublings.min(MOST))).min(longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    /// Waits of failures in a row, in tenths of a second.
    fn waits(
        penalties: &Penalties,
        address: Option<IpAddr>,
        accounts: impl Iterator<Item = String>,
        now: Instant,
    ) -> Vec<u128> {
        let wait = |account: String| {
            let wait = penalties.delay(address, &account, now);
            penalties.failed(address, &account, now);
            wait.as_millis() / 100
        };
        accounts.map(wait).collect()
    }

    /// The same account a dozen times.
    fn dozen(account: &str) -> impl Iterator<Item = String> {
        std::iter::repeat_n(account.to_owned(), 12)
    }

    #[test]
    fn waits_double_up_to_a_bound() {
        let (penalties, now) = (Penalties::default(), Instant::now());
        let by_account = waits(&penalties, None, dozen("a"), now);
        assert_eq!(by_account, [0, 0, 0, 0, 0, 5, 10, 20, 40, 40, 40, 40]);
        let accounts = (0..12).map(|number| number.to_string());
        let by_address = waits(&penalties, ip("192.0.2.1"), accounts, now);
        assert_eq!(by_address, [0, 0, 0, 0, 0, 5, 10, 20, 40, 80, 150, 150]);
    }

    #[test]
    fn others_do_not_wait() {
        let (penalties, now) = (Penalties::default(), Instant::now());
        let _ = waits(&penalties, ip("192.0.2.1"), dozen("a"), now);
        assert_eq!(penalties.delay(ip("192.0.2.2"), "b", now), Duration::ZERO);
        assert_eq!(penalties.delay(None, "c", now), Duration::ZERO);
    }

    /// A customer with a /64 has no more tries than one with a single address.
    #[test]
    fn an_ipv6_network_is_one() {
        let (penalties, now) = (Penalties::default(), Instant::now());
        let _ = waits(&penalties, ip("2001:db8::1"), dozen("a"), now);
        assert!(penalties.delay(ip("2001:db8::ffff:2"), "b", now) > Duration::ZERO);
        assert_eq!(
            penalties.delay(ip("2001:db8:0:1::1"), "c", now),
            Duration::ZERO
        );
        let _ = waits(&penalties, ip("::ffff:192.0.2.1"), dozen("d"), now);
        assert!(penalties.delay(ip("192.0.2.1"), "e", now) > Duration::ZERO);
    }

    #[test]
    fn time_heals() {
        let (penalties, start) = (Penalties::default(), Instant::now());
        let _ = waits(&penalties, None, dozen("a"), start);
        let later = start + HEALS * 6;
        let wait = penalties.delay(None, "a", later);
        assert_eq!(wait, FIRST_WAIT * 2, "six failures of twelve are left");
        assert_eq!(penalties.delay(None, "a", later + HEALS), FIRST_WAIT);
        assert_eq!(
            penalties.delay(None, "a", later + HEALS * 2),
            Duration::ZERO
        );
    }

    #[test]
    fn a_success_forgives_ones_own_failures() {
        let (penalties, now) = (Penalties::default(), Instant::now());
        let _ = waits(&penalties, ip("192.0.2.1"), dozen("a"), now);
        penalties.succeeded(ip("192.0.2.1"), "a", now);
        assert_eq!(penalties.delay(ip("192.0.2.1"), "a", now), Duration::ZERO);
    }

    #[test]
    fn a_success_forgives_nobody_elses() {
        let (penalties, now) = (Penalties::default(), Instant::now());
        let _ = waits(&penalties, ip("192.0.2.1"), dozen("victim"), now);
        penalties.succeeded(ip("192.0.2.1"), "own", now);
        assert!(penalties.delay(ip("192.0.2.1"), "other", now) > Duration::ZERO);
    }

    /// Whoever knows a name can make nobody wait who has logged in from where they are.
    #[test]
    fn a_user_is_not_locked_out_from_known_places() {
        let (penalties, now) = (Penalties::default(), Instant::now());
        let (home, attacker) = (ip("192.0.2.1"), ip("198.51.100.1"));
        penalties.succeeded(home, "ann", now);
        let _ = waits(&penalties, attacker, dozen("ann"), now);
        assert_eq!(penalties.delay(home, "ann", now), Duration::ZERO);
        assert!(penalties.delay(ip("192.0.2.2"), "ann", now) > Duration::ZERO);
        assert!(penalties.delay(attacker, "ann", now) > Duration::ZERO);
        let other = penalties.delay(home, "bob", now);
        assert_eq!(other, Duration::ZERO, "nobody failed there");
        assert!(penalties.delay(home, "ann", now + KNOWN) <= LONGEST_BY_ACCOUNT);
        // What the place itself fails counts all the same.
        let _ = waits(&penalties, home, dozen("ann"), now);
        assert!(penalties.delay(home, "ann", now) > LONGEST_BY_ACCOUNT);
    }

    #[test]
    fn memory_is_bounded() {
        let (penalties, now) = (Penalties::default(), Instant::now());
        for account in 0..ENTRIES * 3 {
            penalties.failed(None, &account.to_string(), now);
            penalties.succeeded(ip("192.0.2.1"), &account.to_string(), now);
        }
        let known = penalties.known.lock().unwrap();
        assert!(known.young.len() <= ENTRIES && known.old.len() <= ENTRIES);
        let entries = penalties.entries.lock().unwrap();
        assert!(entries.young.len() <= ENTRIES && entries.old.len() <= ENTRIES);
    }
}
