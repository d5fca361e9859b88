//! Catching up with a mailbox (RFC 7162 §3.2).

use crate::harness::{Client, Server};

const MAIL: &str = "Subject: Hello\r\n\r\nHow are you?\r\n";

/// Ann's INBOX with this many messages; the mod-sequence of the nth is n + 1. QRESYNC is enabled.
async fn filled(server: &Server, messages: u32) -> Client {
    let mut client = enabled(server).await;
    client.ok("SELECT INBOX").await;
    for _ in 0..messages {
        client.append("INBOX", "", MAIL).await;
    }
    client.ok("NOOP").await;
    client
}

async fn enabled(server: &Server) -> Client {
    let mut client = server.login("ann").await;
    client.sees("ENABLE QRESYNC", &["* ENABLED QRESYNC"]).await;
    client
}

/// Removes messages.
async fn expunge(client: &mut Client, uids: &str) {
    client
        .ok(&format!("UID STORE {uids} +FLAGS.SILENT (\\Deleted)"))
        .await;
    client.ok(&format!("UID EXPUNGE {uids}")).await;
}

/// The UIDVALIDITY of INBOX.
async fn validity(client: &mut Client) -> String {
    let lines = client.ok("STATUS INBOX (UIDVALIDITY)").await;
    let told = lines[0].split("UIDVALIDITY ").nth(1).unwrap();
    told.trim_end_matches(')').to_owned()
}

/// What SELECT with QRESYNC tells beyond what every SELECT does.
async fn caught_up(client: &mut Client, arguments: &str) -> Vec<String> {
    let validity = validity(client).await;
    let command = format!("SELECT INBOX (QRESYNC ({validity} {arguments}))");
    let mut lines = client.ok(&command).await;
    assert!(lines.pop().unwrap().starts_with("OK [READ-WRITE]"));
    let usual = ["* OK ", "* FLAGS "];
    lines.retain(|line| !usual.iter().any(|start| line.starts_with(start)));
    lines.retain(|line| !line.ends_with(" EXISTS") && !line.ends_with(" RECENT"));
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enabling_it_enables_condstore_in_either_order() {
    let server = Server::start();
    for command in [
        "ENABLE QRESYNC",
        "ENABLE QRESYNC CONDSTORE",
        "ENABLE CONDSTORE QRESYNC",
    ] {
        let mut client = server.login("ann").await;
        let lines = client.ok(command).await;
        assert_eq!(lines[0].replace("ED", "E")[2..], *command);
        client.ok("SELECT INBOX").await;
        client.append("INBOX", "", MAIL).await;
        client.ok("NOOP").await;
        let lines = client.ok("UID STORE 1:* +FLAGS (\\Seen)").await;
        assert!(lines[0].contains("MODSEQ ("), "{lines:?}");
        expunge(&mut client, "1:*").await;
    }
}

/// RFC 7162 §3.2.5, §3.2.6: what needs QRESYNC is refused without it, and does not leave the mailbox.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c23_without_enable_and_out_of_place_it_is_refused() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", MAIL).await;
    for command in [
        "SELECT INBOX (QRESYNC (1 1 1:*))",
        "SELECT INBOX (QRESYNC (1 1))",
        "EXAMINE INBOX (QRESYNC (1 1 1:5))",
        "UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)",
    ] {
        let lines = client.refused(command, "BAD").await;
        let new = ["* 1 EXISTS", "* 0 RECENT"];
        assert!(
            lines.iter().all(|line| new.contains(&line.as_str())),
            "{command}: {lines:?}"
        );
    }
    client.ok("ENABLE QRESYNC").await;
    for command in [
        "FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)",
        "UID FETCH 1:* FLAGS (VANISHED)",
        "SELECT INBOX (QRESYNC)",
        "SELECT INBOX (QRESYNC ())",
        "SELECT INBOX (QRESYNC (1))",
        "SELECT INBOX (QRESYNC (0 1))",
        "SELECT INBOX (QRESYNC (1 1 1:*))",
        "SELECT INBOX (QRESYNC (1 1 $))",
        "SELECT INBOX (QRESYNC (1 1 1:5 (1)))",
        "SELECT INBOX (QRESYNC (1 1 1:5 (1:* 1:5)))",
        "SELECT INBOX (QRESYNC (1 1 1:5 (1 1) 7))",
    ] {
        client.refused(command, "BAD").await;
    }
    client.sees("FETCH 1 UID", &["* 1 FETCH (UID 1)"]).await;
}

