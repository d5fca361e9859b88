//! What a client is told that the server can do, in this state and on this connection.

use pillarbox_proto::imap::capability::{Facts, capabilities};
use pillarbox_proto::sasl::Mechanism;

use super::{Endpoint, Session};

impl Session {
    /// The capability list as of now.
    pub(super) fn capabilities(&self) -> String {
        let mechanisms = self.mechanisms();
        let mechanisms: Vec<_> = mechanisms.into_iter().map(Mechanism::name).collect();
        capabilities(&self.facts(&mechanisms))
    }

    /// Whether an extension is announced to this client.
    pub(super) fn announces(&self, extension: &str) -> bool {
        self.facts(&[]).announces(extension)
    }

    fn facts<'a>(&'a self, mechanisms: &'a [&'a str]) -> Facts<'a> {
        Facts {
            starttls: !self.secure && self.endpoint.tls.is_some(),
            login_disabled: !self.takes_credentials(),
            authenticated: self.user.is_some(),
            mechanisms,
            append_limit: Some(self.append_limit()),
            message_limit: self.endpoint.limits.messages,
            save_limit: self.endpoint.limits.saved_messages,
            withheld: &self.withheld,
        }
    }

    /// Whether credentials are taken on the connection as it is.
    pub(super) fn takes_credentials(&self) -> bool {
        self.secure || self.endpoint.insecure_auth
    }

    /// The SASL mechanisms that may be used now.
    pub(super) fn mechanisms(&self) -> Vec<Mechanism> {
        let Endpoint {
            login, sasl_login, ..
        } = &*self.endpoint;
        match self.takes_credentials() && self.user.is_none() {
            true => login.mechanisms(&self.origin, *sasl_login),
            false => Vec::new(),
        }
    }
}
