//! LOGIN (RFC 3501 §6.2.3), and what all ways of logging in share.

use pillarbox_model::limit;
use pillarbox_store::Account;

use super::{Completed, DoneCode, Outcome, Refusal, Session};
use crate::auth::Denied;
use crate::imap::User;
use crate::log::Text;
use crate::secret::Secret;
use crate::storage::AccountError;

/// LOGIN.
pub(super) async fn login(session: &mut Session, user: &[u8], password: &[u8]) -> Outcome {
    admit(session)?;
    let Ok(user) = std::str::from_utf8(user) else {
        return Err(Refusal::Credentials.into());
    };
    check(session, user, &Secret::new(password.to_vec()), "LOGIN").await
}

/// Whether credentials are taken here at all.
pub(super) fn admit(session: &Session) -> Result<(), Refusal> {
    if session.secure || session.endpoint.insecure_auth {
        Ok(())
    } else {
        Err(Refusal::PrivacyRequired)
    }
}

/// Checks a password and makes the session the user's.
pub(super) async fn check(
    session: &mut Session,
    user: &str,
    password: &Secret,
    mechanism: &str,
) -> Outcome {
    let endpoint = session.endpoint.clone();
    let account = match account(session, user, password).await {
        Ok(account) => account,
        Err(denied) => return Err(deny(session, user, mechanism, &denied).into()),
    };
    let place = endpoint
        .places
        .take(account.id, endpoint.limits.connections_per_user);
    let place = place.ok_or(Refusal::Limit("Too many connections of this user"))?;
    endpoint.log.debug(
        "logged in",
        &[
            ("mechanism", &mechanism),
            ("src_ip", &Text(&session.peer)),
            ("username", &user),
        ],
    );
    session.log_in(User {
        account,
        _place: place,
    });
    Ok(Completed {
        code: DoneCode::Capabilities,
        text: "Logged in",
        ..Completed::default()
    })
}

/// The account of a user who proves to be one.
async fn account(session: &Session, user: &str, password: &Secret) -> Result<Account, Denied> {
    let endpoint = &session.endpoint;
    let name = endpoint
        .login
        .login_from(&session.peer, user, password)
        .await?;
    endpoint
        .storage
        .account_at_login(&name)
        .await
        .map_err(|error| match error {
            AccountError::Name(_) | AccountError::Unmapped => {
                Denied::Credentials(error.to_string())
            }
            AccountError::Table(_) | AccountError::Store(_) => Denied::Unavailable(error.into()),
        })
}

/// Logs a failed login, in the form that log watchers know, and counts it.
fn deny(session: &mut Session, user: &str, mechanism: &str, denied: &Denied) -> Refusal {
    let (reason, refusal) = match denied {
        Denied::Credentials(reason) => (reason.clone(), Refusal::Credentials),
        Denied::Unavailable(error) => (format!("{error:#}"), Refusal::AuthUnavailable),
    };
    let log = &session.endpoint.log;
    let log = if mechanism == "LOGIN" {
        log.clone()
    } else {
        log.child("sasl")
    };
    log.warn(
        "authentication failed",
        &[
            ("reason", &reason),
            ("src_ip", &Text(&session.peer)),
            ("username", &user),
        ],
    );
    if matches!(denied, Denied::Credentials(_)) {
        session.login_failures += 1;
        if session.login_failures >= limit::LOGIN_TRIES {
            session.leaving = true;
        }
    }
    refusal
}
