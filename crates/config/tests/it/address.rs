//! Endpoint addresses.

use pillarbox_config::{Address, Place, addresses};

use crate::tree;

fn tcp(tls: bool, host: &str, port: u16) -> Address {
    Address {
        tls,
        place: Place::Tcp {
            host: host.to_owned(),
            port,
        },
    }
}

fn unix(path: &str, relative: bool) -> Address {
    Address {
        tls: false,
        place: Place::Unix {
            path: path.to_owned(),
            relative,
        },
    }
}

#[test]
fn addresses_of_all_schemes() {
    for (text, address, canonical) in [
        (
            "tcp://0.0.0.0:143",
            tcp(false, "0.0.0.0", 143),
            "tcp://0.0.0.0:143",
        ),
        (
            "tls://mx.example.org:993",
            tcp(true, "mx.example.org", 993),
            "tls://mx.example.org:993",
        ),
        (
            "TCP://localhost:0",
            tcp(false, "localhost", 0),
            "tcp://localhost:0",
        ),
        ("tcp://:143", tcp(false, "", 143), "tcp://:143"),
        (
            "tcp:127.0.0.1:143",
            tcp(false, "127.0.0.1", 143),
            "tcp://127.0.0.1:143",
        ),
        ("tcp://h:1/ignored?too", tcp(false, "h", 1), "tcp://h:1"),
        ("tcp://[::1]:143", tcp(false, "::1", 143), "tcp://[::1]:143"),
        (
            "tls://[fe80::1%25eth0]:993",
            tcp(true, "fe80::1%eth0", 993),
            "tls://[fe80::1%eth0]:993",
        ),
        (
            "unix://imap.sock",
            unix("imap.sock", true),
            "unix://imap.sock",
        ),
        (
            "unix:imap.sock",
            unix("imap.sock", true),
            "unix://imap.sock",
        ),
        (
            "unix:///run/imap.sock",
            unix("/run/imap.sock", false),
            "unix:///run/imap.sock",
        ),
        (
            "unix:/run/imap.sock",
            unix("/run/imap.sock", false),
            "unix:///run/imap.sock",
        ),
        (
            "fd://3",
            Address {
                tls: false,
                place: Place::Fd(3),
            },
            "fd://3",
        ),
        (
            "tls+fd://4",
            Address {
                tls: true,
                place: Place::Fd(4),
            },
            "tls+fd://4",
        ),
        (
            "fdname://imap",
            Address {
                tls: false,
                place: Place::FdName("imap".to_owned()),
            },
            "fdname://imap",
        ),
        (
            "tls+fdname://imaps",
            Address {
                tls: true,
                place: Place::FdName("imaps".to_owned()),
            },
            "tls+fdname://imaps",
        ),
    ] {
        assert_eq!(Address::parse(text).as_ref(), Ok(&address), "{text}");
        assert_eq!(address.to_string(), canonical);
        assert_eq!(Address::parse(canonical), Ok(address));
    }
}

#[test]
fn address_mistakes() {
    for (text, message) in [
        ("", "unsupported scheme: "),
        ("localhost", "unsupported scheme: "),
        ("http://h:1", "unsupported scheme: http"),
        ("127.0.0.1:143", "unsupported scheme: 127.0.0.1"),
        ("tcp://h", "port is required"),
        ("tcp://h:", "port is required"),
        ("tcp://", "port is required"),
        ("tcp://[::1]", "port is required"),
        ("tcp://h:imap", "invalid port: imap"),
        ("tcp://h:65536", "invalid port: 65536"),
        ("tcp://h:+1", "invalid port: +1"),
        ("tcp://::1:143", "invalid host: ::1:143"),
        ("tcp://user@h:1", "invalid host: user@h"),
        ("tcp://h h:1", "invalid host: h h"),
        ("tcp://[::1:143", "missing ] after the IPv6 address"),
        ("tcp://[::g]:143", "invalid IPv6 address: ::g"),
        ("tcp://[127.0.0.1]:143", "invalid IPv6 address: 127.0.0.1"),
        ("tcp://[fe80::1%]:143", "invalid IPv6 address: fe80::1%"),
        (
            "tcp://[::1]x:143",
            "unexpected x:143 after the IPv6 address",
        ),
        ("unix://", "path is required"),
        ("unix:", "path is required"),
        ("fd://", "invalid descriptor number: "),
        ("fd://x", "invalid descriptor number: x"),
        ("fd://-1", "invalid descriptor number: -1"),
        ("fdname://", "invalid descriptor name: "),
        ("fdname://a:b", "invalid descriptor name: a:b"),
    ] {
        assert_eq!(
            Address::parse(text).expect_err(text).message,
            message,
            "{text}"
        );
    }
    let fault = Address::parse("127.0.0.1:143").expect_err("no scheme");
    assert_eq!(
        fault.help.as_deref(),
        Some("did you mean `tcp://127.0.0.1:143`?")
    );
}

/// Each bad address of an endpoint is told, at its own place.
#[test]
fn an_endpoint_names_its_bad_addresses() {
    let tree = tree("imap tcp://h:1 tls://h udp://h:1 unix:x\nlmtp { }\n");
    let errors = addresses(&tree.nodes[0]).expect_err("two bad ones");
    let told: Vec<_> = errors
        .iter()
        .map(|error| format!("{}: {}", error.span.column, error.message))
        .collect();
    assert_eq!(
        told,
        [
            "16: imap: invalid address: tls://h: port is required",
            "24: imap: invalid address: udp://h:1: unsupported scheme: udp"
        ]
    );
    let errors = addresses(&tree.nodes[1]).expect_err("none");
    assert_eq!(errors[0].message, "expected at least one argument");
}
