//! PLAIN (RFC 4616).

use super::{Credentials, Failure, Secret, Step};

/// PLAIN: one message says all.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Plain {
    pub(super) fn respond(self, response: &[u8]) -> Step {
        message(response).map_or(Step::Fail(Failure::Malformed), Step::Done)
    }
}

/// ```abnf
/// message = [authzid] UTF8NUL authcid UTF8NUL passwd
/// ```
fn message(response: &[u8]) -> Option<Credentials> {
    let text = std::str::from_utf8(response).ok()?;
    let mut fields = text.split('\0');
    let (authorization, user, password) = (fields.next()?, fields.next()?, fields.next()?);
    if user.is_empty() || password.is_empty() || fields.next().is_some() {
        return None;
    }
    Some(Credentials {
        authorization: authorization.to_owned(),
        user: user.to_owned(),
        password: Secret::new(password.into()),
    })
}
