//! Mod-sequences and conditional changes (RFC 7162 §3.1).

use crate::harness::{Client, Server};

const MAIL: &str = "Subject: Hello\r\n\r\nHow are you?\r\n";

/// Ann's INBOX with this many messages; the mod-sequence of the nth is n + 1.
async fn filled(server: &Server, messages: u32) -> Client {
    let mut client = server.inbox("ann").await;
    for _ in 0..messages {
        client.append("INBOX", "", MAIL).await;
    }
    client.ok("NOOP").await;
    client
}

/// The lines that tell a mod-sequence.
fn with_modseq(lines: &[String]) -> Vec<&str> {
    let told = lines.iter().filter(|line| line.contains("MODSEQ"));
    told.map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selecting_tells_where_the_mailbox_is_whether_asked_or_not() {
    let server = Server::start();
    let mut client = filled(&server, 2).await;
    for command in ["SELECT INBOX", "EXAMINE INBOX", "SELECT INBOX (CONDSTORE)"] {
        let lines = client.ok(command).await;
        assert_eq!(
            with_modseq(&lines),
            ["* OK [HIGHESTMODSEQ 3] Highest mod-sequence"],
            "{command}"
        );
    }
}

/// RFC 7162 §3.1: whoever names mod-sequences in any way is told of them from then on, and where the mailbox
/// is at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_for_mod_sequences_is_told_of_them_from_then_on() {
    let server = Server::start();
    let mut other = filled(&server, 2).await;
    for (command, first) in [
        ("ENABLE CONDSTORE", true),
        ("STATUS INBOX (HIGHESTMODSEQ)", true),
        ("LIST \"\" INBOX RETURN (STATUS (HIGHESTMODSEQ))", true),
        ("FETCH 1 MODSEQ", true),
        ("UID FETCH 1 FLAGS (CHANGEDSINCE 1)", true),
        ("SEARCH NOT MODSEQ 1", true),
        ("SORT (ARRIVAL) UTF-8 MODSEQ 1", true),
        ("UID THREAD REFERENCES UTF-8 MODSEQ 1", true),
        ("STORE 1 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)", true),
        ("SELECT INBOX (CONDSTORE)", false),
        ("EXAMINE INBOX (CONDSTORE)", false),
    ] {
        let mut client = server.inbox("ann").await;
        other.ok("STORE 2 -FLAGS.SILENT (x)").await;
        client.ok("STORE 2 -FLAGS.SILENT (x)").await;
        let lines = client.ok("FETCH 2 FLAGS").await;
        assert!(with_modseq(&lines).is_empty(), "{command}: {lines:?}");
        let lines = client.ok(command).await;
        let told = lines
            .iter()
            .any(|line| line.starts_with("* OK [HIGHESTMODSEQ "));
        assert!(told, "{command}: {lines:?}");
        if first {
            assert!(lines[0].starts_with("* OK [HIGHESTMODSEQ "), "{command}");
        }
        // Only the first time.
        let lines = client.ok("FETCH 1 MODSEQ").await;
        assert!(lines[0].starts_with("* 1 FETCH"), "{command}: {lines:?}");
        other.ok("STORE 2 +FLAGS.SILENT (x)").await;
        let lines = client.ok("NOOP").await;
        let last = &lines[lines.len() - 2];
        assert!(
            last.starts_with("* 2 FETCH (UID 2 FLAGS (x) MODSEQ ("),
            "{command}: {lines:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_asked_is_told_no_mod_sequence() {
    let server = Server::start();
    let mut ann = filled(&server, 1).await;
    let mut other = server.inbox("ann").await;
    other.ok("ENABLE CONDSTORE").await;
    ann.sees("STORE 1 +FLAGS (\\Seen)", &["* 1 FETCH (FLAGS (\\Seen))"])
        .await;
    other
        .sees("NOOP", &["* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (3))"])
        .await;
    ann.sees("STORE 1 +FLAGS.SILENT (\\Flagged)", &[]).await;
    ann.sees("SEARCH SEEN", &["* SEARCH 1"]).await;
}

/// RFC 7162 §3.1.3, §3.1.4.2: examples 3, 4, 5 and 14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c19_silence_does_not_hide_the_new_mod_sequence() {
    let server = Server::start();
    let mut ann = filled(&server, 4).await;
    ann.sees(
        "UID STORE 2,1,4 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Deleted)",
        &[
            "* OK [HIGHESTMODSEQ 5] Mod-sequences are told from here on",
            "* 1 FETCH (UID 1 MODSEQ (6))",
            "* 2 FETCH (UID 2 MODSEQ (6))",
            "* 4 FETCH (UID 4 MODSEQ (6))",
        ],
    )
    .await;
    // Also without a condition, and by number; what is so already keeps what it has (§3.1.11).
    ann.sees("STORE * +FLAGS.SILENT (\\Deleted)", &[]).await;
    ann.sees(
        "STORE * -FLAGS.SILENT (\\Deleted)",
        &["* 4 FETCH (UID 4 MODSEQ (7))"],
    )
    .await;
    ann.sees(
        "STORE 4 (UNCHANGEDSINCE 7) -FLAGS.SILENT (\\Deleted)",
        &["* 4 FETCH (UID 4 MODSEQ (7))"],
    )
    .await;
    ann.sees(
        "STORE 3 FLAGS (\\Flagged)",
        &["* 3 FETCH (UID 3 FLAGS (\\Flagged) MODSEQ (8))"],
    )
    .await;
}

/// RFC 7162 §3.1.3, examples 6 to 10: those that fail don't stop the others, and are told why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c19_what_changed_meanwhile_is_left_alone_and_told() {
    let server = Server::start();
    let mut ann = filled(&server, 3).await;
    let mut other = server.inbox("ann").await;
    ann.ok("ENABLE CONDSTORE").await;
    other.ok("STORE 2 +FLAGS.SILENT (\\Answered)").await;
    let lines = ann
        .ok("STORE 3,1:2 (UNCHANGEDSINCE 4) +FLAGS.SILENT (\\Deleted)")
        .await;
    let expected = [
        "* 2 FETCH (UID 2 FLAGS (\\Answered) MODSEQ (5))",
        "* 1 FETCH (UID 1 MODSEQ (6))",
        "* 3 FETCH (UID 3 MODSEQ (6))",
        "OK [MODIFIED 2] Some messages changed meanwhile and were left alone",
    ];
    assert_eq!(lines[lines.len() - 4..], expected, "{lines:#?}");
    // By UID, and of a change that the client was told long ago.
    ann.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    ann.ok("UID STORE 1 -FLAGS.SILENT (\\Deleted)").await;
    let lines = ann.ok("UID STORE 1:3 (UNCHANGEDSINCE 5) FLAGS (x)").await;
    assert_eq!(
        lines.last().unwrap(),
        "OK [MODIFIED 1,3] Some messages changed meanwhile and were left alone"
    );
    ann.ok("UID STORE 2 FLAGS ()").await;
    // Zero never holds (example 8), not even for a keyword that nobody has.
    let lines = ann
        .ok("STORE 2 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($MDNSent)")
        .await;
    assert!(
        lines.last().unwrap().starts_with("OK [MODIFIED 2] "),
        "{lines:?}"
    );
    other.ok("NOOP").await;
    other.sees("FETCH 2 FLAGS", &["* 2 FETCH (FLAGS ())"]).await;
}

