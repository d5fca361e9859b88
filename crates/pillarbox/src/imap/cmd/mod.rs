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
    let filters = Box::pin(filter::load(session, &command)).await?;
    let command = filter::insert(session, command, &filters)?;
    if session.dialect.uid_only && command.uses_numbers() {
        return Err(Refusal::UidRequired.into());
    }
    session.heed_modseqs(&command)?;
    // Each handler lies by itself: who waits in IDLE for hours holds room for that one, and not for the largest.
    match command {
        Command::Capability => capability(session),
        Command::Noop | Command::Check => Box::pin(noop(session)).await,
        Command::Logout => logout(session),
        Command::Id(fields) => id::id(session, &fields),
        Command::Language(ranges) => Box::pin(language::language(session, &ranges)).await,
        Command::StartTls => Box::pin(starttls::starttls(session, tag)).await,
        Command::Authenticate { mechanism, initial } => {
            Box::pin(authenticate::authenticate(session, mechanism, initial)).await
        }
        Command::Login { user, password } => {
            Box::pin(login::login(session, &user, &password)).await
        }
        Command::Enable(names) => Box::pin(enable::enable(session, &names)).await,
        Command::Select {
            mailbox,
            read_only,
            parameters,
        } => Box::pin(select::select(session, &mailbox, read_only, &parameters)).await,
        Command::Create {
            mailbox,
            special_use,
        } => Box::pin(create::create(session, &mailbox, &special_use)).await,
        Command::Delete(mailbox) => Box::pin(delete::delete(session, &mailbox)).await,
        Command::Rename { from, to } => Box::pin(rename::rename(session, &from, &to)).await,
        Command::Subscribe(mailbox) => {
            Box::pin(subscribe::subscribe(session, &mailbox, true)).await
        }
        Command::Unsubscribe(mailbox) => {
            Box::pin(subscribe::subscribe(session, &mailbox, false)).await
        }
        Command::List(list) => Box::pin(list::list(session, &list)).await,
        Command::Lsub { reference, pattern } => {
            Box::pin(list::lsub(session, &reference, &pattern)).await
        }
        Command::Comparator(wanted) => language::comparator(session, &wanted),
        Command::Namespace => namespace::namespace(session),
        Command::SetAcl {
            mailbox,
            identifier,
            change,
        } => Box::pin(acl::set(session, &mailbox, &identifier, change)).await,
        Command::DeleteAcl {
            mailbox,
            identifier,
        } => Box::pin(acl::delete(session, &mailbox, &identifier)).await,
        Command::GetAcl(mailbox) => Box::pin(acl::get(session, &mailbox)).await,
        Command::ListRights {
            mailbox,
            identifier,
        } => Box::pin(acl::list(session, &mailbox, &identifier)).await,
        Command::MyRights(mailbox) => Box::pin(acl::mine(session, &mailbox)).await,
        Command::Status { mailbox, items } => {
            Box::pin(status::status(session, &mailbox, &items)).await
        }
        Command::GetMetadata(get) => Box::pin(metadata::get(session, get)).await,
        Command::SetMetadata { mailbox, values } => {
            Box::pin(metadata::set(session, &mailbox, values)).await
        }
        Command::GetQuota(root) => Box::pin(quota::get(session, &root)).await,
        Command::GetQuotaRoot(mailbox) => Box::pin(quota::get_root(session, &mailbox)).await,
        Command::SetQuota { root, limits } => Box::pin(quota::set(session, &root, &limits)).await,
        Command::Notify(set) => Box::pin(notify::notify(session, set)).await,
        Command::Esearch { sources, search } => {
            Box::pin(esearch::esearch(session, tag, &sources, &search)).await
        }
        Command::Append { mailbox, messages } => {
            Box::pin(append::append(session, &mailbox, messages, upload)).await
        }
        Command::Replace {
            uid,
            number,
            mailbox,
            message,
        } => {
            Box::pin(replace::replace(
                session,
                (uid, number),
                &mailbox,
                message,
                upload,
            ))
            .await
        }
        Command::Compress(mechanism) => Box::pin(compress::compress(session, tag, mechanism)).await,
        Command::Unauthenticate => Box::pin(unauthenticate::unauthenticate(session, tag)).await,
        Command::Idle => Box::pin(idle::idle(session)).await,
        Command::Close => Box::pin(close::close(session)).await,
        Command::Unselect => close::unselect(session),
        Command::Expunge(among) => Box::pin(expunge::expunge(session, among.as_ref())).await,
        Command::Search { uid, search } => {
            Box::pin(search::search(session, tag, uid, &search)).await
        }
        Command::Sort {
            uid,
            criteria,
            search,
        } => Box::pin(sort::sort(session, tag, uid, &criteria, &search)).await,
        Command::Thread {
            uid,
            algorithm,
            search,
        } => Box::pin(sort::thread(session, uid, algorithm, &search)).await,
        Command::CancelUpdate(tags) => sort::cancel_update(session, &tags),
        Command::UidBatches { size, range } => uidbatches::uid_batches(session, tag, size, range),
        Command::Fetch {
            uid,
            set,
            items,
            modifiers,
        } => Box::pin(fetch::fetch(session, uid, &set, items, &modifiers)).await,
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
            Box::pin(store::store(session, uid, &set, change, silent)).await
        }
        Command::Copy {
            uid,
            remove,
            set,
            mailbox,
        } => Box::pin(copy::copy(session, uid, remove, &set, &mailbox)).await,
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
