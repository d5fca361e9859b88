//! NOTIFY (RFC 5465): what happens elsewhere is told while the client is silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pillarbox_store::Error;

use crate::harness::{Client, Server};
use crate::interposed::{failing, interpose};

pub(crate) const MAIL: &str = "From: a@example.org\r\nSubject: News\r\n\r\nText\r\n";

/// All that can be asked for, as some clients write it.
pub(crate) const EVERYTHING: &str = "NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange)) \
    (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))";

/// A client that is notified of everything, and another one of the same user.
async fn watched(server: &Server) -> (Client, Client) {
    let (mut watcher, other) = (server.login("ann").await, server.login("ann").await);
    watcher.ok(EVERYTHING).await;
    (watcher, other)
}

impl Client {
    /// The next lines must be these, without anything being said.
    async fn hears(&mut self, expected: &[&str]) {
        for line in expected {
            assert_eq!(self.line().await, *line);
        }
    }

    /// Nothing is to be told.
    async fn hears_nothing(&mut self) {
        self.sees("NOOP", &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_bad_and_what_is_not_supported_is_named() {
    let server = Server::start();
    let mut ann = server.inbox("ann").await;
    for bad in [
        "NOTIFY",
        "NOTIFY BOGUS",
        "NOTIFY SET",
        "NOTIFY SET STATUS",
        "NOTIFY SET STATUS ()",
        "NOTIFY SET (UnknownSpecifier (MessageNew MessageExpunge))",
        "NOTIFY SET (Personal MessageNew)",
        "NOTIFY SET (personal ())",
        "NOTIFY SET (personal)",
        "NOTIFY SET (mailboxes (MessageNew MessageExpunge))",
        "NOTIFY SET (mailboxes () (MessageNew MessageExpunge))",
        // RFC 5465 §6.1, §8.
        "NOTIFY SET (selected (MailboxName))",
        "NOTIFY SET (selected (MessageNew MessageExpunge)) (selected-delayed NONE)",
        "NOTIFY SET (personal (MessageNew (UID) MessageExpunge))",
        "NOTIFY SET (selected (MessageExpunge (UID) MessageNew))",
        // RFC 5465 §5.
        "NOTIFY SET (selected (MessageNew))",
        "NOTIFY SET (personal (MessageExpunge))",
        "NOTIFY SET (personal (FlagChange))",
        "NOTIFY SET (personal (FlagChange MessageNew))",
    ] {
        ann.refused(bad, "BAD").await;
    }
    let named = "NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange \
        MailboxMetadataChange ServerMetadataChange)]";
    for unsupported in [
        "NOTIFY SET (selected (AnnotationChange))",
        "NOTIFY SET (personal (MessageNew MessageExpunge AnnotationChange))",
        "NOTIFY SET (personal (SomethingElse))",
    ] {
        ann.refused(unsupported, named).await;
    }
    for right in [
        "NOTIFY NONE",
        "notify set (selected-delayed (messagenew messageexpunge flagchange))",
        "NOTIFY SET (PERSONAL NONE)",
        "NOTIFY SET (personal (NONE))",
        "NOTIFY SET (inboxes (MessageNew MessageExpunge)) (subscribed (SubscriptionChange))",
        "NOTIFY SET (SUBTREE INBOX (MailboxName)) (subtree-one \"a\" (MailboxName))",
        "NOTIFY SET (MAILBOXES (INBOX \"Foo Bar\" nowhere) (MessageNew MessageExpunge))",
        "NOTIFY SET (mailboxes {5+}\r\nINBOX (MessageNew MessageExpunge))",
    ] {
        ann.ok(right).await;
    }
}

/// A client of many filters is refused before they cost anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_can_be_watched_is_refused_and_the_old_wishes_stay() {
    let server = Server::start();
    let (mut watcher, mut other) = watched(&server).await;
    let names: Vec<_> = (0..1_001).map(|number| format!("m{number}")).collect();
    let many = format!("NOTIFY SET (mailboxes ({}) (MailboxName))", names.join(" "));
    watcher.refused(&many, "NO [NOTIFICATIONOVERFLOW]").await;
    let groups = "(personal (MailboxName)) ".repeat(101);
    watcher
        .refused(&format!("NOTIFY SET {}", groups.trim_end()), "BAD")
        .await;
    let names: Vec<_> = (0..10_001).map(|_| "m").collect();
    let most = format!("NOTIFY SET (mailboxes ({}) (MailboxName))", names.join(" "));
    watcher.refused(&most, "BAD").await;
    other.append("INBOX", "", MAIL).await;
    let line = watcher.line().await;
    assert!(
        line.starts_with("* STATUS INBOX (MESSAGES 1 UIDNEXT 2 "),
        "{line}"
    );
}

/// The values of a STATUS line, UIDVALIDITY aside.
fn status(line: &str) -> String {
    let (head, rest) = line.split_once(" UIDVALIDITY ").unwrap();
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{head}{rest}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_client_hears_of_mail_in_any_of_its_mailboxes() {
    let server = Server::start();
    let (mut watcher, mut other) = watched(&server).await;
    watcher.ok("SELECT INBOX").await;
    other.ok("CREATE Lists").await;
    watcher
        .hears(&["* LIST (\\Subscribed \\HasNoChildren) \".\" \"Lists\""])
        .await;
    other.append("Lists", "", MAIL).await;
    let line = watcher.line().await;
    assert_eq!(
        status(&line),
        "* STATUS \"Lists\" (MESSAGES 1 UIDNEXT 2 UNSEEN 1)"
    );
    other.append("INBOX", "\\Flagged", MAIL).await;
    watcher
        .hears(&[
            "* 1 EXISTS",
            "* 0 RECENT",
            "* 1 FETCH (UID 1 FLAGS (\\Flagged))",
        ])
        .await;
    other.ok("SELECT Lists").await;
    other.ok("STORE 1 +FLAGS (\\Seen \\Deleted)").await;
    let line = watcher.line().await;
    assert_eq!(
        status(&line),
        "* STATUS \"Lists\" (MESSAGES 1 UIDNEXT 2 UNSEEN 0)"
    );
    other.ok("EXPUNGE").await;
    let line = watcher.line().await;
    assert_eq!(
        status(&line),
        "* STATUS \"Lists\" (MESSAGES 0 UIDNEXT 2 UNSEEN 0)"
    );
    other.ok("SELECT INBOX").await;
    other.ok("STORE 1 FLAGS (\\Deleted)").await;
    watcher
        .hears(&["* 1 FETCH (UID 1 FLAGS (\\Deleted))"])
        .await;
    other.ok("EXPUNGE").await;
    watcher.hears(&["* 1 EXPUNGE"]).await;
    watcher.hears_nothing().await;
    assert!(server.login("bob").await.ok("NOOP").await.len() == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailboxes_are_told_of_by_what_became_of_them() {
    let server = Server::start();
    let (mut watcher, mut other) = watched(&server).await;
    other.ok("CREATE a.b").await;
    watcher
        .hears(&[
            "* LIST (\\Subscribed \\HasChildren) \".\" \"a\"",
            "* LIST (\\Subscribed \\HasNoChildren) \".\" \"a.b\"",
        ])
        .await;
    // Those below go along without being told of (RFC 5465 §5.4).
    other.ok("RENAME a c").await;
    watcher
        .hears(&["* LIST (\\Subscribed \\HasChildren) \".\" \"c\" (\"OLDNAME\" (\"a\"))"])
        .await;
    other.append("c.b", "", MAIL).await;
    let line = watcher.line().await;
    assert_eq!(
        status(&line),
        "* STATUS \"c.b\" (MESSAGES 1 UIDNEXT 2 UNSEEN 1)"
    );
    other.ok("DELETE c").await;
    watcher
        .hears(&["* LIST (\\NonExistent \\Subscribed \\HasChildren) \".\" \"c\""])
        .await;
    other.ok("DELETE c.b").await;
    watcher
        .hears(&[
            "* LIST (\\NonExistent \\Subscribed \\HasNoChildren) \".\" \"c\"",
            "* LIST (\\NonExistent \\Subscribed \\HasNoChildren) \".\" \"c.b\"",
        ])
        .await;
    other.ok("SUBSCRIBE nowhere").await;
    watcher
        .hears(&["* LIST (\\NonExistent \\Subscribed \\HasNoChildren) \".\" \"nowhere\""])
        .await;
    other.ok("UNSUBSCRIBE nowhere").await;
    watcher
        .hears(&["* LIST (\\NonExistent \\HasNoChildren) \".\" \"nowhere\""])
        .await;
    other.ok("UNSUBSCRIBE INBOX").await;
    watcher
        .hears(&["* LIST (\\HasNoChildren) \".\" INBOX"])
        .await;
    // INBOX stays where it is, and its messages are in a new mailbox.
    other.append("INBOX", "", MAIL).await;
    watcher.line().await;
    other.ok("RENAME INBOX old").await;
    watcher
        .hears(&["* LIST (\\Subscribed \\HasNoChildren) \".\" \"old\""])
        .await;
    let told = [status(&watcher.line().await), status(&watcher.line().await)];
    assert_eq!(
        told,
        [
            "* STATUS INBOX (MESSAGES 0 UIDNEXT 2 UNSEEN 0)",
            "* STATUS \"old\" (MESSAGES 1 UIDNEXT 2 UNSEEN 1)"
        ]
    );
    watcher.hears_nothing().await;
}

/// A mailbox that was made anew has another UIDVALIDITY, which is told even if it is empty (RFC 5465 §5.1).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_made_anew_between_two_looks_is_another_one() {
    let server = Server::start();
    let mut other = server.login("ann").await;
    other.ok("CREATE a").await;
    let mut watcher = server.login("ann").await;
    watcher.ok(EVERYTHING).await;
    // The client is in the middle of a command: it is told when that has ended.
    watcher.send("x NO").await;
    let before = other.ok("STATUS a (UIDVALIDITY)").await.remove(0);
    other.ok("DELETE a").await;
    other.ok("CREATE a").await;
    let after = other.ok("STATUS a (UIDVALIDITY)").await.remove(0);
    assert_ne!(before, after);
    watcher.send("OP\r\n").await;
    let lines = watcher.until("x").await;
    assert_eq!(
        lines[0],
        "* LIST (\\Subscribed \\HasNoChildren) \".\" \"a\""
    );
    let validity = after
        .trim_start_matches("* STATUS \"a\" (")
        .trim_end_matches(')');
    assert!(lines[1].contains(validity), "{lines:?} {after}");
    assert_eq!(lines.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_client_did_itself_it_is_not_told() {
    let server = Server::start();
    let (mut watcher, mut other) = watched(&server).await;
    watcher.ok("CREATE a").await;
    watcher.append("a", "", MAIL).await;
    watcher.ok("RENAME a b").await;
    watcher.ok("UNSUBSCRIBE b").await;
    watcher.ok("SELECT b").await;
    let lines = watcher
        .ok(&format!("APPEND b () {{{}+}}\r\n{MAIL}", MAIL.len()))
        .await;
    // Its own message is announced, and not fetched (RFC 5465 §5.2).
    assert_eq!(lines[..lines.len() - 1], ["* 2 EXISTS", "* 0 RECENT"]);
    watcher.ok("COPY 1 INBOX").await;
    watcher
        .sees(
            "STORE 1 +FLAGS (\\Deleted)",
            &["* 1 FETCH (FLAGS (\\Deleted))"],
        )
        .await;
    watcher.sees("CLOSE", &[]).await;
    watcher.ok("DELETE b").await;
    watcher.hears_nothing().await;
    // Of what another one did besides, the whole is told.
    watcher.append("INBOX", "", MAIL).await;
    other.append("INBOX", "", MAIL).await;
    let line = watcher.line().await;
    assert_eq!(
        status(&line),
        "* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UNSEEN 3)"
    );
    watcher.hears_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_says_how_things_are_before_it_ends() {
    let server = Server::start();
    let mut ann = server.inbox("ann").await;
    for name in ["a", "b", "b.c"] {
        ann.ok(&format!("CREATE {name}")).await;
    }
    ann.append("b.c", "", MAIL).await;
    let told = |lines: Vec<String>| -> Vec<String> {
        let lines = lines.iter().filter(|line| line.starts_with("* STATUS"));
        lines.map(|line| status(line)).collect()
    };
    let lines = ann
        .ok("NOTIFY SET STATUS (subtree b (MessageNew MessageExpunge))")
        .await;
    assert_eq!(
        told(lines),
        [
            "* STATUS \"b\" (MESSAGES 0 UIDNEXT 1 UNSEEN 0)",
            "* STATUS \"b.c\" (MESSAGES 1 UIDNEXT 2 UNSEEN 1)"
        ]
    );
    // Not of the selected mailbox, nor where no event is of messages, nor of what is not there.
    let lines = ann
        .ok("NOTIFY SET STATUS (mailboxes (INBOX a x) (MessageNew MessageExpunge)) (personal (MailboxName))")
        .await;
    assert_eq!(
        told(lines),
        ["* STATUS \"a\" (MESSAGES 0 UIDNEXT 1 UNSEEN 0)"]
    );
}

/// Also as mox's tests have it: NONE hides what later groups say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_filter_means_its_mailboxes() {
    let server = Server::start();
    let mut maker = server.login("ann").await;
    for name in ["in.a.b", "other.a.b", "other.a.b.c"] {
        maker.ok(&format!("CREATE {name}")).await;
    }
    maker.ok("UNSUBSCRIBE other.a.b").await;
    let messages = "(MessageNew MessageExpunge)";
    let cases = [
        ("(inboxes ?)", "in.a.b other.a.b"),
        ("(personal ?)", "in.a.b other.a.b"),
        ("(subscribed ?)", "in.a.b"),
        ("(subtree (nowhere other) ?)", "other.a.b"),
        ("(subtree-one (in.a other) ?)", "in.a.b"),
        ("(mailboxes (other.a.b {9+}\r\nother.a.*) ?)", "other.a.b"),
        ("(mailboxes in.a.b NONE) (personal ?)", "other.a.b"),
        (
            "(mailboxes in.a.b (MailboxName)) (personal ?)",
            "in.a.b other.a.b",
        ),
        ("(mailboxes other ?) (selected ?)", ""),
    ];
    let mut watchers = Vec::new();
    for (groups, expected) in cases {
        let mut watcher = server.login("ann").await;
        let groups = groups.replace('?', messages);
        watcher.ok(&format!("NOTIFY SET {groups}")).await;
        watchers.push((watcher, groups, expected));
    }
    maker.append("in.a.b", "", MAIL).await;
    maker.append("other.a.b", "", MAIL).await;
    for (mut watcher, groups, expected) in watchers {
        let lines = watcher.ok("NOOP").await;
        let heard: Vec<_> = lines[..lines.len() - 1]
            .iter()
            .filter_map(|line| line.split('"').nth(1))
            .collect();
        assert_eq!(heard.join(" "), expected, "{groups}");
    }
}

/// Subscriptions are looked at anew each time (RFC 5465 §6.4).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_that_is_subscribed_later_is_watched() {
    let server = Server::start();
    let mut other = server.login("ann").await;
    other.ok("CREATE a").await;
    other.ok("UNSUBSCRIBE a").await;
    let mut watcher = server.login("ann").await;
    watcher
        .ok("NOTIFY SET (subscribed (MessageNew MessageExpunge))")
        .await;
    other.append("a", "", MAIL).await;
    watcher.hears_nothing().await;
    other.ok("SUBSCRIBE a").await;
    other.append("a", "", MAIL).await;
    let line = watcher.line().await;
    assert_eq!(
        status(&line),
        "* STATUS \"a\" (MESSAGES 2 UIDNEXT 3 UNSEEN 2)"
    );
    other.ok("UNSUBSCRIBE a").await;
    other.append("a", "", MAIL).await;
    watcher.hears_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delayed_expunges_wait_for_a_command_that_allows_them() {
    let server = Server::start();
    let (mut ann, mut other) = (server.inbox("ann").await, server.inbox("ann").await);
    for _ in 0..3 {
        other.append("INBOX", "", MAIL).await;
    }
    ann.ok("NOTIFY SET (selected-delayed (MessageNew (UID) MessageExpunge FlagChange))")
        .await;
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    ann.hears(&["* 1 FETCH (UID 1 FLAGS (\\Deleted))"]).await;
    other.ok("EXPUNGE").await;
    other.append("INBOX", "", MAIL).await;
    ann.hears(&["* 4 EXISTS", "* 0 RECENT", "* 4 FETCH (UID 4)"])
        .await;
    ann.sees("FETCH 2 UID", &["* 2 FETCH (UID 2)"]).await;
    ann.sees("NOOP", &["* 1 EXPUNGE"]).await;
    ann.ok("NOTIFY SET (selected (MessageNew MessageExpunge))")
        .await;
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    // Changes of flags are not asked for now, and expunges are told at once.
    ann.hears(&["* 1 EXPUNGE"]).await;
    ann.hears_nothing().await;
    // Those that piled up unheard are told once they are asked for.
    other.ok("STORE 1 +FLAGS.SILENT (\\Flagged)").await;
    ann.hears_nothing().await;
    let everything = "NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))";
    ann.sees(everything, &["* 1 FETCH (UID 3 FLAGS (\\Flagged))"])
        .await;
    ann.hears_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_to_hear_nothing_hears_nothing_but_what_it_does_itself() {
    let server = Server::start();
    let (mut ann, mut other) = (server.inbox("ann").await, server.inbox("ann").await);
    for _ in 0..4 {
        other.append("INBOX", "", MAIL).await;
    }
    ann.ok("NOOP").await;
    for quiet in [
        "NOTIFY NONE",
        "NOTIFY SET (personal (MailboxName))",
        "NOTIFY SET (selected NONE)",
    ] {
        ann.sees(quiet, &[]).await;
        other.append("INBOX", "", MAIL).await;
        other.ok("STORE 2 +FLAGS (\\Flagged)").await;
        other.ok("STORE 2 -FLAGS (\\Flagged)").await;
        ann.hears_nothing().await;
        ann.sees("CHECK", &[]).await;
        ann.send("i IDLE\r\n").await;
        assert_eq!(ann.line().await, "+ idling");
        other.append("INBOX", "", MAIL).await;
        ann.send("DONE\r\n").await;
        assert_eq!(ann.until("i").await.len(), 1);
    }
    ann.sees(
        "STORE 1 FLAGS (\\Deleted)",
        &["* 1 FETCH (FLAGS (\\Deleted))"],
    )
    .await;
    let lines = ann.ok("EXPUNGE").await;
    assert_eq!(lines[0], "* 1 EXPUNGE", "{lines:?}");
    // What had piled up is told by NOTIFY SET (RFC 5465 §3.1).
    other.ok("NOOP").await;
    other.ok("STORE 1 +FLAGS (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    other.append("INBOX", "", MAIL).await;
    let lines = ann
        .ok("NOTIFY SET (selected (MessageNew (UID) MessageExpunge))")
        .await;
    assert_eq!(lines[..2], ["* 1 EXPUNGE", "* 9 EXISTS"], "{lines:?}");
    assert!(
        lines.contains(&"* 9 FETCH (UID 11)".to_owned()),
        "{lines:?}"
    );
}

/// A client that was notified is in IDLE told what it asked for, and nothing else (RFC 5465 §4).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_tells_what_notify_asked_for() {
    let server = Server::start();
    let (mut watcher, mut other) = watched(&server).await;
    watcher.ok("SELECT INBOX").await;
    watcher.send("i IDLE\r\n").await;
    assert_eq!(watcher.line().await, "+ idling");
    other.ok("CREATE a").await;
    watcher
        .hears(&["* LIST (\\Subscribed \\HasNoChildren) \".\" \"a\""])
        .await;
    other.append("a", "", MAIL).await;
    assert!(
        watcher
            .line()
            .await
            .starts_with("* STATUS \"a\" (MESSAGES 1 ")
    );
    other.append("INBOX", "", MAIL).await;
    watcher
        .hears(&["* 1 EXISTS", "* 0 RECENT", "* 1 FETCH (UID 1 FLAGS ())"])
        .await;
    watcher.send("DONE\r\n").await;
    assert_eq!(watcher.until("i").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_messages_come_with_what_was_asked_for_and_stay_unseen() {
    let server = Server::start();
    let (mut ann, mut other) = (server.inbox("ann").await, server.login("ann").await);
    // As Evolution says it.
    ann.ok(
        "NOTIFY SET (selected (MessageNew (UID RFC822.SIZE RFC822.HEADER FLAGS BODYSTRUCTURE) MessageExpunge \
         FlagChange)) (personal (MessageNew MessageExpunge MailboxName SubscriptionChange))",
    )
    .await;
    other.append("INBOX", "", MAIL).await;
    ann.hears(&["* 1 EXISTS", "* 0 RECENT"]).await;
    let line = ann.line().await;
    let header = "RFC822.HEADER {38}\r\nFrom: a@example.org\r\nSubject: News\r\n\r\n";
    assert!(
        line.starts_with("* 1 FETCH (UID 1 RFC822.SIZE 44 "),
        "{line}"
    );
    assert!(line.contains(header), "{line:?}");
    // What sets \Seen elsewhere does not here: nobody read it.
    ann.ok("NOTIFY SET (selected (MessageNew (BODY[TEXT] BODY[2]) MessageExpunge))")
        .await;
    other.append("INBOX", "", MAIL).await;
    ann.hears(&[
        "* 2 EXISTS",
        "* 0 RECENT",
        "* 2 FETCH (BODY[TEXT] {6}\r\nText\r\n BODY[2] NIL)",
    ])
    .await;
    ann.sees("FETCH 2 FLAGS", &["* 2 FETCH (FLAGS ())"]).await;
}

/// What is told of a mailbox while it is selected is not told again when it is left; what is not told, is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_a_mailbox_tells_what_was_not_told_in_it() {
    let server = Server::start();
    let (mut watcher, mut other) = watched(&server).await;
    watcher.ok("SELECT INBOX").await;
    other.append("INBOX", "", MAIL).await;
    watcher
        .hears(&["* 1 EXISTS", "* 0 RECENT", "* 1 FETCH (UID 1 FLAGS ())"])
        .await;
    watcher.ok("UNSELECT").await;
    watcher.hears_nothing().await;
    watcher
        .ok("NOTIFY SET (personal (MessageNew MessageExpunge))")
        .await;
    watcher.ok("SELECT INBOX").await;
    other.append("INBOX", "", MAIL).await;
    watcher.hears_nothing().await;
    watcher.ok("UNSELECT").await;
    let line = watcher.line().await;
    assert_eq!(
        status(&line),
        "* STATUS INBOX (MESSAGES 2 UIDNEXT 3 UNSEEN 2)"
    );
    watcher.hears_nothing().await;
}

/// A server that can't look any more says so, and is silent until it is asked again (RFC 5465 §5.8).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_notifications_end_the_client_is_told_and_may_ask_again() {
    let broken = Arc::new(AtomicBool::new(false));
    let unavailable = || Error::Unavailable("broken".into());
    let gate = failing(&["mailboxes"], broken.clone(), unavailable);
    let server = Server::with(|endpoint| interpose(&mut endpoint.storage, |_| gate));
    let (mut watcher, mut other) = watched(&server).await;
    watcher.ok("SELECT INBOX").await;
    broken.store(true, Ordering::SeqCst);
    other.ok("CREATE a").await;
    let line = watcher.line().await;
    assert!(line.starts_with("* OK [NOTIFICATIONOVERFLOW] "), "{line}");
    broken.store(false, Ordering::SeqCst);
    other.ok("CREATE b").await;
    other.append("b", "", MAIL).await;
    other.append("INBOX", "", MAIL).await;
    watcher.hears_nothing().await;
    let lines = watcher.ok(EVERYTHING).await;
    assert_eq!(lines[0], "* 1 EXISTS", "{lines:?}");
    other.ok("DELETE b").await;
    let line = watcher.line().await;
    assert_eq!(
        line,
        "* LIST (\\NonExistent \\Subscribed \\HasNoChildren) \".\" \"b\""
    );
    // A NOTIFY that is refused changes nothing.
    broken.store(true, Ordering::SeqCst);
    watcher.refused(EVERYTHING, "NO [UNAVAILABLE]").await;
    other.append("a", "", MAIL).await;
    assert!(
        watcher
            .line()
            .await
            .starts_with("* STATUS \"a\" (MESSAGES 1 ")
    );
}

/// Asking anew loses nothing of what was to be told before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_between_one_notify_and_the_next() {
    let server = Server::start();
    let (mut watcher, mut other) = watched(&server).await;
    for round in 1..=20 {
        let command = format!("n{round} {EVERYTHING}\r\n");
        let (_, uid) = tokio::join!(watcher.send(command), other.append("INBOX", "", MAIL));
        let expected = format!(
            "* STATUS INBOX (MESSAGES {round} UIDNEXT {} UNSEEN {round})",
            uid + 1
        );
        let (mut ended, mut told) = (false, false);
        while !(ended && told) {
            let line = watcher.line().await;
            match line.starts_with("* STATUS") {
                true => {
                    assert_eq!(status(&line), expected);
                    told = true;
                }
                false => ended = line.starts_with(&format!("n{round} OK")),
            }
        }
    }
}

/// A client that reads nothing holds up nobody, and is told how things are when it reads again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_costs_only_itself() {
    let server = Server::start();
    let (mut watcher, mut other) = watched(&server).await;
    for _ in 0..300 {
        other.append("INBOX", "", MAIL).await;
    }
    let mut last = String::new();
    while !last.contains("MESSAGES 300 ") {
        last = watcher.line().await;
        assert!(last.starts_with("* STATUS INBOX (MESSAGES "), "{last}");
    }
    watcher.hears_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn annotations_are_told_of_by_their_names() {
    let server = Server::start();
    let mut other = server.login("ann").await;
    other.ok("CREATE a").await;
    let (mut watcher, mut picky) = (server.inbox("ann").await, server.login("ann").await);
    watcher
        .ok("NOTIFY SET (personal (MailboxMetadataChange ServerMetadataChange))")
        .await;
    picky
        .ok("NOTIFY SET (mailboxes INBOX (MailboxMetadataChange))")
        .await;
    other.ok("SETMETADATA a (/private/comment \"x\")").await;
    watcher.hears(&["* METADATA \"a\" /private/comment"]).await;
    // Also of the selected mailbox, and of what is removed.
    other.ok("SETMETADATA INBOX (/private/comment \"x\")").await;
    other.ok("SETMETADATA INBOX (/private/comment NIL)").await;
    other
        .ok("SETMETADATA \"\" (/private/vendor/x/y \"x\")")
        .await;
    let mut heard = std::collections::BTreeSet::new();
    while heard.len() < 2 {
        heard.insert(watcher.line().await);
    }
    let expected = [
        "* METADATA \"\" /private/vendor/x/y",
        "* METADATA INBOX /private/comment",
    ];
    assert!(heard.iter().eq(expected), "{heard:?}");
    assert_eq!(picky.line().await, "* METADATA INBOX /private/comment");
    // What it set itself, it knows.
    watcher.ok("SETMETADATA a (/private/comment \"y\")").await;
    watcher.ok("NOTIFY SET (personal (MailboxName))").await;
    other.ok("SETMETADATA a (/private/comment \"z\")").await;
    watcher.hears_nothing().await;
}

/// Who knows mod-sequences is told them (RFC 5465 §5.2, §5.3), and VANISHED after QRESYNC.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_has_enabled_shows_in_what_it_is_told() {
    let server = Server::start();
    let mut other = server.inbox("ann").await;
    other.ok("CREATE a").await;
    let (mut plain, mut watcher) = (server.login("ann").await, server.login("ann").await);
    // Also to a client that enabled nothing, if it wants to hear of flags (RFC 5465 §3.1).
    let lines = plain
        .ok("NOTIFY SET STATUS (mailboxes a (MessageNew MessageExpunge FlagChange))")
        .await;
    assert!(
        lines[0].ends_with(" UNSEEN 0 HIGHESTMODSEQ 1)"),
        "{lines:?}"
    );
    watcher.ok("ENABLE QRESYNC").await;
    watcher.ok("SELECT INBOX").await;
    watcher.ok(EVERYTHING).await;
    other.append("a", "", MAIL).await;
    assert!(watcher.line().await.ends_with(" UNSEEN 1 HIGHESTMODSEQ 2)"));
    assert!(plain.line().await.ends_with(" UNSEEN 1)"));
    other.append("INBOX", "", MAIL).await;
    watcher
        .hears(&["* 1 EXISTS", "* 0 RECENT", "* 1 FETCH (UID 1 FLAGS ())"])
        .await;
    other.ok("SELECT a").await;
    // A flag that no counter shows is told by its mod-sequence alone.
    other.ok("STORE 1 +FLAGS (\\Flagged)").await;
    assert!(watcher.line().await.ends_with(" UNSEEN 1 HIGHESTMODSEQ 3)"));
    plain.hears_nothing().await;
    other.ok("SELECT INBOX").await;
    other.ok("STORE 1 +FLAGS (\\Deleted)").await;
    watcher
        .hears(&["* 1 FETCH (UID 1 FLAGS (\\Deleted) MODSEQ (3))"])
        .await;
    other.ok("EXPUNGE").await;
    watcher.hears(&["* VANISHED 1"]).await;
}

/// A client without sequence numbers (RFC 9586) is told by UIDs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_numbers_everything_is_told_by_uid() {
    let server = Server::start();
    let (mut watcher, mut other) = (server.login("ann").await, server.inbox("ann").await);
    watcher.ok("ENABLE UIDONLY").await;
    watcher.ok("SELECT INBOX").await;
    watcher
        .ok("NOTIFY SET (selected (MessageNew (FLAGS) MessageExpunge FlagChange))")
        .await;
    other.append("INBOX", "", MAIL).await;
    watcher
        .hears(&["* 1 EXISTS", "* 0 RECENT", "* 1 UIDFETCH (FLAGS ())"])
        .await;
    other.ok("STORE 1 +FLAGS (\\Deleted)").await;
    watcher.hears(&["* 1 UIDFETCH (FLAGS (\\Deleted))"]).await;
    other.ok("EXPUNGE").await;
    watcher.hears(&["* VANISHED 1"]).await;
    watcher
        .refused("ESEARCH IN (personal) 1:*", "BAD [UIDREQUIRED]")
        .await;
}

crate::dialect::also_in_rev2!(
    what_the_client_did_itself_it_is_not_told,
    new_messages_come_with_what_was_asked_for_and_stay_unseen,
    each_filter_means_its_mailboxes,
);
