//! From frames to commands.

mod acl;
mod fetch;
mod list;
mod mailbox;
mod message;
mod metadata;
mod notify;
mod quota;
mod search;
mod sort;

use std::borrow::Cow;

use pillarbox_model::{Bound, Flag, InternalDate};

use super::command::{AppendData, Bytes, Command, Tagged};
use super::frame::Frame;
use super::lex::{self, Cursor, Parsed, Syntax};
use crate::sasl;

pub(super) use fetch::section_spec;

/// Field-value pairs in one ID (RFC 2971 §3.3: "MUST NOT send more than 30").
const ID_PAIRS: usize = 30;
/// Languages or comparators in one command: nobody reads more, and browsers list about ten.
const WISHES: usize = 50;

/// A command that is none of ours: why, and whom to tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unparsable<'a> {
    /// The command's tag; without one the answer is untagged.
    pub tag: Option<&'a str>,
    /// For BAD's text: what was expected or wrong, and at which byte. Has nothing of the client's
    /// in it.
    pub message: Cow<'static, str>,
    /// The name after the tag is no command's.
    pub unknown_command: bool,
}

/// What an APPEND said before the message that is offered.
#[derive(Clone, PartialEq, Debug)]
pub struct AppendPrefix<'a> {
    /// Where to.
    pub mailbox: Bytes<'a>,
    /// Flags that can be stored.
    pub flags: Vec<Flag>,
    /// The date it is to have; now if absent.
    pub date: Option<InternalDate>,
    /// How many messages of the same command came before.
    pub before: usize,
    /// The data of those, and at last of the one that is offered, as far as it was said.
    pub data: Vec<AppendData<'a>>,
    /// Of REPLACE: which message is to go, and whether it is named by its UID.
    pub replaces: Option<(bool, Bound)>,
}

impl Frame {
    /// Understands the command. Linear in its bytes; texts borrow from the frame.
    ///
    /// # Errors
    /// [`Unparsable`] says what to answer. Nothing else is wrong with the stream.
    pub fn parse(&self) -> Result<Tagged<'_>, Unparsable<'_>> {
        let tagged = self.parse_so_far()?;
        if tagged.command.is_cut_short() {
            let error = Syntax {
                problem: "Expected )",
                at: self.bytes.len(),
            };
            return Err(Unparsable::new(Some(tagged.tag), error));
        }
        Ok(tagged)
    }

    /// As [`Self::parse`]; where a text of CATENATE is offered, its list has no end yet.
    fn parse_so_far(&self) -> Result<Tagged<'_>, Unparsable<'_>> {
        let mut cursor = Cursor::new(self, 0);
        let no_tag = |problem| Unparsable::new(None, Syntax { problem, at: 0 });
        let tag = cursor
            .text(lex::is_tag_char, "Expected a tag")
            .map_err(|error| no_tag(error.problem))?;
        if !matches!(cursor.peek(), None | Some(b' ')) {
            return Err(no_tag("Expected a tag"));
        }
        let unparsable = |error| Unparsable::new(Some(tag), error);
        cursor
            .expect(b' ', "Expected a command after the tag")
            .map_err(unparsable)?;
        let name = cursor
            .atom("Expected a command after the tag")
            .map_err(unparsable)?;
        match command(name, &mut cursor) {
            Ok(Some(command)) => Ok(Tagged { tag, command }),
            Ok(None) => Err(Unparsable {
                tag: Some(tag),
                message: Cow::Borrowed("Unknown command"),
                unknown_command: true,
            }),
            Err(error) => Err(unparsable(error)),
        }
    }

    /// Understands an APPEND or a REPLACE up to the message that is offered, which is the end of this frame.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn append_prefix(&self) -> Result<AppendPrefix<'_>, Unparsable<'_>> {
        let tagged = self.parse_so_far()?;
        let (mailbox, mut messages, replaces) = match tagged.command {
            Command::Append { mailbox, messages } => (mailbox, messages, None),
            Command::Replace {
                uid,
                number,
                mailbox,
                message,
            } => (mailbox, vec![message], Some((uid, number))),
            _ => (Bytes::default(), Vec::new(), None),
        };
        if let Some(last) = messages.pop() {
            let before = messages.len();
            let mut data: Vec<_> = messages.into_iter().map(|message| message.data).collect();
            data.push(last.data);
            return Ok(AppendPrefix {
                mailbox,
                flags: last.flags,
                date: last.date,
                before,
                data,
                replaces,
            });
        }
        let error = Syntax {
            problem: "Expected APPEND",
            at: 0,
        };
        Err(Unparsable::new(Some(tagged.tag), error))
    }
}