/// RFC 7162 §3.1.3, example 11, and RFC 2180 §4.2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c19_with_messages_that_are_gone_the_answer_is_no_with_those_that_changed() {
    let server = Server::start();
    let mut ann = filled(&server, 3).await;
    let mut other = server.inbox("ann").await;
    ann.ok("ENABLE CONDSTORE").await;
    other.ok("STORE 2 +FLAGS.SILENT (\\Answered)").await;
    other.ok("STORE 3 +FLAGS.SILENT (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    let lines = ann
        .refused(
            "STORE 1:3 (UNCHANGEDSINCE 4) +FLAGS (\\Seen)",
            "NO [MODIFIED 2]",
        )
        .await;
    assert!(lines.contains(&"* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (8))".to_owned()));
    ann.sees("NOOP", &["* 3 EXPUNGE"]).await;
    ann.refused("STORE 3 (UNCHANGEDSINCE 4) +FLAGS (\\Seen)", "BAD")
        .await;
    // By UID what is gone is passed over.
    let lines = ann
        .ok("UID STORE 2:3 (UNCHANGEDSINCE 9) +FLAGS (\\Seen)")
        .await;
    assert_eq!(lines.last().unwrap(), "OK UID STORE completed");
}

/// The condition and the change are one step: of two that were made on the same state, one wins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c19_of_two_who_race_on_a_condition_exactly_one_wins() {
    let server = Server::start();
    let mut ann = filled(&server, 1).await;
    let mut other = server.inbox("ann").await;
    for _ in 0..30 {
        let lines = ann.ok("FETCH 1 (FLAGS MODSEQ)").await;
        let line = lines.iter().find(|line| line.contains("MODSEQ (")).unwrap();
        let modseq = line.split("MODSEQ (").nth(1).unwrap();
        let modseq = modseq.split(')').next().unwrap();
        let action = if line.contains("$Mine") { '-' } else { '+' };
        let command =
            format!("r STORE 1 (UNCHANGEDSINCE {modseq}) {action}FLAGS.SILENT ($Mine)\r\n");
        tokio::join!(ann.send(&command), other.send(&command));
        let (one, two) = (ann.until("r").await, other.until("r").await);
        let lost = [&one, &two]
            .iter()
            .filter(|lines| lines.last().unwrap().starts_with("OK [MODIFIED 1]"))
            .count();
        assert_eq!(lost, 1, "{one:?} {two:?}");
    }
}

