//! C35 to C42: passwords in clear, and who knows them; storages.

use super::*;

/// A server at `tcp://` with TLS.
fn with_tls(more: &str) -> Server {
    let home = Home::new();
    home.certificate("A");
    home.start(&format!(
        "{STORAGE}{USERS}imap tcp://127.0.0.1:0 {{\ntls DIR/A.crt DIR/A.key\n{NEEDED}{more}\n}}\n"
    ))
}

#[test]
fn c35_passwords_are_not_taken_in_clear() {
    let server = with_tls("");
    let mut client = server.client();
    let capabilities = client.capabilities();
    assert!(
        capabilities.contains(" STARTTLS LOGINDISABLED "),
        "{capabilities}"
    );
    assert!(!capabilities.contains("AUTH="), "{capabilities}");
    client.no("LOGIN user@example.org 123");
    client.no("AUTHENTICATE PLAIN AHVzZXJAZXhhbXBsZS5vcmcAMTIz");
    client.no("AUTHENTICATE PLAIN");
    assert_eq!(server.accounts(), "");
}

#[test]
fn c36_after_starttls_they_are() {
    let server = with_tls("");
    let (mut client, _) = Client::starttls(server.address(0));
    let capabilities = client.capabilities();
    assert!(capabilities.contains(" AUTH=PLAIN "), "{capabilities}");
    assert!(!capabilities.contains("LOGINDISABLED") && !capabilities.contains("STARTTLS"));
    client.ok("LOGIN user@example.org 123");
    let (mut client, _) = Client::starttls(server.address(0));
    client.ok("AUTHENTICATE PLAIN AHVzZXJAZXhhbXBsZS5vcmcAMTIz");
}

#[test]
fn c37_without_tls_they_are_in_any_case() {
    for more in ["", "insecure_auth no"] {
        let server = Server::f0(more, "");
        let mut client = server.client();
        assert!(!client.capabilities().contains("LOGINDISABLED"));
        client.ok("LOGIN user@example.org 123");
        server.logged("imap: TLS is disabled");
    }
}

#[test]
fn c38_c54_insecure_auth_takes_them_in_clear() {
    let server = with_tls("insecure_auth yes");
    let mut client = server.client();
    let capabilities = client.capabilities();
    assert!(capabilities.contains(" STARTTLS "), "{capabilities}");
    assert!(capabilities.contains(" AUTH=PLAIN "), "{capabilities}");
    assert!(!capabilities.contains("LOGINDISABLED"), "{capabilities}");
    client.ok("LOGIN user@example.org 123");
    server.logged("insecure_auth takes passwords");
    let (mut client, _) = Client::starttls(server.address(0));
    client.ok("LOGIN user@example.org 123");
}

/// What is said of an `imap` block with these lines, and of its line in the file.
#[track_caller]
fn missing(directive: &str, lines: &str) {
    let text = format!("{STORAGE}{USERS}imap tcp://127.0.0.1:0 {{\ntls off\n{lines}\n}}\n");
    let complaint = Home::new().complaint(&text).unwrap();
    let message = format!("missing required directive: {directive}");
    assert!(complaint.contains(&message), "{complaint}");
    let line = 4 + (STORAGE.to_owned() + USERS).matches('\n').count();
    assert!(
        complaint.contains(&format!("pillarbox.conf:{line}:1")),
        "{complaint}"
    );
}

#[test]
fn c39_auth_is_required() {
    missing("auth", "storage &local_mailboxes");
}

#[test]
fn c41_storage_is_required() {
    missing("storage", "auth &local_authdb");
}

/// In place by its name, in place with arguments and a block, and by reference.
#[test]
fn c40_auth_is_a_module_reference() {
    for auth in [
        "auth dummy",
        "auth pass_table static {\nentry user@example.org \"HASH\"\n}",
        "auth pass_table {\ntable static {\nentry user@example.org \"HASH\"\n}\n}",
        "auth &local_authdb",
    ] {
        let users = if auth.contains('&') { USERS } else { "" };
        let server = Home::new().start(&format!(
            "{STORAGE}{users}imap tcp://127.0.0.1:0 {{\ntls off\n{auth}\n\
             storage &local_mailboxes\n}}\n"
        ));
        server.login("user@example.org");
        if auth != "auth dummy" {
            server.client().no("LOGIN user@example.org 1234");
        }
    }
}

#[test]
fn c42_storage_is_a_module_reference() {
    for (storage, blocks) in [("imapsql sqlite3 x.db", ""), ("&local_mailboxes", STORAGE)] {
        let server = Home::new().start(&format!(
            "{blocks}{USERS}imap tcp://127.0.0.1:0 {{\ntls off\nauth &local_authdb\n\
             storage {storage}\n}}\n"
        ));
        let mut client = server.login("user@example.org");
        client.append("INBOX", "Subject: Hello\r\n\r\n");
        assert!(client.ok("SELECT INBOX").contains("* 1 EXISTS\n"));
        let file = if blocks.is_empty() {
            "state/x.db"
        } else {
            "state/imapsql.db"
        };
        assert!(server.home.path(file).exists(), "{file}");
    }
}
