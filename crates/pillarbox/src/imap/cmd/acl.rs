//! Rights: SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314 §3).

use pillarbox_model::acl::{ANYONE, GROUP, NEGATIVE, is_user};
use pillarbox_model::{Rights, RightsChange};
use pillarbox_proto::imap::encode;
use pillarbox_proto::sasl;

use super::{Completed, Outcome, Refusal, Session};
use crate::auth::Denied;
use crate::imap::Reached;
use crate::normalize::Normalize;
use crate::storage::AccountError;
use crate::storage::sharing::signed;

/// SETACL.
pub(super) async fn set(
    session: &mut Session,
    mailbox: &[u8],
    identifier: &[u8],
    change: RightsChange,
) -> Outcome {
    let identifier = session.identifier(identifier).await?;
    let found = session.find(mailbox, Rights::ADMINISTER).await?;
    let store = &session.endpoint.storage.store;
    store.set_rights(found.info.id, &identifier, change).await?;
    Ok(Completed::default())
}

/// DELETEACL. What the owner always has, stays.
pub(super) async fn delete(session: &mut Session, mailbox: &[u8], identifier: &[u8]) -> Outcome {
    set(
        session,
        mailbox,
        identifier,
        RightsChange::Set(Rights::NONE),
    )
    .await
}

/// GETACL.
pub(super) async fn get(session: &mut Session, mailbox: &[u8]) -> Outcome {
    let found = session.find(mailbox, Rights::ADMINISTER).await?;
    let owner = session.owner(&found).await?;
    let acl = &found.info.acl;
    let of_owner = acl.get(&owner).unwrap_or(Rights::ALL) | Rights::ADMINISTER;
    let owners = is_user(&owner).then_some((&*owner, of_owner));
    let others = acl.entries().filter(|(identifier, _)| *identifier != owner);
    let entries = owners.into_iter().chain(others);
    let dialect = session.dialect;
    encode::acl(&mut session.wire.out, &found.info.name, entries, dialect);
    Ok(Completed::default())
}

/// LISTRIGHTS: each right by itself, and for the owner the one that nobody can take.
pub(super) async fn list(session: &mut Session, mailbox: &[u8], written: &[u8]) -> Outcome {
    let identifier = session.identifier(written).await?;
    let found = session.find(mailbox, Rights::ADMINISTER).await?;
    let owns = identifier == session.owner(&found).await?;
    let always = if owns {
        Rights::ADMINISTER
    } else {
        Rights::NONE
    };
    let (name, dialect) = (&found.info.name, session.dialect);
    encode::list_rights(&mut session.wire.out, name, written, always, dialect);
    Ok(Completed::default())
}

/// MYRIGHTS.
pub(super) async fn mine(session: &mut Session, mailbox: &[u8]) -> Outcome {
    let found = session.known(mailbox).await?;
    let (name, dialect) = (&found.info.name, session.dialect);
    encode::my_rights(&mut session.wire.out, name, found.rights, dialect);
    Ok(Completed::default())
}

impl Session {
    /// The name of the account whose a mailbox is.
    async fn owner(&self, found: &Reached) -> Result<String, Refusal> {
        let own = &self.user()?.account;
        if found.info.account == own.id {
            return Ok(own.name.to_string());
        }
        let owner = self.endpoint.storage.owner(&found.info.name);
        owner.ok_or(Refusal::Store(pillarbox_store::Error::NoMailbox))
    }

    /// An identifier as lists of rights have it (RFC 4314 §3).
    async fn identifier(&self, written: &[u8]) -> Result<String, Refusal> {
        let bad = || Refusal::Client("That can't be an identifier".into());
        let text = std::str::from_utf8(written).map_err(|_| bad())?;
        let prepared = sasl::prepared(text.to_owned()).ok_or_else(bad)?;
        let (sign, name) = signed(&prepared).ok_or_else(bad)?;
        let identifier = format!("{sign}{}", self.principal(name).await?);
        match signed(&identifier) {
            Some(_) => Ok(identifier),
            None => Err(bad()),
        }
    }

    /// A user, a group or everybody. A user is named as at a login, and becomes the account that a login
    /// would come to; whether there is one is not told.
    async fn principal(&self, name: &str) -> Result<String, Refusal> {
        let folded = Normalize::Casefold.apply(name).unwrap_or_default();
        if folded == ANYONE || folded.starts_with([GROUP, NEGATIVE]) {
            return Ok(folded);
        }
        match self.account_of(name).await {
            Ok(account) => Ok(account),
            Err(Denied::Credentials(_)) => Ok(folded),
            Err(Denied::Unavailable(_)) => Err(Refusal::Unavailable),
        }
    }

    /// The name of the account that a login of that name comes to.
    async fn account_of(&self, user: &str) -> Result<String, Denied> {
        let name = self.endpoint.login.storage_name(user).await?;
        let account = self.endpoint.storage.auth.account_name(&name).await;
        account.map_err(|error| match error {
            AccountError::Name(_) | AccountError::Unmapped => {
                Denied::Credentials(error.to_string())
            }
            AccountError::Table(_) | AccountError::Store(_) => Denied::Unavailable(error.into()),
        })
    }
}
