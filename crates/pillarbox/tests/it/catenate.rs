//! CATENATE (RFC 4469) and URL-PARTIAL (RFC 5550 §5.7.1).

use crate::harness::{Client, Server};
use crate::sharing;

const MAIL: &str = concat!(
    "Subject: Trip\r\n",
    "Content-Type: multipart/mixed; boundary=\"b\"\r\n",
    "\r\n",
    "--b\r\n",
    "Content-Type: text/plain\r\n",
    "\r\n",
    "Hello\r\n",
    "--b\r\n",
    "Content-Type: application/zip\r\n",
    "\r\n",
    "0123456789\r\n",
    "--b--\r\n",
);

/// INBOX with a message in two parts, and Drafts.
async fn with_mail(server: &Server) -> Client {
    let mut client = server.login("ann").await;
    client.ok("CREATE Drafts").await;
    client.append("INBOX", "", MAIL).await;
    client.ok("SELECT INBOX").await;
    client
}

async fn validity(client: &mut Client, mailbox: &str) -> String {
    let told = client.ok(&format!("STATUS {mailbox} (UIDVALIDITY)")).await;
    let (_, rest) = told[0].rsplit_once(' ').unwrap();
    rest.trim_end_matches(')').to_owned()
}

/// What the last message of Drafts is.
async fn last_draft(client: &mut Client) -> String {
    client.ok("SELECT Drafts").await;
    let told = client.ok("FETCH * BODY.PEEK[]").await;
    client.ok("SELECT INBOX").await;
    let line = told.iter().find(|line| line.contains("BODY[]")).unwrap();
    let (_, message) = line.split_once("\r\n").unwrap();
    message.strip_suffix(')').unwrap().to_owned()
}

async fn count(client: &mut Client, mailbox: &str) -> String {
    let told = client.ok(&format!("STATUS {mailbox} (MESSAGES)")).await;
    let (_, rest) = told[0].rsplit_once(' ').unwrap();
    rest.trim_end_matches(')').to_owned()
}

fn text(text: &str) -> String {
    format!("TEXT {{{}+}}\r\n{text}", text.len())
}

/// RFC 4469, appendix A, example 1: an attachment is replaced; literals are waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attachment_is_replaced_without_the_rest_being_sent() {
    let server = Server::start();
    let mut client = with_mail(&server).await;
    let validity = validity(&mut client, "INBOX").await;
    let url = format!("/INBOX;UIDVALIDITY={validity}/;UID=1/;section=");
    client
        .send(format!(
            "a APPEND Drafts (\\Seen \\Draft $MDNSent) CATENATE (URL \"{url}HEADER\" TEXT {{5}}\r\n"
        ))
        .await;
    assert!(client.line().await.starts_with("+ "));
    client
        .send(format!(
            "--b\r\n URL \"{url}1.MIME\" URL {{{}+}}\r\n{url}1 TEXT ~{{13}}\r\n",
            url.len() + 1
        ))
        .await;
    assert!(client.line().await.starts_with("+ "));
    client.send("\r\n--b\r\n\r\nNew ").await;
    client.send(" TEXT {0} TEXT x)\r\n").await;
    // A literal in the middle of a line is none.
    let told = client.until("a").await;
    assert!(told.last().unwrap().starts_with("BAD"), "{told:?}");
    let parts = format!(
        "URL \"{url}HEADER\" {} URL \"{url}1.MIME\" URL {url}1 {} {} {}",
        text("--b\r\n"),
        text("\r\n--b\r\n\r\nNew"),
        text(""),
        text("\r\n--b--\r\n"),
    );
    let told = client
        .ok(&format!(
            "APPEND Drafts (\\Seen \\Draft) CATENATE ({parts})"
        ))
        .await;
    assert!(
        told.last().unwrap().starts_with("OK [APPENDUID "),
        "{told:?}"
    );
    let (head, _) = MAIL.split_once("--b").unwrap();
    let whole = format!(
        "{head}--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\n\r\nNew\r\n--b--\r\n"
    );
    assert_eq!(last_draft(&mut client).await, whole);
    // Nothing was marked as seen.
    client
        .sees("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS ())"])
        .await;
    client.ok("EXAMINE Drafts").await;
    client
        .sees("FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Seen \\Draft))"])
        .await;
}

