//! Signs of life of commands that take long: INPROGRESS (RFC 9585).

use std::time::Duration;

use crate::harness::{Client, Server};

async fn with_mail(server: &Server, messages: usize) -> Client {
    let mut client = server.inbox("ann").await;
    let mail = "Subject: a\r\n\r\nHow are you?\r\n";
    let batch = format!(" {{{}+}}\r\n{mail}", mail.len()).repeat(messages);
    client.ok(&format!("APPEND INBOX{batch}")).await;
    client.ok("NOOP").await;
    client
}

/// What INPROGRESS says of the last command.
fn signs(client: &Client, lines: &[String]) -> Vec<String> {
    let head = format!("* OK [INPROGRESS (\"{}\" ", client.last_tag());
    let signs = lines.iter().filter_map(|line| line.strip_prefix(&head));
    signs
        .map(|sign| sign.split_once(')').unwrap().0.to_owned())
        .collect()
}

/// Here a command has taken long at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_says_how_far_it_is() {
    let server = Server::with(|endpoint| endpoint.progress = Duration::ZERO);
    let mut client = with_mail(&server, 200).await;
    for command in [
        "SEARCH TEXT are",
        "UID SEARCH RETURN (COUNT) BODY \"are\"",
        "SORT (ARRIVAL) UTF-8 TEXT are",
        "THREAD REFS UTF-8 TEXT are",
    ] {
        let lines = client.ok(command).await;
        let signs = signs(&client, &lines);
        let counted: Vec<u64> = signs
            .iter()
            .filter_map(|sign| sign.strip_suffix(" 200")?.parse().ok())
            .collect();
        assert_eq!(counted, [64, 128, 192], "{command}: {signs:?}");
        // Before the answer, and of this command alone.
        let answer = lines
            .iter()
            .position(|line| !line.contains("INPROGRESS"))
            .unwrap();
        assert_eq!(answer, lines.len() - 2, "{lines:?}");
        assert_eq!(signs.len(), answer);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_are_soon_done_say_nothing_of_it() {
    let server = Server::start();
    let mut client = with_mail(&server, 200).await;
    client.ok("CREATE other").await;
    for command in [
        "SEARCH TEXT are",
        "SORT (SUBJECT) UTF-8 ALL",
        "THREAD REFERENCES UTF-8 ALL",
        "STORE 1:* +FLAGS.SILENT (\\Seen)",
        "COPY 1:* other",
        "MOVE 1:* other",
        "EXPUNGE",
    ] {
        let lines = client.ok(command).await;
        assert_eq!(signs(&client, &lines).len(), 0, "{lines:?}");
    }
}

/// Each of these may be done before its first sign, or be slow on a machine that has much to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_the_store_says_that_it_does() {
    let server = Server::with(|endpoint| endpoint.progress = Duration::from_micros(1));
    let mut client = with_mail(&server, 50).await;
    client.ok("CREATE other").await;
    for command in [
        "STORE 1:* +FLAGS.SILENT (\\Deleted)",
        "COPY 1:* other",
        "MOVE 1:10 other",
        "EXPUNGE",
    ] {
        let lines = client.ok(command).await;
        assert!(
            signs(&client, &lines).iter().all(|sign| sign == "NIL NIL"),
            "{lines:?}"
        );
    }
    client.ok("SELECT other").await;
    assert!(
        client
            .ok("SEARCH ALL")
            .await
            .iter()
            .any(|line| line.starts_with("* SEARCH 1 2 3"))
    );
}
