//! LIST and LSUB (RFC 3501 §6.3.8, §6.3.9; RFC 5258; RFC 5819; RFC 6154 §2).

use std::collections::{BTreeMap, BTreeSet};

use pillarbox_model::{Delimiter, MailboxId, MailboxName, Pattern, Rights, SpecialUse};
use pillarbox_proto::imap::command::{List, ListReturn};
use pillarbox_proto::imap::{encode, utf7};
use pillarbox_store::{Annotation, MailboxInfo, Wanted};

use super::{Completed, Outcome, Session, metadata, status};
use crate::precis::nfc;

/// Names whose annotations are read at one go.
const AT_ONCE: usize = 64;

/// Names that LIST may say something of, in order.
pub(in crate::imap) type Entries = BTreeMap<MailboxName, Entry>;

/// A name that LIST may say something of.
#[derive(Default)]
pub(in crate::imap) struct Entry {
    pub(in crate::imap) mailbox: Option<MailboxInfo>,
    /// The user may see its annotations.
    annotated: bool,
    /// The user may see the mailbox, and not read it.
    pub(in crate::imap) unreadable: bool,
    /// What the user may do with it.
    rights: Rights,
    pub(in crate::imap) subscribed: bool,
    has_children: bool,
    /// Something below it is subscribed.
    child_subscribed: bool,
    /// Something below it is subscribed and does not match the patterns, so that only this tells of it.
    hidden_subscribed: bool,
}

/// LIST.
pub(super) async fn list(session: &mut Session, list: &List<'_>) -> Outcome {
    let delimiter = session.endpoint.storage.delimiter;
    // An empty pattern asks for the delimiter (RFC 3501 §6.3.8).
    if !list.extended && list.patterns.iter().all(|pattern| pattern.is_empty()) {
        let answer = if list.xlist { "XLIST" } else { "LIST" };
        encode::list_root(&mut session.wire.out, answer, Some(delimiter));
        return Ok(Completed::default());
    }
    let patterns = patterns(session, &list.reference, &list.patterns);
    let entries = entries(session, delimiter, &patterns).await?;
    let matching = entries.iter().filter(|(name, _)| matches(&patterns, name));
    for some in matching.collect::<Vec<_>>().chunks(AT_ONCE) {
        let mut annotations = annotations(session, some, list).await?;
        for (name, entry) in some {
            let said = say(session, name, entry, list);
            let id = entry.mailbox.as_ref().map(|mailbox| mailbox.id);
            // RFC 9590 §3: what GETMETADATA would say follows.
            if let (true, Some(found)) = (said, id.and_then(|id| annotations.found.remove(&id))) {
                metadata::tell(session, Some(name), &found, &annotations.wanted).await?;
            }
            session.wire.flush_if_full().await?;
        }
    }
    Ok(Completed::default())
}

/// Annotations of some mailboxes.
struct Annotations {
    wanted: Wanted,
    found: BTreeMap<MailboxId, Vec<Annotation>>,
}

/// What is asked of the annotations of some mailboxes, with one look at the store for all of them.
async fn annotations(
    session: &Session,
    some: &[(&MailboxName, &Entry)],
    list: &List<'_>,
) -> Result<Annotations, super::Refusal> {
    let wanted = Wanted {
        entries: list.returns.metadata.clone(),
        ..Wanted::default()
    };
    let mailboxes = some
        .iter()
        .filter(|(_, entry)| entry.annotated && !wanted.entries.is_empty());
    let of: Vec<_> = mailboxes
        .filter_map(|(_, entry)| entry.mailbox.as_ref().map(|mailbox| Some(mailbox.id)))
        .collect();
    let user = session.user()?.account.id;
    let store = &session.endpoint.storage.store;
    let found = match of.is_empty() {
        true => Vec::new(),
        false => store.annotations(user, &of, &wanted).await?,
    };
    let found = of.into_iter().flatten().zip(found).collect();
    Ok(Annotations { wanted, found })
}

