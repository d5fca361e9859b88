//! FETCH and UID FETCH (RFC 3501 §6.4.5): from rows and digests, never by parsing.

use std::collections::HashMap;

use bytes::Bytes;
use pillarbox_message::{DigestRef, digest};
use pillarbox_model::{Flag, Flags, ModSeq, NumberSet, Rights, SequenceSet, Uid};
use pillarbox_proto::imap::command::{FetchItem, FetchModifier, Rfc822};
use pillarbox_proto::imap::encode::{self, Dialect, Fetch};
use pillarbox_store::{self as store, Content, Facts, FlagAction, Row, Rows};

use super::binary::{self, Decoded};
use super::facts;
use super::outcome::{Completed, Halt, Outcome};
use super::section::{new_section, old_section, sendable};
use super::{Refusal, Selected, Session};
use crate::log::Text as Logged;

/// Messages answered from rows alone at one go: the mailbox is locked that long, some microseconds.
const ROWS_AT_ONCE: usize = 1_024;
/// Messages whose stored parts are asked for in one query: bounds what is held for a slow client.
const CONTENTS_AT_ONCE: usize = 128;

/// What a FETCH needs, found once for all messages.
struct Plan<'a> {
    items: Vec<FetchItem<'a>>,
    /// What the answer calls each item; empty where the item has a fixed name.
    labels: Vec<Vec<u8>>,
    /// What is stored of each is looked at.
    digest: bool,
    /// And has to be made, if it isn't there.
    digest_now: bool,
    bytes: bool,
    facts: bool,
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
            digest: items.iter().any(|item| needs_digest(item) || is_lazy(item)),
            digest_now: items.iter().any(needs_digest),
            facts: items.iter().any(facts::is_fact),
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
    use FetchItem::{Body, BodyStructure, Envelope, Preview};
    let made_ready = matches!(
        item,
        Envelope | Body | BodyStructure | Preview { lazy: false }
    );
    made_ready || needs_bytes(item)
}

/// RFC 8970 §4.1: only what can be had without delay.
const fn is_lazy(item: &FetchItem<'_>) -> bool {
    matches!(item, FetchItem::Preview { lazy: true })
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
    // Of what would be told without it (RFC 9394 §3.3, §3.4).
    if let Some(range) = modifiers.iter().find_map(FetchModifier::partial) {
        let there = session.selected()?.there(&uids);
        uids = there.slice(range.within(there.len() as usize));
    }
    let uids = session.curb(uids)?;
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
    let failed = if plan.digest {
        fetch_contents(session, &uids, &plan).await?
    } else {
        fetch_rows(session, &uids, &plan).await?
    };
    failed.map_or(Ok(()), Err)?;
    Ok(Completed {
        silent,
        ..Completed::default()
    })
}

