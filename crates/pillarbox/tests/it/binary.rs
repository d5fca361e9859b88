//! BINARY (RFC 3516): parts decoded by the server, messages that are not encoded at all.

use crate::harness::{Client, Server};

/// A message with a part of each kind.
const MAIL: &str = "MIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\
    Content-Transfer-Encoding: 8bit\r\n\r\n\
    --b\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db =\r\nc=\r\n\
    --b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: BASE64\r\n\r\nAAEC\r\nAw==\r\n\
    --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\
    Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n\
    --b\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nM\r\n\
    --b--\r\n";

async fn with_mail(server: &Server) -> Client {
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "\\Seen", MAIL).await;
    client.ok("NOOP").await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_come_decoded_and_of_the_size_that_was_told() {
    let server = Server::start();
    let mut client = with_mail(&server).await;
    for (section, size, content) in [
        ("1", 5, "{5}\r\na=b c"),
        // Only what has a NUL is a literal8 (RFC 3516 §4.3).
        ("2", 4, "~{4}\r\n\0\u{1}\u{2}\u{3}"),
        ("3.1", 5, "{5}\r\nhello"),
        // There is no such part.
        ("7", 0, "NIL"),
        ("1.1", 0, "NIL"),
        ("3.2", 0, "NIL"),
    ] {
        let expected =
            format!("* 1 FETCH (BINARY.SIZE[{section}] {size} BINARY[{section}] {content})");
        let command = format!("FETCH 1 (BINARY.SIZE[{section}] BINARY.PEEK[{section}])");
        client.sees(&command, &[&expected]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_and_the_message_have_no_encoding_of_their_own() {
    let server = Server::start();
    let mut client = with_mail(&server).await;
    let inner = "Subject: inner\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=";
    for (section, content) in [("", MAIL), ("3", inner)] {
        let size = content.len();
        let expected = format!(
            "* 1 FETCH (BINARY[{section}] {{{size}}}\r\n{content} BINARY.SIZE[{section}] {size})"
        );
        let command = format!("FETCH 1 (BINARY[{section}] BINARY.SIZE[{section}])");
        client.sees(&command, &[&expected]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_count_decoded_bytes() {
    let server = Server::start();
    let mut client = with_mail(&server).await;
    for (asked, told) in [
        ("BINARY.PEEK[2]<0.1>", "BINARY[2]<0> ~{1}\r\n\0"),
        // The NUL is not among these.
        ("BINARY[2]<1.2>", "BINARY[2]<1> {2}\r\n\u{1}\u{2}"),
        ("BINARY[2]<3.100>", "BINARY[2]<3> {1}\r\n\u{3}"),
        ("BINARY[2]<4.1>", "BINARY[2]<4> {0}\r\n"),
        (
            "BINARY[2]<4294967295.4294967295>",
            "BINARY[2]<4294967295> {0}\r\n",
        ),
        ("BINARY[]<0.4>", "BINARY[]<0> {4}\r\nMIME"),
    ] {
        let expected = format!("* 1 FETCH ({told})");
        client.sees(&format!("FETCH 1 {asked}"), &[&expected]).await;
    }
}

/// RFC 3516 §4.3: the request fails. Of other messages of the same command is told what there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_encoding_is_refused_by_its_code() {
    let server = Server::start();
    let mut client = with_mail(&server).await;
    for item in ["BINARY[4]", "BINARY.PEEK[4]<0.1>", "BINARY.SIZE[4]"] {
        let told = client
            .refused(&format!("FETCH 1 (UID {item})"), "NO [UNKNOWN-CTE] ")
            .await;
        assert!(told.is_empty(), "{told:?}");
    }
    client
        .sees("FETCH 1 BODY.PEEK[4]", &["* 1 FETCH (BODY[4] {1}\r\nM)"])
        .await;
    client.append("INBOX", "\\Seen", "X: y\r\n\r\nplain").await;
    client.ok("NOOP").await;
    let told = client
        .refused("FETCH 1:2 BINARY.SIZE[4]", "NO [UNKNOWN-CTE] ")
        .await;
    assert_eq!(told, ["* 2 FETCH (BINARY.SIZE[4] 0)"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_parts_can_be_asked_for() {
    let server = Server::start();
    let mut client = with_mail(&server).await;
    for item in [
        "BINARY",
        "BINARY.SIZE",
        "BINARY[HEADER]",
        "BINARY[1.MIME]",
        "BINARY[0]",
        "BINARY[1.]",
        "BINARY[1]<0.0>",
        "BINARY.SIZE[1]<0.1>",
        "BINARY.SIZE.PEEK[1]",
    ] {
        client.refused(&format!("FETCH 1 {item}"), "BAD").await;
    }
}

/// What is large is decoded as it goes out, and is the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_parts_are_the_same_piece_by_piece() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let line = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v";
    let lines = 20_000;
    let body = format!("{line}\r\n").repeat(lines);
    let mail = format!("Content-Type: x/y\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}");
    client.append("INBOX", "\\Seen", &mail).await;
    client.ok("NOOP").await;
    let decoded: String = (0..48_u8).map(char::from).collect::<String>().repeat(lines);
    let size = decoded.len();
    let expected =
        format!("* 1 FETCH (BINARY.SIZE[1] {size} BINARY[1] ~{{{size}}}\r\n{decoded} UID 1)");
    client
        .sees("FETCH 1 (BINARY.SIZE[1] BINARY[1] UID)", &[&expected])
        .await;
    for (from, length) in [(65_530, 20), (1, 47), (48, 100_000), (size - 3, 9)] {
        let some = &decoded[from..(from + length).min(size)];
        let eight = if some.contains('\0') { "~" } else { "" };
        let len = some.len();
        let expected = format!("* 1 FETCH (BINARY[1]<{from}> {eight}{{{len}}}\r\n{some})");
        client
            .sees(&format!("FETCH 1 BINARY[1]<{from}.{length}>"), &[&expected])
            .await;
    }
    let text = format!("{}=\r\n", "=C3=A4 ".repeat(100)).repeat(1_000);
    let mail = format!("Content-Transfer-Encoding: quoted-printable\r\n\r\n{text}");
    client.append("INBOX", "\\Seen", &mail).await;
    client.ok("NOOP").await;
    let decoded = "\u{e4} ".repeat(100_000);
    let size = decoded.len();
    let expected = format!("* 2 FETCH (BINARY[1] {{{size}}}\r\n{decoded})");
    client.sees("FETCH 2 BINARY[1]", &[&expected]).await;
}

/// RFC 3516 §6: whatever is kept, BODYSTRUCTURE and BODY describe and give an encoding that IMAP can
/// carry, and BINARY gives the bytes that were appended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c30_what_is_appended_as_literal8_is_told_in_base64_and_is_the_same_decoded() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    for count in [5, 400_000] {
        let data = "\0\u{1}\u{2}\r\n".repeat(count / 5);
        let mail = format!(
            "MIME-Version: 1.0\r\nContent-Type: application/x\r\n\
             Content-Transfer-Encoding: binary\r\n\r\n{data}"
        );
        for plus in ["", "+"] {
            let command = format!("a APPEND INBOX (\\Seen) ~{{{}{plus}}}\r\n", mail.len());
            client.send(command).await;
            if plus.is_empty() {
                assert!(client.line().await.starts_with("+ "));
            }
            client.send(format!("{mail}\r\n")).await;
            let lines = client.until("a").await;
            let last = lines.last().unwrap();
            assert!(last.starts_with("OK [APPENDUID "), "{last}");
        }
        let lines = client
            .ok("FETCH * (BODYSTRUCTURE BODY.PEEK[HEADER] BODY.PEEK[TEXT] BINARY.SIZE[1])")
            .await;
        let told = &lines[0];
        assert!(told.contains("\"base64\""), "{told}");
        assert!(told.contains("\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
        assert!(!told.contains('\0') && told.contains("AAECDQo"));
        assert!(
            told.ends_with(&format!(" BINARY.SIZE[1] {count})")),
            "{told}"
        );
        let lines = client.ok("FETCH * BINARY[1]").await;
        assert!(lines[0].ends_with(&format!("BINARY[1] ~{{{count}}}\r\n{data})")));
    }
    client.sees("SEARCH ALL", &["* SEARCH 1 2 3 4"]).await;
}

/// What is labelled as text all the same keeps its bytes, and only BINARY can give them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c30_a_nul_outside_of_binary_parts_is_kept() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let mail = "X: \0\r\n\r\na\0b";
    client
        .ok(&format!(
            "APPEND INBOX (\\Seen) ~{{{}+}}\r\n{mail}",
            mail.len()
        ))
        .await;
    let expected = [
        "* 1 EXISTS".to_owned(),
        format!("* 1 FETCH (BINARY[] ~{{11}}\r\n{mail} BINARY[1] ~{{3}}\r\na\0b)"),
    ];
    client.ok("NOOP").await;
    client
        .sees("FETCH 1 (BINARY[] BINARY[1])", &[&expected[1]])
        .await;
    let lines = client.ok("FETCH 1 BODY[]").await;
    assert!(!lines[0].contains('\0') && lines[0].contains("{11}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c30_a_literal8_that_is_too_large_is_refused_before_it_is_sent() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client
        .refused("APPEND INBOX ~{99999999}", "NO [TOOBIG]")
        .await;
    client
        .refused("APPEND nowhere ~{9}", "NO [TRYCREATE]")
        .await;
    // What was sent without asking is passed over, and never read as commands.
    client
        .send("b APPEND nowhere ~{12+}\r\nc LOGOUT\r\n\0\0\r\nd NOOP\r\n")
        .await;
    assert!(client.line().await.starts_with("b NO [TRYCREATE]"));
    assert!(client.line().await.starts_with("d OK"));
    // Elsewhere there is no literal8.
    client.refused("SELECT ~{5+}\r\nINBOX", "BAD").await;
}

crate::dialect::also_in_rev2!(
    parts_come_decoded_and_of_the_size_that_was_told,
    containers_and_the_message_have_no_encoding_of_their_own,
    offsets_count_decoded_bytes,
    an_unknown_encoding_is_refused_by_its_code,
    only_parts_can_be_asked_for,
    large_parts_are_the_same_piece_by_piece,
    c30_what_is_appended_as_literal8_is_told_in_base64_and_is_the_same_decoded,
    c30_a_nul_outside_of_binary_parts_is_kept,
    c30_a_literal8_that_is_too_large_is_refused_before_it_is_sent,
);
