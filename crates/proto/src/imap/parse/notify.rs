//! NOTIFY (RFC 5465 §8), and which mailboxes are meant in it and in ESEARCH (RFC 7377 §4).

use super::{fetch, mailbox_name};
use crate::imap::command::{Bytes, Command, FetchItem};
use crate::imap::lex::{Cursor, Parsed};
use crate::imap::notify::{Event, EventGroup, Events, MailboxFilter, NotifySet};

/// Groups of events in one NOTIFY, and filters in one ESEARCH: each is compared with every mailbox.
/// Clients write two or three.
const FILTERS: usize = 100;
/// Mailboxes named in one NOTIFY or ESEARCH: as many as an account may have.
const NAMES: usize = pillarbox_model::limit::MAILBOXES_PER_ACCOUNT;

/// `notify = "NOTIFY" SP (("SET" [SP "STATUS"] SP event-groups) / "NONE")`
pub(super) fn notify<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    if cursor.word("NONE") {
        return Ok(Command::Notify(None));
    }
    if !cursor.word("SET") {
        return cursor.fail("Expected SET or NONE");
    }
    cursor.space()?;
    let mut set = NotifySet::default();
    if cursor.word("STATUS") {
        set.status = true;
        cursor.space()?;
    }
    let mut names = NAMES;
    loop {
        let at = cursor.position();
        let group = event_group(cursor, &mut names)?;
        if is_selected(&group.mailboxes) && set.groups.iter().any(|g| is_selected(&g.mailboxes)) {
            return cursor.fail_at(at, "The selected mailbox is asked for twice");
        }
        if set.groups.len() == FILTERS {
            return cursor.fail_at(at, "Too many groups of events");
        }
        set.groups.push(group);
        if !cursor.more()? {
            return Ok(Command::Notify(Some(set)));
        }
    }
}

fn is_selected(filter: &MailboxFilter<'_>) -> bool {
    matches!(
        filter,
        MailboxFilter::Selected | MailboxFilter::SelectedDelayed
    )
}

/// `event-group = "(" filter-mailboxes SP events ")"`
fn event_group<'a>(cursor: &mut Cursor<'a>, names: &mut usize) -> Parsed<EventGroup<'a>> {
    cursor.expect(b'(', "Expected (")?;
    cursor.skip_spaces();
    let mailboxes = filter(cursor, names)?;
    cursor.space()?;
    let mut group = EventGroup {
        mailboxes,
        events: Events::NONE,
        unknown: false,
        fetch: Vec::new(),
    };
    if !cursor.word("NONE") {
        events(cursor, &mut group)?;
    }
    cursor.skip_spaces();
    cursor.expect(b')', "Expected )")?;
    Ok(group)
}

/// `events = ("(" event *(SP event) ")") / "NONE"`
fn events<'a>(cursor: &mut Cursor<'a>, group: &mut EventGroup<'a>) -> Parsed<()> {
    let selected = is_selected(&group.mailboxes);
    cursor.nonempty_list("Expected NONE or a list of events", |cursor| {
        let at = cursor.position();
        let name = cursor.atom("Expected an event")?;
        let is = |event: &Event| event.name().eq_ignore_ascii_case(name);
        let Some(event) = Event::ALL.into_iter().find(is) else {
            // Some write NONE as if it were an event.
            group.unknown |= !name.eq_ignore_ascii_case("NONE");
            return Ok(());
        };
        if selected && !event.is_of_messages() {
            return cursor.fail_at(at, "The selected mailbox has events of messages only");
        }
        group.events.insert(event);
        if event == Event::MessageNew && selected {
            group.fetch = attributes(cursor)?;
        }
        Ok(())
    })?;
    Ok(())
}

/// `[SP "(" fetch-att *(SP fetch-att) ")"]`
fn attributes<'a>(cursor: &mut Cursor<'a>) -> Parsed<Vec<FetchItem<'a>>> {
    let mut ahead = cursor.clone();
    ahead.skip_spaces();
    if ahead.peek() != Some(b'(') {
        return Ok(Vec::new());
    }
    cursor.space()?;
    fetch::attributes(cursor)
}

/// ```abnf
/// filter-mailboxes = "selected" / "selected-delayed" / "inboxes" / "personal" / "subscribed" /
///                    (("subtree" / "subtree-one" / "mailboxes") SP one-or-more-mailbox)
/// ```
fn filter<'a>(cursor: &mut Cursor<'a>, names: &mut usize) -> Parsed<MailboxFilter<'a>> {
    let alone = [
        ("SELECTED", MailboxFilter::Selected),
        ("SELECTED-DELAYED", MailboxFilter::SelectedDelayed),
        ("INBOXES", MailboxFilter::Inboxes),
        ("PERSONAL", MailboxFilter::Personal),
        ("SUBSCRIBED", MailboxFilter::Subscribed),
    ];
    if let Some((_, filter)) = alone.into_iter().find(|(word, _)| cursor.word(word)) {
        return Ok(filter);
    }
    type Of<'a> = fn(Vec<Bytes<'a>>) -> MailboxFilter<'a>;
    let named: [(&str, Of<'a>); 3] = [
        ("SUBTREE", MailboxFilter::Subtree),
        ("SUBTREE-ONE", MailboxFilter::SubtreeOne),
        ("MAILBOXES", MailboxFilter::Mailboxes),
    ];
    match named.into_iter().find(|(word, _)| cursor.word(word)) {
        Some((_, of)) => {
            cursor.space()?;
            Ok(of(one_or_more(cursor, names)?))
        }
        None => cursor.fail("Expected which mailboxes are meant"),
    }
}

/// `one-or-more-mailbox = mailbox / ("(" mailbox *(SP mailbox) ")")`, of which `names` may still come.
fn one_or_more<'a>(cursor: &mut Cursor<'a>, names: &mut usize) -> Parsed<Vec<Bytes<'a>>> {
    let mut name = |cursor: &mut Cursor<'a>| {
        let Some(left) = names.checked_sub(1) else {
            return cursor.fail("Too many mailboxes");
        };
        *names = left;
        mailbox_name(cursor)
    };
    if cursor.peek() == Some(b'(') {
        return cursor.nonempty_list("Expected one or more mailboxes", name);
    }
    Ok(vec![name(cursor)?])
}

/// ```abnf
/// esearch-source-opts = "IN" SP "(" source-mbox [SP "(" scope-options ")"] ")"
/// source-mbox         = filter-mailboxes *(SP filter-mailboxes)        ; RFC 7377 §4
/// ```
/// There are no scope options.
pub(super) fn sources<'a>(cursor: &mut Cursor<'a>) -> Parsed<Vec<MailboxFilter<'a>>> {
    let start = cursor.position();
    let mut names = NAMES;
    let sources = cursor.nonempty_list("Expected which mailboxes to search", |cursor| {
        filter(cursor, &mut names)
    })?;
    if sources.contains(&MailboxFilter::SelectedDelayed) {
        return cursor.fail_at(start, "SELECTED-DELAYED can't be searched");
    }
    if sources.len() > FILTERS {
        return cursor.fail_at(start, "Too many filters");
    }
    Ok(sources)
}
