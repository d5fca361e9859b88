//! SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2; with CONDSTORE and QRESYNC RFC 7162).

use std::sync::Arc;

use pillarbox_model::{Acl, Rights, View};
use pillarbox_proto::imap::command::SelectParameter;
use pillarbox_proto::imap::encode::{self, Code, Dialect, Status};

use super::{Completed, DoneCode, Outcome, Session};
use crate::imap::Selected;
use crate::imap::facts::mailbox_id;

/// SELECT and EXAMINE. A failed one leaves no mailbox selected (RFC 3501 §6.3.1).
pub(super) async fn select(
    session: &mut Session,
    mailbox: &[u8],
    read_only: bool,
    parameters: &[SelectParameter],
) -> Outcome {
    if session.selected.take().is_some() {
        // What follows is about another mailbox, or none (RFC 7162 §3.2.11).
        let out = &mut session.wire.out;
        encode::untagged(out, Status::Ok, Some(&Code::Closed), "Closed");
    }
    let found = session.find(mailbox, Rights::READ).await?;
    let opened = session.endpoint.storage.store.open(found.info.id).await?;
    session.endpoint.storage.store.refresh(&opened).await?;
    let acl = opened.acl();
    let may = (session.rights_on(found.info.account, &acl), acl);
    let (dialect, out) = (session.dialect, &mut session.wire.out);
    let selected = look(opened.join(), may, read_only, dialect, out);
    // RFC 4314 §5.2; all flags are shared here.
    let changes = Rights::INSERT | Rights::EXPUNGE | Rights::FLAGS;
    let writable = !read_only && selected.rights.any(changes);
    session.tell_selected(mailbox, &found.info);
    if session.announces("CONDSTORE") {
        selected.tell_modseq(&mut session.wire.out, "Highest mod-sequence");
    }
    session.selected = Some(selected);
    for parameter in parameters {
        if let Err(halt) = session.catch_up(parameter).await {
            session.selected = None;
            return Err(halt);
        }
    }
    Ok(Completed {
        code: if writable {
            DoneCode::ReadWrite
        } else {
            DoneCode::ReadOnly
        },
        text: if read_only {
            "EXAMINE completed"
        } else {
            "SELECT completed"
        },
        ..Completed::default()
    })
}

/// Takes the first look and says what is there, both at one moment.
fn look(
    member: pillarbox_store::Member,
    (rights, acl): (Rights, Arc<Acl>),
    read_only: bool,
    dialect: Dialect,
    out: &mut Vec<u8>,
) -> Selected {
    let mailbox = member.mailbox().clone();
    let rows = mailbox.read();
    let selected = match dialect.uid_only {
        true => {
            let view = View::without_numbers(rows.len() as u32, rows.last_uid());
            Selected::over(member, &rows, read_only, view)
        }
        false => Selected::new(member, &rows, read_only),
    };
    let selected = Selected {
        rights,
        acl,
        ..selected
    };
    encode::exists(out, selected.view.len());
    if !dialect.rev2 {
        encode::recent(out, 0);
    }
    selected.write_flags(rows.keywords(), out);
    // It is named by number (RFC 3501 §7.1), and to nobody who has given these up.
    let numbered = rows.first_unseen().filter(|_| !dialect.uid_only);
    let first_unseen = numbered.and_then(|uid| selected.view.seq(uid.0));
    let uid_next = rows.uid_next();
    drop(rows);
    selected.member.synced(selected.told_expunges);
    // RFC 9051 appendix E has neither this nor RECENT any more.
    if let Some(seq) = first_unseen.filter(|_| !dialect.rev2) {
        encode::untagged(
            out,
            Status::Ok,
            Some(&Code::Unseen(seq)),
            "First unseen message",
        );
    }
    let validity = Code::UidValidity(mailbox.uid_validity().0);
    encode::untagged(out, Status::Ok, Some(&validity), "UIDs are valid");
    encode::untagged(
        out,
        Status::Ok,
        Some(&Code::UidNext(uid_next)),
        "Predicted next UID",
    );
    // RFC 8474 §4.2.
    let id = mailbox_id(mailbox.id(), mailbox.uid_validity());
    let code = Code::MailboxId(&id);
    encode::untagged(out, Status::Ok, Some(&code), "Mailbox id");
    selected
}
