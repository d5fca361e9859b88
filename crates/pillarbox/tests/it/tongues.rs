//! What people are told, in their language, and how texts are compared (RFC 5255).

use crate::harness::{Server, self_signed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_spoken_to_in_their_language_once_they_ask() {
    let server = Server::start();
    let mut client = server.connect().await;
    client.refused("LOGIN ann", "BAD").await;
    client
        .sees("LANGUAGE", &["* LANGUAGE (en fr de i-default)"])
        .await;
    client
        .refused("LANGUAGE tlh", "NO None of these languages")
        .await;
    let lines = client.ok("LANGUAGE tlh DE-at").await;
    assert_eq!(
        lines,
        ["* LANGUAGE (de)", "OK Von nun an in dieser Sprache"]
    );
    client
        .refused("LANGUAGE tlh", "NO Keine dieser Sprachen")
        .await;
    let lines = client.ok("LOGIN ann secret").await;
    assert!(lines[0].ends_with("] Angemeldet"), "{lines:?}");
    client
        .refused("SELECT x", "NO [NONEXISTENT] Dieses Postfach gibt es nicht")
        .await;
    client
        .refused(
            "APPEND INBOX {99999999}",
            "NO [TOOBIG] Die Nachricht ist gr\u{f6}\u{df}er als",
        )
        .await;
    assert_eq!(client.ok("NOOP").await, ["OK NOOP ausgef\u{fc}hrt"]);
    let lines = client.ok("LANGUAGE fr-CA de").await;
    assert_eq!(lines[0], "* LANGUAGE (fr)");
    assert!(lines[1].starts_with("* NAMESPACE "), "{lines:?}");
    client
        .refused("LOGIN ann x", "BAD D\u{e9}j\u{e0} connect\u{e9}")
        .await;
    let lines = client.ok("LANGUAGE default").await;
    assert_eq!(lines[0], "* LANGUAGE (i-default)");
    assert_eq!(client.ok("NOOP").await, ["OK NOOP completed"]);
    client.ok("LANGUAGE de").await;
    client.send("a LOGOUT\r\n").await;
    assert_eq!(client.line().await, "* BYE Auf Wiedersehen");
}

/// RFC 5255 §3.1: what was asked for in clear may have been asked by somebody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_tls_the_language_has_to_be_asked_for_again() {
    let server = Server::with(|endpoint| endpoint.tls = Some(self_signed()));
    let mut client = server.connect().await;
    client.ok("LANGUAGE de").await;
    client.ok("STARTTLS").await;
    let mut client = client.secure().await;
    assert_eq!(client.ok("NOOP").await, ["OK NOOP completed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_compare_as_the_comparator_does() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    for subject in ["hello", "HELLO", "gr\u{fc}n", "GR\u{dc}N"] {
        let mail = format!("Subject: {subject}\r\n\r\nText: {subject}\r\n");
        client.append("INBOX", "", &mail).await;
    }
    client.ok("NOOP").await;
    client
        .sees("COMPARATOR", &["* COMPARATOR i;unicode-casemap"])
        .await;
    for (wanted, told, found) in [
        ("i;octet", "i;octet", ["1", "1", "3"]),
        (
            "\"cz;*\" \"i;ASCII-casemap\"",
            "i;ascii-casemap",
            ["1 2", "1 2", "3"],
        ),
        ("+i;octet", "i;octet", ["1", "1", "3"]),
        ("default", "i;unicode-casemap", ["1 2", "1 2", "3 4"]),
        (
            "\"i;*casemap\"",
            "i;unicode-casemap (i;unicode-casemap i;ascii-casemap)",
            ["1 2", "1 2", "3 4"],
        ),
    ] {
        client
            .sees(
                &format!("COMPARATOR {wanted}"),
                &[&format!("* COMPARATOR {told}")],
            )
            .await;
        for (key, found) in ["SUBJECT hello", "BODY hello", "TEXT \"gr\u{fc}n\""]
            .iter()
            .zip(found)
        {
            client
                .sees(&format!("SEARCH {key}"), &[&format!("* SEARCH {found}")])
                .await;
        }
    }
    client.ok("COMPARATOR i;octet").await;
    client
        .refused("COMPARATOR cz;basic", "NO [BADCOMPARATOR]")
        .await;
    client
        .refused("COMPARATOR -i;octet", "NO [BADCOMPARATOR]")
        .await;
    client.sees("COMPARATOR", &["* COMPARATOR i;octet"]).await;
    let mut nobody = server.connect().await;
    nobody.refused("COMPARATOR", "BAD").await;
}
