//! From frames to commands.

mod fetch;
mod list;
mod search;

use std::borrow::Cow;

use pillarbox_model::{Flag, InternalDate, SequenceSet, SpecialUse, limit};

use super::command::{
    AppendData, AppendMessage, Bytes, Command, SelectParameter, StatusItem, StoreAction, Tagged,
};
use super::date::date_time;
use super::frame::Frame;
use super::lex::{self, Cursor, Datum, Parsed, Syntax};
use crate::sasl;

/// Field-value pairs in one ID (RFC 2971 §3.3: "MUST NOT send more than 30").
const ID_PAIRS: usize = 30;

/// A command that is none of ours: why, and whom to tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unparsable<'a> {
    /// The command's tag; without one the answer is untagged.
    pub tag: Option<&'a str>,
    /// For BAD's text: what was expected or wrong, and at which byte. Has nothing of the client's in it.
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
}

impl Frame {
    /// Understands the command. Linear in its bytes; texts borrow from the frame.
    ///
    /// # Errors
    /// [`Unparsable`] says what to answer. Nothing else is wrong with the stream.
    pub fn parse(&self) -> Result<Tagged<'_>, Unparsable<'_>> {
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

    /// Understands an APPEND up to the message that is offered, which is the end of this frame.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn append_prefix(&self) -> Result<AppendPrefix<'_>, Unparsable<'_>> {
        let tagged = self.parse()?;
        if let Command::Append {
            mailbox,
            mut messages,
        } = tagged.command
            && let Some(last) = messages.pop()
        {
            return Ok(AppendPrefix {
                mailbox,
                flags: last.flags,
                date: last.date,
                before: messages.len(),
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
        b"CAPABILITY" => Command::Capability,
        b"NOOP" => Command::Noop,
        b"LOGOUT" => Command::Logout,
        b"STARTTLS" => Command::StartTls,
        b"NAMESPACE" => Command::Namespace,
        b"IDLE" => Command::Idle,
        b"CHECK" => Command::Check,
        b"CLOSE" => Command::Close,
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
    let commands: [(&[u8], Arguments<'a>); 20] = [
        (b"APPEND", append),
        (b"AUTHENTICATE", authenticate),
        (b"COPY", |c| copy(c, false, false)),
        (b"CREATE", create),
        (b"DELETE", |c| mailbox(c).map(Command::Delete)),
        (b"ENABLE", enable),
        (b"EXAMINE", |c| select(c, true)),
        (b"FETCH", |c| fetch::fetch(c, false)),
        (b"ID", id),
        (b"LIST", list::list),
        (b"LOGIN", login),
        (b"LSUB", list::lsub),
        (b"MOVE", |c| copy(c, false, true)),
        (b"RENAME", rename),
        (b"SEARCH", |c| search::search(c, false)),
        (b"SELECT", |c| select(c, false)),
        (b"STATUS", status),
        (b"STORE", |c| store(c, false)),
        (b"SUBSCRIBE", |c| mailbox(c).map(Command::Subscribe)),
        (b"UNSUBSCRIBE", |c| mailbox(c).map(Command::Unsubscribe)),
    ];
    run(&commands, name, cursor)
}

/// What follows `UID` (RFC 3501 §6.4.8).
fn uid_command<'a>(cursor: &mut Cursor<'a>) -> Parsed<Option<Command<'a>>> {
    cursor.space()?;
    let name = cursor.atom("Expected a command after UID")?;
    let mut buffer = [0; NAME_BYTES];
    let commands: [(&[u8], Arguments<'a>); 6] = [
        (b"COPY", |c| copy(c, true, false)),
        (b"EXPUNGE", |c| {
            c.sequence_set().map(Some).map(Command::Expunge)
        }),
        (b"FETCH", |c| fetch::fetch(c, true)),
        (b"MOVE", |c| copy(c, true, true)),
        (b"SEARCH", |c| search::search(c, true)),
        (b"STORE", |c| store(c, true)),
    ];
    run(&commands, capitals(name, &mut buffer), cursor)
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

fn mailbox<'a>(cursor: &mut Cursor<'a>) -> Parsed<Bytes<'a>> {
    cursor.astring("Expected a mailbox name")
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

/// `select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"]` (RFC 4466 §6)
fn select<'a>(cursor: &mut Cursor<'a>, read_only: bool) -> Parsed<Command<'a>> {
    let mailbox = mailbox(cursor)?;
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

/// `create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]` (RFC 6154 §6)
fn create<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let mailbox = mailbox(cursor)?;
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

fn rename<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let from = mailbox(cursor)?;
    cursor.space()?;
    let to = mailbox(cursor)?;
    Ok(Command::Rename { from, to })
}

/// `status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"`
fn status<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let mailbox = mailbox(cursor)?;
    cursor.space()?;
    let items = status_items(cursor)?;
    Ok(Command::Status { mailbox, items })
}

fn status_items(cursor: &mut Cursor<'_>) -> Parsed<Vec<StatusItem>> {
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

/// `append = "APPEND" SP mailbox 1*append-message` (RFC 3502 §6.3.11)
fn append<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let mailbox = mailbox(cursor)?;
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

/// `append-message = [flag-list SP] [date-time SP] literal`. The RFC's grammar ends here; a quoted string in
/// place of the literal can only be a very small message, and is taken.
fn append_message<'a>(cursor: &mut Cursor<'a>) -> Parsed<AppendMessage<'a>> {
    let mut flags = Vec::new();
    if cursor.peek() == Some(b'(') {
        flags = cursor.list("", flag)?.into_iter().flatten().collect();
        cursor.space()?;
    }
    let date = optional_date(cursor)?;
    let data = match cursor.datum()? {
        Some(Datum::Streamed { size, binary }) => AppendData::Streamed { size, binary },
        Some(Datum::Held(bytes)) => AppendData::Inline(bytes),
        None => return cursor.fail("Expected flags, a date or a literal"),
    };
    Ok(AppendMessage { flags, date, data })
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
fn flag_name<'a>(cursor: &mut Cursor<'a>) -> Parsed<&'a str> {
    let start = cursor.clone();
    cursor.eat(b'\\');
    cursor.atom("Expected a flag")?;
    start.text_up_to(cursor)
}

/// `store = "STORE" SP sequence-set [SP "(" store-modifier ")"] SP store-att-flags` (RFC 7162 §7)
fn store<'a>(cursor: &mut Cursor<'a>, uid: bool) -> Parsed<Command<'a>> {
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

fn copy<'a>(cursor: &mut Cursor<'a>, uid: bool, remove: bool) -> Parsed<Command<'a>> {
    let set = cursor.sequence_set()?;
    cursor.space()?;
    let mailbox = mailbox(cursor)?;
    Ok(Command::Copy {
        uid,
        remove,
        set,
        mailbox,
    })
}
