//! Every command that names a mailbox, with every right: what is allowed, what is refused, and that whoever may
//! not see a mailbox is answered to the byte as if it did not exist (RFC 4314 §4, §6).

use pillarbox_model::Rights;

use crate::harness::Client;
use crate::sharing;

const MAIL: &str = "Subject: Secret\r\n\r\nNobody else may read this.\r\n";

/// A command about a mailbox, which stands in it as `{}`.
struct Row {
    command: &'static str,
    /// Whether these rights are enough.
    enough: fn(Rights) -> bool,
    /// What is said if they are not, and the mailbox may be seen; otherwise as if it did not exist.
    refusal: Option<&'static str>,
}

const fn row(command: &'static str, enough: fn(Rights) -> bool) -> Row {
    Row {
        command,
        enough,
        refusal: Some("NO [NOPERM] Permission denied"),
    }
}

/// A command that says nothing of what it can't do.
const fn silent(command: &'static str, enough: fn(Rights) -> bool) -> Row {
    Row {
        command,
        enough,
        refusal: None,
    }
}

fn seen(rights: Rights) -> bool {
    rights.all(Rights::LOOKUP)
}

fn read(rights: Rights) -> bool {
    rights.all(Rights::READ)
}

fn insert(rights: Rights) -> bool {
    rights.all(Rights::INSERT)
}

fn remove(rights: Rights) -> bool {
    rights.all(Rights::DELETE_MAILBOX)
}

fn create(rights: Rights) -> bool {
    rights.all(Rights::CREATE)
}

fn administer(rights: Rights) -> bool {
    rights.all(Rights::ADMINISTER)
}

/// The table of RFC 4314 §4, and what extensions add to it.
const TABLE: &[Row] = &[
    row("SELECT {}", read),
    row("EXAMINE {}", read),
    row("STATUS {} (MESSAGES UIDNEXT UNSEEN)", read),
    row("DELETE {}", remove),
    row("RENAME {} \"Other Users.bob.Base.New\"", remove),
    row("SETACL {} carol l", administer),
    row("DELETEACL {} carol", administer),
    row("GETACL {}", administer),
    row("LISTRIGHTS {} carol", administer),
    row("MYRIGHTS {}", |rights| rights.any(Rights::TELLING)),
    row("APPEND {} {4+}\r\nmail", insert),
    row("REPLACE 1 {} {4+}\r\nmail", insert),
    row("APPEND {} CATENATE (TEXT {4+}\r\nmail)", insert),
    row("UID COPY 1:* {}", insert),
    row("UID MOVE 1:* {}", insert),
    row("GETQUOTAROOT {}", |rights| seen(rights) && read(rights)),
    silent("LIST \"\" {}", seen),
    silent("LIST \"\" {} RETURN (STATUS (MESSAGES) MYRIGHTS)", seen),
    silent("LIST (SUBSCRIBED) \"\" {}", |_| false),
    silent("ESEARCH IN (mailboxes {}) TEXT Nobody", read),
];

const TEAM: &str = "\"Other Users.bob.Team\"";
/// Of the same length, so that nothing else tells them apart.
const GONE: [&str; 2] = ["\"Other Users.bob.Gone\"", "\"Other Users.rob.Team\""];

/// What is answered, with the mailbox's name left out.
async fn answer(ann: &mut Client, row: &Row, name: &str) -> Vec<String> {
    ann.append("INBOX", "", MAIL).await;
    ann.ok("SELECT INBOX").await;
    let lines = ann.say(&row.command.replace("{}", name)).await;
    let tag = ann.last_tag();
    // Whoever has it selected when the rights change is put out.
    ann.ok("SELECT INBOX").await;
    let bare = |line: &String| line.replace(name, "{}").replace(&tag, "TAG");
    lines.iter().map(bare).collect()
}

/// Bob has the mailbox, with a message, and Ann these rights on it.
async fn prepare(bob: &mut Client, rights: &str) {
    bob.say("DELETE Base.New").await;
    if bob
        .say("CREATE Team")
        .await
        .last()
        .unwrap()
        .starts_with("OK")
    {
        bob.append("Team", "", MAIL).await;
    }
    let set = format!("SETACL Team ann \"{rights}\"");
    bob.ok(&set).await;
}

