//! MULTISEARCH (RFC 7377): one ESEARCH through many mailboxes.

use crate::harness::{Client, Server};

/// A user with mail about chickens in `a`, `a.b` and `c`, and none in INBOX and `a.b.d`.
async fn farm(server: &Server) -> Client {
    let mut ann = server.login("ann").await;
    for name in ["a.b.d", "c"] {
        ann.ok(&format!("CREATE {name}")).await;
    }
    for (mailbox, subjects) in [
        ("INBOX", &["a cow"][..]),
        ("a", &["a hen", "a cow", "another hen"]),
        ("a.b", &["hens"]),
        ("c", &["a cow", "a cow", "hens"]),
    ] {
        for subject in subjects {
            let mail = format!("Subject: {subject}\r\n\r\nText\r\n");
            ann.append(mailbox, "", &mail).await;
        }
    }
    ann
}

impl Client {
    /// What an ESEARCH finds, where, without the UIDVALIDITYs, which are checked; one line a mailbox.
    async fn finds(&mut self, command: &str) -> String {
        let lines = self.ok(command).await;
        let head = format!("* ESEARCH (TAG \"{}\" MAILBOX ", self.last_tag());
        let mut found = String::new();
        for line in &lines[..lines.len() - 1] {
            let rest = line.strip_prefix(&head).unwrap_or_else(|| panic!("{line}"));
            let (mailbox, rest) = rest.split_once(" UIDVALIDITY ").unwrap();
            let (validity, rest) = rest.split_once(") UID ").unwrap();
            let status = self.ok(&format!("STATUS {mailbox} (UIDVALIDITY)")).await;
            assert!(
                status[0].ends_with(&format!("(UIDVALIDITY {validity})")),
                "{line} {status:?}"
            );
            found += &format!("{} {rest}\n", mailbox.trim_matches('"'));
        }
        found
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mailbox_with_something_in_it_is_answered_once() {
    let server = Server::start();
    let mut ann = farm(&server).await;
    for (sources, expected) in [
        ("personal", "a ALL 1,3\na.b ALL 1\nc ALL 3\n"),
        ("inboxes", "a ALL 1,3\na.b ALL 1\nc ALL 3\n"),
        ("subtree a", "a ALL 1,3\na.b ALL 1\n"),
        ("subtree-one a", "a ALL 1,3\na.b ALL 1\n"),
        ("subtree-one (a.b c)", "a.b ALL 1\nc ALL 3\n"),
        ("mailboxes (c nowhere INBOX)", "c ALL 3\n"),
        (
            "mailboxes \"a\" subtree-one \"a\" personal",
            "a ALL 1,3\na.b ALL 1\nc ALL 3\n",
        ),
        ("mailboxes (\"a.%\" {1+}\r\n* ..)", ""),
    ] {
        let command = format!("ESEARCH IN ({sources}) SUBJECT hen");
        assert_eq!(ann.finds(&command).await, expected, "{sources}");
    }
    ann.ok("UNSUBSCRIBE a.b").await;
    assert_eq!(
        ann.finds("ESEARCH IN (subscribed) SUBJECT hen").await,
        "a ALL 1,3\nc ALL 3\n"
    );
    let counted = ann
        .finds("ESEARCH IN (personal) RETURN (MIN MAX COUNT) SUBJECT hen")
        .await;
    assert_eq!(
        counted,
        "a MIN 1 MAX 3 COUNT 2\na.b MIN 1 MAX 1 COUNT 1\nc MIN 3 MAX 3 COUNT 1\n"
    );
    assert_eq!(
        ann.finds("ESEARCH IN (personal) RETURN () LARGER 1 SUBJECT hens")
            .await,
        "a.b ALL 1\nc ALL 3\n"
    );
}

/// RFC 7377 §2: numbers past the end are no error, and every mailbox has its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_those_of_each_mailbox_and_may_be_past_its_end() {
    let server = Server::start();
    let mut ann = farm(&server).await;
    ann.ok("SELECT c").await;
    ann.ok("STORE 1 +FLAGS (\\Deleted)").await;
    ann.ok("EXPUNGE").await;
    assert_eq!(
        ann.finds("ESEARCH IN (personal) 2:100").await,
        "a ALL 2:3\nc ALL 3\n"
    );
    assert_eq!(ann.finds("ESEARCH IN (personal) 101:200").await, "");
    assert_eq!(
        ann.finds("ESEARCH IN (subtree a) UID *").await,
        "a ALL 3\na.b ALL 1\n"
    );
    ann.sees("SEARCH 2:100", &["* SEARCH 2"]).await;
    ann.sees("UID SEARCH 101:200", &["* SEARCH"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_selected_mailbox_is_searched_as_the_client_knows_it() {
    let server = Server::start();
    let mut ann = farm(&server).await;
    ann.refused("ESEARCH SUBJECT hen", "BAD").await;
    ann.refused("ESEARCH IN (selected) SUBJECT hen", "BAD")
        .await;
    ann.ok("SELECT a").await;
    assert_eq!(ann.finds("ESEARCH SUBJECT hen").await, "a ALL 1,3\n");
    assert_eq!(
        ann.finds("ESEARCH IN (selected) SUBJECT hen").await,
        "a ALL 1,3\n"
    );
    assert_eq!(
        ann.finds("ESEARCH RETURN (COUNT) SUBJECT hen").await,
        "a COUNT 2\n"
    );
    let both = ann
        .finds("ESEARCH IN (mailboxes c selected) SUBJECT hen")
        .await;
    assert_eq!(both, "a ALL 1,3\nc ALL 3\n");
    assert_eq!(
        ann.finds("ESEARCH IN (selected personal mailboxes a) SUBJECT cow")
            .await
            .matches("a ALL")
            .count(),
        1
    );
    // Nothing is deselected (RFC 7377 §2.1).
    ann.sees("FETCH 1 UID", &["* 1 FETCH (UID 1)"]).await;
}

/// A result can be saved of the selected mailbox alone (RFC 7377 §2.2).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_found_in_the_selected_mailbox_is_saved() {
    let server = Server::start();
    let mut ann = farm(&server).await;
    ann.ok("SELECT a").await;
    ann.sees("ESEARCH RETURN (SAVE) SUBJECT hen", &[]).await;
    ann.sees("SEARCH $", &["* SEARCH 1 3"]).await;
    for sources in ["personal", "selected personal", "mailboxes a"] {
        let command = format!("ESEARCH IN ({sources}) RETURN (SAVE) ALL");
        ann.refused(&command, "BAD").await;
        ann.sees("SEARCH $", &["* SEARCH 1 3"]).await;
    }
    // Elsewhere nothing is saved.
    assert_eq!(
        ann.finds("ESEARCH IN (personal) UID $").await,
        "a ALL 1,3\n"
    );
    ann.refused("ESEARCH RETURN (SAVE) CHARSET none ALL", "NO [BADCHARSET")
        .await;
    ann.sees("SEARCH $", &["* SEARCH"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_refused() {
    let server = Server::start();
    let mut ann = farm(&server).await;
    ann.ok("SELECT a").await;
    for bad in [
        "ESEARCH",
        "ESEARCH IN (personal)",
        "ESEARCH IN () ALL",
        "ESEARCH IN personal ALL",
        "ESEARCH IN (selected-delayed) ALL",
        "ESEARCH IN (mailboxes) ALL",
        "ESEARCH IN (mailboxes ()) ALL",
        "ESEARCH IN (personal (option value)) ALL",
        "ESEARCH IN (personal) RETURN (NONSENSE) ALL",
        "UID ESEARCH ALL",
    ] {
        ann.refused(bad, "BAD").await;
    }
    ann.refused(
        "ESEARCH IN (mailboxes nowhere) CHARSET none SUBJECT x",
        "NO [BADCHARSET",
    )
    .await;
}

/// Two commands on their way at once: the tag says which is answered (RFC 7377 §2.1).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_pipelined_commands_can_be_told_apart() {
    let server = Server::start();
    let mut ann = farm(&server).await;
    ann.send("x ESEARCH IN (personal) SUBJECT hen\r\ny ESEARCH IN (mailboxes c) SUBJECT cow\r\n")
        .await;
    let first = ann.until("x").await;
    assert!(
        first.len() == 4 && first[0].starts_with("* ESEARCH (TAG \"x\" MAILBOX \"a\" "),
        "{first:?}"
    );
    let second = ann.until("y").await;
    assert!(
        second.len() == 2 && second[0].starts_with("* ESEARCH (TAG \"y\" MAILBOX \"c\" "),
        "{second:?}"
    );
    assert!(second[0].ends_with("UID ALL 1:2"));
}

/// With MODSEQ as a key, each mailbox tells its highest (RFC 7162 §3.1.5).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mod_sequences_are_those_of_each_mailbox() {
    let server = Server::start();
    let mut ann = farm(&server).await;
    let found = ann
        .finds("ESEARCH IN (personal) RETURN (ALL) MODSEQ 4")
        .await;
    assert_eq!(found, "a MODSEQ 4 ALL 3\nc MODSEQ 4 ALL 3\n");
    let status = ann.ok("STATUS c (HIGHESTMODSEQ)").await;
    assert!(status[0].contains("HIGHESTMODSEQ 4"), "{status:?}");
}

/// More mailboxes than anybody has open, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_mailboxes_are_searched_one_after_the_other() {
    let server = Server::start();
    let mut ann = server.login("ann").await;
    let commands: String = (0..200)
        .map(|number| format!("c CREATE m{number:04}\r\n"))
        .collect();
    ann.send(commands).await;
    for _ in 0..200 {
        assert!(ann.line().await.starts_with("c OK"));
    }
    for name in ["m0000", "m0199"] {
        ann.append(name, "", "Subject: hen\r\n\r\n").await;
    }
    assert_eq!(
        ann.finds("ESEARCH IN (personal) TEXT hen").await,
        "m0000 ALL 1\nm0199 ALL 1\n"
    );
}

/// Who asks for updates is told that there will be none (RFC 5267 §4.3.1, RFC 7377 §2.2).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_in_many_mailboxes_are_not_followed() {
    let server = Server::start();
    let mut ann = farm(&server).await;
    ann.refused("ESEARCH IN (personal) RETURN (UPDATE) ALL", "BAD")
        .await;
    ann.ok("SELECT a").await;
    for command in [
        "ESEARCH IN (mailboxes c) RETURN (COUNT UPDATE) ALL",
        "ESEARCH RETURN (COUNT UPDATE) ALL",
    ] {
        let lines = ann.ok(command).await;
        assert!(lines[0].contains(" COUNT 3"), "{lines:?}");
        let refused = format!("* NO [NOUPDATE \"{}\"] ", ann.last_tag());
        assert!(lines[1].starts_with(&refused), "{lines:?}");
    }
}

crate::dialect::also_in_rev2!(
    each_mailbox_with_something_in_it_is_answered_once,
    the_selected_mailbox_is_searched_as_the_client_knows_it,
);
