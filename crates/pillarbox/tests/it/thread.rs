//! THREAD (RFC 5256 §3, draft-ietf-morg-inthread).

use crate::harness::{Client, Server};

/// A mailbox with these headers.
async fn with(server: &Server, headers: &[&str]) -> Client {
    let mut client = server.inbox("ann").await;
    let mut batch = String::from("APPEND INBOX");
    for header in headers {
        let message = format!("{}\r\n\r\nbody\r\n", header.replace('\n', "\r\n"));
        batch.push_str(&format!(" {{{}+}}\r\n{message}", message.len()));
    }
    client.ok(&batch).await;
    client.ok("NOOP").await;
    client
}

const MAIL: &[&str] = &[
    "Message-ID: <1@x>\nSubject: plans\nDate: 1 Jan 2024 10:00:00 +0000",
    "Message-ID: <2@x>\nSubject: Re: plans\nReferences: <1@x>\nDate: 1 Jan 2024 12:00:00 +0000",
    "Message-ID: <\"3\"@x>\nSubject: Re: plans\nIn-Reply-To: <1@x> (on Monday)\nDate: 1 Jan 2024 11:00:00 +0000",
    "Message-ID: <4@x>\nSubject: Re: plans\nReferences: <1@x> <3@x>\nDate: 1 Jan 2024 13:00:00 +0000",
    "Message-ID: <5@x>\nSubject: other\nDate: 1 Jan 2024 09:00:00 +0000",
    "Message-ID: <6@x>\nSubject: Re: [list] PLANS\nReferences: <lost@x>\nDate: 1 Jan 2024 14:00:00 +0000",
    "Subject: Re: lost\nReferences: <lost@x>\nDate: 1 Jan 2024 15:00:00 +0000",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_put_together_by_what_they_answer() {
    let server = Server::start();
    let mut client = with(&server, MAIL).await;
    client
        .sees(
            "THREAD REFERENCES UTF-8 ALL",
            &["* THREAD (5)((1 (3 4)(2))(6)(7))"],
        )
        .await;
    client
        .sees(
            "THREAD REFS UTF-8 ALL",
            &["* THREAD (1 (3 4)(2))(5)((6)(7))"],
        )
        .await;
    client
        .sees(
            "THREAD ORDEREDSUBJECT UTF-8 ALL",
            &["* THREAD (5)(1 (3)(2)(4)(6))(7)"],
        )
        .await;
    // Only what is searched for has a place in a thread.
    client
        .sees(
            "THREAD REFS UTF-8 NOT 1",
            &["* THREAD ((3 4)(2))(5)((6)(7))"],
        )
        .await;
    client
        .sees("THREAD REFERENCES us-ascii SUBJECT nothing", &["* THREAD"])
        .await;
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("EXPUNGE").await;
    client
        .sees("UID THREAD REFS UTF-8 2:3", &["* THREAD (3 4)"])
        .await;
    client
        .sees("THREAD REFS UTF-8 2:3", &["* THREAD (2 3)"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_command_that_makes_no_sense_is_refused() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client
        .sees("THREAD REFERENCES UTF-8 ALL", &["* THREAD"])
        .await;
    client
        .refused("THREAD REFERENCES KLINGON ALL", "NO [BADCHARSET")
        .await;
    for command in [
        "THREAD REFERENCES ALL",
        "THREAD JWZ UTF-8 ALL",
        "THREAD (REFS) UTF-8 ALL",
    ] {
        client.refused(command, "BAD").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c18_loops_and_very_deep_threads_are_answered() {
    const DEEP: usize = 2_000;
    let server = Server::start();
    let chain: Vec<String> = (1..=DEEP)
        .map(|n| {
            format!(
                "Message-ID: <{n}@x>\nIn-Reply-To: <{}@x>",
                (n + DEEP - 2) % DEEP + 1
            )
        })
        .collect();
    let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
    let mut client = with(&server, &chain[..1_000]).await;
    let mut batch = String::from("APPEND INBOX");
    for header in &chain[1_000..] {
        let message = format!("{}\r\n\r\nx\r\n", header.replace('\n', "\r\n"));
        batch.push_str(&format!(" {{{}+}}\r\n{message}", message.len()));
    }
    client.ok(&batch).await;
    client.ok("NOOP").await;
    // The first answers the last: the link that closes the ring is left out, and that is one's own parent.
    for algorithm in ["REFERENCES", "REFS"] {
        let lines = client.ok(&format!("THREAD {algorithm} UTF-8 ALL")).await;
        let numbers: Vec<usize> = lines[0]
            .strip_prefix("* THREAD (")
            .unwrap()
            .strip_suffix(')')
            .unwrap()
            .split(' ')
            .map(|number| number.parse().unwrap())
            .collect();
        assert_eq!(numbers.len(), DEEP);
        assert!(
            numbers.windows(2).all(|pair| pair[1] == pair[0] % DEEP + 1),
            "{numbers:?}"
        );
    }
}

crate::dialect::also_in_rev2!(
    messages_are_put_together_by_what_they_answer,
    a_thread_command_that_makes_no_sense_is_refused,
    c18_loops_and_very_deep_threads_are_answered,
);
