//! What is told of messages and mailboxes for ever: OBJECTID (RFC 8474), SAVEDATE (RFC 8514); and what
//! lists show: PREVIEW (RFC 8970).

use bytes::Bytes;

use crate::harness::{Client, Server};

fn mail(id: &str, references: &str, subject: &str) -> String {
    format!(
        "Message-ID: <{id}@x>\r\nReferences: {references}\r\nSubject: {subject}\r\n\r\nHello\r\n"
    )
}

/// EMAILID and THREADID of a message.
async fn ids(client: &mut Client, uid: u32) -> (String, String) {
    let lines = client
        .ok(&format!("UID FETCH {uid} (EMAILID THREADID)"))
        .await;
    let told = lines[lines.len() - 2].clone();
    let one = |name: &str| {
        let rest = told.split_once(&format!("{name} (")).unwrap().1;
        rest.split_once(')').unwrap().0.to_owned()
    };
    (one("EMAILID"), one("THREADID"))
}

/// The MAILBOXID that a response or a code tells.
fn mailbox_id(lines: &[String]) -> String {
    let line = lines.iter().find(|line| line.contains("MAILBOXID ("));
    let rest = line.unwrap().split_once("MAILBOXID (").unwrap().1;
    rest.split_once(')').unwrap().0.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_keeps_its_id_when_it_is_renamed_and_nobody_gets_it_again() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    let made = client.ok("CREATE foo.bar").await;
    assert!(made[0].starts_with("OK [MAILBOXID (F"), "{made:?}");
    let id = mailbox_id(&made);
    let told = mailbox_id(&client.ok("STATUS foo.bar (MAILBOXID)").await);
    assert_eq!(told, id);
    client.ok("RENAME foo baz").await;
    for command in ["SELECT baz.bar", "EXAMINE baz.bar"] {
        let told = client.ok(command).await;
        let line = format!("* OK [MAILBOXID ({id})] ");
        assert!(told.iter().any(|told| told.starts_with(&line)), "{told:?}");
    }
    let listed = client
        .ok("LIST \"\" baz.% RETURN (STATUS (MAILBOXID))")
        .await;
    assert_eq!(mailbox_id(&listed), id);
    client.ok("UNSELECT").await;
    client.ok("DELETE baz.bar").await;
    let again = mailbox_id(&client.ok("CREATE baz.bar").await);
    let inbox = mailbox_id(&client.ok("STATUS INBOX (MAILBOXID)").await);
    assert!(again != id && inbox != id && again != inbox);
    // Of INBOX the messages are moved, and it stays what it is (RFC 8474 §8.2).
    client.ok("RENAME INBOX old").await;
    assert_eq!(
        mailbox_id(&client.ok("STATUS INBOX (MAILBOXID)").await),
        inbox
    );
    assert_ne!(
        mailbox_id(&client.ok("STATUS old (MAILBOXID)").await),
        inbox
    );
    client.refused("CREATE old", "NO [ALREADYEXISTS]").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_keeps_its_ids_wherever_it_is_copied() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.ok("CREATE foo").await;
    let first = client.append("INBOX", "", &mail("1", "", "a")).await;
    client.append("INBOX", "", &mail("1", "", "a")).await;
    let (email, thread) = ids(&mut client, first).await;
    let (other, other_thread) = ids(&mut client, 2).await;
    assert!(email.starts_with('M') && thread.starts_with('T') && email != other);
    assert_eq!(thread, other_thread);
    client.ok("COPY 1 foo").await;
    client.ok("MOVE 1 foo").await;
    client.ok("SELECT foo").await;
    assert_eq!(ids(&mut client, 1).await, (email.clone(), thread.clone()));
    assert_eq!(ids(&mut client, 2).await, (email.clone(), thread.clone()));
    client.append("foo", "", &mail("2", "", "b")).await;
    client.ok("NOOP").await;
    client
        .sees(&format!("SEARCH EMAILID {email}"), &["* SEARCH 1 2"])
        .await;
    client
        .sees(&format!("SEARCH NOT THREADID {thread}"), &["* SEARCH 3"])
        .await;
    client
        .sees(
            &format!("SEARCH OR TEXT Hello EMAILID {email} UID 2:3"),
            &["* SEARCH 2 3"],
        )
        .await;
    // Letters count (RFC 8474 §7), and foreign ids are nobody's.
    for foreign in [
        email.to_lowercase(),
        thread.clone(),
        "-".into(),
        "M1".into(),
    ] {
        client
            .sees(&format!("SEARCH EMAILID {foreign}"), &["* SEARCH"])
            .await;
    }
    client.refused("SEARCH EMAILID", "BAD").await;
    client.refused("SEARCH EMAILID \"x\"", "BAD").await;
    client
        .refused(&format!("SEARCH EMAILID {}", "x".repeat(256)), "BAD")
        .await;
}