/// LSUB: subscribed names, and `\Noselect` for what only has subscribed names below it.
pub(super) async fn lsub(session: &mut Session, reference: &[u8], pattern: &[u8]) -> Outcome {
    let delimiter = session.endpoint.storage.delimiter;
    if pattern.is_empty() {
        encode::list_root(&mut session.wire.out, "LSUB", Some(delimiter));
        return Ok(Completed::default());
    }
    let patterns = patterns(session, reference, &[pattern.into()]);
    let recursive = pattern.ends_with(b"%");
    let entries = entries(session, delimiter, &patterns).await?;
    for (name, entry) in &entries {
        let above = recursive && entry.child_subscribed && !entry.subscribed;
        if !(entry.subscribed || above) || !matches(&patterns, name) {
            continue;
        }
        let attributes: &[&str] = if above { &["\\Noselect"] } else { &[] };
        let dialect = session.dialect;
        encode::list(
            &mut session.wire.out,
            "LSUB",
            attributes,
            Some(delimiter),
            name,
            false,
            dialect,
        );
    }
    Ok(Completed::default())
}

/// The patterns asked for. One that can't be a name in this session matches nothing.
fn patterns(
    session: &Session,
    reference: &[u8],
    patterns: &[std::borrow::Cow<'_, [u8]>],
) -> Vec<Pattern> {
    let (utf8, delimiter) = (session.dialect.utf8, session.endpoint.storage.delimiter);
    let Ok(reference) = utf7::pattern_argument(reference, utf8) else {
        return Vec::new();
    };
    patterns
        .iter()
        .filter_map(|pattern| utf7::pattern_argument(pattern, utf8).ok())
        .map(|pattern| Pattern::new(&nfc(&reference), &nfc(&pattern), delimiter))
        .collect()
}

/// Whether a name is asked for. Names are compared as they look (RFC 5198 §2).
fn matches(patterns: &[Pattern], name: &MailboxName) -> bool {
    let text = name.as_str();
    let matches = |text: &str| patterns.iter().any(|pattern| pattern.matches(text));
    matches(text) || (!text.is_ascii() && matches(&nfc(text)))
}

/// All that LIST may tell, whatever was asked for.
pub(in crate::imap) async fn all(session: &Session) -> Result<Entries, super::Refusal> {
    entries(session, session.endpoint.storage.delimiter, &[]).await
}

/// Tells how things are with a name, unasked (RFC 5465 §5.4, §5.5); and how it was called before.
pub(in crate::imap) fn tell(
    session: &mut Session,
    name: &MailboxName,
    entry: Option<&Entry>,
    old: Option<&MailboxName>,
) {
    let returns = ListReturn {
        subscribed: true,
        ..ListReturn::default()
    };
    let list = List {
        extended: true,
        returns,
        ..List::default()
    };
    let gone = Entry::default();
    let entry = entry.unwrap_or(&gone);
    let mut attributes = attributes(entry, &list, true);
    if entry.unreadable {
        attributes.push("\\NoAccess");
    }
    let delimiter = Some(session.endpoint.storage.delimiter);
    let dialect = session.dialect;
    let out = &mut session.wire.out;
    encode::list_news(out, &attributes, delimiter, name, old, dialect);
}

/// All names there are: mailboxes, subscriptions, and the levels above both.
async fn entries(
    session: &Session,
    delimiter: Delimiter,
    patterns: &[Pattern],
) -> Result<BTreeMap<MailboxName, Entry>, super::Refusal> {
    let account = session.user()?.account.id;
    let store = &session.endpoint.storage.store;
    let mut entries: BTreeMap<MailboxName, Entry> = BTreeMap::new();
    for mailbox in session.visible_mailboxes().await? {
        let name = mailbox.info.name.clone();
        let entry: &mut Entry = entries.entry(name).or_default();
        entry.annotated = metadata::may_see(mailbox.rights);
        entry.unreadable = !mailbox.rights.all(Rights::READ);
        entry.rights = mailbox.rights;
        entry.mailbox = Some(mailbox.info);
    }
    for name in store.subscriptions(account).await? {
        entries.entry(name).or_default().subscribed = true;
    }
    add_ancestors(&mut entries, delimiter, patterns);
    Ok(entries)
}

fn add_ancestors(
    entries: &mut BTreeMap<MailboxName, Entry>,
    delimiter: Delimiter,
    patterns: &[Pattern],
) {
    let names: BTreeSet<(MailboxName, bool, bool)> = entries
        .iter()
        .map(|(name, entry)| (name.clone(), entry.mailbox.is_some(), entry.subscribed))
        .collect();
    for (name, exists, subscribed) in names {
        let hidden = subscribed && !matches(patterns, &name);
        for above in name.ancestors(delimiter) {
            let entry = entries.entry(above).or_default();
            entry.has_children |= exists;
            entry.child_subscribed |= subscribed;
            entry.hidden_subscribed |= hidden;
        }
    }
}

/// Writes the LIST response of a name, and its STATUS if asked, unless the selection options leave it out.
/// Says whether it did.
fn say(session: &mut Session, name: &MailboxName, entry: &Entry, list: &List<'_>) -> bool {
    // A name that is not subscribed itself is told only for what else would not be (RFC 5258 §3.5).
    let below = entry.hidden_subscribed || (entry.subscribed && entry.child_subscribed);
    let child_info = list.select.recursive_match && list.select.subscribed && below;
    if !selected(entry, list, child_info) {
        return false;
    }
    let attributes = match list.xlist {
        true => old_attributes(name, entry),
        false => attributes(entry, list, session.dialect.rev2),
    };
    let delimiter = session.endpoint.storage.delimiter;
    let dialect = session.dialect;
    encode::list(
        &mut session.wire.out,
        if list.xlist { "XLIST" } else { "LIST" },
        &attributes,
        Some(delimiter),
        name,
        child_info,
        dialect,
    );
    // The STATUS follows its LIST line, and only where there is something (RFC 5819 §2).
    if let Some(mailbox) = &entry.mailbox {
        say_more(session, entry, mailbox, list);
    }
    true
}

/// What is told of a mailbox after its LIST response, as far as the user may know.
fn say_more(session: &mut Session, entry: &Entry, mailbox: &MailboxInfo, list: &List<'_>) {
    // Not of what is only told for something below it (RFC 8440 §4).
    let chosen = entry.subscribed || !list.select.subscribed;
    if list.returns.my_rights && chosen {
        let (name, dialect) = (&mailbox.name, session.dialect);
        encode::my_rights(&mut session.wire.out, name, entry.rights, dialect);
    }
    if !list.returns.status.is_empty() && entry.rights.all(Rights::READ) {
        status::write(session, mailbox, &list.returns.status);
    }
}

/// Whether the selection options want a name.
fn selected(entry: &Entry, list: &List<'_>, child_info: bool) -> bool {
    let select = &list.select;
    if select.special_use && entry.special_use().is_none() {
        return false;
    }
    if select.subscribed {
        return entry.subscribed || child_info;
    }
    // Names that are only subscribed don't exist; levels above mailboxes show as \Noselect.
    entry.mailbox.is_some() || entry.has_children
}

impl Entry {
    fn special_use(&self) -> Option<&'static str> {
        Some(self.mailbox.as_ref()?.special_use?.attribute())
    }
}

