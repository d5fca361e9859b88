//! What the server says of mailboxes, messages and itself (RFC 3501 §7.2, §7.3).

use pillarbox_model::{Delimiter, MailboxName, NumberSet, Resource};

use super::command::StatusItem;
use super::encode::{
    Dialect, astring, end_line, mailbox, nstring, parenthesised, push_literal8, push_number,
    push_set, push_text, spaced_number, string,
};
use super::lex::is_atom_char;

/// A mailbox, in answer to `command`: LIST or LSUB. `child_info` says that a subscribed mailbox
/// lies below, which is why this one is told (RFC 5258 §3.5).
pub fn list(
    out: &mut Vec<u8>,
    command: &str,
    attributes: &[&str],
    delimiter: Option<Delimiter>,
    name: &MailboxName,
    child_info: bool,
    dialect: Dialect,
) {
    push_list_head(out, command, attributes, delimiter);
    mailbox(out, name, dialect);
    if child_info {
        out.extend_from_slice(b" (\"CHILDINFO\" (\"SUBSCRIBED\"))");
    }
    end_line(out);
}

/// A mailbox, unasked, with the name that it had before (RFC 5465 §5.4) or that the client gave it (RFC
/// 9051 §6.3.9.7).
pub fn list_news(
    out: &mut Vec<u8>,
    attributes: &[&str],
    delimiter: Option<Delimiter>,
    name: &MailboxName,
    old: Option<&MailboxName>,
    dialect: Dialect,
) {
    push_list_head(out, "LIST", attributes, delimiter);
    mailbox(out, name, dialect);
    if let Some(old) = old {
        out.extend_from_slice(b" (\"OLDNAME\" (");
        mailbox(out, old, dialect);
        out.extend_from_slice(b"))");
    }
    end_line(out);
}

/// The languages that there are, or the one that is spoken from here on (RFC 5255 §3.3).
pub fn language(out: &mut Vec<u8>, tags: &[&str]) {
    out.extend_from_slice(b"* LANGUAGE");
    parenthesised(out, tags, |out, tag| astring(out, tag.as_bytes()));
    end_line(out);
}

/// The comparator in use, and those that match what was asked for, if several do (RFC 5255 §4.8).
pub fn comparator(out: &mut Vec<u8>, active: &str, matching: &[&str]) {
    out.extend_from_slice(b"* COMPARATOR ");
    astring(out, active.as_bytes());
    if matching.len() > 1 {
        parenthesised(out, matching, |out, name| astring(out, name.as_bytes()));
    }
    end_line(out);
}

/// The answer to `LIST "" ""`, which asks for the delimiter (RFC 3501 §6.3.8).
pub fn list_root(out: &mut Vec<u8>, command: &str, delimiter: Option<Delimiter>) {
    push_list_head(out, command, &["\\Noselect"], delimiter);
    out.extend_from_slice(b"\"\"\r\n");
}

fn push_list_head(
    out: &mut Vec<u8>,
    command: &str,
    attributes: &[&str],
    delimiter: Option<Delimiter>,
) {
    out.extend_from_slice(b"* ");
    push_word(out, command);
    parenthesised(out, attributes, |out, name| push_word(out, name));
    out.push(b' ');
    push_delimiter(out, delimiter);
    out.push(b' ');
}

fn push_delimiter(out: &mut Vec<u8>, delimiter: Option<Delimiter>) {
    let text = delimiter.map(|delimiter| delimiter.0.to_string());
    nstring(out, text.as_deref().map(str::as_bytes));
}

/// Appends a flag, an attribute or a name of ours: an atom with or without a backslash. What isn't
/// becomes one.
fn push_word(out: &mut Vec<u8>, word: &str) {
    let (slash, atom) = match word.strip_prefix('\\') {
        Some(atom) => ("\\", atom),
        None => ("", word),
    };
    out.extend_from_slice(slash.as_bytes());
    out.extend(atom.bytes().map(|b| if is_atom_char(b) { b } else { b'?' }));
}

/// What STATUS says of an item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusValue<'a> {
    /// Most items.
    Number(u64),
    /// APPENDLIMIT where there is none (RFC 7889 §3.1).
    Nil,
    /// MAILBOXID, which is put in parentheses.
    Id(&'a str),
}

