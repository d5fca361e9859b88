//! SORT and THREAD (RFC 5256 §3), also with RETURN (RFC 5267 §3).

use pillarbox_model::NumberSet;
use pillarbox_proto::imap::command::{Bytes, Search, SortCriterion, ThreadAlgorithm};
use pillarbox_proto::imap::encode::{self, ThreadPiece};

use super::search::{Asked, Found, answer};
use super::{Completed, Outcome, Refusal, Session};
use crate::imap::context::Followed;

/// SORT.
pub(super) async fn sort(
    session: &mut Session,
    tag: &str,
    uid: bool,
    criteria: &[SortCriterion],
    search: &Search<'_>,
) -> Outcome {
    let asked = Asked::new(tag, uid, search);
    asked.is_new(session)?;
    within_limit(session, search)?;
    let mut look = session.look()?;
    let (matcher, found) = look.find(search).await?;
    let sorted = Found::Sorted(look.sort(&found, criteria).await?);
    answer(session, &asked, &sorted)?;
    if let Found::Sorted(sorted) = sorted {
        asked.follow(session, matcher, Followed::Sorted(sorted, criteria.into()))?;
    }
    Ok(Completed::default())
}

/// CANCELUPDATE (RFC 5267 §4.3.5).
pub(super) fn cancel_update(session: &mut Session, tags: &[Bytes<'_>]) -> Outcome {
    session.selected()?.unfollow(tags);
    Ok(Completed::default())
}

/// THREAD.
pub(super) async fn thread(
    session: &mut Session,
    uid: bool,
    algorithm: ThreadAlgorithm,
    search: &Search<'_>,
) -> Outcome {
    within_limit(session, search)?;
    let mut look = session.look()?;
    let found: NumberSet = look.search(search).await?;
    let pieces = look.thread(&found, algorithm).await?;
    let view = &session.selected()?.view;
    let pieces: Vec<_> = pieces
        .into_iter()
        .filter_map(|piece| match piece {
            ThreadPiece::Number(found) if !uid => view.seq(found).map(ThreadPiece::Number),
            other => Some(other),
        })
        .collect();
    encode::thread(&mut session.wire.out, pieces.into_iter());
    Ok(Completed::default())
}

/// What is sorted or threaded is so as a whole: of too many messages it is refused (RFC 9738 §3.3).
fn within_limit(session: &mut Session, search: &Search<'_>) -> Result<(), Refusal> {
    if session.endpoint.limits.messages.is_none() {
        return Ok(());
    }
    let look = session.look()?;
    let candidates = look.matcher(search)?.candidates(look.selected);
    session.within_limit(&candidates)
}
