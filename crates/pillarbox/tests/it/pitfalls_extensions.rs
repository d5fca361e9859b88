//! Known pitfalls of IMAP servers: extensions, those that are announced and those that are not.

use crate::harness::{Client, Server};

const MAIL: &str = "Subject: Hello\r\n\r\nHow are you?\r\n";

/// What a session must never be sent: octets beyond ASCII outside of literals (RFC 3501 §9, `QUOTED-CHAR`).
fn seven_bit(lines: &[String]) {
    for line in lines {
        let outside: String = line
            .split("\r\n")
            .enumerate()
            .filter(|(at, _)| *at == 0)
            .map(|(_, piece)| piece)
            .collect();
        assert!(outside.is_ascii(), "{line:?}");
    }
}

/// Where UTF8=ACCEPT is not enabled names go out in modified UTF-7, and eight-bit ones are refused (RFC 9755
/// §3). What is so where it is enabled is told in `rev2.rs`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c11_without_enabling_utf8_accept_everything_is_seven_bit() {
    let server = Server::start();
    let (mut ann, mut other) = (server.login("ann").await, server.login("ann").await);
    for command in [
        "CREATE \"ä\"",
        "SELECT ä",
        "STATUS ä (MESSAGES)",
        "APPEND \"ä\" {1+}\r\nx",
    ] {
        ann.refused(command, "NO [CANNOT]").await;
    }
    ann.sees("LIST \"\" \"ä\"", &[]).await;
    // A literal may have any octets, and these are no name.
    ann.refused("CREATE {2+}\r\nä", "NO [CANNOT]").await;
    ann.refused("SELECT {2+}\r\nä", "NO [CANNOT]").await;
    ann.ok("CREATE &AOQ-").await;
    for client in [&mut ann, &mut other] {
        let lines = client.ok("LIST \"\" *").await;
        assert!(
            lines.contains(&"* LIST (\\HasNoChildren) \".\" \"&AOQ-\"".to_owned()),
            "{lines:?}"
        );
        seven_bit(&lines);
    }
    let mail = "From: J\u{fc}rgen <j@example.org>\r\nSubject: Gr\u{fc}\u{df}e\r\n\
        Content-Type: text/plain; name=\"\u{e4}.txt\"\r\n\r\n\u{e4}\r\n";
    ann.append("INBOX", "", mail).await;
    ann.ok("SELECT INBOX").await;
    seven_bit(&ann.ok("FETCH 1 ENVELOPE").await);
    seven_bit(&ann.ok("FETCH 1 BODYSTRUCTURE").await);
    ann.sees("SEARCH CHARSET UTF-8 SUBJECT {6+}\r\nGRÜSS", &["* SEARCH"])
        .await;
    ann.sees("SEARCH CHARSET UTF-8 SUBJECT {4+}\r\nGRÜ", &["* SEARCH 1"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c17_parameters_and_encoded_words_are_told_as_they_stand_and_found_as_they_read() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let mail = "Subject: \"=?utf-8?q?gr=C3=BCn?=\" =?utf-8?b?w6Q=?=\r\n =?utf-8?b?w7Y=?=\r\n\
        Content-Type: text/plain; name*1=\"b.txt\";\r\n name*0=\"a\"; x*0*=utf-8''%C3; x*1*=%A4\r\n\r\nx\r\n";
    client.append("INBOX", "", mail).await;
    client.ok("NOOP").await;
    // RFC 3501 knows nothing of RFC 2231: clients of it expect what the message says.
    let lines = client.ok("FETCH 1 BODYSTRUCTURE").await;
    for piece in [
        "\"name*1\" \"b.txt\"",
        "\"name*0\" \"a\"",
        "\"x*0*\" \"utf-8''%C3\"",
        "\"x*1*\" \"%A4\"",
    ] {
        assert!(lines[0].contains(piece), "{piece} in {}", lines[0]);
    }
    let lines = client.ok("FETCH 1 ENVELOPE").await;
    assert!(lines[0].contains("=?utf-8?b?w6Q=?="), "{lines:?}");
    // Neighbours are joined without the space between (RFC 2047 §6.2).
    client
        .sees("SEARCH CHARSET UTF-8 SUBJECT {4+}\r\näö", &["* SEARCH 1"])
        .await;
}

/// Thousands of pieces of one parameter: quadratic in more than one server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c17_a_parameter_in_very_many_pieces_is_bounded() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let pieces: String = (0..40_000)
        .rev()
        .map(|n| format!(";\r\n name*{n}*=%61"))
        .collect();
    let mail = format!("Content-Type: text/plain{pieces}\r\n\r\nx\r\n");
    client.append("INBOX", "", &mail).await;
    client.ok("NOOP").await;
    client.ok("FETCH 1 (BODYSTRUCTURE ENVELOPE)").await;
    client.sees("SEARCH TEXT nothing", &["* SEARCH"]).await;
}

