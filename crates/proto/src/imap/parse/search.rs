//! SEARCH (RFC 3501 §6.4.4, RFC 4731, RFC 5032, RFC 5182, RFC 5267, RFC 7162, RFC 9394).

use std::borrow::Cow;

use pillarbox_model::{Bound, Flag, Flags, SequenceSet, limit};

use super::fetch::attributes;
use super::{Unparsable, notify};
use crate::imap::command::{
    Bytes, Command, FetchItem, PartialRange, Search, SearchKey, SearchReturn,
};
use crate::imap::date::date;
use crate::imap::frame::{Event, Frame, FrameLimits, Framer};
use crate::imap::lex::{Cursor, Parsed, is_atom_char};
use crate::imap::notify::MailboxFilter;

/// ```abnf
/// search = "SEARCH" [SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"]
///          [SP "CHARSET" SP charset] 1*(SP search-key)
/// ```
pub(super) fn search<'a>(cursor: &mut Cursor<'a>, uid: bool) -> Parsed<Command<'a>> {
    Ok(Command::Search {
        uid,
        search: program(cursor)?,
    })
}

/// `esearch = "ESEARCH" [SP esearch-source-opts] [SP search-return-opts] SP search-program` (RFC 7377
/// §4)
pub(super) fn esearch<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let mut sources = vec![MailboxFilter::Selected];
    if cursor.word("IN") {
        cursor.space()?;
        sources = notify::sources(cursor)?;
        cursor.space()?;
    }
    Ok(Command::Esearch {
        sources,
        search: program(cursor)?,
    })
}

/// `[search-return-opts SP] search-program`
fn program<'a>(cursor: &mut Cursor<'a>) -> Parsed<Search<'a>> {
    let (returns, fetch) = returns(cursor)?;
    let mut charset = None;
    if cursor.word("CHARSET") {
        cursor.space()?;
        charset = Some(cursor.astring("Expected a charset")?);
        cursor.space()?;
    }
    let key = keys(cursor)?;
    Ok(Search {
        returns,
        fetch,
        charset,
        key,
    })
}

/// `["RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" SP]` (RFC 4466 §2.6.1)
pub(super) fn returns<'a>(cursor: &mut Cursor<'a>) -> Parsed<Returns<'a>> {
    if !cursor.word("RETURN") {
        return Ok((None, Vec::new()));
    }
    cursor.space()?;
    let mut fetch = Vec::new();
    let returns = return_options(cursor, &mut fetch)?;
    cursor.space()?;
    Ok((Some(returns), fetch))
}

/// Return options, and what UPDATE names.
pub(super) type Returns<'a> = (Option<SearchReturn>, Vec<FetchItem<'a>>);

/// `RETURN ()` means ALL (RFC 4731 §3.1), and so does one that only says what to do with the result from then on:
/// whoever is told of changes has to know of what.
fn return_options<'a>(
    cursor: &mut Cursor<'a>,
    fetch: &mut Vec<FetchItem<'a>>,
) -> Parsed<SearchReturn> {
    let mut returns = SearchReturn::default();
    cursor.list("Expected return options", |cursor| {
        let at = cursor.position();
        let option = match () {
            () if cursor.word("MIN") => &mut returns.min,
            () if cursor.word("MAX") => &mut returns.max,
            () if cursor.word("ALL") => &mut returns.all,
            () if cursor.word("COUNT") => &mut returns.count,
            () if cursor.word("SAVE") => &mut returns.save,
            () if cursor.word("CONTEXT") => &mut returns.context,
            () if cursor.word("UPDATE") => {
                *fetch = update_items(cursor)?;
                &mut returns.update
            }
            () if cursor.word("PARTIAL") => {
                cursor.space()?;
                let earlier = returns.partial.replace(partial_range(cursor)?);
                return one_range(cursor, at, earlier.is_some() || returns.all);
            }
            () => return cursor.fail("Unknown return option"),
        };
        *option = true;
        one_range(cursor, at, returns.all && returns.partial.is_some())
    })?;
    returns.all |= !returns.wants_data() && !returns.save;
    Ok(returns)
}

