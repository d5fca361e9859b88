//! Authentication: may this user in?

use crate::Answer;
use crate::secret::Secret;

/// Why somebody was not let in.
#[derive(Debug)]
pub enum Denied {
    /// No such user, wrong password, or a name that maps to nothing: all one to the client. The text is for the
    /// log.
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
}
