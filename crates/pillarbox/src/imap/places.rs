//! How many connections one user has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use pillarbox_model::AccountId;

/// Connections by account. One for all endpoints of a storage.
#[derive(Debug, Default)]
pub struct Places(Mutex<HashMap<AccountId, usize>>);

/// A user's place. Dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    account: AccountId,
}

impl Places {
    /// A place for one more connection of an account, if it has fewer than `most`.
    #[must_use]
    pub fn take(self: &Arc<Self>, account: AccountId, most: usize) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(account).or_default();
        if *count >= most {
            if most == 0 {
                counts.remove(&account);
            }
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Place {
            places: self.clone(),
            account,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_when_its_connection_ends() {
        let places = Arc::new(Places::default());
        let first = places.take(AccountId(1), 2);
        let second = places.take(AccountId(1), 2);
        assert!(first.is_some() && second.is_some());
        assert!(places.take(AccountId(1), 2).is_none());
        assert!(places.take(AccountId(2), 2).is_some());
        drop(first);
        assert!(places.take(AccountId(1), 2).is_some());
    }
}