impl<'a> Unparsable<'a> {
    fn new(tag: Option<&'a str>, error: Syntax) -> Self {
        Self {
            tag,
            message: Cow::Owned(format!("{} at byte {}", error.problem, error.at)),
            unknown_command: false,
        }
    }
}

/// Longer than any command's name.
const NAME_BYTES: usize = 16;

/// The name in capitals, in `buffer`; empty if no command's name is that long.
fn capitals<'b>(name: &str, buffer: &'b mut [u8; NAME_BYTES]) -> &'b [u8] {
    let Some(copy) = buffer.get_mut(..name.len()) else {
        return &[];
    };
    copy.copy_from_slice(name.as_bytes());
    copy.make_ascii_uppercase();
    copy
}

/// What follows a command's name; `None` if the name is unknown.
fn command<'a>(name: &str, cursor: &mut Cursor<'a>) -> Parsed<Option<Command<'a>>> {
    let mut buffer = [0; NAME_BYTES];
    let command = match capitals(name, &mut buffer) {
        b"UID" => return uid_command(cursor),
        b"COMPARATOR" => return wishes(cursor).map(Command::Comparator).map(Some),
        b"LANGUAGE" => return wishes(cursor).map(Command::Language).map(Some),
        b"CAPABILITY" => Command::Capability,
        b"NOOP" => Command::Noop,
        b"LOGOUT" => Command::Logout,
        b"STARTTLS" => Command::StartTls,
        b"NAMESPACE" => Command::Namespace,
        b"IDLE" => Command::Idle,
        b"CHECK" => Command::Check,
        b"CLOSE" => Command::Close,
        b"UNAUTHENTICATE" => Command::Unauthenticate,
        b"UNSELECT" => Command::Unselect,
        b"EXPUNGE" => Command::Expunge(None),
        known => return with_arguments(known, cursor),
    };
    cursor.end()?;
    Ok(Some(command))
}

/// Reads what follows a name.
type Arguments<'a> = fn(&mut Cursor<'a>) -> Parsed<Command<'a>>;

fn with_arguments<'a>(name: &[u8], cursor: &mut Cursor<'a>) -> Parsed<Option<Command<'a>>> {
    let commands: &[(&[u8], Arguments<'a>)] = &[
        (b"APPEND", message::append),
        (b"AUTHENTICATE", authenticate),
        (b"CANCELUPDATE", sort::cancel_update),
        (b"COMPRESS", |c| {
            c.atom("Expected a mechanism").map(Command::Compress)
        }),
        (b"COPY", |c| message::copy(c, false, false)),
        (b"CREATE", mailbox::create),
        (b"DELETE", |c| mailbox_name(c).map(Command::Delete)),
        (b"DELETEACL", acl::delete),
        (b"ENABLE", enable),
        (b"ESEARCH", search::esearch),
        (b"EXAMINE", |c| mailbox::select(c, true)),
        (b"FETCH", |c| fetch::fetch(c, false)),
        (b"GETMETADATA", metadata::get),
        (b"GETQUOTA", quota::get_quota),
        (b"GETQUOTAROOT", quota::get_quota_root),
        (b"GETACL", |c| mailbox_name(c).map(Command::GetAcl)),
        (b"ID", id),
        (b"LIST", list::list),
        (b"LISTRIGHTS", acl::list),
        (b"LOGIN", login),
        (b"LSUB", list::lsub),
        (b"MOVE", |c| message::copy(c, false, true)),
        (b"NOTIFY", notify::notify),
        (b"MYRIGHTS", |c| mailbox_name(c).map(Command::MyRights)),
        (b"RENAME", mailbox::rename),
        (b"REPLACE", |c| message::replace(c, false)),
        (b"SEARCH", |c| search::search(c, false)),
        (b"SELECT", |c| mailbox::select(c, false)),
        (b"SETMETADATA", metadata::set),
        (b"SETQUOTA", quota::set_quota),
        (b"SORT", |c| sort::sort(c, false)),
        (b"SETACL", acl::set),
        (b"STATUS", mailbox::status),
        (b"STORE", |c| message::store(c, false)),
        (b"SUBSCRIBE", |c| mailbox_name(c).map(Command::Subscribe)),
        (b"THREAD", |c| sort::thread(c, false)),
        (b"UIDBATCHES", search::uid_batches),
        (b"UNSUBSCRIBE", |c| {
            mailbox_name(c).map(Command::Unsubscribe)
        }),
        (b"XLIST", list::xlist),
    ];
    run(commands, name, cursor)
}

