//! C12 to C18: certificates, where they are inherited, and versions of TLS.

use super::*;

const BOTH: &str = "imap tcp://127.0.0.1:0 tls://127.0.0.2:0";

/// A server with certificates A and B, and what it showed under TLS from the first byte and after
/// STARTTLS.
fn shown(global: &str, local: &str) -> [bool; 2] {
    let home = Home::new();
    let (a, b) = (home.certificate("A"), home.certificate("B"));
    let server = home.start(&format!(
        "{global}\n{STORAGE}{USERS}{BOTH} {{\n{local}\n{NEEDED}}}\n"
    ));
    let (_, implicit) = Client::connect_tls(server.address(1));
    let (_, started) = Client::starttls(server.address(0));
    assert_eq!(implicit, started);
    [implicit == a, implicit == b]
}

#[test]
fn c12_tls_names_a_certificate_and_its_key() {
    assert_eq!(shown("", "tls DIR/A.crt DIR/A.key"), [true, false]);
}

#[test]
fn c13_the_global_certificate_is_the_default() {
    assert_eq!(shown("tls DIR/A.crt DIR/A.key", ""), [true, false]);
}

#[test]
fn c14_a_local_certificate_replaces_it() {
    let global = "tls DIR/A.crt DIR/A.key";
    assert_eq!(shown(global, "tls DIR/B.crt DIR/B.key"), [false, true]);
}

#[test]
fn c15_options_stand_in_a_block_behind_the_paths() {
    let local = "tls DIR/A.crt DIR/A.key {\n protocols tls1.2 tls1.3\n}";
    assert_eq!(shown("", local), [true, false]);
}

/// A client's hello of TLS 1.1 as OpenSSL would send it: without the extension in which TLS 1.3 is
/// negotiated.
const HELLO_OF_TLS_1_1: &[u8] = b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x02\
    0123456789abcdef0123456789abcdef\x00\x00\x02\xc0\x13\x01\x00";
/// Fatal (2) alerts: protocol version (70), handshake failure (40) (RFC 8446 §6).
const REFUSALS: [[u8; 2]; 2] = [[2, 70], [2, 40]];

#[test]
fn c16_protocols_are_lowest_and_highest() {
    let home = Home::new();
    home.certificate("A");
    let block = |hosts: [&str; 2], protocols: &str| {
        let [clear, secured] = hosts;
        format!(
            "imap tcp://{clear}:0 tls://{secured}:0 {{\ntls DIR/A.crt DIR/A.key {{\nprotocols {protocols}\n}}\n{NEEDED}}}\n"
        )
    };
    let server = home.start(&format!(
        "{STORAGE}{USERS}{}{}",
        block(["127.0.0.1", "127.0.0.2"], "tls1.2 tls1.3"),
        block(["127.0.0.3", "127.0.0.4"], "tls1.3")
    ));
    let agree = |n, version| tls(tcp(server.address(n)), &[version]).is_ok();
    assert!(agree(1, &rustls::version::TLS12));
    assert!(agree(1, &rustls::version::TLS13));
    assert!(!agree(3, &rustls::version::TLS12));
    assert!(agree(3, &rustls::version::TLS13));

    let mut old = tcp(server.address(1));
    old.write_all(HELLO_OF_TLS_1_1).unwrap();
    let mut heard = Vec::new();
    let _ = old.read_to_end(&mut heard);
    let alert = heard.get(5..7).unwrap_or_default();
    assert_eq!(heard.first(), Some(&21), "an alert: {heard:?}");
    assert!(REFUSALS.iter().any(|refusal| refusal == alert), "{heard:?}");
}

#[test]
fn c17_tls_may_be_off_but_not_where_an_address_wants_it() {
    let server = Server::f0("", "");
    assert!(!server.client().capabilities().contains("STARTTLS"));
    let text = format!("{STORAGE}{USERS}imap tls://127.0.0.1:0 {{\ntls off\n{NEEDED}}}\n");
    let complaint = Home::new().complaint(&text).unwrap();
    assert!(
        complaint.contains("without TLS configuration"),
        "{complaint}"
    );
    assert!(complaint.contains("pillarbox.conf:"), "{complaint}");
}

/// The details of the page on TLS, one by one: loaders, suites, curves.
#[test]
fn c17_details_are_those_of_the_page_on_tls() {
    let home = Home::new();
    home.certificate("A");
    for tls in [
        "tls file DIR/A.crt DIR/A.key",
        "tls {\nloader file DIR/A.crt DIR/A.key\n}",
        "tls self_signed localhost",
        "tls DIR/A.crt DIR/A.key {\nciphers ECDHE-ECDSA-WITH-AES128-GCM-SHA256\ncurves p256 X25519\n}",
    ] {
        let text = format!("{STORAGE}{USERS}{BOTH} {{\n{tls}\n{NEEDED}}}\n");
        assert_eq!(home.complaint(&text), None, "{tls}");
    }
}

#[test]
fn c18_without_any_tls_directive_there_is_an_error() {
    let text = format!("{STORAGE}{USERS}{BOTH} {{\n{NEEDED}}}\n");
    let complaint = Home::new().complaint(&text).unwrap();
    assert!(
        complaint.contains("missing required directive: tls"),
        "{complaint}"
    );
    let line = 4 + (STORAGE.to_owned() + USERS).matches('\n').count();
    assert!(
        complaint.contains(&format!("pillarbox.conf:{line}:1")),
        "{complaint}"
    );
}