/// Synchronising literals, of several messages, and one that is put together of URLs alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_messages_are_put_together_at_once() {
    let server = Server::start();
    let mut client = with_mail(&server).await;
    client
        .send("a APPEND Drafts CATENATE (URL /INBOX/;UID=1) CATENATE (TEXT {3}\r\n")
        .await;
    assert!(client.line().await.starts_with("+ "));
    client.send("X:  TEXT {1}\r\n").await;
    assert!(client.line().await.starts_with("+ "));
    client.send("y TEXT ~{4}\r\n").await;
    assert!(client.line().await.starts_with("+ "));
    client.send("\r\n\r\n) {8}\r\n").await;
    assert!(client.line().await.starts_with("+ "));
    client
        .send("Y: z\r\n\r\n (\\Flagged) CATENATE (URL ;UID=1/;SECTION=1)\r\n")
        .await;
    let told = client.until("a").await;
    assert!(told.last().unwrap().contains(" 1:4]"), "{told:?}");
    assert_eq!(last_draft(&mut client).await, "Hello");
    client.ok("SELECT Drafts").await;
    client
        .sees(
            "FETCH 1:4 (RFC822.SIZE)",
            &[
                &format!("* 1 FETCH (RFC822.SIZE {})", MAIL.len()),
                "* 2 FETCH (RFC822.SIZE 8)",
                "* 3 FETCH (RFC822.SIZE 8)",
                "* 4 FETCH (RFC822.SIZE 5)",
            ],
        )
        .await;
    client
        .sees(
            "FETCH 2 BODY.PEEK[]",
            &["* 2 FETCH (BODY[] {8}\r\nX: y\r\n\r\n)"],
        )
        .await;
    // All or nothing.
    let message = text("X: y\r\n\r\n");
    client
        .refused(
            &format!("APPEND Drafts CATENATE ({message}) {{4+}}\r\nmail CATENATE (URL ;UID=99)"),
            "NO [BADURL \";UID=99\"]",
        )
        .await;
    assert_eq!(count(&mut client, "Drafts").await, "4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_says_which_bytes() {
    let server = Server::start();
    let mut client = with_mail(&server).await;
    client.ok("CREATE INBOX.Entw&APw-rfe").await;
    client
        .append("INBOX.Entw&APw-rfe", "", "A: b\r\n\r\nc")
        .await;
    for (url, bytes) in [
        (";UID=1/;SECTION=2/;PARTIAL=0.4", "0123"),
        (";UID=1/;SECTION=2/;PARTIAL=4", "456789"),
        (";UID=1/;SECTION=2/;PARTIAL=8.100", "89"),
        ("/INBOX/;UID=1/;PARTIAL=9.4", "Trip"),
        (
            "inbox/;UID=1/;SECTION=HEADER.FIELDS%20(subject)",
            "Subject: Trip\r\n\r\n",
        ),
        ("/INBOX.Entw%C3%BCrfe/;UID=1", "A: b\r\n\r\nc"),
        ("/INBOX.Entw&APw-rfe/;UID=1/;SECTION=TEXT", "c"),
    ] {
        client
            .ok(&format!(
                "APPEND Drafts CATENATE (URL \"{url}\" TEXT {{1+}}\r\n.)"
            ))
            .await;
        assert_eq!(last_draft(&mut client).await, format!("{bytes}."), "{url}");
    }
    // Past the end there is nothing, and of nothing no message comes.
    client
        .refused(
            "APPEND Drafts CATENATE (URL ;UID=1/;PARTIAL=9999)",
            "NO [CANNOT]",
        )
        .await;
    client
        .refused(
            "APPEND Drafts CATENATE (TEXT {0+}\r\n TEXT {0+}\r\n)",
            "NO [CANNOT]",
        )
        .await;
}

/// Whatever is wrong with it, before a literal that comes after it is asked for; and the next command is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_that_leads_nowhere_is_named() {
    let server = Server::start();
    let mut client = with_mail(&server).await;
    for url in [
        "/INBOX;UIDVALIDITY=7/;UID=1",
        "/INBOX/;UID=2",
        "/nowhere/;UID=1",
        "/.bad./;UID=1",
        "/INBOX/;UID=1/;SECTION=3",
        "/INBOX/;UID=1/;SECTION=1.1.1",
        "/INBOX/;UID=1/;SECTION=nothing",
        "/INBOX/;UID=1/;PARTIAL=x",
        "/INBOX",
        "imap://ann@localhost/INBOX/;UID=1",
        "http://localhost/",
        "nonsense",
    ] {
        let refusal = format!("NO [BADURL \"{url}\"]");
        for rest in [
            ")",
            " TEXT {5}",
            " TEXT {16+}\r\nx\r\nz LOGOUT\r\n123 URL x)",
        ] {
            let command = format!("APPEND Drafts CATENATE (TEXT {{1+}}\r\nx URL {url}{rest}");
            client.refused(&command, &refusal).await;
        }
    }
    client
        .refused(
            "APPEND Drafts CATENATE (URL \"a]b\\\"c\")",
            "NO [BADURL \"a%5Db%22c\"]",
        )
        .await;
    client.ok("UNSELECT").await;
    client
        .refused(
            "APPEND Drafts CATENATE (URL ;UID=1)",
            "NO [BADURL \";UID=1\"]",
        )
        .await;
    client
        .refused("APPEND nowhere CATENATE (URL x)", "NO [TRYCREATE]")
        .await;
    for wrong in [
        "APPEND Drafts CATENATE",
        "APPEND Drafts CATENATE ()",
        "APPEND Drafts CATENATE (URL /INBOX/;UID=1",
        "APPEND Drafts CATENATE (TEXT {1+}\r\nx",
        "APPEND Drafts CATENATE (TEXT {1+}\r\nx TEXT \"y\")",
        "APPEND Drafts CATENATE (TEXT {1+}\r\nxTEXT {1+}\r\ny)",
        "APPEND Drafts CATENATE (CATENATE (TEXT {1+}\r\nx))",
        "APPEND Drafts CATENATE (TEXT {1+}\r\nx) \"y\"",
    ] {
        client.refused(wrong, "BAD").await;
    }
    assert_eq!(count(&mut client, "Drafts").await, "0");
}