fn changed_since(modifiers: &[FetchModifier]) -> Option<ModSeq> {
    modifiers.iter().find_map(|modifier| match modifier {
        FetchModifier::ChangedSince(modseq) => Some(ModSeq(*modseq)),
        FetchModifier::Vanished | FetchModifier::Partial(_) => None,
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

/// Answers from rows and from what is known beside them; says why that was not possible of all.
async fn fetch_rows(
    session: &mut Session,
    uids: &NumberSet,
    plan: &Plan<'_>,
) -> Result<Option<Refusal>, Halt> {
    let mut failed = None;
    let mut next = uids.first();
    while let Some(from) = next {
        let selected = session.selected()?;
        let mailbox = selected.member.mailbox().clone();
        let (some, after) = selected.rows_from(&mailbox.read(), uids, from, ROWS_AT_ONCE);
        next = after;
        let (some, known) = plan.with_facts(session, some, &mut failed).await?;
        let dialect = session.dialect;
        {
            let rows = mailbox.read();
            for (seq, row) in &some {
                let fetch = Fetch::begin(&mut session.wire.out, *seq, dialect);
                plan.write_row(fetch, row, &rows, known.get(&row.uid));
            }
        }
        session.wire.flush_if_full().await?;
    }
    Ok(failed)
}

/// What is known of messages beside their rows.
type Known = HashMap<Uid, Facts>;

impl Plan<'_> {
    /// What is known of these messages beside their rows, if that is asked for. Those of which it is
    /// not known any more, since they were expunged, are left out (RFC 5530 §3, EXPUNGEISSUED).
    async fn with_facts(
        &self,
        session: &mut Session,
        mut some: Vec<(u32, Row)>,
        failed: &mut Option<Refusal>,
    ) -> Result<(Vec<(u32, Row)>, Known), Halt> {
        if !self.facts {
            return Ok((some, Known::new()));
        }
        let rows: Vec<Row> = some.iter().map(|(_, row)| *row).collect();
        let store = session.endpoint.storage.store.clone();
        let mailbox = session.selected()?.member.mailbox().id();
        let known = facts::of(&*store, mailbox, &rows).await?;
        some.retain(|(_, row)| known.contains_key(&row.uid));
        if some.len() < rows.len() {
            *failed = Some(Refusal::ExpungeIssued);
        }
        Ok((some, known))
    }

    fn write_row(&self, mut fetch: Fetch<'_>, row: &Row, rows: &Rows<'_>, facts: Option<&Facts>) {
        for item in &self.items {
            write_row(&mut fetch, item, row, rows, facts);
        }
        fetch.end();
    }
}

/// An item that the row or what is known beside it has. Others are passed over.
fn write_row(
    fetch: &mut Fetch<'_>,
    item: &FetchItem<'_>,
    row: &Row,
    rows: &Rows<'_>,
    facts: Option<&Facts>,
) {
    match item {
        FetchItem::Uid => fetch.uid(row.uid.0),
        FetchItem::Flags => fetch.flags(rows.keywords().names_of(row.flags)),
        FetchItem::InternalDate => fetch.internal_date(row.date),
        FetchItem::Size => fetch.size(row.size.into()),
        FetchItem::ModSeq => fetch.modseq(row.modseq.0),
        fact => facts
            .into_iter()
            .for_each(|facts| facts::write(fetch, fact, facts)),
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
        let (some, known) = plan.with_facts(session, some, &mut failed).await?;
        let rows: Vec<Row> = some.iter().map(|(_, row)| *row).collect();
        let contents = store.contents(&rows, true).await?;
        let mut made = Vec::new();
        for ((seq, row), content) in some.iter().zip(&contents) {
            let message = (*seq, row, known.get(&row.uid));
            match fetch_one(session, plan, message, content).await? {
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
    message: Message<'_>,
    content: &Content,
) -> Result<Result<Option<Bytes>, Untold>, Halt> {
    let known = DigestRef::new(&content.digest);
    if known.is_none() && !plan.digest_now {
        write_message(session, plan, message, None, &Bytes::new()).await?;
        return Ok(Ok(None));
    }
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
    write_message(session, plan, message, Some(&parts), &bytes).await?;
    Ok(Ok(made))
}

/// The number of a message, its row, and what is known beside it.
type Message<'a> = (u32, &'a Row, Option<&'a Facts>);

/// Writes an item that is kept ready in the digest. Without one, none but a lazy PREVIEW is asked for.
fn write_digest(
    fetch: &mut Fetch<'_>,
    item: &FetchItem<'_>,
    digest: Option<&DigestRef<'_>>,
    dialect: Dialect,
) {
    let rev2 = dialect.rev2;
    match (item, digest) {
        (FetchItem::Envelope, Some(digest)) => fetch.raw("ENVELOPE", digest.envelope(), dialect),
        (FetchItem::Body, Some(digest)) => fetch.raw("BODY", digest.body(rev2), dialect),
        (FetchItem::BodyStructure, Some(digest)) => {
            fetch.raw("BODYSTRUCTURE", digest.bodystructure(rev2), dialect);
        }
        (FetchItem::Preview { .. }, digest) => fetch.preview(digest.map(DigestRef::preview)),
        _ => {}
    }
}

async fn write_message(
    session: &mut Session,
    plan: &Plan<'_>,
    (seq, row, facts): Message<'_>,
    digest: Option<&DigestRef<'_>>,
    bytes: &Bytes,
) -> Result<(), Halt> {
    let dialect = session.dialect;
    let mailbox = session.selected()?.member.mailbox().clone();
    let mut fetch = Fetch::begin(&mut session.wire.out, seq, dialect);
    for (item, label) in plan.items.iter().zip(&plan.labels) {
        write_digest(&mut fetch, item, digest, dialect);
        let Some(parts) = digest.filter(|_| needs_bytes(item)) else {
            let rows = mailbox.read();
            // Flags as they are now: this command may have set \Seen.
            let now = rows.get(row.uid).unwrap_or(*row);
            write_row(&mut fetch, item, &now, &rows, facts);
            continue;
        };
        let found = match item {
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
            _ => continue,
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
                let row = rows.get_known(Uid(uid));
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
    let plan = Plan::new(false, items);
    fetch_rows(session, uids, &plan).await.map(drop)
}

/// Tells of messages what NOTIFY asked for (RFC 5465 §5.2). Marks none as seen, whatever is asked.
///
/// # Errors
/// Some can't be read; the others were told of.
pub(super) async fn tell(
    session: &mut Session,
    uids: &NumberSet,
    items: &[FetchItem<'_>],
) -> Result<(), Halt> {
    let plan = Plan::new(false, items);
    let refused = match plan.digest {
        true => fetch_contents(session, uids, &plan).await?,
        false => fetch_rows(session, uids, &plan).await?,
    };
    refused.map_or(Ok(()), |refusal| Err(refusal.into()))
}
