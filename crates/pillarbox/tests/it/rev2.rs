//! IMAP4rev2 (RFC 9051) as it is said, and UTF8=ACCEPT (RFC 9755).

use crate::harness::{Client, Server};

const MAIL: &str = "From: Ann <ann@example.org>\r\nSubject: Hello\r\n\r\nHow are you?\r\n";

/// Logs in and enables something.
async fn enabled(server: &Server, what: &str) -> Client {
    let mut client = server.login("ann").await;
    client
        .sees(&format!("ENABLE {what}"), &[&format!("* ENABLED {what}")])
        .await;
    client
}

/// RFC 9051 §6.3.2 and appendix E, items 9 to 12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selecting_tells_list_and_nothing_of_recent_or_unseen() {
    let server = Server::start();
    let mut client = enabled(&server, "IMAP4rev2").await;
    client.ok("CREATE Sent (USE (\\Sent))").await;
    client.append("INBOX", "", MAIL).await;
    let lines = client.ok("SELECT inbox").await;
    let starts = |word: &str| lines.iter().filter(|line| line.starts_with(word)).count();
    for word in [
        "* 1 EXISTS",
        "* FLAGS (",
        "* OK [PERMANENTFLAGS",
        "* OK [UIDVALIDITY",
        "* OK [UIDNEXT",
    ] {
        assert_eq!(starts(word), 1, "{word}: {lines:#?}");
    }
    assert!(
        lines.contains(&"* LIST () \".\" INBOX (\"OLDNAME\" (\"inbox\"))".to_owned()),
        "{lines:#?}"
    );
    assert_eq!(starts("* OK [CLOSED]") + starts("* OK [UNSEEN"), 0);
    assert!(
        !lines.iter().any(|line| line.contains("RECENT")),
        "{lines:#?}"
    );
    let lines = client.ok("EXAMINE Sent").await;
    assert!(lines[0].starts_with("* OK [CLOSED]"), "{lines:#?}");
    assert!(
        lines.contains(&"* LIST (\\Sent) \".\" \"Sent\"".to_owned()),
        "{lines:#?}"
    );
    // A mailbox is closed also by a SELECT that fails.
    let lines = client.refused("SELECT nowhere", "NO [NONEXISTENT]").await;
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].starts_with("* OK [CLOSED]"));
}

/// RFC 9051 §6.4.4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_search_is_answered_by_esearch() {
    let server = Server::start();
    let mut client = enabled(&server, "IMAP4rev2").await;
    for _ in 0..3 {
        client.append("INBOX", "", MAIL).await;
    }
    client.ok("SELECT INBOX").await;
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("EXPUNGE").await;
    for (command, rest) in [
        ("SEARCH ALL", " ALL 1:2"),
        ("UID SEARCH ALL", " UID ALL 2:3"),
        ("SEARCH FROM nobody", ""),
        ("UID SEARCH FROM nobody", " UID"),
        ("SEARCH CHARSET UTF-8 FROM ann", " ALL 1:2"),
        ("SEARCH RETURN (COUNT) ALL", " COUNT 2"),
        // Of what is gone in RFC 9051, whoever asks is answered (appendix A).
        ("SEARCH RECENT", ""),
        ("SEARCH OLD", " ALL 1:2"),
    ] {
        let lines = client.ok(command).await;
        let tag = client.last_tag();
        assert_eq!(
            lines[0],
            format!("* ESEARCH (TAG \"{tag}\"){rest}"),
            "{command}"
        );
    }
    client.sees("SEARCH RETURN (SAVE) 1", &[]).await;
    client.sees("FETCH $ UID", &["* 1 FETCH (UID 2)"]).await;
}