/// `modifier-update = "UPDATE" ["(" fetch-att *(SP fetch-att) ")"]`, in RFC 5465 §7 also with a space between.
fn update_items<'a>(cursor: &mut Cursor<'a>) -> Parsed<Vec<FetchItem<'a>>> {
    let mut ahead = cursor.clone();
    ahead.skip_spaces();
    if ahead.peek() != Some(b'(') {
        return Ok(Vec::new());
    }
    cursor.skip_spaces();
    attributes(cursor)
}

/// One PARTIAL or one ALL, not both (RFC 9394 §3.1).
fn one_range(cursor: &Cursor<'_>, at: usize, another: bool) -> Parsed<()> {
    match another {
        true => cursor.fail_at(at, "Only one of PARTIAL and ALL is allowed, and once"),
        false => Ok(()),
    }
}

/// ```abnf
/// partial-range = nz-number ":" nz-number / MINUS nz-number ":" MINUS nz-number
/// ```
/// (RFC 9394 §4)
pub(super) fn partial_range(cursor: &mut Cursor<'_>) -> Parsed<PartialRange> {
    let from_end = cursor.eat(b'-');
    let from = cursor.nz_number("Expected a place in the result")?;
    cursor.expect(b':', "Expected :")?;
    if from_end {
        cursor.expect(b'-', "Expected -")?;
    }
    let to = cursor.nz_number("Expected a place in the result")?;
    Ok(PartialRange { from, to, from_end })
}

/// `uidbatches = "UIDBATCHES" SP nz-number [SP nz-number ":" nz-number]` (RFC 10022)
pub(super) fn uid_batches<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let size = cursor.nz_number("Expected the size of a batch")?;
    let mut range = None;
    if cursor.more()? {
        let from = cursor.nz_number("Expected the first batch")?;
        cursor.expect(b':', "Expected :")?;
        range = Some((from, cursor.nz_number("Expected the last batch")?));
    }
    Ok(Command::UidBatches { size, range })
}

/// What waits for the key that is read.
enum Pending<'a> {
    /// NOT.
    Not,
    /// OR, for its first key.
    First,
    /// OR, for its second key.
    Second(Alternatives<'a>),
    /// An open parenthesis, with the keys in it so far. The lowest one is the search itself.
    List(Vec<SearchKey<'a>>),
}

/// A key, or the keys of nested ORs side by side.
type Alternatives<'a> = Vec<SearchKey<'a>>;

/// `search-key *(SP search-key)`, to the end of the command.
///
/// With a stack of its own, since clients write chains of hundreds of ORs; these become a tree of
/// little depth, so that nobody has to recurse deeply over it.
pub(super) fn keys<'a>(cursor: &mut Cursor<'a>) -> Parsed<SearchKey<'a>> {
    let mut stack = vec![Pending::List(Vec::new())];
    for _ in 0..limit::SEARCH_KEYS {
        if let Some(opened) = open(cursor)? {
            let is_level =
                |pending: &&Pending<'_>| matches!(pending, Pending::Not | Pending::List(_));
            if stack.iter().filter(is_level).count() > limit::NESTING {
                return cursor.fail("Search keys are nested too deeply");
            }
            stack.push(opened);
            continue;
        }
        let key = leaf(cursor)?;
        if let Some(search) = complete(cursor, &mut stack, vec![key])? {
            return Ok(search);
        }
    }
    cursor.fail("Too many search keys")
}

/// Takes what goes before another key.
fn open<'a>(cursor: &mut Cursor<'a>) -> Parsed<Option<Pending<'a>>> {
    if cursor.eat(b'(') {
        cursor.skip_spaces();
        return Ok(Some(Pending::List(Vec::new())));
    }
    let pending = match () {
        () if cursor.word("NOT") => Pending::Not,
        () if cursor.word("OR") => Pending::First,
        () => return Ok(None),
    };
    cursor.space()?;
    Ok(Some(pending))
}