/// RFC 7162 §3.1.4.1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changedsince_gives_what_changed_and_its_mod_sequence() {
    let server = Server::start();
    let mut ann = filled(&server, 3).await;
    ann.ok("ENABLE CONDSTORE").await;
    ann.ok("STORE 2 +FLAGS.SILENT (\\Seen)").await;
    ann.sees(
        "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 3)",
        &[
            "* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (5))",
            "* 3 FETCH (UID 3 FLAGS () MODSEQ (4))",
        ],
    )
    .await;
    ann.sees(
        "FETCH 1:2 (MODSEQ FLAGS) (CHANGEDSINCE 3)",
        &["* 2 FETCH (MODSEQ (5) FLAGS (\\Seen))"],
    )
    .await;
    ann.sees("FETCH 1:* FLAGS (CHANGEDSINCE 5)", &[]).await;
    // What is not fetched is not read.
    ann.sees(
        "FETCH 1:* BODY[TEXT]<0.3> (CHANGEDSINCE 4)",
        &["* 2 FETCH (BODY[TEXT]<0> {3}\r\nHow MODSEQ (5))"],
    )
    .await;
    for bad in [
        "FETCH 1:* FLAGS (CHANGEDSINCE)",
        "FETCH 1:* FLAGS (CHANGEDSINCE x)",
        "FETCH 1:* FLAGS (CHANGEDSINCE 9223372036854775808)",
        "FETCH 1:* FLAGS ()",
        "STORE 1 (UNCHANGEDSINCE -1) FLAGS ()",
        "SELECT INBOX (CONDSTOR)",
    ] {
        ann.refused(bad, "BAD").await;
    }
    ann.sees("FETCH 1:* FLAGS (CHANGEDSINCE 9223372036854775807)", &[])
        .await;
}

/// RFC 7162 §3.2.4: also where reading a message marks it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c20_reading_tells_the_mod_sequence_that_it_made() {
    let server = Server::start();
    let mut ann = filled(&server, 1).await;
    ann.ok("ENABLE CONDSTORE").await;
    ann.sees(
        "FETCH 1 BODY[TEXT]<0.3>",
        &["* 1 FETCH (BODY[TEXT]<0> {3}\r\nHow UID 1 FLAGS (\\Seen) MODSEQ (3))"],
    )
    .await;
    ann.sees(
        "FETCH 1 BODY[TEXT]<0.3>",
        &["* 1 FETCH (BODY[TEXT]<0> {3}\r\nHow)"],
    )
    .await;
}