/// Who may not read a mailbox is told the same, whether they may see it, and whether it exists.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailboxes_of_others_are_read_with_the_right_to() {
    let server = sharing::start();
    let mut bob = server.login("bob").await;
    bob.ok("CREATE Base").await;
    bob.append("Base", "", MAIL).await;
    let mut ann = with_mail(&server).await;
    let url = "/Other%20Users.bob.Base/;UID=1/;SECTION=1";
    let command = format!("APPEND Drafts CATENATE (URL \"{url}\")");
    let nowhere = command.replace("Base", "Nope");
    let expected = ann.say(&nowhere).await.pop().unwrap();
    assert!(expected.starts_with("NO [BADURL "), "{expected}");
    let expected = expected.replace("Nope", "Base");
    for rights in ["", "l", "lswipkxtea"] {
        bob.ok(&format!("SETACL Base ann \"{rights}\"")).await;
        ann.refused(&command, &expected).await;
    }
    bob.ok("SETACL Base ann r").await;
    ann.ok(&command).await;
    assert_eq!(last_draft(&mut ann).await, "Hello");
    bob.ok("SETACL Base ann lr").await;
    ann.ok("SELECT \"Other Users.bob.Base\"").await;
    ann.send("a APPEND Drafts CATENATE (TEXT {1}\r\n").await;
    assert!(ann.line().await.starts_with("+ "));
    bob.ok("DELETEACL Base ann").await;
    ann.send("x URL ;UID=1 TEXT {1}\r\n").await;
    let said = ann.line().await;
    assert!(said.starts_with("a NO [BADURL \";UID=1\"]"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_expunged_meanwhile_is_gone() {
    let server = Server::start();
    let mut client = with_mail(&server).await;
    let mut other = server.inbox("ann").await;
    client
        .send("a APPEND Drafts CATENATE (URL ;UID=1/;SECTION=1 TEXT {1}\r\n")
        .await;
    assert!(client.line().await.starts_with("+ "));
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    client.send("x URL /INBOX/;UID=1)\r\n").await;
    let told = client.until("a").await;
    let last = told.last().unwrap();
    assert!(
        last.starts_with("NO [BADURL \"/INBOX/;UID=1\"]"),
        "{told:?}"
    );
    assert_eq!(count(&mut client, "Drafts").await, "0");
}

/// The whole is what counts, for the largest message as for the quota, before more is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pieces_together_may_not_be_too_large() {
    let server = Server::with(|endpoint| {
        std::sync::Arc::get_mut(&mut endpoint.storage)
            .unwrap()
            .append_limit = 1_000_000;
    });
    let mut client = with_mail(&server).await;
    let big = format!("X: y\r\n\r\n{}", "0123456789".repeat(60_000));
    client.append("INBOX", "", &big).await;
    let url = "URL /INBOX/;UID=2";
    for pieces in [
        format!("{url} {url})"),
        format!("{url} TEXT {{500000}}"),
        format!("{url} TEXT {{1+}}\r\nx TEXT {{500000}}"),
        "TEXT {1+}\r\nx TEXT {1000000}".to_owned(),
        "TEXT {1000001}".to_owned(),
        format!("{url} TEXT {{18446744073709551615}}"),
    ] {
        client
            .refused(&format!("APPEND Drafts CATENATE ({pieces}"), "NO [TOOBIG]")
            .await;
    }
    // Large pieces, and a large whole.
    let pieces = format!("{url} {}", text(&"x".repeat(300_000)));
    client
        .ok(&format!("APPEND Drafts CATENATE ({pieces})"))
        .await;
    let whole = format!("{big}{}", "x".repeat(300_000));
    assert_eq!(last_draft(&mut client).await, whole);
    let store = server.store();
    let account = store.account("ann").await.unwrap().unwrap().id;
    let limits = pillarbox_model::PerResource {
        storage: pillarbox_store::Limit::At(1_600_000),
        message: pillarbox_store::Limit::At(4),
        mailbox: pillarbox_store::Limit::Default,
    };
    store.set_quota(account, limits).await.unwrap();
    for pieces in [
        "TEXT {200000}".to_owned(),
        format!("{url})"),
        "TEXT {9+}\r\nX: y\r\n\r\nz TEXT {200000}".to_owned(),
        "TEXT {4+}\r\nmail) CATENATE (TEXT {4}".to_owned(),
    ] {
        client
            .refused(
                &format!("APPEND Drafts CATENATE ({pieces}"),
                "NO [OVERQUOTA]",
            )
            .await;
    }
    client
        .ok("APPEND Drafts CATENATE (TEXT {9+}\r\nX: y\r\n\r\nz TEXT {1+}\r\nz)")
        .await;
    assert_eq!(count(&mut client, "Drafts").await, "2");
}

/// REPLACE takes such messages, too, and frees what the old one took, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_is_changed_in_place() {
    let server = Server::start();
    let mut client = with_mail(&server).await;
    client
        .refused(
            "REPLACE 1 INBOX CATENATE (URL ;UID=7)",
            "NO [BADURL \";UID=7\"]",
        )
        .await;
    client
        .refused("REPLACE 9 INBOX CATENATE (URL ;UID=1)", "BAD")
        .await;
    let store = server.store();
    let account = store.account("ann").await.unwrap().unwrap().id;
    let limits = pillarbox_model::PerResource {
        storage: pillarbox_store::Limit::Default,
        message: pillarbox_store::Limit::At(1),
        mailbox: pillarbox_store::Limit::Default,
    };
    store.set_quota(account, limits).await.unwrap();
    let pieces = format!(
        "{} URL ;UID=1/;SECTION=1 {}",
        text("A: b\r\n\r\n"),
        text("!")
    );
    let told = client
        .ok(&format!("REPLACE 1 INBOX (\\Draft) CATENATE ({pieces})"))
        .await;
    assert!(told[0].starts_with("* OK [APPENDUID "), "{told:?}");
    assert!(told.iter().any(|line| line == "* 1 EXPUNGE"), "{told:?}");
    client
        .sees(
            "FETCH 1 BODY.PEEK[]",
            &["* 1 FETCH (BODY[] {14}\r\nA: b\r\n\r\nHello!)"],
        )
        .await;
    client.ok("UID REPLACE 2 INBOX CATENATE (URL ;UID=2)").await;
    client.sees("UID SEARCH ALL", &["* SEARCH 3"]).await;
    client.ok("ENABLE UIDONLY").await;
    client
        .refused("REPLACE 1 INBOX CATENATE (URL ;UID=3)", "BAD [UIDREQUIRED]")
        .await;
    client.ok("UID REPLACE 3 INBOX CATENATE (URL ;UID=3)").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_breaks_off_has_added_nothing() {
    let server = Server::start();
    let mut client = with_mail(&server).await;
    client
        .send("a APPEND Drafts CATENATE (TEXT {4+}\r\nmail URL ;UID=1 TEXT {300000+}\r\nhalf")
        .await;
    drop(client);
    let mut client = server.login("ann").await;
    assert_eq!(count(&mut client, "Drafts").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_after_one_that_is_refused_are_done() {
    let server = Server::start();
    let mut client = with_mail(&server).await;
    client
        .send(concat!(
            "a APPEND Drafts CATENATE (URL ;UID=9 TEXT {12+}\r\nx LOGOUT\r\n\r\n TEXT {3+}\r\nabc)\r\n",
            "b APPEND Drafts CATENATE (TEXT {4+}\r\nmail URL {9+}\r\n/INBOX/;U TEXT {1+}\r\nz)\r\n",
            "c APPEND Drafts CATENATE (TEXT {4+}\r\nmail URL {13+}\r\n/INBOX/;UID=1)\r\n",
            "d NOOP\r\n",
        ))
        .await;
    assert!(client.until("a").await[0].starts_with("NO [BADURL"));
    assert!(client.until("b").await[0].starts_with("NO [BADURL"));
    assert!(client.until("c").await[0].starts_with("OK [APPENDUID"));
    client.until("d").await;
    assert_eq!(last_draft(&mut client).await, format!("mail{MAIL}"));
}
