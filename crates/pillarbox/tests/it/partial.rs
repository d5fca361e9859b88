//! Results and messages in pages: PARTIAL (RFC 9394).

use crate::harness::{Client, Server};

/// A mailbox whose UIDs are 2, 3, 5, 6, 7, 9, 10.
async fn with_gaps(server: &Server) -> Client {
    let mut client = server.inbox("ann").await;
    for uid in 1..=10 {
        let flags = if [1, 4, 8].contains(&uid) {
            "\\Deleted"
        } else {
            ""
        };
        client
            .append("INBOX", flags, &format!("Subject: {uid}\r\n\r\nx\r\n"))
            .await;
    }
    client.ok("EXPUNGE").await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_a_search_has_what_is_there() {
    let server = Server::start();
    let mut client = with_gaps(&server).await;
    for (options, by_number, by_uid) in [
        ("PARTIAL 1:3", "PARTIAL (1:3 1:3)", "PARTIAL (1:3 2:3,5)"),
        ("PARTIAL 3:1", "PARTIAL (3:1 1:3)", "PARTIAL (3:1 2:3,5)"),
        ("PARTIAL 6:10", "PARTIAL (6:10 6:7)", "PARTIAL (6:10 9:10)"),
        ("PARTIAL 8:10", "PARTIAL (8:10 NIL)", "PARTIAL (8:10 NIL)"),
        (
            "PARTIAL -1:-2",
            "PARTIAL (-1:-2 6:7)",
            "PARTIAL (-1:-2 9:10)",
        ),
        ("PARTIAL -7:-9", "PARTIAL (-7:-9 1)", "PARTIAL (-7:-9 2)"),
        (
            "PARTIAL -8:-8",
            "PARTIAL (-8:-8 NIL)",
            "PARTIAL (-8:-8 NIL)",
        ),
        (
            "MIN PARTIAL 2:2 MAX COUNT",
            "MIN 1 MAX 7 COUNT 7 PARTIAL (2:2 2)",
            "MIN 2 MAX 10 COUNT 7 PARTIAL (2:2 3)",
        ),
    ] {
        let lines = client.ok(&format!("SEARCH RETURN ({options}) ALL")).await;
        let tag = client.last_tag();
        assert_eq!(lines[0], format!("* ESEARCH (TAG \"{tag}\") {by_number}"));
        let lines = client
            .ok(&format!("UID SEARCH RETURN ({options}) ALL"))
            .await;
        let tag = client.last_tag();
        assert_eq!(lines[0], format!("* ESEARCH (TAG \"{tag}\") UID {by_uid}"));
    }
    for options in [
        "PARTIAL 1:2 ALL",
        "PARTIAL 1:2 PARTIAL 3:4",
        "PARTIAL 0:1",
        "PARTIAL 1:*",
        "PARTIAL -1:2",
    ] {
        client
            .refused(&format!("SEARCH RETURN ({options}) ALL"), "BAD")
            .await;
    }
}

/// RFC 9394 §3.2, table 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_saved_of_a_page() {
    let server = Server::start();
    let mut client = with_gaps(&server).await;
    for (options, saved) in [
        ("SAVE PARTIAL 2:3", "3 5"),
        ("SAVE PARTIAL 2:3 MIN", "2 3 5"),
        ("SAVE PARTIAL 2:3 MAX", "3 5 10"),
        ("SAVE PARTIAL 2:3 MIN MAX", "2 3 5 10"),
        ("SAVE PARTIAL 2:3 COUNT", "2 3 5 6 7 9 10"),
        ("SAVE PARTIAL 2:3 MIN COUNT", "2 3 5 6 7 9 10"),
        ("SAVE PARTIAL 8:9", ""),
    ] {
        client
            .ok(&format!("UID SEARCH RETURN ({options}) ALL"))
            .await;
        let expected = format!("* SEARCH {saved}");
        client.sees("UID SEARCH $", &[expected.trim_end()]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_a_fetch_has_the_messages_at_its_places() {
    let server = Server::start();
    let mut client = with_gaps(&server).await;
    for (set, range, uids) in [
        ("1:*", "1:2", &[2, 3][..]),
        ("1:*", "-1:-2", &[9, 10]),
        ("3:7", "2:9", &[5, 6, 7]),
        ("3:7", "5:9", &[]),
    ] {
        let lines = client
            .ok(&format!("UID FETCH {set} UID (PARTIAL {range})"))
            .await;
        let told: Vec<u32> = lines[..lines.len() - 1]
            .iter()
            .map(|line| {
                line.split_once("UID ")
                    .unwrap()
                    .1
                    .trim_end_matches(')')
                    .parse()
                    .unwrap()
            })
            .collect();
        assert_eq!(told, uids, "{set} {range}");
    }
    // Other messages are not marked.
    client.ok("UID FETCH 1:* BODY[] (PARTIAL -1:-1)").await;
    client.sees("UID SEARCH SEEN", &["* SEARCH 10"]).await;
    // It says nothing of mod-sequences, and does not ask for them.
    client
        .sees("UID FETCH 2 FLAGS", &["* 1 FETCH (UID 2 FLAGS ())"])
        .await;
    // Of those that changed, the last two.
    let code = client.ok("SELECT INBOX (CONDSTORE)").await;
    let modseq = code
        .iter()
        .find_map(|line| line.split_once("[HIGHESTMODSEQ "))
        .unwrap()
        .1;
    let modseq = modseq.split_once(']').unwrap().0;
    client.ok("UID STORE 3,5,7 +FLAGS.SILENT (\\Flagged)").await;
    for modifiers in [
        format!("PARTIAL -1:-2 CHANGEDSINCE {modseq}"),
        format!("CHANGEDSINCE {modseq} PARTIAL -1:-2"),
    ] {
        let lines = client
            .ok(&format!("UID FETCH 1:* FLAGS ({modifiers})"))
            .await;
        assert!(
            lines.len() == 3 && lines[0].contains("UID 5") && lines[1].contains("UID 7"),
            "{lines:?}"
        );
    }
    client.refused("FETCH 1:* UID (PARTIAL 1:2)", "BAD").await;
    client
        .refused("UID FETCH 1:* UID (PARTIAL 1:2 PARTIAL 3:4)", "BAD")
        .await;
}

/// RFC 9586: places are those of messages, not of UIDs that none has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_without_sequence_numbers_counts_messages() {
    let server = Server::start();
    let mut client = with_gaps(&server).await;
    client.ok("ENABLE UIDONLY").await;
    client.ok("SELECT INBOX").await;
    for (range, uids) in [("1:3", [2, 3, 5]), ("-1:-3", [7, 9, 10])] {
        let lines = client
            .ok(&format!("UID FETCH 1:* FLAGS (PARTIAL {range})"))
            .await;
        let expected = uids.map(|uid| format!("* {uid} UIDFETCH (FLAGS ())"));
        assert_eq!(lines[..lines.len() - 1], expected);
    }
    let lines = client
        .ok("UID SEARCH RETURN (UPDATE PARTIAL 2:3) UNFLAGGED")
        .await;
    let tag = client.last_tag();
    let said = |what: &str| format!("* ESEARCH (TAG \"{tag}\") UID {what}");
    assert_eq!(lines[0], said("PARTIAL (2:3 3,5)"));
    let mut other = server.inbox("ann").await;
    other.ok("UID STORE 3 +FLAGS (\\Flagged)").await;
    other.ok("UID STORE 9 +FLAGS (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    let lines = client.ok("NOOP").await;
    let told: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("ESEARCH"))
        .collect();
    assert_eq!(
        told,
        [&said("REMOVEFROM (0 9)"), &said("REMOVEFROM (0 3)")],
        "{lines:?}"
    );
}