/// STATUS of a mailbox, asked for by STATUS or LIST.
pub fn list_status(
    out: &mut Vec<u8>,
    name: &MailboxName,
    items: &[(StatusItem, StatusValue<'_>)],
    dialect: Dialect,
) {
    out.extend_from_slice(b"* STATUS ");
    mailbox(out, name, dialect);
    parenthesised(out, items, |out, (item, value)| {
        out.extend_from_slice(item.name().as_bytes());
        match *value {
            StatusValue::Number(number) => spaced_number(out, number),
            StatusValue::Nil => out.extend_from_slice(b" NIL"),
            StatusValue::Id(id) => parenthesised(out, [id], push_word),
        }
    });
    end_line(out);
}

/// Annotations of a mailbox with their values, or of the server (RFC 5464 §4.4.1). NIL stands for an
/// entry that there is not. Values may have any octets.
pub fn metadata<'v>(
    out: &mut Vec<u8>,
    name: Option<&MailboxName>,
    entries: impl IntoIterator<Item = (&'v str, Option<&'v [u8]>)>,
    dialect: Dialect,
) {
    push_metadata_head(out, name, dialect);
    parenthesised(out, entries, |out, (entry, value)| {
        astring(out, entry.as_bytes());
        out.push(b' ');
        match value {
            Some(bytes) if bytes.contains(&0) => push_literal8(out, bytes),
            value => nstring(out, value),
        }
    });
    end_line(out);
}

/// That annotations of a mailbox, or of the server, have changed (RFC 5464 §4.4.2).
pub fn metadata_changed<'e>(
    out: &mut Vec<u8>,
    name: Option<&MailboxName>,
    entries: impl IntoIterator<Item = &'e str>,
    dialect: Dialect,
) {
    push_metadata_head(out, name, dialect);
    for entry in entries {
        out.push(b' ');
        astring(out, entry.as_bytes());
    }
    end_line(out);
}

fn push_metadata_head(out: &mut Vec<u8>, name: Option<&MailboxName>, dialect: Dialect) {
    out.extend_from_slice(b"* METADATA ");
    match name {
        Some(name) => mailbox(out, name, dialect),
        None => out.extend_from_slice(b"\"\""),
    }
}

/// What a quota root has and may have of each resource that is limited; of storage, in units of 1,024
/// bytes (RFC 9208 §4.2.1). None of them means that there are no limits.
pub fn quota(out: &mut Vec<u8>, root: &str, resources: &[(Resource, u64, u64)]) {
    out.extend_from_slice(b"* QUOTA ");
    string(out, root.as_bytes());
    parenthesised(out, resources, |out, &(resource, usage, limit)| {
        out.extend_from_slice(resource.name().as_bytes());
        spaced_number(out, usage);
        spaced_number(out, limit);
    });
    end_line(out);
}

/// The quota roots of a mailbox (RFC 9208 §4.2.2).
pub fn quota_root(out: &mut Vec<u8>, name: &MailboxName, roots: &[&str], dialect: Dialect) {
    out.extend_from_slice(b"* QUOTAROOT ");
    mailbox(out, name, dialect);
    for root in roots {
        out.push(b' ');
        string(out, root.as_bytes());
    }
    end_line(out);
}

fn numbered(out: &mut Vec<u8>, number: u32, what: &[u8]) {
    out.extend_from_slice(b"* ");
    push_number(out, number.into());
    out.extend_from_slice(what);
}

/// How many messages there are.
pub fn exists(out: &mut Vec<u8>, messages: u32) {
    numbered(out, messages, b" EXISTS\r\n");
}

/// How many of them are recent.
pub fn recent(out: &mut Vec<u8>, messages: u32) {
    numbered(out, messages, b" RECENT\r\n");
}

/// The message of that number is gone, and those after it move up.
pub fn expunge(out: &mut Vec<u8>, seq: u32) {
    numbered(out, seq, b" EXPUNGE\r\n");
}

/// The messages of these UIDs are gone; `earlier`: before this session began (RFC 7162 §3.2.10).
pub fn vanished(out: &mut Vec<u8>, earlier: bool, uids: &NumberSet) {
    if uids.is_empty() {
        return;
    }
    out.extend_from_slice(if earlier {
        b"* VANISHED (EARLIER) "
    } else {
        b"* VANISHED "
    });
    push_set(out, uids);
    end_line(out);
}

