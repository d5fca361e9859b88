//! Authentication: may this user in?

mod cache;
pub mod credentials;
mod dovecot_sasl;
pub mod dummy;
pub mod exchange;
mod external;
pub mod hash;
mod helper;
mod last_use;
mod ldap;
pub mod login;
mod oauth2;
mod pam;
pub mod pass_table;
pub mod penalty;
mod plain_separate;
mod program;
pub mod salt_secret;
mod shadow;

use pillarbox_proto::sasl::{ScramHash, ScramKeys};

pub use cache::Cache;

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
    &oauth2::MODULE,
    &shadow::MODULE,
    &ldap::MODULE,
    &dovecot_sasl::MODULE,
];

/// What a provider can check.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Offers {
    /// Passwords: LOGIN, and the mechanisms PLAIN and LOGIN.
    pub passwords: bool,
    /// Proofs by SCRAM-SHA-256.
    pub scram_sha_256: bool,
    /// Proofs by SCRAM-SHA-1.
    pub scram_sha_1: bool,
    /// Bearer tokens: OAUTHBEARER and XOAUTH2.
    pub tokens: bool,
}

impl Offers {
    /// Passwords and nothing else.
    pub const PASSWORDS: Self = Self {
        passwords: true,
        scram_sha_256: false,
        scram_sha_1: false,
        tokens: false,
    };

    /// What several providers offer together. SCRAM only if all that take passwords have keys:
    /// clients choose it when they see it, and users of the others could not log in any more.
    #[must_use]
    pub fn together(all: impl Iterator<Item = Self>) -> Self {
        let mut together = Self::default();
        for one in all {
            let first = !together.passwords;
            together.tokens |= one.tokens;
            if one.passwords {
                together.passwords = true;
                together.scram_sha_256 = one.scram_sha_256 && (first || together.scram_sha_256);
                together.scram_sha_1 = one.scram_sha_1 && (first || together.scram_sha_1);
            }
        }
        together
    }

    /// Whether there are keys for a hash.
    #[must_use]
    pub const fn scram(&self, hash: ScramHash) -> bool {
        match hash {
            ScramHash::Sha256 => self.scram_sha_256,
            ScramHash::Sha1 => self.scram_sha_1,
        }
    }
}

/// Why somebody was not let in.
#[derive(Debug)]
pub enum Denied {
    /// No such user, wrong password, or a name that maps to nothing: all one to the client. The
    /// text is for the log.
    Credentials(String),
    /// The provider could not tell. Never said to be a wrong password.
    Unavailable(anyhow::Error),
}

/// What a client is told whose token is no good (RFC 7628 §3.2.2).
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TokenHint {
    /// A scope that is enough; none if any is.
    pub scope: Option<String>,
    /// Where the authorization server describes itself.
    pub openid_configuration: Option<String>,
}

/// The SCRAM keys of one of a user's passwords, and the password's label.
pub type LabelledKeys = (String, ScramKeys);

/// Something that knows passwords, or what else users show for themselves.
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

    /// What it can check now.
    fn offers(&self) -> Offers {
        Offers::PASSWORDS
    }

    /// The SCRAM keys of a user, one for each password; none if there is no such user. All have the
    /// same salt.
    ///
    /// # Errors
    /// [`Denied::Unavailable`].
    fn scram_keys<'a>(
        &'a self,
        _user: &'a str,
        _hash: ScramHash,
    ) -> Answer<'a, Result<Vec<LabelledKeys>, Denied>> {
        crate::table::ready(Ok(Vec::new()))
    }

    /// Hears that a user has proved to know the password of that label, for the time of its last
    /// use. Does not wait.
    fn scram_used(&self, _user: &str, _label: &str) {}

    /// Checks a bearer token and says whose it is, by the name that users have here.
    ///
    /// # Errors
    /// See [`Denied`].
    fn token<'a>(&'a self, _token: &'a Secret) -> Answer<'a, Result<String, Denied>> {
        let refused = Denied::Credentials("tokens are not taken".to_owned());
        crate::table::ready(Err(refused))
    }

    /// What a client has to know to get a better token.
    fn token_hint(&self) -> TokenHint {
        TokenHint::default()
    }

    /// Changes whenever a password that was right may be so no longer. What was found out before
    /// must not be used any more.
    fn generation(&self) -> u64 {
        0
    }
}
