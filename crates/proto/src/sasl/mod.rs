//! SASL exchanges (RFC 4422), on the server's side: what is said, not whether it is true. What has
//! to be known for that (keys, a verdict on a token) is asked for by [`Step`]s, and random numbers
//! are given.

mod external;
mod gs2;
mod keys;
mod login;
mod mechanism;
mod oauth;
mod plain;
mod scram;
mod secret;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use keys::{BadKeys, ITERATIONS, SALT_BYTES, Salt, ScramHash, ScramKeys};
pub use mechanism::Mechanism;
pub use scram::prepared;
pub use secret::Secret;

use login::Login;
use oauth::OAuth;
use scram::Scram;

/// Something of the TLS connection that both ends know and nobody between them (RFC 5056).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The registered name of its type: `tls-exporter` (RFC 9266), `tls-server-end-point` (RFC
    /// 5929 §4).
    pub name: &'static str,
    /// The data.
    pub data: Vec<u8>,
}

/// What an exchange has to know of the connection it runs on.
#[derive(Clone, Default, Debug)]
pub struct Setting {
    /// Channel bindings. `-PLUS` mechanisms must be announced if and only if there are some.
    pub bindings: Vec<Binding>,
    /// The server's nonce: printable, without commas, never the same twice, of 18 random bytes at
    /// least.
    pub nonce: String,
}

/// What a client says it is, and its proof.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Whom it wants to act as; empty for itself.
    pub authorization: String,
    /// Who it is. Empty if the proof says that.
    pub user: String,
    /// What it shows for it.
    pub proof: Proof,
}

/// What a client shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    /// A password, to be checked.
    Password(Secret),
    /// A bearer token, to be checked. If it is no good, see [`Exchange::reject`].
    Token(Secret),
    /// It knows the password of these of the keys that were given: nothing is left to be checked.
    Keys(usize),
    /// Nothing here: see the certificate that it showed.
    External,
}

/// Why an exchange came to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The client sent `*` (RFC 3501 §6.2.2): BAD.
    Cancelled,
    /// The line is not base64: BAD.
    NotBase64,
    /// The message is not what the mechanism says.
    Malformed,
    /// The proof is bound to another connection, or somebody keeps the client from binding it.
    ChannelBinding,
    /// The proof is wrong: a wrong password, or an unknown user.
    Proof,
    /// What the client showed was not accepted.
    Denied,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "Authentication cancelled",
            Self::NotBase64 => "Response is not base64",
            Self::Malformed => "Response does not fit the mechanism",
            Self::ChannelBinding => "Channel binding does not fit the connection",
            Self::Proof => "wrong password",
            Self::Denied => "Not accepted",
        })
    }
}

/// What comes next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Send this (see [`push_challenge`]) and give the answer to [`Exchange::respond`].
    Challenge(Vec<u8>),
    /// Find the keys of this user, and give them to [`Exchange::keys`].
    Keys(ScramHash, String),
    /// The client has said all.
    Done(Claim),
    /// The exchange is over.
    Fail(Failure),
}

/// An exchange in progress.
#[derive(Debug)]
pub struct Exchange(Kind);

#[derive(Debug)]
enum Kind {
    Plain,
    Login(Login),
    External,
    Scram(Box<Scram>),
    OAuth(OAuth),
}

impl Exchange {
    /// Starts an exchange, with the initial response if there is one (RFC 4959).
    #[must_use]
    pub fn begin(mechanism: Mechanism, setting: Setting, initial: Option<&[u8]>) -> (Self, Step) {
        let mut exchange = Self(match mechanism {
            Mechanism::Plain => Kind::Plain,
            Mechanism::Login => Kind::Login(Login::default()),
            Mechanism::External => Kind::External,
            Mechanism::OAuthBearer => Kind::OAuth(OAuth::Bearer),
            Mechanism::XOAuth2 => Kind::OAuth(OAuth::X),
            Mechanism::Scram { hash, plus } => {
                Kind::Scram(Box::new(Scram::new(hash, plus, setting)))
            }
        });
        let step = match initial {
            Some(response) => exchange.message(response),
            None => Step::Challenge(exchange.greeting().to_vec()),
        };
        (exchange, step)
    }

    /// Takes the line with which the client answers a challenge.
    #[must_use]
    pub fn respond(&mut self, line: &[u8]) -> Step {
        if line == b"*" {
            return Step::Fail(Failure::Cancelled);
        }
        match from_base64(line) {
            Some(response) => self.message(&response),
            None => Step::Fail(Failure::NotBase64),
        }
    }

    /// Takes a message of the client's as it is, without base64.
    #[must_use]
    pub fn message(&mut self, response: &[u8]) -> Step {
        match &mut self.0 {
            Kind::Plain => plain::respond(response),
            Kind::Login(login) => login.respond(response),
            Kind::External => external::respond(response),
            Kind::Scram(scram) => scram.respond(response),
            Kind::OAuth(oauth) => oauth.respond(response),
        }
    }

    /// Answers [`Step::Keys`]. A user without keys should get [`ScramKeys::of_nobody`], so that it
    /// does not show that there is none.
    #[must_use]
    pub fn keys(&mut self, keys: Vec<ScramKeys>) -> Step {
        match &mut self.0 {
            Kind::Scram(scram) => scram.keys(keys),
            _ => Step::Fail(Failure::Malformed),
        }
    }

    /// Says that what the client showed was not accepted. It hears of it here if the mechanism has
    /// a way to tell why; `error` is that text (RFC 7628 §3.2.2).
    #[must_use]
    pub fn reject(&mut self, error: &[u8]) -> Step {
        match &mut self.0 {
            Kind::OAuth(oauth) => oauth.reject(error),
            _ => Step::Fail(Failure::Denied),
        }
    }

    /// The challenge that asks for the first response.
    const fn greeting(&self) -> &'static [u8] {
        match self.0 {
            Kind::Login(_) => login::ASK_USER,
            _ => b"",
        }
    }
}

/// Appends a challenge as its line: `+ ` and base64 (RFC 3501 §7.5).
pub fn push_challenge(out: &mut Vec<u8>, challenge: &[u8]) {
    out.extend_from_slice(b"+ ");
    out.extend_from_slice(STANDARD.encode(challenge).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Decodes base64, strictly.
pub(crate) fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
