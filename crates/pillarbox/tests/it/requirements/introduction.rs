//! C1 to C5: what an endpoint is, and how accounts come into being. C6 and C7 are in `delivery.rs`.

use super::*;

const MESSAGE: &str = "From: a@example.net\r\nSubject: Hello\r\n\r\nHello.\r\n";

#[test]
fn c01_an_imap_block_is_a_listener_that_speaks_imap4rev1() {
    let server = Server::f0("", "");
    let mut client = server.client();
    assert!(client.greeting.starts_with("* OK"), "{}", client.greeting);
    assert!(client.capabilities().starts_with(" IMAP4rev1 "));
}

/// Two endpoints of one storage show the same mail, also to a session that idles; a third, of
/// another storage, shows nothing of it.
#[test]
fn c02_an_endpoint_shows_the_storage_that_it_names() {
    let other = STORAGE
        .replace("local_mailboxes", "others")
        .replace("imapsql.db", "others.db");
    let imap = format!("imap tcp://127.0.0.1:0 {{\ntls off\n{NEEDED}\n}}\n");
    let second = imap.replace("127.0.0.1", "127.0.0.2");
    let third = imap
        .replace("127.0.0.1", "127.0.0.3")
        .replace("&local_mailboxes", "&others");
    let server = Home::new().start(&format!("{STORAGE}{other}{USERS}{imap}{second}{third}"));
    let login = |n| {
        let mut client = Client::connect(server.address(n));
        client.ok("LOGIN user@example.org 123");
        client
    };
    let (mut first, mut same, mut different) = (login(0), login(1), login(2));
    same.ok("SELECT INBOX");
    same.send(b"i IDLE\r\n");
    assert!(same.line().starts_with('+'));
    first.append("INBOX", MESSAGE);
    assert_eq!(same.line(), "* 1 EXISTS");
    assert!(different.ok("SELECT INBOX").contains("* 0 EXISTS\n"));
}

#[test]
fn c03_the_first_login_makes_the_account() {
    let server = Server::f0("", "");
    server.address(0);
    assert_eq!(server.accounts(), "");
    let mut client = server.login("user@example.org");
    assert_eq!(server.accounts(), "user@example.org\n");
    assert!(client.ok("SELECT INBOX").contains("* 0 EXISTS\n"));
    let listed = client.ok("LIST \"\" *");
    assert!(
        listed.lines().any(|line| line.ends_with(" INBOX")),
        "{listed}"
    );
}

#[test]
fn c04_a_wrong_password_makes_no_account() {
    let server = Server::f0("", "");
    server.client().no("LOGIN user@example.org 1234");
    assert_eq!(server.accounts(), "");
}

#[test]
fn c05_an_account_without_credentials_lets_nobody_in() {
    let server = Server::f0("", "");
    server.address(0);
    let made = server
        .home
        .run(&["imap-acct", "create", "ghost@example.org"]);
    assert!(made.status.success(), "{made:?}");
    assert_eq!(server.accounts(), "ghost@example.org\n");
    server.client().no("LOGIN ghost@example.org 123");
    server.login("user@example.org");
}