/// RFC 7162 §3.2.5.1: first what vanished, then what changed, both since and among what was asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c23_selecting_tells_what_vanished_and_then_what_changed() {
    let server = Server::start();
    let mut ann = filled(&server, 9).await;
    ann.ok("UID STORE 4 +FLAGS (\\Flagged)").await;
    expunge(&mut ann, "2:3").await;
    expunge(&mut ann, "7").await;
    ann.ok("UID STORE 8 +FLAGS (\\Seen)").await;
    // 11: flagged. 12, 13: 2 and 3 marked and gone. 14, 15: 7. 16: seen.
    let mut other = enabled(&server).await;
    for (arguments, expected) in [
        (
            "10",
            &[
                "* VANISHED (EARLIER) 2:3,7",
                "* 2 FETCH (UID 4 FLAGS (\\Flagged) MODSEQ (11))",
                "* 5 FETCH (UID 8 FLAGS (\\Seen) MODSEQ (16))",
            ][..],
        ),
        (
            "11",
            &[
                "* VANISHED (EARLIER) 2:3,7",
                "* 5 FETCH (UID 8 FLAGS (\\Seen) MODSEQ (16))",
            ],
        ),
        (
            "13 1:9",
            &[
                "* VANISHED (EARLIER) 7",
                "* 5 FETCH (UID 8 FLAGS (\\Seen) MODSEQ (16))",
            ],
        ),
        ("10 1,3,5:6", &["* VANISHED (EARLIER) 3"]),
        ("16", &[]),
        ("9223372036854775807", &[]),
    ] {
        assert_eq!(
            caught_up(&mut other, arguments).await,
            expected,
            "{arguments}"
        );
    }
    // What came since is changed, too.
    ann.append("INBOX", "\\Seen", MAIL).await;
    assert_eq!(
        caught_up(&mut other, "16").await,
        ["* 7 FETCH (UID 10 FLAGS (\\Seen) MODSEQ (17))"]
    );
    let lines = other.ok("SELECT INBOX").await;
    assert!(!lines.iter().any(|line| line.contains("VANISHED")));
}

/// RFC 7162 §3.2.5: another mailbox by that name is opened as if nothing had been asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c23_with_another_uidvalidity_nothing_is_told() {
    let server = Server::start();
    let mut ann = filled(&server, 3).await;
    expunge(&mut ann, "2").await;
    let mut other = enabled(&server).await;
    let plain = other.ok("SELECT INBOX").await;
    let asked = other.ok("SELECT INBOX (QRESYNC (4000000000 1 1:3))").await;
    assert_eq!(asked[1..], plain, "but for CLOSED");
}

/// RFC 7162 §3.2.6: from before what is remembered, all that is not there is told, if it was asked about and
/// ever was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c23_below_the_floor_everything_that_is_not_there_is_told() {
    let server = Server::start();
    let mut ann = filled(&server, 9).await;
    expunge(&mut ann, "2:3,7,9").await;
    let mut other = enabled(&server).await;
    for (arguments, expected) in [
        ("0 1:4294967295", "2:3,7,9"),
        ("0", "2:3,7,9"),
        ("0 1:2,7:8", "2,7"),
        // Where a number is right, all up to it is known (§3.2.5.2).
        ("0 1:9 (1 1)", "2:3,7,9"),
        ("0 1:9 (1,3 1,5)", "7,9"),
        ("0 1:9 (1,3,4 1,5,7)", "7,9"),
        ("0 1:9 (1:4294967295 1:4294967295)", "2:3,7,9"),
        ("0 1:9 (9 9)", "2:3,7,9"),
        ("0 1:9 (1:5 1,4:6,8)", "9"),
    ] {
        let told = caught_up(&mut other, arguments).await;
        assert_eq!(
            told[0],
            format!("* VANISHED (EARLIER) {expected}"),
            "{arguments}"
        );
    }
}

