//! Known pitfalls of IMAP servers: what each session sees of a mailbox, and when.

use crate::harness::{Client, Server};

const MAIL: &str = "Subject: Hello\r\n\r\nHow are you?\r\n";

/// Ann's INBOX with this many messages.
async fn filled(server: &Server, messages: u32) -> Client {
    let mut client = server.inbox("ann").await;
    for _ in 0..messages {
        client.append("INBOX", "", MAIL).await;
    }
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c01_numbers_stay_until_the_client_is_told() {
    let server = Server::start();
    let mut a = filled(&server, 5).await;
    let mut b = server.inbox("ann").await;
    a.ok("STORE 1,3 +FLAGS.SILENT (\\Deleted)").await;
    a.sees("EXPUNGE", &["* 1 EXPUNGE", "* 2 EXPUNGE"]).await;
    a.append("INBOX", "", MAIL).await;
    b.sees(
        "FETCH 4 UID",
        &["* 4 FETCH (UID 4)", "* 6 EXISTS", "* 0 RECENT"],
    )
    .await;
    b.sees("NOOP", &["* 1 EXPUNGE", "* 2 EXPUNGE"]).await;
    b.sees("FETCH 4 UID", &["* 4 FETCH (UID 6)"]).await;
}

/// RFC 3501 §7.4.1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c02_no_expunge_during_fetch_store_search() {
    let server = Server::start();
    let mut a = filled(&server, 3).await;
    let mut b = server.inbox("ann").await;
    a.ok("STORE 3 +FLAGS.SILENT (\\Deleted)").await;
    a.ok("EXPUNGE").await;
    for command in [
        "FETCH 1 UID",
        "STORE 1 +FLAGS (\\Seen)",
        "STORE 1 -FLAGS.SILENT (\\Seen)",
        "SEARCH ALL",
    ] {
        let lines = b.ok(command).await;
        let told = lines.iter().any(|line| line.ends_with(" EXPUNGE"));
        assert!(!told, "{command}: {lines:?}");
    }
    b.sees("UID FETCH 1 UID", &["* 1 FETCH (UID 1)", "* 3 EXPUNGE"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c03_expunged_messages_are_served_and_not_changed() {
    let server = Server::start();
    let mut a = filled(&server, 2).await;
    let mut b = server.inbox("ann").await;
    a.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    a.ok("EXPUNGE").await;
    let lines = b.ok("FETCH 1 BODY[TEXT]").await;
    assert!(lines[0].contains("How are you?"), "{lines:?}");
    b.refused("STORE 1:2 +FLAGS (\\Flagged)", "NO [EXPUNGEISSUED]")
        .await;
    b.refused("COPY 1 INBOX", "NO [EXPUNGEISSUED]").await;
    let mut c = server.inbox("ann").await;
    c.sees(
        "FETCH 1:* (UID FLAGS)",
        &["* 1 FETCH (UID 2 FLAGS (\\Flagged))"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c04_what_was_never_announced_never_leaves() {
    let server = Server::start();
    let mut a = filled(&server, 1).await;
    let mut b = server.inbox("ann").await;
    a.append("INBOX", "\\Deleted", MAIL).await;
    a.ok("EXPUNGE").await;
    b.sees("NOOP", &[]).await;
    a.append("INBOX", "", MAIL).await;
    a.ok("STORE 1:2 +FLAGS (\\Flagged)").await;
    b.sees(
        "NOOP",
        &["* 2 EXISTS", "* 0 RECENT", "* 1 FETCH (FLAGS (\\Flagged))"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c05_selecting_again_forgets_what_was_not_told() {
    let server = Server::start();
    let mut a = filled(&server, 2).await;
    let mut b = server.inbox("ann").await;
    a.ok("STORE 1 +FLAGS (\\Deleted)").await;
    a.ok("EXPUNGE").await;
    a.append("INBOX", "", MAIL).await;
    let lines = b.ok("SELECT INBOX").await;
    assert_eq!(
        lines.iter().filter(|line| line.ends_with("EXISTS")).count(),
        1
    );
    assert!(lines.contains(&"* 2 EXISTS".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.ends_with("EXPUNGE")));
    b.sees("STATUS INBOX (MESSAGES)", &["* STATUS INBOX (MESSAGES 2)"])
        .await;
}

/// Five hundred commands, each of which depends on those before.
fn script() -> Vec<String> {
    (0..500)
        .map(|n| match n % 5 {
            0 => format!("STORE 1:* +FLAGS (k{})", n % 7),
            1 => "UID COPY 1 INBOX".to_owned(),
            2 => "FETCH * (UID FLAGS)".to_owned(),
            3 => "STORE * +FLAGS.SILENT (\\Deleted)".to_owned(),
            _ => "EXPUNGE".to_owned(),
        })
        .collect()
}

/// Copies tell a UIDVALIDITY, which differs between servers.
fn without_validity(line: String) -> String {
    match line.split_once("[COPYUID ") {
        Some((before, _)) => before.to_owned(),
        None => line,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c06_pipelined_commands_do_what_single_ones_do() {
    let (one, other) = (Server::start(), Server::start());
    let mut serial = filled(&one, 2).await;
    let mut pipelined = filled(&other, 2).await;
    let all: String = script()
        .iter()
        .enumerate()
        .map(|(n, command)| format!("p{n} {command}\r\n"))
        .collect();
    pipelined.send(all).await;
    for (n, command) in script().iter().enumerate() {
        let expected = serial.say(command).await;
        let got = pipelined.until(&format!("p{n}")).await;
        let (expected, got): (Vec<_>, Vec<_>) = (
            expected.into_iter().map(without_validity).collect(),
            got.into_iter().map(without_validity).collect(),
        );
        assert_eq!(got, expected, "{n}: {command}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c27_nothing_is_recent() {
    let server = Server::start();
    let mut a = filled(&server, 1).await;
    a.sees("SEARCH RECENT", &["* SEARCH"]).await;
    a.sees("SEARCH NEW", &["* SEARCH"]).await;
    a.sees("SEARCH OLD", &["* SEARCH 1"]).await;
    a.sees("STATUS INBOX (RECENT)", &["* STATUS INBOX (RECENT 0)"])
        .await;
    a.say("STORE 1 +FLAGS (\\Recent)").await;
    a.sees("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS ())"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c28_flags_of_two_sessions_both_survive() {
    let server = Server::start();
    let mut a = filled(&server, 1).await;
    let mut b = server.inbox("ann").await;
    a.send("a STORE 1 +FLAGS.SILENT (\\Seen one)\r\n").await;
    b.send("b STORE 1 +FLAGS.SILENT (\\Flagged two)\r\n").await;
    a.until("a").await;
    b.until("b").await;
    let mut c = server.inbox("ann").await;
    let lines = c.ok("FETCH 1 FLAGS").await;
    for flag in ["\\Seen", "\\Flagged", "one", "two"] {
        assert!(lines[0].contains(flag), "{lines:?}");
    }
}

/// RFC 3501 §6.4.6: silence is about one's own change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c28_silence_hides_only_the_own_change() {
    let server = Server::start();
    let mut a = filled(&server, 1).await;
    let mut b = server.inbox("ann").await;
    a.ok("STORE 1 +FLAGS.SILENT (\\Flagged)").await;
    b.sees(
        "STORE 1 +FLAGS.SILENT (\\Seen)",
        &["* 1 FETCH (FLAGS (\\Flagged))"],
    )
    .await;
    b.sees("NOOP", &[]).await;
    a.sees("NOOP", &["* 1 FETCH (FLAGS (\\Flagged \\Seen))"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c29_what_sets_seen_and_what_does_not() {
    let server = Server::start();
    let mut a = filled(&server, 1).await;
    let mut b = server.inbox("ann").await;
    for (items, sets) in [
        ("BODY.PEEK[]", false),
        ("RFC822.HEADER", false),
        ("BODYSTRUCTURE", false),
        ("RFC822.SIZE", false),
        ("BINARY.PEEK[1]", false),
        ("BINARY.SIZE[1]", false),
        ("BODY[]", true),
        ("BODY[HEADER]", true),
        ("BODY[]<0.1>", true),
        ("RFC822", true),
        ("BINARY[1]", true),
        ("BINARY[]<0.1>", true),
        ("RFC822.TEXT", true),
    ] {
        let lines = a.ok(&format!("FETCH 1 {items}")).await;
        assert_eq!(
            lines[0].contains("FLAGS (\\Seen)"),
            sets,
            "{items}: {lines:?}"
        );
        let expected: &[&str] = if sets {
            &["* 1 FETCH (FLAGS (\\Seen))"]
        } else {
            &[]
        };
        b.sees("NOOP", expected).await;
        a.ok("STORE 1 -FLAGS.SILENT (\\Seen)").await;
        b.ok("NOOP").await;
    }
    b.ok("EXAMINE INBOX").await;
    b.ok("FETCH 1 (BODY[] RFC822 BINARY[1])").await;
    a.sees("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS ())"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c33_commands_may_follow_done_at_once() {
    let server = Server::start();
    let mut client = filled(&server, 1).await;
    client
        .send("a NOOP\r\nb IDLE\r\ndone\r\nc UID FETCH 1 UID\r\nd IDLE\r\n")
        .await;
    assert_eq!(client.until("a").await, ["OK NOOP completed"]);
    assert_eq!(client.until("b").await, ["+ idling", "OK IDLE completed"]);
    assert_eq!(
        client.until("c").await,
        ["* 1 FETCH (UID 1)", "OK UID FETCH completed"]
    );
    assert_eq!(client.line().await, "+ idling");
    client.send("LOGOUT\r\ne NOOP\r\n").await;
    assert!(client.until("d").await[0].starts_with("BAD"));
    assert_eq!(client.until("e").await, ["OK NOOP completed"]);
}

/// A client that asks and does not read holds up nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c37_a_client_that_does_not_read_hinders_nobody() {
    let server = Server::start();
    let mut slow = server.inbox("ann").await;
    let large = format!("Subject: large\r\n\r\n{}", "0123456789\r\n".repeat(30_000));
    for _ in 0..8 {
        slow.append("INBOX", "", &large).await;
    }
    slow.send("s FETCH 1:* BODY.PEEK[]\r\n").await;
    let mut other = server.inbox("ann").await;
    other.append("INBOX", "", MAIL).await;
    other.ok("STORE 1:* +FLAGS (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    let lines = slow.until("s").await;
    let whole = lines.iter().filter(|line| line.contains(&large)).count();
    assert_eq!(whole, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c39_sets_count_down_and_past_the_end() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.sees("UID FETCH 1:* UID", &[]).await;
    client.sees("UID FETCH * UID", &[]).await;
    client.sees("SEARCH UID 1:*", &["* SEARCH"]).await;
    client.refused("FETCH 1 UID", "BAD").await;
    for _ in 0..4 {
        client.append("INBOX", "", MAIL).await;
    }
    client.sees("SEARCH 3:2", &["* SEARCH 2 3"]).await;
    client
        .sees("UID FETCH 99:* UID", &["* 4 FETCH (UID 4)"])
        .await;
    client.sees("UID SEARCH UID *:99", &["* SEARCH 4"]).await;
    client.sees("UID FETCH 99 UID", &[]).await;
    client.refused("FETCH 5 UID", "BAD").await;
    client.refused("STORE 4:5 +FLAGS (\\Seen)", "BAD").await;
    client.refused("FETCH 0 UID", "BAD").await;
    client.refused("FETCH 4294967296 UID", "BAD").await;
    client
        .sees("FETCH *:3 UID", &["* 3 FETCH (UID 3)", "* 4 FETCH (UID 4)"])
        .await;
}

/// RFC 5182 §2.1: an empty result is a set of no messages, and no error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c39_an_empty_saved_result_is_no_error() {
    let server = Server::start();
    let mut client = filled(&server, 2).await;
    client.sees("SEARCH RETURN (SAVE) DELETED", &[]).await;
    for command in [
        "FETCH $ UID",
        "STORE $ +FLAGS (x)",
        "COPY $ INBOX",
        "MOVE $ INBOX",
    ] {
        client.ok(command).await;
    }
    client
        .sees("STATUS INBOX (MESSAGES)", &["* STATUS INBOX (MESSAGES 2)"])
        .await;
    client.ok("SEARCH RETURN (SAVE MIN) ALL").await;
    client.sees("FETCH $ UID", &["* 1 FETCH (UID 1)"]).await;
    client.ok("STORE $ +FLAGS.SILENT (\\Deleted)").await;
    client.sees("EXPUNGE", &["* 1 EXPUNGE"]).await;
    client.sees("FETCH $ UID", &[]).await;
}

crate::dialect::also_in_rev2!(
    c01_numbers_stay_until_the_client_is_told,
    c02_no_expunge_during_fetch_store_search,
    c03_expunged_messages_are_served_and_not_changed,
    c04_what_was_never_announced_never_leaves,
    c05_selecting_again_forgets_what_was_not_told,
    c06_pipelined_commands_do_what_single_ones_do,
    c27_nothing_is_recent,
    c28_flags_of_two_sessions_both_survive,
    c28_silence_hides_only_the_own_change,
    c29_what_sets_seen_and_what_does_not,
    c33_commands_may_follow_done_at_once,
    c37_a_client_that_does_not_read_hinders_nobody,
    c39_sets_count_down_and_past_the_end,
    c39_an_empty_saved_result_is_no_error,
);
