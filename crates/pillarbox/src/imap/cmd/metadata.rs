//! GETMETADATA and SETMETADATA (RFC 5464), and what LIST tells of annotations (RFC 9590).

use bytes::Bytes;
use pillarbox_model::{Depth, EntryName, MailboxId, MailboxName, Rights};
use pillarbox_proto::imap::command::{self, GetMetadata};
use pillarbox_proto::imap::encode;
use pillarbox_store::{Annotation, Error, Wanted};

use super::{Completed, DoneCode, Outcome, Refusal, Session, filter};
use crate::imap::outcome::Halt;

/// Of these a user needs one, besides `l`, to see a mailbox's annotations and to have private ones (RFC
/// 5464 §3.3).
const SEEING: Rights = Rights::from_bits(
    Rights::READ.bits()
        | Rights::SEEN.bits()
        | Rights::WRITE.bits()
        | Rights::INSERT.bits()
        | Rights::POST.bits(),
);
/// Entries in one response: bounds what is written at one go.
const AT_ONCE: usize = 8;
/// How to reach whoever runs the server (RFC 5464 §3.2.1.1).
const ADMIN: &str = "/shared/admin";

/// What is annotated: a mailbox, or the server.
type Subject = Option<(MailboxId, MailboxName)>;

/// GETMETADATA.
pub(super) async fn get(session: &mut Session, get: GetMetadata<'_>) -> Outcome {
    let subject = subject(session, &get.mailbox, Rights::NONE).await?;
    let wanted = Wanted {
        entries: get.entries,
        depth: get.depth,
        max_size: get.max_size,
    };
    let user = session.user()?.account.id;
    let of = [subject.as_ref().map(|(id, _)| *id)];
    let store = &session.endpoint.storage.store;
    let mut found = store.annotations(user, &of, &wanted).await?;
    let mut found = found.pop().unwrap_or_default();
    if subject.is_none() {
        found.extend(contact(session, &wanted));
    }
    tell(
        session,
        subject.as_ref().map(|(_, name)| name),
        &found,
        &wanted,
    )
    .await?;
    let left_out = found.iter().filter(|one| one.value.is_none());
    let longest = left_out.map(|one| one.size).max();
    Ok(Completed {
        code: longest.map_or(DoneCode::None, DoneCode::LongEntries),
        ..Completed::default()
    })
}

/// SETMETADATA: all or nothing (RFC 5464 §4.3).
pub(super) async fn set(
    session: &mut Session,
    mailbox: &[u8],
    values: Vec<(EntryName, Option<command::Bytes<'_>>)>,
) -> Outcome {
    let shared = values.iter().any(|(entry, _)| entry.is_shared());
    let needs = if shared { Rights::WRITE } else { Rights::NONE };
    let subject = subject(session, mailbox, needs).await?;
    // What all users of the server see is not for each of them to say.
    let read_only = |entry: &EntryName| entry.as_str() == ADMIN;
    let refused = shared && !session.is_admin() || values.iter().any(|(entry, _)| read_only(entry));
    if subject.is_none() && refused {
        return Err(Refusal::NoPerm.into());
    }
    if subject.is_none() {
        let values = values
            .iter()
            .filter_map(|(entry, value)| Some((entry, value.as_deref()?)));
        values
            .into_iter()
            .try_for_each(|(entry, value)| filter::check(entry, value))?;
    }
    let user = session.user()?.account.id;
    let origin = session.news.as_ref().map_or(0, |news| news.origin);
    let bytes = |value: command::Bytes<'_>| Bytes::from(value.into_owned());
    let values = values.into_iter();
    let values = values.map(|(entry, value)| (entry, value.map(bytes)));
    let store = &session.endpoint.storage.store;
    store
        .annotate(subject.map(|(id, _)| id), user, values.collect(), origin)
        .await?;
    Ok(Completed::default())
}

/// What an argument names, if the user may see its annotations and has the rights `needs`.
async fn subject(session: &Session, raw: &[u8], needs: Rights) -> Result<Subject, Refusal> {
    if raw.is_empty() {
        return Ok(None);
    }
    let found = session.visible(raw).await?;
    let found = found.ok_or(Refusal::Store(Error::NoMailbox))?;
    match found.rights.any(SEEING) && found.rights.all(needs) {
        true => Ok(Some((found.info.id, found.info.name))),
        false => Err(Refusal::NoPerm),
    }
}

/// Whether a user with these rights sees a mailbox's annotations.
pub(in crate::imap) const fn may_see(rights: Rights) -> bool {
    rights.all(Rights::LOOKUP) && rights.any(SEEING)
}

/// How to reach the administrator, if that is asked for and known.
fn contact(session: &Session, wanted: &Wanted) -> Option<Annotation> {
    let value = session.endpoint.admin_contact.as_ref()?;
    let entry = EntryName::from_stored(ADMIN);
    let size = value.len() as u64;
    let fits = wanted.max_size.is_none_or(|limit| size <= limit);
    wanted.includes(&entry).then(|| Annotation {
        entry,
        size,
        value: fits.then(|| Bytes::copy_from_slice(value.as_bytes())),
    })
}

/// Writes what there is of what was asked for. NIL stands for an entry that was named and is not there;
/// what is too large is left out.
pub(super) async fn tell(
    session: &mut Session,
    name: Option<&MailboxName>,
    found: &[Annotation],
    wanted: &Wanted,
) -> Result<(), Halt> {
    let mut told: Vec<(&str, Option<&[u8]>)> = Vec::new();
    let missing = |entry: &&EntryName| found.iter().all(|one| one.entry != **entry);
    if wanted.depth == Depth::Zero {
        let missing = wanted.entries.iter().filter(missing);
        told.extend(missing.map(|entry| (entry.as_str(), None)));
    }
    for one in found {
        let value = one.value.as_deref();
        told.extend(value.map(|value| (one.entry.as_str(), Some(value))));
    }
    told.sort_unstable();
    told.dedup();
    for some in told.chunks(AT_ONCE) {
        let dialect = session.dialect;
        encode::metadata(&mut session.wire.out, name, some.iter().copied(), dialect);
        session.wire.flush_if_full().await?;
    }
    Ok(())
}
