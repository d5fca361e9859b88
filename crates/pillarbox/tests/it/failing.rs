//! What clients see of a store that fails, and of one where others come in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pillarbox_model::{Flag, NumberSet, Resource};
use pillarbox_store::sqlite::{Engine, Settings};
use pillarbox_store::suite::memory::{Fault, Memory};
use pillarbox_store::{Error, FlagAction};

use crate::harness::Server;
use crate::interposed::{failing, interpose};

const MAIL: &str = "Subject: Hello\r\n\r\nHow are you?\r\n";

/// RFC 3501 §6.4.6: silence is about the own change. Here another session's change comes after this session
/// was last told of changes and before its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_hides_no_change_that_came_in_between() {
    let in_between = Arc::new(AtomicBool::new(false));
    let armed = in_between.clone();
    let server = Server::with(|endpoint| {
        interpose(&mut endpoint.storage, |store| {
            move |method| {
                let (store, armed) = (store.clone(), armed.clone());
                Box::pin(async move {
                    if method != "set_flags" || !armed.swap(false, Ordering::SeqCst) {
                        return Ok(());
                    }
                    let account = store.account("ann").await?.ok_or(Error::NoAccount)?;
                    let inbox = pillarbox_model::MailboxName::inbox();
                    let inbox = store.mailbox(account.id, &inbox).await?;
                    let uids: NumberSet = [1].into_iter().collect();
                    let flags: Vec<_> = Flag::parse("\\Answered").into_iter().collect();
                    let mailbox = inbox.ok_or(Error::NoMailbox)?.id;
                    store
                        .set_flags(mailbox, &uids, FlagAction::Add, &flags, None)
                        .await?;
                    Ok(())
                })
            }
        });
    });
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", MAIL).await;
    client.append("INBOX", "", MAIL).await;
    client.ok("NOOP").await;
    client
        .sees("STORE 1:2 +FLAGS.SILENT (\\Flagged)", &[])
        .await;
    in_between.store(true, Ordering::SeqCst);
    let told = client.ok("STORE 1:2 +FLAGS.SILENT (\\Seen)").await;
    assert!(
        told.iter()
            .any(|line| line == "* 1 FETCH (FLAGS (\\Answered \\Flagged \\Seen))"),
        "{told:#?}"
    );
    client.sees("STORE 1:2 -FLAGS.SILENT (\\Seen)", &[]).await;
}

fn full() -> Error {
    std::io::Error::from(std::io::ErrorKind::StorageFull).into()
}

fn away() -> Error {
    Error::Unavailable("not there".into())
}

/// A server whose store gives `error` to these calls while the switch is on.
fn server(methods: &'static [&'static str], error: fn() -> Error) -> (Server, Arc<AtomicBool>) {
    let switch = Arc::new(AtomicBool::new(false));
    let gate = failing(methods, switch.clone(), error);
    let server = Server::with(|endpoint| interpose(&mut endpoint.storage, |_| gate));
    (server, switch)
}

