//! NOTIFY and ESEARCH where mailboxes belong to others (RFC 5465 §5.9, RFC 7377 §2.2).

use crate::harness::Client;
use crate::notify::MAIL;
use crate::sharing;

impl Client {
    /// Every mailbox that is told of, and how, until one of these words comes.
    async fn hears_until(&mut self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            lines.push(
                line.replace("\\HasNoChildren", "")
                    .replace(" )", ")")
                    .replace("( ", "("),
            );
            if line.contains(last) {
                return lines;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shared_is_told_of_as_long_as_it_is() {
    let server = sharing::start();
    let (mut bob, mut ann) = (server.login("bob").await, server.login("ann").await);
    bob.ok("CREATE Team").await;
    ann.ok(
        "NOTIFY SET (subtree \"Other Users\" (MessageNew MessageExpunge FlagChange MailboxName))",
    )
    .await;
    bob.append("Team", "", MAIL).await;
    bob.ok("SETACL Team ann lr").await;
    // To see it is to have it made (RFC 5465 §5.4); and there is something in it.
    let lines = ann.hears_until("STATUS").await;
    assert_eq!(
        lines[1], "* LIST () \".\" \"Other Users.bob.Team\"",
        "{lines:?}"
    );
    assert!(lines[2].starts_with("* STATUS \"Other Users.bob.Team\" (MESSAGES 1 UIDNEXT 2 "));
    bob.append("Team", "", MAIL).await;
    let line = ann.line().await;
    assert!(
        line.starts_with("* STATUS \"Other Users.bob.Team\" (MESSAGES 2 UIDNEXT 3 "),
        "{line}"
    );
    bob.append("INBOX", "", MAIL).await;
    ann.sees("NOOP", &[]).await;
    // Seen and not read.
    bob.ok("SETACL Team ann l").await;
    let lines = ann.hears_until("NoAccess").await;
    assert_eq!(
        lines,
        ["* LIST (\\NoAccess) \".\" \"Other Users.bob.Team\""]
    );
    bob.append("Team", "", MAIL).await;
    ann.sees("NOOP", &[]).await;
    bob.ok("SETACL Team ann lr").await;
    let lines = ann.hears_until("STATUS").await;
    assert_eq!(lines[0], "* LIST () \".\" \"Other Users.bob.Team\"");
    assert!(lines[1].starts_with("* STATUS \"Other Users.bob.Team\" (MESSAGES 3 UIDNEXT 4 "));
    bob.ok("DELETEACL Team ann").await;
    let lines = ann.hears_until("bob.Team").await;
    assert_eq!(
        lines.last().unwrap(),
        "* LIST (\\NonExistent) \".\" \"Other Users.bob.Team\""
    );
    bob.append("Team", "", MAIL).await;
    bob.ok("RENAME Team Crew").await;
    ann.sees("NOOP", &[]).await;
    // To all: whoever asks hears of it.
    bob.ok("SETACL Crew anyone lr").await;
    let lines = ann.ok("NOOP").await.join("\n");
    assert!(lines.contains("\"Other Users.bob.Crew\""), "{lines}");
    bob.append("Crew", "", MAIL).await;
    assert!(
        ann.line()
            .await
            .contains("* STATUS \"Other Users.bob.Crew\" (MESSAGES 5 ")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_that_may_not_be_read_is_said_to_be_so() {
    let server = sharing::start();
    let (mut bob, mut ann) = (server.login("bob").await, server.login("ann").await);
    bob.ok("CREATE Team").await;
    bob.ok("SETACL Team ann l").await;
    let groups = "(mailboxes \"Other Users.bob.Team\" (MessageNew MessageExpunge))";
    let lines = ann.ok(&format!("NOTIFY SET STATUS {groups}")).await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("\\NoAccess) \".\" \"Other Users.bob.Team\""),
        "{lines:?}"
    );
    // One that may not be seen is as one that is not there.
    bob.ok("DELETEACL Team ann").await;
    let mut other = server.login("ann").await;
    assert_eq!(
        other.ok(&format!("NOTIFY SET STATUS {groups}")).await.len(),
        1
    );
}

/// No line, no difference between what may not be read and what is not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_says_nothing_of_what_may_not_be_read() {
    let server = sharing::start();
    let (mut bob, mut ann) = (server.login("bob").await, server.login("ann").await);
    for name in ["Open", "Seen", "Hidden", "Unlisted"] {
        bob.ok(&format!("CREATE {name}")).await;
        bob.append(name, "", MAIL).await;
    }
    for (name, rights) in [("Open", "lr"), ("Seen", "l"), ("Unlisted", "r")] {
        bob.ok(&format!("SETACL {name} ann {rights}")).await;
    }
    let found = async |ann: &mut Client, sources: &str| {
        let lines = ann
            .ok(&format!("ESEARCH IN ({sources}) SUBJECT News"))
            .await;
        let lines = lines[..lines.len() - 1].iter();
        let names: Vec<_> = lines
            .map(|line| line.split('"').nth(3).unwrap().to_owned())
            .collect();
        names.join(" ")
    };
    assert_eq!(
        found(&mut ann, "subtree \"Other Users\"").await,
        "Other Users.bob.Open"
    );
    assert_eq!(found(&mut ann, "personal").await, "");
    for (name, expected) in [
        ("Open", true),
        ("Seen", false),
        ("Hidden", false),
        ("Unlisted", true),
        ("Nowhere", false),
    ] {
        let name = format!("Other Users.bob.{name}");
        let expected = if expected { &*name } else { "" };
        assert_eq!(
            found(&mut ann, &format!("mailboxes \"{name}\"")).await,
            expected
        );
    }
    ann.ok("SUBSCRIBE \"Other Users.bob.Open\"").await;
    assert_eq!(found(&mut ann, "subscribed").await, "Other Users.bob.Open");
}
