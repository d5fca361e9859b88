//! Quotas (RFC 9208), by IMAP. "root" is an administrator.

use pillarbox_model::PerResource;

use crate::harness::{Client, Server};

const MAIL: &str = "Subject: Hello\r\n\r\nHow are you?\r\n";

fn mail(size: usize) -> String {
    let head = "Subject: x\r\n\r\n";
    format!("{head}{}", "x".repeat(size - head.len()))
}

/// A server with an administrator, and somebody with a mailbox beside INBOX who has these limits.
async fn limited(limits: &str) -> (Server, Client, Client) {
    let server = Server::start();
    let (mut root, mut ann) = (server.login("root").await, server.inbox("ann").await);
    ann.ok("CREATE other").await;
    root.ok(&format!("SETQUOTA ann ({limits})")).await;
    (server, root, ann)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_sees_what_there_is_and_may_be() {
    let (_server, _, mut ann) = limited("STORAGE 512 MESSAGE 100 MAILBOX 10").await;
    let capability = ann.ok("CAPABILITY").await.remove(0);
    for word in [
        " QUOTA ",
        " QUOTA=RES-STORAGE ",
        " QUOTA=RES-MESSAGE ",
        " QUOTA=RES-MAILBOX ",
        " QUOTASET ",
    ] {
        assert!(capability.contains(word), "{word} in {capability}");
    }
    let empty = "* QUOTA \"ann\" (STORAGE 0 512 MESSAGE 0 100 MAILBOX 2 10)";
    ann.sees("GETQUOTAROOT INBOX", &["* QUOTAROOT INBOX \"ann\"", empty])
        .await;
    // The mailbox need not be there (RFC 9208 §4.1.2).
    let there = ["* QUOTAROOT \"new\" \"ann\"", empty];
    ann.sees("GETQUOTAROOT new", &there).await;
    ann.sees("GETQUOTA ann", &[empty]).await;
    ann.append("INBOX", "", &mail(1_025)).await;
    ann.ok("NOOP").await;
    // Units of 1,024, of which the second is begun.
    let used = "* QUOTA \"ann\" (STORAGE 2 512 MESSAGE 1 100 MAILBOX 2 10)";
    ann.sees("GETQUOTA \"\"", &[used]).await;
    ann.refused("GETQUOTAROOT \"\"", "NO [CANNOT]").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_limited_is_told() {
    let (_server, mut root, mut ann) = limited("").await;
    ann.sees("GETQUOTA ann", &["* QUOTA \"ann\" ()"]).await;
    let told = ["* QUOTA \"ann\" (MESSAGE 0 0)"];
    root.sees("SETQUOTA ann (message 0)", &told).await;
    ann.sees("GETQUOTA ann", &told).await;
    // What is not named is discarded (RFC 9208 §4.1.3).
    let told = ["* QUOTA \"ann\" (STORAGE 0 9007199254740992)"];
    root.sees("SETQUOTA Ann (STORAGE 9223372036854775807)", &told)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_the_business_of_administrators() {
    let (server, mut root, mut ann) = limited("STORAGE 5").await;
    server.login("bob").await;
    for root in ["bob", "root", "nobody", "{3+}\r\n\u{e4}x"] {
        let command = format!("GETQUOTA {root}");
        ann.refused(&command, "NO [NONEXISTENT] No such quota root")
            .await;
    }
    for root in ["ann", "bob", "nobody"] {
        let command = format!("SETQUOTA {root} (STORAGE 1000)");
        ann.refused(&command, "NO [NOPERM]").await;
    }
    root.refused("SETQUOTA nobody (STORAGE 1)", "NO [NONEXISTENT]")
        .await;
    let unknown = "SETQUOTA ann (STORAGE 7 ANNOTATION-STORAGE 1)";
    root.refused(unknown, "NO [CANNOT]").await;
    let unchanged = ["* QUOTA \"ann\" (STORAGE 0 5)"];
    root.sees("GETQUOTA ann", &unchanged).await;
    root.refused("SETQUOTA ann (STORAGE)", "BAD").await;
    root.refused("SETQUOTA ann STORAGE 1", "BAD").await;
    let mut stranger = server.connect().await;
    stranger.refused("GETQUOTA ann", "BAD").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c30_what_does_not_fit_is_refused_before_its_bytes_are_asked_for() {
    let (_server, mut root, mut ann) = limited("STORAGE 2").await;
    ann.append("INBOX", "", &mail(1_024)).await;
    ann.send("a APPEND INBOX {1025}\r\n").await;
    let told = ann.until("a").await;
    assert_eq!(
        told,
        ["NO [OVERQUOTA] The account has no room for this"],
        "there is no continuation"
    );
    // Each fits, both don't: neither is added (RFC 3502 §6.3.11).
    let both = format!(
        "APPEND INBOX {{600+}}\r\n{} {{600+}}\r\n{}",
        mail(600),
        mail(600)
    );
    ann.refused(&both, "NO [OVERQUOTA]").await;
    ann.append("INBOX", "", &mail(1_024)).await;
    ann.refused("APPEND INBOX {1+}\r\nx", "NO [OVERQUOTA]")
        .await;
    root.ok("SETQUOTA ann (MESSAGE 2)").await;
    ann.refused("APPEND INBOX {1+}\r\nx", "NO [OVERQUOTA]")
        .await;
    root.ok("SETQUOTA ann (MESSAGE 3)").await;
    ann.append("INBOX", "", "x").await;
}

/// Literals are admitted one by one, and another session may be faster: what counts is the commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_were_both_let_in_one_is_told_in_the_end() {
    let (server, mut root, mut ann) = limited("STORAGE 3").await;
    let mut other = server.inbox("ann").await;
    for client in [&mut ann, &mut other] {
        client.send("a APPEND INBOX {2000}\r\n").await;
        assert!(client.line().await.starts_with("+ "));
    }
    let rest = format!("{}\r\n", mail(2_000));
    ann.send(&rest).await;
    let first = ann.until("a").await;
    assert!(
        first.last().unwrap().starts_with("OK [APPENDUID"),
        "{first:?}"
    );
    other.send(&rest).await;
    let second = other.until("a").await;
    assert!(
        second.last().unwrap().starts_with("NO [OVERQUOTA]"),
        "{second:?}"
    );
    root.sees("GETQUOTA ann", &["* QUOTA \"ann\" (STORAGE 2 3)"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_account_can_be_tidied_and_nothing_else() {
    let (_server, mut root, mut ann) = limited("").await;
    ann.append("INBOX", "", MAIL).await;
    ann.append("INBOX", "", MAIL).await;
    root.ok("SETQUOTA ann (MESSAGE 2 MAILBOX 2)").await;
    ann.ok("NOOP").await;
    ann.refused("COPY 1 other", "NO [OVERQUOTA]").await;
    ann.refused("UID COPY 1:2 INBOX", "NO [OVERQUOTA]").await;
    ann.refused("CREATE third", "NO [OVERQUOTA]").await;
    ann.refused("RENAME other a.b", "NO [OVERQUOTA]").await;
    ann.ok("RENAME other another").await;
    let lines = ann.ok("MOVE 1 another").await;
    assert!(lines[0].starts_with("* OK [COPYUID"), "{lines:?}");
    ann.ok("STORE 1 +FLAGS (\\Deleted)").await;
    ann.ok("EXPUNGE").await;
    ann.append("INBOX", "", MAIL).await;
    ann.ok("DELETE another").await;
    ann.ok("CREATE third").await;
    let told = ["* QUOTA \"ann\" (MESSAGE 1 2 MAILBOX 2 2)"];
    ann.sees("GETQUOTA ann", &told).await;
}

/// What is in a shared mailbox is its owner's, whoever put it there (RFC 9208 §6: its root is told to those
/// who may read it).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_count_for_whose_mailbox_it_is() {
    let server = crate::sharing::start();
    let (mut root, mut ann) = (server.login("root").await, server.inbox("ann").await);
    let mut bob = server.login("bob").await;
    bob.ok("CREATE Team").await;
    bob.ok("SETACL Team ann lri").await;
    root.ok("SETQUOTA bob (MESSAGE 1)").await;
    root.ok("SETQUOTA ann (MESSAGE 1)").await;
    let team = "\"Other Users.bob.Team\"";
    ann.append("INBOX", "", MAIL).await;
    ann.append(team, "", MAIL).await;
    let full = [
        format!("* QUOTAROOT {team} \"bob\""),
        "* QUOTA \"bob\" (MESSAGE 1 1)".to_owned(),
    ];
    let full = full.each_ref().map(String::as_str);
    ann.sees(&format!("GETQUOTAROOT {team}"), &full).await;
    ann.refused(&format!("APPEND {team} {{1+}}\r\nx"), "NO [OVERQUOTA]")
        .await;
    ann.refused(&format!("UID COPY 1 {team}"), "NO [OVERQUOTA]")
        .await;
    // Between accounts, moving takes room where it goes.
    ann.refused(&format!("UID MOVE 1 {team}"), "NO [OVERQUOTA]")
        .await;
    root.ok("SETQUOTA bob (MESSAGE 2)").await;
    ann.ok(&format!("UID MOVE 1 {team}")).await;
    ann.sees("GETQUOTA ann", &["* QUOTA \"ann\" (MESSAGE 0 1)"])
        .await;
    bob.sees("GETQUOTA bob", &["* QUOTA \"bob\" (MESSAGE 2 2)"])
        .await;
    // What others have in all their mailboxes is told where one may read, and nowhere else.
    ann.refused("GETQUOTA bob", "NO [NONEXISTENT]").await;
    bob.ok("SETACL Team ann li").await;
    ann.refused(&format!("GETQUOTAROOT {team}"), "NO [NOPERM]")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_says_what_an_expunge_would_give_back() {
    let (_server, _, mut ann) = limited("").await;
    for size in [100, 20, 3_000] {
        ann.append("INBOX", "\\Deleted", &mail(size)).await;
    }
    let status = "STATUS INBOX (DELETED DELETED-STORAGE SIZE)";
    let told = ["* STATUS INBOX (DELETED 3 DELETED-STORAGE 3120 SIZE 3120)"];
    ann.ok("NOOP").await;
    ann.sees(status, &told).await;
    ann.ok("STORE 2 -FLAGS.SILENT (\\Deleted)").await;
    let told = ["* STATUS INBOX (DELETED 2 DELETED-STORAGE 3100 SIZE 3120)"];
    ann.sees(status, &told).await;
    ann.ok("COPY 1 other").await;
    ann.ok("STORE 1 FLAGS.SILENT (\\Seen)").await;
    ann.ok("EXPUNGE").await;
    let told = ["* STATUS INBOX (DELETED 0 DELETED-STORAGE 0 SIZE 120)"];
    ann.sees(status, &told).await;
    let list = "LIST \"\" other RETURN (STATUS (DELETED-STORAGE))";
    let lines = ann.ok(list).await;
    assert_eq!(lines[1], "* STATUS \"other\" (DELETED-STORAGE 100)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_counts_until_somebody_says_otherwise() {
    let server = Server::start();
    server.store().set_default_quota(PerResource {
        storage: Some(10_240),
        message: Some(1),
        mailbox: None,
    });
    let (mut root, mut ann) = (server.login("root").await, server.login("ann").await);
    let told = ["* QUOTA \"ann\" (STORAGE 0 10 MESSAGE 0 1)"];
    ann.sees("GETQUOTA ann", &told).await;
    ann.append("INBOX", "", MAIL).await;
    ann.refused("APPEND INBOX {1+}\r\nx", "NO [OVERQUOTA]")
        .await;
    root.ok("SETQUOTA ann (STORAGE 20)").await;
    ann.append("INBOX", "", MAIL).await;
    ann.sees("GETQUOTA ann", &["* QUOTA \"ann\" (STORAGE 1 20)"])
        .await;
}

crate::dialect::also_in_rev2!(
    a_user_sees_what_there_is_and_may_be,
    only_what_is_limited_is_told,
    others_are_the_business_of_administrators,
    c30_what_does_not_fit_is_refused_before_its_bytes_are_asked_for,
    of_two_who_were_both_let_in_one_is_told_in_the_end,
    a_full_account_can_be_tidied_and_nothing_else,
    status_says_what_an_expunge_would_give_back,
    the_default_counts_until_somebody_says_otherwise,
);
