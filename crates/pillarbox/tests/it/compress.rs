//! COMPRESS=DEFLATE (RFC 4978) and UNAUTHENTICATE (RFC 8437).

use flate2::{Compress, Compression, FlushCompress};

use crate::harness::{Client, Server, self_signed};

async fn compressed(server: &Server) -> Client {
    let mut client = server.login("ann").await;
    client.ok("COMPRESS DEFLATE").await;
    client.deflated()
}

fn deflate(text: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 1_000);
    let mut packer = Compress::new(Compression::fast(), false);
    packer.compress_vec(text, &mut out, flush).unwrap();
    out
}

/// Literals both ways, IDLE, messages of all sizes: the same as without. The client flushes its commands by
/// `Z_PARTIAL_FLUSH`, as iOS does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c36_everything_goes_on_as_before() {
    let server = Server::start();
    let mut client = compressed(&server).await;
    client.ok("SELECT INBOX").await;
    let large = format!(
        "Subject: large\r\n\r\n{}",
        "0123456789abcdef\r\n".repeat(60_000)
    );
    let noise: String = (0..400_000_u32)
        .map(|n| char::from(33 + (n.wrapping_mul(2_654_435_761) >> 25) as u8 % 90))
        .collect();
    let noise = format!("Subject: noise\r\n\r\n{noise}");
    for mail in ["Subject: small\r\n\r\nx", &large, &noise] {
        client.append("INBOX", "\\Seen", mail).await;
    }
    client.ok("NOOP").await;
    for (seq, mail) in [(1, "Subject: small\r\n\r\nx"), (2, &large), (3, &noise)] {
        let size = mail.len();
        let expected = format!("* {seq} FETCH (BODY[] {{{size}}}\r\n{mail} UID {seq})");
        client
            .sees(&format!("FETCH {seq} (BODY[] UID)"), &[&expected])
            .await;
    }
    client.send("a IDLE\r\n").await;
    assert_eq!(client.line().await, "+ idling");
    let mut other = server.login("ann").await;
    other.append("INBOX", "", "Subject: news\r\n\r\nx").await;
    assert_eq!(client.line().await, "* 4 EXISTS");
    client.send("DONE\r\n").await;
    client.until("a").await;
    // A synchronizing literal waits for its answer.
    client.send("b STATUS {5}\r\n").await;
    assert!(client.line().await.starts_with("+ "));
    client.send("INBOX (MESSAGES)\r\n").await;
    assert_eq!(client.until("b").await[0], "* STATUS INBOX (MESSAGES 4)");
    client
        .refused("COMPRESS DEFLATE", "NO [COMPRESSIONACTIVE]")
        .await;
    client.send("z LOGOUT\r\n").await;
    assert!(client.line().await.starts_with("* BYE"));
    assert!(client.line().await.starts_with("z OK"));
    assert!(client.is_cut_off().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c36_compression_under_tls_byte_by_byte() {
    let server = Server::with(|endpoint| endpoint.tls = Some(self_signed()));
    let mut client = server.connect().await;
    client.ok("STARTTLS").await;
    let mut client = client.secure().await;
    client.ok("LOGIN ann secret").await;
    client.ok("COMPRESS DEFLATE").await;
    let mut client = client.deflated();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compression_is_for_users() {
    let server = Server::start();
    let mut client = server.connect().await;
    let capability = client.ok("CAPABILITY").await.remove(0);
    assert!(!capability.contains("COMPRESS") && !capability.contains("UNAUTHENTICATE"));
    client.refused("COMPRESS DEFLATE", "BAD").await;
    client.refused("UNAUTHENTICATE", "BAD").await;
    client.ok("LOGIN ann secret").await;
}

/// What is no DEFLATE ends the connection, and nobody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_on_in_clear_is_cut_off() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client.ok("COMPRESS DEFLATE").await;
    client
        .send("b SELECT INBOX\r\nc NOOP\r\nd NOOP\r\ne NOOP\r\n")
        .await;
    assert!(client.is_cut_off().await);
    server.login("ann").await.ok("NOOP").await;
}

/// A few bytes that become a gigabyte of one line: refused like any other line that is too long, a piece at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c36_a_bomb_is_a_line_that_is_too_long() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client.ok("COMPRESS DEFLATE").await;
    let text = [&vec![b'x'; 20_000_000][..], b"\r\na NOOP\r\n"].concat();
    client.send(deflate(&text, FlushCompress::Sync)).await;
    let mut client = client.deflated();
    assert!(client.line().await.contains("BAD Command is too long"));
    assert!(client.line().await.starts_with("a OK"));
}

/// RFC 8437 §3, §4.1: nothing of the user is left, and the connection goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_unauthenticates_is_nobody() {
    let server = Server::with(|endpoint| endpoint.limits.connections_per_user = 1);
    let mut client = server.login("ann").await;
    client.ok("ENABLE CONDSTORE").await;
    client.append("INBOX", "", "Subject: x\r\n\r\nx").await;
    client.ok("SELECT INBOX").await;
    client.ok("SEARCH RETURN (SAVE) ALL").await;
    let told = client.ok("UNAUTHENTICATE").await;
    assert_eq!(told.len(), 1, "{told:?}");
    client.refused("SELECT INBOX", "BAD").await;
    client.refused("NOOP x", "BAD").await;
    client.refused("UNAUTHENTICATE", "BAD").await;
    // The place among the user's connections is free.
    let mut other = server.login("ann").await;
    other.ok("NOOP").await;
    client.ok("LOGIN bob secret").await;
    client.ok("SELECT INBOX").await;
    client.append("INBOX", "", "Subject: y\r\n\r\ny").await;
    client.ok("NOOP").await;
    client.sees("SEARCH $", &["* SEARCH"]).await;
    // Mod-sequences are not told unasked.
    client
        .sees("STORE 1 +FLAGS (\\Seen)", &["* 1 FETCH (FLAGS (\\Seen))"])
        .await;
}

/// §3: it may be followed at once by another login.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_login_may_follow_at_once() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client
        .send("a UNAUTHENTICATE\r\nb LOGIN bob secret\r\nc SELECT INBOX\r\n")
        .await;
    for tag in ["a", "b", "c"] {
        assert!(client.until(tag).await.last().unwrap().starts_with("OK"));
    }
}

/// §4.1: compression ends right after the OK; in the other direction right after the command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compression_ends_with_the_login() {
    for end in [FlushCompress::Sync, FlushCompress::Finish] {
        let server = Server::start();
        let mut client = server.login("ann").await;
        client.ok("COMPRESS DEFLATE").await;
        let mut said = deflate(b"a UNAUTHENTICATE\r\n", end);
        said.extend_from_slice(b"b LOGIN bob secret\r\nc NOOP\r\n");
        client.send(said).await;
        let packed = client.raw_until(b"c OK NOOP completed\r\n").await;
        let mut text = Vec::with_capacity(10_000);
        let mut unpacker = flate2::Decompress::new(false);
        let at = packed.windows(4).position(|four| four == [0, 0, 255, 255]);
        let (first, clear) = packed.split_at(at.unwrap() + 4);
        let flush = flate2::FlushDecompress::None;
        unpacker.decompress_vec(first, &mut text, flush).unwrap();
        assert_eq!(text, b"a OK Nobody is logged in now\r\n");
        assert!(clear.starts_with(b"b OK [CAPABILITY "), "{clear:?}");
    }
}