/// RFC 7162 §3.1.2: of two who race for one flag each has what it asked for, and both hear of the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c19_a_race_for_one_flag_ends_alike_for_both() {
    let server = Server::start();
    let mut ann = server.inbox("ann").await;
    ann.append("INBOX", "", MAIL).await;
    let mut other = server.inbox("ann").await;
    ann.ok("NOOP").await;
    for round in 0..20 {
        let (add, remove) = (
            "a STORE 1 +FLAGS.SILENT (\\Flagged)\r\n",
            "a STORE 1 -FLAGS.SILENT (\\Flagged)\r\n",
        );
        let (one, two) = if round % 2 == 0 {
            (add, remove)
        } else {
            (remove, add)
        };
        tokio::join!(ann.send(one), other.send(two));
        ann.until("a").await;
        other.until("a").await;
        ann.ok("NOOP").await;
        other.ok("NOOP").await;
        let (first, second) = (
            ann.ok("FETCH 1 FLAGS").await,
            other.ok("FETCH 1 FLAGS").await,
        );
        assert_eq!(first[0], second[0]);
    }
}

/// Others' mail is as if it weren't there: each answer is the same, to the byte, as for what never was. There
/// are no shared mailboxes, and so no rights (RFC 4314): accounts are apart by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c40_what_others_have_is_as_if_it_never_was() {
    let server = Server::start();
    let mut bob = server.login("bob").await;
    bob.ok("CREATE secret").await;
    bob.append("secret", "", MAIL).await;
    bob.append("INBOX", "", MAIL).await;
    let mut ann = server.login("ann").await;
    for state in ["NOOP", "SELECT INBOX"] {
        ann.ok(state).await;
        for command in [
            "SELECT {}",
            "EXAMINE {}",
            "STATUS {} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)",
            "APPEND {} {4+}\r\nabcd",
            "DELETE {}",
            "RENAME {} x",
            "LIST \"\" {}",
            "LIST (SUBSCRIBED) \"\" {}",
            "LIST \"\" {} RETURN (STATUS (MESSAGES))",
            "LSUB \"\" {}",
        ] {
            ann.ok(state).await;
            let theirs = answer(&mut ann, command, "secret").await;
            ann.ok(state).await;
            let nobodys = answer(&mut ann, command, "nobody").await;
            assert_eq!(theirs, nobodys, "{command}");
        }
    }
    ann.ok("SELECT INBOX").await;
    ann.append("INBOX", "", MAIL).await;
    ann.ok("NOOP").await;
    for command in ["COPY 1 {}", "MOVE 1 {}", "UID COPY 1 {}", "UID MOVE 1 {}"] {
        let theirs = answer(&mut ann, command, "secret").await;
        let nobodys = answer(&mut ann, command, "nobody").await;
        assert_eq!(theirs, nobodys, "{command}");
        assert!(theirs[0].starts_with("NO [TRYCREATE]"), "{theirs:?}");
    }
    // UIDs, ids and names of one account mean nothing in another.
    for name in [
        "bob.secret",
        "/bob/secret",
        "~bob/secret",
        "#user.bob.secret",
        "user.bob",
    ] {
        ann.refused(&format!("SELECT \"{name}\""), "NO").await;
    }
    bob.sees(
        "STATUS secret (MESSAGES)",
        &["* STATUS \"secret\" (MESSAGES 1)"],
    )
    .await;
}

/// What is answered to a command about a mailbox, with its name left out.
async fn answer(client: &mut Client, command: &str, name: &str) -> Vec<String> {
    let lines = client.say(&command.replace("{}", name)).await;
    lines.iter().map(|line| line.replace(name, "{}")).collect()
}

crate::dialect::also_in_rev2!(
    c17_a_parameter_in_very_many_pieces_is_bounded,
    c19_a_race_for_one_flag_ends_alike_for_both,
    c40_what_others_have_is_as_if_it_never_was,
);
