//! SORT (RFC 5256), with what RFC 5957 and RFC 5267 add to it.

use crate::harness::{Client, Server};

/// Saves a message that arrived at an hour of one day.
async fn arrive(client: &mut Client, hour: u32, header: &str) {
    let message = format!("{}\r\n\r\nbody\r\n", header.replace('\n', "\r\n"));
    let size = message.len();
    client
        .ok(&format!(
            "APPEND INBOX () \"01-Feb-2024 {hour:02}:00:00 +0000\" {{{size}+}}\r\n{message}"
        ))
        .await;
}

/// A mailbox with these headers, the first of which arrived last.
async fn with(server: &Server, headers: &[&str]) -> Client {
    let mut client = server.inbox("ann").await;
    for (hour, header) in (0..headers.len() as u32).rev().zip(headers) {
        arrive(&mut client, hour, header).await;
    }
    client.ok("NOOP").await;
    client
}

async fn sorts(client: &mut Client, criteria: &str, expected: &str) {
    let command = format!("SORT ({criteria}) UTF-8 ALL");
    client
        .sees(&command, &[&format!("* SORT {expected}")])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_sorted_by_what_is_asked_and_then_as_they_stand() {
    let server = Server::start();
    let mut client = with(
        &server,
        &[
            "Subject: b\nFrom: Zoe <a@x.org>\nTo: d@x.org\nDate: 1 Jan 2024 10:00:00 +0000",
            "Subject: Re: A\nFrom: Adam <z@x.org>\nTo: C@x.org\nCc: x@x.org\nDate: 1 Jan 2024 09:30:00 -0100",
            "Subject: [list] a (fwd)\nFrom: m@x.org\nTo: c@x.org\nDate: 1 Jan 2024 10:45:00 +0100\nX: filler",
            "From: =?utf-8?q?=C3=84nne?= <b@x.org>\nCc: A@x.org",
        ],
    )
    .await;
    for (criteria, expected) in [
        ("ARRIVAL", "4 3 2 1"),
        ("REVERSE ARRIVAL", "1 2 3 4"),
        // 10:00, 10:30 and 9:45 in UTC; the fourth has no date, but arrived a month later.
        ("DATE", "3 1 2 4"),
        ("REVERSE DATE", "4 2 1 3"),
        // What is missing is empty, and comes first. Only the criterion is reversed, not the order of equals.
        ("SUBJECT", "4 2 3 1"),
        ("REVERSE SUBJECT", "1 2 3 4"),
        ("SUBJECT REVERSE ARRIVAL", "4 2 3 1"),
        ("SUBJECT ARRIVAL", "4 3 2 1"),
        ("FROM", "1 4 3 2"),
        ("DISPLAYFROM", "2 4 3 1"),
        ("TO", "4 2 3 1"),
        ("DISPLAYTO", "4 2 3 1"),
        ("CC", "1 3 4 2"),
        ("SIZE", "4 1 2 3"),
        ("REVERSE SIZE REVERSE SIZE", "2 3 1 4"),
    ] {
        sorts(&mut client, criteria, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_matches_is_sorted_and_uids_stand_for_numbers() {
    let server = Server::start();
    let mut client = with(
        &server,
        &["Subject: c", "Subject: b", "Subject: a", "Subject: d"],
    )
    .await;
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("EXPUNGE").await;
    client
        .sees("SORT (SUBJECT) UTF-8 NOT SUBJECT d", &["* SORT 2 1"])
        .await;
    client
        .sees(
            "UID SORT (SUBJECT) \"us-ascii\" NOT SUBJECT d",
            &["* SORT 3 2"],
        )
        .await;
    client
        .sees("UID SORT (SUBJECT) UTF-8 2:3", &["* SORT 3 4"])
        .await;
    client
        .sees("SORT (SUBJECT) UTF-8 TEXT nowhere", &["* SORT"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sort_that_makes_no_sense_is_refused() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client.refused("SORT (DATE) UTF-8 ALL", "BAD").await;
    client.ok("SELECT INBOX").await;
    client
        .refused("SORT (DATE) KLINGON ALL", "NO [BADCHARSET")
        .await;
    for command in [
        "SORT (DATE) ALL",
        "SORT DATE UTF-8 ALL",
        "SORT () UTF-8 ALL",
        "SORT (REVERSE) UTF-8 ALL",
        "SORT (COLOUR) UTF-8 ALL",
        "SORT RETURN (ALL PARTIAL 1:2) (DATE) UTF-8 ALL",
    ] {
        client.refused(command, "BAD").await;
    }
}

/// RFC 5267 §3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_of_a_sort_come_in_its_order() {
    let server = Server::start();
    let subjects = [
        "Subject: e",
        "Subject: d",
        "Subject: c",
        "Subject: a",
        "Subject: b",
    ];
    let mut client = with(&server, &subjects).await;
    for (options, answer) in [
        ("", " ALL 4:5,3,2,1"),
        ("ALL", " ALL 4:5,3,2,1"),
        ("MIN MAX COUNT", " MIN 4 MAX 1 COUNT 5"),
        ("PARTIAL 2:3", " PARTIAL (2:3 5,3)"),
        ("PARTIAL -1:-2", " PARTIAL (-1:-2 2,1)"),
        ("PARTIAL 6:9", " PARTIAL (6:9 NIL)"),
        ("PARTIAL 9:4 COUNT", " COUNT 5 PARTIAL (9:4 2,1)"),
    ] {
        let lines = client
            .ok(&format!("SORT RETURN ({options}) (SUBJECT) UTF-8 ALL"))
            .await;
        let tag = client.last_tag();
        assert_eq!(
            lines[0],
            format!("* ESEARCH (TAG \"{tag}\"){answer}"),
            "{options}"
        );
        let lines = client
            .ok(&format!("UID SORT RETURN ({options}) (SUBJECT) UTF-8 ALL"))
            .await;
        let tag = client.last_tag();
        assert_eq!(
            lines[0],
            format!("* ESEARCH (TAG \"{tag}\") UID{answer}"),
            "{options}"
        );
    }
    let lines = client
        .ok("SORT RETURN (ALL MIN COUNT) (SUBJECT) UTF-8 SUBJECT x")
        .await;
    let tag = client.last_tag();
    assert_eq!(lines[0], format!("* ESEARCH (TAG \"{tag}\") COUNT 0"));
    // What is saved is what is told.
    client
        .sees("SORT RETURN (SAVE) (SUBJECT) UTF-8 ALL", &[])
        .await;
    client.sees("SEARCH $", &["* SEARCH 1 2 3 4 5"]).await;
    client
        .ok("SORT RETURN (SAVE PARTIAL 1:2) (SUBJECT) UTF-8 ALL")
        .await;
    client.sees("SEARCH $", &["* SEARCH 4 5"]).await;
    client
        .ok("SORT RETURN (SAVE MIN MAX) (SUBJECT) UTF-8 ALL")
        .await;
    client.sees("SEARCH $", &["* SEARCH 1 4"]).await;
    client
        .ok("SORT RETURN (SAVE COUNT PARTIAL 1:1) (SUBJECT) UTF-8 ALL")
        .await;
    client.sees("SEARCH $", &["* SEARCH 1 2 3 4 5"]).await;
}

/// What was sorted once is remembered; what comes and goes after that is in the next result, or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_sort_knows_what_came_and_went() {
    let server = Server::start();
    let mut client = with(&server, &["Subject: b", "Subject: d"]).await;
    client
        .sees("UID SORT (SUBJECT) UTF-8 2", &["* SORT 2"])
        .await;
    sorts(&mut client, "SUBJECT", "1 2").await;
    for subject in ["c", "a", "e"] {
        arrive(&mut client, 9, &format!("Subject: {subject}")).await;
    }
    client.ok("NOOP").await;
    sorts(&mut client, "SUBJECT", "4 1 3 2 5").await;
    client.ok("STORE 2,4 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("EXPUNGE").await;
    sorts(&mut client, "SUBJECT", "1 2 3").await;
    client.ok("CREATE other").await;
    client.ok("MOVE 1 other").await;
    client.ok("SELECT other").await;
    client
        .sees("UID SORT (SUBJECT) UTF-8 ALL", &["* SORT 1"])
        .await;
}

/// A sort must not lose what a search finds, however many there are, and whatever others expunge meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c24_a_sort_has_every_message_also_those_that_another_expunged() {
    const MANY: u32 = 700;
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let mut batch = String::from("APPEND INBOX");
    for n in 0..MANY {
        let message = format!("Subject: {:03}\r\n\r\nx\r\n", (n * 37) % MANY);
        batch.push_str(&format!(" {{{}+}}\r\n{message}", message.len()));
    }
    client.ok(&batch).await;
    client.ok("NOOP").await;
    let order = |lines: Vec<String>| -> Vec<u32> {
        let numbers = lines[0].strip_prefix("* SORT ").unwrap().split(' ');
        numbers.map(|number| number.parse().unwrap()).collect()
    };
    let expected = |n: &u32| ((n - 1) * 37) % MANY;
    let sorted = order(client.ok("SORT (SUBJECT) UTF-8 ALL").await);
    assert_eq!(sorted.len(), MANY as usize);
    assert!(sorted.iter().map(expected).is_sorted());

    let mut other = server.inbox("ann").await;
    other.ok("STORE 1:100 +FLAGS.SILENT (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    // Numbers stand still during SORT, and so do the messages.
    let lines = client.ok("SORT (REVERSE SUBJECT DATE) UTF-8 ALL").await;
    assert!(
        !lines.iter().any(|line| line.contains("EXPUNGE")),
        "{lines:?}"
    );
    let sorted = order(lines);
    assert_eq!(sorted.len(), MANY as usize);
    assert!(sorted.iter().rev().map(expected).is_sorted());
    // UID SORT may tell.
    let lines = client.ok("UID SORT (SUBJECT) UTF-8 ALL").await;
    let gone = lines
        .iter()
        .filter(|line| line.ends_with(" EXPUNGE"))
        .count();
    assert_eq!(gone, 100);
    let sorted = order(client.ok("UID SORT (SUBJECT) UTF-8 ALL").await);
    assert_eq!(sorted.len(), MANY as usize - 100);
    assert!(sorted.iter().all(|uid| *uid > 100));
    assert!(sorted.iter().map(expected).is_sorted());
}

/// RFC 7162 §3.1.9 and §3.1.10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sort_by_mod_sequence_tells_the_highest() {
    let server = Server::start();
    let mut client = with(&server, &["Subject: b", "Subject: a"]).await;
    let code = client.ok("SELECT INBOX (CONDSTORE)").await;
    let modseq = code
        .iter()
        .find_map(|line| line.split_once("[HIGHESTMODSEQ "))
        .unwrap()
        .1;
    let modseq = modseq.split_once(']').unwrap().0;
    let answer = format!("* SORT 2 1 (MODSEQ {modseq})");
    client
        .sees("SORT (SUBJECT) UTF-8 MODSEQ 1", &[&answer])
        .await;
    client
        .sees("SORT (SUBJECT) UTF-8 MODSEQ 999999", &["* SORT"])
        .await;
    let lines = client
        .ok("UID SORT RETURN (ALL) (SUBJECT) UTF-8 MODSEQ 1")
        .await;
    let tag = client.last_tag();
    assert_eq!(
        lines[0],
        format!("* ESEARCH (TAG \"{tag}\") UID MODSEQ {modseq} ALL 2,1")
    );
}

crate::dialect::also_in_rev2!(
    messages_are_sorted_by_what_is_asked_and_then_as_they_stand,
    only_what_matches_is_sorted_and_uids_stand_for_numbers,
    a_sort_that_makes_no_sense_is_refused,
    results_of_a_sort_come_in_its_order,
    the_next_sort_knows_what_came_and_went,
    c24_a_sort_has_every_message_also_those_that_another_expunged,
);
