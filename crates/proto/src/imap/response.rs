//! Status responses with their codes, and mailbox data (RFC 3501 §7).

use pillarbox_model::{Delimiter, MailboxName, NumberSet};

use super::command::StatusItem;
use super::encode::{
    Dialect, mailbox, nstring, push_in_code, push_number, push_set, push_spaced, push_text, string,
};
use super::lex::{is_atom_char, is_tag_char};

/// How a command ended, or how things are (RFC 3501 §7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// OK.
    Ok,
    /// NO: it failed.
    No,
    /// BAD: it was not understood, or not allowed now.
    Bad,
}

/// A response code, for clients to act upon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the RFCs' own words")]
pub enum Code<'a> {
    // RFC 3501 §7.1.
    Alert,
    /// The charsets that SEARCH knows.
    BadCharset(&'a [&'a str]),
    /// The list of [`super::capability::capabilities`].
    Capability(&'a str),
    Parse,
    ReadOnly,
    ReadWrite,
    TryCreate,
    UidNext(u32),
    UidValidity(u32),
    /// The number of the first message without `\Seen`.
    Unseen(u32),
    // RFC 4315 §3. Nothing is sent if the sets are empty.
    AppendUid {
        uid_validity: u32,
        uids: &'a NumberSet,
    },
    /// As many in `from` as in `to`; the nth of one became the nth of the other.
    CopyUid {
        uid_validity: u32,
        from: &'a NumberSet,
        to: &'a NumberSet,
    },
    UidNotSticky,
    // RFC 5530 §3.
    AlreadyExists,
    AuthenticationFailed,
    AuthorizationFailed,
    Cannot,
    ClientBug,
    ContactAdmin,
    Corruption,
    Expired,
    ExpungeIssued,
    InUse,
    Limit,
    NonExistent,
    NoPerm,
    OverQuota,
    PrivacyRequired,
    ServerBug,
    Unavailable,
    /// RFC 4469 §4, RFC 7889 §4.
    TooBig,
    /// RFC 5182 §2.1.
    NotSaved,
    /// RFC 6154 §3.
    UseAttr,
    // RFC 7162 §3. Nothing is sent if the set is empty.
    Closed,
    HighestModSeq(u64),
    Modified(&'a NumberSet),
    NoModSeq,
    /// RFC 8474 §4.1.
    MailboxId(&'a str),
    /// RFC 9051 §7.1.
    HasChildren,
}

impl Code<'_> {
    /// The code's word.
    const fn name(&self) -> &'static str {
        match self {
            Self::Alert => "ALERT",
            Self::BadCharset(_) => "BADCHARSET",
            Self::Capability(_) => "CAPABILITY",
            Self::Parse => "PARSE",
            Self::ReadOnly => "READ-ONLY",
            Self::ReadWrite => "READ-WRITE",
            Self::TryCreate => "TRYCREATE",
            Self::UidNext(_) => "UIDNEXT",
            Self::UidValidity(_) => "UIDVALIDITY",
            Self::Unseen(_) => "UNSEEN",
            Self::AppendUid { .. } => "APPENDUID",
            Self::CopyUid { .. } => "COPYUID",
            Self::UidNotSticky => "UIDNOTSTICKY",
            Self::AlreadyExists => "ALREADYEXISTS",
            Self::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Self::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Self::Cannot => "CANNOT",
            Self::ClientBug => "CLIENTBUG",
            Self::ContactAdmin => "CONTACTADMIN",
            Self::Corruption => "CORRUPTION",
            Self::Expired => "EXPIRED",
            Self::ExpungeIssued => "EXPUNGEISSUED",
            Self::InUse => "INUSE",
            Self::Limit => "LIMIT",
            Self::NonExistent => "NONEXISTENT",
            Self::NoPerm => "NOPERM",
            Self::OverQuota => "OVERQUOTA",
            Self::PrivacyRequired => "PRIVACYREQUIRED",
            Self::ServerBug => "SERVERBUG",
            Self::Unavailable => "UNAVAILABLE",
            Self::TooBig => "TOOBIG",
            Self::NotSaved => "NOTSAVED",
            Self::UseAttr => "USEATTR",
            Self::Closed => "CLOSED",
            Self::HighestModSeq(_) => "HIGHESTMODSEQ",
            Self::Modified(_) => "MODIFIED",
            Self::NoModSeq => "NOMODSEQ",
            Self::MailboxId(_) => "MAILBOXID",
            Self::HasChildren => "HASCHILDREN",
        }
    }

    /// Whether it says nothing, and would not be well-formed.
    fn is_void(&self) -> bool {
        match self {
            Self::AppendUid { uids: set, .. } | Self::Modified(set) => set.is_empty(),
            Self::CopyUid { from, to, .. } => from.is_empty() || to.is_empty(),
            _ => false,
        }
    }

    fn push(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        out.extend_from_slice(self.name().as_bytes());
        self.push_arguments(out);
        out.extend_from_slice(b"] ");
    }

    fn push_arguments(&self, out: &mut Vec<u8>) {
        match *self {
            Self::UidNext(number) | Self::UidValidity(number) | Self::Unseen(number) => {
                spaced_number(out, number.into());
            }
            Self::HighestModSeq(number) => spaced_number(out, number),
            Self::AppendUid { uid_validity, uids } => {
                spaced_number(out, uid_validity.into());
                spaced_set(out, uids);
            }
            Self::CopyUid {
                uid_validity,
                from,
                to,
            } => {
                spaced_number(out, uid_validity.into());
                spaced_set(out, from);
                spaced_set(out, to);
            }
            Self::Modified(set) => spaced_set(out, set),
            Self::Capability(list) => {
                out.push(b' ');
                push_in_code(out, list);
            }
            Self::MailboxId(id) => parenthesised(out, [id], push_in_code),
            Self::BadCharset(known) if !known.is_empty() => {
                parenthesised(out, known, |out, name| {
                    string(
                        out,
                        name.replace(|c: char| !c.is_ascii_graphic(), "?")
                            .as_bytes(),
                    );
                })
            }
            _ => {}
        }
    }
}

