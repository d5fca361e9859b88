//! LIST and LSUB (RFC 3501 §6.3.8, RFC 5258, RFC 5819, RFC 6154).

use pillarbox_model::limit;

use super::mailbox::status_items;
use crate::imap::command::{Bytes, Command, List, ListReturn, ListSelect};
use crate::imap::lex::{Cursor, Parsed};

/// Patterns in one LIST: each is matched with every mailbox.
const PATTERNS: usize = 100;
const TOO_LONG: &str = "The patterns are too long";

/// ```abnf
/// list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat
///        [SP list-return-opts]                                     ; RFC 5258 §6
/// ```
pub(super) fn list<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let mut list = List::default();
    if cursor.peek() == Some(b'(') {
        list.extended = true;
        list.select = select_options(cursor)?;
        cursor.space()?;
    }
    list.reference = cursor.astring("Expected a reference name")?;
    cursor.space()?;
    if cursor.peek() == Some(b'(') {
        list.extended = true;
        list.patterns = patterns(cursor)?;
    } else {
        list.patterns = vec![pattern(cursor)?];
    }
    if cursor.more()? {
        list.extended = true;
        list.returns = return_options(cursor)?;
    }
    Ok(Command::List(list))
}

/// `lsub = "LSUB" SP mailbox SP list-mailbox`
pub(super) fn lsub<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let reference = cursor.astring("Expected a reference name")?;
    cursor.space()?;
    let pattern = pattern(cursor)?;
    Ok(Command::Lsub { reference, pattern })
}

/// XLIST, which Gmail made up and RFC 6154 took over: as LIST without options.
pub(super) fn xlist<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let reference = cursor.astring("Expected a reference name")?;
    cursor.space()?;
    Ok(Command::List(List {
        reference,
        patterns: vec![pattern(cursor)?],
        xlist: true,
        ..List::default()
    }))
}

fn pattern<'a>(cursor: &mut Cursor<'a>) -> Parsed<Bytes<'a>> {
    let start = cursor.position();
    let pattern = cursor.list_mailbox("Expected a pattern")?;
    if pattern.len() > limit::LIST_PATTERN_BYTES {
        return cursor.fail_at(start, TOO_LONG);
    }
    Ok(pattern)
}

fn patterns<'a>(cursor: &mut Cursor<'a>) -> Parsed<Vec<Bytes<'a>>> {
    let start = cursor.position();
    let patterns = cursor.nonempty_list("Expected one or more patterns", pattern)?;
    if patterns.len() > PATTERNS {
        return cursor.fail_at(start, "Too many patterns");
    }
    if patterns.iter().map(|pattern| pattern.len()).sum::<usize>() > limit::LIST_PATTERN_BYTES {
        return cursor.fail_at(start, TOO_LONG);
    }
    Ok(patterns)
}

/// `list-select-opts`. RECURSIVEMATCH needs an option that it can modify (RFC 5258 §3.1).
fn select_options(cursor: &mut Cursor<'_>) -> Parsed<ListSelect> {
    let start = cursor.position();
    let mut select = ListSelect::default();
    cursor.list("Expected selection options", |cursor| {
        let option = [
            ("SUBSCRIBED", &mut select.subscribed),
            ("REMOTE", &mut select.remote),
            ("RECURSIVEMATCH", &mut select.recursive_match),
            ("SPECIAL-USE", &mut select.special_use),
        ];
        set_option(cursor, option, "Unknown selection option")
    })?;
    if select.recursive_match && !(select.subscribed || select.special_use) {
        return cursor.fail_at(start, "RECURSIVEMATCH needs another selection option");
    }
    Ok(select)
}

/// `list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")"`
fn return_options(cursor: &mut Cursor<'_>) -> Parsed<ListReturn> {
    if !cursor.word("RETURN") {
        return cursor.fail("Expected RETURN or the end of the command");
    }
    cursor.space()?;
    let mut returns = ListReturn::default();
    cursor.list("Expected return options", |cursor| {
        if cursor.word("METADATA") {
            cursor.space()?;
            returns.metadata = super::metadata::entries(cursor)?;
            return Ok(());
        }
        if cursor.word("STATUS") {
            cursor.space()?;
            returns.status = status_items(cursor)?;
            return Ok(());
        }
        let option = [
            ("SUBSCRIBED", &mut returns.subscribed),
            ("CHILDREN", &mut returns.children),
            ("SPECIAL-USE", &mut returns.special_use),
            ("MYRIGHTS", &mut returns.my_rights),
        ];
        set_option(cursor, option, "Unknown return option")
    })?;
    Ok(returns)
}

/// Sets the option that is next.
fn set_option<const N: usize>(
    cursor: &mut Cursor<'_>,
    options: [(&str, &mut bool); N],
    problem: &'static str,
) -> Parsed<()> {
    for (name, value) in options {
        if cursor.word(name) {
            *value = true;
            return Ok(());
        }
    }
    cursor.fail(problem)
}