/// Gives a complete key to what waits for it, which may thereby be complete itself. Says the whole
/// search if that is what is complete.
fn complete<'a>(
    cursor: &mut Cursor<'a>,
    stack: &mut Vec<Pending<'a>>,
    mut done: Alternatives<'a>,
) -> Parsed<Option<SearchKey<'a>>> {
    loop {
        match stack.pop() {
            None => return Ok(Some(either(done))),
            Some(Pending::Not) => done = vec![not(either(done))],
            Some(Pending::First) => {
                cursor.space()?;
                stack.push(Pending::Second(done));
                return Ok(None);
            }
            Some(Pending::Second(mut first)) => {
                first.append(&mut done);
                done = first;
            }
            Some(Pending::List(mut keys)) => {
                keys.push(either(done));
                if !list_ends(cursor, stack.is_empty())? {
                    stack.push(Pending::List(keys));
                    return Ok(None);
                }
                done = vec![all(keys)];
            }
        }
    }
}

/// Whether a list of keys ends here: with the command if it is the lowest, else with a parenthesis.
fn list_ends(cursor: &mut Cursor<'_>, lowest: bool) -> Parsed<bool> {
    if lowest {
        return Ok(!cursor.more()?);
    }
    let spaced = cursor.peek() == Some(b' ');
    cursor.skip_spaces();
    if cursor.eat(b')') {
        return Ok(true);
    }
    if spaced {
        Ok(false)
    } else {
        cursor.fail("Expected a space or )")
    }
}

fn not(key: SearchKey<'_>) -> SearchKey<'_> {
    SearchKey::Not(Box::new(key))
}

fn all<'a>(mut keys: Vec<SearchKey<'a>>) -> SearchKey<'a> {
    match keys.len() {
        1 => keys.remove(0),
        _ => SearchKey::And(keys),
    }
}

/// Any of one or more keys, as a balanced tree: as deep as the logarithm of their number.
fn either<'a>(mut keys: Alternatives<'a>) -> SearchKey<'a> {
    if keys.len() == 1 {
        return keys.remove(0);
    }
    let second = keys.split_off(keys.len() / 2);
    SearchKey::Or(Box::new(either(keys)), Box::new(either(second)))
}

/// A `search-key` that has no other in it.
fn leaf<'a>(cursor: &mut Cursor<'a>) -> Parsed<SearchKey<'a>> {
    if matches!(cursor.peek(), Some(b'0'..=b'9' | b'*' | b'$')) {
        return cursor.sequence_set().map(SearchKey::Sequence);
    }
    let at = cursor.position();
    let name = cursor.name();
    if let Some(key) = flag_key(name) {
        return Ok(key);
    }
    match key_with_argument(name) {
        Some(argument) => {
            cursor.space()?;
            argument(cursor)
        }
        None => cursor.fail_at(at, "Unknown search key"),
    }
}

/// Keys without arguments.
fn flag_key<'a>(name: &str) -> Option<SearchKey<'a>> {
    let set = |flag| SearchKey::Flag(Flag::System(flag));
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    Some(match () {
        () if is("ALL") => SearchKey::All,
        () if is("ANSWERED") => set(Flags::ANSWERED),
        () if is("DELETED") => set(Flags::DELETED),
        () if is("DRAFT") => set(Flags::DRAFT),
        () if is("FLAGGED") => set(Flags::FLAGGED),
        () if is("SEEN") => set(Flags::SEEN),
        () if is("UNANSWERED") => not(set(Flags::ANSWERED)),
        () if is("UNDELETED") => not(set(Flags::DELETED)),
        () if is("UNDRAFT") => not(set(Flags::DRAFT)),
        () if is("UNFLAGGED") => not(set(Flags::FLAGGED)),
        () if is("UNSEEN") => not(set(Flags::SEEN)),
        // It is of every message (RFC 8514 §4.3).
        () if is("SAVEDATESUPPORTED") => SearchKey::All,
        () if is("RECENT") => SearchKey::Recent,
        () if is("OLD") => not(SearchKey::Recent),
        () if is("NEW") => SearchKey::And(vec![SearchKey::Recent, not(set(Flags::SEEN))]),
        () => return None,
    })
}

