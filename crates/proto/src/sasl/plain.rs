//! PLAIN (RFC 4616).

use super::{Claim, Failure, Proof, Secret, Step};

/// PLAIN: one message says all.
///
/// ```abnf
/// message = [authzid] UTF8NUL authcid UTF8NUL passwd
/// ```
pub(super) fn respond(response: &[u8]) -> Step {
    message(response).map_or(Step::Fail(Failure::Malformed), Step::Done)
}

fn message(response: &[u8]) -> Option<Claim> {
    let text = std::str::from_utf8(response).ok()?;
    let mut fields = text.split('\0');
    let (authorization, user, password) = (fields.next()?, fields.next()?, fields.next()?);
    if user.is_empty() || password.is_empty() || fields.next().is_some() {
        return None;
    }
    Some(Claim {
        authorization: authorization.to_owned(),
        user: user.to_owned(),
        proof: Proof::Password(Secret::new(password.into())),
    })
}
