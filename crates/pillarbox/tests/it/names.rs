//! Mailbox names beyond ASCII: what looks the same is one mailbox.

use pillarbox_model::MailboxName;

use crate::harness::{Client, Server};

/// "ä" as one character, in modified UTF-7.
const COMPOSED: &str = "\"&AOQ-\"";
/// "ä" as "a" and a combining diaeresis.
const DECOMPOSED: &str = "\"a&Awg-\"";

const MAIL: &str = "Subject: Hello\r\n\r\nHow are you?\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_kept_composed_and_found_in_either_spelling() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client.ok(&format!("CREATE {DECOMPOSED}")).await;
    let listed = format!("* LIST (\\HasNoChildren) \".\" {COMPOSED}");
    for pattern in [COMPOSED, DECOMPOSED, "a&Awg-*", "\"%\""] {
        let lines = client.ok(&format!("LIST \"\" {pattern}")).await;
        assert!(lines.contains(&listed), "{pattern}: {lines:#?}");
    }
    for name in [COMPOSED, DECOMPOSED] {
        client
            .refused(&format!("CREATE {name}"), "NO [ALREADYEXISTS]")
            .await;
        client.append(name, "", MAIL).await;
        client.ok(&format!("SELECT {name}")).await;
        client.ok(&format!("STATUS {name} (MESSAGES)")).await;
        client.ok(&format!("COPY 1 {name}")).await;
        client.ok(&format!("SUBSCRIBE {name}")).await;
    }
    client
        .sees(
            "LSUB \"\" *",
            &[
                "* LSUB () \".\" INBOX",
                &listed.replace("LIST (\\HasNoChildren)", "LSUB ()"),
            ],
        )
        .await;
    client.ok(&format!("UNSUBSCRIBE {DECOMPOSED}")).await;
    client.sees("LSUB \"\" *", &["* LSUB () \".\" INBOX"]).await;
    client.ok(&format!("RENAME {DECOMPOSED} x")).await;
    client.ok(&format!("RENAME x {DECOMPOSED}")).await;
    client.ok(&format!("DELETE {DECOMPOSED}")).await;
    client
        .refused(&format!("SELECT {COMPOSED}"), "NO [NONEXISTENT]")
        .await;
}

/// A server on whose store there is a mailbox of a name that was never composed.
async fn with_old_name() -> (Server, Client) {
    let server = Server::start();
    let client = server.login("ann").await;
    let account = server.store().account("ann").await.unwrap().unwrap();
    let old = MailboxName::from_stored("a\u{308}");
    let made = server.store().create_mailbox(account.id, &old, None).await;
    made.unwrap();
    (server, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_name_that_is_not_composed_stays_reachable_as_it_is_listed() {
    let (_server, mut client) = with_old_name().await;
    for pattern in [COMPOSED, DECOMPOSED] {
        let listed = format!("* LIST (\\HasNoChildren) \".\" {DECOMPOSED}");
        client
            .sees(&format!("LIST \"\" {pattern}"), &[&listed])
            .await;
    }
    client
        .refused(&format!("CREATE {DECOMPOSED}"), "NO [ALREADYEXISTS]")
        .await;
    client.append(DECOMPOSED, "", MAIL).await;
    client.ok(&format!("SELECT {DECOMPOSED}")).await;
    client.ok(&format!("UNSUBSCRIBE {DECOMPOSED}")).await;
    client.sees("LSUB \"\" *", &["* LSUB () \".\" INBOX"]).await;
    client.ok(&format!("SUBSCRIBE {DECOMPOSED}")).await;
    client.ok(&format!("RENAME {DECOMPOSED} x")).await;
    client.ok(&format!("RENAME x {DECOMPOSED}")).await;
    client.ok(&format!("SELECT {COMPOSED}")).await;
    client.ok(&format!("DELETE {COMPOSED}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patterns_without_end_are_refused_and_hostile_ones_are_answered() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    let long = "a".repeat(1_000);
    client.ok(&format!("CREATE {long}")).await;
    client
        .sees(&format!("LIST \"\" {}b", "*a".repeat(1_000)), &[])
        .await;
    let lines = client.ok(&format!("LIST \"\" {}", "%a".repeat(999))).await;
    assert_eq!(lines.len(), 2);
    client
        .refused(&format!("LIST \"\" {}", "%a".repeat(5_000)), "BAD")
        .await;
    let many = vec!["%a".repeat(100); 50].join(" ");
    client.refused(&format!("LIST \"\" ({many})"), "BAD").await;
}

/// RFC 3501 §9 allows no NUL in a literal. A message that has one all the same is kept as it is, and sent
/// without it, at the same length.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_nul_reaches_a_client() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", "X: \0\r\n\r\na\0b\r\n").await;
    client.ok("NOOP").await;
    client.send("a FETCH 1 (RFC822.SIZE BODY.PEEK[])\r\n").await;
    let line = client.line().await;
    let shown = "X: \u{fffd}\r\n\r\na\u{fffd}b\r\n";
    assert_eq!(
        line,
        format!("* 1 FETCH (RFC822.SIZE 13 BODY[] {{13}}\r\n{shown})")
    );
    assert!(client.line().await.starts_with("a OK"));
    let lines = client
        .ok("FETCH 1 (BODY.PEEK[HEADER.FIELDS (X)] BODY.PEEK[TEXT]<1.1>)")
        .await;
    assert!(lines.iter().all(|line| !line.contains('\0')), "{lines:?}");
}

crate::dialect::also_in_rev2!(
    patterns_without_end_are_refused_and_hostile_ones_are_answered,
    no_nul_reaches_a_client,
);
