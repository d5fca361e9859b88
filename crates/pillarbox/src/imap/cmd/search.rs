//! SEARCH and UID SEARCH (RFC 3501 §6.4.4, RFC 4731, RFC 5182): what they answer.

use pillarbox_model::NumberSet;
use pillarbox_proto::imap::command::{Search, SearchReturn};
use pillarbox_proto::imap::encode::{self, Esearch};

use super::{Completed, Outcome, Refusal, Session};
use crate::imap::Selected;

/// SEARCH.
pub(super) async fn search(
    session: &mut Session,
    tag: &str,
    uid: bool,
    search: &Search<'_>,
) -> Outcome {
    let save = search.returns.is_some_and(|returns| returns.save);
    let found = match session.look()?.search(search).await {
        Ok(found) => found,
        Err(halt) => {
            // A refused search that was to be saved leaves nothing saved (RFC 5182 §2.1).
            if save && let Some(selected) = &mut session.selected {
                selected.saved = NumberSet::new();
            }
            return Err(halt);
        }
    };
    let modseq = search.key.has_modseq();
    answer(session, tag, uid, search.returns, &found, modseq)?;
    Ok(Completed::default())
}

/// Writes the answer, and saves the result if asked.
fn answer(
    session: &mut Session,
    tag: &str,
    uid: bool,
    returns: Option<SearchReturn>,
    found: &NumberSet,
    tells_modseq: bool,
) -> Result<(), Refusal> {
    let selected = session
        .selected
        .as_mut()
        .ok_or(Refusal::State("Nothing is selected"))?;
    let numbers = selected.names(uid, found);
    let out = &mut session.wire.out;
    let Some(returns) = returns else {
        let modseq = highest(selected, found, tells_modseq);
        encode::search(out, numbers.iter(), modseq);
        return Ok(());
    };
    if returns.save {
        selected.saved = returned(found, returns);
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
                modseq: highest(selected, &returned(found, returns), tells_modseq),
            },
        );
    }
    Ok(())
}

/// What SEARCH with MODSEQ says of the messages that it tells of (RFC 7162 §3.1.5).
fn highest(selected: &Selected, told: &NumberSet, tells_modseq: bool) -> Option<u64> {
    let highest = tells_modseq.then(|| selected.highest_modseq(told))?;
    highest.map(|modseq| modseq.0)
}

/// The messages that the answer is about: with MIN or MAX and neither ALL nor COUNT, only those. They are
/// what `$` becomes (RFC 5182 §2.4), and whose mod-sequence is told (RFC 4731 §3.2).
fn returned(found: &NumberSet, returns: SearchReturn) -> NumberSet {
    if returns.all || returns.count || !(returns.min || returns.max) {
        return found.clone();
    }
    let min = found.first().filter(|_| returns.min);
    let max = found.last().filter(|_| returns.max);
    min.into_iter().chain(max).collect()
}
