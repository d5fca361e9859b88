//! Mechanisms by name.

use std::fmt;

use super::ScramHash;

/// A SASL mechanism.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mechanism {
    /// SCRAM-SHA-256 and its kin (RFC 5802, RFC 7677).
    Scram {
        /// The hash function.
        hash: ScramHash,
        /// With channel binding: `-PLUS`.
        plus: bool,
    },
    /// EXTERNAL (RFC 4422 appendix A).
    External,
    /// OAUTHBEARER (RFC 7628).
    OAuthBearer,
    /// XOAUTH2, which came before it and is still what most clients speak.
    XOAuth2,
    /// PLAIN (RFC 4616).
    Plain,
    /// LOGIN, which is obsolete.
    Login,
}

const fn scram(hash: ScramHash, plus: bool) -> Mechanism {
    Mechanism::Scram { hash, plus }
}

impl Mechanism {
    /// All of them, best first: what never shows a password to anybody, then what can be bound to
    /// the connection, then the rest.
    pub const ALL: [Self; 9] = [
        scram(ScramHash::Sha256, true),
        scram(ScramHash::Sha1, true),
        scram(ScramHash::Sha256, false),
        scram(ScramHash::Sha1, false),
        Self::External,
        Self::OAuthBearer,
        Self::XOAuth2,
        Self::Plain,
        Self::Login,
    ];

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scram { hash, plus } => match (hash, plus) {
                (ScramHash::Sha256, true) => "SCRAM-SHA-256-PLUS",
                (ScramHash::Sha256, false) => "SCRAM-SHA-256",
                (ScramHash::Sha1, true) => "SCRAM-SHA-1-PLUS",
                (ScramHash::Sha1, false) => "SCRAM-SHA-1",
            },
            Self::External => "EXTERNAL",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::XOAuth2 => "XOAUTH2",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// The mechanism of a name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