/// RFC 9051 §7.5.2 and appendix E, item 21.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_asked_for_carries_its_uid() {
    let server = Server::start();
    let mut old = server.inbox("ann").await;
    old.append("INBOX", "", MAIL).await;
    old.append("INBOX", "", MAIL).await;
    let mut new = enabled(&server, "IMAP4rev2").await;
    new.ok("SELECT INBOX").await;
    new.sees("STORE 1 +FLAGS (\\Seen)", &["* 1 FETCH (FLAGS (\\Seen))"])
        .await;
    old.sees("NOOP", &["* 1 FETCH (FLAGS (\\Seen))"]).await;
    old.ok("STORE 2 +FLAGS (\\Flagged)").await;
    new.sees("NOOP", &["* 2 FETCH (UID 2 FLAGS (\\Flagged))"])
        .await;
    new.send("i IDLE\r\n").await;
    assert_eq!(new.line().await, "+ idling");
    old.append("INBOX", "", MAIL).await;
    assert_eq!(new.line().await, "* 3 EXISTS");
    old.ok("STORE 3 +FLAGS (\\Seen)").await;
    assert_eq!(new.line().await, "* 3 FETCH (UID 3 FLAGS (\\Seen))");
    new.send("DONE\r\n").await;
    assert_eq!(new.until("i").await, ["OK IDLE completed"]);
}

/// RFC 9051 §6.3.9.7: names that are kept otherwise than they were given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c09_c10_names_are_utf8_and_told_as_they_are_kept() {
    let server = Server::start();
    let mut client = enabled(&server, "IMAP4rev2").await;
    let decomposed = "\"a\u{308}\"";
    let told = |attributes: &str| {
        format!("* LIST ({attributes}) \".\" \"\u{e4}\" (\"OLDNAME\" ({decomposed}))")
    };
    client
        .sees(&format!("CREATE {decomposed}"), &[&told("\\Subscribed")])
        .await;
    client.sees("CREATE \"b&c\"", &[]).await;
    client
        .sees(
            "LIST \"\" \"%\"",
            &[
                "* LIST (\\HasNoChildren) \".\" INBOX",
                "* LIST (\\HasNoChildren) \".\" \"b&c\"",
                "* LIST (\\HasNoChildren) \".\" \"\u{e4}\"",
            ],
        )
        .await;
    let lines = client.ok(&format!("SELECT {decomposed}")).await;
    assert!(lines.contains(&told("")), "{lines:#?}");
    let size = MAIL.len();
    let lines = client
        .ok(&format!("APPEND {decomposed} {{{size}+}}\r\n{MAIL}"))
        .await;
    assert!(lines.contains(&told("\\Subscribed")), "{lines:#?}");
    client
        .sees(
            "STATUS \u{e4} (MESSAGES UNSEEN)",
            &["* STATUS \"\u{e4}\" (MESSAGES 1 UNSEEN 1)"],
        )
        .await;
    client
        .sees(
            &format!("RENAME {decomposed} o"),
            &[&format!(
                "* LIST (\\Subscribed) \".\" \"o\" (\"OLDNAME\" ({decomposed}))"
            )],
        )
        .await;
    client.sees("RENAME o \u{e4}", &[]).await;
    client.ok("UNSELECT").await;
    client
        .sees(&format!("DELETE {decomposed}"), &[&told("\\NonExistent")])
        .await;
    client.refused("CREATE {1+}\r\n\u{7f}", "NO [CANNOT]").await;
    client.refused("CREATE \"\u{2028}\"", "NO [CANNOT]").await;
    // Another session, which has enabled nothing, is told the same names in seven bits, and no OLDNAME.
    client.ok("CREATE \u{fc}").await;
    let mut old = server.login("ann").await;
    old.sees(
        "LIST \"\" \"&APw-\"",
        &["* LIST (\\HasNoChildren) \".\" \"&APw-\""],
    )
    .await;
    old.sees("CREATE u&Awg-x", &[]).await;
    let lines = old.ok("SELECT inbox").await;
    assert!(
        !lines.iter().any(|line| line.starts_with("* LIST")),
        "{lines:#?}"
    );
    client
        .sees(
            "LIST \"\" \u{fc}x",
            &["* LIST (\\HasNoChildren) \".\" \"\u{fc}x\""],
        )
        .await;
}

