//! FETCH and UID FETCH (RFC 3501 §6.4.5): from rows and digests, never by parsing.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use pillarbox_message::{DigestRef, SectionText as Text, digest, header_fields};
use pillarbox_model::{Flag, Flags, ModSeq, NumberSet, Rights, SequenceSet};
use pillarbox_proto::imap::command::{FetchItem, FetchModifier, Rfc822, Section, SectionText};
use pillarbox_proto::imap::encode::{self, Dialect, Fetch};
use pillarbox_store::{self as store, Content, FlagAction, Row, Rows};

use super::binary::{self, Decoded};
use super::session::{Completed, Halt, Outcome};
use super::{Refusal, Selected, Session};
use crate::log::Text as Logged;

/// Messages answered from rows alone at one go: the mailbox is locked that long, some microseconds.
const ROWS_AT_ONCE: usize = 1_024;
/// Messages whose stored parts are asked for in one query: bounds what is held for a slow client.
const CONTENTS_AT_ONCE: usize = 128;

/// What stands for NUL in what is sent: no character of ASCII, and never alone in UTF-8.
const NUL_STAND_IN: u8 = 0x80;

/// What a FETCH needs, found once for all messages.
struct Plan<'a> {
    items: Vec<FetchItem<'a>>,
    /// What the answer calls each item; empty where the item has a fixed name.
    labels: Vec<Vec<u8>>,
    digest: bool,
    bytes: bool,
    marks_seen: bool,
}

impl<'a> Plan<'a> {
    fn new(uid: bool, asked: &[FetchItem<'a>]) -> Self {
        let mut items = asked.to_vec();
        if uid && !items.contains(&FetchItem::Uid) {
            items.insert(0, FetchItem::Uid);
        }
        Self {
            labels: items.iter().map(label).collect(),
            digest: items.iter().any(needs_digest),
            bytes: items.iter().any(needs_bytes),
            marks_seen: items.iter().any(marks_seen),
            items,
        }
    }

    /// Adds what a change of flags makes the answer say too.
    fn tell_flags(&mut self, dialect: Dialect) {
        for item in told_flags(dialect) {
            if !self.items.contains(item) {
                self.items.push(item.clone());
                self.labels.push(Vec::new());
            }
        }
    }
}

fn label(item: &FetchItem<'_>) -> Vec<u8> {
    let mut label = Vec::new();
    match item {
        FetchItem::Rfc822(Rfc822::Whole) => label.extend(b"RFC822"),
        FetchItem::Rfc822(Rfc822::Header) => label.extend(b"RFC822.HEADER"),
        FetchItem::Rfc822(Rfc822::Text) => label.extend(b"RFC822.TEXT"),
        FetchItem::Section(section) => encode::section_label(&mut label, section),
        FetchItem::Binary(section) => encode::binary_label(&mut label, section),
        FetchItem::BinarySize(path) => encode::binary_size_label(&mut label, path),
        _ => {}
    }
    label
}

fn needs_digest(item: &FetchItem<'_>) -> bool {
    use FetchItem::{Body, BodyStructure, Envelope};
    matches!(item, Envelope | Body | BodyStructure) || needs_bytes(item)
}

fn needs_bytes(item: &FetchItem<'_>) -> bool {
    use FetchItem::{Binary, BinarySize, Rfc822, Section};
    matches!(item, Rfc822(_) | Section(_) | Binary(_) | BinarySize(_))
}

/// RFC 3501 §6.4.5: all but PEEK and RFC822.HEADER set `\Seen`.
fn marks_seen(item: &FetchItem<'_>) -> bool {
    match item {
        FetchItem::Rfc822(which) => *which != Rfc822::Header,
        FetchItem::Section(section) => !section.peek,
        FetchItem::Binary(section) => !section.peek,
        _ => false,
    }
}

/// What is told of a message whose flags changed. Who knows mod-sequences is told the UID as well, whether they
/// named the message by it or not (RFC 7162 §3.2.4); but not as an item where the answer begins with it (RFC
/// 9586 §3.3).
pub(super) const fn told_flags(dialect: Dialect) -> &'static [FetchItem<'static>] {
    match (dialect.condstore, dialect.uid_only) {
        (true, false) => &[FetchItem::Uid, FetchItem::Flags, FetchItem::ModSeq],
        (true, true) => &[FetchItem::Flags, FetchItem::ModSeq],
        (false, _) => &[FetchItem::Flags],
    }
}