/// The mailbox is empty and never had a message, or lost them all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c23_empty_mailboxes_have_what_vanished_or_nothing() {
    let server = Server::start();
    let mut ann = filled(&server, 0).await;
    assert_eq!(caught_up(&mut ann, "1").await, [""; 0]);
    assert_eq!(caught_up(&mut ann, "0 1:77").await, [""; 0]);
    ann.append("INBOX", "", MAIL).await;
    ann.append("INBOX", "", MAIL).await;
    ann.ok("NOOP").await;
    expunge(&mut ann, "1:2").await;
    assert_eq!(
        caught_up(&mut ann, "1 1:77").await,
        ["* VANISHED (EARLIER) 1:2"]
    );
    ann.sees(
        "UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)",
        &["* VANISHED (EARLIER) 1:2"],
    )
    .await;
}

/// RFC 7162 §3.2.6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetching_tells_what_vanished_of_what_was_named() {
    let server = Server::start();
    let mut ann = filled(&server, 6).await;
    let mut other = enabled(&server).await;
    other.ok("SELECT INBOX").await;
    expunge(&mut ann, "2,4,6").await;
    ann.ok("UID STORE 3 +FLAGS.SILENT (\\Seen)").await;
    // Those of its own view are told as they go: there the numbers change.
    other
        .sees(
            "UID FETCH 1:5 (FLAGS) (CHANGEDSINCE 7 VANISHED)",
            &[
                "* 3 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (10))",
                "* VANISHED 2,4,6",
                "* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (10))",
            ],
        )
        .await;
    other
        .sees(
            "UID FETCH 1:5 (FLAGS) (CHANGEDSINCE 7 VANISHED)",
            &[
                "* VANISHED (EARLIER) 2,4",
                "* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (10))",
            ],
        )
        .await;
    other
        .sees(
            "UID FETCH 5:* (FLAGS) (CHANGEDSINCE 7 VANISHED)",
            &["* VANISHED (EARLIER) 6"],
        )
        .await;
    other
        .sees("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 10 VANISHED)", &[])
        .await;
    other
        .sees("UID FETCH 7:900 (FLAGS) (CHANGEDSINCE 0 VANISHED)", &[])
        .await;
    other.ok("UID SEARCH RETURN (SAVE) ALL").await;
    other
        .sees(
            "UID FETCH $ (FLAGS) (CHANGEDSINCE 7 VANISHED)",
            &["* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (10))"],
        )
        .await;
}

/// RFC 7162 §3.2.10.2: one line for many, never while numbers are in use, and nothing that was not announced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c02_c04_what_goes_is_told_by_uid_where_expunge_would_be() {
    let server = Server::start();
    let mut ann = filled(&server, 6).await;
    let mut other = enabled(&server).await;
    other.ok("SELECT INBOX").await;
    let uid = ann.append("INBOX", "", MAIL).await;
    ann.ok("NOOP").await;
    expunge(&mut ann, &format!("2:4,6,{uid}")).await;
    for command in [
        "FETCH 1 UID",
        "STORE 1 +FLAGS (\\Seen)",
        "SEARCH ALL",
        "UID SEARCH 1:3",
        "UID SEARCH OR SEEN NOT 2",
    ] {
        let lines = other.ok(command).await;
        let told = lines.iter().any(|line| line.contains("VANISHED"));
        assert!(!told, "{command}: {lines:?}");
    }
    other
        .sees(
            "UID SEARCH UID 1:3",
            &["* SEARCH 1 2 3", "* VANISHED 2:4,6"],
        )
        .await;
    other.sees("NOOP", &[]).await;
    other.sees("FETCH 2 UID", &["* 2 FETCH (UID 5)"]).await;
    other.send("i IDLE\r\n").await;
    assert_eq!(other.line().await, "+ idling");
    expunge(&mut ann, "1").await;
    let mut line = other.line().await;
    if line.contains("FETCH") {
        line = other.line().await;
    }
    assert_eq!(line, "* VANISHED 1");
}

