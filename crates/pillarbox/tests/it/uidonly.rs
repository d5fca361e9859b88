//! Clients that use no sequence numbers (RFC 9586).

use crate::harness::{Client, Server};

const MAIL: &str = "Subject: Hello\r\n\r\nHow are you?\r\n";

/// Ann's INBOX with messages 2, 4 and 5, and a client that has enabled these extensions.
async fn gappy(server: &Server, enable: &str) -> Client {
    let mut client = server.inbox("ann").await;
    for _ in 0..5 {
        client.append("INBOX", "", MAIL).await;
    }
    client.ok("UID STORE 1,3 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("EXPUNGE").await;
    let mut client = server.login("ann").await;
    client.ok(&format!("ENABLE {enable}")).await;
    client.ok("SELECT INBOX").await;
    client
}

/// RFC 9586 §3, §3.2, §3.5, §3.7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_names_messages_by_number_is_refused() {
    let server = Server::start();
    let mut client = gappy(&server, "UIDONLY QRESYNC").await;
    let required = "BAD [UIDREQUIRED]";
    for command in [
        "FETCH 1 UID",
        "FETCH * FLAGS",
        "FETCH $ FLAGS",
        "STORE 1 +FLAGS (\\Seen)",
        "COPY 1:* INBOX",
        "MOVE 1 INBOX",
        "SEARCH ALL",
        "SEARCH UID 1:*",
        "UID SEARCH 1",
        "ESEARCH IN (selected) 1",
        "SORT (ARRIVAL) UTF-8 ALL",
        "UID SORT (ARRIVAL) UTF-8 1",
        "THREAD REFERENCES UTF-8 ALL",
        "UID THREAD REFERENCES UTF-8 NOT 1:*",
        "UID SEARCH OR SEEN NOT 2:*",
        "UID SEARCH RETURN (SAVE) (SEEN *)",
        "SELECT INBOX (QRESYNC (1 1 1:5 (1 1)))",
    ] {
        assert_eq!(
            client.refused(command, required).await,
            [""; 0],
            "{command}"
        );
    }
    // None of it changed anything, or left the mailbox.
    client
        .sees(
            "UID FETCH 1:* FLAGS",
            &[
                "* 2 UIDFETCH (FLAGS ())",
                "* 4 UIDFETCH (FLAGS ())",
                "* 5 UIDFETCH (FLAGS ())",
            ],
        )
        .await;
    // Not enabled, all of it is as ever.
    let mut other = server.inbox("ann").await;
    other.sees("FETCH 3 UID", &["* 3 FETCH (UID 5)"]).await;
}

/// RFC 9586 §3.3: answers begin with the UID, which is an item only if it was asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_begin_with_the_uid() {
    let server = Server::start();
    let mut client = gappy(&server, "UIDONLY").await;
    for (command, expected) in [
        ("UID FETCH 4 FLAGS", &["* 4 UIDFETCH (FLAGS ())"][..]),
        (
            "UID FETCH 4 (UID FLAGS)",
            &["* 4 UIDFETCH (UID 4 FLAGS ())"],
        ),
        ("UID FETCH * UID", &["* 5 UIDFETCH (UID 5)"]),
        (
            "UID FETCH 90:* RFC822.SIZE",
            &["* 5 UIDFETCH (RFC822.SIZE 32)"],
        ),
        ("UID FETCH 1,3,6:9 FLAGS", &[]),
        (
            "UID FETCH 1:2 BODY[TEXT]<0.3>",
            &["* 2 UIDFETCH (BODY[TEXT]<0> {3}\r\nHow FLAGS (\\Seen))"],
        ),
        (
            "UID STORE 2:4 FLAGS (\\Flagged)",
            &[
                "* 2 UIDFETCH (FLAGS (\\Flagged))",
                "* 4 UIDFETCH (FLAGS (\\Flagged))",
            ],
        ),
        ("UID STORE 1:* -FLAGS.SILENT (\\Flagged)", &[]),
        ("UID SEARCH ALL", &["* SEARCH 2 4 5"]),
        ("UID SEARCH UID 3:4", &["* SEARCH 4"]),
        ("UID SEARCH UID *", &["* SEARCH 5"]),
        ("UID SEARCH RETURN (SAVE) UID 4:*", &[]),
        ("UID SEARCH $", &["* SEARCH 4 5"]),
    ] {
        client.sees(command, expected).await;
    }
    let lines = client.ok("UID SEARCH RETURN (MIN MAX COUNT ALL) ALL").await;
    for told in [" UID ", "MIN 2", "MAX 5", "COUNT 3", "ALL 2,4:5"] {
        assert!(lines[0].contains(told), "{lines:?}");
    }
    let lines = client.ok("UID COPY 2:5 INBOX").await;
    assert!(lines.last().unwrap().contains(" 2,4:5 6:8]"), "{lines:?}");
}

