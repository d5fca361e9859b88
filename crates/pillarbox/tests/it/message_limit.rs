//! Bounds on the messages of one command (RFC 9738).

use crate::harness::{Client, Server};

const MAIL: &str = "Subject: Hello\r\n\r\nHow are you?\r\n";

/// A server where a command may touch so many messages, or save so many.
fn limited(messages: Option<u32>, saved: Option<u32>) -> Server {
    Server::with(|endpoint| {
        endpoint.limits.messages = messages;
        endpoint.limits.saved_messages = saved;
    })
}

/// Ann's INBOX with this many messages.
async fn filled(server: &Server, messages: u32) -> Client {
    let mut client = server.inbox("ann").await;
    for _ in 0..messages {
        client.append("INBOX", "", MAIL).await;
    }
    client.ok("NOOP").await;
    client.ok("CREATE other").await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_is_announced_as_one_or_the_other() {
    for (messages, saved, told) in [
        (None, None, None),
        (Some(1_000), None, Some(" MESSAGELIMIT=1000")),
        (None, Some(2_000), Some(" SAVELIMIT=2000")),
        (Some(1_000), Some(2_000), Some(" MESSAGELIMIT=1000")),
    ] {
        let server = limited(messages, saved);
        let mut client = server.login("ann").await;
        let list = client.ok("CAPABILITY").await.remove(0);
        assert_eq!(
            list.matches("LIMIT=").count() - 1,
            usize::from(told.is_some())
        );
        assert!(told.is_none_or(|told| list.contains(told)), "{list}");
    }
}

/// RFC 9738 §3.1: the newest messages first; where it stopped is told, and from there the client goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_done_in_parts_is_done_to_the_newest() {
    let server = limited(Some(3), None);
    let mut client = filled(&server, 7).await;
    let lines = client.ok("FETCH 1:* UID").await;
    assert_eq!(
        lines,
        [
            "* 5 FETCH (UID 5)",
            "* 6 FETCH (UID 6)",
            "* 7 FETCH (UID 7)",
            "OK [MESSAGELIMIT 3 5] FETCH completed",
        ]
    );
    let lines = client.ok("UID FETCH 1:4 UID").await;
    assert_eq!(
        lines[lines.len() - 1],
        "OK [MESSAGELIMIT 3 2] UID FETCH completed"
    );
    client.sees("UID FETCH 1 UID", &["* 1 FETCH (UID 1)"]).await;
    let lines = client.ok("UID STORE 1:* +FLAGS.SILENT (\\Flagged)").await;
    assert_eq!(lines, ["OK [MESSAGELIMIT 3 5] UID STORE completed"]);
    // What is looked at counts, not what matches.
    let lines = client.ok("UID SEARCH FLAGGED").await;
    assert_eq!(
        lines,
        [
            "* SEARCH 5 6 7",
            "OK [MESSAGELIMIT 3 5] UID SEARCH completed"
        ]
    );
    let lines = client.ok("UID SEARCH UIDBEFORE 5 FLAGGED").await;
    assert_eq!(
        lines,
        ["* SEARCH", "OK [MESSAGELIMIT 3 2] UID SEARCH completed"]
    );
    client
        .sees("UID SEARCH UIDBEFORE 4 ALL", &["* SEARCH 1 2 3"])
        .await;
    let lines = client.ok("SEARCH RETURN (SAVE COUNT) ALL").await;
    assert!(lines[0].contains("COUNT 3"), "{lines:?}");
    client
        .sees(
            "UID FETCH $ UID",
            &[
                "* 5 FETCH (UID 5)",
                "* 6 FETCH (UID 6)",
                "* 7 FETCH (UID 7)",
            ],
        )
        .await;
    let lines = client.ok("MOVE 1:* other").await;
    assert!(lines[0].contains(" 5:7 1:3]"), "{lines:?}");
    assert_eq!(
        lines.last().unwrap(),
        "OK [MESSAGELIMIT 3 5] MOVE completed"
    );
    client
        .sees(
            "STATUS other (MESSAGES UNSEEN)",
            &["* STATUS \"other\" (MESSAGES 3 UNSEEN 3)"],
        )
        .await;
}