type Argument<'a> = fn(&mut Cursor<'a>) -> Parsed<SearchKey<'a>>;

/// How to read what follows a key.
fn key_with_argument<'a>(name: &str) -> Option<Argument<'a>> {
    let keys: &[(&str, Argument<'a>)] = &[
        ("BCC", |c| header(c, b"Bcc")),
        ("BEFORE", |c| date(c).map(SearchKey::Before)),
        ("BODY", |c| text(c).map(SearchKey::Body)),
        ("CC", |c| header(c, b"Cc")),
        ("EMAILID", |c| object_id(c).map(SearchKey::EmailId)),
        ("FROM", |c| header(c, b"From")),
        ("HEADER", any_header),
        ("KEYWORD", keyword),
        ("LARGER", |c| {
            c.number64("Expected a size").map(SearchKey::Larger)
        }),
        ("MODSEQ", modseq),
        ("OLDER", |c| seconds(c).map(SearchKey::Older)),
        ("ON", |c| date(c).map(SearchKey::On)),
        ("SAVEDBEFORE", |c| date(c).map(SearchKey::SavedBefore)),
        ("SAVEDON", |c| date(c).map(SearchKey::SavedOn)),
        ("SAVEDSINCE", |c| date(c).map(SearchKey::SavedSince)),
        ("SENTBEFORE", |c| date(c).map(SearchKey::SentBefore)),
        ("SENTON", |c| date(c).map(SearchKey::SentOn)),
        ("SENTSINCE", |c| date(c).map(SearchKey::SentSince)),
        ("SINCE", |c| date(c).map(SearchKey::Since)),
        ("SMALLER", |c| {
            c.number64("Expected a size").map(SearchKey::Smaller)
        }),
        ("SUBJECT", |c| header(c, b"Subject")),
        ("TEXT", |c| text(c).map(SearchKey::Text)),
        ("THREADID", |c| object_id(c).map(SearchKey::ThreadId)),
        ("TO", |c| header(c, b"To")),
        ("UID", uid),
        ("UIDAFTER", uid_after),
        ("UIDBEFORE", uid_before),
        ("UNKEYWORD", |c| keyword(c).map(not)),
        ("FILTER", |c| filter_name(c).map(SearchKey::Filter)),
        ("YOUNGER", |c| seconds(c).map(SearchKey::Younger)),
    ];
    let found = keys
        .iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known));
    found.map(|(_, argument)| *argument)
}

fn text<'a>(cursor: &mut Cursor<'a>) -> Parsed<Bytes<'a>> {
    cursor.astring("Expected a text to search for")
}

fn header<'a>(cursor: &mut Cursor<'a>, field: &'static [u8]) -> Parsed<SearchKey<'a>> {
    Ok(SearchKey::Header(Cow::Borrowed(field), text(cursor)?))
}

fn any_header<'a>(cursor: &mut Cursor<'a>) -> Parsed<SearchKey<'a>> {
    let field = cursor.astring("Expected the name of a header field")?;
    cursor.space()?;
    Ok(SearchKey::Header(field, text(cursor)?))
}

/// `filter-name = 1*<any ATOM-CHAR except "/">` (RFC 5466 §4)
fn filter_name<'a>(cursor: &mut Cursor<'a>) -> Parsed<&'a str> {
    cursor.text(
        |b| is_atom_char(b) && b != b'/',
        "Expected the name of a filter",
    )
}

/// What stands before the keys of a filter, so that they are read as those of a command are.
const BEFORE: &[u8] = b"x SEARCH ";