/// RFC 8474 §5.2: over mailboxes, and by subject too. What was told once stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn related_messages_have_one_thread() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.ok("CREATE sent").await;
    client.append("INBOX", "", &mail("1", "", "Lunch")).await;
    let thread = ids(&mut client, 1).await.1;
    client
        .append("sent", "", &mail("2", "<1@x>", "Re: Lunch"))
        .await;
    client
        .append("INBOX", "", &mail("3", "<1@x> <2@x>", "RE: [list] lunch"))
        .await;
    // The subject is another, or nothing is referred to.
    client
        .append("INBOX", "", &mail("4", "<1@x>", "Dinner"))
        .await;
    client
        .append("INBOX", "", &mail("5", "", "Re: Lunch"))
        .await;
    let reply = "In-Reply-To: <3@x>\r\nSubject: Re: Lunch\r\n\r\nx";
    client.append("INBOX", "", reply).await;
    // Joins two threads that were told already: those stay two.
    client
        .append("INBOX", "", &mail("7", "<5@x> <1@x>", "Lunch"))
        .await;
    let mut threads = Vec::new();
    for uid in 1..=6 {
        threads.push(ids(&mut client, uid).await.1);
    }
    let same: Vec<_> = threads.iter().map(|other| *other == thread).collect();
    assert_eq!(same, [true, true, false, false, true, true]);
    assert_ne!(threads[2], threads[3]);
    client.ok("SELECT sent").await;
    assert_eq!(ids(&mut client, 1).await.1, thread);
    let mut other = server.inbox("bob").await;
    other
        .append("INBOX", "", &mail("2", "<1@x>", "Re: Lunch"))
        .await;
    assert_ne!(ids(&mut other, 1).await.1, thread);
}

