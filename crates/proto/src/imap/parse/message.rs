//! Commands that add and change messages: APPEND, STORE, COPY, MOVE.

use pillarbox_model::{Flag, InternalDate, limit};

use super::mailbox_name;
use crate::imap::command::{AppendData, AppendMessage, CatPart, Command, StoreAction};
use crate::imap::date::date_time;
use crate::imap::lex::{Cursor, Datum, Parsed};

/// `append = "APPEND" SP mailbox 1*append-message` (RFC 3502 §6.3.11)
pub(super) fn append<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let mailbox = mailbox_name(cursor)?;
    cursor.space()?;
    let mut messages = Vec::new();
    loop {
        messages.push(append_message(cursor)?);
        if messages.len() > limit::MESSAGES_PER_APPEND {
            return cursor.fail("Too many messages");
        }
        if !cursor.more()? {
            return Ok(Command::Append { mailbox, messages });
        }
    }
}

/// `replace = "REPLACE" SP seq-number SP mailbox append-message` (RFC 8508 §5)
pub(super) fn replace<'a>(cursor: &mut Cursor<'a>, uid: bool) -> Parsed<Command<'a>> {
    let number = cursor.bound()?;
    cursor.space()?;
    let mailbox = mailbox_name(cursor)?;
    cursor.space()?;
    Ok(Command::Replace {
        uid,
        number,
        mailbox,
        message: append_message(cursor)?,
    })
}

/// `append-message = [flag-list SP] [date-time SP] literal`. The RFC's grammar ends here; a quoted
/// string in place of the literal can only be a very small message, and is taken.
fn append_message<'a>(cursor: &mut Cursor<'a>) -> Parsed<AppendMessage<'a>> {
    let mut flags = Vec::new();
    if cursor.peek() == Some(b'(') {
        flags = cursor.list("", flag)?.into_iter().flatten().collect();
        cursor.space()?;
    }
    let date = optional_date(cursor)?;
    if cursor.word("CATENATE") {
        let data = catenated(cursor)?;
        return Ok(AppendMessage { flags, date, data });
    }
    // `"UTF8" SP "(" literal8 ")"`, which RFC 6855 §4 had and RFC 9755 took back: some clients send it.
    let wrapped = cursor.word("UTF8");
    if wrapped {
        cursor.space()?;
        cursor.expect(b'(', "Expected (")?;
    }
    let data = match cursor.datum()? {
        Some(Datum::Streamed { size, binary }) => AppendData::Streamed { size, binary },
        Some(Datum::Held(bytes)) => AppendData::Inline(bytes),
        None => return cursor.fail("Expected flags, a date or a literal"),
    };
    // Where the message is only offered, the command ends with it.
    if wrapped && cursor.peek().is_some() {
        cursor.expect(b')', "Expected )")?;
    }
    Ok(AppendMessage { flags, date, data })
}

/// `"CATENATE" SP "(" cat-part *(SP cat-part) ")"` (RFC 4469 §5). Where a text is only offered, the
/// command ends with it.
fn catenated<'a>(cursor: &mut Cursor<'a>) -> Parsed<AppendData<'a>> {
    cursor.space()?;
    cursor.expect(b'(', "Expected (")?;
    cursor.skip_spaces();
    let mut parts = Vec::new();
    loop {
        parts.push(cat_part(cursor)?);
        if parts.len() > limit::CATENATED_PARTS {
            return cursor.fail("Too many parts in one message");
        }
        if cursor.peek().is_none() {
            return match parts.last() {
                Some(CatPart::Text { .. }) => Ok(AppendData::Catenated { parts, open: true }),
                _ => cursor.fail("Expected )"),
            };
        }
        if cursor.peek() != Some(b')') {
            cursor.expect(b' ', "Expected a space or )")?;
        }
        cursor.skip_spaces();
        if cursor.eat(b')') {
            return Ok(AppendData::Catenated { parts, open: false });
        }
    }
}

