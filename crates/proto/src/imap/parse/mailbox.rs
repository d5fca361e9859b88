//! Commands about mailboxes: SELECT, EXAMINE, CREATE, RENAME, STATUS.

use pillarbox_model::{SequenceSet, SpecialUse};

use super::mailbox_name;
use super::message::flag_name;
use crate::imap::command::{Command, SelectParameter, StatusItem};
use crate::imap::lex::{Cursor, Parsed};

/// `select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"]` (RFC 4466 §6)
pub(super) fn select<'a>(cursor: &mut Cursor<'a>, read_only: bool) -> Parsed<Command<'a>> {
    let mailbox = mailbox_name(cursor)?;
    let parameters = match cursor.more()? {
        true => cursor.nonempty_list("Expected a list of parameters", select_parameter)?,
        false => Vec::new(),
    };
    Ok(Command::Select {
        mailbox,
        read_only,
        parameters,
    })
}

fn select_parameter(cursor: &mut Cursor<'_>) -> Parsed<SelectParameter> {
    if cursor.word("CONDSTORE") {
        return Ok(SelectParameter::CondStore);
    }
    if cursor.word("QRESYNC") {
        cursor.space()?;
        return qresync(cursor);
    }
    cursor.fail("Unknown parameter")
}

/// ```abnf
/// "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"   ; RFC 7162 §7
/// ```
fn qresync(cursor: &mut Cursor<'_>) -> Parsed<SelectParameter> {
    cursor.expect(b'(', "Expected (")?;
    let uid_validity = cursor.nz_number("Expected a UIDVALIDITY")?;
    cursor.space()?;
    let modseq = cursor.number64("Expected a mod-sequence")?;
    let (mut known_uids, mut seq_match) = (None, None);
    if cursor.peek() == Some(b' ') {
        cursor.skip_spaces();
        if !matches!(cursor.peek(), Some(b'(' | b')')) {
            known_uids = Some(cursor.known_set()?);
            cursor.skip_spaces();
        }
        if cursor.peek() == Some(b'(') {
            seq_match = Some(seq_match_data(cursor)?);
        }
    }
    cursor.skip_spaces();
    cursor.expect(b')', "Expected )")?;
    Ok(SelectParameter::QResync {
        uid_validity,
        modseq,
        known_uids,
        seq_match,
    })
}

/// `seq-match-data = "(" known-sequence-set SP known-uid-set ")"`
fn seq_match_data(cursor: &mut Cursor<'_>) -> Parsed<(SequenceSet, SequenceSet)> {
    cursor.expect(b'(', "Expected (")?;
    let numbers = cursor.known_set()?;
    cursor.space()?;
    let uids = cursor.known_set()?;
    cursor.expect(b')', "Expected )")?;
    Ok((numbers, uids))
}

/// `create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]` (RFC 6154
/// §6)
pub(super) fn create<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let mailbox = mailbox_name(cursor)?;
    let mut special_use = Vec::new();
    if cursor.more()? {
        cursor.nonempty_list("Expected a list of parameters", |cursor| {
            if !cursor.word("USE") {
                return cursor.fail("Unknown parameter");
            }
            cursor.space()?;
            special_use = cursor.list("Expected a list of attributes", |cursor| {
                let attribute = flag_name(cursor)?;
                Ok(attribute
                    .strip_prefix('\\')
                    .and_then(SpecialUse::from_attribute))
            })?;
            Ok(())
        })?;
    }
    Ok(Command::Create {
        mailbox,
        special_use,
    })
}

pub(super) fn rename<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let from = mailbox_name(cursor)?;
    cursor.space()?;
    let to = mailbox_name(cursor)?;
    Ok(Command::Rename { from, to })
}

/// `status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"`
pub(super) fn status<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let mailbox = mailbox_name(cursor)?;
    cursor.space()?;
    let items = status_items(cursor)?;
    Ok(Command::Status { mailbox, items })
}

pub(super) fn status_items(cursor: &mut Cursor<'_>) -> Parsed<Vec<StatusItem>> {
    let mut items = Vec::new();
    cursor.nonempty_list("Expected a list of status items", |cursor| {
        let item = status_item(cursor)?;
        if !items.contains(&item) {
            items.push(item);
        }
        Ok(())
    })?;
    Ok(items)
}

fn status_item(cursor: &mut Cursor<'_>) -> Parsed<StatusItem> {
    let found = StatusItem::ALL
        .into_iter()
        .find(|item| cursor.word(item.name()));
    found.map_or_else(|| cursor.fail("Unknown status item"), Ok)
}
