//! GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208 §7; RFC 2087 §6 has the same forms).

use pillarbox_model::Resource;

use super::mailbox_name;
use crate::imap::command::{Bytes, Command};
use crate::imap::lex::{Cursor, Parsed};

/// Limits in one SETQUOTA: more than there are resources.
const LIMITS: usize = 16;

pub(super) fn get_quota<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    quota_root(cursor).map(Command::GetQuota)
}

pub(super) fn get_quota_root<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    mailbox_name(cursor).map(Command::GetQuotaRoot)
}

/// `setquota = "SETQUOTA" SP quota-root-name SP "(" [setquota-resource *(SP setquota-resource)] ")"`
pub(super) fn set_quota<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let root = quota_root(cursor)?;
    cursor.space()?;
    let start = cursor.position();
    let limits = cursor.list("Expected a list of resources and limits", |cursor| {
        let name = cursor.atom("Expected a resource")?;
        cursor.space()?;
        let limit = cursor.number64("Expected a limit")?;
        Ok((Resource::from_name(name), limit))
    })?;
    if limits.len() > LIMITS {
        return cursor.fail_at(start, "Too many resources");
    }
    Ok(Command::SetQuota { root, limits })
}

/// `quota-root-name = astring`
fn quota_root<'a>(cursor: &mut Cursor<'a>) -> Parsed<Bytes<'a>> {
    cursor.astring("Expected a quota root")
}