/// The flags that mean something in this mailbox.
pub fn flags<'n>(out: &mut Vec<u8>, names: impl Iterator<Item = &'n str>) {
    out.extend_from_slice(b"* FLAGS");
    parenthesised(out, names, push_word);
    end_line(out);
}

/// The flags a client can change for good; `wildcard`: and new keywords (RFC 3501 §7.1).
pub fn permanent_flags<'n>(
    out: &mut Vec<u8>,
    names: impl Iterator<Item = &'n str>,
    wildcard: bool,
) {
    out.extend_from_slice(b"* OK [PERMANENTFLAGS");
    let start = out.len() + b" (".len();
    parenthesised(out, names, push_word);
    if wildcard {
        out.pop();
        out.extend_from_slice(if out.len() == start {
            b"\\*)"
        } else {
            b" \\*)"
        });
    }
    out.extend_from_slice(b"] Flags permitted\r\n");
}

/// Ranges of UIDs with about as many messages each, the newest first, each from its last UID down to
/// its first (RFC 10022 §3.1).
pub fn uid_batches(out: &mut Vec<u8>, tag: &str, batches: &[(u32, u32)]) {
    out.extend_from_slice(b"* UIDBATCHES (TAG ");
    let tag = tag.replace(|c: char| !c.is_ascii_graphic(), "?");
    string(out, tag.as_bytes());
    out.push(b')');
    for (index, &(last, first)) in batches.iter().enumerate() {
        out.push(if index == 0 { b' ' } else { b',' });
        push_number(out, last.into());
        out.push(b':');
        push_number(out, first.into());
    }
    end_line(out);
}

/// The list of [`super::capability::capabilities`].
pub fn capability(out: &mut Vec<u8>, list: &str) {
    out.extend_from_slice(b"* CAPABILITY ");
    push_text(out, list.into());
    end_line(out);
}

/// What ENABLE has enabled; may be nothing (RFC 5161 §3.2).
pub fn enabled(out: &mut Vec<u8>, names: &[&str]) {
    out.extend_from_slice(b"* ENABLED");
    for name in names {
        out.push(b' ');
        push_word(out, name);
    }
    end_line(out);
}

/// Who we are (RFC 2971 §3.2); NIL if we don't say.
pub fn id(out: &mut Vec<u8>, fields: &[(&str, &str)]) {
    out.extend_from_slice(b"* ID");
    if fields.is_empty() {
        out.extend_from_slice(b" NIL");
    } else {
        parenthesised(out, fields, |out, (field, value)| {
            string(out, field.as_bytes());
            out.push(b' ');
            string(out, value.as_bytes());
        });
    }
    end_line(out);
}

/// Prefixes of the user's own mailboxes, those of other users and shared ones, each with its
/// delimiter; NIL for none (RFC 2342 §5). `translated` gives what people are to be shown for a prefix,
/// if that is something else (RFC 5255 §3.4).
pub fn namespace(
    out: &mut Vec<u8>,
    own: &[(&str, Option<Delimiter>)],
    others: &[(&str, Option<Delimiter>)],
    shared: &[(&str, Option<Delimiter>)],
    dialect: Dialect,
    translated: impl Fn(&str) -> Option<String>,
) {
    out.extend_from_slice(b"* NAMESPACE");
    for prefixes in [own, others, shared] {
        out.push(b' ');
        push_prefixes(out, prefixes, dialect, &translated);
    }
    end_line(out);
}

fn push_prefixes(
    out: &mut Vec<u8>,
    prefixes: &[(&str, Option<Delimiter>)],
    dialect: Dialect,
    translated: impl Fn(&str) -> Option<String>,
) {
    if prefixes.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    out.push(b'(');
    for (prefix, delimiter) in prefixes {
        out.push(b'(');
        if prefix.is_empty() {
            out.extend_from_slice(b"\"\"");
        } else {
            mailbox(out, &MailboxName::from_stored(prefix), dialect);
        }
        out.push(b' ');
        push_delimiter(out, *delimiter);
        if let Some(translation) = translated(prefix) {
            out.extend_from_slice(b" \"TRANSLATION\" (");
            mailbox(out, &MailboxName::from_stored(&translation), dialect);
            out.push(b')');
        }
        out.push(b')');
    }
    out.push(b')');
}
