//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208).
//!
//! Each account is a quota root of its name, and governs all its mailboxes. What it has is known to its
//! user and to administrators, who alone can change what it may have.

use pillarbox_model::{AccountId, PerResource, Resource, Rights};
use pillarbox_proto::imap::encode;
use pillarbox_store::{Account, Error, Limit, Quota};

use super::{Completed, Outcome, Refusal, Session};
use crate::normalize::Normalize;

/// What one unit of STORAGE is, in bytes (RFC 9208 §5.1).
const STORAGE_UNIT: u64 = 1_024;

/// GETQUOTA: what a root has and may have.
pub(super) async fn get(session: &mut Session, root: &[u8]) -> Outcome {
    let account = session.quota_root(root).await?;
    tell(session, &account).await
}

/// GETQUOTAROOT: the roots of a mailbox, which need not be there (RFC 9208 §4.1.2), and what they have.
pub(super) async fn get_root(session: &mut Session, mailbox: &[u8]) -> Outcome {
    let name = session.name(mailbox)?;
    // RFC 9208 §6: what it has tells about its messages, so it takes the right to read them.
    let owner = match session.visible(mailbox).await? {
        Some(found) if found.rights.all(Rights::READ) => found.info.account,
        Some(_) => return Err(Refusal::NoPerm.into()),
        None => session.spot(mailbox).await?.account,
    };
    let account = session.account(owner).await?;
    let dialect = session.dialect;
    encode::quota_root(&mut session.wire.out, &name, &[&account.name], dialect);
    tell(session, &account).await
}

/// SETQUOTA: limits that are not named are none from now on (RFC 9208 §4.1.3).
pub(super) async fn set(
    session: &mut Session,
    root: &[u8],
    limits: &[(Option<Resource>, u64)],
) -> Outcome {
    if !session.is_admin() {
        return Err(Refusal::NoPerm.into());
    }
    let account = session.quota_root(root).await?;
    let mut own = PerResource {
        storage: Limit::Unlimited,
        message: Limit::Unlimited,
        mailbox: Limit::Unlimited,
    };
    for &(resource, limit) in limits {
        let resource = resource.ok_or(Refusal::Cannot("That resource can't be limited"))?;
        let limit = match resource {
            Resource::Storage => limit.saturating_mul(STORAGE_UNIT),
            Resource::Message | Resource::Mailbox => limit,
        };
        own.set(resource, Limit::At(limit));
    }
    let store = &session.endpoint.storage.store;
    store.set_quota(account.id, own).await?;
    let log = &session.endpoint.log;
    log.info("a quota was set", &[("username", &&*account.name)]);
    tell(session, &account).await
}

/// Writes the QUOTA response of an account. What is not limited is not in it (RFC 9208 §4.2.1).
async fn tell(session: &mut Session, account: &Account) -> Outcome {
    let quota = session.endpoint.storage.store.quota(account.id).await?;
    let told: Vec<_> = Resource::ALL
        .into_iter()
        .filter_map(|resource| triplet(&quota, resource))
        .collect();
    encode::quota(&mut session.wire.out, &account.name, &told);
    Ok(Completed::default())
}

/// Usage and limit. Both are rounded up, so that what is within its limit looks so.
fn triplet(quota: &Quota, resource: Resource) -> Option<(Resource, u64, u64)> {
    let unit = match resource {
        Resource::Storage => STORAGE_UNIT,
        Resource::Message | Resource::Mailbox => 1,
    };
    let usage = quota.usage.get(resource).div_ceil(unit);
    let limit = quota.limits.get(resource)?.div_ceil(unit);
    Some((resource, usage, limit))
}

impl Session {
    async fn account(&self, id: AccountId) -> Result<Account, Refusal> {
        let own = &self.user()?.account;
        if own.id == id {
            return Ok(own.clone());
        }
        let all = self.endpoint.storage.store.accounts().await?;
        let found = all.into_iter().find(|account| account.id == id);
        found.ok_or(Refusal::Store(Error::NoAccount))
    }

    /// The account that a quota root is. Others' are only there for administrators; an empty name, as
    /// older clients write it, is one's own.
    async fn quota_root(&self, root: &[u8]) -> Result<Account, Refusal> {
        let own = &self.user()?.account;
        if root.is_empty() || root == own.name.as_bytes() {
            return Ok(own.clone());
        }
        let unknown = Refusal::NotThere("No such quota root");
        if !self.is_admin() {
            return Err(unknown);
        }
        let name = std::str::from_utf8(root).ok();
        let Some(Ok(name)) = name.map(|name| Normalize::Casefold.apply(name)) else {
            return Err(unknown);
        };
        let found = self.endpoint.storage.store.account(&name).await?;
        found.ok_or(unknown)
    }
}