/// RFC 9738 §3.1: all or nothing can't be done to a part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_whole_is_refused() {
    let server = limited(Some(3), None);
    let mut client = filled(&server, 5).await;
    client
        .refused("COPY 1:4 other", "NO [MESSAGELIMIT 3 2]")
        .await;
    client
        .refused("UID COPY 1:* other", "NO [MESSAGELIMIT 3 3]")
        .await;
    let four = " {1+}\r\nx".repeat(4);
    client
        .refused(&format!("APPEND other{four}"), "NO [MESSAGELIMIT 3]")
        .await;
    client
        .refused("SORT (ARRIVAL) UTF-8 ALL", "NO [MESSAGELIMIT 3 3]")
        .await;
    client
        .refused("UID THREAD REFERENCES UTF-8 ALL", "NO [MESSAGELIMIT 3 3]")
        .await;
    client
        .sees(
            "STATUS other (MESSAGES)",
            &["* STATUS \"other\" (MESSAGES 0)"],
        )
        .await;
    client.ok("COPY 1:3 other").await;
    client.ok("UID SORT (ARRIVAL) UTF-8 UID 3:5").await;
    let three = " {1+}\r\nx".repeat(3);
    client.ok(&format!("APPEND other{three}")).await;
}

/// RFC 9738 §3.1: UID EXPUNGE has the limit, of messages that are marked; EXPUNGE, CLOSE and STATUS have none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expunges_of_named_messages_stop_and_others_do_not() {
    let server = limited(Some(2), None);
    let mut client = filled(&server, 8).await;
    for set in ["1:2", "3", "6:7"] {
        client
            .ok(&format!("UID STORE {set} +FLAGS.SILENT (\\Deleted)"))
            .await;
    }
    client.ok("ENABLE QRESYNC").await;
    // Two codes: one has a line of its own.
    let lines = client.ok("UID EXPUNGE 1:*").await;
    assert_eq!(
        lines[..2],
        [
            "* VANISHED 6:7",
            "* NO [MESSAGELIMIT 2 6] Only the newest messages were looked at",
        ]
    );
    assert!(lines[2].starts_with("OK [HIGHESTMODSEQ "), "{lines:?}");
    let lines = client.ok("UID EXPUNGE 2:*").await;
    assert_eq!(lines[0], "* VANISHED 2:3");
    for uid in [4, 5, 8] {
        client
            .ok(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"))
            .await;
    }
    client.sees("EXPUNGE", &["* VANISHED 1,4:5,8"]).await;
    client
        .sees(
            "STATUS INBOX (MESSAGES UNSEEN)",
            &["* STATUS INBOX (MESSAGES 0 UNSEEN 0)"],
        )
        .await;
}

/// RFC 9738 §3: only what is saved is bounded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_on_saving_is_about_copy_and_append_alone() {
    let server = limited(None, Some(2));
    let mut client = filled(&server, 4).await;
    client
        .refused("COPY 1:3 other", "NO [MESSAGELIMIT 2 2]")
        .await;
    let three = " {1+}\r\nx".repeat(3);
    client
        .refused(&format!("APPEND other{three}"), "NO [MESSAGELIMIT 2]")
        .await;
    client.ok("COPY 3:4 other").await;
    assert_eq!(client.ok("FETCH 1:* UID").await.len(), 5);
    client.sees("UID SEARCH ALL", &["* SEARCH 1 2 3 4"]).await;
    assert_eq!(
        client.ok("STORE 1:* +FLAGS (x)").await.last().unwrap(),
        "OK STORE completed"
    );
}

/// RFC 9738 §3.2: keys that name what a command left, whatever `*` may be by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_go_on_where_they_stopped() {
    let server = Server::start();
    let mut client = filled(&server, 4).await;
    for (key, found) in [
        ("UIDAFTER 2", " 3 4"),
        ("UIDAFTER 4", ""),
        ("UIDAFTER 4294967295", ""),
        ("UIDBEFORE 1", ""),
        ("UIDBEFORE 3", " 1 2"),
        ("UIDAFTER 1 UIDBEFORE 4", " 2 3"),
        ("NOT UIDAFTER 1", " 1"),
    ] {
        client
            .sees(&format!("UID SEARCH {key}"), &[&format!("* SEARCH{found}")])
            .await;
    }
    for bad in ["UIDAFTER", "UIDAFTER 0", "UIDBEFORE *", "UIDAFTER 1:2"] {
        client.refused(&format!("UID SEARCH {bad}"), "BAD").await;
    }
}

/// RFC 10022 §3.4: no batch is larger than what a command may touch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_no_larger_than_the_limit() {
    let server = limited(Some(3), None);
    let mut client = filled(&server, 7).await;
    let lines = client.ok("UIDBATCHES 2000").await;
    assert!(lines[0].ends_with(") 7:5,4:2,1:1"), "{lines:?}");
}

crate::dialect::also_in_rev2!(
    the_limit_is_announced_as_one_or_the_other,
    what_can_be_done_in_parts_is_done_to_the_newest,
    what_is_done_whole_is_refused,
    expunges_of_named_messages_stop_and_others_do_not,
    a_limit_on_saving_is_about_copy_and_append_alone,
    searches_go_on_where_they_stopped,
    batches_are_no_larger_than_the_limit,
);
