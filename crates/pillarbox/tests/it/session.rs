//! The base protocol, from login to logout.

use crate::harness::Server;

const MAIL: &str = "From: Ann <ann@example.org>\r\nTo: Bob <bob@example.org>\r\n\
    Subject: Hello\r\nDate: Mon, 1 Jan 2024 10:00:00 +0100\r\n\r\nHow are you?\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_comes_back_as_it_was_appended() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    assert_eq!(client.append("INBOX", "\\Seen $Label", MAIL).await, 1);
    client
        .sees(
            "FETCH 1 (UID FLAGS RFC822.SIZE BODY[])",
            &[&format!(
                "* 1 FETCH (UID 1 FLAGS (\\Seen $Label) RFC822.SIZE {size} BODY[] {{{size}}}\r\n{MAIL})",
                size = MAIL.len()
            )],
        )
        .await;
    client
        .sees(
            "FETCH 1 ENVELOPE",
            &[
                "* 1 FETCH (ENVELOPE (\"Mon, 1 Jan 2024 10:00:00 +0100\" \"Hello\" \
             ((\"Ann\" NIL \"ann\" \"example.org\")) ((\"Ann\" NIL \"ann\" \"example.org\")) \
             ((\"Ann\" NIL \"ann\" \"example.org\")) ((\"Bob\" NIL \"bob\" \"example.org\")) \
             NIL NIL NIL NIL))",
            ],
        )
        .await;
    client
        .sees(
            "UID FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]<0.8>",
            &["* 1 FETCH (UID 1 BODY[HEADER.FIELDS (Subject)]<0> {8}\r\nSubject:)"],
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetching_a_body_marks_it_seen_and_says_so() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", MAIL).await;
    client
        .sees(
            "FETCH 1 BODY[TEXT]",
            &["* 1 FETCH (BODY[TEXT] {14}\r\nHow are you?\r\n FLAGS (\\Seen))"],
        )
        .await;
    client.ok("STORE 1 -FLAGS.SILENT (\\Seen)").await;
    client.ok("EXAMINE INBOX").await;
    client
        .sees(
            "FETCH 1 BODY[TEXT]",
            &["* 1 FETCH (BODY[TEXT] {14}\r\nHow are you?\r\n)"],
        )
        .await;
    client
        .sees("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS ())"])
        .await;
}