/// RFC 9051 §6.3.5, §6.3.9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c31_c32_a_level_without_a_mailbox_does_not_exist() {
    let server = Server::start();
    let mut client = enabled(&server, "IMAP4rev2").await;
    client.ok("CREATE a.b").await;
    client.ok("DELETE a").await;
    client
        .sees(
            "LIST \"\" a",
            &["* LIST (\\NonExistent \\HasChildren) \".\" \"a\""],
        )
        .await;
    client
        .sees(
            "LIST \"\" a RETURN (STATUS (MESSAGES))",
            &["* LIST (\\NonExistent \\HasChildren) \".\" \"a\""],
        )
        .await;
    client.refused("DELETE a", "NO [HASCHILDREN]").await;
    client.refused("DELETE b", "NO [NONEXISTENT]").await;
    let mut old = server.login("ann").await;
    old.sees(
        "LIST \"\" a",
        &["* LIST (\\Noselect \\HasChildren) \".\" \"a\""],
    )
    .await;
    old.refused("DELETE a", "NO [NONEXISTENT]").await;
    client.ok("DELETE a.b").await;
    client.refused("DELETE a", "NO [NONEXISTENT]").await;
}

/// A message with an address, a subject and a file name beyond ASCII, and a message within it.
fn international() -> String {
    "From: J\u{f6} <j\u{f6}@example.org>\r\nSubject: Gr\u{fc}\u{df}e\r\nContent-Type: multipart/mixed; \
     boundary=b\r\n\r\n--b\r\nContent-Type: application/pdf; name*0=\"a \"; name*1=b\r\n\r\nx\r\n\
     --b\r\nContent-Type: message/global\r\n\r\nSubject: \u{e4}\r\n\r\ny\r\n--b--\r\n"
        .to_owned()
}

/// RFC 9755 §3, RFC 9051 §4.3 and §7.5.2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c11_c17_utf8_is_quoted_and_parameters_are_decoded_only_for_those_who_enabled_it() {
    let server = Server::start();
    let mut old = server.inbox("ann").await;
    old.append("INBOX", "", &international()).await;
    let mut utf8 = enabled(&server, "UTF8=ACCEPT").await;
    utf8.ok("SELECT INBOX").await;
    let mut new = enabled(&server, "IMAP4rev2").await;
    new.ok("SELECT INBOX").await;
    old.ok("NOOP").await;
    let envelope = "* 1 FETCH (ENVELOPE (NIL \"Gr\u{fc}\u{df}e\" ((\"J\u{f6}\" NIL \"j\u{f6}\" \"example.org\"))";
    for client in [&mut utf8, &mut new] {
        let lines = client.ok("FETCH 1 ENVELOPE").await;
        assert!(lines[0].starts_with(envelope), "{lines:#?}");
    }
    let lines = old.ok("FETCH 1 ENVELOPE").await;
    assert!(lines[0].starts_with("* 1 FETCH (ENVELOPE (NIL {7}\r\nGr\u{fc}\u{df}e ((({3}\r\n") || lines[0].starts_with("* 1 FETCH (ENVELOPE (NIL {7}\r\nGr\u{fc}\u{df}e (({3}\r\nJ\u{f6} NIL {3}\r\nj\u{f6} "), "{lines:#?}");
    for client in [&mut old, &mut utf8] {
        let lines = client.ok("FETCH 1 BODYSTRUCTURE").await;
        assert!(
            lines[0].contains("(\"name*0\" \"a \" \"name*1\" \"b\")"),
            "{lines:#?}"
        );
        assert!(
            lines[0].contains("(\"message\" \"global\" NIL NIL NIL \"7bit\" 16 NIL"),
            "{lines:#?}"
        );
    }
    let lines = new.ok("FETCH 1 BODYSTRUCTURE").await;
    assert_eq!(
        lines[0].matches("(\"name\" \"a b\")").count(),
        1,
        "{lines:#?}"
    );
    assert_eq!(
        lines[0].matches("\"7bit\" 16 (NIL \"\u{e4}\" NIL").count(),
        1,
        "{lines:#?}"
    );
    new.sees(
        "FETCH 1 BODY.PEEK[2.HEADER]",
        &["* 1 FETCH (BODY[2.HEADER] {15}\r\nSubject: \u{e4}\r\n\r\n)"],
    )
    .await;
    // Texts to search for are UTF-8, in whatever form they come (RFC 9755 §3).
    for client in [&mut old, &mut utf8] {
        client
            .sees("SEARCH SUBJECT \"GR\u{dc}\u{df}\"", &["* SEARCH 1"])
            .await;
        client
            .sees("SEARCH SUBJECT {3+}\r\nR\u{dc}", &["* SEARCH 1"])
            .await;
    }
    utf8.refused("SEARCH CHARSET UTF-8 ALL", "BAD").await;
    utf8.refused("UID SEARCH CHARSET US-ASCII ALL", "BAD").await;
    old.sees("SEARCH CHARSET UTF-8 ALL", &["* SEARCH 1"]).await;
}

