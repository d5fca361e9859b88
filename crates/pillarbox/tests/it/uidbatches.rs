//! A mailbox in even pieces (RFC 10022).

use crate::harness::{Client, Server};

/// Ann's INBOX with this many messages, some hundred at a time.
async fn filled(server: &Server, messages: usize) -> Client {
    let mut client = server.inbox("ann").await;
    let mut left = messages;
    while left > 0 {
        let some = left.min(500);
        let messages: String = (0..some).map(|_| " {1+}\r\nx").collect();
        client.ok(&format!("APPEND INBOX{messages}")).await;
        left -= some;
    }
    client.ok("NOOP").await;
    client
}

/// What UIDBATCHES tells, its tag aside.
async fn batches(client: &mut Client, arguments: &str) -> String {
    let lines = client.ok(&format!("UIDBATCHES {arguments}")).await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    let start = format!("* UIDBATCHES (TAG \"{}\")", client.last_tag());
    lines[0].strip_prefix(&start).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_told_from_the_newest_on() {
    let server = Server::start();
    let mut client = filled(&server, 1_203).await;
    for (arguments, expected) in [
        ("500", "1203:704,703:204,203:1"),
        ("1203", "1203:1"),
        ("1202", "1203:2,1:1"),
        ("4294967295", "1203:1"),
        ("500 1:1", "1203:704"),
        ("500 2:3", "703:204,203:1"),
        ("500 3:900", "203:1"),
        ("500 4:4", ""),
        ("500 4294967295:4294967295", ""),
    ] {
        assert_eq!(
            batches(&mut client, arguments).await,
            expected,
            "{arguments}"
        );
    }
    // Gaps count for nothing, and belong to some batch.
    client
        .ok("UID STORE 1,704:903,1203 +FLAGS.SILENT (\\Deleted)")
        .await;
    client.ok("EXPUNGE").await;
    assert_eq!(batches(&mut client, "500").await, "1202:503,502:3,2:1");
    // Also without sequence numbers (§3.5), and while others expunge.
    let mut other = server.login("ann").await;
    other.ok("ENABLE UIDONLY").await;
    other.ok("SELECT INBOX").await;
    assert_eq!(batches(&mut other, "500").await, "1202:503,502:3,2:1");
    client.ok("UID STORE 1000 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("EXPUNGE").await;
    let lines = other.ok("UIDBATCHES 500").await;
    assert!(lines.contains(&"* VANISHED 1000".to_owned()), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_mailbox_has_no_batch() {
    let server = Server::start();
    let mut client = filled(&server, 0).await;
    assert_eq!(batches(&mut client, "500").await, "");
    assert_eq!(batches(&mut client, "500 1:9").await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_saved_result_stays_as_it_is() {
    let server = Server::start();
    let mut client = filled(&server, 3).await;
    client.ok("UID SEARCH RETURN (SAVE) UID 2").await;
    batches(&mut client, "500").await;
    client.sees("UID FETCH $ UID", &["* 2 FETCH (UID 2)"]).await;
}

/// RFC 10022 §3.1.3.2: sequence numbers can't be made of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_not_small_and_what_is_no_batch_is_refused() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client.refused("UIDBATCHES 500", "BAD").await;
    client.ok("SELECT INBOX").await;
    client.refused("UIDBATCHES 499", "NO [TOOFEW]").await;
    client.refused("UIDBATCHES 1 1:1", "NO [TOOFEW]").await;
    client
        .refused("UIDBATCHES 500 20:10", "BAD [CLIENTBUG]")
        .await;
    for bad in [
        "",
        " 0",
        " x",
        " 500 0:1",
        " 500 1",
        " 500 1:",
        " 500 1:2 x",
        " 500 1:*",
    ] {
        client.refused(&format!("UIDBATCHES{bad}"), "BAD").await;
    }
}

crate::dialect::also_in_rev2!(
    batches_are_told_from_the_newest_on,
    an_empty_mailbox_has_no_batch,
    the_saved_result_stays_as_it_is,
    batches_are_not_small_and_what_is_no_batch_is_refused,
);
