//! LOGIN (RFC 3501 §6.2.3), and what all ways of logging in share.

use pillarbox_model::limit;
use pillarbox_store::Account;

use super::{Completed, DoneCode, Outcome, Refusal, Session};
use crate::auth::Denied;
use crate::auth::exchange::Entered;
use crate::imap::User;
use crate::log::Text;
use crate::secret::Secret;
use crate::storage::AccountError;

/// What the log calls the command LOGIN, which is no mechanism.
const COMMAND: &str = "command";

/// LOGIN.
pub(super) async fn login(session: &mut Session, user: &[u8], password: &[u8]) -> Outcome {
    admit(session)?;
    let Ok(user) = std::str::from_utf8(user) else {
        return Err(Refusal::Credentials.into());
    };
    if !session.endpoint.login.takes_passwords() {
        return Err(Refusal::Mechanism.into());
    }
    let (login, origin) = (session.endpoint.login.clone(), session.origin.clone());
    let password = Secret::new(password.to_vec());
    match login.login_from(&origin, user, &password).await {
        Ok(account) => {
            let user = user.to_owned();
            enter(session, Entered { user, account }, COMMAND).await
        }
        Err(denied) => Err(deny(session, user, COMMAND, &denied).into()),
    }
}

/// Whether credentials are taken here at all.
pub(super) fn admit(session: &Session) -> Result<(), Refusal> {
    match session.takes_credentials() {
        true => Ok(()),
        false => Err(Refusal::PrivacyRequired),
    }
}

/// Makes the session that of a user who has proved to be one.
pub(super) async fn enter(session: &mut Session, entered: Entered, mechanism: &str) -> Outcome {
    let endpoint = session.endpoint.clone();
    let user = &entered.user;
    let account = match account(session, &entered.account).await {
        Ok(account) => account,
        Err(denied) => return Err(deny(session, user, mechanism, &denied).into()),
    };
    let identity = match endpoint.storage.identity(&account.name).await {
        Ok(identity) => identity,
        Err(error) => {
            let denied = Denied::Unavailable(error.into());
            return Err(deny(session, user, mechanism, &denied).into());
        }
    };
    let place = endpoint
        .places
        .take(account.id, endpoint.limits.connections_per_user);
    let place = place.ok_or(Refusal::Limit("Too many connections of this user"))?;
    endpoint.log.info(
        "logged in",
        &[
            ("mechanism", &mechanism),
            ("src_ip", &Text(&session.origin.peer)),
            ("tls", &session.secure),
            ("username", user),
        ],
    );
    let log = &endpoint.log;
    let withheld = endpoint.withheld.for_account(&entered.account, log).await;
    session.withheld.extend(&withheld);
    session.withheld_from_account = withheld;
    session.log_in(User {
        account,
        identity,
        _place: place,
    });
    Ok(Completed {
        code: DoneCode::Capabilities,
        text: "Logged in",
        ..Completed::default()
    })
}

/// The storage account of that name, which is made if it does not exist.
async fn account(session: &Session, name: &str) -> Result<Account, Denied> {
    let storage = &session.endpoint.storage;
    storage
        .account_at_login(name)
        .await
        .map_err(|error| match error {
            AccountError::Name(_) | AccountError::Unmapped => {
                Denied::Credentials(error.to_string())
            }
            AccountError::Table(_) | AccountError::Store(_) => Denied::Unavailable(error.into()),
        })
}

/// Logs a failed login, in the form that log watchers know, and counts it.
pub(super) fn deny(session: &mut Session, user: &str, mechanism: &str, denied: &Denied) -> Refusal {
    // Nobody is to be banned because a provider is down: that has words of its own.
    let (event, reason, refusal) = match denied {
        Denied::Credentials(reason) => (
            "authentication failed",
            reason.clone(),
            Refusal::Credentials,
        ),
        Denied::Unavailable(error) => {
            let reason = format!("{error:#}");
            (
                "authentication unavailable",
                reason,
                Refusal::AuthUnavailable,
            )
        }
    };
    let log = &session.endpoint.log;
    let log = if mechanism == COMMAND {
        log.clone()
    } else {
        log.child("sasl")
    };
    log.warn(
        event,
        &[
            ("reason", &reason),
            ("src_ip", &Text(&session.origin.peer)),
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