/// RFC 7162 §3.1.5, §3.1.10, RFC 4731 §3.2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_for_mod_sequences_tells_the_highest_it_found() {
    let server = Server::start();
    let mut ann = filled(&server, 4).await;
    ann.ok("ENABLE CONDSTORE").await;
    ann.ok("STORE 2 +FLAGS.SILENT (\\Seen)").await;
    ann.sees("SEARCH MODSEQ 4", &["* SEARCH 2 3 4 (MODSEQ 6)"])
        .await;
    ann.sees("UID SEARCH MODSEQ 4 NOT 2", &["* SEARCH 3 4 (MODSEQ 5)"])
        .await;
    ann.sees(
        "SEARCH MODSEQ \"/flags/\\\\draft\" all 5",
        &["* SEARCH 2 4 (MODSEQ 6)"],
    )
    .await;
    ann.sees("SEARCH OR NOT MODSEQ 7 SEEN 3", &["* SEARCH 3 (MODSEQ 4)"])
        .await;
    ann.sees("SEARCH MODSEQ 7", &["* SEARCH"]).await;
    ann.sees("SEARCH SEEN", &["* SEARCH 2"]).await;
    for (returns, key, expected) in [
        ("ALL", "MODSEQ 4", "ALL 2:4 MODSEQ 6"),
        ("", "MODSEQ 4", "ALL 2:4 MODSEQ 6"),
        ("MIN", "MODSEQ 1", "MIN 1 MODSEQ 2"),
        ("MAX", "MODSEQ 1", "MAX 4 MODSEQ 5"),
        ("MIN MAX", "MODSEQ 1", "MIN 1 MAX 4 MODSEQ 5"),
        ("MIN COUNT", "MODSEQ 1", "MIN 1 COUNT 4 MODSEQ 6"),
        ("COUNT", "MODSEQ 7", "COUNT 0"),
        ("COUNT", "SEEN", "COUNT 1"),
    ] {
        let lines = ann.ok(&format!("SEARCH RETURN ({returns}) {key}")).await;
        let mut words: Vec<&str> = lines[0].splitn(5, ' ').skip(4).collect();
        words.retain(|word| !word.is_empty());
        let told = words.join(" ");
        let mut told: Vec<&str> = told.split(' ').collect();
        let mut expected: Vec<&str> = expected.split(' ').collect();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected, "{returns} {key}: {lines:?}");
    }
    for bad in [
        "SEARCH MODSEQ",
        "SEARCH MODSEQ \"/flags/x\" 4",
        "SEARCH MODSEQ \"/flags/x\" some 4",
    ] {
        ann.refused(bad, "BAD").await;
    }
}

/// RFC 7162 §3.1: appended and copied messages have a new one, and the source of a copy keeps its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_and_new_messages_come_after_everything_before() {
    let server = Server::start();
    let mut ann = filled(&server, 2).await;
    ann.ok("CREATE other").await;
    ann.ok("ENABLE CONDSTORE").await;
    ann.sees("COPY 1:2 other", &[]).await;
    ann.ok("COPY 1 INBOX").await;
    ann.sees(
        "FETCH 1:* (UID MODSEQ)",
        &[
            "* 1 FETCH (UID 1 MODSEQ (2))",
            "* 2 FETCH (UID 2 MODSEQ (3))",
            "* 3 FETCH (UID 3 MODSEQ (4))",
        ],
    )
    .await;
    ann.sees(
        "STATUS INBOX (HIGHESTMODSEQ)",
        &["* STATUS INBOX (HIGHESTMODSEQ 4)"],
    )
    .await;
}

