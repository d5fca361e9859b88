//! What accounts have, and what they may have (RFC 9208).
//!
//! An account's mail is all messages of its mailboxes with their sizes: a copy counts as much as what
//! it was made of, though its bytes are kept once. So what a user sees adds up, and expunging a message
//! gives room back. Bytes that wait for their grace period don't count.

use pillarbox_model::{PerResource, Resource};

use crate::Error;

/// A limit of one account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Limit {
    /// What the store has for accounts without one of their own.
    #[default]
    Default,
    /// None, whatever the default is.
    Unlimited,
    /// So much and no more; of storage, in bytes. 0 means that nothing may be added.
    At(u64),
}

/// What an account has and may have. Storage is in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Quota {
    /// What it has.
    pub usage: PerResource<u64>,
    /// What it was given.
    pub own: PerResource<Limit>,
    /// What counts; `None` is no limit.
    pub limits: PerResource<Option<u64>>,
}

impl Quota {
    /// Whether it may have so much more. The commit decides; this is to say no early.
    ///
    /// # Errors
    /// [`Error::OverQuota`] of the first resource that there would be too much of.
    pub fn admit(&self, more: PerResource<u64>) -> Result<(), Error> {
        for resource in Resource::ALL {
            let Some(limit) = self.limits.get(resource) else {
                continue;
            };
            let more = more.get(resource);
            if more > 0 && self.usage.get(resource).saturating_add(more) > limit {
                return Err(Error::OverQuota { resource, limit });
            }
        }
        Ok(())
    }
}

impl Limit {
    /// What counts where the default is this.
    #[must_use]
    pub const fn or(self, default: Option<u64>) -> Option<u64> {
        match self {
            Self::Default => default,
            Self::Unlimited => None,
            Self::At(limit) => Some(limit),
        }
    }
}