const WRITES: &[&str] = &[
    "append",
    "begin_blob",
    "copy",
    "create_account",
    "create_mailbox",
    "delete_mailbox",
    "expunge",
    "rename_mailbox",
    "set_flags",
    "subscribe",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_written_is_unavailable_and_reads_go_on() {
    for error in [full as fn() -> Error, away] {
        let (server, failing) = server(WRITES, error);
        let mut client = server.inbox("ann").await;
        client.append("INBOX", "\\Deleted", MAIL).await;
        client.ok("CREATE other").await;
        client.ok("NOOP").await;
        failing.store(true, Ordering::SeqCst);
        let large = "x".repeat(300 * 1024);
        for command in [
            format!("APPEND INBOX {{{}+}}\r\n{MAIL}", MAIL.len()),
            format!("APPEND INBOX {{{}+}}\r\n{large}", large.len()),
            "COPY 1 other".to_owned(),
            "MOVE 1 other".to_owned(),
            "STORE 1 +FLAGS (\\Seen)".to_owned(),
            "STORE 1 +FLAGS.SILENT (\\Seen)".to_owned(),
            "EXPUNGE".to_owned(),
            "CREATE third".to_owned(),
            "DELETE other".to_owned(),
            "RENAME other third".to_owned(),
            "SUBSCRIBE third".to_owned(),
        ] {
            let told = client.refused(&command, "NO [UNAVAILABLE]").await;
            assert_eq!(told, [""; 0], "{command}");
        }
        // Read, though it can't be marked as read.
        client
            .sees(
                "FETCH 1 (FLAGS BODY[TEXT])",
                &["* 1 FETCH (FLAGS (\\Deleted) BODY[TEXT] {14}\r\nHow are you?\r\n)"],
            )
            .await;
        client.sees("SEARCH TEXT how", &["* SEARCH 1"]).await;
        client
            .sees(
                "STATUS other (MESSAGES)",
                &["* STATUS \"other\" (MESSAGES 0)"],
            )
            .await;
        let mut late = server.login("ann").await;
        late.ok("SELECT INBOX").await;
        let mut nobody = server.connect().await;
        nobody.refused("LOGIN zoe secret", "NO [UNAVAILABLE]").await;
        failing.store(false, Ordering::SeqCst);
        assert_eq!(
            client.append("INBOX", "", MAIL).await,
            2,
            "no UID was used up"
        );
        client.ok("NOOP").await;
        client.ok("MOVE 1 other").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_on_a_store_that_can_not_write_keeps_the_marked_and_leaves_the_mailbox() {
    let (server, failing) = server(WRITES, full);
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "\\Deleted", MAIL).await;
    client.ok("NOOP").await;
    failing.store(true, Ordering::SeqCst);
    client.refused("CLOSE", "NO [UNAVAILABLE]").await;
    client.refused("FETCH 1 FLAGS", "BAD").await;
    client.ok("SELECT INBOX").await;
    client.sees("SEARCH DELETED", &["* SEARCH 1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_read_is_refused_and_the_session_lives() {
    let (server, failing) = server(
        &["mailbox", "mailboxes", "subscriptions", "open", "contents"],
        away,
    );
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "\\Seen", MAIL).await;
    client.ok("NOOP").await;
    failing.store(true, Ordering::SeqCst);
    client
        .refused("FETCH 1 BODY.PEEK[]", "NO [UNAVAILABLE]")
        .await;
    client.refused("LIST \"\" *", "NO [UNAVAILABLE]").await;
    client
        .refused("STATUS INBOX (MESSAGES)", "NO [UNAVAILABLE]")
        .await;
    client
        .sees("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Seen))"])
        .await;
    let late = format!("APPEND INBOX {{{}+}}\r\n{MAIL}", MAIL.len());
    client.refused(&late, "NO [UNAVAILABLE]").await;
    // A failed SELECT leaves nothing selected (RFC 3501 §6.3.1).
    client.refused("SELECT INBOX", "NO [UNAVAILABLE]").await;
    client.refused("FETCH 1 FLAGS", "BAD").await;
    failing.store(false, Ordering::SeqCst);
    client.ok("SELECT INBOX").await;
    client
        .sees("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Seen))"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_over_its_quota_is_told_so() {
    let (server, failing) = server(&["append", "copy", "begin_blob"], || Error::OverQuota {
        resource: Resource::Storage,
        limit: 9,
    });
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", MAIL).await;
    client.ok("CREATE other").await;
    client.ok("NOOP").await;
    failing.store(true, Ordering::SeqCst);
    let mail = format!("APPEND INBOX {{{}+}}\r\n{MAIL}", MAIL.len());
    client.refused(&mail, "NO [OVERQUOTA]").await;
    client.refused("COPY 1 other", "NO [OVERQUOTA]").await;
    let large = "x".repeat(300 * 1024);
    // Said before the bytes are asked for (RFC 3501 §7.5: no "+" where the command fails anyway).
    client
        .send(format!("a APPEND INBOX {{{}}}\r\n", large.len()))
        .await;
    assert!(client.line().await.starts_with("a NO [OVERQUOTA]"));
    client.ok("NOOP").await;
}

/// The engine itself, over a disk that is full and then one whose sync fails: no message can be added, and all
/// that are there can be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_and_a_broken_one() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(Memory::default());
    let engine = Engine::open(
        Settings::new(&directory.path().join("index.db")),
        disk.clone(),
    );
    let engine = Arc::new(engine.unwrap());
    let server = Server::with(|endpoint| {
        Arc::get_mut(&mut endpoint.storage).unwrap().store = engine;
    });
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", MAIL).await;
    client.ok("NOOP").await;
    let append = format!("APPEND INBOX {{{}+}}\r\n{MAIL}x\r\n", MAIL.len() + 3);
    let body = format!("* 1 FETCH (BODY[] {{{}}}\r\n{MAIL})", MAIL.len());
    disk.fail(Some(Fault::Full));
    client.refused(&append, "NO [UNAVAILABLE]").await;
    client.sees("FETCH 1 BODY.PEEK[]", &[&body]).await;
    // What needs no room for messages goes on.
    client
        .sees(
            "STORE 1 +FLAGS (\\Flagged)",
            &["* 1 FETCH (FLAGS (\\Flagged))"],
        )
        .await;
    disk.fail(None);
    client.ok(&append).await;
    disk.fail(Some(Fault::Sync));
    client.refused(&append, "NO [UNAVAILABLE]").await;
    client.sees("FETCH 1 BODY.PEEK[]", &[&body]).await;
    let mut late = server.login("ann").await;
    late.ok("EXAMINE INBOX").await;
    late.sees("FETCH 1 BODY.PEEK[]", &[&body]).await;
}
