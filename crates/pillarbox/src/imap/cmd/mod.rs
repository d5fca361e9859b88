//! The commands, one file each. What is legal when was settled by the command table.

mod acl;
mod append;
mod authenticate;
mod close;
mod compress;
mod copy;
mod create;
mod delete;
mod enable;
mod esearch;
mod expunge;
mod filter;
mod id;
mod idle;
mod language;
pub(super) mod list;
mod login;
pub(super) mod metadata;
mod namespace;
mod notify;
mod oldname;
mod quota;
mod rename;
mod replace;
mod search;
mod select;
mod sort;
mod starttls;
mod status;
mod store;
mod subscribe;
mod uidbatches;
mod unauthenticate;

use pillarbox_model::{NumberSet, SequenceSet};
use pillarbox_proto::imap::command::Command;
use pillarbox_proto::imap::encode;

use super::outcome::{Completed, DoneCode, Halt, Outcome};
use super::upload::Upload;
use super::{Refusal, Session, fetch};

/// Does a command.
pub(super) async fn run(
    session: &mut Session,
    tag: &str,
    command: Command<'_>,
    upload: Option<Upload>,
) -> Outcome {
    let filters = filter::load(session, &command).await?;
    let command = filter::insert(session, command, &filters)?;
    if session.dialect.uid_only && command.uses_numbers() {
        return Err(Refusal::UidRequired.into());
    }
    session.heed_modseqs(&command)?;
    match command {
        Command::Capability => capability(session),
        Command::Noop | Command::Check => noop(session).await,
        Command::Logout => logout(session),
        Command::Id(fields) => id::id(session, &fields),
        Command::Language(ranges) => language::language(session, &ranges).await,
        Command::StartTls => starttls::starttls(session, tag).await,
        Command::Authenticate { mechanism, initial } => {
            authenticate::authenticate(session, mechanism, initial).await
        }
        Command::Login { user, password } => login::login(session, &user, &password).await,
        Command::Enable(names) => enable::enable(session, &names).await,
        Command::Select {
            mailbox,
            read_only,
            parameters,
        } => select::select(session, &mailbox, read_only, &parameters).await,
        Command::Create {
            mailbox,
            special_use,
        } => create::create(session, &mailbox, &special_use).await,
        Command::Delete(mailbox) => delete::delete(session, &mailbox).await,
        Command::Rename { from, to } => rename::rename(session, &from, &to).await,
        Command::Subscribe(mailbox) => subscribe::subscribe(session, &mailbox, true).await,
        Command::Unsubscribe(mailbox) => subscribe::subscribe(session, &mailbox, false).await,
        Command::List(list) => list::list(session, &list).await,
        Command::Lsub { reference, pattern } => list::lsub(session, &reference, &pattern).await,
        Command::Comparator(wanted) => language::comparator(session, &wanted),
        Command::Namespace => namespace::namespace(session),
        Command::SetAcl {
            mailbox,
            identifier,
            change,
        } => acl::set(session, &mailbox, &identifier, change).await,
        Command::DeleteAcl {
            mailbox,
            identifier,
        } => acl::delete(session, &mailbox, &identifier).await,
        Command::GetAcl(mailbox) => acl::get(session, &mailbox).await,
        Command::ListRights {
            mailbox,
            identifier,
        } => acl::list(session, &mailbox, &identifier).await,
        Command::MyRights(mailbox) => acl::mine(session, &mailbox).await,
        Command::Status { mailbox, items } => status::status(session, &mailbox, &items).await,
        Command::GetMetadata(get) => metadata::get(session, get).await,
        Command::SetMetadata { mailbox, values } => metadata::set(session, &mailbox, values).await,
        Command::GetQuota(root) => quota::get(session, &root).await,
        Command::GetQuotaRoot(mailbox) => quota::get_root(session, &mailbox).await,
        Command::SetQuota { root, limits } => quota::set(session, &root, &limits).await,
        Command::Notify(set) => notify::notify(session, set).await,
        Command::Esearch { sources, search } => {
            esearch::esearch(session, tag, &sources, &search).await
        }
        Command::Append { mailbox, messages } => {
            append::append(session, &mailbox, messages, upload).await
        }
        Command::Replace {
            uid,
            number,
            mailbox,
            message,
        } => replace::replace(session, (uid, number), &mailbox, message, upload).await,
        Command::Compress(mechanism) => compress::compress(session, tag, mechanism).await,
        Command::Unauthenticate => unauthenticate::unauthenticate(session, tag).await,
        Command::Idle => idle::idle(session).await,
        Command::Close => close::close(session).await,
        Command::Unselect => close::unselect(session),
        Command::Expunge(among) => expunge::expunge(session, among.as_ref()).await,
        Command::Search { uid, search } => search::search(session, tag, uid, &search).await,
        Command::Sort {
            uid,
            criteria,
            search,
        } => sort::sort(session, tag, uid, &criteria, &search).await,
        Command::Thread {
            uid,
            algorithm,
            search,
        } => sort::thread(session, uid, algorithm, &search).await,
        Command::CancelUpdate(tags) => sort::cancel_update(session, &tags),
        Command::UidBatches { size, range } => uidbatches::uid_batches(session, tag, size, range),
        Command::Fetch {
            uid,
            set,
            items,
            modifiers,
        } => fetch::fetch(session, uid, &set, items, &modifiers).await,
        Command::Store {
            uid,
            set,
            unchanged_since,
            action,
            silent,
            flags,
            ..
        } => {
            let change = store::Change {
                action,
                flags: &flags,
                unchanged_since,
            };
            store::store(session, uid, &set, change, silent).await
        }
        Command::Copy {
            uid,
            remove,
            set,
            mailbox,
        } => copy::copy(session, uid, remove, &set, &mailbox).await,
    }
}

/// CAPABILITY (RFC 3501 §6.1.1).
fn capability(session: &mut Session) -> Outcome {
    let list = session.capabilities();
    encode::capability(&mut session.wire.out, &list);
    Ok(Completed::default())
}

/// NOOP and CHECK (RFC 3501 §6.1.2): a client that says it wants to hear what is new.
async fn noop(session: &mut Session) -> Outcome {
    Box::pin(session.tell_events()).await?;
    Ok(Completed::default())
}

/// LOGOUT (RFC 3501 §6.1.3).
fn logout(session: &mut Session) -> Outcome {
    session.selected = None;
    session.say_bye(None, "Goodbye");
    Ok(Completed::default())
}

impl Session {
    /// The messages that a set means, as UIDs of this client's view.
    ///
    /// Unknown UIDs are passed over (RFC 3501 §6.4.8); a sequence number that does not exist is
    /// an error of the client.
    pub(super) fn resolve(&mut self, uid: bool, set: &SequenceSet) -> Result<NumberSet, Refusal> {
        let selected = self.selected()?;
        let view = &selected.view;
        if *set == SequenceSet::Saved {
            return Ok(view.known_among(&selected.saved));
        }
        let last = if uid { view.last_uid() } else { view.len() };
        let numbers = set.resolve(last).unwrap_or_default();
        if uid {
            return Ok(view.known_among(&numbers));
        }
        view.uids_at(&numbers).ok_or(Refusal::Client(
            "No message has that sequence number".into(),
        ))
    }
}
