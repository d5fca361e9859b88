//! Passwords that were right a moment ago, so that a client which logs in again and again does not
//! cost a slow hash each time.
//!
//! Only for the asked providers, the very name that they were asked about, and the very password:
//! nothing else may decide (a cache that knew less has given users the mail of others,
//! CVE-2025-30189). Wrong passwords are never kept. A cache belongs to one endpoint of one
//! configuration, so a reload forgets all.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;

use crate::secret::Secret;

/// Users with their passwords that are remembered; about 10 MB.
const ENTRIES: usize = 65_536;

/// The memory.
pub struct Cache {
    lifetime: Duration,
    /// Random, and of this process: what is kept of passwords is of no use to anybody else.
    key: hmac::Key,
    right: Mutex<HashMap<Known, Right>>,
}

/// A user's name, and the keyed hash of the password.
type Known = (Box<str>, [u8; 32]);

struct Right {
    until: Instant,
    generation: u64,
}

impl Cache {
    /// Remembers for `lifetime`. `None` if there are no random numbers.
    #[must_use]
    pub fn new(lifetime: Duration) -> Option<Self> {
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key).ok()?;
        Some(Self {
            lifetime,
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            right: Mutex::default(),
        })
    }

    /// Whether this password of this user was right not long ago, and the providers are as they
    /// were then.
    pub(super) fn knows(
        &self,
        name: &str,
        password: &Secret,
        generation: u64,
        now: Instant,
    ) -> bool {
        let key = self.key(name, password);
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        let known = right.get(&key);
        known.is_some_and(|right| right.generation == generation && now < right.until)
    }

    /// Notes that it was right. A password that is used all the time is looked at again when its
    /// time is up all the same.
    pub(super) fn remember(&self, name: &str, password: &Secret, generation: u64, now: Instant) {
        let key = self.key(name, password);
        let until = now + self.lifetime;
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        if right.len() >= ENTRIES {
            right.retain(|_, right| right.generation == generation && now < right.until);
        }
        // All still good: more users than it is made for. They are looked at again, no worse.
        if right.len() >= ENTRIES {
            right.clear();
        }
        right.insert(key, Right { until, generation });
    }

    fn key(&self, name: &str, password: &Secret) -> Known {
        let mut mac = [0; 32];
        let tag = hmac::sign(&self.key, password.reveal());
        mac.copy_from_slice(tag.as_ref());
        (name.into(), mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::secret;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn only_the_same_user_with_the_same_password_is_known() {
        let (cache, now) = (Cache::new(MINUTE).unwrap(), Instant::now());
        cache.remember("ann", &secret("x"), 1, now);
        assert!(cache.knows("ann", &secret("x"), 1, now));
        assert!(!cache.knows("bob", &secret("x"), 1, now));
        assert!(!cache.knows("ann", &secret("y"), 1, now));
        assert!(!cache.knows("annx", &secret(""), 1, now));
        assert!(!cache.knows("", &secret("annx"), 1, now));
        assert!(!cache.knows("Ann", &secret("x"), 1, now));
    }

    #[test]
    fn what_is_known_is_forgotten() {
        let (cache, now) = (Cache::new(MINUTE).unwrap(), Instant::now());
        cache.remember("ann", &secret("x"), 1, now);
        assert!(
            !cache.knows("ann", &secret("x"), 2, now),
            "another password"
        );
        assert!(!cache.knows("ann", &secret("x"), 1, now + MINUTE));
        let other = Cache::new(MINUTE).unwrap();
        assert!(!other.knows("ann", &secret("x"), 1, now));
        let key = |cache: &Cache| cache.key("ann", &secret("x"));
        assert_ne!(key(&cache), key(&other), "keys are of nobody else's use");
    }

    #[test]
    fn memory_is_bounded() {
        let (cache, now) = (Cache::new(MINUTE).unwrap(), Instant::now());
        for user in 0..ENTRIES + 10 {
            cache.remember(&user.to_string(), &secret("x"), 1, now);
        }
        assert!(cache.right.lock().unwrap().len() <= ENTRIES);
        let last = (ENTRIES + 9).to_string();
        assert!(cache.knows(&last, &secret("x"), 1, now));
    }
}
