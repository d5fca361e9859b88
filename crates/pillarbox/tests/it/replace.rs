//! REPLACE (RFC 8508).

use crate::harness::{Client, Server};

async fn with_drafts(server: &Server) -> Client {
    let mut client = server.inbox("ann").await;
    client.ok("CREATE Sent").await;
    for text in ["one", "two", "three"] {
        client
            .append(
                "INBOX",
                "\\Draft $label",
                &format!("Subject: {text}\r\n\r\n{text}"),
            )
            .await;
    }
    client.ok("NOOP").await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_is_replaced_in_one_step() {
    let server = Server::start();
    let mut client = with_drafts(&server).await;
    let mut other = server.inbox("ann").await;
    client.send("a REPLACE 2 INBOX (\\Seen) {10}\r\n").await;
    assert!(client.line().await.starts_with("+ "));
    client.send("X: y\r\n\r\nab\r\n").await;
    let told = client.until("a").await;
    assert!(
        told[0].starts_with("* OK [APPENDUID ") && told[0].contains(" 4] "),
        "{told:?}"
    );
    assert_eq!(told[told.len() - 1], "OK REPLACE completed");
    let told: Vec<&str> = told[1..told.len() - 1].iter().map(String::as_str).collect();
    // \Deleted is never told, and nothing is inherited.
    assert!(
        told.contains(&"* 2 EXPUNGE") && !told.concat().contains("Deleted"),
        "{told:?}"
    );
    client
        .sees("FETCH 3 (UID FLAGS)", &["* 3 FETCH (UID 4 FLAGS (\\Seen))"])
        .await;
    let seen = other.ok("NOOP").await;
    assert!(seen.iter().any(|line| line == "* 2 EXPUNGE"), "{seen:?}");
    // By UID, into another mailbox, of the last one.
    let told = client.ok("UID REPLACE 3 Sent {8+}\r\nX: y\r\n\r\n").await;
    assert!(told[0].starts_with("* OK [APPENDUID "), "{told:?}");
    assert!(told.iter().any(|line| line == "* 2 EXPUNGE"), "{told:?}");
    client.ok("REPLACE * Sent ~{8+}\r\nX: y\r\n\r\n").await;
    client
        .sees(
            "STATUS Sent (MESSAGES UNSEEN)",
            &["* STATUS \"Sent\" (MESSAGES 2 UNSEEN 2)"],
        )
        .await;
    client.sees("UID SEARCH ALL", &["* SEARCH 1"]).await;
}

/// All that can be known is said before the message is asked for, and what was sent unasked is passed over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c30_refusals_come_before_the_message() {
    let server = Server::start();
    let mut client = with_drafts(&server).await;
    for (command, refusal) in [
        ("REPLACE 9 INBOX", "BAD"),
        ("UID REPLACE 9 INBOX", "NO [NONEXISTENT]"),
        ("REPLACE 1 nowhere", "NO [TRYCREATE]"),
        ("REPLACE 1 .bad.", "NO [CANNOT]"),
    ] {
        client.refused(&format!("{command} {{5}}"), refusal).await;
        client
            .refused(
                &format!("{command} {{16+}}\r\nx\r\nz LOGOUT\r\n123"),
                refusal,
            )
            .await;
    }
    client
        .refused("REPLACE 1 INBOX {99999999}", "NO [TOOBIG]")
        .await;
    client.refused("REPLACE 1 INBOX {0}", "NO").await;
    for wrong in [
        "REPLACE 0 INBOX {1+}\r\nx",
        "REPLACE 1:2 INBOX {1+}\r\nx",
        "REPLACE INBOX {1+}\r\nx",
        "REPLACE 1 INBOX",
        "REPLACE 1 INBOX {4+}\r\nX: y {4+}\r\nX: y",
        "UID APPEND INBOX {1+}\r\nx",
    ] {
        client.refused(wrong, "BAD").await;
    }
    client.sees("SEARCH ALL", &["* SEARCH 1 2 3"]).await;
    client.ok("EXAMINE INBOX").await;
    client.refused("REPLACE 1 INBOX {1}", "NO").await;
    client.ok("UNSELECT").await;
    client.refused("REPLACE 1 INBOX {1}", "BAD").await;
    client.ok("SELECT INBOX").await;
    client.sees("SEARCH ALL", &["* SEARCH 1 2 3"]).await;
}

/// Somebody else removes it, before or while the message comes: then nothing is added.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_can_not_be_replaced() {
    let server = Server::start();
    let mut client = with_drafts(&server).await;
    let mut other = server.inbox("ann").await;
    client.send("a REPLACE 1 INBOX {10}\r\n").await;
    assert!(client.line().await.starts_with("+ "));
    other.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    client.send("X: y\r\n\r\nab\r\n").await;
    let told = client.until("a").await;
    assert!(
        told.last().unwrap().starts_with("NO [EXPUNGEISSUED]"),
        "{told:?}"
    );
    client.ok("NOOP").await;
    let told = client
        .refused("UID REPLACE 2 INBOX {1}", "NO [NONEXISTENT]")
        .await;
    assert!(told.is_empty(), "{told:?}");
    client
        .sees(
            "STATUS INBOX (MESSAGES UIDNEXT)",
            &["* STATUS INBOX (MESSAGES 1 UIDNEXT 4)"],
        )
        .await;
}

/// A client that breaks off has replaced nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c30_a_broken_off_replace_leaves_everything() {
    let server = Server::start();
    let mut client = with_drafts(&server).await;
    client.send("a REPLACE 1 INBOX {100+}\r\nhalf").await;
    drop(client);
    let mut client = server.inbox("ann").await;
    client.sees("UID SEARCH ALL", &["* SEARCH 1 2 3"]).await;
}

/// RFC 8508 §3.4: only the net counts, before the message is asked for as in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_account_may_replace_what_is_as_large() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let mail = format!("X: y\r\n\r\n{}", "0123456789".repeat(300));
    client.append("INBOX", "", &mail).await;
    client.ok("NOOP").await;
    let store = server.store();
    let account = store.account("ann").await.unwrap().unwrap().id;
    let limits = pillarbox_model::PerResource {
        storage: pillarbox_store::Limit::At(4_096),
        message: pillarbox_store::Limit::At(1),
        mailbox: pillarbox_store::Limit::Default,
    };
    store.set_quota(account, limits).await.unwrap();
    client
        .refused("APPEND INBOX {3000}", "NO [OVERQUOTA]")
        .await;
    let size = mail.len();
    client
        .ok(&format!("REPLACE 1 INBOX {{{size}+}}\r\n{mail}"))
        .await;
    client
        .refused("REPLACE 1 INBOX {9000}", "NO [OVERQUOTA]")
        .await;
    client.sees("UID SEARCH ALL", &["* SEARCH 2"]).await;
}
