//! FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4, RFC 9394 §3.3).

use super::search::partial_range;
use crate::imap::command::{
    BinarySection, Bytes, Command, FetchItem, FetchModifier, Rfc822, Section, SectionText,
};
use crate::imap::lex::{Cursor, Parsed};

/// Different items in one FETCH: each may be a whole message, for every message. Clients ask for
/// about ten; one that fetches parts one by one, for some dozens.
const ITEMS: usize = 200;
/// Header fields in one section: each is looked up in every message. Clients ask for up to about
/// fifty.
const FIELDS: usize = 500;
/// Levels of a part's number. Deeper parts are never found.
const DEPTH: usize = 100;

/// ```abnf
/// fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att /
///         "(" fetch-att *(SP fetch-att) ")") [SP "(" fetch-modifier *(SP fetch-modifier) ")"]
/// ```
pub(super) fn fetch<'a>(cursor: &mut Cursor<'a>, uid: bool) -> Parsed<Command<'a>> {
    let set = cursor.sequence_set()?;
    cursor.space()?;
    let items = items(cursor)?;
    let modifiers = match cursor.more()? {
        true => modifiers(cursor, uid)?,
        false => Vec::new(),
    };
    Ok(Command::Fetch {
        uid,
        set,
        items,
        modifiers,
    })
}

fn modifiers(cursor: &mut Cursor<'_>, uid: bool) -> Parsed<Vec<FetchModifier>> {
    let mut partial = false;
    cursor.nonempty_list("Expected a list of modifiers", |cursor| {
        let at = cursor.position();
        let modifier = modifier(cursor)?;
        if matches!(modifier, FetchModifier::Partial(_)) {
            if !uid {
                return cursor.fail_at(at, "PARTIAL is for UID FETCH");
            }
            if std::mem::replace(&mut partial, true) {
                return cursor.fail_at(at, "Only one PARTIAL is allowed");
            }
        }
        Ok(modifier)
    })
}

fn modifier(cursor: &mut Cursor<'_>) -> Parsed<FetchModifier> {
    if cursor.word("PARTIAL") {
        cursor.space()?;
        return partial_range(cursor).map(FetchModifier::Partial);
    }
    if cursor.word("VANISHED") {
        return Ok(FetchModifier::Vanished);
    }
    if cursor.word("CHANGEDSINCE") {
        cursor.space()?;
        return cursor
            .number64("Expected a mod-sequence")
            .map(FetchModifier::ChangedSince);
    }
    cursor.fail("Unknown modifier")
}

fn items<'a>(cursor: &mut Cursor<'a>) -> Parsed<Vec<FetchItem<'a>>> {
    if cursor.peek() != Some(b'(') {
        return match macro_items(cursor) {
            Some(items) => Ok(items),
            None => Ok(vec![item(cursor)?]),
        };
    }
    attributes(cursor)
}

/// `"(" fetch-att *(SP fetch-att) ")"`
pub(super) fn attributes<'a>(cursor: &mut Cursor<'a>) -> Parsed<Vec<FetchItem<'a>>> {
    let mut items = Vec::new();
    cursor.nonempty_list("Expected one or more items", |cursor| {
        let item = item(cursor)?;
        if !items.contains(&item) {
            items.push(item);
        }
        if items.len() > ITEMS {
            return cursor.fail("Too many items");
        }
        Ok(())
    })?;
    Ok(items)
}

/// Macros stand alone, never in parentheses (RFC 3501 §6.4.5).
fn macro_items<'a>(cursor: &mut Cursor<'a>) -> Option<Vec<FetchItem<'a>>> {
    use FetchItem::{Body, Envelope, Flags, InternalDate, Size};
    let fast = || vec![Flags, InternalDate, Size];
    if cursor.word("FAST") {
        return Some(fast());
    }
    if cursor.word("ALL") {
        return Some([fast(), vec![Envelope]].concat());
    }
    if cursor.word("FULL") {
        return Some([fast(), vec![Envelope, Body]].concat());
    }
    None
}

/// `fetch-att`
fn item<'a>(cursor: &mut Cursor<'a>) -> Parsed<FetchItem<'a>> {
    let at = cursor.position();
    let name = cursor.name();
    let section = cursor.peek() == Some(b'[');
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    let item = match section {
        true if is("BODY") => return section_item(cursor, false),
        true if is("BODY.PEEK") => return section_item(cursor, true),
        true if is("BINARY") => return binary_item(cursor, false),
        true if is("BINARY.PEEK") => return binary_item(cursor, true),
        true if is("BINARY.SIZE") => return section_binary(cursor).map(FetchItem::BinarySize),
        true => return cursor.fail_at(at, "Unknown item"),
        false if is("UID") => FetchItem::Uid,
        false if is("FLAGS") => FetchItem::Flags,
        false if is("INTERNALDATE") => FetchItem::InternalDate,
        false if is("RFC822.SIZE") => FetchItem::Size,
        false if is("ENVELOPE") => FetchItem::Envelope,
        false if is("BODY") => FetchItem::Body,
        false if is("BODYSTRUCTURE") => FetchItem::BodyStructure,
        false if is("MODSEQ") => FetchItem::ModSeq,
        false if is("EMAILID") => FetchItem::EmailId,
        false if is("THREADID") => FetchItem::ThreadId,
        false if is("SAVEDATE") => FetchItem::SaveDate,
        false if is("PREVIEW") => FetchItem::Preview {
            lazy: lazy(cursor)?,
        },
        false if is("RFC822") => FetchItem::Rfc822(Rfc822::Whole),
        false if is("RFC822.HEADER") => FetchItem::Rfc822(Rfc822::Header),
        false if is("RFC822.TEXT") => FetchItem::Rfc822(Rfc822::Text),
        false => return cursor.fail_at(at, "Unknown item"),
    };
    Ok(item)
}