/// Each right alone, each with the one to see, none and all.
fn sets() -> Vec<String> {
    let single: Vec<char> = Rights::ALL.each().map(|(letter, _)| letter).collect();
    let with_lookup = single.iter().skip(1).map(|letter| format!("l{letter}"));
    let alone = single.iter().map(char::to_string);
    let all = [String::new(), single.iter().collect()];
    alone.chain(with_lookup).chain(all).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c40_who_may_not_see_a_mailbox_learns_nothing_of_it() {
    let server = sharing::start();
    let mut bob = server.login("bob").await;
    bob.ok("CREATE Base").await;
    bob.ok("SETACL Base ann k").await;
    let mut ann = server.login("ann").await;
    for row in TABLE {
        let absent = answer(&mut ann, row, GONE[0]).await;
        assert_eq!(
            absent,
            answer(&mut ann, row, GONE[1]).await,
            "{}",
            row.command
        );
        for letters in sets() {
            prepare(&mut bob, &letters).await;
            let rights = Rights::parse(&letters).unwrap();
            let lines = answer(&mut ann, row, TEAM).await;
            let what = format!("{} with {letters:?}: {lines:#?}", row.command);
            let last = lines.last().unwrap();
            match ((row.enough)(rights), seen(rights), row.refusal) {
                (true, ..) => {
                    assert!(last.starts_with("OK"), "{what}");
                    assert_ne!(lines, absent, "{what}");
                }
                (false, true, Some(refusal)) => assert_eq!(last, refusal, "{what}"),
                (false, ..) => assert_eq!(lines, absent, "{what}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c40_names_that_need_no_mailbox_are_the_same_whether_there_is_one() {
    let server = sharing::start();
    let mut bob = server.login("bob").await;
    let mut ann = server.login("ann").await;
    // What is below a mailbox, and what is subscribed, says nothing of whether it is there.
    for (command, enough) in [
        ("CREATE {}.x", create as fn(Rights) -> bool),
        ("SUBSCRIBE {}", |_| false),
        ("UNSUBSCRIBE {}", |_| false),
        ("LSUB \"\" {}", |_| false),
    ] {
        let ask = |name: &str| {
            command
                .replace(
                    "{}.x",
                    &name.replace("m\"", "m.x\"").replace("e\"", "e.x\""),
                )
                .replace("{}", name)
        };
        let absent = ann.say(&ask(GONE[0])).await;
        for letters in sets() {
            prepare(&mut bob, &letters).await;
            bob.say("DELETE Team.x").await;
            let lines = ann.say(&ask(TEAM)).await;
            let rights = Rights::parse(&letters).unwrap();
            let last = lines.last().unwrap();
            match enough(rights) {
                true => assert!(last.starts_with("OK"), "{command} {letters}: {last}"),
                false => assert_eq!(lines, absent, "{command} {letters}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_in_a_list_needs_the_right_to_read() {
    let server = sharing::start();
    let mut bob = server.login("bob").await;
    let mut ann = server.login("ann").await;
    prepare(&mut bob, "l").await;
    let told = format!("* MYRIGHTS {TEAM} l");
    ann.sees(
        &format!("LIST \"\" {TEAM} RETURN (STATUS (MESSAGES) MYRIGHTS)"),
        &[&format!("* LIST (\\HasNoChildren) \".\" {TEAM}"), &told],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn annotations_of_a_mailbox_that_may_not_be_seen_are_as_of_none() {
    let server = sharing::start();
    let mut bob = server.login("bob").await;
    let mut ann = server.login("ann").await;
    for command in [
        "GETMETADATA {} /shared/comment",
        "SETMETADATA {} (/shared/comment \"x\")",
    ] {
        let row = silent(command, seen);
        let absent = answer(&mut ann, &row, GONE[0]).await;
        for letters in sets().iter().filter(|letters| !letters.contains('l')) {
            prepare(&mut bob, letters).await;
            bob.ok("SETMETADATA Team (/shared/comment \"secret\")")
                .await;
            let lines = answer(&mut ann, &row, TEAM).await;
            assert_eq!(lines, absent, "{command} {letters}");
        }
    }
}
