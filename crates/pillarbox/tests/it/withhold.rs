//! `withhold`: extensions that some clients are not told of.

use std::sync::Arc;

use pillarbox::imap::withhold::Withheld;
use pillarbox::table::WritableTable as _;

use crate::harness::{Client, Server};
use crate::table::Memory;

/// What a block with these lines withholds.
fn withheld(lines: &str) -> Result<Withheld, Vec<String>> {
    let text = format!("imap {{\n{lines}\n}}\n");
    let mut read = |_: &str| Ok(text.clone());
    let tree = pillarbox_config::load("test.conf", &mut read, &|_| None).unwrap();
    let block = &tree.nodes[0];
    static TABLE: &[pillarbox_config::Directive] =
        &[
            pillarbox_config::Directive::new("withhold", pillarbox_config::Kind::Custom, "", "")
                .repeat(),
        ];
    let bound = pillarbox_config::bind(block, block.children(), TABLE, None).unwrap();
    let shown = |errors: Vec<pillarbox_config::Error>| {
        let all = errors.into_iter().map(|error| format!("{error:?}"));
        all.collect()
    };
    Withheld::build(&bound).map_err(shown)
}

fn server(lines: &str) -> Server {
    let withheld = withheld(lines).unwrap();
    Server::with(|endpoint| endpoint.withheld = withheld)
}

async fn announces(client: &mut Client, name: &str) -> bool {
    let lines = client.ok("CAPABILITY").await;
    lines[0].split(' ').any(|word| word == name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_withheld_is_neither_announced_nor_enabled_and_its_commands_are_done() {
    let server = server("withhold imap4REV2 MOVE UTF8=ACCEPT LITERAL+");
    let mut client = server.connect().await;
    for name in ["IMAP4rev2", "MOVE", "UTF8=ACCEPT"] {
        assert!(!announces(&mut client, name).await, "{name}");
    }
    let lines = client.ok("LOGIN ann secret").await;
    assert!(
        !lines[0].contains("MOVE") && lines[0].contains("UIDPLUS"),
        "{lines:?}"
    );
    assert!(announces(&mut client, "LITERAL-").await && !announces(&mut client, "LITERAL+").await);
    client
        .sees("ENABLE IMAP4rev2 UTF8=ACCEPT", &["* ENABLED"])
        .await;
    client.append("INBOX", "", "Subject: x\r\n\r\n").await;
    let lines = client.ok("SELECT INBOX").await;
    assert!(
        lines.contains(&"* 0 RECENT".to_owned()),
        "not IMAP4rev2: {lines:#?}"
    );
    client.sees("SEARCH ALL", &["* SEARCH 1"]).await;
    client.ok("CREATE x").await;
    let lines = client.ok("MOVE 1 x").await;
    assert!(lines.contains(&"* 1 EXPUNGE".to_owned()), "{lines:#?}");
}

/// Some clients say who they are before login, some after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kinds_of_clients_are_known_by_what_they_say_of_themselves() {
    let server = server(
        "withhold MOVE {\nclient name \"*outlook*\"\nclient version 16.*\n}\nwithhold IDLE {\nclient os Plan9\n}",
    );
    let outlook = "ID (\"name\" \"com.microsoft.Outlook\" \"VERSION\" \"16.0.1\")";
    for early in [true, false] {
        let mut client = server.connect().await;
        assert!(announces(&mut client, "MOVE").await);
        if !early {
            client.ok("LOGIN ann secret").await;
        }
        // Who was told otherwise before is told at once.
        let lines = client.ok(outlook).await;
        assert!(
            lines[1].starts_with("* CAPABILITY ") && !lines[1].contains(" MOVE"),
            "{lines:?}"
        );
        if early {
            let lines = client.ok("LOGIN ann secret").await;
            assert!(!lines[0].contains(" MOVE"), "{lines:?}");
        }
        assert!(!announces(&mut client, "MOVE").await);
        assert!(announces(&mut client, "IDLE").await);
        // Nothing changes, nothing is told.
        assert_eq!(client.ok(outlook).await.len(), 2);
    }
    for other in [
        "ID (\"name\" \"Outlook\" \"version\" \"15.9\")",
        "ID (\"name\" \"Outlook\")",
        "ID (\"vendor\" \"outlook\" \"version\" \"16.1\")",
        "ID NIL",
    ] {
        let mut client = server.login("ann").await;
        client.ok(other).await;
        assert!(announces(&mut client, "MOVE").await, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_are_found_in_a_table() {
    let table = Memory::default();
    table.set("ann", "MOVE, idle nonsense").await.unwrap();
    let withheld = withheld("withhold XLIST").unwrap();
    let server = Server::with(|endpoint| {
        endpoint.withheld = withheld.by_account(Some(Arc::new(table)));
    });
    let mut ann = server.connect().await;
    assert!(announces(&mut ann, "MOVE").await && !announces(&mut ann, "XLIST").await);
    let lines = ann.ok("LOGIN ann secret").await;
    for name in [" MOVE", " IDLE", " XLIST"] {
        assert!(!lines[0].contains(name), "{name}: {lines:?}");
    }
    // What she says of herself brings nothing back.
    ann.ok("ID (\"name\" \"x\")").await;
    assert!(!announces(&mut ann, "MOVE").await && !announces(&mut ann, "XLIST").await);
    let mut bob = server.login("bob").await;
    assert!(announces(&mut bob, "MOVE").await);
}

#[test]
fn names_that_are_none_are_errors_that_say_what_is_meant() {
    for (lines, expected) in [
        ("withhold", "withhold needs the name of an extension"),
        ("withhold MOVEE", "did you mean `MOVE`?"),
        ("withhold frobnicate", "one of: IMAP4rev2, SASL-IR"),
        (
            "withhold MOVE {\nname x\n}",
            "expected `client FIELD PATTERN`",
        ),
        (
            "withhold MOVE {\nclient name\n}",
            "expected `client FIELD PATTERN`",
        ),
    ] {
        let errors = withheld(lines).err().unwrap();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].contains(expected), "{lines}: {errors:?}");
    }
    assert_eq!(
        withheld("withhold A\nwithhold B MOVE C")
            .err()
            .unwrap()
            .len(),
        3
    );
}
