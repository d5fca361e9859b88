//! Status responses and their codes (RFC 3501 §7.1).

use std::borrow::Cow;

use pillarbox_model::NumberSet;

use super::encode::{
    end_line, parenthesised, push_in_code, push_tag, push_text, spaced_number, spaced_set, string,
};
use super::lex::is_tag_char;
use super::notify::{Event, Events};

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

/// How far a command is (RFC 9585 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    done: Option<u64>,
    goal: Option<u64>,
}

impl Progress {
    /// So much of so much. Where all is done, or more than was meant to be, nothing is said of it: the goal is
    /// always still to be reached.
    #[must_use]
    pub const fn of(done: u64, goal: u64) -> Self {
        if done >= goal {
            return Self {
                done: None,
                goal: None,
            };
        }
        Self {
            done: Some(done),
            goal: Some(goal),
        }
    }
}

/// Text for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wording<'a> {
    /// For whoever did not ask for a language: what is not ASCII becomes `?` (RFC 3501 §9, `text`).
    Ascii(&'a str),
    /// For whoever did (RFC 5255 §3.5).
    Utf8(&'a str),
}

impl<'a> Wording<'a> {
    const fn text(self) -> &'a str {
        match self {
            Self::Ascii(text) | Self::Utf8(text) => text,
        }
    }
}

impl<'a> From<&'a str> for Wording<'a> {
    fn from(text: &'a str) -> Self {
        Self::Ascii(text)
    }
}

impl<'a> From<&'a String> for Wording<'a> {
    fn from(text: &'a String) -> Self {
        Self::Ascii(text)
    }
}