/// What is gone has no ids any more that could be told (RFC 2180 §4.1.2).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_expunged_messages_nothing_is_told_but_that() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    for n in ["1", "2"] {
        client.append("INBOX", "\\Deleted", &mail(n, "", n)).await;
    }
    client.ok("NOOP").await;
    server.inbox("ann").await.ok("UID EXPUNGE 1").await;
    for items in ["EMAILID", "(SAVEDATE ENVELOPE)"] {
        let told = client
            .refused(&format!("FETCH 1:2 {items}"), "NO [EXPUNGEISSUED]")
            .await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("* 2 FETCH ("));
    }
    let told = client.ok("SEARCH SAVEDSINCE 1-Jan-2020").await;
    assert_eq!(told[0], "* SEARCH 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_save_date_is_of_the_mailbox() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.ok("CREATE trash").await;
    let text = mail("1", "", "old");
    let size = text.len();
    client
        .ok(&format!(
            "APPEND INBOX \"01-Jan-1999 00:00:00 +0000\" {{{size}+}}\r\n{text}"
        ))
        .await;
    client.ok("COPY 1 trash").await;
    let before = client.ok("FETCH 1 SAVEDATE").await;
    // "* 1 FETCH (SAVEDATE "25-Nov-2026 15:00:00 +0000")"
    assert!(
        before[0].ends_with(" +0000\")") && !before[0].contains("1999"),
        "{before:?}"
    );
    client
        .sees("SEARCH SAVEDBEFORE 1-Jan-2000", &["* SEARCH"])
        .await;
    client
        .sees("SEARCH SAVEDSINCE 1-Jan-2000", &["* SEARCH 1"])
        .await;
    let day = before[0]
        .split_once('"')
        .unwrap()
        .1
        .split_once(' ')
        .unwrap()
        .0;
    let day = day.trim_start().to_owned();
    client
        .sees(&format!("SEARCH SAVEDON {day}"), &["* SEARCH 1"])
        .await;
    client
        .sees(&format!("SEARCH SAVEDBEFORE {day}"), &["* SEARCH"])
        .await;
    client
        .sees("SEARCH SAVEDATESUPPORTED", &["* SEARCH 1"])
        .await;
    client
        .sees("SEARCH NOT SAVEDATESUPPORTED", &["* SEARCH"])
        .await;
    client
        .sees("SEARCH BEFORE 1-Jan-2000", &["* SEARCH 1"])
        .await;
    client.refused("SEARCH SAVEDON", "BAD").await;
    client.ok("SELECT trash").await;
    let copied = client.ok("FETCH 1 (SAVEDATE INTERNALDATE)").await;
    assert!(
        copied[0].contains("INTERNALDATE \" 1-Jan-1999")
            || copied[0].contains("INTERNALDATE \"01-Jan-1999"),
        "{copied:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_is_the_beginning_of_the_text() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let html = "Content-Type: text/html\r\n\r\n<p>How  <b>are</b> you?</p>\r\n";
    let umlaut = "Content-Type: text/plain; charset=iso-8859-1\r\n\
                  Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n";
    let image = "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n";
    let long = format!("\r\n{}", "0123456789 ".repeat(100));
    for mail in [html, umlaut, image, &long] {
        client.append("INBOX", "", mail).await;
    }
    client.ok("NOOP").await;
    for item in [
        "PREVIEW",
        "(PREVIEW)",
        "PREVIEW (LAZY)",
        "(preview (lazy lazy))",
    ] {
        client
            .sees(
                &format!("FETCH 1:3 {item}"),
                &[
                    "* 1 FETCH (PREVIEW \"How are you?\")",
                    "* 2 FETCH (PREVIEW {7}\r\nGr\u{fc}\u{df}e)",
                    // Nothing to show is not "not yet" (RFC 8970 §3.2).
                    "* 3 FETCH (PREVIEW \"\")",
                ],
            )
            .await;
    }
    let lines = client.ok("FETCH 4 PREVIEW").await;
    let text = lines[0].split('"').nth(1).unwrap();
    assert!(text.len() > 150 && text.len() <= 200, "{text}");
    // It marks nothing as seen, and goes with other items and with modifiers.
    client.sees("SEARCH SEEN", &["* SEARCH"]).await;
    let lines = client.ok("FETCH 3 (UID PREVIEW (LAZY) FLAGS)").await;
    assert_eq!(lines[0], "* 3 FETCH (UID 3 PREVIEW \"\" FLAGS ())");
    for wrong in [
        "(PREVIEW ())",
        "(PREVIEW (FUZZY))",
        "PREVIEW (FUZZY)",
        "PREVIEW (LAZY FUZZY)",
    ] {
        client.refused(&format!("FETCH 1 {wrong}"), "BAD").await;
    }
}

/// RFC 8970 §4.1: whoever is in no hurry has it made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lazy_preview_waits_for_nothing() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.append("INBOX", "", "\r\nHello\r\n").await;
    client.ok("NOOP").await;
    let rows = crate::stored::rows(&server).await;
    let spoilt = rows.iter().map(|row| (row.blob, Bytes::new()));
    server.store().redigest(spoilt.collect()).await.unwrap();
    for (item, told) in [
        ("PREVIEW (LAZY)", "PREVIEW NIL"),
        ("(UID PREVIEW (LAZY))", "UID 1 PREVIEW NIL"),
        ("PREVIEW", "PREVIEW \"Hello\""),
        // Now it is there.
        ("PREVIEW (LAZY)", "PREVIEW \"Hello\""),
    ] {
        let expected = format!("* 1 FETCH ({told})");
        client.sees(&format!("FETCH 1 {item}"), &[&expected]).await;
    }
}

crate::dialect::also_in_rev2!(
    a_mailbox_keeps_its_id_when_it_is_renamed_and_nobody_gets_it_again,
    a_message_keeps_its_ids_wherever_it_is_copied,
    related_messages_have_one_thread,
    of_expunged_messages_nothing_is_told_but_that,
    the_save_date_is_of_the_mailbox,
    a_preview_is_the_beginning_of_the_text,
    a_lazy_preview_waits_for_nothing,
);