/// FETCH.
pub(super) async fn fetch(
    session: &mut Session,
    uid: bool,
    set: &SequenceSet,
    mut items: Vec<FetchItem<'_>>,
    modifiers: &[FetchModifier],
) -> Outcome {
    let mut uids = session.resolve(uid, set)?;
    if let Some(since) = changed_since(modifiers) {
        if modifiers.contains(&FetchModifier::Vanished) {
            let named = session.selected()?.ever_named(set);
            session.tell_earlier(&named, since).await?;
        }
        uids = session.selected()?.changed_among(&uids, since);
        // RFC 7162 §3.1.4.1: it is asked for by implication.
        if !items.contains(&FetchItem::ModSeq) {
            items.push(FetchItem::ModSeq);
        }
    }
    // Where the answer begins with the UID, it is no item unless asked for (RFC 9586 §3.3).
    let mut plan = Plan::new(uid && !session.dialect.uid_only, &items);
    let silent = if plan.marks_seen {
        mark_seen(session, &uids).await?
    } else {
        None
    };
    if silent.is_some() {
        plan.tell_flags(session.dialect);
    }
    if plan.digest {
        let failed = fetch_contents(session, &uids, &plan).await?;
        failed.map_or(Ok(()), Err)?;
    } else {
        fetch_rows(session, &uids, &plan).await?;
    }
    Ok(Completed {
        silent,
        ..Completed::default()
    })
}

fn changed_since(modifiers: &[FetchModifier]) -> Option<ModSeq> {
    modifiers.iter().find_map(|modifier| match modifier {
        FetchModifier::ChangedSince(modseq) => Some(ModSeq(*modseq)),
        FetchModifier::Vanished => None,
    })
}