/// `cat-part = "TEXT" SP literal / "URL" SP astring`; of a text, also a `literal8` (RFC 3516).
fn cat_part<'a>(cursor: &mut Cursor<'a>) -> Parsed<CatPart<'a>> {
    let text = cursor.word("TEXT");
    if !text && !cursor.word("URL") {
        return cursor.fail("Expected TEXT or URL");
    }
    cursor.space()?;
    let at = cursor.position();
    if !text {
        let url = cursor.astring("Expected a URL")?;
        return match url.len() <= limit::URL_BYTES {
            true => Ok(CatPart::Url(url)),
            false => cursor.fail_at(at, "URL is too long"),
        };
    }
    match cursor.datum()? {
        Some(Datum::Streamed { size, binary }) => Ok(CatPart::Text { size, binary }),
        _ => cursor.fail_at(at, "Expected a literal"),
    }
}

/// A quoted string with something after it is a date; as the last argument it would be the message.
fn optional_date(cursor: &mut Cursor<'_>) -> Parsed<Option<InternalDate>> {
    if cursor.peek() != Some(b'"') {
        return Ok(None);
    }
    let mut ahead = cursor.clone();
    ahead.string()?;
    if !matches!(ahead.more(), Ok(true)) {
        return Ok(None);
    }
    let date = date_time(cursor)?;
    cursor.space()?;
    Ok(Some(date))
}

/// `store = "STORE" SP sequence-set [SP "(" store-modifier ")"] SP store-att-flags` (RFC 7162 §7)
pub(super) fn store<'a>(cursor: &mut Cursor<'a>, uid: bool) -> Parsed<Command<'a>> {
    let set = cursor.sequence_set()?;
    cursor.space()?;
    let mut unchanged_since = None;
    if cursor.peek() == Some(b'(') {
        cursor.nonempty_list("Expected a modifier", |cursor| {
            if !cursor.word("UNCHANGEDSINCE") {
                return cursor.fail("Unknown modifier");
            }
            cursor.space()?;
            unchanged_since = Some(cursor.number64("Expected a mod-sequence")?);
            Ok(())
        })?;
        cursor.space()?;
    }
    let (action, silent) = store_action(cursor)?;
    cursor.space()?;
    let named = store_flags(cursor)?;
    let unknown_flag = named.iter().any(Option::is_none);
    let flags = named.into_iter().flatten().collect();
    Ok(Command::Store {
        uid,
        set,
        unchanged_since,
        action,
        silent,
        flags,
        unknown_flag,
    })
}

/// `["+" / "-"] "FLAGS" [".SILENT"]`
fn store_action(cursor: &mut Cursor<'_>) -> Parsed<(StoreAction, bool)> {
    let action = match () {
        () if cursor.eat(b'+') => StoreAction::Add,
        () if cursor.eat(b'-') => StoreAction::Remove,
        () => StoreAction::Replace,
    };
    if cursor.word("FLAGS") {
        return Ok((action, false));
    }
    if cursor.word("FLAGS.SILENT") {
        return Ok((action, true));
    }
    cursor.fail("Expected FLAGS or FLAGS.SILENT, with or without + or -")
}

/// `flag-list / (flag *(SP flag))`
fn store_flags(cursor: &mut Cursor<'_>) -> Parsed<Vec<Option<Flag>>> {
    if cursor.peek() == Some(b'(') {
        return cursor.list("", flag);
    }
    let mut flags = Vec::new();
    loop {
        flags.push(flag(cursor)?);
        if !cursor.more()? {
            return Ok(flags);
        }
    }
}

pub(super) fn copy<'a>(cursor: &mut Cursor<'a>, uid: bool, remove: bool) -> Parsed<Command<'a>> {
    let set = cursor.sequence_set()?;
    cursor.space()?;
    let mailbox = mailbox_name(cursor)?;
    Ok(Command::Copy {
        uid,
        remove,
        set,
        mailbox,
    })
}

/// `flag`, of which `None` can't be stored.
fn flag(cursor: &mut Cursor<'_>) -> Parsed<Option<Flag>> {
    let at = cursor.position();
    let name = flag_name(cursor)?;
    if name.len() > limit::KEYWORD_BYTES {
        return cursor.fail_at(at, "Keyword is too long");
    }
    Ok(Flag::parse(name))
}

/// An atom with or without a backslash before it.
pub(super) fn flag_name<'a>(cursor: &mut Cursor<'a>) -> Parsed<&'a str> {
    let start = cursor.clone();
    cursor.eat(b'\\');
    cursor.atom("Expected a flag")?;
    start.text_up_to(cursor)
}