fn spaced_number(out: &mut Vec<u8>, number: u64) {
    out.push(b' ');
    push_number(out, number);
}

fn spaced_set(out: &mut Vec<u8>, set: &NumberSet) {
    out.push(b' ');
    push_set(out, set);
}

fn parenthesised<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    push: impl FnMut(&mut Vec<u8>, T),
) {
    out.extend_from_slice(b" (");
    push_spaced(out, items, push);
    out.push(b')');
}

fn end_line(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// Appends `resp-text` and the line's end.
fn push_resp_text(out: &mut Vec<u8>, code: Option<&Code<'_>>, text: &str) {
    match code.filter(|code| !code.is_void()) {
        Some(code) => code.push(out),
        // Text that begins like a code must not become one.
        None if text.starts_with('[') => out.extend_from_slice(b"- "),
        None => {}
    }
    push_text(out, text);
    end_line(out);
}

const fn word(status: Status) -> &'static [u8] {
    match status {
        Status::Ok => b"OK ",
        Status::No => b"NO ",
        Status::Bad => b"BAD ",
    }
}

/// How the command with this tag ended.
pub fn tagged(out: &mut Vec<u8>, tag: &str, status: Status, code: Option<&Code<'_>>, text: &str) {
    out.extend(tag.bytes().map(|b| if is_tag_char(b) { b } else { b'?' }));
    out.push(b' ');
    out.extend_from_slice(word(status));
    push_resp_text(out, code, text);
}

/// How things are.
pub fn untagged(out: &mut Vec<u8>, status: Status, code: Option<&Code<'_>>, text: &str) {
    out.extend_from_slice(b"* ");
    out.extend_from_slice(word(status));
    push_resp_text(out, code, text);
}

/// The connection is about to be closed.
pub fn bye(out: &mut Vec<u8>, code: Option<&Code<'_>>, text: &str) {
    out.extend_from_slice(b"* BYE ");
    push_resp_text(out, code, text);
}

/// Go on.
pub fn continuation(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"+ ");
    push_resp_text(out, None, text);
}

/// A mailbox, in answer to `command`: LIST or LSUB. `child_info` says that a subscribed mailbox lies below, which
/// is why this one is told (RFC 5258 §3.5).
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

/// Appends a flag, an attribute or a name of ours: an atom with or without a backslash. What isn't becomes
/// one.
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

/// The untagged SEARCH of the base protocol, with the highest mod-sequence if MODSEQ was asked for
/// (RFC 7162 §3.1.5).
pub fn search(out: &mut Vec<u8>, found: impl Iterator<Item = u32>, modseq: Option<u64>) {
    out.extend_from_slice(b"* SEARCH");
    let start = out.len();
    for number in found {
        spaced_number(out, number.into());
    }
    if let Some(modseq) = modseq.filter(|_| out.len() > start) {
        out.extend_from_slice(b" (MODSEQ ");
        push_number(out, modseq);
        out.push(b')');
    }
    end_line(out);
}

/// What ESEARCH says: what was asked for and is there (RFC 4731 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Esearch<'a> {
    /// MIN.
    pub min: Option<u32>,
    /// MAX.
    pub max: Option<u32>,
    /// COUNT.
    pub count: Option<u64>,
    /// ALL, left out if it is empty.
    pub all: Option<&'a NumberSet>,
    /// MODSEQ (RFC 7162 §3.1.10).
    pub modseq: Option<u64>,
}

/// The answer to SEARCH with RETURN.
pub fn esearch(out: &mut Vec<u8>, tag: &str, uid: bool, result: &Esearch<'_>) {
    out.extend_from_slice(b"* ESEARCH (TAG ");
    let tag = tag.replace(|c: char| !c.is_ascii_graphic(), "?");
    string(out, tag.as_bytes());
    out.push(b')');
    if uid {
        out.extend_from_slice(b" UID");
    }
    let mut number = |name: &[u8], value: Option<u64>| {
        if let Some(value) = value {
            out.extend_from_slice(name);
            push_number(out, value);
        }
    };
    number(b" MIN ", result.min.map(u64::from));
    number(b" MAX ", result.max.map(u64::from));
    number(b" COUNT ", result.count);
    number(b" MODSEQ ", result.modseq);
    if let Some(all) = result.all.filter(|all| !all.is_empty()) {
        out.extend_from_slice(b" ALL ");
        push_set(out, all);
    }
    end_line(out);
}

/// The list of [`super::capability::capabilities`].
pub fn capability(out: &mut Vec<u8>, list: &str) {
    out.extend_from_slice(b"* CAPABILITY ");
    push_text(out, list);
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

/// Prefixes of the user's own mailboxes, those of other users and shared ones, each with its delimiter; NIL
/// for none (RFC 2342 §5).
pub fn namespace(
    out: &mut Vec<u8>,
    own: &[(&str, Option<Delimiter>)],
    others: &[(&str, Option<Delimiter>)],
    shared: &[(&str, Option<Delimiter>)],
    dialect: Dialect,
) {
    out.extend_from_slice(b"* NAMESPACE");
    for prefixes in [own, others, shared] {
        out.push(b' ');
        push_prefixes(out, prefixes, dialect);
    }
    end_line(out);
}

fn push_prefixes(out: &mut Vec<u8>, prefixes: &[(&str, Option<Delimiter>)], dialect: Dialect) {
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
        out.push(b')');
    }
    out.push(b')');
}