/// RFC 7162 §3.2.7 to §3.2.9, RFC 6851 §4.4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c21_after_removing_the_client_knows_where_the_mailbox_is() {
    let server = Server::start();
    let mut ann = filled(&server, 5).await;
    ann.ok("CREATE other").await;
    ann.ok("STORE 1:3 +FLAGS.SILENT (\\Deleted)").await;
    for (command, expected) in [
        (
            "UID EXPUNGE 2",
            &["* VANISHED 2", "OK [HIGHESTMODSEQ 8] UID EXPUNGE completed"][..],
        ),
        (
            "EXPUNGE",
            &["* VANISHED 1,3", "OK [HIGHESTMODSEQ 9] EXPUNGE completed"],
        ),
        ("EXPUNGE", &["OK EXPUNGE completed"]),
        ("UID EXPUNGE 1:9", &["OK UID EXPUNGE completed"]),
    ] {
        assert_eq!(ann.ok(command).await, expected, "{command}");
    }
    let lines = ann.ok("UID MOVE 4 other").await;
    assert!(lines[0].starts_with("* OK [COPYUID "), "{lines:?}");
    assert_eq!(
        lines[1..],
        ["* VANISHED 4", "OK [HIGHESTMODSEQ 10] UID MOVE completed"]
    );
    assert_eq!(ann.ok("UID MOVE 4 other").await, ["OK UID MOVE completed"]);
    ann.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    // Not here: the client may have missed what was told before.
    assert_eq!(ann.ok("CLOSE").await, ["OK CLOSE completed"]);
    assert_eq!(caught_up(&mut ann, "10").await, ["* VANISHED (EARLIER) 5"]);
    // Of a mailbox whose messages all moved away with its name.
    ann.append("INBOX", "", MAIL).await;
    ann.ok("RENAME INBOX old").await;
    assert_eq!(
        caught_up(&mut ann, "10").await,
        ["* VANISHED (EARLIER) 5:6"]
    );
}

/// RFC 7162 §6: where the client is stays behind the expunge that it was not told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c20_a_client_that_drops_off_misses_no_expunge() {
    let server = Server::start();
    let mut ann = filled(&server, 4).await;
    let mut other = enabled(&server).await;
    other.ok("SELECT INBOX").await;
    expunge(&mut ann, "2").await;
    ann.ok("UID STORE 1 +FLAGS.SILENT (x)").await;
    let lines = other.ok("STORE 3 +FLAGS.SILENT (\\Seen)").await;
    let known = lines
        .iter()
        .find_map(|line| line.strip_prefix("* OK [HIGHESTMODSEQ "))
        .unwrap();
    let known = known.split(']').next().unwrap().to_owned();
    drop(other);
    let mut again = enabled(&server).await;
    let told = caught_up(&mut again, &known).await;
    assert_eq!(told[0], "* VANISHED (EARLIER) 2");
}

/// Lines stay short enough for clients that read them whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_many_gaps_are_told_in_several_lines() {
    let server = Server::start();
    let mut ann = enabled(&server).await;
    let messages: String = (0..300).map(|_| " {1+}\r\nx").collect();
    for _ in 0..12 {
        ann.ok(&format!("APPEND INBOX{messages}")).await;
    }
    ann.ok("SELECT INBOX").await;
    let odd: Vec<String> = (1..3_600).step_by(2).map(|uid| uid.to_string()).collect();
    ann.ok(&format!(
        "UID STORE {} +FLAGS.SILENT (\\Deleted)",
        odd.join(",")
    ))
    .await;
    let lines = ann.ok("EXPUNGE").await;
    assert_eq!(lines.len(), 3, "1800 ranges, 1024 a line");
    let told = caught_up(&mut ann, "1 1:3600 (1 1)").await;
    let earlier = |line: &&String| line.starts_with("* VANISHED (EARLIER) ");
    assert_eq!(told.iter().filter(earlier).count(), 2);
}

crate::dialect::also_in_rev2!(
    enabling_it_enables_condstore_in_either_order,
    c23_without_enable_and_out_of_place_it_is_refused,
    c23_selecting_tells_what_vanished_and_then_what_changed,
    c23_with_another_uidvalidity_nothing_is_told,
    c23_below_the_floor_everything_that_is_not_there_is_told,
    c23_empty_mailboxes_have_what_vanished_or_nothing,
    fetching_tells_what_vanished_of_what_was_named,
    c02_c04_what_goes_is_told_by_uid_where_expunge_would_be,
    c21_after_removing_the_client_knows_where_the_mailbox_is,
    c20_a_client_that_drops_off_misses_no_expunge,
    very_many_gaps_are_told_in_several_lines,
);
