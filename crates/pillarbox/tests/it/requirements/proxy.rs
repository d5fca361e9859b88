//! C19 to C28: the PROXY protocol, up to what the log says of a failed login.

use super::*;

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 127.0.0.1 5000 1143\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\x13\x88\x04\x77";
const V2_SIX: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24\
    \x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13\x88\x04\x77";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// A server of which a plain address, and what the directive says.
fn server(directive: &str) -> Server {
    Server::f0(directive, "")
}

/// Connects, says this before anything else, and fails to log in.
#[track_caller]
fn fail(server: &Server, header: &[u8]) -> String {
    let mut stream = tcp(server.address(0));
    let port = stream.local_addr().unwrap().port();
    stream.write_all(header).unwrap();
    let mut client = Client::greeted(Box::new(stream));
    client.no("LOGIN user@example.org 1234");
    format!("\"src_ip\":\"127.0.0.1:{port}\"")
}

#[test]
fn c19_without_the_directive_a_header_is_a_bad_command() {
    let server = server("");
    let mut client = server.client();
    client.send(V1);
    let answer = client.line();
    assert!(answer.contains("BAD"), "{answer}");
    client.no("LOGIN user@example.org 1234");
    let log = server.logged("authentication failed\t");
    assert!(log.contains("\"src_ip\":\"127.0.0.1:"), "{log}");
    assert!(!log.contains("192.0.2.7"), "{log}");
}

#[test]
fn c20_version_1_says_who_is_there() {
    let server = server("proxy_protocol 127.0.0.1");
    fail(&server, V1);
    server.logged("\"src_ip\":\"192.0.2.7:5000\"");
}

#[test]
fn c21_version_2_says_who_is_there() {
    let server = server("proxy_protocol 127.0.0.1");
    fail(&server, V2);
    server.logged("\"src_ip\":\"192.0.2.7:5000\"");
    fail(&server, V2_SIX);
    server.logged("\"src_ip\":\"[2001:db8::7]:5000\"");
    let own = fail(&server, LOCAL);
    server.logged(&own);
}

#[test]
fn c22_headers_of_others_are_dropped() {
    let server = server("proxy_protocol 203.0.113.1");
    for header in [V1, V2] {
        let own = fail(&server, header);
        let log = server.logged(&format!(
            "authentication failed\t{{\"reason\":\"wrong password\",{own}"
        ));
        assert!(!log.contains("192.0.2.7"), "{log}");
        assert!(log.contains("connection from untrusted source\t"), "{log}");
    }
}

#[test]
fn c23_without_a_list_everybody_is_believed() {
    let server = server("proxy_protocol");
    server.logged("proxy_protocol believes everybody");
    fail(&server, V1);
    server.logged("\"src_ip\":\"192.0.2.7:5000\"");
}

#[test]
fn c24_entries_may_be_subnets() {
    let server = server("proxy_protocol 127.0.0.0/8");
    fail(&server, V1);
    server.logged("\"src_ip\":\"192.0.2.7:5000\"");
}

/// The manual's list. Which addresses it has, and which not, is shown in full where the list is
/// (`net/proxy.rs`); here that it is the one that counts.
#[test]
fn c25_the_list_may_stand_in_the_block() {
    let server = server("proxy_protocol {\ntrust 127.0.0.1 ::1 192.168.0.1/24\n}");
    fail(&server, V1);
    server.logged("\"src_ip\":\"192.0.2.7:5000\"");

    let stranger = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let stranger = stranger.unwrap();
    stranger
        .bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into())
        .unwrap();
    stranger.connect(&server.address(0).into()).unwrap();
    let mut stream = TcpStream::from(stranger);
    stream.write_all(V2_SIX).unwrap();
    Client::greeted(Box::new(stream)).no("LOGIN user@example.org 1234");
    let log = server.logged("\"src_ip\":\"127.0.0.2:");
    assert!(!log.contains("2001:db8"), "{log}");
}

/// A server with certificate A for clients and B for proxies.
fn secured(block: &str) -> (Server, CertificateDer<'static>) {
    let home = Home::new();
    home.certificate("A");
    let b = home.certificate("B");
    let server = home.start(&format!(
        "tls DIR/A.crt DIR/A.key\n{STORAGE}{USERS}\
         imap tcp://127.0.0.1:0 {{\n{NEEDED}proxy_protocol {block}\n}}\n"
    ));
    (server, b)
}

const NAMED: &str = "{\ntls &proxy_tls\n}\n}\n\
    tls.loader.file proxy_tls {\ncerts DIR/B.crt\nkeys DIR/B.key\n";

#[test]
fn c26_the_block_may_have_tls_of_its_own() {
    for block in [NAMED, "{\ntls DIR/B.crt DIR/B.key\n}"] {
        let (server, b) = secured(block);
        let (mut stream, shown) = tls(tcp(server.address(0)), rustls::ALL_VERSIONS).unwrap();
        assert_eq!(shown, b);
        stream.write_all(V1).unwrap();
        let mut client = Client::greeted(Box::new(stream));
        // It is encrypted: there is nothing to start, and passwords are taken.
        let capabilities = client.capabilities();
        assert!(!capabilities.contains("STARTTLS") && !capabilities.contains("LOGINDISABLED"));
        client.no("LOGIN user@example.org 1234");
        server.logged("\"src_ip\":\"192.0.2.7:5000\"");
        client.ok("LOGIN user@example.org 123");
    }
}

#[test]
fn c27_it_does_not_inherit_tls() {
    let (server, _) = secured("127.0.0.1");
    let mut stream = tcp(server.address(0));
    stream.write_all(V1).unwrap();
    let mut client = Client::greeted(Box::new(stream));
    assert!(client.greeting.starts_with("* OK"), "{}", client.greeting);
    assert!(client.capabilities().contains(" STARTTLS LOGINDISABLED "));
}

/// D8: the header is within TLS, or, as most proxies have it, before.
#[test]
fn c28_tls_may_come_before_the_header_or_behind_it() {
    for header in [V1, V2] {
        let (server, b) = secured(NAMED);
        let mut stream = tcp(server.address(0));
        stream.write_all(header).unwrap();
        let (stream, shown) = tls(stream, rustls::ALL_VERSIONS).unwrap();
        assert_eq!(shown, b);
        let mut client = Client::greeted(Box::new(stream));
        assert!(!client.capabilities().contains("STARTTLS"));
        client.no("LOGIN user@example.org 1234");
        server.logged("\"src_ip\":\"192.0.2.7:5000\"");

        let (mut stream, _) = tls(tcp(server.address(0)), rustls::ALL_VERSIONS).unwrap();
        stream.write_all(V2_SIX).unwrap();
        Client::greeted(Box::new(stream)).no("LOGIN other@example.org 1234");
        server.logged("\"src_ip\":\"[2001:db8::7]:5000\"");

        // In clear nothing is said.
        let mut plain = tcp(server.address(0));
        plain
            .write_all(&[header, b"a CAPABILITY\r\n"].concat())
            .unwrap();
        let mut heard = Vec::new();
        let _ = plain.read_to_end(&mut heard);
        assert!(!heard.windows(2).any(|pair| pair == b"OK"), "{heard:?}");
    }
}
