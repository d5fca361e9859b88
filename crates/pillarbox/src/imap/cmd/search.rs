//! SEARCH and UID SEARCH (RFC 3501 §6.4.4, RFC 4731, RFC 5182): what they answer.

use pillarbox_model::NumberSet;
use pillarbox_proto::imap::command::{Search, SearchReturn};
use pillarbox_proto::imap::encode::{self, Esearch};

use super::{Completed, Outcome, Refusal, Session};

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
    answer(session, tag, uid, search.returns, &found)?;
    Ok(Completed::default())
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
