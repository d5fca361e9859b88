//! OAUTHBEARER (RFC 7628) and XOAUTH2: the client shows a token of an authorization server.

use super::gs2::{Flag, Header};
use super::{Claim, Failure, Proof, Secret, Step};

/// Bytes of a client's message. Tokens with many claims have about 4 KB.
const MESSAGE_BYTES: usize = 16 * 1024;

/// The server's side of an exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OAuth {
    /// Waits for the message of OAUTHBEARER.
    Bearer,
    /// Waits for the message of XOAUTH2.
    X,
    /// Has the token.
    Shown,
    /// The client was told why it failed, and has to say something before it fails.
    Refused,
    Over,
}

impl OAuth {
    pub(super) fn respond(&mut self, response: &[u8]) -> Step {
        let claim = match std::mem::replace(self, Self::Over) {
            // %x01 it should be (RFC 7628 §3.2.3), or nothing at all in XOAUTH2: it makes no
            // difference any more.
            Self::Refused => return Step::Fail(Failure::Denied),
            _ if response.len() > MESSAGE_BYTES => None,
            Self::Bearer => std::str::from_utf8(response).ok().and_then(bearer),
            Self::X => std::str::from_utf8(response).ok().and_then(x),
            Self::Shown | Self::Over => None,
        };
        match claim {
            Some(claim) => {
                *self = Self::Shown;
                Step::Done(claim)
            }
            None => Step::Fail(Failure::Malformed),
        }
    }

    /// Sends the error in a challenge: no data may come with a failure (RFC 4422 §3.6).
    pub(super) fn reject(&mut self, error: &[u8]) -> Step {
        match std::mem::replace(self, Self::Refused) {
            Self::Shown => Step::Challenge(error.to_vec()),
            _ => Step::Fail(Failure::Denied),
        }
    }
}

/// ```abnf
/// client-resp = gs2-header kvsep *kvpair kvsep      ; RFC 7628 §3.1
/// kvpair      = key "=" value kvsep
/// kvsep       = %x01
/// ```
/// `host` and `port` are hints for servers that share an address, and we go by the connection.
fn bearer(message: &str) -> Option<Claim> {
    let header = Header::parse(message)?;
    if matches!(header.flag, Flag::Used(_)) {
        return None;
    }
    let token = token(header.rest.strip_prefix('\u{1}')?)?;
    Some(Claim {
        user: header.authorization.clone(),
        authorization: header.authorization,
        proof: Proof::Token(token),
    })
}

/// `user=NAME^Aauth=Bearer TOKEN^A^A`
fn x(message: &str) -> Option<Claim> {
    let (user, rest) = message.strip_prefix("user=")?.split_once('\u{1}')?;
    if user.is_empty() || user.contains('\0') {
        return None;
    }
    Some(Claim {
        authorization: String::new(),
        user: user.to_owned(),
        proof: Proof::Token(token(rest)?),
    })
}

/// The token of the pair `auth`; other pairs are passed over.
fn token(pairs: &str) -> Option<Secret> {
    // The last pair ends with a separator, and then there is one more.
    let pairs = pairs.strip_suffix("\u{1}\u{1}")?;
    let mut token = None;
    for pair in pairs.split('\u{1}') {
        let (key, value) = pair.split_once('=')?;
        let alphabetic = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphabetic());
        let fitting = |b: u8| matches!(b, b' '..=b'~' | b'\t' | b'\r' | b'\n');
        if !alphabetic || !value.bytes().all(fitting) {
            return None;
        }
        if key == "auth" && token.replace(credentials(value)?).is_some() {
            return None;
        }
    }
    token
}

/// ```abnf
/// credentials = "Bearer" 1*SP b64token     ; RFC 6750 §2.1, the word in any case
/// b64token    = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
/// ```
fn credentials(value: &str) -> Option<Secret> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_matches(' ');
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    let stem = token.trim_end_matches('=');
    let sound = !stem.is_empty() && stem.bytes().all(fits);
    (sound && scheme.eq_ignore_ascii_case("Bearer")).then(|| Secret::new(token.into()))
}
