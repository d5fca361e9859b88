//! Known pitfalls of IMAP servers: messages, their flags and their dates.

use crate::harness::Server;

const MAIL: &str = "From: Ann <ann@example.org>\r\nSubject: Hello\r\n\r\nHow are you?\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c07_uids_never_come_back() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", MAIL).await;
    assert_eq!(client.append("INBOX", "\\Deleted", MAIL).await, 2);
    client.ok("EXPUNGE").await;
    client
        .sees("STATUS INBOX (UIDNEXT)", &["* STATUS INBOX (UIDNEXT 3)"])
        .await;
    client.ok("SELECT INBOX").await;
    assert_eq!(client.append("INBOX", "", MAIL).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c12_absent_empty_and_nil() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", "Subject:\r\n\r\nx\r\n").await;
    client.append("INBOX", "", "X: y\r\n\r\nx\r\n").await;
    client
        .append("INBOX", "", "Subject: nil\r\n\r\nx\r\n")
        .await;
    client
        .sees(
            "FETCH 1:3 ENVELOPE",
            &[
                "* 1 FETCH (ENVELOPE (NIL \"\" NIL NIL NIL NIL NIL NIL NIL NIL))",
                "* 2 FETCH (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL))",
                "* 3 FETCH (ENVELOPE (NIL \"nil\" NIL NIL NIL NIL NIL NIL NIL NIL))",
            ],
        )
        .await;
    client.sees("SEARCH SUBJECT NIL", &["* SEARCH 3"]).await;
    client.ok("STORE 1 +FLAGS.SILENT (NIL)").await;
    client.sees("SEARCH KEYWORD nil", &["* SEARCH 1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c13_groups_in_envelopes() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let mail = "From: a@example.org\r\nSender:\r\nTo: team: b@example.org;\r\n\r\nx\r\n";
    client.append("INBOX", "", mail).await;
    let from = "((NIL NIL \"a\" \"example.org\"))";
    let to = "((NIL NIL \"team\" NIL)(NIL NIL \"b\" \"example.org\")(NIL NIL NIL NIL))";
    let lines = client.ok("FETCH 1 ENVELOPE").await;
    let compact = lines[0].replace(") (", ")(");
    let expected = format!("(NIL NIL {from} {from} {from} {to} NIL NIL NIL NIL)");
    assert!(
        compact.contains(&expected.replace(") (", ")(")),
        "{lines:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c15_section_numbers() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", MAIL).await;
    client
        .sees(
            "FETCH 1 BODY.PEEK[1]",
            &["* 1 FETCH (BODY[1] {14}\r\nHow are you?\r\n)"],
        )
        .await;
    client
        .sees("FETCH 1 BODY.PEEK[2]", &["* 1 FETCH (BODY[2] NIL)"])
        .await;
    client
        .sees(
            "FETCH 1 BODY.PEEK[1.HEADER]",
            &["* 1 FETCH (BODY[1.HEADER] NIL)"],
        )
        .await;
    client
        .sees(
            "FETCH 1 BODY.PEEK[]<99.5>",
            &["* 1 FETCH (BODY[]<99> {0}\r\n)"],
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c18_header_fields_are_the_original_bytes() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let mail = "X-A: 1\r\nSUBJECT: long\r\n  folded\r\nx-a:2\r\n\r\nx\r\n";
    client.append("INBOX", "", mail).await;
    let part = "X-A: 1\r\nx-a:2\r\n\r\n";
    let lines = client.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (x-A)]").await;
    assert!(
        lines[0].ends_with(&format!("{{{}}}\r\n{part})", part.len())),
        "{lines:?}"
    );
    let lines = client
        .ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]")
        .await;
    assert!(
        lines[0].contains("SUBJECT: long\r\n  folded\r\n\r\n"),
        "{lines:?}"
    );
    client.sees("SEARCH HEADER X-A 2", &["* SEARCH 1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c21_moves_tell_copyuid_before_expunge() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "\\Seen kept", MAIL).await;
    client.ok("CREATE x").await;
    let lines = client.ok("UID MOVE 1,7 x").await;
    assert!(lines[0].starts_with("* OK [COPYUID "), "{lines:?}");
    assert_eq!(lines[1], "* 1 EXPUNGE");
    client.ok("SELECT x").await;
    client
        .sees("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Seen kept))"])
        .await;
    client.ok("MOVE 1 x").await;
    client.sees("UID SEARCH ALL", &["* SEARCH 2"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c22_copyuid_is_in_pairs() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    for _ in 0..5 {
        client.append("INBOX", "", MAIL).await;
    }
    client.ok("CREATE x").await;
    let lines = client.ok("COPY 5,1,3 x").await;
    assert!(lines[0].contains(" 1,3,5 1:3]"), "{lines:?}");
    client.sees("UID COPY 77 x", &[]).await;
    client.refused("COPY 1 nowhere", "NO [TRYCREATE]").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c24_searches_find_substrings_of_decoded_text() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let mail = "Subject: =?utf-8?q?He?= =?utf-8?q?llo?=\r\nX-Empty:\r\n\
                Content-Transfer-Encoding: quoted-printable\r\n\r\nwon=\r\nderful\r\n";
    client.append("INBOX", "", mail).await;
    for keys in [
        "SUBJECT ell",
        "BODY ONDER",
        "TEXT hello",
        "HEADER X-Empty \"\"",
    ] {
        client
            .sees(&format!("SEARCH {keys}"), &["* SEARCH 1"])
            .await;
    }
    client
        .sees("SEARCH HEADER X-Other \"\"", &["* SEARCH"])
        .await;
    let lines = client.ok("SEARCH RETURN (COUNT) BODY nothing").await;
    assert!(lines[0].ends_with(" COUNT 0"), "{lines:?}");
}

/// The day is the one written, whatever the zone (RFC 3501 §6.4.4).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c25_dates_are_compared_as_written() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let mail = "Date: Tue, 2 Jan 2024 00:30:00 +1300\r\n\r\nx\r\n";
    let size = mail.len();
    let date = "\" 1-Mar-2024 23:30:00 -1100\"";
    client
        .ok(&format!("APPEND INBOX {date} {{{size}+}}\r\n{mail}"))
        .await;
    client
        .sees(
            "FETCH 1 INTERNALDATE",
            &["* 1 FETCH (INTERNALDATE \" 1-Mar-2024 23:30:00 -1100\")"],
        )
        .await;
    for (keys, found) in [
        ("ON 1-Mar-2024", " 1"),
        ("ON 2-Mar-2024", ""),
        ("SINCE 1-Mar-2024", " 1"),
        ("BEFORE 1-Mar-2024", ""),
        ("BEFORE 2-Mar-2024", " 1"),
        ("SENTON 2-Jan-2024", " 1"),
        ("SENTON 1-Jan-2024", ""),
        ("SENTBEFORE 2-Jan-2024", ""),
        ("SENTSINCE 2-Jan-2024", " 1"),
    ] {
        client
            .sees(&format!("SEARCH {keys}"), &[&format!("* SEARCH{found}")])
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c26_keywords_are_announced_and_bounded() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", MAIL).await;
    let lines = client.ok("STORE 1 +FLAGS (NewOne)").await;
    assert!(
        lines[0].starts_with("* FLAGS (") && lines[0].contains("NewOne"),
        "{lines:?}"
    );
    assert!(lines[1].starts_with("* OK [PERMANENTFLAGS ("), "{lines:?}");
    assert_eq!(lines[2], "* 1 FETCH (FLAGS (NewOne))");
    client.ok("STORE 1 +FLAGS.SILENT (nEWoNE \\sEEN)").await;
    client
        .sees("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Seen NewOne))"])
        .await;
    for n in 0..58 {
        client.ok(&format!("STORE 1 +FLAGS.SILENT (k{n})")).await;
    }
    client
        .refused("STORE 1 +FLAGS (one-more)", "NO [LIMIT]")
        .await;
    client.sees("SEARCH KEYWORD one-more", &["* SEARCH"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c26_examined_mailboxes_do_not_change() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "\\Deleted", MAIL).await;
    client.ok("CREATE x").await;
    let lines = client.ok("EXAMINE INBOX").await;
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("* OK [PERMANENTFLAGS ()]")),
        "{lines:?}"
    );
    for command in [
        "STORE 1 +FLAGS (\\Seen)",
        "EXPUNGE",
        "UID EXPUNGE 1",
        "MOVE 1 x",
    ] {
        client.refused(command, "NO").await;
    }
    client.ok("COPY 1 x").await;
    client.ok("CLOSE").await;
    client.ok("SELECT INBOX").await;
    client
        .sees("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Deleted))"])
        .await;
    client.sees("UID EXPUNGE 2:9", &[]).await;
    client.sees("CLOSE", &[]).await;
    client
        .sees("STATUS INBOX (MESSAGES)", &["* STATUS INBOX (MESSAGES 0)"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c30_a_broken_off_append_leaves_nothing() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client
        .send(format!(
            "a APPEND INBOX {{{}+}}\r\n{MAIL} {{100+}}\r\nhalf",
            MAIL.len()
        ))
        .await;
    drop(client);
    let mut client = server.login("ann").await;
    client
        .sees(
            "STATUS INBOX (MESSAGES UIDNEXT)",
            &["* STATUS INBOX (MESSAGES 0 UIDNEXT 1)"],
        )
        .await;
}

/// RFC 3502: all messages or none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c30_several_messages_are_appended_together_or_not_at_all() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let size = MAIL.len();
    client
        .refused(
            &format!("APPEND INBOX {{{size}+}}\r\n{MAIL} {{99999999}}"),
            "NO [TOOBIG]",
        )
        .await;
    client.sees("SEARCH ALL", &["* SEARCH"]).await;
    let lines = client
        .ok(&format!(
            "APPEND INBOX (a) {{{size}+}}\r\n{MAIL} (b) {{{size}+}}\r\n{MAIL}"
        ))
        .await;
    assert!(lines.last().unwrap().contains(" 1:2]"), "{lines:?}");
    client.sees("SEARCH KEYWORD b", &["* SEARCH 2"]).await;
    client.refused("APPEND INBOX {0+}\r\n", "NO").await;
    client
        .refused("APPEND .bad. {1+}\r\nx", "NO [CANNOT]")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c34_hostile_lines_end_in_bad_and_then_in_bye() {
    let server = Server::start();
    let mut client = server.connect().await;
    client
        .refused(&format!("NOOP {}", "(".repeat(2_000)), "BAD")
        .await;
    client
        .refused(&format!("LOGIN {} x", "{1+}\r\nx ".repeat(100)), "BAD")
        .await;
    client.ok("NOOP").await;
    let mut client = server.connect().await;
    client
        .send("GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".repeat(5))
        .await;
    assert!(client.is_cut_off().await);
    let mut client = server.login("ann").await;
    client.refused("LOGIN ann secret", "BAD").await;
    client.refused("AUTHENTICATE PLAIN", "BAD").await;
    client.ok("NOOP").await;
}

/// A multipart without parts has no structure of its own kind: RFC 3501 §9 wants at least one part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c14_a_multipart_without_parts_still_has_a_structure() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let mail = "Content-Type: multipart/mixed; boundary=b\r\n\r\nno parts\r\n";
    client.append("INBOX", "", mail).await;
    for item in ["BODY", "BODYSTRUCTURE"] {
        let lines = client.ok(&format!("FETCH 1 {item}")).await;
        let structure = lines[0].to_ascii_lowercase();
        assert!(structure.contains("\"text\" \"plain\""), "{lines:?}");
        assert!(!structure.contains("()"), "{lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c16_malformed_nesting_is_stored_and_told() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let deep: String = (0..1_000)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"))
        .collect();
    let wide = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}",
        "--b\r\n\r\nx\r\n".repeat(10_000)
    );
    for mail in [deep, wide] {
        let uid = client.append("INBOX", "", &mail).await;
        let lines = client.ok(&format!("UID FETCH {uid} BODYSTRUCTURE")).await;
        assert!(lines[0].contains("BODYSTRUCTURE ("), "{uid}");
        let lines = client.ok(&format!("UID FETCH {uid} BODY.PEEK[]")).await;
        assert!(lines[0].contains(&mail), "{uid}");
    }
}

crate::dialect::also_in_rev2!(
    c07_uids_never_come_back,
    c12_absent_empty_and_nil,
    c13_groups_in_envelopes,
    c15_section_numbers,
    c18_header_fields_are_the_original_bytes,
    c21_moves_tell_copyuid_before_expunge,
    c22_copyuid_is_in_pairs,
    c24_searches_find_substrings_of_decoded_text,
    c25_dates_are_compared_as_written,
    c26_keywords_are_announced_and_bounded,
    c26_examined_mailboxes_do_not_change,
    c30_a_broken_off_append_leaves_nothing,
    c30_several_messages_are_appended_together_or_not_at_all,
    c34_hostile_lines_end_in_bad_and_then_in_bye,
    c14_a_multipart_without_parts_still_has_a_structure,
    c16_malformed_nesting_is_stored_and_told,
);
