//! NOTIFY (RFC 5465).

use pillarbox_proto::imap::command::FetchItem;
use pillarbox_proto::imap::notify::{Event, EventGroup, Events, MailboxFilter, NotifySet};

use super::{Completed, Outcome, Refusal, Session};
use crate::imap::notify::{Notify, OfSelected};
use crate::imap::scope::Scope;

/// Names in all filters of one NOTIFY. Clients name some dozens at most, or use a pattern.
const NAMES: usize = 1_000;

/// The events of which there is something to tell: there are no annotations of messages, and those of
/// mailboxes may be switched off (RFC 5465 §5.6, §5.7).
fn supported(session: &Session) -> Events {
    let metadata = session.announces("METADATA");
    let known = Event::ALL.into_iter().filter(|event| match event {
        Event::AnnotationChange => false,
        Event::MailboxMetadataChange | Event::ServerMetadataChange => metadata,
        _ => true,
    });
    Events::of(&known.collect::<Vec<_>>())
}

/// NOTIFY SET, which stands for all that was asked for before, or NOTIFY NONE.
pub(super) async fn notify(session: &mut Session, set: Option<NotifySet<'_>>) -> Outcome {
    let Some(set) = set else {
        session.notify = Some(Box::default());
        return Ok(Completed::default());
    };
    check(&set, supported(session))?;
    let (mut selected, mut groups, mut names) = (None, Vec::new(), 0);
    for group in set.groups {
        let scope = Scope::new(session, &group.mailboxes);
        if scope.is_of_selected() {
            selected = of_selected(group);
        } else {
            names += scope.names();
            groups.push((scope, group.events));
        }
    }
    if names > NAMES {
        return Err(Refusal::Overflow("Too many mailboxes are named").into());
    }
    // What the client asked for until now, it is told.
    session.tell_events().await?;
    session
        .notify_of(Notify::new(selected, groups), set.status)
        .await?;
    // NOTIFY SET is a NOOP as well (RFC 5465 §3.1).
    session.tell_events().await?;
    Ok(Completed::default())
}

/// Events that we don't tell of are refused with NO, and sets of events that make no sense with BAD (RFC
/// 5465 §3.1, §5).
fn check(set: &NotifySet<'_>, supported: Events) -> Result<(), Refusal> {
    let known = |group: &EventGroup<'_>| !group.unknown && group.events.are_among(supported);
    if !set.groups.iter().all(known) {
        return Err(Refusal::Events(supported));
    }
    match set.groups.iter().find_map(|group| group.events.objection()) {
        Some(objection) => Err(Refusal::Client(objection.into())),
        None => Ok(()),
    }
}

/// What is wanted of the selected mailbox; nothing after NONE.
fn of_selected(group: EventGroup<'_>) -> Option<OfSelected> {
    group.events.have_messages().then(|| OfSelected {
        delayed: group.mailboxes == MailboxFilter::SelectedDelayed,
        flags: group.events.has(Event::FlagChange),
        fetch: group.fetch.into_iter().map(FetchItem::into_owned).collect(),
    })
}
