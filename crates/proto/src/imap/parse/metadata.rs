//! GETMETADATA, SETMETADATA (RFC 5464 §5).

use pillarbox_model::{Depth, EntryName, limit};

use super::mailbox_name;
use crate::imap::command::{Bytes, Command, GetMetadata};
use crate::imap::lex::{Cursor, Parsed};

const TOO_MANY: &str = "Too many entries";

/// `getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries`. The RFC's examples have
/// the options after the mailbox, and entries without parentheses; clients follow either.
pub(super) fn get<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let mut get = GetMetadata::default();
    if cursor.peek() == Some(b'(') {
        options(cursor, &mut get)?;
        cursor.space()?;
    }
    get.mailbox = mailbox_name(cursor)?;
    cursor.space()?;
    if begins_with_option(cursor) {
        options(cursor, &mut get)?;
        cursor.space()?;
    }
    get.entries = entries(cursor)?;
    while cursor.more()? {
        get.entries.extend(entries(cursor)?);
        if get.entries.len() > limit::ENTRIES_PER_COMMAND {
            return cursor.fail(TOO_MANY);
        }
    }
    Ok(Command::GetMetadata(get))
}

/// Whether a list of options is next: those are words, and entries begin with a slash.
fn begins_with_option(cursor: &Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    if !ahead.eat(b'(') {
        return false;
    }
    ahead.skip_spaces();
    ahead.peek().is_some_and(|byte| byte.is_ascii_alphabetic())
}

/// `"(" getmetadata-option *(SP getmetadata-option) ")"`
fn options(cursor: &mut Cursor<'_>, get: &mut GetMetadata<'_>) -> Parsed<()> {
    cursor.nonempty_list("Expected options", |cursor| {
        if cursor.word("MAXSIZE") {
            cursor.space()?;
            get.max_size = Some(cursor.number64("Expected a size")?);
            return Ok(());
        }
        if !cursor.word("DEPTH") {
            return cursor.fail("Expected MAXSIZE or DEPTH");
        }
        cursor.space()?;
        get.depth = match () {
            () if cursor.word("0") => Depth::Zero,
            () if cursor.word("1") => Depth::One,
            () if cursor.word("INFINITY") => Depth::Infinity,
            () => return cursor.fail("Expected 0, 1 or infinity"),
        };
        Ok(())
    })?;
    Ok(())
}

/// `entries = entry / "(" entry *(SP entry) ")"`
pub(super) fn entries(cursor: &mut Cursor<'_>) -> Parsed<Vec<EntryName>> {
    if cursor.peek() != Some(b'(') {
        return entry(cursor).map(|entry| vec![entry]);
    }
    let start = cursor.position();
    let entries = cursor.nonempty_list("Expected entries", entry)?;
    if entries.len() > limit::ENTRIES_PER_COMMAND {
        return cursor.fail_at(start, TOO_MANY);
    }
    Ok(entries)
}

/// `entry = astring`. A name that is none is an error of the command (RFC 5464 §3.2).
fn entry(cursor: &mut Cursor<'_>) -> Parsed<EntryName> {
    let at = cursor.position();
    let bytes = cursor.astring("Expected an entry")?;
    EntryName::new(&bytes).or_else(|bad| cursor.fail_at(at, bad.0))
}

/// `setmetadata = "SETMETADATA" SP mailbox SP "(" entry SP value *(SP entry SP value) ")"`
pub(super) fn set<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let mailbox = mailbox_name(cursor)?;
    cursor.space()?;
    let start = cursor.position();
    let values = cursor.nonempty_list("Expected entries and values", |cursor| {
        let at = cursor.position();
        let entry = entry(cursor)?;
        if !entry.can_have_value() {
            return cursor.fail_at(at, "This entry has no value, only what is below it");
        }
        cursor.space()?;
        Ok((entry, value(cursor)?))
    })?;
    if values.len() > limit::ENTRIES_PER_COMMAND {
        return cursor.fail_at(start, TOO_MANY);
    }
    Ok(Command::SetMetadata { mailbox, values })
}

/// `value = nstring / literal8`
fn value<'a>(cursor: &mut Cursor<'a>) -> Parsed<Option<Bytes<'a>>> {
    if cursor.word("NIL") {
        return Ok(None);
    }
    match cursor.binary_string()? {
        Some(bytes) => Ok(Some(bytes)),
        None => cursor.fail("Expected a string or NIL"),
    }
}
