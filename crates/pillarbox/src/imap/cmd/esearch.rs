//! ESEARCH: a search in several mailboxes (RFC 7377).

use std::collections::HashSet;

use pillarbox_model::{MailboxId, NumberSet, Rights};
use pillarbox_proto::imap::command::{Bytes, Search, SearchReturn};
use pillarbox_proto::imap::encode;
use pillarbox_proto::imap::notify::MailboxFilter;
use pillarbox_store::{Error, MailboxInfo};

use super::search::{Found, returned, with_result};
use super::{Completed, Halt, Outcome, Refusal, Session};
use crate::imap::Selected;
use crate::imap::scope::{Candidate, Scope};

/// ESEARCH. One response for each mailbox in which something is found, and none for others.
///
/// Mailboxes that the user may not read are left out before anything of them is looked at (RFC 7377 §2.2).
/// They are opened one after the other, through the store's cache of them; what is found is sent as it is
/// found, so that a client that hung up ends the search.
pub(super) async fn esearch(
    session: &mut Session,
    tag: &str,
    sources: &[MailboxFilter<'_>],
    search: &Search<'_>,
) -> Outcome {
    let returns = search.returns.unwrap_or(SearchReturn {
        all: true,
        ..SearchReturn::default()
    });
    session.check_charset(search)?;
    check(session, sources, returns)?;
    let done = search_all(session, tag, sources, search, returns).await;
    if done.is_err() && returns.save {
        // A refused search leaves nothing saved (RFC 5182 §2.1).
        session.selected()?.saved = NumberSet::new();
    }
    if done.is_ok() && returns.update {
        // A result is followed by SEARCH and SORT, not by ESEARCH.
        session.no_update(tag, "Ask with UID SEARCH");
    }
    done.map(|()| Completed::default())
}

async fn search_all(
    session: &mut Session,
    tag: &str,
    sources: &[MailboxFilter<'_>],
    search: &Search<'_>,
    returns: SearchReturn,
) -> Result<(), Halt> {
    let charset = search.charset.as_deref().unwrap_or(b"UTF-8");
    // Also where there is nothing to search.
    if !pillarbox_message::is_known_charset(charset) {
        return Err(Refusal::Charset.into());
    }
    for mailbox in mailboxes(session, sources).await? {
        let (found, modseq) = match search_one(session, &mailbox, search, returns).await {
            Ok(found) => found,
            // Deleted meanwhile.
            Err(Halt::Refused(Refusal::Store(Error::NoMailbox))) => continue,
            Err(halt) => return Err(halt),
        };
        if returns.save {
            session.selected()?.saved = returned(&found, returns);
        }
        // No line for a mailbox in which nothing is found (RFC 7377 §2.1).
        if returns.wants_data() && !found.set().is_empty() {
            let found_in = (&mailbox.name, mailbox.uid_validity.0);
            let (out, dialect) = (&mut session.wire.out, session.dialect);
            with_result(&found, returns, modseq, |result| {
                encode::esearch_in(out, tag, found_in, result, dialect);
            });
        }
        session.wire.flush_if_full().await?;
    }
    Ok(())
}

/// What is wrong with the command before anything is searched.
fn check(
    session: &Session,
    sources: &[MailboxFilter<'_>],
    returns: SearchReturn,
) -> Result<(), Refusal> {
    if returns.save && *sources != [MailboxFilter::Selected] {
        let text = "Only what is found in the selected mailbox alone can be saved";
        return Err(Refusal::Client(text.into()));
    }
    // Updates are of the selected mailbox, if any (RFC 7377 §2.2).
    let needs_selected = returns.update || sources.contains(&MailboxFilter::Selected);
    if needs_selected && session.selected.is_none() {
        return Err(Refusal::State("No mailbox is selected"));
    }
    Ok(())
}

/// The mailboxes to search, each once, in order of names.
async fn mailboxes(
    session: &Session,
    sources: &[MailboxFilter<'_>],
) -> Result<Vec<MailboxInfo>, Refusal> {
    let filters = sources.iter();
    let scopes: Vec<_> = filters.map(|filter| Scope::new(session, filter)).collect();
    let selected = selected(session).filter(|_| scopes.iter().any(Scope::is_of_selected));
    let own = session.user()?.account.id;
    let delimiter = session.endpoint.storage.delimiter;
    let mut mailboxes = Vec::new();
    // By name: what it says of mailboxes is of their owners.
    let subscriptions = session.endpoint.storage.store.subscriptions(own).await?;
    let subscribed: HashSet<_> = subscriptions.into_iter().collect();
    let mut taken = HashSet::new();
    for reached in session.visible_mailboxes().await? {
        let candidate = Candidate {
            name: &reached.info.name,
            personal: reached.info.account == own,
            subscribed: subscribed.contains(&reached.info.name),
        };
        let wanted = Some(reached.info.id) == selected
            || scopes.iter().any(|scope| scope.has(candidate, delimiter));
        if wanted && reached.rights.all(Rights::READ) && taken.insert(reached.info.id) {
            mailboxes.push(reached.info);
        }
    }
    for raw in named(sources) {
        // Who may read a mailbox may search it by its name, also without seeing it in lists.
        if let Ok(reached) = session.find(raw, Rights::READ).await
            && taken.insert(reached.info.id)
        {
            mailboxes.push(reached.info);
        }
    }
    Ok(mailboxes)
}

/// The names that stand in the command itself.
fn named<'s>(sources: &'s [MailboxFilter<'_>]) -> impl Iterator<Item = &'s Bytes<'s>> {
    let names = |source: &'s MailboxFilter<'_>| match source {
        MailboxFilter::Subtree(names)
        | MailboxFilter::SubtreeOne(names)
        | MailboxFilter::Mailboxes(names) => names.as_slice(),
        _ => &[],
    };
    sources.iter().flat_map(names)
}

fn selected(session: &Session) -> Option<MailboxId> {
    let selected = session.selected.as_ref()?;
    Some(selected.member.mailbox().id())
}

/// Searches a mailbox as it is now; the selected one as the client knows it. Also gives the highest
/// mod-sequence of what is told, if the search was for some (RFC 7162 §3.1.5).
async fn search_one(
    session: &mut Session,
    mailbox: &MailboxInfo,
    search: &Search<'_>,
    returns: SearchReturn,
) -> Result<(Found, Option<u64>), Halt> {
    let opened;
    let mut look = if selected(session) == Some(mailbox.id) {
        session.look()?
    } else {
        opened = open(session, mailbox.id).await?;
        session.look_through(&opened)
    };
    let found = Found::Set(look.search(search).await?);
    let told = returned(&found, returns);
    let modseq = search
        .key
        .has_modseq()
        .then(|| look.selected.highest_modseq(&told));
    Ok((found, modseq.flatten().map(|modseq| modseq.0)))
}

async fn open(session: &Session, mailbox: MailboxId) -> Result<Selected, Error> {
    let store = &session.endpoint.storage.store;
    let open = store.open(mailbox).await?;
    store.refresh(&open).await?;
    let member = open.join();
    let rows = open.read();
    Ok(Selected::new(member, &rows, true))
}
