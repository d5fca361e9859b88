//! SEARCH and UID SEARCH (RFC 3501 §6.4.4, RFC 4731, RFC 5182).

use bytes::Bytes;
use pillarbox_message::DigestRef;
use pillarbox_model::{BlobId, NumberSet};
use pillarbox_proto::imap::command::{Search, SearchReturn};
use pillarbox_proto::imap::encode::{self, Esearch};
use pillarbox_store::{Content, Row};

use super::matcher::Matcher;
use super::session::{Completed, Halt, Outcome};
use super::{Refusal, Session};
use crate::clock;

/// Messages judged by their rows at one go.
const ROWS_AT_ONCE: usize = 4_096;
/// Messages whose text is looked at before others get a turn.
const TEXTS_AT_ONCE: usize = 64;

/// SEARCH. Every message that matches is found: text is compared, not an index of words.
pub(super) async fn search(
    session: &mut Session,
    tag: &str,
    uid: bool,
    search: &Search<'_>,
) -> Outcome {
    let save = search.returns.is_some_and(|returns| returns.save);
    let found = match find(session, search).await {
        Ok(found) => found,
        Err(halt) => {
            // A refused search that was to be saved leaves nothing saved (RFC 5182 §2.1).
            if save && let Some(selected) = &mut session.selected {
                selected.saved = NumberSet::new();
            }
            return Err(halt);
        }
    };
    answer(session, tag, uid, search.returns, &found)?;
    Ok(Completed::default())
}

/// The UIDs of this client's messages that match, ascending.
async fn find(session: &mut Session, search: &Search<'_>) -> Result<NumberSet, Halt> {
    let mut found = NumberSet::new();
    let selected = session
        .selected
        .as_ref()
        .ok_or(Refusal::State("Nothing is selected"))?;
    let mailbox = selected.member.mailbox().clone();
    let matcher = Matcher::new(search, selected, mailbox.read().keywords(), clock::now())?;
    let candidates = matcher.candidates(selected);
    let mut next = candidates.first();
    while let Some(from) = next {
        let selected = session.selected()?;
        let (some, after) = selected.rows_from(&mailbox.read(), &candidates, from, ROWS_AT_ONCE);
        next = after;
        let mut undecided = Vec::new();
        for (_, row) in &some {
            match matcher.judge_row(row) {
                Some(true) => found.insert(row.uid.0),
                Some(false) => {}
                None => undecided.push(*row),
            }
        }
        for some in undecided.chunks(TEXTS_AT_ONCE) {
            judge_texts(session, &matcher, some, &mut found).await?;
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
    }
    Ok(found)
}

/// Judges messages whose rows don't decide.
async fn judge_texts(
    session: &Session,
    matcher: &Matcher,
    rows: &[Row],
    found: &mut NumberSet,
) -> Result<(), Halt> {
    let store = &session.endpoint.storage.store;
    let contents = store.contents(rows, true).await?;
    let mut texts = Vec::with_capacity(rows.len());
    for content in &contents {
        texts.push(
            if matcher.needs_bytes() || DigestRef::new(&content.digest).is_none() {
                // Unreadable bytes match no text; FETCH will say that they are unreadable.
                store.read(&content.location).await.unwrap_or_default()
            } else {
                Bytes::new()
            },
        );
    }
    let mut made = Vec::new();
    let mut judge = || {
        for ((row, content), text) in rows.iter().zip(&contents).zip(&texts) {
            if judge_text(matcher, row, content, text, &mut made) {
                found.insert(row.uid.0);
            }
        }
    };
    // Headers are soon looked through; to tell others that this takes long would take longer.
    if matcher.decodes_texts() {
        tokio::task::block_in_place(judge);
    } else {
        judge();
    }
    session.keep_digests(made).await;
    Ok(())
}

/// A digest that had to be made goes to `made`.
fn judge_text(
    matcher: &Matcher,
    row: &Row,
    content: &Content,
    text: &Bytes,
    made: &mut Vec<(BlobId, Bytes)>,
) -> bool {
    if let Some(digest) = DigestRef::new(&content.digest) {
        return matcher.judge(row, &digest, text);
    }
    let digest = Bytes::from(pillarbox_message::digest(text).encode());
    let matches = DigestRef::new(&digest).is_some_and(|digest| matcher.judge(row, &digest, text));
    // Not of bytes that could not be read: RFC822.SIZE tells.
    if text.len() as u64 == u64::from(row.size) {
        made.push((row.blob, digest));
    }
    matches
}

/// Writes the answer, and saves the result if asked.
fn answer(
    session: &mut Session,
    tag: &str,
    uid: bool,
    returns: Option<SearchReturn>,
    found: &NumberSet,
) -> Result<(), Refusal> {
    let selected = session
        .selected
        .as_mut()
        .ok_or(Refusal::State("Nothing is selected"))?;
    let view = &selected.view;
    let numbers: NumberSet = if uid {
        found.clone()
    } else {
        found.iter().filter_map(|uid| view.seq(uid)).collect()
    };
    let out = &mut session.wire.out;
    let Some(returns) = returns else {
        encode::search(out, numbers.iter(), None);
        return Ok(());
    };
    if returns.save {
        selected.saved = saved(found, returns);
    }
    let wanted = returns.min || returns.max || returns.all || returns.count;
    if wanted || !returns.save {
        let all = returns.all || !wanted;
        encode::esearch(
            out,
            tag,
            uid,
            &Esearch {
                min: numbers.first().filter(|_| returns.min),
                max: numbers.last().filter(|_| returns.max),
                count: returns.count.then(|| numbers.len()),
                all: (all && !numbers.is_empty()).then_some(&numbers),
                modseq: None,
            },
        );
    }
    Ok(())
}

/// What `$` becomes: with MIN or MAX and neither ALL nor COUNT, only those (RFC 5182 §2.4).
fn saved(found: &NumberSet, returns: SearchReturn) -> NumberSet {
    if returns.all || returns.count || !(returns.min || returns.max) {
        return found.clone();
    }
    let min = found.first().filter(|_| returns.min);
    let max = found.last().filter(|_| returns.max);
    min.into_iter().chain(max).collect()
}
