//! Asking the authorization server about a token (RFC 7662).

use hyper::Uri;
use serde_json::Value;

use super::super::Denied;
use super::http::{Client, Object};
use crate::secret::Secret;

/// A server that can be asked.
pub(super) struct Introspection {
    client: Client,
    url: Uri,
    id: String,
    secret: Secret,
}

impl Introspection {
    pub(super) const fn new(client: Client, url: Uri, id: String, secret: Secret) -> Self {
        Self {
            client,
            url,
            id,
            secret,
        }
    }

    /// What the server says of a token. If it can't be asked, or does not take us for its client,
    /// nothing is known of the token.
    pub(super) async fn claims(&self, token: &Secret) -> Result<Object, Denied> {
        let us = (self.id.as_str(), &self.secret);
        let answer = self.client.post(&self.url, us, ("token", token)).await;
        let claims = answer.map_err(Denied::Unavailable)?;
        match claims.get("active") {
            Some(Value::Bool(true)) => Ok(claims),
            _ => Err(Denied::Credentials("the token is not active".to_owned())),
        }
    }
}