fn attributes(entry: &Entry, list: &List<'_>, rev2: bool) -> Vec<&'static str> {
    let ListReturn { subscribed, .. } = list.returns;
    let mut attributes = Vec::new();
    if entry.mailbox.is_none() {
        // \NonExistent implies \Noselect, but only a client that knows RFC 5258 knows it.
        attributes.push(if list.extended || rev2 {
            "\\NonExistent"
        } else {
            "\\Noselect"
        });
    }
    if (subscribed || list.select.subscribed) && entry.subscribed {
        attributes.push("\\Subscribed");
    }
    attributes.push(if entry.has_children {
        "\\HasChildren"
    } else {
        "\\HasNoChildren"
    });
    // Also in plain LIST: RFC 6154 §2 allows it, and some clients look nowhere else.
    attributes.extend(entry.special_use());
    attributes
}

/// What XLIST calls mailboxes: the words that Gmail had before RFC 6154.
fn old_attributes(name: &MailboxName, entry: &Entry) -> Vec<&'static str> {
    let mut attributes = Vec::new();
    if entry.mailbox.is_none() {
        attributes.push("\\Noselect");
    }
    attributes.push(if entry.has_children {
        "\\HasChildren"
    } else {
        "\\HasNoChildren"
    });
    if name.is_inbox() {
        attributes.push("\\Inbox");
    }
    let special_use = entry
        .mailbox
        .as_ref()
        .and_then(|mailbox| mailbox.special_use);
    attributes.extend(special_use.map(|special_use| match special_use {
        SpecialUse::All => "\\AllMail",
        SpecialUse::Flagged => "\\Starred",
        SpecialUse::Junk => "\\Spam",
        other => other.attribute(),
    }));
    attributes
}