/// RFC 9755 §3; pitfall 10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c11_names_are_utf8_both_ways_once_that_is_enabled() {
    let server = Server::start();
    let mut utf8 = enabled(&server, "UTF8=ACCEPT").await;
    utf8.sees("CREATE \"Entw\u{fc}rfe\"", &[]).await;
    utf8.sees("CREATE &AOQ-", &[]).await;
    utf8.sees(
        "LIST \"\" Entw*",
        &["* LIST (\\HasNoChildren) \".\" \"Entw\u{fc}rfe\""],
    )
    .await;
    utf8.sees(
        "LIST \"\" &*",
        &["* LIST (\\HasNoChildren) \".\" \"&AOQ-\""],
    )
    .await;
    utf8.sees("LSUB \"\" Entw%", &["* LSUB () \".\" \"Entw\u{fc}rfe\""])
        .await;
    utf8.sees(
        "STATUS Entwu\u{308}rfe (MESSAGES)",
        &["* STATUS \"Entw\u{fc}rfe\" (MESSAGES 0)"],
    )
    .await;
    let mut old = server.login("ann").await;
    old.sees(
        "LIST \"\" Entw*",
        &["* LIST (\\HasNoChildren) \".\" \"Entw&APw-rfe\""],
    )
    .await;
    old.sees(
        "LIST \"\" &-*",
        &["* LIST (\\HasNoChildren) \".\" \"&-AOQ-\""],
    )
    .await;
    old.refused("SELECT \"Entw\u{fc}rfe\"", "NO [CANNOT]").await;
    // What is not UTF-8 is no quoted string (RFC 9755 §3).
    for client in [&mut utf8, &mut old] {
        client.send(b"q SELECT \"\xe4\"\r\n").await;
        let lines = client.until("q").await;
        assert!(lines[0].starts_with("BAD"), "{lines:?}");
    }
    // It does not take IMAP4rev2's words with it.
    let lines = utf8.ok("SELECT INBOX").await;
    assert!(lines.iter().any(|line| line == "* 0 RECENT"));
    utf8.sees("SEARCH ALL", &["* SEARCH"]).await;
}

/// RFC 9051 §6.3.1, RFC 5161 §3.1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enabling_changes_no_capability_and_nothing_that_is_not_announced() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    let before = client.ok("CAPABILITY").await;
    assert!(before[0].starts_with("* CAPABILITY IMAP4rev1 ") && before[0].contains(" IMAP4rev2 "));
    client
        .sees(
            "ENABLE X-NOTHING imap4REV2 utf8=accept",
            &["* ENABLED IMAP4rev2 UTF8=ACCEPT"],
        )
        .await;
    assert_eq!(client.ok("CAPABILITY").await, before);
    client.refused("SEARCH ALL", "BAD").await;
    let mut nobody = server.connect().await;
    nobody.refused("ENABLE IMAP4rev2", "BAD").await;
}

/// XLIST, which some clients ask for still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xlist_has_the_words_from_before_special_use() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client.ok("CREATE Spam (USE (\\Junk))").await;
    client.ok("CREATE Sent (USE (\\Sent))").await;
    client.ok("CREATE a.b").await;
    client.ok("DELETE a").await;
    client
        .sees(
            "XLIST \"\" *",
            &[
                "* XLIST (\\HasNoChildren \\Inbox) \".\" INBOX",
                "* XLIST (\\HasNoChildren \\Sent) \".\" \"Sent\"",
                "* XLIST (\\HasNoChildren \\Spam) \".\" \"Spam\"",
                "* XLIST (\\Noselect \\HasChildren) \".\" \"a\"",
                "* XLIST (\\HasNoChildren) \".\" \"a.b\"",
            ],
        )
        .await;
    client
        .sees("XLIST \"\" \"\"", &["* XLIST (\\Noselect) \".\" \"\""])
        .await;
    client.refused("XLIST (SUBSCRIBED) \"\" *", "BAD").await;
}
