//! LOGIN, which no RFC defines (draft-murchison-sasl-login) and old clients need.

use super::{Claim, Failure, Proof, Secret, Step};

pub(super) const ASK_USER: &[u8] = b"Username:";
const ASK_PASSWORD: &[u8] = b"Password:";

/// LOGIN: a name, then a password.
#[derive(Debug, Default)]
pub(super) enum Login {
    /// The name was asked for.
    #[default]
    User,
    /// The password of this user was asked for.
    Password(String),
    /// All was said.
    Over,
}

impl Login {
    pub(super) fn respond(&mut self, response: &[u8]) -> Step {
        match std::mem::replace(self, Self::Over) {
            Self::User => {
                let Ok(user) = std::str::from_utf8(response) else {
                    return Step::Fail(Failure::Malformed);
                };
                *self = Self::Password(user.to_owned());
                Step::Challenge(ASK_PASSWORD.to_vec())
            }
            Self::Password(user) => Step::Done(Claim {
                authorization: String::new(),
                user,
                proof: Proof::Password(Secret::new(response.to_vec())),
            }),
            Self::Over => Step::Fail(Failure::Malformed),
        }
    }
}
