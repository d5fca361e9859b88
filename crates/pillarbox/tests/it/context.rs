//! Results that are followed: CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267 §4).

use crate::harness::Server;

const MAIL: &str = "Subject: b\r\n\r\nHow are you?\r\n";

fn subject(text: &str) -> String {
    format!("Subject: {text}\r\n\r\nx\r\n")
}

/// The lines that follow a result.
fn updates(lines: &[String]) -> Vec<&str> {
    let all = lines.iter().map(String::as_str);
    all.filter(|line| line.starts_with("* ESEARCH")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_come_and_go_are_told() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    for flags in ["", "\\Flagged", ""] {
        client.append("INBOX", flags, MAIL).await;
    }
    client.ok("NOOP").await;
    let lines = client
        .ok("UID SEARCH RETURN (UPDATE ALL COUNT) FLAGGED")
        .await;
    let tag = client.last_tag();
    let said = |what: &str| format!("* ESEARCH (TAG \"{tag}\") UID {what}");
    assert_eq!(lines[0], said("COUNT 1 ALL 2"));
    assert_eq!(lines.len(), 2);
    let mut other = server.inbox("ann").await;
    other.ok("STORE 1,3 +FLAGS (\\Flagged)").await;
    client
        .sees(
            "NOOP",
            &[
                "* 1 FETCH (FLAGS (\\Flagged))",
                "* 3 FETCH (FLAGS (\\Flagged))",
                &said("ADDTO (0 1,3)"),
            ],
        )
        .await;
    // One's own changes too, also where silence is asked for about flags.
    client
        .sees(
            "STORE 2 -FLAGS.SILENT (\\Flagged)",
            &[&said("REMOVEFROM (0 2)")],
        )
        .await;
    // New ones after EXISTS; what goes before EXPUNGE.
    let lines = client
        .ok(&format!(
            "APPEND INBOX (\\Flagged) {{{}+}}\r\n{MAIL}",
            MAIL.len()
        ))
        .await;
    assert_eq!(
        lines[..3],
        ["* 4 EXISTS", "* 0 RECENT", &said("ADDTO (0 4)")]
    );
    other.ok("STORE 3 +FLAGS.SILENT (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    client
        .sees("NOOP", &[&said("REMOVEFROM (0 3)"), "* 3 EXPUNGE"])
        .await;
    client.sees("NOOP", &[]).await;
    // What does not change a result is not told.
    client.ok("STORE 1 +FLAGS.SILENT (\\Seen)").await;
    client.sees("NOOP", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expunge_that_must_wait_leaves_results_at_once() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", MAIL).await;
    client.append("INBOX", "\\Deleted", MAIL).await;
    client.append("INBOX", "", MAIL).await;
    client.ok("NOOP").await;
    client.ok("SEARCH RETURN (UPDATE) ALL").await;
    let tag = client.last_tag();
    server.inbox("ann").await.ok("EXPUNGE").await;
    let gone = format!("* ESEARCH (TAG \"{tag}\") REMOVEFROM (0 2)");
    // RFC 5267 A.3: numbers stay as they are.
    client
        .sees("STORE 3 +FLAGS.SILENT (\\Seen)", &[&gone])
        .await;
    client.sees("FETCH 3 UID", &["* 3 FETCH (UID 3)"]).await;
    client.sees("NOOP", &["* 2 EXPUNGE"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sorted_result_is_told_by_places() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    for text in ["d", "b", "f"] {
        client.append("INBOX", "", &subject(text)).await;
    }
    client.ok("NOOP").await;
    let lines = client
        .ok("UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 UNDELETED")
        .await;
    let tag = client.last_tag();
    let said = |what: &str| format!("* ESEARCH (TAG \"{tag}\") UID {what}");
    assert_eq!(lines[0], said("ALL 2,1,3"));
    let mut other = server.login("ann").await;
    for text in ["e", "a", "c"] {
        other.append("INBOX", "", &subject(text)).await;
    }
    // a b c d e f: 5 2 6 1 4 3.
    client
        .sees(
            "NOOP",
            &["* 6 EXISTS", "* 0 RECENT", &said("ADDTO (1 5 3 6 5 4)")],
        )
        .await;
    // From the end, so that places before stay.
    client
        .sees(
            "UID STORE 2,5,3 +FLAGS.SILENT (\\Deleted)",
            &[&said("REMOVEFROM (6 3 1 5,2)")],
        )
        .await;
    client
        .sees(
            "UID STORE 5 -FLAGS.SILENT (\\Deleted)",
            &[&said("ADDTO (1 5)")],
        )
        .await;
    client
        .sees("EXPUNGE", &["* 2 EXPUNGE", "* 2 EXPUNGE"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_follows_one_result_until_that_is_cancelled() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "\\Flagged", MAIL).await;
    client.ok("NOOP").await;
    client
        .send("B01 UID SEARCH RETURN (UPDATE COUNT) FLAGGED\r\n")
        .await;
    assert_eq!(
        client.until("B01").await[0],
        "* ESEARCH (TAG \"B01\") UID COUNT 1"
    );
    client
        .send("B01 SORT RETURN (UPDATE) (DATE) UTF-8 FLAGGED\r\n")
        .await;
    let refused = client.until("B01").await;
    assert!(
        refused.len() == 1 && refused[0].starts_with("BAD"),
        "{refused:?}"
    );
    // Other commands may have it again.
    client.send("B01 SEARCH RETURN (COUNT) ALL\r\n").await;
    client.until("B01").await;
    let removed = "* ESEARCH (TAG \"B01\") UID REMOVEFROM (0 1)";
    client
        .sees("STORE 1 -FLAGS.SILENT (\\Flagged)", &[removed])
        .await;
    client.sees("CANCELUPDATE \"B01\" \"nobody\"", &[]).await;
    client.sees("STORE 1 +FLAGS.SILENT (\\Flagged)", &[]).await;
    client
        .send("B01 UID SEARCH RETURN (UPDATE COUNT) FLAGGED\r\n")
        .await;
    client.until("B01").await;
    // Another mailbox, or the same one anew, is followed by nobody.
    client.ok("SELECT INBOX").await;
    client.sees("STORE 1 -FLAGS.SILENT (\\Flagged)", &[]).await;
    client.refused("CANCELUPDATE", "BAD").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_results_are_not_followed_and_that_is_said() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", MAIL).await;
    client.ok("NOOP").await;
    for _ in 0..16 {
        assert_eq!(
            client.ok("SEARCH RETURN (UPDATE COUNT) SEEN").await.len(),
            2
        );
    }
    let lines = client.ok("SEARCH RETURN (UPDATE COUNT) SEEN").await;
    let tag = client.last_tag();
    assert_eq!(lines[0], format!("* ESEARCH (TAG \"{tag}\") COUNT 0"));
    assert!(
        lines[1].starts_with(&format!("* NO [NOUPDATE \"{tag}\"] ")),
        "{lines:?}"
    );
    assert!(lines[2].starts_with("OK"));
    let lines = client.ok("STORE 1 +FLAGS.SILENT (\\Seen)").await;
    assert_eq!(updates(&lines).len(), 16);
    client.ok("CANCELUPDATE \"t5\"").await;
    assert_eq!(
        client.ok("SEARCH RETURN (UPDATE COUNT) SEEN").await.len(),
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_keywords_and_sets_with_a_star_are_followed_as_they_are_then() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", MAIL).await;
    client.ok("NOOP").await;
    let mut tags = Vec::new();
    // No message has the keyword yet, the mailbox does not know it.
    for keys in [
        "KEYWORD $Junk",
        "TEXT \"come\"",
        "UID 2:*",
        "UID *",
        "1",
        "NOT KEYWORD $Junk",
    ] {
        client
            .ok(&format!("UID SEARCH RETURN (UPDATE COUNT) {keys}"))
            .await;
        tags.push(client.last_tag());
    }
    let said = |which: usize, what: &str| format!("* ESEARCH (TAG \"{}\") UID {what}", tags[which]);
    let lines = client.ok("STORE 1 +FLAGS.SILENT ($Junk)").await;
    assert_eq!(
        updates(&lines),
        [said(0, "ADDTO (0 1)"), said(5, "REMOVEFROM (0 1)")]
    );
    let come = "Subject: Welcome\r\n\r\nx\r\n";
    let lines = client
        .ok(&format!("APPEND INBOX {{{}+}}\r\n{come}", come.len()))
        .await;
    let expected = [
        said(1, "ADDTO (0 2)"),
        // While 1 was the last, 2:* meant it.
        said(2, "REMOVEFROM (0 1)"),
        said(2, "ADDTO (0 2)"),
        said(3, "REMOVEFROM (0 1)"),
        said(3, "ADDTO (0 2)"),
        said(5, "ADDTO (0 2)"),
    ];
    assert_eq!(updates(&lines), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_come_while_a_client_idles() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client
        .ok("UID SORT RETURN (UPDATE) (ARRIVAL) UTF-8 UNSEEN")
        .await;
    let tag = client.last_tag();
    client.send("i IDLE\r\n").await;
    assert!(client.line().await.starts_with("+ "));
    server.login("ann").await.append("INBOX", "", MAIL).await;
    assert_eq!(client.line().await, "* 1 EXISTS");
    assert_eq!(client.line().await, "* 0 RECENT");
    assert_eq!(
        client.line().await,
        format!("* ESEARCH (TAG \"{tag}\") UID ADDTO (1 1)")
    );
    client.send("DONE\r\n").await;
    client.until("i").await;
}

/// RFC 5465 §7: FETCH after EXISTS, and before the result has the message; not for one that was there before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wanted_of_new_messages_comes_with_them() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "\\Seen", MAIL).await;
    client.ok("NOOP").await;
    let items = "UPDATE (UID BODY[HEADER.FIELDS (SUBJECT)])";
    client
        .ok(&format!("SEARCH RETURN (COUNT {items}) UNSEEN"))
        .await;
    let tag = client.last_tag();
    let mut other = server.login("ann").await;
    other.append("INBOX", "", &subject("new")).await;
    other.append("INBOX", "\\Seen", &subject("seen")).await;
    client
        .sees(
            "NOOP",
            &[
                "* 3 EXISTS",
                "* 0 RECENT",
                "* 2 FETCH (UID 2 BODY[HEADER.FIELDS (SUBJECT)] {16}\r\nSubject: new\r\n\r\n)",
                &format!("* ESEARCH (TAG \"{tag}\") ADDTO (0 2)"),
            ],
        )
        .await;
    client
        .sees(
            "STORE 1 -FLAGS.SILENT (\\Seen)",
            &[&format!("* ESEARCH (TAG \"{tag}\") ADDTO (0 1)")],
        )
        .await;
    // It was told, not read.
    client.sees("SEARCH UNSEEN", &["* SEARCH 1 2"]).await;
}

/// What a client makes of a result and its updates.
struct Copy {
    tag: String,
    uid: bool,
    sorted: bool,
    keys: String,
    numbers: Vec<u32>,
}

fn numbers(set: &str) -> Vec<u32> {
    let ranges = set.split(',').filter(|range| !range.is_empty());
    ranges
        .flat_map(|range| {
            let (from, to) = range.split_once(':').unwrap_or((range, range));
            from.parse().unwrap()..=to.parse::<u32>().unwrap()
        })
        .collect()
}

impl Copy {
    /// Takes one line of the server into account.
    fn hear(&mut self, line: &str) {
        if let Some(gone) = line
            .strip_prefix("* ")
            .and_then(|l| l.strip_suffix(" EXPUNGE"))
        {
            let gone: u32 = gone.parse().unwrap();
            if !self.uid {
                assert!(
                    !self.numbers.contains(&gone),
                    "{gone} was not taken out before"
                );
                self.numbers
                    .iter_mut()
                    .filter(|n| **n > gone)
                    .for_each(|n| *n -= 1);
            }
            return;
        }
        let head = format!(
            "* ESEARCH (TAG \"{}\"){} ",
            self.tag,
            if self.uid { " UID" } else { "" }
        );
        let Some(rest) = line.strip_prefix(&head) else {
            return;
        };
        let (verb, pairs) = rest.split_once(" (").unwrap();
        let words: Vec<&str> = pairs.trim_end_matches(')').split(' ').collect();
        for pair in words.chunks(2) {
            let (place, numbers) = (pair[0].parse::<usize>().unwrap(), numbers(pair[1]));
            assert_eq!(place == 0, !self.sorted);
            match (verb, place) {
                ("ADDTO", 0) => {
                    assert!(numbers.iter().all(|n| !self.numbers.contains(n)), "{line}");
                    self.numbers.extend(numbers);
                    self.numbers.sort();
                }
                ("REMOVEFROM", 0) => {
                    assert!(numbers.iter().all(|n| self.numbers.contains(n)), "{line}");
                    self.numbers.retain(|n| !numbers.contains(n));
                }
                ("ADDTO", place) => {
                    self.numbers.splice(place - 1..place - 1, numbers);
                }
                ("REMOVEFROM", place) => {
                    let gone: Vec<u32> = self
                        .numbers
                        .drain(place - 1..place - 1 + numbers.len())
                        .collect();
                    assert_eq!(gone, numbers, "{line}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn command(&self, options: &str) -> String {
        let uid = if self.uid { "UID " } else { "" };
        match self.sorted {
            true => format!(
                "{uid}SORT RETURN ({options}) (REVERSE SUBJECT SIZE) UTF-8 {}",
                self.keys
            ),
            false => format!("{uid}SEARCH RETURN ({options}) {}", self.keys),
        }
    }
}

/// The numbers of ALL.
fn all(lines: &[String], tag: &str) -> Vec<u32> {
    let answer = lines
        .iter()
        .find(|line| line.contains(&format!("(TAG \"{tag}\")")))
        .unwrap();
    numbers(answer.split_once(" ALL ").map_or("", |(_, set)| set))
}

/// Whatever two sessions do, a client that keeps its results by what it is told has what a new search gives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_kept_by_updates_are_those_of_a_new_search() {
    for seed in 1..=6_u64 {
        follow_random_changes(seed).await;
    }
}

async fn follow_random_changes(mut seed: u64) {
    let mut next = |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let mut other = server.inbox("ann").await;
    for _ in 0..6 {
        client
            .append("INBOX", "", &subject(&format!("{}", next(5))))
            .await;
    }
    client.ok("NOOP").await;
    let mut copies: Vec<Copy> = Vec::new();
    for (uid, sorted) in [(true, false), (false, false), (true, true), (false, true)] {
        for keys in ["NOT FLAGGED", "OR SUBJECT 1 FLAGGED"] {
            let mut copy = Copy {
                tag: String::new(),
                uid,
                sorted,
                keys: keys.to_owned(),
                numbers: Vec::new(),
            };
            let lines = client.ok(&copy.command("UPDATE ALL")).await;
            copy.tag = client.last_tag();
            copy.numbers = all(&lines, &copy.tag);
            copies.push(copy);
        }
    }
    for step in 0..60 {
        let count = 10;
        let some =
            |next: &mut dyn FnMut(u64) -> u64| format!("{}:{}", 1 + next(count), 1 + next(count));
        let who = match next(2) {
            0 => &mut client,
            _ => &mut other,
        };
        let command = match next(6) {
            0 | 1 => {
                let mail = format!(
                    "Subject: {}\r\n\r\n{}\r\n",
                    next(5),
                    "x".repeat(next(3) as usize)
                );
                format!("APPEND INBOX {{{}+}}\r\n{mail}", mail.len())
            }
            2 => format!("UID STORE {} +FLAGS.SILENT (\\Flagged)", some(&mut next)),
            3 => format!("UID STORE {} -FLAGS (\\Flagged)", some(&mut next)),
            4 => format!("UID STORE {} +FLAGS.SILENT (\\Deleted)", some(&mut next)),
            _ => "EXPUNGE".to_owned(),
        };
        let ours = next(2) == 0;
        let mut heard = who.ok(&command).await;
        if !std::ptr::eq(who, &client) {
            heard.clear();
        }
        let hint = match ours {
            true => "NOOP",
            false => "SEARCH UID 1",
        };
        heard.extend(client.ok(hint).await);
        for line in &heard {
            copies.iter_mut().for_each(|copy| copy.hear(line));
        }
        if step % 5 == 0 {
            for line in client.ok("NOOP").await {
                copies.iter_mut().for_each(|copy| copy.hear(&line));
            }
            for copy in &copies {
                let lines = client.ok(&copy.command("ALL")).await;
                let fresh = all(&lines, &client.last_tag());
                assert_eq!(copy.numbers, fresh, "{step}: {}", copy.command(""));
            }
        }
    }
}