/// Sequence numbers are a client's own until it is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_expunges_the_other_reads_until_told() {
    let server = Server::start();
    let mut a = server.inbox("ann").await;
    for subject in ["1", "2", "3", "4"] {
        a.append("INBOX", "", &format!("Subject: {subject}\r\n\r\n"))
            .await;
    }
    let mut b = server.inbox("ann").await;
    a.ok("STORE 3 +FLAGS.SILENT (\\Deleted)").await;
    a.sees("EXPUNGE", &["* 3 EXPUNGE"]).await;
    b.sees("FETCH 4 UID", &["* 4 FETCH (UID 4)"]).await;
    b.sees(
        "FETCH 3 BODY.PEEK[HEADER.FIELDS (Subject)]",
        &["* 3 FETCH (BODY[HEADER.FIELDS (Subject)] {14}\r\nSubject: 3\r\n\r\n)"],
    )
    .await;
    b.refused("STORE 3 +FLAGS (\\Seen)", "NO [EXPUNGEISSUED]")
        .await;
    b.sees("NOOP", &["* 3 EXPUNGE"]).await;
    b.sees("FETCH 3 UID", &["* 3 FETCH (UID 4)"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_tells_at_once() {
    let server = Server::start();
    let mut a = server.inbox("ann").await;
    let mut b = server.inbox("ann").await;
    b.send("i IDLE\r\n").await;
    assert_eq!(b.line().await, "+ idling");
    a.append("INBOX", "", MAIL).await;
    assert_eq!(b.line().await, "* 1 EXISTS");
    assert_eq!(b.line().await, "* 0 RECENT");
    a.ok("STORE 1 +FLAGS (\\Flagged)").await;
    assert_eq!(b.line().await, "* 1 FETCH (FLAGS (\\Flagged))");
    b.send("DONE\r\nn NOOP\r\n").await;
    assert_eq!(b.until("i").await, ["OK IDLE completed"]);
    assert_eq!(b.until("n").await, ["OK NOOP completed"]);
}

/// What came before stands before the continuation: some clients overlook what comes in one piece with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_first_tells_what_was_there() {
    let server = Server::start();
    let mut a = server.inbox("ann").await;
    let mut b = server.inbox("ann").await;
    a.append("INBOX", "", MAIL).await;
    b.send("i IDLE\r\n").await;
    for line in ["* 1 EXISTS", "* 0 RECENT", "+ idling"] {
        assert_eq!(b.line().await, line);
    }
    b.send("DONE\r\n").await;
    assert_eq!(b.until("i").await, ["OK IDLE completed"]);
}

/// RFC 9051 §5.5: what comes in one packet is done in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_commands_run_in_order() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", MAIL).await;
    client.append("INBOX", "", MAIL).await;
    client
        .send("a STORE 1 +FLAGS (\\Deleted)\r\nb EXPUNGE\r\nc FETCH 1 UID\r\nd LOGOUT\r\n")
        .await;
    assert_eq!(
        client.until("a").await,
        ["* 1 FETCH (FLAGS (\\Deleted))", "OK STORE completed"]
    );
    assert_eq!(
        client.until("b").await,
        ["* 1 EXPUNGE", "OK EXPUNGE completed"]
    );
    assert_eq!(
        client.until("c").await,
        ["* 1 FETCH (UID 2)", "OK FETCH completed"]
    );
    assert_eq!(client.line().await, "* BYE Goodbye");
    assert_eq!(client.line().await, "d OK LOGOUT completed");
    assert!(client.is_cut_off().await);
}

