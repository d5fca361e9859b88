//! C54 to C56: what the newer revision of the document adds. C54 is C38.

use super::*;

#[test]
fn c55_the_mechanism_login_is_off_by_default() {
    let server = Server::f0("", "");
    let mut client = server.client();
    assert!(!client.capabilities().contains("AUTH=LOGIN"));
    client.no("AUTHENTICATE LOGIN");
}

/// `Username:` and `Password:`, as clients of that mechanism look for; with an initial response as
/// well.
#[test]
fn c56_the_mechanism_login_can_be_offered() {
    let server = Server::f0("sasl_login yes", "");
    // user@example.org and 123.
    let (user, password) = ("dXNlckBleGFtcGxlLm9yZw==", "MTIz");
    for initial in [false, true] {
        let mut client = server.client();
        assert!(client.capabilities().contains(" AUTH=LOGIN "));
        match initial {
            true => client.send(format!("a AUTHENTICATE LOGIN {user}\r\n").as_bytes()),
            false => {
                client.send(b"a AUTHENTICATE LOGIN\r\n");
                assert_eq!(client.line(), "+ VXNlcm5hbWU6");
                client.send(format!("{user}\r\n").as_bytes());
            }
        }
        assert_eq!(client.line(), "+ UGFzc3dvcmQ6");
        client.send(format!("{password}\r\n").as_bytes());
        let ended = client.line();
        assert!(ended.starts_with("a OK"), "{ended}");
        client.ok("SELECT INBOX");
    }
    assert_eq!(server.accounts(), "user@example.org\n");
}
