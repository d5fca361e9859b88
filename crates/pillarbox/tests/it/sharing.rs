//! Mailboxes that several users have: rights (RFC 4314), namespaces (RFC 2342), LIST-MYRIGHTS (RFC 8440).

use std::sync::Arc;

use pillarbox::Answer;
use pillarbox::storage::sharing::{Shared, Sharing};
use pillarbox::table::{Table, TableError};
use pillarbox_model::{MailboxName, Rights, RightsChange};

use crate::harness::{Client, Server};

const MAIL: &str = "Subject: Hello\r\n\r\nHow are you?\r\n";

/// Carol and Dave are staff.
struct Groups;

impl Table for Groups {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        let staff = matches!(key, "carol" | "dave");
        Box::pin(async move { Ok(staff.then(|| "Staff".to_owned())) })
    }
}

fn name(text: &str) -> MailboxName {
    MailboxName::from_stored(text)
}

/// A server with both namespaces, and groups.
pub(crate) fn start() -> Server {
    Server::with(|endpoint| {
        let storage = Arc::get_mut(&mut endpoint.storage).unwrap();
        storage.sharing = Sharing {
            others: Some(name("Other Users")),
            shared: Some(Shared {
                prefix: name("Shared"),
                account: "commons".into(),
            }),
            groups: Some(Arc::new(Groups)),
        };
    })
}

/// Gives rights on a shared mailbox, which is made if need be, as an administrator does.
async fn share(server: &Server, mailbox: &str, identifier: &str, rights: &str) {
    let store = server.store();
    let account = match store.account("commons").await.unwrap() {
        Some(account) => account,
        None => store.create_account("commons", &[]).await.unwrap(),
    };
    let made = match store.mailbox(account.id, &name(mailbox)).await.unwrap() {
        Some(made) => made,
        None => {
            let made = store.create_mailbox(account.id, &name(mailbox), None).await;
            made.unwrap()
        }
    };
    let change = RightsChange::Set(Rights::parse(rights).unwrap());
    let done = store.set_rights(made.id, identifier, change).await;
    done.unwrap();
}