impl<'a> From<&'a Cow<'_, str>> for Wording<'a> {
    fn from(text: &'a Cow<'_, str>) -> Self {
        Self::Ascii(text)
    }
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
    /// RFC 5255 §4.9.
    BadComparator,
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
    /// RFC 4469 §4.1: the first URL that led nowhere. What can't stand in a code is percent-encoded.
    BadUrl(&'a [u8]),
    /// RFC 5182 §2.1.
    NotSaved,
    /// RFC 5267 §4.3.1: the tag of a search whose result is not followed.
    NoUpdate(&'a str),
    /// RFC 9585 §4: the tag of the command in progress, where it can be told, and how far it is.
    InProgress(Option<&'a str>, Progress),
    /// RFC 6154 §3.
    UseAttr,
    /// RFC 3516 §4.3.
    UnknownCte,
    /// RFC 4978 §3.
    CompressionActive,
    // RFC 7162 §3. Nothing is sent if the set is empty.
    Closed,
    HighestModSeq(u64),
    Modified(&'a NumberSet),
    NoModSeq,
    // RFC 5464 §4.2.1, §4.3.
    /// The size of the largest value that was left out.
    MetadataLongEntries(u64),
    /// The largest value that may be set.
    MetadataMaxSize(u64),
    MetadataTooMany,
    // RFC 5465 §8.
    /// The events that can be asked for.
    BadEvent(Events),
    NotificationOverflow,
    /// RFC 5466 §3.1, with the filter's name.
    UndefinedFilter(&'a str),
    /// RFC 8474 §4.1.
    MailboxId(&'a str),
    /// RFC 9051 §7.1.
    HasChildren,
    /// RFC 9586 §3.
    UidRequired,
    /// RFC 9738 §3.1: how many messages a command may touch, and the lowest UID of those that it
    /// did, if it did some.
    MessageLimit {
        limit: u32,
        lowest: Option<u32>,
    },
    // RFC 10022 §3.1.
    TooFew,
    TooMany,
}

impl Code<'_> {
    /// The code's word.
    const fn name(&self) -> &'static str {
        match self {
            Self::Alert => "ALERT",
            Self::BadCharset(_) => "BADCHARSET",
            Self::BadComparator => "BADCOMPARATOR",
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
            Self::BadUrl(_) => "BADURL",
            Self::NotSaved => "NOTSAVED",
            Self::NoUpdate(_) => "NOUPDATE",
            Self::InProgress(..) => "INPROGRESS",
            Self::UseAttr => "USEATTR",
            Self::UnknownCte => "UNKNOWN-CTE",
            Self::CompressionActive => "COMPRESSIONACTIVE",
            Self::Closed => "CLOSED",
            Self::HighestModSeq(_) => "HIGHESTMODSEQ",
            Self::Modified(_) => "MODIFIED",
            Self::NoModSeq => "NOMODSEQ",
            Self::MetadataLongEntries(_) => "METADATA LONGENTRIES",
            Self::MetadataMaxSize(_) => "METADATA MAXSIZE",
            Self::MetadataTooMany => "METADATA TOOMANY",
            Self::BadEvent(_) => "BADEVENT",
            Self::NotificationOverflow => "NOTIFICATIONOVERFLOW",
            Self::UndefinedFilter(_) => "UNDEFINED-FILTER",
            Self::MailboxId(_) => "MAILBOXID",
            Self::HasChildren => "HASCHILDREN",
            Self::UidRequired => "UIDREQUIRED",
            Self::MessageLimit { .. } => "MESSAGELIMIT",
            Self::TooFew => "TOOFEW",
            Self::TooMany => "TOOMANY",
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
            Self::HighestModSeq(number)
            | Self::MetadataLongEntries(number)
            | Self::MetadataMaxSize(number) => spaced_number(out, number),
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
            Self::MessageLimit { limit, lowest } => {
                spaced_number(out, limit.into());
                lowest
                    .iter()
                    .for_each(|uid| spaced_number(out, (*uid).into()));
            }
            Self::Modified(set) => spaced_set(out, set),
            Self::NoUpdate(tag) => {
                out.push(b' ');
                push_tag(out, tag);
            }
            Self::BadUrl(url) => push_url(out, url),
            Self::InProgress(tag, progress) => push_progress(out, tag, progress),
            Self::UndefinedFilter(name) => {
                out.push(b' ');
                push_in_code(out, name);
            }
            Self::Capability(list) => {
                out.push(b' ');
                push_in_code(out, list);
            }
            Self::BadEvent(known) => {
                parenthesised(out, known.iter().map(Event::name), push_in_code);
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

/// A URL in quotation marks, of characters that need no backslash and end no code (RFC 4469 §5).
fn push_url(out: &mut Vec<u8>, url: &[u8]) {
    out.extend_from_slice(b" \"");
    for &byte in url {
        match byte {
            b'"' | b'\\' | b']' => out.extend(format!("%{byte:02X}").bytes()),
            _ if byte.is_ascii_graphic() => out.push(byte),
            _ => out.extend(format!("%{byte:02X}").bytes()),
        }
    }
    out.push(b'"');
}

/// `inprogress-tag SP inprogress-state` in parentheses (RFC 9585 §6).
fn push_progress(out: &mut Vec<u8>, tag: Option<&str>, progress: Progress) {
    out.extend_from_slice(b" (");
    match tag {
        Some(tag) => push_tag(out, tag),
        None => out.extend_from_slice(b"NIL"),
    }
    for number in [progress.done, progress.goal] {
        match number {
            Some(number) => spaced_number(out, number),
            None => out.extend_from_slice(b" NIL"),
        }
    }
    out.push(b')');
}

/// Appends `resp-text` and the line's end.
fn push_resp_text(out: &mut Vec<u8>, code: Option<&Code<'_>>, text: Wording<'_>) {
    match code.filter(|code| !code.is_void()) {
        Some(code) => code.push(out),
        // Text that begins like a code must not become one.
        None if text.text().starts_with('[') => out.extend_from_slice(b"- "),
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

/// How the command with this tag ended. With `*` for a tag, which no client can use, it is
/// untagged: the answer to a command that had none.
pub fn tagged<'w>(
    out: &mut Vec<u8>,
    tag: &str,
    status: Status,
    code: Option<&Code<'_>>,
    text: impl Into<Wording<'w>>,
) {
    if tag == "*" {
        return untagged(out, status, code, text);
    }
    out.extend(tag.bytes().map(|b| if is_tag_char(b) { b } else { b'?' }));
    out.push(b' ');
    out.extend_from_slice(word(status));
    push_resp_text(out, code, text.into());
}

/// How things are.
pub fn untagged<'w>(
    out: &mut Vec<u8>,
    status: Status,
    code: Option<&Code<'_>>,
    text: impl Into<Wording<'w>>,
) {
    out.extend_from_slice(b"* ");
    out.extend_from_slice(word(status));
    push_resp_text(out, code, text.into());
}

/// The connection is about to be closed.
pub fn bye<'w>(out: &mut Vec<u8>, code: Option<&Code<'_>>, text: impl Into<Wording<'w>>) {
    out.extend_from_slice(b"* BYE ");
    push_resp_text(out, code, text.into());
}

/// Go on.
pub fn continuation<'w>(out: &mut Vec<u8>, text: impl Into<Wording<'w>>) {
    out.extend_from_slice(b"+ ");
    push_resp_text(out, None, text.into());
}
