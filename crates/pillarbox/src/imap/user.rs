//! Who is logged in, and what is theirs.

use pillarbox_model::Identity;
use pillarbox_store::Account;

use super::places::Place;
use super::{Refusal, Session};

/// Who is logged in.
pub(crate) struct User {
    /// Their account.
    pub(crate) account: Account,
    /// Under which identifiers they go in lists of rights.
    pub(crate) identity: Identity,
    /// The place they take among [`limit::Limits::connections_per_user`].
    pub(crate) _place: Place,
}

impl Session {
    /// Whoever is logged in. Handlers are only called where the table says that somebody is.
    pub(super) fn user(&self) -> Result<&User, Refusal> {
        self.user
            .as_ref()
            .ok_or(Refusal::State("Not legal before login"))
    }

    /// The largest message that may be appended, in bytes.
    pub(super) fn append_limit(&self) -> u64 {
        let own = self
            .user
            .as_ref()
            .and_then(|user| user.account.append_limit);
        own.unwrap_or(self.endpoint.storage.append_limit)
    }

    /// Whether the user is an administrator.
    pub(super) fn is_admin(&self) -> bool {
        let name = self.user.as_ref().map(|user| &user.account.name);
        let admins = &self.endpoint.admins;
        name.is_some_and(|name| admins.iter().any(|admin| admin == name))
    }
}
