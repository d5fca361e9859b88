//! C8 to C11: the example block, comments, defaults.

use super::*;

#[test]
fn c08_one_block_listens_in_clear_and_under_tls() {
    let home = Home::new();
    home.certificate("A");
    let server = home.start(&format!(
        "{STORAGE}{USERS}imap tcp://127.0.0.1:0 tls://127.0.0.2:0 {{\n\
         tls DIR/A.crt DIR/A.key\n{NEEDED}}}\n"
    ));
    let clear = Client::connect(server.address(0));
    assert!(clear.greeting.starts_with("* OK"));
    let (secured, _) = Client::connect_tls(server.address(1));
    assert!(secured.greeting.starts_with("* OK"), "{}", secured.greeting);
    // Nothing is said there before a handshake, and nothing but TLS is understood.
    let mut plain = tcp(server.address(1));
    plain.write_all(b"a CAPABILITY\r\n").unwrap();
    let mut heard = Vec::new();
    let _ = plain.read_to_end(&mut heard);
    assert!(!heard.windows(2).any(|pair| pair == b"OK"), "{heard:?}");
}

/// In both revisions of the document; ports and paths are the test's. That it is accepted with its
/// own ports is in `providers.rs`, and PAM itself, with a service, in `scripts/providers`.
#[test]
fn c09_the_example_is_accepted_as_written_and_served() {
    const EXAMPLE: &str = "
imap tcp://127.0.0.1:0 tls://127.0.0.2:0 {
    tls DIR/A.crt DIR/A.key
    io_debug no
    debug no
    insecure_auth no
    MORE
    auth pam
    storage &local_mailboxes
    auth_map identity
    auth_map_normalize auto
    storage_map identity
    storage_map_normalize auto
}
";
    // Cargo builds helpers only for those who name them.
    assert!(!env!("CARGO_BIN_EXE_pillarbox-pam-helper").is_empty());
    for more in ["sasl_login no", ""] {
        let home = Home::new();
        home.certificate("A");
        let text = format!("{STORAGE}{}", EXAMPLE.replace("MORE", more));
        assert_eq!(home.complaint(&text), None);
        let server = Server::start(home);
        let mut clear = Client::connect(server.address(0));
        assert!(clear.capabilities().contains(" STARTTLS LOGINDISABLED "));
        let (mut secured, _) = Client::connect_tls(server.address(1));
        assert!(secured.capabilities().contains(" AUTH=PLAIN "));
        secured.no("LOGIN nobody-of-this-name 123");
    }
}

#[test]
fn c10_a_comment_may_follow_a_directive() {
    let storage = "delivery_map email_localpart # deliver \"user@*\" to mailbox for \"user\"";
    let server = Server::f0("debug no # at the end of a line", storage);
    server.login("user@example.org");
}

/// Each directive's default has its own requirement: C13, C19, C29, C31, C33, C35, C43, C51, C52,
/// C55. Here, that a block may have none but what it has to.
#[test]
fn c11_directives_may_be_absent() {
    let server = Server::f0("", "");
    server.login("user@example.org").ok("SELECT INBOX");
}
