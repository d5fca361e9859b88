//! C29 to C34: what is logged of the protocol, of connections, of everything.

use socket2::SockRef;

use super::*;

/// Lets a login fail, whose line in the log comes after all that was done before.
fn failed_login(server: &Server) -> String {
    server.client().no("LOGIN nobody@example.org 123");
    server.logged("authentication failed\t")
}

#[test]
fn c29_the_protocol_is_not_logged_by_default() {
    let server = Server::f0("", "");
    server.login("user@example.org").ok("NOOP");
    let log = failed_login(&server);
    assert!(!log.contains("NOOP") && !log.contains("a LOGIN"), "{log}");
}

#[test]
fn c30_io_debug_logs_commands_and_responses() {
    let server = Server::f0("io_debug yes", "");
    server.login("user@example.org").ok("NOOP");
    server.logged("a NOOP");
    let log = server.logged("a OK NOOP completed");
    assert!(
        !log.contains("LOGIN user@example.org 123"),
        "passwords aside: {log}"
    );
}

/// Resets a connection in the middle of a command, and waits until the server is done with it. Gives
/// the next client.
fn reset(server: &Server) -> Client {
    let stream = tcp(server.address(0));
    let mut client = Client::greeted(Box::new(stream.try_clone().unwrap()));
    client.send(b"a APPEND INBOX");
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop((client, stream));
    // There is one place only.
    loop {
        let next = Client::greeted(Box::new(tcp(server.address(0))));
        if next.greeting.starts_with("* OK") {
            return next;
        }
    }
}

#[test]
fn c31_errors_of_connections_are_not_logged_by_default() {
    let server = Server::f0("max_connections 1", "");
    reset(&server).no("LOGIN nobody@example.org 123");
    let log = server.logged("authentication failed\t");
    assert!(!log.contains("I/O error"), "{log}");
}

#[test]
fn c32_io_errors_logs_them() {
    let server = Server::f0("max_connections 1\nio_errors yes", "");
    reset(&server);
    let log = server.logged("I/O error\t");
    assert!(log.contains("reset by peer"), "{log}");
}

#[test]
fn c33_debug_is_inherited() {
    let server = Home::new().start(&format!(
        "debug yes\n{STORAGE}{USERS}imap tcp://127.0.0.1:0 {{\ntls off\n{NEEDED}}}\n"
    ));
    server
        .login("user@example.org")
        .ok("ID (\"name\" \"test\")");
    server.logged("[debug] imap: ");
}

/// Two endpoints: what the quiet one did first is not in the log when the other one's is.
#[test]
fn c34_debug_counts_for_its_endpoint_only() {
    let block =
        |host: &str, more: &str| format!("imap tcp://{host}:0 {{\ntls off\n{more}\n{NEEDED}}}\n");
    let server = Home::new().start(&format!(
        "debug no\n{STORAGE}{USERS}{}{}",
        block("127.0.0.1", ""),
        block("127.0.0.2", "debug yes")
    ));
    let introduce = |n, name: &str| {
        Client::connect(server.address(n)).ok(&format!("ID (\"name\" \"{name}\")"));
    };
    introduce(0, "quiet");
    introduce(1, "loud");
    let log = server.log.wait(|text| {
        let mut lines = text
            .lines()
            .filter(|line| line.starts_with("[debug] imap: "));
        lines
            .any(|line| line.contains("loud"))
            .then(|| text.to_owned())
    });
    assert!(!log.contains("quiet"), "{log}");
}
