//! NOTIFY and ESEARCH as they are written (RFC 5465 §8, RFC 7377 §4).

use pillarbox_model::{MailboxName, NumberSet};
use pillarbox_proto::imap::command::{
    Command, FetchItem, Search, SearchKey, SearchReturn, Section, SectionText,
};
use pillarbox_proto::imap::encode::{self, Code, Dialect, Esearch, Status};
use pillarbox_proto::imap::notify::{Event, EventGroup, Events, MailboxFilter, NotifySet};

use crate::grammar::{means, wrong};

fn group<'a>(mailboxes: MailboxFilter<'a>, events: &[Event]) -> EventGroup<'a> {
    EventGroup {
        mailboxes,
        events: Events::of(events),
        unknown: false,
        fetch: Vec::new(),
    }
}

fn notify(status: bool, groups: Vec<EventGroup<'_>>) -> Command<'_> {
    Command::Notify(Some(NotifySet { status, groups }))
}

#[test]
fn groups_say_which_events_are_wanted_where() {
    use Event::{FlagChange, MailboxName, MessageExpunge, MessageNew, SubscriptionChange};
    means("NOTIFY NONE", &Command::Notify(None));
    let personal = group(
        MailboxFilter::Personal,
        &[MessageNew, MessageExpunge, MailboxName],
    );
    means(
        "notify set status (PERSONAL (messagenew MESSAGEEXPUNGE MailboxName))",
        &notify(true, vec![personal]),
    );
    let fields = SectionText::HeaderFields(vec![b"From"[..].into(), b"To"[..].into()]);
    let header = Section {
        peek: true,
        path: Vec::new(),
        text: Some(fields),
        partial: None,
    };
    let selected = EventGroup {
        fetch: vec![FetchItem::Uid, FetchItem::Section(header)],
        ..group(MailboxFilter::Selected, &[MessageNew, MessageExpunge])
    };
    let owned = selected.fetch[1].clone().into_owned();
    assert_eq!(owned, selected.fetch[1]);
    let lists = MailboxFilter::Subtree(vec![b"Lists"[..].into()]);
    means(
        "NOTIFY SET (selected (MessageNew (uid body.peek[header.fields (From To)]) MessageExpunge)) \
         (subtree Lists NONE)",
        &notify(false, vec![selected, group(lists, &[])]),
    );
    let names = vec![b"INBOX"[..].into(), b"a b"[..].into()];
    let groups = vec![
        group(
            MailboxFilter::SelectedDelayed,
            &[MessageNew, MessageExpunge, FlagChange],
        ),
        group(
            MailboxFilter::Mailboxes(names.clone()),
            &[SubscriptionChange],
        ),
        group(MailboxFilter::SubtreeOne(names), &[SubscriptionChange]),
        EventGroup {
            unknown: true,
            ..group(MailboxFilter::Inboxes, &[])
        },
    ];
    means(
        "NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange)) \
         (mailboxes (INBOX \"a b\") (SubscriptionChange)) (subtree-one (INBOX \"a b\") \
         (SubscriptionChange)) (inboxes (Telepathy))",
        &notify(false, groups),
    );
}

#[test]
fn what_is_no_group_is_refused_where_it_ends_to_be_one() {
    for (text, problem) in [
        ("NOTIFY SET", "Expected a space at byte 13"),
        (
            "NOTIFY NONE x",
            "Expected the end of the command at byte 15",
        ),
        ("NOTIFY SET STATUS", "Expected a space at byte 20"),
        (
            "NOTIFY SET ()",
            "Expected which mailboxes are meant at byte 15",
        ),
        ("NOTIFY SET (subtree (a))", "Expected a space at byte 26"),
        (
            "NOTIFY SET (personal ())",
            "Expected NONE or a list of events at byte 24",
        ),
        (
            "NOTIFY SET (selected (MailboxName))",
            "The selected mailbox has events of messages only at byte 25",
        ),
        (
            "NOTIFY SET (selected NONE) (selected NONE)",
            "The selected mailbox is asked for twice at byte 30",
        ),
        (
            "NOTIFY SET (personal (MessageNew (UID)))",
            "Expected an event at byte 36",
        ),
        (
            "ESEARCH IN (selected-delayed) ALL",
            "SELECTED-DELAYED can't be searched at byte 14",
        ),
        (
            "ESEARCH IN () ALL",
            "Expected which mailboxes to search at byte 14",
        ),
    ] {
        wrong(text, problem);
    }
}

#[test]
fn a_search_names_its_mailboxes_or_means_the_selected_one() {
    let search = |returns| Search {
        fetch: Vec::new(),
        returns,
        charset: None,
        key: SearchKey::All,
    };
    let esearch = |sources, returns| Command::Esearch {
        sources,
        search: search(returns),
    };
    means("ESEARCH ALL", &esearch(vec![MailboxFilter::Selected], None));
    let count = SearchReturn {
        count: true,
        ..SearchReturn::default()
    };
    let sources = vec![
        MailboxFilter::Mailboxes(vec![b"folder1"[..].into()]),
        MailboxFilter::Subtree(vec![b"folder2"[..].into()]),
        MailboxFilter::Personal,
    ];
    means(
        "ESEARCH IN (mailboxes \"folder1\" subtree \"folder2\" personal) RETURN (COUNT) ALL",
        &esearch(sources, Some(count)),
    );
}

#[test]
fn answers_are_as_the_documents_have_them() {
    let mut out = Vec::new();
    let inbox = MailboxName::from_stored("fol\"der");
    let found: NumberSet = [4001, 4003].into_iter().collect();
    let result = Esearch {
        count: Some(2),
        all: Some((&found).into()),
        ..Esearch::default()
    };
    encode::esearch_in(&mut out, "tag1", (&inbox, 503), &result, Dialect::default());
    let old = MailboxName::from_stored("ä");
    let attributes = ["\\Subscribed"];
    encode::list_news(
        &mut out,
        &attributes,
        None,
        &inbox,
        Some(&old),
        Dialect::default(),
    );
    let events = Events::of(&[Event::MessageExpunge, Event::MailboxName]);
    encode::tagged(
        &mut out,
        "a",
        Status::No,
        Some(&Code::BadEvent(events)),
        "No",
    );
    encode::untagged(
        &mut out,
        Status::Ok,
        Some(&Code::NotificationOverflow),
        "Too much",
    );
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "* ESEARCH (TAG \"tag1\" MAILBOX \"fol\\\"der\" UIDVALIDITY 503) UID COUNT 2 ALL 4001,4003\r\n\
         * LIST (\\Subscribed) NIL \"fol\\\"der\" (\"OLDNAME\" (\"&AOQ-\"))\r\n\
         a NO [BADEVENT (MessageExpunge MailboxName)] No\r\n\
         * OK [NOTIFICATIONOVERFLOW] Too much\r\n"
    );
}