/// Sets `\Seen` where it is missing, in one change, and says which change that was.
///
/// A store that can't write now still reads: its messages are given, unmarked.
async fn mark_seen(session: &mut Session, uids: &NumberSet) -> Result<Option<ModSeq>, Halt> {
    let store = session.endpoint.storage.store.clone();
    let selected = session.selected()?;
    // RFC 4314 §4: not without the right to.
    if selected.admit(Rights::SEEN).is_err() {
        return Ok(None);
    }
    let mailbox = selected.member.mailbox().clone();
    let unseen: NumberSet = {
        let rows = mailbox.read();
        let named = uids
            .ranges()
            .iter()
            .flat_map(|&(from, to)| rows.range(from, to));
        named
            .filter(|row| !row.flags.contains(Flags::SEEN))
            .map(|row| row.uid.0)
            .collect()
    };
    if unseen.is_empty() {
        return Ok(None);
    }
    let seen = [Flag::System(Flags::SEEN)];
    let done = store
        .set_flags(mailbox.id(), &unseen, FlagAction::Add, &seen, None)
        .await;
    match done {
        Ok(done) => Ok((!done.changed.is_empty()).then_some(done.modseq)),
        Err(error @ (store::Error::Full(_) | store::Error::Unavailable(_))) => {
            let log = &session.endpoint.log;
            log.error("\\Seen can't be set", &[("reason", &Logged(error))]);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Answers from rows alone.
async fn fetch_rows(session: &mut Session, uids: &NumberSet, plan: &Plan<'_>) -> Result<(), Halt> {
    let mut next = uids.first();
    while let Some(from) = next {
        let selected = session
            .selected
            .as_mut()
            .ok_or(Refusal::State("Nothing is selected"))?;
        let mailbox = selected.member.mailbox().clone();
        next = {
            let rows = mailbox.read();
            let (some, next) = selected.rows_from(&rows, uids, from, ROWS_AT_ONCE);
            for (seq, row) in &some {
                let mut fetch = Fetch::begin(&mut session.wire.out, *seq, session.dialect);
                plan.items
                    .iter()
                    .for_each(|item| write_row(&mut fetch, item, row, &rows));
                fetch.end();
            }
            next
        };
        session.wire.flush_if_full().await?;
    }
    Ok(())
}

/// An item that the row has. Others are passed over.
fn write_row(fetch: &mut Fetch<'_>, item: &FetchItem<'_>, row: &Row, rows: &Rows<'_>) {
    match item {
        FetchItem::Uid => fetch.uid(row.uid.0),
        FetchItem::Flags => fetch.flags(rows.keywords().names_of(row.flags)),
        FetchItem::InternalDate => fetch.internal_date(row.date),
        FetchItem::Size => fetch.size(row.size.into()),
        FetchItem::ModSeq => fetch.modseq(row.modseq.0),
        _ => {}
    }
}

/// Why nothing is said of a message.
enum Untold {
    /// Its bytes can't be had.
    Unreadable(store::Error),
    /// A part of it can't be decoded (RFC 3516 §4.3).
    Undecodable,
}

/// Answers with what is stored of each message; says why that was not possible of all of them.
async fn fetch_contents(
    session: &mut Session,
    uids: &NumberSet,
    plan: &Plan<'_>,
) -> Result<Option<Refusal>, Halt> {
    let store = session.endpoint.storage.store.clone();
    let mut failed = None;
    let mut next = uids.first();
    while let Some(from) = next {
        let selected = session.selected()?;
        let mailbox = selected.member.mailbox().clone();
        let (some, after) = selected.rows_from(&mailbox.read(), uids, from, CONTENTS_AT_ONCE);
        next = after;
        let rows: Vec<Row> = some.iter().map(|(_, row)| *row).collect();
        let contents = store.contents(&rows, true).await?;
        let mut made = Vec::new();
        for ((seq, row), content) in some.iter().zip(&contents) {
            match fetch_one(session, plan, *seq, row, content).await? {
                Ok(digest) => made.extend(digest.map(|digest| (row.blob, digest))),
                Err(Untold::Undecodable) => failed = Some(Refusal::UnknownEncoding),
                Err(Untold::Unreadable(error)) => {
                    session.endpoint.log.error(
                        "message can't be read",
                        &[
                            ("mailbox", &Logged(mailbox.id())),
                            ("reason", &Logged(error)),
                            ("uid", &Logged(row.uid)),
                        ],
                    );
                    failed = Some(store::Error::Corrupt("unreadable".into()).into());
                }
            }
        }
        session.wire.flush_if_full().await?;
        session.endpoint.keep_digests(made).await;
    }
    Ok(failed)
}

/// Answers for one message, and returns its digest if that had to be made. With the inner error nothing
/// was written.
async fn fetch_one(
    session: &mut Session,
    plan: &Plan<'_>,
    seq: u32,
    row: &Row,
    content: &Content,
) -> Result<Result<Option<Bytes>, Untold>, Halt> {
    let known = DigestRef::new(&content.digest);
    let bytes = if plan.bytes || known.is_none() {
        match session.endpoint.storage.store.read(&content.location).await {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Err(Untold::Unreadable(error))),
        }
    } else {
        Bytes::new()
    };
    // A digest of another version, or a damaged one, is made anew from the message.
    let made = known
        .is_none()
        .then(|| Bytes::from(digest(&bytes).encode()));
    let Some(parts) = known.or_else(|| DigestRef::new(made.as_ref()?)) else {
        let error = store::Error::Corrupt("no digest".into());
        return Ok(Err(Untold::Unreadable(error)));
    };
    let mut items = plan.items.iter();
    if items.any(|item| binary::is_undecodable(item, &parts)) {
        return Ok(Err(Untold::Undecodable));
    }
    write_message(session, plan, seq, row, &parts, &bytes).await?;
    Ok(Ok(made))
}

async fn write_message(
    session: &mut Session,
    plan: &Plan<'_>,
    seq: u32,
    row: &Row,
    parts: &DigestRef<'_>,
    bytes: &Bytes,
) -> Result<(), Halt> {
    let mailbox = session.selected()?.member.mailbox().clone();
    let mut fetch = Fetch::begin(&mut session.wire.out, seq, session.dialect);
    for (item, label) in plan.items.iter().zip(&plan.labels) {
        let found = match item {
            FetchItem::Envelope => {
                fetch.raw("ENVELOPE", parts.envelope());
                continue;
            }
            FetchItem::Body => {
                fetch.raw("BODY", parts.body());
                continue;
            }
            FetchItem::BodyStructure => {
                fetch.raw("BODYSTRUCTURE", parts.bodystructure());
                continue;
            }
            FetchItem::Binary(section) => {
                match Decoded::of_section(section, parts, bytes).await {
                    None => fetch.nil(label),
                    Some(decoded) => {
                        fetch.literal_or_literal8(label, decoded.len(), decoded.has_nul());
                        decoded.send(&mut session.wire).await?;
                        fetch = Fetch::resume(&mut session.wire.out);
                    }
                }
                continue;
            }
            FetchItem::BinarySize(path) => {
                fetch.numbered(label, Decoded::size(path, parts, bytes).await);
                continue;
            }
            FetchItem::Rfc822(which) => old_section(*which, parts, bytes),
            FetchItem::Section(section) => new_section(section, parts, bytes),
            row_item => {
                let rows = mailbox.read();
                // Flags as they are now: this command may have set \Seen.
                let now = rows.get(row.uid).unwrap_or(*row);
                write_row(&mut fetch, row_item, &now, &rows);
                continue;
            }
        };
        match found {
            None => fetch.nil(label),
            Some(found) => {
                let found = sendable(found);
                fetch.literal_header(label, found.len() as u64);
                session.wire.send(found).await?;
                fetch = Fetch::resume(&mut session.wire.out);
            }
        }
    }
    fetch.end();
    Ok(())
}

/// Message bytes as a literal may have them: without NUL (RFC 3501 §9, `CHAR8`), which mail from files or
/// of careless programs has now and then. Another octet that is no text stands for it, so that sizes hold.
fn sendable(bytes: Bytes) -> Bytes {
    if memchr::memchr(0, &bytes).is_none() {
        return bytes;
    }
    bytes
        .iter()
        .map(|&byte| if byte == 0 { NUL_STAND_IN } else { byte })
        .collect()
}

fn old_section(which: Rfc822, parts: &DigestRef<'_>, bytes: &Bytes) -> Option<Bytes> {
    let text = match which {
        Rfc822::Whole => return Some(bytes.clone()),
        Rfc822::Header => Text::Header,
        Rfc822::Text => Text::Text,
    };
    let range = parts.parts().locate(&[], Some(&text))?;
    cut(bytes, range)
}

/// The bytes of a section; `None` if the message has no such part.
fn new_section(section: &Section<'_>, parts: &DigestRef<'_>, bytes: &Bytes) -> Option<Bytes> {
    let whole = match &section.text {
        None if section.path.is_empty() => bytes.clone(),
        None => cut(bytes, parts.parts().locate(&section.path, None)?)?,
        Some(SectionText::Header) => part(section, parts, bytes, &Text::Header)?,
        Some(SectionText::Text) => part(section, parts, bytes, &Text::Text)?,
        Some(SectionText::Mime) => part(section, parts, bytes, &Text::Mime)?,
        Some(SectionText::HeaderFields(names)) => fields(section, parts, bytes, names, true)?,
        Some(SectionText::HeaderFieldsNot(names)) => fields(section, parts, bytes, names, false)?,
    };
    Some(match section.partial {
        None => whole,
        Some((origin, length)) => {
            // A start past the end gives an empty string (RFC 3501 §6.4.5).
            let from = (origin as usize).min(whole.len());
            let to = from.saturating_add(length as usize).min(whole.len());
            whole.slice(from..to)
        }
    })
}

fn part(
    section: &Section<'_>,
    parts: &DigestRef<'_>,
    bytes: &Bytes,
    text: &Text<'_>,
) -> Option<Bytes> {
    cut(bytes, parts.parts().locate(&section.path, Some(text))?)
}

fn fields(
    section: &Section<'_>,
    parts: &DigestRef<'_>,
    bytes: &Bytes,
    names: &[Cow<'_, [u8]>],
    keep_listed: bool,
) -> Option<Bytes> {
    let header = part(section, parts, bytes, &Text::Header)?;
    let names: Vec<&[u8]> = names.iter().map(|name| &**name).collect();
    Some(header_fields(&header, &names, keep_listed).into())
}

/// A range of the message; `None` if it lies outside, which only a damaged digest could say.
pub(super) fn cut(bytes: &Bytes, range: Range<u32>) -> Option<Bytes> {
    let range = range.start as usize..range.end as usize;
    bytes
        .get(range.clone())
        .is_some()
        .then(|| bytes.slice(range))
}

impl Selected {
    /// Up to `most` messages of `uids` from `from` on, with their numbers, and where to go on.
    ///
    /// Messages that were expunged but not yet told of are among them (RFC 2180 §4.1).
    pub(super) fn rows_from(
        &self,
        rows: &Rows<'_>,
        uids: &NumberSet,
        from: u32,
        most: usize,
    ) -> (Vec<(u32, Row)>, Option<u32>) {
        let mut found = Vec::with_capacity(most.min(uids.len() as usize));
        let first = uids.ranges().partition_point(|&(_, to)| to < from);
        for &(start, end) in &uids.ranges()[first..] {
            let start = start.max(from);
            // Without numbers nobody can tell, and none is asked, which UIDs once were.
            if rows.expunged_modseq() <= self.told_expunges || !self.view.has_numbers() {
                for row in rows.range(start, end) {
                    if found.len() == most {
                        return (found, Some(row.uid.0));
                    }
                    found.extend(self.view.seq(row.uid.0).map(|seq| (seq, row)));
                }
                continue;
            }
            for uid in start..=end {
                if found.len() == most {
                    return (found, Some(uid));
                }
                let row = rows.get_known(pillarbox_model::Uid(uid));
                found.extend(row.and_then(|row| Some((self.view.seq(uid)?, row))));
            }
        }
        (found, None)
    }
}

/// Tells items of messages that their rows have, unasked.
pub(super) async fn tell_items(
    session: &mut Session,
    uids: &NumberSet,
    items: &[FetchItem<'_>],
) -> Result<(), Halt> {
    fetch_rows(session, uids, &Plan::new(false, items)).await
}