/// Bob, whose mailbox `Team` Ann may use with these rights; and Ann.
async fn bob_shares(server: &Server, rights: &str) -> (Client, Client) {
    let mut bob = server.login("bob").await;
    bob.ok("CREATE Team").await;
    bob.ok(&format!("SETACL Team ann {rights}")).await;
    (bob, server.login("ann").await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_shared_by_default() {
    let server = start();
    let mut bob = server.inbox("bob").await;
    bob.append("INBOX", "", MAIL).await;
    bob.sees("GETACL INBOX", &["* ACL INBOX bob lrswipkxtecda"])
        .await;
    bob.sees("MYRIGHTS inbox", &["* MYRIGHTS INBOX lrswipkxtecda"])
        .await;
    let mut ann = server.login("ann").await;
    ann.sees("LIST \"\" *", &["* LIST (\\HasNoChildren) \".\" INBOX"])
        .await;
    for command in ["SELECT", "MYRIGHTS", "GETACL", "DELETE"] {
        let refused = format!("{command} \"Other Users.bob.INBOX\"");
        ann.refused(&refused, "NO [NONEXISTENT] No such mailbox")
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn namespaces_are_told_where_there_are_any() {
    let plain = Server::start();
    let mut ann = plain.login("ann").await;
    ann.sees("NAMESPACE", &["* NAMESPACE ((\"\" \".\")) NIL NIL"])
        .await;
    let server = start();
    let mut ann = server.login("ann").await;
    let all = "* NAMESPACE ((\"\" \".\")) ((\"Other Users.\" \".\")) ((\"Shared.\" \".\"))";
    ann.sees("NAMESPACE", &[all]).await;
    // RFC 5255 §3.4.
    let lines = ann.ok("LANGUAGE fr").await;
    let translated = "* NAMESPACE ((\"\" \".\")) ((\"Other Users.\" \".\" \"TRANSLATION\" \
        (\"Autres utilisateurs.\"))) ((\"Shared.\" \".\" \"TRANSLATION\" (\"Partag&AOk-.\")))";
    assert_eq!(lines[..2], ["* LANGUAGE (fr)", translated]);
    ann.ok("LANGUAGE default").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_namespace_nobody_reaches_what_others_share() {
    let server = Server::start();
    let (_bob, mut ann) = bob_shares(&server, "lrswipkxtea").await;
    ann.sees("LIST \"\" *", &["* LIST (\\HasNoChildren) \".\" INBOX"])
        .await;
    ann.refused("SELECT \"Other Users.bob.Team\"", "NO [NONEXISTENT]")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_are_set_added_taken_and_deleted() {
    let server = start();
    let mut bob = server.login("bob").await;
    bob.ok("CREATE Team").await;
    bob.ok("SETACL Team Ann lrs").await;
    bob.ok("SETACL Team ann +d").await;
    bob.ok("SETACL Team ANN -s").await;
    bob.ok("SETACL Team -carol w").await;
    bob.ok("SETACL Team $staff lc").await;
    bob.sees(
        "GETACL Team",
        &["* ACL \"Team\" bob lrswipkxtecda $staff lkxc -carol w ann lrted"],
    )
    .await;
    bob.ok("DELETEACL Team ann").await;
    bob.ok("SETACL Team $staff \"\"").await;
    bob.ok("DELETEACL Team nobody").await;
    bob.sees(
        "GETACL Team",
        &["* ACL \"Team\" bob lrswipkxtecda -carol w"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_right_and_what_is_no_identifier_is_bad() {
    let server = start();
    let mut bob = server.login("bob").await;
    for rights in ["lrQ", "lrq", "l1", "+z", "\"l r\""] {
        bob.refused(&format!("SETACL INBOX ann {rights}"), "BAD")
            .await;
    }
    let long = "x".repeat(600);
    for identifier in ["\"\"", "-", "--ann", "$", "\"a\u{7f}\"", &long] {
        bob.refused(&format!("SETACL INBOX {identifier} l"), "BAD")
            .await;
        bob.refused(&format!("LISTRIGHTS INBOX {identifier}"), "BAD")
            .await;
    }
    // Whether or not there is such a mailbox.
    bob.refused("SETACL Nowhere ann lrQ", "BAD").await;
    bob.sees("GETACL INBOX", &["* ACL INBOX bob lrswipkxtecda"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listrights_tells_what_can_be_given_and_needs_the_right_to() {
    let server = start();
    let (mut bob, mut ann) = bob_shares(&server, "lrswipkxte").await;
    bob.sees(
        "LISTRIGHTS Team Ann",
        &["* LISTRIGHTS \"Team\" Ann \"\" l r s w i p k x t e c d a"],
    )
    .await;
    bob.sees(
        "LISTRIGHTS Team bob",
        &["* LISTRIGHTS \"Team\" bob a l r s w i p k x t e c d"],
    )
    .await;
    // All rights but the one to administer tell nothing (CVE-2026-47089 was of this kind).
    for command in [
        "LISTRIGHTS {} ann",
        "GETACL {}",
        "SETACL {} ann l",
        "DELETEACL {} ann",
    ] {
        let command = command.replace("{}", "\"Other Users.bob.Team\"");
        ann.refused(&command, "NO [NOPERM]").await;
    }
    bob.ok("SETACL Team ann a").await;
    let told = "* ACL \"Other Users.bob.Team\" bob lrswipkxtecda ann a";
    ann.sees("GETACL \"Other Users.bob.Team\"", &[told]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_can_not_lock_themselves_out() {
    let server = start();
    let mut bob = server.login("bob").await;
    bob.ok("CREATE Team").await;
    bob.ok("DELETEACL Team bob").await;
    bob.sees("GETACL Team", &["* ACL \"Team\" bob a"]).await;
    bob.sees("MYRIGHTS Team", &["* MYRIGHTS \"Team\" a"]).await;
    bob.sees("LIST \"\" Team", &[]).await;
    bob.refused("SELECT Team", "NO [NONEXISTENT]").await;
    bob.ok("SETACL Team bob lrx").await;
    bob.sees("MYRIGHTS Team", &["* MYRIGHTS \"Team\" lrxca"])
        .await;
    bob.ok("SELECT Team").await;
    bob.refused("CREATE Team.below", "NO [NOPERM]").await;
    bob.ok("SETACL Team -bob a").await;
    bob.ok("SETACL Team bob lrswipkxte").await;
    bob.sees("MYRIGHTS Team", &["* MYRIGHTS \"Team\" lrswipkxtecda"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailboxes_of_others_are_listed_selected_and_searched() {
    let server = start();
    let (mut bob, mut ann) = bob_shares(&server, "lrs").await;
    bob.append("Team", "\\Flagged", MAIL).await;
    ann.sees(
        "LIST \"\" * RETURN (MYRIGHTS STATUS (MESSAGES))",
        &[
            "* LIST (\\HasNoChildren) \".\" INBOX",
            "* MYRIGHTS INBOX lrswipkxtecda",
            "* STATUS INBOX (MESSAGES 0)",
            "* LIST (\\NonExistent \\HasChildren) \".\" \"Other Users\"",
            "* LIST (\\NonExistent \\HasChildren) \".\" \"Other Users.bob\"",
            "* LIST (\\HasNoChildren) \".\" \"Other Users.bob.Team\"",
            "* MYRIGHTS \"Other Users.bob.Team\" lrs",
            "* STATUS \"Other Users.bob.Team\" (MESSAGES 1)",
        ],
    )
    .await;
    ann.sees(
        "LIST \"\" \"Other Users.%\"",
        &["* LIST (\\Noselect \\HasChildren) \".\" \"Other Users.bob\""],
    )
    .await;
    ann.ok("SELECT \"Other Users.bob.Team\"").await;
    ann.sees("SEARCH TEXT you", &["* SEARCH 1"]).await;
    let told = ann.ok("FETCH 1 BODY[TEXT]").await;
    assert!(
        told[0].contains("How are you?") && told[0].contains("\\Seen"),
        "{told:?}"
    );
    // One's own are not found a second time.
    ann.refused("SELECT \"Other Users.ann.INBOX\"", "NO [NONEXISTENT]")
        .await;
    ann.ok("SUBSCRIBE \"Other Users.bob.Team\"").await;
    ann.sees(
        "LSUB \"\" \"Other Users.*\"",
        &["* LSUB () \".\" \"Other Users.bob.Team\""],
    )
    .await;
    bob.ok("DELETEACL Team ann").await;
    ann.say("NOOP").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_with_the_delimiter_and_beyond_ascii_lead_to_their_users() {
    let server = start();
    let mut bob = server.login("bob@example.org").await;
    bob.ok("CREATE p&AOQA5A-").await;
    bob.ok("SETACL p&AOQA5A- ann lr").await;
    let mut ann = server.login("ann").await;
    let shown = "\"Other Users.bob@example^org.p&AOQA5A-\"";
    ann.sees(
        "LIST \"\" *p&AOQA5A-",
        &[&format!("* LIST (\\HasNoChildren) \".\" {shown}")],
    )
    .await;
    ann.ok(&format!("SELECT {shown}")).await;
    ann.ok(&format!("STATUS {shown} (MESSAGES)")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_and_groups_are_identifiers() {
    let server = start();
    share(&server, "News", "anyone", "lr").await;
    share(&server, "News.Staff", "$staff", "lrw").await;
    share(&server, "News.Staff", "-dave", "w").await;
    let mine = |rights: &str| format!("* MYRIGHTS \"Shared.News.Staff\" {rights}");
    for (user, expected) in [("ann", "lr"), ("carol", "lrw"), ("dave", "lr")] {
        let mut client = server.login(user).await;
        client
            .sees("MYRIGHTS Shared.News", &["* MYRIGHTS \"Shared.News\" lr"])
            .await;
        let told = mine(expected);
        client.sees("MYRIGHTS Shared.News.Staff", &[&told]).await;
    }
    share(&server, "News.Staff", "anyone", "").await;
    let mut ann = server.login("ann").await;
    ann.refused("MYRIGHTS Shared.News.Staff", "NO [NONEXISTENT]")
        .await;
    ann.sees(
        "LIST \"\" Shared.*",
        &["* LIST (\\HasNoChildren) \".\" \"Shared.News\""],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_logs_in_as_the_account_of_shared_mailboxes() {
    let server = start();
    share(&server, "News", "anyone", "lr").await;
    let mut client = server.connect().await;
    client
        .refused("LOGIN Commons secret", "NO [AUTHENTICATIONFAILED]")
        .await;
    let mut ann = server.login("ann").await;
    ann.refused("SELECT \"Other Users.commons.News\"", "NO [NONEXISTENT]")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_takes_names_over() {
    let server = start();
    let mut ann = server.login("ann").await;
    for mailbox in [
        "Shared",
        "\"Other Users\"",
        "\"Other Users.ann\"",
        "Shared.New",
    ] {
        ann.refused(&format!("CREATE {mailbox}"), "NO [NOPERM]")
            .await;
        ann.refused(&format!("RENAME INBOX {mailbox}"), "NO [NOPERM]")
            .await;
    }
    // What was there before the namespace is out of reach, and nobody else's.
    let account = server.store().account("ann").await.unwrap().unwrap().id;
    let old = server
        .store()
        .create_mailbox(account, &name("Shared.Old"), None)
        .await;
    old.unwrap();
    ann.refused("SELECT Shared.Old", "NO [NONEXISTENT]").await;
    ann.sees("LIST \"\" *", &["* LIST (\\HasNoChildren) \".\" INBOX"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailboxes_are_made_below_shared_ones_and_have_their_rights() {
    let server = start();
    let (mut bob, mut ann) = bob_shares(&server, "lrkx").await;
    ann.ok("CREATE \"Other Users.bob.Team.New\"").await;
    bob.sees(
        "GETACL Team.New",
        &["* ACL \"Team.New\" bob lrswipkxtecda ann lrkxc"],
    )
    .await;
    ann.refused("CREATE \"Other Users.bob.Mine\"", "NO [NOPERM]")
        .await;
    ann.refused("CREATE \"Other Users.nobody.Mine\"", "NO [NOPERM]")
        .await;
    ann.refused("CREATE \"Other Users.bob.Team.New\"", "NO [ALREADYEXISTS]")
        .await;
    ann.ok("RENAME \"Other Users.bob.Team.New\" \"Other Users.bob.Team.Newer\"")
        .await;
    ann.refused("RENAME \"Other Users.bob.Team.Newer\" Mine", "NO [CANNOT]")
        .await;
    ann.refused("RENAME INBOX \"Other Users.bob.Team.In\"", "NO [CANNOT]")
        .await;
    ann.ok("DELETE \"Other Users.bob.Team.Newer\"").await;
    bob.sees("LIST \"\" Team.%", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_go_between_accounts() {
    let server = start();
    let (mut bob, mut ann) = bob_shares(&server, "lriste").await;
    ann.append("INBOX", "\\Seen \\Flagged Work", MAIL).await;
    ann.append("INBOX", "\\Deleted", MAIL).await;
    ann.ok("SELECT INBOX").await;
    let lines = ann.ok("COPY 1:2 \"Other Users.bob.Team\"").await;
    assert!(lines[0].contains("[COPYUID"), "{lines:?}");
    ann.ok("SELECT \"Other Users.bob.Team\"").await;
    // Only the flags that the rights are for (RFC 4314 §4).
    ann.sees(
        "FETCH 1:2 FLAGS",
        &[
            "* 1 FETCH (FLAGS (\\Seen))",
            "* 2 FETCH (FLAGS (\\Deleted))",
        ],
    )
    .await;
    ann.ok("MOVE 1 INBOX").await;
    ann.ok("SELECT INBOX").await;
    ann.sees("FETCH 3 FLAGS", &["* 3 FETCH (FLAGS (\\Seen))"])
        .await;
    let told = ann.ok("FETCH 3 BODY[]").await;
    assert!(told[0].contains("How are you?"), "{told:?}");
    bob.sees(
        "STATUS Team (MESSAGES)",
        &["* STATUS \"Team\" (MESSAGES 1)"],
    )
    .await;
    assert_eq!(server.store().check(None).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drop_box_takes_mail_and_tells_nothing() {
    let server = start();
    let (mut bob, mut ann) = bob_shares(&server, "i").await;
    let size = MAIL.len();
    let append = format!("APPEND \"Other Users.bob.Team\" (\\Seen) {{{size}+}}\r\n{MAIL}");
    let lines = ann.ok(&append).await;
    assert!(!lines[0].contains("APPENDUID"), "RFC 4315 §4: {lines:?}");
    ann.append("INBOX", "\\Seen", MAIL).await;
    ann.ok("SELECT INBOX").await;
    let lines = ann.ok("COPY 1 \"Other Users.bob.Team\"").await;
    assert!(!lines[0].contains("COPYUID"), "{lines:?}");
    let lines = ann.ok("MOVE 1 \"Other Users.bob.Team\"").await;
    assert_eq!(lines[0], "* 1 EXPUNGE");
    ann.refused("SELECT \"Other Users.bob.Team\"", "NO [NONEXISTENT]")
        .await;
    bob.ok("SELECT Team").await;
    bob.sees(
        "FETCH 1:* FLAGS",
        &[
            "* 1 FETCH (FLAGS ())",
            "* 2 FETCH (FLAGS ())",
            "* 3 FETCH (FLAGS ())",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permanent_flags_and_read_only_follow_rights() {
    let server = start();
    let (mut bob, _) = bob_shares(&server, "lr").await;
    for (rights, permanent, code) in [
        ("lr", "()", "READ-ONLY"),
        ("lrs", "(\\Seen)", "READ-WRITE"),
        ("lrt", "(\\Deleted)", "READ-WRITE"),
        ("lrw", "(\\Answered \\Flagged \\Draft \\*)", "READ-WRITE"),
        ("lri", "()", "READ-WRITE"),
        ("lre", "()", "READ-WRITE"),
        ("lrkxpa", "()", "READ-ONLY"),
    ] {
        bob.ok(&format!("SETACL Team ann {rights}")).await;
        let mut ann = server.login("ann").await;
        let lines = ann.ok("SELECT \"Other Users.bob.Team\"").await;
        let expected = format!("* OK [PERMANENTFLAGS {permanent}] Flags permitted");
        assert!(lines.contains(&expected), "{rights}: {lines:#?}");
        let last = lines.last().unwrap();
        assert!(
            last.starts_with(&format!("OK [{code}]")),
            "{rights}: {last}"
        );
        let lines = ann.ok("EXAMINE \"Other Users.bob.Team\"").await;
        assert!(lines.contains(&"* OK [PERMANENTFLAGS ()] Flags permitted".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_changes_the_flags_that_the_rights_are_for() {
    let server = start();
    let (mut bob, _) = bob_shares(&server, "lr").await;
    for (rights, command, expected) in [
        (
            "lrs",
            "+FLAGS (\\Seen \\Deleted Work)",
            Some("\\Flagged \\Seen"),
        ),
        (
            "lrt",
            "+FLAGS (\\Seen \\Deleted Work)",
            Some("\\Flagged \\Deleted"),
        ),
        (
            "lrw",
            "+FLAGS (\\Seen \\Deleted \\Draft)",
            Some("\\Flagged \\Draft"),
        ),
        ("lrs", "FLAGS (\\Seen \\Draft)", Some("\\Flagged \\Seen")),
        ("lrs", "FLAGS ()", Some("\\Flagged")),
        ("lrw", "FLAGS (\\Draft)", Some("\\Draft")),
        ("lrs", "-FLAGS (\\Flagged)", None),
        ("lrt", "FLAGS (\\Seen)", None),
        ("lr", "FLAGS ()", None),
        ("lrwe", "+FLAGS (\\Deleted)", None),
    ] {
        bob.ok(&format!("SETACL Team ann {rights}")).await;
        bob.append("Team", "\\Flagged", MAIL).await;
        let mut ann = server.login("ann").await;
        ann.ok("SELECT \"Other Users.bob.Team\"").await;
        let command = format!("STORE * {command}");
        match expected {
            None => drop(ann.refused(&command, "NO [NOPERM] Permission denied").await),
            Some(flags) => {
                let lines = ann.ok(&command).await;
                let told = lines
                    .iter()
                    .any(|l| l.ends_with(&format!("FLAGS ({flags}))")));
                assert!(told, "{rights} {command}: {lines:#?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_marks_as_seen_only_with_the_right_to() {
    let server = start();
    let (mut bob, mut ann) = bob_shares(&server, "lrwte").await;
    bob.append("Team", "", MAIL).await;
    ann.ok("SELECT \"Other Users.bob.Team\"").await;
    let told = ann.ok("FETCH 1 BODY[]").await;
    assert!(!told[0].contains("FLAGS"), "{told:?}");
    ann.sees("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS ())"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expunging_needs_its_right_and_close_does_without() {
    let server = start();
    let (mut bob, mut ann) = bob_shares(&server, "lrt").await;
    bob.append("Team", "\\Deleted", MAIL).await;
    ann.ok("SELECT \"Other Users.bob.Team\"").await;
    for command in ["EXPUNGE", "UID EXPUNGE 1", "MOVE 1 INBOX"] {
        ann.refused(command, "NO [NOPERM] Permission denied").await;
    }
    ann.ok("CLOSE").await;
    bob.sees(
        "STATUS Team (MESSAGES)",
        &["* STATUS \"Team\" (MESSAGES 1)"],
    )
    .await;
    bob.ok("SETACL Team ann +e").await;
    ann.ok("SELECT \"Other Users.bob.Team\"").await;
    ann.ok("CLOSE").await;
    bob.sees(
        "STATUS Team (MESSAGES)",
        &["* STATUS \"Team\" (MESSAGES 0)"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_not_read_any_more_is_put_out_at_once() {
    let server = start();
    let (mut bob, mut ann) = bob_shares(&server, "lrs").await;
    bob.append("Team", "", MAIL).await;
    ann.ok("SELECT \"Other Users.bob.Team\"").await;
    let mut idle = server.login("ann").await;
    idle.ok("SELECT \"Other Users.bob.Team\"").await;
    idle.send("i IDLE\r\n").await;
    assert_eq!(idle.line().await, "+ idling");
    bob.ok("DELETEACL Team ann").await;
    let gone = "* BYE The selected mailbox is no longer shared with you";
    // Without a command.
    assert_eq!(idle.line().await, gone);
    assert!(idle.is_cut_off().await);
    // And before the next one tells anything.
    ann.send("x FETCH 1 BODY[]\r\n").await;
    assert_eq!(ann.line().await, gone);
    assert!(ann.is_cut_off().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_that_change_meanwhile_are_told_and_hold_at_once() {
    let server = start();
    let (mut bob, mut ann) = bob_shares(&server, "lrswte").await;
    bob.append("Team", "", MAIL).await;
    ann.ok("SELECT \"Other Users.bob.Team\"").await;
    bob.ok("SETACL Team ann lrs").await;
    ann.send("x STORE 1 +FLAGS (\\Deleted)\r\n").await;
    let lines = ann.until("x").await;
    assert_eq!(
        lines,
        [
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            "* OK [PERMANENTFLAGS (\\Seen)] Flags permitted",
            "NO [NOPERM] Permission denied",
        ]
    );
    ann.refused("EXPUNGE", "NO [NOPERM]").await;
    ann.sees("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS ())"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_longer_seen_stays_subscribed_and_tells_nothing() {
    let server = start();
    let (mut bob, mut ann) = bob_shares(&server, "lr").await;
    ann.ok("SUBSCRIBE \"Other Users.bob.Team\"").await;
    ann.ok("SUBSCRIBE \"Other Users.bob.None\"").await;
    bob.ok("DELETEACL Team ann").await;
    let expected = |name: &str| {
        format!(
            "* LIST (\\NonExistent \\Subscribed \\HasNoChildren) \".\" \"Other Users.bob.{name}\""
        )
    };
    let (none, team) = (expected("None"), expected("Team"));
    ann.sees("LIST (SUBSCRIBED) \"\" \"Other*\"", &[&none, &team])
        .await;
    ann.ok("UNSUBSCRIBE \"Other Users.bob.Team\"").await;
    ann.sees("LIST (SUBSCRIBED) \"\" \"Other*\"", &[&none])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_special_use_is_its_owners() {
    let server = start();
    let mut bob = server.login("bob").await;
    bob.ok("CREATE Bin (USE (\\Trash))").await;
    bob.ok("SETACL Bin ann lr").await;
    let mut ann = server.login("ann").await;
    ann.sees("LIST (SPECIAL-USE) \"\" *", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_may_not_be_seen_is_as_one_that_does_not_exist() {
    let server = start();
    let mut bob = server.login("bob").await;
    bob.ok("CREATE a.b").await;
    bob.ok("SETACL a.b ann lr").await;
    let mut ann = server.login("ann").await;
    // RFC 4314 §4, LIST.
    ann.sees(
        "LIST \"\" \"Other Users.bob.*\" RETURN (MYRIGHTS)",
        &[
            "* LIST (\\NonExistent \\HasChildren) \".\" \"Other Users.bob.a\"",
            "* LIST (\\HasNoChildren) \".\" \"Other Users.bob.a.b\"",
            "* MYRIGHTS \"Other Users.bob.a.b\" lr",
        ],
    )
    .await;
    // Nor do children tell of themselves that may not be seen.
    bob.ok("CREATE c.d").await;
    bob.ok("SETACL c ann lr").await;
    ann.sees(
        "LIST \"\" \"Other Users.bob.c*\"",
        &["* LIST (\\HasNoChildren) \".\" \"Other Users.bob.c\""],
    )
    .await;
}
