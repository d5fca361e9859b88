//! SASL exchanges (RFC 4422): what is said, not whether it is true.

mod login;
mod plain;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use login::Login;
pub use plain::Plain;

/// Mechanisms there is an exchange for, in order of preference.
pub const MECHANISMS: &[&str] = &["PLAIN", "LOGIN"];

/// A password. It can't be printed, and its memory is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes a password.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The password, for whoever checks it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The password, if it is UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        // Says that the zeros are read, so that writing them is not left out.
        std::hint::black_box(&self.0);
    }
}

/// What a client says it is, and its proof.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    /// Whom it wants to act as; empty for itself.
    pub authorization: String,
    /// Who it is.
    pub user: String,
    /// Its password.
    pub password: Secret,
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
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "Authentication cancelled",
            Self::NotBase64 => "Response is not base64",
            Self::Malformed => "Response does not fit the mechanism",
        })
    }
}

/// What comes next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Send this (see [`push_challenge`]) and give the answer to [`Exchange::respond`].
    Challenge(Vec<u8>),
    /// The client has said all.
    Done(Credentials),
    /// The exchange is over.
    Fail(Failure),
}

/// An exchange in progress.
#[derive(Debug)]
pub enum Exchange {
    /// PLAIN.
    Plain(Plain),
    /// LOGIN.
    Login(Login),
}

impl Exchange {
    /// Starts an exchange by a mechanism's name, in any case, with the initial response if there is
    /// one (RFC 4959). `None` if there is no such mechanism.
    #[must_use]
    pub fn begin(mechanism: &str, initial: Option<&[u8]>) -> Option<(Self, Step)> {
        let mut exchange = if mechanism.eq_ignore_ascii_case("PLAIN") {
            Self::Plain(Plain)
        } else if mechanism.eq_ignore_ascii_case("LOGIN") {
            Self::Login(Login::default())
        } else {
            return None;
        };
        let step = match initial {
            Some(response) => exchange.message(response),
            None => Step::Challenge(exchange.greeting().to_vec()),
        };
        Some((exchange, step))
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

    /// The challenge that asks for the first response.
    const fn greeting(&self) -> &'static [u8] {
        match self {
            Self::Plain(_) => b"",
            Self::Login(_) => login::ASK_USER,
        }
    }

    fn message(&mut self, response: &[u8]) -> Step {
        match self {
            Self::Plain(plain) => plain.respond(response),
            Self::Login(login) => login.respond(response),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(authorization: &str, user: &str, password: &str) -> Step {
        Step::Done(Credentials {
            authorization: authorization.into(),
            user: user.into(),
            password: Secret::new(password.into()),
        })
    }

    /// RFC 4616 §4.
    #[test]
    fn plain_in_one_message() {
        let (_, step) = Exchange::begin("plain", Some(b"\0tim\0tanstaaftanstaaf")).unwrap();
        assert_eq!(step, credentials("", "tim", "tanstaaftanstaaf"));
        let (_, step) = Exchange::begin("PLAIN", Some(b"Ursel\0Kurt\0xipj3plmq")).unwrap();
        assert_eq!(step, credentials("Ursel", "Kurt", "xipj3plmq"));
    }

    #[test]
    fn plain_after_an_empty_challenge() {
        let (mut exchange, step) = Exchange::begin("PLAIN", None).unwrap();
        assert_eq!(step, Step::Challenge(Vec::new()));
        assert_eq!(
            exchange.respond(b"AHRpbQB0YW5zdGFhZnRhbnN0YWFm"),
            credentials("", "tim", "tanstaaftanstaaf")
        );
    }

    #[test]
    fn login_asks_twice() {
        let (mut exchange, step) = Exchange::begin("LOGIN", None).unwrap();
        assert_eq!(step, Step::Challenge(b"Username:".to_vec()));
        assert_eq!(
            exchange.respond(b"dGlt"),
            Step::Challenge(b"Password:".to_vec())
        );
        assert_eq!(
            exchange.respond(b"c2VjcmV0"),
            credentials("", "tim", "secret")
        );
        assert_eq!(
            exchange.respond(b"c2VjcmV0"),
            Step::Fail(Failure::Malformed),
            "it is over"
        );
    }

    #[test]
    fn login_with_an_initial_response() {
        let (mut exchange, step) = Exchange::begin("login", Some(b"tim")).unwrap();
        assert_eq!(step, Step::Challenge(b"Password:".to_vec()));
        assert_eq!(exchange.respond(b""), credentials("", "tim", ""));
    }

    #[test]
    fn what_ends_an_exchange() {
        let after = |line: &[u8]| Exchange::begin("PLAIN", None).unwrap().0.respond(line);
        assert_eq!(after(b"*"), Step::Fail(Failure::Cancelled));
        assert_eq!(after(b"?"), Step::Fail(Failure::NotBase64));
        assert_eq!(
            after(b"AHRpbQ"),
            Step::Fail(Failure::NotBase64),
            "padding is missing"
        );
        assert_eq!(after(b""), Step::Fail(Failure::Malformed));
        let plain = |message: &[u8]| Exchange::begin("PLAIN", Some(message)).unwrap().1;
        for message in [
            &b"\0tim"[..],
            b"\0\0secret",
            b"\0tim\0",
            b"\0tim\0a\0b",
            b"\0\xff\0a",
        ] {
            assert_eq!(
                plain(message),
                Step::Fail(Failure::Malformed),
                "{message:?}"
            );
        }
        assert!(Exchange::begin("GSSAPI", None).is_none());
    }

    #[test]
    fn challenges_are_base64() {
        let mut out = Vec::new();
        push_challenge(&mut out, b"");
        push_challenge(&mut out, b"Username:");
        assert_eq!(out, b"+ \r\n+ VXNlcm5hbWU6\r\n");
    }

    #[test]
    fn a_password_is_not_printed() {
        let Step::Done(credentials) = credentials("", "tim", "hidden") else {
            unreachable!();
        };
        assert!(!format!("{credentials:?}").contains("hidden"));
    }
}
