//! Known pitfalls of IMAP servers: names of mailboxes, and what becomes of what they name.

use crate::harness::{Client, Server};

const MAIL: &str = "Subject: Hello\r\n\r\nHow are you?\r\n";

/// UIDVALIDITY and UIDNEXT.
async fn identity(client: &mut Client, mailbox: &str) -> String {
    let command = format!("STATUS {mailbox} (UIDVALIDITY UIDNEXT)");
    let lines = client.ok(&command).await;
    lines[0].split_once('(').unwrap().1.to_owned()
}

fn validity(identity: &str) -> &str {
    identity.split_once(" UIDNEXT").unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c08_a_name_never_carries_old_uids_again() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client.ok("CREATE x").await;
    client.append("x", "", MAIL).await;
    let first = identity(&mut client, "x").await;
    client.ok("DELETE x").await;
    client.ok("CREATE x").await;
    let second = identity(&mut client, "x").await;
    assert_ne!(validity(&first), validity(&second));
    client.ok("CREATE y").await;
    client.ok("RENAME x z").await;
    client.ok("RENAME y x").await;
    let third = identity(&mut client, "x").await;
    assert_ne!(validity(&second), validity(&third));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c09_inbox_stays_when_renamed_and_has_one_spelling() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client.append("iNbOx", "", MAIL).await;
    client.ok("CREATE inbox.child").await;
    client.ok("RENAME inbox old").await;
    client
        .sees("STATUS Inbox (MESSAGES)", &["* STATUS INBOX (MESSAGES 0)"])
        .await;
    client
        .sees("STATUS old (MESSAGES)", &["* STATUS \"old\" (MESSAGES 1)"])
        .await;
    client
        .sees(
            "LIST \"\" INBOX*",
            &[
                "* LIST (\\HasChildren) \".\" INBOX",
                "* LIST (\\HasNoChildren) \".\" \"INBOX.child\"",
            ],
        )
        .await;
    client.refused("CREATE inbox", "NO").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c10_names_in_modified_utf7() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    for name in ["A&-B", "p&AOQA5A-", "&2D3eAA-"] {
        client.ok(&format!("CREATE {name}")).await;
        client
            .sees(
                &format!("LIST \"\" {name}"),
                &[&format!("* LIST (\\HasNoChildren) \".\" \"{name}\"")],
            )
            .await;
    }
    for name in ["&Jjo", "&AGE-", "a&b", "&2D0-"] {
        client.refused(&format!("CREATE \"{name}\""), "NO").await;
        client.sees(&format!("LIST \"\" \"{name}\""), &[]).await;
    }
    client.send(b"8 CREATE {3+}\r\np\xc3\xa4\r\n").await;
    let lines = client.until("8").await;
    assert!(!lines[0].starts_with("OK"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c12_a_mailbox_may_be_called_nil() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client.ok("CREATE NIL").await;
    client
        .sees("LIST \"\" NIL", &["* LIST (\\HasNoChildren) \".\" \"NIL\""])
        .await;
    client
        .refused("STATUS nil (MESSAGES)", "NO [NONEXISTENT]")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c31_list_and_subscriptions() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client
        .sees("LIST \"\" \"\"", &["* LIST (\\Noselect) \".\" \"\""])
        .await;
    client.ok("CREATE a.b.c").await;
    client.ok("CREATE trailing.").await;
    client.ok("SUBSCRIBE trailing").await;
    client.ok("DELETE trailing").await;
    client
        .sees(
            "LIST \"\" a.%.%",
            &["* LIST (\\HasNoChildren) \".\" \"a.b.c\""],
        )
        .await;
    client
        .sees("LIST a. %.c", &["* LIST (\\HasNoChildren) \".\" \"a.b.c\""])
        .await;
    client
        .sees(
            "LIST (SUBSCRIBED) \"\" trail*",
            &["* LIST (\\NonExistent \\Subscribed \\HasNoChildren) \".\" \"trailing\""],
        )
        .await;
    client.sees("LIST \"\" trail*", &[]).await;
    client
        .sees("LSUB \"\" trail*", &["* LSUB () \".\" \"trailing\""])
        .await;
    client
        .sees(
            "LIST \"\" (INBOX nothing) RETURN (STATUS (MESSAGES UNSEEN) CHILDREN)",
            &[
                "* LIST (\\HasNoChildren) \".\" INBOX",
                "* STATUS INBOX (MESSAGES 0 UNSEEN 0)",
            ],
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c32_a_deleted_mailbox_ends_the_sessions_in_it() {
    let server = Server::start();
    let mut a = server.login("ann").await;
    a.ok("CREATE x.child").await;
    a.ok("CREATE y").await;
    let commands = [
        "NOOP",
        "FETCH 1 BODY[]",
        "STORE 1 +FLAGS.SILENT (\\Seen)",
        "UID MOVE 1 y",
        "EXPUNGE",
    ];
    for command in commands {
        a.say("CREATE x").await;
        a.append("x", "", MAIL).await;
        let mut b = server.login("ann").await;
        b.ok("SELECT x").await;
        a.ok("DELETE x").await;
        b.send(format!("b {command}\r\n")).await;
        let mut byes = 0;
        loop {
            let line = b.line().await;
            byes += u32::from(line.starts_with("* BYE"));
            if line.starts_with("b ") {
                break;
            }
        }
        assert_eq!(byes, 1, "{command}");
        assert!(b.is_cut_off().await);
    }
    a.sees("STATUS y (MESSAGES)", &["* STATUS \"y\" (MESSAGES 0)"])
        .await;
    a.sees(
        "STATUS x.child (MESSAGES)",
        &["* STATUS \"x.child\" (MESSAGES 0)"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c32_leaving_a_deleted_mailbox_is_no_error() {
    let server = Server::start();
    let mut a = server.login("ann").await;
    for command in ["CLOSE", "UNSELECT", "SELECT INBOX", "EXAMINE INBOX"] {
        a.ok("CREATE x").await;
        let mut b = server.login("ann").await;
        b.ok("SELECT x").await;
        a.ok("DELETE x").await;
        b.ok(command).await;
        b.ok("NOOP").await;
    }
    a.ok("CREATE x").await;
    a.ok("SELECT x").await;
    a.ok("DELETE x").await;
    a.refused("FETCH 1 UID", "BAD").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c32_a_renamed_mailbox_stays_selected() {
    let server = Server::start();
    let mut a = server.login("ann").await;
    a.ok("CREATE x").await;
    a.append("x", "", MAIL).await;
    let mut b = server.login("ann").await;
    b.ok("SELECT x").await;
    a.ok("RENAME x y").await;
    b.sees("FETCH 1 UID", &["* 1 FETCH (UID 1)"]).await;
    a.append("y", "", MAIL).await;
    b.sees("NOOP", &["* 2 EXISTS", "* 0 RECENT"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c38_names_can_not_forge_responses() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client.send(b"n CREATE {11+}\r\na\"]\r\n* BYE!\r\n").await;
    assert!(client.until("n").await[0].starts_with("NO"));
    client.ok("CREATE \"a\\\"]\\\\(b c\"").await;
    client
        .sees(
            "LIST \"\" a*",
            &["* LIST (\\HasNoChildren) \".\" \"a\\\"]\\\\(b c\""],
        )
        .await;
}

crate::dialect::also_in_rev2!(
    c08_a_name_never_carries_old_uids_again,
    c09_inbox_stays_when_renamed_and_has_one_spelling,
    c12_a_mailbox_may_be_called_nil,
    c31_list_and_subscriptions,
    c32_a_deleted_mailbox_ends_the_sessions_in_it,
    c32_leaving_a_deleted_mailbox_is_no_error,
    c32_a_renamed_mailbox_stays_selected,
    c38_names_can_not_forge_responses,
);
