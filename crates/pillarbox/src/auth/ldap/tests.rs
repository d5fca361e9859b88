use super::*;
use crate::testing::{now, parts, refused, secret, verify};

fn block(text: &str) -> String {
    format!("auth.ldap x {{\n {text}\n}}")
}

const SEARCH: &str = "base_dn dc=example,dc=org\n filter (uid={username})";

/// GHSA-5835-4gvc-32pc: a name is a value, and never syntax.
#[test]
fn names_stay_values() {
    let dn = |user| dn_of("uid={username},dc=org", user);
    let filter = |user| filter_of("(&(uid={username})(a=b))", user);
    assert_eq!(dn("ann"), "uid=ann,dc=org");
    assert_eq!(dn("ann,dc=com"), r"uid=ann\2cdc\3dcom,dc=org");
    assert_eq!(
        dn(" #a+b;\"<>\\ "),
        r"uid=\20#a\2bb\3b\22\3c\3e\5c\20,dc=org"
    );
    assert_eq!(dn("#a"), r"uid=\23a,dc=org");
    assert_eq!(dn("a\0"), r"uid=a\00,dc=org");
    assert_eq!(filter("*)(uid=*"), r"(&(uid=\2a\29\28uid=\2a)(a=b))");
    assert_eq!(filter("a\\\0ä"), "(&(uid=a\\5c\\00ä)(a=b))");
    // Nor is it a template once more.
    assert_eq!(dn("{username}"), "uid={username},dc=org");
    assert_eq!(filter("{username}"), "(&(uid={username})(a=b))");
}

#[test]
fn a_directory_that_is_down_keeps_nothing_from_starting() {
    let text = block(&format!(
        "urls ldap://127.0.0.1:1 ldapi:///nonexistent\n {SEARCH}"
    ));
    verify(&text, "x").unwrap();
    let parts = parts(&text, "x");
    let provider = parts.provider.unwrap();
    let outcome = now(provider.authenticate("ann", &secret("pass")));
    let Err(Denied::Unavailable(error)) = outcome else {
        panic!("{outcome:?}");
    };
    let error = format!("{error:#}");
    for part in ["ldap: ", "ldap://127.0.0.1:1: ", "ldapi:///nonexistent: "] {
        assert!(error.contains(part), "{error}");
    }
    assert!(now(parts.table.unwrap().lookup("ann")).is_err());
}

#[test]
fn a_silent_directory_is_not_waited_for_without_end() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let limits = "connect_timeout 100ms\n request_timeout 100ms";
    let text = block(&format!(
        "urls ldap://127.0.0.1:{port}\n {limits}\n {SEARCH}"
    ));
    let provider = parts(&text, "x").provider.unwrap();
    let outcome = now(provider.authenticate("ann", &secret("pass")));
    let Err(Denied::Unavailable(error)) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(format!("{error:#}").contains("no answer within 100ms"));
}

/// What is no LDAP at all is trouble of the directory's, not of the server's.
#[test]
fn a_strange_directory_harms_nothing() {
    for said in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"\x30\x00",
        b"\x30\x03\x02\x01\x01",
    ] {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let serving = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = server.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(said);
        });
        let text = block(&format!("urls ldap://127.0.0.1:{port}\n {SEARCH}"));
        let provider = parts(&text, "x").provider.unwrap();
        let outcome = now(provider.authenticate("ann", &secret("pass")));
        assert!(
            matches!(outcome, Err(Denied::Unavailable(_))),
            "{outcome:?}"
        );
        serving.join().unwrap();
    }
}

/// RFC 4513 §5.1.2: such a bind would succeed. Nobody is asked.
#[test]
fn an_empty_password_is_wrong() {
    let text = block(&format!("urls ldapi:///nonexistent\n {SEARCH}"));
    let provider = parts(&text, "x").provider.unwrap();
    for password in [&b""[..], b"\xff"] {
        let outcome = now(provider.authenticate("ann", &Secret::new(password.to_vec())));
        assert!(
            matches!(outcome, Err(Denied::Credentials(_))),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_table_needs_a_search() {
    let text = block("urls ldapi:///x\n dn_template uid={username},dc=org");
    let table = parts(&text, "x").table.unwrap();
    let error = now(table.lookup("ann")).unwrap_err();
    assert!(format!("{error:#}").contains("with dn_template nobody can be looked up"));
}

#[test]
fn it_can_be_written_in_place() {
    let text = format!(
        "auth.plain_separate x {{\n user ldap ldapi:///x {{\n {SEARCH}\n }}\n pass ldap ldapi:///x \
         {{\n dn_template uid={{username}}\n }}\n}}"
    );
    verify(&text, "x").unwrap();
}

#[test]
fn what_has_to_be_said() {
    let refused = |text: &str| refused(&block(text), "x");
    assert!(refused(SEARCH).contains("missing required directive: urls"));
    assert!(
        refused(&format!("urls http://x\n {SEARCH}")).contains("http://x: the scheme is none of")
    );
    let more = |text: &str| refused(&format!("urls ldapi:///x\n {text}"));
    assert!(more("filter (uid={username})").contains("base_dn not set"));
    assert!(more("base_dn dc=org").contains("filter not set"));
    let both = more("dn_template uid={username}\n base_dn dc=org");
    assert!(both.contains("search directives set when dn_template is used"));
    assert!(more("dn_template uid=ann").contains("dn_template has no {username}"));
    assert!(more("base_dn dc=org\n filter (uid=ann)").contains("filter has no {username}"));
    assert!(more("base_dn dc=org\n filter uid={username})").contains("this is no LDAP filter"));
    let bind = |text: &str| more(&format!("{SEARCH}\n bind {text}"));
    assert!(bind("plain cn=x").contains("an unknown way to bind"));
    assert!(bind("plain cn=x \"\"").contains("the password is empty"));
    assert!(bind("sometimes").contains("`off`, `unauth`"));
    assert!(more(&format!("{SEARCH}\n request_timeout 1ms")).contains("request_timeout"));
}
