//! Searches that are kept on the server (RFC 5466). "root" is an administrator.

use crate::harness::{Client, Server};

/// INBOX has a small message of bob's, a large one of bob's, and a small one of carl's.
async fn mail() -> (Server, Client) {
    let server = Server::start();
    let mut ann = server.inbox("ann").await;
    let large = "x".repeat(10_000);
    for (from, body) in [
        ("bob", "hi"),
        ("bob", large.as_str()),
        ("carl", "gr\u{fc}n"),
    ] {
        let mail = format!("From: {from}@example.org\r\n\r\n{body}\r\n");
        ann.append("INBOX", "", &mail).await;
    }
    ann.ok("NOOP").await;
    (server, ann)
}

async fn set(client: &mut Client, name: &str, value: &str) {
    client.ok(&setting("private", name, value)).await;
}

fn setting(scope: &str, name: &str, value: &str) -> String {
    let size = value.len();
    format!("SETMETADATA \"\" (/{scope}/filters/values/{name} {{{size}+}}\r\n{value})")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_stands_for_its_keys() {
    let (_server, mut ann) = mail().await;
    let capability = ann.ok("CAPABILITY").await.remove(0);
    assert!(capability.contains(" FILTERS "), "{capability}");
    set(&mut ann, "on-the-road", "OR SMALLER 5000 FROM \"carl@\"").await;
    set(&mut ann, "bob", "FROM bob").await;
    ann.sees("SEARCH FILTER on-the-road", &["* SEARCH 1 3"])
        .await;
    ann.sees("SEARCH FILTER On-The-Road FROM bob", &["* SEARCH 1"])
        .await;
    ann.sees("UID SEARCH NOT (FILTER bob)", &["* SEARCH 3"])
        .await;
    ann.sees("SEARCH OR FILTER bob LARGER 1000000", &["* SEARCH 1 2"])
        .await;
    // Several keys are all of them, wherever the filter stands.
    set(&mut ann, "both", "FROM bob SMALLER 5000").await;
    ann.sees("SEARCH NOT FILTER both", &["* SEARCH 2 3"]).await;
    ann.sees("SORT (REVERSE SIZE) UTF-8 FILTER bob", &["* SORT 2 1"])
        .await;
    ann.sees("THREAD ORDEREDSUBJECT UTF-8 FILTER both", &["* THREAD (1)"])
        .await;
    let lines = ann
        .ok("ESEARCH IN (personal) RETURN (COUNT) FILTER bob")
        .await;
    assert!(
        lines[0].starts_with("* ESEARCH (TAG ") && lines[0].ends_with(" COUNT 2"),
        "{lines:?}"
    );
    // It is looked for when it is used: what it says now counts.
    set(&mut ann, "bob", "FROM carl").await;
    ann.sees("SEARCH FILTER bob", &["* SEARCH 3"]).await;
    ann.ok("SETMETADATA \"\" (/private/filters/values/bob NIL)")
        .await;
    ann.refused("SEARCH FILTER bob", "NO [UNDEFINED-FILTER bob]")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_filter_counts_more_than_a_shared_one() {
    let (server, mut ann) = mail().await;
    let mut root = server.login("root").await;
    root.ok(&setting("shared", "who", "FROM bob")).await;
    ann.refused(&setting("shared", "who", "ALL"), "NO [NOPERM]")
        .await;
    ann.sees("SEARCH FILTER who", &["* SEARCH 1 2"]).await;
    set(&mut ann, "who", "FROM carl").await;
    ann.sees("SEARCH FILTER who", &["* SEARCH 3"]).await;
    let mut bob = server.inbox("bob").await;
    bob.sees("SEARCH FILTER who", &["* SEARCH"]).await;
    set(&mut ann, "mine", "ALL").await;
    bob.refused("SEARCH FILTER mine", "NO [UNDEFINED-FILTER mine]")
        .await;
    ann.ok("SETMETADATA \"\" (/private/filters/descriptions/who \"By whom\")")
        .await;
}

/// RFC 5466 §3.1: at least three within one another, and no circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_may_name_filters_to_a_depth() {
    let (_server, mut ann) = mail().await;
    set(&mut ann, "f1", "FROM bob").await;
    for at in 2..6 {
        let value = format!("(FILTER f{}) SMALLER 5000", at - 1);
        set(&mut ann, &format!("f{at}"), &value).await;
    }
    ann.sees("SEARCH FILTER f4", &["* SEARCH 1"]).await;
    ann.refused("SEARCH FILTER f5", "NO [UNDEFINED-FILTER f1]")
        .await;
    set(&mut ann, "loop", "NOT FILTER loop").await;
    ann.refused("SEARCH FILTER loop", "NO [UNDEFINED-FILTER loop]")
        .await;
    set(&mut ann, "ping", "FILTER pong").await;
    set(&mut ann, "pong", "OR ALL FILTER ping").await;
    ann.refused("SEARCH FILTER ping", "NO [UNDEFINED-FILTER")
        .await;
    ann.refused("SEARCH FILTER missing", "NO [UNDEFINED-FILTER missing]")
        .await;
    // Each within the bounds of a search, and together far beyond.
    set(&mut ann, "b1", &["ALL"; 300].join(" ")).await;
    set(&mut ann, "b2", &["FILTER b1"; 300].join(" ")).await;
    set(&mut ann, "b3", &["FILTER b2"; 300].join(" ")).await;
    ann.refused("SEARCH FILTER b3", "NO [LIMIT]").await;
    ann.sees("SEARCH FILTER b1", &["* SEARCH 1 2 3"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_search_is_no_filter() {
    let (_server, mut ann) = mail().await;
    for value in [
        "",
        "OR SMALLER",
        "FROM",
        "ALL)",
        "(ALL",
        "ALL\r\nALL",
        "RETURN (ALL) ALL",
        "CHARSET UTF-8 ALL",
        "FROM {9}\r\nshort",
        "NOSUCHKEY",
        "ALL {",
        "FROM \"open",
    ] {
        let refused = setting("private", "x", value);
        ann.refused(&refused, "NO [CANNOT]").await;
    }
    let mut wrong = b"SETMETADATA \"\" (/private/filters/values/x {6+}\r\nFROM \xff)".to_vec();
    wrong.splice(0..0, *b"w ");
    wrong.extend(b"\r\n");
    ann.send(&wrong).await;
    assert!(ann.until("w").await[0].starts_with("NO [CANNOT]"));
    for name in ["a/b", "\"/private/filters/values/a b\""] {
        let entry = match name.starts_with('"') {
            true => name.to_owned(),
            false => format!("/private/filters/values/{name}"),
        };
        ann.refused(
            &format!("SETMETADATA \"\" ({entry} \"ALL\")"),
            "NO [CANNOT]",
        )
        .await;
    }
    ann.refused("SEARCH FILTER x", "NO [UNDEFINED-FILTER x]")
        .await;
    ann.refused("SEARCH FILTER a/b", "BAD").await;
    ann.refused("SEARCH FILTER", "BAD").await;
    // On a mailbox these are annotations like others.
    ann.ok("SETMETADATA INBOX (/private/filters/values/small \"SMALLER\")")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_of_filters_are_utf_8() {
    let (_server, mut ann) = mail().await;
    let value = "BODY {5}\r\ngr\u{fc}n";
    set(&mut ann, "green", value).await;
    for charset in ["", "CHARSET UTF-8 ", "CHARSET us-ascii "] {
        let search = format!("SEARCH {charset}FILTER green");
        ann.sees(&search, &["* SEARCH 3"]).await;
    }
    ann.refused("SEARCH CHARSET ISO-8859-1 FILTER green", "BAD [BADCHARSET")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_filter_leaves_nothing_saved_and_sets_no_modes() {
    let (_server, mut ann) = mail().await;
    ann.ok("SEARCH RETURN (SAVE) ALL").await;
    ann.refused(
        "SEARCH RETURN (SAVE) FILTER none",
        "NO [UNDEFINED-FILTER none]",
    )
    .await;
    ann.sees("SEARCH $", &["* SEARCH"]).await;
    set(&mut ann, "changed", "MODSEQ 1").await;
    // As if MODSEQ had been written (RFC 7162 §3.1.5).
    let lines = ann.ok("SEARCH FILTER changed").await;
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("* SEARCH 1 2 3 (MODSEQ ")),
        "{lines:?}"
    );
    set(&mut ann, "first", "1").await;
    ann.ok("ENABLE UIDONLY").await;
    ann.refused("UID SEARCH FILTER first", "BAD [UIDREQUIRED]")
        .await;
}