/// RFC 7162 §3.2, §6: a client takes the highest mod-sequence that it saw for where it is, unless it is told
/// better. So it is told while expunges wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c20_no_mod_sequence_covers_an_expunge_that_waits() {
    let server = Server::start();
    let mut ann = filled(&server, 4).await;
    let mut other = server.inbox("ann").await;
    ann.ok("ENABLE CONDSTORE").await;
    ann.ok("STORE 1 +FLAGS.SILENT (x)").await;
    other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    other.ok("STORE 1 +FLAGS.SILENT (y)").await;
    // 6: x. 7: \Deleted. 8: the expunge. 9: y.
    for command in [
        "FETCH 3 (MODSEQ)",
        "STORE 3 +FLAGS.SILENT (z)",
        "SEARCH MODSEQ 1",
    ] {
        let lines = ann.ok(command).await;
        let last = with_modseq(&lines).pop().unwrap().to_owned();
        assert_eq!(
            last, "* OK [HIGHESTMODSEQ 6] Expunges are still to be told",
            "{command}: {lines:?}"
        );
        assert!(!lines.iter().any(|line| line.ends_with("EXPUNGE")));
    }
    ann.sees("NOOP", &["* 2 EXPUNGE"]).await;
    let lines = ann.ok("FETCH 1 (MODSEQ)").await;
    assert_eq!(lines[0], "* 1 FETCH (MODSEQ (9))");
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_a_mailbox_for_another_is_told() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    let lines = client.ok("SELECT INBOX").await;
    assert!(
        !lines.iter().any(|line| line.contains("CLOSED")),
        "{lines:?}"
    );
    let lines = client.ok("SELECT INBOX").await;
    assert_eq!(lines[0], "* OK [CLOSED] Closed");
    let lines = client.refused("EXAMINE nowhere", "NO").await;
    assert_eq!(lines, ["* OK [CLOSED] Closed"]);
    client.refused("EXAMINE nowhere", "NO").await;
    client.ok("SELECT INBOX").await;
    client.ok("UNSELECT").await;
    let lines = client.ok("SELECT INBOX").await;
    assert!(
        !lines.iter().any(|line| line.contains("CLOSED")),
        "{lines:?}"
    );
}

/// RFC 7162 §3.2: who hears of no change of flags, after NOTIFY, is not thought to know of any.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c20_what_a_client_does_not_want_to_hear_it_does_not_know() {
    let server = Server::start();
    let mut other = filled(&server, 2).await;
    for events in [
        "(selected (MessageNew MessageExpunge))",
        "(personal (MessageNew MessageExpunge))",
    ] {
        let mut ann = server.inbox("ann").await;
        ann.ok("ENABLE CONDSTORE").await;
        let lines = ann.ok("STATUS INBOX (HIGHESTMODSEQ)").await;
        let known: u64 = {
            let told = lines[0].split("HIGHESTMODSEQ ").nth(1).unwrap();
            told.trim_end_matches(')').parse().unwrap()
        };
        ann.ok(&format!("NOTIFY SET {events}")).await;
        for _ in 0..2 {
            other.ok("STORE 1 +FLAGS.SILENT (x)").await;
            other.ok("STORE 1 -FLAGS.SILENT (x)").await;
            ann.ok("NOOP").await;
            let lines = ann.ok("FETCH 1 MODSEQ").await;
            let told = with_modseq(&lines).pop().unwrap().to_owned();
            assert!(
                told.starts_with(&format!("* OK [HIGHESTMODSEQ {known}]")),
                "{events}: {lines:?}"
            );
        }
    }
}

crate::dialect::also_in_rev2!(
    selecting_tells_where_the_mailbox_is_whether_asked_or_not,
    whoever_asks_for_mod_sequences_is_told_of_them_from_then_on,
    who_never_asked_is_told_no_mod_sequence,
    c19_silence_does_not_hide_the_new_mod_sequence,
    c19_what_changed_meanwhile_is_left_alone_and_told,
    c19_with_messages_that_are_gone_the_answer_is_no_with_those_that_changed,
    c19_of_two_who_race_on_a_condition_exactly_one_wins,
    changedsince_gives_what_changed_and_its_mod_sequence,
    c20_reading_tells_the_mod_sequence_that_it_made,
    a_search_for_mod_sequences_tells_the_highest_it_found,
    copies_and_new_messages_come_after_everything_before,
    c20_no_mod_sequence_covers_an_expunge_that_waits,
    leaving_a_mailbox_for_another_is_told,
);