/// A message that can't go anywhere is refused before it is sent, or swallowed if it is sent unasked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_messages_never_become_commands() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client.refused("APPEND Nowhere {5}", "NO [TRYCREATE]").await;
    client
        .refused("APPEND Nowhere {10+}\r\nx LOGOUT\r\n", "NO [TRYCREATE]")
        .await;
    client
        .refused("APPEND INBOX {99999999}", "NO [TOOBIG]")
        .await;
    client.sees("NOOP", &[]).await;
    client
        .sees("STATUS INBOX (MESSAGES)", &["* STATUS INBOX (MESSAGES 0)"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_message_streams_through() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let body = "0123456789abcdef\r\n".repeat(40_000);
    let message = format!("Subject: large\r\n\r\n{body}");
    assert_eq!(client.append("INBOX", "", &message).await, 1);
    let lines = client.ok("FETCH 1 BODY.PEEK[TEXT]").await;
    assert!(lines.iter().any(|line| line.contains(&body)));
    client
        .sees("SEARCH BODY F0123 NOT BODY x0", &["* SEARCH"])
        .await;
    client.sees("SEARCH LARGER 700000", &["* SEARCH 1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailboxes_come_and_go() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client
        .sees("LIST \"\" \"\"", &["* LIST (\\Noselect) \".\" \"\""])
        .await;
    client.ok("CREATE Entw&APw-rfe (USE (\\Drafts))").await;
    client.ok("CREATE a.b").await;
    client.refused("CREATE a", "NO [ALREADYEXISTS]").await;
    client
        .sees(
            "LIST \"\" *",
            &[
                "* LIST (\\HasNoChildren \\Drafts) \".\" \"Entw&APw-rfe\"",
                "* LIST (\\HasNoChildren) \".\" INBOX",
                "* LIST (\\HasChildren) \".\" \"a\"",
                "* LIST (\\HasNoChildren) \".\" \"a.b\"",
            ],
        )
        .await;
    client.ok("DELETE a").await;
    client
        .sees(
            "LIST \"\" a%",
            &["* LIST (\\Noselect \\HasChildren) \".\" \"a\""],
        )
        .await;
    client.ok("RENAME a.b c").await;
    client
        .sees(
            "LIST (SUBSCRIBED) \"\" (c INBOX) RETURN (STATUS (MESSAGES))",
            &[
                "* LIST (\\Subscribed \\HasNoChildren) \".\" INBOX",
                "* STATUS INBOX (MESSAGES 0)",
                "* LIST (\\Subscribed \\HasNoChildren) \".\" \"c\"",
                "* STATUS \"c\" (MESSAGES 0)",
            ],
        )
        .await;
    client.refused("DELETE INBOX", "NO [CANNOT]").await;
    client.refused("SELECT nowhere", "NO [NONEXISTENT]").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_and_moves_tell_their_uids() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    for _ in 0..3 {
        client.append("INBOX", "", MAIL).await;
    }
    client.ok("CREATE other").await;
    let copied = client.ok("COPY 1,3 other").await;
    assert!(
        copied[0].starts_with("OK [COPYUID ") && copied[0].contains(" 1,3 1:2]"),
        "{copied:?}"
    );
    let moved = client.ok("MOVE 2 other").await;
    assert!(
        moved[0].starts_with("* OK [COPYUID ") && moved[0].contains(" 2 3]"),
        "{moved:?}"
    );
    assert_eq!(moved[1..], ["* 2 EXPUNGE", "OK MOVE completed"]);
    client.refused("COPY 1 nowhere", "NO [TRYCREATE]").await;
    client.sees("UID COPY 99 other", &[]).await;
    client
        .sees(
            "STATUS other (MESSAGES)",
            &["* STATUS \"other\" (MESSAGES 3)"],
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_look_at_decoded_text() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "\\Seen", MAIL).await;
    let encoded = "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8gV29ybGQ=\r\n";
    client.append("INBOX", "", encoded).await;
    for (keys, found) in [
        ("ALL", " 1 2"),
        ("UNSEEN", " 2"),
        ("BODY \"lo wor\"", " 2"),
        ("TEXT hello", " 1 2"),
        ("CHARSET UTF-8 SUBJECT {6+}\r\ngr\u{fc}\u{df}", " 2"),
        ("HEADER Subject \"\"", " 1 2"),
        ("FROM ann OR SEEN BODY x", " 1"),
        ("SENTON 1-Jan-2024", " 1"),
        ("NOT 1", " 2"),
        ("UID 2:*", " 2"),
    ] {
        client
            .sees(&format!("SEARCH {keys}"), &[&format!("* SEARCH{found}")])
            .await;
    }
    client
        .refused("SEARCH CHARSET X-NOPE ALL TEXT x", "NO [BADCHARSET")
        .await;
    let lines = client.ok("UID SEARCH RETURN (MIN MAX COUNT ALL) ALL").await;
    assert!(
        lines[0].ends_with("UID MIN 1 MAX 2 COUNT 2 ALL 1:2"),
        "{lines:?}"
    );
    client.ok("SEARCH RETURN (SAVE) UNSEEN").await;
    client.sees("FETCH $ UID", &["* 2 FETCH (UID 2)"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_in_clear_are_refused_where_tls_is_asked_for() {
    let server = Server::with(|endpoint| endpoint.insecure_auth = false);
    let mut client = server.connect().await;
    let lines = client.ok("CAPABILITY").await;
    assert!(lines[0].contains("LOGINDISABLED") && !lines[0].contains("AUTH="));
    client
        .refused("LOGIN ann secret", "NO [PRIVACYREQUIRED]")
        .await;
    client
        .refused("AUTHENTICATE PLAIN", "NO [PRIVACYREQUIRED]")
        .await;
    client.refused("SELECT INBOX", "BAD").await;
}

crate::dialect::also_in_rev2!(
    a_message_comes_back_as_it_was_appended,
    fetching_a_body_marks_it_seen_and_says_so,
    what_one_expunges_the_other_reads_until_told,
    idle_tells_at_once,
    pipelined_commands_run_in_order,
    refused_messages_never_become_commands,
    a_large_message_streams_through,
    mailboxes_come_and_go,
    copies_and_moves_tell_their_uids,
    searches_look_at_decoded_text,
);