/// What follows `UID` (RFC 3501 §6.4.8).
fn uid_command<'a>(cursor: &mut Cursor<'a>) -> Parsed<Option<Command<'a>>> {
    cursor.space()?;
    let name = cursor.atom("Expected a command after UID")?;
    let mut buffer = [0; NAME_BYTES];
    let commands: &[(&[u8], Arguments<'a>)] = &[
        (b"COPY", |c| message::copy(c, true, false)),
        (b"EXPUNGE", |c| {
            c.sequence_set().map(Some).map(Command::Expunge)
        }),
        (b"FETCH", |c| fetch::fetch(c, true)),
        (b"MOVE", |c| message::copy(c, true, true)),
        (b"REPLACE", |c| message::replace(c, true)),
        (b"SEARCH", |c| search::search(c, true)),
        (b"SORT", |c| sort::sort(c, true)),
        (b"STORE", |c| message::store(c, true)),
        (b"THREAD", |c| sort::thread(c, true)),
    ];
    run(commands, capitals(name, &mut buffer), cursor)
}

/// Reads the arguments of the command of that name, if it is one of these.
fn run<'a>(
    commands: &[(&[u8], Arguments<'a>)],
    name: &[u8],
    cursor: &mut Cursor<'a>,
) -> Parsed<Option<Command<'a>>> {
    let Some((_, arguments)) = commands.iter().find(|(known, _)| *known == name) else {
        return Ok(None);
    };
    cursor.space()?;
    let command = arguments(cursor)?;
    cursor.end()?;
    Ok(Some(command))
}

fn mailbox_name<'a>(cursor: &mut Cursor<'a>) -> Parsed<Bytes<'a>> {
    cursor.astring("Expected a mailbox name")
}

/// `*(SP astring)` to the end of the command (RFC 5255 §3.5, §4.10).
fn wishes<'a>(cursor: &mut Cursor<'a>) -> Parsed<Vec<Bytes<'a>>> {
    let mut wishes = Vec::new();
    while cursor.more()? {
        if wishes.len() == WISHES {
            return cursor.fail("Too many arguments");
        }
        wishes.push(cursor.astring("Expected a name")?);
    }
    Ok(wishes)
}

/// `id = "ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil)` (RFC 2971 §4)
fn id<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    if cursor.word("NIL") {
        return Ok(Command::Id(Vec::new()));
    }
    let start = cursor.position();
    let pairs = cursor.list("Expected NIL or a list of fields and values", |cursor| {
        let field = cursor.astring("Expected the name of a field")?;
        cursor.space()?;
        Ok((field, nstring(cursor)?))
    })?;
    if pairs.len() > ID_PAIRS {
        return cursor.fail_at(start, "Too many fields");
    }
    Ok(Command::Id(pairs))
}

/// `nstring`. Values that some clients write as atoms are taken as well.
fn nstring<'a>(cursor: &mut Cursor<'a>) -> Parsed<Option<Bytes<'a>>> {
    if cursor.word("NIL") {
        return Ok(None);
    }
    cursor.astring("Expected a string or NIL").map(Some)
}

/// `authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")]` (RFC 4959 §7)
fn authenticate<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let mechanism = cursor.atom("Expected a mechanism")?;
    if !cursor.more()? {
        return Ok(Command::Authenticate {
            mechanism,
            initial: None,
        });
    }
    let at = cursor.position();
    let text = cursor.text(|b| b.is_ascii_graphic(), "Expected an initial response")?;
    let decoded = if text == "=" {
        Some(Vec::new())
    } else {
        sasl::from_base64(text.as_bytes())
    };
    match decoded {
        Some(initial) => Ok(Command::Authenticate {
            mechanism,
            initial: Some(initial),
        }),
        None => cursor.fail_at(at, "Initial response is not base64"),
    }
}

/// `login = "LOGIN" SP userid SP password`
fn login<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let user = cursor.astring("Expected a user name")?;
    cursor.space()?;
    let password = cursor.astring("Expected a password")?;
    Ok(Command::Login { user, password })
}

/// `enable = "ENABLE" 1*(SP capability)` (RFC 5161 §4)
fn enable<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let mut names = Vec::new();
    loop {
        names.push(cursor.atom("Expected a capability")?);
        if !cursor.more()? {
            return Ok(Command::Enable(names));
        }
    }
}
