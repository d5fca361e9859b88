//! Known pitfalls of IMAP servers: TLS that begins in the middle, and what never begins.

use pillarbox::imap::Endpoint;

use crate::harness::{Client, Server, self_signed};

/// A server that takes passwords under TLS only.
fn starttls(endpoint: &mut Endpoint) {
    endpoint.tls = Some(self_signed());
    endpoint.insecure_auth = false;
}

/// Sends bytes of which the first line is STARTTLS with tag `a`, does the handshake, and says NOOP with tag
/// `z`: nothing that came in clear may be heard of under TLS (RFC 3501 §6.2.1).
async fn injected(bytes: &[u8]) -> Client {
    let server = Server::with(starttls);
    let mut client = server.connect().await;
    client.send(bytes).await;
    assert!(client.line().await.starts_with("a OK"));
    let mut client = client.secure().await;
    client.send("z NOOP\r\n").await;
    let line = client.line().await;
    assert!(
        line.starts_with("z OK"),
        "{line} after {}",
        String::from_utf8_lossy(bytes)
    );
    client.refused("SELECT INBOX", "BAD Log in first").await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c35_what_follows_starttls_in_clear_is_thrown_away() {
    let login = b"a STARTTLS\r\nb LOGIN ann secret\r\n";
    for tail in [
        &b""[..],
        b"b NOOP\r\n",
        b"b LOGIN ann secret\r\n",
        b"b LOGIN ann secret\r\nc SELECT INBOX\r\n",
        b"b AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=\r\n",
        b"b CAPABILITY\r\nc LOGOUT\r\n",
        // Halves of commands, which what is said under TLS must not complete.
        b"b ",
        b"b LOGIN ann ",
        b"b LOGIN \"ann",
        b"b LOGIN ann {5}\r\n",
        b"b LOGIN ann {5+}\r\nsec",
        b"b LOGIN ann {6}\r\nsecret",
        b"b NOOP\r",
        b"\r\n\r\n",
        b"\0",
        // Another STARTTLS, and whatever might confuse one that counts.
        b"b STARTTLS\r\nc STARTTLS\r\n",
    ] {
        injected(&[b"a STARTTLS\r\n", tail].concat()).await;
    }
    // Long enough to fill any one buffer.
    injected(&[&login[..], &b"c NOOP\r\n".repeat(1_000)].concat()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c35_starttls_with_more_on_its_line_is_none() {
    let server = Server::with(starttls);
    for line in ["a STARTTLS now\r\n", "a STARTTLS {2+}\r\nb \r\n"] {
        let mut client = server.connect().await;
        client.send(line).await;
        let answer = client.line().await;
        assert!(answer.starts_with("a BAD"), "{line}: {answer}");
        // Still in clear, and all there.
        client.ok("STARTTLS").await;
        client.secure().await.ok("NOOP").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c35_passwords_are_not_taken_in_clear_nor_asked_for() {
    let server = Server::with(starttls);
    let mut client = server.connect().await;
    let capability = client.ok("CAPABILITY").await.remove(0);
    assert!(
        capability.contains(" STARTTLS LOGINDISABLED"),
        "{capability}"
    );
    assert!(!capability.contains("AUTH="), "{capability}");
    client
        .refused("LOGIN ann secret", "NO [PRIVACYREQUIRED]")
        .await;
    client
        .refused(
            "AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=",
            "NO [PRIVACYREQUIRED]",
        )
        .await;
    // No continuation: the client would send the password.
    let asked = client
        .refused("AUTHENTICATE PLAIN", "NO [PRIVACYREQUIRED]")
        .await;
    assert_eq!(asked, [""; 0]);
    client.refused("SELECT INBOX", "BAD").await;
    client.ok("STARTTLS").await;
    let mut client = client.secure().await;
    let capability = client.ok("CAPABILITY").await.remove(0);
    assert!(!capability.contains("STARTTLS") && !capability.contains("LOGINDISABLED"));
    client.refused("STARTTLS", "BAD").await;
    client.ok("LOGIN ann secret").await;
    client.refused("STARTTLS", "BAD").await;
    client.ok("SELECT INBOX").await;
    client.refused("STARTTLS", "BAD").await;
    client.ok("NOOP").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c35_starttls_is_not_for_those_who_are_logged_in() {
    let server = Server::with(|endpoint| {
        starttls(endpoint);
        endpoint.insecure_auth = true;
    });
    let mut client = server.connect().await;
    // In one segment: the login counts, and STARTTLS comes too late.
    client
        .send("a LOGIN ann secret\r\nb STARTTLS\r\nc NOOP\r\n")
        .await;
    for expected in ["a OK", "b BAD", "c OK"] {
        let line = client.line().await;
        assert!(line.starts_with(expected), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c35_who_goes_on_in_clear_after_starttls_is_cut_off() {
    let server = Server::with(starttls);
    let mut client = server.connect().await;
    client.ok("STARTTLS").await;
    client.send("b LOGIN ann secret\r\nc NOOP\r\n").await;
    // An alert of TLS at most: no answer.
    assert!(client.is_cut_off().await);
    let mut other = server.connect().await;
    other.ok("NOOP").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c35_no_starttls_where_there_is_no_certificate() {
    let server = Server::start();
    let mut client = server.connect().await;
    let capability = client.ok("CAPABILITY").await.remove(0);
    assert!(!capability.contains("STARTTLS"), "{capability}");
    client.send("a STARTTLS\r\nb NOOP\r\n").await;
    for expected in ["a BAD", "b OK"] {
        let line = client.line().await;
        assert!(line.starts_with(expected), "{line}");
    }
}

/// RFC 4978 §3: who goes on in the same packet makes a mistake. It is refused, and what follows is read as what it
/// is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c36_what_follows_compress_too_early_is_read_in_clear() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    let capability = client.ok("CAPABILITY").await.remove(0);
    assert!(capability.contains(" COMPRESS=DEFLATE"), "{capability}");
    client
        .send("a COMPRESS DEFLATE\r\nb SELECT INBOX\r\nc NOOP\r\n")
        .await;
    assert!(client.line().await.starts_with("a BAD"));
    let selected = client.until("b").await;
    assert!(selected.last().unwrap().starts_with("OK"));
    assert!(client.line().await.starts_with("c OK"));
    client.refused("COMPRESS LZ77", "BAD").await;
    client.refused("COMPRESS", "BAD").await;
    client.ok("NOOP").await;
}

/// TLS, then literals: what is cut anywhere by TLS records is put together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c36_literals_under_tls_byte_by_byte() {
    let server = Server::with(starttls);
    let mut client = server.connect().await;
    client.ok("STARTTLS").await;
    let mut client = client.secure().await;
    client.ok("LOGIN ann secret").await;
    let mail = "Subject: x\r\n\r\na NOOP\r\nb LOGOUT\r\n";
    let command = format!("z APPEND INBOX {{{}+}}\r\n{mail}\r\n", mail.len());
    for byte in command.bytes() {
        client.send([byte]).await;
    }
    let line = client.line().await;
    assert!(line.starts_with("z OK [APPENDUID"), "{line}");
    client.ok("SELECT INBOX").await;
    let expected = format!("* 1 FETCH (BODY[] {{{}}}\r\n{mail})", mail.len());
    client.sees("FETCH 1 BODY.PEEK[]", &[&expected]).await;
}
