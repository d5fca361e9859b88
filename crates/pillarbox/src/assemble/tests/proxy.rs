//! `proxy_protocol` in endpoints' blocks.

use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::net::Peer;
use crate::net::proxy::{Proxy, Trust};

/// What the directive gives, and the warnings. `more` stands at top level.
fn proxy(text: &str, more: &str) -> (Proxy, Vec<String>) {
    let fixture = Fixture::new();
    let imap = IMAP.replace("tls off", &format!("tls off\n{text}")) + more;
    let mut server = fixture.run(&format!("{BLOCKS}{imap}"));
    (server.endpoints.remove(0).proxy.unwrap(), server.warnings)
}

fn believes(proxy: &Proxy, ip: &str) -> bool {
    let ip: IpAddr = ip.parse().unwrap();
    proxy.trust.believes(&Peer::Ip((ip, 5000).into()))
}

/// C19: off unless it is asked for.
#[test]
fn nobody_is_believed_by_default() {
    assert!(block(&Fixture::new(), "").proxy.is_none());
}

/// C25, C26: the manual's example.
#[test]
fn the_manuals_example_of_proxy_protocol_is_accepted() {
    let example = "proxy_protocol {
        trust 127.0.0.1 ::1 192.168.0.1/24
        tls &proxy_tls
    }";
    let (proxy, warnings) = proxy(example, "tls.loader.self_signed proxy_tls");
    assert!(believes(&proxy, "::1") && believes(&proxy, "192.168.0.99"));
    assert!(!believes(&proxy, "::2") && !believes(&proxy, "192.168.1.1"));
    assert!(proxy.tls.is_some());
    assert_eq!(proxy.header_timeout, Duration::from_secs(5));
    assert_eq!(warnings, [""; 0]);
}

/// C22, C24: addresses behind the directive and in its block are one list.
#[test]
fn lists_add_up() {
    let (proxy, _) = proxy(
        "proxy_protocol 192.0.2.1 192.0.2.2 {
            trust 10.0.0.0/8
            trust 2001:db8::/32
            header_timeout 1s
            tls self_signed localhost
        }",
        "",
    );
    for ip in ["192.0.2.1", "192.0.2.2", "10.1.2.3", "2001:db8::1"] {
        assert!(believes(&proxy, ip), "{ip}");
    }
    assert!(!believes(&proxy, "192.0.2.3"));
    assert!(proxy.tls.is_some());
    assert_eq!(proxy.header_timeout, Duration::from_secs(1));
}

/// C23: without a list everybody is believed, which is worth a warning where not only users of
/// this machine come.
#[test]
fn without_a_list_everybody_is_believed() {
    let (proxy, warnings) = proxy("proxy_protocol", "");
    assert_eq!(proxy.trust, Trust::Everybody);
    assert!(believes(&proxy, "203.0.113.1"));
    assert!(
        warnings[0].contains("believes everybody who connects"),
        "{warnings:?}"
    );

    let fixture = Fixture::new();
    let imap = IMAP.replace("tls off", "tls off\nproxy_protocol");
    let imap = imap.replace("tcp://127.0.0.1:1143", "unix://imap.sock");
    assert_eq!(fixture.run(&format!("{BLOCKS}{imap}")).warnings, [""; 0]);
}

/// C27: TLS of the endpoint is the clients' affair.
#[test]
fn tls_between_proxy_and_server_is_not_inherited() {
    let fixture = Fixture::new();
    let imap = IMAP.replace("tls off", "proxy_protocol 127.0.0.1");
    let server = fixture.run(&format!("tls self_signed localhost\n{BLOCKS}{imap}"));
    let block = &server.endpoints[0];
    assert!(matches!(block.tls, TlsSettings::On(_)));
    assert!(block.proxy.as_ref().unwrap().tls.is_none());
}

#[test]
fn mistakes_in_proxy_protocol_have_their_places() {
    let fixture = Fixture::new();
    let refuse = |text: &str| {
        let imap = format!("imap tcp://:1143 {{\ntls off\n{text}\nauth dummy\n");
        fixture.refuse(&format!("{imap}storage &local_mailboxes\n}}\n{BLOCKS}"))
    };
    let refused = refuse("proxy_protocol 127.0.0.1 proxy.example.org {\n trust ::1/129\n}");
    assert!(
        refused.contains("test.conf:3:26: proxy.example.org is not an IP address"),
        "{refused}"
    );
    assert!(
        refused.contains("test.conf:4:8: /129 is not a number of bits: ::1 has 128"),
        "{refused}"
    );
    let refused = refuse("proxy_protocol {\n trsut ::1\n}");
    assert!(refused.contains("test.conf:4:2: unexpected directive: trsut"));
    assert!(refused.contains("did you mean `trust`?"), "{refused}");
    let refused = refuse("proxy_protocol {\n trust\n}");
    assert!(refused.contains("test.conf:4:2:"), "{refused}");
    let refused = refuse("proxy_protocol {\n tls &proxy_tls\n}");
    assert!(refused.contains("no such instance registered: proxy_tls"));
}