impl Frame {
    /// The value of a filter as a frame: `search-criteria`, without the end of a line, in UTF-8 (RFC 5466
    /// §2). `None` if it is none; [`Self::criteria`] says more.
    #[must_use]
    pub fn of_criteria(value: &[u8]) -> Option<Self> {
        std::str::from_utf8(value).ok()?;
        let line = [BEFORE, value, b"\r\n"].concat();
        let (mut framer, mut rest) = (Framer::new(FrameLimits::after_login()), &line[..]);
        loop {
            let (used, event) = framer.feed(rest);
            rest = &rest[used..];
            match event {
                Event::Command(frame) => return rest.is_empty().then_some(frame),
                // Its literals are all here.
                Event::Continue => {}
                _ => return None,
            }
        }
    }

    /// The keys of [`Self::of_criteria`].
    ///
    /// # Errors
    /// They are not complete, or no keys.
    pub fn criteria(&self) -> Result<SearchKey<'_>, Unparsable<'_>> {
        let mut cursor = Cursor::new(self, BEFORE.len());
        let read = keys(&mut cursor).and_then(|key| cursor.end().map(|()| key));
        read.map_err(|error| Unparsable::new(None, error))
    }
}

fn keyword<'a>(cursor: &mut Cursor<'a>) -> Parsed<SearchKey<'a>> {
    let name = cursor.atom("Expected a keyword")?;
    Ok(SearchKey::Flag(Flag::Keyword(name.into())))
}

/// `nz-number` (RFC 5032 §3).
fn seconds(cursor: &mut Cursor<'_>) -> Parsed<u32> {
    cursor.nz_number("Expected a number of seconds")
}

/// `objectid = 1*255(ALPHA / DIGIT / "_" / "-")` (RFC 8474 §7).
fn object_id<'a>(cursor: &mut Cursor<'a>) -> Parsed<&'a str> {
    let start = cursor.position();
    let kind = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let id = cursor.text(kind, "Expected an object id")?;
    match id.len() {
        0..=255 => Ok(id),
        _ => cursor.fail_at(start, "Object id is too long"),
    }
}

fn uid<'a>(cursor: &mut Cursor<'a>) -> Parsed<SearchKey<'a>> {
    let set: SequenceSet = cursor.sequence_set()?;
    Ok(SearchKey::Uid(set))
}

/// `"UIDAFTER" SP uniqueid` (RFC 9738 §3.2): not as `n:*`, which has the last message in it always.
fn uid_after<'a>(cursor: &mut Cursor<'a>) -> Parsed<SearchKey<'a>> {
    let uid = cursor.nz_number("Expected a UID")?;
    Ok(uids(uid.checked_add(1), Some(u32::MAX)))
}

/// `"UIDBEFORE" SP uniqueid` (RFC 9738 §3.2).
fn uid_before<'a>(cursor: &mut Cursor<'a>) -> Parsed<SearchKey<'a>> {
    let uid = cursor.nz_number("Expected a UID")?;
    Ok(uids(Some(1), Some(uid - 1).filter(|uid| *uid > 0)))
}

/// The messages of these UIDs; none if there is no such UID.
fn uids<'a>(from: Option<u32>, to: Option<u32>) -> SearchKey<'a> {
    let bounds = from.zip(to);
    let range = |(from, to)| (Bound::Number(from), Bound::Number(to));
    SearchKey::Uid(SequenceSet::Ranges(bounds.map(range).into_iter().collect()))
}

/// `search-modsequence = "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer` (RFC
/// 7162 §7). We have one mod-sequence for all of a message, so the entry makes no difference
/// (§3.1.5).
fn modseq<'a>(cursor: &mut Cursor<'a>) -> Parsed<SearchKey<'a>> {
    if cursor.string()?.is_some() {
        cursor.space()?;
        if !(cursor.word("priv") || cursor.word("shared") || cursor.word("all")) {
            return cursor.fail("Expected priv, shared or all");
        }
        cursor.space()?;
    }
    cursor
        .number64("Expected a mod-sequence")
        .map(SearchKey::ModSeq)
}