/// `[SP "(" preview-mod *(SP preview-mod) ")"]` with `preview-mod = "LAZY"` (RFC 8970 §6). Another
/// list after a lone item holds modifiers of FETCH.
fn lazy(cursor: &mut Cursor<'_>) -> Parsed<bool> {
    let mut ahead = cursor.clone();
    ahead.skip_spaces();
    if !ahead.eat(b'(') || !ahead.word("LAZY") {
        return Ok(false);
    }
    cursor.space()?;
    cursor.nonempty_list("Expected LAZY", |cursor| match cursor.word("LAZY") {
        true => Ok(()),
        false => cursor.fail("Expected LAZY"),
    })?;
    Ok(true)
}

/// `section ["<" number "." nz-number ">"]`
fn section_item<'a>(cursor: &mut Cursor<'a>, peek: bool) -> Parsed<FetchItem<'a>> {
    cursor.expect(b'[', "Expected [")?;
    let (path, text) = section_spec(cursor)?;
    cursor.expect(b']', "Expected ]")?;
    Ok(FetchItem::Section(Section {
        peek,
        path,
        text,
        partial: partial(cursor)?,
    }))
}

/// `section-binary [partial]` (RFC 3516 §7)
fn binary_item<'a>(cursor: &mut Cursor<'a>, peek: bool) -> Parsed<FetchItem<'a>> {
    Ok(FetchItem::Binary(BinarySection {
        peek,
        path: section_binary(cursor)?,
        partial: partial(cursor)?,
    }))
}

/// `section-binary = "[" [section-part] "]"`
fn section_binary(cursor: &mut Cursor<'_>) -> Parsed<Vec<u32>> {
    cursor.expect(b'[', "Expected [")?;
    let path = match cursor.peek() {
        Some(b']') => Vec::new(),
        _ => section_part(cursor)?,
    };
    cursor.expect(b']', "Expected ]")?;
    Ok(path)
}

/// `section-part = nz-number *("." nz-number)`
fn section_part(cursor: &mut Cursor<'_>) -> Parsed<Vec<u32>> {
    let mut path = Vec::new();
    loop {
        if path.len() == DEPTH {
            return cursor.fail("Part is too deep");
        }
        path.push(cursor.nz_number("Expected a part")?);
        if !cursor.eat(b'.') {
            return Ok(path);
        }
    }
}

/// `["<" number "." nz-number ">"]`
fn partial(cursor: &mut Cursor<'_>) -> Parsed<Option<(u32, u32)>> {
    if !cursor.eat(b'<') {
        return Ok(None);
    }
    let origin = cursor.number("Expected where the part starts")?;
    cursor.expect(b'.', "Expected .")?;
    let length = cursor.nz_number("Expected how many bytes")?;
    cursor.expect(b'>', "Expected >")?;
    Ok(Some((origin, length)))
}

/// `section-spec = section-msgtext / (section-part ["." section-text])`
pub(in crate::imap) fn section_spec<'a>(
    cursor: &mut Cursor<'a>,
) -> Parsed<(Vec<u32>, Option<SectionText<'a>>)> {
    let mut path = Vec::new();
    while cursor.peek().is_some_and(|b| b.is_ascii_digit()) {
        if path.len() == DEPTH {
            return cursor.fail("Part is too deep");
        }
        path.push(cursor.nz_number("Expected a part")?);
        if !cursor.eat(b'.') {
            return Ok((path, None));
        }
    }
    if path.is_empty() && cursor.peek() == Some(b']') {
        return Ok((path, None));
    }
    let text = section_text(cursor, !path.is_empty())?;
    Ok((path, Some(text)))
}

/// `section-text`. MIME needs a part (RFC 3501 §6.4.5).
fn section_text<'a>(cursor: &mut Cursor<'a>, of_part: bool) -> Parsed<SectionText<'a>> {
    let at = cursor.position();
    let name = cursor.name();
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    match () {
        () if is("HEADER") => Ok(SectionText::Header),
        () if is("HEADER.FIELDS") => fields(cursor).map(SectionText::HeaderFields),
        () if is("HEADER.FIELDS.NOT") => fields(cursor).map(SectionText::HeaderFieldsNot),
        () if is("TEXT") => Ok(SectionText::Text),
        () if is("MIME") && of_part => Ok(SectionText::Mime),
        () => cursor.fail_at(at, "Unknown section"),
    }
}

/// `SP header-list`; some clients leave the space out.
fn fields<'a>(cursor: &mut Cursor<'a>) -> Parsed<Vec<Bytes<'a>>> {
    cursor.skip_spaces();
    let start = cursor.position();
    let fields = cursor.nonempty_list("Expected a list of header fields", |cursor| {
        cursor.astring("Expected the name of a header field")
    })?;
    if fields.len() > FIELDS {
        return cursor.fail_at(start, "Too many header fields");
    }
    Ok(fields)
}
