//! Authentication: may this user in?

pub mod dummy;
mod external;
pub mod hash;
mod helper;
mod ldap;
pub mod login;
mod pam;
pub mod pass_table;
pub mod penalty;
mod plain_separate;
mod program;
mod shadow;

use crate::Answer;
use crate::module::Module;
use crate::secret::Secret;

/// All providers.
pub(crate) const MODULES: &[&Module] = &[
    &pass_table::MODULE,
    &plain_separate::MODULE,
    &dummy::MODULE,
    &external::MODULE,
    &pam::MODULE,
    &shadow::MODULE,
    &ldap::MODULE,
];

/// Why somebody was not let in.
#[derive(Debug)]
pub enum Denied {
    /// No such user, wrong password, or a name that maps to nothing: all one to the client. The
    /// text is for the log.
    Credentials(String),
    /// The provider could not tell. Never said to be a wrong password.
    Unavailable(anyhow::Error),
}

/// Something that knows passwords.
pub trait Provider: Send + Sync {
    /// Checks a password. An unknown user costs as much work as a wrong password.
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a Secret,
    ) -> Answer<'a, Result<(), Denied>>;

    /// Spends the time that a wrong password takes, for a name that can't be anybody's, so that the
    /// time does not tell.
    fn decoy<'a>(&'a self, _password: &'a Secret) -> Answer<'a, ()> {
        crate::table::ready(())
    }
}
