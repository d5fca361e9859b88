//! Commands about rights (RFC 4314 §7).

use pillarbox_model::{Rights, RightsChange};

use super::mailbox_name;
use crate::imap::command::{Bytes, Command};
use crate::imap::lex::{Cursor, Parsed};

/// `setacl = "SETACL" SP mailbox SP identifier SP mod-rights`
pub(super) fn set<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let (mailbox, identifier) = mailbox_and_identifier(cursor)?;
    cursor.space()?;
    Ok(Command::SetAcl {
        mailbox,
        identifier,
        change: change(cursor)?,
    })
}

/// `deleteacl = "DELETEACL" SP mailbox SP identifier`
pub(super) fn delete<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let (mailbox, identifier) = mailbox_and_identifier(cursor)?;
    Ok(Command::DeleteAcl {
        mailbox,
        identifier,
    })
}

/// `listrights = "LISTRIGHTS" SP mailbox SP identifier`
pub(super) fn list<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let (mailbox, identifier) = mailbox_and_identifier(cursor)?;
    Ok(Command::ListRights {
        mailbox,
        identifier,
    })
}

fn mailbox_and_identifier<'a>(cursor: &mut Cursor<'a>) -> Parsed<(Bytes<'a>, Bytes<'a>)> {
    let mailbox = mailbox_name(cursor)?;
    cursor.space()?;
    Ok((mailbox, cursor.astring("Expected an identifier")?))
}

/// `mod-rights`: what is no right must not be passed over (RFC 4314 §3.1).
fn change(cursor: &mut Cursor<'_>) -> Parsed<RightsChange> {
    let start = cursor.position();
    let written = cursor.astring("Expected rights")?;
    let (make, letters): (fn(Rights) -> RightsChange, _) = match written.split_first() {
        Some((b'+', rest)) => (RightsChange::Add, rest),
        Some((b'-', rest)) => (RightsChange::Remove, rest),
        _ => (RightsChange::Set, &*written),
    };
    let read = std::str::from_utf8(letters).ok().map(Rights::parse);
    match read {
        Some(Ok(rights)) => Ok(make(rights)),
        _ => cursor.fail_at(start, "There is no such right"),
    }
}