/// RFC 9586 §3.4, §3.6: how many there are is told as ever, what goes by UID.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_has_no_numbers_but_how_many_there_are() {
    let server = Server::start();
    let mut client = gappy(&server, "UIDONLY").await;
    let mut other = server.inbox("ann").await;
    other.ok("UID STORE 4 +FLAGS (x)").await;
    let lines = client.ok("NOOP").await;
    assert_eq!(lines[lines.len() - 2], "* 4 UIDFETCH (FLAGS (x))");
    other.append("INBOX", "", MAIL).await;
    other.append("INBOX", "\\Deleted", MAIL).await;
    client.sees("NOOP", &["* 5 EXISTS", "* 0 RECENT"]).await;
    other.ok("UID STORE 2,4 +FLAGS (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    // One that came and went was never announced.
    other.append("INBOX", "\\Deleted", MAIL).await;
    other.ok("EXPUNGE").await;
    // Nothing is told in answer to what is refused: the next that may tell it does.
    client.refused("FETCH 1 UID", "BAD [UIDREQUIRED]").await;
    client.sees("NOOP", &["* VANISHED 2,4,7"]).await;
    client
        .sees("UID FETCH * UID", &["* 6 UIDFETCH (UID 6)"])
        .await;
    other.append("INBOX", "", MAIL).await;
    client.sees("NOOP", &["* 3 EXISTS", "* 0 RECENT"]).await;
    client
        .sees(
            "UID FETCH 1:* UID",
            &[
                "* 5 UIDFETCH (UID 5)",
                "* 6 UIDFETCH (UID 6)",
                "* 9 UIDFETCH (UID 9)",
            ],
        )
        .await;
    // EXPUNGE names no message, and is legal.
    client.ok("UID STORE 5 +FLAGS.SILENT (\\Deleted)").await;
    client.sees("EXPUNGE", &["* VANISHED 5"]).await;
    client.ok("UID STORE 6 +FLAGS.SILENT (\\Deleted)").await;
    client.sees("UID EXPUNGE 1:8", &["* VANISHED 6"]).await;
    client.ok("CREATE other").await;
    let lines = client.ok("UID MOVE 1:* other").await;
    assert!(
        lines[0].contains("[COPYUID ") && lines[1] == "* VANISHED 9",
        "{lines:?}"
    );
    client.sees("UID FETCH 1:* UID", &[]).await;
    client.append("INBOX", "", MAIL).await;
    client.ok("NOOP").await;
    client.ok("UID STORE 10 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("CLOSE").await;
    let lines = client.ok("SELECT INBOX").await;
    assert!(lines.contains(&"* 0 EXISTS".to_owned()), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selecting_tells_no_number_of_a_message() {
    let server = Server::start();
    let mut client = gappy(&server, "UIDONLY").await;
    let lines = client.ok("SELECT INBOX").await;
    assert!(lines.contains(&"* 3 EXISTS".to_owned()), "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.contains("UNSEEN")),
        "{lines:?}"
    );
}

/// RFC 9586 §3.1: also with a mailbox selected. What happened before is told by number, what comes after by UID.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_may_be_given_up_with_a_mailbox_open() {
    let server = Server::start();
    let mut other = gappy(&server, "CONDSTORE").await;
    let mut client = server.inbox("ann").await;
    other.ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    client
        .sees("ENABLE UIDONLY", &["* 1 EXPUNGE", "* ENABLED UIDONLY"])
        .await;
    client
        .sees(
            "UID FETCH 1:* UID",
            &["* 4 UIDFETCH (UID 4)", "* 5 UIDFETCH (UID 5)"],
        )
        .await;
    other.ok("UID STORE 5 +FLAGS.SILENT (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    client.sees("NOOP", &["* VANISHED 5"]).await;
    client.sees("ENABLE UIDONLY", &["* ENABLED UIDONLY"]).await;
}

/// RFC 9586 §3.7, RFC 7162: with mod-sequences.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catching_up_needs_no_numbers() {
    let server = Server::start();
    let mut client = gappy(&server, "UIDONLY QRESYNC").await;
    let lines = client.ok("STATUS INBOX (UIDVALIDITY)").await;
    let validity = lines[0].split("UIDVALIDITY ").nth(1).unwrap();
    let validity = validity.trim_end_matches(')').to_owned();
    client
        .sees(
            "UID STORE 4 +FLAGS.SILENT (\\Seen)",
            &["* 4 UIDFETCH (MODSEQ (9))"],
        )
        .await;
    let lines = client
        .ok(&format!("SELECT INBOX (QRESYNC ({validity} 7 1:9))"))
        .await;
    assert_eq!(
        lines[lines.len() - 3..lines.len() - 1],
        [
            "* VANISHED (EARLIER) 1,3",
            "* 4 UIDFETCH (FLAGS (\\Seen) MODSEQ (9))"
        ]
    );
    for since in [0, 7] {
        let lines = client
            .ok(&format!(
                "UID FETCH 1:* FLAGS (CHANGEDSINCE {since} VANISHED)"
            ))
            .await;
        assert_eq!(lines[0], "* VANISHED (EARLIER) 1,3", "{since}");
    }
    // What it was not told yet is not what vanished earlier.
    let mut other = server.inbox("ann").await;
    other.ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    client
        .sees(
            "UID FETCH 1:3 FLAGS (CHANGEDSINCE 9 VANISHED)",
            &["* VANISHED 2"],
        )
        .await;
    client
        .sees(
            "UID FETCH 1:3 FLAGS (CHANGEDSINCE 9 VANISHED)",
            &["* VANISHED (EARLIER) 2"],
        )
        .await;
    let lines = client
        .ok("UID STORE 4:5 (UNCHANGEDSINCE 8) +FLAGS.SILENT (x)")
        .await;
    assert!(
        lines.last().unwrap().starts_with("OK [MODIFIED 4]"),
        "{lines:?}"
    );
    client
        .sees("UID SEARCH MODSEQ 9", &["* SEARCH 4 5 (MODSEQ 12)"])
        .await;
}

crate::dialect::also_in_rev2!(
    whatever_names_messages_by_number_is_refused,
    answers_begin_with_the_uid,
    news_has_no_numbers_but_how_many_there_are,
    selecting_tells_no_number_of_a_message,
    numbers_may_be_given_up_with_a_mailbox_open,
    catching_up_needs_no_numbers,
);
